/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_SOURCE_H
#define _CNI_SOURCE_H

#include <linux/types.h>

struct cni_port;
struct sk_buff;

bool cni_source_ok(const struct cni_port *port, const struct sk_buff *skb);

#endif
