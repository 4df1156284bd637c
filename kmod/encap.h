/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_ENCAP_H
#define _CNI_ENCAP_H

#include <linux/if_ether.h>
#include <linux/if_vlan.h>
#include <linux/rcupdate.h>
#include <linux/types.h>
#include <net/arp.h>
#include <net/ndisc.h>
#include <net/neighbour.h>

#include "main.h"
#include "stats.h"

struct cni_tunnel_parms;
struct net_device;

/* Ethernet 14 + VLAN 4 + IPv4 20 + GRE 12, rounded up to words. */
#define CNI_ENCAP_MAX	56

/* The start of a frame whose tag is in it. */
struct cni_eth_vlan {
	struct ethhdr		eth;
	struct vlan_hdr		vlan;
} __packed;

enum {
	CNI_ENCAP_GRE		= BIT(0),
	CNI_ENCAP_TOS_INHERIT	= BIT(1),
	CNI_ENCAP_TTL_INHERIT	= BIT(2),
	CNI_ENCAP_IGNORE_DF	= BIT(3),
	CNI_ENCAP_MTU_LOCKED	= BIT(4),
	CNI_ENCAP_VLAN_HW	= BIT(5),
	CNI_ENCAP_VLAN_QOS	= BIT(6),
	CNI_ENCAP_BYPASS_NF	= BIT(7),
	CNI_ENCAP_MSS		= BIT(8),
	CNI_ENCAP_XMIT		= BIT(9),
	CNI_ENCAP_VARIES	= BIT(10),
	CNI_ENCAP_CSUM		= BIT(11),
	CNI_ENCAP_MTU_BELOW	= BIT(12),
};

/**
 * struct cni_encap - how to send by one way out: the header as a template
 * @stale: the kernel changed something under it; punt until it is built anew.
 *	The only field written after publication, from any context.
 * @flags: CNI_ENCAP_*
 * @hdr_len: bytes that are pushed in front of the IP packet
 * @l2_len: those of them before the outer IPv4 header
 * @tos: of the outer header, unless inherited
 * @ttl: of the outer header, unless inherited
 * @df: IP_DF when the outer header always has it, network byte order
 * @vlan_proto: network byte order
 * @vlan_tci: VLAN ID
 * @csum: sum over the template's outer header, for packets without ECN and
 *	unless CNI_ENCAP_VARIES
 * @mtu: largest IP packet, per family
 * @mss: largest TCP segment to let pass, per family, with CNI_ENCAP_MSS; 0 for
 *	any
 * @dev: the device that routing names: gre, VLAN or Ethernet
 * @lower: the device that frames are handed to
 * @vlan: stock VLAN device that is stepped over, or NULL
 * @gre: stock gre device that is stepped over, or NULL
 * @neigh: whose MAC address goes in, referenced; NULL when it is the packet's
 *	destination itself
 * @stats: of the tunnel, link or port
 * @link_stats: of the link below a tunnel, else NULL
 * @hdr: template, ending at the end of the array
 * @rcu: for freeing
 *
 * Published by RCU, constant but for @stale.
 */
struct cni_encap {
	bool			stale;
	u16			flags;
	u8			hdr_len;
	u8			l2_len;
	u8			tos;
	u8			ttl;
	__be16			df;
	__be16			vlan_proto;
	u16			vlan_tci;
	u32			csum;
	u32			mtu[CNI_FAMILIES];
	u16			mss[CNI_FAMILIES];
	struct net_device	*dev;
	struct net_device	*lower;
	struct net_device	*vlan;
	struct net_device	*gre;
	struct neighbour	*neigh;
	struct cni_stats __percpu *stats;
	struct cni_stats __percpu *link_stats;
	u8			hdr[CNI_ENCAP_MAX] __aligned(8);
	struct rcu_head		rcu;
};

struct cni_encap *cni_encap_alloc_plain(struct net_device *dev, int family,
					u64 *blockers);
struct cni_encap *cni_encap_alloc_gre(struct net_device *gre,
				      struct net_device *dev,
				      const struct cni_tunnel_parms *parms,
				      u64 *blockers);
void cni_encap_seal_gre(struct cni_encap *e);
void cni_encap_free(struct cni_encap *e);
bool cni_encap_same(const struct cni_encap *a, const struct cni_encap *b);

/**
 * cni_encap_neigh - the neighbour of a way out without a gateway
 * @e: way out
 * @family: CNI_V4 or CNI_V6
 * @addr: destination
 *
 * Return: the neighbour, not referenced, valid in the RCU section; or NULL.
 */
static inline struct neighbour *cni_encap_neigh(const struct cni_encap *e,
						int family, const void *addr)
{
	if (family == CNI_V4)
		return __ipv4_neigh_lookup_noref(e->dev, *(const u32 *)addr);
	return __ipv6_neigh_lookup_noref_stub(e->dev, addr);
}

#endif
