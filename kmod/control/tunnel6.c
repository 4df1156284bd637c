// SPDX-License-Identifier: GPL-2.0
/* GRE tunnels over IPv6: what the stock device is configured to. */

#include "control/tunnel6.h"

#include <linux/if_arp.h>
#include <net/addrconf.h>
#include <net/gre.h>
#include <net/ip6_fib.h>
#include <net/ip6_route.h>
#include <net/ip6_tunnel.h>
#include <net/ipv6.h>
#include <net/nexthop.h>

#include "compat/compat.h"
#include "control/tunnel.h"
#include "state/encap.h"
#include "state/net.h"
#include "state/object.h"

/* What any device may send to and receive from, as ip6_tnl_get_cap() has it. */
static bool is_endpoint(const struct in6_addr *addr)
{
	int type = ipv6_addr_type(addr);

	return type & IPV6_ADDR_UNICAST &&
	       !(type & (IPV6_ADDR_LOOPBACK | IPV6_ADDR_LINKLOCAL |
			 IPV6_ADDR_MAPPED | IPV6_ADDR_COMPATv4));
}

/**
 * cni_tunnel6_parms - read a stock ip6gre device's configuration
 * @tunnel: tunnel, RTNL held
 *
 * Return: what it has that can't be offloaded, a set of enum cnilink_blocker.
 */
u64 cni_tunnel6_parms(struct cni_tunnel *tunnel)
{
	const struct ip6_tnl *t = netdev_priv(tunnel->dev);
	struct cni_tunnel_parms *parms = &tunnel->parms;
	u64 blockers = 0;

	/* The FIB notifier may have read half of an old address. */
	if (!ipv6_addr_equal(&parms->local.v6, &t->parms.laddr) ||
	    !ipv6_addr_equal(&parms->remote.v6, &t->parms.raddr))
		cni_net_kick(tunnel->cn);
	parms->family = CNI_V6;
	parms->local.v6 = t->parms.laddr;
	parms->remote.v6 = t->parms.raddr;
	parms->ikey = t->parms.i_key;
	parms->okey = t->parms.o_key;
	parms->ikeyed = CNI_COMPAT_GRE_HAS(t->parms.i_flags, KEY);
	parms->okeyed = CNI_COMPAT_GRE_HAS(t->parms.o_flags, KEY);
	parms->icsum = CNI_COMPAT_GRE_HAS(t->parms.i_flags, CSUM);
	parms->ocsum = CNI_COMPAT_GRE_HAS(t->parms.o_flags, CSUM);
	parms->ttl = t->parms.hop_limit;
	parms->flags = t->parms.flags;
	parms->flowinfo = t->parms.flowinfo;
	parms->tos = parms->flags & IP6_TNL_F_USE_ORIG_TCLASS ?
		     1 : ip6_tclass(parms->flowinfo);
	parms->encap_limit = parms->flags & IP6_TNL_F_IGN_ENCAP_LIMIT ?
			     -1 : t->parms.encap_limit;

	if (CNI_COMPAT_GRE_HAS(t->parms.i_flags, SEQ) ||
	    CNI_COMPAT_GRE_HAS(t->parms.o_flags, SEQ))
		blockers |= CNILINK_BLOCKER_GRE_SEQ;
	if (t->encap.type != TUNNEL_ENCAP_NONE)
		blockers |= CNILINK_BLOCKER_GRE_ENCAP;
	if (t->parms.collect_md || !net_eq(t->net, dev_net(tunnel->dev)) ||
	    (!blockers && (!CNI_COMPAT_GRE_KNOWN(t->parms.i_flags) ||
			   !CNI_COMPAT_GRE_KNOWN(t->parms.o_flags))))
		blockers |= CNILINK_BLOCKER_GRE_EXTERNAL;
	if (!is_endpoint(&parms->local.v6) || !is_endpoint(&parms->remote.v6))
		blockers |= CNILINK_BLOCKER_GRE_ENDPOINT;
	if (!netif_running(tunnel->dev))
		blockers |= CNILINK_BLOCKER_DEVICE_DOWN;
	return blockers;
}

/* Which of several next hops it is may hang on the packet's own flow label. */
static bool route_varies(const struct cni_tunnel *tunnel,
			 const struct rt6_info *rt)
{
	const struct fib6_info *from;
	bool varies;

	if (!(tunnel->parms.flags & IP6_TNL_F_USE_ORIG_FLOWLABEL))
		return false;
	rcu_read_lock();
	from = rcu_dereference(rt->from);
	varies = from && (from->fib6_nsiblings ||
			  (from->nh && nexthop_is_multipath(from->nh)));
	rcu_read_unlock();
	return varies;
}

/*
 * An exception for the first address of a prefix is marked as an anycast
 * route; with a /127 that is a peer like the other one.
 */
static bool is_own(const struct rt6_info *rt)
{
	return rt->rt6i_flags & RTF_LOCAL ||
	       (rt->rt6i_flags & (RTF_ANYCAST | RTF_CACHE)) == RTF_ANYCAST;
}

/**
 * cni_tunnel6_route - look the outer route up, as ip6_tnl_xmit() does
 * @tunnel: tunnel, RTNL held, its parameters read
 *
 * Return: what stands in the way, a set of enum cnilink_blocker.
 */
u64 cni_tunnel6_route(struct cni_tunnel *tunnel)
{
	const struct ip6_tnl *t = netdev_priv(tunnel->dev);
	struct net *net = tunnel->cn->net;
	const struct rt6_info *rt;
	struct neighbour *neigh;
	struct cni_link *link;
	struct dst_entry *dst;
	struct flowi6 fl6;
	u64 blockers;

	if (!ipv6_chk_addr_and_flags(net, &tunnel->parms.local.v6,
				     t->parms.link ?
				     __dev_get_by_index(net, t->parms.link) :
				     NULL, false, 0, IFA_F_TENTATIVE))
		return CNILINK_BLOCKER_LOCAL_MISSING;
	cni_encap_flow6(tunnel, &fl6);
	dst = ip6_route_output(net, NULL, &fl6);
	if (dst->error) {
		dst_release(dst);
		return CNILINK_BLOCKER_NO_ROUTE;
	}

	rt = (const struct rt6_info *)dst;
	link = cni_object_link(tunnel->cn, dst->dev->ifindex);
	if (!link || is_own(rt) || dst->lwtstate || dst->xfrm) {
		blockers = CNILINK_BLOCKER_ROUTE_ELSEWHERE;
	} else if (route_varies(tunnel, rt)) {
		blockers = CNILINK_BLOCKER_MULTIPATH;
	} else {
		neigh = dst_neigh_lookup(dst, &fl6.daddr);
		if (neigh) {
			cni_tunnel_found_route(tunnel, link, neigh,
					       dst_mtu(dst), false);
			blockers = link->blockers;
		} else {
			blockers = CNILINK_BLOCKER_NEIGHBOUR;
		}
	}
	dst_release(dst);
	return blockers;
}

/* Does another device's configuration fit the packets of one, too? */
static bool fits(const struct ip6_tnl *t, const struct ip6_tnl *own)
{
	const struct in6_addr *raddr = &t->parms.raddr;
	const struct in6_addr *laddr = &t->parms.laddr;

	return t != own && net_eq(t->net, own->net) &&
	       t->dev->flags & IFF_UP && t->parms.i_key == own->parms.i_key &&
	       (ipv6_addr_any(laddr) ||
		ipv6_addr_equal(laddr, &own->parms.laddr)) &&
	       (ipv6_addr_any(raddr) || ipv6_addr_is_multicast(raddr) ||
		ipv6_addr_equal(raddr, &own->parms.raddr));
}

/*
 * Of those that aren't bound to the link the first of its list counts, if it
 * has both addresses. They have the same list then.
 */
static bool is_before(const struct ip6_tnl *t, const struct ip6_tnl *own)
{
	if (!ipv6_addr_equal(&t->parms.laddr, &own->parms.laddr) ||
	    !ipv6_addr_equal(&t->parms.raddr, &own->parms.raddr))
		return false;
	while (t && t != own)
		t = rcu_dereference(t->next);
	return t;
}

/**
 * cni_tunnel6_has_twin - is what comes by the link another device's?
 * @tunnel: tunnel, RTNL held, its route found
 *
 * As ip6gre_tunnel_lookup() chooses, whose table can't be reached: so all
 * devices are looked at, since some may live in other namespaces. Others than
 * of this type don't get IP packets.
 *
 * Return: whether it is.
 */
bool cni_tunnel6_has_twin(const struct cni_tunnel *tunnel)
{
	const struct ip6_tnl *own = netdev_priv(tunnel->dev), *t;
	const struct cni_tunnel_parms *parms = &tunnel->parms;
	int link = tunnel->link->dev->ifindex;
	const struct net_device *dev;
	bool twin = false;
	struct net *net;

	/* A key that it doesn't ask for keeps packets without one away. */
	if (own->parms.i_key != (parms->ikeyed ? parms->ikey : 0))
		return true;
	if (own->parms.link == link)
		return false;
	rcu_read_lock();
	for_each_net_rcu(net) {
		for_each_netdev_rcu(net, dev) {
			t = netdev_priv(dev);
			if (dev->type == ARPHRD_IP6GRE && fits(t, own) &&
			    (t->parms.link == link || is_before(t, own)))
				twin = true;
		}
	}
	rcu_read_unlock();
	return twin;
}
