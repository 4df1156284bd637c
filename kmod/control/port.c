// SPDX-License-Identifier: GPL-2.0
/* LAN ports. */

#include "control/port.h"

#include <linux/if_arp.h>
#include <linux/if_vlan.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "base/epoch.h"
#include "control/link.h"
#include "control/resolve.h"
#include "path/gate.h"
#include "path/hook.h"
#include "path/stage.h"

static struct cni_port *port_add(struct cni_net *cn, struct net_device *dev,
				 struct netlink_ext_ack *extack)
{
	struct cni_port *port;
	int err = -ENOMEM;

	if (dev->type != ARPHRD_ETHER || dev->flags & IFF_LOOPBACK) {
		NL_SET_ERR_MSG_MOD(extack,
				   "A port is an Ethernet or VLAN device");
		return ERR_PTR(-EOPNOTSUPP);
	}
	if (cni_object_link(cn, dev->ifindex)) {
		NL_SET_ERR_MSG_MOD(extack, "The device is a link already");
		return ERR_PTR(-EBUSY);
	}

	port = kzalloc(sizeof(*port), GFP_KERNEL_ACCOUNT);
	if (!port)
		return ERR_PTR(err);
	port->stats = cni_stats_alloc();
	if (!port->stats)
		goto err_free;
	port->cn = cn;
	port->dev = dev;
	err = cni_hook_add_port(cn, port, extack);
	if (err)
		goto err_stats;
	cni_object_add(&port->obj, &cn->ports);
	return port;

err_stats:
	free_percpu(port->stats);
err_free:
	kfree(port);
	return ERR_PTR(err);
}

static void set_flags(struct cni_port *port, u32 flags)
{
	struct cni_net *cn = port->cn;

	if (port->flags & CNILINK_PORT_FLAG_BYPASS_NETFILTER)
		WRITE_ONCE(cn->bypasses, cn->bypasses - 1);
	if (flags & CNILINK_PORT_FLAG_BYPASS_NETFILTER)
		WRITE_ONCE(cn->bypasses, cn->bypasses + 1);
	WRITE_ONCE(port->flags, flags);
}

/**
 * cni_port_set - add a port or replace one's options
 * @cn: namespace, RTNL held
 * @dev: the device
 * @flags: CNILINK_PORT_FLAG_*
 * @mss: largest TCP segment for it to send, per family; 0 for any
 * @extack: for the reason of a failure
 *
 * Return: 0 or an error.
 */
int cni_port_set(struct cni_net *cn, struct net_device *dev, u32 flags,
		 const u16 *mss, struct netlink_ext_ack *extack)
{
	struct cni_port *port = cni_object_port(cn, dev->ifindex);
	bool new = !port;
	int err;

	if (new)
		port = port_add(cn, dev, extack);
	if (IS_ERR(port))
		return PTR_ERR(port);
	err = cni_stage_set(&port->stage, cn->net, dev, false,
			    mss[CNI_V4] || mss[CNI_V6], extack);
	if (err && new)
		cni_port_del(port);
	if (err)
		return err;
	cni_stage_clamp(&port->stage, mss);
	set_flags(port, flags);
	cni_epoch_bump();
	return 0;
}

static void port_free_rcu(struct rcu_head *rcu)
{
	struct cni_port *port = container_of(rcu, struct cni_port, rcu);

	free_percpu(port->stats);
	kfree(port);
}

/**
 * cni_port_del - stop accelerating a port
 * @port: port, RTNL held
 */
void cni_port_del(struct cni_port *port)
{
	cni_object_remove(&port->obj);
	set_flags(port, 0);
	cni_stage_set(&port->stage, port->cn->net, port->dev, false, false,
		      NULL);
	cni_hook_del_port(port);
	/* Templates count there: they go first. */
	cni_resolve_now(port->cn);
	netdev_put(port->dev, &port->tracker);
	call_rcu(&port->rcu, port_free_rcu);
}

/* What stands in the way of all families that the links carry. */
static u64 net_blockers(const struct cni_port *port)
{
	bool bypass = port->flags & CNILINK_PORT_FLAG_BYPASS_NETFILTER;
	const struct cni_net *cn = port->cn;
	bool none = !cni_gate_carries(cn, CNI_V4) &&
		    !cni_gate_carries(cn, CNI_V6);
	u64 blockers = U64_MAX;
	int f;

	for (f = 0; f < CNI_FAMILIES; f++)
		if (none || cni_gate_carries(cn, f))
			blockers &= cni_gate_net_blockers(cn, f, bypass);
	return blockers;
}

/**
 * cni_port_blockers - what keeps a port from being accelerated at the moment
 * @port: port, RTNL held
 *
 * What stands in the way of one family only is in the namespace's status.
 *
 * Return: a set of enum cnilink_blocker.
 */
u64 cni_port_blockers(const struct cni_port *port)
{
	const struct net *net = port->cn->net;
	u64 blockers = net_blockers(port);

	rcu_read_lock();
	if (!cni_gate_forwards(net, port->dev, CNI_V4) &&
	    !cni_gate_forwards(net, port->dev, CNI_V6))
		blockers |= CNILINK_BLOCKER_FORWARDING_OFF;
	if (rcu_access_pointer(port->dev->rx_handler))
		blockers |= CNILINK_BLOCKER_RX_HANDLER;
	if (cni_gate_heard(port->dev, htons(ETH_P_IP)) ||
	    cni_gate_heard(port->dev, htons(ETH_P_IPV6)))
		blockers |= CNILINK_BLOCKER_TAP;
	if (!port->rx->rest.resting && !cni_gate_hooked_last(port->dev))
		blockers |= CNILINK_BLOCKER_NFT_DEVICE;
	if (is_vlan_dev(port->dev))
		blockers |= cni_gate_blocker(cni_gate_dev_tx(port->dev));
	rcu_read_unlock();
	if (!netif_running(port->dev) || !netif_carrier_ok(port->dev))
		blockers |= CNILINK_BLOCKER_DEVICE_DOWN;
	return blockers;
}
