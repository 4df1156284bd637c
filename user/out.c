// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "out.h"

bool out_json;

/* What is held back, a line each; NULL while nothing is. */
static char *held;

/* How long the character at @s is; 0 for one that isn't to be shown. */
static size_t shown(const unsigned char *s)
{
	unsigned int c = *s, n, i;

	if (c < 0x80)
		return c >= ' ' && c != 0x7f;
	n = c >= 0xf0 && c < 0xf5 ? 4 : c >= 0xe0 && c < 0xf0 ? 3 :
	    c >= 0xc2 && c < 0xe0 ? 2 : 0;
	for (i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* C1 controls, and U+202A to U+202E, U+2066 to U+2069. */
	if (n == 2 && c == 0xc2 && s[1] < 0xa0)
		return 0;
	if (n == 3 && c == 0xe2 && ((s[1] == 0x80 && s[2] >= 0xaa &&
				     s[2] <= 0xae) ||
				    (s[1] == 0x81 && s[2] >= 0xa6 &&
				     s[2] <= 0xa9)))
		return 0;
	return n;
}

void out_clean(char *s)
{
	size_t n;

	for (; *s; s += n ? n : 1) {
		n = shown((unsigned char *)s);
		if (!n && *s != '\t')
			*s = '?';
	}
}

static void __attribute__((format(printf, 2, 0)))
say(const char *before, const char *fmt, va_list ap)
{
	char *text;
	size_t n;

	if (vasprintf(&text, fmt, ap) < 0)
		return;
	out_clean(text);
	if (held) {
		n = strlen(held);
		held = xrealloc(held, n + strlen(text) + 2);
		sprintf(held + n, "%s\n", text);
	} else {
		fflush(stdout);
		fprintf(stderr, "%s%s\n", before, text);
	}
	free(text);
}

void say_line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("", fmt, ap);
	va_end(ap);
}

void err(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("cnictl: ", fmt, ap);
	va_end(ap);
}

void hint(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("        ", fmt, ap);
	va_end(ap);
}

void out_hold(void)
{
	if (!held)
		held = xstrdup("");
}

char *out_held(void)
{
	char *text = held;

	held = NULL;
	return text;
}

void out_release(void)
{
	char *text = out_held(), *line, *save;
	const char *before = "cnictl: ";

	for (line = text ? strtok_r(text, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		fprintf(stderr, "%s%s\n", before, line);
		before = "        ";
	}
	free(text);
}

int out_refuse(char *why, size_t size, const char *where, const char *fmt,
	       va_list ap)
{
	int n = snprintf(why, size, "%s: ", where);

	if (n > 0 && (size_t)n < size)
		vsnprintf(why + n, size - n, fmt, ap);
	out_clean(why);
	return -1;
}

bool out_colour(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") &&
	       !getenv("NO_COLOR");
}

void out_print(json_t *root)
{
	json_dumpf(root, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(root);
}

static void no_memory(void)
{
	err("out of memory");
	exit(RC_FAILED);
}

void *xalloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);

	if (!p)
		no_memory();
	return p;
}

void *xrealloc(void *p, size_t size)
{
	p = realloc(p, size ? size : 1);
	if (!p)
		no_memory();
	return p;
}

char *xstrdup(const char *s)
{
	char *p = strdup(s);

	if (!p)
		no_memory();
	return p;
}

char *read_whole(FILE *f, size_t *len)
{
	size_t size = 4096, n = 0, got;
	char *text = xalloc(size);

	while ((got = fread(text + n, 1, size - n - 1, f))) {
		n += got;
		if (n + 1 < size)
			continue;
		size *= 2;
		text = xrealloc(text, size);
	}
	if (ferror(f)) {
		free(text);
		return NULL;
	}
	text[n] = '\0';
	if (len)
		*len = n;
	return text;
}

const char *out_count(uint64_t n)
{
	static char bufs[4][32];
	static unsigned int turn;
	char digits[24], *out;
	int len, i;

	out = bufs[turn++ % 4];
	len = snprintf(digits, sizeof(digits), "%" PRIu64, n);
	for (i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			*out++ = ',';
		*out++ = digits[i];
	}
	*out = '\0';
	return bufs[(turn - 1) % 4];
}
