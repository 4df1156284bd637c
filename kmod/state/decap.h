/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_DECAP_H
#define _CNI_DECAP_H

#include <linux/bitops.h>
#include <linux/hash.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/types.h>
#include <net/gre.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "base/stats.h"
#include "state/net.h"

struct cni_link;
struct cni_packet;
struct cni_tunnel;
struct net_device;

/**
 * struct cni_decap - what a received GRE packet is matched by
 * @node: in cn->decaps or cn->decaps6
 * @local: outer destination, network byte order
 * @remote: outer source, network byte order
 * @key: network byte order
 * @keyed: packets have @key, or none
 * @csum: packets have a checksum
 * @stale: the kernel changed something under it; punt until it's built anew
 * @link: the link that packets must come by
 * @tunnel: whose packets they are
 * @dev: the stock gre device
 * @clamp: @mss says something
 * @health: @tunnel has a responder
 * @outer6: the outer header is IPv6's
 * @bypass_nf: netfilter may be bypassed for the outer packets
 * @dscp_copy: the inner packet gets the outer DSCP
 * @mss: largest TCP segment to let pass, per family; 0 for any
 * @stats: the tunnel's counters
 * @rcu: for freeing
 *
 * Constant once published, but for @stale.
 */
struct cni_decap {
	struct hlist_node	node;
	union cni_addr		local;
	union cni_addr		remote;
	__be32			key;
	bool			keyed;
	bool			csum;
	bool			stale;
	const struct cni_link	*link;
	struct cni_tunnel	*tunnel;
	struct net_device	*dev;
	bool			clamp;
	bool			health;
	bool			outer6;
	bool			bypass_nf;
	bool			dscp_copy;
	u16			mss[CNI_FAMILIES];
	struct cni_stats __percpu *stats;
	struct rcu_head		rcu;
};

/* The ends of a tunnel are neighbours: they'd cancel each other out by xor. */
static inline unsigned int cni_decap_mix(u32 local, u32 remote, __be32 key)
{
	return hash_32((rol32(local, 1) + remote) ^ (__force u32)key,
		       CNI_DECAP_HASH_BITS);
}

static inline unsigned int cni_decap_hash(__be32 local, __be32 remote,
					  __be32 key)
{
	return cni_decap_mix((__force u32)local, (__force u32)remote, key);
}

static inline unsigned int cni_decap_hash6(const struct in6_addr *local,
					   const struct in6_addr *remote,
					   __be32 key)
{
	return cni_decap_mix(ipv6_addr_hash(local), ipv6_addr_hash(remote),
			     key);
}

/**
 * cni_decap_gre_len - read a GRE header that may have a key and a checksum
 * @greh: header; what it says that it has is there
 * @key: set to the key if it has one, network byte order
 *
 * Return: its length, or 0 if there's something else in it.
 */
static inline unsigned int cni_decap_gre_len(const struct gre_base_hdr *greh,
					     __be32 *key)
{
	unsigned int len = sizeof(*greh);

	if (likely(!greh->flags))
		return len;
	if (greh->flags & ~(GRE_KEY | GRE_CSUM))
		return 0;
	if (greh->flags & GRE_CSUM)
		len += sizeof(__be32);
	if (greh->flags & GRE_KEY) {
		*key = *(__be32 *)((u8 *)greh + len);
		len += sizeof(*key);
	}
	return len;
}

/**
 * cni_decap_header_ok - is the checksum of an IPv4 header right?
 * @iph: header without options
 *
 * Folding is a way to divide by 65535; where a multiplication tells whether
 * that leaves a rest, it is quicker. The version makes it more than zero.
 *
 * Return: whether it is.
 */
static inline bool cni_decap_header_ok(const struct iphdr *iph)
{
#ifdef CONFIG_64BIT
	const u32 *w = (const u32 *)iph;

	return ((u64)w[0] + w[1] + w[2] + w[3] + w[4]) % 0xffff == 0;
#else
	return !ip_fast_csum(iph, 5);
#endif
}

bool cni_decap_csum_ok(struct cni_packet pkt, unsigned int off,
		       unsigned int outer_len);
void cni_decap_publish(struct cni_tunnel *tunnel, bool receive);

#endif
