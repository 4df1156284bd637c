/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_ACCEPT_H
#define CNICTL_ACCEPT_H

#include <stddef.h>

#include "kernel/walk.h"

/*
 * The command that has packets such as @p accepted, ahead of all other rules of
 * the chain of a hook that @at is in. Answers are accepted as such.
 */
void accept_command(const struct packet *p, const struct place *at, char *buf,
		    size_t size);

/* "table inet fw, chain forward, handle 14: ct state invalid drop" */
void accept_place(const struct place *at, char *buf, size_t size);

/* "table inet fw" */
void accept_table(const struct chain *c, char *buf, size_t size);

#endif
