// SPDX-License-Identifier: GPL-2.0
/* The verb as a whole: files and options in, a configuration out. */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/test.h"

#include "base/out.h"
#include "cmd/verbs.h"
#include "config/config.h"

#define MAIL "Cloudflare v4: 192.0.2.10/31\nAcme v4: 192.0.2.11/31\n"
#define MAIL6 MAIL "Cloudflare v6: 2001:db8::a/127\nAcme: 2001:db8::b/127\n"
#define CNI(id, ours, theirs, more) "{\"id\":\"" id "\",\"cust_ip\":\"" ours	\
	"\",\"p2p_ip\":\"" theirs "\"" more "}"
#define CNI1 CNI("aaa1", "192.0.2.11/31", "192.0.2.10/31", \
		 ",\"magic\":{\"conduit_name\":\"c1\"}," \
		 "\"bgp\":{\"customer_asn\":65001,"	\
		 "\"extra_prefixes\":[\"0.0.0.0/0\",\"100.96.0.0/12\"]," \
		 "\"md5_key\":\" a'b\\\\c${HOME}`|#;{} /*\"}")
#define CNI2 CNI("bbb2", "192.0.2.13/31", "192.0.2.12/31", \
		 ",\"magic\":{\"conduit_name\":\"c2\"}")
#define GRE(name, more) "{\"name\":\"" name "\","			\
	"\"customer_gre_endpoint\":\"203.0.113.1\","			\
	"\"cloudflare_gre_endpoint\":\"198.51.100.1\","			\
	"\"interface_address\":\"10.99.0.0/31\"" more "}"
#define ICON(name, more) "{\"name\":\"" name "\","			\
	"\"interface_address\":\"10.98.0.0/31\"" more "}"
#define ICON_GRE(name) ICON(name, ",\"gre\":{\"cloudflare_endpoint\":"	\
			    "\"198.51.100.9\"}")

static char dir[] = "/tmp/cnictl-test-XXXXXX";
static char said[8192];
static struct config *made;

/*
 * Runs init with @options, words with single spaces between, on the texts.
 * What it wrote is in made, what it said in said[].
 */
static int init(const char *options, ...)
{
	char words[512], files[4][80], out[80], *argv[40] = {};
	FILE *f, *log = tmpfile();
	int argc = 0, n = 0, keep, rc;
	const char *text;
	va_list ap;
	size_t len;
	char *s;

	config_free(made);
	made = NULL;
	argv[argc++] = (char *)"init";
	va_start(ap, options);
	while ((text = va_arg(ap, const char *))) {
		snprintf(files[n], sizeof(files[n]), "%s/%d", dir, n);
		f = fopen(files[n], "w");
		fputs(text, f);
		fclose(f);
		argv[argc++] = files[n++];
	}
	va_end(ap);
	snprintf(words, sizeof(words), "%s", options);
	for (s = strtok(words, " "); s; s = strtok(NULL, " "))
		argv[argc++] = s;
	snprintf(out, sizeof(out), "%s/out", dir);
	argv[argc++] = (char *)"-o";
	argv[argc++] = out;
	fflush(stderr);
	keep = dup(2);
	dup2(fileno(log), 2);
	optind = 0;
	rc = verb_init(argc, argv);
	if (!rc)
		made = config_read(out);
	fflush(stderr);
	dup2(keep, 2);
	close(keep);
	rewind(log);
	len = fread(said, 1, sizeof(said) - 1, log);
	said[len] = '\0';
	fclose(log);
	if (rc && !access(out, F_OK))
		fail_msg("refused, and yet there is a file: %s", said);
	unlink(out);
	while (n--)
		unlink(files[n]);
	if (!rc && !made)
		fail_msg("what it wrote can't be read: %s", said);
	return rc;
}

static void must_say(const char *words)
{
	if (!strstr(said, words))
		fail_msg("'%s' isn't in: %s", words, said);
}

static void from_mail(void **state)
{
	(void)state;
	assert_int_equal(init("--dev eth0 --vlan 7 --lan eth1 --local-as 65000 "
			      "--tunnel t1,192.0.2.11,198.51.100.1", MAIL6,
			      NULL), 0);
	must_say("ours (Acme):  192.0.2.11/31  2001:db8::b/127\n");
	must_say("Cloudflare's:  192.0.2.10/31  2001:db8::a/127\n");
	assert_string_equal(made->link.title, "cloudflare");
	assert_string_equal(made->link.ifname, "eth0.7");
	assert_string_equal(addr_prefix_str(&made->link.local6),
			    "2001:db8::b/127");
	assert_string_equal(addr_str(&made->link.peer6), "2001:db8::a");
	assert_int_equal(made->link.local_as, 65000);
	assert_int_equal(made->n_tunnels, 1);
	assert_true(made->tunnels[0].mss_auto);
	assert_int_equal(made->tunnels[0].ttl, 64);
	assert_int_equal(made->tunnels[0].mtu, 1476);
	assert_int_equal(made->n_ports, 1);

	assert_int_equal(init("--dev eth0", MAIL, NULL), 0);
	must_say("ours (Acme):  192.0.2.11/31  \n");
	assert_int_equal(made->link.local6.family, 0);

	/* Too long for a device with its ID. */
	assert_int_equal(init("--dev enp1s0f0np0 --vlan 1234 --name a'b\\c",
			      MAIL, NULL), 0);
	must_say("enp1s0f0np0.1234 is too long");
	assert_string_equal(made->link.ifname, "cni1234");
	assert_string_equal(made->link.title, "a'b\\c");
}

#define TWO_LINKS MAIL "VLAN: 100\nCloudflare v4: 192.0.2.12/31\n"	\
	"Acme v4: 192.0.2.13/31\nVLAN: 200\n"

static void vlan_of_mail(void **state)
{
	(void)state;
	assert_int_equal(init("--dev eth0", MAIL "VLAN ID: 1234\n", NULL), 0);
	must_say("VLAN:  1234");
	assert_int_equal(made->link.vlan, 1234);
	assert_int_equal(init("--dev eth0 --vlan 7", MAIL "VLAN ID: 1234\n",
			      NULL), 0);
	must_say("/0:3: VLAN 1234 isn't taken: --vlan says another");
	assert_int_equal(made->link.vlan, 7);
	assert_int_equal(init("--dev eth0 --dataplane v2",
			      MAIL "VLAN ID: 1234\n", NULL), RC_USAGE);
	must_say("/0: dataplane v2 takes no VLAN");
	assert_int_equal(init("--dev eth0", MAIL "VLAN: 1\nVLAN: 2\n", NULL),
			 RC_USAGE);
	must_say("line 4: VLAN 2");

	assert_int_equal(init("--dev eth0", TWO_LINKS, NULL), RC_USAGE);
	must_say("2 links: --cni ADDRESS");
	must_say("line 4: ours 192.0.2.13/31, Cloudflare's 192.0.2.12/31");
	assert_int_equal(init("--dev eth0 --cni 192.0.2.13", TWO_LINKS, NULL),
			 0);
	assert_int_equal(made->link.vlan, 200);
	assert_string_equal(addr_str(&made->link.peer4), "192.0.2.12");
	must_say("/0:1: 192.0.2.11/31 isn't taken: it's of another link");
	must_say("/0:3: VLAN 100 isn't taken: it's of another link");
	assert_int_equal(init("--dev eth0 --vlan 100", TWO_LINKS, NULL), 0);
	assert_string_equal(addr_str(&made->link.peer4), "192.0.2.10");
	/* The JSON says which. */
	assert_int_equal(init("--dev eth0", TWO_LINKS, CNI2, NULL), 0);
	assert_int_equal(made->link.vlan, 200);
}

/* What a terminal obeys is neither printed nor written. */
static void escapes(void **state)
{
	static const char esc[] = "\\u001b]0;x\\u0007";
	char json[512];

	(void)state;
	assert_int_equal(init("--dev eth0", "Cloudflare v4: 192.0.2.10/31\n"
			      "Ac\x1b[31mme\xc2\x9b" "2J v4: 192.0.2.11/31\n"
			      "Acme\x1b]0;x\x07 LAN: 203.0.113.0/24\n", NULL),
			 0);
	must_say("ours (Acme):");
	assert_null(strchr(said, '\x1b'));
	assert_null(strstr(said, "\xc2\x9b"));
	assert_null(strchr(made->text, '\x1b'));
	/* Nor out of JSON. */
	snprintf(json, sizeof(json), "{\"id\":\"%s\",\"cust_ip\":\"x%s\","
		 "\"p2p_ip\":\"192.0.2.10/31\"}", esc, esc);
	assert_int_equal(init("--dev eth0", json, NULL), RC_USAGE);
	assert_null(strchr(said, '\x1b'));
	snprintf(json, sizeof(json), "{\"success\":false,\"errors\":[{\"code\":"
		 "1,\"message\":\"%s\"}]}", esc);
	assert_int_equal(init("--dev eth0", json, NULL), RC_USAGE);
	assert_null(strchr(said, '\x1b'));
	snprintf(json, sizeof(json), "[" CNI1 ",{\"id\":\"b%s\",\"cust_ip\":"
		 "\"192.0.2.13/31\",\"p2p_ip\":\"192.0.2.12/31\"}]", esc);
	assert_int_equal(init("--dev eth0", json, NULL), RC_USAGE);
	must_say("192.0.2.13/31");
	assert_null(strchr(said, '\x1b'));
}

static void from_api(void **state)
{
	struct config_tunnel *t;

	(void)state;
	assert_int_equal(init("--dev eth0 --vlan 7", CNI1,
			      GRE("cf1", ",\"mtu\":0,\"ttl\":0,"
				  "\"health_check\":{\"enabled\":true,"
				  "\"direction\":\"bidirectional\"}"), NULL),
			 0);
	must_say("ours:  192.0.2.11/31");
	must_say("tunnel cf1:  ours 203.0.113.1, Cloudflare's 198.51.100.1");
	must_say("inside:  ours 10.99.0.1/31, Cloudflare's 10.99.0.0 (interface_address is Cloudflare's)");
	assert_int_equal(made->link.local_as, 65001);
	assert_true(made->bgp.magic);
	assert_int_equal(made->bgp.n_extra, 2);
	assert_string_equal(made->bgp.password, " a'b\\c${HOME}`|#;{} /*");
	assert_int_equal(made->n_tunnels, 1);
	t = &made->tunnels[0];
	assert_int_equal(t->ttl, 64);
	assert_int_equal(t->mtu, 1476);
	assert_string_equal(addr_prefix_str(&t->address4), "10.99.0.1/31");
	assert_string_equal(tunopts_str(&t->opts),
			    " health reply bidirectional 10.99.0.1 10.99.0.0");

	assert_int_equal(init("--dev eth0 --vlan 7 --interface-address ours",
			      CNI1, GRE("cf1", ""), NULL), 0);
	must_say("inside:  ours 10.99.0.0/31, Cloudflare's 10.99.0.1 (interface_address is ours)");
	assert_string_equal(addr_prefix_str(&made->tunnels[0].address4),
			    "10.99.0.0/31");

	/* Sessions over tunnels, each with its own password. */
	assert_int_equal(init("--dev eth0", CNI1, "[" GRE("a", ",\"bgp\":{"
			      "\"customer_asn\":65001,\"md5_key\":\"k 1\","
			      "\"extra_prefixes\":[\"0.0.0.0/0\","
			      "\"10.0.0.0/8\"]}") "," ICON_GRE("b") "]", NULL), 0);
	must_say("tunnel a: a BGP session is over it");
	assert_true(made->bgp.over_tunnels);
	assert_false(made->bgp.no_link);
	assert_int_equal(made->bgp.n_extra, 3);
	assert_string_equal(made->tunnels[0].password, "k 1");
	assert_false(made->tunnels[0].no_bgp);
	assert_true(made->tunnels[1].no_bgp);
	assert_int_equal(init("--dev eth0", CNI2, GRE("a", ",\"bgp\":{"
			      "\"customer_asn\":65002}"), NULL), 0);
	assert_true(made->bgp.no_link);
	assert_true(made->bgp.magic);
	assert_int_equal(made->link.local_as, 65002);
	assert_int_equal(init("--dev eth0", CNI1, GRE("a", ",\"bgp\":{"
			      "\"customer_asn\":65002}"), NULL), RC_USAGE);
	must_say("for AS 65002, and not for our 65001");

	/* A target of its own, type and direction by default. */
	assert_int_equal(init("--dev eth0", CNI1,
			      GRE("cf1", ",\"mtu\":1476,\"health_check\":{"
				  "\"enabled\":true,\"target\":{\"effective\":"
				  "\"203.0.113.9\"}}"), NULL), 0);
	must_say("no direction");
	t = &made->tunnels[0];
	assert_false(t->mtu_given);
	assert_int_equal(t->opts.n_health, 15);
	assert_true(t->opts.health[0].unidirectional);
	assert_string_equal(addr_str(&t->opts.health[14].local),
			    "203.0.113.9");
	assert_int_equal(init("--dev eth0", CNI1,
			      GRE("cf1", ",\"health_check\":{\"enabled\":"
				  "false}"), NULL), 0);
	must_say("checks are off");

	/* And of its own for checks both ways: legacy ones, beside BGP. */
	assert_int_equal(init("--dev eth0", CNI1,
			      GRE("cf1", ",\"health_check\":{\"direction\":"
				  "\"bidirectional\",\"target\":"
				  "\"172.64.240.253\"}"), NULL), 0);
	must_say("ip rule add from 172.64.240.253");
	t = &made->tunnels[0];
	assert_int_equal(t->opts.n_health, 16);
	assert_false(t->opts.health[0].unidirectional);
	assert_string_equal(addr_str(&t->opts.health[0].local), "10.99.0.1");
	assert_string_equal(addr_str(&t->opts.health[15].local),
			    "172.64.240.253");
	assert_string_equal(addr_prefix_str(&t->opts.health[15].peer),
			    "131.0.72.0/22");
	assert_int_equal(init("--dev eth0", CNI1,
			      GRE("cf1", ",\"health_check\":{\"direction\":"
				  "\"bidirectional\",\"target\":"
				  "\"203.0.113.77\"}"), NULL), 0);
	must_say("target 203.0.113.77");
	assert_int_equal(made->tunnels[0].opts.n_health, 1);
	/* The default isn't one of its own. */
	assert_int_equal(init("--dev eth0", CNI1,
			      GRE("cf1", ",\"health_check\":{\"direction\":"
				  "\"bidirectional\",\"target\":"
				  "\"10.99.0.0\"}"), NULL), 0);
	assert_null(strstr(said, "target"));

	/* The Internet's table over the link, Magic's over the tunnel. */
	assert_int_equal(init("--dev eth0 --local-as 65002", MAIL,
			      GRE("a", ",\"bgp\":{\"customer_asn\":65002}"),
			      NULL), 0);
	assert_false(made->bgp.magic || made->bgp.no_link);
	assert_int_equal(made->tunnels[0].profile, PROFILE_MAGIC);

	/* The API has no IPv6 of the link; the mail does. */
	assert_int_equal(init("--dev eth0", CNI1, MAIL6, NULL), 0);
	assert_string_equal(addr_prefix_str(&made->link.local6),
			    "2001:db8::b/127");
	assert_int_equal(made->link.local_as, 65001);
	assert_int_equal(init("--dev eth0", "{\"items\":[" CNI1
			      "],\"next\":1}", NULL), 0);
	must_say("one page of several");
}

static void options(void **state)
{
	(void)state;
	assert_int_equal(init("--dev eth0 --tunnel t1,192.0.2.11,198.51.100.1,"
			      "10.99.0.1/31,fd99::1/127 --tunnel "
			      "t2,192.0.2.11,198.51.100.2,10.99.1.1/24 "
			      "--announce 203.0.113.0/24 --announce "
			      "2001:db8:1::/48 --local-as 65010", MAIL, NULL),
			 0);
	assert_string_equal(addr_prefix_str(&made->tunnels[0].address4),
			    "10.99.0.1/31");
	assert_string_equal(addr_prefix_str(&made->tunnels[0].address6),
			    "fd99::1/127");
	must_say("inside:  ours 10.99.0.1/31, Cloudflare's 10.99.0.0\n");
	must_say("inside:  ours fd99::1/127, Cloudflare's fd99::\n");
	must_say("inside:  ours 10.99.1.1/24, Cloudflare's none\n");
	assert_int_equal(made->bgp.n_announce, 2);
	assert_string_equal(addr_prefix_str(&made->bgp.announce[1]),
			    "2001:db8:1::/48");
	/* Beside the JSON's. */
	assert_int_equal(init("--dev eth0 --announce 203.0.113.0/24", CNI1,
			      NULL), 0);
	assert_int_equal(made->bgp.n_announce, 1);
	assert_int_equal(made->bgp.n_extra, 2);

	assert_int_equal(init("--dev eth0 --announce 203.0.113.1/24", MAIL,
			      NULL), RC_USAGE);
	must_say("has bits set");
	assert_int_equal(init("--dev eth0 --tunnel a,1.2.3.4,5.6.7.8,10.0.0.1",
			      MAIL, NULL), RC_USAGE);
	must_say("no prefix length");
	assert_int_equal(init("--dev eth0 --tunnel a,1.2.3.4,5.6.7.8,"
			      "10.0.0.1/31,10.0.0.3/31", MAIL, NULL), RC_USAGE);
	must_say("a second IPv4");
}

static void which(void **state)
{
	(void)state;
	assert_int_equal(init("--dev eth0", "[" CNI1 "," CNI2 "]", NULL),
			 RC_USAGE);
	must_say("--cni");
	must_say("bbb2 c2: ours 192.0.2.13/31, Cloudflare's 192.0.2.12/31");
	assert_int_equal(init("--dev eth0 --cni bbb", "[" CNI1 "," CNI2 "]",
			      NULL), 0);
	assert_string_equal(addr_str(&made->link.local4), "192.0.2.13");
	assert_int_equal(init("--dev eth0 --cni c1", "[" CNI1 "," CNI2 "]",
			      NULL), 0);
	assert_string_equal(addr_str(&made->link.local4), "192.0.2.11");
	assert_int_equal(init("--dev eth0 --cni x", CNI1, NULL), RC_USAGE);
	/* The mail tells, too. */
	assert_int_equal(init("--dev eth0", "[" CNI2 "," CNI1 "]", MAIL, NULL),
			 0);
	assert_string_equal(addr_str(&made->link.local4), "192.0.2.11");

	/* Interconnects: the one of this CNI. */
	assert_int_equal(init("--dev eth0", CNI1, "[" ICON_GRE("c1") ","
			      ICON_GRE("c9") "]", NULL), 0);
	must_say("c9 is of another CNI");
	must_say("no endpoint of ours");
	assert_int_equal(made->n_tunnels, 1);
	assert_string_equal(addr_str(&made->tunnels[0].local), "192.0.2.11");
	assert_int_equal(init("--dev eth0 --endpoint 203.0.113.5", CNI1,
			      ICON_GRE("c1"), NULL), 0);
	assert_string_equal(addr_str(&made->tunnels[0].local), "203.0.113.5");

	assert_int_equal(init("--dev eth0 --tunnel b", CNI1, "[" GRE("a", "")
			      "," GRE("b", "") "]", NULL), 0);
	assert_int_equal(made->n_tunnels, 1);
	assert_string_equal(made->tunnels[0].ifname, "b");
	assert_int_equal(init("--dev eth0 --tunnel c", CNI1, GRE("a", ""),
			      NULL), RC_USAGE);

	/* Direct server return: the clamp is on the device of the answers. */
	assert_int_equal(init("--dev eth0 --lan eth1 --dsr eth2", CNI1,
			      GRE("a", ""), NULL), 0);
	assert_false(made->tunnels[0].mss_auto);
	assert_int_equal(made->n_ports, 2);
	assert_false(made->ports[0].mss_auto);
	assert_true(made->ports[1].mss_auto);
}

static void dataplane2(void **state)
{
	(void)state;
	assert_int_equal(init("--dev eth0 --dataplane v2", CNI1, NULL), 0);
	assert_int_equal(made->link.dataplane, DATAPLANE_V2);
	assert_int_equal(init("--dev eth0 --dataplane v2 --vlan 9", CNI1,
			      NULL), RC_USAGE);
	must_say("v2 takes no VLAN");
	assert_int_equal(init("--dev eth0 --dataplane v2", CNI1, GRE("a", ""),
			      NULL), RC_USAGE);
	must_say("v2 takes no GRE");
	assert_int_equal(init("--dev eth0 --dataplane v2 "
			      "--tunnel a,192.0.2.11,198.51.100.1", MAIL,
			      NULL), RC_USAGE);
	must_say("v2 takes no GRE");
	/* One without a GRE endpoint is of v2. */
	assert_int_equal(init("--dev eth0",
			      ICON("c1", ",\"interface_address6\":"
				   "\"2001:db8::a/127\""), NULL), 0);
	must_say("dataplane v2");
	assert_int_equal(made->link.dataplane, DATAPLANE_V2);
	assert_string_equal(addr_str(&made->link.local4), "10.98.0.1");
	assert_string_equal(addr_str(&made->link.peer6), "2001:db8::a");
	/* One that has a VLAN all the same can't be. */
	assert_int_equal(init("--dev eth0 --vlan 9", ICON("c1", ""), NULL), 0);
	must_say("dataplane v1 without GRE");
	assert_int_equal(made->link.dataplane, DATAPLANE_V1);
	assert_int_equal(made->link.vlan, 9);
	assert_int_equal(init("--dev eth0", ICON("c1", ""),
			      "Cloudflare: 10.98.0.0/31\nAcme: 10.98.0.1/31\n"
			      "VLAN 9\n", NULL), 0);
	assert_int_equal(made->link.dataplane, DATAPLANE_V1);
	assert_int_equal(init("--dev eth0 --dataplane v2 --vlan 9",
			      ICON("c1", ""), NULL), RC_USAGE);
	must_say("v2 takes no VLAN");
	assert_int_equal(init("--dev eth0 --vlan 9 --dataplane v1.1",
			      ICON("c1", ""), NULL), 0);
	assert_int_equal(made->link.dataplane, DATAPLANE_V1_1);
}

static void refusals(void **state)
{
	(void)state;
	assert_int_equal(init("--dev eth0 --cni x", MAIL,
			      CNI("x", "192.0.2.10/31", "192.0.2.11/31", ""),
			      NULL), RC_USAGE);
	must_say("swapped");
	assert_int_equal(init("--dev eth0 --cni b", MAIL, CNI2, NULL),
			 RC_USAGE);
	must_say("two links");
	/* The same interconnect with another pair. */
	assert_int_equal(init("--dev eth0", CNI1, ICON("c1", ""), NULL),
			 RC_USAGE);
	must_say("the interconnect's JSON says 10.98.0.1/31 and 10.98.0.0/31");
	assert_int_equal(init("--dev eth0", GRE("a", ""), NULL), RC_USAGE);
	must_say("nothing tells the link's own addresses");
	assert_int_equal(init("--dev eth0", MAIL, MAIL, NULL), RC_USAGE);
	must_say("a second mail");
	assert_int_equal(init("--dev eth0 --local-as 65002", CNI1, NULL),
			 RC_USAGE);
	must_say("AS 65001");
	assert_int_equal(init("--dev eth0", CNI1,
			      GRE("name-of-16-chars", ""), NULL), RC_USAGE);
	must_say("longer than the 15");
	assert_int_equal(init("--dev eth0", CNI1, "[" GRE("a", "") ","
			      GRE("a", "") "]", NULL), RC_USAGE);
	assert_int_equal(init("--dev eth0", CNI1, "[" GRE("a", "") ","
			      GRE("b", "") "]", NULL), RC_USAGE);
	must_say("the tunnels 'a' and 'b' have the same local and remote");
	assert_int_equal(init("--vlan 5", MAIL, NULL), RC_USAGE);
	assert_int_equal(init("--dev eth0 --vlan 4095", MAIL, NULL), RC_USAGE);
	assert_int_equal(init("--dev eth0 --dataplane v3", MAIL, NULL),
			 RC_USAGE);
	assert_int_equal(init("--dev eth0 --interface-address mine", MAIL,
			      NULL), RC_USAGE);
	assert_int_equal(init("--dev eth0 --vlan 012", MAIL, NULL), RC_USAGE);
	must_say("leading zero");
	assert_int_equal(init("--dev eth0 --name a\nb", MAIL, NULL), RC_USAGE);
	must_say("control character");
	assert_int_equal(init("--dev eth0", "{\"id\":\"x\",\"cust_ip\":"
			      "\"192.0.2.11/31\",\"p2p_ip\":\"192.0.2.10/31\","
			      "\"bgp\":{\"customer_asn\":1,\"md5_key\":"
			      "\"a\\nb\"}}", NULL), RC_USAGE);
	must_say("md5_key has a control");
	assert_int_equal(init("--dev eth0 --endpoint x", MAIL, NULL),
			 RC_USAGE);
	assert_int_equal(init("--dev eth0 --tunnel a,1.2.3.4", MAIL, NULL),
			 RC_USAGE);
	assert_int_equal(init("--dev eth0", "", NULL), RC_USAGE);
	must_say("no IPv4 pair");
}

static int begin(void **state)
{
	(void)state;
	return !mkdtemp(dir);
}

static int end(void **state)
{
	(void)state;
	config_free(made);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_mail),
		cmocka_unit_test(vlan_of_mail),
		cmocka_unit_test(escapes),
		cmocka_unit_test(from_api),
		cmocka_unit_test(options),
		cmocka_unit_test(which),
		cmocka_unit_test(dataplane2),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests_name("init", tests, begin, end);
}
