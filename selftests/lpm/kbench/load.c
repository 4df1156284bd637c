// SPDX-License-Identifier: GPL-2.0
/*
 * A table sent to the module as cnictl sends it: in a transaction, then single
 * changes of the live table. Prints nanoseconds of this machine's clock; in a
 * VM whose clock counts instructions, that's those.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "module/genl.h"

#include "kbench.h"

#define UPDATES		1000

static struct kbench_route *routes;
static unsigned int nr_routes;
static uint32_t oif;
static struct cni c;

static void die(const char *what, int rc)
{
	fprintf(stderr, "load: %s: %s\n", what, nlc_strerror(&c.nl, rc));
	exit(1);
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* What it returns is good until it is called again. */
static struct cni_entry route(unsigned int i)
{
	static struct khop hop;
	struct cni_entry out = {
		.forward = true,
		.dst = { .family = AF_INET, .len = routes[i].len },
		.hops = &hop,
		.n_hops = 1,
	};

	hop = (struct khop){
		.oif = oif,
		.weight = 1,
		.plain = true,
		.via = {
			.family = AF_INET, .len = 32,
			.b = { 10, 9, 0, 1 + routes[i].value },
		},
	};
	memcpy(out.dst.b, routes[i].addr, 4);
	return out;
}

static void check_count(unsigned int want)
{
	struct cni_status status;
	int rc = cni_status(&c, &status);

	if (rc)
		die("status", rc);
	if (status.routes4 == want && !status.punted4)
		return;
	fprintf(stderr, "load: %u routes, %u of them punted, not %u\n",
		status.routes4, status.punted4, want);
	exit(1);
}

static void load_table(const char *what)
{
	uint64_t start = now(), sent, end;
	struct cni_status status;
	struct cni_entry out;
	uint32_t transaction;
	struct cni_batch b;
	unsigned int i;
	int rc;

	rc = cni_status(&c, &status);
	if (!rc)
		rc = cni_begin(&c, 254, &transaction);
	if (rc)
		die("begin", rc);
	cni_batch_init(&b, &c, transaction, NULL);
	for (i = 0; i < nr_routes && !rc; i++) {
		out = route(i);
		rc = cni_batch_add(&out, &b);
	}
	if (!rc)
		rc = cni_batch_end(&b);
	cni_batch_free(&b);
	sent = now();
	if (!rc)
		rc = cni_commit(&c, transaction, status.generation);
	end = now();
	if (rc || b.refused)
		die("load", rc);
	check_count(nr_routes);
	printf("%s %llu %llu\n", what, (unsigned long long)(end - start),
	       (unsigned long long)(end - sent));
}

static int by_time(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Withdraw, announce again, or move to another next hop. */
static void updates(void)
{
	uint64_t generation, t, each[UPDATES];
	struct cni_status status;
	struct cni_entry out;
	struct cni_batch b;
	unsigned int i, at;
	int rc, gone = -1;

	rc = cni_status(&c, &status);
	if (rc)
		die("status", rc);
	generation = status.generation;
	for (i = 0; i < UPDATES; i++) {
		at = gone >= 0 ? (unsigned int)gone : random() % nr_routes;
		routes[at].value = 1 + random() % KBENCH_VALUES;
		out = route(at);
		if (gone < 0 && i % 3)
			out.del = true;
		gone = out.del ? (int)at : -1;
		t = now();
		cni_batch_init(&b, &c, 0, &generation);
		rc = cni_batch_add(&out, &b);
		if (!rc)
			rc = cni_batch_end(&b);
		cni_batch_free(&b);
		each[i] = now() - t;
		if (rc || b.refused)
			die("update", rc);
	}
	check_count(nr_routes - (gone >= 0));
	qsort(each, UPDATES, sizeof(*each), by_time);
	printf("update %llu %llu\n", (unsigned long long)each[UPDATES / 2],
	       (unsigned long long)each[UPDATES / 100 * 99]);
}

static void shuffle(void)
{
	struct kbench_route t;
	unsigned int i, j;

	for (i = nr_routes - 1; i; i--) {
		j = random() % (i + 1);
		t = routes[i];
		routes[i] = routes[j];
		routes[j] = t;
	}
}

int main(int argc, char **argv)
{
	FILE *f;
	int rc;

	f = argc == 3 ? fopen(argv[1], "r") : NULL;
	oif = argc == 3 ? if_nametoindex(argv[2]) : 0;
	if (!f || !oif) {
		fputs("usage: load ROUTES DEV\n", stderr);
		return 2;
	}
	fseek(f, 0, SEEK_END);
	nr_routes = ftell(f) / sizeof(*routes);
	rewind(f);
	routes = malloc(nr_routes * sizeof(*routes));
	if (!routes || fread(routes, sizeof(*routes), nr_routes, f) !=
		       nr_routes)
		return 1;
	fclose(f);
	rc = cni_open(&c);
	if (rc)
		return 1;

	load_table("load");
	updates();
	shuffle();
	load_table("shuffled");
	cni_close(&c);
	return 0;
}
