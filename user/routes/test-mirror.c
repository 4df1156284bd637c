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

#include "base/test.h"

#include "base/out.h"
#include "routes/mirror.h"

#define TABLES 2
#define ROUTES 400

static const uint32_t tables[TABLES] = { 100, 254 };

/* One way of one route. Order in the list is the kernel's order. */
struct route {
	struct addr dst;
	uint32_t table, prio;
	uint8_t tos, type;
	uint32_t oif, weight;
	struct addr via;
	uint32_t nh_id;
	unsigned int more;	/* v4: so many further ways */
};

static struct route kernel[ROUTES];
static unsigned int n_kernel;

/* What the module holds: of the hops, copies. */
static struct held {
	struct cni_entry out;
	struct khop hops[KHOPS_MAX];
} module[ROUTES];
static unsigned int n_module;

/* Next hop objects: v4's 1 to 3 and groups 4 to 6, v6's 7 to 9 and 10 to 12. */
#define OBJECTS 13
static struct object {
	struct knexthop n;
	struct knexthop_member members[3];
} objects[OBJECTS];

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
		.weight = 1,
		.plain = r->type == RTN_UNICAST &&
			 (!r->via.family || r->via.family == r->dst.family),
	};

	/* As kroute.c does, in spirit: whatever tells them apart. */
	h.ident = r->oif * 1000003 + r->type * 10007 + r->nh_id * 101 +
		  r->via.b[3] * 7 + r->via.b[15] + r->via.family;
	return h;
}

/* All the ways of a v4 route, or the one of another. */
static unsigned int hops_of(const struct route *r, struct khop *hops)
{
	unsigned int i;

	hops[0] = hop_of(r);
	for (i = 1; i <= r->more; i++) {
		hops[i] = hops[0];
		hops[i].oif = 1 + (r->oif + i * i) % 6;
		hops[i].ident += i;
		hops[i].weight = 1 + (r->oif + i) % 3;
	}
	if (r->more)
		hops[0].weight = r->weight;
	return i;
}

static struct kroute event_of(const struct route *r, bool del, uint16_t flags)
{
	struct kroute k = {
		.del = del, .flags = flags, .dst = r->dst, .table = r->table,
		.prio = r->prio, .tos = r->tos, .type = r->type,
		.proto = RTPROT_STATIC, .nh_object = r->nh_id,
		.plain = r->type == RTN_UNICAST, .n_hops = 1,
	};

	k.ident = hop_of(r).ident + r->tos + r->more * 31 + r->weight;
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
	       a->nh_id == b->nh_id && a->more == b->more &&
	       a->via.family == b->via.family &&
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

/* The group that shares the load, in its order. */
static unsigned int group_of(const struct route *r, struct khop *hops)
{
	unsigned int i, n = 0;

	for (i = 0; i < n_kernel && n < KHOPS_MAX; i++)
		if (same_key(&kernel[i], r) && joins(&kernel[i])) {
			hops[n] = hop_of(&kernel[i]);
			hops[n++].weight = kernel[i].weight;
		}
	if (n == 1)
		hops[0].weight = 1;
	return n;
}

/*
 * The kernel tells of the whole group when a v6 route joins it: as a circle,
 * from the new one on, or when asked to append, from the first on.
 */
static void send_group(struct mirror *m, const struct route *r,
		       uint16_t flags)
{
	struct kroute k = event_of(r, false, flags);
	struct khop hops[KHOPS_MAX], turned[KHOPS_MAX];
	unsigned int i, n = group_of(r, hops), from = rnd(2) ? n - 1 : 0;

	for (i = 0; i < n; i++)
		turned[i] = hops[(from + i) % n];
	k.hops = turned;
	k.n_hops = n;
	k.multipath = n > 1;
	mirror_apply(m, &k);
}

static void send_one(struct mirror *m, const struct route *r, bool del,
		     uint16_t flags)
{
	struct kroute k = event_of(r, del, flags);
	struct khop hops[KHOPS_MAX];

	k.n_hops = hops_of(r, hops);
	k.multipath = k.n_hops > 1;
	k.hops = hops;
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
		.weight = 1 + rnd(4),
	};

	if (r.type == RTN_UNICAST) {
		r.oif = 1 + rnd(6);
		if (rnd(2)) {
			r.via.family = r.dst.family;
			r.via.len = addr_bits(&r.dst);
			r.via.b[3] = rnd(3);
		}
		if (!rnd(6)) {
			memset(&r.via, 0, sizeof(r.via));
			r.nh_id = 1 + rnd(6) +
				  (r.dst.family == AF_INET6 ? 6 : 0);
		} else if (r.dst.family == AF_INET && !rnd(3)) {
			r.more = 1 + rnd(3);
		}
	}
	if (r.dst.family == AF_INET && !rnd(10))
		r.tos = 8;
	return r;
}

/* The kernel's word on an object. */
static void send_object(struct mirror *m, unsigned int id, bool del)
{
	struct knexthop n = objects[id].n;

	n.del = del;
	n.id = id;
	n.members = objects[id].members;
	mirror_object(m, &n);
}

static void change_object(struct mirror *m)
{
	unsigned int id = 1 + rnd(OBJECTS - 1), base = id > 6 ? 6 : 0, i;
	struct object *o = &objects[id];

	memset(o, 0, sizeof(*o));
	if (id - base <= 3) {
		o->n.plain = true;
		o->n.family = base ? AF_INET6 : AF_INET;
		o->n.hop = (struct khop){
			.oif = 1 + rnd(6), .weight = 1, .plain = rnd(8),
		};
	} else {
		o->n.group = true;
		o->n.plain = rnd(8);
		o->n.n_members = 1 + rnd(3);
		for (i = 0; i < o->n.n_members; i++) {
			o->members[i].id = base + 1 + (id + i) % 3;
			o->members[i].weight = 1 + rnd(300);
		}
	}
	o->n.id = id;
	send_object(m, id, false);
}

/* One change as a daemon or a person makes it, and its event. */
static void change(struct mirror *m)
{
	struct route r = random_route();
	unsigned int i, first = n_kernel, last = 0, n = 0, exact = 0;
	bool v6 = r.dst.family == AF_INET6;

	if (!rnd(20)) {
		change_object(m);
		return;
	}

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

static int module_take(const struct cni_entry *out, void *arg)
{
	int *last_len = arg;
	unsigned int i;

	/* Longest first: a batch may be cut short anywhere. */
	if (last_len) {
		assert_true(out->dst.len <= *last_len);
		*last_len = out->dst.len;
	}
	for (i = 0; i < n_module; i++)
		if (addr_same(&module[i].out.dst, &out->dst) &&
		    module[i].out.dst.len == out->dst.len)
			break;
	if (out->del) {
		if (i < n_module)
			module[i] = module[--n_module];
		return 0;
	}
	if (i == n_module)
		n_module++;
	module[i].out = *out;
	if (out->n_hops)
		memcpy(module[i].hops, out->hops,
		       out->n_hops * sizeof(*out->hops));
	return 0;
}

static unsigned int object_hops(unsigned int id, struct khop *hops)
{
	const struct object *o = &objects[id], *part;
	unsigned int i;

	if (!o->n.plain || !o->n.group) {
		hops[0] = o->n.hop;
		return o->n.plain;
	}
	for (i = 0; i < o->n.n_members; i++) {
		part = &objects[o->members[i].id];
		if (!part->n.id)
			return 0;
		hops[i] = part->n.hop;
		hops[i].weight = i || o->n.n_members > 1 ?
				 o->members[i].weight : 1;
	}
	return i;
}

/* The naive answer: what a table's routes of one prefix come to. */
static bool naive_prefix(uint32_t table, const struct addr *dst,
			 struct cni_entry *out)
{
	static struct khop hops[KHOPS_MAX];
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
			/* Several that share the load are one. */
			tie |= !joins(r) || !joins(best);
		}
	}
	if (!best || special || tie || best->type != RTN_UNICAST)
		return best;
	out->hops = hops;
	if (best->nh_id)
		out->n_hops = object_hops(best->nh_id, hops);
	else if (joins(best))
		out->n_hops = group_of(best, hops);
	else
		out->n_hops = hops_of(best, hops);
	out->forward = out->n_hops;
	for (i = 0; i < out->n_hops; i++)
		if (!hops[i].plain || !usable[hops[i].oif])
			out->forward = false;
	if (!out->forward)
		out->n_hops = 0;
	return true;
}

/* The kernel's lookup: table by table, longest prefix first. */
static void naive_lookup(const struct addr *a, struct cni_entry *out)
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

static void module_lookup(const struct addr *a, struct cni_entry *out)
{
	const struct held *best = NULL;
	unsigned int i;

	for (i = 0; i < n_module; i++)
		if (addr_covers(&module[i].out.dst, a) &&
		    (!best || module[i].out.dst.len > best->out.dst.len))
			best = &module[i];
	memset(out, 0, sizeof(*out));
	if (!best)
		return;
	*out = best->out;
	out->hops = best->hops;
}

static bool same_hops(const struct cni_entry *a, const struct cni_entry *b)
{
	unsigned int i;

	if (a->n_hops != b->n_hops)
		return false;
	for (i = 0; i < a->n_hops; i++)
		if (a->hops[i].oif != b->hops[i].oif ||
		    a->hops[i].weight != b->hops[i].weight ||
		    memcmp(&a->hops[i].via, &b->hops[i].via,
			   sizeof(a->hops[i].via)))
			return false;
	return true;
}

static void check_lookups(void)
{
	struct cni_entry k, m;
	struct addr a;
	unsigned int i;

	for (i = 0; i < 30; i++) {
		a = random_dst();
		a.b[1] |= rnd(256);
		a.b[3] |= rnd(256);
		a.len = addr_bits(&a);
		naive_lookup(&a, &k);
		module_lookup(&a, &m);
		if (k.forward != m.forward || !same_hops(&k, &m))
			fail_msg("%s: kernel %d hops %u by %s, module %d hops %u by %s",
				 addr_str(&a), k.forward, k.n_hops,
				 addr_prefix_str(&k.dst), m.forward, m.n_hops,
				 addr_prefix_str(&m.dst));
	}
}

/* What was said bit by bit equals what is said of all of it at once. */
static void check_whole(struct mirror *m)
{
	static struct held had[ROUTES];
	unsigned int n_had = n_module, i, k;
	size_t forward = 0;

	memcpy(had, module, n_had * sizeof(*had));
	n_module = 0;
	assert_int_equal(mirror_flush_all(m, module_take, NULL), 0);
	mirror_done(m, true);
	assert_int_equal(n_module, n_had);
	for (i = 0; i < n_had; i++) {
		for (k = 0; k < n_module; k++)
			if (addr_same(&module[k].out.dst, &had[i].out.dst) &&
			    module[k].out.dst.len == had[i].out.dst.len)
				break;
		assert_true(k < n_module);
		had[i].out.hops = had[i].hops;
		module[k].out.hops = module[k].hops;
		assert_int_equal(module[k].out.forward, had[i].out.forward);
		assert_true(same_hops(&module[k].out, &had[i].out));
		forward += had[i].out.forward;
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

/* The objects on a device go, from groups too, without a word. */
static void objects_down(uint32_t oif)
{
	unsigned int i, k, n, id;

	for (id = 1; id < OBJECTS; id++) {
		if (!objects[id].n.id || objects[id].n.group ||
		    objects[id].n.hop.oif != oif)
			continue;
		memset(&objects[id], 0, sizeof(objects[id]));
		for (i = 1; i < OBJECTS; i++) {
			struct object *o = &objects[i];

			for (k = n = 0; k < o->n.n_members; k++)
				if (o->members[k].id != id)
					o->members[n++] = o->members[k];
			if (!n && o->n.n_members)
				memset(o, 0, sizeof(*o));
			o->n.n_members = n;
		}
	}
}

static bool all_by(const struct route *r, uint32_t oif)
{
	struct khop hops[KHOPS_MAX];
	unsigned int n = hops_of(r, hops);

	while (n--)
		if (hops[n].oif != oif)
			return false;
	return true;
}

static void link_down(struct mirror *m, uint32_t oif)
{
	unsigned int i;

	objects_down(oif);
	for (i = n_kernel; i--;) {
		struct route r = kernel[i];

		if (r.nh_id || !all_by(&r, oif))
			continue;
		kernel_del(i);
		/* v4 goes without a word. */
		if (r.dst.family == AF_INET6)
			send_one(m, &r, true, 0);
	}
	mirror_dev(m, oif, MIRROR_DEV_DOWN);
	mirror_dev(m, oif, MIRROR_DEV_UP);
	/* Which routes went with their objects there's no telling. */
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
	memset(objects, 0, sizeof(objects));
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
	struct cni_entry out;

	(void)state;
	mirror_loading(m, true);
	send_one(m, &b, false, 0);			/* the dump */
	send_one(m, &a, false, NLM_F_CREATE | NLM_F_EXCL);
	send_one(m, &a, true, 0);
	send_one(m, &b, false, NLM_F_CREATE | NLM_F_EXCL);
	mirror_loading(m, false);
	mirror_look(m, &a.dst, &out);
	assert_true(out.forward);
	assert_int_equal(out.hops[0].oif, 2);

	mirror_loading(m, true);
	send_one(m, &a, true, 0);			/* never seen here */
	send_one(m, &b, false, NLM_F_CREATE | NLM_F_REPLACE);
	mirror_loading(m, false);
	mirror_look(m, &a.dst, &out);
	assert_int_equal(out.hops[0].oif, 2);
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
	struct cni_entry out;

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
	k.plain = false;
	h = hop_of(&r);
	h.ident++;
	k.hops = &h;
	mirror_apply(m, &k);
	mirror_flush(m, module_take, NULL);
	mirror_done(m, true);
	assert_int_equal(n_module, 1);
	assert_false(module[0].out.forward);
	k.del = true;
	mirror_apply(m, &k);
	mirror_flush(m, module_take, NULL);
	mirror_done(m, true);
	assert_true(module[0].out.forward);
	mirror_free(m);
}

/* A route is punt for as long as it has a lifetime. */
static void ends(void **state)
{
	struct route r = simple("2001:db8::/32", 1);
	struct mirror *m = fresh();
	struct khop h = hop_of(&r);
	struct kroute k = event_of(&r, false, NLM_F_CREATE);
	struct cni_entry out;

	(void)state;
	k.hops = &h;
	k.ends = true;
	mirror_apply(m, &k);
	mirror_look(m, &r.dst, &out);
	assert_false(out.del);
	assert_false(out.forward);
	k.flags = NLM_F_REPLACE;
	k.ends = false;
	mirror_apply(m, &k);
	mirror_look(m, &r.dst, &out);
	assert_true(out.forward);
	k.ends = true;
	mirror_apply(m, &k);
	mirror_look(m, &r.dst, &out);
	assert_false(out.forward);
	/* It goes, with or without a word on its lifetime. */
	k.ends = false;
	k.del = true;
	mirror_apply(m, &k);
	mirror_look(m, &r.dst, &out);
	assert_true(out.del);
	assert_false(mirror_doubt(m));
	mirror_free(m);
}

/* A route of several ways by devices and weights; v6 with gateways. */
static struct kroute shared(const char *prefix, struct khop *hops,
			    unsigned int n, const char *what)
{
	struct kroute k = {
		.table = 254, .type = RTN_UNICAST, .proto = RTPROT_STATIC,
		.plain = true, .multipath = n > 1, .hops = hops, .n_hops = n,
	};
	unsigned int i;

	assert_int_equal(addr_parse_prefix(prefix, &k.dst), 0);
	for (i = 0; i < n; i++) {
		hops[i] = (struct khop){
			.oif = what[2 * i] - '0', .weight = what[2 * i + 1] -
			'0', .ident = what[2 * i], .plain = true,
		};
		if (k.dst.family == AF_INET6) {
			hops[i].via.family = AF_INET6;
			hops[i].via.b[15] = hops[i].oif;
		}
		k.ident = k.ident * 100 + hops[i].ident + hops[i].weight;
	}
	return k;
}

static void apply(struct mirror *m, const char *prefix, const char *what,
		  bool del, uint16_t flags)
{
	struct khop hops[KHOPS_MAX];
	struct kroute k = shared(prefix, hops, strlen(what) / 2, what);

	k.del = del;
	k.flags = flags;
	mirror_apply(m, &k);
}

/* Says what the module is told of a prefix: "11 22" for devices and weights. */
static const char *said(struct mirror *m, const char *prefix)
{
	static char buf[2 * KHOPS_MAX + 1];
	struct cni_entry out;
	struct addr dst;
	unsigned int i;

	assert_int_equal(addr_parse_prefix(prefix, &dst), 0);
	mirror_look(m, &dst, &out);
	if (!out.forward)
		return out.del ? "nothing" : "punt";
	for (i = 0; i < out.n_hops; i++) {
		buf[2 * i] = out.hops[i].oif + '0';
		buf[2 * i + 1] = out.hops[i].weight + '0';
	}
	buf[2 * i] = '\0';
	return buf;
}

#define P4 "10.0.0.0/8"
#define P6 "2001:db8::/32"

static struct mirror *fresh3(void)
{
	static const uint32_t oifs[] = { 1, 2, 3 };
	struct mirror *m = fresh();

	mirror_set_oifs(m, oifs, 3);
	return m;
}

static void several4(void **state)
{
	static const uint32_t oifs[] = { 1, 2 };
	struct mirror *m = fresh3();

	(void)state;
	apply(m, P4, "213511", false, NLM_F_CREATE);
	assert_string_equal(said(m, P4), "213511");
	/* Another order, and another weight, is another route. */
	apply(m, P4, "112135", false, NLM_F_REPLACE);
	assert_string_equal(said(m, P4), "112135");
	apply(m, P4, "112134", false, NLM_F_REPLACE);
	assert_string_equal(said(m, P4), "112134");
	/* One way by a device that the module doesn't send to. */
	mirror_set_oifs(m, oifs, 2);
	assert_string_equal(said(m, P4), "punt");
	assert_int_equal(mirror_pending(m), 1);
	apply(m, P4, "1121", false, NLM_F_REPLACE);
	assert_string_equal(said(m, P4), "1121");
	/* Of two of one metric the kernel takes the first: not known here. */
	apply(m, P4, "11", false, NLM_F_CREATE | NLM_F_APPEND);
	assert_string_equal(said(m, P4), "punt");
	apply(m, P4, "11", true, 0);
	apply(m, P4, "1121", true, 0);
	assert_string_equal(said(m, P4), "nothing");
	assert_false(mirror_doubt(m));
	mirror_free(m);
}

static void too_many(void **state)
{
	struct khop hops[KHOPS_MAX + 1];
	char what[2 * (KHOPS_MAX + 1) + 1] = "";
	struct mirror *m = fresh3();
	struct cni_entry out;
	struct kroute k;
	unsigned int i;

	(void)state;
	for (i = 0; i <= KHOPS_MAX; i++)
		strcat(what, i & 1 ? "11" : "22");
	k = shared(P4, hops, KHOPS_MAX, what);
	mirror_apply(m, &k);
	mirror_look(m, &k.dst, &out);
	assert_int_equal(out.n_hops, KHOPS_MAX);
	k = shared(P4, hops, KHOPS_MAX + 1, what);
	k.flags = NLM_F_REPLACE;
	mirror_apply(m, &k);
	mirror_look(m, &k.dst, &out);
	assert_false(out.del || out.forward);
	mirror_free(m);
}

/* Prefixes with the same ways share them; the module hears of each. */
static void devices4(void **state)
{
	struct mirror *m = fresh3();

	(void)state;
	apply(m, P4, "1122", false, NLM_F_CREATE);
	apply(m, "11.0.0.0/8", "1122", false, NLM_F_CREATE);
	apply(m, "12.0.0.0/8", "1132", false, NLM_F_CREATE);
	/* The kernel keeps it while one way is left. */
	mirror_dev(m, 1, MIRROR_DEV_DOWN);
	assert_string_equal(said(m, P4), "1122");
	mirror_dev(m, 2, MIRROR_DEV_DOWN);
	assert_string_equal(said(m, P4), "nothing");
	assert_string_equal(said(m, "11.0.0.0/8"), "nothing");
	assert_string_equal(said(m, "12.0.0.0/8"), "1132");
	mirror_dev(m, 1, MIRROR_DEV_UP);
	mirror_dev(m, 3, MIRROR_DEV_DOWN);
	assert_string_equal(said(m, "12.0.0.0/8"), "1132");
	mirror_dev(m, 3, MIRROR_DEV_GONE);
	assert_string_equal(said(m, "12.0.0.0/8"), "nothing");
	assert_false(mirror_doubt(m));

	/* What an event older than the dump did is not to be guessed. */
	apply(m, P4, "1112", false, NLM_F_CREATE);
	mirror_loading(m, true);
	mirror_dev(m, 1, MIRROR_DEV_DOWN);
	mirror_loading(m, false);
	assert_string_equal(said(m, P4), "1112");
	assert_true(mirror_doubt(m));

	/* The last address takes ways along while the device is up. */
	mirror_addr_gone(m, 3);
	assert_false(mirror_doubt(m));
	mirror_addr_gone(m, 1);
	assert_true(mirror_doubt(m));
	mirror_free(m);
}

/* A way that's dead for another reason than its device: not the module's. */
static void dead(void **state)
{
	struct mirror *m = fresh3();
	struct khop hops[2];
	struct kroute k;

	(void)state;
	k = shared(P4, hops, 2, "1122");
	hops[1].dead = true;
	mirror_apply(m, &k);
	assert_string_equal(said(m, P4), "punt");
	mirror_dev(m, 2, MIRROR_DEV_DOWN);
	assert_string_equal(said(m, P4), "1122");
	mirror_dev(m, 2, MIRROR_DEV_UP);
	assert_string_equal(said(m, P4), "1122");
	/* The newest message has it. */
	mirror_apply(m, &k);
	assert_string_equal(said(m, P4), "punt");
	hops[1].dead = false;
	mirror_apply(m, &k);
	assert_string_equal(said(m, P4), "1122");
	mirror_free(m);
}

/* The kernel's order is that of joining, whatever the message begins with. */
static void several6(void **state)
{
	struct mirror *m = fresh3();

	(void)state;
	apply(m, P6, "21", false, NLM_F_CREATE | NLM_F_EXCL);
	assert_string_equal(said(m, P6), "21");
	/* The new one first; of the single one the weight wasn't told. */
	apply(m, P6, "1523", false, NLM_F_CREATE);
	assert_string_equal(said(m, P6), "2315");
	apply(m, P6, "322315", false, NLM_F_CREATE);
	assert_string_equal(said(m, P6), "231532");
	/* The first one goes: the next one is first. */
	apply(m, P6, "21", true, 0);
	assert_string_equal(said(m, P6), "1532");
	/* Appended as asked: the first one first. */
	apply(m, P6, "153223", false, NLM_F_CREATE | NLM_F_APPEND);
	assert_string_equal(said(m, P6), "153223");
	apply(m, P6, "31", true, 0);
	apply(m, P6, "21", true, 0);
	assert_string_equal(said(m, P6), "11");
	/* Replaced: the order of the message. */
	apply(m, P6, "322211", false, NLM_F_REPLACE);
	assert_string_equal(said(m, P6), "322211");
	/* All of them by one message. */
	apply(m, P6, "322211", true, 0);
	assert_string_equal(said(m, P6), "nothing");
	assert_false(mirror_doubt(m));
	apply(m, P6, "21", true, 0);
	assert_true(mirror_doubt(m));
	mirror_free(m);
}

/* An order that can't be: punt until there's a dump. */
static void unsure6(void **state)
{
	static const char *const odd[] = {
		"213111",	/* the new one in between */
		"1131",		/* 2 is missing */
		"31",		/* all are */
		"221131",	/* another weight */
	};
	struct mirror *m;
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		m = fresh3();
		apply(m, P6, "2111", false, NLM_F_MULTI);
		assert_string_equal(said(m, P6), "2111");
		apply(m, P6, odd[i], false, NLM_F_CREATE);
		assert_string_equal(said(m, P6), "punt");
		assert_true(mirror_doubt(m));
		apply(m, P6, "211131", false, NLM_F_MULTI);
		assert_string_equal(said(m, P6), "211131");
		assert_false(mirror_doubt(m));
		mirror_free(m);
	}
}

static void object(struct mirror *m, uint32_t id, int family, uint32_t oif)
{
	struct knexthop n = {
		.id = id, .plain = true, .family = family,
		.del = !family,
		.hop = { .oif = oif, .weight = 1, .plain = true },
	};

	mirror_object(m, &n);
}

static void group(struct mirror *m, uint32_t id, const char *what, bool plain)
{
	struct knexthop_member members[8];
	struct knexthop n = {
		.id = id, .plain = plain, .group = true, .members = members,
		.n_members = strlen(what) / 2,
	};
	unsigned int i;

	for (i = 0; i < n.n_members; i++) {
		members[i].id = what[2 * i] - '0';
		members[i].weight = what[2 * i + 1] - '0';
	}
	mirror_object(m, &n);
}

static void by_object(struct mirror *m, const char *prefix, uint32_t id,
		      bool del)
{
	struct khop hop;
	/* Without compat_mode there's no word on the ways. */
	struct kroute k = shared(prefix, &hop, 1, "01");

	k.nh_object = id;
	k.del = del;
	k.ident = id;
	mirror_apply(m, &k);
}

static void by_objects(void **state)
{
	struct mirror *m = fresh3();

	(void)state;
	/* Not known yet. */
	by_object(m, P4, 9, false);
	assert_string_equal(said(m, P4), "punt");
	object(m, 1, AF_INET, 1);
	object(m, 2, AF_INET, 2);
	object(m, 3, AF_INET6, 3);
	group(m, 9, "2312", true);
	assert_int_equal(mirror_pending(m), 1);
	assert_string_equal(said(m, P4), "2312");
	mirror_flush(m, module_take, NULL);
	mirror_done(m, true);

	/* Replaced, without a word on the routes. */
	object(m, 2, AF_INET, 3);
	assert_int_equal(mirror_pending(m), 1);
	assert_string_equal(said(m, P4), "3312");
	group(m, 9, "1121", true);
	assert_string_equal(said(m, P4), "1131");
	group(m, 9, "15", true);
	assert_string_equal(said(m, P4), "11");
	/* Resilient. */
	group(m, 9, "1121", false);
	assert_string_equal(said(m, P4), "punt");
	/* A member of the other family. */
	group(m, 9, "1131", true);
	assert_string_equal(said(m, P4), "punt");
	group(m, 9, "1121", true);
	assert_string_equal(said(m, P4), "1131");
	/* A device the module doesn't send to. */
	object(m, 2, AF_INET, 7);
	assert_string_equal(said(m, P4), "punt");
	object(m, 2, AF_INET, 2);
	assert_true(mirror_nexthop_used(m, 9));

	/* A carrier that's lost takes the object along, the group stays. */
	assert_false(mirror_doubt(m));
	mirror_dev(m, 1, MIRROR_DEV_NO_CARRIER);
	assert_string_equal(said(m, P4), "21");
	assert_true(mirror_doubt(m));
	mirror_dev(m, 2, MIRROR_DEV_DOWN);
	assert_string_equal(said(m, P4), "punt");
	assert_true(mirror_doubt(m));

	/* Replaced or gone, its routes are told apart by the object alone. */
	object(m, 2, AF_INET, 2);
	by_object(m, P6, 3, false);
	assert_string_equal(said(m, P6), "31");
	by_object(m, P6, 3, true);
	by_object(m, P4, 9, true);
	assert_string_equal(said(m, P6), "nothing");
	assert_string_equal(said(m, P4), "nothing");
	assert_false(mirror_doubt(m));
	object(m, 3, 0, 0);
	by_object(m, P6, 3, false);
	assert_string_equal(said(m, P6), "punt");
	mirror_forget_objects(m);
	mirror_free(m);
}

/* A route that the kernel says again for its object replaces no other. */
static void object_notified(void **state)
{
	struct mirror *m = fresh3();
	struct khop hop;
	struct kroute k = shared(P4, &hop, 1, "01");

	(void)state;
	apply(m, P4, "11", false, NLM_F_CREATE);
	object(m, 2, AF_INET, 2);
	by_object(m, P4, 2, false);
	assert_string_equal(said(m, P4), "punt");
	k.nh_object = k.ident = 2;
	k.flags = NLM_F_REPLACE;
	mirror_apply(m, &k);
	assert_string_equal(said(m, P4), "punt");
	by_object(m, P4, 2, true);
	assert_string_equal(said(m, P4), "11");
	mirror_free(m);
}

/* A route with an MTU of its own doesn't share its ways with one without. */
static void own_mtu(void **state)
{
	struct mirror *m = fresh3();
	struct khop hop;
	struct kroute k = shared(P6, &hop, 1, "11");

	(void)state;
	k.plain = false;
	mirror_apply(m, &k);
	apply(m, "2001:db9::/32", "11", false, NLM_F_CREATE);
	assert_string_equal(said(m, P6), "punt");
	assert_string_equal(said(m, "2001:db9::/32"), "11");
	/* Nor does the group that one joins. */
	apply(m, P6, "2111", false, NLM_F_CREATE);
	assert_string_equal(said(m, P6), "punt");
	assert_false(mirror_doubt(m));
	mirror_free(m);
}

static int ignore(const struct cni_entry *out, void *arg)
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
		cmocka_unit_test(ends),
		cmocka_unit_test(several4),
		cmocka_unit_test(too_many),
		cmocka_unit_test(devices4),
		cmocka_unit_test(dead),
		cmocka_unit_test(several6),
		cmocka_unit_test(unsure6),
		cmocka_unit_test(by_objects),
		cmocka_unit_test(object_notified),
		cmocka_unit_test(own_mtu),
		cmocka_unit_test(memory_bound),
	};

	return cmocka_run_group_tests_name("mirror", tests, NULL, NULL);
}
