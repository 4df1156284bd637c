/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	kmod/uapi/cnilink.yaml */
/* YNL-GEN uapi header */

#ifndef _UAPI_LINUX_CNILINK_H
#define _UAPI_LINUX_CNILINK_H

#define CNILINK_FAMILY_NAME	"cnilink"
#define CNILINK_FAMILY_VERSION	1

/**
 * enum cnilink_reason - Why a packet was punted to the kernel's slow path, or
 *   dropped.
 * @CNILINK_REASON_NONE: Taken by the fast path.
 * @CNILINK_REASON_NO_ROUTE: No prefix of the table covers the destination.
 * @CNILINK_REASON_PUNT_ROUTE: The range is marked as punt.
 * @CNILINK_REASON_PENDING: The kernel changed a route of this range, and user
 *   space has yet to confirm it.
 * @CNILINK_REASON_LOCAL: For an address of this host.
 * @CNILINK_REASON_NOT_FOR_US: Frame for another host's MAC address, or
 *   broadcast.
 * @CNILINK_REASON_VLAN: VLAN tag of no configured link.
 * @CNILINK_REASON_NOT_IP: Neither IPv4 nor IPv6.
 * @CNILINK_REASON_MALFORMED: Bad length, version or header checksum.
 * @CNILINK_REASON_OPTIONS: IP options or extension headers that the kernel
 *   looks into.
 * @CNILINK_REASON_TTL: TTL or hop limit expires here.
 * @CNILINK_REASON_FRAGMENT: Outer fragment, to be put together first.
 * @CNILINK_REASON_SPECIAL_ADDRESS: Multicast, broadcast, loopback, link-local
 *   or unspecified.
 * @CNILINK_REASON_SOURCE: The source address can't be proven to be acceptable.
 * @CNILINK_REASON_MTU: Larger than the egress MTU.
 * @CNILINK_REASON_NEIGHBOUR: The next hop's MAC address isn't known.
 * @CNILINK_REASON_SAME_PORT: It would leave by the device that received it.
 * @CNILINK_REASON_GRE_UNKNOWN: GRE from or to addresses, or with a key, of no
 *   tunnel.
 * @CNILINK_REASON_GRE_HEADER: GRE header with a sequence number, routing or a
 *   version, or with a checksum that is wrong or unexpected.
 * @CNILINK_REASON_ECN: ECN of outer and inner header contradict each other.
 * @CNILINK_REASON_OFFLOAD: Offloads (GSO, checksum) that the stock devices
 *   would resolve in software first.
 * @CNILINK_REASON_SHARED: The packet is shared with another user.
 * @CNILINK_REASON_NOT_OFFLOADED: The egress device isn't offloaded; its
 *   blockers say why.
 * @CNILINK_REASON_FORWARDING_OFF: Forwarding is off for the device.
 * @CNILINK_REASON_NETFILTER: Netfilter hooks of the namespace would be
 *   bypassed.
 * @CNILINK_REASON_RULES: Policy routing rules would be bypassed.
 * @CNILINK_REASON_XFRM: IPsec policies would be bypassed.
 * @CNILINK_REASON_QDISC: A qdisc or net_prio map of a stock device would be
 *   bypassed.
 * @CNILINK_REASON_TC: A tc filter on a stock device would be bypassed.
 * @CNILINK_REASON_NFT_DEVICE: A netdev nft chain on a stock device would be
 *   bypassed.
 * @CNILINK_REASON_XDP: A generic XDP program on a stock device would be
 *   bypassed.
 * @CNILINK_REASON_TAP: A packet capture or another packet socket is open on a
 *   stock device, or a raw one for the tunnel's packets.
 * @CNILINK_REASON_RX_HANDLER: A bridge, bond or macvlan owns the device's
 *   frames.
 * @CNILINK_REASON_MULTIPATH: Which of several next hops the kernel would take
 *   isn't known.
 * @CNILINK_REASON_NO_MEMORY: No memory for headroom.
 * @CNILINK_REASON_TRANSMIT: The lower device refused the packet.
 * @CNILINK_REASON_DSCP: The outer DSCP would have to be copied into the inner
 *   packet.
 * @CNILINK_REASON_TUNNEL_ERROR: The stock device has an ICMP error to pass on
 *   to the sender.
 * @CNILINK_REASON_STRICT_SOURCE: The source isn't routed back to the port
 *   (strict-source).
 * @CNILINK_REASON_TABLE: A policy routing rule leads to a table that isn't
 *   mirrored.
 * @CNILINK_REASON_XDP_TARGET: XDP can't transmit on the egress device: it has
 *   no XDP program, or its driver no ndo_xdp_xmit, or, for a veth, its peer
 *   has no GRO; or it is in another network namespace.
 * @CNILINK_REASON_XDP_OFFLOADS: VLAN tags or checksums are kept apart from the
 *   device's frames, where XDP doesn't see them.
 * @CNILINK_REASON_XDP_FRAME: The frame is in several buffers, or has no room
 *   for longer headers.
 * @CNILINK_REASON_CHANGE: More than headers would change: an MSS, ECN, a GRE
 *   checksum, or a health check's request. XDP leaves it to the skb path.
 * @CNILINK_REASON_XDP_DRIVER: XDP is handed a tap's and Xen's frames
 *   unfinished, and a bond's as its members'.
 */
enum cnilink_reason {
	CNILINK_REASON_NONE,
	CNILINK_REASON_NO_ROUTE,
	CNILINK_REASON_PUNT_ROUTE,
	CNILINK_REASON_PENDING,
	CNILINK_REASON_LOCAL,
	CNILINK_REASON_NOT_FOR_US,
	CNILINK_REASON_VLAN,
	CNILINK_REASON_NOT_IP,
	CNILINK_REASON_MALFORMED,
	CNILINK_REASON_OPTIONS,
	CNILINK_REASON_TTL,
	CNILINK_REASON_FRAGMENT,
	CNILINK_REASON_SPECIAL_ADDRESS,
	CNILINK_REASON_SOURCE,
	CNILINK_REASON_MTU,
	CNILINK_REASON_NEIGHBOUR,
	CNILINK_REASON_SAME_PORT,
	CNILINK_REASON_GRE_UNKNOWN,
	CNILINK_REASON_GRE_HEADER,
	CNILINK_REASON_ECN,
	CNILINK_REASON_OFFLOAD,
	CNILINK_REASON_SHARED,
	CNILINK_REASON_NOT_OFFLOADED,
	CNILINK_REASON_FORWARDING_OFF,
	CNILINK_REASON_NETFILTER,
	CNILINK_REASON_RULES,
	CNILINK_REASON_XFRM,
	CNILINK_REASON_QDISC,
	CNILINK_REASON_TC,
	CNILINK_REASON_NFT_DEVICE,
	CNILINK_REASON_XDP,
	CNILINK_REASON_TAP,
	CNILINK_REASON_RX_HANDLER,
	CNILINK_REASON_MULTIPATH,
	CNILINK_REASON_NO_MEMORY,
	CNILINK_REASON_TRANSMIT,
	CNILINK_REASON_DSCP,
	CNILINK_REASON_TUNNEL_ERROR,
	CNILINK_REASON_STRICT_SOURCE,
	CNILINK_REASON_TABLE,
	CNILINK_REASON_XDP_TARGET,
	CNILINK_REASON_XDP_OFFLOADS,
	CNILINK_REASON_XDP_FRAME,
	CNILINK_REASON_CHANGE,
	CNILINK_REASON_XDP_DRIVER,

	/* private: */
	__CNILINK_REASON_MAX,
	CNILINK_REASON_MAX = (__CNILINK_REASON_MAX - 1)
};

/**
 * enum cnilink_blocker - What keeps an object from being offloaded; none when
 *   it is.
 * @CNILINK_BLOCKER_DEVICE_DOWN: The device or its lower device is down.
 * @CNILINK_BLOCKER_RX_HANDLER: A bridge, bond or macvlan owns the device's
 *   frames.
 * @CNILINK_BLOCKER_GRE_SEQ: The tunnel sends or wants sequence numbers.
 * @CNILINK_BLOCKER_GRE_EXTERNAL: The tunnel takes its metadata from routes or
 *   tc.
 * @CNILINK_BLOCKER_GRE_ENCAP: The tunnel is wrapped in FOU or GUE.
 * @CNILINK_BLOCKER_GRE_ENDPOINT: The tunnel has no fixed local or remote
 *   address.
 * @CNILINK_BLOCKER_LOCAL_MISSING: The local address isn't on this host.
 * @CNILINK_BLOCKER_NO_ROUTE: No route to the remote endpoint.
 * @CNILINK_BLOCKER_ROUTE_ELSEWHERE: The remote endpoint isn't reached over a
 *   configured link.
 * @CNILINK_BLOCKER_NEIGHBOUR: The next hop's MAC address isn't known.
 * @CNILINK_BLOCKER_FORWARDING_OFF: Forwarding is off for the device.
 * @CNILINK_BLOCKER_NETFILTER: Netfilter hooks in the namespace (see
 *   bypass-netfilter).
 * @CNILINK_BLOCKER_RULES: Policy routing rules in the namespace.
 * @CNILINK_BLOCKER_XFRM: IPsec policies in the namespace.
 * @CNILINK_BLOCKER_QDISC: A qdisc on a stock device.
 * @CNILINK_BLOCKER_TC: A tc filter on a stock device.
 * @CNILINK_BLOCKER_NFT_DEVICE: A netdev nft chain on a stock device.
 * @CNILINK_BLOCKER_XDP: A generic XDP program on a stock device.
 * @CNILINK_BLOCKER_TAP: A packet capture or another packet socket is open on a
 *   stock device, or a raw one for the tunnel's packets.
 * @CNILINK_BLOCKER_VLAN_FLAGS: The VLAN device has reordering of headers
 *   switched off.
 * @CNILINK_BLOCKER_NOT_ENROLLED: The egress device is no tunnel, link or port.
 * @CNILINK_BLOCKER_NOT_ETHERNET: The frames' device isn't an Ethernet device.
 * @CNILINK_BLOCKER_MULTIPATH: Several next hops.
 * @CNILINK_BLOCKER_XDP_OFFLOADS: VLAN tags or checksums are kept apart from
 *   the device's frames, where XDP doesn't see them.
 * @CNILINK_BLOCKER_XDP_TARGET: XDP can't transmit on the device.
 * @CNILINK_BLOCKER_GRE_TWIN: What arrives for the tunnel is given by the
 *   kernel to another gre device, whose addresses and key fit, too.
 * @CNILINK_BLOCKER_XDP_DRIVER: XDP is handed a tap's and Xen's frames
 *   unfinished, and a bond's as its members'.
 * @CNILINK_BLOCKER_NO_RULE: No policy routing rule leads to a table that the
 *   module has.
 */
enum cnilink_blocker {
	CNILINK_BLOCKER_DEVICE_DOWN = 1,
	CNILINK_BLOCKER_RX_HANDLER = 2,
	CNILINK_BLOCKER_GRE_SEQ = 4,
	CNILINK_BLOCKER_GRE_EXTERNAL = 8,
	CNILINK_BLOCKER_GRE_ENCAP = 16,
	CNILINK_BLOCKER_GRE_ENDPOINT = 32,
	CNILINK_BLOCKER_LOCAL_MISSING = 64,
	CNILINK_BLOCKER_NO_ROUTE = 128,
	CNILINK_BLOCKER_ROUTE_ELSEWHERE = 256,
	CNILINK_BLOCKER_NEIGHBOUR = 512,
	CNILINK_BLOCKER_FORWARDING_OFF = 1024,
	CNILINK_BLOCKER_NETFILTER = 2048,
	CNILINK_BLOCKER_RULES = 4096,
	CNILINK_BLOCKER_XFRM = 8192,
	CNILINK_BLOCKER_QDISC = 16384,
	CNILINK_BLOCKER_TC = 32768,
	CNILINK_BLOCKER_NFT_DEVICE = 65536,
	CNILINK_BLOCKER_XDP = 131072,
	CNILINK_BLOCKER_TAP = 262144,
	CNILINK_BLOCKER_VLAN_FLAGS = 524288,
	CNILINK_BLOCKER_NOT_ENROLLED = 1048576,
	CNILINK_BLOCKER_NOT_ETHERNET = 2097152,
	CNILINK_BLOCKER_MULTIPATH = 4194304,
	CNILINK_BLOCKER_XDP_OFFLOADS = 8388608,
	CNILINK_BLOCKER_XDP_TARGET = 16777216,
	CNILINK_BLOCKER_GRE_TWIN = 33554432,
	CNILINK_BLOCKER_XDP_DRIVER = 67108864,
	CNILINK_BLOCKER_NO_RULE = 134217728,
};

/**
 * enum cnilink_health_flag - Which of the kinds of Cloudflare's tunnel health
 *   check it is.
 * @CNILINK_HEALTH_FLAG_REQUEST: Echo requests, to be answered; else echo
 *   replies, to be returned.
 * @CNILINK_HEALTH_FLAG_UNIDIRECTIONAL: It goes back by the route to its
 *   source; else by the tunnel.
 */
enum cnilink_health_flag {
	CNILINK_HEALTH_FLAG_REQUEST = 1,
	CNILINK_HEALTH_FLAG_UNIDIRECTIONAL = 2,
};

/**
 * enum cnilink_port_flag
 * @CNILINK_PORT_FLAG_BYPASS_NETFILTER: Take packets even though prerouting,
 *   forward or other netfilter hooks would have seen them on the slow path.
 * @CNILINK_PORT_FLAG_STRICT_SOURCE: Drop packets whose source isn't routed
 *   back to the port, as rp_filter=1 does, for IPv6 too, on either path.
 */
enum cnilink_port_flag {
	CNILINK_PORT_FLAG_BYPASS_NETFILTER = 1,
	CNILINK_PORT_FLAG_STRICT_SOURCE = 2,
};

/**
 * enum cnilink_tunnel_flag
 * @CNILINK_TUNNEL_FLAG_BYPASS_NETFILTER: Take the tunnel's outer packets even
 *   though prerouting, input, output or postrouting hooks would have seen them
 *   on the slow path. Those of the packets inside aren't bypassed.
 */
enum cnilink_tunnel_flag {
	CNILINK_TUNNEL_FLAG_BYPASS_NETFILTER = 1,
};

/**
 * enum cnilink_xdp - Whether XDP programs can call the module, or why they
 *   can't.
 * @CNILINK_XDP_AVAILABLE: They can.
 * @CNILINK_XDP_NO_KERNEL_SUPPORT: The kernel takes no type information of
 *   modules.
 * @CNILINK_XDP_NO_BTF: The module was built without its type information
 *   (BTF).
 * @CNILINK_XDP_NO_IDS: The module was built without the IDs of its functions.
 * @CNILINK_XDP_FOREIGN_BTF: The module's type information was made for another
 *   kernel.
 * @CNILINK_XDP_REFUSED: The kernel refused to register the module's functions.
 */
enum cnilink_xdp {
	CNILINK_XDP_AVAILABLE,
	CNILINK_XDP_NO_KERNEL_SUPPORT,
	CNILINK_XDP_NO_BTF,
	CNILINK_XDP_NO_IDS,
	CNILINK_XDP_FOREIGN_BTF,
	CNILINK_XDP_REFUSED,
};

/**
 * enum cnilink_action - What the table says of a prefix.
 * @CNILINK_ACTION_FORWARD: Send to the next hop.
 * @CNILINK_ACTION_PUNT: Punt to the kernel's slow path.
 */
enum cnilink_action {
	CNILINK_ACTION_FORWARD,
	CNILINK_ACTION_PUNT,
};

enum {
	CNILINK_A_COUNT_REASON = 1,
	CNILINK_A_COUNT_PACKETS,
	CNILINK_A_COUNT_PAD,

	__CNILINK_A_COUNT_MAX,
	CNILINK_A_COUNT_MAX = (__CNILINK_A_COUNT_MAX - 1)
};

enum {
	CNILINK_A_STATS_RX_PACKETS = 1,
	CNILINK_A_STATS_RX_BYTES,
	CNILINK_A_STATS_TX_PACKETS,
	CNILINK_A_STATS_TX_BYTES,
	CNILINK_A_STATS_PUNT,
	CNILINK_A_STATS_DROP,
	CNILINK_A_STATS_PAD,
	CNILINK_A_STATS_XDP_PACKETS,
	CNILINK_A_STATS_XDP_PASS,

	__CNILINK_A_STATS_MAX,
	CNILINK_A_STATS_MAX = (__CNILINK_A_STATS_MAX - 1)
};

enum {
	CNILINK_A_LINK_IFINDEX = 1,
	CNILINK_A_LINK_LOCAL4,
	CNILINK_A_LINK_PEER4,
	CNILINK_A_LINK_LOCAL6,
	CNILINK_A_LINK_PEER6,
	CNILINK_A_LINK_LOWER_IFINDEX,
	CNILINK_A_LINK_VLAN_ID,
	CNILINK_A_LINK_VLAN_PROTO,
	CNILINK_A_LINK_MTU,
	CNILINK_A_LINK_LLADDR4,
	CNILINK_A_LINK_LLADDR6,
	CNILINK_A_LINK_BLOCKERS,
	CNILINK_A_LINK_STATS,
	CNILINK_A_LINK_PAD,
	CNILINK_A_LINK_SEEN,
	CNILINK_A_LINK_VLAN_FILTER,
	CNILINK_A_LINK_XDP_BLOCKERS,

	__CNILINK_A_LINK_MAX,
	CNILINK_A_LINK_MAX = (__CNILINK_A_LINK_MAX - 1)
};

enum {
	CNILINK_A_SEEN_VLAN_ID = 1,
	CNILINK_A_SEEN_VLAN_PROTO,
	CNILINK_A_SEEN_PACKETS,
	CNILINK_A_SEEN_FIRST,
	CNILINK_A_SEEN_LAST,
	CNILINK_A_SEEN_IFINDEX,
	CNILINK_A_SEEN_PAD,

	__CNILINK_A_SEEN_MAX,
	CNILINK_A_SEEN_MAX = (__CNILINK_A_SEEN_MAX - 1)
};

enum {
	CNILINK_A_TUNNEL_IFINDEX = 1,
	CNILINK_A_TUNNEL_LINK,
	CNILINK_A_TUNNEL_LOCAL4,
	CNILINK_A_TUNNEL_REMOTE4,
	CNILINK_A_TUNNEL_IKEY,
	CNILINK_A_TUNNEL_OKEY,
	CNILINK_A_TUNNEL_TTL,
	CNILINK_A_TUNNEL_TOS,
	CNILINK_A_TUNNEL_MTU,
	CNILINK_A_TUNNEL_LLADDR,
	CNILINK_A_TUNNEL_MSS4,
	CNILINK_A_TUNNEL_MSS6,
	CNILINK_A_TUNNEL_HEALTH,
	CNILINK_A_TUNNEL_HEALTH_RATE,
	CNILINK_A_TUNNEL_HEALTH_ANSWERED,
	CNILINK_A_TUNNEL_HEALTH_LIMITED,
	CNILINK_A_TUNNEL_BLOCKERS,
	CNILINK_A_TUNNEL_STATS,
	CNILINK_A_TUNNEL_PAD,
	CNILINK_A_TUNNEL_LOCAL6,
	CNILINK_A_TUNNEL_REMOTE6,
	CNILINK_A_TUNNEL_OUTER_MTU,
	CNILINK_A_TUNNEL_OVERHEAD,
	CNILINK_A_TUNNEL_OUTPUT,
	CNILINK_A_TUNNEL_FLAGS,
	CNILINK_A_TUNNEL_INPUT,

	__CNILINK_A_TUNNEL_MAX,
	CNILINK_A_TUNNEL_MAX = (__CNILINK_A_TUNNEL_MAX - 1)
};

enum {
	CNILINK_A_HEALTH_LOCAL4 = 1,
	CNILINK_A_HEALTH_PEER4,
	CNILINK_A_HEALTH_LOCAL6,
	CNILINK_A_HEALTH_PEER6,
	CNILINK_A_HEALTH_PEER_LEN,
	CNILINK_A_HEALTH_FLAGS,

	__CNILINK_A_HEALTH_MAX,
	CNILINK_A_HEALTH_MAX = (__CNILINK_A_HEALTH_MAX - 1)
};

enum {
	CNILINK_A_PORT_IFINDEX = 1,
	CNILINK_A_PORT_FLAGS,
	CNILINK_A_PORT_MTU,
	CNILINK_A_PORT_BLOCKERS,
	CNILINK_A_PORT_STATS,
	CNILINK_A_PORT_PAD,
	CNILINK_A_PORT_MSS4,
	CNILINK_A_PORT_MSS6,
	CNILINK_A_PORT_XDP_BLOCKERS,

	__CNILINK_A_PORT_MAX,
	CNILINK_A_PORT_MAX = (__CNILINK_A_PORT_MAX - 1)
};

enum {
	CNILINK_A_NEXTHOP_OIF = 1,
	CNILINK_A_NEXTHOP_VIA4,
	CNILINK_A_NEXTHOP_VIA6,
	CNILINK_A_NEXTHOP_WEIGHT,

	__CNILINK_A_NEXTHOP_MAX,
	CNILINK_A_NEXTHOP_MAX = (__CNILINK_A_NEXTHOP_MAX - 1)
};

enum {
	CNILINK_A_ROUTE_DST4 = 1,
	CNILINK_A_ROUTE_DST6,
	CNILINK_A_ROUTE_PREFIX_LEN,
	CNILINK_A_ROUTE_ACTION,
	CNILINK_A_ROUTE_NEXTHOP,
	CNILINK_A_ROUTE_BLOCKERS,
	CNILINK_A_ROUTE_PAD,
	CNILINK_A_ROUTE_NEXTHOP_ID,

	__CNILINK_A_ROUTE_MAX,
	CNILINK_A_ROUTE_MAX = (__CNILINK_A_ROUTE_MAX - 1)
};

enum {
	CNILINK_A_TABLE_ROUTE = 1,
	CNILINK_A_TABLE_TRANSACTION,
	CNILINK_A_TABLE_GENERATION,
	CNILINK_A_TABLE_PAD,
	CNILINK_A_TABLE_ID,

	__CNILINK_A_TABLE_MAX,
	CNILINK_A_TABLE_MAX = (__CNILINK_A_TABLE_MAX - 1)
};

enum {
	CNILINK_A_LOOKUP_DST4 = 1,
	CNILINK_A_LOOKUP_DST6,
	CNILINK_A_LOOKUP_PREFIX_LEN,
	CNILINK_A_LOOKUP_REASON,
	CNILINK_A_LOOKUP_BLOCKERS,
	CNILINK_A_LOOKUP_NEXTHOP,
	CNILINK_A_LOOKUP_LOWER_IFINDEX,
	CNILINK_A_LOOKUP_LLADDR,
	CNILINK_A_LOOKUP_MTU,
	CNILINK_A_LOOKUP_PAD,
	CNILINK_A_LOOKUP_SRC4,
	CNILINK_A_LOOKUP_SRC6,
	CNILINK_A_LOOKUP_TABLE,

	__CNILINK_A_LOOKUP_MAX,
	CNILINK_A_LOOKUP_MAX = (__CNILINK_A_LOOKUP_MAX - 1)
};

enum {
	CNILINK_A_STATUS_VERSION = 1,
	CNILINK_A_STATUS_GENERATION,
	CNILINK_A_STATUS_ROUTES4,
	CNILINK_A_STATUS_ROUTES6,
	CNILINK_A_STATUS_PUNTED4,
	CNILINK_A_STATUS_PUNTED6,
	CNILINK_A_STATUS_BYTES,
	CNILINK_A_STATUS_BLOCKERS4,
	CNILINK_A_STATUS_BLOCKERS6,
	CNILINK_A_STATUS_PAD,
	CNILINK_A_STATUS_XDP,
	CNILINK_A_STATUS_HOOKS,

	__CNILINK_A_STATUS_MAX,
	CNILINK_A_STATUS_MAX = (__CNILINK_A_STATUS_MAX - 1)
};

enum {
	CNILINK_CMD_LINK_GET = 1,
	CNILINK_CMD_LINK_SET,
	CNILINK_CMD_LINK_DEL,
	CNILINK_CMD_LINK_NTF,
	CNILINK_CMD_LINK_DEL_NTF,
	CNILINK_CMD_TUNNEL_GET,
	CNILINK_CMD_TUNNEL_SET,
	CNILINK_CMD_TUNNEL_DEL,
	CNILINK_CMD_TUNNEL_NTF,
	CNILINK_CMD_TUNNEL_DEL_NTF,
	CNILINK_CMD_PORT_GET,
	CNILINK_CMD_PORT_SET,
	CNILINK_CMD_PORT_DEL,
	CNILINK_CMD_PORT_NTF,
	CNILINK_CMD_PORT_DEL_NTF,
	CNILINK_CMD_ROUTE_SET,
	CNILINK_CMD_ROUTE_DEL,
	CNILINK_CMD_ROUTE_GET,
	CNILINK_CMD_ROUTE_LOOKUP,
	CNILINK_CMD_TABLE_BEGIN,
	CNILINK_CMD_TABLE_COMMIT,
	CNILINK_CMD_TABLE_ABORT,
	CNILINK_CMD_STATUS_GET,
	CNILINK_CMD_STATE_NTF,

	__CNILINK_CMD_MAX,
	CNILINK_CMD_MAX = (__CNILINK_CMD_MAX - 1)
};

#define CNILINK_MCGRP_CONFIG	"config"
#define CNILINK_MCGRP_STATE	"state"

#endif /* _UAPI_LINUX_CNILINK_H */
