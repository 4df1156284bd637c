// SPDX-License-Identifier: GPL-2.0
/* Adjacencies: the next hops that routes share. */

#include "state/adj.h"

#include <linux/inetdevice.h>
#include <linux/jhash.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/addrconf.h>
#include <net/arp.h>
#include <net/ipv6_stubs.h>
#include <net/netlink.h>

#include "base/epoch.h"
#include "state/encap.h"
#include "state/group.h"
#include "state/object.h"

#define ADJ_MAP_MIN	64

static struct cni_adj_map *map_deref(struct cni_net *cn)
{
	return rcu_dereference_protected(cn->adjs, lockdep_is_held(&cn->lock));
}

static struct cni_adj_map *map_alloc(u32 size)
{
	struct cni_adj_map *map;

	map = kvzalloc(struct_size(map, slot, size), GFP_KERNEL_ACCOUNT);
	if (map)
		map->size = size;
	return map;
}

/* Both maps hold the same adjacencies until the old one's readers are gone. */
static struct cni_adj_map *map_grow(struct cni_net *cn, u32 id)
{
	struct cni_adj_map *old = map_deref(cn), *map;
	u32 i;

	if (id < old->size)
		return old;
	map = map_alloc(max(old->size * 2, roundup_pow_of_two(id + 1)));
	if (!map)
		return NULL;
	for (i = 0; i < old->size; i++)
		RCU_INIT_POINTER(map->slot[i],
				 rcu_access_pointer(old->slot[i]));
	rcu_assign_pointer(cn->adjs, map);
	kvfree_rcu(old, rcu);
	return map;
}

/**
 * cni_adj_init - start with no adjacencies
 * @cn: namespace
 *
 * Return: 0 or -ENOMEM.
 */
int cni_adj_init(struct cni_net *cn)
{
	struct cni_adj_map *map = map_alloc(ADJ_MAP_MIN);

	if (!map)
		return -ENOMEM;
	ida_init(&cn->adj_ids);
	rcu_assign_pointer(cn->adjs, map);
	return 0;
}

/**
 * cni_adj_exit - free what cni_adj_init() made
 * @cn: namespace, whose routes are gone and whose RCU callbacks are done
 */
void cni_adj_exit(struct cni_net *cn)
{
	kvfree(rcu_dereference_protected(cn->adjs, true));
	RCU_INIT_POINTER(cn->adjs, NULL);
	ida_destroy(&cn->adj_ids);
}

static struct hlist_head *adj_bucket(struct cni_net *cn,
				     const struct cni_nexthop *nh)
{
	u32 hash = jhash2((const u32 *)&nh->via, sizeof(nh->via) / 4, nh->oif);

	return &cn->adj_hash[hash >> (32 - CNI_ADJ_HASH_BITS)];
}

static bool same_nexthop(const struct cni_nexthop *a,
			 const struct cni_nexthop *b)
{
	return a->oif == b->oif && a->family == b->family &&
	       a->has_via == b->has_via &&
	       !memcmp(&a->via, &b->via, sizeof(a->via));
}

static struct cni_adj *adj_add(struct cni_net *cn, struct hlist_head *bucket,
			       struct netlink_ext_ack *extack)
{
	struct cni_adj_map *map;
	struct cni_adj *adj;
	int id;

	id = ida_alloc_range(&cn->adj_ids, CNI_ROUTE_ADJ, CNI_LPM_VALUE_MAX,
			     GFP_KERNEL_ACCOUNT);
	if (id < 0) {
		NL_SET_ERR_MSG_MOD(extack, "Too many different next hops");
		return ERR_PTR(id);
	}
	map = map_grow(cn, id);
	adj = kzalloc(sizeof(*adj), GFP_KERNEL_ACCOUNT);
	if (!map || !adj) {
		kfree(adj);
		ida_free(&cn->adj_ids, id);
		return ERR_PTR(-ENOMEM);
	}
	adj->id = id;
	adj->users = 1;
	adj->cn = cn;
	adj->blockers = CNILINK_BLOCKER_NOT_ENROLLED;
	hlist_add_head(&adj->node, bucket);
	cn->adj_new = true;
	return adj;
}

static void adj_show(struct cni_net *cn, struct cni_adj *adj)
{
	rcu_assign_pointer(map_deref(cn)->slot[adj->id], adj);
}

/* One that was just held isn't out of the hash yet. */
static bool is_usable(const struct cni_adj *adj, u32 object)
{
	return adj->object == object && !READ_ONCE(adj->retired);
}

/**
 * cni_adj_get - the adjacency for a next hop, referenced
 * @cn: namespace, locked
 * @nh: next hop; unused bytes of @via are zero
 * @object: the kernel's next hop object, 0 for none, or CNI_ADJ_UNSAID
 * @extack: for the reason of a failure
 *
 * A new one can't be sent to until cni_adj_resolve() has run: cn->adj_new.
 *
 * Return: the adjacency, or an ERR_PTR().
 */
struct cni_adj *cni_adj_get(struct cni_net *cn, const struct cni_nexthop *nh,
			    u32 object, struct netlink_ext_ack *extack)
{
	struct hlist_head *bucket = adj_bucket(cn, nh);
	struct cni_adj *adj;

	hlist_for_each_entry(adj, bucket, node) {
		if (!adj->group && is_usable(adj, object) &&
		    same_nexthop(&adj->nh, nh)) {
			adj->users++;
			return adj;
		}
	}

	adj = adj_add(cn, bucket, extack);
	if (IS_ERR(adj))
		return adj;
	adj->nh = *nh;
	adj->object = object;
	adj_show(cn, adj);
	return adj;
}

static bool same_group(const struct cni_group *group,
		       const struct cni_hop *hops, unsigned int n)
{
	unsigned int i;

	if (!group || group->n != n)
		return false;
	for (i = 0; i < n; i++)
		if (group->hop[i].adj != hops[i].adj ||
		    group->hop[i].weight != hops[i].weight)
			return false;
	return true;
}

/**
 * cni_adj_get_group - the adjacency for several next hops, referenced
 * @cn: namespace, locked
 * @hops: their adjacencies and weights, in the kernel's order; the references
 *	go over to the group, or are dropped
 * @n: how many, CNI_GROUP_MAX at most
 * @object: the kernel's next hop object, 0 for none, or CNI_ADJ_UNSAID
 * @extack: for the reason of a failure
 *
 * Return: the adjacency, or an ERR_PTR().
 */
struct cni_adj *cni_adj_get_group(struct cni_net *cn,
				  const struct cni_hop *hops, unsigned int n,
				  u32 object, struct netlink_ext_ack *extack)
{
	struct hlist_head *bucket;
	struct cni_group *group;
	struct cni_adj *adj;
	unsigned int i;
	u32 hash = 0;

	for (i = 0; i < n; i++)
		hash = jhash_2words(hops[i].adj->id, hops[i].weight, hash);
	bucket = &cn->adj_hash[hash >> (32 - CNI_ADJ_HASH_BITS)];
	hlist_for_each_entry(adj, bucket, node) {
		if (is_usable(adj, object) && same_group(adj->group, hops, n)) {
			adj->users++;
			goto put_hops;
		}
	}

	group = kzalloc(struct_size(group, hop, n), GFP_KERNEL_ACCOUNT);
	adj = group ? adj_add(cn, bucket, extack) : ERR_PTR(-ENOMEM);
	if (IS_ERR(adj)) {
		kfree(group);
		goto put_hops;
	}
	group->n = n;
	group->object = object;
	memcpy(group->hop, hops, n * sizeof(*hops));
	for (i = 0; i < n; i++)
		group->hop[i].bound = -1;
	adj->group = group;
	adj->object = object;
	adj_show(cn, adj);
	return adj;

put_hops:
	for (i = 0; i < n; i++)
		cni_adj_put(cn, hops[i].adj->id);
	return adj;
}

/**
 * cni_adj_by_id - the adjacency of a value, for writers
 * @cn: namespace, locked
 * @id: value from the prefix table
 *
 * Return: the adjacency, or NULL when the value isn't one.
 */
struct cni_adj *cni_adj_by_id(struct cni_net *cn, u32 id)
{
	struct cni_adj_map *map = map_deref(cn);

	if (id < CNI_ROUTE_ADJ || id >= map->size)
		return NULL;
	return rcu_dereference_protected(map->slot[id],
					 lockdep_is_held(&cn->lock));
}

/* The number may be given to another only when no reader can hold it. */
static void adj_free_rcu(struct rcu_head *rcu)
{
	struct cni_adj *adj = container_of(rcu, struct cni_adj, rcu);

	ida_free(&adj->cn->adj_ids, adj->id);
	kfree(adj->group);
	kfree(adj);
}

static void adj_publish(struct cni_net *cn, struct cni_adj *adj,
			struct cni_encap *e)
{
	cni_encap_publish(&adj->encap,
			  rcu_dereference_protected(adj->encap,
						    lockdep_is_held(&cn->lock)),
			  e);
}

static int adj_family(const struct cni_adj *adj)
{
	return adj->group ? adj->group->hop[0].adj->nh.family : adj->nh.family;
}

/**
 * cni_adj_put - drop a route's reference
 * @cn: namespace, locked
 * @id: value from the prefix table; not an adjacency: nothing happens
 */
void cni_adj_put(struct cni_net *cn, u32 id)
{
	struct cni_adj *adj = cni_adj_by_id(cn, id);
	unsigned int i;

	if (!adj)
		return;
	if (hlist_unhashed(&adj->node))
		cn->adj_retired[adj_family(adj)]--;
	if (--adj->users)
		return;
	RCU_INIT_POINTER(map_deref(cn)->slot[id], NULL);
	hlist_del_init(&adj->node);
	adj_publish(cn, adj, NULL);
	/* Groups hold single ones only, so this is one level deep. */
	for (i = 0; adj->group && i < adj->group->n; i++)
		cni_adj_put(cn, adj->group->hop[i].adj->id);
	call_rcu(&adj->rcu, adj_free_rcu);
}

/*
 * Neighbours are made by the slow path, for the first packet that needs
 * them, and the table that they are in has to do for the whole machine. One is
 * held while it is in use, which saves looking it up; it is known to be then,
 * or was asked for by a packet a moment ago.
 */
static void set_gateway(struct cni_encap *e, const struct cni_nexthop *nh)
{
	struct neighbour *n;

	e->has_gateway = true;
	memcpy(&e->gateway, &nh->via, sizeof(nh->via));
	n = neigh_lookup(nh->family == CNI_V4 ? &arp_tbl : cni_compat_nd_tbl(),
			 &nh->via, e->dev);
	if (n && !(READ_ONCE(n->nud_state) &
		   (NUD_CONNECTED | NUD_DELAY | NUD_PROBE))) {
		neigh_release(n);
		n = NULL;
	}
	e->neigh = n;
}

static struct cni_encap *build_plain(struct cni_adj *adj,
				     struct net_device *dev)
{
	const struct cni_nexthop *nh = &adj->nh;
	struct inet6_dev *idev = __in6_dev_get(dev);
	struct cni_encap *e;

	e = cni_encap_alloc_plain(dev, nh->family, &adj->blockers);
	if (!e)
		return NULL;
	e->mtu[CNI_V4] = __in_dev_get_rtnl(dev) ? dev->mtu : 0;
	e->mtu[CNI_V6] = cni_encap_mtu6(idev, dev->mtu);
	if (nh->has_via)
		set_gateway(e, nh);
	return e;
}

/* XDP steps over the port's hook even where the skb path passes it. */
static void port_mss(struct cni_encap *e, const struct cni_port *port)
{
	memcpy(e->mss, port->stage.mss, sizeof(e->mss));
	if (e->mss[CNI_V4] || e->mss[CNI_V6])
		e->flags |= CNI_ENCAP_MSS;
}

static struct cni_encap *build(struct cni_net *cn, struct cni_adj *adj)
{
	struct cni_tunnel *tunnel = cni_object_tunnel(cn, adj->nh.oif);
	const struct cni_link *link = cni_object_link(cn, adj->nh.oif);
	const struct cni_port *port = cni_object_port(cn, adj->nh.oif);
	struct cni_encap *e;

	adj->blockers = 0;
	if (tunnel) {
		WRITE_ONCE(adj->dev, tunnel->dev);
		return cni_encap_tunnel(tunnel, &adj->blockers);
	}
	if (link) {
		WRITE_ONCE(adj->dev, link->dev);
		e = build_plain(adj, link->dev);
		if (e)
			e->stats = link->stats;
		return e;
	}
	if (port) {
		WRITE_ONCE(adj->dev, port->dev);
		e = build_plain(adj, port->dev);
		if (e) {
			e->stats = port->stats;
			if (port->flags & CNILINK_PORT_FLAG_BYPASS_NETFILTER)
				e->flags |= CNI_ENCAP_BYPASS_NF;
			port_mss(e, port);
		}
		return e;
	}
	WRITE_ONCE(adj->dev, NULL);
	adj->blockers = CNILINK_BLOCKER_NOT_ENROLLED;
	return NULL;
}

/**
 * cni_adj_resolve - build all templates anew from what the devices are now
 * @cn: namespace, locked, and RTNL held
 *
 * A template that would stay the same isn't touched.
 */
void cni_adj_resolve(struct cni_net *cn)
{
	struct cni_adj *adj;
	int i;

	ASSERT_RTNL();
	for (i = 0; i < ARRAY_SIZE(cn->adj_hash); i++) {
		hlist_for_each_entry(adj, &cn->adj_hash[i], node) {
			if (!adj->group)
				adj_publish(cn, adj, build(cn, adj));
			/* Pairs with the barrier in cni_adj_hold(). */
			smp_mb();
			if (!adj->group && READ_ONCE(adj->retired))
				adj_publish(cn, adj, NULL);
			cond_resched();
		}
	}
	for (i = 0; i < ARRAY_SIZE(cn->adj_hash); i++) {
		hlist_for_each_entry(adj, &cn->adj_hash[i], node) {
			if (adj->group)
				adj->blockers = cni_group_balance(cn,
								  adj->group);
			cond_resched();
		}
	}
	cn->adj_new = false;
}

/**
 * cni_adj_stale - stop sending by tunnels until they're resolved again
 * @cn: namespace
 *
 * From any context, under rcu_read_lock().
 */
void cni_adj_stale(struct cni_net *cn)
{
	struct cni_adj_map *map = rcu_dereference(cn->adjs);
	struct cni_encap *e;
	struct cni_adj *adj;
	u32 i;

	for (i = CNI_ROUTE_ADJ; map && i < map->size; i++) {
		adj = rcu_dereference(map->slot[i]);
		e = adj ? rcu_dereference(adj->encap) : NULL;
		if (e && e->gre)
			WRITE_ONCE(e->hold, CNI_ENCAP_STALE);
	}
	cni_object_stale(cn);
}

/*
 * Single ones by a dead next hop go with their routes, of which the kernel
 * tells. What is of an object says so by itself.
 */
static bool is_changed(const struct cni_adj *adj,
		       const struct cni_adj_change *change)
{
	if (change->oif)
		return adj->group && adj_family(adj) == change->family &&
		       (!adj->object || adj->object == CNI_ADJ_UNSAID) &&
		       cni_group_has(adj->group, change->oif);
	return adj->object == change->object ||
	       (change->unsaid && adj->object == CNI_ADJ_UNSAID);
}

/**
 * cni_adj_hold - send by none of the adjacencies that changed
 * @cn: namespace
 * @change: what the kernel changed
 *
 * From any context, under rcu_read_lock(). cni_adj_retire() is to follow.
 */
void cni_adj_hold(struct cni_net *cn, const struct cni_adj_change *change)
{
	struct cni_adj_map *map = rcu_dereference(cn->adjs);
	struct cni_encap *e;
	struct cni_adj *adj;
	bool any = false;
	u32 i;

	for (i = CNI_ROUTE_ADJ; map && i < map->size; i++) {
		adj = rcu_dereference(map->slot[i]);
		if (!adj || READ_ONCE(adj->retired) || !is_changed(adj, change))
			continue;
		any = true;
		WRITE_ONCE(adj->retired, true);
		/* Pairs with the barrier in cni_adj_resolve(). */
		smp_mb();
		e = rcu_dereference(adj->encap);
		if (e)
			WRITE_ONCE(e->hold, CNI_ENCAP_STALE);
	}
	if (any)
		cni_epoch_bump();
}

/**
 * cni_adj_retire - give up the adjacencies that changed
 * @cn: namespace, locked
 * @change: what the kernel changed
 *
 * Whoever sets a route by the same next hops gets another.
 */
void cni_adj_retire(struct cni_net *cn, const struct cni_adj_change *change)
{
	struct hlist_node *next;
	struct cni_adj *adj;
	int i;

	rcu_read_lock();
	cni_adj_hold(cn, change);
	rcu_read_unlock();
	for (i = 0; i < ARRAY_SIZE(cn->adj_hash); i++) {
		hlist_for_each_entry_safe(adj, next, &cn->adj_hash[i], node) {
			if (!READ_ONCE(adj->retired))
				continue;
			hlist_del_init(&adj->node);
			cn->adj_retired[adj_family(adj)] += adj->users;
			adj_publish(cn, adj, NULL);
		}
	}
	cn->table_seq++;
}
