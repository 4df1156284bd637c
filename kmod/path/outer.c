// SPDX-License-Identifier: GPL-2.0
/* The outer route of a tunnel, which may change with no notification. */

#include "path/outer.h"

#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/route.h>

#include "state/encap.h"
#include "state/net.h"
#include "state/object.h"

/* What ip_tunnel_xmit() would find now, and remember. */
static struct dst_entry *outer4(struct cni_tunnel *tunnel)
{
	struct flowi4 fl4;
	struct rtable *rt;

	cni_encap_flow4(tunnel, &fl4);
	rt = ip_route_output_key(tunnel->cn->net, &fl4);
	if (IS_ERR(rt))
		return NULL;
	dst_cache_set_ip4(&tunnel->outer, &rt->dst, fl4.saddr);
	return &rt->dst;
}

static struct dst_entry *outer6(struct cni_tunnel *tunnel)
{
	struct dst_entry *dst;
	struct flowi6 fl6;

	cni_encap_flow6(tunnel, &fl6);
	dst = ip6_route_output(tunnel->cn->net, NULL, &fl6);
	if (dst->error) {
		dst_release(dst);
		return NULL;
	}
	dst_cache_set_ip6(&tunnel->outer, dst, &fl6.saddr);
	return dst;
}

static bool is_route4(const struct cni_encap *e, const struct dst_entry *dst)
{
	const struct rtable *rt = container_of(dst, struct rtable, dst);
	__be32 next = rt_nexthop(rt, READ_ONCE(e->tunnel->parms.remote.v4));

	return ip_mtu_locked(dst) == !!(e->flags & CNI_ENCAP_MTU_LOCKED) &&
	       next == *(__be32 *)e->neigh->primary_key;
}

static bool is_route6(const struct cni_encap *e, const struct dst_entry *dst)
{
	const struct rt6_info *rt = container_of(dst, struct rt6_info, dst);
	const struct in6_addr *next;

	next = rt6_nexthop(rt, &e->tunnel->parms.remote.v6);
	return ipv6_addr_equal(next, (void *)e->neigh->primary_key);
}

/**
 * cni_outer_look - what may have changed for a tunnel that nobody tells?
 * @e: its template
 *
 * ICMP errors about its packets, and exceptions from the outer route: a path
 * MTU, or a redirect.
 *
 * In softirq or with bottom halves off, under rcu_read_lock().
 *
 * Return: the reason to leave packets to the stock device, or 0.
 */
enum cnilink_reason cni_outer_look(const struct cni_encap *e)
{
	struct cni_tunnel *tunnel = e->tunnel;
	bool v4 = e->flags & CNI_ENCAP_GRE;
	struct dst_entry *dst;
	bool same;

	if (v4 && cni_outer_failing(e->gre))
		return CNILINK_REASON_TUNNEL_ERROR;
	dst = dst_cache_get(&tunnel->outer);
	if (!dst)
		dst = v4 ? outer4(tunnel) : outer6(tunnel);
	same = dst && dst->dev == (e->vlan ?: e->lower) &&
	       dst_mtu(dst) == e->route_mtu &&
	       (v4 ? is_route4(e, dst) : is_route6(e, dst));
	dst_release(dst);
	if (likely(same))
		return 0;
	cni_net_kick(tunnel->cn);
	return CNILINK_REASON_NOT_OFFLOADED;
}
