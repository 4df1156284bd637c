// SPDX-License-Identifier: GPL-2.0
/* What frames need before they are handed to a device at once. */

#include "base/xmit.h"

#include <net/sock.h>

/**
 * cni_xmit_caps - what to know of a lower device before there is a frame for it
 * @dev: lower device, RTNL held
 * @tagged: frames have a VLAN tag
 * @tunnel: they have an outer header
 *
 * Frames can be handed to devices that take no lock for sending, which the
 * caller would need to know the owner of, and whose queue can be chosen.
 *
 * Return: a set of CNI_XMIT_*.
 */
u8 cni_xmit_caps(const struct net_device *dev, bool tagged, bool tunnel)
{
	const struct net_device_ops *ops = dev->netdev_ops;
	netdev_features_t features = dev->features;

	if (!cni_compat_lltx(dev) ||
	    (dev->real_num_tx_queues != 1 && !ops->ndo_select_queue))
		return 0;
	if (ops->ndo_features_check &&
	    ops->ndo_features_check != passthru_features_check)
		return CNI_XMIT_DIRECT;
	/* As netif_skb_features() does for each frame. */
	if (tagged)
		features = netdev_intersect_features(features,
						     dev->vlan_features);
	if (!(features & NETIF_F_CSUM_MASK))
		return CNI_XMIT_DIRECT | CNI_XMIT_NO_CSUM;
	if (tunnel)
		features &= dev->hw_enc_features;
	if (features & NETIF_F_HW_CSUM)
		return CNI_XMIT_DIRECT | CNI_XMIT_CSUM;
	return CNI_XMIT_DIRECT;
}

/**
 * cni_xmit_prepare - do what validate_xmit_skb() would do
 * @skb: frame with a socket, or a checksum that isn't complete
 * @caps: cni_xmit_caps() of its device
 *
 * Return: whether that was possible; else the frame is as it was.
 */
bool cni_xmit_prepare(struct sk_buff *skb, u8 caps)
{
	int start;

	/* It may have a say in the priority, or encrypts. */
	if (skb->sk && (cni_compat_priomap(skb->dev) ||
			cni_compat_sk_validates(skb->sk, skb)))
		return false;
	if (skb->ip_summed != CHECKSUM_PARTIAL)
		return true;
	if (!(caps & (CNI_XMIT_CSUM | CNI_XMIT_NO_CSUM)) || skb->csum_not_inet)
		return false;
	if (caps & CNI_XMIT_NO_CSUM && skb_checksum_help(skb))
		return false;
	start = skb_checksum_start_offset(skb);
	if (skb->encapsulation)
		skb_set_inner_transport_header(skb, start);
	else
		skb_set_transport_header(skb, start);
	return true;
}

/**
 * cni_xmit_xdp_reaches - can XDP send to a device, as far as one can know?
 * @dev: lower device, RTNL held
 *
 * Return: whether it can, once it has an XDP program itself.
 */
bool cni_xmit_xdp_reaches(const struct net_device *dev)
{
	const struct net_device *peer;
	bool ok;

	if (!dev->netdev_ops->ndo_xdp_xmit)
		return false;
	if (!dev->netdev_ops->ndo_get_peer_dev)
		return true;
	/* A veth hands frames to its peer's NAPI, which it may not have. */
	rcu_read_lock();
	peer = dev->netdev_ops->ndo_get_peer_dev((struct net_device *)dev);
	ok = peer && (peer->features & NETIF_F_GRO ||
		      cni_compat_xdp_native(peer));
	rcu_read_unlock();
	return ok;
}
