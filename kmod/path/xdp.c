// SPDX-License-Identifier: GPL-2.0
/* Whether the kernel lets XDP programs call the module. */

#include "path/xdp.h"

#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/kernfs.h>
#include <linux/kobject.h>
#include <linux/module.h>

#include "compat/compat.h"
#include "path/burst.h"

static enum cnilink_xdp state __read_mostly;

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
	if (cni_burst_init()) {
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
	cni_burst_exit();
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
