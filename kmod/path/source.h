/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_SOURCE_H
#define _CNI_SOURCE_H

#include <uapi/linux/cnilink.h>

struct cni_packet;
struct cni_port;

enum cnilink_reason cni_source_check(const struct cni_port *port,
				     struct cni_packet pkt);

#endif
