/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_KROUTE_H
#define CNICTL_KROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"

struct nlmsghdr;

/* One way out of a route of the kernel's. */
struct khop {
	uint32_t oif;
	struct addr via;	/* family 0: the destination is the neighbour */
	bool plain;		/* nothing about it but oif and via */
	uint32_t ident;		/* hash of what tells it from others */
};

/* A route as an rtnetlink message tells it. */
struct kroute {
	bool del;
	uint16_t flags;		/* NLM_F_* of the message */
	struct addr dst;
	uint32_t table;
	uint32_t prio;		/* metric */
	uint8_t tos, proto, scope, type;
	bool has_src;		/* only for some source addresses (v6) */
	uint32_t nh_object;	/* number of a next hop object, 0 for none */
	bool multipath;
	struct addr prefsrc;
	uint32_t ident;		/* hash of all that isn't dst, table or prio */
	const struct khop *hops;	/* until the next call */
	unsigned int n_hops;
};

/*
 * Reads an RTM_NEWROUTE or RTM_DELROUTE message. Returns false for what isn't
 * a route of a FIB: another family, or a cached entry.
 */
bool kroute_parse(const struct nlmsghdr *nlh, struct kroute *r);

#endif
