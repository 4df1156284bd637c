/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_BGPD_H
#define CNICTL_BGPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* What a BGP daemon says of its sessions with Cloudflare. */

struct bgpd_family {
	bool on;			/* the session carries it */
	uint64_t accepted, announced;
	/*
	 * What its filter drops: which ones, where the daemon keeps those; or
	 * how many updates so far; or that isn't told.
	 */
	enum { BGPD_UNTOLD, BGPD_SO_FAR, BGPD_KEPT } filtered_is;
	uint64_t filtered;
	char filter[64];		/* what prefixes come in by */
	bool policy_missing;		/* FRR's: nothing without one */
	uint64_t limit;			/* of prefixes, 0 for none */
	bool limit_hit;
};

struct bgpd_session {
	char name[64];			/* the daemon's */
	struct addr peer;
	char state[32];			/* RFC 4271's, in the daemon's words */
	bool established, disabled;
	uint32_t local_as, peer_as;	/* as configured; 0: not told */
	char error[160];		/* the last one, in the daemon's words */
	struct bgpd_family fam[2];	/* IPv4, IPv6 */
};

#define BGPD_SESSIONS 64		/* of many tunnels */

struct bgpd {
	const struct bgpd_daemon *daemon;	/* that answered */
	struct bgpd_session *sessions;
	unsigned int n;
};

struct bgpd_daemon {
	const char *name;
	/*
	 * Asks for the sessions with these peers. @where: the control socket,
	 * or FRR's instance; NULL for the usual. 0, or a negative errno:
	 * -ENOENT when no such daemon runs.
	 */
	int (*ask)(const char *where, const struct addr *peers,
		   unsigned int n_peers, struct bgpd *b);
	/*
	 * The prefixes that a session announces, or of those that come by it
	 * the ones that its filter drops; @max of them at most. Returns how
	 * many there are, or a negative errno.
	 */
	int (*announced)(const char *where, const struct bgpd_session *s,
			 int family, struct addr *list, unsigned int max);
	int (*filtered)(const char *where, const struct bgpd_session *s,
			int family, struct addr *list, unsigned int max);
	const char *keep;	/* the setting by which it knows the latter */
};

extern const struct bgpd_daemon bgpd_bird, bgpd_frr;

/*
 * Asks BIRD, then FRR; @bird and @frr: as for ask(). With one of them given
 * the other isn't asked. Free with bgpd_free().
 */
int bgpd_ask(const char *bird, const char *frr, const struct addr *peers,
	    unsigned int n_peers, struct bgpd *b);
void bgpd_free(struct bgpd *b);

/* For the daemons: a zeroed session to fill in, or NULL when there are many. */
struct bgpd_session *bgpd_add(struct bgpd *b);
/* Whether @a is one of @peers. */
bool bgpd_wanted(const struct addr *a, const struct addr *peers,
		unsigned int n_peers);

/* Reading what BIRD answered, apart from asking it: for the tests. */
void bgpd_bird_parse(const char *text, const struct addr *peers,
		    unsigned int n_peers, struct bgpd *b);
/* The answer to a command, without the line numbers; or NULL with errno. */
char *bgpd_bird_command(const char *path, const char *command);
#define BGPD_BIRD_SOCKET "/run/bird/bird.ctl"

#endif
