// SPDX-License-Identifier: GPL-2.0
/* Whether XDP takes the packets, of those who want it. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/out.h"
#include "cmd/check/check.h"
#include "module/names.h"
#include "module/xdp.h"

static void add_dev(struct xdp_dev *devs, unsigned int *n, uint32_t ifindex,
		    uint64_t blockers, const struct cni_stats *stats)
{
	devs[*n] = (struct xdp_dev){ .ifindex = ifindex, .blockers = blockers,
				     .stats = stats };
	if (!xdp_look(&devs[*n]))
		++*n;
}

/* Those of the configuration that the module takes frames from. */
static unsigned int find_devs(struct check *k, struct xdp_dev *devs)
{
	const struct cni_link *link;
	const struct cni_port *p;
	unsigned int i, n = 0;

	link = sample_link(&k->then, if_nametoindex(k->c->link.ifname));
	if (link)
		add_dev(devs, &n, link->lower, link->xdp_blockers,
			&link->stats);
	for (i = 0; i < k->c->n_ports; i++) {
		p = sample_port(&k->then,
				if_nametoindex(k->c->ports[i].ifname));
		if (p)
			add_dev(devs, &n, p->ifindex, p->xdp_blockers,
				&p->stats);
	}
	return n;
}

/* Why there is no program on a device. Whether there could be one. */
static bool say_why_not(struct check *k, struct line *l,
			const struct xdp_dev *d)
{
	const char *dev = rtnl_name(d->ifindex);

	if (xdp_blocked(d))
		line_hint(l, "%s", xdp_blocked(d));
	else if (d->other)
		line_hint(l, "%s: %s", dev, xdp_strerror(-EBUSY));
	else
		line_hint(l, "cnictl up %s puts it on %s, or cnictl xdp attach %s; if it can't be, they say why",
			  k->c->file, dev, dev);
	return !(d->blockers & (CNILINK_BLOCKER_XDP_TARGET |
				CNILINK_BLOCKER_XDP_DRIVER));
}

static bool say_what_blocks(struct line *l, const struct xdp_dev *d)
{
	line_hint_blockers(l, d->blockers, rtnl_name(d->ifindex));
	if (d->too_long)
		line_hint(l, "%s", xdp_mtu_advice(d));
	return d->blockers || d->too_long;
}

static void add_name(char *text, size_t size, const struct xdp_dev *d)
{
	size_t used = strlen(text);

	snprintf(text + used, size - used, "%s%s", used ? ", " : "",
		 rtnl_name(d->ifindex));
}

static void judge(struct check *k, struct line *l, const struct xdp_dev *devs,
		  unsigned int n)
{
	char on[120] = "", off[120] = "", bad[120] = "";
	json_t *list = json_array();
	const struct xdp_dev *d;

	line_data(l, "devices", list);
	for (d = devs; d < devs + n; d++) {
		json_array_append_new(list, xdp_json(d));
		if (d->ours && !say_what_blocks(l, d))
			add_name(on, sizeof(on), d);
		else if (d->ours)
			add_name(bad, sizeof(bad), d);
		else if (k->c->link.xdp_auto && say_why_not(k, l, d))
			add_name(bad, sizeof(bad), d);
		else if (k->c->link.xdp_auto)
			add_name(off, sizeof(off), d);
	}
	if (*bad)
		line_fail(l, "it doesn't take the packets of %s", bad);
	else if (*off)
		line_pass(l, "native on %s; %s can't have it, and needs none",
			  *on ? on : "no device", off);
	else
		line_pass(l, "native on %s", on);
}

void check_xdp(struct check *k)
{
	const struct cni_status *s = &k->then.status;
	struct xdp_dev *devs;
	unsigned int i, n = 0;
	bool wanted = k->c->link.xdp_auto;
	struct line *l;

	devs = xalloc((k->c->n_ports + 1) * sizeof(*devs));
	if (k->have_cni)
		n = find_devs(k, devs);
	for (i = 0; i < n; i++)
		wanted |= devs[i].ours;
	if (wanted) {
		l = line_add(k, "xdp");
		if (line_waits(k, l, "module") || line_stock(k, l))
			;
		else if (s->xdp != CNILINK_XDP_AVAILABLE)
			line_fail(l, "XDP is %s", names_xdp_advice(s->xdp));
		else
			judge(k, l, devs, n);
	}
	free(devs);
}
