/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_INPUT_H
#define _CNI_INPUT_H

#include <linux/types.h>

struct cni_forward;
struct cni_tunnel;
struct sk_buff;

bool cni_input_ready(const struct cni_forward *fwd, struct sk_buff *skb);
void cni_input_deliver(const struct cni_forward *fwd, struct sk_buff *skb);
void cni_input_init(struct cni_tunnel *tunnel);
void cni_input_exit(struct cni_tunnel *tunnel);

#endif
