/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_REST_H
#define _CNI_REST_H

struct cni_net;

void cni_rest_look(struct cni_net *cn);
void cni_rest_end(struct cni_net *cn);

#endif
