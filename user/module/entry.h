/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_ENTRY_H
#define CNICTL_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "kernel/kroute.h"

/* What the module is to know of a prefix. */
struct cni_entry {
	struct addr dst;
	bool del;	/* the kernel has no route of this prefix */
	bool forward;	/* else: punt */
	/* Of a forward: in the kernel's order */
	const struct khop *hops;
	unsigned int n_hops;
	uint32_t nh_object;	/* what they come from, or 0 */
};

/* Returns 0, or an error that ends the walk and is handed on. */
typedef int (*cni_entry_fn)(const struct cni_entry *e, void *arg);

#endif
