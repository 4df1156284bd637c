/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_MAIL_H
#define CNICTL_MAIL_H

#include <stddef.h>
#include <stdio.h>

#include "addr.h"

/* The set of IPs in Cloudflare's mail, by whose they are. */
struct mail {
	char customer[64];	/* the name the mail uses for us */
	struct addr cloudflare4;
	struct addr ours4;
	struct addr cloudflare6;	/* family 0 when the mail has no v6 */
	struct addr ours6;
};

/*
 * Reads the mail's text and finds its address lines; other text is passed
 * over. @name stands for the file in messages. Returns 0, or -1 with the
 * reason, beginning "NAME:LINE: ", in @why.
 */
int mail_parse(FILE *f, const char *name, struct mail *m, char *why,
	       size_t why_size);

#endif
