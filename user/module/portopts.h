/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_PORTOPTS_H
#define CNICTL_PORTOPTS_H

#include <stdbool.h>
#include <stdint.h>

/* What the module is to do for a port. */
struct portopts {
	uint32_t flags;		/* CNILINK_PORT_FLAG_* */
	uint16_t mss4, mss6;	/* largest TCP segment to let out; 0: any */
};

bool portopts_same(const struct portopts *a, const struct portopts *b);

/*
 * Takes the words after "cnictl port set DEV": changes what they say and
 * leaves the rest. @mtu is the least of the tunnels', 0 without one. Returns
 * NULL, or what is wrong with them: a static buffer.
 */
const char *portopts_parse(struct portopts *o, unsigned int mtu, int argc,
			   char **argv);

/* As such words, beginning with a space: a static buffer. */
const char *portopts_str(const struct portopts *o);

#endif
