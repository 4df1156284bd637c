// SPDX-License-Identifier: GPL-2.0
/*
 * The routes: the live table, the one that is being filled beside it, and this
 * host's own addresses, which lie over both and are always punt.
 */

#include "state/route.h"

#include <linux/bits.h>
#include <linux/jhash.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "state/adj.h"
#include "state/fib.h"
#include "state/rule.h"

/* Per family. A million prefixes take a small part of it. */
#define TABLE_MAX_BYTES	(256UL << 20)

static const unsigned int family_bits[] = { 32, 128 };

/* The tables that a prefix may be local in, of those that main stands for */
enum {
	IN_LOCAL	= BIT(0),
	IN_MAIN		= BIT(1),
	IN_DEFAULT	= BIT(2),
};

/**
 * struct cni_local - a local or broadcast address, or what else the kernel's
 *	table local has
 * @node: in the hash
 * @prefix: which, a host prefix as a rule
 * @family: CNI_V4 or CNI_V6
 * @in: the tables it is local in, IN_*; it lies over main's then
 * @odd: table local has a route of it that isn't local
 * @under: what user space's route of the same prefix says, hidden meanwhile
 */
struct cni_local {
	struct hlist_node	node;
	struct cni_prefix	prefix;
	u8			family;
	u8			in;
	bool			odd;
	u32			under;
};

static struct cni_table *live_deref(struct cni_net *cn)
{
	return rcu_dereference_protected(cn->table, lockdep_is_held(&cn->lock));
}

/**
 * cni_route_slot - where a table is kept
 * @cn: namespace, locked, or cn->fib.lock held
 * @id: the kernel's number of the table
 *
 * Return: a slot of cn->tables, CNI_RULE_MAIN or CNI_RULE_UNKNOWN.
 */
u8 cni_route_slot(const struct cni_net *cn, u32 id)
{
	u8 i;

	if (id == RT_TABLE_MAIN)
		return CNI_RULE_MAIN;
	for (i = 0; id && i < CNI_TABLE_SLOTS; i++)
		if (cn->tables[i].id == id)
			return i;
	return CNI_RULE_UNKNOWN;
}

static struct cni_table __rcu **live_place(struct cni_net *cn, u32 id)
{
	u8 slot = cni_route_slot(cn, id);

	if (slot == CNI_RULE_MAIN)
		return &cn->table;
	return slot == CNI_RULE_UNKNOWN ? NULL : &cn->tables[slot].table;
}

/**
 * cni_route_live - the table that the data path looks at
 * @cn: namespace, locked
 * @id: the kernel's number of the table
 *
 * Return: the table, or NULL.
 */
struct cni_table *cni_route_live(struct cni_net *cn, u32 id)
{
	struct cni_table __rcu **place = live_place(cn, id);

	return place ? rcu_dereference_protected(*place,
						 lockdep_is_held(&cn->lock)) :
		       NULL;
}

static bool same_prefix(const struct cni_prefix *a, const struct cni_prefix *b)
{
	return a->len == b->len && !memcmp(a->bytes, b->bytes, 16);
}

static struct hlist_head *local_bucket(struct cni_net *cn,
				       const struct cni_prefix *prefix)
{
	u32 hash = jhash(prefix->bytes, 16, prefix->len);

	return &cn->locals[hash >> (32 - CNI_LOCAL_HASH_BITS)];
}

static struct cni_local *local_entry(struct cni_net *cn, int family,
				     const struct cni_prefix *prefix)
{
	struct cni_local *local;

	hlist_for_each_entry(local, local_bucket(cn, prefix), node)
		if (local->family == family &&
		    same_prefix(&local->prefix, prefix))
			return local;
	return NULL;
}

/* What lies over main's route of a prefix */
static struct cni_local *local_find(struct cni_net *cn, int family,
				    const struct cni_prefix *prefix)
{
	struct cni_local *local = local_entry(cn, family, prefix);

	return local && local->in ? local : NULL;
}

static void table_destroy(struct cni_table *table)
{
	int f;

	for (f = 0; f < CNI_FAMILIES; f++)
		if (table->lpm[f])
			cni_lpm_free(table->lpm[f]);
	kfree(table);
}

static void table_free_work(struct work_struct *work)
{
	table_destroy(container_of(to_rcu_work(work), struct cni_table, rwork));
}

static struct cni_table *table_alloc(void)
{
	struct cni_table *table;
	int f;

	table = kzalloc(sizeof(*table), GFP_KERNEL_ACCOUNT);
	if (!table)
		return NULL;
	INIT_RCU_WORK(&table->rwork, table_free_work);
	for (f = 0; f < CNI_FAMILIES; f++) {
		table->lpm[f] = cni_lpm_alloc(family_bits[f], TABLE_MAX_BYTES);
		if (!table->lpm[f]) {
			table_destroy(table);
			return NULL;
		}
	}
	return table;
}

static void put_adj(void *cn, u32 value)
{
	cni_adj_put(cn, value);
}

/* Drop the references that a table's routes hold. */
static void table_put_adjs(struct cni_net *cn, struct cni_table *table)
{
	int f;

	for (f = 0; f < CNI_FAMILIES; f++)
		cni_lpm_each(table->lpm[f], put_adj, cn);
}

static void table_free(struct cni_net *cn, struct cni_table *table)
{
	table_put_adjs(cn, table);
	queue_rcu_work(cni_net_wq, &table->rwork);
}

/* Put a table in the live one's place. */
static void table_swap(struct cni_net *cn, u32 id, struct cni_table *table)
{
	struct cni_table *old = cni_route_live(cn, id);

	rcu_assign_pointer(*live_place(cn, id), table);
	cn->table_seq++;
	if (old)
		table_free(cn, old);
}

/*
 * A table's routes are gone by no request of user space's, which has to know:
 * what it says of some of main's would be without the longer ones then.
 */
static void lost(struct cni_net *cn, const struct cni_table *table)
{
	if (!table || !(table->routes[CNI_V4] || table->routes[CNI_V6]))
		return;
	if (table == live_deref(cn))
		cn->lost = true;
}

/* Forget a live table that can't be trusted any more. */
static void lose(struct cni_net *cn, struct cni_table *table)
{
	int i;

	lost(cn, table);
	cni_net_announce(cn);
	if (table == live_deref(cn)) {
		cni_route_forget(cn);
		return;
	}
	for (i = 0; i < CNI_TABLE_SLOTS; i++)
		if (cni_route_live(cn, cn->tables[i].id) == table)
			table_swap(cn, cn->tables[i].id, NULL);
}

/*
 * Set user space's route of a prefix, CNI_ROUTE_NONE for none; or with @undo
 * what it was before. References are the caller's business: *old is what it may
 * put.
 */
static int user_set(struct cni_net *cn, struct cni_table *table, int family,
		    const struct cni_prefix *prefix, u32 value, u32 *old,
		    bool undo)
{
	struct cni_local *local = NULL;
	int err;

	if (table == live_deref(cn))
		local = local_find(cn, family, prefix);
	if (local) {
		*old = local->under;
		local->under = value;
	} else if (undo) {
		*old = cni_lpm_get(table->lpm[family], prefix);
		err = cni_lpm_undo(table->lpm[family], prefix, value);
		if (err)
			return err;
	} else {
		err = cni_lpm_swap(table->lpm[family], prefix, value, old);
		if (err)
			return err;
	}
	table->routes[family] += !!value - !!*old;
	table->punted[family] += (value == CNI_ROUTE_PUNT) -
				 (*old == CNI_ROUTE_PUNT);
	return 0;
}

/*
 * Take the first @n changes of a batch back. Where there's no memory for that
 * either, the table is worth nothing: what it was given until then is its own,
 * and goes with it.
 */
static bool undo_batch(struct cni_net *cn, struct cni_table *table,
		       struct cni_route_change *changes, unsigned int n)
{
	const struct cni_route_change *change;
	u32 dummy;

	/* Back to front, as a prefix may be in it twice. */
	for (; n; n--) {
		change = &changes[n - 1];
		if (user_set(cn, table, change->family, &change->prefix,
			     change->old, &dummy, true))
			break;
	}
	if (!n)
		return true;
	while (n--) {
		cni_adj_put(cn, changes[n].old);
		changes[n].value = CNI_ROUTE_NONE;
	}
	if (table == cn->txn.table)
		cni_route_abort(cn);
	else
		lose(cn, table);
	return false;
}

/**
 * cni_route_apply - add, replace and delete a batch of routes, or none of them
 * @cn: namespace, locked
 * @table: the live table or the opened one
 * @changes: what to do; their references belong to the table afterwards
 * @n: how many
 * @extack: for the reason of a failure
 *
 * Return: 0 or an error; the references that @changes still has are the
 * caller's then. The table may be gone, with all of its routes.
 */
int cni_route_apply(struct cni_net *cn, struct cni_table *table,
		    struct cni_route_change *changes, unsigned int n,
		    struct netlink_ext_ack *extack)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < n && !err; i++)
		err = user_set(cn, table, changes[i].family,
			       &changes[i].prefix, changes[i].value,
			       &changes[i].old, false);
	if (err) {
		if (!undo_batch(cn, table, changes, i - 1))
			NL_SET_ERR_MSG_MOD(extack,
					   "No memory: all of the table had to be dropped");
		else if (err == -ENOSPC)
			NL_SET_ERR_MSG_MOD(extack,
					   "The prefix table has reached its limit");
		else
			NL_SET_ERR_MSG_MOD(extack,
					   "No memory for the prefix table");
		return err;
	}
	for (i = 0; i < n; i++)
		cni_adj_put(cn, changes[i].old);
	if (table != cn->txn.table)
		cn->table_seq++;
	return 0;
}

/*
 * Does user space's table say something of a prefix? What is local on the way
 * to that hides it for the time being only.
 */
static bool is_covered(struct cni_net *cn, const struct cni_table *table,
		       int family, const struct cni_prefix *prefix)
{
	const struct cni_local *local = local_find(cn, family, prefix);
	u32 value;

	if (local ? local->under : cni_lpm_get(table->lpm[family], prefix))
		return true;
	value = cni_lpm_cover(table->lpm[family], prefix, NULL);
	return value >= CNI_ROUTE_ADJ || value == CNI_ROUTE_LOCAL;
}

/**
 * cni_route_invalidate - leave a range to the kernel until it's set again
 * @cn: namespace, locked
 * @id: the kernel's number of the table
 * @family: CNI_V4 or CNI_V6
 * @prefix: what the kernel changed
 *
 * Nothing need be done where no route of main's covers the range: that is punt
 * already. In another table it would be a matter of the next rule.
 */
void cni_route_invalidate(struct cni_net *cn, u32 id, int family,
			  const struct cni_prefix *prefix)
{
	struct cni_table *table = cni_route_live(cn, id);
	u32 old;

	if (!table)
		return;
	if (id == RT_TABLE_MAIN && !is_covered(cn, table, family, prefix))
		return;
	if (user_set(cn, table, family, prefix, CNI_ROUTE_PUNT, &old, false)) {
		/* No memory to split a range: then nothing can be trusted. */
		lose(cn, table);
		return;
	}
	cni_adj_put(cn, old);
	cn->table_seq++;
}

/**
 * cni_route_punt - leave a route to the kernel, if it isn't
 * @cn: namespace, locked
 * @id: the kernel's number of the table
 * @family: CNI_V4 or CNI_V6
 * @prefix: which
 */
void cni_route_punt(struct cni_net *cn, u32 id, int family,
		    const struct cni_prefix *prefix)
{
	struct cni_table *table = cni_route_live(cn, id);
	u32 value = table ? cni_lpm_get(table->lpm[family], prefix) : 0;

	if (table && value != CNI_ROUTE_PUNT && value != CNI_ROUTE_LOCAL)
		cni_route_invalidate(cn, id, family, prefix);
}

/*
 * Does it go before longer prefixes in main, where the kernel asks its table
 * local first? Single addresses lie over main as it is, and nobody forwards to
 * 127/8 or multicast.
 */
static bool goes_first(const struct cni_local *local)
{
	u8 first = local->prefix.bytes[0];

	if (first == (local->family == CNI_V4 ? 127 : 0xff))
		return false;
	return local->odd ||
	       (local->in & IN_LOCAL &&
		local->prefix.len < family_bits[local->family]);
}

/* Lay an address over main's route, whose reference goes along; or lift it. */
static void local_lay(struct cni_net *cn, struct cni_local *local)
{
	struct cni_table *table = live_deref(cn);
	u32 under = local->under, old;

	local->under = CNI_ROUTE_NONE;
	if (!table)
		return;
	if (cni_lpm_swap(table->lpm[local->family], &local->prefix,
			 local->in ? CNI_ROUTE_LOCAL : under, &old)) {
		cni_adj_put(cn, under);
		lose(cn, table);
	} else if (local->in) {
		local->under = old;
	}
	cn->table_seq++;
}

static void local_update(struct cni_net *cn, struct cni_local *local, u8 in,
			 bool odd)
{
	bool first = goes_first(local), lain = local->in;

	/* Before the table: one that is begun anew goes by it. */
	local->in = in;
	local->odd = odd;
	if (lain != !!in)
		local_lay(cn, local);
	if (goes_first(local) != first) {
		cn->locals_first[local->family] += first ? -1 : 1;
		cni_fib_reread(cn);
	}
	if (!in && !odd) {
		hlist_del(&local->node);
		kfree(local);
	}
}

static struct cni_local *local_new(struct cni_net *cn, int family,
				   const struct cni_prefix *prefix)
{
	struct cni_local *local;

	local = kzalloc(sizeof(*local), GFP_KERNEL | __GFP_NOFAIL);
	local->prefix = *prefix;
	local->family = family;
	hlist_add_head(&local->node, local_bucket(cn, prefix));
	return local;
}

/**
 * cni_route_main - follow a change of what the table main stands for
 * @cn: namespace, locked
 * @from: RT_TABLE_MAIN, RT_TABLE_LOCAL or RT_TABLE_DEFAULT
 * @family: CNI_V4 or CNI_V6
 * @prefix: what the kernel changed
 * @now: what it has there since
 *
 * An address that comes or goes in the table local leaves main's own routes as
 * they are. Any other change makes user space's word of the prefix void.
 *
 * Return: whether it does.
 */
bool cni_route_main(struct cni_net *cn, u32 from, int family,
		    const struct cni_prefix *prefix, enum cni_route_now now)
{
	struct cni_local *local = local_entry(cn, family, prefix);
	u8 bit = from == RT_TABLE_LOCAL ? IN_LOCAL :
		 from == RT_TABLE_MAIN ? IN_MAIN : IN_DEFAULT;
	bool odd = local && local->odd, void_now = true;
	u8 in = local ? local->in : 0;

	if (bit == IN_LOCAL) {
		void_now = odd || now == CNI_ROUTE_IS_OTHER;
		odd = now == CNI_ROUTE_IS_OTHER;
	}
	in &= ~bit;
	if (now == CNI_ROUTE_IS_LOCAL)
		in |= bit;
	if (void_now)
		cni_route_invalidate(cn, RT_TABLE_MAIN, family, prefix);
	if (!local && (in || odd))
		local = local_new(cn, family, prefix);
	if (local)
		local_update(cn, local, in, odd);
	return void_now;
}

/**
 * cni_route_first - what the kernel's table local has for more than an address
 * @cn: namespace, locked
 * @family: CNI_V4 or CNI_V6
 * @lpm: where to put it
 *
 * Return: 0 or an error.
 */
int cni_route_first(struct cni_net *cn, int family, struct cni_lpm *lpm)
{
	struct cni_local *local;
	int i, err = 0;

	for (i = 0; i < ARRAY_SIZE(cn->locals); i++)
		hlist_for_each_entry(local, &cn->locals[i], node)
			if (!err && local->family == family &&
			    goes_first(local))
				err = cni_lpm_set(lpm, &local->prefix,
						  local->odd ? CNI_ROUTE_PUNT :
						  CNI_ROUTE_LOCAL);
	return err;
}

/*
 * Lay the local addresses over a table that is about to go live. When there's
 * no memory for that, the table isn't used, and nothing else has changed.
 */
static int overlay_locals(struct cni_net *cn, struct cni_table *table)
{
	struct cni_local *local;
	struct cni_lpm *lpm;
	u32 under;
	int i;

	for (i = 0; i < ARRAY_SIZE(cn->locals); i++) {
		hlist_for_each_entry(local, &cn->locals[i], node) {
			lpm = table->lpm[local->family];
			if (local->in && !cni_lpm_get(lpm, &local->prefix) &&
			    cni_lpm_set(lpm, &local->prefix, CNI_ROUTE_LOCAL))
				return -ENOMEM;
		}
	}
	/* Those with a route of user space's below need no further memory. */
	for (i = 0; i < ARRAY_SIZE(cn->locals); i++) {
		hlist_for_each_entry(local, &cn->locals[i], node) {
			if (!local->in)
				continue;
			lpm = table->lpm[local->family];
			under = cni_lpm_get(lpm, &local->prefix);
			if (under == CNI_ROUTE_LOCAL)
				under = CNI_ROUTE_NONE;
			else
				cni_lpm_set(lpm, &local->prefix,
					    CNI_ROUTE_LOCAL);
			cni_adj_put(cn, local->under);
			local->under = under;
		}
	}
	return 0;
}

/**
 * cni_route_forget - drop all routes; all traffic is the kernel's then
 * @cn: namespace, locked
 *
 * Without memory for an empty table there is no table at all, which comes to
 * the same for the data path.
 *
 * Return: 0 or -ENOMEM.
 */
int cni_route_forget(struct cni_net *cn)
{
	struct cni_table *table = table_alloc();

	if (table && overlay_locals(cn, table)) {
		table_destroy(table);
		table = NULL;
	}
	table_swap(cn, RT_TABLE_MAIN, table);
	return table ? 0 : -ENOMEM;
}

/*
 * A slot for another table: a free one, or of those that no rule leads to, the
 * one that was given away first; better one whose table was never sent.
 */
static struct cni_slot *slot_take(struct cni_net *cn)
{
	struct cni_slot *slot, *best = NULL;
	bool sent, best_sent = false;
	u8 i;

	for (i = 0; i < CNI_TABLE_SLOTS; i++) {
		slot = &cn->tables[i];
		if (!slot->id)
			return slot;
		if (cni_rule_uses(cn, i))
			continue;
		sent = rcu_access_pointer(slot->table);
		if (!best || sent < best_sent ||
		    (sent == best_sent && slot->since < best->since)) {
			best = slot;
			best_sent = sent;
		}
	}
	if (best) {
		table_swap(cn, best->id, NULL);
		best->gp = get_state_synchronize_rcu();
	}
	return best;
}

/*
 * Watch another table from now on. What user space says of it has to be newer
 * than that.
 */
static int table_watch(struct cni_net *cn, u32 id,
		       struct netlink_ext_ack *extack)
{
	struct cni_slot *slot;

	if (cni_route_slot(cn, id) != CNI_RULE_UNKNOWN)
		return 0;
	if (!id || id == RT_TABLE_LOCAL) {
		NL_SET_ERR_MSG_MOD(extack, "No table to be mirrored");
		return -EINVAL;
	}
	slot = slot_take(cn);
	if (!slot) {
		NL_SET_ERR_MSG_MOD(extack, "Rules lead to too many tables");
		return -ENOSPC;
	}
	slot->since = cni_fib_watch(cn, slot, id);
	return 0;
}

/**
 * cni_route_begin - open an empty table beside the live one
 * @cn: namespace, locked
 * @id: the kernel's number of the table
 * @portid: socket that it belongs to
 * @extack: for the reason of a failure
 *
 * Return: 0 or an error.
 */
int cni_route_begin(struct cni_net *cn, u32 id, u32 portid,
		    struct netlink_ext_ack *extack)
{
	int f, err;

	if (cn->txn.table) {
		NL_SET_ERR_MSG_MOD(extack, "Another transaction is open");
		return -EBUSY;
	}
	err = table_watch(cn, id, extack);
	if (err)
		return err;
	cn->txn.table = table_alloc();
	if (!cn->txn.table) {
		NL_SET_ERR_MSG_MOD(extack, "No memory for a second table");
		return -ENOMEM;
	}
	/* Nobody looks anything up in it before the commit. */
	for (f = 0; f < CNI_FAMILIES; f++)
		cni_lpm_bulk_begin(cn->txn.table->lpm[f]);
	if (!++cn->txn.last)
		cn->txn.last = 1;
	cn->txn.id = cn->txn.last;
	cn->txn.portid = portid;
	cn->txn.table_id = id;
	return 0;
}

/**
 * cni_route_table - the table that a request is about
 * @cn: namespace, locked
 * @txn: number of the transaction, 0 for the live table
 * @portid: socket that asks
 * @id: the kernel's number of the table
 * @extack: for the reason of a failure
 *
 * Return: the table, or an ERR_PTR().
 */
struct cni_table *cni_route_table(struct cni_net *cn, u32 txn, u32 portid,
				  u32 id, struct netlink_ext_ack *extack)
{
	struct cni_table *table = cni_route_live(cn, id);

	if (txn) {
		if (cn->txn.table && cn->txn.id == txn &&
		    cn->txn.portid == portid)
			return cn->txn.table;
		NL_SET_ERR_MSG_MOD(extack,
				   "This socket has no such transaction open");
		return ERR_PTR(-ENOENT);
	}
	if (!table && id != RT_TABLE_MAIN) {
		NL_SET_ERR_MSG_MOD(extack,
				   "The table isn't mirrored: send all of it in a transaction");
		return ERR_PTR(-ENOENT);
	}
	if (!table) {
		if (cni_route_forget(cn)) {
			NL_SET_ERR_MSG_MOD(extack,
					   "No memory for the prefix table");
			return ERR_PTR(-ENOMEM);
		}
		table = live_deref(cn);
	}
	return table;
}

/**
 * cni_route_commit - put the opened table in the live one's place
 * @cn: namespace, locked, with a transaction open
 * @generation: what it includes
 * @extack: for the reason of a failure
 *
 * Return: 0, or an error; the transaction stays open then.
 */
int cni_route_commit(struct cni_net *cn, u64 generation,
		     struct netlink_ext_ack *extack)
{
	struct cni_table *table = cn->txn.table;
	u32 id = cn->txn.table_id;
	int f, err;

	if (id != RT_TABLE_MAIN &&
	    generation < cn->tables[cni_route_slot(cn, id)].since) {
		NL_SET_ERR_MSG_MOD(extack,
				   "The table wasn't watched then: read the kernel's routes again");
		return -ESTALE;
	}
	for (f = 0; f < CNI_FAMILIES; f++) {
		err = cni_lpm_bulk_end(table->lpm[f]);
		if (err)
			goto err_memory;
	}
	err = id == RT_TABLE_MAIN ? overlay_locals(cn, table) : 0;
	if (err)
		goto err_memory;
	/* Who still goes by rules that led to another table in its slot? */
	if (id != RT_TABLE_MAIN)
		cond_synchronize_rcu(cn->tables[cni_route_slot(cn, id)].gp);
	cn->txn.table = NULL;
	table_swap(cn, id, table);
	if (id == RT_TABLE_MAIN)
		cn->lost = false;
	return 0;

err_memory:
	NL_SET_ERR_MSG_MOD(extack, "No memory for the prefix table");
	return err;
}

/**
 * cni_route_abort - throw the opened table away
 * @cn: namespace, locked
 */
void cni_route_abort(struct cni_net *cn)
{
	if (!cn->txn.table)
		return;
	table_free(cn, cn->txn.table);
	cn->txn.table = NULL;
}

/**
 * cni_route_lost - all routes are about to be dropped, and not by user space
 * @cn: namespace, locked
 *
 * The caller announces it once new ones can be sent.
 */
void cni_route_lost(struct cni_net *cn)
{
	lost(cn, live_deref(cn));
}

/**
 * cni_route_init - start with an empty table
 * @cn: namespace, locked
 *
 * Return: 0 or -ENOMEM.
 */
int cni_route_init(struct cni_net *cn)
{
	return cni_route_forget(cn);
}

/**
 * cni_route_exit - free all routes
 * @cn: namespace, locked, with no hook left that reads
 */
void cni_route_exit(struct cni_net *cn)
{
	struct hlist_node *next;
	struct cni_local *local;
	int i;

	cni_route_abort(cn);
	table_swap(cn, RT_TABLE_MAIN, NULL);
	for (i = 0; i < CNI_TABLE_SLOTS; i++)
		if (cn->tables[i].id)
			table_swap(cn, cn->tables[i].id, NULL);
	for (i = 0; i < ARRAY_SIZE(cn->locals); i++) {
		hlist_for_each_entry_safe(local, next, &cn->locals[i], node) {
			cni_adj_put(cn, local->under);
			hlist_del(&local->node);
			kfree(local);
		}
	}
	memset(cn->locals_first, 0, sizeof(cn->locals_first));
}
