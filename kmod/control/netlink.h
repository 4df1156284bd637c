/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_NETLINK_H
#define _CNI_NETLINK_H

#include <linux/types.h>

struct cni_link;
struct cni_net;
struct cni_port;
struct cni_tunnel;

int cni_netlink_register(void);
void cni_netlink_unregister(void);
void cni_netlink_link_gone(const struct cni_link *link);
void cni_netlink_tunnel_gone(const struct cni_tunnel *tunnel);
void cni_netlink_port_gone(const struct cni_port *port);
void cni_netlink_state(struct cni_net *cn);

#endif
