// SPDX-License-Identifier: GPL-2.0
/*
 * Keeping templates true: devices are followed by the netdevice notifier,
 * outer routes by the FIB notifier, and neighbours are read live by the data
 * path. Whatever has no notifier is looked at once a second.
 */

#include "control/resolve.h"

#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>

#include "control/link.h"
#include "control/netlink.h"
#include "control/port.h"
#include "control/rest.h"
#include "control/tunnel.h"
#include "path/gate.h"
#include "path/nf.h"
#include "state/adj.h"
#include "state/except.h"
#include "state/fib.h"

#define RESOLVE_INTERVAL	HZ

/**
 * cni_resolve_now - resolve everything
 * @cn: namespace, RTNL held
 */
void cni_resolve_now(struct cni_net *cn)
{
	u32 seq = READ_ONCE(cn->outer_seq);
	struct cni_tunnel *tunnel;
	struct cni_link *link;

	ASSERT_RTNL();
	cni_nf_learn(cn->net);
	list_for_each_entry(link, &cn->links, list)
		cni_link_resolve(link);
	list_for_each_entry(tunnel, &cn->tunnels, list)
		cni_tunnel_resolve(tunnel);
	mutex_lock(&cn->lock);
	/* What was set before a change is retired before it can be sent by. */
	cni_fib_fold(cn);
	cni_adj_resolve(cn);
	mutex_unlock(&cn->lock);

	/* A route changed meanwhile: what was built may be of before. */
	if (READ_ONCE(cn->outer_seq) != seq) {
		rcu_read_lock();
		cni_adj_stale(cn);
		rcu_read_unlock();
	}
}

static void resolve_work(struct work_struct *work)
{
	struct cni_net *cn = container_of(to_delayed_work(work),
					  struct cni_net, resolve_work);
	bool news = xchg(&cn->announce, false);
	u64 blockers;
	int f;

	cni_fib_settle(cn, READ_ONCE(cn->fib.generation));
	rtnl_lock();
	cni_resolve_now(cn);
	for (f = 0; f < CNI_FAMILIES; f++) {
		blockers = cni_gate_net_blockers(cn, f, false);
		news |= blockers != cn->shown[f];
		cn->shown[f] = blockers;
	}
	cni_rest_look(cn);
	rtnl_unlock();
	cni_except_scan(cn);
	if (news)
		cni_netlink_state(cn);
	queue_delayed_work(cni_net_wq, &cn->resolve_work, RESOLVE_INTERVAL);
}

/**
 * cni_resolve_init - be ready to resolve things, from cni_net_kick() on
 * @cn: namespace
 */
void cni_resolve_init(struct cni_net *cn)
{
	INIT_DELAYED_WORK(&cn->resolve_work, resolve_work);
}

/**
 * cni_resolve_exit - stop
 * @cn: namespace
 */
void cni_resolve_exit(struct cni_net *cn)
{
	cancel_delayed_work_sync(&cn->resolve_work);
}

/* @dev may be another namespace's, where its number means another device. */
static struct cni_tunnel *tunnel_of(struct cni_net *cn,
				    const struct net_device *dev)
{
	struct cni_tunnel *tunnel = cni_object_tunnel(cn, dev->ifindex);

	return tunnel && tunnel->dev == dev ? tunnel : NULL;
}

static void forget_device(struct cni_net *cn, struct net_device *dev)
{
	struct cni_tunnel *tunnel = tunnel_of(cn, dev);
	struct cni_link *link, *next;
	struct cni_port *port = cni_object_port(cn, dev->ifindex);

	if (tunnel) {
		cni_netlink_tunnel_gone(tunnel);
		cni_tunnel_del(tunnel);
	}
	if (port && port->dev == dev) {
		cni_netlink_port_gone(port);
		cni_port_del(port);
	}
	/* A VLAN device goes before the device below it, as a rule. */
	list_for_each_entry_safe(link, next, &cn->links, list) {
		if (link->dev == dev || link->lower == dev) {
			cni_netlink_link_gone(link);
			cni_link_del(link);
		}
	}
}

static bool is_ours(struct cni_net *cn, const struct net_device *dev)
{
	struct cni_port *port;
	struct cni_link *link;

	list_for_each_entry(link, &cn->links, list)
		if (link->dev == dev || link->lower == dev)
			return true;
	list_for_each_entry(port, &cn->ports, list)
		if (port->dev == dev || (is_vlan_dev(port->dev) &&
					 vlan_dev_real_dev(port->dev) == dev))
			return true;
	return tunnel_of(cn, dev);
}

static bool is_followed(unsigned long event)
{
	switch (event) {
	case NETDEV_UNREGISTER:
	case NETDEV_UP:
	case NETDEV_DOWN:
	case NETDEV_GOING_DOWN:
	case NETDEV_CHANGE:
	case NETDEV_CHANGEMTU:
	case NETDEV_CHANGEADDR:
	case NETDEV_FEAT_CHANGE:
		return true;
	default:
		return false;
	}
}

/* Returns whether the namespace has anything to do with the device. */
static bool follow(struct cni_net *cn, struct net_device *dev,
		   unsigned long event)
{
	if (!cn->active || !is_ours(cn, dev))
		return false;
	if (event == NETDEV_UNREGISTER)
		forget_device(cn, dev);
	cni_resolve_now(cn);
	return true;
}

static int netdev_event(struct notifier_block *nb, unsigned long event,
			void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr), *upper;
	struct cni_net *cn = cni_net_of(dev_net(dev)), *rival;
	struct list_head *iter;
	bool followed;

	if (!is_followed(event))
		return NOTIFY_DONE;
	if (cn->active && event == NETDEV_UNREGISTER)
		cni_except_prune(cn);
	followed = follow(cn, dev, event);
	/* A VLAN device may be in another namespace than the one below it. */
	netdev_for_each_upper_dev_rcu(dev, upper, iter)
		if (!net_eq(dev_net(upper), cn->net))
			follow(cni_net_of(dev_net(upper)), dev, event);
	/* A gre device may take packets of the others, wherever it lives. */
	rival = cni_tunnel_rival(dev);
	if (rival && rival->active && (rival != cn || !followed))
		cni_resolve_now(rival);
	return NOTIFY_DONE;
}

static struct notifier_block netdev_nb = {
	.notifier_call = netdev_event,
};

/**
 * cni_resolve_register - follow the devices
 *
 * Return: 0 or an error.
 */
int cni_resolve_register(void)
{
	return register_netdevice_notifier(&netdev_nb);
}

/**
 * cni_resolve_unregister - follow the devices no longer
 */
void cni_resolve_unregister(void)
{
	unregister_netdevice_notifier(&netdev_nb);
}
