// SPDX-License-Identifier: GPL-2.0
/* What packets that come out of a tunnel are matched by. */

#include "decap.h"

#include <linux/rculist.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "tunnel.h"

/**
 * cni_decap_publish - start, go on or stop receiving by a tunnel
 * @tunnel: tunnel, resolved, RTNL held
 * @receive: whether packets shall be taken
 */
void cni_decap_publish(struct cni_tunnel *tunnel, bool receive)
{
	const struct cni_tunnel_parms *parms = &tunnel->parms;
	struct cni_decap *old, *decap = NULL;
	struct hlist_head *bucket;

	old = rcu_dereference_protected(tunnel->decap, lockdep_rtnl_is_held());
	if (receive && old && !old->stale && old->link == tunnel->link &&
	    old->local == parms->local && old->remote == parms->remote &&
	    old->keyed == parms->ikeyed && old->key == parms->ikey &&
	    old->csum == parms->icsum &&
	    !memcmp(old->mss, tunnel->stage.mss, sizeof(old->mss)))
		return;

	if (receive)
		decap = kzalloc(sizeof(*decap), GFP_KERNEL_ACCOUNT);
	if (decap) {
		decap->local = parms->local;
		decap->remote = parms->remote;
		decap->keyed = parms->ikeyed;
		decap->key = parms->ikeyed ? parms->ikey : 0;
		decap->csum = parms->icsum;
		decap->link = tunnel->link;
		decap->tunnel = tunnel;
		decap->dev = tunnel->dev;
		memcpy(decap->mss, tunnel->stage.mss, sizeof(decap->mss));
		decap->clamp = decap->mss[CNI_V4] || decap->mss[CNI_V6];
		decap->stats = tunnel->stats;
		bucket = &tunnel->cn->decaps[cni_decap_hash(decap->local,
							decap->remote,
							decap->key)];
		hlist_add_head_rcu(&decap->node, bucket);
	}
	rcu_assign_pointer(tunnel->decap, decap);
	if (old) {
		hlist_del_rcu(&old->node);
		kfree_rcu(old, rcu);
	}
}
