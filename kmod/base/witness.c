// SPDX-License-Identifier: GPL-2.0
/*
 * Frames that come in with another VLAN ID than the configured ones. No counter
 * of the kernel's tells which ID it was, and a wrong one is a common mistake.
 */

#include "base/witness.h"

#include <linux/if_vlan.h>
#include <linux/jiffies.h>
#include <linux/skbuff.h>

#include "base/addr.h"

/**
 * cni_witness_alloc - room for what is seen on one device
 *
 * Return: what free_percpu() frees, or NULL.
 */
struct cni_witness __percpu *cni_witness_alloc(void)
{
	struct cni_witness __percpu *witness;
	int cpu;

	witness = alloc_percpu_gfp(struct cni_witness, GFP_KERNEL_ACCOUNT);
	if (!witness)
		return NULL;
	for_each_possible_cpu(cpu)
		spin_lock_init(&per_cpu_ptr(witness, cpu)->lock);
	return witness;
}

static bool same_vlan(const struct cni_seen *a, const struct cni_seen *b)
{
	return a->vlan_proto == b->vlan_proto && a->vlan_id == b->vlan_id;
}

/* The entry of an ID among @n, else the one to be given to it. */
static struct cni_seen *find_seen(struct cni_seen *seen, unsigned int n,
				  const struct cni_seen *key)
{
	struct cni_seen *oldest = seen;
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (seen[i].packets && same_vlan(&seen[i], key))
			return &seen[i];
		if (seen[i].last < oldest->last)
			oldest = &seen[i];
	}
	return oldest;
}

/* LLDP, LACP and the like have no tag wherever the rest has one. */
static bool tells_nothing(const struct sk_buff *skb)
{
	return !skb_vlan_tag_present(skb) &&
	       skb->protocol != htons(ETH_P_IP) &&
	       skb->protocol != htons(ETH_P_IPV6) &&
	       skb->protocol != htons(ETH_P_ARP);
}

/**
 * cni_witness_see - take note of a frame that is no link's
 * @witness: the device's
 * @skb: frame, its tag in the skb
 *
 * In softirq. A flood costs each CPU its own memory and its own lock only.
 */
void cni_witness_see(struct cni_witness __percpu *witness,
		     const struct sk_buff *skb)
{
	struct cni_witness *w = this_cpu_ptr(witness);
	struct cni_seen key = {}, *seen;

	if (tells_nothing(skb))
		return;
	if (skb_vlan_tag_present(skb)) {
		key.vlan_proto = skb->vlan_proto;
		key.vlan_id = skb_vlan_tag_get_id(skb);
	}
	key.first = get_jiffies_64();

	spin_lock(&w->lock);
	seen = find_seen(w->seen, CNI_WITNESS_MAX, &key);
	if (!seen->packets || !same_vlan(seen, &key))
		*seen = key;
	seen->packets++;
	seen->last = key.first;
	spin_unlock(&w->lock);
}

static void add_up(struct cni_seen *sum, unsigned int *n,
		   const struct cni_seen *one)
{
	struct cni_seen *to = find_seen(sum, *n, one);

	if (!*n || !same_vlan(to, one)) {
		if (*n < CNI_WITNESS_MAX)
			to = &sum[(*n)++];
		else if (to->last > one->last)
			return;
		*to = *one;
		return;
	}
	to->packets += one->packets;
	to->first = min(to->first, one->first);
	to->last = max(to->last, one->last);
}

/**
 * cni_witness_read - what all CPUs saw
 * @witness: the device's
 * @sum: room for CNI_WITNESS_MAX entries, filled with the latest
 *
 * Return: the number of entries.
 */
unsigned int cni_witness_read(struct cni_witness __percpu *witness,
			      struct cni_seen *sum)
{
	unsigned int n = 0, i;
	int cpu;

	for_each_possible_cpu(cpu) {
		struct cni_witness *w = per_cpu_ptr(witness, cpu);

		spin_lock_bh(&w->lock);
		for (i = 0; i < CNI_WITNESS_MAX; i++)
			if (w->seen[i].packets)
				add_up(sum, &n, &w->seen[i]);
		spin_unlock_bh(&w->lock);
	}
	return n;
}
