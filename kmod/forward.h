/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_FORWARD_H
#define _CNI_FORWARD_H

#include <linux/types.h>
#include <uapi/linux/cnilink.h>

struct cni_encap;
struct cni_net;
struct neighbour;
struct net_device;
struct sk_buff;

/**
 * struct cni_forward - a packet on its way through, and what was decided
 * @cn: namespace
 * @dev: layer 3 device that it came in by: LAN port, link or gre device
 * @off: where its IP header is, from skb->data
 * @proto: ETH_P_IP or ETH_P_IPV6, network byte order
 * @bypass_nf: the way in lets netfilter be stepped over
 * @gre: it came in by a tunnel
 * @encap: way out
 * @neigh: whose MAC address to send to, valid while in the RCU section
 * @len: length of the IP packet
 * @dsfield: TOS or traffic class
 * @set_ce: mark it as having met congestion
 * @set_ect1: turn its ECT(0) into ECT(1)
 *
 * The caller fills in the first group, cni_forward_find() the second.
 */
struct cni_forward {
	struct cni_net		*cn;
	struct net_device	*dev;
	unsigned int		off;
	__be16			proto;
	bool			bypass_nf;
	bool			gre;

	struct cni_encap	*encap;
	struct neighbour	*neigh;
	unsigned int		len;
	u8			dsfield;
	bool			set_ce;
	bool			set_ect1;
};

enum cnilink_reason cni_forward_find(struct cni_forward *fwd,
				     struct sk_buff *skb);
int cni_forward_send(const struct cni_forward *fwd, struct sk_buff *skb);

#endif
