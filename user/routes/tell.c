// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>

#include "kernel/rtnl.h"
#include "routes/tell.h"

#define TRIES 5

struct telling {
	struct mirror *m;
	const struct addr *list;
	size_t n;
};

static int take(const struct kroute *r, const struct nlmsghdr *raw, void *arg)
{
	struct telling *t = arg;

	(void)raw;
	if (r && bsearch(&r->dst, t->list, t->n, sizeof(*t->list), addr_cmp))
		mirror_apply(t->m, r);
	return 0;
}

static int fill(struct nlconn *rt, const struct fill_part *part,
		struct telling *t)
{
	unsigned int i;
	int rc = 0;

	for (i = 0; !rc && i < part->n_tables * 2; i++)
		rc = rtnl_routes(rt, i & 1 ? AF_INET6 : AF_INET,
				 part->tables[i / 2], take, t);
	return rc;
}

int tell_routes(struct nlconn *rt, struct cni *cni,
		const struct fill_part *part, const struct addr *list, size_t n,
		struct cni_batch *b)
{
	struct telling t = { .list = list, .n = n };
	struct cni_status status;
	unsigned int tries, n_oifs;
	uint32_t *oifs;
	size_t i;
	int rc;

	for (tries = 0; tries < TRIES; tries++) {
		t.m = mirror_new(part->tables, part->n_tables);
		rc = cni_oifs(cni, &oifs, &n_oifs);
		mirror_set_oifs(t.m, oifs, n_oifs);
		free(oifs);
		if (!rc)
			rc = cni_status(cni, &status);
		if (!rc)
			rc = fill(rt, part, &t);
		/* Those that the kernel hasn't got are news too. */
		for (i = 0; i < n; i++)
			mirror_touch(t.m, &list[i]);
		cni_batch_init(b, cni, 0, &status.generation);
		b->table = part->id;
		if (!rc)
			rc = mirror_flush(t.m, cni_batch_add, b);
		if (!rc)
			rc = cni_batch_end(b);
		cni_batch_free(b);
		mirror_free(t.m);
		if (rc != -ESTALE)
			break;
	}
	return rc;
}
