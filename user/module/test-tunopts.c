// SPDX-License-Identifier: GPL-2.0
#include <linux/cnilink.h>
#include <stdio.h>
#include <string.h>

#include "base/test.h"
#include "module/tunopts.h"

static const char *set(struct tunopts *o, const char *text)
{
	static char buf[4096];
	char *words[256];
	int n = 0;

	snprintf(buf, sizeof(buf), "%s", text);
	for (words[n] = strtok(buf, " "); words[n];
	     words[++n] = strtok(NULL, " "))
		;
	return tunopts_parse(o, 1476, n, words);
}

static void mss(void **state)
{
	struct tunopts o = {};

	(void)state;
	assert_null(set(&o, "mss auto"));
	assert_int_equal(o.mss4, 1436);
	assert_int_equal(o.mss6, 1416);
	assert_null(set(&o, "mss 1400"));
	assert_int_equal(o.mss4, 1400);
	assert_int_equal(o.mss6, 1380);
	assert_null(set(&o, ""));
	assert_int_equal(o.mss4, 1400);
	assert_null(set(&o, "mss off"));
	assert_int_equal(o.mss4 + o.mss6, 0);
	assert_null(set(&o, "mss 108"));
	assert_int_equal(o.mss6, TUNOPTS_MIN_MSS);
	assert_non_null(set(&o, "mss 107"));
	assert_non_null(set(&o, "mss 65496"));
	assert_non_null(set(&o, "mss"));
	assert_non_null(set(&o, "mss 14x"));
	assert_non_null(set(&o, "mss -1"));
	tunopts_mss(&o, 100);
	assert_int_equal(o.mss4 + o.mss6, 0);
}

static void flags(void **state)
{
	struct tunopts o = {}, p;

	(void)state;
	assert_null(set(&o, "mss 1400"));
	p = o;
	assert_null(set(&o, "bypass-netfilter on"));
	assert_int_equal(o.flags, CNILINK_TUNNEL_FLAG_BYPASS_NETFILTER);
	assert_string_equal(tunopts_str(&o), " bypass-netfilter on mss 1400");
	assert_false(tunopts_same(&o, &p));
	assert_null(set(&p, tunopts_str(&o)));
	assert_true(tunopts_same(&o, &p));
	/* The rest leaves it as it is. */
	assert_null(set(&o, "mss off health off"));
	assert_int_equal(o.flags, CNILINK_TUNNEL_FLAG_BYPASS_NETFILTER);
	assert_null(set(&o, "bypass-netfilter off"));
	assert_int_equal(o.flags, 0);
	assert_string_equal(tunopts_str(&o), "");
	assert_non_null(set(&o, "bypass-netfilter"));
	assert_non_null(set(&o, "bypass-netfilter true"));
	assert_non_null(set(&o, "strict-source on"));
}

/* What "tunnel set" makes of one, so that it becomes the other. */
static void becomes(const char *from, const char *to, const char *want)
{
	struct tunopts o = {}, p = {};

	assert_null(set(&o, from));
	assert_null(set(&p, to));
	assert_string_equal(tunopts_change_str(&o, &p), want);
	assert_null(set(&o, want));
	assert_true(tunopts_same(&o, &p));
}

static void change(void **state)
{
#define CHECK "health reply bidirectional 10.99.0.1 10.99.0.0"
	(void)state;
	becomes("", "", "");
	becomes("", "bypass-netfilter on", " bypass-netfilter on");
	becomes("bypass-netfilter on mss 1400", "mss 1400",
		" mss 1400 bypass-netfilter off");
	becomes("mss 1400 " CHECK, "bypass-netfilter on",
		" bypass-netfilter on mss off health off");
	becomes(CHECK " health-rate 7", CHECK,
		" " CHECK " health-rate 1000");
	becomes("", CHECK, " " CHECK);
#undef CHECK
}

static void health(void **state)
{
	struct tunopts o = {}, p = {};

	(void)state;
	assert_null(set(&o, "health reply bidirectional 10.99.0.1 10.99.0.0 "
			"health request unidirectional 2001:db8::1 2400:cb00::/32"));
	assert_int_equal(o.n_health, 2);
	assert_int_equal(o.rate, TUNOPTS_RATE);
	assert_false(o.health[0].request || o.health[0].unidirectional);
	assert_true(o.health[1].request && o.health[1].unidirectional);
	assert_int_equal(o.health[0].peer.len, 32);
	assert_int_equal(o.health[1].peer.len, 32);
	assert_string_equal(tunopts_str(&o),
			    " health reply bidirectional 10.99.0.1 10.99.0.0"
			    " health request unidirectional 2001:db8::1 2400:cb00::/32");
	/* What it prints, it takes. */
	assert_null(set(&p, tunopts_str(&o)));
	assert_true(tunopts_same(&o, &p));
	assert_null(set(&p, "mss 1400"));
	assert_int_equal(p.n_health, 2);
	assert_false(tunopts_same(&o, &p));
	assert_null(set(&p, "mss off health-rate 5"));
	assert_false(tunopts_same(&o, &p));
	/* The first one takes the place of all. */
	assert_null(set(&o, "health reply bidirectional 10.99.0.1 10.99.0.2"));
	assert_int_equal(o.n_health, 1);
	assert_null(set(&o, "health off"));
	assert_int_equal(o.n_health, 0);
	assert_string_equal(tunopts_str(&o), "");
	assert_null(set(&p, "health off"));
	/* A rate of nothing makes no difference. */
	assert_true(tunopts_same(&o, &p));
}

static void bad_health(void **state)
{
	static const char * const bad[] = {
		"health", "health reply", "health reply bidirectional 10.0.0.1",
		"health answer bidirectional 10.0.0.1 10.0.0.0",
		"health reply both 10.0.0.1 10.0.0.0",
		"health reply bidirectional 10.0.0.1 fd00::1",
		"health reply bidirectional 10.0.0.1/31 10.0.0.0",
		"health reply bidirectional 10.0.0.1 10.0.0.0/33",
		"health-rate 0", "health-rate x", "health-rate", "wealth 1",
	};
	struct tunopts o = {};
	char text[4096] = "";
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (!set(&o, bad[i]))
			fail_msg("taken: %s", bad[i]);
	}
	for (i = 0; i < TUNOPTS_MAX_HEALTH; i++)
		strcat(text, "health reply bidirectional 10.0.0.1 10.0.0.0 ");
	assert_null(set(&o, text));
	assert_int_equal(o.n_health, TUNOPTS_MAX_HEALTH);
	strcat(text, "health reply bidirectional 10.0.0.1 10.0.0.0");
	assert_non_null(set(&o, text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mss),
		cmocka_unit_test(flags),
		cmocka_unit_test(change),
		cmocka_unit_test(health),
		cmocka_unit_test(bad_health),
	};

	return cmocka_run_group_tests_name("tunopts", tests, NULL, NULL);
}
