/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_FRAME_H
#define _CNI_FRAME_H

#include <linux/types.h>
#include <uapi/linux/cnilink.h>

struct cni_burst;
struct cni_encap;
struct cni_rxdev;
struct cnilink_xdp_result;
struct net_device;
struct xdp_buff;

void cni_frame_watch(struct cni_rxdev *rx);
u64 cni_frame_blockers(const struct cni_rxdev *rx);
enum cnilink_reason cni_frame_gate_in(const struct cni_rxdev *rx);
enum cnilink_reason cni_frame_gate_out(const struct cni_encap *e);
const struct cnilink_xdp_result *cni_frame_decide(struct cni_burst *b,
						  struct xdp_buff *xdp);

#endif
