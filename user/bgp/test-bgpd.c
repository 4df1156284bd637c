// SPDX-License-Identifier: GPL-2.0
/* What BIRD 2.0.12 says, word by word. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/test.h"
#include "bgp/bgpd.h"

static const char up[] =
"Name       Proto      Table      State  Since         Info\n"
"device1    Device     ---        up     20:30:14.135  \n"
"\n"
"own4       Static     master4    up     20:30:14.135  \n"
"  Channel ipv4\n"
"    State:          UP\n"
"    Routes:         1 imported, 0 exported, 1 preferred\n"
"\n"
"s4         BGP        ---        up     20:30:38.019  Established   \n"
"  BGP state:          Established\n"
"    Neighbor address: 192.0.2.10\n"
"    Neighbor AS:      13335\n"
"    Local AS:         65010\n"
"    Neighbor ID:      192.0.2.10\n"
"    Local capabilities\n"
"      Multiprotocol\n"
"        AF announced: ipv4 ipv6\n"
"    Session:          external multihop AS4\n"
"    Source address:   192.0.2.11\n"
"    Hold timer:       235.075/240\n"
"    Keepalive timer:  65.141/80\n"
"  Channel ipv4\n"
"    State:          UP\n"
"    Table:          master4\n"
"    Preference:     100\n"
"    Input filter:   cloudflare_in\n"
"    Output filter:  (unnamed)\n"
"    Import limit:   2 [HIT]\n"
"      Action:       block\n"
"    Routes:         2 imported, 1 filtered, 7 exported, 2 preferred\n"
"    Route change stats:     received   rejected   filtered    ignored   accepted\n"
"      Import updates:              9          0          5          0          2\n"
"      Import withdraws:            0          0        ---          1          0\n"
"      Export updates:              3          2          0        ---          1\n"
"    BGP Next hop:   192.0.2.11\n"
"  Channel ipv6\n"
"    State:          UP\n"
"    Input filter:   ACCEPT\n"
"    Output filter:  REJECT\n"
"    Routes:         1 imported, 0 exported, 1 preferred\n"
"    Route change stats:     received   rejected   filtered    ignored   accepted\n"
"      Import updates:              1          0          3          0          1\n"
"\n";

static const char down[] =
"Name       Proto      Table      State  Since         Info\n"
"peer9      BGP        ---        down   20:30:14.135  \n"
"  BGP state:          Down\n"
"    Neighbor address: 192.0.2.99\n"
"    Neighbor AS:      64999\n"
"    Local AS:         65010\n"
"  Channel ipv4\n"
"    State:          DOWN\n"
"\n"
"s6         BGP        ---        start  20:30:14.135  Active        Socket: Network is unreachable\n"
"  BGP state:          Active\n"
"    Neighbor address: fe80::1%eth0\n"
"    Neighbor AS:      13335\n"
"    Local AS:         65010\n"
"    Connect delay:    3.482/5\n"
"    Last error:       Socket: Network is unreachable\n"
"  Channel ipv6\n"
"    State:          DOWN\n"
"    Input filter:   in6\n"
"    Routes:         0 imported, 0 exported, 0 preferred\n"
"    Route change stats:     received   rejected   filtered    ignored   accepted\n"
"      Import updates:              8          0          4          0          4\n"
"\n";

static void parse(const char *text, const char *peer, struct bgpd *b)
{
	struct addr a;

	memset(b, 0, sizeof(*b));
	assert_int_equal(addr_parse(peer, &a), ADDR_OK);
	bgpd_bird_parse(text, &a, 1, b);
}

static void test_up(void **state)
{
	struct bgpd b;

	(void)state;
	parse(up, "192.0.2.10", &b);
	assert_int_equal(b.n, 1);
	assert_string_equal(b.sessions[0].name, "s4");
	assert_true(b.sessions[0].established);
	assert_false(b.sessions[0].disabled);
	assert_int_equal(b.sessions[0].local_as, 65010);
	assert_int_equal(b.sessions[0].peer_as, 13335);
	assert_string_equal(b.sessions[0].error, "");
	assert_true(b.sessions[0].fam[0].on);
	assert_true(b.sessions[0].fam[0].limit_hit);
	assert_int_equal(b.sessions[0].fam[0].limit, 2);
	assert_int_equal(b.sessions[0].fam[0].accepted, 2);
	assert_int_equal(b.sessions[0].fam[0].announced, 7);
	assert_int_equal(b.sessions[0].fam[0].filtered_is, BGPD_KEPT);
	assert_int_equal(b.sessions[0].fam[0].filtered, 1);
	assert_string_equal(b.sessions[0].fam[0].filter, "cloudflare_in");
	assert_true(b.sessions[0].fam[1].on);
	assert_false(b.sessions[0].fam[1].limit_hit);
	assert_int_equal(b.sessions[0].fam[1].accepted, 1);
	/* Of a filter that was there before */
	assert_int_equal(b.sessions[0].fam[1].filtered_is, BGPD_SO_FAR);
	assert_int_equal(b.sessions[0].fam[1].filtered, 0);
	bgpd_free(&b);
}

static void test_down(void **state)
{
	struct bgpd b;

	(void)state;
	parse(down, "192.0.2.99", &b);
	assert_int_equal(b.n, 1);
	assert_true(b.sessions[0].disabled);
	assert_false(b.sessions[0].established);
	assert_false(b.sessions[0].fam[0].on);
	bgpd_free(&b);
	parse(down, "fe80::1", &b);
	assert_int_equal(b.n, 1);
	assert_string_equal(b.sessions[0].name, "s6");
	assert_string_equal(b.sessions[0].state, "Active");
	assert_string_equal(b.sessions[0].error,
			    "Socket: Network is unreachable");
	assert_int_equal(b.sessions[0].fam[1].filtered, 4);
	bgpd_free(&b);
}

static void test_none(void **state)
{
	struct bgpd b;

	(void)state;
	parse(up, "192.0.2.12", &b);
	assert_int_equal(b.n, 0);
	bgpd_free(&b);
	parse("", "192.0.2.12", &b);
	assert_int_equal(b.n, 0);
	parse("x BGP\n  Channel ipv4\n    Routes:\n    Import updates: 1\n",
	      "192.0.2.12", &b);
	assert_int_equal(b.n, 0);
	bgpd_free(&b);
}

/* Greets, and is gone before it's asked. */
static void *ends(void *listening)
{
	static const char greeting[] = "0001 BIRD 2.0.12 ready.\n";
	int fd = accept(*(int *)listening, NULL, NULL);

	shutdown(fd, SHUT_RD);
	if (write(fd, greeting, strlen(greeting)) < 0)
		perror("write");
	close(fd);
	return NULL;
}

static void test_ends_early(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/test-bgpd.XXXXXX";
	pthread_t thread;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/ctl", dir);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(pthread_create(&thread, NULL, ends, &fd), 0);
	assert_null(bgpd_bird_command(a.sun_path, "show protocols all"));
	assert_int_equal(errno, EPIPE);
	pthread_join(thread, NULL);
	close(fd);
	unlink(a.sun_path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends_early),
		cmocka_unit_test(test_up),
		cmocka_unit_test(test_down),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
