// SPDX-License-Identifier: GPL-2.0
/*
 * Deep IPv6: allocations are /29 to /32 out of some 50 crowded /16, and
 * prefixes in them end at /48. So a crowded /16 has a direct table for 13 more
 * bits, and what is behind that, mostly few runs, is a cache line with sorted
 * ends of 13 runs of the next 32 bits, or one such line that leads to up to 13
 * others:
 *
 *	root      direct       line                lines
 *	bits 0-15 bits 16-28   last[12] code[13]   last[12] ---> line 1 ... 13
 *
 * The run of an address is how many ends are before it: compared all with no
 * branch. That is three or four lines for a /48, of which root and direct
 * table are shared by many. Where more than 169 runs come together, a node as
 * in IPv4 takes 8 bits out of the way first.
 */
#include "table.h"

#define LINE_WORDS		16
#define LINE_RUNS		(CNI_LPM_LASTS + 1)
#define LINES_RUNS		(LINE_RUNS * LINE_RUNS)

/*
 * What a node is, by how many entries it has: apart, so as not to swap
 * with each update.
 */
#define DIRECT_ENTRIES		1024
#define DIRECT_ENTRIES_MIN	256
#define LINES_ENTRIES_MIN	32

static size_t deep6_size(const struct lpm_table *lpm, u32 entry)
{
	const struct cni_lpm_line *line;

	switch (lpm_table_type(entry)) {
	case CNI_LPM_DIRECT:
		return LPM_DIRECT_WORDS;
	case CNI_LPM_LINE:
	case CNI_LPM_LINES:
		line = (const void *)lpm_table_words(lpm, entry);
		return line->lines * LINE_WORDS;
	}
	return lpm_deep4_size(lpm, entry);
}

static int direct_build(struct lpm_table *lpm, struct lpm_pos *pos,
			const struct lpm_pfx *q, u32 value, u32 *entry)
{
	u32 *slots;
	unsigned int i;
	int err;

	slots = kvmalloc_array(LPM_DIRECT_WORDS, sizeof(*slots),
			       GFP_KERNEL_ACCOUNT);
	if (!slots)
		return -ENOMEM;
	for (i = 0; i < LPM_DIRECT_WORDS; i++)
		slots[i] = value;
	err = lpm_build_paint(lpm, pos, q, q->len, CNI_LPM_DIRECT_BITS, slots,
			      0);
	if (!err)
		err = lpm_mem_node_alloc(lpm, LPM_DIRECT_WORDS, CNI_LPM_DIRECT,
					 entry);
	if (!err)
		memcpy(lpm_table_words(lpm, *entry), slots,
		       LPM_DIRECT_WORDS * sizeof(*slots));
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

	c = lpm_deep4_code(lpm, value);
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
		c = lpm_deep4_code(lpm, value);
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
	err = lpm_mem_node_alloc(lpm, lines * LINE_WORDS,
				 lines > 1 ? CNI_LPM_LINES : CNI_LPM_LINE,
				 entry);
	if (err)
		return err;
	line = (void *)lpm_table_words(lpm, *entry);
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

static int deep6_build(struct lpm_table *lpm, struct lpm_pos *pos,
		       const struct lpm_pfx *q, u32 value, u32 *entry)
{
	u32 *slots = lpm_table_slots(lpm, q->len);
	struct lpm_pos start = *pos;
	struct runs runs = {
		.start = slots,
		.code = (u8 *)(slots + LINES_RUNS),
	};

	if (q->len == CNI_LPM_ROOT_BITS &&
	    lpm_set_more(&lpm->set, *pos, q, DIRECT_ENTRIES))
		return direct_build(lpm, pos, q, value, entry);
	if (!lpm_set_more(&lpm->set, *pos, q, LINES_RUNS) &&
	    runs_from(lpm, pos, q, value, &runs))
		return lines_pack(lpm, &runs, entry);
	*pos = start;
	return lpm_build_node(lpm, pos, q, value, entry);
}

/* Can a node at @q stay what it is? */
static bool may_stay(const struct lpm_table *lpm, u32 entry,
		     struct lpm_pos pos, const struct lpm_pfx *q)
{
	if (!(entry & CNI_LPM_NODE))
		return false;
	switch (lpm_table_type(entry)) {
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

static int deep6_fix(struct lpm_table *lpm, u32 entry, unsigned int depth,
		     const struct lpm_pfx *p, u32 *out)
{
	struct lpm_pfx q = *p, cover;
	struct lpm_pos pos;
	u32 value = 0;
	int err;

	lpm_pfx_cut(&q, depth);
	if (lpm_set_find(&lpm->set, &q, &pos)) {
		lpm_set_at(&lpm->set, &pos, &cover, &value);
		lpm_set_step(&pos, &cover);
	}
	if (!may_stay(lpm, entry, pos, &q)) {
		if (!value)
			value = lpm_set_cover(&lpm->set, &q, &cover);
		err = deep6_build(lpm, &pos, &q, value, out);
		return err ?: lpm_mem_retire_tree(lpm, entry);
	}
	if (lpm_table_type(entry) == CNI_LPM_DIRECT) {
		*out = entry;
		return lpm_build_table(lpm, lpm_table_words(lpm, entry) -
					    lpm->w->w, depth,
				       CNI_LPM_DIRECT_BITS, p);
	}
	return lpm_build_fix(lpm, entry, depth, p, out);
}

static int deep6_retire_below(struct lpm_table *lpm, u32 entry)
{
	unsigned int i;
	int err = 0;

	if (lpm_table_type(entry) != CNI_LPM_DIRECT)
		return lpm_deep4_retire_below(lpm, entry);
	for (i = 0; !err && i < LPM_DIRECT_WORDS; i++)
		err = lpm_mem_retire_tree(lpm, lpm_table_words(lpm, entry)[i]);
	return err;
}

static void deep6_move_below(struct lpm_table *lpm, struct lpm_move *to,
			     u32 entry, u32 *words)
{
	struct cni_lpm_line *line = (void *)words;
	unsigned int i, j, n;

	switch (lpm_table_type(entry)) {
	case CNI_LPM_DIRECT:
		for (i = 0; i < LPM_DIRECT_WORDS; i++)
			words[i] = lpm_mem_move(lpm, to, words[i]);
		break;
	case CNI_LPM_LINE:
	case CNI_LPM_LINES:
		n = line->lines;
		for (i = n > 1; i < n; i++)
			for (j = 0; j < LINE_RUNS; j++)
				line[i].code[j] =
					lpm_deep4_code_move(lpm, to,
							    line[i].code[j]);
		break;
	default:
		lpm_deep4_move_below(lpm, to, entry, words);
	}
}

const struct lpm_ops lpm_deep6_ops = {
	.unit		= CNI_LPM_UNIT6,
	.root_words	= LPM_DEEP_ROOT_WORDS,
	.first_words	= LPM_DEEP_ROOT_WORDS,
	.max_words	= SIZE_MAX,
	.index		= lpm_deep4_index,
	.read		= lpm_deep4_read,
	.write		= lpm_deep4_write,
	.size		= deep6_size,
	.expand		= lpm_deep4_expand,
	.pack		= lpm_deep4_pack,
	.build		= deep6_build,
	.fix		= deep6_fix,
	.retire_below	= deep6_retire_below,
	.move_below	= deep6_move_below,
};
