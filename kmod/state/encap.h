/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_ENCAP_H
#define _CNI_ENCAP_H

#include <linux/if_ether.h>
#include <linux/if_vlan.h>
#include <linux/rcupdate.h>
#include <linux/skbuff.h>
#include <linux/types.h>
#include <net/arp.h>
#include <net/gre.h>
#include <net/if_inet6.h>
#include <net/inet_ecn.h>
#include <net/ipv6_stubs.h>
#include <net/ndisc.h>
#include <net/neighbour.h>

#include "base/stats.h"
#include "state/net.h"

struct cni_tunnel;
struct flowi4;
struct flowi6;
struct net_device;

/* Ethernet 14 + VLAN 4 + IPv4 20 + GRE 12, rounded up to words. */
#define CNI_ENCAP_MAX	56
/* With IPv6 40 and its destination options 8 in place of IPv4. */
#define CNI_ENCAP_MAX6	80

/* Of as many, made one after the other, XDP knows at once. */
#define CNI_ENCAP_SLOTS	64

/* The start of a frame whose tag is in it. */
struct cni_eth_vlan {
	struct ethhdr		eth;
	struct vlan_hdr		vlan;
} __packed;

enum {
	CNI_ENCAP_GRE		= BIT(0),
	CNI_ENCAP_GRE6		= BIT(1),
	CNI_ENCAP_TTL_INHERIT	= BIT(2),
	CNI_ENCAP_IGNORE_DF	= BIT(3),
	CNI_ENCAP_MTU_LOCKED	= BIT(4),
	CNI_ENCAP_VLAN_HW	= BIT(5),
	CNI_ENCAP_VLAN_QOS	= BIT(6),
	CNI_ENCAP_BYPASS_NF	= BIT(7),
	CNI_ENCAP_MSS		= BIT(8),
	CNI_ENCAP_VARIES	= BIT(9),
	CNI_ENCAP_CSUM		= BIT(10),
	CNI_ENCAP_TOS_INHERIT	= BIT(11),
	CNI_ENCAP_LABEL_INHERIT	= BIT(12),
	CNI_ENCAP_MTU_BELOW	= BIT(13),
	CNI_ENCAP_XDP		= BIT(14),
	CNI_ENCAP_BYPASS_OUTER	= BIT(15),
};

/*
 * What keeps packets from being sent without a second look: the kernel changed
 * something under it, so punt until it is built anew; or cni_ip6gre_check() is
 * to be asked.
 */
enum {
	CNI_ENCAP_STALE		= 1,
	CNI_ENCAP_ASK		= 2,
};

/**
 * struct cni_encap - how to send to one next hop: the header as a template
 * @hold: CNI_ENCAP_STALE, or CNI_ENCAP_ASK, or 0. The only field written after
 *	publication, from any context.
 * @slot: where XDP keeps what it knows of it, struct cni_burst; those made one
 *	after the other have different ones
 * @serial: no other template has it
 * @flags: CNI_ENCAP_*; GRE is over IPv4, GRE6 over IPv6
 * @hdr_len: bytes that are pushed in front of the IP packet
 * @l2_len: those of them before the outer IP header
 * @gre_len: the last of them, from the GRE header on
 * @tos: of the outer header, unless inherited
 * @ttl: of the outer header, unless inherited
 * @xmit: what is known of @lower, CNI_XMIT_*
 * @df: IP_DF when the outer header always has it, network byte order
 * @vlan_proto: network byte order
 * @vlan_tci: VLAN ID
 * @csum: sum over the template's outer header, for packets without ECN and
 *	unless CNI_ENCAP_VARIES
 * @flowlabel: of the outer IPv6 header, network byte order; 0 for one that is
 *	made of a hash
 * @hash: that hash, for packets without one
 * @hash_l4: that hash has more than addresses in it
 * @gates: which flag bits of an epoch concern packets that it sends
 * @headroom: what a packet must have to be sent
 * @mtu: largest IP packet, per family
 * @route_mtu: of the outer route
 * @mss: largest TCP segment to let pass, per family, with CNI_ENCAP_MSS; 0 for
 *	any
 * @dev: the device that routing names: gre, VLAN or Ethernet
 * @lower: the device that frames are handed to
 * @vlan: stock VLAN device that is bypassed, or NULL
 * @gre: stock gre device that is bypassed, or NULL
 * @tunnel: the tunnel that it sends by, or NULL
 * @neigh: whose MAC address goes in, referenced; NULL when that is looked up
 *	for each packet: of @gateway, or of the packet's destination itself
 * @has_gateway: there is one
 * @gateway: its address
 * @stats: of the tunnel, link or port
 * @link_stats: of the link below a tunnel, else NULL
 * @hdr: template, ending at the end of the array
 * @rcu: for freeing
 *
 * Published by RCU, constant but for @hold.
 */
struct cni_encap {
	u8			hold;
	u8			slot;
	u32			serial;
	u16			flags;
	u8			hdr_len;
	u8			l2_len;
	u8			gre_len;
	u8			tos;
	u8			ttl;
	u8			xmit;
	__be16			df;
	__be16			vlan_proto;
	u16			vlan_tci;
	bool			hash_l4;
	u16			headroom;
	u32			csum;
	__be32			flowlabel;
	u32			hash;
	u64			gates;
	u32			mtu[CNI_FAMILIES];
	u32			route_mtu;
	u16			mss[CNI_FAMILIES];
	struct net_device	*dev;
	struct net_device	*lower;
	struct net_device	*vlan;
	struct net_device	*gre;
	struct cni_tunnel	*tunnel;
	struct neighbour	*neigh;
	bool			has_gateway;
	union cni_addr		gateway;
	struct cni_stats __percpu *stats;
	struct cni_stats __percpu *link_stats;
	u8			hdr[CNI_ENCAP_MAX6] __aligned(8);
	struct rcu_head		rcu;
};

/**
 * cni_encap_judged - does netfilter judge the outer packets?
 * @e: template
 * @kind: CNI_ENCAP_GRE or CNI_ENCAP_GRE6
 *
 * Return: whether they are of that kind and weren't given away.
 */
static inline bool cni_encap_judged(const struct cni_encap *e, u16 kind)
{
	return (e->flags & (kind | CNI_ENCAP_BYPASS_OUTER)) == kind;
}

struct cni_encap *cni_encap_alloc_plain(struct net_device *dev, int family,
					u64 *blockers);
struct cni_encap *cni_encap_tunnel(struct cni_tunnel *tunnel, u64 *blockers);
void cni_encap_flow4(const struct cni_tunnel *tunnel, struct flowi4 *fl4);
void cni_encap_flow6(const struct cni_tunnel *tunnel, struct flowi6 *fl6);
void cni_encap_csum(struct sk_buff *skb);
void cni_encap_outer_varies(const struct cni_encap *e, struct iphdr *iph,
			    u8 dsfield, u8 ttl, __be16 inner_df,
			    unsigned int segs);
void cni_encap_free(struct cni_encap *e);
void cni_encap_publish(struct cni_encap __rcu **where, struct cni_encap *old,
		       struct cni_encap *e);

/**
 * cni_encap_set_inner - what is on the packet so far is inside a tunnel
 * @e: template of a tunnel
 * @skb: packet, at its IP header, the headers writable
 * @proto: network byte order
 *
 * As iptunnel_handle_offloads() does.
 */
static inline void cni_encap_set_inner(const struct cni_encap *e,
				       struct sk_buff *skb, __be16 proto)
{
	skb_reset_mac_header(skb);
	skb_reset_inner_headers(skb);
	skb_set_inner_protocol(skb, proto);
	if (skb_is_gso(skb)) {
		skb->encapsulation = 1;
		skb_shinfo(skb)->gso_type |= e->flags & CNI_ENCAP_CSUM ?
					     SKB_GSO_GRE_CSUM : SKB_GSO_GRE;
	} else if (skb->ip_summed == CHECKSUM_PARTIAL) {
		skb->encapsulation = 1;
	} else {
		skb->ip_summed = CHECKSUM_NONE;
	}
}

/**
 * cni_encap_outer - make the outer headers of a packet out of the template
 * @e: template of a tunnel over IPv4
 * @iph: outer header, followed by GRE's, both filled from the template
 * @len: length of the packet with both
 * @proto: of the inner packet, network byte order
 * @dsfield: of the inner packet
 * @ttl: of the inner packet
 * @inner_df: the inner packet's IP_DF, network byte order
 * @skb: the packet, or NULL for a frame that has none
 */
static inline void cni_encap_outer(const struct cni_encap *e,
				   struct iphdr *iph, unsigned int len,
				   __be16 proto, u8 dsfield, u8 ttl,
				   __be16 inner_df, const struct sk_buff *skb)
{
	struct gre_base_hdr *greh = (void *)(iph + 1);

	greh->protocol = proto;
	iph->tot_len = htons(len);
	if (unlikely(e->flags & CNI_ENCAP_VARIES || dsfield & INET_ECN_MASK))
		cni_encap_outer_varies(e, iph, dsfield, ttl, inner_df,
				       skb ? skb_shinfo(skb)->gso_segs ?: 1 :
					     1);
	else
		iph->check = csum_fold((__force __wsum)
				       (e->csum + (__force u32)iph->tot_len));
}

/**
 * cni_encap_mtu6 - the largest IPv6 packet that a device may send
 * @idev: the device's IPv6, or NULL
 * @mtu: of anything
 *
 * Return: that; 0 where IPv6 is off, and the kernel drops what would leave.
 */
static inline u32 cni_encap_mtu6(const struct inet6_dev *idev, u32 mtu)
{
	return idev && !READ_ONCE(idev->cnf.disable_ipv6) ?
	       min_t(u32, mtu, READ_ONCE(idev->cnf.mtu6)) : 0;
}

/**
 * cni_encap_neigh - the neighbour of a template that holds none
 * @e: template
 * @family: CNI_V4 or CNI_V6
 * @addr: destination
 *
 * Return: the neighbour, not referenced, valid in the RCU section; or NULL.
 */
static inline struct neighbour *cni_encap_neigh(const struct cni_encap *e,
						int family, const void *addr)
{
	if (unlikely(e->has_gateway))
		addr = &e->gateway;
	if (family == CNI_V4)
		return __ipv4_neigh_lookup_noref(e->dev, *(const u32 *)addr);
	return cni_compat_neigh6_noref(e->dev, addr);
}

#endif
