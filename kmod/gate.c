// SPDX-License-Identifier: GPL-2.0
/* What keeps traffic off the fast path, as user space is shown it. */

#include "gate.h"

#include <linux/netfilter_ipv6.h>
#include <linux/rculist.h>

#include "tunnel.h"

atomic_t cni_gate_renewals;

static enum cnilink_reason or_tapped(enum cnilink_reason reason,
				     const struct net_device *dev)
{
	return reason ?: cni_gate_tapped(dev) ? CNILINK_REASON_TAP : 0;
}

/**
 * cni_gate_dev_tx - does a device's way out forbid to step over it?
 * @dev: stock device
 *
 * Under rcu_read_lock(), as is the next.
 *
 * Return: the reason to step aside, or 0.
 */
enum cnilink_reason cni_gate_dev_tx(const struct net_device *dev)
{
	return or_tapped(cni_gate_tx(dev), dev);
}

/**
 * cni_gate_dev_rx - does a device's way in forbid to step over it?
 * @dev: stock device
 *
 * Return: the reason to step aside, or 0.
 */
enum cnilink_reason cni_gate_dev_rx(const struct net_device *dev)
{
	return or_tapped(cni_gate_rx(dev), dev);
}

/*
 * Hooks of the kernel's own that judge nothing: AppArmor's, which has done so
 * for the inner packet's socket already, and those of connection tracking. Both
 * have the same priorities for IPv6 as for IPv4.
 */
static bool is_harmless(const struct nf_hook_ops *ops, bool *tracks)
{
	if (ops->hook_ops_type != NF_HOOK_OP_UNDEFINED)
		return false;
	BUILD_BUG_ON((int)NF_IP6_PRI_SELINUX_FIRST != NF_IP_PRI_SELINUX_FIRST ||
		     (int)NF_IP6_PRI_CONNTRACK_DEFRAG !=
		     NF_IP_PRI_CONNTRACK_DEFRAG ||
		     (int)NF_IP6_PRI_CONNTRACK != NF_IP_PRI_CONNTRACK ||
		     (int)NF_IP6_PRI_LAST != NF_IP_PRI_CONNTRACK_CONFIRM);
	switch (ops->priority) {
	case NF_IP_PRI_SELINUX_FIRST:
		return ops->hooknum == NF_INET_POST_ROUTING;
	case NF_IP_PRI_CONNTRACK_DEFRAG:
	case NF_IP_PRI_CONNTRACK:
		*tracks = true;
		return ops->hooknum == NF_INET_LOCAL_OUT;
	case NF_IP_PRI_CONNTRACK_CONFIRM:
		return ops->hooknum == NF_INET_POST_ROUTING;
	default:
		return false;
	}
}

static bool all_harmless(const struct nf_hook_entries __rcu *hooks,
			 bool *tracks)
{
	const struct nf_hook_entries *e = rcu_dereference(hooks);
	unsigned int i;

	for (i = 0; e && i < e->num_hook_entries; i++)
		if (!is_harmless(nf_hook_entries_get_hook_ops(e)[i], tracks))
			return false;
	return true;
}

/**
 * cni_gate_sent_slow - cni_gate_sent() where there are hooks
 * @net: namespace
 * @family: of the packets, CNI_V4 or CNI_V6
 *
 * Return: what they do.
 */
enum cni_gate_sent cni_gate_sent_slow(const struct net *net, int family)
{
	struct nf_hook_entries __rcu * const *hooks;
	bool tracks = false;

	hooks = cni_gate_nf_hooks(net, family);
	if (!all_harmless(hooks[NF_INET_LOCAL_OUT], &tracks) ||
	    !all_harmless(hooks[NF_INET_POST_ROUTING], &tracks))
		return CNI_GATE_SENT_JUDGED;
	return tracks ? CNI_GATE_SENT_TRACKED : CNI_GATE_SENT_FREELY;
}

/**
 * cni_gate_blocker - the blocker that is a reason's counterpart
 * @reason: of a cni_gate_*() check, or 0
 *
 * Return: a bit of enum cnilink_blocker, or 0.
 */
u64 cni_gate_blocker(enum cnilink_reason reason)
{
	switch (reason) {
	case CNILINK_REASON_NOT_OFFLOADED:
		return CNILINK_BLOCKER_DEVICE_DOWN;
	case CNILINK_REASON_FORWARDING_OFF:
		return CNILINK_BLOCKER_FORWARDING_OFF;
	case CNILINK_REASON_NETFILTER:
		return CNILINK_BLOCKER_NETFILTER;
	case CNILINK_REASON_RULES:
		return CNILINK_BLOCKER_RULES;
	case CNILINK_REASON_XFRM:
		return CNILINK_BLOCKER_XFRM;
	case CNILINK_REASON_QDISC:
		return CNILINK_BLOCKER_QDISC;
	case CNILINK_REASON_TC:
		return CNILINK_BLOCKER_TC;
	case CNILINK_REASON_NFT_DEVICE:
		return CNILINK_BLOCKER_NFT_DEVICE;
	case CNILINK_REASON_XDP:
		return CNILINK_BLOCKER_XDP;
	case CNILINK_REASON_TAP:
		return CNILINK_BLOCKER_TAP;
	case CNILINK_REASON_RX_HANDLER:
		return CNILINK_BLOCKER_RX_HANDLER;
	default:
		return 0;
	}
}

/**
 * cni_gate_net_blockers - all that stands in the way in a namespace
 * @cn: namespace
 * @family: CNI_V4 or CNI_V6
 * @bypass_nf: netfilter may be stepped over
 *
 * Return: a set of enum cnilink_blocker.
 */
u64 cni_gate_net_blockers(const struct cni_net *cn, int family, bool bypass_nf)
{
	const struct cni_tunnel *tunnel;
	bool outer6 = false;
	u64 blockers = 0;

	if (READ_ONCE(cn->rules[CNI_V4]) || READ_ONCE(cn->rules[CNI_V6]))
		blockers |= CNILINK_BLOCKER_RULES;
	if (cni_gate_xfrm(cn->net))
		blockers |= CNILINK_BLOCKER_XFRM;
	rcu_read_lock();
	list_for_each_entry_rcu(tunnel, &cn->tunnels, list)
		outer6 |= READ_ONCE(tunnel->parms.family) == CNI_V6;
	if (!bypass_nf && (cni_gate_nf(cn->net, family, true) ||
			   (outer6 && cni_gate_nf_outer6(cn->net, family))))
		blockers |= CNILINK_BLOCKER_NETFILTER;
	rcu_read_unlock();
	return blockers;
}
