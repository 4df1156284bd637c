// SPDX-License-Identifier: GPL-2.0
/* The firewall's rules, from the programs that know them. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/out.h"
#include "base/run.h"
#include "kernel/iptables.h"
#include "kernel/ruleset.h"

#define TIMEOUT_MS 10000

static const struct {
	const char *family;
	/* Not below /proc/net, which may be another namespace's */
	const char *legacy_tables;
	const char *legacy, *by_nft;
} versions[] = {
	{ "ip", "/proc/thread-self/net/ip_tables_names",
	  "iptables-legacy-save", "iptables-nft-save" },
	{ "ip6", "/proc/thread-self/net/ip6_tables_names",
	  "ip6tables-legacy-save", "ip6tables-nft-save" },
};

#define N_VERSIONS (sizeof(versions) / sizeof(versions[0]))

static void __attribute__((format(printf, 2, 3)))
untold(struct ruleset *rs, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	if (rs->untold)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	rs->untold = xstrdup(text);
}

/* What it prints, for free(); NULL if it fails. */
static char *ask(const char *program, const char *arg)
{
	char *argv[] = { (char *)program, (char *)arg, (char *)"list",
			 (char *)"ruleset", NULL };
	char *text;

	if (!arg)
		argv[1] = NULL;
	if (!run_program(argv, TIMEOUT_MS, 0, &text))
		return text;
	free(text);
	return NULL;
}

static bool has_line(const char *path)
{
	FILE *f = fopen(path, "re");
	bool has = f && fgetc(f) != EOF;

	if (f)
		fclose(f);
	return has;
}

static void ask_legacy(struct ruleset *rs, unsigned int v)
{
	json_t *doc;
	char *text;

	if (!has_line(versions[v].legacy_tables))
		return;
	text = ask(versions[v].legacy, NULL);
	doc = text ? iptables_json(text, versions[v].family) : NULL;
	free(text);
	if (doc)
		ruleset_add(rs, doc, BY_IPTABLES_LEGACY);
	else
		untold(rs, "iptables-legacy has %s tables, and %s isn't there, or doesn't tell them",
		       v ? "IPv6" : "IPv4", versions[v].legacy);
}

/* iptables-nft's matches, which nft doesn't tell in JSON */
static void ask_by_nft(struct ruleset *rs, unsigned int v)
{
	char *text = ask(versions[v].by_nft, NULL);
	json_t *doc = text ? iptables_json(text, versions[v].family) : NULL;

	free(text);
	if (doc)
		ruleset_add(rs, doc, BY_IPTABLES);
}

void ruleset_ask(struct ruleset *rs)
{
	char *text = ask("nft", "-j"), *list;
	json_t *doc = text ? json_loads(text, 0, NULL) : NULL;
	unsigned int v;

	memset(rs, 0, sizeof(*rs));
	for (v = 0; v < N_VERSIONS; v++) {
		ask_legacy(rs, v);
		if (text && strstr(text, "\"xt\""))
			ask_by_nft(rs, v);
	}
	if (!ruleset_add(rs, doc, BY_NFT))
		untold(rs, "nft doesn't tell the firewall's rules (is it installed?)");
	/* Without a rule there is no text. */
	list = text && strstr(text, "\"rule\"") ? ask("nft", "-a") : NULL;
	if (list)
		ruleset_add_text(rs, list);
	free(list);
	free(text);
}
