// SPDX-License-Identifier: GPL-2.0
/* The state of a network namespace, and the queue that its work goes to. */

#include "state/net.h"

#include <net/netns/generic.h>

struct workqueue_struct *cni_net_wq;
unsigned int cni_net_id __read_mostly;

/**
 * cni_net_of - the engine's state in a namespace
 * @net: namespace
 *
 * Return: the state; it lives as long as the namespace or the module.
 */
struct cni_net *cni_net_of(struct net *net)
{
	return net_generic(net, cni_net_id);
}

/**
 * cni_net_kick - resolve everything soon
 * @cn: namespace
 *
 * From any context.
 */
void cni_net_kick(struct cni_net *cn)
{
	WRITE_ONCE(cn->outer_seq, cn->outer_seq + 1);
	mod_delayed_work(cni_net_wq, &cn->resolve_work, 0);
}

/**
 * cni_net_announce - have user space told soon that the state changed
 * @cn: namespace
 *
 * From any context.
 */
void cni_net_announce(struct cni_net *cn)
{
	WRITE_ONCE(cn->announce, true);
	mod_delayed_work(cni_net_wq, &cn->resolve_work, 0);
}
