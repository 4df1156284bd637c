/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_PACKET_H
#define _CNI_PACKET_H

#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/types.h>

/**
 * struct cni_packet_frame - a frame that has no skb
 * @data: its network header; all of it is there
 * @len: length from there
 * @dev: device that received it
 * @protocol: network byte order
 * @vlan_proto: of its tag, network byte order; 0 without one
 * @vlan_tci: of its tag
 * @pkt_type: PACKET_*
 */
struct cni_packet_frame {
	void			*data;
	unsigned int		len;
	struct net_device	*dev;
	__be16			protocol;
	__be16			vlan_proto;
	u16			vlan_tci;
	u8			pkt_type;
};

/**
 * struct cni_packet - what is decided about: an skb, or a frame without one
 * @skb: the skb, or NULL
 * @frame: the frame, or NULL
 *
 * Passed by value, so that an inlined function is compiled for one of them: the
 * compiler sees that @frame is NULL, or isn't. Hence all tests are of @frame.
 *
 * The kernel's functions are only given a real skb. What they would say about a
 * frame is worked out here, or the frame is passed to the skb path.
 */
struct cni_packet {
	struct sk_buff		*skb;
	const struct cni_packet_frame *frame;
};

static __always_inline struct cni_packet cni_packet_skb(struct sk_buff *skb)
{
	return (struct cni_packet) { .skb = skb };
}

static __always_inline struct cni_packet
cni_packet_frame(const struct cni_packet_frame *frame)
{
	/* Unlike the address of a local variable, a pointer may be NULL. */
	if (!frame)
		__builtin_unreachable();
	return (struct cni_packet) { .frame = frame };
}

/* The network header; with an skb it moves when more is pulled. */
static __always_inline void *cni_packet_data(struct cni_packet pkt)
{
	return pkt.frame ? pkt.frame->data : pkt.skb->data;
}

static __always_inline unsigned int cni_packet_len(struct cni_packet pkt)
{
	return pkt.frame ? pkt.frame->len : pkt.skb->len;
}

/* How much of that can be read at cni_packet_data() */
static __always_inline unsigned int cni_packet_headlen(struct cni_packet pkt)
{
	return pkt.frame ? pkt.frame->len : skb_headlen(pkt.skb);
}

static __always_inline bool cni_packet_may_pull(struct cni_packet pkt,
						unsigned int len)
{
	return pkt.frame ? len <= pkt.frame->len : pskb_may_pull(pkt.skb, len);
}

/* As skb_header_pointer() */
static __always_inline const void *
cni_packet_header(struct cni_packet pkt, unsigned int off, unsigned int len,
		  void *buf)
{
	if (!pkt.frame)
		return skb_header_pointer(pkt.skb, off, len, buf);
	return off + len <= pkt.frame->len ? pkt.frame->data + off : NULL;
}

static __always_inline const struct net_device *
cni_packet_dev(struct cni_packet pkt)
{
	return pkt.frame ? pkt.frame->dev : pkt.skb->dev;
}

static __always_inline __be16 cni_packet_proto(struct cni_packet pkt)
{
	return pkt.frame ? pkt.frame->protocol : pkt.skb->protocol;
}

static __always_inline u8 cni_packet_type(struct cni_packet pkt)
{
	return pkt.frame ? pkt.frame->pkt_type : pkt.skb->pkt_type;
}

static __always_inline bool cni_packet_tagged(struct cni_packet pkt)
{
	return pkt.frame ? !!pkt.frame->vlan_proto :
			   skb_vlan_tag_present(pkt.skb);
}

/* These two of a tagged one */
static __always_inline __be16 cni_packet_vlan_proto(struct cni_packet pkt)
{
	return pkt.frame ? pkt.frame->vlan_proto : pkt.skb->vlan_proto;
}

static __always_inline u16 cni_packet_vlan_tci(struct cni_packet pkt)
{
	return pkt.frame ? pkt.frame->vlan_tci : skb_vlan_tag_get(pkt.skb);
}

/* Do others hold the skb, too? */
static __always_inline bool cni_packet_shared(struct cni_packet pkt)
{
	return !pkt.frame && skb_shared(pkt.skb);
}

static __always_inline bool cni_packet_is_gso(struct cni_packet pkt)
{
	return !pkt.frame && skb_is_gso(pkt.skb);
}

static __always_inline bool cni_packet_encapsulated(struct cni_packet pkt)
{
	return !pkt.frame && pkt.skb->encapsulation;
}

static __always_inline void cni_packet_set_transport(struct cni_packet pkt,
						     unsigned int off)
{
	if (!pkt.frame)
		skb_set_transport_header(pkt.skb, off);
}

#endif
