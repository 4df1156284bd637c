/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_RECORD_H
#define CNICTL_RECORD_H

#include <stdbool.h>

#include "config.h"

/*
 * What is up: the text of each link's file as up or reload last took it, by the
 * link's title, below /run/cnilink, one folder a network namespace. It's gone
 * after a reboot, like all that is in it.
 */
struct record {
	char dir[64];
	char file[336];		/* of this link */
};

/* @fd: a socket of the network namespace. */
void record_of(struct record *r, int fd, const char *title);

/* The link's, for config_free(); NULL when there is none. */
struct config *record_read(const struct record *r);

/* @text NULL: removes it. 0, or a negative errno. */
int record_write(const struct record *r, const char *text);

/*
 * The one whose link's device is @name, or title if @by_title; NULL for the only
 * one that there is. @fd as above; NULL when there is none.
 */
struct config *record_find(int fd, const char *name, bool by_title);

/* Whether another link that is up has the port, too. */
bool record_port_shared(const struct record *r, const char *port);

#endif
