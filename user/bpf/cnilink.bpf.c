// SPDX-License-Identifier: GPL-2.0
/* The XDP program of a device that cnilink takes frames from. */
#include "cnilink.bpf.h"

SEC("xdp.frags")
int cnilink_xdp(struct xdp_md *ctx)
{
	return cnilink_forward(ctx);
}

char _license[] SEC("license") = "GPL";
