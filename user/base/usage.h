/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_USAGE_H
#define CNICTL_USAGE_H

#include <getopt.h>
#include <string.h>

/* Prints what @verb was called wrongly with; returns RC_USAGE. */
int usage(const char *verb, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The same of what getopt() or getopt_long() on @argv had no answer to. */
static inline int usage_option(const char *verb, char **argv)
{
	const char *bad = argv[optind - 1], *value = strchr(bad, '=');

	if (strncmp(bad, "--", 2))
		return usage(verb, "there is no option '-%c', or it lacks its value",
			     optopt);
	/* Known, but for its value. */
	if (optopt)
		return usage(verb, value ? "option '%.*s' takes no value" :
					   "option '%.*s' lacks its value",
			     value ? (int)(value - bad) : (int)strlen(bad), bad);
	return usage(verb, "there is no option '%s', or it could be one of several",
		     bad);
}

#endif
