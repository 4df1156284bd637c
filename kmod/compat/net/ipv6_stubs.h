/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_COMPAT_NET_IPV6_STUBS_H
#define _CNI_COMPAT_NET_IPV6_STUBS_H

/* What IPv6 as a module had to be asked by way of; none with it built in. */
#ifndef CNI_COMPAT_IPV6_BUILTIN

#include_next <net/ipv6_stubs.h>

/* IPv6's neighbours; NULL without it */
static inline struct neigh_table *cni_compat_nd_tbl(void)
{
	return ipv6_stub->nd_tbl;
}

#define cni_compat_neigh6_noref	__ipv6_neigh_lookup_noref_stub

#else

#include <linux/ipv6.h>
#include <net/ndisc.h>

static inline struct neigh_table *cni_compat_nd_tbl(void)
{
	return ipv6_mod_enabled() ? &nd_tbl : NULL;
}

#define cni_compat_neigh6_noref	__ipv6_neigh_lookup_noref

#endif

#endif
