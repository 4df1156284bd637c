// SPDX-License-Identifier: GPL-2.0
/* What "route load" reads: any text. */
#include <stdlib.h>
#include <string.h>

#include "kernel/routetext.h"

static struct rtnl_route route;

static struct rtnl_route *next_route(unsigned int line, void *arg)
{
	(void)line;
	(void)arg;
	free((void *)route.hops);
	memset(&route, 0, sizeof(route));
	return &route;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FILE *f, *keep = stderr;
	static FILE *null;

	if (!size)
		return 0;
	if (!null)
		null = fopen("/dev/null", "w");
	f = fmemopen((void *)data, size, "r");
	stderr = null;
	routetext_read(f, "input", next_route, NULL);
	stderr = keep;
	fclose(f);
	next_route(0, NULL);
	return 0;
}
