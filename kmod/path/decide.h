/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_DECIDE_H
#define _CNI_DECIDE_H

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <linux/rculist.h>
#include <linux/skbuff.h>
#include <net/dsfield.h>
#include <net/gre.h>
#include <net/gso.h>
#include <net/inet_ecn.h>
#include <net/ip.h>
#include <net/ip_fib.h>
#include <net/ipv6.h>

#include "base/epoch.h"
#include "base/packet.h"
#include "base/stats.h"
#include "path/gate.h"
#include "path/hook.h"
#include "path/ip6gre.h"
#include "path/outer.h"
#include "state/adj.h"
#include "state/decap.h"
#include "state/encap.h"
#include "state/fib.h"
#include "state/group.h"
#include "state/net.h"
#include "state/object.h"
#include "state/route.h"
#include "state/rule.h"

/*
 * What becomes of a packet: where it goes, or why it is left to the kernel. Its
 * content stays as it is. The skb path and XDP ask the same functions, the
 * latter with a frame that has no skb. They are inlined: their calls would cost
 * a fifth of the path's instructions.
 */

/**
 * struct cni_forward - a packet on its way through, and what was decided
 * @cn: namespace
 * @dev: layer 3 device that it came in by: LAN port, link or gre device
 * @stats: of the port, link or tunnel that it came in by
 * @xdp: the hook that a frame came by that has no skb yet; or NULL
 * @decap: tunnel that it came out of, or NULL
 * @mss: largest TCP segment that the way in lets pass, per family; or NULL
 * @now: cni_epoch_now()
 * @outer_len: its length with the outer header, with @decap
 * @off: where its IP header is, from cni_packet_data()
 * @proto: ETH_P_IP or ETH_P_IPV6, network byte order
 * @bypass_nf: the way in lets netfilter be stepped over
 * @stepped: a stock device is stepped over on the way in
 * @set_ce: mark it as having met congestion
 * @set_ect1: turn its ECT(0) into ECT(1)
 * @dsfield: TOS or traffic class
 * @xmit: how it can be handed to the lower device, CNI_XMIT_*
 * @len: length of the IP packet
 * @encap: way out
 * @neigh: whose MAC address to send to, valid while in the RCU section
 *
 * The caller fills in the first group, cni_decide_ip() the second.
 */
struct cni_forward {
	struct cni_net		*cn;
	struct net_device	*dev;
	struct cni_stats __percpu *stats;
	const struct cni_rxdev	*xdp;
	struct cni_decap	*decap;
	const u16		*mss;
	u64			now;
	unsigned int		outer_len;
	unsigned int		off;
	__be16			proto;
	bool			bypass_nf;
	bool			stepped;

	bool			set_ce;
	bool			set_ect1;
	u8			dsfield;
	u8			xmit;
	unsigned int		len;
	struct cni_encap	*encap;
	struct neighbour	*neigh;
};

enum cnilink_reason cni_decide_look_in(const struct cni_forward *fwd,
				       int family);
enum cnilink_reason cni_decide_look_out(struct cni_forward *fwd);
enum cnilink_reason cni_decide_look_untag(const struct cni_forward *fwd);
enum cnilink_reason cni_decide_look_dev(const struct cni_forward *fwd);
enum cnilink_reason cni_decide_look_pending4(const struct cni_net *cn,
					     u8 pending, __be32 daddr,
					     __be32 saddr);
enum cnilink_reason cni_decide_look_pending6(const struct cni_net *cn,
					     u8 pending,
					     const struct in6_addr *daddr,
					     const struct in6_addr *saddr);
enum cnilink_reason cni_decide_gso(const struct sk_buff *skb, unsigned int most,
				   bool tunnel);
enum cnilink_reason cni_decide_look_gso(const struct cni_forward *fwd,
					const struct sk_buff *skb, u32 mtu);
bool cni_decide_ignores_tag(const struct cni_rxdev *rx, __be16 vlan_proto,
			    __be16 proto);

/* The cached checks of where a packet came in */
static inline struct cni_checks *checks_in(const struct cni_forward *fwd)
{
	enum cni_path path = fwd->xdp ? CNI_PATH_XDP : CNI_PATH_SKB;

	return &this_cpu_ptr(fwd->stats)->checks[path];
}

/* And of the encap that it is sent by */
static inline struct cni_checks *checks_out(const struct cni_forward *fwd)
{
	enum cni_path path = fwd->xdp ? CNI_PATH_XDP : CNI_PATH_SKB;

	return &this_cpu_ptr(fwd->encap->stats)->checks[path];
}

/**
 * cni_decide_out - is something in the way out?
 * @fwd: the packet, its way out filled in
 *
 * Return: the reason to leave it to the kernel; or 0, @fwd->xmit is set then.
 */
static inline enum cnilink_reason cni_decide_out(struct cni_forward *fwd)
{
	if (unlikely(checks_out(fwd)->egress != fwd->now))
		return cni_decide_look_out(fwd);
	fwd->xmit = fwd->encap->xmit;
	return 0;
}

static inline bool is_links(const struct cni_link *link, struct cni_packet pkt)
{
	if (!link->tagged)
		return !cni_packet_tagged(pkt);
	return cni_packet_tagged(pkt) &&
	       cni_packet_vlan_proto(pkt) == link->vlan_proto &&
	       (cni_packet_vlan_tci(pkt) & VLAN_VID_MASK) == link->vlan_id;
}

/**
 * cni_decide_which - the link that a frame came in by
 * @rx: the device's hook
 * @pkt: frame, at its network header, its tag apart
 *
 * Return: the link, or NULL if it's none's.
 */
static inline struct cni_link *cni_decide_which(struct cni_rxdev *rx,
						struct cni_packet pkt)
{
	u16 vlan_tci = cni_packet_tagged(pkt) ? cni_packet_vlan_tci(pkt) : 0;
	struct cni_link *link;

	list_for_each_entry_rcu(link, cni_hook_links(rx, vlan_tci), rx_node)
		if (is_links(link, pkt))
			return link;
	return NULL;
}

/* 0/8, 127/8, multicast, class E and broadcast */
static inline bool special4(__be32 addr)
{
	u8 first = ntohl(addr) >> 24;

	return first == 0 || first == 127 || first >= 224;
}

/* ::/8 (unspecified, loopback, mapped), multicast and link-local */
static inline bool special6(const struct in6_addr *addr)
{
	__be32 top = addr->s6_addr32[0];

	return addr->s6_addr[0] == 0 || addr->s6_addr[0] == 0xff ||
	       (top & htonl(0xffc00000)) == htonl(0xfe800000);
}

/**
 * cni_decide_header4 - the checks of ip_rcv_core() and ip_forward()
 * @iph: header, there whole
 * @room: how much of the frame there is from there on
 * @len: set to the packet's length
 *
 * Return: the reason to punt it, or 0.
 */
static __always_inline enum cnilink_reason
cni_decide_header4(const struct iphdr *iph, unsigned int room,
		   unsigned int *len)
{
	if (unlikely(*(u8 *)iph != 0x45))
		return iph->version == 4 && iph->ihl > 5 ?
		       CNILINK_REASON_OPTIONS : CNILINK_REASON_MALFORMED;
	*len = ntohs(iph->tot_len);
	if (unlikely(*len < sizeof(*iph) || *len > room ||
		     !cni_decap_header_ok(iph)))
		return CNILINK_REASON_MALFORMED;
	if (unlikely(special4(iph->daddr) || special4(iph->saddr)))
		return CNILINK_REASON_SPECIAL_ADDRESS;
	return unlikely(iph->ttl <= 1) ? CNILINK_REASON_TTL : 0;
}

/**
 * cni_decide_header6 - the checks of ip6_rcv_core() and ip6_forward()
 * @iph: header, there whole
 * @room: how much of the frame there is from there on
 * @len: set to the packet's length
 *
 * Return: the reason to punt it, or 0.
 */
static __always_inline enum cnilink_reason
cni_decide_header6(const struct ipv6hdr *iph, unsigned int room,
		   unsigned int *len)
{
	if (unlikely(iph->version != 6))
		return CNILINK_REASON_MALFORMED;
	*len = ntohs(iph->payload_len) + sizeof(*iph);
	/* No length: a jumbogram, or aggregated past what the field holds. */
	if (unlikely(!iph->payload_len || *len > room))
		return CNILINK_REASON_MALFORMED;
	if (unlikely(iph->nexthdr == NEXTHDR_HOP))
		return CNILINK_REASON_OPTIONS;
	if (unlikely(special6(&iph->daddr) || special6(&iph->saddr)))
		return CNILINK_REASON_SPECIAL_ADDRESS;
	return unlikely(iph->hop_limit <= 1) ? CNILINK_REASON_TTL : 0;
}

/**
 * cni_decide_outer4 - may an outer header be that of a tunnel's packet?
 * @iph: header, there whole
 * @room: how much of the frame there is from there on
 * @len: set to the packet's length
 *
 * Return: the reason to punt it, or 0.
 */
static __always_inline enum cnilink_reason
cni_decide_outer4(const struct iphdr *iph, unsigned int room,
		  unsigned int *len)
{
	if (unlikely(*(u8 *)iph != 0x45))
		return CNILINK_REASON_OPTIONS;
	if (unlikely(iph->frag_off & htons(IP_MF | IP_OFFSET)))
		return CNILINK_REASON_FRAGMENT;
	*len = ntohs(iph->tot_len);
	if (unlikely(*len > room || !cni_decap_header_ok(iph)))
		return CNILINK_REASON_MALFORMED;
	return 0;
}

/* The kernel's own reverse path filter says more than the table can prove. */
static inline bool rp_filter_ok(const struct cni_forward *fwd,
				const struct cni_adj *source)
{
	struct in_device *in_dev = __in_dev_get_rcu(fwd->dev);

	/* It may have lost IPv4 since the cached check. */
	if (!source || !in_dev)
		return false;
	return IN_DEV_RPFILTER(in_dev) == 2 || cni_adj_uses(source, fwd->dev);
}

/*
 * A source that is this host's own is for the kernel to judge. Of others it
 * asks the route only where somebody has made rules or local routes by hand,
 * and a route that is left to the kernel may be one that forbids the source.
 */
static inline bool source_ok(const struct cni_forward *fwd, u32 src)
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
static inline enum cnilink_reason
find_way(struct cni_forward *fwd, struct cni_packet pkt, u32 dst, u32 src,
	 const struct cni_adj **source)
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
	if (unlikely(!fwd->encap && READ_ONCE(adj->retired)))
		return CNILINK_REASON_PUNT_ROUTE;
	if (unlikely(!fwd->encap && adj->group)) {
		/* The kernel would go by the hash that the device made. */
		if (pkt.frame && pkt.frame->dev->features & NETIF_F_RXHASH)
			return CNILINK_REASON_MULTIPATH;
		adj = cni_group_pick(fwd->cn, adj->group, pkt, fwd->off,
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
		reason = cni_ip6gre_check(fwd->encap, pkt, fwd->off,
					  fwd->proto, fwd->bypass_nf);
		if (reason)
			return reason;
	}
	if (unlikely(fwd->encap->dev == fwd->dev))
		return CNILINK_REASON_SAME_PORT;
	return 0;
}

static inline enum cnilink_reason
check_rest(struct cni_forward *fwd, struct cni_packet pkt, int family)
{
	const struct cni_encap *e = fwd->encap;
	enum cnilink_reason reason;

	if (unlikely(cni_packet_is_gso(pkt))) {
		reason = cni_decide_look_gso(fwd, pkt.skb, e->mtu[family]);
		if (reason)
			return reason;
	} else if (unlikely(fwd->len > e->mtu[family])) {
		return CNILINK_REASON_MTU;
	}
	/* The stock gre device would segment it or sum it up first. */
	if (unlikely(e->gre && cni_packet_encapsulated(pkt) && !fwd->off))
		return CNILINK_REASON_OFFLOAD;
	if (unlikely((checks_in(fwd)->ingress[family] ^ fwd->now) & e->gates)) {
		reason = cni_decide_look_in(fwd, family);
		if (reason)
			return reason;
	}
	return cni_decide_out(fwd);
}

/**
 * cni_decide_neigh - can a neighbour's MAC address be sent to?
 * @cn: namespace
 * @n: neighbour, or NULL
 *
 * The kernel's own state machine decides what the address is worth: using a
 * stale one starts the kernel's probe, as the stock output path would.
 *
 * Return: whether it can.
 */
static inline bool cni_decide_neigh(struct cni_net *cn, struct neighbour *n)
{
	if (unlikely(!n))
		return false;
	if (unlikely(READ_ONCE(n->dead))) {
		cni_net_kick(cn);
		return false;
	}
	if (unlikely(!(READ_ONCE(n->nud_state) & NUD_CONNECTED)) &&
	    neigh_event_send(n, NULL))
		return false;
	return true;
}

static inline enum cnilink_reason find4(struct cni_forward *fwd,
					struct cni_packet pkt)
{
	const struct cni_adj *source = NULL;
	const struct cni_table *table;
	enum cnilink_reason reason;
	const struct iphdr *iph;
	__be32 saddr, daddr;
	struct neighbour *n;
	u32 dst, src;
	u8 pending;

	if (unlikely(!cni_packet_may_pull(pkt, fwd->off + sizeof(*iph))))
		return CNILINK_REASON_MALFORMED;
	iph = cni_packet_data(pkt) + fwd->off;
	reason = cni_decide_header4(iph, cni_packet_len(pkt) - fwd->off,
				    &fwd->len);
	if (unlikely(reason))
		return reason;
	saddr = iph->saddr;
	daddr = iph->daddr;

	/* Before the look-up: a change seen as done is in the table then. */
	pending = cni_fib_pending(fwd->cn, CNI_V4);
	if (unlikely(pending)) {
		reason = cni_decide_look_pending4(fwd->cn, pending, daddr,
						  saddr);
		if (reason)
			return reason;
	}
	table = rcu_dereference(fwd->cn->table);
	if (unlikely(!table))
		return CNILINK_REASON_NO_ROUTE;
	dst = cni_lpm_lookup4_two(table->lpm[CNI_V4], daddr, saddr, &src);
	if (unlikely(pending & CNI_FIB_POLICY)) {
		dst = cni_rule_lookup4(fwd->cn, daddr, saddr, dst);
		src = cni_rule_lookup4(fwd->cn, saddr, daddr, src);
	}
	reason = find_way(fwd, pkt, dst, src, &source);
	if (unlikely(reason))
		return reason;

	if (!fwd->off)
		cni_packet_set_transport(pkt, sizeof(*iph));
	reason = check_rest(fwd, pkt, CNI_V4);
	if (unlikely(reason))
		return reason;
	if (unlikely(checks_in(fwd)->ingress[CNI_V4] & CNI_EPOCH_RP_FILTER) &&
	    !rp_filter_ok(fwd, source))
		return CNILINK_REASON_SOURCE;

	n = fwd->encap->neigh;
	if (!n)
		n = cni_encap_neigh(fwd->encap, CNI_V4, &daddr);
	if (unlikely(!cni_decide_neigh(fwd->cn, n)))
		return CNILINK_REASON_NEIGHBOUR;
	fwd->neigh = n;
	fwd->dsfield = iph->tos;
	return 0;
}

static inline enum cnilink_reason find6(struct cni_forward *fwd,
					struct cni_packet pkt)
{
	const struct cni_adj *source = NULL;
	const struct cni_table *table;
	enum cnilink_reason reason;
	const struct ipv6hdr *iph;
	struct neighbour *n;
	u32 dst, src;
	u8 pending;

	if (unlikely(!cni_packet_may_pull(pkt, fwd->off + sizeof(*iph))))
		return CNILINK_REASON_MALFORMED;
	iph = cni_packet_data(pkt) + fwd->off;
	reason = cni_decide_header6(iph, cni_packet_len(pkt) - fwd->off,
				    &fwd->len);
	if (unlikely(reason))
		return reason;

	pending = cni_fib_pending(fwd->cn, CNI_V6);
	if (unlikely(pending)) {
		reason = cni_decide_look_pending6(fwd->cn, pending,
						  &iph->daddr, &iph->saddr);
		if (reason)
			return reason;
	}
	table = rcu_dereference(fwd->cn->table);
	if (unlikely(!table))
		return CNILINK_REASON_NO_ROUTE;
	dst = cni_route_lookup6(table, &iph->daddr);
	src = cni_route_lookup6(table, &iph->saddr);
	if (unlikely(pending & CNI_FIB_POLICY)) {
		dst = cni_rule_lookup6(fwd->cn, &iph->daddr, &iph->saddr, dst);
		src = cni_rule_lookup6(fwd->cn, &iph->saddr, &iph->daddr, src);
	}
	reason = find_way(fwd, pkt, dst, src, &source);
	if (unlikely(reason))
		return reason;

	if (!fwd->off)
		cni_packet_set_transport(pkt, sizeof(*iph));
	reason = check_rest(fwd, pkt, CNI_V6);
	if (unlikely(reason))
		return reason;

	n = fwd->encap->neigh;
	if (!n)
		n = cni_encap_neigh(fwd->encap, CNI_V6, &iph->daddr);
	if (unlikely(!cni_decide_neigh(fwd->cn, n)))
		return CNILINK_REASON_NEIGHBOUR;
	fwd->neigh = n;
	fwd->dsfield = ipv6_get_dsfield(iph);
	return 0;
}

/**
 * cni_decide_ip - decide what becomes of a packet by its IP header
 * @fwd: the packet; the decision is filled in
 * @pkt: packet
 *
 * In softirq, under rcu_read_lock(), as are all of these. Those that decide may
 * move an skb's head: what points into it is to be found anew. After the first
 * lines of find4() and find6() nothing moves it.
 *
 * Return: the reason to leave it to the kernel, or 0.
 */
static inline enum cnilink_reason cni_decide_ip(struct cni_forward *fwd,
						struct cni_packet pkt)
{
	if (fwd->proto == htons(ETH_P_IP))
		return find4(fwd, pkt);
	if (fwd->proto == htons(ETH_P_IPV6))
		return find6(fwd, pkt);
	return CNILINK_REASON_NOT_IP;
}

/**
 * cni_decide_port - decide what becomes of a frame that came in by a port
 * @fwd: the packet; the decision is filled in
 * @port: port
 * @pkt: packet, at its IP header
 *
 * Return: the reason to leave it to the kernel, or 0.
 */
static inline enum cnilink_reason cni_decide_port(struct cni_forward *fwd,
						  const struct cni_port *port,
						  struct cni_packet pkt)
{
	if (unlikely(cni_packet_shared(pkt)))
		return CNILINK_REASON_SHARED;
	if (unlikely(cni_packet_tagged(pkt)))
		return CNILINK_REASON_VLAN;
	if (unlikely(cni_packet_type(pkt) != PACKET_HOST))
		return CNILINK_REASON_NOT_FOR_US;
	if (unlikely(rcu_access_pointer(port->dev->rx_handler)))
		return CNILINK_REASON_RX_HANDLER;
	return cni_decide_ip(fwd, pkt);
}

/**
 * cni_decide_link - may a frame that came in by a link be looked at?
 * @fwd: the packet
 * @link: link
 * @pkt: packet, at its network header
 *
 * Return: the reason to leave it to the kernel, or 0.
 */
static inline enum cnilink_reason cni_decide_link(struct cni_forward *fwd,
						  const struct cni_link *link,
						  struct cni_packet pkt)
{
	if (unlikely(cni_packet_shared(pkt)))
		return CNILINK_REASON_SHARED;
	if (unlikely(cni_packet_type(pkt) != PACKET_HOST))
		return CNILINK_REASON_NOT_FOR_US;
	if (unlikely(READ_ONCE(link->blockers)))
		return CNILINK_REASON_NOT_OFFLOADED;
	if (link->tagged) {
		fwd->stepped = true;
		if (likely(this_cpu_read(link->stats->untag) == fwd->now))
			return 0;
		return cni_decide_look_untag(fwd);
	}
	return unlikely(rcu_access_pointer(link->dev->rx_handler)) ?
	       CNILINK_REASON_RX_HANDLER : 0;
}

static inline struct cni_decap *decap_find(const struct cni_link *link,
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

/* The packet is what is inside a tunnel. */
static inline void enter(struct cni_forward *fwd, struct cni_decap *decap,
			 unsigned int off, __be16 proto)
{
	fwd->decap = decap;
	fwd->dev = decap->dev;
	fwd->stats = decap->stats;
	fwd->stepped = true;
	if (unlikely(decap->clamp))
		fwd->mss = decap->mss;
	fwd->off = off;
	fwd->proto = proto;
}

/**
 * cni_decide_may_be_gre - is it worth asking cni_decide_tunnel()?
 * @pkt: packet, at its network header
 *
 * Return: whether it is a GRE packet over IPv4.
 */
static inline bool cni_decide_may_be_gre(struct cni_packet pkt)
{
	const struct iphdr *iph;

	if (cni_packet_proto(pkt) != htons(ETH_P_IP) ||
	    !cni_packet_may_pull(pkt, sizeof(*iph)))
		return false;
	iph = cni_packet_data(pkt);
	return iph->protocol == IPPROTO_GRE;
}

/**
 * cni_decide_tunnel - find the tunnel of a packet, by its outer headers
 * @link: link that it came in by
 * @pkt: GRE packet over IPv4
 * @fwd: the packet; inside the tunnel on success
 *
 * Return: the reason why no tunnel takes it, or 0.
 */
static inline enum cnilink_reason cni_decide_tunnel(struct cni_link *link,
						    struct cni_packet pkt,
						    struct cni_forward *fwd)
{
	const struct gre_base_hdr *greh;
	enum cnilink_reason reason;
	const struct iphdr *iph;
	struct cni_decap *decap;
	unsigned int gre_len;
	__be32 key = 0;

	/* No packet of a tunnel is so short that it ends before these. */
	if (unlikely(!cni_packet_may_pull(pkt, sizeof(*iph) + sizeof(*greh) +
					       2 * sizeof(__be32))))
		return CNILINK_REASON_MALFORMED;
	iph = cni_packet_data(pkt);
	reason = cni_decide_outer4(iph, cni_packet_len(pkt), &fwd->outer_len);
	if (unlikely(reason))
		return reason;

	greh = (void *)(iph + 1);
	gre_len = cni_decap_gre_len(greh, &key);
	if (unlikely(!gre_len))
		return CNILINK_REASON_GRE_HEADER;
	decap = decap_find(link, iph, greh->flags & GRE_KEY, key);
	if (unlikely(!decap))
		return CNILINK_REASON_GRE_UNKNOWN;
	if (unlikely(decap->csum != !!(greh->flags & GRE_CSUM)))
		return CNILINK_REASON_GRE_HEADER;
	enter(fwd, decap, sizeof(*iph) + gre_len, greh->protocol);
	return 0;
}

/**
 * cni_decide_inner - decide what becomes of a packet inside a tunnel
 * @fwd: the packet; the decision is filled in
 * @pkt: packet, at its outer IP header
 * @outer: TOS or traffic class of the outer header
 * @gre_off: where the GRE header is, from cni_packet_data()
 *
 * Return: the reason to leave it to the kernel, or 0.
 */
static inline enum cnilink_reason
cni_decide_inner(struct cni_forward *fwd, struct cni_packet pkt, u8 outer,
		 unsigned int gre_off)
{
	enum cnilink_reason reason;

	if (unlikely(cni_packet_is_gso(pkt) && !cni_packet_encapsulated(pkt)))
		return CNILINK_REASON_OFFLOAD;
	/* The length of a GSO packet's segments is counted from here. */
	cni_packet_set_transport(pkt, gre_off);
	reason = cni_decide_ip(fwd, pkt);
	if (unlikely(reason))
		return reason;
	if (unlikely(fwd->off + fwd->len > fwd->outer_len))
		return CNILINK_REASON_MALFORMED;
	/* RFC 6040; what the stock device logs or drops is left to it. */
	if (unlikely(!INET_ECN_is_not_ect(outer)) &&
	    __INET_ECN_decapsulate(outer, fwd->dsfield, &fwd->set_ce))
		return CNILINK_REASON_ECN;
	if (unlikely(fwd->decap->csum &&
		     !cni_decap_csum_ok(pkt, gre_off, fwd->outer_len)))
		return CNILINK_REASON_GRE_HEADER;
	fwd->set_ect1 = unlikely((outer & INET_ECN_MASK) == INET_ECN_ECT_1) &&
			(fwd->dsfield & INET_ECN_MASK) == INET_ECN_ECT_0;
	return 0;
}

/**
 * cni_decide_tunnel6 - cni_decide_tunnel() and cni_decide_inner() over IPv6
 * @link: link that it came in by
 * @pkt: packet that cni_ip6gre_maybe()
 * @fwd: the packet; the decision is filled in
 *
 * Return: the reason to leave it to the kernel, or 0.
 */
static inline enum cnilink_reason
cni_decide_tunnel6(struct cni_link *link, struct cni_packet pkt,
		   struct cni_forward *fwd)
{
	enum cnilink_reason reason, gre;
	struct cni_ip6gre_rx rx = {};

	gre = cni_ip6gre_find(link, pkt, &rx);
	if (gre) {
		reason = cni_decide_ip(fwd, pkt);
		return reason == CNILINK_REASON_LOCAL ? gre : reason;
	}
	fwd->outer_len = rx.len;
	enter(fwd, rx.decap, rx.off, rx.proto);
	return cni_decide_inner(fwd, pkt, rx.dsfield, rx.gre_off);
}

#endif
