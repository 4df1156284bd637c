// SPDX-License-Identifier: GPL-2.0
/* What XDP programs call, and whether the kernel lets them. */

#include "xdp.h"

#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/module.h>

#include "compat.h"

static enum cni_xdp_state state __read_mostly;

/**
 * bpf_cnilink_forward - what to do with a frame that an XDP program has
 * @ctx: the frame
 * @res: the answer
 * @res__sz: the room there, which the verifier checks
 *
 * Return: 0 or an error; then the frame is the stack's.
 */
__bpf_kfunc int bpf_cnilink_forward(struct xdp_md *ctx,
				    struct cni_xdp_result *res, u32 res__sz)
{
	if (res__sz < sizeof(*res))
		return -EINVAL;
	return -EOPNOTSUPP;
}

BTF_KFUNCS_START(kfuncs)
BTF_ID_FLAGS(func, bpf_cnilink_forward)
BTF_KFUNCS_END(kfuncs)

static const struct btf_kfunc_id_set kfunc_set = {
	.owner	= THIS_MODULE,
	.set	= &kfuncs,
};

/* The kernel says nothing when it registers functions without their IDs. */
static enum cni_xdp_state built_for(void)
{
#ifdef CONFIG_DEBUG_INFO_BTF_MODULES
	u32 i;

	if (!THIS_MODULE->btf_data_size)
		return CNI_XDP_NO_BTF;
	if (!kfuncs.cnt)
		return CNI_XDP_NO_IDS;
	for (i = 0; i < kfuncs.cnt; i++)
		if (!kfuncs.pairs[i].id)
			return CNI_XDP_NO_IDS;
	return CNI_XDP_AVAILABLE;
#else
	return CNI_XDP_NO_KERNEL_SUPPORT;
#endif
}

/**
 * cni_xdp_register - offer the kfuncs to XDP programs
 *
 * Where they can't be had the module does without. They go with the module,
 * which a program that calls them keeps.
 */
void __init cni_xdp_register(void)
{
	int err;

	state = built_for();
	if (state != CNI_XDP_AVAILABLE)
		return;
	err = register_btf_kfunc_id_set(BPF_PROG_TYPE_XDP, &kfunc_set);
	if (!err)
		return;
	state = CNI_XDP_REFUSED;
	pr_warn("cnilink: no XDP, registering its functions: %d\n", err);
}

/**
 * cni_xdp_state - whether XDP programs can call the module
 *
 * It may say that they can when the kernel found the module's BTF to be another
 * kernel's; that shows by /sys/kernel/btf/cnilink not being there.
 *
 * Return: the state
 */
enum cni_xdp_state cni_xdp_state(void)
{
	return state;
}
