// SPDX-License-Identifier: GPL-2.0
/* save: from what is up to a configuration that up finds nothing to do with. */
#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/if_ether.h>
#include <linux/ip6_tunnel.h>
#include <linux/rtnetlink.h>

#include "base/out.h"
#include "base/usage.h"
#include "cmd/verbs.h"
#include "config/config.h"
#include "config/record.h"
#include "kernel/rtnl.h"
#include "module/genl.h"

struct save {
	struct nlconn rt;
	struct cni cni;
	bool have_cni;
	struct netdev *devs;
	unsigned int n_devs;
	const struct netdev *dev;	/* the link's */
	struct cni_link link;		/* ifindex 0: the module hasn't got it */
	struct config *record;		/* what made it; NULL when unknown */
	struct config c;
	bool whole;			/* all can be said in a configuration */
};

static const struct netdev *dev_of(const struct save *s, uint32_t ifindex)
{
	unsigned int i;

	for (i = 0; i < s->n_devs; i++)
		if (s->devs[i].ifindex == ifindex)
			return &s->devs[i];
	return NULL;
}

static const struct netdev *dev_named(const struct save *s, const char *name)
{
	unsigned int i;

	for (i = 0; i < s->n_devs; i++)
		if (!strcmp(s->devs[i].name, name))
			return &s->devs[i];
	return NULL;
}

static void __attribute__((format(printf, 3, 4)))
unsaid(struct save *s, const char *dev, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err("%s: %s can't be said in a configuration", dev, text);
	s->whole = false;
}

static int failed(struct save *s, int rc, const char *what)
{
	err("can't look at %s: %s", what, nlc_strerror(&s->rt, rc));
	return rc;
}

static int list_links(struct save *s, struct cni_link **list, unsigned int *n)
{
	int rc;

	*list = NULL;
	*n = 0;
	rc = s->have_cni ? cni_links(&s->cni, list, n) : 0;
	if (rc)
		err("can't ask the module for its links: %s",
		    nlc_strerror(&s->cni.nl, rc));
	return rc;
}

/* @name: a device, or a link's title; NULL for the only link there is. */
static int find_link(struct save *s, const char *name)
{
	struct cni_link *links;
	unsigned int n, i;
	int rc;

	if (name)
		s->record = record_find(s->rt.fd, name, true);
	if (s->record)
		name = s->record->link.ifname;
	rc = list_links(s, &links, &n);
	if (rc)
		return rc;
	if (!name && n == 1)
		s->dev = dev_of(s, links[0].ifindex);
	else if (!name && !n)
		s->record = record_find(s->rt.fd, NULL, false);
	if (name)
		s->dev = dev_named(s, name);
	else if (s->record)
		s->dev = dev_named(s, s->record->link.ifname);
	for (i = 0; s->dev && i < n; i++)
		if (links[i].ifindex == s->dev->ifindex)
			s->link = links[i];
	if (!s->dev && name) {
		err("there is no device or link %s", name);
	} else if (!s->dev) {
		err(n ? "there are several links" : "nothing is known to be up");
		for (i = 0; i < n; i++)
			hint("cnictl save %s", rtnl_name(links[i].ifindex));
		if (!n)
			hint("cnictl save DEVICE: the link's, such as eth0.1234");
	}
	free(links);
	if (!s->dev)
		return -ENODEV;
	if (!s->record)
		s->record = record_find(s->rt.fd, s->dev->name, false);
	return 0;
}

/*
 * The device's first address of a family that isn't link-local. @pair: one that
 * is an end of a pair. family 0 when there is none.
 */
static struct addr first_addr(const struct devaddr *list, unsigned int n,
			      int family, bool pair)
{
	struct addr other;
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (list[i].a.family != family ||
		    (family == AF_INET6 && list[i].a.b[0] == 0xfe &&
		     (list[i].a.b[1] & 0xc0) == 0x80))
			continue;
		other = addr_other(&list[i].a);
		if (!pair || !addr_pair_problem(&list[i].a, &other))
			return list[i].a;
	}
	return (struct addr){};
}

/* The module knows the addresses without their lengths. */
static void set_pair(const struct devaddr *list, unsigned int n, int family,
		     const struct addr *local, const struct addr *peer,
		     struct addr *to_local, struct addr *to_peer)
{
	unsigned int i;

	for (i = 0; i < n && local->family; i++)
		if (addr_same(&list[i].a, local))
			*to_local = list[i].a;
	if (to_local->family) {
		*to_peer = *peer;
	} else {
		*to_local = first_addr(list, n, family, true);
		if (to_local->family)
			*to_peer = addr_other(to_local);
	}
}

static int set_link(struct save *s)
{
	const struct netdev *parent = dev_of(s, s->dev->parent);
	struct config_link *l = &s->c.link;
	struct devaddr *list;
	unsigned int n;
	int rc;

	strcpy(l->title, "cloudflare");
	if (!strncmp(s->dev->alias, "cnictl ", 7))
		snprintf(l->title, sizeof(l->title), "%.63s",
			 s->dev->alias + 7);
	strcpy(l->ifname, s->dev->name);
	strcpy(l->device, s->dev->name);
	if (!strcmp(s->dev->kind, "vlan") && parent) {
		strcpy(l->device, parent->name);
		l->vlan = s->dev->vlan_id;
		if (s->dev->vlan_proto != ETH_P_8021Q)
			unsaid(s, l->ifname, "a VLAN tag of type 0x%04x",
			       s->dev->vlan_proto);
		if (s->dev->mtu != (parent->mtu < 1500 ? parent->mtu : 1500))
			l->mtu = s->dev->mtu;
	} else if (s->dev->mtu != 1500) {
		l->mtu = s->dev->mtu;
	}
	rc = rtnl_addrs(&s->rt, s->dev->ifindex, &list, &n);
	if (rc)
		return failed(s, rc, s->dev->name);
	set_pair(list, n, AF_INET, &s->link.local4, &s->link.peer4, &l->local4,
		 &l->peer4);
	set_pair(list, n, AF_INET6, &s->link.local6, &s->link.peer6,
		 &l->local6, &l->peer6);
	free(list);
	if (!l->local4.family && !l->local6.family) {
		err("%s has no address that is an end of a /31, /30, /127 or /126",
		    s->dev->name);
		return -EADDRNOTAVAIL;
	}
	if (!s->record)
		return 0;
	/* What nothing but the file tells. */
	strcpy(l->title, s->record->link.title);
	l->dataplane = s->record->link.dataplane;
	l->local_as = s->record->link.local_as;
	l->xdp_auto = s->record->link.xdp_auto;
	l->offload = s->record->link.offload;
	l->statics = s->record->link.statics;
	s->c.bgp = s->record->bgp;
	memcpy(s->c.tables, s->record->tables, sizeof(s->c.tables));
	s->c.n_tables = s->record->n_tables;
	return 0;
}

static void set_gre(struct save *s, const struct netdev *dev,
		    struct config_tunnel *t)
{
	const struct gre *g = &dev->gre;

	strcpy(t->ifname, dev->name);
	t->local = g->local;
	t->remote = g->remote;
	t->ttl = g->ttl;
	t->has_key = g->has_ikey;
	t->key = g->ikey;
	t->encap_limit = -1;
	if (g->v6) {
		t->tos = g->flags & IP6_TNL_F_USE_ORIG_TCLASS ? 1 :
			 g->flowinfo >> 20;
		if (!(g->flags & IP6_TNL_F_IGN_ENCAP_LIMIT))
			t->encap_limit = g->encap_limit;
		if (g->flags & ~(IP6_TNL_F_USE_ORIG_TCLASS |
				 IP6_TNL_F_IGN_ENCAP_LIMIT) ||
		    g->flowinfo & 0xfffff)
			unsaid(s, dev->name, "a flow label, or DSCP or mark");
	} else {
		t->tos = g->tos;
		if (!g->pmtudisc)
			unsaid(s, dev->name, "nopmtudisc");
	}
	if (g->has_ikey != g->has_okey || g->ikey != g->okey)
		unsaid(s, dev->name, "a key of one direction only");
	if (g->csum || g->seq)
		unsaid(s, dev->name, "checksums or sequence numbers");
	if (g->ignore_df || g->external || g->encap || g->fwmark)
		unsaid(s, dev->name, "ignore-df, external, encap or fwmark");
	if (!g->ttl)
		unsaid(s, dev->name, "ttl inherit");
	if (t->tos != 1 && t->tos & 3)
		unsaid(s, dev->name, "tos 0x%02x", t->tos);
}

/* Whether up would find the host route that it makes. */
static bool has_host_route(struct save *s, const struct config_tunnel *t)
{
	const struct config_link *l = &s->c.link;
	bool v6 = t->remote.family == AF_INET6;
	const struct addr *local = v6 ? &l->local6 : &l->local4;
	struct kroute k;

	if (!local->family || addr_covers(local, &t->remote))
		return true;
	return !rtnl_route_get_from(&s->rt, &t->remote, &t->local, 0, &k) &&
	       k.dst.len == addr_bits(&k.dst) && k.n_hops == 1 &&
	       k.hops[0].oif == s->dev->ifindex;
}

/* One of this title's file. */
static int add_tunnel(struct save *s, const struct netdev *dev,
		      const struct cni_tunnel *in_module)
{
	struct config *c = &s->c;
	struct config_tunnel *t = &c->tunnels[c->n_tunnels++];
	const struct config_tunnel *file;
	struct tunopts fit = {};
	struct devaddr *list;
	unsigned int n, room;
	int rc;

	set_gre(s, dev, t);
	t->overhead = config_overhead(t);
	room = (s->dev->mtu < 1500 ? s->dev->mtu : 1500) - t->overhead;
	t->mtu = dev->mtu;
	t->mtu_given = dev->mtu != room;
	rc = rtnl_addrs(&s->rt, dev->ifindex, &list, &n);
	if (rc)
		return failed(s, rc, dev->name);
	t->address4 = first_addr(list, n, AF_INET, false);
	t->address6 = first_addr(list, n, AF_INET6, false);
	free(list);
	t->host_route = has_host_route(s, t);
	file = config_tunnel_of(s->record, dev->name);
	if (file) {
		t->statics = file->statics;
		t->no_bgp = file->no_bgp;
		t->password = file->password;
		t->password_file = file->password_file;
	}
	/* Without the module, what it's to do is only in the file. */
	if (!s->have_cni && file) {
		t->opts = file->opts;
		t->mss_auto = file->mss_auto;
	}
	if (!in_module)
		return 0;
	t->opts = in_module->opts;
	tunopts_mss(&fit, dev->mtu);
	t->mss_auto = t->opts.mss4 && fit.mss4 == t->opts.mss4;
	return 0;
}

/*
 * Whether a tunnel is the link's. @in_module NULL: it isn't there, where up would
 * put it once the link is.
 */
static bool is_links(struct save *s, const struct netdev *dev,
		     const struct cni_tunnel *in_module)
{
	char mark[80];
	struct kroute k;

	if (in_module && in_module->link)
		return in_module->link == s->dev->ifindex;
	if (!in_module && s->link.ifindex)
		return false;
	snprintf(mark, sizeof(mark), "cnictl %s", s->c.link.title);
	if (!strcmp(dev->alias, mark) || config_tunnel_of(s->record, dev->name))
		return true;
	return !in_module &&
	       !rtnl_route_get_from(&s->rt, &dev->gre.remote,
				    &dev->gre.local, 0, &k) &&
	       k.n_hops == 1 && k.hops[0].oif == s->dev->ifindex;
}

static int set_tunnels(struct save *s)
{
	const struct netdev *dev;
	struct cni_tunnel *list = NULL;
	unsigned int n = 0, i, k;
	int rc = 0;

	if (s->have_cni)
		rc = cni_tunnels(&s->cni, &list, &n);
	if (rc) {
		err("can't ask the module for its tunnels: %s",
		    nlc_strerror(&s->cni.nl, rc));
		return rc;
	}
	s->c.tunnels = xalloc(s->n_devs * sizeof(*s->c.tunnels));
	for (i = 0; i < s->n_devs && !rc; i++) {
		dev = &s->devs[i];
		if ((strcmp(dev->kind, "gre") && strcmp(dev->kind, "ip6gre")) ||
		    !dev->gre.local.family || !dev->gre.remote.family)
			continue;
		for (k = 0; k < n && list[k].ifindex != dev->ifindex; k++)
			;
		if (is_links(s, dev, k < n ? &list[k] : NULL))
			rc = add_tunnel(s, dev, k < n ? &list[k] : NULL);
	}
	free(list);
	return rc;
}

static struct config_static *statics_of(struct save *s, uint32_t ifindex)
{
	const struct netdev *dev;
	unsigned int i;

	if (ifindex == s->dev->ifindex)
		return &s->c.link.statics;
	for (i = 0; i < s->c.n_tunnels; i++) {
		dev = dev_named(s, s->c.tunnels[i].ifname);
		if (dev && dev->ifindex == ifindex)
			return &s->c.tunnels[i].statics;
	}
	return NULL;
}

static int take_static(const struct kroute *r, const struct nlmsghdr *raw,
		       void *arg)
{
	struct config_static *to;
	struct save *s = arg;
	unsigned int i;

	(void)raw;
	for (i = 0; r && r->proto == PROTO_STATIC && i < r->n_hops; i++) {
		to = statics_of(s, r->hops[i].oif);
		if (to)
			config_add_prefix(addr_prefix_str(&r->dst), &to->given,
					  &to->n_given);
	}
	return 0;
}

/* Where no file tells them: each by itself. */
static int set_static(struct save *s)
{
	int rc;

	if (s->record)
		return 0;
	rc = rtnl_routes(&s->rt, AF_INET, RT_TABLE_MAIN, take_static, s);
	if (!rc)
		rc = rtnl_routes(&s->rt, AF_INET6, RT_TABLE_MAIN, take_static,
				 s);
	return rc ? failed(s, rc, "the routes") : 0;
}

static unsigned int least_mtu(const struct config *c)
{
	unsigned int i, least = 0;

	for (i = 0; i < c->n_tunnels; i++)
		if (!least || c->tunnels[i].mtu < least)
			least = c->tunnels[i].mtu;
	return least;
}

static int set_ports(struct save *s)
{
	const struct config_port *noted;
	struct tunopts fit = {};
	struct config_port *p;
	struct cni_port *list;
	struct record r;
	const char *dev;
	bool shared;
	unsigned int n, i;
	int rc;

	if (!s->have_cni) {
		n = s->record ? s->record->n_ports : 0;
		s->c.ports = xalloc(n * sizeof(*s->c.ports));
		if (n)
			memcpy(s->c.ports, s->record->ports,
			       n * sizeof(*s->c.ports));
		s->c.n_ports = n;
		return 0;
	}
	rc = cni_ports(&s->cni, &list, &n);
	if (rc) {
		err("can't ask the module for its ports: %s",
		    nlc_strerror(&s->cni.nl, rc));
		return rc;
	}
	tunopts_mss(&fit, least_mtu(&s->c));
	s->c.ports = xalloc(n * sizeof(*s->c.ports));
	record_of(&r, s->rt.fd, s->c.link.title);
	for (i = 0; i < n; i++) {
		dev = rtnl_name(list[i].ifindex);
		noted = config_port_of(s->record, dev);
		shared = s->record && record_user(&r, dev, RECORD_PORT);
		if (shared && !noted)
			continue;
		p = &s->c.ports[s->c.n_ports++];
		strcpy(p->ifname, dev);
		p->opts = list[i].opts;
		/* With mss = auto it fits into others' tunnels, too. */
		p->mss_auto = p->opts.mss4 && (shared ? noted->mss_auto :
					       fit.mss4 == p->opts.mss4);
	}
	free(list);
	return 0;
}

static int write_out(struct save *s, const char *out)
{
	struct config *read;
	char *text = NULL;
	size_t size;
	FILE *f;
	int rc;

	f = open_memstream(&text, &size);
	if (!f) {
		err("out of memory");
		return RC_FAILED;
	}
	s->whole &= config_write(f, &s->c, NULL);
	fclose(f);
	/* By hand a set-up can be made that up would refuse. */
	read = config_parse(out ? out : "(what is up)", text);
	s->whole &= read != NULL;
	config_free(read);
	if (out_json && !out) {
		out_print(json_pack("{s:b, s:s}", "ok", s->whole, "config",
				    text));
		rc = RC_OK;
	} else {
		rc = config_save(out, text);
	}
	if (!rc && out_json && out)
		out_print(json_pack("{s:b, s:s}", "ok", s->whole, "file", out));
	free(text);
	return rc ? rc : s->whole ? RC_OK : RC_FAILED;
}

static int save(struct save *s, const char *name, const char *out)
{
	int rc;

	rc = cni_open(&s->cni);
	s->have_cni = !rc;
	if (rc && rc != -ENOENT)
		return RC_FAILED;
	rc = rtnl_devs(&s->rt, &s->devs, &s->n_devs);
	if (rc)
		failed(s, rc, "the devices");
	if (!rc)
		rc = find_link(s, name);
	if (!rc)
		rc = set_link(s);
	if (!rc)
		rc = set_tunnels(s);
	if (!rc)
		rc = set_static(s);
	if (!rc)
		rc = set_ports(s);
	return rc ? RC_FAILED : write_out(s, out);
}

int verb_save(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "output", required_argument, NULL, 'o' },
		{}
	};
	struct save s = { .whole = true };
	const char *out = NULL;
	unsigned int i;
	int o, rc;

	while ((o = getopt_long(argc, argv, "o:", longs, NULL)) != -1) {
		if (o != 'o')
			return usage_option("save", argv);
		out = optarg;
	}
	if (optind + 1 < argc)
		return usage("save", "one link at a time");
	if (rtnl_open(&s.rt))
		return RC_FAILED;
	rc = save(&s, argv[optind], out);
	/* Else they are the record's. */
	for (i = 0; !s.record && i < s.c.n_tunnels; i++)
		free(s.c.tunnels[i].statics.given);
	if (!s.record)
		free(s.c.link.statics.given);
	free(s.c.tunnels);
	free(s.c.ports);
	free(s.devs);
	config_free(s.record);
	if (s.have_cni)
		cni_close(&s.cni);
	nlc_close(&s.rt);
	return rc;
}
