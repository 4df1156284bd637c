// SPDX-License-Identifier: GPL-2.0
/*
 * Cloudflare's tunnel health checks, answered as they come out of the tunnel:
 * by the fast path, or as the stock gre device has received them. One kind is
 * an echo reply that has this host's own address as its source and wants to be
 * sent back: the kernel's routing takes it for a forgery, and a firewall for
 * part of no connection. So it's answered before either sees it, but only what
 * was agreed on: this tunnel, these addresses, this many a second.
 */

#include "health.h"

#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/checksum.h>
#include <net/icmp.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/route.h>
#include <uapi/linux/cnilink.h>

#include "tunnel.h"

static const struct cni_health_check *
find_check(const struct cni_health *health, int family, bool request,
	   const struct in6_addr *src, const struct in6_addr *dst)
{
	const struct in6_addr *local = request ? dst : src;
	const struct in6_addr *peer = request ? src : dst;
	const struct cni_health_check *check;
	unsigned int i;

	for (i = 0; i < health->n; i++) {
		check = &health->check[i];
		if (check->family == family &&
		    !!(check->flags & CNILINK_HEALTH_FLAG_REQUEST) == request &&
		    ipv6_addr_equal(&check->local, local) &&
		    ipv6_prefix_equal(&check->peer, peer, check->peer_len))
			return check;
	}
	return NULL;
}

/* A probe, whole and with good checksums; padding may follow. */
static const struct cni_health_check *
find_probe4(const struct cni_health *health, struct sk_buff *skb)
{
	struct in6_addr src = {}, dst = {};
	const struct iphdr *iph;
	unsigned int len;
	u8 type;

	if (!pskb_may_pull(skb, sizeof(*iph) + sizeof(struct icmphdr)))
		return NULL;
	iph = ip_hdr(skb);
	len = ntohs(iph->tot_len);
	if (*(u8 *)iph != 0x45 || iph->protocol != IPPROTO_ICMP ||
	    ip_is_fragment(iph) || iph->ttl <= 1 || len > skb->len ||
	    len < sizeof(*iph) + sizeof(struct icmphdr) ||
	    ip_fast_csum(iph, iph->ihl))
		return NULL;
	type = ((const struct icmphdr *)(iph + 1))->type;
	if (type != ICMP_ECHO && type != ICMP_ECHOREPLY)
		return NULL;
	src.s6_addr32[0] = iph->saddr;
	dst.s6_addr32[0] = iph->daddr;
	if (csum_fold(skb_checksum(skb, sizeof(*iph), len - sizeof(*iph), 0)))
		return NULL;
	return find_check(health, CNI_V4, type == ICMP_ECHO, &src, &dst);
}

static const struct cni_health_check *
find_probe6(const struct cni_health *health, struct sk_buff *skb)
{
	const struct ipv6hdr *iph;
	unsigned int len;
	u8 type;

	if (!pskb_may_pull(skb, sizeof(*iph) + sizeof(struct icmp6hdr)))
		return NULL;
	iph = ipv6_hdr(skb);
	len = ntohs(iph->payload_len);
	if (iph->version != 6 || iph->nexthdr != IPPROTO_ICMPV6 ||
	    iph->hop_limit <= 1 || len > skb->len - sizeof(*iph) ||
	    len < sizeof(struct icmp6hdr))
		return NULL;
	type = ((const struct icmp6hdr *)(iph + 1))->icmp6_type;
	if (type != ICMPV6_ECHO_REQUEST && type != ICMPV6_ECHO_REPLY)
		return NULL;
	if (csum_ipv6_magic(&iph->saddr, &iph->daddr, len, IPPROTO_ICMPV6,
			    skb_checksum(skb, sizeof(*iph), len, 0)))
		return NULL;
	return find_check(health, CNI_V6, type == ICMPV6_ECHO_REQUEST,
			  &iph->saddr, &iph->daddr);
}

/* Whoever is refused by the fast path comes again and is counted then. */
static bool take_token(struct cni_health *health, bool count)
{
	u64 full = (u64)health->rate * HZ, more;
	bool ok;

	spin_lock(&health->lock);
	more = (u64)(jiffies - health->stamp) * health->rate;
	health->stamp = jiffies;
	health->tokens = min(health->tokens + more, full);
	ok = health->tokens >= HZ;
	if (ok) {
		health->tokens -= HZ;
		health->answered++;
	} else if (count) {
		health->limited++;
	}
	spin_unlock(&health->lock);
	return ok;
}

/* The way of an answer that doesn't go by the tunnel, as if sent from here. */
static struct dst_entry *route4(struct net *net, const struct iphdr *iph,
				bool request)
{
	struct flowi4 fl4 = {
		.saddr = request ? iph->daddr : iph->saddr,
		.daddr = request ? iph->saddr : iph->daddr,
		.flowi4_proto = IPPROTO_ICMP,
	};
	struct rtable *rt = ip_route_output_key(net, &fl4);

	return IS_ERR(rt) ? NULL : &rt->dst;
}

static struct dst_entry *route6(struct net *net, const struct ipv6hdr *iph,
				bool request)
{
	struct flowi6 fl6 = {
		.saddr = request ? iph->daddr : iph->saddr,
		.daddr = request ? iph->saddr : iph->daddr,
		.flowi6_proto = IPPROTO_ICMPV6,
	};
	struct dst_entry *dst = ip6_route_output(net, NULL, &fl6);

	if (!dst->error)
		return dst;
	dst_release(dst);
	return NULL;
}

/* A request becomes its reply as this host would make it. */
static void answer4(struct net *net, struct sk_buff *skb, bool request)
{
	struct iphdr *iph = ip_hdr(skb);
	struct icmphdr *icmp = (void *)(iph + 1);

	if (!request) {
		ip_decrease_ttl(iph);
		return;
	}
	swap(iph->saddr, iph->daddr);
	iph->ttl = READ_ONCE(net->ipv4.sysctl_ip_default_ttl);
	iph->frag_off = 0;
	__ip_select_ident(net, iph, 1);
	ip_send_check(iph);
	icmp->type = ICMP_ECHOREPLY;
	csum_replace2(&icmp->checksum, htons(ICMP_ECHO << 8),
		      htons(ICMP_ECHOREPLY << 8));
}

static void answer6(struct net *net, struct sk_buff *skb, bool request)
{
	struct ipv6hdr *iph = ipv6_hdr(skb);
	struct icmp6hdr *icmp = (void *)(iph + 1);

	if (!request) {
		iph->hop_limit--;
		return;
	}
	swap(iph->saddr, iph->daddr);
	iph->hop_limit = READ_ONCE(net->ipv6.devconf_all->hop_limit);
	icmp->icmp6_type = ICMPV6_ECHO_REPLY;
	csum_replace2(&icmp->icmp6_cksum, htons(ICMPV6_ECHO_REQUEST << 8),
		      htons(ICMPV6_ECHO_REPLY << 8));
}

/* What the packet was to the receiving side is of no meaning any more. */
static void scrub(struct sk_buff *skb)
{
	skb->ip_summed = CHECKSUM_NONE;
	skb->pkt_type = PACKET_OUTGOING;
	skb->mark = 0;
	skb->priority = 0;
	skb_clear_tstamp(skb);
	skb_clear_hash(skb);
	skb_dst_drop(skb);
	nf_reset_ct(skb);
	memset(skb->cb, 0, sizeof(skb->cb));
}

static const struct cni_health_check *
find_probe(const struct cni_health *health, struct sk_buff *skb, __be16 proto)
{
	if (skb_is_gso(skb) || skb_shared(skb) || skb_network_offset(skb))
		return NULL;
	if (proto == htons(ETH_P_IP))
		return find_probe4(health, skb);
	if (proto == htons(ETH_P_IPV6))
		return find_probe6(health, skb);
	return NULL;
}

static unsigned int probe_len(const struct sk_buff *skb, __be16 proto)
{
	if (proto == htons(ETH_P_IP))
		return ntohs(ip_hdr(skb)->tot_len);
	return sizeof(struct ipv6hdr) + ntohs(ipv6_hdr(skb)->payload_len);
}

/**
 * cni_health_take - may the fast path answer a packet?
 * @health: the responder
 * @skb: packet, at its IP header, which is the network header
 * @proto: ETH_P_IP or ETH_P_IPV6, network byte order
 * @most: what there is of it
 *
 * In softirq, under rcu_read_lock().
 *
 * Return: what it is that may be answered, or NULL.
 */
const struct cni_health_check *cni_health_take(struct cni_health *health,
					       struct sk_buff *skb,
					       __be16 proto, unsigned int most)
{
	const struct cni_health_check *check = find_probe(health, skb, proto);

	/* One that goes back by another way takes the kernel's. */
	if (!check || check->flags & CNILINK_HEALTH_FLAG_UNIDIRECTIONAL ||
	    probe_len(skb, proto) > most || !take_token(health, false))
		return NULL;
	return check;
}

/**
 * cni_health_turn - make the answer out of a probe
 * @health: the responder
 * @check: what cni_health_take() said
 * @skb: the same packet, out of the tunnel
 *
 * Return: whether there was memory for it.
 */
bool cni_health_turn(const struct cni_health *health,
		     const struct cni_health_check *check, struct sk_buff *skb)
{
	bool request = check->flags & CNILINK_HEALTH_FLAG_REQUEST;
	unsigned int len = probe_len(skb, skb->protocol);

	if (pskb_trim(skb, len) ||
	    skb_ensure_writable(skb, min(len, skb_headlen(skb))))
		return false;
	scrub(skb);
	if (skb->protocol == htons(ETH_P_IP))
		answer4(health->cn->net, skb, request);
	else
		answer6(health->cn->net, skb, request);
	return true;
}

/**
 * cni_health_answer - answer a packet if it is a probe
 * @health: the responder
 * @skb: packet, at its IP header
 * @dev: the stock gre device, which it came in by
 *
 * In softirq, under rcu_read_lock().
 *
 * Return: whether it was one; the packet is gone then.
 */
bool cni_health_answer(struct cni_health *health, struct sk_buff *skb,
		       struct net_device *dev)
{
	struct net *net = health->cn->net;
	const struct cni_health_check *check;
	struct dst_entry *dst = NULL;
	bool v4, request;

	check = find_probe(health, skb, skb->protocol);
	if (!check)
		return false;
	v4 = skb->protocol == htons(ETH_P_IP);
	request = check->flags & CNILINK_HEALTH_FLAG_REQUEST;
	if (check->flags & CNILINK_HEALTH_FLAG_UNIDIRECTIONAL) {
		dst = v4 ? route4(net, ip_hdr(skb), request) :
			   route6(net, ipv6_hdr(skb), request);
		if (!dst)
			return false;
	}
	if (!take_token(health, true) || !cni_health_turn(health, check, skb)) {
		dst_release(dst);
		return false;
	}
	if (!dst) {
		skb->dev = dev;
		dev_queue_xmit(skb);
		return true;
	}
	skb->dev = dst->dev;
	skb_dst_set(skb, dst);
	if (v4)
		ip_local_out(net, NULL, skb);
	else
		ip6_local_out(net, NULL, skb);
	return true;
}

static bool same_checks(const struct cni_health *health,
			const struct cni_health_check *check, unsigned int n,
			u32 rate)
{
	return health->n == n && health->rate == rate &&
	       !memcmp(health->check, check, n * sizeof(*check));
}

/**
 * cni_health_set - what a tunnel answers from now on
 * @tunnel: tunnel, RTNL held
 * @check: kinds of probes, padding zeroed
 * @n: how many; none ends it
 * @rate: answers a second at most
 *
 * Return: 0, or -ENOMEM; all is as it was then.
 */
int cni_health_set(struct cni_tunnel *tunnel,
		   const struct cni_health_check *check, unsigned int n,
		   u32 rate)
{
	struct cni_health *old = rtnl_dereference(tunnel->health);
	struct cni_health *health = NULL;

	if (old ? same_checks(old, check, n, rate) : !n)
		return 0;
	if (n) {
		health = kzalloc(struct_size(health, check, n),
				 GFP_KERNEL_ACCOUNT);
		if (!health)
			return -ENOMEM;
		health->cn = tunnel->cn;
		health->n = n;
		health->rate = rate;
		spin_lock_init(&health->lock);
		health->tokens = (u64)rate * HZ;
		health->stamp = jiffies;
		memcpy(health->check, check, n * sizeof(*check));
	}
	rcu_assign_pointer(tunnel->health, health);
	kfree_rcu(old, rcu);
	return 0;
}
