// SPDX-License-Identifier: GPL-2.0
/* The header template of a way out, and sending by it. */

#include "encap.h"

#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/if_vlan.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/arp.h>
#include <net/gre.h>
#include <net/inet_ecn.h>
#include <net/ip.h>
#include <net/ip_tunnels.h>
#include <net/ndisc.h>

struct eth_vlan {
	struct ethhdr		eth;
	struct vlan_hdr		vlan;
} __packed;

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

	eth = (void *)(e->hdr + sizeof(e->hdr) - room - l2_len);
	ether_addr_copy(eth->h_source, dev->dev_addr);
	eth->h_proto = proto;
	if (l2_len > ETH_HLEN) {
		struct eth_vlan *tagged = (void *)eth;

		eth->h_proto = e->vlan_proto;
		tagged->vlan.h_vlan_TCI = htons(e->vlan_tci);
		tagged->vlan.h_vlan_encapsulated_proto = proto;
	}
	e->l2_len = l2_len;
	e->hdr_len = l2_len + room;
	return 0;
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

	e = kzalloc(sizeof(*e), GFP_KERNEL);
	if (!e) {
		*blockers = CNILINK_BLOCKER_DEVICE_DOWN;
		return NULL;
	}
	*blockers = fill_l2(e, dev, proto, 0);
	if (*blockers) {
		kfree(e);
		return NULL;
	}
	e->dev = dev;
	return e;
}

/**
 * cni_encap_alloc_gre - template of a GRE tunnel over IPv4
 * @gre: the stock gre device
 * @dev: VLAN or Ethernet device below it
 * @local: outer source, network byte order
 * @remote: outer destination, network byte order
 * @keyed: whether there's a key
 * @key: network byte order
 * @blockers: set to what stands in the way when there's none
 *
 * The caller fills in the rest: @neigh, @stats, @mtu, @tos, @ttl, @df, flags.
 *
 * Return: the template, or NULL.
 */
struct cni_encap *cni_encap_alloc_gre(struct net_device *gre,
				      struct net_device *dev, __be32 local,
				      __be32 remote, bool keyed, __be32 key,
				      u64 *blockers)
{
	unsigned int gre_len = sizeof(struct gre_base_hdr) + (keyed ? 4 : 0);
	unsigned int room = sizeof(struct iphdr) + gre_len;
	struct gre_base_hdr *greh;
	struct cni_encap *e;
	struct iphdr *iph;

	e = kzalloc(sizeof(*e), GFP_KERNEL);
	if (!e) {
		*blockers = CNILINK_BLOCKER_DEVICE_DOWN;
		return NULL;
	}
	*blockers = fill_l2(e, dev, htons(ETH_P_IP), room);
	if (*blockers) {
		kfree(e);
		return NULL;
	}
	e->dev = gre;
	e->gre = gre;
	e->flags |= CNI_ENCAP_GRE;

	iph = (void *)(e->hdr + sizeof(e->hdr) - room);
	iph->version = 4;
	iph->ihl = 5;
	iph->protocol = IPPROTO_GRE;
	iph->saddr = local;
	iph->daddr = remote;
	/* tot_len, tos, ttl, id and frag_off are zero: added per packet */
	e->csum = (__force u16)~csum_fold(csum_partial(iph, sizeof(*iph), 0));

	greh = (void *)(iph + 1);
	if (keyed) {
		greh->flags = GRE_KEY;
		*(__be32 *)(greh + 1) = key;
	}
	return e;
}

static void encap_free_rcu(struct rcu_head *rcu)
{
	struct cni_encap *e = container_of(rcu, struct cni_encap, rcu);

	if (e->neigh)
		neigh_release(e->neigh);
	kfree(e);
}

/**
 * cni_encap_free - free a template that is no longer published
 * @e: template, or NULL
 */
void cni_encap_free(struct cni_encap *e)
{
	if (e)
		call_rcu(&e->rcu, encap_free_rcu);
}

/**
 * cni_encap_same - would packets look the same?
 * @a: template, or NULL
 * @b: template, or NULL
 *
 * Return: whether @b need not take the place of @a.
 */
bool cni_encap_same(const struct cni_encap *a, const struct cni_encap *b)
{
	if (!a || !b)
		return a == b;
	return !a->stale &&
	       !memcmp(&a->flags, &b->flags, offsetof(struct cni_encap, rcu) -
					     offsetof(struct cni_encap, flags));
}

/**
 * cni_encap_neigh - the neighbour of a way out without a gateway
 * @e: way out
 * @family: CNI_V4 or CNI_V6
 * @addr: destination
 *
 * Return: the neighbour, not referenced, valid in the RCU section; or NULL.
 */
struct neighbour *cni_encap_neigh(const struct cni_encap *e, int family,
				  const void *addr)
{
	if (family == CNI_V4)
		return __ipv4_neigh_lookup_noref(e->dev, *(const u32 *)addr);
	return __ipv6_neigh_lookup_noref_stub(e->dev, addr);
}

/*
 * As ip_tunnel_xmit() and iptunnel_xmit() make it. The checksum is the
 * template's plus the fields that differ by packet.
 */
static void push_outer(const struct cni_encap *e, struct sk_buff *skb,
		       struct iphdr *iph, unsigned int len, __be16 proto,
		       u8 dsfield, u8 ttl, __be16 inner_df)
{
	struct gre_base_hdr *greh = (void *)(iph + 1);
	u8 tos = e->tos;
	u32 sum;

	greh->protocol = proto;

	if (e->flags & CNI_ENCAP_TOS_INHERIT)
		tos = dsfield;
	iph->tos = INET_ECN_encapsulate(tos, dsfield);
	iph->ttl = e->flags & CNI_ENCAP_TTL_INHERIT ? ttl : e->ttl;
	iph->tot_len = htons(len);
	iph->frag_off = e->df;
	if (!(e->flags & CNI_ENCAP_IGNORE_DF))
		iph->frag_off |= inner_df;
	if (e->flags & CNI_ENCAP_MTU_LOCKED)
		iph->frag_off = 0;
	/* With DF an ID has no use (RFC 6864), and picking one isn't free. */
	if (!iph->frag_off)
		__ip_select_ident(dev_net(skb->dev), iph,
				  skb_shinfo(skb)->gso_segs ?: 1);

	sum = e->csum + (__force u32)htons(iph->tos);
	sum += (__force u32)iph->tot_len;
	sum += (__force u32)iph->frag_off + (__force u32)iph->id;
	sum += (__force u32)htons(iph->ttl << 8);
	iph->check = csum_fold((__force __wsum)sum);
}

/* As iptunnel_handle_offloads() does, the headers being writable already. */
static void set_inner(struct sk_buff *skb, __be16 proto)
{
	skb_reset_mac_header(skb);
	skb_reset_inner_headers(skb);
	skb_set_inner_protocol(skb, proto);
	if (skb_is_gso(skb)) {
		skb->encapsulation = 1;
		skb_shinfo(skb)->gso_type |= SKB_GSO_GRE;
	} else if (skb->ip_summed == CHECKSUM_PARTIAL) {
		skb->encapsulation = 1;
	} else {
		skb->ip_summed = CHECKSUM_NONE;
	}
	skb_clear_hash_if_not_l4(skb);
}

/*
 * Where the VLAN device can't hand a packet on whole, the stock path has it cut
 * there and counts the pieces. @len is the frame's without the tag.
 *
 * Return: the number of pieces; @len becomes their sum.
 */
static unsigned int vlan_pieces(const struct cni_encap *e, struct sk_buff *skb,
				unsigned int *len)
{
	const struct skb_shared_info *shinfo = skb_shinfo(skb);
	unsigned int hdr_len, pieces;
	netdev_features_t features;

	skb->dev = e->vlan;
	features = netif_skb_features(skb) | NETIF_F_GSO_ROBUST;
	skb->dev = e->lower;
	if (!netif_needs_gso(skb, features))
		return 1;

	if (skb->encapsulation)
		hdr_len = skb_inner_transport_offset(skb) +
			  (shinfo->gso_type & SKB_GSO_UDP_L4 ?
			   sizeof(struct udphdr) : inner_tcp_hdrlen(skb));
	else
		hdr_len = skb_transport_offset(skb) +
			  (shinfo->gso_type & SKB_GSO_UDP_L4 ?
			   sizeof(struct udphdr) : tcp_hdrlen(skb));
	hdr_len -= skb->len - *len;
	if (unlikely(*len <= hdr_len))
		return 1;
	pieces = DIV_ROUND_UP(*len - hdr_len, shinfo->gso_size);
	*len += (pieces - 1) * hdr_len;
	return pieces;
}

static void count_vlan_tx(const struct net_device *dev, unsigned int packets,
			  unsigned int len)
{
	struct vlan_pcpu_stats *stats;

	stats = this_cpu_ptr(vlan_dev_priv(dev)->vlan_pcpu_stats);
	u64_stats_update_begin(&stats->syncp);
	u64_stats_add(&stats->tx_packets, packets);
	u64_stats_add(&stats->tx_bytes, len);
	u64_stats_update_end(&stats->syncp);
}

/**
 * cni_encap_send - put the headers on and hand the frame to the lower device
 * @e: way out
 * @n: neighbour whose MAC address is known
 * @skb: at its IP header, which is set as network header; its headers are
 *	writable and it has CNI_ENCAP_MAX bytes of headroom
 * @proto: ETH_P_IP or ETH_P_IPV6, network byte order
 * @dsfield: TOS or traffic class of the packet
 * @ttl: TTL or hop limit of the packet, after the decrement
 *
 * Consumes the packet.
 *
 * Return: 0, or an error when the lower device dropped it.
 */
int cni_encap_send(const struct cni_encap *e, struct neighbour *n,
		   struct sk_buff *skb, __be16 proto, u8 dsfield, u8 ttl)
{
	unsigned int inner_len = skb->len, vlan_len, vlan_packets = 1;
	__be16 inner_df = 0;
	struct ethhdr *eth;
	unsigned int seq;
	int err;

	skb->dev = e->lower;
	if (e->flags & CNI_ENCAP_GRE) {
		if (proto == htons(ETH_P_IP))
			inner_df = ip_hdr(skb)->frag_off & htons(IP_DF);
		set_inner(skb, proto);
	}

	/* A copy of fixed size; what lies before the header is headroom. */
	__skb_push(skb, e->hdr_len);
	memcpy(skb->data + e->hdr_len - CNI_ENCAP_MAX, e->hdr, CNI_ENCAP_MAX);
	skb_reset_mac_header(skb);

	if (e->flags & CNI_ENCAP_GRE) {
		struct iphdr *iph = (void *)(skb->data + e->l2_len);

		skb_set_network_header(skb, e->l2_len);
		skb_set_transport_header(skb, e->l2_len + sizeof(*iph));
		push_outer(e, skb, iph, skb->len - e->l2_len, proto, dsfield,
			   ttl, inner_df);
		proto = htons(ETH_P_IP);
	}

	eth = (void *)skb->data;
	do {
		seq = read_seqbegin(&n->ha_lock);
		ether_addr_copy(eth->h_dest, n->ha);
	} while (read_seqretry(&n->ha_lock, seq));

	skb->protocol = proto;
	vlan_len = skb->len;
	if (e->vlan) {
		u16 tci = e->vlan_tci;

		if (!(e->flags & CNI_ENCAP_VLAN_HW))
			vlan_len -= VLAN_HLEN;
		if (unlikely(skb_is_gso(skb)))
			vlan_packets = vlan_pieces(e, skb, &vlan_len);
		if (e->flags & CNI_ENCAP_VLAN_QOS)
			tci |= vlan_dev_get_egress_qos_mask(e->vlan,
							    skb->priority);
		if (e->flags & CNI_ENCAP_VLAN_HW) {
			__vlan_hwaccel_put_tag(skb, e->vlan_proto, tci);
		} else {
			struct eth_vlan *tagged = (void *)eth;

			tagged->vlan.h_vlan_TCI = htons(tci);
			skb->protocol = e->vlan_proto;
		}
	}

	err = dev_queue_xmit(skb);
	if (unlikely(net_xmit_eval(err)))
		return err;

	if (e->vlan)
		count_vlan_tx(e->vlan, vlan_packets, vlan_len);
	if (e->gre) {
		dev_sw_netstats_tx_add(e->gre, 1, inner_len);
		cni_stats_tx(e->link_stats, inner_len);
	}
	cni_stats_tx(e->stats, inner_len);
	return 0;
}
