// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "kernel/optics.h"

/* Kinds of plugs, in the first byte of all (SFF-8024) */
enum {
	SFP = 0x03, QSFP = 0x0c, QSFP_PLUS = 0x0d, QSFP28 = 0x11,
	QSFP_DD = 0x18, OSFP = 0x19, DSFP = 0x1b, QSFP_CMIS = 0x1e,
};

/* SFF-8472 */
#define SFP_KIND 92
#define SFP_MEASURES 0x40
#define SFP_CALIBRATED 0x20
#define SFP_DIAGNOSTICS 0x51
#define SFP_TX_POWER 102
#define SFP_RX_POWER 104
/* SFF-8636 */
#define QSFP_RX_POWER 34
#define QSFP_TX_POWER 50
/* CMIS: of page 11h */
#define CMIS_PAGE 0x11
#define CMIS_TX_POWER 154
#define CMIS_RX_POWER 186

/* Of units of 0.1 microwatts */
static double dbm(const uint8_t *b)
{
	unsigned int n = b[0] << 8 | b[1];

	return n ? 10 * log10(n / 10000.0) : OPTICS_DARK;
}

static int lanes(optics_read_fn read, void *arg, uint8_t i2c, uint8_t page,
		 uint8_t rx, uint8_t tx, unsigned int n, struct optics *o)
{
	uint8_t b[OPTICS_LANES * 2];
	unsigned int i;
	int rc;

	rc = read(arg, i2c, page, rx, b, n * 2);
	for (i = 0; !rc && i < n; i++)
		o->rx[i] = dbm(b + i * 2);
	if (!rc)
		rc = read(arg, i2c, page, tx, b, n * 2);
	for (i = 0; !rc && i < n; i++)
		o->tx[i] = dbm(b + i * 2);
	if (!rc)
		o->lanes = n;
	return rc;
}

int optics_decode(optics_read_fn read, void *arg, struct optics *o)
{
	uint8_t kind, how;
	int rc;

	memset(o, 0, sizeof(*o));
	rc = read(arg, 0x50, 0, 0, &kind, 1);
	if (rc)
		return rc;
	switch (kind) {
	case SFP:
		rc = read(arg, 0x50, 0, SFP_KIND, &how, 1);
		/* Other ones would have to be computed by their constants. */
		if (rc || !(how & SFP_MEASURES) || !(how & SFP_CALIBRATED))
			return rc;
		return lanes(read, arg, SFP_DIAGNOSTICS, 0, SFP_RX_POWER,
			     SFP_TX_POWER, 1, o);
	case QSFP:
	case QSFP_PLUS:
	case QSFP28:
		return lanes(read, arg, 0x50, 0, QSFP_RX_POWER, QSFP_TX_POWER,
			     4, o);
	case QSFP_DD:
	case OSFP:
	case DSFP:
	case QSFP_CMIS:
		return lanes(read, arg, 0x50, CMIS_PAGE, CMIS_RX_POWER,
			     CMIS_TX_POWER, 8, o);
	}
	return -EMEDIUMTYPE;
}
