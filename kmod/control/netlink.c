// SPDX-License-Identifier: GPL-2.0
/* The generic netlink family: its registration, status and notifications. */

#include "control/netlink.h"

#include <linux/init.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/ipv6_stubs.h>
#include <net/neighbour.h>

#include "path/gate.h"
#include "path/nf.h"
#include "path/xdp.h"
#include "state/fib.h"
#include "state/route.h"

/**
 * cni_netlink_refuse - refuse an attribute that the request has no use for
 * @extack: for the reason
 * @attr: attribute, or NULL if it wasn't sent
 *
 * The policies name what an operation takes; what else depends on the rest of
 * the request is refused here: nothing that is sent is passed over.
 *
 * Return: 0, or -EINVAL if it was sent.
 */
int cni_netlink_refuse(struct netlink_ext_ack *extack,
		       const struct nlattr *attr)
{
	if (!attr)
		return 0;
	NL_SET_ERR_MSG_MOD(extack, "Of no use in such a request");
	NL_SET_BAD_ATTR(extack, attr);
	return -EINVAL;
}

/**
 * cni_netlink_refuse_all - refuse attributes of an operation that has none
 * @nlh: request
 * @extack: for the reason
 *
 * Not every kernel looks at the attributes of operations without a policy.
 *
 * Return: 0, or an error if there are any.
 */
int cni_netlink_refuse_all(const struct nlmsghdr *nlh,
			   struct netlink_ext_ack *extack)
{
	return nla_validate(nlmsg_attrdata(nlh, GENL_HDRLEN),
			    nlmsg_attrlen(nlh, GENL_HDRLEN), 0, NULL, extack);
}

/**
 * cni_netlink_check_ipv6 - refuse IPv6 where the kernel has none
 * @attr: attribute with an IPv6 address
 * @extack: for the reason
 *
 * A kernel started with ipv6.disable=1 has no table of neighbours for it.
 *
 * Return: 0 or -EAFNOSUPPORT.
 */
int cni_netlink_check_ipv6(const struct nlattr *attr,
			   struct netlink_ext_ack *extack)
{
	if (cni_compat_nd_tbl())
		return 0;
	NL_SET_ERR_MSG_MOD(extack, "IPv6 is switched off on this machine");
	NL_SET_BAD_ATTR(extack, attr);
	return -EAFNOSUPPORT;
}

/**
 * cni_netlink_put_lladdr - put a neighbour's MAC address, once it is known
 * @skb: message
 * @attrtype: attribute
 * @n: neighbour, or NULL
 *
 * Return: 0 or -EMSGSIZE.
 */
int cni_netlink_put_lladdr(struct sk_buff *skb, int attrtype,
			   struct neighbour *n)
{
	u8 lladdr[ETH_ALEN];

	if (!n || !(READ_ONCE(n->nud_state) & NUD_VALID) ||
	    n->dev->addr_len != ETH_ALEN)
		return 0;
	neigh_ha_snapshot(lladdr, n, n->dev);
	return nla_put(skb, attrtype, ETH_ALEN, lladdr);
}

/**
 * cni_netlink_put - put a message of the family
 * @skb: where to
 * @portid: whom to, 0 for a notification
 * @seq: sequence number of the request
 * @flags: NLM_F_*
 * @cmd: command
 * @fill: puts the attributes
 * @arg: for @fill
 *
 * Return: 0 or -EMSGSIZE, with nothing put.
 */
int cni_netlink_put(struct sk_buff *skb, u32 portid, u32 seq, int flags,
		    u8 cmd, cni_netlink_fill fill, const void *arg)
{
	void *hdr = genlmsg_put(skb, portid, seq, &cnilink_nl_family, flags,
				cmd);

	if (!hdr)
		return -EMSGSIZE;
	if (fill(skb, arg)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

/**
 * cni_netlink_reply - answer a request with one message
 * @info: request
 * @fill: puts the attributes
 * @arg: for @fill
 *
 * Return: 0 or an error.
 */
int cni_netlink_reply(struct genl_info *info, cni_netlink_fill fill,
		      const void *arg)
{
	struct sk_buff *skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	int err;

	if (!skb)
		return -ENOMEM;
	err = cni_netlink_put(skb, info->snd_portid, info->snd_seq, 0,
			      info->genlhdr->cmd, fill, arg);
	if (err) {
		nlmsg_free(skb);
		return err;
	}
	return genlmsg_reply(skb, info);
}

/**
 * cni_netlink_notify - tell a multicast group's listeners
 * @net: namespace
 * @group: CNILINK_NLGRP_*
 * @cmd: command
 * @fill: puts the attributes
 * @arg: for @fill
 */
void cni_netlink_notify(struct net *net, unsigned int group, u8 cmd,
			cni_netlink_fill fill, const void *arg)
{
	struct sk_buff *skb;

	if (!genl_has_listeners(&cnilink_nl_family, net, group))
		return;
	skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (skb && cni_netlink_put(skb, 0, 0, 0, cmd, fill, arg)) {
		nlmsg_free(skb);
		skb = NULL;
	}
	if (skb)
		genlmsg_multicast_netns(&cnilink_nl_family, net, skb, 0, group,
					GFP_KERNEL);
	else
		genl_set_err(&cnilink_nl_family, net, 0, group, -ENOBUFS);
}

static int fill_table(struct sk_buff *skb, const struct cni_net *cn,
		      const struct cni_table *table)
{
	if (nla_put_u32(skb, CNILINK_A_STATUS_ROUTES4,
			table->routes[CNI_V4]) ||
	    nla_put_u32(skb, CNILINK_A_STATUS_ROUTES6,
			table->routes[CNI_V6]) ||
	    nla_put_u32(skb, CNILINK_A_STATUS_PUNTED4,
			table->punted[CNI_V4] + cn->adj_retired[CNI_V4]) ||
	    nla_put_u32(skb, CNILINK_A_STATUS_PUNTED6,
			table->punted[CNI_V6] + cn->adj_retired[CNI_V6]))
		return -EMSGSIZE;
	return nla_put_u64_64bit(skb, CNILINK_A_STATUS_BYTES,
				 cni_lpm_bytes(table->lpm[CNI_V4]) +
				 cni_lpm_bytes(table->lpm[CNI_V6]),
				 CNILINK_A_STATUS_PAD);
}

static int put_state(struct sk_buff *skb, const struct cni_net *cn,
		     u64 generation)
{
	u64 blockers[CNI_FAMILIES];
	int f;

	for (f = 0; f < CNI_FAMILIES; f++)
		blockers[f] = cni_gate_net_blockers(cn, f, false);
	if (nla_put_u64_64bit(skb, CNILINK_A_STATUS_GENERATION, generation,
			      CNILINK_A_STATUS_PAD) ||
	    nla_put_u64_64bit(skb, CNILINK_A_STATUS_BLOCKERS4,
			      blockers[CNI_V4], CNILINK_A_STATUS_PAD) ||
	    nla_put_u64_64bit(skb, CNILINK_A_STATUS_BLOCKERS6,
			      blockers[CNI_V6], CNILINK_A_STATUS_PAD))
		return -EMSGSIZE;
	return 0;
}

static int fill_state(struct sk_buff *skb, const void *arg)
{
	const struct cni_net *cn = arg;

	return put_state(skb, cn, READ_ONCE(cn->fib.generation));
}

struct status {
	const struct cni_net	*cn;
	u64			generation;
};

static int fill_status(struct sk_buff *skb, const void *arg)
{
	const struct status *status = arg;
	const struct cni_net *cn = status->cn;
	const struct cni_table *table;
	char hooks[256];

	cni_nf_owners(cn->net, hooks, sizeof(hooks));
	table = rcu_dereference_protected(cn->table,
					  lockdep_is_held(&cn->lock));
	if (nla_put_string(skb, CNILINK_A_STATUS_VERSION, CNILINK_VERSION) ||
	    nla_put_u32(skb, CNILINK_A_STATUS_XDP, cni_xdp_state()) ||
	    nla_put_string(skb, CNILINK_A_STATUS_HOOKS, hooks) ||
	    put_state(skb, cn, status->generation))
		return -EMSGSIZE;
	return table ? fill_table(skb, cn, table) : 0;
}

/*
 * Whatever is counted in the generation is in the kernel's tables by then, and
 * has been told to listeners of rtnetlink.
 */
int cnilink_nl_status_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct cni_net *cn = cni_netlink_net(info);
	struct status status = { .cn = cn };
	int err;

	err = cni_netlink_refuse_all(info->nlhdr, info->extack);
	if (err)
		return err;
	rtnl_lock();
	status.generation = READ_ONCE(cn->fib.generation);
	rtnl_unlock();
	cni_fib_settle(cn, status.generation);
	rtnl_lock();
	mutex_lock(&cn->lock);
	err = cni_netlink_reply(info, fill_status, &status);
	mutex_unlock(&cn->lock);
	rtnl_unlock();
	return err;
}

/**
 * cni_netlink_state - tell listeners that the engine's state changed
 * @cn: namespace
 */
void cni_netlink_state(struct cni_net *cn)
{
	cni_netlink_notify(cn->net, CNILINK_NLGRP_STATE, CNILINK_CMD_STATE_NTF,
			   fill_state, cn);
}

/* A transaction ends with the socket that opened it. */
static int socket_closed(struct notifier_block *nb, unsigned long event,
			 void *ptr)
{
	const struct netlink_notify *n = ptr;
	struct cni_net *cn;

	if (event != NETLINK_URELEASE || n->protocol != NETLINK_GENERIC)
		return NOTIFY_DONE;
	cn = cni_net_of(n->net);
	if (!READ_ONCE(cn->txn.table))
		return NOTIFY_DONE;
	mutex_lock(&cn->lock);
	if (cn->txn.table && cn->txn.portid == n->portid)
		cni_route_abort(cn);
	mutex_unlock(&cn->lock);
	return NOTIFY_DONE;
}

static struct notifier_block socket_nb = {
	.notifier_call = socket_closed,
};

/**
 * cni_netlink_register - begin to take requests
 *
 * Return: 0 or an error.
 */
int __init cni_netlink_register(void)
{
	int err;

	err = netlink_register_notifier(&socket_nb);
	if (err)
		return err;
	err = cni_compat_genl_register(&cnilink_nl_family);
	if (err)
		netlink_unregister_notifier(&socket_nb);
	return err;
}

/**
 * cni_netlink_unregister - take no more requests
 */
void cni_netlink_unregister(void)
{
	cni_compat_genl_unregister(&cnilink_nl_family);
	netlink_unregister_notifier(&socket_nb);
}
