// SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)
/* Do not edit directly, auto-generated from: */
/*	kmod/uapi/cnilink.yaml */
/* YNL-GEN kernel source */

#include <net/netlink.h>
#include <net/genetlink.h>

#include "netlink-gen.h"

#include <uapi/linux/cnilink.h>

/* Common nested types */
const struct nla_policy cnilink_health_nl_policy[CNILINK_A_HEALTH_FLAGS + 1] = {
	[CNILINK_A_HEALTH_LOCAL4] = { .type = NLA_U32, },
	[CNILINK_A_HEALTH_PEER4] = { .type = NLA_U32, },
	[CNILINK_A_HEALTH_LOCAL6] = NLA_POLICY_EXACT_LEN(16),
	[CNILINK_A_HEALTH_PEER6] = NLA_POLICY_EXACT_LEN(16),
	[CNILINK_A_HEALTH_PEER_LEN] = NLA_POLICY_MAX(NLA_U8, 128),
	[CNILINK_A_HEALTH_FLAGS] = NLA_POLICY_MASK(NLA_U32, 0x3),
};

const struct nla_policy cnilink_nexthop_nl_policy[CNILINK_A_NEXTHOP_WEIGHT + 1] = {
	[CNILINK_A_NEXTHOP_OIF] = NLA_POLICY_MIN(NLA_U32, 1),
	[CNILINK_A_NEXTHOP_VIA4] = { .type = NLA_U32, },
	[CNILINK_A_NEXTHOP_VIA6] = NLA_POLICY_EXACT_LEN(16),
	[CNILINK_A_NEXTHOP_WEIGHT] = NLA_POLICY_MIN(NLA_U32, 1),
};

const struct nla_policy cnilink_route_nl_policy[CNILINK_A_ROUTE_NEXTHOP_ID + 1] = {
	[CNILINK_A_ROUTE_DST4] = { .type = NLA_U32, },
	[CNILINK_A_ROUTE_DST6] = NLA_POLICY_EXACT_LEN(16),
	[CNILINK_A_ROUTE_PREFIX_LEN] = NLA_POLICY_MAX(NLA_U8, 128),
	[CNILINK_A_ROUTE_ACTION] = NLA_POLICY_MAX(NLA_U32, 1),
	[CNILINK_A_ROUTE_NEXTHOP] = NLA_POLICY_NESTED(cnilink_nexthop_nl_policy),
	[CNILINK_A_ROUTE_BLOCKERS] = NLA_POLICY_MASK(NLA_U64, 0xfffffff),
	[CNILINK_A_ROUTE_NEXTHOP_ID] = { .type = NLA_U32, },
};

/* CNILINK_CMD_LINK_GET - do */
static const struct nla_policy cnilink_link_get_nl_policy[CNILINK_A_LINK_IFINDEX + 1] = {
	[CNILINK_A_LINK_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* CNILINK_CMD_LINK_SET - do */
static const struct nla_policy cnilink_link_set_nl_policy[CNILINK_A_LINK_PEER6 + 1] = {
	[CNILINK_A_LINK_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[CNILINK_A_LINK_LOCAL4] = { .type = NLA_U32, },
	[CNILINK_A_LINK_PEER4] = { .type = NLA_U32, },
	[CNILINK_A_LINK_LOCAL6] = NLA_POLICY_EXACT_LEN(16),
	[CNILINK_A_LINK_PEER6] = NLA_POLICY_EXACT_LEN(16),
};

/* CNILINK_CMD_LINK_DEL - do */
static const struct nla_policy cnilink_link_del_nl_policy[CNILINK_A_LINK_IFINDEX + 1] = {
	[CNILINK_A_LINK_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* CNILINK_CMD_TUNNEL_GET - do */
static const struct nla_policy cnilink_tunnel_get_nl_policy[CNILINK_A_TUNNEL_IFINDEX + 1] = {
	[CNILINK_A_TUNNEL_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* CNILINK_CMD_TUNNEL_SET - do */
static const struct nla_policy cnilink_tunnel_set_nl_policy[CNILINK_A_TUNNEL_FLAGS + 1] = {
	[CNILINK_A_TUNNEL_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[CNILINK_A_TUNNEL_MSS4] = NLA_POLICY_MIN(NLA_U16, 88),
	[CNILINK_A_TUNNEL_MSS6] = NLA_POLICY_MIN(NLA_U16, 88),
	[CNILINK_A_TUNNEL_HEALTH] = NLA_POLICY_NESTED(cnilink_health_nl_policy),
	[CNILINK_A_TUNNEL_HEALTH_RATE] = NLA_POLICY_MIN(NLA_U32, 1),
	[CNILINK_A_TUNNEL_FLAGS] = NLA_POLICY_MASK(NLA_U32, 0x1),
};

/* CNILINK_CMD_TUNNEL_DEL - do */
static const struct nla_policy cnilink_tunnel_del_nl_policy[CNILINK_A_TUNNEL_IFINDEX + 1] = {
	[CNILINK_A_TUNNEL_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* CNILINK_CMD_PORT_GET - do */
static const struct nla_policy cnilink_port_get_nl_policy[CNILINK_A_PORT_IFINDEX + 1] = {
	[CNILINK_A_PORT_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* CNILINK_CMD_PORT_SET - do */
static const struct nla_policy cnilink_port_set_nl_policy[CNILINK_A_PORT_MSS6 + 1] = {
	[CNILINK_A_PORT_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[CNILINK_A_PORT_FLAGS] = NLA_POLICY_MASK(NLA_U32, 0x3),
	[CNILINK_A_PORT_MSS4] = NLA_POLICY_MIN(NLA_U16, 88),
	[CNILINK_A_PORT_MSS6] = NLA_POLICY_MIN(NLA_U16, 88),
};

/* CNILINK_CMD_PORT_DEL - do */
static const struct nla_policy cnilink_port_del_nl_policy[CNILINK_A_PORT_IFINDEX + 1] = {
	[CNILINK_A_PORT_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* CNILINK_CMD_ROUTE_SET - do */
static const struct nla_policy cnilink_route_set_nl_policy[CNILINK_A_TABLE_ID + 1] = {
	[CNILINK_A_TABLE_ROUTE] = NLA_POLICY_NESTED(cnilink_route_nl_policy),
	[CNILINK_A_TABLE_TRANSACTION] = NLA_POLICY_MIN(NLA_U32, 1),
	[CNILINK_A_TABLE_GENERATION] = { .type = NLA_U64, },
	[CNILINK_A_TABLE_ID] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* CNILINK_CMD_ROUTE_DEL - do */
static const struct nla_policy cnilink_route_del_nl_policy[CNILINK_A_TABLE_ID + 1] = {
	[CNILINK_A_TABLE_ROUTE] = NLA_POLICY_NESTED(cnilink_route_nl_policy),
	[CNILINK_A_TABLE_TRANSACTION] = NLA_POLICY_MIN(NLA_U32, 1),
	[CNILINK_A_TABLE_GENERATION] = { .type = NLA_U64, },
	[CNILINK_A_TABLE_ID] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* CNILINK_CMD_ROUTE_LOOKUP - do */
static const struct nla_policy cnilink_route_lookup_nl_policy[CNILINK_A_LOOKUP_SRC6 + 1] = {
	[CNILINK_A_LOOKUP_DST4] = { .type = NLA_U32, },
	[CNILINK_A_LOOKUP_DST6] = NLA_POLICY_EXACT_LEN(16),
	[CNILINK_A_LOOKUP_SRC4] = { .type = NLA_U32, },
	[CNILINK_A_LOOKUP_SRC6] = NLA_POLICY_EXACT_LEN(16),
};

/* CNILINK_CMD_TABLE_BEGIN - do */
static const struct nla_policy cnilink_table_begin_nl_policy[CNILINK_A_TABLE_ID + 1] = {
	[CNILINK_A_TABLE_ID] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* CNILINK_CMD_TABLE_COMMIT - do */
static const struct nla_policy cnilink_table_commit_nl_policy[CNILINK_A_TABLE_GENERATION + 1] = {
	[CNILINK_A_TABLE_TRANSACTION] = NLA_POLICY_MIN(NLA_U32, 1),
	[CNILINK_A_TABLE_GENERATION] = { .type = NLA_U64, },
};

/* CNILINK_CMD_TABLE_ABORT - do */
static const struct nla_policy cnilink_table_abort_nl_policy[CNILINK_A_TABLE_TRANSACTION + 1] = {
	[CNILINK_A_TABLE_TRANSACTION] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* Ops table for cnilink */
static const struct genl_split_ops cnilink_nl_ops[] = {
	{
		.cmd		= CNILINK_CMD_LINK_GET,
		.doit		= cnilink_nl_link_get_doit,
		.policy		= cnilink_link_get_nl_policy,
		.maxattr	= CNILINK_A_LINK_IFINDEX,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd	= CNILINK_CMD_LINK_GET,
		.dumpit	= cnilink_nl_link_get_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= CNILINK_CMD_LINK_SET,
		.doit		= cnilink_nl_link_set_doit,
		.policy		= cnilink_link_set_nl_policy,
		.maxattr	= CNILINK_A_LINK_PEER6,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= CNILINK_CMD_LINK_DEL,
		.doit		= cnilink_nl_link_del_doit,
		.policy		= cnilink_link_del_nl_policy,
		.maxattr	= CNILINK_A_LINK_IFINDEX,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= CNILINK_CMD_TUNNEL_GET,
		.doit		= cnilink_nl_tunnel_get_doit,
		.policy		= cnilink_tunnel_get_nl_policy,
		.maxattr	= CNILINK_A_TUNNEL_IFINDEX,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd	= CNILINK_CMD_TUNNEL_GET,
		.dumpit	= cnilink_nl_tunnel_get_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= CNILINK_CMD_TUNNEL_SET,
		.doit		= cnilink_nl_tunnel_set_doit,
		.policy		= cnilink_tunnel_set_nl_policy,
		.maxattr	= CNILINK_A_TUNNEL_FLAGS,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= CNILINK_CMD_TUNNEL_DEL,
		.doit		= cnilink_nl_tunnel_del_doit,
		.policy		= cnilink_tunnel_del_nl_policy,
		.maxattr	= CNILINK_A_TUNNEL_IFINDEX,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= CNILINK_CMD_PORT_GET,
		.doit		= cnilink_nl_port_get_doit,
		.policy		= cnilink_port_get_nl_policy,
		.maxattr	= CNILINK_A_PORT_IFINDEX,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd	= CNILINK_CMD_PORT_GET,
		.dumpit	= cnilink_nl_port_get_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= CNILINK_CMD_PORT_SET,
		.doit		= cnilink_nl_port_set_doit,
		.policy		= cnilink_port_set_nl_policy,
		.maxattr	= CNILINK_A_PORT_MSS6,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= CNILINK_CMD_PORT_DEL,
		.doit		= cnilink_nl_port_del_doit,
		.policy		= cnilink_port_del_nl_policy,
		.maxattr	= CNILINK_A_PORT_IFINDEX,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= CNILINK_CMD_ROUTE_SET,
		.doit		= cnilink_nl_route_set_doit,
		.policy		= cnilink_route_set_nl_policy,
		.maxattr	= CNILINK_A_TABLE_ID,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= CNILINK_CMD_ROUTE_DEL,
		.doit		= cnilink_nl_route_del_doit,
		.policy		= cnilink_route_del_nl_policy,
		.maxattr	= CNILINK_A_TABLE_ID,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= CNILINK_CMD_ROUTE_GET,
		.dumpit	= cnilink_nl_route_get_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= CNILINK_CMD_ROUTE_LOOKUP,
		.doit		= cnilink_nl_route_lookup_doit,
		.policy		= cnilink_route_lookup_nl_policy,
		.maxattr	= CNILINK_A_LOOKUP_SRC6,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= CNILINK_CMD_TABLE_BEGIN,
		.doit		= cnilink_nl_table_begin_doit,
		.policy		= cnilink_table_begin_nl_policy,
		.maxattr	= CNILINK_A_TABLE_ID,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= CNILINK_CMD_TABLE_COMMIT,
		.doit		= cnilink_nl_table_commit_doit,
		.policy		= cnilink_table_commit_nl_policy,
		.maxattr	= CNILINK_A_TABLE_GENERATION,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= CNILINK_CMD_TABLE_ABORT,
		.doit		= cnilink_nl_table_abort_doit,
		.policy		= cnilink_table_abort_nl_policy,
		.maxattr	= CNILINK_A_TABLE_TRANSACTION,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= CNILINK_CMD_STATUS_GET,
		.doit	= cnilink_nl_status_get_doit,
		.flags	= GENL_CMD_CAP_DO,
	},
};

static const struct genl_multicast_group cnilink_nl_mcgrps[] = {
	[CNILINK_NLGRP_CONFIG] = { "config", },
	[CNILINK_NLGRP_STATE] = { "state", },
};

struct genl_family cnilink_nl_family __ro_after_init = {
	.name		= CNILINK_FAMILY_NAME,
	.version	= CNILINK_FAMILY_VERSION,
	.netnsok	= true,
	.parallel_ops	= true,
	.module		= THIS_MODULE,
	.split_ops	= cnilink_nl_ops,
	.n_split_ops	= ARRAY_SIZE(cnilink_nl_ops),
	.mcgrps		= cnilink_nl_mcgrps,
	.n_mcgrps	= ARRAY_SIZE(cnilink_nl_mcgrps),
};
