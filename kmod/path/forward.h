/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_FORWARD_H
#define _CNI_FORWARD_H

#include <linux/types.h>
#include <uapi/linux/cnilink.h>

struct cni_encap;
struct cni_forward;
struct cni_health_probe;
struct cni_link;
struct cni_net;
struct cni_packet_frame;
struct cni_port;
struct cni_rxdev;
struct nf_hook_state;
struct sk_buff;

enum cnilink_reason cni_forward_output(struct cni_net *cn,
				       const struct cni_encap *e,
				       struct sk_buff *skb, u8 xmit);
struct cni_link *cni_forward_find(struct cni_rxdev *rx,
				  const struct cni_packet_frame *frame);
enum cnilink_reason
cni_forward_decide_port(struct cni_forward *fwd, const struct cni_port *port,
			const struct cni_packet_frame *frame);
enum cnilink_reason
cni_forward_decide_link(struct cni_forward *fwd, struct cni_link *link,
			const struct cni_packet_frame *frame,
			struct cni_health_probe *probe);
unsigned int cni_forward_ingress(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state);

#endif
