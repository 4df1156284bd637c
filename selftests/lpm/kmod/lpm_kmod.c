// SPDX-License-Identifier: GPL-2.0
/*
 * The prefix table with readers on every processor while one writer changes
 * it. insmod runs the test, and the kernel log has the result as KTAP.
 *
 * Each answer is held against what was true when it was given. Readers ask for
 * certain addresses only, the probes, and each of them has a word that says
 * what its answer is: before a change that concerns it, the writer puts the
 * old and the new answer there, and after it the new one alone. A reader loads
 * the word, looks up, and loads the word again.
 */
#define pr_fmt(fmt) fmt

#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/rcupdate.h>

#include "lpm-sources.h"

#define PROBES		256
#define CHAIN_MAX	16
#define FILLERS		3072
#define READERS_MAX	16
#define MAX_BYTES	(64UL << 20)

/* A probe's word: number of the change, old answer, new answer. */
#define WORD(seq, old, new)	((u64)(seq) << 40 | (u64)(old) << 20 | (new))
#define WORD_SEQ(w)		((u32)((w) >> 40))
#define WORD_OLD(w)		((u32)((w) >> 20) & CNI_LPM_VALUE_MAX)
#define WORD_NEW(w)		((u32)(w) & CNI_LPM_VALUE_MAX)
#define SEQ_MASK		0xffffffU

static int seconds = 10;
module_param(seconds, int, 0);
MODULE_PARM_DESC(seconds, "time for each of the phases");

/* What the table may hold, and holds while @value isn't 0. */
struct item {
	struct cni_prefix prefix;
	u32 value;
};

struct probe {
	struct cni_prefix addr;
	u64 word;
	/* All of the set's prefixes that cover it, the longest first */
	u16 chain[CHAIN_MAX];
};

struct reader {
	struct task_struct *task;
	u64 lookups;
	u64 crossed;
	u64 lost;
	u64 wrong;
	u64 bad_words[2];
	u32 bad_probe;
	u32 bad_value;
};

struct family {
	const char *name;
	unsigned int bits;
	const u8 *lens;
	struct cni_lpm __rcu *lpm;
	struct probe probe[PROBES];
	struct item item[PROBES * CHAIN_MAX];
	unsigned int items;
	struct item filler[FILLERS];
	u64 changes;
	unsigned int turns;
	bool flat;
};

static const u8 lens4[] = { 32, 31, 30, 28, 25, 24, 23, 22, 20, 17, 16, 12,
			    8, 3, 0 };
static const u8 lens6[] = { 128, 127, 96, 64, 62, 60, 56, 48, 44, 40, 32, 29,
			    20, 16, 0 };

static struct family families[] = {
	{ .name = "IPv4", .bits = 32, .lens = lens4 },
	{ .name = "IPv6", .bits = 128, .lens = lens6 },
};

/* The one that is being changed */
static struct family *asked;
static struct reader readers[READERS_MAX];
static unsigned int nr_readers;
static struct rnd_state rnd;
static int results;

static u32 below(u32 n)
{
	return prandom_u32_state(&rnd) % n;
}

static struct cni_lpm *table(struct family *f)
{
	return rcu_dereference_protected(f->lpm, 1);
}

/* Readers */

static u32 ask(const struct family *f, const struct probe *p)
{
	const struct cni_lpm *lpm = rcu_dereference(f->lpm);

	return f->bits == 32 ? cni_lpm_lookup4(lpm, p->addr.v4) :
			       cni_lpm_lookup6(lpm, &p->addr.v6);
}

static void judge(struct reader *r, const struct family *f, u32 i)
{
	const struct probe *p = &f->probe[i];
	u64 before, after;
	u32 value;

	/* Pairs with answers_changed(): what it says is in the table. */
	before = smp_load_acquire(&p->word);
	value = ask(f, p);
	/* Pairs with answers_change(): an answer's word is not after it. */
	smp_rmb();
	after = READ_ONCE(p->word);

	r->lookups++;
	if (before != after || WORD_OLD(before) != WORD_NEW(before))
		r->crossed++;
	if (value == WORD_OLD(before) || value == WORD_NEW(before) ||
	    value == WORD_NEW(after))
		return;
	/* Of changes that came and went meanwhile no word is left. */
	if (((WORD_SEQ(after) - WORD_SEQ(before)) & SEQ_MASK) > 1) {
		r->lost++;
		return;
	}
	if (r->wrong++)
		return;
	r->bad_words[0] = before;
	r->bad_words[1] = after;
	r->bad_probe = i;
	r->bad_value = value;
}

static int reader(void *arg)
{
	const struct family *f = asked;
	struct reader *r = arg;
	struct rnd_state own;
	unsigned int i;
	u32 n;

	prandom_seed_state(&own, r - readers + 1);
	while (!kthread_should_stop()) {
		n = prandom_u32_state(&own);
		/* Short sections and long ones, both ways that packets have. */
		if (n & 2)
			rcu_read_lock_bh();
		rcu_read_lock();
		for (i = n & 4 ? 1 : 64; i; i--)
			judge(r, f, ((n >> 8) + i * 7) % PROBES);
		rcu_read_unlock();
		if (n & 2)
			rcu_read_unlock_bh();
		cond_resched();
	}
	return 0;
}

static void readers_stop(void)
{
	while (nr_readers)
		kthread_stop(readers[--nr_readers].task);
}

/* Two for each processor, so that they also interrupt one another. */
static int readers_start(void)
{
	struct task_struct *task;
	unsigned int cpu, i;

	memset(readers, 0, sizeof(readers));
	for (i = 0; i < 2; i++) {
		for_each_online_cpu(cpu) {
			if (nr_readers == READERS_MAX)
				return 0;
			task = kthread_create(reader, &readers[nr_readers],
					      "lpm/%u", cpu);
			if (IS_ERR(task)) {
				readers_stop();
				return PTR_ERR(task);
			}
			kthread_bind(task, cpu);
			readers[nr_readers++].task = task;
			wake_up_process(task);
		}
	}
	return 0;
}

/* Writer */

static bool covers(const struct family *f, const struct cni_prefix *prefix,
		   const struct cni_prefix *addr)
{
	struct cni_prefix masked = *addr;

	if (prefix->len >= 16 && memcmp(prefix->bytes, addr->bytes, 2))
		return false;
	masked.len = prefix->len;
	cni_prefix_mask(&masked, f->bits);
	return !memcmp(masked.bytes, prefix->bytes, f->bits / 8);
}

static u32 answer(const struct family *f, const struct probe *p)
{
	unsigned int i;
	u32 value;

	for (i = 0; i < CHAIN_MAX - 1; i++) {
		value = f->item[p->chain[i]].value;
		if (value)
			return value;
	}
	return 0;
}

/* The set has changed within a prefix, the table is about to. */
static void answers_change(struct family *f, const struct cni_prefix *within)
{
	struct probe *p;
	u32 old, new;

	for (p = f->probe; p < f->probe + PROBES; p++) {
		if (!covers(f, within, &p->addr))
			continue;
		old = WORD_NEW(p->word);
		new = answer(f, p);
		if (new != old)
			WRITE_ONCE(p->word,
				   WORD(WORD_SEQ(p->word) + 1, old, new));
	}
	/* Pairs with judge(): no new answer without its word. */
	smp_wmb();
}

/* The table has changed, too. */
static void answers_changed(struct family *f)
{
	struct cni_lpm *lpm = table(f);
	struct probe *p;
	u64 w;

	for (p = f->probe; p < f->probe + PROBES; p++) {
		w = p->word;
		if (WORD_OLD(w) == WORD_NEW(w))
			continue;
		w = WORD(WORD_SEQ(w), WORD_NEW(w), WORD_NEW(w));
		/* Pairs with judge(). */
		smp_store_release(&p->word, w);
	}
	f->changes++;
	if (f->flat != lpm_table(lpm)->w->flat)
		f->turns++;
	f->flat = lpm_table(lpm)->w->flat;
}

static int put(struct cni_lpm *lpm, const struct item *item)
{
	int err;

	if (item->value)
		return cni_lpm_set(lpm, &item->prefix, item->value);
	err = cni_lpm_del(lpm, &item->prefix);
	return err == -ENOENT ? 0 : err;
}

static int change(struct family *f, struct item *item, u32 value)
{
	int err;

	item->value = value;
	answers_change(f, &item->prefix);
	err = put(table(f), item);
	answers_changed(f);
	cond_resched();
	return err;
}

/* Few have codes in nodes, more have none, and for large ones it is deep. */
enum values { FEW, MANY, LARGE };

static u32 some_value(enum values values)
{
	if (values == LARGE && !below(16))
		return 1 + below(CNI_LPM_VALUE_MAX);
	return 1 + below(values == FEW ? 8 : 2000);
}

/* Longer prefixes change more often: what they do is cheaper, too. */
static int change_some(struct family *f, enum values values)
{
	struct item *item;
	unsigned int tries = 0;

	do
		item = &f->item[below(f->items)];
	while (item->prefix.len < 12 && ++tries % 8);
	return change(f, item, below(3) ? some_value(values) : 0);
}

static int clear(struct family *f)
{
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < f->items; i++)
		if (f->item[i].value)
			err = change(f, &f->item[i], 0);
	return err;
}

/* Another table, which readers have not seen, in place of this one. */
static void swap_tables(struct family *f, struct cni_lpm *lpm)
{
	static const struct cni_prefix all;
	struct cni_lpm *old = table(f);

	answers_change(f, &all);
	rcu_assign_pointer(f->lpm, lpm);
	answers_changed(f);
	synchronize_rcu();
	cni_lpm_free(old);
}

static int start_again(struct family *f)
{
	struct cni_lpm *lpm = cni_lpm_alloc(f->bits, MAX_BYTES);
	unsigned int i;

	if (!lpm)
		return -ENOMEM;
	for (i = 0; i < f->items; i++)
		f->item[i].value = 0;
	swap_tables(f, lpm);
	return 0;
}

static int phase_few(struct family *f)
{
	return change_some(f, FEW);
}

static int phase_many(struct family *f)
{
	return change_some(f, MANY);
}

static int phase_large(struct family *f)
{
	return below(500) ? change_some(f, LARGE) : start_again(f);
}

/* Prefixes that no probe is in come by the thousand and go. */
static int phase_grow(struct family *f)
{
	unsigned int n = FILLERS / 2 + below(FILLERS / 2), i;
	int err;

	err = clear(f);
	for (i = 0; !err && i < n; i++) {
		f->filler[i].value = some_value(FEW);
		err = put(table(f), &f->filler[i]);
		if (!err && !(i % 4))
			err = change_some(f, FEW);
		cond_resched();
	}
	for (i = 0; !err && i < n; i++) {
		f->filler[i].value = 0;
		err = put(table(f), &f->filler[i]);
		if (!err && !(i % 4))
			err = change_some(f, FEW);
		cond_resched();
	}
	return err;
}

/* Tables built at once, small and large ones. */
static int phase_swap(struct family *f)
{
	struct cni_lpm *lpm = cni_lpm_alloc(f->bits, MAX_BYTES);
	unsigned int rare = below(2) ? 2 : 64, i;
	int err = 0;

	if (!lpm)
		return -ENOMEM;
	cni_lpm_bulk_begin(lpm);
	for (i = 0; i < f->items; i++)
		f->item[i].value = below(rare) ? 0 : some_value(MANY);
	for (i = 0; !err && i < f->items; i++)
		err = f->item[i].value ? put(lpm, &f->item[i]) : 0;
	for (i = below(2) * FILLERS; !err && i < FILLERS; i++)
		err = cni_lpm_set(lpm, &f->filler[i].prefix, 1);
	if (!err)
		err = cni_lpm_bulk_end(lpm);
	if (err) {
		cni_lpm_free(lpm);
		return err;
	}
	swap_tables(f, lpm);
	for (i = 0; !err && i < 20; i++)
		err = change_some(f, MANY);
	return err;
}

/* Results */

static void result(bool good, const struct family *f, const char *name,
		   const char *what)
{
	results++;
	pr_info("%sok %d %s, %s: %s\n", good ? "" : "not ", results, f->name,
		name, what);
}

static void run(struct family *f, const char *name,
		int (*phase)(struct family *f), bool turns)
{
	u64 lookups = 0, crossed = 0, lost = 0, wrong = 0, idle = 0;
	unsigned long end = jiffies + seconds * HZ;
	unsigned int i;
	int err;

	asked = f;
	f->changes = 0;
	f->turns = 0;
	f->flat = lpm_table(table(f))->w->flat;
	err = readers_start();
	if (!err)
		err = start_again(f);
	while (!err && time_before(jiffies, end) && !signal_pending(current))
		err = phase(f);
	readers_stop();
	for (i = 0; i < READERS_MAX && readers[i].task; i++) {
		const struct reader *r = &readers[i];

		lookups += r->lookups;
		crossed += r->crossed;
		lost += r->lost;
		wrong += r->wrong;
		idle += !r->lookups;
		if (r->wrong)
			pr_info("# probe %u: answer %u, while words %llx and %llx\n",
				r->bad_probe, r->bad_value, r->bad_words[0],
				r->bad_words[1]);
	}
	pr_info("# %llu changes, %u of them to flat or to deep; %llu lookups, %llu while the answer changed, %llu that nobody can judge\n",
		f->changes, f->turns, lookups, crossed, lost);
	if (err)
		pr_info("# error %d\n", err);
	if (wrong)
		pr_info("# %llu wrong answers\n", wrong);
	result(!err && !wrong, f, name, "each answer was true in its time");
	result(!idle && crossed && lookups / 2 > lost, f, name,
	       "readers and the writer met");
	if (turns)
		result(f->turns > 1, f, name, "it became deep and flat again");
}

/* After all that, table and set agree with no one looking. */
static void settle(struct family *f, const char *name)
{
	struct cni_prefix cursor;
	unsigned int i, wrong = 0, count = 0;
	bool first = true;

	rcu_read_lock();
	for (i = 0; i < PROBES; i++)
		wrong += ask(f, &f->probe[i]) != answer(f, &f->probe[i]);
	rcu_read_unlock();
	for (i = 0; i < f->items; i++) {
		wrong += cni_lpm_get(table(f), &f->item[i].prefix) !=
			 f->item[i].value;
		count += !!f->item[i].value;
	}
	for (i = 0; i < FILLERS; i++)
		count += !!cni_lpm_get(table(f), &f->filler[i].prefix);
	for (i = 0; !cni_lpm_next(table(f), &cursor, first, NULL); i++)
		first = false;
	result(!wrong && i == count && i == cni_lpm_count(table(f)), f, name,
	       "the set is what was put there");
}

/* Few first bytes and few bits behind them: neighbours at all lengths. */
static void some_address(const struct family *f, struct cni_prefix *addr)
{
	unsigned int i;

	memset(addr, 0, sizeof(*addr));
	addr->len = f->bits;
	for (i = 0; i < f->bits / 8; i++)
		addr->bytes[i] = below(4) ? below(4) << 6 | below(4) :
					    below(256);
	addr->bytes[0] = 0x20 + below(2);
	addr->bytes[1] = below(4);
}

static void setup_probe(struct family *f, struct probe *p)
{
	struct cni_prefix prefix;
	unsigned int i, j;

	some_address(f, &p->addr);
	for (i = 0; i < CHAIN_MAX - 1; i++) {
		prefix = p->addr;
		prefix.len = f->lens[i];
		cni_prefix_mask(&prefix, f->bits);
		for (j = 0; j < f->items; j++)
			if (f->item[j].prefix.len == prefix.len &&
			    !memcmp(prefix.bytes, f->item[j].prefix.bytes, 16))
				break;
		if (j == f->items)
			f->item[f->items++].prefix = prefix;
		p->chain[i] = j;
	}
}

/* Half of the fillers are each in a /16 of its own, the others crowd one. */
static void setup_filler(struct family *f, unsigned int i)
{
	struct cni_prefix *prefix = &f->filler[i].prefix;
	unsigned int j;

	do {
		some_address(f, prefix);
		if (i % 2) {
			prefix->bytes[0] = 0x40 + i / 512;
			prefix->bytes[1] = i / 2;
			prefix->len = f->bits == 32 ? 24 : 48;
		} else {
			prefix->bytes[0] = 0x20;
			prefix->bytes[1] = 0;
			prefix->bytes[2] = i >> 4;
			prefix->bytes[3] &= 0x1f;
			prefix->bytes[3] |= i << 4;
			prefix->len = f->bits == 32 ? 27 + below(6) :
						      30 + below(35);
		}
		cni_prefix_mask(prefix, f->bits);
		for (j = 0; j < PROBES; j++)
			if (covers(f, prefix, &f->probe[j].addr))
				break;
	} while (j < PROBES);
}

static int setup(struct family *f)
{
	unsigned int i;

	for (i = 0; i < PROBES; i++)
		setup_probe(f, &f->probe[i]);
	for (i = 0; i < FILLERS; i++)
		setup_filler(f, i);
	RCU_INIT_POINTER(f->lpm, cni_lpm_alloc(f->bits, MAX_BYTES));
	return table(f) ? 0 : -ENOMEM;
}

static void lpm_kmod_free(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(families); i++)
		cni_lpm_free(table(&families[i]));
}

static int __init lpm_kmod_init(void)
{
	static const struct {
		const char *name;
		int (*phase)(struct family *f);
		bool turns;
	} phases[] = {
		{ "few values", phase_few },
		{ "many values", phase_many },
		{ "large values", phase_large, true },
		{ "growing and shrinking", phase_grow, true },
		{ "swapping tables", phase_swap, true },
		{ "few values again", phase_few },
	};
	unsigned int i, j;
	int err;

	prandom_seed_state(&rnd, 4711);
	for (i = 0; i < ARRAY_SIZE(families); i++) {
		err = setup(&families[i]);
		if (err)
			goto err_free;
	}
	pr_info("KTAP version 1\n");
	/* One writer among many readers gets on all the same. */
	set_user_nice(current, MIN_NICE);
	for (i = 0; i < ARRAY_SIZE(phases); i++) {
		for (j = 0; j < ARRAY_SIZE(families); j++) {
			run(&families[j], phases[i].name, phases[i].phase,
			    phases[i].turns);
			settle(&families[j], phases[i].name);
		}
	}
	set_user_nice(current, 0);
	pr_info("1..%d\n", results);
	return 0;

err_free:
	lpm_kmod_free();
	return err;
}

static void __exit lpm_kmod_exit(void)
{
	lpm_kmod_free();
}

module_init(lpm_kmod_init);
module_exit(lpm_kmod_exit);
MODULE_DESCRIPTION("Readers of the prefix table against its writer");
MODULE_LICENSE("GPL");
