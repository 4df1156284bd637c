/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_OUTER_H
#define _CNI_OUTER_H

#include <linux/netdevice.h>
#include <net/ip_tunnels.h>
#include <uapi/linux/cnilink.h>

struct cni_encap;

/**
 * cni_outer_failing - did the way say that a tunnel's packets don't arrive?
 * @gre: stock gre device, over IPv4
 *
 * It tells the senders of its next packets. Over IPv6 cni_ip6gre_check() asks.
 *
 * Return: whether it did.
 */
static inline bool cni_outer_failing(const struct net_device *gre)
{
	const struct ip_tunnel *t = netdev_priv(gre);

	return unlikely(READ_ONCE(t->err_count) > 0);
}

enum cnilink_reason cni_outer_look(const struct cni_encap *e);

#endif
