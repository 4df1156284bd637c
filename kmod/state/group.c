// SPDX-License-Identifier: GPL-2.0
/*
 * Choosing among several next hops as the kernel does, so that a flow stays
 * on one of them whether its packets take the fast path or not: the same hash
 * of the same fields, compared with the same bounds.
 */

#include "state/group.h"

#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/inetdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <net/addrconf.h>
#include <net/flow_dissector.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "base/packet.h"
#include "compat/compat.h"
#include "state/adj.h"
#include "state/net.h"

/* Values of the sysctls fib_multipath_hash_policy. */
enum {
	POLICY_L3,
	POLICY_L4,
};

/* The kernel goes by an ICMP error's own flow: that is left to it. */
static bool is_icmp_error(struct cni_packet pkt, unsigned int off, u8 ip_proto)
{
	u8 buf;
	const u8 *type = cni_packet_header(pkt, off, sizeof(buf), &buf);

	return type && (ip_proto == IPPROTO_ICMP ? icmp_is_err(*type) :
						   icmpv6_is_err(*type));
}

/*
 * The usual protocols are read here, whatever else by the dissector, with
 * whose ports the result is the same.
 */
static void read_ports(struct cni_packet pkt, unsigned int off,
		       unsigned int ip_len, __be16 proto, bool fragment,
		       struct flow_keys *keys)
{
	struct flow_dissector_key_ports buf;
	const struct flow_dissector_key_ports *ports;
	struct flow_keys all;

	if (fragment)
		return;
	if (keys->basic.ip_proto == IPPROTO_TCP ||
	    keys->basic.ip_proto == IPPROTO_UDP) {
		ports = cni_packet_header(pkt, off + ip_len, sizeof(buf), &buf);
		if (ports)
			keys->ports.ports = ports->ports;
		return;
	}
	memset(&all, 0, sizeof(all));
	/* It takes data without an skb, too. */
	__skb_flow_dissect(dev_net(cni_packet_dev(pkt)), pkt.skb,
			   &flow_keys_dissector, &all, cni_packet_data(pkt),
			   proto, off, cni_packet_headlen(pkt),
			   FLOW_DISSECTOR_F_STOP_AT_ENCAP);
	keys->ports = all.ports;
	keys->basic.ip_proto = all.basic.ip_proto;
}

/* As fib_multipath_hash(). */
static int hash4(const struct net *net, struct cni_packet pkt, unsigned int off)
{
	const struct iphdr *iph = cni_packet_data(pkt) + off;
	int policy = READ_ONCE(net->ipv4.sysctl_fib_multipath_hash_policy);
	struct flow_keys keys;

	if (policy == POLICY_L4 && pkt.skb && pkt.skb->l4_hash)
		return pkt.skb->hash >> 1;

	memset(&keys, 0, sizeof(keys));
	keys.control.addr_type = FLOW_DISSECTOR_KEY_IPV4_ADDRS;
	keys.addrs.v4addrs.src = iph->saddr;
	keys.addrs.v4addrs.dst = iph->daddr;
	switch (policy) {
	case POLICY_L3:
		if (unlikely(iph->protocol == IPPROTO_ICMP) &&
		    !(iph->frag_off & htons(IP_OFFSET)) &&
		    is_icmp_error(pkt, off + sizeof(*iph), IPPROTO_ICMP))
			return -1;
		break;
	case POLICY_L4:
		keys.basic.ip_proto = iph->protocol;
		read_ports(pkt, off, sizeof(*iph), htons(ETH_P_IP),
			   ip_is_fragment(iph), &keys);
		break;
	default:
		return -1;
	}
	return cni_compat_multipath_hash(net, &keys) >> 1;
}

/* As rt6_multipath_hash(). */
static int hash6(const struct net *net, struct cni_packet pkt, unsigned int off)
{
	const struct ipv6hdr *iph = cni_packet_data(pkt) + off;
	int policy = ip6_multipath_hash_policy(net);
	struct flow_keys keys;

	if (policy == POLICY_L4 && pkt.skb && pkt.skb->l4_hash)
		return pkt.skb->hash >> 1;

	memset(&keys, 0, sizeof(keys));
	keys.control.addr_type = FLOW_DISSECTOR_KEY_IPV6_ADDRS;
	keys.addrs.v6addrs.src = iph->saddr;
	keys.addrs.v6addrs.dst = iph->daddr;
	keys.basic.ip_proto = iph->nexthdr;
	switch (policy) {
	case POLICY_L3:
		if (unlikely(iph->nexthdr == IPPROTO_ICMPV6) &&
		    is_icmp_error(pkt, off + sizeof(*iph), IPPROTO_ICMPV6))
			return -1;
		keys.tags.flow_label = (__force u32)ip6_flowlabel(iph);
		break;
	case POLICY_L4:
		read_ports(pkt, off, sizeof(*iph), htons(ETH_P_IPV6), false,
			   &keys);
		break;
	default:
		return -1;
	}
	return cni_compat_multipath_hash(net, &keys) >> 1;
}

/* What the kernel switches on and off along with an IPv6 next hop. */
static bool is_ready6(const struct net_device *dev)
{
	const struct inet6_dev *idev = dev ? __in6_dev_get(dev) : NULL;

	return idev && READ_ONCE(idev->if_flags) & IF_READY;
}

/* Of a device's IPv6 nobody tells that it goes or comes. */
static bool is_balanced6(const struct cni_group *group)
{
	unsigned int i;

	for (i = 0; i < group->n; i++)
		if (is_ready6(READ_ONCE(group->hop[i].adj->dev)) !=
		    READ_ONCE(group->hop[i].ready))
			return false;
	return true;
}

/**
 * cni_group_pick - the next hop of a packet
 * @cn: namespace
 * @group: the route's next hops
 * @pkt: packet
 * @off: where its IP header is, from cni_packet_data(); it is there whole
 * @proto: ETH_P_IP or ETH_P_IPV6, network byte order
 *
 * Under rcu_read_lock(). Out of line: most routes have one next hop.
 *
 * Return: the adjacency, or NULL when the kernel may choose another.
 */
noinline const struct cni_adj *cni_group_pick(const struct cni_net *cn,
					      const struct cni_group *group,
					      struct cni_packet pkt,
					      unsigned int off, __be16 proto)
{
	unsigned int i;
	int hash;

	hash = proto == htons(ETH_P_IP) ? hash4(cn->net, pkt, off) :
					  hash6(cn->net, pkt, off);
	if (unlikely(hash < 0))
		return NULL;
	if (proto != htons(ETH_P_IP) && !is_balanced6(group))
		return NULL;
	for (i = 0; i < group->n; i++)
		if (hash <= READ_ONCE(group->hop[i].bound))
			return group->hop[i].adj;
	return NULL;
}

/**
 * cni_group_uses - is a device one of those that the flows are spread over?
 * @group: the route's next hops
 * @dev: device
 *
 * Return: whether it is.
 */
bool cni_group_uses(const struct cni_group *group,
		    const struct net_device *dev)
{
	unsigned int i;

	for (i = 0; i < group->n; i++)
		if (READ_ONCE(group->hop[i].adj->dev) == dev)
			return true;
	return false;
}

/**
 * cni_group_has - does one of the next hops go by a device?
 * @group: the route's next hops
 * @oif: ifindex
 *
 * Return: whether it does.
 */
bool cni_group_has(const struct cni_group *group, u32 oif)
{
	unsigned int i;

	for (i = 0; i < group->n; i++)
		if (group->hop[i].adj->nh.oif == oif)
			return true;
	return false;
}

/*
 * Whether the kernel marks it RTNH_F_DEAD: it does so, and takes it back, with
 * the device, and for IPv6 when that is or isn't ready. More is announced, see
 * fib.c. Objects are never dead: they go.
 */
static bool hop_alive(const struct cni_group *group, const struct cni_hop *hop)
{
	const struct net_device *dev = hop->adj->dev;

	if (!(dev->flags & IFF_UP))
		return false;
	return hop->adj->nh.family == CNI_V4 || group->object ||
	       READ_ONCE(hop->ready);
}

/*
 * Without carrier it depends on what a sysctl said when the kernel looked last;
 * and of a next hop without IPv6, on whether it's an object.
 */
static bool hop_known(const struct cni_group *group, const struct cni_hop *hop)
{
	const struct net_device *dev = hop->adj->dev;

	if (!dev)
		return false;
	if (!(dev->flags & IFF_UP))
		return true;
	if (!netif_carrier_ok(dev))
		return false;
	if (hop->adj->nh.family == CNI_V4)
		return __in_dev_get_rtnl(dev);
	return group->object != CNI_ADJ_UNSAID || READ_ONCE(hop->ready);
}

/**
 * cni_group_balance - set the bounds anew from the devices' states
 * @cn: namespace, locked, RTNL held, the members resolved
 * @group: the route's next hops
 *
 * A member of which it isn't known whether the kernel uses it makes the whole
 * unknown: all of it is the kernel's then.
 *
 * Return: what keeps any of them from being sent to.
 */
u64 cni_group_balance(struct cni_net *cn, struct cni_group *group)
{
	u32 total = 0, sum = 0;
	bool known = true;
	u64 blockers = 0;
	unsigned int i;
	s32 bound;

	for (i = 0; i < group->n; i++) {
		struct cni_hop *hop = &group->hop[i];

		blockers |= hop->adj->blockers;
		WRITE_ONCE(hop->ready, is_ready6(hop->adj->dev));
		if (!hop_known(group, hop))
			known = false;
		else if (hop_alive(group, hop))
			total += hop->weight;
	}
	for (i = 0; i < group->n; i++) {
		struct cni_hop *hop = &group->hop[i];

		bound = -1;
		if (known && hop_alive(group, hop)) {
			sum += hop->weight;
			bound = DIV_ROUND_CLOSEST_ULL((u64)sum << 31, total) -
				1;
		}
		WRITE_ONCE(hop->bound, bound);
	}
	return blockers;
}
