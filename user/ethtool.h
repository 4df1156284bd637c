/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_ETHTOOL_H
#define CNICTL_ETHTOOL_H

#include "optics.h"

/* What a device's driver tells of it beyond rtnetlink. */

/* Asks the driver; -EOPNOTSUPP and others when it doesn't tell. */
int ethtool_optics(const char *ifname, struct optics *o);

/* Mbit/s, or 0 when the driver doesn't tell. */
unsigned int ethtool_speed(const char *ifname);

#endif
