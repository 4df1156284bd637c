// SPDX-License-Identifier: GPL-2.0
/* GRE tunnels: what the stock device is configured to, and its way out. */

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
#include <net/ipv6.h>
#include <net/netns/generic.h>
#include <net/nexthop.h>
#include <net/route.h>
#include <net/rtnetlink.h>

#include "compat/compat.h"
#include "state/decap.h"
#include "state/encap.h"
#include "path/gate.h"
#include "path/ip6gre.h"
#include "control/link.h"
#include "control/resolve.h"

/**
 * cni_tunnel_find - a tunnel by its device
 * @cn: namespace
 * @ifindex: of the gre device
 *
 * RTNL or RCU.
 *
 * Return: the tunnel, or NULL.
 */
struct cni_tunnel *cni_tunnel_find(struct cni_net *cn, u32 ifindex)
{
	struct cni_tunnel *tunnel;

	list_for_each_entry_rcu(tunnel, &cn->tunnels, list,
				lockdep_rtnl_is_held())
		if (tunnel->dev->ifindex == ifindex)
			return tunnel;
	return NULL;
}

static bool is_kind(const struct net_device *dev, const char *kind)
{
	return dev->rtnl_link_ops && !strcmp(dev->rtnl_link_ops->kind, kind);
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
	if (!tunnel->stats || !tunnel->stage.stats ||
	    dst_cache_init(&tunnel->outer, GFP_KERNEL_ACCOUNT)) {
		free_percpu(tunnel->stage.stats);
		free_percpu(tunnel->stats);
		kfree(tunnel);
		return ERR_PTR(-ENOMEM);
	}
	tunnel->stage.tunnel = tunnel;
	tunnel->cn = cn;
	tunnel->dev = dev;
	netdev_hold(dev, &tunnel->tracker, GFP_KERNEL);
	list_add_tail_rcu(&tunnel->list, &cn->tunnels);
	cn->object_seq++;
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
	struct cni_tunnel *tunnel = cni_tunnel_find(cn, dev->ifindex);
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
	return 0;
}

static void tunnel_free_rcu(struct rcu_head *rcu)
{
	struct cni_tunnel *tunnel = container_of(rcu, struct cni_tunnel, rcu);

	dst_cache_destroy(&tunnel->outer);
	free_percpu(tunnel->stage.stats);
	free_percpu(tunnel->stats);
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
	list_del_rcu(&tunnel->list);
	tunnel->cn->object_seq++;
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

/* The flow that ip_tunnel_xmit() makes up, unless packets say otherwise. */
static void fill_flow4(const struct cni_tunnel *tunnel, struct flowi4 *fl4)
{
	const struct ip_tunnel *t = netdev_priv(tunnel->dev);

	*fl4 = (struct flowi4){
		.daddr = tunnel->parms.remote.v4,
		.saddr = tunnel->parms.local.v4,
		.flowi4_oif = READ_ONCE(t->parms.link),
		.flowi4_mark = t->fwmark,
		.flowi4_proto = IPPROTO_GRE,
		.fl4_gre_key = tunnel->parms.okey,
	};
	cni_compat_fl4_set_tos(fl4, tunnel->parms.tos & INET_DSCP_MASK);
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
	fill_flow4(tunnel, &fl4);
	if (route_varies4(tunnel, fl4))
		return CNILINK_BLOCKER_MULTIPATH;
	rt = ip_route_output_key(net, &fl4);
	if (IS_ERR(rt))
		return CNILINK_BLOCKER_NO_ROUTE;

	link = cni_link_find(tunnel->cn, rt->dst.dev->ifindex);
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
		return cni_main_net(t4->net);
	if (is_kind(dev, "ip6gre"))
		return cni_main_net(t6->net);
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

	blockers = v6 ? cni_ip6gre_parms(tunnel) : read_parms4(tunnel);
	tunnel->link = NULL;
	if (!blockers)
		blockers = v6 ? cni_ip6gre_route(tunnel) : read_route4(tunnel);
	if (!tunnel->link)
		set_neigh(tunnel, NULL);
	/* It is known before the first packet, and while nobody sends. */
	if (!blockers)
		neigh_event_send(tunnel->neigh, NULL);
	tunnel->twin = !blockers && (v6 ? cni_ip6gre_has_twin(tunnel) :
					  has_twin4(tunnel));
	WRITE_ONCE(tunnel->blockers, blockers);
	cni_decap_publish(tunnel, !blockers && !tunnel->twin);
	cni_encap_publish(&tunnel->encap, rtnl_dereference(tunnel->encap),
			  cni_tunnel_encap(tunnel, &blockers));
}

/**
 * cni_tunnel_stale - stop sending by tunnels until they're resolved again
 * @cn: namespace
 *
 * From any context, under rcu_read_lock().
 */
void cni_tunnel_stale(struct cni_net *cn)
{
	struct cni_tunnel *tunnel;
	struct cni_encap *e;

	list_for_each_entry_rcu(tunnel, &cn->tunnels, list) {
		e = rcu_dereference(tunnel->encap);
		if (e)
			WRITE_ONCE(e->hold, CNI_ENCAP_STALE);
	}
	cni_gate_renew();
}

static bool covers(const struct cni_prefix *prefix, int family,
		   const union cni_addr *addr)
{
	if (family == CNI_V6)
		return ipv6_prefix_equal(&prefix->v6, &addr->v6, prefix->len);
	return !((prefix->v4 ^ READ_ONCE(addr->v4)) &
		 inet_make_mask(prefix->len));
}

/**
 * cni_tunnel_affected - does a change of the kernel's routes concern a tunnel?
 * @cn: namespace
 * @family: CNI_V4 or CNI_V6
 * @prefix: prefix that changed
 *
 * Under rcu_read_lock(), in any context.
 *
 * Return: whether the tunnels have to be resolved anew; they don't receive
 * until then.
 */
bool cni_tunnel_affected(struct cni_net *cn, int family,
			 const struct cni_prefix *prefix)
{
	struct cni_tunnel *tunnel;
	struct cni_decap *decap;
	bool affected = false;

	list_for_each_entry_rcu(tunnel, &cn->tunnels, list) {
		if (READ_ONCE(tunnel->parms.family) != family ||
		    (!covers(prefix, family, &tunnel->parms.local) &&
		     !covers(prefix, family, &tunnel->parms.remote)))
			continue;
		affected = true;
		decap = rcu_dereference(tunnel->decap);
		if (decap)
			WRITE_ONCE(decap->stale, true);
	}
	if (affected)
		cni_gate_renew();
	return affected;
}

static struct cni_encap *encap4(const struct cni_tunnel *tunnel, u64 *blockers)
{
	const struct cni_tunnel_parms *parms = &tunnel->parms;
	struct cni_encap *e;

	e = cni_encap_alloc_gre(tunnel->dev, tunnel->link->dev, parms,
				blockers);
	if (!e)
		return NULL;
	e->ttl = parms->ttl;
	e->tos = parms->tos & ~1;
	e->df = parms->df;
	if (!parms->ttl)
		e->flags |= CNI_ENCAP_TTL_INHERIT;
	if (parms->tos & 1)
		e->flags |= CNI_ENCAP_TOS_INHERIT;
	if (parms->ignore_df)
		e->flags |= CNI_ENCAP_IGNORE_DF;
	if (tunnel->mtu_locked)
		e->flags |= CNI_ENCAP_MTU_LOCKED;
	cni_encap_seal_gre(e);
	return e;
}

/**
 * cni_tunnel_encap - the template of a tunnel
 * @tunnel: tunnel, resolved, RTNL held
 * @blockers: set to what stands in the way when there's none
 *
 * Return: the template, or NULL.
 */
struct cni_encap *cni_tunnel_encap(struct cni_tunnel *tunnel, u64 *blockers)
{
	struct inet6_dev *idev = __in6_dev_get(tunnel->dev);
	const struct cni_link *link = tunnel->link;
	unsigned int outer_len;
	struct cni_encap *e;
	u32 mtu;

	*blockers = tunnel->blockers;
	if (*blockers)
		return NULL;
	e = tunnel->parms.family == CNI_V6 ?
	    cni_ip6gre_encap(tunnel, blockers) : encap4(tunnel, blockers);
	if (!e)
		return NULL;

	e->tunnel = tunnel;
	e->neigh = tunnel->neigh;
	neigh_hold(e->neigh);
	e->route_mtu = tunnel->route_mtu;
	e->stats = tunnel->stats;
	e->link_stats = link->stats;

	/* Whatever has to be fragmented or refused is for the stock device. */
	outer_len = e->hdr_len - e->l2_len;
	mtu = tunnel->outer_mtu;
	mtu = mtu > outer_len ? mtu - outer_len : 0;
	if (mtu < tunnel->dev->mtu)
		e->flags |= CNI_ENCAP_MTU_BELOW;
	mtu = min(tunnel->dev->mtu, mtu);
	e->mtu[CNI_V4] = __in_dev_get_rtnl(tunnel->dev) ? mtu : 0;
	e->mtu[CNI_V6] = cni_encap_mtu6(idev, mtu);
	memcpy(e->mss, tunnel->stage.mss, sizeof(e->mss));
	if (e->mss[CNI_V4] || e->mss[CNI_V6])
		e->flags |= CNI_ENCAP_MSS;
	return e;
}

/* What ip_tunnel_xmit() would find now, and remember */
static struct dst_entry *outer4(struct cni_tunnel *tunnel)
{
	struct flowi4 fl4;
	struct rtable *rt;

	fill_flow4(tunnel, &fl4);
	rt = ip_route_output_key(tunnel->cn->net, &fl4);
	if (IS_ERR(rt))
		return NULL;
	dst_cache_set_ip4(&tunnel->outer, &rt->dst, fl4.saddr);
	return &rt->dst;
}

static bool is_route4(const struct cni_encap *e, const struct dst_entry *dst)
{
	const struct rtable *rt = container_of(dst, struct rtable, dst);
	__be32 next = rt_nexthop(rt, READ_ONCE(e->tunnel->parms.remote.v4));

	return ip_mtu_locked(dst) == !!(e->flags & CNI_ENCAP_MTU_LOCKED) &&
	       next == *(__be32 *)e->neigh->primary_key;
}

/**
 * cni_tunnel_look - what may have changed for a tunnel that nobody tells?
 * @e: its template
 *
 * ICMP errors about its packets, and exceptions from the outer route: a path
 * MTU, or a redirect.
 *
 * In softirq or with bottom halves off, under rcu_read_lock().
 *
 * Return: the reason to leave packets to the stock device, or 0.
 */
enum cnilink_reason cni_tunnel_look(const struct cni_encap *e)
{
	struct cni_tunnel *tunnel = e->tunnel;
	bool v4 = e->flags & CNI_ENCAP_GRE;
	struct dst_entry *dst;
	bool same;

	if (v4 && cni_tunnel_failing(e->gre))
		return CNILINK_REASON_TUNNEL_ERROR;
	dst = dst_cache_get(&tunnel->outer);
	if (!dst)
		dst = v4 ? outer4(tunnel) : cni_ip6gre_outer_dst(tunnel);
	same = dst && dst->dev == (e->vlan ?: e->lower) &&
	       dst_mtu(dst) == e->route_mtu &&
	       (v4 ? is_route4(e, dst) : cni_ip6gre_is_route(e, dst));
	dst_release(dst);
	if (likely(same))
		return 0;
	cni_resolve_kick(tunnel->cn);
	return CNILINK_REASON_NOT_OFFLOADED;
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
