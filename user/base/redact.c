// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/out.h"
#include "base/redact.h"

#define SHORTEST 4
#define MARKS " \t\r\n=\"';{}"

void redact_add(struct secrets *s, const char *secret)
{
	if (strlen(secret) < SHORTEST || !strcmp(secret, REDACTED))
		return;
	s->v = xrealloc(s->v, (s->n + 1) * sizeof(*s->v));
	s->v[s->n++] = xstrdup(secret);
}

void redact_free(struct secrets *s)
{
	while (s->n)
		free(s->v[--s->n]);
	free(s->v);
	s->v = NULL;
}

/* The end of the first word for a secret in a line, or NULL. */
static char *after_word(char *line)
{
	static const char *const words[] = {
		"password", "passphrase", "passwd", "secret", "key-string",
		"authentication-key", "authentication key", "md5_key",
		"md5-key", "message-digest-key", "community",
	};
	char *first = NULL, *at;
	unsigned int i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		/* SNMP's community is one, BGP's are not. */
		if (!strcmp(words[i], "community") &&
		    !strcasestr(line, "snmp"))
			continue;
		at = strcasestr(line, words[i]);
		if (at && (!first || at < first))
			first = at + strlen(words[i]);
	}
	return first;
}

/* A setting of what is said elsewhere: "password-file". */
static char *past_name(char *at)
{
	while (*at == '-' || *at == '_' || isalnum((unsigned char)*at))
		at++;
	return at;
}

/* What is between quotes, and each word, without what marks it. */
static void learn(struct secrets *s, const char *rest)
{
	char *copy = xstrdup(rest), *save = NULL, *word, *quote, *end;

	quote = strpbrk(copy, "\"'");
	end = quote ? strrchr(quote + 1, *quote) : NULL;
	if (end) {
		*end = '\0';
		redact_add(s, quote + 1);
		*end = *quote;
	}
	copy[strcspn(copy, "#")] = '\0';
	for (word = strtok_r(copy, MARKS, &save); word && !end;
	     word = strtok_r(NULL, MARKS, &save))
		redact_add(s, word);
	free(copy);
}

static bool in_comment(const char *line, const char *at)
{
	const char *hash = strchr(line, '#'), *slashes = strstr(line, "//");

	line += strspn(line, " \t");
	return (hash && hash < at) || (slashes && slashes < at) ||
	       *line == '!';
}

static void append(char **out, size_t *used, size_t *size, const char *s,
		   size_t n)
{
	if (*used + n + 1 > *size) {
		*size = 2 * (*used + n + 1);
		*out = xrealloc(*out, *size);
	}
	memcpy(*out + *used, s, n);
	*used += n;
	(*out)[*used] = '\0';
}

char *redact_config(struct secrets *s, const char *text)
{
	size_t used = 0, size = strlen(text) + 64;
	char *out = xalloc(size), *line, *at;
	bool goes_on = false;
	const char *end;

	for (; *text; text = *end ? end + 1 : end) {
		end = text + strcspn(text, "\n");
		line = xalloc(end - text + 1);
		memcpy(line, text, end - text);
		at = goes_on ? line : after_word(line);
		if (at && !goes_on)
			at = past_name(at);
		if (!at) {
			append(&out, &used, &size, line, strlen(line));
		} else {
			goes_on = strpbrk(at, "={") &&
				  !at[strspn(at, " \t\r={")];
			/* The words of a comment are nobody's password. */
			if (!in_comment(line, at))
				learn(s, at);
			append(&out, &used, &size, line, at - line);
			append(&out, &used, &size, " " REDACTED,
			       strlen(" " REDACTED));
		}
		if (*end)
			append(&out, &used, &size, "\n", 1);
		free(line);
	}
	return out;
}

char *redact(const struct secrets *s, const char *text)
{
	size_t used = 0, size = strlen(text) + 64, n;
	char *out = xalloc(size);
	unsigned int i, found;

	while (*text) {
		n = 0;
		found = s->n;
		/* The longest, where one begins with another. */
		for (i = 0; i < s->n; i++) {
			if (strlen(s->v[i]) > n &&
			    !strncmp(text, s->v[i], strlen(s->v[i]))) {
				n = strlen(s->v[i]);
				found = i;
			}
		}
		if (found < s->n) {
			append(&out, &used, &size, REDACTED, strlen(REDACTED));
			text += n;
		} else {
			append(&out, &used, &size, text++, 1);
		}
	}
	return out;
}
