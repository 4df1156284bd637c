// SPDX-License-Identifier: GPL-2.0
/* What XDP programs call, and whether the kernel lets them. */

#include "path/xdp.h"

#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/kernfs.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>

#include "compat/compat.h"
#include "path/burst.h"
#include "path/frame.h"

static enum cnilink_xdp state __read_mostly;

static struct cni_burst __percpu *bursts __read_mostly;

/**
 * bpf_cnilink_forward - what to do with a frame that an XDP program has
 * @ctx: the frame
 * @rdonly_buf_size: how much of the answer the program reads, which the
 *	verifier keeps to
 *
 * What is taken is counted as sent: the program must do as it is told.
 *
 * Return: struct cnilink_xdp_result, good until the program ends; or NULL if
 * that isn't as long, or if a task runs the program (BPF_PROG_TEST_RUN before
 * 6.11), where the CPU's own frames could come between.
 */
__bpf_kfunc const u8 *bpf_cnilink_forward(struct xdp_md *ctx,
					  const size_t rdonly_buf_size)
{
	struct cni_burst *b = this_cpu_ptr(bursts);
	struct xdp_buff *xdp = (struct xdp_buff *)ctx;
	const struct cnilink_xdp_result *res;

	if (unlikely(rdonly_buf_size > sizeof(*res) || !in_softirq()))
		return NULL;
	/* RCU waits for who has bottom halves off; lockdep wants it said. */
	if (IS_ENABLED(CONFIG_PROVE_RCU))
		rcu_read_lock();
	if (unlikely(!cni_burst_forward(b, xdp, &res)))
		res = cni_frame_decide(b, xdp);
	if (IS_ENABLED(CONFIG_PROVE_RCU))
		rcu_read_unlock();
	return (const u8 *)res;
}

BTF_KFUNCS_START(kfuncs)
BTF_ID_FLAGS(func, bpf_cnilink_forward, KF_RET_NULL)
BTF_KFUNCS_END(kfuncs)

static const struct btf_kfunc_id_set kfunc_set = {
	.owner	= THIS_MODULE,
	.set	= &kfuncs,
};

#ifdef CONFIG_DEBUG_INFO_BTF_MODULES

/* The kernel shows the BTF that it took: one that isn't for it, it only logs */
static bool btf_taken(void)
{
	struct kernfs_node *dir, *btf;

	dir = kernfs_find_and_get(kernel_kobj->sd, "btf");
	if (!dir)
		return false;
	btf = kernfs_find_and_get(dir, KBUILD_MODNAME);
	kernfs_put(btf);
	kernfs_put(dir);
	return btf;
}

/* Without any of this registering would succeed, and do nothing. */
static enum cnilink_xdp what_lacks(void)
{
	u32 i;

	if (!THIS_MODULE->btf_data_size)
		return CNILINK_XDP_NO_BTF;
	if (!btf_taken())
		return CNILINK_XDP_FOREIGN_BTF;
	if (!kfuncs.cnt)
		return CNILINK_XDP_NO_IDS;
	for (i = 0; i < kfuncs.cnt; i++)
		if (!kfuncs.pairs[i].id)
			return CNILINK_XDP_NO_IDS;
	return CNILINK_XDP_AVAILABLE;
}

#else

static enum cnilink_xdp what_lacks(void)
{
	return CNILINK_XDP_NO_KERNEL_SUPPORT;
}

#endif

/**
 * cni_xdp_register - offer the kfuncs to XDP programs
 *
 * Where they can't be had the module does without. They go with the module,
 * which a program that calls them keeps.
 */
void __init cni_xdp_register(void)
{
	int err;

	state = what_lacks();
	if (state != CNILINK_XDP_AVAILABLE)
		return;
	bursts = alloc_percpu(struct cni_burst);
	if (!bursts) {
		state = CNILINK_XDP_REFUSED;
		return;
	}
	err = register_btf_kfunc_id_set(BPF_PROG_TYPE_XDP, &kfunc_set);
	if (!err)
		return;
	state = CNILINK_XDP_REFUSED;
	pr_warn("cnilink: no XDP, registering its functions: %d\n", err);
}

/**
 * cni_xdp_unregister - free what the kfuncs went by
 *
 * With the module, when no program is left that calls them.
 */
void cni_xdp_unregister(void)
{
	free_percpu(bursts);
}

/**
 * cni_xdp_state - whether XDP programs can call the module
 *
 * Return: that they can, or why not
 */
enum cnilink_xdp cni_xdp_state(void)
{
	return state;
}
