// SPDX-License-Identifier: GPL-2.0
/* Module init and exit, and the state of a network namespace. */

#include "state/net.h"

#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <net/genetlink.h>
#include <net/netns/generic.h>
#include <uapi/linux/cnilink.h>

#include "state/adj.h"
#include "state/except.h"
#include "state/fib.h"
#include "control/link.h"
#include "control/netlink.h"
#include "path/nf.h"
#include "control/port.h"
#include "control/resolve.h"
#include "state/route.h"
#include "state/rule.h"
#include "control/tunnel.h"
#include "path/xdp.h"

struct workqueue_struct *cni_main_wq;

static unsigned int cni_net_id __read_mostly;

/**
 * cni_main_net - the engine's state in a namespace
 * @net: namespace
 *
 * Return: the state; it lives as long as the namespace or the module.
 */
struct cni_net *cni_main_net(struct net *net)
{
	return net_generic(net, cni_net_id);
}

/**
 * cni_main_activate - get a namespace ready for its first object or route
 * @cn: namespace, RTNL not held
 * @extack: for the reason of a failure
 *
 * Namespaces that have nothing to do with the engine cost next to nothing.
 *
 * Return: 0 or an error.
 */
int cni_main_activate(struct cni_net *cn, struct netlink_ext_ack *extack)
{
	static DEFINE_MUTEX(once);
	int err = 0;

	mutex_lock(&once);
	if (cn->active)
		goto unlock;
	mutex_lock(&cn->lock);
	err = cni_adj_init(cn);
	if (!err) {
		err = cni_route_init(cn);
		if (err)
			cni_adj_exit(cn);
	}
	mutex_unlock(&cn->lock);
	if (err)
		goto unlock;
	cni_resolve_init(cn);
	err = cni_fib_init(cn, extack);
	if (err) {
		cni_resolve_exit(cn);
		cni_except_exit(cn);
		mutex_lock(&cn->lock);
		cni_route_exit(cn);
		cni_rule_exit(cn);
		mutex_unlock(&cn->lock);
		cni_adj_exit(cn);
		goto unlock;
	}
	rtnl_lock();
	mutex_lock(&cn->lock);
	cni_rule_read(cn);
	mutex_unlock(&cn->lock);
	cn->active = true;
	rtnl_unlock();
unlock:
	mutex_unlock(&once);
	if (err == -ENOMEM)
		NL_SET_ERR_MSG_MOD(extack, "No memory to watch the namespace");
	else if (err && extack && !extack->_msg)
		NL_SET_ERR_MSG_MOD(extack,
				   "The namespace's routes can't be watched");
	return err;
}

static int __net_init cni_net_init(struct net *net)
{
	struct cni_net *cn = cni_main_net(net);

	cn->net = net;
	mutex_init(&cn->lock);
	INIT_LIST_HEAD(&cn->links);
	INIT_LIST_HEAD(&cn->tunnels);
	INIT_LIST_HEAD(&cn->ports);
	INIT_LIST_HEAD(&cn->rxdevs);
	return 0;
}

/* Hooks first: after that nobody looks anything up here. */
static void delete_objects(struct cni_net *cn)
{
	struct cni_tunnel *tunnel, *next_tunnel;
	struct cni_link *link, *next_link;
	struct cni_port *port, *next_port;

	rtnl_lock();
	cn->active = false;
	list_for_each_entry_safe(port, next_port, &cn->ports, list)
		cni_port_del(port);
	list_for_each_entry_safe(tunnel, next_tunnel, &cn->tunnels, list)
		cni_tunnel_del(tunnel);
	list_for_each_entry_safe(link, next_link, &cn->links, list)
		cni_link_del(link);
	rtnl_unlock();
	synchronize_net();
}

static void __net_exit cni_net_exit(struct net *net)
{
	struct cni_net *cn = cni_main_net(net);

	if (!cn->active)
		return;
	delete_objects(cn);
	cni_fib_exit(cn);
	cni_resolve_exit(cn);
	cni_except_exit(cn);
	mutex_lock(&cn->lock);
	cni_route_exit(cn);
	cni_rule_exit(cn);
	mutex_unlock(&cn->lock);
	rcu_barrier();
	cni_adj_exit(cn);
}

static struct pernet_operations cni_net_ops = {
	.init	= cni_net_init,
	.exit	= cni_net_exit,
	.id	= &cni_net_id,
	.size	= sizeof(struct cni_net),
};

static int __init cni_init(void)
{
	int err = -ENOMEM;

	cni_main_wq = alloc_workqueue("cnilink", WQ_UNBOUND, 0);
	if (!cni_main_wq)
		return err;
	err = cni_nf_init();
	if (err)
		goto err_wq;
	err = register_pernet_subsys(&cni_net_ops);
	if (err)
		goto err_nf;
	err = cni_resolve_register();
	if (err)
		goto err_net;
	cni_xdp_register();
	err = cni_netlink_register();
	if (err)
		goto err_resolve;
	return 0;

err_resolve:
	cni_xdp_unregister();
	cni_resolve_unregister();
err_net:
	unregister_pernet_subsys(&cni_net_ops);
err_nf:
	cni_nf_exit();
err_wq:
	destroy_workqueue(cni_main_wq);
	return err;
}

static void __exit cni_exit(void)
{
	cni_netlink_unregister();
	cni_resolve_unregister();
	unregister_pernet_subsys(&cni_net_ops);
	/* Callbacks may queue work, and both run the module's code. */
	rcu_barrier();
	destroy_workqueue(cni_main_wq);
	rcu_barrier();
	cni_xdp_unregister();
	cni_nf_exit();
}

module_init(cni_init);
module_exit(cni_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Offload of GRE and VLAN forwarding on a Cloudflare Network Interconnect");
MODULE_AUTHOR("The cnilink authors");
MODULE_VERSION(CNI_MAIN_VERSION);
MODULE_ALIAS_GENL_FAMILY(CNILINK_FAMILY_NAME);
