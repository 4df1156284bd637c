// SPDX-License-Identifier: GPL-2.0
/* Module init and exit, and the state of a network namespace. */

#include <linux/module.h>
#include <net/genetlink.h>
#include <uapi/linux/cnilink.h>

#include "control/activate.h"
#include "control/netlink.h"
#include "control/resolve.h"
#include "path/nf.h"
#include "path/xdp.h"
#include "state/net.h"

static int __net_init init_net_state(struct net *net)
{
	struct cni_net *cn = cni_net_of(net);

	cn->net = net;
	mutex_init(&cn->lock);
	INIT_LIST_HEAD(&cn->links);
	INIT_LIST_HEAD(&cn->tunnels);
	INIT_LIST_HEAD(&cn->ports);
	INIT_LIST_HEAD(&cn->rxdevs);
	return 0;
}

static void __net_exit exit_net_state(struct net *net)
{
	struct cni_net *cn = cni_net_of(net);

	if (cn->active)
		cni_activate_undo(cn);
}

static struct pernet_operations net_ops = {
	.init	= init_net_state,
	.exit	= exit_net_state,
	.id	= &cni_net_id,
	.size	= sizeof(struct cni_net),
};

static int __init cni_init(void)
{
	int err = -ENOMEM;

	cni_net_wq = alloc_workqueue("cnilink", WQ_UNBOUND, 0);
	if (!cni_net_wq)
		return err;
	err = cni_nf_init();
	if (err)
		goto err_wq;
	err = register_pernet_subsys(&net_ops);
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
	unregister_pernet_subsys(&net_ops);
err_nf:
	cni_nf_exit();
err_wq:
	destroy_workqueue(cni_net_wq);
	return err;
}

static void __exit cni_exit(void)
{
	cni_netlink_unregister();
	cni_resolve_unregister();
	unregister_pernet_subsys(&net_ops);
	/* Callbacks may queue work, and both run the module's code. */
	rcu_barrier();
	destroy_workqueue(cni_net_wq);
	rcu_barrier();
	cni_xdp_unregister();
	cni_nf_exit();
}

module_init(cni_init);
module_exit(cni_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Offload of GRE and VLAN forwarding on a Cloudflare Network Interconnect");
MODULE_AUTHOR("The cnilink authors");
MODULE_VERSION(CNILINK_VERSION);
MODULE_ALIAS_GENL_FAMILY(CNILINK_FAMILY_NAME);
