/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The prefix table: longest-prefix match for packets, and the set of prefixes
 * that it is made from.
 *
 * What decides its speed is the number of loads that wait for one another, and
 * in which cache each ends. So there are few levels, and what they are made of
 * is small. Readers get at all of it by one pointer, struct cni_lpm_mem, which
 * is one piece of memory (of huge pages, once it is large enough).
 *
 * Flat, for some thousands of prefixes, 2 bytes a slot:
 *
 *	slot[65536]   block of 256   block of 256
 *	bits 0-15 --> bits 16-23 --> bits 24-31 ...
 *
 * A slot is a value below 2^15, or CNI_LPM_BLOCK and where a block is.
 * An IPv4 root has blocks only; a /16 that is all one value shares the block
 * that is all this value. So a lookup is two loads where announcements end at
 * /24, with no branch between them that could be guessed wrong and no step but
 * the load: a slot is the scaled index of an address. At most FLAT_BLOCKS_MAX
 * blocks: 256 KB. IPv6 is the same with more blocks in a row, but with values
 * in its root; a /48 is five loads.
 *
 * IPv4 has a front before that: the values of /24, small ones, by bits 8-23.
 *
 *	front[65536]   tag[4096]
 *	bits 8-23      bits 8-19, says bits 0-7
 *
 * Few prefixes are apart in that, so nearly all of what is announced has its
 * place there: its look-up is one load, beside which that of the tag needs no
 * waiting for, in cold caches either, and what is in use of it is small. A tag
 * says whose values the front's next 16 are. It is chosen when the table is
 * built, and again when that has twice the prefixes, for a reader who knows the
 * tag may read the values later; they follow the blocks with each update. What
 * is alike over a /16 or more gives way to what isn't, the wider first: a LAN's
 * 10.0.0.0/8 would have all places. Where more than an eighth of the others
 * would find theirs taken, no tag is chosen: a guess that is wrong that often
 * costs more than it saves.
 *
 * Deep, for all others and for larger values. The root has 32-bit entries: a
 * value, or a node's type and place.
 *
 *	w[65536]  w[256]   nodes
 *	root      values   narrow, wide, direct, line, lines
 *	          of codes
 *
 * IPv4: the 256 slots of a node become runs of equal neighbours. A bitmap says
 * where runs begin, so the popcount up to a slot is the number of its run:
 *
 *	map[4]  before[4]  code[runs]	narrow: a byte for each run
 *	map[4]  before[4]  run[runs]	wide: an entry for each run
 *
 * Next hops are few, so a byte tells which one, and a full table of a million
 * prefixes is 4 MB. With words in place of bytes it would be 6 MB and almost
 * twice as slow, as nothing but cache misses count at that size. Nodes have
 * words where they lead to other nodes (prefixes beyond /24), or where a value
 * got no code, as more than 255 are in use. A lookup is a load from the root,
 * a node (two lines at most, fetched at the same time, unless it has more than
 * about a hundred runs) and a value, which is in the first level cache.
 * Strides of 16 and 8 follow from what is announced: little below /16 begins
 * elsewhere than at a /24, and the root of 256 KB has its place in the second
 * level cache.
 *
 * IPv6: allocations are /29 to /32 out of some 50 crowded /16, and prefixes in
 * them end at /48. So a crowded /16 has a direct table for 13 more bits, and
 * what is behind that, mostly few runs, is a cache line with sorted ends of 13
 * runs of the next 32 bits, or one such line that leads to up to 13 others:
 *
 *	root      direct       line                lines
 *	bits 0-15 bits 16-28   last[12] code[13]   last[12] ---> line 1 ... 13
 *
 * The run of an address is how many ends are before it: compared all with no
 * branch. That is three or four lines for a /48, of which root and direct
 * table are shared by many. Where more than 169 runs come together, a node as
 * in IPv4 takes 8 bits out of the way first.
 *
 * Updates. The set is sorted by address and length. Its entries say what
 * differs from the one before, so they take 3 bytes for an IPv4 prefix and 5
 * for IPv6, in blocks of 256 bytes that share with their neighbours and stay
 * nearly full. An update changes the set, then redoes what is in the prefix:
 * in the order of the set, a prefix comes before all that it contains,
 * so painting their slots in this order leaves each slot with its longest
 * match. What changes its shape is a new node, published by one store in the
 * level above; slots, runs and codes of a node that keeps its shape change in
 * place. Either way an address has its old answer or its new one. Memory of
 * old nodes is for use again after a grace period that nobody waits for; only
 * when an eighth of the memory waits for it does an update so, too. Memory
 * that grows is copied, and the old copy freed behind its readers' backs; what
 * got scattered is copied together. An update of a /24 costs a search in the
 * set, which reads half a block, for one that goes some more for what is around
 * it, a memmove in a block and a node of up to 256 slots: less than 3 us where
 * there are a million. One of a short prefix costs what is in it: a default
 * route rebuilds all.
 *
 * A table becomes deep when it outgrows flat, and flat again with half of the
 * prefixes; both are built beside what readers see.
 */
#ifndef _CNI_LPM_H
#define _CNI_LPM_H

#ifdef __KERNEL__
#include <linux/bitops.h>
#include <linux/cache.h>
#include <linux/in6.h>
#include <linux/prefetch.h>
#include <linux/rcupdate.h>
#include <linux/stddef.h>
#include <linux/types.h>
#include <asm/byteorder.h>
#else
#include "lpm-user.h"
#endif

#define CNI_LPM_VALUE_BITS	20
#define CNI_LPM_VALUE_MAX	((1U << CNI_LPM_VALUE_BITS) - 1)

/**
 * struct cni_prefix - an address prefix of either family
 * @v4: IPv4 address, network byte order
 * @v6: IPv6 address
 * @bytes: the address as bytes, most significant first
 * @len: prefix length in bits
 *
 * Host bits must be zero, see cni_prefix_mask().
 */
struct cni_prefix {
	union {
		__be32 v4;
		struct in6_addr v6;
		u8 bytes[16];
	};
	u8 len;
};

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

struct cni_lpm_entries {
	u16 used;
	u16 nr;
	u8 data[252];
};

/*
 * @last is where something was sought last: it again, or what comes next, needs
 * no search. So all that looks at the set needs what excludes writers.
 */
struct cni_lpm_set {
	u64 *first;
	struct cni_lpm_entries **block;
	struct cni_lpm_pos *last;
	unsigned int nr;
	unsigned int room;
	unsigned int count;
};

struct cni_lpm_vec {
	u32 *v;
	unsigned int nr;
	unsigned int room;
};

#define CNI_LPM_CLASSES		69

/**
 * struct cni_lpm - a longest-prefix-match table of one family
 * @mem: what readers look at
 *
 * Everything else belongs to the writer.
 */
struct cni_lpm {
	struct cni_lpm_mem __rcu *mem;

	/* private: */
	struct cni_lpm_mem *w;
	u32 *scratch;
	unsigned int bits;
	unsigned int flat_below;
	unsigned int front_count;
	bool bulk;
	bool force;
	bool wide;
	bool building;
	size_t max_bytes;
	size_t bytes;
	size_t used;
	size_t idle;
	size_t waiting;
	unsigned long gp;
	u32 free[CNI_LPM_CLASSES];
	struct cni_lpm_vec retired;
	struct cni_lpm_vec wait;
	struct cni_lpm_vec fresh;
	struct cni_lpm_vec same;
	struct cni_lpm_set set;
};

struct cni_lpm *cni_lpm_alloc(unsigned int bits, size_t max_bytes);
void cni_lpm_free(struct cni_lpm *lpm);
void cni_lpm_bulk_begin(struct cni_lpm *lpm);
int cni_lpm_bulk_end(struct cni_lpm *lpm);
int cni_lpm_swap(struct cni_lpm *lpm, const struct cni_prefix *prefix,
		 u32 value, u32 *old);
int cni_lpm_undo(struct cni_lpm *lpm, const struct cni_prefix *prefix,
		 u32 old);
int cni_lpm_set(struct cni_lpm *lpm, const struct cni_prefix *prefix,
		u32 value);
int cni_lpm_del(struct cni_lpm *lpm, const struct cni_prefix *prefix);
u32 cni_lpm_get(const struct cni_lpm *lpm, const struct cni_prefix *prefix);
u32 cni_lpm_cover(const struct cni_lpm *lpm, const struct cni_prefix *prefix,
		  struct cni_prefix *out);
int cni_lpm_next(const struct cni_lpm *lpm, struct cni_prefix *cursor,
		 bool first, u32 *value);
int cni_lpm_next_within(const struct cni_lpm *lpm,
			const struct cni_prefix *within,
			struct cni_prefix *cursor, bool first, u32 *value);
void cni_lpm_each(const struct cni_lpm *lpm,
		  void (*fn)(void *arg, u32 value), void *arg);
size_t cni_lpm_bytes(const struct cni_lpm *lpm);
unsigned int cni_lpm_count(const struct cni_lpm *lpm);
void cni_prefix_mask(struct cni_prefix *prefix, unsigned int bits);

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

#endif /* _CNI_LPM_H */
