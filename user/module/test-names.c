// SPDX-License-Identifier: GPL-2.0
#include <string.h>
#include <linux/cnilink.h>

#include "base/test.h"

#include "module/genl.h"
#include "module/names.h"

/* Every value of the header has a name, and no name is there twice. */
static void complete(const struct name *names, unsigned int n, uint64_t first,
		     uint64_t last, bool bits)
{
	unsigned int i, k, found;
	uint64_t value;

	for (value = first; value <= last; value = bits ? value << 1 :
	     value + 1) {
		found = 0;
		for (i = 0; i < n; i++)
			found += names[i].value == value;
		assert_int_equal(found, 1);
	}
	for (i = 0; i < n; i++)
		for (k = 0; k < i; k++)
			assert_string_not_equal(names[i].name, names[k].name);
}

static void all_there(void **state)
{
	(void)state;
	complete(reason_names, n_reason_names, 0, CNILINK_REASON_MAX, false);
	assert_int_equal(n_reason_names, CNILINK_REASON_MAX + 1);
	complete(blocker_names, n_blocker_names, 1,
		 blocker_names[n_blocker_names - 1].value, true);
	complete(port_flag_names, n_port_flag_names, 1,
		 CNILINK_PORT_FLAG_STRICT_SOURCE, true);
	complete(tunnel_flag_names, n_tunnel_flag_names, 1,
		 CNILINK_TUNNEL_FLAG_BYPASS_NETFILTER, true);
	complete(command_names, n_command_names, 1, CNILINK_CMD_MAX, false);
	assert_int_equal(n_command_names, CNILINK_CMD_MAX);
	complete(action_names, n_action_names, 0, CNILINK_ACTION_PUNT, false);
	/* The counters' arrays hold them all. */
	assert_true(CNILINK_REASON_MAX < CNI_REASONS);
}

static void right_ones(void **state)
{
	(void)state;
	assert_string_equal(names_reason(CNILINK_REASON_NO_ROUTE), "no-route");
	assert_string_equal(names_reason(CNILINK_REASON_TRANSMIT), "transmit");
	assert_string_equal(names_command(CNILINK_CMD_STATE_NTF), "state-ntf");
	assert_string_equal(names_blockers(CNILINK_BLOCKER_GRE_SEQ |
					   CNILINK_BLOCKER_TAP),
			    "gre-seq, tap");
	assert_string_equal(names_blockers(0), "");
	assert_string_equal(names_reason(60), "60");
	assert_string_equal(names_blockers(1ull << 60), "1152921504606846976");
}

/* Each blocker says what to do, not only what it is. */
static void advice(void **state)
{
	unsigned int i;
	const char *s;

	(void)state;
	for (i = 0; i < n_blocker_names; i++) {
		s = names_blocker_advice(blocker_names[i].value, "eth9");
		assert_null(strstr(s, "too old"));
		assert_null(strstr(s, "%s"));
		assert_true(strlen(s) > 20);
		/* There is room for a long name, and for "all: " before. */
		s = names_blocker_advice(blocker_names[i].value,
					 "cloudflare-gre1");
		assert_true(strlen(s) < 490);
	}
	assert_non_null(strstr(names_blocker_advice(CNILINK_BLOCKER_DEVICE_DOWN,
						    "eth9"), "eth9"));
	assert_non_null(strstr(names_blocker_advice(1ull << 60, "eth9"),
			       "too old"));
	for (i = 0; i <= CNILINK_REASON_MAX; i++) {
		assert_null(strstr(names_reason_doc(i), "too old"));
		assert_true(strlen(names_reason_doc(i)) > 10);
	}
	assert_non_null(strstr(names_reason_doc(60), "too old"));
}

/* A reason that points elsewhere says where. */
static void egress_device(void **state)
{
	(void)state;
	assert_non_null(strstr(names_reason_advice(CNILINK_REASON_NOT_OFFLOADED,
						   "gre1"), "gre1, the egress device"));
	assert_non_null(strstr(names_reason_advice(CNILINK_REASON_NOT_OFFLOADED,
						   NULL), "cnictl show"));
	assert_string_equal(names_reason_advice(CNILINK_REASON_ECN, "gre1"),
			    names_reason_doc(CNILINK_REASON_ECN));
}

static void outer_packets(void **state)
{
	(void)state;
	assert_non_null(strstr(names_outer_advice(CNILINK_REASON_NETFILTER),
			       "bypass-netfilter of the tunnel"));
	assert_string_equal(names_outer_advice(CNILINK_REASON_MTU),
			    names_reason_doc(CNILINK_REASON_MTU));
}

static void flags(void **state)
{
	uint32_t bits = 4;
	json_t *list;

	(void)state;
	assert_null(names_flag_parse(port_flag_names, n_port_flag_names, &bits,
				     "strict-source", "on"));
	assert_int_equal(bits, 4 | CNILINK_PORT_FLAG_STRICT_SOURCE);
	list = names_flags_json(port_flag_names, n_port_flag_names, bits);
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(json_string_value(json_array_get(list, 0)),
			    "strict-source");
	json_decref(list);
	assert_string_equal(names_flag_parse(tunnel_flag_names,
					     n_tunnel_flag_names, &bits,
					     "strict-source", "on"),
			    "there is no 'strict-source' to set");
	assert_string_equal(names_flag_parse(tunnel_flag_names,
					     n_tunnel_flag_names, &bits,
					     "bypass-netfilter", NULL),
			    "bypass-netfilter is on or off");
	assert_null(names_flag_parse(port_flag_names, n_port_flag_names, &bits,
				     "strict-source", "off"));
	assert_int_equal(bits, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_there),
		cmocka_unit_test(right_ones),
		cmocka_unit_test(advice),
		cmocka_unit_test(egress_device),
		cmocka_unit_test(outer_packets),
		cmocka_unit_test(flags),
	};

	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
