// SPDX-License-Identifier: GPL-2.0
/* Has the module the routes that the kernel has? */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <linux/rtnetlink.h>

#include "base/out.h"
#include "base/signals.h"
#include "kernel/rtnl.h"
#include "routes/agree.h"
#include "routes/fill.h"

struct have {
	struct addr dst;
	uint32_t table;
	bool punt, seen;
	struct khop *hops;
	unsigned int n_hops;
};

struct work {
	struct agree *a;
	const struct addr *only;	/* sorted; NULL: all prefixes */
	unsigned int n_only;
	struct have *v;
	size_t n, size;
	uint32_t table;		/* that is walked */
};

static int by_prefix(const void *pa, const void *pb)
{
	const struct have *a = pa, *b = pb;

	if (a->table != b->table)
		return a->table < b->table ? -1 : 1;
	return addr_cmp(&a->dst, &b->dst);
}

static int take(const struct cni_route *r, void *arg)
{
	struct work *w = arg;
	struct have *h;

	if (w->n == w->size) {
		w->size = w->size ? w->size * 2 : 1024;
		w->v = xrealloc(w->v, w->size * sizeof(*w->v));
	}
	h = &w->v[w->n++];
	*h = (struct have){
		.dst = r->dst, .table = r->table, .punt = r->punt,
		.n_hops = r->n_hops,
	};
	h->hops = xalloc(r->n_hops * sizeof(*h->hops));
	if (r->n_hops)
		memcpy(h->hops, r->hops, r->n_hops * sizeof(*h->hops));
	return signals_caught ? -EINTR : 0;
}

static void forget(void *arg)
{
	struct work *w = arg;

	while (w->n)
		free(w->v[--w->n].hops);
}

static bool is_asked(const struct work *w, const struct addr *dst)
{
	return !w->only || bsearch(dst, w->only, w->n_only, sizeof(*dst),
				   addr_cmp);
}

static void differs(struct work *w, const struct addr *dst, const char *what)
{
	struct agree *a = w->a;

	if (a->differ < AGREE_NAMED)
		a->named[a->differ] = (struct agree_named){
			*dst, w->table, what
		};
	a->differ++;
}

static bool same_hops(const struct khop *a, const struct khop *b,
		      unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (a[i].oif != b[i].oif || !addr_same(&a[i].via, &b[i].via) ||
		    (n > 1 && a[i].weight != b[i].weight))
			return false;
	return true;
}

static int compare(const struct cni_entry *out, void *arg)
{
	struct work *w = arg;
	struct have key = { .dst = out->dst, .table = w->table }, *h;

	if (!is_asked(w, &out->dst))
		return 0;
	w->a->kernel[out->dst.family == AF_INET6]++;
	h = w->n ? bsearch(&key, w->v, w->n, sizeof(*w->v), by_prefix) : NULL;
	if (!h) {
		differs(w, &out->dst, "is missing from the module");
		return 0;
	}
	h->seen = true;
	if (h->punt && out->forward)
		differs(w, &out->dst, "could take the fast path but doesn't");
	else if (!h->punt && !out->forward)
		differs(w, &out->dst, "takes the fast path but may not");
	else if (!h->punt && (h->n_hops != out->n_hops ||
			      !same_hops(h->hops, out->hops, h->n_hops)))
		differs(w, &out->dst, "goes another way in the module");
	return 0;
}

struct learnt {
	const uint32_t *oifs;
	unsigned int n;
	size_t count;
};

static int count_learnt(const struct kroute *r, const struct nlmsghdr *raw,
			void *arg)
{
	struct learnt *l = arg;
	unsigned int i, k;

	(void)raw;
	if (!r)
		l->count = 0;
	if (!r || r->proto == RTPROT_KERNEL || r->proto == PROTO_UP ||
	    r->proto == PROTO_ROUTE || r->proto == PROTO_STATIC ||
	    r->proto == RTPROT_RA)
		return 0;
	for (i = 0; i < r->n_hops; i++) {
		for (k = 0; k < l->n; k++) {
			if (r->hops[i].oif != l->oifs[k])
				continue;
			l->count++;
			return 0;
		}
	}
	return 0;
}

static int one_part(struct nlconn *rt, struct work *w,
		    const struct fill_part *part, const uint32_t *oifs,
		    unsigned int n_oifs)
{
	struct mirror *m = mirror_new(part->tables, part->n_tables);
	struct learnt l = { oifs, n_oifs, 0 };
	unsigned int i;
	int rc;

	w->table = part->id;
	mirror_loading(m, true);
	mirror_set_oifs(m, oifs, n_oifs);
	rc = fill_mirror(rt, m, part->tables, part->n_tables, NULL,
			 NULL);
	if (!rc)
		rc = mirror_flush_all(m, compare, w);
	mirror_free(m);
	for (i = 0; !rc && i < part->n_tables * 2; i++) {
		l.count = 0;
		rc = rtnl_routes(rt, i & 1 ? AF_INET6 : AF_INET,
				 part->tables[i / 2], count_learnt, &l);
		w->a->learnt += l.count;
	}
	return rc;
}

int agree_ask(struct nlconn *rt, struct cni *cni, const uint32_t *tables,
	      unsigned int n, const struct addr *only, unsigned int n_only,
	      struct agree *a, const char **why)
{
	struct fill_part *parts = xalloc((n + 1) * sizeof(*parts));
	struct work w = { .a = a, .only = only, .n_only = n_only };
	unsigned int n_parts, n_oifs, i;
	uint32_t *oifs;
	size_t k;
	int rc;

	memset(a, 0, sizeof(*a));
	*why = "the module's routes can't be read";
	rc = cni_oifs(cni, &oifs, &n_oifs);
	if (!rc)
		rc = cni_routes(cni, take, forget, &w);
	if (w.n)
		qsort(w.v, w.n, sizeof(*w.v), by_prefix);
	n_parts = fill_parts(tables, n, parts);
	for (i = 0; !rc && i < n_parts; i++) {
		*why = "the kernel's routes can't be read";
		rc = one_part(rt, &w, &parts[i], oifs, n_oifs);
		for (k = 0; !rc && k < w.n; k++) {
			if (w.v[k].table != parts[i].id ||
			    !is_asked(&w, &w.v[k].dst))
				continue;
			a->module[w.v[k].dst.family == AF_INET6]++;
			a->forwarded[w.v[k].dst.family == AF_INET6] +=
				!w.v[k].punt;
			if (!w.v[k].seen)
				differs(&w, &w.v[k].dst,
					"is in the module only");
		}
	}
	free(oifs);
	free(parts);
	forget(&w);
	free(w.v);
	return rc;
}
