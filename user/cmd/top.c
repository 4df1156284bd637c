// SPDX-License-Identifier: GPL-2.0
/* Rates of all counters, again and again. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/out.h"
#include "base/signals.h"
#include "base/usage.h"
#include "cmd/verbs.h"
#include "kernel/rtnl.h"
#include "module/names.h"
#include "module/sample.h"

struct options {
	double delay;		/* s */
	unsigned int count;	/* 0: without an end */
};

/* What grew in an interval, a second. */
struct rates {
	double rx_packets, rx_bits, tx_packets, tx_bits;
	double punt[CNI_REASONS], drop[CNI_REASONS];
	double all_punt, all_drop;
};

static double per_second(uint64_t then, uint64_t now, double s)
{
	return sample_growth(then, now) / s;
}

static void rate(const struct cni_stats *then, const struct cni_stats *now,
		 double s, struct rates *r)
{
	static const struct cni_stats none;
	unsigned int i;

	if (!then)
		then = &none;
	memset(r, 0, sizeof(*r));
	r->rx_packets = per_second(then->rx_packets, now->rx_packets, s);
	r->rx_bits = 8 * per_second(then->rx_bytes, now->rx_bytes, s);
	r->tx_packets = per_second(then->tx_packets, now->tx_packets, s);
	r->tx_bits = 8 * per_second(then->tx_bytes, now->tx_bytes, s);
	for (i = 0; i < CNI_REASONS; i++) {
		r->punt[i] = per_second(then->punt[i], now->punt[i], s);
		r->drop[i] = per_second(then->drop[i], now->drop[i], s);
		r->all_punt += r->punt[i];
		r->all_drop += r->drop[i];
	}
}

/* "1.2M": a static buffer, eight deep. */
static const char *short_str(double v)
{
	static const char units[] = " kMGT";
	static char bufs[8][16];
	static unsigned int turn;
	char *buf = bufs[turn++ % 8];
	unsigned int u = 0;

	while (v >= 999.5 && u < sizeof(units) - 2) {
		v /= 1000;
		u++;
	}
	snprintf(buf, sizeof(bufs[0]), u && v < 99.5 ? "%.1f%c" : "%.0f%c", v,
		 units[u]);
	if (!u)
		buf[strlen(buf) - 1] = '\0';
	return buf;
}

static void print_reasons(const char *what, const double *v)
{
	unsigned int i;

	for (i = 0; i < CNI_REASONS; i++) {
		if (v[i] <= 0)
			continue;
		printf("        %-19s%8s/s  %s: %s\n", what, short_str(v[i]),
		       names_reason(i), names_reason_doc(i));
		what = "";
	}
}

static json_t *reasons_json(const double *v)
{
	json_t *o = json_object();
	unsigned int i;

	for (i = 0; i < CNI_REASONS; i++)
		if (v[i] > 0)
			json_object_set_new(o, names_reason(i),
					    json_real(v[i]));
	return o;
}

static json_t *rates_json(const struct rates *r)
{
	json_t *o = json_object();

	json_object_set_new(o, "rx-packets", json_real(r->rx_packets));
	json_object_set_new(o, "rx-bits", json_real(r->rx_bits));
	json_object_set_new(o, "tx-packets", json_real(r->tx_packets));
	json_object_set_new(o, "tx-bits", json_real(r->tx_bits));
	json_object_set_new(o, "punt", reasons_json(r->punt));
	json_object_set_new(o, "drop", reasons_json(r->drop));
	return o;
}

/* One object: printed, or added to @list. */
static void show_one(json_t *list, const char *kind, uint32_t ifindex,
		     uint64_t blockers, const struct cni_stats *then,
		     const struct cni_stats *now, double s)
{
	struct rates r;
	json_t *o;

	rate(then, now, s, &r);
	if (out_json) {
		o = rates_json(&r);
		json_object_set_new(o, "kind", json_string(kind));
		json_object_set_new(o, "dev", json_string(rtnl_name(ifindex)));
		json_object_set_new(o, "offloaded", json_boolean(!blockers));
		json_array_append_new(list, o);
		return;
	}
	printf("%-7s %-15s %9s %9s %9s %9s %9s %9s%s%s\n", kind,
	       rtnl_name(ifindex), short_str(r.rx_packets),
	       short_str(r.rx_bits), short_str(r.tx_packets),
	       short_str(r.tx_bits), short_str(r.all_punt),
	       short_str(r.all_drop), blockers ? "  NOT offloaded: " : "",
	       blockers ? names_blockers(blockers) : "");
	print_reasons("punted", r.punt);
	print_reasons("dropped", r.drop);
}

static void print_head(const struct sample *now)
{
	char text[40];
	time_t t = time(NULL);
	struct tm tm;

	localtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	printf("%s  routes: IPv4 %s (%s punted), IPv6 %s (%s); sync %s\n\n",
	       text, out_count(now->status.routes4),
	       out_count(now->status.punted4), out_count(now->status.routes6),
	       out_count(now->status.punted6),
	       lock_sync_runs() ? "runs" : "isn't running");
	printf("%-7s %-15s %9s %9s %9s %9s %9s %9s\n", "", "a second:",
	       "in pkts", "in bits", "out pkts", "out bits", "kernel",
	       "dropped");
}

static void show_rates(const struct sample *then, const struct sample *now)
{
	double s = now->ms > then->ms ? (now->ms - then->ms) / 1000.0 : 0.001;
	json_t *list = out_json ? json_array() : NULL, *root;
	const struct cni_tunnel *t, *old;
	const struct cni_link *l;
	const struct cni_port *p;
	unsigned int i;

	if (!out_json)
		print_head(now);
	for (i = 0; i < now->n_links; i++) {
		l = sample_link(then, now->links[i].ifindex);
		show_one(list, "link", now->links[i].ifindex,
			 now->links[i].blockers, l ? &l->stats : NULL,
			 &now->links[i].stats, s);
	}
	for (i = 0; i < now->n_tunnels; i++) {
		t = &now->tunnels[i];
		old = sample_tunnel(then, t->ifindex);
		show_one(list, "tunnel", t->ifindex, t->blockers,
			 old ? &old->stats : NULL, &t->stats, s);
		show_one(list, "output", t->ifindex, t->blockers,
			 old ? &old->output : NULL, &t->output, s);
		show_one(list, "input", t->ifindex, t->blockers,
			 old ? &old->input : NULL, &t->input, s);
	}
	for (i = 0; i < now->n_ports; i++) {
		p = sample_port(then, now->ports[i].ifindex);
		show_one(list, "port", now->ports[i].ifindex,
			 now->ports[i].blockers, p ? &p->stats : NULL,
			 &now->ports[i].stats, s);
	}
	if (!out_json)
		return;
	root = json_object();
	json_object_set_new(root, "seconds", json_real(s));
	json_object_set_new(root, "rates", list);
	out_line(root);
}

static void pause_s(double s)
{
	struct timespec ts = { s, (s - (time_t)s) * 1e9 };

	if (!signals_caught)
		nanosleep(&ts, NULL);
}

/* One that was loaded anew is another family; -ENOENT while there is none. */
static int sample_again(struct cni *c, struct sample *s)
{
	int rc;

	if (c->family && !sample_take(c, s))
		return 0;
	sample_free(s);
	if (c->family)
		cni_close(c);
	rc = cni_open(c);
	return rc ? rc : sample_take(c, s);
}

static int watch(struct cni *c, const struct options *o)
{
	bool paint = !out_json && isatty(STDOUT_FILENO), gone = false;
	struct sample then = {}, now = {};
	unsigned int n;
	int rc;

	rc = sample_take(c, &then);
	for (n = 0; !rc && !signals_caught && (!o->count || n < o->count); n++) {
		pause_s(o->delay);
		if (signals_caught)
			break;
		rc = sample_again(c, &now);
		if (rc == -ENOENT && !gone)
			err("the module is gone: waiting for it");
		gone = rc == -ENOENT;
		if (gone) {
			sample_free(&then);
			rc = 0;
			continue;
		}
		if (rc)
			break;
		if (!then.ms) {
			then = now;
			memset(&now, 0, sizeof(now));
			continue;
		}
		if (paint)
			printf("\033[H\033[J");
		else if (n && !out_json)
			putchar('\n');
		show_rates(&then, &now);
		fflush(stdout);
		sample_free(&then);
		then = now;
		memset(&now, 0, sizeof(now));
	}
	if (rc && c->family)
		err("can't get the module's counters: %s",
		    nlc_strerror(&c->nl, rc));
	sample_free(&then);
	sample_free(&now);
	return rc ? RC_FAILED : RC_OK;
}

int verb_top(int argc, char **argv)
{
	static const struct option no_longs[] = { {} };
	struct options o = { .delay = 1 };
	char *end;
	struct cni c;
	int opt, rc;

	while ((opt = getopt_long(argc, argv, "d:n:", no_longs, NULL)) != -1) {
		switch (opt) {
		case 'd':
			o.delay = strtod(optarg, &end);
			if (end == optarg || *end || !(o.delay >= 0.1 &&
						       o.delay <= 3600))
				return usage("top", "-d '%s' isn't a number of seconds from 0.1 to 3600",
					     optarg);
			break;
		case 'n':
			o.count = strtoul(optarg, &end, 10);
			if (end == optarg || *end || !o.count || *optarg == '-')
				return usage("top", "-n '%s' isn't a number from 1 on",
					     optarg);
			break;
		default:
			return usage_option("top", argv);
		}
	}
	if (optind < argc)
		return usage("top", "'%s' isn't understood", argv[optind]);
	rc = cni_open(&c);
	if (rc == -ENOENT)
		cni_say_missing();
	if (rc)
		return RC_FAILED;
	signals_catch();
	rc = watch(&c, &o);
	if (c.family)
		cni_close(&c);
	return rc;
}
