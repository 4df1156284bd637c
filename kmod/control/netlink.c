// SPDX-License-Identifier: GPL-2.0
/* The generic netlink family: requests, dumps and notifications. */

#include "control/netlink.h"

#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/genetlink.h>
#include <net/ip_tunnels.h>
#include <net/ipv6.h>
#include <net/ipv6_stubs.h>

#include "base/witness.h"
#include "control/link.h"
#include "control/activate.h"
#include "control/netlink-gen.h"
#include "control/port.h"
#include "control/resolve.h"
#include "control/tunnel.h"
#include "path/frame.h"
#include "path/gate.h"
#include "path/health.h"
#include "path/hook.h"
#include "path/nf.h"
#include "path/xdp.h"
#include "state/adj.h"
#include "state/encap.h"
#include "state/except.h"
#include "state/fib.h"
#include "state/group.h"
#include "state/net.h"
#include "state/route.h"
#include "state/rule.h"

static struct cni_net *info_net(struct genl_info *info)
{
	return cni_net_of(genl_info_net(info));
}

/*
 * The policies name what an operation takes. What else depends on the rest of
 * the request is refused here: nothing that is sent is passed over.
 */
static int no_use(struct netlink_ext_ack *extack, const struct nlattr *attr)
{
	if (!attr)
		return 0;
	NL_SET_ERR_MSG_MOD(extack, "Of no use in such a request");
	NL_SET_BAD_ATTR(extack, attr);
	return -EINVAL;
}

/* Not every kernel looks at the attributes of operations without a policy. */
static int no_attrs(const struct nlmsghdr *nlh, struct netlink_ext_ack *extack)
{
	return nla_validate(nlmsg_attrdata(nlh, GENL_HDRLEN),
			    nlmsg_attrlen(nlh, GENL_HDRLEN), 0, NULL, extack);
}

/* An attribute that all of an object's requests need. */
static int get_ifindex(struct genl_info *info, int attrtype, u32 *ifindex)
{
	if (GENL_REQ_ATTR_CHECK(info, attrtype)) {
		NL_SET_ERR_MSG_MOD(info->extack, "An ifindex is needed");
		return -EINVAL;
	}
	*ifindex = nla_get_u32(info->attrs[attrtype]);
	return 0;
}

static struct net_device *get_dev(struct genl_info *info, int attrtype)
{
	struct net_device *dev;
	u32 ifindex;
	int err;

	err = get_ifindex(info, attrtype, &ifindex);
	if (err)
		return ERR_PTR(err);
	dev = __dev_get_by_index(genl_info_net(info), ifindex);
	if (!dev) {
		NL_SET_ERR_MSG_MOD(info->extack, "No device of that ifindex");
		NL_SET_BAD_ATTR(info->extack, info->attrs[attrtype]);
		return ERR_PTR(-ENODEV);
	}
	return dev;
}

static int put_lladdr(struct sk_buff *skb, int attrtype, struct neighbour *n)
{
	u8 lladdr[ETH_ALEN];

	if (!n || !(READ_ONCE(n->nud_state) & NUD_VALID) ||
	    n->dev->addr_len != ETH_ALEN)
		return 0;
	neigh_ha_snapshot(lladdr, n, n->dev);
	return nla_put(skb, attrtype, ETH_ALEN, lladdr);
}

static int put_peer_lladdr(struct sk_buff *skb, int attrtype,
			   const struct cni_link *link, int family)
{
	struct neighbour *n = cni_link_peer(link, family);
	int err;

	if (!n)
		return 0;
	err = put_lladdr(skb, attrtype, n);
	neigh_release(n);
	return err;
}

/* Bridged, or of use to IPv4: an IPv6 address says nothing, all have one. */
static bool takes_untagged(const struct net_device *dev)
{
	const struct in_device *in_dev = __in_dev_get_rcu(dev);

	return rcu_access_pointer(dev->rx_handler) ||
	       (in_dev && rcu_access_pointer(in_dev->ifa_list));
}

/* Who receives frames of an ID: a VLAN device, or one without any tag. */
static u32 seen_ifindex(const struct net_device *lower,
			const struct cni_seen *seen)
{
	const struct net_device *dev = lower;

	/* ID 0 says a priority and no VLAN. */
	if (seen->vlan_id)
		dev = __vlan_find_dev_deep_rcu((struct net_device *)lower,
					       seen->vlan_proto, seen->vlan_id);
	else if (!takes_untagged(lower))
		dev = NULL;
	/* In another namespace it has no number that means anything here. */
	return dev && net_eq(dev_net(dev), dev_net(lower)) ? dev->ifindex : 0;
}

/* It was seen before its link was configured. */
static bool seen_is_links(struct cni_rxdev *rx,
			  const struct cni_seen *seen)
{
	const struct cni_link *link;

	list_for_each_entry(link, cni_hook_links(rx, seen->vlan_id), rx_node)
		if (link->vlan_proto == seen->vlan_proto &&
		    link->vlan_id == seen->vlan_id)
			return true;
	return false;
}

static int put_seen(struct sk_buff *skb, const struct cni_seen *seen,
		    u32 ifindex)
{
	struct nlattr *nest = nla_nest_start(skb, CNILINK_A_LINK_SEEN);
	u64 now = get_jiffies_64();

	if (!nest ||
	    nla_put_u16(skb, CNILINK_A_SEEN_VLAN_ID, seen->vlan_id) ||
	    nla_put_u16(skb, CNILINK_A_SEEN_VLAN_PROTO,
			ntohs(seen->vlan_proto)) ||
	    nla_put_u64_64bit(skb, CNILINK_A_SEEN_PACKETS, seen->packets,
			      CNILINK_A_SEEN_PAD) ||
	    nla_put_u64_64bit(skb, CNILINK_A_SEEN_FIRST,
			      jiffies64_to_msecs(now - seen->first),
			      CNILINK_A_SEEN_PAD) ||
	    nla_put_u64_64bit(skb, CNILINK_A_SEEN_LAST,
			      jiffies64_to_msecs(now - seen->last),
			      CNILINK_A_SEEN_PAD) ||
	    (ifindex && nla_put_u32(skb, CNILINK_A_SEEN_IFINDEX, ifindex)))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int put_witness(struct sk_buff *skb, const struct cni_link *link)
{
	struct cni_seen seen[CNI_WITNESS_MAX];
	unsigned int n, i;
	u32 ifindex;

	n = cni_witness_read(link->rx->witness, seen);
	for (i = 0; i < n; i++) {
		if (seen_is_links(link->rx, &seen[i]))
			continue;
		rcu_read_lock();
		ifindex = seen_ifindex(link->lower, &seen[i]);
		rcu_read_unlock();
		if (put_seen(skb, &seen[i], ifindex))
			return -EMSGSIZE;
	}
	return link->lower->features & NETIF_F_HW_VLAN_CTAG_FILTER ?
	       nla_put_flag(skb, CNILINK_A_LINK_VLAN_FILTER) : 0;
}

static int fill_link(struct sk_buff *skb, const void *obj)
{
	const struct cni_link *link = obj;
	const struct cni_link_addr *addr = &link->addr;

	if (nla_put_u32(skb, CNILINK_A_LINK_IFINDEX, link->dev->ifindex) ||
	    nla_put_u32(skb, CNILINK_A_LINK_LOWER_IFINDEX,
			link->lower->ifindex) ||
	    nla_put_u32(skb, CNILINK_A_LINK_MTU, link->dev->mtu) ||
	    nla_put_u64_64bit(skb, CNILINK_A_LINK_BLOCKERS,
			      cni_link_blockers(link), CNILINK_A_LINK_PAD) ||
	    nla_put_u64_64bit(skb, CNILINK_A_LINK_XDP_BLOCKERS,
			      cni_frame_blockers(link->rx), CNILINK_A_LINK_PAD))
		return -EMSGSIZE;
	if (link->tagged &&
	    (nla_put_u16(skb, CNILINK_A_LINK_VLAN_ID, link->vlan_id) ||
	     nla_put_u16(skb, CNILINK_A_LINK_VLAN_PROTO,
			 ntohs(link->vlan_proto))))
		return -EMSGSIZE;
	if (addr->has4 &&
	    (nla_put_in_addr(skb, CNILINK_A_LINK_LOCAL4, addr->local4) ||
	     nla_put_in_addr(skb, CNILINK_A_LINK_PEER4, addr->peer4) ||
	     put_peer_lladdr(skb, CNILINK_A_LINK_LLADDR4, link, CNI_V4)))
		return -EMSGSIZE;
	if (addr->has6 &&
	    (nla_put_in6_addr(skb, CNILINK_A_LINK_LOCAL6, &addr->local6) ||
	     nla_put_in6_addr(skb, CNILINK_A_LINK_PEER6, &addr->peer6) ||
	     put_peer_lladdr(skb, CNILINK_A_LINK_LLADDR6, link, CNI_V6)))
		return -EMSGSIZE;
	if (put_witness(skb, link))
		return -EMSGSIZE;
	return cni_stats_fill(skb, CNILINK_A_LINK_STATS, link->stats);
}

static int put_health_check(struct sk_buff *skb,
			    const struct cni_health_check *check)
{
	struct nlattr *nest = nla_nest_start(skb, CNILINK_A_TUNNEL_HEALTH);

	if (!nest)
		return -EMSGSIZE;
	if (check->family == CNI_V4 &&
	    (nla_put_in_addr(skb, CNILINK_A_HEALTH_LOCAL4,
			     check->local.s6_addr32[0]) ||
	     nla_put_in_addr(skb, CNILINK_A_HEALTH_PEER4,
			     check->peer.s6_addr32[0])))
		return -EMSGSIZE;
	if (check->family == CNI_V6 &&
	    (nla_put_in6_addr(skb, CNILINK_A_HEALTH_LOCAL6, &check->local) ||
	     nla_put_in6_addr(skb, CNILINK_A_HEALTH_PEER6, &check->peer)))
		return -EMSGSIZE;
	if (nla_put_u8(skb, CNILINK_A_HEALTH_PEER_LEN, check->peer_len) ||
	    nla_put_u32(skb, CNILINK_A_HEALTH_FLAGS, check->flags))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int put_health(struct sk_buff *skb, struct cni_health *health)
{
	u64 answered, limited;
	unsigned int i;

	for (i = 0; i < health->n; i++)
		if (put_health_check(skb, &health->check[i]))
			return -EMSGSIZE;
	spin_lock_bh(&health->lock);
	answered = health->answered;
	limited = health->limited;
	spin_unlock_bh(&health->lock);
	if (nla_put_u32(skb, CNILINK_A_TUNNEL_HEALTH_RATE, health->rate) ||
	    nla_put_u64_64bit(skb, CNILINK_A_TUNNEL_HEALTH_ANSWERED, answered,
			      CNILINK_A_TUNNEL_PAD) ||
	    nla_put_u64_64bit(skb, CNILINK_A_TUNNEL_HEALTH_LIMITED, limited,
			      CNILINK_A_TUNNEL_PAD))
		return -EMSGSIZE;
	return 0;
}

static int put_endpoints(struct sk_buff *skb,
			 const struct cni_tunnel_parms *parms)
{
	if (parms->family == CNI_V6)
		return nla_put_in6_addr(skb, CNILINK_A_TUNNEL_LOCAL6,
					&parms->local.v6) ?:
		       nla_put_in6_addr(skb, CNILINK_A_TUNNEL_REMOTE6,
					&parms->remote.v6);
	return nla_put_in_addr(skb, CNILINK_A_TUNNEL_LOCAL4,
			       parms->local.v4) ?:
	       nla_put_in_addr(skb, CNILINK_A_TUNNEL_REMOTE4,
			       parms->remote.v4);
}

/* The attribute of IPv6 follows that of IPv4. */
static int put_mss(struct sk_buff *skb, int attrtype, const u16 *mss)
{
	int f;

	for (f = 0; f < CNI_FAMILIES; f++)
		if (mss[f] && nla_put_u16(skb, attrtype + f, mss[f]))
			return -EMSGSIZE;
	return 0;
}

static void get_mss(struct nlattr **tb, int attrtype, u16 *mss)
{
	int f;

	for (f = 0; f < CNI_FAMILIES; f++)
		if (tb[attrtype + f])
			mss[f] = nla_get_u16(tb[attrtype + f]);
}

static int fill_tunnel(struct sk_buff *skb, const void *obj)
{
	const struct cni_tunnel *tunnel = obj;
	const struct cni_encap *e = rtnl_dereference(tunnel->encap);
	const struct cni_tunnel_parms *parms = &tunnel->parms;
	struct cni_health *health = rtnl_dereference(tunnel->health);

	if (nla_put_u32(skb, CNILINK_A_TUNNEL_IFINDEX, tunnel->dev->ifindex) ||
	    put_endpoints(skb, parms) ||
	    nla_put_u8(skb, CNILINK_A_TUNNEL_TTL, parms->ttl) ||
	    nla_put_u8(skb, CNILINK_A_TUNNEL_TOS, parms->tos) ||
	    nla_put_u32(skb, CNILINK_A_TUNNEL_MTU, tunnel->dev->mtu) ||
	    nla_put_u64_64bit(skb, CNILINK_A_TUNNEL_BLOCKERS,
			      cni_tunnel_blockers(tunnel),
			      CNILINK_A_TUNNEL_PAD))
		return -EMSGSIZE;
	if (parms->ikeyed &&
	    nla_put_u32(skb, CNILINK_A_TUNNEL_IKEY, ntohl(parms->ikey)))
		return -EMSGSIZE;
	if (parms->okeyed &&
	    nla_put_u32(skb, CNILINK_A_TUNNEL_OKEY, ntohl(parms->okey)))
		return -EMSGSIZE;
	if (tunnel->link &&
	    (nla_put_u32(skb, CNILINK_A_TUNNEL_LINK,
			 tunnel->link->dev->ifindex) ||
	     put_lladdr(skb, CNILINK_A_TUNNEL_LLADDR, tunnel->neigh)))
		return -EMSGSIZE;
	if (e && (nla_put_u32(skb, CNILINK_A_TUNNEL_OUTER_MTU,
			      tunnel->outer_mtu) ||
		  nla_put_u32(skb, CNILINK_A_TUNNEL_OVERHEAD,
			      e->hdr_len - e->l2_len)))
		return -EMSGSIZE;
	if (put_mss(skb, CNILINK_A_TUNNEL_MSS4, tunnel->stage.mss))
		return -EMSGSIZE;
	if (health && put_health(skb, health))
		return -EMSGSIZE;
	if (cni_stats_fill(skb, CNILINK_A_TUNNEL_OUTPUT, tunnel->stage.stats))
		return -EMSGSIZE;
	return cni_stats_fill(skb, CNILINK_A_TUNNEL_STATS, tunnel->stats);
}

static int fill_port(struct sk_buff *skb, const void *obj)
{
	const struct cni_port *port = obj;

	if (nla_put_u32(skb, CNILINK_A_PORT_IFINDEX, port->dev->ifindex) ||
	    nla_put_u32(skb, CNILINK_A_PORT_FLAGS, port->flags) ||
	    nla_put_u32(skb, CNILINK_A_PORT_MTU, port->dev->mtu) ||
	    nla_put_u64_64bit(skb, CNILINK_A_PORT_BLOCKERS,
			      cni_port_blockers(port), CNILINK_A_PORT_PAD) ||
	    nla_put_u64_64bit(skb, CNILINK_A_PORT_XDP_BLOCKERS,
			      cni_frame_blockers(port->rx),
			      CNILINK_A_PORT_PAD) ||
	    put_mss(skb, CNILINK_A_PORT_MSS4, port->stage.mss))
		return -EMSGSIZE;
	return cni_stats_fill(skb, CNILINK_A_PORT_STATS, port->stats);
}

typedef int (*fill_fn)(struct sk_buff *skb, const void *obj);

static int put_msg(struct sk_buff *skb, u32 portid, u32 seq, int flags, u8 cmd,
		   fill_fn fill, const void *obj)
{
	void *hdr = genlmsg_put(skb, portid, seq, &cnilink_nl_family, flags,
				cmd);

	if (!hdr)
		return -EMSGSIZE;
	if (fill(skb, obj)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

static int reply(struct genl_info *info, fill_fn fill, const void *obj)
{
	struct sk_buff *skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	int err;

	if (!skb)
		return -ENOMEM;
	err = put_msg(skb, info->snd_portid, info->snd_seq, 0,
		      info->genlhdr->cmd, fill, obj);
	if (err) {
		nlmsg_free(skb);
		return err;
	}
	return genlmsg_reply(skb, info);
}

static void notify(struct net *net, unsigned int group, u8 cmd, fill_fn fill,
		   const void *obj)
{
	struct sk_buff *skb;

	if (!genl_has_listeners(&cnilink_nl_family, net, group))
		return;
	skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (skb && put_msg(skb, 0, 0, 0, cmd, fill, obj)) {
		nlmsg_free(skb);
		skb = NULL;
	}
	if (skb)
		genlmsg_multicast_netns(&cnilink_nl_family, net, skb, 0, group,
					GFP_KERNEL);
	else
		genl_set_err(&cnilink_nl_family, net, 0, group, -ENOBUFS);
}

/**
 * cni_netlink_link_gone - tell listeners that a link is about to go
 * @link: link, RTNL held
 */
void cni_netlink_link_gone(const struct cni_link *link)
{
	notify(link->cn->net, CNILINK_NLGRP_CONFIG,
	       CNILINK_CMD_LINK_DEL_NTF, fill_link, link);
}

/**
 * cni_netlink_tunnel_gone - tell listeners that a tunnel is about to go
 * @tunnel: tunnel, RTNL held
 */
void cni_netlink_tunnel_gone(const struct cni_tunnel *tunnel)
{
	notify(tunnel->cn->net, CNILINK_NLGRP_CONFIG,
	       CNILINK_CMD_TUNNEL_DEL_NTF, fill_tunnel, tunnel);
}

/**
 * cni_netlink_port_gone - tell listeners that a port is about to go
 * @port: port, RTNL held
 */
void cni_netlink_port_gone(const struct cni_port *port)
{
	notify(port->cn->net, CNILINK_NLGRP_CONFIG,
	       CNILINK_CMD_PORT_DEL_NTF, fill_port, port);
}

/*
 * What links, tunnels and ports have in common: each is told by the ifindex of
 * its device and stands in a list of its namespace. All under the RTNL.
 */
struct kind {
	void		*(*find)(struct cni_net *cn, u32 ifindex,
				 struct netlink_ext_ack *extack);
	void		(*del)(void *obj);
	fill_fn		fill;
	size_t		list;
	int		ifindex;
	u8		cmd_get;
	u8		cmd_ntf;
};

static void *find_link(struct cni_net *cn, u32 ifindex,
		       struct netlink_ext_ack *extack)
{
	struct cni_link *link = cni_object_link(cn, ifindex);

	if (!link)
		NL_SET_ERR_MSG_MOD(extack, "The device is no link");
	return link;
}

static void *find_tunnel(struct cni_net *cn, u32 ifindex,
			 struct netlink_ext_ack *extack)
{
	struct cni_tunnel *tunnel = cni_object_tunnel(cn, ifindex);

	if (!tunnel)
		NL_SET_ERR_MSG_MOD(extack, "The device is no tunnel");
	return tunnel;
}

static void *find_port(struct cni_net *cn, u32 ifindex,
		       struct netlink_ext_ack *extack)
{
	struct cni_port *port = cni_object_port(cn, ifindex);

	if (!port)
		NL_SET_ERR_MSG_MOD(extack, "The device is no port");
	return port;
}

static void del_link(void *obj)
{
	cni_netlink_link_gone(obj);
	cni_link_del(obj);
}

static void del_tunnel(void *obj)
{
	cni_netlink_tunnel_gone(obj);
	cni_tunnel_del(obj);
}

static void del_port(void *obj)
{
	cni_netlink_port_gone(obj);
	cni_port_del(obj);
}

static const struct kind link_kind = {
	.find		= find_link,
	.del		= del_link,
	.fill		= fill_link,
	.list		= offsetof(struct cni_net, links),
	.ifindex	= CNILINK_A_LINK_IFINDEX,
	.cmd_get	= CNILINK_CMD_LINK_GET,
	.cmd_ntf	= CNILINK_CMD_LINK_NTF,
};

static const struct kind tunnel_kind = {
	.find		= find_tunnel,
	.del		= del_tunnel,
	.fill		= fill_tunnel,
	.list		= offsetof(struct cni_net, tunnels),
	.ifindex	= CNILINK_A_TUNNEL_IFINDEX,
	.cmd_get	= CNILINK_CMD_TUNNEL_GET,
	.cmd_ntf	= CNILINK_CMD_TUNNEL_NTF,
};

static const struct kind port_kind = {
	.find		= find_port,
	.del		= del_port,
	.fill		= fill_port,
	.list		= offsetof(struct cni_net, ports),
	.ifindex	= CNILINK_A_PORT_IFINDEX,
	.cmd_get	= CNILINK_CMD_PORT_GET,
	.cmd_ntf	= CNILINK_CMD_PORT_NTF,
};

/* The lists link the objects by their first member. */
static_assert(offsetof(struct cni_link, list) == 0);
static_assert(offsetof(struct cni_tunnel, list) == 0);
static_assert(offsetof(struct cni_port, list) == 0);

static int object_get(struct genl_info *info, const struct kind *kind)
{
	u32 ifindex;
	void *obj;
	int err;

	err = get_ifindex(info, kind->ifindex, &ifindex);
	if (err)
		return err;
	rtnl_lock();
	obj = kind->find(info_net(info), ifindex, info->extack);
	err = obj ? reply(info, kind->fill, obj) : -ENOENT;
	rtnl_unlock();
	return err;
}

/* Entries that are left out are reported to be so by the sequence number. */
static int object_dump(struct sk_buff *skb, struct netlink_callback *cb,
		       const struct kind *kind)
{
	struct cni_net *cn = cni_net_of(sock_net(skb->sk));
	const struct list_head *pos;
	struct nlmsghdr *nlh;
	int n = 0, err;

	err = no_attrs(cb->nlh, cb->extack);
	if (err)
		return err;
	rtnl_lock();
	cb->seq = cn->object_seq + 1;
	list_for_each(pos, (struct list_head *)((void *)cn + kind->list)) {
		if (n++ < cb->args[0])
			continue;
		nlh = (void *)skb_tail_pointer(skb);
		err = put_msg(skb, NETLINK_CB(cb->skb).portid,
			      cb->nlh->nlmsg_seq, NLM_F_MULTI, kind->cmd_get,
			      kind->fill, pos);
		if (err)
			break;
		nl_dump_check_consistent(cb, nlh);
		cb->args[0] = n;
	}
	rtnl_unlock();
	return skb->len ?: err;
}

static int object_del(struct genl_info *info, const struct kind *kind)
{
	u32 ifindex;
	void *obj;
	int err;

	err = get_ifindex(info, kind->ifindex, &ifindex);
	if (err)
		return err;
	rtnl_lock();
	obj = kind->find(info_net(info), ifindex, info->extack);
	if (obj)
		kind->del(obj);
	rtnl_unlock();
	return obj ? 0 : -ENOENT;
}

/* What follows on an object's being set. */
static void object_changed(struct cni_net *cn, const struct net_device *dev,
			   const struct kind *kind)
{
	cni_resolve_now(cn);
	notify(cn->net, CNILINK_NLGRP_CONFIG, kind->cmd_ntf, kind->fill,
	       kind->find(cn, dev->ifindex, NULL));
}

int cnilink_nl_link_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	return object_get(info, &link_kind);
}

int cnilink_nl_link_get_dumpit(struct sk_buff *skb,
			       struct netlink_callback *cb)
{
	return object_dump(skb, cb, &link_kind);
}

int cnilink_nl_link_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	return object_del(info, &link_kind);
}

int cnilink_nl_tunnel_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	return object_get(info, &tunnel_kind);
}

int cnilink_nl_tunnel_get_dumpit(struct sk_buff *skb,
				 struct netlink_callback *cb)
{
	return object_dump(skb, cb, &tunnel_kind);
}

int cnilink_nl_tunnel_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	return object_del(info, &tunnel_kind);
}

int cnilink_nl_port_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	return object_get(info, &port_kind);
}

int cnilink_nl_port_get_dumpit(struct sk_buff *skb,
			       struct netlink_callback *cb)
{
	return object_dump(skb, cb, &port_kind);
}

int cnilink_nl_port_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	return object_del(info, &port_kind);
}

static int check_pair4(__be32 local, __be32 peer)
{
	return local == peer || !local || !peer ||
	       ipv4_is_multicast(local) || ipv4_is_multicast(peer) ||
	       ipv4_is_loopback(local) || ipv4_is_loopback(peer);
}

static int check_pair6(const struct in6_addr *local,
		       const struct in6_addr *peer)
{
	int any = IPV6_ADDR_MULTICAST | IPV6_ADDR_LOOPBACK;
	int a = ipv6_addr_type(local), b = ipv6_addr_type(peer);

	return ipv6_addr_equal(local, peer) || a == IPV6_ADDR_ANY ||
	       b == IPV6_ADDR_ANY || a & any || b & any;
}

/* A kernel started with ipv6.disable=1 has no table of neighbours for it. */
static int check_ipv6(const struct nlattr *attr, struct netlink_ext_ack *extack)
{
	if (cni_compat_nd_tbl())
		return 0;
	NL_SET_ERR_MSG_MOD(extack, "IPv6 is switched off on this machine");
	NL_SET_BAD_ATTR(extack, attr);
	return -EAFNOSUPPORT;
}

static int parse_link_addr(struct genl_info *info, struct cni_link_addr *addr)
{
	struct nlattr **tb = info->attrs;
	int err;

	if (!tb[CNILINK_A_LINK_LOCAL4] != !tb[CNILINK_A_LINK_PEER4] ||
	    !tb[CNILINK_A_LINK_LOCAL6] != !tb[CNILINK_A_LINK_PEER6]) {
		NL_SET_ERR_MSG_MOD(info->extack,
				   "A local address goes with a peer address");
		return -EINVAL;
	}
	if (!tb[CNILINK_A_LINK_LOCAL4] && !tb[CNILINK_A_LINK_LOCAL6]) {
		NL_SET_ERR_MSG_MOD(info->extack,
				   "A link needs the addresses of a family");
		return -EINVAL;
	}
	if (tb[CNILINK_A_LINK_LOCAL4]) {
		addr->has4 = true;
		addr->local4 = nla_get_in_addr(tb[CNILINK_A_LINK_LOCAL4]);
		addr->peer4 = nla_get_in_addr(tb[CNILINK_A_LINK_PEER4]);
		if (check_pair4(addr->local4, addr->peer4)) {
			NL_SET_ERR_MSG_MOD(info->extack,
					   "Not two different unicast addresses");
			NL_SET_BAD_ATTR(info->extack,
					tb[CNILINK_A_LINK_PEER4]);
			return -EINVAL;
		}
	}
	if (tb[CNILINK_A_LINK_LOCAL6]) {
		err = check_ipv6(tb[CNILINK_A_LINK_LOCAL6], info->extack);
		if (err)
			return err;
		addr->has6 = true;
		addr->local6 = nla_get_in6_addr(tb[CNILINK_A_LINK_LOCAL6]);
		addr->peer6 = nla_get_in6_addr(tb[CNILINK_A_LINK_PEER6]);
		if (check_pair6(&addr->local6, &addr->peer6)) {
			NL_SET_ERR_MSG_MOD(info->extack,
					   "Not two different unicast addresses");
			NL_SET_BAD_ATTR(info->extack,
					tb[CNILINK_A_LINK_PEER6]);
			return -EINVAL;
		}
	}
	return 0;
}

int cnilink_nl_link_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct cni_net *cn = info_net(info);
	struct cni_link_addr addr = {};
	struct net_device *dev;
	int err;

	err = parse_link_addr(info, &addr);
	if (!err)
		err = cni_activate(cn, info->extack);
	if (err)
		return err;

	rtnl_lock();
	dev = get_dev(info, CNILINK_A_LINK_IFINDEX);
	err = PTR_ERR_OR_ZERO(dev);
	if (!err)
		err = cni_link_set(cn, dev, &addr, info->extack);
	if (!err)
		object_changed(cn, dev, &link_kind);
	rtnl_unlock();
	return err;
}

static int parse_health(const struct nlattr *attr,
			struct cni_health_check *check,
			struct netlink_ext_ack *extack)
{
	struct nlattr *tb[CNILINK_A_HEALTH_MAX + 1], *bad = NULL;
	unsigned int bits;
	bool v4, v6;
	int err;

	err = nla_parse_nested(tb, CNILINK_A_HEALTH_MAX, attr, NULL, extack);
	if (err)
		return err;
	v4 = tb[CNILINK_A_HEALTH_LOCAL4] || tb[CNILINK_A_HEALTH_PEER4];
	v6 = tb[CNILINK_A_HEALTH_LOCAL6] || tb[CNILINK_A_HEALTH_PEER6];
	if (v4 == v6 ||
	    !tb[CNILINK_A_HEALTH_LOCAL4] != !tb[CNILINK_A_HEALTH_PEER4] ||
	    !tb[CNILINK_A_HEALTH_LOCAL6] != !tb[CNILINK_A_HEALTH_PEER6]) {
		NL_SET_ERR_MSG_MOD(extack,
				   "A health check has the two addresses of one family");
		NL_SET_BAD_ATTR(extack, attr);
		return -EINVAL;
	}
	if (v6) {
		err = check_ipv6(attr, extack);
		if (err)
			return err;
	}
	if (v4) {
		check->family = CNI_V4;
		check->local.s6_addr32[0] =
			nla_get_in_addr(tb[CNILINK_A_HEALTH_LOCAL4]);
		check->peer.s6_addr32[0] =
			nla_get_in_addr(tb[CNILINK_A_HEALTH_PEER4]);
		bits = 32;
		if (check_pair4(check->local.s6_addr32[0],
				check->peer.s6_addr32[0]))
			bad = tb[CNILINK_A_HEALTH_PEER4];
	} else {
		check->family = CNI_V6;
		check->local = nla_get_in6_addr(tb[CNILINK_A_HEALTH_LOCAL6]);
		check->peer = nla_get_in6_addr(tb[CNILINK_A_HEALTH_PEER6]);
		bits = 128;
		if (check_pair6(&check->local, &check->peer))
			bad = tb[CNILINK_A_HEALTH_PEER6];
	}
	if (bad) {
		NL_SET_ERR_MSG_MOD(extack,
				   "Not two different unicast addresses");
		NL_SET_BAD_ATTR(extack, bad);
		return -EINVAL;
	}
	if (tb[CNILINK_A_HEALTH_FLAGS])
		check->flags = nla_get_u32(tb[CNILINK_A_HEALTH_FLAGS]);
	check->peer_len = tb[CNILINK_A_HEALTH_PEER_LEN] ?
			  nla_get_u8(tb[CNILINK_A_HEALTH_PEER_LEN]) : bits;
	/* Whatever goes back by the tunnel has one address that it's for. */
	if (!check->peer_len || check->peer_len > bits ||
	    (check->peer_len < bits &&
	     !(check->flags & CNILINK_HEALTH_FLAG_UNIDIRECTIONAL))) {
		NL_SET_ERR_MSG_MOD(extack,
				   "Peers of that length only where answers go by the routes");
		NL_SET_BAD_ATTR(extack, tb[CNILINK_A_HEALTH_PEER_LEN]);
		return -EINVAL;
	}
	return 0;
}

static int parse_tunnel_opts(struct genl_info *info,
			     struct cni_tunnel_opts *opts)
{
	struct nlattr **tb = info->attrs;
	const struct nlattr *attr;
	int rem, err;

	get_mss(tb, CNILINK_A_TUNNEL_MSS4, opts->mss);
	opts->rate = tb[CNILINK_A_TUNNEL_HEALTH_RATE] ?
		     nla_get_u32(tb[CNILINK_A_TUNNEL_HEALTH_RATE]) :
		     CNI_HEALTH_RATE;
	nlmsg_for_each_attr(attr, info->nlhdr, GENL_HDRLEN, rem) {
		if (nla_type(attr) != CNILINK_A_TUNNEL_HEALTH)
			continue;
		if (opts->n == CNI_HEALTH_MAX) {
			NL_SET_ERR_MSG_MOD(info->extack,
					   "Too many health checks");
			NL_SET_BAD_ATTR(info->extack, attr);
			return -E2BIG;
		}
		err = parse_health(attr, &opts->check[opts->n++],
				   info->extack);
		if (err)
			return err;
	}
	return opts->n ? 0 : no_use(info->extack,
				    tb[CNILINK_A_TUNNEL_HEALTH_RATE]);
}

static int tunnel_set(struct genl_info *info,
		      const struct cni_tunnel_opts *opts)
{
	struct cni_net *cn = info_net(info);
	struct net_device *dev;
	int err;

	err = cni_activate(cn, info->extack);
	if (err)
		return err;
	rtnl_lock();
	dev = get_dev(info, CNILINK_A_TUNNEL_IFINDEX);
	err = PTR_ERR_OR_ZERO(dev);
	if (!err)
		err = cni_tunnel_set(cn, dev, opts, info->extack);
	if (!err)
		object_changed(cn, dev, &tunnel_kind);
	rtnl_unlock();
	return err;
}

int cnilink_nl_tunnel_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct cni_tunnel_opts *opts;
	int err;

	opts = kzalloc(sizeof(*opts), GFP_KERNEL);
	if (!opts)
		return -ENOMEM;
	err = parse_tunnel_opts(info, opts);
	if (!err)
		err = tunnel_set(info, opts);
	kfree(opts);
	return err;
}

int cnilink_nl_port_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct cni_net *cn = info_net(info);
	u16 mss[CNI_FAMILIES] = {};
	struct net_device *dev;
	u32 flags = 0;
	int err;

	get_mss(info->attrs, CNILINK_A_PORT_MSS4, mss);
	if (info->attrs[CNILINK_A_PORT_FLAGS])
		flags = nla_get_u32(info->attrs[CNILINK_A_PORT_FLAGS]);
	err = cni_activate(cn, info->extack);
	if (err)
		return err;
	rtnl_lock();
	dev = get_dev(info, CNILINK_A_PORT_IFINDEX);
	err = PTR_ERR_OR_ZERO(dev);
	if (!err)
		err = cni_port_set(cn, dev, flags, mss, info->extack);
	if (!err)
		object_changed(cn, dev, &port_kind);
	rtnl_unlock();
	return err;
}

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
		err = check_ipv6(dst6, extack);
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

/* One route of a batch; takes a reference when it's an adjacency. */
static int parse_route(struct cni_net *cn, const struct nlattr *attr,
		       bool set, struct cni_route_change *change,
		       struct netlink_ext_ack *extack)
{
	struct nlattr *tb[CNILINK_A_ROUTE_MAX + 1] = {}, *hop;
	u32 action = CNILINK_ACTION_FORWARD, object, weight;
	unsigned int n = 0;
	struct cni_adj *adj;
	int err, rem;

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
		err = no_use(extack, tb[CNILINK_A_ROUTE_BLOCKERS]);
	if (!err && !set)
		err = no_use(extack, tb[CNILINK_A_ROUTE_ACTION] ?:
				     tb[CNILINK_A_ROUTE_NEXTHOP]);
	if (err)
		return err;
	change->value = CNI_ROUTE_NONE;
	if (!set)
		return 0;

	if (tb[CNILINK_A_ROUTE_ACTION])
		action = nla_get_u32(tb[CNILINK_A_ROUTE_ACTION]);
	if (action == CNILINK_ACTION_PUNT) {
		if (tb[CNILINK_A_ROUTE_NEXTHOP]) {
			NL_SET_ERR_MSG_MOD(extack,
					   "A punted prefix has no next hop");
			NL_SET_BAD_ATTR(extack, tb[CNILINK_A_ROUTE_NEXTHOP]);
			return -EINVAL;
		}
		change->value = CNI_ROUTE_PUNT;
		return 0;
	}
	if (!tb[CNILINK_A_ROUTE_NEXTHOP]) {
		NL_SET_ERR_MSG_MOD(extack, "A next hop is needed");
		NL_SET_ERR_ATTR_MISS(extack, attr, CNILINK_A_ROUTE_NEXTHOP);
		return -EINVAL;
	}
	nla_for_each_nested(hop, attr, rem)
		n += nla_type(hop) == CNILINK_A_ROUTE_NEXTHOP;
	object = tb[CNILINK_A_ROUTE_NEXTHOP_ID] ?
		 nla_get_u32(tb[CNILINK_A_ROUTE_NEXTHOP_ID]) : CNI_ADJ_UNSAID;
	if (n == 1)
		adj = parse_adj(cn, tb[CNILINK_A_ROUTE_NEXTHOP],
				change->family, object, &weight, extack);
	else
		adj = parse_group(cn, attr, n, change->family, object, extack);
	if (IS_ERR(adj))
		return PTR_ERR(adj);
	change->value = adj->id;
	return 0;
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
	struct cni_net *cn = info_net(info);
	struct cni_route_change *changes;
	struct nlattr **tb = info->attrs;
	const struct nlattr *attr;
	unsigned int n = 0;
	bool adj_new;
	int rem, err;

	/* They are the whole transaction's, at its begin and at its end. */
	if (tb[CNILINK_A_TABLE_TRANSACTION]) {
		err = no_use(info->extack, tb[CNILINK_A_TABLE_ID] ?:
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
	err = no_attrs(cb->nlh, cb->extack);
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
	reason = cni_gate_net(cn, family, e->flags & CNI_ENCAP_GRE,
			      e->flags & CNI_ENCAP_BYPASS_NF);
	if (!reason && e->flags & CNI_ENCAP_GRE6 &&
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
	return put_lladdr(skb, CNILINK_A_LOOKUP_LLADDR,
			  lookup_neigh(e, family, dst));
}

static int fill_lookup(struct sk_buff *skb, const void *obj)
{
	const struct lookup *lookup = obj;
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
	struct lookup lookup = { .cn = info_net(info) };
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
	err = reply(info, fill_lookup, &lookup);
	mutex_unlock(&lookup.cn->lock);
	rtnl_unlock();
	return err;
}

static int fill_txn(struct sk_buff *skb, const void *obj)
{
	const struct cni_net *cn = obj;

	return nla_put_u32(skb, CNILINK_A_TABLE_TRANSACTION, cn->txn_id);
}

int cnilink_nl_table_begin_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct cni_net *cn = info_net(info);
	int err;

	err = cni_activate(cn, info->extack);
	if (err)
		return err;
	mutex_lock(&cn->lock);
	err = cni_route_begin(cn, get_table_id(info), info->snd_portid,
			      info->extack);
	if (!err) {
		err = reply(info, fill_txn, cn);
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
	struct cni_net *cn = info_net(info);
	struct cni_table *table;
	u64 generation;
	int err;
	u32 id;

	err = need_txn(info);
	if (err)
		return err;
	mutex_lock(&cn->lock);
	id = cn->txn_table_id;
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
	struct cni_net *cn = info_net(info);
	struct cni_table *table;
	int err;

	err = need_txn(info);
	if (err)
		return err;
	mutex_lock(&cn->lock);
	table = cni_route_table(cn, get_txn(info), info->snd_portid,
				cn->txn_table_id, info->extack);
	err = PTR_ERR_OR_ZERO(table);
	if (!err)
		cni_route_abort(cn);
	mutex_unlock(&cn->lock);
	return err;
}

static int fill_table(struct sk_buff *skb, const struct cni_net *cn,
		      const struct cni_table *table)
{
	if (nla_put_u32(skb, CNILINK_A_STATUS_ROUTES4,
			table->routes[CNI_V4]) ||
	    nla_put_u32(skb, CNILINK_A_STATUS_ROUTES6,
			table->routes[CNI_V6]) ||
	    nla_put_u32(skb, CNILINK_A_STATUS_PUNTED4,
			table->punted[CNI_V4] + cn->adj_retired[CNI_V4]) ||
	    nla_put_u32(skb, CNILINK_A_STATUS_PUNTED6,
			table->punted[CNI_V6] + cn->adj_retired[CNI_V6]))
		return -EMSGSIZE;
	return nla_put_u64_64bit(skb, CNILINK_A_STATUS_BYTES,
				 cni_lpm_bytes(table->lpm[CNI_V4]) +
				 cni_lpm_bytes(table->lpm[CNI_V6]),
				 CNILINK_A_STATUS_PAD);
}

static int put_state(struct sk_buff *skb, const struct cni_net *cn,
		     u64 generation)
{
	u64 blockers[CNI_FAMILIES];
	int f;

	for (f = 0; f < CNI_FAMILIES; f++)
		blockers[f] = cni_gate_net_blockers(cn, f, false);
	if (nla_put_u64_64bit(skb, CNILINK_A_STATUS_GENERATION, generation,
			      CNILINK_A_STATUS_PAD) ||
	    nla_put_u64_64bit(skb, CNILINK_A_STATUS_BLOCKERS4,
			      blockers[CNI_V4], CNILINK_A_STATUS_PAD) ||
	    nla_put_u64_64bit(skb, CNILINK_A_STATUS_BLOCKERS6,
			      blockers[CNI_V6], CNILINK_A_STATUS_PAD))
		return -EMSGSIZE;
	return 0;
}

static int fill_state(struct sk_buff *skb, const void *obj)
{
	const struct cni_net *cn = obj;

	return put_state(skb, cn, READ_ONCE(cn->generation));
}

struct status {
	const struct cni_net	*cn;
	u64			generation;
};

static int fill_status(struct sk_buff *skb, const void *obj)
{
	const struct status *status = obj;
	const struct cni_net *cn = status->cn;
	const struct cni_table *table;
	char hooks[256];

	cni_nf_owners(cn->net, hooks, sizeof(hooks));
	table = rcu_dereference_protected(cn->table,
					  lockdep_is_held(&cn->lock));
	if (nla_put_string(skb, CNILINK_A_STATUS_VERSION, CNILINK_VERSION) ||
	    nla_put_u32(skb, CNILINK_A_STATUS_XDP, cni_xdp_state()) ||
	    nla_put_string(skb, CNILINK_A_STATUS_HOOKS, hooks) ||
	    put_state(skb, cn, status->generation))
		return -EMSGSIZE;
	return table ? fill_table(skb, cn, table) : 0;
}

/*
 * Whatever is counted in the generation is in the kernel's tables by then, and
 * has been told to listeners of rtnetlink.
 */
int cnilink_nl_status_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct cni_net *cn = info_net(info);
	struct status status = { .cn = cn };
	int err;

	err = no_attrs(info->nlhdr, info->extack);
	if (err)
		return err;
	rtnl_lock();
	status.generation = READ_ONCE(cn->generation);
	rtnl_unlock();
	cni_fib_settle(cn, status.generation);
	rtnl_lock();
	mutex_lock(&cn->lock);
	err = reply(info, fill_status, &status);
	mutex_unlock(&cn->lock);
	rtnl_unlock();
	return err;
}

/**
 * cni_netlink_state - tell listeners that the engine's state changed
 * @cn: namespace
 */
void cni_netlink_state(struct cni_net *cn)
{
	notify(cn->net, CNILINK_NLGRP_STATE, CNILINK_CMD_STATE_NTF, fill_state,
	       cn);
}

/* A transaction ends with the socket that opened it. */
static int socket_closed(struct notifier_block *nb, unsigned long event,
			 void *ptr)
{
	const struct netlink_notify *n = ptr;
	struct cni_net *cn;

	if (event != NETLINK_URELEASE || n->protocol != NETLINK_GENERIC)
		return NOTIFY_DONE;
	cn = cni_net_of(n->net);
	if (!READ_ONCE(cn->txn_table))
		return NOTIFY_DONE;
	mutex_lock(&cn->lock);
	if (cn->txn_table && cn->txn_portid == n->portid)
		cni_route_abort(cn);
	mutex_unlock(&cn->lock);
	return NOTIFY_DONE;
}

static struct notifier_block socket_nb = {
	.notifier_call = socket_closed,
};

/**
 * cni_netlink_register - begin to take requests
 *
 * Return: 0 or an error.
 */
int __init cni_netlink_register(void)
{
	int err;

	err = netlink_register_notifier(&socket_nb);
	if (err)
		return err;
	err = cni_compat_genl_register(&cnilink_nl_family);
	if (err)
		netlink_unregister_notifier(&socket_nb);
	return err;
}

/**
 * cni_netlink_unregister - take no more requests
 */
void cni_netlink_unregister(void)
{
	cni_compat_genl_unregister(&cnilink_nl_family);
	netlink_unregister_notifier(&socket_nb);
}
