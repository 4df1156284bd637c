/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_SAMPLE_H
#define CNICTL_SAMPLE_H

#include "module/genl.h"

/* All of the module at one moment, but its routes. */
struct sample {
	int64_t ms;		/* of the monotonic clock */
	struct cni_status status;
	struct cni_link *links;
	struct cni_tunnel *tunnels;
	struct cni_port *ports;
	unsigned int n_links, n_tunnels, n_ports;
};

/*
 * Asks for it, in the place of what @s held before; zeroes to begin with. 0 or a
 * negative errno, not printed.
 */
int sample_take(struct cni *c, struct sample *s);
void sample_free(struct sample *s);

/* An object by its ifindex, or NULL. */
const struct cni_link *sample_link(const struct sample *s, uint32_t ifindex);
const struct cni_tunnel *sample_tunnel(const struct sample *s,
				       uint32_t ifindex);
const struct cni_port *sample_port(const struct sample *s, uint32_t ifindex);

/* How much a counter grew: those of what was made anew begin at 0. */
uint64_t sample_growth(uint64_t then, uint64_t now);

int64_t sample_now_ms(void);

#endif
