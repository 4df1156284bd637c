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

static void say(const char *before, const char *fmt, va_list ap)
{
	char line[1024];
	size_t n;

	if (!held) {
		fflush(stdout);
		fputs(before, stderr);
		vfprintf(stderr, fmt, ap);
		fputc('\n', stderr);
		return;
	}
	vsnprintf(line, sizeof(line), fmt, ap);
	n = strlen(held);
	held = xrealloc(held, n + strlen(line) + 2);
	sprintf(held + n, "%s\n", line);
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
