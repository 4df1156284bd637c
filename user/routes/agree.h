/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_AGREE_H
#define CNICTL_AGREE_H

#include "module/genl.h"

#define AGREE_NAMED 3

/* How the module's routes compare with the kernel's, by family: 0 IPv4, 1 IPv6. */
struct agree {
	size_t kernel[2], module[2];	/* prefixes */
	size_t forwarded[2];		/* of the module's */
	size_t differ;
	/* Of the kernel's by the module's devices: those that nobody typed here. */
	size_t learnt;
	struct agree_named {
		struct addr dst;
		uint32_t table;
		const char *what;	/* a verb: "is missing from the module" */
	} named[AGREE_NAMED];
};

/*
 * Compares the tables. @only: these prefixes alone, sorted by addr_cmp(), or
 * NULL for all. Returns 0 or a negative errno; @why says then what it was: a
 * static string.
 */
int agree_ask(struct nlconn *rt, struct cni *cni, const uint32_t *tables,
	      unsigned int n, const struct addr *only, unsigned int n_only,
	      struct agree *a, const char **why);

#endif
