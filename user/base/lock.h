/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_LOCK_H
#define CNICTL_LOCK_H

#include <stdbool.h>

/*
 * What is below RUN_DIR only root can make, so nobody else can hold a lock of
 * these or pretend to.
 */
#define RUN_DIR "/run/cnilink"

/*
 * One cnictl at a time changes what there is, in whatever namespace: waits for
 * its turn, saying so. Returns 0 or a negative errno that is printed. *fd is
 * for lock_end(); -1 where there is no place for a lock, which is said, too.
 */
int lock_changes(int *fd);
void lock_end(int fd);
/* The file, without waiting and words; -EAGAIN when it's another's turn. */
int lock_changes_now(void);

/*
 * Who keeps the routes of the namespace of the socket @fd: returns a file that
 * is held as long as it's open, or a negative errno; -EAGAIN when there is one.
 */
int lock_sync(int fd);
/* Whether somebody keeps those of this network namespace. */
bool lock_sync_runs(void);

#endif
