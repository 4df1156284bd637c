// SPDX-License-Identifier: GPL-2.0
#include <linux/cnilink.h>
#include <stdio.h>
#include <string.h>

#include "base/test.h"
#include "module/names.h"
#include "module/portopts.h"

static const char *set(struct portopts *o, unsigned int mtu, const char *text)
{
	static char buf[4096];
	char *words[16];
	int n = 0;

	snprintf(buf, sizeof(buf), "%s", text);
	for (words[n] = strtok(buf, " "); words[n];
	     words[++n] = strtok(NULL, " "))
		;
	return portopts_parse(o, mtu, n, words);
}

static void flags(void **state)
{
	struct portopts o = {}, p;

	(void)state;
	assert_null(set(&o, 0, "strict-source on"));
	assert_int_equal(o.flags, CNILINK_PORT_FLAG_STRICT_SOURCE);
	assert_null(set(&o, 0, "bypass-netfilter on mss 1400"));
	assert_int_equal(o.flags, CNILINK_PORT_FLAG_STRICT_SOURCE |
				  CNILINK_PORT_FLAG_BYPASS_NETFILTER);
	assert_string_equal(portopts_str(&o),
			    " bypass-netfilter on strict-source on mss 1400");
	p = o;
	assert_null(set(&o, 0, ""));
	assert_true(portopts_same(&o, &p));
	assert_null(set(&o, 0, "bypass-netfilter off"));
	assert_false(portopts_same(&o, &p));
	assert_null(set(&o, 0, "strict-source off mss off"));
	assert_string_equal(portopts_str(&o),
			    " bypass-netfilter off strict-source off mss off");
	assert_non_null(set(&o, 0, "strict-source"));
	assert_non_null(set(&o, 0, "strict-source yes"));
	assert_non_null(set(&o, 0, "loose-source on"));
}

static void mss(void **state)
{
	struct portopts o = {};

	(void)state;
	assert_null(set(&o, 1476, "mss auto"));
	assert_int_equal(o.mss4, 1436);
	assert_int_equal(o.mss6, 1416);
	assert_non_null(set(&o, 0, "mss auto"));
	assert_non_null(set(&o, 1476, "mss"));
	assert_non_null(set(&o, 1476, "mss 107"));
	assert_null(set(&o, 1476, "mss off"));
	assert_int_equal(o.mss4 + o.mss6, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags),
		cmocka_unit_test(mss),
	};

	return cmocka_run_group_tests_name("portopts", tests, NULL, NULL);
}
