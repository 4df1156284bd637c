/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_TUNNEL6_H
#define _CNI_TUNNEL6_H

#include <linux/types.h>

struct cni_tunnel;

u64 cni_tunnel6_parms(struct cni_tunnel *tunnel);
u64 cni_tunnel6_route(struct cni_tunnel *tunnel);
bool cni_tunnel6_has_twin(const struct cni_tunnel *tunnel);

#endif
