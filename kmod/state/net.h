/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_NET_H
#define _CNI_NET_H

#include <linux/idr.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/spinlock.h>
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
 * struct cni_slot - a table that rules may lead to
 * @id: the kernel's number of it, 0 while the slot is free
 * @since: the generation from which on its changes have been seen
 * @gp: when no reader has rules any more that led to another table here
 * @table: all of its routes, or NULL until user space has sent them
 */
struct cni_slot {
	u32			id;
	u64			since;
	unsigned long		gp;
	struct cni_table __rcu	*table;
};

/**
 * struct cni_net - all of the engine's state in one network namespace
 *
 * The data path runs under rcu_read_lock() and reads what the first group
 * holds. Writers of links, tunnels, ports and rxdevs hold the RTNL; writers of
 * adjacencies and of the tables hold @lock, taken inside the RTNL when both
 * are needed. The FIB notifier runs in atomic context: it takes @fib_lock
 * only, and whatever needs more is left to @fib_work.
 */
struct cni_net {
	struct cni_table __rcu	*table;
	struct cni_adj_map __rcu *adjs;
	u8			fib_pending[CNI_FAMILIES];
	unsigned long		*fib_bits[CNI_FAMILIES];
	struct cni_policy __rcu	*policy[CNI_FAMILIES];
	struct cni_except __rcu	*except[CNI_FAMILIES];
	struct cni_slot		tables[CNI_TABLE_SLOTS];
	struct hlist_head	decaps[1 << CNI_DECAP_HASH_BITS];
	struct hlist_head	decaps6[1 << CNI_DECAP_HASH_BITS];
	struct net		*net;

	struct list_head	links;
	struct list_head	tunnels;
	struct list_head	ports;
	struct list_head	rxdevs;
	u32			object_seq;

	struct mutex		lock; /* of tables and adjacencies */
	struct ida		adj_ids;
	struct hlist_head	adj_hash[1 << CNI_ADJ_HASH_BITS];
	bool			adj_new;
	u32			adj_retired[CNI_FAMILIES]; /* routes' uses */
	struct hlist_head	locals[1 << CNI_LOCAL_HASH_BITS];
	unsigned int		locals_first[CNI_FAMILIES];
	u32			table_seq;
	bool			lost;
	struct cni_table	*txn_table;
	u32			txn_table_id;
	u32			txn_id;
	u32			txn_portid;
	u32			txn_last;

	spinlock_t		fib_lock; /* of what follows */
	u64			generation;
	u64			fib_trimmed;
	u64			fib_late;
	u64			fib_settled;
	unsigned long		rules_at;
	struct list_head	fib_queue;
	struct list_head	fib_done;
	unsigned int		fib_queued;
	unsigned int		fib_kept;
	bool			rules[CNI_FAMILIES];
	bool			rules_changed;
	bool			fib_dumping;
	bool			fib_overrun;
	bool			fib_closing;
	u8			ending_looks;
	struct hlist_head	nexthops[1 << CNI_NEXTHOPS_HASH_BITS];
	struct notifier_block	fib_nb;
	struct notifier_block	nexthop_nb;
	struct work_struct	fib_work;
	struct delayed_work	fib_retry;

	bool			active;
	bool			announce; /* the state, to listeners */
	u32			outer_seq;
	unsigned long		except_next;
	u64			shown[CNI_FAMILIES];
	struct delayed_work	resolve_work;
};

extern struct workqueue_struct *cni_net_wq;
extern unsigned int cni_net_id;

struct cni_net *cni_net_of(struct net *net);
void cni_net_kick(struct cni_net *cn);
void cni_net_announce(struct cni_net *cn);

#endif
