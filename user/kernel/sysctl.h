/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_SYSCTL_H
#define CNICTL_SYSCTL_H

/*
 * Numbers among the kernel's settings, of this network namespace where they
 * are a namespace's. @path is below /proc/sys: "net/ipv4/conf/eth0/rp_filter".
 */

/* -1 where the kernel hasn't got it. */
int sysctl_read(const char *path);
/* 0, or a negative errno, not printed. */
int sysctl_write(const char *path, int n);

/*
 * The words that sysctl(8) takes: with dots, unless a name has one itself. A
 * static buffer.
 */
const char *sysctl_name(const char *path);

#endif
