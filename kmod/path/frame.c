// SPDX-License-Identifier: GPL-2.0
/*
 * The whole decision about frames that have no skb yet. It is that of the skb
 * path, made by the same functions; here are the conditions that XDP adds.
 */

#include "path/frame.h"

#include <linux/device.h>
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <net/xdp.h>

#include "base/epoch.h"
#include "base/xmit.h"
#include "compat/compat.h"
#include "path/blocked.h"
#include "path/decide.h"
#include "path/forward.h"
#include "path/gate.h"
#include "path/health.h"
#include "path/hook.h"
#include "path/source.h"

/*
 * Offloads that keep a part of the frame elsewhere. What a veth receives is
 * what its peer was left to send.
 */
static struct net_device *watched_dev(struct net_device *dev,
				      netdev_features_t *blind)
{
	struct net_device *peer = NULL;

	if (dev->netdev_ops->ndo_get_peer_dev)
		peer = dev->netdev_ops->ndo_get_peer_dev(dev);
	*blind = peer ? NETIF_F_HW_VLAN_CTAG_TX | NETIF_F_HW_VLAN_STAG_TX |
			NETIF_F_CSUM_MASK | NETIF_F_SCTP_CRC :
			NETIF_F_HW_VLAN_CTAG_RX | NETIF_F_HW_VLAN_STAG_RX;
	return peer ?: dev;
}

/*
 * Drivers that hand XDP frames as another guest left them, whose checksums are
 * still to be made, or which are to be cut: tun and tap, as who holds the other
 * end likes, and Xen's. A bond's XDP sees its members' frames, not its own.
 */
static bool is_unfit(const struct net_device *dev)
{
	const struct device *parent = dev->dev.parent;

	if (netif_is_bond_master(dev) ||
	    (dev->rtnl_link_ops && !strcmp(dev->rtnl_link_ops->kind, "tun")))
		return true;
	return parent && parent->bus && !strcmp(parent->bus->name, "xen") &&
	       parent->driver && !strcmp(parent->driver->name, "vif");
}

/*
 * What is attached to a device's egress. A queueing discipline that the kernel
 * chose has no handle, and judges nothing.
 */
static enum cnilink_reason gate_attached(const struct net_device *dev)
{
	if (rcu_dereference(dev->qdisc)->handle)
		return CNILINK_REASON_QDISC;
	if (cni_compat_tc_egress(dev))
		return CNILINK_REASON_TC;
#ifdef CONFIG_NETFILTER_EGRESS
	if (cni_gate_nf_dev(dev->nf_hooks_egress, cni_stage_egress))
		return CNILINK_REASON_NFT_DEVICE;
#endif
	return 0;
}

/**
 * cni_frame_gate_in - what XDP steps over on ingress, besides stock devices
 * @rx: hook of the device that frames come in by
 *
 * Return: the reason to leave them to the skb path, or 0.
 */
enum cnilink_reason cni_frame_gate_in(const struct cni_rxdev *rx)
{
	if (rx->unfit)
		return CNILINK_REASON_XDP_DRIVER;
	if (READ_ONCE(rx->watched->features) & rx->blind)
		return CNILINK_REASON_XDP_OFFLOADS;
	/* Generic XDP sees what the stack has put together. */
	if (rcu_access_pointer(rx->dev->xdp_prog))
		return CNILINK_REASON_XDP;
	if (cni_compat_tc_ingress(rx->dev))
		return CNILINK_REASON_TC;
	if (cni_gate_tapped(rx->dev))
		return CNILINK_REASON_TAP;
	return 0;
}

/**
 * cni_frame_gate_out - what XDP steps over on egress; does it get there?
 * @e: encap
 *
 * Return: the reason to leave frames to the skb path, or 0.
 */
enum cnilink_reason cni_frame_gate_out(const struct cni_encap *e)
{
	/* The program names it by its number, in the receiver's namespace. */
	if (!net_eq(dev_net(e->lower), dev_net(e->dev)) ||
	    !cni_compat_xdp_reaches(e->lower, e->flags & CNI_ENCAP_XDP))
		return CNILINK_REASON_XDP_TARGET;
	return gate_attached(e->lower);
}

/**
 * cni_frame_watch - find out what tells what XDP sees of a device
 * @rx: the device's hook, which no frame has met yet
 */
void cni_frame_watch(struct cni_rxdev *rx)
{
	rcu_read_lock();
	rx->watched = watched_dev(rx->dev, &rx->blind);
	rcu_read_unlock();
	rx->unfit = is_unfit(rx->dev);
}

/**
 * cni_frame_blockers - what keeps XDP from taking a device's frames
 * @rx: the device's hook, RTNL held
 *
 * And from sending frames to it, as its own program may be there or not.
 *
 * Return: a set of enum cnilink_blocker.
 */
u64 cni_frame_blockers(const struct cni_rxdev *rx)
{
	const struct net_device *dev = rx->dev;
	u64 blockers;

	rcu_read_lock();
	blockers = cni_gate_blocker(gate_attached(dev));
	if (cni_gate_nf_dev(dev->nf_hooks_ingress, cni_forward_ingress))
		blockers |= CNILINK_BLOCKER_NFT_DEVICE;
	if (cni_compat_tc_ingress(dev))
		blockers |= CNILINK_BLOCKER_TC;
	if (cni_gate_tapped(dev) || cni_gate_heard(dev, htons(ETH_P_IP)) ||
	    cni_gate_heard(dev, htons(ETH_P_IPV6)))
		blockers |= CNILINK_BLOCKER_TAP;
	/* Of these, the user can do something about the latter only. */
	if (rx->unfit)
		blockers |= CNILINK_BLOCKER_XDP_DRIVER;
	else if (rx->watched->features & rx->blind)
		blockers |= CNILINK_BLOCKER_XDP_OFFLOADS;
	if (rcu_access_pointer(dev->xdp_prog))
		blockers |= CNILINK_BLOCKER_XDP;
	rcu_read_unlock();
	if (!cni_xmit_xdp_reaches(dev))
		blockers |= CNILINK_BLOCKER_XDP_TARGET;
	return blockers;
}

/* Our own hook has to be the only one: the skb path is the last of them. */
static struct cni_rxdev *find_rxdev(const struct net_device *dev,
				    enum cnilink_reason *reason)
{
	const struct nf_hook_entries *e;
	struct cni_rxdev *rx = NULL;
	unsigned int i;

	e = rcu_dereference(dev->nf_hooks_ingress);
	if (unlikely(!e))
		return NULL;
	i = e->num_hook_entries - 1;
	if (likely(e->hooks[i].hook == cni_forward_ingress))
		rx = e->hooks[i].priv;
	if (unlikely(i))
		*reason = CNILINK_REASON_NFT_DEVICE;
	return rx;
}

/* The bond of a member that received a frame: such are only counted. */
static struct cni_rxdev *find_bond(struct net_device *dev,
				   enum cnilink_reason *reason)
{
	struct net_device *bond;
	struct cni_rxdev *rx;

	if (!netif_is_bond_slave(dev))
		return NULL;
	bond = netdev_master_upper_dev_get_rcu(dev);
	rx = bond ? find_rxdev(bond, reason) : NULL;
	*reason = CNILINK_REASON_XDP_DRIVER;
	return rx;
}

/* Read its Ethernet header and tag; false if they aren't all there. */
static bool look_at(struct cni_frame *f, const struct xdp_buff *xdp,
		    const struct cni_rxdev *rx)
{
	struct cni_packet_frame *view = &f->view;
	const struct ethhdr *eth = xdp->data;
	__be16 proto;

	if (unlikely(xdp->data + ETH_HLEN > xdp->data_end))
		return false;
	f->l2_len = ETH_HLEN;
	proto = eth->h_proto;
	view->vlan_proto = 0;
	if (eth_type_vlan(proto)) {
		const struct cni_eth_vlan *tagged = xdp->data;

		f->l2_len += VLAN_HLEN;
		if (unlikely(xdp->data + f->l2_len > xdp->data_end))
			return false;
		view->vlan_proto = proto;
		view->vlan_tci = ntohs(tagged->vlan.h_vlan_TCI);
		proto = tagged->vlan.h_vlan_encapsulated_proto;
		if (unlikely(!(view->vlan_tci & VLAN_VID_MASK)) &&
		    cni_decide_ignores_tag(rx, view->vlan_proto, proto))
			view->vlan_proto = 0;
	}
	view->dev = rx->dev;
	view->data = xdp->data + f->l2_len;
	view->len = xdp->data_end - view->data;
	view->protocol = proto;
	view->pkt_type = ether_addr_equal_64bits(eth->h_dest,
						 rx->dev->dev_addr) ?
			 PACKET_HOST : PACKET_OTHERHOST;
	return true;
}

/**
 * cni_frame_find - find the link or port that a frame came in by
 * @f: frame; all but the decision is filled in
 * @xdp: frame
 *
 * With bottom halves off.
 *
 * Return: whether there is one.
 */
bool cni_frame_find(struct cni_frame *f, const struct xdp_buff *xdp)
{
	struct net_device *dev = xdp->rxq->dev;
	struct cni_forward *fwd = &f->fwd;
	struct cni_rxdev *rx;

	/* What nobody fills in below; to clear all costs more. */
	f->reason = 0;
	f->port = NULL;
	f->health = NULL;
	f->request = false;
	fwd->decap = NULL;
	fwd->mss = NULL;
	fwd->off = 0;
	fwd->bypass_nf = false;
	fwd->stepped = false;
	fwd->blocked = false;
	fwd->set_ce = false;
	fwd->set_ect1 = false;

	/* Before anything is found that may be gone with the next one. */
	fwd->now = cni_epoch_now();
	rx = find_rxdev(dev, &f->reason);
	if (unlikely(!rx))
		rx = find_bond(dev, &f->reason);
	if (unlikely(!rx || !look_at(f, xdp, rx)))
		return false;

	f->link = cni_forward_find(rx, &f->view);
	if (f->link) {
		fwd->cn = f->link->cn;
		fwd->dev = f->link->dev;
		fwd->stats = f->link->stats;
	} else {
		f->port = rcu_dereference(rx->port);
		if (!f->port)
			return false;
		fwd->cn = f->port->cn;
		fwd->dev = f->port->dev;
		fwd->stats = f->port->stats;
	}
	fwd->proto = f->view.protocol;
	fwd->xdp = rx;
	return true;
}

/**
 * cni_frame_decide - the whole decision what to do with a frame
 * @f: frame, found; the decision is filled in
 * @xdp: the same
 *
 * Return: the reason to leave it to the skb path, or 0.
 */
enum cnilink_reason cni_frame_decide(struct cni_frame *f,
				     const struct xdp_buff *xdp)
{
	struct cni_health_probe probe = {};
	enum cnilink_reason reason;
	u32 flags;

	if (unlikely(f->reason))
		return f->reason;
	if (unlikely(cni_blocked_frame(f->fwd.xdp, &f->view, f->fwd.now,
				       &reason)))
		return reason;
	if (unlikely(xdp_buff_has_frags((struct xdp_buff *)xdp)))
		return CNILINK_REASON_XDP_FRAME;
	if (f->link) {
		reason = cni_forward_decide_link(&f->fwd, f->link, &f->view,
						 &probe);
		f->health = probe.health;
		f->request = f->health && cni_health_is_request(&probe);
		return reason;
	}
	flags = READ_ONCE(f->port->flags);
	f->fwd.bypass_nf = flags & CNILINK_PORT_FLAG_BYPASS_NETFILTER;
	if (unlikely(flags & CNILINK_PORT_FLAG_STRICT_SOURCE)) {
		/* Nothing is dropped that isn't seen as a whole. */
		reason = cni_frame_gate_in(f->fwd.xdp);
		if (reason)
			return reason;
		reason = cni_source_check(f->port, cni_packet_frame(&f->view));
		if (reason)
			return reason;
	}
	return cni_forward_decide_port(&f->fwd, f->port, &f->view);
}
