// SPDX-License-Identifier: GPL-2.0
/* The header template of an adjacency or a tunnel. */

#include "state/encap.h"

#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/if_vlan.h>
#include <linux/inetdevice.h>
#include <linux/slab.h>
#include <net/addrconf.h>
#include <net/gre.h>
#include <net/inet_ecn.h>
#include <net/ip.h>
#include <net/ip6_tunnel.h>
#include <net/ip_tunnels.h>
#include <net/ipv6.h>

#include "base/epoch.h"
#include "base/xmit.h"
#include "compat/compat.h"
#include "state/object.h"

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
	if (cni_xmit_xdp_reaches(e->lower))
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

/* The rest is the caller's: @neigh, @stats, @mtu, @tos, @ttl, @df, flags. */
static struct cni_encap *alloc_gre(struct net_device *gre,
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

/* The rest is the caller's: @neigh, @stats, @mtu, @tos, @ttl, label, flags. */
static struct cni_encap *alloc_gre6(struct net_device *gre,
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

/* Put into the template what all packets have alike. */
static void seal_gre(struct cni_encap *e)
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
 * cni_encap_flow4 - the flow that ip_tunnel_xmit() makes up
 * @tunnel: tunnel over IPv4
 * @fl4: filled in; packets' own marks and TOS may change it
 */
void cni_encap_flow4(const struct cni_tunnel *tunnel, struct flowi4 *fl4)
{
	const struct ip_tunnel *t = netdev_priv(tunnel->dev);

	*fl4 = (struct flowi4){
		.daddr = tunnel->parms.remote.v4,
		.saddr = tunnel->parms.local.v4,
		.flowi4_oif = READ_ONCE(t->parms.link),
		.flowi4_mark = t->fwmark,
		.flowi4_proto = IPPROTO_GRE,
		.fl4_gre_key = tunnel->parms.okey,
	};
	cni_compat_fl4_set_tos(fl4, tunnel->parms.tos & INET_DSCP_MASK);
}

/**
 * cni_encap_flow6 - the flow that ip6_tnl_xmit() makes up
 * @tunnel: tunnel over IPv6
 * @fl6: filled in; packets' own labels and marks may change it
 */
void cni_encap_flow6(const struct cni_tunnel *tunnel, struct flowi6 *fl6)
{
	const struct ip6_tnl *t = netdev_priv(tunnel->dev);

	*fl6 = t->fl.u.ip6;
	fl6->daddr = tunnel->parms.remote.v6;
	fl6->flowi6_mark = t->parms.fwmark;
	fl6->flowi6_uid = sock_net_uid(tunnel->cn->net, NULL);
}

static struct cni_encap *encap4(const struct cni_tunnel *tunnel, u64 *blockers)
{
	const struct cni_tunnel_parms *parms = &tunnel->parms;
	struct cni_encap *e;

	e = alloc_gre(tunnel->dev, tunnel->link->dev, parms, blockers);
	if (!e)
		return NULL;
	e->ttl = parms->ttl;
	e->tos = parms->tos & ~1;
	e->df = parms->df;
	if (!parms->ttl)
		e->flags |= CNI_ENCAP_TTL_INHERIT;
	if (parms->tos & 1)
		e->flags |= CNI_ENCAP_TOS_INHERIT;
	if (parms->ignore_df)
		e->flags |= CNI_ENCAP_IGNORE_DF;
	if (tunnel->mtu_locked)
		e->flags |= CNI_ENCAP_MTU_LOCKED;
	seal_gre(e);
	return e;
}

static struct cni_encap *encap6(const struct cni_tunnel *tunnel, u64 *blockers)
{
	const struct cni_tunnel_parms *parms = &tunnel->parms;
	struct flow_keys keys;
	struct cni_encap *e;
	struct flowi6 fl6;

	e = alloc_gre6(tunnel->dev, tunnel->link->dev, parms, blockers);
	if (!e)
		return NULL;
	e->ttl = parms->ttl;
	e->tos = ip6_tclass(parms->flowinfo);
	if (!parms->ttl)
		e->flags |= CNI_ENCAP_TTL_INHERIT;
	if (parms->flags & IP6_TNL_F_USE_ORIG_TCLASS)
		e->flags |= CNI_ENCAP_TOS_INHERIT;
	if (parms->flags & IP6_TNL_F_USE_ORIG_FLOWLABEL)
		e->flags |= CNI_ENCAP_LABEL_INHERIT;

	cni_encap_flow6(tunnel, &fl6);
	e->flowlabel = flowi6_get_flowlabel(&fl6);
	/* Only made use of where the flow has no label. */
	fl6.flowlabel = 0;
	e->hash = __get_hash_from_flowi6(&fl6, &keys);
	e->hash_l4 = flow_keys_have_l4(&keys);
	return e;
}

/**
 * cni_encap_tunnel - the template of a tunnel
 * @tunnel: tunnel, resolved, RTNL held
 * @blockers: set to what stands in the way when there's none
 *
 * Return: the template, or NULL.
 */
struct cni_encap *cni_encap_tunnel(struct cni_tunnel *tunnel, u64 *blockers)
{
	struct inet6_dev *idev = __in6_dev_get(tunnel->dev);
	const struct cni_link *link = tunnel->link;
	unsigned int outer_len;
	struct cni_encap *e;
	u32 mtu;

	*blockers = tunnel->blockers;
	if (*blockers)
		return NULL;
	e = tunnel->parms.family == CNI_V6 ?
	    encap6(tunnel, blockers) : encap4(tunnel, blockers);
	if (!e)
		return NULL;

	e->tunnel = tunnel;
	e->neigh = tunnel->neigh;
	neigh_hold(e->neigh);
	e->route_mtu = tunnel->route_mtu;
	e->stats = tunnel->stats;
	e->link_stats = link->stats;

	/* Whatever has to be fragmented or refused is for the stock device. */
	outer_len = e->hdr_len - e->l2_len;
	mtu = tunnel->outer_mtu;
	mtu = mtu > outer_len ? mtu - outer_len : 0;
	if (mtu < tunnel->dev->mtu)
		e->flags |= CNI_ENCAP_MTU_BELOW;
	mtu = min(tunnel->dev->mtu, mtu);
	e->mtu[CNI_V4] = __in_dev_get_rtnl(tunnel->dev) ? mtu : 0;
	e->mtu[CNI_V6] = cni_encap_mtu6(idev, mtu);
	memcpy(e->mss, tunnel->stage.mss, sizeof(e->mss));
	if (e->mss[CNI_V4] || e->mss[CNI_V6])
		e->flags |= CNI_ENCAP_MSS;
	if (tunnel->flags & CNILINK_TUNNEL_FLAG_BYPASS_NETFILTER)
		e->flags |= CNI_ENCAP_BYPASS_OUTER;
	return e;
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
 * @e: template of a tunnel over IPv4
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
		e->gates = cni_epoch_mask(cni_encap_judged(e, CNI_ENCAP_GRE),
					  e->flags & CNI_ENCAP_BYPASS_NF);
	if (is_same(old, e)) {
		cni_encap_free(e);
		return;
	}
	/* What takes the other's place does so for XDP, too. */
	if (e && old)
		e->slot = old->slot;
	rcu_assign_pointer(*where, e);
	cni_epoch_bump();
	cni_encap_free(old);
}
