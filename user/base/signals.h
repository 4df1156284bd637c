/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_SIGNALS_H
#define CNICTL_SIGNALS_H

#include <signal.h>

/* Set by SIGINT, SIGTERM and SIGHUP once signals_catch() was called. */
extern volatile sig_atomic_t signals_caught;
void signals_catch(void);

#endif
