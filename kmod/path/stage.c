// SPDX-License-Identifier: GPL-2.0
/*
 * What happens on the stock gre device itself, or on a port, between the device
 * and the rest of the stack: to packets that the fast path punted, and to those
 * of this host. On a tunnel's egress the stack is done with them, netfilter and
 * connection tracking included, and they're sent from here if nothing stands
 * between the gre device and the wire.
 */

#include "path/stage.h"

#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <net/ip_tunnels.h>

#include "base/epoch.h"
#include "base/mss.h"
#include "base/xmit.h"
#include "path/blocked.h"
#include "path/forward.h"
#include "path/gate.h"
#include "path/health.h"
#include "path/outer.h"
#include "state/encap.h"
#include "state/object.h"

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
	const struct cni_stage *stage = priv;
	struct cni_health *health = rcu_dereference(stage->tunnel->health);

	if (health &&
	    cni_gate_nf_last(state->in->nf_hooks_ingress, cni_stage_ingress) &&
	    cni_health_answer(health, skb, state->in))
		return NF_STOLEN;
	clamp_mss(stage, skb);
	return NF_ACCEPT;
}

/*
 * Rules may ask whether the outer packets belong to a known connection, those
 * that come in above all. One a second that goes the kernel's way keeps the
 * entry as alive as all of them would.
 */
static bool track(struct cni_stage *stage)
{
	unsigned long now = jiffies;

	if (likely(time_before(now, READ_ONCE(stage->tracked) + HZ)))
		return false;
	WRITE_ONCE(stage->tracked, now);
	return true;
}

/* What nobody tells is looked at as often as by the fast path. */
static enum cnilink_reason look(const struct cni_tunnel *tunnel,
				const struct cni_encap *e)
{
	struct cni_stats *stats = this_cpu_ptr(tunnel->stage.stats);
	u64 *cached = &stats->checks[CNI_PATH_SKB].egress;
	enum cnilink_reason reason;
	u64 now = cni_epoch_now();

	if (likely(*cached == now))
		return 0;
	reason = cni_outer_look(e);
	if (!reason)
		*cached = now;
	return reason;
}

/* @tracked: set if netfilter keeps track of the outer packets' connections */
static enum cnilink_reason find_blocker(struct cni_tunnel *tunnel,
					const struct cni_encap *e,
					bool *tracked)
{
	int outer = e->flags & CNI_ENCAP_GRE6 ? CNI_V6 : CNI_V4;
	struct cni_net *cn = tunnel->cn;
	enum cnilink_reason reason;
	enum cni_gate_sent sent;

	if (outer == CNI_V4 && cni_outer_failing(tunnel->dev))
		return CNILINK_REASON_TUNNEL_ERROR;
	/* What is inherited may tell packets apart, over IPv6 a mark, too. */
	if (unlikely(READ_ONCE(cn->fib.rules[outer])) &&
	    (outer == CNI_V6 || e->flags & CNI_ENCAP_TOS_INHERIT))
		return CNILINK_REASON_RULES;
	if (unlikely(cni_gate_xfrm(cn->net)))
		return CNILINK_REASON_XFRM;
#ifdef CONFIG_NETFILTER_EGRESS
	/* The hook may be about to be put back. */
	if (unlikely(!cni_gate_nf_last(tunnel->dev->nf_hooks_egress,
				       cni_stage_egress)) &&
	    !READ_ONCE(tunnel->stage.rest.resting))
		return CNILINK_REASON_NFT_DEVICE;
#endif
	reason = cni_gate_out(tunnel->dev);
	if (!reason && e->vlan)
		reason = cni_compat_priomap(e->vlan) ? CNILINK_REASON_QDISC :
						       cni_gate_tx(e->vlan);
	if (!reason)
		reason = look(tunnel, e);
	if (unlikely(reason))
		return reason;
	if (e->flags & CNI_ENCAP_BYPASS_OUTER)
		return 0;
	sent = cni_gate_sent(cn->net, outer);
	*tracked = sent == CNI_GATE_SENT_TRACKED;
	return sent == CNI_GATE_SENT_JUDGED ? CNILINK_REASON_NETFILTER : 0;
}

static void note(const struct cni_stage *stage, enum cnilink_reason reason)
{
	struct cni_blocked *b = this_cpu_ptr(stage->blocked);

	b->stats = this_cpu_ptr(stage->stats);
	b->reason = reason;
	b->epoch = cni_epoch_now();
}

/* Send a packet past the stock gre device; as cni_forward_output() returns. */
static enum cnilink_reason output(struct cni_tunnel *tunnel,
				  struct sk_buff *skb)
{
	const struct cni_encap *e = rcu_dereference(tunnel->encap);
	bool tapped, tracked = false;
	enum cnilink_reason reason;
	u8 xmit;

	if (unlikely(!e || READ_ONCE(e->hold) == CNI_ENCAP_STALE))
		return CNILINK_REASON_NOT_OFFLOADED;
	if (unlikely(skb_shared(skb)))
		return CNILINK_REASON_SHARED;
	if (unlikely(skb_vlan_tag_present(skb)))
		return CNILINK_REASON_VLAN;
	/* On any device is on the lower one too. */
	tapped = cni_gate_tapped(e->lower);
	if (unlikely(tapped) &&
	    (cni_gate_tapped(tunnel->dev) ||
	     (e->vlan && cni_gate_tapped(e->vlan))))
		return CNILINK_REASON_TAP;
	reason = find_blocker(tunnel, e, &tracked);
	if (unlikely(reason)) {
		note(&tunnel->stage, reason);
		return reason;
	}
	if (tracked && track(&tunnel->stage))
		return CNILINK_REASON_NETFILTER;
	xmit = tapped || cni_xmit_watched(e->lower) ? 0 : e->xmit;
	/* By a device that sends by this tunnel, it'd come back here. */
	if (unlikely(dev_xmit_recursion()))
		return CNILINK_REASON_NOT_OFFLOADED;
	dev_xmit_recursion_inc();
	reason = cni_forward_output(tunnel->cn, e, skb, xmit);
	dev_xmit_recursion_dec();
	return reason;
}

/**
 * cni_stage_egress - the egress hook of a stock gre device or a port
 * @priv: struct cni_stage
 * @skb: packet with its network header set
 * @state: of the hook
 *
 * In softirq or process context, under rcu_read_lock_bh().
 *
 * Return: NF_ACCEPT when it's left to the device, or NF_STOLEN.
 */
unsigned int cni_stage_egress(void *priv, struct sk_buff *skb,
			      const struct nf_hook_state *state)
{
	struct cni_stage *stage = priv;
	enum cnilink_reason reason;
	struct cni_blocked *b;
	unsigned int len;

	clamp_mss(stage, skb);
	if (!stage->tunnel)
		return NF_ACCEPT;
	b = this_cpu_ptr(stage->blocked);
	if (b->epoch == cni_epoch_now()) {
		cni_blocked_count(b);
		return NF_ACCEPT;
	}
	len = skb->len;
	reason = output(stage->tunnel, skb);
	if (likely(!reason)) {
		cni_stats_tx(this_cpu_ptr(stage->stats), len);
		return NF_STOLEN;
	}
	cni_stats_reason(stage->stats, reason);
	return cni_stats_is_drop(reason) ? NF_STOLEN : NF_ACCEPT;
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
 * @out: see what it sends
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
	if (!stage->has_out)
		stage->tracked = jiffies - HZ;
	stage->rest.resting = false;

	err = hook_set(net, &stage->in, &stage->has_in, in);
	if (!err)
		err = hook_set(net, &stage->out, &stage->has_out, out);
	if (err)
		NL_SET_ERR_MSG_MOD(extack, "Can't hook into the device");
	return err;
}

/**
 * cni_stage_useless - is a tunnel's egress hook of no use at the moment?
 * @tunnel: tunnel, RTNL held
 *
 * Return: why no packet can be sent from there, or 0.
 */
enum cnilink_reason cni_stage_useless(struct cni_tunnel *tunnel)
{
	const struct cni_stage *stage = &tunnel->stage;
	const struct cni_encap *e = rtnl_dereference(tunnel->encap);
	enum cnilink_reason reason;
	bool tracked;

	if (stage->mss[CNI_V4] || stage->mss[CNI_V6] ||
	    !(stage->has_out || stage->rest.resting))
		return 0;
	if (!e)
		return CNILINK_REASON_NOT_OFFLOADED;
	rcu_read_lock();
	local_bh_disable();
	reason = find_blocker(tunnel, e, &tracked);
	local_bh_enable();
	rcu_read_unlock();
	return reason;
}

/**
 * cni_stage_rest - let what a device sends by unseen, or see it again
 * @stage: of a tunnel, RTNL held
 * @net: namespace
 * @rest: which of these
 *
 * Return: 0, or an error: it goes on resting.
 */
int cni_stage_rest(struct cni_stage *stage, struct net *net, bool rest)
{
	int err = hook_set(net, &stage->out, &stage->has_out, !rest);

	if (!err)
		stage->rest.resting = rest;
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
