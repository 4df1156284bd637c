// SPDX-License-Identifier: GPL-2.0
/* init: from what Cloudflare sent or its API answers to a configuration. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/number.h"
#include "base/out.h"
#include "base/usage.h"
#include "cmd/verbs.h"
#include "config/api.h"
#include "config/config.h"
#include "config/mail-text.h"
#include "config/mail.h"

#define MAX_LIST 64

struct init {
	const char *dev, *out, *cni;
	char title[64];
	const char *dataplane_told;
	enum dataplane dataplane;
	unsigned int vlan;
	bool vlan_told;			/* with --vlan */
	unsigned long local_as;
	const char *lans[MAX_LIST], *dsr[MAX_LIST];
	unsigned int n_lans, n_dsr;
	struct addr local;		/* our GRE endpoint; family 0: not told */
	struct {
		char name[IFNAMSIZ];
		struct addr local, remote;	/* family 0: only the name */
		struct addr inside4, inside6;	/* ours; family 0: not told */
	} tunnels[MAX_LIST];
	unsigned int n_tunnels, n_names;
	struct addr *announce;
	unsigned int n_announce;

	/* What was read. */
	const char *mail_name;		/* NULL: none */
	struct mail mail;
	const struct mail_link *mail_link;	/* of that, this one */
	struct api api;
	struct api_link link;		/* its strings are the API's */
	const char *link_from;
	json_t *notes;
};

/* Something that was taken one way and could be meant in another. */
static void __attribute__((format(printf, 2, 3)))
note(struct init *in, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	out_clean(text);
	json_array_append_new(in->notes, json_string(text));
}

static void note_of_mail(void *in, const char *text)
{
	note(in, "%s", text);
}

static void print_notes(const struct init *in)
{
	json_t *v;
	size_t i;

	json_array_foreach(in->notes, i, v)
		out_say("note: %s", json_string_value(v));
}

/* Our address inside of a tunnel. */
static int take_inside(const char *s, struct addr *a4, struct addr *a6)
{
	struct addr a, *to;
	enum addr_error e = addr_parse_prefix(s, &a);
	const char *bad = e ? addr_strerror(e) : addr_host_problem(&a);

	if (bad)
		return usage("init", "our address inside of the tunnel, '%s', %s",
			     s, bad);
	to = a.family == AF_INET ? a4 : a6;
	if (to->family)
		return usage("init", "a second IPv%d address inside of the tunnel: %s",
			     a.family == AF_INET ? 4 : 6, s);
	*to = a;
	return RC_OK;
}

static int take_tunnel(struct init *in, const char *arg)
{
	char buf[256], *name, *local, *remote, *inside, *save;
	const char *bad;
	unsigned int n = in->n_tunnels;

	if (n == MAX_LIST)
		return usage("init", "more than %d tunnels", MAX_LIST);
	snprintf(buf, sizeof(buf), "%s", arg);
	name = strtok_r(buf, ",", &save);
	local = strtok_r(NULL, ",", &save);
	remote = strtok_r(NULL, ",", &save);
	if (!name || (local && !remote) || strlen(arg) >= sizeof(buf))
		return usage("init", "--tunnel '%s' isn't NAME,LOCAL,REMOTE[,INSIDE]..., nor the NAME of one",
			     arg);
	bad = config_ifname_problem(name);
	if (bad)
		return usage("init", "tunnel name '%s' %s", name, bad);
	if (!local) {
		strcpy(in->tunnels[n].name, name);
		in->n_names++;
		in->n_tunnels++;
		return RC_OK;
	}
	if (addr_parse(local, &in->tunnels[n].local))
		return usage("init", "tunnel endpoint '%s' isn't an address",
			     local);
	if (addr_parse(remote, &in->tunnels[n].remote))
		return usage("init", "tunnel endpoint '%s' isn't an address",
			     remote);
	if (in->tunnels[n].local.family != in->tunnels[n].remote.family)
		return usage("init", "tunnel endpoints '%s' and '%s' aren't of one family",
			     local, remote);
	while ((inside = strtok_r(NULL, ",", &save)))
		if (take_inside(inside, &in->tunnels[n].inside4,
				&in->tunnels[n].inside6))
			return RC_USAGE;
	strcpy(in->tunnels[n].name, name);
	in->n_tunnels++;
	return RC_OK;
}

static int take_announce(struct init *in, const char *arg)
{
	const char *bad = config_add_prefix(arg, &in->announce,
					    &in->n_announce);

	return bad ? usage("init", "--announce '%s' %s", arg, bad) : RC_OK;
}

static int take_number(const char *what, const char *arg, unsigned long max,
		       unsigned long *n)
{
	uint64_t v;

	if (!number_parse(arg, false, max, &v) || !v)
		return usage("init", "%s '%s' isn't a number from 1 to %lu%s",
			     what, arg, max, *arg == '0' && arg[1] ?
			     ", without a leading zero" : "");
	*n = v;
	return RC_OK;
}

static int take_device(const char *arg, const char **list, unsigned int *n)
{
	const char *bad = config_ifname_problem(arg);

	if (bad)
		return usage("init", "device '%s' %s", arg, bad);
	if (*n == MAX_LIST)
		return usage("init", "more than %d devices", MAX_LIST);
	list[(*n)++] = arg;
	return RC_OK;
}

static int take_side(struct init *in, const char *arg)
{
	in->api.interface_is_ours = !strcmp(arg, "ours");
	if (strcmp(arg, "cloudflare") && !in->api.interface_is_ours)
		return usage("init", "interface-address is ours or cloudflare, not '%s'",
			     arg);
	return RC_OK;
}

static int take_option(struct init *in, int o, const char *arg, char **argv)
{
	unsigned int one = 0;
	unsigned long n;
	int rc = RC_OK;

	switch (o) {
	case 'd':
		return take_device(arg, &in->dev, &one);
	case 'l':
		return take_device(arg, in->lans, &in->n_lans);
	case 'D':
		return take_device(arg, in->dsr, &in->n_dsr);
	case 'v':
		rc = take_number("VLAN", arg, 4094, &n);
		if (!rc) {
			in->vlan = n;
			in->vlan_told = true;
		}
		return rc;
	case 'a':
		return take_number("AS number", arg, UINT32_MAX,
				   &in->local_as);
	case 't':
		return take_tunnel(in, arg);
	case 'A':
		return take_announce(in, arg);
	case 'p':
		in->dataplane_told = arg;
		if (!config_dataplane_parse(arg, &in->dataplane))
			return usage("init", "dataplane is v1, v1.1 or v2, not '%s'",
				     arg);
		return rc;
	case 'e':
		if (addr_parse(arg, &in->local))
			return usage("init", "endpoint '%s' isn't an address",
				     arg);
		return rc;
	case 'i':
		return take_side(in, arg);
	case 'c':
		in->cni = arg;
		return rc;
	case 'n':
		if (!*arg || strlen(arg) >= sizeof(in->title))
			return usage("init", "name '%s' is empty or longer than %zu characters",
				     arg, sizeof(in->title) - 1);
		strcpy(in->title, arg);
		out_clean(in->title);
		if (strcmp(in->title, arg) || strchr(arg, '\t'))
			return usage("init", "name '%s' has a control character, or isn't UTF-8",
				     in->title);
		return rc;
	case 'o':
		in->out = arg;
		return rc;
	}
	return usage_option("init", argv);
}

static int take_options(struct init *in, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "dev", required_argument, NULL, 'd' },
		{ "vlan", required_argument, NULL, 'v' },
		{ "dataplane", required_argument, NULL, 'p' },
		{ "lan", required_argument, NULL, 'l' },
		{ "dsr", required_argument, NULL, 'D' },
		{ "local-as", required_argument, NULL, 'a' },
		{ "tunnel", required_argument, NULL, 't' },
		{ "announce", required_argument, NULL, 'A' },
		{ "endpoint", required_argument, NULL, 'e' },
		{ "interface-address", required_argument, NULL, 'i' },
		{ "cni", required_argument, NULL, 'c' },
		{ "name", required_argument, NULL, 'n' },
		{ "output", required_argument, NULL, 'o' },
		{}
	};
	int o, rc;

	while ((o = getopt_long(argc, argv, "o:", longs, NULL)) != -1) {
		rc = take_option(in, o, optarg, argv);
		if (rc)
			return rc;
	}
	if (!in->dev)
		return usage("init", "--dev is missing: the port to Cloudflare");
	return RC_OK;
}

static int read_one(struct init *in, const char *file)
{
	bool std = !strcmp(file, "-");
	const char *name = std ? "standard input" : file;
	char *text = NULL, *utf8, why[1024];
	FILE *f = std ? stdin : fopen(file, "re");
	size_t len, utf8_len;
	int rc = -1;

	if (std && isatty(0))
		fprintf(stderr, "Paste the mail, then press Ctrl-D.\n");
	if (f)
		text = read_whole(f, &len);
	if (!text)
		err("can't read %s: %s", name, strerror(errno));
	if (f && !std)
		fclose(f);
	if (!text)
		return RC_FAILED;
	utf8_len = len;
	utf8 = mail_text_utf8(text, &utf8_len);
	if (api_looks_like(utf8)) {
		rc = api_parse(utf8, utf8_len, name, &in->api, why,
			       sizeof(why));
	} else if (in->mail_name) {
		snprintf(why, sizeof(why), "%s: a second mail, after %s: one link at a time",
			 name, in->mail_name);
	} else {
		in->mail_name = name;
		rc = mail_parse(text, len, name, &in->mail, note_of_mail, in,
				why, sizeof(why));
	}
	free(text);
	free(utf8);
	if (!rc)
		return RC_OK;
	out_say("%s", why);
	return RC_USAGE;
}

static bool same_pair(const struct api_pair *a, const struct api_pair *b)
{
	return addr_same(&a->ours, &b->ours) &&
	       addr_same(&a->cloudflare, &b->cloudflare);
}

/* Two that tell of one link: nothing in them may differ. */
static int agree(const struct api_pair *a, const char *from_a,
		 const struct api_pair *b, const char *from_b)
{
	if (!a->ours.family || !b->ours.family || same_pair(a, b))
		return RC_OK;
	err("%s says that %s is ours and %s Cloudflare's, but %s says %s and %s",
	    from_a, addr_prefix_str(&a->ours), addr_prefix_str(&a->cloudflare),
	    from_b, addr_prefix_str(&b->ours), addr_prefix_str(&b->cloudflare));
	if (addr_same(&a->ours, &b->cloudflare))
		hint("one of them has the two ends swapped: ask Cloudflare whose is whose");
	else
		hint("they are of two links, or one of them is out of date");
	return RC_USAGE;
}

static int add_link(struct init *in, const struct api_link *l,
		    const char *from)
{
	struct api_link *to = &in->link;
	int rc;

	if (!in->link_from) {
		*to = *l;
		in->link_from = from;
		return RC_OK;
	}
	rc = agree(&to->v4, in->link_from, &l->v4, from);
	if (!rc)
		rc = agree(&to->v6, in->link_from, &l->v6, from);
	if (rc)
		return rc;
	if (!to->v4.ours.family)
		to->v4 = l->v4;
	if (!to->v6.ours.family)
		to->v6 = l->v6;
	if (!*to->name)
		strcpy(to->name, l->name);
	to->plain |= l->plain;
	if (!to->bgp.customer_as)
		to->bgp = l->bgp;
	return RC_OK;
}

/* Of one link the API can tell twice: as a CNI, and as an interconnect. */
static bool one_link(const struct api_link *a, const struct api_link *b)
{
	return (*a->name && !strcmp(a->name, b->name)) ||
	       (a->v4.ours.family && same_pair(&a->v4, &b->v4));
}

static bool is_one_end(const char *s, const struct addr *ours,
		       const struct addr *cloudflare)
{
	struct addr a;

	return !addr_parse(s, &a) && (addr_same(&a, ours) ||
				      addr_same(&a, cloudflare));
}

static bool is_chosen(const struct init *in, const struct api_link *l)
{
	return !in->cni || (*in->cni && !strncmp(l->id, in->cni,
						 strlen(in->cni))) ||
	       !strcmp(l->name, in->cni) ||
	       is_one_end(in->cni, &l->v4.ours, &l->v4.cloudflare) ||
	       is_one_end(in->cni, &l->v6.ours, &l->v6.cloudflare);
}

static void list_links(const struct init *in)
{
	const struct api_link *l;
	unsigned int i;

	for (i = 0; i < in->api.n_links; i++) {
		l = &in->api.links[i];
		hint("%s%s%s: ours %s, Cloudflare's %s", *l->id ? l->id : "?",
		     *l->name ? " " : "", l->name,
		     addr_prefix_str(l->v4.ours.family ? &l->v4.ours :
							 &l->v6.ours),
		     addr_prefix_str(l->v4.ours.family ? &l->v4.cloudflare :
							 &l->v6.cloudflare));
	}
}

/* Of a mail's link: that it can be meant by what is told beside it. */
static bool is_of_json(const struct init *in, const struct mail_link *l)
{
	struct api_pair v4 = { l->ours4, l->cloudflare4 };
	unsigned int i;

	for (i = 0; i < in->api.n_links; i++)
		if (l->ours4.family && is_chosen(in, &in->api.links[i]) &&
		    same_pair(&in->api.links[i].v4, &v4))
			return true;
	return false;
}

static bool is_of_cni(const struct init *in, const struct mail_link *l)
{
	return in->cni &&
	       (is_one_end(in->cni, &l->ours4, &l->cloudflare4) ||
		is_one_end(in->cni, &l->ours6, &l->cloudflare6));
}

static bool is_of_vlan(const struct init *in, const struct mail_link *l)
{
	return in->vlan_told && l->vlan == in->vlan;
}

static const struct mail_link *
only_one(const struct init *in,
	 bool (*fits)(const struct init *, const struct mail_link *))
{
	const struct mail_link *one = NULL;
	unsigned int i;

	for (i = 0; i < in->mail.n_links; i++) {
		if (!fits(in, &in->mail.links[i]))
			continue;
		if (one)
			return NULL;
		one = &in->mail.links[i];
	}
	return one;
}

static int refuse_many(const struct init *in)
{
	const struct mail_link *l;
	unsigned int i;

	err("%s tells of %u links: --cni ADDRESS says which, by one of its addresses",
	    in->mail_name, in->mail.n_links);
	for (i = 0; i < in->mail.n_links; i++) {
		l = &in->mail.links[i];
		hint("line %u: ours %s, Cloudflare's %s", l->line,
		     addr_prefix_str(l->ours4.family ? &l->ours4 : &l->ours6),
		     addr_prefix_str(l->ours4.family ? &l->cloudflare4 :
						       &l->cloudflare6));
	}
	return RC_USAGE;
}

/* The VLAN is the mail's, unless another is told; what isn't taken is named. */
static int take_vlan(struct init *in)
{
	const struct mail *m = &in->mail;
	unsigned int i;

	if (!in->vlan_told)
		in->vlan = in->mail_link->vlan;
	if (!in->vlan && m->n_vlans) {
		err("%s tells of several %s: --vlan says which VLAN this link has",
		    in->mail_name, m->n_links > 1 ? "links" : "VLANs");
		for (i = 0; i < m->n_vlans; i++)
			hint("line %u: VLAN %u", m->vlans[i].line,
			     m->vlans[i].id);
		return RC_USAGE;
	}
	for (i = 0; i < m->n_vlans; i++)
		if (m->vlans[i].id != in->vlan)
			note(in, "%s:%u: VLAN %u isn't taken: %s", in->mail_name,
			     m->vlans[i].line, m->vlans[i].id,
			     in->vlan_told ? "--vlan says another" :
					     "it's of another link");
	return RC_OK;
}

static int choose_mail_link(struct init *in)
{
	const struct mail_link *l;
	unsigned int i, k;

	l = in->mail.n_links == 1 ? &in->mail.links[0] :
	    only_one(in, is_of_cni) ?: only_one(in, is_of_vlan) ?:
	    only_one(in, is_of_json);
	if (!l)
		return refuse_many(in);
	in->mail_link = l;
	for (i = 0; i < in->mail.n_links; i++) {
		const struct mail_link *o = &in->mail.links[i];
		const struct addr *a[] = { &o->ours4, &o->cloudflare4,
					   &o->ours6, &o->cloudflare6 };

		for (k = 0; k < 4 && o != l; k++)
			if (a[k]->family)
				note(in, "%s:%u: %s isn't taken: it's of another link",
				     in->mail_name, o->line,
				     addr_prefix_str(a[k]));
	}
	return take_vlan(in);
}

static int choose_link(struct init *in)
{
	const struct api_link *first = NULL, *l;
	struct api_link of_mail = {};
	unsigned int i;
	int rc = RC_OK;

	if (in->mail_name)
		rc = choose_mail_link(in);
	if (in->mail_name && !rc) {
		of_mail.v4.ours = in->mail_link->ours4;
		of_mail.v4.cloudflare = in->mail_link->cloudflare4;
		of_mail.v6.ours = in->mail_link->ours6;
		of_mail.v6.cloudflare = in->mail_link->cloudflare6;
		rc = add_link(in, &of_mail, in->mail_name);
	}
	/* The mail says which of many it is. */
	for (i = 0; in->mail_name && !in->cni && i < in->api.n_links; i++)
		if (same_pair(&in->api.links[i].v4, &of_mail.v4))
			first = &in->api.links[i];
	for (i = 0; i < in->api.n_links && !rc; i++) {
		l = &in->api.links[i];
		if (!is_chosen(in, l) || (first && !one_link(first, l)))
			continue;
		first = l;
		rc = add_link(in, l, l->plain ? "the interconnect's JSON" :
						"the CNI's JSON");
	}
	if (rc)
		return rc;
	for (i = 0; i < in->api.n_links; i++) {
		l = &in->api.links[i];
		if (!in->cni && first && !in->mail_name && !one_link(first, l)) {
			err("there are several CNIs in the JSON: --cni ID says which");
			list_links(in);
			return RC_USAGE;
		}
	}
	if (in->cni && !first && !(in->mail_link &&
				   is_of_cni(in, in->mail_link))) {
		err("there is no CNI '%s' in the JSON", in->cni);
		list_links(in);
		return RC_USAGE;
	}
	if (in->link_from)
		return RC_OK;
	err("nothing tells the link's own addresses");
	hint("give the mail with the set of IPs, or the JSON of cni/cnis, too");
	return RC_USAGE;
}

static void set_link(struct init *in, struct config *c)
{
	const struct api_link *l = &in->link;
	char vlan_name[64];

	snprintf(c->link.title, sizeof(c->link.title), "%s", in->title);
	strcpy(c->link.device, in->dev);
	c->link.dataplane = in->dataplane;
	c->link.vlan = in->vlan;
	if (in->vlan &&
	    snprintf(vlan_name, sizeof(vlan_name), "%s.%u", in->dev,
		     in->vlan) >= IFNAMSIZ) {
		snprintf(c->link.ifname, IFNAMSIZ, "cni%u", in->vlan);
		note(in, "%s is too long for a device: the VLAN device is %s",
		     vlan_name, c->link.ifname);
	}
	c->link.local4 = l->v4.ours;
	c->link.peer4 = l->v4.cloudflare;
	c->link.local6 = l->v6.ours;
	c->link.peer6 = l->v6.cloudflare;
	c->link.local_as = in->local_as;
}

/* @name: one that fits */
static struct config_tunnel *add_tunnel(struct config *c, const char *name)
{
	struct config_tunnel *t = &c->tunnels[c->n_tunnels++];

	strcpy(t->ifname, name);
	t->ttl = 64;
	t->encap_limit = -1;
	t->host_route = true;
	t->opts.rate = TUNOPTS_RATE;
	return t;
}

/* Beside the addresses inside; the API gives the default as one, too. */
static void set_target(struct init *in, struct config_tunnel *t,
		       const struct api_tunnel *a)
{
	if (!a->target.family || addr_same(&a->target, &a->ours) ||
	    addr_same(&a->target, &a->v4.ours) ||
	    addr_same(&a->target, &a->v6.ours) ||
	    addr_same(&a->target, &a->v4.cloudflare) ||
	    addr_same(&a->target, &a->v6.cloudflare))
		return;
	if (!config_is_target(&a->target)) {
		note(in, "tunnel %s: the target %s of its bidirectional health checks isn't in the file: it can only be in 172.64.240.252/30",
		     a->name, addr_str(&a->target));
		return;
	}
	config_add_published(t, a->request, &a->target);
	note(in, "tunnel %s: answers to health checks for %s go where this host's routes from it lead: \"ip addr add %s/32 dev lo\", \"ip rule add from %s lookup TABLE\" and \"ip route add default dev %s table TABLE\" send them back by the tunnel",
	     a->name, addr_str(&a->target), addr_str(&a->target),
	     addr_str(&a->target), a->name);
}

static void set_health(struct init *in, struct config_tunnel *t,
		       const struct api_tunnel *a)
{
	const struct api_pair *pairs[] = { &a->v4, &a->v6 };
	struct addr peer;
	unsigned int i;

	if (!a->health) {
		note(in, "tunnel %s: health checks are off at Cloudflare",
		     a->name);
		return;
	}
	if (!a->direction_told)
		note(in, "tunnel %s: the JSON has no direction of health checks: unidirectional, as the API takes it, is in the file",
		     a->name);
	if (a->unidirectional) {
		config_add_published(t, a->request, a->target.family ?
						    &a->target : &t->local);
		return;
	}
	for (i = 0; i < 2; i++) {
		if (!pairs[i]->ours.family)
			continue;
		peer = pairs[i]->cloudflare;
		peer.len = addr_bits(&peer);
		config_add_health(t, a->request, false, &pairs[i]->ours,
				  &peer);
	}
	set_target(in, t, a);
}

static int set_tunnel(struct init *in, struct config *c,
		      const struct api_tunnel *a)
{
	const char *bad = config_ifname_problem(a->name);
	struct config_tunnel *t;

	if (bad) {
		err("tunnel '%s': its name %s", a->name, bad);
		return RC_USAGE;
	}
	t = add_tunnel(c, a->name);
	t->remote = a->cloudflare;
	t->local = a->ours;
	if (!t->local.family && in->local.family) {
		t->local = in->local;
	} else if (!t->local.family) {
		t->local = t->remote.family == AF_INET ? c->link.local4 :
							 c->link.local6;
		note(in, "tunnel %s: the JSON has no endpoint of ours: the link's address %s is in the file, --endpoint says another",
		     a->name, addr_str(&t->local));
	}
	t->address4 = a->v4.ours;
	t->address6 = a->v6.ours;
	if (a->ttl)
		t->ttl = a->ttl;
	/* The default, which is as much as there is room for. */
	t->mtu = a->mtu == 1476 ? 0 : a->mtu;
	t->mtu_given = t->mtu;
	set_health(in, t, a);
	return RC_OK;
}

static bool is_wanted(const struct init *in, const char *name)
{
	unsigned int i;

	for (i = 0; i < in->n_tunnels; i++)
		if (!in->tunnels[i].remote.family &&
		    !strcmp(in->tunnels[i].name, name))
			return true;
	return !in->n_names;
}

/* Whether it's the interconnect of another link than the one chosen. */
static bool of_other_link(const struct init *in, const struct api_tunnel *t)
{
	unsigned int i;

	if (!t->interconnect || !*in->link.name ||
	    !strcmp(t->name, in->link.name))
		return false;
	for (i = 0; i < in->api.n_tunnels; i++)
		if (in->api.tunnels[i].interconnect &&
		    !strcmp(in->api.tunnels[i].name, in->link.name))
			return true;
	return false;
}

static const struct api_tunnel *told_tunnel(const struct init *in,
					    const char *name)
{
	unsigned int i;

	for (i = 0; i < in->api.n_tunnels; i++)
		if (!strcmp(in->api.tunnels[i].name, name))
			return &in->api.tunnels[i];
	return NULL;
}

static int set_tunnels(struct init *in, struct config *c)
{
	const struct api_tunnel *a;
	struct config_tunnel *t;
	unsigned int i;
	int rc;

	c->tunnels = xalloc((in->api.n_tunnels + in->n_tunnels) *
			    sizeof(*c->tunnels));
	for (i = 0; i < in->n_tunnels; i++) {
		if (!in->tunnels[i].remote.family) {
			if (told_tunnel(in, in->tunnels[i].name))
				continue;
			err("there is no tunnel '%s' in the JSON",
			    in->tunnels[i].name);
			hint("--tunnel NAME,LOCAL,REMOTE makes one");
			return RC_USAGE;
		}
		t = add_tunnel(c, in->tunnels[i].name);
		t->local = in->tunnels[i].local;
		t->remote = in->tunnels[i].remote;
		t->address4 = in->tunnels[i].inside4;
		t->address6 = in->tunnels[i].inside6;
	}
	for (i = 0; i < in->api.n_tunnels; i++) {
		a = &in->api.tunnels[i];
		if (!is_wanted(in, a->name))
			continue;
		if (of_other_link(in, a)) {
			note(in, "interconnect %s is of another CNI and left out",
			     a->name);
			continue;
		}
		rc = set_tunnel(in, c, a);
		if (rc)
			return rc;
	}
	/* Where answers leave by another device, that one has the clamp. */
	for (i = 0; i < c->n_tunnels; i++)
		c->tunnels[i].mss_auto = !in->n_dsr;
	return RC_OK;
}

static void add_extra(struct config_bgp *b, const struct addr *a)
{
	unsigned int i;

	for (i = 0; i < b->n_extra; i++)
		if (addr_same(&b->extra[i], a) && b->extra[i].len == a->len)
			return;
	b->extra = xrealloc(b->extra, (b->n_extra + 1) * sizeof(*b->extra));
	b->extra[b->n_extra++] = *a;
}

/* What the JSON tells of sessions belongs to Magic's kind of them. */
static int set_bgp(struct init *in, struct config *c)
{
	const struct api_bgp *b = &in->link.bgp;
	const struct api_tunnel *a;
	unsigned int i, k;

	c->bgp.announce = in->announce;
	c->bgp.n_announce = in->n_announce;
	c->bgp.magic = b->customer_as;
	c->bgp.password = b->md5_key;
	for (i = 0; i < b->n_extra; i++)
		add_extra(&c->bgp, &b->extra[i]);
	for (i = 0; i < c->n_tunnels; i++) {
		a = told_tunnel(in, c->tunnels[i].ifname);
		c->tunnels[i].no_bgp = !a || !a->bgp.customer_as;
		if (c->tunnels[i].no_bgp)
			continue;
		if (c->link.local_as && c->link.local_as != a->bgp.customer_as) {
			err("tunnel %s: its BGP session is for AS %u, and not for our %u",
			    a->name, a->bgp.customer_as, c->link.local_as);
			return RC_USAGE;
		}
		c->link.local_as = a->bgp.customer_as;
		c->tunnels[i].password = a->bgp.md5_key;
		for (k = 0; k < a->bgp.n_extra; k++)
			add_extra(&c->bgp, &a->bgp.extra[k]);
		c->bgp.over_tunnels = true;
		c->tunnels[i].profile = PROFILE_MAGIC;
		note(in, "tunnel %s: a BGP session is over it", a->name);
	}
	if (!c->bgp.over_tunnels)
		for (i = 0; i < c->n_tunnels; i++)
			c->tunnels[i].no_bgp = false;
	else if (*in->link.id && !b->customer_as)
		c->bgp.no_link = true;
	/* Where all sessions are Magic's, that is said once. */
	c->bgp.magic |= c->bgp.no_link;
	for (i = 0; c->bgp.magic && i < c->n_tunnels; i++)
		c->tunnels[i].profile = PROFILE_UNSAID;
	return RC_OK;
}

static void set_ports(const struct init *in, struct config *c)
{
	unsigned int i, k;

	c->ports = xalloc((in->n_lans + in->n_dsr) * sizeof(*c->ports));
	for (i = 0; i < in->n_lans; i++)
		strcpy(c->ports[c->n_ports++].ifname, in->lans[i]);
	for (i = 0; i < in->n_dsr; i++) {
		for (k = 0; k < c->n_ports; k++)
			if (!strcmp(c->ports[k].ifname, in->dsr[i]))
				break;
		if (k == c->n_ports)
			strcpy(c->ports[c->n_ports++].ifname, in->dsr[i]);
		c->ports[k].mss_auto = true;
	}
}

static int check_dataplane(struct init *in)
{
	if (in->link.plain && !in->dataplane_told && in->vlan) {
		note(in, "interconnect %s has no GRE endpoint, but a VLAN: that is dataplane v1 without GRE, since v2 has no VLAN",
		     in->link.name);
	} else if (in->link.plain && !in->dataplane_told) {
		in->dataplane = DATAPLANE_V2;
		note(in, "interconnect %s has no GRE endpoint: that is dataplane v2, unless --dataplane says another",
		     in->link.name);
	}
	if (in->dataplane != DATAPLANE_V2)
		return RC_OK;
	if (in->vlan) {
		err("%s: dataplane v2 takes no VLAN tags, neither 802.1Q nor QinQ",
		    in->vlan_told ? "--vlan" : in->mail_name);
		hint("leave it out; or is the link of dataplane v1 or v1.1? Cloudflare's dashboard says so");
		return RC_USAGE;
	}
	if (in->api.n_tunnels || in->n_tunnels) {
		err("tunnel %s: dataplane v2 takes no GRE: it carries packets of 1500 bytes as they are",
		    in->api.n_tunnels ? in->api.tunnels[0].name :
					in->tunnels[0].name);
		hint("leave tunnels out; or is the link of dataplane v1 or v1.1? Cloudflare's dashboard says so");
		return RC_USAGE;
	}
	return RC_OK;
}

static int check_as(struct init *in)
{
	uint32_t as = in->link.bgp.customer_as;

	if (as && in->local_as && in->local_as != as) {
		err("--local-as is %lu, but the JSON has AS %u for us",
		    in->local_as, as);
		return RC_USAGE;
	}
	if (as)
		in->local_as = as;
	return RC_OK;
}

static json_t *side_json(const struct addr *a4, const struct addr *a6)
{
	json_t *o = json_object();

	if (a4->family)
		json_object_set_new(o, "v4", json_string(addr_prefix_str(a4)));
	if (a6->family)
		json_object_set_new(o, "v6", json_string(addr_prefix_str(a6)));
	return o;
}

static json_t *tunnel_json(const struct config_tunnel *t,
			   const struct addr *peer4, const struct addr *peer6)
{
	json_t *o = json_object();

	json_object_set_new(o, "name", json_string(t->ifname));
	json_object_set_new(o, "ours", json_string(addr_str(&t->local)));
	json_object_set_new(o, "cloudflare",
			    json_string(addr_str(&t->remote)));
	json_object_set_new(o, "ours-inside",
			    side_json(&t->address4, &t->address6));
	json_object_set_new(o, "cloudflare-inside", side_json(peer4, peer6));
	return o;
}

static const char *customer(const struct init *in)
{
	return in->mail_link ? in->mail_link->customer : "";
}

static void print_side(const char *who, const char *name, const struct addr *a4,
		       const struct addr *a6)
{
	fprintf(stderr, "%s%s%s%s:  ", who, *name ? " (" : "", name,
		*name ? ")" : "");
	if (a4->family)
		fprintf(stderr, "%s  ", addr_prefix_str(a4));
	fprintf(stderr, "%s\n", a6->family ? addr_prefix_str(a6) : "");
}

static void print_inside(const struct init *in, const struct addr *ours,
			 const struct addr *theirs, const char *key)
{
	bool is_ours = in->api.interface_is_ours;

	if (ours->family && !key)
		fprintf(stderr, "  inside:  ours %s, Cloudflare's %s\n",
			addr_prefix_str(ours), addr_str(theirs));
	else if (ours->family)
		fprintf(stderr, "  inside:  ours %s, Cloudflare's %s (%s is %s)\n",
			addr_prefix_str(ours), addr_str(theirs), key,
			is_ours ? "ours" : "Cloudflare's");
}

/* Of a /31 and such the other end is known. */
static bool has_other(const struct addr *a)
{
	struct addr other;

	if (!a->family)
		return false;
	other = addr_other(a);
	return !addr_pair_problem(a, &other);
}

static void peers_of(const struct config_tunnel *t, struct addr *peer4,
		     struct addr *peer6)
{
	memset(peer4, 0, sizeof(*peer4));
	memset(peer6, 0, sizeof(*peer6));
	if (has_other(&t->address4))
		*peer4 = addr_other(&t->address4);
	if (has_other(&t->address6))
		*peer6 = addr_other(&t->address6);
}

/* @text: the configuration, where it wasn't written to a file. */
static void tell_json(const struct init *in, const struct config *c,
		      const char *text)
{
	json_t *tunnels = json_array(), *root = json_object();
	struct addr peer4, peer6;
	unsigned int i;

	for (i = 0; i < c->n_tunnels; i++) {
		peers_of(&c->tunnels[i], &peer4, &peer6);
		json_array_append_new(tunnels, tunnel_json(&c->tunnels[i],
							   &peer4, &peer6));
	}
	json_object_set_new(root, "customer", json_string(customer(in)));
	json_object_set_new(root, "ours", side_json(&c->link.local4,
						    &c->link.local6));
	json_object_set_new(root, "cloudflare", side_json(&c->link.peer4,
							  &c->link.peer6));
	if (c->link.vlan)
		json_object_set_new(root, "vlan", json_integer(c->link.vlan));
	json_object_set_new(root, "tunnels", tunnels);
	json_object_set(root, "notes", in->notes);
	if (in->out)
		json_object_set_new(root, "file", json_string(in->out));
	else
		json_object_set_new(root, "config", json_string(text));
	out_print(root);
}

/* Whose is whose is the one thing that must not be taken the wrong way. */
static void tell(const struct init *in, const struct config *c)
{
	struct addr peer4, peer6;
	unsigned int i;
	bool told;		/* with --tunnel */

	print_side("ours", customer(in), &c->link.local4, &c->link.local6);
	print_side("Cloudflare's", "", &c->link.peer4, &c->link.peer6);
	for (i = 0; i < c->n_tunnels; i++) {
		const struct config_tunnel *t = &c->tunnels[i];

		peers_of(t, &peer4, &peer6);
		told = !told_tunnel(in, t->ifname);
		out_say("tunnel %s:  ours %s, Cloudflare's %s", t->ifname,
			addr_str(&t->local), addr_str(&t->remote));
		print_inside(in, &t->address4, &peer4,
			     told ? NULL : "interface_address");
		print_inside(in, &t->address6, &peer6,
			     told ? NULL : "interface_address6");
	}
	if (in->vlan && !in->vlan_told)
		out_say("VLAN:  %u", in->vlan);
	print_notes(in);
	if (in->out)
		out_say("written to %s: next, cnictl up %s", in->out,
			in->out);
}

static int write_out(struct init *in, const struct config *c)
{
	char who[sizeof(in->mail_link->customer) + 16] = "", *text = NULL;
	struct config *read;
	size_t size;
	FILE *f;
	int rc;

	if (*customer(in))
		snprintf(who, sizeof(who), "%s in the mail", customer(in));
	f = open_memstream(&text, &size);
	if (!f) {
		err("out of memory");
		return RC_FAILED;
	}
	config_write(f, c, *who ? who : NULL);
	fclose(f);
	/* The options' sense, such as names that get too long. */
	read = config_parse(in->out ? in->out : "(configuration)", text);
	rc = read ? RC_OK : RC_USAGE;
	if (!rc && (in->out || !out_json))
		rc = config_save(in->out, text);
	if (!rc && in->api.partial)
		note(in, "the JSON is one page of several: there is more at Cloudflare than in it");
	if (!rc && out_json)
		tell_json(in, c, text);
	else if (!rc)
		tell(in, c);
	config_free(read);
	free(text);
	return rc;
}

/* Said of the JSON's names, not of lines that nobody has seen. */
static int refuse_same_ends(const struct config *c)
{
	const struct config_tunnel *a, *b;

	for (b = c->tunnels; b < c->tunnels + c->n_tunnels; b++) {
		for (a = c->tunnels; a < b; a++) {
			if (!addr_same(&a->local, &b->local) ||
			    !addr_same(&a->remote, &b->remote))
				continue;
			err("the tunnels '%s' and '%s' have the same local and remote address (%s and %s): each needs a customer endpoint of its own",
			    a->ifname, b->ifname, addr_str(&a->local),
			    addr_str(&a->remote));
			hint("have Cloudflare change one's, or take one of them: --tunnel %s",
			     a->ifname);
			return RC_USAGE;
		}
	}
	return RC_OK;
}

static int make(struct init *in)
{
	struct config c = {};
	int rc;

	rc = choose_link(in);
	if (!rc)
		rc = check_dataplane(in);
	if (!rc)
		rc = check_as(in);
	if (rc)
		return rc;
	set_link(in, &c);
	rc = set_tunnels(in, &c);
	if (!rc)
		rc = refuse_same_ends(&c);
	if (!rc)
		rc = set_bgp(in, &c);
	if (!rc) {
		set_ports(in, &c);
		rc = write_out(in, &c);
	}
	free(c.tunnels);
	free(c.ports);
	free(c.bgp.extra);
	return rc;
}

int verb_init(int argc, char **argv)
{
	struct init in = { .title = "cloudflare" };
	int i, rc;

	rc = take_options(&in, argc, argv);
	if (rc)
		return rc;
	in.notes = json_array();
	if (optind == argc)
		rc = read_one(&in, "-");
	for (i = optind; i < argc && !rc; i++)
		rc = read_one(&in, argv[i]);
	if (!rc)
		rc = make(&in);
	/* What was passed over can be why. */
	if (rc)
		print_notes(&in);
	json_decref(in.notes);
	free(in.announce);
	api_free(&in.api);
	return rc;
}
