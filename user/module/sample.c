// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "module/sample.h"

int64_t sample_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ll + ts.tv_nsec / 1000000;
}

void sample_free(struct sample *s)
{
	free(s->links);
	free(s->tunnels);
	free(s->ports);
	memset(s, 0, sizeof(*s));
}

int sample_take(struct cni *c, struct sample *s)
{
	int rc;

	sample_free(s);
	s->ms = sample_now_ms();
	rc = cni_status(c, &s->status);
	if (!rc)
		rc = cni_links(c, &s->links, &s->n_links);
	if (!rc)
		rc = cni_tunnels(c, &s->tunnels, &s->n_tunnels);
	if (!rc)
		rc = cni_ports(c, &s->ports, &s->n_ports);
	return rc;
}

#define FIND(kind)							\
const struct cni_##kind *sample_##kind(const struct sample *s,		\
				       uint32_t ifindex)		\
{									\
	unsigned int i;							\
									\
	for (i = 0; ifindex && i < s->n_##kind##s; i++)			\
		if (s->kind##s[i].ifindex == ifindex)			\
			return &s->kind##s[i];				\
	return NULL;							\
}

FIND(link)
FIND(tunnel)
FIND(port)

uint64_t sample_growth(uint64_t then, uint64_t now)
{
	return now > then ? now - then : 0;
}
