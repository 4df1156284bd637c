// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/out.h"
#include "kernel/routetext.h"

#define ROUTE_FORM \
	"PREFIX [via ADDR] dev DEVICE, or PREFIX and for each of several nexthop [via ADDR] dev DEVICE [weight N],"

/* The most words of a route: "nexthop via A dev D weight N" each. */
#define MAX_WORDS (1 + 7 * KHOPS_MAX)

static bool parse_weight(const char *s, uint32_t *weight)
{
	uint64_t n;

	/* The kernel keeps one less than that in a byte. */
	if (!number_parse(s, false, 256, &n) || !n)
		return false;
	*weight = n;
	return true;
}

/* "[via ADDR] dev DEVICE [weight N]" up to the next "nexthop" or the end. */
static int parse_hop(char **words, int n, int *at, bool several,
		     const struct addr *dst, struct khop *h, char *why,
		     size_t size)
{
	const char *via = NULL, *dev = NULL, *weight = NULL;
	const char *before = words[*at - 1];
	enum addr_error e;
	int i;

	*h = (struct khop){ .weight = 1 };
	for (i = *at; i + 1 < n; i += 2) {
		if (!strcmp(words[i], "via") && !via)
			via = words[i + 1];
		else if (!strcmp(words[i], "dev") && !dev)
			dev = words[i + 1];
		else if (!strcmp(words[i], "weight") && several && !weight)
			weight = words[i + 1];
		else
			break;
	}
	if (i != n && (!several || strcmp(words[i], "nexthop"))) {
		snprintf(why, size, "'%s' isn't understood: " ROUTE_FORM " is",
			 words[i]);
		return -EINVAL;
	}
	*at = i;
	if (via) {
		e = addr_parse(via, &h->via);
		if (e) {
			snprintf(why, size, "'%s' %s", via, addr_strerror(e));
			return -EINVAL;
		}
		if (h->via.family != dst->family) {
			snprintf(why, size, "%s and %s are of different IP versions",
				 addr_prefix_str(dst), via);
			return -EINVAL;
		}
	}
	if (weight && !parse_weight(weight, &h->weight)) {
		snprintf(why, size, "'%s' isn't a weight from 1 to 256",
			 weight);
		return -EINVAL;
	}
	if (!dev) {
		snprintf(why, size, "dev DEVICE is missing after '%s'", before);
		return -EINVAL;
	}
	h->oif = if_nametoindex(dev);
	if (!h->oif) {
		snprintf(why, size, "there is no device %s", dev);
		return -ENODEV;
	}
	return 0;
}

static int parse_hops(char **words, int n, struct rtnl_route *r, char *why,
		      size_t size)
{
	bool several = n > 1 && !strcmp(words[1], "nexthop");
	struct khop hops[KHOPS_MAX], *kept;
	unsigned int n_hops = 0;
	int at = 1, rc;

	do {
		if (n_hops == KHOPS_MAX) {
			snprintf(why, size, "more than %d next hops",
				 KHOPS_MAX);
			return -EINVAL;
		}
		/* Past "nexthop". */
		at += several;
		rc = parse_hop(words, n, &at, several, &r->dst,
			       &hops[n_hops++], why, size);
		if (rc)
			return rc;
	} while (at < n);
	if (n_hops == 1) {
		r->oif = hops[0].oif;
		r->via = hops[0].via;
		return 0;
	}
	kept = xalloc(n_hops * sizeof(*kept));
	memcpy(kept, hops, n_hops * sizeof(*kept));
	r->hops = kept;
	r->n_hops = n_hops;
	return 0;
}

int routetext_parse(char **words, int n, struct rtnl_route *r, char *why,
		    size_t size)
{
	const char *prefix = words[0];
	int family = AF_INET, i;
	struct addr net;
	enum addr_error e;

	memset(r, 0, sizeof(*r));
	r->proto = PROTO_ROUTE;
	/* What "default" means, the gateways tell. */
	for (i = 1; i < n; i++)
		if (!strcmp(words[i - 1], "via") && strchr(words[i], ':'))
			family = AF_INET6;
	e = addr_parse_route(prefix, family, &r->dst);
	if (e) {
		snprintf(why, size, "'%s' %s", prefix, addr_strerror(e));
		return -EINVAL;
	}
	net = addr_network(&r->dst);
	if (!addr_same(&net, &r->dst)) {
		snprintf(why, size, "'%s' has bits set beyond its length: %s?",
			 prefix, addr_prefix_str(&net));
		return -EINVAL;
	}
	return parse_hops(words, n, r, why, size);
}

int routetext_read(FILE *f, const char *name,
		   struct rtnl_route *(*next)(unsigned int line, void *arg),
		   void *arg)
{
	char *line = NULL, *words[MAX_WORDS + 1], *save, why[256];
	unsigned int number = 0;
	size_t size = 0;
	int n, rc = 0;

	while (!rc && getline(&line, &size, f) >= 0) {
		number++;
		line[strcspn(line, "#\n")] = '\0';
		n = 0;
		for (words[0] = strtok_r(line, " \t\r", &save);
		     n < MAX_WORDS && words[n];
		     words[n] = strtok_r(NULL, " \t\r", &save))
			n++;
		if (!n)
			continue;
		rc = routetext_parse(words, n, next(number, arg), why,
				     sizeof(why));
		if (rc)
			out_say("%s:%u: %s", name, number, why);
	}
	if (!rc && ferror(f)) {
		err("can't read %s: %s", name, strerror(errno));
		rc = -EIO;
	}
	free(line);
	return rc;
}
