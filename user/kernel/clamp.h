/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_CLAMP_H
#define CNICTL_CLAMP_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Where the module is left out, a table of nftables' keeps TCP from sending
 * segments that don't fit. Each rule has a comment that says what it does, by
 * which two such tables are compared.
 */
struct clamp {
	char table[32];
	char *rules[2];		/* of what comes in, and goes out */
	char *what;		/* in words, for a person; NULL: nothing */
};

/* For the link on the device @link: no rule so far. Ends with clamp_free(). */
void clamp_init(struct clamp *c, const char *link);
/* A device's limits, 0 for none; to what comes in by it as well with @in. */
void clamp_add(struct clamp *c, const char *ifname, bool in, uint16_t mss4,
	       uint16_t mss6);
void clamp_free(struct clamp *c);

/*
 * The table that there is, as a text for clamp_put(), for free() in *@text, or
 * NULL for none. Returns 0, -ENOENT without the program nft, or another
 * negative errno.
 */
int clamp_get(const struct clamp *c, char **text);

/* Whether @text, or NULL, has the same rules as @c. */
bool clamp_same(const struct clamp *c, const char *text);

/* The text of @c, for free(); NULL for no table. */
char *clamp_text(const struct clamp *c);

/*
 * Puts @text in the place of the table, or removes it with NULL. Returns 0, or
 * a negative errno; what nft says of it is then in *@why, for free().
 */
int clamp_put(const struct clamp *c, const char *text, char **why);

#endif
