// SPDX-License-Identifier: GPL-2.0
/*
 * Any bytes as a mail: a pair that is taken can be the ends of a link, and
 * nothing that is said or taken has an effect on a terminal.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/out.h"
#include "config/mail.h"

static void check_pair(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family || (a->family && addr_pair_problem(a, b)))
		abort();
}

static void check_text(void *arg, const char *text)
{
	char copy[1024];

	(void)arg;
	snprintf(copy, sizeof(copy), "%s", text);
	out_clean(copy);
	if (strcmp(copy, text))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct mail_link *l;
	unsigned int i;
	char why[512];
	struct mail m;

	if (mail_parse((const char *)data, size, "f", &m, check_text, NULL,
		       why, sizeof(why))) {
		check_text(NULL, why);
		return 0;
	}
	if (!m.n_links)
		abort();
	for (i = 0; i < m.n_links; i++) {
		l = &m.links[i];
		check_pair(&l->ours4, &l->cloudflare4);
		check_pair(&l->ours6, &l->cloudflare6);
		check_text(NULL, l->customer);
		if ((!l->ours4.family && !l->ours6.family) || l->vlan > 4094)
			abort();
	}
	return 0;
}
