/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_REDACT_H
#define CNICTL_REDACT_H

#define REDACTED "[removed]"

/* Words that must not be seen by others. */
struct secrets {
	char **v;
	unsigned int n;
};

/* One that is known; shorter ones than 4 characters say nothing. */
void redact_add(struct secrets *s, const char *secret);
void redact_free(struct secrets *s);

/*
 * A configuration's text without its passwords: what comes after a word such as
 * "password" on its line, or on the next one when there's nothing more on it.
 * What is taken out is added to @s. For free().
 */
char *redact_config(struct secrets *s, const char *text);

/* Any text without the secrets. For free(). */
char *redact(const struct secrets *s, const char *text);

#endif
