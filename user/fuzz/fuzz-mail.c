// SPDX-License-Identifier: GPL-2.0
/* Any text as a mail: a pair that is taken can be the ends of a link. */
#include <stdio.h>
#include <stdlib.h>

#include "mail.h"

static void check_pair(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family || (a->family && addr_pair_problem(a, b)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[512];
	struct mail m;
	FILE *f;

	if (!size)
		return 0;
	f = fmemopen((void *)data, size, "r");
	if (!f)
		abort();
	if (!mail_parse(f, "f", &m, why, sizeof(why))) {
		check_pair(&m.ours4, &m.cloudflare4);
		check_pair(&m.ours6, &m.cloudflare6);
	}
	fclose(f);
	return 0;
}
