// SPDX-License-Identifier: GPL-2.0
/*
 * The path of a packet, from the ingress hook to the lower device: out of the
 * VLAN and the tunnel, routed, and into those of the encap. What ip_rcv(),
 * ip_forward() and their IPv6 twins would do with it is done here, or the
 * packet is punted to them, for a reason. Until that is decided, its content
 * stays as it is.
 *
 * What the kernel asks of a packet that it forwards, in its order, and who asks
 * here. "Cached": checked once per softirq run, see cni_epoch_now(). "Punted":
 * such packets go to the slow path.
 *
 * __netif_receive_skb_core()
 *   XDP, taps, tc, nft		the port's own come before our hook; those of
 *				what is bypassed: cached, cni_gate_rx()
 *   rx_handler, VLAN		decide_port(), check_link(), is_links()
 * ip_rcv_core(), ip6_rcv_core()
 *   pkt_type			all but PACKET_HOST punted
 *   skb_share_check()		shared ones punted
 *   idev, disable_ipv6		cached, cni_gate_forwards()
 *   header, sum, lengths	cni_decide_header4() and 6
 *   loopback, scopes		cni_decide_special4() and 6: punted
 *   pskb_trim_rcsum()		settle_csum(), send_ip()
 *   hop-by-hop options		punted
 *   skb_orphan()		check_skb()
 * NF_INET_PRE_ROUTING		cached, net_bits()
 * ip_rcv_finish(), ip6_rcv_finish()
 *   l3mdev_ip_rcv()		such devices have rules that aren't mirrored
 *   early demux, skb_dst()	for this host: punted; only lo's have a dst
 *   options			punted
 * ip_route_input_slow(), ip6_route_input()
 *   in_dev, IN_DEV_FORWARD	cached, cni_gate_forwards()
 *   martians, route_localnet	cni_decide_special4(): punted
 *   rules, tables, types	route.c, rule.c, fib.c; find_encap()
 *   multipath			cni_group_pick()
 *   fib_validate_source()	source_ok(); cached, rp_filter_ok()
 *   egress's in_dev		its MTU is 0 without one
 * ip_forward(), ip6_forward()
 *   skb->sk			check_skb()
 *   skb_warn_if_lro()		decide_inner(), cni_decide_gso()
 *   xfrm, secpath		cached, cni_gate_xfrm(): punted
 *   router alert		options: punted
 *   skb_forward_csum()		check_skb()
 *   ttl, hop_limit		cni_decide_header4() and 6; send_ip()
 *   proxy_ndp			cached, cni_gate_forwards()
 *   redirects			find_encap(): punted, ingress is egress
 *   source's scope		cni_decide_special6()
 *   MTU, DF, frag_max_size	check_rest(): punted, whatever is larger
 *   skb_cow(), priority	send_ip()
 * NF_INET_FORWARD		cached, net_bits()
 * ip_forward_finish(), ip6_forward_finish()
 *   offload_l3_fwd_mark	check_skb()
 *   skb_clear_tstamp()		send_ip()
 * ip_output(), ip6_output() and what they end in
 *   disable_ipv6		routes by such a device are gone: fib.c
 *   NF_INET_POST_ROUTING	cached, net_bits()
 *   cgroups' BPF		asked of packets with a socket only
 *   lwtunnel, xfrm		such routes aren't pushed; cached
 *   GSO, fragments		cni_decide_look_gso(), check_rest()
 *   neighbour			cni_decide_neigh(), finish_frame()
 * __dev_queue_xmit() to the devices that are bypassed
 *   qdisc, tc, nft, taps	cached, cni_gate_tx()
 *   validate_xmit_skb()	cni_decide_look_gso(), vlan_cuts()
 * ip_tunnel_xmit(), ip6_tnl_xmit()
 *   outer route, err_count	cached, cni_outer_look(); cni_ip6gre_check()
 *
 * Not done: the counters of /proc/net/snmp, and those of routes' realms.
 */

#include "path/forward.h"

#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/rculist.h>
#include <linux/skbuff.h>
#include <net/dsfield.h>
#include <net/dst_metadata.h>
#include <net/gre.h>
#include <net/inet_ecn.h>
#include <net/ip_fib.h>
#include <net/ip_tunnels.h>
#include <net/route.h>
#include <net/sock.h>

#include "base/epoch.h"
#include "base/mss.h"
#include "base/packet.h"
#include "base/witness.h"
#include "base/xmit.h"
#include "path/blocked.h"
#include "path/decide.h"
#include "path/gate.h"
#include "path/health.h"
#include "path/hook.h"
#include "path/input.h"
#include "path/ip6gre.h"
#include "path/source.h"
#include "state/adj.h"
#include "state/fib.h"
#include "state/group.h"
#include "state/object.h"
#include "state/route.h"
#include "state/rule.h"

/*
 * The decision: where a packet goes, or why it is punted. Its content stays as
 * it is. The skb path and XDP share it, the latter with a frame that has no
 * skb. It may move an skb's head, and what points into it is to be found anew;
 * after the first lines of find4() and find6() nothing moves it.
 */

static inline bool is_links(const struct cni_link *link, struct cni_packet pkt)
{
	if (!link->tagged)
		return !cni_packet_tagged(pkt);
	return cni_packet_tagged(pkt) &&
	       cni_packet_vlan_proto(pkt) == link->vlan_proto &&
	       (cni_packet_vlan_tci(pkt) & VLAN_VID_MASK) == link->vlan_id;
}

static inline struct cni_link *find_link(struct cni_rxdev *rx,
					 struct cni_packet pkt)
{
	u16 vlan_tci = cni_packet_tagged(pkt) ? cni_packet_vlan_tci(pkt) : 0;
	struct cni_link *link;

	list_for_each_entry_rcu(link, cni_hook_links(rx, vlan_tci), rx_node)
		if (is_links(link, pkt))
			return link;
	return NULL;
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
 * and a punted route may be one that forbids the source.
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
find_encap(struct cni_forward *fwd, struct cni_packet pkt, u32 dst, u32 src,
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
	u64 cached;

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
	cached = cni_decide_checks(fwd, fwd->stats)->ingress[family];
	if (unlikely((cached ^ fwd->now) & e->gates)) {
		reason = cni_decide_look_in(fwd, family);
		if (reason)
			return reason;
	}
	return cni_decide_out(fwd);
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
	u64 cached;
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
	reason = find_encap(fwd, pkt, dst, src, &source);
	if (unlikely(reason))
		return reason;

	if (!fwd->off)
		cni_packet_set_transport(pkt, sizeof(*iph));
	reason = check_rest(fwd, pkt, CNI_V4);
	if (unlikely(reason))
		return reason;
	cached = cni_decide_checks(fwd, fwd->stats)->ingress[CNI_V4];
	if (unlikely(cached & CNI_EPOCH_RP_FILTER) &&
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
	reason = find_encap(fwd, pkt, dst, src, &source);
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

static inline enum cnilink_reason decide_ip(struct cni_forward *fwd,
					    struct cni_packet pkt)
{
	if (fwd->proto == htons(ETH_P_IP))
		return find4(fwd, pkt);
	if (fwd->proto == htons(ETH_P_IPV6))
		return find6(fwd, pkt);
	return CNILINK_REASON_NOT_IP;
}

static inline enum cnilink_reason decide_port(struct cni_forward *fwd,
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
	return decide_ip(fwd, pkt);
}

/* May a frame that a link received be taken, whatever is in it? */
static inline enum cnilink_reason check_link(struct cni_forward *fwd,
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

/* From here on the packet is what is inside a tunnel. */
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

/* Is it GRE over IPv4? */
static inline bool is_gre(struct cni_packet pkt)
{
	const struct iphdr *iph;

	if (cni_packet_proto(pkt) != htons(ETH_P_IP) ||
	    !cni_packet_may_pull(pkt, sizeof(*iph)))
		return false;
	iph = cni_packet_data(pkt);
	return iph->protocol == IPPROTO_GRE;
}

/* Find the tunnel of a packet that is GRE, or why none takes it. */
static inline enum cnilink_reason find_tunnel(struct cni_link *link,
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

/*
 * Decide on a packet inside a tunnel. @outer: TOS or traffic class of the outer
 * header; the GRE header is @gre_off behind that.
 */
static inline enum cnilink_reason decide_inner(struct cni_forward *fwd,
					       struct cni_packet pkt, u8 outer,
					       unsigned int gre_off)
{
	enum cnilink_reason reason;

	if (unlikely(cni_packet_is_gso(pkt) && !cni_packet_encapsulated(pkt)))
		return CNILINK_REASON_OFFLOAD;
	/* The length of a GSO packet's segments is counted from here. */
	cni_packet_set_transport(pkt, gre_off);
	reason = decide_ip(fwd, pkt);
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

/* The same for a packet that cni_ip6gre_maybe(). */
static inline enum cnilink_reason decide_tunnel6(struct cni_link *link,
						 struct cni_packet pkt,
						 struct cni_forward *fwd)
{
	enum cnilink_reason reason, gre;
	struct cni_ip6gre_rx rx = {};

	gre = cni_ip6gre_find(link, pkt, &rx);
	if (gre) {
		reason = decide_ip(fwd, pkt);
		return reason == CNILINK_REASON_LOCAL ? gre : reason;
	}
	fwd->outer_len = rx.len;
	enter(fwd, rx.decap, rx.off, rx.proto);
	return decide_inner(fwd, pkt, rx.dsfield, rx.gre_off);
}

/* Can none of a tunnel's packets of a family be taken, as noted? */
static inline bool is_blocked(const struct cni_forward *fwd,
			      enum cnilink_reason *reason)
{
	const struct cni_checks *checks = cni_decide_checks(fwd, fwd->stats);
	int family = fwd->proto == htons(ETH_P_IPV6) ? CNI_V6 : CNI_V4;

	if (likely(checks->blocked[family] != fwd->now))
		return false;
	*reason = checks->blocked_by[family];
	return true;
}

/* What becomes of a packet that a link received */
enum verdict {
	/* as decided: forward it, or punt it for a reason */
	VERDICT_DECIDED,
	/* an outer IPv6 header may be there: decide_tunnel6() */
	VERDICT_TUNNEL6,
	/* a health check to be answered; that is decided */
	VERDICT_PROBE,
};

/*
 * @reason: why it is punted, or 0; @probe: set with VERDICT_PROBE. A health
 * check that can't be answered here is as it was, and if it is for the stock
 * gre device, cni_stage_ingress() answers it there.
 */
static inline enum verdict decide_link(struct cni_forward *fwd,
				       struct cni_link *link,
				       struct cni_packet pkt,
				       struct cni_health_probe *probe,
				       enum cnilink_reason *reason)
{
	enum cnilink_reason gre = 0;
	u8 tos;

	*reason = check_link(fwd, link, pkt);
	if (unlikely(*reason))
		return VERDICT_DECIDED;

	if (is_gre(pkt)) {
		gre = find_tunnel(link, pkt, fwd);
		if (likely(!gre)) {
			if (unlikely(fwd->decap->health) &&
			    cni_health_find(fwd, pkt, probe))
				return VERDICT_PROBE;
			if (is_blocked(fwd, reason))
				return VERDICT_DECIDED;
			tos = ((const struct iphdr *)cni_packet_data(pkt))->tos;
			*reason = decide_inner(fwd, pkt, tos,
					       sizeof(struct iphdr));
			return VERDICT_DECIDED;
		}
	} else if (cni_packet_proto(pkt) == htons(ETH_P_IPV6) &&
		   cni_ip6gre_maybe(pkt)) {
		return VERDICT_TUNNEL6;
	}
	*reason = decide_ip(fwd, pkt);
	/* For this host, and GRE: say why no tunnel took it. */
	if (gre && *reason == CNILINK_REASON_LOCAL)
		*reason = gre;
	return VERDICT_DECIDED;
}

/**
 * cni_forward_find - find the link that a frame came in by
 * @rx: hook of the device that received it
 * @frame: frame
 *
 * In softirq, under rcu_read_lock(), as are all of these.
 *
 * Return: the link, or NULL if it's none's.
 */
struct cni_link *cni_forward_find(struct cni_rxdev *rx,
				  const struct cni_packet_frame *frame)
{
	return find_link(rx, cni_packet_frame(frame));
}

/**
 * cni_forward_decide_port - decide on a frame that a port received
 * @fwd: the packet; the decision is filled in
 * @port: port
 * @frame: frame
 *
 * Return: the reason to leave it to the skb path, or 0.
 */
enum cnilink_reason __flatten
cni_forward_decide_port(struct cni_forward *fwd, const struct cni_port *port,
			const struct cni_packet_frame *frame)
{
	return decide_port(fwd, port, cni_packet_frame(frame));
}

/**
 * cni_forward_decide_link - decide on a frame that a link received
 * @fwd: the packet; the decision is filled in
 * @link: link
 * @frame: frame
 * @probe: filled in if it is a health check to be answered; cleared
 *
 * Return: the reason to leave it to the skb path, or 0.
 */
enum cnilink_reason __flatten
cni_forward_decide_link(struct cni_forward *fwd, struct cni_link *link,
			const struct cni_packet_frame *frame,
			struct cni_health_probe *probe)
{
	struct cni_packet pkt = cni_packet_frame(frame);
	enum cnilink_reason reason;

	if (decide_link(fwd, link, pkt, probe, &reason) == VERDICT_TUNNEL6)
		return decide_tunnel6(link, pkt, fwd);
	return reason;
}

/*
 * A packet that the stock VLAN device can't hand on whole is cut there, and the
 * pieces are counted: for such, the device isn't bypassed. It puts the tag
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
			unsigned int inner_len, u8 xmit)
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

	err = cni_xmit(skb, xmit);
	if (unlikely(net_xmit_eval(err))) {
		count_refused(e, vlan_len);
		return err;
	}

	if (vlan_len)
		cni_stats_vlan_tx(cni_stats_vlan(e->vlan), vlan_len);
	if (e->gre) {
		dev_sw_netstats_tx_add(e->gre, 1, inner_len);
		cni_stats_tx(this_cpu_ptr(e->link_stats), inner_len);
	}
	cni_stats_tx(this_cpu_ptr(e->stats), inner_len);
	return 0;
}

/* The same as send_frame(), by a tunnel over IPv6. */
static noinline int send_frame6(const struct cni_encap *e, struct neighbour *n,
				struct sk_buff *skb, __be16 proto, u8 dsfield,
				u8 ttl, u8 xmit)
{
	unsigned int inner_len = skb->len;

	cni_ip6gre_push(e, skb, proto, dsfield, ttl);
	return finish_frame(e, n, skb, htons(ETH_P_IPV6), inner_len, xmit);
}

/*
 * Put the headers on and hand the frame to the lower device. The skb is at its
 * IP header, set as network header; its headers are writable and it has
 * e->headroom bytes of headroom. @ttl is the one after the decrement, @xmit for
 * cni_xmit().
 */
static int send_frame(const struct cni_encap *e, struct neighbour *n,
		      struct sk_buff *skb, __be16 proto, u8 dsfield, u8 ttl,
		      u8 xmit)
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
		return send_frame6(e, n, skb, proto, dsfield, ttl, xmit);
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
		cni_encap_outer(e, iph, skb->len - e->l2_len, proto, dsfield,
				ttl, inner_df, skb);
		if (unlikely(e->flags & CNI_ENCAP_CSUM))
			cni_encap_csum(skb);
		proto = htons(ETH_P_IP);
	}
	return finish_frame(e, n, skb, proto, inner_len, xmit);
}

/* Send by a tunnel what isn't forwarded; it's at its IP header. */
static int send_own(const struct cni_encap *e, struct sk_buff *skb, u8 xmit)
{
	u8 dsfield, ttl;

	if (skb->protocol == htons(ETH_P_IP)) {
		dsfield = ip_hdr(skb)->tos;
		ttl = ip_hdr(skb)->ttl;
	} else {
		dsfield = ipv6_get_dsfield(ipv6_hdr(skb));
		ttl = ipv6_hdr(skb)->hop_limit;
	}
	return send_frame(e, e->neigh, skb, skb->protocol, dsfield, ttl, xmit);
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

/* Send a packet that decide_ip() took; it's at its IP header. */
static int send_ip(const struct cni_forward *fwd, struct sk_buff *skb)
{
	u8 dsfield = fwd->dsfield;
	u8 ttl;

	if (unlikely(fwd->set_ce))
		dsfield |= INET_ECN_CE;
	else if (unlikely(fwd->set_ect1))
		dsfield ^= INET_ECN_MASK;

	if (unlikely(pskb_trim(skb, fwd->len) ||
		     skb_cow_head(skb, fwd->encap->headroom))) {
		kfree_skb_reason(skb, SKB_DROP_REASON_NOMEM);
		return CNILINK_REASON_NO_MEMORY;
	}
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
				dsfield, ttl, fwd->xmit)))
		return CNILINK_REASON_TRANSMIT;
	return 0;
}

/*
 * As skb_forward_csum(), skb_pull_rcsum() and pskb_trim_rcsum() do: no sum of
 * the whole packet is passed on. One that a device is still to make is gone
 * with an outer header that it's for; the field must be in what is sent. Sums
 * of other kinds the stock gre device makes before there's an outer header.
 */
static noinline enum cnilink_reason settle_csum(const struct cni_forward *fwd,
						struct sk_buff *skb)
{
	unsigned int end = min(fwd->off + fwd->len, skb_headlen(skb));
	int start = skb_checksum_start_offset(skb);

	/* As check_skb() asks, but before anything is changed. */
	if (unlikely(skb_sk_is_prefetched(skb)))
		return CNILINK_REASON_TC;
	if (skb->ip_summed == CHECKSUM_COMPLETE ||
	    (fwd->decap && start < (int)fwd->off)) {
		skb->ip_summed = CHECKSUM_NONE;
		return 0;
	}
	if (fwd->off + fwd->len < skb->len &&
	    start + skb->csum_offset + (int)sizeof(__sum16) > (int)end)
		return CNILINK_REASON_MALFORMED;
	return fwd->encap->gre && skb_csum_is_sctp(skb) ?
	       CNILINK_REASON_OFFLOAD : 0;
}

/*
 * What ip_forward() asks of an skb only. The last question: @skb isn't as it
 * was if the answer is 0.
 */
static inline enum cnilink_reason check_skb(const struct cni_forward *fwd,
					    struct sk_buff *skb)
{
	enum cnilink_reason reason;

#ifdef CONFIG_NET_SWITCHDEV
	/* A switch has forwarded it; what it was in doesn't count. */
	if (unlikely(skb->offload_l3_fwd_mark && !fwd->decap))
		return CNILINK_REASON_OFFLOAD;
#endif
	BUILD_BUG_ON(CHECKSUM_PARTIAL != (CHECKSUM_COMPLETE | 1));
	if (unlikely(skb->ip_summed & CHECKSUM_COMPLETE)) {
		reason = settle_csum(fwd, skb);
		if (reason)
			return reason;
	}
	if (skb->destructor) {
		/* Given to a socket by a tc program: not to be forwarded */
		if (unlikely(skb_sk_is_prefetched(skb)))
			return CNILINK_REASON_TC;
		/* A sender on this machine is done with it, as in ip_rcv(). */
		skb_orphan(skb);
	}
	return 0;
}

/*
 * A frame that is neither a link's nor, by its tag, the port's. A tag that says
 * nothing but a priority is as good as none: it may be theirs without.
 */
static noinline unsigned int stray_rcv(struct cni_rxdev *rx,
				       const struct cni_port *port,
				       struct sk_buff *skb)
{
	if (skb_vlan_tag_present(skb) && !skb_vlan_tag_get_id(skb) &&
	    !skb_shared(skb) &&
	    cni_decide_ignores_tag(rx, skb->vlan_proto, skb->protocol)) {
		__vlan_hwaccel_clear_tag(skb);
		return cni_forward_ingress(rx, skb, NULL);
	}
	if (port)
		cni_stats_reason(port->stats, CNILINK_REASON_VLAN);
	if (READ_ONCE(rx->n_links))
		cni_witness_see(rx->witness, skb);
	return NF_ACCEPT;
}

/* A frame came in by a port. */
static unsigned int port_rcv(struct cni_port *port, struct sk_buff *skb,
			     u64 now)
{
	u32 flags = READ_ONCE(port->flags);
	struct cni_forward fwd = {
		.cn = port->cn,
		.dev = port->dev,
		.proto = skb->protocol,
		.bypass_nf = flags & CNILINK_PORT_FLAG_BYPASS_NETFILTER,
		.stats = port->stats,
		.now = now,
	};
	enum cnilink_reason reason;

	if (unlikely(flags & CNILINK_PORT_FLAG_STRICT_SOURCE) &&
	    cni_source_check(port, cni_packet_skb(skb))) {
		cni_stats_reason(port->stats, CNILINK_REASON_STRICT_SOURCE);
		return NF_DROP;
	}
	reason = decide_port(&fwd, port, cni_packet_skb(skb));
	if (likely(!reason))
		reason = check_skb(&fwd, skb);
	if (unlikely(reason)) {
		if (reason == CNILINK_REASON_VLAN)
			return stray_rcv(port->rx, port, skb);
		cni_blocked_note(port->rx, &fwd, cni_packet_skb(skb), reason,
				 port->stats);
		cni_stats_reason(port->stats, reason);
		return NF_ACCEPT;
	}

	reason = send_ip(&fwd, skb);
	if (unlikely(reason))
		cni_stats_reason(port->stats, reason);
	else
		cni_stats_rx(this_cpu_ptr(port->stats), fwd.len);
	return NF_STOLEN;
}

/* As vlan_do_receive() does. */
static void leave_vlan(const struct cni_link *link, struct sk_buff *skb)
{
	const struct vlan_dev_priv *vlan = vlan_dev_priv(link->dev);

	skb->priority = vlan->ingress_priority_map[skb_vlan_tag_get_prio(skb)];
	__vlan_hwaccel_clear_tag(skb);
	cni_stats_vlan_rx(cni_stats_vlan(link->dev), skb->len);
}

/* As ip_tunnel_rcv() does; of checksums, check_skb() has. */
static int leave_tunnel(const struct cni_forward *fwd, struct sk_buff *skb)
{
	int err = iptunnel_pull_offloads(skb);

	if (unlikely(err))
		return err;
	__skb_pull(skb, fwd->off);
	skb->protocol = fwd->proto;
	skb_clear_hash_if_not_l4(skb);
	dev_sw_netstats_rx_add(fwd->dev, fwd->outer_len - fwd->off);
	return 0;
}

/* Make the answer to a request, and send it. */
static noinline __flatten void answer(const struct cni_link *link,
				      const struct cni_forward *fwd,
				      const struct cni_health_probe *probe,
				      struct sk_buff *skb)
{
	struct cni_stats __percpu *stats = fwd->decap->stats;

	if (link->tagged)
		leave_vlan(link, skb);
	if (unlikely(leave_tunnel(fwd, skb)))
		goto no_memory;
	skb_reset_network_header(skb);
	if (unlikely(!cni_health_turn(probe, skb, fwd->len) ||
		     skb_cow_head(skb, fwd->encap->headroom)))
		goto no_memory;
	cni_stats_rx(this_cpu_ptr(link->stats), fwd->len);
	cni_stats_rx(this_cpu_ptr(stats), fwd->len);
	send_own(fwd->encap, skb, fwd->xmit);
	return;

no_memory:
	kfree_skb_reason(skb, SKB_DROP_REASON_NOMEM);
	cni_stats_reason(link->stats, CNILINK_REASON_NO_MEMORY);
	cni_stats_reason(stats, CNILINK_REASON_NO_MEMORY);
}

/* Do what was found, unless that is a reason not to. */
static unsigned int link_take(struct cni_link *link, struct sk_buff *skb,
			      const struct cni_forward *fwd,
			      enum cnilink_reason reason)
{
	const struct cni_decap *decap = fwd->decap;

	if (likely(!reason))
		reason = check_skb(fwd, skb);
	if (unlikely(reason)) {
		cni_stats_reason(link->stats, reason);
		if (decap) {
			cni_stats_reason(decap->stats, reason);
			if (cni_input_ready(fwd, skb)) {
				if (link->tagged)
					leave_vlan(link, skb);
				cni_input_deliver(fwd, skb);
				return NF_STOLEN;
			}
		}
		cni_blocked_note(link->rx, fwd, cni_packet_skb(skb), reason,
				 link->stats);
		return NF_ACCEPT;
	}

	if (link->tagged)
		leave_vlan(link, skb);
	if (decap && unlikely(leave_tunnel(fwd, skb))) {
		kfree_skb_reason(skb, SKB_DROP_REASON_NOMEM);
		reason = CNILINK_REASON_NO_MEMORY;
		goto drop;
	}
	reason = send_ip(fwd, skb);
	if (unlikely(reason))
		goto drop;
	cni_stats_rx(this_cpu_ptr(link->stats), fwd->len);
	if (decap)
		cni_stats_rx(this_cpu_ptr(decap->stats), fwd->len);
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
	struct cni_forward fwd = {
		.cn = link->cn,
		.dev = link->dev,
		.proto = skb->protocol,
		.stepped = link->tagged,
		.stats = link->stats,
		.now = cni_epoch_now(),
	};
	enum cnilink_reason reason;

	reason = decide_tunnel6(link, cni_packet_skb(skb), &fwd);
	return link_take(link, skb, &fwd, reason);
}

/* A frame came in by a link; its tag is in the skb. */
static unsigned int link_rcv(struct cni_link *link, struct sk_buff *skb,
			     u64 now)
{
	struct cni_forward fwd = {
		.cn = link->cn,
		.dev = link->dev,
		.proto = skb->protocol,
		.stats = link->stats,
		.now = now,
	};
	struct cni_health_probe probe;
	enum cnilink_reason reason;

	switch (decide_link(&fwd, link, cni_packet_skb(skb), &probe, &reason)) {
	case VERDICT_TUNNEL6:
		return link_rcv6(link, skb);
	case VERDICT_PROBE:
		if (!cni_health_is_request(&probe))
			break;
		answer(link, &fwd, &probe, skb);
		return NF_STOLEN;
	case VERDICT_DECIDED:
		break;
	}
	return link_take(link, skb, &fwd, reason);
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
		reason = cni_decide_gso(skb, mtu, true);
		/* The stock gre device would segment it first. */
		if (!reason && netif_needs_gso(skb, netif_skb_features(skb)))
			reason = CNILINK_REASON_OFFLOAD;
		if (reason)
			return reason;
	} else if (unlikely(skb->len > mtu)) {
		return CNILINK_REASON_MTU;
	}
	if (unlikely(skb->encapsulation || skb_csum_is_sctp(skb)))
		return CNILINK_REASON_OFFLOAD;
	return e->flags & CNI_ENCAP_GRE6 ?
	       cni_ip6gre_check(e, cni_packet_skb(skb), 0, skb->protocol,
				true) : 0;
}

/**
 * cni_forward_output - send a packet that the stack gave to a stock gre device
 * @cn: namespace
 * @e: template of the tunnel
 * @skb: packet, at its IP header
 * @xmit: how it can be handed to the lower device, CNI_XMIT_*
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
						 struct sk_buff *skb, u8 xmit)
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
	if (unlikely(!cni_decide_neigh(cn, e->neigh)))
		return CNILINK_REASON_NEIGHBOUR;

	/* The next one comes with the room, as after ip_tunnel_xmit(). */
	if (unlikely(skb_headroom(skb) < headroom) &&
	    READ_ONCE(e->gre->needed_headroom) < headroom)
		WRITE_ONCE(e->gre->needed_headroom, headroom);
	if (unlikely(skb_cow_head(skb, headroom))) {
		kfree_skb_reason(skb, SKB_DROP_REASON_NOMEM);
		return CNILINK_REASON_NO_MEMORY;
	}
	sock_confirm_neigh(skb, e->neigh);
	skb_scrub_packet(skb, false);
	if (unlikely(send_own(e, skb, xmit)))
		return CNILINK_REASON_TRANSMIT;
	return 0;
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
 * Return: NF_ACCEPT when it's punted, or NF_STOLEN.
 */
unsigned int __flatten cni_forward_ingress(void *priv, struct sk_buff *skb,
					   const struct nf_hook_state *state)
{
	u64 now = cni_epoch_now();
	struct cni_rxdev *rx = priv;
	struct cni_link *link;
	struct cni_port *port;

	if (unlikely(cni_blocked_skb(rx, skb, now)))
		return NF_ACCEPT;
	link = find_link(rx, cni_packet_skb(skb));
	if (link)
		return link_rcv(link, skb, now);
	port = rcu_dereference(rx->port);
	if (port)
		return port_rcv(port, skb, now);
	return stray_rcv(rx, NULL, skb);
}
