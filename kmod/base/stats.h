/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_STATS_H
#define _CNI_STATS_H

#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/percpu.h>
#include <linux/types.h>
#include <linux/u64_stats_sync.h>
#include <uapi/linux/cnilink.h>

#include "base/addr.h"

struct sk_buff;

/* Cached checks of an object, good for one epoch; see cni_epoch_now(). */
enum {
	/* Packets that come in by it: of each family; those of XDP follow */
	CNI_STATS_IN,
	/* Health checks that do */
	CNI_STATS_PROBE		= CNI_STATS_IN + 2 * CNI_FAMILIES,
	/* Packets that are sent by it; those of XDP follow */
	CNI_STATS_OUT		= CNI_STATS_PROBE + 2 * CNI_FAMILIES,
	/* What leaves a link's VLAN, whatever is in it */
	CNI_STATS_UNTAG		= CNI_STATS_OUT + 2,
	CNI_STATS_SEEN,
};

/**
 * struct cni_stats - counters of one object on one CPU
 * @seen: the epoch of the last check that found nothing in the way
 * @rx_packets: packets that came in by the object and were taken, as an skb
 * @rx_bytes: bytes of what was taken from the IP header on
 * @tx_packets: packets that were sent by way of the object
 * @tx_bytes: their bytes from the IP header on
 * @reason: packets that came in by the object and weren't taken, by reason
 * @xdp_packets: packets that came in and were taken without one
 * @xdp_reason: frames that were left to the skb path, by reason
 * @syncp: for 32-bit readers
 *
 * Written in softirq by the owning CPU only.
 */
struct cni_stats {
	u64			seen[CNI_STATS_SEEN];
	u64_stats_t		rx_packets;
	u64_stats_t		rx_bytes;
	u64_stats_t		tx_packets;
	u64_stats_t		tx_bytes;
	u64_stats_t		reason[__CNILINK_REASON_MAX];
	u64_stats_t		xdp_packets;
	u64_stats_t		xdp_reason[__CNILINK_REASON_MAX];
	struct u64_stats_sync	syncp;
};

/* These count on the CPU that they are called on, with its own counters. */
static inline void cni_stats_rx(struct cni_stats *s, unsigned int len)
{
	u64_stats_update_begin(&s->syncp);
	u64_stats_inc(&s->rx_packets);
	u64_stats_add(&s->rx_bytes, len);
	u64_stats_update_end(&s->syncp);
}

static inline void cni_stats_tx(struct cni_stats *s, unsigned int len)
{
	u64_stats_update_begin(&s->syncp);
	u64_stats_inc(&s->tx_packets);
	u64_stats_add(&s->tx_bytes, len);
	u64_stats_update_end(&s->syncp);
}

static inline void cni_stats_reason(struct cni_stats __percpu *stats,
				    enum cnilink_reason reason)
{
	struct cni_stats *s = this_cpu_ptr(stats);

	u64_stats_update_begin(&s->syncp);
	u64_stats_inc(&s->reason[reason]);
	u64_stats_update_end(&s->syncp);
}

static inline void cni_stats_xdp_rx(struct cni_stats *s, unsigned int len)
{
	u64_stats_update_begin(&s->syncp);
	u64_stats_inc(&s->xdp_packets);
	u64_stats_add(&s->rx_bytes, len);
	u64_stats_update_end(&s->syncp);
}

static inline void cni_stats_xdp_reason(struct cni_stats __percpu *stats,
					enum cnilink_reason reason)
{
	struct cni_stats *s = this_cpu_ptr(stats);

	u64_stats_update_begin(&s->syncp);
	u64_stats_inc(&s->xdp_reason[reason]);
	u64_stats_update_end(&s->syncp);
}

/* Where a stock VLAN device that is stepped over would have counted */
static inline struct vlan_pcpu_stats *
cni_stats_vlan(const struct net_device *dev)
{
	return this_cpu_ptr(vlan_dev_priv(dev)->vlan_pcpu_stats);
}

static inline void cni_stats_vlan_rx(struct vlan_pcpu_stats *s,
				     unsigned int len)
{
	u64_stats_update_begin(&s->syncp);
	u64_stats_inc(&s->rx_packets);
	u64_stats_add(&s->rx_bytes, len);
	u64_stats_update_end(&s->syncp);
}

static inline void cni_stats_vlan_tx(struct vlan_pcpu_stats *s,
				     unsigned int len)
{
	u64_stats_update_begin(&s->syncp);
	u64_stats_inc(&s->tx_packets);
	u64_stats_add(&s->tx_bytes, len);
	u64_stats_update_end(&s->syncp);
}

/* And a stock gre device */
static inline void cni_stats_sw_rx(struct pcpu_sw_netstats *s, unsigned int len)
{
	u64_stats_update_begin(&s->syncp);
	u64_stats_inc(&s->rx_packets);
	u64_stats_add(&s->rx_bytes, len);
	u64_stats_update_end(&s->syncp);
}

static inline void cni_stats_sw_tx(struct pcpu_sw_netstats *s, unsigned int len)
{
	u64_stats_update_begin(&s->syncp);
	u64_stats_inc(&s->tx_packets);
	u64_stats_add(&s->tx_bytes, len);
	u64_stats_update_end(&s->syncp);
}

/* Packets with these reasons are lost; the others are left to the kernel. */
static inline bool cni_stats_is_drop(enum cnilink_reason reason)
{
	return reason == CNILINK_REASON_NO_MEMORY ||
	       reason == CNILINK_REASON_TRANSMIT ||
	       reason == CNILINK_REASON_STRICT_SOURCE;
}

struct cni_stats __percpu *cni_stats_alloc(void);
int cni_stats_fill(struct sk_buff *skb, int attrtype,
		   struct cni_stats __percpu *stats);

#endif
