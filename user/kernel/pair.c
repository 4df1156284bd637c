// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/rtnetlink.h>

#include "kernel/pair.h"

/* Where else an address is, or NULL. */
static const char *is_elsewhere(struct nlconn *c, const struct netdev *dev,
				const struct addr *a, struct addr *as)
{
	const char *name = NULL;
	struct devaddr *list;
	unsigned int n, i;

	if (rtnl_addrs(c, 0, &list, &n))
		n = 0;
	for (i = 0; i < n && !name; i++) {
		/* On the loopback device it brings no route. */
		if (list[i].ifindex == dev->ifindex ||
		    !strcmp(rtnl_name(list[i].ifindex), "lo") ||
		    !addr_same(&list[i].a, a))
			continue;
		name = rtnl_name(list[i].ifindex);
		*as = list[i].a;
	}
	free(list);
	return name;
}

static bool no_route(struct nlconn *c, const struct netdev *dev,
		     const struct addr *local, const struct addr *peer,
		     struct pair_problem *p)
{
	const char *v = peer->family == AF_INET ? "" : " -6";

	if (!rtnl_rule_leads(c, peer->family, RT_TABLE_MAIN)) {
		snprintf(p->text, sizeof(p->text), "no policy routing rule leads to the table main, so none of its routes leads to %s",
			 addr_str(peer));
		snprintf(p->hint, sizeof(p->hint), "ip%s rule add pref 32766 lookup main; a network manager that takes rules away has to leave them alone (systemd-networkd: ManageForeignRoutingPolicyRules=no)",
			 v);
		return false;
	}
	snprintf(p->text, sizeof(p->text), "no route leads to %s, though %s has %s",
		 addr_str(peer), dev->name, addr_prefix_str(local));
	snprintf(p->hint, sizeof(p->hint), "an address with \"noprefixroute\", as NetworkManager's, brings none: ip route add %s dev %s src %s",
		 addr_str(peer), dev->name, addr_str(local));
	return false;
}

/* A host of its own, and no device, that the kernel takes it for. */
static bool wrong_kind(const struct netdev *dev, const struct addr *local,
		       const struct addr *peer, const struct kroute *k,
		       struct pair_problem *p)
{
	if (k->type == RTN_BROADCAST) {
		snprintf(p->text, sizeof(p->text), "%s is a broadcast address to this host, since %s came with it",
			 addr_str(peer), addr_prefix_str(local));
		snprintf(p->hint, sizeof(p->hint), "a pair has none: ip address delete %s dev %s, and cnictl up, or add it again without \"broadcast\"",
			 addr_prefix_str(local), dev->name);
	} else {
		snprintf(p->text, sizeof(p->text), k->type == RTN_LOCAL ?
			 "%s is an address of this host itself" :
			 "the route to %s has no egress device", addr_str(peer));
		snprintf(p->hint, sizeof(p->hint), k->type == RTN_LOCAL ?
			 "local and peer may have been swapped: ip address show to %s" :
			 "ip route get %s tells which it is",
			 addr_str(peer));
	}
	return false;
}

bool pair_leads(struct nlconn *c, const struct netdev *dev,
		const struct addr *local, const struct addr *peer,
		struct pair_problem *p)
{
	const char *name;
	struct kroute k;
	struct addr as;
	unsigned int i;

	name = is_elsewhere(c, dev, local, &as);
	if (name) {
		snprintf(p->text, sizeof(p->text), "%s is on %s, too, as %s",
			 addr_str(local), name, addr_prefix_str(&as));
		snprintf(p->hint, sizeof(p->hint), "packets to %s can leave by that: ip address delete %s dev %s",
			 addr_str(peer), addr_prefix_str(&as), name);
		return false;
	}
	/* Who sends by a VRF says so. */
	if (dev->master)
		return true;
	if (rtnl_route_get(c, peer, &k))
		return no_route(c, dev, local, peer, p);
	if (k.type != RTN_UNICAST)
		return wrong_kind(dev, local, peer, &k, p);
	for (i = 0; i < k.n_hops; i++)
		if (k.hops[i].oif == dev->ifindex)
			return true;
	/* The default route is no answer. */
	if (!k.n_hops || !k.dst.len)
		return no_route(c, dev, local, peer, p);
	snprintf(p->text, sizeof(p->text), "packets to %s leave by %s, not by %s",
		 addr_str(peer), rtnl_name(k.hops[0].oif), dev->name);
	snprintf(p->hint, sizeof(p->hint), "by the route to %s: ip route show table %u",
		 addr_prefix_str(&k.dst), k.table);
	return false;
}
