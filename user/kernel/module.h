/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_MODULE_H
#define CNICTL_MODULE_H

#include <stdbool.h>

/*
 * Loads the kernel module: the file that $CNILINK_KO names, or the installed
 * one as modprobe would. Returns 0, or a negative errno that is printed already.
 */
int module_load(void);

/* Why it can't be loaded, and what is known of it and of the kernel. */
struct module_fault {
	int error;		/* negative; -ECANCELED: an install line failed */
	bool found;		/* there is a file of it */
	const char *built_for;	/* the release in that file, "" for none */
	const char *release;	/* the kernel's */
	bool gone;		/* no modules at all are there for it */
	bool locked_down;
	bool disabled;		/* kernel.modules_disabled */
};

/* What to do about it: a static buffer. */
const char *module_remedy(const struct module_fault *f);

/* Unloads one that nothing uses; 0 or a negative errno. */
int module_unload(const char *name);

/* Whether it's there, and as a module. */
bool module_is_loaded(const char *name);

/* Whether the kernel has it by now, as a module or built in. */
bool module_is_there(const char *name);

/* Why the kernel can't load one of its own, and what to do: a static buffer. */
const char *module_lack(const char *name);

/* The command that module_load() amounts to. */
const char *module_command(void);

#endif
