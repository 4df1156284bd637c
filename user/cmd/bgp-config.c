// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/number.h"
#include "base/out.h"
#include "base/usage.h"
#include "bgp/bgp.h"
#include "cmd/verbs.h"
#include "config/config.h"

/* Those of Cloudflare: over the link, and over a tunnel. */
#define HOLD_LINK 240
#define HOLD_TUNNEL 90

#define CLOUDFLARE_AS 13335

static int take_number(const char *what, const char *arg, uint32_t *n)
{
	uint64_t v;

	if (!number_parse(arg, false, UINT32_MAX, &v) || !v)
		return usage("bgp-config", "%s '%s' isn't a number from 1 to %u",
			     what, arg, UINT32_MAX);
	*n = v;
	return RC_OK;
}

/* The first one takes the place of those of the configuration. */
static int take_prefix(const char *what, const char *arg, bool *given,
		       struct addr **list, unsigned int *n)
{
	const char *bad;

	if (!*given)
		*n = 0;
	*given = true;
	bad = config_add_prefix(arg, list, n);
	if (bad)
		return usage("bgp-config", "%s '%s' %s", what, arg, bad);
	return RC_OK;
}

static const struct option longs[] = {
	{ "profile", required_argument, NULL, 'p' },
	{ "over", required_argument, NULL, 'o' },
	{ "local-as", required_argument, NULL, 'l' },
	{ "peer-as", required_argument, NULL, 'P' },
	{ "router-id", required_argument, NULL, 'r' },
	{ "announce", required_argument, NULL, 'a' },
	{ "extra", required_argument, NULL, 'e' },
	{ "priority", required_argument, NULL, 'i' },
	{ "password-file", required_argument, NULL, 'f' },
	{ "table", required_argument, NULL, 't' },
	{ "bfd", no_argument, NULL, 'b' },
	{ "snippet", no_argument, NULL, 's' },
	{}
};

static int take_profile(struct config *c, const char *arg)
{
	unsigned int i;

	c->bgp.magic = !strcmp(arg, "magic");
	for (i = 0; i < c->n_tunnels; i++)
		c->tunnels[i].profile = PROFILE_UNSAID;
	if (!c->bgp.magic && strcmp(arg, "peering"))
		return usage("bgp-config", "profile '%s' isn't \"peering\" or \"magic\"",
			     arg);
	return RC_OK;
}

static int take_over(struct config_bgp *b, const char *arg)
{
	b->no_link = !strcmp(arg, "tunnels");
	b->over_tunnels = b->no_link || !strcmp(arg, "both");
	if (!b->over_tunnels && strcmp(arg, "link"))
		return usage("bgp-config", "--over '%s' isn't \"link\", \"tunnels\" or \"both\"",
			     arg);
	return RC_OK;
}

/* What stands in the place of the configuration's words. */
static int take_options(struct config *c, int argc, char **argv,
			enum bgp_daemon d, bool *snippet)
{
	bool announce = false, extra = false, router_id = false, table = false;
	struct config_bgp *b = &c->bgp;
	int o, rc = RC_OK;
	uint32_t n = 0;

	optind = 0;
	while (!rc && (o = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (o) {
		case 'p':
			rc = take_profile(c, optarg);
			break;
		case 'o':
			rc = take_over(b, optarg);
			break;
		case 'l':
			rc = take_number("AS", optarg, &c->link.local_as);
			break;
		case 'P':
			rc = take_number("AS", optarg, &b->peer_as);
			break;
		case 'r':
			router_id = true;
			if (addr_parse(optarg, &b->router_id) ||
			    b->router_id.family != AF_INET)
				rc = usage("bgp-config", "router ID '%s' isn't an IPv4 address",
					   optarg);
			break;
		case 'a':
			rc = take_prefix("--announce", optarg, &announce,
					 &b->announce, &b->n_announce);
			break;
		case 'e':
			rc = take_prefix("--extra", optarg, &extra, &b->extra,
					 &b->n_extra);
			break;
		case 'i':
			rc = take_number("priority", optarg, &n);
			b->priority = n;
			if (!rc && !config_is_priority(n))
				rc = usage("bgp-config", "priority %u isn't one that Magic has: 10, 50, 100, 150, 200, 501000 or 1001000",
					   n);
			break;
		case 'f':
			free(b->password);
			free(b->password_file);
			b->password = NULL;
			b->password_file = xstrdup(optarg);
			break;
		case 't':
			table = true;
			c->tables[0] = config_table_parse(optarg);
			if (!c->tables[0])
				rc = usage("bgp-config", "table '%s' isn't \"main\", \"default\" or a number other than 255",
					   optarg);
			break;
		case 'b':
			b->bfd = true;
			break;
		case 's':
			*snippet = true;
			break;
		}
	}
	if (!rc && *snippet && router_id)
		rc = usage("bgp-config", "--router-id is for a whole file: what includes a snippet has one of its own");
	else if (!rc && *snippet && table && d == BGP_BIRD)
		rc = usage("bgp-config", "--table is for a whole file: with a snippet your own kernel protocol says it");
	return rc;
}

/* The file's first line, for free(), or NULL. */
static char *read_file(const char *file)
{
	char *line = NULL;
	size_t size = 0;
	struct stat st;
	ssize_t n;
	FILE *f;

	f = fopen(file, "re");
	if (!f || fstat(fileno(f), &st)) {
		err("can't read %s: %s", file, strerror(errno));
		return NULL;
	}
	if (S_ISREG(st.st_mode) && st.st_mode & S_IROTH) {
		err("%s is a password that everybody can read", file);
		hint("chmod o= %s", file);
	}
	n = getline(&line, &size, f);
	fclose(f);
	if (n < 0) {
		free(line);
		return xstrdup("");
	}
	line[strcspn(line, "\r\n")] = '\0';
	return line;
}

/* For free() in *@password, which stays NULL where there is none. */
static int read_password(const char *given, const char *file,
			 enum bgp_daemon d, char **password)
{
	const char *bad;

	if (!given && !file)
		return RC_OK;
	*password = file ? read_file(file) : xstrdup(given);
	if (!*password)
		return RC_FAILED;
	bad = bgp_password_problem(*password, d);
	if (!bad)
		return RC_OK;
	err("the password%s%s %s", file ? " in " : "", file ? file : "", bad);
	return RC_USAGE;
}

/* @t: NULL for one over the link. */
static int add_session(struct bgp *b, enum bgp_daemon d, const char *name,
		       const struct config_tunnel *t, const struct config *c,
		       const struct addr *local, const struct addr *peer)
{
	bool own = t && (t->password || t->password_file);
	struct bgp_session *s;

	if (!local->family)
		return RC_OK;
	b->sessions = xrealloc(b->sessions, (b->n_sessions + 1) *
			       sizeof(*b->sessions));
	s = &b->sessions[b->n_sessions++];
	memset(s, 0, sizeof(*s));
	snprintf(s->name, sizeof(s->name), "%s%d", name,
		 local->family == AF_INET ? 4 : 6);
	s->ifname = t ? t->ifname : c->link.ifname;
	s->local = *local;
	s->peer = *peer;
	s->hold = t ? HOLD_TUNNEL : HOLD_LINK;
	s->graceful = !t;
	s->bfd = !t && c->bgp.bfd;
	s->magic = t ? config_is_magic(&c->bgp, t) : c->bgp.magic;
	return read_password(own ? t->password : c->bgp.password,
			     own ? t->password_file : c->bgp.password_file,
			     d, &s->password);
}

static int tunnel_session(struct bgp *b, enum bgp_daemon d,
			  const struct config *c, unsigned int n, bool v6)
{
	const struct config_tunnel *t = &c->tunnels[n];
	const struct addr *a = v6 ? &t->address6 : &t->address4;
	struct addr peer;
	char name[20];

	if (!a->family || t->no_bgp)
		return RC_OK;
	if (a->len != addr_bits(a) - 1) {
		err("tunnel '%s' has %s: Cloudflare's end is known of a /31 or /127 only",
		    t->ifname, addr_prefix_str(a));
		return RC_USAGE;
	}
	peer = addr_other(a);
	snprintf(name, sizeof(name), "tunnel%u_", n + 1);
	return add_session(b, d, name, t, c, a, &peer);
}

static int make_sessions(struct bgp *b, enum bgp_daemon d,
			 const struct config *c)
{
	const struct config_link *l = &c->link;
	unsigned int i, n_link;
	const char *bad;
	int rc = RC_OK;

	if (!c->bgp.no_link) {
		rc = add_session(b, d, "cloudflare", NULL, c, &l->local4,
				 &l->peer4);
		if (!rc)
			rc = add_session(b, d, "cloudflare", NULL, c,
					 &l->local6, &l->peer6);
	}
	n_link = b->n_sessions;
	for (i = 0; !rc && c->bgp.over_tunnels && i < c->n_tunnels; i++) {
		rc = tunnel_session(b, d, c, i, false);
		if (!rc)
			rc = tunnel_session(b, d, c, i, true);
	}
	if (rc)
		return rc;
	if (c->bgp.over_tunnels && b->n_sessions == n_link) {
		err("%s has no tunnel with an address4 or address6 to speak BGP from",
		    c->file);
		return RC_USAGE;
	}
	for (i = 0; i < b->n_sessions; i++) {
		bad = bgp_ifname_problem(b->sessions[i].ifname);
		if (bad) {
			err("device name '%s' %s", b->sessions[i].ifname, bad);
			return RC_USAGE;
		}
	}
	return RC_OK;
}

static int check_announced(const struct config *c, bool peering)
{
	const struct config_bgp *b = &c->bgp;
	const struct addr *a;

	if (!b->n_announce) {
		err("%s doesn't say which prefixes are yours", c->file);
		hint("add \"bgp { announce = { 203.0.113.0/24 } }\", or give --announce PREFIX");
		return RC_USAGE;
	}
	for (a = b->announce; a < b->announce + b->n_announce; a++) {
		if (!a->len) {
			err("a default route is nothing to announce to Cloudflare");
			return RC_USAGE;
		}
		if (peering && a->len > (a->family == AF_INET ? 24 : 48))
			err("%s is longer than /%d: the Internet's tables don't have such prefixes, and Cloudflare may refuse it",
			    addr_prefix_str(a), a->family == AF_INET ? 24 : 48);
	}
	return RC_OK;
}

/* What doesn't go together, and what is missing. */
static int check(const struct config *c)
{
	const struct config_bgp *b = &c->bgp;

	if (!config_has_bgp(c)) {
		err("%s says that there is no BGP (over = none)", c->file);
		hint("say in its bgp section where the sessions are to be, or give --over link, tunnels or both");
		return RC_USAGE;
	}
	if (!c->link.local_as) {
		err("%s doesn't say your AS number", c->file);
		hint("add \"local-as = N\" to the link, or give --local-as N");
		return RC_USAGE;
	}
	if (c->link.local_as == b->peer_as) {
		err("AS %u at both ends: sessions with Cloudflare are between two ASes",
		    b->peer_as);
		return RC_USAGE;
	}
	if (b->over_tunnels && b->peer_as != CLOUDFLARE_AS) {
		err("over tunnels Cloudflare's AS is 13335, not %u",
		    b->peer_as);
		return RC_USAGE;
	}
	if (b->bfd && b->no_link) {
		err("Cloudflare has no BFD over tunnels");
		return RC_USAGE;
	}
	if (b->bfd && c->link.dataplane == DATAPLANE_V2) {
		err("dataplane v2 has no BFD");
		return RC_USAGE;
	}
	return RC_OK;
}

static int choose_router_id(struct bgp *b, const struct config *c)
{
	b->router_id = c->bgp.router_id;
	if (!b->router_id.family)
		b->router_id = c->link.local4;
	if (b->router_id.family)
		return RC_OK;
	err("the link has no IPv4 address to take the router ID from");
	hint("add \"bgp { router-id = A.B.C.D }\", or give --router-id A.B.C.D");
	return RC_USAGE;
}

static bool has_password(const struct bgp *b)
{
	unsigned int i;

	for (i = 0; i < b->n_sessions; i++)
		if (b->sessions[i].password)
			return true;
	return false;
}

static void print(const struct bgp *b, enum bgp_daemon d)
{
	struct stat st;
	json_t *root;
	char *text;
	size_t n;
	FILE *f;

	if (has_password(b) && !fstat(STDOUT_FILENO, &st) &&
	    S_ISREG(st.st_mode) && st.st_mode & S_IROTH) {
		err("this has a password in it, and goes into a file that everybody can read");
		hint("chmod o= that file");
	}
	if (!out_json) {
		bgp_write(stdout, b, d);
		return;
	}
	f = open_memstream(&text, &n);
	if (!f)
		return;
	bgp_write(f, b, d);
	fclose(f);
	root = json_object();
	json_object_set_new(root, "daemon",
			    json_string(d == BGP_BIRD ? "bird" : "frr"));
	json_object_set_new(root, "config", json_string(text));
	out_print(root);
	free(text);
}

static int make(const struct config *c, enum bgp_daemon d, bool snippet)
{
	struct bgp b = {
		.title = c->link.title,
		.snippet_of = snippet ? c->link.ifname : NULL,
		.local_as = c->link.local_as, .peer_as = c->bgp.peer_as,
		.announce = c->bgp.announce, .n_announce = c->bgp.n_announce,
		.extra = c->bgp.extra, .n_extra = c->bgp.n_extra,
		.priority = c->bgp.priority,
		.max4 = c->bgp.max4, .max6 = c->bgp.max6,
		.table = c->tables[0],
	};
	bool peering = false, magic = false;
	int rc = check(c);
	unsigned int i;

	if (!rc && !snippet)
		rc = choose_router_id(&b, c);
	if (!rc)
		rc = make_sessions(&b, d, c);
	for (i = 0; i < b.n_sessions; i++) {
		peering |= !b.sessions[i].magic;
		magic |= b.sessions[i].magic;
	}
	if (!rc && c->bgp.priority != 100 && !magic) {
		err("priorities are Magic's: give --profile magic");
		rc = RC_USAGE;
	}
	if (!rc)
		rc = check_announced(c, peering);
	if (!rc)
		print(&b, d);
	while (b.n_sessions)
		free(b.sessions[--b.n_sessions].password);
	free(b.sessions);
	return rc;
}

int verb_bgp_config(int argc, char **argv)
{
	enum bgp_daemon d = BGP_BIRD;
	bool snippet = false;
	struct config *c;
	int o, rc;

	/* The options come after the configuration that they change. */
	while ((o = getopt_long(argc, argv, "", longs, NULL)) != -1)
		if (o == '?')
			return usage_option("bgp-config", argv);
	if (optind == argc || (strcmp(argv[optind], "bird") &&
			       strcmp(argv[optind], "frr")))
		return usage("bgp-config", "for which daemon: bird or frr?");
	if (optind + 2 != argc)
		return usage("bgp-config", "one configuration file (cnictl init makes one from the mail)");
	if (!strcmp(argv[optind], "frr"))
		d = BGP_FRR;
	c = config_read(argv[optind + 1]);
	if (!c)
		return RC_USAGE;
	rc = take_options(c, argc, argv, d, &snippet);
	if (!rc)
		rc = make(c, d, snippet);
	config_free(c);
	return rc;
}
