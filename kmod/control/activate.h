/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_ACTIVATE_H
#define _CNI_ACTIVATE_H

struct cni_net;
struct netlink_ext_ack;

int cni_activate(struct cni_net *cn, struct netlink_ext_ack *extack);
void cni_activate_undo(struct cni_net *cn);

#endif
