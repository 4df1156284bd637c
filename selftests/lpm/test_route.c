// SPDX-License-Identifier: GPL-2.0
/*
 * Batches of routes while memory is short: all of one or nothing, and every
 * adjacency with as many references as there are routes to it.
 */
#include <stdio.h>

#include "route-user.h"

#include "lpm-sources.h"

#include "../../kmod/state/route.c"

#define KEYS	400
#define ADJS	16
#define BATCH	40

static struct {
	struct cni_prefix prefix;
	u8 family;
	u32 value;
	bool local;
} keys[KEYS];

static struct cni_net cn;
static unsigned int users[CNI_ROUTE_ADJ + ADJS];
static unsigned int nr_tests, nr_failed;
static bool fail_here;
static u64 seed = 88172645463325252ULL;

#define expect(cond, ...)						\
	do {								\
		if (!(cond) && !fail_here) {				\
			fail_here = true;				\
			printf("# %s:%d: ", __func__, __LINE__);	\
			printf(__VA_ARGS__);				\
			printf("\n");					\
		}							\
	} while (0)

static u64 rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1dULL >> 16;
}

void cni_adj_put(struct cni_net *net, u32 id)
{
	(void)net;
	if (id < CNI_ROUTE_ADJ)
		return;
	expect(users[id], "one reference too many is put: %u", id);
	users[id] -= !!users[id];
}

void cni_net_announce(struct cni_net *net)
{
	(void)net;
}

void cni_fib_reread(struct cni_net *net)
{
	(void)net;
}

u64 cni_fib_watch(struct cni_net *net, struct cni_slot *slot, u32 id)
{
	(void)net;
	slot->id = id;
	return 1;
}

static u32 adj_get(void)
{
	u32 id = CNI_ROUTE_ADJ + rnd() % ADJS;

	users[id]++;
	return id;
}

/* Close to each other, so that they cover each other and share nodes. */
static void make_keys(void)
{
	unsigned int i, j;

	for (i = 0; i < KEYS; i++) {
		do {
			memset(&keys[i], 0, sizeof(keys[i]));
			keys[i].family = i % 2;
			keys[i].prefix.bytes[0] = 0x20;
			keys[i].prefix.bytes[1] = rnd() % 4;
			keys[i].prefix.bytes[2] = rnd();
			keys[i].prefix.bytes[3] = rnd() % 3;
			keys[i].prefix.len = i % 7 ? 24 + rnd() % 9 :
						     4 + rnd() % 20;
			cni_prefix_mask(&keys[i].prefix, 32);
			for (j = 0; j < i; j++)
				if (keys[j].family == keys[i].family &&
				    same_prefix(&keys[j].prefix,
						&keys[i].prefix))
					break;
		} while (j < i);
	}
}

static u32 user_value(struct cni_table *table, unsigned int k)
{
	struct cni_local *local = NULL;

	if (table == cn.table)
		local = local_find(&cn, keys[k].family, &keys[k].prefix);
	return local ? local->under :
		       cni_lpm_get(table->lpm[keys[k].family], &keys[k].prefix);
}

/* What is in the tables is what was taken, and so are the references. */
static void check_all(struct cni_table *table)
{
	unsigned int want[CNI_ROUTE_ADJ + ADJS] = {}, i;
	u32 routes[CNI_FAMILIES] = {};

	for (i = 0; i < KEYS; i++) {
		expect(user_value(table, i) == keys[i].value,
		       "route %u: %u, not %u", i, user_value(table, i),
		       keys[i].value);
		routes[keys[i].family] += !!keys[i].value;
		if (keys[i].value >= CNI_ROUTE_ADJ)
			want[keys[i].value]++;
	}
	for (i = 0; i < CNI_FAMILIES; i++)
		expect(table->routes[i] == routes[i], "%u routes, not %u",
		       table->routes[i], routes[i]);
	for (i = CNI_ROUTE_ADJ; i < ARRAY_SIZE(users); i++)
		expect(users[i] == want[i],
		       "adjacency %u has %u references, not %u", i, users[i],
		       want[i]);
}

static unsigned int emptied, undone;

/* A batch, and what netlink-route.c does about one that is refused. */
static int batch(struct cni_table **table, unsigned int n, long fail)
{
	static struct cni_route_change changes[BATCH];
	struct netlink_ext_ack ack = {};
	unsigned int k[BATCH], i;
	int err;

	for (i = 0; i < n; i++) {
		k[i] = rnd() % KEYS;
		changes[i] = (struct cni_route_change){
			.prefix = keys[k[i]].prefix,
			.family = keys[k[i]].family,
			.value = rnd() % 3 ? adj_get() : rnd() % 2,
		};
	}
	cni_user_fail = fail;
	err = cni_route_apply(&cn, *table, changes, n, &ack);
	cni_user_fail = 0;
	if (!err) {
		for (i = 0; i < n; i++)
			keys[k[i]].value = changes[i].value;
		return 0;
	}
	expect(ack.text, "no text");
	while (n)
		cni_adj_put(&cn, changes[--n].value);
	return err;
}

/* A table that couldn't be brought back is gone, and what is new is empty. */
static bool is_gone(struct cni_table **table, bool live)
{
	unsigned int i;

	if (live ? cn.table == *table : cn.txn.table == *table) {
		undone++;
		return false;
	}
	emptied++;
	for (i = 0; i < KEYS; i++)
		keys[i].value = 0;
	if (live && !cn.table)
		expect(!cni_route_forget(&cn), "forget");
	if (!live)
		expect(!cn.txn.table, "another transaction");
	*table = cn.table;
	return true;
}

static struct lpm_budget *budget(struct cni_table *table, int family)
{
	return &lpm_table(table->lpm[family])->budget;
}

static void begin(struct cni_table **table)
{
	struct netlink_ext_ack ack;
	int f;

	expect(!cni_route_begin(&cn, RT_TABLE_MAIN, 1, &ack), "begin");
	*table = cn.txn.table;
	/* Built with each update, or nothing large would be allocated. */
	for (f = 0; f < CNI_FAMILIES; f++)
		if (rnd() % 2)
			lpm_table((*table)->lpm[f])->bulk = false;
}

static void test_batches(bool live, bool all)
{
	struct cni_table *table = cn.table;
	unsigned int i;
	long n;

	emptied = 0;
	undone = 0;
	for (i = 0; i < 60 && !fail_here; i++) {
		if (!live && !cn.txn.table)
			begin(&table);
		batch(&table, BATCH, 0);
		check_all(table);
		for (n = 1; n < 200 && !fail_here; n++) {
			u64 same = seed;

			if (!batch(&table, BATCH, all ? -n : n))
				break;
			if (is_gone(&table, live))
				break;
			check_all(table);
			seed = same;
		}
		if (live || cn.txn.table)
			check_all(table);
	}
	cni_route_abort(&cn);
	printf("# %u undone, %u emptied\n", undone, emptied);
}

/* At the table's limit there's always a way back. */
static void test_limit(void)
{
	struct cni_table *table = cn.table;
	unsigned int i, f;

	emptied = 0;
	undone = 0;
	for (i = 0; i < 300 && !fail_here; i++) {
		for (f = 0; f < CNI_FAMILIES; f++)
			budget(table, f)->max = budget(table, f)->bytes;
		if (batch(&table, BATCH, 0)) {
			expect(!is_gone(&table, true), "emptied");
			check_all(table);
		}
		for (f = 0; f < CNI_FAMILIES; f++)
			budget(table, f)->max = TABLE_MAX_BYTES;
		batch(&table, 4, 0);
	}
	expect(undone > 3, "only %u refused", undone);
	printf("# %u undone\n", undone);
	check_all(table);
}

static void begin_anew(void)
{
	unsigned int i;

	cni_route_abort(&cn);
	expect(!cni_route_forget(&cn), "forget");
	for (i = 0; i < KEYS; i++)
		keys[i].value = 0;
	check_all(cn.table);
}

static void finish(const char *name)
{
	begin_anew();
	nr_failed += fail_here;
	printf("%sok %u - %s\n", fail_here ? "not " : "", ++nr_tests, name);
	fail_here = false;
}

int main(void)
{
	unsigned int i;

	make_keys();
	expect(!cni_route_init(&cn), "init");
	for (i = 0; i < 20; i++)
		cni_route_main(&cn, RT_TABLE_LOCAL, keys[i].family,
			       &keys[i].prefix, CNI_ROUTE_IS_LOCAL);
	test_batches(true, false);
	finish("batches for the live table, one allocation fails");
	test_batches(true, true);
	finish("batches for the live table, allocations fail");
	test_batches(false, false);
	finish("batches of a transaction, one allocation fails");
	test_batches(false, true);
	finish("batches of a transaction, allocations fail");
	test_limit();
	finish("batches at the table's limit");
	cni_route_exit(&cn);
	printf("1..%u\n", nr_tests);
	return nr_failed ? 1 : 0;
}
