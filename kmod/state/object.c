// SPDX-License-Identifier: GPL-2.0
/* Links, tunnels and ports: what the data path and the FIB notifier read. */

#include "state/object.h"

#include <linux/inetdevice.h>
#include <linux/rculist.h>
#include <linux/rtnetlink.h>
#include <net/ipv6.h>

#include "base/epoch.h"
#include "lpm/lpm.h"
#include "state/decap.h"
#include "state/encap.h"
#include "state/net.h"

/**
 * cni_object_add - let a link, tunnel or port be found
 * @obj: object, with its namespace and device
 * @list: the namespace's list of its kind; RTNL held
 */
void cni_object_add(struct cni_object *obj, struct list_head *list)
{
	netdev_hold(obj->dev, &obj->tracker, GFP_KERNEL);
	list_add_tail_rcu(&obj->list, list);
	obj->cn->object_seq++;
}

/**
 * cni_object_remove - let it be found no more
 * @obj: object, RTNL held; its device is still referenced
 */
void cni_object_remove(struct cni_object *obj)
{
	list_del_rcu(&obj->list);
	obj->cn->object_seq++;
}

/**
 * cni_object_find - a link, tunnel or port by its device
 * @list: the namespace's list of its kind
 * @ifindex: of the device
 *
 * RTNL or RCU.
 *
 * Return: the object, or NULL.
 */
struct cni_object *cni_object_find(const struct list_head *list, u32 ifindex)
{
	struct cni_object *obj;

	list_for_each_entry_rcu(obj, list, list, lockdep_rtnl_is_held())
		if (obj->dev->ifindex == ifindex)
			return obj;
	return NULL;
}

/**
 * cni_object_link - a link by its device
 * @cn: namespace
 * @ifindex: of the layer 3 device
 *
 * RTNL or RCU.
 *
 * Return: the link, or NULL.
 */
struct cni_link *cni_object_link(struct cni_net *cn, u32 ifindex)
{
	struct cni_object *obj = cni_object_find(&cn->links, ifindex);

	return obj ? container_of(obj, struct cni_link, obj) : NULL;
}

/**
 * cni_object_tunnel - a tunnel by its device
 * @cn: namespace
 * @ifindex: of the gre device
 *
 * RTNL or RCU.
 *
 * Return: the tunnel, or NULL.
 */
struct cni_tunnel *cni_object_tunnel(struct cni_net *cn, u32 ifindex)
{
	struct cni_object *obj = cni_object_find(&cn->tunnels, ifindex);

	return obj ? container_of(obj, struct cni_tunnel, obj) : NULL;
}

/**
 * cni_object_port - a port by its device
 * @cn: namespace
 * @ifindex: of the device
 *
 * RTNL or RCU.
 *
 * Return: the port, or NULL.
 */
struct cni_port *cni_object_port(struct cni_net *cn, u32 ifindex)
{
	struct cni_object *obj = cni_object_find(&cn->ports, ifindex);

	return obj ? container_of(obj, struct cni_port, obj) : NULL;
}

/**
 * cni_object_stale - stop sending by tunnels until they're resolved again
 * @cn: namespace
 *
 * From any context, under rcu_read_lock().
 */
void cni_object_stale(struct cni_net *cn)
{
	struct cni_tunnel *tunnel;
	struct cni_encap *e;

	list_for_each_entry_rcu(tunnel, &cn->tunnels, list) {
		e = rcu_dereference(tunnel->encap);
		if (e)
			WRITE_ONCE(e->hold, CNI_ENCAP_STALE);
	}
	cni_epoch_bump();
}

static bool covers(const struct cni_prefix *prefix, int family,
		   const union cni_addr *addr)
{
	if (family == CNI_V6)
		return ipv6_prefix_equal(&prefix->v6, &addr->v6, prefix->len);
	return !((prefix->v4 ^ READ_ONCE(addr->v4)) &
		 inet_make_mask(prefix->len));
}

/**
 * cni_object_affected - does a change of the kernel's routes concern a tunnel?
 * @cn: namespace
 * @family: CNI_V4 or CNI_V6
 * @prefix: prefix that changed
 *
 * Under rcu_read_lock(), in any context.
 *
 * Return: whether the tunnels have to be resolved anew; they don't receive
 * until then.
 */
bool cni_object_affected(struct cni_net *cn, int family,
			 const struct cni_prefix *prefix)
{
	struct cni_tunnel *tunnel;
	struct cni_decap *decap;
	bool affected = false;

	list_for_each_entry_rcu(tunnel, &cn->tunnels, list) {
		if (READ_ONCE(tunnel->parms.family) != family ||
		    (!covers(prefix, family, &tunnel->parms.local) &&
		     !covers(prefix, family, &tunnel->parms.remote)))
			continue;
		affected = true;
		decap = rcu_dereference(tunnel->decap);
		if (decap)
			WRITE_ONCE(decap->stale, true);
	}
	if (affected)
		cni_epoch_bump();
	return affected;
}
