// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/rtnetlink.h>
#include <linux/genetlink.h>
#include <netlink/genl/genl.h>

#include "base/out.h"
#include "module/genl.h"

/* A message's size: well below what the socket may hold. */
#define BATCH_BYTES (512 << 10)
#define SEND_BUFFER (4 << 20)

static struct nl_msg *request(struct cni *c, uint8_t cmd)
{
	struct genlmsghdr head = {
		.cmd = cmd, .version = CNILINK_FAMILY_VERSION,
	};

	return nlx_msg(c->family, 0, &head, sizeof(head));
}

static void parse(const struct nlmsghdr *nlh, struct nlattr **tb, int max)
{
	nlx_parse(nlh, GENL_HDRLEN, tb, max);
}

static void take_groups(struct cni *c, struct nlattr *list)
{
	struct nlattr *group, *tb[CTRL_ATTR_MCAST_GRP_MAX + 1];
	const char *name;
	uint32_t id;
	int left;

	nla_for_each_nested(group, list, left) {
		nla_parse_nested(tb, CTRL_ATTR_MCAST_GRP_MAX, group, NULL);
		if (!tb[CTRL_ATTR_MCAST_GRP_NAME] ||
		    !tb[CTRL_ATTR_MCAST_GRP_ID])
			continue;
		name = nla_get_string(tb[CTRL_ATTR_MCAST_GRP_NAME]);
		id = nla_get_u32(tb[CTRL_ATTR_MCAST_GRP_ID]);
		if (!strcmp(name, CNILINK_MCGRP_CONFIG))
			c->group_config = id;
		else if (!strcmp(name, CNILINK_MCGRP_STATE))
			c->group_state = id;
	}
}

static int take_family(const struct nlmsghdr *nlh, void *arg)
{
	struct nlattr *tb[CTRL_ATTR_MAX + 1];
	struct cni *c = arg;

	parse(nlh, tb, CTRL_ATTR_MAX);
	if (tb[CTRL_ATTR_VERSION])
		c->version = nla_get_u32(tb[CTRL_ATTR_VERSION]);
	if (tb[CTRL_ATTR_FAMILY_ID])
		c->family = nla_get_u16(tb[CTRL_ATTR_FAMILY_ID]);
	if (tb[CTRL_ATTR_MCAST_GROUPS])
		take_groups(c, tb[CTRL_ATTR_MCAST_GROUPS]);
	return 0;
}

int cni_open(struct cni *c)
{
	struct genlmsghdr head = { .cmd = CTRL_CMD_GETFAMILY, .version = 1 };
	struct nl_msg *msg;
	int rc;

	memset(c, 0, sizeof(*c));
	rc = nlc_open(&c->nl, NETLINK_GENERIC);
	if (rc)
		return rc;
	nlc_set_buffers(&c->nl, 0, SEND_BUFFER);
	msg = nlx_msg(GENL_ID_CTRL, 0, &head, sizeof(head));
	nlx_str(msg, CTRL_ATTR_FAMILY_NAME, CNILINK_FAMILY_NAME);
	rc = nlc_talk(&c->nl, msg, take_family, c);
	if (!rc && !c->family)
		rc = -ENOENT;
	if (!rc && c->version != CNILINK_FAMILY_VERSION) {
		rc = -EPROTONOSUPPORT;
		err("the kernel module cnilink that is loaded is of another version: its interface has the number %u, and cnictl's %u",
		    c->version, CNILINK_FAMILY_VERSION);
		hint("install the module of cnictl's version, then rmmod cnilink and load it again");
	} else if (rc && rc != -ENOENT) {
		err("can't look for the module: %s",
		    nlc_strerror(&c->nl, rc));
	}
	if (rc)
		cni_close(c);
	return rc;
}

void cni_close(struct cni *c)
{
	nlc_close(&c->nl);
	memset(c, 0, sizeof(*c));
}

void cni_say_missing(void)
{
	err("the kernel module cnilink isn't loaded");
	hint("load it: modprobe cnilink (make install puts it in place)");
	hint("all traffic takes the kernel's own path meanwhile");
}

static void get_u32(struct nlattr *a, uint32_t *v)
{
	if (a && nla_len(a) >= 4)
		*v = nla_get_u32(a);
}

static void get_u64(struct nlattr *a, uint64_t *v)
{
	if (a && nla_len(a) >= 8)
		*v = nla_get_u64(a);
}

static void get_addr(struct nlattr *a4, struct nlattr *a6, struct addr *a)
{
	if (a4 && nla_len(a4) >= 4)
		*a = addr_from4(nla_get_u32(a4), 32);
	else if (a6 && nla_len(a6) >= 16)
		*a = addr_from6(nla_data(a6), 128);
}

static void get_mac(struct nlattr *a, struct cni_mac *mac)
{
	if (!a || nla_len(a) < 6)
		return;
	mac->known = true;
	memcpy(mac->b, nla_data(a), 6);
}

static void get_count(struct nlattr *nest, uint64_t *counts)
{
	struct nlattr *tb[CNILINK_A_COUNT_MAX + 1];
	uint32_t reason = 0;
	uint64_t packets = 0;

	nla_parse_nested(tb, CNILINK_A_COUNT_MAX, nest, NULL);
	get_u32(tb[CNILINK_A_COUNT_REASON], &reason);
	get_u64(tb[CNILINK_A_COUNT_PACKETS], &packets);
	if (reason < CNI_REASONS)
		counts[reason] += packets;
}

static void get_stats(struct nlattr *nest, struct cni_stats *s)
{
	struct nlattr *a;
	int left;

	if (!nest)
		return;
	nla_for_each_nested(a, nest, left) {
		switch (nla_type(a)) {
		case CNILINK_A_STATS_RX_PACKETS:
			get_u64(a, &s->rx_packets);
			break;
		case CNILINK_A_STATS_RX_BYTES:
			get_u64(a, &s->rx_bytes);
			break;
		case CNILINK_A_STATS_TX_PACKETS:
			get_u64(a, &s->tx_packets);
			break;
		case CNILINK_A_STATS_TX_BYTES:
			get_u64(a, &s->tx_bytes);
			break;
		case CNILINK_A_STATS_PUNT:
			get_count(a, s->punt);
			break;
		case CNILINK_A_STATS_DROP:
			get_count(a, s->drop);
			break;
		case CNILINK_A_STATS_XDP_PACKETS:
			get_u64(a, &s->xdp_packets);
			break;
		case CNILINK_A_STATS_XDP_PASS:
			get_count(a, s->xdp_pass);
			break;
		}
	}
}

static void get_seen(const struct nlmsghdr *nlh, struct cni_link *l)
{
	struct nlattr *a, *tb[CNILINK_A_SEEN_MAX + 1];
	struct cni_seen *s;
	int left;

	nlmsg_for_each_attr(a, (struct nlmsghdr *)nlh, GENL_HDRLEN, left) {
		if (nla_type(a) != CNILINK_A_LINK_SEEN ||
		    l->n_seen == CNI_SEEN_MAX)
			continue;
		nla_parse_nested(tb, CNILINK_A_SEEN_MAX, a, NULL);
		s = &l->seen[l->n_seen++];
		if (tb[CNILINK_A_SEEN_VLAN_ID])
			s->vlan_id = nla_get_u16(tb[CNILINK_A_SEEN_VLAN_ID]);
		if (tb[CNILINK_A_SEEN_VLAN_PROTO])
			s->vlan_proto =
				nla_get_u16(tb[CNILINK_A_SEEN_VLAN_PROTO]);
		get_u64(tb[CNILINK_A_SEEN_PACKETS], &s->packets);
		get_u64(tb[CNILINK_A_SEEN_FIRST], &s->first);
		get_u64(tb[CNILINK_A_SEEN_LAST], &s->last);
		get_u32(tb[CNILINK_A_SEEN_IFINDEX], &s->ifindex);
	}
}

void cni_parse_link(const struct nlmsghdr *nlh, struct cni_link *l)
{
	struct nlattr *tb[CNILINK_A_LINK_MAX + 1];

	memset(l, 0, sizeof(*l));
	parse(nlh, tb, CNILINK_A_LINK_MAX);
	get_u32(tb[CNILINK_A_LINK_IFINDEX], &l->ifindex);
	get_addr(tb[CNILINK_A_LINK_LOCAL4], NULL, &l->local4);
	get_addr(tb[CNILINK_A_LINK_PEER4], NULL, &l->peer4);
	get_addr(NULL, tb[CNILINK_A_LINK_LOCAL6], &l->local6);
	get_addr(NULL, tb[CNILINK_A_LINK_PEER6], &l->peer6);
	get_u32(tb[CNILINK_A_LINK_LOWER_IFINDEX], &l->lower);
	if (tb[CNILINK_A_LINK_VLAN_ID])
		l->vlan_id = nla_get_u16(tb[CNILINK_A_LINK_VLAN_ID]);
	if (tb[CNILINK_A_LINK_VLAN_PROTO])
		l->vlan_proto = nla_get_u16(tb[CNILINK_A_LINK_VLAN_PROTO]);
	get_u32(tb[CNILINK_A_LINK_MTU], &l->mtu);
	get_mac(tb[CNILINK_A_LINK_LLADDR4], &l->lladdr4);
	get_mac(tb[CNILINK_A_LINK_LLADDR6], &l->lladdr6);
	get_seen(nlh, l);
	l->vlan_filter = tb[CNILINK_A_LINK_VLAN_FILTER];
	get_u64(tb[CNILINK_A_LINK_BLOCKERS], &l->blockers);
	get_u64(tb[CNILINK_A_LINK_XDP_BLOCKERS], &l->xdp_blockers);
	get_stats(tb[CNILINK_A_LINK_STATS], &l->stats);
}

static void get_health(const struct nlmsghdr *nlh, struct tunopts *o)
{
	struct nlattr *a, *tb[CNILINK_A_HEALTH_MAX + 1];
	struct health_check *h;
	uint32_t flags;
	int left;

	nlmsg_for_each_attr(a, (struct nlmsghdr *)nlh, GENL_HDRLEN, left) {
		if (nla_type(a) != CNILINK_A_TUNNEL_HEALTH ||
		    o->n_health == TUNOPTS_MAX_HEALTH)
			continue;
		nla_parse_nested(tb, CNILINK_A_HEALTH_MAX, a, NULL);
		h = &o->health[o->n_health++];
		flags = 0;
		get_u32(tb[CNILINK_A_HEALTH_FLAGS], &flags);
		h->request = flags & CNILINK_HEALTH_FLAG_REQUEST;
		h->unidirectional = flags & CNILINK_HEALTH_FLAG_UNIDIRECTIONAL;
		get_addr(tb[CNILINK_A_HEALTH_LOCAL4],
			 tb[CNILINK_A_HEALTH_LOCAL6], &h->local);
		get_addr(tb[CNILINK_A_HEALTH_PEER4],
			 tb[CNILINK_A_HEALTH_PEER6], &h->peer);
		if (tb[CNILINK_A_HEALTH_PEER_LEN])
			h->peer.len =
				nla_get_u8(tb[CNILINK_A_HEALTH_PEER_LEN]);
	}
}

void cni_parse_tunnel(const struct nlmsghdr *nlh, struct cni_tunnel *t)
{
	struct nlattr *tb[CNILINK_A_TUNNEL_MAX + 1];

	memset(t, 0, sizeof(*t));
	parse(nlh, tb, CNILINK_A_TUNNEL_MAX);
	get_u32(tb[CNILINK_A_TUNNEL_IFINDEX], &t->ifindex);
	get_u32(tb[CNILINK_A_TUNNEL_LINK], &t->link);
	get_addr(tb[CNILINK_A_TUNNEL_LOCAL4], tb[CNILINK_A_TUNNEL_LOCAL6],
		 &t->local);
	get_addr(tb[CNILINK_A_TUNNEL_REMOTE4], tb[CNILINK_A_TUNNEL_REMOTE6],
		 &t->remote);
	t->has_ikey = tb[CNILINK_A_TUNNEL_IKEY];
	get_u32(tb[CNILINK_A_TUNNEL_IKEY], &t->ikey);
	t->has_okey = tb[CNILINK_A_TUNNEL_OKEY];
	get_u32(tb[CNILINK_A_TUNNEL_OKEY], &t->okey);
	if (tb[CNILINK_A_TUNNEL_TTL])
		t->ttl = nla_get_u8(tb[CNILINK_A_TUNNEL_TTL]);
	if (tb[CNILINK_A_TUNNEL_TOS])
		t->tos = nla_get_u8(tb[CNILINK_A_TUNNEL_TOS]);
	get_u32(tb[CNILINK_A_TUNNEL_MTU], &t->mtu);
	get_u32(tb[CNILINK_A_TUNNEL_OUTER_MTU], &t->outer_mtu);
	get_u32(tb[CNILINK_A_TUNNEL_OVERHEAD], &t->overhead);
	get_mac(tb[CNILINK_A_TUNNEL_LLADDR], &t->lladdr);
	get_u32(tb[CNILINK_A_TUNNEL_FLAGS], &t->opts.flags);
	if (tb[CNILINK_A_TUNNEL_MSS4])
		t->opts.mss4 = nla_get_u16(tb[CNILINK_A_TUNNEL_MSS4]);
	if (tb[CNILINK_A_TUNNEL_MSS6])
		t->opts.mss6 = nla_get_u16(tb[CNILINK_A_TUNNEL_MSS6]);
	get_health(nlh, &t->opts);
	t->opts.rate = TUNOPTS_RATE;
	get_u32(tb[CNILINK_A_TUNNEL_HEALTH_RATE], &t->opts.rate);
	get_u64(tb[CNILINK_A_TUNNEL_HEALTH_ANSWERED], &t->answered);
	get_u64(tb[CNILINK_A_TUNNEL_HEALTH_LIMITED], &t->limited);
	get_u64(tb[CNILINK_A_TUNNEL_BLOCKERS], &t->blockers);
	get_stats(tb[CNILINK_A_TUNNEL_STATS], &t->stats);
	get_stats(tb[CNILINK_A_TUNNEL_OUTPUT], &t->output);
	get_stats(tb[CNILINK_A_TUNNEL_INPUT], &t->input);
}

void cni_parse_port(const struct nlmsghdr *nlh, struct cni_port *p)
{
	struct nlattr *tb[CNILINK_A_PORT_MAX + 1];

	memset(p, 0, sizeof(*p));
	parse(nlh, tb, CNILINK_A_PORT_MAX);
	get_u32(tb[CNILINK_A_PORT_IFINDEX], &p->ifindex);
	get_u32(tb[CNILINK_A_PORT_FLAGS], &p->opts.flags);
	if (tb[CNILINK_A_PORT_MSS4])
		p->opts.mss4 = nla_get_u16(tb[CNILINK_A_PORT_MSS4]);
	if (tb[CNILINK_A_PORT_MSS6])
		p->opts.mss6 = nla_get_u16(tb[CNILINK_A_PORT_MSS6]);
	get_u32(tb[CNILINK_A_PORT_MTU], &p->mtu);
	get_u64(tb[CNILINK_A_PORT_BLOCKERS], &p->blockers);
	get_u64(tb[CNILINK_A_PORT_XDP_BLOCKERS], &p->xdp_blockers);
	get_stats(tb[CNILINK_A_PORT_STATS], &p->stats);
}

void cni_parse_status(const struct nlmsghdr *nlh, struct cni_status *s)
{
	struct nlattr *tb[CNILINK_A_STATUS_MAX + 1];

	memset(s, 0, sizeof(*s));
	parse(nlh, tb, CNILINK_A_STATUS_MAX);
	if (tb[CNILINK_A_STATUS_VERSION])
		nla_strlcpy(s->version, tb[CNILINK_A_STATUS_VERSION],
			    sizeof(s->version));
	get_u64(tb[CNILINK_A_STATUS_GENERATION], &s->generation);
	get_u32(tb[CNILINK_A_STATUS_ROUTES4], &s->routes4);
	get_u32(tb[CNILINK_A_STATUS_ROUTES6], &s->routes6);
	get_u32(tb[CNILINK_A_STATUS_PUNTED4], &s->punted4);
	get_u32(tb[CNILINK_A_STATUS_PUNTED6], &s->punted6);
	get_u64(tb[CNILINK_A_STATUS_BYTES], &s->bytes);
	get_u64(tb[CNILINK_A_STATUS_BLOCKERS4], &s->blockers4);
	get_u64(tb[CNILINK_A_STATUS_BLOCKERS6], &s->blockers6);
	s->xdp = -1;
	if (tb[CNILINK_A_STATUS_XDP])
		s->xdp = nla_get_u32(tb[CNILINK_A_STATUS_XDP]);
	if (tb[CNILINK_A_STATUS_HOOKS])
		nla_strlcpy(s->hooks, tb[CNILINK_A_STATUS_HOOKS],
			    sizeof(s->hooks));
}

uint8_t cni_cmd(const struct nlmsghdr *nlh)
{
	const struct genlmsghdr *head = nlmsg_data(nlh);

	return head->cmd;
}

/* An answer of objects, each read into the next place of an array. */
struct collect {
	void (*read)(const struct nlmsghdr *nlh, void *item);
	size_t size;
	char *list;
	unsigned int n;
};

static int collect_one(const struct nlmsghdr *nlh, void *arg)
{
	struct collect *c = arg;

	if (!nlh) {
		c->n = 0;
		return 0;
	}
	c->list = xrealloc(c->list, (c->n + 1) * c->size);
	c->read(nlh, c->list + c->n++ * c->size);
	return 0;
}

static void read_link(const struct nlmsghdr *nlh, void *item)
{
	cni_parse_link(nlh, item);
}

static void read_tunnel(const struct nlmsghdr *nlh, void *item)
{
	cni_parse_tunnel(nlh, item);
}

static void read_port(const struct nlmsghdr *nlh, void *item)
{
	cni_parse_port(nlh, item);
}

static void read_status(const struct nlmsghdr *nlh, void *item)
{
	cni_parse_status(nlh, item);
}

static int get_all(struct cni *c, uint8_t cmd, struct collect *to, void *list,
		   unsigned int *n)
{
	int rc = nlc_dump(&c->nl, request(c, cmd), collect_one, to);

	if (rc) {
		free(to->list);
		to->list = NULL;
		to->n = 0;
	}
	memcpy(list, &to->list, sizeof(to->list));
	*n = to->n;
	return rc;
}

int cni_links(struct cni *c, struct cni_link **list, unsigned int *n)
{
	struct collect to = { read_link, sizeof(**list), NULL, 0 };

	return get_all(c, CNILINK_CMD_LINK_GET, &to, list, n);
}

int cni_tunnels(struct cni *c, struct cni_tunnel **list, unsigned int *n)
{
	struct collect to = { read_tunnel, sizeof(**list), NULL, 0 };

	return get_all(c, CNILINK_CMD_TUNNEL_GET, &to, list, n);
}

int cni_ports(struct cni *c, struct cni_port **list, unsigned int *n)
{
	struct collect to = { read_port, sizeof(**list), NULL, 0 };

	return get_all(c, CNILINK_CMD_PORT_GET, &to, list, n);
}

int cni_oifs(struct cni *c, uint32_t **oifs, unsigned int *n)
{
	struct cni_tunnel *tunnels = NULL;
	struct cni_link *links = NULL;
	struct cni_port *ports = NULL;
	unsigned int nl = 0, nt = 0, np = 0, i;
	int rc;

	*oifs = NULL;
	*n = 0;
	rc = cni_links(c, &links, &nl);
	if (!rc)
		rc = cni_tunnels(c, &tunnels, &nt);
	if (!rc)
		rc = cni_ports(c, &ports, &np);
	if (!rc) {
		*oifs = xalloc((nl + nt + np) * sizeof(**oifs));
		for (i = 0; i < nl; i++)
			(*oifs)[(*n)++] = links[i].ifindex;
		for (i = 0; i < nt; i++)
			(*oifs)[(*n)++] = tunnels[i].ifindex;
		for (i = 0; i < np; i++)
			(*oifs)[(*n)++] = ports[i].ifindex;
	}
	free(links);
	free(tunnels);
	free(ports);
	return rc;
}

static int get_one(struct cni *c, struct nl_msg *msg, struct collect *to,
		   void *item)
{
	int rc = nlc_talk(&c->nl, msg, collect_one, to);

	if (!rc && !to->n)
		rc = -ENOENT;
	if (!rc)
		memcpy(item, to->list, to->size);
	free(to->list);
	return rc;
}

/* The attribute of the ifindex is the first in all three sets. */
static struct nl_msg *about(struct cni *c, uint8_t cmd, uint32_t ifindex)
{
	struct nl_msg *msg = request(c, cmd);

	nlx_u32(msg, CNILINK_A_LINK_IFINDEX, ifindex);
	return msg;
}

int cni_link_get(struct cni *c, uint32_t ifindex, struct cni_link *l)
{
	struct collect to = { read_link, sizeof(*l), NULL, 0 };

	return get_one(c, about(c, CNILINK_CMD_LINK_GET, ifindex), &to, l);
}

int cni_tunnel_get(struct cni *c, uint32_t ifindex, struct cni_tunnel *t)
{
	struct collect to = { read_tunnel, sizeof(*t), NULL, 0 };

	return get_one(c, about(c, CNILINK_CMD_TUNNEL_GET, ifindex), &to, t);
}

int cni_port_get(struct cni *c, uint32_t ifindex, struct cni_port *p)
{
	struct collect to = { read_port, sizeof(*p), NULL, 0 };

	return get_one(c, about(c, CNILINK_CMD_PORT_GET, ifindex), &to, p);
}

int cni_link_set(struct cni *c, uint32_t ifindex, const struct addr *local4,
		 const struct addr *peer4, const struct addr *local6,
		 const struct addr *peer6)
{
	struct nl_msg *msg = about(c, CNILINK_CMD_LINK_SET, ifindex);

	if (local4->family)
		nlx_addr(msg, CNILINK_A_LINK_LOCAL4, local4);
	if (peer4->family)
		nlx_addr(msg, CNILINK_A_LINK_PEER4, peer4);
	if (local6->family)
		nlx_addr(msg, CNILINK_A_LINK_LOCAL6, local6);
	if (peer6->family)
		nlx_addr(msg, CNILINK_A_LINK_PEER6, peer6);
	return nlc_talk(&c->nl, msg, NULL, NULL);
}

int cni_link_del(struct cni *c, uint32_t ifindex)
{
	return nlc_talk(&c->nl, about(c, CNILINK_CMD_LINK_DEL, ifindex), NULL,
			NULL);
}

static void put_health(struct nl_msg *msg, const struct health_check *h)
{
	bool v4 = h->local.family == AF_INET;
	struct nlattr *nest;

	nest = nlx_nest(msg, CNILINK_A_TUNNEL_HEALTH);
	nlx_addr(msg, v4 ? CNILINK_A_HEALTH_LOCAL4 : CNILINK_A_HEALTH_LOCAL6,
		 &h->local);
	nlx_addr(msg, v4 ? CNILINK_A_HEALTH_PEER4 : CNILINK_A_HEALTH_PEER6,
		 &h->peer);
	nlx_u8(msg, CNILINK_A_HEALTH_PEER_LEN, h->peer.len);
	nlx_u32(msg, CNILINK_A_HEALTH_FLAGS,
		(h->request ? CNILINK_HEALTH_FLAG_REQUEST : 0) |
		(h->unidirectional ? CNILINK_HEALTH_FLAG_UNIDIRECTIONAL : 0));
	nla_nest_end(msg, nest);
}

int cni_tunnel_set(struct cni *c, uint32_t ifindex, const struct tunopts *o)
{
	struct nl_msg *msg = about(c, CNILINK_CMD_TUNNEL_SET, ifindex);
	unsigned int i;

	if (o->flags)
		nlx_u32(msg, CNILINK_A_TUNNEL_FLAGS, o->flags);
	if (o->mss4)
		nlx_u16(msg, CNILINK_A_TUNNEL_MSS4, o->mss4);
	if (o->mss6)
		nlx_u16(msg, CNILINK_A_TUNNEL_MSS6, o->mss6);
	for (i = 0; i < o->n_health; i++)
		put_health(msg, &o->health[i]);
	if (o->n_health)
		nlx_u32(msg, CNILINK_A_TUNNEL_HEALTH_RATE, o->rate);
	return nlc_talk(&c->nl, msg, NULL, NULL);
}

int cni_tunnel_del(struct cni *c, uint32_t ifindex)
{
	return nlc_talk(&c->nl, about(c, CNILINK_CMD_TUNNEL_DEL, ifindex),
			NULL, NULL);
}

int cni_port_set(struct cni *c, uint32_t ifindex, const struct portopts *o)
{
	struct nl_msg *msg = about(c, CNILINK_CMD_PORT_SET, ifindex);

	nlx_u32(msg, CNILINK_A_PORT_FLAGS, o->flags);
	if (o->mss4)
		nlx_u16(msg, CNILINK_A_PORT_MSS4, o->mss4);
	if (o->mss6)
		nlx_u16(msg, CNILINK_A_PORT_MSS6, o->mss6);
	return nlc_talk(&c->nl, msg, NULL, NULL);
}

int cni_port_del(struct cni *c, uint32_t ifindex)
{
	return nlc_talk(&c->nl, about(c, CNILINK_CMD_PORT_DEL, ifindex), NULL,
			NULL);
}

/* All next hops among the attributes in @from, up to KHOPS_MAX. */
static unsigned int get_nexthops(const struct nlattr *from, int left,
				 uint16_t type, struct khop *hops)
{
	struct nlattr *a, *tb[CNILINK_A_NEXTHOP_MAX + 1];
	unsigned int n = 0;

	nla_for_each_attr(a, (struct nlattr *)from, left, left) {
		if (nla_type(a) != type || n == KHOPS_MAX)
			continue;
		nla_parse_nested(tb, CNILINK_A_NEXTHOP_MAX, a, NULL);
		hops[n] = (struct khop){ .weight = 1 };
		get_u32(tb[CNILINK_A_NEXTHOP_OIF], &hops[n].oif);
		get_u32(tb[CNILINK_A_NEXTHOP_WEIGHT], &hops[n].weight);
		get_addr(tb[CNILINK_A_NEXTHOP_VIA4],
			 tb[CNILINK_A_NEXTHOP_VIA6], &hops[n].via);
		n++;
	}
	return n;
}

void cni_parse_route(struct nlattr *nest, struct cni_route *r)
{
	struct nlattr *tb[CNILINK_A_ROUTE_MAX + 1];
	uint32_t action = CNILINK_ACTION_FORWARD;
	static struct khop hops[KHOPS_MAX];

	memset(r, 0, sizeof(*r));
	nla_parse_nested(tb, CNILINK_A_ROUTE_MAX, nest, NULL);
	get_addr(tb[CNILINK_A_ROUTE_DST4], tb[CNILINK_A_ROUTE_DST6], &r->dst);
	if (tb[CNILINK_A_ROUTE_PREFIX_LEN])
		r->dst.len = nla_get_u8(tb[CNILINK_A_ROUTE_PREFIX_LEN]);
	get_u32(tb[CNILINK_A_ROUTE_ACTION], &action);
	r->punt = action == CNILINK_ACTION_PUNT;
	r->hops = hops;
	r->n_hops = get_nexthops(nla_data(nest), nla_len(nest),
				 CNILINK_A_ROUTE_NEXTHOP, hops);
	get_u64(tb[CNILINK_A_ROUTE_BLOCKERS], &r->blockers);
}

struct route_walk {
	int (*fn)(const struct cni_route *r, void *arg);
	void (*restart)(void *arg);
	void *arg;
};

static int walk_routes(const struct nlmsghdr *nlh, void *arg)
{
	struct nlattr *tb[CNILINK_A_TABLE_MAX + 1];
	uint32_t table = RT_TABLE_MAIN;
	struct route_walk *w = arg;
	struct cni_route r;
	struct nlattr *a;
	int left, rc;

	if (!nlh) {
		w->restart(w->arg);
		return 0;
	}
	parse(nlh, tb, CNILINK_A_TABLE_MAX);
	get_u32(tb[CNILINK_A_TABLE_ID], &table);
	left = nlmsg_attrlen(nlh, GENL_HDRLEN);
	nla_for_each_attr(a, nlmsg_attrdata(nlh, GENL_HDRLEN), left, left) {
		if (nla_type(a) != CNILINK_A_TABLE_ROUTE)
			continue;
		cni_parse_route(a, &r);
		r.table = table;
		rc = w->fn(&r, w->arg);
		if (rc)
			return rc;
	}
	return 0;
}

int cni_routes(struct cni *c, int (*fn)(const struct cni_route *r, void *arg),
	       void (*restart)(void *arg), void *arg)
{
	struct route_walk w = { fn, restart, arg };

	return nlc_dump(&c->nl, request(c, CNILINK_CMD_ROUTE_GET),
			walk_routes, &w);
}

void cni_parse_lookup(const struct nlmsghdr *nlh, struct cni_lookup *l)
{
	struct nlattr *tb[CNILINK_A_LOOKUP_MAX + 1];

	memset(l, 0, sizeof(*l));
	parse(nlh, tb, CNILINK_A_LOOKUP_MAX);
	get_addr(tb[CNILINK_A_LOOKUP_DST4], tb[CNILINK_A_LOOKUP_DST6],
		 &l->dst);
	l->prefix_len = -1;
	if (tb[CNILINK_A_LOOKUP_PREFIX_LEN])
		l->prefix_len = nla_get_u8(tb[CNILINK_A_LOOKUP_PREFIX_LEN]);
	get_u32(tb[CNILINK_A_LOOKUP_REASON], &l->reason);
	get_u32(tb[CNILINK_A_LOOKUP_TABLE], &l->table);
	get_u64(tb[CNILINK_A_LOOKUP_BLOCKERS], &l->blockers);
	l->n_hops = get_nexthops(nlmsg_attrdata(nlh, GENL_HDRLEN),
				 nlmsg_attrlen(nlh, GENL_HDRLEN),
				 CNILINK_A_LOOKUP_NEXTHOP, l->hops);
	get_u32(tb[CNILINK_A_LOOKUP_LOWER_IFINDEX], &l->lower);
	get_mac(tb[CNILINK_A_LOOKUP_LLADDR], &l->lladdr);
	get_u32(tb[CNILINK_A_LOOKUP_MTU], &l->mtu);
}

static void read_lookup(const struct nlmsghdr *nlh, void *item)
{
	cni_parse_lookup(nlh, item);
}

int cni_lookup(struct cni *c, const struct addr *dst, const struct addr *src,
	       struct cni_lookup *l)
{
	struct collect to = { read_lookup, sizeof(*l), NULL, 0 };
	struct nl_msg *msg = request(c, CNILINK_CMD_ROUTE_LOOKUP);

	nlx_addr(msg, dst->family == AF_INET ? CNILINK_A_LOOKUP_DST4 :
		 CNILINK_A_LOOKUP_DST6, dst);
	if (src->family)
		nlx_addr(msg, src->family == AF_INET ?
			 CNILINK_A_LOOKUP_SRC4 : CNILINK_A_LOOKUP_SRC6, src);
	return get_one(c, msg, &to, l);
}

int cni_status(struct cni *c, struct cni_status *s)
{
	struct collect to = { read_status, sizeof(*s), NULL, 0 };

	return get_one(c, request(c, CNILINK_CMD_STATUS_GET), &to, s);
}

static int take_transaction(const struct nlmsghdr *nlh, void *arg)
{
	struct nlattr *tb[CNILINK_A_TABLE_MAX + 1];

	parse(nlh, tb, CNILINK_A_TABLE_MAX);
	get_u32(tb[CNILINK_A_TABLE_TRANSACTION], arg);
	return 0;
}

int cni_begin(struct cni *c, uint32_t table, uint32_t *transaction)
{
	struct nl_msg *msg = request(c, CNILINK_CMD_TABLE_BEGIN);
	int rc;

	*transaction = 0;
	nlx_u32(msg, CNILINK_A_TABLE_ID, table);
	rc = nlc_talk(&c->nl, msg, take_transaction, transaction);
	return rc ? rc : *transaction ? 0 : -EPROTO;
}

int cni_commit(struct cni *c, uint32_t transaction, uint64_t generation)
{
	struct nl_msg *msg = request(c, CNILINK_CMD_TABLE_COMMIT);

	nlx_u32(msg, CNILINK_A_TABLE_TRANSACTION, transaction);
	nlx_u64(msg, CNILINK_A_TABLE_GENERATION, generation);
	return nlc_talk(&c->nl, msg, NULL, NULL);
}

int cni_abort(struct cni *c, uint32_t transaction)
{
	struct nl_msg *msg = request(c, CNILINK_CMD_TABLE_ABORT);

	nlx_u32(msg, CNILINK_A_TABLE_TRANSACTION, transaction);
	return nlc_talk(&c->nl, msg, NULL, NULL);
}

/* Attributes by hand: batches of a million go through here. */
static char *put(char *at, uint16_t type, const void *data, uint16_t len)
{
	struct nlattr a = { .nla_len = NLA_HDRLEN + len, .nla_type = type };

	memcpy(at, &a, sizeof(a));
	memcpy(at + NLA_HDRLEN, data, len);
	memset(at + NLA_HDRLEN + len, 0, NLA_ALIGN(len) - len);
	return at + NLA_HDRLEN + NLA_ALIGN(len);
}

static char *put_hop(char *at, const struct khop *h, bool several)
{
	struct nlattr nest = { .nla_type = CNILINK_A_ROUTE_NEXTHOP |
					   NLA_F_NESTED };
	char *start = at;

	at += NLA_HDRLEN;
	at = put(at, CNILINK_A_NEXTHOP_OIF, &h->oif, sizeof(h->oif));
	if (h->via.family)
		at = put(at, h->via.family == AF_INET ?
			 CNILINK_A_NEXTHOP_VIA4 : CNILINK_A_NEXTHOP_VIA6,
			 h->via.b, addr_bytes(&h->via));
	if (several)
		at = put(at, CNILINK_A_NEXTHOP_WEIGHT, &h->weight,
			 sizeof(h->weight));
	nest.nla_len = at - start;
	memcpy(start, &nest, sizeof(nest));
	return at;
}

char *cni_put_route(char *at, const struct cni_entry *out)
{
	bool v4 = out->dst.family == AF_INET;
	uint32_t action = out->forward ? CNILINK_ACTION_FORWARD :
					 CNILINK_ACTION_PUNT;
	struct nlattr nest;
	char *start = at;
	unsigned int i;

	at += NLA_HDRLEN;
	at = put(at, v4 ? CNILINK_A_ROUTE_DST4 : CNILINK_A_ROUTE_DST6,
		 out->dst.b, addr_bytes(&out->dst));
	at = put(at, CNILINK_A_ROUTE_PREFIX_LEN, &out->dst.len, 1);
	if (!out->del)
		at = put(at, CNILINK_A_ROUTE_ACTION, &action, sizeof(action));
	for (i = 0; !out->del && out->forward && i < out->n_hops; i++)
		at = put_hop(at, &out->hops[i], out->n_hops > 1);
	if (!out->del && out->forward)
		at = put(at, CNILINK_A_ROUTE_NEXTHOP_ID, &out->nh_object,
			 sizeof(out->nh_object));
	nest.nla_type = CNILINK_A_TABLE_ROUTE | NLA_F_NESTED;
	nest.nla_len = at - start;
	memcpy(start, &nest, sizeof(nest));
	return at;
}

static void start_buf(struct cni_batch *b, struct cni_batch_buf *buf)
{
	struct nlmsghdr nlh = { .nlmsg_type = b->c->family };
	struct genlmsghdr head = {
		.cmd = buf->cmd, .version = CNILINK_FAMILY_VERSION,
	};
	char *at;

	if (!buf->buf)
		buf->buf = xrealloc(NULL, BATCH_BYTES);
	at = buf->buf;
	memcpy(at, &nlh, sizeof(nlh));
	memcpy(at + NLMSG_HDRLEN, &head, sizeof(head));
	at += NLMSG_HDRLEN + GENL_HDRLEN;
	if (b->transaction)
		at = put(at, CNILINK_A_TABLE_TRANSACTION, &b->transaction, 4);
	else if (b->table)
		at = put(at, CNILINK_A_TABLE_ID, &b->table, 4);
	if (b->has_generation && !b->transaction)
		at = put(at, CNILINK_A_TABLE_GENERATION, &b->generation, 8);
	buf->head = buf->len = at - buf->buf;
	buf->n = 0;
}

static int send_buf(struct cni_batch *b, char *buf, size_t len)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)buf;

	nlh->nlmsg_len = len;
	nlh->nlmsg_flags = 0;
	return nlc_talk_raw(&b->c->nl, nlh, NULL, NULL);
}

/* Errors that are about one of the routes, not about the whole. */
static bool about_a_route(int rc)
{
	switch (-rc) {
	case EINVAL:
	case ENODEV:
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
	case EOPNOTSUPP:
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ERANGE:
	case ENXIO:
		return true;
	}
	return false;
}

static void note_refusal(struct cni_batch *b, const struct cni_route *r,
			 int rc)
{
	if (b->refused++)
		return;
	snprintf(b->refusal, sizeof(b->refusal), "%s: %s",
		 addr_prefix_str(&r->dst), nlc_strerror(&b->c->nl, rc));
}

/* Sends the routes in [from, to) of @buf; halves it to find a bad one. */
static int send_range(struct cni_batch *b, struct cni_batch_buf *buf,
		      char *from, char *to, unsigned int n)
{
	size_t len = buf->head + (to - from);
	struct cni_entry out = {};
	char *copy, *mid = from;
	struct cni_route r;
	unsigned int i;
	int rc;

	copy = xalloc(len + CNI_ROUTE_MAX);
	memcpy(copy, buf->buf, buf->head);
	memcpy(copy + buf->head, from, to - from);
	rc = send_buf(b, copy, len);
	if (!rc || !about_a_route(rc))
		goto out;
	if (n > 1) {
		for (i = 0; i < n / 2; i++)
			mid += NLA_ALIGN(((struct nlattr *)mid)->nla_len);
		rc = send_range(b, buf, from, mid, n / 2);
		if (!rc)
			rc = send_range(b, buf, mid, to, n - n / 2);
		goto out;
	}
	cni_parse_route((struct nlattr *)from, &r);
	note_refusal(b, &r, rc);
	rc = 0;
	if (buf->cmd == CNILINK_CMD_ROUTE_SET && !r.punt) {
		out.dst = r.dst;
		to = cni_put_route(copy + buf->head, &out);
		rc = send_buf(b, copy, to - copy);
		if (about_a_route(rc))
			rc = 0;
	}
out:
	free(copy);
	return rc;
}

static int flush_buf(struct cni_batch *b, struct cni_batch_buf *buf)
{
	int rc;

	if (!buf->n)
		return 0;
	rc = send_buf(b, buf->buf, buf->len);
	if (about_a_route(rc))
		rc = send_range(b, buf, buf->buf + buf->head,
				buf->buf + buf->len, buf->n);
	start_buf(b, buf);
	return rc;
}

void cni_batch_init(struct cni_batch *b, struct cni *c, uint32_t transaction,
		    const uint64_t *generation)
{
	memset(b, 0, sizeof(*b));
	b->c = c;
	b->transaction = transaction;
	b->has_generation = generation;
	b->generation = generation ? *generation : 0;
	b->set.cmd = CNILINK_CMD_ROUTE_SET;
	b->del.cmd = CNILINK_CMD_ROUTE_DEL;
}

int cni_batch_add(const struct cni_entry *out, void *arg)
{
	struct cni_batch *b = arg;
	struct cni_batch_buf *buf = out->del ? &b->del : &b->set;
	int rc;

	if (!buf->buf)
		start_buf(b, buf);
	if (buf->len + CNI_ROUTE_MAX > BATCH_BYTES) {
		rc = flush_buf(b, buf);
		if (rc)
			return rc;
	}
	buf->len = cni_put_route(buf->buf + buf->len, out) - buf->buf;
	buf->n++;
	if (out->del)
		b->sent_del++;
	else if (out->forward)
		b->sent_set++;
	else
		b->sent_punt++;
	return 0;
}

int cni_batch_end(struct cni_batch *b)
{
	int rc = flush_buf(b, &b->del);

	return rc ? rc : flush_buf(b, &b->set);
}

void cni_batch_free(struct cni_batch *b)
{
	free(b->set.buf);
	free(b->del.buf);
	b->set.buf = b->del.buf = NULL;
}
