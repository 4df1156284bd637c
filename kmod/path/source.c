// SPDX-License-Identifier: GPL-2.0
/*
 * The strict check of a port's sources (BCP 38): what rp_filter=1 does to IPv4
 * and netfilter's rpfilter match to IPv6, for all of the port's packets,
 * whichever path they take. The prefix table proves most sources to be good; of
 * the others the kernel's own routes are asked.
 */

#include "path/source.h"

#include <linux/inetdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/ip6_route.h>
#include <net/ip_fib.h>
#include <net/ipv6.h>
#include <net/l3mdev.h>
#include <net/xfrm.h>

#include "base/packet.h"
#include "compat/compat.h"
#include "state/adj.h"
#include "state/fib.h"
#include "state/object.h"
#include "state/route.h"

/* The table is without what rules add to it. */
static bool table_tells(const struct cni_net *cn, int family)
{
	return !READ_ONCE(cn->fib.rules[family]) &&
	       !rcu_access_pointer(cn->policy[family]);
}

static bool leads_to(const struct cni_port *port, u32 value)
{
	const struct cni_adj *adj;

	if (value < CNI_ROUTE_ADJ)
		return false;
	adj = cni_adj_find(port->cn, value);
	return adj && cni_adj_uses(adj, port->dev);
}

static bool proven4(const struct cni_port *port, __be32 saddr)
{
	const struct cni_table *table;
	struct cni_net *cn = port->cn;

	/* Before the look-up: a change seen as done is in the table then. */
	if (!table_tells(cn, CNI_V4) ||
	    (cni_fib_pending(cn, CNI_V4) && cni_fib_pending4(cn, saddr)))
		return false;
	table = rcu_dereference(cn->table);
	return table && leads_to(port, cni_route_lookup4(table, saddr));
}

static bool proven6(const struct cni_port *port, const struct in6_addr *saddr)
{
	const struct cni_table *table;
	struct cni_net *cn = port->cn;

	if (!table_tells(cn, CNI_V6) ||
	    (cni_fib_pending(cn, CNI_V6) && cni_fib_pending6(cn, saddr)))
		return false;
	table = rcu_dereference(cn->table);
	return table && leads_to(port, cni_route_lookup6(table, saddr));
}

/* Rules go by ports, which the kernel reads from an skb only. */
static bool needs_skb(const struct net *net)
{
#ifdef CONFIG_IP_MULTIPLE_TABLES
	return net->ipv4.fib_rules_require_fldissect;
#else
	return false;
#endif
}

/* As __fib_validate_source() asks with rp_filter=1. */
static bool ask4(const struct cni_port *port, struct sk_buff *skb,
		 const struct iphdr *iph)
{
	struct in_device *in_dev = __in_dev_get_rcu(port->dev);
	struct net *net = port->cn->net;
	struct flowi4 fl4 = {
		.flowi4_iif = LOOPBACK_IFINDEX,
		.flowi4_l3mdev = l3mdev_master_ifindex_rcu(port->dev),
		.daddr = iph->saddr,
		.saddr = iph->daddr,
	};
	struct fib_result res;
	struct flow_keys keys;

	/* The device has no IPv4. */
	if (!in_dev)
		return true;
	cni_compat_fl4_set_tos(&fl4, iph->tos & CNI_COMPAT_TOS_MASK);
	if (skb && IN_DEV_SRC_VMARK(in_dev))
		fl4.flowi4_mark = skb->mark;
	if (skb && fib4_rules_early_flow_dissect(net, skb, &fl4, &keys))
		swap(fl4.fl4_sport, fl4.fl4_dport);
	if (fib_lookup(net, &fl4, &res, 0))
		return false;
	return (res.type == RTN_UNICAST ||
		(res.type == RTN_LOCAL && IN_DEV_ACCEPT_LOCAL(in_dev))) &&
	       fib_info_nh_uses_dev(res.fi, port->dev);
}

/* As rpfilter_lookup_reverse6() does; with a device named @skb may be NULL. */
static bool ask6(const struct cni_port *port, const struct sk_buff *skb,
		 const struct ipv6hdr *iph)
{
	const struct net_device *dev = port->dev;
	struct flowi6 fl6 = {
		.flowi6_iif = LOOPBACK_IFINDEX,
		.flowi6_oif = dev->ifindex,
		.flowi6_l3mdev = l3mdev_master_ifindex_rcu(dev),
		.flowi6_proto = iph->nexthdr,
		.flowlabel = ip6_flowinfo(iph),
		.daddr = iph->saddr,
	};
	struct rt6_info *rt;
	int flags = 0;
	bool ok;

	if (ipv6_addr_type(&iph->daddr) & IPV6_ADDR_UNICAST) {
		fl6.saddr = iph->daddr;
		flags |= RT6_LOOKUP_F_HAS_SADDR;
	}
	if (ipv6_addr_type(&iph->saddr) & IPV6_ADDR_LINKLOCAL)
		flags |= RT6_LOOKUP_F_IFACE;
	rt = (void *)ip6_route_lookup(port->cn->net, &fl6, skb, flags);
	ok = !rt->dst.error && rt->rt6i_idev &&
	     !(rt->rt6i_flags & (RTF_REJECT | RTF_ANYCAST | RTF_LOCAL)) &&
	     (rt->rt6i_idev->dev == dev ||
	      l3mdev_master_ifindex_rcu(rt->rt6i_idev->dev) == dev->ifindex);
	ip6_rt_put(rt);
	return ok;
}

/* No source yet, or none at all, is nothing to route back to. */
static enum cnilink_reason check4(const struct cni_port *port,
				  struct cni_packet pkt)
{
	const struct iphdr *iph;
	struct iphdr buf;

	iph = cni_packet_header(pkt, 0, sizeof(buf), &buf);
	if (!iph || ipv4_is_zeronet(iph->saddr) ||
	    (pkt.skb && skb_sec_path(pkt.skb)) || proven4(port, iph->saddr))
		return 0;
	if (!pkt.skb && needs_skb(port->cn->net))
		return CNILINK_REASON_RULES;
	return ask4(port, pkt.skb, iph) ? 0 : CNILINK_REASON_STRICT_SOURCE;
}

static enum cnilink_reason check6(const struct cni_port *port,
				  struct cni_packet pkt)
{
	const struct ipv6hdr *iph;
	struct ipv6hdr buf;

	iph = cni_packet_header(pkt, 0, sizeof(buf), &buf);
	return !iph || ipv6_addr_any(&iph->saddr) ||
	       proven6(port, &iph->saddr) || ask6(port, pkt.skb, iph) ?
	       0 : CNILINK_REASON_STRICT_SOURCE;
}

/**
 * cni_source_check - may a packet come in by a port, with the source it has?
 * @port: port with CNILINK_PORT_FLAG_STRICT_SOURCE
 * @pkt: frame, at its network header
 *
 * In softirq, under rcu_read_lock().
 *
 * Return: 0 if it may; CNILINK_REASON_STRICT_SOURCE for a packet whose source
 * isn't routed back to the port; without an skb CNILINK_REASON_RULES where that
 * takes one to tell.
 */
enum cnilink_reason cni_source_check(const struct cni_port *port,
				     struct cni_packet pkt)
{
	/* Not what the port's own layer 3 would get to see. */
	if (cni_packet_tagged(pkt) ||
	    cni_packet_type(pkt) == PACKET_OTHERHOST ||
	    cni_packet_type(pkt) == PACKET_LOOPBACK ||
	    rcu_access_pointer(port->dev->rx_handler))
		return 0;
	if (cni_packet_proto(pkt) == htons(ETH_P_IP))
		return check4(port, pkt);
	if (cni_packet_proto(pkt) == htons(ETH_P_IPV6))
		return check6(port, pkt);
	return 0;
}
