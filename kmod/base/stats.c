// SPDX-License-Identifier: GPL-2.0
/* Per-CPU counters of an object, and how they are shown. */

#include "base/stats.h"

#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <net/netlink.h>

/**
 * cni_stats_alloc - counters for one object
 *
 * Return: what free_percpu() frees, or NULL.
 */
struct cni_stats __percpu *cni_stats_alloc(void)
{
	return netdev_alloc_pcpu_stats(struct cni_stats);
}

/**
 * cni_stats_reason - count a packet that an object receives and isn't taken
 * @stats: the object's
 * @reason: why not
 *
 * With bottom halves off, as is the next.
 */
void cni_stats_reason(struct cni_stats __percpu *stats,
		      enum cnilink_reason reason)
{
	struct cni_stats *s = this_cpu_ptr(stats);

	u64_stats_update_begin(&s->syncp);
	u64_stats_inc(&s->reason[reason]);
	u64_stats_update_end(&s->syncp);
}

/**
 * cni_stats_xdp_reason - count a frame that XDP passes to the skb path
 * @stats: of the object that received it
 * @reason: why
 */
void cni_stats_xdp_reason(struct cni_stats __percpu *stats,
			  enum cnilink_reason reason)
{
	struct cni_stats *s = this_cpu_ptr(stats);

	u64_stats_update_begin(&s->syncp);
	u64_stats_inc(&s->xdp_reason[reason]);
	u64_stats_update_end(&s->syncp);
}

/**
 * cni_stats_is_drop - is a packet lost for that reason?
 * @reason: why it isn't taken
 *
 * Return: whether it is; it's punted else.
 */
bool cni_stats_is_drop(enum cnilink_reason reason)
{
	return reason == CNILINK_REASON_NO_MEMORY ||
	       reason == CNILINK_REASON_TRANSMIT ||
	       reason == CNILINK_REASON_STRICT_SOURCE;
}

static int fill_count(struct sk_buff *skb, int attrtype,
		      enum cnilink_reason reason, u64 packets)
{
	struct nlattr *nest;

	nest = nla_nest_start(skb, attrtype);
	if (!nest)
		return -EMSGSIZE;
	if (nla_put_u32(skb, CNILINK_A_COUNT_REASON, reason) ||
	    nla_put_u64_64bit(skb, CNILINK_A_COUNT_PACKETS, packets,
			      CNILINK_A_COUNT_PAD))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/**
 * cni_stats_sum - a counter of all CPUs
 * @stats: counters
 * @offset: of the counter in struct cni_stats
 *
 * Return: its value.
 */
u64 cni_stats_sum(struct cni_stats __percpu *stats, size_t offset)
{
	unsigned int start;
	u64 total = 0, one;
	int cpu;

	for_each_possible_cpu(cpu) {
		const struct cni_stats *s = per_cpu_ptr(stats, cpu);

		do {
			start = u64_stats_fetch_begin(&s->syncp);
			one = u64_stats_read((const u64_stats_t *)
					     ((const char *)s + offset));
		} while (u64_stats_fetch_retry(&s->syncp, start));
		total += one;
	}
	return total;
}

/**
 * cni_stats_reason_add - count packets that didn't come here
 * @stats: counters
 * @reason: why they were punted
 * @packets: how many
 */
void cni_stats_reason_add(struct cni_stats __percpu *stats,
			  enum cnilink_reason reason, u64 packets)
{
	struct cni_stats *s;

	local_bh_disable();
	s = this_cpu_ptr(stats);
	u64_stats_update_begin(&s->syncp);
	u64_stats_add(&s->reason[reason], packets);
	u64_stats_update_end(&s->syncp);
	local_bh_enable();
}

static int fill_reasons(struct sk_buff *skb, struct cni_stats __percpu *stats,
			size_t offset, bool xdp)
{
	u64 packets;
	int i, attr;

	for (i = 0; i < __CNILINK_REASON_MAX; i++) {
		packets = cni_stats_sum(stats,
					offset + i * sizeof(u64_stats_t));
		if (!packets)
			continue;
		if (cni_stats_is_drop(i))
			attr = CNILINK_A_STATS_DROP;
		else
			attr = xdp ? CNILINK_A_STATS_XDP_PASS :
				     CNILINK_A_STATS_PUNT;
		if (fill_count(skb, attr, i, packets))
			return -EMSGSIZE;
	}
	return 0;
}

/**
 * cni_stats_fill - put the sum of all CPUs' counters into a message
 * @skb: message
 * @attrtype: attribute that the counters are nested in
 * @stats: counters
 *
 * Return: 0 or -EMSGSIZE; the caller cancels the message then.
 */
int cni_stats_fill(struct sk_buff *skb, int attrtype,
		   struct cni_stats __percpu *stats)
{
	static const size_t offset[] = {
		offsetof(struct cni_stats, rx_packets),
		offsetof(struct cni_stats, rx_bytes),
		offsetof(struct cni_stats, tx_packets),
		offsetof(struct cni_stats, tx_bytes),
	};
	struct nlattr *nest;
	u64 xdp;
	int i;

	nest = nla_nest_start(skb, attrtype);
	if (!nest)
		return -EMSGSIZE;
	xdp = cni_stats_sum(stats, offsetof(struct cni_stats, xdp_packets));
	for (i = 0; i < ARRAY_SIZE(offset); i++)
		if (nla_put_u64_64bit(skb, CNILINK_A_STATS_RX_PACKETS + i,
				      cni_stats_sum(stats, offset[i]) +
				      (i ? 0 : xdp),
				      CNILINK_A_STATS_PAD))
			return -EMSGSIZE;
	if ((xdp && nla_put_u64_64bit(skb, CNILINK_A_STATS_XDP_PACKETS, xdp,
				      CNILINK_A_STATS_PAD)) ||
	    fill_reasons(skb, stats, offsetof(struct cni_stats, reason),
			 false) ||
	    fill_reasons(skb, stats, offsetof(struct cni_stats, xdp_reason),
			 true))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}
