// SPDX-License-Identifier: GPL-2.0
/*
 * The set of prefixes: what was configured, sorted by address, then by length,
 * so that a prefix comes before all that it contains. An entry says what
 * differs from the one before it:
 *
 *	IPv4	length and n (1 byte)	value (1 or 3)	n bytes of the address
 *	IPv6	length (1), n (1)
 *
 * These are the last bytes that its length covers; those in front of them are
 * as in the entry before. That makes 3 bytes for a usual IPv4 prefix and 5 for
 * IPv6. Blocks are small, as to find something is to read a block from its
 * start. Neighbours share what they have when one is full or all could do with
 * one less, which keeps them nearly full whatever the order of updates.
 */
#include "set.h"

#define BLOCK_BYTES	sizeof(struct lpm_entries)
#define BLOCK_DATA	sizeof_field(struct lpm_entries, data)
#define ENTRY_MAX	(2 + 3 + 16)

/* What covers something, with its value. */
struct cover {
	struct lpm_pfx p;
	u32 value;
};

#define VALUE_LONG		240

/* How much an entry takes at most: head, value and address. */
static unsigned int entry_max(const struct lpm_set *set)
{
	return set->bits == 32 ? 1 + 3 + 4 : ENTRY_MAX;
}

/* The value of an entry, behind its head. */
static u32 value_read(const u8 *b)
{
	return *b < VALUE_LONG ? *b :
				 (*b - VALUE_LONG) << 16 | b[1] << 8 | b[2];
}

/* What IPv4 is sorted by: 32 bits of address, 8 of length. */
static u64 key4(const struct lpm_pfx *p)
{
	return p->hi >> 24 | p->len;
}

static struct lpm_pfx pfx4(u64 key)
{
	return (struct lpm_pfx){ .hi = key >> 8 << 32, .len = key & 63 };
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
entry_read6(const u8 *from, const struct lpm_pfx *prev, struct lpm_pfx *p,
	    u32 *value)
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
		*p = (struct lpm_pfx){ .hi = hi << below, .len = len };
		return b - from;
	}
	i = DIV_ROUND_UP(len, 8) - bytes;
	p->hi = prev->hi & lpm_pfx_hi(i * 8);
	p->lo = prev->lo & lpm_pfx_lo(i * 8);
	p->len = len;
	for (; bytes--; i++) {
		if (i < 8)
			p->hi |= (u64)*b++ << (56 - i * 8);
		else
			p->lo |= (u64)*b++ << (120 - i * 8);
	}
	return b - from;
}

static unsigned int entry_load(const struct lpm_set *set, const u8 *from,
			       const struct lpm_pfx *prev, struct lpm_pfx *p,
			       u32 *value)
{
	const u8 *end;
	u64 key;

	if (set->bits == 128)
		return entry_read6(from, prev, p, value);
	key = key4(prev);
	end = entry_pass4(from, &key);
	*p = pfx4(key);
	*value = value_read(from + 1);
	return end - from;
}

static unsigned int entry_store(const struct lpm_set *set, u8 *to,
				const struct lpm_pfx *prev,
				const struct lpm_pfx *p, u32 value)
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

	if (set->bits == 128) {
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
static u64 pfx_key(const struct lpm_set *set, const struct lpm_pfx *p)
{
	return set->bits == 32 ? key4(p) : p->hi;
}

/* Is the first entry of block @b at or before @p? */
static bool block_starts_by(const struct lpm_set *set, unsigned int b,
			    const struct lpm_pfx *p)
{
	u64 key = pfx_key(set, p);
	struct lpm_pfx q = {};
	u32 value;

	if (set->first[b] != key || set->bits == 32)
		return set->first[b] <= key;
	entry_load(set, set->block[b]->data, &q, &q, &value);
	return lpm_pfx_cmp(&q, p) <= 0;
}

/* The entry at @pos, which moves on to the next block where one ends. */
bool lpm_set_at(const struct lpm_set *set, struct lpm_pos *pos,
		struct lpm_pfx *p, u32 *value)
{
	const struct lpm_entries *block;

	while (pos->block < set->nr) {
		block = set->block[pos->block];
		if (pos->off < block->used) {
			pos->end = pos->off +
				   entry_load(set, block->data + pos->off,
					      &pos->prev, p, value);
			return true;
		}
		*pos = (struct lpm_pos){ .block = pos->block + 1 };
	}
	return false;
}

/*
 * Go on from @pos to the first entry at or after @p, or the block's end. What
 * covers @p on the way goes to @cover, the longest last.
 */
static __always_inline bool block_scan4(const struct lpm_entries *block,
					const struct lpm_pfx *p,
					struct lpm_pos *pos,
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

static __always_inline bool block_scan6(const struct lpm_entries *block,
					const struct lpm_pfx *p,
					struct lpm_pos *pos,
					struct cover *cover)
{
	struct lpm_pos to = *pos;
	struct lpm_pfx q = to.prev;
	int cmp = -1;
	u32 value;

	while (to.off < block->used) {
		to.end = to.off + entry_read6(block->data + to.off, &q, &q,
					      &value);
		cmp = lpm_pfx_cmp(&q, p);
		if (cmp >= 0)
			break;
		if (cover && lpm_pfx_covers(&q, p))
			*cover = (struct cover){ q, value };
		lpm_set_step(&to, &q);
	}
	*pos = to;
	return !cmp;
}

static bool block_find(const struct lpm_set *set, const struct lpm_pfx *p,
		       struct lpm_pos *pos)
{
	const struct lpm_entries *block = set->block[pos->block];

	return set->bits == 32 ? block_scan4(block, p, pos, NULL) :
				 block_scan6(block, p, pos, NULL);
}

static void block_cover(const struct lpm_set *set, const struct lpm_pfx *p,
			struct lpm_pos *pos, struct cover *cover)
{
	const struct lpm_entries *block = set->block[pos->block];

	if (set->bits == 32)
		block_scan4(block, p, pos, cover);
	else
		block_scan6(block, p, pos, cover);
}

/* Pass entries, of which @p is the last one, until @end or behind. */
static unsigned int block_pass(const struct lpm_set *set,
			       const struct lpm_entries *block,
			       unsigned int off, unsigned int end,
			       struct lpm_pfx *p, u16 *nr)
{
	const u8 *at = block->data + off;
	u64 key = key4(p);
	u32 value;

	end = min_t(unsigned int, end, block->used);
	for (; at < block->data + end; (*nr)++) {
		if (set->bits == 32)
			at = entry_pass4(at, &key);
		else
			at += entry_read6(at, p, p, &value);
	}
	if (set->bits == 32)
		*p = pfx4(key);
	return at - block->data;
}

/* The block that @p is in, if it is anywhere. */
static unsigned int block_of(const struct lpm_set *set, const struct lpm_pfx *p)
{
	unsigned int lo = 0, hi = set->nr, mid = set->last->block;

	/* Mostly it's where something was sought last, so begin there. */
	if (mid < hi && block_starts_by(set, mid, p)) {
		lo = mid++;
		if (mid < hi && !block_starts_by(set, mid, p))
			hi = mid;
	}
	while (hi - lo > 1) {
		mid = lo + (hi - lo) / 2;
		if (block_starts_by(set, mid, p))
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

/* Find the first entry at or after @p, in or just behind its block. */
bool lpm_set_find(const struct lpm_set *set, const struct lpm_pfx *p,
		  struct lpm_pos *pos)
{
	struct lpm_pos *last = set->last;
	unsigned int b = block_of(set, p);
	bool found;

	if (!last->at || last->block != b || lpm_pfx_cmp(&last->prev, p) >= 0)
		*last = (struct lpm_pos){ .block = b };
	found = set->nr && block_find(set, p, last);
	*pos = *last;
	return found;
}

static int add_block(struct lpm_set *set, unsigned int b)
{
	struct lpm_entries *block;

	if (!lpm_budget_allows(set->budget, BLOCK_BYTES))
		return -ENOSPC;
	if (set->nr == set->room) {
		unsigned int room = set->room + set->room / 8 + 4;
		size_t more = (room - set->room) *
			      (sizeof(*set->first) + sizeof(*set->block));
		struct lpm_entries **blocks;
		u64 *first;

		if (!lpm_budget_allows(set->budget, more + BLOCK_BYTES))
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
		set->budget->bytes += more;
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
	set->budget->bytes += BLOCK_BYTES;
	return 0;
}

static void drop_block(struct lpm_set *set, unsigned int b)
{
	kfree(set->block[b]);
	set->nr--;
	set->last->at = 0;
	memmove(set->first + b, set->first + b + 1,
		(set->nr - b) * sizeof(*set->first));
	memmove(set->block + b, set->block + b + 1,
		(set->nr - b) * sizeof(*set->block));
	set->budget->bytes -= BLOCK_BYTES;
}

/* The blocks around @b that share what they have, and how much that is. */
static unsigned int around(const struct lpm_set *set, unsigned int b,
			   unsigned int *lo, unsigned int *hi)
{
	unsigned int i, sum = 0;

	*lo = b - min_t(unsigned int, b, LPM_SET_REACH);
	*hi = min_t(unsigned int, b + LPM_SET_REACH + 1, set->nr);
	for (i = *lo; i < *hi; i++)
		sum += set->block[i]->used;
	return sum;
}

/* Can @n blocks have @sum bytes, and each of them room for one more entry? */
static bool fits(const struct lpm_set *set, unsigned int sum,
		 unsigned int n)
{
	return n && sum / n + 3 * entry_max(set) <= BLOCK_DATA;
}

/*
 * Write what blocks @lo to @hi - 1 have into @n of them, all alike. That takes
 * another form only where a block begins or began.
 */
static void share(struct lpm_set *set, unsigned int lo, unsigned int hi,
		  unsigned int n)
{
	struct lpm_entries *copy = set->copy, *to = NULL;
	unsigned int i, off, start, each = 0, b = lo;
	struct lpm_pfx p, prev = {};
	u32 value;

	for (i = lo; i < hi; i++) {
		memcpy(&copy[i - lo], set->block[i], BLOCK_BYTES);
		each += set->block[i]->used;
		set->block[i]->used = 0;
		set->block[i]->nr = 0;
	}
	/* The first entry of a block may be longer than it was. */
	each = each / n + entry_max(set);
	for (i = 0; i < hi - lo; i++) {
		p = (struct lpm_pfx){};
		for (off = 0; off < copy[i].used;) {
			off += entry_load(set, copy[i].data + off, &p, &p,
					  &value);
			if (!to || to->used >= each) {
				prev = (struct lpm_pfx){};
				set->first[b] = pfx_key(set, &p);
				to = set->block[b++];
			}
			to->used += entry_store(set, to->data + to->used,
						&prev, &p, value);
			to->nr++;
			start = off;
			off = block_pass(set, &copy[i], off,
					 off + each - to->used, &p, &to->nr);
			memcpy(to->data + to->used, copy[i].data + start,
			       off - start);
			to->used += off - start;
			prev = p;
		}
	}
	while (hi > b)
		drop_block(set, --hi);
	set->last->at = 0;
}

/* Make room in full block @b: through near neighbours, or by one more. */
static int spread(struct lpm_set *set, unsigned int b)
{
	unsigned int lo, hi, sum = around(set, b, &lo, &hi);
	int err;

	if (!fits(set, sum, hi - lo)) {
		err = add_block(set, b + 1);
		if (err)
			return err;
		hi++;
	}
	share(set, lo, hi, hi - lo);
	return 0;
}

/* Put @len bytes in place of @old at @pos. */
static void splice(struct lpm_set *set, const struct lpm_pos *pos,
		   unsigned int old, const u8 *bytes, unsigned int len)
{
	struct lpm_entries *block = set->block[pos->block];
	u8 *at = block->data + pos->off;

	memmove(at + len, at + old, block->used - pos->off - old);
	memcpy(at, bytes, len);
	block->used += len - old;
}

/*
 * Add @p or change its value, at @pos where it was sought and @found; back to
 * what it was before can't fail.
 */
int lpm_set_put(struct lpm_set *set, struct lpm_pos pos, bool found,
		const struct lpm_pfx *p, u32 value)
{
	struct lpm_entries *block;
	u8 bytes[2 * ENTRY_MAX];
	unsigned int len, old;
	struct lpm_pfx q;
	u32 other;
	int err;

	for (;;) {
		old = 0;
		len = entry_store(set, bytes, &pos.prev, p, value);
		block = set->nr ? set->block[pos.block] : NULL;
		if (block && pos.off < block->used) {
			old = entry_load(set, block->data + pos.off, &pos.prev,
					 &q, &other);
			if (!found)
				len += entry_store(set, bytes + len, p, &q,
						   other);
		}
		if (block && block->used - old + len <= BLOCK_DATA)
			break;
		if (!old && pos.block + 1 >= set->nr) {
			/* Ascending loads leave full blocks behind. */
			err = add_block(set, set->nr);
			pos = (struct lpm_pos){ .block = set->nr - 1 };
		} else {
			err = spread(set, pos.block);
			found = lpm_set_find(set, p, &pos);
		}
		if (err)
			return err;
	}
	splice(set, &pos, old, bytes, len);
	if (!pos.off)
		set->first[pos.block] = pfx_key(set, p);
	if (!found) {
		block->nr++;
		set->count++;
	}
	*set->last = pos;
	return 0;
}

/* Where blocks near @b could do with one less, let them. */
static void gather(struct lpm_set *set, unsigned int b)
{
	unsigned int lo, hi, sum;

	if (!set->block[b]->used) {
		drop_block(set, b);
		return;
	}
	sum = around(set, b, &lo, &hi);
	if (fits(set, sum, hi - lo - 1))
		share(set, lo, hi, hi - lo - 1);
}

void lpm_set_remove(struct lpm_set *set, const struct lpm_pfx *p)
{
	struct lpm_entries *block;
	unsigned int old, len = 0;
	u8 bytes[ENTRY_MAX];
	struct lpm_pos pos;
	struct lpm_pfx q;
	u32 value;

	if (!lpm_set_find(set, p, &pos))
		return;
	block = set->block[pos.block];
	old = entry_load(set, block->data + pos.off, &pos.prev, &q, &value);
	if (pos.off + old < block->used) {
		old += entry_load(set, block->data + pos.off + old, p, &q,
				  &value);
		len = entry_store(set, bytes, &pos.prev, &q, value);
		if (!pos.off)
			set->first[pos.block] = pfx_key(set, &q);
	}
	splice(set, &pos, old, bytes, len);
	block->nr--;
	set->count--;
	*set->last = pos;
	gather(set, pos.block);
}

/* Let the entry at @pos have value 0, or have its own again. */
void lpm_set_mark(struct lpm_set *set, const struct lpm_pos *pos,
		  u32 value)
{
	u8 *b = set->block[pos->block]->data + pos->off;

	*set->last = *pos;
	b += set->bits == 128 ? 2 : 1;
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
u32 lpm_set_cover(const struct lpm_set *set, const struct lpm_pfx *p,
		  struct lpm_pfx *out)
{
	struct cover cover = {};
	struct lpm_pos pos;
	struct lpm_pfx key = *p, q;
	u32 value;

	if (!key.len--)
		return 0;
	while (set->nr) {
		lpm_pfx_cut(&key, key.len);
		pos = (struct lpm_pos){ .block = block_of(set, &key) };
		key.len++;
		block_cover(set, &key, &pos, &cover);
		if (cover.value || !pos.block)
			break;
		pos = (struct lpm_pos){ .block = pos.block };
		lpm_set_at(set, &pos, &q, &value);
		key.len = q.hi != key.hi ? 64 - fls64(q.hi ^ key.hi) :
					   128 - fls64(q.lo ^ key.lo);
	}
	*out = cover.p;
	return cover.value;
}

/* Are there more than @max entries within @q from @pos on? */
bool lpm_set_more(const struct lpm_set *set, struct lpm_pos pos,
		  const struct lpm_pfx *q, unsigned int max)
{
	unsigned int left;
	struct lpm_pfx p;
	u32 value;

	/* Whole blocks, then what is left in the last one. */
	for (; pos.block < set->nr;
	     pos = (struct lpm_pos){ .block = pos.block + 1 }) {
		left = set->block[pos.block]->nr - pos.at;
		if (left > max)
			break;
		max -= left;
	}
	while (lpm_set_at(set, &pos, &p, &value) && max--)
		lpm_set_step(&pos, &p);
	return pos.block < set->nr && lpm_pfx_covers(q, &p);
}

/* @copy: for as many entries as LPM_SET_COPY; may be used between calls. */
void lpm_set_init(struct lpm_set *set, unsigned int bits,
		  struct lpm_budget *budget, struct lpm_entries *copy,
		  struct lpm_pos *last)
{
	*set = (struct lpm_set){
		.bits = bits,
		.budget = budget,
		.copy = copy,
		.last = last,
	};
}

void lpm_set_free(struct lpm_set *set)
{
	unsigned int b;

	for (b = 0; b < set->nr; b++) {
		kfree(set->block[b]);
		if (!(b % 256))
			cond_resched();
	}
	kvfree(set->block);
	kvfree(set->first);
}
