// SPDX-License-Identifier: GPL-2.0
/*
 * Runs one of xdpgen.bpf.c's programs over frames of a device, and says how long
 * each took on average, in nanoseconds of this machine's clock, as livegen does.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "livegen.h"
#include "xdpgen.skel.h"

#define BATCH	64

struct tunnel {
	unsigned char hdr[42];
	__u16 pad;
	__u32 oif;
	__u32 csum;
};

static void usage(void)
{
	fputs("usage: xdpgen -p PROGRAM -d DEV -f FRAME -k KEYS -a IP_AT [-6]\n"
	      "              -n PACKETS [-w WARMUP] [-r RUNS] [-g BYTES]\n"
	      "              [-t TUNNEL,OIF,HEADER]\n"
	      "       xdpgen -s DEV\n"
	      "FRAME and KEYS are files: a frame, and struct livegen_key's. -g: how\n"
	      "much longer the program makes the frame; -s: drop all that DEV gets.\n",
	      stderr);
	exit(2);
}

static void die(const char *what)
{
	fprintf(stderr, "xdpgen: %s: %s\n", what, strerror(errno));
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

static unsigned int run(int prog, unsigned int ifindex, const void *frame,
			size_t len, unsigned int n)
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
		die("running the program");
	return opts.duration;
}

static void add_tunnel(const struct xdpgen_bpf *skel, const char *text)
{
	struct tunnel t = {};
	char hex[2 * sizeof(t.hdr) + 1];
	char gre[IF_NAMESIZE], oif[IF_NAMESIZE];
	unsigned int key, i, byte, sum = 0;

	if (sscanf(text, "%15[^,],%15[^,],%84s", gre, oif, hex) != 3)
		usage();
	for (i = 0; i < sizeof(t.hdr); i++) {
		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			usage();
		t.hdr[i] = byte;
	}
	for (i = 18; i < 38; i += 2)
		sum += t.hdr[i] | t.hdr[i + 1] << 8;
	t.csum = sum;
	t.oif = if_nametoindex(oif);
	key = if_nametoindex(gre);
	if (bpf_map_update_elem(bpf_map__fd(skel->maps.tunnels), &key, &t, 0) ||
	    bpf_map_update_elem(bpf_map__fd(skel->maps.ports), &t.oif, &t.oif, 0))
		die("the tunnel");
}

static int sink(const char *dev)
{
	struct xdpgen_bpf *skel = xdpgen_bpf__open();
	struct bpf_program *prog;

	if (!skel)
		die("the program");
	bpf_object__for_each_program(prog, skel->obj)
		bpf_program__set_autoload(prog, prog == skel->progs.sink);
	if (xdpgen_bpf__load(skel) ||
	    bpf_xdp_attach(if_nametoindex(dev), bpf_program__fd(skel->progs.sink),
			   XDP_FLAGS_DRV_MODE, NULL))
		die(dev);
	return 0;
}

int main(int argc, char **argv)
{
	const char *dev = NULL, *frame = NULL, *keys = NULL, *name = NULL;
	static struct livegen_key key[LIVEGEN_KEYS];
	unsigned int n = 0, warmup = 0, runs = 1;
	unsigned int ip_at = 14, ip6 = 0, nr_keys, ifindex, i, pos;
	unsigned char buf[2048] = {};
	const char *tunnel = NULL;
	struct xdpgen_bpf *skel;
	struct bpf_program *prog;
	int opt, fd, grows = 0;
	size_t len;

	while ((opt = getopt(argc, argv, "p:d:f:k:a:6n:w:r:g:t:s:")) != -1) {
		switch (opt) {
		case 'p': name = optarg; break;
		case 'd': dev = optarg; break;
		case 'f': frame = optarg; break;
		case 'k': keys = optarg; break;
		case 'a': ip_at = atoi(optarg); break;
		case '6': ip6 = 1; break;
		case 'n': n = atoi(optarg); break;
		case 'w': warmup = atoi(optarg); break;
		case 'r': runs = atoi(optarg); break;
		case 'g': grows = atoi(optarg); break;
		case 't': tunnel = optarg; break;
		case 's': return sink(optarg);
		default: usage();
		}
	}
	if (!name || !keys || !n || !dev || !frame)
		usage();
	nr_keys = slurp(keys, key, sizeof(key)) / sizeof(*key);
	len = slurp(frame, buf, sizeof(buf));
	ifindex = if_nametoindex(dev);
	if (!ifindex)
		die(dev);

	skel = xdpgen_bpf__open();
	if (!skel)
		die("the program");
	bpf_object__for_each_program(prog, skel->obj)
		bpf_program__set_autoload(prog,
					  !strcmp(bpf_program__name(prog),
						  name));
	skel->rodata->ip_at = ip_at;
	skel->rodata->ip6 = ip6;
	skel->rodata->nr_keys = nr_keys;
	skel->rodata->grows = grows;
	skel->rodata->frame_words = len / 8;
	memcpy((void *)skel->rodata->frame, buf, sizeof(skel->rodata->frame));
	if (xdpgen_bpf__load(skel))
		die("loading the program");
	fd = bpf_map__fd(skel->maps.keys);
	for (i = 0; i < nr_keys; i++)
		if (bpf_map_update_elem(fd, &i, &key[i], 0))
			die("keys");
	if (tunnel)
		add_tunnel(skel, tunnel);
	prog = bpf_object__find_program_by_name(skel->obj, name);
	if (!prog)
		usage();
	fd = bpf_program__fd(prog);

	for (pos = 0; pos < warmup; pos += i) {
		/* In parts, so that what one part set off gets done. */
		i = warmup - pos < 20000 ? warmup - pos : 20000;
		run(fd, ifindex, buf, len, i);
	}
	/* Who reads our output may look at counters now, then goes on. */
	puts("warm");
	fflush(stdout);
	getchar();
	for (i = 0; i < runs; i++) {
		printf("%u\n", run(fd, ifindex, buf, len, n));
		fflush(stdout);
	}
	xdpgen_bpf__destroy(skel);
	return 0;
}
