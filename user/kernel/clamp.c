// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/out.h"
#include "base/run.h"
#include "kernel/clamp.h"
#include "kernel/module.h"

#define TIMEOUT_MS 20000
#define NO_PROGRAM 127

static void __attribute__((format(printf, 2, 3)))
append(char **to, const char *fmt, ...)
{
	size_t n = *to ? strlen(*to) : 0;
	char buf[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	*to = xrealloc(*to, n + strlen(buf) + 1);
	strcpy(*to + n, buf);
}

void clamp_init(struct clamp *c, const char *link)
{
	char *p;

	memset(c, 0, sizeof(*c));
	snprintf(c->table, sizeof(c->table), "cnictl_%s", link);
	for (p = c->table; *p; p++)
		if (!isalnum((unsigned char)*p))
			*p = '_';
}

static void add_rule(struct clamp *c, const char *ifname, bool in, int v,
		     uint16_t mss)
{
	const char *way = in ? "in" : "out";

	/* Only ever made smaller, as the kernel does it. */
	if (mss)
		append(&c->rules[!in], "\t\t%sifname \"%s\" meta nfproto ipv%d tcp flags syn tcp option maxseg size set %u comment \"%s %s ipv%d %u\"\n",
		       in ? "i" : "o", ifname, v, mss, way, ifname, v, mss);
}

void clamp_add(struct clamp *c, const char *ifname, bool in, uint16_t mss4,
	       uint16_t mss6)
{
	int way;

	if (!mss4 && !mss6)
		return;
	for (way = in ? 1 : 0; way >= 0; way--) {
		add_rule(c, ifname, way, 4, mss4);
		add_rule(c, ifname, way, 6, mss6);
	}
	append(&c->what, "%s%s mss %u", c->what ? ", " : "", ifname, mss4);
}

void clamp_free(struct clamp *c)
{
	free(c->rules[0]);
	free(c->rules[1]);
	free(c->what);
}

char *clamp_text(const struct clamp *c)
{
	char *text = NULL;
	size_t size;
	FILE *f;

	if (!c->what)
		return NULL;
	f = open_memstream(&text, &size);
	if (!f)
		return NULL;
	fprintf(f, "table inet %s {\n", c->table);
	fprintf(f, "\tchain in {\n\t\ttype filter hook prerouting priority mangle; policy accept;\n%s\t}\n",
		c->rules[0] ?: "");
	fprintf(f, "\tchain out {\n\t\ttype filter hook postrouting priority mangle; policy accept;\n%s\t}\n",
		c->rules[1] ?: "");
	fprintf(f, "}\n");
	fclose(f);
	return text;
}

/* The comments in a table's text, a line each; for free(). */
static char *comments(const char *text)
{
	static const char mark[] = "comment \"";
	char *list = xstrdup("");

	while ((text = strstr(text, mark))) {
		text += strlen(mark);
		append(&list, "%.*s\n", (int)strcspn(text, "\""), text);
	}
	return list;
}

bool clamp_same(const struct clamp *c, const char *text)
{
	char *want, *a, *b;
	bool same;

	if (!c->what || !text)
		return !c->what && !text;
	want = clamp_text(c);
	a = comments(want);
	b = comments(text);
	same = !strcmp(a, b);
	free(want);
	free(a);
	free(b);
	return same;
}

int clamp_get(const struct clamp *c, char **text)
{
	char *argv[] = { "nft", "list", "table", "inet", (char *)c->table,
			 NULL };
	int rc;

	*text = NULL;
	/* To ask would load what nobody needs. */
	if (!c->what && !module_is_there("nf_tables"))
		return 0;
	rc = run_program(argv, TIMEOUT_MS, 0, text);
	if (!rc)
		return 0;
	free(*text);
	*text = NULL;
	return rc < 0 ? rc : rc == NO_PROGRAM ? -ENOENT : 0;
}

int clamp_put(const struct clamp *c, const char *text, char **why)
{
	char *argv[] = { "nft", NULL, NULL };
	int rc;

	/* Added first, so that there is one to delete. */
	append(&argv[1], "add table inet %s\ndelete table inet %s\n", c->table,
	       c->table);
	if (text) {
		argv[1] = xrealloc(argv[1], strlen(argv[1]) + strlen(text) + 1);
		strcat(argv[1], text);
	}
	rc = run_program(argv, TIMEOUT_MS, 1, why);
	free(argv[1]);
	return !rc ? 0 : rc < 0 ? rc : rc == NO_PROGRAM ? -ENOENT : -EINVAL;
}
