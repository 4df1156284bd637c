/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_PACKET_H
#define CNICTL_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "kernel/ruleset.h"

/* What connection tracking may say of it: nft's bits. */
#define CT_INVALID 1u
#define CT_ESTABLISHED 2u
#define CT_RELATED 4u
#define CT_NEW 8u
#define CT_UNTRACKED 64u

/*
 * A packet, as far as it is known what it will be. An address is a prefix that
 * it's from, or of family 0; a device is "" for none, NULL for an unknown one.
 */
struct packet {
	int family;
	const char *iif, *oif;
	uint8_t proto;
	bool options;		/* an extension header may be before it */
	struct addr src, dst;
	int sport, dport;	/* -1: any */
	int icmp_type;
	uint8_t ct;		/* CT_*, of which one is so */
	uint32_t mark;
	bool any_mark;
	/* walk() sets these. */
	bool to_us;		/* this host is where it goes */
	bool translated;	/* its destination may have been another */
};

/* Whether something is so of a packet that isn't wholly known; in this order. */
enum tri { TRI_NO, TRI_MAYBE, TRI_YES };

/*
 * Whether @p fits @match, which is nft's JSON in a rule of @c. TRI_MAYBE where
 * that depends on what isn't known.
 */
enum tri packet_fits(const struct packet *p, const struct ruleset *rs,
		     const struct chain *c, const json_t *match);

/* Whether what @left says of @p is, or is in, @right. */
enum tri packet_is(const struct packet *p, const struct ruleset *rs,
		   const struct chain *c, const json_t *left,
		   const json_t *right);

/* Whether part of what @left asks for isn't in @p: a rule ends there. */
bool packet_lacks(const struct packet *p, const json_t *left);

/* A number in a rule, such as a mark; false for another expression. */
bool packet_number(const json_t *o, uint32_t *n);

#endif
