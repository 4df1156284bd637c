/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_FORWARD_H
#define _CNI_FORWARD_H

#include <linux/types.h>
#include <uapi/linux/cnilink.h>

struct cni_encap;
struct cni_net;
struct nf_hook_state;
struct sk_buff;

enum cnilink_reason cni_forward_output(struct cni_net *cn,
				       const struct cni_encap *e,
				       struct sk_buff *skb, u8 xmit);
unsigned int cni_forward_ingress(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state);

#endif
