/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_CHECK_H
#define CNICTL_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>

#include "bgp/bgpd.h"
#include "config/config.h"
#include "kernel/ping.h"
#include "kernel/rtnl.h"
#include "kernel/ruleset.h"
#include "module/genl.h"
#include "module/health.h"
#include "module/sample.h"

/*
 * The go-live list. Each of the check_*() looks at one thing and adds a line,
 * or one per IP version or tunnel. A line that can't be judged because of an
 * earlier one says so, so that one cause fails one line.
 */

enum check_state {
	CHECK_PASS,
	CHECK_FAIL,
	CHECK_UNKNOWN,
};

#define CHECK_LINES 512
#define CHECK_HINTS 24

struct line {
	char name[32];
	enum check_state state;
	bool waits;		/* unknown because of another line */
	char text[320];
	char *hints[CHECK_HINTS];
	unsigned int n_hints;
	json_t *data;		/* figures, for programs; NULL for none */
};

/* The kernel's count of segments that TCP dropped for their signature */
struct md5 {
	uint64_t missing, unexpected, wrong;
};

enum { V4, V6 };

struct check {
	/* Set before */
	const struct config *c;
	const char *bird, *frr;	/* where, or NULL */
	double interval;	/* s */
	/* Kept from round to round */
	struct health *health;	/* one for each of the config's tunnels */
	struct sample fed;	/* up to where they have seen */
	/* Beginning and end of the round */
	struct sample then, now;
	struct md5 md5_then, md5_now;
	/* Of a round */
	struct nlconn rt;
	struct cni cni;
	bool have_cni;
	char *no_cni;		/* why not, if not for want of the module */
	/* The link goes without the module, and nothing of it is missed. */
	bool stock;
	struct netdev lower, dev;	/* ifindex 0: there's none */
	struct ping_target peers[2];	/* family 0: not configured */
	struct ping_result pings[2];
	uint16_t neigh[2];		/* NUD_* */
	struct bgpd_peer {
		char line[32];
		int v;
		const struct config_tunnel *tunnel;	/* NULL: the link */
		struct addr addr;
	} bgpd_peers[BGPD_SESSIONS];
	unsigned int n_bgp_peers;
	struct bgpd bgpd;
	int bgpd_rc;
	struct strangers *strangers;
	struct ruleset rules;		/* by firewall_rules() */
	bool asked_rules;
	struct line *lines;
	unsigned int n;
};

struct line *line_add(struct check *k, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
const struct line *line_find(const struct check *k, const char *name);

/* The verdict; the last one counts. */
void line_pass(struct line *l, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void line_fail(struct line *l, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void line_unknown(struct line *l, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* What to do about it: one more sentence. */
void line_hint(struct line *l, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* What to do about each of these blockers of a device. */
void line_hint_blockers(struct line *l, uint64_t bits, const char *dev);

/* A figure of it, for programs: takes @value over. */
void line_data(struct line *l, const char *key, json_t *value);

/* Whether @name didn't pass; @l then says that it waits for it. */
bool line_waits(struct check *k, struct line *l, const char *name);

/* "4" or "6" after a name. */
const char *check_name(const char *name, int v);
/* The same of a tunnel: "ping4 gre1". */
const char *check_inside_name(const char *name, int v,
			      const struct config_tunnel *t);

/* Whether the way to a tunnel's other end isn't there; as line_waits(). */
bool check_waits_for_underlay(struct check *k, struct line *l,
			      const struct config_tunnel *t);

/* Cloudflare's end of an address inside a tunnel; family 0: not known. */
struct addr check_far_end(const struct config_tunnel *t, int v);

/* Whether the link goes without the fast path; @l then says so, and passes. */
bool line_stock(struct check *k, struct line *l);

/* Takes one of the round's two; false when the module doesn't answer. */
bool check_sample(struct check *k, struct sample *s);

/* Waits, watching the health checks by the second. */
void check_pause(struct check *k, double seconds);

/* Who asks for whose address on a device: what ARP and ND requests tell. */
struct strangers *strangers_open(uint32_t ifindex);
void strangers_close(struct strangers *s);
/* "192.0.2.20 asks for 192.0.2.21", or NULL; a static buffer. */
const char *strangers_say(struct strangers *s, const struct addr *local,
			  const struct addr *peer);

/*
 * The prefixes that the established sessions announce, @max at most. Returns
 * how many.
 */
unsigned int check_announced(struct check *k, struct addr *list,
			     unsigned int max, unsigned int *n_sessions);

/* Whether a session isn't up; @l then says that it waits for it. */
bool check_waits_for_bgp(struct check *k, struct line *l);

void check_module(struct check *k);
void check_device(struct check *k);
void check_light(struct check *k);
void check_addresses(struct check *k);
void check_vlan(struct check *k);
void check_neighbours(struct check *k);
void check_pings(struct check *k);
void check_mtu(struct check *k);
void check_bgp(struct check *k);
void check_prefixes(struct check *k);
void check_static(struct check *k);
void check_sync(struct check *k);
void check_routes(struct check *k);
void check_tunnels(struct check *k);
void check_inside(struct check *k);
void check_forwarding(struct check *k);
void check_firewall(struct check *k);
void check_bypass(struct check *k);
void check_xdp(struct check *k);
void check_return(struct check *k);
void check_traffic(struct check *k);
void check_health(struct check *k);

#endif
