/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_STATICS_H
#define CNICTL_STATICS_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "kernel/rtnl.h"

/* Static prefixes' routes: as they are to be, and as the kernel has them. */

/* A link or tunnel that some go by. */
struct static_way {
	const struct config_static *list;
	const char *dev;
	uint32_t ifindex;	/* 0: there is no such device */
	/* By IP version, 0 IPv4, 1 IPv6 */
	bool carries[2];
	unsigned int left_out[2];	/* prefixes of what it doesn't carry */
	struct addr via[2];	/* family 0: the device itself */
	struct addr far[2];	/* the same where there are several ways */
};

enum static_state {
	STATIC_NEW,		/* the kernel has none */
	STATIC_RIGHT,
	STATIC_CHANGED,		/* ours goes another way */
	STATIC_TAKEN,		/* somebody else's goes another way */
};

struct static_want {
	struct addr dst;
	uint64_t ways;		/* a bit for each */
	enum static_state state;
	unsigned int have;	/* which that is, unless it's new */
};

struct static_have {
	struct rtnl_route r;	/* its hops are ours to free */
	bool ours, wanted;
};

struct statics {
	struct static_way *ways;
	unsigned int n_ways;
	struct static_want *want;	/* sorted by dst */
	unsigned int n;
	uint32_t table;			/* where they are to be */
	struct static_have *have;
	unsigned int n_have;
};

/* Whether there are any in a configuration. */
bool statics_any(const struct config *c);

/* What @c, unless NULL, wants; its lists are loaded. For statics_free(). */
void statics_want(struct statics *s, const struct config *c);
void statics_free(struct statics *s);

/*
 * Looks what the kernel has in these tables: of the prefixes that are wanted,
 * and of ours by the devices @own. 0 or a negative errno, not printed.
 */
int statics_look(struct statics *s, struct nlconn *rt, const uint32_t *tables,
		 unsigned int n_tables, const uint32_t *own,
		 unsigned int n_own);

/* The route of @w; more hops than one are for free(). */
struct rtnl_route statics_route(const struct statics *s,
				const struct static_want *w);

#endif
