// SPDX-License-Identifier: GPL-2.0
/*
 * What happens on the stock gre device itself: to packets that the fast path
 * left to the kernel, between the device and the rest of the stack. There the
 * device's captures, qdisc and counters see the result.
 */

#include "stage.h"

#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>

#include "health.h"
#include "mss.h"
#include "tunnel.h"

static void clamp_mss(const struct cni_tunnel *tunnel, struct sk_buff *skb)
{
	int family = skb->protocol == htons(ETH_P_IPV6) ? CNI_V6 : CNI_V4;
	u16 mss = READ_ONCE(tunnel->mss[family]);

	if (mss && (family || skb->protocol == htons(ETH_P_IP)) &&
	    !skb_shared(skb))
		cni_mss_clamp(skb, family, mss);
}

/**
 * cni_stage_ingress - the ingress hook of a stock gre device
 * @priv: struct cni_tunnel
 * @skb: packet, at its IP header
 * @state: of the hook
 *
 * In softirq, under rcu_read_lock().
 *
 * Return: NF_ACCEPT, or NF_STOLEN for a health check that was answered.
 */
unsigned int cni_stage_ingress(void *priv, struct sk_buff *skb,
			       const struct nf_hook_state *state)
{
	const struct cni_tunnel *tunnel = priv;
	struct cni_health *health = rcu_dereference(tunnel->health);

	if (health && cni_health_answer(health, skb, state->in))
		return NF_STOLEN;
	clamp_mss(tunnel, skb);
	return NF_ACCEPT;
}

/**
 * cni_stage_egress - the egress hook of a stock gre device
 * @priv: struct cni_tunnel
 * @skb: packet, at its IP header
 * @state: of the hook
 *
 * In softirq or process context, under rcu_read_lock_bh().
 *
 * Return: NF_ACCEPT.
 */
unsigned int cni_stage_egress(void *priv, struct sk_buff *skb,
			      const struct nf_hook_state *state)
{
	clamp_mss(priv, skb);
	return NF_ACCEPT;
}

static int hook_set(struct cni_tunnel *tunnel, struct nf_hook_ops *ops,
		    bool *has, bool want)
{
	struct net *net = tunnel->cn->net;
	int err = 0;

	if (*has && !want)
		nf_unregister_net_hook(net, ops);
	if (!*has && want)
		err = nf_register_net_hook(net, ops);
	if (!err)
		*has = want;
	return err;
}

/**
 * cni_stage_set - hook into a stock gre device, or no longer
 * @tunnel: tunnel, RTNL held
 * @in: see what it receives
 * @out: see what it sends; costs every device a little
 * @extack: for the reason of a failure
 *
 * Return: 0 or an error; taking hooks away doesn't fail.
 */
int cni_stage_set(struct cni_tunnel *tunnel, bool in, bool out,
		  struct netlink_ext_ack *extack)
{
	struct cni_stage *stage = &tunnel->stage;
	int err;

	ASSERT_RTNL();
	stage->in.hook = cni_stage_ingress;
	stage->in.hooknum = NF_NETDEV_INGRESS;
	stage->out.hook = cni_stage_egress;
	stage->out.hooknum = NF_NETDEV_EGRESS;
	stage->in.dev = tunnel->dev;
	stage->out.dev = tunnel->dev;
	stage->in.priv = tunnel;
	stage->out.priv = tunnel;
	stage->in.pf = NFPROTO_NETDEV;
	stage->out.pf = NFPROTO_NETDEV;
	/* The user's own chains come first. */
	stage->in.priority = INT_MAX;
	stage->out.priority = INT_MAX;

	err = hook_set(tunnel, &stage->in, &stage->has_in, in);
	if (!err)
		err = hook_set(tunnel, &stage->out, &stage->has_out, out);
	if (err)
		NL_SET_ERR_MSG_MOD(extack, "Can't hook into the gre device");
	return err;
}
