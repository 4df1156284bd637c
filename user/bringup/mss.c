// SPDX-License-Identifier: GPL-2.0
/* What keeps TCP from segments that don't fit, where the module is left out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/out.h"
#include "bringup/bringup.h"
#include "kernel/clamp.h"

static void undo_clamp(struct up *u, const struct undo *undo)
{
	struct clamp c;
	char *why = NULL;

	clamp_init(&c, undo->dev.name);
	if (undo->table)
		step_undoing(u, "nft table inet %s as it was", c.table);
	else
		step_undoing(u, "nft delete table inet %s", c.table);
	if (clamp_put(&c, undo->table, &why))
		err("nft can't put the table %s back: %s", c.table,
		    why ? why : "it can't be run");
	free(why);
}

/* Puts @c in the place of what there is on @link's behalf. */
static int set_clamp(struct up *u, const struct clamp *c, const char *link)
{
	char *now, *text, *why = NULL;
	struct undo *undo;
	int rc;

	rc = clamp_get(c, &now);
	if (rc == -ENOENT) {
		if (c->what)
			step_remark(u, "nft isn't installed: nothing keeps TCP from segments that don't fit (%s)",
				    c->what);
		return 0;
	}
	if (rc) {
		err("can't run nft: %s", strerror(-rc));
		return rc;
	}
	if (clamp_same(c, now)) {
		if (c->what)
			step_right(u, "nft table inet %s has %s", c->table,
				   c->what);
		free(now);
		return 0;
	}
	if (!(c->what ? step_do(u, "nft table inet %s: %s", c->table, c->what) :
			step_do(u, "nft delete table inet %s", c->table))) {
		free(now);
		return 0;
	}
	text = clamp_text(c);
	rc = clamp_put(c, text, &why);
	free(text);
	if (rc) {
		err("nft refuses the table %s: %s", c->table,
		    !why ? strerror(-rc) :
		    *why ? why : "it gave no answer in time");
		free(now);
	} else {
		undo = step_on_failure(u, 0, undo_clamp);
		undo->table = now;
		strcpy(undo->dev.name, link);
	}
	free(why);
	return rc;
}

/* A tunnel's or port's; nft has no word for some names. */
static int add_clamp(struct clamp *c, const char *ifname, bool in,
		     uint16_t mss4, uint16_t mss6)
{
	if (mss4 && strpbrk(ifname, "\"\\*")) {
		err("the name of the device %s is none for nft: set \"mss = off\" for it",
		    ifname);
		return -EINVAL;
	}
	clamp_add(c, ifname, in, mss4, mss6);
	return 0;
}

int mss_clamp(struct up *u)
{
	const struct config *c = u->c;
	struct portopts port;
	struct tunopts tun;
	struct clamp clamp;
	unsigned int i;
	int rc = 0;

	clamp_init(&clamp, c->link.ifname);
	for (i = 0; u->no_offload && !rc && i < c->n_tunnels; i++) {
		tun = offload_tunnel_opts(u, &c->tunnels[i]);
		rc = add_clamp(&clamp, c->tunnels[i].ifname, true, tun.mss4,
			       tun.mss6);
	}
	for (i = 0; u->no_offload && !rc && i < c->n_ports; i++) {
		port = port_opts(u, &c->ports[i]);
		rc = add_clamp(&clamp, c->ports[i].ifname, false, port.mss4,
			       port.mss6);
	}
	if (!rc)
		rc = set_clamp(u, &clamp, c->link.ifname);
	clamp_free(&clamp);
	return rc;
}

int mss_unclamp(struct up *u, const char *link)
{
	struct clamp none;

	clamp_init(&none, link);
	return set_clamp(u, &none, link);
}
