// SPDX-License-Identifier: GPL-2.0
/* Whether a packet that isn't wholly known fits a match of nft's. */
#include <netinet/in.h>
#include <net/ethernet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/packet.h"

#define SYN 2

struct symbol {
	const char *name;
	uint32_t n;
};

static const struct symbol protos[] = {
	{ "icmp", IPPROTO_ICMP }, { "igmp", 2 }, { "ipencap", 4 },
	{ "tcp", IPPROTO_TCP }, { "udp", IPPROTO_UDP }, { "dccp", 33 },
	{ "ipv6", 41 }, { "gre", IPPROTO_GRE }, { "esp", 50 }, { "ah", 51 },
	{ "icmpv6", IPPROTO_ICMPV6 }, { "ipv6-icmp", IPPROTO_ICMPV6 },
	{ "ospf", 89 }, { "vrrp", 112 }, { "l2tp", 115 }, { "sctp", 132 },
	{ "comp", 108 }, { "ipcomp", 108 }, { "udplite", 136 }, {}
};

static const struct symbol nfprotos[] = {
	{ "ipv4", 2 }, { "ipv6", 10 }, {}
};

static const struct symbol ethertypes[] = {
	{ "ip", ETHERTYPE_IP }, { "ip6", ETHERTYPE_IPV6 },
	{ "arp", ETHERTYPE_ARP }, { "vlan", ETHERTYPE_VLAN }, {}
};

static const struct symbol pkttypes[] = {
	{ "host", 0 }, { "unicast", 0 }, { "broadcast", 1 },
	{ "multicast", 2 }, { "other", 3 }, {}
};

static const struct symbol icmp_types[] = {
	{ "echo-reply", 0 }, { "destination-unreachable", 3 },
	{ "source-quench", 4 }, { "redirect", 5 }, { "echo-request", 8 },
	{ "router-advertisement", 9 }, { "router-solicitation", 10 },
	{ "time-exceeded", 11 }, { "parameter-problem", 12 },
	{ "timestamp-request", 13 }, { "timestamp-reply", 14 },
	{ "info-request", 15 }, { "info-reply", 16 },
	{ "address-mask-request", 17 }, { "address-mask-reply", 18 }, {}
};

static const struct symbol icmpv6_types[] = {
	{ "destination-unreachable", 1 }, { "packet-too-big", 2 },
	{ "time-exceeded", 3 }, { "parameter-problem", 4 },
	{ "echo-request", 128 }, { "echo-reply", 129 },
	{ "mld-listener-query", 130 }, { "mld-listener-report", 131 },
	{ "mld-listener-done", 132 }, { "mld-listener-reduction", 132 },
	{ "nd-router-solicit", 133 }, { "nd-router-advert", 134 },
	{ "nd-neighbor-solicit", 135 }, { "nd-neighbor-advert", 136 },
	{ "nd-redirect", 137 }, { "router-renumbering", 138 },
	{ "ind-neighbor-solicit", 141 }, { "ind-neighbor-advert", 142 },
	{ "mld2-listener-report", 143 }, {}
};

static const struct symbol tcp_flags[] = {
	{ "fin", 1 }, { "syn", SYN }, { "rst", 4 }, { "psh", 8 },
	{ "ack", 16 }, { "urg", 32 }, { "ecn", 64 }, { "cwr", 128 }, {}
};

static const struct symbol states[] = {
	{ "invalid", CT_INVALID }, { "established", CT_ESTABLISHED },
	{ "related", CT_RELATED }, { "new", CT_NEW },
	{ "untracked", CT_UNTRACKED }, {}
};

static const struct symbol statuses[] = {
	{ "expected", 1 }, { "seen-reply", 2 }, { "assured", 4 },
	{ "confirmed", 8 }, { "snat", 16 }, { "dnat", 32 }, { "dying", 512 },
	{}
};

static const struct symbol directions[] = {
	{ "original", 0 }, { "reply", 1 }, {}
};

static const struct symbol fib_types[] = {
	{ "unicast", 1 }, { "local", 2 }, { "broadcast", 3 },
	{ "anycast", 4 }, { "multicast", 5 }, { "blackhole", 6 },
	{ "unreachable", 7 }, { "prohibit", 8 }, {}
};

/* What is asked of a packet. Numbers and addresses are as long as IPv6's. */
struct value {
	enum { UNKNOWN, ABSENT, SPAN, DEVICE, STATE } kind;
	uint8_t lo[16], hi[16];
	const char *dev;
	const struct symbol *symbols;
	int family;		/* of addresses */
};

static enum tri not(enum tri t)
{
	return t == TRI_MAYBE ? t : t == TRI_YES ? TRI_NO : TRI_YES;
}

static void put(uint8_t *b, uint32_t n)
{
	memset(b, 0, 16);
	n = htonl(n);
	memcpy(b + 12, &n, 4);
}

static uint32_t take(const uint8_t *b)
{
	uint32_t n;

	memcpy(&n, b + 12, 4);
	return ntohl(n);
}

static struct value span(uint32_t lo, uint32_t hi, const struct symbol *symbols)
{
	struct value v = { .kind = SPAN, .symbols = symbols };

	put(v.lo, lo);
	put(v.hi, hi);
	return v;
}

static void addr_span(const struct addr *a, uint8_t *lo, uint8_t *hi)
{
	unsigned int i, n = addr_bytes(a);
	struct addr net = addr_network(a);

	memset(lo, 0, 16);
	memset(hi, 0, 16);
	memcpy(lo, net.b, n);
	memcpy(hi, net.b, n);
	for (i = a->len; i < n * 8; i++)
		hi[i / 8] |= 0x80 >> i % 8;
}

static struct value addr_value(const struct packet *p, const struct addr *a)
{
	struct addr any = { .family = p->family };
	struct value v = { .kind = SPAN, .family = p->family };

	addr_span(a->family ? a : &any, v.lo, v.hi);
	return v;
}

static struct value meta(const struct packet *p, const char *key)
{
	bool in = *key == 'i';

	if (!strcmp(key, "iifname") || !strcmp(key, "oifname") ||
	    !strcmp(key, "iif") || !strcmp(key, "oif"))
		return (struct value){ .kind = DEVICE,
				       .dev = in ? p->iif : p->oif };
	if (!strcmp(key, "l4proto"))
		return span(p->proto, p->proto, protos);
	if (!strcmp(key, "nfproto"))
		return p->family == AF_INET ? span(2, 2, nfprotos) :
					      span(10, 10, nfprotos);
	if (!strcmp(key, "protocol"))
		return p->family == AF_INET ?
		       span(ETHERTYPE_IP, ETHERTYPE_IP, ethertypes) :
		       span(ETHERTYPE_IPV6, ETHERTYPE_IPV6, ethertypes);
	if (!strcmp(key, "pkttype"))
		return span(0, 0, pkttypes);
	if (!strcmp(key, "mark") && !p->any_mark)
		return span(p->mark, p->mark, NULL);
	return (struct value){ .kind = UNKNOWN };
}

static struct value network(const struct packet *p, const char *proto,
			    const char *field)
{
	if (p->family != (strcmp(proto, "ip") ? AF_INET6 : AF_INET))
		return (struct value){ .kind = ABSENT };
	if (!strcmp(field, "saddr"))
		return addr_value(p, &p->src);
	if (!strcmp(field, "daddr"))
		return addr_value(p, &p->dst);
	if (!strcmp(field, "protocol") ||
	    (!strcmp(field, "nexthdr") && !p->options))
		return span(p->proto, p->proto, protos);
	return (struct value){ .kind = UNKNOWN };
}

/* Of what comes after the IP header. */
static struct value transport(const struct packet *p, const char *proto,
			      const char *field)
{
	const struct symbol *s = protos;
	int port = !strcmp(field, "sport") ? p->sport :
		   !strcmp(field, "dport") ? p->dport : -2;

	while (s->name && strcmp(s->name, proto))
		s++;
	if (s->name && s->n != p->proto)
		return (struct value){ .kind = ABSENT };
	/* "th" reads whatever is there. */
	if (port != -2 && (p->proto == IPPROTO_TCP || p->proto == IPPROTO_UDP))
		return port < 0 ? span(0, 65535, NULL) : span(port, port, NULL);
	if (s->n == IPPROTO_TCP && !strcmp(field, "flags"))
		return p->ct == CT_NEW ? span(SYN, SYN, tcp_flags) :
		       (struct value){ .kind = UNKNOWN, .symbols = tcp_flags };
	if ((s->n == IPPROTO_ICMP || s->n == IPPROTO_ICMPV6) &&
	    !strcmp(field, "type"))
		return span(p->icmp_type, p->icmp_type,
			    s->n == IPPROTO_ICMP ? icmp_types : icmpv6_types);
	return (struct value){ .kind = UNKNOWN };
}

static struct value payload(const struct packet *p, const json_t *o)
{
	const char *proto, *field;

	proto = json_string_value(json_object_get(o, "protocol"));
	field = json_string_value(json_object_get(o, "field"));
	if (!proto || !field || !strcmp(proto, "ether") ||
	    !strcmp(proto, "vlan"))
		return (struct value){ .kind = UNKNOWN };
	if (!strcmp(proto, "ip") || !strcmp(proto, "ip6"))
		return network(p, proto, field);
	return transport(p, proto, field);
}

static bool number(const json_t *o, const struct symbol *s, uint32_t *n)
{
	const char *name = json_string_value(o);
	unsigned long v;
	char *end;

	if (json_is_integer(o)) {
		*n = json_integer_value(o);
		return true;
	}
	if (!name)
		return false;
	for (; s && s->name; s++) {
		if (!strcmp(s->name, name)) {
			*n = s->n;
			return true;
		}
	}
	v = strtoul(name, &end, 0);
	*n = v;
	return end != name && !*end;
}

bool packet_number(const json_t *o, uint32_t *n)
{
	return number(o, NULL, n);
}

/* "syn", ["syn", "ack"], or {"|": ["syn", "ack"]} */
static bool flags(const json_t *o, const struct symbol *s, uint32_t *mask)
{
	const json_t *list = json_object_get(o, "|") ?: o, *one;
	uint32_t n;
	size_t i;

	if (!json_is_array(list))
		return number(o, s, mask);
	*mask = 0;
	json_array_foreach(list, i, one) {
		if (!flags(one, s, &n))
			return false;
		*mask |= n;
	}
	return true;
}

static struct value conntrack(const struct packet *p, const char *key)
{
	if (key && !strcmp(key, "state"))
		return (struct value){ .kind = STATE };
	/* There's no entry to ask. */
	if (!(p->ct & ~(CT_INVALID | CT_UNTRACKED)))
		return (struct value){ .kind = ABSENT };
	if (key && p->ct == CT_NEW) {
		if (!strcmp(key, "direction"))
			return span(0, 0, directions);
		if (!strcmp(key, "status") && !p->translated)
			return span(0, 0, statuses);
	}
	return (struct value){ .kind = UNKNOWN };
}

/* Where it goes is known, but not how routes lead back. */
static struct value fib(const struct packet *p, const json_t *o)
{
	const char *result = json_string_value(json_object_get(o, "result"));
	const json_t *of = json_object_get(o, "flags");

	if (json_is_array(of))
		of = json_array_size(of) == 1 ? json_array_get(of, 0) : NULL;
	if (!result || strcmp(result, "type") || !json_is_string(of) ||
	    strcmp(json_string_value(of), "daddr") || p->translated)
		return (struct value){ .kind = UNKNOWN };
	return p->to_us ? span(2, 2, fib_types) : span(1, 1, fib_types);
}

static struct value value_of(const struct packet *p, const json_t *left)
{
	const json_t *and = json_object_get(left, "&"), *o;
	struct value v = { .kind = UNKNOWN };
	uint32_t mask;

	if ((o = json_object_get(left, "meta")))
		return meta(p, json_string_value(json_object_get(o, "key")) ?:
			       "");
	if ((o = json_object_get(left, "payload")))
		return payload(p, o);
	if ((o = json_object_get(left, "ct")))
		return conntrack(p, json_string_value(json_object_get(o, "key")));
	if ((o = json_object_get(left, "fib")))
		return fib(p, o);
	if (!and)
		return v;
	v = value_of(p, json_array_get(and, 0));
	if (v.kind != SPAN || v.family)
		v.kind = v.kind == ABSENT ? ABSENT : UNKNOWN;
	else if (memcmp(v.lo, v.hi, 16) ||
		 !flags(json_array_get(and, 1), v.symbols, &mask))
		v.kind = UNKNOWN;
	else
		v = span(take(v.lo) & mask, take(v.lo) & mask, v.symbols);
	return v;
}

/* What the right side spans; false where that can't be told. */
static bool bounds(const struct value *v, const json_t *o, uint8_t *lo,
		   uint8_t *hi)
{
	const json_t *prefix = json_object_get(o, "prefix");
	const json_t *range = json_object_get(o, "range");
	const char *s = json_string_value(prefix ?
					  json_object_get(prefix, "addr") : o);
	uint8_t other[16];
	struct addr a;
	uint32_t n;

	if (range)
		return bounds(v, json_array_get(range, 0), lo, other) &&
		       bounds(v, json_array_get(range, 1), other, hi);
	if (v->family) {
		if (!s || addr_parse(s, &a) || a.family != v->family)
			return false;
		if (prefix)
			a.len = json_integer_value(json_object_get(prefix,
								   "len"));
		addr_span(&a, lo, hi);
		return true;
	}
	if (!flags(o, v->symbols, &n))
		return false;
	put(lo, n);
	put(hi, n);
	return true;
}

/* What no other member of a set or map is. */
static bool is_all(const json_t *o)
{
	return json_is_string(o) && !strcmp(json_string_value(o), "*");
}

static enum tri in_span(const struct value *v, const json_t *right)
{
	uint8_t lo[16], hi[16];

	if (is_all(right))
		return TRI_YES;
	if (!bounds(v, right, lo, hi))
		return TRI_MAYBE;
	if (memcmp(v->hi, lo, 16) < 0 || memcmp(v->lo, hi, 16) > 0)
		return TRI_NO;
	return memcmp(v->lo, lo, 16) >= 0 && memcmp(v->hi, hi, 16) <= 0 ?
	       TRI_YES : TRI_MAYBE;
}

/* "eth1" or "eth*" */
static enum tri is_device(const struct value *v, const json_t *right)
{
	const char *s = json_string_value(right);
	size_t n = s ? strlen(s) : 0;

	if (is_all(right))
		return TRI_YES;
	if (!s || !v->dev)
		return TRI_MAYBE;
	if (n && s[n - 1] == '*' && (n < 2 || s[n - 2] != '\\'))
		return strncmp(v->dev, s, n - 1) ? TRI_NO : TRI_YES;
	return strcmp(v->dev, s) ? TRI_NO : TRI_YES;
}

/* Whether its state is one of @mask. */
static enum tri in_states(const struct packet *p, uint32_t mask)
{
	return !(p->ct & mask) ? TRI_NO : p->ct & ~mask ? TRI_MAYBE : TRI_YES;
}

static enum tri is_state(const struct packet *p, const json_t *right)
{
	uint32_t mask;

	if (is_all(right))
		return TRI_YES;
	if (!flags(right, states, &mask))
		return TRI_MAYBE;
	/* "!= established,related" is true of all: no state is both. */
	return mask & (mask - 1) ? TRI_NO : in_states(p, mask);
}

/* {"elem": {"val": ..., "comment": ...}} is a member with more to it. */
static const json_t *plain(const json_t *o)
{
	return json_object_get(json_object_get(o, "elem"), "val") ?: o;
}

static enum tri is_one(const struct packet *p, const json_t *left,
		       const json_t *right)
{
	const json_t *lefts = json_object_get(left, "concat"), *part;
	const json_t *rights = json_object_get(right, "concat");
	enum tri all = TRI_YES, t;
	struct value v;
	size_t i;

	if (lefts) {
		if (json_array_size(lefts) != json_array_size(rights))
			return TRI_MAYBE;
		json_array_foreach(lefts, i, part) {
			t = is_one(p, part, json_array_get(rights, i));
			all = t < all ? t : all;
		}
		return all;
	}
	v = value_of(p, left);
	switch (v.kind) {
	case ABSENT:
		return TRI_NO;
	case SPAN:
		return in_span(&v, right);
	case DEVICE:
		return is_device(&v, right);
	case STATE:
		return is_state(p, right);
	default:
		return TRI_MAYBE;
	}
}

bool packet_lacks(const struct packet *p, const json_t *left)
{
	const json_t *parts = json_object_get(left, "concat"), *part;
	size_t i;

	json_array_foreach(parts, i, part)
		if (packet_lacks(p, part))
			return true;
	return !parts && value_of(p, left).kind == ABSENT;
}

static enum tri is_any(const struct packet *p, const json_t *left,
		       const json_t *list)
{
	enum tri any = TRI_NO, t;
	const json_t *one;
	uint32_t mask;
	size_t i;

	/* One of several states may be in the list for sure. */
	if (value_of(p, left).kind == STATE && flags(list, states, &mask))
		return in_states(p, mask);
	json_array_foreach(list, i, one) {
		t = is_one(p, left, plain(one));
		any = t > any ? t : any;
		if (any == TRI_YES)
			break;
	}
	return any;
}

enum tri packet_is(const struct packet *p, const struct ruleset *rs,
		   const struct chain *c, const json_t *left,
		   const json_t *right)
{
	const json_t *set = json_object_get(right, "set");
	const char *name = json_string_value(right);
	const struct named *named;

	if (packet_lacks(p, left))
		return TRI_NO;
	if (set)
		return json_is_array(set) ? is_any(p, left, set) :
					    is_one(p, left, plain(set));
	if (!name || *name != '@')
		return is_one(p, left, right);
	named = ruleset_named(rs, c, name + 1);
	return !named || named->changes ? TRI_MAYBE :
	       is_any(p, left, named->elem);
}

/* ">=" and its like, of which all numbers have to be on the same side. */
static enum tri compare(const struct packet *p, const char *op,
			const json_t *left, const json_t *right)
{
	struct value v = value_of(p, left);
	uint8_t lo[16], hi[16];
	bool equal = op[1] == '=';
	int first, last;

	if (v.kind != SPAN || !bounds(&v, right, lo, hi))
		return v.kind == ABSENT ? TRI_NO : TRI_MAYBE;
	first = memcmp(v.lo, lo, 16);
	last = memcmp(v.hi, lo, 16);
	if (*op == '>') {
		if (first > 0 || (equal && !first))
			return TRI_YES;
		return last > 0 || (equal && !last) ? TRI_MAYBE : TRI_NO;
	}
	if (last < 0 || (equal && !last))
		return TRI_YES;
	return first < 0 || (equal && !first) ? TRI_MAYBE : TRI_NO;
}

/* Whether it has one of these flags. */
static enum tri has(const struct value *v, const json_t *right)
{
	uint32_t mask;

	if (v->kind != SPAN || v->family || memcmp(v->lo, v->hi, 16) ||
	    !flags(right, v->symbols, &mask))
		return TRI_MAYBE;
	return take(v->lo) & mask ? TRI_YES : TRI_NO;
}

enum tri packet_fits(const struct packet *p, const struct ruleset *rs,
		     const struct chain *c, const json_t *match)
{
	const char *op = json_string_value(json_object_get(match, "op")) ?: "";
	const json_t *left = json_object_get(match, "left");
	const json_t *right = json_object_get(match, "right");
	struct value v;
	uint32_t mask;

	if (packet_lacks(p, left))
		return TRI_NO;
	if (*op == '<' || *op == '>')
		return compare(p, op, left, right);
	v = value_of(p, left);
	if (v.kind == SPAN && (!strcmp(op, "in") || !strcmp(op, "!")) &&
	    !json_object_get(right, "set") &&
	    (v.symbols == tcp_flags || v.symbols == statuses))
		return *op == '!' ? not(has(&v, right)) : has(&v, right);
	if (v.kind == STATE && (!strcmp(op, "in") || !strcmp(op, "!")) &&
	    flags(right, states, &mask))
		return *op == '!' ? not(in_states(p, mask)) :
				    in_states(p, mask);
	if (!strcmp(op, "==") || !strcmp(op, "in"))
		return packet_is(p, rs, c, left, right);
	if (!strcmp(op, "!=") || !strcmp(op, "!"))
		return not(packet_is(p, rs, c, left, right));
	return TRI_MAYBE;
}
