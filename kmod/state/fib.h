/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_FIB_H
#define _CNI_FIB_H

#include <linux/bitops.h>
#include <linux/in6.h>
#include <linux/types.h>

#include "state/net.h"

struct netlink_ext_ack;

/* A bit is for a /16 (IPv4), or for the /32s of a hash value (IPv6). */
#define CNI_FIB_BITS	65536

/*
 * Flags of cn->fib.pending. Folding clears the first two; the others say what
 * look-ups have to ask besides the prefix table.
 */
enum {
	/* Ranges are punt: those with a bit in cn->fib.bits; or all */
	CNI_FIB_SOME	= BIT(0),
	CNI_FIB_ALL	= BIT(1),
	/* cn->policy and cn->except are there */
	CNI_FIB_POLICY	= BIT(2),
	CNI_FIB_EXCEPT	= BIT(3),
};

/* The bit of an address whose first 32 bits are @top. */
static inline unsigned int cni_fib_bit6(__be32 top)
{
	u32 word = ntohl(top);

	return (word ^ (word >> 16) * 0x9e37) & (CNI_FIB_BITS - 1);
}

/**
 * cni_fib_pending - what a look-up has to ask besides the prefix table
 * @cn: namespace
 * @family: CNI_V4 or CNI_V6
 *
 * To be called before the look-up: without CNI_FIB_SOME the table has all that
 * changed until now.
 *
 * Return: 0; or CNI_FIB_SOME if ranges are punt (cni_fib_pending4() and
 * cni_fib_pending6() tell which), CNI_FIB_POLICY if rules select the table, and
 * CNI_FIB_EXCEPT if destinations have exceptions.
 */
static inline u8 cni_fib_pending(const struct cni_net *cn, int family)
{
	/* Pairs with the release in next_change(). */
	return smp_load_acquire(&cn->fib.pending[family]);
}

/**
 * cni_fib_pending4 - is a change queued that may cover an address?
 * @cn: namespace, with CNI_FIB_SOME pending
 * @addr: address
 *
 * Return: whether it's punt until the change is folded.
 */
static inline bool cni_fib_pending4(const struct cni_net *cn, __be32 addr)
{
	return READ_ONCE(cn->fib.pending[CNI_V4]) & CNI_FIB_ALL ||
	       test_bit_acquire(ntohl(addr) >> 16, cn->fib.bits[CNI_V4]);
}

/**
 * cni_fib_pending6 - is a change queued that may cover an address?
 * @cn: namespace, with CNI_FIB_SOME pending
 * @addr: address
 *
 * Return: whether it's punt until the change is folded.
 */
static inline bool cni_fib_pending6(const struct cni_net *cn,
				    const struct in6_addr *addr)
{
	return READ_ONCE(cn->fib.pending[CNI_V6]) & CNI_FIB_ALL ||
	       test_bit_acquire(cni_fib_bit6(addr->s6_addr32[0]),
				cn->fib.bits[CNI_V6]);
}

int cni_fib_init(struct cni_net *cn, struct netlink_ext_ack *extack);
void cni_fib_exit(struct cni_net *cn);
void cni_fib_fold(struct cni_net *cn);
u64 cni_fib_generation(struct cni_net *cn);
void cni_fib_settle(struct cni_net *cn, u64 generation);
int cni_fib_check(struct cni_net *cn, u64 generation,
		  struct netlink_ext_ack *extack);
void cni_fib_replay(struct cni_net *cn, u32 table, u64 generation);
void cni_fib_reread(struct cni_net *cn);
void cni_fib_retry(struct cni_net *cn);
void cni_fib_rules_begin(struct cni_net *cn);
void cni_fib_rules_end(struct cni_net *cn, int family, bool followed,
		       bool policy);
void cni_fib_set_except(struct cni_net *cn, int family, bool on);
u64 cni_fib_watch(struct cni_net *cn, struct cni_slot *slot, u32 id);

#endif
