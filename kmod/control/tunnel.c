// SPDX-License-Identifier: GPL-2.0
/* GRE tunnels: what the stock device is configured to, and its egress. */

#include "control/tunnel.h"

#include <linux/if_arp.h>
#include <linux/inetdevice.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/addrconf.h>
#include <net/dst.h>
#include <net/gre.h>
#include <net/ip.h>
#include <net/ip6_tunnel.h>
#include <net/ip_fib.h>
#include <net/ip_tunnels.h>
#include <net/neighbour.h>
#include <net/netns/generic.h>
#include <net/route.h>
#include <net/rtnetlink.h>

#include "base/epoch.h"
#include "compat/compat.h"
#include "control/link.h"
#include "control/resolve.h"
#include "control/tunnel6.h"
#include "path/blocked.h"
#include "path/gate.h"
#include "path/input.h"
#include "path/stage.h"
#include "state/decap.h"
#include "state/encap.h"

static bool is_kind(const struct net_device *dev, const char *kind)
{
	return dev->rtnl_link_ops && !strcmp(dev->rtnl_link_ops->kind, kind);
}

static void free_counters(struct cni_tunnel *tunnel)
{
	free_percpu(tunnel->input);
	free_percpu(tunnel->stage.blocked);
	free_percpu(tunnel->stage.stats);
	free_percpu(tunnel->stats);
}

static struct cni_tunnel *tunnel_add(struct cni_net *cn,
				     struct net_device *dev,
				     struct netlink_ext_ack *extack)
{
	struct cni_tunnel *tunnel;

	if (!is_kind(dev, "gre") && !is_kind(dev, "ip6gre")) {
		NL_SET_ERR_MSG_MOD(extack,
				   "Not a device of kind gre or ip6gre");
		return ERR_PTR(-EOPNOTSUPP);
	}

	tunnel = kzalloc(sizeof(*tunnel), GFP_KERNEL_ACCOUNT);
	if (!tunnel)
		return ERR_PTR(-ENOMEM);
	tunnel->stats = cni_stats_alloc();
	tunnel->stage.stats = cni_stats_alloc();
	tunnel->input = cni_stats_alloc();
	tunnel->stage.blocked = alloc_percpu_gfp(struct cni_blocked,
						 GFP_KERNEL_ACCOUNT);
	if (!tunnel->stats || !tunnel->stage.stats || !tunnel->stage.blocked ||
	    !tunnel->input ||
	    dst_cache_init(&tunnel->outer, GFP_KERNEL_ACCOUNT)) {
		free_counters(tunnel);
		kfree(tunnel);
		return ERR_PTR(-ENOMEM);
	}
	cni_input_init(tunnel);
	tunnel->stage.tunnel = tunnel;
	tunnel->cn = cn;
	tunnel->dev = dev;
	cni_object_add(&tunnel->obj, &cn->tunnels);
	return tunnel;
}

/**
 * cni_tunnel_set - add a tunnel, or change the options of one
 * @cn: namespace, RTNL held
 * @dev: the gre device
 * @opts: all of its options
 * @extack: for the reason of a failure
 *
 * Return: 0 or an error.
 */
int cni_tunnel_set(struct cni_net *cn, struct net_device *dev,
		   const struct cni_tunnel_opts *opts,
		   struct netlink_ext_ack *extack)
{
	struct cni_tunnel *tunnel = cni_object_tunnel(cn, dev->ifindex);
	bool new = !tunnel, clamp, out;
	int err;

	if (new)
		tunnel = tunnel_add(cn, dev, extack);
	if (IS_ERR(tunnel))
		return PTR_ERR(tunnel);
	clamp = opts->mss[CNI_V4] || opts->mss[CNI_V6];
	out = clamp || IS_ENABLED(CONFIG_NETFILTER_EGRESS);
	err = cni_stage_set(&tunnel->stage, cn->net, dev, clamp || opts->n,
			    out, extack);
	if (!err)
		err = cni_health_set(tunnel, opts->check, opts->n, opts->rate);
	if (err && new)
		cni_tunnel_del(tunnel);
	if (err)
		return err;
	cni_stage_clamp(&tunnel->stage, opts->mss);
	WRITE_ONCE(tunnel->flags, opts->flags);
	return 0;
}

static void tunnel_free_rcu(struct rcu_head *rcu)
{
	struct cni_tunnel *tunnel = container_of(rcu, struct cni_tunnel, rcu);

	dst_cache_destroy(&tunnel->outer);
	free_counters(tunnel);
	cni_input_exit(tunnel);
	kfree(tunnel);
}

static void set_neigh(struct cni_tunnel *tunnel, struct neighbour *neigh)
{
	if (tunnel->neigh)
		neigh_release(tunnel->neigh);
	tunnel->neigh = neigh;
}

/**
 * cni_tunnel_del - stop offloading a tunnel
 * @tunnel: tunnel, RTNL held
 */
void cni_tunnel_del(struct cni_tunnel *tunnel)
{
	cni_object_remove(&tunnel->obj);
	cni_stage_set(&tunnel->stage, tunnel->cn->net, tunnel->dev, false,
		      false, NULL);
	cni_health_set(tunnel, NULL, 0, 0);
	cni_decap_publish(tunnel, false);
	cni_encap_publish(&tunnel->encap, rtnl_dereference(tunnel->encap),
			  NULL);
	set_neigh(tunnel, NULL);
	/* Templates count there: they go first. */
	cni_resolve_now(tunnel->cn);
	netdev_put(tunnel->dev, &tunnel->tracker);
	call_rcu(&tunnel->rcu, tunnel_free_rcu);
}

static u64 read_parms4(struct cni_tunnel *tunnel)
{
	const struct ip_tunnel *t = netdev_priv(tunnel->dev);
	struct cni_tunnel_parms *parms = &tunnel->parms;
	u64 blockers = 0;

	WRITE_ONCE(parms->local.v4, t->parms.iph.saddr);
	WRITE_ONCE(parms->remote.v4, t->parms.iph.daddr);
	parms->ikey = t->parms.i_key;
	parms->okey = t->parms.o_key;
	parms->ikeyed = CNI_COMPAT_GRE_HAS(t->parms.i_flags, KEY);
	parms->okeyed = CNI_COMPAT_GRE_HAS(t->parms.o_flags, KEY);
	parms->icsum = CNI_COMPAT_GRE_HAS(t->parms.i_flags, CSUM);
	parms->ocsum = CNI_COMPAT_GRE_HAS(t->parms.o_flags, CSUM);
	parms->ignore_df = t->ignore_df;
	parms->ttl = t->parms.iph.ttl;
	parms->tos = t->parms.iph.tos;
	parms->df = t->parms.iph.frag_off & htons(IP_DF);

	if (CNI_COMPAT_GRE_HAS(t->parms.i_flags, SEQ) ||
	    CNI_COMPAT_GRE_HAS(t->parms.o_flags, SEQ))
		blockers |= CNILINK_BLOCKER_GRE_SEQ;
	if (t->encap.type != TUNNEL_ENCAP_NONE)
		blockers |= CNILINK_BLOCKER_GRE_ENCAP;
	if (t->collect_md || !net_eq(t->net, dev_net(tunnel->dev)) ||
	    (!blockers && (!CNI_COMPAT_GRE_KNOWN(t->parms.i_flags) ||
			   !CNI_COMPAT_GRE_KNOWN(t->parms.o_flags))))
		blockers |= CNILINK_BLOCKER_GRE_EXTERNAL;
	if (!parms->local.v4 || !parms->remote.v4 ||
	    ipv4_is_multicast(parms->remote.v4))
		blockers |= CNILINK_BLOCKER_GRE_ENDPOINT;
	if (!netif_running(tunnel->dev))
		blockers |= CNILINK_BLOCKER_DEVICE_DOWN;
	return blockers;
}

/**
 * cni_tunnel_found_route - remember the outer route
 * @tunnel: tunnel, RTNL held
 * @link: link that it goes by
 * @neigh: next hop, the reference goes over to @tunnel
 * @mtu: of the route
 * @mtu_locked: that MTU is locked
 */
void cni_tunnel_found_route(struct cni_tunnel *tunnel, struct cni_link *link,
			    struct neighbour *neigh, u32 mtu, bool mtu_locked)
{
	set_neigh(tunnel, neigh);
	dst_cache_reset(&tunnel->outer);
	tunnel->link = link;
	tunnel->route_mtu = mtu;
	tunnel->outer_mtu = min(mtu, link->dev->mtu);
	tunnel->mtu_locked = mtu_locked;
}

/*
 * Does the outer route hang on the packet? On the inner TOS, where that is
 * inherited; and among several next hops on the inner packet's hash, or on that
 * of a packet of before, whose route the stock device has kept.
 */
static bool route_varies4(const struct cni_tunnel *tunnel, struct flowi4 fl4)
{
	u8 mask = tunnel->parms.tos & 1 ? CNI_COMPAT_TOS_MASK : 0;
	const struct fib_info *first = NULL, *fi;
	struct fib_result res;
	bool varies = false;
	unsigned int tos;

	fl4.flowi4_iif = LOOPBACK_IFINDEX;
	cni_compat_fl4_set_tos(&fl4, tunnel->parms.tos & INET_DSCP_MASK &
				     CNI_COMPAT_TOS_MASK);
	rcu_read_lock();
	for (tos = 0; tos <= mask && !varies; tos++) {
		if (tos & ~mask)
			continue;
		if (mask)
			cni_compat_fl4_set_tos(&fl4, tos);
		fi = fib_lookup(tunnel->cn->net, &fl4, &res,
				FIB_LOOKUP_NOREF) ? NULL : res.fi;
		if (!tos)
			first = fi;
		varies = fi != first || (fi && !fl4.flowi4_oif &&
					 fib_info_num_path(fi) > 1);
	}
	rcu_read_unlock();
	return varies;
}

/* The outer route, as ip_tunnel_xmit() asks for it. */
static u64 read_route4(struct cni_tunnel *tunnel)
{
	struct net *net = tunnel->cn->net;
	struct neighbour *neigh;
	struct cni_link *link;
	struct flowi4 fl4;
	struct rtable *rt;
	u64 blockers = 0;

	if (inet_addr_type(net, tunnel->parms.local.v4) != RTN_LOCAL)
		return CNILINK_BLOCKER_LOCAL_MISSING;
	cni_encap_flow4(tunnel, &fl4);
	if (route_varies4(tunnel, fl4))
		return CNILINK_BLOCKER_MULTIPATH;
	rt = ip_route_output_key(net, &fl4);
	if (IS_ERR(rt))
		return CNILINK_BLOCKER_NO_ROUTE;

	link = cni_object_link(tunnel->cn, rt->dst.dev->ifindex);
	if (!link || rt->rt_type != RTN_UNICAST || rt->dst.lwtstate ||
	    rt->dst.xfrm || rt->rt_gw_family == AF_INET6) {
		blockers = CNILINK_BLOCKER_ROUTE_ELSEWHERE;
	} else {
		neigh = dst_neigh_lookup(&rt->dst, &fl4.daddr);
		if (neigh) {
			cni_tunnel_found_route(tunnel, link, neigh,
					       dst_mtu(&rt->dst),
					       ip_mtu_locked(&rt->dst));
			blockers = link->blockers;
		} else {
			blockers = CNILINK_BLOCKER_NEIGHBOUR;
		}
	}
	ip_rt_put(rt);
	return blockers;
}

/* Does the kernel give what comes by the link to another device? */
static bool has_twin4(const struct cni_tunnel *tunnel)
{
	const struct ip_tunnel *t = netdev_priv(tunnel->dev);
	const struct cni_tunnel_parms *parms = &tunnel->parms;
	typeof(ip_tunnel_lookup) *lookup;
	const struct ip_tunnel *found;

	/* Its module need not be there, but is when such a device is. */
	lookup = symbol_get(ip_tunnel_lookup);
	if (!lookup)
		return true;
	rcu_read_lock();
	found = lookup(net_generic(t->net, t->ip_tnl_net_id),
		       tunnel->link->dev->ifindex, t->parms.i_flags,
		       parms->remote.v4, parms->local.v4,
		       parms->ikeyed ? parms->ikey : 0);
	rcu_read_unlock();
	symbol_put(ip_tunnel_lookup);
	return found != t;
}

/**
 * cni_tunnel_rival - where a gre device may take what is a tunnel's
 * @dev: any device
 *
 * Wherever it lives, it receives where it was made.
 *
 * Return: the namespace, or NULL for a device of another kind.
 */
struct cni_net *cni_tunnel_rival(const struct net_device *dev)
{
	const struct ip_tunnel *t4 = netdev_priv(dev);
	const struct ip6_tnl *t6 = netdev_priv(dev);

	if (is_kind(dev, "gre"))
		return cni_net_of(t4->net);
	if (is_kind(dev, "ip6gre"))
		return cni_net_of(t6->net);
	return NULL;
}

/**
 * cni_tunnel_resolve - look at a tunnel's device and outer route anew
 * @tunnel: tunnel, RTNL held, its link resolved
 */
void cni_tunnel_resolve(struct cni_tunnel *tunnel)
{
	bool v6 = is_kind(tunnel->dev, "ip6gre");
	u64 blockers;

	blockers = v6 ? cni_tunnel6_parms(tunnel) : read_parms4(tunnel);
	tunnel->link = NULL;
	if (!blockers)
		blockers = v6 ? cni_tunnel6_route(tunnel) : read_route4(tunnel);
	if (!tunnel->link)
		set_neigh(tunnel, NULL);
	/* It is known before the first packet, and while nobody sends. */
	if (!blockers)
		neigh_event_send(tunnel->neigh, NULL);
	tunnel->twin = !blockers && (v6 ? cni_tunnel6_has_twin(tunnel) :
					  has_twin4(tunnel));
	WRITE_ONCE(tunnel->blockers, blockers);
	cni_decap_publish(tunnel, !blockers && !tunnel->twin);
	cni_encap_publish(&tunnel->encap, rtnl_dereference(tunnel->encap),
			  cni_encap_tunnel(tunnel, &blockers));
}

/**
 * cni_tunnel_blockers - what keeps a tunnel from being offloaded at the moment
 * @tunnel: tunnel, RTNL held
 *
 * Return: a set of enum cnilink_blocker.
 */
u64 cni_tunnel_blockers(const struct cni_tunnel *tunnel)
{
	u64 blockers = tunnel->blockers;

	if (tunnel->twin)
		blockers |= CNILINK_BLOCKER_GRE_TWIN;
	rcu_read_lock();
	blockers |= cni_gate_blocker(cni_gate_dev_tx(tunnel->dev)) |
		    cni_gate_blocker(cni_gate_dev_rx(tunnel->dev));
	if (cni_gate_heard(tunnel->dev, htons(ETH_P_IP)) ||
	    cni_gate_heard(tunnel->dev, htons(ETH_P_IPV6)) ||
	    (tunnel->link &&
	     cni_gate_heard_outer(tunnel->link->dev,
				  tunnel->parms.family == CNI_V6)))
		blockers |= CNILINK_BLOCKER_TAP;
	rcu_read_unlock();
	if (tunnel->link)
		blockers |= cni_link_blockers(tunnel->link);
	if (tunnel->neigh && !(READ_ONCE(tunnel->neigh->nud_state) & NUD_VALID))
		blockers |= CNILINK_BLOCKER_NEIGHBOUR;
	return blockers;
}
