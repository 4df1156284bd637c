// SPDX-License-Identifier: GPL-2.0
/* Options of a tunnel: flags, the MSS clamp and the answers to health checks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/cnilink.h>

#include "base/number.h"
#include "module/names.h"
#include "module/tunopts.h"

/* Headers of IPv4 or IPv6 and TCP without options. */
#define HEADERS4 40
#define HEADERS6 60

static bool same_prefix(const struct addr *a, const struct addr *b)
{
	return addr_same(a, b) && a->len == b->len;
}

bool tunopts_same(const struct tunopts *a, const struct tunopts *b)
{
	const struct health_check *x, *y;
	unsigned int i;

	/* Without a check the rate means nothing. */
	if (a->flags != b->flags || a->mss4 != b->mss4 ||
	    a->mss6 != b->mss6 || a->n_health != b->n_health ||
	    (a->n_health && a->rate != b->rate))
		return false;
	for (i = 0; i < a->n_health; i++) {
		x = &a->health[i];
		y = &b->health[i];
		if (x->request != y->request ||
		    x->unidirectional != y->unidirectional ||
		    !addr_same(&x->local, &y->local) ||
		    !same_prefix(&x->peer, &y->peer))
			return false;
	}
	return true;
}

void tunopts_mss(struct tunopts *o, unsigned int mtu)
{
	o->mss4 = mtu >= HEADERS4 + TUNOPTS_MIN_MSS ? mtu - HEADERS4 : 0;
	o->mss6 = mtu >= HEADERS6 + TUNOPTS_MIN_MSS ? mtu - HEADERS6 : 0;
}

const char *tunopts_health_kind(const struct health_check *h)
{
	return h->request ? "request" : "reply";
}

const char *tunopts_health_direction(const struct health_check *h)
{
	return h->unidirectional ? "unidirectional" : "bidirectional";
}

static char problem[256];

static const char *parse_mss(struct tunopts *o, unsigned int mtu,
			     const char *s)
{
	uint64_t n;

	if (!strcmp(s, "off")) {
		o->mss4 = o->mss6 = 0;
		return NULL;
	}
	if (!strcmp(s, "auto")) {
		tunopts_mss(o, mtu);
		return NULL;
	}
	if (!number_parse(s, false, 65495, &n) ||
	    n < TUNOPTS_MIN_MSS + HEADERS6 - HEADERS4) {
		snprintf(problem, sizeof(problem),
			 "mss is auto, off or IPv4's from 108 to 65495, not '%s'",
			 s);
		return problem;
	}
	/* One number says how large a packet may get. */
	tunopts_mss(o, n + HEADERS4);
	return NULL;
}

/* "off", or KIND DIRECTION LOCAL PEER: *used is how many words that were. */
static const char *parse_health(struct tunopts *o, int argc, char **argv,
				bool first, int *used)
{
	struct health_check h = {};

	*used = 1;
	if (argc && !strcmp(argv[0], "off")) {
		o->n_health = 0;
		return NULL;
	}
	*used = 4;
	if (argc < 4)
		return "health is off, or KIND DIRECTION LOCAL PEER";
	h.request = !strcmp(argv[0], "request");
	h.unidirectional = !strcmp(argv[1], "unidirectional");
	if (strcmp(argv[0], tunopts_health_kind(&h)) ||
	    strcmp(argv[1], tunopts_health_direction(&h))) {
		snprintf(problem, sizeof(problem),
			 "a health check is a reply or request, bidirectional or unidirectional, not '%.40s %.40s'",
			 argv[0], argv[1]);
		return problem;
	}
	if (addr_parse(argv[2], &h.local) ||
	    addr_parse_route(argv[3], h.local.family, &h.peer) ||
	    h.local.family != h.peer.family) {
		snprintf(problem, sizeof(problem),
			 "'%.60s' and '%.60s' aren't an address of ours and one of Cloudflare's of the same family",
			 argv[2], argv[3]);
		return problem;
	}
	/* The first one takes the place of all that was. */
	if (first)
		o->n_health = 0;
	if (o->n_health == TUNOPTS_MAX_HEALTH)
		return "there are more health checks than the module takes";
	o->health[o->n_health++] = h;
	return NULL;
}

static const char *parse_rate(struct tunopts *o, const char *s)
{
	uint64_t rate;

	if (!number_parse(s, false, 1000000, &rate) || !rate)
		return "health-rate is answers a second, from 1 to 1000000";
	o->rate = rate;
	return NULL;
}

const char *tunopts_parse(struct tunopts *o, unsigned int mtu, int argc,
			  char **argv)
{
	const char *bad = NULL;
	bool first = true;
	const char *value;
	int i, used;

	if (!o->rate)
		o->rate = TUNOPTS_RATE;
	for (i = 0; i < argc && !bad; i += 1 + used) {
		used = 1;
		value = i + 1 < argc ? argv[i + 1] : "";
		if (!strcmp(argv[i], "health")) {
			bad = parse_health(o, argc - i - 1, argv + i + 1,
					   first, &used);
			first = false;
		} else if (!strcmp(argv[i], "mss")) {
			bad = parse_mss(o, mtu, value);
		} else if (!strcmp(argv[i], "health-rate")) {
			bad = parse_rate(o, value);
		} else {
			bad = names_flag_parse(tunnel_flag_names,
					       n_tunnel_flag_names, &o->flags,
					       argv[i], value);
		}
	}
	return bad;
}

const char *tunopts_str(const struct tunopts *o)
{
	static char buf[TUNOPTS_MAX_HEALTH * 160 + 128];
	const struct health_check *h;
	size_t n = 0;
	unsigned int i;

	buf[0] = '\0';
	for (i = 0; i < n_tunnel_flag_names; i++)
		if (o->flags & tunnel_flag_names[i].value)
			n += snprintf(buf + n, sizeof(buf) - n, " %s on",
				      tunnel_flag_names[i].name);
	if (o->mss4)
		n += snprintf(buf + n, sizeof(buf) - n, " mss %u", o->mss4);
	for (i = 0; i < o->n_health; i++) {
		h = &o->health[i];
		n += snprintf(buf + n, sizeof(buf) - n, " health %s %s %s %s",
			      tunopts_health_kind(h),
			      tunopts_health_direction(h), addr_str(&h->local),
			      h->peer.len == addr_bits(&h->peer) ?
			      addr_str(&h->peer) : addr_prefix_str(&h->peer));
	}
	if (o->n_health && o->rate != TUNOPTS_RATE)
		snprintf(buf + n, sizeof(buf) - n, " health-rate %u", o->rate);
	return buf;
}

const char *tunopts_change_str(const struct tunopts *now,
			       const struct tunopts *o)
{
	static char buf[TUNOPTS_MAX_HEALTH * 160 + 256];
	uint32_t off = now->flags & ~o->flags;
	unsigned int i;
	size_t n;

	n = snprintf(buf, sizeof(buf), "%s", tunopts_str(o));
	for (i = 0; i < n_tunnel_flag_names; i++)
		if (off & tunnel_flag_names[i].value)
			n += snprintf(buf + n, sizeof(buf) - n, " %s off",
				      tunnel_flag_names[i].name);
	if (now->mss4 && !o->mss4)
		n += snprintf(buf + n, sizeof(buf) - n, " mss off");
	if (now->n_health && !o->n_health)
		snprintf(buf + n, sizeof(buf) - n, " health off");
	else if (now->n_health && now->rate != o->rate &&
		 o->rate == TUNOPTS_RATE)
		snprintf(buf + n, sizeof(buf) - n, " health-rate %u", o->rate);
	return buf;
}
