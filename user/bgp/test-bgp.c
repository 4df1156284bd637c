// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "base/test.h"

#include "bgp/bgp.h"

static void passwords(void **state)
{
	static const struct {
		const char *password, *bird, *frr;
	} cases[] = {
		{ "a'b\\c`d|e#f!g$h&i;j{k}l[m]n~o%p*q", NULL, NULL },
		{ " in and out ", NULL, "space" },
		{ "", "empty", "empty" },
		{ "a\"b", "doesn't allow", "doesn't allow" },
		{ "a?b", "doesn't allow", "doesn't allow" },
		{ "a\tb", "printable", "printable" },
		{ "a\x7f", "printable", "printable" },
		{ "\xc3\xa4", "printable", "printable" },
		{ "12345678901234567890123456789012345678901234567890"
		  "123456789012345678901234567890", NULL, NULL },
		{ "12345678901234567890123456789012345678901234567890"
		  "1234567890123456789012345678901", "80", "80" },
	};
	const char *want, *have;
	size_t i;
	int d;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (d = BGP_BIRD; d <= BGP_FRR; d++) {
			want = d == BGP_FRR ? cases[i].frr : cases[i].bird;
			have = bgp_password_problem(cases[i].password, d);
			if (!want != !have || (want && !strstr(have, want)))
				fail_msg("'%s' for daemon %d: %s",
					 cases[i].password, d, have);
		}
	}
}

static void device_names(void **state)
{
	(void)state;
	assert_null(bgp_ifname_problem("eth0.1234"));
	assert_null(bgp_ifname_problem("cni-gre_1@x+"));
	assert_non_null(bgp_ifname_problem("a\"b"));
	assert_non_null(bgp_ifname_problem("a;b"));
	assert_non_null(bgp_ifname_problem("eth*"));
}

static char *text;

static bool has(const char *words)
{
	return strstr(text, words);
}

/* What only a session of a kind has; the daemons judge the rest. */
static void parts(void **state)
{
	struct bgp_session s[2] = {
		{ .name = "cloudflare4", .ifname = "eth0.12" },
		{ .name = "cloudflare6", .ifname = "eth0.12" },
	};
	char password[] = "x";
	struct addr own;
	struct bgp b = {
		.title = "cf", .local_as = 65010, .peer_as = 64512,
		.priority = 100, .max4 = 7, .max6 = 8,
		.announce = &own, .n_announce = 1, .table = 254,
		.sessions = s, .n_sessions = 1,
	};
	size_t n;
	FILE *f;
	int d;

	(void)state;
	addr_parse_prefix("203.0.113.0/24", &own);
	addr_parse("192.0.2.11", &s[0].local);
	addr_parse("192.0.2.10", &s[0].peer);
	addr_parse("fd00::1", &s[1].local);
	addr_parse("fd00::2", &s[1].peer);
	b.router_id = s[0].local;
	for (d = BGP_BIRD; d <= BGP_FRR; d++) {
		s[0].magic = s[0].bfd = s[0].graceful = false;
		b.priority = 100;
		b.table = 254;
		b.n_sessions = 1;
		s[0].password = NULL;
		f = open_memstream(&text, &n);
		bgp_write(f, &b, d);
		fclose(f);
		assert_true(has("203.0.113.0/24"));
		assert_true(has("10.0.0.0/8"));
		assert_true(has("64512"));
		assert_false(has("bfd"));
		assert_false(has("password"));
		assert_false(has("graceful-restart") ||
			     has("graceful restart time"));
		assert_false(has("ipv6"));
		assert_false(has("kernel table") || has("set table"));
		free(text);

		s[0].magic = s[0].bfd = s[0].graceful = true;
		s[1].magic = true;
		b.priority = 1001000;
		b.table = 100;
		b.n_sessions = 2;
		s[0].password = password;
		f = open_memstream(&text, &n);
		bgp_write(f, &b, d);
		fclose(f);
		assert_true(has("60902"));
		assert_true(has("bfd"));
		assert_true(has("password"));
		assert_true(has("graceful-restart") ||
			    has("graceful restart time"));
		assert_true(has("fd00::2"));
		assert_true(has("kernel table 100") || has("set table 100"));
		assert_false(has("10.0.0.0/8"));
		free(text);
	}
}

/* How often @words are in what begins with @from and ends with @to. */
static unsigned int count_in(const char *from, const char *to,
			     const char *words)
{
	char *at = strstr(text, from), *end = at ? strstr(at, to) : NULL;
	unsigned int n = 0;

	while (at && (at = strstr(at, words)) && (!end || at < end)) {
		at++;
		n++;
	}
	return n;
}

/* One over the link and one over a tunnel, each with what it's to refuse. */
static void profiles(void **state)
{
	struct bgp_session s[2] = {
		{ .name = "cloudflare4", .ifname = "eth0.12" },
		{ .name = "tunnel1_4", .ifname = "t1",
		  .magic = true },
	};
	struct addr own, extra;
	struct bgp b = {
		.title = "cf", .local_as = 65010, .peer_as = 13335,
		.priority = 50, .announce = &own, .n_announce = 1,
		.extra = &extra, .n_extra = 1, .table = 254,
		.sessions = s, .n_sessions = 2,
	};
	size_t n;
	FILE *f;

	(void)state;
	addr_parse_prefix("203.0.113.0/24", &own);
	addr_parse_prefix("0.0.0.0/0", &extra);
	addr_parse("192.0.2.11", &s[0].local);
	addr_parse("192.0.2.10", &s[0].peer);
	addr_parse("10.99.0.1", &s[1].local);
	addr_parse("10.99.0.0", &s[1].peer);
	b.router_id = s[0].local;
	f = open_memstream(&text, &n);
	bgp_write(f, &b, BGP_BIRD);
	fclose(f);
	assert_int_equal(count_in("filter cni_import4", "}", "10.0.0.0/8+"), 1);
	assert_int_equal(count_in("filter cni_import4", "}", "0.0.0.0/0"), 0);
	assert_int_equal(count_in("filter cni_export4", "}", "60050"), 0);
	assert_int_equal(count_in("filter cni_magic_import4", "}",
				  "10.0.0.0/8+"), 0);
	assert_int_equal(count_in("filter cni_magic_import4", "}",
				  "0.0.0.0/0"), 1);
	assert_int_equal(count_in("filter cni_magic_export4", "}", "60050"), 1);
	assert_int_equal(count_in("bgp cloudflare4", "}",
				  "import filter cni_import4;"), 1);
	assert_int_equal(count_in("bgp tunnel1_4", "}",
				  "import filter cni_magic_import4;"), 1);
	free(text);
	f = open_memstream(&text, &n);
	bgp_write(f, &b, BGP_FRR);
	fclose(f);
	assert_int_equal(count_in("prefix-list cni-in4", "cni-magic",
				  "deny 10.0.0.0/8 le 32"), 1);
	assert_false(has("cni-in4 seq 10 permit 0.0.0.0/0\n"));
	assert_true(has("cni-magic-in4 seq 10 permit 0.0.0.0/0\n"));
	assert_int_equal(count_in("route-map cni-export4", "exit", "60050"), 0);
	assert_int_equal(count_in("route-map cni-magic-export4", "exit",
				  "60050"), 1);
	assert_true(has("neighbor 192.0.2.10 route-map cni-import4 in"));
	assert_true(has("neighbor 10.99.0.0 route-map cni-magic-import4 in"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passwords),
		cmocka_unit_test(device_names),
		cmocka_unit_test(parts),
		cmocka_unit_test(profiles),
	};

	return cmocka_run_group_tests_name("bgp", tests, NULL, NULL);
}
