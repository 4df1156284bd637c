// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's own routes, watched so that the fast path never contradicts
 * them.
 *
 * The notifier runs in atomic context and can't touch the prefix table. It
 * queues the change and sets a bit for the range, which makes the data path
 * punt at once; a work item then marks the range in the table and clears the
 * bits. Changes that are dealt with are kept for a while: what user space says
 * may be older than they are, see cni_fib_replay().
 */

#include "state/fib.h"

#include <linux/preempt.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/fib_notifier.h>
#include <net/ip6_fib.h>
#include <net/ip_fib.h>
#include <net/nexthop.h>

#include "base/epoch.h"
#include "compat/compat.h"
#include "state/adj.h"
#include "state/except.h"
#include "state/net.h"
#include "state/object.h"
#include "state/route.h"
#include "state/rule.h"

#define FIB_QUEUE_MAX	BIT(17)
#define FIB_KEEP_MAX	BIT(14)
#define RETRY_INTERVAL	HZ
#define SETTLE_INTERVAL	(HZ / 5)

/*
 * One change; on cn->fib.queue, then on cn->fib.done. It is of @nexthop if
 * @of_nexthop says so, else of a prefix: in the kernel's table @from, and for
 * user space's table @table. Once dealt with, @void_old says that views from
 * before are wrong about the prefix.
 */
struct fib_change {
	struct list_head	list;
	u64			generation;
	union {
		struct cni_prefix	prefix;
		struct cni_adj_change	nexthop;
	};
	u32			table;
	u32			from;
	u8			family;
	u8			now;
	bool			of_nexthop;
	bool			void_old;
};

static void add_pending(struct cni_net *cn, int family, u8 flags)
{
	u8 old = cn->fib.pending[family];

	WRITE_ONCE(cn->fib.pending[family], old | flags);
	if (!(old & CNI_FIB_SOME))
		cni_epoch_bump();
}

static void set_pending(struct cni_net *cn, int family,
			const struct cni_prefix *prefix)
{
	unsigned int shortest = family == CNI_V4 ? 16 : 32;
	unsigned long *bits = cn->fib.bits[family];
	u32 first = ntohl(prefix->v4) >> 16;

	if (family == CNI_V4 && prefix->len >= 8)
		bitmap_set(bits, first, prefix->len >= shortest ? 1 :
			   1 << (shortest - prefix->len));
	else if (family == CNI_V6 && prefix->len >= shortest)
		__set_bit(cni_fib_bit6(prefix->v6.s6_addr32[0]), bits);
	else
		add_pending(cn, family, CNI_FIB_ALL);
	add_pending(cn, family, CNI_FIB_SOME);
}

static void set_all_pending(struct cni_net *cn)
{
	int f;

	for (f = 0; f < CNI_FAMILIES; f++)
		add_pending(cn, f, CNI_FIB_SOME | CNI_FIB_ALL);
}

static void overrun(struct cni_net *cn)
{
	cn->fib.overrun = true;
	set_all_pending(cn);
}

static void rules_changed(struct cni_net *cn)
{
	int f;

	WRITE_ONCE(cn->fib.rules_changed, true);
	for (f = 0; f < CNI_FAMILIES; f++)
		WRITE_ONCE(cn->fib.rules[f], true);
	set_all_pending(cn);
	queue_work(cni_net_wq, &cn->fib.work);
}

/**
 * cni_fib_reread - read the rules again, and take nothing until then
 * @cn: namespace
 */
void cni_fib_reread(struct cni_net *cn)
{
	spin_lock_bh(&cn->fib.lock);
	rules_changed(cn);
	spin_unlock_bh(&cn->fib.lock);
}

static void retry_in(struct cni_net *cn, unsigned long delay)
{
	if (!READ_ONCE(cn->fib.closing))
		queue_delayed_work(cni_net_wq, &cn->fib.retry, delay);
}

/**
 * cni_fib_retry - try again later what memory or the kernel refused
 * @cn: namespace
 *
 * Until then nothing is taken that depends on it.
 */
void cni_fib_retry(struct cni_net *cn)
{
	retry_in(cn, RETRY_INTERVAL);
}

static void fib_retry(struct work_struct *work)
{
	struct cni_net *cn = container_of(to_delayed_work(work),
					  struct cni_net, fib.retry);

	cni_fib_reread(cn);
}

/* Tunnels may have to go another way. */
static void outer_changed(struct cni_net *cn, int family,
			  const struct cni_prefix *prefix)
{
	rcu_read_lock();
	if (cni_object_affected(cn, family, prefix)) {
		cni_adj_stale(cn);
		cni_net_kick(cn);
	}
	rcu_read_unlock();
}

/*
 * What is there when watching starts is no change. But what is local has to be
 * known, and all else that is in the table local.
 */
static bool is_news(const struct cni_net *cn, u32 table, u32 from,
		    enum cni_route_now now)
{
	return !cn->fib.dumping ||
	       (table == RT_TABLE_MAIN &&
		(from == RT_TABLE_LOCAL || now != CNI_ROUTE_IS_OTHER));
}

/*
 * Told before it can be seen, without the RTNL: routes of router advertisements
 * and those that expire, or all of IPv6. It happens with bottom halves off.
 */
static bool is_late(int family)
{
	return family == CNI_V6 &&
	       (!CNI_COMPAT_FIB_RTNL || in_serving_softirq() ||
		!rtnl_is_locked());
}

/* On the queue, to be filled in; or NULL, and all is to be begun anew. */
static struct fib_change *new_change(struct cni_net *cn, bool of_nexthop)
{
	struct fib_change *change = NULL;

	if (cn->fib.queued < FIB_QUEUE_MAX)
		change = kmalloc(sizeof(*change), GFP_ATOMIC | __GFP_NOWARN);
	if (!change) {
		overrun(cn);
		return NULL;
	}
	change->generation = cn->fib.generation;
	change->of_nexthop = of_nexthop;
	list_add_tail(&change->list, &cn->fib.queue);
	cn->fib.queued++;
	return change;
}

static void queue_change(struct cni_net *cn, u32 table, u32 from, int family,
			 const struct cni_prefix *prefix,
			 enum cni_route_now now)
{
	struct fib_change *change;

	spin_lock_bh(&cn->fib.lock);
	/* Others are of no concern until user space wants them mirrored. */
	if (cni_route_slot(cn, table) == CNI_RULE_UNKNOWN)
		goto unlock;
	cn->fib.generation++;
	if (is_late(family))
		WRITE_ONCE(cn->fib.late, cn->fib.generation);
	if (!is_news(cn, table, from, now))
		goto unlock;
	change = new_change(cn, false);
	if (change) {
		change->prefix = *prefix;
		change->table = table;
		change->from = from;
		change->family = family;
		change->now = now;
		set_pending(cn, family, prefix);
	}
	queue_work(cni_net_wq, &cn->fib.work);
unlock:
	spin_unlock_bh(&cn->fib.lock);
}

/*
 * Next hops changed, and which routes go by them the kernel doesn't say. A
 * device's die once for each of its routes: that is one change.
 */
static void queue_nexthop(struct cni_net *cn,
			  const struct cni_adj_change *nexthop)
{
	struct fib_change *change;

	rcu_read_lock();
	cni_adj_hold(cn, nexthop);
	rcu_read_unlock();
	spin_lock_bh(&cn->fib.lock);
	cn->fib.generation++;
	change = list_empty(&cn->fib.queue) ? NULL :
		 list_last_entry(&cn->fib.queue, struct fib_change, list);
	if (change && change->of_nexthop &&
	    !memcmp(&change->nexthop, nexthop, sizeof(*nexthop))) {
		change->generation = cn->fib.generation;
		goto unlock;
	}
	change = new_change(cn, true);
	if (change)
		change->nexthop = *nexthop;
	queue_work(cni_net_wq, &cn->fib.work);
unlock:
	spin_unlock_bh(&cn->fib.lock);
}

/* The kernel tells of the best route of a prefix, or that there's none. */
static enum cni_route_now what_now(unsigned long event, u8 type)
{
	if (event == FIB_EVENT_ENTRY_DEL)
		return CNI_ROUTE_IS_GONE;
	return type == RTN_LOCAL || type == RTN_BROADCAST ||
	       type == RTN_ANYCAST || type == RTN_MULTICAST ?
	       CNI_ROUTE_IS_LOCAL : CNI_ROUTE_IS_OTHER;
}

/*
 * User space may have local's and default's routes in its main table, before
 * and behind main's own. Local addresses lie over main alone.
 */
static void entry(struct cni_net *cn, unsigned long event, u32 table,
		  int family, const struct cni_prefix *prefix, u8 type)
{
	enum cni_route_now now = what_now(event, type);

	if (table == RT_TABLE_MAIN || table == RT_TABLE_LOCAL ||
	    table == RT_TABLE_DEFAULT)
		queue_change(cn, RT_TABLE_MAIN, table, family, prefix, now);
	if (table != RT_TABLE_MAIN && table != RT_TABLE_LOCAL)
		queue_change(cn, table, table, family, prefix, now);
}

static void entry4(struct cni_net *cn, unsigned long event, void *ptr)
{
	const struct fib_entry_notifier_info *info = ptr;
	struct cni_prefix prefix = {};

	prefix.v4 = htonl(info->dst);
	prefix.len = info->dst_len;
	outer_changed(cn, CNI_V4, &prefix);
	if (event != FIB_EVENT_ENTRY_DEL && info->type == RTN_UNICAST &&
	    cni_except_track(cn, info->fi)) {
		spin_lock_bh(&cn->fib.lock);
		overrun(cn);
		spin_unlock_bh(&cn->fib.lock);
	}
	entry(cn, event, info->tb_id, CNI_V4, &prefix, info->type);
}

static void entry6(struct cni_net *cn, unsigned long event, void *ptr)
{
	const struct fib6_entry_notifier_info *info = ptr;
	const struct fib6_info *rt = info->rt;
	struct cni_prefix prefix = {};

	prefix.v6 = rt->fib6_dst.addr;
	prefix.len = rt->fib6_dst.plen;
	/* One of several next hops may be all that is deleted. */
	if (event == FIB_EVENT_ENTRY_DEL && !rt->nh &&
	    rt->fib6_nh->fib_nh_gw_family)
		event = FIB_EVENT_ENTRY_REPLACE;
	cni_except_saw6(cn, rt);
	entry(cn, event, rt->fib6_table->tb6_id, CNI_V6, &prefix,
	      rt->fib6_type);
	/* Then, as the way out is looked up when such changes have settled. */
	outer_changed(cn, CNI_V6, &prefix);
}

static void all_outer_changed(struct cni_net *cn)
{
	static const struct cni_prefix all;

	outer_changed(cn, CNI_V4, &all);
	outer_changed(cn, CNI_V6, &all);
}

/*
 * An IPv4 next hop died. With a device that is down that is known already, and
 * without carrier it isn't relied on; but so it does with a device's last
 * address, or when the device joins a VRF.
 */
static void nexthop_dead(struct cni_net *cn, const void *ptr)
{
	const struct fib_nh_notifier_info *info = ptr;
	const struct net_device *dev = info->fib_nh->fib_nh_dev;
	struct cni_adj_change change = { .family = CNI_V4 };

	if (!(info->fib_nh->fib_nh_flags & RTNH_F_DEAD) ||
	    !(dev->flags & IFF_UP))
		return;
	change.oif = dev->ifindex;
	queue_nexthop(cn, &change);
}

static void rule(struct cni_net *cn)
{
	WRITE_ONCE(cn->fib.rules_at, jiffies);
	cni_fib_reread(cn);
	all_outer_changed(cn);
}

static int fib_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct cni_net *cn = container_of(nb, struct cni_net, fib.nb);
	const struct fib_notifier_info *info = ptr;
	int family;

	if (info->family == AF_INET)
		family = CNI_V4;
	else if (info->family == AF_INET6)
		family = CNI_V6;
	else
		return NOTIFY_DONE;

	switch (event) {
	case FIB_EVENT_ENTRY_REPLACE:
	case FIB_EVENT_ENTRY_APPEND:
	case FIB_EVENT_ENTRY_ADD:
	case FIB_EVENT_ENTRY_DEL:
		if (family == CNI_V4)
			entry4(cn, event, ptr);
		else
			entry6(cn, event, ptr);
		break;
	case FIB_EVENT_RULE_ADD:
	case FIB_EVENT_RULE_DEL:
		rule(cn);
		break;
	case FIB_EVENT_NH_DEL:
		if (family == CNI_V4)
			nexthop_dead(cn, ptr);
		break;
	}
	return NOTIFY_DONE;
}

static void free_changes(struct list_head *list)
{
	struct fib_change *change, *next;

	list_for_each_entry_safe(change, next, list, list) {
		list_del(&change->list);
		kfree(change);
	}
}

/* The kernel's first report changed under way and comes again. */
static void fib_restart(struct notifier_block *nb)
{
	struct cni_net *cn = container_of(nb, struct cni_net, fib.nb);

	spin_lock_bh(&cn->fib.lock);
	free_changes(&cn->fib.queue);
	cn->fib.queued = 0;
	rules_changed(cn);
	spin_unlock_bh(&cn->fib.lock);
}

/*
 * Routes that share a next hop object change with it. An object that is new,
 * and so in no route's use, makes the same event; a member's replacement makes
 * one for each group, too. Resilient groups remember flows, so that no route by
 * them is ours: their buckets, whose events come without the RTNL, are of no
 * concern.
 */
static int nexthop_event(struct notifier_block *nb, unsigned long event,
			 void *ptr)
{
	struct cni_net *cn = container_of(nb, struct cni_net, fib.nexthop_nb);
	const struct nh_notifier_info *info = ptr;
	struct cni_adj_change change = {};
	const struct nexthop *nh;

	if (event != NEXTHOP_EVENT_REPLACE ||
	    info->type == NH_NOTIFIER_INFO_TYPE_RES_TABLE ||
	    READ_ONCE(cn->fib.closing))
		return NOTIFY_DONE;
	nh = nexthop_find_by_id(cn->net, info->id);
	change.object = info->id;
	change.unsaid = !nh || !list_empty(&nh->fi_list) ||
			!list_empty(&nh->f6i_list);
	/* Whoever might have named it has to know a route that goes by it. */
	if (change.unsaid)
		queue_nexthop(cn, &change);
	return NOTIFY_DONE;
}

static int watch(struct cni_net *cn, struct netlink_ext_ack *extack)
{
	int err;

	cn->fib.dumping = true;
	err = register_fib_notifier(cn->net, &cn->fib.nb, fib_restart, extack);
	spin_lock_bh(&cn->fib.lock);
	rules_changed(cn);
	cn->fib.dumping = false;
	cn->fib.trimmed = cn->fib.generation;
	spin_unlock_bh(&cn->fib.lock);
	return err;
}

/* Changes got lost: begin from nothing. User space has to send all again. */
static void start_over(struct cni_net *cn)
{
	if (READ_ONCE(cn->fib.closing))
		return;
	unregister_fib_notifier(cn->net, &cn->fib.nb);
	mutex_lock(&cn->lock);
	fib_restart(&cn->fib.nb);
	free_changes(&cn->fib.done);
	cn->fib.kept = 0;
	cn->fib.overrun = false;
	/* Whatever user space knows is too old until watch() is done. */
	cn->fib.trimmed = U64_MAX;
	cni_route_lost(cn);
	cni_route_exit(cn);
	cni_route_init(cn);
	mutex_unlock(&cn->lock);
	/* Without the notifier nothing may be trusted: pending stays ALL. */
	if (watch(cn, NULL)) {
		cn->fib.overrun = true;
		cni_fib_retry(cn);
	}
	cni_net_announce(cn);
}

static void mark(struct cni_net *cn, struct fib_change *change)
{
	if (change->of_nexthop) {
		cni_adj_retire(cn, &change->nexthop);
		return;
	}
	change->void_old = true;
	if (change->table == RT_TABLE_MAIN)
		change->void_old = cni_route_main(cn, change->from,
						  change->family,
						  &change->prefix,
						  change->now);
	else
		cni_route_invalidate(cn, change->table, change->family,
				     &change->prefix);
}

/* The next change to deal with; when there's none, the bits are cleared. */
static struct fib_change *next_change(struct cni_net *cn)
{
	struct fib_change *change;
	int f;

	spin_lock_bh(&cn->fib.lock);
	change = list_first_entry_or_null(&cn->fib.queue, struct fib_change,
					  list);
	if (change) {
		list_move_tail(&change->list, &cn->fib.done);
		cn->fib.queued--;
	} else if (!cn->fib.overrun && !cn->fib.rules_changed) {
		/* The table's changes are seen before the bits are gone. */
		smp_wmb();
		for (f = 0; f < CNI_FAMILIES; f++) {
			if (!(cn->fib.pending[f] & CNI_FIB_SOME))
				continue;
			/* Pairs with the acquire in cni_fib_pending(). */
			smp_store_release(&cn->fib.pending[f],
					  cn->fib.pending[f] &
					  (CNI_FIB_POLICY | CNI_FIB_EXCEPT));
			bitmap_zero(cn->fib.bits[f], CNI_FIB_BITS);
		}
	}
	spin_unlock_bh(&cn->fib.lock);
	return change;
}

static void trim_done(struct cni_net *cn)
{
	struct fib_change *change;

	while (cn->fib.kept > FIB_KEEP_MAX) {
		change = list_first_entry(&cn->fib.done, struct fib_change,
					  list);
		cn->fib.trimmed = change->generation;
		list_del(&change->list);
		kfree(change);
		cn->fib.kept--;
	}
}

/**
 * cni_fib_fold - deal with all changes that are queued
 * @cn: namespace, locked
 *
 * Before user space's word is taken for anything: it may be newer than what
 * still waits here.
 */
void cni_fib_fold(struct cni_net *cn)
{
	struct fib_change *change;

	while ((change = next_change(cn))) {
		mark(cn, change);
		cn->fib.kept++;
		trim_done(cn);
		cond_resched();
	}
}

/*
 * Where the RTNL doesn't keep rules as they are, one is told of before it is in
 * the list. Nothing is taken until some time later, when it is read.
 */
static bool rules_settle(struct cni_net *cn)
{
	unsigned long at = READ_ONCE(cn->fib.rules_at) + SETTLE_INTERVAL;

	if (CNI_COMPAT_FIB_RTNL)
		return false;
	if (time_before(jiffies, at)) {
		retry_in(cn, at - jiffies);
		return true;
	}
	synchronize_rcu();
	return false;
}

static void fib_work(struct work_struct *work)
{
	struct cni_net *cn = container_of(work, struct cni_net, fib.work);

	if (READ_ONCE(cn->fib.overrun) &&
	    !delayed_work_pending(&cn->fib.retry))
		start_over(cn);
	if (READ_ONCE(cn->fib.rules_changed) && !rules_settle(cn)) {
		rtnl_lock();
		mutex_lock(&cn->lock);
		cni_rule_read(cn);
		mutex_unlock(&cn->lock);
		rtnl_unlock();
		/* They were looked at when the rule was told of, too early. */
		if (!CNI_COMPAT_FIB_RTNL)
			all_outer_changed(cn);
	}
	mutex_lock(&cn->lock);
	cni_fib_fold(cn);
	mutex_unlock(&cn->lock);
}

/**
 * cni_fib_rules_seen - the rules are about to be read
 * @cn: namespace, locked
 */
void cni_fib_rules_seen(struct cni_net *cn)
{
	spin_lock_bh(&cn->fib.lock);
	WRITE_ONCE(cn->fib.rules_changed, false);
	spin_unlock_bh(&cn->fib.lock);
}

static void set_flag(struct cni_net *cn, int family, u8 flag, bool on)
{
	u8 old, new;

	spin_lock_bh(&cn->fib.lock);
	old = cn->fib.pending[family];
	new = on ? old | flag : old & ~flag;
	WRITE_ONCE(cn->fib.pending[family], new);
	spin_unlock_bh(&cn->fib.lock);
	if (old != new)
		cni_epoch_bump();
}

/**
 * cni_fib_set_except - tell the data path that some destinations are punt
 * @cn: namespace, locked
 * @family: CNI_V4 or CNI_V6
 * @on: whether there are any
 */
void cni_fib_set_except(struct cni_net *cn, int family, bool on)
{
	set_flag(cn, family, CNI_FIB_EXCEPT, on);
}

/**
 * cni_fib_set_policy - tell the data path whether to go by rules
 * @cn: namespace, locked, with something pending
 * @family: CNI_V4 or CNI_V6
 * @on: whether there's a policy
 */
void cni_fib_set_policy(struct cni_net *cn, int family, bool on)
{
	set_flag(cn, family, CNI_FIB_POLICY, on);
}

/**
 * cni_fib_watch - remember the changes of a table, too
 * @cn: namespace, locked
 * @slot: a free one
 * @id: the kernel's number of the table
 *
 * Rules may lead there already. Until the table's routes are here, that is the
 * kernel's to deal with.
 *
 * Return: the generation from which on all is remembered.
 */
u64 cni_fib_watch(struct cni_net *cn, struct cni_slot *slot, u32 id)
{
	u64 generation;

	spin_lock_bh(&cn->fib.lock);
	slot->id = id;
	generation = ++cn->fib.generation;
	rules_changed(cn);
	spin_unlock_bh(&cn->fib.lock);
	return generation;
}

/**
 * cni_fib_generation - how many changes have been seen
 * @cn: namespace
 *
 * Return: the number of the latest change.
 */
u64 cni_fib_generation(struct cni_net *cn)
{
	u64 generation;

	spin_lock_bh(&cn->fib.lock);
	generation = cn->fib.generation;
	spin_unlock_bh(&cn->fib.lock);
	return generation;
}

/**
 * cni_fib_settle - wait until what was told of can be seen
 * @cn: namespace
 * @generation: up to which change; read under the RTNL
 *
 * Changes under the RTNL are in the kernel's table once that can be had, and
 * told to listeners of rtnetlink. The others are at the end of the section with
 * bottom halves off that they're told of in, which a grace period waits for.
 */
void cni_fib_settle(struct cni_net *cn, u64 generation)
{
	if (READ_ONCE(cn->fib.late) <= READ_ONCE(cn->fib.settled))
		return;
	synchronize_rcu();
	WRITE_ONCE(cn->fib.settled, generation);
}

/**
 * cni_fib_check - can a view of this age still be corrected?
 * @cn: namespace, locked
 * @generation: what the view includes
 * @extack: for the reason of a failure
 *
 * Return: 0 or -ESTALE.
 */
int cni_fib_check(struct cni_net *cn, u64 generation,
		  struct netlink_ext_ack *extack)
{
	if (generation < cn->fib.trimmed) {
		NL_SET_ERR_MSG_MOD(extack,
				   "Too many changes since: read the kernel's routes again");
		return -ESTALE;
	}
	if (generation > cni_fib_generation(cn)) {
		NL_SET_ERR_MSG_MOD(extack,
				   "No such generation yet: read the status again");
		return -ESTALE;
	}
	return 0;
}

/**
 * cni_fib_replay - mark again what changed after a view was taken
 * @cn: namespace, locked; cni_fib_check() passed since it was
 * @table: the kernel's number of the table that it is of
 * @generation: what the view includes
 *
 * Changes that still wait in the queue need no second time.
 */
void cni_fib_replay(struct cni_net *cn, u32 table, u64 generation)
{
	const struct fib_change *change;

	list_for_each_entry_reverse(change, &cn->fib.done, list) {
		if (change->generation <= generation)
			break;
		if (change->of_nexthop)
			cni_adj_retire(cn, &change->nexthop);
		else if (change->void_old && change->table == table)
			cni_route_invalidate(cn, table, change->family,
					     &change->prefix);
	}
}

/* What the notifiers left, once they're unregistered. */
static void drop_all(struct cni_net *cn)
{
	int f;

	/* Each may queue the other, but work doesn't once this is set. */
	WRITE_ONCE(cn->fib.closing, true);
	cancel_work_sync(&cn->fib.work);
	cancel_delayed_work_sync(&cn->fib.retry);
	cancel_work_sync(&cn->fib.work);
	free_changes(&cn->fib.queue);
	free_changes(&cn->fib.done);
	cn->fib.queued = 0;
	cn->fib.kept = 0;
	cn->fib.overrun = false;
	for (f = 0; f < CNI_FAMILIES; f++) {
		cn->fib.pending[f] = 0;
		bitmap_free(cn->fib.bits[f]);
		cn->fib.bits[f] = NULL;
	}
}

/**
 * cni_fib_init - watch the kernel's routes from now on
 * @cn: namespace
 * @extack: for the reason of a failure
 *
 * Return: 0 or an error.
 */
int cni_fib_init(struct cni_net *cn, struct netlink_ext_ack *extack)
{
	int err = -ENOMEM, f;

	spin_lock_init(&cn->fib.lock);
	INIT_LIST_HEAD(&cn->fib.queue);
	INIT_LIST_HEAD(&cn->fib.done);
	INIT_WORK(&cn->fib.work, fib_work);
	INIT_DELAYED_WORK(&cn->fib.retry, fib_retry);
	cn->fib.rules_at = jiffies - SETTLE_INTERVAL;
	cni_except_init(cn);
	cn->fib.nb.notifier_call = fib_event;
	cn->fib.nexthop_nb.notifier_call = nexthop_event;
	for (f = 0; f < CNI_FAMILIES; f++) {
		cn->fib.bits[f] = bitmap_zalloc(CNI_FIB_BITS, GFP_KERNEL);
		if (!cn->fib.bits[f])
			goto err_free;
	}
	/* The objects that are there already are told of, and no news. */
	cn->fib.closing = true;
	err = register_nexthop_notifier(cn->net, &cn->fib.nexthop_nb, extack);
	WRITE_ONCE(cn->fib.closing, false);
	if (err)
		goto err_free;
	err = watch(cn, extack);
	if (err)
		goto err_nexthop;
	return 0;

err_nexthop:
	unregister_nexthop_notifier(cn->net, &cn->fib.nexthop_nb);
err_free:
	drop_all(cn);
	return err;
}

/**
 * cni_fib_exit - stop watching
 * @cn: namespace, without hooks
 */
void cni_fib_exit(struct cni_net *cn)
{
	WRITE_ONCE(cn->fib.closing, true);
	/* start_over() may be about to register it again. */
	cancel_work_sync(&cn->fib.work);
	unregister_nexthop_notifier(cn->net, &cn->fib.nexthop_nb);
	unregister_fib_notifier(cn->net, &cn->fib.nb);
	drop_all(cn);
}
