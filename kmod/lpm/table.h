/* SPDX-License-Identifier: GPL-2.0 */
/* The writer's side of a table, for the files in this folder. */
#ifndef _CNI_LPM_TABLE_H
#define _CNI_LPM_TABLE_H

#include "lookup.h"
#include "set.h"

#define LPM_CODES_MAX		256
#define LPM_CODE_SLOTS		1024
#define LPM_CLASSES		69

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
 * the grace period @gp.
 */
struct lpm_table {
	struct cni_lpm pub;
	struct cni_lpm_mem *w;
	struct lpm_scratch *scratch;
	struct lpm_budget budget;
	size_t used;
	size_t idle;
	size_t waiting;
	unsigned long gp;
	unsigned int flat_below;
	unsigned int front_count;
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

#endif /* _CNI_LPM_TABLE_H */
