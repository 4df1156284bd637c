// SPDX-License-Identifier: GPL-2.0
/* The CNI link: the device that Cloudflare is at the other end of. */

#include "control/link.h"

#include <linux/if_arp.h>
#include <linux/if_vlan.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/arp.h>
#include <net/ipv6_stubs.h>

#include "base/epoch.h"
#include "control/port.h"
#include "control/resolve.h"
#include "path/gate.h"
#include "path/hook.h"

static struct cni_link *link_add(struct cni_net *cn, struct net_device *dev,
				 struct netlink_ext_ack *extack)
{
	struct cni_link *link;
	int err = -ENOMEM;

	if (dev->type != ARPHRD_ETHER || dev->flags & IFF_LOOPBACK) {
		NL_SET_ERR_MSG_MOD(extack,
				   "A link is a VLAN or Ethernet device");
		return ERR_PTR(-EOPNOTSUPP);
	}
	if (cni_object_port(cn, dev->ifindex)) {
		NL_SET_ERR_MSG_MOD(extack, "The device is a port already");
		return ERR_PTR(-EBUSY);
	}

	link = kzalloc(sizeof(*link), GFP_KERNEL_ACCOUNT);
	if (!link)
		return ERR_PTR(err);
	link->stats = cni_stats_alloc();
	if (!link->stats)
		goto err_free;
	link->cn = cn;
	link->dev = dev;
	link->lower = dev;
	if (is_vlan_dev(dev)) {
		link->tagged = true;
		link->lower = vlan_dev_priv(dev)->real_dev;
		link->vlan_proto = vlan_dev_priv(dev)->vlan_proto;
		link->vlan_id = vlan_dev_priv(dev)->vlan_id;
	}
	/* Its frames are taken there. */
	err = -EOPNOTSUPP;
	if (!net_eq(dev_net(link->lower), cn->net)) {
		NL_SET_ERR_MSG_MOD(extack,
				   "The device below it is in another network namespace");
		goto err_stats;
	}
	err = cni_hook_add_link(cn, link, extack);
	if (err)
		goto err_stats;
	cni_object_add(&link->obj, &cn->links);
	return link;

err_stats:
	free_percpu(link->stats);
err_free:
	kfree(link);
	return ERR_PTR(err);
}

/**
 * cni_link_set - add a link or replace one's addresses
 * @cn: namespace, RTNL held
 * @dev: layer 3 device
 * @addr: addresses
 * @extack: for the reason of a failure
 *
 * Return: 0 or an error.
 */
int cni_link_set(struct cni_net *cn, struct net_device *dev,
		 const struct cni_link_addr *addr,
		 struct netlink_ext_ack *extack)
{
	struct cni_link *link = cni_object_link(cn, dev->ifindex);

	if (!link)
		link = link_add(cn, dev, extack);
	if (IS_ERR(link))
		return PTR_ERR(link);
	link->addr = *addr;
	return 0;
}

static void link_free_rcu(struct rcu_head *rcu)
{
	struct cni_link *link = container_of(rcu, struct cni_link, rcu);

	free_percpu(link->stats);
	kfree(link);
}

/**
 * cni_link_del - stop offloading a link
 * @link: link, RTNL held
 */
void cni_link_del(struct cni_link *link)
{
	cni_object_remove(&link->obj);
	cni_hook_del_link(link);
	/* Templates count there: they go first. */
	cni_resolve_now(link->cn);
	netdev_put(link->dev, &link->tracker);
	call_rcu(&link->rcu, link_free_rcu);
}

/**
 * cni_link_peer - the neighbour at the other end
 * @link: link
 * @family: CNI_V4 or CNI_V6
 *
 * Return: the neighbour, referenced, or NULL.
 */
struct neighbour *cni_link_peer(const struct cni_link *link, int family)
{
	const struct cni_link_addr *addr = &link->addr;

	if (family == CNI_V4)
		return addr->has4 ?
		       neigh_lookup(&arp_tbl, &addr->peer4, link->dev) : NULL;
	if (!addr->has6)
		return NULL;
	return neigh_lookup(cni_compat_nd_tbl(), &addr->peer6, link->dev);
}

/* Ask for the peer's MAC address before the first packet needs it. */
static void warm_peer(const struct cni_link *link, struct neigh_table *tbl,
		      const void *peer)
{
	struct neighbour *n = __neigh_lookup_errno(tbl, peer, link->dev);

	if (IS_ERR(n))
		return;
	neigh_event_send(n, NULL);
	neigh_release(n);
}

/**
 * cni_link_resolve - look at a link's devices and peers anew
 * @link: link, RTNL held
 */
void cni_link_resolve(struct cni_link *link)
{
	u64 blockers = 0;

	if (!netif_running(link->dev) || !netif_running(link->lower) ||
	    !netif_carrier_ok(link->lower))
		blockers |= CNILINK_BLOCKER_DEVICE_DOWN;
	if (link->tagged &&
	    !(vlan_dev_priv(link->dev)->flags & VLAN_FLAG_REORDER_HDR))
		blockers |= CNILINK_BLOCKER_VLAN_FLAGS;
	if (blockers != link->blockers) {
		WRITE_ONCE(link->blockers, blockers);
		cni_epoch_bump();
	}
	if (blockers)
		return;

	if (link->addr.has4)
		warm_peer(link, &arp_tbl, &link->addr.peer4);
	if (link->addr.has6)
		warm_peer(link, cni_compat_nd_tbl(), &link->addr.peer6);
}

/**
 * cni_link_blockers - what keeps a link from being offloaded at the moment
 * @link: link, RTNL held
 *
 * Return: a set of enum cnilink_blocker.
 */
u64 cni_link_blockers(const struct cni_link *link)
{
	u64 blockers = link->blockers;

	rcu_read_lock();
	if (cni_gate_heard(link->dev, htons(ETH_P_IP)) ||
	    cni_gate_heard(link->dev, htons(ETH_P_IPV6)))
		blockers |= CNILINK_BLOCKER_TAP;
	if (!link->rx->rest.resting && !cni_gate_hooked_last(link->dev))
		blockers |= CNILINK_BLOCKER_NFT_DEVICE;
	if (!link->tagged) {
		if (rcu_access_pointer(link->dev->rx_handler))
			blockers |= CNILINK_BLOCKER_RX_HANDLER;
	} else {
		blockers |= cni_gate_blocker(cni_gate_dev_rx(link->dev)) |
			    cni_gate_blocker(cni_gate_dev_tx(link->dev));
	}
	rcu_read_unlock();
	return blockers;
}
