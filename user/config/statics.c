// SPDX-License-Identifier: GPL-2.0
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <linux/rtnetlink.h>

#include "base/out.h"
#include "config/statics.h"

static bool any(const struct config_static *s)
{
	return s->published || s->n_given || s->file;
}

bool statics_any(const struct config *c)
{
	unsigned int i;

	for (i = 0; i < c->n_tunnels; i++)
		if (any(&c->tunnels[i].statics))
			return true;
	return any(&c->link.statics);
}

/* @t: NULL for the link. */
static void add_way(struct statics *s, const struct config *c,
		    const struct config_tunnel *t)
{
	const struct config_link *l = &c->link;
	struct static_way *w = &s->ways[s->n_ways];

	w->list = t ? &t->statics : &l->statics;
	if (!w->list->n)
		return;
	s->n_ways++;
	w->dev = t ? t->ifname : l->ifname;
	w->ifindex = if_nametoindex(w->dev);
	w->carries[0] = config_routes(c, t, AF_INET);
	w->carries[1] = config_routes(c, t, AF_INET6);
	if (!t) {
		w->via[0] = w->far[0] = l->peer4;
		w->via[1] = w->far[1] = l->peer6;
	} else {
		/* The kernel spreads IPv6 over hops with an address only. */
		w->far[1] = config_far_end(&t->address6);
	}
}

static int by_dst(const void *pa, const void *pb)
{
	const struct static_want *a = pa, *b = pb;

	return addr_cmp(&a->dst, &b->dst);
}

static void add_wants(struct statics *s, unsigned int way)
{
	struct static_way *w = &s->ways[way];
	unsigned int i;
	bool v6;

	for (i = 0; i < w->list->n; i++) {
		v6 = w->list->list[i].family == AF_INET6;
		if (!w->carries[v6]) {
			w->left_out[v6]++;
			continue;
		}
		s->want[s->n++] = (struct static_want){
			.dst = w->list->list[i], .ways = 1ull << way,
		};
	}
}

void statics_want(struct statics *s, const struct config *c)
{
	unsigned int i, n = 0;

	memset(s, 0, sizeof(*s));
	if (!c)
		return;
	s->table = c->tables[0];
	s->ways = xalloc((c->n_tunnels + 1) * sizeof(*s->ways));
	add_way(s, c, NULL);
	for (i = 0; i < c->n_tunnels; i++)
		add_way(s, c, &c->tunnels[i]);
	for (i = 0; i < s->n_ways; i++)
		n += s->ways[i].list->n;
	s->want = xalloc(n * sizeof(*s->want));
	for (i = 0; i < s->n_ways; i++)
		add_wants(s, i);
	if (!s->n)
		return;
	qsort(s->want, s->n, sizeof(*s->want), by_dst);
	for (i = 1, n = 0; i < s->n; i++) {
		if (by_dst(&s->want[n], &s->want[i]))
			s->want[++n] = s->want[i];
		else
			s->want[n].ways |= s->want[i].ways;
	}
	s->n = n + 1;
}

static void forget_have(struct statics *s, unsigned int from)
{
	while (s->n_have > from)
		free((void *)s->have[--s->n_have].r.hops);
}

void statics_free(struct statics *s)
{
	forget_have(s, 0);
	free(s->have);
	free(s->want);
	free(s->ways);
}

struct rtnl_route statics_route(const struct statics *s,
				const struct static_want *w)
{
	struct rtnl_route r = {
		.table = s->table == RT_TABLE_MAIN ? 0 : s->table,
		.dst = w->dst, .proto = PROTO_STATIC,
	};
	bool v6 = w->dst.family == AF_INET6, several = w->ways & (w->ways - 1);
	struct khop *hops = several ? xalloc(KHOPS_MAX * sizeof(*hops)) : NULL;
	unsigned int i;

	for (i = 0; i < s->n_ways; i++) {
		if (!(w->ways & 1ull << i))
			continue;
		if (several) {
			hops[r.n_hops++] = (struct khop){
				.oif = s->ways[i].ifindex, .weight = 1,
				.via = s->ways[i].far[v6],
			};
		} else {
			r.oif = s->ways[i].ifindex;
			r.via = s->ways[i].via[v6];
		}
	}
	r.hops = hops;
	return r;
}

struct looking {
	struct statics *s;
	int family;
	uint32_t table;
	const uint32_t *own;
	unsigned int n_own;
	unsigned int from;	/* where what the walk found begins */
};

static struct static_want *find(const struct statics *s, uint32_t table,
				const struct addr *dst)
{
	struct static_want key = { .dst = *dst };

	return table == s->table && s->n ?
	       bsearch(&key, s->want, s->n, sizeof(key), by_dst) : NULL;
}

static bool is_ours(const struct looking *l, const struct kroute *k)
{
	unsigned int i, h;

	for (h = 0; k->proto == PROTO_STATIC && h < k->n_hops; h++)
		for (i = 0; i < l->n_own; i++)
			if (k->hops[h].oif == l->own[i])
				return true;
	return false;
}

static int take(const struct kroute *k, const struct nlmsghdr *raw, void *arg)
{
	struct looking *l = arg;
	struct statics *s = l->s;
	struct static_have *h;
	struct khop *hops;
	bool ours;

	(void)raw;
	if (!k) {
		forget_have(s, l->from);
		return 0;
	}
	/* Without IPv6 the kernel answers with what it has. */
	if (k->dst.family != l->family)
		return 0;
	ours = is_ours(l, k);
	if (!ours && (!kroute_is_plain_metric(k) ||
		      !find(s, l->table, &k->dst)))
		return 0;
	if (!(s->n_have & (s->n_have - 1)))
		s->have = xrealloc(s->have, (s->n_have ? s->n_have * 2 : 1) *
				   sizeof(*s->have));
	h = &s->have[s->n_have++];
	*h = (struct static_have){
		.r = {
			.table = l->table == RT_TABLE_MAIN ? 0 : l->table,
			.dst = k->dst, .proto = k->proto,
		},
		.ours = ours,
	};
	if (k->n_hops == 1) {
		h->r.oif = k->hops[0].oif;
		h->r.via = k->hops[0].via;
	} else if (k->n_hops) {
		hops = xalloc(k->n_hops * sizeof(*hops));
		memcpy(hops, k->hops, k->n_hops * sizeof(*hops));
		h->r.hops = hops;
		h->r.n_hops = k->n_hops;
	}
	return 0;
}

static bool has_hop(const struct rtnl_route *r, const struct khop *h)
{
	unsigned int i;

	for (i = 0; i < r->n_hops; i++)
		if (r->hops[i].oif == h->oif &&
		    r->hops[i].weight == h->weight &&
		    addr_same(&r->hops[i].via, &h->via))
			return true;
	return false;
}

/* In whichever order. */
static bool same_hops(const struct rtnl_route *a, const struct rtnl_route *b)
{
	unsigned int i;

	if (a->n_hops != b->n_hops || a->oif != b->oif ||
	    !addr_same(&a->via, &b->via))
		return false;
	for (i = 0; i < a->n_hops; i++)
		if (!has_hop(b, &a->hops[i]))
			return false;
	return true;
}

static void judge(struct statics *s, unsigned int have)
{
	struct static_have *h = &s->have[have];
	uint32_t table = h->r.table ? h->r.table : RT_TABLE_MAIN;
	struct static_want *w = find(s, table, &h->r.dst);
	enum static_state state;
	struct rtnl_route r;

	if (!w)
		return;
	r = statics_route(s, w);
	state = same_hops(&r, &h->r) ? STATIC_RIGHT :
		h->ours ? STATIC_CHANGED : STATIC_TAKEN;
	free((void *)r.hops);
	h->wanted = true;
	/* IPv6 has room for several: what is wrong counts. */
	if (state < w->state)
		return;
	w->state = state;
	w->have = have;
}

int statics_look(struct statics *s, struct nlconn *rt, const uint32_t *tables,
		 unsigned int n_tables, const uint32_t *own,
		 unsigned int n_own)
{
	struct looking l = { .s = s, .own = own, .n_own = n_own };
	unsigned int i;
	int rc = 0;

	for (i = 0; !rc && i < n_tables * 2; i++) {
		l.table = tables[i / 2];
		l.from = s->n_have;
		l.family = i & 1 ? AF_INET6 : AF_INET;
		rc = rtnl_routes(rt, l.family, l.table, take, &l);
	}
	for (i = 0; !rc && i < s->n_have; i++)
		judge(s, i);
	return rc;
}
