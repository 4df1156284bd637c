/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_DECIDE_H
#define _CNI_DECIDE_H

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/percpu.h>
#include <linux/skbuff.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/neighbour.h>

#include "base/stats.h"
#include "state/decap.h"
#include "state/encap.h"
#include "state/net.h"

struct cni_rxdev;

/*
 * What the skb path, XDP's whole decision and its cached one have in common.
 * What is inline here is asked of each packet by all of them, or by two: a call
 * of cni_decide_header4() costs XDP's cached one 29 instructions of 372.
 */

/**
 * struct cni_forward - a packet on its way through, and what was decided
 * @cn: namespace
 * @dev: layer 3 device that it came in by: LAN port, link or gre device
 * @stats: of the port, link or tunnel that it came in by
 * @xdp: the hook that a frame came by that has no skb yet; or NULL
 * @decap: tunnel that it came out of, or NULL
 * @mss: largest TCP segment that ingress lets pass, per family; or NULL
 * @now: cni_epoch_now()
 * @outer_len: its length with the outer header, with @decap
 * @off: where its IP header is, from cni_packet_data()
 * @proto: ETH_P_IP or ETH_P_IPV6, network byte order
 * @bypass_nf: netfilter may be bypassed
 * @stepped: a stock device is bypassed on ingress
 * @blocked: what stands in the way does so for all of its family that come in
 *	by @dev
 * @set_ce: set its ECN field to CE
 * @set_ect1: turn its ECT(0) into ECT(1)
 * @dsfield: TOS or traffic class
 * @xmit: how it can be handed to the lower device, CNI_XMIT_*
 * @len: length of the IP packet
 * @encap: encap that it is sent by
 * @neigh: whose MAC address to send to, valid while in the RCU section
 *
 * The first group says how the packet came in, the second is the decision.
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
	bool			blocked;

	bool			set_ce;
	bool			set_ect1;
	u8			dsfield;
	u8			xmit;
	unsigned int		len;
	struct cni_encap	*encap;
	struct neighbour	*neigh;
};

enum cnilink_reason cni_decide_look_in(struct cni_forward *fwd, int family);
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

/* The cached checks of what a packet comes in by, or is sent by */
static inline struct cni_checks *
cni_decide_checks(const struct cni_forward *fwd, struct cni_stats __percpu *of)
{
	enum cni_path path = fwd->xdp ? CNI_PATH_XDP : CNI_PATH_SKB;

	return &this_cpu_ptr(of)->checks[path];
}

/**
 * cni_decide_out - is something in the way on egress?
 * @fwd: the packet, its encap filled in
 *
 * Return: the reason to punt it; or 0, @fwd->xmit is set then.
 */
static inline enum cnilink_reason cni_decide_out(struct cni_forward *fwd)
{
	struct cni_checks *checks = cni_decide_checks(fwd, fwd->encap->stats);

	if (unlikely(checks->egress != fwd->now))
		return cni_decide_look_out(fwd);
	fwd->xmit = fwd->encap->xmit;
	return 0;
}

/* 0/8, 127/8, multicast, class E and broadcast */
static inline bool cni_decide_special4(__be32 addr)
{
	u8 first = ntohl(addr) >> 24;

	return first == 0 || first == 127 || first >= 224;
}

/* ::/8 (unspecified, loopback, mapped), multicast and link-local */
static __always_inline bool cni_decide_special6(const struct in6_addr *addr)
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
	if (unlikely(cni_decide_special4(iph->daddr) ||
		     cni_decide_special4(iph->saddr)))
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
	if (unlikely(cni_decide_special6(&iph->daddr) ||
		     cni_decide_special6(&iph->saddr)))
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

#endif
