/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_WALK_H
#define CNICTL_WALK_H

#include "kernel/packet.h"

/* A packet's way through the firewall, as far as its rules tell. */

enum fate {
	FATE_PASSES,
	FATE_DROPPED,
	FATE_UNTOLD,
};

struct place {
	const struct chain *base, *chain;	/* NULL: nowhere */
	const struct rule *rule;		/* NULL: the chain's policy */
};

struct walk {
	enum fate fate;
	/* What drops it, or the first rule that can't be told and matters */
	struct place at;
	enum hook hook;
	/* What gives it another address, for sure or not */
	struct place nat;
	bool nat_sure;
	const char *why;	/* why it can't be told, if not for a rule */
};

/*
 * Walks @p through all chains of the hooks in @hooks, 1 << HOOK_*. The devices
 * that a hook doesn't have are left out there.
 */
void walk(const struct ruleset *rs, const struct packet *p,
	  unsigned int hooks, struct walk *w);

#endif
