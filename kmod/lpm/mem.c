// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of nodes. A table has one piece of it, in which nodes are at places
 * that entries tell. A node that was replaced is retired: its memory is for use
 * again after a grace period that nobody waits for; only when an eighth of the
 * memory waits for it does an update so, too. Memory that grows is copied, and
 * the old copy freed behind its readers' backs; what got scattered is copied
 * together.
 */
#include "table.h"

int lpm_mem_vec_room(struct lpm_table *lpm, struct lpm_vec *vec,
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

void lpm_mem_vec_free(struct lpm_table *lpm, struct lpm_vec *vec)
{
	lpm->budget.bytes -= vec->room * sizeof(*vec->v);
	kvfree(vec->v);
	memset(vec, 0, sizeof(*vec));
}

/* Give back what a large update needed, so that it isn't kept for good. */
void lpm_mem_vec_clear(struct lpm_table *lpm, struct lpm_vec *vec)
{
	vec->nr = 0;
	if (vec->room > 1024)
		lpm_mem_vec_free(lpm, vec);
}

/* From this size on, memory comes in huge pages: use them up. */
#define HUGE_BYTES		(2UL << 20)

size_t lpm_mem_words(size_t words)
{
	size_t bytes = offsetof(struct cni_lpm_mem, w) + words * 4;

	if (bytes < HUGE_BYTES)
		return words;
	bytes = DIV_ROUND_UP(bytes, HUGE_BYTES) * HUGE_BYTES;
	return (bytes - offsetof(struct cni_lpm_mem, w)) / 4;
}

/* Memory of an empty table, for nodes of @ops */
struct cni_lpm_mem *lpm_mem_alloc(const struct lpm_ops *ops, size_t words)
{
	struct cni_lpm_mem *mem;
	unsigned int i;

	mem = kvmalloc(struct_size(mem, w, words), GFP_KERNEL_ACCOUNT);
	if (!mem)
		return NULL;
	mem->words = words;
	mem->codes = 1;
	mem->flat = ops->flat;
	memset(mem->w, 0, ops->first_words * sizeof(*mem->w));
	for (i = 0; ops->empty && i < 1U << CNI_LPM_ROOT_BITS; i++)
		mem->slot[i] = ops->empty;
	return mem;
}

/* Let readers see @mem in place of what they see now. */
void lpm_mem_publish(struct lpm_table *lpm, struct cni_lpm_mem *mem)
{
	struct cni_lpm_mem *old;

	/* The caller's mutex serializes writers. */
	old = rcu_dereference_protected(lpm->pub.mem, 1);
	rcu_assign_pointer(lpm->pub.mem, mem);
	kvfree_rcu(old, rcu);
}

/* Same places in memory of another size; readers may go on in the old one. */
int lpm_mem_resize(struct lpm_table *lpm, size_t words)
{
	struct cni_lpm_mem *mem, *old = lpm->w;

	mem = lpm_mem_alloc(lpm->ops, words);
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
		lpm_mem_publish(lpm, mem);
	return 0;
}

static int mem_grow(struct lpm_table *lpm, size_t words)
{
	size_t more = lpm->used / (lpm->building ? 2 : 16) + 1024;
	size_t have = lpm->w->words - lpm->used;

	more = lpm_mem_words(lpm->used + max_t(size_t, more, words)) -
	       lpm->used;
	if (!lpm_budget_allows(&lpm->budget, (more - have) * 4))
		more = words;
	if (!lpm_budget_allows(&lpm->budget, (more - have) * 4))
		return -ENOSPC;
	if ((lpm->used + more) / lpm->ops->unit > CNI_LPM_PLACE)
		return -ENOSPC;
	return lpm_mem_resize(lpm, lpm->used + more);
}

/* The last list is of direct tables: nothing else is that large. */
static u32 *free_list(struct lpm_table *lpm, size_t words)
{
	return &lpm->free[min_t(size_t, words / lpm->ops->unit,
				LPM_CLASSES - 1)];
}

void lpm_mem_node_free(struct lpm_table *lpm, u32 entry)
{
	size_t words = lpm->ops->size(lpm, entry);
	u32 *list = free_list(lpm, words);

	lpm_table_words(lpm, entry)[LPM_LINK_WORD] = *list;
	*list = entry & CNI_LPM_PLACE;
	lpm->idle += words;
}

/* Reuse what no reader can hold any more; start the wait for the rest. */
void lpm_mem_reclaim(struct lpm_table *lpm)
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
			lpm_mem_node_free(lpm, wait->v[i]);
		lpm_mem_vec_clear(lpm, wait);
		lpm->waiting = 0;
	}
	if (!retired->nr)
		return;
	for (i = 0; i < retired->nr; i++)
		lpm->waiting += lpm->ops->size(lpm, retired->v[i]);
	vec = *wait;
	*wait = *retired;
	*retired = vec;
	lpm->gp = start_poll_synchronize_rcu();
}

/* All that was alive is in new memory now. */
void lpm_mem_forget(struct lpm_table *lpm)
{
	lpm->idle = 0;
	lpm->waiting = 0;
	lpm_mem_vec_clear(lpm, &lpm->retired);
	lpm_mem_vec_clear(lpm, &lpm->wait);
	memset(lpm->free, 0, sizeof(lpm->free));
}

int lpm_mem_node_alloc(struct lpm_table *lpm, size_t words, u32 type,
		       u32 *entry)
{
	u32 *list = free_list(lpm, words);
	int err;

	if (!lpm->building) {
		err = lpm_mem_vec_room(lpm, &lpm->fresh, 1);
		if (err)
			return err;
	}
	if (*list) {
		*entry = CNI_LPM_NODE | type | *list;
		*list = lpm_table_words(lpm, *entry)[LPM_LINK_WORD];
		lpm->idle -= words;
	} else {
		if (lpm->used >= lpm->ops->max_words)
			return -E2BIG;
		if (lpm->w->words - lpm->used < words) {
			err = mem_grow(lpm, words);
			if (err)
				return err;
		}
		*entry = CNI_LPM_NODE | type | lpm->used / lpm->ops->unit;
		lpm->used += words;
	}
	if (!lpm->building)
		lpm->fresh.v[lpm->fresh.nr++] = *entry;
	return 0;
}

int lpm_mem_retire(struct lpm_table *lpm, u32 entry)
{
	int err;

	if (!(entry & CNI_LPM_NODE))
		return 0;
	err = lpm_mem_vec_room(lpm, &lpm->retired, 1);
	if (!err)
		lpm->retired.v[lpm->retired.nr++] = entry;
	return err;
}

int lpm_mem_retire_tree(struct lpm_table *lpm, u32 entry)
{
	int err;

	if (!(entry & CNI_LPM_NODE))
		return 0;
	err = lpm->ops->retire_below(lpm, entry);
	return err ?: lpm_mem_retire(lpm, entry);
}

/* Copy a node and what is below to other memory: its entry there. */
u32 lpm_mem_move(struct lpm_table *lpm, struct lpm_move *to, u32 entry)
{
	u32 *words, at;
	size_t n;

	if (!(entry & CNI_LPM_NODE))
		return entry;
	n = lpm->ops->size(lpm, entry);
	at = to->used / lpm->ops->unit;
	words = &to->mem->w[to->used];
	to->used += n;
	memcpy(words, lpm_table_words(lpm, entry), n * sizeof(*words));
	lpm->ops->move_below(lpm, to, entry, words);
	return CNI_LPM_NODE | lpm_table_type(entry) | at;
}

/* Copy what is alive into memory of its size; a deep table's. */
void lpm_mem_compact(struct lpm_table *lpm)
{
	struct lpm_move to = { .used = lpm->ops->root_words };
	unsigned int i;
	size_t words;

	words = lpm->used - lpm->idle - lpm->waiting;
	for (i = 0; i < lpm->retired.nr; i++)
		words -= lpm->ops->size(lpm, lpm->retired.v[i]);
	words = min_t(size_t, lpm_mem_words(words + words / 32 + 256),
		      lpm->w->words);
	to.mem = lpm_mem_alloc(lpm->ops, words);
	if (!to.mem)
		return;
	for (i = 0; i < CNI_LPM_VALUES; i++) {
		to.mem->w[i] = lpm_mem_move(lpm, &to, lpm->w->w[i]);
		if (!(i % 256))
			cond_resched();
	}
	lpm_mem_forget(lpm);
	lpm->budget.bytes += to.mem->words * 4;
	lpm->budget.bytes -= lpm->w->words * 4;
	lpm->w = to.mem;
	lpm->used = to.used;
	lpm_mem_publish(lpm, to.mem);
	lpm->ops->index(lpm);
}
