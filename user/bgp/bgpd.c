// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/out.h"
#include "bgp/bgpd.h"

struct bgpd_session *bgpd_add(struct bgpd *b)
{
	if (!b->sessions)
		b->sessions = xalloc(BGPD_SESSIONS * sizeof(*b->sessions));
	return b->n < BGPD_SESSIONS ? &b->sessions[b->n++] : NULL;
}

bool bgpd_wanted(const struct addr *a, const struct addr *peers,
		unsigned int n_peers)
{
	unsigned int i;

	for (i = 0; i < n_peers; i++)
		if (addr_same(a, &peers[i]))
			return true;
	return false;
}

int bgpd_ask(const char *bird, const char *frr, const struct addr *peers,
	    unsigned int n_peers, struct bgpd *b)
{
	int rc = -ENOENT;

	memset(b, 0, sizeof(*b));
	if (bird || !frr) {
		b->daemon = &bgpd_bird;
		rc = bgpd_bird.ask(bird, peers, n_peers, b);
	}
	/* Both may run; the one that knows Cloudflare is the one to ask. */
	if ((rc || !b->n) && (frr || !bird)) {
		struct bgpd other = { .daemon = &bgpd_frr };
		int other_rc = bgpd_frr.ask(frr, peers, n_peers, &other);

		if (other_rc != -ENOENT && (rc || other.n)) {
			bgpd_free(b);
			*b = other;
			rc = other_rc;
		} else {
			bgpd_free(&other);
		}
	}
	return rc;
}

void bgpd_free(struct bgpd *b)
{
	free(b->sessions);
	b->sessions = NULL;
	b->n = 0;
}
