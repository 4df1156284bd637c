// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <linux/rtnetlink.h>

#include "base/out.h"
#include "cmd/cnictl.h"
#include "kernel/rtnl.h"
#include "module/names.h"
#include "module/show.h"

const char *mac_str(const struct cni_mac *mac)
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
		set_str(o, key, mac_str(mac));
}

static void set_mss(json_t *o, unsigned int mss4, unsigned int mss6)
{
	if (mss4)
		set_int(o, "mss4", mss4);
	if (mss6)
		set_int(o, "mss6", mss6);
}

json_t *counts_json(const uint64_t *counts)
{
	json_t *o = json_object();
	unsigned int i;

	for (i = 0; i < CNI_REASONS; i++)
		if (counts[i])
			set_int(o, reason_name(i), counts[i]);
	return o;
}

static json_t *stats_json(const struct cni_stats *s)
{
	json_t *o = json_object();

	set_int(o, "rx-packets", s->rx_packets);
	set_int(o, "rx-bytes", s->rx_bytes);
	set_int(o, "tx-packets", s->tx_packets);
	set_int(o, "tx-bytes", s->tx_bytes);
	json_object_set_new(o, "punt", counts_json(s->punt));
	json_object_set_new(o, "drop", counts_json(s->drop));
	set_int(o, "xdp-packets", s->xdp_packets);
	json_object_set_new(o, "xdp-pass", counts_json(s->xdp_pass));
	return o;
}

static json_t *object_json(uint32_t ifindex, uint64_t blockers)
{
	json_t *o = json_object();

	set_str(o, "dev", dev_name(ifindex));
	set_int(o, "ifindex", ifindex);
	json_object_set_new(o, "offloaded", json_boolean(!blockers));
	json_object_set_new(o, "blockers", blockers_json(blockers));
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
			set_str(o, "dev", dev_name(s->ifindex));
		json_array_append_new(list, o);
	}
	return list;
}

json_t *link_json(const struct cni_link *l)
{
	json_t *o = object_json(l->ifindex, l->blockers);

	set_addr(o, "local4", &l->local4);
	set_addr(o, "peer4", &l->peer4);
	set_addr(o, "local6", &l->local6);
	set_addr(o, "peer6", &l->peer6);
	if (l->lower) {
		set_str(o, "lower", dev_name(l->lower));
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
		set_str(one, "type", health_kind(h));
		set_str(one, "direction", health_direction(h));
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

json_t *tunnel_json(const struct cni_tunnel *t)
{
	json_t *o = object_json(t->ifindex, t->blockers);
	json_t *warnings = json_array();

	if (t->link)
		set_str(o, "link", dev_name(t->link));
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
	set_mss(o, t->opts.mss4, t->opts.mss6);
	if (t->opts.n_health)
		json_object_set_new(o, "health", health_json(t));
	json_object_set_new(o, "stats", stats_json(&t->stats));
	json_object_set_new(o, "output", stats_json(&t->output));
	return o;
}

json_t *port_json(const struct cni_port *p)
{
	json_t *o = object_json(p->ifindex, p->blockers);
	json_t *flags = json_array();
	unsigned int i;

	for (i = 0; i < n_port_flag_names; i++)
		if (p->opts.flags & port_flag_names[i].value)
			json_array_append_new(flags,
				json_string(port_flag_names[i].name));
	json_object_set_new(o, "flags", flags);
	set_int(o, "mtu", p->mtu);
	set_mss(o, p->opts.mss4, p->opts.mss6);
	json_object_set_new(o, "stats", stats_json(&p->stats));
	return o;
}

json_t *status_json(const struct cni_status *s)
{
	json_t *o = json_object();

	set_str(o, "version", s->version);
	set_int(o, "generation", s->generation);
	set_int(o, "routes4", s->routes4);
	set_int(o, "routes6", s->routes6);
	set_int(o, "punted4", s->punted4);
	set_int(o, "punted6", s->punted6);
	set_int(o, "bytes", s->bytes);
	json_object_set_new(o, "blockers4", blockers_json(s->blockers4));
	json_object_set_new(o, "blockers6", blockers_json(s->blockers6));
	if (s->xdp >= 0)
		set_str(o, "xdp", xdp_name(s->xdp));
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

static void print_counts(const char *title, const uint64_t *counts)
{
	unsigned int i;

	for (i = 0; i < CNI_REASONS; i++) {
		if (!counts[i])
			continue;
		printf(INDENT "%-19s%12s  %s: %s\n", title,
		       out_count(counts[i]), reason_name(i),
		       reason_advice(i, NULL));
		title = "";
	}
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
	print_counts("left to the kernel", s->punt);
	print_counts("dropped", s->drop);
}

/* What this host sends, or forwards behind a firewall */
static void print_output(const struct cni_stats *s)
{
	printf(INDENT "%-19s%12s  packets, %s\n", "sent for the stack",
	       out_count(s->tx_packets), bytes_str(s->tx_bytes));
	print_counts("left to the device", s->punt);
	print_counts("dropped", s->drop);
}

static void print_head(const char *kind, uint32_t ifindex, uint64_t blockers)
{
	const char *name = dev_name(ifindex);
	uint64_t bit;

	printf("%-7s %-15s %s\n", kind, name,
	       blockers ? "NOT offloaded" : "offloaded");
	for (bit = 1; bit; bit <<= 1)
		if (blockers & bit)
			printf(INDENT "! %s\n", blocker_advice(bit, name));
}

static void print_end(const struct addr *local, const struct addr *peer,
		      const struct cni_mac *mac)
{
	if (!local->family && !peer->family)
		return;
	printf(INDENT "%s -> %s, MAC address %s\n", addr_str(local),
	       addr_str(peer), mac_str(mac));
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

const char *vlan_str(uint16_t id, uint16_t proto)
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
		       vlan_str(s->vlan_id, s->vlan_proto),
		       out_count(s->packets), age_str(s->first),
		       age_str(s->last));
		if (s->ifindex)
			printf("%s takes them\n", dev_name(s->ifindex));
		else
			printf("this link has %s\n",
			       vlan_str(l->vlan_id, l->vlan_proto));
	}
	/* Only of interest to who looks for what went wrong. */
	if (l->vlan_filter && !l->lladdr4.known && !l->lladdr6.known)
		printf(INDENT "%s drops frames of other VLANs unseen: to see these, ethtool -K %s rx-vlan-filter off\n",
		       dev_name(l->lower), dev_name(l->lower));
}

void link_print(const struct cni_link *l)
{
	print_head("link", l->ifindex, l->blockers);
	if (l->vlan_id)
		printf(INDENT "%s on %s, MTU %u\n",
		       vlan_str(l->vlan_id, l->vlan_proto),
		       dev_name(l->lower), l->mtu);
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
		       health_kind(h), health_direction(h),
		       addr_prefix_str(&h->peer), addr_str(&h->local));
	}
	if (!i)
		return;
	printf(INDENT "%s probes answered", out_count(t->answered));
	if (t->limited)
		printf(", %s left to the kernel for being more than %u a second",
		       out_count(t->limited), t->opts.rate);
	putchar('\n');
}

const char *tunnel_mtu_problem(const struct cni_tunnel *t)
{
	static char buf[160];

	if (!mtu_warning(t))
		return NULL;
	if (t->mtu > mtu_max(t))
		snprintf(buf, sizeof(buf), "MTU %u doesn't fit: the link carries %u inside this tunnel (ip link set %s mtu %u)",
			 t->mtu, mtu_max(t), dev_name(t->ifindex), mtu_max(t));
	else
		snprintf(buf, sizeof(buf), "MTU %u is smaller than the %u that fit (ip link set %s mtu %u)",
			 t->mtu, mtu_min(t), dev_name(t->ifindex), mtu_min(t));
	return buf;
}

void tunnel_print(const struct cni_tunnel *t)
{
	print_head("tunnel", t->ifindex, t->blockers);
	printf(INDENT "%s -> %s", addr_str(&t->local), addr_str(&t->remote));
	if (t->link)
		printf(" over %s", dev_name(t->link));
	if (t->has_okey)
		printf(", key %u", t->okey);
	if (t->ttl)
		printf(", TTL %u", t->ttl);
	else
		printf(", TTL of the inner packet");
	printf(", MTU %u\n", t->mtu);
	if (tunnel_mtu_problem(t))
		printf(INDENT "! %s\n", tunnel_mtu_problem(t));
	if (t->opts.mss4)
		printf(INDENT "TCP segments of at most %u bytes, %u over IPv6\n",
		       t->opts.mss4, t->opts.mss6);
	print_health(t);
	print_stats(&t->stats);
	print_output(&t->output);
}

void port_print(const struct cni_port *p)
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

static void status_print(const struct cni_status *s)
{
	uint64_t bit, both = s->blockers4 | s->blockers6;

	printf("%-7s %s\n", "module", s->version);
	printf(INDENT "%s IPv4 routes, %s of them left to the kernel\n",
	       out_count(s->routes4), out_count(s->punted4));
	printf(INDENT "%s IPv6 routes, %s of them left to the kernel\n",
	       out_count(s->routes6), out_count(s->punted6));
	printf(INDENT "%s of memory for the tables\n", bytes_str(s->bytes));
	printf(INDENT "XDP: %s\n", xdp_advice(s->xdp));
	for (bit = 1; bit; bit <<= 1) {
		if (!(both & bit))
			continue;
		printf(INDENT "! %s: %s\n", s->blockers4 & s->blockers6 & bit ?
		       "IPv4 and IPv6" : s->blockers4 & bit ? "IPv4" : "IPv6",
		       blocker_advice(bit, "every port"));
		if (bit == CNILINK_BLOCKER_NETFILTER && *s->hooks)
			printf(INDENT "  hooks: %s\n", s->hooks);
	}
}

static uint64_t all(const uint64_t *counts)
{
	uint64_t n = 0;
	unsigned int i;

	for (i = 0; i < CNI_REASONS; i++)
		n += counts[i];
	return n;
}

/* One line each, for the eye. */
static void print_brief(const char *kind, uint32_t ifindex, uint64_t blockers,
			const struct cni_stats *s)
{
	printf("%-7s %-15s %-13s in %s, out %s, kernel %s, dropped %s%s%s\n",
	       kind, dev_name(ifindex),
	       blockers ? "NOT offloaded" : "offloaded",
	       out_count(s->rx_packets), out_count(s->tx_packets),
	       out_count(all(s->punt)), out_count(all(s->drop)),
	       blockers ? "; " : "", blockers ? blockers_str(blockers) : "");
}

static void link_brief(const struct cni_link *l)
{
	print_brief("link", l->ifindex, l->blockers, &l->stats);
}

static void tunnel_brief(const struct cni_tunnel *t)
{
	print_brief("tunnel", t->ifindex, t->blockers, &t->stats);
}

static void port_brief(const struct cni_port *p)
{
	print_brief("port", p->ifindex, p->blockers, &p->stats);
}

static void status_brief(const struct cni_status *s)
{
	uint64_t blockers = s->blockers4 | s->blockers6;

	printf("%-7s %-15s %-13s routes: IPv4 %s (%s left to the kernel), IPv6 %s (%s)%s%s\n",
	       "module", s->version, blockers ? "NOT offloaded" : "offloaded",
	       out_count(s->routes4), out_count(s->punted4),
	       out_count(s->routes6), out_count(s->punted6),
	       blockers ? "; " : "", blockers ? blockers_str(blockers) : "");
}

/* Fields between tabs, for programs; what there isn't is "-". */
static void field(const char *s)
{
	printf("\t%s", *s ? s : "-");
}

static void field_int(uint64_t n)
{
	printf("\t%" PRIu64, n);
}

static void field_addr(const struct addr *a)
{
	field(a->family ? addr_str(a) : "");
}

static void field_dev(uint32_t ifindex)
{
	field(ifindex ? dev_name(ifindex) : "");
}

static void field_mac(const struct cni_mac *mac)
{
	field(mac->known ? mac_str(mac) : "");
}

static void fields_head(const char *kind, uint32_t ifindex, uint64_t blockers)
{
	printf("%s", kind);
	field(dev_name(ifindex));
	field_int(ifindex);
	field(blockers_str(blockers));
}

static void fields_stats(const struct cni_stats *s)
{
	field_int(s->rx_packets);
	field_int(s->rx_bytes);
	field_int(s->tx_packets);
	field_int(s->tx_bytes);
	field_int(all(s->punt));
	field_int(all(s->drop));
}

static void link_dump(const struct cni_link *l)
{
	fields_head("link", l->ifindex, l->blockers);
	field_addr(&l->local4);
	field_addr(&l->peer4);
	field_addr(&l->local6);
	field_addr(&l->peer6);
	field_dev(l->lower);
	field_int(l->vlan_id);
	field_int(l->mtu);
	field_mac(&l->lladdr4);
	field_mac(&l->lladdr6);
	fields_stats(&l->stats);
	putchar('\n');
}

static void tunnel_dump(const struct cni_tunnel *t)
{
	fields_head("tunnel", t->ifindex, t->blockers);
	field_dev(t->link);
	field_addr(&t->local);
	field_addr(&t->remote);
	field_int(t->ttl);
	field_int(t->mtu);
	field_int(t->outer_mtu);
	field_int(t->overhead);
	field_int(t->opts.mss4);
	field_int(t->opts.mss6);
	field_int(t->answered);
	field_int(t->limited);
	fields_stats(&t->stats);
	field_int(t->output.tx_packets);
	field_int(t->output.tx_bytes);
	putchar('\n');
}

static void port_dump(const struct cni_port *p)
{
	fields_head("port", p->ifindex, p->blockers);
	field_int(p->mtu);
	field(p->opts.flags & CNILINK_PORT_FLAG_BYPASS_NETFILTER ?
	      "bypass-netfilter" : "");
	field(p->opts.flags & CNILINK_PORT_FLAG_STRICT_SOURCE ?
	      "strict-source" : "");
	field_int(p->opts.mss4);
	field_int(p->opts.mss6);
	fields_stats(&p->stats);
	putchar('\n');
}

static void status_dump(const struct cni_status *s)
{
	printf("module");
	field(s->version);
	field_int(s->generation);
	field_int(s->routes4);
	field_int(s->routes6);
	field_int(s->punted4);
	field_int(s->punted6);
	field_int(s->bytes);
	field(blockers_str(s->blockers4));
	field(blockers_str(s->blockers6));
	field(xdp_name(s->xdp));
	putchar('\n');
}

static enum { DETAILED, BRIEF, DUMP } style;

/* By the style that was asked for. */
#define SHOW_ONE(kind)							\
static void show_##kind(const struct cni_##kind *o)			\
{									\
	if (style == BRIEF)						\
		kind##_brief(o);					\
	else if (style == DUMP)						\
		kind##_dump(o);						\
	else								\
		kind##_print(o);					\
}

SHOW_ONE(link)
SHOW_ONE(tunnel)
SHOW_ONE(port)
SHOW_ONE(status)

static int failed(struct cni *c, int rc, const char *what)
{
	err("can't get the module's %s: %s", what, nlc_strerror(&c->nl, rc));
	return RC_FAILED;
}

static int none_such(const char *kind, uint32_t ifindex)
{
	err("%s is no %s of the module", dev_name(ifindex), kind);
	hint("cnictl %s add %s makes it one", kind, dev_name(ifindex));
	return RC_FAILED;
}

/* The three kinds differ in their types only. */
#define SHOW_KIND(kind, kinds, type, label)				\
static json_t *kinds##_json(struct type *list, unsigned int n)		\
{									\
	json_t *o = json_array();					\
	unsigned int i;							\
									\
	for (i = 0; i < n; i++)						\
		json_array_append_new(o, kind##_json(&list[i]));	\
	return o;							\
}									\
									\
int show_##kinds(struct cni *c, uint32_t only)				\
{									\
	struct type *list;						\
	unsigned int n, i, kept = 0;					\
	int rc = cni_##kinds(c, &list, &n);				\
									\
	if (rc)								\
		return failed(c, rc, label "s");			\
	for (i = 0; i < n; i++)						\
		if (!only || list[i].ifindex == only)			\
			list[kept++] = list[i];				\
	if (only && !kept)						\
		rc = none_such(label, only);				\
	else if (out_json)						\
		out_print(kinds##_json(list, kept));			\
	for (i = 0; !out_json && i < kept; i++)				\
		show_##kind(&list[i]);					\
	free(list);							\
	return rc;							\
}

SHOW_KIND(link, links, cni_link, "link")
SHOW_KIND(tunnel, tunnels, cni_tunnel, "tunnel")
SHOW_KIND(port, ports, cni_port, "port")

json_t *hops_json(const struct khop *hops, unsigned int n)
{
	json_t *list = json_array(), *o;
	unsigned int i;

	for (i = 0; i < n; i++) {
		o = json_object();
		set_str(o, "dev", dev_name(hops[i].oif));
		set_addr(o, "via", &hops[i].via);
		set_int(o, "weight", hops[i].weight);
		json_array_append_new(list, o);
	}
	return list;
}

void hops_print(const struct khop *hops, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (n > 1)
			printf(" nexthop");
		if (hops[i].via.family)
			printf(" via %s", addr_str(&hops[i].via));
		if (hops[i].oif)
			printf(" dev %s", dev_name(hops[i].oif));
		if (n > 1)
			printf(" weight %u", hops[i].weight);
	}
}

static json_t *route_json(const struct cni_route *r)
{
	json_t *o = json_object();

	set_str(o, "dst", addr_prefix_str(&r->dst));
	json_object_set_new(o, "table", json_integer(r->table));
	set_str(o, "action", r->punt ? "punt" : "forward");
	/* The one as it has always been, besides the list. */
	if (r->n_hops == 1) {
		set_str(o, "dev", dev_name(r->hops[0].oif));
		set_addr(o, "via", &r->hops[0].via);
	}
	if (r->n_hops)
		json_object_set_new(o, "nexthops",
				    hops_json(r->hops, r->n_hops));
	if (!r->punt)
		json_object_set_new(o, "blockers", blockers_json(r->blockers));
	return o;
}

/* What a dump that starts over must be able to take back. */
struct route_list {
	struct cni_route *v;
	size_t n, size;
};

static int add_route(const struct cni_route *r, void *arg)
{
	struct route_list *l = arg;
	struct khop *hops;

	if (l->n == l->size) {
		l->size = l->size ? l->size * 2 : 1024;
		l->v = xrealloc(l->v, l->size * sizeof(*l->v));
	}
	hops = xalloc(r->n_hops * sizeof(*hops) + 1);
	memcpy(hops, r->hops, r->n_hops * sizeof(*hops));
	l->v[l->n] = *r;
	l->v[l->n++].hops = hops;
	return interrupted ? -EINTR : 0;
}

static void drop_routes(void *arg)
{
	struct route_list *l = arg;

	while (l->n)
		free((void *)l->v[--l->n].hops);
}

static void print_route(const struct cni_route *r)
{
	printf("%s", addr_prefix_str(&r->dst));
	if (r->table != RT_TABLE_MAIN)
		printf(" table %u", r->table);
	if (r->punt) {
		printf(" left to the kernel\n");
		return;
	}
	hops_print(r->hops, r->n_hops);
	if (r->blockers)
		printf(" NOT offloaded: %s", blockers_str(r->blockers));
	printf("\n");
}

static void route_dump(const struct cni_route *r)
{
	unsigned int i;

	printf("route\t%u\t%s\t%s\t", r->table, addr_prefix_str(&r->dst),
	       r->punt ? "punt" : "forward");
	for (i = 0; i < r->n_hops; i++)
		printf("%s%s,%s,%u", i ? ";" : "", dev_name(r->hops[i].oif),
		       r->hops[i].via.family ? addr_str(&r->hops[i].via) : "-",
		       r->hops[i].weight);
	if (!r->n_hops)
		putchar('-');
	field(blockers_str(r->blockers));
	putchar('\n');
}

int show_routes(struct cni *c)
{
	struct route_list l = {};
	json_t *root;
	size_t i;
	int rc;

	rc = cni_routes(c, add_route, drop_routes, &l);
	if (rc) {
		drop_routes(&l);
		free(l.v);
		return failed(c, rc, "routes");
	}
	if (out_json) {
		root = json_array();
		for (i = 0; i < l.n; i++)
			json_array_append_new(root, route_json(&l.v[i]));
		out_print(root);
	} else {
		for (i = 0; i < l.n; i++)
			(style == DUMP ? route_dump : print_route)(&l.v[i]);
	}
	drop_routes(&l);
	free(l.v);
	return RC_OK;
}

static int show_module(struct cni *c)
{
	struct cni_status s;
	int rc = cni_status(c, &s);

	if (rc)
		return failed(c, rc, "status");
	if (out_json)
		out_print(status_json(&s));
	else
		show_status(&s);
	return RC_OK;
}

json_t *sample_json(struct sample *s)
{
	json_t *root = json_object();

	json_object_set_new(root, "status", status_json(&s->status));
	json_object_set_new(root, "links", links_json(s->links, s->n_links));
	json_object_set_new(root, "tunnels",
			    tunnels_json(s->tunnels, s->n_tunnels));
	json_object_set_new(root, "ports", ports_json(s->ports, s->n_ports));
	return root;
}

static int show_all(struct cni *c)
{
	struct sample s = {};
	unsigned int i;
	int rc;

	rc = sample_take(c, &s);
	if (rc) {
		rc = failed(c, rc, "state");
	} else if (out_json) {
		out_print(sample_json(&s));
	} else {
		show_status(&s.status);
		for (i = 0; i < s.n_links; i++)
			show_link(&s.links[i]);
		for (i = 0; i < s.n_tunnels; i++)
			show_tunnel(&s.tunnels[i]);
		for (i = 0; i < s.n_ports; i++)
			show_port(&s.ports[i]);
	}
	sample_free(&s);
	return rc;
}

int verb_show(int argc, char **argv)
{
	const char *what = "";
	struct cni c;
	int i, rc;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-br") || !strcmp(argv[i], "--brief"))
			style = BRIEF;
		else if (!strcmp(argv[i], "--dump"))
			style = DUMP;
		else if (*argv[i] == '-')
			return usage("show", "there is no option '%s'",
				     argv[i]);
		else if (*what)
			return usage("show", "one kind at most");
		else
			what = argv[i];
	}
	if (*what && strcmp(what, "link") && strcmp(what, "tunnel") &&
	    strcmp(what, "port") && strcmp(what, "route") &&
	    strcmp(what, "status"))
		return usage("show", "there is nothing called '%s'", what);
	rc = cni_open(&c);
	if (rc == -ENOENT)
		cni_say_missing();
	if (rc)
		return RC_FAILED;
	if (!strcmp(what, "link"))
		rc = show_links(&c, 0);
	else if (!strcmp(what, "tunnel"))
		rc = show_tunnels(&c, 0);
	else if (!strcmp(what, "port"))
		rc = show_ports(&c, 0);
	else if (!strcmp(what, "route"))
		rc = show_routes(&c);
	else if (!strcmp(what, "status"))
		rc = show_module(&c);
	else
		rc = show_all(&c);
	cni_close(&c);
	return rc;
}
