/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_NETLINK_H
#define _CNI_NETLINK_H

#include <linux/types.h>
#include <net/genetlink.h>

#include "control/netlink-gen.h"
#include "state/net.h"

struct cni_link;
struct cni_port;
struct cni_tunnel;
struct neighbour;

/* Puts the attributes of a message; what it is about is in @arg. */
typedef int (*cni_netlink_fill)(struct sk_buff *skb, const void *arg);

static inline struct cni_net *cni_netlink_net(struct genl_info *info)
{
	return cni_net_of(genl_info_net(info));
}

int cni_netlink_register(void);
void cni_netlink_unregister(void);
void cni_netlink_state(struct cni_net *cn);
int cni_netlink_refuse(struct netlink_ext_ack *extack,
		       const struct nlattr *attr);
int cni_netlink_refuse_all(const struct nlmsghdr *nlh,
			   struct netlink_ext_ack *extack);
int cni_netlink_check_ipv6(const struct nlattr *attr,
			   struct netlink_ext_ack *extack);
int cni_netlink_put_lladdr(struct sk_buff *skb, int attrtype,
			   struct neighbour *n);
int cni_netlink_put(struct sk_buff *skb, u32 portid, u32 seq, int flags,
		    u8 cmd, cni_netlink_fill fill, const void *arg);
int cni_netlink_reply(struct genl_info *info, cni_netlink_fill fill,
		      const void *arg);
void cni_netlink_notify(struct net *net, unsigned int group, u8 cmd,
			cni_netlink_fill fill, const void *arg);

void cni_netlink_link_gone(const struct cni_link *link);
void cni_netlink_tunnel_gone(const struct cni_tunnel *tunnel);
void cni_netlink_port_gone(const struct cni_port *port);

#endif
