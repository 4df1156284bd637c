/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_PAIR_H
#define CNICTL_PAIR_H

#include <stdbool.h>

#include "kernel/rtnl.h"

/* Why what this host sends to the other end of a link doesn't go there. */
struct pair_problem {
	char text[200];
	char hint[240];		/* what to do about it */
};

/*
 * Whether the kernel itself would send to @peer by @dev, which has the address
 * @local: a ping that is bound to the device passes all the same. False with
 * the first problem in *p when not.
 */
bool pair_leads(struct nlconn *c, const struct netdev *dev,
		const struct addr *local, const struct addr *peer,
		struct pair_problem *p);

#endif
