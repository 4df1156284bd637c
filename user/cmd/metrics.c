// SPDX-License-Identifier: GPL-2.0
/*
 * OpenMetrics text, with nothing in it that readers of Prometheus's older format
 * don't take, so that node_exporter's textfile collector does.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/lock.h"
#include "base/out.h"
#include "base/usage.h"
#include "cmd/verbs.h"
#include "kernel/rtnl.h"
#include "module/names.h"
#include "module/sample.h"

/* What all kinds have. */
struct object {
	const char *kind;
	char dev[IFNAMSIZ];
	const struct cni_stats *stats;
	uint64_t blockers;
	uint32_t mtu;
	/* The counters of a tunnel's stages, which go one way. */
	bool is_input, is_output;
};

struct all {
	FILE *f;
	struct sample s;
	struct object *objects;
	unsigned int n;
};

static void family(struct all *a, const char *name, const char *type,
		   const char *unit, const char *help)
{
	fprintf(a->f, "# TYPE cnilink_%s %s\n", name, type);
	if (unit)
		fprintf(a->f, "# UNIT cnilink_%s %s\n", name, unit);
	fprintf(a->f, "# HELP cnilink_%s %s\n", name, help);
}

/* A device's name may have any character but white space and "/". */
static const char *escaped(const char *s)
{
	static char buf[2 * IFNAMSIZ];
	char *to = buf;

	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			*to++ = '\\';
		*to++ = *s;
	}
	*to = '\0';
	return buf;
}

static struct object *add(struct all *a, const char *kind, uint32_t ifindex,
			  const struct cni_stats *stats)
{
	struct object *o = &a->objects[a->n++];

	o->kind = kind;
	o->stats = stats;
	snprintf(o->dev, sizeof(o->dev), "%s", rtnl_name(ifindex));
	return o;
}

static void list_objects(struct all *a)
{
	struct object *o;
	unsigned int i;

	a->objects = xalloc((a->s.n_links + 3 * a->s.n_tunnels + a->s.n_ports) *
			    sizeof(*a->objects));
	for (i = 0; i < a->s.n_links; i++) {
		o = add(a, "link", a->s.links[i].ifindex, &a->s.links[i].stats);
		o->blockers = a->s.links[i].blockers;
		o->mtu = a->s.links[i].mtu;
	}
	for (i = 0; i < a->s.n_tunnels; i++) {
		o = add(a, "tunnel", a->s.tunnels[i].ifindex,
			&a->s.tunnels[i].stats);
		o->blockers = a->s.tunnels[i].blockers;
		o->mtu = a->s.tunnels[i].mtu;
	}
	for (i = 0; i < a->s.n_tunnels; i++) {
		o = add(a, "output", a->s.tunnels[i].ifindex,
			&a->s.tunnels[i].output);
		o->is_output = true;
		o = add(a, "input", a->s.tunnels[i].ifindex,
			&a->s.tunnels[i].input);
		o->is_input = true;
	}
	for (i = 0; i < a->s.n_ports; i++) {
		o = add(a, "port", a->s.ports[i].ifindex, &a->s.ports[i].stats);
		o->blockers = a->s.ports[i].blockers;
		o->mtu = a->s.ports[i].mtu;
	}
}

static bool is_stage(const struct object *o)
{
	return o->is_input || o->is_output;
}

#define for_objects(a, o) \
	for (const struct object *o = (a)->objects; o < (a)->objects + (a)->n; o++)

static void traffic(struct all *a, const char *name, bool bytes)
{
	for_objects(a, o) {
		if (!o->is_output)
			fprintf(a->f, "cnilink_%s_total{kind=\"%s\",dev=\"%s\",direction=\"in\"} %" PRIu64 "\n",
				name, o->kind, escaped(o->dev), bytes ?
				o->stats->rx_bytes : o->stats->rx_packets);
		if (!o->is_input)
			fprintf(a->f, "cnilink_%s_total{kind=\"%s\",dev=\"%s\",direction=\"out\"} %" PRIu64 "\n",
				name, o->kind, escaped(o->dev), bytes ?
				o->stats->tx_bytes : o->stats->tx_packets);
	}
}

/* Those of 0 too: else the first one is no increase to a reader. */
static void reasons(struct all *a, const char *name, bool drop)
{
	const uint64_t *counts;
	unsigned int i;

	for_objects(a, o) {
		/* What it doesn't take, the link counts. */
		if (o->is_input)
			continue;
		counts = drop ? o->stats->drop : o->stats->punt;
		for (i = 1; i < CNI_REASONS; i++)
			if (counts[i] || i < n_reason_names)
				fprintf(a->f, "cnilink_%s_total{kind=\"%s\",dev=\"%s\",reason=\"%s\"} %" PRIu64 "\n",
					name, o->kind, escaped(o->dev),
					names_reason(i), counts[i]);
	}
}

static void blocked(struct all *a, const char *labels, uint64_t blockers)
{
	uint64_t bit;

	for (bit = 1; bit; bit <<= 1)
		if (blockers & bit)
			fprintf(a->f, "cnilink_blocked{%s,blocker=\"%s\"} 1\n",
				labels, names_blockers(bit));
}

static void write_states(struct all *a)
{
	char labels[128];

	family(a, "offloaded", "gauge", NULL,
	       "Whether the object takes the fast path.");
	for_objects(a, o)
		if (!is_stage(o))
			fprintf(a->f, "cnilink_offloaded{kind=\"%s\",dev=\"%s\"} %d\n",
				o->kind, escaped(o->dev), !o->blockers);
	family(a, "blocked", "gauge", NULL,
	       "What keeps an object, or an IP version, off the fast path; absent when nothing does.");
	for_objects(a, o) {
		snprintf(labels, sizeof(labels), "kind=\"%s\",dev=\"%s\"",
			 o->kind, escaped(o->dev));
		blocked(a, labels, o->blockers);
	}
	blocked(a, "kind=\"ipv4\",dev=\"\"", a->s.status.blockers4);
	blocked(a, "kind=\"ipv6\",dev=\"\"", a->s.status.blockers6);
	family(a, "mtu_bytes", "gauge", "bytes", "MTU of the device.");
	for_objects(a, o)
		if (!is_stage(o))
			fprintf(a->f, "cnilink_mtu_bytes{kind=\"%s\",dev=\"%s\"} %u\n",
				o->kind, escaped(o->dev), o->mtu);
}

static void write_counters(struct all *a)
{
	family(a, "packets", "counter", NULL,
	       "Packets that the fast path took in from, and sent out of, the device.");
	traffic(a, "packets", false);
	family(a, "bytes", "counter", NULL, "Their bytes.");
	traffic(a, "bytes", true);
	family(a, "xdp_packets", "counter", NULL,
	       "Those of the packets in that XDP took, before there was an skb.");
	for_objects(a, o)
		if (!is_stage(o))
			fprintf(a->f, "cnilink_xdp_packets_total{kind=\"%s\",dev=\"%s\"} %" PRIu64 "\n",
				o->kind, escaped(o->dev), o->stats->xdp_packets);
	family(a, "punted_packets", "counter", NULL,
	       "Packets punted to the kernel's slow path.");
	reasons(a, "punted_packets", false);
	family(a, "dropped_packets", "counter", NULL, "Packets dropped.");
	reasons(a, "dropped_packets", true);
}

static void write_tunnels(struct all *a)
{
	unsigned int i;

	family(a, "tunnel_room_bytes", "gauge", "bytes",
	       "What the link carries inside the tunnel; 0 while it rides none.");
	for (i = 0; i < a->s.n_tunnels; i++)
		fprintf(a->f, "cnilink_tunnel_room_bytes{dev=\"%s\"} %u\n",
			escaped(rtnl_name(a->s.tunnels[i].ifindex)),
			a->s.tunnels[i].outer_mtu > a->s.tunnels[i].overhead ?
			a->s.tunnels[i].outer_mtu - a->s.tunnels[i].overhead : 0);
	family(a, "health_answered", "counter", NULL,
	       "Health checks answered.");
	for (i = 0; i < a->s.n_tunnels; i++)
		fprintf(a->f, "cnilink_health_answered_total{dev=\"%s\"} %" PRIu64 "\n",
			escaped(rtnl_name(a->s.tunnels[i].ifindex)),
			a->s.tunnels[i].answered);
	family(a, "health_limited", "counter", NULL,
	       "Health checks punted for being too many a second.");
	for (i = 0; i < a->s.n_tunnels; i++)
		fprintf(a->f, "cnilink_health_limited_total{dev=\"%s\"} %" PRIu64 "\n",
			escaped(rtnl_name(a->s.tunnels[i].ifindex)),
			a->s.tunnels[i].limited);
}

static void neighbour(struct all *a, const struct cni_link *l, int version,
		      const struct addr *peer, const struct cni_mac *mac)
{
	if (peer->family)
		fprintf(a->f, "cnilink_neighbour_known{dev=\"%s\",family=\"ipv%d\"} %d\n",
			escaped(rtnl_name(l->ifindex)), version, mac->known);
}

static void write_links(struct all *a)
{
	const struct cni_link *l;
	unsigned int i, k;

	family(a, "neighbour_known", "gauge", NULL,
	       "Whether the MAC address of Cloudflare's side is known.");
	for (i = 0; i < a->s.n_links; i++) {
		l = &a->s.links[i];
		neighbour(a, l, 4, &l->peer4, &l->lladdr4);
		neighbour(a, l, 6, &l->peer6, &l->lladdr6);
	}
	family(a, "foreign_frames", "counter", NULL,
	       "Frames below the link of VLANs that no link has; VLAN 0 is no tag.");
	for (i = 0; i < a->s.n_links; i++) {
		l = &a->s.links[i];
		for (k = 0; k < l->n_seen; k++)
			fprintf(a->f, "cnilink_foreign_frames_total{dev=\"%s\",vlan=\"%u\",protocol=\"%s\"} %" PRIu64 "\n",
				escaped(rtnl_name(l->ifindex)),
				l->seen[k].vlan_id,
				l->seen[k].vlan_proto == 0x88a8 ? "802.1ad" :
				l->seen[k].vlan_proto ? "802.1Q" : "none",
				l->seen[k].packets);
	}
}

static void write_status(struct all *a)
{
	const struct cni_status *s = &a->s.status;

	family(a, "module_info", "gauge", NULL, "The module's version.");
	fprintf(a->f, "cnilink_module_info{version=\"%s\"} 1\n", s->version);
	family(a, "routes", "gauge", NULL, "Prefixes in the module's table.");
	fprintf(a->f, "cnilink_routes{family=\"ipv4\"} %u\n", s->routes4);
	fprintf(a->f, "cnilink_routes{family=\"ipv6\"} %u\n", s->routes6);
	family(a, "punted_routes", "gauge", NULL,
	       "Those of them that are punted to the kernel's slow path.");
	fprintf(a->f, "cnilink_punted_routes{family=\"ipv4\"} %u\n",
		s->punted4);
	fprintf(a->f, "cnilink_punted_routes{family=\"ipv6\"} %u\n",
		s->punted6);
	family(a, "table_bytes", "gauge", "bytes",
	       "Memory of the prefix tables.");
	fprintf(a->f, "cnilink_table_bytes %" PRIu64 "\n", s->bytes);
	family(a, "route_changes", "counter", NULL,
	       "Changes of the kernel's routes seen.");
	fprintf(a->f, "cnilink_route_changes_total %" PRIu64 "\n",
		s->generation);
	family(a, "sync_running", "gauge", NULL,
	       "Whether cnictl sync runs in this network namespace.");
	fprintf(a->f, "cnilink_sync_running %d\n", lock_sync_runs());
}

/*
 * RC_OK also without the module, which the text then says; RC_FAILED with the
 * reason printed.
 */
static int write_metrics(FILE *f)
{
	struct all a = { .f = f };
	struct cni c;
	bool loaded;
	int rc;

	rc = cni_open(&c);
	loaded = !rc;
	if (loaded) {
		rc = sample_take(&c, &a.s);
		if (rc)
			err("can't get the module's counters: %s",
			    nlc_strerror(&c.nl, rc));
	} else if (rc == -ENOENT) {
		rc = 0;
	}
	if (!rc) {
		family(&a, "loaded", "gauge", NULL,
		       "Whether the module is there.");
		fprintf(f, "cnilink_loaded %d\n", loaded);
	}
	if (!rc && loaded) {
		list_objects(&a);
		write_status(&a);
		write_states(&a);
		write_counters(&a);
		write_links(&a);
		write_tunnels(&a);
	}
	if (!rc)
		fputs("# EOF\n", f);
	free(a.objects);
	sample_free(&a.s);
	if (loaded)
		cni_close(&c);
	return rc ? RC_FAILED : RC_OK;
}

int verb_metrics(int argc, char **argv)
{
	char *text;
	size_t size;
	FILE *f;
	int rc;

	(void)argv;
	if (argc > 1)
		return usage("metrics", "no arguments are taken");
	if (!out_json)
		return write_metrics(stdout);
	f = open_memstream(&text, &size);
	if (!f)
		return RC_FAILED;
	rc = write_metrics(f);
	fclose(f);
	if (!rc)
		out_print(json_pack("{s:s}", "openmetrics", text));
	free(text);
	return rc;
}
