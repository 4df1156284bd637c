/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_IPTABLES_H
#define CNICTL_IPTABLES_H

#include <jansson.h>

/*
 * What iptables-save or ip6tables-save printed, @family "ip" or "ip6", as nft's
 * JSON says such rules. Matches other than of devices, addresses, protocols,
 * ports and states are an "xt", as nft has it. NULL: that's no such text.
 */
json_t *iptables_json(const char *text, const char *family);

#endif
