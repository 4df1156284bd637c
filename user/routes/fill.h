/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_FILL_H
#define CNICTL_FILL_H

#include "kernel/nl.h"
#include "routes/mirror.h"

/* Fills a mirror with what the kernel has. */

/*
 * All routes of @tables of both families, and the devices and next hop objects
 * that they depend on. @tick, unless NULL, is called again and again meanwhile.
 * Returns 0 or a negative errno that isn't printed: -EINTR after SIGINT or
 * SIGTERM.
 */
int fill_mirror(struct nlconn *rt, struct mirror *m, const uint32_t *tables,
		unsigned int n, void (*tick)(void *arg), void *arg);

/* Takes in an RTM_NEWLINK or RTM_DELLINK message. */
void fill_dev(struct mirror *m, const struct nlmsghdr *nlh);

/* The main table and the one named default are one to the module. */
struct fill_part {
	uint32_t id;
	uint32_t tables[2];
	unsigned int n_tables;
};

/*
 * What tables of the module @tables amount to; main's is the first part, if it
 * is there. @parts has room for @n. Returns how many.
 */
unsigned int fill_parts(const uint32_t *tables, unsigned int n,
			struct fill_part *parts);

#endif
