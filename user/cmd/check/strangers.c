// SPDX-License-Identifier: GPL-2.0
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/ip6.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/if_packet.h>

#include "base/out.h"
#include "cmd/check/check.h"

/*
 * Who asks for whose address. Sockets for one protocol of one device are no
 * capture to the module, which goes on as before.
 */
struct strangers {
	int arp, nd;
};

static int listen_to(uint32_t ifindex, int protocol)
{
	struct sockaddr_ll a = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(protocol),
		.sll_ifindex = ifindex,
	};
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			0);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a))) {
		close(fd);
		return -1;
	}
	return fd;
}

struct strangers *strangers_open(uint32_t ifindex)
{
	struct strangers *s = xalloc(sizeof(*s));

	s->arp = listen_to(ifindex, ETH_P_ARP);
	s->nd = listen_to(ifindex, ETH_P_IPV6);
	return s;
}

void strangers_close(struct strangers *s)
{
	if (!s)
		return;
	if (s->arp >= 0)
		close(s->arp);
	if (s->nd >= 0)
		close(s->nd);
	free(s);
}

/* A question in a packet: who asks for whose address. */
static bool read_arp(const uint8_t *b, size_t n, struct addr *who,
		     struct addr *whose)
{
	struct ether_arp arp;

	if (n < sizeof(arp))
		return false;
	memcpy(&arp, b, sizeof(arp));
	if (ntohs(arp.ea_hdr.ar_op) != ARPOP_REQUEST ||
	    ntohs(arp.ea_hdr.ar_pro) != ETH_P_IP)
		return false;
	memcpy(who->b, arp.arp_spa, 4);
	memcpy(whose->b, arp.arp_tpa, 4);
	who->family = whose->family = AF_INET;
	return true;
}

static bool read_nd(const uint8_t *b, size_t n, struct addr *who,
		    struct addr *whose)
{
	struct nd_neighbor_solicit ns;
	struct ip6_hdr ip;

	if (n < sizeof(ip) + sizeof(ns))
		return false;
	memcpy(&ip, b, sizeof(ip));
	memcpy(&ns, b + sizeof(ip), sizeof(ns));
	if (ip.ip6_nxt != IPPROTO_ICMPV6 ||
	    ns.nd_ns_type != ND_NEIGHBOR_SOLICIT ||
	    IN6_IS_ADDR_UNSPECIFIED(&ip.ip6_src) ||
	    IN6_IS_ADDR_LINKLOCAL(&ns.nd_ns_target))
		return false;
	*who = addr_from6(&ip.ip6_src, 128);
	*whose = addr_from6(&ns.nd_ns_target, 128);
	return true;
}

const char *strangers_say(struct strangers *s, const struct addr *local,
			  const struct addr *peer)
{
	bool v6 = local->family == AF_INET6;
	struct addr who = {}, whose = {};
	static char buf[160];
	struct sockaddr_ll from;
	socklen_t size = sizeof(from);
	uint8_t b[256];
	ssize_t n;
	int fd;

	fd = !s ? -1 : v6 ? s->nd : s->arp;
	*buf = '\0';
	while (fd >= 0 && (n = recvfrom(fd, b, sizeof(b), 0,
					(struct sockaddr *)&from, &size)) >= 0) {
		size = sizeof(from);
		if (from.sll_pkttype == PACKET_OUTGOING ||
		    !(v6 ? read_nd : read_arp)(b, n, &who, &whose) ||
		    addr_same(&who, &whose) || addr_same(&who, peer))
			continue;
		if (addr_same(&who, local))
			snprintf(buf, sizeof(buf), "the other side has your %s and asks for %s",
				 addr_str(&who), addr_str(&whose));
		else if (!*buf)
			snprintf(buf, sizeof(buf), "%s asks for %s",
				 addr_str(&who), addr_str(&whose));
	}
	return *buf ? buf : NULL;
}
