/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_HOOK_H
#define _CNI_HOOK_H

#include <linux/list.h>

#include "state/object.h"

struct netlink_ext_ack;

static inline struct list_head *cni_hook_links(struct cni_rxdev *rx,
					       u16 vlan_tci)
{
	return &rx->links[vlan_tci % CNI_OBJECT_BUCKETS];
}

int cni_hook_add_link(struct cni_net *cn, struct cni_link *link,
		      struct netlink_ext_ack *extack);
void cni_hook_del_link(struct cni_link *link);
int cni_hook_add_port(struct cni_net *cn, struct cni_port *port,
		      struct netlink_ext_ack *extack);
void cni_hook_del_port(struct cni_port *port);
void cni_hook_pause(struct cni_net *cn, struct cni_rxdev *rx);
int cni_hook_resume(struct cni_net *cn, struct cni_rxdev *rx);

#endif
