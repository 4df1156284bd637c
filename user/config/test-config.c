// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/cnilink.h>

#include "base/test.h"

#include "config/config.h"

#define LINK "link cf {\ndevice = eth0\nvlan = 12\n"	\
	     "local4 = 192.0.2.11/31\npeer4 = 192.0.2.10\n}\n"
#define TUNNEL(more) LINK "tunnel t1 {\nremote = 198.51.100.1\n" more "\n}\n"

static char file[64];
static char said[4096];

static void write_temp(char *name, const char *text, size_t n)
{
	FILE *f;

	strcpy(name, "/tmp/cnictl-test-XXXXXX");
	f = fdopen(mkstemp(name), "w");
	assert_non_null(f);
	fwrite(text, 1, n, f);
	fclose(f);
}

/* What goes to standard error until hear_end() is in said[]. */
static int hear_begin(FILE **log)
{
	int keep = dup(2);

	*log = tmpfile();
	fflush(stderr);
	dup2(fileno(*log), 2);
	return keep;
}

static void hear_end(FILE *log, int keep)
{
	size_t n;

	fflush(stderr);
	dup2(keep, 2);
	close(keep);
	rewind(log);
	n = fread(said, 1, sizeof(said) - 1, log);
	said[n] = '\0';
	fclose(log);
}

/* Reads @text; what went to standard error is in said[]. */
static struct config *read_text(const char *text)
{
	struct config *c;
	FILE *log;
	int keep;

	write_temp(file, text, strlen(text));
	keep = hear_begin(&log);
	c = config_read(file);
	hear_end(log, keep);
	unlink(file);
	return c;
}

/* Its static prefixes, too: "LINK: PREFIX ... / TUNNEL: ..."; NULL when refused */
static const char *read_static(const char *text)
{
	static char all[4096];
	const struct config_static *s;
	struct config *c = read_text(text);
	unsigned int i, k;
	bool good;
	FILE *log;
	int keep;

	if (!c)
		fail_msg("%s", said);
	keep = hear_begin(&log);
	good = config_load_static(c);
	hear_end(log, keep);
	*all = '\0';
	for (i = 0; i <= c->n_tunnels; i++) {
		s = i ? &c->tunnels[i - 1].statics : &c->link.statics;
		strcat(all, i ? " /" : "");
		for (k = 0; k < s->n; k++)
			strcat(strcat(all, " "), addr_prefix_str(&s->list[k]));
	}
	config_free(c);
	return good ? all : NULL;
}

static void tunnel_options(void **state)
{
	struct config *c;
	struct tunopts *o;

	(void)state;
	c = read_text(TUNNEL("mss = auto health-check = reply\n"
			     "address4 = 10.99.0.1/31\n"
			     "address6 = fd99::1/127 health-rate = 50"));
	assert_non_null(c);
	assert_true(c->tunnels[0].mss_auto);
	o = &c->tunnels[0].opts;
	assert_int_equal(o->rate, 50);
	assert_string_equal(tunopts_str(o),
			    " health reply bidirectional 10.99.0.1 10.99.0.0"
			    " health reply bidirectional fd99::1 fd99::"
			    " health-rate 50");
	config_free(c);
	c = read_text(TUNNEL("mss = 1400 health-check = request\n"
			     "health-direction = unidirectional\n"
			     "health-peers = {172.64.0.0/13, 192.0.2.1}"));
	assert_non_null(c);
	assert_false(c->tunnels[0].mss_auto);
	o = &c->tunnels[0].opts;
	assert_int_equal(o->mss4, 1400);
	assert_string_equal(tunopts_str(o), " mss 1400"
			    " health request unidirectional 192.0.2.11 172.64.0.0/13"
			    " health request unidirectional 192.0.2.11 192.0.2.1");
	config_free(c);
	c = read_text(TUNNEL("health-check = reply "
			     "health-direction = unidirectional"));
	assert_non_null(c);
	assert_int_equal(c->tunnels[0].opts.n_health, 15);
	config_free(c);
	c = read_text(TUNNEL(""));
	assert_non_null(c);
	assert_string_equal(tunopts_str(&c->tunnels[0].opts), "");
	config_free(c);
	c = read_text(TUNNEL("bypass-netfilter = true mss = 1400"));
	assert_non_null(c);
	assert_string_equal(tunopts_str(&c->tunnels[0].opts),
			    " bypass-netfilter on mss 1400");
	config_free(c);
	c = read_text(TUNNEL("bypass-netfilter = false"));
	assert_non_null(c);
	assert_int_equal(c->tunnels[0].opts.flags, 0);
	config_free(c);
	assert_null(read_text(TUNNEL("bypass-netfilter = perhaps")));
}

static void whole(void **state)
{
	struct config *c;

	(void)state;
	c = read_text("# A comment.\n"
		      "link cloudflare {\n"
		      "  device = eth0  vlan = 1234 /* one line */\n"
		      "  local4 = 192.0.2.11/31   peer4 = 192.0.2.10\n"
		      "  local6 = 2001:db8:12:3::7ac2:d64b/127\n"
		      "  peer6 = 2001:db8:12:3::7ac2:d64a // the other\n"
		      "  mtu = 1500\n"
		      "  local-as = 4200000000\n"
		      "}\n"
		      "tunnel cni-gre1 {\n"
		      "  local = 203.0.113.1 remote = 198.51.100.1\n"
		      "  ttl = 63 tos = 0x10 key = 4294967295\n"
		      "  address4 = 10.0.0.1/31\n"
		      "  address6 = fd00::1/127\n"
		      "  host-route = false\n"
		      "}\n"
		      "tunnel cni-gre2 { remote = 198.51.100.2 tos = inherit\n"
		      "  mtu = 1400 }\n"
		      "port eth1 { bypass-netfilter = true mss = 1400 }\n"
		      "port eth2 { strict-source = true mss = auto }\n"
		      "port eth3 { }\n"
		      "sync { table = {main, 100} }\n");
	assert_string_equal(said, "");
	assert_non_null(c);
	assert_string_equal(c->link.title, "cloudflare");
	assert_string_equal(c->link.ifname, "eth0.1234");
	assert_int_equal(c->link.vlan, 1234);
	assert_string_equal(addr_prefix_str(&c->link.local4), "192.0.2.11/31");
	assert_string_equal(addr_str(&c->link.peer4), "192.0.2.10");
	assert_string_equal(addr_prefix_str(&c->link.local6),
			    "2001:db8:12:3::7ac2:d64b/127");
	assert_int_equal(c->link.local_as, 4200000000u);
	assert_int_equal(c->n_tunnels, 2);
	assert_string_equal(addr_str(&c->tunnels[0].local), "203.0.113.1");
	assert_int_equal(c->tunnels[0].ttl, 63);
	assert_int_equal(c->tunnels[0].tos, 16);
	assert_true(c->tunnels[0].has_key);
	assert_int_equal(c->tunnels[0].key, 4294967295u);
	assert_int_equal(c->tunnels[0].mtu, 1472);
	assert_false(c->tunnels[0].host_route);
	assert_string_equal(addr_prefix_str(&c->tunnels[0].address6),
			    "fd00::1/127");
	assert_string_equal(addr_str(&c->tunnels[1].local), "192.0.2.11");
	assert_int_equal(c->tunnels[1].ttl, 64);
	assert_int_equal(c->tunnels[1].tos, 1);
	assert_int_equal(c->tunnels[1].mtu, 1400);
	assert_true(c->tunnels[1].host_route);
	assert_false(c->tunnels[1].has_key);
	assert_int_equal(c->n_ports, 3);
	assert_int_equal(c->ports[0].opts.flags,
			 CNILINK_PORT_FLAG_BYPASS_NETFILTER);
	assert_int_equal(c->ports[0].opts.mss4, 1400);
	assert_int_equal(c->ports[0].opts.mss6, 1380);
	assert_false(c->ports[0].mss_auto);
	assert_int_equal(c->ports[1].opts.flags,
			 CNILINK_PORT_FLAG_STRICT_SOURCE);
	assert_int_equal(c->ports[1].opts.mss4, 0);
	assert_true(c->ports[1].mss_auto);
	assert_int_equal(c->ports[2].opts.flags | c->ports[2].opts.mss4, 0);
	assert_int_equal(c->n_tables, 2);
	assert_int_equal(c->tables[0], 254);
	assert_int_equal(c->tables[1], 100);
	config_free(c);
}

static void defaults(void **state)
{
	struct config *c;

	(void)state;
	c = read_text("link cf { device = eth0 local4 = 192.0.2.11/31\n"
		      "peer4 = 192.0.2.10 }\n"
		      "tunnel t1 { remote = 198.51.100.1 }\n");
	assert_string_equal(said, "");
	assert_non_null(c);
	assert_string_equal(c->link.ifname, "eth0");
	assert_int_equal(c->link.vlan, 0);
	assert_int_equal(c->tunnels[0].mtu, 1476);
	assert_int_equal(c->n_tables, 1);
	assert_int_equal(c->tables[0], 254);
	config_free(c);

	c = read_text("link cf { device = eth0 local6 = 2001:db8::1/127\n"
		      "peer6 = 2001:db8:: }\n"
		      "tunnel t1 { remote = 2001:db8:1::1 }\n"
		      "tunnel t2 { remote = 2001:db8:1::2 encap-limit = 4 }\n"
		      "tunnel t3 { remote = 2001:db8:1::3 key = 0 }\n");
	assert_string_equal(said, "");
	assert_string_equal(addr_prefix_str(&c->tunnels[0].local),
			    "2001:db8::1/128");
	assert_int_equal(c->tunnels[0].encap_limit, -1);
	assert_int_equal(c->tunnels[0].mtu, 1456);
	assert_int_equal(c->tunnels[1].encap_limit, 4);
	assert_int_equal(c->tunnels[1].mtu, 1448);
	assert_int_equal(c->tunnels[2].mtu, 1452);
	config_free(c);

	c = read_text("link cf { device = enp1s0f0np0 vlan = 1234 name = cni0\n"
		      "local4 = 192.0.2.11/31 peer4 = 192.0.2.10 }\n"
		      "sync { table = 100 }\n");
	assert_string_equal(said, "");
	assert_string_equal(c->link.ifname, "cni0");
	assert_int_equal(c->tables[0], 100);
	config_free(c);
}

static void bgp(void **state)
{
	struct config *c;

	(void)state;
	c = read_text(LINK);
	assert_non_null(c);
	assert_false(c->bgp.magic || c->bgp.over_tunnels || c->bgp.bfd);
	assert_int_equal(c->bgp.peer_as, 13335);
	assert_int_equal(c->bgp.priority, 100);
	assert_int_equal(c->bgp.max4, 100000);
	assert_int_equal(c->bgp.n_announce + c->bgp.n_extra, 0);
	assert_null(c->bgp.password);
	config_free(c);
	c = read_text(LINK "bgp {\nprofile = magic over = tunnels\n"
		      "peer-as = 64512 router-id = 192.0.2.1\n"
		      "announce = { 203.0.113.0/24, 2001:db8::/48 }\n"
		      "extra-prefixes = { 0.0.0.0/0 }\n"
		      "priority = 501000 max-prefixes6 = 4\n"
		      "password = 'a\"b#c' }\n");
	assert_non_null(c);
	assert_true(c->bgp.magic && c->bgp.over_tunnels);
	assert_int_equal(c->bgp.peer_as, 64512);
	assert_string_equal(addr_str(&c->bgp.router_id), "192.0.2.1");
	assert_int_equal(c->bgp.n_announce, 2);
	assert_string_equal(addr_prefix_str(&c->bgp.announce[1]),
			    "2001:db8::/48");
	assert_int_equal(c->bgp.n_extra, 1);
	assert_int_equal(c->bgp.priority, 501000);
	assert_int_equal(c->bgp.max6, 4);
	assert_string_equal(c->bgp.password, "a\"b#c");
	/* Its own mode is 0600. */
	assert_string_equal(said, "");
	config_free(c);

	/* Over tunnels, with what FRR needs there. */
	c = read_text(TUNNEL("address6 = fd99::1/127 bgp-password = own")
		      "tunnel t2 {\nremote = 198.51.100.2 bgp = false\n"
		      "address6 = fd99::2/127 }\nbgp {\nover = both }\n");
	assert_non_null(c);
	assert_true(c->bgp.over_tunnels && !c->bgp.no_link);
	assert_string_equal(c->tunnels[0].password, "own");
	assert_string_equal(addr_prefix_str(&c->tunnels[0].link_local),
			    "fe80::1/64");
	assert_true(c->tunnels[1].no_bgp);
	assert_int_equal(c->tunnels[1].link_local.family, 0);
	config_free(c);
	c = read_text(TUNNEL("address6 = fd99::/127")
		      "bgp {\nover = tunnels }\n");
	assert_non_null(c);
	assert_string_equal(addr_prefix_str(&c->tunnels[0].link_local),
			    "fe80::2/64");
	config_free(c);
}

#define WITH(more) "link cf {\ndevice = eth0\n" \
	"local4 = 192.0.2.11/31 peer4 = 192.0.2.10\n" more "\n}\n"

static void statics(void **state)
{
	static const char odd[] = "\xef\xbb\xbf# all\r\n\n  104.16.0.0/13\t# one\r\n"
				  "2606:4700::/32\n104.16.0.0/13";
	char list[64], text[1024];
	struct config *c;

	(void)state;
	assert_string_equal(read_static(WITH("")), "");
	assert_string_equal(read_static(WITH("static = published")),
		" 103.21.244.0/22 103.22.200.0/22 103.31.4.0/22 104.16.0.0/13"
		" 104.24.0.0/14 108.162.192.0/18 131.0.72.0/22 141.101.64.0/18"
		" 162.158.0.0/15 172.64.0.0/13 173.245.48.0/20 188.114.96.0/20"
		" 190.93.240.0/20 197.234.240.0/22 198.41.128.0/17"
		" 2400:cb00::/32 2405:8100::/32 2405:b500::/32 2606:4700::/32"
		" 2803:f800::/32 2a06:98c0::/29 2c0f:f248::/32");
	/* Each once, wherever it comes from. */
	write_temp(list, odd, sizeof(odd) - 1);
	snprintf(text, sizeof(text), WITH("static = {203.0.113.0/24,\n"
		 "104.16.0.0/13}\nstatic-file = %s")
		 "tunnel t1 { remote = 198.51.100.1\nstatic = 0.0.0.0/0 }\n",
		 list);
	assert_string_equal(read_static(text),
		" 104.16.0.0/13 203.0.113.0/24 2606:4700::/32 / 0.0.0.0/0");
	/* The file is for those only who put them to use. */
	unlink(list);
	c = read_text(text);
	assert_non_null(c);
	assert_string_equal(c->link.statics.file, list);
	config_free(c);
	assert_null(read_static(text));
	assert_non_null(strstr(said, "can't read the static-file"));
	assert_non_null(strstr(said, list));
}

static void static_files(void **state)
{
	static const struct {
		const char *list;
		size_t n;
		const char *words;
	} cases[] = {
#define CASE(list, words) { list, sizeof(list) - 1, words }
		CASE("104.16.0.0/13\n104.16.0.0/11\n",
		     ":2: '104.16.0.0/11' has bits set beyond its length\n"),
		CASE("# a\n\n104.16.0.0\n",
		     ":3: '104.16.0.0' has no prefix length"),
		CASE("104.16.0.0/33", ":1: '104.16.0.0/33' has a prefix length"),
		CASE("published\n", ":1: 'published' isn't an IP address"),
		CASE("104.16.0.0/13 dev gre1\n",
		     ":1: '104.16.0.0/13' is followed by something else"),
		CASE("104.16.0.0/13\n2606:4700::/32, 2400:cb00::/32\n",
		     ":2: '2606:4700::/32,' is followed"),
		CASE("<html>\n", ":1: '<html>' isn't an IP address"),
		CASE("104.16.0.0/13\n\x1b[2J\n", ":2: '?[2J' isn't"),
		CASE("", "no prefix in it"),
		CASE("# none\n\n", "no prefix in it"),
		CASE("104.16.0.0/13\0x\n", "NUL"),
		CASE("a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\n",
		     "2 more lines are wrong"),
	};
	char list[64], text[512];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_temp(list, cases[i].list, cases[i].n);
		snprintf(text, sizeof(text),
			 WITH("static = published\nstatic-file = %s"), list);
		if (read_static(text))
			fail_msg("case %zu was taken", i);
		unlink(list);
		if (!strstr(said, list) || !strstr(said, cases[i].words))
			fail_msg("case %zu: not '%s': %s", i, cases[i].words,
				 said);
	}
	assert_null(read_static(WITH("static-file = /tmp")));
	assert_non_null(strstr(said, "can't read the static-file /tmp"));
}

/* Which IP versions go by what. */
static void static_ways(void **state)
{
	static const char v6[] = "local6 = 2001:db8::1/127 peer6 = 2001:db8::";
	char text[1024];
	struct config *c;
	unsigned int i;

	(void)state;
	c = read_text(WITH("") "tunnel t1 { remote = 198.51.100.1 }\n"
		      "tunnel t2 { remote = 198.51.100.2\n"
		      "address6 = fd99::1/127 }\n");
	assert_non_null(c);
	assert_true(config_routes(c, NULL, AF_INET));
	assert_false(config_routes(c, NULL, AF_INET6));
	assert_true(config_routes(c, &c->tunnels[0], AF_INET));
	assert_false(config_routes(c, &c->tunnels[0], AF_INET6));
	assert_false(config_routes(c, &c->tunnels[1], AF_INET));
	assert_true(config_routes(c, &c->tunnels[1], AF_INET6));
	config_free(c);
	snprintf(text, sizeof(text), WITH("%s")
		 "tunnel t1 { remote = 198.51.100.1 }\n"
		 "tunnel t2 { remote = 198.51.100.2 mtu = 1200 }\n", v6);
	c = read_text(text);
	assert_non_null(c);
	assert_true(config_routes(c, NULL, AF_INET6));
	assert_true(config_routes(c, &c->tunnels[0], AF_INET6));
	assert_false(config_routes(c, &c->tunnels[1], AF_INET6));
	config_free(c);

	/* Over several tunnels, IPv6 needs next hops with an address. */
	for (i = 0; i < 2; i++) {
		snprintf(text, sizeof(text), WITH("%s")
			 "tunnel t1 { remote = 198.51.100.1 %s\n"
			 "static = {104.16.0.0/13, 2606:4700::/32} }\n"
			 "tunnel t2 { remote = 198.51.100.2\n"
			 "address4 = 10.0.0.1/31 address6 = fd99::1/127\n"
			 "static = {104.16.0.0/13, 2606:4700::/32} }\n", v6,
			 i ? "address4 = 10.0.0.3/31 address6 = fd99::3/127" :
			 "");
		if (!read_static(text) != !i)
			fail_msg("%s", said);
		assert_true(i || strstr(said, "2606:4700::/32 is static of t1 and of t2: for IPv6 to be spread t1 needs an address6"));
	}
}

static void no_bgp(void **state)
{
	struct config *c;

	(void)state;
	c = read_text(LINK "bgp { over = none announce = 203.0.113.0/24\n"
		      "bfd = true }\n");
	assert_non_null(c);
	assert_false(config_has_bgp(c));
	assert_true(c->bgp.no_link);
	assert_false(c->bgp.over_tunnels);
	config_free(c);
	c = read_text(LINK "bgp { over = tunnels }\n");
	assert_non_null(c);
	assert_true(config_has_bgp(c));
	config_free(c);
	c = read_text(LINK);
	assert_true(config_has_bgp(c));
	config_free(c);
}

/* One mistake each, the line it is in, and words that the message has. */
static void mistakes(void **state)
{
	static const struct {
		const char *text;
		int line;
		const char *words;
	} cases[] = {
		{ "link cf {\ndevice = eth0\nspeed = 10\n}\n", 3,
		  "no such option 'speed'" },
		/* Comments count as the lines they are. */
		{ "# a\n\n// b\n/* c\n  d */ link cf { # e\n"
		  "device = 'e#0' # f\n\n\t# g\nvlan = 0\n}\n", 9, "vlan 0" },
		{ LINK "/* no end\nlink", 7, "no end" },
		{ LINK "route x { }\n", 7, "no such option 'route'" },
		{ LINK "port eth1 {\nfast = true }\n", 8,
		  "no such option 'fast'" },
		{ LINK "link cg {\ndevice = eth1\n}\n", 9, "second link" },
		{ LINK LINK, 7, "cf" },
		{ "link cf {\ndevice = eth0\nvlan = 4095\n}\n", 3,
		  "vlan 4095 is out of range" },
		{ "link cf {\ndevice = eth0\nvlan = 0\n}\n", 3,
		  "out of range" },
		{ "link cf {\ndevice = eth0\nvlan = abc\n}\n", 3,
		  "invalid integer" },
		{ "link cf {\ndevice = a-very-long-name\n}\n", 2,
		  "longer than the 15" },
		{ "link cf {\ndevice = \"a b\"\n}\n", 2, "character" },
		{ "link cf {\ndevice = \"\"\n}\n", 2, "is empty" },
		{ "link cf {\nlocal4 = 192.0.2.11/31\npeer4 = 192.0.2.10\n}\n",
		  4, "no device" },
		{ "link cf {\ndevice = eth0\n}\n", 3, "no addresses" },
		{ "link cf {\ndevice = eth0\nlocal4 = 192.0.2.11\n}\n", 3,
		  "no prefix length" },
		{ "link cf {\ndevice = eth0\nlocal4 = 192.0.2/31\n}\n", 3,
		  "isn't an IP address" },
		{ "link cf {\ndevice = eth0\nlocal4 = 2001:db8::1/127\n}\n", 3,
		  "isn't an IPv4 address" },
		{ "link cf {\ndevice = eth0\nlocal6 = 192.0.2.1/31\n}\n", 3,
		  "isn't an IPv6 address" },
		{ "link cf {\ndevice = eth0\npeer4 = 192.0.2.10/31\n}\n", 3,
		  "only an address belongs" },
		{ "link cf {\ndevice = eth0\nlocal4 = 224.0.0.1/31\n}\n", 3,
		  "multicast" },
		{ "link cf {\ndevice = eth0\nlocal4 = 192.0.2.11/31\n}\n", 3,
		  "not peer4" },
		{ "link cf {\ndevice = eth0\npeer6 = 2001:db8::1\n}\n", 3,
		  "not local6" },
		{ "link cf {\ndevice = eth0\nlocal4 = 192.0.2.11/31\n"
		  "peer4 = 192.0.2.11\n}\n", 4, "same address" },
		{ "link cf {\ndevice = eth0\nlocal4 = 192.0.2.11/31\n"
		  "peer4 = 192.0.2.12\n}\n", 4, "aren't in the same prefix" },
		{ "link cf {\ndevice = eth0\nlocal4 = 192.0.2.11/24\n"
		  "peer4 = 192.0.2.10\n}\n", 4, "/31" },
		{ "link cf {\ndevice = eth0\nlocal6 = 2001:db8::1/64\n"
		  "peer6 = 2001:db8::2\n}\n", 4, "/127" },
		{ "link cf {\ndevice = enp1s0f0np0\nvlan = 1234\n"
		  "local4 = 192.0.2.11/31\npeer4 = 192.0.2.10\n}\n", 3,
		  "longer than 15" },
		{ "link cf {\ndevice = eth0\nname = x\n"
		  "local4 = 192.0.2.11/31\npeer4 = 192.0.2.10\n}\n", 3,
		  "no vlan" },
		{ "link cf {\ndevice = eth0\nvlan = 5\nname = eth0\n"
		  "local4 = 192.0.2.11/31\npeer4 = 192.0.2.10\n}\n", 4,
		  "can't have the name" },
		{ "link cf {\ndevice = eth0\nmtu = 1000\n"
		  "local6 = 2001:db8::1/127\npeer6 = 2001:db8::\n}\n", 3,
		  "too small for IPv6" },
		{ "link cf {\ndevice = eth0\nmtu = 10\n}\n", 3,
		  "out of range" },
		{ "link cf {\ndevice = eth0\nlocal-as = 0\n}\n", 3,
		  "out of range" },
		{ LINK "tunnel t1 {\nlocal = 192.0.2.11\n}\n", 9,
		  "no remote" },
		{ TUNNEL("local = 198.51.100.1"), 8, "same local and remote" },
		{ TUNNEL("ttl = 0"), 9, "out of range" },
		{ TUNNEL("ttl = 256"), 9, "out of range" },
		{ TUNNEL("tos = 3"), 9, "tos '3'" },
		{ TUNNEL("tos = high"), 9, "tos 'high'" },
		{ TUNNEL("key = 4294967296"), 9, "out of range" },
		{ TUNNEL("key = -1"), 9, "out of range" },
		{ TUNNEL("mtu = 70000"), 9, "out of range" },
		{ TUNNEL("local = 192.0.2.11\nremote = 2001:db8::1"), 9,
		  "an IPv4 and an IPv6" },
		{ TUNNEL("encap-limit = 4"), 9, "over IPv6" },
		{ TUNNEL("encap-limit = 256"), 9, "from 0 to 255" },
		{ TUNNEL("address4 = 10.0.0.1"), 9, "no prefix length" },
		{ TUNNEL("address6 = fd00::1/127\nmtu = 1000"), 9,
		  "too small for IPv6" },
		{ TUNNEL("host-route = maybe"), 9, "invalid boolean" },
		{ TUNNEL("mss = large"), 9, "not 'large'" },
		{ TUNNEL("mss = 100"), 9, "not '100'" },
		{ TUNNEL("health-check = yes"), 9, "off, reply, request" },
		{ TUNNEL("health-direction = both"), 9, "bidirectional, uni" },
		{ TUNNEL("health-rate = 0"), 9, "out of range" },
		{ TUNNEL("health-peers = {10.0.0.0/33}"), 9, "health-peers" },
		{ TUNNEL("health-peers = {fd00::/16}"), 9, "health-peers" },
		{ TUNNEL("health-peers = {0.0.0.0/0}"), 9, "health-peers" },
		{ TUNNEL("health-check = reply"), 9, "no address4" },
		{ TUNNEL("local = fd00::1\nremote = fd00::2\n"
			 "health-check = reply\n"
			 "health-direction = unidirectional"), 12,
		  "between IPv4" },
		{ TUNNEL("health-check = reply\naddress4 = 10.0.0.1/29"), 10,
		  "needs a /31" },
		{ "link cf {\ndevice = eth0\ndataplane = v3\n}\n", 3,
		  "v1, v1.1, v2" },
		{ "link cf {\ndevice = eth0\ndataplane = v2\nvlan = 12\n}\n",
		  4, "v2 takes no VLAN" },
		{ "link cf {\ndevice = eth0\ndataplane = v2\n"
		  "local4 = 192.0.2.11/31\npeer4 = 192.0.2.10\n}\n"
		  "tunnel t1 { remote = 198.51.100.1 }\n", 7,
		  "v2 takes no GRE" },
		{ TUNNEL("health-target = fd00::1"), 9, "isn't an IPv4" },
		{ TUNNEL("bgp-profile = transit"), 9, "peering, magic" },
		{ TUNNEL("bgp-profile = magic") "bgp {\npriority = 50 }\n",
		  12, "profile magic" },
		{ TUNNEL("address4 = 10.0.0.1/31\nhealth-check = reply\n"
			 "health-target = 10.0.0.9"), 11, "unidirectional" },
		{ TUNNEL("") "tunnel t2 { remote = 198.51.100.1 }", 11,
		  "kernel takes one of these" },
		{ TUNNEL("") "tunnel t2 { remote = 198.51.100.1 }", 11,
		  "endpoint (local) of its own" },
		{ LINK "tunnel gre0 { remote = 198.51.100.1 }\n", 7,
		  "kernel uses itself" },
		{ LINK "tunnel ip6tnl0 { remote = 198.51.100.1 }\n", 7,
		  "kernel uses itself" },
		{ "link cf {\ndevice = eth0\nvlan = 12\nname = gretap0\n}\n",
		  4, "kernel uses itself" },
		{ "link cf {\ndevice = eth0\nvlan = 12\nname = 'gre%d'\n}\n",
		  4, "character" },
		{ "link cf {\ndevice = eth0\noffload = maybe\n}\n", 3,
		  "auto, required, off" },
		{ TUNNEL("") "tunnel t1 { remote = 198.51.100.2 }", 11,
		  "t1" },
		{ LINK "tunnel a-very-long-name1 { remote = 198.51.100.1 }\n",
		  7, "longer than the 15" },
		{ LINK "tunnel eth0.12 { remote = 198.51.100.1 }\n", 7,
		  "name of the link" },
		{ LINK "port eth0.12 { }\n", 7, "link itself" },
		{ LINK "port eth1 {\nmss = 9 }\n", 8, "mss is auto" },
		{ LINK "port eth1 {\nmss = auto }\n", 8, "none" },
		{ TUNNEL("") "port t1 { }\n", 11, "tunnel already" },
		{ LINK "port \"a b\" { }\n", 7, "character" },
		{ LINK "port eth1 { }\nport eth1 { }\n", 8, "eth1" },
		{ LINK "bgp {\nprofile = other }\n", 8, "peering, magic" },
		{ LINK "bgp {\nover = all }\n", 8, "link, tunnels, both" },
		{ LINK "bgp {\npeer-as = 0 }\n", 8, "out of range" },
		{ LINK "bgp {\nrouter-id = fd00::1 }\n", 8, "router-id" },
		{ LINK "bgp {\nrouter-id = 0.0.0.0 }\n", 8, "router-id" },
		{ LINK "bgp {\nannounce = { 203.0.113.1/24 } }\n", 8,
		  "has bits set" },
		{ LINK "bgp {\nannounce = { 203.0.113.0 } }\n", 8,
		  "no prefix length" },
		{ LINK "bgp {\nextra-prefixes = { x } }\n", 8,
		  "isn't an IP address" },
		{ LINK "bgp {\nprofile = magic\npriority = 99 }\n", 9,
		  "isn't one that Magic has" },
		{ LINK "bgp {\n\npriority = 50 }\n", 9, "profile magic" },
		{ LINK "bgp {\nmax-prefixes4 = 0 }\n", 8, "out of range" },
		{ LINK "bgp {\npassword = a\npassword-file = b }\n", 9,
		  "one of them" },
		{ LINK "bgp {\nbfd = true\nover = tunnels }\n", 8,
		  "no BFD over tunnels" },
		{ LINK "sync {\ntable = local\n}\n", 8, "table 'local'" },
		{ LINK "sync {\ntable = 255\n}\n", 8, "table '255'" },
		{ LINK "sync {\ntable = {1,2,3,4,5,6,7,8,9}\n}\n", 8,
		  "more than 8" },
		{ "link cf {\ndevice = eth0\n", 3, "" },
		{ "link cf\n", 2, "" },
		{ LINK "}\n", 7, "" },
		{ LINK "sync = 5\n", 7, "" },
		/* Numbers that could be octal, and what is none. */
		{ "link cf {\ndevice = eth0\nvlan = 0123\n}\n", 3,
		  "begins with 0" },
		{ "link cf {\ndevice = eth0\nlocal-as = 065010\n}\n", 3,
		  "begins with 0" },
		{ "link cf {\ndevice = eth0\nvlan = 1e3\n}\n", 3,
		  "isn't a number" },
		{ "link cf {\ndevice = eth0\nvlan = 1234;\n}\n", 3,
		  "semicolon" },
		{ "link cf {\ndevice = eth0;\nvlan = 1234\n}\n", 2,
		  "semicolon" },
		{ "link cf {\ndevice = eth0 ;\nvlan = 1234\n}\n", 2,
		  "semicolon" },
		{ "link cf {\ndevice = eth0\nvlan = '1234;'\n}\n", 3,
		  "semicolon" },
		{ "link cf {\ndevice = eth0\nvlan = 99999999999999999999\n}\n",
		  3, "out of range" },
		{ "link cf {\ndevice = eth0\nlocal4 = 192.0.2.11/031\n}\n", 3,
		  "prefix length" },
		{ TUNNEL("ttl = 010"), 9, "begins with 0" },
		{ TUNNEL("tos = 020"), 9, "tos '020'" },
		{ TUNNEL("encap-limit = 010"), 9, "encap-limit '010'" },
		{ TUNNEL("mss = 01400"), 9, "not '01400'" },
		{ TUNNEL("key = 00"), 9, "begins with 0" },
		{ TUNNEL("health-rate = +5"), 9, "isn't a number" },
		{ LINK "port eth1 {\nmss = 01400 }\n", 8, "not '01400'" },
		{ LINK "bgp {\npriority = 0100 }\n", 8, "priority 0100" },
		{ LINK "sync {\ntable = 0100\n}\n", 8, "table '0100'" },
		/* What libconfuse replaces by something else. */
		{ LINK "bgp {\npassword = \"ab${HOME}cd\" }\n", 8,
		  "isn't replaced" },
		{ LINK "bgp {\npassword = ab${HOME}cd }\n", 8,
		  "isn't replaced" },
		{ LINK "bgp {\npassword = \"ab\\q\" }\n", 8, "backslash" },
		{ LINK "bgp {\npassword = \"ab\\x41\" }\n", 8, "backslash" },
		{ LINK "bgp {\npassword = \"ab\\101\" }\n", 8, "backslash" },
		{ LINK "bgp {\npassword = \"ab\\\ncd\" }\n", 8, "backslash" },
		{ LINK "bgp {\npassword = ab\\ncd }\n", 8, "backslash" },
		{ LINK "bgp {\npassword = a\npassword = b }\n", 9,
		  "line 8 already" },
		{ LINK "bgp {\npassword = a }\nbgp { password = b }\n", 9,
		  "line 8 already" },
		{ LINK "sync {\ntable = 1\ntable = 2 }\n", 9,
		  "line 8 already" },
		/* What would be a line of its own in another program's file. */
		{ "link \"cf\nprotocol static { }\" {\ndevice = eth0\n}\n", 1,
		  "has no end" },
		{ "link 'cf\n' {\ndevice = eth0\n}\n", 1, "has no end" },
		{ "link 'c\rf' {\ndevice = eth0\n}\n", 1,
		  "control character" },
		{ "link 'c\x1b[2Jf' {\ndevice = eth0\n}\n", 1,
		  "control character" },
		{ "link c\x1b[2Jf {\ndevice = eth0\n}\n", 1,
		  "control character" },
		{ "link 'c\tf' {\ndevice = eth0\n}\n", 1, "a tab" },
		{ "link 'c\xc2\x9b" "f' {\ndevice = eth0\n}\n", 1,
		  "that can't be seen" },
		{ "link 'c\xe4" "f' {\ndevice = eth0\n}\n", 1,
		  "that isn't UTF-8" },
		{ LINK "bgp {\npassword-file = '/a\x7f" "b' }\n", 8,
		  "control character" },
		{ LINK "port 'a\x01' { }\n", 7, "control character" },
		{ "link x234567890123456789012345678901234567890123456789012345678901234 "
		  "{\ndevice = eth0\n}\n", 3, "more than 63" },
		/* Braces, quotes and values that are missing. */
		{ "link cf {\ndevice = eth0\nport eth1 {\n}\n", 3,
		  "'port' begins inside of 'link' of line 1" },
		{ LINK "bgp {\nbfd = true\nsync {\n}\n", 9,
		  "'sync' begins inside of 'bgp' of line 7" },
		{ LINK "bgp {\nbfd = true\n", 9, "'bgp' of line 7 has no '}'" },
		{ LINK "}\n", 7, "no '{' for this" },
		{ "link cf\ndevice = eth0\n", 2, "'{' is missing" },
		{ "link cf {\nvlan =\ndevice = eth0\n}\n", 2, "no value" },
		{ "link cf {\nvlan\ndevice = eth0\n}\n", 2,
		  "isn't NAME = VALUE" },
		{ "link cf {\ndevice = eth0 eth1\nvlan = 1\n}\n", 2,
		  "needs quotes" },
		{ LINK "bgp {\nannounce = { 203.0.113.0/24\nbfd = true }\n", 9,
		  "line 8 is missing" },
		{ LINK "bgp {\npassword = 'a\n}\n", 8, "has no end" },
		{ LINK "bgp {\nover = nowhere }\n", 8,
		  "link, tunnels, both, none" },
		{ LINK "bgp = none\n", 7, "bgp" },
		{ WITH("static = {104.16.0.0/13,\npublishd}"), 5,
		  "isn't an IP address, nor the word \"published\"" },
		{ WITH("static = 104.16.0.1/13"), 4, "has bits set" },
		{ WITH("static = 104.16.0.0"), 4, "no prefix length" },
		{ WITH("static = /etc/cnilink/list"), 4,
		  "is \"static-file = /etc/cnilink/list\"" },
		{ WITH("static-file = list"), 4, "needs its whole path" },
		{ TUNNEL("static = everything"), 9, "nor the word" },
		{ TUNNEL("static-file = ../list"), 9, "needs its whole path" },
		{ LINK "port eth1 {\nstatic = published }\n", 8,
		  "no such option 'static'" },
		{ LINK "include('/etc/passwd')\n", 7, "" },
	};
	struct config *c;
	char where[80];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		c = read_text(cases[i].text);
		if (c) {
			config_free(c);
			fail_msg("case %zu was taken:\n%s", i, cases[i].text);
		}
		snprintf(where, sizeof(where), "%s:%d: ", file, cases[i].line);
		if (!strstr(said, where) || !strstr(said, cases[i].words))
			fail_msg("case %zu: not line %d, '%s':\n%s\n%s", i,
				 cases[i].line, cases[i].words, said,
				 cases[i].text);
	}
}

/* What is in a string is what was meant, and so is the rest of the file. */
static void literal(void **state)
{
	static const struct {
		const char *text, *password;
	} cases[] = {
		{ "'ab${HOME}cd\\q'", "ab${HOME}cd\\q" },
		{ "\"a$b'c\"", "a$b'c" },
		{ "\"a\\\\b\\\"c\"", "a\\b\"c" },
		{ "'a\\'b\\\\c\"'", "a'b\\c\"" },
		{ "a$b", "a$b" },
		{ "a+b*[c]", "a+b*[c]" },
		{ "+5", "+5" },
		{ "'# // /* {'", "# // /* {" },
		{ "'a;'", "a;" },
		{ "\"\\\\n\"", "\\n" },
	};
	struct config *c;
	char text[512];
	size_t i;

	(void)state;
	setenv("HOME", "/root", 1);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), LINK "bgp { password = %s }\n",
			 cases[i].text);
		c = read_text(text);
		if (!c)
			fail_msg("case %zu: %s", i, said);
		assert_string_equal(c->bgp.password, cases[i].password);
		config_free(c);
	}
	c = read_text("\xef\xbb\xbflink 'M\xc3\xbcller \\o/' {\r\ndevice = eth0\r\n"
		      "vlan = 0x4d2\r\nlocal4 = 192.0.2.11/31\r\n"
		      "peer4 = 192.0.2.10\r\n}\r\n");
	if (!c)
		fail_msg("%s", said);
	assert_string_equal(c->link.title, "M\xc3\xbcller \\o/");
	assert_int_equal(c->link.vlan, 1234);
	config_free(c);
	c = read_text(LINK "bgp { announce = {203.0.113.0/24}\n"
		      "announce += {198.51.100.0/24} }\n");
	assert_non_null(c);
	assert_int_equal(c->bgp.n_announce, 2);
	config_free(c);
}

/* What is written reads as it was, and is then written the same way. */
static void written(void **state)
{
	static const char *const files[] = {
		LINK,
		"link 'a \\'b\\\\{' { device = '$x{'\nvlan = 5\nname = '\"'\n"
		"local6 = 2001:db8::1/127 peer6 = 2001:db8::\n"
		"dataplane = v1.1 mtu = 1400 local-as = 4200000000 }\n"
		"sync { table = {100, main} }\n",
		"link cf { device = eth0 dataplane = v2\n"
		"local4 = 192.0.2.11/31 peer4 = 192.0.2.10 }\n"
		"sync { table = 100 }\n",
		LINK "tunnel t1 { remote = 198.51.100.1 key = 0 ttl = 3\n"
		"mss = auto host-route = false mtu = 1400 tos = 0x20\n"
		"bgp = false }\n"
		"tunnel t2 { remote = 198.51.100.2 mss = 1300 tos = inherit\n"
		"health-check = reply address4 = 10.0.0.1/31\n"
		"bgp-password = 'a b' }\n"
		"tunnel t3 { remote = fd00::2 local = fd00::1\n"
		"bgp-password-file = '/etc/a b'\n"
		"encap-limit = 4 health-check = request health-rate = 5\n"
		"bypass-netfilter = true\n"
		"address4 = 10.0.0.5/30 address6 = fd99::1/127 }\n"
		"tunnel t4 { remote = 198.51.100.4 health-check = reply\n"
		"health-direction = unidirectional }\n"
		"tunnel t5 { remote = 198.51.100.5 health-check = request\n"
		"health-direction = unidirectional\n"
		"health-target = 203.0.113.5\n"
		"health-peers = {172.64.0.0/13, 192.0.2.1/32} }\n"
		"port eth1 { mss = auto }\n"
		"port eth2 { mss = 1300 bypass-netfilter = true }\n"
		"port eth3 { strict-source = true }\n",
		"link x { device = eth0 local4 = 192.0.2.11/31\n"
		"peer4 = 192.0.2.10 xdp = auto }\n",
		LINK "bgp { profile = magic over = tunnels peer-as = 64512\n"
		"router-id = 192.0.2.1 announce = {203.0.113.0/24}\n"
		"extra-prefixes = {0.0.0.0/0, \"2001:db8::/32\"}\n"
		"priority = 50 max-prefixes4 = 5 max-prefixes6 = 6\n"
		"password = 'a\\'b' }\n",
		LINK "bgp { over = both bfd = true password-file = '/etc/a b' }\n",
		TUNNEL("bgp-profile = magic\naddress4 = 10.0.0.1/31\n"
		       "health-check = reply\nhealth-target = 172.64.240.253")
		"tunnel t2 { remote = 198.51.100.2 bgp-profile = peering\n"
		"health-check = request health-target = 172.64.240.254\n"
		"health-peers = {172.64.0.0/13} health-rate = 7 }\n"
		"bgp { over = both priority = 50 }\n",
		WITH("static = {\"2606:4700::/32\", published}\n"
		     "static-file = '/etc/a b'")
		"tunnel t1 { remote = 198.51.100.1 static = {10.0.0.0/8, 0.0.0.0/0} }\n"
		"bgp { over = none }\n",
	};
	struct config *c;
	char *text, *again;
	size_t size, i, k;
	FILE *f;

	(void)state;
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		c = read_text(files[i]);
		if (!c)
			fail_msg("file %zu: %s", i, said);
		for (k = 0; k < 2; k++) {
			f = open_memstream(k ? &again : &text, &size);
			assert_true(config_write(f, c, NULL));
			fclose(f);
			config_free(c);
			c = k ? NULL : read_text(text);
			if (!k && !c)
				fail_msg("file %zu: %s\n%s", i, said, text);
		}
		assert_string_equal(text, again);
		free(text);
		free(again);
	}
}

static void same_meaning(void **state)
{
	FILE *keep = stderr, *f;
	struct config *c;
	char *text;
	size_t size;

	(void)state;
	c = read_text("link 'a \\'b\\\\{' { device = '$x{' name = '\"' vlan = 5\n"
		      "local6 = 2001:db8::1/127 peer6 = 2001:db8::\n"
		      "offload = off }\n"
		      "tunnel t5 { remote = 198.51.100.5 local = 192.0.2.1\n"
		      "health-check = request health-rate = 9\n"
		      "bypass-netfilter = true\n"
		      "health-direction = unidirectional\n"
		      "health-target = 203.0.113.5\n"
		      "health-peers = {172.64.0.0/13, 192.0.2.1/32} }\n");
	assert_non_null(c);
	f = open_memstream(&text, &size);
	assert_true(config_write(f, c, NULL));
	fclose(f);
	config_free(c);
	c = read_text(text);
	free(text);
	assert_non_null(c);
	assert_string_equal(c->link.title, "a 'b\\{");
	assert_string_equal(c->link.device, "$x{");
	assert_string_equal(c->link.ifname, "\"");
	assert_int_equal(c->link.offload, OFFLOAD_OFF);
	assert_string_equal(tunopts_str(&c->tunnels[0].opts),
			    " bypass-netfilter on"
			    " health request unidirectional 203.0.113.5 172.64.0.0/13"
			    " health request unidirectional 203.0.113.5 192.0.2.1"
			    " health-rate 9");
	/* By hand the module can be told what no file can say. */
	c->tunnels[0].opts.health[0].request = false;
	f = open_memstream(&text, &size);
	stderr = fopen("/dev/null", "w");
	assert_false(config_write(f, c, NULL));
	fclose(stderr);
	stderr = keep;
	fclose(f);
	free(text);
	config_free(c);
}

static void no_link(void **state)
{
	(void)state;
	assert_null(read_text("port eth1 { }\n"));
	assert_non_null(strstr(said, "no link section"));
	assert_null(read_text(""));
	assert_non_null(strstr(said, "no link section"));
}

static void no_file(void **state)
{
	FILE *keep = stderr;

	(void)state;
	stderr = fopen("/dev/null", "w");
	assert_null(config_read("/nonexistent/file"));
	fclose(stderr);
	stderr = keep;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole),
		cmocka_unit_test(tunnel_options),
		cmocka_unit_test(defaults),
		cmocka_unit_test(bgp),
		cmocka_unit_test(statics),
		cmocka_unit_test(static_files),
		cmocka_unit_test(static_ways),
		cmocka_unit_test(no_bgp),
		cmocka_unit_test(mistakes),
		cmocka_unit_test(literal),
		cmocka_unit_test(written),
		cmocka_unit_test(same_meaning),
		cmocka_unit_test(no_link),
		cmocka_unit_test(no_file),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
