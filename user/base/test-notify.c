// SPDX-License-Identifier: GPL-2.0
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/notify.h"
#include "base/test.h"

/* A service manager's socket; @path as in $NOTIFY_SOCKET. */
static int manager(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	strcpy(at.sun_path, path);
	if (*path == '@')
		at.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&at,
			      offsetof(struct sockaddr_un, sun_path) +
			      strlen(path)), 0);
	setenv("NOTIFY_SOCKET", path, 1);
	return fd;
}

static void hears(int fd, const char *want)
{
	char got[300];
	ssize_t n = recv(fd, got, sizeof(got) - 1, 0);

	if (!want) {
		assert_int_equal(n, -1);
		return;
	}
	assert_true(n >= 0);
	got[n] = '\0';
	assert_string_equal(got, want);
}

static void test_notify(void **state)
{
	char path[64], longer[300];
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/cnictl-notify-%d", getpid());
	fd = manager(path);
	notify("READY=1");
	hears(fd, "READY=1");
	notify("STATUS=%u routes", 20000);
	hears(fd, "STATUS=20000 routes");
	/* Half a status is none. */
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	notify("%s", longer);
	hears(fd, NULL);
	close(fd);
	unlink(path);
	notify("READY=1");

	snprintf(path, sizeof(path), "@cnictl-notify-%d", getpid());
	fd = manager(path);
	notify("WATCHDOG=1");
	hears(fd, "WATCHDOG=1");
	unsetenv("NOTIFY_SOCKET");
	notify("WATCHDOG=1");
	hears(fd, NULL);
	setenv("NOTIFY_SOCKET", longer, 1);
	notify("WATCHDOG=1");
	longer[0] = '/';
	setenv("NOTIFY_SOCKET", longer, 1);
	notify("WATCHDOG=1");
	hears(fd, NULL);
	close(fd);
	unsetenv("NOTIFY_SOCKET");
}

static void test_watchdog(void **state)
{
	char pid[16];

	(void)state;
	unsetenv("WATCHDOG_USEC");
	assert_int_equal(notify_watchdog(), 0);
	setenv("WATCHDOG_USEC", "60000000", 1);
	assert_int_equal(notify_watchdog(), 60000000);
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("WATCHDOG_PID", pid, 1);
	assert_int_equal(notify_watchdog(), 60000000);
	/* Meant for the parent, say. */
	setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(notify_watchdog(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_notify),
		cmocka_unit_test(test_watchdog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
