// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>
#include <linux/genetlink.h>

#include "base/test.h"

#include "module/genl.h"

static struct addr prefix(const char *s)
{
	struct addr a;

	assert_int_equal(addr_parse_prefix(s, &a), 0);
	return a;
}

static void same(const struct khop *a, const struct khop *b, unsigned int n)
{
	while (n--) {
		assert_int_equal(a[n].oif, b[n].oif);
		assert_int_equal(a[n].weight, b[n].weight);
		assert_memory_equal(&a[n].via, &b[n].via, sizeof(a[n].via));
	}
}

/* What is put together is read as it was, in its order. */
static void round_trip(const char *dst, unsigned int n)
{
	struct cni_entry out = { .dst = prefix(dst), .forward = n != 0 };
	struct khop hops[KHOPS_MAX] = {};
	char buf[CNI_ROUTE_MAX];
	struct cni_route r;
	unsigned int i;

	for (i = 0; i < n; i++) {
		hops[i].oif = 1000 - i;
		hops[i].weight = n == 1 ? 1 : 65536 - i;
		if (i % 3 == 2)
			continue;
		hops[i].via.family = out.dst.family;
		hops[i].via.len = addr_bits(&out.dst);
		hops[i].via.b[3] = i;
	}
	out.hops = hops;
	out.n_hops = n;
	assert_true(cni_put_route(buf, &out) - buf <= CNI_ROUTE_MAX);
	cni_parse_route((struct nlattr *)buf, &r);
	assert_true(addr_same(&r.dst, &out.dst));
	assert_int_equal(r.dst.len, out.dst.len);
	assert_int_equal(r.punt, !n);
	assert_int_equal(r.n_hops, n);
	same(r.hops, hops, n);
}

static void routes(void **state)
{
	unsigned int n;

	(void)state;
	for (n = 0; n <= KHOPS_MAX; n++) {
		round_trip("104.16.0.0/13", n);
		round_trip("2001:db8::/32", n);
	}
}

/* A single one's weight isn't said: nothing for it to have a share of. */
static void one(void **state)
{
	struct khop hop = { .oif = 5, .weight = 1 };
	struct cni_entry out = {
		.dst = prefix("10.0.0.0/8"), .forward = true, .hops = &hop,
		.n_hops = 1,
	};
	struct nlattr *tb[CNILINK_A_ROUTE_MAX + 1];
	char buf[CNI_ROUTE_MAX];

	(void)state;
	cni_put_route(buf, &out);
	nla_parse_nested(tb, CNILINK_A_ROUTE_MAX, (struct nlattr *)buf, NULL);
	assert_int_equal(nla_len(tb[CNILINK_A_ROUTE_NEXTHOP]), 8);
	out.del = true;
	cni_put_route(buf, &out);
	nla_parse_nested(tb, CNILINK_A_ROUTE_MAX, (struct nlattr *)buf, NULL);
	assert_null(tb[CNILINK_A_ROUTE_ACTION]);
	assert_null(tb[CNILINK_A_ROUTE_NEXTHOP]);
}

static void lookup(void **state)
{
	struct genlmsghdr head = { .cmd = CNILINK_CMD_ROUTE_LOOKUP };
	struct nl_msg *msg = nlx_msg(20, 0, &head, sizeof(head));
	struct nlattr *nest;
	struct cni_lookup l;
	uint32_t i;

	(void)state;
	nlx_u8(msg, CNILINK_A_LOOKUP_PREFIX_LEN, 8);
	/* More than a route can have are cut off. */
	for (i = 0; i < KHOPS_MAX + 3; i++) {
		nest = nlx_nest(msg, CNILINK_A_LOOKUP_NEXTHOP);
		nlx_u32(msg, CNILINK_A_NEXTHOP_OIF, 10 + i);
		if (i)
			nlx_u32(msg, CNILINK_A_NEXTHOP_WEIGHT, i);
		nla_nest_end(msg, nest);
	}
	nlx_u32(msg, CNILINK_A_LOOKUP_MTU, 1476);
	cni_parse_lookup(nlmsg_hdr(msg), &l);
	assert_int_equal(l.prefix_len, 8);
	assert_int_equal(l.mtu, 1476);
	assert_int_equal(l.n_hops, KHOPS_MAX);
	for (i = 0; i < l.n_hops; i++) {
		assert_int_equal(l.hops[i].oif, 10 + i);
		assert_int_equal(l.hops[i].weight, i ? i : 1);
		assert_int_equal(l.hops[i].via.family, 0);
	}
	nlmsg_free(msg);
}

/* A tunnel's two stages have counters each. */
static void tunnel(void **state)
{
	struct genlmsghdr head = { .cmd = CNILINK_CMD_TUNNEL_GET };
	struct nl_msg *msg = nlx_msg(20, 0, &head, sizeof(head));
	struct cni_tunnel t;
	struct nlattr *nest;

	(void)state;
	nlx_u32(msg, CNILINK_A_TUNNEL_IFINDEX, 7);
	cni_parse_tunnel(nlmsg_hdr(msg), &t);
	assert_int_equal(t.opts.flags, 0);
	assert_int_equal(t.input.rx_packets + t.output.tx_packets, 0);
	nlx_u32(msg, CNILINK_A_TUNNEL_FLAGS,
		CNILINK_TUNNEL_FLAG_BYPASS_NETFILTER);
	nest = nlx_nest(msg, CNILINK_A_TUNNEL_OUTPUT);
	nlx_u64(msg, CNILINK_A_STATS_TX_PACKETS, 3);
	nla_nest_end(msg, nest);
	nest = nlx_nest(msg, CNILINK_A_TUNNEL_INPUT);
	nlx_u64(msg, CNILINK_A_STATS_RX_PACKETS, 5);
	nlx_u64(msg, CNILINK_A_STATS_RX_BYTES, 1ull << 40);
	nla_nest_end(msg, nest);
	cni_parse_tunnel(nlmsg_hdr(msg), &t);
	assert_int_equal(t.ifindex, 7);
	assert_int_equal(t.opts.flags, CNILINK_TUNNEL_FLAG_BYPASS_NETFILTER);
	assert_int_equal(t.output.tx_packets, 3);
	assert_int_equal(t.output.rx_packets, 0);
	assert_int_equal(t.input.rx_packets, 5);
	assert_int_equal(t.input.rx_bytes, 1ull << 40);
	assert_int_equal(t.stats.rx_packets, 0);
	nlmsg_free(msg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(routes),
		cmocka_unit_test(one),
		cmocka_unit_test(lookup),
		cmocka_unit_test(tunnel),
	};

	return cmocka_run_group_tests_name("genl", tests, NULL, NULL);
}
