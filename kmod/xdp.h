/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_XDP_H
#define _CNI_XDP_H

#include <linux/types.h>
#include <uapi/linux/cnilink_xdp.h>

struct xdp_md;

/* What XDP programs can call, and if they can't, why */
enum cni_xdp_state {
	CNI_XDP_AVAILABLE,
	CNI_XDP_NO_KERNEL_SUPPORT,
	CNI_XDP_NO_BTF,
	CNI_XDP_NO_IDS,
	CNI_XDP_REFUSED,
};

void cni_xdp_register(void);
enum cni_xdp_state cni_xdp_state(void);

int bpf_cnilink_forward(struct xdp_md *ctx, struct cni_xdp_result *res,
			u32 res__sz);

#endif
