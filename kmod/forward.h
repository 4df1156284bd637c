/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_FORWARD_H
#define _CNI_FORWARD_H

struct nf_hook_state;
struct sk_buff;

unsigned int cni_forward_ingress(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state);

#endif
