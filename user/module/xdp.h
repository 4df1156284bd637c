/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_XDP_H
#define CNICTL_XDP_H

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>

#include "module/genl.h"

/* A device that the module takes frames from, and its XDP program. */
struct xdp_dev {
	uint32_t ifindex;
	uint64_t blockers;	/* the module's, of XDP */
	const struct cni_stats *stats;
	bool ours;		/* our program is on it */
	bool other;		/* somebody else's is */
	bool generic;		/* which is a generic one */
	bool too_long;		/* its MTU, for this driver */
	bool left;		/* over: the module takes no frames from it */
	uint32_t prog_id;
};

/*
 * Who has a device's XDP program: fills in the last five of @d. 0 or a negative
 * errno.
 */
int xdp_look(struct xdp_dev *d);

/*
 * Puts our program on a device, natively, where it stays without us: 0 or a
 * negative errno. -EBUSY: there is another's; -EEXIST: ours is there.
 */
int xdp_attach(uint32_t ifindex);
/* Takes it off again; -ENOENT: ours isn't there; -EMSGSIZE: it can't be. */
int xdp_detach(uint32_t ifindex);

/*
 * Lets go of programs whose device is gone, which would keep the module from
 * being unloaded. Returns how many there were.
 */
unsigned int xdp_sweep(void);

/*
 * All devices that the module takes frames from, and those that have our program
 * besides: *list is for free(), and shows @links' and @ports' counters. 0 or a
 * negative errno.
 */
int xdp_devs(const struct cni_link *links, unsigned int n_links,
	     const struct cni_port *ports, unsigned int n_ports,
	     struct xdp_dev **list, unsigned int *n);

/* The first thing that XDP can't do with on @d, in words, or NULL. */
const char *xdp_blocked(const struct xdp_dev *d);

/* What to do about an MTU that is too long, or NULL; a static buffer. */
const char *xdp_mtu_advice(const struct xdp_dev *d);

/* All of @d, for programs; the caller's. */
json_t *xdp_json(const struct xdp_dev *d);

/* Why xdp_attach() failed, and what to do: to follow "DEVICE: ". */
const char *xdp_strerror(int rc);

#endif
