/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_SAVED_H
#define CNICTL_SAVED_H

#include "kernel/rtnl.h"

/*
 * A device with its addresses and with the routes out by it, so that it can be
 * made again after it was removed.
 */
struct saved;
/* 0, or a negative errno; *s is for saved_free() when it's 0. */
int saved_take(struct nlconn *c, const struct netdev *dev, struct saved **s);
/*
 * Takes the device out of routes with several ways out, which would go with it
 * as a whole.
 */
int saved_spare(struct nlconn *c, const struct saved *s);
/*
 * Put back what a device that is still there has lost of them, beside what the
 * kernel makes by itself.
 */
int saved_addrs_back(struct nlconn *c, const struct saved *s);
/* @family: AF_INET, AF_INET6, or AF_UNSPEC for both */
int saved_routes_back(struct nlconn *c, const struct saved *s, int family);
/* Makes it again, of the same index; what can't be is left out. */
int saved_restore(struct nlconn *c, const struct saved *s);
void saved_free(struct saved *s);

#endif
