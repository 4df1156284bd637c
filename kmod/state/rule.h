/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_RULE_H
#define _CNI_RULE_H

#include <linux/types.h>
#include <linux/workqueue.h>

#include "lpm/lpm.h"
#include "state/net.h"

/* Values of struct cni_rule_list beside the slots of cn->tables. */
#define CNI_RULE_MAIN		0xfe
#define CNI_RULE_UNKNOWN	0xff

/**
 * struct cni_rule_list - the tables that are looked up for sources, in order
 * @n: how many
 * @table: slots of cn->tables, CNI_RULE_MAIN, or CNI_RULE_UNKNOWN for one that
 *	isn't mirrored, which is punt; either of the latter two is last
 * @unknown: the number of that one
 */
struct cni_rule_list {
	u8			n;
	u8			table[CNI_TABLE_SLOTS + 1];
	u32			unknown;
};

/**
 * struct cni_policy - a family's rules, unless all look-ups are in main
 * @first: prefixes of the kernel's table local, but for host prefixes, if they
 *	go before longer ones in main; or NULL
 * @lpm: source prefixes; the value is an index into @list, from 1 on
 * @rwork: frees it after the last reader
 * @lists: how many of @list there are
 * @list: tables to look up, by source prefix
 */
struct cni_policy {
	struct cni_lpm		*first;
	struct cni_lpm		*lpm;
	struct rcu_work		rwork;
	unsigned int		lists;
	struct cni_rule_list	list[];
};

u32 cni_rule_lookup4(const struct cni_net *cn, __be32 dst, __be32 src,
		     u32 main);
u32 cni_rule_lookup6(const struct cni_net *cn, const struct in6_addr *dst,
		     const struct in6_addr *src, u32 main);
u32 cni_rule_find(struct cni_net *cn, int family,
		  const struct cni_prefix *dst, const struct cni_prefix *src,
		  struct cni_prefix *match, u32 *id);
bool cni_rule_none(const struct cni_net *cn, int family);
bool cni_rule_uses(struct cni_net *cn, u8 slot);
void cni_rule_read(struct cni_net *cn);
void cni_rule_exit(struct cni_net *cn);

#endif
