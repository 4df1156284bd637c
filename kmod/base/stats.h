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

/* XDP steps over more than the skb path does, and so has checks of its own. */
enum cni_path {
	CNI_PATH_SKB,
	CNI_PATH_XDP,
	CNI_PATHS,
};

/**
 * struct cni_checks - cached checks of one object on one CPU
 * @ingress: of packets that the object receives, per family
 * @probe: of health checks that it receives, per family
 * @egress: of packets that it sends
 * @input: of outer packets on their way to a tunnel's stock device
 * @blocked: of packets that it receives, per family, of which none can be taken
 * @blocked_by: why not, CNILINK_REASON_*
 *
 * Each is the epoch of the last check that found nothing in the way, @blocked
 * of the last one that found something, and good for that epoch; see
 * cni_epoch_now().
 */
struct cni_checks {
	u64			ingress[CNI_FAMILIES];
	u64			probe[CNI_FAMILIES];
	u64			egress;
	u64			input;
	u64			blocked[CNI_FAMILIES];
	u16			blocked_by[CNI_FAMILIES];
};

/**
 * struct cni_stats - counters of one object on one CPU
 * @checks: cached checks, by enum cni_path
 * @untag: the cached check of a link's VLAN device, whatever is in the frame
 * @handed: packets that a link received and that were handed to a tunnel's
 *	stock device; they count as punted, too
 * @rx_packets: packets that the object received and that were taken, as an skb
 * @rx_bytes: bytes of what was taken from the IP header on
 * @tx_packets: packets that the object sent
 * @tx_bytes: their bytes from the IP header on
 * @reason: packets that the object received and that weren't taken, by reason
 * @xdp_packets: packets that it received and XDP took
 * @xdp_reason: frames that XDP passed to the skb path, by reason
 * @syncp: for 32-bit readers
 *
 * Written in softirq by the owning CPU only.
 */
struct cni_stats {
	struct cni_checks	checks[CNI_PATHS];
	u64			untag;
	u64_stats_t		handed;
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

static inline void cni_stats_handed(struct cni_stats *s)
{
	u64_stats_update_begin(&s->syncp);
	u64_stats_inc(&s->handed);
	u64_stats_update_end(&s->syncp);
}

/* Where a stock VLAN device that is bypassed would have counted */
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

struct cni_stats __percpu *cni_stats_alloc(void);
void cni_stats_reason(struct cni_stats __percpu *stats,
		      enum cnilink_reason reason);
void cni_stats_xdp_reason(struct cni_stats __percpu *stats,
			  enum cnilink_reason reason);
u64 cni_stats_sum(struct cni_stats __percpu *stats, size_t offset);
void cni_stats_reason_add(struct cni_stats __percpu *stats,
			  enum cnilink_reason reason, u64 packets);
bool cni_stats_is_drop(enum cnilink_reason reason);
int cni_stats_fill(struct sk_buff *skb, int attrtype,
		   struct cni_stats __percpu *stats);

#endif
