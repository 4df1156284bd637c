// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <net/if.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>

#include "base/signals.h"
#include "kernel/rtnl.h"
#include "routes/fill.h"

#ifndef IFF_LOWER_UP
#define IFF_LOWER_UP (1 << 16)
#endif

void fill_dev(struct mirror *m, const struct nlmsghdr *nlh)
{
	const struct ifinfomsg *ifi = nlmsg_data(nlh);
	enum mirror_dev state = MIRROR_DEV_UP;

	/* A port that leaves its bridge is "deleted" too. */
	if (ifi->ifi_family != AF_UNSPEC)
		return;
	if (nlh->nlmsg_type == RTM_DELLINK)
		state = MIRROR_DEV_GONE;
	else if (!(ifi->ifi_flags & IFF_UP))
		state = MIRROR_DEV_DOWN;
	else if (!(ifi->ifi_flags & (IFF_RUNNING | IFF_LOWER_UP)))
		state = MIRROR_DEV_NO_CARRIER;
	mirror_dev(m, ifi->ifi_index, state);
}

struct filling {
	struct mirror *m;
	void (*tick)(void *arg);
	void *arg;
};

static int go_on(const struct filling *f)
{
	if (f->tick)
		f->tick(f->arg);
	return signals_caught ? -EINTR : 0;
}

static int take_dev(const struct nlmsghdr *nlh, void *arg)
{
	struct filling *f = arg;

	if (nlh)
		fill_dev(f->m, nlh);
	return go_on(f);
}

static int take_nexthop(const struct nlmsghdr *nlh, void *arg)
{
	struct filling *f = arg;
	struct knexthop n;

	if (!nlh)
		mirror_forget_objects(f->m);
	else if (kroute_parse_nexthop(nlh, &n))
		mirror_object(f->m, &n);
	return go_on(f);
}

static int take_route(const struct kroute *r, const struct nlmsghdr *raw,
		      void *arg)
{
	struct filling *f = arg;

	(void)raw;
	/*
	 * A dump that begins again lists some twice, which is no harm, and what
	 * went meanwhile is among the events.
	 */
	if (r)
		mirror_apply(f->m, r);
	return go_on(f);
}

int fill_mirror(struct nlconn *rt, struct mirror *m, const uint32_t *tables,
		unsigned int n, void (*tick)(void *arg), void *arg)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct filling f = { m, tick, arg };
	struct ifinfomsg ifi = {};
	struct nhmsg nhm = {};
	unsigned int i;
	int rc;

	rc = nlc_dump(rt, nlx_msg(RTM_GETLINK, 0, &ifi, sizeof(ifi)),
		      take_dev, &f);
	if (!rc)
		rc = nlc_dump(rt, nlx_msg(RTM_GETNEXTHOP, 0, &nhm,
					  sizeof(nhm)), take_nexthop, &f);
	for (i = 0; !rc && i < n * 2; i++)
		rc = rtnl_routes(rt, families[i & 1], tables[i / 2],
				 take_route, &f);
	return rc;
}

unsigned int fill_parts(const uint32_t *tables, unsigned int n,
			struct fill_part *parts)
{
	struct fill_part *main = NULL, *p;
	unsigned int pass, i, n_parts = 0;
	bool is_main;

	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < n; i++) {
			is_main = tables[i] == RT_TABLE_MAIN ||
				  tables[i] == RT_TABLE_DEFAULT;
			if (is_main == pass)
				continue;
			if (is_main && main) {
				p = main;
			} else {
				p = &parts[n_parts++];
				p->n_tables = 0;
			}
			if (is_main)
				main = p;
			p->id = is_main ? RT_TABLE_MAIN : tables[i];
			p->tables[p->n_tables++] = tables[i];
		}
	}
	return n_parts;
}
