/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_ADJ_H
#define _CNI_ADJ_H

#include <linux/in6.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

#include "state/group.h"
#include "state/net.h"
#include "state/route.h"

struct cni_encap;
struct netlink_ext_ack;
struct net_device;

/* In place of an object's number: who set the route doesn't say. */
#define CNI_ADJ_UNSAID	U32_MAX

/**
 * struct cni_nexthop - where a route sends, as user space says it
 * @oif: ifindex
 * @family: CNI_V4 or CNI_V6
 * @has_via: there's a gateway; else the destination itself is the neighbour
 * @via: gateway
 */
struct cni_nexthop {
	u32			oif;
	u8			family;
	bool			has_via;
	union {
		__be32		v4;
		struct in6_addr	v6;
	} via;
};

/**
 * struct cni_adj - an adjacency: one next hop, or a group of them, shared by
 * all routes to it
 * @encap: how to send there, NULL when that can't be, and for a group; RCU,
 *	written with cn->lock held
 * @group: the next hops that flows are spread over, constant; NULL for one
 * @dev: device of @nh.oif, NULL while nothing of that index is enrolled
 * @blockers: why @encap is NULL, or that of any in the group
 * @nh: what it stands for, constant; unused for a group
 * @id: what the prefix table holds for it
 * @object: the kernel's next hop object that it comes from, 0 for none, or
 *	CNI_ADJ_UNSAID; constant
 * @retired: the kernel changed it under its routes, which are punt until
 *	they're set again, to another one. Set from any context, and for good.
 * @users: routes and groups that hold it
 * @node: in the hash by @nh or @group, unless it's retired
 * @cn: namespace
 * @rcu: for freeing
 *
 * Everything but @encap, @dev and @retired is for writers, under cn->lock.
 */
struct cni_adj {
	struct cni_encap __rcu	*encap;
	struct cni_group	*group;
	struct net_device	*dev;
	u64			blockers;
	struct cni_nexthop	nh;
	u32			id;
	u32			object;
	bool			retired;
	unsigned int		users;
	struct hlist_node	node;
	struct cni_net		*cn;
	struct rcu_head		rcu;
};

/**
 * struct cni_adj_change - what the kernel changed without naming the routes
 * @family: with @oif
 * @oif: next hops by this device are dead, though it is up; or 0
 * @object: else the next hop object that was replaced
 * @unsaid: routes go by it, any of which may be one whose sender says nothing
 */
struct cni_adj_change {
	int			family;
	u32			oif;
	u32			object;
	bool			unsaid;
};

/**
 * struct cni_adj_map - adjacencies by the value that the prefix table holds
 * @size: number of slots
 * @rcu: for freeing
 * @slot: by value, NULL where free
 */
struct cni_adj_map {
	u32			size;
	struct rcu_head		rcu;
	struct cni_adj __rcu	*slot[];
};

/**
 * cni_adj_find - the adjacency of a value
 * @cn: namespace
 * @id: value from the prefix table
 *
 * Under rcu_read_lock(). A table that is newer or older than the map may name
 * a slot that is free or not there yet.
 *
 * Return: the adjacency, or NULL.
 */
static inline struct cni_adj *cni_adj_find(const struct cni_net *cn, u32 id)
{
	struct cni_adj_map *map = rcu_dereference(cn->adjs);

	if (unlikely(id >= map->size))
		return NULL;
	return rcu_dereference(map->slot[id]);
}

/**
 * cni_adj_uses - is a device that of a next hop?
 * @adj: adjacency
 * @dev: device
 *
 * Under rcu_read_lock().
 *
 * Return: whether it is.
 */
static inline bool cni_adj_uses(const struct cni_adj *adj,
				const struct net_device *dev)
{
	return adj->group ? cni_group_uses(adj->group, dev) :
			    READ_ONCE(adj->dev) == dev;
}

int cni_adj_init(struct cni_net *cn);
void cni_adj_exit(struct cni_net *cn);
struct cni_adj *cni_adj_get(struct cni_net *cn, const struct cni_nexthop *nh,
			    u32 object, struct netlink_ext_ack *extack);
struct cni_adj *cni_adj_get_group(struct cni_net *cn,
				  const struct cni_hop *hops, unsigned int n,
				  u32 object, struct netlink_ext_ack *extack);
struct cni_adj *cni_adj_by_id(struct cni_net *cn, u32 id);
void cni_adj_put(struct cni_net *cn, u32 id);
void cni_adj_resolve(struct cni_net *cn);
void cni_adj_stale(struct cni_net *cn);
void cni_adj_hold(struct cni_net *cn, const struct cni_adj_change *change);
void cni_adj_retire(struct cni_net *cn, const struct cni_adj_change *change);

#endif
