/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_HEALTH_H
#define CNICTL_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What Cloudflare's rules for tunnel health checks make of the probes that
 * were seen at this end: degraded at 0.1 % of failures (and two at least) in
 * five minutes, down when all of three or more in a second fail, better after
 * three good ones, and healthy after five minutes with under 0.1 % of the last
 * ones. A failure is a probe that wasn't answered, or one that is missing: a
 * whole second without any where three or more a second are usual.
 */
enum health_state {
	HEALTH_UNKNOWN,		/* no probes so far */
	HEALTH_HEALTHY,
	HEALTH_DEGRADED,
	HEALTH_DOWN,
};

#define HEALTH_WINDOW 300	/* s */

struct health {
	enum health_state state;
	/* Of each second in the window, the latest at [at - 1]. */
	struct health_second {
		uint32_t good, bad;
	} v[HEALTH_WINDOW];
	unsigned int at, n;
	uint64_t good, bad;	/* sums of them */
	unsigned int since_bad;	/* s without a failure */
	uint64_t good_row;	/* since the last failure */
};

/*
 * Takes in what was answered and what was left unanswered in the @seconds
 * since the last call, 1 or more.
 */
void health_take(struct health *h, uint64_t answered, uint64_t unanswered,
		 unsigned int seconds);

/* Failures in the window, in percent. */
double health_loss(const struct health *h);

const char *health_state_str(enum health_state state);

#endif
