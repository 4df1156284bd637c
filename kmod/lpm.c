// SPDX-License-Identifier: GPL-2.0
#include "lpm.h"

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
 * that a prefix comes before all that it contains. Sorted entries in blocks of
 * fixed size; a full block first passes entries on to its neighbours, which
 * keeps blocks nearly full whatever the order of updates.
 */
#define BLOCK_BYTES	1024
#define BLOCK_WORDS	(BLOCK_BYTES / 4)
#define BLOCK_REACH	8

/* The last word of an entry: length and value. */
#define META(len, value)	((len) << CNI_LPM_VALUE_BITS | (value))
#define META_LEN(meta)		((meta) >> CNI_LPM_VALUE_BITS)
#define META_VALUE(meta)	((meta) & CNI_LPM_VALUE_MAX)

/* A prefix in host order. IPv4 has its address in the upper half of @hi. */
struct pfx {
	u64 hi;
	u64 lo;
	unsigned int len;
};

struct pos {
	unsigned int block;
	unsigned int at;
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

static void publish(u32 *to, u32 entry)
{
	if (*to != entry)
		/* A reader that sees the entry sees the node behind it. */
		smp_store_release(to, entry);
}

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

/* Give back what a large update needed, so that it isn't kept for good. */
static void vec_clear(struct cni_lpm *lpm, struct cni_lpm_vec *vec)
{
	vec->nr = 0;
	if (vec->room <= 1024)
		return;
	lpm->bytes -= vec->room * sizeof(*vec->v);
	kvfree(vec->v);
	vec->v = NULL;
	vec->room = 0;
}

/* Set */

static unsigned int entry_words(const struct cni_lpm *lpm)
{
	return lpm->bits / 32 + 1;
}

static unsigned int block_max(const struct cni_lpm *lpm)
{
	return (BLOCK_WORDS - 1) / entry_words(lpm);
}

static u32 *block_entry(const struct cni_lpm *lpm, u32 *block, unsigned int i)
{
	return block + 1 + i * entry_words(lpm);
}

static u32 entry_load(const struct cni_lpm *lpm, const u32 *w, struct pfx *p)
{
	u32 meta;

	if (lpm->bits == 32) {
		p->hi = (u64)w[0] << 32;
		p->lo = 0;
		meta = w[1];
	} else {
		p->hi = (u64)w[0] << 32 | w[1];
		p->lo = (u64)w[2] << 32 | w[3];
		meta = w[4];
	}
	p->len = META_LEN(meta);
	return META_VALUE(meta);
}

static void entry_store(const struct cni_lpm *lpm, u32 *w,
			const struct pfx *p, u32 value)
{
	w[0] = p->hi >> 32;
	if (lpm->bits == 32) {
		w[1] = META(p->len, value);
		return;
	}
	w[1] = p->hi;
	w[2] = p->lo >> 32;
	w[3] = p->lo;
	w[4] = META(p->len, value);
}

static void block_first(struct cni_lpm *lpm, unsigned int b)
{
	struct pfx p;

	entry_load(lpm, block_entry(lpm, lpm->set.block[b], 0), &p);
	lpm->set.first[b] = p.hi;
}

/* Is the first entry of block @b at or before @p? */
static bool block_starts_by(const struct cni_lpm *lpm, unsigned int b,
			    const struct pfx *p)
{
	struct pfx q;

	if (lpm->set.first[b] != p->hi)
		return lpm->set.first[b] < p->hi;
	entry_load(lpm, block_entry(lpm, lpm->set.block[b], 0), &q);
	return pfx_cmp(&q, p) <= 0;
}

/* Find the first entry at or after @p, in or just behind its block. */
static bool set_find(const struct cni_lpm *lpm, const struct pfx *p,
		     struct pos *pos)
{
	unsigned int lo = 0, hi = lpm->set.nr, mid;
	struct pfx q;
	u32 *block;

	while (hi - lo > 1) {
		mid = lo + (hi - lo) / 2;
		if (block_starts_by(lpm, mid, p))
			lo = mid;
		else
			hi = mid;
	}
	pos->block = lo;
	pos->at = 0;
	if (!lpm->set.nr)
		return false;

	block = lpm->set.block[lo];
	lo = 0;
	hi = block[0];
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		entry_load(lpm, block_entry(lpm, block, mid), &q);
		if (pfx_cmp(&q, p) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	pos->at = lo;
	if (lo == block[0])
		return false;
	entry_load(lpm, block_entry(lpm, block, lo), &q);
	return !pfx_cmp(&q, p);
}

/* The entry at @pos, which moves on to the next block where one ends. */
static u32 *set_at(const struct cni_lpm *lpm, struct pos *pos)
{
	while (pos->block < lpm->set.nr) {
		u32 *block = lpm->set.block[pos->block];

		if (pos->at < block[0])
			return block_entry(lpm, block, pos->at);
		pos->block++;
		pos->at = 0;
	}
	return NULL;
}

static u32 *set_before(const struct cni_lpm *lpm, struct pos *pos)
{
	if (!pos->at) {
		if (!pos->block)
			return NULL;
		pos->block--;
		pos->at = lpm->set.block[pos->block][0];
	}
	pos->at--;
	return block_entry(lpm, lpm->set.block[pos->block], pos->at);
}

static void block_insert(struct cni_lpm *lpm, unsigned int b, unsigned int at,
			 const u32 *entry)
{
	u32 *block = lpm->set.block[b], *w = block_entry(lpm, block, at);
	unsigned int words = entry_words(lpm);

	memmove(w + words, w, (block[0] - at) * words * sizeof(*w));
	memcpy(w, entry, words * sizeof(*w));
	block[0]++;
	if (!at)
		block_first(lpm, b);
}

static void block_remove(struct cni_lpm *lpm, unsigned int b, unsigned int at,
			 u32 *entry)
{
	u32 *block = lpm->set.block[b], *w = block_entry(lpm, block, at);
	unsigned int words = entry_words(lpm);

	if (entry)
		memcpy(entry, w, words * sizeof(*w));
	block[0]--;
	memmove(w, w + words, (block[0] - at) * words * sizeof(*w));
	if (!at && block[0])
		block_first(lpm, b);
}

static int set_add_block(struct cni_lpm *lpm, unsigned int b)
{
	struct cni_lpm_set *set = &lpm->set;
	u32 *block;

	if (!may_add(lpm, BLOCK_BYTES))
		return -ENOSPC;
	if (set->nr == set->room) {
		unsigned int room = set->room + set->room / 8 + 4;
		size_t more = (room - set->room) *
			      (sizeof(*set->first) + sizeof(*set->block));
		u32 **blocks;
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
	block[0] = 0;
	memmove(set->first + b + 1, set->first + b,
		(set->nr - b) * sizeof(*set->first));
	memmove(set->block + b + 1, set->block + b,
		(set->nr - b) * sizeof(*set->block));
	set->block[b] = block;
	set->nr++;
	lpm->bytes += BLOCK_BYTES;
	return 0;
}

static void set_drop_block(struct cni_lpm *lpm, unsigned int b)
{
	struct cni_lpm_set *set = &lpm->set;

	kfree(set->block[b]);
	set->nr--;
	memmove(set->first + b, set->first + b + 1,
		(set->nr - b) * sizeof(*set->first));
	memmove(set->block + b, set->block + b + 1,
		(set->nr - b) * sizeof(*set->block));
	lpm->bytes -= BLOCK_BYTES;
}

/* Make room in full block @b: through near neighbours, else by a split. */
static int set_spread(struct cni_lpm *lpm, unsigned int b)
{
	struct cni_lpm_set *set = &lpm->set;
	unsigned int max = block_max(lpm), d, j, half;
	u32 entry[5];
	int err;

	for (d = 1; d <= BLOCK_REACH; d++) {
		if (b + d < set->nr && set->block[b + d][0] < max) {
			for (j = b + d; j > b; j--) {
				block_remove(lpm, j - 1, set->block[j - 1][0] -
					     1, entry);
				block_insert(lpm, j, 0, entry);
			}
			return 0;
		}
		if (b >= d && set->block[b - d][0] < max) {
			for (j = b - d; j < b; j++) {
				block_remove(lpm, j + 1, 0, entry);
				block_insert(lpm, j, set->block[j][0], entry);
			}
			return 0;
		}
	}

	err = set_add_block(lpm, b + 1);
	if (err)
		return err;
	half = max / 2;
	memcpy(block_entry(lpm, set->block[b + 1], 0),
	       block_entry(lpm, set->block[b], half),
	       (max - half) * entry_words(lpm) * sizeof(u32));
	set->block[b + 1][0] = max - half;
	set->block[b][0] = half;
	block_first(lpm, b + 1);
	return 0;
}

static int set_insert(struct cni_lpm *lpm, const struct pfx *p, u32 value)
{
	struct cni_lpm_set *set = &lpm->set;
	unsigned int max = block_max(lpm);
	struct pos pos;
	u32 entry[5];
	int err;

	set_find(lpm, p, &pos);
	if (!set->nr || (pos.block == set->nr - 1 && pos.at == max)) {
		/* Ascending loads leave full blocks behind. */
		pos.block = set->nr;
		pos.at = 0;
		err = set_add_block(lpm, pos.block);
		if (err)
			return err;
	}
	while (set->block[pos.block][0] == max) {
		if (pos.at == max && pos.block + 1 < set->nr &&
		    set->block[pos.block + 1][0] < max) {
			pos.block++;
			pos.at = 0;
			break;
		}
		err = set_spread(lpm, pos.block);
		if (err)
			return err;
		set_find(lpm, p, &pos);
	}
	entry_store(lpm, entry, p, value);
	block_insert(lpm, pos.block, pos.at, entry);
	set->count++;
	return 0;
}

static void set_remove(struct cni_lpm *lpm, const struct pfx *p)
{
	struct cni_lpm_set *set = &lpm->set;
	unsigned int nr, b;
	struct pos pos;

	if (!set_find(lpm, p, &pos))
		return;
	b = pos.block;
	block_remove(lpm, b, pos.at, NULL);
	set->count--;
	nr = set->block[b][0];
	if (!nr) {
		set_drop_block(lpm, b);
		return;
	}
	if (b + 1 == set->nr || nr + set->block[b + 1][0] >
				block_max(lpm) * 7 / 8) {
		if (!b || nr + set->block[b - 1][0] >
			  block_max(lpm) * 7 / 8)
			return;
		b--;
		nr = set->block[b][0];
	}
	memcpy(block_entry(lpm, set->block[b], nr),
	       block_entry(lpm, set->block[b + 1], 0),
	       set->block[b + 1][0] * entry_words(lpm) * sizeof(u32));
	set->block[b][0] += set->block[b + 1][0];
	set_drop_block(lpm, b + 1);
}

/* The entry just before @p either covers it or bounds what can. */
static u32 set_cover(const struct cni_lpm *lpm, const struct pfx *p,
		     struct pfx *out)
{
	struct pfx key = *p, q;
	unsigned int same;
	struct pos pos;
	u32 *w, value;

	set_find(lpm, &key, &pos);
	for (;;) {
		w = set_before(lpm, &pos);
		if (!w)
			return 0;
		value = entry_load(lpm, w, &q);
		if (pfx_covers(&q, p)) {
			/* Being deleted, and as good as gone. */
			if (!value)
				continue;
			*out = q;
			return value;
		}
		if (q.hi != p->hi)
			same = 64 - fls64(q.hi ^ p->hi);
		else
			same = 128 - fls64(q.lo ^ p->lo);
		key.len = min_t(unsigned int, same, q.len);
		key.hi = p->hi & mask_hi(key.len);
		key.lo = p->lo & mask_lo(key.len);
		if (set_find(lpm, &key, &pos))
			pos.at++;
	}
}

/* Nodes */

static size_t node_granules(unsigned int runs)
{
	size_t words = offsetof(struct cni_lpm_node, run) / 4 + 1 + runs;

	return DIV_ROUND_UP(words, CNI_LPM_GRANULE);
}

static unsigned int node_runs(const struct cni_lpm_node *node)
{
	return node->before[3] + hweight64(node->map[3]);
}

static struct cni_lpm_mem *writer_mem(const struct cni_lpm *lpm)
{
	/* The caller's mutex serializes writers. */
	return rcu_dereference_protected(lpm->mem, 1);
}

static struct cni_lpm_node *node_at(const struct cni_lpm *lpm, u32 entry)
{
	size_t at = entry & ~CNI_LPM_NODE;

	return (void *)&writer_mem(lpm)->w[at * CNI_LPM_GRANULE];
}

static struct cni_lpm_mem *mem_alloc(size_t words)
{
	struct cni_lpm_mem *mem;

	mem = kvmalloc(struct_size(mem, w, words), GFP_KERNEL_ACCOUNT);
	if (mem)
		mem->words = words;
	return mem;
}

static size_t root_words(void)
{
	return 1U << CNI_LPM_ROOT_BITS;
}

static void node_free(struct cni_lpm *lpm, u32 at)
{
	struct cni_lpm_node *node = node_at(lpm, at);
	size_t granules = node_granules(node_runs(node));

	node->run[1] = lpm->free[granules];
	lpm->free[granules] = at;
	lpm->idle += granules * CNI_LPM_GRANULE;
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
	for (i = 0; i < retired->nr; i++) {
		struct cni_lpm_node *node = node_at(lpm, retired->v[i]);

		lpm->waiting += node_granules(node_runs(node)) *
				CNI_LPM_GRANULE;
	}
	vec = *wait;
	*wait = *retired;
	*retired = vec;
	lpm->gp = start_poll_synchronize_rcu();
}

static void mem_publish(struct cni_lpm *lpm, struct cni_lpm_mem *mem)
{
	struct cni_lpm_mem *old = writer_mem(lpm);

	lpm->bytes += mem->words * 4;
	lpm->bytes -= old->words * 4;
	rcu_assign_pointer(lpm->mem, mem);
	kvfree_rcu(old, rcu);
}

/* Same offsets in more memory; readers may go on in the old copy. */
static int mem_grow(struct cni_lpm *lpm, size_t words)
{
	struct cni_lpm_mem *mem, *old = writer_mem(lpm);
	size_t more = lpm->used / 16 + 1024;

	if (more < words)
		more = words;
	if (!may_add(lpm, more * 4))
		more = words;
	if (!may_add(lpm, more * 4))
		return -ENOSPC;
	if ((lpm->used + more) / CNI_LPM_GRANULE >= CNI_LPM_NODE)
		return -ENOSPC;
	mem = mem_alloc(lpm->used + more);
	if (!mem)
		return -ENOMEM;
	memcpy(mem->w, old->w, lpm->used * 4);
	mem_publish(lpm, mem);
	return 0;
}

static int node_alloc(struct cni_lpm *lpm, unsigned int runs, u32 *at)
{
	size_t granules = node_granules(runs);
	size_t words = granules * CNI_LPM_GRANULE;
	int err;

	err = vec_room(lpm, &lpm->fresh, 1);
	if (err)
		return err;
	if (lpm->free[granules]) {
		*at = lpm->free[granules];
		lpm->free[granules] = node_at(lpm, *at)->run[1];
		lpm->idle -= words;
	} else {
		if (writer_mem(lpm)->words - lpm->used < words) {
			err = mem_grow(lpm, words);
			if (err)
				return err;
		}
		*at = lpm->used / CNI_LPM_GRANULE;
		lpm->used += words;
	}
	lpm->fresh.v[lpm->fresh.nr++] = *at;
	return 0;
}

static int retire(struct cni_lpm *lpm, u32 entry)
{
	int err;

	if (!(entry & CNI_LPM_NODE))
		return 0;
	err = vec_room(lpm, &lpm->retired, 1);
	if (!err)
		lpm->retired.v[lpm->retired.nr++] = entry & ~CNI_LPM_NODE;
	return err;
}

static int retire_tree(struct cni_lpm *lpm, u32 entry)
{
	unsigned int i, runs;
	int err;

	if (!(entry & CNI_LPM_NODE))
		return 0;
	runs = node_runs(node_at(lpm, entry));
	for (i = 1; i <= runs; i++) {
		err = retire_tree(lpm, node_at(lpm, entry)->run[i]);
		if (err)
			return err;
	}
	return retire(lpm, entry);
}

static u32 *scratch(const struct cni_lpm *lpm, unsigned int depth)
{
	return lpm->scratch + ((depth - CNI_LPM_ROOT_BITS) << 5);
}

static void node_expand(const struct cni_lpm *lpm, u32 entry, u32 *slots)
{
	struct cni_lpm_node *node;
	unsigned int i, run = 0;

	if (!(entry & CNI_LPM_NODE)) {
		for (i = 0; i < 1U << CNI_LPM_STRIDE; i++)
			slots[i] = entry;
		return;
	}
	node = node_at(lpm, entry);
	for (i = 0; i < 1U << CNI_LPM_STRIDE; i++) {
		run += node->map[i / 64] >> (i % 64) & 1;
		slots[i] = node->run[run];
	}
}

/* Turn @slots into an entry, in place of @old where that can be. */
static int node_pack(struct cni_lpm *lpm, const u32 *slots, u32 old,
		     u32 *entry)
{
	unsigned int i, runs = 0;
	struct cni_lpm_node *node;
	u64 map[4] = { 1 };
	u32 at;
	int err;

	for (i = 1; i < 1U << CNI_LPM_STRIDE; i++)
		map[i / 64] |= (u64)(slots[i] != slots[i - 1]) << (i % 64);
	for (i = 0; i < 4; i++)
		runs += hweight64(map[i]);

	if (runs == 1 && !(slots[0] & CNI_LPM_NODE)) {
		*entry = slots[0];
		return retire(lpm, old);
	}

	if (old & CNI_LPM_NODE) {
		node = node_at(lpm, old);
		if (!memcmp(node->map, map, sizeof(map))) {
			/* Each address sees its old run or its new one. */
			for (i = 0, runs = 0; i < 256; i++) {
				if (!(map[i / 64] >> (i % 64) & 1))
					continue;
				publish(&node->run[++runs], slots[i]);
			}
			*entry = old;
			return 0;
		}
	}

	err = retire(lpm, old);
	if (!err)
		err = node_alloc(lpm, runs, &at);
	if (err)
		return err;
	node = node_at(lpm, at);
	memcpy(node->map, map, sizeof(map));
	for (i = 0, runs = 0; i < 256; i++) {
		if (!(i % 64))
			node->before[i / 64] = runs;
		if (map[i / 64] >> (i % 64) & 1)
			node->run[++runs] = slots[i];
	}
	*entry = CNI_LPM_NODE | at;
	return 0;
}

/*
 * Paint all entries within @q, from @pos on, over the slots of a table of
 * 2^@stride slots at @depth, of which @slots begins with number @first.
 * A prefix comes before what it contains, so later paint is right to cover
 * earlier paint, and is what a deeper node starts from.
 */
static int paint(struct cni_lpm *lpm, struct pos *pos, const struct pfx *q,
		 unsigned int depth, unsigned int stride, u32 *slots,
		 unsigned int first)
{
	unsigned int end = depth + stride, i, n;
	struct pfx p;
	u32 value, *w;
	int err;

	while ((w = set_at(lpm, pos))) {
		value = entry_load(lpm, w, &p);
		if (!pfx_covers(q, &p))
			break;
		if (!value) {
			pos->at++;
			continue;
		}
		i = pfx_slot(&p, depth, stride) - first;
		if (p.len <= end) {
			n = 1U << (end - max_t(unsigned int, p.len, depth));
			while (n--)
				slots[i + n] = value;
			pos->at++;
			continue;
		}
		p.len = end;
		p.hi &= mask_hi(end);
		p.lo &= mask_lo(end);
		for (n = 0; n < 1U << CNI_LPM_STRIDE; n++)
			scratch(lpm, end)[n] = slots[i];
		err = paint(lpm, pos, &p, end, CNI_LPM_STRIDE,
			    scratch(lpm, end), 0);
		if (!err)
			err = node_pack(lpm, scratch(lpm, end), 0, &slots[i]);
		if (err)
			return err;
		cond_resched();
	}
	return 0;
}

/* Redo the slots of @p in a table: @slots begins with slot number @first. */
static int repaint(struct cni_lpm *lpm, const struct pfx *p,
		   unsigned int depth, unsigned int stride, u32 *slots,
		   unsigned int first)
{
	unsigned int i, n, end = depth + stride;
	struct pfx cover;
	struct pos pos;
	u32 value;
	int err;

	value = set_cover(lpm, p, &cover);
	i = pfx_slot(p, depth, stride) - first;
	n = 1U << (end - p->len);
	while (n--) {
		err = retire_tree(lpm, slots[i + n]);
		if (err)
			return err;
		slots[i + n] = value;
	}
	set_find(lpm, p, &pos);
	return paint(lpm, &pos, p, depth, stride, slots, first);
}

/* Bring what is below @entry in line with the set, within @p. */
static int fix(struct cni_lpm *lpm, u32 entry, unsigned int depth,
	       const struct pfx *p, u32 *out)
{
	unsigned int end = depth + CNI_LPM_STRIDE;
	u32 *slots = scratch(lpm, depth);
	int err;

	node_expand(lpm, entry, slots);
	if (p->len > end) {
		u32 *slot = &slots[pfx_slot(p, depth, CNI_LPM_STRIDE)];

		err = fix(lpm, *slot, end, p, slot);
	} else {
		err = repaint(lpm, p, depth, CNI_LPM_STRIDE, slots, 0);
	}
	return err ?: node_pack(lpm, slots, entry, out);
}

static int fix_root(struct cni_lpm *lpm, const struct pfx *p)
{
	unsigned int first = pfx_slot(p, 0, CNI_LPM_ROOT_BITS), i, n;
	u32 one, *slots;
	int err;

	if (p->len > CNI_LPM_ROOT_BITS) {
		one = writer_mem(lpm)->w[first];
		err = fix(lpm, one, CNI_LPM_ROOT_BITS, p, &one);
		if (!err)
			publish(&writer_mem(lpm)->w[first], one);
		return err;
	}

	n = 1U << (CNI_LPM_ROOT_BITS - p->len);
	slots = kvmalloc_array(n, sizeof(*slots), GFP_KERNEL_ACCOUNT);
	if (!slots)
		return -ENOMEM;
	memcpy(slots, &writer_mem(lpm)->w[first], n * sizeof(*slots));
	err = repaint(lpm, p, 0, CNI_LPM_ROOT_BITS, slots, first);
	for (i = 0; !err && i < n; i++)
		publish(&writer_mem(lpm)->w[first + i], slots[i]);
	kvfree(slots);
	return err;
}

static u32 node_move(struct cni_lpm *lpm, struct cni_lpm_mem *mem,
		     size_t *used, u32 entry)
{
	struct cni_lpm_node *from, *to;
	unsigned int i, runs;
	u32 at;

	if (!(entry & CNI_LPM_NODE))
		return entry;
	from = node_at(lpm, entry);
	runs = node_runs(from);
	at = *used / CNI_LPM_GRANULE;
	to = (void *)&mem->w[*used];
	*used += node_granules(runs) * CNI_LPM_GRANULE;
	memcpy(to, from, offsetof(struct cni_lpm_node, run) +
			 (1 + runs) * sizeof(u32));
	for (i = 1; i <= runs; i++)
		to->run[i] = node_move(lpm, mem, used, from->run[i]);
	return CNI_LPM_NODE | at;
}

/* Copy what is alive into memory of its size. */
static void compact(struct cni_lpm *lpm)
{
	size_t used = root_words(), words;
	struct cni_lpm_mem *mem;
	u32 i, at;

	words = lpm->used - lpm->idle - lpm->waiting;
	for (i = 0; i < lpm->retired.nr; i++) {
		at = lpm->retired.v[i];
		words -= node_granules(node_runs(node_at(lpm, at))) *
			 CNI_LPM_GRANULE;
	}
	words += words / 32 + 256;
	mem = mem_alloc(min_t(size_t, words, writer_mem(lpm)->words));
	if (!mem)
		return;
	for (i = 0; i < root_words(); i++) {
		mem->w[i] = node_move(lpm, mem, &used, writer_mem(lpm)->w[i]);
		if (!(i % 256))
			cond_resched();
	}
	lpm->used = used;
	lpm->idle = 0;
	lpm->waiting = 0;
	vec_clear(lpm, &lpm->retired);
	vec_clear(lpm, &lpm->wait);
	memset(lpm->free, 0, sizeof(lpm->free));
	mem_publish(lpm, mem);
}

static int update(struct cni_lpm *lpm, const struct pfx *p)
{
	unsigned int retired, i;
	size_t spare;
	bool again = true;
	int err;

	if (lpm->bulk)
		return 0;
	reclaim(lpm);
retry:
	retired = lpm->retired.nr;
	err = fix_root(lpm, p);
	if (err) {
		/* None of them was ever reachable. */
		for (i = 0; i < lpm->fresh.nr; i++)
			node_free(lpm, lpm->fresh.v[i]);
		lpm->retired.nr = retired;
	}
	vec_clear(lpm, &lpm->fresh);
	if (err == -ENOSPC && again) {
		again = false;
		compact(lpm);
		goto retry;
	}
	spare = writer_mem(lpm)->words - lpm->used + lpm->idle + lpm->waiting;
	if (!err && spare > lpm->used / 8 + 4096 &&
	    lpm->idle > lpm->used / 16 + 2048)
		compact(lpm);
	return err;
}

/**
 * cni_lpm_set - add a prefix or change its value
 * @lpm: the table
 * @prefix: the prefix
 * @value: 1 to CNI_LPM_VALUE_MAX
 *
 * Return: 0, -EINVAL for a bad prefix or value, -ENOSPC at the table's limit
 * or -ENOMEM; the table is as it was in case of an error.
 */
int cni_lpm_set(struct cni_lpm *lpm, const struct cni_prefix *prefix,
		u32 value)
{
	unsigned int words = entry_words(lpm);
	struct pos pos;
	struct pfx p;
	u32 *w, old;
	int err;

	if (!pfx_from(lpm, prefix, &p) || !value || value > CNI_LPM_VALUE_MAX)
		return -EINVAL;
	if (set_find(lpm, &p, &pos)) {
		w = set_at(lpm, &pos);
		old = w[words - 1];
		if (META_VALUE(old) == value)
			return 0;
		w[words - 1] = META(p.len, value);
		err = update(lpm, &p);
		if (err)
			w[words - 1] = old;
		return err;
	}
	err = set_insert(lpm, &p, value);
	if (err)
		return err;
	err = update(lpm, &p);
	if (err)
		set_remove(lpm, &p);
	return err;
}

/**
 * cni_lpm_del - remove a prefix
 * @lpm: the table
 * @prefix: the prefix
 *
 * The table's limit doesn't keep it from shrinking.
 *
 * Return: 0, -EINVAL for a bad prefix, -ENOENT if it isn't there or -ENOMEM;
 * the table is as it was in case of an error.
 */
int cni_lpm_del(struct cni_lpm *lpm, const struct cni_prefix *prefix)
{
	unsigned int words = entry_words(lpm);
	struct pos pos;
	struct pfx p;
	u32 *w, old;
	int err;

	if (!pfx_from(lpm, prefix, &p))
		return -EINVAL;
	if (!set_find(lpm, &p, &pos))
		return -ENOENT;
	/* Removing can't fail later, but putting it back could. */
	w = set_at(lpm, &pos);
	old = w[words - 1];
	w[words - 1] = META(p.len, 0);
	lpm->force = true;
	err = update(lpm, &p);
	lpm->force = false;
	if (err)
		w[words - 1] = old;
	else
		set_remove(lpm, &p);
	return err;
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
	struct pos pos;
	struct pfx p;

	if (!pfx_from(lpm, prefix, &p) || !set_find(lpm, &p, &pos))
		return 0;
	return entry_load(lpm, set_at(lpm, &pos), &p);
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
	struct pos pos;
	u32 *w, v;

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
	if (set_find(lpm, &p, &pos) && !first)
		pos.at++;
	w = set_at(lpm, &pos);
	if (!w)
		return -ENOENT;
	v = entry_load(lpm, w, &p);
	if (!pfx_covers(&q, &p))
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
	static const struct pfx all;
	int err;

	lpm->bulk = false;
	err = update(lpm, &all);
	if (!err)
		compact(lpm);
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
	size_t words = root_words() + 1024, scratch_bytes;
	struct cni_lpm_mem *mem;
	struct cni_lpm *lpm;

	scratch_bytes = (bits - CNI_LPM_ROOT_BITS) << 7;
	lpm = kzalloc(sizeof(*lpm), GFP_KERNEL_ACCOUNT);
	if (!lpm)
		return NULL;
	lpm->bits = bits;
	lpm->max_bytes = max_bytes;
	lpm->bytes = sizeof(*lpm) + scratch_bytes;
	if (!may_add(lpm, struct_size(mem, w, words)))
		goto err_free;
	lpm->scratch = kvmalloc(scratch_bytes, GFP_KERNEL_ACCOUNT);
	if (!lpm->scratch)
		goto err_free;
	mem = mem_alloc(words);
	if (!mem)
		goto err_scratch;
	memset(mem->w, 0, root_words() * 4);
	lpm->used = root_words();
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
	kvfree(lpm->scratch);
	kvfree(writer_mem(lpm));
	kfree(lpm);
}
