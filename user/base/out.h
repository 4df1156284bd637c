/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_OUT_H
#define CNICTL_OUT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <jansson.h>

/* What the program exits with. */
enum {
	RC_OK = 0,
	RC_FAILED = 1,
	RC_USAGE = 2,
};

/* Set once by main(): answer in JSON on the standard output. */
extern bool out_json;

/*
 * Puts '?' for whatever a terminal would obey instead of showing: control
 * characters, those that turn the direction of writing, and half characters.
 */
void out_clean(char *s);

/* A line on standard error, clean; with JSON it waits for the answer. */
void out_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* "cnictl: ..." on standard error. */
void err(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* An indented line under an error: what to do about it. */
void hint(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Holds back what err() and hint() say, a line each: for out_held(), which
 * hands it over for free(), or out_release(), which prints it after all.
 */
void out_hold(void);
char *out_held(void);
void out_release(void);

/*
 * Puts "WHERE: " and the reason into @why, clean and as far as there is room.
 * Returns -1.
 */
int out_refuse(char *why, size_t size, const char *where, const char *fmt,
	       va_list ap) __attribute__((format(printf, 4, 0)));

/* Whether standard output is a terminal that is to have colours. */
bool out_colour(void);

/*
 * The answer in JSON: prints @root on standard output and drops the reference to
 * it. What err(), hint() and out_say() said before is in its "messages", where
 * it's an object, and on standard error otherwise.
 */
void out_print(json_t *root);

/* The same for one of several answers, which gets a line of its own. */
void out_line(json_t *root);

/*
 * With JSON: from here on messages go to standard error when they are said, and
 * don't wait for an answer. For verbs that go on without an end.
 */
void out_live(void);

/*
 * With JSON: the answer of a verb that has given none and ends with @rc. Returns
 * @rc.
 */
int out_end(int rc);

/* Allocation that ends the program when there is no memory. */
void *xalloc(size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);

/*
 * All that is left of @f, with a NUL after it, for free(); NULL with errno set
 * when it can't be read. @len: where its length goes, or NULL.
 */
char *read_whole(FILE *f, size_t *len);

/* Packets and bytes with thousands separated: a static buffer, four deep. */
const char *out_count(uint64_t n);

#endif
