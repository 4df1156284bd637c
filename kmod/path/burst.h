/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_BURST_H
#define _CNI_BURST_H

#include <linux/if_ether.h>
#include <linux/if_vlan.h>
#include <linux/percpu.h>
#include <linux/string.h>
#include <linux/tcp.h>
#include <net/ip_tunnels.h>
#include <net/xdp.h>
#include <uapi/linux/cnilink_xdp.h>

#include "base/epoch.h"
#include "base/stats.h"
#include "compat/compat.h"
#include "path/decide.h"
#include "state/encap.h"

/*
 * What XDP's frames of one softirq run have in common, by CPU: once the whole
 * decision has taken one, those that differ from it by addresses and lengths
 * only need but a part of it. What is known, devices' and neighbours' addresses
 * among it, is good while cni_epoch_now() stays what it was; that changes, too,
 * before anything that is pointed to here is freed.
 */

/* Up to here headers are read: IPv4, GRE and its key */
#define CNI_BURST_OUTER		(sizeof(struct iphdr) +			\
				 sizeof(struct gre_base_hdr) + sizeof(__be32))
#define CNI_BURST_LANES		8
#define CNI_BURST_TUNNEL_BITS	6

/*
 * Where bits of a way in and of a way out meet, a packet isn't one of those
 * that need no more questions.
 */
enum {
	/* the way in, the way out lets no larger TCP segment pass */
	CNI_BURST_MSS_IN	= BIT(CNI_EPOCH_SHIFT),
	CNI_BURST_MSS_OUT	= BIT(CNI_EPOCH_SHIFT + 1),
	/* the way in has health checks */
	CNI_BURST_PROBES	= BIT(CNI_EPOCH_SHIFT + 2),
	/* packets of this family haven't been seen, or are asked more */
	CNI_BURST_UNKNOWN	= BIT(CNI_EPOCH_SHIFT + 3),
};

/**
 * struct cni_burst_in - where IP packets come in: a port, a link or a tunnel
 * @cn: namespace
 * @dev: layer 3 device
 * @stats: counters, this CPU's
 * @bits: of a mark of cni_epoch_now(), per family, and CNI_BURST_*
 */
struct cni_burst_in {
	struct cni_net		*cn;
	const struct net_device	*dev;
	struct cni_stats	*stats;
	u8			bits[CNI_FAMILIES];
};

/**
 * struct cni_burst_lane - where frames come in
 * @now: cni_epoch_now()
 * @dev: device that received them
 * @mac: its MAC address, the first 6 bytes in memory
 * @vlan_id: network byte order, if they are tagged
 * @link: the link, if it's one
 * @link_stats: its counters, this CPU's
 * @vlan: those of the stock VLAN device, this CPU's; NULL when untagged
 * @in: what is in them, unless a tunnel is
 */
struct cni_burst_lane {
	u64			now;
	const struct net_device	*dev;
	u64			mac;
	__be16			vlan_id;
	const struct cni_link	*link;
	struct cni_stats	*link_stats;
	struct vlan_pcpu_stats	*vlan;
	struct cni_burst_in	in;
} __aligned(128);

/**
 * struct cni_burst_tunnel - a tunnel over IPv4 that packets come out of
 * @now: cni_epoch_now()
 * @ends: outer source and destination, as in the header
 * @link: link that it comes in by
 * @flags: GRE's: it has a key, or it hasn't
 * @key: network byte order
 * @off: length of the outer headers
 * @gre: counters of the stock device, this CPU's
 * @in: what is in it
 */
struct cni_burst_tunnel {
	u64			now;
	u64			ends;
	const struct cni_link	*link;
	__be16			flags;
	__be32			key;
	u8			off;
	struct pcpu_sw_netstats	*gre;
	struct cni_burst_in	in;
} __aligned(128);

/**
 * struct cni_burst_out - how frames are sent by a way out
 * @res: what the program is told; of each packet are the lengths, and the outer
 *	header's length and checksum
 * @now: cni_epoch_now()
 * @encap: way out
 * @serial: of @encap; what isn't of each packet stays as long as it's that
 * @outer: outer IPv4 header in @res, or NULL
 * @outer_len: length from there to the packet
 * @csum: sum of @outer without length, checksum and ECN
 * @tos: of @outer without ECN
 * @onlink: whose MAC address is to be put into @res has to be looked up: it
 *	hangs on the packet's destination, or isn't held
 * @stacked: there are @vlan or @gre
 * @gates: what of a mark of cni_epoch_now() is of concern, and CNI_BURST_*
 * @stats: counters of @encap, this CPU's
 * @link_stats: of the link below, or NULL
 * @vlan: of the stock VLAN device, or NULL
 * @gre: of the stock gre device, or NULL
 */
struct cni_burst_out {
	struct cnilink_xdp_result res;
	u64			now;
	const struct cni_encap	*encap;
	u32			serial;
	struct iphdr		*outer;
	u16			outer_len;
	u16			csum;
	u8			tos;
	bool			onlink;
	bool			stacked;
	u8			gates;
	struct cni_stats	*stats;
	struct cni_stats	*link_stats;
	struct vlan_pcpu_stats	*vlan;
	struct pcpu_sw_netstats	*gre;
} __aligned(256);

/**
 * struct cni_burst - what is known on one CPU
 * @out: by @encap's slot
 * @tunnel: by a hash of @ends
 * @tagged: of frames with a tag, by VLAN ID
 * @untagged: of those without
 * @spare_lane: for what isn't worth knowing
 * @spare_tunnel: for what isn't worth knowing
 * @spare_out: for what isn't worth knowing, and what isn't sent
 */
struct cni_burst {
	struct cni_burst_out	out[CNI_ENCAP_SLOTS];
	struct cni_burst_tunnel	tunnel[1 << CNI_BURST_TUNNEL_BITS];
	struct cni_burst_lane	tagged[CNI_BURST_LANES];
	struct cni_burst_lane	untagged;
	struct cni_burst_lane	spare_lane;
	struct cni_burst_tunnel	spare_tunnel;
	struct cni_burst_out	spare_out;
};

static inline struct cni_burst_lane *
cni_burst_lane_at(struct cni_burst *b, __be16 vlan_tci)
{
	return &b->tagged[ntohs(vlan_tci) % CNI_BURST_LANES];
}

static inline u64 cni_burst_ends(const struct iphdr *iph)
{
	u64 ends;

	memcpy(&ends, &iph->saddr, sizeof(ends));
	return ends;
}

static inline struct cni_burst_tunnel *
cni_burst_tunnel_at(struct cni_burst *b, u64 ends)
{
	return &b->tunnel[hash_64(ends, CNI_BURST_TUNNEL_BITS)];
}

static inline struct cni_burst_out *
cni_burst_out_at(struct cni_burst *b, const struct cni_encap *e)
{
	return &b->out[e->slot];
}

/**
 * cni_burst_may_be_clamped - may a packet be a SYN with too large an MSS?
 * @ip: packet, as long as its headers say; fragments aren't looked into
 * @len: its length
 * @ipv6: it's IPv6
 *
 * Return: whether it may.
 */
static inline bool cni_burst_may_be_clamped(const void *ip, unsigned int len,
					    bool ipv6)
{
	unsigned int off = sizeof(struct iphdr);
	u8 next;

	if (!ipv6) {
		if (((const struct iphdr *)ip)->protocol != IPPROTO_TCP)
			return false;
	} else {
		off = sizeof(struct ipv6hdr);
		next = ((const struct ipv6hdr *)ip)->nexthdr;
		/* Extension headers may hide one. */
		if (next != IPPROTO_TCP)
			return next != IPPROTO_UDP && next != IPPROTO_ICMPV6;
	}
	return len < off + sizeof(struct tcphdr) ||
	       ((const struct tcphdr *)(ip + off))->syn;
}

/**
 * cni_burst_set_mac - put a neighbour's MAC address into the headers
 * @out: way out
 * @n: neighbour
 */
static inline void cni_burst_set_mac(struct cni_burst_out *out,
				     struct neighbour *n)
{
	unsigned int seq;

	do {
		seq = read_seqbegin(&n->ha_lock);
		memcpy(out->res.hdr, n->ha, ETH_ALEN);
	} while (read_seqretry(&n->ha_lock, seq));
}

/**
 * struct cni_burst_frame - a frame that is taken
 * @start: its first byte
 * @end: behind its last
 * @net: its first IP header
 * @ip: that of the packet that is forwarded
 * @len: length of that
 * @outer_len: length of the packet at @net
 * @ipv6: what is at @ip
 */
struct cni_burst_frame {
	const void		*start;
	const void		*end;
	const void		*net;
	const void		*ip;
	unsigned int		len;
	unsigned int		outer_len;
	bool			ipv6;
};

/*
 * Is there room for a frame that is @less shorter in front, or longer? As
 * bpf_xdp_adjust_head() has it; without meta data @data_meta is behind @data.
 */
static __always_inline bool cni_burst_fits(const struct xdp_buff *xdp,
					   long less)
{
	return xdp->data_meta + less >
	       xdp->data_hard_start + sizeof(struct xdp_frame);
}

/**
 * cni_burst_count_tunnel - count what came out of a tunnel
 * @f: frame
 * @lane: where it came in
 * @tunnel: tunnel
 */
static __always_inline void
cni_burst_count_tunnel(const struct cni_burst_frame *f,
		       const struct cni_burst_lane *lane,
		       const struct cni_burst_tunnel *tunnel)
{
	cni_stats_sw_rx(tunnel->gre, f->outer_len - tunnel->off);
	cni_stats_xdp_rx(lane->link_stats, f->len);
}

/**
 * cni_burst_send - a frame is sent: count it
 * @f: frame
 * @lane: where it came in
 * @in: where the packet in it did
 * @out: way out, its headers made
 *
 * As the skb path does on its way, and the devices that are stepped over. What
 * of the frame is left off, the program is told.
 */
static __always_inline void cni_burst_send(const struct cni_burst_frame *f,
					   const struct cni_burst_lane *lane,
					   const struct cni_burst_in *in,
					   struct cni_burst_out *out)
{
	out->res.trim = f->end - f->ip - f->len;

	if (lane->vlan)
		cni_stats_vlan_rx(lane->vlan, f->end - f->net);
	cni_stats_xdp_rx(in->stats, f->len);
	cni_stats_tx(out->stats, f->len);
	if (!out->stacked)
		return;
	if (out->vlan)
		cni_stats_vlan_tx(out->vlan,
				  out->res.push - VLAN_HLEN + f->len);
	if (out->gre) {
		cni_stats_sw_tx(out->gre, f->len);
		cni_stats_tx(out->link_stats, f->len);
	}
}

static __always_inline bool find_lane(struct cni_burst *b,
				      const struct xdp_buff *xdp,
				      struct cni_burst_frame *f, u64 now,
				      const struct cni_burst_lane **lane)
{
	const struct cni_eth_vlan *eth = f->start;
	__be16 vlan_id;

	/* No frame is shorter than with the longest of these, and a tag. */
	BUILD_BUG_ON(sizeof(*eth) + CNI_BURST_OUTER > ETH_ZLEN);
	if (unlikely(f->start + sizeof(*eth) + CNI_BURST_OUTER > f->end ||
		     xdp_buff_has_frags((struct xdp_buff *)xdp)))
		return false;
	if (eth->eth.h_proto == htons(ETH_P_8021Q)) {
		vlan_id = eth->vlan.h_vlan_TCI & htons(VLAN_VID_MASK);
		*lane = cni_burst_lane_at(b, vlan_id);
		OPTIMIZER_HIDE_VAR(*lane);
		if (unlikely((*lane)->vlan_id != vlan_id))
			return false;
		f->net = f->start + sizeof(*eth);
	} else {
		*lane = &b->untagged;
		OPTIMIZER_HIDE_VAR(*lane);
		f->net = f->start + ETH_HLEN;
	}
	return likely((*lane)->now == now && (*lane)->dev == xdp->rxq->dev &&
		      ether_addr_equal_64bits(eth->eth.h_dest,
					      (const u8 *)&(*lane)->mac));
}

/* Does RFC 6040 leave the inner header as it is? */
static inline bool keeps_ecn(u8 outer, const void *inner, __be16 proto)
{
	u8 dsfield = proto == htons(ETH_P_IP) ? ipv4_get_dsfield(inner) :
						ipv6_get_dsfield(inner);

	return !INET_ECN_is_ce(outer) &&
	       !((outer ^ dsfield) & INET_ECN_MASK);
}

static __always_inline bool find_tunnel(struct cni_burst *b,
					const struct cni_burst_lane *lane,
					struct cni_burst_frame *f, u64 now,
					const struct cni_burst_tunnel **tunnel)
{
	const struct iphdr *iph = f->net;
	const struct gre_base_hdr *greh = (const void *)(iph + 1);
	const struct cni_burst_tunnel *t;
	u64 ends;

	if (unlikely(cni_decide_outer4(iph, f->end - f->net, &f->outer_len)))
		return false;
	ends = cni_burst_ends(iph);
	t = cni_burst_tunnel_at(b, ends);
	OPTIMIZER_HIDE_VAR(t);
	if (unlikely(t->now != now || t->ends != ends ||
		     t->link != lane->link || t->flags != greh->flags))
		return false;
	if (greh->flags && *(const __be32 *)(greh + 1) != t->key)
		return false;
	f->ip = f->net + t->off;
	if (unlikely(f->ip + sizeof(*iph) > f->net + f->outer_len))
		return false;
	if (unlikely(iph->tos & INET_ECN_MASK) &&
	    !keeps_ecn(iph->tos, f->ip, greh->protocol))
		return false;
	*tunnel = t;
	return true;
}

/* The way out, if nothing but an adjacency is found, and it is known. */
static __always_inline bool find_out(struct cni_burst *b,
				     const struct cni_burst_in *in, u32 dst,
				     u32 src, unsigned int len, int family,
				     u64 now, struct cni_burst_out **out)
{
	const struct cni_encap *e;
	const struct cni_adj *adj;

	if (unlikely(dst < CNI_ROUTE_ADJ || (src && src < CNI_ROUTE_ADJ)))
		return false;
	adj = cni_adj_find(in->cn, dst);
	if (unlikely(!adj))
		return false;
	e = rcu_dereference(adj->encap);
	if (unlikely(!e))
		return false;
	*out = cni_burst_out_at(b, e);
	OPTIMIZER_HIDE_VAR(*out);
	return likely((*out)->encap == e && (*out)->now == now &&
		      e->dev != in->dev && len <= e->mtu[family]);
}

static inline bool set_onlink(struct cni_burst_out *out, struct cni_net *cn,
			      int family, const void *daddr)
{
	struct neighbour *n = cni_encap_neigh(out->encap, family, daddr);

	if (unlikely(!cni_decide_neigh(cn, n)))
		return false;
	cni_burst_set_mac(out, n);
	return true;
}

/* What cni_encap_outer() does; @ecn isn't CE, which goes out as ECT(0). */
static __always_inline void set_outer(struct cni_burst_out *out,
				      unsigned int len, __be16 proto, u8 ecn)
{
	struct iphdr *iph = out->outer;
	u32 sum;

	((struct gre_base_hdr *)(iph + 1))->protocol = proto;
	iph->tos = out->tos | ecn;
	iph->tot_len = htons(len + out->outer_len);
	sum = out->csum + (__force u16)iph->tot_len +
	      (__force u16)htons(ecn);
	sum += sum >> 16;
	iph->check = (__force __sum16)~sum;
}

/* May it have to be answered or changed, or is nothing known of its kind? */
static inline bool is_other(const void *ip, unsigned int len, bool ipv6,
			    u8 bits)
{
	const struct ipv6hdr *iph6 = ip;
	const struct iphdr *iph = ip;

	if (bits & ~(CNI_BURST_PROBES | CNI_BURST_MSS_IN | CNI_BURST_MSS_OUT))
		return true;
	if (bits & CNI_BURST_PROBES &&
	    (ipv6 ? iph6->nexthdr == IPPROTO_ICMPV6 :
		    iph->protocol == IPPROTO_ICMP))
		return true;
	return bits & (CNI_BURST_MSS_IN | CNI_BURST_MSS_OUT) &&
	       cni_burst_may_be_clamped(ip, len, ipv6);
}

/* The packet and its way out are known: what is left to ask, and to fill in */
static __always_inline bool fill(const struct xdp_buff *xdp,
				 const struct cni_burst_frame *f,
				 const struct cni_burst_in *in,
				 struct cni_burst_out *out, u8 dsfield)
{
	long less = f->ip - f->start - out->res.push;
	u8 bits = in->bits[f->ipv6] & out->gates;

	if (unlikely(bits) && is_other(f->ip, f->len, f->ipv6, bits))
		return false;
	if (less < 0 && unlikely(!cni_burst_fits(xdp, less)))
		return false;
	if (out->outer) {
		if (unlikely(INET_ECN_is_ce(dsfield)))
			return false;
		set_outer(out, f->len,
			  htons(f->ipv6 ? ETH_P_IPV6 : ETH_P_IP),
			  dsfield & INET_ECN_MASK);
	}
	out->res.less = less;
	out->res.age = f->ipv6 ? 6 : 4;
	return true;
}

static __always_inline bool
forward4(struct cni_burst *b, const struct xdp_buff *xdp,
	 const struct cni_burst_in *in, struct cni_burst_frame *f,
	 const void *end, u64 now, struct cni_burst_out **out)
{
	const struct iphdr *iph = f->ip;
	const struct cni_table *table;
	__be32 daddr, saddr;
	u32 dst, src;

	f->ipv6 = false;
	if (unlikely(cni_decide_header4(iph, end - f->ip, &f->len)))
		return false;
	daddr = iph->daddr;
	saddr = iph->saddr;
	table = rcu_dereference(in->cn->table);
	if (unlikely(!table))
		return false;
	dst = cni_lpm_lookup4_two(table->lpm[CNI_V4], daddr, saddr, &src);
	if (unlikely(!find_out(b, in, dst, src, f->len, CNI_V4, now, out)))
		return false;
	if (unlikely((*out)->onlink &&
		     !set_onlink(*out, in->cn, CNI_V4, &iph->daddr)))
		return false;
	return fill(xdp, f, in, *out, iph->tos);
}

static __always_inline bool
forward6(struct cni_burst *b, const struct xdp_buff *xdp,
	 const struct cni_burst_in *in, struct cni_burst_frame *f,
	 const void *end, u64 now, struct cni_burst_out **out)
{
	const struct ipv6hdr *iph = f->ip;
	const struct cni_table *table;
	u32 dst, src;

	f->ipv6 = true;
	if (unlikely(f->ip + sizeof(*iph) > end ||
		     cni_decide_header6(iph, end - f->ip, &f->len)))
		return false;
	table = rcu_dereference(in->cn->table);
	if (unlikely(!table))
		return false;
	dst = cni_route_lookup6(table, &iph->daddr);
	src = cni_route_lookup6(table, &iph->saddr);
	if (unlikely(!find_out(b, in, dst, src, f->len, CNI_V6, now, out)))
		return false;
	if (unlikely((*out)->onlink &&
		     !set_onlink(*out, in->cn, CNI_V6, &iph->daddr)))
		return false;
	return fill(xdp, f, in, *out, ipv6_get_dsfield(iph));
}

/* Twice in the code, so that neither asks what isn't for it. */
static __always_inline bool
forward(struct cni_burst *b, const struct xdp_buff *xdp,
	const struct cni_burst_in *in, struct cni_burst_frame *f,
	const void *end, __be16 proto, u64 now, struct cni_burst_out **out)
{
	if (likely(proto == htons(ETH_P_IP)))
		return forward4(b, xdp, in, f, end, now, out);
	if (proto == htons(ETH_P_IPV6))
		return forward6(b, xdp, in, f, end, now, out);
	return false;
}

/**
 * cni_burst_forward - what to do with a frame, if what is known tells
 * @b: what is known on this CPU
 * @xdp: frame
 * @res: set to what the program is told
 *
 * Return: whether it is; or else the whole decision is needed.
 */
static __always_inline bool
cni_burst_forward(struct cni_burst *b, const struct xdp_buff *xdp,
		  const struct cnilink_xdp_result **res)
{
	struct cni_burst_frame f = {
		.start = xdp->data, .end = xdp->data_end,
	};
	const struct cni_burst_tunnel *tunnel;
	const struct cni_burst_lane *lane;
	struct cni_burst_out *out;
	u64 now = cni_epoch_now();
	__be16 proto;

	if (unlikely(!find_lane(b, xdp, &f, now, &lane)))
		return false;
	proto = *((const __be16 *)f.net - 1);
	if (lane->link && proto == htons(ETH_P_IP) &&
	    ((const struct iphdr *)f.net)->protocol == IPPROTO_GRE) {
		if (unlikely(!find_tunnel(b, lane, &f, now, &tunnel)))
			return false;
		proto = ((const struct gre_base_hdr *)
			 (f.net + sizeof(struct iphdr)))->protocol;
		if (unlikely(!forward(b, xdp, &tunnel->in, &f,
				      f.net + f.outer_len, proto, now, &out)))
			return false;
		cni_burst_count_tunnel(&f, lane, tunnel);
		cni_burst_send(&f, lane, &tunnel->in, out);
	} else {
		if (lane->link && proto == htons(ETH_P_IPV6) &&
		    cni_ip6gre_next(((const struct ipv6hdr *)f.net)->nexthdr))
			return false;
		f.ip = f.net;
		if (unlikely(!forward(b, xdp, &lane->in, &f, f.end, proto, now,
				      &out)))
			return false;
		cni_burst_send(&f, lane, &lane->in, out);
	}
	*res = &out->res;
	return true;
}

#endif
