// SPDX-License-Identifier: GPL-2.0
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "mirror.h"
#include "out.h"

#define NONE UINT32_MAX
#define CHUNK_BITS 12
#define CHUNK (1u << CHUNK_BITS)
#define MAX_TABLES 8

/* Memory by index, that grows without moving. */
struct pool {
	char **chunks;
	size_t item;
	uint32_t used, n_chunks, free;
};

enum {
	CAND_ECMP = 1,		/* v6: one of a group that shares the load */
	CAND_SRC = 2,		/* v6: only for some sources */
};

/* One route of a prefix. */
struct cand {
	uint32_t prio;
	uint32_t hop;		/* NONE: an empty place */
	uint8_t tos;
	uint8_t flags;
};

/* The second and further routes of a prefix: rare. */
struct more {
	struct cand c;
	uint32_t next;
};

enum {
	ENTRY_USED = 1,
	ENTRY_DIRTY = 2,	/* in the list of those to flush */
	ENTRY_LATE = 4,		/* in the list for the flush after */
	ENTRY_HIDDEN = 8,	/* a table that is asked earlier covers it */
	ENTRY_SHOWN = 16,	/* the module was told to hold it */
	ENTRY_PUNTED = 32,	/* and to leave it to the kernel */
};

/* A prefix in a table. */
struct entry {
	uint8_t b[16];
	uint8_t len;
	uint8_t family;
	uint8_t table;		/* index, not number */
	uint8_t flags;
	uint32_t next;		/* in its hash bucket; in the free list */
	struct cand c;
	uint32_t more;
};

/* Routes share their ways out: many prefixes, few of these. */
struct hop {
	uint32_t next;
	uint32_t refs;
	uint32_t oif;
	uint32_t ident;
	uint32_t prefsrc4;
	uint32_t nh_object;
	uint8_t via[16];
	uint8_t via_family;
	uint8_t family;
	bool plain;		/* oif and via say it all */
	bool several;		/* multipath, or a next hop object */
	bool usable;		/* plain, and the module sends to oif */
	bool changed;
};

struct list {
	uint32_t *v;
	size_t n, size;
};

struct mirror {
	uint32_t tables[MAX_TABLES];
	unsigned int n_tables;
	struct pool entries, mores, hops;
	uint32_t *buckets, *hop_buckets;
	uint32_t n_buckets, n_hop_buckets;
	uint32_t n_entries, n_hops;
	uint32_t seed;
	struct list dirty, late;
	bool is_late, loading, doubt, reshadow;
	uint32_t *oifs;
	unsigned int n_oifs;
	size_t shown[2], punted[2];	/* v4, v6 */
	/* Prefixes of each length that have routes, by table and family. */
	uint32_t by_len[MAX_TABLES][2][129];
};

static void *pool_at(const struct pool *p, uint32_t i)
{
	return p->chunks[i >> CHUNK_BITS] + (i & (CHUNK - 1)) * p->item;
}

static void pool_init(struct pool *p, size_t item)
{
	p->item = item;
	p->free = NONE;
}

/* The first four bytes of a free item lead to the next one. */
static uint32_t pool_get(struct pool *p)
{
	uint32_t i = p->free;

	if (i != NONE) {
		memcpy(&p->free, pool_at(p, i), sizeof(p->free));
	} else {
		i = p->used++;
		if (i >> CHUNK_BITS == p->n_chunks) {
			p->chunks = xrealloc(p->chunks, (p->n_chunks + 1) *
					     sizeof(*p->chunks));
			p->chunks[p->n_chunks++] = xalloc(CHUNK * p->item);
		}
	}
	memset(pool_at(p, i), 0, p->item);
	return i;
}

static void pool_put(struct pool *p, uint32_t i)
{
	memset(pool_at(p, i), 0, p->item);
	memcpy(pool_at(p, i), &p->free, sizeof(p->free));
	p->free = i;
}

static void pool_free(struct pool *p)
{
	uint32_t i;

	for (i = 0; i < p->n_chunks; i++)
		free(p->chunks[i]);
	free(p->chunks);
}

static void list_add(struct list *l, uint32_t i)
{
	if (l->n == l->size) {
		l->size = l->size ? l->size * 2 : 256;
		l->v = xrealloc(l->v, l->size * sizeof(*l->v));
	}
	l->v[l->n++] = i;
}

static struct entry *entry_at(const struct mirror *m, uint32_t i)
{
	return pool_at(&m->entries, i);
}

static struct hop *hop_at(const struct mirror *m, uint32_t i)
{
	return pool_at(&m->hops, i);
}

static struct more *more_at(const struct mirror *m, uint32_t i)
{
	return pool_at(&m->mores, i);
}

struct mirror *mirror_new(const uint32_t *tables, unsigned int n)
{
	struct mirror *m = xalloc(sizeof(*m));

	assert(n && n <= MAX_TABLES);
	memcpy(m->tables, tables, n * sizeof(*tables));
	m->n_tables = n;
	pool_init(&m->entries, sizeof(struct entry));
	pool_init(&m->mores, sizeof(struct more));
	pool_init(&m->hops, sizeof(struct hop));
	m->n_buckets = m->n_hop_buckets = 1024;
	m->buckets = xalloc(m->n_buckets * sizeof(uint32_t));
	memset(m->buckets, 0xff, m->n_buckets * sizeof(uint32_t));
	m->hop_buckets = xalloc(m->n_hop_buckets * sizeof(uint32_t));
	memset(m->hop_buckets, 0xff, m->n_hop_buckets * sizeof(uint32_t));
	/* The prefixes come from elsewhere: not to be chosen to collide. */
	m->seed = (uint32_t)time(NULL) ^ (uint32_t)(uintptr_t)m;
	return m;
}

void mirror_free(struct mirror *m)
{
	if (!m)
		return;
	pool_free(&m->entries);
	pool_free(&m->mores);
	pool_free(&m->hops);
	free(m->buckets);
	free(m->hop_buckets);
	free(m->dirty.v);
	free(m->late.v);
	free(m->oifs);
	free(m);
}

static uint32_t hash(uint32_t seed, const void *data, size_t size)
{
	const uint8_t *p = data;
	uint64_t h = seed * 0x9e3779b97f4a7c15ull, w;

	for (; size; size -= w, p += w) {
		uint64_t word = 0;

		w = size < 8 ? size : 8;
		memcpy(&word, p, w);
		h = (h ^ word) * 0xff51afd7ed558ccdull;
		h ^= h >> 32;
	}
	return h;
}

static uint32_t entry_hash(const struct mirror *m, const struct entry *e)
{
	/* b, len, family and table lie together. */
	return hash(m->seed, e->b, offsetof(struct entry, flags));
}

static void rehash(struct mirror *m)
{
	uint32_t i, h, n = m->n_buckets * 2;
	struct entry *e;

	m->buckets = xrealloc(m->buckets, n * sizeof(uint32_t));
	memset(m->buckets, 0xff, n * sizeof(uint32_t));
	m->n_buckets = n;
	for (i = 0; i < m->entries.used; i++) {
		e = entry_at(m, i);
		if (!(e->flags & ENTRY_USED))
			continue;
		h = entry_hash(m, e) & (n - 1);
		e->next = m->buckets[h];
		m->buckets[h] = i;
	}
}

static uint32_t entry_find(const struct mirror *m, const struct addr *dst,
			   unsigned int table)
{
	struct entry key = { .len = dst->len, .family = dst->family,
			     .table = table };
	struct entry *e;
	uint32_t i;

	memcpy(key.b, dst->b, addr_bytes(dst));
	i = m->buckets[entry_hash(m, &key) & (m->n_buckets - 1)];
	for (; i != NONE; i = e->next) {
		e = entry_at(m, i);
		if (!memcmp(e->b, key.b, offsetof(struct entry, flags)))
			return i;
	}
	return NONE;
}

static uint32_t entry_get(struct mirror *m, const struct addr *dst,
			  unsigned int table)
{
	uint32_t i = entry_find(m, dst, table), h;
	struct entry *e;

	if (i != NONE)
		return i;
	if (m->n_entries >= m->n_buckets)
		rehash(m);
	i = pool_get(&m->entries);
	m->n_entries++;
	e = entry_at(m, i);
	memcpy(e->b, dst->b, addr_bytes(dst));
	e->len = dst->len;
	e->family = dst->family;
	e->table = table;
	e->flags = ENTRY_USED;
	e->c.hop = NONE;
	e->more = NONE;
	h = entry_hash(m, e) & (m->n_buckets - 1);
	e->next = m->buckets[h];
	m->buckets[h] = i;
	return i;
}

static void entry_put(struct mirror *m, uint32_t i)
{
	struct entry *e = entry_at(m, i), *p;
	uint32_t *link = &m->buckets[entry_hash(m, e) & (m->n_buckets - 1)];

	while (*link != i) {
		p = entry_at(m, *link);
		link = &p->next;
	}
	*link = e->next;
	pool_put(&m->entries, i);
	m->n_entries--;
}

static struct addr entry_dst(const struct entry *e)
{
	return e->family == AF_INET ? addr_from4(*(uint32_t *)e->b, e->len) :
				      addr_from6(e->b, e->len);
}

static bool sends_to(const struct mirror *m, uint32_t oif)
{
	unsigned int i;

	for (i = 0; i < m->n_oifs; i++)
		if (m->oifs[i] == oif)
			return true;
	return false;
}

static uint32_t hop_hash(const struct mirror *m, const struct hop *h)
{
	return hash(m->seed, &h->oif, offsetof(struct hop, plain) -
		    offsetof(struct hop, oif));
}

static void rehash_hops(struct mirror *m)
{
	uint32_t i, b, n = m->n_hop_buckets * 2;
	struct hop *h;

	m->hop_buckets = xrealloc(m->hop_buckets, n * sizeof(uint32_t));
	memset(m->hop_buckets, 0xff, n * sizeof(uint32_t));
	m->n_hop_buckets = n;
	for (i = 0; i < m->hops.used; i++) {
		h = hop_at(m, i);
		if (!h->refs)
			continue;
		b = hop_hash(m, h) & (n - 1);
		h->next = m->hop_buckets[b];
		m->hop_buckets[b] = i;
	}
}

static void fill_hop(struct hop *h, const struct kroute *r,
		     const struct khop *k)
{
	memset(h, 0, sizeof(*h));
	h->family = r->dst.family;
	h->plain = k->plain;
	h->oif = k->oif;
	memcpy(h->via, k->via.b, sizeof(h->via));
	h->via_family = k->via.family;
	if (r->dst.family == AF_INET) {
		if (r->prefsrc.family)
			h->prefsrc4 = addr_be32(&r->prefsrc);
		h->ident = r->ident;
	} else {
		h->ident = k->ident;
	}
	if (r->multipath && r->dst.family == AF_INET)
		h->several = true;
	if (r->nh_object) {
		h->several = true;
		h->ident = r->ident;
		h->nh_object = r->nh_object;
	}
	if (h->several || r->has_src || r->type != RTN_UNICAST)
		h->plain = false;
	/* Such a gateway is of use to the kernel only. */
	if (h->via_family && h->via_family != h->family)
		h->plain = false;
	/* Routes of these forms have no one way out to tell them by. */
	if (h->several) {
		h->oif = 0;
		memset(h->via, 0, sizeof(h->via));
		h->via_family = 0;
	}
}

static bool same_hop(const struct hop *a, const struct hop *b)
{
	return !memcmp(&a->oif, &b->oif, offsetof(struct hop, plain) -
		       offsetof(struct hop, oif));
}

static uint32_t hop_find(const struct mirror *m, const struct hop *key)
{
	uint32_t i = m->hop_buckets[hop_hash(m, key) & (m->n_hop_buckets - 1)];
	struct hop *h;

	for (; i != NONE; i = h->next) {
		h = hop_at(m, i);
		if (same_hop(h, key))
			return i;
	}
	return NONE;
}

static uint32_t hop_get(struct mirror *m, const struct hop *key)
{
	uint32_t i = hop_find(m, key), b;
	struct hop *h;

	if (i != NONE) {
		hop_at(m, i)->refs++;
		return i;
	}
	if (m->n_hops >= m->n_hop_buckets)
		rehash_hops(m);
	i = pool_get(&m->hops);
	h = hop_at(m, i);
	*h = *key;
	h->refs = 1;
	h->usable = h->plain && sends_to(m, h->oif);
	b = hop_hash(m, h) & (m->n_hop_buckets - 1);
	h->next = m->hop_buckets[b];
	m->hop_buckets[b] = i;
	m->n_hops++;
	return i;
}

static void hop_put(struct mirror *m, uint32_t i)
{
	struct hop *h = hop_at(m, i);
	uint32_t *link;

	if (--h->refs)
		return;
	link = &m->hop_buckets[hop_hash(m, h) & (m->n_hop_buckets - 1)];
	while (*link != i)
		link = &hop_at(m, *link)->next;
	*link = h->next;
	pool_put(&m->hops, i);
	/* A free item's refs tell that it is free; its link is its next. */
	m->n_hops--;
}

static void mark(struct mirror *m, uint32_t i)
{
	struct entry *e = entry_at(m, i);

	if (!(e->flags & ENTRY_DIRTY)) {
		e->flags |= ENTRY_DIRTY;
		list_add(&m->dirty, i);
	}
	if (m->is_late && !(e->flags & ENTRY_LATE)) {
		e->flags |= ENTRY_LATE;
		list_add(&m->late, i);
	}
}

/* Walks the routes of a prefix; *at starts as NONE - 1. */
#define FIRST (NONE - 1)

static struct cand *cand_next(const struct mirror *m, struct entry *e,
			      uint32_t *at)
{
	if (*at == NONE || e->c.hop == NONE)
		return NULL;
	if (*at == FIRST) {
		*at = e->more;
		return &e->c;
	}
	struct more *more = more_at(m, *at);

	*at = more->next;
	return &more->c;
}

/* A prefix got its first route, or lost its last. */
static void presence(struct mirror *m, struct entry *e, int by)
{
	m->by_len[e->table][e->family == AF_INET6][e->len] += by;
	if (e->table + 1u < m->n_tables)
		m->reshadow = true;
}

static void cand_add(struct mirror *m, struct entry *e, const struct cand *c)
{
	struct more *more;
	uint32_t i;

	if (e->c.hop == NONE) {
		e->c = *c;
		presence(m, e, 1);
		return;
	}
	i = pool_get(&m->mores);
	more = more_at(m, i);
	more->c = *c;
	more->next = e->more;
	e->more = i;
}

static void cand_del(struct mirror *m, struct entry *e, struct cand *c)
{
	uint32_t *link = &e->more, i;
	struct more *more;

	hop_put(m, c->hop);
	if (c != &e->c) {
		while (&more_at(m, *link)->c != c)
			link = &more_at(m, *link)->next;
	} else if (e->more != NONE) {
		e->c = more_at(m, e->more)->c;
	} else {
		e->c.hop = NONE;
		presence(m, e, -1);
		return;
	}
	i = *link;
	more = more_at(m, i);
	*link = more->next;
	pool_put(&m->mores, i);
}

static struct cand *cand_find(const struct mirror *m, struct entry *e,
			      const struct cand *key)
{
	uint32_t at = FIRST;
	struct cand *c;

	if (key->hop == NONE)
		return NULL;
	while ((c = cand_next(m, e, &at)))
		if (c->hop == key->hop && c->prio == key->prio &&
		    c->tos == key->tos)
			return c;
	return NULL;
}

/*
 * The route that one of the same place in the order would replace: of the
 * same metric and tos, and (v6) of the same kind. Returns how many there are
 * besides @but, with one of them in *one.
 */
static unsigned int rivals(const struct mirror *m, struct entry *e,
			   const struct cand *key, const struct cand *but,
			   uint8_t flags, struct cand **one)
{
	unsigned int n = 0;
	uint32_t at = FIRST;
	struct cand *c;

	while ((c = cand_next(m, e, &at))) {
		if (c == but || c->prio != key->prio || c->tos != key->tos ||
		    c->flags != flags)
			continue;
		*one = c;
		n++;
	}
	return n;
}

static void add_one(struct mirror *m, struct entry *e, struct cand *c,
		    const struct hop *h)
{
	c->hop = hop_find(m, h);
	if (cand_find(m, e, c))
		return;
	c->hop = hop_get(m, h);
	cand_add(m, e, c);
}

static void add4(struct mirror *m, struct entry *e, const struct kroute *r)
{
	struct cand c = { .prio = r->prio, .tos = r->tos };
	struct cand *same, *other;
	unsigned int n;
	struct hop h;

	fill_hop(&h, r, &r->hops[0]);
	if (r->flags & NLM_F_REPLACE) {
		c.hop = hop_find(m, &h);
		same = cand_find(m, e, &c);
		n = rivals(m, e, &c, same, 0, &other);
		/* Which of several the kernel replaced isn't known here. */
		if (n > 1)
			m->doubt = true;
		else if (n)
			cand_del(m, e, other);
	}
	add_one(m, e, &c, &h);
}

static void del4(struct mirror *m, struct entry *e, const struct kroute *r)
{
	struct cand c = { .prio = r->prio, .tos = r->tos }, *same;
	struct hop h;

	fill_hop(&h, r, &r->hops[0]);
	c.hop = hop_find(m, &h);
	same = cand_find(m, e, &c);
	if (same)
		cand_del(m, e, same);
	else if (!m->loading)
		m->doubt = true;
}

/* Whether the kernel would join the route with others of its metric. */
static bool is_ecmp(const struct kroute *r)
{
	if (r->nh_object || r->has_src)
		return false;
	if (r->multipath)
		return true;
	return r->hops[0].via.family && r->proto != RTPROT_RA &&
	       r->proto != RTPROT_REDIRECT;
}

static void replace6(struct mirror *m, struct entry *e,
		     const struct kroute *r, const struct cand *c)
{
	struct cand *other;
	unsigned int n;
	struct hop h;
	struct cand key = *c, *same;

	if (r->has_src) {
		m->doubt = true;
		return;
	}
	fill_hop(&h, r, &r->hops[0]);
	key.hop = hop_find(m, &h);
	same = cand_find(m, e, &key);
	n = c->flags & CAND_ECMP ? 0 : rivals(m, e, c, same, 0, &other);
	/* None of its kind: the first of the other kind goes. */
	if (!n && !same)
		n = rivals(m, e, c, NULL, c->flags ^ CAND_ECMP, &other);
	if (n > 1)
		m->doubt = true;
	else if (n)
		cand_del(m, e, other);
}

static void add6(struct mirror *m, struct entry *e, const struct kroute *r)
{
	struct cand c = { .prio = r->prio }, *other;
	bool had_group = false;
	unsigned int i;
	struct hop h;

	if (r->has_src)
		c.flags = CAND_SRC;
	if (is_ecmp(r)) {
		/* The message lists the whole group as it is now. */
		c.flags = CAND_ECMP;
		while (rivals(m, e, &c, NULL, CAND_ECMP, &other)) {
			cand_del(m, e, other);
			had_group = true;
		}
	}
	if (r->flags & NLM_F_REPLACE && !had_group)
		replace6(m, e, r, &c);
	for (i = 0; i < r->n_hops; i++) {
		fill_hop(&h, r, &r->hops[i]);
		add_one(m, e, &c, &h);
		if (r->nh_object)
			break;
	}
}

static void del6(struct mirror *m, struct entry *e, const struct kroute *r)
{
	struct cand c = { .prio = r->prio }, *same;
	unsigned int i;
	struct hop h;

	for (i = 0; i < r->n_hops; i++) {
		fill_hop(&h, r, &r->hops[i]);
		c.hop = hop_find(m, &h);
		same = cand_find(m, e, &c);
		if (same)
			cand_del(m, e, same);
		else if (!m->loading)
			m->doubt = true;
		if (r->nh_object)
			break;
	}
}

void mirror_apply(struct mirror *m, const struct kroute *r)
{
	unsigned int table;
	struct entry *e;
	uint32_t i;

	for (table = 0; table < m->n_tables; table++)
		if (m->tables[table] == r->table)
			break;
	if (table == m->n_tables) {
		/* The module watches this one too; local it minds itself. */
		if (r->table != RT_TABLE_MAIN && r->table != RT_TABLE_DEFAULT)
			return;
		i = entry_get(m, &r->dst, 0);
		mark(m, i);
		return;
	}
	if (!r->n_hops)
		return;
	i = entry_get(m, &r->dst, table);
	e = entry_at(m, i);
	mark(m, i);
	if (r->dst.family == AF_INET)
		r->del ? del4(m, e, r) : add4(m, e, r);
	else
		r->del ? del6(m, e, r) : add6(m, e, r);
}

void mirror_loading(struct mirror *m, bool loading)
{
	m->loading = loading;
}

bool mirror_doubt(struct mirror *m)
{
	bool doubt = m->doubt;

	m->doubt = false;
	return doubt;
}

void mirror_set_oifs(struct mirror *m, const uint32_t *oifs, unsigned int n)
{
	bool usable, any = false;
	struct entry *e;
	struct cand *c;
	struct hop *h;
	uint32_t i, at;

	m->oifs = xrealloc(m->oifs, n * sizeof(*oifs));
	if (n)
		memcpy(m->oifs, oifs, n * sizeof(*oifs));
	m->n_oifs = n;
	for (i = 0; i < m->hops.used; i++) {
		h = hop_at(m, i);
		usable = h->refs && h->plain && sends_to(m, h->oif);
		h->changed = h->refs && usable != h->usable;
		if (h->changed) {
			h->usable = usable;
			any = true;
		}
	}
	if (!any)
		return;
	for (i = 0; i < m->entries.used; i++) {
		e = entry_at(m, i);
		if (!(e->flags & ENTRY_USED))
			continue;
		at = FIRST;
		while ((c = cand_next(m, e, &at)))
			if (hop_at(m, c->hop)->changed) {
				mark(m, i);
				break;
			}
	}
}

void mirror_dev_down(struct mirror *m, uint32_t ifindex)
{
	bool any = false;
	struct entry *e;
	struct cand *c;
	struct hop *h;
	uint32_t i, at;

	for (i = 0; i < m->hops.used; i++) {
		h = hop_at(m, i);
		h->changed = false;
		if (!h->refs || h->family != AF_INET)
			continue;
		if (h->several) {
			m->doubt = true;
			continue;
		}
		if (h->oif != ifindex)
			continue;
		h->changed = true;
		any = true;
	}
	if (!any)
		return;
	for (i = 0; i < m->entries.used; i++) {
		e = entry_at(m, i);
		if (!(e->flags & ENTRY_USED))
			continue;
again:
		at = FIRST;
		while ((c = cand_next(m, e, &at)))
			if (hop_at(m, c->hop)->changed) {
				cand_del(m, e, c);
				mark(m, i);
				goto again;
			}
	}
}

bool mirror_prefsrc_used(const struct mirror *m, uint32_t be)
{
	struct hop *h;
	uint32_t i;

	for (i = 0; i < m->hops.used; i++) {
		h = hop_at(m, i);
		if (h->refs && h->family == AF_INET && h->prefsrc4 == be)
			return true;
	}
	return false;
}

bool mirror_nexthop_used(const struct mirror *m, uint32_t id)
{
	struct hop *h;
	uint32_t i;

	for (i = 0; i < m->hops.used; i++) {
		h = hop_at(m, i);
		if (h->refs && h->nh_object == id)
			return true;
	}
	return false;
}

void mirror_touch(struct mirror *m, const struct addr *dst)
{
	mark(m, entry_get(m, dst, 0));
}

size_t mirror_pending(const struct mirror *m)
{
	return m->dirty.n;
}

void mirror_late(struct mirror *m)
{
	m->is_late = true;
}

/* The one route that the kernel takes for a prefix, or NULL when unsure. */
static struct hop *best(const struct mirror *m, struct entry *e)
{
	struct cand *c, *b = NULL;
	uint32_t at = FIRST;
	bool tie = false;

	while ((c = cand_next(m, e, &at))) {
		/* Such routes are for some packets only. */
		if (c->tos || c->flags & CAND_SRC)
			return NULL;
		if (!b || c->prio < b->prio) {
			b = c;
			tie = false;
		} else if (c->prio == b->prio) {
			tie = true;
		}
	}
	return tie || !b ? NULL : hop_at(m, b->hop);
}

/* A table that the kernel asks earlier has an answer for all of it. */
static bool hidden(const struct mirror *m, const struct entry *e)
{
	bool v6 = e->family == AF_INET6;
	struct addr a = entry_dst(e);
	unsigned int t, len;
	uint32_t i;

	for (t = 0; t < e->table; t++) {
		for (len = e->len + 1; len--;) {
			if (!m->by_len[t][v6][len])
				continue;
			a.len = len;
			a = addr_network(&a);
			i = entry_find(m, &a, t);
			if (i != NONE && entry_at(m, i)->c.hop != NONE)
				return true;
		}
		a = entry_dst(e);
	}
	return false;
}

/* Notes what the module is told: ENTRY_SHOWN, and ENTRY_PUNTED, or nothing. */
static void told(struct mirror *m, struct entry *e, uint8_t flags)
{
	bool v6 = e->family == AF_INET6;
	uint8_t turned = (e->flags ^ flags) & (ENTRY_SHOWN | ENTRY_PUNTED);

	e->flags ^= turned;
	if (turned & ENTRY_SHOWN)
		m->shown[v6] += flags & ENTRY_SHOWN ? 1 : -1;
	if (turned & ENTRY_PUNTED)
		m->punted[v6] += flags & ENTRY_PUNTED ? 1 : -1;
}

static uint8_t told_flags(const struct mirror_out *out)
{
	return out->forward ? ENTRY_SHOWN : ENTRY_SHOWN | ENTRY_PUNTED;
}

static void say(const struct mirror *m, struct entry *e,
		struct mirror_out *out)
{
	struct hop *h = best(m, e);

	if (!h || !h->usable)
		return;
	out->forward = true;
	out->oif = h->oif;
	if (!h->via_family)
		return;
	out->via = h->family == AF_INET ?
		addr_from4(*(uint32_t *)h->via, 32) : addr_from6(h->via, 128);
}

/* What to say of a prefix; with @note, that it was said is noted. */
static void decide(struct mirror *m, const struct addr *dst, bool note,
		   struct mirror_out *out)
{
	struct entry *e;
	unsigned int t;
	uint32_t i;

	memset(out, 0, sizeof(*out));
	out->dst = *dst;
	out->del = true;
	for (t = 0; t < m->n_tables; t++) {
		i = entry_find(m, dst, t);
		if (i == NONE)
			continue;
		e = entry_at(m, i);
		if (e->c.hop == NONE || !out->del) {
			if (note)
				told(m, e, 0);
			continue;
		}
		if (t && hidden(m, e)) {
			if (note) {
				e->flags |= ENTRY_HIDDEN;
				told(m, e, 0);
			}
			continue;
		}
		out->del = false;
		say(m, e, out);
		if (note) {
			e->flags &= ~ENTRY_HIDDEN;
			told(m, e, told_flags(out));
		}
	}
}

void mirror_look(struct mirror *m, const struct addr *dst,
		 struct mirror_out *out)
{
	decide(m, dst, false, out);
}

/* With several tables, one's prefixes come and go from behind another's. */
static void reshadow(struct mirror *m)
{
	struct entry *e;
	uint32_t i;

	if (!m->reshadow)
		return;
	m->reshadow = false;
	for (i = 0; i < m->entries.used; i++) {
		e = entry_at(m, i);
		if (!(e->flags & ENTRY_USED) || !e->table ||
		    e->c.hop == NONE)
			continue;
		if (hidden(m, e) != !!(e->flags & ENTRY_HIDDEN))
			mark(m, i);
	}
}

void mirror_done(struct mirror *m, bool ok)
{
	struct list done = m->dirty;
	struct entry *e;
	size_t n;

	m->is_late = false;
	if (!ok) {
		/* They are in the other list too. */
		for (n = 0; n < m->late.n; n++)
			entry_at(m, m->late.v[n])->flags &= ~ENTRY_LATE;
		m->late.n = 0;
		return;
	}
	for (n = 0; n < done.n; n++) {
		e = entry_at(m, done.v[n]);
		e->flags &= ~ENTRY_DIRTY;
		if (e->c.hop == NONE && !(e->flags & ENTRY_LATE))
			entry_put(m, done.v[n]);
	}
	/* The lists change places: what came late is to be flushed next. */
	m->dirty = m->late;
	for (n = 0; n < m->dirty.n; n++) {
		e = entry_at(m, m->dirty.v[n]);
		e->flags &= ~ENTRY_LATE;
		e->flags |= ENTRY_DIRTY;
	}
	done.n = 0;
	m->late = done;
}

static int longest_first(const void *a, const void *b, void *arg)
{
	struct addr da = entry_dst(entry_at(arg, *(const uint32_t *)a));
	struct addr db = entry_dst(entry_at(arg, *(const uint32_t *)b));

	return db.len - da.len;
}

int mirror_flush(struct mirror *m, mirror_fn fn, void *arg)
{
	struct mirror_out out;
	struct addr dst;
	size_t n;
	int rc;

	reshadow(m);
	/*
	 * A prefix that is sent covers longer ones that aren't there yet. Were
	 * this process to end between two messages, it would for good.
	 */
	if (m->dirty.n)
		qsort_r(m->dirty.v, m->dirty.n, sizeof(*m->dirty.v),
			longest_first, m);
	for (n = 0; n < m->dirty.n; n++) {
		dst = entry_dst(entry_at(m, m->dirty.v[n]));
		decide(m, &dst, true, &out);
		rc = fn(&out, arg);
		if (rc)
			return rc;
	}
	return 0;
}

int mirror_flush_all(struct mirror *m, mirror_fn fn, void *arg)
{
	struct mirror_out out;
	struct entry *e;
	struct addr dst;
	uint32_t i;
	int rc;

	m->reshadow = false;
	for (i = 0; i < m->entries.used; i++) {
		e = entry_at(m, i);
		if (!(e->flags & ENTRY_USED) || e->c.hop == NONE)
			continue;
		dst = entry_dst(e);
		memset(&out, 0, sizeof(out));
		out.dst = dst;
		if (m->n_tables == 1) {
			say(m, e, &out);
			told(m, e, told_flags(&out));
		} else {
			decide(m, &dst, true, &out);
			/* Once a prefix: by the table that speaks for it. */
			if (out.del || !(e->flags & ENTRY_SHOWN))
				continue;
		}
		rc = fn(&out, arg);
		if (rc)
			return rc;
	}
	return 0;
}

size_t mirror_shown(const struct mirror *m, int family)
{
	return m->shown[family == AF_INET6];
}

size_t mirror_punted(const struct mirror *m, int family)
{
	return m->punted[family == AF_INET6];
}

static size_t pool_bytes(const struct pool *p)
{
	return p->n_chunks * (sizeof(char *) + CHUNK * p->item);
}

size_t mirror_bytes(const struct mirror *m)
{
	return sizeof(*m) + pool_bytes(&m->entries) + pool_bytes(&m->mores) +
	       pool_bytes(&m->hops) + (m->dirty.size + m->late.size +
	       m->n_buckets + m->n_hop_buckets) * sizeof(uint32_t);
}
