// SPDX-License-Identifier: GPL-2.0
/*
 * What stands in the way of all packets that come in alike is noted for the
 * epoch, as is that nothing does: the packets after the first one are punted at
 * the price of a comparison.
 */

#include "path/blocked.h"

#include <linux/jiffies.h>

#include "path/decide.h"

/* While packets are taken, those that aren't have no note made of them. */
#define TAKEN_LATELY	(HZ / 10)

static u32 tag_of(struct cni_packet pkt)
{
	return cni_packet_tagged(pkt) ?
	       cni_blocked_tag(cni_packet_vlan_proto(pkt),
			       cni_packet_vlan_tci(pkt)) : 0;
}

/**
 * cni_blocked_frame - is it known that XDP is to pass a frame?
 * @rx: hook of the device that received it
 * @frame: frame
 * @now: cni_epoch_now()
 * @reason: set to why, if it is
 *
 * Return: whether it is.
 */
bool cni_blocked_frame(const struct cni_rxdev *rx,
		       const struct cni_packet_frame *frame, u64 now,
		       enum cnilink_reason *reason)
{
	const struct cni_blocked *b;

	b = cni_blocked_of(rx, CNI_PATH_XDP, frame->protocol);
	if (b->epoch != now || b->proto != frame->protocol ||
	    b->tag != tag_of(cni_packet_frame(frame)))
		return false;
	*reason = b->reason;
	return true;
}

/* Does it stand in the way of packets, whatever is in them? */
static bool is_standing(enum cnilink_reason reason)
{
	switch (reason) {
	case CNILINK_REASON_FORWARDING_OFF:
	case CNILINK_REASON_NETFILTER:
	case CNILINK_REASON_NFT_DEVICE:
	case CNILINK_REASON_QDISC:
	case CNILINK_REASON_RULES:
	case CNILINK_REASON_RX_HANDLER:
	case CNILINK_REASON_TAP:
	case CNILINK_REASON_TC:
	case CNILINK_REASON_XDP:
	case CNILINK_REASON_XDP_OFFLOADS:
	case CNILINK_REASON_XDP_TARGET:
	case CNILINK_REASON_XFRM:
		return true;
	default:
		return false;
	}
}

/*
 * It may be in the way of those only that go, or come out of a tunnel, as this
 * one does. Then packets that nothing is in the way of must go on being taken.
 */
static bool is_mixed(struct cni_blocked *b, struct cni_stats *stats)
{
	u64 taken = u64_stats_read(&stats->rx_packets) +
		    u64_stats_read(&stats->xdp_packets) +
		    u64_stats_read(&stats->handed);

	if (b->stats == stats && b->taken == taken)
		return time_before(jiffies, b->since + TAKEN_LATELY);
	b->taken = taken;
	b->since = jiffies;
	return true;
}

/**
 * cni_blocked_note - take note of why a packet was punted
 * @rx: hook that it came in by
 * @fwd: the packet
 * @pkt: the same, as it came in
 * @reason: why
 * @stats: of the port or link that it came in by
 *
 * What is noted is freed after the epoch has changed. Packets of a port that
 * checks sources have to be looked at, so nothing is noted of them.
 */
void cni_blocked_note(const struct cni_rxdev *rx, const struct cni_forward *fwd,
		      struct cni_packet pkt, enum cnilink_reason reason,
		      struct cni_stats __percpu *stats)
{
	enum cni_path path = fwd->xdp ? CNI_PATH_XDP : CNI_PATH_SKB;
	const struct cni_port *port = rcu_dereference(rx->port);
	struct cni_stats *s = this_cpu_ptr(stats);
	bool by_port = port && port->stats == stats;
	struct cni_blocked *b;
	bool mixed;

	if (!is_standing(reason) ||
	    (by_port &&
	     READ_ONCE(port->flags) & CNILINK_PORT_FLAG_STRICT_SOURCE))
		return;
	b = cni_blocked_of(rx, path, cni_packet_proto(pkt));
	/* By a port there's but one way in for a family. */
	mixed = !(fwd->blocked && by_port) && is_mixed(b, s);
	b->stats = s;
	if (mixed)
		return;
	b->tag = tag_of(pkt);
	b->proto = cni_packet_proto(pkt);
	b->reason = reason;
	b->epoch = fwd->now;
}
