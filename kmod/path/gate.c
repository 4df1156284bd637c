// SPDX-License-Identifier: GPL-2.0
/* What keeps traffic off the fast path, as user space is shown it. */

#include "path/gate.h"

#include <linux/if_vlan.h>
#include <linux/rculist.h>
#include <linux/rtnetlink.h>

#include "path/forward.h"
#include "state/object.h"
#include "state/rule.h"

static bool listens(const struct list_head *list, __be16 proto)
{
	const struct packet_type *pt;

	list_for_each_entry_rcu(pt, list, list)
		if (pt->type == proto)
			return true;
	return false;
}

static int listens_below(struct net_device *dev,
			 struct netdev_nested_priv *priv)
{
	return listens(&dev->ptype_specific, *(__be16 *)priv->data);
}

/**
 * cni_gate_heard - is somebody to get what a device receives of a protocol?
 * @dev: device whose packets don't get as far as that
 * @proto: network byte order
 *
 * What comes in by a VLAN or a bond, __netif_receive_skb_core() gives to
 * sockets of the device below, too. Not so a bridge's ports. Those of sockets
 * that are bound to no device can't be seen before Linux 6.15.
 *
 * Under rcu_read_lock(), as are all of these.
 *
 * Return: whether somebody is.
 */
bool cni_gate_heard(const struct net_device *dev, __be16 proto)
{
	const struct list_head *unbound = cni_compat_ptypes(dev_net(dev));
	struct netdev_nested_priv below = { .data = &proto };

	if (unbound && listens(unbound, proto))
		return true;
	for (; is_vlan_dev(dev); dev = vlan_dev_priv(dev)->real_dev)
		if (listens(&dev->ptype_specific, proto))
			return true;
	if (listens(&dev->ptype_specific, proto))
		return true;
	if (list_empty(&dev->adj_list.lower) || netif_is_bridge_master(dev))
		return false;
	return netdev_walk_all_lower_dev_rcu((struct net_device *)dev,
					     listens_below, &below);
}

/**
 * cni_gate_heard_outer - is somebody to get the outer packets of a tunnel?
 * @dev: of the link that they come in by
 * @outer6: they are IPv6
 *
 * They are for this host, whose raw sockets get them, too; forwarded ones don't
 * come there. Over IPv6 also those of the options before GRE's header do.
 *
 * Return: whether somebody is.
 */
bool cni_gate_heard_outer(const struct net_device *dev, bool outer6)
{
	const struct net *net = dev_net(dev);

	if (!outer6)
		return cni_gate_heard(dev, htons(ETH_P_IP)) ||
		       cni_compat_raw_socket(&raw_v4_hashinfo, net,
					     IPPROTO_GRE);
	return cni_gate_heard(dev, htons(ETH_P_IPV6)) ||
	       cni_compat_raw_socket(&raw_v6_hashinfo, net, IPPROTO_GRE) ||
	       cni_compat_raw_socket(&raw_v6_hashinfo, net, IPPROTO_DSTOPTS);
}

/**
 * cni_gate_hooked_last - is our hook the last that a device's packets meet?
 * @dev: layer 3 device of a link or a port
 *
 * Return: whether it is.
 */
bool cni_gate_hooked_last(const struct net_device *dev)
{
	const struct nf_hook_entries *e;
	unsigned int i;

	/* A VLAN that is a port has its own hook; a link is hooked below. */
	e = rcu_dereference(dev->nf_hooks_ingress);
	for (i = 0; e && i < e->num_hook_entries; i++)
		if (e->hooks[i].hook == cni_forward_ingress)
			return i == e->num_hook_entries - 1;
	return is_vlan_dev(dev) &&
	       cni_gate_nf_last(vlan_dev_priv(dev)->real_dev->nf_hooks_ingress,
				cni_forward_ingress);
}

static enum cnilink_reason or_tapped(enum cnilink_reason reason,
				     const struct net_device *dev)
{
	return reason ?: cni_gate_tapped(dev) ? CNILINK_REASON_TAP : 0;
}

/**
 * cni_gate_dev_tx - does a device's egress forbid to bypass it?
 * @dev: stock device
 *
 * Under rcu_read_lock(), as is the next.
 *
 * Return: the reason to step aside, or 0.
 */
enum cnilink_reason cni_gate_dev_tx(const struct net_device *dev)
{
	return or_tapped(cni_gate_tx(dev), dev);
}

/**
 * cni_gate_dev_rx - does a device's ingress forbid to bypass it?
 * @dev: stock device
 *
 * Return: the reason to step aside, or 0.
 */
enum cnilink_reason cni_gate_dev_rx(const struct net_device *dev)
{
	return or_tapped(cni_gate_rx(dev), dev);
}

/**
 * cni_gate_sent_slow - cni_gate_sent() where there are hooks
 * @net: namespace
 * @family: of the packets, CNI_V4 or CNI_V6
 *
 * Return: what they do.
 */
enum cni_gate_sent cni_gate_sent_slow(const struct net *net, int family)
{
	struct nf_hook_entries __rcu * const *hooks;
	const struct nf_hook_entries *e;
	u8 what;

	hooks = cni_gate_nf_hooks(net, family);
	e = rcu_dereference(hooks[NF_INET_LOCAL_OUT]);
	what = e ? cni_nf_what(e, NF_INET_LOCAL_OUT) : 0;
	e = cni_nf_any(hooks[NF_INET_POST_ROUTING], NF_INET_POST_ROUTING);
	what |= e ? cni_nf_what(e, NF_INET_POST_ROUTING) : 0;
	if (what & CNI_NF_JUDGES)
		return CNI_GATE_SENT_JUDGED;
	return what ? CNI_GATE_SENT_TRACKED : CNI_GATE_SENT_FREELY;
}

/**
 * cni_gate_blocker - the blocker that is a reason's counterpart
 * @reason: of a cni_gate_*() check, or 0
 *
 * Return: a bit of enum cnilink_blocker, or 0.
 */
u64 cni_gate_blocker(enum cnilink_reason reason)
{
	switch (reason) {
	case CNILINK_REASON_NOT_OFFLOADED:
		return CNILINK_BLOCKER_DEVICE_DOWN;
	case CNILINK_REASON_FORWARDING_OFF:
		return CNILINK_BLOCKER_FORWARDING_OFF;
	case CNILINK_REASON_NETFILTER:
		return CNILINK_BLOCKER_NETFILTER;
	case CNILINK_REASON_RULES:
		return CNILINK_BLOCKER_RULES;
	case CNILINK_REASON_XFRM:
		return CNILINK_BLOCKER_XFRM;
	case CNILINK_REASON_QDISC:
		return CNILINK_BLOCKER_QDISC;
	case CNILINK_REASON_TC:
		return CNILINK_BLOCKER_TC;
	case CNILINK_REASON_NFT_DEVICE:
		return CNILINK_BLOCKER_NFT_DEVICE;
	case CNILINK_REASON_XDP:
		return CNILINK_BLOCKER_XDP;
	case CNILINK_REASON_TAP:
		return CNILINK_BLOCKER_TAP;
	case CNILINK_REASON_RX_HANDLER:
		return CNILINK_BLOCKER_RX_HANDLER;
	default:
		return 0;
	}
}

/**
 * cni_gate_carries - does a link of the namespace have addresses of a family?
 * @cn: namespace, under rcu_read_lock() or the RTNL
 * @family: CNI_V4 or CNI_V6
 *
 * Return: whether one has. What stands in another family's way is nobody's
 * concern.
 */
bool cni_gate_carries(const struct cni_net *cn, int family)
{
	const struct cni_link *link;

	list_for_each_entry_rcu(link, &cn->links, list, lockdep_rtnl_is_held())
		if (family == CNI_V4 ? link->addr.has4 : link->addr.has6)
			return true;
	return false;
}

/**
 * cni_gate_unforwarded - does the kernel forward a family from no port?
 * @cn: namespace, under rcu_read_lock()
 * @family: CNI_V4 or CNI_V6
 *
 * Return: whether there are ports, and it forwards from none.
 */
bool cni_gate_unforwarded(const struct cni_net *cn, int family)
{
	const struct cni_port *port;
	bool any = false;

	list_for_each_entry_rcu(port, &cn->ports, list) {
		if (cni_gate_forwards(cn->net, port->dev, family))
			return false;
		any = true;
	}
	return any;
}

/**
 * cni_gate_net_blockers - all that stands in the way in a namespace
 * @cn: namespace
 * @family: CNI_V4 or CNI_V6
 * @bypass_nf: netfilter may be bypassed
 *
 * Return: a set of enum cnilink_blocker.
 */
u64 cni_gate_net_blockers(const struct cni_net *cn, int family, bool bypass_nf)
{
	const struct cni_tunnel *tunnel;
	bool outer[CNI_FAMILIES] = {};
	u64 blockers = 0;

	if (READ_ONCE(cn->fib.rules[CNI_V4]) ||
	    READ_ONCE(cn->fib.rules[CNI_V6]))
		blockers |= CNILINK_BLOCKER_RULES;
	if (cni_gate_xfrm(cn->net))
		blockers |= CNILINK_BLOCKER_XFRM;
	rcu_read_lock();
	list_for_each_entry_rcu(tunnel, &cn->tunnels, list)
		if (!(READ_ONCE(tunnel->flags) &
		      CNILINK_TUNNEL_FLAG_BYPASS_NETFILTER))
			outer[READ_ONCE(tunnel->parms.family)] = true;
	if (cni_gate_carries(cn, family)) {
		if (cni_gate_unforwarded(cn, family))
			blockers |= CNILINK_BLOCKER_FORWARDING_OFF;
		if (cni_rule_none(cn, family))
			blockers |= CNILINK_BLOCKER_NO_RULE;
	}
	if (!bypass_nf && (cni_gate_nf(cn->net, family, outer[CNI_V4]) ||
			   (outer[CNI_V6] &&
			    cni_gate_nf_outer6(cn->net, family))))
		blockers |= CNILINK_BLOCKER_NETFILTER;
	rcu_read_unlock();
	return blockers;
}
