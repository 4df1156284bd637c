// SPDX-License-Identifier: GPL-2.0
/* Netlink requests for routes: changes, transactions, dumps and look-ups. */

#include "control/netlink.h"

#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "control/activate.h"
#include "control/resolve.h"
#include "path/gate.h"
#include "state/adj.h"
#include "state/encap.h"
#include "state/except.h"
#include "state/fib.h"
#include "state/group.h"
#include "state/route.h"
#include "state/rule.h"

/* A prefix, from the attributes that routes and look-ups have alike. */
static int parse_prefix(const struct nlattr *dst4, const struct nlattr *dst6,
			const struct nlattr *len, struct cni_prefix *prefix,
			u8 *family, struct netlink_ext_ack *extack)
{
	struct cni_prefix masked;
	unsigned int bits;
	int err;

	memset(prefix, 0, sizeof(*prefix));
	if (!dst4 == !dst6) {
		NL_SET_ERR_MSG_MOD(extack,
				   "Either an IPv4 or an IPv6 destination is needed");
		return -EINVAL;
	}
	if (dst4) {
		*family = CNI_V4;
		prefix->v4 = nla_get_in_addr(dst4);
		bits = 32;
	} else {
		err = cni_netlink_check_ipv6(dst6, extack);
		if (err)
			return err;
		*family = CNI_V6;
		prefix->v6 = nla_get_in6_addr(dst6);
		bits = 128;
	}
	prefix->len = len ? nla_get_u8(len) : bits;
	if (prefix->len > bits) {
		NL_SET_ERR_MSG_MOD(extack, "Prefix longer than an address");
		NL_SET_BAD_ATTR(extack, len);
		return -EINVAL;
	}
	masked = *prefix;
	cni_prefix_mask(&masked, bits);
	if (memcmp(&masked, prefix, sizeof(masked))) {
		NL_SET_ERR_MSG_MOD(extack,
				   "Address bits set beyond the prefix length");
		NL_SET_BAD_ATTR(extack, dst4 ?: dst6);
		return -EINVAL;
	}
	return 0;
}

/*
 * What is nested has been checked with the message, whose policies name it, so
 * there's no need for all that nla_parse_nested() does: routes come by the
 * million.
 */
static void parse_nest(struct nlattr **tb, int max, const struct nlattr *nest)
{
	struct nlattr *attr;
	int rem;

	nla_for_each_nested(attr, nest, rem)
		if (nla_type(attr) <= max)
			tb[nla_type(attr)] = attr;
}

static int parse_nexthop(const struct nlattr *attr, u8 family,
			 struct cni_nexthop *nh, u32 *weight,
			 struct netlink_ext_ack *extack)
{
	struct nlattr *tb[CNILINK_A_NEXTHOP_MAX + 1] = {};

	parse_nest(tb, CNILINK_A_NEXTHOP_MAX, attr);
	memset(nh, 0, sizeof(*nh));
	nh->family = family;
	if (NL_REQ_ATTR_CHECK(extack, attr, tb, CNILINK_A_NEXTHOP_OIF)) {
		NL_SET_ERR_MSG_MOD(extack, "A next hop needs a device");
		return -EINVAL;
	}
	nh->oif = nla_get_u32(tb[CNILINK_A_NEXTHOP_OIF]);
	*weight = tb[CNILINK_A_NEXTHOP_WEIGHT] ?
		  nla_get_u32(tb[CNILINK_A_NEXTHOP_WEIGHT]) : 1;
	if (*weight > CNI_GROUP_WEIGHT_MAX) {
		NL_SET_ERR_MSG_MOD(extack, "Weight above 65536");
		NL_SET_BAD_ATTR(extack, tb[CNILINK_A_NEXTHOP_WEIGHT]);
		return -ERANGE;
	}
	if (tb[family == CNI_V4 ? CNILINK_A_NEXTHOP_VIA6 :
				  CNILINK_A_NEXTHOP_VIA4]) {
		NL_SET_ERR_MSG_MOD(extack,
				   "Gateway and destination are of different families");
		NL_SET_BAD_ATTR(extack, attr);
		return -EOPNOTSUPP;
	}
	if (tb[CNILINK_A_NEXTHOP_VIA4]) {
		nh->has_via = true;
		nh->via.v4 = nla_get_in_addr(tb[CNILINK_A_NEXTHOP_VIA4]);
	} else if (tb[CNILINK_A_NEXTHOP_VIA6]) {
		nh->has_via = true;
		nh->via.v6 = nla_get_in6_addr(tb[CNILINK_A_NEXTHOP_VIA6]);
	}
	return 0;
}

/* The adjacency that is in a nest, referenced. */
static struct cni_adj *parse_adj(struct cni_net *cn, const struct nlattr *attr,
				 u8 family, u32 object, u32 *weight,
				 struct netlink_ext_ack *extack)
{
	struct cni_nexthop nh;
	int err;

	err = parse_nexthop(attr, family, &nh, weight, extack);
	return err ? ERR_PTR(err) : cni_adj_get(cn, &nh, object, extack);
}

static struct cni_adj *parse_group(struct cni_net *cn,
				   const struct nlattr *attr, unsigned int n,
				   u8 family, u32 object,
				   struct netlink_ext_ack *extack)
{
	struct cni_hop *hops;
	struct cni_adj *adj;
	struct nlattr *hop;
	unsigned int i = 0;
	int rem;

	if (n > CNI_GROUP_MAX) {
		NL_SET_ERR_MSG_MOD(extack,
				   "Too many next hops: set such a prefix to punt");
		return ERR_PTR(-E2BIG);
	}
	hops = kcalloc(n, sizeof(*hops), GFP_KERNEL_ACCOUNT);
	if (!hops)
		return ERR_PTR(-ENOMEM);
	nla_for_each_nested(hop, attr, rem) {
		if (nla_type(hop) != CNILINK_A_ROUTE_NEXTHOP)
			continue;
		adj = parse_adj(cn, hop, family, 0, &hops[i].weight, extack);
		if (IS_ERR(adj)) {
			while (i)
				cni_adj_put(cn, hops[--i].adj->id);
			goto out;
		}
		hops[i++].adj = adj;
	}
	adj = cni_adj_get_group(cn, hops, n, object, extack);
out:
	kfree(hops);
	return adj;
}

/* The adjacency of a route's next hops, all of which are in @attr. */
static struct cni_adj *parse_nexthops(struct cni_net *cn,
				      const struct nlattr *attr,
				      struct nlattr **tb, u8 family,
				      struct netlink_ext_ack *extack)
{
	const struct nlattr *first = tb[CNILINK_A_ROUTE_NEXTHOP], *hop;
	u32 object = CNI_ADJ_UNSAID, weight;
	unsigned int n = 0;
	int rem;

	if (!first) {
		NL_SET_ERR_MSG_MOD(extack, "A next hop is needed");
		NL_SET_ERR_ATTR_MISS(extack, attr, CNILINK_A_ROUTE_NEXTHOP);
		return ERR_PTR(-EINVAL);
	}
	nla_for_each_nested(hop, attr, rem)
		n += nla_type(hop) == CNILINK_A_ROUTE_NEXTHOP;
	if (tb[CNILINK_A_ROUTE_NEXTHOP_ID])
		object = nla_get_u32(tb[CNILINK_A_ROUTE_NEXTHOP_ID]);
	if (n == 1)
		return parse_adj(cn, first, family, object, &weight, extack);
	return parse_group(cn, attr, n, family, object, extack);
}

/* What becomes of the prefix of a route that is set. */
static int parse_action(struct cni_net *cn, const struct nlattr *attr,
			struct nlattr **tb, struct cni_route_change *change,
			struct netlink_ext_ack *extack)
{
	const struct nlattr *nexthop = tb[CNILINK_A_ROUTE_NEXTHOP];
	u32 action = CNILINK_ACTION_FORWARD;
	struct cni_adj *adj;

	if (tb[CNILINK_A_ROUTE_ACTION])
		action = nla_get_u32(tb[CNILINK_A_ROUTE_ACTION]);
	if (action == CNILINK_ACTION_PUNT) {
		if (nexthop) {
			NL_SET_ERR_MSG_MOD(extack,
					   "A punted prefix has no next hop");
			NL_SET_BAD_ATTR(extack, nexthop);
			return -EINVAL;
		}
		change->value = CNI_ROUTE_PUNT;
		return 0;
	}
	adj = parse_nexthops(cn, attr, tb, change->family, extack);
	if (IS_ERR(adj))
		return PTR_ERR(adj);
	change->value = adj->id;
	return 0;
}

/* One route of a batch; takes a reference when it's an adjacency. */
static int parse_route(struct cni_net *cn, const struct nlattr *attr,
		       bool set, struct cni_route_change *change,
		       struct netlink_ext_ack *extack)
{
	struct nlattr *tb[CNILINK_A_ROUTE_MAX + 1] = {};
	int err;

	parse_nest(tb, CNILINK_A_ROUTE_MAX, attr);
	if (NL_REQ_ATTR_CHECK(extack, attr, tb, CNILINK_A_ROUTE_PREFIX_LEN)) {
		NL_SET_ERR_MSG_MOD(extack, "A prefix length is needed");
		return -EINVAL;
	}
	err = parse_prefix(tb[CNILINK_A_ROUTE_DST4],
			   tb[CNILINK_A_ROUTE_DST6],
			   tb[CNILINK_A_ROUTE_PREFIX_LEN], &change->prefix,
			   &change->family, extack);
	if (!err)
		err = cni_netlink_refuse(extack, tb[CNILINK_A_ROUTE_BLOCKERS]);
	if (err)
		return err;
	if (set)
		return parse_action(cn, attr, tb, change, extack);
	change->value = CNI_ROUTE_NONE;
	return cni_netlink_refuse(extack, tb[CNILINK_A_ROUTE_ACTION] ?:
					  tb[CNILINK_A_ROUTE_NEXTHOP]);
}

static int parse_batch(struct cni_net *cn, struct genl_info *info, bool set,
		       struct cni_route_change *changes, unsigned int n)
{
	const struct nlattr *attr;
	unsigned int i = 0;
	int rem, err;

	nlmsg_for_each_attr(attr, info->nlhdr, GENL_HDRLEN, rem) {
		if (nla_type(attr) != CNILINK_A_TABLE_ROUTE)
			continue;
		err = parse_route(cn, attr, set, &changes[i], info->extack);
		if (err) {
			if (!info->extack->bad_attr)
				NL_SET_BAD_ATTR(info->extack, attr);
			while (i)
				cni_adj_put(cn, changes[--i].value);
			return err;
		}
		i++;
	}
	return 0;
}

static u32 get_txn(const struct genl_info *info)
{
	const struct nlattr *attr = info->attrs[CNILINK_A_TABLE_TRANSACTION];

	return attr ? nla_get_u32(attr) : 0;
}

/* Without one, the sender vouches for its view being the newest. */
static u64 get_generation(struct cni_net *cn, struct genl_info *info)
{
	const struct nlattr *attr = info->attrs[CNILINK_A_TABLE_GENERATION];

	return attr ? nla_get_u64(attr) : cni_fib_generation(cn);
}

static u32 get_table_id(const struct genl_info *info)
{
	const struct nlattr *attr = info->attrs[CNILINK_A_TABLE_ID];

	return attr ? nla_get_u32(attr) : RT_TABLE_MAIN;
}

static int change_routes(struct cni_net *cn, struct genl_info *info, bool set,
			 struct cni_route_change *changes, unsigned int n)
{
	u32 txn = get_txn(info), id = get_table_id(info);
	struct cni_table *table;
	u64 generation = 0;
	int err;

	table = cni_route_table(cn, txn, info->snd_portid, id, info->extack);
	if (IS_ERR(table))
		return PTR_ERR(table);
	if (!txn) {
		cni_fib_fold(cn);
		generation = get_generation(cn, info);
		err = cni_fib_check(cn, generation, info->extack);
		if (err)
			return err;
		/* Folding may have put another table in its place. */
		table = cni_route_table(cn, txn, info->snd_portid, id,
					info->extack);
		if (IS_ERR(table))
			return PTR_ERR(table);
		/* A view that the module had lacks the longer routes now. */
		if (set && cn->lost && id == RT_TABLE_MAIN &&
		    info->attrs[CNILINK_A_TABLE_GENERATION]) {
			NL_SET_ERR_MSG_MOD(info->extack,
					   "The table had to be dropped: send all of it in a transaction");
			return -ENODATA;
		}
	}
	err = parse_batch(cn, info, set, changes, n);
	if (err)
		return err;
	err = cni_route_apply(cn, table, changes, n, info->extack);
	if (err) {
		while (n)
			cni_adj_put(cn, changes[--n].value);
		return err;
	}
	if (!txn)
		cni_fib_replay(cn, id, generation);
	return 0;
}

static int route_doit(struct genl_info *info, bool set)
{
	struct cni_net *cn = cni_netlink_net(info);
	struct cni_route_change *changes;
	struct nlattr **tb = info->attrs;
	const struct nlattr *attr;
	unsigned int n = 0;
	bool adj_new;
	int rem, err;

	/* They are the whole transaction's, at its begin and at its end. */
	if (tb[CNILINK_A_TABLE_TRANSACTION]) {
		err = cni_netlink_refuse(info->extack,
					 tb[CNILINK_A_TABLE_ID] ?:
					 tb[CNILINK_A_TABLE_GENERATION]);
		if (err)
			return err;
	}
	nlmsg_for_each_attr(attr, info->nlhdr, GENL_HDRLEN, rem)
		n += nla_type(attr) == CNILINK_A_TABLE_ROUTE;
	if (!n) {
		NL_SET_ERR_MSG_MOD(info->extack, "A route is needed");
		NL_SET_ERR_ATTR_MISS(info->extack, NULL,
				     CNILINK_A_TABLE_ROUTE);
		return -EINVAL;
	}
	err = cni_activate(cn, info->extack);
	if (err)
		return err;
	changes = kvmalloc_array(n, sizeof(*changes), GFP_KERNEL_ACCOUNT);
	if (!changes)
		return -ENOMEM;

	mutex_lock(&cn->lock);
	err = change_routes(cn, info, set, changes, n);
	adj_new = cn->adj_new;
	mutex_unlock(&cn->lock);
	kvfree(changes);
	if (adj_new) {
		rtnl_lock();
		cni_resolve_now(cn);
		rtnl_unlock();
	}
	return err;
}

int cnilink_nl_route_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	return route_doit(info, true);
}

int cnilink_nl_route_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	return route_doit(info, false);
}

static int put_nexthop(struct sk_buff *skb, int attrtype,
		       const struct cni_nexthop *nh, u32 weight)
{
	struct nlattr *nest = nla_nest_start(skb, attrtype);

	if (!nest || nla_put_u32(skb, CNILINK_A_NEXTHOP_OIF, nh->oif))
		return -EMSGSIZE;
	if (nh->has_via && nh->family == CNI_V4 &&
	    nla_put_in_addr(skb, CNILINK_A_NEXTHOP_VIA4, nh->via.v4))
		return -EMSGSIZE;
	if (nh->has_via && nh->family == CNI_V6 &&
	    nla_put_in6_addr(skb, CNILINK_A_NEXTHOP_VIA6, &nh->via.v6))
		return -EMSGSIZE;
	if (weight && nla_put_u32(skb, CNILINK_A_NEXTHOP_WEIGHT, weight))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int put_nexthops(struct sk_buff *skb, int attrtype,
			const struct cni_adj *adj)
{
	const struct cni_group *group = adj->group;
	unsigned int i;

	if (!group)
		return put_nexthop(skb, attrtype, &adj->nh, 0);
	for (i = 0; i < group->n; i++)
		if (put_nexthop(skb, attrtype, &group->hop[i].adj->nh,
				group->hop[i].weight))
			return -EMSGSIZE;
	return 0;
}

static int put_dst(struct sk_buff *skb, int attr4, int attr6, int family,
		   const struct cni_prefix *prefix)
{
	if (family == CNI_V4)
		return nla_put_in_addr(skb, attr4, prefix->v4);
	return nla_put_in6_addr(skb, attr6, &prefix->v6);
}

static int put_route(struct sk_buff *skb, struct cni_net *cn, int family,
		     const struct cni_prefix *prefix, u32 value)
{
	const struct cni_adj *adj = cni_adj_by_id(cn, value);
	struct nlattr *nest = nla_nest_start(skb, CNILINK_A_TABLE_ROUTE);

	if (!nest)
		return -EMSGSIZE;
	if (adj && READ_ONCE(adj->retired))
		adj = NULL;
	if (put_dst(skb, CNILINK_A_ROUTE_DST4, CNILINK_A_ROUTE_DST6, family,
		    prefix) ||
	    nla_put_u8(skb, CNILINK_A_ROUTE_PREFIX_LEN, prefix->len) ||
	    nla_put_u32(skb, CNILINK_A_ROUTE_ACTION,
			adj ? CNILINK_ACTION_FORWARD : CNILINK_ACTION_PUNT) ||
	    (adj && put_nexthops(skb, CNILINK_A_ROUTE_NEXTHOP, adj)) ||
	    (adj && adj->object != CNI_ADJ_UNSAID &&
	     nla_put_u32(skb, CNILINK_A_ROUTE_NEXTHOP_ID, adj->object)) ||
	    (adj && nla_put_u64_64bit(skb, CNILINK_A_ROUTE_BLOCKERS,
				      adj->blockers, CNILINK_A_ROUTE_PAD))) {
		nla_nest_cancel(skb, nest);
		return -EMSGSIZE;
	}
	nla_nest_end(skb, nest);
	return 0;
}

/* Where a dump of routes stands; in cb->ctx. */
struct route_cursor {
	struct cni_prefix	prefix;
	u8			table;
	u8			family;
	bool			started;
};

/* The n-th table of a dump: main, and then the slots. */
static u32 nth_table(const struct cni_net *cn, unsigned int n)
{
	return n ? cn->tables[n - 1].id : RT_TABLE_MAIN;
}

static int next_route(struct cni_net *cn, struct route_cursor *next,
		      u32 *value)
{
	const struct cni_table *table;

	table = cni_route_live(cn, nth_table(cn, next->table));
	return table ? cni_lpm_next(table->lpm[next->family], &next->prefix,
				    !next->started, value) : -ENOENT;
}

int cnilink_nl_route_get_dumpit(struct sk_buff *skb,
				struct netlink_callback *cb)
{
	struct cni_net *cn = cni_net_of(sock_net(skb->sk));
	struct route_cursor *cursor = (void *)cb->ctx, next;
	int n = 0, err;
	void *hdr;
	u32 value;

	BUILD_BUG_ON(sizeof(*cursor) > sizeof(cb->ctx));
	err = cni_netlink_refuse_all(cb->nlh, cb->extack);
	if (err)
		return err;
	mutex_lock(&cn->lock);
	cb->seq = cn->table_seq + 1;
	hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			  &cnilink_nl_family, NLM_F_MULTI,
			  CNILINK_CMD_ROUTE_GET);
	if (!hdr) {
		err = -EMSGSIZE;
		goto unlock;
	}
	while (cursor->table <= CNI_TABLE_SLOTS) {
		next = *cursor;
		if (next_route(cn, &next, &value)) {
			/* A message is about one table. */
			if (n && next.family == CNI_FAMILIES - 1)
				break;
			cursor->table += next.family == CNI_FAMILIES - 1;
			cursor->family = !next.family;
			cursor->started = false;
			continue;
		}
		next.started = true;
		if (value != CNI_ROUTE_LOCAL) {
			if (!n && nla_put_u32(skb, CNILINK_A_TABLE_ID,
					      nth_table(cn, next.table))) {
				err = -EMSGSIZE;
				break;
			}
			err = put_route(skb, cn, next.family, &next.prefix,
					value);
			if (err)
				break;
			n++;
		}
		*cursor = next;
	}
	/* Not for a message that isn't sent: the mark is made once. */
	if (n) {
		genl_dump_check_consistent(cb, hdr);
		genlmsg_end(skb, hdr);
		err = skb->len;
	} else {
		genlmsg_cancel(skb, hdr);
	}
unlock:
	mutex_unlock(&cn->lock);
	return err;
}

/* What a look-up found; under the RTNL and cn->lock. */
struct lookup {
	struct cni_net		*cn;
	struct cni_prefix	dst;
	struct cni_prefix	src;
	u8			family;
};

static struct neighbour *lookup_neigh(const struct cni_encap *e, int family,
				      const struct cni_prefix *dst)
{
	if (!e)
		return NULL;
	return e->neigh ?: cni_encap_neigh(e, family, dst->bytes);
}

static enum cnilink_reason lookup_reason(struct cni_net *cn, int family,
					 const struct cni_prefix *dst,
					 const struct cni_adj *adj)
{
	const struct cni_encap *e = rcu_dereference(adj->encap);
	enum cnilink_reason reason;
	struct neighbour *n;

	if (!e)
		return CNILINK_REASON_NOT_OFFLOADED;
	reason = cni_gate_net(cn, family, cni_encap_judged(e, CNI_ENCAP_GRE),
			      e->flags & CNI_ENCAP_BYPASS_NF);
	if (!reason && cni_encap_judged(e, CNI_ENCAP_GRE6) &&
	    cni_gate_nf_outer6(cn->net, family))
		reason = CNILINK_REASON_NETFILTER;
	if (!reason && cni_gate_unforwarded(cn, family))
		reason = CNILINK_REASON_FORWARDING_OFF;
	if (!reason && e->vlan)
		reason = cni_gate_dev_tx(e->vlan);
	if (!reason && e->gre)
		reason = cni_gate_dev_tx(e->gre);
	n = lookup_neigh(e, family, dst);
	if (!reason && (!n || !(READ_ONCE(n->nud_state) & NUD_VALID)))
		reason = CNILINK_REASON_NEIGHBOUR;
	return reason;
}

/* Of several next hops, what is wrong with the first that has something. */
static enum cnilink_reason lookup_reasons(struct cni_net *cn, int family,
					  const struct cni_prefix *dst,
					  const struct cni_adj *adj)
{
	const struct cni_group *group = adj->group;
	enum cnilink_reason reason = 0;
	unsigned int i;

	if (!group)
		return lookup_reason(cn, family, dst, adj);
	for (i = 0; i < group->n && !reason; i++)
		reason = lookup_reason(cn, family, dst, group->hop[i].adj);
	return reason;
}

static int put_way(struct sk_buff *skb, struct cni_net *cn, int family,
		   const struct cni_prefix *dst, const struct cni_adj *adj)
{
	struct cni_encap *e = rcu_dereference(adj->encap);

	if (put_nexthops(skb, CNILINK_A_LOOKUP_NEXTHOP, adj) ||
	    nla_put_u64_64bit(skb, CNILINK_A_LOOKUP_BLOCKERS, adj->blockers,
			      CNILINK_A_LOOKUP_PAD) ||
	    nla_put_u32(skb, CNILINK_A_LOOKUP_REASON,
			lookup_reasons(cn, family, dst, adj)))
		return -EMSGSIZE;
	if (e && nla_put_u32(skb, CNILINK_A_LOOKUP_MTU, e->mtu[family]))
		return -EMSGSIZE;
	/* In another namespace it has no number that means anything here. */
	if (e && net_eq(dev_net(e->lower), cn->net) &&
	    nla_put_u32(skb, CNILINK_A_LOOKUP_LOWER_IFINDEX,
			e->lower->ifindex))
		return -EMSGSIZE;
	return cni_netlink_put_lladdr(skb, CNILINK_A_LOOKUP_LLADDR,
				      lookup_neigh(e, family, dst));
}

static int fill_lookup(struct sk_buff *skb, const void *arg)
{
	const struct lookup *lookup = arg;
	struct cni_net *cn = lookup->cn;
	struct cni_prefix prefix;
	struct cni_adj *adj;
	u32 value, id;
	int err;

	value = cni_rule_find(cn, lookup->family, &lookup->dst, &lookup->src,
			      &prefix, &id);
	if (put_dst(skb, CNILINK_A_LOOKUP_DST4, CNILINK_A_LOOKUP_DST6,
		    lookup->family, &prefix))
		return -EMSGSIZE;
	if (!value)
		return nla_put_u32(skb, CNILINK_A_LOOKUP_REASON,
				   CNILINK_REASON_NO_ROUTE);
	if (nla_put_u32(skb, CNILINK_A_LOOKUP_TABLE, id))
		return -EMSGSIZE;
	if (value == CNI_ROUTE_UNKNOWN)
		return nla_put_u32(skb, CNILINK_A_LOOKUP_REASON,
				   CNILINK_REASON_TABLE);
	if (nla_put_u8(skb, CNILINK_A_LOOKUP_PREFIX_LEN, prefix.len))
		return -EMSGSIZE;
	adj = cni_adj_by_id(cn, value);
	if (!adj || READ_ONCE(adj->retired))
		return nla_put_u32(skb, CNILINK_A_LOOKUP_REASON,
				   value == CNI_ROUTE_LOCAL ?
				   CNILINK_REASON_LOCAL :
				   CNILINK_REASON_PUNT_ROUTE);
	rcu_read_lock();
	if (cni_except_has(cn, lookup->family, lookup->dst.bytes))
		err = nla_put_u32(skb, CNILINK_A_LOOKUP_REASON,
				  CNILINK_REASON_PUNT_ROUTE);
	else
		err = put_way(skb, cn, lookup->family, &lookup->dst, adj);
	rcu_read_unlock();
	return err;
}

int cnilink_nl_route_lookup_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct lookup lookup = { .cn = cni_netlink_net(info) };
	struct nlattr **tb = info->attrs;
	u8 family;
	int err;

	err = parse_prefix(tb[CNILINK_A_LOOKUP_DST4],
			   tb[CNILINK_A_LOOKUP_DST6], NULL,
			   &lookup.dst, &lookup.family, info->extack);
	if (err)
		return err;
	family = lookup.family;
	if (tb[CNILINK_A_LOOKUP_SRC4] || tb[CNILINK_A_LOOKUP_SRC6])
		err = parse_prefix(tb[CNILINK_A_LOOKUP_SRC4],
				   tb[CNILINK_A_LOOKUP_SRC6], NULL,
				   &lookup.src, &family, info->extack);
	if (err)
		return err;
	if (family != lookup.family) {
		NL_SET_ERR_MSG_MOD(info->extack,
				   "Source and destination are of different families");
		return -EINVAL;
	}
	rtnl_lock();
	mutex_lock(&lookup.cn->lock);
	err = cni_netlink_reply(info, fill_lookup, &lookup);
	mutex_unlock(&lookup.cn->lock);
	rtnl_unlock();
	return err;
}

static int fill_txn(struct sk_buff *skb, const void *arg)
{
	const struct cni_net *cn = arg;

	return nla_put_u32(skb, CNILINK_A_TABLE_TRANSACTION, cn->txn.id);
}

int cnilink_nl_table_begin_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct cni_net *cn = cni_netlink_net(info);
	int err;

	err = cni_activate(cn, info->extack);
	if (err)
		return err;
	mutex_lock(&cn->lock);
	err = cni_route_begin(cn, get_table_id(info), info->snd_portid,
			      info->extack);
	if (!err) {
		err = cni_netlink_reply(info, fill_txn, cn);
		if (err)
			cni_route_abort(cn);
	}
	mutex_unlock(&cn->lock);
	return err;
}

static int need_txn(struct genl_info *info)
{
	if (!GENL_REQ_ATTR_CHECK(info, CNILINK_A_TABLE_TRANSACTION))
		return 0;
	NL_SET_ERR_MSG_MOD(info->extack, "A transaction's number is needed");
	return -EINVAL;
}

int cnilink_nl_table_commit_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct cni_net *cn = cni_netlink_net(info);
	struct cni_table *table;
	u64 generation;
	int err;
	u32 id;

	err = need_txn(info);
	if (err)
		return err;
	mutex_lock(&cn->lock);
	id = cn->txn.table_id;
	table = cni_route_table(cn, get_txn(info), info->snd_portid, id,
				info->extack);
	err = PTR_ERR_OR_ZERO(table);
	if (err)
		goto unlock;
	cni_fib_fold(cn);
	generation = get_generation(cn, info);
	err = cni_fib_check(cn, generation, info->extack);
	if (!err)
		err = cni_route_commit(cn, generation, info->extack);
	if (!err)
		cni_fib_replay(cn, id, generation);
unlock:
	mutex_unlock(&cn->lock);
	return err;
}

int cnilink_nl_table_abort_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct cni_net *cn = cni_netlink_net(info);
	struct cni_table *table;
	int err;

	err = need_txn(info);
	if (err)
		return err;
	mutex_lock(&cn->lock);
	table = cni_route_table(cn, get_txn(info), info->snd_portid,
				cn->txn.table_id, info->extack);
	err = PTR_ERR_OR_ZERO(table);
	if (!err)
		cni_route_abort(cn);
	mutex_unlock(&cn->lock);
	return err;
}
