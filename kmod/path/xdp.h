/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_XDP_H
#define _CNI_XDP_H

#include <linux/types.h>
#include <uapi/linux/cnilink.h>
#include <uapi/linux/cnilink_xdp.h>

struct xdp_md;

void cni_xdp_register(void);
void cni_xdp_unregister(void);
enum cnilink_xdp cni_xdp_state(void);

const u8 *bpf_cnilink_forward(struct xdp_md *ctx, const size_t rdonly_buf_size);

#endif
