/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_ETHTOOL_H
#define CNICTL_ETHTOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/optics.h"

/* What a device tells of itself without rtnetlink. */

/* Asks the driver; -EOPNOTSUPP and others when it doesn't tell. */
int ethtool_optics(const char *ifname, struct optics *o);

/* Mbit/s, or 0 when the driver doesn't tell. */
unsigned int ethtool_speed(const char *ifname);

/* Whether it's this driver's. */
bool ethtool_driver_is(uint32_t ifindex, const char *driver);

/* Bytes, or 0 when it's gone. */
unsigned int ethtool_mtu(uint32_t ifindex);

#endif
