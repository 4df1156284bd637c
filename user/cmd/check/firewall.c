// SPDX-License-Identifier: GPL-2.0
/* What gets through the firewall: its rules are walked for each of the packets. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/out.h"
#include "cmd/check/firewall.h"
#include "kernel/accept.h"

#define FORWARDED (1 << HOOK_PREROUTING | 1 << HOOK_FORWARD | \
		   1 << HOOK_POSTROUTING)
#define RECEIVED (1 << HOOK_PREROUTING | 1 << HOOK_INPUT)
#define SENT (1 << HOOK_OUTPUT | 1 << HOOK_POSTROUTING)
#define BGP_PORT 179

/* Packets that are alike, on their way. */
struct kind {
	char what[120];
	struct packet p;
	unsigned int hooks;
	bool optional;		/* it may well be dropped */
	bool keep_address;	/* to be translated would do harm */
	struct walk w;
};

/* Those of a line */
struct kinds {
	const struct ruleset *rs;
	struct kind *v;
	unsigned int n;
};

const struct ruleset *firewall_rules(struct check *k)
{
	if (!k->asked_rules)
		ruleset_ask(&k->rules);
	k->asked_rules = true;
	return &k->rules;
}

void firewall_forget(struct check *k)
{
	ruleset_free(&k->rules);
	k->asked_rules = false;
}

static struct kind *__attribute__((format(printf, 4, 5)))
add(struct kinds *s, struct packet p, unsigned int hooks, const char *fmt, ...)
{
	struct kind *one;
	va_list ap;

	s->v = xrealloc(s->v, (s->n + 1) * sizeof(*s->v));
	one = &s->v[s->n++];
	*one = (struct kind){ .p = p, .hooks = hooks };
	va_start(ap, fmt);
	vsnprintf(one->what, sizeof(one->what), fmt, ap);
	va_end(ap);
	walk(s->rs, &p, hooks, &one->w);
	return one;
}

static struct packet packet(int family, uint8_t proto, uint8_t ct)
{
	return (struct packet){
		.family = family, .iif = "", .oif = "", .proto = proto,
		.sport = -1, .dport = -1, .ct = ct,
	};
}

static int family_of(int v)
{
	return v == V4 ? AF_INET : AF_INET6;
}

/* What a port's hosts send by a device of Cloudflare's, and get back. */
static void forwarded(struct kinds *s, const char *lan, const char *way, int v)
{
	struct packet p = packet(family_of(v), IPPROTO_TCP, CT_NEW);
	char n = v == V4 ? '4' : '6';

	p.iif = lan;
	p.oif = way;
	add(s, p, FORWARDED, "connections from %s to %s (IPv%c)", lan, way, n);
	p.ct = CT_ESTABLISHED;
	add(s, p, FORWARDED, "established connections' packets from %s to %s (IPv%c)",
	    lan, way, n);
	p.iif = way;
	p.oif = lan;
	add(s, p, FORWARDED, "established connections' packets from %s to %s (IPv%c)",
	    way, lan, n);
	p.ct = CT_NEW;
	add(s, p, FORWARDED, "connections from %s to %s (IPv%c)", way, lan,
	    n)->optional = true;
}

/* From this host to one of Cloudflare's, and back. */
struct pair {
	const char *dev;
	const struct addr *local, *peer;
};

static void to_peer(struct packet *p, const struct pair *pair)
{
	p->iif = "";
	p->oif = pair->dev;
	p->src = (struct addr){};
	if (pair->local && pair->local->family)
		p->src = *pair->local;
	p->dst = *pair->peer;
	p->src.len = addr_bits(&p->src);
	p->dst.len = addr_bits(&p->dst);
}

static void from_peer(struct packet *p, const struct pair *pair)
{
	struct addr src;

	to_peer(p, pair);
	p->iif = pair->dev;
	p->oif = "";
	src = p->dst;
	p->dst = p->src;
	p->src = src;
}

static void bgp(struct kinds *s, const struct pair *pair)
{
	struct packet p = packet(pair->peer->family, IPPROTO_TCP, CT_NEW);

	to_peer(&p, pair);
	p.dport = BGP_PORT;
	add(s, p, SENT, "BGP to %s", addr_str(pair->peer))->keep_address = true;
	from_peer(&p, pair);
	p.dport = -1;
	p.sport = BGP_PORT;
	p.ct = CT_ESTABLISHED;
	add(s, p, RECEIVED, "BGP's answers from %s", addr_str(pair->peer));
	p.ct = CT_NEW;
	p.sport = -1;
	p.dport = BGP_PORT;
	/* One side's connection is enough. */
	add(s, p, RECEIVED, "BGP that %s begins",
	    addr_str(pair->peer))->optional = true;
}

static void ping(struct kinds *s, const struct pair *pair)
{
	bool v6 = pair->peer->family == AF_INET6;
	struct packet p = packet(pair->peer->family, v6 ? IPPROTO_ICMPV6 :
				 IPPROTO_ICMP, CT_NEW);

	to_peer(&p, pair);
	p.icmp_type = v6 ? 128 : 8;
	add(s, p, SENT, "pings of %s", addr_str(pair->peer));
	from_peer(&p, pair);
	p.icmp_type = v6 ? 129 : 0;
	p.ct = CT_ESTABLISHED;
	add(s, p, RECEIVED, "answers to pings of %s", addr_str(pair->peer));
}

/* Without these no MAC address is found; they belong to no connection. */
static void neighbours(struct kinds *s, const char *dev)
{
	static const struct {
		int type;
		const char *what;
	} types[] = {
		{ 135, "neighbour solicitations" },
		{ 136, "neighbour advertisements" },
	};
	struct packet p = packet(AF_INET6, IPPROTO_ICMPV6, CT_UNTRACKED);
	unsigned int i;

	for (i = 0; i < 2; i++) {
		p.icmp_type = types[i].type;
		p.iif = "";
		p.oif = dev;
		add(s, p, SENT, "%s by %s", types[i].what, dev);
		p.iif = dev;
		p.oif = "";
		add(s, p, RECEIVED, "%s from %s", types[i].what, dev);
	}
}

/*
 * The packets that carry a tunnel's. Those that are only let in as answers aren't
 * once this side has been silent for a while, so those that come first count.
 */
static void outer(struct kinds *s, const struct check *k,
		  const struct config_tunnel *t)
{
	struct pair pair = { k->c->link.ifname, &t->local, &t->remote };
	struct packet p = packet(t->remote.family, IPPROTO_GRE, CT_NEW);
	bool answers;

	/* A limit of encapsulations is an option before the GRE header. */
	p.options = t->remote.family == AF_INET6 && t->encap_limit >= 0;
	to_peer(&p, &pair);
	/* At postrouting it has the gre device for what it came from, or none. */
	p.iif = NULL;
	add(s, p, SENT, "GRE packets to %s",
	    addr_str(&t->remote))->keep_address = true;
	from_peer(&p, &pair);
	/* Cloudflare's may have one, or not. */
	p.options = t->remote.family == AF_INET6;
	p.ct = CT_ESTABLISHED;
	answers = add(s, p, RECEIVED, "GRE packets from %s in answer to ours",
		      addr_str(&t->remote))->w.fate == FATE_PASSES;
	p.ct = CT_NEW;
	add(s, p, RECEIVED, "GRE packets from %s%s", addr_str(&t->remote),
	    answers ? " that aren't answers to ours" : "");
}

/*
 * Without the module the kernel's stack answers them, if anybody: one that is a
 * reply belongs to no connection.
 */
static void health(struct kinds *s, const struct config_tunnel *t,
		   const struct health_check *h)
{
	bool v6 = h->local.family == AF_INET6;
	struct packet p = packet(h->local.family, v6 ? IPPROTO_ICMPV6 :
				 IPPROTO_ICMP, CT_INVALID);

	p.icmp_type = v6 ? 129 : 0;
	p.src = h->local;
	p.dst = h->peer;
	p.iif = t->ifname;
	p.oif = h->unidirectional ? NULL : t->ifname;
	if (!h->request) {
		add(s, p, FORWARDED, "health checks, replies of %s,",
		    addr_str(&h->local));
		return;
	}
	p.iif = "";
	p.ct = CT_ESTABLISHED;
	add(s, p, SENT, "answers to health checks of %s",
	    addr_prefix_str(&h->peer));
	p.icmp_type = v6 ? 128 : 8;
	p.src = h->peer;
	p.dst = h->local;
	p.iif = t->ifname;
	p.oif = "";
	p.ct = CT_NEW;
	add(s, p, RECEIVED, "health checks of %s", addr_prefix_str(&h->peer));
}

static json_t *place_json(const struct place *at)
{
	static const char *const programs[] = {
		[BY_NFT] = "nft",
		[BY_IPTABLES] = "iptables-nft",
		[BY_IPTABLES_LEGACY] = "iptables-legacy",
	};
	const struct rule *r = at->rule;
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}",
			      "program", programs[at->chain->by],
			      "hook", hook_str(at->base->hook),
			      "family", at->chain->family,
			      "table", at->chain->table,
			      "chain", at->chain->name,
			      "of", at->base->name);

	if (r)
		json_object_set_new(o, "handle", json_integer(r->handle));
	if (r && r->text)
		json_object_set_new(o, "rule", json_string(r->text));
	return o;
}

static json_t *kind_json(const struct kind *one)
{
	static const char *const fates[] = { "passes", "dropped", "unknown" };
	json_t *o = json_pack("{s:s, s:s, s:b}", "what", one->what, "fate",
			      fates[one->w.fate], "needed", !one->optional);
	char command[400];

	if (one->w.fate != FATE_PASSES && one->w.at.chain)
		json_object_set_new(o, "by", place_json(&one->w.at));
	if (one->w.nat.chain) {
		json_object_set_new(o, "translated_by",
				    place_json(&one->w.nat));
		json_object_set_new(o, "translated",
				    json_string(one->w.nat_sure ? "yes" :
								  "unknown"));
	}
	if (one->w.fate == FATE_DROPPED) {
		accept_command(&one->p, &one->w.at, command, sizeof(command));
		json_object_set_new(o, "accept", json_string(command));
	}
	return o;
}

static bool has_hint(const struct line *l, const char *text)
{
	unsigned int i;

	for (i = 0; i < l->n_hints; i++)
		if (!strcmp(l->hints[i], text))
			return true;
	return false;
}

/* What is in the way of one, and what to do. */
static void explain(struct line *l, const struct kind *one)
{
	struct packet p = one->p;
	char place[400], text[512];

	if (one->w.why) {
		if (!has_hint(l, one->w.why))
			line_hint(l, "%s", one->w.why);
		return;
	}
	accept_place(&one->w.at, place, sizeof(place));
	if (one->w.fate == FATE_UNTOLD) {
		line_hint(l, "%s: it depends on %s", one->what, place);
		return;
	}
	/* The command for what begins a connection does for all of it. */
	p.ct = CT_NEW;
	accept_command(&p, &one->w.at, text, sizeof(text));
	if (has_hint(l, text))
		return;
	accept_command(&one->p, &one->w.at, text, sizeof(text));
	line_hint(l, "%s: %s", one->what, place);
	line_hint(l, "%s", text);
}

/* The one of these with that fate, and how many there are. */
static const struct kind *first(const struct kinds *s, enum fate fate,
				bool optional, unsigned int *n)
{
	const struct kind *one, *found = NULL;

	*n = 0;
	for (one = s->v; one < s->v + s->n; one++) {
		if (one->w.fate != fate || one->optional != optional)
			continue;
		if (!(*n)++)
			found = one;
	}
	return found;
}

/* Where what must keep its address may get another. */
static const struct kind *translated(const struct kinds *s)
{
	const struct kind *one;

	for (one = s->v; one < s->v + s->n; one++)
		if (one->keep_address && one->w.nat.chain)
			return one;
	return NULL;
}

static void hint_translated(struct line *l, const struct kinds *s)
{
	const struct kind *one;
	char place[400];

	for (one = s->v; one < s->v + s->n; one++) {
		if (!one->w.nat.chain)
			continue;
		accept_place(&one->w.nat, place, sizeof(place));
		line_hint(l, "%s %s another address by %s", one->what,
			  one->w.nat_sure ? "get" : "may get", place);
	}
}

static const char *and_more(unsigned int n)
{
	static char buf[40];

	*buf = '\0';
	if (n > 1)
		snprintf(buf, sizeof(buf), ", and %u more kind%s of packets",
			 n - 1, n > 2 ? "s" : "");
	return buf;
}

/* Whether any chain at all is on the way of these. */
static bool met(const struct kinds *s)
{
	const struct chain *c;
	unsigned int i;

	for (c = s->rs->chains; c < s->rs->chains + s->rs->n_chains; c++)
		for (i = 0; i < s->n; i++)
			if (c->hook != HOOK_NONE &&
			    s->v[i].hooks & 1 << c->hook &&
			    ruleset_meets(c, s->v[i].p.family, c->hook))
				return true;
	return false;
}

static void explain_all(struct line *l, const struct kinds *s, enum fate fate)
{
	const struct kind *one;

	for (one = s->v; one < s->v + s->n; one++)
		if (one->w.fate == fate && !one->optional)
			explain(l, one);
}

/* A chain that judges frames of one of the link's devices, or NULL. */
static const struct chain *at_device(const struct check *k,
				     const struct ruleset *rs)
{
	const struct config *c = k->c;
	const struct chain *at;
	bool ours;
	unsigned int i;

	for (at = rs->chains; at < rs->chains + rs->n_chains; at++) {
		if (!at->device || !ruleset_nature(rs, at).judges)
			continue;
		ours = !at->devs || ruleset_names(at->devs, c->link.device) ||
		       ruleset_names(at->devs, c->link.ifname);
		for (i = 0; i < c->n_tunnels; i++)
			ours |= ruleset_names(at->devs, c->tunnels[i].ifname);
		for (i = 0; i < c->n_ports; i++)
			ours |= ruleset_names(at->devs, c->ports[i].ifname);
		if (ours)
			return at;
	}
	return NULL;
}

static void report(const struct check *k, struct line *l,
		   const struct kinds *s, const char *what)
{
	const struct chain *device = at_device(k, s->rs);
	const struct kind *one, *other;
	json_t *list = json_array();
	unsigned int i, n, more;

	for (i = 0; i < s->n; i++)
		json_array_append_new(list, kind_json(&s->v[i]));
	line_data(l, "packets", list);
	other = first(s, FATE_DROPPED, true, &more);
	if ((one = first(s, FATE_DROPPED, false, &n))) {
		line_fail(l, "it drops %s%s", one->what, and_more(n));
		explain_all(l, s, FATE_DROPPED);
	} else if (s->rs->untold) {
		line_unknown(l, "can't tell: %s", s->rs->untold);
	} else if ((one = first(s, FATE_UNTOLD, false, &n))) {
		line_unknown(l, "can't tell whether %s get through%s",
			     one->what, and_more(n));
		explain_all(l, s, FATE_UNTOLD);
	} else if ((one = translated(s))) {
		line_unknown(l, "%s %s another address", one->what,
			     one->w.nat_sure ? "get" : "may get");
	} else if (device) {
		line_unknown(l, "can't tell: table %s %s, chain %s judges the frames of a device",
			     device->family, device->table, device->name);
	} else if (!met(s)) {
		line_pass(l, "no chain is in the way of %s", what);
	} else if (other) {
		line_pass(l, "%s get through; %s are dropped", what,
			  other->what);
	} else {
		line_pass(l, "%s get through", what);
	}
	hint_translated(l, s);
}

static void end(struct kinds *s)
{
	free(s->v);
	s->v = NULL;
	s->n = 0;
}

/* What the module takes past the firewall never meets it. */
static bool steps_over(const struct check *k, const struct config_port *p)
{
	return k->have_cni && !k->stock &&
	       p->opts.flags & CNILINK_PORT_FLAG_BYPASS_NETFILTER;
}

static void check_lan(struct check *k, struct kinds *s)
{
	const struct config *c = k->c;
	unsigned int i, t;
	struct line *l;
	int v;

	for (i = 0; i < c->n_ports; i++) {
		if (steps_over(k, &c->ports[i]))
			continue;
		for (v = V4; v <= V6; v++) {
			for (t = 0; t < c->n_tunnels; t++)
				if (config_routes(c, &c->tunnels[t],
						  family_of(v)))
					forwarded(s, c->ports[i].ifname,
						  c->tunnels[t].ifname, v);
			if (!c->n_tunnels &&
			    config_routes(c, NULL, family_of(v)))
				forwarded(s, c->ports[i].ifname,
					  c->link.ifname, v);
		}
	}
	if (!s->n)
		return;
	l = line_add(k, "firewall");
	report(k, l, s, "connections from your network and their answers");
	end(s);
}

/* What the BGP daemon talks to, on the link or in a tunnel. */
static void sessions(struct kinds *s, const struct check *k,
		     const struct config_tunnel *t, const struct pair pairs[2])
{
	const struct bgpd_peer *p;

	for (p = k->bgpd_peers; p < k->bgpd_peers + k->n_bgp_peers; p++)
		if (p->tunnel == t)
			bgp(s, &(struct pair){ pairs[p->v].dev,
					       pairs[p->v].local, &p->addr });
}

static void check_link(struct check *k, struct kinds *s)
{
	const struct config_link *c = &k->c->link;
	const struct pair pairs[2] = {
		{ c->ifname, &c->local4, &c->peer4 },
		{ c->ifname, &c->local6, &c->peer6 },
	};
	int v;

	sessions(s, k, NULL, pairs);
	for (v = V4; v <= V6; v++)
		if (pairs[v].peer->family)
			ping(s, &pairs[v]);
	if (c->peer6.family)
		neighbours(s, c->ifname);
	if (s->n)
		report(k, line_add(k, "firewall %.15s", c->ifname), s,
		       k->n_bgp_peers ? "BGP and pings" : "pings");
	end(s);
}

static void check_tunnel(struct check *k, struct kinds *s,
			 const struct config_tunnel *t)
{
	struct addr ends[2] = { check_far_end(t, V4), check_far_end(t, V6) };
	const struct pair pairs[2] = {
		{ t->ifname, &t->address4, &ends[V4] },
		{ t->ifname, &t->address6, &ends[V6] },
	};
	bool by_module = k->have_cni && !k->stock;
	unsigned int i;
	int v;

	if (!by_module || !firewall_given(t))
		outer(s, k, t);
	sessions(s, k, t, pairs);
	for (v = V4; v <= V6; v++)
		if (ends[v].family)
			ping(s, &pairs[v]);
	/* The module answers them before the firewall sees them. */
	for (i = 0; !by_module && i < t->opts.n_health; i++)
		health(s, t, &t->opts.health[i]);
	if (s->n)
		report(k, line_add(k, "firewall %.15s", t->ifname), s,
		       "its packets and what it carries of this host's");
	end(s);
}

void check_firewall(struct check *k)
{
	struct kinds s = { .rs = firewall_rules(k) };
	unsigned int i;

	check_lan(k, &s);
	check_link(k, &s);
	for (i = 0; i < k->c->n_tunnels; i++)
		check_tunnel(k, &s, &k->c->tunnels[i]);
}
