// SPDX-License-Identifier: GPL-2.0
/*
 * The table's functions, and how an update goes: it changes the set, then
 * redoes what is in the prefix. One of a /24 costs a search in the set, which
 * reads half a block, for one that goes some more for what is around it, a
 * memmove in a block and a node of up to 256 slots: less than 3 us where there
 * are a million. One of a short prefix costs what is in it: a default route
 * rebuilds all.
 */
#include "table.h"

static const struct lpm_ops *ops_for(unsigned int bits, bool flat)
{
	if (bits == 32)
		return flat ? &lpm_flat4_ops : &lpm_deep4_ops;
	return flat ? &lpm_flat6_ops : &lpm_deep6_ops;
}

static int rebuild(struct lpm_table *lpm, bool flat)
{
	return lpm_build_all(lpm, ops_for(lpm->set.bits, flat));
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
	err = lpm_build_table(lpm, 0, 0, CNI_LPM_ROOT_BITS, p);
	if (lpm->ops->sync)
		lpm->ops->sync(lpm, p);
	if (err) {
		/* None of them was ever reachable. */
		for (i = 0; i < lpm->fresh.nr; i++)
			lpm_mem_node_free(lpm, lpm->fresh.v[i]);
		lpm->retired.nr = retired;
	}
	lpm_mem_vec_clear(lpm, &lpm->fresh);
	return err;
}

static int update(struct lpm_table *lpm, const struct lpm_pfx *p)
{
	size_t spare;
	int err;

	if (lpm->bulk)
		return 0;
	lpm_mem_reclaim(lpm);
	err = update_once(lpm, p);
	if (err == -E2BIG) {
		lpm->flat_below = lpm->set.count / 2;
		return rebuild(lpm, false);
	}
	if (err == -ENOSPC && lpm->w->flat)
		return rebuild(lpm, true);
	if (err == -ENOSPC) {
		lpm_mem_compact(lpm);
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
	if (lpm->set.count >= lpm->rebuild_at && !rebuild(lpm, true))
		return 0;
	spare = lpm->w->words - lpm->used + lpm->idle + lpm->waiting;
	if (spare > lpm->used / 16 + 1024 &&
	    lpm->idle > lpm->used / 32 + 512) {
		if (lpm->w->flat)
			rebuild(lpm, true);
		else
			lpm_mem_compact(lpm);
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
	lpm->wide |= value > LPM_FLAT_VALUE_MAX;
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
	if (!table->wide && table->set.count < LPM_FLAT_BLOCKS_MAX * LPM_SLOTS)
		err = rebuild(table, true);
	if (err == -E2BIG) {
		table->flat_below = table->set.count / 2;
		err = rebuild(table, false);
	}
	return err;
}

/* Room for slots at each depth, of which the last may end behind @bits. */
static size_t scratch_bytes(unsigned int bits)
{
	size_t slots = (bits - CNI_LPM_ROOT_BITS + CNI_LPM_STRIDE) * 32 *
		       sizeof(u32);

	return offsetof(struct lpm_scratch, slots) +
	       max_t(size_t, slots, LPM_SET_COPY * sizeof(struct lpm_entries));
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
	const struct lpm_ops *ops = ops_for(bits, true);
	size_t words = ops->root_words + 1024;
	size_t scratch = scratch_bytes(bits);
	struct lpm_table *table;
	struct cni_lpm_mem *mem;

	table = kzalloc(sizeof(*table), GFP_KERNEL_ACCOUNT);
	if (!table)
		return NULL;
	table->ops = ops;
	/* IPv4's front is chosen by the first prefixes. */
	table->rebuild_at = bits == 32 ? 2 : U32_MAX;
	table->budget.max = max_bytes;
	table->budget.bytes = sizeof(*table) + scratch;
	if (!lpm_budget_allows(&table->budget, struct_size(mem, w, words)))
		goto err_free;
	table->scratch = kvzalloc(scratch, GFP_KERNEL_ACCOUNT);
	if (!table->scratch)
		goto err_free;
	lpm_set_init(&table->set, bits, &table->budget, table->scratch->copy,
		     &table->scratch->last);
	mem = lpm_mem_alloc(ops, words);
	if (!mem)
		goto err_scratch;
	table->w = mem;
	table->used = ops->first_words;
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
