// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mail.h"
#include "out.h"

enum side { CLOUDFLARE, OURS };

struct found {
	struct addr addr;
	unsigned int line;
};

struct parser {
	const char *name;
	char *why;
	size_t why_size;
	unsigned int line;
	struct found found[2][2];	/* by side, then v4/v6 */
	unsigned int customer_line;
	struct mail *mail;
};

static int __attribute__((format(printf, 3, 4)))
refuse(struct parser *p, unsigned int line, const char *fmt, ...)
{
	char where[PATH_MAX];
	va_list ap;
	int n;

	n = snprintf(where, sizeof(where), "%s", p->name);
	if (line && n < PATH_MAX)
		snprintf(where + n, sizeof(where) - n, ":%u", line);
	va_start(ap, fmt);
	out_refuse(p->why, p->why_size, where, fmt, ap);
	va_end(ap);
	return -1;
}

/* Non-breaking spaces come with mails that were pasted; they are spaces. */
static void plain_spaces(char *s)
{
	char *nbsp;

	while ((nbsp = strstr(s, "\xc2\xa0"))) {
		nbsp[0] = ' ';
		nbsp[1] = ' ';
	}
}

static char *trim(char *s)
{
	char *end;

	/* Quoting and bullets of mail programs. */
	while (*s && (isspace((unsigned char)*s) || strchr(">*-|`", *s)))
		s++;
	end = s + strlen(s);
	while (end > s && (isspace((unsigned char)end[-1]) ||
			   strchr("*|`,;", end[-1])))
		*--end = '\0';
	return s;
}

static void rtrim(char *s, const char *chars)
{
	char *end = s + strlen(s);

	while (end > s && (isspace((unsigned char)end[-1]) ||
			   strchr(chars, end[-1])))
		*--end = '\0';
}

/* Takes "v4" or "v6" off the end of @label; returns 4, 6, or 0 for none. */
static int take_version(char *label)
{
	static const char *const words[] = {
		"v4", "v6", "IPv4", "IPv6",
	};
	size_t len = strlen(label), n;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		n = strlen(words[i]);
		if (len <= n || strcasecmp(label + len - n, words[i]) ||
		    !isspace((unsigned char)label[len - n - 1]))
			continue;
		label[len - n] = '\0';
		rtrim(label, "");
		return i & 1 ? 6 : 4;
	}
	return 0;
}

static bool looks_like_address(const char *s)
{
	if (!isxdigit((unsigned char)*s) && *s != ':')
		return false;
	if (strspn(s, "0123456789abcdefABCDEF.:/") != strlen(s))
		return false;
	/* Not "10:30", not "12/11": those are in mails too. */
	return (strchr(s, '.') && strspn(s, "0123456789./") == strlen(s)) ||
	       (strchr(s, ':') &&
		strchr(strchr(s, ':') + 1, ':')) ||
	       (strchr(s, ':') && strchr(s, '/'));
}

static int take_line(struct parser *p, char *text)
{
	char *s = trim(text), *colon = NULL, *at, *value, label[128];
	enum addr_error e;
	struct found *f;
	struct addr a;
	enum side side;
	const char *bad;
	int version;

	/*
	 * The label ends at the last colon that white space follows, or what
	 * makes it bold and then white space.
	 */
	for (at = s; (at = strchr(at, ':')); at++) {
		size_t bold = strspn(at + 1, "*`");

		if (!at[1 + bold] || isspace((unsigned char)at[1 + bold]))
			colon = at;
	}
	if (!colon || colon == s)
		return 0;
	value = trim(colon + 1);
	if ((size_t)(colon - s) >= sizeof(label))
		return 0;
	memcpy(label, s, colon - s);
	label[colon - s] = '\0';
	rtrim(label, "*`");
	version = take_version(label);
	if (!*value || strpbrk(value, " \t")) {
		if (version)
			return refuse(p, p->line, "'%s' after '%s v%d:' isn't one address with its length",
				      value, label, version);
		return 0;
	}
	if (!looks_like_address(value)) {
		if (version)
			return refuse(p, p->line, "'%s' isn't an IP address",
				      value);
		return 0;
	}
	e = addr_parse_prefix(value, &a);
	if (e)
		return refuse(p, p->line, "'%s' %s", value, addr_strerror(e));
	if (version && (version == 4) != (a.family == AF_INET))
		return refuse(p, p->line, "the label says v%d, but %s isn't an IPv%d address",
			      version, value, version);
	bad = addr_host_problem(&a);
	if (bad)
		return refuse(p, p->line, "%s %s", value, bad);

	side = !strncasecmp(label, "cloudflare", 10) ? CLOUDFLARE : OURS;
	if (side == OURS) {
		if (!p->customer_line) {
			p->customer_line = p->line;
			snprintf(p->mail->customer,
				 sizeof(p->mail->customer), "%.63s", label);
		} else if (strncasecmp(p->mail->customer, label, 63)) {
			return refuse(p, p->line, "this address is for '%s', but that of line %u for '%s': whose is it?",
				      label, p->customer_line,
				      p->mail->customer);
		}
	}
	f = &p->found[side][a.family == AF_INET6];
	if (f->line)
		return refuse(p, p->line, "a second IPv%d address for '%s' (the first is in line %u)",
			      a.family == AF_INET ? 4 : 6, label, f->line);
	f->addr = a;
	f->line = p->line;
	return 0;
}

static int check_pair(struct parser *p, int v6)
{
	struct found *c = &p->found[CLOUDFLARE][v6];
	struct found *o = &p->found[OURS][v6];
	const char *bad;

	if (!c->line && !o->line) {
		if (v6)
			return 0;
		return refuse(p, 0, "no IPv4 pair found: lines such as 'Cloudflare v4: 192.0.2.10/31' and 'Acme v4: 192.0.2.11/31' are needed");
	}
	if (!c->line || !o->line)
		return refuse(p, c->line + o->line, "%s's IPv%d address is missing: only %s is given",
			      c->line ? "your side" : "Cloudflare",
			      v6 ? 6 : 4,
			      addr_prefix_str(c->line ? &c->addr : &o->addr));
	bad = addr_pair_problem(&c->addr, &o->addr);
	if (bad)
		return refuse(p, o->line, "%s and %s (line %u) %s",
			      addr_prefix_str(&o->addr),
			      addr_prefix_str(&c->addr), c->line, bad);
	return 0;
}

int mail_parse(FILE *f, const char *name, struct mail *m, char *why,
	       size_t why_size)
{
	struct parser p = {
		.name = name, .why = why, .why_size = why_size, .mail = m,
	};
	char *line = NULL;
	size_t size = 0;
	int rc = 0;

	memset(m, 0, sizeof(*m));
	while (!rc && getline(&line, &size, f) >= 0) {
		p.line++;
		plain_spaces(line);
		rc = take_line(&p, line);
	}
	if (!rc && ferror(f))
		rc = refuse(&p, 0, "can't read it");
	free(line);
	if (rc)
		return rc;
	if (check_pair(&p, 0) || check_pair(&p, 1))
		return -1;
	m->cloudflare4 = p.found[CLOUDFLARE][0].addr;
	m->ours4 = p.found[OURS][0].addr;
	m->cloudflare6 = p.found[CLOUDFLARE][1].addr;
	m->ours6 = p.found[OURS][1].addr;
	return 0;
}
