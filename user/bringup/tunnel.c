// SPDX-License-Identifier: GPL-2.0
/* A tunnel: the stock gre device, and the route to its other end. */
#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/if_link.h>
#include <linux/ip6_tunnel.h>
#include <linux/netlink.h>

#include "base/out.h"
#include "bringup/bringup.h"
#include "kernel/module.h"

const char *tunnel_kind(bool v6)
{
	return v6 ? "ip6gre" : "gre";
}

static void want_gre(const struct config_tunnel *t, struct gre *g)
{
	memset(g, 0, sizeof(*g));
	g->local = t->local;
	g->remote = t->remote;
	g->has_ikey = g->has_okey = t->has_key;
	g->ikey = g->okey = t->key;
	g->ttl = t->ttl;
	g->v6 = t->remote.family == AF_INET6;
	if (!g->v6) {
		g->tos = t->tos;
		g->pmtudisc = true;
		return;
	}
	if (t->tos == 1)
		g->flags |= IP6_TNL_F_USE_ORIG_TCLASS;
	else
		g->flowinfo = t->tos << 20;
	if (t->encap_limit < 0)
		g->flags |= IP6_TNL_F_IGN_ENCAP_LIMIT;
	else
		g->encap_limit = t->encap_limit;
}

static bool same_gre6(const struct gre *a, const struct gre *b)
{
	return a->flags == b->flags && a->flowinfo == b->flowinfo &&
	       (a->flags & IP6_TNL_F_IGN_ENCAP_LIMIT ||
		a->encap_limit == b->encap_limit);
}

static bool same_gre(const struct gre *a, const struct gre *b)
{
	return addr_same(&a->local, &b->local) &&
	       addr_same(&a->remote, &b->remote) &&
	       a->has_ikey == b->has_ikey && a->has_okey == b->has_okey &&
	       a->ikey == b->ikey && a->okey == b->okey &&
	       a->csum == b->csum && a->seq == b->seq && a->ttl == b->ttl &&
	       a->tos == b->tos && a->pmtudisc == b->pmtudisc &&
	       same_gre6(a, b);
}

static void gre6_str(const struct gre *g, char *buf, size_t size)
{
	size_t n = 0;

	if (g->flags & IP6_TNL_F_USE_ORIG_TCLASS)
		n += snprintf(buf + n, size - n, " tclass inherit");
	else if (g->flowinfo)
		n += snprintf(buf + n, size - n, " tclass 0x%02x",
			      g->flowinfo >> 20);
	if (g->flags & IP6_TNL_F_IGN_ENCAP_LIMIT)
		snprintf(buf + n, size - n, " encaplimit none");
	else
		snprintf(buf + n, size - n, " encaplimit %u", g->encap_limit);
}

/* As "ip link" would be told; a static buffer. */
static const char *gre_str(const struct gre *g)
{
	static char buf[200];
	size_t n;

	n = snprintf(buf, sizeof(buf), "%s local %s remote %s ttl %u",
		     tunnel_kind(g->v6), addr_str(&g->local),
		     addr_str(&g->remote), g->ttl);
	if (g->has_ikey)
		n += snprintf(buf + n, sizeof(buf) - n, " key %u", g->ikey);
	if (g->v6) {
		gre6_str(g, buf + n, sizeof(buf) - n);
		return buf;
	}
	if (g->tos == 1)
		n += snprintf(buf + n, sizeof(buf) - n, " tos inherit");
	else if (g->tos)
		n += snprintf(buf + n, sizeof(buf) - n, " tos 0x%02x", g->tos);
	snprintf(buf + n, sizeof(buf) - n, " pmtudisc");
	return buf;
}

uint32_t tunnel_mtu(struct up *u, const struct config_tunnel *t)
{
	uint32_t room = u->link.mtu - t->overhead;

	return t->mtu_given || t->mtu < room ? t->mtu : room;
}

uint32_t tunnel_mss_mtu(struct up *u, const struct config_tunnel *t)
{
	uint32_t mtu = tunnel_mtu(u, t);
	struct netdev dev;

	if (!u->dry && !dev_look(u, t->ifname, &dev) && dev.mtu < mtu)
		mtu = dev.mtu;
	return mtu;
}

bool tunnel_in_the_way(struct up *u, const struct netdev *dev)
{
	const struct config_tunnel *t;
	struct gre want;
	unsigned int i;

	for (i = 0; i < u->c->n_tunnels; i++) {
		t = &u->c->tunnels[i];
		want_gre(t, &want);
		if (!strcmp(t->ifname, dev->name)) {
			if (strcmp(dev->kind, tunnel_kind(want.v6)))
				return true;
		} else if (!strcmp(dev->kind, tunnel_kind(want.v6)) &&
			   addr_same(&dev->gre.local, &want.local) &&
			   addr_same(&dev->gre.remote, &want.remote) &&
			   dev->gre.has_ikey == want.has_ikey &&
			   dev->gre.ikey == want.ikey) {
			return true;
		}
	}
	return false;
}

static const char *gre_end(const struct addr *a)
{
	return a->family ? addr_str(a) : "any";
}

static bool fits(const struct addr *of, const struct addr *want)
{
	return !of->family || addr_same(of, want);
}

static bool same_tunnel(const struct gre *a, const struct gre *b)
{
	return addr_same(&a->local, &b->local) &&
	       addr_same(&a->remote, &b->remote) &&
	       a->has_ikey == b->has_ikey && a->has_okey == b->has_okey &&
	       a->ikey == b->ikey && a->okey == b->okey;
}

/* The kernel takes one tunnel between two ends. */
static bool refuse_same(struct up *u, const struct config_tunnel *t,
			const struct gre *want, const struct netdev *dev)
{
	const char *owner;
	struct netdev now;

	if (strcmp(dev->kind, tunnel_kind(want->v6)) ||
	    config_tunnel_of(u->c, dev->name) || !same_tunnel(&dev->gre, want) ||
	    dev_look(u, dev->name, &now))
		return false;
	owner = step_owner(u, dev->name);
	err("another tunnel, %s%s%s%s, has the same local and remote address and key as %s",
	    dev->name, owner ? " of the link '" : "", owner ? owner : "",
	    owner ? "'" : "", t->ifname);
	if (!owner)
		hint("if it's this very tunnel: call it '%s' in %s, or remove it (ip link delete %s)",
		     dev->name, u->c->file, dev->name);
	hint("each tunnel to %s needs a customer endpoint (local) of its own, which Cloudflare has to know",
	     addr_str(&want->remote));
	return true;
}

static int refuse_twin(struct up *u, const struct config_tunnel *t,
		const struct netdev *own)
{
	const struct netdev *dev;
	struct netdev *list;
	unsigned int n, i;
	struct gre want;
	int rc;

	rc = rtnl_devs(&u->rt, &list, &n);
	if (rc)
		return step_failed(u, rc, "list the devices beside", t->ifname);
	want_gre(t, &want);
	for (i = 0; i < n && !rc; i++) {
		dev = &list[i];
		if (!own && refuse_same(u, t, &want, dev)) {
			rc = -EEXIST;
			break;
		}
		/* Without such a binding it isn't preferred. */
		if (!u->link.ifindex ||
		    (own && own->parent == u->link.ifindex) ||
		    strcmp(dev->kind, tunnel_kind(want.v6)) ||
		    dev->parent != u->link.ifindex ||
		    config_tunnel_of(u->c, dev->name) ||
		    !fits(&dev->gre.local, &want.local) ||
		    !fits(&dev->gre.remote, &want.remote) ||
		    dev->gre.has_ikey != want.has_ikey ||
		    dev->gre.ikey != want.ikey)
			continue;
		err("another tunnel, %s, is bound to %s and would be given what arrives for %s",
		    dev->name, u->link.name, t->ifname);
		hint("remove it (ip link delete %s), or give it a key or other ends",
		     dev->name);
		rc = -EEXIST;
	}
	free(list);
	return rc;
}

/* In what a device differs from what the file makes of it. */
struct differences {
	char text[400];		/* "ttl = 9, csum"; or "" */
	char words[200];	/* the file's, with which it wouldn't */
	bool unsayable;		/* there aren't such words for all */
};

/* @fmt: as the file says it, or @no_words. */
static void __attribute__((format(printf, 3, 4)))
differ(struct differences *d, bool no_words, const char *fmt, ...)
{
	size_t n = strlen(d->text), m = strlen(d->words);
	char one[64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(one, sizeof(one), fmt, ap);
	va_end(ap);
	snprintf(d->text + n, sizeof(d->text) - n, "%s%s", n ? ", " : "", one);
	if (!no_words)
		snprintf(d->words + m, sizeof(d->words) - m, "%s%s",
			 m ? " " : "", one);
	d->unsayable |= no_words;
}

/* 1: inherit */
static unsigned int tos_of(const struct gre *g)
{
	if (!g->v6)
		return g->tos;
	return g->flags & IP6_TNL_F_USE_ORIG_TCLASS ? 1 :
	       g->flowinfo >> 20 & 0xff;
}

static void differ_ip(struct differences *d, const struct gre *is,
		      const struct gre *want)
{
	const uint32_t sayable = IP6_TNL_F_USE_ORIG_TCLASS |
				 IP6_TNL_F_IGN_ENCAP_LIMIT;
	unsigned int tos = tos_of(is);

	if (is->ttl != want->ttl && is->ttl)
		differ(d, false, "ttl = %u", is->ttl);
	else if (is->ttl != want->ttl)
		differ(d, true, "ttl inherit");
	if (tos != tos_of(want) && tos == 1)
		differ(d, false, "tos = inherit");
	else if (tos != tos_of(want))
		differ(d, tos & 3, "tos = %u", tos);
	if (is->pmtudisc != want->pmtudisc)
		differ(d, true, "nopmtudisc");
	if (!is->v6)
		return;
	if ((is->flags ^ want->flags) & IP6_TNL_F_IGN_ENCAP_LIMIT ||
	    (!(is->flags & IP6_TNL_F_IGN_ENCAP_LIMIT) &&
	     is->encap_limit != want->encap_limit)) {
		if (is->flags & IP6_TNL_F_IGN_ENCAP_LIMIT)
			differ(d, false, "encap-limit = none");
		else
			differ(d, false, "encap-limit = %u", is->encap_limit);
	}
	if (is->flowinfo & 0xfffff)
		differ(d, true, "flowlabel 0x%05x", is->flowinfo & 0xfffff);
	if (is->flags & ~sayable)
		differ(d, true, "dscp inherit, or other flags");
}

/* @own: made by somebody else, with the tunnel's name and ends. */
static void find_differences(struct up *u, const struct config_tunnel *t,
			     const struct netdev *own, struct differences *d)
{
	const struct gre *is = &own->gre;
	struct gre want;

	memset(d, 0, sizeof(*d));
	want_gre(t, &want);
	if (is->has_ikey != is->has_okey || is->ikey != is->okey)
		differ(d, true, "a key of one direction only");
	else if (is->has_ikey && (!want.has_ikey || is->ikey != want.ikey))
		differ(d, false, "key = %u", is->ikey);
	else if (!is->has_ikey && want.has_ikey)
		differ(d, true, "no key");
	differ_ip(d, is, &want);
	if (is->csum)
		differ(d, true, "csum");
	if (is->seq)
		differ(d, true, "seq");
	if (is->ignore_df)
		differ(d, true, "ignore-df");
	if (is->external)
		differ(d, true, "external");
	if (is->encap)
		differ(d, true, "encap");
	if (is->fwmark)
		differ(d, true, "fwmark 0x%x", is->fwmark);
	if (own->parent && own->parent != u->link.ifindex)
		differ(d, true, "dev %s", rtnl_name(own->parent));
	if (t->mtu_given && own->mtu != t->mtu)
		differ(d, false, "mtu = %u", own->mtu);
}

/*
 * Of this name, but not this tunnel: somebody uses it. What somebody else made
 * just so is taken as it is.
 */
static bool refuse_foreign(struct up *u, const struct config_tunnel *t,
			   const struct netdev *dev)
{
	const char *owner = step_owner(u, t->ifname);
	struct differences d;
	bool same_ends;

	if (!owner && dev_is_ours(u, dev))
		return false;
	same_ends = addr_same(&dev->gre.local, &t->local) &&
		    addr_same(&dev->gre.remote, &t->remote);
	if (owner || !same_ends) {
		if (owner)
			err("%s is a tunnel of the link '%s'", t->ifname,
			    owner);
		else
			err("there is a tunnel %s already, from %s to %s, which cnictl up didn't make",
			    t->ifname, gre_end(&dev->gre.local),
			    gre_end(&dev->gre.remote));
		hint("give the tunnel another name in %s, or remove that one (ip link delete %s)",
		     u->c->file, t->ifname);
		return true;
	}
	find_differences(u, t, dev, &d);
	if (!*d.text)
		return false;
	err("there is a tunnel %s already, which cnictl up didn't make, and which isn't as %s says: it has %s",
	    t->ifname, u->c->file, d.text);
	if (!d.unsayable)
		hint("to take it as it is, say so in the tunnel's section: %s",
		     d.words);
	hint("to have it as the file says, remove it: ip link delete %s",
	     t->ifname);
	return true;
}

int tunnel_look(struct up *u, const struct config_tunnel *t)
{
	const char *kind = tunnel_kind(t->remote.family == AF_INET6);
	struct netdev dev;
	int rc;

	rc = dev_look(u, t->ifname, &dev);
	if (rc && rc != -ENODEV)
		return step_failed(u, rc, "look at", t->ifname);
	if (!rc && strcmp(dev.kind, kind)) {
		err("there is a device %s already, which isn't of kind %s",
		    t->ifname, kind);
		hint("remove it, or give the tunnel another name in %s",
		     u->c->file);
		return -EEXIST;
	}
	if (!rc && refuse_foreign(u, t, &dev))
		return -EEXIST;
	return refuse_twin(u, t, rc ? NULL : &dev);
}

static void undo_gre(struct up *u, const struct undo *undo)
{
	step_undoing(u, "ip link set %s as it was", undo->dev.name);
	rtnl_dev_reset(&u->rt, &undo->dev);
}

/* Somebody else's own MTU, where the file doesn't say another. */
static void remark_mtu(struct up *u, const struct netdev *dev, uint32_t mtu)
{
	if (dev->mtu > mtu)
		step_remark(u, "%s has an MTU of %u, of which the link has room for %u: ip link set %s mtu %u",
			    dev->name, dev->mtu, mtu, dev->name, mtu);
}

/* *theirs: it's there already, and nothing of the device is ours to change. */
static int make_gre(struct up *u, const struct config_tunnel *t,
		    struct netdev *dev, bool *theirs)
{
	uint32_t mtu = tunnel_mtu(u, t);
	bool again = false;
	struct gre want;
	int rc;

	want_gre(t, &want);
look:
	rc = dev_look(u, t->ifname, dev);
	if (rc && rc != -ENODEV)
		return step_failed(u, rc, "look at", t->ifname);
	*theirs = !rc && !dev_is_ours(u, dev);
	if (!rc && same_gre(&dev->gre, &want)) {
		step_right(u, "%s is %s", t->ifname, gre_str(&want));
		if (!*theirs || t->mtu_given)
			return dev_set_mtu(u, dev, mtu);
		remark_mtu(u, dev, mtu);
		return 0;
	}
	if (!rc) {
		if (!step_do(u, "ip link set %s mtu %u type %s", t->ifname,
			     mtu, gre_str(&want)))
			return 0;
		rc = rtnl_gre_set(&u->rt, dev->ifindex, t->ifname, &want, mtu);
		if (rc)
			return step_failed(u, rc, "change the tunnel",
					   t->ifname);
		step_on_failure(u, dev->ifindex, undo_gre)->dev = *dev;
		return 0;
	}
	if (!step_do(u, "ip link add %s mtu %u type %s", t->ifname, mtu,
		     gre_str(&want))) {
		strcpy(dev->name, t->ifname);
		return 0;
	}
	rc = rtnl_gre_set(&u->rt, 0, t->ifname, &want, mtu);
	/* Somebody else was faster. */
	if (rc == -EEXIST && !again && !dev_look(u, t->ifname, dev)) {
		again = true;
		rc = tunnel_look(u, t);
		if (rc)
			return rc;
		goto look;
	}
	if (rc) {
		step_failed(u, rc, "add the tunnel", t->ifname);
		if (rc == -EOPNOTSUPP)
			hint("the kernel has no support for it: %s",
			     module_lack(want.v6 ? "ip6_gre" : "ip_gre"));
		else if (rc == -EEXIST)
			hint("another tunnel has the same local and remote address and key: \"ip -d link show type %s\"",
			     tunnel_kind(want.v6));
		return rc;
	}
	return dev_made(u, t->ifname, dev);
}

static void undo_addrgen(struct up *u, const struct undo *undo)
{
	step_undoing(u, "addrgenmode of %s as it was",
		     rtnl_name(undo->ifindex));
	rtnl_dev_addrgen(&u->rt, undo->ifindex, undo->number);
}

/* Else the kernel sends router solicitations into the tunnel. */
static int no_addrgen(struct up *u, const struct netdev *dev)
{
	int rc;

	if (dev->ifindex && dev->addrgenmode == IN6_ADDR_GEN_MODE_NONE) {
		step_right(u, "%s makes no link-local addresses", dev->name);
		return 0;
	}
	if (!step_do(u, "ip link set %s addrgenmode none", dev->name))
		return 0;
	rc = rtnl_dev_addrgen(&u->rt, dev->ifindex, IN6_ADDR_GEN_MODE_NONE);
	/* Without IPv6 in the kernel, or at this mtu, there are none anyway. */
	if (rc == -EAFNOSUPPORT || rc == -EINVAL || rc == -EOPNOTSUPP)
		return 0;
	if (rc)
		return step_failed(u, rc, "set the addrgenmode of", dev->name);
	step_on_failure(u, dev->ifindex, undo_addrgen)->number =
		dev->addrgenmode;
	return 0;
}

const char *tunnel_in_table(const struct rtnl_route *r)
{
	static char buf[24];

	snprintf(buf, sizeof(buf), r->table ? " table %u" : "", r->table);
	return buf;
}

/* Of one that was changed or removed. */
static void undo_route_gone(struct up *u, const struct undo *undo)
{
	step_undoing(u, "ip route replace %s via %s%s",
		     addr_prefix_str(&undo->route.dst),
		     addr_str(&undo->route.via),
		     tunnel_in_table(&undo->route));
	rtnl_route_add(&u->rt, &undo->route, NLM_F_CREATE | NLM_F_REPLACE);
}

static void undo_route(struct up *u, const struct undo *undo)
{
	step_undoing(u, "ip route delete %s%s",
		     addr_prefix_str(&undo->route.dst),
		     tunnel_in_table(&undo->route));
	rtnl_route_del(&u->rt, &undo->route);
}

/* @was: what there is to be replaced, or NULL */
static int put_route(struct up *u, const struct rtnl_route *r,
		     const struct rtnl_route *was)
{
	int rc;

	if (!step_do(u, "ip route %s %s via %s dev %s%s proto %d",
		     was ? "replace" : "add", addr_str(&r->dst),
		     addr_str(&r->via), u->c->link.ifname, tunnel_in_table(r),
		     PROTO_UP))
		return 0;
	rc = rtnl_route_add(&u->rt, r, NLM_F_CREATE |
			    (was ? NLM_F_REPLACE : NLM_F_EXCL));
	if (rc == -EEXIST)
		return rc;
	if (rc)
		return step_failed(u, rc, "add a route to", addr_str(&r->dst));
	if (was)
		step_on_failure(u, r->oif, undo_route_gone)->route = *was;
	else
		step_on_failure(u, r->oif, undo_route)->route = *r;
	return 0;
}

/*
 * Links share Cloudflare's endpoints, and main has room for one route to each:
 * the second link's has a table of its own, for what comes from its tunnels'
 * addresses. A rule by source alone is one that the module follows.
 */
#define FIRST_TABLE 198000

static uint32_t own_table(uint32_t ifindex)
{
	return FIRST_TABLE + ifindex;
}

static void undo_rule(struct up *u, const struct undo *undo)
{
	step_undoing(u, "ip rule delete from %s lookup %u",
		     addr_str(&undo->addr), undo->number);
	rtnl_rule_del(&u->rt, &undo->addr, undo->number);
}

static void undo_rule_gone(struct up *u, const struct undo *undo)
{
	step_undoing(u, "ip rule add from %s lookup %u priority %d",
		     addr_str(&undo->addr), undo->number, PROTO_UP);
	rtnl_rule_add(&u->rt, &undo->addr, undo->number);
}

static int put_rule(struct up *u, const struct addr *src, uint32_t table)
{
	struct undo *undo;
	int rc;

	if (!step_do(u, "ip rule add from %s lookup %u priority %d protocol %d",
		     addr_str(src), table, PROTO_UP, PROTO_UP))
		return 0;
	rc = rtnl_rule_add(&u->rt, src, table);
	if (rc == -EEXIST)
		return 0;
	if (rc)
		return step_failed(u, rc, "add a rule for", addr_str(src));
	undo = step_on_failure(u, 0, undo_rule);
	undo->addr = *src;
	undo->number = table;
	return 0;
}

static int remove_rule(struct up *u, const struct addr *src, uint32_t table)
{
	struct undo *undo;
	int rc;

	if (!step_do(u, "ip rule delete from %s lookup %u", addr_str(src),
		     table))
		return 0;
	rc = rtnl_rule_del(&u->rt, src, table);
	if (rc)
		return rc == -ENOENT ? 0 :
		       step_failed(u, rc, "remove a rule for", addr_str(src));
	undo = step_on_failure(u, 0, undo_rule_gone);
	undo->addr = *src;
	undo->number = table;
	return 0;
}

/* @table's, and those of devices that are gone. *has: @table's is there. */
static int sweep_rules(struct up *u, const struct addr *src, uint32_t table,
		       bool keep, bool *has)
{
	char name[IFNAMSIZ];
	uint32_t *tables;
	unsigned int n, i;
	int rc;

	*has = false;
	rc = rtnl_rules(&u->rt, src, &tables, &n);
	if (rc) {
		free(tables);
		return step_failed(u, rc, "list the rules for", addr_str(src));
	}
	for (i = 0; i < n && !rc; i++) {
		if (tables[i] == table && keep)
			*has = true;
		else if (tables[i] == table ||
			 (tables[i] > FIRST_TABLE &&
			  !if_indextoname(tables[i] - FIRST_TABLE, name)))
			rc = remove_rule(u, src, tables[i]);
	}
	free(tables);
	return rc;
}

static int own_route(struct up *u, const struct config_tunnel *t,
		     struct rtnl_route r)
{
	struct rtnl_route was;
	bool has;
	int rc;

	r.table = own_table(r.oif);
	was = r;
	rc = sweep_rules(u, &t->local, r.table, true, &has);
	if (!rc)
		rc = put_route(u, &r, NULL);
	if (rc == -EEXIST) {
		/* Perhaps to another peer of ours, of before. */
		rc = rtnl_route_add(&u->rt, &r,
				    NLM_F_CREATE | NLM_F_REPLACE);
		if (rc)
			return step_failed(u, rc, "change the route to",
					   addr_str(&r.dst));
		step_on_failure(u, r.oif, undo_route_gone)->route = was;
	}
	return rc || has ? rc : put_rule(u, &t->local, r.table);
}

/* A route to that host alone, by one way. */
static bool is_host_route(const struct kroute *k)
{
	return k->dst.len == addr_bits(&k->dst) && k->n_hops == 1;
}

static bool is_way(const struct kroute *k, const struct rtnl_route *r)
{
	return is_host_route(k) && k->hops[0].oif == r->oif &&
	       (k->proto != PROTO_UP || addr_same(&k->hops[0].via, &r->via));
}

/* Of another device that has a link's address: it stays where it is. */
static bool is_anothers(struct up *u, const struct kroute *k)
{
	char name[IFNAMSIZ];

	return if_indextoname(k->hops[0].oif, name) &&
	       !(u->old && !strcmp(name, u->old->link.ifname));
}

static int try_host_route(struct up *u, const struct config_tunnel *t,
			  const struct rtnl_route *r)
{
	struct rtnl_route was = { .dst = r->dst, .proto = PROTO_UP };
	struct kroute k;

	/* The link has yet to be made. */
	if (!r->oif)
		return put_route(u, r, NULL);
	if ((!rtnl_route_get_from(&u->rt, &t->remote, &t->local, 0, &k) &&
	     is_way(&k, r)) ||
	    (!rtnl_route_get(&u->rt, &t->remote, &k) && is_way(&k, r))) {
		step_right(u, "%s is reached over %s", addr_str(&t->remote),
			   u->c->link.ifname);
		return 0;
	}
	if (rtnl_route_get(&u->rt, &t->remote, &k) ||
	    k.dst.len != addr_bits(&k.dst))
		return put_route(u, r, NULL);
	if (k.proto != PROTO_UP || k.n_hops != 1) {
		step_remark(u, "there is a route to %s elsewhere: %s won't be offloaded",
			    addr_str(&t->remote), t->ifname);
		return 0;
	}
	if (k.hops[0].oif != r->oif && is_anothers(u, &k))
		return own_route(u, t, *r);
	was.via = k.hops[0].via;
	was.oif = k.hops[0].oif;
	return put_route(u, r, &was);
}

/*
 * The remote end must be reached over the link, even when the tunnel itself
 * gets a route that covers it.
 */
static int add_host_route(struct up *u, const struct config_tunnel *t)
{
	const struct config_link *l = &u->c->link;
	bool v6 = t->remote.family == AF_INET6;
	const struct addr *local = v6 ? &l->local6 : &l->local4;
	struct rtnl_route r = {
		.dst = t->remote, .via = v6 ? l->peer6 : l->peer4,
		.oif = u->link.ifindex, .proto = PROTO_UP,
	};
	int rc;

	if (!t->host_route || !r.via.family || addr_covers(local, &t->remote))
		return 0;
	r.dst.len = addr_bits(&r.dst);
	rc = try_host_route(u, t, &r);
	/* Somebody else was faster: where does theirs lead? */
	if (rc == -EEXIST)
		rc = try_host_route(u, t, &r);
	return rc == -EEXIST ? step_failed(u, rc, "add a route to",
					   addr_str(&t->remote)) : rc;
}

static int remove_route(struct up *u, const struct rtnl_route *r)
{
	int rc;

	if (!step_do(u, "ip route delete %s dev %s%s proto %d",
		     addr_str(&r->dst), rtnl_name(r->oif), tunnel_in_table(r),
		     PROTO_UP))
		return 0;
	rc = rtnl_route_del(&u->rt, r);
	if (rc && rc != -ESRCH)
		return step_failed(u, rc, "remove the route to",
				   addr_str(&r->dst));
	step_on_failure(u, r->oif, undo_route_gone)->route = *r;
	return 0;
}

struct find_route {
	struct rtnl_route r;
	bool found;
};

static int find_route(const struct kroute *k, const struct nlmsghdr *raw,
		      void *arg)
{
	struct find_route *f = arg;

	(void)raw;
	if (!k || !is_host_route(k) || !addr_same(&k->dst, &f->r.dst) ||
	    k->proto != PROTO_UP || k->hops[0].oif != f->r.oif)
		return 0;
	f->r.via = k->hops[0].via;
	f->found = true;
	return 0;
}

int tunnel_remove_host_route(struct up *u, const struct config_tunnel *t,
			     const char *link, bool route, bool rule)
{
	struct find_route f = { .r = { .dst = t->remote, .proto = PROTO_UP } };
	struct netdev dev;
	struct kroute k;
	bool has;
	int rc;

	/* With the device they are gone, but for rules. */
	if (dev_look(u, link, &dev))
		memset(&dev, 0, sizeof(dev));
	f.r.dst.len = addr_bits(&f.r.dst);
	f.r.oif = dev.ifindex;
	if (route && dev.ifindex &&
	    !rtnl_route_get(&u->rt, &t->remote, &k))
		find_route(&k, NULL, &f);
	rc = f.found ? remove_route(u, &f.r) : 0;
	f.r.table = own_table(dev.ifindex);
	f.found = false;
	if (!rc && route && dev.ifindex)
		rtnl_routes(&u->rt, t->remote.family, f.r.table, find_route,
			    &f);
	if (!rc && f.found)
		rc = remove_route(u, &f.r);
	return rc || !rule ? rc :
	       sweep_rules(u, &t->local, f.r.table, false, &has);
}

static void warn_local(struct up *u, const struct config_tunnel *t)
{
	struct kroute k;

	if (u->dry || addr_same(&t->local, &u->c->link.local4) ||
	    addr_same(&t->local, &u->c->link.local6))
		return;
	if (!rtnl_route_get(&u->rt, &t->local, &k) && k.type == 2)
		return;
	step_remark(u, "%s isn't an address of this host: ip address add %s dev lo",
		    addr_str(&t->local), addr_prefix_str(&t->local));
}

int tunnel_make(struct up *u, const struct config_tunnel *t)
{
	struct netdev dev;
	bool theirs;
	struct addr a;
	int rc;

	rc = make_gre(u, t, &dev, &theirs);
	if (!rc && !theirs)
		rc = no_addrgen(u, &dev);
	if (!rc)
		rc = dev_bring_up(u, &dev);
	if (!rc)
		rc = dev_add_addr(u, &dev, &t->address4);
	if (!rc)
		rc = dev_add_addr(u, &dev, &t->address6);
	if (!rc)
		rc = dev_add_addr(u, &dev, &t->link_local);
	if (!rc)
		rc = add_host_route(u, t);
	if (!rc) {
		warn_local(u, t);
		a = config_far_end(&t->address4);
		link_look_at_pair(u, &dev, &t->address4, &a);
		a = config_far_end(&t->address6);
		link_look_at_pair(u, &dev, &t->address6, &a);
	}
	return rc;
}
