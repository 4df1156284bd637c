// SPDX-License-Identifier: GPL-2.0
/* The stock devices and their addresses, of whatever kind they are. */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "base/out.h"
#include "bringup/bringup.h"
#include "kernel/saved.h"

int dev_look(struct up *u, const char *name, struct netdev *dev)
{
	unsigned int i;

	for (i = 0; i < u->n_gone; i++)
		if (!strcmp(u->gone[i], name)) {
			memset(dev, 0, sizeof(*dev));
			return -ENODEV;
		}
	return rtnl_dev(&u->rt, name, dev);
}

bool dev_is_ours(const struct up *u, const struct netdev *dev)
{
	return !strcmp(dev->alias, u->alias) ||
	       (*u->old_alias && !strcmp(dev->alias, u->old_alias));
}

/* To be put back after a change that takes more with it; NULL if it can't be. */
static struct saved *save_rest(struct up *u, uint32_t ifindex)
{
	struct saved *saved;
	struct netdev dev;

	if (rtnl_dev(&u->rt, rtnl_name(ifindex), &dev) ||
	    saved_take(&u->rt, &dev, &saved))
		return NULL;
	return saved;
}

/* IPv6 addresses of a device go when it's taken down. */
static void undo_up(struct up *u, const struct undo *undo)
{
	struct saved *saved;

	if (step_others_keep(u, rtnl_name(undo->ifindex)))
		return;
	saved = save_rest(u, undo->ifindex);
	step_undoing(u, "ip link set %s down", rtnl_name(undo->ifindex));
	rtnl_dev_up(&u->rt, undo->ifindex, false);
	if (saved)
		saved_addrs_back(&u->rt, saved);
	saved_free(saved);
}

int dev_bring_up(struct up *u, const struct netdev *dev)
{
	int rc;

	if (dev->flags & IFF_UP) {
		step_right(u, "%s is up", dev->name);
		return 0;
	}
	if (!step_do(u, "ip link set %s up", dev->name))
		return 0;
	rc = rtnl_dev_up(&u->rt, dev->ifindex, true);
	if (rc)
		return step_failed(u, rc, "bring up", dev->name);
	step_on_failure(u, dev->ifindex, undo_up);
	return 0;
}

static void undo_mtu(struct up *u, const struct undo *undo)
{
	step_undoing(u, "ip link set %s mtu %u", rtnl_name(undo->ifindex),
		     undo->number);
	rtnl_dev_mtu(&u->rt, undo->ifindex, undo->number);
}

int dev_set_mtu(struct up *u, const struct netdev *dev, uint32_t mtu)
{
	int rc;

	if (dev->mtu == mtu) {
		step_right(u, "%s has mtu %u", dev->name, mtu);
		return 0;
	}
	if (!step_do(u, "ip link set %s mtu %u", dev->name, mtu))
		return 0;
	rc = rtnl_dev_mtu(&u->rt, dev->ifindex, mtu);
	if (rc)
		return step_failed(u, rc, "set the mtu of", dev->name);
	step_on_failure(u, dev->ifindex, undo_mtu)->number = dev->mtu;
	return 0;
}

static void undo_dev(struct up *u, const struct undo *undo)
{
	if (step_others_keep(u, rtnl_name(undo->ifindex)))
		return;
	step_undoing(u, "ip link delete %s", rtnl_name(undo->ifindex));
	rtnl_dev_del(&u->rt, undo->ifindex);
}

int dev_made(struct up *u, const char *name, struct netdev *dev)
{
	int rc = rtnl_dev(&u->rt, name, dev);

	if (!rc) {
		step_on_failure(u, dev->ifindex, undo_dev);
		rc = rtnl_dev_alias(&u->rt, dev->ifindex, u->alias);
	}
	return rc ? step_failed(u, rc, "mark", name) : 0;
}

/*
 * With the last IPv4 address of a device all its routes of IPv4 go, those too
 * that don't need it. Otherwise nothing is put back: what changed meanwhile
 * would be as it was.
 */
static void routes_back(struct up *u, uint32_t ifindex,
			const struct addr *removed, const struct saved *saved)
{
	bool left = false;
	struct devaddr *list;
	unsigned int n, i;

	if (!saved || removed->family != AF_INET ||
	    rtnl_addrs(&u->rt, ifindex, &list, &n))
		return;
	for (i = 0; i < n; i++)
		left |= list[i].a.family == AF_INET;
	free(list);
	if (!left)
		saved_routes_back(&u->rt, saved, AF_INET);
}

static void undo_addr(struct up *u, const struct undo *undo)
{
	struct saved *saved;

	if (record_has_addr(&u->record, rtnl_name(undo->ifindex), &undo->addr))
		return;
	saved = save_rest(u, undo->ifindex);
	step_undoing(u, "ip address delete %s dev %s",
		     addr_prefix_str(&undo->addr), rtnl_name(undo->ifindex));
	rtnl_addr_del(&u->rt, undo->ifindex, &undo->addr);
	routes_back(u, undo->ifindex, &undo->addr, saved);
	saved_free(saved);
}

int dev_add_addr(struct up *u, const struct netdev *dev, const struct addr *a)
{
	struct devaddr *list;
	bool again = false;
	unsigned int n, i;
	int rc;

	if (!a->family)
		return 0;
look:
	list = NULL;
	n = 0;
	rc = dev->ifindex ? rtnl_addrs(&u->rt, dev->ifindex, &list, &n) : 0;
	if (rc)
		return step_failed(u, rc, "list the addresses of", dev->name);
	for (i = 0; i < n; i++) {
		if (!addr_same(&list[i].a, a))
			continue;
		if (list[i].a.len == a->len) {
			step_right(u, "%s has %s", dev->name,
				   addr_prefix_str(a));
			free(list);
			return 0;
		}
		err("%s has the address %s already, but as %s", dev->name,
		    addr_prefix_str(a), addr_prefix_str(&list[i].a));
		hint("ip address delete %s dev %s",
		     addr_prefix_str(&list[i].a), dev->name);
		free(list);
		return -EEXIST;
	}
	free(list);
	if (!step_do(u, "ip address add %s dev %s", addr_prefix_str(a),
		     dev->name))
		return 0;
	rc = rtnl_addr_add(&u->rt, dev->ifindex, a);
	/* Somebody else was faster. */
	if (rc == -EEXIST && !again) {
		again = true;
		goto look;
	}
	if (rc)
		return step_failed(u, rc, "add an address to", dev->name);
	step_on_failure(u, dev->ifindex, undo_addr)->addr = *a;
	return 0;
}

static void undo_addr_removed(struct up *u, const struct undo *undo)
{
	step_undoing(u, "ip address add %s dev %s",
		     addr_prefix_str(&undo->addr), rtnl_name(undo->ifindex));
	rtnl_addr_add(&u->rt, undo->ifindex, &undo->addr);
	if (undo->saved)
		saved_routes_back(&u->rt, undo->saved, AF_UNSPEC);
}

/* One of a device that stays. */
static int take_addr_off(struct up *u, const struct netdev *dev,
			 const struct addr *a)
{
	struct saved *saved;
	struct undo *undo;
	int rc;

	if (!step_do(u, "ip address delete %s dev %s", addr_prefix_str(a),
		     dev->name))
		return 0;
	saved = save_rest(u, dev->ifindex);
	rc = rtnl_addr_del(&u->rt, dev->ifindex, a);
	if (rc) {
		saved_free(saved);
		return rc == -EADDRNOTAVAIL ? 0 :
		       step_failed(u, rc, "remove an address of", dev->name);
	}
	undo = step_on_failure(u, dev->ifindex, undo_addr_removed);
	undo->addr = *a;
	undo->saved = saved;
	routes_back(u, dev->ifindex, a, saved);
	return 0;
}

int dev_remove_addr(struct up *u, const struct netdev *dev,
		    const struct addr *a)
{
	struct devaddr *list;
	unsigned int n, i;
	int rc;

	if (!a->family || record_has_addr(&u->record, dev->name, a))
		return 0;
	rc = rtnl_addrs(&u->rt, dev->ifindex, &list, &n);
	if (rc)
		return step_failed(u, rc, "list the addresses of", dev->name);
	for (i = 0; i < n && !rc; i++)
		if (list[i].proto == PROTO_UP && addr_same(&list[i].a, a) &&
		    list[i].a.len == a->len)
			rc = take_addr_off(u, dev, &list[i].a);
	free(list);
	return rc;
}

static void undo_mark(struct up *u, const struct undo *undo)
{
	step_undoing(u, "ip link set %s alias \"%s\"", rtnl_name(undo->ifindex),
		     undo->dev.alias);
	rtnl_dev_alias(&u->rt, undo->ifindex, undo->dev.alias);
}

int dev_mark_anew(struct up *u, const char *name)
{
	struct netdev dev;
	int rc;

	rc = dev_look(u, name, &dev);
	if (rc || !dev_is_ours(u, &dev) || !strcmp(dev.alias, u->alias) ||
	    !step_do(u, "ip link set %s alias \"%s\"", name, u->alias))
		return rc == -ENODEV ? 0 : rc;
	rc = rtnl_dev_alias(&u->rt, dev.ifindex, u->alias);
	if (rc)
		return step_failed(u, rc, "mark", name);
	step_on_failure(u, dev.ifindex, undo_mark)->dev = dev;
	return 0;
}

static void undo_removed(struct up *u, const struct undo *undo)
{
	int rc;

	step_undoing(u, "ip link add %s as it was", undo->dev.name);
	rc = saved_restore(&u->rt, undo->saved);
	if (rc)
		step_failed(u, rc, "put back all of", undo->dev.name);
}

int dev_remove(struct up *u, const char *name)
{
	struct saved *saved;
	struct undo *undo;
	struct netdev dev;
	int rc;

	rc = dev_look(u, name, &dev);
	if (rc == -ENODEV) {
		step_right(u, "there is no %s", name);
		return 0;
	}
	if (rc)
		return step_failed(u, rc, "look at", name);
	if (!dev_is_ours(u, &dev)) {
		step_remark(u, "%s stays: cnictl up didn't make it", name);
		return 0;
	}
	if (step_others_keep(u, name))
		return 0;
	if (!step_do(u, "ip link delete %s", name)) {
		u->gone = xrealloc(u->gone,
				   (u->n_gone + 1) * sizeof(*u->gone));
		strcpy(u->gone[u->n_gone++], dev.name);
		return 0;
	}
	rc = saved_take(&u->rt, &dev, &saved);
	if (rc)
		return step_failed(u, rc, "note what goes with", name);
	undo = step_on_failure(u, dev.ifindex, undo_removed);
	undo->dev = dev;
	undo->saved = saved;
	rc = saved_spare(&u->rt, saved);
	if (!rc)
		rc = rtnl_dev_del(&u->rt, dev.ifindex);
	return rc && rc != -ENODEV ? step_failed(u, rc, "remove", name) : 0;
}
