/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
#ifndef _UAPI_LINUX_CNILINK_XDP_H
#define _UAPI_LINUX_CNILINK_XDP_H

#include <linux/types.h>

#define CNILINK_XDP_HDR_MAX	124

/**
 * struct cnilink_xdp_result - what an XDP program is to do with a frame
 * @ifindex: device to redirect it to
 * @less: how many bytes shorter it gets in front, or longer if less than 0
 * @push: how many bytes of it are new then: the first ones of @hdr. The IP
 *	packet's own header is among them when that changes, too.
 * @trim: how many bytes of padding follow the IP packet
 * @verdict: the program's
 * @age: the version of the IP packet behind @hdr, whose TTL or hop limit gets
 *	one less; or 0
 * @reason: enum cnilink_reason, why it isn't taken
 * @pad: nothing
 * @hdr: new headers; their length is 4 n + 2
 *
 * What bpf_cnilink_forward() returns, to be read only; it returns NULL in a test
 * run that isn't with live frames. For XDP_REDIRECT the
 * program changes the headers, has the packet age, and leaves the padding off.
 * With other verdicts only @reason is filled in.
 */
struct cnilink_xdp_result {
	__u32	ifindex;
	__s32	less;
	__u16	push;
	__u16	trim;
	__u8	verdict;
	__u8	age;
	__u8	reason;
	__u8	pad;
	__u8	hdr[CNILINK_XDP_HDR_MAX];
};

#endif
