/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_OPTICS_H
#define CNICTL_OPTICS_H

#include <stdint.h>

#define OPTICS_LANES 8
#define OPTICS_DARK (-40.0)	/* dBm: said when nothing at all arrives */

/* The light that a plug measures. */
struct optics {
	unsigned int lanes;		/* 0: it doesn't */
	double rx[OPTICS_LANES], tx[OPTICS_LANES];	/* dBm */
};

/*
 * Reads @len bytes of the plug's memory at an I2C address and page, with
 * offsets from 128 on for a page's upper half. 0 or a negative errno.
 */
typedef int (*optics_read_fn)(void *arg, uint8_t i2c, uint8_t page,
			      uint8_t offset, uint8_t *to, uint8_t len);

/*
 * Makes sense of it: SFP (SFF-8472), QSFP (SFF-8636) and CMIS. Returns 0, a
 * negative errno of @read's, or -EMEDIUMTYPE for another kind of plug.
 */
int optics_decode(optics_read_fn read, void *arg, struct optics *o);

#endif
