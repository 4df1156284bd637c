/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_BURST_H
#define _CNI_BURST_H

int cni_burst_init(void);
void cni_burst_exit(void);

#endif
