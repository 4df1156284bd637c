/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_BLOCKED_H
#define _CNI_BLOCKED_H

#include <linux/if_ether.h>
#include <linux/if_vlan.h>
#include <linux/percpu.h>
#include <linux/skbuff.h>
#include <linux/types.h>

#include "base/packet.h"
#include "base/stats.h"
#include "state/object.h"

struct cni_forward;

/**
 * struct cni_blocked - what stands in the way of all that comes alike
 * @epoch: that it holds for
 * @tag: VLAN protocol and TCI of the packets, 0 for none
 * @proto: of the packets, network byte order
 * @reason: why they are punted
 * @stats: of the port, link or stage, this CPU's
 * @hits: packets that were punted for it
 * @taken: how many packets @stats had when one was refused last
 * @since: jiffies when that was found to have changed
 *
 * Of one CPU, hook and family. Such packets are punted with no look-up made.
 * @tag, @proto, @taken and @since aren't a stage's.
 */
struct cni_blocked {
	u64			epoch;
	u32			tag;
	__be16			proto;
	u16			reason;
	struct cni_stats	*stats;
	unsigned long		hits;
	u64			taken;
	unsigned long		since;
};

/* For each path, what is known of each family */
struct cni_blocked_all {
	struct cni_blocked	of[CNI_PATHS][CNI_FAMILIES];
};

static inline u32 cni_blocked_tag(__be16 vlan_proto, u16 vlan_tci)
{
	return (__force u32)vlan_proto << 16 | vlan_tci;
}

static inline struct cni_blocked *cni_blocked_of(const struct cni_rxdev *rx,
						 enum cni_path path,
						 __be16 proto)
{
	int family = proto == htons(ETH_P_IPV6) ? CNI_V6 : CNI_V4;

	return &this_cpu_ptr(rx->blocked)->of[path][family];
}

static __always_inline void cni_blocked_count(struct cni_blocked *b)
{
	b->hits++;
	u64_stats_update_begin(&b->stats->syncp);
	u64_stats_inc(&b->stats->reason[b->reason]);
	u64_stats_update_end(&b->stats->syncp);
}

/**
 * cni_blocked_skb - is it known that a packet is to be punted?
 * @rx: hook that it came in by
 * @skb: packet, counted as punted if it is
 * @now: cni_epoch_now()
 *
 * In softirq, under rcu_read_lock(), as are all of these. Inline as it is asked
 * of each packet: as a call it would cost the fast path 14 instructions.
 *
 * Return: whether it is.
 */
static __always_inline bool cni_blocked_skb(const struct cni_rxdev *rx,
					    const struct sk_buff *skb, u64 now)
{
	struct cni_blocked *b;
	u32 tag = 0;

	b = cni_blocked_of(rx, CNI_PATH_SKB, skb->protocol);
	if (likely(b->epoch != now))
		return false;
	if (skb_vlan_tag_present(skb))
		tag = cni_blocked_tag(skb->vlan_proto, skb->vlan_tci);
	if (b->tag != tag || b->proto != skb->protocol)
		return false;
	cni_blocked_count(b);
	return true;
}

bool cni_blocked_frame(const struct cni_rxdev *rx,
		       const struct cni_packet_frame *frame, u64 now,
		       enum cnilink_reason *reason);
void cni_blocked_note(const struct cni_rxdev *rx, const struct cni_forward *fwd,
		      struct cni_packet pkt, enum cnilink_reason reason,
		      struct cni_stats __percpu *stats);

#endif
