/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_RECORD_H
#define CNICTL_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

/*
 * What is up: the text of each link's file as up or reload last took it, by the
 * link's title, below /run/cnilink, one folder a network namespace. It's gone
 * after a reboot, like all that is in it.
 */
struct record {
	char dir[64];
	char file[336];		/* of this link */
	char was[336];		/* of a title that it had before; or "" */
	char stock[352];	/* is there when it's to go without the module */
	char from[352];		/* has the path of the file that it came from */
};

/* @fd: a socket of the network namespace. */
void record_of(struct record *r, int fd, const char *title);

/* The link's, for config_free(); NULL when there is none. */
struct config *record_read(const struct record *r);

/*
 * @text, of @file; NULL: removes it. @stock: the link was told to go without
 * the module. 0, or a negative errno.
 */
int record_write(const struct record *r, const char *text, const char *file,
		 bool stock);
bool record_is_stock(const struct record *r);
/* Whether it came from @file, which need not be there any more. */
bool record_is_from(const struct record *r, const char *file);
/* The path that is noted of it, for free(), or NULL. */
char *record_from(const struct record *r);

/*
 * Calls @fn for each link that is up, in the namespace of the socket @fd, but
 * for that of @but unless it's NULL; it doesn't keep @c.
 */
void record_each(int fd, const struct record *but,
		 void (*fn)(const struct config *c, const struct record *r,
			    void *arg),
		 void *arg);

/*
 * The one whose link's device is @name, or title if @by_title; NULL for the only
 * one that there is. @fd as above; NULL when there is none.
 */
struct config *record_find(int fd, const char *name, bool by_title);

/* What one link's file makes of a device. */
enum record_use {
	RECORD_PORT = 1,
	RECORD_TUNNEL = 2,
	RECORD_LINK = 4,	/* its layer 3 device */
	RECORD_LOWER = 8,	/* its Ethernet device */
	RECORD_ANY = 15,
	RECORD_XDP = 16,	/* XDP on it, where it can be */
};

/* Takes @old, which is up, for this link under the title it had before. */
void record_renamed(struct record *r, int fd, const struct config *old);
/* Forgets it under that title. */
void record_forget_old(struct record *r);

/*
 * The title of another link that is up and uses @dev in one of these ways, or
 * NULL: a static buffer.
 */
const char *record_user(const struct record *r, const char *dev,
			unsigned int uses);
/* Whether such a link has the address on @dev. */
bool record_has_addr(const struct record *r, const char *dev,
		     const struct addr *a);

#endif
