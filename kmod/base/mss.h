/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_MSS_H
#define _CNI_MSS_H

#include <linux/types.h>

struct sk_buff;

void cni_mss_clamp(struct sk_buff *skb, int family, u16 mss);

#endif
