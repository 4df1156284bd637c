/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_PORT_H
#define _CNI_PORT_H

#include <linux/list.h>
#include <linux/netdevice.h>

#include "state/net.h"
#include "path/stage.h"
#include "base/stats.h"

struct cni_rxdev;
struct netlink_ext_ack;

/**
 * struct cni_port - a LAN device whose routed traffic is accelerated
 * @list: in cn->ports
 * @cn: namespace
 * @dev: the device
 * @rx: hook on it
 * @flags: CNILINK_PORT_FLAG_*; read by the data path
 * @stage: hook of @dev, for the MSS of what it sends
 * @stats: counters
 * @tracker: of the reference to @dev
 * @rcu: for freeing
 *
 * Written with the RTNL held.
 */
struct cni_port {
	struct list_head	list;
	struct cni_net		*cn;
	struct net_device	*dev;
	struct cni_rxdev	*rx;
	u32			flags;
	struct cni_stage	stage;
	struct cni_stats __percpu *stats;
	netdevice_tracker	tracker;
	struct rcu_head		rcu;
};

struct cni_port *cni_port_find(struct cni_net *cn, u32 ifindex);
int cni_port_set(struct cni_net *cn, struct net_device *dev, u32 flags,
		 const u16 *mss, struct netlink_ext_ack *extack);
void cni_port_del(struct cni_port *port);
u64 cni_port_blockers(const struct cni_port *port);

#endif
