// SPDX-License-Identifier: GPL-2.0
/* The begin and the end of a namespace's use of the engine. */

#include "control/activate.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "control/link.h"
#include "control/port.h"
#include "control/resolve.h"
#include "control/tunnel.h"
#include "state/adj.h"
#include "state/except.h"
#include "state/fib.h"
#include "state/net.h"
#include "state/object.h"
#include "state/route.h"
#include "state/rule.h"

/* What there is without objects, once the FIB isn't watched. */
static void free_state(struct cni_net *cn)
{
	cni_resolve_exit(cn);
	cni_except_exit(cn);
	mutex_lock(&cn->lock);
	cni_route_exit(cn);
	cni_rule_exit(cn);
	mutex_unlock(&cn->lock);
	rcu_barrier();
	cni_adj_exit(cn);
}

/**
 * cni_activate - get a namespace ready for its first object or route
 * @cn: namespace, RTNL not held
 * @extack: for the reason of a failure
 *
 * Namespaces that have nothing to do with the engine cost next to nothing.
 *
 * Return: 0 or an error.
 */
int cni_activate(struct cni_net *cn, struct netlink_ext_ack *extack)
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
		free_state(cn);
		goto unlock;
	}
	rtnl_lock();
	mutex_lock(&cn->lock);
	cni_rule_read(cn);
	mutex_unlock(&cn->lock);
	cn->active = true;
	rtnl_unlock();
	/* It folds the FIB's changes, so not before that is watched. */
	cni_net_kick(cn);
unlock:
	mutex_unlock(&once);
	if (err == -ENOMEM)
		NL_SET_ERR_MSG_MOD(extack, "No memory to watch the namespace");
	else if (err && extack && !extack->_msg)
		NL_SET_ERR_MSG_MOD(extack,
				   "The namespace's routes can't be watched");
	return err;
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

/**
 * cni_activate_undo - delete all objects and routes of a namespace
 * @cn: namespace, active; the RTNL not held
 */
void cni_activate_undo(struct cni_net *cn)
{
	delete_objects(cn);
	cni_fib_exit(cn);
	free_state(cn);
}
