/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_COMPAT_H
#define _CNI_COMPAT_H

#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/netdevice.h>
#include <linux/version.h>
#include <net/flow.h>
#include <net/flow_dissector.h>
#include <net/inet_dscp.h>
#include <net/ip_fib.h>
#include <net/ip_tunnels.h>
#include <net/raw.h>
#include <net/rawv6.h>
#include <net/route.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)

#define CNI_COMPAT_GRE_HAS(flags, what)	((flags) & TUNNEL_##what)
#define CNI_COMPAT_GRE_KNOWN(flags)	\
	(!((flags) & ~(TUNNEL_KEY | TUNNEL_CSUM)))

#else

#define CNI_COMPAT_GRE_HAS(flags, what)	\
	test_bit(IP_TUNNEL_##what##_BIT, flags)

static inline bool cni_compat_gre_known(const unsigned long *flags)
{
	IP_TUNNEL_DECLARE_FLAGS(rest);

	ip_tunnel_flags_copy(rest, flags);
	__clear_bit(IP_TUNNEL_KEY_BIT, rest);
	__clear_bit(IP_TUNNEL_CSUM_BIT, rest);
	return ip_tunnel_flags_empty(rest);
}

#define CNI_COMPAT_GRE_KNOWN		cni_compat_gre_known

#endif

/* 6.12 has a seed of the user's in it. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
static inline u32 cni_compat_multipath_hash(const struct net *net,
					    struct flow_keys *keys)
{
	return flow_hash_from_keys(keys);
}
#else
#define cni_compat_multipath_hash	fib_multipath_hash_from_keys
#endif

/* What of an IPv4 header's TOS a received packet is routed by */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#define CNI_COMPAT_TOS_MASK	IPTOS_RT_MASK
#else
#define CNI_COMPAT_TOS_MASK	INET_DSCP_MASK
#endif

/* A flow's TOS, which has been a DSCP since 6.18 */
static inline void cni_compat_fl4_set_tos(struct flowi4 *fl4, u8 tos)
{
#ifdef flowi4_dscp
	fl4->flowi4_dscp = inet_dsfield_to_dscp(tos);
#else
	fl4->flowi4_tos = tos;
#endif
}

/* tc programs of a device: mini qdiscs until 6.6, then tcx */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define cni_compat_tc_egress(dev)	rcu_access_pointer((dev)->miniq_egress)
#define cni_compat_tc_ingress(dev)	rcu_access_pointer((dev)->miniq_ingress)
#else
#define cni_compat_tc_egress(dev)	rcu_access_pointer((dev)->tcx_egress)
#define cni_compat_tc_ingress(dev)	rcu_access_pointer((dev)->tcx_ingress)
#endif

/*
 * Up to 6.12 rules change under the RTNL, as IPv6 routes do that user space
 * changes. Newer kernels tell of both without it, and before they can be seen.
 */
#define CNI_COMPAT_FIB_RTNL	(LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0))

/* Where packet sockets for one protocol are that are bound to no device */
static inline const struct list_head *cni_compat_ptypes(const struct net *net)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 15, 0)
	return NULL;
#else
	return &net->ptype_specific;
#endif
}

/*
 * Is a raw socket for a protocol open? Lists were all namespaces', and their
 * ends odd numbers, in some early 6.1, 6.2 and 6.3.
 */
static inline bool cni_compat_raw_socket(const struct raw_hashinfo *info,
					 const struct net *net, u8 proto)
{
#ifdef RAW_HTABLE_LOG
	struct sock *sk;

	sk_for_each_rcu(sk, &info->ht[raw_hashfunc(net, proto)])
		if (net_eq(sock_net(sk), net) &&
		    inet_sk(sk)->inet_num == proto)
			return true;
	return false;
#else
	unsigned long first = (unsigned long)READ_ONCE(info->ht[proto].first);

	return first && !(first & 1);
#endif
}

/* A family's rules; NULL when the kernel has none. */
static inline struct fib_rules_ops *cni_compat_rules_ops(struct net *net,
							 bool v6)
{
#ifdef CONFIG_IPV6_MULTIPLE_TABLES
	if (v6)
		return net->ipv6.fib6_rules_ops;
#endif
#ifdef CONFIG_IP_MULTIPLE_TABLES
	if (!v6)
		return net->ipv4.rules_ops;
#endif
	return NULL;
}

/* Packets from this size on are cut: one limit for both families until 6.3 */
static inline unsigned int cni_compat_gso_max_size(const struct net_device *dev,
						   __be16 proto)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
	return READ_ONCE(dev->gso_max_size);
#else
	return proto == htons(ETH_P_IPV6) ? READ_ONCE(dev->gso_max_size) :
					    READ_ONCE(dev->gso_ipv4_max_size);
#endif
}

/* A map of priorities by cgroup: net_prio */
static inline bool cni_compat_priomap(const struct net_device *dev)
{
#if IS_ENABLED(CONFIG_CGROUP_NET_PRIO)
	return rcu_access_pointer(dev->priomap);
#else
	return false;
#endif
}

/* A socket that sends by a device that encrypts wants to see each packet. */
static inline bool cni_compat_sk_validates(const struct sock *sk,
					   const struct sk_buff *skb)
{
#ifdef CONFIG_SOCK_VALIDATE_XMIT
	if (sk_fullsock(sk) && sk->sk_validate_xmit_skb)
		return true;
#endif
#if defined(CONFIG_SKB_DECRYPTED) || defined(CONFIG_TLS_DEVICE)
	return skb->decrypted;
#else
	return false;
#endif
}

/* A device that is sent to without a lock: a feature until 6.12. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#define cni_compat_lltx(dev)	((dev)->features & NETIF_F_LLTX)
#else
#define cni_compat_lltx(dev)	((dev)->lltx)
#endif

/* An XDP program in the driver */
static inline bool cni_compat_xdp_native(const struct net_device *dev)
{
	const struct bpf_xdp_entity *e = &dev->xdp_state[XDP_MODE_DRV];

	return READ_ONCE(e->link) || READ_ONCE(e->prog);
}

/* Devices say since 6.3 whether XDP can send to them; @said is our guess. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline bool cni_compat_xdp_reaches(const struct net_device *dev,
					  bool said)
{
	return said && cni_compat_xdp_native(dev);
}
#else
static inline bool cni_compat_xdp_reaches(const struct net_device *dev,
					  bool said)
{
	return READ_ONCE(dev->xdp_features) & NETDEV_XDP_ACT_NDO_XMIT;
}
#endif

/* What BPF programs call, which the compiler sees no call of: since 6.3 */
#ifndef __bpf_kfunc
#define __bpf_kfunc	__used
#endif

/* Sets of them, told from other sets since 6.9 */
#ifndef BTF_KFUNCS_START
#define BTF_KFUNCS_START	BTF_SET8_START
#define BTF_KFUNCS_END		BTF_SET8_END
#endif

#endif
