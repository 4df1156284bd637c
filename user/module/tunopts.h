/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_TUNOPTS_H
#define CNICTL_TUNOPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

#define TUNOPTS_MAX_HEALTH 32	/* the module's limit */
#define TUNOPTS_RATE 1000	/* answers a second, unless said */
#define TUNOPTS_MIN_MSS 88

/* A kind of Cloudflare's health checks that a tunnel answers. */
struct health_check {
	bool request;		/* an echo request; else an echo reply */
	bool unidirectional;	/* answered by the routes; else by the tunnel */
	struct addr local;	/* this end's address in the probe */
	struct addr peer;	/* Cloudflare's; len says how much of it counts */
};

/* What the module does for a tunnel beside forwarding. */
struct tunopts {
	uint32_t flags;		/* CNILINK_TUNNEL_FLAG_* */
	uint16_t mss4, mss6;	/* largest TCP segment to let pass; 0: any */
	uint32_t rate;		/* answers to health checks a second, at most */
	unsigned int n_health;
	struct health_check health[TUNOPTS_MAX_HEALTH];
};

bool tunopts_same(const struct tunopts *a, const struct tunopts *b);

/* What fits a tunnel of an MTU, or none for one that is too small. */
void tunopts_mss(struct tunopts *o, unsigned int mtu);

/*
 * Takes the words after "cnictl tunnel set DEV": changes what they say and
 * leaves the rest. @mtu is the tunnel's. Returns NULL, or what is wrong with
 * them: a static buffer.
 */
const char *tunopts_parse(struct tunopts *o, unsigned int mtu, int argc,
			  char **argv);

/* As such words, beginning with a space, or empty: a static buffer. */
const char *tunopts_str(const struct tunopts *o);

/* The words that make @o of @now, what is to be switched off among them. */
const char *tunopts_change_str(const struct tunopts *now,
			       const struct tunopts *o);

/* "reply" or "request", "bidirectional" or "unidirectional". */
const char *tunopts_health_kind(const struct health_check *h);
const char *tunopts_health_direction(const struct health_check *h);

#endif
