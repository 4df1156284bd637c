// SPDX-License-Identifier: GPL-2.0
/* Dumps, with the kernel's part played by the other end of a socket pair. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/netlink.h>
#include <netlink/netlink.h>

#include "base/test.h"

#include "kernel/nl.h"

#define ITEM 100

static struct nlconn c;
static int kernel;

static int set_up(void **state)
{
	int sv[2];

	(void)state;
	memset(&c, 0, sizeof(c));
	/* It passes over the address that netlink wants to be sent to. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	c.sk = nl_socket_alloc();
	c.fd = sv[0];
	c.buf_size = 4096;
	c.buf = malloc(c.buf_size);
	kernel = sv[1];
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(c.fd);
	close(kernel);
	nlc_close(&c);
	return 0;
}

/* Queues a message of the answer number @seq. */
static void says(uint32_t seq, uint16_t type, uint16_t flags, int32_t value)
{
	struct {
		struct nlmsghdr nlh;
		int32_t value;
	} m = {
		.nlh = {
			.nlmsg_len = sizeof(m), .nlmsg_type = type,
			.nlmsg_flags = flags, .nlmsg_seq = seq,
		},
		.value = value,
	};

	assert_int_equal(send(kernel, &m, sizeof(m), 0), sizeof(m));
}

/* What was told: a sum of the items since the last fresh start. */
static int sum, restarts;

static int take(const struct nlmsghdr *nlh, void *arg)
{
	(void)arg;
	if (!nlh) {
		restarts++;
		sum = 0;
	} else {
		sum += *(int32_t *)nlmsg_data(nlh);
	}
	return 0;
}

static int dump(void)
{
	sum = restarts = 0;
	return nlc_dump(&c, nlx_msg(ITEM, 0, NULL, 0), take, NULL);
}

static void quiet(void **state)
{
	(void)state;
	says(1, ITEM, NLM_F_MULTI, 1);
	says(7, ITEM, NLM_F_MULTI, 100);	/* of another request */
	says(1, ITEM, NLM_F_MULTI, 2);
	says(1, NLMSG_DONE, NLM_F_MULTI, 0);
	assert_int_equal(dump(), 0);
	assert_int_equal(sum, 3);
	assert_int_equal(restarts, 0);
}

/* Something changed while the kernel listed it. */
static void interrupted_dump(void **state)
{
	(void)state;
	says(1, ITEM, NLM_F_MULTI, 1);
	says(1, ITEM, NLM_F_MULTI | NLM_F_DUMP_INTR, 2);
	says(1, NLMSG_DONE, NLM_F_MULTI, 0);
	says(2, ITEM, NLM_F_MULTI, 4);
	says(2, NLMSG_DONE, NLM_F_MULTI | NLM_F_DUMP_INTR, 0);
	says(3, ITEM, NLM_F_MULTI, 8);
	says(3, NLMSG_DONE, NLM_F_MULTI, 0);
	assert_int_equal(dump(), 0);
	assert_int_equal(sum, 8);
	assert_int_equal(restarts, 2);
}

static void interrupted_by_error(void **state)
{
	(void)state;
	says(1, ITEM, NLM_F_MULTI, 1);
	says(1, NLMSG_DONE, NLM_F_MULTI, -EINTR);
	says(2, ITEM, NLM_F_MULTI, 8);
	says(2, NLMSG_DONE, NLM_F_MULTI, 0);
	assert_int_equal(dump(), 0);
	assert_int_equal(sum, 8);
}

static void always_interrupted(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 1; i <= 20; i++)
		says(i, NLMSG_DONE, NLM_F_MULTI | NLM_F_DUMP_INTR, 0);
	assert_int_equal(dump(), -EAGAIN);
	assert_int_equal(restarts, 20);
}

static void refused(void **state)
{
	(void)state;
	says(1, ITEM, NLM_F_MULTI, 1);
	says(1, NLMSG_DONE, NLM_F_MULTI, -EPERM);
	assert_int_equal(dump(), -EPERM);
	assert_int_equal(restarts, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(quiet),
		TEST(interrupted_dump),
		TEST(interrupted_by_error),
		TEST(always_interrupted),
		TEST(refused),
	};

	return cmocka_run_group_tests_name("nl", tests, NULL, NULL);
}
