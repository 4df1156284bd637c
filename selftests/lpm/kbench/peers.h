/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_PEERS_H
#define _CNI_PEERS_H

/* Lookups of one run of a program, so that its duration tells parts of one. */
#define PEERS_LOOP	64

#endif /* _CNI_PEERS_H */
