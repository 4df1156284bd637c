// SPDX-License-Identifier: GPL-2.0
/* The TCP option that says how large segments may be, made to fit a tunnel. */

#include "base/mss.h"

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <net/checksum.h>
#include <net/ipv6.h>
#include <net/tcp.h>

#include "base/addr.h"

/* Where the TCP header of a packet begins that has one, or 0. */
static unsigned int tcp_at(const struct sk_buff *skb, int family)
{
	unsigned int off = skb_network_offset(skb);
	const struct ipv6hdr *iph6;
	struct ipv6hdr buf6;
	const struct iphdr *iph;
	struct iphdr buf;
	__be16 frag_off;
	u8 nexthdr;
	int at;

	if (family == CNI_V4) {
		iph = skb_header_pointer(skb, off, sizeof(buf), &buf);
		if (!iph || iph->protocol != IPPROTO_TCP || iph->ihl < 5 ||
		    iph->frag_off & htons(IP_OFFSET))
			return 0;
		return off + iph->ihl * 4;
	}
	iph6 = skb_header_pointer(skb, off, sizeof(buf6), &buf6);
	if (!iph6)
		return 0;
	nexthdr = iph6->nexthdr;
	at = ipv6_skip_exthdr(skb, off + sizeof(buf6), &nexthdr, &frag_off);
	if (at < 0 || nexthdr != IPPROTO_TCP || frag_off & htons(~0x7))
		return 0;
	return at;
}

/* The option's value among @len bytes of options, or NULL. */
static u8 *find_option(u8 *opt, int len)
{
	int size;

	while (len >= TCPOLEN_MSS) {
		if (*opt == TCPOPT_EOL)
			return NULL;
		if (*opt == TCPOPT_NOP) {
			opt++;
			len--;
			continue;
		}
		size = opt[1];
		if (size < 2 || size > len)
			return NULL;
		if (*opt == TCPOPT_MSS && size == TCPOLEN_MSS)
			return opt + 2;
		opt += size;
		len -= size;
	}
	return NULL;
}

/**
 * cni_mss_clamp - keep a TCP peer from sending what doesn't fit the tunnel
 * @skb: packet with its network header set, not shared
 * @family: CNI_V4 or CNI_V6
 * @mss: largest segment
 *
 * A SYN that asks for more is changed. One without the option is left as it
 * is: its sender takes the smallest that there is. May move the packet's data.
 */
void cni_mss_clamp(struct sk_buff *skb, int family, u16 mss)
{
	unsigned int at = tcp_at(skb, family), len;
	struct tcphdr *th, buf;
	u8 *opt;
	u16 old;

	if (!at)
		return;
	th = skb_header_pointer(skb, at, sizeof(buf), &buf);
	if (!th || !th->syn)
		return;
	len = th->doff * 4;
	if (len < sizeof(*th) || skb->len < at + len ||
	    skb_ensure_writable(skb, at + len))
		return;
	th = (void *)(skb->data + at);
	opt = find_option((u8 *)(th + 1), len - sizeof(*th));
	if (!opt)
		return;
	old = opt[0] << 8 | opt[1];
	if (old <= mss)
		return;
	opt[0] = mss >> 8;
	opt[1] = mss;
	/* The value may begin at an odd place, where its bytes are swapped. */
	if ((opt - (u8 *)th) & 1) {
		old = swab16(old);
		mss = swab16(mss);
	}
	inet_proto_csum_replace2(&th->check, skb, htons(old), htons(mss),
				 false);
}
