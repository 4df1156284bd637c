/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_TELL_H
#define CNICTL_TELL_H

#include "module/genl.h"
#include "routes/fill.h"

/*
 * Tells the module what the kernel has for the @n prefixes of @list, sorted by
 * addr_cmp(), in a table: where no cnictl sync does. @b counts what was told.
 * Returns 0 or a negative errno that isn't printed; -ENODATA: the module lost
 * its table, and prefixes alone could be wrong.
 */
int tell_routes(struct nlconn *rt, struct cni *cni,
		const struct fill_part *part, const struct addr *list, size_t n,
		struct cni_batch *b);

#endif
