/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_STAGE_H
#define _CNI_STAGE_H

#include <linux/netfilter.h>
#include <linux/types.h>

#include "state/net.h"
#include "state/object.h"

struct net;
struct net_device;
struct netlink_ext_ack;
struct sk_buff;

unsigned int cni_stage_ingress(void *priv, struct sk_buff *skb,
			       const struct nf_hook_state *state);
unsigned int cni_stage_egress(void *priv, struct sk_buff *skb,
			      const struct nf_hook_state *state);
int cni_stage_set(struct cni_stage *stage, struct net *net,
		  struct net_device *dev, bool in, bool out,
		  struct netlink_ext_ack *extack);
enum cnilink_reason cni_stage_useless(struct cni_tunnel *tunnel);
int cni_stage_rest(struct cni_stage *stage, struct net *net, bool rest);
void cni_stage_clamp(struct cni_stage *stage, const u16 *mss);

#endif
