// SPDX-License-Identifier: GPL-2.0
/*
 * The table as the kernel would have it: built without vector registers, and
 * with the popcnt instruction, as the kernel patches it in.
 */
#include "bench.h"

static __always_inline u32 cni4(const void *ctx, u32 key)
{
	return cni_lpm_lookup4(ctx, cpu_to_be32(key));
}

static __always_inline u32 cni6(const void *ctx, const struct in6_addr *key)
{
	return cni_lpm_lookup6(ctx, key);
}

LOOPS4(cni4, cni4)
LOOPS6(cni6, cni6)
