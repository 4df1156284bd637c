// SPDX-License-Identifier: GPL-2.0
/* Whether the kernel routes the static prefixes as the configuration says. */
#include <stdlib.h>
#include <string.h>

#include "base/out.h"
#include "cmd/check/check.h"
#include "config/statics.h"

#define NAMED 3

static void name_wrong(struct line *l, const struct statics *s)
{
	unsigned int i, named = 0;

	for (i = 0; i < s->n && named < NAMED; i++) {
		if (s->want[i].state == STATIC_RIGHT)
			continue;
		named++;
		line_hint(l, "%s %s", addr_prefix_str(&s->want[i].dst),
			  s->want[i].state == STATIC_NEW ? "has no route" :
			  s->want[i].state == STATIC_CHANGED ?
			  "goes another way" :
			  "goes the way of a route that isn't cnictl's");
	}
}

static unsigned int left_out(const struct statics *s)
{
	unsigned int i, n = 0;

	for (i = 0; i < s->n_ways; i++)
		n += s->ways[i].left_out[V4] + s->ways[i].left_out[V6];
	return n;
}

static void judge(struct check *k, struct line *l, const struct statics *s)
{
	unsigned int i, wrong = 0, more = 0, out = left_out(s);
	char words[80] = "";

	for (i = 0; i < s->n; i++)
		wrong += s->want[i].state != STATIC_RIGHT;
	for (i = 0; i < s->n_have; i++)
		more += s->have[i].ours && !s->have[i].wanted;
	line_data(l, "wanted", json_integer(s->n));
	line_data(l, "wrong", json_integer(wrong));
	line_data(l, "more", json_integer(more));
	if (wrong) {
		line_fail(l, "%s of %s static prefixes aren't routed as %s says",
			  out_count(wrong), out_count(s->n), k->c->file);
		name_wrong(l, s);
	} else if (more) {
		line_fail(l, "%s routes of static prefixes aren't in the file any more",
			  out_count(more));
	}
	if (wrong || more) {
		line_hint(l, "cnictl reload %s", k->c->file);
		return;
	}
	if (out)
		snprintf(words, sizeof(words), ", without %s of an IP version that their way hasn't got",
			 out_count(out));
	line_pass(l, "the kernel routes all %s static prefixes%s",
		  out_count(s->n), words);
}

void check_static(struct check *k)
{
	const struct config *c = k->c;
	unsigned int i, n = 0;
	struct statics s;
	struct line *l;
	uint32_t *own;
	int rc;

	if (!statics_any(c))
		return;
	l = line_add(k, "static");
	if (line_waits(k, l, "device") || line_waits(k, l, "addresses"))
		return;
	own = xalloc((c->n_tunnels + 1) * sizeof(*own));
	own[n++] = k->dev.ifindex;
	for (i = 0; i < c->n_tunnels; i++)
		own[n++] = if_nametoindex(c->tunnels[i].ifname);
	statics_want(&s, c);
	rc = statics_look(&s, &k->rt, &c->tables[0], 1, own, n);
	if (rc)
		line_unknown(l, "the kernel's routes can't be read: %s",
			     nlc_strerror(&k->rt, rc));
	else
		judge(k, l, &s);
	statics_free(&s);
	free(own);
}
