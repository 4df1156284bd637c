/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_EPOCH_H
#define _CNI_EPOCH_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/jiffies.h>
#include <linux/kernel_stat.h>
#include <linux/types.h>

/*
 * What the fast path would bypass comes and goes without a notification, so
 * it has to be looked at. A check that found nothing in a packet's way holds
 * for the packets after it until the epoch changes.
 */

/*
 * A cached check is an epoch with these bits set for what is there but need not
 * concern every packet.
 */
enum {
	/* netfilter hooks see the packet; or the outer one */
	CNI_EPOCH_NF		= BIT(0),
	CNI_EPOCH_NF_GRE	= BIT(1),
	/* sources are looked up */
	CNI_EPOCH_RP_FILTER	= BIT(2),
	CNI_EPOCH_SHIFT		= 3,
};

extern atomic_t cni_epoch_bumps;

/**
 * cni_epoch_bump - invalidate all cached checks
 *
 * To be called when what the data path goes by has changed; before its readers
 * are waited for, so that no cached check outlives what it is about.
 */
static inline void cni_epoch_bump(void)
{
	/* Pairs with the acquire in cni_epoch_now(). */
	smp_mb__before_atomic();
	atomic_inc(&cni_epoch_bumps);
}

/**
 * cni_epoch_now - the present epoch
 *
 * It changes with each NET_RX softirq run. Who attaches something and waits for
 * those that may not see it yet, by synchronize_net(), waits for the end of
 * such a run, too. Packets that come otherwise (a BPF test run, a thread's
 * NAPI) see what is new a jiffy later at most.
 *
 * Return: the epoch, its flag bits zero.
 */
static inline u64 cni_epoch_now(void)
{
	u64 run = this_cpu_read(kstat.softirqs[NET_RX_SOFTIRQ]);
	/* Both only grow, and so does their sum. */
	u64 tick = jiffies + atomic_read_acquire(&cni_epoch_bumps);

	return (run | tick << 32) << CNI_EPOCH_SHIFT;
}

/**
 * cni_epoch_mask - which bits of a cached check keep packets off the fast path
 * @gre: they are sent by a tunnel over IPv4
 * @bypass_nf: netfilter may be bypassed
 *
 * Return: these, and those that are the epoch.
 */
static inline u64 cni_epoch_mask(bool gre, bool bypass_nf)
{
	u64 epoch = GENMASK_ULL(63, CNI_EPOCH_SHIFT);

	if (bypass_nf)
		return epoch;
	return epoch | (gre ? CNI_EPOCH_NF_GRE : CNI_EPOCH_NF);
}

#endif
