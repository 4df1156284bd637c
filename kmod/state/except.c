// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel does with single destinations, and for how long with some
 * routes: path MTUs and redirects that it learnt, and IPv6 routes that expire.
 * Nobody tells of either, so they are looked for once a second. A destination
 * that has an exception is punt by whichever route it goes, and so is a prefix
 * with a route that will expire.
 *
 * IPv4's exceptions are with the next hops of a struct fib_info, which many
 * routes share: those are remembered as the FIB notifier names them. IPv6's are
 * with each route: these are walked, once the kernel has any.
 */

#include "state/except.h"

#include <linux/jhash.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/fib_notifier.h>
#include <net/ip6_fib.h>
#include <net/ip_fib.h>
#include <net/nexthop.h>

#include "state/encap.h"
#include "state/fib.h"
#include "state/object.h"
#include "state/route.h"

/* With more of them than this, all is the kernel's. */
#define MOST	BIT(17)
/* A look takes no larger part of the time than one in this many. */
#define SPARE	32
/* Looks at IPv6's routes after one that may expire was seen, or found. */
#define ENDING_LOOKS	2

/**
 * struct cni_nexthops - a struct fib_info that routes may go by
 * @node: in cn->fib.nexthops; written with cn->fib.lock held, read by RCU
 * @fi: it, referenced
 * @rcu: for freeing
 */
struct cni_nexthops {
	struct hlist_node	node;
	struct fib_info		*fi;
	struct rcu_head		rcu;
};

/**
 * struct cni_except - destinations that have exceptions
 * @rcu: for freeing
 * @all: too many to be told apart
 * @mask: size of @addr, less 1
 * @seed: of the hash
 * @addr: where its hash says or behind, zero in free places, of which there
 *	are some
 */
struct cni_except {
	struct rcu_head		rcu;
	bool			all;
	u32			mask;
	u32			seed;
	union cni_addr		addr[];
};

/* A route of IPv6 that expires. */
struct ending {
	struct cni_prefix	prefix;
	u32			table;
};

/**
 * struct look - what is found in one look at a family
 * @nb: for the walk of IPv6's routes
 * @cn: namespace
 * @addr: destinations
 * @n: how many there were, more than @size if some didn't fit
 * @ending: prefixes
 * @n_ending: as @n
 * @size: of either array
 */
struct look {
	struct notifier_block	nb;
	struct cni_net		*cn;
	union cni_addr		*addr;
	struct ending		*ending;
	unsigned int		n;
	unsigned int		n_ending;
	unsigned int		size;
};

static struct hlist_head *bucket_of(struct cni_net *cn,
				    const struct fib_info *fi)
{
	return &cn->fib.nexthops[hash_ptr(fi, CNI_NEXTHOPS_HASH_BITS)];
}

/**
 * cni_except_track - look at a route's next hops from now on
 * @cn: namespace
 * @fi: the route's
 *
 * From the FIB notifier. The reference is given up once no route has it.
 *
 * Return: 0 or -ENOMEM.
 */
int cni_except_track(struct cni_net *cn, struct fib_info *fi)
{
	struct hlist_head *bucket = bucket_of(cn, fi);
	struct cni_nexthops *one;
	int err = 0;

	spin_lock_bh(&cn->fib.lock);
	hlist_for_each_entry(one, bucket, node)
		if (one->fi == fi)
			goto unlock;
	one = kmalloc(sizeof(*one), GFP_ATOMIC | __GFP_NOWARN);
	if (one) {
		fib_info_hold(fi);
		one->fi = fi;
		hlist_add_head_rcu(&one->node, bucket);
	} else {
		err = -ENOMEM;
	}
unlock:
	spin_unlock_bh(&cn->fib.lock);
	return err;
}

/**
 * cni_except_saw6 - a route of IPv6 came
 * @cn: namespace
 * @rt: route
 *
 * What a router announces gets its lifetime after it was told of.
 */
void cni_except_saw6(struct cni_net *cn, const struct fib6_info *rt)
{
	if (rt->fib6_flags & (RTF_EXPIRES | RTF_ADDRCONF) ||
	    rt->fib6_protocol == RTPROT_RA)
		WRITE_ONCE(cn->fib.expiry_scans, ENDING_LOOKS);
}

static void forget(struct cni_net *cn, bool all)
{
	struct hlist_head *bucket;
	struct cni_nexthops *one;
	struct hlist_node *next;
	int i;

	for (i = 0; i < ARRAY_SIZE(cn->fib.nexthops); i++) {
		bucket = &cn->fib.nexthops[i];
		spin_lock_bh(&cn->fib.lock);
		hlist_for_each_entry_safe(one, next, bucket, node) {
			if (!all && !one->fi->fib_dead)
				continue;
			hlist_del_rcu(&one->node);
			/* Freed by RCU, as is what its last user leaves. */
			fib_info_put(one->fi);
			kfree_rcu(one, rcu);
		}
		spin_unlock_bh(&cn->fib.lock);
	}
}

/**
 * cni_except_prune - let go of next hops that no route has any more
 * @cn: namespace
 *
 * They hold their devices, which can't go before.
 */
void cni_except_prune(struct cni_net *cn)
{
	forget(cn, false);
}

static void found(struct look *look, const void *addr, size_t len)
{
	if (look->n++ >= look->size)
		return;
	memset(&look->addr[look->n - 1], 0, sizeof(*look->addr));
	memcpy(&look->addr[look->n - 1], addr, len);
}

/*
 * The largest packet that is sent without the kernel anyway: what the kernel
 * learnt that is no smaller changes nothing. Each packet that goes through its
 * own tunnels teaches it their MTU for the destination. By a tunnel without a
 * template nothing is sent: 0.
 */
static u32 known_mtu(struct cni_net *cn, const struct net_device *dev,
		     int family)
{
	const struct cni_tunnel *tunnel = cni_object_tunnel(cn, dev->ifindex);
	const struct cni_encap *e;

	if (!tunnel)
		return READ_ONCE(dev->mtu);
	e = rcu_dereference(tunnel->encap);
	return e ? e->mtu[family] : 0;
}

/* Such a gre device doesn't go by the outer route: see tnl_update_pmtu() */
static bool ignores_df(struct cni_net *cn, const struct net_device *dev)
{
	const struct cni_tunnel *tunnel = cni_object_tunnel(cn, dev->ifindex);

	return tunnel && READ_ONCE(tunnel->parms.ignore_df);
}

/*
 * Forwarded packets are held against a path MTU where it is locked or the user
 * wants that, and again by a gre device that ignores their DF. The kernel notes
 * what it learnt by one next hop with all of the route's.
 */
static bool changes4(struct cni_net *cn, const struct fib_nh_common *nhc,
		     const struct fib_nh_exception *fnhe)
{
	unsigned long expires = READ_ONCE(fnhe->fnhe_expires);
	const struct net_device *dev = nhc->nhc_dev;
	u32 pmtu = READ_ONCE(fnhe->fnhe_pmtu);

	if (READ_ONCE(fnhe->fnhe_genid) != fnhe_genid(cn->net) ||
	    (expires && time_after(jiffies, expires)))
		return false;
	if (READ_ONCE(fnhe->fnhe_gw) || READ_ONCE(fnhe->fnhe_mtu_locked))
		return true;
	return pmtu && dev && pmtu < known_mtu(cn, dev, CNI_V4) &&
	       (READ_ONCE(cn->net->ipv4.sysctl_ip_fwd_use_pmtu) ||
		ignores_df(cn, dev));
}

static void look_nhc4(struct look *look, const struct fib_nh_common *nhc)
{
	const struct fnhe_hash_bucket *hash;
	const struct fib_nh_exception *fnhe;
	int i;

	hash = rcu_dereference(nhc->nhc_exceptions);
	for (i = 0; hash && i < FNHE_HASH_SIZE; i++)
		for (fnhe = rcu_dereference(hash[i].chain); fnhe;
		     fnhe = rcu_dereference(fnhe->fnhe_next))
			if (changes4(look->cn, nhc, fnhe))
				found(look, &fnhe->fnhe_daddr,
				      sizeof(fnhe->fnhe_daddr));
}

static int look4(struct look *look)
{
	struct cni_net *cn = look->cn;
	struct cni_nexthops *one;
	int i, k;

	for (i = 0; i < ARRAY_SIZE(cn->fib.nexthops); i++) {
		rcu_read_lock();
		hlist_for_each_entry_rcu(one, &cn->fib.nexthops[i], node)
			for (k = 0; k < fib_info_num_path(one->fi); k++)
				look_nhc4(look, fib_info_nhc(one->fi, k));
		rcu_read_unlock();
		cond_resched();
	}
	return 0;
}

static bool changes6(struct cni_net *cn, const struct rt6_info *rt)
{
	u32 pmtu = dst_metric_raw(&rt->dst, RTAX_MTU);

	if (rt->rt6i_flags & RTF_EXPIRES &&
	    time_after(jiffies, rt->dst.expires))
		return false;
	return rt->rt6i_flags & RTF_DYNAMIC ||
	       (pmtu && pmtu < known_mtu(cn, rt->dst.dev, CNI_V6));
}

static int look_nh6(struct fib6_nh *nh, void *arg)
{
	const struct rt6_exception_bucket *bucket;
	const struct rt6_exception *ex;
	struct look *look = arg;
	int i;

	bucket = rcu_dereference(nh->rt6i_exception_bucket);
	/* The lowest bit says that it is flushed. */
	bucket = (void *)((unsigned long)bucket & ~1UL);
	for (i = 0; bucket && i < FIB6_EXCEPTION_BUCKET_SIZE; i++)
		hlist_for_each_entry_rcu(ex, &bucket[i].chain, hlist)
			if (changes6(look->cn, ex->rt6i))
				found(look, &ex->rt6i->rt6i_dst.addr,
				      sizeof(ex->rt6i->rt6i_dst.addr));
	return 0;
}

static void found_ending(struct look *look, const struct fib6_info *rt)
{
	struct ending *ending;

	if (look->n_ending++ >= look->size)
		return;
	ending = &look->ending[look->n_ending - 1];
	memset(ending, 0, sizeof(*ending));
	ending->prefix.v6 = rt->fib6_dst.addr;
	ending->prefix.len = rt->fib6_dst.plen;
	ending->table = rt->fib6_table->tb6_id;
}

/*
 * Called with the first of a prefix's routes. Those of a larger metric aren't
 * gone by, unless the first expires.
 */
static int look_entry6(struct notifier_block *nb, unsigned long event,
		       void *ptr)
{
	struct look *look = container_of(nb, struct look, nb);
	const struct fib6_entry_notifier_info *info = ptr;
	struct fib6_info *rt;

	if (event != FIB_EVENT_ENTRY_REPLACE)
		return NOTIFY_DONE;
	for (rt = info->rt; rt; rt = rcu_dereference(rt->fib6_next)) {
		if (rt->fib6_flags & RTF_EXPIRES &&
		    rt->fib6_metric == info->rt->fib6_metric &&
		    !(rt->fib6_flags & (RTF_LOCAL | RTF_ANYCAST)))
			found_ending(look, rt);
		if (!rt->nh)
			look_nh6(rt->fib6_nh, look);
		else
			nexthop_for_each_fib6_nh(rt->nh, look_nh6, look);
	}
	return NOTIFY_DONE;
}

/* A prefix route's lifetime is that of an address, which the user may set. */
static bool has_ending_address(const struct net_device *dev)
{
	struct inet6_dev *idev = __in6_dev_get(dev);
	const struct inet6_ifaddr *ifp;
	bool ends = false;

	if (!idev)
		return false;
	read_lock_bh(&idev->lock);
	list_for_each_entry(ifp, &idev->addr_list, if_list)
		ends |= !(ifp->flags & IFA_F_PERMANENT);
	read_unlock_bh(&idev->lock);
	return ends;
}

static bool has_ending_addresses(struct cni_net *cn)
{
	const struct cni_tunnel *tunnel;
	const struct cni_port *port;
	const struct cni_link *link;
	bool ends = false;

	list_for_each_entry_rcu(link, &cn->links, list)
		ends |= has_ending_address(link->dev);
	list_for_each_entry_rcu(port, &cn->ports, list)
		ends |= has_ending_address(port->dev);
	list_for_each_entry_rcu(tunnel, &cn->tunnels, list)
		ends |= has_ending_address(tunnel->dev);
	return ends;
}

static int look6(struct look *look)
{
	struct net *net = look->cn->net;
	int err = 0;

	look->nb.notifier_call = look_entry6;
	rcu_read_lock();
	if (net->ipv6.notifier_ops &&
	    (READ_ONCE(net->ipv6.rt6_stats->fib_rt_cache) ||
	     timer_pending(&net->ipv6.ip6_fib_timer) ||
	     READ_ONCE(look->cn->fib.expiry_scans) ||
	     has_ending_addresses(look->cn)))
		err = net->ipv6.notifier_ops->fib_dump(net, &look->nb, NULL);
	rcu_read_unlock();
	return err;
}

static u32 place_of(const struct cni_except *set, const union cni_addr *addr)
{
	return jhash(addr, sizeof(*addr), set->seed) & set->mask;
}

static void set_add(struct cni_except *set, const union cni_addr *addr)
{
	static const union cni_addr none;
	u32 i = place_of(set, addr);

	while (memcmp(&set->addr[i], &none, sizeof(none)) &&
	       memcmp(&set->addr[i], addr, sizeof(none)))
		i = (i + 1) & set->mask;
	set->addr[i] = *addr;
}

/* NULL for no exceptions; without memory all destinations are some. */
static struct cni_except *set_make(const struct look *look, bool all)
{
	static struct cni_except none = { .all = true };
	struct cni_except *set = NULL;
	unsigned int i;
	u32 size;

	if (!look->n && !all)
		return NULL;
	size = roundup_pow_of_two(2 * look->n + 1);
	if (!all)
		set = kvzalloc(struct_size(set, addr, size),
			       GFP_KERNEL_ACCOUNT);
	if (!set)
		return &none;
	set->mask = size - 1;
	set->seed = get_random_u32();
	for (i = 0; i < look->n; i++)
		set_add(set, &look->addr[i]);
	return set;
}

static void set_publish(struct cni_net *cn, int family, struct cni_except *set)
{
	struct cni_except *old;

	old = rcu_replace_pointer(cn->except[family], set,
				  lockdep_is_held(&cn->lock));
	cni_fib_set_except(cn, family, set);
	if (old && !old->all)
		kvfree_rcu(old, rcu);
}

/* As often as it takes for what is found to fit. */
static bool fill(struct look *look, int (*fn)(struct look *))
{
	int err;

	for (look->size = 64; ; look->size = max(look->n, look->n_ending)) {
		look->size = roundup_pow_of_two(look->size);
		look->addr = kvmalloc_array(look->size, sizeof(*look->addr),
					    GFP_KERNEL);
		look->ending = kvmalloc_array(look->size,
					      sizeof(*look->ending),
					      GFP_KERNEL);
		look->n = 0;
		look->n_ending = 0;
		if (!look->addr || !look->ending)
			return false;
		err = fn(look);
		if (err || look->n > MOST || look->n_ending > MOST)
			return false;
		if (max(look->n, look->n_ending) <= look->size)
			return true;
		kvfree(look->addr);
		kvfree(look->ending);
	}
}

static void take_ending(struct cni_net *cn, const struct look *look)
{
	unsigned int i;
	u32 table;

	for (i = 0; i < look->n_ending; i++) {
		table = look->ending[i].table;
		/* As the FIB notifier has it. */
		if (table == RT_TABLE_LOCAL || table == RT_TABLE_DEFAULT)
			table = RT_TABLE_MAIN;
		cni_route_punt(cn, table, CNI_V6, &look->ending[i].prefix);
	}
}

/* A route that came meanwhile is for the next look to find. */
static void age_ending(struct cni_net *cn, const struct look *look, u8 before)
{
	if (look->n_ending)
		WRITE_ONCE(cn->fib.expiry_scans, ENDING_LOOKS);
	else if (before)
		cmpxchg(&cn->fib.expiry_scans, before, before - 1);
}

static void look_family(struct cni_net *cn, int family)
{
	u8 before = READ_ONCE(cn->fib.expiry_scans);
	struct look look = { .cn = cn };
	bool ok = fill(&look, family == CNI_V4 ? look4 : look6);
	struct cni_except *set = set_make(&look, !ok);

	mutex_lock(&cn->lock);
	set_publish(cn, family, set);
	if (ok && family == CNI_V6) {
		take_ending(cn, &look);
		age_ending(cn, &look, before);
	}
	mutex_unlock(&cn->lock);
	kvfree(look.addr);
	kvfree(look.ending);
}

/**
 * cni_except_look - find out about exceptions, if it's time for that
 * @cn: namespace
 *
 * From process context, about once a second.
 */
void cni_except_look(struct cni_net *cn)
{
	unsigned long start = jiffies;
	int f;

	if (time_before(start, cn->except_next))
		return;
	cni_except_prune(cn);
	for (f = 0; f < CNI_FAMILIES; f++)
		look_family(cn, f);
	cn->except_next = jiffies + max(HZ / 2,
					(int)(jiffies - start) * SPARE);
}

/**
 * cni_except_has - has the kernel an exception for a destination?
 * @cn: namespace, under rcu_read_lock()
 * @family: CNI_V4 or CNI_V6
 * @addr: destination
 *
 * Return: whether it may have.
 */
bool cni_except_has(const struct cni_net *cn, int family, const void *addr)
{
	const struct cni_except *set = rcu_dereference(cn->except[family]);
	static const union cni_addr none;
	union cni_addr key = {};
	u32 i;

	if (!set || set->all)
		return set;
	memcpy(&key, addr, family == CNI_V4 ? sizeof(key.v4) : sizeof(key.v6));
	for (i = place_of(set, &key);
	     memcmp(&set->addr[i], &none, sizeof(none));
	     i = (i + 1) & set->mask)
		if (!memcmp(&set->addr[i], &key, sizeof(key)))
			return true;
	return false;
}

/**
 * cni_except_init - know of no exceptions
 * @cn: namespace
 */
void cni_except_init(struct cni_net *cn)
{
	cn->except_next = jiffies;
}

/**
 * cni_except_exit - forget all exceptions, and all next hops
 * @cn: namespace, with no hook left that reads, no notifier and no look
 */
void cni_except_exit(struct cni_net *cn)
{
	int f;

	forget(cn, true);
	mutex_lock(&cn->lock);
	for (f = 0; f < CNI_FAMILIES; f++)
		set_publish(cn, f, NULL);
	mutex_unlock(&cn->lock);
}
