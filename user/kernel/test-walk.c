// SPDX-License-Identifier: GPL-2.0
/*
 * Packets' ways through rulesets: user/tests/ruleset/NAME.json is what nft -j
 * makes of NAME.nft.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/out.h"
#include "base/test.h"
#include "kernel/accept.h"
#include "kernel/iptables.h"
#include "kernel/walk.h"

#define FORWARDED (1 << HOOK_PREROUTING | 1 << HOOK_FORWARD | \
		   1 << HOOK_POSTROUTING)
#define RECEIVED (1 << HOOK_PREROUTING | 1 << HOOK_INPUT)
#define SENT (1 << HOOK_OUTPUT | 1 << HOOK_POSTROUTING)

static char *text_of(const char *name)
{
	char path[256];
	char *text;
	FILE *f;

	snprintf(path, sizeof(path), "%s/ruleset/%s", TESTS, name);
	f = fopen(path, "re");
	assert_non_null(f);
	text = read_whole(f, NULL);
	fclose(f);
	return text;
}

static struct ruleset rules_of(const char *name)
{
	struct ruleset rs = {};
	char file[64], *text;

	snprintf(file, sizeof(file), "%s.json", name);
	text = text_of(file);
	assert_true(ruleset_add(&rs, json_loads(text, 0, NULL), BY_NFT));
	free(text);
	return rs;
}

static struct ruleset rules_in(const char *text)
{
	struct ruleset rs = {};

	assert_true(ruleset_add(&rs, json_loads(text, 0, NULL), BY_NFT));
	return rs;
}

static struct addr addr(const char *s)
{
	struct addr a = {};

	assert_int_equal(addr_parse_route(s, AF_INET, &a), ADDR_OK);
	return a;
}

static struct packet tcp(const char *iif, const char *oif, uint8_t ct)
{
	return (struct packet){
		.family = AF_INET, .iif = iif, .oif = oif,
		.proto = IPPROTO_TCP, .sport = -1, .dport = -1, .ct = ct,
	};
}

static struct packet gre_in(uint8_t ct)
{
	struct packet p = tcp("eth0.100", "", ct);

	p.proto = IPPROTO_GRE;
	p.src = addr("162.159.64.1");
	p.dst = addr("192.0.2.11");
	return p;
}

static struct packet bgp_in(const char *from, uint8_t ct)
{
	struct packet p = tcp("eth0.100", "", ct);

	p.src = addr(from);
	p.dst = addr("192.0.2.11");
	p.dport = 179;
	return p;
}

static const char *said(const struct walk *w)
{
	static const char *const fates[] = { "passes", "dropped", "untold" };
	static char buf[256];

	if (w->why)
		snprintf(buf, sizeof(buf), "untold: %s", w->why);
	else if (w->fate == FATE_PASSES)
		snprintf(buf, sizeof(buf), "passes");
	else if (w->at.rule)
		snprintf(buf, sizeof(buf), "%s %s %s %s %lld", fates[w->fate],
			 w->at.chain->family, w->at.chain->table,
			 w->at.chain->name, w->at.rule->handle);
	else
		snprintf(buf, sizeof(buf), "%s %s %s %s policy", fates[w->fate],
			 w->at.chain->family, w->at.chain->table,
			 w->at.chain->name);
	return buf;
}

static void goes(const struct ruleset *rs, struct packet p, unsigned int hooks,
		 const char *want)
{
	struct walk w;

	walk(rs, &p, hooks, &w);
	assert_string_equal(said(&w), want);
}

/* Out to Cloudflare, what begins a connection and what follows, and back. */
static void lan(const struct ruleset *rs, const char *begins,
		const char *follows, const char *back, const char *unasked)
{
	goes(rs, tcp("eth1", "cni-gre1", CT_NEW), FORWARDED, begins);
	goes(rs, tcp("eth1", "cni-gre1", CT_ESTABLISHED), FORWARDED, follows);
	goes(rs, tcp("cni-gre1", "eth1", CT_ESTABLISHED), FORWARDED, back);
	goes(rs, tcp("cni-gre1", "eth1", CT_NEW), FORWARDED, unasked);
}

static void test_nothing(void **state)
{
	struct ruleset rs = rules_in("{\"nftables\": []}");

	(void)state;
	lan(&rs, "passes", "passes", "passes", "passes");
	assert_false(ruleset_add(&rs, json_loads("[]", 0, NULL), BY_NFT));
	assert_false(ruleset_add(&rs, NULL, BY_NFT));
	ruleset_free(&rs);
}

static void test_skeleton(void **state)
{
	struct ruleset rs = rules_of("skeleton");
	struct nature n;

	(void)state;
	lan(&rs, "passes", "passes", "passes", "passes");
	goes(&rs, gre_in(CT_NEW), RECEIVED, "passes");
	assert_int_equal(rs.n_chains, 3);
	n = ruleset_nature(&rs, &rs.chains[1]);
	assert_false(n.judges || n.stateful || n.offloads || rs.chains[1].n);
	ruleset_free(&rs);
}

static void test_stateful(void **state)
{
	struct ruleset rs = rules_of("stateful");
	struct packet p = gre_in(CT_NEW);
	struct nature n;

	(void)state;
	lan(&rs, "passes", "passes", "passes", "dropped inet fw forward policy");
	goes(&rs, tcp("eth3", "cni-gre1", CT_NEW), FORWARDED,
	     "dropped inet fw forward policy");
	goes(&rs, tcp("eth1", "wan0", CT_NEW), FORWARDED,
	     "dropped inet fw forward policy");
	goes(&rs, tcp("eth1", "cni-gre1", CT_INVALID), FORWARDED,
	     "dropped inet fw forward 14");
	/* Of a prefix, which its source isn't from, and may not be from */
	goes(&rs, p, RECEIVED, "dropped inet fw input policy");
	p.src = addr("192.0.2.10");
	goes(&rs, p, RECEIVED, "passes");
	p.src = addr("192.0.2.0/24");
	goes(&rs, p, RECEIVED, "untold inet fw input 7");
	p.src = addr("192.0.2.10/31");
	goes(&rs, p, RECEIVED, "passes");
	goes(&rs, bgp_in("192.0.2.10", CT_NEW), RECEIVED, "passes");
	goes(&rs, bgp_in("10.255.0.3", CT_NEW), RECEIVED, "passes");
	goes(&rs, bgp_in("10.255.0.4", CT_NEW), RECEIVED,
	     "dropped inet fw input policy");
	/* No address: any */
	p = bgp_in("10.255.0.4", CT_NEW);
	p.src.family = 0;
	goes(&rs, p, RECEIVED, "untold inet fw input 12");
	n = ruleset_nature(&rs, ruleset_chain(&rs, &rs.chains[0], "forward"));
	assert_true(n.judges && n.stateful && !n.offloads);
	ruleset_free(&rs);
}

static void test_forgotten(void **state)
{
	struct ruleset rs = rules_of("no-gre");
	struct packet p = gre_in(CT_NEW);

	(void)state;
	p.src = addr("192.0.2.10");
	goes(&rs, p, RECEIVED, "dropped inet fw input policy");
	p.ct = CT_ESTABLISHED;
	goes(&rs, p, RECEIVED, "passes");
	lan(&rs, "passes", "passes", "passes", "dropped inet fw forward policy");
	ruleset_free(&rs);
	rs = rules_of("no-forward");
	lan(&rs, "dropped inet fw forward policy", "passes", "passes",
	    "dropped inet fw forward policy");
	ruleset_free(&rs);
}

static void test_maps(void **state)
{
	struct ruleset rs = rules_of("maps");
	struct packet p = tcp("eth1", "cni-gre1", CT_NEW);

	(void)state;
	/* Any port may be 25. */
	lan(&rs, "untold inet fw out 8", "untold inet fw out 8", "passes",
	    "dropped inet fw forward policy");
	p.dport = 443;
	goes(&rs, p, FORWARDED, "passes");
	p.dport = 25;
	goes(&rs, p, FORWARDED, "dropped inet fw out 8");
	p.proto = IPPROTO_UDP;
	goes(&rs, p, FORWARDED, "passes");
	p.proto = IPPROTO_GRE;
	goes(&rs, p, FORWARDED, "passes");
	/* goto doesn't come back to where it was, but to the policy */
	p = tcp("cni-gre1", "eth1", CT_NEW);
	p.src = addr("198.51.100.7");
	goes(&rs, p, FORWARDED, "dropped inet fw forward policy");
	p.iif = "eth9";
	goes(&rs, p, FORWARDED, "passes");
	goes(&rs, bgp_in("192.0.2.10", CT_NEW), RECEIVED, "passes");
	p = bgp_in("10.1.2.3", CT_NEW);
	goes(&rs, p, RECEIVED, "passes");
	p.proto = IPPROTO_UDP;
	goes(&rs, p, RECEIVED, "dropped inet fw input policy");
	ruleset_free(&rs);
}

static void test_ufw(void **state)
{
	struct ruleset rs = rules_of("ufw");
	struct packet p;

	(void)state;
	lan(&rs, "passes", "passes", "passes",
	    "dropped ip filter ufw-reject-forward 16");
	/* To an address of this host, which fib finds local */
	p = gre_in(CT_NEW);
	goes(&rs, p, RECEIVED, "passes");
	p.src = addr("162.159.64.2");
	goes(&rs, p, RECEIVED, "dropped ip filter INPUT policy");
	p.ct = CT_INVALID;
	goes(&rs, p, RECEIVED, "dropped ip filter ufw-before-input 19");
	ruleset_free(&rs);
}

static void test_firewalld(void **state)
{
	struct ruleset rs = rules_of("firewalld");
	struct packet p = gre_in(CT_NEW);

	(void)state;
	lan(&rs, "passes", "passes", "passes",
	    "dropped inet firewalld filter_FWD_public 39");
	goes(&rs, p, RECEIVED, "dropped inet firewalld filter_INPUT 19");
	goes(&rs, bgp_in("192.0.2.10", CT_NEW), RECEIVED, "passes");
	ruleset_free(&rs);
}

static void test_notrack(void **state)
{
	struct ruleset rs = rules_of("notrack");
	struct packet p = gre_in(CT_NEW);

	(void)state;
	/* No entry was made, so none is established. */
	goes(&rs, p, RECEIVED, "passes");
	p.ct = CT_ESTABLISHED;
	goes(&rs, p, RECEIVED, "passes");
	p.src = addr("162.159.64.2");
	goes(&rs, p, RECEIVED, "dropped ip filter input 6");
	goes(&rs, bgp_in("192.0.2.10", CT_NEW), RECEIVED, "passes");
	p.iif = "";
	p.oif = "eth0.100";
	goes(&rs, p, SENT, "passes");
	p.dst = addr("162.159.64.1");
	goes(&rs, p, SENT, "dropped ip filter output 8");
	p.dst = addr("162.159.64.0/24");
	goes(&rs, p, SENT, "untold ip filter output 8");
	ruleset_free(&rs);
}

static void test_masquerade(void **state)
{
	struct ruleset rs = rules_of("masquerade");
	struct packet p = tcp("eth1", "cni-gre1", CT_NEW);
	struct walk w;

	(void)state;
	walk(&rs, &p, FORWARDED, &w);
	assert_string_equal(said(&w), "passes");
	assert_null(w.nat.chain);
	p.oif = "wan0";
	walk(&rs, &p, FORWARDED, &w);
	assert_string_equal(said(&w), "passes");
	assert_true(w.nat.chain && w.nat_sure);
	assert_int_equal(w.nat.rule->handle, 4);
	/* What follows the first packet isn't asked. */
	p.ct = CT_ESTABLISHED;
	walk(&rs, &p, FORWARDED, &w);
	assert_null(w.nat.chain);
	p = tcp("eth1", "cni-gre2", CT_NEW);
	walk(&rs, &p, FORWARDED, &w);
	assert_true(w.nat.chain && !w.nat_sure);
	p.src = addr("10.9.0.0/24");
	walk(&rs, &p, FORWARDED, &w);
	assert_true(w.nat.chain && w.nat_sure);
	ruleset_free(&rs);
}

static void test_invalid(void **state)
{
	struct ruleset rs = rules_of("invalid");
	struct packet p = tcp("cni-gre1", "cni-gre1", CT_INVALID);

	(void)state;
	p.proto = IPPROTO_ICMP;
	goes(&rs, p, FORWARDED, "dropped inet fw forward 2");
	p.ct = CT_NEW;
	goes(&rs, p, FORWARDED, "passes");
	ruleset_free(&rs);
}

static void test_undecided(void **state)
{
	struct ruleset rs = rules_of("undecided");
	struct packet p = tcp("eth4", "cni-gre1", CT_NEW);

	(void)state;
	lan(&rs, "passes", "passes", "untold inet fw forward 6",
	    "untold inet fw forward 6");
	goes(&rs, tcp("eth2", "cni-gre1", CT_NEW), FORWARDED, "passes");
	goes(&rs, tcp("eth3", "cni-gre1", CT_NEW), FORWARDED,
	     "untold inet fw early 13");
	goes(&rs, p, FORWARDED, "untold inet fw forward 6");
	p.src = addr("198.51.100.0/25");
	goes(&rs, p, FORWARDED, "passes");
	ruleset_free(&rs);
}

static void test_versions(void **state)
{
	struct ruleset rs = rules_of("ipv6");
	struct packet p = tcp("eth1", "cni-gre1", CT_NEW);

	(void)state;
	goes(&rs, p, FORWARDED, "untold inet both forward 2");
	p.src = addr("10.1.0.0/16");
	goes(&rs, p, FORWARDED, "passes");
	p = tcp("eth1", "cni-gre1", CT_NEW);
	p.family = AF_INET6;
	p.src = addr("2001:db8:1::/48");
	p.dport = 443;
	goes(&rs, p, FORWARDED, "passes");
	p.dport = 80;
	goes(&rs, p, FORWARDED, "dropped inet both forward 3");
	p.src = addr("2001:db9::1");
	goes(&rs, p, FORWARDED, "dropped ip6 six forward policy");
	p.proto = IPPROTO_GRE;
	p.src = addr("2001:db8:ff::1");
	goes(&rs, p, RECEIVED, "passes");
	/* Linux's own tunnels have an option before the GRE header. */
	p.options = true;
	goes(&rs, p, RECEIVED, "untold ip6 six input 4");
	ruleset_free(&rs);
}

static void all_of_iptables(const struct ruleset *rs)
{
	struct packet p = tcp("eth1", "cni-gre1", CT_NEW);
	struct walk w;

	goes(rs, p, FORWARDED, "untold ip filter lan 1");
	p.dport = 443;
	goes(rs, p, FORWARDED, "passes");
	p.dport = 25;
	goes(rs, p, FORWARDED, "dropped ip filter lan 1");
	p.oif = "wan0";
	goes(rs, p, FORWARDED, "dropped ip filter lan 1");
	p.dport = 80;
	goes(rs, p, FORWARDED, "dropped ip filter FORWARD policy");
	p.ct = CT_ESTABLISHED;
	goes(rs, p, FORWARDED, "passes");
	walk(rs, &p, 1 << HOOK_POSTROUTING, &w);
	assert_null(w.nat.chain);
	p.ct = CT_NEW;
	walk(rs, &p, 1 << HOOK_POSTROUTING, &w);
	assert_true(w.nat.chain && w.nat_sure);
	goes(rs, gre_in(CT_NEW), RECEIVED, "passes");
	p = gre_in(CT_ESTABLISHED);
	p.src = addr("162.159.64.2");
	/* --notrack: what was established isn't. */
	goes(rs, p, RECEIVED, "dropped ip filter INPUT policy");
	goes(rs, bgp_in("192.0.2.10", CT_NEW), RECEIVED, "passes");
	p = bgp_in("192.0.2.10", CT_NEW);
	p.proto = IPPROTO_ICMP;
	p.icmp_type = 8;
	goes(rs, p, RECEIVED, "passes");
	p.icmp_type = 0;
	goes(rs, p, RECEIVED, "dropped ip filter INPUT policy");
}

static void test_iptables(void **state)
{
	char *text = text_of("iptables.save");
	struct ruleset rs = {};
	const struct chain *c;
	json_t *doc;

	(void)state;
	assert_true(ruleset_add(&rs, iptables_json(text, "ip"),
				BY_IPTABLES_LEGACY));
	all_of_iptables(&rs);
	c = rs.chains;
	while (strcmp(c->name, "INPUT") || strcmp(c->table, "filter"))
		c++;
	assert_string_equal(c->rules[4].text,
			    "-A INPUT -p tcp -m multiport --dports 22,179 -j ACCEPT");
	ruleset_free(&rs);

	/* Cut off, or of something else */
	*strstr(text, "COMMIT\n# Completed") = '\0';
	assert_null(iptables_json(text, "ip"));
	assert_null(iptables_json("", "ip"));
	assert_null(iptables_json("iptables: Permission denied\n", "ip"));
	free(text);
	/* Options without a value, and what isn't known */
	doc = iptables_json("*filter\n:FORWARD DROP [0:0]\n:x - [0:0]\n-A FORWARD -i\n-A FORWARD ! -s\n-A FORWARD -m set --match-set bad src -j DROP\n-A FORWARD -m comment --comment \"\xff\" -j x\n-A x -d 1.2.3.4/255.0.255.0 -j ACCEPT\n-A x -j\n-A\nCOMMIT\n",
			    "ip");
	assert_true(ruleset_add(&rs, doc, BY_IPTABLES_LEGACY));
	goes(&rs, tcp("a", "b", CT_NEW), FORWARDED, "untold ip filter x 1");
	ruleset_free(&rs);
}

static void test_iptables_by_nft(void **state)
{
	struct ruleset rs = rules_of("iptables");
	struct packet p = tcp("eth1", "cni-gre1", CT_NEW);
	char *text;

	(void)state;
	/* What nft doesn't tell: which states. */
	p.dport = 443;
	goes(&rs, p, FORWARDED, "passes");
	p.iif = "eth2";
	goes(&rs, p, FORWARDED, "untold ip filter FORWARD 10");
	goes(&rs, gre_in(CT_NEW), RECEIVED, "passes");
	ruleset_free(&rs);

	/* iptables-nft-save does. */
	text = text_of("iptables.save");
	assert_true(ruleset_add(&rs, iptables_json(text, "ip"), BY_IPTABLES));
	free(text);
	text = text_of("iptables.json");
	assert_true(ruleset_add(&rs, json_loads(text, 0, NULL), BY_NFT));
	free(text);
	all_of_iptables(&rs);
	ruleset_free(&rs);
}

static void test_texts(void **state)
{
	struct ruleset rs = rules_of("stateful");
	const struct chain *c;
	char *text = text_of("stateful.text");

	(void)state;
	ruleset_add_text(&rs, text);
	free(text);
	c = ruleset_chain(&rs, &rs.chains[0], "input");
	assert_string_equal(c->rules[0].text,
			    "ct state established,related accept");
	assert_string_equal(c->rules[3].text,
			    "ip saddr 192.0.2.8/29 ip daddr 192.0.2.11 ip protocol gre counter accept");
	ruleset_add_text(&rs, "table inet fw {\n\tchain forward {\n\t\tip saddr { 1.2.3.4,\n\t\t\t     1.2.3.5 } accept # handle 99\n\t\tx # handle 15\n");
	ruleset_add_text(&rs, "\t\t");
	ruleset_free(&rs);
}

/* The command that lets it through, where it's dropped. */
static void advised(const struct ruleset *rs, struct packet p,
		    unsigned int hooks, const char *want)
{
	char buf[256];
	struct walk w;

	walk(rs, &p, hooks, &w);
	assert_int_equal(w.fate, FATE_DROPPED);
	accept_command(&p, &w.at, buf, sizeof(buf));
	assert_string_equal(buf, want);
}

static void test_advice(void **state)
{
	struct ruleset rs = rules_of("no-forward");
	struct packet p = bgp_in("10.255.0.9", CT_NEW);
	char *text, buf[80];
	struct walk w;

	(void)state;
	advised(&rs, tcp("eth1", "cni-gre1", CT_NEW), FORWARDED,
		"nft insert rule inet fw forward iifname \"eth1\" oifname \"cni-gre1\" accept");
	advised(&rs, p, RECEIVED,
		"nft insert rule inet fw input iifname \"eth0.100\" ip saddr 10.255.0.9 ip daddr 192.0.2.11 tcp dport 179 accept");
	advised(&rs, gre_in(CT_NEW), RECEIVED,
		"nft insert rule inet fw input iifname \"eth0.100\" ip saddr 162.159.64.1 ip daddr 192.0.2.11 meta l4proto gre accept");
	walk(&rs, &p, RECEIVED, &w);
	accept_place(&w.at, buf, sizeof(buf));
	assert_string_equal(buf, "table inet fw, chain input: its policy, drop");
	ruleset_free(&rs);

	/* Answers, and at the chain of the hook, not at one that it jumps to */
	rs = rules_of("no-forward");
	p = tcp("cni-gre1", "eth1", CT_ESTABLISHED);
	walk(&rs, &p, FORWARDED, &w);
	assert_int_equal(w.fate, FATE_PASSES);
	w.at.base = ruleset_chain(&rs, rs.chains, "forward");
	accept_command(&p, &w.at, buf, 20);
	assert_string_equal(buf, "nft insert rule ine");
	ruleset_free(&rs);
	rs = rules_of("ufw");
	advised(&rs, tcp("cni-gre1", "eth1", CT_NEW), FORWARDED,
		"nft insert rule ip filter FORWARD iifname \"cni-gre1\" oifname \"eth1\" accept");
	ruleset_free(&rs);

	text = text_of("iptables.save");
	assert_true(ruleset_add(&rs, iptables_json(text, "ip"),
				BY_IPTABLES_LEGACY));
	free(text);
	p = gre_in(CT_NEW);
	p.src = addr("162.159.64.2");
	advised(&rs, p, RECEIVED,
		"iptables-legacy -t filter -I INPUT -i eth0.100 -s 162.159.64.2 -d 192.0.2.11 -p gre -j ACCEPT");
	p = tcp("eth1", "wan0", CT_NEW);
	p.dport = 25;
	walk(&rs, &p, FORWARDED, &w);
	accept_place(&w.at, buf, sizeof(buf));
	assert_string_equal(buf, "iptables-legacy table filter, chain lan, rule 1: -A lan -p tcp -m tcp --dport 2");
	ruleset_free(&rs);
}

static void walk_all(const struct ruleset *rs)
{
	struct packet p = bgp_in("192.0.2.10", CT_NEW);
	char buf[100];
	struct walk w;
	unsigned int i;

	walk(rs, &p, FORWARDED | RECEIVED | SENT, &w);
	if (w.fate != FATE_PASSES && w.at.chain) {
		accept_place(&w.at, buf, sizeof(buf));
		accept_command(&p, &w.at, buf, sizeof(buf));
	}
	for (i = 0; i < rs->n_chains; i++)
		ruleset_nature(rs, &rs->chains[i]);
}

/* Words that nobody knows, in all places, and texts that end anywhere. */
static void test_damage(void **state)
{
	static const char *const names[] = { "maps.json", "undecided.json",
					     "iptables.json", "notrack.json" };
	struct ruleset rs = {};
	unsigned int i, at;
	char *text, was;
	json_t *doc;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		text = text_of(names[i]);
		for (at = i; text[at]; at += 5) {
			was = text[at];
			text[at] = was >= '0' && was <= '9' ? '9' : 'x';
			doc = json_loads(text, 0, NULL);
			if (ruleset_add(&rs, doc, BY_NFT))
				walk_all(&rs);
			ruleset_free(&rs);
			text[at] = was;
		}
		free(text);
	}
	text = text_of("iptables.save");
	for (at = strlen(text); at; at -= at > 3 ? 3 : at) {
		text[at] = '\0';
		doc = iptables_json(text, "ip");
		if (ruleset_add(&rs, doc, BY_IPTABLES))
			walk_all(&rs);
		ruleset_free(&rs);
	}
	free(text);
}

#define CHAIN "{\"chain\": {\"family\": \"ip\", \"table\": \"t\", \"name\": \"%s\"%s}}"
#define JUMP "{\"rule\": {\"family\": \"ip\", \"table\": \"t\", \"chain\": \"%s\", \"handle\": %u, \"expr\": [{\"jump\": {\"target\": \"%s\"}}]}}"

/* Chains that jump @times to the next one, @n of them. */
static struct ruleset jumps(unsigned int n, unsigned int times)
{
	char doc[65536], to[16], name[16];
	size_t used = 0;
	unsigned int i, k;

	used += sprintf(doc, "{\"nftables\": [");
	for (i = 0; i < n; i++) {
		sprintf(name, "c%u", i);
		sprintf(to, "c%u", i + 1);
		used += sprintf(doc + used, "%s" CHAIN, i ? ", " : "", name,
				i ? "" : ", \"hook\": \"forward\", \"prio\": 0, \"policy\": \"accept\"");
		for (k = 0; i + 1 < n && k < times; k++)
			used += sprintf(doc + used, ", " JUMP, name, k + 1,
					to);
	}
	sprintf(doc + used, "]}");
	return rules_in(doc);
}

static void test_bounds(void **state)
{
	struct ruleset rs = jumps(17, 1);

	(void)state;
	goes(&rs, tcp("a", "b", CT_NEW), FORWARDED, "passes");
	ruleset_free(&rs);
	rs = jumps(18, 1);
	goes(&rs, tcp("a", "b", CT_NEW), FORWARDED,
	     "untold: chains jump too deep");
	ruleset_free(&rs);
	/* 3 to the power of 15 */
	rs = jumps(16, 3);
	goes(&rs, tcp("a", "b", CT_NEW), FORWARDED,
	     "untold: there are too many rules to go through");
	assert_true(ruleset_nature(&rs, ruleset_chain(&rs, rs.chains,
						      "c0")).judges);
	ruleset_free(&rs);
}

#define CHAIN2 "{\"chain\": {\"family\": \"ip\", \"table\": \"t\", \"name\": \"%s\", \"hook\": \"forward\", \"prio\": %d, \"policy\": \"accept\"}}"
#define RULE "{\"rule\": {\"family\": \"ip\", \"table\": \"t\", \"chain\": \"%s\", \"handle\": 1, \"expr\": [%s]}}"

/* One chain drops what the other didn't mark; it is made before that. */
static void order(int drops, int marks, const char *want)
{
	struct ruleset rs;
	char doc[2048];

	snprintf(doc, sizeof(doc), "{\"nftables\": [" CHAIN2 ", " CHAIN2 ", "
		 RULE ", " RULE "]}", "d", drops, "m", marks, "d",
		 "{\"match\": {\"op\": \"==\", \"left\": {\"meta\": {\"key\": \"mark\"}}, \"right\": 0}}, {\"drop\": null}",
		 "m",
		 "{\"mangle\": {\"key\": {\"meta\": {\"key\": \"mark\"}}, \"value\": 1}}");
	rs = rules_in(doc);
	goes(&rs, tcp("a", "b", CT_NEW), FORWARDED, want);
	ruleset_free(&rs);
}

static void test_order(void **state)
{
	(void)state;
	order(0, -1, "passes");
	order(-1, 0, "dropped ip t d 1");
	/* The hooks' order: the last one first */
	order(0, 0, "passes");
}

/* One rule in a chain whose policy is to drop. */
static void rule(const char *expr, const char *want)
{
	struct packet p = tcp("eth1", "cni-gre1", CT_NEW);
	struct ruleset rs;
	char doc[2048];

	p.dport = 443;
	p.sport = 50000;
	p.src = addr("10.1.2.3");
	snprintf(doc, sizeof(doc), "{\"nftables\": [{\"rule\": {\"family\": \"ip\", \"table\": \"t\", \"chain\": \"c\", \"handle\": 1, \"expr\": [%s]}}, "
		 CHAIN "]}", expr, "c",
		 ", \"hook\": \"forward\", \"prio\": 0, \"policy\": \"drop\"");
	rs = rules_in(doc);
	goes(&rs, p, FORWARDED, want);
	ruleset_free(&rs);
}

#define MATCH(op, left, right) "{\"match\": {\"op\": \"" op "\", \"left\": " left ", \"right\": " right "}}, {\"accept\": null}"
#define PORT "{\"payload\": {\"protocol\": \"tcp\", \"field\": \"dport\"}}"
#define ANY "{\"payload\": {\"protocol\": \"ip\", \"field\": \"ttl\"}}"
#define SADDR "{\"payload\": {\"protocol\": \"ip\", \"field\": \"saddr\"}}"
#define IIF "{\"meta\": {\"key\": \"iifname\"}}"

static void test_matches(void **state)
{
	static const char may[] = "untold ip t c 1", no[] = "dropped ip t c policy";

	(void)state;
	rule(MATCH("==", PORT, "443"), "passes");
	rule(MATCH("!=", PORT, "443"), no);
	rule(MATCH(">=", PORT, "443"), "passes");
	rule(MATCH(">", PORT, "443"), no);
	rule(MATCH("<", PORT, "444"), "passes");
	rule(MATCH("<=", PORT, "442"), no);
	rule(MATCH("==", PORT, "{\"range\": [400, 500]}"), "passes");
	rule(MATCH("==", PORT, "{\"set\": [22, {\"range\": [500, 600]}]}"), no);
	rule(MATCH("==", PORT, "{\"set\": [{\"elem\": {\"val\": 443, \"comment\": \"x\"}}]}"),
	     "passes");
	rule(MATCH("==", PORT, "{\"set\": \"*\"}"), "passes");
	rule(MATCH("==", PORT, "\"@none\""), may);
	rule(MATCH("==", PORT, "{\"new\": 1}"), may);
	rule(MATCH("=~", PORT, "443"), may);
	rule(MATCH("==", SADDR, "{\"range\": [\"10.0.0.0\", \"10.1.2.3\"]}"),
	     "passes");
	rule(MATCH("==", SADDR, "{\"range\": [\"10.0.0.0\", \"10.1.2.2\"]}"), no);
	rule(MATCH("==", SADDR, "\"example.org\""), may);
	rule(MATCH("==", SADDR, "\"10.1.2.3\""), "passes");
	rule(MATCH("==", IIF, "\"eth*\""), "passes");
	rule(MATCH("==", IIF, "\"eth\\\\*\""), no);
	rule(MATCH("!=", IIF, "{\"set\": [\"eth0\", \"eth2\"]}"), "passes");
	rule(MATCH("==", "{\"&\": [{\"meta\": {\"key\": \"mark\"}}, 255]}", "0"),
	     "passes");
	rule(MATCH("==", "{\"meta\": {\"key\": \"nfproto\"}}", "\"ipv6\""), no);
	rule(MATCH("==", "{\"meta\": {\"key\": \"protocol\"}}", "\"ip\""),
	     "passes");
	rule(MATCH("==", "{\"payload\": {\"protocol\": \"udp\", \"field\": \"dport\"}}",
		   "443"), no);
	rule(MATCH("!=", "{\"payload\": {\"protocol\": \"udp\", \"field\": \"dport\"}}",
		   "443"), no);
	rule(MATCH("==", "{\"payload\": {\"protocol\": \"th\", \"field\": \"dport\"}}",
		   "443"), "passes");
	rule(MATCH("in", "{\"payload\": {\"protocol\": \"tcp\", \"field\": \"flags\"}}",
		   "[\"syn\", \"rst\"]"), "passes");
	rule(MATCH("==", "{\"ct\": {\"key\": \"mark\"}}", "1"), may);
	rule(MATCH("==", "{\"fib\": {\"result\": \"type\"}}", "\"local\""), may);
	rule(MATCH("==", "{\"fib\": {\"result\": \"type\", \"flags\": [\"daddr\"]}}",
		   "\"local\""), no);
	rule(MATCH("in", "{\"ct\": {\"key\": \"status\"}}", "\"dnat\""), no);
	rule(MATCH("in", "{\"ct\": {\"key\": \"state\"}}", "[\"new\", \"related\"]"),
	     "passes");
	rule(MATCH("!=", "{\"ct\": {\"key\": \"state\"}}",
		   "{\"|\": [\"new\", \"related\"]}"), "passes");
	rule(MATCH("!=", "{\"ct\": {\"key\": \"state\"}}",
		   "{\"set\": [\"new\", \"related\"]}"), no);
	rule(MATCH("==", "{\"ct\": {\"key\": \"state\"}}",
		   "[\"new\", \"related\"]"), no);
	rule(MATCH("!", "{\"ct\": {\"key\": \"state\"}}", "\"new\""), no);
	rule(MATCH("==", "{\"concat\": [" SADDR ", " PORT "]}",
		   "{\"set\": [{\"concat\": [{\"prefix\": {\"addr\": \"10.0.0.0\", \"len\": 8}}, 443]}]}"),
	     "passes");
	rule(MATCH("==", "{\"concat\": [" SADDR ", " PORT "]}",
		   "{\"set\": [{\"concat\": [\"10.1.2.3\"]}]}"), may);
	rule(MATCH("==", "{}", "null"), may);
	rule("{\"match\": null}, {\"accept\": null}", may);
}

static void test_statements(void **state)
{
	static const char may[] = "untold ip t c 1", no[] = "dropped ip t c policy";

	(void)state;
	rule("{\"queue\": {\"num\": 3}}", may);
	rule("{\"tproxy\": {\"port\": 3}}, {\"accept\": null}", may);
	rule("{\"brand new\": null}", may);
	rule("{\"xt\": null}", may);
	rule("{\"xt\": {\"type\": \"target\", \"name\": \"LOG\"}}", no);
	rule("{\"xt\": {\"type\": \"match\", \"name\": \"comment\"}}, {\"accept\": null}",
	     "passes");
	rule("{\"flow\": {\"op\": \"add\", \"flowtable\": \"@ft\"}}, {\"accept\": null}",
	     "passes");
	rule("{\"reject\": null}", "dropped ip t c 1");
	rule("{\"return\": null}, {\"accept\": null}", no);
	rule("{\"jump\": {\"target\": \"gone\"}}", may);
	rule("{\"vmap\": {\"key\": " PORT ", \"data\": \"@gone\"}}", no);
	rule("{\"vmap\": {\"key\": " PORT ", \"data\": {\"set\": [[{\"range\": [1, 500]}, {\"accept\": null}]]}}}",
	     "passes");
	rule("{\"vmap\": {\"key\": " PORT ", \"data\": {\"set\": [[22, {\"drop\": null}], [\"*\", {\"accept\": null}]]}}}",
	     "passes");
	rule("{\"vmap\": null}", no);
	/* Any port: one of the verdicts it is, or one and what follows. */
	rule("{\"vmap\": {\"key\": " ANY ", \"data\": {\"set\": [[22, {\"accept\": null}], [\"*\", {\"accept\": null}]]}}}",
	     "passes");
	rule("{\"vmap\": {\"key\": " ANY ", \"data\": {\"set\": [[22, {\"continue\": null}], [\"*\", {\"accept\": null}]]}}}",
	     may);
	rule("{\"vmap\": {\"key\": " ANY ", \"data\": {\"set\": [[22, {\"accept\": null}], [{\"range\": [0, 65535]}, {\"continue\": null}]]}}}",
	     may);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_skeleton),
		cmocka_unit_test(test_stateful),
		cmocka_unit_test(test_forgotten),
		cmocka_unit_test(test_maps),
		cmocka_unit_test(test_ufw),
		cmocka_unit_test(test_firewalld),
		cmocka_unit_test(test_notrack),
		cmocka_unit_test(test_masquerade),
		cmocka_unit_test(test_invalid),
		cmocka_unit_test(test_undecided),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_iptables),
		cmocka_unit_test(test_iptables_by_nft),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_advice),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_matches),
		cmocka_unit_test(test_statements),
	};

	return cmocka_run_group_tests_name("walk", tests, NULL, NULL);
}
