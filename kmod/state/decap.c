// SPDX-License-Identifier: GPL-2.0
/* What packets that come out of a tunnel are matched by. */

#include "state/decap.h"

#include <linux/ip6_tunnel.h>
#include <linux/rculist.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <net/checksum.h>

#include "base/epoch.h"
#include "base/packet.h"
#include "state/object.h"

static struct hlist_head *bucket(struct cni_net *cn,
				 const struct cni_decap *decap)
{
	if (decap->outer6)
		return &cn->decaps6[cni_decap_hash6(&decap->local.v6,
						    &decap->remote.v6,
						    decap->key)];
	return &cn->decaps[cni_decap_hash(decap->local.v4, decap->remote.v4,
					  decap->key)];
}

/**
 * cni_decap_publish - start, go on or stop receiving by a tunnel
 * @tunnel: tunnel, resolved, RTNL held
 * @receive: whether packets shall be taken
 */
void cni_decap_publish(struct cni_tunnel *tunnel, bool receive)
{
	const struct cni_tunnel_parms *parms = &tunnel->parms;
	bool dscp_copy = parms->flags & IP6_TNL_F_RCV_DSCP_COPY;
	bool bypass_nf = tunnel->flags & CNILINK_TUNNEL_FLAG_BYPASS_NETFILTER;
	bool health = rcu_access_pointer(tunnel->health);
	bool outer6 = parms->family == CNI_V6;
	struct cni_decap *old, *decap = NULL;

	old = rcu_dereference_protected(tunnel->decap, lockdep_rtnl_is_held());
	if (receive && old && !old->stale && old->link == tunnel->link &&
	    !memcmp(&old->local, &parms->local, sizeof(old->local)) &&
	    !memcmp(&old->remote, &parms->remote, sizeof(old->remote)) &&
	    old->outer6 == outer6 && old->health == health &&
	    old->dscp_copy == dscp_copy && old->bypass_nf == bypass_nf &&
	    old->keyed == parms->ikeyed && old->key == parms->ikey &&
	    old->csum == parms->icsum &&
	    !memcmp(old->mss, tunnel->stage.mss, sizeof(old->mss)))
		return;

	if (receive)
		decap = kzalloc(sizeof(*decap), GFP_KERNEL_ACCOUNT);
	if (decap) {
		decap->outer6 = outer6;
		decap->health = health;
		decap->dscp_copy = dscp_copy;
		decap->bypass_nf = bypass_nf;
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
		hlist_add_head_rcu(&decap->node, bucket(tunnel->cn, decap));
	}
	rcu_assign_pointer(tunnel->decap, decap);
	if (old) {
		hlist_del_rcu(&old->node);
		cni_epoch_bump();
		kfree_rcu(old, rcu);
	}
}

/**
 * cni_decap_csum_ok - check a GRE checksum, as gre_parse_header() does
 * @pkt: packet, at its outer IP header; trimmed to its length if it has an skb
 * @off: where the GRE header is, from there
 * @outer_len: length by the outer header
 *
 * A sum of the whole packet, which a device has made, is of what follows @off
 * meanwhile. May move the packet's head.
 *
 * Return: whether it's right.
 */
bool cni_decap_csum_ok(struct cni_packet pkt, unsigned int off,
		       unsigned int outer_len)
{
	struct sk_buff *skb = pkt.skb;
	const void *outer;
	bool ok;

	if (!skb)
		return !csum_fold(csum_partial(pkt.frame->data + off,
					       outer_len - off, 0));
	if (pskb_trim_rcsum(skb, outer_len))
		return false;
	outer = skb->data;
	__skb_pull(skb, off);
	skb_postpull_rcsum(skb, outer, off);
	ok = !skb_checksum_simple_validate(skb);
	__skb_push(skb, off);
	skb_postpush_rcsum(skb, outer, off);
	return ok;
}
