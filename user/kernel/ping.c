// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
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

#include "base/out.h"
#include "base/signals.h"
#include "kernel/ping.h"

#define LAST_WAIT_MS 1000

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
	while (left > 0 && !signals_caught) {
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
		for (i = 0; i < o->count && !signals_caught &&
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
	while (max - min > 1 && !signals_caught) {
		middle = min + (max - min) / 2;
		if (passes(t, middle))
			min = middle;
		else
			max = middle;
	}
	return min;
}
