// SPDX-License-Identifier: GPL-2.0
/* Calls the module, and returns the error that it answers with. */
#include <linux/bpf.h>
#include <linux/cnilink_xdp.h>
#include <bpf/bpf_helpers.h>

extern int bpf_cnilink_forward(struct xdp_md *ctx, struct cni_xdp_result *res,
			       __u32 res__sz) __ksym;

SEC("xdp")
int call(struct xdp_md *ctx)
{
	struct cni_xdp_result res = {};

	return -bpf_cnilink_forward(ctx, &res, sizeof(res));
}

char _license[] SEC("license") = "GPL";
