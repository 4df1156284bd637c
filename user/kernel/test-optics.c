// SPDX-License-Identifier: GPL-2.0
/* Plugs' memories, made up from the standards' own tables and examples. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/test.h"
#include "kernel/optics.h"

struct plug {
	uint8_t a0[256], a2[256], page11[256];
	int refuse;	/* to read anything but the first byte */
};

static int read_plug(void *arg, uint8_t i2c, uint8_t page, uint8_t offset,
		     uint8_t *to, uint8_t len)
{
	struct plug *p = arg;
	uint8_t *from = i2c == 0x51 ? p->a2 : page == 0x11 ? p->page11 :
		page ? NULL : i2c == 0x50 ? p->a0 : NULL;

	if (p->refuse && offset)
		return -p->refuse;
	assert_non_null(from);
	assert_true(offset + len <= 256);
	/* The kernel takes requests within one half only. */
	assert_true(offset / 128 == (offset + len - 1) / 128);
	memcpy(to, from + offset, len);
	return 0;
}

static void near(double a, double b)
{
	assert_true(fabs(a - b) < 0.005);
}

static void test_sfp(void **state)
{
	struct plug p = { .a0 = { [0] = 3, [92] = 0x68 } };
	struct optics o;

	(void)state;
	/* 10,000 tenths of a microwatt are 1 mW, 0 dBm; 5,012 are -3 dBm. */
	memcpy(p.a2 + 102, "\x27\x10\x13\x94", 4);
	assert_int_equal(optics_decode(read_plug, &p, &o), 0);
	assert_int_equal(o.lanes, 1);
	near(o.tx[0], 0);
	near(o.rx[0], -3);
	/* -20 dBm is a hundredth */
	memcpy(p.a2 + 104, "\0\x64", 2);
	assert_int_equal(optics_decode(read_plug, &p, &o), 0);
	near(o.rx[0], -20);
	memset(p.a2 + 104, 0, 2);
	assert_int_equal(optics_decode(read_plug, &p, &o), 0);
	near(o.rx[0], OPTICS_DARK);
}

static void test_sfp_without(void **state)
{
	/* A copper cable, and one whose values are to be calibrated first. */
	struct plug p = { .a0 = { [0] = 3 } };
	struct optics o;

	(void)state;
	assert_int_equal(optics_decode(read_plug, &p, &o), 0);
	assert_int_equal(o.lanes, 0);
	p.a0[92] = 0x50;
	assert_int_equal(optics_decode(read_plug, &p, &o), 0);
	assert_int_equal(o.lanes, 0);
}

static void test_qsfp(void **state)
{
	struct plug p = { .a0 = { [0] = 0x11 } };
	struct optics o;

	(void)state;
	memcpy(p.a0 + 34, "\x27\x10\x13\x94\0\x64\0\0", 8);
	memcpy(p.a0 + 50, "\x13\x94\x27\x10\x27\x10\x27\x10", 8);
	assert_int_equal(optics_decode(read_plug, &p, &o), 0);
	assert_int_equal(o.lanes, 4);
	near(o.rx[0], 0);
	near(o.rx[1], -3);
	near(o.rx[2], -20);
	near(o.rx[3], OPTICS_DARK);
	near(o.tx[0], -3);
	near(o.tx[3], 0);
}

static void test_cmis(void **state)
{
	struct plug p = { .a0 = { [0] = 0x18 } };
	struct optics o;

	(void)state;
	memcpy(p.page11 + 186 + 14, "\x13\x94", 2);
	memcpy(p.page11 + 154, "\x27\x10", 2);
	assert_int_equal(optics_decode(read_plug, &p, &o), 0);
	assert_int_equal(o.lanes, 8);
	near(o.rx[7], -3);
	near(o.tx[0], 0);
}

static void test_errors(void **state)
{
	struct plug p = { .a0 = { [0] = 0x02 } };
	struct optics o;

	(void)state;
	assert_int_equal(optics_decode(read_plug, &p, &o), -EMEDIUMTYPE);
	p.a0[0] = 0x0d;
	p.refuse = EIO;
	assert_int_equal(optics_decode(read_plug, &p, &o), -EIO);
	assert_int_equal(o.lanes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sfp),
		cmocka_unit_test(test_sfp_without),
		cmocka_unit_test(test_qsfp),
		cmocka_unit_test(test_cmis),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
