/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_H
#define CNICTL_H

#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

/*
 * Each verb gets its arguments from its own name on and returns what the
 * program exits with: RC_*.
 */
int verb_init(int argc, char **argv);
int verb_up(int argc, char **argv);
int verb_reload(int argc, char **argv);
int verb_down(int argc, char **argv);
int verb_save(int argc, char **argv);
int verb_show(int argc, char **argv);
int verb_link(int argc, char **argv);
int verb_tunnel(int argc, char **argv);
int verb_port(int argc, char **argv);
int verb_route(int argc, char **argv);
int verb_sync(int argc, char **argv);
int verb_bgp_config(int argc, char **argv);
int verb_monitor(int argc, char **argv);
int verb_ping(int argc, char **argv);
int verb_check(int argc, char **argv);
int verb_top(int argc, char **argv);
int verb_support_bundle(int argc, char **argv);
int verb_metrics(int argc, char **argv);
int verb_xdp(int argc, char **argv);
int verb_version(int argc, char **argv);

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

/* Set by SIGINT, SIGTERM and SIGHUP once catch_signals() was called. */
extern volatile sig_atomic_t interrupted;
void catch_signals(void);

#endif
