// SPDX-License-Identifier: GPL-2.0
#include <stddef.h>

#include "base/signals.h"

volatile sig_atomic_t signals_caught;

static void on_signal(int sig)
{
	signals_caught = sig;
}

void signals_catch(void)
{
	/* No SA_RESTART: what waits is to notice. */
	struct sigaction sa = { .sa_handler = on_signal }, was;

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	/* That of a terminal that goes away, unless nohup(1) said otherwise. */
	if (!sigaction(SIGHUP, NULL, &was) && was.sa_handler != SIG_IGN)
		sigaction(SIGHUP, &sa, NULL);
}
