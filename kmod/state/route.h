/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_ROUTE_H
#define _CNI_ROUTE_H

#include <linux/types.h>
#include <linux/workqueue.h>

#include "lpm/lookup.h"
#include "state/net.h"

struct netlink_ext_ack;

/*
 * Values of the prefix table; from CNI_ROUTE_ADJ on they're adjacencies. Never
 * in it, but found by rules: a table is in the way that user space hasn't sent.
 */
enum {
	CNI_ROUTE_NONE,
	CNI_ROUTE_PUNT,
	CNI_ROUTE_LOCAL,
	CNI_ROUTE_UNKNOWN,
	CNI_ROUTE_ADJ,
};

/* What one of the kernel's tables has for a prefix. */
enum cni_route_now {
	CNI_ROUTE_IS_GONE,
	CNI_ROUTE_IS_LOCAL,
	CNI_ROUTE_IS_OTHER,
};

/**
 * struct cni_table - a whole set of routes, swapped as one
 * @lpm: prefix table per family
 * @routes: how many routes user space put in, per family
 * @punted: how many of those are punt at the moment
 * @rwork: frees it after the last reader
 */
struct cni_table {
	struct cni_lpm		*lpm[CNI_FAMILIES];
	u32			routes[CNI_FAMILIES];
	u32			punted[CNI_FAMILIES];
	struct rcu_work		rwork;
};

/**
 * struct cni_route_change - one route of a batch
 * @prefix: which
 * @family: CNI_V4 or CNI_V6
 * @value: to set, or CNI_ROUTE_NONE to delete; an adjacency is referenced
 * @old: what it was, once applied
 */
struct cni_route_change {
	struct cni_prefix	prefix;
	u8			family;
	u32			value;
	u32			old;
};

static __always_inline u32 cni_route_lookup4(const struct cni_table *table,
					     __be32 addr)
{
	return cni_lpm_lookup4(table->lpm[CNI_V4], addr);
}

static __always_inline u32 cni_route_lookup6(const struct cni_table *table,
					     const struct in6_addr *addr)
{
	return cni_lpm_lookup6(table->lpm[CNI_V6], addr);
}

int cni_route_init(struct cni_net *cn);
void cni_route_exit(struct cni_net *cn);
int cni_route_apply(struct cni_net *cn, struct cni_table *table,
		    struct cni_route_change *changes, unsigned int n,
		    struct netlink_ext_ack *extack);
void cni_route_invalidate(struct cni_net *cn, u32 id, int family,
			  const struct cni_prefix *prefix);
void cni_route_punt(struct cni_net *cn, u32 id, int family,
		    const struct cni_prefix *prefix);
bool cni_route_main(struct cni_net *cn, u32 from, int family,
		    const struct cni_prefix *prefix, enum cni_route_now now);
int cni_route_first(struct cni_net *cn, int family, struct cni_lpm *lpm);
void cni_route_lost(struct cni_net *cn);
int cni_route_forget(struct cni_net *cn);
u8 cni_route_slot(const struct cni_net *cn, u32 id);
struct cni_table *cni_route_live(struct cni_net *cn, u32 id);
int cni_route_begin(struct cni_net *cn, u32 id, u32 portid,
		    struct netlink_ext_ack *extack);
struct cni_table *cni_route_table(struct cni_net *cn, u32 txn, u32 portid,
				  u32 id, struct netlink_ext_ack *extack);
int cni_route_commit(struct cni_net *cn, u64 generation,
		     struct netlink_ext_ack *extack);
void cni_route_abort(struct cni_net *cn);

#endif
