// SPDX-License-Identifier: GPL-2.0
/*
 * up, reload and down: from the configuration to devices, addresses and the
 * module's objects, to those of a changed one, and back. Each is done whole or
 * not at all: every step notes how to take it back.
 */
#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip6_tunnel.h>

#include "clamp.h"
#include "cnictl.h"
#include "config.h"
#include "genl.h"
#include "module.h"
#include "out.h"
#include "record.h"
#include "rtnl.h"
#include "saved.h"
#include "sysctl.h"
#include "xdp.h"

/* How long an IPv6 address may be looked for a duplicate of. */
#define DAD_MS 3000

struct up;

/* How to take back one step. */
struct undo {
	struct undo *next;
	void (*fn)(struct up *u, const struct undo *undo);
	uint32_t ifindex;
	uint32_t number;
	struct addr addr;
	struct netdev dev;
	struct cni_link link;
	struct rtnl_route route;
	struct tunopts opts;
	struct portopts port;
	struct saved *saved;
	char sysctl[96];
	char *table;		/* of nftables', as it was */
};

struct up {
	struct nlconn rt;
	struct cni cni;
	bool have_cni;
	const struct config *c;
	/* What up or reload last made of it; NULL when it isn't known. */
	struct config *old;
	struct record record;
	bool dry, no_offload, reload;
	char (*gone)[IFNAMSIZ];		/* what a dry run would have removed */
	unsigned int n_gone;
	struct undo *undo;
	json_t *steps;
	unsigned int done;
	struct netdev parent, link;	/* ifindex 0: not made (dry run) */
	char alias[80];
};

static void say(struct up *u, const char *mark, const char *what,
		const char *fmt, va_list ap)
{
	char text[512];
	json_t *step;

	vsnprintf(text, sizeof(text), fmt, ap);
	if (!out_json) {
		printf("%s %s\n", mark, text);
		fflush(stdout);
		return;
	}
	step = json_object();
	json_object_set_new(step, "action", json_string(what));
	json_object_set_new(step, "step", json_string(text));
	json_array_append_new(u->steps, step);
}

/* Announces a step; true when it's really to be done. */
static bool __attribute__((format(printf, 2, 3)))
step(struct up *u, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(u, "[#]", u->dry ? "would-do" : "do", fmt, ap);
	va_end(ap);
	u->done++;
	return !u->dry;
}

static void __attribute__((format(printf, 2, 3)))
right(struct up *u, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(u, "[=]", "right-already", fmt, ap);
	va_end(ap);
}

static void __attribute__((format(printf, 2, 3)))
remark(struct up *u, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(u, "[!]", "note", fmt, ap);
	va_end(ap);
}

static void __attribute__((format(printf, 2, 3)))
undoing(struct up *u, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(u, "[-]", "undo", fmt, ap);
	va_end(ap);
}

static struct undo *on_failure(struct up *u, uint32_t ifindex,
			       void (*fn)(struct up *, const struct undo *))
{
	struct undo *undo = xalloc(sizeof(*undo));

	undo->fn = fn;
	undo->ifindex = ifindex;
	undo->next = u->undo;
	u->undo = undo;
	return undo;
}

static int failed_rt(struct up *u, int rc, const char *what, const char *name)
{
	err("can't %s %s: %s", what, name, nlc_strerror(&u->rt, rc));
	if (rc == -EPERM)
		hint("that takes root (CAP_NET_ADMIN)");
	return rc;
}

static int failed_cni(struct up *u, int rc, const char *what,
		      const char *name)
{
	err("the module refuses %s %s: %s", what, name,
	    nlc_strerror(&u->cni.nl, rc));
	return rc;
}

static int check_interrupted(void)
{
	if (!interrupted)
		return 0;
	err("interrupted");
	return -EINTR;
}

/* Undoing: each prints what it does, and goes on whatever happens. */

static void undo_dev(struct up *u, const struct undo *undo)
{
	undoing(u, "ip link delete %s", dev_name(undo->ifindex));
	rtnl_dev_del(&u->rt, undo->ifindex);
}

/* To be put back after a change that takes more with it; NULL if it can't be. */
static struct saved *save_rest(struct up *u, uint32_t ifindex)
{
	struct saved *saved;
	struct netdev dev;

	if (rtnl_dev(&u->rt, dev_name(ifindex), &dev) ||
	    saved_take(&u->rt, &dev, &saved))
		return NULL;
	return saved;
}

/* IPv6 addresses of a device go when it's taken down. */
static void undo_up(struct up *u, const struct undo *undo)
{
	struct saved *saved = save_rest(u, undo->ifindex);

	undoing(u, "ip link set %s down", dev_name(undo->ifindex));
	rtnl_dev_up(&u->rt, undo->ifindex, false);
	if (saved)
		saved_addrs_back(&u->rt, saved);
	saved_free(saved);
}

static void undo_mtu(struct up *u, const struct undo *undo)
{
	undoing(u, "ip link set %s mtu %u", dev_name(undo->ifindex),
		undo->number);
	rtnl_dev_mtu(&u->rt, undo->ifindex, undo->number);
}

static void undo_addrgen(struct up *u, const struct undo *undo)
{
	undoing(u, "addrgenmode of %s as it was", dev_name(undo->ifindex));
	rtnl_dev_addrgen(&u->rt, undo->ifindex, undo->number);
}

/* With the last IPv4 address of a device all its routes go. */
static void undo_addr(struct up *u, const struct undo *undo)
{
	struct saved *saved = save_rest(u, undo->ifindex);

	undoing(u, "ip address delete %s dev %s", addr_prefix_str(&undo->addr),
		dev_name(undo->ifindex));
	rtnl_addr_del(&u->rt, undo->ifindex, &undo->addr);
	if (saved)
		saved_routes_back(&u->rt, saved);
	saved_free(saved);
}

static const char *gre_kind(bool v6)
{
	return v6 ? "ip6gre" : "gre";
}

static void undo_gre(struct up *u, const struct undo *undo)
{
	undoing(u, "ip link set %s as it was", undo->dev.name);
	rtnl_dev_reset(&u->rt, &undo->dev);
}

static void undo_removed(struct up *u, const struct undo *undo)
{
	int rc;

	undoing(u, "ip link add %s as it was", undo->dev.name);
	rc = saved_restore(&u->rt, undo->saved);
	if (rc)
		failed_rt(u, rc, "put back all of", undo->dev.name);
}

static void undo_addr_removed(struct up *u, const struct undo *undo)
{
	undoing(u, "ip address add %s dev %s", addr_prefix_str(&undo->addr),
		dev_name(undo->ifindex));
	rtnl_addr_add(&u->rt, undo->ifindex, &undo->addr);
	if (undo->saved)
		saved_routes_back(&u->rt, undo->saved);
}

/* Of one that was changed or removed. */
static void undo_route_gone(struct up *u, const struct undo *undo)
{
	undoing(u, "ip route replace %s via %s",
		addr_prefix_str(&undo->route.dst), addr_str(&undo->route.via));
	rtnl_route_add(&u->rt, &undo->route, NLM_F_CREATE | NLM_F_REPLACE);
}

static void undo_route(struct up *u, const struct undo *undo)
{
	undoing(u, "ip route delete %s", addr_prefix_str(&undo->route.dst));
	rtnl_route_del(&u->rt, &undo->route);
}

static void undo_module(struct up *u, const struct undo *undo)
{
	(void)undo;
	undoing(u, "rmmod cnilink");
	if (u->have_cni)
		cni_close(&u->cni);
	u->have_cni = false;
	module_unload("cnilink");
}

/* The kernel loads these for the first device of their kind. */
static const char * const kind_modules[] = {
	"ip6_gre", "ip6_tunnel", "tunnel6", "ip_gre", "ip_tunnel", "gre",
	"8021q", "mrp", "garp", "stp", "llc",
};

#define N_KIND_MODULES (sizeof(kind_modules) / sizeof(kind_modules[0]))

static uint32_t loaded_kinds(void)
{
	uint32_t loaded = 0;
	unsigned int i;

	for (i = 0; i < N_KIND_MODULES; i++)
		if (module_is_loaded(kind_modules[i]))
			loaded |= 1u << i;
	return loaded;
}

/* ip_gre brings gre0 and others with it, in every namespace. */
static void undo_kinds(struct up *u, const struct undo *undo)
{
	uint32_t new = loaded_kinds() & ~undo->number;
	unsigned int i;

	for (i = 0; i < N_KIND_MODULES; i++) {
		if (!(new & 1u << i))
			continue;
		undoing(u, "rmmod %s", kind_modules[i]);
		module_unload(kind_modules[i]);
	}
}

static void undo_cni_link(struct up *u, const struct undo *undo)
{
	const struct cni_link *l = &undo->link;

	if (l->ifindex) {
		undoing(u, "cnictl link set %s as it was",
			dev_name(undo->ifindex));
		cni_link_set(&u->cni, undo->ifindex, &l->local4, &l->peer4,
			     &l->local6, &l->peer6);
		return;
	}
	undoing(u, "cnictl link del %s", dev_name(undo->ifindex));
	cni_link_del(&u->cni, undo->ifindex);
}

static void undo_cni_tunnel_opts(struct up *u, const struct undo *undo)
{
	undoing(u, "cnictl tunnel set %s%s", dev_name(undo->ifindex),
		tunopts_str(&undo->opts));
	cni_tunnel_set(&u->cni, undo->ifindex, &undo->opts);
}

static void undo_cni_tunnel(struct up *u, const struct undo *undo)
{
	undoing(u, "cnictl tunnel del %s", dev_name(undo->ifindex));
	cni_tunnel_del(&u->cni, undo->ifindex);
}

static void undo_cni_port(struct up *u, const struct undo *undo)
{
	undoing(u, "cnictl port del %s", dev_name(undo->ifindex));
	cni_port_del(&u->cni, undo->ifindex);
}

static void undo_cni_port_opts(struct up *u, const struct undo *undo)
{
	undoing(u, "cnictl port set %s%s", dev_name(undo->ifindex),
		portopts_str(&undo->port));
	cni_port_set(&u->cni, undo->ifindex, &undo->port);
}

static void undo_xdp_attach(struct up *u, const struct undo *undo)
{
	undoing(u, "cnictl xdp detach %s", dev_name(undo->ifindex));
	xdp_detach(undo->ifindex);
}

static void undo_xdp_detach(struct up *u, const struct undo *undo)
{
	undoing(u, "cnictl xdp attach %s", dev_name(undo->ifindex));
	xdp_attach(undo->ifindex);
}

/* @back: undo it all; else only forget how. */
static void end_undo(struct up *u, bool back)
{
	struct undo *undo;

	while ((undo = u->undo)) {
		u->undo = undo->next;
		if (back)
			undo->fn(u, undo);
		saved_free(undo->saved);
		free(undo->table);
		free(undo);
	}
}

/* rtnl_dev(), but what a dry run removed isn't there any more. */
static int look_at(struct up *u, const char *name, struct netdev *dev)
{
	unsigned int i;

	for (i = 0; i < u->n_gone; i++)
		if (!strcmp(u->gone[i], name)) {
			memset(dev, 0, sizeof(*dev));
			return -ENODEV;
		}
	return rtnl_dev(&u->rt, name, dev);
}

/* Made by us for this link: it has our mark. */
static bool is_ours(const struct up *u, const struct netdev *dev)
{
	return !strcmp(dev->alias, u->alias);
}

static int bring_up(struct up *u, const struct netdev *dev)
{
	int rc;

	if (dev->flags & IFF_UP) {
		right(u, "%s is up", dev->name);
		return 0;
	}
	if (!step(u, "ip link set %s up", dev->name))
		return 0;
	rc = rtnl_dev_up(&u->rt, dev->ifindex, true);
	if (rc)
		return failed_rt(u, rc, "bring up", dev->name);
	on_failure(u, dev->ifindex, undo_up);
	return 0;
}

static int set_mtu(struct up *u, const struct netdev *dev, uint32_t mtu)
{
	int rc;

	if (dev->mtu == mtu) {
		right(u, "%s has mtu %u", dev->name, mtu);
		return 0;
	}
	if (!step(u, "ip link set %s mtu %u", dev->name, mtu))
		return 0;
	rc = rtnl_dev_mtu(&u->rt, dev->ifindex, mtu);
	if (rc)
		return failed_rt(u, rc, "set the mtu of", dev->name);
	on_failure(u, dev->ifindex, undo_mtu)->number = dev->mtu;
	return 0;
}

/* A device was added: it gets the mark by which down knows it. */
static int made(struct up *u, const char *name, struct netdev *dev)
{
	int rc = rtnl_dev(&u->rt, name, dev);

	if (!rc) {
		on_failure(u, dev->ifindex, undo_dev);
		rc = rtnl_dev_alias(&u->rt, dev->ifindex, u->alias);
	}
	return rc ? failed_rt(u, rc, "mark", name) : 0;
}

static int make_vlan(struct up *u)
{
	const struct config_link *l = &u->c->link;
	int rc;

	if (!l->vlan)
		return 0;
	if (u->link.ifindex) {
		right(u, "%s is VLAN %u of %s", l->ifname, l->vlan, l->device);
		return 0;
	}
	if (!step(u, "ip link add link %s name %s type vlan id %u", l->device,
		  l->ifname, l->vlan)) {
		strcpy(u->link.name, l->ifname);
		u->link.mtu = u->parent.mtu;
		return 0;
	}
	rc = rtnl_vlan_add(&u->rt, u->parent.ifindex, l->ifname, l->vlan);
	if (rc) {
		failed_rt(u, rc, "add the VLAN device", l->ifname);
		if (rc == -EOPNOTSUPP)
			hint("the kernel has no VLAN support: modprobe 8021q");
		return rc;
	}
	return made(u, l->ifname, &u->link);
}

static int add_addr(struct up *u, const struct netdev *dev,
		    const struct addr *a)
{
	struct devaddr *list = NULL;
	unsigned int n = 0, i;
	int rc;

	if (!a->family)
		return 0;
	rc = dev->ifindex ? rtnl_addrs(&u->rt, dev->ifindex, &list, &n) : 0;
	if (rc)
		return failed_rt(u, rc, "list the addresses of", dev->name);
	for (i = 0; i < n; i++) {
		if (!addr_same(&list[i].a, a))
			continue;
		if (list[i].a.len == a->len) {
			right(u, "%s has %s", dev->name, addr_prefix_str(a));
			free(list);
			return 0;
		}
		err("%s has the address %s already, but as %s", dev->name,
		    addr_prefix_str(a), addr_prefix_str(&list[i].a));
		hint("ip address delete %s dev %s",
		     addr_prefix_str(&list[i].a), dev->name);
		free(list);
		return -EEXIST;
	}
	free(list);
	if (!step(u, "ip address add %s dev %s", addr_prefix_str(a),
		  dev->name))
		return 0;
	rc = rtnl_addr_add(&u->rt, dev->ifindex, a);
	if (rc)
		return failed_rt(u, rc, "add an address to", dev->name);
	on_failure(u, dev->ifindex, undo_addr)->addr = *a;
	return 0;
}

static void sleep_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

/* Until the kernel found that nobody else has the link's IPv6 address. */
static int wait_dad(struct up *u)
{
	const struct addr *a = &u->c->link.local6;
	struct netdev dev;
	struct devaddr *list;
	unsigned int n, i;
	uint32_t flags;
	int waited, rc;

	if (!a->family || u->dry)
		return 0;
	for (waited = 0; waited < DAD_MS; waited += 50) {
		rc = check_interrupted();
		if (rc)
			return rc;
		/* Nobody can be asked without a carrier. */
		if (rtnl_dev(&u->rt, u->link.name, &dev) || !dev.carrier)
			return 0;
		rc = rtnl_addrs(&u->rt, u->link.ifindex, &list, &n);
		if (rc)
			return failed_rt(u, rc, "list the addresses of",
					 u->link.name);
		flags = 0;
		for (i = 0; i < n; i++)
			if (addr_same(&list[i].a, a))
				flags = list[i].flags;
		free(list);
		if (flags & IFA_F_DADFAILED) {
			err("%s is in use at the other end of %s too",
			    addr_str(a), u->link.name);
			hint("local6 and peer6 may have been swapped, or Cloudflare's side is set up wrongly");
			return -EADDRINUSE;
		}
		if (!(flags & IFA_F_TENTATIVE))
			return 0;
		sleep_ms(50);
	}
	return 0;
}

static int make_link(struct up *u)
{
	const struct config_link *l = &u->c->link;
	int rc;

	rc = bring_up(u, &u->parent);
	if (!rc)
		rc = make_vlan(u);
	if (rc)
		return rc;
	if (l->mtu) {
		rc = set_mtu(u, &u->link, l->mtu);
		if (rc)
			return rc;
		u->link.mtu = l->mtu;
	}
	if (l->vlan) {
		rc = bring_up(u, &u->link);
		if (rc)
			return rc;
	}
	rc = add_addr(u, &u->link, &l->local4);
	return rc ? rc : add_addr(u, &u->link, &l->local6);
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
	       a->other_flags == b->other_flags && a->ttl == b->ttl &&
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
		     gre_kind(g->v6), addr_str(&g->local),
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

static uint32_t tunnel_mtu(struct up *u, const struct config_tunnel *t)
{
	uint32_t room = u->link.mtu - t->overhead;

	return t->mtu_given || t->mtu < room ? t->mtu : room;
}

static int make_gre(struct up *u, const struct config_tunnel *t,
		    struct netdev *dev)
{
	uint32_t mtu = tunnel_mtu(u, t);
	struct gre want;
	int rc;

	want_gre(t, &want);
	rc = look_at(u, t->ifname, dev);
	if (rc && rc != -ENODEV)
		return failed_rt(u, rc, "look at", t->ifname);
	if (!rc && same_gre(&dev->gre, &want)) {
		right(u, "%s is %s", t->ifname, gre_str(&want));
		return set_mtu(u, dev, mtu);
	}
	if (!rc) {
		if (!step(u, "ip link set %s mtu %u type %s", t->ifname,
			  mtu, gre_str(&want)))
			return 0;
		rc = rtnl_gre_set(&u->rt, dev->ifindex, t->ifname, &want, mtu);
		if (rc)
			return failed_rt(u, rc, "change the tunnel",
					 t->ifname);
		on_failure(u, dev->ifindex, undo_gre)->dev = *dev;
		return 0;
	}
	if (!step(u, "ip link add %s mtu %u type %s", t->ifname, mtu,
		  gre_str(&want))) {
		strcpy(dev->name, t->ifname);
		return 0;
	}
	rc = rtnl_gre_set(&u->rt, 0, t->ifname, &want, mtu);
	if (rc) {
		failed_rt(u, rc, "add the tunnel", t->ifname);
		if (rc == -EOPNOTSUPP)
			hint("the kernel has no support for it: modprobe ip%s_gre",
			     want.v6 ? "6" : "");
		else if (rc == -EEXIST)
			hint("another tunnel has the same local and remote address and key: \"ip -d link show type %s\"",
			     gre_kind(want.v6));
		return rc;
	}
	return made(u, t->ifname, dev);
}

/* Else the kernel sends router solicitations into the tunnel. */
static int no_addrgen(struct up *u, const struct netdev *dev)
{
	int rc;

	if (dev->ifindex && dev->addrgenmode == IN6_ADDR_GEN_MODE_NONE) {
		right(u, "%s makes no link-local addresses", dev->name);
		return 0;
	}
	if (!step(u, "ip link set %s addrgenmode none", dev->name))
		return 0;
	rc = rtnl_dev_addrgen(&u->rt, dev->ifindex, IN6_ADDR_GEN_MODE_NONE);
	/* Without IPv6 in the kernel, or at this mtu, there are none anyway. */
	if (rc == -EAFNOSUPPORT || rc == -EINVAL || rc == -EOPNOTSUPP)
		return 0;
	if (rc)
		return failed_rt(u, rc, "set the addrgenmode of", dev->name);
	on_failure(u, dev->ifindex, undo_addrgen)->number = dev->addrgenmode;
	return 0;
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
	struct rtnl_route was;
	struct kroute k;
	bool is;
	int rc;

	if (!t->host_route || !r.via.family || addr_covers(local, &t->remote))
		return 0;
	r.dst.len = addr_bits(&r.dst);
	rc = r.oif ? rtnl_route_get(&u->rt, &t->remote, &k) : -ENOENT;
	is = !rc && k.dst.len == r.dst.len && k.n_hops == 1;
	if (is && k.hops[0].oif == r.oif &&
	    (k.proto != PROTO_UP || addr_same(&k.hops[0].via, &r.via))) {
		right(u, "%s is reached over %s", addr_str(&t->remote),
		      l->ifname);
		return 0;
	}
	was = (struct rtnl_route){ .dst = r.dst, .proto = PROTO_UP };
	is &= k.proto == PROTO_UP;
	if (is) {
		was.via = k.hops[0].via;
		was.oif = k.hops[0].oif;
	} else if (!rc && k.dst.len == r.dst.len) {
		remark(u, "there is a route to %s elsewhere: %s won't be offloaded",
		       addr_str(&t->remote), t->ifname);
		return 0;
	}
	if (!step(u, "ip route %s %s via %s dev %s proto %d",
		  is ? "replace" : "add", addr_str(&t->remote),
		  addr_str(&r.via), l->ifname, PROTO_UP))
		return 0;
	rc = rtnl_route_add(&u->rt, &r, NLM_F_CREATE |
			    (is ? NLM_F_REPLACE : NLM_F_EXCL));
	if (rc == -EEXIST)
		return 0;
	if (rc)
		return failed_rt(u, rc, "add a route to",
				 addr_str(&t->remote));
	if (is)
		on_failure(u, r.oif, undo_route_gone)->route = was;
	else
		on_failure(u, r.oif, undo_route)->route = r;
	return 0;
}

static void warn_local(struct up *u, const struct config_tunnel *t)
{
	struct kroute k;

	if (u->dry || addr_same(&t->local, &u->c->link.local4) ||
	    addr_same(&t->local, &u->c->link.local6))
		return;
	if (!rtnl_route_get(&u->rt, &t->local, &k) && k.type == 2)
		return;
	remark(u, "%s isn't an address of this host: ip address add %s dev lo",
	       addr_str(&t->local), addr_prefix_str(&t->local));
}

static void undo_sysctl(struct up *u, const struct undo *undo)
{
	undoing(u, "sysctl -w %s=%u", sysctl_name(undo->sysctl), undo->number);
	sysctl_write(undo->sysctl, undo->number);
}

static int set_sysctl(struct up *u, const char *path, int now, int want)
{
	struct undo *undo;
	int rc;

	if (now == want) {
		right(u, "%s is %d", sysctl_name(path), now);
		return 0;
	}
	if (!step(u, "sysctl -w %s=%d", sysctl_name(path), want))
		return 0;
	rc = sysctl_write(path, want);
	if (rc) {
		err("can't set %s: %s", sysctl_name(path), strerror(-rc));
		return rc;
	}
	undo = on_failure(u, 0, undo_sysctl);
	undo->number = now;
	snprintf(undo->sysctl, sizeof(undo->sysctl), "%s", path);
	return 0;
}

static int set_conf(struct up *u, const char *dev, const char *key, int want)
{
	char path[96];

	snprintf(path, sizeof(path), "net/ipv4/conf/%s/%s", dev, key);
	return set_sysctl(u, path, sysctl_read(path), want);
}

/*
 * What the kernel itself needs to answer the health checks, where the module is
 * left out: a reply comes with our own source and has to be forwarded, and what
 * doesn't come back the way it went passes no strict source check.
 */
static int let_kernel_answer(struct up *u, const struct config_tunnel *t)
{
	const struct health_check *h = &t->opts.health[0];
	char path[96];
	int rc = 0;

	if (!u->no_offload || !t->opts.n_health ||
	    h->local.family != AF_INET)
		return 0;
	if (!h->request)
		rc = set_conf(u, t->ifname, "accept_local", 1);
	if (!rc && !h->request)
		rc = set_conf(u, t->ifname, "forwarding", 1);
	if (rc || !h->unidirectional)
		return rc;
	/* The larger one of all's and the device's counts; 2 is a loose check. */
	snprintf(path, sizeof(path), "net/ipv4/conf/%s/rp_filter", t->ifname);
	if (sysctl_read(path) == 1 ||
	    (sysctl_read("net/ipv4/conf/all/rp_filter") == 1 &&
	     sysctl_read(path) != 2))
		rc = set_conf(u, t->ifname, "rp_filter", 2);
	return rc;
}

static int make_tunnel(struct up *u, const struct config_tunnel *t)
{
	struct netdev dev;
	int rc;

	rc = make_gre(u, t, &dev);
	if (!rc)
		rc = no_addrgen(u, &dev);
	if (!rc)
		rc = bring_up(u, &dev);
	if (!rc)
		rc = add_addr(u, &dev, &t->address4);
	if (!rc)
		rc = add_addr(u, &dev, &t->address6);
	if (!rc)
		rc = add_addr(u, &dev, &t->link_local);
	if (!rc)
		rc = add_host_route(u, t);
	if (!rc)
		rc = let_kernel_answer(u, t);
	if (!rc)
		warn_local(u, t);
	return rc;
}

static int need_module(struct up *u)
{
	int rc = u->have_cni ? 0 : cni_open(&u->cni);

	if (!rc) {
		right(u, "the module is loaded");
		u->have_cni = true;
		return 0;
	}
	if (rc != -ENOENT)
		return rc;
	if (!step(u, "%s", module_command()))
		return 0;
	rc = module_load();
	if (rc)
		return rc;
	on_failure(u, 0, undo_module);
	rc = cni_open(&u->cni);
	if (rc == -ENOENT)
		err("the module is loaded, but its netlink family isn't there: dmesg may tell more");
	u->have_cni = !rc;
	return rc;
}

/* What the module answers about one that it hasn't got. */
static bool is_unknown(int rc)
{
	return rc == -ENOENT || rc == -ENODEV;
}

static int failed_look(struct up *u, int rc, const char *name)
{
	err("can't ask the module for %s: %s", name,
	    nlc_strerror(&u->cni.nl, rc));
	return rc;
}

static int enrol_link(struct up *u)
{
	const struct config_link *l = &u->c->link;
	struct cni_link now = {};
	int rc = -ENOENT;

	if (u->have_cni && u->link.ifindex)
		rc = cni_link_get(&u->cni, u->link.ifindex, &now);
	if (rc && !is_unknown(rc))
		return failed_look(u, rc, l->ifname);
	if (!rc && addr_same(&now.local4, &l->local4) &&
	    addr_same(&now.peer4, &l->peer4) &&
	    addr_same(&now.local6, &l->local6) &&
	    addr_same(&now.peer6, &l->peer6)) {
		right(u, "the module has the link %s", l->ifname);
		return 0;
	}
	if (rc)
		memset(&now, 0, sizeof(now));
	if (!step(u, "cnictl link set %s%s%s%s%s%s%s%s%s", l->ifname,
		  l->local4.family ? " local4 " : "",
		  l->local4.family ? addr_str(&l->local4) : "",
		  l->peer4.family ? " peer4 " : "",
		  l->peer4.family ? addr_str(&l->peer4) : "",
		  l->local6.family ? " local6 " : "",
		  l->local6.family ? addr_str(&l->local6) : "",
		  l->peer6.family ? " peer6 " : "",
		  l->peer6.family ? addr_str(&l->peer6) : ""))
		return 0;
	rc = cni_link_set(&u->cni, u->link.ifindex, &l->local4, &l->peer4,
			  &l->local6, &l->peer6);
	if (rc)
		return failed_cni(u, rc, "the link", l->ifname);
	on_failure(u, u->link.ifindex, undo_cni_link)->link = now;
	return 0;
}

/* With an MSS that fits. */
static struct tunopts tunnel_opts(struct up *u, const struct config_tunnel *t)
{
	struct tunopts o = t->opts;

	if (t->mss_auto)
		tunopts_mss(&o, tunnel_mtu(u, t));
	return o;
}

static int enrol_tunnel(struct up *u, const struct config_tunnel *t)
{
	struct tunopts want = tunnel_opts(u, t);
	struct cni_tunnel now = {};
	struct netdev dev;
	bool had;
	int rc;

	rc = look_at(u, t->ifname, &dev);
	if (rc && !u->dry)
		return failed_rt(u, rc, "look at", t->ifname);
	if (!rc && u->have_cni)
		rc = cni_tunnel_get(&u->cni, dev.ifindex, &now);
	if (rc && !is_unknown(rc))
		return failed_look(u, rc, t->ifname);
	had = !rc && u->have_cni;
	if (had && tunopts_same(&now.opts, &want)) {
		right(u, "the module has the tunnel %s", t->ifname);
		return 0;
	}
	if (!step(u, "cnictl tunnel %s %s%s", had ? "set" : "add", t->ifname,
		  tunopts_str(&want)))
		return 0;
	rc = cni_tunnel_set(&u->cni, dev.ifindex, &want);
	if (rc)
		return failed_cni(u, rc, "the tunnel", t->ifname);
	if (had)
		on_failure(u, dev.ifindex, undo_cni_tunnel_opts)->opts =
			now.opts;
	else
		on_failure(u, dev.ifindex, undo_cni_tunnel);
	return 0;
}

/* With what fits the smallest of the tunnels that the answers come back by. */
static struct portopts port_opts(struct up *u, const struct config_port *p)
{
	unsigned int i, mtu, least = 0;
	struct portopts o = p->opts;
	struct tunopts fit = {};

	if (!p->mss_auto)
		return o;
	for (i = 0; i < u->c->n_tunnels; i++) {
		mtu = tunnel_mtu(u, &u->c->tunnels[i]);
		if (!least || mtu < least)
			least = mtu;
	}
	tunopts_mss(&fit, least);
	o.mss4 = fit.mss4;
	o.mss6 = fit.mss6;
	return o;
}

static int enrol_port(struct up *u, const struct config_port *p)
{
	struct portopts want = port_opts(u, p);
	struct cni_port now = {};
	struct netdev dev;
	bool had;
	int rc;

	rc = rtnl_dev(&u->rt, p->ifname, &dev);
	if (rc)
		return failed_rt(u, rc, "look at", p->ifname);
	if (u->have_cni)
		rc = cni_port_get(&u->cni, dev.ifindex, &now);
	if (rc && !is_unknown(rc))
		return failed_look(u, rc, p->ifname);
	had = !rc && u->have_cni;
	if (had && portopts_same(&now.opts, &want)) {
		right(u, "the module has the port %s", p->ifname);
		return 0;
	}
	if (!step(u, "cnictl port set %s%s", p->ifname, portopts_str(&want)))
		return 0;
	rc = cni_port_set(&u->cni, dev.ifindex, &want);
	if (rc)
		return failed_cni(u, rc, "the port", p->ifname);
	if (had)
		on_failure(u, dev.ifindex, undo_cni_port_opts)->port =
			now.opts;
	else
		on_failure(u, dev.ifindex, undo_cni_port);
	return 0;
}

static int enrol(struct up *u)
{
	const struct config *c = u->c;
	unsigned int i;
	int rc;

	rc = need_module(u);
	if (!rc)
		rc = enrol_link(u);
	for (i = 0; !rc && i < c->n_tunnels; i++) {
		rc = check_interrupted();
		if (!rc)
			rc = enrol_tunnel(u, &c->tunnels[i]);
	}
	for (i = 0; !rc && i < c->n_ports; i++) {
		rc = check_interrupted();
		if (!rc)
			rc = enrol_port(u, &c->ports[i]);
	}
	return rc;
}

static const char * const hash_policies[] = {
	"net/ipv4/fib_multipath_hash_policy",
	"net/ipv6/fib_multipath_hash_policy",
};

#define N_HASH_POLICIES (sizeof(hash_policies) / sizeof(hash_policies[0]))

/*
 * By addresses alone, two hosts use one of several tunnels only. A policy
 * other than the kernel's first one was somebody's choice.
 */
static int spread_flows(struct up *u)
{
	unsigned int i;
	int rc, n;

	if (u->c->n_tunnels < 2)
		return 0;
	for (i = 0; i < N_HASH_POLICIES; i++) {
		n = sysctl_read(hash_policies[i]);
		if (n < 0)
			continue;
		rc = set_sysctl(u, hash_policies[i], n, n ? n : 1);
		if (rc)
			return rc;
	}
	return 0;
}

static void undo_clamp(struct up *u, const struct undo *undo)
{
	struct clamp c;
	char *why = NULL;

	clamp_init(&c, undo->dev.name);
	if (undo->table)
		undoing(u, "nft table inet %s as it was", c.table);
	else
		undoing(u, "nft delete table inet %s", c.table);
	if (clamp_put(&c, undo->table, &why))
		err("nft can't put the table %s back: %s", c.table,
		    why ? why : "it can't be run");
	free(why);
}

/* Puts @c in the place of what there is on @link's behalf. */
static int set_clamp(struct up *u, const struct clamp *c, const char *link)
{
	char *now, *text, *why = NULL;
	struct undo *undo;
	int rc;

	rc = clamp_get(c, &now);
	if (rc == -ENOENT) {
		if (c->what)
			remark(u, "nft isn't installed: nothing keeps TCP from segments that don't fit (%s)",
			       c->what);
		return 0;
	}
	if (rc) {
		err("can't run nft: %s", strerror(-rc));
		return rc;
	}
	if (clamp_same(c, now)) {
		if (c->what)
			right(u, "nft table inet %s has %s", c->table,
			      c->what);
		free(now);
		return 0;
	}
	if (!(c->what ? step(u, "nft table inet %s: %s", c->table, c->what) :
			step(u, "nft delete table inet %s", c->table))) {
		free(now);
		return 0;
	}
	text = clamp_text(c);
	rc = clamp_put(c, text, &why);
	free(text);
	if (rc) {
		err("nft refuses the table %s: %s", c->table,
		    why ? why : strerror(-rc));
		free(now);
	} else {
		undo = on_failure(u, 0, undo_clamp);
		undo->table = now;
		strcpy(undo->dev.name, link);
	}
	free(why);
	return rc;
}

/* A tunnel's or port's; nft has no word for some names. */
static int add_clamp(struct clamp *c, const char *ifname, bool in,
		     uint16_t mss4, uint16_t mss6)
{
	if (mss4 && strpbrk(ifname, "\"\\*")) {
		err("the name of the device %s is none for nft: set \"mss = off\" for it",
		    ifname);
		return -EINVAL;
	}
	clamp_add(c, ifname, in, mss4, mss6);
	return 0;
}

/* What the module would do for TCP, where it is left out. */
static int clamp_mss(struct up *u)
{
	const struct config *c = u->c;
	struct portopts port;
	struct tunopts tun;
	struct clamp clamp;
	unsigned int i;
	int rc = 0;

	clamp_init(&clamp, c->link.ifname);
	for (i = 0; u->no_offload && !rc && i < c->n_tunnels; i++) {
		tun = tunnel_opts(u, &c->tunnels[i]);
		rc = add_clamp(&clamp, c->tunnels[i].ifname, true, tun.mss4,
			       tun.mss6);
	}
	for (i = 0; u->no_offload && !rc && i < c->n_ports; i++) {
		port = port_opts(u, &c->ports[i]);
		rc = add_clamp(&clamp, c->ports[i].ifname, false, port.mss4,
			       port.mss6);
	}
	if (!rc)
		rc = set_clamp(u, &clamp, c->link.ifname);
	clamp_free(&clamp);
	return rc;
}

static int unclamp(struct up *u, const char *link)
{
	struct clamp none;

	clamp_init(&none, link);
	return set_clamp(u, &none, link);
}

/* A device that the module may have; -ENODEV where it can't. */
static int enrolled_dev(struct up *u, const char *name, struct netdev *dev)
{
	return u->have_cni ? look_at(u, name, dev) : -ENODEV;
}

static int xdp_off(struct up *u, uint32_t ifindex)
{
	struct xdp_dev d = { .ifindex = ifindex };
	int rc;

	if (xdp_look(&d) || !d.ours ||
	    !step(u, "cnictl xdp detach %s", dev_name(ifindex)))
		return 0;
	rc = xdp_detach(ifindex);
	if (rc) {
		err("can't take XDP off %s: %s", dev_name(ifindex),
		    xdp_strerror(rc));
		return rc;
	}
	on_failure(u, ifindex, undo_xdp_detach);
	return 0;
}

/* What can't be doesn't keep the link from coming up: it does without. */
static int xdp_on(struct up *u, struct xdp_dev *d)
{
	const char *dev = dev_name(d->ifindex);
	const char *problem;
	int rc;

	if (xdp_look(d))
		return 0;
	problem = xdp_blocked(d);
	if (!problem && d->other)
		problem = xdp_strerror(-EBUSY);
	if (problem) {
		remark(u, "%s: no XDP: %s", dev, problem);
		return 0;
	}
	if (d->ours) {
		right(u, "XDP is on %s", dev);
		return 0;
	}
	if (!step(u, "cnictl xdp attach %s", dev))
		return 0;
	rc = xdp_attach(d->ifindex);
	if (rc)
		remark(u, "%s: no XDP: %s", dev, xdp_strerror(rc));
	else
		on_failure(u, d->ifindex, undo_xdp_attach);
	return 0;
}

/* The device under the link, and the ports: those that frames come from. */
static int set_xdp(struct up *u)
{
	const struct config *c = u->c;
	struct xdp_dev d = { .ifindex = u->parent.ifindex };
	struct cni_link link = {};
	struct cni_port port;
	struct netdev dev;
	unsigned int i;
	int rc;

	/* A dry run before the module is there can't tell. */
	if (!u->have_cni ||
	    (!c->link.xdp_auto && !(u->old && u->old->link.xdp_auto)))
		return 0;
	if (!cni_link_get(&u->cni, u->link.ifindex, &link))
		d.blockers = link.xdp_blockers;
	rc = c->link.xdp_auto ? xdp_on(u, &d) : xdp_off(u, d.ifindex);
	for (i = 0; !rc && i < c->n_ports; i++) {
		memset(&port, 0, sizeof(port));
		if (rtnl_dev(&u->rt, c->ports[i].ifname, &dev) ||
		    cni_port_get(&u->cni, dev.ifindex, &port))
			continue;
		d = (struct xdp_dev){ .ifindex = dev.ifindex,
				      .blockers = port.xdp_blockers };
		rc = c->link.xdp_auto ? xdp_on(u, &d) : xdp_off(u, d.ifindex);
	}
	return rc;
}

static int withdraw_port(struct up *u, const char *name)
{
	struct cni_port now;
	struct netdev dev;
	int rc;

	rc = enrolled_dev(u, name, &dev);
	if (!rc)
		rc = cni_port_get(&u->cni, dev.ifindex, &now);
	if (rc)
		return is_unknown(rc) ? 0 : failed_look(u, rc, name);
	if (record_port_shared(&u->record, name)) {
		remark(u, "the port %s stays: another link has it, too", name);
		return 0;
	}
	rc = xdp_off(u, dev.ifindex);
	if (rc)
		return rc;
	if (!step(u, "cnictl port del %s", name))
		return 0;
	rc = cni_port_del(&u->cni, dev.ifindex);
	if (rc && !is_unknown(rc))
		return failed_cni(u, rc, "to give up", name);
	on_failure(u, dev.ifindex, undo_cni_port_opts)->port = now.opts;
	return 0;
}

static int withdraw_tunnel(struct up *u, const char *name)
{
	struct cni_tunnel now;
	struct netdev dev;
	int rc;

	rc = enrolled_dev(u, name, &dev);
	if (!rc)
		rc = cni_tunnel_get(&u->cni, dev.ifindex, &now);
	if (rc)
		return is_unknown(rc) ? 0 : failed_look(u, rc, name);
	if (!step(u, "cnictl tunnel del %s", name))
		return 0;
	rc = cni_tunnel_del(&u->cni, dev.ifindex);
	if (rc && !is_unknown(rc))
		return failed_cni(u, rc, "to give up", name);
	on_failure(u, dev.ifindex, undo_cni_tunnel_opts)->opts = now.opts;
	return 0;
}

/* A link's frames come no longer by its lower device, unless other links' do. */
static int xdp_off_lower(struct up *u, const struct cni_link *link)
{
	struct cni_link *list = NULL;
	bool shared = false;
	unsigned int n, i;
	int rc;

	rc = cni_links(&u->cni, &list, &n);
	if (rc)
		return failed_look(u, rc, dev_name(link->ifindex));
	for (i = 0; i < n; i++)
		shared |= list[i].lower == link->lower &&
			  list[i].ifindex != link->ifindex;
	free(list);
	return shared ? 0 : xdp_off(u, link->lower);
}

static int withdraw_link(struct up *u, const char *name)
{
	struct cni_link now;
	struct netdev dev;
	int rc;

	rc = enrolled_dev(u, name, &dev);
	if (!rc)
		rc = cni_link_get(&u->cni, dev.ifindex, &now);
	if (rc)
		return is_unknown(rc) ? 0 : failed_look(u, rc, name);
	rc = xdp_off_lower(u, &now);
	if (rc)
		return rc;
	if (!step(u, "cnictl link del %s", name))
		return 0;
	rc = cni_link_del(&u->cni, dev.ifindex);
	if (rc && !is_unknown(rc))
		return failed_cni(u, rc, "to give up", name);
	on_failure(u, dev.ifindex, undo_cni_link)->link = now;
	return 0;
}

/* An address that up added to a device that stays. */
static int remove_addr(struct up *u, const struct netdev *dev,
		       const struct addr *a)
{
	struct saved *saved;
	struct undo *undo;
	int rc;

	if (!step(u, "ip address delete %s dev %s", addr_prefix_str(a),
		  dev->name))
		return 0;
	saved = save_rest(u, dev->ifindex);
	rc = rtnl_addr_del(&u->rt, dev->ifindex, a);
	if (rc) {
		saved_free(saved);
		return rc == -EADDRNOTAVAIL ? 0 :
		       failed_rt(u, rc, "remove an address of", dev->name);
	}
	undo = on_failure(u, dev->ifindex, undo_addr_removed);
	undo->addr = *a;
	undo->saved = saved;
	return 0;
}

/* @only: family 0 for all of them */
static int remove_addrs(struct up *u, const struct netdev *dev,
			const struct addr *only)
{
	struct devaddr *list;
	unsigned int n, i;
	int rc;

	rc = rtnl_addrs(&u->rt, dev->ifindex, &list, &n);
	if (rc)
		return failed_rt(u, rc, "list the addresses of", dev->name);
	for (i = 0; i < n && !rc; i++)
		if (list[i].proto == PROTO_UP &&
		    (!only->family || (addr_same(&list[i].a, only) &&
				       list[i].a.len == only->len)))
			rc = remove_addr(u, dev, &list[i].a);
	free(list);
	return rc;
}

static int remove_dev(struct up *u, const char *name)
{
	struct saved *saved;
	struct undo *undo;
	struct netdev dev;
	int rc;

	rc = look_at(u, name, &dev);
	if (rc == -ENODEV) {
		right(u, "there is no %s", name);
		return 0;
	}
	if (rc)
		return failed_rt(u, rc, "look at", name);
	if (!is_ours(u, &dev)) {
		if (!strncmp(dev.alias, "cnictl ", 7))
			remark(u, "%s stays: it's of the link '%s'", name,
			       dev.alias + 7);
		else
			remark(u, "%s stays: cnictl up didn't make it", name);
		return remove_addrs(u, &dev, &(struct addr){});
	}
	if (!step(u, "ip link delete %s", name)) {
		u->gone = xrealloc(u->gone,
				   (u->n_gone + 1) * sizeof(*u->gone));
		strcpy(u->gone[u->n_gone++], dev.name);
		return 0;
	}
	rc = saved_take(&u->rt, &dev, &saved);
	if (rc)
		return failed_rt(u, rc, "note what goes with", name);
	undo = on_failure(u, dev.ifindex, undo_removed);
	undo->dev = dev;
	undo->saved = saved;
	rc = saved_spare(&u->rt, saved);
	if (!rc)
		rc = rtnl_dev_del(&u->rt, dev.ifindex);
	return rc && rc != -ENODEV ? failed_rt(u, rc, "remove", name) : 0;
}

static int remove_host_route(struct up *u, const struct config_tunnel *t)
{
	struct rtnl_route r = { .dst = t->remote, .proto = PROTO_UP };
	struct kroute k;
	int rc;

	r.dst.len = addr_bits(&r.dst);
	if (rtnl_route_get(&u->rt, &t->remote, &k) ||
	    k.dst.len != r.dst.len || k.proto != PROTO_UP || k.n_hops != 1)
		return 0;
	r.via = k.hops[0].via;
	r.oif = k.hops[0].oif;
	if (!step(u, "ip route delete %s proto %d", addr_str(&t->remote),
		  PROTO_UP))
		return 0;
	rc = rtnl_route_del(&u->rt, &r);
	if (rc && rc != -ESRCH)
		return failed_rt(u, rc, "remove the route to",
				 addr_str(&t->remote));
	on_failure(u, r.oif, undo_route_gone)->route = r;
	return 0;
}

/* What a configuration has; @c NULL has nothing. */

static bool has_tunnel(const struct config *c, const char *name)
{
	unsigned int i;

	for (i = 0; c && i < c->n_tunnels; i++)
		if (!strcmp(c->tunnels[i].ifname, name))
			return true;
	return false;
}

static bool has_port(const struct config *c, const char *name)
{
	unsigned int i;

	for (i = 0; c && i < c->n_ports; i++)
		if (!strcmp(c->ports[i].ifname, name))
			return true;
	return false;
}

static bool has_route(const struct config *c, const struct addr *remote)
{
	unsigned int i;

	for (i = 0; c && i < c->n_tunnels; i++)
		if (c->tunnels[i].host_route &&
		    addr_same(&c->tunnels[i].remote, remote))
			return true;
	return false;
}

struct dev_addr {
	const char *dev;
	const struct addr *a;
};

/* The addresses of the devices, link's first; how many, and *list for free(). */
static unsigned int addrs_of(const struct config *c, struct dev_addr **list)
{
	unsigned int n = 0, i;

	*list = xalloc((2 + 3 * c->n_tunnels) * sizeof(**list));
	(*list)[n++] = (struct dev_addr){ c->link.ifname, &c->link.local4 };
	(*list)[n++] = (struct dev_addr){ c->link.ifname, &c->link.local6 };
	for (i = 0; i < c->n_tunnels; i++) {
		const struct config_tunnel *t = &c->tunnels[i];

		(*list)[n++] = (struct dev_addr){ t->ifname, &t->address4 };
		(*list)[n++] = (struct dev_addr){ t->ifname, &t->address6 };
		(*list)[n++] = (struct dev_addr){ t->ifname, &t->link_local };
	}
	return n;
}

static bool has_addr(const struct config *c, const struct dev_addr *d)
{
	struct dev_addr *list;
	unsigned int n, i;
	bool has = !d->a->family;

	n = addrs_of(c, &list);
	for (i = 0; i < n; i++)
		has |= !strcmp(list[i].dev, d->dev) &&
		       addr_same(list[i].a, d->a) && list[i].a->len == d->a->len;
	free(list);
	return has;
}

/* The addresses that a device has no more, though it stays. */
static int leave_addrs(struct up *u, const struct config *new)
{
	struct dev_addr *list;
	struct netdev dev;
	unsigned int n, i;
	int rc = 0;

	n = addrs_of(u->old, &list);
	for (i = 0; i < n && !rc; i++) {
		if (has_addr(new, &list[i]) ||
		    (!has_tunnel(new, list[i].dev) &&
		     strcmp(list[i].dev, new->link.ifname)) ||
		    look_at(u, list[i].dev, &dev))
			continue;
		rc = remove_addrs(u, &dev, list[i].a);
	}
	free(list);
	return rc;
}

static int leave_link(struct up *u, const struct config *old)
{
	struct netdev dev;

	if (old->link.vlan)
		return remove_dev(u, old->link.ifname);
	return look_at(u, old->link.ifname, &dev) ? 0 :
	       remove_addrs(u, &dev, &(struct addr){});
}

/* Removes what @old has and @new hasn't. @new NULL: all of it. */
static int leave(struct up *u, const struct config *old,
		 const struct config *new)
{
	const struct config_tunnel *t;
	bool link_stays = new && !strcmp(old->link.ifname, new->link.ifname);
	unsigned int i;
	int rc = 0;

	for (i = old->n_ports; i-- && !rc;)
		if (!has_port(new, old->ports[i].ifname))
			rc = withdraw_port(u, old->ports[i].ifname);
	for (i = old->n_tunnels; i-- && !rc;)
		if (!has_tunnel(new, old->tunnels[i].ifname))
			rc = withdraw_tunnel(u, old->tunnels[i].ifname);
	if (!rc && !link_stays)
		rc = withdraw_link(u, old->link.ifname);
	if (!rc && !link_stays)
		rc = unclamp(u, old->link.ifname);
	for (i = old->n_tunnels; i-- && !rc;) {
		t = &old->tunnels[i];
		rc = check_interrupted();
		if (!rc && !has_route(new, &t->remote))
			rc = remove_host_route(u, t);
		if (!rc && !has_tunnel(new, t->ifname))
			rc = remove_dev(u, t->ifname);
	}
	if (!rc && new)
		rc = leave_addrs(u, new);
	if (!rc && !link_stays)
		rc = leave_link(u, old);
	return rc;
}

/* The first thing that leave() would remove, in words, or NULL. */
static const char *left_over(const struct config *old, const struct config *new)
{
	static char text[128];
	struct dev_addr *list;
	unsigned int n, i;

	if (strcmp(old->link.ifname, new->link.ifname)) {
		snprintf(text, sizeof(text), "the link's device %s",
			 old->link.ifname);
		return text;
	}
	for (i = 0; i < old->n_tunnels; i++) {
		snprintf(text, sizeof(text), "the tunnel %s",
			 old->tunnels[i].ifname);
		if (!has_tunnel(new, old->tunnels[i].ifname))
			return text;
	}
	for (i = 0; i < old->n_ports; i++) {
		snprintf(text, sizeof(text), "the port %s",
			 old->ports[i].ifname);
		if (!has_port(new, old->ports[i].ifname))
			return text;
	}
	n = addrs_of(old, &list);
	for (i = 0; i < n && has_addr(new, &list[i]); i++)
		;
	if (i < n)
		snprintf(text, sizeof(text), "the address %s of %s",
			 addr_prefix_str(list[i].a), list[i].dev);
	free(list);
	return i < n ? text : NULL;
}

/* A tunnel can't change its kind, nor have what another has at that time. */
static bool in_the_way(struct up *u, const struct netdev *dev)
{
	const struct config_tunnel *t;
	struct gre want;
	unsigned int i;

	for (i = 0; i < u->c->n_tunnels; i++) {
		t = &u->c->tunnels[i];
		want_gre(t, &want);
		if (!strcmp(t->ifname, dev->name)) {
			if (strcmp(dev->kind, gre_kind(want.v6)))
				return true;
		} else if (!strcmp(dev->kind, gre_kind(want.v6)) &&
			   addr_same(&dev->gre.local, &want.local) &&
			   addr_same(&dev->gre.remote, &want.remote) &&
			   dev->gre.has_ikey == want.has_ikey &&
			   dev->gre.ikey == want.ikey) {
			return true;
		}
	}
	return false;
}

static bool is_vlan(const struct netdev *dev, const struct config_link *l,
		    const struct netdev *parent)
{
	return !strcmp(dev->kind, "vlan") && dev->vlan_id == l->vlan &&
	       dev->parent == parent->ifindex;
}

/* Of what we made, what keeps the new from being made. */
static int clear_way(struct up *u)
{
	const struct config_link *l = &u->c->link;
	const struct config *old = u->old;
	struct netdev dev, parent;
	unsigned int i;
	int rc = 0;

	for (i = 0; i < old->n_tunnels && !rc; i++) {
		if (look_at(u, old->tunnels[i].ifname, &dev) ||
		    !is_ours(u, &dev) || !in_the_way(u, &dev))
			continue;
		rc = withdraw_tunnel(u, dev.name);
		if (!rc)
			rc = remove_dev(u, dev.name);
	}
	if (rc || !old->link.vlan || !l->vlan ||
	    look_at(u, l->device, &parent) ||
	    look_at(u, old->link.ifname, &dev) || !is_ours(u, &dev))
		return rc;
	/* Either the name is taken by another VLAN, or the VLAN is. */
	if (is_vlan(&dev, l, &parent) == !strcmp(dev.name, l->ifname))
		return 0;
	rc = withdraw_link(u, dev.name);
	return rc ? rc : remove_dev(u, dev.name);
}

/* Checks that need nothing changed: most mistakes end here. */
static int look_first(struct up *u)
{
	const struct config *c = u->c;
	struct netdev dev;
	unsigned int i, mtu;
	int rc;

	rc = look_at(u, c->link.device, &u->parent);
	if (rc) {
		err("%s: the link's device %s doesn't exist", c->file,
		    c->link.device);
		hint("\"ip link\" lists the devices of this host");
		return rc;
	}
	mtu = c->link.mtu ? c->link.mtu : u->parent.mtu;
	if (c->link.vlan && mtu > u->parent.mtu) {
		err("%s: the link's mtu %u is more than the %u of %s", c->file,
		    mtu, u->parent.mtu, c->link.device);
		hint("ip link set %s mtu %u", c->link.device, mtu);
		return -ERANGE;
	}
	rc = look_at(u, c->link.ifname, &u->link);
	if (rc && rc != -ENODEV)
		return failed_rt(u, rc, "look at", c->link.ifname);
	if (!rc && c->link.vlan && !is_vlan(&u->link, &c->link, &u->parent)) {
		err("there is a device %s already, which isn't VLAN %u of %s",
		    c->link.ifname, c->link.vlan, c->link.device);
		hint("remove it (ip link delete %s), or choose another \"name\" in %s",
		     c->link.ifname, c->file);
		return -EEXIST;
	}
	for (i = 0; i < c->n_tunnels; i++) {
		rc = look_at(u, c->tunnels[i].ifname, &dev);
		if (rc == -ENODEV)
			continue;
		if (rc)
			return failed_rt(u, rc, "look at",
					 c->tunnels[i].ifname);
		if (strcmp(dev.kind, gre_kind(c->tunnels[i].remote.family == AF_INET6))) {
			err("there is a device %s already, which isn't of kind %s",
			    c->tunnels[i].ifname,
			    gre_kind(c->tunnels[i].remote.family == AF_INET6));
			hint("remove it, or give the tunnel another name in %s",
			     c->file);
			return -EEXIST;
		}
	}
	for (i = 0; i < c->n_ports; i++) {
		rc = look_at(u, c->ports[i].ifname, &dev);
		if (rc) {
			err("%s: the port's device %s doesn't exist", c->file,
			    c->ports[i].ifname);
			hint("\"ip link\" lists the devices of this host");
			return rc;
		}
	}
	return 0;
}

static int do_up(struct up *u)
{
	const struct config *c = u->c;
	const char *left = NULL;
	unsigned int i;
	int rc;

	if (u->old && !u->reload)
		left = left_over(u->old, c);
	if (left) {
		err("%s: %s of the link '%s' is up, and isn't in the file", c->file,
		    left, c->link.title);
		hint("cnictl reload %s removes it", c->file);
		hint("or, if the file is for another link: give that a title of its own");
		return -EEXIST;
	}
	on_failure(u, 0, undo_kinds)->number = loaded_kinds();
	rc = look_first(u);
	if (!rc)
		rc = make_link(u);
	for (i = 0; !rc && i < c->n_tunnels; i++) {
		rc = check_interrupted();
		if (!rc)
			rc = make_tunnel(u, &c->tunnels[i]);
	}
	if (!rc)
		rc = spread_flows(u);
	if (!rc)
		rc = check_interrupted();
	if (!rc)
		rc = clamp_mss(u);
	if (!rc && !u->no_offload)
		rc = enrol(u);
	if (!rc && !u->no_offload)
		rc = set_xdp(u);
	/* Meanwhile the kernel looked for duplicates. */
	if (!rc)
		rc = wait_dad(u);
	return rc ? rc : check_interrupted();
}

static int open_cni(struct up *u)
{
	int rc = cni_open(&u->cni);

	u->have_cni = !rc;
	return rc == -ENOENT ? 0 : rc;
}

static int do_reload(struct up *u)
{
	int rc = open_cni(u);

	if (!rc && u->old)
		rc = clear_way(u);
	else if (!rc)
		remark(u, "what was up before isn't known: only what is in %s is looked at",
		       u->c->file);
	if (!rc)
		rc = do_up(u);
	/* What is new carries traffic by now. */
	if (!rc && u->old)
		rc = leave(u, u->old, u->c);
	return rc ? rc : check_interrupted();
}

static int do_down(struct up *u)
{
	const struct config *old = u->old ? u->old : u->c;
	unsigned int i;
	int rc;

	rc = open_cni(u);
	if (!rc)
		rc = leave(u, old, NULL);
	if (!rc)
		rc = check_interrupted();
	if (rc)
		return rc;
	/* Nothing tells whether up set it, and nothing else minds it. */
	for (i = 0; old->n_tunnels > 1 && i < N_HASH_POLICIES; i++)
		if (sysctl_read(hash_policies[i]) == 1)
			remark(u, "%s stays 1", sysctl_name(hash_policies[i]));
	return 0;
}

/* For the next reload or down. */
static void keep_record(struct up *u, bool is_up)
{
	int rc;

	if (u->dry || (is_up && u->old && !strcmp(u->old->text, u->c->text)))
		return;
	rc = record_write(&u->record, is_up ? u->c->text : NULL);
	if (rc)
		remark(u, "can't note in %s what is up (%s): reload won't know it",
		       u->record.file, strerror(-rc));
}

static int take_options(struct up *u, int argc, char **argv, const char *verb,
			bool offload)
{
	static const struct option longs[] = {
		{ "dry-run", no_argument, NULL, 'n' },
		{ "no-offload", no_argument, NULL, 'k' },
		{}
	};
	int o;

	while ((o = getopt_long(argc, argv, "n", longs, NULL)) != -1) {
		if (o == 'n')
			u->dry = true;
		else if (o == 'k' && offload)
			u->no_offload = true;
		else
			return usage(verb, "see above");
	}
	if (optind + 1 != argc)
		return usage(verb, "one configuration file is needed");
	return RC_OK;
}

static int run(int argc, char **argv, const char *verb,
	       int (*fn)(struct up *u))
{
	struct up u = { .reload = fn == do_reload };
	struct config *c;
	bool is_up = fn != do_down;
	json_t *root;
	int rc;

	rc = take_options(&u, argc, argv, verb, is_up);
	if (rc)
		return rc;
	c = config_read(argv[optind]);
	if (!c)
		return RC_USAGE;
	u.c = c;
	snprintf(u.alias, sizeof(u.alias), "cnictl %.63s", c->link.title);
	u.steps = json_array();
	catch_signals();
	/* Nobody to read what is printed is no reason to stop halfway. */
	signal(SIGPIPE, SIG_IGN);
	rc = rtnl_open(&u.rt);
	if (!rc) {
		record_of(&u.record, u.rt.fd, c->link.title);
		u.old = record_read(&u.record);
		rc = fn(&u);
		if (rc && u.done && !u.dry && !out_json)
			fprintf(stderr, "cnictl: undoing what was done\n");
		end_undo(&u, rc);
		if (!rc)
			keep_record(&u, is_up);
	}
	if (out_json) {
		root = json_object();
		json_object_set_new(root, "ok", json_boolean(!rc));
		json_object_set(root, "steps", u.steps);
		out_print(root);
	} else if (!rc && !u.done) {
		printf("nothing to do\n");
	}
	json_decref(u.steps);
	if (u.have_cni)
		cni_close(&u.cni);
	nlc_close(&u.rt);
	config_free(c);
	config_free(u.old);
	free(u.gone);
	return rc ? RC_FAILED : RC_OK;
}

int verb_up(int argc, char **argv)
{
	return run(argc, argv, "up", do_up);
}

int verb_reload(int argc, char **argv)
{
	return run(argc, argv, "reload", do_reload);
}

int verb_down(int argc, char **argv)
{
	return run(argc, argv, "down", do_down);
}
