/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_LPM_BENCH_H
#define _CNI_LPM_BENCH_H

#include "lpm/lookup.h"

union key {
	u32 v4;			/* host order, and packed where it is measured */
	struct in6_addr v6;
};

typedef u64 loop_fn(const void *ctx, const union key *keys, unsigned int n,
		    u32 zero);

/*
 * One by one, and a chain where each key depends on the last result. The
 * compiler can't know that @zero is 0.
 */
#define LOOPS4(name, lookup)						\
u64 name##_each(const void *ctx, const union key *keys,		\
		       unsigned int n, u32 zero)			\
{									\
	const u32 *k = (const u32 *)keys;				\
	u64 sum = zero;							\
	unsigned int i;							\
									\
	for (i = 0; i < n; i++)						\
		sum += lookup(ctx, k[i]);				\
	return sum;							\
}									\
u64 name##_chain(const void *ctx, const union key *keys,		\
			unsigned int n, u32 zero)			\
{									\
	const u32 *k = (const u32 *)keys;				\
	u32 r = 0;							\
	u64 sum = 0;							\
	unsigned int i;							\
									\
	for (i = 0; i < n; i++) {					\
		r = lookup(ctx, k[i] ^ (r & zero));			\
		sum += r;						\
	}								\
	return sum;							\
}

#define LOOPS6(name, lookup)						\
u64 name##_each(const void *ctx, const union key *keys,		\
		       unsigned int n, u32 zero)			\
{									\
	u64 sum = zero;							\
	unsigned int i;							\
									\
	for (i = 0; i < n; i++)						\
		sum += lookup(ctx, &keys[i].v6);			\
	return sum;							\
}									\
u64 name##_chain(const void *ctx, const union key *keys,		\
			unsigned int n, u32 zero)			\
{									\
	u32 r = 0;							\
	u64 sum = 0;							\
	unsigned int i;							\
									\
	for (i = 0; i < n; i++) {					\
		r = lookup(ctx, &keys[i + (r & zero)].v6);		\
		sum += r;						\
	}								\
	return sum;							\
}

loop_fn cni4_each, cni4_chain, cni6_each, cni6_chain;

#endif /* _CNI_LPM_BENCH_H */
