// SPDX-License-Identifier: GPL-2.0
#include "lpm/lpm.h"

#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#endif

/*
 * The prefix set: what was configured, sorted by address, then by length, so
 * that a prefix comes before all that it contains. An entry says what differs
 * from the one before it:
 *
 *	IPv4	length and n (1 byte)	value (1 or 3)	n bytes of the address
 *	IPv6	length (1), n (1)
 *
 * These are the last bytes that its length covers; those in front of them are
 * as in the entry before. Blocks are small, as to find something is to read a
 * block from its start. Neighbours share what they have when one is full or
 * all could do with one less, which keeps them nearly full whatever the order
 * of updates.
 */
#define BLOCK_BYTES	sizeof(struct cni_lpm_entries)
#define BLOCK_DATA	sizeof_field(struct cni_lpm_entries, data)
#define BLOCK_REACH	2
#define ENTRY_MAX	(2 + 3 + 16)

/* A prefix in host order. IPv4 has its address in the upper half of @hi. */
struct pfx {
	u64 hi;
	u64 lo;
	unsigned int len;
};

/* A place in the set: its block, number, and bytes there; what is before. */
struct cni_lpm_pos {
	unsigned int block;
	unsigned int at;
	unsigned int off;
	unsigned int end;
	struct pfx prev;
};

/* What covers something, with its value. */
struct cover {
	struct pfx p;
	u32 value;
};

static u64 mask_hi(unsigned int len)
{
	if (len >= 64)
		return ~0ULL;
	return len ? ~0ULL << (64 - len) : 0;
}

static u64 mask_lo(unsigned int len)
{
	return len > 64 ? mask_hi(len - 64) : 0;
}

static bool pfx_covers(const struct pfx *p, const struct pfx *q)
{
	return p->len <= q->len &&
	       !((p->hi ^ q->hi) & mask_hi(p->len)) &&
	       !((p->lo ^ q->lo) & mask_lo(p->len));
}

/* Make @p the prefix of itself that has @len bits. */
static void pfx_cut(struct pfx *p, unsigned int len)
{
	p->len = len;
	p->hi &= mask_hi(len);
	p->lo &= mask_lo(len);
}

static int pfx_cmp(const struct pfx *p, const struct pfx *q)
{
	if (p->hi != q->hi)
		return p->hi < q->hi ? -1 : 1;
	if (p->lo != q->lo)
		return p->lo < q->lo ? -1 : 1;
	if (p->len != q->len)
		return p->len < q->len ? -1 : 1;
	return 0;
}

/* The @stride bits of an address from bit @depth on. */
static unsigned int pfx_slot(const struct pfx *p, unsigned int depth,
			     unsigned int stride)
{
	u64 v = depth < 64 ? p->hi << depth : p->lo << (depth - 64);

	if (depth && depth < 64)
		v |= p->lo >> (64 - depth);
	return v >> (64 - stride);
}

static bool pfx_from(const struct cni_lpm *lpm, const struct cni_prefix *from,
		     struct pfx *p)
{
	p->len = from->len;
	if (lpm->bits == 32) {
		p->hi = (u64)be32_to_cpu(from->v4) << 32;
		p->lo = 0;
	} else {
		p->hi = (u64)be32_to_cpu(from->v6.s6_addr32[0]) << 32 |
			be32_to_cpu(from->v6.s6_addr32[1]);
		p->lo = (u64)be32_to_cpu(from->v6.s6_addr32[2]) << 32 |
			be32_to_cpu(from->v6.s6_addr32[3]);
	}
	return p->len <= lpm->bits && !(p->hi & ~mask_hi(p->len)) &&
	       !(p->lo & ~mask_lo(p->len));
}

static void pfx_to(const struct cni_lpm *lpm, const struct pfx *p,
		   struct cni_prefix *to)
{
	memset(to, 0, sizeof(*to));
	to->len = p->len;
	if (lpm->bits == 32) {
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

/* Memory, counted */

static bool may_add(const struct cni_lpm *lpm, size_t bytes)
{
	return lpm->force || (bytes <= lpm->max_bytes &&
			      lpm->bytes <= lpm->max_bytes - bytes);
}

/* A reader that sees the entry sees the node or value behind it. */
#define publish(to, entry)						\
	do {								\
		typeof(to) _to = (to);					\
		typeof(*_to) _entry = (entry);				\
									\
		if (*_to != _entry)					\
			/* Pairs with the reader's address dependency. */ \
			smp_store_release(_to, _entry);			\
	} while (0)

static int vec_room(struct cni_lpm *lpm, struct cni_lpm_vec *vec,
		    unsigned int more)
{
	unsigned int room = vec->nr + more;
	u32 *v;

	if (room <= vec->room)
		return 0;
	room += room / 2 + 16;
	v = kvmalloc_array(room, sizeof(*v), GFP_KERNEL_ACCOUNT);
	if (!v)
		return -ENOMEM;
	if (vec->nr)
		memcpy(v, vec->v, vec->nr * sizeof(*v));
	kvfree(vec->v);
	lpm->bytes += (room - vec->room) * sizeof(*v);
	vec->v = v;
	vec->room = room;
	return 0;
}

static void vec_free(struct cni_lpm *lpm, struct cni_lpm_vec *vec)
{
	lpm->bytes -= vec->room * sizeof(*vec->v);
	kvfree(vec->v);
	memset(vec, 0, sizeof(*vec));
}

/* Give back what a large update needed, so that it isn't kept for good. */
static void vec_clear(struct cni_lpm *lpm, struct cni_lpm_vec *vec)
{
	vec->nr = 0;
	if (vec->room > 1024)
		vec_free(lpm, vec);
}

/* Set */

#define VALUE_LONG		240

/* How much an entry takes at most: head, value and address. */
static unsigned int entry_max(const struct cni_lpm *lpm)
{
	return lpm->bits == 32 ? 1 + 3 + 4 : ENTRY_MAX;
}

/* The value of an entry, behind its head. */
static u32 value_read(const u8 *b)
{
	return *b < VALUE_LONG ? *b :
				 (*b - VALUE_LONG) << 16 | b[1] << 8 | b[2];
}

/* What IPv4 is sorted by: 32 bits of address, 8 of length. */
static u64 key4(const struct pfx *p)
{
	return p->hi >> 24 | p->len;
}

static struct pfx pfx4(u64 key)
{
	return (struct pfx){ .hi = key >> 8 << 32, .len = key & 63 };
}

/*
 * Step over an entry of IPv4, from the key before it to its own. That has no
 * loop, as most entries are only passed by. Four bytes can be read up to any
 * end, since a block's head is in front of its first entry.
 */
static __always_inline const u8 *entry_pass4(const u8 *from, u64 *key)
{
	unsigned int len = *from & 63, bytes = *from >> 6, below;
	const u8 *end = from + 2;
	__be32 last;
	u64 addr;

	if (len > 32) {
		len -= 8;
		bytes = 4;
	}
	if (unlikely(from[1] >= VALUE_LONG))
		end += 2;
	end += bytes;
	memcpy(&last, end - sizeof(last), sizeof(last));
	below = (40 - len) & ~7U;
	addr = *key >> below;
	addr ^= (addr ^ be32_to_cpu(last)) & ~(~0ULL << (bytes * 8));
	*key = addr << below | len;
	return end;
}

/*
 * Read the entry behind @prev, which may be where to put it: its size. The
 * upper half of an address is enough for most, and goes as in IPv4.
 */
static __always_inline unsigned int
entry_read6(const u8 *from, const struct pfx *prev, struct pfx *p, u32 *value)
{
	unsigned int bytes = from[1], len = *from, below, i;
	const u8 *b = from + 2;
	__be64 last;
	u64 hi;

	*value = value_read(b);
	b += *b < VALUE_LONG ? 1 : 3;
	if (bytes && len <= 64) {
		b += bytes;
		memcpy(&last, b - sizeof(last), sizeof(last));
		below = (64 - len) & ~7U;
		hi = prev->hi >> below;
		hi ^= (hi ^ be64_to_cpu(last)) & ~0ULL >> (64 - bytes * 8);
		*p = (struct pfx){ .hi = hi << below, .len = len };
		return b - from;
	}
	i = DIV_ROUND_UP(len, 8) - bytes;
	p->hi = prev->hi & mask_hi(i * 8);
	p->lo = prev->lo & mask_lo(i * 8);
	p->len = len;
	for (; bytes--; i++) {
		if (i < 8)
			p->hi |= (u64)*b++ << (56 - i * 8);
		else
			p->lo |= (u64)*b++ << (120 - i * 8);
	}
	return b - from;
}

static unsigned int entry_load(const struct cni_lpm *lpm, const u8 *from,
			       const struct pfx *prev, struct pfx *p,
			       u32 *value)
{
	const u8 *end;
	u64 key;

	if (lpm->bits == 128)
		return entry_read6(from, prev, p, value);
	key = key4(prev);
	end = entry_pass4(from, &key);
	*p = pfx4(key);
	*value = value_read(from + 1);
	return end - from;
}

static unsigned int entry_store(const struct cni_lpm *lpm, u8 *to,
				const struct pfx *prev, const struct pfx *p,
				u32 value)
{
	unsigned int bytes = DIV_ROUND_UP(p->len, 8), i;
	u8 *b = to;

	/*
	 * No byte behind the prefix before is taken to be as in there, so that
	 * to remove an entry never needs room.
	 */
	if (prev->hi != p->hi)
		i = (64 - fls64(prev->hi ^ p->hi)) / 8;
	else
		i = (128 - fls64(prev->lo ^ p->lo)) / 8;
	i = min_t(unsigned int, i, DIV_ROUND_UP(prev->len, 8));
	i = min_t(unsigned int, i, bytes);
	bytes -= i;

	if (lpm->bits == 128) {
		*b++ = p->len;
		*b++ = bytes;
	} else {
		*b++ = bytes == 4 ? p->len + 8 : p->len | bytes << 6;
	}
	if (value >= VALUE_LONG) {
		*b++ = VALUE_LONG + (value >> 16);
		*b++ = value >> 8;
	}
	*b++ = value;
	for (; bytes--; i++)
		*b++ = i < 8 ? p->hi >> (56 - i * 8) : p->lo >> (120 - i * 8);
	return b - to;
}

/* What blocks are sought by: of IPv4 that's all of a prefix. */
static u64 pfx_key(const struct cni_lpm *lpm, const struct pfx *p)
{
	return lpm->bits == 32 ? key4(p) : p->hi;
}

/* Is the first entry of block @b at or before @p? */
static bool block_starts_by(const struct cni_lpm *lpm, unsigned int b,
			    const struct pfx *p)
{
	u64 key = pfx_key(lpm, p);
	struct pfx q = {};
	u32 value;

	if (lpm->set.first[b] != key || lpm->bits == 32)
		return lpm->set.first[b] <= key;
	entry_load(lpm, lpm->set.block[b]->data, &q, &q, &value);
	return pfx_cmp(&q, p) <= 0;
}

/* The entry at @pos, which moves on to the next block where one ends. */
static bool set_at(const struct cni_lpm *lpm, struct cni_lpm_pos *pos,
		   struct pfx *p, u32 *value)
{
	const struct cni_lpm_entries *block;

	while (pos->block < lpm->set.nr) {
		block = lpm->set.block[pos->block];
		if (pos->off < block->used) {
			pos->end = pos->off +
				   entry_load(lpm, block->data + pos->off,
					      &pos->prev, p, value);
			return true;
		}
		*pos = (struct cni_lpm_pos){ .block = pos->block + 1 };
	}
	return false;
}

/* Leave the entry that set_at() told behind. */
static void set_step(struct cni_lpm_pos *pos, const struct pfx *p)
{
	pos->at++;
	pos->off = pos->end;
	pos->prev = *p;
}

/*
 * Go on from @pos to the first entry at or after @p, or the block's end. What
 * covers @p on the way goes to @cover, the longest last.
 */
static __always_inline bool block_scan4(const struct cni_lpm_entries *block,
					const struct pfx *p,
					struct cni_lpm_pos *pos,
					struct cover *cover)
{
	const u8 *at = block->data + pos->off, *end = block->data + block->used;
	u64 want = key4(p), before = key4(&pos->prev), key = before;
	const u8 *next = at;

	while (at < end) {
		next = entry_pass4(at, &key);
		if (key >= want)
			break;
		if (cover && !((key ^ want) >> (40 - (key & 63)))) {
			cover->p = pfx4(key);
			cover->value = value_read(at + 1);
		}
		before = key;
		at = next;
		pos->at++;
	}
	pos->prev = pfx4(before);
	pos->off = at - block->data;
	pos->end = next - block->data;
	return at < end && key == want;
}

static __always_inline bool block_scan6(const struct cni_lpm_entries *block,
					const struct pfx *p,
					struct cni_lpm_pos *pos,
					struct cover *cover)
{
	struct cni_lpm_pos to = *pos;
	struct pfx q = to.prev;
	int cmp = -1;
	u32 value;

	while (to.off < block->used) {
		to.end = to.off + entry_read6(block->data + to.off, &q, &q,
					      &value);
		cmp = pfx_cmp(&q, p);
		if (cmp >= 0)
			break;
		if (cover && pfx_covers(&q, p))
			*cover = (struct cover){ q, value };
		set_step(&to, &q);
	}
	*pos = to;
	return !cmp;
}

static bool block_find(const struct cni_lpm *lpm, const struct pfx *p,
		       struct cni_lpm_pos *pos)
{
	const struct cni_lpm_entries *block = lpm->set.block[pos->block];

	return lpm->bits == 32 ? block_scan4(block, p, pos, NULL) :
				 block_scan6(block, p, pos, NULL);
}

static void block_cover(const struct cni_lpm *lpm, const struct pfx *p,
			struct cni_lpm_pos *pos, struct cover *cover)
{
	const struct cni_lpm_entries *block = lpm->set.block[pos->block];

	if (lpm->bits == 32)
		block_scan4(block, p, pos, cover);
	else
		block_scan6(block, p, pos, cover);
}

/* Pass entries, of which @p is the last one, until @end or behind. */
static unsigned int block_pass(const struct cni_lpm *lpm,
			       const struct cni_lpm_entries *block,
			       unsigned int off, unsigned int end,
			       struct pfx *p, u16 *nr)
{
	const u8 *at = block->data + off;
	u64 key = key4(p);
	u32 value;

	end = min_t(unsigned int, end, block->used);
	for (; at < block->data + end; (*nr)++) {
		if (lpm->bits == 32)
			at = entry_pass4(at, &key);
		else
			at += entry_read6(at, p, p, &value);
	}
	if (lpm->bits == 32)
		*p = pfx4(key);
	return at - block->data;
}

/* The block that @p is in, if it is anywhere. */
static unsigned int set_block(const struct cni_lpm *lpm, const struct pfx *p)
{
	const struct cni_lpm_set *set = &lpm->set;
	unsigned int lo = 0, hi = set->nr, mid = set->last->block;

	/* Mostly it's where something was sought last, so begin there. */
	if (mid < hi && block_starts_by(lpm, mid, p)) {
		lo = mid++;
		if (mid < hi && !block_starts_by(lpm, mid, p))
			hi = mid;
	}
	while (hi - lo > 1) {
		mid = lo + (hi - lo) / 2;
		if (block_starts_by(lpm, mid, p))
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

/* Find the first entry at or after @p, in or just behind its block. */
static bool set_find(const struct cni_lpm *lpm, const struct pfx *p,
		     struct cni_lpm_pos *pos)
{
	struct cni_lpm_pos *last = lpm->set.last;
	unsigned int b = set_block(lpm, p);
	bool found;

	if (!last->at || last->block != b || pfx_cmp(&last->prev, p) >= 0)
		*last = (struct cni_lpm_pos){ .block = b };
	found = lpm->set.nr && block_find(lpm, p, last);
	*pos = *last;
	return found;
}

static int set_add_block(struct cni_lpm *lpm, unsigned int b)
{
	struct cni_lpm_set *set = &lpm->set;
	struct cni_lpm_entries *block;

	if (!may_add(lpm, BLOCK_BYTES))
		return -ENOSPC;
	if (set->nr == set->room) {
		unsigned int room = set->room + set->room / 8 + 4;
		size_t more = (room - set->room) *
			      (sizeof(*set->first) + sizeof(*set->block));
		struct cni_lpm_entries **blocks;
		u64 *first;

		if (!may_add(lpm, more + BLOCK_BYTES))
			return -ENOSPC;
		first = kvmalloc_array(room, sizeof(*first),
				       GFP_KERNEL_ACCOUNT);
		blocks = kvmalloc_array(room, sizeof(*blocks),
					GFP_KERNEL_ACCOUNT);
		if (!first || !blocks) {
			kvfree(first);
			kvfree(blocks);
			return -ENOMEM;
		}
		if (set->nr) {
			memcpy(first, set->first, set->nr * sizeof(*first));
			memcpy(blocks, set->block, set->nr * sizeof(*blocks));
		}
		kvfree(set->first);
		kvfree(set->block);
		set->first = first;
		set->block = blocks;
		set->room = room;
		lpm->bytes += more;
	}
	block = kmalloc(BLOCK_BYTES, GFP_KERNEL_ACCOUNT);
	if (!block)
		return -ENOMEM;
	block->used = 0;
	block->nr = 0;
	memmove(set->first + b + 1, set->first + b,
		(set->nr - b) * sizeof(*set->first));
	memmove(set->block + b + 1, set->block + b,
		(set->nr - b) * sizeof(*set->block));
	set->block[b] = block;
	set->nr++;
	set->last->at = 0;
	lpm->bytes += BLOCK_BYTES;
	return 0;
}

static void set_drop_block(struct cni_lpm *lpm, unsigned int b)
{
	struct cni_lpm_set *set = &lpm->set;

	kfree(set->block[b]);
	set->nr--;
	set->last->at = 0;
	memmove(set->first + b, set->first + b + 1,
		(set->nr - b) * sizeof(*set->first));
	memmove(set->block + b, set->block + b + 1,
		(set->nr - b) * sizeof(*set->block));
	lpm->bytes -= BLOCK_BYTES;
}

/* The blocks around @b that share what they have, and how much that is. */
static unsigned int set_around(const struct cni_lpm *lpm, unsigned int b,
			       unsigned int *lo, unsigned int *hi)
{
	unsigned int i, sum = 0;

	*lo = b - min_t(unsigned int, b, BLOCK_REACH);
	*hi = min_t(unsigned int, b + BLOCK_REACH + 1, lpm->set.nr);
	for (i = *lo; i < *hi; i++)
		sum += lpm->set.block[i]->used;
	return sum;
}

/* Can @n blocks have @sum bytes, and each of them room for one more entry? */
static bool set_fits(const struct cni_lpm *lpm, unsigned int sum,
		     unsigned int n)
{
	return n && sum / n + 3 * entry_max(lpm) <= BLOCK_DATA;
}

/*
 * Write what blocks @lo to @hi - 1 have into @n of them, all alike. That takes
 * another form only where a block begins or began.
 */
static void set_share(struct cni_lpm *lpm, unsigned int lo, unsigned int hi,
		      unsigned int n)
{
	struct cni_lpm_set *set = &lpm->set;
	struct cni_lpm_entries *copy = (void *)lpm->scratch, *to = NULL;
	unsigned int i, off, start, each = 0, b = lo;
	struct pfx p, prev = {};
	u32 value;

	for (i = lo; i < hi; i++) {
		memcpy(&copy[i - lo], set->block[i], BLOCK_BYTES);
		each += set->block[i]->used;
		set->block[i]->used = 0;
		set->block[i]->nr = 0;
	}
	/* The first entry of a block may be longer than it was. */
	each = each / n + entry_max(lpm);
	for (i = 0; i < hi - lo; i++) {
		p = (struct pfx){};
		for (off = 0; off < copy[i].used;) {
			off += entry_load(lpm, copy[i].data + off, &p, &p,
					  &value);
			if (!to || to->used >= each) {
				prev = (struct pfx){};
				set->first[b] = pfx_key(lpm, &p);
				to = set->block[b++];
			}
			to->used += entry_store(lpm, to->data + to->used,
						&prev, &p, value);
			to->nr++;
			start = off;
			off = block_pass(lpm, &copy[i], off,
					 off + each - to->used, &p, &to->nr);
			memcpy(to->data + to->used, copy[i].data + start,
			       off - start);
			to->used += off - start;
			prev = p;
		}
	}
	while (hi > b)
		set_drop_block(lpm, --hi);
	set->last->at = 0;
}

/* Make room in full block @b: through near neighbours, or by one more. */
static int set_spread(struct cni_lpm *lpm, unsigned int b)
{
	unsigned int lo, hi, sum = set_around(lpm, b, &lo, &hi);
	int err;

	if (!set_fits(lpm, sum, hi - lo)) {
		err = set_add_block(lpm, b + 1);
		if (err)
			return err;
		hi++;
	}
	set_share(lpm, lo, hi, hi - lo);
	return 0;
}

/* Put @len bytes in place of @old at @pos. */
static void set_splice(struct cni_lpm *lpm, const struct cni_lpm_pos *pos,
		       unsigned int old, const u8 *bytes, unsigned int len)
{
	struct cni_lpm_entries *block = lpm->set.block[pos->block];
	u8 *at = block->data + pos->off;

	memmove(at + len, at + old, block->used - pos->off - old);
	memcpy(at, bytes, len);
	block->used += len - old;
}

/*
 * Add @p or change its value, at @pos where it was sought and @found; back to
 * what it was before can't fail.
 */
static int set_put(struct cni_lpm *lpm, struct cni_lpm_pos pos, bool found,
		   const struct pfx *p, u32 value)
{
	struct cni_lpm_set *set = &lpm->set;
	struct cni_lpm_entries *block;
	u8 bytes[2 * ENTRY_MAX];
	unsigned int len, old;
	struct pfx q;
	u32 other;
	int err;

	for (;;) {
		old = 0;
		len = entry_store(lpm, bytes, &pos.prev, p, value);
		block = set->nr ? set->block[pos.block] : NULL;
		if (block && pos.off < block->used) {
			old = entry_load(lpm, block->data + pos.off, &pos.prev,
					 &q, &other);
			if (!found)
				len += entry_store(lpm, bytes + len, p, &q,
						   other);
		}
		if (block && block->used - old + len <= BLOCK_DATA)
			break;
		if (!old && pos.block + 1 >= set->nr) {
			/* Ascending loads leave full blocks behind. */
			err = set_add_block(lpm, set->nr);
			pos = (struct cni_lpm_pos){ .block = set->nr - 1 };
		} else {
			err = set_spread(lpm, pos.block);
			found = set_find(lpm, p, &pos);
		}
		if (err)
			return err;
	}
	set_splice(lpm, &pos, old, bytes, len);
	if (!pos.off)
		set->first[pos.block] = pfx_key(lpm, p);
	if (!found) {
		block->nr++;
		set->count++;
	}
	*set->last = pos;
	return 0;
}

/* Where blocks near @b could do with one less, let them. */
static void set_gather(struct cni_lpm *lpm, unsigned int b)
{
	unsigned int lo, hi, sum;

	if (!lpm->set.block[b]->used) {
		set_drop_block(lpm, b);
		return;
	}
	sum = set_around(lpm, b, &lo, &hi);
	if (set_fits(lpm, sum, hi - lo - 1))
		set_share(lpm, lo, hi, hi - lo - 1);
}

static void set_remove(struct cni_lpm *lpm, const struct pfx *p)
{
	struct cni_lpm_set *set = &lpm->set;
	struct cni_lpm_entries *block;
	unsigned int old, len = 0;
	u8 bytes[ENTRY_MAX];
	struct cni_lpm_pos pos;
	struct pfx q;
	u32 value;

	if (!set_find(lpm, p, &pos))
		return;
	block = set->block[pos.block];
	old = entry_load(lpm, block->data + pos.off, &pos.prev, &q, &value);
	if (pos.off + old < block->used) {
		old += entry_load(lpm, block->data + pos.off + old, p, &q,
				  &value);
		len = entry_store(lpm, bytes, &pos.prev, &q, value);
		if (!pos.off)
			set->first[pos.block] = pfx_key(lpm, &q);
	}
	set_splice(lpm, &pos, old, bytes, len);
	block->nr--;
	set->count--;
	*set->last = pos;
	set_gather(lpm, pos.block);
}

/* Let the entry at @pos have value 0, or have its own again. */
static void set_mark(struct cni_lpm *lpm, const struct cni_lpm_pos *pos,
		     u32 value)
{
	u8 *b = lpm->set.block[pos->block]->data + pos->off;

	*lpm->set.last = *pos;
	b += lpm->bits == 128 ? 2 : 1;
	if (*b < VALUE_LONG) {
		*b = value;
		return;
	}
	b[0] = VALUE_LONG + (value >> 16);
	b[1] = value >> 8;
	b[2] = value;
}

/*
 * The longest entry around @p that is shorter: the last one up to its parent
 * that covers this. Where the parent's block has none, it's one that is around
 * the first entry of that block, too.
 */
static u32 set_cover(const struct cni_lpm *lpm, const struct pfx *p,
		     struct pfx *out)
{
	struct cover cover = {};
	struct cni_lpm_pos pos;
	struct pfx key = *p, q;
	u32 value;

	if (!key.len--)
		return 0;
	while (lpm->set.nr) {
		pfx_cut(&key, key.len);
		pos = (struct cni_lpm_pos){ .block = set_block(lpm, &key) };
		key.len++;
		block_cover(lpm, &key, &pos, &cover);
		if (cover.value || !pos.block)
			break;
		pos = (struct cni_lpm_pos){ .block = pos.block };
		set_at(lpm, &pos, &q, &value);
		key.len = q.hi != key.hi ? 64 - fls64(q.hi ^ key.hi) :
					   128 - fls64(q.lo ^ key.lo);
	}
	*out = cover.p;
	return cover.value;
}

/*
 * Nodes. Writers work on @w, which is what readers see but while a new one is
 * being built. Small tables are flat: blocks of 256 slots, updated in place.
 * Others are deep: packed nodes, each replaced when its runs change.
 */

#define FLAT_BLOCK_WORDS	128
#define FLAT_BLOCKS_MAX		(CNI_LPM_BLOCK / CNI_LPM_BLOCK_STEP)
#define FLAT_VALUE_MAX		(CNI_LPM_BLOCK - 1)
#define TAG_SLOTS		16	/* that have one tag in the front */
#define TAGS			((1U << CNI_LPM_ROOT_BITS) / TAG_SLOTS)
#define CODES_MAX		256
#define CODE_SLOTS		1024
#define SLOTS			256
#define LINK_WORD		9	/* in a node that is free */
#define LINE_WORDS		16
#define LINE_RUNS		(CNI_LPM_LASTS + 1)
#define LINES_RUNS		(LINE_RUNS * LINE_RUNS)
#define DIRECT_WORDS		8192

/*
 * What a node is, by how many entries it has: apart, so as not to swap
 * with each update.
 */
#define DIRECT_ENTRIES		1024
#define DIRECT_ENTRIES_MIN	256
#define LINES_ENTRIES_MIN	32

static size_t unit(const struct cni_lpm *lpm)
{
	if (lpm->w->flat)
		return FLAT_BLOCK_WORDS;
	return lpm->bits == 32 ? CNI_LPM_UNIT4 : CNI_LPM_UNIT6;
}

static u32 *node_words(const struct cni_lpm *lpm, u32 entry)
{
	return &lpm->w->w[(entry & CNI_LPM_PLACE) * unit(lpm)];
}

static u32 node_type(u32 entry)
{
	return entry & CNI_LPM_TYPE;
}

static struct cni_lpm_node *node_at(const struct cni_lpm *lpm, u32 entry)
{
	return (void *)node_words(lpm, entry);
}

static unsigned int node_runs(const struct cni_lpm_node *node)
{
	return node->before[3] + hweight64(node->map[3]);
}

static size_t runs_words(const struct cni_lpm *lpm, unsigned int runs,
			 u32 type)
{
	size_t bytes;

	if (type == CNI_LPM_NARROW)
		bytes = offsetof(struct cni_lpm_node, code[1]) + runs;
	else
		bytes = offsetof(struct cni_lpm_node, run[1]) + runs * 4;
	return DIV_ROUND_UP(bytes, unit(lpm) * 4) * unit(lpm);
}

static size_t node_size(const struct cni_lpm *lpm, u32 entry)
{
	const struct cni_lpm_line *line;

	if (lpm->w->flat)
		return FLAT_BLOCK_WORDS;
	switch (node_type(entry)) {
	case CNI_LPM_DIRECT:
		return DIRECT_WORDS;
	case CNI_LPM_LINE:
	case CNI_LPM_LINES:
		line = (const void *)node_words(lpm, entry);
		return line->lines * LINE_WORDS;
	}
	return runs_words(lpm, node_runs(node_at(lpm, entry)),
			  node_type(entry));
}

/* A flat IPv4 root leads to blocks only, so that no lookup has to ask. */
static bool all_blocks(const struct cni_lpm *lpm, bool flat)
{
	return flat && lpm->bits == 32;
}

/* The root and what comes with it. */
static size_t root_words(const struct cni_lpm *lpm, bool flat)
{
	if (all_blocks(lpm, flat))
		return CNI_LPM_BLOCKS4 / 2;
	return flat ? CNI_LPM_BLOCKS6 / 2 : CNI_LPM_VALUES + CODES_MAX;
}

/* Where the first block of a flat table is; IPv4's has no value. */
static u32 first_block(const struct cni_lpm *lpm)
{
	return root_words(lpm, true) / FLAT_BLOCK_WORDS;
}

/* Where nodes begin. */
static size_t first_words(const struct cni_lpm *lpm, bool flat)
{
	return root_words(lpm, flat) + (all_blocks(lpm, flat) ?
					FLAT_BLOCK_WORDS : 0);
}

static u32 slot_entry(const struct cni_lpm *lpm, u16 slot)
{
	if (slot & CNI_LPM_BLOCK)
		return CNI_LPM_NODE | (first_block(lpm) +
				       (slot - CNI_LPM_BLOCK) /
				       CNI_LPM_BLOCK_STEP);
	return slot;
}

static u16 entry_slot(const struct cni_lpm *lpm, u32 entry)
{
	if (entry & CNI_LPM_NODE)
		return CNI_LPM_BLOCK + ((entry & CNI_LPM_PLACE) -
					first_block(lpm)) * CNI_LPM_BLOCK_STEP;
	return entry;
}

/* The block that is all @value, from where blocks of that kind are listed. */
static bool same_find(const struct cni_lpm *lpm, u32 value, u32 *entry)
{
	unsigned int i;

	*entry = CNI_LPM_NODE | first_block(lpm);
	if (!value)
		return true;
	for (i = 0; i < lpm->same.nr; i += 2) {
		if (lpm->same.v[i] == value) {
			*entry = lpm->same.v[i + 1];
			return true;
		}
	}
	return false;
}

/* What a root's entry stands for: a block's one value, or itself. */
static u32 same_value(const struct cni_lpm *lpm, u32 entry)
{
	unsigned int i;

	if (entry == (CNI_LPM_NODE | first_block(lpm)))
		return 0;
	for (i = 0; i < lpm->same.nr; i += 2)
		if (lpm->same.v[i + 1] == entry)
			return lpm->same.v[i];
	return entry;
}

/* Slot @i of the root at word 0, or of a direct node at word @at. */
static u32 table_get(const struct cni_lpm *lpm, size_t at, unsigned int i)
{
	u32 entry;

	if (!lpm->w->flat)
		return lpm->w->w[at + i];
	entry = slot_entry(lpm, lpm->w->slot[i]);
	return lpm->bits == 32 ? same_value(lpm, entry) : entry;
}

/* Values of a flat IPv4 root have their blocks, see same_need(). */
static void table_put(struct cni_lpm *lpm, size_t at, unsigned int i,
		      u32 entry)
{
	if (all_blocks(lpm, lpm->w->flat) && !(entry & CNI_LPM_NODE))
		same_find(lpm, entry, &entry);
	if (lpm->w->flat)
		publish(&lpm->w->slot[i], entry_slot(lpm, entry));
	else
		publish(&lpm->w->w[at + i], entry);
}

/* From this size on, memory comes in huge pages: use them up. */
#define HUGE_BYTES		(2UL << 20)

static size_t mem_words(size_t words)
{
	size_t bytes = offsetof(struct cni_lpm_mem, w) + words * 4;

	if (bytes < HUGE_BYTES)
		return words;
	bytes = DIV_ROUND_UP(bytes, HUGE_BYTES) * HUGE_BYTES;
	return (bytes - offsetof(struct cni_lpm_mem, w)) / 4;
}

static struct cni_lpm_mem *mem_alloc(const struct cni_lpm *lpm, size_t words,
				     bool flat)
{
	struct cni_lpm_mem *mem;
	unsigned int i;

	mem = kvmalloc(struct_size(mem, w, words), GFP_KERNEL_ACCOUNT);
	if (!mem)
		return NULL;
	mem->words = words;
	mem->codes = 1;
	mem->flat = flat;
	memset(mem->w, 0, first_words(lpm, flat) * sizeof(*mem->w));
	for (i = 0; all_blocks(lpm, flat) && i < 1U << CNI_LPM_ROOT_BITS; i++)
		mem->slot[i] = CNI_LPM_BLOCK;
	return mem;
}

/* Let readers see @mem in place of what they see now. */
static void mem_publish(struct cni_lpm *lpm, struct cni_lpm_mem *mem)
{
	struct cni_lpm_mem *old;

	/* The caller's mutex serializes writers. */
	old = rcu_dereference_protected(lpm->mem, 1);
	rcu_assign_pointer(lpm->mem, mem);
	kvfree_rcu(old, rcu);
}

/* Same places in memory of another size; readers may go on in the old one. */
static int mem_resize(struct cni_lpm *lpm, size_t words)
{
	struct cni_lpm_mem *mem, *old = lpm->w;

	mem = mem_alloc(lpm, words, old->flat);
	if (!mem)
		return -ENOMEM;
	mem->codes = old->codes;
	memcpy(mem->w, old->w, lpm->used * sizeof(*mem->w));
	lpm->bytes += words * 4;
	lpm->bytes -= old->words * 4;
	lpm->w = mem;
	if (lpm->building)
		kvfree(old);
	else
		mem_publish(lpm, mem);
	return 0;
}

static int mem_grow(struct cni_lpm *lpm, size_t words)
{
	size_t more = lpm->used / (lpm->building ? 2 : 16) + 1024;
	size_t have = lpm->w->words - lpm->used;

	more = mem_words(lpm->used + max_t(size_t, more, words)) - lpm->used;
	if (!may_add(lpm, (more - have) * 4))
		more = words;
	if (!may_add(lpm, (more - have) * 4))
		return -ENOSPC;
	if ((lpm->used + more) / unit(lpm) > CNI_LPM_PLACE)
		return -ENOSPC;
	return mem_resize(lpm, lpm->used + more);
}

static u32 *free_list(struct cni_lpm *lpm, size_t words)
{
	if (words == DIRECT_WORDS)
		return &lpm->free[CNI_LPM_CLASSES - 1];
	return &lpm->free[words / unit(lpm)];
}

static void node_free(struct cni_lpm *lpm, u32 entry)
{
	size_t words = node_size(lpm, entry);
	u32 *list = free_list(lpm, words);

	node_words(lpm, entry)[LINK_WORD] = *list;
	*list = entry & CNI_LPM_PLACE;
	lpm->idle += words;
}

/* Reuse what no reader can hold any more; start the wait for the rest. */
static void reclaim(struct cni_lpm *lpm)
{
	struct cni_lpm_vec *wait = &lpm->wait, *retired = &lpm->retired;
	struct cni_lpm_vec vec;
	unsigned int i;

	if (wait->nr) {
		if (!poll_state_synchronize_rcu(lpm->gp)) {
			if (lpm->waiting < 16384 ||
			    lpm->waiting < lpm->used / 8)
				return;
			cond_synchronize_rcu(lpm->gp);
		}
		for (i = 0; i < wait->nr; i++)
			node_free(lpm, wait->v[i]);
		vec_clear(lpm, wait);
		lpm->waiting = 0;
	}
	if (!retired->nr)
		return;
	for (i = 0; i < retired->nr; i++)
		lpm->waiting += node_size(lpm, retired->v[i]);
	vec = *wait;
	*wait = *retired;
	*retired = vec;
	lpm->gp = start_poll_synchronize_rcu();
}

/* All that was alive is in new memory now. */
static void forget(struct cni_lpm *lpm)
{
	lpm->idle = 0;
	lpm->waiting = 0;
	vec_clear(lpm, &lpm->retired);
	vec_clear(lpm, &lpm->wait);
	memset(lpm->free, 0, sizeof(lpm->free));
}

static int node_alloc(struct cni_lpm *lpm, size_t words, u32 type, u32 *entry)
{
	u32 *list = free_list(lpm, words);
	int err;

	if (!lpm->building) {
		err = vec_room(lpm, &lpm->fresh, 1);
		if (err)
			return err;
	}
	if (*list) {
		*entry = CNI_LPM_NODE | type | *list;
		*list = node_words(lpm, *entry)[LINK_WORD];
		lpm->idle -= words;
	} else {
		if (lpm->w->flat && lpm->used >= root_words(lpm, true) +
				    FLAT_BLOCKS_MAX * FLAT_BLOCK_WORDS)
			return -E2BIG;
		if (lpm->w->words - lpm->used < words) {
			err = mem_grow(lpm, words);
			if (err)
				return err;
		}
		*entry = CNI_LPM_NODE | type | lpm->used / unit(lpm);
		lpm->used += words;
	}
	if (!lpm->building)
		lpm->fresh.v[lpm->fresh.nr++] = *entry;
	return 0;
}

static int same_add(struct cni_lpm *lpm, u32 value)
{
	unsigned int i;
	u32 entry;
	u16 *slot;
	int err;

	if (value & CNI_LPM_NODE || same_find(lpm, value, &entry))
		return 0;
	err = vec_room(lpm, &lpm->same, 2);
	if (!err)
		err = node_alloc(lpm, FLAT_BLOCK_WORDS, 0, &entry);
	if (err)
		return err;
	slot = (u16 *)node_words(lpm, entry);
	for (i = 0; i < SLOTS; i++)
		publish(&slot[i], value);
	lpm->same.v[lpm->same.nr++] = value;
	lpm->same.v[lpm->same.nr++] = entry;
	return 0;
}

/* Blocks for what @n slots of a flat IPv4 root will hold. */
static int same_need(struct cni_lpm *lpm, const u32 *slots, unsigned int n)
{
	unsigned int had = lpm->same.nr, i;
	int err = 0;

	for (i = 0; !err && i < n; i++) {
		if (!(i % 256))
			cond_resched();
		if (!i || slots[i] != slots[i - 1])
			err = same_add(lpm, slots[i]);
	}
	if (err)
		lpm->same.nr = had;
	return err;
}

static int retire(struct cni_lpm *lpm, u32 entry)
{
	int err;

	if (!(entry & CNI_LPM_NODE))
		return 0;
	err = vec_room(lpm, &lpm->retired, 1);
	if (!err)
		lpm->retired.v[lpm->retired.nr++] = entry;
	return err;
}

static int retire_tree(struct cni_lpm *lpm, u32 entry)
{
	unsigned int i, runs;
	int err = 0;

	if (!(entry & CNI_LPM_NODE))
		return 0;
	if (lpm->w->flat) {
		const u16 *slot = (const u16 *)node_words(lpm, entry);

		for (i = 0; !err && i < SLOTS; i++)
			err = retire_tree(lpm, slot_entry(lpm, slot[i]));
	} else if (node_type(entry) == CNI_LPM_WIDE) {
		runs = node_runs(node_at(lpm, entry));
		for (i = 1; !err && i <= runs; i++)
			err = retire_tree(lpm, node_at(lpm, entry)->run[i]);
	} else if (node_type(entry) == CNI_LPM_DIRECT) {
		for (i = 0; !err && i < DIRECT_WORDS; i++)
			err = retire_tree(lpm, node_words(lpm, entry)[i]);
	}
	return err ?: retire(lpm, entry);
}

/*
 * Slots of a node at each depth, of which the last may end behind @bits; or
 * the blocks of set_share().
 */
static size_t scratch_words(unsigned int bits)
{
	return max_t(size_t, (2 * BLOCK_REACH + 2) * BLOCK_BYTES / 4,
		     (bits - CNI_LPM_ROOT_BITS + CNI_LPM_STRIDE) * 32);
}

/* With the index of codes and the set's last place behind them. */
static size_t scratch_bytes(unsigned int bits)
{
	return scratch_words(bits) * 4 + CODE_SLOTS +
	       sizeof(struct cni_lpm_pos);
}

static u32 *scratch(const struct cni_lpm *lpm, unsigned int depth)
{
	return lpm->scratch + (depth - CNI_LPM_ROOT_BITS) * 32;
}

/* Find codes by value; the table is behind the slots of all depths. */
static u8 *code_slot(struct cni_lpm *lpm, u32 value)
{
	u8 *slots = (u8 *)(lpm->scratch + scratch_words(lpm->bits));
	u32 i = value * 2654435769U >> 22;

	while (slots[i] && lpm->w->w[CNI_LPM_VALUES + slots[i]] != value)
		i = (i + 1) % CODE_SLOTS;
	return &slots[i];
}

static void code_index(struct cni_lpm *lpm)
{
	unsigned int i;

	memset(lpm->scratch + scratch_words(lpm->bits), 0, CODE_SLOTS);
	if (lpm->w->flat)
		return;
	for (i = 1; i < lpm->w->codes; i++)
		*code_slot(lpm, lpm->w->w[CNI_LPM_VALUES + i]) = i;
}

/* The code of a value; -1 for an entry that can have none. */
static int code_of(struct cni_lpm *lpm, u32 value)
{
	u8 *slot;

	if (!value)
		return 0;
	if (value & CNI_LPM_NODE)
		return -1;
	slot = code_slot(lpm, value);
	if (!*slot) {
		if (lpm->w->codes == CODES_MAX)
			return -1;
		lpm->w->w[CNI_LPM_VALUES + lpm->w->codes] = value;
		*slot = lpm->w->codes++;
	}
	return *slot;
}

/* Where the run of slot @i ends. */
static unsigned int run_end(const u64 *map, unsigned int i)
{
	u64 left;

	while (++i < SLOTS) {
		left = map[i / 64] >> (i % 64);
		if (left)
			return i + __ffs64(left);
		i |= 63;
	}
	return SLOTS;
}

static void node_expand(const struct cni_lpm *lpm, u32 entry, u32 *slots)
{
	const struct cni_lpm_node *node;
	unsigned int i, run, end;
	u32 value;

	if (!(entry & CNI_LPM_NODE)) {
		for (i = 0; i < SLOTS; i++)
			slots[i] = entry;
		return;
	}
	if (lpm->w->flat) {
		const u16 *slot = (const u16 *)node_words(lpm, entry);

		for (i = 0; i < SLOTS; i++)
			slots[i] = slot_entry(lpm, slot[i]);
		return;
	}
	node = node_at(lpm, entry);
	for (i = 0, run = 1; i < SLOTS; run++) {
		if (node_type(entry) == CNI_LPM_NARROW)
			value = lpm->w->w[CNI_LPM_VALUES + node->code[run]];
		else
			value = node->run[run];
		for (end = run_end(node->map, i); i < end; i++)
			slots[i] = value;
	}
}

static int flat_pack(struct cni_lpm *lpm, const u32 *slots, u32 old,
		     u32 *entry)
{
	unsigned int i;
	u16 *slot;
	int err;

	if (old & CNI_LPM_NODE) {
		*entry = old;
	} else {
		err = node_alloc(lpm, FLAT_BLOCK_WORDS, 0, entry);
		if (err)
			return err;
	}
	slot = (u16 *)node_words(lpm, *entry);
	for (i = 0; i < SLOTS; i++)
		publish(&slot[i], entry_slot(lpm, slots[i]));
	return 0;
}

static int deep_pack(struct cni_lpm *lpm, const u32 *slots, u32 old,
		     u32 *entry)
{
	unsigned int i, run, runs = 0;
	struct cni_lpm_node *node;
	u32 type = CNI_LPM_NARROW, last = ~slots[0];
	u8 code[SLOTS + 1];
	u64 map[4] = {};
	int err, c;

	for (i = 0; i < SLOTS; i++) {
		if (slots[i] == last)
			continue;
		last = slots[i];
		map[i / 64] |= 1ULL << (i % 64);
		runs++;
		if (type == CNI_LPM_WIDE)
			continue;
		c = code_of(lpm, last);
		if (c < 0)
			type = CNI_LPM_WIDE;
		else
			code[runs] = c;
	}

	if (old & CNI_LPM_NODE && node_type(old) == type &&
	    !memcmp(node_at(lpm, old)->map, map, sizeof(map))) {
		*entry = old;
	} else {
		err = retire(lpm, old);
		if (!err)
			err = node_alloc(lpm, runs_words(lpm, runs, type),
					 type, entry);
		if (err)
			return err;
		node = node_at(lpm, *entry);
		memcpy(node->map, map, sizeof(map));
		for (i = 0, run = 0; i < 4; i++) {
			node->before[i] = run;
			run += hweight64(map[i]);
		}
	}

	/* In an old node, each address sees its old run or its new one. */
	node = node_at(lpm, *entry);
	for (i = 0, run = 1; i < SLOTS; i = run_end(map, i), run++) {
		if (type == CNI_LPM_NARROW)
			publish(&node->code[run], code[run]);
		else
			publish(&node->run[run], slots[i]);
	}
	return 0;
}

/* Turn @slots into an entry, in place of @old where that can be. */
static int node_pack(struct cni_lpm *lpm, const u32 *slots, u32 old,
		     u32 *entry)
{
	unsigned int i;

	for (i = 1; i < SLOTS && slots[i] == slots[0]; i++)
		;
	if (i == SLOTS && !(slots[0] & CNI_LPM_NODE)) {
		*entry = slots[0];
		return retire(lpm, old);
	}
	return lpm->w->flat ? flat_pack(lpm, slots, old, entry) :
			      deep_pack(lpm, slots, old, entry);
}

/*
 * Paint all entries within @q, from @pos on, over the slots of a table of
 * 2^@stride slots at @depth, of which @slots begins with number @first.
 * A prefix comes before what it contains, so later paint is right to cover
 * earlier paint, and is what a deeper node starts from.
 */
static int build(struct cni_lpm *lpm, struct cni_lpm_pos *pos,
		 const struct pfx *q, u32 value, u32 *entry);

static int paint(struct cni_lpm *lpm, struct cni_lpm_pos *pos,
		 const struct pfx *q, unsigned int depth, unsigned int stride,
		 u32 *slots, unsigned int first)
{
	unsigned int end = depth + stride, i, n;
	struct pfx p;
	u32 value;
	int err;

	while (set_at(lpm, pos, &p, &value)) {
		if (!pfx_covers(q, &p))
			break;
		if (!value) {
			set_step(pos, &p);
			continue;
		}
		i = pfx_slot(&p, depth, stride) - first;
		if (p.len <= end) {
			n = 1U << (end - max_t(unsigned int, p.len, depth));
			while (n--)
				slots[i + n] = value;
			set_step(pos, &p);
			continue;
		}
		pfx_cut(&p, end);
		err = build(lpm, pos, &p, slots[i], &slots[i]);
		if (err)
			return err;
		cond_resched();
	}
	return 0;
}

/* Are there more than @max entries within @q from @pos on? */
static bool set_more(const struct cni_lpm *lpm, struct cni_lpm_pos pos,
		     const struct pfx *q, unsigned int max)
{
	unsigned int left;
	struct pfx p;
	u32 value;

	/* Whole blocks, then what is left in the last one. */
	for (; pos.block < lpm->set.nr;
	     pos = (struct cni_lpm_pos){ .block = pos.block + 1 }) {
		left = lpm->set.block[pos.block]->nr - pos.at;
		if (left > max)
			break;
		max -= left;
	}
	while (set_at(lpm, &pos, &p, &value) && max--)
		set_step(&pos, &p);
	return pos.block < lpm->set.nr && pfx_covers(q, &p);
}

static int direct_build(struct cni_lpm *lpm, struct cni_lpm_pos *pos,
			const struct pfx *q, u32 value, u32 *entry)
{
	u32 *slots;
	unsigned int i;
	int err;

	slots = kvmalloc_array(DIRECT_WORDS, sizeof(*slots),
			       GFP_KERNEL_ACCOUNT);
	if (!slots)
		return -ENOMEM;
	for (i = 0; i < DIRECT_WORDS; i++)
		slots[i] = value;
	err = paint(lpm, pos, q, q->len, CNI_LPM_DIRECT_BITS, slots, 0);
	if (!err)
		err = node_alloc(lpm, DIRECT_WORDS, CNI_LPM_DIRECT, entry);
	if (!err)
		memcpy(node_words(lpm, *entry), slots,
		       DIRECT_WORDS * sizeof(*slots));
	kvfree(slots);
	return err;
}

struct runs {
	u32 *start;
	u8 *code;
	unsigned int nr;
};

/* From @at on, the code is @code: false if there is no room for that. */
static bool runs_add(struct runs *runs, u32 at, u8 code)
{
	if (runs->start[runs->nr - 1] == at) {
		runs->code[runs->nr - 1] = code;
		if (runs->nr > 1 && runs->code[runs->nr - 2] == code)
			runs->nr--;
		return true;
	}
	if (runs->code[runs->nr - 1] == code)
		return true;
	if (runs->nr == LINES_RUNS)
		return false;
	runs->start[runs->nr] = at;
	runs->code[runs->nr++] = code;
	return true;
}

/* The runs of the 32 bits behind @q: false if lines can't hold them. */
static bool runs_from(struct cni_lpm *lpm, struct cni_lpm_pos *pos,
		      const struct pfx *q, u32 value, struct runs *runs)
{
	unsigned int depth = q->len, top = 0;
	struct {
		u32 last;
		u8 code;
	} open[34];
	struct pfx p;
	u32 at;
	int c;

	c = code_of(lpm, value);
	if (c < 0)
		return false;
	runs->nr = 1;
	runs->start[0] = 0;
	runs->code[0] = c;
	open[0].last = U32_MAX;
	open[0].code = c;
	while (set_at(lpm, pos, &p, &value)) {
		if (!pfx_covers(q, &p))
			break;
		set_step(pos, &p);
		if (!value)
			continue;
		c = code_of(lpm, value);
		if (c < 0 || p.len > depth + 32)
			return false;
		at = pfx_slot(&p, depth, 32);
		for (; open[top].last < at; top--)
			if (!runs_add(runs, open[top].last + 1,
				      open[top - 1].code))
				return false;
		open[++top].last = at + (u32)((1ULL << (depth + 32 - p.len)) -
					      1);
		open[top].code = c;
		if (!runs_add(runs, at, c))
			return false;
	}
	for (; top; top--)
		if (open[top].last != U32_MAX &&
		    !runs_add(runs, open[top].last + 1, open[top - 1].code))
			return false;
	return true;
}

static void line_fill(struct cni_lpm_line *line, const struct runs *runs,
		      unsigned int from)
{
	unsigned int i, run;

	for (i = 0; i < LINE_RUNS; i++) {
		run = from + i;
		if (i)
			line->last[i - 1] = run < runs->nr ?
					    runs->start[run] - 1 : U32_MAX;
		line->code[i] = runs->code[min_t(unsigned int, run,
						 runs->nr - 1)];
	}
}

static int lines_pack(struct cni_lpm *lpm, const struct runs *runs, u32 *entry)
{
	unsigned int lines = 1, i;
	struct cni_lpm_line *line;
	int err;

	if (runs->nr == 1) {
		*entry = lpm->w->w[CNI_LPM_VALUES + runs->code[0]];
		return 0;
	}
	if (runs->nr > LINE_RUNS)
		lines += DIV_ROUND_UP(runs->nr, LINE_RUNS);
	err = node_alloc(lpm, lines * LINE_WORDS,
			 lines > 1 ? CNI_LPM_LINES : CNI_LPM_LINE, entry);
	if (err)
		return err;
	line = (void *)node_words(lpm, *entry);
	memset(line, 0, sizeof(*line));
	line->lines = lines;
	if (lines == 1) {
		line_fill(line, runs, 0);
		return 0;
	}
	for (i = 0; i < CNI_LPM_LASTS; i++)
		line->last[i] = i + 2 < lines ?
				runs->start[(i + 1) * LINE_RUNS] - 1 : U32_MAX;
	for (i = 1; i < lines; i++)
		line_fill(line + i, runs, (i - 1) * LINE_RUNS);
	return 0;
}

/* Make what is below @q, where @value is what covers it, from @pos on. */
static int build(struct cni_lpm *lpm, struct cni_lpm_pos *pos,
		 const struct pfx *q, u32 value, u32 *entry)
{
	u32 *slots = scratch(lpm, q->len);
	struct cni_lpm_pos start = *pos;
	struct runs runs;
	unsigned int i;
	int err;

	if (lpm->bits == 128 && !lpm->w->flat) {
		if (q->len == CNI_LPM_ROOT_BITS &&
		    set_more(lpm, *pos, q, DIRECT_ENTRIES))
			return direct_build(lpm, pos, q, value, entry);
		runs.start = slots;
		runs.code = (u8 *)(slots + LINES_RUNS);
		if (!set_more(lpm, *pos, q, LINES_RUNS) &&
		    runs_from(lpm, pos, q, value, &runs))
			return lines_pack(lpm, &runs, entry);
		*pos = start;
	}
	for (i = 0; i < SLOTS; i++)
		slots[i] = value;
	err = paint(lpm, pos, q, q->len, CNI_LPM_STRIDE, slots, 0);
	return err ?: node_pack(lpm, slots, 0, entry);
}

/* Redo the slots of @p in a table: @slots begins with slot number @first. */
static int repaint(struct cni_lpm *lpm, const struct pfx *p,
		   unsigned int depth, unsigned int stride, u32 *slots,
		   unsigned int first)
{
	unsigned int i, n, end = depth + stride;
	struct cni_lpm_pos pos;
	u32 value = 0;
	struct pfx q;
	int err;

	/* One that is being deleted has no value. */
	if (set_find(lpm, p, &pos))
		set_at(lpm, &pos, &q, &value);
	if (!value)
		value = set_cover(lpm, p, &q);
	i = pfx_slot(p, depth, stride) - first;
	n = 1U << (end - p->len);
	while (n--) {
		err = retire_tree(lpm, slots[i + n]);
		if (err)
			return err;
		slots[i + n] = value;
	}
	return paint(lpm, &pos, p, depth, stride, slots, first);
}

static int fix(struct cni_lpm *lpm, u32 entry, unsigned int depth,
	       const struct pfx *p, u32 *out);

/* Bring a table in line with the set, within @p. */
static int fix_table(struct cni_lpm *lpm, size_t at, unsigned int depth,
		     unsigned int stride, const struct pfx *p)
{
	unsigned int first = pfx_slot(p, depth, stride), i, n;
	u32 entry, *slots;
	int err;

	if (p->len > depth + stride) {
		err = fix(lpm, table_get(lpm, at, first), depth + stride, p,
			  &entry);
		if (!err && all_blocks(lpm, lpm->w->flat))
			err = same_need(lpm, &entry, 1);
		if (!err)
			table_put(lpm, at, first, entry);
		return err;
	}

	n = 1U << (depth + stride - p->len);
	slots = kvmalloc_array(n, sizeof(*slots), GFP_KERNEL_ACCOUNT);
	if (!slots)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		slots[i] = table_get(lpm, at, first + i);
	err = repaint(lpm, p, depth, stride, slots, first);
	if (!err && all_blocks(lpm, lpm->w->flat))
		err = same_need(lpm, slots, n);
	for (i = 0; !err && i < n; i++)
		table_put(lpm, at, first + i, slots[i]);
	kvfree(slots);
	return err;
}

/* Can a node at @q stay what it is? */
static bool may_stay(const struct cni_lpm *lpm, u32 entry,
		     struct cni_lpm_pos pos, const struct pfx *q)
{
	if (!(entry & CNI_LPM_NODE))
		return false;
	switch (node_type(entry)) {
	case CNI_LPM_DIRECT:
		return set_more(lpm, pos, q, DIRECT_ENTRIES_MIN);
	case CNI_LPM_WIDE:
	case CNI_LPM_NARROW:
		return set_more(lpm, pos, q, LINES_ENTRIES_MIN) &&
		       (q->len != CNI_LPM_ROOT_BITS ||
			!set_more(lpm, pos, q, DIRECT_ENTRIES * 2));
	}
	return false;
}

/* Bring what is below @entry in line with the set, within @p. */
static int fix(struct cni_lpm *lpm, u32 entry, unsigned int depth,
	       const struct pfx *p, u32 *out)
{
	unsigned int end = depth + CNI_LPM_STRIDE;
	u32 *slots = scratch(lpm, depth), value = 0;
	struct pfx q, cover;
	struct cni_lpm_pos pos;
	int err;

	if (lpm->bits == 128 && !lpm->w->flat) {
		q = *p;
		pfx_cut(&q, depth);
		if (set_find(lpm, &q, &pos)) {
			set_at(lpm, &pos, &cover, &value);
			set_step(&pos, &cover);
		}
		if (!may_stay(lpm, entry, pos, &q)) {
			if (!value)
				value = set_cover(lpm, &q, &cover);
			err = build(lpm, &pos, &q, value, out);
			return err ?: retire_tree(lpm, entry);
		}
		if (node_type(entry) == CNI_LPM_DIRECT) {
			*out = entry;
			return fix_table(lpm, node_words(lpm, entry) -
					      lpm->w->w, depth,
					 CNI_LPM_DIRECT_BITS, p);
		}
	}

	node_expand(lpm, entry, slots);
	if (p->len > end) {
		u32 *slot = &slots[pfx_slot(p, depth, CNI_LPM_STRIDE)];

		err = fix(lpm, *slot, end, p, slot);
	} else {
		err = repaint(lpm, p, depth, CNI_LPM_STRIDE, slots, 0);
	}
	return err ?: node_pack(lpm, slots, entry, out);
}

static u8 *front_tags(const struct cni_lpm *lpm)
{
	return (u8 *)lpm->w->slot + CNI_LPM_TAGS;
}

/* Where the values of 16 neighbours at @tag come from, were it @first. */
static const u16 *front_source(const struct cni_lpm *lpm, unsigned int tag,
			       u8 first)
{
	u16 block = lpm->w->slot[first << 8 | tag / TAG_SLOTS];

	return (const u16 *)node_words(lpm, slot_entry(lpm, block)) +
	       tag % TAG_SLOTS * TAG_SLOTS;
}

static u8 front_value(u16 slot)
{
	return min_t(u16, slot, CNI_LPM_ASK);
}

static void front_copy(struct cni_lpm *lpm, unsigned int tag)
{
	const u16 *from = front_source(lpm, tag, front_tags(lpm)[tag]);
	u8 *to = (u8 *)lpm->w->slot + CNI_LPM_FRONT + tag * TAG_SLOTS;
	unsigned int i;

	for (i = 0; i < TAG_SLOTS; i++)
		publish(&to[i], front_value(from[i]));
}

/* Bring the front in line with the blocks, within @p. */
static void front_update(struct cni_lpm *lpm, const struct pfx *p)
{
	unsigned int first = pfx_slot(p, 0, 8), tag = 0, n = TAGS;

	if (!all_blocks(lpm, lpm->w->flat))
		return;
	if (p->len > 8) {
		tag = pfx_slot(p, 8, 12);
		n = p->len < 20 ? 1U << (20 - p->len) : 1;
	}
	for (; n--; tag++)
		if (front_tags(lpm)[tag] - first <
		    (p->len < 8 ? 1U << (8 - p->len) : 1))
			front_copy(lpm, tag);
}

/* How many have another value than most addresses, and one that fits. */
static unsigned int front_worth(const struct cni_lpm *lpm, unsigned int tag,
				u8 first, u16 most)
{
	const u16 *from = front_source(lpm, tag, first);
	unsigned int i, n = 0;

	for (i = 0; i < TAG_SLOTS; i++)
		n += from[i] != most && front_value(from[i]) != CNI_LPM_ASK;
	return n;
}

#define FRONT_WIDE		16	/* as many /16 in a row aren't missed */

/* How many /16 in a row, in a /8, are alike: few when a prefix is long. */
static unsigned int front_run(const struct cni_lpm *lpm, u8 first, u8 second)
{
	const u16 *slots = &lpm->w->slot[first << 8];
	unsigned int from = second, to = second;

	while (from && slots[from - 1] == slots[second])
		from--;
	while (to < 255 && slots[to + 1] == slots[second])
		to++;
	return to - from + 1;
}

/*
 * Choose what the front has the values of: of what a tag can be, that which
 * stands for the longest prefixes, and of those, in which most is announced.
 * Short ones aren't missed. Where too many others stay without, asking is a
 * waste for all.
 */
static void front_choose(struct cni_lpm *lpm)
{
	unsigned int tag, n = 0, worth, best, left = 0, right = 0;
	u8 *tags = front_tags(lpm), cand[256], run[256];
	u16 top = lpm->w->slot[0xffff], most;
	unsigned int i, first, shortest;

	if (!all_blocks(lpm, lpm->w->flat))
		return;
	most = *front_source(lpm, TAGS - 1, 255);
	for (tag = 0; tag < TAGS; tag++) {
		if (tag % TAG_SLOTS == 0) {
			cond_resched();
			for (n = 0, first = 0; first < 256; first++) {
				if (lpm->w->slot[first << 8 |
						 tag / TAG_SLOTS] == top)
					continue;
				run[n] = front_run(lpm, first,
						   tag / TAG_SLOTS) - 1;
				cand[n++] = first;
			}
		}
		tags[tag] = 0;
		shortest = 256;
		for (i = 0, best = 0; i < n; i++) {
			worth = front_worth(lpm, tag, cand[i], most);
			if (!worth)
				continue;
			left += best && !run[i] && !shortest;
			if (run[i] > shortest ||
			    (run[i] == shortest && worth <= best))
				continue;
			shortest = run[i];
			best = worth;
			tags[tag] = cand[i];
		}
		right += shortest < FRONT_WIDE;
	}
	if (left > right / 8)
		memset(tags, 0, TAGS);
	for (tag = 0; tag < TAGS; tag++)
		front_copy(lpm, tag);
	lpm->front_count = lpm->set.count;
}

/* Build all of it anew beside what readers see. */
static int rebuild(struct cni_lpm *lpm, bool flat)
{
	static const struct pfx all;
	struct cni_lpm_mem *mem, *old = lpm->w;
	unsigned int i, n = 1U << CNI_LPM_ROOT_BITS;
	size_t old_used = lpm->used, words = root_words(lpm, flat) + 1024;
	u32 saved[CNI_LPM_CLASSES], *slots;
	struct cni_lpm_vec same;
	struct cni_lpm_pos pos = {};
	int err = -ENOMEM;

	lpm->bytes -= old->words * 4;
	if (!may_add(lpm, words * 4)) {
		lpm->bytes += old->words * 4;
		return -ENOSPC;
	}
	mem = mem_alloc(lpm, words, flat);
	slots = kvcalloc(n, sizeof(*slots), GFP_KERNEL_ACCOUNT);
	if (!mem || !slots) {
		lpm->bytes += old->words * 4;
		kvfree(mem);
		goto out;
	}
	lpm->bytes += words * 4;
	lpm->w = mem;
	lpm->used = first_words(lpm, flat);
	lpm->building = true;
	same = lpm->same;
	memset(&lpm->same, 0, sizeof(lpm->same));
	memcpy(saved, lpm->free, sizeof(saved));
	memset(lpm->free, 0, sizeof(lpm->free));
	code_index(lpm);

	err = paint(lpm, &pos, &all, 0, CNI_LPM_ROOT_BITS, slots, 0);
	if (!err && all_blocks(lpm, flat))
		err = same_need(lpm, slots, n);
	if (!err) {
		vec_free(lpm, &same);
		for (i = 0; i < n; i++) {
			if (!(i % 256))
				cond_resched();
			table_put(lpm, 0, i, slots[i]);
		}
		front_choose(lpm);
		words = mem_words(lpm->used + lpm->used / 32 + 256);
		if (lpm->w->words > words)
			mem_resize(lpm, words);
		mem_publish(lpm, lpm->w);
		forget(lpm);
	} else {
		lpm->bytes -= lpm->w->words * 4;
		lpm->bytes += old->words * 4;
		kvfree(lpm->w);
		vec_free(lpm, &lpm->same);
		lpm->same = same;
		lpm->w = old;
		lpm->used = old_used;
		memcpy(lpm->free, saved, sizeof(saved));
		code_index(lpm);
	}
	lpm->building = false;
out:
	kvfree(slots);
	return err;
}

struct move {
	struct cni_lpm_mem *mem;
	size_t used;
	u8 codes[CODES_MAX];
};

/* Codes that nothing uses any more end here. */
static u8 code_move(struct cni_lpm *lpm, struct move *to, u8 code)
{
	if (code && !to->codes[code]) {
		to->codes[code] = to->mem->codes;
		to->mem->w[CNI_LPM_VALUES + to->mem->codes++] =
			lpm->w->w[CNI_LPM_VALUES + code];
	}
	return to->codes[code];
}

static u32 node_move(struct cni_lpm *lpm, struct move *to, u32 entry)
{
	u32 type = node_type(entry), *words, at;
	struct cni_lpm_node *node;
	struct cni_lpm_line *line;
	unsigned int i, j, n;

	if (!(entry & CNI_LPM_NODE))
		return entry;
	at = to->used / unit(lpm);
	words = &to->mem->w[to->used];
	n = node_size(lpm, entry);
	to->used += n;
	memcpy(words, node_words(lpm, entry), n * sizeof(*words));
	node = (void *)words;
	line = (void *)words;
	switch (type) {
	case CNI_LPM_DIRECT:
		for (i = 0; i < n; i++)
			words[i] = node_move(lpm, to, words[i]);
		break;
	case CNI_LPM_LINE:
	case CNI_LPM_LINES:
		n = line->lines;
		for (i = n > 1; i < n; i++)
			for (j = 0; j < LINE_RUNS; j++)
				line[i].code[j] = code_move(lpm, to,
							    line[i].code[j]);
		break;
	case CNI_LPM_NARROW:
		n = node_runs(node);
		for (i = 1; i <= n; i++)
			node->code[i] = code_move(lpm, to, node->code[i]);
		break;
	default:
		n = node_runs(node);
		for (i = 1; i <= n; i++)
			node->run[i] = node_move(lpm, to, node->run[i]);
	}
	return CNI_LPM_NODE | type | at;
}

/* Copy what is alive into memory of its size. */
static void compact(struct cni_lpm *lpm)
{
	struct move to = { .used = root_words(lpm, false) };
	unsigned int i;
	size_t words;

	words = lpm->used - lpm->idle - lpm->waiting;
	for (i = 0; i < lpm->retired.nr; i++)
		words -= node_size(lpm, lpm->retired.v[i]);
	words = min_t(size_t, mem_words(words + words / 32 + 256),
		      lpm->w->words);
	to.mem = mem_alloc(lpm, words, false);
	if (!to.mem)
		return;
	for (i = 0; i < CNI_LPM_VALUES; i++) {
		to.mem->w[i] = node_move(lpm, &to, lpm->w->w[i]);
		if (!(i % 256))
			cond_resched();
	}
	forget(lpm);
	lpm->bytes += to.mem->words * 4;
	lpm->bytes -= lpm->w->words * 4;
	lpm->w = to.mem;
	lpm->used = to.used;
	mem_publish(lpm, to.mem);
	code_index(lpm);
}

static int update_once(struct cni_lpm *lpm, const struct pfx *p)
{
	unsigned int retired = lpm->retired.nr, i;
	int err;

	if (lpm->w->flat && lpm->wide)
		return -E2BIG;
	/* Too much of the table to have it twice in the same memory. */
	if (p->len < 4)
		return rebuild(lpm, lpm->w->flat);
	err = fix_table(lpm, 0, 0, CNI_LPM_ROOT_BITS, p);
	front_update(lpm, p);
	if (err) {
		/* None of them was ever reachable. */
		for (i = 0; i < lpm->fresh.nr; i++)
			node_free(lpm, lpm->fresh.v[i]);
		lpm->retired.nr = retired;
	}
	vec_clear(lpm, &lpm->fresh);
	return err;
}

static int update(struct cni_lpm *lpm, const struct pfx *p)
{
	size_t spare;
	int err;

	if (lpm->bulk)
		return 0;
	reclaim(lpm);
	err = update_once(lpm, p);
	if (err == -E2BIG) {
		lpm->flat_below = lpm->set.count / 2;
		return rebuild(lpm, false);
	}
	if (err == -ENOSPC && lpm->w->flat)
		return rebuild(lpm, true);
	if (err == -ENOSPC) {
		compact(lpm);
		err = update_once(lpm, p);
	}
	if (err)
		return err;

	if (!lpm->w->flat && lpm->set.count < lpm->flat_below) {
		lpm->flat_below /= 2;
		if (!lpm->set.count)
			lpm->wide = false;
		if (!lpm->wide && !rebuild(lpm, true))
			return 0;
	}
	if (all_blocks(lpm, lpm->w->flat) &&
	    lpm->set.count / 2 > lpm->front_count &&
	    !rebuild(lpm, true))
		return 0;
	spare = lpm->w->words - lpm->used + lpm->idle + lpm->waiting;
	if (spare > lpm->used / 16 + 1024 &&
	    lpm->idle > lpm->used / 32 + 512) {
		if (lpm->w->flat)
			rebuild(lpm, true);
		else
			compact(lpm);
	}
	return 0;
}

static int lpm_put(struct cni_lpm *lpm, struct cni_lpm_pos pos,
		   const struct pfx *p, u32 value, u32 old)
{
	int err;

	err = set_put(lpm, pos, old, p, value);
	if (err)
		return err;
	lpm->wide |= value > FLAT_VALUE_MAX;
	err = update(lpm, p);
	if (err && old) {
		set_find(lpm, p, &pos);
		set_put(lpm, pos, true, p, old);
	} else if (err) {
		set_remove(lpm, p);
	}
	return err;
}

/* Removing can't fail in the end, but putting it back could. */
static int lpm_remove(struct cni_lpm *lpm, const struct cni_lpm_pos *pos,
		      const struct pfx *p, u32 old)
{
	int err;

	set_mark(lpm, pos, 0);
	lpm->force = true;
	err = update(lpm, p);
	lpm->force = false;
	if (err)
		set_mark(lpm, pos, old);
	else
		set_remove(lpm, p);
	return err;
}

/**
 * cni_lpm_swap - add a prefix, change its value or remove it
 * @lpm: the table
 * @prefix: the prefix
 * @value: up to CNI_LPM_VALUE_MAX; 0 to have it removed
 * @old: where to put the value it had, 0 if it wasn't there
 *
 * The table's limit doesn't keep it from shrinking.
 *
 * Return: 0, -EINVAL for a bad prefix or value, -ENOSPC at the table's limit
 * or -ENOMEM; the table is as it was in case of an error.
 */
int cni_lpm_swap(struct cni_lpm *lpm, const struct cni_prefix *prefix,
		 u32 value, u32 *old)
{
	struct cni_lpm_pos pos;
	struct pfx p;

	if (!pfx_from(lpm, prefix, &p) || value > CNI_LPM_VALUE_MAX)
		return -EINVAL;
	*old = 0;
	if (set_find(lpm, &p, &pos))
		set_at(lpm, &pos, &p, old);
	if (*old == value)
		return 0;
	return value ? lpm_put(lpm, pos, &p, value, *old) :
		       lpm_remove(lpm, &pos, &p, *old);
}

/**
 * cni_lpm_undo - take an update back, the last one first
 * @lpm: the table
 * @prefix: the prefix
 * @old: what cni_lpm_swap() said
 *
 * The table's limit doesn't matter.
 *
 * Return: 0 or -ENOMEM; the table is as it was in case of an error.
 */
int cni_lpm_undo(struct cni_lpm *lpm, const struct cni_prefix *prefix,
		 u32 old)
{
	u32 dummy;
	int err;

	lpm->force = true;
	err = cni_lpm_swap(lpm, prefix, old, &dummy);
	lpm->force = false;
	return err;
}

/**
 * cni_lpm_set - add a prefix or change its value
 * @lpm: the table
 * @prefix: the prefix
 * @value: 1 to CNI_LPM_VALUE_MAX
 *
 * Return: as cni_lpm_swap(), and -EINVAL for value 0.
 */
int cni_lpm_set(struct cni_lpm *lpm, const struct cni_prefix *prefix,
		u32 value)
{
	u32 old;

	return value ? cni_lpm_swap(lpm, prefix, value, &old) : -EINVAL;
}

/**
 * cni_lpm_del - remove a prefix
 * @lpm: the table
 * @prefix: the prefix
 *
 * Return: as cni_lpm_swap(), and -ENOENT if it isn't there.
 */
int cni_lpm_del(struct cni_lpm *lpm, const struct cni_prefix *prefix)
{
	u32 old;
	int err;

	err = cni_lpm_swap(lpm, prefix, 0, &old);
	return !err && !old ? -ENOENT : err;
}

/**
 * cni_lpm_get - value of exactly this prefix
 * @lpm: the table
 * @prefix: the prefix
 *
 * Return: the value, or 0 if it isn't there.
 */
u32 cni_lpm_get(const struct cni_lpm *lpm, const struct cni_prefix *prefix)
{
	struct cni_lpm_pos pos;
	struct pfx p;
	u32 value;

	if (!pfx_from(lpm, prefix, &p) || !set_find(lpm, &p, &pos))
		return 0;
	set_at(lpm, &pos, &p, &value);
	return value;
}

/**
 * cni_lpm_cover - the longest shorter prefix around a prefix
 * @lpm: the table
 * @prefix: the prefix, which need not be in the table
 * @out: where to put the covering prefix; may be NULL
 *
 * Return: the covering prefix's value, or 0 if there is none.
 */
u32 cni_lpm_cover(const struct cni_lpm *lpm, const struct cni_prefix *prefix,
		  struct cni_prefix *out)
{
	struct pfx p, cover;
	u32 value;

	if (!pfx_from(lpm, prefix, &p))
		return 0;
	value = set_cover(lpm, &p, &cover);
	if (value && out)
		pfx_to(lpm, &cover, out);
	return value;
}

/**
 * cni_lpm_next_within - the next prefix within a prefix
 * @lpm: the table
 * @within: where to stay; itself is within it
 * @cursor: the prefix to go on from, and where to put the next one; it need
 *	not be in the table any more
 * @first: begin with the first, whatever @cursor holds
 * @value: where to put the next prefix's value; may be NULL
 *
 * The order is by address, then from short to long.
 *
 * Return: 0, -ENOENT at the end or -EINVAL for a bad prefix.
 */
int cni_lpm_next_within(const struct cni_lpm *lpm,
			const struct cni_prefix *within,
			struct cni_prefix *cursor, bool first, u32 *value)
{
	struct pfx p, q;
	struct cni_lpm_pos pos;
	u32 v;

	if (!pfx_from(lpm, within, &q))
		return -EINVAL;
	p = q;
	if (!first && !pfx_from(lpm, cursor, &p))
		return -EINVAL;
	/* A cursor from outside has nothing or all of it ahead. */
	if (!first && pfx_cmp(&p, &q) < 0) {
		p = q;
		first = true;
	}
	if (set_find(lpm, &p, &pos) && !first) {
		set_at(lpm, &pos, &p, &v);
		set_step(&pos, &p);
	}
	if (!set_at(lpm, &pos, &p, &v) || !pfx_covers(&q, &p))
		return -ENOENT;
	pfx_to(lpm, &p, cursor);
	if (value)
		*value = v;
	return 0;
}

/**
 * cni_lpm_next - the next prefix of the table
 * @lpm: the table
 * @cursor: the prefix to go on from, and where to put the next one; it need
 *	not be in the table any more
 * @first: begin with the first, whatever @cursor holds
 * @value: where to put the next prefix's value; may be NULL
 *
 * Return: 0, -ENOENT at the end or -EINVAL for a bad @cursor.
 */
int cni_lpm_next(const struct cni_lpm *lpm, struct cni_prefix *cursor,
		 bool first, u32 *value)
{
	struct cni_prefix all = {};

	return cni_lpm_next_within(lpm, &all, cursor, first, value);
}

/**
 * cni_lpm_each - call a function with the value of each prefix
 * @lpm: the table, which must not change meanwhile
 * @fn: the function
 * @arg: its first argument
 *
 * Context: may sleep.
 */
void cni_lpm_each(const struct cni_lpm *lpm,
		  void (*fn)(void *arg, u32 value), void *arg)
{
	struct cni_lpm_pos pos = {};
	struct pfx p;
	u32 value;

	while (set_at(lpm, &pos, &p, &value)) {
		if (!pos.at)
			cond_resched();
		set_step(&pos, &p);
		fn(arg, value);
	}
}

/**
 * cni_lpm_bytes - memory the table takes
 * @lpm: the table
 *
 * Lookup structure and prefix set, with their spare room; without copies
 * that only wait for readers to leave them.
 *
 * Return: the bytes.
 */
size_t cni_lpm_bytes(const struct cni_lpm *lpm)
{
	return lpm->bytes;
}

/**
 * cni_lpm_count - number of prefixes
 * @lpm: the table
 *
 * Return: how many there are.
 */
unsigned int cni_lpm_count(const struct cni_lpm *lpm)
{
	return lpm->set.count;
}

/**
 * cni_lpm_bulk_begin - put off building for many updates
 * @lpm: a table that has no readers yet
 *
 * Until cni_lpm_bulk_end() succeeds, lookups are wrong; what works on
 * prefixes is right.
 */
void cni_lpm_bulk_begin(struct cni_lpm *lpm)
{
	lpm->bulk = true;
}

/**
 * cni_lpm_bulk_end - build all at once
 * @lpm: the table
 *
 * Return: 0, -ENOSPC at the table's limit or -ENOMEM; the table is fit for
 * nothing but cni_lpm_free() then.
 */
int cni_lpm_bulk_end(struct cni_lpm *lpm)
{
	int err = -E2BIG;

	lpm->bulk = false;
	if (!lpm->wide && lpm->set.count < FLAT_BLOCKS_MAX * SLOTS)
		err = rebuild(lpm, true);
	if (err == -E2BIG) {
		lpm->flat_below = lpm->set.count / 2;
		err = rebuild(lpm, false);
	}
	return err;
}

/**
 * cni_lpm_alloc - make an empty table
 * @bits: bits in an address, 32 or 128
 * @max_bytes: limit to what cni_lpm_bytes() tells
 *
 * Return: the table, or NULL without memory or if the limit is too low for
 * an empty table.
 */
struct cni_lpm *cni_lpm_alloc(unsigned int bits, size_t max_bytes)
{
	struct cni_lpm_mem *mem;
	struct cni_lpm *lpm;
	size_t words;

	lpm = kzalloc(sizeof(*lpm), GFP_KERNEL_ACCOUNT);
	if (!lpm)
		return NULL;
	lpm->bits = bits;
	lpm->max_bytes = max_bytes;
	words = root_words(lpm, true) + 1024;
	lpm->bytes = sizeof(*lpm) + scratch_bytes(bits);
	if (!may_add(lpm, struct_size(mem, w, words)))
		goto err_free;
	lpm->scratch = kvzalloc(scratch_bytes(bits), GFP_KERNEL_ACCOUNT);
	if (!lpm->scratch)
		goto err_free;
	lpm->set.last = (void *)((u8 *)lpm->scratch + scratch_bytes(bits) -
				 sizeof(*lpm->set.last));
	mem = mem_alloc(lpm, words, true);
	if (!mem)
		goto err_scratch;
	lpm->w = mem;
	lpm->used = first_words(lpm, true);
	lpm->bytes += struct_size(mem, w, words);
	RCU_INIT_POINTER(lpm->mem, mem);
	return lpm;

err_scratch:
	kvfree(lpm->scratch);
err_free:
	kfree(lpm);
	return NULL;
}

/**
 * cni_lpm_free - free a table
 * @lpm: the table, or NULL
 *
 * Context: may sleep; no reader may be left.
 */
void cni_lpm_free(struct cni_lpm *lpm)
{
	unsigned int b;

	if (!lpm)
		return;
	for (b = 0; b < lpm->set.nr; b++) {
		kfree(lpm->set.block[b]);
		if (!(b % 256))
			cond_resched();
	}
	kvfree(lpm->set.block);
	kvfree(lpm->set.first);
	kvfree(lpm->retired.v);
	kvfree(lpm->wait.v);
	kvfree(lpm->fresh.v);
	kvfree(lpm->same.v);
	kvfree(lpm->scratch);
	kvfree(lpm->w);
	kfree(lpm);
}
