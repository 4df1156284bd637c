/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_TUNNEL_H
#define _CNI_TUNNEL_H

#include <linux/types.h>

#include "path/health.h"
#include "state/net.h"
#include "state/object.h"

struct neighbour;
struct net_device;
struct netlink_ext_ack;

/**
 * struct cni_tunnel_opts - what user space wants of a tunnel
 * @flags: CNILINK_TUNNEL_FLAG_*
 * @mss: largest TCP segment to let pass either way, per family; 0 for any
 * @rate: answers to health checks a second at most
 * @n: number of health checks
 * @check: what they look like, padding zeroed
 */
struct cni_tunnel_opts {
	u32			flags;
	u16			mss[CNI_FAMILIES];
	u32			rate;
	unsigned int		n;
	struct cni_health_check	check[CNI_HEALTH_MAX];
};

int cni_tunnel_set(struct cni_net *cn, struct net_device *dev,
		   const struct cni_tunnel_opts *opts,
		   struct netlink_ext_ack *extack);
void cni_tunnel_del(struct cni_tunnel *tunnel);
void cni_tunnel_resolve(struct cni_tunnel *tunnel);
void cni_tunnel_found_route(struct cni_tunnel *tunnel, struct cni_link *link,
			    struct neighbour *neigh, u32 mtu, bool mtu_locked);
struct cni_net *cni_tunnel_rival(const struct net_device *dev);
u64 cni_tunnel_blockers(const struct cni_tunnel *tunnel);

#endif
