// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel does to call a hook costs packets more than the hook that
 * finds something in the way. Hooks that are of no use for some seconds are
 * taken away, and put back once that changes; where it can't be seen from here,
 * for a second out of some. What passes meanwhile is counted by the stock
 * devices, whose counters are added to ours.
 */

#include "control/rest.h"

#include <linux/netdevice.h>
#include <linux/rtnetlink.h>

#include "control/link.h"
#include "control/port.h"
#include "control/tunnel.h"
#include "path/blocked.h"
#include "path/gate.h"
#include "path/hook.h"
#include "path/stage.h"
#include "state/object.h"

/* So many seconds of no use make a hook rest. */
#define REST_AFTER	10
/* A second in which as many packets are punted by note, and none is taken */
#define REST_HITS	256
/* For so long it rests when that is all that is known */
#define REST_SECONDS	8

/* What keeps all packets that come in by a port off the fast path */
static const enum cnilink_reason standing[] = {
	CNILINK_REASON_FORWARDING_OFF, CNILINK_REASON_NETFILTER,
	CNILINK_REASON_RULES, CNILINK_REASON_XFRM, CNILINK_REASON_RX_HANDLER,
	CNILINK_REASON_NFT_DEVICE,
};

/* The packets that were punted by note so far, and why most of them were */
static unsigned long hits_of(const struct cni_blocked *b, unsigned long *most,
			     enum cnilink_reason *reason)
{
	unsigned long hits = READ_ONCE(b->hits);

	if (hits > *most) {
		*most = hits;
		*reason = READ_ONCE(b->reason);
	}
	return hits;
}

static unsigned long rx_hits(const struct cni_rxdev *rx,
			     enum cnilink_reason *reason)
{
	unsigned long hits = 0, most = 0;
	int cpu, f;

	for_each_possible_cpu(cpu)
		for (f = 0; f < CNI_FAMILIES; f++)
			hits += hits_of(&per_cpu_ptr(rx->blocked, cpu)->
					of[CNI_PATH_SKB][f], &most, reason);
	return hits;
}

static u64 received(struct cni_stats __percpu *stats)
{
	return cni_stats_sum(stats, offsetof(struct cni_stats, rx_packets)) +
	       cni_stats_sum(stats, offsetof(struct cni_stats, xdp_packets)) +
	       cni_stats_sum(stats, offsetof(struct cni_stats, handed));
}

static u64 mix(u64 sum, u64 blockers)
{
	return sum * 31 + blockers;
}

/* All that stands in the way of anything, as a number */
static u64 blockers_of(struct cni_net *cn)
{
	const struct cni_tunnel *tunnel;
	const struct cni_link *link;
	const struct cni_port *port;
	u64 sum = mix(cn->shown[CNI_V4], cn->shown[CNI_V6]);

	list_for_each_entry(tunnel, &cn->tunnels, list)
		sum = mix(sum, cni_tunnel_blockers(tunnel));
	list_for_each_entry(link, &cn->links, list)
		sum = mix(sum, cni_link_blockers(link));
	list_for_each_entry(port, &cn->ports, list)
		sum = mix(sum, cni_port_blockers(port));
	return sum;
}

/* Add what a device has counted since the last time to an object's punts. */
static void count(struct cni_object *obj, struct cni_stats __percpu *stats,
		  enum cnilink_reason reason, bool sent)
{
	struct rtnl_link_stats64 all;
	u64 now;

	dev_get_stats(obj->dev, &all);
	now = sent ? all.tx_packets : all.rx_packets;
	if (reason)
		cni_stats_reason_add(stats, reason, now - obj->seen);
	obj->seen = now;
}

static void count_rx(struct cni_net *cn, const struct cni_rxdev *rx,
		     enum cnilink_reason reason)
{
	struct cni_link *link;
	struct cni_port *port;

	list_for_each_entry(link, &cn->links, list)
		if (link->rx == rx)
			count(&link->obj, link->stats, reason, false);
	list_for_each_entry(port, &cn->ports, list)
		if (port->rx == rx)
			count(&port->obj, port->stats, reason, false);
}

static void count_stage(struct cni_tunnel *tunnel, enum cnilink_reason reason)
{
	count(&tunnel->obj, tunnel->stage.stats, reason, true);
}

static u64 rx_taken(const struct cni_net *cn, const struct cni_rxdev *rx)
{
	const struct cni_link *link;
	const struct cni_port *port;
	u64 taken = 0;

	list_for_each_entry(link, &cn->links, list)
		if (link->rx == rx)
			taken += received(link->stats);
	list_for_each_entry(port, &cn->ports, list)
		if (port->rx == rx)
			taken += received(port->stats);
	return taken;
}

/* Why a hook is of no use, whatever comes; or 0. Links have a witness to it. */
static enum cnilink_reason rx_useless(const struct cni_net *cn,
				      const struct cni_rxdev *rx)
{
	const struct cni_port *port = rtnl_dereference(rx->port);
	u64 blockers;
	int i;

	if (!port || rx->n_links || cn->bypasses ||
	    port->flags & CNILINK_PORT_FLAG_STRICT_SOURCE)
		return 0;
	blockers = cni_port_blockers(port);
	for (i = 0; i < ARRAY_SIZE(standing); i++)
		if (blockers & cni_gate_blocker(standing[i]))
			return standing[i];
	return 0;
}

/*
 * Did the hook only cost since this was called last, a second ago? One without
 * packets says nothing.
 */
static bool rx_costs(const struct cni_net *cn, struct cni_rxdev *rx,
		     enum cnilink_reason *reason)
{
	unsigned long hits = rx_hits(rx, reason);
	struct cni_rest *rest = &rx->rest;
	u64 taken = rx_taken(cn, rx);
	bool costs = hits - rest->hits >= REST_HITS;

	if (taken != rest->taken) {
		rest->seconds = 0;
		costs = false;
	}
	rest->hits = hits;
	rest->taken = taken;
	return costs;
}

static void look_rx(struct cni_net *cn, struct cni_rxdev *rx, u64 blockers)
{
	enum cnilink_reason reason = rx_useless(cn, rx), noted = 0;
	struct cni_rest *rest = &rx->rest;
	bool news = rest->blockers != blockers;

	if (rest->resting) {
		count_rx(cn, rx, rest->reason);
		if (!reason && (news || ++rest->seconds >= REST_SECONDS) &&
		    !cni_hook_resume(cn, rx))
			rest->seconds = REST_AFTER - 1;
		return;
	}
	rest->blockers = blockers;
	if (news)
		rest->seconds = 0;
	if (rx_costs(cn, rx, &noted) || reason)
		rest->seconds++;
	if (rest->seconds < REST_AFTER)
		return;
	rest->seconds = 0;
	rest->reason = reason ?: noted;
	count_rx(cn, rx, 0);
	cni_hook_pause(cn, rx);
}

static void look_stage(struct cni_tunnel *tunnel)
{
	struct cni_rest *rest = &tunnel->stage.rest;
	enum cnilink_reason reason = cni_stage_useless(tunnel);

	if (rest->resting) {
		count_stage(tunnel, rest->reason);
		if (!reason)
			cni_stage_rest(&tunnel->stage, tunnel->cn->net, false);
		return;
	}
	rest->seconds = reason ? rest->seconds + 1 : 0;
	if (rest->seconds < REST_AFTER)
		return;
	rest->seconds = 0;
	rest->reason = reason;
	count_stage(tunnel, 0);
	cni_stage_rest(&tunnel->stage, tunnel->cn->net, true);
}

/**
 * cni_rest_look - let hooks rest that only cost, and see what the others miss
 * @cn: namespace, RTNL held; to be called once a second
 */
void cni_rest_look(struct cni_net *cn)
{
	struct cni_tunnel *tunnel;
	struct cni_rxdev *rx;
	u64 blockers;

	ASSERT_RTNL();
	blockers = blockers_of(cn);
	list_for_each_entry(rx, &cn->rxdevs, list)
		look_rx(cn, rx, blockers);
	list_for_each_entry(tunnel, &cn->tunnels, list)
		look_stage(tunnel);
}

/**
 * cni_rest_end - have all hooks see what comes
 * @cn: namespace, RTNL held
 */
void cni_rest_end(struct cni_net *cn)
{
	struct cni_tunnel *tunnel;
	struct cni_rxdev *rx;

	list_for_each_entry(rx, &cn->rxdevs, list) {
		if (!rx->rest.resting)
			continue;
		count_rx(cn, rx, rx->rest.reason);
		cni_hook_resume(cn, rx);
	}
	list_for_each_entry(tunnel, &cn->tunnels, list) {
		if (!tunnel->stage.rest.resting)
			continue;
		count_stage(tunnel, tunnel->stage.rest.reason);
		cni_stage_rest(&tunnel->stage, cn->net, false);
	}
}
