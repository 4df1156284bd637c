// SPDX-License-Identifier: GPL-2.0
/* Frames from the CNI link: out of the VLAN, out of the tunnel, and on. */

#include "decap.h"

#include <linux/hash.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/netfilter.h>
#include <linux/rculist.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/gre.h>
#include <net/inet_ecn.h>
#include <net/ip.h>
#include <net/ip_tunnels.h>

#include "forward.h"
#include "gate.h"
#include "link.h"
#include "tunnel.h"

static unsigned int decap_hash(__be32 local, __be32 remote, __be32 key)
{
	return hash_32((__force u32)(local ^ remote ^ key),
		       CNI_DECAP_HASH_BITS);
}

/**
 * cni_decap_publish - start, go on or stop receiving by a tunnel
 * @tunnel: tunnel, resolved, RTNL held
 * @receive: whether packets shall be taken
 */
void cni_decap_publish(struct cni_tunnel *tunnel, bool receive)
{
	const struct cni_tunnel_parms *parms = &tunnel->parms;
	struct cni_decap *old, *decap = NULL;
	struct hlist_head *bucket;

	old = rcu_dereference_protected(tunnel->decap, lockdep_rtnl_is_held());
	if (receive && old && !old->stale && old->link == tunnel->link &&
	    old->local == parms->local && old->remote == parms->remote &&
	    old->keyed == parms->ikeyed && old->key == parms->ikey)
		return;

	if (receive)
		decap = kzalloc(sizeof(*decap), GFP_KERNEL_ACCOUNT);
	if (decap) {
		decap->local = parms->local;
		decap->remote = parms->remote;
		decap->keyed = parms->ikeyed;
		decap->key = parms->ikeyed ? parms->ikey : 0;
		decap->link = tunnel->link;
		decap->dev = tunnel->dev;
		decap->stats = tunnel->stats;
		bucket = &tunnel->cn->decaps[decap_hash(decap->local,
							decap->remote,
							decap->key)];
		hlist_add_head_rcu(&decap->node, bucket);
	}
	rcu_assign_pointer(tunnel->decap, decap);
	if (old) {
		hlist_del_rcu(&old->node);
		kfree_rcu(old, rcu);
	}
}

static struct cni_decap *decap_find(const struct cni_link *link,
				    const struct iphdr *iph, bool keyed,
				    __be32 key)
{
	struct cni_net *cn = link->cn;
	struct cni_decap *decap;
	struct hlist_head *bucket;

	bucket = &cn->decaps[decap_hash(iph->daddr, iph->saddr, key)];
	hlist_for_each_entry_rcu(decap, bucket, node)
		if (decap->remote == iph->saddr &&
		    decap->local == iph->daddr && decap->key == key &&
		    decap->keyed == keyed && decap->link == link)
			return READ_ONCE(decap->stale) ? NULL : decap;
	return NULL;
}

/* A tunnel's packet, by its outer headers. On success fwd->off is inside. */
static enum cnilink_reason find_tunnel(struct cni_link *link,
				       struct sk_buff *skb,
				       struct cni_forward *fwd,
				       unsigned int *outer_len,
				       struct cni_decap **found)
{
	unsigned int off = sizeof(struct iphdr) + sizeof(struct gre_base_hdr);
	const struct gre_base_hdr *greh;
	const struct iphdr *iph;
	struct cni_decap *decap;
	__be32 key = 0;

	if (unlikely(!pskb_may_pull(skb, off + sizeof(key))))
		return CNILINK_REASON_MALFORMED;
	iph = (void *)skb->data;
	if (unlikely(*(u8 *)iph != 0x45))
		return CNILINK_REASON_OPTIONS;
	if (unlikely(iph->frag_off & htons(IP_MF | IP_OFFSET)))
		return CNILINK_REASON_FRAGMENT;
	*outer_len = ntohs(iph->tot_len);
	if (unlikely(*outer_len > skb->len || ip_fast_csum(iph, 5)))
		return CNILINK_REASON_MALFORMED;

	greh = (void *)(iph + 1);
	if (greh->flags == GRE_KEY) {
		key = *(__be32 *)(greh + 1);
		off += sizeof(key);
	} else if (unlikely(greh->flags)) {
		return CNILINK_REASON_GRE_HEADER;
	}
	decap = decap_find(link, iph, greh->flags == GRE_KEY, key);
	if (unlikely(!decap))
		return CNILINK_REASON_GRE_UNKNOWN;
	*found = decap;
	fwd->dev = decap->dev;
	fwd->gre = true;
	fwd->off = off;
	fwd->proto = greh->protocol;
	return 0;
}

static enum cnilink_reason find_inner(struct cni_forward *fwd,
				      struct sk_buff *skb,
				      unsigned int outer_len)
{
	u8 outer = ((const struct iphdr *)skb->data)->tos;
	enum cnilink_reason reason;

	if (unlikely(skb_is_gso(skb) && !skb->encapsulation))
		return CNILINK_REASON_OFFLOAD;
	reason = cni_gate_dev_rx(fwd->dev);
	if (unlikely(reason))
		return reason;
	/* The length of a GSO packet's segments is counted from here. */
	skb_set_transport_header(skb, sizeof(struct iphdr));
	reason = cni_forward_find(fwd, skb);
	if (unlikely(reason))
		return reason;
	if (unlikely(fwd->off + fwd->len > outer_len))
		return CNILINK_REASON_MALFORMED;
	/* RFC 6040; what the stock device logs or drops is left to it. */
	if (unlikely(!INET_ECN_is_not_ect(outer)) &&
	    __INET_ECN_decapsulate(outer, fwd->dsfield, &fwd->set_ce))
		return CNILINK_REASON_ECN;
	fwd->set_ect1 = unlikely((outer & INET_ECN_MASK) == INET_ECN_ECT_1) &&
			(fwd->dsfield & INET_ECN_MASK) == INET_ECN_ECT_0;
	return 0;
}

static enum cnilink_reason find(struct cni_link *link, struct sk_buff *skb,
				struct cni_forward *fwd,
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
		reason = cni_gate_dev_rx(link->dev);
		if (unlikely(reason))
			return reason;
	} else if (unlikely(rcu_access_pointer(link->dev->rx_handler))) {
		return CNILINK_REASON_RX_HANDLER;
	}

	if (skb->protocol == htons(ETH_P_IP) &&
	    pskb_may_pull(skb, sizeof(struct iphdr)) &&
	    ((const struct iphdr *)skb->data)->protocol == IPPROTO_GRE) {
		gre = find_tunnel(link, skb, fwd, outer_len, decap);
		if (likely(!gre))
			return find_inner(fwd, skb, *outer_len);
	}
	reason = cni_forward_find(fwd, skb);
	/* For this host, and GRE: say why no tunnel took it. */
	return gre && reason == CNILINK_REASON_LOCAL ? gre : reason;
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
static int leave_tunnel(const struct cni_forward *fwd, struct sk_buff *skb,
			unsigned int outer_len)
{
	int err = iptunnel_pull_offloads(skb);

	if (unlikely(err))
		return err;
	__skb_pull(skb, fwd->off);
	skb->protocol = fwd->proto;
	skb_clear_hash_if_not_l4(skb);
	dev_sw_netstats_rx_add(fwd->dev, outer_len - fwd->off);
	return 0;
}

/**
 * cni_decap_rcv - a frame came in by a link
 * @link: link
 * @skb: frame, at its network header, its tag in the skb
 *
 * In softirq, under rcu_read_lock().
 *
 * Return: NF_ACCEPT when it's left to the kernel, or NF_STOLEN.
 */
unsigned int cni_decap_rcv(struct cni_link *link, struct sk_buff *skb)
{
	struct cni_forward fwd = {
		.cn = link->cn,
		.dev = link->dev,
		.proto = skb->protocol,
	};
	struct cni_decap *decap = NULL;
	enum cnilink_reason reason;
	unsigned int outer_len = 0;

	reason = find(link, skb, &fwd, &decap, &outer_len);
	if (unlikely(reason)) {
		cni_stats_reason(link->stats, reason);
		if (decap)
			cni_stats_reason(decap->stats, reason);
		return NF_ACCEPT;
	}

	skb_forward_csum(skb);
	if (link->tagged)
		leave_vlan(link, skb);
	if (decap && unlikely(leave_tunnel(&fwd, skb, outer_len))) {
		kfree_skb(skb);
		reason = CNILINK_REASON_NO_MEMORY;
		goto drop;
	}
	reason = cni_forward_send(&fwd, skb);
	if (unlikely(reason))
		goto drop;
	cni_stats_rx(link->stats, fwd.len);
	if (decap)
		cni_stats_rx(decap->stats, fwd.len);
	return NF_STOLEN;

drop:
	cni_stats_reason(link->stats, reason);
	if (decap)
		cni_stats_reason(decap->stats, reason);
	return NF_STOLEN;
}
