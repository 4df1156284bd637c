// SPDX-License-Identifier: GPL-2.0
/* The kernel's settings that up changes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/out.h"
#include "bringup/bringup.h"
#include "kernel/sysctl.h"

static void undo_sysctl(struct up *u, const struct undo *undo)
{
	step_undoing(u, "sysctl -w %s=%u", sysctl_name(undo->sysctl),
		     undo->number);
	sysctl_write(undo->sysctl, undo->number);
}

static int set_sysctl(struct up *u, const char *path, int now, int want)
{
	struct undo *undo;
	int rc;

	if (now == want) {
		step_right(u, "%s is %d", sysctl_name(path), now);
		return 0;
	}
	if (!step_do(u, "sysctl -w %s=%d", sysctl_name(path), want))
		return 0;
	rc = sysctl_write(path, want);
	if (rc) {
		err("can't set %s: %s", sysctl_name(path), strerror(-rc));
		if (rc == -EROFS || rc == -EACCES)
			hint("/proc/sys can't be written here, as in a container: set it from outside");
		return rc;
	}
	undo = step_on_failure(u, 0, undo_sysctl);
	undo->number = now;
	snprintf(undo->sysctl, sizeof(undo->sysctl), "%s", path);
	return 0;
}

static int set_conf(struct up *u, const char *dev, const char *key, int want)
{
	char path[96];

	snprintf(path, sizeof(path), "net/ipv4/conf/%s/%s", dev, key);
	return set_sysctl(u, path, sysctl_read(path), want);
}

int host_let_answer(struct up *u, const struct config_tunnel *t)
{
	const struct health_check *h = &t->opts.health[0];
	char path[96];
	int rc = 0;

	if (!u->no_offload || !t->opts.n_health ||
	    h->local.family != AF_INET)
		return 0;
	if (!h->request)
		rc = set_conf(u, t->ifname, "accept_local", 1);
	if (!rc && !h->request)
		rc = set_conf(u, t->ifname, "forwarding", 1);
	if (rc || !h->unidirectional)
		return rc;
	/* The larger one of all's and the device's counts; 2 is a loose check. */
	snprintf(path, sizeof(path), "net/ipv4/conf/%s/rp_filter", t->ifname);
	if (sysctl_read(path) == 1 ||
	    (sysctl_read("net/ipv4/conf/all/rp_filter") == 1 &&
	     sysctl_read(path) != 2))
		rc = set_conf(u, t->ifname, "rp_filter", 2);
	return rc;
}

static const char * const hash_policies[] = {
	"net/ipv4/fib_multipath_hash_policy",
	"net/ipv6/fib_multipath_hash_policy",
};

#define N_HASH_POLICIES (sizeof(hash_policies) / sizeof(hash_policies[0]))

int host_spread_flows(struct up *u)
{
	unsigned int i;
	int rc, n;

	if (u->c->n_tunnels < 2)
		return 0;
	for (i = 0; i < N_HASH_POLICIES; i++) {
		n = sysctl_read(hash_policies[i]);
		if (n < 0)
			continue;
		rc = set_sysctl(u, hash_policies[i], n, n ? n : 1);
		if (rc)
			return rc;
	}
	return 0;
}

void host_remark_spread(struct up *u, const struct config *old)
{
	unsigned int i;

	/* Nothing tells whether up set it, and nothing else minds it. */
	for (i = 0; old->n_tunnels > 1 && i < N_HASH_POLICIES; i++)
		if (sysctl_read(hash_policies[i]) == 1)
			step_remark(u, "%s stays 1",
				    sysctl_name(hash_policies[i]));
}

/* Who has a network behind this host may not have thought of it. */
void host_warn_forwarding(struct up *u)
{
	static const struct {
		int family;
		const char *sysctl, *name, *what;
	} all[] = {
		{ AF_INET, "net/ipv4/ip_forward", "net.ipv4.ip_forward",
		  "IPv4" },
		{ AF_INET6, "net/ipv6/conf/all/forwarding",
		  "net.ipv6.conf.all.forwarding", "IPv6" },
	};
	unsigned int i;

	for (i = 0; u->c->n_ports && i < 2; i++)
		if (config_carries(u->c, all[i].family) &&
		    !sysctl_read(all[i].sysctl))
			step_remark(u, "the kernel forwards no %s packets: sysctl -w %s=1, and the same line in a file of /etc/sysctl.d, for after a reboot",
				    all[i].what, all[i].name);
}
