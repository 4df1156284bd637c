// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "cnictl.h"
#include "genl.h"
#include "names.h"
#include "out.h"
#include "rtnl.h"
#include "show.h"

#define BUFFER (64 << 10)

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
	printf("%s %s %s %s", time_str(), kind, dev_name(ifindex), what);
	if (strcmp(what, "removed"))
		printf("%s%s", blockers ? ", NOT offloaded: " : ", offloaded",
		       blockers_str(blockers));
	printf("\n");
}

static void print_status_event(const struct cni_status *s)
{
	printf("%s state", time_str());
	if (s->blockers4)
		printf(", IPv4 kept off the fast path: %s",
		       blockers_str(s->blockers4));
	if (s->blockers6)
		printf(", IPv6 kept off the fast path: %s",
		       blockers_str(s->blockers6));
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
		return link_json(&l);
	case CNILINK_CMD_TUNNEL_NTF:
	case CNILINK_CMD_TUNNEL_DEL_NTF:
		cni_parse_tunnel(nlh, &t);
		return tunnel_json(&t);
	case CNILINK_CMD_PORT_NTF:
	case CNILINK_CMD_PORT_DEL_NTF:
		cni_parse_port(nlh, &p);
		return port_json(&p);
	case CNILINK_CMD_STATE_NTF:
		cni_parse_status(nlh, &s);
		return status_json(&s);
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
		printf("%s %s\n", time_str(), command_name(cmd));
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
		/* One object a line: it has no end. */
		o = json_object();
		json_object_set_new(o, "time", json_string(time_str()));
		json_object_set_new(o, "event",
				    json_string(command_name(cmd)));
		json_object_set_new(o, "object", event_json(nlh, cmd));
		json_dumpf(o, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(o);
	} else {
		print_text(nlh, cmd);
	}
	fflush(stdout);
}

static void watch(struct cni *c, struct nlconn *events)
{
	struct pollfd fd = { .fd = events->fd, .events = POLLIN };
	struct nlmsghdr *nlh;
	static char buf[BUFFER] __attribute__((aligned(8)));
	ssize_t n;
	int left;

	while (!interrupted) {
		if (poll(&fd, 1, -1) < 0)
			continue;
		n = recv(events->fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n < 0 && errno == ENOBUFS)
			err("some events were lost: cnictl show has the state");
		if (n < 0)
			continue;
		left = n;
		nlh = (struct nlmsghdr *)buf;
		for (; nlmsg_ok(nlh, left); nlh = nlmsg_next(nlh, &left))
			on_event(c, nlh);
	}
}

int verb_monitor(int argc, char **argv)
{
	struct nlconn events;
	struct cni c;
	int rc;

	(void)argv;
	if (argc > 1)
		return usage("monitor", "no arguments are taken");
	rc = cni_open(&c);
	if (rc == -ENOENT)
		cni_say_missing();
	if (rc)
		return RC_FAILED;
	rc = nlc_open(&events, NETLINK_GENERIC);
	if (!rc && (nl_socket_add_membership(events.sk, c.group_config) ||
		    nl_socket_add_membership(events.sk, c.group_state))) {
		err("can't listen to the module's events");
		rc = -EPERM;
	}
	if (!rc) {
		catch_signals();
		watch(&c, &events);
	}
	nlc_close(&events);
	cni_close(&c);
	return rc ? RC_FAILED : RC_OK;
}
