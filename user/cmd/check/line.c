// SPDX-License-Identifier: GPL-2.0
/* The lines of the go-live list. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/out.h"
#include "cmd/check/check.h"
#include "module/names.h"

struct line *line_add(struct check *k, const char *fmt, ...)
{
	static struct line spare;
	struct line *l = &spare;
	va_list ap;

	if (k->n < CHECK_LINES)
		l = &k->lines[k->n++];
	memset(l, 0, sizeof(*l));
	l->state = CHECK_UNKNOWN;
	va_start(ap, fmt);
	vsnprintf(l->name, sizeof(l->name), fmt, ap);
	va_end(ap);
	return l;
}

const struct line *line_find(const struct check *k, const char *name)
{
	unsigned int i;

	for (i = 0; i < k->n; i++)
		if (!strcmp(k->lines[i].name, name))
			return &k->lines[i];
	return NULL;
}

#define VERDICT(fn, verdict)						\
void fn(struct line *l, const char *fmt, ...)				\
{									\
	va_list ap;							\
									\
	l->state = verdict;						\
	va_start(ap, fmt);						\
	vsnprintf(l->text, sizeof(l->text), fmt, ap);			\
	va_end(ap);							\
}

VERDICT(line_pass, CHECK_PASS)
VERDICT(line_fail, CHECK_FAIL)
VERDICT(line_unknown, CHECK_UNKNOWN)

void line_hint(struct line *l, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (l->n_hints == CHECK_HINTS)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	l->hints[l->n_hints++] = xstrdup(text);
}

void line_hint_blockers(struct line *l, uint64_t bits, const char *dev)
{
	uint64_t bit;

	for (bit = 1; bit; bit <<= 1)
		if (bits & bit)
			line_hint(l, "%s", names_blocker_advice(bit, dev));
}

void line_data(struct line *l, const char *key, json_t *value)
{
	if (!l->data)
		l->data = json_object();
	json_object_set_new(l->data, key, value);
}

bool line_waits(struct check *k, struct line *l, const char *name)
{
	const struct line *other = line_find(k, name);

	if (!other || (other->state != CHECK_FAIL && !other->waits))
		return false;
	l->waits = true;
	line_unknown(l, "depends on %s", name);
	return true;
}

bool line_stock(struct check *k, struct line *l)
{
	if (k->stock)
		line_pass(l, "not needed: there's no fast path");
	return k->stock;
}
