/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The prefix table: longest-prefix match for packets, and the set of prefixes
 * that it is made from. Readers get at all of it by one pointer under RCU;
 * writers exclude one another.
 *
 *	lpm.h, api.c	for users; how an update goes
 *	lookup.h	look-ups, for the packet path
 *	set.c		the set of prefixes, compressed
 *	build.c		makes nodes of the set: paints slots by prefixes
 *	mem.c		memory of nodes, freed after a grace period
 *	flat.c		some thousands of prefixes: blocks of 256 values
 *	deep4.c		IPv4 beyond that, to a million: runs of equal values
 *	deep6.c		IPv6 beyond that: a direct table, and lines of runs
 *
 * What decides the speed of a look-up is the number of loads that wait for one
 * another, and in which cache each ends. So there are few levels, and what they
 * are made of is small and one piece of memory, of huge pages once it is large
 * enough. A table becomes deep when it outgrows flat, and flat again with half
 * of the prefixes; both are built beside what readers see.
 */
#ifndef _CNI_LPM_H
#define _CNI_LPM_H

#ifdef __KERNEL__
#include <linux/in6.h>
#include <linux/types.h>
#else
#include "lpm-user.h"
#endif

#define CNI_LPM_VALUE_BITS	20
#define CNI_LPM_VALUE_MAX	((1U << CNI_LPM_VALUE_BITS) - 1)

/**
 * struct cni_prefix - an address prefix of either family
 * @v4: IPv4 address, network byte order
 * @v6: IPv6 address
 * @bytes: the address as bytes, most significant first
 * @len: prefix length in bits
 *
 * Host bits must be zero, see cni_prefix_mask().
 */
struct cni_prefix {
	union {
		__be32 v4;
		struct in6_addr v6;
		u8 bytes[16];
	};
	u8 len;
};

struct cni_lpm_mem;

/**
 * struct cni_lpm - a longest-prefix-match table of one family
 * @mem: what readers look at
 */
struct cni_lpm {
	struct cni_lpm_mem __rcu *mem;
};

struct cni_lpm *cni_lpm_alloc(unsigned int bits, size_t max_bytes);
void cni_lpm_free(struct cni_lpm *lpm);
void cni_lpm_bulk_begin(struct cni_lpm *lpm);
int cni_lpm_bulk_end(struct cni_lpm *lpm);
int cni_lpm_swap(struct cni_lpm *lpm, const struct cni_prefix *prefix,
		 u32 value, u32 *old);
int cni_lpm_undo(struct cni_lpm *lpm, const struct cni_prefix *prefix,
		 u32 old);
int cni_lpm_set(struct cni_lpm *lpm, const struct cni_prefix *prefix,
		u32 value);
int cni_lpm_del(struct cni_lpm *lpm, const struct cni_prefix *prefix);
u32 cni_lpm_get(const struct cni_lpm *lpm, const struct cni_prefix *prefix);
u32 cni_lpm_cover(const struct cni_lpm *lpm, const struct cni_prefix *prefix,
		  struct cni_prefix *out);
int cni_lpm_next(const struct cni_lpm *lpm, struct cni_prefix *cursor,
		 bool first, u32 *value);
int cni_lpm_next_within(const struct cni_lpm *lpm,
			const struct cni_prefix *within,
			struct cni_prefix *cursor, bool first, u32 *value);
void cni_lpm_each(const struct cni_lpm *lpm,
		  void (*fn)(void *arg, u32 value), void *arg);
size_t cni_lpm_bytes(const struct cni_lpm *lpm);
unsigned int cni_lpm_count(const struct cni_lpm *lpm);
void cni_prefix_mask(struct cni_prefix *prefix, unsigned int bits);

#endif /* _CNI_LPM_H */
