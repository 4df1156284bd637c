/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_PING_H
#define CNICTL_PING_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

#define PING_MAX_SIZE 9216

struct ping_options {
	unsigned int count, size;	/* size: of the IP packet, 0: 84 */
	double interval;		/* s */
	unsigned int last_wait;		/* ms for the last answer, 0: 1000 */
	unsigned int enough;		/* answers to end after, 0: all */
	bool df;
};

/* @local: family 0 for any of the host's. */
struct ping_target {
	char ifname[IFNAMSIZ];
	uint32_t ifindex;
	struct addr local, peer;
};

struct ping_result {
	unsigned int sent, got, too_big;
	double min, sum, max;		/* ms */
	/* What kept it from being tried at all, and what to do about that. */
	char problem[160], advice[120];
};

/*
 * Sends echo requests and waits for the answers, until SIGINT or SIGTERM.
 * Returns 0, or a negative errno with @r's problem and advice filled in.
 */
int ping_run(const struct ping_options *o, const struct ping_target *t,
	     struct ping_result *r);

/*
 * The size of the largest IP packet up to @max that is answered when it may
 * not be fragmented, or 0 when not even one of @min bytes is.
 */
unsigned int ping_largest(const struct ping_target *t, unsigned int min,
			  unsigned int max);

#endif
