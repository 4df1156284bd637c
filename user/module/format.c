// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>

#include "base/out.h"
#include "kernel/rtnl.h"
#include "module/format.h"
#include "module/names.h"

const char *format_mac(const struct cni_mac *mac)
{
	static char bufs[4][24];
	static unsigned int turn;
	char *buf = bufs[turn++ % 4];
	const uint8_t *b = mac->b;

	if (!mac->known)
		return "unknown";
	snprintf(buf, sizeof(bufs[0]), "%02x:%02x:%02x:%02x:%02x:%02x", b[0],
		 b[1], b[2], b[3], b[4], b[5]);
	return buf;
}

static void set_str(json_t *o, const char *key, const char *s)
{
	json_object_set_new(o, key, json_string(s));
}

static void set_int(json_t *o, const char *key, uint64_t n)
{
	json_object_set_new(o, key, json_integer(n));
}

static void set_addr(json_t *o, const char *key, const struct addr *a)
{
	if (a->family)
		set_str(o, key, addr_str(a));
}

static void set_mac(json_t *o, const char *key, const struct cni_mac *mac)
{
	if (mac->known)
		set_str(o, key, format_mac(mac));
}

static void set_mss(json_t *o, unsigned int mss4, unsigned int mss6)
{
	if (mss4)
		set_int(o, "mss4", mss4);
	if (mss6)
		set_int(o, "mss6", mss6);
}

json_t *format_counts_json(const uint64_t *counts)
{
	json_t *o = json_object();
	unsigned int i;

	for (i = 0; i < CNI_REASONS; i++)
		if (counts[i])
			set_int(o, names_reason(i), counts[i]);
	return o;
}

static json_t *stats_json(const struct cni_stats *s)
{
	json_t *o = json_object();

	set_int(o, "rx-packets", s->rx_packets);
	set_int(o, "rx-bytes", s->rx_bytes);
	set_int(o, "tx-packets", s->tx_packets);
	set_int(o, "tx-bytes", s->tx_bytes);
	json_object_set_new(o, "punt", format_counts_json(s->punt));
	json_object_set_new(o, "drop", format_counts_json(s->drop));
	set_int(o, "xdp-packets", s->xdp_packets);
	json_object_set_new(o, "xdp-pass", format_counts_json(s->xdp_pass));
	return o;
}

static json_t *object_json(uint32_t ifindex, uint64_t blockers)
{
	json_t *o = json_object();

	set_str(o, "dev", rtnl_name(ifindex));
	set_int(o, "ifindex", ifindex);
	json_object_set_new(o, "offloaded", json_boolean(!blockers));
	json_object_set_new(o, "blockers", names_blockers_json(blockers));
	return o;
}

static json_t *seen_json(const struct cni_link *l)
{
	json_t *list = json_array(), *o;
	const struct cni_seen *s;
	unsigned int i;

	for (i = 0; i < l->n_seen; i++) {
		s = &l->seen[i];
		o = json_object();
		set_int(o, "vlan-id", s->vlan_id);
		set_int(o, "vlan-proto", s->vlan_proto);
		set_int(o, "packets", s->packets);
		set_int(o, "first", s->first);
		set_int(o, "last", s->last);
		if (s->ifindex)
			set_str(o, "dev", rtnl_name(s->ifindex));
		json_array_append_new(list, o);
	}
	return list;
}

json_t *format_link_json(const struct cni_link *l)
{
	json_t *o = object_json(l->ifindex, l->blockers);

	set_addr(o, "local4", &l->local4);
	set_addr(o, "peer4", &l->peer4);
	set_addr(o, "local6", &l->local6);
	set_addr(o, "peer6", &l->peer6);
	if (l->lower) {
		set_str(o, "lower", rtnl_name(l->lower));
		set_int(o, "lower-ifindex", l->lower);
	}
	if (l->vlan_id) {
		set_int(o, "vlan-id", l->vlan_id);
		set_int(o, "vlan-proto", l->vlan_proto);
	}
	set_int(o, "mtu", l->mtu);
	set_mac(o, "lladdr4", &l->lladdr4);
	set_mac(o, "lladdr6", &l->lladdr6);
	json_object_set_new(o, "seen", seen_json(l));
	json_object_set_new(o, "vlan-filter", json_boolean(l->vlan_filter));
	json_object_set_new(o, "stats", stats_json(&l->stats));
	return o;
}

static json_t *health_json(const struct cni_tunnel *t)
{
	json_t *o = json_object(), *checks = json_array(), *one;
	const struct health_check *h;
	unsigned int i;

	for (i = 0; i < t->opts.n_health; i++) {
		h = &t->opts.health[i];
		one = json_object();
		set_str(one, "type", tunopts_health_kind(h));
		set_str(one, "direction", tunopts_health_direction(h));
		set_str(one, "local", addr_str(&h->local));
		set_str(one, "peer", addr_prefix_str(&h->peer));
		json_array_append_new(checks, one);
	}
	json_object_set_new(o, "checks", checks);
	set_int(o, "rate", t->opts.rate);
	set_int(o, "answered", t->answered);
	set_int(o, "limited", t->limited);
	return o;
}

/* The MTU that a tunnel should have at least, and the most that fits. */
static unsigned int mtu_min(const struct cni_tunnel *t)
{
	/* A link of larger packets may lead to one of the usual size. */
	return (t->outer_mtu < 1500 ? t->outer_mtu : 1500) - t->overhead;
}

static unsigned int mtu_max(const struct cni_tunnel *t)
{
	return t->outer_mtu - t->overhead;
}

static const char *mtu_warning(const struct cni_tunnel *t)
{
	if (t->outer_mtu <= t->overhead)
		return NULL;
	if (t->mtu > mtu_max(t))
		return "mtu-too-large";
	return t->mtu < mtu_min(t) ? "mtu-too-small" : NULL;
}

json_t *format_tunnel_json(const struct cni_tunnel *t)
{
	json_t *o = object_json(t->ifindex, t->blockers);
	json_t *warnings = json_array();

	if (t->link)
		set_str(o, "link", rtnl_name(t->link));
	set_addr(o, t->local.family == AF_INET6 ? "local6" : "local4",
		 &t->local);
	set_addr(o, t->remote.family == AF_INET6 ? "remote6" : "remote4",
		 &t->remote);
	if (t->has_ikey)
		set_int(o, "ikey", t->ikey);
	if (t->has_okey)
		set_int(o, "okey", t->okey);
	set_int(o, "ttl", t->ttl);
	set_int(o, "tos", t->tos);
	set_int(o, "mtu", t->mtu);
	if (t->outer_mtu) {
		set_int(o, "outer-mtu", t->outer_mtu);
		set_int(o, "overhead", t->overhead);
	}
	if (mtu_warning(t))
		json_array_append_new(warnings, json_string(mtu_warning(t)));
	json_object_set_new(o, "warnings", warnings);
	set_mac(o, "lladdr", &t->lladdr);
	json_object_set_new(o, "flags",
			    names_flags_json(tunnel_flag_names,
					     n_tunnel_flag_names,
					     t->opts.flags));
	set_mss(o, t->opts.mss4, t->opts.mss6);
	if (t->opts.n_health)
		json_object_set_new(o, "health", health_json(t));
	json_object_set_new(o, "stats", stats_json(&t->stats));
	json_object_set_new(o, "output", stats_json(&t->output));
	json_object_set_new(o, "input", stats_json(&t->input));
	return o;
}

json_t *format_port_json(const struct cni_port *p)
{
	json_t *o = object_json(p->ifindex, p->blockers);

	json_object_set_new(o, "flags",
			    names_flags_json(port_flag_names, n_port_flag_names,
					     p->opts.flags));
	set_int(o, "mtu", p->mtu);
	set_mss(o, p->opts.mss4, p->opts.mss6);
	json_object_set_new(o, "stats", stats_json(&p->stats));
	return o;
}

json_t *format_status_json(const struct cni_status *s)
{
	json_t *o = json_object();

	set_str(o, "version", s->version);
	set_int(o, "generation", s->generation);
	set_int(o, "routes4", s->routes4);
	set_int(o, "routes6", s->routes6);
	set_int(o, "punted4", s->punted4);
	set_int(o, "punted6", s->punted6);
	set_int(o, "bytes", s->bytes);
	json_object_set_new(o, "blockers4", names_blockers_json(s->blockers4));
	json_object_set_new(o, "blockers6", names_blockers_json(s->blockers6));
	if (s->xdp >= 0)
		set_str(o, "xdp", names_xdp(s->xdp));
	if (*s->hooks)
		set_str(o, "hooks", s->hooks);
	return o;
}

/* "12.3 MB": a static buffer, four deep. */
static const char *bytes_str(uint64_t n)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
	static char bufs[4][24];
	static unsigned int turn;
	char *buf = bufs[turn++ % 4];
	unsigned int u = 0;
	double v = n;

	while (v >= 1000 && u < 4) {
		v /= 1000;
		u++;
	}
	snprintf(buf, sizeof(bufs[0]), u ? "%.1f %s" : "%.0f %s", v, units[u]);
	return buf;
}

#define INDENT "        "

static void print_counts(const char *title, const uint64_t *counts,
			 const char *(*advice)(uint32_t reason))
{
	unsigned int i;

	for (i = 0; i < CNI_REASONS; i++) {
		if (!counts[i])
			continue;
		printf(INDENT "%-19s%12s  %s: %s\n", title,
		       out_count(counts[i]), names_reason(i),
		       advice(i));
		title = "";
	}
}

static const char *any_advice(uint32_t reason)
{
	return names_reason_advice(reason, NULL);
}

static void print_stats(const struct cni_stats *s)
{
	printf(INDENT "%-19s%12s  packets, %s\n", "fast path in",
	       out_count(s->rx_packets), bytes_str(s->rx_bytes));
	if (s->xdp_packets)
		printf(INDENT "%-19s%12s  packets\n", "  of these by XDP",
		       out_count(s->xdp_packets));
	printf(INDENT "%-19s%12s  packets, %s\n", "fast path out",
	       out_count(s->tx_packets), bytes_str(s->tx_bytes));
	print_counts("punted", s->punt, any_advice);
	print_counts("dropped", s->drop, any_advice);
}

/* What is for this host, or what its firewall sees before it's forwarded */
static void print_input(const struct cni_stats *s)
{
	printf(INDENT "%-19s%12s  packets, %s\n", "given to the stack",
	       out_count(s->rx_packets), bytes_str(s->rx_bytes));
}

/* What this host sends, or forwards behind a firewall */
static void print_output(const struct cni_stats *s)
{
	printf(INDENT "%-19s%12s  packets, %s\n", "sent for the stack",
	       out_count(s->tx_packets), bytes_str(s->tx_bytes));
	print_counts("left to the device", s->punt, names_outer_advice);
	print_counts("dropped", s->drop, names_outer_advice);
}

static void print_head(const char *kind, uint32_t ifindex, uint64_t blockers)
{
	const char *name = rtnl_name(ifindex);
	uint64_t bit;

	printf("%-7s %-15s %s\n", kind, name,
	       blockers ? "NOT offloaded" : "offloaded");
	for (bit = 1; bit; bit <<= 1)
		if (blockers & bit)
			printf(INDENT "! %s\n",
			       names_blocker_advice(bit, name));
}

static void print_end(const struct addr *local, const struct addr *peer,
		      const struct cni_mac *mac)
{
	if (!local->family && !peer->family)
		return;
	printf(INDENT "%s -> %s, MAC address %s\n", addr_str(local),
	       addr_str(peer), format_mac(mac));
}

/* "12 s": a static buffer, four deep. */
static const char *age_str(uint64_t ms)
{
	static char bufs[4][24];
	static unsigned int turn;
	char *buf = bufs[turn++ % 4];
	unsigned long long s = ms / 1000;

	snprintf(buf, sizeof(bufs[0]), s < 120 ? "%llu s" :
		 s < 7200 ? "%llu min" : "%llu h",
		 s < 120 ? s : s < 7200 ? s / 60 : s / 3600);
	return buf;
}

const char *format_vlan(uint16_t id, uint16_t proto)
{
	static char bufs[4][32];
	static unsigned int turn;
	char *buf = bufs[turn++ % 4];

	if (!proto)
		return "no VLAN";
	snprintf(buf, sizeof(bufs[0]), "VLAN %u%s", id,
		 proto == 0x88a8 ? " (802.1ad)" : "");
	return buf;
}

/*
 * What explains why nothing arrives: not of another day, and no untagged frames,
 * which many a port gets beside, once the other end is known.
 */
static bool is_telling(const struct cni_link *l, const struct cni_seen *s)
{
	return s->last <= SEEN_RECENT_MS &&
	       (s->vlan_proto || s->ifindex ||
		!(l->lladdr4.known || l->lladdr6.known));
}

static void print_seen(const struct cni_link *l)
{
	const struct cni_seen *s;
	unsigned int i;

	for (i = 0; i < l->n_seen; i++) {
		s = &l->seen[i];
		if (!is_telling(l, s))
			continue;
		printf(INDENT "%sframes arrive with %s (%s, first %s ago, last %s ago); ",
		       s->ifindex ? "" : "! ",
		       format_vlan(s->vlan_id, s->vlan_proto),
		       out_count(s->packets), age_str(s->first),
		       age_str(s->last));
		if (s->ifindex)
			printf("%s takes them\n", rtnl_name(s->ifindex));
		else
			printf("this link has %s\n",
			       format_vlan(l->vlan_id, l->vlan_proto));
	}
	/* Only of interest to who looks for what went wrong. */
	if (l->vlan_filter && !l->lladdr4.known && !l->lladdr6.known)
		printf(INDENT "%s drops frames of other VLANs unseen: to see these, ethtool -K %s rx-vlan-filter off\n",
		       rtnl_name(l->lower), rtnl_name(l->lower));
}

void format_link(const struct cni_link *l)
{
	print_head("link", l->ifindex, l->blockers);
	if (l->vlan_id)
		printf(INDENT "%s on %s, MTU %u\n",
		       format_vlan(l->vlan_id, l->vlan_proto),
		       rtnl_name(l->lower), l->mtu);
	else
		printf(INDENT "untagged, MTU %u\n", l->mtu);
	print_end(&l->local4, &l->peer4, &l->lladdr4);
	print_end(&l->local6, &l->peer6, &l->lladdr6);
	print_seen(l);
	print_stats(&l->stats);
}

static void print_health(const struct cni_tunnel *t)
{
	const struct health_check *h;
	unsigned int i;

	for (i = 0; i < t->opts.n_health; i++) {
		h = &t->opts.health[i];
		printf(INDENT "health check: echo %s, %s, of %s for %s\n",
		       tunopts_health_kind(h), tunopts_health_direction(h),
		       addr_prefix_str(&h->peer), addr_str(&h->local));
	}
	if (!i)
		return;
	printf(INDENT "%s probes answered", out_count(t->answered));
	if (t->limited)
		printf(", %s punted for being more than %u a second",
		       out_count(t->limited), t->opts.rate);
	putchar('\n');
}

const char *format_mtu_problem(const struct cni_tunnel *t)
{
	static char buf[160];

	if (!mtu_warning(t))
		return NULL;
	if (t->mtu > mtu_max(t))
		snprintf(buf, sizeof(buf), "MTU %u doesn't fit: the link carries %u inside this tunnel (ip link set %s mtu %u)",
			 t->mtu, mtu_max(t), rtnl_name(t->ifindex), mtu_max(t));
	else
		snprintf(buf, sizeof(buf), "MTU %u is smaller than the %u that fit (ip link set %s mtu %u)",
			 t->mtu, mtu_min(t), rtnl_name(t->ifindex), mtu_min(t));
	return buf;
}

void format_tunnel(const struct cni_tunnel *t)
{
	print_head("tunnel", t->ifindex, t->blockers);
	printf(INDENT "%s -> %s", addr_str(&t->local), addr_str(&t->remote));
	if (t->link)
		printf(" over %s", rtnl_name(t->link));
	if (t->has_okey)
		printf(", key %u", t->okey);
	if (t->ttl)
		printf(", TTL %u", t->ttl);
	else
		printf(", TTL of the inner packet");
	printf(", MTU %u\n", t->mtu);
	if (format_mtu_problem(t))
		printf(INDENT "! %s\n", format_mtu_problem(t));
	if (t->opts.mss4)
		printf(INDENT "TCP segments of at most %u bytes, %u over IPv6\n",
		       t->opts.mss4, t->opts.mss6);
	if (t->opts.flags & CNILINK_TUNNEL_FLAG_BYPASS_NETFILTER)
		printf(INDENT "netfilter is bypassed for its outer packets (bypass-netfilter)\n");
	print_health(t);
	print_stats(&t->stats);
	print_input(&t->input);
	print_output(&t->output);
}

void format_port(const struct cni_port *p)
{
	print_head("port", p->ifindex, p->blockers);
	printf(INDENT "MTU %u%s%s\n", p->mtu,
	       p->opts.flags & CNILINK_PORT_FLAG_BYPASS_NETFILTER ?
	       ", steps over netfilter (bypass-netfilter)" : "",
	       p->opts.flags & CNILINK_PORT_FLAG_STRICT_SOURCE ?
	       ", sources must be routed back to it (strict-source)" : "");
	if (p->opts.mss4)
		printf(INDENT "sends TCP segment sizes of at most %u bytes, %u over IPv6\n",
		       p->opts.mss4, p->opts.mss6);
	print_stats(&p->stats);
}

void format_status(const struct cni_status *s)
{
	uint64_t bit, both = s->blockers4 | s->blockers6;

	printf("%-7s %s\n", "module", s->version);
	printf(INDENT "%s IPv4 routes, %s of them punted\n",
	       out_count(s->routes4), out_count(s->punted4));
	printf(INDENT "%s IPv6 routes, %s of them punted\n",
	       out_count(s->routes6), out_count(s->punted6));
	printf(INDENT "%s of memory for the tables\n", bytes_str(s->bytes));
	printf(INDENT "XDP: %s\n", names_xdp_advice(s->xdp));
	for (bit = 1; bit; bit <<= 1) {
		if (!(both & bit))
			continue;
		printf(INDENT "! %s: %s\n", s->blockers4 & s->blockers6 & bit ?
		       "IPv4 and IPv6" : s->blockers4 & bit ? "IPv4" : "IPv6",
		       names_blocker_advice(bit, "every port"));
		if (bit == CNILINK_BLOCKER_NETFILTER && *s->hooks)
			printf(INDENT "  hooks: %s\n", s->hooks);
	}
}

json_t *format_hops_json(const struct khop *hops, unsigned int n)
{
	json_t *list = json_array(), *o;
	unsigned int i;

	for (i = 0; i < n; i++) {
		o = json_object();
		set_str(o, "dev", rtnl_name(hops[i].oif));
		set_addr(o, "via", &hops[i].via);
		set_int(o, "weight", hops[i].weight);
		json_array_append_new(list, o);
	}
	return list;
}

void format_hops(const struct khop *hops, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (n > 1)
			printf(" nexthop");
		if (hops[i].via.family)
			printf(" via %s", addr_str(&hops[i].via));
		if (hops[i].oif)
			printf(" dev %s", rtnl_name(hops[i].oif));
		if (n > 1)
			printf(" weight %u", hops[i].weight);
	}
}
