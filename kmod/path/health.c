// SPDX-License-Identifier: GPL-2.0
/*
 * Cloudflare's tunnel health checks, answered as they come out of the tunnel:
 * by the fast path, or as the stock gre device has received them. One kind is
 * an echo reply that has this host's own address as its source and wants to be
 * sent back: the kernel's routing takes it for a forgery, and a firewall for
 * part of no connection. So it's answered before either sees it, but only what
 * was agreed on: this tunnel, these addresses, this many a second.
 */

#include "path/health.h"

#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/checksum.h>
#include <net/dsfield.h>
#include <net/icmp.h>
#include <net/inet_ecn.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/route.h>
#include <uapi/linux/cnilink.h>

#include "base/epoch.h"
#include "base/packet.h"
#include "path/decide.h"
#include "path/gate.h"
#include "state/object.h"

/* A packet's addresses and those of a check; IPv4's are in the first word. */
static const struct cni_health_check *
find_check4(const struct cni_health *health, bool request, __be32 local,
	    __be32 peer)
{
	const struct cni_health_check *check = health->check;
	const struct cni_health_check *end = check + health->n;
	u8 flags = request ? CNILINK_HEALTH_FLAG_REQUEST : 0;

	for (; check < end; check++)
		if (check->local.s6_addr32[0] == local &&
		    check->family == CNI_V4 &&
		    (check->flags & CNILINK_HEALTH_FLAG_REQUEST) == flags &&
		    !((u64)ntohl(check->peer.s6_addr32[0] ^ peer) >>
		      (32 - check->peer_len)))
			return check;
	return NULL;
}

static const struct cni_health_check *
find_check6(const struct cni_health *health, bool request,
	    const struct in6_addr *local, const struct in6_addr *peer)
{
	const struct cni_health_check *check = health->check;
	const struct cni_health_check *end = check + health->n;
	u8 flags = request ? CNILINK_HEALTH_FLAG_REQUEST : 0;

	for (; check < end; check++)
		if (check->family == CNI_V6 &&
		    (check->flags & CNILINK_HEALTH_FLAG_REQUEST) == flags &&
		    ipv6_addr_equal(&check->local, local) &&
		    ipv6_prefix_equal(&check->peer, peer, check->peer_len))
			return check;
	return NULL;
}

static __wsum sum(struct cni_packet pkt, unsigned int off, unsigned int len)
{
	if (likely(off + len <= cni_packet_headlen(pkt)))
		return csum_partial(cni_packet_data(pkt) + off, len, 0);
	return skb_checksum(pkt.skb, off, len, 0);
}

/* A probe, @whole bytes and with good checksums; padding may follow. */
static const struct cni_health_check *
find_probe4(const struct cni_health *health, struct cni_packet pkt,
	    unsigned int off, unsigned int *whole)
{
	const struct icmphdr *icmp;
	const struct iphdr *iph;
	unsigned int len;

	if (!cni_packet_may_pull(pkt, off + sizeof(*iph) + sizeof(*icmp)))
		return NULL;
	iph = cni_packet_data(pkt) + off;
	icmp = (void *)(iph + 1);
	len = ntohs(iph->tot_len);
	if (*(u8 *)iph != 0x45 || iph->protocol != IPPROTO_ICMP ||
	    ip_is_fragment(iph) || iph->ttl <= 1 ||
	    len > cni_packet_len(pkt) - off ||
	    len < sizeof(*iph) + sizeof(*icmp) || !cni_decap_header_ok(iph) ||
	    csum_fold(sum(pkt, off + sizeof(*iph), len - sizeof(*iph))))
		return NULL;
	*whole = len;
	if (icmp->type == ICMP_ECHOREPLY)
		return find_check4(health, false, iph->saddr, iph->daddr);
	if (icmp->type == ICMP_ECHO)
		return find_check4(health, true, iph->daddr, iph->saddr);
	return NULL;
}

static const struct cni_health_check *
find_probe6(const struct cni_health *health, struct cni_packet pkt,
	    unsigned int off, unsigned int *whole)
{
	const struct icmp6hdr *icmp;
	const struct ipv6hdr *iph;
	unsigned int len;

	if (!cni_packet_may_pull(pkt, off + sizeof(*iph) + sizeof(*icmp)))
		return NULL;
	iph = cni_packet_data(pkt) + off;
	icmp = (void *)(iph + 1);
	len = ntohs(iph->payload_len);
	if (iph->version != 6 || iph->nexthdr != IPPROTO_ICMPV6 ||
	    iph->hop_limit <= 1 || len < sizeof(*icmp) ||
	    len > cni_packet_len(pkt) - off - sizeof(*iph) ||
	    csum_ipv6_magic(&iph->saddr, &iph->daddr, len, IPPROTO_ICMPV6,
			    sum(pkt, off + sizeof(*iph), len)))
		return NULL;
	*whole = sizeof(*iph) + len;
	if (icmp->icmp6_type == ICMPV6_ECHO_REPLY)
		return find_check6(health, false, &iph->saddr, &iph->daddr);
	if (icmp->icmp6_type == ICMPV6_ECHO_REQUEST)
		return find_check6(health, true, &iph->daddr, &iph->saddr);
	return NULL;
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

/*
 * A request becomes its reply as this host would make it. Of ICMP's header the
 * first 4 bytes change.
 */
static void answer4(struct net *net, struct iphdr *iph, bool request)
{
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

static void answer6(struct net *net, struct ipv6hdr *iph, bool request)
{
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

/**
 * cni_health_reply - how the answer to a request begins
 * @health: the responder
 * @request: what cni_health_find() found, at its IP header
 * @proto: ETH_P_IP or ETH_P_IPV6, network byte order
 * @to: set to what is to stand there instead; CNI_HEALTH_HEAD are enough
 *
 * Return: how many bytes, CNI_HEALTH_HEAD at most; the rest stays as it is.
 */
unsigned int cni_health_reply(const struct cni_health *health,
			      const void *request, __be16 proto, void *to)
{
	struct net *net = health->cn->net;

	if (proto == htons(ETH_P_IP)) {
		memcpy(to, request, sizeof(struct iphdr) + 4);
		answer4(net, to, true);
		return sizeof(struct iphdr) + 4;
	}
	memcpy(to, request, CNI_HEALTH_HEAD);
	answer6(net, to, true);
	return CNI_HEALTH_HEAD;
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

/* Is a packet at @off a probe? @len is set to its length if it is. */
static const struct cni_health_check *
find_probe(const struct cni_health *health, struct cni_packet pkt,
	   unsigned int off, __be16 proto, unsigned int *len)
{
	if (proto == htons(ETH_P_IP))
		return find_probe4(health, pkt, off, len);
	if (proto == htons(ETH_P_IPV6))
		return find_probe6(health, pkt, off, len);
	return NULL;
}

/* Is nothing in their way? They are answered without forwarding, too. */
static noinline bool ingress_clear(const struct cni_forward *fwd, int family,
				   u64 *cached)
{
	if (rcu_access_pointer(fwd->cn->policy[CNI_V4]) ||
	    cni_decide_look_dev(fwd) ||
	    cni_gate_net(fwd->cn, family, cni_gate_judged(fwd->decap, CNI_V4),
			 false))
		return false;
	*cached = fwd->now;
	return true;
}

/**
 * cni_health_take - may a probe be answered now?
 * @health: the responder
 * @count: count it if not; what the fast path refuses comes again
 *
 * In softirq.
 *
 * Return: whether the rate allows it; it counts as answered then.
 */
bool cni_health_take(struct cni_health *health, bool count)
{
	unsigned long now = jiffies;
	bool ok;

	spin_lock(&health->lock);
	if (now != health->stamp) {
		health->tokens += (u64)(now - health->stamp) * health->rate;
		health->tokens = min(health->tokens, (u64)health->rate * HZ);
		health->stamp = now;
	}
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

/**
 * cni_health_find - is it a health check that can be answered at once?
 * @fwd: the packet, inside a tunnel; the decision is filled in
 * @pkt: packet, at its outer IPv4 header
 * @probe: filled in
 *
 * One whose answer goes another way takes the slow path. What comes as a reply
 * goes back as it is but for its TTL, and so like any other packet; the answer
 * to a request has to be made.
 *
 * In softirq, under rcu_read_lock(). May move the packet's head. The rate is
 * asked about an skb; about a frame the caller has to, when XDP can answer it.
 *
 * Return: whether it is.
 */
bool __flatten cni_health_find(struct cni_forward *fwd, struct cni_packet pkt,
			       struct cni_health_probe *probe)
{
	struct cni_health *health = rcu_dereference(fwd->decap->tunnel->health);
	int family = fwd->proto == htons(ETH_P_IPV6) ? CNI_V6 : CNI_V4;
	struct cni_encap *e = rcu_dereference(fwd->decap->tunnel->encap);
	const struct cni_health_check *check;
	const void *iph;
	u64 *cached;

	if (!health || !e || READ_ONCE(e->hold) ||
	    !INET_ECN_is_not_ect(((const struct iphdr *)
				 cni_packet_data(pkt))->tos))
		return false;
	check = find_probe(health, pkt, fwd->off, fwd->proto, &fwd->len);
	if (!check || check->flags & CNILINK_HEALTH_FLAG_UNIDIRECTIONAL ||
	    fwd->off + fwd->len > fwd->outer_len || fwd->len > e->mtu[family] ||
	    (fwd->decap->csum &&
	     !cni_decap_csum_ok(pkt, sizeof(struct iphdr), fwd->outer_len)))
		return false;
	cached = &cni_decide_checks(fwd, fwd->stats)->probe[family];
	if (unlikely(*cached != fwd->now) &&
	    !ingress_clear(fwd, family, cached))
		return false;
	fwd->encap = e;
	fwd->neigh = e->neigh;
	if (unlikely(cni_decide_out(fwd) ||
		     !cni_decide_neigh(fwd->cn, e->neigh)))
		return false;
	iph = cni_packet_data(pkt) + fwd->off;
	fwd->dsfield = family == CNI_V4 ? ipv4_get_dsfield(iph) :
					  ipv6_get_dsfield(iph);
	if (pkt.skb && !cni_health_take(health, false))
		return false;
	probe->health = health;
	probe->check = check;
	return true;
}

/**
 * cni_health_turn - make the answer out of a probe
 * @probe: what cni_health_find() found
 * @skb: the same packet, at its IP header, set as network header
 * @len: its length
 *
 * Return: whether there was memory for it.
 */
bool cni_health_turn(const struct cni_health_probe *probe, struct sk_buff *skb,
		     unsigned int len)
{
	bool request = cni_health_is_request(probe);
	struct net *net = probe->health->cn->net;

	if (pskb_trim(skb, len) ||
	    skb_ensure_writable(skb, min(len, skb_headlen(skb))))
		return false;
	scrub(skb);
	if (skb->protocol == htons(ETH_P_IP))
		answer4(net, ip_hdr(skb), request);
	else
		answer6(net, ipv6_hdr(skb), request);
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
	struct cni_health_probe probe = { .health = health };
	struct dst_entry *dst = NULL;
	unsigned int len;
	bool v4, request;

	if (skb_network_offset(skb) || skb_is_gso(skb) || skb_shared(skb))
		return false;
	probe.check = find_probe(health, cni_packet_skb(skb), 0, skb->protocol,
				 &len);
	if (!probe.check)
		return false;
	v4 = skb->protocol == htons(ETH_P_IP);
	request = cni_health_is_request(&probe);
	if (probe.check->flags & CNILINK_HEALTH_FLAG_UNIDIRECTIONAL) {
		dst = v4 ? route4(net, ip_hdr(skb), request) :
			   route6(net, ipv6_hdr(skb), request);
		if (!dst)
			return false;
	}
	if (!cni_health_take(health, true) ||
	    !cni_health_turn(&probe, skb, len)) {
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
