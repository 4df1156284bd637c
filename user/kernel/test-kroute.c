// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>

#include "base/test.h"

#include "kernel/kroute.h"
#include "kernel/nl.h"

static struct nl_msg *message(int type, int flags, int family, int len)
{
	struct rtmsg rtm = {
		.rtm_family = family, .rtm_dst_len = len,
		.rtm_table = RT_TABLE_MAIN, .rtm_type = RTN_UNICAST,
		.rtm_protocol = RTPROT_BIRD,
	};

	return nlx_msg(type, flags, &rtm, sizeof(rtm));
}

static void put_addr(struct nl_msg *msg, int attr, const char *s)
{
	struct addr a;

	assert_int_equal(addr_parse(s, &a), 0);
	nlx_addr(msg, attr, &a);
}

static void plain4(void **state)
{
	struct nl_msg *msg = message(RTM_NEWROUTE, NLM_F_REPLACE, AF_INET, 13);
	struct kroute r;

	(void)state;
	put_addr(msg, RTA_DST, "104.16.0.0");
	nlx_u32(msg, RTA_TABLE, 1000);
	nlx_u32(msg, RTA_PRIORITY, 32);
	put_addr(msg, RTA_GATEWAY, "192.0.2.10");
	nlx_u32(msg, RTA_OIF, 7);
	assert_true(kroute_parse(nlmsg_hdr(msg), &r));
	assert_false(r.del);
	assert_true(r.flags & NLM_F_REPLACE);
	assert_string_equal(addr_prefix_str(&r.dst), "104.16.0.0/13");
	assert_int_equal(r.table, 1000);
	assert_int_equal(r.prio, 32);
	assert_int_equal(r.proto, RTPROT_BIRD);
	assert_int_equal(r.n_hops, 1);
	assert_int_equal(r.hops[0].oif, 7);
	assert_true(r.hops[0].plain);
	assert_string_equal(addr_str(&r.hops[0].via), "192.0.2.10");
	nlmsg_free(msg);
}

/* A route's deletion names it by the same ident, and others have others. */
static void idents(void **state)
{
	struct nl_msg *a = message(RTM_NEWROUTE, 0, AF_INET, 8);
	struct nl_msg *b = message(RTM_DELROUTE, 0, AF_INET, 8);
	struct nl_msg *c = message(RTM_NEWROUTE, 0, AF_INET, 8);
	struct rta_cacheinfo clock = { .rta_expires = 5 };
	struct kroute ra, rb, rc;

	(void)state;
	put_addr(a, RTA_DST, "10.0.0.0");
	nlx_u32(a, RTA_OIF, 7);
	put_addr(b, RTA_DST, "10.0.0.0");
	nlx_u32(b, RTA_OIF, 7);
	nlx_put(b, RTA_CACHEINFO, &clock, sizeof(clock));
	put_addr(c, RTA_DST, "10.0.0.0");
	nlx_u32(c, RTA_OIF, 7);
	put_addr(c, RTA_PREFSRC, "10.0.0.1");
	assert_true(kroute_parse(nlmsg_hdr(a), &ra));
	assert_true(kroute_parse(nlmsg_hdr(b), &rb));
	assert_true(kroute_parse(nlmsg_hdr(c), &rc));
	assert_true(rb.del);
	assert_int_equal(ra.ident, rb.ident);
	assert_int_not_equal(ra.ident, rc.ident);
	assert_string_equal(addr_str(&rc.prefsrc), "10.0.0.1");
	nlmsg_free(a);
	nlmsg_free(b);
	nlmsg_free(c);
}

static void multipath6(void **state)
{
	struct nl_msg *msg = message(RTM_NEWROUTE, 0, AF_INET6, 32);
	struct {
		struct rtnexthop n;
		struct nlattr a;
		uint8_t via[16];
	} hops[2] = {};
	struct kroute r;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		hops[i].n.rtnh_len = sizeof(hops[i]);
		hops[i].n.rtnh_ifindex = 5 + i;
		hops[i].a.nla_len = NLA_HDRLEN + 16;
		hops[i].a.nla_type = RTA_GATEWAY;
		hops[i].via[15] = 1 + i;
	}
	put_addr(msg, RTA_DST, "2001:db8::");
	nlx_put(msg, RTA_MULTIPATH, hops, sizeof(hops));
	assert_true(kroute_parse(nlmsg_hdr(msg), &r));
	assert_true(r.multipath);
	assert_int_equal(r.n_hops, 2);
	assert_int_equal(r.hops[1].oif, 6);
	assert_string_equal(addr_str(&r.hops[1].via), "::2");
	assert_int_not_equal(r.hops[0].ident, r.hops[1].ident);
	nlmsg_free(msg);

	/* A way whose length leads astray ends the list. */
	hops[1].n.rtnh_len = 4000;
	msg = message(RTM_NEWROUTE, 0, AF_INET6, 32);
	nlx_put(msg, RTA_MULTIPATH, hops, sizeof(hops));
	assert_true(kroute_parse(nlmsg_hdr(msg), &r));
	assert_int_equal(r.n_hops, 1);
	nlmsg_free(msg);
}

/* Ways in the kernel's order, with their weights, the dead ones too. */
static void multipath4(void **state)
{
	struct nl_msg *msg[2];
	struct kroute r[2];
	struct {
		struct rtnexthop n;
		struct nlattr a;
		uint8_t via[4];
	} hops[3] = {};
	int i, k;

	(void)state;
	for (i = 0; i < 3; i++) {
		hops[i].n.rtnh_len = sizeof(hops[i]);
		hops[i].n.rtnh_ifindex = 9 - i;
		hops[i].n.rtnh_hops = i ? 255 - i : 0;
		hops[i].a.nla_len = NLA_HDRLEN + 4;
		hops[i].a.nla_type = RTA_GATEWAY;
		hops[i].via[3] = 1 + i;
	}
	for (k = 0; k < 2; k++) {
		msg[k] = message(k ? RTM_DELROUTE : RTM_NEWROUTE, 0, AF_INET,
				 8);
		hops[1].n.rtnh_flags = k ? RTNH_F_DEAD | RTNH_F_LINKDOWN : 0;
		nlx_put(msg[k], RTA_MULTIPATH, hops, sizeof(hops));
		assert_true(kroute_parse(nlmsg_hdr(msg[k]), &r[k]));
		assert_true(r[k].plain);
		assert_int_equal(r[k].n_hops, 3);
		for (i = 0; i < 3; i++) {
			assert_int_equal(r[k].hops[i].oif, 9 - i);
			assert_int_equal(r[k].hops[i].weight,
					 i ? 256 - i : 1);
			assert_int_equal(r[k].hops[i].dead, k && i == 1);
			assert_true(r[k].hops[i].plain);
		}
		nlmsg_free(msg[k]);
	}
	/* A way that died is the same way. */
	assert_int_equal(r[0].ident, r[1].ident);
}

/* A route's MTU counts with several ways too. */
static void multipath_mtu(void **state)
{
	struct rtnexthop hops[2] = {
		{ .rtnh_len = sizeof(hops[0]), .rtnh_ifindex = 5 },
		{ .rtnh_len = sizeof(hops[0]), .rtnh_ifindex = 6 },
	};
	struct nl_msg *msg = message(RTM_NEWROUTE, 0, AF_INET, 8);
	struct nlattr *metric = nla_nest_start(msg, RTA_METRICS);
	struct kroute r;

	(void)state;
	nlx_u32(msg, RTAX_MTU, 1300);
	nla_nest_end(msg, metric);
	nlx_put(msg, RTA_MULTIPATH, hops, sizeof(hops));
	assert_true(kroute_parse(nlmsg_hdr(msg), &r));
	assert_int_equal(r.n_hops, 2);
	assert_false(r.plain);
	nlmsg_free(msg);
}

/* What the object says to a route is no part of what the route is. */
static void object_ident(void **state)
{
	struct kroute r[3];
	struct nl_msg *msg;
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		msg = message(i ? RTM_NEWROUTE : RTM_DELROUTE, 0, AF_INET, 8);
		nlx_u32(msg, RTA_NH_ID, 5);
		/* The last one is without compat_mode. */
		if (i < 2) {
			nlx_u32(msg, RTA_OIF, 7 + i);
			put_addr(msg, RTA_GATEWAY, "192.0.2.10");
		}
		assert_true(kroute_parse(nlmsg_hdr(msg), &r[i]));
		assert_true(r[i].plain);
		assert_int_equal(r[i].nh_object, 5);
		assert_int_equal(r[i].ident, r[0].ident);
		nlmsg_free(msg);
	}
}

static struct nl_msg *object(int type, int family, uint32_t id)
{
	struct nhmsg nhm = { .nh_family = family };
	struct nl_msg *msg = nlx_msg(type, 0, &nhm, sizeof(nhm));

	nlx_u32(msg, NHA_ID, id);
	return msg;
}

static void objects(void **state)
{
	static const int special[] = { NHA_BLACKHOLE, NHA_FDB, NHA_ENCAP };
	struct knexthop n;
	struct nl_msg *msg;
	unsigned int i;

	(void)state;
	msg = object(RTM_NEWNEXTHOP, AF_INET6, 7);
	nlx_u32(msg, NHA_OIF, 3);
	put_addr(msg, NHA_GATEWAY, "fe80::1");
	assert_true(kroute_parse_nexthop(nlmsg_hdr(msg), &n));
	assert_false(n.del || n.group);
	assert_true(n.plain && n.hop.plain);
	assert_int_equal(n.id, 7);
	assert_int_equal(n.family, AF_INET6);
	assert_int_equal(n.hop.oif, 3);
	assert_int_equal(n.hop.weight, 1);
	assert_string_equal(addr_str(&n.hop.via), "fe80::1");
	nlmsg_free(msg);

	for (i = 0; i < 3; i++) {
		msg = object(RTM_NEWNEXTHOP, AF_INET, 7);
		nlx_u32(msg, NHA_OIF, 3);
		nlx_put(msg, special[i], NULL, 0);
		assert_true(kroute_parse_nexthop(nlmsg_hdr(msg), &n));
		assert_false(n.hop.plain);
		nlmsg_free(msg);
	}

	msg = object(RTM_DELNEXTHOP, AF_INET, 8);
	assert_true(kroute_parse_nexthop(nlmsg_hdr(msg), &n));
	assert_true(n.del);
	assert_int_equal(n.id, 8);
	nlmsg_free(msg);

	msg = nlx_msg(RTM_NEWNEXTHOP, 0, &(struct nhmsg){},
		      sizeof(struct nhmsg));
	assert_false(kroute_parse_nexthop(nlmsg_hdr(msg), &n));
	nlmsg_free(msg);
}

static void groups(void **state)
{
	/* The high byte of a weight follows the low one. */
	static const uint8_t parts[] = {
		2, 0, 0, 0, 0, 0, 0, 0,
		1, 0, 0, 0, 4, 1, 0, 0,
	};
	struct knexthop n;
	struct nl_msg *msg;
	int type;

	(void)state;
	/* -1: not told. */
	for (type = -1; type < 3; type++) {
		msg = object(RTM_NEWNEXTHOP, AF_UNSPEC, 9);
		if (type >= 0)
			nlx_u16(msg, NHA_GROUP_TYPE, type);
		nlx_put(msg, NHA_GROUP, parts, sizeof(parts));
		assert_true(kroute_parse_nexthop(nlmsg_hdr(msg), &n));
		assert_true(n.group);
		assert_int_equal(n.plain, type == NEXTHOP_GRP_TYPE_MPATH);
		assert_int_equal(n.n_members, 2);
		assert_int_equal(n.members[0].id, 2);
		assert_int_equal(n.members[0].weight, 1);
		assert_int_equal(n.members[1].id, 1);
		assert_int_equal(n.members[1].weight, 261);
		nlmsg_free(msg);
	}
	msg = object(RTM_NEWNEXTHOP, AF_UNSPEC, 9);
	nlx_u16(msg, NHA_GROUP_TYPE, NEXTHOP_GRP_TYPE_MPATH);
	nlx_put(msg, NHA_GROUP, parts, sizeof(parts));
	nlx_put(msg, NHA_FDB, NULL, 0);
	assert_true(kroute_parse_nexthop(nlmsg_hdr(msg), &n));
	assert_false(n.plain);
	nlmsg_free(msg);
}

/* What the module can't do isn't plain. */
static void not_plain(void **state)
{
	struct { uint16_t family; uint8_t a[16]; } via = { AF_INET6, { 1 } };
	struct nlattr *metric;
	struct kroute r;
	struct nl_msg *msg;

	(void)state;
	msg = message(RTM_NEWROUTE, 0, AF_INET, 8);
	nlx_put(msg, RTA_VIA, &via, sizeof(via));
	assert_true(kroute_parse(nlmsg_hdr(msg), &r));
	assert_false(r.hops[0].plain);
	nlmsg_free(msg);

	msg = message(RTM_NEWROUTE, 0, AF_INET, 8);
	nlx_u32(msg, RTA_NH_ID, 5);
	assert_true(kroute_parse(nlmsg_hdr(msg), &r));
	assert_int_equal(r.nh_object, 5);
	nlmsg_free(msg);

	msg = message(RTM_NEWROUTE, 0, AF_INET, 8);
	nlx_u16(msg, RTA_ENCAP_TYPE, 1);
	assert_true(kroute_parse(nlmsg_hdr(msg), &r));
	assert_false(r.hops[0].plain);
	nlmsg_free(msg);

	msg = message(RTM_NEWROUTE, 0, AF_INET, 8);
	((struct rtmsg *)nlmsg_data(nlmsg_hdr(msg)))->rtm_type = RTN_BLACKHOLE;
	assert_true(kroute_parse(nlmsg_hdr(msg), &r));
	assert_false(r.plain);
	nlmsg_free(msg);

	/* ip route ... mtu 1300: the module knows devices' MTUs only */
	msg = message(RTM_NEWROUTE, 0, AF_INET, 8);
	metric = nla_nest_start(msg, RTA_METRICS);
	nlx_u32(msg, RTAX_MTU, 1300);
	nla_nest_end(msg, metric);
	assert_true(kroute_parse(nlmsg_hdr(msg), &r));
	assert_false(r.plain);
	nlmsg_free(msg);

	msg = message(RTM_NEWROUTE, 0, AF_INET, 8);
	metric = nla_nest_start(msg, RTA_METRICS);
	nlx_u32(msg, RTAX_RTT, 10);
	nla_nest_end(msg, metric);
	assert_true(kroute_parse(nlmsg_hdr(msg), &r));
	assert_true(r.plain);
	nlmsg_free(msg);
}

static void no_routes(void **state)
{
	struct nl_msg *msg;
	struct kroute r;

	(void)state;
	msg = message(RTM_NEWROUTE, 0, AF_UNIX, 20);
	assert_false(kroute_parse(nlmsg_hdr(msg), &r));
	nlmsg_free(msg);

	msg = message(RTM_NEWROUTE, 0, AF_INET, 33);
	assert_false(kroute_parse(nlmsg_hdr(msg), &r));
	nlmsg_free(msg);

	msg = message(RTM_NEWROUTE, 0, AF_INET6, 128);
	((struct rtmsg *)nlmsg_data(nlmsg_hdr(msg)))->rtm_flags =
		RTM_F_CLONED;
	assert_false(kroute_parse(nlmsg_hdr(msg), &r));
	nlmsg_free(msg);
}

/* Attributes of any size and kind: for the sanitizers to judge. */
static void garbage(void **state)
{
	unsigned int n, i, seed = 1;
	struct knexthop object;
	uint8_t data[64];
	struct nl_msg *msg;
	struct kroute r;

	(void)state;
	for (n = 0; n < 20000; n++) {
		msg = message(RTM_NEWROUTE, 0, n & 1 ? AF_INET : AF_INET6, 24);
		for (i = 0; i < 4; i++) {
			unsigned int k;

			for (k = 0; k < sizeof(data); k++) {
				seed = seed * 1103515245 + 12345;
				data[k] = seed >> 16 & (k & 1 ? 0xff : 0x1f);
			}
			seed = seed * 1103515245 + 12345;
			nlx_put(msg, (seed >> 16) % 32, data,
				(seed >> 8) % sizeof(data));
		}
		kroute_parse(nlmsg_hdr(msg), &r);
		kroute_parse_nexthop(nlmsg_hdr(msg), &object);
		nlmsg_free(msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain4),
		cmocka_unit_test(idents),
		cmocka_unit_test(multipath6),
		cmocka_unit_test(multipath4),
		cmocka_unit_test(multipath_mtu),
		cmocka_unit_test(object_ident),
		cmocka_unit_test(objects),
		cmocka_unit_test(groups),
		cmocka_unit_test(not_plain),
		cmocka_unit_test(no_routes),
		cmocka_unit_test(garbage),
	};

	return cmocka_run_group_tests_name("kroute", tests, NULL, NULL);
}
