// SPDX-License-Identifier: GPL-2.0
/* From the routes to traffic both ways. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/rtnetlink.h>

#include "base/lock.h"
#include "base/out.h"
#include "cmd/check/check.h"
#include "cmd/check/firewall.h"
#include "kernel/sysctl.h"
#include "module/format.h"
#include "module/names.h"
#include "routes/agree.h"

/* Prefixes of ours to look after; few have more. */
#define ANNOUNCED_MAX 256
#define TRIES 3

static void agree(struct check *k, struct agree *a, const char **why, int *rc)
{
	unsigned int i;

	/* What is on its way just now is no difference. */
	for (i = 0; i < TRIES; i++) {
		*rc = agree_ask(&k->rt, &k->cni, k->c->tables,
				k->c->n_tables, NULL, 0, a, why);
		if (*rc || !a->differ)
			break;
		check_pause(k, 1);
	}
}

void check_sync(struct check *k)
{
	struct line *l = line_add(k, "sync");
	struct agree a;
	const char *why;
	int rc;

	if (line_waits(k, l, "module") || line_stock(k, l))
		return;
	if (lock_sync_runs()) {
		line_pass(l, "cnictl sync is running");
		return;
	}
	rc = agree_ask(&k->rt, &k->cni, k->c->tables, k->c->n_tables, NULL, 0,
		       &a, &why);
	if (!rc && !a.differ && !a.learnt) {
		line_pass(l, "cnictl sync isn't running, and isn't needed: all routes were set by hand, or are static");
		return;
	}
	line_fail(l, "cnictl sync isn't running: routes that change are punted to the kernel's slow path");
	line_hint(l, "cnictl sync %s", k->c->file);
}

void check_routes(struct check *k)
{
	struct line *l = line_add(k, "routes");
	const char *why;
	struct agree a;
	unsigned int i;
	int rc;

	if (line_waits(k, l, "module") || line_waits(k, l, "sync") ||
	    line_stock(k, l))
		return;
	agree(k, &a, &why, &rc);
	if (rc) {
		line_unknown(l, "%s: %s", why, strerror(-rc));
		return;
	}
	line_data(l, "kernel", json_integer(a.kernel[V4] + a.kernel[V6]));
	line_data(l, "module", json_integer(a.module[V4] + a.module[V6]));
	line_data(l, "differ", json_integer(a.differ));
	if (!a.differ) {
		line_pass(l, "the module has the kernel's %s IPv4 and %s IPv6 prefixes, %s by the fast path",
			  out_count(a.kernel[V4]), out_count(a.kernel[V6]),
			  out_count(a.forwarded[V4] + a.forwarded[V6]));
		return;
	}
	line_fail(l, "%s of the kernel's %s prefixes differ in the module",
		  out_count(a.differ),
		  out_count(a.kernel[V4] + a.kernel[V6]));
	for (i = 0; i < AGREE_NAMED && i < a.differ; i++)
		line_hint(l, "%s %s; cnictl route get %s tells more",
			  addr_prefix_str(&a.named[i].dst), a.named[i].what,
			  addr_str(&a.named[i].dst));
}

/* What an earlier line has said already. */
static uint64_t said(struct check *k)
{
	const struct line *l;
	uint64_t bits = 0;

	l = line_find(k, "device");
	if (l && l->state == CHECK_FAIL)
		/* A device without a carrier has a qdisc that drops. */
		bits |= CNILINK_BLOCKER_DEVICE_DOWN | CNILINK_BLOCKER_NEIGHBOUR |
			CNILINK_BLOCKER_NO_ROUTE | CNILINK_BLOCKER_QDISC |
			CNILINK_BLOCKER_ROUTE_ELSEWHERE;
	l = line_find(k, "addresses");
	if (l && (l->state == CHECK_FAIL || l->waits))
		bits |= CNILINK_BLOCKER_LOCAL_MISSING |
			CNILINK_BLOCKER_NO_ROUTE |
			CNILINK_BLOCKER_ROUTE_ELSEWHERE |
			CNILINK_BLOCKER_NEIGHBOUR;
	l = line_find(k, "arp") ?: line_find(k, "nd");
	if (l && (l->state == CHECK_FAIL || l->waits))
		bits |= CNILINK_BLOCKER_NEIGHBOUR;
	return bits;
}

static void blockers(struct check *k, struct line *l, const char *ifname,
		     uint64_t bits)
{
	bits &= ~said(k);
	line_fail(l, "not offloaded: %s", names_blockers(bits));
	line_hint_blockers(l, bits, ifname);
}

/* Whether the outer packets leave by another link, which shares the far end. */
static bool leaves_elsewhere(struct check *k, struct line *l,
			     const struct config_tunnel *c)
{
	struct kroute r;

	if (!k->dev.ifindex || !if_nametoindex(c->ifname) ||
	    rtnl_route_get_from(&k->rt, &c->remote, &c->local, 0, &r) ||
	    !r.n_hops || r.hops[0].oif == k->dev.ifindex)
		return false;
	line_fail(l, "its packets to %s leave by %s, not by %s",
		  addr_str(&c->remote), rtnl_name(r.hops[0].oif), k->dev.name);
	line_hint(l, "by the route to %s in table %u: remove it, and cnictl reload %s",
		  addr_prefix_str(&r.dst), r.table, k->c->file);
	return true;
}

/* The same by what the kernel tells. */
static void stock_tunnel(struct check *k, struct line *l,
			 const struct config_tunnel *c)
{
	unsigned int room = k->dev.mtu - c->overhead;
	struct netdev dev;

	if (line_waits(k, l, "device"))
		return;
	if (rtnl_dev(&k->rt, c->ifname, &dev)) {
		line_fail(l, "the device isn't there");
		line_hint(l, "cnictl up %s", k->c->file);
	} else if (!(dev.flags & IFF_UP)) {
		line_fail(l, "%s is down", c->ifname);
		line_hint(l, "cnictl up %s", k->c->file);
	} else if (dev.mtu > room) {
		line_fail(l, "MTU %u doesn't fit the %u of %s: %u would",
			  dev.mtu, k->dev.mtu, k->dev.name, room);
		line_hint(l, "ip link set %s mtu %u", c->ifname, room);
	} else {
		line_pass(l, "up, MTU %u fits the %u of %s", dev.mtu,
			  k->dev.mtu, k->dev.name);
	}
}

static void one_tunnel(struct check *k, const struct config_tunnel *c)
{
	struct line *l = line_add(k, "tunnel %.15s", c->ifname);
	const struct cni_tunnel *t;
	char health[80] = "";

	if (leaves_elsewhere(k, l, c) || line_waits(k, l, "module"))
		return;
	if (k->stock) {
		stock_tunnel(k, l, c);
		return;
	}
	t = sample_tunnel(&k->then, if_nametoindex(c->ifname));
	if (!t) {
		line_fail(l, "%s", if_nametoindex(c->ifname) ?
			  "the module doesn't know it" :
			  "the device isn't there");
		line_hint(l, "cnictl up %s", k->c->file);
		return;
	}
	if (t->blockers & ~said(k)) {
		blockers(k, l, c->ifname, t->blockers);
		return;
	}
	if (t->blockers) {
		(void)(line_waits(k, l, "device") ||
		       line_waits(k, l, "addresses") ||
		       line_waits(k, l, "arp") || line_waits(k, l, "nd"));
		return;
	}
	if (format_mtu_problem(t)) {
		line_fail(l, "%s", format_mtu_problem(t));
		return;
	}
	if (t->opts.n_health)
		snprintf(health, sizeof(health),
			 ", %s health checks answered",
			 out_count(t->answered));
	line_pass(l, "offloaded, MTU %u fits the %u under it%s", t->mtu,
		  t->outer_mtu, health);
}

void check_tunnels(struct check *k)
{
	unsigned int i;

	for (i = 0; i < k->c->n_tunnels; i++)
		one_tunnel(k, &k->c->tunnels[i]);
}

/* Of a device, or "all"; -1 where there's none. */
static int rp_filter(const char *ifname)
{
	char path[96];

	snprintf(path, sizeof(path), "net/ipv4/conf/%s/rp_filter", ifname);
	return sysctl_read(path);
}

/*
 * With a strict filter a tunnel only takes packets from where it leads to:
 * that drops visitors, unless all routes go by it.
 */
static void check_filter(struct check *k, struct line *l, const char *ifname,
			 unsigned int *n)
{
	static const struct addr anywhere = {
		.family = AF_INET, .len = 32, .b = { 8, 8, 8, 8 },
	};
	uint32_t ifindex = if_nametoindex(ifname);
	int all = rp_filter("all"), own = rp_filter(ifname);
	struct kroute r;
	unsigned int i;

	if (!ifindex || (all > own ? all : own) != 1)
		return;
	if (!rtnl_route_get(&k->rt, &anywhere, &r))
		for (i = 0; i < r.n_hops; i++)
			if (r.hops[i].oif == ifindex)
				return;
	(*n)++;
	line_hint(l, "rp_filter is 1 for %s: packets whose source isn't routed back by it are dropped, so visitors' and unidirectional health checks': sysctl -w net.ipv4.conf.%s.rp_filter=2",
		  ifname, all == 1 && own < 1 ? "all" : ifname);
}

/* What keeps packets off the fast path. */
struct obstacles {
	unsigned int n;
	bool firewall;
};

static void in_the_way(struct check *k, struct line *l, const char *what,
		       const char *ifname, uint64_t bits, struct obstacles *o)
{
	uint64_t bit;

	bits &= ~said(k);
	for (bit = 1; bit; bit <<= 1) {
		if (!(bits & bit))
			continue;
		if (bit == CNILINK_BLOCKER_NETFILTER) {
			/* What the chains are is the same for all. */
			o->firewall = true;
			if (firewall_offloads(k))
				continue;
			line_hint(l, "%s: the firewall, or another netfilter hook, looks at its packets, so they take the kernel's own path",
				  what);
		} else {
			line_hint(l, "%s: %s", what,
				  names_blocker_advice(bit, ifname));
		}
		o->n++;
	}
}

static void the_firewall(struct check *k, struct line *l)
{
	if (*k->then.status.hooks)
		line_hint(l, "the hooks in the way: %s", k->then.status.hooks);
	firewall_way_out(k, l);
}

/* Where packets come in that are to be forwarded; -1 where there's none. */
static int forwards4(const char *ifname)
{
	char path[96];

	snprintf(path, sizeof(path), "net/ipv4/conf/%s/forwarding", ifname);
	return sysctl_read(path);
}

static const char *not_forwarding4(struct check *k)
{
	unsigned int i;

	if (!forwards4(k->c->link.ifname))
		return k->c->link.ifname;
	for (i = 0; i < k->c->n_tunnels; i++)
		if (!forwards4(k->c->tunnels[i].ifname))
			return k->c->tunnels[i].ifname;
	for (i = 0; i < k->c->n_ports; i++)
		if (!forwards4(k->c->ports[i].ifname))
			return k->c->ports[i].ifname;
	return NULL;
}

/* Only who has a network behind this host wants it to forward. */
void check_forwarding(struct check *k)
{
	const char *off;
	struct line *l;

	if (!k->c->n_ports)
		return;
	if (config_carries(k->c, AF_INET)) {
		l = line_add(k, "forwarding4");
		off = not_forwarding4(k);
		if (off) {
			line_fail(l, "the kernel forwards no IPv4 packets that come in by %s",
				  off);
			line_hint(l, sysctl_read("net/ipv4/ip_forward") == 1 ?
				  "sysctl -w net/ipv4/conf/%s/forwarding=1" :
				  "sysctl -w net.ipv4.ip_forward=1, and the same line in a file of /etc/sysctl.d, for after a reboot",
				  off);
		} else {
			line_pass(l, "the kernel forwards IPv4");
		}
	}
	if (config_carries(k->c, AF_INET6)) {
		l = line_add(k, "forwarding6");
		if (!sysctl_read("net/ipv6/conf/all/forwarding")) {
			line_fail(l, "the kernel forwards no IPv6 packets");
			line_hint(l, "sysctl -w net.ipv6.conf.all.forwarding=1, and the same line in a file of /etc/sysctl.d, for after a reboot");
		} else {
			line_pass(l, "the kernel forwards IPv6");
		}
	}
}

static void stock_bypass(struct check *k, struct line *l)
{
	unsigned int i, n = 0;

	for (i = 0; i < k->c->n_tunnels; i++)
		check_filter(k, l, k->c->tunnels[i].ifname, &n);
	if (n)
		line_fail(l, "packets that come by the tunnel are dropped");
	else
		line_pass(l, "no source check drops packets");
}

static void add_name(char *list, size_t size, const char *name)
{
	size_t n = strlen(list);

	snprintf(list + n, size - n, " %s", name);
}

void check_bypass(struct check *k)
{
	const struct cni_status *s = &k->then.status;
	struct line *l = line_add(k, "bypass");
	char stepped[128] = "", outer[128] = "";
	const struct cni_tunnel *t;
	const struct cni_link *link;
	const struct cni_port *p;
	uint64_t of_all = s->blockers4 | s->blockers6;
	struct obstacles o = {};
	const char *ifname;
	unsigned int i;

	if (line_waits(k, l, "module"))
		return;
	if (k->stock) {
		stock_bypass(k, l);
		return;
	}
	link = sample_link(&k->then, if_nametoindex(k->c->link.ifname));
	if (link)
		in_the_way(k, l, k->c->link.ifname, k->c->link.ifname,
			   link->blockers, &o);
	for (i = 0; i < k->c->n_ports; i++) {
		ifname = k->c->ports[i].ifname;
		p = sample_port(&k->then, if_nametoindex(ifname));
		if (!p) {
			o.n++;
			line_hint(l, "%s is no port of the module: cnictl up %s",
				  ifname, k->c->file);
			continue;
		}
		in_the_way(k, l, ifname, ifname, p->blockers, &o);
		/*
		 * Those of all ports are the ports', too. Forwarding has a
		 * line of its own by version, and rules are of the addresses'.
		 */
		of_all &= ~(p->blockers | CNILINK_BLOCKER_FORWARDING_OFF |
			    CNILINK_BLOCKER_NO_RULE);
		if (p->opts.flags & CNILINK_PORT_FLAG_BYPASS_NETFILTER)
			add_name(stepped, sizeof(stepped), ifname);
	}
	if (k->c->n_ports)
		in_the_way(k, l, "all", "every port", of_all, &o);
	for (i = 0; i < k->c->n_tunnels; i++) {
		ifname = k->c->tunnels[i].ifname;
		check_filter(k, l, ifname, &o.n);
		t = sample_tunnel(&k->then, if_nametoindex(ifname));
		if (t && t->opts.flags & CNILINK_TUNNEL_FLAG_BYPASS_NETFILTER)
			add_name(outer, sizeof(outer), ifname);
	}
	if (o.firewall)
		the_firewall(k, l);
	if (o.n == 1)
		line_fail(l, "something keeps packets off the fast path, or drops them");
	else if (o.n)
		line_fail(l, "%u things keep packets off the fast path, or drop them",
			  o.n);
	else if (o.firewall)
		line_pass(l, "established connections take a flowtable past the firewall");
	else if (*stepped || *outer)
		line_pass(l, "nothing is in the way; as configured, netfilter is bypassed for %s%s%s%s%s",
			  *stepped ? "packets from" : "", stepped,
			  *stepped && *outer ? ", and for " : "",
			  *outer ? "the outer packets of" : "", outer);
	else
		line_pass(l, "nothing is in the way, and nothing is bypassed");
}

struct back {
	struct addr prefix;
	bool ok;
	bool theirs;		/* a route leads to Cloudflare */
};

struct backs {
	struct back v[ANNOUNCED_MAX];
	unsigned int n;
	uint32_t loopback;
	uint32_t out[64];	/* links and tunnels: no way back */
	unsigned int n_out;
};

static bool leads_out(const struct backs *b, const struct kroute *r)
{
	unsigned int i, k;

	for (i = 0; i < r->n_hops; i++)
		for (k = 0; k < b->n_out; k++)
			if (r->hops[i].oif == b->out[k])
				return true;
	return false;
}

/* A route to it, or to a part of it, that isn't by Cloudflare's devices. */
static int find_back(const struct kroute *r, const struct nlmsghdr *raw,
		     void *arg)
{
	struct backs *b = arg;
	unsigned int i;
	bool out;

	(void)raw;
	if (!r || !r->dst.len ||
	    (r->type != RTN_UNICAST && r->type != RTN_LOCAL))
		return 0;
	/* This host's address in a network is no way to the others there. */
	if (r->type == RTN_LOCAL &&
	    (!r->n_hops || r->hops[0].oif != b->loopback))
		return 0;
	out = leads_out(b, r);
	for (i = 0; i < b->n; i++) {
		if (addr_covers(&r->dst, &b->v[i].prefix) && out)
			b->v[i].theirs = true;
		else if (!out && (addr_covers(&r->dst, &b->v[i].prefix) ||
				  addr_covers(&b->v[i].prefix, &r->dst)))
			b->v[i].ok = true;
	}
	return 0;
}

static void ways_out(struct check *k, struct backs *b)
{
	unsigned int i;

	b->loopback = if_nametoindex("lo");
	b->out[b->n_out++] = k->dev.ifindex;
	for (i = 0; i < k->c->n_tunnels && b->n_out < 64; i++)
		b->out[b->n_out++] = if_nametoindex(k->c->tunnels[i].ifname);
}

static int find_backs(struct check *k, struct backs *b)
{
	unsigned int i, v;
	int rc = 0;

	for (v = 0; !rc && v < 2; v++) {
		int family = v == V4 ? AF_INET : AF_INET6;

		for (i = 0; !rc && i < k->c->n_tables; i++)
			rc = rtnl_routes(&k->rt, family, k->c->tables[i],
					 find_back, b);
		if (!rc)
			rc = rtnl_routes(&k->rt, family, RT_TABLE_LOCAL,
					 find_back, b);
	}
	return rc;
}

/* The configured ones that the sessions leave out. */
static bool all_announced(struct check *k, struct line *l,
			  const struct backs *b)
{
	const struct addr *a = k->c->bgp.announce;
	unsigned int i, n = k->c->bgp.n_announce;

	for (; n; a++, n--) {
		for (i = 0; i < b->n; i++)
			if (addr_same(&b->v[i].prefix, a) &&
			    b->v[i].prefix.len == a->len)
				break;
		if (i < b->n)
			continue;
		line_fail(l, "%s isn't announced to Cloudflare, which so knows no way back to it",
			  addr_prefix_str(a));
		line_hint(l, "export it in %s's sessions, as cnictl bgp-config has it",
			  k->bgpd.daemon->name);
		return false;
	}
	return true;
}

void check_return(struct check *k)
{
	struct addr list[ANNOUNCED_MAX];
	struct backs b = {};
	unsigned int i, n_sessions, missing = 0;
	struct line *l;

	if (!config_has_bgp(k->c))
		return;
	l = line_add(k, "return");
	/* Which prefixes are ours the daemon knows. */
	if (line_waits(k, l, "device") || check_waits_for_bgp(k, l))
		return;
	b.n = check_announced(k, list, ANNOUNCED_MAX, &n_sessions);
	if (!n_sessions) {
		line_unknown(l, "no BGP daemon says which prefixes are yours");
		return;
	}
	for (i = 0; i < b.n; i++)
		b.v[i].prefix = list[i];
	if (!all_announced(k, l, &b))
		return;
	if (!b.n) {
		line_unknown(l, "you announce no prefix");
		line_hint(l, "unless Cloudflare has static routes to you, it knows no way back: export your prefixes in the BGP session");
		return;
	}
	ways_out(k, &b);
	if (find_backs(k, &b)) {
		line_unknown(l, "the kernel's routes can't be read");
		return;
	}
	for (i = 0; i < b.n; i++) {
		if (b.v[i].ok)
			continue;
		if (b.v[i].theirs) {
			line_fail(l, "you announce %s back to Cloudflare, from where it came",
				  addr_prefix_str(&b.v[i].prefix));
			line_hint(l, "let the session export nothing but your own prefixes");
			return;
		}
		if (!missing++)
			line_fail(l, "you announce %s, but no route leads there but the default one",
				  addr_prefix_str(&b.v[i].prefix));
		line_hint(l, "packets from Cloudflare for %s get lost here: add a route to it, or announce it no more",
			  addr_prefix_str(&b.v[i].prefix));
	}
	if (!missing)
		line_pass(l, "routes lead to all %u that you announce", b.n);
}

/*
 * Of this link, its tunnels included. What this host itself sends by them, such
 * as our own pings, says nothing of a way back for what it forwards.
 */
struct flow {
	uint64_t in, out, sent;
};

static struct flow flow_of(const struct check *k)
{
	const struct cni_link *a = sample_link(&k->then, k->dev.ifindex);
	const struct cni_link *b = sample_link(&k->now, k->dev.ifindex);
	const struct cni_tunnel *t, *u;
	struct flow f = {};
	uint32_t ifindex;
	unsigned int i;

	if (!a || !b)
		return f;
	for (i = 0; i < k->c->n_tunnels; i++) {
		ifindex = if_nametoindex(k->c->tunnels[i].ifname);
		t = sample_tunnel(&k->then, ifindex);
		u = sample_tunnel(&k->now, ifindex);
		if (t && u)
			f.sent += sample_growth(t->output.tx_packets,
						u->output.tx_packets);
	}
	f.in = sample_growth(a->stats.rx_packets, b->stats.rx_packets);
	f.out = sample_growth(a->stats.tx_packets + f.sent,
			      b->stats.tx_packets);
	return f;
}

/* Answers would come by a tunnel whose other end is silent. */
static bool waits_for_tunnels(struct check *k, struct line *l)
{
	unsigned int i, v;

	for (i = 0; i < k->c->n_tunnels; i++)
		for (v = V4; v <= V6; v++)
			if (line_waits(k, l, check_inside_name("ping", v,
							&k->c->tunnels[i])))
				return true;
	return false;
}

/* A device's packets in and out, by the kernel's count. */
static bool dev_packets(const char *ifname, uint64_t *in, uint64_t *out)
{
	unsigned long long rx, tx;
	bool found = false;
	char line[512], *at;
	FILE *f;

	/* Not /sys, which may be another namespace's. */
	f = fopen("/proc/thread-self/net/dev", "re");
	while (f && !found && fgets(line, sizeof(line), f)) {
		at = strchr(line, ':');
		if (!at)
			continue;
		*at = '\0';
		if (strcmp(line + strspn(line, " "), ifname))
			continue;
		found = sscanf(at + 1, "%*u %llu %*u %*u %*u %*u %*u %*u %*u %llu",
			       &rx, &tx) == 2;
	}
	if (f)
		fclose(f);
	if (found) {
		*in = rx;
		*out = tx;
	}
	return found;
}

/* Of the link as a whole; our own pings are over by now. */
static void stock_traffic(struct check *k, struct line *l)
{
	const char *ifname = k->c->link.ifname;
	uint64_t in[2], out[2];

	if (!dev_packets(ifname, &in[0], &out[0]))
		return;
	check_pause(k, k->interval);
	if (!dev_packets(ifname, &in[1], &out[1]))
		return;
	in[1] = sample_growth(in[0], in[1]);
	out[1] = sample_growth(out[0], out[1]);
	line_data(l, "in", json_integer(in[1]));
	line_data(l, "out", json_integer(out[1]));
	if (in[1] && out[1])
		line_pass(l, "%s packets in and %s out by %s in %.1f s, the kernel's own path",
			  out_count(in[1]), out_count(out[1]), ifname,
			  k->interval);
	else
		line_unknown(l, "%s packets in and %s out by %s in %.1f s",
			     out_count(in[1]), out_count(out[1]), ifname,
			     k->interval);
}

void check_traffic(struct check *k)
{
	struct line *l = line_add(k, "traffic");
	const struct line *back = line_find(k, "return");
	struct flow f;
	double s;

	if (line_waits(k, l, "module") || line_waits(k, l, "device") ||
	    line_waits(k, l, "vlan") || line_waits(k, l, "bypass"))
		return;
	if (k->stock) {
		stock_traffic(k, l);
		return;
	}
	if (!check_sample(k, &k->now))
		return;
	s = (k->now.ms - k->then.ms) / 1000.0;
	if (s < k->interval) {
		check_pause(k, k->interval - s);
		if (!check_sample(k, &k->now))
			return;
		s = (k->now.ms - k->then.ms) / 1000.0;
	}
	f = flow_of(k);
	line_data(l, "in", json_integer(f.in));
	line_data(l, "out", json_integer(f.out));
	line_data(l, "seconds", json_real(s));
	if (f.in && f.out + f.sent) {
		line_pass(l, "%s packets in and %s out by the fast path in %.1f s",
			  out_count(f.in), out_count(f.out + f.sent), s);
	} else if (f.out) {
		if (line_waits(k, l, "return") || waits_for_tunnels(k, l))
			return;
		line_fail(l, "%s packets out but none in by the fast path in %.1f s",
			  out_count(f.out), s);
		line_hint(l, !back ?
			  "does Cloudflare have static routes to you? Without BGP it knows no other way back" :
			  back->state == CHECK_UNKNOWN ?
			  "does Cloudflare know the way back? You announce no prefix to it, as far as is known here" :
			  "does Cloudflare know the way back, and accept what you announce? Ask your engineer there for its routes to you");
	} else if (f.in) {
		line_unknown(l, "%s packets in but none out by the fast path in %.1f s",
			     out_count(f.in), s);
		line_hint(l, "with direct server return the answers leave elsewhere; else look at your servers' way back: cnictl show port");
	} else {
		line_unknown(l, "no forwarded packet in %.1f s", s);
		line_hint(l, "have a host of your network ping an address of Cloudflare's meanwhile, such as 1.1.1.1");
	}
}

void check_health(struct check *k)
{
	const struct cni_tunnel *t;
	const struct health *h;
	struct line *l;
	unsigned int i;

	for (i = 0; i < k->c->n_tunnels; i++) {
		if (!k->c->tunnels[i].opts.n_health)
			continue;
		l = line_add(k, "health %.15s", k->c->tunnels[i].ifname);
		if (line_waits(k, l, "module"))
			continue;
		if (k->stock) {
			line_unknown(l, "the kernel answers them, if anybody: only the module counts them");
			continue;
		}
		t = sample_tunnel(&k->then,
				    if_nametoindex(k->c->tunnels[i].ifname));
		h = &k->health[i];
		if (!t || h->state == HEALTH_UNKNOWN) {
			line_unknown(l, "no probe came in %u s",
				     k->health[i].n);
			line_hint(l, "are health checks enabled for the tunnel at Cloudflare, of the same type and direction as here?");
			continue;
		}
		line_data(l, "state", json_string(health_state_str(h->state)));
		line_data(l, "probes", json_integer(h->good + h->bad));
		line_data(l, "failures", json_integer(h->bad));
		if (h->state == HEALTH_HEALTHY)
			line_pass(l, "healthy by Cloudflare's rules, as seen here: %s probes, %s unanswered or missing (%.2f %%) in %u s",
				  out_count(h->good + h->bad),
				  out_count(h->bad), health_loss(h), h->n);
		else
			line_fail(l, "%s by Cloudflare's rules, as seen here: %s probes, %s unanswered or missing (%.2f %%) in %u s",
				  health_state_str(h->state),
				  out_count(h->good + h->bad),
				  out_count(h->bad), health_loss(h), h->n);
		if (t->limited)
			line_hint(l, "%s probes were more than health-rate allows: raise it",
				  out_count(t->limited));
	}
}
