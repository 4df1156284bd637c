/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_LINK_H
#define _CNI_LINK_H

#include <linux/types.h>

#include "state/object.h"

struct neighbour;
struct net_device;
struct netlink_ext_ack;

int cni_link_set(struct cni_net *cn, struct net_device *dev,
		 const struct cni_link_addr *addr,
		 struct netlink_ext_ack *extack);
void cni_link_del(struct cni_link *link);
void cni_link_resolve(struct cni_link *link);
u64 cni_link_blockers(const struct cni_link *link);
struct neighbour *cni_link_peer(const struct cni_link *link, int family);

#endif
