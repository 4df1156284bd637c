/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_MAIL_H
#define CNICTL_MAIL_H

#include <stddef.h>

#include "base/addr.h"

#define MAIL_MAX_LINKS 16
#define MAIL_MAX_VLANS 16

/* The set of IPs of one link, by whose they are; family 0: the mail has none. */
struct mail_link {
	char customer[64];	/* the name the mail uses for us, or "" */
	struct addr cloudflare4, ours4;
	struct addr cloudflare6, ours6;
	unsigned int vlan;	/* 0: none told, or not whose it is */
	unsigned int line;	/* where it begins */
};

struct mail_vlan {
	unsigned int id, line;
};

struct mail {
	struct mail_link links[MAIL_MAX_LINKS];
	unsigned int n_links;
	struct mail_vlan vlans[MAIL_MAX_VLANS];	/* all that are told */
	unsigned int n_vlans;
};

/* Gets "NAME:LINE: ..." of what the mail says and @m doesn't have. */
typedef void mail_note_fn(void *arg, const char *text);

/*
 * Finds the addresses with their lengths and the VLANs in a mail's bytes, by
 * what they are rather than by where they stand. @name stands for the file in
 * messages. Returns 0 and at least one link, or -1 with the reason, beginning
 * "NAME:LINE: ", in @why. Nothing in @m, @why or a note has control characters.
 */
int mail_parse(const char *bytes, size_t len, const char *name, struct mail *m,
	       mail_note_fn *note, void *arg, char *why, size_t why_size);

#endif
