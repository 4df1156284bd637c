// SPDX-License-Identifier: GPL-2.0
/* Commands by which a firewall accepts a packet, and names for its rules. */
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernel/accept.h"

#define CONNTRACK -200

/* A command that is being put together. */
struct text {
	char *buf;
	size_t size, used;
};

static void __attribute__((format(printf, 2, 3)))
add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->used, t->size - t->used, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->used += n;
	if (t->used >= t->size)
		t->used = t->size - 1;
}

static const char *prefix(const struct addr *a)
{
	return a->len == addr_bits(a) ? addr_str(a) : addr_prefix_str(a);
}

/* Which of its devices a hook knows; NULL: not that one. */
static const char *in(const struct packet *p, const struct chain *c)
{
	return c->hook != HOOK_OUTPUT && p->iif && *p->iif ? p->iif : NULL;
}

static const char *out(const struct packet *p, const struct chain *c)
{
	return c->hook != HOOK_PREROUTING && c->hook != HOOK_INPUT &&
	       p->oif && *p->oif ? p->oif : NULL;
}

/* Whether it's accepted as part of a connection, where that's known. */
static bool as_answer(const struct packet *p, const struct chain *c)
{
	return p->ct == CT_ESTABLISHED && c->prio > CONNTRACK &&
	       p->proto != IPPROTO_GRE;
}

static const char *icmp_name(int type)
{
	switch (type) {
	case 0:
	case 129:
		return "echo-reply";
	case 135:
		return "nd-neighbor-solicit";
	case 136:
		return "nd-neighbor-advert";
	default:
		return "echo-request";
	}
}

static void by_nft(struct text *t, const struct packet *p,
		   const struct chain *c)
{
	const char *ip = p->family == AF_INET ? "ip" : "ip6";

	add(t, "nft insert rule %s %s %s", c->family, c->table, c->name);
	if (in(p, c))
		add(t, " iifname \"%s\"", in(p, c));
	if (out(p, c))
		add(t, " oifname \"%s\"", out(p, c));
	if (p->src.family)
		add(t, " %s saddr %s", ip, prefix(&p->src));
	if (p->dst.family)
		add(t, " %s daddr %s", ip, prefix(&p->dst));
	if (p->proto == IPPROTO_GRE)
		add(t, " meta l4proto gre");
	else if (p->proto == IPPROTO_ICMP)
		add(t, " icmp type %s", icmp_name(p->icmp_type));
	else if (p->proto == IPPROTO_ICMPV6)
		add(t, " icmpv6 type %s", icmp_name(p->icmp_type));
	if (p->proto == IPPROTO_TCP && p->sport >= 0)
		add(t, " tcp sport %d", p->sport);
	if (p->proto == IPPROTO_TCP && p->dport >= 0)
		add(t, " tcp dport %d", p->dport);
	if (as_answer(p, c))
		add(t, " ct state established,related");
	add(t, " accept");
}

static void by_iptables(struct text *t, const struct packet *p,
			const struct chain *c)
{
	add(t, "ip%stables%s -t %s -I %s", p->family == AF_INET ? "" : "6",
	    c->by == BY_IPTABLES_LEGACY ? "-legacy" : "-nft", c->table,
	    c->name);
	if (in(p, c))
		add(t, " -i %s", in(p, c));
	if (out(p, c))
		add(t, " -o %s", out(p, c));
	if (p->src.family)
		add(t, " -s %s", prefix(&p->src));
	if (p->dst.family)
		add(t, " -d %s", prefix(&p->dst));
	if (p->proto == IPPROTO_GRE)
		add(t, " -p gre");
	else if (p->proto == IPPROTO_ICMP)
		add(t, " -p icmp --icmp-type %d", p->icmp_type);
	else if (p->proto == IPPROTO_ICMPV6)
		add(t, " -p icmpv6 --icmpv6-type %d", p->icmp_type);
	else if (p->sport >= 0 || p->dport >= 0)
		add(t, " -p tcp");
	if (p->proto == IPPROTO_TCP && p->sport >= 0)
		add(t, " --sport %d", p->sport);
	if (p->proto == IPPROTO_TCP && p->dport >= 0)
		add(t, " --dport %d", p->dport);
	if (as_answer(p, c))
		add(t, " -m conntrack --ctstate ESTABLISHED,RELATED");
	add(t, " -j ACCEPT");
}

void accept_command(const struct packet *p, const struct place *at, char *buf,
		    size_t size)
{
	struct text t = { buf, size, 0 };

	if (at->base->by == BY_NFT)
		by_nft(&t, p, at->base);
	else
		by_iptables(&t, p, at->base);
}

void accept_table(const struct chain *c, char *buf, size_t size)
{
	if (c->by == BY_NFT)
		snprintf(buf, size, "table %s %s", c->family, c->table);
	else
		snprintf(buf, size, "ip%stables%s table %s",
			 strcmp(c->family, "ip") ? "6" : "",
			 c->by == BY_IPTABLES_LEGACY ? "-legacy" : "-nft",
			 c->table);
}

void accept_place(const struct place *at, char *buf, size_t size)
{
	struct text t = { buf, size, 0 };
	char table[200];

	accept_table(at->chain, table, sizeof(table));
	add(&t, "%s, chain %s", table, at->chain->name);
	if (!at->rule)
		add(&t, ": its policy, %s", at->chain->drop ? "drop" :
							      "accept");
	else
		add(&t, ", %s %lld", at->chain->by == BY_NFT ? "handle" :
							       "rule",
		    at->rule->handle);
	if (at->rule && at->rule->text)
		add(&t, ": %s", at->rule->text);
}
