/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
#ifndef _UAPI_LINUX_CNILINK_XDP_H
#define _UAPI_LINUX_CNILINK_XDP_H

#include <linux/types.h>

#define CNILINK_XDP_HDR_MAX	80

/**
 * struct cnilink_xdp_result - what an XDP program is to do with a frame
 * @ifindex: device to redirect it to
 * @pull: how many bytes stand before its IP packet
 * @push: how many are to stand there instead: the last ones of @hdr
 * @trim: how many bytes of padding follow the IP packet
 * @ipv6: it is an IPv6 packet
 * @reason: enum cnilink_reason, why it isn't taken
 * @pad: sets @hdr so that headers of 4 n + 2 bytes, as all are, begin aligned
 * @hdr: new headers
 * @end: for the same reason
 *
 * Filled in by bpf_cnilink_forward(), which returns the program's verdict. For
 * XDP_REDIRECT the program changes the headers, takes one from TTL or hop
 * limit, and leaves the padding off. Of other verdicts only @reason is filled in.
 */
struct cnilink_xdp_result {
	__u32	ifindex;
	__u16	pull;
	__u16	push;
	__u16	trim;
	__u8	ipv6;
	__u8	reason;
	__u8	pad[6];
	__u8	hdr[CNILINK_XDP_HDR_MAX];
	__u8	end[2];
};

#endif
