// SPDX-License-Identifier: GPL-2.0
#include "table.h"

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

static int vec_room(struct lpm_table *lpm, struct lpm_vec *vec,
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
	lpm->budget.bytes += (room - vec->room) * sizeof(*v);
	vec->v = v;
	vec->room = room;
	return 0;
}

static void vec_free(struct lpm_table *lpm, struct lpm_vec *vec)
{
	lpm->budget.bytes -= vec->room * sizeof(*vec->v);
	kvfree(vec->v);
	memset(vec, 0, sizeof(*vec));
}

/* Give back what a large update needed, so that it isn't kept for good. */
static void vec_clear(struct lpm_table *lpm, struct lpm_vec *vec)
{
	vec->nr = 0;
	if (vec->room > 1024)
		vec_free(lpm, vec);
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
#define LPM_CODES_MAX		256
#define LPM_CODE_SLOTS		1024
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

static size_t unit(const struct lpm_table *lpm)
{
	if (lpm->w->flat)
		return FLAT_BLOCK_WORDS;
	return lpm->set.bits == 32 ? CNI_LPM_UNIT4 : CNI_LPM_UNIT6;
}

static u32 *node_words(const struct lpm_table *lpm, u32 entry)
{
	return &lpm->w->w[(entry & CNI_LPM_PLACE) * unit(lpm)];
}

static u32 node_type(u32 entry)
{
	return entry & CNI_LPM_TYPE;
}

static struct cni_lpm_node *node_at(const struct lpm_table *lpm, u32 entry)
{
	return (void *)node_words(lpm, entry);
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
	return DIV_ROUND_UP(bytes, unit(lpm) * 4) * unit(lpm);
}

static size_t node_size(const struct lpm_table *lpm, u32 entry)
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
static bool all_blocks(const struct lpm_table *lpm, bool flat)
{
	return flat && lpm->set.bits == 32;
}

/* The root and what comes with it. */
static size_t root_words(const struct lpm_table *lpm, bool flat)
{
	if (all_blocks(lpm, flat))
		return CNI_LPM_BLOCKS4 / 2;
	return flat ? CNI_LPM_BLOCKS6 / 2 : CNI_LPM_VALUES + LPM_CODES_MAX;
}

/* Where the first block of a flat table is; IPv4's has no value. */
static u32 first_block(const struct lpm_table *lpm)
{
	return root_words(lpm, true) / FLAT_BLOCK_WORDS;
}

/* Where nodes begin. */
static size_t first_words(const struct lpm_table *lpm, bool flat)
{
	return root_words(lpm, flat) + (all_blocks(lpm, flat) ?
					FLAT_BLOCK_WORDS : 0);
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

/* Slot @i of the root at word 0, or of a direct node at word @at. */
static u32 table_get(const struct lpm_table *lpm, size_t at, unsigned int i)
{
	u32 entry;

	if (!lpm->w->flat)
		return lpm->w->w[at + i];
	entry = slot_entry(lpm, lpm->w->slot[i]);
	return lpm->set.bits == 32 ? same_value(lpm, entry) : entry;
}

/* Values of a flat IPv4 root have their blocks, see same_need(). */
static void table_put(struct lpm_table *lpm, size_t at, unsigned int i,
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

static struct cni_lpm_mem *mem_alloc(const struct lpm_table *lpm, size_t words,
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
static void mem_publish(struct lpm_table *lpm, struct cni_lpm_mem *mem)
{
	struct cni_lpm_mem *old;

	/* The caller's mutex serializes writers. */
	old = rcu_dereference_protected(lpm->pub.mem, 1);
	rcu_assign_pointer(lpm->pub.mem, mem);
	kvfree_rcu(old, rcu);
}

/* Same places in memory of another size; readers may go on in the old one. */
static int mem_resize(struct lpm_table *lpm, size_t words)
{
	struct cni_lpm_mem *mem, *old = lpm->w;

	mem = mem_alloc(lpm, words, old->flat);
	if (!mem)
		return -ENOMEM;
	mem->codes = old->codes;
	memcpy(mem->w, old->w, lpm->used * sizeof(*mem->w));
	lpm->budget.bytes += words * 4;
	lpm->budget.bytes -= old->words * 4;
	lpm->w = mem;
	if (lpm->building)
		kvfree(old);
	else
		mem_publish(lpm, mem);
	return 0;
}

static int mem_grow(struct lpm_table *lpm, size_t words)
{
	size_t more = lpm->used / (lpm->building ? 2 : 16) + 1024;
	size_t have = lpm->w->words - lpm->used;

	more = mem_words(lpm->used + max_t(size_t, more, words)) - lpm->used;
	if (!lpm_budget_allows(&lpm->budget, (more - have) * 4))
		more = words;
	if (!lpm_budget_allows(&lpm->budget, (more - have) * 4))
		return -ENOSPC;
	if ((lpm->used + more) / unit(lpm) > CNI_LPM_PLACE)
		return -ENOSPC;
	return mem_resize(lpm, lpm->used + more);
}

static u32 *free_list(struct lpm_table *lpm, size_t words)
{
	if (words == DIRECT_WORDS)
		return &lpm->free[LPM_CLASSES - 1];
	return &lpm->free[words / unit(lpm)];
}

static void node_free(struct lpm_table *lpm, u32 entry)
{
	size_t words = node_size(lpm, entry);
	u32 *list = free_list(lpm, words);

	node_words(lpm, entry)[LINK_WORD] = *list;
	*list = entry & CNI_LPM_PLACE;
	lpm->idle += words;
}

/* Reuse what no reader can hold any more; start the wait for the rest. */
static void reclaim(struct lpm_table *lpm)
{
	struct lpm_vec *wait = &lpm->wait, *retired = &lpm->retired;
	struct lpm_vec vec;
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
static void forget(struct lpm_table *lpm)
{
	lpm->idle = 0;
	lpm->waiting = 0;
	vec_clear(lpm, &lpm->retired);
	vec_clear(lpm, &lpm->wait);
	memset(lpm->free, 0, sizeof(lpm->free));
}

static int node_alloc(struct lpm_table *lpm, size_t words, u32 type, u32 *entry)
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

static int same_add(struct lpm_table *lpm, u32 value)
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

static int retire(struct lpm_table *lpm, u32 entry)
{
	int err;

	if (!(entry & CNI_LPM_NODE))
		return 0;
	err = vec_room(lpm, &lpm->retired, 1);
	if (!err)
		lpm->retired.v[lpm->retired.nr++] = entry;
	return err;
}

static int retire_tree(struct lpm_table *lpm, u32 entry)
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

/* Slots of a node at each depth, of which the last may end behind @bits. */
static size_t scratch_bytes(unsigned int bits)
{
	size_t slots = (bits - CNI_LPM_ROOT_BITS + CNI_LPM_STRIDE) * 32 *
		       sizeof(u32);

	return offsetof(struct lpm_scratch, slots) +
	       max_t(size_t, slots, LPM_SET_COPY * sizeof(struct lpm_entries));
}

static u32 *scratch(const struct lpm_table *lpm, unsigned int depth)
{
	return lpm->scratch->slots + (depth - CNI_LPM_ROOT_BITS) * 32;
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

static void code_index(struct lpm_table *lpm)
{
	unsigned int i;

	memset(lpm->scratch->codes, 0, LPM_CODE_SLOTS);
	if (lpm->w->flat)
		return;
	for (i = 1; i < lpm->w->codes; i++)
		*code_slot(lpm, lpm->w->w[CNI_LPM_VALUES + i]) = i;
}

/* The code of a value; -1 for an entry that can have none. */
static int code_of(struct lpm_table *lpm, u32 value)
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

	while (++i < SLOTS) {
		left = map[i / 64] >> (i % 64);
		if (left)
			return i + __ffs64(left);
		i |= 63;
	}
	return SLOTS;
}

static void node_expand(const struct lpm_table *lpm, u32 entry, u32 *slots)
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

static int flat_pack(struct lpm_table *lpm, const u32 *slots, u32 old,
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

static int deep_pack(struct lpm_table *lpm, const u32 *slots, u32 old,
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
static int node_pack(struct lpm_table *lpm, const u32 *slots, u32 old,
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
static int build(struct lpm_table *lpm, struct lpm_pos *pos,
		 const struct lpm_pfx *q, u32 value, u32 *entry);

static int paint(struct lpm_table *lpm, struct lpm_pos *pos,
		 const struct lpm_pfx *q, unsigned int depth,
		 unsigned int stride, u32 *slots, unsigned int first)
{
	unsigned int end = depth + stride, i, n;
	struct lpm_pfx p;
	u32 value;
	int err;

	while (lpm_set_at(&lpm->set, pos, &p, &value)) {
		if (!lpm_pfx_covers(q, &p))
			break;
		if (!value) {
			lpm_set_step(pos, &p);
			continue;
		}
		i = lpm_pfx_slot(&p, depth, stride) - first;
		if (p.len <= end) {
			n = 1U << (end - max_t(unsigned int, p.len, depth));
			while (n--)
				slots[i + n] = value;
			lpm_set_step(pos, &p);
			continue;
		}
		lpm_pfx_cut(&p, end);
		err = build(lpm, pos, &p, slots[i], &slots[i]);
		if (err)
			return err;
		cond_resched();
	}
	return 0;
}

static int direct_build(struct lpm_table *lpm, struct lpm_pos *pos,
			const struct lpm_pfx *q, u32 value, u32 *entry)
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
static bool runs_from(struct lpm_table *lpm, struct lpm_pos *pos,
		      const struct lpm_pfx *q, u32 value, struct runs *runs)
{
	unsigned int depth = q->len, top = 0;
	struct {
		u32 last;
		u8 code;
	} open[34];
	struct lpm_pfx p;
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
	while (lpm_set_at(&lpm->set, pos, &p, &value)) {
		if (!lpm_pfx_covers(q, &p))
			break;
		lpm_set_step(pos, &p);
		if (!value)
			continue;
		c = code_of(lpm, value);
		if (c < 0 || p.len > depth + 32)
			return false;
		at = lpm_pfx_slot(&p, depth, 32);
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

static int lines_pack(struct lpm_table *lpm, const struct runs *runs,
		      u32 *entry)
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
static int build(struct lpm_table *lpm, struct lpm_pos *pos,
		 const struct lpm_pfx *q, u32 value, u32 *entry)
{
	u32 *slots = scratch(lpm, q->len);
	struct lpm_pos start = *pos;
	struct runs runs;
	unsigned int i;
	int err;

	if (lpm->set.bits == 128 && !lpm->w->flat) {
		if (q->len == CNI_LPM_ROOT_BITS &&
		    lpm_set_more(&lpm->set, *pos, q, DIRECT_ENTRIES))
			return direct_build(lpm, pos, q, value, entry);
		runs.start = slots;
		runs.code = (u8 *)(slots + LINES_RUNS);
		if (!lpm_set_more(&lpm->set, *pos, q, LINES_RUNS) &&
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
static int repaint(struct lpm_table *lpm, const struct lpm_pfx *p,
		   unsigned int depth, unsigned int stride, u32 *slots,
		   unsigned int first)
{
	unsigned int i, n, end = depth + stride;
	struct lpm_pos pos;
	u32 value = 0;
	struct lpm_pfx q;
	int err;

	/* One that is being deleted has no value. */
	if (lpm_set_find(&lpm->set, p, &pos))
		lpm_set_at(&lpm->set, &pos, &q, &value);
	if (!value)
		value = lpm_set_cover(&lpm->set, p, &q);
	i = lpm_pfx_slot(p, depth, stride) - first;
	n = 1U << (end - p->len);
	while (n--) {
		err = retire_tree(lpm, slots[i + n]);
		if (err)
			return err;
		slots[i + n] = value;
	}
	return paint(lpm, &pos, p, depth, stride, slots, first);
}

static int fix(struct lpm_table *lpm, u32 entry, unsigned int depth,
	       const struct lpm_pfx *p, u32 *out);

/* Bring a table in line with the set, within @p. */
static int fix_table(struct lpm_table *lpm, size_t at, unsigned int depth,
		     unsigned int stride, const struct lpm_pfx *p)
{
	unsigned int first = lpm_pfx_slot(p, depth, stride), i, n;
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
static bool may_stay(const struct lpm_table *lpm, u32 entry,
		     struct lpm_pos pos, const struct lpm_pfx *q)
{
	if (!(entry & CNI_LPM_NODE))
		return false;
	switch (node_type(entry)) {
	case CNI_LPM_DIRECT:
		return lpm_set_more(&lpm->set, pos, q, DIRECT_ENTRIES_MIN);
	case CNI_LPM_WIDE:
	case CNI_LPM_NARROW:
		return lpm_set_more(&lpm->set, pos, q, LINES_ENTRIES_MIN) &&
		       (q->len != CNI_LPM_ROOT_BITS ||
			!lpm_set_more(&lpm->set, pos, q, DIRECT_ENTRIES * 2));
	}
	return false;
}

/* Bring what is below @entry in line with the set, within @p. */
static int fix(struct lpm_table *lpm, u32 entry, unsigned int depth,
	       const struct lpm_pfx *p, u32 *out)
{
	unsigned int end = depth + CNI_LPM_STRIDE;
	u32 *slots = scratch(lpm, depth), value = 0;
	struct lpm_pfx q, cover;
	struct lpm_pos pos;
	int err;

	if (lpm->set.bits == 128 && !lpm->w->flat) {
		q = *p;
		lpm_pfx_cut(&q, depth);
		if (lpm_set_find(&lpm->set, &q, &pos)) {
			lpm_set_at(&lpm->set, &pos, &cover, &value);
			lpm_set_step(&pos, &cover);
		}
		if (!may_stay(lpm, entry, pos, &q)) {
			if (!value)
				value = lpm_set_cover(&lpm->set, &q, &cover);
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
		u32 *slot = &slots[lpm_pfx_slot(p, depth, CNI_LPM_STRIDE)];

		err = fix(lpm, *slot, end, p, slot);
	} else {
		err = repaint(lpm, p, depth, CNI_LPM_STRIDE, slots, 0);
	}
	return err ?: node_pack(lpm, slots, entry, out);
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

	return (const u16 *)node_words(lpm, slot_entry(lpm, block)) +
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
		publish(&to[i], front_value(from[i]));
}

/* Bring the front in line with the blocks, within @p. */
static void front_update(struct lpm_table *lpm, const struct lpm_pfx *p)
{
	unsigned int first = lpm_pfx_slot(p, 0, 8), tag = 0, n = TAGS;

	if (!all_blocks(lpm, lpm->w->flat))
		return;
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

/* As many /16 in a row aren't missed. */
#define FRONT_WIDE		16

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
static int rebuild(struct lpm_table *lpm, bool flat)
{
	static const struct lpm_pfx all;
	struct cni_lpm_mem *mem, *old = lpm->w;
	unsigned int i, n = 1U << CNI_LPM_ROOT_BITS;
	size_t old_used = lpm->used, words = root_words(lpm, flat) + 1024;
	u32 saved[LPM_CLASSES], *slots;
	struct lpm_vec same;
	struct lpm_pos pos = {};
	int err = -ENOMEM;

	lpm->budget.bytes -= old->words * 4;
	if (!lpm_budget_allows(&lpm->budget, words * 4)) {
		lpm->budget.bytes += old->words * 4;
		return -ENOSPC;
	}
	mem = mem_alloc(lpm, words, flat);
	slots = kvcalloc(n, sizeof(*slots), GFP_KERNEL_ACCOUNT);
	if (!mem || !slots) {
		lpm->budget.bytes += old->words * 4;
		kvfree(mem);
		goto out;
	}
	lpm->budget.bytes += words * 4;
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
		lpm->budget.bytes -= lpm->w->words * 4;
		lpm->budget.bytes += old->words * 4;
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
	u8 codes[LPM_CODES_MAX];
};

/* Codes that nothing uses any more end here. */
static u8 code_move(struct lpm_table *lpm, struct move *to, u8 code)
{
	if (code && !to->codes[code]) {
		to->codes[code] = to->mem->codes;
		to->mem->w[CNI_LPM_VALUES + to->mem->codes++] =
			lpm->w->w[CNI_LPM_VALUES + code];
	}
	return to->codes[code];
}

static u32 node_move(struct lpm_table *lpm, struct move *to, u32 entry)
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
static void compact(struct lpm_table *lpm)
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
	lpm->budget.bytes += to.mem->words * 4;
	lpm->budget.bytes -= lpm->w->words * 4;
	lpm->w = to.mem;
	lpm->used = to.used;
	mem_publish(lpm, to.mem);
	code_index(lpm);
}

static int update_once(struct lpm_table *lpm, const struct lpm_pfx *p)
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

static int update(struct lpm_table *lpm, const struct lpm_pfx *p)
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

static int update_put(struct lpm_table *lpm, struct lpm_pos pos,
		      const struct lpm_pfx *p, u32 value, u32 old)
{
	int err;

	err = lpm_set_put(&lpm->set, pos, old, p, value);
	if (err)
		return err;
	lpm->wide |= value > FLAT_VALUE_MAX;
	err = update(lpm, p);
	if (err && old) {
		lpm_set_find(&lpm->set, p, &pos);
		lpm_set_put(&lpm->set, pos, true, p, old);
	} else if (err) {
		lpm_set_remove(&lpm->set, p);
	}
	return err;
}

/* Removing can't fail in the end, but putting it back could. */
static int update_remove(struct lpm_table *lpm, const struct lpm_pos *pos,
			 const struct lpm_pfx *p, u32 old)
{
	size_t max = lpm->budget.max;
	int err;

	lpm_set_mark(&lpm->set, pos, 0);
	lpm->budget.max = SIZE_MAX;
	err = update(lpm, p);
	lpm->budget.max = max;
	if (err)
		lpm_set_mark(&lpm->set, pos, old);
	else
		lpm_set_remove(&lpm->set, p);
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
	struct lpm_table *table = lpm_table(lpm);
	const struct lpm_set *set = &table->set;
	struct lpm_pos pos;
	struct lpm_pfx p;

	if (!lpm_pfx_from(set->bits, prefix, &p) || value > CNI_LPM_VALUE_MAX)
		return -EINVAL;
	*old = 0;
	if (lpm_set_find(set, &p, &pos))
		lpm_set_at(set, &pos, &p, old);
	if (*old == value)
		return 0;
	return value ? update_put(table, pos, &p, value, *old) :
		       update_remove(table, &pos, &p, *old);
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
	struct lpm_budget *budget = &lpm_table(lpm)->budget;
	size_t max = budget->max;
	u32 dummy;
	int err;

	budget->max = SIZE_MAX;
	err = cni_lpm_swap(lpm, prefix, old, &dummy);
	budget->max = max;
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
	const struct lpm_set *set = &lpm_table(lpm)->set;
	struct lpm_pos pos;
	struct lpm_pfx p;
	u32 value;

	if (!lpm_pfx_from(set->bits, prefix, &p) ||
	    !lpm_set_find(set, &p, &pos))
		return 0;
	lpm_set_at(set, &pos, &p, &value);
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
	const struct lpm_set *set = &lpm_table(lpm)->set;
	struct lpm_pfx p, cover;
	u32 value;

	if (!lpm_pfx_from(set->bits, prefix, &p))
		return 0;
	value = lpm_set_cover(set, &p, &cover);
	if (value && out)
		lpm_pfx_to(set->bits, &cover, out);
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
	const struct lpm_set *set = &lpm_table(lpm)->set;
	struct lpm_pfx p, q;
	struct lpm_pos pos;
	u32 v;

	if (!lpm_pfx_from(set->bits, within, &q))
		return -EINVAL;
	p = q;
	if (!first && !lpm_pfx_from(set->bits, cursor, &p))
		return -EINVAL;
	/* A cursor from outside has nothing or all of it ahead. */
	if (!first && lpm_pfx_cmp(&p, &q) < 0) {
		p = q;
		first = true;
	}
	if (lpm_set_find(set, &p, &pos) && !first) {
		lpm_set_at(set, &pos, &p, &v);
		lpm_set_step(&pos, &p);
	}
	if (!lpm_set_at(set, &pos, &p, &v) || !lpm_pfx_covers(&q, &p))
		return -ENOENT;
	lpm_pfx_to(set->bits, &p, cursor);
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
	const struct lpm_set *set = &lpm_table(lpm)->set;
	struct lpm_pos pos = {};
	struct lpm_pfx p;
	u32 value;

	while (lpm_set_at(set, &pos, &p, &value)) {
		if (!pos.at)
			cond_resched();
		lpm_set_step(&pos, &p);
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
	return lpm_table(lpm)->budget.bytes;
}

/**
 * cni_lpm_count - number of prefixes
 * @lpm: the table
 *
 * Return: how many there are.
 */
unsigned int cni_lpm_count(const struct cni_lpm *lpm)
{
	return lpm_table(lpm)->set.count;
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
	lpm_table(lpm)->bulk = true;
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
	struct lpm_table *table = lpm_table(lpm);
	int err = -E2BIG;

	table->bulk = false;
	if (!table->wide && table->set.count < FLAT_BLOCKS_MAX * SLOTS)
		err = rebuild(table, true);
	if (err == -E2BIG) {
		table->flat_below = table->set.count / 2;
		err = rebuild(table, false);
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
	size_t scratch = scratch_bytes(bits), words;
	struct lpm_table *table;
	struct cni_lpm_mem *mem;

	table = kzalloc(sizeof(*table), GFP_KERNEL_ACCOUNT);
	if (!table)
		return NULL;
	table->set.bits = bits;
	table->budget.max = max_bytes;
	table->budget.bytes = sizeof(*table) + scratch;
	words = root_words(table, true) + 1024;
	if (!lpm_budget_allows(&table->budget, struct_size(mem, w, words)))
		goto err_free;
	table->scratch = kvzalloc(scratch, GFP_KERNEL_ACCOUNT);
	if (!table->scratch)
		goto err_free;
	lpm_set_init(&table->set, bits, &table->budget, table->scratch->copy,
		     &table->scratch->last);
	mem = mem_alloc(table, words, true);
	if (!mem)
		goto err_scratch;
	table->w = mem;
	table->used = first_words(table, true);
	table->budget.bytes += struct_size(mem, w, words);
	RCU_INIT_POINTER(table->pub.mem, mem);
	return &table->pub;

err_scratch:
	kvfree(table->scratch);
err_free:
	kfree(table);
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
	struct lpm_table *table = lpm_table(lpm);

	if (!lpm)
		return;
	lpm_set_free(&table->set);
	kvfree(table->retired.v);
	kvfree(table->wait.v);
	kvfree(table->fresh.v);
	kvfree(table->same.v);
	kvfree(table->scratch);
	kvfree(table->w);
	kfree(table);
}
