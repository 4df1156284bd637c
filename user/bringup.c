// SPDX-License-Identifier: GPL-2.0
/*
 * up and down: from the configuration to devices, addresses and the module's
 * objects, and back.
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

#include "cnictl.h"
#include "config.h"
#include "genl.h"
#include "module.h"
#include "out.h"
#include "rtnl.h"

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
};

struct up {
	struct nlconn rt;
	struct cni cni;
	bool have_cni;
	const struct config *c;
	bool dry, no_offload;
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

static void undo_up(struct up *u, const struct undo *undo)
{
	undoing(u, "ip link set %s down", dev_name(undo->ifindex));
	rtnl_dev_up(&u->rt, undo->ifindex, false);
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

static void undo_addr(struct up *u, const struct undo *undo)
{
	undoing(u, "ip address delete %s dev %s", addr_prefix_str(&undo->addr),
		dev_name(undo->ifindex));
	rtnl_addr_del(&u->rt, undo->ifindex, &undo->addr);
}

static const char *gre_kind(bool v6)
{
	return v6 ? "ip6gre" : "gre";
}

static void undo_gre(struct up *u, const struct undo *undo)
{
	undoing(u, "ip link set %s as it was", undo->dev.name);
	rtnl_gre_set(&u->rt, undo->ifindex, undo->dev.name, &undo->dev.gre,
		     undo->dev.mtu);
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
	module_unload();
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

static void roll_back(struct up *u)
{
	struct undo *undo;

	while ((undo = u->undo)) {
		u->undo = undo->next;
		undo->fn(u, undo);
		free(undo);
	}
}

static void forget_undo(struct up *u)
{
	struct undo *undo;

	while ((undo = u->undo)) {
		u->undo = undo->next;
		free(undo);
	}
}

/* Checks that need nothing changed: most mistakes end here. */
static int look_first(struct up *u)
{
	const struct config *c = u->c;
	struct netdev dev;
	unsigned int i, mtu;
	int rc;

	rc = rtnl_dev(&u->rt, c->link.device, &u->parent);
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
	rc = rtnl_dev(&u->rt, c->link.ifname, &u->link);
	if (rc && rc != -ENODEV)
		return failed_rt(u, rc, "look at", c->link.ifname);
	if (!rc && c->link.vlan &&
	    (strcmp(u->link.kind, "vlan") || u->link.vlan_id != c->link.vlan ||
	     u->link.parent != u->parent.ifindex)) {
		err("there is a device %s already, which isn't VLAN %u of %s",
		    c->link.ifname, c->link.vlan, c->link.device);
		hint("remove it (ip link delete %s), or choose another \"name\" in %s",
		     c->link.ifname, c->file);
		return -EEXIST;
	}
	for (i = 0; i < c->n_tunnels; i++) {
		rc = rtnl_dev(&u->rt, c->tunnels[i].ifname, &dev);
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
		rc = rtnl_dev(&u->rt, c->ports[i].ifname, &dev);
		if (rc) {
			err("%s: the port's device %s doesn't exist", c->file,
			    c->ports[i].ifname);
			hint("\"ip link\" lists the devices of this host");
			return rc;
		}
	}
	return 0;
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
	struct undo *undo;
	struct gre want;
	int rc;

	want_gre(t, &want);
	rc = rtnl_dev(&u->rt, t->ifname, dev);
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
		undo = on_failure(u, dev->ifindex, undo_gre);
		undo->dev = *dev;
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
	struct kroute k;
	int rc;

	if (!t->host_route || !r.via.family || addr_covers(local, &t->remote))
		return 0;
	r.dst.len = addr_bits(&r.dst);
	rc = r.oif ? rtnl_route_get(&u->rt, &t->remote, &k) : -ENOENT;
	if (!rc && k.dst.len == r.dst.len && k.n_hops == 1 &&
	    k.hops[0].oif == r.oif) {
		right(u, "%s is reached over %s", addr_str(&t->remote),
		      l->ifname);
		return 0;
	}
	if (!rc && k.dst.len == r.dst.len) {
		remark(u, "there is a route to %s elsewhere: %s won't be offloaded",
		       addr_str(&t->remote), t->ifname);
		return 0;
	}
	if (!step(u, "ip route add %s via %s dev %s proto %d",
		  addr_str(&t->remote), addr_str(&r.via), l->ifname,
		  PROTO_UP))
		return 0;
	rc = rtnl_route_add(&u->rt, &r, NLM_F_CREATE | NLM_F_EXCL);
	if (rc == -EEXIST)
		return 0;
	if (rc)
		return failed_rt(u, rc, "add a route to",
				 addr_str(&t->remote));
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
		rc = add_host_route(u, t);
	if (!rc)
		warn_local(u, t);
	return rc;
}

static int need_module(struct up *u)
{
	int rc = cni_open(&u->cni);

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

static int enrol_link(struct up *u)
{
	const struct config_link *l = &u->c->link;
	struct cni_link now = {};
	int rc = -ENOENT;

	if (u->have_cni && u->link.ifindex)
		rc = cni_link_get(&u->cni, u->link.ifindex, &now);
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

static int enrol_tunnel(struct up *u, const struct config_tunnel *t)
{
	struct tunopts want = t->opts;
	struct cni_tunnel now = {};
	struct netdev dev;
	int rc, had;

	if (t->mss_auto)
		tunopts_mss(&want, tunnel_mtu(u, t));
	rc = rtnl_dev(&u->rt, t->ifname, &dev);
	had = !rc && u->have_cni &&
	      !cni_tunnel_get(&u->cni, dev.ifindex, &now);
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

/* What fits the smallest of the tunnels that the answers come back by. */
static void port_mss(struct up *u, struct portopts *o)
{
	unsigned int i, mtu, least = 0;
	struct tunopts fit = {};

	for (i = 0; i < u->c->n_tunnels; i++) {
		mtu = tunnel_mtu(u, &u->c->tunnels[i]);
		if (!least || mtu < least)
			least = mtu;
	}
	tunopts_mss(&fit, least);
	o->mss4 = fit.mss4;
	o->mss6 = fit.mss6;
}

static int enrol_port(struct up *u, const struct config_port *p)
{
	struct portopts want = p->opts;
	struct cni_port now = {};
	struct netdev dev;
	int rc, had;

	if (p->mss_auto)
		port_mss(u, &want);
	rc = rtnl_dev(&u->rt, p->ifname, &dev);
	if (rc)
		return failed_rt(u, rc, "look at", p->ifname);
	had = u->have_cni && !cni_port_get(&u->cni, dev.ifindex, &now);
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

/* net.ipv[46].fib_multipath_hash_policy, without and with slashes. */
static const struct {
	const char *name, *file;
} hash_policies[] = {
	{ "net.ipv4.fib_multipath_hash_policy",
	  "/proc/sys/net/ipv4/fib_multipath_hash_policy" },
	{ "net.ipv6.fib_multipath_hash_policy",
	  "/proc/sys/net/ipv6/fib_multipath_hash_policy" },
};

#define N_HASH_POLICIES (sizeof(hash_policies) / sizeof(hash_policies[0]))

/* -1 where the kernel hasn't got it. */
static int read_number(const char *file)
{
	FILE *f = fopen(file, "re");
	int n = -1;

	if (f && fscanf(f, "%d", &n) != 1)
		n = -1;
	if (f)
		fclose(f);
	return n;
}

static int write_number(const char *file, int n)
{
	FILE *f = fopen(file, "we");
	int rc = 0;

	if (!f)
		return -errno;
	if (fprintf(f, "%d\n", n) < 0)
		rc = -EIO;
	if (fclose(f))
		rc = -errno;
	return rc;
}

static void undo_hash_policy(struct up *u, const struct undo *undo)
{
	undoing(u, "sysctl -w %s=0", hash_policies[undo->number].name);
	write_number(hash_policies[undo->number].file, 0);
}

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
		n = read_number(hash_policies[i].file);
		if (n > 0)
			right(u, "%s is %d", hash_policies[i].name, n);
		if (n || !step(u, "sysctl -w %s=1", hash_policies[i].name))
			continue;
		rc = write_number(hash_policies[i].file, 1);
		if (rc) {
			err("can't set %s: %s", hash_policies[i].name,
			    strerror(-rc));
			return rc;
		}
		on_failure(u, 0, undo_hash_policy)->number = i;
	}
	return 0;
}

static int do_up(struct up *u)
{
	const struct config *c = u->c;
	unsigned int i;
	int rc;

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
	if (!rc && !u->no_offload)
		rc = enrol(u);
	/* Meanwhile the kernel looked for duplicates. */
	if (!rc)
		rc = wait_dad(u);
	return rc ? rc : check_interrupted();
}

/* What down is to take away: it has our mark. */
static bool is_ours(const struct netdev *dev)
{
	return !strncmp(dev->alias, "cnictl ", 7);
}

static void count_failure(int *rc, int new)
{
	if (new && !*rc)
		*rc = new;
}

static int withdraw(struct up *u, const char *kind, const char *name,
		    int (*has)(struct up *u, uint32_t ifindex),
		    int (*del)(struct cni *c, uint32_t ifindex))
{
	struct netdev dev;
	int rc;

	if (!u->have_cni || rtnl_dev(&u->rt, name, &dev) ||
	    !has(u, dev.ifindex))
		return 0;
	if (!step(u, "cnictl %s del %s", kind, name))
		return 0;
	rc = del(&u->cni, dev.ifindex);
	if (rc == -ENOENT || rc == -ENODEV)
		rc = 0;
	return rc ? failed_cni(u, rc, "to give up", name) : 0;
}

static int has_link(struct up *u, uint32_t ifindex)
{
	struct cni_link l;

	return !cni_link_get(&u->cni, ifindex, &l);
}

static int has_tunnel(struct up *u, uint32_t ifindex)
{
	struct cni_tunnel t;

	return !cni_tunnel_get(&u->cni, ifindex, &t);
}

static int has_port(struct up *u, uint32_t ifindex)
{
	struct cni_port p;

	return !cni_port_get(&u->cni, ifindex, &p);
}

/* Addresses that up added to a device that stays. */
static int remove_addrs(struct up *u, const struct netdev *dev)
{
	struct devaddr *list;
	unsigned int n, i;
	int rc, one;

	rc = rtnl_addrs(&u->rt, dev->ifindex, &list, &n);
	if (rc)
		return failed_rt(u, rc, "list the addresses of", dev->name);
	for (i = 0; i < n; i++) {
		if (list[i].proto != PROTO_UP)
			continue;
		if (!step(u, "ip address delete %s dev %s",
			  addr_prefix_str(&list[i].a), dev->name))
			continue;
		one = rtnl_addr_del(&u->rt, dev->ifindex, &list[i].a);
		if (one && one != -EADDRNOTAVAIL)
			count_failure(&rc, failed_rt(u, one,
						     "remove an address of",
						     dev->name));
	}
	free(list);
	return rc;
}

static int remove_dev(struct up *u, const char *name)
{
	struct netdev dev;
	int rc;

	rc = rtnl_dev(&u->rt, name, &dev);
	if (rc == -ENODEV) {
		right(u, "there is no %s", name);
		return 0;
	}
	if (rc)
		return failed_rt(u, rc, "look at", name);
	if (!is_ours(&dev)) {
		remark(u, "%s stays: cnictl up didn't make it", name);
		return remove_addrs(u, &dev);
	}
	if (!step(u, "ip link delete %s", name))
		return 0;
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
	    k.dst.len != r.dst.len || k.proto != PROTO_UP)
		return 0;
	if (!step(u, "ip route delete %s proto %d", addr_str(&t->remote),
		  PROTO_UP))
		return 0;
	rc = rtnl_route_del(&u->rt, &r);
	return rc && rc != -ESRCH ? failed_rt(u, rc, "remove the route to",
					      addr_str(&t->remote)) : 0;
}

static int do_down(struct up *u)
{
	const struct config *c = u->c;
	struct netdev dev;
	unsigned int i;
	int rc = 0, one;

	one = cni_open(&u->cni);
	u->have_cni = !one;
	if (one && one != -ENOENT)
		rc = one;
	for (i = c->n_ports; i--;)
		count_failure(&rc, withdraw(u, "port", c->ports[i].ifname,
					    has_port, cni_port_del));
	for (i = c->n_tunnels; i--;)
		count_failure(&rc, withdraw(u, "tunnel", c->tunnels[i].ifname,
					    has_tunnel, cni_tunnel_del));
	count_failure(&rc, withdraw(u, "link", c->link.ifname, has_link,
				    cni_link_del));
	for (i = c->n_tunnels; i--;) {
		count_failure(&rc, remove_host_route(u, &c->tunnels[i]));
		count_failure(&rc, remove_dev(u, c->tunnels[i].ifname));
	}
	if (c->link.vlan) {
		count_failure(&rc, remove_dev(u, c->link.ifname));
	} else {
		one = rtnl_dev(&u->rt, c->link.ifname, &dev);
		if (!one)
			count_failure(&rc, remove_addrs(u, &dev));
	}
	/* Nothing tells whether up set it, and nothing else minds it. */
	for (i = 0; c->n_tunnels > 1 && i < N_HASH_POLICIES; i++)
		if (read_number(hash_policies[i].file) == 1)
			remark(u, "%s stays 1", hash_policies[i].name);
	return rc;
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
	struct up u = {};
	struct config *c;
	bool is_up = fn == do_up;
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
	rc = rtnl_open(&u.rt);
	if (!rc) {
		rc = fn(&u);
		if (rc && u.undo) {
			if (!out_json)
				fprintf(stderr, "cnictl: undoing what was done\n");
			roll_back(&u);
		}
	}
	forget_undo(&u);
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
	return rc ? RC_FAILED : RC_OK;
}

int verb_up(int argc, char **argv)
{
	return run(argc, argv, "up", do_up);
}

int verb_down(int argc, char **argv)
{
	return run(argc, argv, "down", do_down);
}
