// SPDX-License-Identifier: GPL-2.0
/* Rules as iptables-save prints them, in nft's words. */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/out.h"
#include "kernel/iptables.h"

#define WORDS 256

/* A rule on its way from words to expressions. */
struct words {
	char *v[WORDS];
	unsigned int n, at;
	bool not;		/* "!" before what is read now */
	const char *proto;	/* that its ports are of */
	json_t *expr;
};

static const struct {
	const char *table, *chain, *hook;
	int prio;
} places[] = {
	{ "raw", "PREROUTING", "prerouting", -300 },
	{ "raw", "OUTPUT", "output", -300 },
	{ "mangle", "PREROUTING", "prerouting", -150 },
	{ "mangle", "INPUT", "input", -150 },
	{ "mangle", "FORWARD", "forward", -150 },
	{ "mangle", "OUTPUT", "output", -150 },
	{ "mangle", "POSTROUTING", "postrouting", -150 },
	{ "nat", "PREROUTING", "prerouting", -100 },
	{ "nat", "INPUT", "input", 100 },
	{ "nat", "OUTPUT", "output", -100 },
	{ "nat", "POSTROUTING", "postrouting", 100 },
	{ "filter", "INPUT", "input", 0 },
	{ "filter", "FORWARD", "forward", 0 },
	{ "filter", "OUTPUT", "output", 0 },
	{ "security", "INPUT", "input", 50 },
	{ "security", "FORWARD", "forward", 50 },
	{ "security", "OUTPUT", "output", 50 },
};

static json_t *chain_json(const char *family, const char *table,
			  const char *name, const char *policy)
{
	json_t *o = json_pack("{s:s, s:s, s:s}", "family", family, "table",
			      table, "name", name);
	unsigned int i;

	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (strcmp(places[i].table, table) ||
		    strcmp(places[i].chain, name))
			continue;
		json_object_update_new(o, json_pack("{s:s, s:s, s:i, s:s}",
			"type", strcmp(table, "nat") ? "filter" : "nat",
			"hook", places[i].hook, "prio", places[i].prio,
			"policy", strcmp(policy, "DROP") ? "accept" : "drop"));
	}
	return json_pack("{s:o}", "chain", o);
}

/* "--comment "a \"quoted\" one"": words end at blanks outside of quotes. */
static void split(struct words *w, char *s)
{
	bool quoted = false;
	char *to;

	w->n = 0;
	while (*s && w->n < WORDS) {
		while (*s == ' ')
			s++;
		if (!*s)
			break;
		w->v[w->n++] = to = s;
		for (; *s && (quoted || *s != ' '); s++) {
			if (*s == '"') {
				quoted = !quoted;
				continue;
			}
			if (*s == '\\' && s[1])
				s++;
			*to++ = *s;
		}
		if (*s)
			s++;
		*to = '\0';
	}
}

static const char *next(struct words *w)
{
	return w->at < w->n ? w->v[w->at++] : "";
}

static void match(struct words *w, json_t *left, json_t *right)
{
	json_array_append_new(w->expr, json_pack("{s:{s:s, s:o, s:o}}",
		"match", "op", w->not ? "!=" : "==", "left", left, "right",
		right));
}

static void xt(struct words *w, const char *type, const char *name)
{
	json_array_append_new(w->expr, json_pack("{s:{s:s, s:s}}", "xt",
						 "type", type, "name", name));
}

static void device(struct words *w, const char *key)
{
	char name[64];
	size_t n;

	snprintf(name, sizeof(name), "%s", next(w));
	n = strlen(name);
	if (n && name[n - 1] == '+')
		name[n - 1] = '*';
	match(w, json_pack("{s:{s:s}}", "meta", "key", key),
	      json_string(name));
}

static void address(struct words *w, const char *family, const char *field)
{
	const char *s = next(w);
	struct addr a = {};

	/* A netmask that is no prefix can't be said so. */
	if (addr_parse_route(s, strcmp(family, "ip") ? AF_INET6 : AF_INET, &a)) {
		xt(w, "match", "mask");
		return;
	}
	match(w, json_pack("{s:{s:s, s:s}}", "payload", "protocol", family,
			   "field", field),
	      json_pack("{s:{s:s, s:i}}", "prefix", "addr", addr_str(&a),
			"len", a.len));
}

static json_t *port_json(const char *s)
{
	unsigned int a, b;
	int n = sscanf(s, "%u:%u", &a, &b);

	if (n == 2)
		return json_pack("{s:[i, i]}", "range", a, b);
	return n == 1 ? json_integer(a) : json_string(s);
}

static void port(struct words *w, const char *field)
{
	char list[512], *at = list, *one;
	json_t *set = json_array();

	snprintf(list, sizeof(list), "%s", next(w));
	while ((one = strsep(&at, ",")))
		json_array_append_new(set, port_json(one));
	match(w, json_pack("{s:{s:s, s:s}}", "payload", "protocol",
			   w->proto ?: "th", "field", field),
	      json_pack("{s:o}", "set", set));
}

static void states(struct words *w)
{
	json_t *set = json_array();
	char list[128], *at = list, *one, *c;

	snprintf(list, sizeof(list), "%s", next(w));
	while ((one = strsep(&at, ","))) {
		for (c = one; *c; c++)
			*c = tolower((unsigned char)*c);
		json_array_append_new(set, json_string(one));
	}
	match(w, json_pack("{s:{s:s}}", "ct", "key", "state"),
	      json_pack("{s:o}", "set", set));
}

/* "8" or "8/0", of which the code is left to chance. */
static void icmp_type(struct words *w, const char *proto)
{
	const char *s = next(w);

	if (!isdigit((unsigned char)*s) || strchr(s, '/'))
		xt(w, "match", "icmp-type");
	else
		match(w, json_pack("{s:{s:s, s:s}}", "payload", "protocol",
				   proto, "field", "type"),
		      json_integer(atoi(s)));
}

/* Those of a packet itself: false for another. */
static bool known_match(struct words *w, const char *s, const char *family)
{
	const char *proto;

	if (!strcmp(s, "-i")) {
		device(w, "iifname");
	} else if (!strcmp(s, "-o")) {
		device(w, "oifname");
	} else if (!strcmp(s, "-s")) {
		address(w, family, "saddr");
	} else if (!strcmp(s, "-d")) {
		address(w, family, "daddr");
	} else if (!strcmp(s, "--dport") || !strcmp(s, "--dports")) {
		port(w, "dport");
	} else if (!strcmp(s, "--sport") || !strcmp(s, "--sports")) {
		port(w, "sport");
	} else if (!strcmp(s, "--ctstate") || !strcmp(s, "--state")) {
		states(w);
	} else if (!strcmp(s, "--icmp-type")) {
		icmp_type(w, "icmp");
	} else if (!strcmp(s, "--icmpv6-type")) {
		icmp_type(w, "icmpv6");
	} else if (!strcmp(s, "-p")) {
		proto = next(w);
		/* Ports are asked for by a match of their own. */
		w->proto = !strcmp(proto, "tcp") || !strcmp(proto, "udp") ?
			   proto : NULL;
		if (strcmp(proto, "all"))
			match(w, json_pack("{s:{s:s}}", "meta", "key",
					   "l4proto"), json_string(proto));
	} else {
		return false;
	}
	return true;
}

/* Matches that have no options but those above, or only say something. */
static bool is_plain(const char *name)
{
	static const char *const names[] = {
		"tcp", "udp", "icmp", "icmp6", "conntrack", "state",
		"multiport", "comment",
	};
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

static void target(struct words *w, const char *how, const char *name)
{
	static const char *const verdicts[][2] = {
		{ "ACCEPT", "accept" }, { "DROP", "drop" },
		{ "RETURN", "return" }, { "REJECT", "reject" },
		{ "MASQUERADE", "masquerade" }, { "SNAT", "snat" },
		{ "DNAT", "dnat" }, { "REDIRECT", "redirect" },
		{ "NETMAP", "snat" }, { "NOTRACK", "notrack" },
		{ "QUEUE", "queue" }, { "NFQUEUE", "queue" },
	};
	unsigned int i;

	for (i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		if (strcmp(verdicts[i][0], name))
			continue;
		json_array_append_new(w->expr, json_pack("{s:n}",
							 verdicts[i][1]));
		return;
	}
	for (i = w->at; i < w->n; i++)
		if (!strcmp(name, "CT") && !strcmp(w->v[i], "--notrack"))
			json_array_append_new(w->expr,
					      json_pack("{s:n}", "notrack"));
	/* The walk tells a chain's name from that of a target. */
	json_array_append_new(w->expr, json_pack("{s:{s:s, s:s}}",
		strcmp(how, "-g") ? "jump" : "goto", "target", name, "or",
		"xt"));
}

/* Turns the words after "-A CHAIN" into expressions. */
static void options(struct words *w, const char *family)
{
	const char *s;

	while (w->at < w->n) {
		s = next(w);
		w->not = !strcmp(s, "!");
		if (w->not)
			s = next(w);
		if (!strcmp(s, "-j") || !strcmp(s, "-g")) {
			target(w, s, next(w));
			/* What follows are the target's options. */
			return;
		}
		if (!strcmp(s, "-m")) {
			s = next(w);
			if (!is_plain(s))
				xt(w, "match", s);
		} else if (!strcmp(s, "--comment")) {
			next(w);
		} else if (!known_match(w, s, family) && *s == '-') {
			/* Of a match that is here, or of one that isn't. */
			xt(w, "match", s);
		}
	}
}

static json_t *rule_json(const char *family, const char *table,
			 const char *line, unsigned int number)
{
	struct words w = { .at = 2, .expr = json_array() };
	char *copy = xstrdup(line), *clean = xstrdup(line);
	json_t *o;

	/* JSON takes no half characters. */
	out_clean(clean);
	strcpy(copy, clean);
	split(&w, copy);
	options(&w, family);
	o = json_pack("{s:{s:s, s:s, s:s, s:i, s:o, s:s}}", "rule", "family",
		      family, "table", table, "chain", w.n > 1 ? w.v[1] : "",
		      "handle", number, "expr", w.expr, "text", clean);
	free(clean);
	free(copy);
	return o;
}

/* How many rules of the chain of "-A CHAIN ..." there were before. */
static unsigned int number_of(json_t *counts, const char *table,
			      const char *line)
{
	char key[128];
	json_int_t n;

	snprintf(key, sizeof(key), "%s %.*s", table,
		 (int)strcspn(line + 3, " "), line + 3);
	n = json_integer_value(json_object_get(counts, key)) + 1;
	json_object_set_new(counts, key, json_integer(n));
	return n;
}

json_t *iptables_json(const char *text, const char *family)
{
	json_t *all = json_array(), *counts = json_object();
	char table[40] = "", name[64], policy[16], *copy = xstrdup(text);
	char *at = copy, *line;
	bool ended = false;

	while ((line = strsep(&at, "\n"))) {
		if (*line == '*') {
			snprintf(table, sizeof(table), "%.39s", line + 1);
			ended = false;
		} else if (!strcmp(line, "COMMIT")) {
			ended = true;
		} else if (sscanf(line, ":%63s %15s", name, policy) == 2) {
			json_array_append_new(all, chain_json(family, table,
							      name, policy));
		} else if (!strncmp(line, "-A ", 3)) {
			json_array_append_new(all,
				rule_json(family, table, line,
					  number_of(counts, table, line)));
		}
	}
	free(copy);
	json_decref(counts);
	if (!ended) {
		json_decref(all);
		return NULL;
	}
	return json_pack("{s:o}", "nftables", all);
}
