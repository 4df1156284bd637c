// SPDX-License-Identifier: GPL-2.0
/* The link: its device, and the address that nobody else may have. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <linux/if_addr.h>

#include "bringup.h"
#include "out.h"

/* How long an IPv6 address may be looked for a duplicate of. */
#define DAD_MS 3000

bool is_vlan(const struct up *u, const struct netdev *dev)
{
	return !strcmp(dev->kind, "vlan") && dev->vlan_id == u->c->link.vlan &&
	       dev->parent == u->parent.ifindex;
}

static int make_vlan(struct up *u)
{
	const struct config_link *l = &u->c->link;
	int rc;

	if (!l->vlan)
		return 0;
	if (u->link.ifindex) {
		right(u, "%s is VLAN %u of %s", l->ifname, l->vlan, l->device);
		return 0;
	}
	if (!step(u, "ip link add link %s name %s type vlan id %u", l->device,
		  l->ifname, l->vlan)) {
		strcpy(u->link.name, l->ifname);
		u->link.mtu = u->parent.mtu;
		return 0;
	}
	rc = rtnl_vlan_add(&u->rt, u->parent.ifindex, l->ifname, l->vlan);
	/* Somebody else was faster. */
	if (rc == -EEXIST && !look_at(u, l->ifname, &u->link) &&
	    is_vlan(u, &u->link))
		return 0;
	if (rc) {
		failed_rt(u, rc, "add the VLAN device", l->ifname);
		if (rc == -EOPNOTSUPP)
			hint("the kernel has no VLAN support: modprobe 8021q");
		return rc;
	}
	return made(u, l->ifname, &u->link);
}

int make_link(struct up *u)
{
	const struct config_link *l = &u->c->link;
	int rc;

	rc = bring_up(u, &u->parent);
	if (!rc)
		rc = make_vlan(u);
	if (rc)
		return rc;
	if (l->mtu) {
		rc = set_mtu(u, &u->link, l->mtu);
		if (rc)
			return rc;
		u->link.mtu = l->mtu;
	}
	if (l->vlan) {
		rc = bring_up(u, &u->link);
		if (rc)
			return rc;
	}
	rc = add_addr(u, &u->link, &l->local4);
	return rc ? rc : add_addr(u, &u->link, &l->local6);
}

static void sleep_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

int wait_dad(struct up *u)
{
	const struct addr *a = &u->c->link.local6;
	struct netdev dev;
	struct devaddr *list;
	unsigned int n, i;
	uint32_t flags;
	int waited, rc;

	if (!a->family || u->dry)
		return 0;
	for (waited = 0; waited < DAD_MS; waited += 50) {
		rc = check_interrupted();
		if (rc)
			return rc;
		/* Nobody can be asked without a carrier. */
		if (rtnl_dev(&u->rt, u->link.name, &dev) || !dev.carrier)
			return 0;
		rc = rtnl_addrs(&u->rt, u->link.ifindex, &list, &n);
		if (rc)
			return failed_rt(u, rc, "list the addresses of",
					 u->link.name);
		flags = 0;
		for (i = 0; i < n; i++)
			if (addr_same(&list[i].a, a))
				flags = list[i].flags;
		free(list);
		if (flags & IFA_F_DADFAILED) {
			err("%s is in use at the other end of %s too",
			    addr_str(a), u->link.name);
			hint("local6 and peer6 may have been swapped, or Cloudflare's side is set up wrongly");
			return -EADDRINUSE;
		}
		if (!(flags & IFA_F_TENTATIVE))
			return 0;
		sleep_ms(50);
	}
	return 0;
}
