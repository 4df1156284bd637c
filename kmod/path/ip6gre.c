// SPDX-License-Identifier: GPL-2.0
/*
 * GRE over IPv6: what is not as it is over IPv4. Apart from the data path's
 * functions, so that those of IPv4 don't get longer.
 */

#include "path/ip6gre.h"

#include <linux/rculist.h>
#include <net/dsfield.h>
#include <net/gre.h>
#include <net/ip6_tunnel.h>
#include <net/ipv6.h>

#include "compat/compat.h"
#include "path/gate.h"
#include "state/decap.h"
#include "state/encap.h"
#include "state/net.h"
#include "state/object.h"

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
 * @e: template of a tunnel over IPv6
 * @pkt: packet, not changed yet
 * @off: where its IP header is, from cni_packet_data(); there whole
 * @proto: of the packet, network byte order
 * @bypass_nf: netfilter may be bypassed
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

	if (unlikely(!bypass_nf && cni_encap_judged(e, CNI_ENCAP_GRE6) &&
		     cni_gate_nf_outer6(dev_net(e->gre), family)))
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
 * @e: template of a tunnel over IPv6
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
 * @e: template of a tunnel over IPv6
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
 * @e: template of a tunnel over IPv6
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
