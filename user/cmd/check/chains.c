// SPDX-License-Identifier: GPL-2.0
/* The firewall's chains that keep packets off the fast path, and the ways out. */
#include <stdio.h>
#include <string.h>
#include <linux/cnilink.h>

#include "cmd/check/firewall.h"
#include "kernel/accept.h"

#define NAMED 6		/* chains in hints; all are in the data */

bool firewall_given(const struct config_tunnel *t)
{
	return t->opts.flags & CNILINK_TUNNEL_FLAG_BYPASS_NETFILTER;
}

static bool all_given(const struct check *k)
{
	unsigned int i;

	for (i = 0; i < k->c->n_tunnels; i++)
		if (!firewall_given(&k->c->tunnels[i]))
			return false;
	return true;
}

/* Whether the fast path steps over @c with what it forwards. */
static bool sees_inner(const struct check *k, const struct chain *c)
{
	return (c->hook == HOOK_PREROUTING || c->hook == HOOK_FORWARD ||
		c->hook == HOOK_POSTROUTING) &&
	       ((config_carries(k->c, AF_INET) &&
		 ruleset_meets(c, AF_INET, c->hook)) ||
		(config_carries(k->c, AF_INET6) &&
		 ruleset_meets(c, AF_INET6, c->hook)));
}

/* The same with the packets that carry a tunnel's. */
static bool sees_outer(const struct check *k, const struct chain *c)
{
	const struct config_tunnel *t;

	if (c->hook == HOOK_FORWARD || c->hook == HOOK_NONE)
		return false;
	for (t = k->c->tunnels; t < k->c->tunnels + k->c->n_tunnels; t++)
		if (!firewall_given(t) &&
		    ruleset_meets(c, t->remote.family, c->hook))
			return true;
	return false;
}

static json_t *chain_json(const struct chain *c, struct nature n)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:i, s:b, s:b}",
			 "family", c->family, "table", c->table, "chain",
			 c->name, "hook", hook_str(c->hook), "priority",
			 c->prio, "policy", c->drop ? "drop" : "accept",
			 "rules", (int)c->n, "judges", n.judges, "stateful",
			 n.stateful);
}

static void name_chain(struct line *l, const struct chain *c, struct nature n)
{
	char table[200];

	accept_table(c, table, sizeof(table));
	if (!c->n && !c->drop)
		line_hint(l, c->by == BY_NFT ?
			  "%s, chain %s (%s): empty and accepting; nft delete chain %s %s %s does no harm, and may be all that is needed" :
			  "%s, chain %s (%s): empty and accepting",
			  table, c->name, hook_str(c->hook), c->family,
			  c->table, c->name);
	else
		line_hint(l, "%s, chain %s (%s): %u rule%s, policy %s; %s",
			  table, c->name, hook_str(c->hook), c->n,
			  c->n == 1 ? "" : "s", c->drop ? "drop" : "accept",
			  !n.judges ? "it drops and translates nothing" :
			  n.stateful ? "it judges packets, by their connections" :
				       "it judges packets");
}

/* Devices between which a flowtable takes connections: "eth1, cni-gre1". */
static void devices(const struct check *k, char *buf, size_t size)
{
	const struct config *c = k->c;
	const char *comma = "";
	size_t used = 0;
	unsigned int i;

	*buf = '\0';
	for (i = 0; i < c->n_ports + c->n_tunnels && used < size; i++) {
		used += snprintf(buf + used, size - used, "%s%s", comma,
				 i < c->n_ports ? c->ports[i].ifname :
				 c->tunnels[i - c->n_ports].ifname);
		comma = ", ";
	}
	if (!c->n_tunnels && used < size)
		snprintf(buf + used, size - used, "%s%s", comma,
			 c->link.ifname);
}

static bool has_all_devs(const struct check *k, const struct flowtable *f)
{
	const struct config *c = k->c;
	unsigned int i;

	for (i = 0; i < c->n_ports; i++)
		if (!ruleset_names(f->devs, c->ports[i].ifname))
			return false;
	for (i = 0; i < c->n_tunnels; i++)
		if (!ruleset_names(f->devs, c->tunnels[i].ifname))
			return false;
	return c->n_tunnels || ruleset_names(f->devs, c->link.ifname);
}

/* The flowtable that takes all connections over, or NULL. */
static const struct flowtable *flowtable(struct check *k)
{
	const struct ruleset *rs = firewall_rules(k);
	const struct flowtable *f;
	const struct chain *c;

	for (f = rs->flowtables; f < rs->flowtables + rs->n_flowtables; f++) {
		if (!has_all_devs(k, f))
			continue;
		for (c = rs->chains; c < rs->chains + rs->n_chains; c++)
			if (c->hook == HOOK_FORWARD &&
			    !strcmp(c->family, f->family) &&
			    !strcmp(c->table, f->table) &&
			    ruleset_nature(rs, c).offloads)
				return f;
	}
	return NULL;
}

bool firewall_offloads(struct check *k)
{
	return k->c->n_ports && k->c->n_tunnels && all_given(k) &&
	       flowtable(k);
}

/* The lines for the chain @c, which judges packets by their connections. */
static void hint_flowtable(struct check *k, struct line *l,
			   const struct chain *c)
{
	char devs[300];

	devices(k, devs, sizeof(devs));
	if (c->by != BY_NFT) {
		line_hint(l, "a flowtable takes established connections past the rules: nft 'table inet cni { flowtable cni { hook ingress priority filter; devices = { %s }; }; chain forward { type filter hook forward priority filter - 1; meta l4proto { tcp, udp } flow add @cni; }; }'",
			  devs);
		return;
	}
	line_hint(l, "a flowtable takes established connections past the rules: nft 'table %s %s { flowtable cni { hook ingress priority filter; devices = { %s }; }; }'",
		  c->family, c->table, devs);
	line_hint(l, "and before the rule for established ones: nft insert rule %s %s %s meta l4proto '{ tcp, udp }' flow add @cni",
		  c->family, c->table, c->name);
}

static bool drops_something(const struct check *k)
{
	const struct line *l;

	for (l = k->lines; l < k->lines + k->n; l++)
		if (!strncmp(l->name, "firewall", 8) && l->state == CHECK_FAIL)
			return true;
	return false;
}

/* From what costs no safety to what costs most. */
static void hint_ways(struct check *k, struct line *l,
		      const struct chain *stateful, bool outer)
{
	const struct flowtable *f = k->c->n_ports ? flowtable(k) : NULL;
	unsigned int i;

	if (drops_something(k))
		line_hint(l, "first have it accept what it drops: the lines \"firewall\" above have the rules");
	if (f)
		line_hint(l, "the flowtable %s in table %s %s takes established connections past the rules",
			  f->name, f->family, f->table);
	else if (stateful && k->c->n_ports)
		hint_flowtable(k, l, stateful);
	for (i = 0; outer && i < k->c->n_tunnels; i++)
		if (!firewall_given(&k->c->tunnels[i]))
			line_hint(l, "bypass-netfilter = true in the section of tunnel %s gives away its outer packets: the firewall sees no GRE then, but all that is in it",
				  k->c->tunnels[i].ifname);
	if (k->c->n_ports)
		line_hint(l, "last, where it needn't see this traffic, set bypass-netfilter on the port: its packets step over all of the firewall, its default-deny too");
}

/* Names up to @max of those that judge packets, or don't. Returns how many. */
static unsigned int name_chains(struct check *k, struct line *l,
				const struct ruleset *rs, bool judging,
				unsigned int max)
{
	const struct chain *c;
	struct nature nature;
	unsigned int n = 0;

	for (c = rs->chains; c < rs->chains + rs->n_chains; c++) {
		if (!sees_inner(k, c) && !sees_outer(k, c))
			continue;
		nature = ruleset_nature(rs, c);
		if (nature.judges == judging && n++ < max)
			name_chain(l, c, nature);
	}
	return n;
}

void firewall_way_out(struct check *k, struct line *l)
{
	const struct ruleset *rs = firewall_rules(k);
	const struct chain *c, *stateful = NULL;
	json_t *list = json_array();
	bool outer = false, inner;
	unsigned int n, judging;
	struct nature nature;

	/* Those that judge are named first. */
	judging = name_chains(k, l, rs, true, NAMED);
	n = judging + name_chains(k, l, rs, false,
				  judging < NAMED ? NAMED - judging : 0);
	for (c = rs->chains; c < rs->chains + rs->n_chains; c++) {
		inner = sees_inner(k, c);
		if (!inner && !sees_outer(k, c))
			continue;
		nature = ruleset_nature(rs, c);
		json_array_append_new(list, chain_json(c, nature));
		outer |= sees_outer(k, c);
		if (inner && c->hook == HOOK_FORWARD && nature.stateful &&
		    !stateful)
			stateful = c;
	}
	if (n > NAMED)
		line_hint(l, "and %u chains more", n - NAMED);
	line_data(l, "chains", list);
	if (rs->untold)
		line_hint(l, "can't tell all of the firewall: %s", rs->untold);
	/* Connection tracking looks at outer packets without a chain, too. */
	hint_ways(k, l, stateful, outer || stateful);
}
