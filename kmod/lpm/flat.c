// SPDX-License-Identifier: GPL-2.0
/*
 * Flat: some thousands of prefixes, 2 bytes a slot, updated in place.
 *
 *	slot[65536]   block of 256   block of 256
 *	bits 0-15 --> bits 16-23 --> bits 24-31 ...
 *
 * A slot is a value below 2^15, or CNI_LPM_BLOCK and where a block is.
 * An IPv4 root has blocks only; a /16 that is all one value shares the block
 * that is all this value. So a look-up is two loads where announcements end at
 * /24, with no branch between them that could be guessed wrong and no step but
 * the load: a slot is the scaled index of an address. At most
 * LPM_FLAT_BLOCKS_MAX blocks: 256 KB. IPv6 is the same with more blocks in a
 * row, but with values in its root; a /48 is five loads.
 *
 * IPv4 has a front before that: the values of /24, small ones, by bits 8-23.
 *
 *	front[65536]   tag[4096]
 *	bits 8-23      bits 8-19, says bits 0-7
 *
 * Few prefixes are apart in that, so nearly all of what is announced has its
 * place there: its look-up is one load, beside which that of the tag needs no
 * waiting for, in cold caches either, and what is in use of it is small. A tag
 * says whose values the front's next 16 are. It is chosen when the table is
 * built, and again when that has twice the prefixes, for a reader who knows the
 * tag may read the values later; they follow the blocks with each update. What
 * is alike over a /16 or more gives way to what isn't, the wider first: a LAN's
 * 10.0.0.0/8 would have all places. Where more than an eighth of the others
 * would find theirs taken, no tag is chosen: a guess that is wrong that often
 * costs more than it saves.
 */
#include "table.h"

#define BLOCK_WORDS		128
#define TAG_SLOTS		16	/* that have one tag in the front */
#define TAGS			((1U << CNI_LPM_ROOT_BITS) / TAG_SLOTS)
/* As many /16 in a row aren't missed. */
#define FRONT_WIDE		16

#define ROOT4_WORDS		(CNI_LPM_BLOCKS4 / 2)
#define ROOT6_WORDS		(CNI_LPM_BLOCKS6 / 2)
#define MAX_WORDS		(LPM_FLAT_BLOCKS_MAX * BLOCK_WORDS)

/* Where the first block is; IPv4's has no value. */
static u32 first_block(const struct lpm_table *lpm)
{
	return lpm->ops->root_words / BLOCK_WORDS;
}

static u32 slot_entry(const struct lpm_table *lpm, u16 slot)
{
	if (slot & CNI_LPM_BLOCK)
		return CNI_LPM_NODE | (first_block(lpm) +
				       (slot - CNI_LPM_BLOCK) /
				       CNI_LPM_BLOCK_STEP);
	return slot;
}

static u16 entry_slot(const struct lpm_table *lpm, u32 entry)
{
	if (entry & CNI_LPM_NODE)
		return CNI_LPM_BLOCK + ((entry & CNI_LPM_PLACE) -
					first_block(lpm)) * CNI_LPM_BLOCK_STEP;
	return entry;
}

/* The block that is all @value, from where blocks of that kind are listed. */
static bool same_find(const struct lpm_table *lpm, u32 value, u32 *entry)
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
static u32 same_value(const struct lpm_table *lpm, u32 entry)
{
	unsigned int i;

	if (entry == (CNI_LPM_NODE | first_block(lpm)))
		return 0;
	for (i = 0; i < lpm->same.nr; i += 2)
		if (lpm->same.v[i + 1] == entry)
			return lpm->same.v[i];
	return entry;
}

static int same_add(struct lpm_table *lpm, u32 value)
{
	unsigned int i;
	u32 entry;
	u16 *slot;
	int err;

	if (value & CNI_LPM_NODE || same_find(lpm, value, &entry))
		return 0;
	err = lpm_mem_vec_room(lpm, &lpm->same, 2);
	if (!err)
		err = lpm_mem_node_alloc(lpm, BLOCK_WORDS, 0, &entry);
	if (err)
		return err;
	slot = (u16 *)lpm_table_words(lpm, entry);
	for (i = 0; i < LPM_SLOTS; i++)
		lpm_publish(&slot[i], value);
	lpm->same.v[lpm->same.nr++] = value;
	lpm->same.v[lpm->same.nr++] = entry;
	return 0;
}

/* Blocks for what @n slots of an IPv4 root will hold. */
static int same_need(struct lpm_table *lpm, const u32 *slots, unsigned int n)
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

static size_t flat_size(const struct lpm_table *lpm, u32 entry)
{
	return BLOCK_WORDS;
}

static void flat4_read(const struct lpm_table *lpm, size_t at, unsigned int i,
		       u32 *slots, unsigned int n)
{
	const u16 *slot = &lpm->w->slot[i];

	for (i = 0; i < n; i++)
		slots[i] = same_value(lpm, slot_entry(lpm, slot[i]));
}

static void flat6_read(const struct lpm_table *lpm, size_t at, unsigned int i,
		       u32 *slots, unsigned int n)
{
	const u16 *slot = &lpm->w->slot[i];

	for (i = 0; i < n; i++)
		slots[i] = slot_entry(lpm, slot[i]);
}

static int flat6_write(struct lpm_table *lpm, size_t at, unsigned int i,
		       const u32 *slots, unsigned int n)
{
	u16 *slot = &lpm->w->slot[i];

	for (i = 0; i < n; i++) {
		if (i % 256 == 255)
			cond_resched();
		lpm_publish(&slot[i], entry_slot(lpm, slots[i]));
	}
	return 0;
}

static int flat4_write(struct lpm_table *lpm, size_t at, unsigned int i,
		       const u32 *slots, unsigned int n)
{
	u32 entry;
	u16 *slot;
	int err;

	err = same_need(lpm, slots, n);
	if (err)
		return err;
	slot = &lpm->w->slot[i];
	for (i = 0; i < n; i++) {
		if (i % 256 == 255)
			cond_resched();
		entry = slots[i];
		if (!(entry & CNI_LPM_NODE))
			same_find(lpm, entry, &entry);
		lpm_publish(&slot[i], entry_slot(lpm, entry));
	}
	return 0;
}

static void flat_expand(const struct lpm_table *lpm, u32 entry, u32 *slots)
{
	const u16 *slot = (const u16 *)lpm_table_words(lpm, entry);
	unsigned int i;

	for (i = 0; i < LPM_SLOTS; i++)
		slots[i] = slot_entry(lpm, slot[i]);
}

static int flat_pack(struct lpm_table *lpm, const u32 *slots, u32 old,
		     u32 *entry)
{
	unsigned int i;
	u16 *slot;
	int err;

	if (old & CNI_LPM_NODE) {
		*entry = old;
	} else {
		err = lpm_mem_node_alloc(lpm, BLOCK_WORDS, 0, entry);
		if (err)
			return err;
	}
	slot = (u16 *)lpm_table_words(lpm, *entry);
	for (i = 0; i < LPM_SLOTS; i++)
		lpm_publish(&slot[i], entry_slot(lpm, slots[i]));
	return 0;
}

static int flat_retire_below(struct lpm_table *lpm, u32 entry)
{
	const u16 *slot = (const u16 *)lpm_table_words(lpm, entry);
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < LPM_SLOTS; i++)
		err = lpm_mem_retire_tree(lpm, slot_entry(lpm, slot[i]));
	return err;
}

static u8 *front_tags(const struct lpm_table *lpm)
{
	return (u8 *)lpm->w->slot + CNI_LPM_TAGS;
}

/* Where the values of 16 neighbours at @tag come from, were it @first. */
static const u16 *front_source(const struct lpm_table *lpm, unsigned int tag,
			       u8 first)
{
	u16 block = lpm->w->slot[first << 8 | tag / TAG_SLOTS];

	return (const u16 *)lpm_table_words(lpm, slot_entry(lpm, block)) +
	       tag % TAG_SLOTS * TAG_SLOTS;
}

static u8 front_value(u16 slot)
{
	return min_t(u16, slot, CNI_LPM_ASK);
}

static void front_copy(struct lpm_table *lpm, unsigned int tag)
{
	const u16 *from = front_source(lpm, tag, front_tags(lpm)[tag]);
	u8 *to = (u8 *)lpm->w->slot + CNI_LPM_FRONT + tag * TAG_SLOTS;
	unsigned int i;

	for (i = 0; i < TAG_SLOTS; i++)
		lpm_publish(&to[i], front_value(from[i]));
}

/* Bring the front in line with the blocks, within @p. */
static void front_update(struct lpm_table *lpm, const struct lpm_pfx *p)
{
	unsigned int first = lpm_pfx_slot(p, 0, 8), tag = 0, n = TAGS;

	if (p->len > 8) {
		tag = lpm_pfx_slot(p, 8, 12);
		n = p->len < 20 ? 1U << (20 - p->len) : 1;
	}
	for (; n--; tag++)
		if (front_tags(lpm)[tag] - first <
		    (p->len < 8 ? 1U << (8 - p->len) : 1))
			front_copy(lpm, tag);
}

/* How many have another value than most addresses, and one that fits. */
static unsigned int front_worth(const struct lpm_table *lpm, unsigned int tag,
				u8 first, u16 most)
{
	const u16 *from = front_source(lpm, tag, first);
	unsigned int i, n = 0;

	for (i = 0; i < TAG_SLOTS; i++)
		n += from[i] != most && front_value(from[i]) != CNI_LPM_ASK;
	return n;
}

/* How many /16 in a row, in a /8, are alike: few when a prefix is long. */
static unsigned int front_run(const struct lpm_table *lpm, u8 first, u8 second)
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
static void front_choose(struct lpm_table *lpm)
{
	unsigned int tag, n = 0, worth, best, left = 0, right = 0;
	u8 *tags = front_tags(lpm), cand[256], run[256];
	u16 top = lpm->w->slot[0xffff], most;
	unsigned int i, first, shortest;

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
	lpm->rebuild_at = 2 * lpm->set.count + 2;
}

static void front_sync(struct lpm_table *lpm, const struct lpm_pfx *p)
{
	if (p)
		front_update(lpm, p);
	else
		front_choose(lpm);
}

const struct lpm_ops lpm_flat4_ops = {
	.flat		= true,
	.empty		= CNI_LPM_BLOCK,
	.unit		= BLOCK_WORDS,
	.root_words	= ROOT4_WORDS,
	.first_words	= ROOT4_WORDS + BLOCK_WORDS,
	.max_words	= ROOT4_WORDS + MAX_WORDS,
	.sync		= front_sync,
	.read		= flat4_read,
	.write		= flat4_write,
	.size		= flat_size,
	.expand		= flat_expand,
	.pack		= flat_pack,
	.build		= lpm_build_node,
	.fix		= lpm_build_fix,
	.retire_below	= flat_retire_below,
};

const struct lpm_ops lpm_flat6_ops = {
	.flat		= true,
	.unit		= BLOCK_WORDS,
	.root_words	= ROOT6_WORDS,
	.first_words	= ROOT6_WORDS,
	.max_words	= ROOT6_WORDS + MAX_WORDS,
	.read		= flat6_read,
	.write		= flat6_write,
	.size		= flat_size,
	.expand		= flat_expand,
	.pack		= flat_pack,
	.build		= lpm_build_node,
	.fix		= lpm_build_fix,
	.retire_below	= flat_retire_below,
};
