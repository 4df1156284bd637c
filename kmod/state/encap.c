// SPDX-License-Identifier: GPL-2.0
/* The header template of a way out, and sending by it. */

#include "state/encap.h"

#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/if_vlan.h>
#include <linux/ip6_tunnel.h>
#include <linux/slab.h>
#include <net/gre.h>
#include <net/inet_ecn.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "path/frame.h"
#include "path/gate.h"
#include "control/tunnel.h"
#include "base/xmit.h"

/*
 * The Ethernet header and tag that the stock device would make. The first
 * @room bytes before the end of the template are left to the caller.
 */
static u64 fill_l2(struct cni_encap *e, struct net_device *dev, __be16 proto,
		   unsigned int room)
{
	unsigned int l2_len = ETH_HLEN;
	struct ethhdr *eth;

	if (dev->type != ARPHRD_ETHER || dev->flags & IFF_LOOPBACK)
		return CNILINK_BLOCKER_NOT_ETHERNET;

	e->lower = dev;
	if (is_vlan_dev(dev)) {
		const struct vlan_dev_priv *vlan = vlan_dev_priv(dev);

		if (!(vlan->flags & VLAN_FLAG_REORDER_HDR))
			return CNILINK_BLOCKER_VLAN_FLAGS;
		e->vlan = dev;
		e->lower = vlan->real_dev;
		e->vlan_proto = vlan->vlan_proto;
		e->vlan_tci = vlan->vlan_id;
		if (vlan->nr_egress_mappings)
			e->flags |= CNI_ENCAP_VLAN_QOS;
		if (vlan_hw_offload_capable(e->lower->features,
					    vlan->vlan_proto))
			e->flags |= CNI_ENCAP_VLAN_HW;
		else
			l2_len += VLAN_HLEN;
	}
	if (e->lower->type != ARPHRD_ETHER)
		return CNILINK_BLOCKER_NOT_ETHERNET;
	if (!netif_running(e->lower) || !netif_carrier_ok(e->lower))
		return CNILINK_BLOCKER_DEVICE_DOWN;
	if (cni_frame_reaches(e->lower))
		e->flags |= CNI_ENCAP_XDP;
	e->xmit = cni_xmit_caps(e->lower, e->vlan, room);

	eth = (void *)(e->hdr + sizeof(e->hdr) - room - l2_len);
	ether_addr_copy(eth->h_source, dev->dev_addr);
	eth->h_proto = proto;
	if (l2_len > ETH_HLEN) {
		struct cni_eth_vlan *tagged = (void *)eth;

		eth->h_proto = e->vlan_proto;
		tagged->vlan.h_vlan_TCI = htons(e->vlan_tci);
		tagged->vlan.h_vlan_encapsulated_proto = proto;
	}
	e->l2_len = l2_len;
	e->hdr_len = l2_len + room;
	e->headroom = CNI_ENCAP_MAX + e->lower->needed_headroom;
	return 0;
}

static struct cni_encap *alloc_l2(struct net_device *dev, __be16 proto,
				  unsigned int room, u64 *blockers)
{
	struct cni_encap *e = kzalloc(sizeof(*e), GFP_KERNEL);
	static atomic_t made;

	if (!e) {
		*blockers = CNILINK_BLOCKER_DEVICE_DOWN;
		return NULL;
	}
	*blockers = fill_l2(e, dev, proto, room);
	if (*blockers) {
		kfree(e);
		return NULL;
	}
	e->serial = atomic_inc_return(&made);
	e->slot = e->serial % CNI_ENCAP_SLOTS;
	return e;
}

/**
 * cni_encap_alloc_plain - template without a tunnel
 * @dev: VLAN or Ethernet device
 * @family: CNI_V4 or CNI_V6
 * @blockers: set to what stands in the way when there's none
 *
 * The caller fills in @neigh, @stats and @mtu.
 *
 * Return: the template, or NULL.
 */
struct cni_encap *cni_encap_alloc_plain(struct net_device *dev, int family,
					u64 *blockers)
{
	__be16 proto = htons(family == CNI_V4 ? ETH_P_IP : ETH_P_IPV6);
	struct cni_encap *e;

	e = alloc_l2(dev, proto, 0, blockers);
	if (e)
		e->dev = dev;
	return e;
}

static unsigned int gre_len(const struct cni_tunnel_parms *parms)
{
	return sizeof(struct gre_base_hdr) + (parms->ocsum ? 4 : 0) +
	       (parms->okeyed ? 4 : 0);
}

static void fill_gre(struct cni_encap *e, struct gre_base_hdr *greh,
		     const struct cni_tunnel_parms *parms)
{
	if (parms->ocsum) {
		greh->flags |= GRE_CSUM;
		e->flags |= CNI_ENCAP_CSUM;
	}
	if (parms->okeyed) {
		greh->flags |= GRE_KEY;
		*(__be32 *)(e->hdr + sizeof(e->hdr) - 4) = parms->okey;
	}
}

/**
 * cni_encap_alloc_gre - template of a GRE tunnel over IPv4
 * @gre: the stock gre device
 * @dev: VLAN or Ethernet device below it
 * @parms: what @gre is configured to
 * @blockers: set to what stands in the way when there's none
 *
 * The caller fills in the rest: @neigh, @stats, @mtu, @tos, @ttl, @df, flags,
 * and has it sealed.
 *
 * Return: the template, or NULL.
 */
struct cni_encap *cni_encap_alloc_gre(struct net_device *gre,
				      struct net_device *dev,
				      const struct cni_tunnel_parms *parms,
				      u64 *blockers)
{
	unsigned int room = sizeof(struct iphdr) + gre_len(parms);
	struct cni_encap *e;
	struct iphdr *iph;

	e = alloc_l2(dev, htons(ETH_P_IP), room, blockers);
	if (!e)
		return NULL;
	e->dev = gre;
	e->gre = gre;
	e->gre_len = gre_len(parms);
	e->flags |= CNI_ENCAP_GRE;

	iph = (void *)(e->hdr + sizeof(e->hdr) - room);
	iph->version = 4;
	iph->ihl = 5;
	iph->protocol = IPPROTO_GRE;
	iph->saddr = parms->local.v4;
	iph->daddr = parms->remote.v4;

	fill_gre(e, (void *)(iph + 1), parms);
	return e;
}

/**
 * cni_encap_alloc_gre6 - template of a GRE tunnel over IPv6
 * @gre: the stock ip6gre device
 * @dev: VLAN or Ethernet device below it
 * @parms: what @gre is configured to
 * @blockers: set to what stands in the way when there's none
 *
 * The caller fills in the rest: @neigh, @stats, @mtu, @tos, @ttl, the flow
 * label, flags.
 *
 * Return: the template, or NULL.
 */
struct cni_encap *cni_encap_alloc_gre6(struct net_device *gre,
				       struct net_device *dev,
				       const struct cni_tunnel_parms *parms,
				       u64 *blockers)
{
	unsigned int opt_len = parms->encap_limit < 0 ? 0 : 8;
	unsigned int room = sizeof(struct ipv6hdr) + opt_len + gre_len(parms);
	struct cni_encap *e;
	struct ipv6hdr *iph;
	u8 *opt;

	e = alloc_l2(dev, htons(ETH_P_IPV6), room, blockers);
	if (!e)
		return NULL;
	e->dev = gre;
	e->gre = gre;
	e->gre_len = gre_len(parms);
	e->headroom = CNI_ENCAP_MAX6 + e->lower->needed_headroom;
	e->flags |= CNI_ENCAP_GRE6;
	e->hold = CNI_ENCAP_ASK;

	iph = (void *)(e->hdr + sizeof(e->hdr) - room);
	iph->version = 6;
	iph->nexthdr = opt_len ? NEXTHDR_DEST : NEXTHDR_GRE;
	iph->saddr = parms->local.v6;
	iph->daddr = parms->remote.v6;
	if (opt_len) {
		opt = (void *)(iph + 1);
		opt[0] = NEXTHDR_GRE;
		opt[2] = IPV6_TLV_TNL_ENCAP_LIMIT;
		opt[3] = 1;
		opt[4] = parms->encap_limit;
		opt[5] = IPV6_TLV_PADN;
		opt[6] = 1;
	}

	fill_gre(e, (void *)(e->hdr + sizeof(e->hdr) - e->gre_len), parms);
	return e;
}

/**
 * cni_encap_seal_gre - put into the template what all packets have alike
 * @e: template, all else filled in
 */
void cni_encap_seal_gre(struct cni_encap *e)
{
	struct iphdr *iph = (void *)(e->hdr + sizeof(e->hdr) - e->hdr_len +
				     e->l2_len);

	/* Without DF there's an ID, and the inner packet's DF may count. */
	if (!e->df || e->flags & (CNI_ENCAP_TOS_INHERIT |
				  CNI_ENCAP_TTL_INHERIT | CNI_ENCAP_MTU_LOCKED))
		e->flags |= CNI_ENCAP_VARIES;
	iph->tos = e->tos & ~INET_ECN_MASK;
	iph->ttl = e->ttl;
	iph->frag_off = e->df;
	e->csum = (__force u16)~csum_fold(csum_partial(iph, sizeof(*iph), 0));
}

/**
 * cni_encap_csum - have the GRE header summed up, as gre_build_header() has it
 * @skb: packet, the GRE header set as transport header
 */
void cni_encap_csum(struct sk_buff *skb)
{
	struct gre_base_hdr *greh = (void *)skb_transport_header(skb);

	if (skb_is_gso(skb))
		return;
	if (skb->ip_summed == CHECKSUM_PARTIAL) {
		*(__sum16 *)(greh + 1) = csum_fold(lco_csum(skb));
		return;
	}
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_transport_header(skb) - skb->head;
	skb->csum_offset = sizeof(*greh);
}

/**
 * cni_encap_outer_varies - make an outer header that the template doesn't have
 * @e: way out, a tunnel over IPv4
 * @iph: outer header, filled from the template, its length set
 * @dsfield: of the inner packet
 * @ttl: of the inner packet
 * @inner_df: the inner packet's IP_DF, network byte order
 * @segs: how many packets it is
 *
 * As ip_tunnel_xmit() and iptunnel_xmit() do.
 */
void cni_encap_outer_varies(const struct cni_encap *e, struct iphdr *iph,
			    u8 dsfield, u8 ttl, __be16 inner_df,
			    unsigned int segs)
{
	u8 tos = e->flags & CNI_ENCAP_TOS_INHERIT ? dsfield : e->tos;

	iph->tos = INET_ECN_encapsulate(tos, dsfield);
	if (e->flags & CNI_ENCAP_TTL_INHERIT)
		iph->ttl = ttl;
	if (!(e->flags & CNI_ENCAP_IGNORE_DF))
		iph->frag_off |= inner_df;
	if (e->flags & CNI_ENCAP_MTU_LOCKED)
		iph->frag_off = 0;
	/* With DF an ID has no use (RFC 6864), and picking one isn't free. */
	if (!iph->frag_off)
		__ip_select_ident(dev_net(e->gre), iph, segs);
	ip_send_check(iph);
}

static void encap_free_rcu(struct rcu_head *rcu)
{
	struct cni_encap *e = container_of(rcu, struct cni_encap, rcu);

	if (e->neigh)
		neigh_release(e->neigh);
	kfree(e);
}

/**
 * cni_encap_free - free a template that isn't published, or no longer
 * @e: template, or NULL
 */
void cni_encap_free(struct cni_encap *e)
{
	if (e)
		call_rcu(&e->rcu, encap_free_rcu);
}

/* Would packets look the same? */
static bool is_same(const struct cni_encap *a, const struct cni_encap *b)
{
	if (!a || !b)
		return a == b;
	return a->hold == b->hold &&
	       !memcmp(&a->flags, &b->flags, offsetof(struct cni_encap, rcu) -
					     offsetof(struct cni_encap, flags));
}

/**
 * cni_encap_publish - make a template the one that is sent by
 * @where: what the data path reads
 * @old: what is there; the caller's lock keeps other writers out
 * @e: template, or NULL; gone if @old does the same
 */
void cni_encap_publish(struct cni_encap __rcu **where, struct cni_encap *old,
		       struct cni_encap *e)
{
	if (e)
		e->gates = cni_gate_which(e->flags & CNI_ENCAP_GRE,
					  e->flags & CNI_ENCAP_BYPASS_NF);
	if (is_same(old, e)) {
		cni_encap_free(e);
		return;
	}
	/* What takes the other's place does so for XDP, too. */
	if (e && old)
		e->slot = old->slot;
	rcu_assign_pointer(*where, e);
	cni_gate_renew();
	cni_encap_free(old);
}
