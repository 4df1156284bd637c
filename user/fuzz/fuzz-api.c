// SPDX-License-Identifier: GPL-2.0
/* Any bytes as the API's answer: a pair that is taken can be a link's ends. */
#include <stdlib.h>
#include <string.h>

#include "config/api.h"

static void check_pair(const struct api_pair *p)
{
	if (p->ours.family != p->cloudflare.family ||
	    (p->ours.family && addr_pair_problem(&p->ours, &p->cloudflare)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), why[1024];
	struct api a = {};
	unsigned int i;

	memcpy(text, data, size);
	text[size] = '\0';
	if (!api_parse(text, size, "f", &a, why, sizeof(why))) {
		for (i = 0; i < a.n_links; i++) {
			check_pair(&a.links[i].v4);
			check_pair(&a.links[i].v6);
		}
		for (i = 0; i < a.n_tunnels; i++) {
			check_pair(&a.tunnels[i].v4);
			check_pair(&a.tunnels[i].v6);
		}
		if (!a.n_links && !a.n_tunnels)
			abort();
	}
	api_free(&a);
	free(text);
	return 0;
}
