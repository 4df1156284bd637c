/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_OBJECT_H
#define _CNI_OBJECT_H

#include <linux/in6.h>
#include <linux/list.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/types.h>
#include <net/dst_cache.h>

#include "base/addr.h"
#include "base/stats.h"

struct cni_blocked;
struct cni_blocked_all;
struct cni_decap;
struct cni_encap;
struct cni_health;
struct cni_net;
struct cni_port;
struct cni_prefix;
struct cni_tunnel;
struct cni_witness;
struct ip_tunnel;
struct metadata_dst;
struct neighbour;
struct sk_buff;
struct tnl_ptk_info;

/* Lists of a hook's links, by VLAN ID */
#define CNI_OBJECT_BUCKETS	16

/**
 * struct cni_rest - a hook that is taken away while it would only cost
 * @resting: it isn't registered
 * @seconds: that it has been resting for, or of no use
 * @reason: why nothing was taken
 * @hits: packets that were punted for that, as counted last
 * @taken: packets that were taken, as counted last
 * @blockers: all that kept objects from being offloaded, as a number, a second
 *	ago or when it began to rest
 *
 * RTNL. The kernel's own part of calling a hook costs 100 instructions a packet
 * on ingress, and some 35 on egress of each device in the system.
 */
struct cni_rest {
	bool			resting;
	u8			seconds;
	enum cnilink_reason	reason;
	u64			hits;
	u64			taken;
	u64			blockers;
};

/**
 * struct cni_stage - hooks of a stock gre device, or of a port
 * @in: ingress hook, of gre devices only
 * @out: egress hook
 * @has_in: @in is registered
 * @has_out: @out is registered
 * @tunnel: whose device it is, NULL for a port
 * @mss: largest TCP segment to let pass, per family; 0 for any
 * @tracked: jiffies when a packet was last left to connection tracking
 * @rest: of @out
 * @stats: what the stack gave to a tunnel's device: tx what was sent from here,
 *	and reasons of the rest
 * @blocked: what is known to be in the way of that
 *
 * Written with the RTNL held, but for @tracked, by the data path, once a
 * second. The hooks read the rest.
 */
struct cni_stage {
	struct nf_hook_ops	in;
	struct nf_hook_ops	out;
	bool			has_in;
	bool			has_out;
	struct cni_tunnel	*tunnel;
	u16			mss[CNI_FAMILIES];
	unsigned long		tracked;
	struct cni_rest		rest;
	struct cni_stats __percpu *stats;
	struct cni_blocked __percpu *blocked;
};

/**
 * struct cni_rxdev - a device whose ingress is hooked
 * @links: links whose frames arrive there by VLAN ID, RCU; without one, 0
 * @port: port that the device is, RCU, or NULL
 * @witness: VLAN IDs seen that are no link's
 * @blocked: what is known to be in the way of packets
 * @dev: the device
 * @list: in cn->rxdevs
 * @ops: the hook
 * @watched: the device whose features tell what XDP sees of @dev's frames: its
 *	own, or a veth's peer, which goes together with it
 * @blind: those of them that hide something
 * @unfit: XDP is handed other frames than @dev receives, or unfinished ones
 * @rest: of the hook
 * @n_links: links, for the data path
 * @users: links and ports
 * @tracker: of the reference to @dev
 * @rcu: for freeing
 *
 * Written with the RTNL held.
 */
struct cni_rxdev {
	struct list_head	links[CNI_OBJECT_BUCKETS];
	struct cni_port __rcu	*port;
	struct cni_witness __percpu *witness;
	struct cni_blocked_all __percpu *blocked;
	struct net_device	*dev;
	struct list_head	list;
	struct nf_hook_ops	ops;
	const struct net_device	*watched;
	netdev_features_t	blind;
	bool			unfit;
	struct cni_rest		rest;
	unsigned int		n_links;
	unsigned int		users;
	netdevice_tracker	tracker;
	struct rcu_head		rcu;
};

/**
 * struct cni_link_addr - the point-to-point addresses of a link
 * @has4: there are IPv4 addresses
 * @has6: there are IPv6 addresses
 * @local4: ours
 * @peer4: the other side's
 * @local6: ours
 * @peer6: the other side's
 */
struct cni_link_addr {
	bool			has4;
	bool			has6;
	__be32			local4;
	__be32			peer4;
	struct in6_addr		local6;
	struct in6_addr		peer6;
};

#define CNI_OBJECT_MEMBERS						\
	struct list_head	list;					\
	struct cni_net		*cn;					\
	struct net_device	*dev;					\
	struct cni_stats __percpu *stats;				\
	u64			seen;					\
	netdevice_tracker	tracker;				\
	struct rcu_head		rcu

/**
 * struct cni_object - what links, tunnels and ports have in common
 * @list: in cn->links, cn->tunnels or cn->ports
 * @cn: namespace
 * @dev: the stock device that it is about
 * @stats: counters
 * @seen: packets that @dev had counted when its hook began to rest, or when
 *	those that had come since were put into @stats
 * @tracker: of the reference to @dev
 * @rcu: for freeing
 *
 * Written with the RTNL held. The data path reads what is constant.
 */
struct cni_object {
	CNI_OBJECT_MEMBERS;
};

/* As struct_group_tagged() has it: link->dev and link->obj.dev are the same. */
#define CNI_OBJECT							\
	union {								\
		struct cni_object obj;					\
		struct { CNI_OBJECT_MEMBERS; };				\
	}

/**
 * struct cni_link - the CNI link
 * @obj: its device is of layer 3, VLAN or Ethernet
 * @tagged: frames carry a VLAN tag
 * @vlan_proto: network byte order
 * @vlan_id: VLAN ID
 * @rx_node: in the lower device's list, for the data path
 * @blockers: what keeps it from being offloaded, devices aside
 * @lower: device that frames come from
 * @rx: hook on @lower
 * @addr: addresses
 *
 * Written with the RTNL held. The data path reads what is constant.
 */
struct cni_link {
	CNI_OBJECT;
	bool			tagged;
	__be16			vlan_proto;
	u16			vlan_id;
	struct list_head	rx_node;
	u64			blockers;
	struct net_device	*lower;
	struct cni_rxdev	*rx;
	struct cni_link_addr	addr;
};

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
 * struct cni_tunnel - a stock gre device that is offloaded
 * @obj: its device is the gre device
 * @decap: what received packets are matched by, RCU, or NULL
 * @outer: the outer route as the data path saw it last, by CPU
 * @health: the responder to health checks, RCU, or NULL
 * @encap: how what the stack gives to @dev is sent, RCU, or NULL
 * @parms: its configuration, as resolved last; the FIB notifier reads the
 *	addresses
 * @link: the link it rides, as resolved last, or NULL
 * @neigh: outer next hop, referenced, or NULL
 * @route_mtu: of the outer route, as resolved last
 * @outer_mtu: of that and its device, while @link isn't NULL
 * @flags: CNILINK_TUNNEL_FLAG_*; the data path has its own copies
 * @blockers: what keeps it from being offloaded, devices' attachments aside
 * @mtu_locked: the outer route's MTU is locked
 * @twin: what arrives for it is another gre device's
 * @stage: hooks of @dev, and the MSS that they and the fast path let pass
 * @rcv: ip_tunnel_rcv(), or NULL
 * @input: counters of what was handed to that
 *
 * Written with the RTNL held.
 */
struct cni_tunnel {
	CNI_OBJECT;
	struct cni_decap __rcu	*decap;
	struct dst_cache	outer;
	struct cni_health __rcu	*health;
	struct cni_encap __rcu	*encap;
	struct cni_tunnel_parms	parms;
	struct cni_link		*link;
	struct neighbour	*neigh;
	u32			route_mtu;
	u32			outer_mtu;
	u32			flags;
	u64			blockers;
	bool			mtu_locked;
	bool			twin;
	struct cni_stage	stage;
	int			(*rcv)(struct ip_tunnel *t, struct sk_buff *skb,
				       const struct tnl_ptk_info *tpi,
				       struct metadata_dst *dst, bool log_ecn);
	struct cni_stats __percpu *input;
};

/**
 * struct cni_port - a LAN device whose routed traffic is accelerated
 * @obj: its device is that
 * @flags: CNILINK_PORT_FLAG_*; read by the data path
 * @rx: hook on @dev
 * @stage: hook of @dev, for the MSS of what it sends
 *
 * Written with the RTNL held.
 */
struct cni_port {
	CNI_OBJECT;
	u32			flags;
	struct cni_rxdev	*rx;
	struct cni_stage	stage;
};

void cni_object_add(struct cni_object *obj, struct list_head *list);
void cni_object_remove(struct cni_object *obj);
struct cni_object *cni_object_find(const struct list_head *list, u32 ifindex);
struct cni_link *cni_object_link(struct cni_net *cn, u32 ifindex);
struct cni_tunnel *cni_object_tunnel(struct cni_net *cn, u32 ifindex);
struct cni_port *cni_object_port(struct cni_net *cn, u32 ifindex);
void cni_object_stale(struct cni_net *cn);
bool cni_object_affected(struct cni_net *cn, int family,
			 const struct cni_prefix *prefix);

#endif
