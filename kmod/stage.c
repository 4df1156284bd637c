// SPDX-License-Identifier: GPL-2.0
/*
 * What happens on the stock gre device itself, or on a port: to packets that
 * the fast path left to the kernel, between the device and the rest of the
 * stack. There the device's captures, qdisc and counters see the result.
 */

#include "stage.h"

#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>

#include "health.h"
#include "mss.h"
#include "tunnel.h"

/* A frame with a tag is on its way out of a VLAN device above. */
static void clamp_mss(const struct cni_stage *stage, struct sk_buff *skb)
{
	int family = skb->protocol == htons(ETH_P_IPV6) ? CNI_V6 : CNI_V4;
	u16 mss = READ_ONCE(stage->mss[family]);

	if (mss && (family || skb->protocol == htons(ETH_P_IP)) &&
	    !skb_vlan_tag_present(skb) && !skb_shared(skb))
		cni_mss_clamp(skb, family, mss);
}

/**
 * cni_stage_ingress - the ingress hook of a stock gre device
 * @priv: struct cni_stage of a tunnel
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
	const struct cni_tunnel *tunnel =
		container_of(priv, struct cni_tunnel, stage);
	struct cni_health *health = rcu_dereference(tunnel->health);

	if (health && cni_health_answer(health, skb, state->in))
		return NF_STOLEN;
	clamp_mss(priv, skb);
	return NF_ACCEPT;
}

/**
 * cni_stage_egress - the egress hook of a stock gre device or a port
 * @priv: struct cni_stage
 * @skb: packet with its network header set
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

static int hook_set(struct net *net, struct nf_hook_ops *ops, bool *has,
		    bool want)
{
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
 * cni_stage_set - hook into a device, or no longer
 * @stage: of a tunnel or port, RTNL held
 * @net: namespace
 * @dev: the tunnel's or port's device
 * @in: see what it receives
 * @out: see what it sends; costs every device a little
 * @extack: for the reason of a failure
 *
 * Return: 0 or an error; taking hooks away doesn't fail.
 */
int cni_stage_set(struct cni_stage *stage, struct net *net,
		  struct net_device *dev, bool in, bool out,
		  struct netlink_ext_ack *extack)
{
	int err;

	ASSERT_RTNL();
	stage->in.hook = cni_stage_ingress;
	stage->in.hooknum = NF_NETDEV_INGRESS;
	stage->out.hook = cni_stage_egress;
	stage->out.hooknum = NF_NETDEV_EGRESS;
	stage->in.dev = dev;
	stage->out.dev = dev;
	stage->in.priv = stage;
	stage->out.priv = stage;
	stage->in.pf = NFPROTO_NETDEV;
	stage->out.pf = NFPROTO_NETDEV;
	/* The user's own chains come first. */
	stage->in.priority = INT_MAX;
	stage->out.priority = INT_MAX;

	err = hook_set(net, &stage->in, &stage->has_in, in);
	if (!err)
		err = hook_set(net, &stage->out, &stage->has_out, out);
	if (err)
		NL_SET_ERR_MSG_MOD(extack, "Can't hook into the device");
	return err;
}

/**
 * cni_stage_clamp - set what the hooks let pass
 * @stage: of a tunnel or port, RTNL held
 * @mss: largest TCP segment, per family; 0 for any
 */
void cni_stage_clamp(struct cni_stage *stage, const u16 *mss)
{
	int f;

	for (f = 0; f < CNI_FAMILIES; f++)
		WRITE_ONCE(stage->mss[f], mss[f]);
}
