// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>
#include <linux/rtnetlink.h>

#include "base/test.h"

#include "config/statics.h"

#define LINK "link cf { device = eth0\n" \
	"local4 = 192.0.2.11/31 peer4 = 192.0.2.10\n" \
	"local6 = 2001:db8::b/127 peer6 = 2001:db8::a\n"

enum { ETH0 = 1, T1, T2, OTHER };

/* What the kernel has; instead of asking it. */
static struct kroute routes[16];
static struct khop hops[16][2];
static unsigned int n_routes;
static bool starts_over;

int rtnl_routes(struct nlconn *c, int family, uint32_t table,
		int (*fn)(const struct kroute *r, const struct nlmsghdr *raw,
			  void *arg), void *arg)
{
	unsigned int i, pass;

	(void)c;
	for (pass = 0; pass < 1u + starts_over; pass++) {
		if (pass)
			fn(NULL, NULL, arg);
		for (i = 0; i < n_routes; i++)
			if (routes[i].table == table &&
			    routes[i].dst.family == family)
				fn(&routes[i], NULL, arg);
	}
	return 0;
}

static struct khop *has(const char *dst, uint32_t table, uint8_t proto,
			uint32_t oif, const char *via)
{
	struct kroute *r = &routes[n_routes];
	struct khop *h = hops[n_routes++];

	memset(r, 0, sizeof(*r));
	memset(h, 0, sizeof(hops[0]));
	assert_int_equal(addr_parse_prefix(dst, &r->dst), 0);
	r->table = table;
	r->proto = proto;
	r->prio = r->dst.family == AF_INET ? 0 : 1024;
	r->hops = h;
	r->n_hops = 1;
	h->oif = oif;
	h->weight = 1;
	if (via)
		assert_int_equal(addr_parse(via, &h->via), 0);
	return h;
}

/* A second way of the last one. */
static void and_by(uint32_t oif, const char *via)
{
	struct kroute *r = &routes[n_routes - 1];
	struct khop *h = &hops[n_routes - 1][r->n_hops++];

	h->oif = oif;
	h->weight = 1;
	if (via)
		assert_int_equal(addr_parse(via, &h->via), 0);
}

static struct config *begin(struct statics *s, const char *text)
{
	struct config *c = config_parse("f", text);
	unsigned int i;

	n_routes = 0;
	starts_over = false;
	assert_non_null(c);
	assert_true(config_load_static(c));
	statics_want(s, c);
	for (i = 0; i < s->n_ways; i++)
		s->ways[i].ifindex = !strcmp(s->ways[i].dev, "eth0") ? ETH0 :
				     !strcmp(s->ways[i].dev, "t1") ? T1 : T2;
	return c;
}

static void look(struct statics *s)
{
	static const uint32_t own[] = { ETH0, T1, T2 }, tables[] = { 254, 100 };

	assert_int_equal(statics_look(s, NULL, tables, 2, own, 3), 0);
}

static enum static_state state_of(const struct statics *s, const char *dst)
{
	struct addr a;
	unsigned int i;

	assert_int_equal(addr_parse_prefix(dst, &a), 0);
	for (i = 0; i < s->n; i++)
		if (!addr_cmp(&s->want[i].dst, &a))
			return s->want[i].state;
	fail_msg("%s isn't wanted", dst);
	return STATIC_NEW;
}

/* Ours that are to go. */
static unsigned int left(const struct statics *s)
{
	unsigned int i, n = 0;

	for (i = 0; i < s->n_have; i++)
		n += s->have[i].ours && !s->have[i].wanted;
	return n;
}

static void end(struct statics *s, struct config *c)
{
	statics_free(s);
	config_free(c);
}

static void states(void **state)
{
	struct statics s;
	struct config *c;

	(void)state;
	c = begin(&s, LINK "static = {10.1.0.0/16, 10.2.0.0/16, 10.3.0.0/16,\n"
		  "10.4.0.0/16, 10.5.0.0/16, 10.6.0.0/16, 2001:db8:1::/48}\n}\n");
	assert_true(statics_any(c));
	has("10.1.0.0/16", 254, PROTO_STATIC, ETH0, "192.0.2.10");
	has("10.2.0.0/16", 254, PROTO_STATIC, T1, NULL);
	has("10.3.0.0/16", 254, RTPROT_BOOT, OTHER, NULL);
	/* Somebody's that is as it's to be, and one that BGP has beside it. */
	has("10.4.0.0/16", 254, RTPROT_BOOT, ETH0, "192.0.2.10");
	has("10.5.0.0/16", 254, RTPROT_BIRD, OTHER, NULL);
	routes[n_routes - 1].prio = 32;
	/* Another link's. */
	has("10.6.0.0/16", 254, PROTO_STATIC, OTHER, NULL);
	has("2001:db8:1::/48", 254, PROTO_STATIC, ETH0, "2001:db8::a");
	/* Not wanted: ours, ours in another table, and not ours. */
	has("10.9.0.0/16", 254, PROTO_STATIC, ETH0, "192.0.2.10");
	has("10.1.0.0/16", 100, PROTO_STATIC, ETH0, "192.0.2.10");
	has("10.8.0.0/16", 254, PROTO_STATIC, OTHER, NULL);
	has("10.7.0.0/16", 254, RTPROT_BOOT, ETH0, NULL);
	look(&s);
	assert_int_equal(state_of(&s, "10.1.0.0/16"), STATIC_RIGHT);
	assert_int_equal(state_of(&s, "10.2.0.0/16"), STATIC_CHANGED);
	assert_int_equal(state_of(&s, "10.3.0.0/16"), STATIC_TAKEN);
	assert_int_equal(state_of(&s, "10.4.0.0/16"), STATIC_RIGHT);
	assert_int_equal(state_of(&s, "10.5.0.0/16"), STATIC_NEW);
	assert_int_equal(state_of(&s, "10.6.0.0/16"), STATIC_TAKEN);
	assert_int_equal(state_of(&s, "2001:db8:1::/48"), STATIC_RIGHT);
	assert_int_equal(left(&s), 2);
	end(&s, c);

	/* A walk that starts over has found each once. */
	c = begin(&s, LINK "static = 10.1.0.0/16\n}\n");
	has("10.1.0.0/16", 254, PROTO_STATIC, ETH0, "192.0.2.10");
	has("10.2.0.0/16", 254, PROTO_STATIC, T1, NULL);
	and_by(T2, NULL);
	starts_over = true;
	look(&s);
	assert_int_equal(s.n_have, 2);
	assert_int_equal(left(&s), 1);
	end(&s, c);

	c = begin(&s, LINK "}\n");
	assert_false(statics_any(c));
	assert_int_equal(s.n + s.n_ways, 0);
	end(&s, c);
	/* Down wants none, and all of ours are to go. */
	statics_want(&s, NULL);
	has("10.1.0.0/16", 254, PROTO_STATIC, ETH0, NULL);
	has("10.2.0.0/16", 100, PROTO_STATIC, T1, NULL);
	look(&s);
	assert_int_equal(left(&s), 2);
	statics_free(&s);
}

#define TWO(more) LINK "static = 10.1.0.0/16\n}\n" \
	"tunnel t1 { remote = 198.51.100.1 static = {10.1.0.0/16," \
	"10.2.0.0/16, 2001:db8:1::/48}\n" \
	"address4 = 10.0.0.1/31 address6 = fd99::1/127 }\n" \
	"tunnel t2 { remote = 198.51.100.2 static = {10.2.0.0/16," \
	"2001:db8:1::/48}\naddress4 = 10.0.0.3/31 " more "}\n"

static void several(void **state)
{
	struct rtnl_route r;
	struct statics s;
	struct config *c;

	(void)state;
	c = begin(&s, TWO("address6 = fd99::3/127")
		  "sync { table = {100, main} }\n");
	assert_int_equal(s.table, 100);
	assert_int_equal(s.n, 3);
	/* IPv4 by the devices, and by the link's peer. */
	r = statics_route(&s, &s.want[0]);
	assert_int_equal(r.table, 100);
	assert_int_equal(r.proto, PROTO_STATIC);
	assert_int_equal(r.n_hops, 2);
	assert_int_equal(r.hops[0].oif, ETH0);
	assert_string_equal(addr_str(&r.hops[0].via), "192.0.2.10");
	assert_int_equal(r.hops[1].oif, T1);
	assert_int_equal(r.hops[1].via.family, 0);
	free((void *)r.hops);
	/* IPv6 by the other ends, in whichever order. */
	r = statics_route(&s, &s.want[2]);
	assert_int_equal(r.n_hops, 2);
	assert_string_equal(addr_str(&r.hops[1].via), "fd99::2");
	free((void *)r.hops);
	has("10.2.0.0/16", 100, PROTO_STATIC, T2, NULL);
	and_by(T1, NULL);
	has("2001:db8:1::/48", 100, PROTO_STATIC, T2, "fd99::2");
	and_by(T1, "fd99::");
	has("10.1.0.0/16", 100, PROTO_STATIC, T1, NULL);
	look(&s);
	assert_int_equal(state_of(&s, "10.2.0.0/16"), STATIC_RIGHT);
	assert_int_equal(state_of(&s, "2001:db8:1::/48"), STATIC_RIGHT);
	assert_int_equal(state_of(&s, "10.1.0.0/16"), STATIC_CHANGED);
	end(&s, c);
	/* Weights are of the way, too. */
	c = begin(&s, TWO("address6 = fd99::3/127"));
	has("10.2.0.0/16", 254, PROTO_STATIC, T1, NULL)->weight = 3;
	and_by(T2, NULL);
	look(&s);
	assert_int_equal(state_of(&s, "10.2.0.0/16"), STATIC_CHANGED);
	end(&s, c);
	/* What the second one hasn't got goes by the first. */
	c = begin(&s, TWO(""));
	assert_int_equal(s.n_ways, 3);
	assert_int_equal(s.ways[2].left_out[0], 0);
	assert_int_equal(s.ways[2].left_out[1], 1);
	r = statics_route(&s, &s.want[2]);
	assert_int_equal(r.n_hops, 0);
	assert_int_equal(r.oif, T1);
	assert_int_equal(r.via.family, 0);
	end(&s, c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(states),
		cmocka_unit_test(several),
	};

	return cmocka_run_group_tests_name("statics", tests, NULL, NULL);
}
