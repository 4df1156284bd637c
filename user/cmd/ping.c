// SPDX-License-Identifier: GPL-2.0
/* Pings Cloudflare's side of the link, and says where to look when it fails. */
#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/neighbour.h>

#include "base/out.h"
#include "base/signals.h"
#include "base/usage.h"
#include "cmd/verbs.h"
#include "config/config.h"
#include "kernel/ping.h"
#include "kernel/rtnl.h"
#include "module/genl.h"

struct options {
	struct ping_options ping;
	bool v4, v6;
};

static const char *neigh_str(uint16_t state)
{
	if (state & NUD_FAILED)
		return "failed: it doesn't answer";
	if (state & NUD_INCOMPLETE)
		return "incomplete: no answer so far";
	if (state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE |
		     NUD_PERMANENT | NUD_NOARP))
		return "known";
	return "not tried";
}

/* What the kernel knows of why nobody answers. */
static void diagnose(const struct ping_target *t, const struct ping_result *r)
{
	struct netdev dev, parent;
	char parent_name[IFNAMSIZ];
	struct nlconn c;
	uint16_t state;

	if (r->too_big) {
		hint("%u packets are bigger than %s or a path MTU lets through: choose a smaller --size",
		     r->too_big, t->ifname);
		return;
	}
	if (rtnl_open(&c))
		return;
	if (rtnl_dev(&c, t->ifname, &dev)) {
		hint("there is no device %s any more", t->ifname);
		goto out;
	}
	if (!(dev.flags & IFF_UP)) {
		hint("%s is down: cnictl up, or ip link set %s up", t->ifname,
		     t->ifname);
		goto out;
	}
	if (!dev.carrier) {
		hint("%s has no carrier: check the cable, the optics and the port's light at both ends",
		     t->ifname);
		goto out;
	}
	if (dev.parent && if_indextoname(dev.parent, parent_name) &&
	    !rtnl_dev(&c, parent_name, &parent) && !parent.carrier) {
		hint("%s has no carrier: check the cable, the optics and the port's light at both ends",
		     parent_name);
		goto out;
	}
	if (rtnl_neigh(&c, t->ifindex, &t->peer, &state))
		state = 0;
	hint("%s is up with a carrier; the MAC address of %s is %s",
	     t->ifname, addr_str(&t->peer), neigh_str(state));
	if (state & (NUD_FAILED | NUD_INCOMPLETE) && !strcmp(dev.kind, "vlan"))
		hint("is %u the right VLAN? a wrong one looks like this: \"tcpdump -e -n -i %s\" shows the tags that arrive",
		     dev.vlan_id, rtnl_name(dev.parent));
	else if (state & (NUD_FAILED | NUD_INCOMPLETE))
		hint("does Cloudflare send tagged frames? \"tcpdump -e -n -i %s\" shows the tags that arrive",
		     t->ifname);
	else if (state)
		hint("the other side is there, but doesn't answer pings: a firewall here (\"nft list ruleset\"), or addresses swapped?");
out:
	nlc_close(&c);
}

static json_t *result_json(const struct ping_target *t, const struct ping_result *r)
{
	json_t *o = json_object();

	json_object_set_new(o, "peer", json_string(addr_str(&t->peer)));
	json_object_set_new(o, "dev", json_string(t->ifname));
	json_object_set_new(o, "sent", json_integer(r->sent));
	json_object_set_new(o, "received", json_integer(r->got));
	json_object_set_new(o, "loss-percent", json_real(r->sent ?
			    100.0 * (r->sent - r->got) / r->sent : 0));
	if (r->got) {
		json_object_set_new(o, "rtt-min-ms", json_real(r->min));
		json_object_set_new(o, "rtt-avg-ms",
				    json_real(r->sum / r->got));
		json_object_set_new(o, "rtt-max-ms", json_real(r->max));
	}
	return o;
}

static void print_result(const struct ping_target *t, const struct ping_result *r)
{
	printf("%s on %s: %u of %u", addr_str(&t->peer), t->ifname, r->got,
	       r->sent);
	if (r->sent)
		printf(", %.1f%% loss", 100.0 * (r->sent - r->got) / r->sent);
	if (r->got)
		printf(", RTT min/avg/max %.3f/%.3f/%.3f ms", r->min,
		       r->sum / r->got, r->max);
	printf("\n");
	fflush(stdout);
}

static int from_config(const char *file, struct ping_target *t4,
		       struct ping_target *t6)
{
	struct config *c = config_read(file);

	if (!c)
		return RC_USAGE;
	strcpy(t4->ifname, c->link.ifname);
	strcpy(t6->ifname, c->link.ifname);
	t4->ifindex = t6->ifindex = if_nametoindex(c->link.ifname);
	t4->local = c->link.local4;
	t4->peer = c->link.peer4;
	t6->local = c->link.local6;
	t6->peer = c->link.peer6;
	config_free(c);
	if (t4->ifindex)
		return RC_OK;
	err("there is no device %s", t4->ifname);
	hint("bring the link up first: cnictl up %s", file);
	return RC_FAILED;
}

static int from_module(struct ping_target *t4,
		       struct ping_target *t6)
{
	struct cni_link *links = NULL;
	unsigned int n = 0;
	struct cni c;
	int rc;

	rc = cni_open(&c);
	if (rc == -ENOENT) {
		cni_say_missing();
		hint("or name the configuration: cnictl ping CONFIG");
	}
	if (rc)
		return RC_FAILED;
	rc = cni_links(&c, &links, &n);
	if (rc) {
		err("can't get the module's links: %s",
		    nlc_strerror(&c.nl, rc));
		rc = RC_FAILED;
	} else if (n != 1) {
		err(n ? "the module has several links" :
			"the module has no link");
		hint("name the configuration: cnictl ping CONFIG");
		rc = RC_FAILED;
	} else {
		t4->ifindex = t6->ifindex = links->ifindex;
		strcpy(t4->ifname, rtnl_name(links->ifindex));
		strcpy(t6->ifname, t4->ifname);
		t4->local = links->local4;
		t4->peer = links->peer4;
		t6->local = links->local6;
		t6->peer = links->peer6;
	}
	free(links);
	cni_close(&c);
	return rc;
}

static int take_number(const char *what, double min, double max, double *n)
{
	char *end;

	*n = strtod(optarg, &end);
	/* Not a number fails both comparisons. */
	if (!*optarg || *end || !(*n >= min && *n <= max))
		return usage("ping", "%s '%s' isn't a number from %g to %g",
			     what, optarg, min, max);
	return RC_OK;
}

static int take_options(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "df", no_argument, NULL, 'D' },
		{ "size", required_argument, NULL, 's' },
		{ "count", required_argument, NULL, 'c' },
		{ "interval", required_argument, NULL, 'i' },
		{}
	};
	double n;
	int opt, rc = RC_OK;

	while (!rc && (opt = getopt_long(argc, argv, "c:i:s:46", longs,
					 NULL)) != -1) {
		switch (opt) {
		case 'c':
			rc = take_number("count", 1, 65535, &n);
			if (!rc)
				o->ping.count = n;
			break;
		case 'i':
			rc = take_number("interval", 0.001, 3600,
					 &o->ping.interval);
			break;
		case 's':
			rc = take_number("size", 48, PING_MAX_SIZE, &n);
			if (!rc)
				o->ping.size = n;
			break;
		case 'D':
			o->ping.df = true;
			break;
		case '4':
			o->v6 = false;
			break;
		case '6':
			o->v4 = false;
			break;
		default:
			return usage_option("ping", argv);
		}
	}
	if (!rc && optind + 1 < argc)
		return usage("ping", "one configuration file at most");
	return rc;
}

int verb_ping(int argc, char **argv)
{
	struct options o = {
		.ping = { .count = 5, .interval = 0.2 }, .v4 = true, .v6 = true,
	};
	struct ping_target t[2] = {};
	struct ping_result r;
	json_t *list;
	bool all_failed = false;
	unsigned int i, tried = 0;
	int rc;

	rc = take_options(&o, argc, argv);
	if (rc)
		return rc;
	rc = optind < argc ? from_config(argv[optind], &t[0], &t[1]) :
			     from_module(&t[0], &t[1]);
	if (rc)
		return rc;
	signals_catch();
	list = json_array();
	for (i = 0; i < 2 && !rc && !signals_caught; i++) {
		if (!t[i].peer.family || !(i ? o.v6 : o.v4))
			continue;
		tried++;
		rc = ping_run(&o.ping, &t[i], &r);
		if (rc) {
			err("%s", r.problem);
			if (*r.advice)
				hint("%s", r.advice);
			break;
		}
		if (out_json)
			json_array_append_new(list, result_json(&t[i], &r));
		else
			print_result(&t[i], &r);
		if (r.got)
			continue;
		all_failed = true;
		diagnose(&t[i], &r);
	}
	if (out_json)
		out_print(list);
	else
		json_decref(list);
	if (!tried && !rc) {
		err("the link has no address of that IP version to ping");
		return RC_FAILED;
	}
	return rc || all_failed ? RC_FAILED : RC_OK;
}
