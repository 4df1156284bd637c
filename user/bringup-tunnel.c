// SPDX-License-Identifier: GPL-2.0
/* A tunnel: the stock gre device, and the route to its other end. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/if_link.h>
#include <linux/ip6_tunnel.h>
#include <linux/netlink.h>

#include "bringup.h"
#include "out.h"

const char *gre_kind(bool v6)
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

uint32_t tunnel_mtu(struct up *u, const struct config_tunnel *t)
{
	uint32_t room = u->link.mtu - t->overhead;

	return t->mtu_given || t->mtu < room ? t->mtu : room;
}

bool in_the_way(struct up *u, const struct netdev *dev)
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

static bool is_tunnel_of(const struct config *c, const char *name)
{
	unsigned int i;

	for (i = 0; i < c->n_tunnels; i++)
		if (!strcmp(c->tunnels[i].ifname, name))
			return true;
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

static int refuse_twin(struct up *u, const struct config_tunnel *t,
		const struct netdev *own)
{
	const struct netdev *dev;
	struct netdev *list;
	unsigned int n, i;
	struct gre want;
	int rc;

	/* Without such a binding it isn't preferred. */
	if (!u->link.ifindex || (own && own->parent == u->link.ifindex))
		return 0;
	rc = rtnl_devs(&u->rt, &list, &n);
	if (rc)
		return failed_rt(u, rc, "list the devices beside", t->ifname);
	want_gre(t, &want);
	for (i = 0; i < n && !rc; i++) {
		dev = &list[i];
		if (strcmp(dev->kind, gre_kind(want.v6)) ||
		    dev->parent != u->link.ifindex ||
		    is_tunnel_of(u->c, dev->name) ||
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

static bool same_tunnel(const struct gre *a, const struct gre *b)
{
	return addr_same(&a->local, &b->local) &&
	       addr_same(&a->remote, &b->remote) &&
	       a->has_ikey == b->has_ikey && a->has_okey == b->has_okey &&
	       a->ikey == b->ikey && a->okey == b->okey;
}

/* Of this name, but not this tunnel: somebody uses it. */
static bool refuse_foreign(struct up *u, const struct config_tunnel *t,
			   const struct netdev *dev)
{
	const char *owner = owner_of(u, t->ifname);
	struct gre want;

	want_gre(t, &want);
	if (owner)
		err("%s is a tunnel of the link '%s'", t->ifname, owner);
	else if (is_ours(u, dev) || same_tunnel(&dev->gre, &want))
		return false;
	else
		err("there is a tunnel %s already, from %s to %s, which cnictl up didn't make",
		    t->ifname, gre_end(&dev->gre.local),
		    gre_end(&dev->gre.remote));
	hint("give the tunnel another name in %s, or remove that one (ip link delete %s)",
	     u->c->file, t->ifname);
	return true;
}

int look_at_tunnel(struct up *u, const struct config_tunnel *t)
{
	const char *kind = gre_kind(t->remote.family == AF_INET6);
	struct netdev dev;
	int rc;

	rc = look_at(u, t->ifname, &dev);
	if (rc && rc != -ENODEV)
		return failed_rt(u, rc, "look at", t->ifname);
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
	undoing(u, "ip link set %s as it was", undo->dev.name);
	rtnl_dev_reset(&u->rt, &undo->dev);
}

static int make_gre(struct up *u, const struct config_tunnel *t,
		    struct netdev *dev)
{
	uint32_t mtu = tunnel_mtu(u, t);
	bool again = false;
	struct gre want;
	int rc;

	want_gre(t, &want);
look:
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
	/* Somebody else was faster. */
	if (rc == -EEXIST && !again && !look_at(u, t->ifname, dev)) {
		again = true;
		rc = look_at_tunnel(u, t);
		if (rc)
			return rc;
		goto look;
	}
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

static void undo_addrgen(struct up *u, const struct undo *undo)
{
	undoing(u, "addrgenmode of %s as it was", dev_name(undo->ifindex));
	rtnl_dev_addrgen(&u->rt, undo->ifindex, undo->number);
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

int remove_host_route(struct up *u, const struct config_tunnel *t)
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

int make_tunnel(struct up *u, const struct config_tunnel *t)
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
		warn_local(u, t);
	return rc;
}
