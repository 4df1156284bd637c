/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_GROUP_H
#define _CNI_GROUP_H

#include <linux/types.h>

struct cni_adj;
struct cni_net;
struct cni_packet;
struct net_device;

#define CNI_GROUP_MAX		64
#define CNI_GROUP_WEIGHT_MAX	65536

/**
 * struct cni_hop - one of several next hops
 * @adj: the adjacency, referenced
 * @weight: its share, as the kernel counts it
 * @bound: the largest hash that is sent by it and by no earlier one, -1 for
 *	none; follows the device's state
 * @ready: that state for IPv6, as @bound has it
 */
struct cni_hop {
	struct cni_adj		*adj;
	u32			weight;
	s32			bound;
	bool			ready;
};

/**
 * struct cni_group - next hops that the flows of a route are spread over
 * @n: how many
 * @object: as of the adjacency
 * @hop: in the order that the kernel has them in
 *
 * Constant but for the hops' states, which change under cn->lock. Goes with the
 * adjacency that it belongs to.
 */
struct cni_group {
	unsigned int		n;
	u32			object;
	struct cni_hop		hop[];
};

const struct cni_adj *cni_group_pick(const struct cni_net *cn,
				     const struct cni_group *group,
				     struct cni_packet pkt, unsigned int off,
				     __be16 proto);
bool cni_group_uses(const struct cni_group *group,
		    const struct net_device *dev);
bool cni_group_has(const struct cni_group *group, u32 oif);
u64 cni_group_balance(struct cni_net *cn, struct cni_group *group);

#endif
