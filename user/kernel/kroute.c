// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "base/out.h"
#include "kernel/kroute.h"
#include "kernel/nl.h"

static struct khop *hops;
static unsigned int n_hops, hops_size;

/* FNV-1a. */
static uint32_t mix(uint32_t h, const void *data, size_t size)
{
	const uint8_t *p = data;

	while (size--)
		h = (h ^ *p++) * 16777619;
	return h;
}

#define MIX_START 2166136261u

static struct khop *new_hop(void)
{
	if (n_hops == hops_size) {
		hops_size = hops_size ? hops_size * 2 : 8;
		hops = xrealloc(hops, hops_size * sizeof(*hops));
	}
	hops[n_hops] = (struct khop){
		.weight = 1, .ident = MIX_START, .plain = true,
	};
	return &hops[n_hops++];
}

static void take_gateway(struct khop *h, int family, const struct nlattr *a)
{
	if (nla_len(a) < (family == AF_INET ? 4 : 16)) {
		h->plain = false;
		return;
	}
	h->via = family == AF_INET ? addr_from4(nla_get_u32(a), 32) :
				     addr_from6(nla_data(a), 128);
}

/* RTA_VIA: a gateway of any family, in practice the other one. */
static void take_via(struct khop *h, const struct nlattr *a)
{
	const struct rtvia *via = nla_data(a);
	int len = nla_len(a) - (int)sizeof(*via);

	h->plain = false;
	if (len >= 4 && via->rtvia_family == AF_INET)
		h->via = addr_from4(*(uint32_t *)via->rtvia_addr, 32);
	else if (len >= 16 && via->rtvia_family == AF_INET6)
		h->via = addr_from6(via->rtvia_addr, 128);
}

static void seal_hop(struct khop *h, uint8_t type)
{
	h->ident = mix(h->ident, &h->oif, sizeof(h->oif));
	h->ident = mix(h->ident, &h->via, sizeof(h->via));
	h->ident = mix(h->ident, &type, 1);
}

static void take_multipath(struct kroute *r, const struct nlattr *mp)
{
	const struct rtnexthop *n = nla_data(mp);
	int left = nla_len(mp), alen;
	struct nlattr *a;
	struct khop *h;

	while (left >= (int)sizeof(*n) && n->rtnh_len >= sizeof(*n) &&
	       n->rtnh_len <= left) {
		h = new_hop();
		h->oif = n->rtnh_ifindex;
		h->weight = n->rtnh_hops + 1;
		h->dead = n->rtnh_flags & RTNH_F_DEAD;
		alen = n->rtnh_len - sizeof(*n);
		nla_for_each_attr(a, (struct nlattr *)RTNH_DATA(n), alen,
				  alen) {
			switch (nla_type(a)) {
			case RTA_GATEWAY:
				take_gateway(h, r->dst.family, a);
				break;
			case RTA_VIA:
				take_via(h, a);
				break;
			case RTA_ENCAP:
			case RTA_ENCAP_TYPE:
				h->plain = false;
				h->ident = mix(h->ident, nla_data(a),
					       nla_len(a));
				break;
			}
		}
		seal_hop(h, r->type);
		left -= RTNH_ALIGN(n->rtnh_len);
		n = RTNH_NEXT(n);
	}
}

/* In a route's cache information: what is left of its lifetime. */
static bool has_lifetime(struct nlattr *a)
{
	const struct rta_cacheinfo *ci = nla_data(a);

	return nla_len(a) >= (int)sizeof(*ci) && ci->rta_expires;
}

/* A route's own MTU is for the kernel to keep to. */
static bool limits_mtu(struct nlattr *metrics)
{
	struct nlattr *mtu = nla_find(nla_data(metrics), nla_len(metrics),
				      RTAX_MTU);

	return mtu && nla_len(mtu) >= 4 && nla_get_u32(mtu);
}

bool kroute_is_plain_metric(const struct kroute *r)
{
	return r->prio == (r->dst.family == AF_INET ? 0 : 1024) && !r->tos;
}

/* All but the attributes; false for what isn't a route of a FIB. */
static bool take_header(const struct nlmsghdr *nlh, struct kroute *r)
{
	const struct rtmsg *rtm = nlmsg_data(nlh);

	if (nlh->nlmsg_len < NLMSG_LENGTH(sizeof(*rtm)))
		return false;
	if (rtm->rtm_family != AF_INET && rtm->rtm_family != AF_INET6)
		return false;
	if (rtm->rtm_flags & RTM_F_CLONED)
		return false;
	memset(r, 0, sizeof(*r));
	r->del = nlh->nlmsg_type == RTM_DELROUTE;
	r->flags = nlh->nlmsg_flags;
	r->dst.family = rtm->rtm_family;
	r->dst.len = rtm->rtm_dst_len;
	if (r->dst.len > addr_bits(&r->dst))
		return false;
	r->table = rtm->rtm_table;
	r->tos = rtm->rtm_tos;
	r->proto = rtm->rtm_protocol;
	r->scope = rtm->rtm_scope;
	r->type = rtm->rtm_type;
	r->has_src = rtm->rtm_src_len != 0;
	r->plain = r->type == RTN_UNICAST && !r->has_src;
	/* It gets its lifetime after it was told of. */
	r->ends = r->proto == RTPROT_RA;
	/* Up to the type, which a next hop object may change. */
	r->ident = mix(MIX_START, &rtm->rtm_tos,
		       offsetof(struct rtmsg, rtm_type) -
		       offsetof(struct rtmsg, rtm_tos));
	return true;
}

/* Of the route, or of its hop where there is one. Whether it's in its ident. */
static bool take_attr(struct kroute *r, struct khop *h, struct nlattr *a)
{
	int len = nla_len(a);

	switch (nla_type(a)) {
	case RTA_DST:
		if (len >= (int)addr_bytes(&r->dst))
			memcpy(r->dst.b, nla_data(a), addr_bytes(&r->dst));
		return false;
	case RTA_TABLE:
		if (len >= 4)
			r->table = nla_get_u32(a);
		return false;
	case RTA_PRIORITY:
		if (len >= 4)
			r->prio = nla_get_u32(a);
		return false;
	case RTA_OIF:
		if (len >= 4)
			h->oif = nla_get_u32(a);
		return false;
	case RTA_GATEWAY:
		take_gateway(h, r->dst.family, a);
		return false;
	case RTA_VIA:
		take_via(h, a);
		return false;
	case RTA_PREFSRC:
		if (len >= (int)addr_bytes(&r->dst)) {
			r->prefsrc.family = r->dst.family;
			memcpy(r->prefsrc.b, nla_data(a), addr_bytes(&r->dst));
		}
		return true;
	case RTA_NH_ID:
		if (len >= 4)
			r->nh_object = nla_get_u32(a);
		return true;
	case RTA_SRC:
		h->ident = mix(h->ident, nla_data(a), len);
		return true;
	case RTA_ENCAP:
	case RTA_ENCAP_TYPE:
		h->plain = false;
		h->ident = mix(h->ident, nla_data(a), len);
		return false;
	case RTA_METRICS:
		if (limits_mtu(a))
			r->plain = false;
		return true;
	case RTA_FLOW:
		return true;
	case RTA_CACHEINFO:
		r->ends |= has_lifetime(a);
		return false;
	default:
		/* Clocks and the like, different in every message. */
		return false;
	}
}

bool kroute_parse(const struct nlmsghdr *nlh, struct kroute *r)
{
	const struct rtmsg *rtm = nlmsg_data(nlh);
	const struct nlattr *mp = NULL;
	struct nlattr *a;
	struct khop *h;
	unsigned int i;
	int left;

	if (!take_header(nlh, r))
		return false;
	n_hops = 0;
	h = new_hop();
	h->dead = rtm->rtm_flags & RTNH_F_DEAD;

	left = nlmsg_attrlen(nlh, sizeof(*rtm));
	nla_for_each_attr(a, nlmsg_attrdata(nlh, sizeof(*rtm)), left, left) {
		if (nla_type(a) == RTA_MULTIPATH)
			mp = a;
		if (!take_attr(r, h, a))
			continue;
		r->ident = mix(r->ident, a, 4);
		r->ident = mix(r->ident, nla_data(a), nla_len(a));
	}
	if (mp) {
		/* The place of the single hop. */
		n_hops = 0;
		r->multipath = true;
		take_multipath(r, mp);
	} else {
		seal_hop(h, r->type);
	}
	for (i = 0; !r->nh_object && i < n_hops; i++)
		r->ident = mix(r->ident, &hops[i].ident,
			       sizeof(hops[i].ident));
	r->hops = hops;
	r->n_hops = n_hops;
	return true;
}

static struct knexthop_member *members;
static unsigned int members_size;

static void take_group(struct knexthop *n, const struct nlattr *a)
{
	const struct nexthop_grp *g = nla_data(a);
	const uint8_t *low;
	unsigned int i;

	n->group = true;
	n->n_members = nla_len(a) / sizeof(*g);
	if (n->n_members > members_size) {
		members_size = n->n_members;
		members = xrealloc(members, members_size * sizeof(*members));
	}
	for (i = 0; i < n->n_members; i++) {
		members[i].id = g[i].id;
		/* The high byte is a reserved one, and 0, in older headers. */
		low = &g[i].weight;
		members[i].weight = (low[1] << 8 | low[0]) + 1;
	}
	n->members = members;
}

bool kroute_parse_nexthop(const struct nlmsghdr *nlh, struct knexthop *n)
{
	const struct nhmsg *nhm = nlmsg_data(nlh);
	struct nlattr *tb[NHA_FDB + 1];
	bool special;

	if (nlh->nlmsg_len < NLMSG_LENGTH(sizeof(*nhm)))
		return false;
	nlx_parse(nlh, sizeof(*nhm), tb, NHA_FDB);
	if (!tb[NHA_ID] || nla_len(tb[NHA_ID]) < 4)
		return false;
	memset(n, 0, sizeof(*n));
	n->del = nlh->nlmsg_type == RTM_DELNEXTHOP;
	n->id = nla_get_u32(tb[NHA_ID]);
	special = tb[NHA_FDB] || tb[NHA_BLACKHOLE] || tb[NHA_ENCAP] ||
		  tb[NHA_ENCAP_TYPE];
	if (tb[NHA_GROUP]) {
		take_group(n, tb[NHA_GROUP]);
		/* Resilient groups remember flows: not to be followed. */
		n->plain = !special && tb[NHA_GROUP_TYPE] &&
			   nla_len(tb[NHA_GROUP_TYPE]) >= 2 &&
			   nla_get_u16(tb[NHA_GROUP_TYPE]) ==
			   NEXTHOP_GRP_TYPE_MPATH;
		return true;
	}
	n->family = nhm->nh_family;
	n->hop.weight = 1;
	n->plain = true;
	if (tb[NHA_OIF] && nla_len(tb[NHA_OIF]) >= 4)
		n->hop.oif = nla_get_u32(tb[NHA_OIF]);
	n->hop.plain = !special && n->hop.oif &&
		       (n->family == AF_INET || n->family == AF_INET6);
	if (n->hop.plain && tb[NHA_GATEWAY])
		take_gateway(&n->hop, n->family, tb[NHA_GATEWAY]);
	return true;
}
