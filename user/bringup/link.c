// SPDX-License-Identifier: GPL-2.0
/* The link: its device, and the address that nobody else may have. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <linux/if_addr.h>

#include "base/out.h"
#include "bringup/bringup.h"
#include "kernel/module.h"
#include "kernel/pair.h"

/* How long an IPv6 address may be looked for a duplicate of. */
#define DAD_MS 3000

/* The most that Cloudflare takes, on a port that may carry more for others. */
#define CNI_MTU 1500

uint32_t link_mtu(const struct up *u)
{
	if (u->c->link.mtu)
		return u->c->link.mtu;
	return u->parent.mtu < CNI_MTU ? u->parent.mtu : CNI_MTU;
}

bool link_is_vlan(const struct up *u, const struct netdev *dev)
{
	return !strcmp(dev->kind, "vlan") && dev->vlan_id == u->c->link.vlan &&
	       dev->parent == u->parent.ifindex;
}

static int make_vlan(struct up *u)
{
	const struct config_link *l = &u->c->link;
	uint32_t mtu = link_mtu(u);
	int rc;

	if (!l->vlan)
		return 0;
	if (u->link.ifindex) {
		step_right(u, "%s is VLAN %u of %s", l->ifname, l->vlan,
			   l->device);
		return 0;
	}
	if (!step_do(u, "ip link add link %s name %s mtu %u type vlan id %u",
		     l->device, l->ifname, mtu, l->vlan)) {
		strcpy(u->link.name, l->ifname);
		u->link.mtu = mtu;
		return 0;
	}
	rc = rtnl_vlan_add(&u->rt, u->parent.ifindex, l->ifname, l->vlan, mtu);
	/* Somebody else was faster. */
	if (rc == -EEXIST && !dev_look(u, l->ifname, &u->link) &&
	    link_is_vlan(u, &u->link))
		return 0;
	if (rc) {
		step_failed(u, rc, "add the VLAN device", l->ifname);
		if (rc == -EOPNOTSUPP && module_is_there("8021q"))
			hint("%s takes no VLANs: what is it? ip -d link show %s",
			     l->device, l->device);
		else if (rc == -EOPNOTSUPP)
			hint("the kernel has no VLAN support (8021q): %s",
			     module_lack("8021q"));
		return rc;
	}
	return dev_made(u, l->ifname, &u->link);
}

/* What isn't ours may have another on purpose. */
static int fit_mtu(struct up *u)
{
	const struct config_link *l = &u->c->link;
	bool long_one = u->link.mtu > CNI_MTU;
	int rc;

	if (!l->mtu && l->vlan && u->parent.mtu > CNI_MTU &&
	    (!long_one || dev_is_ours(u, &u->link)))
		step_remark(u, "%s has an MTU of %u, not the %u of %s: Cloudflare's is that; \"mtu\" in %s sets another",
			    l->ifname, CNI_MTU, u->parent.mtu, l->device,
			    u->c->file);
	else if (!l->mtu && long_one)
		step_remark(u, "%s has an MTU of %u, and Cloudflare's is %u: larger packets are lost; \"mtu = %u\" in %s changes it",
			    l->ifname, u->link.mtu, CNI_MTU, CNI_MTU,
			    u->c->file);
	if (!l->mtu && !(long_one && l->vlan && dev_is_ours(u, &u->link)))
		return 0;
	rc = dev_set_mtu(u, &u->link, link_mtu(u));
	if (!rc)
		u->link.mtu = link_mtu(u);
	return rc;
}

void link_look_at_pair(struct up *u, const struct netdev *dev,
		       const struct addr *local, const struct addr *peer)
{
	struct pair_problem p;

	/* Before it's made there's no way to it. */
	if (!local->family || !peer->family || u->dry ||
	    pair_leads(&u->rt, dev, local, peer, &p))
		return;
	step_remark(u, "%s", p.text);
	step_remark(u, "  %s", p.hint);
}

int link_make(struct up *u)
{
	const struct config_link *l = &u->c->link;
	int rc;

	rc = dev_bring_up(u, &u->parent);
	if (!rc)
		rc = make_vlan(u);
	if (rc)
		return rc;
	rc = fit_mtu(u);
	if (rc)
		return rc;
	if (l->vlan) {
		rc = dev_bring_up(u, &u->link);
		if (rc)
			return rc;
	}
	rc = dev_add_addr(u, &u->link, &l->local4);
	if (!rc)
		rc = dev_add_addr(u, &u->link, &l->local6);
	if (!rc) {
		link_look_at_pair(u, &u->link, &l->local4, &l->peer4);
		link_look_at_pair(u, &u->link, &l->local6, &l->peer6);
	}
	return rc;
}

static void sleep_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

int link_wait_dad(struct up *u)
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
		rc = step_interrupted();
		if (rc)
			return rc;
		/* Nobody can be asked without a carrier. */
		if (rtnl_dev(&u->rt, u->link.name, &dev) || !dev.carrier)
			return 0;
		rc = rtnl_addrs(&u->rt, u->link.ifindex, &list, &n);
		if (rc)
			return step_failed(u, rc, "list the addresses of",
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
