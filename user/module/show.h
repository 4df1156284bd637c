/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_SHOW_H
#define CNICTL_SHOW_H

#include "module/genl.h"

enum show_style {
	SHOW_DETAILED,
	SHOW_BRIEF,		/* a line each, for the eye */
	SHOW_DUMP,		/* a line each, in fields between tabs */
};

/*
 * Prints the objects of a kind, or all in JSON where that is asked for. @only:
 * ifindex of the one to print, or 0. These return RC_*, with the reason printed.
 */
int show_links(struct cni *c, uint32_t only, enum show_style style);
int show_tunnels(struct cni *c, uint32_t only, enum show_style style);
int show_ports(struct cni *c, uint32_t only, enum show_style style);
int show_routes(struct cni *c, enum show_style style);
/* The module itself */
int show_module(struct cni *c, enum show_style style);
/* All but the routes */
int show_all(struct cni *c, enum show_style style);

#endif
