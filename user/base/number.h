/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_NUMBER_H
#define CNICTL_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A whole number and nothing else: no sign, blank or leading zero, which others
 * take for octal. "0x..." is one where @hex. False when it isn't one, or is more
 * than @max; *@n stays then.
 */
bool number_parse(const char *s, bool hex, uint64_t max, uint64_t *n);

/* Why @s is no number, as the end of a sentence; NULL when it's only too big. */
const char *number_problem(const char *s, bool hex);

#endif
