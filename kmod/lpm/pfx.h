/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_LPM_PFX_H
#define _CNI_LPM_PFX_H

#include "lpm.h"

#ifdef __KERNEL__
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <asm/byteorder.h>
#endif

/* A prefix in host order. IPv4 has its address in the upper half of @hi. */
struct lpm_pfx {
	u64 hi;
	u64 lo;
	unsigned int len;
};

void lpm_pfx_cut(struct lpm_pfx *p, unsigned int len);
int lpm_pfx_cmp(const struct lpm_pfx *p, const struct lpm_pfx *q);
bool lpm_pfx_from(unsigned int bits, const struct cni_prefix *from,
		  struct lpm_pfx *p);
void lpm_pfx_to(unsigned int bits, const struct lpm_pfx *p,
		struct cni_prefix *to);

/* Those below are asked once for each prefix that is painted. */
static inline u64 lpm_pfx_hi(unsigned int len)
{
	if (len >= 64)
		return ~0ULL;
	return len ? ~0ULL << (64 - len) : 0;
}

static inline u64 lpm_pfx_lo(unsigned int len)
{
	return len > 64 ? lpm_pfx_hi(len - 64) : 0;
}

static inline bool lpm_pfx_covers(const struct lpm_pfx *p,
				  const struct lpm_pfx *q)
{
	return p->len <= q->len &&
	       !((p->hi ^ q->hi) & lpm_pfx_hi(p->len)) &&
	       !((p->lo ^ q->lo) & lpm_pfx_lo(p->len));
}

/* The @stride bits of an address from bit @depth on. */
static inline unsigned int lpm_pfx_slot(const struct lpm_pfx *p,
					unsigned int depth,
					unsigned int stride)
{
	u64 v = depth < 64 ? p->hi << depth : p->lo << (depth - 64);

	if (depth && depth < 64)
		v |= p->lo >> (64 - depth);
	return v >> (64 - stride);
}

#endif /* _CNI_LPM_PFX_H */
