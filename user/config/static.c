// SPDX-License-Identifier: GPL-2.0
/* Static prefixes: the published ones, those of the file, and files of them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/out.h"
#include "config/config.h"
#include "config/static.h"

/* Of a file with worse than a slip in it. */
#define SAID_MAX 10

/* Takes the next prefix off a list as above; false at its end. */
static bool next_published(char **list, struct addr *a)
{
	const char *s = strtok_r(*list, "{}, ", list);

	if (s)
		addr_parse_prefix(s, a);
	return s;
}

void config_add_published(struct config_tunnel *t, bool request,
			  const struct addr *local)
{
	char list[] = PUBLISHED4, *at = list;
	struct addr peer;

	while (next_published(&at, &peer))
		config_add_health(t, request, true, local, &peer);
}

static void add(struct config_static *s, const struct addr *a)
{
	/* Room for as many again, each time it's full. */
	if (!(s->n & (s->n - 1)))
		s->list = xrealloc(s->list, (s->n ? s->n * 2 : 1) *
				   sizeof(*s->list));
	s->list[s->n++] = *a;
}

/* Returns why the line is wrong, or NULL. */
static const char *take_line(char *line, struct config_static *s)
{
	struct addr *one = NULL;
	unsigned int n = 0;
	const char *bad;
	char *word, *save;

	line[strcspn(line, "#")] = '\0';
	word = strtok_r(line, " \t\r", &save);
	if (!word)
		return NULL;
	if (strtok_r(NULL, " \t\r", &save))
		return "is followed by something else: one prefix a line, and comments after \"#\"";
	bad = config_add_prefix(word, &one, &n);
	if (!bad)
		add(s, one);
	free(one);
	return bad;
}

static bool take_text(const char *file, char *text, struct config_static *s)
{
	unsigned int number = 1, wrong = 0, before = s->n;
	char *line, *next;
	const char *bad;

	/* Some editors begin a file with a byte order mark. */
	if (!strncmp(text, "\xef\xbb\xbf", 3))
		text += 3;
	for (line = text; line; line = next, number++) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		bad = take_line(line, s);
		if (bad && wrong++ < SAID_MAX)
			out_say("%s:%u: '%s' %s", file, number,
				line + strspn(line, " \t\r"), bad);
	}
	if (wrong > SAID_MAX)
		out_say("%s: %u more lines are wrong", file, wrong - SAID_MAX);
	/* Somebody may be about to write it. */
	if (!wrong && s->n == before) {
		out_say("%s: there is no prefix in it: if there are to be none, take static-file out of the configuration",
			file);
		return false;
	}
	return !wrong;
}

static bool take_file(const struct config *c, struct config_static *s)
{
	FILE *f = fopen(s->file, "re");
	char *text;
	size_t len;
	bool good;

	text = f ? read_whole(f, &len) : NULL;
	if (!text) {
		out_say("%s: can't read the static-file %s: %s", c->file,
			s->file, strerror(errno));
		if (f)
			fclose(f);
		return false;
	}
	fclose(f);
	good = strlen(text) == len;
	if (good)
		good = take_text(s->file, text, s);
	else
		out_say("%s: it has a NUL character in it: is it UTF-16? Save it as UTF-8",
			s->file);
	free(text);
	return good;
}

static bool load(const struct config *c, struct config_static *s)
{
	char published[] = PUBLISHED4 " " PUBLISHED6, *at = published;
	unsigned int i, n = 0;
	bool good = true;
	struct addr a;

	s->n = 0;
	while (s->published && next_published(&at, &a))
		add(s, &a);
	for (i = 0; i < s->n_given; i++)
		add(s, &s->given[i]);
	if (s->file)
		good = take_file(c, s);
	if (!s->n)
		return good;
	qsort(s->list, s->n, sizeof(*s->list), addr_cmp);
	for (i = 1; i < s->n; i++)
		if (addr_cmp(&s->list[n], &s->list[i]))
			s->list[++n] = s->list[i];
	s->n = n + 1;
	return good;
}

/*
 * The kernel spreads IPv6 over next hops that have an address, and a tunnel has
 * none unless the addresses inside tell it.
 */
static bool check_spread(const struct config *c, const struct config_tunnel *t)
{
	const struct config_static *o;
	const struct addr *a = t->statics.list;
	unsigned int i, k;

	if (!config_routes(c, t, AF_INET6) ||
	    config_far_end(&t->address6).family)
		return true;
	for (i = 0; i < t->statics.n; i++) {
		if (a[i].family != AF_INET6)
			continue;
		for (k = 0; k <= c->n_tunnels; k++) {
			o = k ? &c->tunnels[k - 1].statics : &c->link.statics;
			if (o == &t->statics || !o->n ||
			    !config_routes(c, k ? &c->tunnels[k - 1] : NULL,
					   AF_INET6) ||
			    !bsearch(&a[i], o->list, o->n, sizeof(*a),
				     addr_cmp))
				continue;
			out_say("%s: %s is static of %s and of %s: for IPv6 to be spread %s needs an address6, a /127 or /126",
				c->file, addr_prefix_str(&a[i]), t->ifname,
				k ? c->tunnels[k - 1].ifname : c->link.ifname,
				t->ifname);
			return false;
		}
	}
	return true;
}

bool config_load_static(struct config *c)
{
	bool good = load(c, &c->link.statics);
	unsigned int i, ways = c->link.statics.n > 0;

	for (i = 0; i < c->n_tunnels; i++) {
		good &= load(c, &c->tunnels[i].statics);
		ways += c->tunnels[i].statics.n > 0;
	}
	if (good && ways > CONFIG_MAX_STATIC) {
		out_say("%s: more than %d tunnels with static prefixes",
			c->file, CONFIG_MAX_STATIC);
		return false;
	}
	for (i = 0; good && i < c->n_tunnels; i++)
		good &= check_spread(c, &c->tunnels[i]);
	return good;
}
