// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "base/out.h"
#include "kernel/rtnl.h"

#ifndef IFA_PROTO
#define IFA_PROTO 11
#endif

int rtnl_open(struct nlconn *c)
{
	return nlc_open(c, NETLINK_ROUTE);
}

const char *rtnl_name(uint32_t ifindex)
{
	static char bufs[4][IFNAMSIZ];
	static unsigned int turn;
	char *buf = bufs[turn++ % 4];

	if (!if_indextoname(ifindex, buf))
		snprintf(buf, IFNAMSIZ, "#%u", ifindex);
	return buf;
}

/* Those that are for us to set; the kernel keeps others beside them. */
#define GRE6_FLAGS 0xffff

static void take_end(struct nlattr *attr, struct addr *a)
{
	static const uint8_t any[16];

	if (!attr || !memcmp(nla_data(attr), any, nla_len(attr)))
		return;
	*a = nla_len(attr) == 4 ? addr_from4(nla_get_u32(attr), 32) :
				  addr_from6(nla_data(attr), 128);
}

static void take_gre(struct nlattr *data, struct gre *g)
{
	struct nlattr *tb[IFLA_GRE_MAX + 1];
	uint16_t iflags = 0, oflags = 0;

	nla_parse_nested(tb, IFLA_GRE_MAX, data, NULL);
	take_end(tb[IFLA_GRE_LOCAL], &g->local);
	take_end(tb[IFLA_GRE_REMOTE], &g->remote);
	if (tb[IFLA_GRE_IFLAGS])
		iflags = nla_get_u16(tb[IFLA_GRE_IFLAGS]);
	if (tb[IFLA_GRE_OFLAGS])
		oflags = nla_get_u16(tb[IFLA_GRE_OFLAGS]);
	g->has_ikey = iflags & GRE_KEY;
	g->has_okey = oflags & GRE_KEY;
	g->csum = (iflags | oflags) & GRE_CSUM;
	g->seq = (iflags | oflags) & GRE_SEQ;
	g->ignore_df = tb[IFLA_GRE_IGNORE_DF] &&
		       nla_get_u8(tb[IFLA_GRE_IGNORE_DF]);
	g->external = tb[IFLA_GRE_COLLECT_METADATA];
	if (tb[IFLA_GRE_ENCAP_TYPE])
		g->encap = nla_get_u16(tb[IFLA_GRE_ENCAP_TYPE]);
	if (tb[IFLA_GRE_FWMARK])
		g->fwmark = nla_get_u32(tb[IFLA_GRE_FWMARK]);
	if (g->has_ikey && tb[IFLA_GRE_IKEY])
		g->ikey = ntohl(nla_get_u32(tb[IFLA_GRE_IKEY]));
	if (g->has_okey && tb[IFLA_GRE_OKEY])
		g->okey = ntohl(nla_get_u32(tb[IFLA_GRE_OKEY]));
	if (tb[IFLA_GRE_TTL])
		g->ttl = nla_get_u8(tb[IFLA_GRE_TTL]);
	if (tb[IFLA_GRE_TOS])
		g->tos = nla_get_u8(tb[IFLA_GRE_TOS]);
	if (tb[IFLA_GRE_PMTUDISC])
		g->pmtudisc = nla_get_u8(tb[IFLA_GRE_PMTUDISC]);
	if (tb[IFLA_GRE_FLAGS])
		g->flags = nla_get_u32(tb[IFLA_GRE_FLAGS]) & GRE6_FLAGS;
	if (tb[IFLA_GRE_FLOWINFO])
		g->flowinfo = ntohl(nla_get_u32(tb[IFLA_GRE_FLOWINFO]));
	if (tb[IFLA_GRE_ENCAP_LIMIT])
		g->encap_limit = nla_get_u8(tb[IFLA_GRE_ENCAP_LIMIT]);
}

static void take_linkinfo(struct nlattr *info, struct netdev *dev)
{
	struct nlattr *tb[IFLA_INFO_MAX + 1];
	struct nlattr *vlan[IFLA_VLAN_MAX + 1];

	nla_parse_nested(tb, IFLA_INFO_MAX, info, NULL);
	if (!tb[IFLA_INFO_KIND])
		return;
	nla_strlcpy(dev->kind, tb[IFLA_INFO_KIND], sizeof(dev->kind));
	if (!tb[IFLA_INFO_DATA])
		return;
	if (!strcmp(dev->kind, "vlan")) {
		nla_parse_nested(vlan, IFLA_VLAN_MAX, tb[IFLA_INFO_DATA],
				 NULL);
		if (vlan[IFLA_VLAN_ID])
			dev->vlan_id = nla_get_u16(vlan[IFLA_VLAN_ID]);
		if (vlan[IFLA_VLAN_PROTOCOL])
			dev->vlan_proto =
				ntohs(nla_get_u16(vlan[IFLA_VLAN_PROTOCOL]));
	} else if (!strcmp(dev->kind, "gre") || !strcmp(dev->kind, "ip6gre")) {
		take_gre(tb[IFLA_INFO_DATA], &dev->gre);
		dev->gre.v6 = !strcmp(dev->kind, "ip6gre");
	}
}

static void take_af_spec(struct nlattr *spec, struct netdev *dev)
{
	struct nlattr *tb[AF_MAX], *v6[IFLA_INET6_MAX + 1];

	nla_parse_nested(tb, AF_MAX - 1, spec, NULL);
	if (!tb[AF_INET6])
		return;
	nla_parse_nested(v6, IFLA_INET6_MAX, tb[AF_INET6], NULL);
	if (v6[IFLA_INET6_ADDR_GEN_MODE])
		dev->addrgenmode = nla_get_u8(v6[IFLA_INET6_ADDR_GEN_MODE]);
}

static int take_dev(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *ifi = nlmsg_data(nlh);
	struct nlattr *tb[IFLA_MAX + 1];
	struct netdev *dev = arg;

	nlx_parse(nlh, sizeof(*ifi), tb, IFLA_MAX);
	dev->ifindex = ifi->ifi_index;
	dev->flags = ifi->ifi_flags;
	if (tb[IFLA_IFNAME])
		nla_strlcpy(dev->name, tb[IFLA_IFNAME], sizeof(dev->name));
	if (tb[IFLA_IFALIAS])
		nla_strlcpy(dev->alias, tb[IFLA_IFALIAS], sizeof(dev->alias));
	if (tb[IFLA_MTU])
		dev->mtu = nla_get_u32(tb[IFLA_MTU]);
	if (tb[IFLA_LINK])
		dev->parent = nla_get_u32(tb[IFLA_LINK]);
	if (tb[IFLA_MASTER])
		dev->master = nla_get_u32(tb[IFLA_MASTER]);
	if (tb[IFLA_CARRIER])
		dev->carrier = nla_get_u8(tb[IFLA_CARRIER]);
	if (tb[IFLA_LINKINFO]) {
		take_linkinfo(tb[IFLA_LINKINFO], dev);
		dev->info_len = nla_memcpy(dev->info, tb[IFLA_LINKINFO],
					   sizeof(dev->info));
	}
	if (tb[IFLA_AF_SPEC])
		take_af_spec(tb[IFLA_AF_SPEC], dev);
	return 0;
}

int rtnl_dev(struct nlconn *c, const char *name, struct netdev *dev)
{
	struct ifinfomsg ifi = {};
	struct nl_msg *msg;
	int rc;

	memset(dev, 0, sizeof(*dev));
	msg = nlx_msg(RTM_GETLINK, 0, &ifi, sizeof(ifi));
	nlx_str(msg, IFLA_IFNAME, name);
	rc = nlc_talk(c, msg, take_dev, dev);
	if (!rc && !dev->ifindex)
		rc = -ENODEV;
	return rc;
}

struct dev_list {
	struct netdev *list;
	unsigned int n;
};

static int take_devs(const struct nlmsghdr *nlh, void *arg)
{
	struct dev_list *l = arg;

	if (!nlh) {
		l->n = 0;
		return 0;
	}
	l->list = xrealloc(l->list, (l->n + 1) * sizeof(*l->list));
	memset(&l->list[l->n], 0, sizeof(*l->list));
	return take_dev(nlh, &l->list[l->n++]);
}

int rtnl_devs(struct nlconn *c, struct netdev **list, unsigned int *n)
{
	struct ifinfomsg ifi = {};
	struct dev_list l = {};
	int rc;

	rc = nlc_dump(c, nlx_msg(RTM_GETLINK, 0, &ifi, sizeof(ifi)), take_devs,
		      &l);
	*list = l.list;
	*n = l.n;
	return rc;
}

int rtnl_vlan_add(struct nlconn *c, uint32_t parent, const char *name,
		  uint16_t id, uint32_t mtu)
{
	struct ifinfomsg ifi = {};
	struct nlattr *info, *data;
	struct nl_msg *msg;

	msg = nlx_msg(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &ifi,
		      sizeof(ifi));
	nlx_str(msg, IFLA_IFNAME, name);
	nlx_u32(msg, IFLA_LINK, parent);
	nlx_u32(msg, IFLA_MTU, mtu);
	info = nlx_nest(msg, IFLA_LINKINFO);
	nlx_str(msg, IFLA_INFO_KIND, "vlan");
	data = nlx_nest(msg, IFLA_INFO_DATA);
	nlx_u16(msg, IFLA_VLAN_ID, id);
	nla_nest_end(msg, data);
	nla_nest_end(msg, info);
	return nlc_talk(c, msg, NULL, NULL);
}

bool rtnl_vlan_find(struct nlconn *c, uint32_t parent, uint16_t id,
		    char name[IFNAMSIZ])
{
	struct netdev *list;
	unsigned int n, i;
	bool found = false;

	if (rtnl_devs(c, &list, &n))
		n = 0;
	for (i = 0; i < n && !found; i++) {
		if (strcmp(list[i].kind, "vlan") || list[i].vlan_id != id ||
		    list[i].parent != parent ||
		    list[i].vlan_proto != ETH_P_8021Q)
			continue;
		strcpy(name, list[i].name);
		found = true;
	}
	free(list);
	return found;
}

int rtnl_gre_set(struct nlconn *c, uint32_t ifindex, const char *name,
		 const struct gre *gre, uint32_t mtu)
{
	struct ifinfomsg ifi = { .ifi_index = ifindex };
	int flags = ifindex ? 0 : NLM_F_CREATE | NLM_F_EXCL;
	struct nlattr *info, *data;
	struct nl_msg *msg;

	msg = nlx_msg(RTM_NEWLINK, flags, &ifi, sizeof(ifi));
	if (!ifindex)
		nlx_str(msg, IFLA_IFNAME, name);
	nlx_u32(msg, IFLA_MTU, mtu);
	info = nlx_nest(msg, IFLA_LINKINFO);
	nlx_str(msg, IFLA_INFO_KIND, gre->v6 ? "ip6gre" : "gre");
	data = nlx_nest(msg, IFLA_INFO_DATA);
	if (gre->v6) {
		if (gre->local.family)
			nlx_addr(msg, IFLA_GRE_LOCAL, &gre->local);
		if (gre->remote.family)
			nlx_addr(msg, IFLA_GRE_REMOTE, &gre->remote);
		nlx_u32(msg, IFLA_GRE_FLAGS, gre->flags);
		nlx_u32(msg, IFLA_GRE_FLOWINFO, htonl(gre->flowinfo));
		nlx_u8(msg, IFLA_GRE_ENCAP_LIMIT, gre->encap_limit);
	} else {
		nlx_u32(msg, IFLA_GRE_LOCAL,
			gre->local.family ? addr_be32(&gre->local) : 0);
		nlx_u32(msg, IFLA_GRE_REMOTE,
			gre->remote.family ? addr_be32(&gre->remote) : 0);
		nlx_u8(msg, IFLA_GRE_TOS, gre->tos);
		nlx_u8(msg, IFLA_GRE_PMTUDISC, gre->pmtudisc);
	}
	nlx_u16(msg, IFLA_GRE_IFLAGS, gre->has_ikey ? GRE_KEY : 0);
	nlx_u16(msg, IFLA_GRE_OFLAGS, gre->has_okey ? GRE_KEY : 0);
	nlx_u32(msg, IFLA_GRE_IKEY, htonl(gre->ikey));
	nlx_u32(msg, IFLA_GRE_OKEY, htonl(gre->okey));
	nlx_u8(msg, IFLA_GRE_TTL, gre->ttl);
	nla_nest_end(msg, data);
	nla_nest_end(msg, info);
	return nlc_talk(c, msg, NULL, NULL);
}

int rtnl_dev_reset(struct nlconn *c, const struct netdev *dev)
{
	struct ifinfomsg ifi = { .ifi_index = dev->ifindex };
	struct nl_msg *msg = nlx_msg(RTM_NEWLINK, 0, &ifi, sizeof(ifi));

	nlx_u32(msg, IFLA_MTU, dev->mtu);
	nlx_put(msg, IFLA_LINKINFO | NLA_F_NESTED, dev->info, dev->info_len);
	return nlc_talk(c, msg, NULL, NULL);
}

int rtnl_dev_up(struct nlconn *c, uint32_t ifindex, bool up)
{
	struct ifinfomsg ifi = {
		.ifi_index = ifindex,
		.ifi_flags = up ? IFF_UP : 0,
		.ifi_change = IFF_UP,
	};

	return nlc_talk(c, nlx_msg(RTM_NEWLINK, 0, &ifi, sizeof(ifi)), NULL,
			NULL);
}

int rtnl_dev_mtu(struct nlconn *c, uint32_t ifindex, uint32_t mtu)
{
	struct ifinfomsg ifi = { .ifi_index = ifindex };
	struct nl_msg *msg = nlx_msg(RTM_NEWLINK, 0, &ifi, sizeof(ifi));

	nlx_u32(msg, IFLA_MTU, mtu);
	return nlc_talk(c, msg, NULL, NULL);
}

int rtnl_dev_alias(struct nlconn *c, uint32_t ifindex, const char *alias)
{
	struct ifinfomsg ifi = { .ifi_index = ifindex };
	struct nl_msg *msg = nlx_msg(RTM_NEWLINK, 0, &ifi, sizeof(ifi));

	/* No end of string: the kernel keeps these bytes as they are. */
	nlx_put(msg, IFLA_IFALIAS, alias, strlen(alias));
	return nlc_talk(c, msg, NULL, NULL);
}

int rtnl_dev_addrgen(struct nlconn *c, uint32_t ifindex, uint8_t mode)
{
	struct ifinfomsg ifi = { .ifi_index = ifindex };
	struct nl_msg *msg = nlx_msg(RTM_NEWLINK, 0, &ifi, sizeof(ifi));
	struct nlattr *spec, *v6;

	spec = nlx_nest(msg, IFLA_AF_SPEC);
	v6 = nlx_nest(msg, AF_INET6);
	nlx_u8(msg, IFLA_INET6_ADDR_GEN_MODE, mode);
	nla_nest_end(msg, v6);
	nla_nest_end(msg, spec);
	return nlc_talk(c, msg, NULL, NULL);
}

int rtnl_dev_del(struct nlconn *c, uint32_t ifindex)
{
	struct ifinfomsg ifi = { .ifi_index = ifindex };

	return nlc_talk(c, nlx_msg(RTM_DELLINK, 0, &ifi, sizeof(ifi)), NULL,
			NULL);
}

struct addr_list {
	uint32_t ifindex;
	struct devaddr *list;
	unsigned int n;
};

static int take_addr(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifaddrmsg *ifa;
	struct nlattr *tb[IFA_PROTO + 1], *a;
	struct addr_list *l = arg;
	struct devaddr *i;

	if (!nlh) {
		l->n = 0;
		return 0;
	}
	ifa = nlmsg_data(nlh);
	if (l->ifindex && ifa->ifa_index != l->ifindex)
		return 0;
	nlx_parse(nlh, sizeof(*ifa), tb, IFA_PROTO);
	a = tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS];
	if (!a)
		return 0;
	l->list = xrealloc(l->list, (l->n + 1) * sizeof(*l->list));
	i = &l->list[l->n];
	memset(i, 0, sizeof(*i));
	if (ifa->ifa_family == AF_INET && nla_len(a) >= 4)
		i->a = addr_from4(nla_get_u32(a), ifa->ifa_prefixlen);
	else if (ifa->ifa_family == AF_INET6 && nla_len(a) >= 16)
		i->a = addr_from6(nla_data(a), ifa->ifa_prefixlen);
	else
		return 0;
	i->flags = tb[IFA_FLAGS] ? nla_get_u32(tb[IFA_FLAGS]) :
				   ifa->ifa_flags;
	i->ifindex = ifa->ifa_index;
	i->proto = tb[IFA_PROTO] ? nla_get_u8(tb[IFA_PROTO]) : 0;
	l->n++;
	return 0;
}

int rtnl_addrs(struct nlconn *c, uint32_t ifindex, struct devaddr **list,
	       unsigned int *n)
{
	struct ifaddrmsg ifa = { .ifa_index = ifindex };
	struct addr_list l = { .ifindex = ifindex };
	int rc;

	rc = nlc_dump(c, nlx_msg(RTM_GETADDR, 0, &ifa, sizeof(ifa)), take_addr,
		      &l);
	*list = l.list;
	*n = l.n;
	return rc;
}

static int change_addr(struct nlconn *c, int type, int flags,
		       uint32_t ifindex, const struct addr *a)
{
	struct ifaddrmsg ifa = {
		.ifa_family = a->family,
		.ifa_prefixlen = a->len,
		.ifa_index = ifindex,
	};
	struct nl_msg *msg = nlx_msg(type, flags, &ifa, sizeof(ifa));

	nlx_addr(msg, IFA_LOCAL, a);
	nlx_addr(msg, IFA_ADDRESS, a);
	if (type == RTM_NEWADDR)
		nlx_u8(msg, IFA_PROTO, PROTO_UP);
	return nlc_talk(c, msg, NULL, NULL);
}

int rtnl_addr_add(struct nlconn *c, uint32_t ifindex, const struct addr *a)
{
	return change_addr(c, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, ifindex,
			   a);
}

int rtnl_addr_del(struct nlconn *c, uint32_t ifindex, const struct addr *a)
{
	return change_addr(c, RTM_DELADDR, 0, ifindex, a);
}

static void put_hops(struct nl_msg *msg, const struct rtnl_route *r)
{
	struct nlattr *nest = nla_nest_start(msg, RTA_MULTIPATH);
	const struct khop *h;
	struct rtnexthop *n;
	unsigned int i, at;

	for (i = 0; nest && i < r->n_hops; i++) {
		h = &r->hops[i];
		n = nlmsg_reserve(msg, sizeof(*n), NLMSG_ALIGNTO);
		if (!n)
			break;
		at = (char *)n - (char *)nlmsg_hdr(msg);
		memset(n, 0, sizeof(*n));
		n->rtnh_ifindex = h->oif;
		n->rtnh_hops = h->weight - 1;
		if (h->via.family)
			nlx_addr(msg, RTA_GATEWAY, &h->via);
		n->rtnh_len = nlmsg_hdr(msg)->nlmsg_len - at;
	}
	if (nest)
		nla_nest_end(msg, nest);
}

static int change_route(struct nlconn *c, int type, int flags,
			const struct rtnl_route *r)
{
	struct rtmsg rtm = {
		.rtm_family = r->dst.family,
		.rtm_dst_len = r->dst.len,
		.rtm_table = r->table ? RT_TABLE_UNSPEC : RT_TABLE_MAIN,
		.rtm_protocol = r->proto,
		.rtm_type = RTN_UNICAST,
		.rtm_scope = r->via.family || r->n_hops ||
			     r->dst.family == AF_INET6 ?
			     RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
	};
	struct nl_msg *msg;

	if (type == RTM_DELROUTE)
		rtm.rtm_scope = RT_SCOPE_NOWHERE;
	msg = nlx_msg(type, flags, &rtm, sizeof(rtm));
	if (r->dst.len)
		nlx_addr(msg, RTA_DST, &r->dst);
	if (r->table)
		nlx_u32(msg, RTA_TABLE, r->table);
	if (r->n_hops)
		put_hops(msg, r);
	if (r->via.family)
		nlx_addr(msg, RTA_GATEWAY, &r->via);
	if (r->oif)
		nlx_u32(msg, RTA_OIF, r->oif);
	return nlc_talk(c, msg, NULL, NULL);
}

int rtnl_route_add(struct nlconn *c, const struct rtnl_route *r, int flags)
{
	return change_route(c, RTM_NEWROUTE, flags, r);
}

int rtnl_route_del(struct nlconn *c, const struct rtnl_route *r)
{
	return change_route(c, RTM_DELROUTE, 0, r);
}

static int change_rule(struct nlconn *c, int type, int flags,
		       const struct addr *src, uint32_t table)
{
	struct fib_rule_hdr frh = {
		.family = src->family,
		.src_len = addr_bits(src),
		.action = FR_ACT_TO_TBL,
	};
	struct nl_msg *msg = nlx_msg(type, flags, &frh, sizeof(frh));

	nlx_addr(msg, FRA_SRC, src);
	nlx_u32(msg, FRA_TABLE, table);
	/* Before main's, and before those that lead elsewhere by source. */
	nlx_u32(msg, FRA_PRIORITY, PROTO_UP);
	nlx_u8(msg, FRA_PROTOCOL, PROTO_UP);
	return nlc_talk(c, msg, NULL, NULL);
}

int rtnl_rule_add(struct nlconn *c, const struct addr *src, uint32_t table)
{
	return change_rule(c, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, src,
			   table);
}

int rtnl_rule_del(struct nlconn *c, const struct addr *src, uint32_t table)
{
	return change_rule(c, RTM_DELRULE, 0, src, table);
}

struct rule_list {
	const struct addr *src;
	uint32_t *tables;
	unsigned int n;
};

static int take_rule(const struct nlmsghdr *nlh, void *arg)
{
	const struct fib_rule_hdr *frh;
	struct nlattr *tb[FRA_MAX + 1];
	struct rule_list *l = arg;

	if (!nlh) {
		l->n = 0;
		return 0;
	}
	frh = nlmsg_data(nlh);
	if (nlh->nlmsg_type != RTM_NEWRULE || frh->family != l->src->family ||
	    frh->src_len != addr_bits(l->src))
		return 0;
	nlx_parse(nlh, sizeof(*frh), tb, FRA_MAX);
	if (!tb[FRA_PROTOCOL] || nla_get_u8(tb[FRA_PROTOCOL]) != PROTO_UP ||
	    !tb[FRA_TABLE] || !tb[FRA_SRC] ||
	    nla_len(tb[FRA_SRC]) != (int)addr_bytes(l->src) ||
	    memcmp(nla_data(tb[FRA_SRC]), l->src->b, addr_bytes(l->src)))
		return 0;
	l->tables = xrealloc(l->tables, (l->n + 1) * sizeof(*l->tables));
	l->tables[l->n++] = nla_get_u32(tb[FRA_TABLE]);
	return 0;
}

int rtnl_rules(struct nlconn *c, const struct addr *src, uint32_t **tables,
	       unsigned int *n)
{
	struct fib_rule_hdr frh = { .family = src->family };
	struct rule_list l = { .src = src };
	int rc;

	rc = nlc_dump(c, nlx_msg(RTM_GETRULE, 0, &frh, sizeof(frh)), take_rule,
		      &l);
	*tables = l.tables;
	*n = l.n;
	return rc;
}

struct rule_sought {
	int family;
	uint32_t table;
	bool there;
};

static int seek_rule(const struct nlmsghdr *nlh, void *arg)
{
	const struct fib_rule_hdr *frh;
	struct nlattr *tb[FRA_MAX + 1];
	struct rule_sought *s = arg;

	if (!nlh) {
		s->there = false;
		return 0;
	}
	frh = nlmsg_data(nlh);
	if (nlh->nlmsg_type != RTM_NEWRULE || frh->family != s->family ||
	    frh->action != FR_ACT_TO_TBL)
		return 0;
	nlx_parse(nlh, sizeof(*frh), tb, FRA_MAX);
	if ((tb[FRA_TABLE] ? nla_get_u32(tb[FRA_TABLE]) : frh->table) ==
	    s->table)
		s->there = true;
	return 0;
}

int rtnl_rule_leads(struct nlconn *c, int family, uint32_t table)
{
	struct fib_rule_hdr frh = { .family = family };
	struct rule_sought s = { .family = family, .table = table };
	int rc;

	rc = nlc_dump(c, nlx_msg(RTM_GETRULE, 0, &frh, sizeof(frh)), seek_rule,
		      &s);
	return rc ? rc : s.there;
}

int rtnl_route_restore(struct nlconn *c, const struct nlmsghdr *raw)
{
	struct nl_msg *msg;

	msg = nlx_msg(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE,
		      nlmsg_data(raw), nlmsg_datalen(raw));
	return nlc_talk(c, msg, NULL, NULL);
}

struct route_walk {
	int (*fn)(const struct kroute *r, const struct nlmsghdr *raw,
		  void *arg);
	void *arg;
	uint32_t table;
};

static int take_route(const struct nlmsghdr *nlh, void *arg)
{
	struct route_walk *w = arg;
	struct kroute r;

	if (!nlh)
		return w->fn(NULL, NULL, w->arg);
	if (!kroute_parse(nlh, &r) || r.table != w->table)
		return 0;
	return w->fn(&r, nlh, w->arg);
}

int rtnl_routes(struct nlconn *c, int family, uint32_t table,
		int (*fn)(const struct kroute *r, const struct nlmsghdr *raw,
			  void *arg), void *arg)
{
	struct rtmsg rtm = { .rtm_family = family };
	struct route_walk w = { fn, arg, table };
	struct nl_msg *msg;
	int rc;

	msg = nlx_msg(RTM_GETROUTE, 0, &rtm, sizeof(rtm));
	nlx_u32(msg, RTA_TABLE, table);
	rc = nlc_dump(c, msg, take_route, &w);
	/* A table that nobody has put a route into yet doesn't exist. */
	return rc == -ENOENT ? 0 : rc;
}

static int take_answer(const struct nlmsghdr *nlh, void *arg)
{
	kroute_parse(nlh, arg);
	return 0;
}

int rtnl_route_get_from(struct nlconn *c, const struct addr *dst,
			const struct addr *src, uint32_t iif, struct kroute *r)
{
	struct rtmsg rtm = {
		.rtm_family = dst->family,
		.rtm_dst_len = addr_bits(dst),
		.rtm_src_len = src->family ? addr_bits(src) : 0,
		/* IPv6 tells the table without being asked. */
		.rtm_flags = RTM_F_FIB_MATCH | (dst->family == AF_INET ?
						RTM_F_LOOKUP_TABLE : 0),
	};
	struct nl_msg *msg = nlx_msg(RTM_GETROUTE, 0, &rtm, sizeof(rtm));
	int rc;

	memset(r, 0, sizeof(*r));
	nlx_addr(msg, RTA_DST, dst);
	if (src->family)
		nlx_addr(msg, RTA_SRC, src);
	if (iif)
		nlx_u32(msg, RTA_IIF, iif);
	rc = nlc_talk(c, msg, take_answer, r);
	return rc ? rc : r->dst.family ? 0 : -ENOENT;
}

int rtnl_route_get(struct nlconn *c, const struct addr *dst, struct kroute *r)
{
	return rtnl_route_get_from(c, dst, &(struct addr){}, 0, r);
}

static int take_neigh(const struct nlmsghdr *nlh, void *arg)
{
	const struct ndmsg *nd = nlmsg_data(nlh);

	*(uint16_t *)arg = nd->ndm_state;
	return 0;
}

int rtnl_neigh(struct nlconn *c, uint32_t ifindex, const struct addr *a,
	       uint16_t *state)
{
	struct ndmsg nd = {
		.ndm_family = a->family,
		.ndm_ifindex = ifindex,
	};
	struct nl_msg *msg = nlx_msg(RTM_GETNEIGH, 0, &nd, sizeof(nd));

	*state = 0;
	nlx_addr(msg, NDA_DST, a);
	return nlc_talk(c, msg, take_neigh, state);
}
