// SPDX-License-Identifier: GPL-2.0
/*
 * Sends frames up a device's receive path, as its driver's XDP would, and says
 * how long each took on average, in nanoseconds of this machine's clock. In a
 * VM whose clock counts instructions, that's instructions. Or sends datagrams
 * to the same addresses itself, and says how long each sendto() took.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "livegen.h"
#include "livegen.skel.h"

#define BATCH	64
#define PAYLOAD	18

static void usage(void)
{
	fputs("usage: livegen -d DEV -f FRAME -k KEYS -a IP_AT [-6] -n PACKETS\n"
	      "               [-w WARMUP] [-r RUNS]\n"
	      "       livegen -l -k KEYS -n PACKETS [-w WARMUP] [-r RUNS]\n"
	      "FRAME and KEYS are files: a frame, and struct livegen_key's.\n",
	      stderr);
	exit(2);
}

static void die(const char *what)
{
	fprintf(stderr, "livegen: %s: %s\n", what, strerror(errno));
	exit(1);
}

static size_t slurp(const char *path, void *buf, size_t room)
{
	FILE *f = fopen(path, "r");
	size_t n;

	if (!f)
		die(path);
	n = fread(buf, 1, room, f);
	if (!n || ferror(f))
		die(path);
	fclose(f);
	return n;
}

static unsigned int send_frames(int prog, unsigned int ifindex,
				const void *frame, size_t len, unsigned int n)
{
	struct xdp_md ctx = {
		.data_end = len,
		.ingress_ifindex = ifindex,
	};
	LIBBPF_OPTS(bpf_test_run_opts, opts,
		.data_in = frame,
		.data_size_in = len,
		.ctx_in = &ctx,
		.ctx_size_in = sizeof(ctx),
		.repeat = n,
		.flags = BPF_F_TEST_XDP_LIVE_FRAMES,
		.batch_size = BATCH,
	);

	if (n && bpf_prog_test_run_opts(prog, &opts))
		die("sending");
	return opts.duration;
}

static unsigned long nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000UL + now.tv_nsec;
}

static unsigned int send_local(int sock, const struct livegen_key *key,
			       unsigned int nr_keys, unsigned int n)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(9),
	};
	static const char payload[PAYLOAD];
	unsigned long start = nanoseconds();
	static unsigned int next;
	unsigned int i;

	for (i = 0; i < n; i++) {
		to.sin_addr.s_addr = key[next].daddr[0];
		next = next + 1 < nr_keys ? next + 1 : 0;
		if (sendto(sock, payload, sizeof(payload), 0,
			   (struct sockaddr *)&to, sizeof(to)) < 0)
			die("sendto");
	}
	return n ? (nanoseconds() - start) / n : 0;
}

static void run_local(const struct livegen_key *key, unsigned int nr_keys,
		      unsigned int n, unsigned int warmup, unsigned int runs)
{
	int sock = socket(AF_INET, SOCK_DGRAM, 0);
	unsigned int i;

	if (sock < 0)
		die("socket");
	send_local(sock, key, nr_keys, warmup);
	puts("warm");
	fflush(stdout);
	getchar();
	for (i = 0; i < runs; i++) {
		printf("%u\n", send_local(sock, key, nr_keys, n));
		fflush(stdout);
	}
	close(sock);
}

int main(int argc, char **argv)
{
	const char *dev = NULL, *frame = NULL, *keys = NULL;
	static struct livegen_key key[LIVEGEN_KEYS];
	unsigned int n = 0, warmup = 0, runs = 1;
	unsigned int ip_at = 14, ip6 = 0, local = 0, nr_keys, ifindex, i, pos;
	unsigned char buf[2048];
	struct livegen_bpf *skel;
	size_t len;
	int opt, fd;

	while ((opt = getopt(argc, argv, "d:f:k:a:6ln:w:r:")) != -1) {
		switch (opt) {
		case 'd': dev = optarg; break;
		case 'f': frame = optarg; break;
		case 'k': keys = optarg; break;
		case 'a': ip_at = atoi(optarg); break;
		case '6': ip6 = 1; break;
		case 'l': local = 1; break;
		case 'n': n = atoi(optarg); break;
		case 'w': warmup = atoi(optarg); break;
		case 'r': runs = atoi(optarg); break;
		default: usage();
		}
	}
	if (!keys || !n || (!local && (!dev || !frame)))
		usage();
	nr_keys = slurp(keys, key, sizeof(key)) / sizeof(*key);
	if (local) {
		run_local(key, nr_keys, n, warmup, runs);
		return 0;
	}
	len = slurp(frame, buf, sizeof(buf));
	ifindex = if_nametoindex(dev);
	if (!ifindex)
		die(dev);

	skel = livegen_bpf__open();
	if (!skel)
		die("the program");
	skel->rodata->ip_at = ip_at;
	skel->rodata->ip6 = ip6;
	skel->rodata->nr_keys = nr_keys;
	if (livegen_bpf__load(skel))
		die("loading the program");
	fd = bpf_map__fd(skel->maps.keys);
	for (i = 0; i < nr_keys; i++)
		if (bpf_map_update_elem(fd, &i, &key[i], 0))
			die("keys");
	if (bpf_xdp_attach(ifindex, bpf_program__fd(skel->progs.pass),
			   XDP_FLAGS_DRV_MODE, NULL))
		die("attaching to the device");
	fd = bpf_program__fd(skel->progs.rewrite);

	for (pos = 0; pos < warmup; pos += i) {
		/* In parts, so that what one part set off gets done. */
		i = warmup - pos < 20000 ? warmup - pos : 20000;
		send_frames(fd, ifindex, buf, len, i);
	}
	/* Who reads our output may look at counters now, then goes on. */
	puts("warm");
	fflush(stdout);
	getchar();
	for (i = 0; i < runs; i++) {
		printf("%u\n", send_frames(fd, ifindex, buf, len, n));
		fflush(stdout);
	}
	bpf_xdp_detach(ifindex, XDP_FLAGS_DRV_MODE, NULL);
	livegen_bpf__destroy(skel);
	return 0;
}
