// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "module.h"
#include "out.h"

const char *module_command(void)
{
	static char buf[512];
	const char *ko = getenv("CNILINK_KO");

	if (!ko || !*ko)
		return "modprobe cnilink";
	snprintf(buf, sizeof(buf), "insmod %s", ko);
	return buf;
}

static int load_file(const char *ko)
{
	int fd = open(ko, O_RDONLY | O_CLOEXEC), rc = 0;

	if (fd < 0) {
		rc = -errno;
		err("can't open %s, which CNILINK_KO names: %s", ko,
		    strerror(errno));
		return rc;
	}
	if (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST)
		rc = -errno;
	close(fd);
	if (!rc)
		return 0;
	err("the kernel refuses %s: %s", ko, strerror(-rc));
	if (rc == -ENOEXEC)
		hint("it was built for another kernel than this one: make KDIR=/lib/modules/$(uname -r)/build");
	else if (rc == -EKEYREJECTED)
		hint("Secure Boot wants a signed module: sign it with a key that mokutil has enrolled");
	else if (rc == -EPERM)
		hint("that takes root, and a kernel that isn't locked down");
	else
		hint("dmesg tells more");
	return rc;
}

static int run_modprobe(void)
{
	int status;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		execlp("modprobe", "modprobe", "cnilink", (char *)NULL);
		fprintf(stderr, "cnictl: can't run modprobe: %s\n",
			strerror(errno));
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	err("the kernel module cnilink can't be loaded");
	hint("is it installed for this kernel? modinfo cnilink; make install puts it in place");
	return -ENOENT;
}

int module_load(void)
{
	const char *ko = getenv("CNILINK_KO");

	return ko && *ko ? load_file(ko) : run_modprobe();
}

int module_unload(const char *name)
{
	struct timespec wait = { .tv_nsec = 20000000 };
	int tries, rc = 0;

	/* Removed devices let go of it a moment later. */
	for (tries = 0; tries < 25; tries++) {
		rc = syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
		if (rc != -EAGAIN && rc != -EWOULDBLOCK)
			break;
		nanosleep(&wait, NULL);
	}
	return rc;
}

bool module_is_loaded(const char *name)
{
	char file[80];

	snprintf(file, sizeof(file), "/sys/module/%s/initstate", name);
	return !access(file, F_OK);
}

static bool is_built_in(const char *name)
{
	char path[160], line[256], want[80];
	struct utsname u;
	bool found = false;
	FILE *f;

	uname(&u);
	snprintf(path, sizeof(path), "/lib/modules/%s/modules.builtin",
		 u.release);
	snprintf(want, sizeof(want), "/%s.ko\n", name);
	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, want);
	if (f)
		fclose(f);
	return found;
}

bool module_is_there(const char *name)
{
	return module_is_loaded(name) || is_built_in(name);
}
