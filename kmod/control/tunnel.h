/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_TUNNEL_H
#define _CNI_TUNNEL_H

#include <linux/list.h>
#include <linux/netdevice.h>
#include <net/dst_cache.h>
#include <net/ip_tunnels.h>
#include <net/neighbour.h>

#include "path/health.h"
#include "lpm.h"
#include "state/net.h"
#include "path/stage.h"
#include "base/stats.h"

struct cni_decap;
struct cni_encap;
struct cni_link;
struct netlink_ext_ack;

/**
 * struct cni_tunnel_parms - what the stock gre device is configured to
 * @family: of the outer header, CNI_V4 or CNI_V6
 * @local: outer source
 * @remote: outer destination
 * @ikey: network byte order
 * @okey: network byte order
 * @ikeyed: received packets have a key
 * @okeyed: sent packets have a key
 * @icsum: received packets have a checksum
 * @ocsum: sent packets have a checksum
 * @ignore_df: don't copy the inner packet's DF
 * @ttl: 0 to inherit
 * @tos: bit 0 set to inherit
 * @df: IP_DF or 0, network byte order
 * @flags: IP6_TNL_F_*
 * @flowinfo: traffic class and flow label, network byte order
 * @encap_limit: of the option with this name, -1 for none
 *
 * The last three are IPv6's.
 */
struct cni_tunnel_parms {
	u8			family;
	union cni_addr		local;
	union cni_addr		remote;
	__be32			ikey;
	__be32			okey;
	bool			ikeyed;
	bool			okeyed;
	bool			icsum;
	bool			ocsum;
	bool			ignore_df;
	u8			ttl;
	u8			tos;
	__be16			df;
	u32			flags;
	__be32			flowinfo;
	int			encap_limit;
};

/**
 * struct cni_tunnel_opts - what user space wants of a tunnel
 * @mss: largest TCP segment to let pass either way, per family; 0 for any
 * @rate: answers to health checks a second at most
 * @n: number of health checks
 * @check: what they look like, padding zeroed
 */
struct cni_tunnel_opts {
	u16			mss[CNI_FAMILIES];
	u32			rate;
	unsigned int		n;
	struct cni_health_check	check[CNI_HEALTH_MAX];
};

/**
 * struct cni_tunnel - a stock gre device that is offloaded
 * @list: in cn->tunnels
 * @cn: namespace
 * @dev: the gre device
 * @parms: its configuration, as resolved last; the FIB notifier reads the
 *	addresses
 * @link: the link it rides, as resolved last, or NULL
 * @neigh: outer next hop, referenced, or NULL
 * @outer: the outer route as the data path saw it last, by CPU
 * @route_mtu: of the outer route, as resolved last
 * @outer_mtu: of that and its device, while @link isn't NULL
 * @mtu_locked: the outer route's MTU is locked
 * @blockers: what keeps it from being offloaded, devices' attachments aside
 * @twin: what arrives for it is another gre device's
 * @decap: what received packets are matched by, RCU, or NULL
 * @health: the responder to health checks, RCU, or NULL
 * @encap: how what the stack gives to @dev is sent, RCU, or NULL
 * @stage: hooks of @dev, and the MSS that they and the fast path let pass
 * @stats: counters
 * @tracker: of the reference to @dev
 * @rcu: for freeing
 *
 * Written with the RTNL held.
 */
struct cni_tunnel {
	struct list_head	list;
	struct cni_net		*cn;
	struct net_device	*dev;
	struct cni_tunnel_parms	parms;
	struct cni_link		*link;
	struct neighbour	*neigh;
	struct dst_cache	outer;
	u32			route_mtu;
	u32			outer_mtu;
	bool			mtu_locked;
	u64			blockers;
	bool			twin;
	struct cni_decap __rcu	*decap;
	struct cni_health __rcu	*health;
	struct cni_encap __rcu	*encap;
	struct cni_stage	stage;
	struct cni_stats __percpu *stats;
	netdevice_tracker	tracker;
	struct rcu_head		rcu;
};

/**
 * cni_tunnel_failing - did the way say that a tunnel's packets don't arrive?
 * @gre: stock gre device, over IPv4
 *
 * It tells the senders of its next packets. Over IPv6 cni_ip6gre_check() asks.
 *
 * Return: whether it did.
 */
static inline bool cni_tunnel_failing(const struct net_device *gre)
{
	const struct ip_tunnel *t = netdev_priv(gre);

	return unlikely(READ_ONCE(t->err_count) > 0);
}

struct cni_tunnel *cni_tunnel_find(struct cni_net *cn, u32 ifindex);
int cni_tunnel_set(struct cni_net *cn, struct net_device *dev,
		   const struct cni_tunnel_opts *opts,
		   struct netlink_ext_ack *extack);
void cni_tunnel_del(struct cni_tunnel *tunnel);
void cni_tunnel_resolve(struct cni_tunnel *tunnel);
void cni_tunnel_found_route(struct cni_tunnel *tunnel, struct cni_link *link,
			    struct neighbour *neigh, u32 mtu, bool mtu_locked);
void cni_tunnel_stale(struct cni_net *cn);
struct cni_net *cni_tunnel_rival(const struct net_device *dev);
bool cni_tunnel_affected(struct cni_net *cn, int family,
			 const struct cni_prefix *prefix);
struct cni_encap *cni_tunnel_encap(struct cni_tunnel *tunnel, u64 *blockers);
enum cnilink_reason cni_tunnel_look(const struct cni_encap *e);
u64 cni_tunnel_blockers(const struct cni_tunnel *tunnel);

#endif
