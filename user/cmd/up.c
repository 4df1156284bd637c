// SPDX-License-Identifier: GPL-2.0
/*
 * up, reload and down: from the configuration to devices, addresses and the
 * module's objects, to those of a changed one, and back. Each is done whole or
 * not at all: every step notes how to take it back.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/lock.h"
#include "base/out.h"
#include "base/signals.h"
#include "base/usage.h"
#include "bringup/bringup.h"
#include "cmd/verbs.h"
#include "kernel/module.h"
#include "kernel/sysctl.h"
#include "module/xdp.h"

/* What a configuration has; @c NULL has nothing. */

static bool has_route(const struct config *c, const struct addr *remote)
{
	unsigned int i;

	for (i = 0; c && i < c->n_tunnels; i++)
		if (c->tunnels[i].host_route &&
		    addr_same(&c->tunnels[i].remote, remote))
			return true;
	return false;
}

static bool has_local(const struct config *c, const struct addr *local)
{
	unsigned int i;

	for (i = 0; c && i < c->n_tunnels; i++)
		if (c->tunnels[i].host_route &&
		    addr_same(&c->tunnels[i].local, local))
			return true;
	return false;
}

struct dev_addr {
	const char *dev;
	const struct addr *a;
};

/* The addresses of the devices, link's first; how many, and *list for free(). */
static unsigned int addrs_of(const struct config *c, struct dev_addr **list)
{
	unsigned int n = 0, i;

	*list = xalloc((2 + 3 * c->n_tunnels) * sizeof(**list));
	(*list)[n++] = (struct dev_addr){ c->link.ifname, &c->link.local4 };
	(*list)[n++] = (struct dev_addr){ c->link.ifname, &c->link.local6 };
	for (i = 0; i < c->n_tunnels; i++) {
		const struct config_tunnel *t = &c->tunnels[i];

		(*list)[n++] = (struct dev_addr){ t->ifname, &t->address4 };
		(*list)[n++] = (struct dev_addr){ t->ifname, &t->address6 };
		(*list)[n++] = (struct dev_addr){ t->ifname, &t->link_local };
	}
	return n;
}

static bool has_addr(const struct config *c, const struct dev_addr *d)
{
	struct dev_addr *list;
	unsigned int n, i;
	bool has = !d->a->family;

	n = addrs_of(c, &list);
	for (i = 0; i < n; i++)
		has |= !strcmp(list[i].dev, d->dev) &&
		       addr_same(list[i].a, d->a) && list[i].a->len == d->a->len;
	free(list);
	return has;
}

/*
 * The addresses that devices have no more, though they stay. What goes as a
 * whole takes its own with it.
 */
static int leave_addrs(struct up *u, const struct config *old,
		       const struct config *new)
{
	struct dev_addr *list;
	struct netdev dev;
	unsigned int n, i;
	bool stays;
	int rc = 0;

	n = addrs_of(old, &list);
	for (i = 0; i < n && !rc; i++) {
		stays = new && (config_tunnel_of(new, list[i].dev) ||
				!strcmp(list[i].dev, new->link.ifname));
		if ((new && has_addr(new, &list[i])) ||
		    dev_look(u, list[i].dev, &dev) ||
		    (dev_is_ours(u, &dev) && !stays &&
		     !record_user(&u->record, dev.name, RECORD_ANY)) ||
		    (!u->old && step_owner(u, list[i].dev)))
			continue;
		rc = dev_remove_addr(u, &dev, list[i].a);
	}
	free(list);
	return rc;
}

/* Another link's keeps all that it has. */
static bool is_others(struct up *u, const char *dev)
{
	const char *owner = step_owner(u, dev);

	if (!owner)
		return false;
	step_remark(u, "%s stays: it's of the link '%s'", dev, owner);
	if (!u->old && !strcmp(dev, u->c->link.ifname))
		step_remark(u, "  if that is what this one was called before: cnictl reload %s, and then down",
			    u->c->file);
	return true;
}

/* Removes what @old has and @new hasn't. @new NULL: all of it. */
static int leave(struct up *u, const struct config *old,
		 const struct config *new)
{
	const struct config_tunnel *t;
	bool link_stays = new && !strcmp(old->link.ifname, new->link.ifname);
	bool *others = xalloc((old->n_tunnels + 1) * sizeof(*others));
	bool link_others = !link_stays && is_others(u, old->link.ifname);
	unsigned int i;
	int rc = 0;

	for (i = 0; i < old->n_tunnels; i++)
		others[i] = !config_tunnel_of(new, old->tunnels[i].ifname) &&
			    is_others(u, old->tunnels[i].ifname);
	for (i = old->n_ports; i-- && !rc;)
		if (!config_port_of(new, old->ports[i].ifname))
			rc = offload_withdraw_port(u, old->ports[i].ifname);
	for (i = old->n_tunnels; i-- && !rc;)
		if (!config_tunnel_of(new, old->tunnels[i].ifname) && !others[i])
			rc = offload_withdraw_tunnel(u, old->tunnels[i].ifname);
	if (!rc && !link_stays && !link_others)
		rc = offload_withdraw_link(u, old->link.ifname);
	if (!rc && !link_stays && !link_others)
		rc = mss_unclamp(u, old->link.ifname);
	if (!rc && !new)
		rc = static_remove(u);
	for (i = old->n_tunnels; i-- && !rc;) {
		t = &old->tunnels[i];
		rc = step_interrupted();
		if (!rc && !link_others)
			rc = tunnel_remove_host_route(u, t, old->link.ifname,
				!link_stays || !has_route(new, &t->remote),
				!link_stays || !has_local(new, &t->local));
		if (!rc && !config_tunnel_of(new, t->ifname) && !others[i])
			rc = dev_remove(u, t->ifname);
	}
	if (!rc)
		rc = leave_addrs(u, old, new);
	if (!rc && !link_stays && !link_others && old->link.vlan)
		rc = dev_remove(u, old->link.ifname);
	free(others);
	return rc;
}

/* The first thing that leave() would remove, in words, or NULL. */
static const char *left_over(const struct config *old, const struct config *new)
{
	static char text[128];
	struct dev_addr *list;
	unsigned int n, i;

	if (strcmp(old->link.ifname, new->link.ifname)) {
		snprintf(text, sizeof(text), "the link's device %s",
			 old->link.ifname);
		return text;
	}
	for (i = 0; i < old->n_tunnels; i++) {
		snprintf(text, sizeof(text), "the tunnel %s",
			 old->tunnels[i].ifname);
		if (!config_tunnel_of(new, old->tunnels[i].ifname))
			return text;
	}
	for (i = 0; i < old->n_ports; i++) {
		snprintf(text, sizeof(text), "the port %s",
			 old->ports[i].ifname);
		if (!config_port_of(new, old->ports[i].ifname))
			return text;
	}
	n = addrs_of(old, &list);
	for (i = 0; i < n && has_addr(new, &list[i]); i++)
		;
	if (i < n)
		snprintf(text, sizeof(text), "the address %s of %s",
			 addr_prefix_str(list[i].a), list[i].dev);
	free(list);
	return i < n ? text : NULL;
}

/* Of what we made, what keeps the new from being made. */
static int clear_way(struct up *u)
{
	const struct config_link *l = &u->c->link;
	const struct config *old = u->old;
	struct netdev dev;
	unsigned int i;
	int rc = 0;

	for (i = 0; i < old->n_tunnels && !rc; i++) {
		if (dev_look(u, old->tunnels[i].ifname, &dev) ||
		    !dev_is_ours(u, &dev) || !tunnel_in_the_way(u, &dev))
			continue;
		rc = offload_withdraw_tunnel(u, dev.name);
		if (!rc)
			rc = dev_remove(u, dev.name);
	}
	if (rc || !old->link.vlan || !l->vlan ||
	    dev_look(u, l->device, &u->parent) ||
	    dev_look(u, old->link.ifname, &dev) || !dev_is_ours(u, &dev))
		return rc;
	/* Either the name is taken by another VLAN, or the VLAN is. */
	if (link_is_vlan(u, &dev) == !strcmp(dev.name, l->ifname))
		return 0;
	rc = offload_withdraw_link(u, dev.name);
	return rc ? rc : dev_remove(u, dev.name);
}

/* One device is one link's. */
static int refuse_others(struct up *u)
{
	const char *dev = u->c->link.ifname;
	const char *other = record_user(&u->record, dev, RECORD_LINK);

	if (!other)
		return 0;
	err("%s is the device of the link '%s', which is up", dev, other);
	hint("if '%s' is what that one is called now: cnictl reload %s",
	     u->c->link.title, u->c->file);
	hint("else give this link another device or VLAN, or take that one down");
	return -EEXIST;
}

/* Where the kernel takes no IPv6 address it only says "Permission denied". */
static int look_for_ipv6_on(struct up *u, const char *dev, uint32_t mtu)
{
	struct netdev now;
	char path[96];

	/* A new one takes this from "default". */
	snprintf(path, sizeof(path), "net/ipv6/conf/%s/disable_ipv6",
		 dev_look(u, dev, &now) ? "default" : dev);
	if (sysctl_read("net/ipv6/conf/all/disable_ipv6") < 0) {
		err("%s is to have an IPv6 address, but the kernel has no IPv6",
		    dev);
		hint("it was started with ipv6.disable=1, or built without IPv6: change that, or take IPv6 out of %s",
		     u->c->file);
		return -EAFNOSUPPORT;
	}
	if (sysctl_read(path) == 1) {
		err("%s is to have an IPv6 address, but IPv6 is disabled there: %s is 1",
		    dev, sysctl_name(path));
		hint("sysctl -w %s=0, and remove what sets it: grep -r disable_ipv6 /etc/sysctl.conf /etc/sysctl.d",
		     sysctl_name(path));
		return -EACCES;
	}
	if (mtu >= 1280)
		return 0;
	err("%s is to have an IPv6 address, but its MTU is %u, and IPv6 needs 1280",
	    dev, mtu);
	hint("give it a larger one, or take IPv6 out of %s", u->c->file);
	return -EINVAL;
}

static int look_for_ipv6(struct up *u)
{
	const struct config *c = u->c;
	uint32_t mtu = u->link.ifindex && !c->link.mtu ? u->link.mtu :
							link_mtu(u);
	const struct config_tunnel *t;
	int rc = 0;

	if (c->link.local6.family)
		rc = look_for_ipv6_on(u, c->link.ifname, mtu);
	for (t = c->tunnels; t < c->tunnels + c->n_tunnels && !rc; t++)
		if (t->address6.family)
			rc = look_for_ipv6_on(u, t->ifname, t->mtu_given ||
					      t->mtu < mtu - t->overhead ?
					      t->mtu : mtu - t->overhead);
	return rc;
}

static int look_at_link(struct up *u)
{
	const struct config *c = u->c;
	char name[IFNAMSIZ];
	struct netdev dev;
	unsigned int mtu;
	int rc;

	rc = dev_look(u, c->link.device, &u->parent);
	if (rc) {
		err("%s: the link's device %s doesn't exist", c->file,
		    c->link.device);
		hint("\"ip link\" lists the devices of this host");
		return rc;
	}
	mtu = c->link.mtu ? c->link.mtu : u->parent.mtu;
	if (c->link.vlan && mtu > u->parent.mtu) {
		err("%s: the link's mtu %u is more than the %u of %s", c->file,
		    mtu, u->parent.mtu, c->link.device);
		hint("ip link set %s mtu %u", c->link.device, mtu);
		return -ERANGE;
	}
	rc = dev_look(u, c->link.ifname, &u->link);
	if (rc && rc != -ENODEV)
		return step_failed(u, rc, "look at", c->link.ifname);
	if (!rc && c->link.vlan && !link_is_vlan(u, &u->link)) {
		err("there is a device %s already, which isn't VLAN %u of %s",
		    c->link.ifname, c->link.vlan, c->link.device);
		hint("remove it (ip link delete %s), or choose another \"name\" in %s",
		     c->link.ifname, c->file);
		return -EEXIST;
	}
	if (rc && c->link.vlan &&
	    rtnl_vlan_find(&u->rt, u->parent.ifindex, c->link.vlan, name) &&
	    !dev_look(u, name, &dev)) {
		err("VLAN %u of %s is there already, under the name %s",
		    c->link.vlan, c->link.device, name);
		hint("set \"name = %s\" in the link of %s, and it's taken as it is; or remove it: ip link delete %s",
		     name, c->file, name);
		return -EEXIST;
	}
	return 0;
}

static int look_at_ports(struct up *u)
{
	const struct config *c = u->c;
	struct netdev dev;
	unsigned int i;
	int rc;

	for (i = 0; i < c->n_ports; i++) {
		rc = dev_look(u, c->ports[i].ifname, &dev);
		if (rc == -ENODEV && !u->require) {
			if (!u->told_off)
				offload_miss_port(u, c->ports[i].ifname);
		} else if (rc) {
			err("%s: the port's device %s doesn't exist", c->file,
			    c->ports[i].ifname);
			hint("\"ip link\" lists the devices of this host");
			return rc;
		}
	}
	return 0;
}

/* Checks that need nothing changed: most mistakes end here. */
static int look_first(struct up *u)
{
	unsigned int i;
	int rc;

	rc = refuse_others(u);
	if (!rc)
		rc = port_refuse(u);
	if (!rc)
		rc = look_at_link(u);
	if (!rc)
		rc = look_for_ipv6(u);
	for (i = 0; !rc && i < u->c->n_tunnels; i++)
		rc = tunnel_look(u, &u->c->tunnels[i]);
	if (!rc)
		rc = static_look(u);
	return rc ? rc : look_at_ports(u);
}

/* The kernel loads these for the first device of their kind. */
static const char * const kind_modules[] = {
	"ip6_gre", "ip6_tunnel", "tunnel6", "ip_gre", "ip_tunnel", "gre",
	"8021q", "mrp", "garp", "stp", "llc",
};

#define N_KIND_MODULES (sizeof(kind_modules) / sizeof(kind_modules[0]))

static uint32_t loaded_kinds(void)
{
	uint32_t loaded = 0;
	unsigned int i;

	for (i = 0; i < N_KIND_MODULES; i++)
		if (module_is_loaded(kind_modules[i]))
			loaded |= 1u << i;
	return loaded;
}

/* ip_gre brings gre0 and others with it, in every namespace. */
static void undo_kinds(struct up *u, const struct undo *undo)
{
	uint32_t new = loaded_kinds() & ~undo->number;
	unsigned int i;

	for (i = 0; i < N_KIND_MODULES; i++) {
		if (!(new & 1u << i))
			continue;
		step_undoing(u, "rmmod %s", kind_modules[i]);
		module_unload(kind_modules[i]);
	}
}

static int open_cni(struct up *u)
{
	int rc = cni_open(&u->cni);

	u->have_cni = !rc;
	return rc == -ENOENT || rc == -EPROTONOSUPPORT ? 0 : rc;
}

/*
 * The kernel's part, instead of the module's or no more. Where it stands in for
 * the module, the link goes without it, too.
 */
static int stand_in(struct up *u)
{
	const struct config *c = u->c;
	bool instead = u->no_offload && !u->told_off;
	unsigned int i;
	int rc = 0;

	if (instead)
		out_hold();
	for (i = 0; !rc && i < c->n_tunnels; i++)
		rc = host_let_answer(u, &c->tunnels[i]);
	if (!rc)
		rc = mss_clamp(u);
	if (rc && instead) {
		step_remark_held(u, "");
		rc = 0;
	}
	out_release();
	return rc;
}

static int do_up(struct up *u)
{
	const struct config *c = u->c;
	const char *left = NULL;
	unsigned int i;
	int rc;

	if (u->old && !u->reload)
		left = left_over(u->old, c);
	if (left) {
		err("%s: %s of the link '%s' is up, and isn't in the file", c->file,
		    left, c->link.title);
		hint("cnictl reload %s removes it", c->file);
		hint("or, if the file is for another link: give that a title of its own");
		return -EEXIST;
	}
	step_on_failure(u, 0, undo_kinds)->number = loaded_kinds();
	rc = look_first(u);
	if (!rc)
		rc = link_make(u);
	for (i = 0; !rc && i < c->n_tunnels; i++) {
		rc = step_interrupted();
		if (!rc)
			rc = tunnel_make(u, &c->tunnels[i]);
	}
	if (!rc)
		rc = static_make(u);
	if (!rc)
		rc = host_spread_flows(u);
	if (!rc)
		rc = step_interrupted();
	if (!rc && u->told_off && !u->have_cni)
		rc = open_cni(u);
	if (!rc)
		rc = u->told_off ? offload_withdraw_all(u) : offload_all(u);
	if (!rc && !u->no_offload)
		rc = static_tell(u, c, false);
	if (!rc)
		rc = stand_in(u);
	/* Meanwhile the kernel looked for duplicates. */
	if (!rc)
		rc = link_wait_dad(u);
	if (!rc)
		host_warn_forwarding(u);
	return rc ? rc : step_interrupted();
}

static bool same_ends(const struct config_link *a, const struct config_link *b)
{
	return !strcmp(a->ifname, b->ifname) &&
	       !strcmp(a->device, b->device) && a->vlan == b->vlan &&
	       addr_same(&a->local4, &b->local4) &&
	       addr_same(&a->local6, &b->local6);
}

/* What is up under another title may be this link, which was called so. */
static void find_renamed(struct up *u)
{
	const char *title;

	u->old = record_find(u->rt.fd, u->c->link.ifname, false);
	if (!u->old || !same_ends(&u->old->link, &u->c->link)) {
		config_free(u->old);
		u->old = NULL;
		return;
	}
	title = u->old->link.title;
	step_remark(u, "the link '%s' is called '%s' now", title,
		    u->c->link.title);
	record_renamed(&u->record, u->rt.fd, u->old);
	snprintf(u->old_alias, sizeof(u->old_alias), "cnictl %.63s", title);
}

static int mark_renamed(struct up *u)
{
	unsigned int i;
	int rc;

	rc = dev_mark_anew(u, u->old->link.ifname);
	for (i = 0; i < u->old->n_tunnels && !rc; i++)
		rc = dev_mark_anew(u, u->old->tunnels[i].ifname);
	return rc;
}

static int do_reload(struct up *u)
{
	int rc = open_cni(u);

	if (!rc && !u->old)
		find_renamed(u);
	if (!rc)
		rc = port_refuse(u);
	if (!rc && *u->old_alias)
		rc = mark_renamed(u);
	if (!rc && u->old)
		rc = clear_way(u);
	else if (!rc)
		step_remark(u, "what was up before isn't known: only what is in %s is looked at",
			    u->c->file);
	if (!rc)
		rc = do_up(u);
	/* What is new carries traffic by now. */
	if (!rc && u->old)
		rc = leave(u, u->old, u->c);
	/* What went with an address and came back is news to it. */
	if (!rc && u->old && !u->no_offload)
		rc = static_tell(u, u->c, false);
	return rc ? rc : step_interrupted();
}

static int do_down(struct up *u)
{
	const struct config *old = u->old ? u->old : u->c;
	int rc;

	rc = open_cni(u);
	if (!rc)
		rc = leave(u, old, NULL);
	if (!rc)
		rc = static_tell(u, old, true);
	if (!rc)
		rc = step_interrupted();
	if (!rc)
		host_remark_spread(u, old);
	return rc;
}

/* For the next reload or down. */
static void keep_record(struct up *u, bool is_up)
{
	int rc;

	if (u->dry || (is_up && u->old && !strcmp(u->old->text, u->c->text) &&
		       record_is_stock(&u->record) == u->told_off &&
		       record_is_from(&u->record, u->c->file)))
		return;
	rc = record_write(&u->record, is_up ? u->c->text : NULL, u->c->file,
			  u->told_off);
	if (!rc)
		record_forget_old(&u->record);
	if (rc)
		step_remark(u, "can't note in %s what is up (%s): reload won't know it",
			    u->record.file, strerror(-rc));
}

static int take_options(struct up *u, int argc, char **argv, const char *verb,
			bool offload)
{
	static const struct option longs[] = {
		{ "dry-run", no_argument, NULL, 'n' },
		{ "no-offload", no_argument, NULL, 'k' },
		{ "require-offload", no_argument, NULL, 'r' },
		{}
	};
	int o;

	while ((o = getopt_long(argc, argv, "n", longs, NULL)) != -1) {
		if (o == 'n')
			u->dry = true;
		else if (o == 'k' && offload)
			u->told_off = true;
		else if (o == 'r' && offload)
			u->require = true;
		else
			return usage_option(verb, argv);
	}
	if (u->told_off && u->require)
		return usage(verb, "--no-offload and --require-offload: one of them");
	if (optind + 1 != argc)
		return usage(verb, "one configuration file is needed");
	return RC_OK;
}

/* NULL, with what is wrong and what to do printed. */
static struct config *find_config(struct up *u, const char *file,
				  bool is_up)
{
	int rc = is_up && !u->reload ? 0 : config_look(file);
	struct config *c;

	if (rc)
		return gone_config(u, file, rc, !is_up);
	c = config_read(file);
	if (!c && !is_up)
		gone_config(u, file, 0, true);
	return c;
}

static int run(int argc, char **argv, const char *verb,
	       int (*fn)(struct up *u))
{
	struct up u = { .reload = fn == do_reload, .lock = -1 };
	struct config *c;
	bool is_up = fn != do_down;
	json_t *root;
	int rc;

	rc = take_options(&u, argc, argv, verb, is_up);
	if (rc)
		return rc;
	rc = rtnl_open(&u.rt);
	if (rc)
		return RC_FAILED;
	u.steps = json_array();
	c = find_config(&u, argv[optind], is_up);
	if (!c || (is_up && !config_load_static(c))) {
		config_free(c);
		json_decref(u.steps);
		nlc_close(&u.rt);
		return RC_USAGE;
	}
	u.c = c;
	if (!u.told_off && !u.require) {
		u.told_off = c->link.offload == OFFLOAD_OFF;
		u.require = c->link.offload == OFFLOAD_REQUIRED;
	}
	u.no_offload = u.told_off;
	snprintf(u.alias, sizeof(u.alias), "cnictl %.63s", c->link.title);
	signals_catch();
	/* Nobody to read what is printed is no reason to stop halfway. */
	signal(SIGPIPE, SIG_IGN);
	if (!u.dry)
		rc = lock_changes(&u.lock);
	if (!rc && !u.dry)
		xdp_sweep();
	if (!rc) {
		record_of(&u.record, u.rt.fd, c->link.title);
		u.old = record_read(&u.record);
		rc = fn(&u);
		if (rc && u.done && !u.dry && !out_json)
			fprintf(stderr, "cnictl: undoing what was done\n");
		step_end(&u, rc);
		if (!rc)
			keep_record(&u, is_up);
	}
	if (out_json) {
		root = json_object();
		json_object_set_new(root, "ok", json_boolean(!rc));
		json_object_set(root, "steps", u.steps);
		out_print(root);
	} else if (!rc && !u.done) {
		printf("nothing to do\n");
	}
	json_decref(u.steps);
	if (u.have_cni)
		cni_close(&u.cni);
	lock_end(u.lock);
	nlc_close(&u.rt);
	config_free(c);
	config_free(u.old);
	free(u.gone);
	free(u.told);
	return rc ? RC_FAILED : RC_OK;
}

int verb_up(int argc, char **argv)
{
	return run(argc, argv, "up", do_up);
}

int verb_reload(int argc, char **argv)
{
	return run(argc, argv, "reload", do_reload);
}

int verb_down(int argc, char **argv)
{
	return run(argc, argv, "down", do_down);
}
