// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/lock.h"
#include "base/out.h"
#include "base/signals.h"
#include "base/usage.h"
#include "cmd/verbs.h"
#include "kernel/rtnl.h"
#include "module/format.h"
#include "module/sample.h"
#include "module/names.h"

#define BUFFER (64 << 10)
#define LOOK_MS 1000

static const char *time_str(void)
{
	static char buf[40];
	struct timespec ts;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &ts);
	localtime_r(&ts.tv_sec, &tm);
	n = strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, sizeof(buf) - n, ".%03ld", ts.tv_nsec / 1000000);
	return buf;
}

static void print_event(const char *kind, const char *what, uint32_t ifindex,
			uint64_t blockers)
{
	printf("%s %s %s %s", time_str(), kind, rtnl_name(ifindex), what);
	if (strcmp(what, "removed"))
		printf("%s%s", blockers ? ", NOT offloaded: " : ", offloaded",
		       names_blockers(blockers));
	printf("\n");
}

static void print_status_event(const struct cni_status *s)
{
	printf("%s state", time_str());
	if (s->blockers4)
		printf(", IPv4 kept off the fast path: %s",
		       names_blockers(s->blockers4));
	if (s->blockers6)
		printf(", IPv6 kept off the fast path: %s",
		       names_blockers(s->blockers6));
	if (!s->blockers4 && !s->blockers6)
		printf(", nothing in the namespace keeps traffic off the fast path");
	printf("\n");
}

static json_t *event_json(const struct nlmsghdr *nlh, uint8_t cmd)
{
	struct cni_tunnel t;
	struct cni_status s;
	struct cni_link l;
	struct cni_port p;

	switch (cmd) {
	case CNILINK_CMD_LINK_NTF:
	case CNILINK_CMD_LINK_DEL_NTF:
		cni_parse_link(nlh, &l);
		return format_link_json(&l);
	case CNILINK_CMD_TUNNEL_NTF:
	case CNILINK_CMD_TUNNEL_DEL_NTF:
		cni_parse_tunnel(nlh, &t);
		return format_tunnel_json(&t);
	case CNILINK_CMD_PORT_NTF:
	case CNILINK_CMD_PORT_DEL_NTF:
		cni_parse_port(nlh, &p);
		return format_port_json(&p);
	case CNILINK_CMD_STATE_NTF:
		cni_parse_status(nlh, &s);
		return format_status_json(&s);
	}
	return json_null();
}

static void print_text(const struct nlmsghdr *nlh, uint8_t cmd)
{
	struct cni_tunnel t;
	struct cni_status s;
	struct cni_link l;
	struct cni_port p;

	switch (cmd) {
	case CNILINK_CMD_LINK_NTF:
	case CNILINK_CMD_LINK_DEL_NTF:
		cni_parse_link(nlh, &l);
		print_event("link", cmd == CNILINK_CMD_LINK_NTF ? "set" :
			    "removed", l.ifindex, l.blockers);
		break;
	case CNILINK_CMD_TUNNEL_NTF:
	case CNILINK_CMD_TUNNEL_DEL_NTF:
		cni_parse_tunnel(nlh, &t);
		print_event("tunnel", cmd == CNILINK_CMD_TUNNEL_NTF ? "set" :
			    "removed", t.ifindex, t.blockers);
		break;
	case CNILINK_CMD_PORT_NTF:
	case CNILINK_CMD_PORT_DEL_NTF:
		cni_parse_port(nlh, &p);
		print_event("port", cmd == CNILINK_CMD_PORT_NTF ? "set" :
			    "removed", p.ifindex, p.blockers);
		break;
	case CNILINK_CMD_STATE_NTF:
		cni_parse_status(nlh, &s);
		print_status_event(&s);
		break;
	default:
		printf("%s %s\n", time_str(), names_command(cmd));
	}
}

static void on_event(struct cni *c, const struct nlmsghdr *nlh)
{
	uint8_t cmd;
	json_t *o;

	if (nlh->nlmsg_type != c->family)
		return;
	cmd = cni_cmd(nlh);
	if (out_json) {
		o = json_object();
		json_object_set_new(o, "time", json_string(time_str()));
		json_object_set_new(o, "event",
				    json_string(names_command(cmd)));
		json_object_set_new(o, "object", event_json(nlh, cmd));
		out_line(o);
	} else {
		print_text(nlh, cmd);
	}
	fflush(stdout);
}

/*
 * The module doesn't say when a link, tunnel or port gets on the fast path or
 * off it: that is looked at every second.
 */
struct state {
	struct sample s;
	bool sync;
};

static void print_change(const char *kind, uint32_t ifindex, json_t *object,
			 const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static void print_change(const char *kind, uint32_t ifindex, json_t *object,
			 const char *fmt, ...)
{
	char text[1200];
	va_list ap;
	json_t *o;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (out_json) {
		o = json_object();
		json_object_set_new(o, "time", json_string(time_str()));
		json_object_set_new(o, "event", json_string("change"));
		json_object_set_new(o, "kind", json_string(kind));
		json_object_set_new(o, "text", json_string(text));
		json_object_set_new(o, "object", object);
		out_line(o);
		return;
	}
	printf("%s %s %s%s%s\n", time_str(), kind,
	       ifindex ? rtnl_name(ifindex) : "", ifindex ? " " : "", text);
	json_decref(object);
}

static void compare_blockers(const char *kind, uint32_t ifindex, uint64_t then,
			     uint64_t now, json_t *object)
{
	if (then == now)
		json_decref(object);
	else
		print_change(kind, ifindex, object, "%s%s",
			     now ? "NOT offloaded: " : "offloaded",
			     names_blockers(now));
}

static void compare_mac(const struct cni_link *l, const struct addr *peer,
			const struct cni_mac *then, const struct cni_mac *now)
{
	if (peer->family && memcmp(then, now, sizeof(*now)))
		print_change("link", l->ifindex, format_link_json(l),
			     "the MAC address of %s is %s", addr_str(peer),
			     format_mac(now));
}

static bool was_seen(const struct cni_link *l, const struct cni_seen *s)
{
	unsigned int i;

	for (i = 0; i < l->n_seen; i++)
		if (l->seen[i].vlan_id == s->vlan_id &&
		    l->seen[i].vlan_proto == s->vlan_proto)
			return true;
	return false;
}

static void compare_link(const struct cni_link *then,
			 const struct cni_link *now)
{
	unsigned int i;

	compare_blockers("link", now->ifindex, then->blockers, now->blockers,
			 format_link_json(now));
	compare_mac(now, &now->peer4, &then->lladdr4, &now->lladdr4);
	compare_mac(now, &now->peer6, &then->lladdr6, &now->lladdr6);
	for (i = 0; i < now->n_seen; i++)
		if (!now->seen[i].ifindex && !was_seen(then, &now->seen[i]))
			print_change("link", now->ifindex, format_link_json(now),
				     "frames arrive with %s",
				     format_vlan(now->seen[i].vlan_id,
					      now->seen[i].vlan_proto));
}

static void compare(const struct state *then, const struct state *now)
{
	const struct sample *s = &now->s;
	const struct cni_tunnel *t;
	const struct cni_link *l;
	const struct cni_port *p;
	unsigned int i;

	for (i = 0; i < s->n_links; i++) {
		l = sample_link(&then->s, s->links[i].ifindex);
		if (l)
			compare_link(l, &s->links[i]);
	}
	for (i = 0; i < s->n_tunnels; i++) {
		t = sample_tunnel(&then->s, s->tunnels[i].ifindex);
		if (t)
			compare_blockers("tunnel", t->ifindex, t->blockers,
					 s->tunnels[i].blockers,
					 format_tunnel_json(&s->tunnels[i]));
	}
	for (i = 0; i < s->n_ports; i++) {
		p = sample_port(&then->s, s->ports[i].ifindex);
		if (p)
			compare_blockers("port", p->ifindex, p->blockers,
					 s->ports[i].blockers,
					 format_port_json(&s->ports[i]));
	}
	if (then->sync != now->sync)
		print_change("sync", 0, json_null(), "%s", now->sync ?
			     "runs" : "isn't running any more");
	fflush(stdout);
}

/* Its sockets, and what was seen last; without the module none are open. */
struct monitor {
	struct cni c;
	struct nlconn events;
	bool listening;
	struct state then;
};

static int begin(struct monitor *m)
{
	int rc = cni_open(&m->c);

	if (rc)
		return rc;
	rc = nlc_open(&m->events, NETLINK_GENERIC);
	if (!rc &&
	    (nl_socket_add_membership(m->events.sk, m->c.group_config) ||
	     nl_socket_add_membership(m->events.sk, m->c.group_state))) {
		nlc_close(&m->events);
		rc = -EPERM;
	}
	if (rc)
		cni_close(&m->c);
	m->listening = !rc;
	return rc;
}

static void end(struct monitor *m)
{
	sample_free(&m->then.s);
	if (!m->listening)
		return;
	nlc_close(&m->events);
	cni_close(&m->c);
	m->listening = false;
}

/*
 * A module that was loaded anew has another family and other groups: what
 * listens to those of before hears nothing.
 */
static void look(struct monitor *m)
{
	struct state now = { .sync = lock_sync_runs() };

	if (m->listening && sample_take(&m->c, &now.s)) {
		print_change("module", 0, json_null(), "is unloaded");
		sample_free(&now.s);
		end(m);
	}
	if (!m->listening) {
		if (!begin(m))
			print_change("module", 0, json_null(), "is loaded");
		fflush(stdout);
		return;
	}
	if (m->then.s.ms)
		compare(&m->then, &now);
	sample_free(&m->then.s);
	m->then = now;
}

static void take_events(struct cni *c, struct nlconn *events)
{
	static char buf[BUFFER] __attribute__((aligned(8)));
	struct nlmsghdr *nlh;
	ssize_t n;
	int left;

	n = recv(events->fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (n < 0 && errno == ENOBUFS)
		err("some events were lost: cnictl show has the state");
	if (n < 0)
		return;
	left = n;
	nlh = (struct nlmsghdr *)buf;
	for (; nlmsg_ok(nlh, left); nlh = nlmsg_next(nlh, &left))
		on_event(c, nlh);
}

static void watch(struct monitor *m)
{
	struct pollfd fd = { .events = POLLIN };
	int64_t next = 0, left;

	while (!signals_caught) {
		left = next - sample_now_ms();
		if (left <= 0) {
			look(m);
			next = sample_now_ms() + LOOK_MS;
			continue;
		}
		fd.fd = m->listening ? m->events.fd : -1;
		if (poll(&fd, 1, left) > 0)
			take_events(&m->c, &m->events);
	}
}

int verb_monitor(int argc, char **argv)
{
	struct monitor m = {};
	int rc;

	(void)argv;
	if (argc > 1)
		return usage("monitor", "no arguments are taken");
	rc = begin(&m);
	if (rc == -ENOENT)
		cni_say_missing();
	else if (rc == -EPERM)
		err("can't listen to the module's events");
	if (rc)
		return RC_FAILED;
	signals_catch();
	out_live();
	watch(&m);
	end(&m);
	return RC_OK;
}
