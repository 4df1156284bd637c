/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_HOOK_H
#define _CNI_HOOK_H

#include <linux/list.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>

#include "state/net.h"

struct cni_link;
struct cni_port;
struct cni_witness;
struct netlink_ext_ack;

#define CNI_HOOK_BUCKETS	16

/**
 * struct cni_rxdev - a device whose ingress is hooked
 * @links: links whose frames arrive there by VLAN ID, RCU; without one, 0
 * @port: port that the device is, RCU, or NULL
 * @witness: VLAN IDs seen that are no link's
 * @dev: the device
 * @list: in cn->rxdevs
 * @ops: the hook
 * @watched: the device whose features tell what XDP sees of @dev's frames: its
 *	own, or a veth's peer, which goes together with it
 * @blind: those of them that hide something
 * @unfit: XDP is handed other frames than @dev receives, or unfinished ones
 * @n_links: links, for the data path
 * @users: links and ports
 * @tracker: of the reference to @dev
 * @rcu: for freeing
 *
 * Written with the RTNL held.
 */
struct cni_rxdev {
	struct list_head	links[CNI_HOOK_BUCKETS];
	struct cni_port __rcu	*port;
	struct cni_witness __percpu *witness;
	struct net_device	*dev;
	struct list_head	list;
	struct nf_hook_ops	ops;
	const struct net_device	*watched;
	netdev_features_t	blind;
	bool			unfit;
	unsigned int		n_links;
	unsigned int		users;
	netdevice_tracker	tracker;
	struct rcu_head		rcu;
};

static inline struct list_head *cni_hook_links(struct cni_rxdev *rx,
					       u16 vlan_tci)
{
	return &rx->links[vlan_tci % CNI_HOOK_BUCKETS];
}

int cni_hook_add_link(struct cni_net *cn, struct cni_link *link,
		      struct netlink_ext_ack *extack);
void cni_hook_del_link(struct cni_link *link);
int cni_hook_add_port(struct cni_net *cn, struct cni_port *port,
		      struct netlink_ext_ack *extack);
void cni_hook_del_port(struct cni_port *port);

#endif
