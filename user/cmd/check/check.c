// SPDX-License-Identifier: GPL-2.0
/* The go-live list: runs the checks, prints what they found, and repeats. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/out.h"
#include "base/signals.h"
#include "base/usage.h"
#include "cmd/check/check.h"
#include "cmd/check/firewall.h"
#include "cmd/verbs.h"

#define WAIT_S 600

static const struct {
	const char *doing;
	void (*fn)(struct check *k);
} checks[] = {
	{ "the module", check_module },
	{ "the device", check_device },
	{ "the light", check_light },
	{ "the addresses", check_addresses },
	{ "the VLAN", check_vlan },
	{ "Cloudflare's MAC address", check_neighbours },
	{ "pings", check_pings },
	{ "the MTU", check_mtu },
	{ "tunnels", check_tunnels },
	{ "the other end of tunnels", check_inside },
	{ "BGP", check_bgp },
	{ "prefixes", check_prefixes },
	{ "static prefixes", check_static },
	{ "cnictl sync", check_sync },
	{ "routes", check_routes },
	{ "forwarding", check_forwarding },
	{ "the firewall", check_firewall },
	{ "what is in the way", check_bypass },
	{ "XDP", check_xdp },
	{ "the way back", check_return },
	{ "traffic", check_traffic },
	{ "health checks", check_health },
};

#define N_CHECKS (sizeof(checks) / sizeof(checks[0]))

const char *check_name(const char *name, int v)
{
	static char buf[32];

	snprintf(buf, sizeof(buf), "%s%c", name, v == V4 ? '4' : '6');
	return buf;
}

const char *check_inside_name(const char *name, int v,
			      const struct config_tunnel *t)
{
	static char buf[32];

	snprintf(buf, sizeof(buf), "%.8s%c %.15s", name, v == V4 ? '4' : '6',
		 t->ifname);
	return buf;
}

bool check_waits_for_underlay(struct check *k, struct line *l,
			      const struct config_tunnel *t)
{
	return line_waits(k, l, "device") || line_waits(k, l, "addresses") ||
	       line_waits(k, l, t->remote.family == AF_INET ? "arp" : "nd");
}

struct addr check_far_end(const struct config_tunnel *t, int v)
{
	return config_far_end(v == V4 ? &t->address4 : &t->address6);
}

/* A counter of TcpExt: a line of names, and one of values. */
static uint64_t tcp_counter(const char *names, const char *values,
			    const char *name)
{
	size_t n = strlen(name);
	unsigned long long v = 0;

	while (*names && *values) {
		if (!strncmp(names, name, n) && strchr(" \n", names[n])) {
			sscanf(values, "%llu", &v);
			break;
		}
		names += strcspn(names, " \n");
		names += *names == ' ';
		values += strcspn(values, " \n");
		values += *values == ' ';
	}
	return v;
}

static void take_md5(struct md5 *m)
{
	char names[8192], values[8192];
	FILE *f = fopen("/proc/thread-self/net/netstat", "re");

	if (!f)
		return;
	while (fgets(names, sizeof(names), f) &&
	       fgets(values, sizeof(values), f)) {
		if (strncmp(names, "TcpExt:", 7))
			continue;
		m->missing = tcp_counter(names, values, "TCPMD5NotFound");
		m->unexpected = tcp_counter(names, values, "TCPMD5Unexpected");
		m->wrong = tcp_counter(names, values, "TCPMD5Failure");
	}
	fclose(f);
}

bool check_sample(struct check *k, struct sample *s)
{
	take_md5(s == &k->then ? &k->md5_then : &k->md5_now);
	return k->have_cni && !sample_take(&k->cni, s);
}

static void feed_health(struct check *k)
{
	unsigned int i, seconds;
	const struct cni_tunnel *a, *b;
	struct sample s = {};
	uint32_t ifindex;

	if (!k->have_cni || sample_take(&k->cni, &s)) {
		sample_free(&s);
		return;
	}
	seconds = k->fed.ms ? (s.ms - k->fed.ms) / 1000 : 0;
	if (k->fed.ms && !seconds) {
		sample_free(&s);
		return;
	}
	for (i = 0; i < k->c->n_tunnels; i++) {
		ifindex = if_nametoindex(k->c->tunnels[i].ifname);
		a = sample_tunnel(&k->fed, ifindex);
		b = sample_tunnel(&s, ifindex);
		if (a && b)
			health_take(&k->health[i],
				    sample_growth(a->answered, b->answered),
				    sample_growth(a->limited, b->limited), seconds);
	}
	/* What is left of a second belongs to the next one. */
	if (seconds)
		s.ms = k->fed.ms + seconds * 1000;
	sample_free(&k->fed);
	k->fed = s;
}

void check_pause(struct check *k, double seconds)
{
	int64_t end = sample_now_ms() + seconds * 1000, left;
	struct timespec ts;

	while (!signals_caught && (left = end - sample_now_ms()) > 0) {
		if (left > 1000)
			left = 1000;
		ts = (struct timespec){ left / 1000, left % 1000 * 1000000 };
		nanosleep(&ts, NULL);
		feed_health(k);
	}
}

/* Progress, where somebody is looking. */
static void doing(const char *what)
{
	if (out_json || !isatty(STDERR_FILENO))
		return;
	if (what)
		fprintf(stderr, "\r\033[Klooking at %s ...", what);
	else
		fputs("\r\033[K", stderr);
	fflush(stderr);
}

static void forget_lines(struct check *k)
{
	struct line *l;

	while (k->n) {
		l = &k->lines[--k->n];
		while (l->n_hints)
			free(l->hints[--l->n_hints]);
		json_decref(l->data);
	}
}

static void run_round(struct check *k)
{
	unsigned int i;

	forget_lines(k);
	k->stock = false;
	memset(&k->lower, 0, sizeof(k->lower));
	memset(&k->dev, 0, sizeof(k->dev));
	memset(k->pings, 0, sizeof(k->pings));
	memset(k->neigh, 0, sizeof(k->neigh));
	bgpd_free(&k->bgpd);
	/* The module may have been loaded anew. */
	cni_close(&k->cni);
	out_hold();
	k->have_cni = !cni_open(&k->cni);
	free(k->no_cni);
	k->no_cni = out_held();
	feed_health(k);
	for (i = 0; i < N_CHECKS && !signals_caught; i++) {
		doing(checks[i].doing);
		checks[i].fn(k);
	}
	doing(NULL);
	strangers_close(k->strangers);
	k->strangers = NULL;
	firewall_forget(k);
}

static unsigned int count(const struct check *k, enum check_state state)
{
	unsigned int i, n = 0;

	for (i = 0; i < k->n; i++)
		n += k->lines[i].state == state;
	return n;
}

static const char *const words[] = {
	[CHECK_PASS] = "pass",
	[CHECK_FAIL] = "fail",
	[CHECK_UNKNOWN] = "unknown",
};

static void print_json(const struct check *k, bool one_line)
{
	json_t *root = json_object(), *list = json_array(), *o, *hints;
	const struct line *l;
	unsigned int i;

	for (l = k->lines; l < k->lines + k->n; l++) {
		o = json_object();
		hints = json_array();
		json_object_set_new(o, "check", json_string(l->name));
		json_object_set_new(o, "state", json_string(words[l->state]));
		json_object_set_new(o, "text", json_string(l->text));
		for (i = 0; i < l->n_hints; i++)
			json_array_append_new(hints, json_string(l->hints[i]));
		json_object_set_new(o, "hints", hints);
		if (l->data)
			json_object_set(o, "data", l->data);
		json_array_append_new(list, o);
	}
	json_object_set_new(root, "link", json_string(k->c->link.ifname));
	json_object_set_new(root, "green",
			    json_boolean(!count(k, CHECK_FAIL)));
	json_object_set_new(root, "checks", list);
	if (one_line)
		out_line(root);
	else
		out_print(root);
}

static void print_text(const struct check *k)
{
	static const char *const marks[] = { "pass", "FAIL", " ?  " };
	static const char *const colours[] = { "32", "31;1", "33" };
	const struct line *l;
	unsigned int i;

	for (l = k->lines; l < k->lines + k->n; l++) {
		if (out_colour())
			printf("\033[%sm%s\033[m", colours[l->state],
			       marks[l->state]);
		else
			printf("%s", marks[l->state]);
		printf("  %-16s %s\n", l->name, l->text);
		for (i = 0; i < l->n_hints; i++)
			printf("%22s -> %s\n", "", l->hints[i]);
	}
	printf("%u pass, %u fail, %u can't be told\n", count(k, CHECK_PASS),
	       count(k, CHECK_FAIL), count(k, CHECK_UNKNOWN));
	fflush(stdout);
}

struct options {
	bool wait, watch;
	double wait_s;
};

static bool number(const char *s, double min, double max, double *n)
{
	char *end;

	errno = 0;
	*n = strtod(s, &end);
	return !errno && end != s && !*end && *n >= min && *n <= max;
}

static int take_options(struct check *k, struct options *o, int argc,
			char **argv)
{
	static const struct option longs[] = {
		{ "wait", optional_argument, NULL, 'w' },
		{ "watch", no_argument, NULL, 'W' },
		{ "interval", required_argument, NULL, 'i' },
		{ "bird", required_argument, NULL, 'b' },
		{ "frr", required_argument, NULL, 'f' },
		{}
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (opt) {
		case 'w':
			o->wait = true;
			/* It may have a number after it, or not. */
			if (optarg && !number(optarg, 1, 1e6, &o->wait_s))
				return usage("check", "wait '%s' isn't a number of seconds from 1 on",
					     optarg);
			if (!optarg && optind < argc &&
			    number(argv[optind], 1, 1e6, &o->wait_s))
				optind++;
			break;
		case 'W':
			o->watch = true;
			break;
		case 'i':
			if (!number(optarg, 0.1, 3600, &k->interval))
				return usage("check", "interval '%s' isn't a number of seconds from 0.1 to 3600",
					     optarg);
			break;
		case 'b':
			k->bird = optarg;
			break;
		case 'f':
			k->frr = optarg;
			break;
		default:
			return usage_option("check", argv);
		}
	}
	if (o->wait && o->watch)
		return usage("check", "--wait ends and --watch doesn't: one of them");
	if (optind + 1 != argc)
		return usage("check", "one configuration file is needed");
	return RC_OK;
}

/* What still fails, in a line: for those who wait. */
static void progress(const struct check *k, int64_t left)
{
	const struct line *l;
	const char *comma = " ";

	if (out_json)
		return;
	fprintf(stderr, "%lld s left; not yet:", (long long)left / 1000);
	for (l = k->lines; l < k->lines + k->n; l++) {
		if (l->state != CHECK_FAIL)
			continue;
		fprintf(stderr, "%s%s (%s)", comma, l->name, l->text);
		comma = ", ";
	}
	fputc('\n', stderr);
}

static void repeat(struct check *k, const struct options *o)
{
	int64_t end = sample_now_ms() + o->wait_s * 1000, left;

	for (;;) {
		run_round(k);
		if (signals_caught || !(o->watch || o->wait))
			return;
		if (o->watch) {
			if (!out_json && isatty(STDOUT_FILENO))
				printf("\033[H\033[J");
			if (out_json)
				print_json(k, true);
			else
				print_text(k);
			check_pause(k, k->interval);
			continue;
		}
		left = end - sample_now_ms();
		if (!count(k, CHECK_FAIL) || left <= 0)
			return;
		progress(k, left);
		check_pause(k, left < k->interval * 1000 ? left / 1000.0 :
			    k->interval);
	}
}

int verb_check(int argc, char **argv)
{
	struct check k = { .interval = 3 };
	struct options o = { .wait_s = WAIT_S };
	struct config *c;
	int rc;

	rc = take_options(&k, &o, argc, argv);
	if (rc)
		return rc;
	c = config_read(argv[optind]);
	if (!c || !config_load_static(c)) {
		config_free(c);
		return RC_USAGE;
	}
	k.c = c;
	if (rtnl_open(&k.rt)) {
		config_free(c);
		return RC_FAILED;
	}
	k.lines = xalloc(CHECK_LINES * sizeof(*k.lines));
	k.health = xalloc(c->n_tunnels * sizeof(*k.health));
	signals_catch();
	repeat(&k, &o);
	if (!o.watch && out_json)
		print_json(&k, false);
	else if (!o.watch && !signals_caught)
		print_text(&k);
	rc = signals_caught && !o.watch ? RC_FAILED :
	     count(&k, CHECK_FAIL) ? RC_FAILED : RC_OK;
	forget_lines(&k);
	free(k.no_cni);
	free(k.lines);
	free(k.health);
	sample_free(&k.then);
	sample_free(&k.now);
	sample_free(&k.fed);
	cni_close(&k.cni);
	bgpd_free(&k.bgpd);
	nlc_close(&k.rt);
	config_free(c);
	return rc;
}
