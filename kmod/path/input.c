// SPDX-License-Identifier: GPL-2.0
/*
 * The input stage: what can't be forwarded from here, but is a tunnel's, is
 * taken out of VLAN and GRE and handed to the stock gre device as that would
 * have received it. The stack goes on with the packet inside, netfilter and
 * local delivery included; saved is what it does to the outer one.
 */

#include "path/input.h"

#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/module.h>
#include <linux/skbuff.h>
#include <net/gre.h>
#include <net/inet_ecn.h>
#include <net/ip_tunnels.h>

#include "base/stats.h"
#include "path/decide.h"
#include "path/gate.h"
#include "state/decap.h"
#include "state/object.h"

/* What would see the outer packet on its way to the gre device? */
static bool is_clear(const struct cni_forward *fwd)
{
	const struct cni_decap *decap = fwd->decap;
	const struct net_device *dev = decap->link->dev;
	struct nf_hook_entries __rcu * const *hooks;

	hooks = cni_gate_nf_hooks(fwd->cn->net, CNI_V4);
	return !READ_ONCE(fwd->cn->fib.rules[CNI_V4]) &&
	       !cni_gate_xfrm(fwd->cn->net) &&
	       cni_gate_hooked_last(dev) &&
	       !cni_gate_heard_outer(dev, false) &&
	       !(decap->link->tagged && cni_gate_tapped(dev)) &&
	       (decap->bypass_nf || !cni_gate_nf_received(hooks));
}

/* What the stock device logs or drops is left to it. */
static bool ecn_ok(const struct cni_forward *fwd, struct sk_buff *skb)
{
	const void *inner = skb->data + fwd->off;
	u8 outer = ip_hdr(skb)->tos;
	bool set_ce;

	if (likely(INET_ECN_is_not_ect(outer)))
		return true;
	return !__INET_ECN_decapsulate(outer, fwd->proto == htons(ETH_P_IP) ?
				       ((const struct iphdr *)inner)->tos :
				       ipv6_get_dsfield(inner), &set_ce);
}

/**
 * cni_input_ready - can a packet be handed to the stock gre device?
 * @fwd: the packet, in a tunnel, whose outer header was checked
 * @skb: the same, at its outer header; may get another head
 *
 * In softirq, under rcu_read_lock(), as is the next.
 *
 * Return: whether it can; else it's as it was.
 */
bool cni_input_ready(const struct cni_forward *fwd, struct sk_buff *skb)
{
	const struct cni_decap *decap = fwd->decap;
	struct cni_checks *checks;
	unsigned int len;

	/* A checksum is verified by the stock device. */
	if (!decap->tunnel->rcv || decap->outer6 || decap->csum)
		return false;
	if (fwd->proto == htons(ETH_P_IP))
		len = sizeof(struct iphdr);
	else if (fwd->proto == htons(ETH_P_IPV6))
		len = sizeof(struct ipv6hdr);
	else
		return false;
	if (skb_is_gso(skb) && !skb->encapsulation)
		return false;
	checks = cni_decide_checks(fwd, decap->stats);
	if (unlikely(checks->input != fwd->now)) {
		if (!is_clear(fwd))
			return false;
		checks->input = fwd->now;
	}
	return fwd->off + len <= fwd->outer_len &&
	       pskb_may_pull(skb, fwd->off + len) && ecn_ok(fwd, skb);
}

/**
 * cni_input_deliver - hand a packet to the stock gre device
 * @fwd: the packet, ready
 * @skb: the same, out of its VLAN
 *
 * As ip_rcv_core(), ip_local_deliver_finish() and ipgre_rcv() do; of the
 * latter's functions those are called that change the packet.
 */
void cni_input_deliver(const struct cni_forward *fwd, struct sk_buff *skb)
{
	const struct cni_decap *decap = fwd->decap;
	unsigned int hdr_len = fwd->off - sizeof(struct iphdr);
	const struct tnl_ptk_info tpi = {
		.proto = fwd->proto,
		.key = decap->key,
		.hdr_len = hdr_len,
	};
	struct cni_tunnel *tunnel = decap->tunnel;

	if (unlikely(pskb_trim_rcsum(skb, fwd->outer_len)))
		goto no_memory;
	skb_set_transport_header(skb, sizeof(struct iphdr));
	if (!skb_sk_is_prefetched(skb))
		skb_orphan(skb);
	skb_clear_delivery_time(skb);
	__skb_pull(skb, sizeof(struct iphdr));
	if (unlikely(iptunnel_pull_header(skb, hdr_len, fwd->proto, false)))
		goto no_memory;
	skb_reset_mac_header(skb);
	cni_stats_handed(this_cpu_ptr(decap->link->stats));
	cni_stats_rx(this_cpu_ptr(tunnel->input), fwd->outer_len - fwd->off);
	tunnel->rcv(netdev_priv(decap->dev), skb, &tpi, NULL, false);
	return;

no_memory:
	kfree_skb_reason(skb, SKB_DROP_REASON_NOMEM);
	cni_stats_reason(decap->stats, CNILINK_REASON_NO_MEMORY);
}

/**
 * cni_input_init - have a tunnel's packets handed to its device
 * @tunnel: tunnel, RTNL held; nobody sees it yet
 *
 * The function is in a module that such devices need, and which stays as long
 * as the tunnel is there.
 */
void cni_input_init(struct cni_tunnel *tunnel)
{
	tunnel->rcv = symbol_get(ip_tunnel_rcv);
}

/**
 * cni_input_exit - have them handed there no more
 * @tunnel: tunnel that no reader sees
 */
void cni_input_exit(struct cni_tunnel *tunnel)
{
	if (tunnel->rcv)
		symbol_put(ip_tunnel_rcv);
}
