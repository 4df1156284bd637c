/* SPDX-License-Identifier: GPL-2.0 */
/* The writer's side of a table, for the files in this folder. */
#ifndef _CNI_LPM_TABLE_H
#define _CNI_LPM_TABLE_H

#include "lookup.h"
#include "set.h"

#define LPM_SLOTS		256
#define LPM_FLAT_BLOCKS_MAX	(CNI_LPM_BLOCK / CNI_LPM_BLOCK_STEP)
#define LPM_FLAT_VALUE_MAX	(CNI_LPM_BLOCK - 1)
#define LPM_DIRECT_WORDS	8192
#define LPM_CODES_MAX		256
#define LPM_CODE_SLOTS		1024
#define LPM_DEEP_ROOT_WORDS	(CNI_LPM_VALUES + LPM_CODES_MAX)
#define LPM_LINK_WORD		9	/* in a node that is free */
#define LPM_CLASSES		69	/* lists of free nodes, by size */

struct lpm_table;

/* While what is alive goes to other memory */
struct lpm_move {
	struct cni_lpm_mem *mem;
	size_t used;
	u8 codes[LPM_CODES_MAX];
};

/**
 * struct lpm_ops - a design of nodes, for who builds them
 * @flat: look-ups take its memory for flat
 * @empty: what slots of an empty root are, if not 0
 * @unit: words that places are counted in
 * @root_words: the root and what comes with it
 * @first_words: where nodes begin
 * @max_words: no node begins there or behind
 * @index: ready itself for memory that is new or back (or NULL)
 * @sync: follow a change within a prefix, or anew for all if that is NULL
 *	(or NULL)
 * @read: get slots from number @i on of the table at word @at: the root at 0,
 *	or a node
 * @write: put them, all of them or none
 * @size: words of a node
 * @expand: get a node's slots
 * @pack: make a node of slots, in place of an old one where that can be
 * @build: make what is below a prefix
 * @fix: bring what is below an entry in line with the set, within a prefix
 * @retire_below: retire what a node leads to
 * @move_below: move what the copy of a node in @words leads to (deep only)
 *
 * Look-ups have no use for it: they branch by what they read.
 */
struct lpm_ops {
	bool flat;
	u16 empty;
	size_t unit;
	size_t root_words;
	size_t first_words;
	size_t max_words;
	void (*index)(struct lpm_table *lpm);
	void (*sync)(struct lpm_table *lpm, const struct lpm_pfx *p);
	void (*read)(const struct lpm_table *lpm, size_t at, unsigned int i,
		     u32 *slots, unsigned int n);
	int (*write)(struct lpm_table *lpm, size_t at, unsigned int i,
		     const u32 *slots, unsigned int n);
	size_t (*size)(const struct lpm_table *lpm, u32 entry);
	void (*expand)(const struct lpm_table *lpm, u32 entry, u32 *slots);
	int (*pack)(struct lpm_table *lpm, const u32 *slots, u32 old,
		    u32 *entry);
	int (*build)(struct lpm_table *lpm, struct lpm_pos *pos,
		     const struct lpm_pfx *q, u32 value, u32 *entry);
	int (*fix)(struct lpm_table *lpm, u32 entry, unsigned int depth,
		   const struct lpm_pfx *p, u32 *out);
	int (*retire_below)(struct lpm_table *lpm, u32 entry);
	void (*move_below)(struct lpm_table *lpm, struct lpm_move *to,
			   u32 entry, u32 *words);
};

extern const struct lpm_ops lpm_flat4_ops, lpm_flat6_ops;
extern const struct lpm_ops lpm_deep4_ops, lpm_deep6_ops;

/* A list of nodes */
struct lpm_vec {
	u32 *v;
	unsigned int nr;
	unsigned int room;
};

/*
 * @last is the set's. @codes finds codes by value. @slots are those of a node
 * at each depth, while the set doesn't need it to @copy blocks.
 */
struct lpm_scratch {
	struct lpm_pos last;
	u8 codes[LPM_CODE_SLOTS];
	union {
		DECLARE_FLEX_ARRAY(struct lpm_entries, copy);
		DECLARE_FLEX_ARRAY(u32, slots);
	};
};

/*
 * @w is what readers see, but while a new one is being built. Of its words,
 * @used are in use, @idle of these free again, and @waiting until the end of
 * the grace period @gp. It becomes flat with less prefixes than @flat_below,
 * and is built anew with @rebuild_at. An update's new nodes are in @fresh, old
 * ones in @retired, then in @wait; @same has flat IPv4's blocks of one value.
 */
struct lpm_table {
	struct cni_lpm pub;
	struct cni_lpm_mem *w;
	const struct lpm_ops *ops;
	struct lpm_scratch *scratch;
	struct lpm_budget budget;
	size_t used;
	size_t idle;
	size_t waiting;
	unsigned long gp;
	unsigned int flat_below;
	unsigned int rebuild_at;
	u32 free[LPM_CLASSES];
	bool bulk;
	bool wide;
	bool building;
	struct lpm_vec retired;
	struct lpm_vec wait;
	struct lpm_vec fresh;
	struct lpm_vec same;
	struct lpm_set set;
};

static inline struct lpm_table *lpm_table(const struct cni_lpm *lpm)
{
	return container_of(lpm, struct lpm_table, pub);
}

static inline u32 *lpm_table_words(const struct lpm_table *lpm, u32 entry)
{
	return &lpm->w->w[(entry & CNI_LPM_PLACE) * lpm->ops->unit];
}

static inline u32 lpm_table_type(u32 entry)
{
	return entry & CNI_LPM_TYPE;
}

/* Where the slots of a node at @depth are while it is made. */
static inline u32 *lpm_table_slots(const struct lpm_table *lpm,
				   unsigned int depth)
{
	return lpm->scratch->slots + (depth - CNI_LPM_ROOT_BITS) * 32;
}

/* A reader that sees the entry sees the node or value behind it. */
#define lpm_publish(to, entry)						\
	do {								\
		typeof(to) _to = (to);					\
		typeof(*_to) _entry = (entry);				\
									\
		if (*_to != _entry)					\
			/* Pairs with the reader's address dependency. */ \
			smp_store_release(_to, _entry);			\
	} while (0)

/* mem.c */
int lpm_mem_vec_room(struct lpm_table *lpm, struct lpm_vec *vec,
		     unsigned int more);
void lpm_mem_vec_free(struct lpm_table *lpm, struct lpm_vec *vec);
void lpm_mem_vec_clear(struct lpm_table *lpm, struct lpm_vec *vec);
size_t lpm_mem_words(size_t words);
struct cni_lpm_mem *lpm_mem_alloc(const struct lpm_ops *ops, size_t words);
void lpm_mem_publish(struct lpm_table *lpm, struct cni_lpm_mem *mem);
int lpm_mem_resize(struct lpm_table *lpm, size_t words);
void lpm_mem_compact(struct lpm_table *lpm);
void lpm_mem_reclaim(struct lpm_table *lpm);
void lpm_mem_forget(struct lpm_table *lpm);
int lpm_mem_node_alloc(struct lpm_table *lpm, size_t words, u32 type,
		       u32 *entry);
void lpm_mem_node_free(struct lpm_table *lpm, u32 entry);
int lpm_mem_retire(struct lpm_table *lpm, u32 entry);
int lpm_mem_retire_tree(struct lpm_table *lpm, u32 entry);
u32 lpm_mem_move(struct lpm_table *lpm, struct lpm_move *to, u32 entry);

/* build.c */
int lpm_build_paint(struct lpm_table *lpm, struct lpm_pos *pos,
		    const struct lpm_pfx *q, unsigned int depth,
		    unsigned int stride, u32 *slots, unsigned int first);
int lpm_build_node(struct lpm_table *lpm, struct lpm_pos *pos,
		   const struct lpm_pfx *q, u32 value, u32 *entry);
int lpm_build_table(struct lpm_table *lpm, size_t at, unsigned int depth,
		    unsigned int stride, const struct lpm_pfx *p);
int lpm_build_fix(struct lpm_table *lpm, u32 entry, unsigned int depth,
		  const struct lpm_pfx *p, u32 *out);
int lpm_build_all(struct lpm_table *lpm, const struct lpm_ops *ops);

/* deep4.c, what IPv6 has of it */
void lpm_deep4_index(struct lpm_table *lpm);
void lpm_deep4_read(const struct lpm_table *lpm, size_t at, unsigned int i,
		    u32 *slots, unsigned int n);
int lpm_deep4_write(struct lpm_table *lpm, size_t at, unsigned int i,
		    const u32 *slots, unsigned int n);
size_t lpm_deep4_size(const struct lpm_table *lpm, u32 entry);
void lpm_deep4_expand(const struct lpm_table *lpm, u32 entry, u32 *slots);
int lpm_deep4_pack(struct lpm_table *lpm, const u32 *slots, u32 old,
		   u32 *entry);
int lpm_deep4_retire_below(struct lpm_table *lpm, u32 entry);
void lpm_deep4_move_below(struct lpm_table *lpm, struct lpm_move *to, u32 entry,
			  u32 *words);
int lpm_deep4_code(struct lpm_table *lpm, u32 value);
u8 lpm_deep4_code_move(struct lpm_table *lpm, struct lpm_move *to, u8 code);

#endif /* _CNI_LPM_TABLE_H */
