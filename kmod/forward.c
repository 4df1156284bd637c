// SPDX-License-Identifier: GPL-2.0
/*
 * Routed forwarding of one IP packet: what ip_rcv(), ip_forward() and their
 * IPv6 twins would do with it, or the reason why they shall do it themselves.
 */

#include "forward.h"

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <net/dsfield.h>
#include <net/gso.h>
#include <net/inet_ecn.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/route.h>

#include "adj.h"
#include "encap.h"
#include "fib.h"
#include "gate.h"
#include "main.h"
#include "resolve.h"
#include "route.h"

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

/* The kernel's own reverse path filter says more than the table can prove. */
static bool rp_filter_ok(const struct cni_forward *fwd,
			 struct in_device *in_dev,
			 const struct cni_adj *source)
{
	int rp_filter = IN_DEV_RPFILTER(in_dev);

	if (likely(!rp_filter))
		return true;
	if (!source)
		return false;
	return rp_filter == 2 || source->dev == fwd->dev;
}

/*
 * Resolve a table's value. A source that is this host's own, or in a range
 * that is left to the kernel, is for the kernel to judge.
 */
static enum cnilink_reason find_way(struct cni_forward *fwd, u32 dst, u32 src,
				    const struct cni_adj **source)
{
	struct cni_adj *adj;

	if (unlikely(dst < CNI_ROUTE_ADJ)) {
		if (!dst)
			return CNILINK_REASON_NO_ROUTE;
		return dst == CNI_ROUTE_LOCAL ? CNILINK_REASON_LOCAL :
						CNILINK_REASON_PUNT_ROUTE;
	}
	if (unlikely(src && src < CNI_ROUTE_ADJ))
		return CNILINK_REASON_SOURCE;
	*source = src ? cni_adj_find(fwd->cn, src) : NULL;

	adj = cni_adj_find(fwd->cn, dst);
	if (unlikely(!adj))
		return CNILINK_REASON_PUNT_ROUTE;
	fwd->encap = rcu_dereference(adj->encap);
	if (unlikely(!fwd->encap || READ_ONCE(fwd->encap->stale)))
		return CNILINK_REASON_NOT_OFFLOADED;
	if (unlikely(fwd->encap->dev == fwd->dev))
		return CNILINK_REASON_SAME_PORT;
	return 0;
}

/*
 * @outer is what lies in front of the packet: skb_gso_validate_network_len()
 * counts from the network header, and that is the outer one then.
 */
static bool fits(const struct cni_forward *fwd, const struct sk_buff *skb,
		 int family)
{
	u32 mtu = fwd->encap->mtu[family];

	if (skb_is_gso(skb))
		return skb_gso_validate_network_len(skb, mtu + fwd->off);
	return fwd->len <= mtu;
}

static enum cnilink_reason check_rest(struct cni_forward *fwd,
				      const struct sk_buff *skb, int family)
{
	const struct cni_encap *e = fwd->encap;
	bool gre = fwd->gre || e->gre;
	enum cnilink_reason reason;

	if (unlikely(!fits(fwd, skb, family)))
		return CNILINK_REASON_MTU;
	/* The stock gre device would segment it or sum it up first. */
	if (unlikely(e->gre && skb->encapsulation && !fwd->gre))
		return CNILINK_REASON_OFFLOAD;
	if (unlikely(!cni_gate_forwards(fwd->cn->net, fwd->dev, family)))
		return CNILINK_REASON_FORWARDING_OFF;
	reason = cni_gate_net(fwd->cn, family, gre, fwd->bypass_nf ||
			      e->flags & CNI_ENCAP_BYPASS_NF);
	if (unlikely(reason))
		return reason;
	if (e->vlan) {
		reason = cni_gate_dev_tx(e->vlan);
		if (unlikely(reason))
			return reason;
	}
	if (e->gre)
		return cni_gate_dev_tx(e->gre);
	return 0;
}

/*
 * The kernel's own state machine decides what a MAC address is worth: using a
 * stale one starts the kernel's probe, as the stock output path would.
 */
static bool neigh_usable(struct cni_forward *fwd, struct neighbour *n)
{
	if (unlikely(!n))
		return false;
	if (unlikely(READ_ONCE(n->dead))) {
		cni_resolve_kick(fwd->cn);
		return false;
	}
	if (unlikely(!(READ_ONCE(n->nud_state) & NUD_CONNECTED)) &&
	    neigh_event_send(n, NULL))
		return false;
	fwd->neigh = n;
	return true;
}

static enum cnilink_reason find4(struct cni_forward *fwd, struct sk_buff *skb)
{
	const struct cni_adj *source = NULL;
	const struct cni_table *table;
	enum cnilink_reason reason;
	const struct iphdr *iph;
	struct in_device *in_dev;
	__be32 saddr, daddr;
	struct neighbour *n;

	if (unlikely(!pskb_may_pull(skb, fwd->off + sizeof(*iph))))
		return CNILINK_REASON_MALFORMED;
	iph = (void *)(skb->data + fwd->off);
	if (unlikely(*(u8 *)iph != 0x45))
		return iph->version == 4 && iph->ihl > 5 ?
		       CNILINK_REASON_OPTIONS : CNILINK_REASON_MALFORMED;
	fwd->len = ntohs(iph->tot_len);
	if (unlikely(fwd->len < sizeof(*iph) ||
		     fwd->len > skb->len - fwd->off ||
		     ip_fast_csum(iph, 5)))
		return CNILINK_REASON_MALFORMED;
	saddr = iph->saddr;
	daddr = iph->daddr;
	if (unlikely(special4(daddr) || special4(saddr)))
		return CNILINK_REASON_SPECIAL_ADDRESS;
	if (unlikely(iph->ttl <= 1))
		return CNILINK_REASON_TTL;

	/* Before the look-up: a change seen as done is in the table then. */
	if (unlikely(cni_fib_pending(fwd->cn, CNI_V4)) &&
	    (cni_fib_pending4(fwd->cn, daddr) ||
	     cni_fib_pending4(fwd->cn, saddr)))
		return CNILINK_REASON_PENDING;
	table = rcu_dereference(fwd->cn->table);
	if (unlikely(!table))
		return CNILINK_REASON_NO_ROUTE;
	reason = find_way(fwd, cni_route_lookup4(table, daddr),
			  cni_route_lookup4(table, saddr), &source);
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
	if (unlikely(!neigh_usable(fwd, n)))
		return CNILINK_REASON_NEIGHBOUR;
	fwd->dsfield = iph->tos;
	return 0;
}

static enum cnilink_reason find6(struct cni_forward *fwd, struct sk_buff *skb)
{
	const struct cni_adj *source = NULL;
	const struct cni_table *table;
	enum cnilink_reason reason;
	const struct ipv6hdr *iph;
	struct neighbour *n;

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

	if (unlikely(cni_fib_pending(fwd->cn, CNI_V6)) &&
	    (cni_fib_pending6(fwd->cn, &iph->daddr) ||
	     cni_fib_pending6(fwd->cn, &iph->saddr)))
		return CNILINK_REASON_PENDING;
	table = rcu_dereference(fwd->cn->table);
	if (unlikely(!table))
		return CNILINK_REASON_NO_ROUTE;
	reason = find_way(fwd, cni_route_lookup6(table, &iph->daddr),
			  cni_route_lookup6(table, &iph->saddr), &source);
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
	if (unlikely(!neigh_usable(fwd, n)))
		return CNILINK_REASON_NEIGHBOUR;
	fwd->dsfield = ipv6_get_dsfield(iph);
	return 0;
}

/**
 * cni_forward_find - decide what becomes of a packet
 * @fwd: packet, filled in here
 * @skb: its buffer, whose content stays as it is
 *
 * In softirq, under rcu_read_lock().
 *
 * Return: 0 when cni_forward_send() may take it, else the reason to punt.
 */
enum cnilink_reason cni_forward_find(struct cni_forward *fwd,
				     struct sk_buff *skb)
{
	if (fwd->proto == htons(ETH_P_IP))
		return find4(fwd, skb);
	if (fwd->proto == htons(ETH_P_IPV6))
		return find6(fwd, skb);
	return CNILINK_REASON_NOT_IP;
}

/**
 * cni_forward_send - send a packet that cni_forward_find() took
 * @fwd: decision
 * @skb: at its IP header
 *
 * Consumes the packet.
 *
 * Return: 0, or the reason why it was dropped.
 */
int cni_forward_send(const struct cni_forward *fwd, struct sk_buff *skb)
{
	u8 dsfield = fwd->dsfield;
	u8 ttl;

	if (unlikely(fwd->set_ce))
		dsfield |= INET_ECN_CE;
	else if (unlikely(fwd->set_ect1))
		dsfield ^= INET_ECN_MASK;

	if (unlikely(pskb_trim(skb, fwd->len) ||
		     skb_cow_head(skb, CNI_ENCAP_MAX +
				  fwd->encap->lower->needed_headroom))) {
		kfree_skb(skb);
		return CNILINK_REASON_NO_MEMORY;
	}
	skb_reset_network_header(skb);

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

	if (unlikely(cni_encap_send(fwd->encap, fwd->neigh, skb, fwd->proto,
				    dsfield, ttl)))
		return CNILINK_REASON_TRANSMIT;
	return 0;
}
