// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>

#include "base/test.h"

#include "config/api.h"

#define CNI "{\"id\":\"497f6eca\",\"account\":\"a\",\"interconnect\":\"i\","	\
	"\"cust_ip\":\"192.0.2.11/31\",\"p2p_ip\":\"192.0.2.10/31\","	\
	"\"magic\":{\"conduit_name\":\"c1\",\"description\":\"\","	\
	"\"mtu\":1476},\"bgp\":{\"customer_asn\":65001,"		\
	"\"extra_prefixes\":[\"0.0.0.0/0\",\"100.96.0.0/12\"],"	\
	"\"md5_key\":\"a b\"}}"
#define GRE(more) "{\"id\":\"g\",\"name\":\"cf-gre1\","			\
	"\"customer_gre_endpoint\":\"203.0.113.1\","			\
	"\"cloudflare_gre_endpoint\":\"198.51.100.1\","			\
	"\"interface_address\":\"10.99.0.0/31\"" more "}"
#define ICON(more) "{\"id\":\"i\",\"name\":\"c1\",\"colo_name\":\"ams01\","	\
	"\"interface_address\":\"10.98.0.2/31\"" more "}"
#define HEALTH(more) ",\"health_check\":{\"enabled\":true" more "}"
#define OK(result) "{\"success\":true,\"errors\":[],\"messages\":[],"	\
	"\"result\":" result "}"

static char why[1024];
static struct api api;

static int parse(const char *text)
{
	api_free(&api);
	memset(&api, 0, sizeof(api));
	why[0] = '\0';
	return api_parse(text, strlen(text), "f", &api, why, sizeof(why));
}

static void must(const char *text)
{
	if (parse(text))
		fail_msg("%s\n%s", why, text);
}

static int forget(void **state)
{
	(void)state;
	api_free(&api);
	memset(&api, 0, sizeof(api));
	return 0;
}

static void cnis(void **state)
{
	static const char *const shapes[] = {
		CNI, "[" CNI "]", "{\"items\":[" CNI "],\"next\":null}",
		OK("{\"items\":[" CNI "],\"next\":null}"), OK("[" CNI "]"),
		OK(CNI), "\xef\xbb\xbf  \n" CNI,
	};
	struct api_link *l;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		assert_true(api_looks_like(shapes[i]));
		must(shapes[i]);
		assert_int_equal(api.n_links, 1);
		assert_int_equal(api.n_tunnels, 0);
		assert_false(api.partial);
		l = &api.links[0];
		assert_string_equal(l->id, "497f6eca");
		assert_string_equal(l->name, "c1");
		assert_string_equal(addr_prefix_str(&l->v4.ours),
				    "192.0.2.11/31");
		assert_string_equal(addr_prefix_str(&l->v4.cloudflare),
				    "192.0.2.10/31");
		assert_int_equal(l->v6.ours.family, 0);
		assert_int_equal(l->bgp.customer_as, 65001);
		assert_string_equal(l->bgp.md5_key, "a b");
		assert_int_equal(l->bgp.n_extra, 2);
	}
	must("{\"items\":[" CNI "],\"next\":5}");
	assert_true(api.partial);
	assert_false(api_looks_like("Cloudflare v4: 192.0.2.10/31"));
	assert_false(api_looks_like(""));
}

static void tunnels(void **state)
{
	static const char *const shapes[] = {
		GRE(""), "[" GRE("") "]", "{\"gre_tunnels\":[" GRE("") "]}",
		OK("{\"gre_tunnels\":[" GRE("") "]}"),
		OK("{\"gre_tunnel\":" GRE("") "}"),
		OK("{\"modified\":true,\"modified_gre_tunnel\":" GRE("") "}"),
		OK("[" GRE(",\"mtu\":0,\"ttl\":0,\"health_check\":null,"
			   "\"interface_address6\":\"\"") "]"),
	};
	struct api_tunnel *t;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		must(shapes[i]);
		assert_int_equal(api.n_tunnels, 1);
		t = &api.tunnels[0];
		assert_string_equal(t->name, "cf-gre1");
		assert_false(t->interconnect);
		assert_string_equal(addr_str(&t->ours), "203.0.113.1");
		assert_string_equal(addr_str(&t->cloudflare), "198.51.100.1");
		/* The API's is Cloudflare's end. */
		assert_string_equal(addr_prefix_str(&t->v4.ours),
				    "10.99.0.1/31");
		assert_string_equal(addr_prefix_str(&t->v4.cloudflare),
				    "10.99.0.0/31");
		assert_int_equal(t->v6.ours.family, 0);
		assert_int_equal(t->mtu | t->ttl | t->health, 0);
	}
	must(GRE(",\"mtu\":1400,\"ttl\":32,"
		 "\"interface_address6\":\"fd99::1/127\""));
	t = &api.tunnels[0];
	assert_int_equal(t->mtu, 1400);
	assert_int_equal(t->ttl, 32);
	assert_string_equal(addr_prefix_str(&t->v6.ours), "fd99::/127");
}

static void other_ends(void **state)
{
	static const struct {
		const char *told, *other;
	} ends[] = {
		{ "10.0.0.0/31", "10.0.0.1/31" },
		{ "10.0.0.1/31", "10.0.0.0/31" },
		{ "10.0.0.5/30", "10.0.0.6/30" },
		{ "10.0.0.6/30", "10.0.0.5/30" },
	};
	struct api_pair *p;
	char text[512];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(text, sizeof(text),
			 "{\"name\":\"t\",\"gre\":{\"cloudflare_endpoint\":"
			 "\"198.51.100.1\"},\"interface_address\":\"%s\"}",
			 ends[i].told);
		must(text);
		p = &api.tunnels[0].v4;
		assert_string_equal(addr_prefix_str(&p->cloudflare),
				    ends[i].told);
		assert_string_equal(addr_prefix_str(&p->ours), ends[i].other);
		api_free(&api);
		memset(&api, 0, sizeof(api));
		api.interface_is_ours = true;
		assert_int_equal(api_parse(text, strlen(text), "f", &api, why,
					   sizeof(why)), 0);
		p = &api.tunnels[0].v4;
		assert_string_equal(addr_prefix_str(&p->ours), ends[i].told);
		assert_string_equal(addr_prefix_str(&p->cloudflare),
				    ends[i].other);
	}
}

static void health(void **state)
{
	static const struct {
		const char *text;
		bool on, request, uni, told;
		const char *target;
	} cases[] = {
		{ GRE(HEALTH("")), true, false, true, false, "none" },
		{ GRE(",\"health_check\":{\"enabled\":false}"), false, false,
		  true, false, "none" },
		{ GRE(HEALTH(",\"type\":\"request\","
			     "\"direction\":\"bidirectional\"")),
		  true, true, false, true, "none" },
		{ GRE(HEALTH(",\"type\":\"reply\",\"rate\":\"mid\","
			     "\"direction\":\"unidirectional\","
			     "\"target\":\"203.0.113.7\"")),
		  true, false, true, true, "203.0.113.7" },
		{ GRE(HEALTH(",\"target\":{\"effective\":\"203.0.113.8\","
			     "\"saved\":\"\"}")),
		  true, false, true, false, "203.0.113.8" },
		{ GRE(HEALTH(",\"target\":{\"effective\":\"\","
			     "\"saved\":\"203.0.113.9\"}")),
		  true, false, true, false, "203.0.113.9" },
		{ GRE(HEALTH(",\"target\":\"\"")), true, false, true, false,
		  "none" },
		{ GRE(HEALTH(",\"target\":{}")), true, false, true, false,
		  "none" },
	};
	struct api_tunnel *t;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		must(cases[i].text);
		t = &api.tunnels[0];
		if (t->health != cases[i].on ||
		    t->request != cases[i].request ||
		    t->unidirectional != cases[i].uni ||
		    t->direction_told != cases[i].told ||
		    strcmp(addr_str(&t->target), cases[i].target))
			fail_msg("case %zu: %s", i, cases[i].text);
	}
}

static void interconnects(void **state)
{
	struct api_link *l;

	(void)state;
	must(OK("{\"interconnects\":["
		ICON(",\"gre\":{\"cloudflare_endpoint\":\"203.0.113.1\"},"
		     "\"mtu\":0") "]}"));
	assert_int_equal(api.n_links, 0);
	assert_int_equal(api.n_tunnels, 1);
	assert_true(api.tunnels[0].interconnect);
	assert_int_equal(api.tunnels[0].ours.family, 0);
	assert_string_equal(addr_str(&api.tunnels[0].cloudflare),
			    "203.0.113.1");
	must(OK("{\"interconnect\":"
		ICON(",\"gre\":{\"cloudflare_endpoint\":\"\"},"
		     "\"interface_address6\":\"2001:db8::a/127\"") "}"));
	/* Without an endpoint there is no GRE: it's the link itself. */
	assert_int_equal(api.n_tunnels, 0);
	assert_int_equal(api.n_links, 1);
	l = &api.links[0];
	assert_true(l->plain);
	assert_string_equal(addr_prefix_str(&l->v4.ours), "10.98.0.3/31");
	assert_string_equal(addr_prefix_str(&l->v6.ours), "2001:db8::b/127");
	/* Several kinds in one. */
	must("[" CNI "," GRE("") "," ICON("") "]");
	assert_int_equal(api.n_links, 2);
	assert_int_equal(api.n_tunnels, 1);
}

static void bad(void **state)
{
#define PAIR(ours, theirs) "{\"cust_ip\":\"" ours "\",\"p2p_ip\":\"" theirs "\"}"
	static const struct {
		const char *text, *words;
	} cases[] = {
		{ "{", "f:1: that isn't right JSON" },
		{ "{\"a\":1,\n\"a\":2}", "f:2: that isn't right JSON" },
		{ "[1]", "isn't what Cloudflare's API returns" },
		{ "{}", "no CNI, GRE tunnel or interconnect" },
		{ "[]", "empty" },
		{ OK("{\"gre_tunnels\":[]}"), "empty" },
		{ OK("null"), "answered with an error" },
		{ "{\"success\":false,\"result\":null,\"errors\":["
		  "{\"code\":10000,\"message\":\"Authentication error\"},"
		  "{\"code\":7003,\"message\":\"Could not route\"}]}",
		  "Authentication error (code 10000); Could not route (code 7003)" },
		{ "{\"success\":false}", "doesn't say which" },
		{ "{\"cust_ip\":\"192.0.2.11/31\"}", "p2p_ip is missing" },
		{ "{\"p2p_ip\":\"192.0.2.11/31\"}", "cust_ip is missing" },
		{ PAIR("192.0.2.11/31", "192.0.2.11/31"), "same address" },
		{ PAIR("192.0.2.11/31", "192.0.2.12/31"), "same prefix" },
		{ PAIR("192.0.2.11/31", "192.0.2.10/30"),
		  "different prefix lengths" },
		{ PAIR("192.0.2.11/24", "192.0.2.10/24"), "/31" },
		{ PAIR("192.0.2.11/31", "2001:db8::/127"),
		  "different IP versions" },
		{ PAIR("192.0.2.11", "192.0.2.10/31"), "no prefix length" },
		{ PAIR("192.0.2.999/31", "192.0.2.10/31"), "isn't an IP" },
		{ PAIR("127.0.0.1/31", "127.0.0.0/31"), "loopback" },
		{ "{\"cust_ip\":5,\"p2p_ip\":\"192.0.2.10/31\"}",
		  "cust_ip isn't a string" },
		{ "{\"name\":\"x\",\"cloudflare_gre_endpoint\":\"1.2.3.4\"}",
		  "customer_gre_endpoint is missing" },
		{ "{\"name\":\"x\",\"customer_gre_endpoint\":\"1.2.3.4\"}",
		  "cloudflare_gre_endpoint is missing" },
		{ "{\"name\":\"x\",\"customer_gre_endpoint\":\"1.2.3.4\","
		  "\"cloudflare_gre_endpoint\":\"1.2.3.4\"}",
		  "both endpoints are 1.2.3.4" },
		{ "{\"name\":\"x\",\"customer_gre_endpoint\":\"1.2.3.4\","
		  "\"cloudflare_gre_endpoint\":\"fd00::1\"}",
		  "GRE tunnel 'x': its endpoints 1.2.3.4 and fd00::1" },
		{ "{\"name\":\"x\",\"customer_gre_endpoint\":\"1.2.3.4/32\"}",
		  "where only an address belongs" },
		{ GRE(",\"mtu\":70000"), "mtu 70000 is out of range" },
		{ GRE(",\"mtu\":-1"), "out of range" },
		{ GRE(",\"ttl\":\"64\""), "ttl isn't a whole number" },
		{ GRE(",\"health_check\":true"), "isn't an object" },
		{ GRE(HEALTH(",\"type\":\"ping\"")), "reply or request" },
		{ GRE(HEALTH(",\"direction\":\"up\"")), "isn't bidirectional" },
		{ GRE(HEALTH(",\"target\":7")), "neither a string nor" },
		{ GRE(HEALTH(",\"target\":\"x\"")), "isn't an IP address" },
		{ GRE(",\"interface_address6\":\"10.0.0.1/31\""),
		  "isn't an IPv6 address" },
		{ ICON(",\"interface_address6\":\"fd00::1/64\""),
		  "isn't one end of a link" },
		{ "{\"interface_address\":\"10.0.0.1/24\"}",
		  "isn't one end of a link: the two ends need" },
		{ "{\"interface_address\":\"10.0.0.3/30\"}", "broadcast" },
		{ "{\"name\":\"v\",\"cloudflare_endpoint\":\"1.2.3.4\","
		  "\"interface_address\":\"10.0.0.1/31\"}", "IPsec" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (!parse(cases[i].text))
			fail_msg("case %zu was taken: %s", i, cases[i].text);
		if (strncmp(why, "f:", 2) || !strstr(why, cases[i].words))
			fail_msg("case %zu: '%s' isn't '%s'\n%s", i, why,
				 cases[i].words, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(cnis, forget),
		cmocka_unit_test_teardown(tunnels, forget),
		cmocka_unit_test_teardown(other_ends, forget),
		cmocka_unit_test_teardown(health, forget),
		cmocka_unit_test_teardown(interconnects, forget),
		cmocka_unit_test_teardown(bad, forget),
	};

	return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}
