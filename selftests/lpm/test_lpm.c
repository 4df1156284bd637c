// SPDX-License-Identifier: GPL-2.0
/* The prefix table against a linear list: every answer, every order. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "lpm-sources.h"

#define MAX_NAIVE	200000

struct naive {
	struct cni_prefix p;
	u32 value;
};

static struct naive naive[MAX_NAIVE];
static unsigned int nr_naive;
static unsigned int bits;
static struct cni_lpm *lpm;
static struct lpm_table *table;
static unsigned int nr_tests, nr_failed;
static u64 seed = 88172645463325252ULL;

static u64 rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1dULL >> 16;
}

static void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("Bail out! ");
	vprintf(fmt, ap);
	printf("\n");
	va_end(ap);
	exit(1);
}

static const char *show(const struct cni_prefix *p)
{
	static char text[4][INET6_ADDRSTRLEN + 8];
	static unsigned int i;
	char *s = text[i++ % 4];

	inet_ntop(bits == 32 ? AF_INET : AF_INET6, p->bytes, s,
		  INET6_ADDRSTRLEN);
	sprintf(s + strlen(s), "/%u", p->len);
	return s;
}

static bool fail_here;

#define expect(cond, ...)						\
	do {								\
		if (!(cond) && !fail_here) {				\
			fail_here = true;				\
			printf("# %s:%d: ", __func__, __LINE__);	\
			printf(__VA_ARGS__);				\
			printf("\n");					\
		}							\
	} while (0)

static bool covers(const struct cni_prefix *p, const u8 *addr)
{
	unsigned int whole = p->len / 8, rest = p->len % 8;

	if (memcmp(p->bytes, addr, whole))
		return false;
	return !rest || !((p->bytes[whole] ^ addr[whole]) >> (8 - rest));
}

static u32 naive_lookup(const u8 *addr)
{
	int best = -1;
	u32 value = 0;
	unsigned int i;

	for (i = 0; i < nr_naive; i++) {
		if (naive[i].p.len > best && covers(&naive[i].p, addr)) {
			best = naive[i].p.len;
			value = naive[i].value;
		}
	}
	return value;
}

static int naive_find(const struct cni_prefix *p)
{
	unsigned int i;

	for (i = 0; i < nr_naive; i++)
		if (naive[i].p.len == p->len &&
		    !memcmp(naive[i].p.bytes, p->bytes, 16))
			return i;
	return -1;
}

static u32 naive_cover(const struct cni_prefix *p)
{
	int best = -1;
	u32 value = 0;
	unsigned int i;

	for (i = 0; i < nr_naive; i++) {
		if (naive[i].p.len < p->len && naive[i].p.len > best &&
		    covers(&naive[i].p, p->bytes)) {
			best = naive[i].p.len;
			value = naive[i].value;
		}
	}
	return value;
}

static u32 lookup(const u8 *addr)
{
	struct in6_addr a;
	__be32 v4;

	if (bits == 32) {
		memcpy(&v4, addr, 4);
		return cni_lpm_lookup4(lpm, v4);
	}
	memcpy(&a, addr, 16);
	return cni_lpm_lookup6(lpm, &a);
}

static void step_addr(u8 *addr, int by)
{
	int i;

	for (i = bits / 8 - 1; i >= 0; i--) {
		addr[i] += by;
		if (addr[i] != (by > 0 ? 0 : 255))
			return;
	}
}

static void check_addr(const u8 *addr)
{
	struct cni_prefix p = { .len = bits };
	u32 got = lookup(addr), want = naive_lookup(addr);

	memcpy(p.bytes, addr, bits / 8);
	expect(got == want, "%s: %u, not %u", show(&p), got, want);
}

/* First and last address, and those beside them. */
static void check_bounds(const struct cni_prefix *p)
{
	u8 addr[16] = {};
	unsigned int i;

	memcpy(addr, p->bytes, bits / 8);
	check_addr(addr);
	step_addr(addr, -1);
	check_addr(addr);
	memcpy(addr, p->bytes, bits / 8);
	for (i = p->len; i < bits; i++)
		addr[i / 8] |= 0x80 >> (i % 8);
	check_addr(addr);
	step_addr(addr, 1);
	check_addr(addr);
	memcpy(addr, p->bytes, bits / 8);
	for (i = p->len; i < bits; i++)
		if (rnd() & 1)
			addr[i / 8] |= 0x80 >> (i % 8);
	check_addr(addr);
}

static size_t live;

static void check_lines(u32 entry)
{
	const struct cni_lpm_line *line = (void *)lpm_table_words(table, entry);
	unsigned int i, j, lines = line->lines;
	long long last = -1;

	expect((lines > 1) == (lpm_table_type(entry) == CNI_LPM_LINES),
	       "lines");
	expect(lines && lines <= 1 + LINE_RUNS && lines != 2, "%u lines",
	       lines);
	for (i = lines > 1; i < lines; i++) {
		if (i > 1) {
			expect(line[0].last[i - 2] > last, "order of lines");
			last = line[0].last[i - 2];
		}
		for (j = 0; j < CNI_LPM_LASTS; j++) {
			expect(line[i].last[j] > last ||
			       line[i].last[j] == U32_MAX, "order");
			last = line[i].last[j];
			expect(line[i].code[j] < table->w->codes, "code");
		}
	}
}

static void check_node(u32 entry, unsigned int depth)
{
	struct cni_lpm_node *node;
	unsigned int i, runs = 0;
	u32 slots[LPM_SLOTS];

	if (!(entry & CNI_LPM_NODE)) {
		expect(entry <= CNI_LPM_VALUE_MAX, "bad value %x", entry);
		return;
	}
	expect(depth < bits, "node at depth %u", depth);
	live += table->ops->size(table, entry);
	expect(lpm_table_words(table, entry) + table->ops->size(table, entry) <=
	       table->w->w + table->used, "node beyond the end");
	if (!table->w->flat && lpm_table_type(entry) == CNI_LPM_DIRECT) {
		expect(depth == 16, "direct at %u", depth);
		for (i = 0; i < LPM_DIRECT_WORDS && !fail_here; i++)
			check_node(lpm_table_words(table, entry)[i], 29);
		return;
	}
	if (!table->w->flat && entry & CNI_LPM_LINE) {
		check_lines(entry);
		return;
	}
	table->ops->expand(table, entry, slots);
	for (i = 0; i < LPM_SLOTS; i++) {
		if (i && slots[i] == slots[i - 1])
			continue;
		runs++;
		check_node(slots[i], depth + 8);
	}
	expect(runs > 1, "a node of one run");
	if (table->w->flat || fail_here)
		return;
	node = node_at(table, entry);
	expect(runs == node_runs(node), "equal neighbours");
	expect(node->map[0] & 1, "slot 0 begins no run");
	for (i = 0, runs = 0; i < 4; i++) {
		expect(node->before[i] == runs, "wrong count %u", i);
		runs += hweight64(node->map[i]);
	}
	for (i = 1; i <= runs && lpm_table_type(entry) == CNI_LPM_NARROW; i++)
		expect(node->code[i] < table->w->codes, "code");
}

/* Blocks of one value: each value once, and the block is all that. */
static void check_same(void)
{
	unsigned int i, j;
	u32 entry;
	u16 *slot;

	expect(!table->same.nr || table->ops == &lpm_flat4_ops,
	       "a list that nobody needs");
	for (i = 0; i < table->same.nr; i += 2) {
		expect(same_find(table, table->same.v[i], &entry) &&
		       entry == table->same.v[i + 1], "value %u twice",
		       table->same.v[i]);
		slot = (u16 *)lpm_table_words(table, entry);
		for (j = 0; j < LPM_SLOTS; j++)
			expect(slot[j] == table->same.v[i], "block of %u",
			       table->same.v[i]);
	}
	if (table->ops != &lpm_flat4_ops)
		return;
	for (i = 0; i < 1U << CNI_LPM_ROOT_BITS; i++)
		expect(table->w->slot[i] & CNI_LPM_BLOCK, "value in the root");
}

/* The front is what the blocks are that its tags name: each @step-th. */
static void check_front(unsigned int step)
{
	const u8 *front = (const u8 *)table->w->slot + CNI_LPM_FRONT;
	unsigned int tag, i;
	const u16 *from;

	if (table->ops != &lpm_flat4_ops)
		return;
	for (tag = rnd() % step; tag < TAGS; tag += step) {
		from = front_source(table, tag, front_tags(table)[tag]);
		for (i = 0; i < TAG_SLOTS; i++)
			expect(front[tag * TAG_SLOTS + i] ==
			       front_value(from[i]), "front at %x", tag);
	}
}

static void check_structure(void)
{
	unsigned int b, i, count = 0;
	struct lpm_pfx last = {}, p;
	size_t idle = 0, sum = 0;
	u32 entry;

	expect(table->w == lpm->mem, "not what readers see");
	live = table->ops->first_words +
	       table->same.nr / 2 * BLOCK_WORDS;
	check_same();
	check_front(32);
	for (i = 0; i < 1U << CNI_LPM_ROOT_BITS && !fail_here; i++) {
		table->ops->read(table, 0, i, &entry, 1);
		check_node(entry, CNI_LPM_ROOT_BITS);
	}
	for (i = 0; i < LPM_CLASSES; i++) {
		u32 at;

		for (at = table->free[i]; at;
		     at = lpm_table_words(table, at)[LPM_LINK_WORD])
			idle += i == LPM_CLASSES - 1 ? LPM_DIRECT_WORDS :
							   i * table->ops->unit;
	}
	expect(idle == table->idle, "idle %zu, not %zu", table->idle, idle);
	for (i = 0; i < table->wait.nr; i++)
		sum += table->ops->size(table, table->wait.v[i]);
	expect(sum == table->waiting, "waiting");
	for (i = 0; i < table->retired.nr; i++)
		sum += table->ops->size(table, table->retired.v[i]);
	expect(live + idle + sum == table->used,
	       "lost memory: %zu live, %zu idle, %zu waiting, %zu used", live,
	       idle, sum, table->used);

	sum = sizeof(*table) + scratch_bytes(bits) +
	      struct_size(table->w, w, table->w->words) +
	      (table->retired.room + table->wait.room + table->fresh.room +
	       table->same.room) * 4 +
	      table->set.room * 16 + table->set.nr * BLOCK_BYTES;
	expect(sum == table->budget.bytes, "%zu bytes counted as %zu", sum,
	       table->budget.bytes);

	for (b = 0; b < table->set.nr; b++) {
		const struct lpm_entries *block = table->set.block[b];
		struct lpm_pfx before = {};
		u32 at = 0, v;

		expect(block->used && block->used <= BLOCK_DATA,
		       "block %u: %u bytes", b, block->used);
		for (i = 0; at < block->used; i++) {
			at += entry_load(&table->set, block->data + at,
					 &before, &p, &v);
			expect(v, "no value");
			expect(!count || lpm_pfx_cmp(&last, &p) < 0, "order");
			expect(i || table->set.first[b] ==
			       pfx_key(&table->set, &p), "first");
			last = p;
			before = p;
			count++;
		}
		expect(at == block->used, "block %u: end", b);
		expect(i == block->nr, "block %u: %u, not %u", b, i, block->nr);
	}
	expect(count == table->set.count, "count");
	expect(count == nr_naive, "%u prefixes, not %u", count, nr_naive);
}

static int by_order(const void *a, const void *b)
{
	const struct naive *x = a, *y = b;
	int d = memcmp(x->p.bytes, y->p.bytes, 16);

	return d ? d : x->p.len - y->p.len;
}

static void check_order(void)
{
	struct cni_prefix cursor;
	unsigned int i = 0;
	bool first = true;
	u32 value;

	qsort(naive, nr_naive, sizeof(*naive), by_order);
	while (!cni_lpm_next(lpm, &cursor, first, &value)) {
		first = false;
		if (i == nr_naive) {
			expect(0, "more than there is");
			return;
		}
		expect(!memcmp(cursor.bytes, naive[i].p.bytes, 16) &&
		       cursor.len == naive[i].p.len &&
		       value == naive[i].value, "%s, not %s", show(&cursor),
		       show(&naive[i].p));
		i++;
	}
	expect(i == nr_naive, "%u of %u", i, nr_naive);
}

static void check_within(const struct cni_prefix *within)
{
	struct cni_prefix cursor;
	unsigned int i, want = 0, got = 0;
	bool first = true;
	u32 value;

	for (i = 0; i < nr_naive; i++)
		want += naive[i].p.len >= within->len &&
			covers(within, naive[i].p.bytes);
	while (!cni_lpm_next_within(lpm, within, &cursor, first, &value)) {
		first = false;
		expect(covers(within, cursor.bytes) &&
		       cursor.len >= within->len, "outside");
		got++;
	}
	expect(got == want, "%u within %s, not %u", got, show(within), want);
}

static void set(const struct cni_prefix *p, u32 value)
{
	int at = naive_find(p), err;

	err = cni_lpm_set(lpm, p, value);
	expect(!err, "set %s: %d", show(p), err);
	if (at < 0) {
		if (nr_naive == MAX_NAIVE)
			die("list full");
		at = nr_naive++;
		naive[at].p = *p;
	}
	naive[at].value = value;
}

static void del(const struct cni_prefix *p)
{
	int at = naive_find(p), err;

	err = cni_lpm_del(lpm, p);
	expect(err == (at < 0 ? -ENOENT : 0), "del %s: %d", show(p), err);
	if (at >= 0)
		naive[at] = naive[--nr_naive];
}

static struct cni_prefix parse(const char *text)
{
	struct cni_prefix p = {};
	char buf[64];
	char *slash;

	snprintf(buf, sizeof(buf), "%s", text);
	slash = strchr(buf, '/');
	if (!slash)
		die("bad prefix %s", text);
	*slash = 0;
	if (inet_pton(bits == 32 ? AF_INET : AF_INET6, buf, p.bytes) != 1)
		die("bad prefix %s", text);
	p.len = atoi(slash + 1);
	return p;
}

static struct cni_prefix prefix_at(const u8 *addr, unsigned int len)
{
	struct cni_prefix p = {};

	memcpy(p.bytes, addr, bits / 8);
	p.len = len;
	cni_prefix_mask(&p, bits);
	return p;
}

/* Mostly beside or around a prefix that is there already. */
static struct cni_prefix random_prefix(void)
{
	u8 addr[16] = {};
	unsigned int i, len = rnd() % (bits + 1);

	for (i = 0; i < bits / 8; i++)
		addr[i] = rnd();
	if (nr_naive && rnd() % 4) {
		memcpy(addr, naive[rnd() % nr_naive].p.bytes, bits / 8);
		i = rnd() % bits;
		if (rnd() % 2)
			addr[i / 8] ^= 0x80 >> (i % 8);
		if (rnd() % 2)
			for (i = rnd() % bits; i < bits; i++)
				if (rnd() & 1)
					addr[i / 8] ^= 0x80 >> (i % 8);
	}
	return prefix_at(addr, len);
}

static void check_random_addr(void)
{
	struct cni_prefix p = random_prefix();
	unsigned int i;

	for (i = p.len; i < bits; i++)
		if (rnd() & 1)
			p.bytes[i / 8] |= 0x80 >> (i % 8);
	check_addr(p.bytes);
}

static void check_all(void)
{
	struct cni_prefix p, out;
	unsigned int i;
	u32 v;

	check_structure();
	check_front(1);
	check_order();
	for (i = 0; i < nr_naive && i < 3000; i++) {
		check_bounds(&naive[i].p);
		expect(cni_lpm_get(lpm, &naive[i].p) == naive[i].value, "get");
	}
	for (i = 0; i < 300; i++) {
		p = random_prefix();
		check_random_addr();
		check_bounds(&p);
		check_within(&p);
		v = cni_lpm_cover(lpm, &p, &out);
		expect(v == naive_cover(&p), "cover of %s: %u", show(&p), v);
		expect(!v || (out.len < p.len && covers(&out, p.bytes) &&
			      cni_lpm_get(lpm, &out) == v), "cover's prefix");
		expect(cni_lpm_get(lpm, &p) == (naive_find(&p) < 0 ? 0 :
		       naive[naive_find(&p)].value), "get");
	}
}

static bool deep;

static void new_table(void)
{
	lpm = cni_lpm_alloc(bits, SIZE_MAX);
	if (!lpm)
		die("no memory");
	table = lpm_table(lpm);
	/* As if a large value had been there. */
	table->wide = deep;
}

static void start(unsigned int family_bits)
{
	bits = family_bits;
	nr_naive = 0;
	fail_here = false;
	new_table();
}

static void finish(const char *name)
{
	cni_lpm_free(lpm);
	lpm = NULL;
	nr_tests++;
	nr_failed += fail_here;
	printf("%sok %u - %s, IPv%u%s\n", fail_here ? "not " : "", nr_tests,
	       name, bits == 32 ? 4 : 6, deep ? ", deep" : "");
	fflush(stdout);
}

static void test_empty(void)
{
	struct cni_prefix p = {}, out;

	check_all();
	expect(cni_lpm_del(lpm, &p) == -ENOENT, "deleted nothing");
	expect(!cni_lpm_get(lpm, &p) && !cni_lpm_cover(lpm, &p, &out), "got");
	expect(cni_lpm_next(lpm, &out, true, NULL) == -ENOENT, "next");
	expect(cni_lpm_set(lpm, &p, 0) == -EINVAL, "value 0");
	expect(cni_lpm_set(lpm, &p, CNI_LPM_VALUE_MAX + 1) == -EINVAL, "2^20");
	p.len = bits + 1;
	expect(cni_lpm_set(lpm, &p, 1) == -EINVAL, "length");
	p.len = bits - 1;
	p.bytes[bits / 8 - 1] = 1;
	expect(cni_lpm_set(lpm, &p, 1) == -EINVAL, "host bits");
	expect(cni_lpm_del(lpm, &p) == -EINVAL, "host bits");
	cni_prefix_mask(&p, bits);
	set(&p, CNI_LPM_VALUE_MAX);
	check_all();
	del(&p);
	check_all();
}

static void test_chain(void)
{
	static const u8 ends[] = { 0x00, 0xff, 0xa5 };
	struct cni_prefix p;
	unsigned int i, j, k;
	u8 addr[16];

	for (i = 0; i < sizeof(ends); i++) {
		memset(addr, ends[i], sizeof(addr));
		for (j = 0; j <= bits; j++) {
			p = prefix_at(addr, i & 1 ? bits - j : j);
			set(&p, j + 1);
			check_structure();
		}
		for (j = 0; j <= bits; j++)
			for (k = 0; k <= bits; k += 1 + (bits > 32) * 7) {
				p = prefix_at(addr, j);
				if (k < bits)
					p.bytes[k / 8] ^= 0x80 >> (k % 8);
				check_addr(p.bytes);
			}
		check_all();
		for (j = 0; j <= bits; j++) {
			p = prefix_at(addr, i & 2 ? j : bits - j);
			del(&p);
			check_structure();
			check_bounds(&p);
		}
		check_all();
	}
}

static void test_neighbours(void)
{
	struct cni_prefix p;
	u8 addr[16];
	unsigned int i, len;

	for (len = 1; len <= bits; len += len < 34 ? 1 : 7) {
		memset(addr, 0x5a, sizeof(addr));
		p = prefix_at(addr, len);
		for (i = 0; i < 64; i++) {
			set(&p, 7);
			memset(addr, 0, sizeof(addr));
			memcpy(addr, p.bytes, bits / 8);
			addr[(len - 1) / 8] += 0x80 >> ((len - 1) % 8);
			p = prefix_at(addr, len);
		}
		check_structure();
		/* Punch holes, then let the values differ. */
		for (i = 0; i < nr_naive; i += 3) {
			p = naive[i].p;
			if (rnd() & 1)
				del(&p);
			else
				set(&p, 8 + i % 2);
		}
		check_structure();
	}
	check_all();
}

static void test_nested(void)
{
	struct cni_prefix p, q;
	unsigned int i, j;

	for (i = 0; i < 40; i++) {
		p = random_prefix();
		p.len = 8 + rnd() % (bits - 16);
		cni_prefix_mask(&p, bits);
		set(&p, 1 + i);
		for (j = 0; j < 30; j++) {
			unsigned int k;

			q = p;
			q.len = min_t(unsigned int, p.len + rnd() % 12, bits);
			for (k = p.len; k < q.len; k++)
				if (rnd() & 1)
					q.bytes[k / 8] |= 0x80 >> (k % 8);
			set(&q, 1 + rnd() % 3);
			check_bounds(&q);
		}
		check_structure();
	}
	check_all();
}

static void test_updates(unsigned int rounds, unsigned int values,
			 unsigned int keep)
{
	struct cni_prefix p;
	unsigned int i;

	for (i = 0; i < rounds && !fail_here; i++) {
		if (rnd() % 2 && nr_naive < keep) {
			p = random_prefix();
			set(&p, 1 + rnd() % values);
		} else if (nr_naive && rnd() % 8) {
			p = naive[rnd() % nr_naive].p;
			del(&p);
		} else {
			p = random_prefix();
			del(&p);
		}
		cni_user_gp += rnd() % 3;
		check_bounds(&p);
		check_random_addr();
		if (i % 32 == 0)
			check_structure();
		if (i % 1024 == 0)
			check_all();
	}
	check_all();
	while (nr_naive) {
		p = naive[rnd() % nr_naive].p;
		del(&p);
		check_bounds(&p);
	}
	check_all();
}

/* Few lengths and many prefixes: blocks fill, split, pass on and merge. */
static void test_blocks(void)
{
	unsigned int i, n = 6000, odd;
	struct cni_prefix p;
	u32 *order, t;

	order = malloc(n * sizeof(*order));
	for (i = 0; i < n; i++)
		order[i] = i;
	for (odd = 0; odd < 3; odd++) {
		if (odd)
			for (i = n - 1; i; i--) {
				u32 j = rnd() % (i + 1);

				t = order[i];
				order[i] = order[j];
				order[j] = t;
			}
		for (i = 0; i < n; i++) {
			u32 v = (odd == 2 ? n - i : order[i]) * 7919 % n;
			u8 addr[16] = { 10, v >> 8, v, 1, 2, 3 };

			p = prefix_at(addr, 24);
			if (cni_lpm_set(lpm, &p, 1 + v % 5))
				expect(0, "set");
			naive[nr_naive].p = p;
			naive[nr_naive++].value = 1 + v % 5;
			if (i % 500 == 0)
				check_structure();
		}
		check_structure();
		check_order();
		for (i = 0; i < n; i++) {
			u8 addr[16] = { 10, order[i] >> 8, order[i], 1 };

			p = prefix_at(addr, 24);
			if (cni_lpm_del(lpm, &p))
				expect(0, "del");
			nr_naive--;
			if (i % 500 == 0)
				check_structure();
		}
		check_all();
	}
	free(order);
}

static int by_pfx(const void *a, const void *b)
{
	return lpm_pfx_cmp(a, b);
}

/* Few bytes and many zeros, so that addresses go on where prefixes end. */
static struct lpm_pfx some_pfx(void)
{
	static const u8 some[] = { 0, 0, 0, 1, 255 };
	struct lpm_pfx p = {};
	unsigned int i;

	for (i = 0; i < 8; i++) {
		p.hi = p.hi << 8 | some[rnd() % sizeof(some)];
		p.lo = p.lo << 8 | some[rnd() % sizeof(some)];
	}
	lpm_pfx_cut(&p, rnd() % (bits + 1));
	return p;
}

/* An entry takes no more than it and the one before did, once that is gone. */
static void test_removal(void)
{
	static const u32 values[] = { 1, VALUE_LONG, CNI_LPM_VALUE_MAX };
	unsigned int i, both, one, after, full = 0, longer = 0;
	u8 bytes[ENTRY_MAX], addr[16] = {};
	struct cni_prefix p;
	struct lpm_pfx t[3];

	for (i = 0; i < 100000; i++) {
		t[0] = t[1] = (struct lpm_pfx){};
		while (!lpm_pfx_cmp(&t[0], &t[1]) ||
		       !lpm_pfx_cmp(&t[1], &t[2])) {
			t[0] = some_pfx();
			t[1] = some_pfx();
			t[2] = some_pfx();
			qsort(t, 3, sizeof(*t), by_pfx);
		}
		/* Where a block begins there is none before. */
		if (rnd() % 4 == 0)
			t[0] = (struct lpm_pfx){};
		one = entry_store(&table->set, bytes, &t[1], &t[2], 1);
		both = one + entry_store(&table->set, bytes, &t[0], &t[1],
					 values[rnd() % 3]);
		after = entry_store(&table->set, bytes, &t[0], &t[2], 1);
		longer += after > one;
		expect(after <= both, "%u bytes instead of %u", after, both);
	}
	expect(longer > i / 100, "%u grew", longer);

	/* In full blocks: each short prefix has the long one after it. */
	for (i = 0; i < 200; i++) {
		addr[0] = i;
		p = prefix_at(addr, 8);
		set(&p, 1);
		p = prefix_at(addr, bits);
		set(&p, i % 7 ? 1 : VALUE_LONG);
	}
	for (i = 0; i + 1 < table->set.nr; i++)
		full += table->set.block[i]->used > BLOCK_DATA - ENTRY_MAX;
	expect(full > 2, "%u full blocks", full);
	check_structure();
	for (i = 0; i < 200 && !fail_here; i++) {
		addr[0] = i;
		p = prefix_at(addr, 8);
		del(&p);
		check_structure();
	}
	check_all();
}

/* Whatever allocation fails, the table stays as it was, and works. */
static void test_failures(void)
{
	struct cni_prefix p;
	unsigned int i;
	long n;
	int err;

	for (i = 0; i < 400; i++) {
		p = random_prefix();
		if (i % 16 == 0)
			p.len = rnd() % 17;
		if (i % 5 == 4)
			p = naive[rnd() % nr_naive].p;
		cni_prefix_mask(&p, bits);
		for (n = 1;; n++) {
			cni_user_fail = n;
			if (i % 5 == 4)
				err = cni_lpm_del(lpm, &p);
			else
				err = cni_lpm_set(lpm, &p, 1 + i % 9);
			if (err != -ENOMEM)
				break;
			cni_user_fail = 0;
			check_structure();
			check_bounds(&p);
		}
		cni_user_fail = 0;
		/* Into the reference, too. */
		if (i % 5 == 4) {
			int at = naive_find(&p);

			expect(!err && at >= 0, "del: %d", err);
			naive[at] = naive[--nr_naive];
		} else {
			expect(!err, "set: %d", err);
			set(&p, 1 + i % 9);
		}
		check_bounds(&p);
	}
	check_all();
}

static void test_limit(void)
{
	struct cni_prefix p;
	unsigned int i, full = 0;
	int err;

	expect(!cni_lpm_alloc(bits, 1000), "a table of 1000 bytes");
	table->budget.max = table->budget.bytes + (deep ? 200000 : 60000);
	for (i = 0; i < 20000 && full < 50; i++) {
		p = random_prefix();
		if (naive_find(&p) >= 0)
			continue;
		err = cni_lpm_set(lpm, &p, 1 + i % 1000);
		if (err == -ENOSPC) {
			full++;
			check_structure();
			check_bounds(&p);
			continue;
		}
		expect(!err, "set: %d", err);
		/* The small lists of nodes in flight are not limited. */
		expect(table->budget.bytes < table->budget.max + 16384,
		       "over the limit");
		naive[nr_naive].p = p;
		naive[nr_naive++].value = 1 + i % 1000;
	}
	expect(full == 50, "never full");
	check_all();
	while (nr_naive > 10) {
		p = naive[rnd() % nr_naive].p;
		del(&p);
	}
	check_all();
	p = random_prefix();
	set(&p, 3);
	check_all();
}

static u64 resched_at, resched_gap;

static u64 cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000ULL + t.tv_nsec / 1000;
}

static void note_resched(void)
{
	u64 now = cpu_us();

	resched_gap = max_t(u64, resched_gap, now - resched_at);
	resched_at = now;
}

/* What takes long lets others run meanwhile, with the sanitizers too. */
static void test_resched(bool many)
{
	unsigned int i;

	for (i = 0; i < 255; i++) {
		u8 addr[16] = { i };
		struct cni_prefix p = prefix_at(addr, 8);

		set(&p, 1 + (many ? i : 0));
	}
	/* Values change from each /16 to the next. */
	for (i = 0; many && i < 4000; i++) {
		u8 addr[16] = { i % 250, i / 250 * 2 };
		struct cni_prefix p = prefix_at(addr, 16);

		set(&p, 1 + i % 400);
	}
	resched_gap = 0;
	resched_at = cpu_us();
	cni_user_resched = note_resched;
	expect(!rebuild(table, true), "rebuild");
	note_resched();
	cni_user_resched = NULL;
	printf("# %llu us at most\n", (unsigned long long)resched_gap);
	expect(resched_gap < 20000, "%llu us in one go",
	       (unsigned long long)resched_gap);
}

static void test_cursor(void)
{
	struct cni_prefix cursor, p;
	unsigned int i, seen = 0;
	bool first = true;

	for (i = 0; i < 500; i++) {
		p = random_prefix();
		set(&p, 1);
	}
	/* Delete what was shown: each of the 500 is shown once. */
	i = nr_naive;
	while (!cni_lpm_next(lpm, &cursor, first, NULL)) {
		first = false;
		seen++;
		del(&cursor);
	}
	expect(seen == i && !nr_naive, "%u of %u", seen, i);
}

/* From lines to nodes to a direct table and back, all in one /16. */
static void test_crowd(void)
{
	struct cni_prefix p;
	unsigned int i;
	u8 addr[16] = { 0x2a, 0x02 };

	for (i = 0; i < 3000 && !fail_here; i++) {
		u32 r = rnd();

		if (i % 64 < 60) {
			addr[2] = r % 3 ? r >> 8 & 15 : r >> 8;
			addr[3] = r >> 16;
		}
		addr[4] = r % 5 ? r >> 24 & 3 : r >> 24;
		r = rnd();
		addr[5] = r;
		addr[6] = r >> 8;
		p = prefix_at(addr, bits == 32 ? 17 + rnd() % 16 :
						 17 + rnd() % 46);
		set(&p, 1 + rnd() % 7);
		cni_user_gp++;
		if (i % 16 == 0)
			check_bounds(&p);
		if (i % 256 == 0)
			check_structure();
	}
	check_all();
	while (nr_naive && !fail_here) {
		p = naive[rnd() % nr_naive].p;
		del(&p);
		cni_user_gp++;
		if (nr_naive % 16 == 0)
			check_bounds(&p);
		if (nr_naive % 128 == 0)
			check_structure();
	}
	check_all();
}

/* More values than codes, then other ones, then few. */
static void test_values(void)
{
	struct cni_prefix p;
	unsigned int i, round;

	for (round = 0; round < 4; round++) {
		for (i = 0; i < 700; i++) {
			p = random_prefix();
			set(&p, round < 3 ? round * 1000 + 1 + rnd() % 300 :
					    1 + rnd() % 3);
			cni_user_gp++;
			if (i % 8 == 0)
				check_bounds(&p);
		}
		check_structure();
		for (i = 0; i < nr_naive; i++)
			set(&naive[i].p, round < 3 ? 1 + round * 1000 + i % 90 :
						     1 + rnd() % 3);
		check_structure();
		while (nr_naive > 900) {
			p = naive[rnd() % nr_naive].p;
			del(&p);
		}
	}
	check_all();
}

static u32 front(u32 key)
{
	return cni_lpm_front((const u8 *)lpm->mem->slot, key);
}

static void expect_front(const char *text, u32 want)
{
	struct cni_prefix p = parse(text);
	u32 got = front(be32_to_cpu(p.v4));

	expect(got == want, "%s: %u in the front, not %u", text, got, want);
}

static void set_text(const char *text, u32 value)
{
	struct cni_prefix p = parse(text);

	set(&p, value);
}

/* What is in the front, what shares a place there, and what doesn't fit. */
static void test_front(void)
{
	struct cni_prefix p;
	unsigned int i;
	char text[32];
	int both;

	set_text("0.0.0.0/0", 3);
	set_text("30.200.0.0/16", 254);
	set_text("40.201.0.0/16", 255);
	set_text("50.202.0.0/16", CNI_LPM_BLOCK - 1);
	set_text("60.203.0.0/16", 9);
	set_text("60.203.4.128/25", 10);
	set_text("70.204.0.0/16", 11);
	set_text("80.204.7.0/24", 12);
	/* They have their places once the table is built. */
	p = parse("0.0.0.0/0");
	set(&p, 4);
	check_all();
	expect_front("30.200.9.9/32", 254);
	expect_front("40.201.9.9/32", CNI_LPM_ASK);
	expect_front("50.202.9.9/32", CNI_LPM_ASK);
	expect_front("60.203.4.9/32", CNI_LPM_ASK);
	expect_front("60.203.5.9/32", 9);
	expect_front("70.204.16.9/32", 11);
	both = front(70 << 24 | 204 << 16 | 7 << 8) == 11;
	both += front(80 << 24 | 204 << 16 | 7 << 8) == 12;
	expect(both == 1, "%d of two that share a place are in it", both);

	set_text("30.200.0.0/16", 5);
	set_text("30.200.9.0/24", 6);
	set_text("60.203.5.128/25", 10);
	expect_front("30.200.8.9/32", 5);
	expect_front("30.200.9.9/32", 6);
	expect_front("60.203.5.9/32", CNI_LPM_ASK);
	p = parse("30.200.9.0/24");
	del(&p);
	p = parse("30.200.0.0/16");
	del(&p);
	p = parse("60.203.5.128/25");
	del(&p);
	expect_front("30.200.9.9/32", 4);
	expect_front("60.203.5.9/32", 9);
	check_all();

	/* What is wide has the places that are left. */
	set_text("30.200.9.0/24", 6);
	set_text("10.0.0.0/8", 20);
	set_text("20.200.0.0/13", 21);
	p = parse("0.0.0.0/0");
	set(&p, 5);
	check_all();
	expect_front("30.200.9.9/32", 6);
	expect_front("20.200.9.9/32", CNI_LPM_ASK);
	expect_front("20.202.9.9/32", 21);
	expect_front("60.203.5.9/32", 9);
	expect_front("10.100.9.9/32", 20);

	/* As many as find no place: nobody has one. */
	for (i = 100; i < 160; i++) {
		snprintf(text, sizeof(text), "%u.100.100.0/24", i);
		set_text(text, i);
	}
	check_all();
	for (i = 0; i < TAGS; i++)
		expect(!front_tags(table)[i], "a tag of a crowd");
}

static const char * const some4[] = {
	"1.0.0.0/24", "1.1.1.0/24", "103.21.244.0/22", "103.22.200.0/22",
	"103.31.4.0/22", "104.16.0.0/13", "104.24.0.0/14", "104.28.0.0/16",
	"108.162.192.0/18", "131.0.72.0/22", "141.101.64.0/18",
	"162.158.0.0/15", "162.159.36.0/24", "172.64.0.0/13",
	"173.245.48.0/20", "188.114.96.0/20", "190.93.240.0/20",
	"197.234.240.0/22", "198.41.128.0/17", "192.0.2.10/31",
	"192.0.2.10/32", "0.0.0.0/0",
};

static const char * const some6[] = {
	"2400:cb00::/32", "2606:4700::/32", "2803:f800::/32",
	"2405:b500::/32", "2405:8100::/32", "2a06:98c0::/29",
	"2c0f:f248::/32", "2606:4700:10::/44", "2606:4700:3000::/48",
	"2a06:98c1:3120::/48", "2001:db8:12:3::7ac2:d64a/127", "::/0",
};

static unsigned int load(void)
{
	const char *dir = getenv("CNI_PREFIX_DATA");
	struct cni_prefix p;
	unsigned int i, n = 0;
	char path[4096], line[128];
	FILE *f;

	if (dir) {
		snprintf(path, sizeof(path), "%s/as13335-ipv%c.txt", dir,
			 bits == 32 ? '4' : '6');
		f = fopen(path, "r");
		if (f) {
			while (fgets(line, sizeof(line), f)) {
				if (!isxdigit(line[0]) && line[0] != ':')
					continue;
				p = parse(line);
				set(&p, 1 + n++ % 5);
			}
			fclose(f);
			if (n)
				return n;
		}
	}
	if (bits == 32)
		for (i = 0; i < sizeof(some4) / sizeof(*some4); i++) {
			p = parse(some4[i]);
			set(&p, 1 + n++ % 5);
		}
	else
		for (i = 0; i < sizeof(some6) / sizeof(*some6); i++) {
			p = parse(some6[i]);
			set(&p, 1 + n++ % 5);
		}
	return n;
}

static void test_real(void)
{
	size_t one_by_one, bulk;
	unsigned int i, n;
	u8 addr[16];

	n = load();
	check_all();
	for (i = 0; i < 20000; i++)
		check_random_addr();
	for (i = 0; i < 20000; i++) {
		u64 r[2] = { rnd() << 20 ^ rnd(), rnd() << 20 ^ rnd() };

		memcpy(addr, r, sizeof(addr));
		check_addr(addr);
	}
	one_by_one = cni_lpm_bytes(lpm);

	/* The same by bulk. */
	cni_lpm_free(lpm);
	new_table();
	cni_lpm_bulk_begin(lpm);
	for (i = 0; i < nr_naive; i++)
		expect(!cni_lpm_set(lpm, &naive[i].p, naive[i].value), "set");
	expect(!cni_lpm_bulk_end(lpm), "bulk");
	check_all();
	bulk = cni_lpm_bytes(lpm);
	printf("# %u prefixes: %zu bytes, %zu built at once\n", n, one_by_one,
	       bulk);
}

int main(void)
{
	unsigned int i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..%u\n", 4 * 18 + 1);
	for (i = 0; i < 4; i++) {
		unsigned int family = i % 2 ? 128 : 32;

		deep = i / 2;
		start(family);
		test_empty();
		finish("empty table and bad arguments");

		start(family);
		test_chain();
		finish("chains of every length");

		start(family);
		test_neighbours();
		finish("equal neighbours");

		start(family);
		test_nested();
		finish("nested more-specifics");

		start(family);
		test_updates(3000, 3, 60);
		finish("random updates of a small table");

		start(family);
		test_updates(3000, CNI_LPM_VALUE_MAX, 100000);
		finish("random updates of a growing table");

		start(family);
		test_updates(6000, 2, 800);
		finish("random updates, two values");

		start(family);
		test_blocks();
		finish("thousands of prefixes of a length");

		start(family);
		test_removal();
		finish("removal from full blocks");

		start(family);
		test_crowd();
		finish("thousands of prefixes in a /16");

		start(family);
		test_values();
		finish("many values");

		if (family == 32 && !deep) {
			start(family);
			test_front();
			finish("front");
		}

		start(family);
		test_failures();
		finish("failing allocations");

		start(family);
		test_limit();
		finish("memory limit");

		start(family);
		test_resched(false);
		finish("a long choice lets others run");

		start(family);
		test_resched(true);
		finish("many values let others run");

		start(family);
		test_cursor();
		finish("iteration while deleting");

		start(family);
		test_real();
		finish("real prefixes");

		start(family);
		load();
		test_updates(2000, 5, 3000);
		finish("random updates of real prefixes");
	}
	return nr_failed ? 1 : 0;
}
