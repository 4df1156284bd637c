/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_IP6GRE_H
#define _CNI_IP6GRE_H

#include <linux/ip6_tunnel.h>
#include <linux/types.h>
#include <net/ipv6.h>
#include <uapi/linux/cnilink.h>

#include "base/packet.h"
#include "state/object.h"

struct cni_decap;
struct cni_encap;

/**
 * struct cni_ip6gre_rx - a received packet's outer headers
 * @decap: what matched
 * @gre_off: where the GRE header is, from cni_packet_data()
 * @off: where the inner packet is
 * @len: length with all headers from the outer IPv6 header on
 * @proto: of the inner packet, network byte order
 * @dsfield: outer traffic class
 */
struct cni_ip6gre_rx {
	struct cni_decap	*decap;
	unsigned int		gre_off;
	unsigned int		off;
	unsigned int		len;
	__be16			proto;
	u8			dsfield;
};

/* Can a GRE packet's outer header be followed by this? */
static inline bool cni_ip6gre_next(u8 next)
{
	return next == NEXTHDR_GRE || next == NEXTHDR_DEST ||
	       next == NEXTHDR_FRAGMENT;
}

/**
 * cni_ip6gre_maybe - is it worth looking for a tunnel's outer header?
 * @pkt: IPv6 packet, at its header
 *
 * Return: whether a GRE packet can begin so.
 */
static inline bool cni_ip6gre_maybe(struct cni_packet pkt)
{
	const struct ipv6hdr *iph;

	if (!cni_packet_may_pull(pkt, sizeof(*iph)))
		return false;
	iph = cni_packet_data(pkt);
	return cni_ip6gre_next(iph->nexthdr);
}

enum cnilink_reason cni_ip6gre_find(const struct cni_link *link,
				    struct cni_packet pkt,
				    struct cni_ip6gre_rx *rx);
enum cnilink_reason cni_ip6gre_check(const struct cni_encap *e,
				     struct cni_packet pkt, unsigned int off,
				     __be16 proto, bool bypass_nf);
__be32 cni_ip6gre_label(const struct cni_encap *e, struct cni_packet pkt,
			unsigned int off, __be16 proto);
void cni_ip6gre_outer(const struct cni_encap *e, struct ipv6hdr *iph,
		      unsigned int len, __be32 label, __be16 proto, u8 dsfield,
		      u8 ttl);
void cni_ip6gre_push(const struct cni_encap *e, struct sk_buff *skb,
		     __be16 proto, u8 dsfield, u8 ttl);

#endif
