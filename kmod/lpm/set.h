/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_LPM_SET_H
#define _CNI_LPM_SET_H

#include "pfx.h"

/* What a table takes of memory, and what it may take. */
struct lpm_budget {
	size_t max;
	size_t bytes;
};

struct lpm_entries {
	u16 used;
	u16 nr;
	u8 data[252];
};

/* A place in the set: its block, number, and bytes there; what is before. */
struct lpm_pos {
	unsigned int block;
	unsigned int at;
	unsigned int off;
	unsigned int end;
	struct lpm_pfx prev;
};

/* Neighbours on each side that a block shares with; room to do it in. */
#define LPM_SET_REACH		2
#define LPM_SET_COPY		(2 * LPM_SET_REACH + 2)

/*
 * @last is where something was sought last: it again, or what comes next, needs
 * no search. So all that looks at the set needs what excludes writers.
 */
struct lpm_set {
	u64 *first;
	struct lpm_entries **block;
	struct lpm_pos *last;
	struct lpm_entries *copy;
	struct lpm_budget *budget;
	unsigned int bits;
	unsigned int nr;
	unsigned int room;
	unsigned int count;
};

void lpm_set_init(struct lpm_set *set, unsigned int bits,
		  struct lpm_budget *budget, struct lpm_entries *copy,
		  struct lpm_pos *last);
void lpm_set_free(struct lpm_set *set);
bool lpm_set_at(const struct lpm_set *set, struct lpm_pos *pos,
		struct lpm_pfx *p, u32 *value);
bool lpm_set_find(const struct lpm_set *set, const struct lpm_pfx *p,
		  struct lpm_pos *pos);
bool lpm_set_more(const struct lpm_set *set, struct lpm_pos pos,
		  const struct lpm_pfx *q, unsigned int max);
u32 lpm_set_cover(const struct lpm_set *set, const struct lpm_pfx *p,
		  struct lpm_pfx *out);
int lpm_set_put(struct lpm_set *set, struct lpm_pos pos, bool found,
		const struct lpm_pfx *p, u32 value);
void lpm_set_remove(struct lpm_set *set, const struct lpm_pfx *p);
void lpm_set_mark(struct lpm_set *set, const struct lpm_pos *pos, u32 value);

/* Leave the entry that lpm_set_at() told behind. */
static inline void lpm_set_step(struct lpm_pos *pos, const struct lpm_pfx *p)
{
	pos->at++;
	pos->off = pos->end;
	pos->prev = *p;
}

static inline bool lpm_budget_allows(const struct lpm_budget *budget,
				     size_t bytes)
{
	return bytes <= budget->max && budget->bytes <= budget->max - bytes;
}

#endif /* _CNI_LPM_SET_H */
