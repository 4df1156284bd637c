// SPDX-License-Identifier: GPL-2.0
/* From the module and the cable to pings of whole packets. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/if_ether.h>
#include <linux/neighbour.h>

#include "base/out.h"
#include "cmd/check/check.h"
#include "config/record.h"
#include "kernel/ethtool.h"
#include "kernel/module.h"
#include "kernel/pair.h"
#include "module/format.h"

#define DARK_DBM (-20.0)	/* less is "no light" to Cloudflare */
#define PINGS 5

/* Whether the link was told to go without the module. */
static bool told_off(struct check *k)
{
	struct record r;

	record_of(&r, k->rt.fd, k->c->link.title);
	return k->c->link.offload == OFFLOAD_OFF || record_is_stock(&r);
}

static void no_module(struct check *k, struct line *l)
{
	char *nl;

	if (*k->no_cni) {
		nl = strchr(k->no_cni, '\n');
		*nl = '\0';
		line_fail(l, "%s", k->no_cni);
		if (nl[1])
			line_hint(l, "%.*s", (int)strcspn(nl + 1, "\n"),
				  nl + 1);
	} else if (k->c->link.offload == OFFLOAD_REQUIRED) {
		line_fail(l, "the kernel module cnilink isn't loaded");
	} else {
		line_unknown(l, "no fast path: the kernel module cnilink isn't loaded; all else is looked at as it is without it");
	}
	line_hint(l, "cnictl reload %s loads it, or says why it can't be (%s)",
		  k->c->file, module_command());
	k->stock = k->c->link.offload != OFFLOAD_REQUIRED;
	if (k->stock && l->state == CHECK_FAIL)
		l->state = CHECK_UNKNOWN;
}

void check_module(struct check *k)
{
	struct line *l = line_add(k, "module");
	const char *ifname = k->c->link.ifname;

	if (told_off(k) &&
	    !(check_sample(k, &k->then) &&
	      sample_link(&k->then, if_nametoindex(ifname)))) {
		line_pass(l, "left out, as was said%s", k->have_cni ? "" :
			  ": the kernel module cnilink isn't loaded");
		k->stock = true;
		return;
	}
	if (!k->have_cni) {
		no_module(k, l);
		return;
	}
	if (!check_sample(k, &k->then)) {
		line_fail(l, "the module doesn't answer: %s",
			  k->cni.nl.extack);
		return;
	}
	if (!sample_link(&k->then, if_nametoindex(ifname))) {
		line_fail(l, "version %s is loaded, but %s is no link of it",
			  k->then.status.version, ifname);
		line_hint(l, "cnictl reload %s", k->c->file);
		return;
	}
	line_pass(l, "version %s is loaded and has the link %s",
		  k->then.status.version, ifname);
}

static void need_up(struct check *k, struct line *l, const char *ifname)
{
	line_hint(l, "cnictl up %s, or ip link set %s up", k->c->file, ifname);
}

void check_device(struct check *k)
{
	const struct config_link *c = &k->c->link;
	struct line *l = line_add(k, "device");
	char name[IFNAMSIZ];
	unsigned int speed;

	if (rtnl_dev(&k->rt, c->device, &k->lower)) {
		line_fail(l, "there is no device %s", c->device);
		line_hint(l, "ip link lists those that there are; \"device\" in %s names the port to Cloudflare",
			  k->c->file);
		return;
	}
	if (!(k->lower.flags & IFF_UP)) {
		line_fail(l, "%s is down", c->device);
		need_up(k, l, c->device);
		return;
	}
	if (!k->lower.carrier) {
		line_fail(l, "%s has no carrier", c->device);
		line_hint(l, "check the cross-connect, the optics (10GBASE-LR or 100GBASE-LR), transmit and receive not swapped, and whether Cloudflare's port is enabled");
		return;
	}
	if (rtnl_dev(&k->rt, c->ifname, &k->dev)) {
		line_fail(l, "there is no device %s", c->ifname);
		if (c->vlan && rtnl_vlan_find(&k->rt, k->lower.ifindex,
					      c->vlan, name))
			line_hint(l, "VLAN %u of %s is there, as %s: \"name = %s\" in the link of %s",
				  c->vlan, c->device, name, name, k->c->file);
		else
			line_hint(l, "cnictl up %s makes it", k->c->file);
		return;
	}
	if (!(k->dev.flags & IFF_UP)) {
		line_fail(l, "%s is down", c->ifname);
		need_up(k, l, c->ifname);
		return;
	}
	if (c->vlan && k->dev.vlan_id != c->vlan) {
		line_fail(l, "%s has VLAN %u, but you configured %u",
			  c->ifname, k->dev.vlan_id, c->vlan);
		line_hint(l, "cnictl down and up %s", k->c->file);
		return;
	}
	speed = ethtool_speed(c->device);
	if (speed)
		line_pass(l, "%s is up with a carrier, %u Mbit/s", c->device,
			  speed);
	else
		line_pass(l, "%s is up with a carrier", c->device);
	k->strangers = strangers_open(k->dev.ifindex);
}

void check_light(struct check *k)
{
	struct line *l = line_add(k, "light");
	struct optics o;
	json_t *dbm;
	char text[200];
	size_t used = 0;
	unsigned int i;
	bool dark = false;
	int rc;

	if (!k->lower.ifindex) {
		line_waits(k, l, "device");
		return;
	}
	rc = ethtool_optics(k->c->link.device, &o);
	if (rc == -EPERM) {
		line_unknown(l, "that takes root");
		return;
	}
	if (rc || !o.lanes) {
		line_unknown(l, "%s's driver doesn't report any",
			     k->c->link.device);
		return;
	}
	dbm = json_array();
	line_data(l, "rx-dbm", dbm);
	for (i = 0; i < o.lanes; i++) {
		json_array_append_new(dbm, json_real(o.rx[i]));
		used += snprintf(text + used, sizeof(text) - used, "%s%.1f",
				 i ? ", " : "", o.rx[i]);
		dark |= o.rx[i] < DARK_DBM;
	}
	if (dark) {
		line_fail(l, "%s receives %s dBm; less than %.0f is no light",
			  k->c->link.device, text, DARK_DBM);
		line_hint(l, "clean and check the fibre, and ask Cloudflare for the light levels at the other end");
	} else {
		line_pass(l, "%s receives %s dBm", k->c->link.device, text);
	}
}

static void set_up_peer(struct check *k, int v, const struct addr *local,
			const struct addr *peer)
{
	struct ping_target *t = &k->peers[v];

	memset(t, 0, sizeof(*t));
	memcpy(t->ifname, k->c->link.ifname, sizeof(t->ifname));
	t->ifindex = k->dev.ifindex;
	t->local = *local;
	t->peer = *peer;
}

/* What isn't bound to the device, as BGP isn't, finds it by the routes. */
static bool both_lead(struct check *k, struct line *l)
{
	struct pair_problem p;
	unsigned int v;

	for (v = 0; v < 2; v++) {
		if (!k->peers[v].peer.family ||
		    pair_leads(&k->rt, &k->dev, &k->peers[v].local,
			       &k->peers[v].peer, &p))
			continue;
		line_fail(l, "%s", p.text);
		line_hint(l, "%s", p.hint);
		return false;
	}
	return true;
}

void check_addresses(struct check *k)
{
	const struct config_link *c = &k->c->link;
	struct line *l = line_add(k, "addresses");
	const struct addr *want[2] = { &c->local4, &c->local6 };
	struct devaddr *list;
	unsigned int n, i, v;
	char text[128];
	size_t used = 0;

	set_up_peer(k, V4, &c->local4, &c->peer4);
	set_up_peer(k, V6, &c->local6, &c->peer6);
	if (line_waits(k, l, "device"))
		return;
	if (rtnl_addrs(&k->rt, k->dev.ifindex, &list, &n)) {
		line_unknown(l, "the kernel doesn't tell");
		return;
	}
	for (v = 0; v < 2; v++) {
		if (!want[v]->family)
			continue;
		for (i = 0; i < n; i++)
			if (addr_same(&list[i].a, want[v]))
				break;
		if (i == n) {
			line_fail(l, "%s isn't on %s", addr_prefix_str(want[v]),
				  c->ifname);
			line_hint(l, "cnictl up %s", k->c->file);
			break;
		}
		used += snprintf(text + used, sizeof(text) - used, "%s%s",
				 used ? " and " : "",
				 addr_prefix_str(want[v]));
	}
	free(list);
	if (v < 2 || !both_lead(k, l))
		return;
	line_pass(l, "%s on %s", text, c->ifname);
}

static bool resolved(uint16_t state)
{
	return state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE |
			NUD_PERMANENT | NUD_NOARP);
}

/* Has the kernel look for the neighbours, and waits for the answer. */
static void poke(struct check *k)
{
	static const struct ping_options o = {
		.count = 3, .interval = 0.4, .last_wait = 1000, .enough = 1,
	};
	unsigned int v;

	for (v = 0; v < 2; v++) {
		if (!k->peers[v].peer.family)
			continue;
		ping_run(&o, &k->peers[v], &k->pings[v]);
		if (rtnl_neigh(&k->rt, k->dev.ifindex, &k->peers[v].peer,
			       &k->neigh[v]))
			k->neigh[v] = 0;
	}
}

static uint64_t sum(const struct cni_stats *s)
{
	uint64_t n = s->rx_packets;
	unsigned int i;

	for (i = 0; i < CNI_REASONS; i++)
		n += s->punt[i] + s->drop[i];
	return n;
}

/* "VLAN 101", "VLAN 101 (802.1ad)" or "without a VLAN tag" */
static void add_seen(char *text, size_t size, const struct cni_seen *s)
{
	size_t used = strlen(text);
	const char *and = used ? " and " : "";

	if (!s->vlan_proto)
		snprintf(text + used, size - used, "%swithout a VLAN tag", and);
	else
		snprintf(text + used, size - used, "%swith VLAN %u%s", and,
			 s->vlan_id, s->vlan_proto == ETH_P_8021AD ?
			 " (802.1ad)" : "");
}

static void vlan_mismatch(struct check *k, struct line *l,
			  const struct cni_link *link)
{
	const struct config_link *c = &k->c->link;
	const struct cni_seen *s, *one = NULL;
	char text[160] = "", have[32] = "none";
	unsigned int i, n = 0, pass;

	/* Those with a tag first: some send untagged frames in any case. */
	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < link->n_seen; i++) {
			s = &link->seen[i];
			if (s->ifindex || s->last > SEEN_RECENT_MS ||
			    (s->vlan_proto ? 0 : 1) != pass || n == 4)
				continue;
			add_seen(text, sizeof(text), s);
			if (s->vlan_proto == ETH_P_8021Q && !one)
				one = s;
			n++;
		}
	}
	if (!n) {
		line_unknown(l, "no frames arrive on %s at all", c->device);
		if (link->vlan_filter)
			line_hint(l, "%s drops frames of other VLANs unseen: ethtool -K %s rx-vlan-filter off, and look again",
				  c->device, c->device);
		else
			line_hint(l, "the other side sends nothing: is its port configured yet?");
		return;
	}
	if (c->vlan)
		snprintf(have, sizeof(have), "%u", c->vlan);
	line_fail(l, "frames arrive %s, you configured %s", text, have);
	if (one)
		line_data(l, "vlan-id", json_integer(one->vlan_id));
	if (one)
		line_hint(l, "set \"vlan = %u\" in %s, then cnictl down and up; or have the carrier, or Cloudflare, change theirs to %s",
			  one->vlan_id, k->c->file, have);
	else
		line_hint(l, "ask the carrier, or Cloudflare, which VLAN the port carries, if any");
}

void check_vlan(struct check *k)
{
	const struct config_link *c = &k->c->link;
	struct line *l = line_add(k, "vlan");
	const struct cni_link *then, *now;
	char what[40];

	if (line_waits(k, l, "device") || line_waits(k, l, "addresses"))
		return;
	poke(k);
	snprintf(what, sizeof(what), c->vlan ? "frames arrive with VLAN %u" :
		 "frames arrive without a VLAN tag", c->vlan);
	if (resolved(k->neigh[V4]) || resolved(k->neigh[V6])) {
		line_pass(l, "%s, as configured", what);
		return;
	}
	if (line_waits(k, l, "module"))
		return;
	if (k->stock) {
		line_unknown(l, "nobody answers, and only the module sees frames of other VLANs");
		line_hint(l, "look yourself: tcpdump -e -n -i %s", c->device);
		return;
	}
	if (!check_sample(k, &k->now))
		return;
	then = sample_link(&k->then, k->dev.ifindex);
	now = sample_link(&k->now, k->dev.ifindex);
	if (then && now && sum(&now->stats) > sum(&then->stats))
		line_pass(l, "%s, as configured", what);
	else if (now)
		vlan_mismatch(k, l, now);
}

void check_neighbours(struct check *k)
{
	struct line *l;
	unsigned int v;
	const char *who, *what;

	for (v = 0; v < 2; v++) {
		if (!k->peers[v].peer.family)
			continue;
		l = line_add(k, "%s", v == V4 ? "arp" : "nd");
		if (line_waits(k, l, "device") ||
		    line_waits(k, l, "addresses") || line_waits(k, l, "vlan"))
			continue;
		what = addr_str(&k->peers[v].peer);
		if (resolved(k->neigh[v])) {
			line_pass(l, "%s is there", what);
			continue;
		}
		line_fail(l, "nobody answers for %s on %s", what,
			  k->peers[v].ifname);
		who = strangers_say(k->strangers, &k->peers[v].local,
				    &k->peers[v].peer);
		if (who)
			line_fail(l, "nobody answers for %s on %s, but %s there",
				  what, k->peers[v].ifname, who);
		line_hint(l, "compare the addresses in %s with Cloudflare's mail, and which of them is whose",
			  k->c->file);
	}
}

/*
 * Pings @t; the reason goes to @l when not all are answered. True when there
 * is no reason why none is, which is for the caller to say.
 */
static bool ping_line(struct line *l, const struct ping_target *t,
		      struct ping_result *r, const char *errors_of)
{
	static const struct ping_options o = {
		.count = PINGS, .interval = 0.05,
	};

	int rc = ping_run(&o, t, r);

	if (rc) {
		if (rc == -EADDRNOTAVAIL)
			line_fail(l, "%s", r->problem);
		else
			line_unknown(l, "%s", r->problem);
		line_hint(l, "%s", r->advice);
		return false;
	}
	line_data(l, "sent", json_integer(r->sent));
	line_data(l, "received", json_integer(r->got));
	if (r->got)
		line_data(l, "rtt-avg-ms", json_real(r->sum / r->got));
	if (!r->got) {
		line_fail(l, "%s answers none of %u pings", addr_str(&t->peer),
			  r->sent);
		return true;
	}
	if (r->got < r->sent) {
		line_fail(l, "%s answers %u of %u pings, %.0f %% are lost",
			  addr_str(&t->peer), r->got, r->sent,
			  100.0 * (r->sent - r->got) / r->sent);
		line_hint(l, "look for errors: ip -s -s link show %s, and the light at both ends",
			  errors_of);
	} else {
		line_pass(l, "%s answers %u of %u, RTT min/avg/max %.3f/%.3f/%.3f ms",
			  addr_str(&t->peer), r->got, r->sent, r->min,
			  r->sum / r->got, r->max);
	}
	return false;
}

void check_pings(struct check *k)
{
	struct line *l;
	unsigned int v;

	for (v = 0; v < 2; v++) {
		if (!k->peers[v].peer.family)
			continue;
		l = line_add(k, "%s", check_name("ping", v));
		if (line_waits(k, l, "device") ||
		    line_waits(k, l, "addresses") ||
		    line_waits(k, l, v == V4 ? "arp" : "nd"))
			continue;
		if (ping_line(l, &k->peers[v], &k->pings[v],
			      k->c->link.device))
			line_hint(l, "it is there, since its MAC address is known: does a firewall here drop ICMP (nft list ruleset)?");
	}
}

/* Without an answer to small packets there's none to large ones. */
static bool waits_for_ping(struct check *k, struct line *l, const char *name)
{
	const struct line *ping = line_find(k, name);

	if (line_waits(k, l, name))
		return true;
	if (!ping || ping->state == CHECK_PASS)
		return false;
	l->waits = true;
	line_unknown(l, "depends on %s", name);
	return true;
}

/*
 * Whole packets of all sizes up to @mtu. Returns the largest that passes, or 0;
 * the line says so.
 */
static unsigned int sweep_line(struct line *l, const struct ping_target *t,
			       uint32_t mtu)
{
	unsigned int min = t->peer.family == AF_INET ? 84 : 1280;
	unsigned int largest = ping_largest(t, min, mtu);

	line_data(l, "largest", json_integer(largest));
	if (largest == mtu || largest == PING_MAX_SIZE) {
		line_pass(l, "whole packets of %u bytes get through and back",
			  largest);
	} else if (largest) {
		line_fail(l, "packets of up to %u bytes get through and back, larger ones up to %s's MTU of %u vanish",
			  largest, t->ifname, mtu);
	} else {
		line_fail(l, "not even packets of %u bytes get through", min);
	}
	return largest;
}

void check_mtu(struct check *k)
{
	const struct ping_target *t;
	unsigned int v, largest;
	struct line *l;

	for (v = 0; v < 2; v++) {
		t = &k->peers[v];
		if (!t->peer.family)
			continue;
		l = line_add(k, "%s", check_name("mtu", v));
		if (waits_for_ping(k, l, check_name("ping", v)))
			continue;
		/* One direction's hole is the other version's, too. */
		if (v == V6 && line_find(k, "mtu4") && line_waits(k, l, "mtu4"))
			continue;
		largest = sweep_line(l, t, k->dev.mtu);
		if (l->state == CHECK_PASS)
			continue;
		if (largest)
			line_hint(l, "the carrier or the other side has a smaller MTU: have it raised, or set \"mtu = %u\" in %s",
				  largest, k->c->file);
		else
			line_hint(l, "IPv6 needs 1280 at least: have the carrier raise its MTU");
	}
}

/* Packets that came by a tunnel since the round began, as the module saw. */
static uint64_t arrived(struct check *k, const struct config_tunnel *c)
{
	uint32_t ifindex = if_nametoindex(c->ifname);
	const struct cni_tunnel *then, *now;

	if (k->stock || !check_sample(k, &k->now))
		return 0;
	then = sample_tunnel(&k->then, ifindex);
	now = sample_tunnel(&k->now, ifindex);
	return then && now ? sum(&now->stats) - sum(&then->stats) : 0;
}

static void ping_inside(struct check *k, const struct config_tunnel *c,
			const struct ping_target *t, const struct netdev *dev,
			int v)
{
	struct line *l = line_add(k, "%s", check_inside_name("ping", v, c));
	struct pair_problem p;
	struct ping_result r;

	if (check_waits_for_underlay(k, l, c))
		return;
	if (!dev->ifindex || !(dev->flags & IFF_UP)) {
		char tunnel[32];

		snprintf(tunnel, sizeof(tunnel), "tunnel %.15s", c->ifname);
		if (line_waits(k, l, tunnel))
			return;
		line_fail(l, dev->ifindex ? "%s is down" : "there is no %s",
			  c->ifname);
		need_up(k, l, c->ifname);
		return;
	}
	if (!pair_leads(&k->rt, dev, &t->local, &t->peer, &p)) {
		line_fail(l, "%s", p.text);
		line_hint(l, "%s", p.hint);
		return;
	}
	if (!ping_line(l, t, &r, c->ifname))
		return;
	if (arrived(k, c)) {
		line_unknown(l, "%s answers none of %u pings, though packets do come by %s",
			     addr_str(&t->peer), r.sent, c->ifname);
		line_hint(l, "is it Cloudflare's end (interface_address%s of the tunnel)? does what goes out by GRE arrive there?",
			  v == V4 ? "" : "6");
		return;
	}
	line_hint(l, "nothing comes back by %s: does Cloudflare have a tunnel from its %s to your %s? does a firewall here drop GRE (nft list ruleset)?",
		  c->ifname, addr_str(&c->remote), addr_str(&c->local));
}

static void sweep_inside(struct check *k, const struct config_tunnel *c,
			 const struct ping_target *t, const struct netdev *dev,
			 int v)
{
	struct line *l = line_add(k, "%s", check_inside_name("mtu", v, c));
	const struct cni_tunnel *in_module;
	unsigned int largest;
	char tunnel[32];

	if (waits_for_ping(k, l, check_inside_name("ping", v, c)) ||
	    line_waits(k, l, c->remote.family == AF_INET ? "mtu4" : "mtu6") ||
	    (v == V6 && line_waits(k, l, check_inside_name("mtu", V4, c))))
		return;
	/* That has been told. */
	in_module = sample_tunnel(&k->then, dev->ifindex);
	snprintf(tunnel, sizeof(tunnel), "tunnel %.15s", c->ifname);
	if (in_module && format_mtu_problem(in_module) &&
	    line_waits(k, l, tunnel))
		return;
	largest = sweep_line(l, t, dev->mtu);
	if (l->state == CHECK_PASS)
		return;
	if (!largest) {
		line_hint(l, "IPv6 needs 1280 at least, and GRE %u more: have the carrier raise its MTU",
			  c->overhead);
		return;
	}
	line_hint(l, "the way to %s takes no more than %u bytes with GRE around them: have the carrier raise its MTU, or set \"mtu = %u\" for the tunnel in %s, and have Cloudflare set it, too",
		  addr_str(&c->remote), largest + c->overhead, largest,
		  k->c->file);
}

void check_inside(struct check *k)
{
	const struct config_tunnel *c = k->c->tunnels;
	struct ping_target t;
	struct netdev dev;
	int v;

	for (; c < k->c->tunnels + k->c->n_tunnels; c++) {
		if (rtnl_dev(&k->rt, c->ifname, &dev))
			memset(&dev, 0, sizeof(dev));
		memset(&t, 0, sizeof(t));
		memcpy(t.ifname, c->ifname, sizeof(t.ifname));
		t.ifindex = dev.ifindex;
		for (v = V4; v <= V6; v++) {
			t.local = v == V4 ? c->address4 : c->address6;
			t.peer = check_far_end(c, v);
			if (!t.peer.family)
				continue;
			ping_inside(k, c, &t, &dev, v);
			sweep_inside(k, c, &t, &dev, v);
		}
	}
}
