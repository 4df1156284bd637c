// SPDX-License-Identifier: GPL-2.0
/*
 * Follow the kernel's FIB, so that the fast path never contradicts it.
 *
 * The FIB notifier runs in atomic context and can't write the prefix table. It
 * queues the change and sets a bit for the range, and the data path punts the
 * range from then on. fib_work() invalidates it in the table, then clears the
 * bits. Changes are kept for a while after that: what user space sends may be
 * based on a view of the kernel's routes from before, see cni_fib_replay().
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
 * One change, on fib->queue until it is folded into the tables, then on
 * fib->done. It is of @nexthop if @of_nexthop says so, else of @prefix in the
 * kernel's table @from, for the mirror of @table. After folding, @void_old says
 * that views from before the change are wrong about the prefix.
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

enum watch_event {
	WATCH_OPEN,
	WATCH_DUMPED,
	WATCH_FAILED,
	WATCH_LOST,
	WATCH_RESTART,
	WATCH_CLOSE,
};

/*
 * All transitions of the watch, made by step() with fib->lock held. What isn't
 * here is refused: a closed watch only opens, and only cni_fib_init() opens it.
 */
static const struct transition {
	enum cni_fib_state	from;
	enum watch_event	event;
	enum cni_fib_state	to;
} transitions[] = {
	/* cni_fib_init(), before it registers the FIB notifier */
	{ CNI_FIB_CLOSED,	WATCH_OPEN,	CNI_FIB_DUMPING },
	/*
	 * end_dump(): views from before are refused, and rules are read. The
	 * work starts over if a change got lost meanwhile; or when the retry
	 * timer has expired, if the notifier couldn't be registered.
	 */
	{ CNI_FIB_DUMPING,	WATCH_DUMPED,	CNI_FIB_WATCHING },
	{ CNI_FIB_DUMP_LOST,	WATCH_DUMPED,	CNI_FIB_OVERRUN },
	{ CNI_FIB_DUMPING,	WATCH_FAILED,	CNI_FIB_OVERRUN },
	{ CNI_FIB_DUMP_LOST,	WATCH_FAILED,	CNI_FIB_OVERRUN },
	/* overrun(), in a notifier: all traffic is punt, the work is queued */
	{ CNI_FIB_DUMPING,	WATCH_LOST,	CNI_FIB_DUMP_LOST },
	{ CNI_FIB_WATCHING,	WATCH_LOST,	CNI_FIB_OVERRUN },
	/*
	 * start_over(), in the work and with cn->lock held, after the FIB
	 * notifier was unregistered: queue and routes are dropped.
	 */
	{ CNI_FIB_OVERRUN,	WATCH_RESTART,	CNI_FIB_DUMPING },
	/* close_watch(): nothing is queued from now on, no timer is started */
	{ CNI_FIB_DUMPING,	WATCH_CLOSE,	CNI_FIB_CLOSED },
	{ CNI_FIB_DUMP_LOST,	WATCH_CLOSE,	CNI_FIB_CLOSED },
	{ CNI_FIB_WATCHING,	WATCH_CLOSE,	CNI_FIB_CLOSED },
	{ CNI_FIB_OVERRUN,	WATCH_CLOSE,	CNI_FIB_CLOSED },
};

/* Returns whether the event is one of the state's; if not, nothing changes. */
static bool step(struct cni_fib *fib, enum watch_event event)
{
	unsigned int i;

	lockdep_assert_held(&fib->lock);
	for (i = 0; i < ARRAY_SIZE(transitions); i++) {
		if (transitions[i].from == fib->state &&
		    transitions[i].event == event) {
			WRITE_ONCE(fib->state, transitions[i].to);
			return true;
		}
	}
	return false;
}

static bool is_dumping(const struct cni_fib *fib)
{
	return fib->state == CNI_FIB_DUMPING ||
	       fib->state == CNI_FIB_DUMP_LOST;
}

/* A change makes both families' unread, so that one tells. */
static bool rules_unread(const struct cni_fib *fib)
{
	return READ_ONCE(fib->rules[CNI_V4]) == CNI_RULES_UNREAD;
}

/* Whatever the work is to see is written before, under the same lock. */
static void kick(struct cni_fib *fib)
{
	lockdep_assert_held(&fib->lock);
	if (fib->state != CNI_FIB_CLOSED)
		queue_work(cni_net_wq, &fib->work);
}

static u64 next_generation(struct cni_fib *fib)
{
	WRITE_ONCE(fib->generation, fib->generation + 1);
	return fib->generation;
}

static void add_pending(struct cni_fib *fib, int family, u8 flags)
{
	u8 old = fib->pending[family];

	WRITE_ONCE(fib->pending[family], old | flags);
	if (!(old & CNI_FIB_SOME))
		cni_epoch_bump();
}

static void set_pending(struct cni_fib *fib, int family,
			const struct cni_prefix *prefix)
{
	unsigned int shortest = family == CNI_V4 ? 16 : 32;
	unsigned long *bits = fib->bits[family];
	u32 first = ntohl(prefix->v4) >> 16;

	if (family == CNI_V4 && prefix->len >= 8)
		bitmap_set(bits, first, prefix->len >= shortest ? 1 :
			   1 << (shortest - prefix->len));
	else if (family == CNI_V6 && prefix->len >= shortest)
		__set_bit(cni_fib_bit6(prefix->v6.s6_addr32[0]), bits);
	else
		add_pending(fib, family, CNI_FIB_ALL);
	add_pending(fib, family, CNI_FIB_SOME);
}

static void set_all_pending(struct cni_fib *fib)
{
	int f;

	for (f = 0; f < CNI_FAMILIES; f++)
		add_pending(fib, f, CNI_FIB_SOME | CNI_FIB_ALL);
}

/* A change got lost. Where one was lost before, all is pending already. */
static void overrun(struct cni_fib *fib)
{
	if (!step(fib, WATCH_LOST))
		return;
	set_all_pending(fib);
	kick(fib);
}

/* Nothing is pending once closed: the bits are freed. */
static void rules_changed(struct cni_fib *fib)
{
	int f;

	if (fib->state == CNI_FIB_CLOSED)
		return;
	for (f = 0; f < CNI_FAMILIES; f++)
		WRITE_ONCE(fib->rules[f], CNI_RULES_UNREAD);
	/* Something may have been pending before, and cached since. */
	cni_epoch_bump();
	set_all_pending(fib);
	kick(fib);
}

/**
 * cni_fib_reread - read the rules again, and punt everything until then
 * @cn: namespace
 */
void cni_fib_reread(struct cni_net *cn)
{
	spin_lock_bh(&cn->fib.lock);
	rules_changed(&cn->fib);
	spin_unlock_bh(&cn->fib.lock);
}

/* From the work as a rule, which close_watch() cancels before the timer. */
static void retry_in(struct cni_fib *fib, unsigned long delay)
{
	if (READ_ONCE(fib->state) != CNI_FIB_CLOSED)
		queue_delayed_work(cni_net_wq, &fib->retry, delay);
}

/**
 * cni_fib_retry - read the rules, or start over, in a while
 * @cn: namespace
 *
 * For lack of memory, or when the FIB notifier couldn't be registered. What
 * depends on it is punt until then.
 */
void cni_fib_retry(struct cni_net *cn)
{
	retry_in(&cn->fib, RETRY_INTERVAL);
}

static void fib_retry(struct work_struct *work)
{
	struct cni_net *cn = container_of(to_delayed_work(work),
					  struct cni_net, fib.retry);

	cni_fib_reread(cn);
}

/* A tunnel's outer route may be another one now. */
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
 * The dump of register_fib_notifier() reports what is there, which changes
 * nothing. But local addresses have to be known, and what else there is in the
 * table local.
 */
static bool is_news(const struct cni_fib *fib, u32 table, u32 from,
		    enum cni_route_now now)
{
	return !is_dumping(fib) ||
	       (table == RT_TABLE_MAIN &&
		(from == RT_TABLE_LOCAL || now != CNI_ROUTE_IS_OTHER));
}

/*
 * Is the notifier called before a look-up finds the change, and without the
 * RTNL? So it is for routes of router advertisements and those that expire, on
 * newer kernels for all of IPv6; always with bottom halves disabled.
 */
static bool is_late(int family)
{
	return family == CNI_V6 &&
	       (!CNI_COMPAT_FIB_RTNL || in_serving_softirq() ||
		!rtnl_is_locked());
}

/* Queue a change for the caller to fill in; or return NULL on overrun. */
static struct fib_change *new_change(struct cni_fib *fib, bool of_nexthop)
{
	struct fib_change *change = NULL;

	if (fib->queued < FIB_QUEUE_MAX)
		change = kmalloc(sizeof(*change), GFP_ATOMIC | __GFP_NOWARN);
	if (!change) {
		overrun(fib);
		return NULL;
	}
	change->generation = fib->generation;
	change->of_nexthop = of_nexthop;
	list_add_tail(&change->list, &fib->queue);
	fib->queued++;
	return change;
}

static void queue_change(struct cni_net *cn, u32 table, u32 from, int family,
			 const struct cni_prefix *prefix,
			 enum cni_route_now now)
{
	struct cni_fib *fib = &cn->fib;
	struct fib_change *change;
	u64 generation;

	spin_lock_bh(&fib->lock);
	/* Tables that user space doesn't have mirrored are of no concern. */
	if (fib->state == CNI_FIB_CLOSED ||
	    cni_route_slot(cn, table) == CNI_RULE_UNKNOWN)
		goto unlock;
	generation = next_generation(fib);
	if (is_late(family))
		WRITE_ONCE(fib->late, generation);
	if (!is_news(fib, table, from, now))
		goto unlock;
	change = new_change(fib, false);
	if (change) {
		change->prefix = *prefix;
		change->table = table;
		change->from = from;
		change->family = family;
		change->now = now;
		set_pending(fib, family, prefix);
	}
	kick(fib);
unlock:
	spin_unlock_bh(&fib->lock);
}

/*
 * Next hops changed, and the kernel doesn't say which routes go by them. A
 * device's next hops die once for each route: that is one change.
 */
static void queue_nexthop(struct cni_net *cn,
			  const struct cni_adj_change *nexthop)
{
	struct cni_fib *fib = &cn->fib;
	struct fib_change *change;

	rcu_read_lock();
	cni_adj_hold(cn, nexthop);
	rcu_read_unlock();
	spin_lock_bh(&fib->lock);
	if (fib->state == CNI_FIB_CLOSED)
		goto unlock;
	next_generation(fib);
	change = list_empty(&fib->queue) ? NULL :
		 list_last_entry(&fib->queue, struct fib_change, list);
	if (change && change->of_nexthop &&
	    !memcmp(&change->nexthop, nexthop, sizeof(*nexthop))) {
		change->generation = fib->generation;
		goto unlock;
	}
	change = new_change(fib, true);
	if (change)
		change->nexthop = *nexthop;
	kick(fib);
unlock:
	spin_unlock_bh(&fib->lock);
}

/* The kernel notifies of a prefix's best route, or that none is left. */
static enum cni_route_now what_now(unsigned long event, u8 type)
{
	if (event == FIB_EVENT_ENTRY_DEL)
		return CNI_ROUTE_IS_GONE;
	return type == RTN_LOCAL || type == RTN_BROADCAST ||
	       type == RTN_ANYCAST || type == RTN_MULTICAST ?
	       CNI_ROUTE_IS_LOCAL : CNI_ROUTE_IS_OTHER;
}

/*
 * The mirror of main also has what user space reads from local and default,
 * asked before and after main by the usual rules. Local addresses lie over
 * main's routes only.
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
		overrun(&cn->fib);
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
	/* The event of one next hop of several, too: see fib6_del_route(). */
	if (event == FIB_EVENT_ENTRY_DEL && !rt->nh &&
	    rt->fib6_nh->fib_nh_gw_family)
		event = FIB_EVENT_ENTRY_REPLACE;
	cni_except_saw6(cn, rt);
	entry(cn, event, rt->fib6_table->tb6_id, CNI_V6, &prefix,
	      rt->fib6_type);
	/* Last: the outer route is looked up once what is late has settled. */
	outer_changed(cn, CNI_V6, &prefix);
}

static void all_outer_changed(struct cni_net *cn)
{
	static const struct cni_prefix all;

	outer_changed(cn, CNI_V4, &all);
	outer_changed(cn, CNI_V6, &all);
}

/*
 * FIB_EVENT_NH_DEL: an IPv4 next hop is dead, from fib_sync_down_dev(). The
 * gate covers a device that is down or without carrier; this is about one that
 * lost its last address or joined a VRF.
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

static void drop_queue(struct cni_fib *fib)
{
	free_changes(&fib->queue);
	fib->queued = 0;
}

/* register_fib_notifier() dumps again, as the FIB changed under its dump. */
static void dump_again(struct notifier_block *nb)
{
	struct cni_fib *fib = container_of(nb, struct cni_fib, nb);

	spin_lock_bh(&fib->lock);
	drop_queue(fib);
	rules_changed(fib);
	spin_unlock_bh(&fib->lock);
}

/*
 * Routes that share a next hop object change with it. Replacing a member makes
 * an event for each of its groups, too; so does creating an object, which no
 * route has yet. Routes by resilient groups, which remember flows, are always
 * punt, so that their bucket events, sent without the RTNL, are ignored.
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
	    READ_ONCE(cn->fib.state) == CNI_FIB_CLOSED)
		return NOTIFY_DONE;
	nh = nexthop_find_by_id(cn->net, info->id);
	change.object = info->id;
	change.unsaid = !nh || !list_empty(&nh->fi_list) ||
			!list_empty(&nh->f6i_list);
	/* User space learns of an object by a route that has it. */
	if (change.unsaid)
		queue_nexthop(cn, &change);
	return NOTIFY_DONE;
}

static void end_dump(struct cni_fib *fib, enum watch_event event)
{
	spin_lock_bh(&fib->lock);
	if (step(fib, event)) {
		fib->trimmed = fib->generation;
		rules_changed(fib);
	}
	spin_unlock_bh(&fib->lock);
}

/*
 * Changes got lost: drop all routes, which user space has to send again, and
 * dump the FIB anew.
 */
static void start_over(struct cni_net *cn)
{
	struct cni_fib *fib = &cn->fib;
	bool restart;
	int err;

	unregister_fib_notifier(cn->net, &fib->nb);
	mutex_lock(&cn->lock);
	spin_lock_bh(&fib->lock);
	restart = step(fib, WATCH_RESTART);
	if (restart) {
		drop_queue(fib);
		rules_changed(fib);
	}
	spin_unlock_bh(&fib->lock);
	if (!restart) {
		mutex_unlock(&cn->lock);
		return;
	}
	free_changes(&fib->done);
	fib->kept = 0;
	cni_route_lost(cn);
	cni_route_exit(cn);
	cni_route_init(cn);
	mutex_unlock(&cn->lock);
	err = register_fib_notifier(cn->net, &fib->nb, dump_again, NULL);
	end_dump(fib, err ? WATCH_FAILED : WATCH_DUMPED);
	if (err)
		cni_fib_retry(cn);
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

/*
 * Take the next change off the queue; none during a dump, which may be thrown
 * away for another one. With none left, all ranges are in the tables and the
 * bits are cleared, unless changes were lost or rules changed.
 */
static struct fib_change *next_change(struct cni_fib *fib)
{
	struct fib_change *change = NULL;
	int f;

	spin_lock_bh(&fib->lock);
	if (!is_dumping(fib))
		change = list_first_entry_or_null(&fib->queue,
						  struct fib_change, list);
	if (change) {
		list_move_tail(&change->list, &fib->done);
		fib->queued--;
	} else if (fib->state == CNI_FIB_WATCHING && !rules_unread(fib)) {
		/* Who sees a bit cleared sees the table's change, too. */
		smp_wmb();
		for (f = 0; f < CNI_FAMILIES; f++) {
			if (!(fib->pending[f] & CNI_FIB_SOME))
				continue;
			/* Pairs with the acquire in cni_fib_pending(). */
			smp_store_release(&fib->pending[f],
					  fib->pending[f] &
					  (CNI_FIB_POLICY | CNI_FIB_EXCEPT));
			bitmap_zero(fib->bits[f], CNI_FIB_BITS);
		}
	}
	spin_unlock_bh(&fib->lock);
	return change;
}

static void trim_done(struct cni_fib *fib)
{
	struct fib_change *change;

	while (fib->kept > FIB_KEEP_MAX) {
		change = list_first_entry(&fib->done, struct fib_change, list);
		spin_lock_bh(&fib->lock);
		/* Not below what end_dump() set: a dump's are kept, too. */
		fib->trimmed = max(fib->trimmed, change->generation);
		spin_unlock_bh(&fib->lock);
		list_del(&change->list);
		kfree(change);
		fib->kept--;
	}
}

/**
 * cni_fib_fold - fold all queued changes into the tables
 * @cn: namespace, locked
 *
 * To be called before a request of user space's is applied: it may be newer
 * than what is queued.
 */
void cni_fib_fold(struct cni_net *cn)
{
	struct fib_change *change;

	while ((change = next_change(&cn->fib))) {
		mark(cn, change);
		cn->fib.kept++;
		trim_done(&cn->fib);
		cond_resched();
	}
}

/*
 * Where rules change without the RTNL, the notifier is called before a new one
 * is in the list: they are read some time later, and all is punt meanwhile.
 */
static bool rules_settle(struct cni_fib *fib)
{
	unsigned long at = READ_ONCE(fib->rules_at) + SETTLE_INTERVAL;

	if (CNI_COMPAT_FIB_RTNL)
		return false;
	if (time_before(jiffies, at)) {
		retry_in(fib, at - jiffies);
		return true;
	}
	synchronize_rcu();
	return false;
}

/* A pending retry holds starting over back; it queues the work again. */
static void fib_work(struct work_struct *work)
{
	struct cni_net *cn = container_of(work, struct cni_net, fib.work);
	struct cni_fib *fib = &cn->fib;

	if (READ_ONCE(fib->state) == CNI_FIB_OVERRUN &&
	    !delayed_work_pending(&fib->retry))
		start_over(cn);
	if (rules_unread(fib) && !rules_settle(fib)) {
		rtnl_lock();
		mutex_lock(&cn->lock);
		cni_rule_read(cn);
		mutex_unlock(&cn->lock);
		rtnl_unlock();
		/* rule() was called before look-ups went by the rule. */
		if (!CNI_COMPAT_FIB_RTNL)
			all_outer_changed(cn);
	}
	mutex_lock(&cn->lock);
	cni_fib_fold(cn);
	mutex_unlock(&cn->lock);
}

static void set_flag(struct cni_fib *fib, int family, u8 flag, bool on)
{
	u8 old, new;

	spin_lock_bh(&fib->lock);
	old = fib->pending[family];
	new = on ? old | flag : old & ~flag;
	WRITE_ONCE(fib->pending[family], new);
	spin_unlock_bh(&fib->lock);
	if (old != new)
		cni_epoch_bump();
}

/**
 * cni_fib_set_except - have the data path look for destinations' exceptions
 * @cn: namespace, locked
 * @family: CNI_V4 or CNI_V6
 * @on: whether there are any
 */
void cni_fib_set_except(struct cni_net *cn, int family, bool on)
{
	set_flag(&cn->fib, family, CNI_FIB_EXCEPT, on);
}

/**
 * cni_fib_rules_begin - the rules are about to be read
 * @cn: namespace, locked
 *
 * A change from now on makes them unread again.
 */
void cni_fib_rules_begin(struct cni_net *cn)
{
	int f;

	spin_lock_bh(&cn->fib.lock);
	for (f = 0; f < CNI_FAMILIES; f++)
		WRITE_ONCE(cn->fib.rules[f], CNI_RULES_READING);
	spin_unlock_bh(&cn->fib.lock);
}

/**
 * cni_fib_rules_end - a family's rules were read, and its policy published
 * @cn: namespace, locked since cni_fib_rules_begin(), with all pending
 * @family: CNI_V4 or CNI_V6
 * @followed: whether they can be followed
 * @policy: whether the data path has to ask a policy for the table
 */
void cni_fib_rules_end(struct cni_net *cn, int family, bool followed,
		       bool policy)
{
	struct cni_fib *fib = &cn->fib;

	spin_lock_bh(&fib->lock);
	if (fib->rules[family] == CNI_RULES_READING)
		WRITE_ONCE(fib->rules[family], followed ? CNI_RULES_FOLLOWED :
							  CNI_RULES_REFUSED);
	spin_unlock_bh(&fib->lock);
	set_flag(fib, family, CNI_FIB_POLICY, policy);
}

/**
 * cni_fib_watch - follow another table's changes from now on
 * @cn: namespace, locked
 * @slot: a free one
 * @id: its number
 *
 * Rules may lead there already: they are read again. What they lead there is
 * punt until user space has sent the table's routes.
 *
 * Return: the generation from which on its changes are followed.
 */
u64 cni_fib_watch(struct cni_net *cn, struct cni_slot *slot, u32 id)
{
	u64 generation;

	spin_lock_bh(&cn->fib.lock);
	slot->id = id;
	generation = next_generation(&cn->fib);
	rules_changed(&cn->fib);
	spin_unlock_bh(&cn->fib.lock);
	return generation;
}

/**
 * cni_fib_generation - the number of the latest change that was notified
 * @cn: namespace
 *
 * Return: the number.
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
 * cni_fib_settle - wait until changes are in the FIB
 * @cn: namespace
 * @generation: up to which one; read under the RTNL
 *
 * A change made under the RTNL is in the FIB, and known to rtnetlink's
 * listeners, once the RTNL was released. Any other is at the end of the section
 * with bottom halves disabled that the notifier was called in, which a grace
 * period waits for.
 */
void cni_fib_settle(struct cni_net *cn, u64 generation)
{
	if (READ_ONCE(cn->fib.late) <= READ_ONCE(cn->fib.settled))
		return;
	synchronize_rcu();
	WRITE_ONCE(cn->fib.settled, generation);
}

/**
 * cni_fib_check - are all changes known that a view of the routes lacks?
 * @cn: namespace, locked
 * @generation: of the last change that the view includes
 * @extack: for the reason of a failure
 *
 * No view is new enough before the FIB is dumped.
 *
 * Return: 0 or -ESTALE.
 */
int cni_fib_check(struct cni_net *cn, u64 generation,
		  struct netlink_ext_ack *extack)
{
	struct cni_fib *fib = &cn->fib;
	bool too_old, too_new;

	spin_lock_bh(&fib->lock);
	too_old = is_dumping(fib) || generation < fib->trimmed;
	too_new = generation > fib->generation;
	spin_unlock_bh(&fib->lock);
	if (too_old) {
		NL_SET_ERR_MSG_MOD(extack,
				   "Too many changes since: read the kernel's routes again");
		return -ESTALE;
	}
	if (too_new) {
		NL_SET_ERR_MSG_MOD(extack,
				   "No such generation yet: read the status again");
		return -ESTALE;
	}
	return 0;
}

/**
 * cni_fib_replay - invalidate again what changed after a view was taken
 * @cn: namespace, locked; cni_fib_check() passed since it was
 * @table: number of the table that the view is of
 * @generation: of the last change that the view includes
 *
 * What is still queued comes after it anyway.
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

/* Returns when neither work nor timer runs or is going to. */
static void close_watch(struct cni_fib *fib)
{
	spin_lock_bh(&fib->lock);
	step(fib, WATCH_CLOSE);
	spin_unlock_bh(&fib->lock);
	/* In this order: the work may have seen it open and start the timer. */
	cancel_work_sync(&fib->work);
	cancel_delayed_work_sync(&fib->retry);
}

/* The resolver may fold meanwhile, hence the locks. */
static void drop_all(struct cni_net *cn)
{
	struct cni_fib *fib = &cn->fib;
	int f;

	mutex_lock(&cn->lock);
	spin_lock_bh(&fib->lock);
	drop_queue(fib);
	for (f = 0; f < CNI_FAMILIES; f++)
		WRITE_ONCE(fib->pending[f], 0);
	spin_unlock_bh(&fib->lock);
	free_changes(&fib->done);
	fib->kept = 0;
	for (f = 0; f < CNI_FAMILIES; f++) {
		bitmap_free(fib->bits[f]);
		fib->bits[f] = NULL;
	}
	mutex_unlock(&cn->lock);
}

/**
 * cni_fib_init - follow the kernel's FIB from now on
 * @cn: namespace
 * @extack: for the reason of a failure
 *
 * Return: 0 or an error.
 */
int cni_fib_init(struct cni_net *cn, struct netlink_ext_ack *extack)
{
	struct cni_fib *fib = &cn->fib;
	int err = -ENOMEM, f;

	spin_lock_init(&fib->lock);
	INIT_LIST_HEAD(&fib->queue);
	INIT_LIST_HEAD(&fib->done);
	INIT_WORK(&fib->work, fib_work);
	INIT_DELAYED_WORK(&fib->retry, fib_retry);
	fib->rules_at = jiffies - SETTLE_INTERVAL;
	cni_except_init(cn);
	fib->nb.notifier_call = fib_event;
	fib->nexthop_nb.notifier_call = nexthop_event;
	for (f = 0; f < CNI_FAMILIES; f++) {
		fib->bits[f] = bitmap_zalloc(CNI_FIB_BITS, GFP_KERNEL);
		if (!fib->bits[f])
			goto err_free;
	}
	/* It replays the objects that exist, ignored while closed. */
	err = register_nexthop_notifier(cn->net, &fib->nexthop_nb, extack);
	if (err)
		goto err_free;
	spin_lock_bh(&fib->lock);
	step(fib, WATCH_OPEN);
	spin_unlock_bh(&fib->lock);
	err = register_fib_notifier(cn->net, &fib->nb, dump_again, extack);
	if (err)
		goto err_close;
	end_dump(fib, WATCH_DUMPED);
	return 0;

err_close:
	close_watch(fib);
	unregister_nexthop_notifier(cn->net, &fib->nexthop_nb);
err_free:
	drop_all(cn);
	return err;
}

/**
 * cni_fib_exit - follow the FIB no longer
 * @cn: namespace, without hooks
 */
void cni_fib_exit(struct cni_net *cn)
{
	/* First: start_over() may be about to register the notifier again. */
	close_watch(&cn->fib);
	unregister_nexthop_notifier(cn->net, &cn->fib.nexthop_nb);
	unregister_fib_notifier(cn->net, &cn->fib.nb);
	drop_all(cn);
}
