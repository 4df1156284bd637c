// SPDX-License-Identifier: GPL-2.0
/* What is up without the module, or with a new device, is given to it later. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/lock.h"
#include "base/out.h"
#include "bringup/bringup.h"

/* A failure takes back what was done for this link, for another try. */
static void adopt(const struct config *c, const struct record *r, void *arg)
{
	struct known *known = arg;
	struct up u = { .c = c, .record = *r, .known = known };
	unsigned int before = known->n;
	int rc;

	if (c->link.offload == OFFLOAD_OFF || record_is_stock(r))
		return;
	u.steps = json_array();
	rc = rtnl_open(&u.rt);
	/* A link that isn't there is for "up" to make. */
	if (!rc && !dev_look(&u, c->link.ifname, &u.link) &&
	    !dev_look(&u, c->link.device, &u.parent)) {
		rc = offload_enrol(&u);
		if (!rc && u.done)
			rc = mss_clamp(&u);
		/* Last, as it isn't noted what was due before it. */
		if (!rc)
			offload_xdp(&u);
		step_end(&u, rc);
		if (rc)
			known->n = before;
	}
	if (u.have_cni)
		cni_close(&u.cni);
	nlc_close(&u.rt);
	json_decref(u.steps);
}

bool adopt_links(struct known *known)
{
	struct nlconn rt;
	int lock = lock_changes_now();

	if (lock == -EAGAIN)
		return false;
	if (!rtnl_open(&rt)) {
		record_each(rt.fd, NULL, adopt, known);
		nlc_close(&rt);
	}
	lock_end(lock);
	return true;
}

bool adopt_waits(const struct known *known)
{
	unsigned int i;

	for (i = 0; i < known->n; i++)
		if (known->devs[i].xdp_due)
			return true;
	return false;
}

void adopt_forget_dev(struct known *known, uint32_t ifindex)
{
	unsigned int i;

	for (i = 0; i < known->n; i++)
		if (known->devs[i].ifindex == ifindex)
			known->devs[i--] = known->devs[--known->n];
}

void adopt_forget(struct known *known)
{
	free(known->devs);
	*known = (struct known){};
}
