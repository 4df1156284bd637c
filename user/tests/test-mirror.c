// SPDX-License-Identifier: GPL-2.0
/*
 * A small model of the kernel's tables makes changes and the events that the
 * kernel would send of them. The mirror takes the events in; what it says goes
 * into a model of the module's table. Both must agree, prefix by prefix and on
 * lookups.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "test.h"

#include "mirror.h"
#include "out.h"

#define TABLES 2
#define ROUTES 400

static const uint32_t tables[TABLES] = { 100, 254 };

/* One way of one route. Order in the list is the kernel's order. */
struct route {
	struct addr dst;
	uint32_t table, prio;
	uint8_t tos, type;
	uint32_t oif;
	struct addr via;
	uint32_t nh_id;
};

static struct route kernel[ROUTES];
static unsigned int n_kernel;

/* What the module holds. */
static struct mirror_out module[ROUTES];
static unsigned int n_module;

static bool usable[16];
static unsigned int seed;
static unsigned int n_tables;

static unsigned int rnd(unsigned int n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

static struct addr random_dst(void)
{
	bool v6 = rnd(2);
	struct addr a = { .family = v6 ? AF_INET6 : AF_INET };

	/* Few and nested. */
	a.b[0] = v6 ? 0x20 : 10;
	a.b[1] = rnd(3) << 6;
	a.b[2] = rnd(3) << 6;
	a.len = rnd(4) * 8;
	return addr_network(&a);
}

static struct khop hop_of(const struct route *r)
{
	struct khop h = {
		.oif = r->oif, .via = r->via,
		.plain = r->type == RTN_UNICAST && !r->nh_id &&
			 (!r->via.family || r->via.family == r->dst.family),
	};

	/* As kroute.c does, in spirit: whatever tells them apart. */
	h.ident = r->oif * 1000003 + r->type * 10007 + r->nh_id * 101 +
		  r->via.b[3] * 7 + r->via.b[15] + r->via.family;
	return h;
}

static struct kroute event_of(const struct route *r, bool del, uint16_t flags)
{
	struct kroute k = {
		.del = del, .flags = flags, .dst = r->dst, .table = r->table,
		.prio = r->prio, .tos = r->tos, .type = r->type,
		.proto = RTPROT_STATIC, .nh_object = r->nh_id,
		.n_hops = 1,
	};

	k.ident = hop_of(r).ident + r->tos;
	return k;
}

static bool same_key(const struct route *a, const struct route *b)
{
	return a->table == b->table && a->prio == b->prio &&
	       a->tos == b->tos && addr_same(&a->dst, &b->dst) &&
	       a->dst.len == b->dst.len;
}

static bool same_route(const struct route *a, const struct route *b)
{
	return same_key(a, b) && a->type == b->type && a->oif == b->oif &&
	       a->nh_id == b->nh_id && a->via.family == b->via.family &&
	       !memcmp(&a->via, &b->via, sizeof(a->via));
}

static bool joins(const struct route *r)
{
	return r->dst.family == AF_INET6 && r->via.family && !r->nh_id;
}

static void kernel_del(unsigned int i)
{
	memmove(&kernel[i], &kernel[i + 1],
		(--n_kernel - i) * sizeof(*kernel));
}

static void kernel_add(unsigned int at, const struct route *r)
{
	memmove(&kernel[at + 1], &kernel[at],
		(n_kernel++ - at) * sizeof(*kernel));
	kernel[at] = *r;
}

/* The kernel tells of the whole group when a v6 route joins it. */
static void send_group(struct mirror *m, const struct route *r,
		       uint16_t flags)
{
	struct kroute k = event_of(r, false, flags);
	struct khop hops[64];
	unsigned int i, n = 0;

	for (i = 0; i < n_kernel && n < 64; i++)
		if (same_key(&kernel[i], r) && joins(&kernel[i]))
			hops[n++] = hop_of(&kernel[i]);
	k.hops = hops;
	k.n_hops = n;
	k.multipath = n > 1;
	mirror_apply(m, &k);
}

static void send_one(struct mirror *m, const struct route *r, bool del,
		     uint16_t flags)
{
	struct kroute k = event_of(r, del, flags);
	struct khop h = hop_of(r);

	k.hops = &h;
	mirror_apply(m, &k);
}

static void send_new(struct mirror *m, const struct route *r, uint16_t flags)
{
	if (joins(r))
		send_group(m, r, flags);
	else
		send_one(m, r, false, flags);
}

static struct route random_route(void)
{
	struct route r = {
		.dst = random_dst(),
		.table = tables[rnd(n_tables) + TABLES - n_tables],
		.prio = rnd(3) * 10,
		.type = rnd(8) ? RTN_UNICAST : RTN_UNREACHABLE,
	};

	if (r.type == RTN_UNICAST) {
		r.oif = 1 + rnd(6);
		if (rnd(2)) {
			r.via.family = r.dst.family;
			r.via.len = addr_bits(&r.dst);
			r.via.b[3] = rnd(3);
		} else if (!rnd(8)) {
			r.nh_id = 1 + rnd(3);
		}
	}
	if (r.dst.family == AF_INET && !rnd(10))
		r.tos = 8;
	return r;
}

/* One change as a daemon or a person makes it, and its event. */
static void change(struct mirror *m)
{
	struct route r = random_route();
	unsigned int i, first = n_kernel, last = 0, n = 0, exact = 0;
	bool v6 = r.dst.family == AF_INET6;

	for (i = 0; i < n_kernel; i++) {
		if (!same_key(&kernel[i], &r))
			continue;
		if (first == n_kernel)
			first = i;
		last = i;
		n++;
		exact += same_route(&kernel[i], &r);
	}
	if (rnd(3) == 0 && n_kernel) {
		i = rnd(n_kernel);
		r = kernel[i];
		kernel_del(i);
		send_one(m, &r, true, 0);
		return;
	}
	if (n_kernel == ROUTES || exact)
		return;
	/* Which one a replacement hits isn't told when there are several. */
	if (n == 1 && rnd(2)) {
		if (v6 && joins(&kernel[first]) != joins(&r))
			return;
		kernel_del(first);
		kernel_add(first, &r);
		send_new(m, &r, NLM_F_CREATE | NLM_F_REPLACE);
		return;
	}
	if (n && !v6 && rnd(2))
		kernel_add(first, &r);
	else
		kernel_add(n ? last + 1 : n_kernel, &r);
	send_new(m, &r, NLM_F_CREATE | (n ? NLM_F_APPEND : NLM_F_EXCL));
}

static int module_take(const struct mirror_out *out, void *arg)
{
	int *last_len = arg;
	unsigned int i;

	/* Longest first: a batch may be cut short anywhere. */
	if (last_len) {
		assert_true(out->dst.len <= *last_len);
		*last_len = out->dst.len;
	}
	for (i = 0; i < n_module; i++)
		if (addr_same(&module[i].dst, &out->dst) &&
		    module[i].dst.len == out->dst.len)
			break;
	if (out->del) {
		if (i < n_module)
			module[i] = module[--n_module];
		return 0;
	}
	if (i == n_module)
		n_module++;
	module[i] = *out;
	return 0;
}

/* The naive answer: what a table's routes of one prefix come to. */
static bool naive_prefix(uint32_t table, const struct addr *dst,
			 struct mirror_out *out)
{
	const struct route *best = NULL;
	bool special = false, tie = false;
	unsigned int i;

	memset(out, 0, sizeof(*out));
	out->dst = *dst;
	out->del = true;
	for (i = 0; i < n_kernel; i++) {
		const struct route *r = &kernel[i];

		if (r->table != table || !addr_same(&r->dst, dst) ||
		    r->dst.len != dst->len)
			continue;
		out->del = false;
		special |= r->tos;
		if (!best || r->prio < best->prio) {
			best = r;
			tie = false;
		} else if (r->prio == best->prio) {
			tie = true;
		}
	}
	if (!best || special || tie || !hop_of(best).plain ||
	    !usable[best->oif])
		return best;
	out->forward = true;
	out->oif = best->oif;
	out->via = best->via;
	return true;
}

/* The kernel's lookup: table by table, longest prefix first. */
static void naive_lookup(const struct addr *a, struct mirror_out *out)
{
	struct addr net;
	unsigned int t;
	int len;

	for (t = TABLES - n_tables; t < TABLES; t++) {
		/* random_dst() makes no others. */
		for (len = 24; len >= 0; len -= 8) {
			net = *a;
			net.len = len;
			net = addr_network(&net);
			if (naive_prefix(tables[t], &net, out))
				return;
		}
	}
	memset(out, 0, sizeof(*out));
}

static void module_lookup(const struct addr *a, struct mirror_out *out)
{
	const struct mirror_out *best = NULL;
	unsigned int i;

	for (i = 0; i < n_module; i++)
		if (addr_covers(&module[i].dst, a) &&
		    (!best || module[i].dst.len > best->dst.len))
			best = &module[i];
	if (best)
		*out = *best;
	else
		memset(out, 0, sizeof(*out));
}

static void check_lookups(void)
{
	struct mirror_out k, m;
	struct addr a;
	unsigned int i;

	for (i = 0; i < 30; i++) {
		a = random_dst();
		a.b[1] |= rnd(256);
		a.b[3] |= rnd(256);
		a.len = addr_bits(&a);
		naive_lookup(&a, &k);
		module_lookup(&a, &m);
		if (k.forward != m.forward || k.oif != m.oif ||
		    memcmp(&k.via, &m.via, sizeof(k.via)))
			fail_msg("%s: kernel %d oif %u, module %d oif %u by %s",
				 addr_str(&a), k.forward, k.oif, m.forward,
				 m.oif, addr_prefix_str(&m.dst));
	}
}

/* What was said bit by bit equals what is said of all of it at once. */
static void check_whole(struct mirror *m)
{
	struct mirror_out had[ROUTES];
	unsigned int n_had = n_module, i, k;
	size_t forward = 0;

	memcpy(had, module, n_had * sizeof(*had));
	n_module = 0;
	assert_int_equal(mirror_flush_all(m, module_take, NULL), 0);
	mirror_done(m, true);
	assert_int_equal(n_module, n_had);
	for (i = 0; i < n_had; i++) {
		for (k = 0; k < n_module; k++)
			if (addr_same(&module[k].dst, &had[i].dst) &&
			    module[k].dst.len == had[i].dst.len)
				break;
		assert_true(k < n_module);
		assert_memory_equal(&module[k], &had[i], sizeof(had[i]));
		forward += had[i].forward;
	}
	assert_int_equal(mirror_shown(m, AF_INET) + mirror_shown(m, AF_INET6),
			 n_module);
	assert_int_equal(mirror_punted(m, AF_INET) +
			 mirror_punted(m, AF_INET6), n_module - forward);
}

static void set_usable(struct mirror *m)
{
	uint32_t oifs[16];
	unsigned int i, n = 0;

	for (i = 1; i < 7; i++) {
		usable[i] = rnd(2);
		if (usable[i])
			oifs[n++] = i;
	}
	mirror_set_oifs(m, oifs, n);
}

static void link_down(struct mirror *m, uint32_t oif)
{
	unsigned int i;

	for (i = n_kernel; i--;) {
		struct route r = kernel[i];

		if (r.oif != oif || r.nh_id)
			continue;
		kernel_del(i);
		/* v4 goes without a word. */
		if (r.dst.family == AF_INET6)
			send_one(m, &r, true, 0);
	}
	mirror_dev_down(m, oif);
	/* For next hop objects there's no telling. */
	mirror_doubt(m);
}

static void churn(unsigned int tables_used, unsigned int start)
{
	struct mirror *m;
	unsigned int i, round;
	int last_len;

	seed = start;
	n_tables = tables_used;
	n_kernel = n_module = 0;
	m = mirror_new(tables + TABLES - n_tables, n_tables);
	set_usable(m);
	for (round = 0; round < 200; round++) {
		for (i = rnd(40); i; i--)
			change(m);
		if (!rnd(20))
			set_usable(m);
		if (!rnd(20))
			link_down(m, 1 + rnd(6));
		if (!rnd(4))
			continue;
		/* Some come between the generation and the batch. */
		mirror_late(m);
		for (i = rnd(6); i; i--)
			change(m);
		last_len = 128;
		assert_int_equal(mirror_flush(m, module_take, &last_len), 0);
		mirror_done(m, rnd(8) != 0);
		check_lookups();
		/* And those go once more; nothing is lost if a batch was. */
		mirror_flush(m, module_take, NULL);
		mirror_done(m, true);
		assert_int_equal(mirror_pending(m), 0);
		check_lookups();
		if (!rnd(10))
			check_whole(m);
		assert_false(mirror_doubt(m));
	}
	mirror_free(m);
}

static void one_table(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 6; i++)
		churn(1, i + 1);
}

static void two_tables(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 6; i++)
		churn(2, i + 1);
}

static struct route simple(const char *prefix, uint32_t oif)
{
	struct route r = { .table = 254, .type = RTN_UNICAST, .oif = oif };

	assert_int_equal(addr_parse_prefix(prefix, &r.dst), 0);
	return r;
}

static struct mirror *fresh(void)
{
	struct mirror *m;
	uint32_t oifs[] = { 1, 2 };

	n_kernel = n_module = 0;
	n_tables = 1;
	m = mirror_new(tables + 1, 1);
	mirror_set_oifs(m, oifs, 2);
	return m;
}

/* What happened during a dump comes again as events: no harm in that. */
static void overlap(void **state)
{
	struct route a = simple("10.0.0.0/8", 1), b = simple("10.0.0.0/8", 2);
	struct mirror *m = fresh();
	struct mirror_out out;

	(void)state;
	mirror_loading(m, true);
	send_one(m, &b, false, 0);			/* the dump */
	send_one(m, &a, false, NLM_F_CREATE | NLM_F_EXCL);
	send_one(m, &a, true, 0);
	send_one(m, &b, false, NLM_F_CREATE | NLM_F_EXCL);
	mirror_loading(m, false);
	mirror_look(m, &a.dst, &out);
	assert_true(out.forward);
	assert_int_equal(out.oif, 2);

	mirror_loading(m, true);
	send_one(m, &a, true, 0);			/* never seen here */
	send_one(m, &b, false, NLM_F_CREATE | NLM_F_REPLACE);
	mirror_loading(m, false);
	mirror_look(m, &a.dst, &out);
	assert_int_equal(out.oif, 2);
	assert_false(mirror_doubt(m));
	mirror_free(m);
}

/* What can't be: then only a new dump helps, and the mirror says so. */
static void doubt(void **state)
{
	struct route a = simple("10.0.0.0/8", 1), b = simple("10.0.0.0/8", 2);
	struct route c = simple("10.0.0.0/8", 3);
	struct mirror *m = fresh();

	(void)state;
	send_one(m, &a, true, 0);
	assert_true(mirror_doubt(m));
	assert_false(mirror_doubt(m));
	send_one(m, &a, false, NLM_F_CREATE);
	send_one(m, &b, false, NLM_F_CREATE | NLM_F_APPEND);
	assert_false(mirror_doubt(m));
	send_one(m, &c, false, NLM_F_CREATE | NLM_F_REPLACE);
	assert_true(mirror_doubt(m));
	mirror_free(m);
}

/* The module waits for a word on prefixes of the table default too. */
static void other_tables(void **state)
{
	struct route r = simple("10.0.0.0/8", 1);
	struct mirror *m = fresh();
	struct mirror_out out;

	(void)state;
	r.table = RT_TABLE_DEFAULT;
	send_one(m, &r, false, NLM_F_CREATE);
	assert_int_equal(mirror_pending(m), 1);
	mirror_look(m, &r.dst, &out);
	assert_true(out.del);
	r.table = 1000;
	r.dst.b[1] = 1;
	r.dst.len = 16;
	send_one(m, &r, false, NLM_F_CREATE);
	r.table = RT_TABLE_LOCAL;
	send_one(m, &r, false, NLM_F_CREATE);
	assert_int_equal(mirror_pending(m), 1);
	mirror_free(m);
}

static void sources(void **state)
{
	struct route r = simple("10.0.0.0/8", 1);
	struct mirror *m = fresh();
	struct kroute k = event_of(&r, false, NLM_F_CREATE);
	struct khop h = hop_of(&r);

	(void)state;
	k.hops = &h;
	k.prefsrc = addr_from4(0x0100000a, 32);
	mirror_apply(m, &k);
	assert_true(mirror_prefsrc_used(m, 0x0100000a));
	assert_false(mirror_prefsrc_used(m, 0x0200000a));
	k.del = true;
	mirror_apply(m, &k);
	assert_false(mirror_prefsrc_used(m, 0x0100000a));

	/* A v6 route for some sources only keeps all of its prefix away. */
	r = simple("2001:db8::/32", 1);
	send_one(m, &r, false, NLM_F_CREATE);
	k = event_of(&r, false, NLM_F_CREATE);
	k.has_src = true;
	h = hop_of(&r);
	h.ident++;
	k.hops = &h;
	mirror_apply(m, &k);
	mirror_flush(m, module_take, NULL);
	mirror_done(m, true);
	assert_int_equal(n_module, 1);
	assert_false(module[0].forward);
	k.del = true;
	mirror_apply(m, &k);
	mirror_flush(m, module_take, NULL);
	mirror_done(m, true);
	assert_true(module[0].forward);
	mirror_free(m);
}

static int ignore(const struct mirror_out *out, void *arg)
{
	size_t *n = arg;

	(void)out;
	++*n;
	return 0;
}

static void memory_bound(void **state)
{
	struct mirror *m = fresh();
	struct route r = simple("10.0.0.0/24", 1);
	unsigned int i, n = 200000;
	size_t said = 0;

	(void)state;
	for (i = 0; i < n; i++) {
		r.dst.b[0] = 16 + (i >> 16);
		r.dst.b[1] = i >> 8;
		r.dst.b[2] = i;
		send_one(m, &r, false, NLM_F_CREATE | NLM_F_EXCL);
	}
	assert_int_equal(mirror_flush(m, ignore, &said), 0);
	assert_int_equal(said, n);
	mirror_done(m, true);
	assert_true(mirror_bytes(m) / n < 100);
	/* All that went is given up for reuse. */
	for (i = 0; i < n; i++) {
		r.dst.b[0] = 16 + (i >> 16);
		r.dst.b[1] = i >> 8;
		r.dst.b[2] = i;
		send_one(m, &r, true, 0);
	}
	mirror_flush(m, ignore, &said);
	mirror_done(m, true);
	assert_int_equal(mirror_shown(m, AF_INET), 0);
	assert_false(mirror_doubt(m));
	mirror_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_table),
		cmocka_unit_test(two_tables),
		cmocka_unit_test(overlap),
		cmocka_unit_test(doubt),
		cmocka_unit_test(other_tables),
		cmocka_unit_test(sources),
		cmocka_unit_test(memory_bound),
	};

	return cmocka_run_group_tests_name("mirror", tests, NULL, NULL);
}
