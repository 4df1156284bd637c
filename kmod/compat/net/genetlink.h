/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_COMPAT_NET_GENETLINK_H
#define _CNI_COMPAT_NET_GENETLINK_H

#include_next <net/genetlink.h>

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)

#include <linux/slab.h>

/*
 * Before 6.2 a family has one entry per command with both doit and dumpit in
 * it. The fields that the generated tables fill in have the same names, so
 * only entries of the same command need to be joined.
 */
#define genl_split_ops	genl_ops
#define split_ops	ops
#define n_split_ops	n_ops

static inline int cni_compat_genl_register(struct genl_family *family)
{
	const struct genl_ops *from = family->ops;
	unsigned int i, j, n = 0;
	struct genl_ops *ops;
	int err;

	ops = kcalloc(family->n_ops, sizeof(*ops), GFP_KERNEL);
	if (!ops)
		return -ENOMEM;

	for (i = 0; i < family->n_ops; i++) {
		for (j = 0; j < n; j++)
			if (ops[j].cmd == from[i].cmd)
				break;
		if (j == n) {
			ops[n++] = from[i];
		} else if (from[i].dumpit) {
			ops[j].start = from[i].start;
			ops[j].dumpit = from[i].dumpit;
			ops[j].done = from[i].done;
		} else {
			ops[j].doit = from[i].doit;
			ops[j].policy = from[i].policy;
			ops[j].maxattr = from[i].maxattr;
		}
		ops[j].flags |= from[i].flags;
	}
	family->ops = ops;
	family->n_ops = n;

	err = genl_register_family(family);
	if (err)
		kfree(ops);
	return err;
}

static inline int cni_compat_genl_unregister(struct genl_family *family)
{
	int err = genl_unregister_family(family);

	kfree(family->ops);
	return err;
}

#else

#define cni_compat_genl_register	genl_register_family
#define cni_compat_genl_unregister	genl_unregister_family

#endif

#endif
