// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/number.h"

unsigned int addr_bytes(const struct addr *a)
{
	return a->family == AF_INET ? 4 : a->family == AF_INET6 ? 16 : 0;
}

unsigned int addr_bits(const struct addr *a)
{
	return addr_bytes(a) * 8;
}

enum addr_error addr_parse(const char *s, struct addr *a)
{
	struct addr r = {};

	if (strchr(s, '/'))
		return ADDR_EXTRA_LEN;
	r.family = strchr(s, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(r.family, s, r.b) != 1)
		return ADDR_BAD;
	r.len = addr_bits(&r);
	*a = r;
	return ADDR_OK;
}

enum addr_error addr_parse_prefix(const char *s, struct addr *a)
{
	const char *slash = strchr(s, '/');
	char host[INET6_ADDRSTRLEN];
	enum addr_error e;
	struct addr r;
	uint64_t len;

	if (!slash) {
		e = addr_parse(s, &r);
		return e ? e : ADDR_NO_LEN;
	}
	if ((size_t)(slash - s) >= sizeof(host))
		return ADDR_BAD;
	memcpy(host, s, slash - s);
	host[slash - s] = '\0';
	e = addr_parse(host, &r);
	if (e)
		return e;
	if (!number_parse(slash + 1, false, addr_bits(&r), &len))
		return ADDR_BAD_LEN;
	r.len = len;
	*a = r;
	return ADDR_OK;
}

enum addr_error addr_parse_route(const char *s, int family, struct addr *a)
{
	enum addr_error e;

	if (!strcmp(s, "default")) {
		memset(a, 0, sizeof(*a));
		a->family = family;
		return ADDR_OK;
	}
	if (strchr(s, '/'))
		e = addr_parse_prefix(s, a);
	else
		e = addr_parse(s, a);
	return e;
}

const char *addr_strerror(enum addr_error e)
{
	switch (e) {
	case ADDR_OK:
		return "is fine";
	case ADDR_BAD:
		return "isn't an IP address";
	case ADDR_NO_LEN:
		return "has no prefix length (such as /31)";
	case ADDR_BAD_LEN:
		return "has a prefix length that is out of range";
	case ADDR_EXTRA_LEN:
		return "has a prefix length where only an address belongs";
	}
	return "isn't valid";
}

static char *next_buf(void)
{
	static char bufs[8][INET6_ADDRSTRLEN + 4];
	static unsigned int turn;

	return bufs[turn++ % 8];
}

const char *addr_str(const struct addr *a)
{
	char *buf = next_buf();

	if (!a->family)
		strcpy(buf, "none");
	else
		inet_ntop(a->family, a->b, buf, INET6_ADDRSTRLEN);
	return buf;
}

const char *addr_prefix_str(const struct addr *a)
{
	char *buf = next_buf();
	size_t n;

	if (!a->family) {
		strcpy(buf, "none");
		return buf;
	}
	inet_ntop(a->family, a->b, buf, INET6_ADDRSTRLEN);
	n = strlen(buf);
	snprintf(buf + n, INET6_ADDRSTRLEN + 4 - n, "/%u", a->len);
	return buf;
}

bool addr_same(const struct addr *a, const struct addr *b)
{
	return a->family == b->family &&
	       !memcmp(a->b, b->b, addr_bytes(a));
}

int addr_cmp(const void *pa, const void *pb)
{
	const struct addr *a = pa, *b = pb;
	int d = a->family - b->family;

	if (!d)
		d = memcmp(a->b, b->b, sizeof(a->b));
	return d ? d : a->len - b->len;
}

struct addr addr_network(const struct addr *a)
{
	unsigned int i, n = addr_bytes(a), len = a->len;
	struct addr r = *a;

	for (i = 0; i < n; i++) {
		if (len >= 8) {
			len -= 8;
			continue;
		}
		r.b[i] &= 0xff00 >> len;
		len = 0;
	}
	return r;
}

bool addr_covers(const struct addr *net, const struct addr *a)
{
	struct addr r = *a;

	if (net->family != a->family || net->len > a->len)
		return false;
	r.len = net->len;
	r = addr_network(&r);
	return addr_same(net, &r);
}

struct addr addr_other(const struct addr *a)
{
	struct addr r = *a;

	r.b[addr_bytes(a) - 1] ^= a->len == addr_bits(a) - 1 ? 1 : 3;
	return r;
}

struct addr addr_from4(uint32_t be, unsigned int len)
{
	struct addr r = { .family = AF_INET, .len = len };

	memcpy(r.b, &be, 4);
	return r;
}

struct addr addr_from6(const void *b, unsigned int len)
{
	struct addr r = { .family = AF_INET6, .len = len };

	memcpy(r.b, b, 16);
	return r;
}

uint32_t addr_be32(const struct addr *a)
{
	uint32_t be;

	memcpy(&be, a->b, 4);
	return be;
}

const char *addr_host_problem(const struct addr *a)
{
	static const uint8_t zero[16];

	if (!memcmp(a->b, zero, addr_bytes(a)))
		return "is the unspecified address";
	if (a->family == AF_INET) {
		if (a->b[0] == 127)
			return "is a loopback address";
		if (a->b[0] == 0)
			return "is in 0.0.0.0/8, which hosts can't use";
		if (a->b[0] >= 224)
			return "is a multicast or reserved address";
		return NULL;
	}
	if (!memcmp(a->b, zero, 15) && a->b[15] == 1)
		return "is the loopback address";
	if (a->b[0] == 0xff)
		return "is a multicast address";
	if (!memcmp(a->b, zero, 10) && a->b[10] == 0xff && a->b[11] == 0xff)
		return "is an IPv4 address in IPv6 form";
	return NULL;
}

/* Host bits all zero or all one: the ends of a /30 can't use these. */
static bool net_or_broadcast(const struct addr *a)
{
	unsigned int low = a->b[3] & 3;

	return a->family == AF_INET && a->len == 30 && (low == 0 || low == 3);
}

const char *addr_pair_problem(const struct addr *a, const struct addr *b)
{
	struct addr na, nb;

	if (a->family != b->family)
		return "are of different IP versions";
	if (a->family == AF_INET && a->len != 31 && a->len != 30)
		return "need the length /31 (or /30), as a point-to-point link has";
	if (a->family == AF_INET6 && a->len != 127 && a->len != 126)
		return "need the length /127 (or /126), as a point-to-point link has";
	if (a->len != b->len)
		return "have different prefix lengths";
	if (addr_same(a, b))
		return "are the same address: the two ends need one each";
	na = addr_network(a);
	nb = addr_network(b);
	if (!addr_same(&na, &nb))
		return "aren't in the same prefix, so they can't be the two ends of one link";
	if (net_or_broadcast(a) || net_or_broadcast(b))
		return "include the network or broadcast address of their /30";
	return NULL;
}
