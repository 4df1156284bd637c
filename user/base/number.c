// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"

static bool is_hex(const char *s)
{
	return s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
}

const char *number_problem(const char *s, bool hex)
{
	const char *digits = "0123456789";

	if (hex && is_hex(s)) {
		digits = "0123456789abcdefABCDEF";
		s += 2;
	} else if (s[0] == '0' && isdigit((unsigned char)s[1]) &&
		   strspn(s, digits) == strlen(s)) {
		return "begins with 0, which some take for octal: write it without";
	}
	if (*s && s[strlen(s) - 1] == ';')
		return "has a semicolon: a setting ends without one";
	return *s && strspn(s, digits) == strlen(s) ? NULL : "isn't a number";
}

bool number_parse(const char *s, bool hex, uint64_t max, uint64_t *n)
{
	uint64_t v;

	if (number_problem(s, hex))
		return false;
	errno = 0;
	v = strtoull(s, NULL, is_hex(s) ? 16 : 10);
	if (errno || v > max)
		return false;
	*n = v;
	return true;
}
