/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_NOTIFY_H
#define CNICTL_NOTIFY_H

/*
 * Tells the service manager, if one started this, by the protocol of
 * sd_notify(3): "READY=1", "WATCHDOG=1", "STATUS=..." and the like.
 */
void notify(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* How often it wants to hear "WATCHDOG=1", in microseconds; 0: not at all. */
unsigned long long notify_watchdog(void);

#endif
