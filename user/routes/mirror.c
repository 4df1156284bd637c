// SPDX-License-Identifier: GPL-2.0
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "base/out.h"
#include "routes/mirror.h"

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
	bool ends;		/* one day the kernel passes it over, untold */
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
	uint32_t ident;
	uint32_t prefsrc4;
	uint32_t nh_object;	/* what the ways come from, or 0 */
	uint32_t n;
	union {
		struct khop one;	/* n is 1 */
		struct khop *several;	/* n is more */
	};
	uint8_t family;
	bool plain;		/* the ways say it all */
	bool usable;		/* and the module sends to each */
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
	bool objects_changed, ways_changed;	/* refresh() is to look at it */
	uint32_t *oifs;
	unsigned int n_oifs;
	struct list down;	/* devices */
	struct knexthop *objects;	/* by id */
	unsigned int n_objects;
	struct list replaced;		/* ids of objects */
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

static void free_ways(struct hop *h)
{
	if (h->n > 1)
		free(h->several);
	h->n = 0;
}

void mirror_free(struct mirror *m)
{
	uint32_t i;

	if (!m)
		return;
	for (i = 0; i < m->hops.used; i++)
		if (hop_at(m, i)->refs)
			free_ways(hop_at(m, i));
	for (i = 0; i < m->n_objects; i++)
		free((void *)m->objects[i].members);
	free(m->objects);
	free(m->replaced.v);
	free(m->down.v);
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

static bool is_down(const struct mirror *m, uint32_t oif)
{
	size_t i;

	for (i = 0; i < m->down.n; i++)
		if (m->down.v[i] == oif)
			return true;
	return false;
}

static struct khop *ways_of(struct hop *h)
{
	return h->n == 1 ? &h->one : h->several;
}

/* The ways stay the caller's; hop_get() makes copies. */
static void set_ways(struct hop *h, const struct khop *ways, unsigned int n)
{
	h->n = n;
	if (n != 1) {
		h->several = (struct khop *)ways;
		return;
	}
	h->one = ways[0];
	/* The kernel doesn't tell that of a single one. */
	h->one.weight = 1;
}

static bool way_usable(const struct mirror *m, const struct hop *h,
		       const struct khop *w)
{
	if (!w->plain || !sends_to(m, w->oif))
		return false;
	/* Such a gateway is of use to the kernel only. */
	if (w->via.family && w->via.family != h->family)
		return false;
	/* The module knows by itself of IPv6, and of a device that is down. */
	return !w->dead || h->family == AF_INET6 || is_down(m, w->oif);
}

static bool is_usable(const struct mirror *m, struct hop *h)
{
	uint32_t i;

	if (!h->plain || !h->n || h->n > KHOPS_MAX)
		return false;
	for (i = 0; i < h->n; i++)
		if (!way_usable(m, h, &ways_of(h)[i]))
			return false;
	return true;
}

/* A way's identity: what comes before these flags. */
#define WAY_SAME offsetof(struct khop, plain)

static uint32_t hop_hash(const struct mirror *m, struct hop *h)
{
	uint32_t v[] = { h->ident, h->prefsrc4, h->nh_object, h->plain }, i, x;

	x = hash(m->seed, v, sizeof(v));
	for (i = 0; !h->nh_object && i < h->n; i++)
		x = hash(x, &ways_of(h)[i], WAY_SAME);
	return x;
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
		     const struct khop *ways, unsigned int n)
{
	memset(h, 0, sizeof(*h));
	h->family = r->dst.family;
	h->plain = r->plain;
	h->nh_object = r->nh_object;
	if (r->dst.family == AF_INET || r->nh_object)
		h->ident = r->ident;
	if (r->dst.family == AF_INET && r->prefsrc.family)
		h->prefsrc4 = addr_be32(&r->prefsrc);
	/* What the object says counts, not what it said to this route. */
	if (!r->nh_object)
		set_ways(h, ways, n);
}

static bool same_hop(struct hop *a, struct hop *b)
{
	uint32_t i;

	if (a->ident != b->ident || a->prefsrc4 != b->prefsrc4 ||
	    a->nh_object != b->nh_object || a->family != b->family ||
	    a->plain != b->plain)
		return false;
	if (a->nh_object)
		return true;
	if (a->n != b->n)
		return false;
	for (i = 0; i < a->n; i++)
		if (memcmp(&ways_of(a)[i], &ways_of(b)[i], WAY_SAME))
			return false;
	return true;
}

static struct knexthop *object_find(const struct mirror *m, uint32_t id,
				    unsigned int *at)
{
	unsigned int from = 0, to = m->n_objects, mid;

	while (from < to) {
		mid = (from + to) / 2;
		if (m->objects[mid].id < id)
			from = mid + 1;
		else
			to = mid;
	}
	if (at)
		*at = from;
	return from < m->n_objects && m->objects[from].id == id ?
	       &m->objects[from] : NULL;
}

/* The ways that an object comes to now: none when that isn't known. */
static struct khop *object_ways(const struct mirror *m, const struct hop *h,
				unsigned int *n)
{
	struct knexthop *o = object_find(m, h->nh_object, NULL), *part;
	struct khop *ways;
	unsigned int i;

	*n = 0;
	if (!o || !o->plain)
		return NULL;
	ways = xalloc((o->group ? o->n_members + 1 : 1) * sizeof(*ways));
	for (i = 0; i < (o->group ? o->n_members : 1); i++) {
		part = o->group ? object_find(m, o->members[i].id, NULL) : o;
		if (!part || part->group || part->family != h->family) {
			*n = 0;
			break;
		}
		ways[i] = part->hop;
		if (o->group)
			ways[i].weight = o->members[i].weight;
		*n = i + 1;
	}
	return ways;
}

/* Returns whether the ways changed. */
static bool resolve(const struct mirror *m, struct hop *h)
{
	struct hop new = *h;
	unsigned int n, i;
	struct khop *ways = object_ways(m, h, &n);
	bool same;

	set_ways(&new, ways, n);
	same = new.n == h->n;
	for (i = 0; same && i < n; i++)
		same = !memcmp(&ways_of(&new)[i], &ways_of(h)[i],
			       sizeof(*ways));
	if (same || n < 2)
		free(ways);
	if (same)
		return false;
	free_ways(h);
	*h = new;
	return true;
}

static uint32_t hop_find(const struct mirror *m, struct hop *key)
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

/* Which ways are dead is the newest message's to say. */
static void take_dead(struct mirror *m, struct hop *h, struct hop *key)
{
	uint32_t i;

	for (i = 0; !h->nh_object && i < h->n; i++) {
		if (ways_of(h)[i].dead == ways_of(key)[i].dead)
			continue;
		ways_of(h)[i].dead = ways_of(key)[i].dead;
		m->ways_changed = true;
	}
}

static uint32_t hop_get(struct mirror *m, struct hop *key)
{
	uint32_t i = hop_find(m, key), b;
	struct hop *h;

	if (i != NONE) {
		h = hop_at(m, i);
		h->refs++;
		take_dead(m, h, key);
		return i;
	}
	if (m->n_hops >= m->n_hop_buckets)
		rehash_hops(m);
	i = pool_get(&m->hops);
	h = hop_at(m, i);
	*h = *key;
	h->refs = 1;
	if (h->nh_object) {
		resolve(m, h);
	} else if (h->n != 1) {
		h->several = xalloc(h->n * sizeof(struct khop));
		memcpy(h->several, key->several, h->n * sizeof(struct khop));
	}
	h->usable = is_usable(m, h);
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
	free_ways(h);
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
		    struct hop *h)
{
	struct cand *same;

	c->hop = hop_find(m, h);
	same = cand_find(m, e, c);
	if (same) {
		same->ends = c->ends;
		take_dead(m, hop_at(m, c->hop), h);
		return;
	}
	c->hop = hop_get(m, h);
	cand_add(m, e, c);
}

static void add4(struct mirror *m, struct entry *e, const struct kroute *r)
{
	struct cand c = { .prio = r->prio, .tos = r->tos };
	struct cand *same, *other;
	unsigned int n;
	struct hop h;

	fill_hop(&h, r, r->hops, r->n_hops);
	if (r->flags & NLM_F_REPLACE) {
		c.hop = hop_find(m, &h);
		same = cand_find(m, e, &c);
		n = rivals(m, e, &c, same, 0, &other);
		/* Its object changed, not the route. */
		if (same && r->nh_object)
			n = 0;
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

	fill_hop(&h, r, r->hops, r->n_hops);
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
	fill_hop(&h, r, r->hops, r->n_hops);
	key.hop = hop_find(m, &h);
	same = cand_find(m, e, &key);
	n = c->flags & CAND_ECMP ? 0 : rivals(m, e, c, same, 0, &other);
	/* None of its kind: the first of the other kind goes, or the group. */
	if (!n && !same)
		n = rivals(m, e, c, NULL, c->flags ^ CAND_ECMP, &other);
	if (n > 1)
		m->doubt = true;
	else if (n)
		cand_del(m, e, other);
}

/*
 * When routes join a group, the message has all of it, but as a circle from
 * one of them on. The kernel's order is that of who came first. Returns
 * whether @ways, the message's, could be brought in that order.
 */
static bool in_order(struct hop *old, const struct kroute *r,
		     struct khop *ways)
{
	unsigned int n = r->n_hops, from = 0, i;
	const struct khop *had = ways_of(old);

	while (from < n && r->hops[from].ident != had[0].ident)
		from++;
	for (i = 0; i < n; i++)
		ways[i] = r->hops[(from + i) % n];
	if (from == n || old->n > n)
		return false;
	for (i = 0; i < old->n; i++)
		if (ways[i].ident != had[i].ident ||
		    (old->n > 1 && ways[i].weight != had[i].weight))
			return false;
	return true;
}

static void add_group(struct mirror *m, struct entry *e,
		      const struct kroute *r, struct cand *c)
{
	struct khop *ways = xalloc(r->n_hops * sizeof(*ways));
	struct cand *group = NULL;
	struct hop h, *old;
	uint32_t hop;

	fill_hop(&h, r, r->hops, r->n_hops);
	if (!rivals(m, e, c, NULL, CAND_ECMP, &group)) {
		if (r->flags & NLM_F_REPLACE)
			replace6(m, e, r, c);
	} else if (!(r->flags & (NLM_F_REPLACE | NLM_F_MULTI))) {
		/* Neither a new group nor a dump, which has its order. */
		old = hop_at(m, group->hop);
		set_ways(&h, ways, r->n_hops);
		if (!in_order(old, r, ways)) {
			m->doubt = true;
			h.plain = false;
		}
		/* The message is about the newest one, not about them all. */
		h.plain &= old->plain;
		if (h.n == 1)
			h.one = ways[0];
	}
	hop = hop_get(m, &h);
	free(ways);
	if (group) {
		hop_put(m, group->hop);
		group->hop = hop;
		/* The message may be about one of them. */
		group->ends = c->ends ||
			      (group->ends && !(r->flags & NLM_F_REPLACE));
		return;
	}
	c->hop = hop;
	cand_add(m, e, c);
}

/* Takes one way out of a group; false when it isn't there. */
static bool leave_group(struct mirror *m, struct entry *e,
			struct cand *group, const struct khop *way)
{
	struct hop *old = hop_at(m, group->hop), h = *old;
	uint32_t i, n = 0, hop;
	struct khop *ways;

	for (i = 0; i < old->n && ways_of(old)[i].ident != way->ident; i++)
		;
	if (i == old->n)
		return false;
	if (old->n == 1) {
		cand_del(m, e, group);
		return true;
	}
	ways = xalloc(old->n * sizeof(*ways));
	for (i = 0; i < old->n; i++)
		if (ways_of(old)[i].ident != way->ident)
			ways[n++] = ways_of(old)[i];
	set_ways(&h, ways, n);
	hop = hop_get(m, &h);
	free(ways);
	hop_put(m, group->hop);
	group->hop = hop;
	return true;
}

static void add6(struct mirror *m, struct entry *e, const struct kroute *r)
{
	struct cand c = { .prio = r->prio, .ends = r->ends };
	unsigned int i;
	struct hop h;

	if (is_ecmp(r)) {
		c.flags = CAND_ECMP;
		add_group(m, e, r, &c);
		return;
	}
	if (r->has_src)
		c.flags = CAND_SRC;
	if (r->flags & NLM_F_REPLACE)
		replace6(m, e, r, &c);
	for (i = 0; i < r->n_hops; i++) {
		fill_hop(&h, r, &r->hops[i], 1);
		add_one(m, e, &c, &h);
		if (r->nh_object)
			break;
	}
}

static bool del_one6(struct mirror *m, struct entry *e,
		     const struct kroute *r, const struct khop *way)
{
	struct cand c = { .prio = r->prio }, *same = NULL;
	struct hop h;

	if (is_ecmp(r))
		return rivals(m, e, &c, NULL, CAND_ECMP, &same) &&
		       leave_group(m, e, same, way);
	fill_hop(&h, r, way, 1);
	c.hop = hop_find(m, &h);
	same = cand_find(m, e, &c);
	if (same)
		cand_del(m, e, same);
	return same;
}

static void del6(struct mirror *m, struct entry *e, const struct kroute *r)
{
	unsigned int i;

	for (i = 0; i < r->n_hops; i++) {
		if (!del_one6(m, e, r, &r->hops[i]) && !m->loading)
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

/* Marks the prefixes whose ways changed, or whether they are of use. */
static void mark_changed(struct mirror *m)
{
	struct entry *e;
	struct cand *c;
	uint32_t i, at;

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

static bool list_has(const struct list *l, uint32_t v)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (l->v[i] == v)
			return true;
	return false;
}

/* The module gave up all routes by it. */
static bool was_replaced(const struct mirror *m, uint32_t id)
{
	const struct knexthop *o = object_find(m, id, NULL);
	unsigned int i;

	if (!m->replaced.n || !o)
		return false;
	for (i = 0; i < o->n_members; i++)
		if (list_has(&m->replaced, o->members[i].id))
			return true;
	return list_has(&m->replaced, id);
}

/* Once for many changes of objects and devices: it looks at everything. */
static void refresh(struct mirror *m)
{
	bool usable, any = false;
	struct hop *h;
	uint32_t i;

	if (!m->objects_changed && !m->ways_changed)
		return;
	for (i = 0; i < m->hops.used; i++) {
		h = hop_at(m, i);
		if (!h->refs)
			continue;
		h->changed = m->objects_changed && h->nh_object &&
			     (resolve(m, h) || was_replaced(m, h->nh_object));
		usable = is_usable(m, h);
		/* What was punt and still is needs no message. */
		h->changed = usable != h->usable || (usable && h->changed);
		h->usable = usable;
		any |= h->changed;
	}
	m->objects_changed = m->ways_changed = false;
	m->replaced.n = 0;
	if (any)
		mark_changed(m);
}

void mirror_set_oifs(struct mirror *m, const uint32_t *oifs, unsigned int n)
{
	m->oifs = xrealloc(m->oifs, n * sizeof(*oifs));
	if (n)
		memcpy(m->oifs, oifs, n * sizeof(*oifs));
	m->n_oifs = n;
	m->ways_changed = true;
	refresh(m);
}

void mirror_object(struct mirror *m, const struct knexthop *n)
{
	unsigned int at;
	struct knexthop *o = object_find(m, n->id, &at);

	if (!o && n->del)
		return;
	m->objects_changed = true;
	if (o) {
		free((void *)o->members);
		if (!n->del && !list_has(&m->replaced, n->id))
			list_add(&m->replaced, n->id);
	} else {
		m->objects = xrealloc(m->objects, (m->n_objects + 1) *
				      sizeof(*o));
		o = &m->objects[at];
		memmove(o + 1, o, (m->n_objects++ - at) * sizeof(*o));
	}
	if (n->del) {
		memmove(o, o + 1, (--m->n_objects - at) * sizeof(*o));
		return;
	}
	*o = *n;
	o->members = NULL;
	if (n->n_members) {
		o->members = xalloc(n->n_members * sizeof(*n->members));
		memcpy((void *)o->members, n->members,
		       n->n_members * sizeof(*n->members));
	}
}

void mirror_forget_objects(struct mirror *m)
{
	unsigned int i;

	for (i = 0; i < m->n_objects; i++)
		free((void *)m->objects[i].members);
	m->n_objects = 0;
	m->objects_changed = true;
}

/* A group that loses its last member goes too. */
static void leave_objects(struct mirror *m, uint32_t id)
{
	struct knexthop_member *parts;
	unsigned int i, k, n;
	struct knexthop *o;

	for (i = m->n_objects; i--;) {
		o = &m->objects[i];
		parts = (struct knexthop_member *)o->members;
		for (k = n = 0; k < o->n_members; k++)
			if (parts[k].id != id)
				parts[n++] = parts[k];
		if (n == o->n_members)
			continue;
		o->n_members = n;
		if (!n)
			mirror_object(m, &(struct knexthop){
				.id = o->id, .del = true });
	}
}

/* The kernel drops objects with their device, and from groups, too. */
static void drop_objects(struct mirror *m, uint32_t ifindex)
{
	struct knexthop gone = { .del = true };
	bool again;
	unsigned int i;
	uint32_t k;

	do {
		again = false;
		for (i = 0; i < m->n_objects && !again; i++) {
			if (m->objects[i].group ||
			    m->objects[i].hop.oif != ifindex)
				continue;
			gone.id = m->objects[i].id;
			mirror_object(m, &gone);
			leave_objects(m, gone.id);
			again = true;
		}
	} while (again);
	if (!gone.id)
		return;
	/* Which routes went with them it doesn't say for sure. */
	for (k = 0; k < m->hops.used; k++)
		if (hop_at(m, k)->refs && hop_at(m, k)->nh_object)
			m->doubt = true;
}

static bool has_way_by(struct hop *h, uint32_t ifindex)
{
	uint32_t i;

	for (i = 0; i < h->n; i++)
		if (ways_of(h)[i].oif == ifindex)
			return true;
	return false;
}

/* Whether a route of IPv4 goes when @ifindex is @gone, or down. */
static bool goes_with(struct mirror *m, struct hop *h, uint32_t ifindex,
		      bool gone)
{
	uint32_t i;

	if (h->family != AF_INET || h->nh_object || !has_way_by(h, ifindex))
		return false;
	if (h->n == 1)
		return true;
	for (i = 0; !gone && i < h->n; i++)
		if (!is_down(m, ways_of(h)[i].oif))
			return false;
	/* That of the dump may have been added since. */
	if (m->loading)
		m->doubt = true;
	return !m->loading;
}

static void dev_down(struct mirror *m, uint32_t ifindex, bool gone)
{
	bool any = false;
	struct entry *e;
	struct cand *c;
	struct hop *h;
	uint32_t i, at;

	if (!is_down(m, ifindex))
		list_add(&m->down, ifindex);
	for (i = 0; i < m->hops.used; i++) {
		h = hop_at(m, i);
		h->changed = h->refs && goes_with(m, h, ifindex, gone);
		any |= h->changed;
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

static void dev_up(struct mirror *m, uint32_t ifindex)
{
	struct hop *h;
	uint32_t i, k;
	size_t d;

	for (d = 0; d < m->down.n; d++)
		if (m->down.v[d] == ifindex)
			m->down.v[d] = m->down.v[--m->down.n];
	for (i = 0; i < m->hops.used; i++) {
		h = hop_at(m, i);
		for (k = 0; h->refs && k < h->n; k++)
			if (ways_of(h)[k].oif == ifindex)
				ways_of(h)[k].dead = false;
	}
}

void mirror_dev(struct mirror *m, uint32_t ifindex, enum mirror_dev state)
{
	bool was_down = is_down(m, ifindex);

	if (state < MIRROR_DEV_UP)
		drop_objects(m, ifindex);
	if (state < MIRROR_DEV_NO_CARRIER)
		dev_down(m, ifindex, state == MIRROR_DEV_GONE);
	else if (was_down)
		dev_up(m, ifindex);
	if (was_down != is_down(m, ifindex))
		m->ways_changed = true;
}

void mirror_addr_gone(struct mirror *m, uint32_t ifindex)
{
	struct hop *h;
	uint32_t i;

	for (i = 0; i < m->hops.used; i++) {
		h = hop_at(m, i);
		if (h->refs && h->n > 1 && h->family == AF_INET &&
		    !h->nh_object && has_way_by(h, ifindex))
			m->doubt = true;
	}
}

void mirror_addr_came(struct mirror *m, uint32_t ifindex)
{
	struct hop *h;
	uint32_t i, k;

	for (i = 0; i < m->hops.used; i++) {
		h = hop_at(m, i);
		if (!h->refs || h->family != AF_INET || h->nh_object)
			continue;
		for (k = 0; k < h->n; k++)
			if (ways_of(h)[k].oif == ifindex && ways_of(h)[k].dead)
				m->doubt = true;
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

size_t mirror_pending(struct mirror *m)
{
	refresh(m);
	return m->dirty.n;
}

void mirror_late(struct mirror *m)
{
	m->is_late = true;
}

/*
 * The one route that the kernel takes for a prefix, or NULL when unsure: of one
 * that expires the kernel doesn't tell at once.
 */
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
	return tie || !b || b->ends ? NULL : hop_at(m, b->hop);
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

static uint8_t told_flags(const struct cni_entry *out)
{
	return out->forward ? ENTRY_SHOWN : ENTRY_SHOWN | ENTRY_PUNTED;
}

static void say(const struct mirror *m, struct entry *e,
		struct cni_entry *out)
{
	struct hop *h = best(m, e);

	if (!h || !h->usable)
		return;
	out->forward = true;
	out->hops = ways_of(h);
	out->n_hops = h->n;
	out->nh_object = h->nh_object;
}

/* What to say of a prefix; with @note, that it was said is noted. */
static void decide(struct mirror *m, const struct addr *dst, bool note,
		   struct cni_entry *out)
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
		 struct cni_entry *out)
{
	refresh(m);
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

int mirror_flush(struct mirror *m, cni_entry_fn fn, void *arg)
{
	struct cni_entry out;
	struct addr dst;
	size_t n;
	int rc;

	refresh(m);
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

int mirror_flush_all(struct mirror *m, cni_entry_fn fn, void *arg)
{
	struct cni_entry out;
	struct entry *e;
	struct addr dst;
	uint32_t i;
	int rc;

	refresh(m);
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
