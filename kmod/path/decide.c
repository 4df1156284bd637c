// SPDX-License-Identifier: GPL-2.0
/*
 * Checks for what might be in the way of packets. That nothing is, is cached in
 * struct cni_checks for the epoch.
 */

#include "path/decide.h"

#include <linux/if_vlan.h>
#include <linux/rculist.h>
#include <net/gso.h>

#include "base/epoch.h"
#include "base/xmit.h"
#include "compat/compat.h"
#include "path/frame.h"
#include "path/gate.h"
#include "path/outer.h"
#include "state/except.h"
#include "state/fib.h"
#include "state/object.h"

/* What a family's packets meet; the flag bits are for what only some do. */
static u64 net_bits(const struct cni_forward *fwd, int family)
{
	const struct cni_decap *decap = fwd->decap;
	const struct net *net = fwd->cn->net;

	if (fwd->bypass_nf)
		return 0;
	if (cni_gate_nf(net, family, cni_gate_judged(decap, CNI_V4)) ||
	    (cni_gate_judged(decap, CNI_V6) &&
	     cni_gate_nf_outer6(net, family)))
		return CNI_EPOCH_NF | CNI_EPOCH_NF_GRE;
	return cni_gate_nf(net, family, true) ? CNI_EPOCH_NF_GRE : 0;
}

/**
 * cni_decide_look_dev - is something attached to where a packet came in?
 * @fwd: the packet
 *
 * Return: the reason to punt it, or 0.
 */
enum cnilink_reason cni_decide_look_dev(const struct cni_forward *fwd)
{
	const struct cni_decap *decap = fwd->decap;
	const struct net_device *dev = decap ? decap->link->dev : fwd->dev;
	enum cnilink_reason reason;

	reason = fwd->xdp ? cni_frame_gate_in(fwd->xdp) : 0;
	if (!reason && decap)
		reason = cni_gate_rx(fwd->dev);
	if (reason)
		return reason;
	if (!cni_gate_hooked_last(dev))
		return CNILINK_REASON_NFT_DEVICE;
	if (cni_gate_heard(fwd->dev, fwd->proto) ||
	    (decap && cni_gate_heard_outer(dev, decap->outer6)))
		return CNILINK_REASON_TAP;
	return 0;
}

/* @fwd->blocked is set if it's in the way of all. */
static enum cnilink_reason look_in(struct cni_forward *fwd, int family)
{
	struct in_device *in_dev = __in_dev_get_rcu(fwd->dev);
	enum cnilink_reason reason;
	u64 bits;

	fwd->blocked = true;
	reason = cni_decide_look_dev(fwd);
	if (reason)
		return reason;
	if (!cni_gate_forwards(fwd->cn->net, fwd->dev, family) ||
	    (family == CNI_V4 && !in_dev))
		return CNILINK_REASON_FORWARDING_OFF;
	reason = cni_gate_net(fwd->cn, family, false, true);
	if (reason)
		return reason;
	bits = net_bits(fwd, family);
	if (family == CNI_V4 && IN_DEV_RPFILTER(in_dev))
		bits |= CNI_EPOCH_RP_FILTER;
	cni_decide_checks(fwd, fwd->stats)->ingress[family] = fwd->now | bits;
	/* A port that netfilter is bypassed for may be sent to. */
	fwd->blocked = bits & CNI_EPOCH_NF && !READ_ONCE(fwd->cn->bypasses);
	return bits & fwd->encap->gates ? CNILINK_REASON_NETFILTER : 0;
}

/**
 * cni_decide_look_in - is something in the way of what comes in by a device?
 * @fwd: the packet, and its encap
 * @family: CNI_V4 or CNI_V6
 *
 * Return: the reason to punt it, or 0.
 */
enum cnilink_reason cni_decide_look_in(struct cni_forward *fwd, int family)
{
	struct cni_checks *checks = cni_decide_checks(fwd, fwd->stats);
	enum cnilink_reason reason = look_in(fwd, family);

	if (reason && fwd->blocked) {
		checks->blocked[family] = fwd->now;
		checks->blocked_by[family] = reason;
	}
	return reason;
}

/**
 * cni_decide_look_out - is something in the way of what is sent by an encap?
 * @fwd: the packet, and its encap
 *
 * Return: the reason to punt it, or 0.
 */
enum cnilink_reason cni_decide_look_out(struct cni_forward *fwd)
{
	const struct cni_encap *e = fwd->encap;
	bool tapped = cni_gate_tapped(e->lower);
	enum cnilink_reason reason = 0;

	if (e->vlan)
		reason = cni_gate_tx(e->vlan);
	if (!reason && e->gre)
		reason = cni_gate_tx(e->gre);
	if (reason)
		return reason;
	/* One on all devices is on those that are bypassed, too. */
	if (tapped && (fwd->xdp ||
		       (fwd->stepped && cni_gate_tapped(fwd->dev)) ||
		       (e->vlan && cni_gate_tapped(e->vlan)) ||
		       (e->gre && cni_gate_tapped(e->gre))))
		return CNILINK_REASON_TAP;
	if (e->gre) {
		reason = cni_outer_look(e);
		if (reason)
			return reason;
	}
	fwd->xmit = 0;
	if (tapped)
		return 0;
	if (fwd->xdp) {
		reason = cni_frame_gate_out(e);
		if (reason)
			return reason;
	} else if (e->xmit && cni_xmit_watched(e->lower)) {
		return 0;
	}
	fwd->xmit = e->xmit;
	cni_decide_checks(fwd, fwd->encap->stats)->egress = fwd->now;
	return 0;
}

/* Is there who takes frames without a tag? */
static bool takes_untagged(const struct cni_rxdev *rx)
{
	const struct cni_link *link;

	if (rcu_access_pointer(rx->port))
		return true;
	list_for_each_entry_rcu(link, &rx->links[0], rx_node)
		if (!link->tagged)
			return true;
	return false;
}

/**
 * cni_decide_ignores_tag - is a tag with VLAN ID 0 as good as none?
 * @rx: hook of the device that received the frame
 * @vlan_proto: of the tag, network byte order
 * @proto: what follows it, network byte order
 *
 * As __netif_receive_skb_core() has it, which takes such a tag off unless there
 * is a VLAN device for it; an rx_handler sees it before, another tag counts.
 *
 * Return: whether it is, for a port or a link.
 */
bool cni_decide_ignores_tag(const struct cni_rxdev *rx, __be16 vlan_proto,
			    __be16 proto)
{
	return takes_untagged(rx) && !eth_type_vlan(proto) &&
	       !rcu_access_pointer(rx->dev->rx_handler) &&
	       !__vlan_find_dev_deep_rcu(rx->dev, vlan_proto, 0);
}

/**
 * cni_decide_look_untag - is something attached to a link's VLAN?
 * @fwd: a packet that came in by the link
 *
 * Return: the reason to punt it, or 0.
 */
enum cnilink_reason cni_decide_look_untag(const struct cni_forward *fwd)
{
	enum cnilink_reason reason = cni_gate_rx(fwd->dev);

	if (!reason)
		this_cpu_write(fwd->stats->untag, fwd->now);
	return reason;
}

/**
 * cni_decide_look_pending4 - may the table be gone by for a packet?
 * @cn: namespace
 * @pending: what cni_fib_pending() said, not 0
 * @daddr: destination
 * @saddr: source
 *
 * Return: the reason to punt it, or 0.
 */
enum cnilink_reason cni_decide_look_pending4(const struct cni_net *cn,
					     u8 pending, __be32 daddr,
					     __be32 saddr)
{
	if (cni_fib_pending4(cn, daddr) || cni_fib_pending4(cn, saddr))
		return CNILINK_REASON_PENDING;
	return pending & CNI_FIB_EXCEPT && cni_except_has(cn, CNI_V4, &daddr) ?
	       CNILINK_REASON_PUNT_ROUTE : 0;
}

/**
 * cni_decide_look_pending6 - may the table be gone by for a packet?
 * @cn: namespace
 * @pending: what cni_fib_pending() said, not 0
 * @daddr: destination
 * @saddr: source
 *
 * Return: the reason to punt it, or 0.
 */
enum cnilink_reason cni_decide_look_pending6(const struct cni_net *cn,
					     u8 pending,
					     const struct in6_addr *daddr,
					     const struct in6_addr *saddr)
{
	if (cni_fib_pending6(cn, daddr) || cni_fib_pending6(cn, saddr))
		return CNILINK_REASON_PENDING;
	return pending & CNI_FIB_EXCEPT && cni_except_has(cn, CNI_V6, daddr) ?
	       CNILINK_REASON_PUNT_ROUTE : 0;
}

/**
 * cni_decide_gso - may the packets that are cut out of a GSO packet be sent?
 * @skb: packet
 * @most: largest size, counted from the network header, the outer one if
 *	there's one
 * @tunnel: they go into a tunnel
 *
 * Return: the reason to punt it, or 0.
 */
enum cnilink_reason cni_decide_gso(const struct sk_buff *skb, unsigned int most,
				   bool tunnel)
{
	/* Put together by a device, not to be cut: see skb_warn_if_lro() */
	if (!skb_shinfo(skb)->gso_type)
		return CNILINK_REASON_OFFLOAD;
	if (!skb_gso_validate_network_len(skb, most))
		return CNILINK_REASON_MTU;
	/*
	 * The kernel can't cut the former inside an outer header: it crashes.
	 * The latter become fragments, whose outer headers differ.
	 */
	if (tunnel && skb_shinfo(skb)->gso_type &
		      (SKB_GSO_FRAGLIST | SKB_GSO_UDP))
		return CNILINK_REASON_OFFLOAD;
	return 0;
}

/*
 * Would the stock gre device cut it into segments? What netif_needs_gso() says
 * when the packet is the device's, out of what it's in at the moment.
 */
static bool is_cut(const struct cni_forward *fwd, const struct sk_buff *skb)
{
	const struct skb_shared_info *info = skb_shinfo(skb);
	const struct net_device *gre = fwd->encap->gre;
	netdev_features_t features = gre->features;

	/* What nobody vouches for, any device looks at, and leaves whole. */
	features |= NETIF_F_GSO_ROBUST | NETIF_F_GSO_GRE | NETIF_F_GSO_GRE_CSUM;
	if (!(info->gso_type & SKB_GSO_PARTIAL))
		features &= ~gre->gso_partial_features;
	return info->gso_segs > READ_ONCE(gre->gso_max_segs) ||
	       fwd->len >= cni_compat_gso_max_size(gre, fwd->proto) ||
	       !net_gso_ok(features, info->gso_type) ||
	       (skb_has_frag_list(skb) && !(features & NETIF_F_FRAGLIST)) ||
	       (skb->ip_summed != CHECKSUM_PARTIAL &&
		skb->ip_summed != CHECKSUM_UNNECESSARY) ||
	       !can_checksum_protocol(features, fwd->proto);
}

/**
 * cni_decide_look_gso - may a GSO packet be sent as it is?
 * @fwd: the packet, and its encap
 * @skb: the packet
 * @mtu: of the encap
 *
 * Return: the reason to punt it, or 0.
 */
enum cnilink_reason cni_decide_look_gso(const struct cni_forward *fwd,
					const struct sk_buff *skb, u32 mtu)
{
	bool tunnel = fwd->encap->gre;
	enum cnilink_reason reason;

	reason = cni_decide_gso(skb, mtu + fwd->off, tunnel);
	if (!reason && tunnel && is_cut(fwd, skb))
		reason = CNILINK_REASON_OFFLOAD;
	return reason;
}
