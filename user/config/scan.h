/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_SCAN_H
#define CNICTL_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"

/* Finding addresses and VLANs in one line of text. */

enum token_kind {
	TOKEN_PREFIX,		/* an address with its length */
	TOKEN_BARE,		/* without one */
	TOKEN_BAD,		/* nearly one of these, but not right */
};

struct token {
	enum token_kind kind;
	size_t start, end;	/* in the line */
	struct addr addr;	/* unless TOKEN_BAD */
	enum addr_error error;	/* of TOKEN_BAD */
};

/* All of them in order, for free(). */
struct token *scan_addresses(const char *line, size_t *n);

/* A link's length that stands alone, such as in "IPv4 (/31):", or 0. */
unsigned int scan_length(const char *line);
/* Whether @a is a netmask; *@len: of how many bits. */
bool scan_mask(const struct addr *a, unsigned int *len);

#define SCAN_MAX_VLANS 8

struct vlan_scan {
	unsigned int ids[SCAN_MAX_VLANS];
	unsigned int n;
	bool spoken;		/* a VLAN is spoken of */
	bool open;		/* and its ID can be on the next line */
	bool missed;		/* there is a number that isn't taken as its ID */
};

/*
 * The VLANs of @line, in which what was found in it is passed over. @open: a
 * line before ended where an ID is to follow.
 */
void scan_vlans(const char *line, const struct token *t, size_t n, bool open,
		struct vlan_scan *v);

/* A cell that is below "VLAN": its ID, or 0. */
unsigned int scan_vlan_cell(const char *cell);

/* Whether a VLAN is spoken of. */
bool scan_is_vlan(const char *text);

/*
 * The next word at *@s, which moves on: letters and digits, other bytes than
 * ASCII, and dots between digits. Returns its length, 0 at the end.
 */
size_t scan_word(const char **s, const char **word);
/* Whether that word is one of @list: words in lower case between blanks. */
bool scan_is_one_of(const char *word, size_t len, const char *list);

#endif
