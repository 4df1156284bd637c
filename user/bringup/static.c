// SPDX-License-Identifier: GPL-2.0
/* Static prefixes: routes by the link and the tunnels, and none besides. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/rtnetlink.h>

#include "base/lock.h"
#include "base/out.h"
#include "bringup/bringup.h"
#include "config/statics.h"
#include "routes/agree.h"
#include "routes/tell.h"

static const char *const versions[] = { "IPv4", "IPv6" };

static const char *plural(unsigned int n)
{
	return n == 1 ? "prefix" : "prefixes";
}

/* The names of all devices that are, or were, the configuration's. */
static unsigned int own_devs(struct up *u, uint32_t **list)
{
	const struct config *of[] = { u->c, u->old }, *c;
	unsigned int n = 0, i, k;
	struct netdev dev;
	const char *name;

	*list = xalloc((u->c->n_tunnels + (u->old ? u->old->n_tunnels : 0) +
			2) * sizeof(**list));
	for (i = 0; i < 2 && (c = of[i]); i++) {
		for (k = 0; k <= c->n_tunnels; k++) {
			name = k ? c->tunnels[k - 1].ifname : c->link.ifname;
			/* Also what a dry run removes in words only. */
			if (!rtnl_dev(&u->rt, name, &dev) &&
			    !step_owner(u, name))
				(*list)[n++] = dev.ifindex;
		}
	}
	return n;
}

/* Whether there may or should be any: reading all routes can take a while. */
static bool concerned(const struct up *u, const struct config *c)
{
	return statics_any(u->c) ||
	       (u->old ? statics_any(u->old) : u->reload || !c);
}

/* @c: what they are to be; NULL: none. */
static int look(struct up *u, const struct config *c, struct statics *s)
{
	uint32_t tables[2] = { u->c->tables[0] }, *own;
	unsigned int n_own, i;
	struct netdev dev;
	int rc;

	statics_want(s, c);
	/* In a dry run some are only removed in words. */
	for (i = 0; i < s->n_ways; i++)
		if (dev_look(u, s->ways[i].dev, &dev))
			s->ways[i].ifindex = 0;
	if (u->old)
		tables[1] = u->old->tables[0];
	n_own = own_devs(u, &own);
	rc = statics_look(s, &u->rt, tables,
			  tables[1] && tables[1] != tables[0] ? 2 : 1, own,
			  n_own);
	free(own);
	return rc ? step_failed(u, rc, "list the routes beside",
				u->c->link.ifname) : 0;
}

static const char *dev_of(const struct rtnl_route *r)
{
	return rtnl_name(r->n_hops ? r->hops[0].oif : r->oif);
}

static void refuse_taken(struct up *u, const struct statics *s,
			 const struct static_want *w, unsigned int n)
{
	const struct rtnl_route *r = &s->have[w->have].r;
	const char *dev = dev_of(r), *dst = addr_prefix_str(&r->dst);
	const char *owner = r->proto == PROTO_STATIC ?
			    step_owner(u, dev) : NULL;

	if (owner)
		err("the static prefix %s goes by %s of the link '%s' already",
		    dst, dev, owner);
	else
		err("there is a route to the static prefix %s already, by %s, which cnictl up didn't make",
		    dst, r->oif || r->n_hops ? dev : "no device");
	if (n > 1)
		hint("so it is with %u more", n - 1);
	if (owner)
		hint("the kernel has one route to a prefix: leave it out of \"static\" in %s, or of that link's",
		     u->c->file);
	else
		hint("ip %sroute show %s%s; remove it, or leave the prefix out of \"static\" in %s",
		     r->dst.family == AF_INET6 ? "-6 " : "", dst,
		     tunnel_in_table(r), u->c->file);
}

int static_look(struct up *u)
{
	const struct static_want *taken = NULL;
	const struct static_have *left = NULL;
	unsigned int i, n = 0;
	struct statics s;
	int rc;

	if (!concerned(u, u->c))
		return 0;
	rc = look(u, u->c, &s);
	for (i = 0; !rc && i < s.n; i++) {
		if (s.want[i].state != STATIC_TAKEN)
			continue;
		taken = taken ? taken : &s.want[i];
		n++;
	}
	for (i = 0; !rc && !u->reload && i < s.n_have && !left; i++)
		if (s.have[i].ours && !s.have[i].wanted)
			left = &s.have[i];
	if (taken) {
		refuse_taken(u, &s, taken, n);
		rc = -EEXIST;
	} else if (left) {
		err("%s: the static prefix %s by %s is up, and isn't in the file",
		    u->c->file, addr_prefix_str(&left->r.dst),
		    dev_of(&left->r));
		hint("cnictl reload %s removes it", u->c->file);
		rc = -EEXIST;
	}
	statics_free(&s);
	return rc;
}

/* One that was there is put back, one that wasn't removed. */
static void undo_static(struct up *u, const struct undo *undo)
{
	const struct rtnl_route *r;
	unsigned int i;

	if (!undo->n_routes)
		return;
	step_undoing(u, "the routes to %u static %s as they were",
		     undo->n_routes, plural(undo->n_routes));
	for (i = undo->n_routes; i--;) {
		r = &undo->routes[i];
		if (r->oif || r->n_hops)
			rtnl_route_add(&u->rt, r, NLM_F_CREATE | NLM_F_REPLACE);
		else
			rtnl_route_del(&u->rt, r);
	}
}

static struct undo *begin_undo(struct up *u, unsigned int n)
{
	struct undo *undo = step_on_failure(u, 0, undo_static);

	undo->routes = xalloc(n * sizeof(*undo->routes));
	return undo;
}

/* Of those that are changed in one step. */
static struct rtnl_route copy_of(const struct rtnl_route *r)
{
	struct rtnl_route copy = *r;
	struct khop *hops;

	if (r->n_hops) {
		hops = xalloc(r->n_hops * sizeof(*hops));
		memcpy(hops, r->hops, r->n_hops * sizeof(*hops));
		copy.hops = hops;
	}
	return copy;
}

/* A step for @n prefixes, the first of which is @dst. */
static bool step_for(struct up *u, const char *what, const struct addr *dst,
		     unsigned int n, const char *how)
{
	if (n == 1)
		return step_do(u, "ip route %s %s%s proto %d", what,
			       addr_prefix_str(dst), how, PROTO_STATIC);
	return step_do(u, "ip route %s PREFIX%s proto %d: %u %s prefixes", what,
		       how, PROTO_STATIC, n, versions[dst->family == AF_INET6]);
}

/* " via ADDR dev DEVICE", for each with "nexthop" before it; a static buffer. */
static const char *how_str(const struct statics *s, const struct static_want *w)
{
	static char buf[400];
	bool v6 = w->dst.family == AF_INET6, several = w->ways & (w->ways - 1);
	struct rtnl_route r = {};
	const struct addr *via;
	unsigned int i;
	size_t n = 0;

	*buf = '\0';
	for (i = 0; i < s->n_ways && n < sizeof(buf); i++) {
		if (!(w->ways & 1ull << i))
			continue;
		via = several ? &s->ways[i].far[v6] : &s->ways[i].via[v6];
		n += snprintf(buf + n, sizeof(buf) - n, "%s%s%s dev %s",
			      several ? " nexthop" : "",
			      via->family ? " via " : "",
			      via->family ? addr_str(via) : "",
			      s->ways[i].dev);
	}
	r.table = s->table == RT_TABLE_MAIN ? 0 : s->table;
	if (n < sizeof(buf))
		snprintf(buf + n, sizeof(buf) - n, "%s", tunnel_in_table(&r));
	return buf;
}

static bool same_step(const struct static_want *a, const struct static_want *b)
{
	return a->state == b->state && a->ways == b->ways &&
	       a->dst.family == b->dst.family;
}

/* What is to be done with @first, and with those that are like it. */
static int set_some(struct up *u, struct statics *s, bool *done,
		    unsigned int first)
{
	const struct static_want *f = &s->want[first];
	bool is_new = f->state == STATIC_NEW, doit = false;
	unsigned int i, n = 0;
	struct rtnl_route r;
	struct undo *undo = NULL;
	int rc = 0;

	for (i = first; i < s->n; i++)
		n += same_step(f, &s->want[i]);
	if (f->state == STATIC_RIGHT)
		step_right(u, "%u %s %s%s", n,
			   versions[f->dst.family == AF_INET6],
			   n == 1 ? "prefix goes" : "prefixes go",
			   how_str(s, f));
	else
		doit = step_for(u, is_new ? "add" : "replace", &f->dst, n,
				how_str(s, f));
	if (doit)
		undo = begin_undo(u, n);
	for (i = first; i < s->n && !rc; i++) {
		if (!same_step(f, &s->want[i]))
			continue;
		done[i] = true;
		if (!doit)
			continue;
		rc = step_interrupted();
		if (rc)
			break;
		r = statics_route(s, &s->want[i]);
		rc = rtnl_route_add(&u->rt, &r, NLM_F_CREATE |
				    (is_new ? NLM_F_EXCL : NLM_F_REPLACE));
		free((void *)r.hops);
		if (rc) {
			step_failed(u, rc, "add a route to",
				    addr_prefix_str(&r.dst));
			break;
		}
		undo->routes[undo->n_routes++] = is_new ?
			(struct rtnl_route){ .table = r.table, .dst = r.dst,
					     .proto = r.proto } :
			copy_of(&s->have[s->want[i].have].r);
	}
	return rc;
}

static bool is_left(const struct static_have *h)
{
	return h->ours && !h->wanted;
}

static bool same_removal(const struct static_have *a,
			 const struct static_have *b)
{
	return is_left(b) && a->r.dst.family == b->r.dst.family &&
	       a->r.table == b->r.table && a->r.n_hops == b->r.n_hops &&
	       (a->r.n_hops ? a->r.hops[0].oif == b->r.hops[0].oif :
			      a->r.oif == b->r.oif);
}

static int remove_some(struct up *u, struct statics *s, unsigned int first)
{
	struct static_have *f = &s->have[first];
	struct rtnl_route r;
	unsigned int i, n = 0;
	struct undo *undo;
	char how[64];
	int rc = 0;

	for (i = first; i < s->n_have; i++)
		n += same_removal(f, &s->have[i]);
	snprintf(how, sizeof(how), " dev %s%s", dev_of(&f->r),
		 tunnel_in_table(&f->r));
	undo = step_for(u, "delete", &f->r.dst, n, how) ? begin_undo(u, n) :
							  NULL;
	/* The first is compared with to the last. */
	for (i = s->n_have; i-- > first && !rc;) {
		if (!same_removal(f, &s->have[i]))
			continue;
		s->have[i].wanted = true;
		if (!undo)
			continue;
		rc = step_interrupted();
		if (rc)
			break;
		r = s->have[i].r;
		/* Those of several ways go as a whole. */
		r.n_hops = 0;
		r.via = (struct addr){};
		rc = rtnl_route_del(&u->rt, &r);
		if (rc && rc != -ESRCH) {
			step_failed(u, rc, "remove the route to",
				    addr_prefix_str(&r.dst));
			break;
		}
		if (!rc)
			undo->routes[undo->n_routes++] =
				copy_of(&s->have[i].r);
		rc = 0;
	}
	return rc;
}

static void note_told(struct up *u, const struct addr *dst)
{
	if (!(u->n_told & (u->n_told - 1)))
		u->told = xrealloc(u->told, (u->n_told ? u->n_told * 2 : 1) *
				   sizeof(*u->told));
	u->told[u->n_told++] = *dst;
}

/* What the module is to know, or to know no more. */
static void note_all(struct up *u, const struct statics *s)
{
	unsigned int i;

	for (i = 0; i < s->n; i++)
		note_told(u, &s->want[i].dst);
	for (i = 0; i < s->n_have; i++)
		if (is_left(&s->have[i]))
			note_told(u, &s->have[i].r.dst);
	if (u->n_told)
		qsort(u->told, u->n_told, sizeof(*u->told), addr_cmp);
}

static void say_left_out(struct up *u, const struct statics *s)
{
	const struct static_way *w;
	unsigned int v;

	for (w = s->ways; w < s->ways + s->n_ways; w++)
		for (v = 0; v < 2; v++)
			if (w->left_out[v])
				step_remark(u, "%s has no %s: %u static %s left out",
					    w->dev, versions[v], w->left_out[v],
					    w->left_out[v] == 1 ? "prefix is" :
								  "prefixes are");
}

static int set_static(struct up *u, const struct config *c)
{
	struct statics s;
	bool *done;
	unsigned int i;
	int rc;

	if (!concerned(u, c))
		return 0;
	rc = look(u, c, &s);
	if (!rc) {
		say_left_out(u, &s);
		note_all(u, &s);
	}
	done = xalloc(s.n * sizeof(*done));
	for (i = 0; i < s.n && !rc; i++)
		if (!done[i])
			rc = set_some(u, &s, done, i);
	for (i = 0; i < s.n_have && !rc; i++)
		if (is_left(&s.have[i]))
			rc = remove_some(u, &s, i);
	free(done);
	statics_free(&s);
	return rc;
}

int static_make(struct up *u)
{
	return set_static(u, u->c);
}

int static_remove(struct up *u)
{
	return set_static(u, NULL);
}

static int tell(struct up *u, const struct config *c)
{
	struct fill_part parts[CONFIG_MAX_TABLES], *part = parts;
	struct cni_batch b = {};
	const char *why;
	struct agree a;
	unsigned int n;
	int rc;

	/* The part that the first table is in. */
	n = fill_parts(c->tables, c->n_tables, parts);
	while (part + 1 < parts + n && part->tables[0] != c->tables[0] &&
	       (part->n_tables < 2 || part->tables[1] != c->tables[0]))
		part++;
	rc = agree_ask(&u->rt, &u->cni, part->tables, part->n_tables, u->told,
		       u->n_told, &a, &why);
	if (rc || !a.differ ||
	    !step_do(u, "tell the module of %zu static %s", a.differ,
		     plural(a.differ)))
		return rc;
	rc = tell_routes(&u->rt, &u->cni, part, u->told, u->n_told, &b);
	if (!rc && b.refused)
		step_remark(u, "the module refuses %s", b.refusal);
	return rc;
}

int static_tell(struct up *u, const struct config *c, bool down)
{
	int rc;

	/* A cnictl sync tells it by itself. */
	if (u->dry || !u->have_cni || !u->n_told || lock_sync_runs())
		return 0;
	rc = tell(u, c);
	if (!rc || rc == -EINTR)
		return rc;
	if (down) {
		step_remark(u, "the module keeps static prefixes, which it leaves to the kernel: %s; cnictl sync --once takes them out",
			    nlc_strerror(&u->cni.nl, rc));
		return 0;
	}
	if (u->require) {
		err("the module doesn't take the static prefixes: %s",
		    nlc_strerror(&u->cni.nl, rc));
		return rc;
	}
	step_remark(u, "no fast path by static prefixes: %s; cnictl sync gives it all routes",
		    nlc_strerror(&u->cni.nl, rc));
	return 0;
}
