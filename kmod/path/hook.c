// SPDX-License-Identifier: GPL-2.0
/*
 * The netfilter ingress hook of the devices that frames come from. It is the
 * last of the device's ingress hooks, so that nothing the user put there is
 * bypassed.
 */

#include "path/hook.h"

#include <linux/rculist.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "base/epoch.h"
#include "base/witness.h"
#include "path/blocked.h"
#include "path/forward.h"
#include "path/frame.h"
#include "path/gate.h"
#include "state/decap.h"
#include "state/object.h"

static void rxdev_free_rcu(struct rcu_head *rcu)
{
	struct cni_rxdev *rx = container_of(rcu, struct cni_rxdev, rcu);

	free_percpu(rx->blocked);
	free_percpu(rx->witness);
	kfree(rx);
}

static struct cni_rxdev *rxdev_get(struct cni_net *cn, struct net_device *dev,
				   struct netlink_ext_ack *extack)
{
	struct cni_rxdev *rx;
	int i, err = -ENOMEM;

	ASSERT_RTNL();
	list_for_each_entry(rx, &cn->rxdevs, list) {
		if (rx->dev == dev) {
			rx->users++;
			return rx;
		}
	}

	rx = kzalloc(sizeof(*rx), GFP_KERNEL_ACCOUNT);
	if (!rx)
		return ERR_PTR(-ENOMEM);
	rx->witness = cni_witness_alloc();
	rx->blocked = alloc_percpu_gfp(struct cni_blocked_all,
				       GFP_KERNEL_ACCOUNT);
	if (!rx->witness || !rx->blocked)
		goto err_free;
	for (i = 0; i < ARRAY_SIZE(rx->links); i++)
		INIT_LIST_HEAD(&rx->links[i]);
	rx->dev = dev;
	rx->users = 1;
	cni_frame_watch(rx);
	rx->ops.hook = cni_forward_ingress;
	rx->ops.dev = dev;
	rx->ops.priv = rx;
	rx->ops.pf = NFPROTO_NETDEV;
	rx->ops.hooknum = NF_NETDEV_INGRESS;
	rx->ops.priority = INT_MAX;
	err = nf_register_net_hook(cn->net, &rx->ops);
	if (err) {
		NL_SET_ERR_MSG_MOD(extack,
				   "Can't hook into the device's ingress");
		goto err_free;
	}
	netdev_hold(dev, &rx->tracker, GFP_KERNEL);
	list_add_tail(&rx->list, &cn->rxdevs);
	return rx;

err_free:
	free_percpu(rx->blocked);
	free_percpu(rx->witness);
	kfree(rx);
	return ERR_PTR(err);
}

static void rxdev_put(struct cni_net *cn, struct cni_rxdev *rx)
{
	if (--rx->users)
		return;
	if (!rx->rest.resting)
		nf_unregister_net_hook(cn->net, &rx->ops);
	list_del(&rx->list);
	netdev_put(rx->dev, &rx->tracker);
	call_rcu(&rx->rcu, rxdev_free_rcu);
}

/**
 * cni_hook_add_link - begin to see a link's frames
 * @cn: namespace, RTNL held
 * @link: link
 * @extack: for the reason of a failure
 *
 * Return: 0 or an error.
 */
int cni_hook_add_link(struct cni_net *cn, struct cni_link *link,
		      struct netlink_ext_ack *extack)
{
	struct cni_rxdev *rx = rxdev_get(cn, link->lower, extack);

	if (IS_ERR(rx))
		return PTR_ERR(rx);
	link->rx = rx;
	list_add_tail_rcu(&link->rx_node, cni_hook_links(rx, link->vlan_id));
	WRITE_ONCE(rx->n_links, rx->n_links + 1);
	return 0;
}

/**
 * cni_hook_del_link - see a link's frames no longer
 * @link: link, RTNL held
 */
void cni_hook_del_link(struct cni_link *link)
{
	list_del_rcu(&link->rx_node);
	WRITE_ONCE(link->rx->n_links, link->rx->n_links - 1);
	cni_epoch_bump();
	rxdev_put(link->cn, link->rx);
}

/**
 * cni_hook_add_port - begin to see a port's frames
 * @cn: namespace, RTNL held
 * @port: port
 * @extack: for the reason of a failure
 *
 * Return: 0 or an error.
 */
int cni_hook_add_port(struct cni_net *cn, struct cni_port *port,
		      struct netlink_ext_ack *extack)
{
	struct cni_rxdev *rx = rxdev_get(cn, port->dev, extack);

	if (IS_ERR(rx))
		return PTR_ERR(rx);
	port->rx = rx;
	rcu_assign_pointer(rx->port, port);
	return 0;
}

/**
 * cni_hook_del_port - see a port's frames no longer
 * @port: port, RTNL held
 */
void cni_hook_del_port(struct cni_port *port)
{
	RCU_INIT_POINTER(port->rx->port, NULL);
	cni_epoch_bump();
	rxdev_put(port->cn, port->rx);
}

/**
 * cni_hook_pause - let the device's packets by unseen for a while
 * @cn: namespace, RTNL held
 * @rx: hook, registered
 */
void cni_hook_pause(struct cni_net *cn, struct cni_rxdev *rx)
{
	nf_unregister_net_hook(cn->net, &rx->ops);
	rx->rest.resting = true;
}

/**
 * cni_hook_resume - see them again
 * @cn: namespace, RTNL held
 * @rx: hook, resting
 *
 * Return: 0, or an error: it goes on resting.
 */
int cni_hook_resume(struct cni_net *cn, struct cni_rxdev *rx)
{
	int err = nf_register_net_hook(cn->net, &rx->ops);

	if (!err)
		rx->rest.resting = false;
	return err;
}
