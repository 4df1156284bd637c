/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_PORT_H
#define _CNI_PORT_H

#include <linux/types.h>

#include "state/object.h"

struct net_device;
struct netlink_ext_ack;

int cni_port_set(struct cni_net *cn, struct net_device *dev, u32 flags,
		 const u16 *mss, struct netlink_ext_ack *extack);
void cni_port_del(struct cni_port *port);
u64 cni_port_blockers(const struct cni_port *port);

#endif
