/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_FRAME_H
#define _CNI_FRAME_H

#include <linux/types.h>
#include <uapi/linux/cnilink.h>

#include "base/packet.h"
#include "path/decide.h"

struct cni_encap;
struct cni_health;
struct cni_link;
struct cni_port;
struct cni_rxdev;
struct xdp_buff;

/**
 * struct cni_frame - a frame, and what's found on the way to a decision
 * @fwd: the decision
 * @view: what the functions that decide see of it
 * @l2_len: bytes before its network header
 * @link: link that it came in by, or NULL
 * @port: port that it came in by, if it's no link's
 * @reason: why no frame of the device is taken, or 0
 * @health: it's a health check of this tunnel's, to be answered
 * @request: the answer to it has to be made; else it goes back as it is
 */
struct cni_frame {
	struct cni_forward	fwd;
	struct cni_packet_frame	view;
	unsigned int		l2_len;
	struct cni_link		*link;
	struct cni_port		*port;
	enum cnilink_reason	reason;
	struct cni_health	*health;
	bool			request;
};

void cni_frame_watch(struct cni_rxdev *rx);
u64 cni_frame_blockers(const struct cni_rxdev *rx);
enum cnilink_reason cni_frame_gate_in(const struct cni_rxdev *rx);
enum cnilink_reason cni_frame_gate_out(const struct cni_encap *e);
bool cni_frame_find(struct cni_frame *f, const struct xdp_buff *xdp);
enum cnilink_reason cni_frame_decide(struct cni_frame *f,
				     const struct xdp_buff *xdp);

#endif
