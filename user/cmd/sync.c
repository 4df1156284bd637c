// SPDX-License-Identifier: GPL-2.0
/*
 * Keeps the module's routes as the kernel's tables have them.
 *
 * The module watches the kernel's routes too, and leaves a range that changed
 * to the kernel until it's told of it anew. Each message to it carries the
 * number of the change ("generation") up to which the sender knows of all:
 * that number is asked for first, and then all that the kernel has queued is
 * read, so that the view is as new as the number at least.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <linux/genetlink.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "base/lock.h"
#include "base/notify.h"
#include "base/out.h"
#include "base/signals.h"
#include "base/usage.h"
#include "bringup/bringup.h"
#include "cmd/verbs.h"
#include "config/config.h"
#include "kernel/rtnl.h"
#include "module/genl.h"
#include "routes/fill.h"
#include "routes/mirror.h"

#define EVENT_BUFFER (64 << 20)
#define EVENT_READ (256 << 10)

/* Changes are gathered until it's quiet this long, but not longer than that. */
#define QUIET_MS 5
#define GATHER_MS 50
/* How often the module is asked whether the kernel changed without a word. */
#define LOOK_MS 1000
/* Full dumps for mere suspicion: no denser than this, and ever rarer. */
#define RESYNC_MS 2000
#define RESYNC_MAX_MS 60000
#define RETRY_MS 1000

/* Addresses and next hop objects whose routes go with them without a word. */
#define MAX_GONE 64

struct sync {
	uint32_t tables[CONFIG_MAX_TABLES];
	unsigned int n_tables;
	bool once;

	struct nlconn dump;	/* requests to the kernel */
	struct nlconn events;	/* its route, link and address changes */
	struct nlconn config;	/* the module's own changes */
	struct cni cni;
	struct part {
		struct fill_part of;
		struct mirror *m;
	} parts[CONFIG_MAX_TABLES];
	unsigned int n_parts;
	char *buf;

	bool overrun;		/* changes of the kernel's were lost */
	bool objects_changed;	/* links, tunnels or ports came or went */
	bool state_changed;
	bool module_gone;
	bool devices_changed;	/* the module may be without one of a link's */
	struct known known;
	int64_t last_adopt;
	bool suspicious;
	uint32_t gone[MAX_GONE];	/* IPv4 addresses */
	uint32_t gone_nexthops[MAX_GONE];
	unsigned int n_gone, n_gone_nexthops;
	size_t refused;		/* routes that the module refused, thus punt */
	int64_t last_full, last_look;
	int resync_ms;

	/* For systemd: neither is sent where nobody asked for it. */
	int64_t last_beat;
	int beat_ms;
	char status[160];

	json_t *result;
};

#define for_parts(s, p) \
	for (struct part *p = (s)->parts; p < (s)->parts + (s)->n_parts; p++)

static void make_parts(struct sync *s)
{
	struct fill_part parts[CONFIG_MAX_TABLES];

	s->n_parts = fill_parts(s->tables, s->n_tables, parts);
	for_parts(s, p) {
		p->of = parts[p - s->parts];
		p->m = mirror_new(p->of.tables, p->of.n_tables);
	}
}

/* Main wants to know of default's changes, too. */
static void apply(struct sync *s, const struct kroute *r)
{
	bool is_main = r->table == RT_TABLE_MAIN ||
		       r->table == RT_TABLE_DEFAULT;

	for_parts(s, p)
		if (p->of.id == (is_main ? RT_TABLE_MAIN : r->table))
			mirror_apply(p->m, r);
}

static size_t pending(struct sync *s)
{
	size_t n = 0;

	for_parts(s, p)
		n += mirror_pending(p->m);
	return n;
}

static size_t shown(struct sync *s, int family)
{
	size_t n = 0;

	for_parts(s, p)
		n += mirror_shown(p->m, family);
	return n;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ll + ts.tv_nsec / 1000000;
}

/* What "systemctl status" shows. */
static void __attribute__((format(printf, 2, 3)))
set_status(struct sync *s, const char *fmt, ...)
{
	char status[sizeof(s->status)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(status, sizeof(status), fmt, ap);
	va_end(ap);
	if (!strcmp(status, s->status))
		return;
	strcpy(s->status, status);
	notify("STATUS=%s", status);
}

/* Still alive: called wherever time goes by. */
static void beat(void *arg)
{
	struct sync *s = arg;
	int64_t t;

	if (!s->beat_ms)
		return;
	t = now_ms();
	if (t - s->last_beat < s->beat_ms)
		return;
	s->last_beat = t;
	notify("WATCHDOG=1");
}

static void open_watchdog(struct sync *s)
{
	unsigned long long us = notify_watchdog();

	if (us)
		s->beat_ms = us / 4000 ? us / 4000 : 1;
}

static int failed(struct nlconn *c, int rc, const char *what)
{
	err("can't %s: %s", what, nlc_strerror(c, rc));
	if (rc == -EPERM)
		hint("that takes root (CAP_NET_ADMIN)");
	return rc;
}

/* Errors that mean that the module went away, or was loaded anew. */
static bool is_gone(struct sync *s, int rc)
{
	struct cni c;
	bool other;

	if (rc != -ENOENT && rc != -EOPNOTSUPP && rc != -ENODEV &&
	    rc != -EINVAL)
		return false;
	rc = cni_open(&c);
	if (rc)
		return rc == -ENOENT;
	other = c.family != s->cni.family;
	cni_close(&c);
	return other;
}

static void on_addr_gone(struct sync *s, const struct nlmsghdr *nlh)
{
	const struct ifaddrmsg *ifa = nlmsg_data(nlh);
	struct nlattr *tb[IFA_MAX + 1];

	nlx_parse(nlh, sizeof(*ifa), tb, IFA_MAX);
	for_parts(s, p)
		mirror_addr_gone(p->m, ifa->ifa_index);
	if (!tb[IFA_LOCAL] || nla_len(tb[IFA_LOCAL]) != 4)
		return;
	if (s->n_gone == MAX_GONE)
		s->suspicious = true;
	else
		s->gone[s->n_gone++] = nla_get_u32(tb[IFA_LOCAL]);
}

static void on_nexthop(struct sync *s, const struct nlmsghdr *nlh)
{
	struct knexthop n;

	if (!kroute_parse_nexthop(nlh, &n))
		return;
	for_parts(s, p)
		mirror_object(p->m, &n);
	if (!n.del)
		return;
	if (s->n_gone_nexthops == MAX_GONE)
		s->suspicious = true;
	else
		s->gone_nexthops[s->n_gone_nexthops++] = n.id;
}

static void on_event(struct sync *s, const struct nlmsghdr *nlh)
{
	const struct ifaddrmsg *ifa;
	const struct ifinfomsg *ifi;
	struct kroute r;

	switch (nlh->nlmsg_type) {
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		if (kroute_parse(nlh, &r))
			apply(s, &r);
		break;
	case RTM_NEWLINK:
	case RTM_DELLINK:
		ifi = nlmsg_data(nlh);
		if (nlh->nlmsg_type == RTM_NEWLINK)
			s->devices_changed = true;
		else if (ifi->ifi_family == AF_UNSPEC)
			/* Not one that leaves its bridge */
			adopt_forget_dev(&s->known, ifi->ifi_index);
		for_parts(s, p)
			fill_dev(p->m, nlh);
		break;
	case RTM_NEWADDR:
		ifa = nlmsg_data(nlh);
		for_parts(s, p)
			mirror_addr_came(p->m, ifa->ifa_index);
		break;
	case RTM_DELADDR:
		on_addr_gone(s, nlh);
		break;
	case RTM_NEWNEXTHOP:
	case RTM_DELNEXTHOP:
		on_nexthop(s, nlh);
		break;
	case NLMSG_OVERRUN:
		s->overrun = true;
		break;
	}
}

/* Reads all that is queued. Returns 0 or a negative errno that's printed. */
static int drain(struct sync *s)
{
	struct nlmsghdr *nlh;
	ssize_t n;
	int left;

	for (;;) {
		n = recv(s->events.fd, s->buf, EVENT_READ, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n < 0 && errno == ENOBUFS) {
			s->overrun = true;
			continue;
		}
		if (n < 0) {
			err("can't read the kernel's changes: %s",
			    strerror(errno));
			return -errno;
		}
		left = n;
		nlh = (struct nlmsghdr *)s->buf;
		for (; nlmsg_ok(nlh, left); nlh = nlmsg_next(nlh, &left))
			on_event(s, nlh);
	}
}

static bool names_us(const struct nlmsghdr *nlh)
{
	struct nlattr *tb[CTRL_ATTR_MAX + 1];

	nlx_parse(nlh, GENL_HDRLEN, tb, CTRL_ATTR_MAX);
	return tb[CTRL_ATTR_FAMILY_NAME] &&
	       !strcmp(nla_get_string(tb[CTRL_ATTR_FAMILY_NAME]),
		       CNILINK_FAMILY_NAME);
}

static void on_config(struct sync *s, const struct nlmsghdr *nlh)
{
	uint8_t cmd = cni_cmd(nlh);

	if (nlh->nlmsg_type == GENL_ID_CTRL) {
		if ((cmd == CTRL_CMD_DELFAMILY || cmd == CTRL_CMD_NEWFAMILY) &&
		    names_us(nlh))
			s->module_gone = true;
		return;
	}
	if (nlh->nlmsg_type != s->cni.family)
		return;
	if (cmd == CNILINK_CMD_STATE_NTF)
		s->state_changed = true;
	else
		s->objects_changed = true;
}

static void drain_config(struct sync *s)
{
	struct nlmsghdr *nlh;
	ssize_t n;
	int left;

	for (;;) {
		n = recv(s->config.fd, s->buf, EVENT_READ, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == ENOBUFS) {
			s->objects_changed = s->state_changed = true;
			continue;
		}
		if (n < 0)
			return;
		left = n;
		nlh = (struct nlmsghdr *)s->buf;
		for (; nlmsg_ok(nlh, left); nlh = nlmsg_next(nlh, &left))
			on_config(s, nlh);
	}
}

/* Which devices the module sends to. */
static int read_objects(struct sync *s)
{
	uint32_t *oifs;
	unsigned int n;
	int rc = cni_oifs(&s->cni, &oifs, &n);

	if (!rc)
		for_parts(s, p)
			mirror_set_oifs(p->m, oifs, n);
	free(oifs);
	return rc;
}

/* All of the kernel's tables of a part into a new mirror. */
static int dump_tables(struct sync *s, struct part *part)
{
	mirror_free(part->m);
	part->m = mirror_new(part->of.tables, part->of.n_tables);
	mirror_loading(part->m, true);
	return fill_mirror(&s->dump, part->m, part->of.tables,
			   part->of.n_tables, beat, s);
}

static int read_generation(struct sync *s, uint64_t *generation)
{
	struct cni_status status;
	int rc = cni_status(&s->cni, &status);

	*generation = status.generation;
	return rc;
}

struct counts {
	size_t forward, punt, refused;
	char refusal[320];
};

static void add_counts(struct counts *c, const struct cni_batch *b)
{
	c->forward += b->sent_set;
	c->punt += b->sent_punt;
	if (b->refused && !c->refused)
		memcpy(c->refusal, b->refusal, sizeof(c->refusal));
	c->refused += b->refused;
}

/* Fills an opened transaction and commits it. */
static int fill(struct sync *s, struct part *part, uint32_t transaction,
		struct counts *counts)
{
	uint64_t generation;
	struct cni_batch b;
	int rc;

	rc = dump_tables(s, part);
	if (rc)
		return rc == -EINTR ? rc :
			failed(&s->dump, rc, "read the kernel's routes");
	rc = read_objects(s);
	if (rc)
		return rc;
	rc = drain(s);
	if (rc)
		return rc;
	beat(s);
	cni_batch_init(&b, &s->cni, transaction, NULL);
	rc = mirror_flush_all(part->m, cni_batch_add, &b);
	if (!rc)
		rc = cni_batch_end(&b);
	add_counts(counts, &b);
	cni_batch_free(&b);
	mirror_done(part->m, !rc);
	if (!rc)
		rc = read_generation(s, &generation);
	if (rc)
		return rc;
	/* What came meanwhile goes into the transaction too. */
	mirror_late(part->m);
	rc = drain(s);
	if (rc)
		return rc;
	if (s->overrun)
		return -EAGAIN;
	cni_batch_init(&b, &s->cni, transaction, NULL);
	rc = mirror_flush(part->m, cni_batch_add, &b);
	if (!rc)
		rc = cni_batch_end(&b);
	add_counts(counts, &b);
	cni_batch_free(&b);
	if (!rc)
		rc = cni_commit(&s->cni, transaction, generation);
	mirror_done(part->m, !rc);
	s->refused = counts->refused;
	return rc;
}

static void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(out_json ? stderr : stdout, fmt, ap);
	va_end(ap);
	fflush(stdout);
}

static void say_status(struct sync *s)
{
	size_t punted = 0;

	for_parts(s, p)
		punted += mirror_punted(p->m, AF_INET) +
			  mirror_punted(p->m, AF_INET6);
	set_status(s, "%zu IPv4 and %zu IPv6 prefixes, %zu of them punted",
		   shown(s, AF_INET), shown(s, AF_INET6), punted);
}

static void report(struct sync *s, const struct counts *c, int64_t took)
{
	json_t *o;

	if (s->once && out_json) {
		o = json_object();
		json_object_set_new(o, "forward", json_integer(c->forward));
		json_object_set_new(o, "punt", json_integer(c->punt));
		json_object_set_new(o, "refused", json_integer(c->refused));
		json_object_set_new(o, "milliseconds", json_integer(took));
		s->result = o;
	}
	note("full sync: done in %lld.%03lld s: %zu IPv4 and %zu IPv6 prefixes, %zu forwarded, %zu punted\n",
	     (long long)took / 1000, (long long)took % 1000,
	     shown(s, AF_INET), shown(s, AF_INET6),
	     c->forward, c->punt);
	if (c->refused)
		err("the module refused %zu routes, which are punted; the first: %s",
		    c->refused, c->refusal);
}

static int fill_all(struct sync *s, struct counts *counts)
{
	uint32_t transaction;
	int rc;

	for_parts(s, p) {
		rc = cni_begin(&s->cni, p->of.id, &transaction);
		if (rc)
			return rc;
		rc = fill(s, p, transaction, counts);
		if (rc) {
			cni_abort(&s->cni, transaction);
			return rc;
		}
	}
	return 0;
}

/* Everything anew, each table swapped in at once. */
static int full_sync(struct sync *s, const char *why)
{
	struct counts counts;
	int64_t start;
	int rc, tries;

	note("full sync: %s\n", why);
	start = now_ms();
	for (tries = 0; tries < 5; tries++) {
		memset(&counts, 0, sizeof(counts));
		s->overrun = s->suspicious = false;
		s->objects_changed = s->state_changed = false;
		s->n_gone = s->n_gone_nexthops = 0;
		rc = fill_all(s, &counts);
		/* Changes too fast to follow: once more. */
		if (rc != -EAGAIN && rc != -ESTALE)
			break;
	}
	if (!rc)
		report(s, &counts, now_ms() - start);
	s->last_full = s->last_look = now_ms();
	return rc;
}

/* The end of the overlap of dump and events, and of its excuses. */
static void settle(struct sync *s)
{
	for_parts(s, p)
		mirror_loading(p->m, false);
}

/* Sends what changed. */
static int flush(struct sync *s)
{
	struct counts counts = {};
	uint64_t generation;
	struct cni_batch b;
	int rc;

	rc = read_generation(s, &generation);
	if (rc)
		return rc;
	for_parts(s, p)
		mirror_late(p->m);
	rc = drain(s);
	if (rc || s->overrun)
		return rc;
	for_parts(s, p) {
		if (!rc) {
			cni_batch_init(&b, &s->cni, 0, &generation);
			b.table = p->of.id;
			rc = mirror_flush(p->m, cni_batch_add, &b);
			if (!rc)
				rc = cni_batch_end(&b);
			add_counts(&counts, &b);
			cni_batch_free(&b);
		}
		mirror_done(p->m, !rc);
	}
	s->refused += counts.refused;
	if (counts.refused)
		err("the module refused %zu routes, which are punted; the first: %s",
		    counts.refused, counts.refusal);
	return rc;
}

/*
 * Some routes the kernel drops without a message. The module hears of it and
 * leaves their ranges to the kernel: it then has more of those than it was
 * told of. After it lost its table it has fewer of all.
 */
static void look(struct sync *s)
{
	struct mirror *m = s->parts[0].m;
	struct cni_status status;

	s->last_look = now_ms();
	say_status(s);
	if (cni_status(&s->cni, &status) || drain(s))
		return;
	/* Things are in motion: another time. */
	if (pending(s))
		return;
	/* The module counts main's. */
	if (s->parts[0].of.id == RT_TABLE_MAIN &&
	    (status.routes4 + s->refused < mirror_shown(m, AF_INET) ||
	     status.routes6 + s->refused < mirror_shown(m, AF_INET6) ||
	     status.punted4 > mirror_punted(m, AF_INET) + s->refused ||
	     status.punted6 > mirror_punted(m, AF_INET6) + s->refused))
		s->suspicious = true;
	else
		s->resync_ms = RESYNC_MS;
}

/* By now the routes that went with a word are gone from the mirror too. */
static void check_gone(struct sync *s)
{
	unsigned int i;

	for_parts(s, p) {
		for (i = 0; i < s->n_gone; i++)
			s->suspicious |= mirror_prefsrc_used(p->m, s->gone[i]);
		for (i = 0; i < s->n_gone_nexthops; i++)
			s->suspicious |= mirror_nexthop_used(p->m,
						s->gone_nexthops[i]);
	}
	s->n_gone = s->n_gone_nexthops = 0;
}

static void close_all(struct sync *s)
{
	nlc_close(&s->events);
	nlc_close(&s->config);
	cni_close(&s->cni);
}

static int subscribe(struct nlconn *c, int group, const char *what)
{
	int rc = nl_socket_add_membership(c->sk, group);

	if (!rc)
		return 0;
	err("can't listen to %s", what);
	return -EPERM;
}

static int open_all(struct sync *s)
{
	static const int groups[] = {
		RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_LINK,
		RTNLGRP_IPV4_IFADDR, RTNLGRP_NEXTHOP,
	};
	unsigned int i;
	int rc;

	s->module_gone = false;
	rc = cni_open(&s->cni);
	if (rc)
		return rc;
	rc = nlc_open(&s->events, NETLINK_ROUTE);
	if (!rc)
		rc = nlc_open(&s->config, NETLINK_GENERIC);
	if (!rc)
		nlc_set_buffers(&s->events, EVENT_BUFFER, 0);
	for (i = 0; !rc && i < sizeof(groups) / sizeof(groups[0]); i++)
		rc = subscribe(&s->events, groups[i], "the kernel's changes");
	if (!rc)
		rc = subscribe(&s->config, s->cni.group_config,
			       "the module's changes");
	if (!rc)
		rc = subscribe(&s->config, s->cni.group_state,
			       "the module's changes");
	/* The controller's one group: families that come and go. */
	if (!rc)
		rc = subscribe(&s->config, GENL_ID_CTRL, "netlink families");
	if (rc)
		close_all(s);
	return rc;
}

/* Until something happens, or @until; then gathers what comes right after. */
static void wait_events(struct sync *s, int64_t until)
{
	struct pollfd fds[2] = {
		{ .fd = s->events.fd, .events = POLLIN },
		{ .fd = s->config.fd, .events = POLLIN },
	};
	int64_t t = now_ms(), first = 0;
	int timeout, n;

	for (;;) {
		timeout = until > t ? until - t : 0;
		if (first) {
			timeout = first + GATHER_MS - t;
			if (timeout <= 0)
				return;
			if (timeout > QUIET_MS)
				timeout = QUIET_MS;
		}
		n = poll(fds, 2, timeout);
		if (n <= 0 || signals_caught)
			return;
		if (fds[1].revents) {
			drain_config(s);
			if (s->module_gone)
				return;
		}
		if (fds[0].revents && (drain(s) || s->overrun))
			return;
		t = now_ms();
		if (!first)
			first = t;
	}
}

/*
 * Gives the module what it hasn't got of the links that are up: it may have
 * come after them, and a device may have been made anew.
 */
static void adopt(struct sync *s)
{
	if (s->once)
		return;
	s->last_adopt = now_ms();
	s->devices_changed = !adopt_links(&s->known);
}

static int one_round(struct sync *s)
{
	int64_t until = s->last_look + LOOK_MS, t;
	int rc = 0;

	beat(s);
	if (s->beat_ms && until > now_ms() + s->beat_ms)
		until = now_ms() + s->beat_ms;
	/* What came late in the last batch wants another one soon. */
	if (pending(s))
		until = now_ms() + QUIET_MS;
	wait_events(s, until);
	if (signals_caught)
		return 0;
	if (s->module_gone)
		return -ENOENT;
	if (s->objects_changed) {
		s->objects_changed = false;
		rc = read_objects(s);
		if (rc)
			return rc;
	}
	if (!s->overrun && pending(s)) {
		rc = flush(s);
		/* The module kept fewer changes than there were: try again. */
		if (rc == -ESTALE)
			rc = 0;
		if (rc == -ENODATA) {
			rc = full_sync(s, "the module dropped its table");
			if (!rc)
				settle(s);
			return rc;
		}
		if (rc)
			return rc;
		check_gone(s);
	}
	t = now_ms();
	/* What XDP waits for may be a change at another device. */
	s->devices_changed |= s->state_changed && adopt_waits(&s->known);
	if (s->devices_changed && t - s->last_adopt >= LOOK_MS)
		adopt(s);
	if (s->state_changed || t - s->last_look >= LOOK_MS) {
		s->state_changed = false;
		check_gone(s);
		look(s);
	}
	for_parts(s, p)
		s->suspicious |= mirror_doubt(p->m);
	if (s->overrun) {
		rc = full_sync(s, "the kernel's changes came too fast");
	} else if (s->suspicious && t - s->last_full >= s->resync_ms) {
		s->resync_ms *= 2;
		if (s->resync_ms > RESYNC_MAX_MS)
			s->resync_ms = RESYNC_MAX_MS;
		rc = full_sync(s, "the kernel dropped or changed routes without a message");
	} else {
		return 0;
	}
	if (!rc)
		settle(s);
	return rc;
}

static void pause_before_retry(struct sync *s)
{
	struct timespec ts = { RETRY_MS / 1000, RETRY_MS % 1000 * 1000000l };

	beat(s);
	nanosleep(&ts, NULL);
}

static int wait_for_module(struct sync *s)
{
	int rc;

	while (!signals_caught) {
		rc = open_all(s);
		if (rc != -ENOENT)
			return rc;
		pause_before_retry(s);
	}
	return -EINTR;
}

static int reopen(struct sync *s)
{
	close_all(s);
	note("the module is gone: waiting for it to come back\n");
	set_status(s, "the module is gone: waiting for it to come back");
	return wait_for_module(s);
}

/* A daemon may be there before the module is. */
static int open_first(struct sync *s)
{
	int rc = open_all(s);

	if (rc != -ENOENT)
		return rc;
	cni_say_missing();
	if (s->once)
		return rc;
	note("waiting for it\n");
	set_status(s, "waiting for the module");
	return wait_for_module(s);
}

static int run(struct sync *s)
{
	const char *why = "start";
	bool ready = false;
	int rc;

	adopt(s);
	for (;;) {
		rc = full_sync(s, why);
		if (!rc) {
			settle(s);
			if (s->once)
				return 0;
			if (!ready) {
				note("READY\n");
				notify("READY=1");
			}
			ready = true;
			say_status(s);
			while (!rc && !signals_caught)
				rc = one_round(s);
		}
		if (signals_caught)
			return s->once ? -EINTR : 0;
		if (rc == -EBUSY && !s->once) {
			note("another program is replacing the routes: trying again\n");
			pause_before_retry(s);
			why = "once more";
			continue;
		}
		if (!s->module_gone && !is_gone(s, rc)) {
			failed(&s->cni.nl, rc, "bring the module's routes up to date");
			if (s->once || rc == -EPERM)
				return rc;
			pause_before_retry(s);
			why = "after an error";
			continue;
		}
		if (s->once) {
			cni_say_missing();
			return rc;
		}
		rc = reopen(s);
		if (rc)
			return rc == -EINTR ? 0 : rc;
		adopt_forget(&s->known);
		adopt(s);
		why = "the module is back";
	}
}

/* Two of them would only do the same twice. */
static int lock_out_others(struct sync *s)
{
	int fd = lock_sync(s->dump.fd);

	if (fd == -EAGAIN)
		err("cnictl sync runs already in this network namespace");
	else if (fd == -ENOTUNIQ)
		err(RUN_DIR " isn't a folder that only root can write to: remove it");
	else if (fd == -EACCES || fd == -EPERM)
		err("can't take the lock in " RUN_DIR ": that takes root");
	else if (fd < 0)
		note("can't take the lock in " RUN_DIR " (%s): check won't see that sync runs\n",
		     strerror(-fd));
	else
		return 0;
	return fd == -EAGAIN || fd == -ENOTUNIQ || fd == -EACCES ||
	       fd == -EPERM ? fd : 0;
}

static int take_options(struct sync *s, int argc, char **argv,
			const char **config)
{
	static const struct option longs[] = {
		{ "table", required_argument, NULL, 't' },
		{ "once", no_argument, NULL, '1' },
		{ "foreground", no_argument, NULL, 'f' },
		{}
	};
	uint32_t table;
	int o;

	while ((o = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (o) {
		case 't':
			table = config_table_parse(optarg);
			if (!table)
				return usage("sync", "table '%s' isn't \"main\", \"default\" or a number other than 255",
					     optarg);
			if (s->n_tables == CONFIG_MAX_TABLES)
				return usage("sync", "too many tables");
			s->tables[s->n_tables++] = table;
			break;
		case '1':
			s->once = true;
			break;
		case 'f':
			break;
		default:
			return usage_option("sync", argv);
		}
	}
	if (optind + 1 < argc)
		return usage("sync", "one configuration file at most");
	*config = optind < argc ? argv[optind] : NULL;
	return RC_OK;
}

int verb_sync(int argc, char **argv)
{
	const char *file = NULL;
	struct sync s = {};
	struct config *c;
	int rc;

	rc = take_options(&s, argc, argv, &file);
	if (rc)
		return rc;
	if (file) {
		c = config_read(file);
		if (!c)
			return RC_USAGE;
		if (!s.n_tables) {
			memcpy(s.tables, c->tables, sizeof(s.tables));
			s.n_tables = c->n_tables;
		}
		config_free(c);
	}
	if (!s.n_tables)
		s.tables[s.n_tables++] = RT_TABLE_MAIN;
	make_parts(&s);
	signals_catch();
	if (!s.once)
		out_live();
	s.buf = xalloc(EVENT_READ);
	s.resync_ms = RESYNC_MS;
	open_watchdog(&s);
	rc = rtnl_open(&s.dump);
	if (!rc && !s.once)
		rc = lock_out_others(&s);
	if (!rc)
		rc = open_first(&s);
	if (!rc)
		rc = run(&s);
	else if (rc == -EINTR && !s.once)
		rc = 0;
	if (!s.once)
		notify("STOPPING=1");
	if (s.result)
		out_print(s.result);
	for_parts(&s, p)
		mirror_free(p->m);
	close_all(&s);
	adopt_forget(&s.known);
	nlc_close(&s.dump);
	free(s.buf);
	return rc ? RC_FAILED : RC_OK;
}
