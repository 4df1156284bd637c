// SPDX-License-Identifier: GPL-2.0
/*
 * Makes nodes of the set. In its order a prefix comes before all that it
 * contains, so painting the slots of prefixes in this order leaves each slot
 * with its longest match. An update redoes what is in its prefix. What changes
 * its shape is a new node, published by one store in the level above; what
 * keeps its shape changes in place. Either way an address has its old answer or
 * its new one.
 */
#include "table.h"

/*
 * Paint all entries within @q, from @pos on, over the slots of a table of
 * 2^@stride slots at @depth, of which @slots begins with number @first.
 * A prefix comes before what it contains, so later paint is right to cover
 * earlier paint, and is what a deeper node starts from.
 */
int lpm_build_paint(struct lpm_table *lpm, struct lpm_pos *pos,
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
		err = lpm->ops->build(lpm, pos, &p, slots[i], &slots[i]);
		if (err)
			return err;
		cond_resched();
	}
	return 0;
}

/* Turn @slots into an entry, in place of @old where that can be. */
static int pack(struct lpm_table *lpm, const u32 *slots, u32 old, u32 *entry)
{
	unsigned int i;

	for (i = 1; i < LPM_SLOTS && slots[i] == slots[0]; i++)
		;
	if (i == LPM_SLOTS && !(slots[0] & CNI_LPM_NODE)) {
		*entry = slots[0];
		return lpm_mem_retire(lpm, old);
	}
	return lpm->ops->pack(lpm, slots, old, entry);
}

static void fill(u32 *slots, u32 value)
{
	unsigned int i;

	for (i = 0; i < LPM_SLOTS; i++)
		slots[i] = value;
}

/* Make what is below @q, where @value is what covers it, from @pos on. */
int lpm_build_node(struct lpm_table *lpm, struct lpm_pos *pos,
		   const struct lpm_pfx *q, u32 value, u32 *entry)
{
	u32 *slots = lpm_table_slots(lpm, q->len);
	int err;

	fill(slots, value);
	err = lpm_build_paint(lpm, pos, q, q->len, CNI_LPM_STRIDE, slots, 0);
	return err ?: pack(lpm, slots, 0, entry);
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
		err = lpm_mem_retire_tree(lpm, slots[i + n]);
		if (err)
			return err;
		slots[i + n] = value;
	}
	return lpm_build_paint(lpm, &pos, p, depth, stride, slots, first);
}

/* Bring a table in line with the set, within @p. */
int lpm_build_table(struct lpm_table *lpm, size_t at, unsigned int depth,
		    unsigned int stride, const struct lpm_pfx *p)
{
	unsigned int first = lpm_pfx_slot(p, depth, stride), n;
	u32 entry, *slots;
	int err;

	if (p->len > depth + stride) {
		lpm->ops->read(lpm, at, first, &entry, 1);
		err = lpm->ops->fix(lpm, entry, depth + stride, p, &entry);
		return err ?: lpm->ops->write(lpm, at, first, &entry, 1);
	}

	n = 1U << (depth + stride - p->len);
	slots = kvmalloc_array(n, sizeof(*slots), GFP_KERNEL_ACCOUNT);
	if (!slots)
		return -ENOMEM;
	lpm->ops->read(lpm, at, first, slots, n);
	err = repaint(lpm, p, depth, stride, slots, first);
	if (!err)
		err = lpm->ops->write(lpm, at, first, slots, n);
	kvfree(slots);
	return err;
}

/* Bring what is below @entry in line with the set, within @p. */
int lpm_build_fix(struct lpm_table *lpm, u32 entry, unsigned int depth,
		  const struct lpm_pfx *p, u32 *out)
{
	u32 *slots = lpm_table_slots(lpm, depth), *slot;
	unsigned int end = depth + CNI_LPM_STRIDE;
	int err;

	if (entry & CNI_LPM_NODE)
		lpm->ops->expand(lpm, entry, slots);
	else
		fill(slots, entry);
	if (p->len > end) {
		slot = &slots[lpm_pfx_slot(p, depth, CNI_LPM_STRIDE)];
		err = lpm->ops->fix(lpm, *slot, end, p, slot);
	} else {
		err = repaint(lpm, p, depth, CNI_LPM_STRIDE, slots, 0);
	}
	return err ?: pack(lpm, slots, entry, out);
}

/* Build all of it anew, by @ops, beside what readers see. */
int lpm_build_all(struct lpm_table *lpm, const struct lpm_ops *ops)
{
	static const struct lpm_pfx all;
	const struct lpm_ops *old_ops = lpm->ops;
	struct cni_lpm_mem *mem, *old = lpm->w;
	unsigned int n = 1U << CNI_LPM_ROOT_BITS;
	size_t old_used = lpm->used, words = ops->root_words + 1024;
	u32 saved[LPM_CLASSES], *slots;
	struct lpm_pos pos = {};
	struct lpm_vec same;
	int err = -ENOMEM;

	lpm->budget.bytes -= old->words * 4;
	if (!lpm_budget_allows(&lpm->budget, words * 4)) {
		lpm->budget.bytes += old->words * 4;
		return -ENOSPC;
	}
	mem = lpm_mem_alloc(ops, words);
	slots = kvcalloc(n, sizeof(*slots), GFP_KERNEL_ACCOUNT);
	if (!mem || !slots) {
		lpm->budget.bytes += old->words * 4;
		kvfree(mem);
		goto out;
	}
	lpm->budget.bytes += words * 4;
	lpm->w = mem;
	lpm->ops = ops;
	lpm->used = ops->first_words;
	lpm->building = true;
	same = lpm->same;
	memset(&lpm->same, 0, sizeof(lpm->same));
	memcpy(saved, lpm->free, sizeof(saved));
	memset(lpm->free, 0, sizeof(lpm->free));
	if (ops->index)
		ops->index(lpm);

	err = lpm_build_paint(lpm, &pos, &all, 0, CNI_LPM_ROOT_BITS, slots, 0);
	if (!err)
		err = ops->write(lpm, 0, 0, slots, n);
	if (!err) {
		lpm_mem_vec_free(lpm, &same);
		lpm->rebuild_at = U32_MAX;
		if (ops->sync)
			ops->sync(lpm, NULL);
		words = lpm_mem_words(lpm->used + lpm->used / 32 + 256);
		if (lpm->w->words > words)
			lpm_mem_resize(lpm, words);
		lpm_mem_publish(lpm, lpm->w);
		lpm_mem_forget(lpm);
	} else {
		lpm->budget.bytes -= lpm->w->words * 4;
		lpm->budget.bytes += old->words * 4;
		kvfree(lpm->w);
		lpm_mem_vec_free(lpm, &lpm->same);
		lpm->same = same;
		lpm->w = old;
		lpm->ops = old_ops;
		lpm->used = old_used;
		memcpy(lpm->free, saved, sizeof(saved));
		if (old_ops->index)
			old_ops->index(lpm);
	}
	lpm->building = false;
out:
	kvfree(slots);
	return err;
}
