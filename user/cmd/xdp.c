// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/lock.h"
#include "base/out.h"
#include "base/usage.h"
#include "cmd/verbs.h"
#include "kernel/rtnl.h"
#include "module/names.h"
#include "module/xdp.h"

static void print_dev(const struct xdp_dev *d)
{
	uint64_t bit;
	unsigned int i;

	printf("%-12s ", rtnl_name(d->ifindex));
	if (d->ours)
		printf("native, program %u: took %s of the %s packets\n",
		       d->prog_id, out_count(d->stats->xdp_packets),
		       out_count(d->stats->rx_packets));
	else if (d->other)
		printf("off: another's %sprogram %u is on it\n",
		       d->generic ? "generic " : "", d->prog_id);
	else
		printf("off\n");
	if (d->left)
		printf("             ! the module takes no frames from it: cnictl xdp detach %s\n",
		       rtnl_name(d->ifindex));
	for (bit = 1; bit; bit <<= 1)
		if (d->blockers & bit)
			printf("             ! %s\n",
			       names_blocker_advice(bit,
						    rtnl_name(d->ifindex)));
	if (d->too_long)
		printf("             ! %s\n", xdp_mtu_advice(d));
	for (i = 0; i < CNI_REASONS; i++)
		if (d->stats->xdp_pass[i])
			printf("             left to the skb path: %s %s: %s\n",
			       out_count(d->stats->xdp_pass[i]),
			       names_reason(i), names_reason_doc(i));
}

static int show_devs(const struct xdp_dev *list, unsigned int n)
{
	unsigned int i;
	json_t *all;

	if (out_json) {
		all = json_array();
		for (i = 0; i < n; i++)
			json_array_append_new(all, xdp_json(&list[i]));
		out_print(all);
		return RC_OK;
	}
	if (!n)
		printf("the module has no link and no port\n");
	for (i = 0; i < n; i++)
		print_dev(&list[i]);
	return RC_OK;
}

static int change(const struct xdp_dev *d, bool attach)
{
	const char *dev = rtnl_name(d->ifindex);
	int rc;

	if (attach && xdp_blocked(d)) {
		err("%s", xdp_blocked(d));
		return RC_FAILED;
	}
	rc = attach ? xdp_attach(d->ifindex) : xdp_detach(d->ifindex);
	/* What is so already is no failure. */
	if (rc == (attach ? -EEXIST : -ENOENT))
		return RC_OK;
	if (rc) {
		err("%s: %s", dev, xdp_strerror(rc));
		return RC_FAILED;
	}
	if (!out_json)
		printf("%s: %s\n", dev, attach ? "XDP, native" : "XDP is off");
	return RC_OK;
}

static bool named(const char *name, int argc, char **argv)
{
	int i;

	for (i = 0; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return !argc;
}

static int unknown_dev(const struct xdp_dev *list, unsigned int n, int argc,
		       char **argv, bool swept)
{
	unsigned int k;
	int i;

	for (i = 0; i < argc; i++) {
		for (k = 0; k < n; k++)
			if (!strcmp(argv[i], rtnl_name(list[k].ifindex)))
				break;
		/* It may be one of those that are gone. */
		if (k == n && !(swept && !if_nametoindex(argv[i]))) {
			err("the module takes no frames from '%s'", argv[i]);
			hint("it is to be a port of the module, or the device under a link");
			return RC_USAGE;
		}
	}
	return RC_OK;
}

/* @xdp_state: enum cnilink_xdp */
static int do_verb(const char *what, int argc, char **argv, int xdp_state,
		   const struct xdp_dev *list, unsigned int n, bool swept)
{
	bool attach = !strcmp(what, "attach");
	unsigned int i;
	int rc, one, lock;

	rc = unknown_dev(list, n, argc, argv,
			 swept && !strcmp(what, "detach"));
	if (rc)
		return rc;
	if (!strcmp(what, "status"))
		return show_devs(list, n);
	if (attach && xdp_state != CNILINK_XDP_AVAILABLE) {
		err("XDP is %s", names_xdp_advice(xdp_state));
		return RC_FAILED;
	}
	if (lock_changes(&lock))
		return RC_FAILED;
	for (i = 0; i < n; i++) {
		if (!named(rtnl_name(list[i].ifindex), argc, argv))
			continue;
		/* Frames that nobody takes need no program. */
		if (attach && list[i].left)
			continue;
		one = change(&list[i], attach);
		rc = rc ? rc : one;
	}
	lock_end(lock);
	return rc;
}

int verb_xdp(int argc, char **argv)
{
	struct cni_link *links = NULL;
	struct cni_port *ports = NULL;
	struct xdp_dev *list = NULL;
	unsigned int n_links, n_ports, n, swept;
	const char *what = argc > 1 ? argv[1] : "status";
	struct cni_status status;
	struct cni c;
	int rc;

	if (strcmp(what, "attach") && strcmp(what, "detach") &&
	    strcmp(what, "status"))
		return usage("xdp", "there is no '%s'", what);
	swept = xdp_sweep();
	if (swept && !out_json)
		printf("%u program%s of devices that are gone: removed\n",
		       swept, swept == 1 ? "" : "s");
	rc = cni_open(&c);
	if (rc) {
		if (rc == -ENOENT)
			cni_say_missing();
		return RC_FAILED;
	}
	rc = cni_status(&c, &status);
	if (!rc)
		rc = cni_links(&c, &links, &n_links);
	if (!rc)
		rc = cni_ports(&c, &ports, &n_ports);
	if (!rc)
		rc = xdp_devs(links, n_links, ports, n_ports, &list, &n);
	if (rc) {
		err("can't ask for the devices: %s", nlc_strerror(&c.nl, rc));
		rc = RC_FAILED;
	} else {
		rc = do_verb(what, argc > 2 ? argc - 2 : 0, argv + 2,
			     status.xdp, list, n, swept);
	}
	free(list);
	free(links);
	free(ports);
	cni_close(&c);
	return rc;
}
