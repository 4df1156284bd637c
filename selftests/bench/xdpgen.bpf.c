// SPDX-License-Identifier: GPL-2.0
/*
 * Each makes a whole frame, of the next addresses of a table, and then does
 * with it what is to be measured.
 */
#include <linux/if_ether.h>
#include <linux/udp.h>

#include "../../user/bpf/cnilink.bpf.h"
#include "livegen.h"

#define AF_INET	2

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct livegen_key);
	__uint(max_entries, LIVEGEN_KEYS);
} keys SEC(".maps");

/* What a program of the user's own would keep of a tunnel */
struct tunnel {
	__u8	hdr[42];	/* Ethernet, VLAN, IPv4, GRE */
	__u16	pad;
	__u32	oif;
	__u32	csum;		/* over the outer header, without its length */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, struct tunnel);
	__uint(max_entries, 256);
} tunnels SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, 256);
} ports SEC(".maps");

const volatile __u32 ip_at = 14;
const volatile __u32 ip6;
const volatile __u32 nr_keys = 1;
/* Header bytes that are pushed less those that are pulled, to undo it */
const volatile int grows;
const volatile __u32 frame_words;
const volatile __u64 frame[16];
__u32 next;

static __always_inline int make(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *ip = data + ip_at;
	void *end = (void *)(long)ctx->data_end;
	const struct livegen_key *key;
	__u32 i = next, w;

	next = i + 1 < nr_keys ? i + 1 : 0;
	key = bpf_map_lookup_elem(&keys, &i);
	if (!key || data + frame_words * 8 > end)
		return -1;
	for (w = 0; w < 16 && w < frame_words; w++)
		*(__u64 *)(data + w * 8) = frame[w];
	if (ip6) {
		struct ipv6hdr *iph = ip;
		struct udphdr *udp = (void *)(iph + 1);

		if ((void *)(udp + 1) > end)
			return -1;
		__builtin_memcpy(&iph->saddr, key->saddr, 16);
		__builtin_memcpy(&iph->daddr, key->daddr, 16);
		udp->check = key->check;
	} else {
		struct iphdr *iph = ip;

		if ((void *)(iph + 1) > end)
			return -1;
		iph->saddr = key->saddr[0];
		iph->daddr = key->daddr[0];
		iph->check = key->check;
	}
	return 0;
}

/*
 * What one writes today, over IPv4 and with one remote end for each tunnel: the
 * kernel's own table says which tunnel, maps say the rest.
 */
static __always_inline int fib(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct bpf_fib_lookup params = { .family = AF_INET };
	struct ethhdr *eth = data;
	struct iphdr *iph = (void *)(eth + 1), *outer;
	struct tunnel *t;
	__u32 sum;
	long rc;

	if ((void *)(iph + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) ||
	    iph->ihl != 5 || iph->ttl <= 1)
		return XDP_PASS;
	params.tos = iph->tos;
	params.l4_protocol = iph->protocol;
	params.tot_len = bpf_ntohs(iph->tot_len);
	params.ipv4_src = iph->saddr;
	params.ipv4_dst = iph->daddr;
	params.ifindex = ctx->ingress_ifindex;
	/* A tunnel has no neighbours, but for what the stack made up. */
	rc = bpf_fib_lookup(ctx, &params, sizeof(params), 0);
	if (rc != BPF_FIB_LKUP_RET_SUCCESS && rc != BPF_FIB_LKUP_RET_NO_NEIGH)
		return XDP_PASS;
	t = bpf_map_lookup_elem(&tunnels, &params.ifindex);
	if (!t)
		return XDP_PASS;
	age4(iph, end);
	sum = t->csum + bpf_htons(bpf_ntohs(iph->tot_len) + 24);
	if (bpf_xdp_adjust_head(ctx, ETH_HLEN - 42))
		return XDP_ABORTED;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (data + 42 + sizeof(*iph) > end)
		return XDP_ABORTED;
	__builtin_memcpy(data, t->hdr, 42);
	outer = data + 18;
	outer->tot_len = bpf_htons(bpf_ntohs(((struct iphdr *)
					      (data + 42))->tot_len) + 24);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	outer->check = ~sum;
	return bpf_redirect_map(&ports, t->oif, 0);
}

SEC("xdp")
int drop(struct xdp_md *ctx)
{
	return make(ctx) ? XDP_ABORTED : XDP_DROP;
}

SEC("xdp")
int up(struct xdp_md *ctx)
{
	return make(ctx) ? XDP_ABORTED : XDP_PASS;
}

SEC("xdp")
int cnilink(struct xdp_md *ctx)
{
	return make(ctx) ? XDP_ABORTED : cnilink_forward(ctx);
}

SEC("xdp")
int by_fib(struct xdp_md *ctx)
{
	return make(ctx) ? XDP_ABORTED : fib(ctx);
}

/* The program alone: what it says isn't done, and the frame is as it was. */
static __always_inline int undo(struct xdp_md *ctx, int verdict)
{
	if (bpf_xdp_adjust_head(ctx, grows))
		return XDP_ABORTED;
	return verdict == XDP_REDIRECT ? XDP_DROP : XDP_ABORTED;
}

SEC("xdp")
int one_floor(struct xdp_md *ctx)
{
	return undo(ctx, make(ctx) ? XDP_ABORTED : XDP_REDIRECT);
}

SEC("xdp")
int one_cnilink(struct xdp_md *ctx)
{
	int verdict = XDP_ABORTED;

	if (!make(ctx))
		verdict = cnilink_forward(ctx);
	return undo(ctx, verdict);
}

SEC("xdp")
int one_by_fib(struct xdp_md *ctx)
{
	int verdict = XDP_ABORTED;

	if (!make(ctx))
		verdict = fib(ctx);
	return undo(ctx, verdict);
}

/* What ends a veth pair */
SEC("xdp")
int sink(struct xdp_md *ctx)
{
	return XDP_DROP;
}

char _license[] SEC("license") = "GPL";
