// SPDX-License-Identifier: GPL-2.0
#include <confuse.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <linux/cnilink.h>

#include "base/number.h"
#include "base/out.h"
#include "config/config.h"
#include "config/static.h"
#include "config/text.h"

#define MIN_MTU4 68
#define MIN_MTU6 1280
#define MAX_MTU 65535

const char *config_ifname_problem(const char *name)
{
	if (!*name)
		return "is empty";
	if (strlen(name) >= IFNAMSIZ)
		return "is longer than the 15 characters of a device name";
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return "isn't a device name";
	for (; *name; name++)
		if (*name == '/' || *name == ':' || *name == '%' ||
		    (unsigned char)*name <= ' ' || *name == 0x7f)
			return "has a character that device names can't have";
	return NULL;
}

bool config_ifname_reserved(const char *name)
{
	static const char * const names[] = {
		"gre0", "gretap0", "erspan0", "ip6gre0", "tunl0", "ip6tnl0",
		"sit0", "ip_vti0", "ip6_vti0", "lo", "all", "default",
	};
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

uint32_t config_table_parse(const char *s)
{
	uint64_t n;

	if (!strcmp(s, "main"))
		return 254;
	if (!strcmp(s, "default"))
		return 253;
	/* 255 is the local table, which the module looks after itself. */
	if (!number_parse(s, false, UINT32_MAX, &n) || n == 255)
		return 0;
	return n;
}

/* libconfuse knows the line of the moment only: notes for later checks. */
struct line {
	char where[80];
	int line;
	struct line *next;
};

static struct line *lines;
/* Sections that are there from the start don't know theirs. */
static const char *file_name;
static bool any_error;

static void note_line(cfg_t *sec, const char *name)
{
	struct line *l = xalloc(sizeof(*l));

	snprintf(l->where, sizeof(l->where), "%s/%s/%s", cfg_name(sec),
		 cfg_title(sec) ? cfg_title(sec) : "", name);
	l->line = sec->line;
	l->next = lines;
	lines = l;
}

static int line_of(cfg_t *sec, const char *name)
{
	char where[80];
	struct line *l;

	snprintf(where, sizeof(where), "%s/%s/%s", cfg_name(sec),
		 cfg_title(sec) ? cfg_title(sec) : "", name);
	for (l = lines; l; l = l->next)
		if (!strcmp(l->where, where))
			return l->line;
	return sec->line;
}

static void free_lines(void)
{
	struct line *l;

	while ((l = lines)) {
		lines = l->next;
		free(l);
	}
}

static void __attribute__((format(printf, 2, 0)))
print_at(int line, const char *fmt, va_list ap)
{
	char text[512];

	any_error = true;
	vsnprintf(text, sizeof(text), fmt, ap);
	out_say("%s:%d: %s", file_name, line, text);
}

static void print_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	print_at(cfg->line, fmt, ap);
}

static void __attribute__((format(printf, 3, 4)))
error_at(cfg_t *sec, const char *key, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_at(line_of(sec, key), fmt, ap);
	va_end(ap);
}

static char *last_str(cfg_opt_t *opt)
{
	return cfg_opt_getnstr(opt, cfg_opt_size(opt) - 1);
}

/*
 * A number that was found right, or @usual where there is none. They are
 * strings to libconfuse, which would take a leading zero for octal.
 */
static uint64_t get_number(cfg_t *sec, const char *key, uint64_t usual)
{
	const char *s = cfg_getstr(sec, key);

	if (s)
		number_parse(s, true, UINT64_MAX, &usual);
	return usual;
}

static int check_ifname(cfg_t *sec, cfg_opt_t *opt)
{
	const char *bad = config_ifname_problem(last_str(opt));

	note_line(sec, cfg_opt_name(opt));
	if (!bad)
		return 0;
	cfg_error(sec, "%s '%s' %s", cfg_opt_name(opt), last_str(opt), bad);
	return -1;
}

static int check_title(cfg_t *cfg, cfg_opt_t *opt)
{
	cfg_t *sec = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
	const char *bad = config_ifname_problem(cfg_title(sec));

	note_line(sec, "");
	if (!bad)
		return 0;
	cfg_error(cfg, "%s '%s' %s", cfg_opt_name(opt), cfg_title(sec), bad);
	return -1;
}

static int check_link(cfg_t *cfg, cfg_opt_t *opt)
{
	cfg_t *sec = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);

	note_line(sec, "");
	if (strlen(cfg_title(sec)) >= sizeof(((struct config *)0)->link.title)) {
		cfg_error(cfg, "link '%s' has a title of more than 63 characters",
			  cfg_title(sec));
		return -1;
	}
	if (cfg_opt_size(opt) == 1)
		return 0;
	cfg_error(cfg, "a second link: there is one in a file, put '%s' into a file of its own",
		  cfg_title(sec));
	return -1;
}

/* Which family and form a key wants. */
static int check_addr(cfg_t *sec, cfg_opt_t *opt)
{
	const char *name = cfg_opt_name(opt), *s = last_str(opt), *bad;
	bool prefix = !strncmp(name, "local4", 6) ||
		      !strncmp(name, "local6", 6) ||
		      !strncmp(name, "address", 7);
	bool either = !strcmp(name, "local") || !strcmp(name, "remote");
	int family = strchr(name, '6') ? AF_INET6 : AF_INET;
	struct addr a;
	enum addr_error e;

	note_line(sec, name);
	e = prefix ? addr_parse_prefix(s, &a) : addr_parse(s, &a);
	if (e) {
		cfg_error(sec, "%s '%s' %s", name, s, addr_strerror(e));
		return -1;
	}
	if (!either && a.family != family) {
		cfg_error(sec, "%s '%s' isn't an IPv%d address", name, s,
			  family == AF_INET ? 4 : 6);
		return -1;
	}
	bad = addr_host_problem(&a);
	if (bad) {
		cfg_error(sec, "%s '%s' %s", name, s, bad);
		return -1;
	}
	return 0;
}

bool config_dataplane_parse(const char *s, enum dataplane *d)
{
	for (*d = DATAPLANE_V1; *d <= DATAPLANE_V2; (*d)++)
		if (!strcmp(s, config_dataplane_str(*d)))
			return true;
	return false;
}

const char *config_dataplane_str(enum dataplane d)
{
	static const char * const names[] = { "v1", "v1.1", "v2" };

	return names[d];
}

static int check_range(cfg_t *sec, cfg_opt_t *opt, long min, long max)
{
	const char *s = last_str(opt), *bad = number_problem(s, true);
	uint64_t n;

	note_line(sec, cfg_opt_name(opt));
	if (number_parse(s, true, max, &n) && n >= (uint64_t)min)
		return 0;
	if (bad && *s != '-')
		cfg_error(sec, "invalid integer value: %s '%s' %s; it's from %ld to %ld",
			  cfg_opt_name(opt), s, bad, min, max);
	else
		cfg_error(sec, "%s %s is out of range: %ld to %ld",
			  cfg_opt_name(opt), s, min, max);
	return -1;
}

static int check_vlan(cfg_t *sec, cfg_opt_t *opt)
{
	return check_range(sec, opt, 1, 4094);
}

/* -1 for none, and for what is no number. */
static int encap_limit_parse(const char *s)
{
	uint64_t n;

	return number_parse(s, false, 255, &n) ? (int)n : -1;
}

static int check_mtu(cfg_t *sec, cfg_opt_t *opt)
{
	return check_range(sec, opt, MIN_MTU4, MAX_MTU);
}

static int check_ttl(cfg_t *sec, cfg_opt_t *opt)
{
	return check_range(sec, opt, 1, 255);
}

static int check_encap_limit(cfg_t *sec, cfg_opt_t *opt)
{
	const char *s = last_str(opt);

	note_line(sec, cfg_opt_name(opt));
	if (!strcmp(s, "none") || encap_limit_parse(s) >= 0)
		return 0;
	cfg_error(sec, "encap-limit '%s' isn't \"none\" or a number from 0 to 255",
		  s);
	return -1;
}

static int check_as(cfg_t *sec, cfg_opt_t *opt)
{
	return check_range(sec, opt, 1, UINT32_MAX);
}

static int check_key(cfg_t *sec, cfg_opt_t *opt)
{
	return check_range(sec, opt, 0, UINT32_MAX);
}

static int tos_parse(const char *s)
{
	uint64_t n;

	if (!strcmp(s, "inherit"))
		return 1;
	/* The two low bits are ECN's; bit 0 would mean "inherit". */
	if (!number_parse(s, true, 255, &n) || n & 3)
		return -1;
	return n;
}

static int check_tos(cfg_t *sec, cfg_opt_t *opt)
{
	note_line(sec, cfg_opt_name(opt));
	if (tos_parse(last_str(opt)) >= 0)
		return 0;
	cfg_error(sec, "tos '%s' isn't \"inherit\" or a multiple of 4 from 0 to 252",
		  last_str(opt));
	return -1;
}

/* A number, or one of two words: the rest of a tunnel's own parser decides. */
static int check_mss(cfg_t *sec, cfg_opt_t *opt)
{
	char *words[] = { (char *)"mss", last_str(opt) };
	struct tunopts o = {};
	const char *bad;

	note_line(sec, cfg_opt_name(opt));
	bad = tunopts_parse(&o, 1476, 2, words);
	if (!bad)
		return 0;
	cfg_error(sec, "%s", bad);
	return -1;
}

static int check_word(cfg_t *sec, cfg_opt_t *opt, const char * const *words)
{
	const char *s = last_str(opt);
	char list[80] = "";
	unsigned int i;

	note_line(sec, cfg_opt_name(opt));
	for (i = 0; words[i]; i++) {
		if (!strcmp(s, words[i]))
			return 0;
		snprintf(list + strlen(list), sizeof(list) - strlen(list),
			 "%s%s", i ? ", " : "", words[i]);
	}
	cfg_error(sec, "%s '%s' isn't one of: %s", cfg_opt_name(opt), s, list);
	return -1;
}

static int check_health(cfg_t *sec, cfg_opt_t *opt)
{
	static const char * const words[] = { "off", "reply", "request",
					      NULL };

	return check_word(sec, opt, words);
}

static int check_dataplane(cfg_t *sec, cfg_opt_t *opt)
{
	static const char * const words[] = { "v1", "v1.1", "v2", NULL };

	return check_word(sec, opt, words);
}

static int check_xdp(cfg_t *sec, cfg_opt_t *opt)
{
	static const char * const words[] = { "auto", "off", NULL };

	return check_word(sec, opt, words);
}

static const char * const offloads[] = { "auto", "required", "off", NULL };

const char *config_offload_str(enum offload o)
{
	return offloads[o];
}

static int check_offload(cfg_t *sec, cfg_opt_t *opt)
{
	return check_word(sec, opt, offloads);
}

static int check_direction(cfg_t *sec, cfg_opt_t *opt)
{
	static const char * const words[] = { "bidirectional",
					      "unidirectional", NULL };

	return check_word(sec, opt, words);
}

static int check_rate(cfg_t *sec, cfg_opt_t *opt)
{
	return check_range(sec, opt, 1, 1000000);
}

static int check_peers(cfg_t *sec, cfg_opt_t *opt)
{
	const char *s = last_str(opt);
	struct addr a;

	note_line(sec, cfg_opt_name(opt));
	/* Two are those between the addresses inside. */
	if (cfg_opt_size(opt) > TUNOPTS_MAX_HEALTH - 2) {
		cfg_error(sec, "more than %d health-peers",
			  TUNOPTS_MAX_HEALTH - 2);
		return -1;
	}
	if (!addr_parse_route(s, AF_INET, &a) && a.family == AF_INET && a.len)
		return 0;
	cfg_error(sec, "health-peers '%s' isn't an IPv4 prefix", s);
	return -1;
}

static int check_table(cfg_t *sec, cfg_opt_t *opt)
{
	const char *s = last_str(opt);

	note_line(sec, cfg_opt_name(opt));
	if (cfg_opt_size(opt) > CONFIG_MAX_TABLES) {
		cfg_error(sec, "more than %d tables", CONFIG_MAX_TABLES);
		return -1;
	}
	if (config_table_parse(s))
		return 0;
	cfg_error(sec, "table '%s' isn't \"main\", \"default\" or a number other than 255 (local)",
		  s);
	return -1;
}

const char *config_add_prefix(const char *s, struct addr **list,
			      unsigned int *n)
{
	struct addr a, net;
	enum addr_error e = addr_parse_prefix(s, &a);

	if (e)
		return addr_strerror(e);
	net = addr_network(&a);
	if (!addr_same(&a, &net))
		return "has bits set beyond its length";
	*list = xrealloc(*list, (*n + 1) * sizeof(a));
	(*list)[(*n)++] = a;
	return NULL;
}

bool config_is_priority(long n)
{
	static const long known[] = { 10, 50, 100, 150, 200, 501000, 1001000 };
	unsigned int i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (n == known[i])
			return true;
	return false;
}

static int check_prefixes(cfg_t *sec, cfg_opt_t *opt)
{
	struct addr *list = NULL;
	unsigned int n = 0;
	const char *bad = config_add_prefix(last_str(opt), &list, &n);

	note_line(sec, cfg_opt_name(opt));
	free(list);
	if (!bad)
		return 0;
	cfg_error(sec, "%s '%s' %s", cfg_opt_name(opt), last_str(opt), bad);
	return -1;
}

static int check_static(cfg_t *sec, cfg_opt_t *opt)
{
	const char *s = last_str(opt), *bad;
	struct addr *list = NULL;
	unsigned int n = 0;

	note_line(sec, cfg_opt_name(opt));
	if (!strcmp(s, "published"))
		return 0;
	bad = config_add_prefix(s, &list, &n);
	free(list);
	if (!bad)
		return 0;
	if (*s == '/')
		cfg_error(sec, "static '%s' isn't a prefix: a file of prefixes is \"static-file = %s\"",
			  s, s);
	else
		cfg_error(sec, "static '%s' %s%s", s, bad,
			  strpbrk(s, ".:") ? "" :
			  ", nor the word \"published\"");
	return -1;
}

/* The services and the shell have different current directories. */
static int check_static_file(cfg_t *sec, cfg_opt_t *opt)
{
	const char *s = last_str(opt);

	note_line(sec, cfg_opt_name(opt));
	if (*s == '/')
		return 0;
	cfg_error(sec, "static-file '%s' needs its whole path, such as " CONFIG_DIR "/prefixes.txt",
		  s);
	return -1;
}

static int check_profile(cfg_t *sec, cfg_opt_t *opt)
{
	static const char * const words[] = { "peering", "magic", NULL };

	return check_word(sec, opt, words);
}

static int check_over(cfg_t *sec, cfg_opt_t *opt)
{
	static const char * const words[] = { "link", "tunnels", "both",
					      "none", NULL };

	return check_word(sec, opt, words);
}

static int check_priority(cfg_t *sec, cfg_opt_t *opt)
{
	uint64_t n;

	note_line(sec, cfg_opt_name(opt));
	if (number_parse(last_str(opt), false, 1001000, &n) &&
	    config_is_priority(n))
		return 0;
	cfg_error(sec, "priority %s isn't one that Magic has: 10, 50, 100, 150, 200, 501000 or 1001000",
		  last_str(opt));
	return -1;
}

static int check_router_id(cfg_t *sec, cfg_opt_t *opt)
{
	struct addr a;

	note_line(sec, cfg_opt_name(opt));
	if (!addr_parse(last_str(opt), &a) && a.family == AF_INET &&
	    addr_be32(&a))
		return 0;
	cfg_error(sec, "router-id '%s' isn't an IPv4 address", last_str(opt));
	return -1;
}

/* For what has no other check, so that its line is known later. */
static int check_noted(cfg_t *sec, cfg_opt_t *opt)
{
	note_line(sec, cfg_opt_name(opt));
	return 0;
}

static void get_prefix(cfg_t *sec, const char *key, struct addr *a)
{
	char *s = cfg_getstr(sec, key);

	if (s)
		addr_parse_prefix(s, a);
}

static void get_addr(cfg_t *sec, const char *key, struct addr *a)
{
	char *s = cfg_getstr(sec, key);

	if (s)
		addr_parse(s, a);
}

static void check_pair(cfg_t *sec, struct addr *local, struct addr *peer,
		       const char *lkey, const char *pkey)
{
	struct addr p = *peer;
	const char *bad;

	if (!local->family && !peer->family)
		return;
	if (!local->family || !peer->family) {
		error_at(sec, local->family ? lkey : pkey,
			 "%s is given, but not %s: both ends' addresses are needed",
			 local->family ? lkey : pkey,
			 local->family ? pkey : lkey);
		return;
	}
	p.len = local->len;
	bad = addr_pair_problem(local, &p);
	if (bad)
		error_at(sec, pkey, "%s %s and %s %s %s", lkey,
			 addr_prefix_str(local), pkey, addr_str(peer), bad);
	peer->len = local->len;
}

static void take_static(cfg_t *sec, struct config_static *s)
{
	const char *file = cfg_getstr(sec, "static-file"), *one;
	unsigned int i;

	for (i = 0; i < cfg_size(sec, "static"); i++) {
		one = cfg_getnstr(sec, "static", i);
		if (!strcmp(one, "published"))
			s->published = true;
		else
			config_add_prefix(one, &s->given, &s->n_given);
	}
	s->file = file ? xstrdup(file) : NULL;
}

static void take_link(struct config *c, cfg_t *sec)
{
	struct config_link *l = &c->link;
	char *name = cfg_getstr(sec, "name"), *dev = cfg_getstr(sec, "device");
	char vlan_name[64];

	snprintf(l->title, sizeof(l->title), "%.63s", cfg_title(sec));
	if (!dev) {
		error_at(sec, "", "link '%s' has no device: add \"device = eth0\", the port to Cloudflare",
			 l->title);
		return;
	}
	snprintf(l->device, IFNAMSIZ, "%.15s", dev);
	l->vlan = get_number(sec, "vlan", 0);
	l->xdp_auto = !strcmp(cfg_getstr(sec, "xdp"), "auto");
	while (strcmp(cfg_getstr(sec, "offload"), offloads[l->offload]))
		l->offload++;
	config_dataplane_parse(cfg_getstr(sec, "dataplane"), &l->dataplane);
	if (l->vlan && l->dataplane == DATAPLANE_V2)
		error_at(sec, "vlan", "dataplane v2 takes no VLAN tag: remove vlan, or see in Cloudflare's dashboard which dataplane it is");
	if (l->vlan) {
		snprintf(vlan_name, sizeof(vlan_name), "%s.%u", dev, l->vlan);
		if (!name)
			name = vlan_name;
		if (strlen(name) >= IFNAMSIZ) {
			error_at(sec, "vlan", "the VLAN device's name %s would be longer than 15 characters: add \"name = ...\"",
				 name);
			return;
		}
	} else if (name && strcmp(name, dev)) {
		error_at(sec, "name", "name is for the VLAN device, but there is no vlan");
	} else {
		name = dev;
	}
	if (l->vlan && config_ifname_reserved(name))
		error_at(sec, "name", "name '%s' is one that the kernel uses itself: choose another",
			 name);
	if (l->vlan && !strcmp(name, dev))
		error_at(sec, "name", "the VLAN device can't have the name of its device");
	snprintf(l->ifname, IFNAMSIZ, "%.15s", name);
	get_prefix(sec, "local4", &l->local4);
	get_addr(sec, "peer4", &l->peer4);
	get_prefix(sec, "local6", &l->local6);
	get_addr(sec, "peer6", &l->peer6);
	if (!l->local4.family && !l->peer4.family && !l->local6.family &&
	    !l->peer6.family)
		error_at(sec, "", "link '%s' has no addresses: add local4 and peer4 from Cloudflare's mail",
			 l->title);
	check_pair(sec, &l->local4, &l->peer4, "local4", "peer4");
	check_pair(sec, &l->local6, &l->peer6, "local6", "peer6");
	l->mtu = get_number(sec, "mtu", 0);
	if (l->mtu && l->mtu < MIN_MTU6 && l->local6.family)
		error_at(sec, "mtu", "mtu %u is too small for IPv6, which needs 1280",
			 l->mtu);
	l->local_as = get_number(sec, "local-as", 0);
	take_static(sec, &l->statics);
}

void config_add_health(struct config_tunnel *t, bool request,
		       bool unidirectional, const struct addr *local,
		       const struct addr *peer)
{
	struct health_check *h = &t->opts.health[t->opts.n_health++];

	h->request = request;
	h->unidirectional = unidirectional;
	h->local = *local;
	h->local.len = addr_bits(local);
	h->peer = *peer;
}

bool config_carries(const struct config *c, int family)
{
	unsigned int i;

	if (family == AF_INET ? c->link.local4.family : c->link.local6.family)
		return true;
	for (i = 0; i < c->n_tunnels; i++)
		if (family == AF_INET ? c->tunnels[i].address4.family :
					c->tunnels[i].address6.family)
			return true;
	return false;
}

bool config_routes(const struct config *c, const struct config_tunnel *t,
		   int family)
{
	bool v6 = family == AF_INET6;

	if (t && (t->address4.family || t->address6.family))
		return v6 ? t->address6.family : t->address4.family;
	if (t && v6 && t->mtu < MIN_MTU6)
		return false;
	return v6 ? c->link.local6.family : c->link.local4.family;
}

const struct config_tunnel *config_tunnel_of(const struct config *c,
					     const char *ifname)
{
	unsigned int i;

	for (i = 0; c && i < c->n_tunnels; i++)
		if (!strcmp(c->tunnels[i].ifname, ifname))
			return &c->tunnels[i];
	return NULL;
}

const struct config_port *config_port_of(const struct config *c,
					 const char *ifname)
{
	unsigned int i;

	for (i = 0; c && i < c->n_ports; i++)
		if (!strcmp(c->ports[i].ifname, ifname))
			return &c->ports[i];
	return NULL;
}

bool config_has_bgp(const struct config *c)
{
	return !c->bgp.no_link || c->bgp.over_tunnels;
}

struct addr config_far_end(const struct addr *a)
{
	if (!a->family || a->len < addr_bits(a) - 2 || a->len == addr_bits(a))
		return (struct addr){};
	return addr_other(a);
}

bool config_is_target(const struct addr *a)
{
	struct addr net;

	addr_parse_prefix("172.64.240.252/30", &net);
	return addr_covers(&net, a);
}

unsigned int config_overhead(const struct config_tunnel *t)
{
	return (t->remote.family == AF_INET6 ? 44 : 24) +
	       (t->encap_limit >= 0 ? 8 : 0) + (t->has_key ? 4 : 0);
}

/* Cloudflare's end of a pair inside the tunnel is told by ours. */
static void add_inner(cfg_t *sec, struct config_tunnel *t, bool request,
		      const struct addr *a, const char *key)
{
	struct addr peer;

	if (!a->family)
		return;
	peer = addr_other(a);
	if (addr_pair_problem(a, &peer)) {
		error_at(sec, key, "health-check needs a /31 or /127 inside the tunnel, to know Cloudflare's end of it; %s is %s",
			 key, addr_prefix_str(a));
		return;
	}
	peer.len = addr_bits(&peer);
	config_add_health(t, request, false, a, &peer);
}

static void take_health(cfg_t *sec, struct config_tunnel *t)
{
	const char *kind = cfg_getstr(sec, "health-check");
	bool uni = !strcmp(cfg_getstr(sec, "health-direction"),
			   "unidirectional");
	bool request = !strcmp(kind, "request");
	struct addr peer, target = t->local;
	unsigned int i;

	t->opts.rate = get_number(sec, "health-rate", TUNOPTS_RATE);
	get_addr(sec, "health-target", &target);
	if (!uni && cfg_getstr(sec, "health-target") &&
	    !config_is_target(&target))
		error_at(sec, "health-target", "health-target is for unidirectional health checks, unless it's in 172.64.240.252/30");
	if (!strcmp(kind, "off"))
		return;
	if (uni && t->local.family == AF_INET6) {
		error_at(sec, "health-direction", "tunnel '%s' is over IPv6: unidirectional health checks are between IPv4 addresses",
			 t->ifname);
		return;
	}
	if (!uni) {
		if (!t->address4.family && !t->address6.family &&
		    !cfg_getstr(sec, "health-target"))
			error_at(sec, "health-check", "tunnel '%s' has no address4 or address6: bidirectional health checks are between the addresses inside the tunnel",
				 t->ifname);
		add_inner(sec, t, request, &t->address4, "address4");
		add_inner(sec, t, request, &t->address6, "address6");
		/* One of a route's own is answered by that route. */
		if (!cfg_getstr(sec, "health-target"))
			return;
	}
	for (i = 0; i < cfg_size(sec, "health-peers"); i++) {
		addr_parse_route(cfg_getnstr(sec, "health-peers", i), AF_INET,
				 &peer);
		config_add_health(t, request, true, &target, &peer);
	}
}

/* A session's: PREFIXpassword, or PREFIXpassword-file. */
static void take_password(cfg_t *sec, const char *prefix, char **password,
			  char **file)
{
	char key[32], key_file[32], *s;

	snprintf(key, sizeof(key), "%spassword", prefix);
	snprintf(key_file, sizeof(key_file), "%spassword-file", prefix);
	s = cfg_getstr(sec, key);
	*password = s ? xstrdup(s) : NULL;
	s = cfg_getstr(sec, key_file);
	*file = s ? xstrdup(s) : NULL;
	if (*password && *file)
		error_at(sec, key_file, "%s and %s: one of them", key,
			 key_file);
}

static void take_profile(cfg_t *sec, struct config_tunnel *t)
{
	const char *s = cfg_getstr(sec, "bgp-profile");

	if (s)
		t->profile = strcmp(s, "magic") ? PROFILE_PEERING :
						  PROFILE_MAGIC;
}

bool config_is_magic(const struct config_bgp *b, const struct config_tunnel *t)
{
	return t->profile ? t->profile == PROFILE_MAGIC : b->magic;
}

/* Whether any session takes what Magic has. */
static bool has_magic(const struct config *c)
{
	unsigned int i;

	for (i = 0; c->bgp.over_tunnels && i < c->n_tunnels; i++)
		if (!c->tunnels[i].no_bgp &&
		    config_is_magic(&c->bgp, &c->tunnels[i]))
			return true;
	return c->bgp.magic;
}

static void take_endpoints(const struct config *c, cfg_t *sec,
			   struct config_tunnel *t)
{
	get_addr(sec, "local", &t->local);
	get_addr(sec, "remote", &t->remote);
	if (!t->local.family)
		t->local = t->remote.family == AF_INET6 ? c->link.local6 :
							  c->link.local4;
	t->local.len = addr_bits(&t->local);
	if (!t->remote.family)
		error_at(sec, "", "tunnel '%s' has no remote: add Cloudflare's GRE endpoint",
			 t->ifname);
	if (!t->local.family)
		error_at(sec, "", "tunnel '%s' has no local: add your GRE endpoint",
			 t->ifname);
	else if (t->remote.family && t->local.family != t->remote.family)
		error_at(sec, "local", "tunnel '%s' has an IPv%d and an IPv%d endpoint",
			 t->ifname, t->local.family == AF_INET ? 4 : 6,
			 t->remote.family == AF_INET ? 4 : 6);
	else if (addr_same(&t->local, &t->remote))
		error_at(sec, "remote", "tunnel '%s' has the same local and remote address",
			 t->ifname);
}

/* And the addresses inside, which it has to be large enough for. */
static void take_tunnel_mtu(const struct config *c, cfg_t *sec,
			    struct config_tunnel *t)
{
	unsigned int max;

	t->overhead = config_overhead(t);
	max = (c->link.mtu ? c->link.mtu : 1500) - t->overhead;
	t->mtu = get_number(sec, "mtu", 0);
	t->mtu_given = t->mtu;
	if (!t->mtu)
		t->mtu = max < 1500 - t->overhead ? max : 1500 - t->overhead;
	else if (c->link.mtu && t->mtu > max)
		error_at(sec, "mtu", "mtu %u is more than the link's %u leaves for the tunnel: %u",
			 t->mtu, c->link.mtu, max);
	get_prefix(sec, "address4", &t->address4);
	get_prefix(sec, "address6", &t->address6);
	if (t->address6.family && t->mtu < MIN_MTU6)
		error_at(sec, "address6", "mtu %u is too small for IPv6, which needs 1280",
			 t->mtu);
}

static void refuse_twins(const struct config *c, cfg_t *sec,
			 const struct config_tunnel *t)
{
	const struct config_tunnel *o;

	for (o = c->tunnels; o < t; o++)
		if (t->remote.family && addr_same(&o->local, &t->local) &&
		    addr_same(&o->remote, &t->remote) &&
		    o->has_key == t->has_key && o->key == t->key)
			error_at(sec, "", "tunnels '%s' and '%s' have the same local and remote address and key: the kernel takes one of these, and Cloudflare can't tell them apart; each needs a customer endpoint (local) of its own",
				 o->ifname, t->ifname);
}

static void take_tunnel(struct config *c, cfg_t *sec)
{
	struct config_tunnel *t = &c->tunnels[c->n_tunnels++];

	snprintf(t->ifname, IFNAMSIZ, "%.15s", cfg_title(sec));
	if (config_ifname_reserved(t->ifname))
		error_at(sec, "", "tunnel '%s' has a name that the kernel uses itself, for what it makes with the first device of a kind: choose another",
			 t->ifname);
	if (c->link.dataplane == DATAPLANE_V2)
		error_at(sec, "", "tunnel '%s': dataplane v2 takes no GRE: remove it, or see in Cloudflare's dashboard which dataplane it is",
			 t->ifname);
	take_endpoints(c, sec, t);
	t->ttl = get_number(sec, "ttl", 64);
	t->tos = tos_parse(cfg_getstr(sec, "tos"));
	t->has_key = cfg_getstr(sec, "key");
	t->key = get_number(sec, "key", 0);
	t->encap_limit = encap_limit_parse(cfg_getstr(sec, "encap-limit"));
	if (t->encap_limit >= 0 && t->remote.family == AF_INET)
		error_at(sec, "encap-limit", "encap-limit is for tunnels over IPv6");
	take_tunnel_mtu(c, sec, t);
	t->host_route = cfg_getbool(sec, "host-route");
	if (cfg_getbool(sec, "bypass-netfilter"))
		t->opts.flags |= CNILINK_TUNNEL_FLAG_BYPASS_NETFILTER;
	t->mss_auto = !strcmp(cfg_getstr(sec, "mss"), "auto");
	if (!t->mss_auto) {
		char *words[] = { (char *)"mss", cfg_getstr(sec, "mss") };

		tunopts_parse(&t->opts, t->mtu, 2, words);
	}
	take_health(sec, t);
	take_static(sec, &t->statics);
	t->no_bgp = !cfg_getbool(sec, "bgp");
	take_profile(sec, t);
	take_password(sec, "bgp-", &t->password, &t->password_file);
	if (!strcmp(t->ifname, c->link.ifname) ||
	    !strcmp(t->ifname, c->link.device))
		error_at(sec, "", "tunnel '%s' has the name of the link's device",
			 t->ifname);
	refuse_twins(c, sec, t);
}

static void port_word(struct config_port *p, const char *key, const char *value)
{
	char *words[] = { (char *)key, (char *)value };

	portopts_parse(&p->opts, 0, 2, words);
}

static void take_port_flag(struct config_port *p, cfg_t *sec, const char *key)
{
	port_word(p, key, cfg_getbool(sec, key) ? "on" : "off");
}

static void take_port(struct config *c, cfg_t *sec)
{
	struct config_port *p = &c->ports[c->n_ports++];
	char *mss = cfg_getstr(sec, "mss");
	unsigned int i;

	snprintf(p->ifname, IFNAMSIZ, "%.15s", cfg_title(sec));
	take_port_flag(p, sec, "bypass-netfilter");
	take_port_flag(p, sec, "strict-source");
	p->mss_auto = !strcmp(mss, "auto");
	if (!p->mss_auto)
		port_word(p, "mss", mss);
	else if (!c->n_tunnels)
		error_at(sec, "mss", "mss auto is what fits the tunnels, and there is none: give a number");
	if (!strcmp(p->ifname, c->link.ifname))
		error_at(sec, "", "port '%s' is the link itself: a port is the LAN's side",
			 p->ifname);
	for (i = 0; i < c->n_tunnels; i++)
		if (!strcmp(p->ifname, c->tunnels[i].ifname))
			error_at(sec, "", "port '%s' is a tunnel already",
				 p->ifname);
}

static void get_prefixes(cfg_t *sec, const char *key, struct addr **list,
			 unsigned int *n)
{
	unsigned int i;

	for (i = 0; i < cfg_size(sec, key); i++)
		config_add_prefix(cfg_getnstr(sec, key, i), list, n);
}

static void take_bgp(struct config *c, cfg_t *sec)
{
	const char *over = cfg_getstr(sec, "over");
	struct config_bgp *b = &c->bgp;

	b->magic = !strcmp(cfg_getstr(sec, "profile"), "magic");
	b->over_tunnels = !strcmp(over, "tunnels") || !strcmp(over, "both");
	b->no_link = strcmp(over, "link") && strcmp(over, "both");
	b->bfd = cfg_getbool(sec, "bfd");
	b->peer_as = get_number(sec, "peer-as", 13335);
	b->priority = get_number(sec, "priority", 100);
	b->max4 = get_number(sec, "max-prefixes4", 100000);
	b->max6 = get_number(sec, "max-prefixes6", 100000);
	get_addr(sec, "router-id", &b->router_id);
	get_prefixes(sec, "announce", &b->announce, &b->n_announce);
	get_prefixes(sec, "extra-prefixes", &b->extra, &b->n_extra);
	take_password(sec, "", &b->password, &b->password_file);
	if (b->priority != 100 && !has_magic(c))
		error_at(sec, "priority", "priority is for profile magic");
	if (b->bfd && b->no_link && b->over_tunnels)
		error_at(sec, "bfd", "Cloudflare has no BFD over tunnels");
}

/* FRR starts no IPv6 session on a device without a link-local address. */
static void add_link_local(struct config_tunnel *t)
{
	static const uint8_t none[8];

	t->link_local = t->address6;
	memset(t->link_local.b, 0, 8);
	t->link_local.b[0] = 0xfe;
	t->link_local.b[1] = 0x80;
	/* All zeros is every router's. */
	if (!memcmp(t->link_local.b + 8, none, sizeof(none)))
		t->link_local.b[15] = 2;
	t->link_local.len = 64;
}

static void take(struct config *c, cfg_t *cfg)
{
	unsigned int i, n;
	cfg_t *sec;

	if (!cfg_size(cfg, "link")) {
		any_error = true;
		out_say("%s: no link section: \"link cloudflare { device = ... }\" is needed (cnictl init makes one from the mail)",
			file_name);
		return;
	}
	take_link(c, cfg_getnsec(cfg, "link", 0));
	n = cfg_size(cfg, "tunnel");
	c->tunnels = xalloc(n * sizeof(*c->tunnels));
	for (i = 0; i < n; i++)
		take_tunnel(c, cfg_getnsec(cfg, "tunnel", i));
	n = cfg_size(cfg, "port");
	c->ports = xalloc(n * sizeof(*c->ports));
	for (i = 0; i < n; i++)
		take_port(c, cfg_getnsec(cfg, "port", i));
	take_bgp(c, cfg_getsec(cfg, "bgp"));
	for (i = 0; c->bgp.over_tunnels && i < c->n_tunnels; i++)
		if (c->tunnels[i].address6.family && !c->tunnels[i].no_bgp)
			add_link_local(&c->tunnels[i]);
	sec = cfg_getsec(cfg, "sync");
	n = sec ? cfg_size(sec, "table") : 0;
	for (i = 0; i < n && i < CONFIG_MAX_TABLES; i++)
		c->tables[c->n_tables++] =
			config_table_parse(cfg_getnstr(sec, "table", i));
	if (!c->n_tables)
		c->tables[c->n_tables++] = 254;
}

static const struct {
	const char *key;
	cfg_validate_callback_t check;
} checks[] = {
	{ "link", check_link },
	{ "link|device", check_ifname },
	{ "link|name", check_ifname },
	{ "link|dataplane", check_dataplane },
	{ "link|vlan", check_vlan },
	{ "link|local4", check_addr },
	{ "link|peer4", check_addr },
	{ "link|local6", check_addr },
	{ "link|peer6", check_addr },
	{ "link|mtu", check_mtu },
	{ "link|local-as", check_as },
	{ "link|xdp", check_xdp },
	{ "link|offload", check_offload },
	{ "link|static", check_static },
	{ "link|static-file", check_static_file },
	{ "tunnel", check_title },
	{ "tunnel|local", check_addr },
	{ "tunnel|remote", check_addr },
	{ "tunnel|ttl", check_ttl },
	{ "tunnel|tos", check_tos },
	{ "tunnel|key", check_key },
	{ "tunnel|encap-limit", check_encap_limit },
	{ "tunnel|mtu", check_mtu },
	{ "tunnel|address4", check_addr },
	{ "tunnel|address6", check_addr },
	{ "tunnel|mss", check_mss },
	{ "tunnel|static", check_static },
	{ "tunnel|static-file", check_static_file },
	{ "tunnel|health-check", check_health },
	{ "tunnel|health-direction", check_direction },
	{ "tunnel|health-target", check_addr },
	{ "tunnel|health-peers", check_peers },
	{ "tunnel|health-rate", check_rate },
	{ "tunnel|bgp-profile", check_profile },
	{ "tunnel|bgp-password-file", check_noted },
	{ "port", check_title },
	{ "port|mss", check_mss },
	{ "bgp|profile", check_profile },
	{ "bgp|over", check_over },
	{ "bgp|bfd", check_noted },
	{ "bgp|peer-as", check_as },
	{ "bgp|router-id", check_router_id },
	{ "bgp|announce", check_prefixes },
	{ "bgp|extra-prefixes", check_prefixes },
	{ "bgp|priority", check_priority },
	{ "bgp|max-prefixes4", check_as },
	{ "bgp|max-prefixes6", check_as },
	{ "bgp|password-file", check_noted },
	{ "sync|table", check_table },
};

static bool has_password(const struct config *c)
{
	unsigned int i;

	for (i = 0; i < c->n_tunnels; i++)
		if (c->tunnels[i].password)
			return true;
	return c->bgp.password;
}

static void warn_readable(const char *file)
{
	struct stat st;

	if (!stat(file, &st) && S_ISREG(st.st_mode) && st.st_mode & S_IROTH) {
		err("%s has a password in it and everybody can read it", file);
		hint("chmod o= %s", file);
	}
}

/* libconfuse works on copies of them. */
static cfg_opt_t link_opts[] = {
	CFG_STR("device", NULL, CFGF_NODEFAULT),
	CFG_STR("name", NULL, CFGF_NODEFAULT),
	CFG_STR("dataplane", "v1", CFGF_NONE),
	CFG_STR("vlan", NULL, CFGF_NODEFAULT),
	CFG_STR("local4", NULL, CFGF_NODEFAULT),
	CFG_STR("peer4", NULL, CFGF_NODEFAULT),
	CFG_STR("local6", NULL, CFGF_NODEFAULT),
	CFG_STR("peer6", NULL, CFGF_NODEFAULT),
	CFG_STR("mtu", NULL, CFGF_NODEFAULT),
	CFG_STR("local-as", NULL, CFGF_NODEFAULT),
	CFG_STR("xdp", "off", CFGF_NONE),
	CFG_STR("offload", "auto", CFGF_NONE),
	CFG_STR_LIST("static", "{}", CFGF_NONE),
	CFG_STR("static-file", NULL, CFGF_NODEFAULT),
	CFG_END()
};

static cfg_opt_t tunnel_opts[] = {
	CFG_STR("local", NULL, CFGF_NODEFAULT),
	CFG_STR("remote", NULL, CFGF_NODEFAULT),
	CFG_STR("ttl", NULL, CFGF_NODEFAULT),
	CFG_STR("tos", "0", CFGF_NONE),
	CFG_STR("key", NULL, CFGF_NODEFAULT),
	CFG_STR("encap-limit", "none", CFGF_NONE),
	CFG_STR("mtu", NULL, CFGF_NODEFAULT),
	CFG_STR("address4", NULL, CFGF_NODEFAULT),
	CFG_STR("address6", NULL, CFGF_NODEFAULT),
	CFG_BOOL("host-route", cfg_true, CFGF_NONE),
	CFG_BOOL("bypass-netfilter", cfg_false, CFGF_NONE),
	CFG_STR("mss", "off", CFGF_NONE),
	CFG_STR("health-check", "off", CFGF_NONE),
	CFG_STR("health-direction", "bidirectional", CFGF_NONE),
	CFG_STR("health-target", NULL, CFGF_NODEFAULT),
	CFG_STR_LIST("health-peers", PUBLISHED4, CFGF_NONE),
	CFG_STR("health-rate", NULL, CFGF_NODEFAULT),
	CFG_STR_LIST("static", "{}", CFGF_NONE),
	CFG_STR("static-file", NULL, CFGF_NODEFAULT),
	CFG_BOOL("bgp", cfg_true, CFGF_NONE),
	CFG_STR("bgp-profile", NULL, CFGF_NODEFAULT),
	CFG_STR("bgp-password", NULL, CFGF_NODEFAULT),
	CFG_STR("bgp-password-file", NULL, CFGF_NODEFAULT),
	CFG_END()
};

static cfg_opt_t port_opts[] = {
	CFG_BOOL("bypass-netfilter", cfg_false, CFGF_NONE),
	CFG_BOOL("strict-source", cfg_false, CFGF_NONE),
	CFG_STR("mss", "off", CFGF_NONE),
	CFG_END()
};

static cfg_opt_t bgp_opts[] = {
	CFG_STR("profile", "peering", CFGF_NONE),
	CFG_STR("over", "link", CFGF_NONE),
	CFG_BOOL("bfd", cfg_false, CFGF_NONE),
	CFG_STR("peer-as", NULL, CFGF_NODEFAULT),
	CFG_STR("router-id", NULL, CFGF_NODEFAULT),
	CFG_STR_LIST("announce", "{}", CFGF_NONE),
	CFG_STR_LIST("extra-prefixes", "{}", CFGF_NONE),
	CFG_STR("priority", NULL, CFGF_NODEFAULT),
	CFG_STR("max-prefixes4", NULL, CFGF_NODEFAULT),
	CFG_STR("max-prefixes6", NULL, CFGF_NODEFAULT),
	CFG_STR("password", NULL, CFGF_NODEFAULT),
	CFG_STR("password-file", NULL, CFGF_NODEFAULT),
	CFG_END()
};

static cfg_opt_t sync_opts[] = {
	CFG_STR_LIST("table", "{main}", CFGF_NONE),
	CFG_END()
};

static cfg_opt_t file_opts[] = {
	CFG_SEC("link", link_opts, CFGF_TITLE | CFGF_MULTI |
		CFGF_NO_TITLE_DUPES),
	CFG_SEC("tunnel", tunnel_opts, CFGF_TITLE | CFGF_MULTI |
		CFGF_NO_TITLE_DUPES),
	CFG_SEC("port", port_opts, CFGF_TITLE | CFGF_MULTI |
		CFGF_NO_TITLE_DUPES),
	CFG_SEC("bgp", bgp_opts, CFGF_NONE),
	CFG_SEC("sync", sync_opts, CFGF_NONE),
	CFG_END()
};

struct config *config_parse(const char *file, const char *original)
{
	struct config *c;
	unsigned int i;
	bool doubtful;
	cfg_t *cfg;
	char *text;

	text = config_text(file, original, &doubtful);
	if (!text)
		return NULL;
	cfg = cfg_init(file_opts, CFGF_NONE);
	if (!cfg) {
		err("out of memory");
		free(text);
		return NULL;
	}
	cfg_set_error_function(cfg, print_error);
	for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		cfg_set_validate_func(cfg, checks[i].key, checks[i].check);
	any_error = doubtful;
	file_name = file;
	c = xalloc(sizeof(*c));
	c->file = xstrdup(file);
	c->text = xstrdup(original);
	if (cfg_parse_buf(cfg, text) != CFG_SUCCESS)
		any_error = true;
	else
		take(c, cfg);
	cfg_free(cfg);
	free(text);
	free_lines();
	if (any_error) {
		config_free(c);
		return NULL;
	}
	return c;
}

char *config_named(const char *file)
{
	char *path;

	if (strchr(file, '/') ||
	    asprintf(&path, CONFIG_DIR "/%s.conf", file) < 0)
		return NULL;
	return path;
}

/* For free(), or NULL with errno; *path: config_named()'s, if that is it. */
static char *read_text(const char *file, char **path, size_t *len)
{
	FILE *f = fopen(file, "re");
	char *text = f ? read_whole(f, len) : NULL;
	int error = errno;

	*path = NULL;
	if (f)
		fclose(f);
	/* A folder of that name is none, either. */
	if (!text && (error == ENOENT || error == EISDIR))
		*path = config_named(file);
	f = *path ? fopen(*path, "re") : NULL;
	if (*path && !f && errno == ENOENT) {
		free(*path);
		*path = NULL;
	} else if (*path) {
		text = f ? read_whole(f, len) : NULL;
		error = errno;
	}
	if (*path && f)
		fclose(f);
	errno = error;
	return text;
}

int config_look(const char *file)
{
	char *path, *text;
	struct stat st;
	int rc;

	/* A pipe can be read only once. */
	if (!stat(file, &st) && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return 0;
	text = read_text(file, &path, NULL);
	rc = text ? 0 : -errno;
	free(text);
	free(path);
	return rc;
}

struct config *config_read(const char *file)
{
	struct config *c = NULL;
	char *path, *text;
	size_t len;

	text = read_text(file, &path, &len);
	if (path)
		file = path;
	if (!text) {
		err("can't read %s: %s", file, strerror(errno));
		free(path);
		return NULL;
	}
	if (strlen(text) == len)
		c = config_parse(file, text);
	else
		out_say("%s: it has a NUL character in it: is it UTF-16? Save it as UTF-8",
			file);
	free(text);
	if (c && has_password(c))
		warn_readable(file);
	free(path);
	return c;
}

static void free_static(struct config_static *s)
{
	free(s->given);
	free(s->file);
	free(s->list);
}

void config_free(struct config *c)
{
	unsigned int i;

	if (!c)
		return;
	for (i = 0; i < c->n_tunnels; i++) {
		free(c->tunnels[i].password);
		free(c->tunnels[i].password_file);
		free_static(&c->tunnels[i].statics);
	}
	free_static(&c->link.statics);
	free(c->file);
	free(c->text);
	free(c->tunnels);
	free(c->ports);
	free(c->bgp.announce);
	free(c->bgp.extra);
	free(c->bgp.password);
	free(c->bgp.password_file);
	free(c);
}
