/* SPDX-License-Identifier: GPL-2.0 */
/* What route.c needs of the kernel and of the module, for its test. */
#ifndef _CNI_ROUTE_USER_H
#define _CNI_ROUTE_USER_H

#include <assert.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "lpm-user.h"

/* The module's own headers are replaced by what is below. */
#define _CNI_NET_H
#define _CNI_ADJ_H
#define _CNI_FIB_H
#define _CNI_RULE_H

#define BIT(n)			(1U << (n))
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define lockdep_is_held(l)	true

#define ERR_PTR(e)		((void *)(long)(e))
#define IS_ERR(p)		((unsigned long)(p) >= -4095UL)
#define PTR_ERR(p)		((long)(p))

struct netlink_ext_ack {
	const char *text;
};

#define NL_SET_ERR_MSG_MOD(e, t)	((e)->text = (t))

struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct hlist_head {
	struct hlist_node *first;
};

static inline void hlist_add_head(struct hlist_node *n, struct hlist_head *h)
{
	n->next = h->first;
	n->pprev = &h->first;
	if (n->next)
		n->next->pprev = &n->next;
	h->first = n;
}

static inline void hlist_del(struct hlist_node *n)
{
	*n->pprev = n->next;
	if (n->next)
		n->next->pprev = n->pprev;
}

#define hlist_entry_safe(p, t, m)	\
	({ struct hlist_node *_n = (p); _n ? container_of(_n, t, m) : NULL; })
#define hlist_for_each_entry(p, h, m)					\
	for (p = hlist_entry_safe((h)->first, __typeof__(*p), m); p;	\
	     p = hlist_entry_safe(p->m.next, __typeof__(*p), m))
#define hlist_for_each_entry_safe(p, n, h, m)				\
	for (p = hlist_entry_safe((h)->first, __typeof__(*p), m);	\
	     p && ({ n = p->m.next; 1; });				\
	     p = hlist_entry_safe(n, __typeof__(*p), m))

static inline u32 jhash(const void *key, u32 length, u32 hash)
{
	const u8 *k = key;

	while (length--)
		hash = hash * 2654435769U + *k++;
	return hash * 2654435769U;
}

/* Without readers there's nothing to wait for. */
struct work_struct {
	void (*func)(struct work_struct *work);
};

struct rcu_work {
	struct work_struct work;
};

#define INIT_RCU_WORK(w, f)	((w)->work.func = (f))
#define to_rcu_work(w)		container_of(w, struct rcu_work, work)
#define queue_rcu_work(q, w)	((w)->work.func(&(w)->work))
#define queue_work(q, w)	((void)(w))
#define rcu_dereference(p)	READ_ONCE(p)

#define CNI_LOCAL_HASH_BITS	8
#define CNI_TABLE_SLOTS		8
#define CNI_RULE_MAIN		0xfe
#define CNI_RULE_UNKNOWN	0xff

enum {
	CNI_V4,
	CNI_V6,
	CNI_FAMILIES,
};

struct cni_slot {
	u32 id;
	u64 since;
	unsigned long gp;
	struct cni_table *table;
};

struct cni_txn {
	struct cni_table *table;
	u32 table_id, id, portid, last;
};

struct cni_net {
	struct cni_table *table;
	struct cni_slot tables[CNI_TABLE_SLOTS];
	struct hlist_head locals[1 << CNI_LOCAL_HASH_BITS];
	unsigned int locals_first[CNI_FAMILIES];
	u32 table_seq;
	bool lost;
	struct cni_txn txn;
};

#define get_state_synchronize_rcu()	start_poll_synchronize_rcu()
#define rcu_access_pointer(p)	READ_ONCE(p)

static inline bool cni_rule_uses(struct cni_net *cn, u8 slot)
{
	(void)cn;
	(void)slot;
	return false;
}

void cni_adj_put(struct cni_net *cn, u32 id);
void cni_net_announce(struct cni_net *cn);
void cni_fib_reread(struct cni_net *cn);
u64 cni_fib_watch(struct cni_net *cn, struct cni_slot *slot, u32 id);

#endif
