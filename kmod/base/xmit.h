/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_XMIT_H
#define _CNI_XMIT_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <net/sch_generic.h>
#include <net/xfrm.h>

#include "compat/compat.h"

/*
 * A device without a queue (bond, veth, dummy ...) is handed its frames by
 * dev_queue_xmit() after a long look at what they might need of the stack.
 * Frames that need nothing get there at once; it is a third of the whole cost.
 */

/* What is known of a lower device before there is a frame for it */
enum {
	/* It can be handed frames at once. */
	CNI_XMIT_DIRECT		= BIT(0),
	/* It sums up what is CHECKSUM_PARTIAL in them. */
	CNI_XMIT_CSUM		= BIT(1),
	/* It doesn't, so the stack would do it. */
	CNI_XMIT_NO_CSUM	= BIT(2),
};

u8 cni_xmit_caps(const struct net_device *dev, bool tagged, bool tunnel);
bool cni_xmit_prepare(struct sk_buff *skb, u8 caps);
bool cni_xmit_xdp_reaches(const struct net_device *dev);

/* What validate_xmit_skb() and __dev_queue_xmit() would have to do with it. */
static inline bool cni_xmit_needs_stack(const struct sk_buff *skb)
{
	return skb_is_gso(skb) || skb_is_nonlinear(skb) || skb->_skb_refdst ||
	       skb_shinfo(skb)->tx_flags || skb_sec_path(skb);
}

/**
 * cni_xmit_watched - is something attached that has to see a device's frames?
 * @dev: lower device
 *
 * Return: whether there is.
 */
static inline bool cni_xmit_watched(const struct net_device *dev)
{
	if (rcu_dereference_bh(netdev_get_tx_queue(dev, 0)->qdisc)->enqueue ||
	    cni_compat_tc_egress(dev))
		return true;
#ifdef CONFIG_NETFILTER_EGRESS
	return rcu_access_pointer(dev->nf_hooks_egress);
#else
	return false;
#endif
}

/**
 * cni_xmit - hand a frame to its device
 * @skb: frame, all of its headers on; gone afterwards
 * @caps: cni_xmit_caps() of the device, or 0 if it is watched or captured
 *
 * With bottom halves off.
 *
 * Return: as dev_queue_xmit().
 */
static inline int cni_xmit(struct sk_buff *skb, u8 caps)
{
	struct net_device *dev = skb->dev;
	struct netdev_queue *txq = netdev_get_tx_queue(dev, 0);
	unsigned int queue = 0;
	int err;

	if (!caps || cni_xmit_needs_stack(skb))
		return dev_queue_xmit(skb);
	if (unlikely(dev->real_num_tx_queues != 1)) {
		if (!dev->netdev_ops->ndo_select_queue)
			return dev_queue_xmit(skb);
		queue = dev->netdev_ops->ndo_select_queue(dev, skb, NULL);
		queue = netdev_cap_txqueue(dev, queue);
		txq = netdev_get_tx_queue(dev, queue);
		if (unlikely(rcu_dereference_bh(txq->qdisc)->enqueue))
			return dev_queue_xmit(skb);
	}
	if (unlikely(netif_xmit_stopped(txq)))
		return dev_queue_xmit(skb);
	if (unlikely(skb->sk || skb->ip_summed == CHECKSUM_PARTIAL) &&
	    !cni_xmit_prepare(skb, caps))
		return dev_queue_xmit(skb);

	skb_set_queue_mapping(skb, queue);
	err = netdev_start_xmit(skb, dev, txq, false);
	if (likely(dev_xmit_complete(err)))
		return err;
	kfree_skb_reason(skb, SKB_DROP_REASON_FULL_RING);
	return NET_XMIT_DROP;
}

#endif
