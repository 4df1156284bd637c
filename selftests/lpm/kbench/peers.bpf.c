// SPDX-License-Identifier: GPL-2.0
/*
 * What a BPF program can look a prefix up in: the LPM trie map, and the
 * kernel's own routes. Each program adds up what it finds for the next keys;
 * "none" fetches the keys only.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "kbench.h"
#include "peers.h"

#define AF_INET		2
#define AF_INET6	10

struct key {
	__u32 w[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct key);
	__uint(max_entries, KBENCH_KEYS);
} keys SEC(".maps");

struct lpm4_key {
	__u32 len;
	__u32 w;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__type(key, struct lpm4_key);
	__type(value, __u32);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} lpm4 SEC(".maps");

struct lpm6_key {
	__u32 len;
	__u32 w[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__type(key, struct lpm6_key);
	__type(value, __u32);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} lpm6 SEC(".maps");

/* The devices' numbers, which stand for values, begin after this. */
const volatile __u32 ifindex_base;
__u32 next;
__u64 sum;

#define PROGRAM(name, lookup)						\
SEC("xdp")								\
int name(struct xdp_md *ctx)						\
{									\
	__u32 i, at = next;						\
	__u64 s = 0;							\
									\
	for (i = 0; i < PEERS_LOOP; i++) {				\
		const struct key *key;					\
		__u32 k = (at + i) & (KBENCH_KEYS - 1);			\
									\
		key = bpf_map_lookup_elem(&keys, &k);			\
		if (!key)						\
			return XDP_ABORTED;				\
		s += lookup;						\
	}								\
	next = at + PEERS_LOOP;						\
	sum += s;							\
	return XDP_PASS;						\
}

static __always_inline __u32 trie4(const struct key *key)
{
	struct lpm4_key k = { .len = 32, .w = key->w[0] };
	__u32 *value = bpf_map_lookup_elem(&lpm4, &k);

	return value ? *value : 0;
}

static __always_inline __u32 trie6(const struct key *key)
{
	struct lpm6_key k = {
		.len = 128,
		.w = { key->w[0], key->w[1], key->w[2], key->w[3] },
	};
	__u32 *value = bpf_map_lookup_elem(&lpm6, &k);

	return value ? *value : 0;
}

static __always_inline __u32 fib(void *ctx, const struct key *key, int family)
{
	struct bpf_fib_lookup f = {
		.family = family,
		.ifindex = ifindex_base + 1,
	};

	if (family == AF_INET)
		f.ipv4_dst = key->w[0];
	else
		__builtin_memcpy(f.ipv6_dst, key->w, 16);
	if (bpf_fib_lookup(ctx, &f, sizeof(f), BPF_FIB_LOOKUP_DIRECT))
		return 0;
	return f.ifindex - ifindex_base;
}

PROGRAM(none4, key->w[0])
PROGRAM(none6, key->w[3])
PROGRAM(lpm_trie4, trie4(key))
PROGRAM(lpm_trie6, trie6(key))
PROGRAM(fib4, fib(ctx, key, AF_INET))
PROGRAM(fib6, fib(ctx, key, AF_INET6))

char _license[] SEC("license") = "GPL";
