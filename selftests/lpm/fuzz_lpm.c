// SPDX-License-Identifier: GPL-2.0
/*
 * Updates and lookups of a fuzzer's choice, against a linear list. The input
 * is a byte for the family, then operations of eight bytes.
 */
#include <stdio.h>

#include "lpm-sources.h"

#define MAX_ROUTES	512

static struct {
	struct cni_prefix p;
	u32 value;
} list[MAX_ROUTES];
static unsigned int nr, bits;

static void check(bool ok)
{
	if (!ok)
		abort();
}

static bool covers(const struct cni_prefix *p, const u8 *addr)
{
	unsigned int whole = p->len / 8, rest = p->len % 8;

	if (memcmp(p->bytes, addr, whole))
		return false;
	return !rest || !((p->bytes[whole] ^ addr[whole]) >> (8 - rest));
}

static u32 list_lookup(const u8 *addr, int shorter)
{
	int best = -1;
	u32 value = 0;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (list[i].p.len > best && list[i].p.len < shorter &&
		    covers(&list[i].p, addr)) {
			best = list[i].p.len;
			value = list[i].value;
		}
	}
	return value;
}

static int list_find(const struct cni_prefix *p)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (list[i].p.len == p->len &&
		    !memcmp(list[i].p.bytes, p->bytes, 16))
			return i;
	return -1;
}

static void check_lookup(const struct cni_lpm *lpm, const u8 *addr)
{
	struct in6_addr v6;
	__be32 v4;
	u32 got;

	if (bits == 32) {
		memcpy(&v4, addr, 4);
		got = cni_lpm_lookup4(lpm, v4);
	} else {
		memcpy(&v6, addr, 16);
		got = cni_lpm_lookup6(lpm, &v6);
	}
	check(got == list_lookup(addr, 129));
}

static void check_around(const struct cni_lpm *lpm, struct cni_prefix p)
{
	unsigned int i;
	int j;

	check_lookup(lpm, p.bytes);
	for (i = p.len; i < bits; i++)
		p.bytes[i / 8] |= 0x80 >> (i % 8);
	check_lookup(lpm, p.bytes);
	for (j = bits / 8 - 1; j >= 0 && !++p.bytes[j]; j--)
		;
	check_lookup(lpm, p.bytes);
}

/* Eight bytes make a prefix near others: few bits, spread out. */
static struct cni_prefix prefix(const u8 *op)
{
	struct cni_prefix p = {};
	unsigned int i;

	p.len = op[1] % (bits + 1);
	if (bits == 32) {
		memcpy(p.bytes, op + 2, 4);
	} else {
		for (i = 0; i < 4; i++)
			p.bytes[i] = op[2 + i] & 0x0f;
		p.bytes[5] = op[6];
		p.bytes[8] = op[7] >> 4;
		p.bytes[15] = op[7] & 15;
	}
	cni_prefix_mask(&p, bits);
	return p;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct cni_prefix p, cursor;
	struct cni_lpm *lpm;
	unsigned int i, seen;
	bool first;
	u32 value;
	int at;

	if (!size)
		return 0;
	nr = 0;
	bits = data[0] & 1 ? 128 : 32;
	lpm = cni_lpm_alloc(bits, data[0] & 2 ? 600000 : SIZE_MAX);
	check(lpm);
	lpm_table(lpm)->wide = data[0] & 4;
	for (data++, size--; size >= 8; data += 8, size -= 8) {
		p = prefix(data);
		at = list_find(&p);
		switch (data[0] & 7) {
		case 0:
		case 1:
			check(cni_lpm_del(lpm, &p) == (at < 0 ? -ENOENT : 0));
			if (at >= 0)
				list[at] = list[--nr];
			break;
		case 2:
			cni_user_gp++;
			check(cni_lpm_get(lpm, &p) ==
			      (at < 0 ? 0 : list[at].value));
			check(cni_lpm_cover(lpm, &p, NULL) ==
			      list_lookup(p.bytes, p.len));
			break;
		default:
			if (at < 0 && nr == MAX_ROUTES)
				break;
			value = 1 + (data[0] >> 3) * (data[7] & 0x80 ? 9999 :
								      1);
			if (cni_lpm_set(lpm, &p, value)) {
				check(lpm_table(lpm)->budget.max != SIZE_MAX);
				break;
			}
			if (at < 0) {
				at = nr++;
				list[at].p = p;
			}
			list[at].value = value;
		}
		check_around(lpm, p);
	}
	for (i = 0; i < nr; i++)
		check_around(lpm, list[i].p);
	for (seen = 0, first = true;
	     !cni_lpm_next(lpm, &cursor, first, &value); first = false) {
		at = list_find(&cursor);
		check(at >= 0 && list[at].value == value);
		seen++;
	}
	check(seen == nr && cni_lpm_count(lpm) == nr);
	cni_lpm_free(lpm);
	return 0;
}
