// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "base/redact.h"
#include "base/test.h"

static void config(const char *in, const char *want)
{
	struct secrets s = {};
	char *out = redact_config(&s, in);

	assert_string_equal(out, want);
	free(out);
	redact_free(&s);
}

static void test_config(void **state)
{
	(void)state;
	config("", "");
	config("vlan = 100\n", "vlan = 100\n");
	config("bgp {\n\tpassword = \"hush hush\"\n}\n",
	       "bgp {\n\tpassword [removed]\n}\n");
	config("bgp { password=x; }", "bgp { password [removed]");
	config("password =\n  \"hush\"\nvlan = 1\n",
	       "password [removed]\n [removed]\nvlan = 1\n");
	config("password-file = /etc/x", "password-file [removed]");
	config(" neighbor 192.0.2.10 password hush\n neighbor 192.0.2.10 weight 1",
	       " neighbor 192.0.2.10 password [removed]\n neighbor 192.0.2.10 weight 1");
	config("# the old PASSWORD was hush", "# the old PASSWORD [removed]");
	config("snmp-server community hush\nset community 13335:60100\n",
	       "snmp-server community [removed]\nset community 13335:60100\n");
}

static void test_learnt(void **state)
{
	struct secrets s = {};
	char *out;

	(void)state;
	free(redact_config(&s, "password \"two words\";\nneighbor x password hushhush\n"));
	out = redact(&s, "a two words b hushhush c two, words hushhus");
	assert_string_equal(out, "a [removed] b [removed] c two, words hushhus");
	free(out);
	redact_free(&s);
}

static void test_redact(void **state)
{
	struct secrets s = {};
	char *out;

	(void)state;
	redact_add(&s, "abcd");
	redact_add(&s, "abcdefgh");
	redact_add(&s, "no");
	out = redact(&s, "abcdefghabcd nono abcdefg");
	assert_string_equal(out, "[removed][removed] nono [removed]efg");
	free(out);
	redact_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_learnt),
		cmocka_unit_test(test_redact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
