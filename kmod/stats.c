// SPDX-License-Identifier: GPL-2.0
/* Per-CPU counters of an object, and how they are shown. */

#include "stats.h"

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

static int fill_count(struct sk_buff *skb, enum cnilink_reason reason,
		      u64 packets)
{
	struct nlattr *nest;

	nest = nla_nest_start(skb, cni_stats_is_drop(reason) ?
				   CNILINK_A_STATS_DROP : CNILINK_A_STATS_PUNT);
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
	u64 sum[4] = {}, reason[__CNILINK_REASON_MAX] = {};
	struct nlattr *nest;
	int cpu, i;

	for_each_possible_cpu(cpu) {
		const struct cni_stats *s = per_cpu_ptr(stats, cpu);
		u64 one[4], why[__CNILINK_REASON_MAX];
		unsigned int start;

		do {
			start = u64_stats_fetch_begin(&s->syncp);
			one[0] = u64_stats_read(&s->rx_packets);
			one[1] = u64_stats_read(&s->rx_bytes);
			one[2] = u64_stats_read(&s->tx_packets);
			one[3] = u64_stats_read(&s->tx_bytes);
			for (i = 0; i < ARRAY_SIZE(why); i++)
				why[i] = u64_stats_read(&s->reason[i]);
		} while (u64_stats_fetch_retry(&s->syncp, start));

		for (i = 0; i < ARRAY_SIZE(one); i++)
			sum[i] += one[i];
		for (i = 0; i < ARRAY_SIZE(why); i++)
			reason[i] += why[i];
	}

	nest = nla_nest_start(skb, attrtype);
	if (!nest)
		return -EMSGSIZE;
	for (i = 0; i < ARRAY_SIZE(sum); i++)
		if (nla_put_u64_64bit(skb, CNILINK_A_STATS_RX_PACKETS + i,
				      sum[i], CNILINK_A_STATS_PAD))
			return -EMSGSIZE;
	for (i = 0; i < ARRAY_SIZE(reason); i++)
		if (reason[i] && fill_count(skb, i, reason[i]))
			return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}
