/* SPDX-License-Identifier: GPL-2.0 */
/* Takes a frame whose way the module knows; all else goes on to the stack. */
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/cnilink_xdp.h>

/* Weak only for the sake of programs beside it; the verifier wants it there. */
extern const __u8 *bpf_cnilink_forward(struct xdp_md *ctx,
				       const size_t rdonly_buf_size)
	__ksym __weak;

static __always_inline int age4(struct iphdr *iph, void *end)
{
	__u32 check;

	if ((void *)(iph + 1) > end)
		return -1;
	check = iph->check + bpf_htons(0x0100);
	iph->check = check + (check >= 0xffff);
	iph->ttl--;
	return 0;
}

static __always_inline int age6(struct ipv6hdr *iph, void *end)
{
	if ((void *)(iph + 1) > end)
		return -1;
	iph->hop_limit--;
	return 0;
}

static __always_inline int send(void *ip, void *end,
				const struct cnilink_xdp_result *res)
{
	if ((res->age == 4 && age4(ip, end)) || (res->age == 6 && age6(ip, end)))
		return XDP_ABORTED;
	return bpf_redirect(res->ifindex, 0);
}

/* Verifiers want lengths that they know: a copy without a loop. */
static __always_inline int put(void *data, void *end,
			       const struct cnilink_xdp_result *res,
			       const unsigned int len, const unsigned int more)
{
	unsigned int i = 0;

	if (data + len + more > end)
		return XDP_ABORTED;
	for (; i + 8 <= len; i += 8)
		*(__u64 *)(data + i) = *(const __u64 *)(res->hdr + i);
	for (; i + 4 <= len; i += 4)
		*(__u32 *)(data + i) = *(const __u32 *)(res->hdr + i);
	*(__u16 *)(data + i) = *(const __u16 *)(res->hdr + i);
	return send(data + len, end, res);
}

/* What is seldom, or with the packet's own header, has the loop. */
static __always_inline int put_any(void *data, void *end,
				   const struct cnilink_xdp_result *res)
{
	__u32 i;

	for (i = 0; i < CNILINK_XDP_HDR_MAX / 4; i++) {
		if (data + 4 > end)
			return XDP_ABORTED;
		if (4 * i + 2 == res->push)
			break;
		*(__u32 *)data = *(const __u32 *)(res->hdr + 4 * i);
		data += 4;
	}
	if (i == CNILINK_XDP_HDR_MAX / 4)
		return XDP_ABORTED;
	*(__u16 *)data = *(const __u16 *)(res->hdr + 4 * i);
	return send(data + 2, end, res);
}

static __always_inline int cnilink_forward(struct xdp_md *ctx)
{
	const struct cnilink_xdp_result *res;
	void *data, *end;

	res = (const void *)bpf_cnilink_forward(ctx, sizeof(*res));
	if (!res)
		return XDP_PASS;
	if (res->verdict != XDP_REDIRECT)
		return res->verdict;
	if (bpf_xdp_adjust_head(ctx, res->less))
		return XDP_ABORTED;
	if (res->trim && bpf_xdp_adjust_tail(ctx, -(int)res->trim))
		return XDP_ABORTED;

	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	/* VLAN and GRE; Ethernet alone, with IPv4: one question of the length */
	if (res->age == 4) {
		if (res->push == 42)
			return put(data, end, res, 42, sizeof(struct iphdr));
		if (res->push == 14)
			return put(data, end, res, 14, sizeof(struct iphdr));
	}
	switch (res->push) {
	case 14: return put(data, end, res, 14, 0);
	case 18: return put(data, end, res, 18, 0);
	case 38: return put(data, end, res, 38, 0);
	case 42: return put(data, end, res, 42, 0);
	case 46: return put(data, end, res, 46, 0);
	case 58: return put(data, end, res, 58, 0);
	case 62: return put(data, end, res, 62, 0);
	case 66: return put(data, end, res, 66, 0);
	case 70: return put(data, end, res, 70, 0);
	}
	return put_any(data, end, res);
}
