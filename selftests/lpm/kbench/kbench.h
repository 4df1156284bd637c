/* SPDX-License-Identifier: GPL-2.0 */
/* The files that bench -x writes, for whoever measures inside the kernel. */
#ifndef _CNI_KBENCH_H
#define _CNI_KBENCH_H

#include <linux/types.h>

/* Addresses are in network byte order; keys are packed, 4 or 16 bytes each. */
struct kbench_route {
	__u8 addr[16];
	__u32 len;
	__u32 value;
};

#define KBENCH_KEYS	131072
#define KBENCH_VALUES	16

#endif /* _CNI_KBENCH_H */
