// SPDX-License-Identifier: GPL-2.0
/* The other way round: a configuration file out of what one says. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/cnilink.h>

#include "base/out.h"
#include "config/config.h"

/*
 * As the file is to have it: in quotes where its characters need them. A static
 * buffer.
 */
static const char *word(const char *s)
{
	static char *buf;
	char *at;

	if (*s && strspn(s, "abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "0123456789._-") == strlen(s))
		return s;
	free(buf);
	buf = xalloc(2 * strlen(s) + 3);
	at = buf;
	*at++ = '\'';
	for (; *s; *at++ = *s++)
		if (*s == '\'' || *s == '\\')
			*at++ = '\\';
	*at = '\'';
	return buf;
}

static void put_word(FILE *f, const char *key, const char *s)
{
	if (s)
		fprintf(f, "\t%s = %s\n", key, word(s));
}

/* What is left of a list, after @comma. */
static void put_list(FILE *f, const char *comma, const struct addr *list,
		     unsigned int n)
{
	for (; n; n--, list++, comma = ", ")
		fprintf(f, "%s\"%s\"", comma, addr_prefix_str(list));
	fprintf(f, "}\n");
}

static void put_static(FILE *f, const struct config_static *s)
{
	if (s->published || s->n_given) {
		fprintf(f, "\tstatic = {%s", s->published ? "published" : "");
		put_list(f, s->published ? ", " : "", s->given, s->n_given);
	}
	put_word(f, "static-file", s->file);
}

static void put_link(FILE *f, const struct config_link *l, const char *who)
{
	char vlan_name[64];

	fprintf(f, "link %s {\n", word(l->title));
	fprintf(f, "\tdevice = %s\n", word(l->device));
	if (l->dataplane != DATAPLANE_V1)
		fprintf(f, "\tdataplane = %s\n",
			config_dataplane_str(l->dataplane));
	if (l->vlan) {
		fprintf(f, "\tvlan = %u\n", l->vlan);
		snprintf(vlan_name, sizeof(vlan_name), "%s.%u", l->device,
			 l->vlan);
		if (*l->ifname && strcmp(vlan_name, l->ifname))
			fprintf(f, "\tname = %s\n", word(l->ifname));
	}
	if (l->mtu)
		fprintf(f, "\tmtu = %u\n", l->mtu);
	if (l->xdp_auto)
		fprintf(f, "\txdp = auto\n");
	if (l->offload != OFFLOAD_AUTO)
		fprintf(f, "\toffload = %s\n", config_offload_str(l->offload));
	fprintf(f, "\n\t# Ours%s%s%s, and Cloudflare's.\n", who ? " (" : "",
		who ? who : "", who ? ")" : "");
	if (l->local4.family) {
		fprintf(f, "\tlocal4 = %s\n", addr_prefix_str(&l->local4));
		fprintf(f, "\tpeer4 = %s\n", addr_str(&l->peer4));
	}
	if (l->local6.family) {
		fprintf(f, "\tlocal6 = %s\n", addr_prefix_str(&l->local6));
		fprintf(f, "\tpeer6 = %s\n", addr_str(&l->peer6));
	}
	if (l->local_as)
		fprintf(f, "\n\tlocal-as = %u\n", l->local_as);
	put_static(f, &l->statics);
	fprintf(f, "}\n");
}

static void put_mss(FILE *f, bool is_auto, unsigned int mss4)
{
	if (is_auto)
		fprintf(f, "\tmss = auto\n");
	else if (mss4)
		fprintf(f, "\tmss = %u\n", mss4);
}

/* The checks that a file with these settings asks for. */
static bool as_checked(const struct config_tunnel *t, bool published)
{
	const struct health_check *h = &t->opts.health[0];
	const struct addr *inner[] = { &t->address4, &t->address6 };
	struct config_tunnel would = *t;
	struct addr peer;
	unsigned int i;

	would.opts.n_health = 0;
	if (published) {
		config_add_published(&would, h->request, &h->local);
		return tunopts_same(&would.opts, &t->opts);
	}
	if (h->unidirectional) {
		for (i = 0; i < t->opts.n_health; i++)
			config_add_health(&would, h->request, true, &h->local,
					  &t->opts.health[i].peer);
		return tunopts_same(&would.opts, &t->opts);
	}
	for (i = 0; i < 2; i++) {
		if (!inner[i]->family)
			continue;
		peer = addr_other(inner[i]);
		peer.len = addr_bits(&peer);
		config_add_health(&would, h->request, false, inner[i], &peer);
	}
	return tunopts_same(&would.opts, &t->opts);
}

static void put_peers(FILE *f, const struct config_tunnel *t, unsigned int from)
{
	unsigned int i;

	fprintf(f, "\thealth-peers = {");
	for (i = from; i < t->opts.n_health; i++)
		fprintf(f, "%s%s", i > from ? ", " : "",
			addr_prefix_str(&t->opts.health[i].peer));
	fprintf(f, "}\n");
}

/*
 * Those between the addresses inside, and then those for a target. Returns
 * where the latter begin, 0 when they aren't that.
 */
static unsigned int split_checks(const struct config_tunnel *t,
				 struct config_tunnel *inner,
				 struct config_tunnel *target)
{
	const struct tunopts *o = &t->opts;
	unsigned int i;

	for (i = 0; i < o->n_health && !o->health[i].unidirectional; i++)
		;
	if (i == o->n_health || !config_is_target(&o->health[i].local) ||
	    (!i && (t->address4.family || t->address6.family)))
		return 0;
	*inner = *target = *t;
	inner->opts.n_health = i;
	target->opts.n_health -= i;
	memmove(target->opts.health, o->health + i,
		target->opts.n_health * sizeof(o->health[0]));
	return (!i || as_checked(inner, false)) && as_checked(target, false) &&
	       o->health[0].request == o->health[i].request ? i + 1 : 0;
}

static bool put_health(FILE *f, const struct config_tunnel *t)
{
	const struct health_check *h = &t->opts.health[0];
	struct config_tunnel inner, target;
	unsigned int from;

	if (!t->opts.n_health)
		return true;
	from = split_checks(t, &inner, &target);
	if (from) {
		h = &t->opts.health[from - 1];
		fprintf(f, "\thealth-check = %s\n\thealth-target = %s\n",
			tunopts_health_kind(h), addr_str(&h->local));
		if (!as_checked(&target, true))
			put_peers(f, t, from - 1);
		if (t->opts.rate != TUNOPTS_RATE)
			fprintf(f, "\thealth-rate = %u\n", t->opts.rate);
		return true;
	}
	if (!as_checked(t, false)) {
		err("%s: its health checks%s can't be said in a configuration",
		    t->ifname, tunopts_str(&t->opts));
		fprintf(f, "\t# Not as they are:%s\n", tunopts_str(&t->opts));
		return false;
	}
	fprintf(f, "\thealth-check = %s\n", tunopts_health_kind(h));
	if (h->unidirectional) {
		fprintf(f, "\thealth-direction = unidirectional\n");
		if (!addr_same(&h->local, &t->local))
			fprintf(f, "\thealth-target = %s\n",
				addr_str(&h->local));
		if (!as_checked(t, true))
			put_peers(f, t, 0);
	}
	if (t->opts.rate != TUNOPTS_RATE)
		fprintf(f, "\thealth-rate = %u\n", t->opts.rate);
	return true;
}

static bool put_tunnel(FILE *f, const struct config_tunnel *t)
{
	fprintf(f, "\ntunnel %s {\n\tlocal = %s\n\tremote = %s\n",
		word(t->ifname), addr_str(&t->local), addr_str(&t->remote));
	fprintf(f, "\tttl = %u\n", t->ttl);
	if (t->tos == 1)
		fprintf(f, "\ttos = inherit\n");
	else if (t->tos)
		fprintf(f, "\ttos = 0x%02x\n", t->tos);
	if (t->has_key)
		fprintf(f, "\tkey = %u\n", t->key);
	if (t->encap_limit >= 0)
		fprintf(f, "\tencap-limit = %d\n", t->encap_limit);
	if (t->mtu_given)
		fprintf(f, "\tmtu = %u\n", t->mtu);
	if (t->address4.family)
		fprintf(f, "\taddress4 = %s\n", addr_prefix_str(&t->address4));
	if (t->address6.family)
		fprintf(f, "\taddress6 = %s\n", addr_prefix_str(&t->address6));
	if (!t->host_route)
		fprintf(f, "\thost-route = false\n");
	if (t->opts.flags & CNILINK_TUNNEL_FLAG_BYPASS_NETFILTER)
		fprintf(f, "\tbypass-netfilter = true\n");
	put_mss(f, t->mss_auto, t->opts.mss4);
	put_static(f, &t->statics);
	if (t->no_bgp)
		fprintf(f, "\tbgp = false\n");
	if (t->profile)
		fprintf(f, "\tbgp-profile = %s\n",
			t->profile == PROFILE_MAGIC ? "magic" : "peering");
	put_word(f, "bgp-password", t->password);
	put_word(f, "bgp-password-file", t->password_file);
	if (!put_health(f, t)) {
		fprintf(f, "}\n");
		return false;
	}
	fprintf(f, "}\n");
	return true;
}

static void put_port(FILE *f, const struct config_port *p)
{
	fprintf(f, "\nport %s {\n\tbypass-netfilter = %s\n",
		word(p->ifname),
		p->opts.flags & CNILINK_PORT_FLAG_BYPASS_NETFILTER ?
		"true" : "false");
	if (p->opts.flags & CNILINK_PORT_FLAG_STRICT_SOURCE)
		fprintf(f, "\tstrict-source = true\n");
	put_mss(f, p->mss_auto, p->opts.mss4);
	fprintf(f, "}\n");
}

static void put_prefixes(FILE *f, const char *key, const struct addr *list,
			 unsigned int n)
{
	if (!n)
		return;
	fprintf(f, "\t%s = {", key);
	put_list(f, "", list, n);
}

static void put_number(FILE *f, const char *key, uint32_t n, uint32_t usual)
{
	if (n && n != usual)
		fprintf(f, "\t%s = %u\n", key, n);
}

static void put_bgp(FILE *f, const struct config_bgp *b)
{
	char *text = NULL;
	size_t size;
	FILE *in = open_memstream(&text, &size);

	if (!in) {
		err("out of memory");
		return;
	}
	if (b->magic)
		fprintf(in, "\tprofile = magic\n");
	if (b->over_tunnels)
		fprintf(in, "\tover = %s\n", b->no_link ? "tunnels" : "both");
	else if (b->no_link)
		fprintf(in, "\tover = none\n");
	if (b->bfd)
		fprintf(in, "\tbfd = true\n");
	put_number(in, "peer-as", b->peer_as, 13335);
	if (b->router_id.family)
		fprintf(in, "\trouter-id = %s\n", addr_str(&b->router_id));
	put_prefixes(in, "announce", b->announce, b->n_announce);
	put_prefixes(in, "extra-prefixes", b->extra, b->n_extra);
	put_number(in, "priority", b->priority, 100);
	put_number(in, "max-prefixes4", b->max4, 100000);
	put_number(in, "max-prefixes6", b->max6, 100000);
	put_word(in, "password", b->password);
	put_word(in, "password-file", b->password_file);
	fclose(in);
	if (size)
		fprintf(f, "\nbgp {\n%s}\n", text);
	free(text);
}

static void put_tables(FILE *f, const struct config *c)
{
	unsigned int i;

	if (!c->n_tables || (c->n_tables == 1 && c->tables[0] == 254))
		return;
	fprintf(f, "\nsync {\n\ttable = {");
	for (i = 0; i < c->n_tables; i++)
		fprintf(f, c->tables[i] == 254 ? "%smain" : "%s%u",
			i ? ", " : "", c->tables[i]);
	fprintf(f, "}\n}\n");
}

bool config_write(FILE *f, const struct config *c, const char *who)
{
	bool whole = true;
	unsigned int i;

	fprintf(f, "# Cloudflare Network Interconnect, for cnictl. See cnictl.conf(5).\n\n");
	put_link(f, &c->link, who);
	for (i = 0; i < c->n_tunnels; i++)
		whole &= put_tunnel(f, &c->tunnels[i]);
	for (i = 0; i < c->n_ports; i++)
		put_port(f, &c->ports[i]);
	put_bgp(f, &c->bgp);
	put_tables(f, c);
	return whole;
}

int config_save(const char *file, const char *text)
{
	FILE *f;
	int fd;

	if (!file) {
		fputs(text, stdout);
		return RC_OK;
	}
	/* There can be a password in it. */
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!f) {
		err("can't make %s: %s", file, strerror(errno));
		if (errno == EEXIST)
			hint("move it away first, or give -o another name");
		return RC_FAILED;
	}
	fputs(text, f);
	if (!fclose(f))
		return RC_OK;
	err("can't write %s: %s", file, strerror(errno));
	unlink(file);
	return RC_FAILED;
}
