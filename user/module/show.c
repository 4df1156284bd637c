// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/rtnetlink.h>

#include "base/out.h"
#include "base/signals.h"
#include "kernel/rtnl.h"
#include "module/format.h"
#include "module/names.h"
#include "module/sample.h"
#include "module/show.h"

static uint64_t all(const uint64_t *counts)
{
	uint64_t n = 0;
	unsigned int i;

	for (i = 0; i < CNI_REASONS; i++)
		n += counts[i];
	return n;
}

/* One line each, for the eye. */
static void print_brief(const char *kind, uint32_t ifindex, uint64_t blockers,
			const struct cni_stats *s, const char *more)
{
	printf("%-7s %-15s %-13s in %s, out %s, kernel %s, dropped %s%s%s%s\n",
	       kind, rtnl_name(ifindex),
	       blockers ? "NOT offloaded" : "offloaded",
	       out_count(s->rx_packets), out_count(s->tx_packets),
	       out_count(all(s->punt)), out_count(all(s->drop)), more,
	       blockers ? "; " : "", blockers ? names_blockers(blockers) : "");
}

static void link_brief(const struct cni_link *l)
{
	print_brief("link", l->ifindex, l->blockers, &l->stats, "");
}

static void tunnel_brief(const struct cni_tunnel *t)
{
	char stages[80] = "";

	/* Behind a firewall these are all that the module takes. */
	if (t->input.rx_packets || t->output.tx_packets)
		snprintf(stages, sizeof(stages), ", for the stack %s in, %s out",
			 out_count(t->input.rx_packets),
			 out_count(t->output.tx_packets));
	print_brief("tunnel", t->ifindex, t->blockers, &t->stats, stages);
}

static void port_brief(const struct cni_port *p)
{
	print_brief("port", p->ifindex, p->blockers, &p->stats, "");
}

static void status_brief(const struct cni_status *s)
{
	uint64_t blockers = s->blockers4 | s->blockers6;

	printf("%-7s %-15s %-13s routes: IPv4 %s (%s punted), IPv6 %s (%s)%s%s\n",
	       "module", s->version, blockers ? "NOT offloaded" : "offloaded",
	       out_count(s->routes4), out_count(s->punted4),
	       out_count(s->routes6), out_count(s->punted6),
	       blockers ? "; " : "", blockers ? names_blockers(blockers) : "");
}

/* Fields between tabs, for programs; what there isn't is "-". */
static void field(const char *s)
{
	printf("\t%s", *s ? s : "-");
}

static void field_int(uint64_t n)
{
	printf("\t%" PRIu64, n);
}

static void field_addr(const struct addr *a)
{
	field(a->family ? addr_str(a) : "");
}

static void field_dev(uint32_t ifindex)
{
	field(ifindex ? rtnl_name(ifindex) : "");
}

static void field_mac(const struct cni_mac *mac)
{
	field(mac->known ? format_mac(mac) : "");
}

static void fields_head(const char *kind, uint32_t ifindex, uint64_t blockers)
{
	printf("%s", kind);
	field(rtnl_name(ifindex));
	field_int(ifindex);
	field(names_blockers(blockers));
}

static void fields_stats(const struct cni_stats *s)
{
	field_int(s->rx_packets);
	field_int(s->rx_bytes);
	field_int(s->tx_packets);
	field_int(s->tx_bytes);
	field_int(all(s->punt));
	field_int(all(s->drop));
}

static void link_dump(const struct cni_link *l)
{
	fields_head("link", l->ifindex, l->blockers);
	field_addr(&l->local4);
	field_addr(&l->peer4);
	field_addr(&l->local6);
	field_addr(&l->peer6);
	field_dev(l->lower);
	field_int(l->vlan_id);
	field_int(l->mtu);
	field_mac(&l->lladdr4);
	field_mac(&l->lladdr6);
	fields_stats(&l->stats);
	putchar('\n');
}

static void tunnel_dump(const struct cni_tunnel *t)
{
	fields_head("tunnel", t->ifindex, t->blockers);
	field_dev(t->link);
	field_addr(&t->local);
	field_addr(&t->remote);
	field_int(t->ttl);
	field_int(t->mtu);
	field_int(t->outer_mtu);
	field_int(t->overhead);
	field_int(t->opts.mss4);
	field_int(t->opts.mss6);
	field_int(t->answered);
	field_int(t->limited);
	fields_stats(&t->stats);
	field_int(t->output.tx_packets);
	field_int(t->output.tx_bytes);
	field_int(t->input.rx_packets);
	field_int(t->input.rx_bytes);
	field(t->opts.flags & CNILINK_TUNNEL_FLAG_BYPASS_NETFILTER ?
	      "bypass-netfilter" : "");
	putchar('\n');
}

static void port_dump(const struct cni_port *p)
{
	fields_head("port", p->ifindex, p->blockers);
	field_int(p->mtu);
	field(p->opts.flags & CNILINK_PORT_FLAG_BYPASS_NETFILTER ?
	      "bypass-netfilter" : "");
	field(p->opts.flags & CNILINK_PORT_FLAG_STRICT_SOURCE ?
	      "strict-source" : "");
	field_int(p->opts.mss4);
	field_int(p->opts.mss6);
	fields_stats(&p->stats);
	putchar('\n');
}

static void status_dump(const struct cni_status *s)
{
	printf("module");
	field(s->version);
	field_int(s->generation);
	field_int(s->routes4);
	field_int(s->routes6);
	field_int(s->punted4);
	field_int(s->punted6);
	field_int(s->bytes);
	field(names_blockers(s->blockers4));
	field(names_blockers(s->blockers6));
	field(names_xdp(s->xdp));
	putchar('\n');
}

/* By the style that was asked for. */
#define SHOW_ONE(kind)							\
static void show_##kind(const struct cni_##kind *o, enum show_style style) \
{									\
	if (style == SHOW_BRIEF)					\
		kind##_brief(o);					\
	else if (style == SHOW_DUMP)				\
		kind##_dump(o);						\
	else								\
		format_##kind(o);					\
}

SHOW_ONE(link)
SHOW_ONE(tunnel)
SHOW_ONE(port)
SHOW_ONE(status)

static int failed(struct cni *c, int rc, const char *what)
{
	err("can't get the module's %s: %s", what, nlc_strerror(&c->nl, rc));
	return RC_FAILED;
}

static int none_such(const char *kind, uint32_t ifindex)
{
	err("%s is no %s of the module", rtnl_name(ifindex), kind);
	hint("cnictl %s add %s makes it one", kind, rtnl_name(ifindex));
	return RC_FAILED;
}

/* The three kinds differ in their types only. */
#define SHOW_KIND(kind, kinds, type, label)				\
static json_t *kinds##_json(struct type *list, unsigned int n)		\
{									\
	json_t *o = json_array();					\
	unsigned int i;							\
									\
	for (i = 0; i < n; i++)						\
		json_array_append_new(o, format_##kind##_json(&list[i]));	\
	return o;							\
}									\
									\
int show_##kinds(struct cni *c, uint32_t only, enum show_style style)	\
{									\
	struct type *list;						\
	unsigned int n, i, kept = 0;					\
	int rc = cni_##kinds(c, &list, &n);				\
									\
	if (rc)								\
		return failed(c, rc, label "s");			\
	for (i = 0; i < n; i++)						\
		if (!only || list[i].ifindex == only)			\
			list[kept++] = list[i];				\
	if (only && !kept)						\
		rc = none_such(label, only);				\
	else if (out_json)						\
		out_print(kinds##_json(list, kept));			\
	for (i = 0; !out_json && i < kept; i++)				\
		show_##kind(&list[i], style);				\
	free(list);							\
	return rc;							\
}

SHOW_KIND(link, links, cni_link, "link")
SHOW_KIND(tunnel, tunnels, cni_tunnel, "tunnel")
SHOW_KIND(port, ports, cni_port, "port")

static json_t *route_json(const struct cni_route *r)
{
	json_t *o = json_object();

	json_object_set_new(o, "dst",
			    json_string(addr_prefix_str(&r->dst)));
	json_object_set_new(o, "table", json_integer(r->table));
	json_object_set_new(o, "action",
			    json_string(r->punt ? "punt" : "forward"));
	/* The one as it has always been, besides the list. */
	if (r->n_hops == 1) {
		json_object_set_new(o, "dev",
				    json_string(rtnl_name(r->hops[0].oif)));
		if (r->hops[0].via.family)
			json_object_set_new(o, "via",
					    json_string(addr_str(&r->hops[0].via)));
	}
	if (r->n_hops)
		json_object_set_new(o, "nexthops",
				    format_hops_json(r->hops, r->n_hops));
	if (!r->punt)
		json_object_set_new(o, "blockers",
				    names_blockers_json(r->blockers));
	return o;
}

/* What a dump that starts over must be able to take back. */
struct route_list {
	struct cni_route *v;
	size_t n, size;
};

static int add_route(const struct cni_route *r, void *arg)
{
	struct route_list *l = arg;
	struct khop *hops;

	if (l->n == l->size) {
		l->size = l->size ? l->size * 2 : 1024;
		l->v = xrealloc(l->v, l->size * sizeof(*l->v));
	}
	hops = xalloc(r->n_hops * sizeof(*hops) + 1);
	memcpy(hops, r->hops, r->n_hops * sizeof(*hops));
	l->v[l->n] = *r;
	l->v[l->n++].hops = hops;
	return signals_caught ? -EINTR : 0;
}

static void drop_routes(void *arg)
{
	struct route_list *l = arg;

	while (l->n)
		free((void *)l->v[--l->n].hops);
}

static void print_route(const struct cni_route *r)
{
	printf("%s", addr_prefix_str(&r->dst));
	if (r->table != RT_TABLE_MAIN)
		printf(" table %u", r->table);
	if (r->punt) {
		printf(" punted\n");
		return;
	}
	format_hops(r->hops, r->n_hops);
	if (r->blockers)
		printf(" NOT offloaded: %s", names_blockers(r->blockers));
	printf("\n");
}

static void route_dump(const struct cni_route *r)
{
	unsigned int i;

	printf("route\t%u\t%s\t%s\t", r->table, addr_prefix_str(&r->dst),
	       r->punt ? "punt" : "forward");
	for (i = 0; i < r->n_hops; i++)
		printf("%s%s,%s,%u", i ? ";" : "", rtnl_name(r->hops[i].oif),
		       r->hops[i].via.family ? addr_str(&r->hops[i].via) : "-",
		       r->hops[i].weight);
	if (!r->n_hops)
		putchar('-');
	field(names_blockers(r->blockers));
	putchar('\n');
}

int show_routes(struct cni *c, enum show_style style)
{
	struct route_list l = {};
	json_t *root;
	size_t i;
	int rc;

	rc = cni_routes(c, add_route, drop_routes, &l);
	if (rc) {
		drop_routes(&l);
		free(l.v);
		return failed(c, rc, "routes");
	}
	if (out_json) {
		root = json_array();
		for (i = 0; i < l.n; i++)
			json_array_append_new(root, route_json(&l.v[i]));
		out_print(root);
	} else {
		for (i = 0; i < l.n; i++)
			(style == SHOW_DUMP ? route_dump : print_route)(&l.v[i]);
	}
	drop_routes(&l);
	free(l.v);
	return RC_OK;
}

int show_module(struct cni *c, enum show_style style)
{
	struct cni_status s;
	int rc = cni_status(c, &s);

	if (rc)
		return failed(c, rc, "status");
	if (out_json)
		out_print(format_status_json(&s));
	else
		show_status(&s, style);
	return RC_OK;
}

static json_t *sample_json(struct sample *s)
{
	json_t *root = json_object();

	json_object_set_new(root, "status", format_status_json(&s->status));
	json_object_set_new(root, "links", links_json(s->links, s->n_links));
	json_object_set_new(root, "tunnels",
			    tunnels_json(s->tunnels, s->n_tunnels));
	json_object_set_new(root, "ports", ports_json(s->ports, s->n_ports));
	return root;
}

int show_all(struct cni *c, enum show_style style)
{
	struct sample s = {};
	unsigned int i;
	int rc;

	rc = sample_take(c, &s);
	if (rc) {
		rc = failed(c, rc, "state");
	} else if (out_json) {
		out_print(sample_json(&s));
	} else {
		show_status(&s.status, style);
		for (i = 0; i < s.n_links; i++)
			show_link(&s.links[i], style);
		for (i = 0; i < s.n_tunnels; i++)
			show_tunnel(&s.tunnels[i], style);
		for (i = 0; i < s.n_ports; i++)
			show_port(&s.ports[i], style);
	}
	sample_free(&s);
	return rc;
}
