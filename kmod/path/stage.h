/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_STAGE_H
#define _CNI_STAGE_H

#include <linux/netfilter.h>
#include <linux/types.h>

#include "state/net.h"
#include "base/stats.h"

struct cni_tunnel;
struct net;
struct net_device;
struct netlink_ext_ack;
struct sk_buff;

/**
 * struct cni_stage - hooks of a stock gre device, or of a port
 * @in: ingress hook, of gre devices only
 * @out: egress hook
 * @has_in: @in is registered
 * @has_out: @out is registered
 * @tunnel: whose device it is, NULL for a port
 * @mss: largest TCP segment to let pass, per family; 0 for any
 * @tracked: jiffies when a packet was last left to connection tracking
 * @stats: what the stack gave to a tunnel's device: tx what was sent from here,
 *	and reasons of the rest
 *
 * Written with the RTNL held, but for @tracked, by the data path, once a
 * second. The hooks read the rest.
 */
struct cni_stage {
	struct nf_hook_ops	in;
	struct nf_hook_ops	out;
	bool			has_in;
	bool			has_out;
	struct cni_tunnel	*tunnel;
	u16			mss[CNI_FAMILIES];
	unsigned long		tracked;
	struct cni_stats __percpu *stats;
};

unsigned int cni_stage_ingress(void *priv, struct sk_buff *skb,
			       const struct nf_hook_state *state);
unsigned int cni_stage_egress(void *priv, struct sk_buff *skb,
			      const struct nf_hook_state *state);
int cni_stage_set(struct cni_stage *stage, struct net *net,
		  struct net_device *dev, bool in, bool out,
		  struct netlink_ext_ack *extack);
void cni_stage_clamp(struct cni_stage *stage, const u16 *mss);

#endif
