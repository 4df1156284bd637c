/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_SYNC_H
#define CNICTL_SYNC_H

#include <stdbool.h>

/* Whether a "cnictl sync" runs in this network namespace. */
bool sync_runs(void);

#endif
