/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_COMPAT_NET_GSO_H
#define _CNI_COMPAT_NET_GSO_H

/* Of its own since 6.5, in skbuff.h and netdevice.h before. */
#include <linux/version.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
#include_next <net/gso.h>
#else
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#endif

#endif
