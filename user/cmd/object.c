// SPDX-License-Identifier: GPL-2.0
/* The verbs link, tunnel and port: the module's objects one by one. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/lock.h"
#include "base/out.h"
#include "base/usage.h"
#include "cmd/verbs.h"
#include "kernel/ethtool.h"
#include "kernel/rtnl.h"
#include "module/genl.h"
#include "module/show.h"

struct object {
	const char *kind;
	int (*show)(struct cni *c, uint32_t only, enum show_style style);
	/* With the arguments after the device; RC_*. */
	int (*set)(struct cni *c, uint32_t ifindex, int argc, char **argv,
		   bool add);
	int (*del)(struct cni *c, uint32_t ifindex);
};

static int refused(struct cni *c, int rc, const char *kind, uint32_t ifindex)
{
	err("the module refuses %s as a %s: %s", rtnl_name(ifindex), kind,
	    nlc_strerror(&c->nl, rc));
	if (rc == -EPERM)
		hint("that takes root (CAP_NET_ADMIN)");
	return RC_FAILED;
}

static int exists(const char *kind, uint32_t ifindex)
{
	err("%s is a %s already", rtnl_name(ifindex), kind);
	hint("to change it: cnictl %s set %s", kind, rtnl_name(ifindex));
	return RC_FAILED;
}

static int take_addr(struct addr *a, const char *key, const char *value,
		     int family)
{
	enum addr_error e;

	/* As in the configuration, or without the length. */
	e = strchr(value, '/') ? addr_parse_prefix(value, a) :
				 addr_parse(value, a);
	if (e)
		return usage("link", "%s '%s' %s", key, value,
			     addr_strerror(e));
	if (a->family != family)
		return usage("link", "%s '%s' isn't an IPv%d address", key,
			     value, family == AF_INET ? 4 : 6);
	return RC_OK;
}

static int set_link(struct cni *c, uint32_t ifindex, int argc, char **argv,
		    bool add)
{
	struct cni_link now = {};
	const struct {
		const char *key;
		struct addr *a;
		int family;
	} keys[] = {
		{ "local4", &now.local4, AF_INET },
		{ "peer4", &now.peer4, AF_INET },
		{ "local6", &now.local6, AF_INET6 },
		{ "peer6", &now.peer6, AF_INET6 },
	};
	unsigned int k;
	int i, rc;

	/* The module replaces all of them. */
	if (!cni_link_get(c, ifindex, &now) && add)
		return exists("link", ifindex);
	for (i = 0; i < argc; i += 2) {
		for (k = 0; k < 4; k++)
			if (!strcmp(argv[i], keys[k].key))
				break;
		if (k == 4)
			return usage("link", "there is no '%s' to set",
				     argv[i]);
		if (i + 1 == argc)
			return usage("link", "%s needs an address", argv[i]);
		rc = take_addr(keys[k].a, argv[i], argv[i + 1],
			       keys[k].family);
		if (rc)
			return rc;
	}
	if (!now.peer4.family && !now.peer6.family)
		return usage("link", "peer4 or peer6 is needed: Cloudflare's side");
	rc = cni_link_set(c, ifindex, &now.local4, &now.peer4, &now.local6,
			  &now.peer6);
	return rc ? refused(c, rc, "link", ifindex) : RC_OK;
}

static int set_tunnel(struct cni *c, uint32_t ifindex, int argc, char **argv,
		      bool add)
{
	struct cni_tunnel now = {};
	const char *bad;
	bool have;
	int i, rc;

	have = !cni_tunnel_get(c, ifindex, &now);
	if (add && have)
		return exists("tunnel", ifindex);
	bad = tunopts_parse(&now.opts, ethtool_mtu(ifindex), argc, argv);
	for (i = 0; !bad && !now.opts.n_health && i < argc; i++)
		if (!strcmp(argv[i], "health-rate"))
			bad = "health-rate needs a health check";
	if (bad)
		return usage("tunnel", "%s", bad);
	rc = cni_tunnel_set(c, ifindex, &now.opts);
	return rc ? refused(c, rc, "tunnel", ifindex) : RC_OK;
}

/* Of the module's tunnels the least; 0 without one. */
static unsigned int tunnels_mtu(struct cni *c)
{
	struct cni_tunnel *list;
	unsigned int n, i, mtu = 0;

	if (cni_tunnels(c, &list, &n))
		return 0;
	for (i = 0; i < n; i++)
		if (!mtu || list[i].mtu < mtu)
			mtu = list[i].mtu;
	free(list);
	return mtu;
}

static int set_port(struct cni *c, uint32_t ifindex, int argc, char **argv,
		    bool add)
{
	struct cni_port now = {};
	const char *bad;
	bool have;
	int rc;

	have = !cni_port_get(c, ifindex, &now);
	if (add && have)
		return exists("port", ifindex);
	bad = portopts_parse(&now.opts, tunnels_mtu(c), argc, argv);
	if (bad)
		return usage("port", "%s", bad);
	rc = cni_port_set(c, ifindex, &now.opts);
	return rc ? refused(c, rc, "port", ifindex) : RC_OK;
}

static int del_object(struct cni *c, const struct object *o, uint32_t ifindex)
{
	int rc = o->del(c, ifindex);

	if (!rc)
		return RC_OK;
	err("can't remove the %s %s: %s", o->kind, rtnl_name(ifindex),
	    nlc_strerror(&c->nl, rc));
	return RC_FAILED;
}

static int act(struct cni *c, const struct object *o, int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "show";
	uint32_t ifindex = 0;
	int rc, lock;

	if (argc > 2) {
		ifindex = if_nametoindex(argv[2]);
		if (!ifindex) {
			err("there is no device %s", argv[2]);
			hint("\"ip link\" lists the devices of this host");
			return RC_FAILED;
		}
	}
	if (!strcmp(what, "show"))
		return argc > 3 ? usage(o->kind, "one device at most") :
				  o->show(c, ifindex, SHOW_DETAILED);
	if (!ifindex)
		return usage(o->kind, "%s needs a device", what);
	if (!strcmp(what, "del") && argc > 3)
		return usage(o->kind, "del needs nothing but a device");
	/* What isn't said stays as it is: read, and then written. */
	if (lock_changes(&lock))
		return RC_FAILED;
	if (!strcmp(what, "del"))
		rc = del_object(c, o, ifindex);
	else
		rc = o->set(c, ifindex, argc - 3, argv + 3,
			    !strcmp(what, "add"));
	lock_end(lock);
	if (!rc && out_json)
		out_print(json_pack("{s:b}", "ok", 1));
	return rc;
}

static int run(const struct object *o, int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "show";
	struct cni c;
	int rc;

	if (strcmp(what, "show") && strcmp(what, "add") &&
	    strcmp(what, "set") && strcmp(what, "del"))
		return usage(o->kind, "add, set, del or show, not '%s'", what);
	rc = cni_open(&c);
	if (rc == -ENOENT)
		cni_say_missing();
	if (rc)
		return RC_FAILED;
	rc = act(&c, o, argc, argv);
	cni_close(&c);
	return rc;
}

int verb_link(int argc, char **argv)
{
	static const struct object o = {
		"link", show_links, set_link, cni_link_del,
	};

	return run(&o, argc, argv);
}

int verb_tunnel(int argc, char **argv)
{
	static const struct object o = {
		"tunnel", show_tunnels, set_tunnel, cni_tunnel_del,
	};

	return run(&o, argc, argv);
}

int verb_port(int argc, char **argv)
{
	static const struct object o = {
		"port", show_ports, set_port, cni_port_del,
	};

	return run(&o, argc, argv);
}
