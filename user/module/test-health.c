// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "base/test.h"
#include "module/health.h"

static void seconds(struct health *h, unsigned int n, uint64_t good,
		    uint64_t bad)
{
	while (n--)
		health_take(h, good, bad, 1);
}

static void test_begins(void **state)
{
	struct health h = {};

	(void)state;
	seconds(&h, 400, 0, 0);
	assert_int_equal(h.state, HEALTH_UNKNOWN);
	seconds(&h, 1, 1, 0);
	assert_int_equal(h.state, HEALTH_HEALTHY);
	/* One a second is no rate to miss anything by. */
	seconds(&h, 100, 0, 0);
	assert_int_equal(h.state, HEALTH_HEALTHY);
	assert_int_equal(h.bad, 0);
}

/* 0.1 % in five minutes, two at least */
static void test_degraded(void **state)
{
	struct health h = {};

	(void)state;
	seconds(&h, 300, 10, 0);
	seconds(&h, 1, 9, 1);
	assert_int_equal(h.state, HEALTH_HEALTHY);
	seconds(&h, 1, 9, 1);
	/* 2 of 3,000 */
	assert_int_equal(h.state, HEALTH_HEALTHY);
	seconds(&h, 1, 9, 1);
	assert_int_equal(h.bad, 3);
	assert_int_equal(h.good + h.bad, 3000);
	assert_int_equal(h.state, HEALTH_DEGRADED);
}

static void test_few(void **state)
{
	struct health h = {};

	(void)state;
	seconds(&h, 10, 1, 0);
	seconds(&h, 1, 1, 1);
	/* 8 %, but one */
	assert_int_equal(h.state, HEALTH_HEALTHY);
	seconds(&h, 1, 1, 1);
	assert_int_equal(h.state, HEALTH_DEGRADED);
}

/* All of three or more in a second; then back by way of degraded. */
static void test_down(void **state)
{
	struct health h = {};

	(void)state;
	seconds(&h, 300, 100, 0);
	seconds(&h, 1, 0, 2);
	assert_int_not_equal(h.state, HEALTH_DOWN);
	seconds(&h, 1, 0, 3);
	assert_int_equal(h.state, HEALTH_DOWN);
	seconds(&h, 1, 2, 0);
	assert_int_equal(h.state, HEALTH_DOWN);
	seconds(&h, 1, 1, 0);
	assert_int_equal(h.state, HEALTH_DEGRADED);
	seconds(&h, 297, 100, 0);
	assert_int_equal(h.state, HEALTH_DEGRADED);
	seconds(&h, 1, 100, 0);
	assert_int_equal(h.state, HEALTH_HEALTHY);
}

/* A second without any, where there were many, is one of failures. */
static void test_silence(void **state)
{
	struct health h = {};

	(void)state;
	seconds(&h, 20, 200, 0);
	seconds(&h, 1, 0, 0);
	assert_int_equal(h.state, HEALTH_DOWN);
	assert_int_equal(h.bad, 200);
}

static void test_stretch(void **state)
{
	struct health h = {};

	(void)state;
	health_take(&h, 101, 1, 10);
	assert_int_equal(h.n, 10);
	assert_int_equal(h.good, 101);
	assert_int_equal(h.bad, 1);
	assert_int_equal(h.state, HEALTH_HEALTHY);
	health_take(&h, 0, 0, 5);
	assert_int_equal(h.state, HEALTH_DOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_begins),
		cmocka_unit_test(test_degraded),
		cmocka_unit_test(test_few),
		cmocka_unit_test(test_down),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_stretch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
