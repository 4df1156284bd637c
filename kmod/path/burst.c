// SPDX-License-Identifier: GPL-2.0
/*
 * What XDP programs call for each frame, and what they are told. Once the whole
 * decision has taken a frame, later frames of the same softirq run that differ
 * only in addresses and lengths reuse its result: what is cached here, per CPU,
 * device and neighbour addresses included, is good while cni_epoch_now() stays
 * what it was. The epoch also changes before anything that is pointed to here
 * is freed.
 */

#include "path/burst.h"

#include <linux/etherdevice.h>
#include <linux/if_ether.h>
#include <linux/if_vlan.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/string.h>
#include <linux/tcp.h>
#include <net/dsfield.h>
#include <net/gre.h>
#include <net/inet_ecn.h>
#include <net/ip_tunnels.h>
#include <net/route.h>
#include <net/xdp.h>
#include <uapi/linux/cnilink_xdp.h>

#include "base/epoch.h"
#include "base/stats.h"
#include "compat/compat.h"
#include "path/blocked.h"
#include "path/decide.h"
#include "path/frame.h"
#include "path/health.h"
#include "path/ip6gre.h"
#include "path/xdp.h"
#include "state/adj.h"
#include "state/encap.h"
#include "state/fib.h"
#include "state/object.h"
#include "state/route.h"

/* Up to here headers are read: IPv4, GRE and its key */
#define BURST_OUTER		(sizeof(struct iphdr) +			\
				 sizeof(struct gre_base_hdr) + sizeof(__be32))
#define BURST_LANES		8
#define BURST_TUNNEL_BITS	6

/*
 * Besides the flag bits of a cached check. A packet for which a bit is set on
 * both ingress and egress needs more than the cached result.
 */
enum {
	/* ingress, egress clamps the MSS */
	BURST_MSS_IN	= BIT(CNI_EPOCH_SHIFT),
	BURST_MSS_OUT	= BIT(CNI_EPOCH_SHIFT + 1),
	/* ingress has health checks */
	BURST_PROBES	= BIT(CNI_EPOCH_SHIFT + 2),
	/* no packet of this family was taken yet, or each is to be decided */
	BURST_UNKNOWN	= BIT(CNI_EPOCH_SHIFT + 3),
};

/**
 * struct burst_ingress - where IP packets come in: a port, a link or a tunnel
 * @cn: namespace
 * @dev: layer 3 device
 * @stats: counters, this CPU's
 * @bits: per family, flag bits of the cached check, and BURST_*
 */
struct burst_ingress {
	struct cni_net		*cn;
	const struct net_device	*dev;
	struct cni_stats	*stats;
	u8			bits[CNI_FAMILIES];
};

/**
 * struct burst_lane - where frames come in
 * @now: epoch that it is good for
 * @dev: device that received them
 * @mac: its MAC address, the first 6 bytes in memory
 * @vlan_id: network byte order, if they are tagged
 * @link: the link, if it's one
 * @link_stats: its counters, this CPU's
 * @vlan: those of the stock VLAN device, this CPU's; NULL when untagged
 * @in: what is in them, unless a tunnel is
 */
struct burst_lane {
	u64			now;
	const struct net_device	*dev;
	u64			mac;
	__be16			vlan_id;
	const struct cni_link	*link;
	struct cni_stats	*link_stats;
	struct vlan_pcpu_stats	*vlan;
	struct burst_ingress	in;
} __aligned(128);

/**
 * struct burst_tunnel - a tunnel over IPv4 that packets come out of
 * @now: epoch that it is good for
 * @ends: outer source and destination, as in the header
 * @link: link that it comes in by
 * @flags: GRE's: it has a key, or it hasn't
 * @key: network byte order
 * @off: length of the outer headers
 * @gre: counters of the stock device, this CPU's
 * @in: what is in it
 */
struct burst_tunnel {
	u64			now;
	u64			ends;
	const struct cni_link	*link;
	__be16			flags;
	__be32			key;
	u8			off;
	struct pcpu_sw_netstats	*gre;
	struct burst_ingress	in;
} __aligned(128);

/**
 * struct burst_egress - how frames are sent by an encap
 * @res: what the program is told; the lengths, and the outer header's length
 *	and checksum are set for each packet
 * @now: epoch that it is good for
 * @encap: encap
 * @serial: of @encap; while that is the same, so is all that isn't set for each
 *	packet
 * @outer: outer IPv4 header in @res, or NULL
 * @outer_len: length from there to the packet
 * @csum: sum of @outer without length, checksum and ECN
 * @tos: of @outer without ECN
 * @onlink: the neighbour is looked up for each packet
 * @stacked: there are @vlan or @gre
 * @gates: which flag bits of a cached check concern it, and BURST_*
 * @stats: counters of @encap, this CPU's
 * @link_stats: of the link below, or NULL
 * @vlan: of the stock VLAN device, or NULL
 * @gre: of the stock gre device, or NULL
 */
struct burst_egress {
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
 * struct burst - what is cached on one CPU
 * @out: by @encap's slot
 * @tunnel: by a hash of @ends
 * @tagged: of frames with a tag, by VLAN ID
 * @untagged: of those without
 * @spare_lane: for a frame that isn't cached
 * @spare_tunnel: for a frame that isn't cached
 * @spare_out: for a frame that isn't cached, or isn't sent
 */
struct burst {
	struct burst_egress	out[CNI_ENCAP_SLOTS];
	struct burst_tunnel	tunnel[1 << BURST_TUNNEL_BITS];
	struct burst_lane	tagged[BURST_LANES];
	struct burst_lane	untagged;
	struct burst_lane	spare_lane;
	struct burst_tunnel	spare_tunnel;
	struct burst_egress	spare_out;
};

static struct burst __percpu *bursts __read_mostly;

static inline struct burst_lane *lane_at(struct burst *b, __be16 vlan_tci)
{
	return &b->tagged[ntohs(vlan_tci) % BURST_LANES];
}

static inline u64 ends_of(const struct iphdr *iph)
{
	u64 ends;

	memcpy(&ends, &iph->saddr, sizeof(ends));
	return ends;
}

static inline struct burst_tunnel *tunnel_at(struct burst *b, u64 ends)
{
	return &b->tunnel[hash_64(ends, BURST_TUNNEL_BITS)];
}

static inline struct burst_egress *egress_at(struct burst *b,
					     const struct cni_encap *e)
{
	return &b->out[e->slot];
}

/*
 * May a packet be a SYN with too large an MSS? It is as long as its headers
 * say; fragments aren't looked into.
 */
static inline bool may_be_clamped(const void *ip, unsigned int len, bool ipv6)
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

static inline void set_mac(struct burst_egress *out, struct neighbour *n)
{
	unsigned int seq;

	do {
		seq = read_seqbegin(&n->ha_lock);
		memcpy(out->res.hdr, n->ha, ETH_ALEN);
	} while (read_seqretry(&n->ha_lock, seq));
}

/**
 * struct burst_frame - a frame that is taken
 * @start: its first byte
 * @end: behind its last
 * @net: its first IP header
 * @ip: that of the packet that is forwarded
 * @len: length of that
 * @outer_len: length of the packet at @net
 * @ipv6: what is at @ip
 */
struct burst_frame {
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
static __always_inline bool fits(const struct xdp_buff *xdp, long less)
{
	return xdp->data_meta + less >
	       xdp->data_hard_start + sizeof(struct xdp_frame);
}

/* These count on this CPU, whose counters @s are. */
static inline void count_rx(struct cni_stats *s, unsigned int len)
{
	u64_stats_update_begin(&s->syncp);
	u64_stats_inc(&s->xdp_packets);
	u64_stats_add(&s->rx_bytes, len);
	u64_stats_update_end(&s->syncp);
}

/* Where the stock gre device would have counted */
static inline void count_gre_rx(struct pcpu_sw_netstats *s, unsigned int len)
{
	u64_stats_update_begin(&s->syncp);
	u64_stats_inc(&s->rx_packets);
	u64_stats_add(&s->rx_bytes, len);
	u64_stats_update_end(&s->syncp);
}

static inline void count_gre_tx(struct pcpu_sw_netstats *s, unsigned int len)
{
	u64_stats_update_begin(&s->syncp);
	u64_stats_inc(&s->tx_packets);
	u64_stats_add(&s->tx_bytes, len);
	u64_stats_update_end(&s->syncp);
}

static __always_inline void
count_tunnel(const struct burst_frame *f, const struct burst_lane *lane,
	     const struct burst_tunnel *tunnel)
{
	count_gre_rx(tunnel->gre, f->outer_len - tunnel->off);
	count_rx(lane->link_stats, f->len);
}

/*
 * Count a frame that is sent, as the skb path does, and the devices that are
 * bypassed. @out has its headers by now.
 */
static __always_inline void count_sent(const struct burst_frame *f,
				       const struct burst_lane *lane,
				       const struct burst_ingress *in,
				       struct burst_egress *out)
{
	out->res.trim = f->end - f->ip - f->len;

	if (lane->vlan)
		cni_stats_vlan_rx(lane->vlan, f->end - f->net);
	count_rx(in->stats, f->len);
	cni_stats_tx(out->stats, f->len);
	if (!out->stacked)
		return;
	if (out->vlan)
		cni_stats_vlan_tx(out->vlan,
				  out->res.push - VLAN_HLEN + f->len);
	if (out->gre) {
		count_gre_tx(out->gre, f->len);
		cni_stats_tx(out->link_stats, f->len);
	}
}

static __always_inline bool find_lane(struct burst *b,
				      const struct xdp_buff *xdp,
				      struct burst_frame *f, u64 now,
				      const struct burst_lane **lane)
{
	const struct cni_eth_vlan *eth = f->start;
	__be16 vlan_id;

	/* No frame is shorter than with the longest of these, and a tag. */
	BUILD_BUG_ON(sizeof(*eth) + BURST_OUTER > ETH_ZLEN);
	if (unlikely(f->start + sizeof(*eth) + BURST_OUTER > f->end ||
		     xdp_buff_has_frags((struct xdp_buff *)xdp)))
		return false;
	if (eth->eth.h_proto == htons(ETH_P_8021Q)) {
		vlan_id = eth->vlan.h_vlan_TCI & htons(VLAN_VID_MASK);
		*lane = lane_at(b, vlan_id);
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

static __always_inline bool find_tunnel(struct burst *b,
					const struct burst_lane *lane,
					struct burst_frame *f, u64 now,
					const struct burst_tunnel **tunnel)
{
	const struct iphdr *iph = f->net;
	const struct gre_base_hdr *greh = (const void *)(iph + 1);
	const struct burst_tunnel *t;
	u64 ends;

	if (unlikely(cni_decide_outer4(iph, f->end - f->net, &f->outer_len)))
		return false;
	ends = ends_of(iph);
	t = tunnel_at(b, ends);
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

/* The egress, if the route is a plain adjacency whose encap is cached. */
static __always_inline bool
find_egress(struct burst *b, const struct burst_ingress *in, u32 dst, u32 src,
	    unsigned int len, int family, u64 now, struct burst_egress **out)
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
	*out = egress_at(b, e);
	OPTIMIZER_HIDE_VAR(*out);
	return likely((*out)->encap == e && (*out)->now == now &&
		      e->dev != in->dev && len <= e->mtu[family]);
}

static inline bool set_onlink(struct burst_egress *out, struct cni_net *cn,
			      int family, const void *daddr)
{
	struct neighbour *n = cni_encap_neigh(out->encap, family, daddr);

	if (unlikely(!cni_decide_neigh(cn, n)))
		return false;
	set_mac(out, n);
	return true;
}

/* What cni_encap_outer() does; @ecn isn't CE, which goes out as ECT(0). */
static __always_inline void set_outer(struct burst_egress *out,
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

/* May it have to be answered or changed, or is nothing of its kind cached? */
static inline bool is_other(const void *ip, unsigned int len, bool ipv6,
			    u8 bits)
{
	const struct ipv6hdr *iph6 = ip;
	const struct iphdr *iph = ip;

	if (bits & ~(BURST_PROBES | BURST_MSS_IN | BURST_MSS_OUT))
		return true;
	if (bits & BURST_PROBES &&
	    (ipv6 ? iph6->nexthdr == IPPROTO_ICMPV6 :
		    iph->protocol == IPPROTO_ICMP))
		return true;
	return bits & (BURST_MSS_IN | BURST_MSS_OUT) &&
	       may_be_clamped(ip, len, ipv6);
}

/* Ingress and egress are cached: what is left to check, and to fill in */
static __always_inline bool fill(const struct xdp_buff *xdp,
				 const struct burst_frame *f,
				 const struct burst_ingress *in,
				 struct burst_egress *out, u8 dsfield)
{
	long less = f->ip - f->start - out->res.push;
	u8 bits = in->bits[f->ipv6] & out->gates;

	if (unlikely(bits) && is_other(f->ip, f->len, f->ipv6, bits))
		return false;
	if (less < 0 && unlikely(!fits(xdp, less)))
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
forward4(struct burst *b, const struct xdp_buff *xdp,
	 const struct burst_ingress *in, struct burst_frame *f,
	 const void *end, u64 now, struct burst_egress **out)
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
	if (unlikely(!find_egress(b, in, dst, src, f->len, CNI_V4, now, out)))
		return false;
	if (unlikely((*out)->onlink &&
		     !set_onlink(*out, in->cn, CNI_V4, &iph->daddr)))
		return false;
	return fill(xdp, f, in, *out, iph->tos);
}

static __always_inline bool
forward6(struct burst *b, const struct xdp_buff *xdp,
	 const struct burst_ingress *in, struct burst_frame *f,
	 const void *end, u64 now, struct burst_egress **out)
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
	if (unlikely(!find_egress(b, in, dst, src, f->len, CNI_V6, now, out)))
		return false;
	if (unlikely((*out)->onlink &&
		     !set_onlink(*out, in->cn, CNI_V6, &iph->daddr)))
		return false;
	return fill(xdp, f, in, *out, ipv6_get_dsfield(iph));
}

/* Twice in the code, so that neither asks what isn't for it. */
static __always_inline bool
forward(struct burst *b, const struct xdp_buff *xdp,
	const struct burst_ingress *in, struct burst_frame *f,
	const void *end, __be16 proto, u64 now, struct burst_egress **out)
{
	if (likely(proto == htons(ETH_P_IP)))
		return forward4(b, xdp, in, f, end, now, out);
	if (proto == htons(ETH_P_IPV6))
		return forward6(b, xdp, in, f, end, now, out);
	return false;
}

/*
 * Forward a frame by what is cached, and set @res to what the program is told;
 * or say that the whole decision is needed.
 */
static __always_inline bool
forward_cached(struct burst *b, const struct xdp_buff *xdp,
	       const struct cnilink_xdp_result **res)
{
	struct burst_frame f = {
		.start = xdp->data, .end = xdp->data_end,
	};
	const struct burst_tunnel *tunnel;
	const struct burst_lane *lane;
	struct burst_egress *out;
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
		count_tunnel(&f, lane, tunnel);
		count_sent(&f, lane, &tunnel->in, out);
	} else {
		if (lane->link && proto == htons(ETH_P_IPV6) &&
		    cni_ip6gre_next(((const struct ipv6hdr *)f.net)->nexthdr))
			return false;
		f.ip = f.net;
		if (unlikely(!forward(b, xdp, &lane->in, &f, f.end, proto, now,
				      &out)))
			return false;
		count_sent(&f, lane, &lane->in, out);
	}
	*res = &out->res;
	return true;
}

/* How long the headers are, with the tag: it goes into the frame. */
static unsigned int push_len(const struct cni_encap *e)
{
	return e->hdr_len +
	       (e->vlan && e->flags & CNI_ENCAP_VLAN_HW ? VLAN_HLEN : 0);
}

/* The skb path can change such packets, XDP can't. */
static enum cnilink_reason check_change(const struct cni_frame *f,
					const struct xdp_buff *xdp)
{
	const struct cni_forward *fwd = &f->fwd;

	if (unlikely(fwd->set_ce || fwd->set_ect1))
		return CNILINK_REASON_CHANGE;
	if (unlikely(fwd->mss || fwd->encap->flags & CNI_ENCAP_MSS) &&
	    may_be_clamped(f->view.data + fwd->off, fwd->len,
			   fwd->proto == htons(ETH_P_IPV6)))
		return CNILINK_REASON_CHANGE;
	if (unlikely(!fits(xdp, (int)(f->l2_len + fwd->off) -
				(int)push_len(fwd->encap))))
		return CNILINK_REASON_XDP_FRAME;
	return 0;
}

static u16 vlan_tci(const struct cni_frame *f, const struct cni_encap *e)
{
	u32 priority = 0;

	if (f->link && f->link->tagged)
		priority = vlan_dev_priv(f->link->dev)->ingress_priority_map
				[f->view.vlan_tci >> VLAN_PRIO_SHIFT];
	if (f->fwd.proto == htons(ETH_P_IP) &&
	    READ_ONCE(f->fwd.cn->net->ipv4.sysctl_ip_fwd_update_priority))
		priority = rt_tos2priority(f->fwd.dsfield);
	return e->vlan_tci | vlan_dev_get_egress_qos_mask(e->vlan, priority);
}

/* The outer header of a tunnel over IPv6; its label is made of a hash. */
static noinline void fill_outer6(const struct cni_frame *f, struct ipv6hdr *iph,
				 unsigned int len, u8 ttl)
{
	const struct cni_forward *fwd = &f->fwd;
	__be32 label;

	label = cni_ip6gre_label(fwd->encap, cni_packet_frame(&f->view),
				 fwd->off, fwd->proto);
	cni_ip6gre_outer(fwd->encap, iph, len, label, fwd->proto, fwd->dsfield,
			 ttl);
}

/*
 * The packet itself has the sum @sum when it comes in. Of one that is passed on
 * the TTL changes, for which IPv4's header makes up.
 */
static noinline void fill_csum(const struct cni_frame *f, void *greh,
			       __wsum sum)
{
	const struct cni_forward *fwd = &f->fwd;

	if (!f->request && fwd->proto == htons(ETH_P_IPV6))
		sum = csum_sub(sum, (__force __wsum)htons(1));
	sum = csum_partial(greh, fwd->encap->gre_len, sum);
	*(__sum16 *)(greh + sizeof(struct gre_base_hdr)) = csum_fold(sum);
}

/*
 * The outer headers that differ by more than lengths, and IPv4's; @head bytes
 * of the packet follow them.
 */
static void fill_outer(const struct cni_frame *f, struct burst_egress *out,
		       unsigned int head)
{
	const struct cni_forward *fwd = &f->fwd;
	const struct cni_encap *e = fwd->encap;
	const void *inner = f->view.data + fwd->off;
	u8 *end = out->res.hdr + push_len(e);
	const void *sent = head ? end : inner;
	void *iph = end - out->outer_len;
	unsigned int len = fwd->len + out->outer_len;
	__be16 df = 0;
	u8 ttl;

	if (fwd->proto == htons(ETH_P_IP)) {
		ttl = ((const struct iphdr *)sent)->ttl;
		df = ((const struct iphdr *)sent)->frag_off & htons(IP_DF);
	} else {
		ttl = ((const struct ipv6hdr *)sent)->hop_limit;
	}
	ttl -= !f->request;
	if (e->flags & CNI_ENCAP_GRE)
		cni_encap_outer(e, iph, len, fwd->proto, fwd->dsfield, ttl, df,
				NULL);
	else
		fill_outer6(f, iph, len, ttl);
	if (unlikely(e->flags & CNI_ENCAP_CSUM))
		fill_csum(f, end - e->gre_len,
			  csum_partial(inner + head, fwd->len - head,
				       csum_partial(end, head, 0)));
}

static void fill_ingress(struct burst_ingress *in, struct cni_net *cn,
			 const struct net_device *dev,
			 struct cni_stats __percpu *stats)
{
	in->cn = cn;
	in->dev = dev;
	in->stats = this_cpu_ptr(stats);
	memset(in->bits, BURST_UNKNOWN, sizeof(in->bits));
}

/* Later packets of the family reuse it, unless routes are being changed. */
static void cache_family(struct burst_ingress *in, const struct cni_frame *f)
{
	const struct cni_forward *fwd = &f->fwd;
	unsigned int family = fwd->proto == htons(ETH_P_IPV6) ? CNI_V6 : CNI_V4;
	u64 bits;

	bits = cni_decide_checks(fwd, fwd->stats)->ingress[family] ^ fwd->now;
	if (bits & ~(u64)(CNI_EPOCH_NF | CNI_EPOCH_NF_GRE) ||
	    cni_fib_pending(fwd->cn, family))
		return;
	in->bits[family] = bits | BURST_MSS_OUT |
			   (fwd->mss ? BURST_MSS_IN : 0) |
			   (fwd->decap && fwd->decap->health ?
			    BURST_PROBES : 0);
}

/* Where a frame came in; cached if it is @plain. */
static struct burst_lane *fill_lane(struct burst *b, const struct cni_frame *f,
				    const struct xdp_buff *xdp, bool plain)
{
	const struct cni_link *link = f->link;
	const struct net_device *dev = xdp->rxq->dev;
	struct burst_lane *lane = &b->untagged;
	__be16 vlan_id = 0;

	if (link && link->tagged) {
		vlan_id = htons(link->vlan_id);
		lane = lane_at(b, vlan_id);
		plain &= link->vlan_proto == htons(ETH_P_8021Q);
	}
	if (f->port && READ_ONCE(f->port->flags) &
		       CNILINK_PORT_FLAG_STRICT_SOURCE)
		plain = false;
	if (!plain)
		lane = &b->spare_lane;
	else if (lane->now == f->fwd.now && lane->dev == dev &&
		 lane->link == link && lane->vlan_id == vlan_id)
		goto cached;
	fill_ingress(&lane->in, f->fwd.cn, link ? link->dev : f->port->dev,
		     link ? link->stats : f->port->stats);
	lane->now = f->fwd.now;
	lane->dev = dev;
	ether_addr_copy((u8 *)&lane->mac, dev->dev_addr);
	lane->vlan_id = vlan_id;
	lane->link = link;
	lane->link_stats = link ? this_cpu_ptr(link->stats) : NULL;
	lane->vlan = link && link->tagged ? cni_stats_vlan(link->dev) : NULL;
cached:
	if (!f->fwd.decap)
		cache_family(&lane->in, f);
	return lane;
}

static struct burst_tunnel *fill_tunnel(struct burst *b,
					const struct cni_frame *f, bool plain)
{
	const struct cni_decap *decap = f->fwd.decap;
	const struct iphdr *iph = f->view.data;
	const struct gre_base_hdr *greh = (void *)(iph + 1);
	u64 ends = ends_of(iph);
	struct burst_tunnel *tunnel = tunnel_at(b, ends);

	if (!plain || decap->outer6 || decap->csum)
		tunnel = &b->spare_tunnel;
	else if (tunnel->now == f->fwd.now && tunnel->ends == ends &&
		 tunnel->link == f->link && tunnel->flags == greh->flags &&
		 tunnel->key == decap->key)
		goto cached;
	fill_ingress(&tunnel->in, f->fwd.cn, decap->dev, decap->stats);
	tunnel->now = f->fwd.now;
	tunnel->ends = ends;
	tunnel->link = f->link;
	tunnel->flags = greh->flags;
	tunnel->key = decap->key;
	tunnel->off = f->fwd.off;
	tunnel->gre = this_cpu_ptr(decap->dev->tstats);
cached:
	cache_family(&tunnel->in, f);
	return tunnel;
}

/* What all packets that are sent by an encap have in common */
static noinline void prepare_egress(struct burst_egress *out,
				    const struct cni_encap *e)
{
	struct cni_eth_vlan *eth = (void *)out->res.hdr;
	unsigned int push = push_len(e);

	BUILD_BUG_ON(sizeof(out->res.hdr) < CNI_ENCAP_MAX6 + CNI_HEALTH_HEAD);
	out->now = 0;
	out->encap = e;
	out->serial = e->serial;
	out->stats = this_cpu_ptr(e->stats);
	out->link_stats = e->link_stats ? this_cpu_ptr(e->link_stats) : NULL;
	out->vlan = e->vlan ? cni_stats_vlan(e->vlan) : NULL;
	out->gre = e->gre ? this_cpu_ptr(e->gre->tstats) : NULL;
	out->outer_len = e->hdr_len - e->l2_len;
	out->outer = e->flags & CNI_ENCAP_GRE ?
		     (void *)(out->res.hdr + push - out->outer_len) : NULL;
	out->csum = e->csum;
	out->tos = e->tos & ~INET_ECN_MASK;
	out->onlink = !e->neigh;
	out->stacked = e->vlan || e->gre;
	out->gates = (e->gates & (BIT(CNI_EPOCH_SHIFT) - 1)) |
		     BURST_UNKNOWN | BURST_PROBES | BURST_MSS_IN |
		     (e->flags & CNI_ENCAP_MSS ? BURST_MSS_OUT : 0);
	out->res.ifindex = e->lower->ifindex;
	out->res.push = push;
	out->res.verdict = XDP_REDIRECT;
	out->res.reason = CNILINK_REASON_NONE;

	memcpy(out->res.hdr + push - e->hdr_len,
	       e->hdr + sizeof(e->hdr) - e->hdr_len, e->hdr_len);
	/* The tag goes into the frame, whatever the device could do. */
	if (push > e->hdr_len)
		memmove(eth, out->res.hdr + VLAN_HLEN, 2 * ETH_ALEN);
	if (e->vlan) {
		eth->eth.h_proto = e->vlan_proto;
		eth->vlan.h_vlan_TCI = htons(e->vlan_tci);
	}
}

/* How a frame is sent; cached if later ones have the same headers: @alike. */
static struct burst_egress *fill_egress(struct burst *b, struct cni_frame *f,
					bool alike)
{
	const struct cni_encap *e = f->fwd.encap;
	struct burst_egress *out = egress_at(b, e);
	struct cni_eth_vlan *eth;

	if (unlikely(out->serial != e->serial))
		prepare_egress(out, e);
	/* Without the last packet's ECN */
	if (out->outer)
		out->outer->tos = out->tos;
	if (alike) {
		out->now = f->fwd.now;
	} else {
		b->spare_out = *out;
		out = &b->spare_out;
		eth = (void *)out->res.hdr;
		if (e->flags & CNI_ENCAP_VLAN_QOS)
			eth->vlan.h_vlan_TCI = htons(vlan_tci(f, e));
	}
	out->res.less = (int)(f->l2_len + f->fwd.off) - (int)out->res.push;
	out->res.age = f->fwd.proto == htons(ETH_P_IPV6) ? 6 : 4;
	set_mac(out, f->fwd.neigh);
	return out;
}

/*
 * Take a frame, and cache the result for later ones that differ only in
 * addresses and lengths. Not that of a health check, which isn't checked for
 * all that others are; nor the headers if they are the packet's own.
 */
static const struct cnilink_xdp_result *send(struct burst *b,
					     struct cni_frame *f,
					     const struct xdp_buff *xdp)
{
	const struct cni_encap *e = f->fwd.encap;
	bool alike = !READ_ONCE(e->hold) &&
		     !(e->gre && INET_ECN_is_ce(f->fwd.dsfield)) &&
		     !(e->flags & (CNI_ENCAP_VARIES | CNI_ENCAP_GRE6 |
				   CNI_ENCAP_CSUM | CNI_ENCAP_VLAN_QOS));
	bool plain = !f->health;
	struct burst_lane *lane = fill_lane(b, f, xdp, plain);
	struct burst_egress *out = fill_egress(b, f, plain && alike);
	struct burst_ingress *in = &lane->in;
	struct burst_tunnel *tunnel;
	unsigned int head = 0;
	struct burst_frame frame = {
		.end = xdp->data_end,
		.net = f->view.data,
		.ip = f->view.data + f->fwd.off,
		.len = f->fwd.len,
		.outer_len = f->fwd.outer_len,
	};

	if (f->fwd.decap) {
		tunnel = fill_tunnel(b, f, plain);
		count_tunnel(&frame, lane, tunnel);
		in = &tunnel->in;
	}
	if (f->request) {
		head = cni_health_reply(f->health, frame.ip, f->fwd.proto,
					out->res.hdr + out->res.push);
		out->res.age = 0;
	}
	if (e->gre)
		fill_outer(f, out, head);
	count_sent(&frame, lane, in, out);
	/* The packet's own header isn't counted again. */
	out->res.push += head;
	return &out->res;
}

static const struct cnilink_xdp_result *punt(struct burst *b,
					     enum cnilink_reason reason)
{
	struct cnilink_xdp_result *res = &b->spare_out.res;

	res->reason = reason;
	res->verdict = reason == CNILINK_REASON_STRICT_SOURCE ? XDP_DROP :
								XDP_PASS;
	return res;
}

/* The whole decision. What is taken is counted, and its result cached. */
static noinline const struct cnilink_xdp_result *
forward_whole(struct burst *b, struct xdp_buff *xdp)
{
	struct cni_stats __percpu *stats;
	enum cnilink_reason reason;
	struct cni_frame f;

	if (unlikely(!cni_frame_find(&f, xdp)))
		return punt(b, CNILINK_REASON_NONE);
	reason = cni_frame_decide(&f, xdp);
	if (likely(!reason))
		reason = check_change(&f, xdp);
	/* Last: it takes one of the answers that the rate allows. */
	if (unlikely(f.health) && !reason && !cni_health_take(f.health, false))
		reason = CNILINK_REASON_CHANGE;
	if (unlikely(reason)) {
		stats = f.link ? f.link->stats : f.port->stats;
		cni_blocked_note(f.fwd.xdp, &f.fwd, cni_packet_frame(&f.view),
				 reason, stats);
		cni_stats_xdp_reason(stats, reason);
		return punt(b, reason);
	}
	/* Not XDP_TX: a veth forgets such when its peer has GRO, and no XDP. */
	return send(b, &f, xdp);
}

/**
 * bpf_cnilink_forward - what to do with a frame that an XDP program has
 * @ctx: the frame
 * @rdonly_buf_size: how much of the answer the program reads, which the
 *	verifier keeps to
 *
 * What is taken is counted as sent: the program must do as it is told.
 *
 * Return: struct cnilink_xdp_result, good until the program ends; or NULL if
 * that isn't as long, or if a task runs the program (BPF_PROG_TEST_RUN before
 * 6.11), where the CPU's own frames could come between.
 */
__bpf_kfunc const u8 *bpf_cnilink_forward(struct xdp_md *ctx,
					  const size_t rdonly_buf_size)
{
	struct burst *b = this_cpu_ptr(bursts);
	struct xdp_buff *xdp = (struct xdp_buff *)ctx;
	const struct cnilink_xdp_result *res;

	if (unlikely(rdonly_buf_size > sizeof(*res) || !in_softirq()))
		return NULL;
	/* RCU waits for who has bottom halves off; lockdep wants it said. */
	if (IS_ENABLED(CONFIG_PROVE_RCU))
		rcu_read_lock();
	if (unlikely(!forward_cached(b, xdp, &res)))
		res = forward_whole(b, xdp);
	if (IS_ENABLED(CONFIG_PROVE_RCU))
		rcu_read_unlock();
	return (const u8 *)res;
}

/**
 * cni_burst_init - make room for what is cached
 *
 * Return: 0 or -ENOMEM.
 */
int __init cni_burst_init(void)
{
	bursts = alloc_percpu(struct burst);
	return bursts ? 0 : -ENOMEM;
}

/**
 * cni_burst_exit - free it, when no program is left that calls the module
 */
void cni_burst_exit(void)
{
	free_percpu(bursts);
}
