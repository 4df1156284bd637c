/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_RESOLVE_H
#define _CNI_RESOLVE_H

#include "state/net.h"

void cni_resolve_init(struct cni_net *cn);
void cni_resolve_exit(struct cni_net *cn);
void cni_resolve_now(struct cni_net *cn);
int cni_resolve_register(void);
void cni_resolve_unregister(void);

#endif
