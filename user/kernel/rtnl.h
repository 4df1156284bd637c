/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_RTNL_H
#define CNICTL_RTNL_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "kernel/kroute.h"
#include "kernel/nl.h"

/*
 * Routing protocol numbers: of routes added by hand, of those that up needs
 * itself, and of those of the configuration's static prefixes.
 */
#define PROTO_ROUTE 199
#define PROTO_UP 198
#define PROTO_STATIC 200

/* What makes a gre or ip6gre device. */
struct gre {
	bool v6;			/* of kind ip6gre */
	struct addr local, remote;	/* family 0: any */
	bool has_ikey, has_okey;
	uint32_t ikey, okey;		/* host byte order */
	bool csum, seq;			/* of either direction */
	/* These aren't for rtnl_gre_set(). */
	bool ignore_df, external;
	uint16_t encap;			/* TUNNEL_ENCAP_* */
	uint32_t fwmark;
	uint8_t ttl;
	uint8_t tos;			/* IPv4's */
	bool pmtudisc;			/* IPv4's */
	uint32_t flags, flowinfo;	/* IPv6's: IP6_TNL_F_*, host byte order */
	uint8_t encap_limit;		/* IPv6's, unless a flag says none */
};

struct netdev {
	uint32_t ifindex;
	char name[IFNAMSIZ];
	char kind[16];		/* "" for a device of hardware */
	char alias[80];
	unsigned int flags;	/* IFF_* */
	uint32_t mtu;
	uint32_t parent;	/* ifindex of the device under it, or 0 */
	uint32_t master;	/* ifindex of the bridge, bond or VRF it's in */
	bool carrier;
	uint8_t addrgenmode;	/* IN6_ADDR_GEN_MODE_* */
	uint16_t vlan_id;	/* of kind "vlan" */
	uint16_t vlan_proto;	/* ETH_P_*, host byte order */
	struct gre gre;		/* of kind "gre" and "ip6gre" */
	/* All that makes its kind, as the kernel told it: IFLA_LINKINFO. */
	uint8_t info[512];
	uint16_t info_len;
};

struct devaddr {
	struct addr a;
	uint32_t ifindex;
	uint32_t flags;		/* IFA_F_* */
	uint8_t proto;		/* who added it, 0 when the kernel can't say */
};

/* All return 0 or a negative errno, not printed; see nlc_strerror(). */
int rtnl_open(struct nlconn *c);	/* this one prints */

int rtnl_dev(struct nlconn *c, const char *name, struct netdev *dev);
/* All devices; *list is for free(). */
int rtnl_devs(struct nlconn *c, struct netdev **list, unsigned int *n);
int rtnl_vlan_add(struct nlconn *c, uint32_t parent, const char *name,
		  uint16_t id, uint32_t mtu);
/* The name of the VLAN device of @parent with the ID; false if there's none. */
bool rtnl_vlan_find(struct nlconn *c, uint32_t parent, uint16_t id,
		    char name[IFNAMSIZ]);
/* @ifindex 0: a new device; else that one is changed. */
int rtnl_gre_set(struct nlconn *c, uint32_t ifindex, const char *name,
		 const struct gre *gre, uint32_t mtu);
/* Makes a changed device of the same kind what it was in @dev. */
int rtnl_dev_reset(struct nlconn *c, const struct netdev *dev);
int rtnl_dev_up(struct nlconn *c, uint32_t ifindex, bool up);
int rtnl_dev_mtu(struct nlconn *c, uint32_t ifindex, uint32_t mtu);
int rtnl_dev_alias(struct nlconn *c, uint32_t ifindex, const char *alias);
int rtnl_dev_addrgen(struct nlconn *c, uint32_t ifindex, uint8_t mode);
int rtnl_dev_del(struct nlconn *c, uint32_t ifindex);

/* @ifindex 0: those of all devices. *list is for free(). */
int rtnl_addrs(struct nlconn *c, uint32_t ifindex, struct devaddr **list,
	       unsigned int *n);
int rtnl_addr_add(struct nlconn *c, uint32_t ifindex, const struct addr *a);
int rtnl_addr_del(struct nlconn *c, uint32_t ifindex, const struct addr *a);

struct rtnl_route {
	uint32_t table;		/* 0: main */
	struct addr dst, via;	/* via: family 0 for none */
	uint32_t oif;
	uint8_t proto;
	/* Several ways out (oif, via and weight of each) instead of one. */
	const struct khop *hops;
	unsigned int n_hops;
};

/* @flags: NLM_F_CREATE | NLM_F_EXCL, or NLM_F_CREATE | NLM_F_REPLACE. */
int rtnl_route_add(struct nlconn *c, const struct rtnl_route *r, int flags);
int rtnl_route_del(struct nlconn *c, const struct rtnl_route *r);

/* A rule of ours: what comes from the address @src is looked up in a table. */
int rtnl_rule_add(struct nlconn *c, const struct addr *src, uint32_t table);
int rtnl_rule_del(struct nlconn *c, const struct addr *src, uint32_t table);
/* Those that there are from @src; *tables is for free(). */
int rtnl_rules(struct nlconn *c, const struct addr *src, uint32_t **tables,
	       unsigned int *n);

/*
 * Whether a rule of a family, AF_INET or AF_INET6, leads to a table, for
 * whatever packets; or a negative errno.
 */
int rtnl_rule_leads(struct nlconn *c, int family, uint32_t table);

/*
 * Walks a table of a family, AF_INET or AF_INET6. @fn gets NULL when the walk
 * starts over. @raw: the message itself, or NULL.
 */
int rtnl_routes(struct nlconn *c, int family, uint32_t table,
		int (*fn)(const struct kroute *r, const struct nlmsghdr *raw,
			  void *arg), void *arg);

/* The kernel's own answer on a destination. Only until the next call. */
/*
 * @src: of the packet, or family 0; @iif: where it comes in, or 0 for one from
 * here.
 */
int rtnl_route_get_from(struct nlconn *c, const struct addr *dst,
			const struct addr *src, uint32_t iif,
			struct kroute *r);
int rtnl_route_get(struct nlconn *c, const struct addr *dst,
		   struct kroute *r);

/* Gives a route back to the kernel as it was dumped. */
int rtnl_route_restore(struct nlconn *c, const struct nlmsghdr *raw);

/* @state: NUD_*; -ENOENT when the kernel knows nothing of the neighbour. */
int rtnl_neigh(struct nlconn *c, uint32_t ifindex, const struct addr *a,
	       uint16_t *state);

/* Name of a device, or "#INDEX" when it's gone: a static buffer, four deep. */
const char *rtnl_name(uint32_t ifindex);

#endif
