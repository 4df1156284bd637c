/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LIVEGEN_H
#define LIVEGEN_H

#define LIVEGEN_KEYS	65536

/* Addresses of one packet, and the checksum over them: of the IPv4 header, or
 * of UDP in IPv6. Network byte order.
 */
struct livegen_key {
	__u32 saddr[4];
	__u32 daddr[4];
	__u32 check;
};

#endif
