/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_LINK_H
#define _CNI_LINK_H

#include <linux/if_ether.h>
#include <linux/in6.h>
#include <linux/list.h>
#include <linux/netdevice.h>

#include "state/net.h"
#include "base/stats.h"

struct cni_rxdev;
struct netlink_ext_ack;

/**
 * struct cni_link_addr - the point-to-point addresses of a link
 * @has4: there are IPv4 addresses
 * @has6: there are IPv6 addresses
 * @local4: ours
 * @peer4: the other side's
 * @local6: ours
 * @peer6: the other side's
 */
struct cni_link_addr {
	bool			has4;
	bool			has6;
	__be32			local4;
	__be32			peer4;
	struct in6_addr		local6;
	struct in6_addr		peer6;
};

/**
 * struct cni_link - the CNI link
 * @list: in cn->links
 * @rx_node: in the lower device's list, for the data path
 * @cn: namespace
 * @dev: layer 3 device, VLAN or Ethernet
 * @lower: device that frames come from
 * @rx: hook on @lower
 * @tagged: frames carry @vlan_tci
 * @vlan_proto: network byte order
 * @vlan_id: VLAN ID
 * @addr: addresses
 * @blockers: what keeps it from being offloaded, devices aside
 * @stats: counters
 * @tracker: of the reference to @dev
 * @rcu: for freeing
 *
 * Written with the RTNL held. The data path reads what is constant.
 */
struct cni_link {
	struct list_head	list;
	struct list_head	rx_node;
	struct cni_net		*cn;
	struct net_device	*dev;
	struct net_device	*lower;
	struct cni_rxdev	*rx;
	bool			tagged;
	__be16			vlan_proto;
	u16			vlan_id;
	struct cni_link_addr	addr;
	u64			blockers;
	struct cni_stats __percpu *stats;
	netdevice_tracker	tracker;
	struct rcu_head		rcu;
};

struct cni_link *cni_link_find(struct cni_net *cn, u32 ifindex);
int cni_link_set(struct cni_net *cn, struct net_device *dev,
		 const struct cni_link_addr *addr,
		 struct netlink_ext_ack *extack);
void cni_link_del(struct cni_link *link);
void cni_link_resolve(struct cni_link *link);
u64 cni_link_blockers(const struct cni_link *link);
struct neighbour *cni_link_peer(const struct cni_link *link, int family);

#endif
