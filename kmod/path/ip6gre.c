// SPDX-License-Identifier: GPL-2.0
/*
 * GRE over IPv6: what is not as it is over IPv4. Apart from the data path's
 * functions, so that those of IPv4 don't get longer.
 */

#include "path/ip6gre.h"

#include <linux/if_arp.h>
#include <linux/rculist.h>
#include <net/addrconf.h>
#include <net/dsfield.h>
#include <net/gre.h>
#include <net/ip6_fib.h>
#include <net/ip6_route.h>
#include <net/ip6_tunnel.h>
#include <net/ipv6.h>
#include <net/nexthop.h>

#include "compat/compat.h"
#include "state/decap.h"
#include "state/encap.h"
#include "path/gate.h"
#include "control/link.h"
#include "control/resolve.h"

/* What any device may send to and receive from, as ip6_tnl_get_cap() has it. */
static bool is_endpoint(const struct in6_addr *addr)
{
	int type = ipv6_addr_type(addr);

	return type & IPV6_ADDR_UNICAST &&
	       !(type & (IPV6_ADDR_LOOPBACK | IPV6_ADDR_LINKLOCAL |
			 IPV6_ADDR_MAPPED | IPV6_ADDR_COMPATv4));
}

/**
 * cni_ip6gre_parms - read a stock ip6gre device's configuration
 * @tunnel: tunnel, RTNL held
 *
 * Return: what it has that can't be offloaded, a set of enum cnilink_blocker.
 */
u64 cni_ip6gre_parms(struct cni_tunnel *tunnel)
{
	const struct ip6_tnl *t = netdev_priv(tunnel->dev);
	struct cni_tunnel_parms *parms = &tunnel->parms;
	u64 blockers = 0;

	/* The FIB notifier may have read half of an old address. */
	if (!ipv6_addr_equal(&parms->local.v6, &t->parms.laddr) ||
	    !ipv6_addr_equal(&parms->remote.v6, &t->parms.raddr))
		cni_resolve_kick(tunnel->cn);
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

/* The flow that ip6_tnl_xmit() makes up, unless packets say something else. */
static void fill_flow(const struct cni_tunnel *tunnel, struct flowi6 *fl6)
{
	const struct ip6_tnl *t = netdev_priv(tunnel->dev);

	*fl6 = t->fl.u.ip6;
	fl6->daddr = tunnel->parms.remote.v6;
	fl6->flowi6_mark = t->parms.fwmark;
	fl6->flowi6_uid = sock_net_uid(tunnel->cn->net, NULL);
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
 * cni_ip6gre_route - look the outer route up, as ip6_tnl_xmit() does
 * @tunnel: tunnel, RTNL held, its parameters read
 *
 * Return: what stands in the way, a set of enum cnilink_blocker.
 */
u64 cni_ip6gre_route(struct cni_tunnel *tunnel)
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
	fill_flow(tunnel, &fl6);
	dst = ip6_route_output(net, NULL, &fl6);
	if (dst->error) {
		dst_release(dst);
		return CNILINK_BLOCKER_NO_ROUTE;
	}

	rt = (const struct rt6_info *)dst;
	link = cni_link_find(tunnel->cn, dst->dev->ifindex);
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
 * cni_ip6gre_has_twin - is what comes by the link another device's?
 * @tunnel: tunnel, RTNL held, its route found
 *
 * As ip6gre_tunnel_lookup() chooses, whose table can't be reached: so all
 * devices are looked at, since some may live in other namespaces. Others than
 * of this type don't get IP packets.
 *
 * Return: whether it is.
 */
bool cni_ip6gre_has_twin(const struct cni_tunnel *tunnel)
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

/**
 * cni_ip6gre_outer_dst - the outer route as it is now, and to be remembered
 * @tunnel: tunnel
 *
 * In softirq or with bottom halves off, under rcu_read_lock().
 *
 * Return: the route, referenced, or NULL.
 */
struct dst_entry *cni_ip6gre_outer_dst(struct cni_tunnel *tunnel)
{
	struct dst_entry *dst;
	struct flowi6 fl6;

	fill_flow(tunnel, &fl6);
	dst = ip6_route_output(tunnel->cn->net, NULL, &fl6);
	if (dst->error) {
		dst_release(dst);
		return NULL;
	}
	dst_cache_set_ip6(&tunnel->outer, dst, &fl6.saddr);
	return dst;
}

/**
 * cni_ip6gre_is_route - does an outer route go where a template does?
 * @e: template
 * @dst: the route, under rcu_read_lock()
 *
 * Return: whether it does.
 */
bool cni_ip6gre_is_route(const struct cni_encap *e, const struct dst_entry *dst)
{
	const struct rt6_info *rt = container_of(dst, struct rt6_info, dst);
	const struct in6_addr *next;

	next = rt6_nexthop(rt, &e->tunnel->parms.remote.v6);
	return ipv6_addr_equal(next, (void *)e->neigh->primary_key);
}

/**
 * cni_ip6gre_encap - the template of a tunnel over IPv6
 * @tunnel: tunnel, resolved, RTNL held
 * @blockers: set to what stands in the way when there's none
 *
 * Return: the template, without what all tunnels have alike; or NULL.
 */
struct cni_encap *cni_ip6gre_encap(const struct cni_tunnel *tunnel,
				   u64 *blockers)
{
	const struct cni_tunnel_parms *parms = &tunnel->parms;
	struct flow_keys keys;
	struct cni_encap *e;
	struct flowi6 fl6;

	e = cni_encap_alloc_gre6(tunnel->dev, tunnel->link->dev, parms,
				 blockers);
	if (!e)
		return NULL;
	e->ttl = parms->ttl;
	e->tos = ip6_tclass(parms->flowinfo);
	if (!parms->ttl)
		e->flags |= CNI_ENCAP_TTL_INHERIT;
	if (parms->flags & IP6_TNL_F_USE_ORIG_TCLASS)
		e->flags |= CNI_ENCAP_TOS_INHERIT;
	if (parms->flags & IP6_TNL_F_USE_ORIG_FLOWLABEL)
		e->flags |= CNI_ENCAP_LABEL_INHERIT;

	fill_flow(tunnel, &fl6);
	e->flowlabel = flowi6_get_flowlabel(&fl6);
	/* Only made use of where the flow has no label. */
	fl6.flowlabel = 0;
	e->hash = __get_hash_from_flowi6(&fl6, &keys);
	e->hash_l4 = flow_keys_have_l4(&keys);
	return e;
}

/*
 * The destination options that the kernel's own tunnels send, and nothing else:
 * an encapsulation limit, which no receiver looks at, and padding.
 */
static bool is_encap_limit(const struct net *net, const u8 *opt)
{
	return opt[0] == NEXTHDR_GRE && opt[1] == 0 &&
	       opt[2] == IPV6_TLV_TNL_ENCAP_LIMIT && opt[3] == 1 &&
	       opt[5] == IPV6_TLV_PADN && opt[6] == 1 && opt[7] == 0 &&
	       READ_ONCE(net->ipv6.sysctl.max_dst_opts_len) >= 8 &&
	       READ_ONCE(net->ipv6.sysctl.max_dst_opts_cnt) > 0;
}

static struct cni_decap *decap_find(const struct cni_link *link,
				    const struct ipv6hdr *iph, bool keyed,
				    __be32 key)
{
	struct hlist_head *bucket;
	struct cni_decap *decap;

	bucket = &link->cn->decaps6[cni_decap_hash6(&iph->daddr, &iph->saddr,
						    key)];
	hlist_for_each_entry_rcu(decap, bucket, node)
		if (ipv6_addr_equal(&decap->remote.v6, &iph->saddr) &&
		    ipv6_addr_equal(&decap->local.v6, &iph->daddr) &&
		    decap->key == key && decap->keyed == keyed &&
		    decap->link == link)
			return READ_ONCE(decap->stale) ? NULL : decap;
	return NULL;
}

/* The stock device would write into the inner packet. */
static bool dscp_differs(const struct cni_ip6gre_rx *rx, struct cni_packet pkt)
{
	u8 inner;

	if (!cni_packet_may_pull(pkt, rx->off + sizeof(struct iphdr)))
		return true;
	if (rx->proto == htons(ETH_P_IP))
		inner = ipv4_get_dsfield(cni_packet_data(pkt) + rx->off);
	else
		inner = ipv6_get_dsfield(cni_packet_data(pkt) + rx->off);
	return (inner ^ rx->dsfield) & ~INET_ECN_MASK;
}

/**
 * cni_ip6gre_find - a tunnel's packet, by its outer headers
 * @link: link that it came in by
 * @pkt: IPv6 packet, at its header, which is there whole
 * @rx: filled in on success
 *
 * In softirq, under rcu_read_lock(). May move the packet's head.
 *
 * Return: the reason why no tunnel takes it, or 0.
 */
enum cnilink_reason cni_ip6gre_find(const struct cni_link *link,
				    struct cni_packet pkt,
				    struct cni_ip6gre_rx *rx)
{
	unsigned int off = sizeof(struct ipv6hdr);
	const struct gre_base_hdr *greh;
	const struct ipv6hdr *iph;
	unsigned int gre_len;
	__be32 key = 0;
	const u8 *opt;
	u8 next;

	/* The option or GRE; no packet of a tunnel ends before these. */
	if (!cni_packet_may_pull(pkt, off + 12))
		return CNILINK_REASON_MALFORMED;
	iph = cni_packet_data(pkt);
	opt = (const u8 *)(iph + 1);
	next = iph->nexthdr;
	if (next == NEXTHDR_FRAGMENT)
		return *opt == NEXTHDR_GRE || *opt == NEXTHDR_DEST ?
		       CNILINK_REASON_FRAGMENT : CNILINK_REASON_LOCAL;
	if (next == NEXTHDR_DEST) {
		if (!is_encap_limit(link->cn->net, opt))
			return CNILINK_REASON_OPTIONS;
		off += 8;
		if (!cni_packet_may_pull(pkt, off + 12))
			return CNILINK_REASON_MALFORMED;
		iph = cni_packet_data(pkt);
	}
	rx->len = sizeof(*iph) + ntohs(iph->payload_len);
	if (iph->version != 6 || !iph->payload_len ||
	    rx->len > cni_packet_len(pkt))
		return CNILINK_REASON_MALFORMED;

	rx->gre_off = off;
	greh = cni_packet_data(pkt) + off;
	gre_len = cni_decap_gre_len(greh, &key);
	if (!gre_len)
		return CNILINK_REASON_GRE_HEADER;
	rx->decap = decap_find(link, iph, greh->flags & GRE_KEY, key);
	if (!rx->decap)
		return CNILINK_REASON_GRE_UNKNOWN;
	if (rx->decap->csum != !!(greh->flags & GRE_CSUM))
		return CNILINK_REASON_GRE_HEADER;
	rx->off = off + gre_len;
	rx->proto = greh->protocol;
	rx->dsfield = ipv6_get_dsfield(iph);
	if (unlikely(rx->decap->dscp_copy) && dscp_differs(rx, pkt))
		return CNILINK_REASON_DSCP;
	return 0;
}

/**
 * cni_ip6gre_check - would the stock device send a packet as it is?
 * @e: way out, a tunnel over IPv6
 * @pkt: packet, not changed yet
 * @off: where its IP header is, from cni_packet_data(); there whole
 * @proto: of the packet, network byte order
 * @bypass_nf: netfilter may be stepped over
 *
 * Return: the reason to leave it to the stock device, or 0.
 */
enum cnilink_reason cni_ip6gre_check(const struct cni_encap *e,
				     struct cni_packet pkt, unsigned int off,
				     __be16 proto, bool bypass_nf)
{
	int family = proto == htons(ETH_P_IP) ? CNI_V4 : CNI_V6;
	const struct ip6_tnl *t = netdev_priv(e->gre);
	const struct frag_hdr *frag;
	const struct ipv6hdr *iph;
	struct frag_hdr frag_buf;

	if (unlikely(!bypass_nf && cni_gate_nf_outer6(dev_net(e->gre), family)))
		return CNILINK_REASON_NETFILTER;
	/* It tells the senders of its next packets. */
	if (unlikely(READ_ONCE(t->err_count) > 0))
		return CNILINK_REASON_TUNNEL_ERROR;
	if (family == CNI_V4)
		return 0;

	iph = cni_packet_data(pkt) + off;
	if (unlikely(ipv6_addr_equal(&iph->saddr, &t->parms.raddr)))
		return CNILINK_REASON_SOURCE;
	/* An encapsulation limit among these would go one down. */
	switch (iph->nexthdr) {
	case NEXTHDR_DEST:
	case NEXTHDR_ROUTING:
	case NEXTHDR_AUTH:
		return CNILINK_REASON_OPTIONS;
	case NEXTHDR_FRAGMENT:
		frag = cni_packet_header(pkt, off + sizeof(*iph),
					 sizeof(frag_buf), &frag_buf);
		return frag && !frag->frag_off ? CNILINK_REASON_OPTIONS : 0;
	}
	return 0;
}

/* As ip6_make_flowlabel() does out of a hash */
static __be32 label_of_hash(const struct net *net, u32 hash)
{
	__be32 label = (__force __be32)rol32(hash, 16) & IPV6_FLOWLABEL_MASK;

	if (net->ipv6.sysctl.flowlabel_state_ranges)
		label |= IPV6_FLOWLABEL_STATELESS_FLAG;
	return label;
}

/* The same, of the flow's hash if the packet has none yet. */
static __be32 make_label(const struct cni_encap *e, struct sk_buff *skb,
			 __be32 label)
{
	struct net *net = dev_net(e->gre);

	if (label ||
	    net->ipv6.sysctl.auto_flowlabels == IP6_AUTO_FLOW_LABEL_OFF)
		return label;
	if (!skb)
		return label_of_hash(net, e->hash);
	if (!skb->l4_hash && !skb->sw_hash)
		__skb_set_sw_hash(skb, e->hash, e->hash_l4);
	return ip6_make_flowlabel(net, skb, label, true, NULL);
}

/**
 * cni_ip6gre_label - the flow label of a packet's outer header
 * @e: way out, a tunnel over IPv6
 * @pkt: packet; an skb gets a hash
 * @off: where its IP header is, from cni_packet_data()
 * @proto: of the packet, network byte order
 *
 * Return: the label, network byte order.
 */
__be32 cni_ip6gre_label(const struct cni_encap *e, struct cni_packet pkt,
			unsigned int off, __be16 proto)
{
	__be32 label = e->flowlabel;

	if (e->flags & CNI_ENCAP_LABEL_INHERIT && proto == htons(ETH_P_IPV6))
		label |= ip6_flowlabel(cni_packet_data(pkt) + off);
	return make_label(e, pkt.skb, label);
}

/**
 * cni_ip6gre_outer - make the outer headers of a packet out of the template
 * @e: way out, a tunnel over IPv6
 * @iph: outer header, all filled from the template
 * @len: length of the packet with it
 * @label: flow label, network byte order
 * @proto: of the inner packet, network byte order
 * @dsfield: its TOS or traffic class
 * @ttl: its TTL or hop limit
 */
void cni_ip6gre_outer(const struct cni_encap *e, struct ipv6hdr *iph,
		      unsigned int len, __be32 label, __be16 proto, u8 dsfield,
		      u8 ttl)
{
	struct gre_base_hdr *greh = (void *)((u8 *)iph + e->hdr_len -
					     e->l2_len - e->gre_len);

	len -= sizeof(*iph);
	ip6_flow_hdr(iph, e->flags & CNI_ENCAP_TOS_INHERIT ? dsfield : e->tos,
		     label);
	iph->payload_len = htons(len > IPV6_MAXPLEN ? 0 : len);
	iph->hop_limit = e->flags & CNI_ENCAP_TTL_INHERIT ? ttl : e->ttl;
	greh->protocol = proto;
}

/**
 * cni_ip6gre_push - put the headers on, as ip6_tnl_xmit() makes them
 * @e: way out, a tunnel over IPv6
 * @skb: packet, at its IP header, set as network header, writable and with
 *	CNI_ENCAP_MAX6 bytes of headroom; at the frame's start afterwards
 * @proto: of the packet, network byte order
 * @dsfield: its TOS or traffic class
 * @ttl: its TTL or hop limit
 */
void cni_ip6gre_push(const struct cni_encap *e, struct sk_buff *skb,
		     __be16 proto, u8 dsfield, u8 ttl)
{
	__be32 label = cni_ip6gre_label(e, cni_packet_skb(skb), 0, proto);

	cni_encap_set_inner(e, skb, proto);

	__skb_push(skb, e->hdr_len);
	memcpy(skb->data + e->hdr_len - CNI_ENCAP_MAX6, e->hdr, CNI_ENCAP_MAX6);
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, e->l2_len);
	skb_set_transport_header(skb, e->hdr_len - e->gre_len);

	cni_ip6gre_outer(e, ipv6_hdr(skb), skb->len - e->l2_len, label, proto,
			 dsfield, ttl);
	if (e->flags & CNI_ENCAP_CSUM)
		cni_encap_csum(skb);
}
