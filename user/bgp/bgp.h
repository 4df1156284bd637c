/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_BGP_H
#define CNICTL_BGP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/addr.h"

enum bgp_daemon {
	BGP_BIRD,
	BGP_FRR,
};

struct bgp_session {
	char name[24];	/* a word for BIRD */
	const char *ifname;
	struct addr local, peer;
	bool magic;	/* it takes what Magic has, not the Internet's table */
	char *password;		/* NULL: none */
	unsigned int hold;	/* s; a keepalive in each third of it */
	/* What Cloudflare has over the link only */
	bool graceful;		/* it helps while this side restarts */
	bool bfd;
};

/* All that a BGP daemon's configuration is made of. */
struct bgp {
	const char *title;	/* of the link */
	/*
	 * NULL: for a whole configuration file. Else for a part, to be included
	 * by one of the user's own: its device, which is in all names.
	 */
	const char *snippet_of;
	uint32_t local_as, peer_as;
	const struct addr *announce, *extra;	/* networks, of either family */
	unsigned int n_announce, n_extra;
	unsigned int priority;	/* Magic's; 100 is its default */
	uint32_t max4, max6;	/* prefixes, more of which are warned of */
	uint32_t table;		/* of the kernel, that sync mirrors */
	struct addr router_id;	/* of a whole file */
	struct bgp_session *sessions;	/* one at least; the link's first */
	unsigned int n_sessions;
};

/*
 * Why Cloudflare, or the daemon's configuration file, can't have @password,
 * to end a sentence; or NULL.
 */
const char *bgp_password_problem(const char *password, enum bgp_daemon d);

/* Why the daemon's configuration can't name the device, or NULL. */
const char *bgp_ifname_problem(const char *ifname);

/* Writes a configuration for BIRD 2, or for FRR. */
void bgp_write(FILE *f, const struct bgp *b, enum bgp_daemon d);

#endif
