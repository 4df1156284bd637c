/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_GATE_H
#define _CNI_GATE_H

#include <linux/inetdevice.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <net/addrconf.h>
#include <net/sch_generic.h>
#include <uapi/linux/cnilink.h>

#include "compat/compat.h"
#include "path/nf.h"
#include "path/stage.h"
#include "state/decap.h"
#include "state/net.h"

/* What netfilter does to packets that are sent from here */
enum cni_gate_sent {
	CNI_GATE_SENT_FREELY,
	CNI_GATE_SENT_TRACKED,
	CNI_GATE_SENT_JUDGED,
};

/* What our own hooks do, the fast path does too. */
static inline bool cni_gate_nf_dev(const struct nf_hook_entries __rcu *hooks,
				   nf_hookfn *own)
{
	const struct nf_hook_entries *e = rcu_dereference(hooks);

	return unlikely(e) && (e->num_hook_entries != 1 ||
			       e->hooks[0].hook != own);
}

/*
 * Is our own hook the last of a device's? What the user has at the same
 * priority comes after it, if it was there first.
 */
static inline bool cni_gate_nf_last(const struct nf_hook_entries __rcu *hooks,
				    nf_hookfn *own)
{
	const struct nf_hook_entries *e = rcu_dereference(hooks);

	return e && e->hooks[e->num_hook_entries - 1].hook == own;
}

/**
 * cni_gate_out - is something attached to a device's egress, after netfilter?
 * @dev: stock device that would be bypassed
 *
 * Captures on all devices aside.
 *
 * Return: the reason to step aside, or 0.
 */
static inline enum cnilink_reason cni_gate_out(const struct net_device *dev)
{
	struct Qdisc *q = rcu_dereference(netdev_get_tx_queue(dev, 0)->qdisc);

	/* Without carrier, the kernel has put one there that sends nothing. */
	if (unlikely(q->enqueue))
		return q == &noop_qdisc ? CNILINK_REASON_NOT_OFFLOADED :
					  CNILINK_REASON_QDISC;
	if (unlikely(cni_compat_tc_egress(dev)))
		return CNILINK_REASON_TC;
	if (unlikely(!list_empty(&dev->ptype_all)))
		return CNILINK_REASON_TAP;
	return 0;
}

/**
 * cni_gate_tx - is something attached to a device's egress?
 * @dev: stock device that would be bypassed
 *
 * Captures on all devices aside.
 *
 * Return: the reason to step aside, or 0.
 */
static inline enum cnilink_reason cni_gate_tx(const struct net_device *dev)
{
#ifdef CONFIG_NETFILTER_EGRESS
	if (cni_gate_nf_dev(dev->nf_hooks_egress, cni_stage_egress))
		return CNILINK_REASON_NFT_DEVICE;
#endif
	return cni_gate_out(dev);
}

/**
 * cni_gate_rx - is something attached to a device's ingress?
 * @dev: stock device that would be bypassed
 *
 * Captures on all devices aside.
 *
 * Return: the reason to step aside, or 0.
 */
static inline enum cnilink_reason cni_gate_rx(const struct net_device *dev)
{
	if (unlikely(rcu_access_pointer(dev->rx_handler)))
		return CNILINK_REASON_RX_HANDLER;
	if (unlikely(rcu_access_pointer(dev->xdp_prog)))
		return CNILINK_REASON_XDP;
	if (unlikely(cni_compat_tc_ingress(dev)))
		return CNILINK_REASON_TC;
	if (cni_gate_nf_dev(dev->nf_hooks_ingress, cni_stage_ingress))
		return CNILINK_REASON_NFT_DEVICE;
	if (unlikely(!list_empty(&dev->ptype_all)))
		return CNILINK_REASON_TAP;
	return 0;
}

/**
 * cni_gate_tapped - is there a capture on a device, or on all of them?
 * @dev: device
 *
 * Return: whether there is.
 */
static inline bool cni_gate_tapped(const struct net_device *dev)
{
	return dev_nit_active((struct net_device *)dev);
}

static inline struct nf_hook_entries __rcu * const *
cni_gate_nf_hooks(const struct net *net, int family)
{
	return family == CNI_V4 ? net->nf.hooks_ipv4 : net->nf.hooks_ipv6;
}

/**
 * cni_gate_nf_received - does netfilter judge packets for this host?
 * @h: hooks of their family
 *
 * Return: whether it does.
 */
static inline bool
cni_gate_nf_received(struct nf_hook_entries __rcu * const *h)
{
	return cni_nf_judge(h[NF_INET_PRE_ROUTING], NF_INET_PRE_ROUTING) ||
	       cni_nf_judge(h[NF_INET_LOCAL_IN], NF_INET_LOCAL_IN);
}

/* Outer packets are received here, or sent from here. */
static inline bool cni_gate_nf_outer(struct nf_hook_entries __rcu * const *h,
				     bool all)
{
	return cni_nf_judge(h[NF_INET_LOCAL_IN], NF_INET_LOCAL_IN) ||
	       cni_nf_judge(h[NF_INET_LOCAL_OUT], NF_INET_LOCAL_OUT) ||
	       (all &&
		(cni_nf_judge(h[NF_INET_PRE_ROUTING], NF_INET_PRE_ROUTING) ||
		 cni_nf_judge(h[NF_INET_POST_ROUTING], NF_INET_POST_ROUTING)));
}

static inline bool cni_gate_nf(const struct net *net, int family, bool gre)
{
	struct nf_hook_entries __rcu * const *v4 = net->nf.hooks_ipv4;
	struct nf_hook_entries __rcu * const *hooks;

	hooks = cni_gate_nf_hooks(net, family);
	if (cni_nf_judge(hooks[NF_INET_PRE_ROUTING], NF_INET_PRE_ROUTING) ||
	    cni_nf_judge(hooks[NF_INET_FORWARD], NF_INET_FORWARD) ||
	    cni_nf_judge(hooks[NF_INET_POST_ROUTING], NF_INET_POST_ROUTING))
		return true;
	return gre && cni_gate_nf_outer(v4, family != CNI_V4);
}

/**
 * cni_gate_nf_outer6 - does netfilter look at outer IPv6 packets?
 * @net: namespace
 * @family: of the inner packet, whose hooks are asked elsewhere
 *
 * Return: whether it does.
 */
static inline bool cni_gate_nf_outer6(const struct net *net, int family)
{
	return cni_gate_nf_outer(net->nf.hooks_ipv6, family != CNI_V6);
}

/**
 * cni_gate_judged - does netfilter judge the outer packets of a tunnel?
 * @decap: what a packet came out of, or NULL
 * @family: CNI_V4 or CNI_V6
 *
 * Return: whether they are of that family and weren't given away.
 */
static inline bool cni_gate_judged(const struct cni_decap *decap, int family)
{
	return decap && !decap->bypass_nf &&
	       decap->outer6 == (family == CNI_V6);
}

static inline bool cni_gate_xfrm(const struct net *net)
{
#ifdef CONFIG_XFRM
	const u8 *none = net->xfrm.policy_default;

	/* Of unspecified, block and accept, block alone has the lowest bit. */
	BUILD_BUG_ON(XFRM_USERPOLICY_BLOCK != 1 || XFRM_USERPOLICY_ACCEPT != 2);
	return net->xfrm.policy_count[XFRM_POLICY_IN] |
	       net->xfrm.policy_count[XFRM_POLICY_OUT] |
	       net->xfrm.policy_count[XFRM_POLICY_FWD] |
	       ((none[XFRM_POLICY_IN] | none[XFRM_POLICY_OUT] |
		 none[XFRM_POLICY_FWD]) & XFRM_USERPOLICY_BLOCK);
#else
	return false;
#endif
}

/**
 * cni_gate_net - is something in the namespace's way?
 * @cn: namespace
 * @family: of the inner packet, CNI_V4 or CNI_V6
 * @gre: a tunnel over IPv4 is involved
 * @bypass_nf: netfilter may be bypassed
 *
 * Return: the reason to step aside, or 0.
 */
static inline enum cnilink_reason cni_gate_net(const struct cni_net *cn,
					       int family, bool gre,
					       bool bypass_nf)
{
	const struct net *net = cn->net;

	if (unlikely(READ_ONCE(cn->fib.rules[CNI_V4]) |
		     READ_ONCE(cn->fib.rules[CNI_V6])))
		return CNILINK_REASON_RULES;
	if (unlikely(cni_gate_xfrm(net)))
		return CNILINK_REASON_XFRM;
	if (unlikely(!bypass_nf && cni_gate_nf(net, family, gre)))
		return CNILINK_REASON_NETFILTER;
	return 0;
}

/**
 * cni_gate_forwards - does the kernel forward what comes in by a device?
 * @net: namespace
 * @dev: layer 3 device
 * @family: CNI_V4 or CNI_V6
 *
 * Return: whether it does.
 */
static inline bool cni_gate_forwards(const struct net *net,
				     const struct net_device *dev, int family)
{
	struct in_device *in_dev;
	struct inet6_dev *idev;

	if (family == CNI_V4) {
		in_dev = __in_dev_get_rcu(dev);
		return in_dev && IN_DEV_FORWARD(in_dev);
	}
	idev = __in6_dev_get(dev);
	/* The namespace has its IPv6 settings if the device has. */
	return idev && net->ipv6.devconf_all->forwarding &&
	       !idev->cnf.disable_ipv6 &&
	       !net->ipv6.devconf_all->proxy_ndp;
}

bool cni_gate_heard(const struct net_device *dev, __be16 proto);
bool cni_gate_heard_outer(const struct net_device *dev, bool outer6);
bool cni_gate_hooked_last(const struct net_device *dev);
enum cnilink_reason cni_gate_dev_tx(const struct net_device *dev);
enum cnilink_reason cni_gate_dev_rx(const struct net_device *dev);
enum cni_gate_sent cni_gate_sent_slow(const struct net *net, int family);

/**
 * cni_gate_sent - what netfilter does to packets that this host sends
 * @net: namespace
 * @family: of the packets, CNI_V4 or CNI_V6
 *
 * Under rcu_read_lock().
 *
 * Return: nothing, keep track of connections, or whatever else.
 */
static inline enum cni_gate_sent cni_gate_sent(const struct net *net,
					       int family)
{
	struct nf_hook_entries __rcu * const *hooks;

	hooks = cni_gate_nf_hooks(net, family);
	if (likely(!rcu_access_pointer(hooks[NF_INET_LOCAL_OUT]) &&
		   !cni_nf_any(hooks[NF_INET_POST_ROUTING],
			       NF_INET_POST_ROUTING)))
		return CNI_GATE_SENT_FREELY;
	return cni_gate_sent_slow(net, family);
}

u64 cni_gate_blocker(enum cnilink_reason reason);
bool cni_gate_carries(const struct cni_net *cn, int family);
bool cni_gate_unforwarded(const struct cni_net *cn, int family);
u64 cni_gate_net_blockers(const struct cni_net *cn, int family,
			  bool bypass_nf);

#endif
