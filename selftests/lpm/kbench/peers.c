// SPDX-License-Identifier: GPL-2.0
/*
 * The LPM trie map and the kernel's own routes, filled with a table and looked
 * up from BPF: nanoseconds of this machine's clock for each lookup, over the
 * same program without. In a VM whose clock counts instructions, that's those.
 *
 * The devices d1 to d16 are there, up and forwarding, numbered in a row; the
 * gateways 10.255.0.N and fe80::N are neighbours on them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/rtnetlink.h>

#include "kbench.h"
#include "peers.h"
#include "peers.skel.h"

#define RUNS		3
#define BATCH		4096
#define SEND_BYTES	(64 << 10)

struct key {
	uint32_t w[4];
};

struct request {
	struct nlmsghdr nlh;
	struct rtmsg rtm;
	char attrs[64];
};

static unsigned int bits = 32, nr_routes, first_dev;
static struct kbench_route *routes;

static void die(const char *what)
{
	fprintf(stderr, "peers: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec * 1e-9;
}

static void *slurp(const char *path, size_t *size)
{
	FILE *f = fopen(path, "r");
	char *buf = NULL;
	size_t room = 0;

	if (!f)
		die(path);
	*size = 0;
	do {
		room += 1 << 20;
		buf = realloc(buf, room);
		if (!buf)
			die(path);
		*size += fread(buf + *size, 1, room - *size, f);
	} while (*size == room);
	if (ferror(f))
		die(path);
	fclose(f);
	return buf;
}

static void fill_trie(int fd)
{
	size_t size = 4 + bits / 8;
	char *keys = malloc(BATCH * size);
	uint32_t *values = malloc(BATCH * sizeof(*values)), n = 0, i;

	for (i = 0; i < nr_routes; i++) {
		memcpy(keys + n * size, &routes[i].len, 4);
		memcpy(keys + n * size + 4, routes[i].addr, bits / 8);
		values[n++] = routes[i].value;
		if (n < BATCH && i + 1 < nr_routes)
			continue;
		if (bpf_map_update_batch(fd, keys, values, &n, NULL))
			die("filling the LPM trie");
		n = 0;
	}
	free(keys);
	free(values);
}

static void put(struct request *r, int type, const void *data, size_t len)
{
	struct rtattr *a = (void *)((char *)r + r->nlh.nlmsg_len);

	a->rta_type = type;
	a->rta_len = RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	r->nlh.nlmsg_len += RTA_SPACE(len);
}

static void make_request(struct request *r, const struct kbench_route *route)
{
	uint8_t gw4[4] = { 10, 255, 0, route->value };
	uint8_t gw6[16] = { 0xfe, 0x80, [15] = route->value };
	uint32_t oif = first_dev + route->value - 1;

	memset(r, 0, sizeof(*r));
	r->nlh.nlmsg_len = NLMSG_LENGTH(sizeof(r->rtm));
	r->nlh.nlmsg_type = RTM_NEWROUTE;
	r->nlh.nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE;
	r->rtm.rtm_family = bits == 32 ? AF_INET : AF_INET6;
	r->rtm.rtm_dst_len = route->len;
	r->rtm.rtm_table = RT_TABLE_MAIN;
	r->rtm.rtm_protocol = RTPROT_STATIC;
	r->rtm.rtm_scope = RT_SCOPE_UNIVERSE;
	r->rtm.rtm_type = RTN_UNICAST;
	r->rtm.rtm_flags = bits == 32 ? RTNH_F_ONLINK : 0;
	put(r, RTA_DST, route->addr, bits / 8);
	put(r, RTA_GATEWAY, bits == 32 ? gw4 : gw6, bits / 8);
	put(r, RTA_OIF, &oif, sizeof(oif));
}

/* Nobody answers but to refuse, and to the last one. */
static void hear(int fd, int flags)
{
	char buf[8192];
	ssize_t len;

	while ((len = recv(fd, buf, sizeof(buf), flags)) > 0) {
		struct nlmsghdr *nlh = (void *)buf;
		struct nlmsgerr *e = NLMSG_DATA(nlh);

		if (nlh->nlmsg_type == NLMSG_ERROR && e->error) {
			errno = -e->error;
			die("the kernel's routes");
		}
		if (!(flags & MSG_DONTWAIT))
			return;
	}
	/* Too many refusals to hold are one, too. */
	if (len < 0 && errno != EAGAIN)
		die("the kernel's routes");
}

static void fill_kernel(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), room = 1 << 20;
	char *buf = malloc(SEND_BYTES);
	struct request r;
	size_t len = 0;
	unsigned int i;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room,
				 sizeof(room)))
		die("netlink");
	for (i = 0; i < nr_routes; i++) {
		make_request(&r, &routes[i]);
		if (i + 1 == nr_routes)
			r.nlh.nlmsg_flags |= NLM_F_ACK;
		memcpy(buf + len, &r, r.nlh.nlmsg_len);
		len += NLMSG_ALIGN(r.nlh.nlmsg_len);
		if (len + sizeof(r) < SEND_BYTES && i + 1 < nr_routes)
			continue;
		if (send(fd, buf, len, 0) != (ssize_t)len)
			die("netlink");
		len = 0;
		hear(fd, i + 1 < nr_routes ? MSG_DONTWAIT : 0);
	}
	close(fd);
	free(buf);
}

static double run(struct peers_bpf *skel, const struct bpf_program *prog)
{
	static char frame[64];
	unsigned int i, best = ~0U;

	for (i = 0; i < RUNS; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, opts,
			.data_in = frame,
			.data_size_in = sizeof(frame),
			.repeat = KBENCH_KEYS / PEERS_LOOP,
		);

		skel->bss->next = 0;
		skel->bss->sum = 0;
		if (bpf_prog_test_run_opts(bpf_program__fd(prog), &opts))
			die("running a program");
		if (opts.retval != 2) {
			errno = EPROTO;
			die("a program's answer");
		}
		if (opts.duration < best)
			best = opts.duration;
	}
	return (double)best / PEERS_LOOP;
}

static void take_keys(struct peers_bpf *skel, const char *path)
{
	struct key *keys = calloc(KBENCH_KEYS, sizeof(*keys));
	uint32_t *at = malloc(KBENCH_KEYS * sizeof(*at)), n = KBENCH_KEYS, i;
	size_t size;
	char *raw = slurp(path, &size);

	if (size != (size_t)KBENCH_KEYS * bits / 8) {
		errno = EINVAL;
		die(path);
	}
	for (i = 0; i < n; i++) {
		at[i] = i;
		memcpy(&keys[i], raw + i * bits / 8, bits / 8);
	}
	if (bpf_map_update_batch(bpf_map__fd(skel->maps.keys), at, keys, &n,
				 NULL))
		die("keys");
	free(keys);
	free(at);
	free(raw);
}

int main(int argc, char **argv)
{
	struct bpf_program *none, *trie, *fib;
	struct peers_bpf *skel;
	double empty, t;
	size_t size;
	int i;

	if (argc < 4 || (strcmp(argv[1], "32") && strcmp(argv[1], "128"))) {
		fputs("usage: peers 32|128 ROUTES KEYS...\n", stderr);
		return 2;
	}
	bits = atoi(argv[1]);
	routes = slurp(argv[2], &size);
	nr_routes = size / sizeof(*routes);
	first_dev = if_nametoindex("d1");
	if (!first_dev)
		die("d1");

	skel = peers_bpf__open();
	if (!skel)
		die("the programs");
	skel->rodata->ifindex_base = first_dev - 1;
	bpf_map__set_max_entries(bits == 32 ? skel->maps.lpm4 :
				 skel->maps.lpm6, nr_routes);
	if (peers_bpf__load(skel))
		die("loading the programs");
	none = bits == 32 ? skel->progs.none4 : skel->progs.none6;
	trie = bits == 32 ? skel->progs.lpm_trie4 : skel->progs.lpm_trie6;
	fib = bits == 32 ? skel->progs.fib4 : skel->progs.fib6;

	t = now();
	fill_trie(bpf_map__fd(bits == 32 ? skel->maps.lpm4 :
			      skel->maps.lpm6));
	fprintf(stderr, "# LPM trie: %u prefixes, %.0f insn each to load\n",
		nr_routes, (now() - t) * 1e9 / nr_routes);
	t = now();
	fill_kernel();
	fprintf(stderr, "# the kernel's routes: %.0f insn each to load\n",
		(now() - t) * 1e9 / nr_routes);

	for (i = 3; i < argc; i++) {
		take_keys(skel, argv[i]);
		empty = run(skel, none);
		t = run(skel, trie);
		printf("%s bpf_lpm_trie %.2f %llu\n", argv[i], t - empty,
		       (unsigned long long)skel->bss->sum);
		t = run(skel, fib);
		printf("%s bpf_fib_lookup %.2f %llu\n", argv[i], t - empty,
		       (unsigned long long)skel->bss->sum);
	}
	/* Freeing it all takes the kernel long, while others are measured. */
	puts("done");
	fflush(stdout);
	getchar();
	return 0;
}
