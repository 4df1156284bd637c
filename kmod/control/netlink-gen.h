/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	kmod/uapi/cnilink.yaml */
/* YNL-GEN kernel header */

#ifndef _LINUX_CNILINK_GEN_H
#define _LINUX_CNILINK_GEN_H

#include <net/netlink.h>
#include <net/genetlink.h>

#include <uapi/linux/cnilink.h>

/* Common nested types */
extern const struct nla_policy cnilink_health_nl_policy[CNILINK_A_HEALTH_FLAGS + 1];
extern const struct nla_policy cnilink_nexthop_nl_policy[CNILINK_A_NEXTHOP_WEIGHT + 1];
extern const struct nla_policy cnilink_route_nl_policy[CNILINK_A_ROUTE_NEXTHOP_ID + 1];

int cnilink_nl_link_get_doit(struct sk_buff *skb, struct genl_info *info);
int cnilink_nl_link_get_dumpit(struct sk_buff *skb,
			       struct netlink_callback *cb);
int cnilink_nl_link_set_doit(struct sk_buff *skb, struct genl_info *info);
int cnilink_nl_link_del_doit(struct sk_buff *skb, struct genl_info *info);
int cnilink_nl_tunnel_get_doit(struct sk_buff *skb, struct genl_info *info);
int cnilink_nl_tunnel_get_dumpit(struct sk_buff *skb,
				 struct netlink_callback *cb);
int cnilink_nl_tunnel_set_doit(struct sk_buff *skb, struct genl_info *info);
int cnilink_nl_tunnel_del_doit(struct sk_buff *skb, struct genl_info *info);
int cnilink_nl_port_get_doit(struct sk_buff *skb, struct genl_info *info);
int cnilink_nl_port_get_dumpit(struct sk_buff *skb,
			       struct netlink_callback *cb);
int cnilink_nl_port_set_doit(struct sk_buff *skb, struct genl_info *info);
int cnilink_nl_port_del_doit(struct sk_buff *skb, struct genl_info *info);
int cnilink_nl_route_set_doit(struct sk_buff *skb, struct genl_info *info);
int cnilink_nl_route_del_doit(struct sk_buff *skb, struct genl_info *info);
int cnilink_nl_route_get_dumpit(struct sk_buff *skb,
				struct netlink_callback *cb);
int cnilink_nl_route_lookup_doit(struct sk_buff *skb, struct genl_info *info);
int cnilink_nl_table_begin_doit(struct sk_buff *skb, struct genl_info *info);
int cnilink_nl_table_commit_doit(struct sk_buff *skb, struct genl_info *info);
int cnilink_nl_table_abort_doit(struct sk_buff *skb, struct genl_info *info);
int cnilink_nl_status_get_doit(struct sk_buff *skb, struct genl_info *info);

enum {
	CNILINK_NLGRP_CONFIG,
	CNILINK_NLGRP_STATE,
};

extern struct genl_family cnilink_nl_family;

#endif /* _LINUX_CNILINK_GEN_H */
