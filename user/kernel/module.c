// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <libkmod.h>
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
#include "kernel/sysctl.h"

#define INSTALL_MS 120000
#define GONE "the running kernel's modules, /lib/modules/%1$s, are gone, as after an upgrade: restart into the new one"

const char *module_command(void)
{
	static char buf[512];
	const char *ko = getenv("CNILINK_KO");

	if (!ko || !*ko)
		return "modprobe cnilink";
	snprintf(buf, sizeof(buf), "insmod %s", ko);
	return buf;
}

static bool is_gone(const char *release)
{
	char dir[160];

	snprintf(dir, sizeof(dir), "/lib/modules/%s", release);
	return access(dir, F_OK);
}

const char *module_lack(const char *name)
{
	static char buf[256];
	struct utsname u;

	uname(&u);
	snprintf(buf, sizeof(buf), is_gone(u.release) ? GONE :
		 "modprobe %2$s says why the kernel, %1$s, can't load it",
		 u.release, name);
	return buf;
}

const char *module_remedy(const struct module_fault *f)
{
	static const char sign[] = "Secure Boot wants a signed module: sign it with a key that mokutil has enrolled";
	static char buf[256];

	switch (f->error) {
	case -EKEYREJECTED:
	case -ENOKEY:
	case -EBADMSG:
		return sign;
	case -EPERM:
		if (f->disabled)
			return "sysctl kernel.modules_disabled is 1, which lasts until the next boot";
		if (f->locked_down)
			return sign;
		return "that takes root, outside of a container, and a kernel that isn't locked down";
	case -ENOSYS:
		return "this kernel is built without loadable modules";
	case -ECANCELED:
		return "an \"install cnilink\" line in /etc/modprobe.d is run instead, and fails: modprobe -c shows it";
	case -ENOENT:
		if (!f->found) {
			snprintf(buf, sizeof(buf), f->gone ? GONE :
				 "it isn't installed for this kernel, %1$s: make install, or make dkms-install, which does it for later ones, too",
				 f->release);
			return buf;
		}
		/* Else a symbol is missing. */
		/* fall through */
	case -ENOEXEC:
	case -EINVAL:
		if (*f->built_for && strcmp(f->built_for, f->release))
			snprintf(buf, sizeof(buf), "it was built for %s, and this kernel is %s: build it again",
				 f->built_for, f->release);
		else
			snprintf(buf, sizeof(buf), "it was built against other headers than this kernel's, %s, or has a setting that it doesn't know: dmesg tells which",
				 f->release);
		return buf;
	default:
		return "dmesg tells more";
	}
}

/* The release that a module's file was built for, or "". */
static void find_built_for(const struct kmod_module *mod, char *buf,
			   size_t size)
{
	struct kmod_list *list = NULL, *i;
	const char *magic;

	*buf = '\0';
	kmod_module_get_info(mod, &list);
	kmod_list_foreach(i, list) {
		if (strcmp(kmod_module_info_get_key(i), "vermagic"))
			continue;
		magic = kmod_module_info_get_value(i);
		snprintf(buf, size, "%.*s", (int)strcspn(magic, " "), magic);
	}
	kmod_module_info_free_list(list);
}

static bool is_locked_down(void)
{
	FILE *f = fopen("/sys/kernel/security/lockdown", "re");
	char line[80];
	bool locked;

	/* Like "none [integrity] confidentiality". */
	locked = f && fgets(line, sizeof(line), f) && !strstr(line, "[none]");
	if (f)
		fclose(f);
	return locked;
}

static void say_fault(const struct kmod_module *mod, int error)
{
	const char *path = kmod_module_get_path(mod), *why = strerror(-error);
	struct module_fault f = { .error = error };
	char built_for[128];
	struct utsname u;

	/* What modules.dep has may have been deleted since. */
	f.found = path && !access(path, F_OK);
	uname(&u);
	find_built_for(mod, built_for, sizeof(built_for));
	f.gone = is_gone(u.release);
	f.built_for = built_for;
	f.release = u.release;
	f.locked_down = !geteuid() && is_locked_down();
	f.disabled = sysctl_read("kernel/modules_disabled") == 1;
	if (error == -ECANCELED)
		why = "its install command failed";
	else if (error == -ENOENT)
		why = f.found ? "it needs a symbol that the kernel hasn't got" :
				"there is none";
	err("the kernel module %s can't be loaded: %s",
	    path ? path : "cnilink", why);
	hint("%s", module_remedy(&f));
}

/* What modprobe.d wants to be run in its place: not to our standard output. */
static int run_install(struct kmod_module *mod, const char *command, void *data)
{
	char *argv[] = { "sh", "-c", (char *)command, NULL };
	char *said = NULL;
	int rc;

	(void)mod;
	(void)data;
	rc = run_program(argv, INSTALL_MS, 1, &said);
	free(said);
	return rc ? -ECANCELED : 0;
}

/*
 * Its messages would be a second voice beside err() and hint(); it complains of
 * modprobe.d before it can be told so, thus @config: NULL for the usual places.
 */
static struct kmod_ctx *open_kmod(const char *const *config)
{
	struct kmod_ctx *ctx = kmod_new(NULL, config);

	if (ctx)
		kmod_set_log_fn(ctx, NULL, NULL);
	return ctx;
}

static int load_file(struct kmod_ctx *ctx, const char *ko)
{
	struct kmod_module *mod;
	int rc;

	rc = kmod_module_new_from_path(ctx, ko, &mod);
	if (rc) {
		err("can't open %s, which CNILINK_KO names: %s", ko,
		    strerror(-rc));
		return rc;
	}
	rc = kmod_module_insert_module(mod, 0, NULL);
	if (rc == -EEXIST)
		rc = 0;
	if (rc)
		say_fault(mod, rc);
	kmod_module_unref(mod);
	return rc;
}

static int load_installed(struct kmod_ctx *ctx)
{
	struct kmod_module *mod;
	int rc;

	rc = kmod_module_new_from_name(ctx, "cnilink", &mod);
	if (rc) {
		err("can't look for the kernel module cnilink: %s",
		    strerror(-rc));
		return rc;
	}
	rc = kmod_module_probe_insert_module(mod, 0, NULL, run_install, NULL,
					     NULL);
	if (rc)
		say_fault(mod, rc);
	kmod_module_unref(mod);
	return rc;
}

int module_load(void)
{
	const char *ko = getenv("CNILINK_KO");
	struct kmod_ctx *ctx = open_kmod(NULL);
	int rc;

	if (!ctx) {
		err("libkmod can't be set up");
		return -ENOMEM;
	}
	rc = ko && *ko ? load_file(ctx, ko) : load_installed(ctx);
	kmod_unref(ctx);
	return rc;
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

/* An enum kmod_module_initstate, or negative when the kernel hasn't got it. */
static int find_state(const char *name)
{
	const char *const no_config[] = { NULL };
	struct kmod_ctx *ctx = open_kmod(no_config);
	struct kmod_module *mod;
	int state = -ENOENT;

	if (ctx && !kmod_module_new_from_name(ctx, name, &mod)) {
		state = kmod_module_get_initstate(mod);
		kmod_module_unref(mod);
	}
	kmod_unref(ctx);
	return state;
}

bool module_is_loaded(const char *name)
{
	return find_state(name) > KMOD_MODULE_BUILTIN;
}

bool module_is_there(const char *name)
{
	return find_state(name) >= 0;
}
