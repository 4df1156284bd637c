// SPDX-License-Identifier: GPL-2.0
/* The module's part: its objects, and XDP on the devices that feed it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/out.h"
#include "bringup/bringup.h"
#include "kernel/module.h"
#include "module/xdp.h"

/* What others have enrolled meanwhile would go with it. */
static bool is_in_use(struct up *u)
{
	struct cni_link *links = NULL;
	struct cni_port *ports = NULL;
	unsigned int n_links = 0, n_ports = 0;

	if (!u->have_cni)
		return false;
	if (cni_links(&u->cni, &links, &n_links))
		n_links = 0;
	if (cni_ports(&u->cni, &ports, &n_ports))
		n_ports = 0;
	free(links);
	free(ports);
	return n_links || n_ports;
}

static void undo_module(struct up *u, const struct undo *undo)
{
	(void)undo;
	if (is_in_use(u)) {
		step_remark(u, "the module stays: others use it");
		return;
	}
	step_undoing(u, "rmmod cnilink");
	if (u->have_cni)
		cni_close(&u->cni);
	u->have_cni = false;
	module_unload("cnilink");
}

static int need_module(struct up *u)
{
	int rc = u->have_cni ? 0 : cni_open(&u->cni);

	if (!rc) {
		step_right(u, "the module is loaded");
		u->have_cni = true;
		return 0;
	}
	if (rc != -ENOENT || u->known)
		return rc;
	if (!step_do(u, "%s", module_command()))
		return 0;
	rc = module_load();
	if (rc)
		return rc;
	step_on_failure(u, 0, undo_module);
	rc = cni_open(&u->cni);
	if (rc == -ENOENT)
		err("the module is loaded, but its netlink family isn't there: dmesg may tell more");
	u->have_cni = !rc;
	return rc;
}

/* What the module answers about one that it hasn't got. */
static bool is_unknown(int rc)
{
	return rc == -ENOENT || rc == -ENODEV;
}

static int failed_cni(struct up *u, int rc, const char *what,
		      const char *name)
{
	struct cni_status status;

	err("the module refuses %s %s: %s", what, name,
	    nlc_strerror(&u->cni.nl, rc));
	if (!cni_status(&u->cni, &status) &&
	    strcmp(status.version, CNICTL_VERSION))
		hint("it is of version %s, and cnictl of %s: install the module of the same version, rmmod cnilink, and cnictl reload %s",
		     status.version, CNICTL_VERSION, u->c->file);
	return rc;
}

static int failed_look(struct up *u, int rc, const char *name)
{
	err("can't ask the module for %s: %s", name,
	    nlc_strerror(&u->cni.nl, rc));
	return rc;
}

static void undo_cni_link(struct up *u, const struct undo *undo)
{
	const struct cni_link *l = &undo->link;

	if (l->ifindex) {
		step_undoing(u, "cnictl link set %s as it was",
			     rtnl_name(undo->ifindex));
		cni_link_set(&u->cni, undo->ifindex, &l->local4, &l->peer4,
			     &l->local6, &l->peer6);
		return;
	}
	step_undoing(u, "cnictl link del %s", rtnl_name(undo->ifindex));
	cni_link_del(&u->cni, undo->ifindex);
}

static struct known_dev *find_known(struct up *u, uint32_t ifindex)
{
	unsigned int i;

	for (i = 0; u->known && i < u->known->n; i++)
		if (u->known->devs[i].ifindex == ifindex)
			return &u->known->devs[i];
	return NULL;
}

/* Whether only what is missing counts, and that isn't. */
static bool is_known(struct up *u, uint32_t ifindex)
{
	return find_known(u, ifindex);
}

/* The module has it, one way or the other; @new: from now on. */
static int know(struct up *u, uint32_t ifindex, bool new)
{
	struct known *k = u->known;

	if (!k)
		return 0;
	k->devs = xrealloc(k->devs, (k->n + 1) * sizeof(*k->devs));
	k->devs[k->n++] = (struct known_dev){
		.ifindex = ifindex, .xdp_due = new && u->c->link.xdp_auto,
	};
	return 0;
}

static int enrol_link(struct up *u)
{
	const struct config_link *l = &u->c->link;
	struct cni_link now = {};
	int rc = -ENOENT;

	if (is_known(u, u->link.ifindex))
		return 0;
	if (u->have_cni && u->link.ifindex)
		rc = cni_link_get(&u->cni, u->link.ifindex, &now);
	if (rc && !is_unknown(rc))
		return failed_look(u, rc, l->ifname);
	if (!rc && u->known)
		return know(u, u->link.ifindex, false);
	if (!rc && addr_same(&now.local4, &l->local4) &&
	    addr_same(&now.peer4, &l->peer4) &&
	    addr_same(&now.local6, &l->local6) &&
	    addr_same(&now.peer6, &l->peer6)) {
		step_right(u, "the module has the link %s", l->ifname);
		return 0;
	}
	if (rc)
		memset(&now, 0, sizeof(now));
	if (!step_do(u, "cnictl link set %s%s%s%s%s%s%s%s%s", l->ifname,
		     l->local4.family ? " local4 " : "",
		     l->local4.family ? addr_str(&l->local4) : "",
		     l->peer4.family ? " peer4 " : "",
		     l->peer4.family ? addr_str(&l->peer4) : "",
		     l->local6.family ? " local6 " : "",
		     l->local6.family ? addr_str(&l->local6) : "",
		     l->peer6.family ? " peer6 " : "",
		     l->peer6.family ? addr_str(&l->peer6) : ""))
		return 0;
	rc = cni_link_set(&u->cni, u->link.ifindex, &l->local4, &l->peer4,
			  &l->local6, &l->peer6);
	if (rc)
		return failed_cni(u, rc, "the link", l->ifname);
	step_on_failure(u, u->link.ifindex, undo_cni_link)->link = now;
	return know(u, u->link.ifindex, true);
}

struct tunopts offload_tunnel_opts(struct up *u, const struct config_tunnel *t)
{
	struct tunopts o = t->opts;

	if (t->mss_auto)
		tunopts_mss(&o, tunnel_mss_mtu(u, t));
	return o;
}

static void undo_cni_tunnel_opts(struct up *u, const struct undo *undo)
{
	struct cni_tunnel now = {};

	cni_tunnel_get(&u->cni, undo->ifindex, &now);
	step_undoing(u, "cnictl tunnel set %s%s", rtnl_name(undo->ifindex),
		     tunopts_change_str(&now.opts, &undo->opts));
	cni_tunnel_set(&u->cni, undo->ifindex, &undo->opts);
}

static void undo_cni_tunnel(struct up *u, const struct undo *undo)
{
	step_undoing(u, "cnictl tunnel del %s", rtnl_name(undo->ifindex));
	cni_tunnel_del(&u->cni, undo->ifindex);
}

static int enrol_tunnel(struct up *u, const struct config_tunnel *t)
{
	struct tunopts want = offload_tunnel_opts(u, t);
	struct cni_tunnel now = {};
	struct netdev dev;
	bool had;
	int rc;

	rc = dev_look(u, t->ifname, &dev);
	if (rc && u->known)
		return 0;
	if (rc && !u->dry)
		return step_failed(u, rc, "look at", t->ifname);
	if (is_known(u, dev.ifindex))
		return 0;
	if (!rc && u->have_cni)
		rc = cni_tunnel_get(&u->cni, dev.ifindex, &now);
	if (rc && !is_unknown(rc))
		return failed_look(u, rc, t->ifname);
	had = !rc && u->have_cni;
	if (had && u->known)
		return know(u, dev.ifindex, false);
	if (had && tunopts_same(&now.opts, &want)) {
		step_right(u, "the module has the tunnel %s", t->ifname);
		return 0;
	}
	if (!step_do(u, "cnictl tunnel %s %s%s", had ? "set" : "add", t->ifname,
		     tunopts_change_str(&now.opts, &want)))
		return 0;
	rc = cni_tunnel_set(&u->cni, dev.ifindex, &want);
	if (rc)
		return failed_cni(u, rc, "the tunnel", t->ifname);
	if (had)
		step_on_failure(u, dev.ifindex, undo_cni_tunnel_opts)->opts =
			now.opts;
	else
		step_on_failure(u, dev.ifindex, undo_cni_tunnel);
	return know(u, dev.ifindex, false);
}

static void undo_cni_port(struct up *u, const struct undo *undo)
{
	if (step_others_keep(u, rtnl_name(undo->ifindex)))
		return;
	step_undoing(u, "cnictl port del %s", rtnl_name(undo->ifindex));
	cni_port_del(&u->cni, undo->ifindex);
}

static void undo_cni_port_opts(struct up *u, const struct undo *undo)
{
	step_undoing(u, "cnictl port set %s%s", rtnl_name(undo->ifindex),
		     portopts_str(&undo->port));
	cni_port_set(&u->cni, undo->ifindex, &undo->port);
}

static int enrol_port(struct up *u, const struct config_port *p)
{
	struct portopts want = port_opts(u, p);
	struct cni_port now = {};
	struct netdev dev;
	bool had;
	int rc;

	rc = rtnl_dev(&u->rt, p->ifname, &dev);
	/* That has been said. */
	if (rc == -ENODEV && !u->require)
		return 0;
	if (rc)
		return step_failed(u, rc, "look at", p->ifname);
	if (is_known(u, dev.ifindex))
		return 0;
	if (u->have_cni)
		rc = cni_port_get(&u->cni, dev.ifindex, &now);
	if (rc && !is_unknown(rc))
		return failed_look(u, rc, p->ifname);
	had = !rc && u->have_cni;
	if (had && u->known)
		return know(u, dev.ifindex, false);
	if (had && portopts_same(&now.opts, &want)) {
		step_right(u, "the module has the port %s", p->ifname);
		return 0;
	}
	if (!step_do(u, "cnictl port set %s%s", p->ifname, portopts_str(&want)))
		return 0;
	rc = cni_port_set(&u->cni, dev.ifindex, &want);
	if (rc)
		return failed_cni(u, rc, "the port", p->ifname);
	if (had)
		step_on_failure(u, dev.ifindex, undo_cni_port_opts)->port =
			now.opts;
	else
		step_on_failure(u, dev.ifindex, undo_cni_port);
	return know(u, dev.ifindex, true);
}

int offload_enrol(struct up *u)
{
	const struct config *c = u->c;
	unsigned int i;
	int rc;

	rc = need_module(u);
	if (!rc)
		rc = enrol_link(u);
	for (i = 0; !rc && i < c->n_tunnels; i++) {
		rc = step_interrupted();
		if (!rc)
			rc = enrol_tunnel(u, &c->tunnels[i]);
	}
	for (i = 0; !rc && i < c->n_ports; i++) {
		rc = step_interrupted();
		if (!rc)
			rc = enrol_port(u, &c->ports[i]);
	}
	return rc;
}

static void undo_xdp_detach(struct up *u, const struct undo *undo)
{
	step_undoing(u, "cnictl xdp attach %s", rtnl_name(undo->ifindex));
	xdp_attach(undo->ifindex);
}

static int xdp_off(struct up *u, uint32_t ifindex)
{
	struct xdp_dev d = { .ifindex = ifindex };
	int rc;

	if (xdp_look(&d) || !d.ours ||
	    record_user(&u->record, rtnl_name(ifindex), RECORD_XDP) ||
	    !step_do(u, "cnictl xdp detach %s", rtnl_name(ifindex)))
		return 0;
	rc = xdp_detach(ifindex);
	if (rc) {
		err("can't take XDP off %s: %s", rtnl_name(ifindex),
		    xdp_strerror(rc));
		return rc;
	}
	step_on_failure(u, ifindex, undo_xdp_detach);
	return 0;
}

static void undo_xdp_attach(struct up *u, const struct undo *undo)
{
	if (step_others_keep(u, rtnl_name(undo->ifindex)))
		return;
	step_undoing(u, "cnictl xdp detach %s", rtnl_name(undo->ifindex));
	xdp_detach(undo->ifindex);
}

/*
 * What can't be doesn't keep the link from coming up: it does without. @quiet:
 * that has been said. False while something is in its way that may go.
 */
static bool xdp_on(struct up *u, struct xdp_dev *d, bool quiet)
{
	const char *dev = rtnl_name(d->ifindex);
	const char *problem;
	int rc;

	if (xdp_look(d))
		return true;
	problem = xdp_blocked(d);
	if (!problem && d->other)
		problem = xdp_strerror(-EBUSY);
	if (problem) {
		if (!quiet)
			step_remark(u, "%s: no XDP: %s", dev, problem);
		return false;
	}
	if (d->ours) {
		step_right(u, "XDP is on %s", dev);
		return true;
	}
	if (!step_do(u, "cnictl xdp attach %s", dev))
		return true;
	rc = xdp_attach(d->ifindex);
	if (rc)
		step_remark(u, "%s: no XDP: %s", dev, xdp_strerror(rc));
	else
		step_on_failure(u, d->ifindex, undo_xdp_attach);
	return true;
}

/* The device that the link's frames come by. */
static struct xdp_dev link_xdp(struct up *u)
{
	struct xdp_dev d = { .ifindex = u->parent.ifindex };
	struct cni_link link = {};

	if (!cni_link_get(&u->cni, u->link.ifindex, &link))
		d.blockers = link.xdp_blockers;
	return d;
}

/* False where it's no port of the module. */
static bool port_xdp(struct up *u, const struct config_port *p,
		     struct xdp_dev *d)
{
	struct cni_port port = {};
	struct netdev dev;

	if (rtnl_dev(&u->rt, p->ifname, &dev) ||
	    cni_port_get(&u->cni, dev.ifindex, &port))
		return false;
	*d = (struct xdp_dev){ .ifindex = dev.ifindex,
			       .blockers = port.xdp_blockers };
	return true;
}

static int set_one_xdp(struct up *u, struct xdp_dev *d)
{
	if (!u->c->link.xdp_auto)
		return xdp_off(u, d->ifindex);
	xdp_on(u, d, false);
	return 0;
}

static int set_xdp(struct up *u)
{
	const struct config *c = u->c;
	struct xdp_dev d;
	unsigned int i;
	int rc;

	/* A dry run before the module is there can't tell. */
	if (!u->have_cni ||
	    (!c->link.xdp_auto && !(u->old && u->old->link.xdp_auto)))
		return 0;
	d = link_xdp(u);
	rc = set_one_xdp(u, &d);
	for (i = 0; !rc && i < c->n_ports; i++)
		if (port_xdp(u, &c->ports[i], &d))
			rc = set_one_xdp(u, &d);
	return rc;
}

static void adopt_one_xdp(struct up *u, struct known_dev *k, struct xdp_dev *d)
{
	/* The file may say otherwise by now. */
	if (!u->c->link.xdp_auto) {
		k->xdp_due = false;
		return;
	}
	/* The device before this one may have had a program. */
	xdp_sweep();
	k->xdp_due = !xdp_on(u, d, k->xdp_said);
	k->xdp_said = true;
}

void offload_xdp(struct up *u)
{
	const struct config *c = u->c;
	struct known_dev *k = find_known(u, u->link.ifindex);
	struct xdp_dev d;
	unsigned int i;

	if (!adopt_waits(u->known))
		return;
	if (k && k->xdp_due) {
		d = link_xdp(u);
		adopt_one_xdp(u, k, &d);
	}
	for (i = 0; i < c->n_ports; i++) {
		if (!port_xdp(u, &c->ports[i], &d))
			continue;
		k = find_known(u, d.ifindex);
		if (k && k->xdp_due)
			adopt_one_xdp(u, k, &d);
	}
}

int offload_all(struct up *u)
{
	const struct undo *before = u->undo;
	int rc;

	/* What it says is an error or a remark: that isn't known yet. */
	if (!u->require)
		out_hold();
	rc = offload_enrol(u);
	if (!rc)
		rc = set_xdp(u);
	if (!rc || rc == -EINTR || u->require) {
		out_release();
		return rc;
	}
	step_remark_held(u, "no fast path: ");
	step_remark(u, "  the link goes without it; once that is mended: cnictl reload %s",
		    u->c->file);
	step_undo_to(u, before);
	u->no_offload = true;
	return 0;
}

void offload_miss_port(struct up *u, const char *name)
{
	step_remark(u, "no fast path from %s: there is no such device; when it is there: cnictl reload %s, if no cnictl sync runs by then",
		    name, u->c->file);
}

/* A device that the module may have; -ENODEV where it can't. */
static int enrolled_dev(struct up *u, const char *name, struct netdev *dev)
{
	return u->have_cni ? dev_look(u, name, dev) : -ENODEV;
}

int offload_withdraw_port(struct up *u, const char *name)
{
	struct cni_port now;
	const char *other;
	struct netdev dev;
	int rc;

	rc = enrolled_dev(u, name, &dev);
	if (!rc)
		rc = cni_port_get(&u->cni, dev.ifindex, &now);
	if (rc)
		return is_unknown(rc) ? 0 : failed_look(u, rc, name);
	other = record_user(&u->record, name, RECORD_PORT);
	if (other) {
		step_remark(u, "the port %s stays: the link '%s' has it, too",
			    name, other);
		return 0;
	}
	rc = xdp_off(u, dev.ifindex);
	if (rc)
		return rc;
	if (!step_do(u, "cnictl port del %s", name))
		return 0;
	rc = cni_port_del(&u->cni, dev.ifindex);
	if (rc && !is_unknown(rc))
		return failed_cni(u, rc, "to give up", name);
	step_on_failure(u, dev.ifindex, undo_cni_port_opts)->port = now.opts;
	return 0;
}

int offload_withdraw_tunnel(struct up *u, const char *name)
{
	struct cni_tunnel now;
	struct netdev dev;
	int rc;

	rc = enrolled_dev(u, name, &dev);
	if (!rc)
		rc = cni_tunnel_get(&u->cni, dev.ifindex, &now);
	if (rc)
		return is_unknown(rc) ? 0 : failed_look(u, rc, name);
	if (!step_do(u, "cnictl tunnel del %s", name))
		return 0;
	rc = cni_tunnel_del(&u->cni, dev.ifindex);
	if (rc && !is_unknown(rc))
		return failed_cni(u, rc, "to give up", name);
	step_on_failure(u, dev.ifindex, undo_cni_tunnel_opts)->opts = now.opts;
	return 0;
}

/* A link's frames come no longer by its lower device, unless other links' do. */
static int xdp_off_lower(struct up *u, const struct cni_link *link)
{
	struct cni_link *list = NULL;
	bool shared = false;
	unsigned int n, i;
	int rc;

	rc = cni_links(&u->cni, &list, &n);
	if (rc)
		return failed_look(u, rc, rtnl_name(link->ifindex));
	for (i = 0; i < n; i++)
		shared |= list[i].lower == link->lower &&
			  list[i].ifindex != link->ifindex;
	free(list);
	return shared ? 0 : xdp_off(u, link->lower);
}

int offload_withdraw_link(struct up *u, const char *name)
{
	struct cni_link now;
	struct netdev dev;
	int rc;

	rc = enrolled_dev(u, name, &dev);
	if (!rc)
		rc = cni_link_get(&u->cni, dev.ifindex, &now);
	if (rc)
		return is_unknown(rc) ? 0 : failed_look(u, rc, name);
	rc = xdp_off_lower(u, &now);
	if (rc)
		return rc;
	if (!step_do(u, "cnictl link del %s", name))
		return 0;
	rc = cni_link_del(&u->cni, dev.ifindex);
	if (rc && !is_unknown(rc))
		return failed_cni(u, rc, "to give up", name);
	step_on_failure(u, dev.ifindex, undo_cni_link)->link = now;
	return 0;
}

int offload_withdraw_all(struct up *u)
{
	const struct config *c = u->c;
	unsigned int i;
	int rc = 0;

	for (i = 0; i < c->n_ports && !rc; i++)
		rc = offload_withdraw_port(u, c->ports[i].ifname);
	for (i = 0; i < c->n_tunnels && !rc; i++)
		rc = offload_withdraw_tunnel(u, c->tunnels[i].ifname);
	return rc ? rc : offload_withdraw_link(u, c->link.ifname);
}
