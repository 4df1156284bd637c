/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
#ifndef _UAPI_LINUX_CNILINK_XDP_H
#define _UAPI_LINUX_CNILINK_XDP_H

#include <linux/types.h>

/**
 * struct cni_xdp_result - the module's answer to an XDP program
 * @ifindex: device to send by
 * @reason: why the packet is not for the program
 */
struct cni_xdp_result {
	__u32	ifindex;
	__u32	reason;
};

#endif
