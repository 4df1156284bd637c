// SPDX-License-Identifier: GPL-2.0
/* Pings Cloudflare's side of the link, and says where to look when it fails. */
#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <linux/neighbour.h>

#include "base/out.h"
#include "cmd/cnictl.h"
#include "cmd/ping.h"
#include "config/config.h"
#include "kernel/rtnl.h"
#include "module/genl.h"

#define LAST_WAIT_MS 1000
#define MAX_COUNT 100000

/* Of the verb */
struct options {
	struct ping_options ping;
	bool v4, v6;
};

struct pinger {
	const struct ping_options *o;
	const struct ping_target *t;
	struct ping_result *r;
	int fd;
	bool v6, raw;
	uint16_t id;
	unsigned int payload;
	struct timespec *sent_at;
	bool *answered;
};

static double ms_since(const struct timespec *then)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - then->tv_sec) * 1e3 +
	       (now.tv_nsec - then->tv_nsec) / 1e6;
}

static uint16_t checksum(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (; n > 1; n -= 2, p += 2)
		sum += p[0] << 8 | p[1];
	if (n)
		sum += *p << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum);
}

static int __attribute__((format(printf, 4, 5)))
problem(struct pinger *p, int rc, const char *advice, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->r->problem, sizeof(p->r->problem), fmt, ap);
	va_end(ap);
	snprintf(p->r->advice, sizeof(p->r->advice), "%s", advice);
	return rc;
}

static int open_socket(struct pinger *p)
{
	int family = p->v6 ? AF_INET6 : AF_INET, on;
	int proto = p->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in a4 = { .sin_family = AF_INET };
	int rc;

	/* Allowed to anyone where ping_group_range says so; else as root. */
	p->fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, proto);
	if (p->fd < 0) {
		p->raw = true;
		p->fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, proto);
	}
	if (p->fd < 0) {
		return problem(p, -errno, "that takes root, or a group of net.ipv4.ping_group_range",
			       "can't open an ICMP socket: %s",
			       strerror(errno));
	}
	if (setsockopt(p->fd, SOL_SOCKET, SO_BINDTODEVICE, p->t->ifname,
		       strlen(p->t->ifname) + 1)) {
		return problem(p, -errno, "", "can't use %s: %s",
			       p->t->ifname, strerror(errno));
	}
	if (p->v6) {
		memcpy(&a6.sin6_addr, p->t->local.b, 16);
		rc = p->t->local.family ? bind(p->fd, (void *)&a6,
					       sizeof(a6)) : 0;
		on = p->o->df ? IPV6_PMTUDISC_PROBE : IPV6_PMTUDISC_DONT;
		setsockopt(p->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &on,
			   sizeof(on));
		on = p->o->df;
		setsockopt(p->fd, IPPROTO_IPV6, IPV6_DONTFRAG, &on,
			   sizeof(on));
	} else {
		memcpy(&a4.sin_addr, p->t->local.b, 4);
		rc = p->t->local.family ? bind(p->fd, (void *)&a4,
					       sizeof(a4)) : 0;
		on = p->o->df ? IP_PMTUDISC_PROBE : IP_PMTUDISC_DONT;
		setsockopt(p->fd, IPPROTO_IP, IP_MTU_DISCOVER, &on,
			   sizeof(on));
	}
	if (rc) {
		return problem(p, -errno, "bring the link up first: cnictl up",
			       "%s isn't an address of this host: %s",
			       addr_str(&p->t->local), strerror(errno));
	}
	return 0;
}

static void send_one(struct pinger *p, uint16_t seq)
{
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in a4 = { .sin_family = AF_INET };
	static uint8_t buf[PING_MAX_SIZE];
	struct icmphdr head = {
		.type = p->v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO,
	};
	size_t n = sizeof(head) + p->payload;
	ssize_t sent;

	head.un.echo.id = htons(p->id);
	head.un.echo.sequence = htons(seq);
	memcpy(buf, &head, sizeof(head));
	memset(buf + sizeof(head), 0xa5, p->payload);
	if (!p->v6) {
		head.checksum = checksum(buf, n);
		memcpy(buf, &head, sizeof(head));
	}
	clock_gettime(CLOCK_MONOTONIC, &p->sent_at[seq]);
	if (p->v6) {
		memcpy(&a6.sin6_addr, p->t->peer.b, 16);
		sent = sendto(p->fd, buf, n, 0, (void *)&a6, sizeof(a6));
	} else {
		memcpy(&a4.sin_addr, p->t->peer.b, 4);
		sent = sendto(p->fd, buf, n, 0, (void *)&a4, sizeof(a4));
	}
	p->r->sent++;
	if (sent < 0 && errno == EMSGSIZE)
		p->r->too_big++;
}

static void receive_one(struct pinger *p)
{
	struct sockaddr_in6 a6 = {};
	struct sockaddr_in a4 = {};
	static uint8_t buf[PING_MAX_SIZE + 128];
	socklen_t size = p->v6 ? sizeof(a6) : sizeof(a4);
	struct icmphdr head;
	uint8_t *at = buf;
	double rtt;
	ssize_t n;
	uint16_t seq;

	n = recvfrom(p->fd, buf, sizeof(buf), MSG_DONTWAIT,
		     p->v6 ? (void *)&a6 : (void *)&a4, &size);
	/* Raw IPv4 sockets get the IP header too. */
	if (n > 0 && p->raw && !p->v6) {
		at += (buf[0] & 15) * 4;
		n -= at - buf;
	}
	if (n < (ssize_t)sizeof(head))
		return;
	if (p->v6 ? memcmp(&a6.sin6_addr, p->t->peer.b, 16) :
		    memcmp(&a4.sin_addr, p->t->peer.b, 4))
		return;
	memcpy(&head, at, sizeof(head));
	seq = ntohs(head.un.echo.sequence);
	if (head.type != (p->v6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY) ||
	    (p->raw && head.un.echo.id != htons(p->id)) ||
	    seq >= p->r->sent || p->answered[seq])
		return;
	p->answered[seq] = true;
	rtt = ms_since(&p->sent_at[seq]);
	if (!p->r->got || rtt < p->r->min)
		p->r->min = rtt;
	if (rtt > p->r->max)
		p->r->max = rtt;
	p->r->sum += rtt;
	p->r->got++;
}

static bool has_enough(const struct pinger *p)
{
	return p->o->enough && p->r->got >= p->o->enough;
}

static void wait_ms(struct pinger *p, double ms)
{
	struct pollfd fd = { .fd = p->fd, .events = POLLIN };
	struct timespec start;
	double left = ms;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (left > 0 && !interrupted) {
		if (poll(&fd, 1, left < 1 ? 1 : left) > 0)
			receive_one(p);
		left = ms - ms_since(&start);
		/* All are back: no reason to wait on. */
		if (has_enough(p) || (p->r->sent == p->o->count &&
				      p->r->got == p->r->sent))
			break;
	}
}

int ping_run(const struct ping_options *o, const struct ping_target *t,
	     struct ping_result *r)
{
	struct pinger p = {
		.o = o, .t = t, .r = r, .fd = -1,
		.v6 = t->peer.family == AF_INET6, .id = getpid(),
	};
	unsigned int heads = (p.v6 ? 40 : 20) + 8, i;
	int rc;

	memset(r, 0, sizeof(*r));
	p.payload = o->size ? o->size - heads : 56;
	rc = open_socket(&p);
	if (!rc) {
		p.sent_at = xalloc(o->count * sizeof(*p.sent_at));
		p.answered = xalloc(o->count * sizeof(*p.answered));
		for (i = 0; i < o->count && !interrupted &&
		     !has_enough(&p); i++) {
			send_one(&p, i);
			wait_ms(&p, i + 1 < o->count ? o->interval * 1000 :
				o->last_wait ? o->last_wait : LAST_WAIT_MS);
		}
		free(p.sent_at);
		free(p.answered);
	}
	if (p.fd >= 0)
		close(p.fd);
	return rc;
}

static bool passes(const struct ping_target *t, unsigned int size)
{
	struct ping_options o = {
		.count = 3, .size = size, .interval = 0.3, .last_wait = 600,
		.enough = 1, .df = true,
	};
	struct ping_result r;

	return !ping_run(&o, t, &r) && r.got;
}

unsigned int ping_largest(const struct ping_target *t, unsigned int min,
			  unsigned int max)
{
	unsigned int middle;

	if (max > PING_MAX_SIZE)
		max = PING_MAX_SIZE;
	if (passes(t, max))
		return max;
	if (!passes(t, min))
		return 0;
	while (max - min > 1 && !interrupted) {
		middle = min + (max - min) / 2;
		if (passes(t, middle))
			min = middle;
		else
			max = middle;
	}
	return min;
}

static const char *neigh_str(uint16_t state)
{
	if (state & NUD_FAILED)
		return "failed: it doesn't answer";
	if (state & NUD_INCOMPLETE)
		return "incomplete: no answer so far";
	if (state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE |
		     NUD_PERMANENT | NUD_NOARP))
		return "known";
	return "not tried";
}

/* What the kernel knows of why nobody answers. */
static void diagnose(const struct ping_target *t, const struct ping_result *r)
{
	struct netdev dev, parent;
	char parent_name[IFNAMSIZ];
	struct nlconn c;
	uint16_t state;

	if (r->too_big) {
		hint("%u packets are bigger than %s or a path MTU lets through: choose a smaller --size",
		     r->too_big, t->ifname);
		return;
	}
	if (rtnl_open(&c))
		return;
	if (rtnl_dev(&c, t->ifname, &dev)) {
		hint("there is no device %s any more", t->ifname);
		goto out;
	}
	if (!(dev.flags & IFF_UP)) {
		hint("%s is down: cnictl up, or ip link set %s up", t->ifname,
		     t->ifname);
		goto out;
	}
	if (!dev.carrier) {
		hint("%s has no carrier: check the cable, the optics and the port's light at both ends",
		     t->ifname);
		goto out;
	}
	if (dev.parent && if_indextoname(dev.parent, parent_name) &&
	    !rtnl_dev(&c, parent_name, &parent) && !parent.carrier) {
		hint("%s has no carrier: check the cable, the optics and the port's light at both ends",
		     parent_name);
		goto out;
	}
	if (rtnl_neigh(&c, t->ifindex, &t->peer, &state))
		state = 0;
	hint("%s is up with a carrier; the MAC address of %s is %s",
	     t->ifname, addr_str(&t->peer), neigh_str(state));
	if (state & (NUD_FAILED | NUD_INCOMPLETE) && !strcmp(dev.kind, "vlan"))
		hint("is %u the right VLAN? a wrong one looks like this: \"tcpdump -e -n -i %s\" shows the tags that arrive",
		     dev.vlan_id, dev_name(dev.parent));
	else if (state & (NUD_FAILED | NUD_INCOMPLETE))
		hint("does Cloudflare send tagged frames? \"tcpdump -e -n -i %s\" shows the tags that arrive",
		     t->ifname);
	else if (state)
		hint("the other side is there, but doesn't answer pings: a firewall here (\"nft list ruleset\"), or addresses swapped?");
out:
	nlc_close(&c);
}

static json_t *result_json(const struct ping_target *t, const struct ping_result *r)
{
	json_t *o = json_object();

	json_object_set_new(o, "peer", json_string(addr_str(&t->peer)));
	json_object_set_new(o, "dev", json_string(t->ifname));
	json_object_set_new(o, "sent", json_integer(r->sent));
	json_object_set_new(o, "received", json_integer(r->got));
	json_object_set_new(o, "loss-percent", json_real(r->sent ?
			    100.0 * (r->sent - r->got) / r->sent : 0));
	if (r->got) {
		json_object_set_new(o, "rtt-min-ms", json_real(r->min));
		json_object_set_new(o, "rtt-avg-ms",
				    json_real(r->sum / r->got));
		json_object_set_new(o, "rtt-max-ms", json_real(r->max));
	}
	return o;
}

static void print_result(const struct ping_target *t, const struct ping_result *r)
{
	printf("%s on %s: %u of %u", addr_str(&t->peer), t->ifname, r->got,
	       r->sent);
	if (r->sent)
		printf(", %.1f%% loss", 100.0 * (r->sent - r->got) / r->sent);
	if (r->got)
		printf(", RTT min/avg/max %.3f/%.3f/%.3f ms", r->min,
		       r->sum / r->got, r->max);
	printf("\n");
	fflush(stdout);
}

static int from_config(const char *file, struct ping_target *t4,
		       struct ping_target *t6)
{
	struct config *c = config_read(file);

	if (!c)
		return RC_USAGE;
	strcpy(t4->ifname, c->link.ifname);
	strcpy(t6->ifname, c->link.ifname);
	t4->ifindex = t6->ifindex = if_nametoindex(c->link.ifname);
	t4->local = c->link.local4;
	t4->peer = c->link.peer4;
	t6->local = c->link.local6;
	t6->peer = c->link.peer6;
	config_free(c);
	if (t4->ifindex)
		return RC_OK;
	err("there is no device %s", t4->ifname);
	hint("bring the link up first: cnictl up %s", file);
	return RC_FAILED;
}

static int from_module(struct ping_target *t4,
		       struct ping_target *t6)
{
	struct cni_link *links = NULL;
	unsigned int n = 0;
	struct cni c;
	int rc;

	rc = cni_open(&c);
	if (rc == -ENOENT) {
		cni_say_missing();
		hint("or name the configuration: cnictl ping CONFIG");
	}
	if (rc)
		return RC_FAILED;
	rc = cni_links(&c, &links, &n);
	if (rc) {
		err("can't get the module's links: %s",
		    nlc_strerror(&c.nl, rc));
		rc = RC_FAILED;
	} else if (n != 1) {
		err(n ? "the module has several links" :
			"the module has no link");
		hint("name the configuration: cnictl ping CONFIG");
		rc = RC_FAILED;
	} else {
		t4->ifindex = t6->ifindex = links->ifindex;
		strcpy(t4->ifname, dev_name(links->ifindex));
		strcpy(t6->ifname, t4->ifname);
		t4->local = links->local4;
		t4->peer = links->peer4;
		t6->local = links->local6;
		t6->peer = links->peer6;
	}
	free(links);
	cni_close(&c);
	return rc;
}

static int take_number(const char *what, double min, double max, double *n)
{
	char *end;

	*n = strtod(optarg, &end);
	/* Not a number fails both comparisons. */
	if (!*optarg || *end || !(*n >= min && *n <= max))
		return usage("ping", "%s '%s' isn't a number from %g to %g",
			     what, optarg, min, max);
	return RC_OK;
}

static int take_options(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "df", no_argument, NULL, 'D' },
		{ "size", required_argument, NULL, 's' },
		{ "count", required_argument, NULL, 'c' },
		{ "interval", required_argument, NULL, 'i' },
		{}
	};
	double n;
	int opt, rc = RC_OK;

	while (!rc && (opt = getopt_long(argc, argv, "c:i:s:46", longs,
					 NULL)) != -1) {
		switch (opt) {
		case 'c':
			rc = take_number("count", 1, 65535, &n);
			if (!rc)
				o->ping.count = n;
			break;
		case 'i':
			rc = take_number("interval", 0.001, 3600,
					 &o->ping.interval);
			break;
		case 's':
			rc = take_number("size", 48, PING_MAX_SIZE, &n);
			if (!rc)
				o->ping.size = n;
			break;
		case 'D':
			o->ping.df = true;
			break;
		case '4':
			o->v6 = false;
			break;
		case '6':
			o->v4 = false;
			break;
		default:
			return usage_option("ping", argv);
		}
	}
	if (!rc && optind + 1 < argc)
		return usage("ping", "one configuration file at most");
	return rc;
}

int verb_ping(int argc, char **argv)
{
	struct options o = {
		.ping = { .count = 5, .interval = 0.2 }, .v4 = true, .v6 = true,
	};
	struct ping_target t[2] = {};
	struct ping_result r;
	json_t *list;
	bool all_failed = false;
	unsigned int i, tried = 0;
	int rc;

	rc = take_options(&o, argc, argv);
	if (rc)
		return rc;
	rc = optind < argc ? from_config(argv[optind], &t[0], &t[1]) :
			     from_module(&t[0], &t[1]);
	if (rc)
		return rc;
	catch_signals();
	list = json_array();
	for (i = 0; i < 2 && !rc && !interrupted; i++) {
		if (!t[i].peer.family || !(i ? o.v6 : o.v4))
			continue;
		tried++;
		rc = ping_run(&o.ping, &t[i], &r);
		if (rc) {
			err("%s", r.problem);
			if (*r.advice)
				hint("%s", r.advice);
			break;
		}
		if (out_json)
			json_array_append_new(list, result_json(&t[i], &r));
		else
			print_result(&t[i], &r);
		if (r.got)
			continue;
		all_failed = true;
		diagnose(&t[i], &r);
	}
	if (out_json)
		out_print(list);
	else
		json_decref(list);
	if (!tried && !rc) {
		err("the link has no address of that IP version to ping");
		return RC_FAILED;
	}
	return rc || all_failed ? RC_FAILED : RC_OK;
}
