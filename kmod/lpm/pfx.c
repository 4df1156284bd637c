// SPDX-License-Identifier: GPL-2.0
/* Prefixes in host order: what the set and the builders of tables work on. */
#include "pfx.h"

/* Make @p the prefix of itself that has @len bits. */
void lpm_pfx_cut(struct lpm_pfx *p, unsigned int len)
{
	p->len = len;
	p->hi &= lpm_pfx_hi(len);
	p->lo &= lpm_pfx_lo(len);
}

int lpm_pfx_cmp(const struct lpm_pfx *p, const struct lpm_pfx *q)
{
	if (p->hi != q->hi)
		return p->hi < q->hi ? -1 : 1;
	if (p->lo != q->lo)
		return p->lo < q->lo ? -1 : 1;
	if (p->len != q->len)
		return p->len < q->len ? -1 : 1;
	return 0;
}

/* False for one that is no prefix: too long, or with host bits. */
bool lpm_pfx_from(unsigned int bits, const struct cni_prefix *from,
		  struct lpm_pfx *p)
{
	p->len = from->len;
	if (bits == 32) {
		p->hi = (u64)be32_to_cpu(from->v4) << 32;
		p->lo = 0;
	} else {
		p->hi = (u64)be32_to_cpu(from->v6.s6_addr32[0]) << 32 |
			be32_to_cpu(from->v6.s6_addr32[1]);
		p->lo = (u64)be32_to_cpu(from->v6.s6_addr32[2]) << 32 |
			be32_to_cpu(from->v6.s6_addr32[3]);
	}
	return p->len <= bits && !(p->hi & ~lpm_pfx_hi(p->len)) &&
	       !(p->lo & ~lpm_pfx_lo(p->len));
}

void lpm_pfx_to(unsigned int bits, const struct lpm_pfx *p,
		struct cni_prefix *to)
{
	memset(to, 0, sizeof(*to));
	to->len = p->len;
	if (bits == 32) {
		to->v4 = cpu_to_be32(p->hi >> 32);
	} else {
		to->v6.s6_addr32[0] = cpu_to_be32(p->hi >> 32);
		to->v6.s6_addr32[1] = cpu_to_be32(p->hi);
		to->v6.s6_addr32[2] = cpu_to_be32(p->lo >> 32);
		to->v6.s6_addr32[3] = cpu_to_be32(p->lo);
	}
}

/**
 * cni_prefix_mask - clear the host bits of a prefix
 * @prefix: the prefix, its length set
 * @bits: bits in an address of its family, 32 or 128
 *
 * A length beyond @bits becomes @bits.
 */
void cni_prefix_mask(struct cni_prefix *prefix, unsigned int bits)
{
	unsigned int i;

	prefix->len = min_t(unsigned int, prefix->len, bits);
	for (i = 0; i < bits / 8; i++) {
		if (prefix->len <= i * 8)
			prefix->bytes[i] = 0;
		else if (prefix->len < i * 8 + 8)
			prefix->bytes[i] &= 0xff00 >> (prefix->len - i * 8);
	}
}
