// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/out.h"
#include "base/run.h"
#include "kernel/module.h"

#define MODPROBE_MS 120000
#define NO_PROGRAM 127

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

const char *module_lack(const char *name)
{
	static char buf[256];
	char dir[160];
	struct utsname u;

	uname(&u);
	snprintf(dir, sizeof(dir), "/lib/modules/%s", u.release);
	if (access(dir, F_OK))
		snprintf(buf, sizeof(buf), "the running kernel's modules, %s, are gone, as after an upgrade: restart into the new one",
			 dir);
	else
		snprintf(buf, sizeof(buf), "modprobe %s says why the kernel, %s, can't load it",
			 name, u.release);
	return buf;
}

/* What modprobe's words come to. */
static void say_remedy(const char *said)
{
	char dir[160];
	struct utsname u;

	uname(&u);
	snprintf(dir, sizeof(dir), "/lib/modules/%s", u.release);
	if (access(dir, F_OK))
		hint("%s", module_lack("cnilink"));
	else if (strstr(said, "not found"))
		hint("it isn't installed for this kernel, %s: make install, or make dkms-install, which does it for later ones, too",
		     u.release);
	else if (strstr(said, "Key was rejected") ||
		 strstr(said, "Required key"))
		hint("Secure Boot wants a signed module: sign it with a key that mokutil has enrolled");
	else if (strstr(said, "Exec format"))
		hint("it was built for another kernel than this one, %s: build it again",
		     u.release);
	else if (strstr(said, "not permitted"))
		hint("that takes root, outside of a container, and a kernel that isn't locked down");
	else
		hint("dmesg tells more; modinfo cnilink says which one is installed");
}

static int run_modprobe(void)
{
	static char *const argv[] = {
		(char *)"modprobe", (char *)"cnilink", NULL
	};
	char *said = NULL;
	int rc;

	rc = run_program(argv, MODPROBE_MS, 1, &said);
	if (rc < 0) {
		err("can't run modprobe: %s", strerror(-rc));
		return rc;
	}
	if (rc) {
		said[strcspn(said, "\n")] = '\0';
		err("the kernel module cnilink can't be loaded: %s",
		    rc == NO_PROGRAM ? "there is no modprobe here" : said);
		say_remedy(said);
	}
	free(said);
	return rc ? -ENOENT : 0;
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
