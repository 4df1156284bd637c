/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_MODULE_H
#define CNICTL_MODULE_H

/*
 * Loads the kernel module: the file that $CNILINK_KO names, or the installed
 * one by modprobe. Returns 0, or a negative errno that is printed already.
 */
int module_load(void);

/* Unloads it again. */
int module_unload(void);

/* The command that module_load() amounts to. */
const char *module_command(void);

#endif
