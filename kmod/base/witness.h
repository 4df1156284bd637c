/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_WITNESS_H
#define _CNI_WITNESS_H

#include <linux/percpu.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct sk_buff;

#define CNI_WITNESS_MAX		8

/**
 * struct cni_seen - frames of a VLAN ID that no link is configured to
 * @vlan_proto: network byte order; 0 for frames without a tag
 * @vlan_id: VLAN ID
 * @packets: how many; 0 for a free entry
 * @first: when the first one came, in jiffies
 * @last: when the latest one came, in jiffies
 */
struct cni_seen {
	__be16			vlan_proto;
	u16			vlan_id;
	u64			packets;
	u64			first;
	u64			last;
};

/**
 * struct cni_witness - what one CPU saw on a device
 * @lock: of @seen, taken by its own CPU and by who shows it
 * @seen: the entries; the one that waited longest gives way to a new ID
 */
struct cni_witness {
	spinlock_t		lock; /* of seen */
	struct cni_seen		seen[CNI_WITNESS_MAX];
};

struct cni_witness __percpu *cni_witness_alloc(void);
void cni_witness_see(struct cni_witness __percpu *witness,
		     const struct sk_buff *skb);
unsigned int cni_witness_read(struct cni_witness __percpu *witness,
			      struct cni_seen *sum);

#endif
