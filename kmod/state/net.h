/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_NET_H
#define _CNI_NET_H

#include <linux/build_bug.h>
#include <linux/idr.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/spinlock.h>
#include <linux/stddef.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <net/net_namespace.h>

#include "base/addr.h"

#define CNI_DECAP_HASH_BITS	8
#define CNI_LOCAL_HASH_BITS	8
#define CNI_ADJ_HASH_BITS	8
#define CNI_NEXTHOPS_HASH_BITS	8

/* Tables besides main; not for reading per packet without rules. */
#define CNI_TABLE_SLOTS		8

/**
 * struct cni_slot - a routing table other than main that rules may lead to
 * @id: its number, 0 while the slot is free
 * @since: the generation from which on its changes have been seen
 * @gp: grace period after which no reader's rules lead to the table that the
 *	slot was taken from
 * @table: its routes, or NULL until user space has sent all of them
 */
struct cni_slot {
	u32			id;
	u64			since;
	unsigned long		gp;
	struct cni_table __rcu	*table;
};

/**
 * struct cni_txn - a table that user space fills beside the live one
 * @table: it, or NULL while no transaction is open
 * @table_id: number of the routing table that it is to replace
 * @id: number of the transaction
 * @portid: socket that opened it and may use it
 * @last: number given away last
 *
 * All under cni_net.lock; @table alone may be tested for NULL without it.
 */
struct cni_txn {
	struct cni_table	*table;
	u32			table_id;
	u32			id;
	u32			portid;
	u32			last;
};

/*
 * State of the watch of the kernel's FIB; fib.c has its transitions. In all
 * states but CLOSED and WATCHING the data path punts everything, except in the
 * first DUMPING, when there are no hooks yet.
 */
enum cni_fib_state {
	/* Not watched: what the notifiers say is ignored. */
	CNI_FIB_CLOSED,
	/* register_fib_notifier() reports all that there is. */
	CNI_FIB_DUMPING,
	/* So it does, but changes got lost. */
	CNI_FIB_DUMP_LOST,
	/* All changes are in the tables, or queued. */
	CNI_FIB_WATCHING,
	/* Changes got lost, or nothing is registered: the work starts over. */
	CNI_FIB_OVERRUN,
};

/*
 * State of a family's rules. Apart from the watch's, as rules change while that
 * goes on and are read again without a dump. The data path goes on only with
 * FOLLOWED, which is 0. All transitions are made under cni_fib.lock:
 *
 * from		to		in
 * any		UNREAD		rules_changed(): everything is punt, the work
 *				is queued
 * any		READING		cni_fib_rules_begin(), with the RTNL and
 *				cni_net.lock held until all families are read
 * READING	FOLLOWED	cni_fib_rules_end(): cni_net.policy mirrors them
 * READING	REFUSED		cni_fib_rules_end(): it can't, or had no memory
 * UNREAD	UNREAD		cni_fib_rules_end(): they changed while read
 */
enum cni_rules_state {
	CNI_RULES_FOLLOWED,
	CNI_RULES_UNREAD,
	CNI_RULES_READING,
	CNI_RULES_REFUSED,
};

/**
 * struct cni_fib - the watch of the kernel's FIB
 * @pending: CNI_FIB_*, per family; what the data path can't trust
 * @rules: enum cni_rules_state, per family
 * @bits: ranges that have changes queued, per family
 * @lock: nests inside cni_net.lock
 * @state: of the watch
 * @queued: how many are on @queue
 * @queue: changes that are to be folded into the tables
 * @generation: number of the latest change
 * @trimmed: number of the latest change that views of user space's have to
 *	include, since it and older ones aren't on @done any more
 * @late: number of the latest change that was notified before the FIB had it
 * @settled: up to which number the FIB is known to have them
 * @nb: FIB notifier; in atomic context, so that it only queues
 * @nexthop_nb: next hop object notifier
 * @kept: how many are on @done
 * @done: changes that were folded, oldest first
 * @rules_at: when a rule change was notified last
 * @expiry_scans: how many more scans look for IPv6 routes that expire, whatever
 *	state the watch is in
 * @work: starts over, reads rules, folds; never runs twice at once
 * @retry: has the rules read again, which queues @work
 * @nexthops: IPv4 next hops to scan for exceptions; written under @lock, read
 *	by RCU
 */
struct cni_fib {
	/* Read per packet, written under @lock. */
	u8			pending[CNI_FAMILIES];
	u8			rules[CNI_FAMILIES];
	/* Read per packet while something is pending; written under @lock. */
	unsigned long		*bits[CNI_FAMILIES];

	/* Under @lock; state, generation and late may be read without. */
	spinlock_t		lock;
	enum cni_fib_state	state;
	unsigned int		queued;
	struct list_head	queue;
	u64			generation;
	u64			trimmed;
	u64			late;

	/* Under cni_net.lock. */
	unsigned int		kept;
	struct list_head	done;

	/* READ_ONCE() and WRITE_ONCE(), no lock. */
	u64			settled;
	unsigned long		rules_at;
	u8			expiry_scans;

	struct notifier_block	nb;
	struct notifier_block	nexthop_nb;
	struct work_struct	work;
	struct delayed_work	retry;

	struct hlist_head	nexthops[1 << CNI_NEXTHOPS_HASH_BITS];
};

/**
 * struct cni_net - all of the engine's state in one network namespace
 *
 * The data path runs under rcu_read_lock() and reads the first group, which
 * begins with what it reads for each packet: one cache line. Writers of links,
 * tunnels, ports and rxdevs hold the RTNL; writers of adjacencies and of the
 * tables hold @lock, taken inside the RTNL when both are needed.
 */
struct cni_net {
	struct cni_table __rcu	*table;
	struct cni_adj_map __rcu *adjs;
	struct cni_policy __rcu	*policy[CNI_FAMILIES];
	struct cni_except __rcu	*except[CNI_FAMILIES];
	struct cni_fib		fib;
	struct cni_slot		tables[CNI_TABLE_SLOTS];
	struct hlist_head	decaps[1 << CNI_DECAP_HASH_BITS];
	struct hlist_head	decaps6[1 << CNI_DECAP_HASH_BITS];
	struct net		*net;

	/* RTNL; lists read by RCU */
	struct list_head	links;
	struct list_head	tunnels;
	struct list_head	ports;
	struct list_head	rxdevs;
	u32			object_seq;
	unsigned int		bypasses; /* ports that bypass netfilter */

	struct mutex		lock; /* of what follows, and of tables */
	struct ida		adj_ids;
	struct hlist_head	adj_hash[1 << CNI_ADJ_HASH_BITS];
	bool			adj_new;
	u32			adj_retired[CNI_FAMILIES]; /* routes' uses */
	struct hlist_head	locals[1 << CNI_LOCAL_HASH_BITS];
	unsigned int		locals_first[CNI_FAMILIES];
	u32			table_seq;
	/* Main's mirror was dropped: also while watching, without memory. */
	bool			lost;
	struct cni_txn		txn;

	/* RTNL */
	bool			active;
	u64			shown[CNI_FAMILIES];

	/* Set in any context */
	bool			announce; /* the state, to listeners */
	u32			outer_seq;

	struct delayed_work	resolve_work;
	unsigned long		except_next; /* of resolve_work alone */
};

static_assert(offsetofend(struct cni_net, fib.rules) <= 64);

extern struct workqueue_struct *cni_net_wq;
extern unsigned int cni_net_id;

struct cni_net *cni_net_of(struct net *net);
void cni_net_kick(struct cni_net *cn);
void cni_net_announce(struct cni_net *cn);

#endif
