/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_CHECK_FIREWALL_H
#define CNICTL_CHECK_FIREWALL_H

#include "cmd/check/check.h"
#include "kernel/walk.h"

/* The firewall's rules; asked for once in a round. */
const struct ruleset *firewall_rules(struct check *k);
void firewall_forget(struct check *k);

/* Whether the module takes a tunnel's outer packets past the firewall. */
bool firewall_given(const struct config_tunnel *t);

/* Hints what to do about chains that keep packets off the fast path. */
void firewall_way_out(struct check *k, struct line *l);

/* Whether established connections take a flowtable, and nothing is after it. */
bool firewall_offloads(struct check *k);

#endif
