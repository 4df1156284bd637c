// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>

#include "test.h"

#include "mail.h"

static char why[512];

static int parse(const char *text, struct mail *m)
{
	FILE *f = fmemopen((void *)text, strlen(text), "r");
	int rc;

	assert_non_null(f);
	why[0] = '\0';
	rc = mail_parse(f, "mail", m, why, sizeof(why));
	fclose(f);
	return rc;
}

static void check_example(const struct mail *m, const char *customer)
{
	assert_string_equal(m->customer, customer);
	assert_string_equal(addr_prefix_str(&m->cloudflare4), "192.0.2.10/31");
	assert_string_equal(addr_prefix_str(&m->ours4), "192.0.2.11/31");
	assert_string_equal(addr_prefix_str(&m->cloudflare6),
			    "2001:db8:12:3::7ac2:d64a/127");
	assert_string_equal(addr_prefix_str(&m->ours6),
			    "2001:db8:12:3::7ac2:d64b/127");
}

static void good(void **state)
{
	/* As they come: plain, quoted, listed, from a Windows machine, ... */
	static const struct {
		const char *customer, *text;
	} mails[] = {
		{ "Acme",
		  "    Cloudflare v4: 192.0.2.10/31\n"
		  "    Acme v4: 192.0.2.11/31\n"
		  "    Cloudflare v6: 2001:db8:12:3::7ac2:d64a/127\n"
		  "    Acme: 2001:db8:12:3::7ac2:d64b/127\n" },
		{ "Example Networks, Inc.",
		  "Hi,\n\nDate: Mon, 3 Mar 2025 10:30:00\nTime: 10:30\n"
		  "See: https://example.com/31\nRatio: 12/11\n"
		  "> Cloudflare v4: 192.0.2.10/31\r\n"
		  "> Example Networks, Inc. v4: 192.0.2.11/31\r\n"
		  "> Cloudflare v6: 2001:db8:12:3::7ac2:d64a/127\r\n"
		  "> Example Networks, Inc.: 2001:DB8:12:3::7AC2:D64B/127\r\n" },
		{ "ACME GmbH",
		  "- **Cloudflare IPv4:** 192.0.2.10/31\n"
		  "- **ACME GmbH IPv4:** 192.0.2.11/31\n"
		  "- **Cloudflare IPv6:** 2001:db8:12:3::7ac2:d64a/127\n"
		  "- **ACME GmbH:** 2001:db8:12:3::7ac2:d64b/127" },
		{ "v4",
		  "v4: 192.0.2.11/31\nCloudflare v4:\xc2\xa0" "192.0.2.10/31\n"
		  "v4: 2001:db8:12:3::7ac2:d64b/127\n"
		  "cloudflare v6: 2001:db8:12:3::7ac2:d64a/127\n" },
		{ "Acme: Berlin",
		  "Acme: Berlin v4: 192.0.2.11/31\n"
		  "Cloudflare: 192.0.2.10/31\n"
		  "Acme: Berlin: 2001:db8:12:3::7ac2:d64b/127\n"
		  "Cloudflare: 2001:db8:12:3::7ac2:d64a/127\n" },
	};
	struct mail m;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(mails) / sizeof(mails[0]); i++) {
		if (parse(mails[i].text, &m))
			fail_msg("mail %zu: %s", i, why);
		check_example(&m, mails[i].customer);
	}
}

static void without_v6(void **state)
{
	struct mail m;

	(void)state;
	assert_int_equal(parse("Cloudflare v4: 192.0.2.9/30\n"
			       "Acme: 192.0.2.10/30\n", &m), 0);
	assert_int_equal(m.cloudflare6.family, 0);
	assert_int_equal(m.ours6.family, 0);
	assert_string_equal(addr_prefix_str(&m.ours4), "192.0.2.10/30");
}

static void bad(void **state)
{
#define CF4 "Cloudflare v4: 192.0.2.10/31\n"
#define US4 "Acme v4: 192.0.2.11/31\n"
#define CF6 "Cloudflare v6: 2001:db8::a/127\n"
	static const struct {
		const char *text, *line, *reason;
	} mails[] = {
		{ "", "mail: ", "no IPv4 pair" },
		{ "nothing: here\n", "mail: ", "no IPv4 pair" },
		{ CF6 "Acme: 2001:db8::b/127\n", "mail: ", "no IPv4 pair" },
		{ CF4, "mail:1: ", "your side's IPv4 address is missing" },
		{ US4, "mail:1: ", "Cloudflare's IPv4 address is missing" },
		{ CF4 US4 CF6, "mail:3: ", "IPv6 address is missing" },
		{ CF4 "Acme v4: 192.0.2.10/31\n", "mail:2: ", "same address" },
		{ CF4 "Acme v4: 192.0.2.12/31\n", "mail:2: ",
		  "aren't in the same prefix" },
		{ CF4 "Acme v4: 192.0.2.11/30\n", "mail:2: ",
		  "different prefix lengths" },
		{ "Cloudflare v4: 192.0.2.10/24\nAcme v4: 192.0.2.11/24\n",
		  "mail:2: ", "/31" },
		{ "Cloudflare v4: 192.0.2.8/30\nAcme v4: 192.0.2.9/30\n",
		  "mail:2: ", "network or broadcast" },
		{ CF4 US4 CF6 "Acme: 2001:db8::b/64\n", "mail:4: ",
		  "different prefix lengths" },
		{ CF4 US4 "Cloudflare v6: 2001:db8::a/64\n"
		  "Acme: 2001:db8::b/64\n", "mail:4: ", "/127" },
		{ CF4 US4 CF6 "Acme: 2001:db8::c/127\n", "mail:4: ",
		  "aren't in the same prefix" },
		{ CF4 US4 CF6 "Acme: 2001:db8::a/127\n", "mail:4: ",
		  "same address" },
		{ CF4 "Acme v4: 192.0.2.11\n", "mail:2: ", "no prefix length" },
		{ CF4 "Acme v4: 192.0.2.300/31\n", "mail:2: ",
		  "isn't an IP address" },
		{ CF4 "Acme v4: 192.0.2.11/33\n", "mail:2: ", "out of range" },
		{ CF4 "Acme v4: 192.0.2.11/x\n", "mail:2: ",
		  "isn't an IP address" },
		{ CF4 "Acme v4: 192.0.2.11/\n", "mail:2: ", "out of range" },
		{ CF4 "Acme v4: to be told\n", "mail:2: ", "isn't one address" },
		{ CF4 "Acme v4: \n", "mail:2: ", "isn't one address" },
		{ CF4 "Acme v4: tbd\n", "mail:2: ", "isn't an IP address" },
		{ CF4 "Acme v6: 192.0.2.11/31\n", "mail:2: ", "label says v6" },
		{ CF4 "Acme v4: 2001:db8::a/127\n", "mail:2: ",
		  "label says v4" },
		{ CF4 US4 US4, "mail:3: ", "a second IPv4 address" },
		{ CF4 US4 CF4, "mail:3: ", "a second IPv4 address" },
		{ CF4 US4 CF6 "Other: 2001:db8::b/127\n", "mail:4: ",
		  "whose is it" },
		{ "Cloudflare v4: 0.0.0.0/31\n" US4, "mail:1: ",
		  "unspecified" },
		{ "Cloudflare v4: 127.0.0.2/31\n" US4, "mail:1: ", "loopback" },
		{ "Cloudflare v4: 224.0.0.2/31\n" US4, "mail:1: ",
		  "multicast" },
		{ CF4 US4 "Cloudflare v6: ff02::1/127\n", "mail:3: ",
		  "multicast" },
		{ CF4 US4 "Cloudflare v6: ::1/127\n", "mail:3: ", "loopback" },
		{ CF4 US4 "Cloudflare v6: ::ffff:192.0.2.1/127\n", "mail:3: ",
		  "IPv4 address in IPv6 form" },
	};
	struct mail m;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(mails) / sizeof(mails[0]); i++) {
		if (!parse(mails[i].text, &m))
			fail_msg("mail %zu was taken: %s", i, mails[i].text);
		if (strncmp(why, mails[i].line, strlen(mails[i].line)) ||
		    !strstr(why, mails[i].reason))
			fail_msg("mail %zu: '%s' isn't '%s...%s'", i, why,
				 mails[i].line, mails[i].reason);
	}
}

/* Any bytes at all: for the sanitizers to judge. */
static void garbage(void **state)
{
	static const char *const parts[] = {
		"Cloudflare", "Acme", " v4", " v6", ":", ": ", "192.0.2.10",
		"2001:db8::a", "/31", "/127", "\n", " ", "\t", "*", ">",
		"\xc2\xa0", "\xff", "/", "::::", "999", "\r",
	};
	unsigned int seed = 1, n;
	char text[512];
	struct mail m;

	(void)state;
	for (n = 0; n < 20000; n++) {
		text[0] = '\0';
		while (strlen(text) < 200 && (seed >> 8) % 23) {
			seed = seed * 1103515245 + 12345;
			strcat(text, parts[(seed >> 16) % (sizeof(parts) /
							   sizeof(parts[0]))]);
		}
		seed = seed * 1103515245 + 12345;
		if (*text)
			parse(text, &m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),
		cmocka_unit_test(without_v6),
		cmocka_unit_test(bad),
		cmocka_unit_test(garbage),
	};

	return cmocka_run_group_tests_name("mail", tests, NULL, NULL);
}
