// SPDX-License-Identifier: GPL-2.0
/*
 * Frames that have no skb yet: what an XDP program is to do with them. The
 * decision is that of the skb path, made by the same functions; here are the
 * conditions that XDP adds, the headers, and the counters.
 */

#include "frame.h"

#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/percpu.h>
#include <linux/tcp.h>
#include <net/route.h>
#include <net/xdp.h>
#include <uapi/linux/cnilink_xdp.h>

#include "compat/compat.h"
#include "decide.h"
#include "forward.h"
#include "hook.h"
#include "source.h"

/*
 * What makes a frame look like an skb to the functions that decide. There is no
 * skb_shared_info behind it. What isn't set for each frame is zero, and one
 * CPU's frames come one after the other.
 */
static DEFINE_PER_CPU(struct sk_buff, looks) = {
	.users = REFCOUNT_INIT(1),
};

/**
 * struct frame - a frame, and what's found on the way to a decision
 * @fwd: the decision
 * @skb: what it looks like
 * @l2_len: bytes before its network header
 * @link: link that it came in by, or NULL
 * @port: port that it came in by, if it's no link's
 * @health: it's a health check of this tunnel's, to be answered
 */
struct frame {
	struct cni_forward	fwd;
	struct sk_buff		*skb;
	unsigned int		l2_len;
	struct cni_link		*link;
	struct cni_port		*port;
	struct cni_health	*health;
};

/*
 * Offloads that keep a part of the frame elsewhere. What a veth receives is
 * what its peer was left to send.
 */
static struct net_device *watched_dev(struct net_device *dev,
				      netdev_features_t *blind)
{
	struct net_device *peer = NULL;

	if (dev->netdev_ops->ndo_get_peer_dev)
		peer = dev->netdev_ops->ndo_get_peer_dev(dev);
	*blind = peer ? NETIF_F_HW_VLAN_CTAG_TX | NETIF_F_HW_VLAN_STAG_TX |
			NETIF_F_CSUM_MASK :
			NETIF_F_HW_VLAN_CTAG_RX | NETIF_F_HW_VLAN_STAG_RX;
	return peer ?: dev;
}

/*
 * What is attached to a device's way out. A queueing discipline that the kernel
 * chose has no handle, and judges nothing.
 */
static enum cnilink_reason gate_attached(const struct net_device *dev)
{
	if (rcu_dereference(dev->qdisc)->handle)
		return CNILINK_REASON_QDISC;
	if (cni_compat_tc_egress(dev))
		return CNILINK_REASON_TC;
#ifdef CONFIG_NETFILTER_EGRESS
	if (cni_gate_nf_dev(dev->nf_hooks_egress, cni_stage_egress))
		return CNILINK_REASON_NFT_DEVICE;
#endif
	return 0;
}

/**
 * cni_frame_gate_in - what XDP steps over on the way in, besides stock devices
 * @rx: hook of the device that frames come in by
 *
 * Return: the reason to leave them to the kernel, or 0.
 */
enum cnilink_reason cni_frame_gate_in(const struct cni_rxdev *rx)
{
	if (READ_ONCE(rx->watched->features) & rx->blind)
		return CNILINK_REASON_XDP_OFFLOADS;
	if (cni_compat_tc_ingress(rx->dev))
		return CNILINK_REASON_TC;
	if (cni_gate_tapped(rx->dev))
		return CNILINK_REASON_TAP;
	return 0;
}

/**
 * cni_frame_gate_out - what XDP steps over on the way out; does it get there?
 * @e: way out
 *
 * Return: the reason to leave frames to the kernel, or 0.
 */
enum cnilink_reason cni_frame_gate_out(const struct cni_encap *e)
{
	if (!cni_compat_xdp_reaches(e->lower, e->flags & CNI_ENCAP_XDP))
		return CNILINK_REASON_XDP_TARGET;
	return gate_attached(e->lower);
}

/**
 * cni_frame_watch - find out whose features tell what XDP sees of a device
 * @rx: the device's hook, which no frame has met yet
 */
void cni_frame_watch(struct cni_rxdev *rx)
{
	rcu_read_lock();
	rx->watched = watched_dev(rx->dev, &rx->blind);
	rcu_read_unlock();
}

/**
 * cni_frame_reaches - can XDP send to a device, as far as one can know?
 * @dev: lower device, RTNL held
 *
 * Return: whether it can, once it has an XDP program itself.
 */
bool cni_frame_reaches(const struct net_device *dev)
{
	const struct net_device *peer;
	bool ok;

	if (!dev->netdev_ops->ndo_xdp_xmit)
		return false;
	if (!dev->netdev_ops->ndo_get_peer_dev)
		return true;
	/* A veth hands frames to its peer's NAPI, which it may not have. */
	rcu_read_lock();
	peer = dev->netdev_ops->ndo_get_peer_dev((struct net_device *)dev);
	ok = peer && (peer->features & NETIF_F_GRO ||
		      cni_compat_xdp_native(peer));
	rcu_read_unlock();
	return ok;
}

/**
 * cni_frame_blockers - what keeps XDP from taking a device's frames
 * @rx: the device's hook, RTNL held
 *
 * And from sending frames to it, as its own program may be there or not.
 *
 * Return: a set of enum cnilink_blocker.
 */
u64 cni_frame_blockers(const struct cni_rxdev *rx)
{
	const struct net_device *dev = rx->dev;
	u64 blockers;

	rcu_read_lock();
	blockers = cni_gate_blocker(gate_attached(dev));
	if (cni_gate_nf_dev(dev->nf_hooks_ingress, cni_forward_ingress))
		blockers |= CNILINK_BLOCKER_NFT_DEVICE;
	if (cni_compat_tc_ingress(dev))
		blockers |= CNILINK_BLOCKER_TC;
	if (cni_gate_tapped(dev))
		blockers |= CNILINK_BLOCKER_TAP;
	if (rx->watched->features & rx->blind)
		blockers |= CNILINK_BLOCKER_XDP_OFFLOADS;
	rcu_read_unlock();
	if (!cni_frame_reaches(dev))
		blockers |= CNILINK_BLOCKER_XDP_TARGET;
	return blockers;
}

/* Our own hook has to be the only one: the skb path is the last of them. */
static struct cni_rxdev *find_rxdev(const struct net_device *dev,
				    enum cnilink_reason *reason)
{
	const struct nf_hook_entries *e;
	struct cni_rxdev *rx = NULL;
	unsigned int i;

	e = rcu_dereference(dev->nf_hooks_ingress);
	if (unlikely(!e))
		return NULL;
	i = e->num_hook_entries - 1;
	if (likely(e->hooks[i].hook == cni_forward_ingress))
		rx = e->hooks[i].priv;
	if (unlikely(i))
		*reason = CNILINK_REASON_NFT_DEVICE;
	return rx;
}

static enum cnilink_reason look_at(struct frame *f, struct xdp_buff *xdp,
				   struct net_device *dev)
{
	const struct ethhdr *eth = xdp->data;
	struct sk_buff *skb = f->skb;
	__be16 proto;

	if (unlikely(xdp->data + ETH_HLEN > xdp->data_end))
		return CNILINK_REASON_MALFORMED;
	f->l2_len = ETH_HLEN;
	proto = eth->h_proto;
	__vlan_hwaccel_clear_tag(skb);
	if (eth_type_vlan(proto)) {
		const struct cni_eth_vlan *tagged = xdp->data;

		f->l2_len += VLAN_HLEN;
		if (unlikely(xdp->data + f->l2_len > xdp->data_end))
			return CNILINK_REASON_MALFORMED;
		__vlan_hwaccel_put_tag(skb, proto,
				       ntohs(tagged->vlan.h_vlan_TCI));
		proto = tagged->vlan.h_vlan_encapsulated_proto;
	}
	skb->dev = dev;
	skb->head = xdp->data_hard_start;
	skb->data = xdp->data + f->l2_len;
	skb->len = xdp->data_end - (void *)skb->data;
	skb->protocol = proto;
	skb->pkt_type = ether_addr_equal_64bits(eth->h_dest, dev->dev_addr) ?
			PACKET_HOST : PACKET_OTHERHOST;
	return 0;
}

/* Is it a health check that can go back as it is? */
static noinline bool is_probe(struct frame *f)
{
	const struct cni_health_check *check;
	struct cni_health *health;

	health = rcu_dereference(f->fwd.decap->tunnel->health);
	check = cni_health_find(health, &f->fwd, f->skb);
	if (!check || check->flags & CNILINK_HEALTH_FLAG_REQUEST)
		return false;
	f->health = health;
	return true;
}

static enum cnilink_reason decide_link(struct frame *f)
{
	struct cni_forward *fwd = &f->fwd;
	struct sk_buff *skb = f->skb;
	enum cnilink_reason reason, gre = 0;

	reason = cni_decide_link(fwd, f->link, skb);
	if (unlikely(reason))
		return reason;
	if (cni_decide_may_be_gre(skb)) {
		gre = cni_decide_tunnel(f->link, skb, fwd);
		if (likely(!gre)) {
			if (unlikely(fwd->decap->health) && is_probe(f))
				return 0;
			return cni_decide_inner(fwd, skb,
					  ((struct iphdr *)skb->data)->tos,
					  sizeof(struct iphdr));
		}
	} else if (unlikely(skb->protocol == htons(ETH_P_IPV6) &&
			    cni_ip6gre_maybe(skb))) {
		return cni_decide_tunnel6(f->link, skb, fwd);
	}
	reason = cni_decide_ip(fwd, skb);
	return gre && reason == CNILINK_REASON_LOCAL ? gre : reason;
}

/* A SYN with an MSS that may be too large; fragments aren't looked into. */
static bool may_be_clamped(const struct frame *f)
{
	const struct cni_forward *fwd = &f->fwd;
	const u8 *ip = f->skb->data + fwd->off;
	unsigned int len = sizeof(struct ipv6hdr);

	if (fwd->proto == htons(ETH_P_IP)) {
		len = sizeof(struct iphdr);
		if (((const struct iphdr *)ip)->protocol != IPPROTO_TCP)
			return false;
	} else if (((const struct ipv6hdr *)ip)->nexthdr != IPPROTO_TCP) {
		/* Extension headers may hide one. */
		return ((const struct ipv6hdr *)ip)->nexthdr != IPPROTO_UDP &&
		       ((const struct ipv6hdr *)ip)->nexthdr != IPPROTO_ICMPV6;
	}
	return fwd->len < len + sizeof(struct tcphdr) ||
	       ((const struct tcphdr *)(ip + len))->syn;
}

/* What the skb path can do with a packet that it takes, and XDP can't. */
static enum cnilink_reason check_change(const struct frame *f,
					const struct xdp_buff *xdp, int push)
{
	const struct cni_forward *fwd = &f->fwd;
	int more = push - (int)(f->l2_len + fwd->off);
	const void *start;

	if (unlikely(fwd->set_ce || fwd->set_ect1))
		return CNILINK_REASON_CHANGE;
	if (unlikely(fwd->mss || fwd->encap->flags & CNI_ENCAP_MSS) &&
	    may_be_clamped(f))
		return CNILINK_REASON_CHANGE;
	/* As bpf_xdp_adjust_head() has it. */
	start = xdp_data_meta_unsupported((struct xdp_buff *)xdp) ?
		xdp->data : xdp->data_meta;
	if (unlikely(start - more <
		     xdp->data_hard_start + sizeof(struct xdp_frame)))
		return CNILINK_REASON_XDP_FRAME;
	return 0;
}

static u16 vlan_tci(const struct frame *f, const struct cni_encap *e)
{
	u32 priority = 0;

	if (likely(!(e->flags & CNI_ENCAP_VLAN_QOS)))
		return e->vlan_tci;
	if (f->link && f->link->tagged)
		priority = vlan_dev_priv(f->link->dev)->ingress_priority_map
				[skb_vlan_tag_get_prio(f->skb)];
	if (f->fwd.proto == htons(ETH_P_IP) &&
	    READ_ONCE(f->fwd.cn->net->ipv4.sysctl_ip_fwd_update_priority))
		priority = rt_tos2priority(f->fwd.dsfield);
	return e->vlan_tci | vlan_dev_get_egress_qos_mask(e->vlan, priority);
}

/* The outer header of a tunnel over IPv6; its label is made of a hash. */
static noinline void fill_outer6(struct frame *f, struct ipv6hdr *iph,
				 unsigned int len, u8 ttl)
{
	const struct cni_forward *fwd = &f->fwd;
	struct sk_buff *skb = f->skb;
	__be32 label;

	__vlan_hwaccel_clear_tag(skb);
	skb->data += fwd->off;
	skb->len -= fwd->off;
	skb->protocol = fwd->proto;
	skb_reset_network_header(skb);
	label = cni_ip6gre_label(fwd->encap, skb, fwd->proto);
	skb_clear_hash(skb);
	cni_ip6gre_outer(fwd->encap, iph, len, label, fwd->proto, fwd->dsfield,
			 ttl);
}

/* Of the packet itself its TTL changes; IPv4's header makes up for that. */
static noinline void fill_csum(const struct cni_encap *e, void *greh,
			       const struct cni_forward *fwd, const void *inner)
{
	__wsum sum = csum_partial(inner, fwd->len, 0);

	if (fwd->proto == htons(ETH_P_IPV6))
		sum = csum_sub(sum, (__force __wsum)htons(1));
	sum = csum_partial(greh, e->gre_len, sum);
	*(__sum16 *)(greh + sizeof(struct gre_base_hdr)) = csum_fold(sum);
}

static void fill_headers(struct frame *f, struct cnilink_xdp_result *res)
{
	const struct cni_forward *fwd = &f->fwd;
	const struct cni_encap *e = fwd->encap;
	const void *inner = f->skb->data + fwd->off;
	u8 *end = res->hdr + sizeof(res->hdr);
	struct cni_eth_vlan *tagged;
	struct neighbour *n = fwd->neigh;
	void *iph = end - (e->hdr_len - e->l2_len);
	unsigned int len = fwd->len + e->hdr_len - e->l2_len;
	unsigned int seq;
	struct ethhdr *eth;
	__be16 df = 0;
	u8 ttl;

	BUILD_BUG_ON(sizeof(res->hdr) != CNI_ENCAP_MAX6);
	memcpy(end - CNI_ENCAP_MAX, e->hdr + CNI_ENCAP_MAX6 - CNI_ENCAP_MAX,
	       CNI_ENCAP_MAX);
	if (e->gre) {
		if (fwd->proto == htons(ETH_P_IP)) {
			ttl = ((const struct iphdr *)inner)->ttl - 1;
			df = ((const struct iphdr *)inner)->frag_off &
			     htons(IP_DF);
		} else {
			ttl = ((const struct ipv6hdr *)inner)->hop_limit - 1;
		}
		if (e->flags & CNI_ENCAP_GRE) {
			cni_encap_outer(e, iph, len, fwd->proto, fwd->dsfield,
					ttl, df, NULL);
		} else {
			memcpy(res->hdr, e->hdr,
			       CNI_ENCAP_MAX6 - CNI_ENCAP_MAX);
			fill_outer6(f, iph, len, ttl);
		}
		if (unlikely(e->flags & CNI_ENCAP_CSUM))
			fill_csum(e, end - e->gre_len, fwd, inner);
	}

	/* The tag goes into the frame, whatever the device could do. */
	eth = (void *)(end - e->hdr_len);
	if (e->vlan) {
		tagged = (void *)(end - res->push);
		ether_addr_copy(tagged->eth.h_source, eth->h_source);
		tagged->eth.h_proto = e->vlan_proto;
		tagged->vlan.h_vlan_TCI = htons(vlan_tci(f, e));
		eth = &tagged->eth;
	}
	do {
		seq = read_seqbegin(&n->ha_lock);
		ether_addr_copy(eth->h_dest, n->ha);
	} while (read_seqretry(&n->ha_lock, seq));
}

/* As the skb path does on its way, and the devices that are stepped over. */
static void count(const struct frame *f, const struct cnilink_xdp_result *res)
{
	const struct cni_forward *fwd = &f->fwd;
	const struct cni_encap *e = fwd->encap;
	unsigned int len = fwd->len;

	if (f->link) {
		if (f->link->tagged)
			cni_stats_vlan_rx(f->link->dev, f->skb->len);
		if (fwd->decap) {
			dev_sw_netstats_rx_add(fwd->dev,
					       fwd->outer_len - fwd->off);
			cni_stats_xdp_rx(f->link->stats, len);
		}
	}
	cni_stats_xdp_rx(fwd->stats, len);
	if (e->vlan)
		cni_stats_vlan_tx(e->vlan, res->push - VLAN_HLEN + len);
	if (e->gre) {
		dev_sw_netstats_tx_add(e->gre, 1, len);
		cni_stats_tx(e->link_stats, len);
	}
	cni_stats_tx(e->stats, len);
}

/* What checking a GRE checksum left behind */
static void forget_csum(struct sk_buff *skb)
{
	skb->ip_summed = CHECKSUM_NONE;
	skb->csum_complete_sw = 0;
	skb->csum_valid = 0;
}

static enum cnilink_reason decide(struct frame *f, const struct xdp_buff *xdp)
{
	enum cnilink_reason reason;
	u32 flags;

	if (unlikely(xdp_buff_has_frags((struct xdp_buff *)xdp)))
		return CNILINK_REASON_XDP_FRAME;
	if (f->link)
		return decide_link(f);
	flags = READ_ONCE(f->port->flags);
	f->fwd.bypass_nf = flags & CNILINK_PORT_FLAG_BYPASS_NETFILTER;
	if (unlikely(flags & CNILINK_PORT_FLAG_STRICT_SOURCE)) {
		/* Nothing is dropped that isn't seen as a whole. */
		reason = cni_frame_gate_in(f->fwd.xdp);
		if (reason)
			return reason;
		if (!cni_source_ok(f->port, f->skb))
			return CNILINK_REASON_STRICT_SOURCE;
	}
	return cni_decide_port(&f->fwd, f->port, f->skb);
}

/**
 * cni_frame_forward - what an XDP program is to do with a frame
 * @xdp: frame
 * @res: filled in
 *
 * With bottom halves off, under rcu_read_lock(). What is taken is counted.
 *
 * Return: XDP_REDIRECT, XDP_PASS or XDP_DROP.
 */
int __flatten cni_frame_forward(struct xdp_buff *xdp,
				struct cnilink_xdp_result *res)
{
	struct net_device *dev = xdp->rxq->dev;
	enum cnilink_reason reason, nf = 0;
	const struct cni_encap *e;
	struct cni_rxdev *rx;
	struct frame f;

	/* What nobody fills in below; to clear all costs more. */
	f.skb = this_cpu_ptr(&looks);
	f.health = NULL;
	f.fwd.decap = NULL;
	f.fwd.mss = NULL;
	f.fwd.off = 0;
	f.fwd.bypass_nf = false;
	f.fwd.stepped = false;
	f.fwd.set_ce = false;
	f.fwd.set_ect1 = false;

	res->reason = CNILINK_REASON_NONE;
	rx = find_rxdev(dev, &nf);
	if (unlikely(!rx))
		return XDP_PASS;
	reason = look_at(&f, xdp, dev);
	if (unlikely(reason))
		return XDP_PASS;

	f.link = cni_decide_which(rx, f.skb);
	if (f.link) {
		f.fwd.cn = f.link->cn;
		f.fwd.dev = f.link->dev;
		f.fwd.stats = f.link->stats;
	} else {
		f.port = rcu_dereference(rx->port);
		if (!f.port)
			return XDP_PASS;
		f.fwd.cn = f.port->cn;
		f.fwd.dev = f.port->dev;
		f.fwd.stats = f.port->stats;
	}
	f.fwd.proto = f.skb->protocol;
	f.fwd.xdp = rx;
	f.fwd.now = cni_gate_now();

	reason = nf ?: decide(&f, xdp);
	if (unlikely(f.fwd.decap && f.fwd.decap->csum))
		forget_csum(f.skb);
	if (likely(!reason)) {
		e = f.fwd.encap;
		res->push = e->hdr_len +
			    (e->vlan && e->flags & CNI_ENCAP_VLAN_HW ?
			     VLAN_HLEN : 0);
		reason = check_change(&f, xdp, res->push);
	}
	/* The last question, for it takes from what may be answered. */
	if (unlikely(f.health) && !reason && !cni_health_take(f.health, false))
		reason = CNILINK_REASON_CHANGE;
	if (unlikely(reason)) {
		res->reason = reason;
		cni_stats_xdp_reason(f.link ? f.link->stats : f.port->stats,
				     reason);
		return reason == CNILINK_REASON_STRICT_SOURCE ? XDP_DROP :
								XDP_PASS;
	}

	res->ifindex = e->lower->ifindex;
	res->pull = f.l2_len + f.fwd.off;
	res->trim = xdp->data_end - xdp->data - res->pull - f.fwd.len;
	res->ipv6 = f.fwd.proto == htons(ETH_P_IPV6);
	count(&f, res);
	fill_headers(&f, res);
	/* Not XDP_TX: a veth forgets such when its peer has GRO, and no XDP. */
	return XDP_REDIRECT;
}
