/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_FIB_H
#define _CNI_FIB_H

#include <linux/bitops.h>
#include <linux/in6.h>
#include <linux/types.h>

#include "state/net.h"

struct netlink_ext_ack;

/* One bit stands for a /16 (IPv4), or for some /32s (IPv6). */
#define CNI_FIB_BITS	65536

/* Flags of cn->fib.pending: SOME goes with ALL; the others are to stay. */
enum {
	CNI_FIB_SOME	= BIT(0),
	CNI_FIB_ALL	= BIT(1),
	CNI_FIB_POLICY	= BIT(2),
	CNI_FIB_EXCEPT	= BIT(3),
};

static inline unsigned int cni_fib_bit6(__be32 top)
{
	u32 word = ntohl(top);

	return (word ^ (word >> 16) * 0x9e37) & (CNI_FIB_BITS - 1);
}

/**
 * cni_fib_pending - are there changes that the table doesn't have yet?
 * @cn: namespace
 * @family: CNI_V4 or CNI_V6
 *
 * To be asked before the table is looked at. When the answer is no, the table
 * has all that changed until then.
 *
 * Return: 0; or CNI_FIB_SOME, for the next question; CNI_FIB_POLICY when the
 * rules have to be asked which table counts; and CNI_FIB_EXCEPT when some
 * destinations are the kernel's.
 */
static inline u8 cni_fib_pending(const struct cni_net *cn, int family)
{
	/* Pairs with the release in next_change(). */
	return smp_load_acquire(&cn->fib.pending[family]);
}

/**
 * cni_fib_pending4 - may a change of the kernel's concern this address?
 * @cn: namespace, with something pending
 * @addr: address
 *
 * Return: whether the table can't be trusted for it at the moment.
 */
static inline bool cni_fib_pending4(const struct cni_net *cn, __be32 addr)
{
	return READ_ONCE(cn->fib.pending[CNI_V4]) & CNI_FIB_ALL ||
	       test_bit_acquire(ntohl(addr) >> 16, cn->fib.bits[CNI_V4]);
}

/**
 * cni_fib_pending6 - may a change of the kernel's concern this address?
 * @cn: namespace, with something pending
 * @addr: address
 *
 * Return: whether the table can't be trusted for it at the moment.
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
void cni_fib_rules_seen(struct cni_net *cn);
void cni_fib_set_policy(struct cni_net *cn, int family, bool on);
void cni_fib_set_except(struct cni_net *cn, int family, bool on);
u64 cni_fib_watch(struct cni_net *cn, struct cni_slot *slot, u32 id);

#endif
