// SPDX-License-Identifier: GPL-2.0
/* The firewall's tables, from nft's JSON: libnftables-json(5). */
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/out.h"
#include "kernel/ruleset.h"

/* The kernel's limit */
#define DEPTH 16
/* Chains that jump to the same ones again and again */
#define STEPS 20000

static const char *const hooks[] = {
	[HOOK_PREROUTING] = "prerouting",
	[HOOK_INPUT] = "input",
	[HOOK_FORWARD] = "forward",
	[HOOK_OUTPUT] = "output",
	[HOOK_POSTROUTING] = "postrouting",
};

const char *hook_str(enum hook hook)
{
	return hook < HOOK_NONE ? hooks[hook] : "none";
}

static const char *str(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key)) ?: "";
}

static enum hook hook_of(const char *name)
{
	enum hook h = 0;

	while (h < HOOK_NONE && strcmp(hooks[h], name))
		h++;
	return h;
}

static bool is_l3(const char *family)
{
	return !strcmp(family, "ip") || !strcmp(family, "ip6") ||
	       !strcmp(family, "inet");
}

static bool is_of_device(const json_t *o)
{
	const char *hook = str(o, "hook");

	return !strcmp(hook, "ingress") || !strcmp(hook, "egress");
}

static void add_chain(struct ruleset *rs, const json_t *o, enum ruleset_by by)
{
	struct chain *c;

	rs->chains = xrealloc(rs->chains,
			      (rs->n_chains + 1) * sizeof(*rs->chains));
	c = &rs->chains[rs->n_chains++];
	*c = (struct chain){
		.by = by,
		.family = str(o, "family"),
		.table = str(o, "table"),
		.name = str(o, "name"),
		.hook = is_l3(str(o, "family")) ? hook_of(str(o, "hook")) :
						  HOOK_NONE,
		.device = is_of_device(o),
		.devs = json_object_get(o, "dev"),
		.prio = json_integer_value(json_object_get(o, "prio")),
		.nat = !strcmp(str(o, "type"), "nat"),
		.drop = !strcmp(str(o, "policy"), "drop"),
	};
}

static bool in_table(const char *family, const char *table, const json_t *o)
{
	return !strcmp(family, str(o, "family")) &&
	       !strcmp(table, str(o, "table"));
}

static struct chain *chain_of(const struct ruleset *rs, const json_t *o,
			      const char *name, enum ruleset_by by)
{
	struct chain *c;

	for (c = rs->chains; c < rs->chains + rs->n_chains; c++)
		if (c->by == by && in_table(c->family, c->table, o) &&
		    !strcmp(c->name, name))
			return c;
	return NULL;
}

static void add_rule(struct ruleset *rs, const json_t *o, enum ruleset_by by)
{
	struct chain *c = chain_of(rs, o, str(o, "chain"), by);
	const char *text = json_string_value(json_object_get(o, "text"));

	if (!c)
		return;
	c->rules = xrealloc(c->rules, (c->n + 1) * sizeof(*c->rules));
	c->rules[c->n++] = (struct rule){
		.handle = json_integer_value(json_object_get(o, "handle")),
		.expr = json_object_get(o, "expr"),
		.text = text ? xstrdup(text) : NULL,
	};
}

/* "dynamic", or ["timeout", ...] */
static bool changes(const json_t *o)
{
	const json_t *flags = json_object_get(o, "flags"), *f;
	const char *s;
	size_t i;

	if (json_object_get(o, "timeout") || json_is_string(flags))
		return json_object_get(o, "timeout") ||
		       strcmp(json_string_value(flags), "interval");
	json_array_foreach(flags, i, f) {
		s = json_string_value(f);
		if (s && (!strcmp(s, "dynamic") || !strcmp(s, "timeout")))
			return true;
	}
	return false;
}

static void add_named(struct ruleset *rs, const json_t *o, enum ruleset_by by)
{
	rs->named = xrealloc(rs->named,
			     (rs->n_named + 1) * sizeof(*rs->named));
	rs->named[rs->n_named++] = (struct named){
		.by = by,
		.family = str(o, "family"),
		.table = str(o, "table"),
		.name = str(o, "name"),
		.elem = json_object_get(o, "elem"),
		.changes = changes(o),
	};
}

static void add_flowtable(struct ruleset *rs, const json_t *o)
{
	rs->flowtables = xrealloc(rs->flowtables, (rs->n_flowtables + 1) *
						  sizeof(*rs->flowtables));
	rs->flowtables[rs->n_flowtables++] = (struct flowtable){
		.family = str(o, "family"),
		.table = str(o, "table"),
		.name = str(o, "name"),
		.devs = json_object_get(o, "dev"),
	};
}

/*
 * Brings those from the @from'th on into the order of the hooks: of the same
 * priority, what was registered last comes first, as nf_hook_entries_grow() has
 * it. They're listed as they were made.
 */
static void sort_chains(struct ruleset *rs, unsigned int from)
{
	struct chain c;
	unsigned int i, k;

	for (i = from; i < rs->n_chains; i++) {
		c = rs->chains[i];
		for (k = i; k && rs->chains[k - 1].prio >= c.prio; k--)
			rs->chains[k] = rs->chains[k - 1];
		rs->chains[k] = c;
	}
}

/* What iptables-nft tells of its tables is more than nft does. */
static bool told(const struct ruleset *rs, const json_t *o, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (rs->chains[i].by == BY_IPTABLES &&
		    in_table(rs->chains[i].family, rs->chains[i].table, o))
			return true;
	return false;
}

bool ruleset_add(struct ruleset *rs, json_t *doc, enum ruleset_by by)
{
	const json_t *all = json_object_get(doc, "nftables"), *one, *o;
	unsigned int n = rs->n_chains;
	size_t i;

	if (!json_is_array(all)) {
		json_decref(doc);
		return false;
	}
	if (!rs->docs)
		rs->docs = json_array();
	json_array_append_new(rs->docs, doc);
	/* A rule's chain may come after it. */
	json_array_foreach(all, i, one) {
		o = json_object_get(one, "chain");
		if (o && (by != BY_NFT || !told(rs, o, n)))
			add_chain(rs, o, by);
	}
	json_array_foreach(all, i, one) {
		if ((o = json_object_get(one, "rule")))
			add_rule(rs, o, by);
		else if ((o = json_object_get(one, "set") ?:
			      json_object_get(one, "map")))
			add_named(rs, o, by);
		else if ((o = json_object_get(one, "flowtable")))
			add_flowtable(rs, o);
	}
	sort_chains(rs, n);
	return true;
}

void ruleset_free(struct ruleset *rs)
{
	struct chain *c;

	for (c = rs->chains; c < rs->chains + rs->n_chains; c++) {
		while (c->n)
			free(c->rules[--c->n].text);
		free(c->rules);
	}
	free(rs->chains);
	free(rs->named);
	free(rs->flowtables);
	free(rs->untold);
	json_decref(rs->docs);
	memset(rs, 0, sizeof(*rs));
}

const struct chain *ruleset_chain(const struct ruleset *rs,
				  const struct chain *from, const char *name)
{
	const struct chain *c;

	for (c = rs->chains; c < rs->chains + rs->n_chains; c++)
		if (c->by == from->by && !strcmp(c->name, name) &&
		    !strcmp(c->table, from->table) &&
		    !strcmp(c->family, from->family))
			return c;
	return NULL;
}

const struct named *ruleset_named(const struct ruleset *rs,
				  const struct chain *from, const char *name)
{
	const struct named *s;

	for (s = rs->named; s < rs->named + rs->n_named; s++)
		if (s->by == from->by && !strcmp(s->name, name) &&
		    !strcmp(s->table, from->table) &&
		    !strcmp(s->family, from->family))
			return s;
	return NULL;
}

bool ruleset_names(const json_t *devs, const char *ifname)
{
	const char *one = json_string_value(devs);
	const json_t *dev;
	size_t i;

	if (one && !strcmp(one, ifname))
		return true;
	json_array_foreach(devs, i, dev)
		if (json_is_string(dev) &&
		    !strcmp(json_string_value(dev), ifname))
			return true;
	return false;
}

bool ruleset_meets(const struct chain *c, int family, enum hook hook)
{
	return c->hook == hook &&
	       (!strcmp(c->family, "inet") ||
		!strcmp(c->family, family == AF_INET ? "ip" : "ip6"));
}

/* "counter packets 12 bytes 345" is other numbers the next time. */
static void append(char **text, const char *from, size_t n)
{
	size_t used = *text ? strlen(*text) : 0;
	unsigned long long packets, bytes;
	int len;
	char *to;

	*text = xrealloc(*text, used + n + 2);
	to = *text + used;
	if (used)
		*to++ = ' ';
	while (n) {
		len = 0;
		if (!strncmp(from, " packets ", 9))
			sscanf(from, " packets %llu bytes %llu%n", &packets,
			       &bytes, &len);
		if (len && (size_t)len <= n) {
			from += len;
			n -= len;
			continue;
		}
		*to++ = *from++;
		n--;
	}
	*to = '\0';
}

static void set_text(const struct chain *c, long long handle, char **text)
{
	unsigned int i;

	for (i = 0; c && i < c->n; i++) {
		if (c->rules[i].handle != handle || c->rules[i].text)
			continue;
		out_clean(*text);
		c->rules[i].text = *text;
		*text = NULL;
		return;
	}
}

/* The name in "table inet NAME {" or "chain NAME {", a copy. */
static bool block(const char *line, size_t n, const char *what, char *name,
		  size_t size)
{
	size_t skip = strlen(what);
	const char *end;

	if (n <= skip || strncmp(line, what, skip))
		return false;
	end = memmem(line, n, " {", 2);
	if (!end || (size_t)(end - line) < skip)
		return false;
	snprintf(name, size, "%.*s", (int)(end - line - skip), line + skip);
	return true;
}

struct lister {
	char table[320], chain[160];
	char *text;		/* of a rule on several lines */
};

static void take_line(struct ruleset *rs, struct lister *at, const char *line,
		      size_t n)
{
	const char *handle = memmem(line, n, " # handle ", 10);
	char id[512];
	const struct chain *c;

	if (block(line, n, "table ", at->table, sizeof(at->table)) ||
	    block(line, n, "\tchain ", at->chain, sizeof(at->chain)) ||
	    strncmp(line, "\t\t", 2)) {
		free(at->text);
		at->text = NULL;
		return;
	}
	while (n && (*line == '\t' || *line == ' '))
		line++, n--;
	append(&at->text, line, handle ? (size_t)(handle - line) : n);
	if (!handle) {
		/* "type filter hook ..." ends with the line; sets go on. */
		if (n && line[n - 1] == ';') {
			free(at->text);
			at->text = NULL;
		}
		return;
	}
	for (c = rs->chains; c < rs->chains + rs->n_chains; c++) {
		snprintf(id, sizeof(id), "%s %s", c->family, c->table);
		if (c->by == BY_NFT && !strcmp(id, at->table) &&
		    !strcmp(c->name, at->chain))
			set_text(c, atoll(handle + 10), &at->text);
	}
	free(at->text);
	at->text = NULL;
}

void ruleset_add_text(struct ruleset *rs, const char *text)
{
	struct lister at = {};
	size_t n;

	for (; *text; text += n + (text[n] == '\n')) {
		n = strcspn(text, "\n");
		take_line(rs, &at, text, n);
	}
	free(at.text);
}

static bool one_of(const char *s, const char *const *list)
{
	while (*list && strcmp(*list, s))
		list++;
	return *list;
}

/* Statements by which no packet gets another fate. */
static const char *const harmless[] = {
	"match", "counter", "log", "accept", "continue", "return", "limit",
	"quota", "ct count", "ct helper", "ct timeout", "ct expectation",
	"notrack", "flow", "last", "meter", "set", "map", "jump", "goto",
	"secmark", NULL
};

static const char *const harmless_targets[] = {
	"LOG", "NFLOG", "MARK", "CONNMARK", "TCPMSS", "CLASSIFY", "CT",
	"NOTRACK", "CHECKSUM", "TRACE", "DSCP", "TOS", "SECMARK",
	"CONNSECMARK", "AUDIT", NULL
};

struct looking {
	const struct ruleset *rs;
	unsigned int steps;
	struct nature n;
};

static void look_chain(struct looking *l, const struct chain *c,
		       unsigned int depth);

/* What a verdict map can lead to, and what a match asks for. */
static void look_inside(struct looking *l, const struct chain *c,
			const json_t *o, unsigned int depth)
{
	const char *key, *s = json_string_value(o);
	const struct named *named;
	const json_t *v;
	size_t i;

	if (s && *s == '@' && (named = ruleset_named(l->rs, c, s + 1)))
		look_inside(l, c, named->elem, depth);
	json_array_foreach(o, i, v)
		look_inside(l, c, v, depth);
	json_object_foreach((json_t *)o, key, v) {
		if (!strcmp(key, "ct"))
			l->n.stateful = true;
		else if (!strcmp(key, "drop"))
			l->n.judges = true;
		else if (!strcmp(key, "jump") || !strcmp(key, "goto"))
			look_chain(l, ruleset_chain(l->rs, c,
						    str(v, "target")),
				   depth + 1);
		else
			look_inside(l, c, v, depth);
	}
}

static void look_xt(struct looking *l, const json_t *xt)
{
	const char *name = str(xt, "name");

	if (!strcmp(name, "conntrack") || !strcmp(name, "state"))
		l->n.stateful = true;
	if (strcmp(str(xt, "type"), "match") &&
	    !one_of(name, harmless_targets))
		l->n.judges = true;
}

static void look_chain(struct looking *l, const struct chain *c,
		       unsigned int depth)
{
	const char *key;
	const json_t *e, *v;
	unsigned int r;
	size_t i;

	if (!c)
		return;
	if (depth > DEPTH) {
		l->n.judges = true;
		return;
	}
	for (r = 0; r < c->n; r++) {
		if (++l->steps > STEPS) {
			l->n.judges = true;
			return;
		}
		json_array_foreach(c->rules[r].expr, i, e) {
			json_object_foreach((json_t *)e, key, v) {
				if (!strcmp(key, "xt"))
					look_xt(l, v);
				else if (!strcmp(key, "flow"))
					l->n.offloads = true;
				else if (!one_of(key, harmless) &&
					 strcmp(key, "mangle") &&
					 strcmp(key, "vmap"))
					l->n.judges = true;
			}
			look_inside(l, c, e, depth);
		}
	}
}

struct nature ruleset_nature(const struct ruleset *rs, const struct chain *c)
{
	struct looking l = { .rs = rs, .n.judges = c->drop };

	look_chain(&l, c, 0);
	return l.n;
}
