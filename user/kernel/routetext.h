/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_ROUTETEXT_H
#define CNICTL_ROUTETEXT_H

#include <stdio.h>

#include "kernel/rtnl.h"

/*
 * A route in iproute2's words. Returns 0, or a negative errno with the reason
 * in @why: -ENODEV for a device that isn't there, else -EINVAL. Several next
 * hops are for free().
 */
int routetext_parse(char **words, int n, struct rtnl_route *r, char *why,
		    size_t size);

/*
 * Reads one route a line; @next gives the place for each. Returns 0, or a
 * negative errno that is printed, with @name and the line.
 */
int routetext_read(FILE *f, const char *name,
		   struct rtnl_route *(*next)(unsigned int line, void *arg),
		   void *arg);

#endif
