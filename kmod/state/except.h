/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_EXCEPT_H
#define _CNI_EXCEPT_H

#include <linux/types.h>

#include "state/net.h"

struct fib6_info;
struct fib_info;

int cni_except_track(struct cni_net *cn, struct fib_info *fi);
void cni_except_saw6(struct cni_net *cn, const struct fib6_info *rt);
void cni_except_prune(struct cni_net *cn);
void cni_except_scan(struct cni_net *cn);
bool cni_except_has(const struct cni_net *cn, int family, const void *addr);
void cni_except_init(struct cni_net *cn);
void cni_except_exit(struct cni_net *cn);

#endif
