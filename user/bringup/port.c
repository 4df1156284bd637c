// SPDX-License-Identifier: GPL-2.0
/* A LAN port may be that of several links, but has its options once. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/out.h"
#include "bringup/bringup.h"
#include "module/names.h"

struct fit {
	struct up *u;
	const char *port;
	unsigned int least;
};

static void fit_into(struct fit *f, unsigned int mtu)
{
	if (!f->least || mtu < f->least)
		f->least = mtu;
}

/* What goes by another link's tunnels has to fit into these, too. */
static void fit_others(const struct config *c, const struct record *r,
		       void *arg)
{
	struct fit *f = arg;
	struct netdev dev;
	unsigned int i;

	(void)r;
	if (!config_port_of(c, f->port))
		return;
	for (i = 0; i < c->n_tunnels; i++)
		if (!rtnl_dev(&f->u->rt, c->tunnels[i].ifname, &dev))
			fit_into(f, dev.mtu);
}

struct portopts port_opts(struct up *u, const struct config_port *p)
{
	struct fit f = { .u = u, .port = p->ifname };
	struct portopts o = p->opts;
	struct tunopts fit = {};
	unsigned int i;

	if (!p->mss_auto)
		return o;
	for (i = 0; i < u->c->n_tunnels; i++)
		fit_into(&f, tunnel_mss_mtu(u, &u->c->tunnels[i]));
	record_each(u->rt.fd, &u->record, fit_others, &f);
	tunopts_mss(&fit, f.least);
	o.mss4 = fit.mss4;
	o.mss6 = fit.mss6;
	return o;
}

/* As the file says it; @size 8 is enough. */
static void mss_str(const struct config_port *p, char *buf, size_t size)
{
	if (p->mss_auto)
		snprintf(buf, size, "auto");
	else if (p->opts.mss4)
		snprintf(buf, size, "%u", p->opts.mss4);
	else
		snprintf(buf, size, "off");
}

/* The first option that the files have otherwise, or NULL; what they say. */
static const char *other_option(const struct config *a,
				const struct config_port *p,
				const struct config *b,
				const struct config_port *q,
				char is[8], char there[8])
{
	uint32_t differ = p->opts.flags ^ q->opts.flags;
	unsigned int i;

	mss_str(p, is, 8);
	mss_str(q, there, 8);
	if (strcmp(is, there))
		return "mss";
	strcpy(is, a->link.xdp_auto ? "auto" : "off");
	strcpy(there, b->link.xdp_auto ? "auto" : "off");
	if (strcmp(is, there))
		return "xdp";
	for (i = 0; i < n_port_flag_names; i++) {
		if (!(differ & port_flag_names[i].value))
			continue;
		strcpy(is, p->opts.flags & port_flag_names[i].value ?
		       "true" : "false");
		strcpy(there, q->opts.flags & port_flag_names[i].value ?
		       "true" : "false");
		return port_flag_names[i].name;
	}
	return NULL;
}

struct refusal {
	struct up *u;
	int rc;
};

static void refuse_port(const struct config *other, const struct record *r,
			void *arg)
{
	const struct config_port *p, *q;
	struct refusal *f = arg;
	const struct config *c = f->u->c;
	char is[8], there[8];
	const char *option;
	unsigned int i;
	char *from;

	/* What goes without the module has none. */
	if (other->link.offload == OFFLOAD_OFF || record_is_stock(r))
		return;
	for (i = 0; i < c->n_ports && !f->rc; i++) {
		p = &c->ports[i];
		q = config_port_of(other, p->ifname);
		option = q ? other_option(c, p, other, q, is, there) : NULL;
		if (!option)
			continue;
		err("%s: the port %s %s \"%s = %s\", but \"%s = %s\" in the link '%s', which is up",
		    c->file, p->ifname,
		    strcmp(option, "xdp") ? "has" : "is that of a link with",
		    option, is, option, there, other->link.title);
		from = record_from(r);
		hint("a port has its options once, and XDP or not: write the same into both files");
		hint("to change it, take the port out of %s, and: cnictl reload %s; then put it back, as it's to be",
		     from ? from : r->file, from ? from : r->file);
		free(from);
		f->rc = -EEXIST;
	}
}

int port_refuse(struct up *u)
{
	struct refusal f = { .u = u };

	if (!u->told_off)
		record_each(u->rt.fd, &u->record, refuse_port, &f);
	return f.rc;
}
