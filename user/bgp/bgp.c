// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "bgp/bgp.h"

#define RESTART_S 120
/* A table of thousands, without a resync: that of BIRD's first burst. */
#define NETLINK_BUFFER 33554432
#define MAX_PASSWORD 80		/* TCP_MD5SIG_MAXKEYLEN */
#define TABLE_MAIN 254

/* What a table of the Internet has no place for. */
static const char * const bogons[] = {
	/* These nobody can route. */
	"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24",
	"224.0.0.0/4", "240.0.0.0/4",
	"::/3", "4000::/2", "8000::/2", "c000::/3", "e000::/4", "f000::/5",
	"f800::/6", "fe00::/7",
	NULL,
	/* These are somebody's own, as in a Magic routing table. */
	"10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.0.2.0/24",
	"192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24",
	"fc00::/7", "2001::/32", "2001:10::/28", "2001:db8::/32",
	"2002::/16", "3ffe::/16", "3fff::/20",
};

#define N_BOGONS (sizeof(bogons) / sizeof(bogons[0]))

static const struct limits {
	int family;
	const char *ip, *any;
	unsigned int bits;
	unsigned int min, max;	/* lengths that the Internet's table has */
} families[] = {
	{ AF_INET, "4", "0.0.0.0/0", 32, 8, 24 },
	{ AF_INET6, "6", "::/0", 128, 16, 48 },
};

#define for_families(l) \
	for (const struct limits *l = families; l < families + 2; l++)

static bool is_of(const char *prefix, int family)
{
	return !strchr(prefix, ':') == (family == AF_INET);
}

/* Magic's communities say a route's priority. */
static unsigned int community(unsigned int priority)
{
	switch (priority) {
	case 501000:
		return 60901;
	case 1001000:
		return 60902;
	case 100:
		return 0;
	}
	return 60000 + priority;
}

const char *bgp_password_problem(const char *password, enum bgp_daemon d)
{
	const char *p;

	if (!*password)
		return "is empty";
	if (strlen(password) > MAX_PASSWORD)
		return "is longer than the 80 characters that TCP MD5 takes";
	for (p = password; *p; p++) {
		if (*p < ' ' || *p > '~')
			return "has a character that isn't printable ASCII";
		if (*p == '"' || *p == '?')
			return "has a \" or ?, which Cloudflare doesn't allow";
		if (*p == ' ' && d == BGP_FRR)
			return "has a space, which FRR can't have in a password: ask Cloudflare for another one, or use BIRD";
	}
	return NULL;
}

const char *bgp_ifname_problem(const char *ifname)
{
	for (; *ifname; ifname++)
		if (!isalnum((unsigned char)*ifname) &&
		    !strchr("._-@+", *ifname))
			return "has a character that BGP daemons' configurations can't have";
	return NULL;
}

static bool has_session(const struct bgp *b, int family)
{
	unsigned int i;

	for (i = 0; i < b->n_sessions; i++)
		if (b->sessions[i].local.family == family)
			return true;
	return false;
}

static bool has_profile(const struct bgp *b, int family, bool magic)
{
	unsigned int i;

	for (i = 0; i < b->n_sessions; i++)
		if ((!family || b->sessions[i].local.family == family) &&
		    b->sessions[i].magic == magic)
			return true;
	return false;
}

static bool is_mixed(const struct bgp *b)
{
	return has_profile(b, 0, true) && has_profile(b, 0, false);
}

/* What all names begin with; a static buffer. */
static const char *base_of(const struct bgp *b, char dash)
{
	static char buf[64];
	const char *c = b->snippet_of;
	size_t n = strlen("cni");

	strcpy(buf, "cni");
	if (c)
		buf[n++] = dash;
	/* BIRD's names are words; a dot is in most of the devices'. */
	for (; c && *c; c++)
		n += sprintf(buf + n, isalnum((unsigned char)*c) ? "%c" :
			     *c == '.' ? "_" : "_%02x", (unsigned char)*c);
	buf[n] = '\0';
	return buf;
}

/*
 * What filters' names begin with: there are two of each where two are needed. A
 * static buffer.
 */
static const char *prefix_of(const struct bgp *b, bool magic, char dash)
{
	static char buf[80];

	snprintf(buf, sizeof(buf), "%s%s%s", base_of(b, dash),
		 !magic || !is_mixed(b) ? "" :
		 dash == '-' ? "-magic" : "_magic", dash == '-' ? "" : "_");
	return buf;
}

/* What a session's name begins with, in BIRD; a static buffer. */
static const char *bird_session_prefix(const struct bgp *b)
{
	static char buf[80];

	if (!b->snippet_of)
		return "";
	snprintf(buf, sizeof(buf), "%s_", base_of(b, '_'));
	return buf;
}

/* Where the sessions' routes are, but for the IP version; a static buffer. */
static const char *bird_table(const struct bgp *b)
{
	static char buf[80];

	snprintf(buf, sizeof(buf), b->snippet_of ? "%s_table" : "%s",
		 base_of(b, '_'));
	return buf;
}

/* The default route and such are Magic's, where only one has it. */
static bool has_extra(const struct bgp *b, bool magic)
{
	return magic || !is_mixed(b);
}

static const char *profile_name(const struct bgp *b)
{
	return is_mixed(b) ? "peering, and magic for some sessions" :
	       b->sessions->magic ? "magic" : "peering";
}

static unsigned int count(const struct addr *list, unsigned int n, int family)
{
	unsigned int i, found = 0;

	for (i = 0; i < n; i++)
		found += list[i].family == family;
	return found;
}

/* " [ A<suffix>, B<suffix> ]" */
static void bird_set(FILE *f, const struct addr *list, unsigned int n,
		     int family, const char *suffix)
{
	const char *sep = " [\n\t\t";
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (list[i].family != family)
			continue;
		fprintf(f, "%s%s%s", sep, addr_prefix_str(&list[i]), suffix);
		sep = ",\n\t\t";
	}
	fprintf(f, "\n\t]");
}

static void bird_bogons(FILE *f, bool magic, int family)
{
	const char *sep = "";
	unsigned int i;

	fprintf(f, "\tif net ~ [\n\t\t");
	for (i = 0; i < N_BOGONS; i++) {
		if (!bogons[i]) {
			if (magic)
				break;
			continue;
		}
		if (!is_of(bogons[i], family))
			continue;
		fprintf(f, "%s%s+", sep, bogons[i]);
		sep = ",\n\t\t";
	}
	fprintf(f, "\n\t] then reject;\n");
}

static void bird_import(FILE *f, const struct bgp *b, const struct limits *l,
			bool magic)
{
	fprintf(f, "filter %simport%s {\n", prefix_of(b, magic, '_'), l->ip);
	fprintf(f, "\tif bgp_path.first != %u then reject;\n", b->peer_as);
	if (count(b->announce, b->n_announce, l->family)) {
		fprintf(f, "\t# Ours, and parts of it.\n\tif net ~");
		bird_set(f, b->announce, b->n_announce, l->family, "+");
		fprintf(f, " then reject;\n");
	}
	if (has_extra(b, magic) && count(b->extra, b->n_extra, l->family)) {
		fprintf(f, "\t# Beside what is usual.\n\tif net ~");
		bird_set(f, b->extra, b->n_extra, l->family, "");
		fprintf(f, " then accept;\n");
	}
	bird_bogons(f, magic, l->family);
	if (magic)
		fprintf(f, "\tif net.len = 0 then reject;\n");
	else
		fprintf(f, "\tif net.len < %u || net.len > %u then reject;\n",
			l->min, l->max);
	fprintf(f, "\taccept;\n}\n\n");
}

static void bird_filters(FILE *f, const struct bgp *b, const struct limits *l,
			 bool magic)
{
	unsigned int comm = magic ? community(b->priority) : 0;

	if (!has_profile(b, l->family, magic))
		return;
	bird_import(f, b, l, magic);
	fprintf(f, "filter %sexport%s {\n\tif source != RTS_STATIC then reject;\n",
		prefix_of(b, magic, '_'), l->ip);
	if (comm)
		fprintf(f, "\t# Priority %u in Magic's table.\n"
			"\tbgp_community.add((13335, %u));\n",
			b->priority, comm);
	fprintf(f, "\taccept;\n}\n\n");
}

/* From the sessions' table to the kernel's, or to the user's own of BIRD. */
static void bird_out(FILE *f, const struct bgp *b, const struct limits *l)
{
	if (b->snippet_of) {
		fprintf(f, "protocol pipe %s_pipe%s {\n\ttable %s%s;\n"
			"\tpeer table master%s;\n\timport none;\n"
			"\texport where source = RTS_BGP;\n}\n\n",
			base_of(b, '_'), l->ip, bird_table(b), l->ip, l->ip);
		return;
	}
	fprintf(f, "protocol kernel cni_kernel%s {\n"
		"\tipv%s {\n\t\ttable cni%s;\n\t\timport none;\n"
		"\t\texport where source = RTS_BGP;\n\t};\n", l->ip, l->ip,
		l->ip);
	if (b->table != TABLE_MAIN)
		fprintf(f, "\tkernel table %u;\n", b->table);
	fprintf(f, "\tmerge paths on;\n\tgraceful restart on;\n"
		"\tnetlink rx buffer %u;\n}\n\n", NETLINK_BUFFER);
}

static void bird_family(FILE *f, const struct bgp *b, const struct limits *l)
{
	unsigned int i;

	fprintf(f, "ipv%s table %s%s;\n\n", l->ip, bird_table(b), l->ip);
	if (count(b->announce, b->n_announce, l->family)) {
		fprintf(f, "# What is ours: for Cloudflare to know, not for the kernel.\n");
		fprintf(f, "protocol static %s_own%s {\n\tipv%s { table %s%s; };\n",
			base_of(b, '_'), l->ip, l->ip, bird_table(b), l->ip);
		for (i = 0; i < b->n_announce; i++)
			if (b->announce[i].family == l->family)
				fprintf(f, "\troute %s unreachable;\n",
					addr_prefix_str(&b->announce[i]));
		fprintf(f, "}\n\n");
	}
	bird_filters(f, b, l, false);
	bird_filters(f, b, l, true);
	bird_out(f, b, l);
}

static void bird_session(FILE *f, const struct bgp *b,
			 const struct bgp_session *s)
{
	const char *ip = s->local.family == AF_INET ? "4" : "6";
	const char *filter = prefix_of(b, s->magic, '_');

	fprintf(f, "protocol bgp %s%s {\n", bird_session_prefix(b), s->name);
	fprintf(f, "\tdescription \"Cloudflare over %s\";\n", s->ifname);
	fprintf(f, "\tlocal %s as %u;\n", addr_str(&s->local), b->local_as);
	fprintf(f, "\tneighbor %s as %u;\n", addr_str(&s->peer), b->peer_as);
	if (s->password)
		fprintf(f, "\t# MD5, as newer versions of BIRD say that they assume.\n"
			"\tpassword \"%s\";\n", s->password);
	fprintf(f, "\thold time %u;\n\tkeepalive time %u;\n", s->hold,
		s->hold / 3);
	fprintf(f, "\tconnect delay time 1;\n\tconnect retry time 5;\n"
		"\terror wait time 5, 60;\n");
	if (s->graceful)
		fprintf(f, "\tgraceful restart on;\n\tgraceful restart time %u;\n",
			RESTART_S);
	if (s->bfd)
		fprintf(f, "\tbfd on;\n");
	fprintf(f, "\tcheck link on;\n");
	fprintf(f, "\tipv%s {\n\t\ttable %s%s;\n", ip, bird_table(b), ip);
	fprintf(f, "\t\timport filter %simport%s;\n"
		"\t\timport keep filtered on;\n"
		"\t\treceive limit %u action warn;\n"
		"\t\texport filter %sexport%s;\n"
		"\t\tnext hop self;\n\t};\n}\n\n", filter, ip,
		*ip == '4' ? b->max4 : b->max6, filter, ip);
}

static void bird_head(FILE *f, const struct bgp *b)
{
	if (!b->snippet_of) {
		fprintf(f, "# The whole of bird.conf; start bird with -R after a restart that is to\n"
			"# keep the routes. See cnictl(8).\n\n"
			"log syslog all;\nrouter id %s;\n\n"
			"protocol device {\n}\n\n", addr_str(&b->router_id));
		return;
	}
	fprintf(f, "# For your own bird.conf: include \"FILE\". See cnictl(8).\n"
		"# What is accepted goes into its tables master4 and master6. Your kernel\n"
		"# protocols have to export it, into the kernel's table %u. They do well with\n"
		"#\tmerge paths on;\n#\tgraceful restart on;\n"
		"#\tnetlink rx buffer %u;\n",
		b->table, NETLINK_BUFFER);
	if (b->sessions[0].bfd)
		fprintf(f, "# There has to be a protocol bfd; Cloudflare's timers, for it:\n"
			"#\tinterface \"%s\" { min rx interval 300 ms; min tx interval 300 ms; multiplier 3; };\n",
			b->sessions[0].ifname);
	fprintf(f, "\n");
}

static void bird(FILE *f, const struct bgp *b)
{
	unsigned int i;

	fprintf(f, "# BIRD 2: Cloudflare over link %s, profile %s.\n", b->title,
		profile_name(b));
	bird_head(f, b);
	for_families(l)
		if (has_session(b, l->family))
			bird_family(f, b, l);
	/* The link's sessions come first. */
	if (b->sessions[0].bfd && !b->snippet_of)
		fprintf(f, "protocol bfd cni_bfd {\n\tinterface \"%s\" {\n"
			"\t\tmin rx interval 300 ms;\n\t\tmin tx interval 300 ms;\n"
			"\t\tmultiplier 3;\n\t};\n}\n\n",
			b->sessions[0].ifname);
	for (i = 0; i < b->n_sessions; i++)
		bird_session(f, b, &b->sessions[i]);
}

static void frr_rule(FILE *f, const struct limits *l, const char *list,
		     unsigned int *seq, const char *rule)
{
	*seq += 5;
	fprintf(f, "%s prefix-list %s%s seq %u %s\n",
		l->family == AF_INET ? "ip" : "ipv6", list, l->ip, *seq, rule);
}

/* A list's prefixes: with those inside them when @inside. */
static void frr_rules(FILE *f, const struct limits *l, const char *list,
		      unsigned int *seq, const char *action,
		      const struct addr *a, unsigned int n, bool inside)
{
	char rule[80], le[16] = "";
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (a[i].family != l->family)
			continue;
		if (inside && a[i].len < l->bits)
			snprintf(le, sizeof(le), " le %u", l->bits);
		snprintf(rule, sizeof(rule), "%s %s%s", action,
			 addr_prefix_str(&a[i]), le);
		frr_rule(f, l, list, seq, rule);
	}
}

static void frr_filters(FILE *f, const struct bgp *b, const struct limits *l,
			bool magic)
{
	const char *ip = l->family == AF_INET ? "ip" : "ipv6";
	const char *name = prefix_of(b, magic, '-');
	unsigned int i, seq = 0, comm = magic ? community(b->priority) : 0;
	char rule[80], in[96], out[96];

	if (!has_profile(b, l->family, magic))
		return;
	snprintf(in, sizeof(in), "%s-in", name);
	snprintf(out, sizeof(out), "%s-out", name);
	fprintf(f, "! What comes in: not ours, nor parts of it.\n");
	frr_rules(f, l, in, &seq, "deny", b->announce, b->n_announce, true);
	if (has_extra(b, magic))
		frr_rules(f, l, in, &seq, "permit", b->extra, b->n_extra,
			  false);
	for (i = 0; i < N_BOGONS; i++) {
		if (!bogons[i]) {
			if (magic)
				break;
			continue;
		}
		if (!is_of(bogons[i], l->family))
			continue;
		snprintf(rule, sizeof(rule), "deny %s le %u", bogons[i],
			 l->bits);
		frr_rule(f, l, in, &seq, rule);
	}
	snprintf(rule, sizeof(rule), "permit %s ge %u le %u", l->any,
		 magic ? 1 : l->min, magic ? l->bits : l->max);
	frr_rule(f, l, in, &seq, rule);
	seq = 0;
	fprintf(f, "! What goes out.\n");
	frr_rules(f, l, out, &seq, "permit", b->announce, b->n_announce,
		  false);
	if (!seq) {
		snprintf(rule, sizeof(rule), "deny %s le %u", l->any, l->bits);
		frr_rule(f, l, out, &seq, rule);
	}
	fprintf(f, "!\nroute-map %s-import%s permit 10\n"
		" match as-path %s-first\n"
		" match %s address prefix-list %s%s\n", name, l->ip,
		base_of(b, '-'), ip, in, l->ip);
	if (b->table != TABLE_MAIN)
		fprintf(f, " set table %u\n", b->table);
	fprintf(f, "exit\n!\nroute-map %s-export%s permit 10\n"
		" match %s address prefix-list %s%s\n", name, l->ip, ip, out,
		l->ip);
	if (comm)
		fprintf(f, " set community 13335:%u additive\n", comm);
	fprintf(f, "exit\n!\n");
}

static void frr_neighbor(FILE *f, const struct bgp *b,
			 const struct bgp_session *s)
{
	const char *peer = addr_str(&s->peer);

	fprintf(f, " neighbor %s remote-as %u\n", peer, b->peer_as);
	fprintf(f, " neighbor %s description Cloudflare over %s\n", peer,
		s->ifname);
	if (s->password)
		fprintf(f, " neighbor %s password %s\n", peer, s->password);
	fprintf(f, " neighbor %s timers %u %u\n", peer, s->hold / 3, s->hold);
	fprintf(f, " neighbor %s timers connect 5\n", peer);
	/* What is on for all is the user's own, around a snippet. */
	if (b->snippet_of && s->graceful)
		fprintf(f, " neighbor %s graceful-restart\n", peer);
	if ((b->snippet_of || b->sessions[0].graceful) && !s->graceful)
		fprintf(f, " neighbor %s graceful-restart-disable\n", peer);
	if (s->bfd)
		fprintf(f, " neighbor %s bfd\n", peer);
}

static void frr_channel(FILE *f, const struct bgp *b, const struct limits *l)
{
	const char *peer, *name;
	unsigned int i;

	fprintf(f, " !\n address-family ipv%s unicast\n", l->ip);
	for (i = 0; !b->snippet_of && i < b->n_announce; i++)
		if (b->announce[i].family == l->family)
			fprintf(f, "  network %s\n",
				addr_prefix_str(&b->announce[i]));
	for (i = 0; i < b->n_sessions; i++) {
		if (b->sessions[i].local.family != l->family)
			continue;
		peer = addr_str(&b->sessions[i].peer);
		fprintf(f, "  neighbor %s activate\n", peer);
		fprintf(f, "  neighbor %s soft-reconfiguration inbound\n",
			peer);
		name = prefix_of(b, b->sessions[i].magic, '-');
		fprintf(f, "  neighbor %s route-map %s-import%s in\n", peer,
			name, l->ip);
		fprintf(f, "  neighbor %s route-map %s-export%s out\n", peer,
			name, l->ip);
		fprintf(f, "  neighbor %s maximum-prefix %u warning-only\n",
			peer, l->family == AF_INET ? b->max4 : b->max6);
	}
	fprintf(f, " exit-address-family\n");
}

static void frr_head(FILE *f, const struct bgp *b)
{
	const struct bgp_session *s = b->sessions;
	unsigned int i;

	if (!b->snippet_of) {
		fprintf(f, "! The whole of /etc/frr/frr.conf. In /etc/frr/daemons, besides bgpd=yes%s:\n"
			"!   zebra_options=\"-A 127.0.0.1 -s %u%s\"\n"
			"! -s is the buffer for the kernel's messages%s\n!\n",
			s->bfd ? " and bfdd=yes" : "", NETLINK_BUFFER,
			s->graceful ? " -K 120" : "",
			s->graceful ? "; -K keeps the routes over a restart." :
				      ".");
		return;
	}
	fprintf(f, "! For a router bgp %u of your own: add it to frr.conf, or to what runs with\n"
		"! vtysh -f FILE, which only adds: what has left this file has to be removed by\n"
		"! hand (no ip prefix-list NAME seq N ...). It announces of these what your BGP table has, so that has\n"
		"! to have them (network PREFIX):\n", b->local_as);
	for (i = 0; i < b->n_announce; i++)
		fprintf(f, "!   %s\n", addr_prefix_str(&b->announce[i]));
	if (s->bfd)
		fprintf(f, "! BFD takes bfdd=yes in /etc/frr/daemons.\n");
	fprintf(f, "!\n");
}

/* By default FRR has each neighbor take part in IPv4. */
static void frr_ipv6_only(FILE *f, const struct bgp *b)
{
	unsigned int i;

	if (!b->snippet_of || !has_session(b, AF_INET6))
		return;
	fprintf(f, " !\n address-family ipv4 unicast\n");
	for (i = 0; i < b->n_sessions; i++)
		if (b->sessions[i].local.family == AF_INET6)
			fprintf(f, "  no neighbor %s activate\n",
				addr_str(&b->sessions[i].peer));
	fprintf(f, " exit-address-family\n");
}

static void frr(FILE *f, const struct bgp *b)
{
	const struct bgp_session *s = b->sessions;

	fprintf(f, "! FRR: Cloudflare over link %s, profile %s.\n", b->title,
		profile_name(b));
	frr_head(f, b);
	fprintf(f, "bgp as-path access-list %s-first seq 5 permit ^%u(_|$)\n!\n",
		base_of(b, '-'), b->peer_as);
	for_families(l) {
		frr_filters(f, b, l, false);
		frr_filters(f, b, l, true);
	}
	fprintf(f, "router bgp %u\n", b->local_as);
	if (!b->snippet_of)
		fprintf(f, " bgp router-id %s\n"
			" no bgp default ipv4-unicast\n"
			" no bgp network import-check\n"
			" bgp bestpath as-path multipath-relax\n",
			addr_str(&b->router_id));
	if (!b->snippet_of && s->graceful)
		fprintf(f, " bgp graceful-restart\n"
			" bgp graceful-restart preserve-fw-state\n"
			" bgp graceful-restart restart-time %u\n", RESTART_S);
	for (; s < b->sessions + b->n_sessions; s++)
		frr_neighbor(f, b, s);
	frr_ipv6_only(f, b);
	for_families(l)
		if (has_session(b, l->family))
			frr_channel(f, b, l);
	fprintf(f, "exit\n!\n");
}

void bgp_write(FILE *f, const struct bgp *b, enum bgp_daemon d)
{
	if (d == BGP_BIRD)
		bird(f, b);
	else
		frr(f, b);
}
