// SPDX-License-Identifier: GPL-2.0
/*
 * Run over the frames that livegen makes: each gets the next addresses of a
 * table, and goes up into the stack.
 */
#include <linux/bpf.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_helpers.h>

#include "livegen.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct livegen_key);
	__uint(max_entries, LIVEGEN_KEYS);
} keys SEC(".maps");

const volatile __u32 ip_at = 14;
const volatile __u32 ip6;
const volatile __u32 nr_keys = 1;
__u32 next;

SEC("xdp")
int rewrite(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data + ip_at;
	void *end = (void *)(long)ctx->data_end;
	const struct livegen_key *key;
	__u32 i = next;

	next = i + 1 < nr_keys ? i + 1 : 0;
	key = bpf_map_lookup_elem(&keys, &i);
	if (!key)
		return XDP_ABORTED;

	if (ip6) {
		struct ipv6hdr *iph = data;
		struct udphdr *udp = (void *)(iph + 1);

		if ((void *)(udp + 1) > end)
			return XDP_ABORTED;
		__builtin_memcpy(&iph->saddr, key->saddr, 16);
		__builtin_memcpy(&iph->daddr, key->daddr, 16);
		udp->check = key->check;
	} else {
		struct iphdr *iph = data;

		if ((void *)(iph + 1) > end)
			return XDP_ABORTED;
		iph->saddr = key->saddr[0];
		iph->daddr = key->daddr[0];
		iph->check = key->check;
	}
	return XDP_PASS;
}

/* Makes the device's receive queue one that frames can come from. */
SEC("xdp")
int pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
