/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_KROUTE_H
#define CNICTL_KROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

struct nlmsghdr;

/* The most next hops that a route of the module's can have. */
#define KHOPS_MAX 64

/* One way out of a route. */
struct khop {
	uint32_t oif;
	uint32_t weight;	/* its share among several, from 1 on */
	uint32_t ident;		/* hash of what tells it from others */
	struct addr via;	/* family 0: the destination is the neighbour */
	bool plain;		/* nothing about it but oif, via and weight */
	bool dead;		/* the kernel passes it over for now */
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
	bool plain;		/* unicast, and no more to it than its hops */
	uint32_t nh_object;	/* number of a next hop object, 0 for none */
	bool multipath;
	bool ends;		/* has a lifetime, or is a router's to give one */
	struct addr prefsrc;
	/*
	 * Hash of all that isn't dst, table or prio, nor what the next hop
	 * object says.
	 */
	uint32_t ident;
	/* In the kernel's order; until the next call. */
	const struct khop *hops;
	unsigned int n_hops;
};

/*
 * Reads an RTM_NEWROUTE or RTM_DELROUTE message. Returns false for what isn't
 * a route of a FIB: another family, or a cached entry.
 */
bool kroute_parse(const struct nlmsghdr *nlh, struct kroute *r);

/* Whether it has the metric that a route gets when none is given, and no TOS. */
bool kroute_is_plain_metric(const struct kroute *r);

/* A next hop object: one way out, or a group of such objects. */
struct knexthop {
	bool del;
	uint32_t id;
	bool group;
	bool plain;		/* of a group: flows are spread by hash alone */
	uint8_t family;		/* of routes that may use it; not of a group */
	struct khop hop;	/* not of a group */
	const struct knexthop_member {
		uint32_t id;
		uint32_t weight;
	} *members;		/* in the kernel's order; until the next call */
	unsigned int n_members;
};

/* Reads an RTM_NEWNEXTHOP or RTM_DELNEXTHOP message; false if it has no id. */
bool kroute_parse_nexthop(const struct nlmsghdr *nlh, struct knexthop *n);

#endif
