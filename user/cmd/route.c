// SPDX-License-Identifier: GPL-2.0
/*
 * Routes by hand. They go into the kernel's main table first and into the
 * module's then, so that both paths agree; when the module refuses them, they
 * leave the kernel's table again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/rtnetlink.h>

#include "base/out.h"
#include "base/signals.h"
#include "base/usage.h"
#include "cmd/verbs.h"
#include "kernel/routetext.h"
#include "kernel/rtnl.h"
#include "module/format.h"
#include "module/genl.h"
#include "module/names.h"
#include "module/show.h"
#include "routes/tell.h"

/* One prefix to change. */
struct item {
	struct rtnl_route r;
	unsigned int line;
	struct nlmsghdr *old;	/* what the kernel had there, or NULL */
	bool done;
};

struct job {
	struct nlconn rt;
	struct cni cni;
	bool offload;
	struct item *items;
	size_t n;
};

static int by_prefix(const void *pa, const void *pb)
{
	return addr_cmp(&((const struct item *)pa)->r.dst,
			&((const struct item *)pb)->r.dst);
}

static struct item *find(struct job *j, const struct addr *dst)
{
	struct item key = { .r.dst = *dst };

	return bsearch(&key, j->items, j->n, sizeof(*j->items), by_prefix);
}

static struct item *new_item(struct job *j)
{
	/* Room for as many again, each time it's full. */
	if (!(j->n & (j->n - 1)))
		j->items = xrealloc(j->items, (j->n ? j->n * 2 : 1) *
				    sizeof(*j->items));
	memset(&j->items[j->n], 0, sizeof(*j->items));
	return &j->items[j->n++];
}

static int keep_old(const struct kroute *r, const struct nlmsghdr *raw,
		    void *arg)
{
	struct job *j = arg;
	struct item *i;

	if (!r || !kroute_is_plain_metric(r))
		return 0;
	i = find(j, &r->dst);
	if (!i || i->old)
		return 0;
	i->old = xalloc(raw->nlmsg_len);
	memcpy(i->old, raw, raw->nlmsg_len);
	return 0;
}

static int walk_main(struct job *j, int (*fn)(const struct kroute *,
					      const struct nlmsghdr *,
					      void *))
{
	int rc = rtnl_routes(&j->rt, AF_INET, RT_TABLE_MAIN, fn, j);

	return rc ? rc : rtnl_routes(&j->rt, AF_INET6, RT_TABLE_MAIN, fn, j);
}

static void roll_back(struct job *j)
{
	struct item *i;
	size_t n;

	for (n = j->n; n--;) {
		i = &j->items[n];
		if (!i->done)
			continue;
		if (i->old)
			rtnl_route_restore(&j->rt, i->old);
		else
			rtnl_route_del(&j->rt, &i->r);
	}
}

/* Tells the module what the kernel has for the job's prefixes now. */
static int tell_module(struct job *j, struct cni_batch *b)
{
	static const struct fill_part part = {
		.id = RT_TABLE_MAIN, .tables = { RT_TABLE_MAIN }, .n_tables = 1,
	};
	struct addr *list = xalloc(j->n * sizeof(*list));
	size_t n;
	int rc;

	for (n = 0; n < j->n; n++)
		list[n] = j->items[n].r.dst;
	rc = tell_routes(&j->rt, &j->cni, &part, list, j->n, b);
	free(list);
	if (rc == -ENODATA)
		hint("to fill it anew: cnictl sync --once");
	return rc;
}

static int begin(struct job *j, bool offload)
{
	int rc;

	j->offload = offload;
	rc = rtnl_open(&j->rt);
	if (rc || !offload)
		return rc;
	rc = cni_open(&j->cni);
	if (rc == -ENOENT) {
		cni_say_missing();
		hint("to change the kernel's table only: --no-offload");
	}
	return rc;
}

static void end(struct job *j)
{
	size_t n;

	for (n = 0; n < j->n; n++) {
		free(j->items[n].old);
		free((void *)j->items[n].r.hops);
	}
	free(j->items);
	cni_close(&j->cni);
	nlc_close(&j->rt);
}

static void tell_done(struct job *j, const struct cni_batch *b,
		      const char *what)
{
	json_t *o;

	if (out_json) {
		o = json_object();
		json_object_set_new(o, "ok", json_true());
		json_object_set_new(o, what, json_integer(j->n));
		if (j->offload) {
			json_object_set_new(o, "forward",
					    json_integer(b->sent_set));
			json_object_set_new(o, "punt",
					    json_integer(b->sent_punt));
		}
		out_print(o);
		return;
	}
	if (j->n > 1)
		printf("%zu routes %s\n", j->n, what);
	if (j->offload && b->sent_punt) {
		err("%zu of them are punted to the kernel's slow path",
		    b->sent_punt);
		hint("is the device a link, tunnel or port of the module? cnictl show; and see \"ip route show PREFIX\" for a better or equal route");
	}
}

/* Changes the kernel by @change for each item, then the module. */
static int apply(struct job *j, int (*change)(struct job *j, struct item *i),
		 const char *what)
{
	struct cni_batch b = {};
	struct item *i;
	size_t n;
	int rc;

	qsort(j->items, j->n, sizeof(*j->items), by_prefix);
	rc = walk_main(j, keep_old);
	if (rc) {
		err("can't read the kernel's routes: %s",
		    nlc_strerror(&j->rt, rc));
		return RC_FAILED;
	}
	for (n = 0; n < j->n && !rc; n++) {
		i = &j->items[n];
		rc = signals_caught ? -EINTR : change(j, i);
		if (!rc)
			i->done = true;
	}
	if (!rc && j->offload) {
		rc = tell_module(j, &b);
		if (!rc && b.refused) {
			err("the module refuses %s", b.refusal);
			rc = -EINVAL;
		} else if (rc) {
			err("the module refuses the routes: %s",
			    nlc_strerror(&j->cni.nl, rc));
		}
	}
	if (!rc) {
		tell_done(j, &b, what);
		return RC_OK;
	}
	roll_back(j);
	if (j->offload)
		tell_module(j, &b);
	if (j->n > 1)
		hint("nothing was changed");
	return RC_FAILED;
}

static int kernel_refuses(struct job *j, const struct item *i, int rc,
			  const char *what)
{
	err("the kernel refuses to %s %s: %s", what,
	    addr_prefix_str(&i->r.dst), nlc_strerror(&j->rt, rc));
	if (rc == -EPERM)
		hint("that takes root (CAP_NET_ADMIN)");
	return rc;
}

static int add_one(struct job *j, struct item *i)
{
	int rc = rtnl_route_add(&j->rt, &i->r, NLM_F_CREATE | NLM_F_EXCL);

	if (rc)
		kernel_refuses(j, i, rc, "add");
	if (rc == -EEXIST)
		hint("there is such a route: \"cnictl route replace\" puts this one in its place");
	return rc;
}

static int replace_one(struct job *j, struct item *i)
{
	int rc = rtnl_route_add(&j->rt, &i->r, NLM_F_CREATE | NLM_F_REPLACE);

	return rc ? kernel_refuses(j, i, rc, "replace") : 0;
}

static int del_one(struct job *j, struct item *i)
{
	int rc = rtnl_route_del(&j->rt, &i->r);

	if (rc == -ESRCH) {
		err("there is no route %s that was added by hand (protocol %d)",
		    addr_prefix_str(&i->r.dst), PROTO_ROUTE);
		hint("other routes are removed with \"ip route delete\", or by the program that made them");
		return rc;
	}
	return rc ? kernel_refuses(j, i, rc, "delete") : 0;
}

static int change(int argc, char **argv, bool offload,
		  int (*fn)(struct job *j, struct item *i), const char *what)
{
	struct job j = {};
	char why[256];
	int rc;

	if (argc < 3)
		return usage("route", "%s needs a prefix and a device",
			     argv[1]);
	rc = routetext_parse(argv + 2, argc - 2, &new_item(&j)->r, why,
			 sizeof(why));
	if (rc) {
		err("%s", why);
		end(&j);
		return rc == -ENODEV ? RC_FAILED : RC_USAGE;
	}
	rc = begin(&j, offload) ? RC_FAILED : apply(&j, fn, what);
	end(&j);
	return rc;
}

static int del(int argc, char **argv, bool offload)
{
	struct job j = {};
	struct item *i = new_item(&j);
	struct addr net;
	enum addr_error e;
	int rc;

	/* Like add's, for convenience; but the prefix is enough. */
	if (argc < 3) {
		end(&j);
		return usage("route", "del needs a prefix");
	}
	i->r.proto = PROTO_ROUTE;
	e = addr_parse_route(argv[2], AF_INET, &i->r.dst);
	net = addr_network(&i->r.dst);
	if (e || !addr_same(&net, &i->r.dst)) {
		err("'%s' %s", argv[2], e ? addr_strerror(e) :
		    "has bits set beyond its length");
		end(&j);
		return RC_USAGE;
	}
	if (argc > 3) {
		char why[256];

		rc = routetext_parse(argv + 2, argc - 2, &i->r, why, sizeof(why));
		if (rc) {
			err("%s", why);
			end(&j);
			return rc == -ENODEV ? RC_FAILED : RC_USAGE;
		}
	}
	rc = begin(&j, offload) ? RC_FAILED : apply(&j, del_one, "deleted");
	end(&j);
	return rc;
}

static struct rtnl_route *next_route(unsigned int line, void *arg)
{
	struct item *i = new_item(arg);

	i->line = line;
	return &i->r;
}

static int no_duplicates(struct job *j, const char *name)
{
	struct item *a, *b;
	size_t n;

	qsort(j->items, j->n, sizeof(*j->items), by_prefix);
	for (n = 1; n < j->n; n++) {
		a = &j->items[n - 1];
		b = &j->items[n];
		if (by_prefix(a, b))
			continue;
		out_say("%s:%u: %s is in line %u too", name,
			a->line > b->line ? a->line : b->line,
			addr_prefix_str(&a->r.dst),
			a->line > b->line ? b->line : a->line);
		return -EINVAL;
	}
	return 0;
}

static int load(int argc, char **argv, bool offload)
{
	const char *name;
	struct job j = {};
	FILE *f = stdin;
	int rc;

	if (argc != 3)
		return usage("route", "load needs one file");
	name = argv[2];
	if (!strcmp(name, "-")) {
		name = "standard input";
	} else {
		f = fopen(name, "re");
		if (!f) {
			err("can't read %s: %s", name, strerror(errno));
			return RC_FAILED;
		}
	}
	rc = routetext_read(f, name, next_route, &j);
	if (f != stdin)
		fclose(f);
	if (!rc)
		rc = no_duplicates(&j, name);
	if (rc)
		rc = RC_USAGE;
	else
		rc = begin(&j, offload) ? RC_FAILED :
			apply(&j, replace_one, "loaded");
	end(&j);
	return rc;
}

static int collect_ours(const struct kroute *r, const struct nlmsghdr *raw,
			void *arg)
{
	struct item key = {};
	struct job *j = arg;
	struct item *i;

	(void)raw;
	if (!r || r->proto != PROTO_ROUTE)
		return 0;
	/* Those of one prefix come one after the other. */
	key.r.dst = r->dst;
	if (j->n && !by_prefix(&j->items[j->n - 1], &key))
		return 0;
	i = new_item(j);
	i->r.dst = r->dst;
	i->r.proto = PROTO_ROUTE;
	return 0;
}

static int flush_one(struct job *j, struct item *i)
{
	int rc;

	while (!(rc = rtnl_route_del(&j->rt, &i->r)))
		;
	return rc == -ESRCH ? 0 : kernel_refuses(j, i, rc, "delete");
}

static int flush(int argc, char **argv, bool offload)
{
	struct job j = {};
	int rc;

	(void)argv;
	if (argc > 2)
		return usage("route", "flush needs nothing more");
	if (begin(&j, offload)) {
		end(&j);
		return RC_FAILED;
	}
	rc = walk_main(&j, collect_ours);
	if (rc) {
		err("can't read the kernel's routes: %s",
		    nlc_strerror(&j.rt, rc));
		rc = RC_FAILED;
	} else if (j.n) {
		rc = apply(&j, flush_one, "deleted");
	} else {
		tell_done(&j, &(struct cni_batch){}, "deleted");
	}
	end(&j);
	return rc;
}

static json_t *kernel_json(const struct kroute *k)
{
	json_t *o = json_object();

	json_object_set_new(o, "dst", json_string(addr_prefix_str(&k->dst)));
	json_object_set_new(o, "table", json_integer(k->table));
	json_object_set_new(o, "protocol", json_integer(k->proto));
	json_object_set_new(o, "nexthops", format_hops_json(k->hops, k->n_hops));
	return o;
}

static json_t *lookup_json(const struct cni_lookup *l)
{
	json_t *o = json_object();
	struct addr net = l->dst;

	if (l->prefix_len >= 0) {
		net.len = l->prefix_len;
		net = addr_network(&net);
		json_object_set_new(o, "prefix",
				    json_string(addr_prefix_str(&net)));
	}
	if (l->table)
		json_object_set_new(o, "table", json_integer(l->table));
	json_object_set_new(o, "reason", json_string(names_reason(l->reason)));
	json_object_set_new(o, "fast", json_boolean(!l->reason));
	json_object_set_new(o, "blockers", names_blockers_json(l->blockers));
	/* The one as it has always been, besides the list. */
	if (l->n_hops == 1) {
		json_object_set_new(o, "dev", json_string(
			rtnl_name(l->hops[0].oif)));
		if (l->hops[0].via.family)
			json_object_set_new(o, "via", json_string(
				addr_str(&l->hops[0].via)));
	}
	if (l->n_hops)
		json_object_set_new(o, "nexthops",
				    format_hops_json(l->hops, l->n_hops));
	if (l->lower)
		json_object_set_new(o, "lower",
				    json_string(rtnl_name(l->lower)));
	if (l->lladdr.known)
		json_object_set_new(o, "lladdr",
				    json_string(format_mac(&l->lladdr)));
	if (l->mtu)
		json_object_set_new(o, "mtu", json_integer(l->mtu));
	return o;
}

static void print_lookup(const struct cni_lookup *l)
{
	struct addr net = l->dst;
	uint64_t bit;

	if (l->reason)
		printf("%s is punted to the kernel: %s: %s\n",
		       addr_str(&l->dst), names_reason(l->reason),
		       names_reason_advice(l->reason, l->n_hops == 1 ?
					   rtnl_name(l->hops[0].oif) : NULL));
	else
		printf("%s takes the fast path\n", addr_str(&l->dst));
	if (l->prefix_len >= 0) {
		net.len = l->prefix_len;
		net = addr_network(&net);
		printf("        module: %s", addr_prefix_str(&net));
		format_hops(l->hops, l->n_hops);
		if (l->table != RT_TABLE_MAIN)
			printf(" table %u", l->table);
		if (l->lower)
			printf(", out of %s", rtnl_name(l->lower));
		if (l->lladdr.known)
			printf(" to %s", format_mac(&l->lladdr));
		if (l->mtu)
			printf(", packets up to %u bytes", l->mtu);
		printf("\n");
	}
	for (bit = 1; bit; bit <<= 1)
		if (l->blockers & bit)
			printf("        ! %s\n",
			       names_blocker_advice(bit, l->n_hops == 1 ?
						    rtnl_name(l->hops[0].oif) :
						    "the device"));
}

/* Would the kernel send it where the module does? */
static bool agree_on(const struct cni_lookup *l, const struct kroute *k)
{
	unsigned int i, n;

	for (i = 0; i < k->n_hops; i++) {
		for (n = 0; n < l->n_hops; n++)
			if (l->hops[n].oif == k->hops[i].oif &&
			    addr_same(&l->hops[n].via, &k->hops[i].via))
				break;
		if (n == l->n_hops)
			return false;
	}
	return k->n_hops;
}

static void print_kernel(const struct kroute *k)
{
	printf("        kernel: %s", addr_prefix_str(&k->dst));
	format_hops(k->hops, k->n_hops);
	printf(" table %u\n", k->table);
}

/* A source that isn't this host's own comes in by a port. */
static int ask_kernel(struct job *j, const struct addr *dst,
		      const struct addr *src, struct kroute *k)
{
	struct cni_port *ports;
	uint32_t iif = 0;
	unsigned int n;
	int rc;

	if (src->family) {
		rc = cni_ports(&j->cni, &ports, &n);
		if (rc)
			return rc;
		if (n)
			iif = ports[0].ifindex;
		free(ports);
		if (!iif)
			return -ENODEV;
	}
	return rtnl_route_get_from(&j->rt, dst, src, iif, k);
}

static int get(int argc, char **argv)
{
	struct job j = {};
	struct cni_lookup l;
	struct kroute k;
	enum addr_error e;
	struct addr a, src = {};
	json_t *root;
	int rc, krc;

	if (argc != 3 && (argc != 5 || strcmp(argv[3], "from")))
		return usage("route", "get needs one address, and may have \"from\" and another");
	e = addr_parse(argv[2], &a);
	if (e) {
		err("'%s' %s", argv[2], addr_strerror(e));
		return RC_USAGE;
	}
	e = argc == 5 ? addr_parse(argv[4], &src) : 0;
	if (e || (src.family && src.family != a.family)) {
		err("'%s' %s", argv[4], e ? addr_strerror(e) :
		    "is of another IP version");
		return RC_USAGE;
	}
	rc = rtnl_open(&j.rt);
	if (!rc)
		rc = cni_open(&j.cni);
	if (rc == -ENOENT)
		cni_say_missing();
	if (rc) {
		end(&j);
		return RC_FAILED;
	}
	rc = cni_lookup(&j.cni, &a, &src, &l);
	if (rc) {
		err("the module can't tell: %s", nlc_strerror(&j.cni.nl, rc));
		end(&j);
		return RC_FAILED;
	}
	/* The answer names the prefix. */
	l.dst = a;
	krc = ask_kernel(&j, &a, &src, &k);
	if (out_json) {
		root = lookup_json(&l);
		json_object_set_new(root, "dst", json_string(addr_str(&a)));
		json_object_set_new(root, "kernel", krc ? json_null() :
				    kernel_json(&k));
		if (!l.reason)
			json_object_set_new(root, "agrees", json_boolean(!krc &&
					    agree_on(&l, &k)));
		out_print(root);
	} else {
		print_lookup(&l);
		if (krc)
			printf("        kernel: %s\n",
			       nlc_strerror(&j.rt, krc));
		else
			print_kernel(&k);
		if (!l.reason && (krc || !agree_on(&l, &k)))
			printf("        ! the kernel would send it another way: does cnictl sync run? cnictl check tells more\n");
	}
	end(&j);
	return RC_OK;
}

static int show(int argc)
{
	struct cni c;
	int rc;

	if (argc > 2)
		return usage("route", "show needs nothing more");
	rc = cni_open(&c);
	if (rc == -ENOENT)
		cni_say_missing();
	if (rc)
		return RC_FAILED;
	rc = show_routes(&c, SHOW_DETAILED);
	cni_close(&c);
	return rc;
}

int verb_route(int argc, char **argv)
{
	bool offload = true;
	const char *what;
	int i, n = 1;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--no-offload"))
			offload = false;
		else
			argv[n++] = argv[i];
	}
	argc = n;
	signals_catch();
	what = argc > 1 ? argv[1] : "show";
	if (!strcmp(what, "add"))
		return change(argc, argv, offload, add_one, "added");
	if (!strcmp(what, "replace"))
		return change(argc, argv, offload, replace_one, "replaced");
	if (!strcmp(what, "del"))
		return del(argc, argv, offload);
	if (!strcmp(what, "load"))
		return load(argc, argv, offload);
	if (!strcmp(what, "flush"))
		return flush(argc, argv, offload);
	if (!strcmp(what, "get"))
		return get(argc, argv);
	if (!strcmp(what, "show"))
		return show(argc);
	return usage("route", "there is no '%s'", what);
}
