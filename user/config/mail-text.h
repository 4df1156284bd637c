/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_MAIL_TEXT_H
#define CNICTL_MAIL_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A mail's lines as a reader sees them: UTF-8 without control characters but
 * the tab, with ASCII digits, dots, colons, slashes, dashes and blanks however
 * the mail wrote them. Cells of HTML tables begin with '|'.
 */
struct mail_line {
	unsigned int number;	/* in the file, from 1 */
	bool hidden;		/* no reader sees it: markup, a comment */
	char *text;
};

struct mail_text {
	struct mail_line *lines;
	size_t n;
};

/*
 * Undoes what mail programs do to text: UTF-16, byte order marks, transfer
 * encodings and what is left of them, HTML, terminal escapes. Any bytes will
 * do. Free with mail_text_free().
 */
void mail_text_read(const char *bytes, size_t len, struct mail_text *t);
void mail_text_free(struct mail_text *t);

/*
 * @bytes as UTF-8 with a NUL after it, for free(): without a byte order mark,
 * and converted if it's UTF-16. @len is updated.
 */
char *mail_text_utf8(const char *bytes, size_t *len);

#endif
