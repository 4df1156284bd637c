// SPDX-License-Identifier: GPL-2.0
/* Keeps what goes with a device while it's removed, to be put back. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/netlink.h>

#include "base/out.h"
#include "kernel/rtnl.h"
#include "kernel/saved.h"
#include "kernel/sysctl.h"

#ifndef IFA_PROTO
#define IFA_PROTO 11
#endif
#define KERNEL_LL 3	/* IFAPROT_KERNEL_LL */

/* Settings that a new device has anew. */
static const char *const sysctls[] = {
	"net/ipv4/conf/%s/accept_local", "net/ipv4/conf/%s/rp_filter",
	"net/ipv4/conf/%s/forwarding", "net/ipv6/conf/%s/forwarding",
	"net/ipv6/conf/%s/accept_dad",
};

#define N_SYSCTLS (sizeof(sysctls) / sizeof(sysctls[0]))

struct message {
	struct message *next;
	struct nlmsghdr nlh;		/* and what belongs to it */
};

struct saved {
	struct netdev dev;
	int sysctls[N_SYSCTLS];		/* -1: there is none */
	struct message *addrs, *routes;	/* in the kernel's order */
};

struct keep {
	uint32_t ifindex;
	struct message **first, **last;
};

static void forget(struct message **list)
{
	struct message *m;

	while ((m = *list)) {
		*list = m->next;
		free(m);
	}
}

static void keep_message(struct keep *k, const struct nlmsghdr *nlh)
{
	struct message *m = xalloc(sizeof(*m) + nlh->nlmsg_len);

	memcpy(&m->nlh, nlh, nlh->nlmsg_len);
	*k->last = m;
	k->last = &m->next;
}

static int keep_addr(const struct nlmsghdr *nlh, void *arg)
{
	struct keep *k = arg;
	const struct ifaddrmsg *ifa;
	struct nlattr *proto;

	if (!nlh) {
		forget(k->first);
		k->last = k->first;
		return 0;
	}
	ifa = nlmsg_data(nlh);
	proto = nlmsg_find_attr((struct nlmsghdr *)nlh, sizeof(*ifa),
				IFA_PROTO);
	/* The numbers up to that are of addresses that the kernel makes. */
	if (ifa->ifa_index == k->ifindex &&
	    (!proto || !nla_get_u8(proto) || nla_get_u8(proto) > KERNEL_LL))
		keep_message(k, nlh);
	return 0;
}

static int keep_route(const struct nlmsghdr *nlh, void *arg)
{
	struct keep *k = arg;
	const struct rtmsg *rtm;

	if (!nlh) {
		forget(k->first);
		k->last = k->first;
		return 0;
	}
	rtm = nlmsg_data(nlh);
	/* The kernel's own come with the addresses. */
	if (rtm->rtm_protocol != RTPROT_KERNEL &&
	    !(rtm->rtm_flags & RTM_F_CLONED))
		keep_message(k, nlh);
	return 0;
}

static int take_routes(struct nlconn *c, struct keep *k, int family)
{
	struct rtmsg rtm = { .rtm_family = family };
	struct nl_msg *msg = nlx_msg(RTM_GETROUTE, 0, &rtm, sizeof(rtm));
	struct message *list = NULL;
	struct keep own = { k->ifindex, &list, &list };
	int rc;

	nlx_u32(msg, RTA_OIF, k->ifindex);
	rc = nlc_dump(c, msg, keep_route, &own);
	*k->last = list;
	if (list)
		k->last = own.last;
	return rc;
}

/* A static buffer. */
static const char *sysctl_of(const struct saved *s, unsigned int i)
{
	static char path[96];

	snprintf(path, sizeof(path), sysctls[i], s->dev.name);
	return path;
}

/* A VLAN device is told with a mask of all flags, and takes that of its own. */
#define VLAN_FLAGS 0x1f

static void mask_vlan_flags(struct netdev *dev)
{
	struct nlattr *data, *attr;
	struct ifla_vlan_flags flags;

	data = nla_find((struct nlattr *)dev->info, dev->info_len,
			IFLA_INFO_DATA);
	attr = data ? nla_find(nla_data(data), nla_len(data),
			       IFLA_VLAN_FLAGS) : NULL;
	if (!attr || nla_len(attr) < (int)sizeof(flags))
		return;
	memcpy(&flags, nla_data(attr), sizeof(flags));
	flags.mask &= VLAN_FLAGS;
	memcpy(nla_data(attr), &flags, sizeof(flags));
}

int saved_take(struct nlconn *c, const struct netdev *dev, struct saved **s)
{
	struct ifaddrmsg ifa = { .ifa_index = dev->ifindex };
	struct saved *new = xalloc(sizeof(*new));
	struct keep k = { dev->ifindex, &new->addrs, &new->addrs };
	unsigned int i;
	int rc;

	new->dev = *dev;
	if (!strcmp(dev->kind, "vlan"))
		mask_vlan_flags(&new->dev);
	rc = nlc_dump(c, nlx_msg(RTM_GETADDR, 0, &ifa, sizeof(ifa)), keep_addr,
		      &k);
	k.first = k.last = &new->routes;
	if (!rc)
		rc = take_routes(c, &k, AF_INET);
	if (!rc)
		rc = take_routes(c, &k, AF_INET6);
	for (i = 0; i < N_SYSCTLS; i++)
		new->sysctls[i] = sysctl_read(sysctl_of(new, i));
	if (rc)
		saved_free(new);
	else
		*s = new;
	return rc;
}

static int make(struct nlconn *c, const struct netdev *dev)
{
	struct ifinfomsg ifi = { .ifi_index = dev->ifindex };
	struct nl_msg *msg;

	msg = nlx_msg(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &ifi,
		      sizeof(ifi));
	nlx_str(msg, IFLA_IFNAME, dev->name);
	nlx_u32(msg, IFLA_MTU, dev->mtu);
	if (dev->parent)
		nlx_u32(msg, IFLA_LINK, dev->parent);
	nlx_put(msg, IFLA_LINKINFO | NLA_F_NESTED, dev->info, dev->info_len);
	return nlc_talk(c, msg, NULL, NULL);
}

static struct nlattr *hops_of(const struct nlmsghdr *nlh)
{
	return nlmsg_find_attr((struct nlmsghdr *)nlh, sizeof(struct rtmsg),
			       RTA_MULTIPATH);
}

/* The hops of @hops but those by the device; how many. */
static unsigned int put_other_hops(struct nl_msg *msg, struct nlattr *hops,
				   uint32_t ifindex)
{
	struct nlattr *nest = nla_nest_start(msg, RTA_MULTIPATH);
	struct rtnexthop *h = nla_data(hops);
	int left = nla_len(hops), len;
	unsigned int n = 0;
	void *to;

	for (; nest && left >= (int)sizeof(*h) && h->rtnh_len >= sizeof(*h) &&
	       h->rtnh_len <= left; h = (void *)((char *)h + len)) {
		len = NLMSG_ALIGN(h->rtnh_len);
		left -= len;
		if ((uint32_t)h->rtnh_ifindex == ifindex)
			continue;
		to = nlmsg_reserve(msg, h->rtnh_len, NLMSG_ALIGNTO);
		if (!to)
			return 0;
		memcpy(to, h, h->rtnh_len);
		n++;
	}
	if (nest)
		nla_nest_end(msg, nest);
	return n;
}

static int spare(struct nlconn *c, const struct nlmsghdr *nlh,
		 uint32_t ifindex)
{
	struct nl_msg *msg = nlx_msg(RTM_NEWROUTE,
				     NLM_F_CREATE | NLM_F_REPLACE,
				     nlmsg_data(nlh), sizeof(struct rtmsg));
	struct nlattr *hops = NULL, *attr;
	unsigned int others;
	int left;

	nlmsg_for_each_attr(attr, (struct nlmsghdr *)nlh, sizeof(struct rtmsg),
			    left) {
		if (nla_type(attr) == RTA_MULTIPATH)
			hops = attr;
		else
			nlx_put(msg, nla_type(attr), nla_data(attr),
				nla_len(attr));
	}
	others = put_other_hops(msg, hops, ifindex);
	if (others)
		return nlc_talk(c, msg, NULL, NULL);
	nlmsg_free(msg);
	return 0;
}

/* IPv6's lose the one way out only; those of next hop objects do, too. */
int saved_spare(struct nlconn *c, const struct saved *s)
{
	const struct message *m;
	const struct rtmsg *rtm;
	int rc = 0;

	for (m = s->routes; m && !rc; m = m->next) {
		rtm = nlmsg_data(&m->nlh);
		if (rtm->rtm_family == AF_INET && hops_of(&m->nlh) &&
		    !nlmsg_find_attr((struct nlmsghdr *)&m->nlh, sizeof(*rtm),
				     RTA_NH_ID))
			rc = spare(c, &m->nlh, s->dev.ifindex);
	}
	return rc;
}

/* @family: of addresses and routes, AF_UNSPEC for both. */
static int put_back(struct nlconn *c, const struct message *list, int family,
		    int flags)
{
	const struct nlmsghdr *nlh;
	int rc = 0, one, how;

	for (; list; list = list->next) {
		nlh = &list->nlh;
		/* The first byte of both kinds of message */
		if (family != AF_UNSPEC &&
		    *(const uint8_t *)nlmsg_data(nlh) != family)
			continue;
		how = flags;
		/* What is left of it is there. */
		if (nlh->nlmsg_type == RTM_NEWROUTE && hops_of(nlh))
			how = NLM_F_CREATE | NLM_F_REPLACE;
		one = nlc_talk(c, nlx_msg(nlh->nlmsg_type, how,
					  nlmsg_data(nlh),
					  nlmsg_datalen(nlh)), NULL, NULL);
		/* The kernel made some by itself. */
		if (one && one != -EEXIST && !rc)
			rc = one;
	}
	return rc;
}

int saved_addrs_back(struct nlconn *c, const struct saved *s)
{
	return put_back(c, s->addrs, AF_UNSPEC, NLM_F_CREATE | NLM_F_EXCL);
}

int saved_routes_back(struct nlconn *c, const struct saved *s, int family)
{
	return put_back(c, s->routes, family, NLM_F_CREATE | NLM_F_APPEND);
}

int saved_restore(struct nlconn *c, const struct saved *s)
{
	const struct netdev *dev = &s->dev;
	unsigned int i;
	int rc;

	rc = make(c, dev);
	/* It wasn't removed after all; but routes may have been spared it. */
	if (rc == -EEXIST)
		return saved_routes_back(c, s, AF_UNSPEC);
	if (rc)
		return rc;
	if (*dev->alias)
		rtnl_dev_alias(c, dev->ifindex, dev->alias);
	rtnl_dev_addrgen(c, dev->ifindex, dev->addrgenmode);
	for (i = 0; i < N_SYSCTLS; i++)
		if (s->sysctls[i] >= 0)
			sysctl_write(sysctl_of(s, i), s->sysctls[i]);
	if (dev->flags & IFF_UP)
		rc = rtnl_dev_up(c, dev->ifindex, true);
	if (!rc)
		rc = saved_addrs_back(c, s);
	return rc ? rc : saved_routes_back(c, s, AF_UNSPEC);
}

void saved_free(struct saved *s)
{
	if (!s)
		return;
	forget(&s->addrs);
	forget(&s->routes);
	free(s);
}
