// SPDX-License-Identifier: GPL-2.0
/* Netlink requests for links, tunnels and ports. */

#include "control/netlink.h"

#include <linux/if_vlan.h>
#include <linux/inetdevice.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/ipv6.h>

#include "base/witness.h"
#include "control/activate.h"
#include "control/link.h"
#include "control/port.h"
#include "control/resolve.h"
#include "control/rest.h"
#include "control/tunnel.h"
#include "path/frame.h"
#include "path/hook.h"
#include "state/encap.h"

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

static int put_peer_lladdr(struct sk_buff *skb, int attrtype,
			   const struct cni_link *link, int family)
{
	struct neighbour *n = cni_link_peer(link, family);
	int err;

	if (!n)
		return 0;
	err = cni_netlink_put_lladdr(skb, attrtype, n);
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

static int fill_link(struct sk_buff *skb, const struct cni_object *obj)
{
	const struct cni_link *link = container_of(obj, struct cni_link, obj);
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

static int fill_tunnel(struct sk_buff *skb, const struct cni_object *obj)
{
	const struct cni_tunnel *tunnel =
		container_of(obj, struct cni_tunnel, obj);
	const struct cni_encap *e = rtnl_dereference(tunnel->encap);
	const struct cni_tunnel_parms *parms = &tunnel->parms;
	struct cni_health *health = rtnl_dereference(tunnel->health);

	if (nla_put_u32(skb, CNILINK_A_TUNNEL_IFINDEX, tunnel->dev->ifindex) ||
	    put_endpoints(skb, parms) ||
	    nla_put_u8(skb, CNILINK_A_TUNNEL_TTL, parms->ttl) ||
	    nla_put_u8(skb, CNILINK_A_TUNNEL_TOS, parms->tos) ||
	    nla_put_u32(skb, CNILINK_A_TUNNEL_MTU, tunnel->dev->mtu) ||
	    nla_put_u32(skb, CNILINK_A_TUNNEL_FLAGS, tunnel->flags) ||
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
	     cni_netlink_put_lladdr(skb, CNILINK_A_TUNNEL_LLADDR,
				    tunnel->neigh)))
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
	if (cni_stats_fill(skb, CNILINK_A_TUNNEL_OUTPUT, tunnel->stage.stats) ||
	    cni_stats_fill(skb, CNILINK_A_TUNNEL_INPUT, tunnel->input))
		return -EMSGSIZE;
	return cni_stats_fill(skb, CNILINK_A_TUNNEL_STATS, tunnel->stats);
}

static int fill_port(struct sk_buff *skb, const struct cni_object *obj)
{
	const struct cni_port *port = container_of(obj, struct cni_port, obj);

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

/*
 * What differs between links, tunnels and ports, each of which is told by the
 * ifindex of its device. All under the RTNL.
 */
struct kind {
	struct cni_object *(*find)(struct cni_net *cn, u32 ifindex,
				   struct netlink_ext_ack *extack);
	void	(*del)(struct cni_object *obj);
	int	(*fill)(struct sk_buff *skb, const struct cni_object *obj);
	size_t	list;
	int	ifindex;
	u8	cmd_get;
	u8	cmd_ntf;
	u8	cmd_del_ntf;
};

static struct cni_object *find_link(struct cni_net *cn, u32 ifindex,
				    struct netlink_ext_ack *extack)
{
	struct cni_object *obj = cni_object_find(&cn->links, ifindex);

	if (!obj)
		NL_SET_ERR_MSG_MOD(extack, "The device is no link");
	return obj;
}

static struct cni_object *find_tunnel(struct cni_net *cn, u32 ifindex,
				      struct netlink_ext_ack *extack)
{
	struct cni_object *obj = cni_object_find(&cn->tunnels, ifindex);

	if (!obj)
		NL_SET_ERR_MSG_MOD(extack, "The device is no tunnel");
	return obj;
}

static struct cni_object *find_port(struct cni_net *cn, u32 ifindex,
				    struct netlink_ext_ack *extack)
{
	struct cni_object *obj = cni_object_find(&cn->ports, ifindex);

	if (!obj)
		NL_SET_ERR_MSG_MOD(extack, "The device is no port");
	return obj;
}

static void del_link(struct cni_object *obj)
{
	cni_link_del(container_of(obj, struct cni_link, obj));
}

static void del_tunnel(struct cni_object *obj)
{
	cni_tunnel_del(container_of(obj, struct cni_tunnel, obj));
}

static void del_port(struct cni_object *obj)
{
	cni_port_del(container_of(obj, struct cni_port, obj));
}

static const struct kind link_kind = {
	.find		= find_link,
	.del		= del_link,
	.fill		= fill_link,
	.list		= offsetof(struct cni_net, links),
	.ifindex	= CNILINK_A_LINK_IFINDEX,
	.cmd_get	= CNILINK_CMD_LINK_GET,
	.cmd_ntf	= CNILINK_CMD_LINK_NTF,
	.cmd_del_ntf	= CNILINK_CMD_LINK_DEL_NTF,
};

static const struct kind tunnel_kind = {
	.find		= find_tunnel,
	.del		= del_tunnel,
	.fill		= fill_tunnel,
	.list		= offsetof(struct cni_net, tunnels),
	.ifindex	= CNILINK_A_TUNNEL_IFINDEX,
	.cmd_get	= CNILINK_CMD_TUNNEL_GET,
	.cmd_ntf	= CNILINK_CMD_TUNNEL_NTF,
	.cmd_del_ntf	= CNILINK_CMD_TUNNEL_DEL_NTF,
};

static const struct kind port_kind = {
	.find		= find_port,
	.del		= del_port,
	.fill		= fill_port,
	.list		= offsetof(struct cni_net, ports),
	.ifindex	= CNILINK_A_PORT_IFINDEX,
	.cmd_get	= CNILINK_CMD_PORT_GET,
	.cmd_ntf	= CNILINK_CMD_PORT_NTF,
	.cmd_del_ntf	= CNILINK_CMD_PORT_DEL_NTF,
};

/* What a message is about. */
struct entry {
	const struct kind	*kind;
	const struct cni_object	*obj;
};

static int fill_entry(struct sk_buff *skb, const void *arg)
{
	const struct entry *entry = arg;

	return entry->kind->fill(skb, entry->obj);
}

static void notify(const struct kind *kind, const struct cni_object *obj,
		   u8 cmd)
{
	struct entry entry = { kind, obj };

	cni_netlink_notify(obj->cn->net, CNILINK_NLGRP_CONFIG, cmd,
			   fill_entry, &entry);
}

/**
 * cni_netlink_link_gone - tell listeners that a link is about to go
 * @link: link, RTNL held
 */
void cni_netlink_link_gone(const struct cni_link *link)
{
	notify(&link_kind, &link->obj, link_kind.cmd_del_ntf);
}

/**
 * cni_netlink_tunnel_gone - tell listeners that a tunnel is about to go
 * @tunnel: tunnel, RTNL held
 */
void cni_netlink_tunnel_gone(const struct cni_tunnel *tunnel)
{
	notify(&tunnel_kind, &tunnel->obj, tunnel_kind.cmd_del_ntf);
}

/**
 * cni_netlink_port_gone - tell listeners that a port is about to go
 * @port: port, RTNL held
 */
void cni_netlink_port_gone(const struct cni_port *port)
{
	notify(&port_kind, &port->obj, port_kind.cmd_del_ntf);
}

static int object_get(struct genl_info *info, const struct kind *kind)
{
	struct entry entry = { kind };
	u32 ifindex;
	int err;

	err = get_ifindex(info, kind->ifindex, &ifindex);
	if (err)
		return err;
	rtnl_lock();
	entry.obj = kind->find(cni_netlink_net(info), ifindex, info->extack);
	err = entry.obj ? cni_netlink_reply(info, fill_entry, &entry) : -ENOENT;
	rtnl_unlock();
	return err;
}

/* Entries that are left out are reported to be so by the sequence number. */
static int object_dump(struct sk_buff *skb, struct netlink_callback *cb,
		       const struct kind *kind)
{
	struct cni_net *cn = cni_net_of(sock_net(skb->sk));
	struct list_head *list = (void *)cn + kind->list;
	struct entry entry = { kind };
	const struct cni_object *obj;
	struct nlmsghdr *nlh;
	int n = 0, err;

	err = cni_netlink_refuse_all(cb->nlh, cb->extack);
	if (err)
		return err;
	rtnl_lock();
	cb->seq = cn->object_seq + 1;
	list_for_each_entry(obj, list, list) {
		if (n++ < cb->args[0])
			continue;
		nlh = (void *)skb_tail_pointer(skb);
		entry.obj = obj;
		err = cni_netlink_put(skb, NETLINK_CB(cb->skb).portid,
				      cb->nlh->nlmsg_seq, NLM_F_MULTI,
				      kind->cmd_get, fill_entry, &entry);
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
	struct cni_object *obj;
	u32 ifindex;
	int err;

	err = get_ifindex(info, kind->ifindex, &ifindex);
	if (err)
		return err;
	rtnl_lock();
	obj = kind->find(cni_netlink_net(info), ifindex, info->extack);
	if (obj) {
		notify(kind, obj, kind->cmd_del_ntf);
		kind->del(obj);
	}
	rtnl_unlock();
	return obj ? 0 : -ENOENT;
}

/* What follows on an object's being set. */
static void object_changed(struct cni_net *cn, const struct net_device *dev,
			   const struct kind *kind)
{
	cni_rest_end(cn);
	cni_resolve_now(cn);
	notify(kind, kind->find(cn, dev->ifindex, NULL), kind->cmd_ntf);
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
		err = cni_netlink_check_ipv6(tb[CNILINK_A_LINK_LOCAL6],
					     info->extack);
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
	struct cni_net *cn = cni_netlink_net(info);
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

/* The addresses of a health check; all of @tb is of one family. */
static int parse_health_pair(struct nlattr **tb,
			     struct cni_health_check *check,
			     struct netlink_ext_ack *extack)
{
	const struct nlattr *peer4 = tb[CNILINK_A_HEALTH_PEER4];
	const struct nlattr *peer6 = tb[CNILINK_A_HEALTH_PEER6];
	bool bad;

	if (peer4) {
		check->family = CNI_V4;
		check->local.s6_addr32[0] =
			nla_get_in_addr(tb[CNILINK_A_HEALTH_LOCAL4]);
		check->peer.s6_addr32[0] = nla_get_in_addr(peer4);
		bad = check_pair4(check->local.s6_addr32[0],
				  check->peer.s6_addr32[0]);
	} else {
		check->family = CNI_V6;
		check->local = nla_get_in6_addr(tb[CNILINK_A_HEALTH_LOCAL6]);
		check->peer = nla_get_in6_addr(peer6);
		bad = check_pair6(&check->local, &check->peer);
	}
	if (bad) {
		NL_SET_ERR_MSG_MOD(extack,
				   "Not two different unicast addresses");
		NL_SET_BAD_ATTR(extack, peer4 ?: peer6);
		return -EINVAL;
	}
	return 0;
}

static int parse_health(const struct nlattr *attr,
			struct cni_health_check *check,
			struct netlink_ext_ack *extack)
{
	struct nlattr *tb[CNILINK_A_HEALTH_MAX + 1];
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
	if (v6)
		err = cni_netlink_check_ipv6(attr, extack);
	if (!err)
		err = parse_health_pair(tb, check, extack);
	if (err)
		return err;
	if (tb[CNILINK_A_HEALTH_FLAGS])
		check->flags = nla_get_u32(tb[CNILINK_A_HEALTH_FLAGS]);
	bits = v4 ? 32 : 128;
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
	if (tb[CNILINK_A_TUNNEL_FLAGS])
		opts->flags = nla_get_u32(tb[CNILINK_A_TUNNEL_FLAGS]);
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
	if (opts->n)
		return 0;
	return cni_netlink_refuse(info->extack,
				  tb[CNILINK_A_TUNNEL_HEALTH_RATE]);
}

static int tunnel_set(struct genl_info *info,
		      const struct cni_tunnel_opts *opts)
{
	struct cni_net *cn = cni_netlink_net(info);
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
	struct cni_net *cn = cni_netlink_net(info);
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
