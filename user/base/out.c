// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/out.h"

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

/* What was said before there was an answer in JSON. */
static json_t *messages;
static bool answered;

static void keep_message(const char *text, bool is_hint)
{
	json_t *last;

	if (!messages)
		messages = json_array();
	last = json_array_get(messages, json_array_size(messages) - 1);
	if (is_hint && last)
		json_array_append_new(json_object_get(last, "hints"),
				      json_string(text));
	else
		json_array_append_new(messages, json_pack("{s:s, s:[]}", "text",
							  text, "hints"));
}

static void drop_messages(void)
{
	json_decref(messages);
	messages = NULL;
}

static void print_messages(void)
{
	json_t *m, *hint_text;
	size_t i, k;

	json_array_foreach(messages, i, m) {
		fprintf(stderr, "%s\n",
			json_string_value(json_object_get(m, "text")));
		json_array_foreach(json_object_get(m, "hints"), k, hint_text)
			fprintf(stderr, "        %s\n",
				json_string_value(hint_text));
	}
	drop_messages();
}

void out_live(void)
{
	answered = true;
	print_messages();
}

int out_end(int rc)
{
	json_t *root;

	if (!out_json || answered)
		return rc;
	root = json_object();
	if (rc) {
		json_object_set(root, "error", json_object_get(
			json_array_get(messages, 0), "text"));
		json_object_set_new(root, "exit", json_integer(rc));
	}
	out_print(root);
	return rc;
}

static void print(const char *before, const char *text)
{
	if (out_json && !answered) {
		keep_message(text, *before == ' ');
		return;
	}
	fflush(stdout);
	fprintf(stderr, "%s%s\n", before, text);
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
		print(before, text);
	}
	free(text);
}

void out_say(const char *fmt, ...)
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
		print(before, line);
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
	if (messages && json_is_object(root)) {
		json_object_set(root, "messages", messages);
		drop_messages();
	}
	out_live();
	json_dumpf(root, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(root);
}

void out_line(json_t *root)
{
	out_live();
	json_dumpf(root, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(root);
}

static void no_memory(void)
{
	fputs("cnictl: out of memory\n", stderr);
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
