/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_ADDR_H
#define _CNI_ADDR_H

#include <linux/in6.h>
#include <linux/types.h>

/* Index of a family wherever there is one of something for each. */
enum {
	CNI_V4,
	CNI_V6,
	CNI_FAMILIES,
};

/* An address of either; IPv4's is followed by zeroes. */
union cni_addr {
	__be32			v4;
	struct in6_addr		v6;
};

#endif
