// SPDX-License-Identifier: GPL-2.0
/*
 * Exceptions: the path MTUs and redirects that the kernel learnt for single
 * destinations; and IPv6 routes that expire. No notifier tells of either, so
 * that both are scanned for about once a second. A destination that has an
 * exception is punt by any route, and so is a prefix with a route that expires.
 *
 * IPv4's exceptions are with the next hops of a struct fib_info, which many
 * routes share: these are tracked as the FIB notifier names them. IPv6's are
 * with each route: the FIB is dumped, once it may have any.
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

/* With more exceptions than this, all destinations are punt. */
#define EXCEPT_MAX	BIT(17)
/* Scans take no more of the time than one part in so many. */
#define SCAN_SHARE	32
/* Scans for IPv6 routes that expire after one was notified, or found. */
#define EXPIRY_SCANS	2

/**
 * struct cni_nexthops - the next hops of IPv4 routes
 * @node: in cn->fib.nexthops; written with cn->fib.lock held, read by RCU
 * @fi: whose they are, referenced
 * @rcu: for freeing
 */
struct cni_nexthops {
	struct hlist_node	node;
	struct fib_info		*fi;
	struct rcu_head		rcu;
};

/**
 * struct cni_except - a family's destinations that have exceptions
 * @rcu: for freeing
 * @all: all may have one: too many, or no memory to list them
 * @mask: size of @addr, less 1
 * @seed: of the hash
 * @addr: hash table with linear probing; free places, of which there are
 *	always some, are zero
 */
struct cni_except {
	struct rcu_head		rcu;
	bool			all;
	u32			mask;
	u32			seed;
	union cni_addr		addr[];
};

/* An IPv6 route that expires. */
struct expiring {
	struct cni_prefix	prefix;
	u32			table;
};

/**
 * struct scan - what one scan of a family finds
 * @nb: for the dump of IPv6's FIB
 * @cn: namespace
 * @addr: destinations that have exceptions
 * @n: how many there are, more than @size if some didn't fit
 * @expiring: routes that expire
 * @n_expiring: as @n
 * @size: of either array
 */
struct scan {
	struct notifier_block	nb;
	struct cni_net		*cn;
	union cni_addr		*addr;
	struct expiring		*expiring;
	unsigned int		n;
	unsigned int		n_expiring;
	unsigned int		size;
};

static struct hlist_head *bucket_of(struct cni_net *cn,
				    const struct fib_info *fi)
{
	return &cn->fib.nexthops[hash_ptr(fi, CNI_NEXTHOPS_HASH_BITS)];
}

/**
 * cni_except_track - scan a route's next hops from now on
 * @cn: namespace
 * @fi: the route's
 *
 * From the FIB notifier, in atomic context. cni_except_prune() drops the
 * reference once no route has @fi.
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
 * cni_except_saw6 - scan for routes that expire, if a new one may
 * @cn: namespace
 * @rt: the new IPv6 route
 *
 * From the FIB notifier. rt6_route_rcv() sets the lifetime of a router
 * advertisement's route after it.
 */
void cni_except_saw6(struct cni_net *cn, const struct fib6_info *rt)
{
	if (rt->fib6_flags & (RTF_EXPIRES | RTF_ADDRCONF) ||
	    rt->fib6_protocol == RTPROT_RA)
		WRITE_ONCE(cn->fib.expiry_scans, EXPIRY_SCANS);
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
			/* fib_info_put() frees by RCU, too. */
			fib_info_put(one->fi);
			kfree_rcu(one, rcu);
		}
		spin_unlock_bh(&cn->fib.lock);
	}
}

/**
 * cni_except_prune - drop next hops that no route has any more
 * @cn: namespace
 *
 * They hold references to devices, which can't be unregistered before.
 */
void cni_except_prune(struct cni_net *cn)
{
	forget(cn, false);
}

static void found(struct scan *scan, const void *addr, size_t len)
{
	if (scan->n++ >= scan->size)
		return;
	memset(&scan->addr[scan->n - 1], 0, sizeof(*scan->addr));
	memcpy(&scan->addr[scan->n - 1], addr, len);
}

/*
 * The largest packet that the fast path sends by a device: a path MTU that is
 * no smaller changes nothing. tnl_update_pmtu() makes such an exception for
 * each destination behind a tunnel. 0 for a tunnel without an encapsulation
 * template, by which nothing is sent.
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

/* tnl_update_pmtu() of such a device holds packets against the path MTU. */
static bool ignores_df(struct cni_net *cn, const struct net_device *dev)
{
	const struct cni_tunnel *tunnel = cni_object_tunnel(cn, dev->ifindex);

	return tunnel && READ_ONCE(tunnel->parms.ignore_df);
}

/*
 * As ip_dst_mtu_maybe_forward(): a path MTU counts for forwarded packets if it
 * is locked or ip_forward_use_pmtu is set; and for a gre device that ignores
 * DF. The kernel puts an exception on all next hops of a route.
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

static void scan_nhc4(struct scan *scan, const struct fib_nh_common *nhc)
{
	const struct fnhe_hash_bucket *hash;
	const struct fib_nh_exception *fnhe;
	int i;

	hash = rcu_dereference(nhc->nhc_exceptions);
	for (i = 0; hash && i < FNHE_HASH_SIZE; i++)
		for (fnhe = rcu_dereference(hash[i].chain); fnhe;
		     fnhe = rcu_dereference(fnhe->fnhe_next))
			if (changes4(scan->cn, nhc, fnhe))
				found(scan, &fnhe->fnhe_daddr,
				      sizeof(fnhe->fnhe_daddr));
}

static int scan4(struct scan *scan)
{
	struct cni_net *cn = scan->cn;
	struct cni_nexthops *one;
	int i, k;

	for (i = 0; i < ARRAY_SIZE(cn->fib.nexthops); i++) {
		rcu_read_lock();
		hlist_for_each_entry_rcu(one, &cn->fib.nexthops[i], node)
			for (k = 0; k < fib_info_num_path(one->fi); k++)
				scan_nhc4(scan, fib_info_nhc(one->fi, k));
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

static int scan_nh6(struct fib6_nh *nh, void *arg)
{
	const struct rt6_exception_bucket *bucket;
	const struct rt6_exception *ex;
	struct scan *scan = arg;
	int i;

	bucket = rcu_dereference(nh->rt6i_exception_bucket);
	/* As rt6_exception_get_bucket(): the lowest bit says it is flushed. */
	bucket = (void *)((unsigned long)bucket & ~1UL);
	for (i = 0; bucket && i < FIB6_EXCEPTION_BUCKET_SIZE; i++)
		hlist_for_each_entry_rcu(ex, &bucket[i].chain, hlist)
			if (changes6(scan->cn, ex->rt6i))
				found(scan, &ex->rt6i->rt6i_dst.addr,
				      sizeof(ex->rt6i->rt6i_dst.addr));
	return 0;
}

static void found_expiring(struct scan *scan, const struct fib6_info *rt)
{
	struct expiring *expiring;

	if (scan->n_expiring++ >= scan->size)
		return;
	expiring = &scan->expiring[scan->n_expiring - 1];
	memset(expiring, 0, sizeof(*expiring));
	expiring->prefix.v6 = rt->fib6_dst.addr;
	expiring->prefix.len = rt->fib6_dst.plen;
	expiring->table = rt->fib6_table->tb6_id;
}

/*
 * The dump reports the first of a prefix's routes. Those of a larger metric
 * come into use only when the first expires.
 */
static int scan_entry6(struct notifier_block *nb, unsigned long event,
		       void *ptr)
{
	struct scan *scan = container_of(nb, struct scan, nb);
	const struct fib6_entry_notifier_info *info = ptr;
	struct fib6_info *rt;

	if (event != FIB_EVENT_ENTRY_REPLACE)
		return NOTIFY_DONE;
	for (rt = info->rt; rt; rt = rcu_dereference(rt->fib6_next)) {
		if (rt->fib6_flags & RTF_EXPIRES &&
		    rt->fib6_metric == info->rt->fib6_metric &&
		    !(rt->fib6_flags & (RTF_LOCAL | RTF_ANYCAST)))
			found_expiring(scan, rt);
		if (!rt->nh)
			scan_nh6(rt->fib6_nh, scan);
		else
			nexthop_for_each_fib6_nh(rt->nh, scan_nh6, scan);
	}
	return NOTIFY_DONE;
}

/* Setting an address's lifetime sets its prefix route's, without a notice. */
static bool has_expiring_address(const struct net_device *dev)
{
	struct inet6_dev *idev = __in6_dev_get(dev);
	const struct inet6_ifaddr *ifp;
	bool any = false;

	if (!idev)
		return false;
	read_lock_bh(&idev->lock);
	list_for_each_entry(ifp, &idev->addr_list, if_list)
		any |= !(ifp->flags & IFA_F_PERMANENT);
	read_unlock_bh(&idev->lock);
	return any;
}

static bool has_expiring_addresses(struct cni_net *cn)
{
	const struct cni_tunnel *tunnel;
	const struct cni_port *port;
	const struct cni_link *link;
	bool any = false;

	list_for_each_entry_rcu(link, &cn->links, list)
		any |= has_expiring_address(link->dev);
	list_for_each_entry_rcu(port, &cn->ports, list)
		any |= has_expiring_address(port->dev);
	list_for_each_entry_rcu(tunnel, &cn->tunnels, list)
		any |= has_expiring_address(tunnel->dev);
	return any;
}

static int scan6(struct scan *scan)
{
	struct net *net = scan->cn->net;
	int err = 0;

	scan->nb.notifier_call = scan_entry6;
	rcu_read_lock();
	if (net->ipv6.notifier_ops &&
	    (READ_ONCE(net->ipv6.rt6_stats->fib_rt_cache) ||
	     timer_pending(&net->ipv6.ip6_fib_timer) ||
	     READ_ONCE(scan->cn->fib.expiry_scans) ||
	     has_expiring_addresses(scan->cn)))
		err = net->ipv6.notifier_ops->fib_dump(net, &scan->nb, NULL);
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

/* Returns NULL for no exceptions, and one with @all set without memory. */
static struct cni_except *set_make(const struct scan *scan, bool all)
{
	static struct cni_except none = { .all = true };
	struct cni_except *set = NULL;
	unsigned int i;
	u32 size;

	if (!scan->n && !all)
		return NULL;
	size = roundup_pow_of_two(2 * scan->n + 1);
	if (!all)
		set = kvzalloc(struct_size(set, addr, size),
			       GFP_KERNEL_ACCOUNT);
	if (!set)
		return &none;
	set->mask = size - 1;
	set->seed = get_random_u32();
	for (i = 0; i < scan->n; i++)
		set_add(set, &scan->addr[i]);
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

/* Scan with larger arrays until all that is found fits. */
static bool fill(struct scan *scan, int (*fn)(struct scan *))
{
	int err;

	for (scan->size = 64; ; scan->size = max(scan->n, scan->n_expiring)) {
		scan->size = roundup_pow_of_two(scan->size);
		scan->addr = kvmalloc_array(scan->size, sizeof(*scan->addr),
					    GFP_KERNEL);
		scan->expiring = kvmalloc_array(scan->size,
						sizeof(*scan->expiring),
						GFP_KERNEL);
		scan->n = 0;
		scan->n_expiring = 0;
		if (!scan->addr || !scan->expiring)
			return false;
		err = fn(scan);
		if (err || scan->n > EXCEPT_MAX ||
		    scan->n_expiring > EXCEPT_MAX)
			return false;
		if (max(scan->n, scan->n_expiring) <= scan->size)
			return true;
		kvfree(scan->addr);
		kvfree(scan->expiring);
	}
}

static void punt_expiring(struct cni_net *cn, const struct scan *scan)
{
	unsigned int i;
	u32 table;

	for (i = 0; i < scan->n_expiring; i++) {
		table = scan->expiring[i].table;
		/* Main's mirror has these, too: see entry() in fib.c. */
		if (table == RT_TABLE_LOCAL || table == RT_TABLE_DEFAULT)
			table = RT_TABLE_MAIN;
		cni_route_punt(cn, table, CNI_V6, &scan->expiring[i].prefix);
	}
}

/* A route notified meanwhile has set the count anew: the next scan's. */
static void count_scan(struct cni_net *cn, const struct scan *scan, u8 before)
{
	if (scan->n_expiring)
		WRITE_ONCE(cn->fib.expiry_scans, EXPIRY_SCANS);
	else if (before)
		cmpxchg(&cn->fib.expiry_scans, before, before - 1);
}

static void scan_family(struct cni_net *cn, int family)
{
	u8 before = READ_ONCE(cn->fib.expiry_scans);
	struct scan scan = { .cn = cn };
	bool ok = fill(&scan, family == CNI_V4 ? scan4 : scan6);
	struct cni_except *set = set_make(&scan, !ok);

	mutex_lock(&cn->lock);
	set_publish(cn, family, set);
	if (ok && family == CNI_V6) {
		punt_expiring(cn, &scan);
		count_scan(cn, &scan, before);
	}
	mutex_unlock(&cn->lock);
	kvfree(scan.addr);
	kvfree(scan.expiring);
}

/**
 * cni_except_scan - scan for exceptions and routes that expire, if it is due
 * @cn: namespace
 *
 * From the resolver's work, about once a second.
 */
void cni_except_scan(struct cni_net *cn)
{
	unsigned long start = jiffies;
	int f;

	if (time_before(start, cn->except_next))
		return;
	cni_except_prune(cn);
	for (f = 0; f < CNI_FAMILIES; f++)
		scan_family(cn, f);
	cn->except_next = jiffies + max(HZ / 2,
					(int)(jiffies - start) * SCAN_SHARE);
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
 * cni_except_init - have the first scan at once
 * @cn: namespace
 */
void cni_except_init(struct cni_net *cn)
{
	cn->except_next = jiffies;
}

/**
 * cni_except_exit - drop all exceptions, and all next hops
 * @cn: namespace, with no hook left that reads, no notifier and no scan
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
