// SPDX-License-Identifier: GPL-2.0
/*
 * Policy routing by source. Rules that look up a table, for all packets or for
 * a source prefix, become a list of tables per source prefix. A rule of any
 * other kind, or too many, and nothing takes the fast path.
 *
 * Main is looked up first whatever the rules say, as local addresses lie over
 * it alone. What else the kernel's table local has comes next.
 */

#include "state/rule.h"

#include <linux/fib_rules.h>
#include <linux/rculist.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <net/fib_rules.h>
#include <net/ip_fib.h>
#include <net/netlink.h>

#include "compat/compat.h"
#include "state/fib.h"
#include "state/route.h"

#define RULES_MAX		256
#define POLICY_MAX_BYTES	(16UL << 20)

static const unsigned int family_bits[] = { 32, 128 };

/* A rule that can be mirrored: look up @table for packets from @src. */
struct plain_rule {
	struct cni_prefix	src;
	u32			table;
};

static const struct cni_rule_list *list_at(const struct cni_policy *policy,
					   u32 index)
{
	return index ? &policy->list[index - 1] : NULL;
}

/* The first table of a list that has a route, under rcu_read_lock(). */
static u32 list_lookup(const struct cni_net *cn,
		       const struct cni_rule_list *list, int family,
		       const void *dst, u32 main)
{
	const struct cni_table *table;
	const struct cni_slot *slot;
	unsigned int i;
	u32 value;

	for (i = 0; list && i < list->n; i++) {
		if (list->table[i] == CNI_RULE_MAIN)
			return main;
		if (list->table[i] == CNI_RULE_UNKNOWN)
			return CNI_ROUTE_UNKNOWN;
		slot = cn->tables + list->table[i];
		table = rcu_dereference(slot->table);
		if (!table)
			return CNI_ROUTE_UNKNOWN;
		value = family == CNI_V4 ?
			cni_route_lookup4(table, *(const __be32 *)dst) :
			cni_route_lookup6(table, dst);
		if (value)
			return value;
	}
	return CNI_ROUTE_NONE;
}

/**
 * cni_rule_lookup4 - longest match in the first table that has one
 * @cn: namespace, under rcu_read_lock()
 * @dst: destination
 * @src: source, which selects the tables
 * @main: what main has for @dst
 *
 * Return: a value as of a prefix table, or CNI_ROUTE_UNKNOWN.
 */
u32 cni_rule_lookup4(const struct cni_net *cn, __be32 dst, __be32 src,
		     u32 main)
{
	const struct cni_policy *policy = rcu_dereference(cn->policy[CNI_V4]);
	u32 first;

	if (!policy || main == CNI_ROUTE_LOCAL)
		return main;
	first = policy->first ? cni_lpm_lookup4(policy->first, dst) : 0;
	if (first)
		return first;
	return list_lookup(cn, list_at(policy,
				       cni_lpm_lookup4(policy->lpm, src)),
			   CNI_V4, &dst, main);
}

/**
 * cni_rule_lookup6 - longest match in the first table that has one
 * @cn: namespace, under rcu_read_lock()
 * @dst: destination
 * @src: source, which selects the tables
 * @main: what main has for @dst
 *
 * Return: a value as of a prefix table, or CNI_ROUTE_UNKNOWN.
 */
u32 cni_rule_lookup6(const struct cni_net *cn, const struct in6_addr *dst,
		     const struct in6_addr *src, u32 main)
{
	const struct cni_policy *policy = rcu_dereference(cn->policy[CNI_V6]);
	u32 first;

	if (!policy || main == CNI_ROUTE_LOCAL)
		return main;
	first = policy->first ? cni_lpm_lookup6(policy->first, dst) : 0;
	if (first)
		return first;
	return list_lookup(cn, list_at(policy,
				       cni_lpm_lookup6(policy->lpm, src)),
			   CNI_V6, dst, main);
}

static u32 lpm_find(const struct cni_lpm *lpm, const struct cni_prefix *dst,
		    struct cni_prefix *match)
{
	*match = *dst;
	return cni_lpm_get(lpm, dst) ?: cni_lpm_cover(lpm, dst, match);
}

static u32 table_find(struct cni_net *cn, u32 id, int family,
		      const struct cni_prefix *dst, struct cni_prefix *match)
{
	const struct cni_table *table = cni_route_live(cn, id);

	*match = *dst;
	if (!table)
		return id == RT_TABLE_MAIN ? CNI_ROUTE_NONE :
					     CNI_ROUTE_UNKNOWN;
	return lpm_find(table->lpm[family], dst, match);
}

/**
 * cni_rule_find - look up as the data path does, and tell what matched
 * @cn: namespace, locked
 * @family: CNI_V4 or CNI_V6
 * @dst: destination, a host prefix
 * @src: source, a host prefix; or of length 0, for the rules for all
 * @match: set to the prefix that matched
 * @id: set to the number of the table that was looked up last
 *
 * Return: a value as of a prefix table, or CNI_ROUTE_UNKNOWN.
 */
u32 cni_rule_find(struct cni_net *cn, int family,
		  const struct cni_prefix *dst, const struct cni_prefix *src,
		  struct cni_prefix *match, u32 *id)
{
	const struct cni_rule_list *list;
	const struct cni_policy *policy;
	struct cni_prefix cover;
	unsigned int i;
	u32 value;

	*id = RT_TABLE_MAIN;
	value = table_find(cn, RT_TABLE_MAIN, family, dst, match);
	policy = rcu_dereference_protected(cn->policy[family],
					   lockdep_is_held(&cn->lock));
	if (!policy || value == CNI_ROUTE_LOCAL)
		return value;
	value = policy->first ? lpm_find(policy->first, dst, match) : 0;
	if (value) {
		*id = RT_TABLE_LOCAL;
		return value;
	}
	list = list_at(policy, lpm_find(policy->lpm, src, &cover));
	for (i = 0; list && i < list->n; i++) {
		*id = list->table[i] == CNI_RULE_MAIN ? RT_TABLE_MAIN :
		      list->table[i] == CNI_RULE_UNKNOWN ? list->unknown :
		      cn->tables[list->table[i]].id;
		value = table_find(cn, *id, family, dst, match);
		if (value || *id == RT_TABLE_MAIN)
			return value;
	}
	return CNI_ROUTE_NONE;
}

/*
 * What a family adds to struct fib_rule is private to its rules' ops, whose
 * fill() writes it as attributes: any but a source prefix makes a rule that
 * can't be mirrored.
 */
static bool read_rule(const struct fib_rules_ops *ops, struct fib_rule *rule,
		      struct sk_buff *skb, struct plain_rule *plain)
{
	unsigned int bytes = ops->family == AF_INET ? 4 : 16;
	struct fib_rule_hdr frh = {};
	const struct nlattr *attr;
	int rem;

	if (rule->action != FR_ACT_TO_TBL || !fib_rule_matchall(rule) ||
	    rule->mark_mask || rule->l3mdev || rule->ip_proto ||
	    rule->target || rule->iifname[0] || rule->oifname[0])
		return false;
	skb_trim(skb, 0);
	if (ops->fill(rule, skb, &frh) || frh.dst_len || frh.tos ||
	    frh.src_len > bytes * 8)
		return false;
	memset(plain, 0, sizeof(*plain));
	nla_for_each_attr(attr, (const struct nlattr *)skb->data, skb->len,
			  rem) {
		if (nla_type(attr) != FRA_SRC || nla_len(attr) != bytes)
			return false;
		memcpy(plain->src.bytes, nla_data(attr), bytes);
	}
	plain->src.len = frh.src_len;
	cni_prefix_mask(&plain->src, bytes * 8);
	plain->table = rule->table;
	return true;
}

/*
 * Read a family's rules in order, without those that look up the table local.
 * Returns how many, or an error if one can't be mirrored.
 */
static int read_rules(struct net *net, int family, struct sk_buff *skb,
		      struct plain_rule *rules)
{
	struct fib_rules_ops *ops = cni_compat_rules_ops(net, family);
	struct fib_rule *rule;
	int n = 0;

	if (!ops) {
		memset(rules, 0, sizeof(*rules));
		rules->table = RT_TABLE_MAIN;
		return 1;
	}
	rcu_read_lock();
	list_for_each_entry_rcu(rule, &ops->rules_list, list) {
		if (n == RULES_MAX)
			n = -E2BIG;
		else if (!read_rule(ops, rule, skb, &rules[n]))
			n = -EOPNOTSUPP;
		else if (rules[n].table != RT_TABLE_LOCAL)
			n++;
		if (n < 0)
			break;
	}
	rcu_read_unlock();
	return n;
}

static bool is_within(const struct cni_prefix *prefix,
		      const struct cni_prefix *other, int family)
{
	struct cni_prefix cut = *prefix;

	if (prefix->len < other->len)
		return false;
	cut.len = other->len;
	cni_prefix_mask(&cut, family_bits[family]);
	return !memcmp(cut.bytes, other->bytes, sizeof(cut.bytes));
}

/* The tables that are looked up for packets from a prefix. */
static void make_list(struct cni_net *cn, int family,
		      const struct plain_rule *rules, int n,
		      const struct cni_prefix *src,
		      struct cni_rule_list *list)
{
	u8 table;
	int i;

	list->n = 0;
	for (i = 0; i < n; i++) {
		if (!is_within(src, &rules[i].src, family))
			continue;
		table = cni_route_slot(cn, rules[i].table);
		if (memchr(list->table, table, list->n))
			continue;
		list->table[list->n++] = table;
		/* The list ends here: see struct cni_rule_list. */
		if (table == CNI_RULE_UNKNOWN)
			list->unknown = rules[i].table;
		if (table == CNI_RULE_UNKNOWN || table == CNI_RULE_MAIN)
			return;
	}
}

static void policy_free(struct cni_policy *policy)
{
	cni_lpm_free(policy->first);
	cni_lpm_free(policy->lpm);
	kfree(policy);
}

static void policy_free_work(struct work_struct *work)
{
	policy_free(container_of(to_rcu_work(work), struct cni_policy, rwork));
}

/*
 * Does the table local go before longer prefixes in main? Always in IPv6; in
 * IPv4 once there are or were rules: until then both are one trie, see
 * fib_unmerge(). Only what isn't a host prefix makes the difference.
 */
static bool local_first(const struct cni_net *cn, int family)
{
	return cn->locals_first[family] &&
	       (family == CNI_V6 || fib4_has_custom_rules(cn->net));
}

static int policy_fill(struct cni_net *cn, int family,
		       struct cni_policy *policy,
		       const struct plain_rule *rules, int n)
{
	struct cni_prefix all = {};
	int i, err = 0;

	policy->lpm = cni_lpm_alloc(family_bits[family], POLICY_MAX_BYTES);
	if (!policy->lpm)
		return -ENOMEM;
	if (local_first(cn, family)) {
		policy->first = cni_lpm_alloc(family_bits[family],
					      POLICY_MAX_BYTES);
		err = policy->first ?
		      cni_route_first(cn, family, policy->first) : -ENOMEM;
	}
	make_list(cn, family, rules, n, &all, &policy->list[policy->lists++]);
	err = err ?: cni_lpm_set(policy->lpm, &all, policy->lists);
	for (i = 0; i < n && !err; i++) {
		if (cni_lpm_get(policy->lpm, &rules[i].src))
			continue;
		make_list(cn, family, rules, n, &rules[i].src,
			  &policy->list[policy->lists++]);
		err = cni_lpm_set(policy->lpm, &rules[i].src, policy->lists);
	}
	return err;
}

/* Returns NULL if all look-ups are in main alone. */
static struct cni_policy *policy_make(struct cni_net *cn, int family,
				      const struct plain_rule *rules, int n)
{
	struct cni_policy *policy;
	int err;

	if (n && rules->table == RT_TABLE_MAIN && !rules->src.len &&
	    !local_first(cn, family))
		return NULL;
	policy = kzalloc(struct_size(policy, list, n + 1),
			 GFP_KERNEL_ACCOUNT);
	if (!policy)
		return ERR_PTR(-ENOMEM);
	INIT_RCU_WORK(&policy->rwork, policy_free_work);
	err = policy_fill(cn, family, policy, rules, n);
	if (err) {
		policy_free(policy);
		return ERR_PTR(err);
	}
	return policy;
}

/**
 * cni_rule_none - do rules lead a family to no table that is mirrored?
 * @cn: namespace, under rcu_read_lock()
 * @family: CNI_V4 or CNI_V6
 *
 * Return: whether they lead to none, so that everything is punt.
 */
bool cni_rule_none(const struct cni_net *cn, int family)
{
	const struct cni_policy *policy = rcu_dereference(cn->policy[family]);

	/* The first list is for all sources. */
	return policy && policy->lists == 1 &&
	       (!policy->list[0].n ||
		policy->list[0].table[0] == CNI_RULE_UNKNOWN);
}

/**
 * cni_rule_uses - does a mirrored rule lead to a table?
 * @cn: namespace, locked
 * @slot: of cn->tables
 *
 * Return: whether one does.
 */
bool cni_rule_uses(struct cni_net *cn, u8 slot)
{
	const struct cni_policy *policy;
	unsigned int i;
	int f;

	for (f = 0; f < CNI_FAMILIES; f++) {
		policy = rcu_dereference_protected(cn->policy[f],
						   lockdep_is_held(&cn->lock));
		for (i = 0; policy && i < policy->lists; i++)
			if (memchr(policy->list[i].table, slot,
				   policy->list[i].n))
				return true;
	}
	return false;
}

static void policy_swap(struct cni_net *cn, int family,
			struct cni_policy *policy)
{
	struct cni_policy *old;

	old = rcu_replace_pointer(cn->policy[family], policy,
				  lockdep_is_held(&cn->lock));
	if (old)
		queue_rcu_work(cni_net_wq, &old->rwork);
}

/**
 * cni_rule_read - mirror the kernel's rules as they are now
 * @cn: namespace, locked, RTNL held
 *
 * The data path punts from a change's notification on until this is done and
 * queued changes are folded. Rules change under the RTNL, or fib_work() has
 * waited for them.
 */
void cni_rule_read(struct cni_net *cn)
{
	struct sk_buff *skb = nlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	struct cni_policy *policy;
	struct plain_rule *rules;
	int f, n;

	ASSERT_RTNL();
	cni_fib_rules_begin(cn);
	rules = kmalloc_array(RULES_MAX, sizeof(*rules), GFP_KERNEL);
	for (f = 0; f < CNI_FAMILIES; f++) {
		policy = NULL;
		n = rules && skb ? read_rules(cn->net, f, skb, rules) :
				   -ENOMEM;
		if (n >= 0) {
			policy = policy_make(cn, f, rules, n);
			if (IS_ERR(policy)) {
				n = PTR_ERR(policy);
				policy = NULL;
			}
		}
		policy_swap(cn, f, policy);
		if (n == -ENOMEM)
			cni_fib_retry(cn);
		cni_fib_rules_end(cn, f, n >= 0, policy);
	}
	kfree(rules);
	consume_skb(skb);
}

/**
 * cni_rule_exit - drop the mirrored rules
 * @cn: namespace, locked, with no hook left that reads
 */
void cni_rule_exit(struct cni_net *cn)
{
	int f;

	for (f = 0; f < CNI_FAMILIES; f++)
		policy_swap(cn, f, NULL);
}
