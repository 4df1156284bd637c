// SPDX-License-Identifier: GPL-2.0
/*
 * Deep IPv4: to a million prefixes, and for values of 2^15 or more. The root
 * has 32-bit entries: a value, or a node's type and place.
 *
 *	w[65536]  w[256]   nodes
 *	root      values   narrow, wide; IPv6: direct, line, lines
 *	          of codes
 *
 * The 256 slots of a node become runs of equal neighbours. A bitmap says where
 * runs begin, so the popcount up to a slot is the number of its run:
 *
 *	map[4]  before[4]  code[runs]	narrow: a byte for each run
 *	map[4]  before[4]  run[runs]	wide: an entry for each run
 *
 * Next hops are few, so a byte tells which one, and a full table of a million
 * prefixes is 4 MB. With words in place of bytes it would be 6 MB and almost
 * twice as slow, as nothing but cache misses count at that size. Nodes have
 * words where they lead to other nodes (prefixes beyond /24), or where a value
 * got no code, as more than 255 are in use. A look-up is a load from the root,
 * a node (two lines at most, fetched at the same time, unless it has more than
 * about a hundred runs) and a value, which is in the first level cache.
 * Strides of 16 and 8 follow from what is announced: little below /16 begins
 * elsewhere than at a /24, and the root of 256 KB has its place in the second
 * level cache.
 *
 * A node whose runs change is replaced; the values of runs that keep their
 * shape change in place.
 */
#include "table.h"

static struct cni_lpm_node *node_at(const struct lpm_table *lpm, u32 entry)
{
	return (void *)lpm_table_words(lpm, entry);
}

static unsigned int node_runs(const struct cni_lpm_node *node)
{
	return node->before[3] + hweight64(node->map[3]);
}

static size_t runs_words(const struct lpm_table *lpm, unsigned int runs,
			 u32 type)
{
	size_t bytes;

	if (type == CNI_LPM_NARROW)
		bytes = offsetof(struct cni_lpm_node, code[1]) + runs;
	else
		bytes = offsetof(struct cni_lpm_node, run[1]) + runs * 4;
	return DIV_ROUND_UP(bytes, lpm->ops->unit * 4) * lpm->ops->unit;
}

size_t lpm_deep4_size(const struct lpm_table *lpm, u32 entry)
{
	return runs_words(lpm, node_runs(node_at(lpm, entry)),
			  lpm_table_type(entry));
}

void lpm_deep4_read(const struct lpm_table *lpm, size_t at, unsigned int i,
		    u32 *slots, unsigned int n)
{
	memcpy(slots, &lpm->w->w[at + i], n * sizeof(*slots));
}

int lpm_deep4_write(struct lpm_table *lpm, size_t at, unsigned int i,
		    const u32 *slots, unsigned int n)
{
	u32 *w = &lpm->w->w[at + i];

	for (i = 0; i < n; i++) {
		if (i % 256 == 255)
			cond_resched();
		lpm_publish(&w[i], slots[i]);
	}
	return 0;
}

/* Where the code of @value is, or where it goes. */
static u8 *code_slot(struct lpm_table *lpm, u32 value)
{
	u8 *slots = lpm->scratch->codes;
	u32 i = value * 2654435769U >> 22;

	while (slots[i] && lpm->w->w[CNI_LPM_VALUES + slots[i]] != value)
		i = (i + 1) % LPM_CODE_SLOTS;
	return &slots[i];
}

void lpm_deep4_index(struct lpm_table *lpm)
{
	unsigned int i;

	memset(lpm->scratch->codes, 0, LPM_CODE_SLOTS);
	for (i = 1; i < lpm->w->codes; i++)
		*code_slot(lpm, lpm->w->w[CNI_LPM_VALUES + i]) = i;
}

/* The code of a value; -1 for an entry that can have none. */
int lpm_deep4_code(struct lpm_table *lpm, u32 value)
{
	u8 *slot;

	if (!value)
		return 0;
	if (value & CNI_LPM_NODE)
		return -1;
	slot = code_slot(lpm, value);
	if (!*slot) {
		if (lpm->w->codes == LPM_CODES_MAX)
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

	while (++i < LPM_SLOTS) {
		left = map[i / 64] >> (i % 64);
		if (left)
			return i + __ffs64(left);
		i |= 63;
	}
	return LPM_SLOTS;
}

void lpm_deep4_expand(const struct lpm_table *lpm, u32 entry, u32 *slots)
{
	const struct cni_lpm_node *node = node_at(lpm, entry);
	unsigned int i, run, end;
	u32 value;

	for (i = 0, run = 1; i < LPM_SLOTS; run++) {
		if (lpm_table_type(entry) == CNI_LPM_NARROW)
			value = lpm->w->w[CNI_LPM_VALUES + node->code[run]];
		else
			value = node->run[run];
		for (end = run_end(node->map, i); i < end; i++)
			slots[i] = value;
	}
}

int lpm_deep4_pack(struct lpm_table *lpm, const u32 *slots, u32 old,
		   u32 *entry)
{
	unsigned int i, run, runs = 0;
	struct cni_lpm_node *node;
	u32 type = CNI_LPM_NARROW, last = ~slots[0];
	u8 code[LPM_SLOTS + 1];
	u64 map[4] = {};
	int err, c;

	for (i = 0; i < LPM_SLOTS; i++) {
		if (slots[i] == last)
			continue;
		last = slots[i];
		map[i / 64] |= 1ULL << (i % 64);
		runs++;
		if (type == CNI_LPM_WIDE)
			continue;
		c = lpm_deep4_code(lpm, last);
		if (c < 0)
			type = CNI_LPM_WIDE;
		else
			code[runs] = c;
	}

	if (old & CNI_LPM_NODE && lpm_table_type(old) == type &&
	    !memcmp(node_at(lpm, old)->map, map, sizeof(map))) {
		*entry = old;
	} else {
		err = lpm_mem_retire(lpm, old);
		if (!err)
			err = lpm_mem_node_alloc(lpm,
						 runs_words(lpm, runs, type),
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
	for (i = 0, run = 1; i < LPM_SLOTS; i = run_end(map, i), run++) {
		if (type == CNI_LPM_NARROW)
			lpm_publish(&node->code[run], code[run]);
		else
			lpm_publish(&node->run[run], slots[i]);
	}
	return 0;
}

int lpm_deep4_retire_below(struct lpm_table *lpm, u32 entry)
{
	const struct cni_lpm_node *node = node_at(lpm, entry);
	unsigned int i, runs;
	int err = 0;

	if (lpm_table_type(entry) != CNI_LPM_WIDE)
		return 0;
	runs = node_runs(node);
	for (i = 1; !err && i <= runs; i++)
		err = lpm_mem_retire_tree(lpm, node->run[i]);
	return err;
}

/* Codes that nothing uses any more end here. */
u8 lpm_deep4_code_move(struct lpm_table *lpm, struct lpm_move *to, u8 code)
{
	if (code && !to->codes[code]) {
		to->codes[code] = to->mem->codes;
		to->mem->w[CNI_LPM_VALUES + to->mem->codes++] =
			lpm->w->w[CNI_LPM_VALUES + code];
	}
	return to->codes[code];
}

void lpm_deep4_move_below(struct lpm_table *lpm, struct lpm_move *to, u32 entry,
			  u32 *words)
{
	struct cni_lpm_node *node = (void *)words;
	unsigned int i, runs = node_runs(node);

	for (i = 1; i <= runs; i++) {
		if (lpm_table_type(entry) == CNI_LPM_NARROW)
			node->code[i] = lpm_deep4_code_move(lpm, to,
							    node->code[i]);
		else
			node->run[i] = lpm_mem_move(lpm, to, node->run[i]);
	}
}

const struct lpm_ops lpm_deep4_ops = {
	.unit		= CNI_LPM_UNIT4,
	.root_words	= LPM_DEEP_ROOT_WORDS,
	.first_words	= LPM_DEEP_ROOT_WORDS,
	.max_words	= SIZE_MAX,
	.index		= lpm_deep4_index,
	.read		= lpm_deep4_read,
	.write		= lpm_deep4_write,
	.size		= lpm_deep4_size,
	.expand		= lpm_deep4_expand,
	.pack		= lpm_deep4_pack,
	.build		= lpm_build_node,
	.fix		= lpm_build_fix,
	.retire_below	= lpm_deep4_retire_below,
	.move_below	= lpm_deep4_move_below,
};
