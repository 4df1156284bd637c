/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Look-ups of the prefix table, and the layout of what they read: see flat.c,
 * deep4.c and deep6.c. They are inlined into the packet path, without a call or
 * an indirection: one that waits for the one before takes 3.1 ns in flat IPv4,
 * DPDK's rte_lpm 3.3 to 3.7 (BENCH=lpm).
 */
#ifndef _CNI_LPM_LOOKUP_H
#define _CNI_LPM_LOOKUP_H

#include "lpm.h"

#ifdef __KERNEL__
#include <linux/bitops.h>
#include <linux/cache.h>
#include <linux/prefetch.h>
#include <linux/rcupdate.h>
#include <linux/stddef.h>
#include <asm/byteorder.h>
#endif

#define CNI_LPM_ROOT_BITS	16
#define CNI_LPM_STRIDE		8

/*
 * Flat: 16-bit slots, a value or this flag and a block's place, in units that
 * make it the scaled index of an address.
 */
#define CNI_LPM_BLOCK		0x8000U
#define CNI_LPM_BLOCK_UNIT	4
#define CNI_LPM_BLOCK_STEP	((1U << CNI_LPM_STRIDE) / CNI_LPM_BLOCK_UNIT)

/* Flat: where blocks begin, in slots, and IPv4's front and tags, in bytes. */
#define CNI_LPM_FRONT		(2U << CNI_LPM_ROOT_BITS)
#define CNI_LPM_TAGS		(3U << CNI_LPM_ROOT_BITS)
#define CNI_LPM_BLOCKS4		((CNI_LPM_TAGS + 4096) / 2)
#define CNI_LPM_BLOCKS6		(CNI_LPM_FRONT / 2)

/* In the front: only the block can tell. */
#define CNI_LPM_ASK		255

/* Deep: an entry is a value, or the first flag, a type and a node's place. */
#define CNI_LPM_NODE		0x80000000U
#define CNI_LPM_TYPE		0x70000000U
#define CNI_LPM_WIDE		0x00000000U
#define CNI_LPM_NARROW		0x10000000U
#define CNI_LPM_LINE		0x20000000U
#define CNI_LPM_LINES		0x30000000U
#define CNI_LPM_DIRECT		0x40000000U
#define CNI_LPM_PLACE		0x0fffffffU

/* Places are counted in this many 32-bit words. */
#define CNI_LPM_UNIT4		4
#define CNI_LPM_UNIT6		16

/*
 * Bit i of @map is set where slot i differs from slot i - 1, and always for
 * slot 0, so the count of bits up to a slot, from 1, is that slot's run. As
 * run 0 does not exist, its place in @run and @code holds the bits set before
 * each word of @map.
 */
struct cni_lpm_node {
	u64 map[4];
	union {
		u8 before[4];
		u32 run[257];
		struct {
			u8 pad[3];
			u8 code[257];
		};
	};
};

#define CNI_LPM_LASTS		12
#define CNI_LPM_DIRECT_BITS	13

/*
 * Runs of the next 32 bits' values: run i ends with @last[i], the last one
 * with the last value. One line, or a line for what up to 13 lines behind it
 * end with.
 */
struct cni_lpm_line {
	u32 last[CNI_LPM_LASTS];
	u8 code[CNI_LPM_LASTS + 1];
	u8 pad[2];
	u8 lines;
};

/* Flat: root and blocks. Deep: root, the values of codes, and nodes. */
struct cni_lpm_mem {
	struct rcu_head rcu;
	size_t words;
	unsigned int codes;
	bool flat;
	union {
		DECLARE_FLEX_ARRAY(u32, w);
		DECLARE_FLEX_ARRAY(u16, slot);
	} ____cacheline_aligned;
};

/* Where the values of codes are: behind the root. */
#define CNI_LPM_VALUES		65536

/*
 * READ_ONCE(), as what is hidden is loaded once. But a volatile load is one
 * that GCC doesn't make of an address with a scale: that's an instruction more,
 * which the next load waits for.
 */
static __always_inline u32 cni_lpm_slot(const u16 *slots, size_t at)
{
	u32 slot;

	OPTIMIZER_HIDE_VAR(slots);
	/* A writer may change it: either value is right. */
	slot = data_race(slots[at]);
	OPTIMIZER_HIDE_VAR(slot);
	return slot;
}

static __always_inline u32 cni_lpm_block(const u16 *slots, size_t blocks,
					 u32 entry, u8 slot)
{
	return cni_lpm_slot(slots + blocks + slot -
			    CNI_LPM_BLOCK * CNI_LPM_BLOCK_UNIT,
			    (size_t)entry * CNI_LPM_BLOCK_UNIT);
}

/* The front's answer, or CNI_LPM_ASK */
static __always_inline u32 cni_lpm_front(const u8 *bytes, u32 key)
{
	/* As in cni_lpm_slot() */
	u32 entry = data_race(bytes[CNI_LPM_FRONT + ((key >> 8) & 0xffff)]);

	OPTIMIZER_HIDE_VAR(entry);
	if (unlikely(bytes[CNI_LPM_TAGS + ((key >> 12) & 0xfff)] != key >> 24))
		return CNI_LPM_ASK;
	return entry;
}

static __always_inline u32 cni_lpm_flat4(const u16 *slots, u32 key)
{
	u32 entry = cni_lpm_front((const u8 *)slots, key);

	if (likely(entry != CNI_LPM_ASK))
		return entry;
	entry = cni_lpm_slot(slots, key >> 16);
	entry = cni_lpm_block(slots, CNI_LPM_BLOCKS4, entry, key >> 8);
	if (unlikely(entry & CNI_LPM_BLOCK))
		entry = cni_lpm_block(slots, CNI_LPM_BLOCKS4, entry, key);
	return entry;
}

static __always_inline u32 cni_lpm_node(const struct cni_lpm_mem *mem,
					const struct cni_lpm_node *node,
					u32 entry, u8 slot)
{
	unsigned int run;

	run = node->before[slot / 64] +
	      hweight64(node->map[slot / 64] << (~slot & 63));
	if (likely(entry & CNI_LPM_NARROW))
		return mem->w[CNI_LPM_VALUES + READ_ONCE(node->code[run])];
	return READ_ONCE(node->run[run]);
}

static __always_inline u32 cni_lpm_node4(const struct cni_lpm_mem *mem,
					 u32 entry, u8 slot)
{
	size_t at = (size_t)(entry & CNI_LPM_PLACE) * CNI_LPM_UNIT4;
	const struct cni_lpm_node *node = (const void *)&mem->w[at];

	/* The codes of a usual node end there. */
	prefetch((const u8 *)node + 64);
	return cni_lpm_node(mem, node, entry, slot);
}

static __always_inline unsigned int
cni_lpm_rank(const struct cni_lpm_line *line, u32 key)
{
	const u32 *s = line->last;

	return (((s[0] < key) + (s[1] < key) + (s[2] < key)) +
		((s[3] < key) + (s[4] < key) + (s[5] < key))) +
	       (((s[6] < key) + (s[7] < key) + (s[8] < key)) +
		((s[9] < key) + (s[10] < key) + (s[11] < key)));
}

static __always_inline u32 cni_lpm_deep4(const struct cni_lpm_mem *mem, u32 key)
{
	u32 entry = READ_ONCE(mem->w[key >> 16]);

	if (entry & CNI_LPM_NODE) {
		entry = cni_lpm_node4(mem, entry, key >> 8);
		if (unlikely(entry & CNI_LPM_NODE))
			entry = cni_lpm_node4(mem, entry, key);
	}
	return entry;
}

/**
 * cni_lpm_lookup4 - longest match for an IPv4 address
 * @lpm: a 32-bit table
 * @addr: the address
 *
 * Context: under rcu_read_lock() or rcu_read_lock_bh().
 * Return: the value, or 0 if nothing covers @addr.
 */
static __always_inline u32 cni_lpm_lookup4(const struct cni_lpm *lpm,
					   __be32 addr)
{
	const struct cni_lpm_mem *mem;
	u32 key = be32_to_cpu(addr);

	mem = rcu_dereference_check(lpm->mem, rcu_read_lock_bh_held());
	if (likely(mem->flat))
		return cni_lpm_flat4(mem->slot, key);
	return cni_lpm_deep4(mem, key);
}

/**
 * cni_lpm_lookup4_two - longest matches for two IPv4 addresses
 * @lpm: a 32-bit table
 * @a: an address
 * @b: another
 * @value_b: set to its value
 *
 * Context: under rcu_read_lock() or rcu_read_lock_bh().
 * Return: the value of @a; 0 for what nothing covers.
 */
static __always_inline u32 cni_lpm_lookup4_two(const struct cni_lpm *lpm,
					       __be32 a, __be32 b,
					       u32 *value_b)
{
	const struct cni_lpm_mem *mem;
	u32 key_a = be32_to_cpu(a);
	u32 key_b = be32_to_cpu(b);
	const u16 *slots;

	mem = rcu_dereference_check(lpm->mem, rcu_read_lock_bh_held());
	if (likely(mem->flat)) {
		slots = mem->slot;
		OPTIMIZER_HIDE_VAR(slots);
		*value_b = cni_lpm_flat4(slots, key_b);
		return cni_lpm_flat4(slots, key_a);
	}
	*value_b = cni_lpm_deep4(mem, key_b);
	return cni_lpm_deep4(mem, key_a);
}

/**
 * cni_lpm_lookup6 - longest match for an IPv6 address
 * @lpm: a 128-bit table
 * @addr: the address
 *
 * Context: under rcu_read_lock() or rcu_read_lock_bh().
 * Return: the value, or 0 if nothing covers @addr.
 */
static __always_inline u32 cni_lpm_lookup6(const struct cni_lpm *lpm,
					   const struct in6_addr *addr)
{
	const struct cni_lpm_mem *mem;
	const u8 *key = addr->s6_addr;
	u32 entry = key[0] << 8 | key[1];
	u64 hi, lo;

	mem = rcu_dereference_check(lpm->mem, rcu_read_lock_bh_held());
	if (likely(mem->flat)) {
		entry = cni_lpm_slot(mem->slot, entry);
		for (key += 2; entry & CNI_LPM_BLOCK; key++)
			entry = cni_lpm_block(mem->slot, CNI_LPM_BLOCKS6,
					      entry, *key);
		return entry;
	}

	entry = READ_ONCE(mem->w[entry]);
	if (!(entry & CNI_LPM_NODE))
		return entry;
	hi = (u64)be32_to_cpu(addr->s6_addr32[0]) << 32 |
	     be32_to_cpu(addr->s6_addr32[1]);
	lo = (u64)be32_to_cpu(addr->s6_addr32[2]) << 32 |
	     be32_to_cpu(addr->s6_addr32[3]);
	hi = hi << 16 | lo >> 48;
	lo <<= 16;
	if (entry & CNI_LPM_DIRECT) {
		size_t at = (size_t)(entry & CNI_LPM_PLACE) * CNI_LPM_UNIT6;

		entry = READ_ONCE(mem->w[at + (hi >> (64 -
						CNI_LPM_DIRECT_BITS))]);
		hi = hi << CNI_LPM_DIRECT_BITS |
		     lo >> (64 - CNI_LPM_DIRECT_BITS);
		lo <<= CNI_LPM_DIRECT_BITS;
	}
	/* @hi begins with the bits that are left. */
	while (entry & CNI_LPM_NODE) {
		size_t at = (size_t)(entry & CNI_LPM_PLACE) * CNI_LPM_UNIT6;
		const void *node = &mem->w[at];
		const struct cni_lpm_line *line = node;

		if (entry & CNI_LPM_LINE) {
			if (entry & CNI_LPM_NARROW)
				line += 1 + cni_lpm_rank(line, hi >> 32);
			entry = READ_ONCE(line->code[cni_lpm_rank(line,
								  hi >> 32)]);
			return mem->w[CNI_LPM_VALUES + entry];
		}
		entry = cni_lpm_node(mem, node, entry, hi >> 56);
		hi = hi << CNI_LPM_STRIDE | lo >> (64 - CNI_LPM_STRIDE);
		lo <<= CNI_LPM_STRIDE;
	}
	return entry;
}

#endif /* _CNI_LPM_LOOKUP_H */
