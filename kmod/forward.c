// SPDX-License-Identifier: GPL-2.0
/*
 * The path of a packet, from the ingress hook to the lower device: out of the
 * VLAN and the tunnel, routed, and into those of the way out. What ip_rcv(),
 * ip_forward() and their IPv6 twins would do with it is done here, or the
 * reason found why they shall do it themselves. Until that is decided, the
 * packet's content stays as it is.
 */

#include "forward.h"

#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <linux/rculist.h>
#include <linux/skbuff.h>
#include <net/dsfield.h>
#include <net/dst_metadata.h>
#include <net/gre.h>
#include <net/gso.h>
#include <net/inet_ecn.h>
#include <net/ip.h>
#include <net/ip_fib.h>
#include <net/ip_tunnels.h>
#include <net/ipv6.h>
#include <net/route.h>

#include "adj.h"
#include "decap.h"
#include "encap.h"
#include "fib.h"
#include "gate.h"
#include "group.h"
#include "hook.h"
#include "ip6gre.h"
#include "link.h"
#include "main.h"
#include "mss.h"
#include "port.h"
#include "resolve.h"
#include "route.h"
#include "rule.h"
#include "source.h"
#include "tunnel.h"
#include "witness.h"
#include "xmit.h"

/**
 * struct forward - a packet on its way through, and what was decided
 * @cn: namespace
 * @dev: layer 3 device that it came in by: LAN port, link or gre device
 * @off: where its IP header is, from skb->data
 * @proto: ETH_P_IP or ETH_P_IPV6, network byte order
 * @bypass_nf: the way in lets netfilter be stepped over
 * @gre: it came in by a tunnel over IPv4
 * @stepped: a stock device is stepped over on the way in
 * @mss: largest TCP segment that the way in lets pass, per family; or NULL
 * @encap: way out
 * @neigh: whose MAC address to send to, valid while in the RCU section
 * @len: length of the IP packet
 * @dsfield: TOS or traffic class
 * @tapped: there's a capture on the lower device
 * @set_ce: mark it as having met congestion
 * @set_ect1: turn its ECT(0) into ECT(1)
 *
 * The caller fills in the first group, find_ip() the second.
 */
struct forward {
	struct cni_net		*cn;
	struct net_device	*dev;
	unsigned int		off;
	__be16			proto;
	bool			bypass_nf;
	bool			gre;
	bool			stepped;
	const u16		*mss;

	struct cni_encap	*encap;
	struct neighbour	*neigh;
	unsigned int		len;
	u8			dsfield;
	bool			tapped;
	bool			set_ce;
	bool			set_ect1;
};

/* 0/8, 127/8, multicast, class E and broadcast */
static bool special4(__be32 addr)
{
	u8 first = ntohl(addr) >> 24;

	return first == 0 || first == 127 || first >= 224;
}

/* ::/8 (unspecified, loopback, mapped), multicast and link-local */
static bool special6(const struct in6_addr *addr)
{
	__be32 top = addr->s6_addr32[0];

	return addr->s6_addr[0] == 0 || addr->s6_addr[0] == 0xff ||
	       (top & htonl(0xffc00000)) == htonl(0xfe800000);
}

/*
 * The checksum of a header without options. Folding is a way to divide by
 * 65535; where a multiplication tells whether that leaves a rest, it is
 * quicker. The version makes it more than zero.
 */
static bool header_ok(const struct iphdr *iph)
{
#ifdef CONFIG_64BIT
	const u32 *w = (const u32 *)iph;

	return ((u64)w[0] + w[1] + w[2] + w[3] + w[4]) % 0xffff == 0;
#else
	return !ip_fast_csum(iph, 5);
#endif
}

/* The kernel's own reverse path filter says more than the table can prove. */
static bool rp_filter_ok(const struct forward *fwd,
			 struct in_device *in_dev,
			 const struct cni_adj *source)
{
	int rp_filter = IN_DEV_RPFILTER(in_dev);

	if (likely(!rp_filter))
		return true;
	if (!source)
		return false;
	if (rp_filter == 2)
		return true;
	return cni_adj_uses(source, fwd->dev);
}

/*
 * A source that is this host's own is for the kernel to judge. Of others it
 * asks the route only where somebody has made rules or local routes by hand,
 * and a route that is left to the kernel may be one that forbids the source.
 */
static bool source_ok(const struct forward *fwd, u32 src)
{
	struct net *net = fwd->cn->net;

	if (likely(src >= CNI_ROUTE_ADJ || !src))
		return true;
	if (src == CNI_ROUTE_LOCAL)
		return false;
	return fwd->proto != htons(ETH_P_IP) ||
	       !(net->ipv4.fib_has_custom_local_routes ||
		 fib4_has_custom_rules(net));
}

/* Resolve the table's values for destination and source. */
static enum cnilink_reason find_way(struct forward *fwd,
				    const struct sk_buff *skb, u32 dst,
				    u32 src, const struct cni_adj **source)
{
	enum cnilink_reason reason;
	const struct cni_adj *adj;
	u8 hold;

	if (unlikely(dst < CNI_ROUTE_ADJ)) {
		if (!dst)
			return CNILINK_REASON_NO_ROUTE;
		if (dst == CNI_ROUTE_UNKNOWN)
			return CNILINK_REASON_TABLE;
		return dst == CNI_ROUTE_LOCAL ? CNILINK_REASON_LOCAL :
						CNILINK_REASON_PUNT_ROUTE;
	}
	if (unlikely(!source_ok(fwd, src)))
		return CNILINK_REASON_SOURCE;
	*source = src >= CNI_ROUTE_ADJ ? cni_adj_find(fwd->cn, src) : NULL;

	adj = cni_adj_find(fwd->cn, dst);
	if (unlikely(!adj))
		return CNILINK_REASON_PUNT_ROUTE;
	fwd->encap = rcu_dereference(adj->encap);
	if (unlikely(!fwd->encap && adj->group)) {
		adj = cni_group_pick(fwd->cn, adj->group, skb, fwd->off,
				     fwd->proto);
		if (!adj)
			return CNILINK_REASON_MULTIPATH;
		fwd->encap = rcu_dereference(adj->encap);
	}
	if (unlikely(!fwd->encap))
		return CNILINK_REASON_NOT_OFFLOADED;
	hold = READ_ONCE(fwd->encap->hold);
	if (unlikely(hold)) {
		if (hold == CNI_ENCAP_STALE)
			return CNILINK_REASON_NOT_OFFLOADED;
		reason = cni_ip6gre_check(fwd->encap, skb, fwd->off,
					  fwd->proto, fwd->bypass_nf);
		if (reason)
			return reason;
	}
	if (unlikely(fwd->encap->dev == fwd->dev))
		return CNILINK_REASON_SAME_PORT;
	return 0;
}

/* @most counts from the network header, the outer one if there's one. */
static enum cnilink_reason check_gso(const struct sk_buff *skb,
				     unsigned int most, bool tunnel)
{
	if (!skb_gso_validate_network_len(skb, most))
		return CNILINK_REASON_MTU;
	/* The kernel can't cut these inside an outer header: it crashes. */
	if (tunnel && skb_shinfo(skb)->gso_type & SKB_GSO_FRAGLIST)
		return CNILINK_REASON_OFFLOAD;
	return 0;
}

static enum cnilink_reason check_rest(struct forward *fwd,
				      const struct sk_buff *skb, int family)
{
	const struct cni_encap *e = fwd->encap;
	bool gre = fwd->gre || e->flags & CNI_ENCAP_GRE;
	enum cnilink_reason reason;

	if (unlikely(skb_is_gso(skb))) {
		reason = check_gso(skb, e->mtu[family] + fwd->off, e->gre);
		if (reason)
			return reason;
	} else if (unlikely(fwd->len > e->mtu[family])) {
		return CNILINK_REASON_MTU;
	}
	/* The stock gre device would segment it or sum it up first. */
	if (unlikely(e->gre && skb->encapsulation && !fwd->off))
		return CNILINK_REASON_OFFLOAD;
	if (unlikely(!cni_gate_forwards(fwd->cn->net, fwd->dev, family)))
		return CNILINK_REASON_FORWARDING_OFF;
	reason = cni_gate_net(fwd->cn, family, gre, fwd->bypass_nf ||
			      e->flags & CNI_ENCAP_BYPASS_NF);
	if (unlikely(reason))
		return reason;
	if (e->vlan) {
		reason = cni_gate_tx(e->vlan);
		if (unlikely(reason))
			return reason;
	}
	if (e->gre) {
		reason = cni_gate_tx(e->gre);
		if (unlikely(reason))
			return reason;
	}
	/* One on all devices is on those that are stepped over, too. */
	if (unlikely(cni_gate_tapped(e->lower))) {
		if ((fwd->stepped && cni_gate_tapped(fwd->dev)) ||
		    (e->vlan && cni_gate_tapped(e->vlan)) ||
		    (e->gre && cni_gate_tapped(e->gre)))
			return CNILINK_REASON_TAP;
		fwd->tapped = true;
	}
	return 0;
}

/*
 * The kernel's own state machine decides what a MAC address is worth: using a
 * stale one starts the kernel's probe, as the stock output path would.
 */
static bool neigh_usable(struct cni_net *cn, struct neighbour *n)
{
	if (unlikely(!n))
		return false;
	if (unlikely(READ_ONCE(n->dead))) {
		cni_resolve_kick(cn);
		return false;
	}
	if (unlikely(!(READ_ONCE(n->nud_state) & NUD_CONNECTED)) &&
	    neigh_event_send(n, NULL))
		return false;
	return true;
}

static enum cnilink_reason find4(struct forward *fwd, struct sk_buff *skb)
{
	const struct cni_adj *source = NULL;
	const struct cni_table *table;
	enum cnilink_reason reason;
	const struct iphdr *iph;
	struct in_device *in_dev;
	__be32 saddr, daddr;
	struct neighbour *n;
	u32 dst, src;
	u8 pending;

	if (unlikely(!pskb_may_pull(skb, fwd->off + sizeof(*iph))))
		return CNILINK_REASON_MALFORMED;
	iph = (void *)(skb->data + fwd->off);
	if (unlikely(*(u8 *)iph != 0x45))
		return iph->version == 4 && iph->ihl > 5 ?
		       CNILINK_REASON_OPTIONS : CNILINK_REASON_MALFORMED;
	fwd->len = ntohs(iph->tot_len);
	if (unlikely(fwd->len < sizeof(*iph) ||
		     fwd->len > skb->len - fwd->off ||
		     !header_ok(iph)))
		return CNILINK_REASON_MALFORMED;
	saddr = iph->saddr;
	daddr = iph->daddr;
	if (unlikely(special4(daddr) || special4(saddr)))
		return CNILINK_REASON_SPECIAL_ADDRESS;
	if (unlikely(iph->ttl <= 1))
		return CNILINK_REASON_TTL;

	/* Before the look-up: a change seen as done is in the table then. */
	pending = cni_fib_pending(fwd->cn, CNI_V4);
	if (unlikely(pending) &&
	    (cni_fib_pending4(fwd->cn, daddr) ||
	     cni_fib_pending4(fwd->cn, saddr)))
		return CNILINK_REASON_PENDING;
	table = rcu_dereference(fwd->cn->table);
	if (unlikely(!table))
		return CNILINK_REASON_NO_ROUTE;
	dst = cni_route_lookup4(table, daddr);
	src = cni_route_lookup4(table, saddr);
	if (unlikely(pending & CNI_FIB_POLICY)) {
		dst = cni_rule_lookup4(fwd->cn, daddr, saddr, dst);
		src = cni_rule_lookup4(fwd->cn, saddr, daddr, src);
	}
	reason = find_way(fwd, skb, dst, src, &source);
	if (unlikely(reason))
		return reason;

	if (!fwd->off)
		skb_set_transport_header(skb, sizeof(*iph));
	reason = check_rest(fwd, skb, CNI_V4);
	if (unlikely(reason))
		return reason;
	in_dev = __in_dev_get_rcu(fwd->dev);
	if (unlikely(!rp_filter_ok(fwd, in_dev, source)))
		return CNILINK_REASON_SOURCE;

	n = fwd->encap->neigh;
	if (!n)
		n = cni_encap_neigh(fwd->encap, CNI_V4, &daddr);
	if (unlikely(!neigh_usable(fwd->cn, n)))
		return CNILINK_REASON_NEIGHBOUR;
	fwd->neigh = n;
	fwd->dsfield = iph->tos;
	return 0;
}

static enum cnilink_reason find6(struct forward *fwd, struct sk_buff *skb)
{
	const struct cni_adj *source = NULL;
	const struct cni_table *table;
	enum cnilink_reason reason;
	const struct ipv6hdr *iph;
	struct neighbour *n;
	u32 dst, src;
	u8 pending;

	if (unlikely(!pskb_may_pull(skb, fwd->off + sizeof(*iph))))
		return CNILINK_REASON_MALFORMED;
	iph = (void *)(skb->data + fwd->off);
	if (unlikely(iph->version != 6))
		return CNILINK_REASON_MALFORMED;
	fwd->len = ntohs(iph->payload_len) + sizeof(*iph);
	/* No length: a jumbogram, or aggregated past what the field holds. */
	if (unlikely(!iph->payload_len || fwd->len > skb->len - fwd->off))
		return CNILINK_REASON_MALFORMED;
	if (unlikely(iph->nexthdr == NEXTHDR_HOP))
		return CNILINK_REASON_OPTIONS;
	if (unlikely(special6(&iph->daddr) || special6(&iph->saddr)))
		return CNILINK_REASON_SPECIAL_ADDRESS;
	if (unlikely(iph->hop_limit <= 1))
		return CNILINK_REASON_TTL;

	pending = cni_fib_pending(fwd->cn, CNI_V6);
	if (unlikely(pending) &&
	    (cni_fib_pending6(fwd->cn, &iph->daddr) ||
	     cni_fib_pending6(fwd->cn, &iph->saddr)))
		return CNILINK_REASON_PENDING;
	table = rcu_dereference(fwd->cn->table);
	if (unlikely(!table))
		return CNILINK_REASON_NO_ROUTE;
	dst = cni_route_lookup6(table, &iph->daddr);
	src = cni_route_lookup6(table, &iph->saddr);
	if (unlikely(pending & CNI_FIB_POLICY)) {
		dst = cni_rule_lookup6(fwd->cn, &iph->daddr, &iph->saddr, dst);
		src = cni_rule_lookup6(fwd->cn, &iph->saddr, &iph->daddr, src);
	}
	reason = find_way(fwd, skb, dst, src, &source);
	if (unlikely(reason))
		return reason;

	if (!fwd->off)
		skb_set_transport_header(skb, sizeof(*iph));
	reason = check_rest(fwd, skb, CNI_V6);
	if (unlikely(reason))
		return reason;

	n = fwd->encap->neigh;
	if (!n)
		n = cni_encap_neigh(fwd->encap, CNI_V6, &iph->daddr);
	if (unlikely(!neigh_usable(fwd->cn, n)))
		return CNILINK_REASON_NEIGHBOUR;
	fwd->neigh = n;
	fwd->dsfield = ipv6_get_dsfield(iph);
	return 0;
}

/* Decide what becomes of a packet; its content stays as it is. */
static enum cnilink_reason find_ip(struct forward *fwd, struct sk_buff *skb)
{
	if (fwd->proto == htons(ETH_P_IP))
		return find4(fwd, skb);
	if (fwd->proto == htons(ETH_P_IPV6))
		return find6(fwd, skb);
	return CNILINK_REASON_NOT_IP;
}

/* As ip_tunnel_xmit() and iptunnel_xmit() make it, over the template. */
static noinline void push_varying(const struct cni_encap *e,
				  struct sk_buff *skb, struct iphdr *iph,
				  u8 dsfield, u8 ttl, __be16 inner_df)
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
		__ip_select_ident(dev_net(skb->dev), iph,
				  skb_shinfo(skb)->gso_segs ?: 1);
	ip_send_check(iph);
}

static void push_outer(const struct cni_encap *e, struct sk_buff *skb,
		       struct iphdr *iph, unsigned int len, __be16 proto,
		       u8 dsfield, u8 ttl, __be16 inner_df)
{
	struct gre_base_hdr *greh = (void *)(iph + 1);

	greh->protocol = proto;
	iph->tot_len = htons(len);
	if (unlikely(e->flags & CNI_ENCAP_VARIES || dsfield & INET_ECN_MASK))
		push_varying(e, skb, iph, dsfield, ttl, inner_df);
	else
		iph->check = csum_fold((__force __wsum)
				       (e->csum + (__force u32)iph->tot_len));
	if (unlikely(e->flags & CNI_ENCAP_CSUM))
		cni_encap_csum(skb);
}

/*
 * A packet that the stock VLAN device can't hand on whole is cut there, and the
 * pieces are counted: for such, the device isn't stepped over. It puts the tag
 * on, too.
 *
 * Return: whether it is to be sent by that device; @skb is made ready for it.
 */
static noinline bool vlan_cuts(const struct cni_encap *e, struct sk_buff *skb,
			       __be16 proto)
{
	netdev_features_t features;

	skb->dev = e->vlan;
	features = netif_skb_features(skb) | NETIF_F_GSO_ROBUST;
	if (!netif_needs_gso(skb, features)) {
		skb->dev = e->lower;
		return false;
	}
	if (!(e->flags & CNI_ENCAP_VLAN_HW)) {
		memmove(skb->data + VLAN_HLEN, skb->data, 2 * ETH_ALEN);
		__skb_pull(skb, VLAN_HLEN);
		skb_reset_mac_header(skb);
		eth_hdr(skb)->h_proto = proto;
	}
	return true;
}

static void count_vlan_tx(const struct net_device *dev, unsigned int len)
{
	struct vlan_pcpu_stats *stats;

	stats = this_cpu_ptr(vlan_dev_priv(dev)->vlan_pcpu_stats);
	u64_stats_update_begin(&stats->syncp);
	u64_stats_inc(&stats->tx_packets);
	u64_stats_add(&stats->tx_bytes, len);
	u64_stats_update_end(&stats->syncp);
}

/* As the stock devices count what the one below them refuses */
static noinline void count_refused(const struct cni_encap *e, bool by_vlan)
{
	struct vlan_pcpu_stats __percpu *stats;

	if (by_vlan) {
		stats = vlan_dev_priv(e->vlan)->vlan_pcpu_stats;
		this_cpu_inc(stats->tx_dropped);
	}
	if (e->gre)
		iptunnel_xmit_stats(e->gre, e->flags & CNI_ENCAP_GRE6 ? -1 : 0);
}

/* Put MAC address and tag on and hand the frame to the lower device. */
static int finish_frame(const struct cni_encap *e, struct neighbour *n,
			struct sk_buff *skb, __be16 proto,
			unsigned int inner_len, bool tapped)
{
	unsigned int vlan_len = 0;
	struct ethhdr *eth;
	unsigned int seq;
	int err;

	eth = (void *)skb->data;
	do {
		seq = read_seqbegin(&n->ha_lock);
		ether_addr_copy(eth->h_dest, n->ha);
	} while (read_seqretry(&n->ha_lock, seq));

	skb->protocol = proto;
	if (e->vlan &&
	    !(unlikely(skb_is_gso(skb)) && vlan_cuts(e, skb, proto))) {
		u16 tci = e->vlan_tci;

		vlan_len = skb->len;
		if (e->flags & CNI_ENCAP_VLAN_QOS)
			tci |= vlan_dev_get_egress_qos_mask(e->vlan,
							    skb->priority);
		if (e->flags & CNI_ENCAP_VLAN_HW) {
			__vlan_hwaccel_put_tag(skb, e->vlan_proto, tci);
		} else {
			struct cni_eth_vlan *tagged = (void *)eth;

			vlan_len -= VLAN_HLEN;
			tagged->vlan.h_vlan_TCI = htons(tci);
			skb->protocol = e->vlan_proto;
		}
	}

	err = cni_xmit(skb, tapped ? 0 : e->xmit);
	if (unlikely(net_xmit_eval(err))) {
		count_refused(e, vlan_len);
		return err;
	}

	if (vlan_len)
		count_vlan_tx(e->vlan, vlan_len);
	if (e->gre) {
		dev_sw_netstats_tx_add(e->gre, 1, inner_len);
		cni_stats_tx(e->link_stats, inner_len);
	}
	cni_stats_tx(e->stats, inner_len);
	return 0;
}

/* The same as send_frame(), by a tunnel over IPv6. */
static noinline int send_frame6(const struct cni_encap *e, struct neighbour *n,
				struct sk_buff *skb, __be16 proto, u8 dsfield,
				u8 ttl, bool tapped)
{
	unsigned int inner_len = skb->len;

	cni_ip6gre_push(e, skb, proto, dsfield, ttl);
	return finish_frame(e, n, skb, htons(ETH_P_IPV6), inner_len, tapped);
}

/*
 * Put the headers on and hand the frame to the lower device. The skb is at its
 * IP header, set as network header; its headers are writable and it has
 * e->headroom bytes of headroom. @ttl is the one after the decrement.
 * @tapped: there's a capture on the lower device.
 */
static int send_frame(const struct cni_encap *e, struct neighbour *n,
		      struct sk_buff *skb, __be16 proto, u8 dsfield, u8 ttl,
		      bool tapped)
{
	unsigned int inner_len = skb->len;
	__be16 inner_df = 0;

	skb->dev = e->lower;
	if (e->flags & CNI_ENCAP_GRE) {
		if (e->flags & CNI_ENCAP_VARIES && proto == htons(ETH_P_IP))
			inner_df = ip_hdr(skb)->frag_off & htons(IP_DF);
		cni_encap_set_inner(e, skb, proto);
		skb_clear_hash_if_not_l4(skb);
	} else if (unlikely(e->flags & CNI_ENCAP_GRE6)) {
		return send_frame6(e, n, skb, proto, dsfield, ttl, tapped);
	}

	/* A copy of fixed size; what lies before the header is headroom. */
	__skb_push(skb, e->hdr_len);
	memcpy(skb->data + e->hdr_len - CNI_ENCAP_MAX,
	       e->hdr + CNI_ENCAP_MAX6 - CNI_ENCAP_MAX, CNI_ENCAP_MAX);
	skb_reset_mac_header(skb);

	if (e->flags & CNI_ENCAP_GRE) {
		struct iphdr *iph = (void *)(skb->data + e->l2_len);

		skb_set_network_header(skb, e->l2_len);
		skb_set_transport_header(skb, e->l2_len + sizeof(*iph));
		push_outer(e, skb, iph, skb->len - e->l2_len, proto, dsfield,
			   ttl, inner_df);
		proto = htons(ETH_P_IP);
	}
	return finish_frame(e, n, skb, proto, inner_len, tapped);
}

/* Send by a tunnel what isn't forwarded; it's at its IP header. */
static int send_own(const struct cni_encap *e, struct sk_buff *skb, bool tapped)
{
	u8 dsfield, ttl;

	if (skb->protocol == htons(ETH_P_IP)) {
		dsfield = ip_hdr(skb)->tos;
		ttl = ip_hdr(skb)->ttl;
	} else {
		dsfield = ipv6_get_dsfield(ipv6_hdr(skb));
		ttl = ipv6_hdr(skb)->hop_limit;
	}
	return send_frame(e, e->neigh, skb, skb->protocol, dsfield, ttl,
			  tapped);
}

/* The smaller of what the tunnels on either side let pass. */
static noinline void clamp_mss(struct sk_buff *skb, int family, const u16 *in,
			       const u16 *out)
{
	u16 mss = out[family];

	if (in)
		mss = min_not_zero(mss, in[family]);
	if (mss)
		cni_mss_clamp(skb, family, mss);
}

/* Send a packet that find_ip() took; it's at its IP header. */
static int send_ip(const struct forward *fwd, struct sk_buff *skb)
{
	u8 dsfield = fwd->dsfield;
	u8 ttl;

	if (unlikely(fwd->set_ce))
		dsfield |= INET_ECN_CE;
	else if (unlikely(fwd->set_ect1))
		dsfield ^= INET_ECN_MASK;

	if (unlikely(pskb_trim(skb, fwd->len) ||
		     skb_cow_head(skb, fwd->encap->headroom))) {
		kfree_skb(skb);
		return CNILINK_REASON_NO_MEMORY;
	}
	/* A sender on this machine is done with it, as in ip_rcv(). */
	skb_orphan(skb);
	skb_reset_network_header(skb);
	if (unlikely(fwd->mss || fwd->encap->flags & CNI_ENCAP_MSS))
		clamp_mss(skb, fwd->proto == htons(ETH_P_IP) ? CNI_V4 : CNI_V6,
			  fwd->mss, fwd->encap->mss);

	if (fwd->proto == htons(ETH_P_IP)) {
		struct iphdr *iph = ip_hdr(skb);

		skb_set_transport_header(skb, sizeof(*iph));
		if (unlikely(fwd->set_ce))
			IP_ECN_set_ce(iph);
		else if (unlikely(fwd->set_ect1))
			IP_ECN_set_ect1(iph);
		ip_decrease_ttl(iph);
		ttl = iph->ttl;
		if (READ_ONCE(fwd->cn->net->ipv4.sysctl_ip_fwd_update_priority))
			skb->priority = rt_tos2priority(iph->tos);
	} else {
		struct ipv6hdr *iph = ipv6_hdr(skb);

		skb_set_transport_header(skb, sizeof(*iph));
		if (unlikely(fwd->set_ce))
			IP6_ECN_set_ce(skb, iph);
		else if (unlikely(fwd->set_ect1))
			IP6_ECN_set_ect1(skb, iph);
		ttl = --iph->hop_limit;
	}
	skb_clear_tstamp(skb);

	if (unlikely(send_frame(fwd->encap, fwd->neigh, skb, fwd->proto,
				dsfield, ttl, fwd->tapped)))
		return CNILINK_REASON_TRANSMIT;
	return 0;
}

/* A frame that is neither a link's nor a port's. */
static noinline void see_stray(const struct cni_rxdev *rx,
			       const struct sk_buff *skb)
{
	if (READ_ONCE(rx->n_links))
		cni_witness_see(rx->witness, skb);
}

/* A frame came in by a port. */
static unsigned int port_rcv(struct cni_port *port, struct sk_buff *skb)
{
	u32 flags = READ_ONCE(port->flags);
	struct forward fwd = {
		.cn = port->cn,
		.dev = port->dev,
		.proto = skb->protocol,
		.bypass_nf = flags & CNILINK_PORT_FLAG_BYPASS_NETFILTER,
	};
	enum cnilink_reason reason;

	if (unlikely(flags & CNILINK_PORT_FLAG_STRICT_SOURCE) &&
	    !cni_source_ok(port, skb)) {
		cni_stats_reason(port->stats, CNILINK_REASON_STRICT_SOURCE);
		return NF_DROP;
	}
	if (unlikely(skb_shared(skb)))
		reason = CNILINK_REASON_SHARED;
	else if (unlikely(skb_vlan_tag_present(skb)))
		reason = CNILINK_REASON_VLAN;
	else if (unlikely(skb->pkt_type != PACKET_HOST))
		reason = CNILINK_REASON_NOT_FOR_US;
	else if (unlikely(rcu_access_pointer(port->dev->rx_handler)))
		reason = CNILINK_REASON_RX_HANDLER;
	else
		reason = find_ip(&fwd, skb);
	if (unlikely(reason)) {
		cni_stats_reason(port->stats, reason);
		if (reason == CNILINK_REASON_VLAN)
			see_stray(port->rx, skb);
		return NF_ACCEPT;
	}

	skb_forward_csum(skb);
	reason = send_ip(&fwd, skb);
	if (unlikely(reason))
		cni_stats_reason(port->stats, reason);
	else
		cni_stats_rx(port->stats, fwd.len);
	return NF_STOLEN;
}

static struct cni_decap *decap_find(const struct cni_link *link,
				    const struct iphdr *iph, bool keyed,
				    __be32 key)
{
	struct cni_net *cn = link->cn;
	struct cni_decap *decap;
	struct hlist_head *bucket;

	bucket = &cn->decaps[cni_decap_hash(iph->daddr, iph->saddr, key)];
	hlist_for_each_entry_rcu(decap, bucket, node)
		if (decap->remote.v4 == iph->saddr &&
		    decap->local.v4 == iph->daddr && decap->key == key &&
		    decap->keyed == keyed && decap->link == link)
			return READ_ONCE(decap->stale) ? NULL : decap;
	return NULL;
}

/* A tunnel's packet, by its outer headers. On success fwd->off is inside. */
static enum cnilink_reason find_tunnel(struct cni_link *link,
				       struct sk_buff *skb,
				       struct forward *fwd,
				       unsigned int *outer_len,
				       struct cni_decap **found)
{
	const struct gre_base_hdr *greh;
	const struct iphdr *iph;
	struct cni_decap *decap;
	unsigned int gre_len;
	__be32 key = 0;

	/* No packet of a tunnel is so short that it ends before these. */
	if (unlikely(!pskb_may_pull(skb, sizeof(*iph) + sizeof(*greh) +
					 2 * sizeof(__be32))))
		return CNILINK_REASON_MALFORMED;
	iph = (void *)skb->data;
	if (unlikely(*(u8 *)iph != 0x45))
		return CNILINK_REASON_OPTIONS;
	if (unlikely(iph->frag_off & htons(IP_MF | IP_OFFSET)))
		return CNILINK_REASON_FRAGMENT;
	*outer_len = ntohs(iph->tot_len);
	if (unlikely(*outer_len > skb->len || !header_ok(iph)))
		return CNILINK_REASON_MALFORMED;

	greh = (void *)(iph + 1);
	gre_len = cni_decap_gre_len(greh, &key);
	if (unlikely(!gre_len))
		return CNILINK_REASON_GRE_HEADER;
	decap = decap_find(link, iph, greh->flags & GRE_KEY, key);
	if (unlikely(!decap))
		return CNILINK_REASON_GRE_UNKNOWN;
	if (unlikely(decap->csum != !!(greh->flags & GRE_CSUM)))
		return CNILINK_REASON_GRE_HEADER;
	*found = decap;
	fwd->dev = decap->dev;
	fwd->gre = true;
	fwd->stepped = true;
	if (unlikely(decap->clamp))
		fwd->mss = decap->mss;
	fwd->off = sizeof(*iph) + gre_len;
	fwd->proto = greh->protocol;
	return 0;
}

/* As gre_parse_header() checks it. */
static noinline bool gre_csum_ok(struct sk_buff *skb, unsigned int off,
				 unsigned int outer_len)
{
	bool ok;

	if (pskb_trim_rcsum(skb, outer_len))
		return false;
	__skb_pull(skb, off);
	ok = !skb_checksum_simple_validate(skb);
	__skb_push(skb, off);
	return ok;
}

static enum cnilink_reason find_inner(struct forward *fwd,
				      struct sk_buff *skb,
				      const struct cni_decap *decap,
				      unsigned int outer_len, u8 outer,
				      unsigned int gre_off)
{
	enum cnilink_reason reason;

	if (unlikely(skb_is_gso(skb) && !skb->encapsulation))
		return CNILINK_REASON_OFFLOAD;
	reason = cni_gate_rx(fwd->dev);
	if (unlikely(reason))
		return reason;
	/* The length of a GSO packet's segments is counted from here. */
	skb_set_transport_header(skb, gre_off);
	reason = find_ip(fwd, skb);
	if (unlikely(reason))
		return reason;
	if (unlikely(fwd->off + fwd->len > outer_len))
		return CNILINK_REASON_MALFORMED;
	/* RFC 6040; what the stock device logs or drops is left to it. */
	if (unlikely(!INET_ECN_is_not_ect(outer)) &&
	    __INET_ECN_decapsulate(outer, fwd->dsfield, &fwd->set_ce))
		return CNILINK_REASON_ECN;
	if (unlikely(decap->csum && !gre_csum_ok(skb, gre_off, outer_len)))
		return CNILINK_REASON_GRE_HEADER;
	fwd->set_ect1 = unlikely((outer & INET_ECN_MASK) == INET_ECN_ECT_1) &&
			(fwd->dsfield & INET_ECN_MASK) == INET_ECN_ECT_0;
	return 0;
}

/* As vlan_do_receive() does. */
static void leave_vlan(const struct cni_link *link, struct sk_buff *skb)
{
	const struct vlan_dev_priv *vlan = vlan_dev_priv(link->dev);
	struct vlan_pcpu_stats *stats;

	skb->priority = vlan->ingress_priority_map[skb_vlan_tag_get_prio(skb)];
	__vlan_hwaccel_clear_tag(skb);

	stats = this_cpu_ptr(vlan->vlan_pcpu_stats);
	u64_stats_update_begin(&stats->syncp);
	u64_stats_inc(&stats->rx_packets);
	u64_stats_add(&stats->rx_bytes, skb->len);
	u64_stats_update_end(&stats->syncp);
}

/* As ip_tunnel_rcv() does. */
static int leave_tunnel(struct net_device *gre, struct sk_buff *skb,
			unsigned int off, __be16 proto, unsigned int outer_len)
{
	int err = iptunnel_pull_offloads(skb);

	if (unlikely(err))
		return err;
	__skb_pull(skb, off);
	skb->protocol = proto;
	skb_clear_hash_if_not_l4(skb);
	dev_sw_netstats_rx_add(gre, outer_len - off);
	return 0;
}

/*
 * Does a probe meet nobody on its way in, through the stock gre device, and its
 * answer on the way out?
 */
static bool probe_is_alone(const struct cni_link *link,
			   const struct cni_decap *decap,
			   const struct cni_encap *e, int family)
{
	const struct cni_net *cn = link->cn;

	if (rcu_access_pointer(cn->policy[CNI_V4]) ||
	    cni_gate_net(cn, family, true, false) ||
	    cni_gate_rx(decap->dev) || cni_gate_tx(decap->dev) ||
	    (e->vlan && cni_gate_tx(e->vlan)))
		return false;
	if (likely(!cni_gate_tapped(e->lower)))
		return true;
	return !cni_gate_tapped(decap->dev) &&
	       !(link->tagged && cni_gate_tapped(link->dev)) &&
	       !(e->vlan && cni_gate_tapped(e->vlan));
}

/*
 * A packet out of a tunnel that has health checks: answered here if it is one
 * and nothing stands in the way. Else it's as it was, and if it is for the
 * stock gre device, cni_stage_ingress() answers it there.
 */
static noinline __flatten bool probe_rcv(struct cni_link *link,
					 struct cni_decap *decap,
					 struct sk_buff *skb, unsigned int off,
					 __be16 proto, unsigned int outer_len)
{
	const struct cni_encap *e = rcu_dereference(decap->tunnel->encap);
	struct cni_health *health = rcu_dereference(decap->tunnel->health);
	int family = proto == htons(ETH_P_IPV6) ? CNI_V6 : CNI_V4;
	const struct iphdr *outer = (const struct iphdr *)skb->data;
	const struct cni_health_check *check;
	unsigned int len;

	if (!health || !e || READ_ONCE(e->hold) ||
	    !INET_ECN_is_not_ect(outer->tos))
		return false;
	check = cni_health_find(health, skb, off, proto, &len);
	/* One whose answer goes another way takes the kernel's. */
	if (!check || check->flags & CNILINK_HEALTH_FLAG_UNIDIRECTIONAL ||
	    off + len > outer_len || len > e->mtu[family] ||
	    (decap->csum &&
	     !gre_csum_ok(skb, sizeof(*outer), outer_len)) ||
	    !probe_is_alone(link, decap, e, family) ||
	    !neigh_usable(link->cn, e->neigh) ||
	    !cni_health_take(health, false))
		return false;

	if (link->tagged)
		leave_vlan(link, skb);
	if (unlikely(leave_tunnel(decap->dev, skb, off, proto, outer_len)))
		goto no_memory;
	skb_reset_network_header(skb);
	if (unlikely(!cni_health_turn(health, check, skb, len) ||
		     skb_cow_head(skb, e->headroom)))
		goto no_memory;
	cni_stats_rx(link->stats, len);
	cni_stats_rx(decap->stats, len);
	send_own(e, skb, cni_gate_tapped(e->lower));
	return true;

no_memory:
	kfree_skb(skb);
	cni_stats_reason(link->stats, CNILINK_REASON_NO_MEMORY);
	cni_stats_reason(decap->stats, CNILINK_REASON_NO_MEMORY);
	return true;
}

/* Not reasons, but: link_rcv6() shall look; probe_rcv() has taken it. */
#define LOOK6		((enum cnilink_reason)__CNILINK_REASON_MAX)
#define ANSWERED	((enum cnilink_reason)(__CNILINK_REASON_MAX + 1))

static enum cnilink_reason find_link(struct cni_link *link,
				     struct sk_buff *skb,
				     struct forward *fwd,
				     struct cni_decap **decap,
				     unsigned int *outer_len)
{
	enum cnilink_reason reason, gre = 0;

	if (unlikely(skb_shared(skb)))
		return CNILINK_REASON_SHARED;
	if (unlikely(skb->pkt_type != PACKET_HOST))
		return CNILINK_REASON_NOT_FOR_US;
	if (unlikely(READ_ONCE(link->blockers)))
		return CNILINK_REASON_NOT_OFFLOADED;
	if (link->tagged) {
		fwd->stepped = true;
		reason = cni_gate_rx(link->dev);
		if (unlikely(reason))
			return reason;
	} else if (unlikely(rcu_access_pointer(link->dev->rx_handler))) {
		return CNILINK_REASON_RX_HANDLER;
	}

	if (skb->protocol == htons(ETH_P_IP) &&
	    pskb_may_pull(skb, sizeof(struct iphdr)) &&
	    ((const struct iphdr *)skb->data)->protocol == IPPROTO_GRE) {
		gre = find_tunnel(link, skb, fwd, outer_len, decap);
		if (likely(!gre)) {
			if (unlikely((*decap)->health) &&
			    probe_rcv(link, *decap, skb, fwd->off, fwd->proto,
				      *outer_len))
				return ANSWERED;
			return find_inner(fwd, skb, *decap, *outer_len,
					  ((struct iphdr *)skb->data)->tos,
					  sizeof(struct iphdr));
		}
	} else if (skb->protocol == htons(ETH_P_IPV6) &&
		   cni_ip6gre_maybe(skb)) {
		return LOOK6;
	}
	reason = find_ip(fwd, skb);
	/* For this host, and GRE: say why no tunnel took it. */
	return gre && reason == CNILINK_REASON_LOCAL ? gre : reason;
}

/* Do what was found, unless that is a reason not to. */
static unsigned int link_take(struct cni_link *link, struct sk_buff *skb,
			      const struct forward *fwd,
			      struct cni_decap *decap, unsigned int outer_len,
			      enum cnilink_reason reason)
{
	if (unlikely(reason)) {
		cni_stats_reason(link->stats, reason);
		if (decap)
			cni_stats_reason(decap->stats, reason);
		return NF_ACCEPT;
	}

	skb_forward_csum(skb);
	if (link->tagged)
		leave_vlan(link, skb);
	if (decap && unlikely(leave_tunnel(fwd->dev, skb, fwd->off, fwd->proto,
					   outer_len))) {
		kfree_skb(skb);
		reason = CNILINK_REASON_NO_MEMORY;
		goto drop;
	}
	reason = send_ip(fwd, skb);
	if (unlikely(reason))
		goto drop;
	cni_stats_rx(link->stats, fwd->len);
	if (decap)
		cni_stats_rx(decap->stats, fwd->len);
	return NF_STOLEN;

drop:
	cni_stats_reason(link->stats, reason);
	if (decap)
		cni_stats_reason(decap->stats, reason);
	return NF_STOLEN;
}

/* It may have an outer IPv6 header, and the device's gates are passed. */
static noinline unsigned int link_rcv6(struct cni_link *link,
				       struct sk_buff *skb)
{
	struct forward fwd = {
		.cn = link->cn,
		.dev = link->dev,
		.proto = skb->protocol,
		.stepped = link->tagged,
	};
	enum cnilink_reason reason, gre;
	struct cni_ip6gre_rx rx = {};

	gre = cni_ip6gre_find(link, skb, &rx);
	if (gre) {
		reason = find_ip(&fwd, skb);
		if (reason == CNILINK_REASON_LOCAL)
			reason = gre;
		return link_take(link, skb, &fwd, NULL, 0, reason);
	}
	fwd.dev = rx.decap->dev;
	fwd.stepped = true;
	if (rx.decap->clamp)
		fwd.mss = rx.decap->mss;
	fwd.off = rx.off;
	fwd.proto = rx.proto;
	reason = find_inner(&fwd, skb, rx.decap, rx.len, rx.dsfield,
			    rx.gre_off);
	if (!reason && !(fwd.encap->flags & CNI_ENCAP_BYPASS_NF) &&
	    cni_gate_nf_outer6(fwd.cn->net, fwd.proto == htons(ETH_P_IP) ?
					    CNI_V4 : CNI_V6))
		reason = CNILINK_REASON_NETFILTER;
	return link_take(link, skb, &fwd, rx.decap, rx.len, reason);
}

/* A frame came in by a link; its tag is in the skb. */
static unsigned int link_rcv(struct cni_link *link, struct sk_buff *skb)
{
	struct forward fwd = {
		.cn = link->cn,
		.dev = link->dev,
		.proto = skb->protocol,
	};
	struct cni_decap *decap = NULL;
	enum cnilink_reason reason;
	unsigned int outer_len = 0;

	reason = find_link(link, skb, &fwd, &decap, &outer_len);
	if (unlikely(reason >= LOOK6))
		return reason == LOOK6 ? link_rcv6(link, skb) : NF_STOLEN;
	return link_take(link, skb, &fwd, decap, outer_len, reason);
}

static enum cnilink_reason check_output(const struct cni_encap *e,
					struct sk_buff *skb, int family)
{
	u32 mtu = e->mtu[family];
	enum cnilink_reason reason;

	/*
	 * What tnl_update_pmtu() would tell the packet's route or its sender of
	 * is left to it.
	 */
	if (unlikely(e->flags & CNI_ENCAP_MTU_BELOW) &&
	    skb_valid_dst(skb) && dst_mtu(skb_dst(skb)) > mtu)
		return CNILINK_REASON_MTU;
	if (skb_is_gso(skb)) {
		reason = check_gso(skb, mtu, true);
		/* The stock gre device would segment it first. */
		if (!reason && netif_needs_gso(skb, netif_skb_features(skb)))
			reason = CNILINK_REASON_OFFLOAD;
		if (reason)
			return reason;
	} else if (unlikely(skb->len > mtu)) {
		return CNILINK_REASON_MTU;
	}
	if (unlikely(skb->encapsulation))
		return CNILINK_REASON_OFFLOAD;
	return e->flags & CNI_ENCAP_GRE6 ?
	       cni_ip6gre_check(e, skb, 0, skb->protocol, true) : 0;
}

/**
 * cni_forward_output - send a packet that the stack gave to a stock gre device
 * @cn: namespace
 * @e: template of the tunnel
 * @skb: packet, at its IP header
 * @tapped: there's a capture on the lower device
 *
 * Under rcu_read_lock() and with bottom halves off. What ipgre_xmit() and
 * ip_tunnel_xmit() do with it is done here; like theirs, the packet remains
 * its socket's until the lower device has sent it.
 *
 * Return: 0 when it's sent; CNILINK_REASON_NO_MEMORY or
 * CNILINK_REASON_TRANSMIT when it's lost; else the reason why it's left as it
 * was.
 */
enum cnilink_reason __flatten cni_forward_output(struct cni_net *cn,
						 const struct cni_encap *e,
						 struct sk_buff *skb,
						 bool tapped)
{
	bool v4 = skb->protocol == htons(ETH_P_IP);
	unsigned int headroom = e->headroom;
	enum cnilink_reason reason;

	if (unlikely(!v4 && skb->protocol != htons(ETH_P_IPV6)))
		return CNILINK_REASON_NOT_IP;
	if (unlikely(skb_network_offset(skb) ||
		     !pskb_may_pull(skb, v4 ? sizeof(struct iphdr) :
					      sizeof(struct ipv6hdr))))
		return CNILINK_REASON_MALFORMED;
	reason = check_output(e, skb, v4 ? CNI_V4 : CNI_V6);
	if (unlikely(reason))
		return reason;
	if (unlikely(!neigh_usable(cn, e->neigh)))
		return CNILINK_REASON_NEIGHBOUR;

	/* The next one comes with the room, as after ip_tunnel_xmit(). */
	if (unlikely(skb_headroom(skb) < headroom) &&
	    READ_ONCE(e->gre->needed_headroom) < headroom)
		WRITE_ONCE(e->gre->needed_headroom, headroom);
	if (unlikely(skb_cow_head(skb, headroom))) {
		kfree_skb(skb);
		return CNILINK_REASON_NO_MEMORY;
	}
	sock_confirm_neigh(skb, e->neigh);
	skb_scrub_packet(skb, false);
	if (unlikely(send_own(e, skb, tapped)))
		return CNILINK_REASON_TRANSMIT;
	return 0;
}

static bool is_links(const struct cni_link *link, const struct sk_buff *skb)
{
	if (!link->tagged)
		return !skb_vlan_tag_present(skb);
	return skb_vlan_tag_present(skb) &&
	       skb->vlan_proto == link->vlan_proto &&
	       skb_vlan_tag_get_id(skb) == link->vlan_id;
}

/**
 * cni_forward_ingress - the ingress hook of a device that frames come from
 * @priv: struct cni_rxdev
 * @skb: frame, at its network header, its tag in the skb
 * @state: unused
 *
 * In softirq, under rcu_read_lock(). All of the path is one function: its calls
 * would cost a fifth of its instructions.
 *
 * Return: NF_ACCEPT when it's left to the kernel, or NF_STOLEN.
 */
unsigned int __flatten cni_forward_ingress(void *priv, struct sk_buff *skb,
					   const struct nf_hook_state *state)
{
	u16 vlan_tci = skb_vlan_tag_present(skb) ? skb_vlan_tag_get(skb) : 0;
	struct cni_rxdev *rx = priv;
	struct list_head *links = cni_hook_links(rx, vlan_tci);
	struct cni_link *link;
	struct cni_port *port;

	list_for_each_entry_rcu(link, links, rx_node)
		if (is_links(link, skb))
			return link_rcv(link, skb);
	port = rcu_dereference(rx->port);
	if (port)
		return port_rcv(port, skb);
	see_stray(rx, skb);
	return NF_ACCEPT;
}
