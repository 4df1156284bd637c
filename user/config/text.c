// SPDX-License-Identifier: GPL-2.0
/*
 * A pass over a configuration's text before libconfuse's. That one replaces
 * ${NAME} by the environment's, takes unknown escapes and line ends in strings,
 * the last of two settings of one name, and miscounts the lines of comments. Of
 * the other parsers that Debian has, libucl multiplies what ends in k or m,
 * takes the last of two as well or makes a list of them, and has includes and
 * variables; libconfig wants quotes and semicolons. So libconfuse stays, for
 * the sections and their settings, and gets only text that can't be misread.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/out.h"
#include "config/text.h"

#define BLANKS " \t\r\n"

enum kind { END, WORD, STRING, OPEN, CLOSE, EQUALS, COMMA, OTHER };

struct token {
	enum kind kind;
	unsigned int line;
	char text[80];		/* its beginning */
};

struct setting {
	char name[2 * 80 + 16];
	unsigned int line;
	struct setting *next;
};

struct reader {
	const char *file, *at;
	unsigned int line;
	char *out;
	size_t n;
	bool wrong;
	bool doubtful;		/* wrong, but the rest can be read */
	struct token next;
	struct setting *settings;
};

static void __attribute__((format(printf, 3, 4)))
wrong(struct reader *r, unsigned int line, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	r->wrong = true;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	out_say("%s:%u: %s", r->file, line, text);
}

static void put(struct reader *r, char c)
{
	r->out[r->n++] = c;
}

/* Passes @n characters that libconfuse isn't to see. */
static void blank(struct reader *r, size_t n)
{
	for (; n; n--, r->at++) {
		r->line += *r->at == '\n';
		put(r, *r->at == '\n' ? '\n' : ' ');
	}
}

/* Past blanks and comments. */
static void pass(struct reader *r)
{
	const char *end;

	for (;;) {
		blank(r, strspn(r->at, BLANKS));
		if (*r->at == '#' || !strncmp(r->at, "//", 2)) {
			blank(r, strcspn(r->at, "\n"));
		} else if (!strncmp(r->at, "/*", 2)) {
			end = strstr(r->at + 2, "*/");
			if (!end)
				wrong(r, r->line, "the comment has no end");
			blank(r, end ? (size_t)(end + 2 - r->at) :
				       strlen(r->at));
		} else {
			return;
		}
	}
}

/* Of a string or word: how long the character at @s is. */
static size_t take_char(struct reader *r, const char *s)
{
	char one[5] = "";
	size_t n = 1;

	while (n < 4 && (s[n] & 0xc0) == 0x80)
		n++;
	memcpy(one, s, n);
	out_clean(one);
	if (*s != '\t' && !strncmp(one, s, n))
		return n;
	if (*s & 0x80)
		wrong(r, r->line, "a character that isn't UTF-8, or that can't be seen");
	else
		wrong(r, r->line, "a control character, number %d, in a %s", *s,
		      *s == '\t' ? "string: a tab is one" : "word or string");
	return n;
}

static void add_text(struct token *t, const char *s, size_t n)
{
	size_t len = strlen(t->text);

	if (len + n < sizeof(t->text)) {
		memcpy(t->text + len, s, n);
		t->text[len + n] = '\0';
	}
}

/* In single quotes for libconfuse: there only ' and \ are special. */
static void put_string(struct reader *r, struct token *t, const char *s,
		       size_t n)
{
	add_text(t, s, n);
	while (n--) {
		if (*s == '\'' || *s == '\\')
			put(r, '\\');
		put(r, *s++);
	}
}

static void take_string(struct reader *r, struct token *t)
{
	const char *s = r->at + 1;
	char quote = *r->at;
	size_t n;

	t->kind = STRING;
	put(r, '\'');
	for (; *s != quote; s += n) {
		if (!*s || *s == '\n') {
			wrong(r, t->line, "the string that begins with %c has no end in its line",
			      quote);
			break;
		}
		if (*s == '\\' && s[1] && strchr("\\'\"", s[1]) &&
		    (s[1] == '\\' || s[1] == quote)) {
			put_string(r, t, s + 1, 1);
			n = 2;
			continue;
		}
		if (*s == '\\' && quote == '"') {
			wrong(r, r->line, "a backslash in double quotes: write \\\\ for one, or use single quotes");
			n = 1;
			continue;
		}
		if (*s == '$' && s[1] == '{' && quote == '"')
			wrong(r, r->line, "\"${...}\" isn't replaced by anything: in single quotes it's taken as it is");
		n = take_char(r, s);
		put_string(r, t, s, n);
	}
	put(r, '\'');
	r->at = *s == quote ? s + 1 : s;
}

static void take_word(struct reader *r, struct token *t)
{
	size_t n;

	/* It splits words at '+', too: all of them get quotes. */
	t->kind = WORD;
	put(r, '\'');
	while (*r->at && !strchr(BLANKS "\"'#{}=,()", *r->at)) {
		if (*r->at == '+' && r->at[1] == '=')
			break;
		if (*r->at == '\\')
			wrong(r, r->line, "a backslash: use single quotes around it");
		if (*r->at == '$' && r->at[1] == '{')
			wrong(r, r->line, "${...} isn't replaced by anything: in single quotes it's taken as it is");
		n = take_char(r, r->at);
		put_string(r, t, r->at, n);
		r->at += n;
	}
	n = strlen(t->text);
	if (n && t->text[n - 1] == ';') {
		out_say("%s:%u: '%s' has a semicolon: a setting ends without one",
			r->file, r->line, t->text);
		r->doubtful = true;
		/* What else there is to say is of the rest. */
		t->text[n - 1] = '\0';
		r->n--;
	}
	put(r, '\'');
}

static void take_next(struct reader *r)
{
	static const struct {
		char c;
		enum kind kind;
	} marks[] = {
		{ '{', OPEN }, { '}', CLOSE }, { '=', EQUALS }, { ',', COMMA },
		{ '(', OTHER }, { ')', OTHER },
	};
	struct token *t = &r->next;
	unsigned int i;

	memset(t, 0, sizeof(*t));
	pass(r);
	t->line = r->line;
	if (!*r->at)
		return;
	if (*r->at == '"' || *r->at == '\'') {
		take_string(r, t);
		return;
	}
	/* "+=" adds to a list. */
	if (r->at[0] == '+' && r->at[1] == '=') {
		t->kind = EQUALS;
		strcpy(t->text, "+=");
		put(r, *r->at++);
		put(r, *r->at++);
		return;
	}
	for (i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (marks[i].c == *r->at) {
			t->kind = marks[i].kind;
			t->text[0] = *r->at;
			put(r, *r->at++);
			return;
		}
	take_word(r, t);
}

/* The next token becomes that of @r. */
static void advance(struct reader *r)
{
	for (;;) {
		take_next(r);
		if (r->next.kind != WORD || *r->next.text)
			return;
		/* A semicolon alone: not even its quotes are there. */
		r->n -= 2;
	}
}

static bool is_value(const struct token *t)
{
	return t->kind == WORD || t->kind == STRING;
}

/*
 * Two of one name: the first would be lost without a word. A section without a
 * title goes on where it's there again.
 */
static void note_setting(struct reader *r, const struct token *section,
			 bool titled, const struct token *key)
{
	char name[sizeof(((struct setting *)0)->name)];
	struct setting *s;

	snprintf(name, sizeof(name), "%s %u %s", section->text,
		 titled ? section->line : 0, key->text);
	for (s = r->settings; s; s = s->next)
		if (!strcmp(s->name, name)) {
			out_say("%s:%u: %s is set in line %u already", r->file,
				key->line, key->text, s->line);
			r->doubtful = true;
			return;
		}
	s = xalloc(sizeof(*s));
	strcpy(s->name, name);
	s->line = key->line;
	s->next = r->settings;
	r->settings = s;
}

static bool take_list(struct reader *r)
{
	unsigned int begin = r->next.line;

	for (advance(r); r->next.kind != CLOSE; advance(r)) {
		if (!is_value(&r->next) && r->next.kind != COMMA) {
			wrong(r, r->next.line, "'}' of the list that begins in line %u is missing",
			      begin);
			return false;
		}
	}
	advance(r);
	return true;
}

/* "NAME = VALUE"; false when it can't go on from there. */
static bool take_setting(struct reader *r, const struct token *section,
			 bool titled)
{
	struct token key = r->next, value;

	if (key.kind != WORD) {
		wrong(r, key.line, "'%s' isn't the name of a setting",
		      key.text);
		return false;
	}
	advance(r);
	if (r->next.kind == EQUALS) {
		if (!*r->next.text || r->next.text[0] != '+')
			note_setting(r, section, titled, &key);
		advance(r);
		if (r->next.kind == OPEN)
			return take_list(r);
		value = r->next;
		if (is_value(&r->next))
			advance(r);
		/* "vlan =", and then the next setting's name. */
		if (is_value(&value) && r->next.kind != EQUALS)
			return true;
		wrong(r, key.line, "%s has no value", key.text);
		return false;
	}
	if (is_value(&r->next))
		advance(r);
	if (r->next.kind == OPEN)
		wrong(r, key.line, "'%s' begins inside of '%s' of line %u: the '}' of that is missing",
		      key.text, section->text, section->line);
	else
		wrong(r, key.line, "'%s' isn't NAME = VALUE; a value with blanks needs quotes",
		      key.text);
	return false;
}

static bool take_section(struct reader *r)
{
	struct token section = r->next, title = {};

	if (section.kind != WORD) {
		wrong(r, section.line, section.kind == CLOSE ?
		      "there is no '{' for this '}'" :
		      "a section begins with a word, not with '%s'",
		      section.text);
		return false;
	}
	advance(r);
	if (is_value(&r->next)) {
		title = r->next;
		advance(r);
	}
	/* Outside of sections: libconfuse knows that there is no such thing. */
	if (r->next.kind == EQUALS)
		return false;
	if (r->next.kind != OPEN) {
		wrong(r, r->next.line, "'{' is missing after '%s%s%s' of line %u",
		      section.text, *title.text ? " " : "", title.text,
		      section.line);
		return false;
	}
	for (advance(r); r->next.kind != CLOSE;) {
		if (r->next.kind == END) {
			wrong(r, r->next.line, "the file ends, but '%s' of line %u has no '}'",
			      section.text, section.line);
			return false;
		}
		if (!take_setting(r, &section, title.kind))
			return false;
	}
	advance(r);
	return true;
}

char *config_text(const char *file, const char *text, bool *doubtful)
{
	struct reader r = { .file = file, .at = text, .line = 1 };
	struct setting *s;

	/* Some editors begin a file with a byte order mark. */
	if (!strncmp(text, "\xef\xbb\xbf", 3))
		r.at += 3;
	/* Each character can get a backslash, or two quotes. */
	r.out = xalloc(3 * strlen(text) + 4);
	advance(&r);
	while (r.next.kind != END && take_section(&r))
		;
	while (!r.wrong && r.next.kind != END)
		advance(&r);
	while ((s = r.settings)) {
		r.settings = s->next;
		free(s);
	}
	if (r.wrong) {
		free(r.out);
		return NULL;
	}
	*doubtful = r.doubtful;
	/* It doesn't take an empty one. */
	put(&r, '\n');
	return r.out;
}
