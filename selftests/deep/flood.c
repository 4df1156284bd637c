// SPDX-License-Identifier: GPL-2.0
/*
 * Route changes as fast as a BGP daemon makes them, or at a rate.
 *
 * usage: flood add|del DEVICE VIA FIRST COUNT [PER_SECOND]
 * Prefixes of /24 from 11.0.0.0 on, in the main table, by their number.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

struct request {
	struct nlmsghdr nlh;
	struct rtmsg rtm;
	struct { struct rtattr a; uint32_t v; } dst, oif, via;
};

static void fill(struct request *r, int del, uint32_t number, uint32_t oif,
		 uint32_t via)
{
	memset(r, 0, sizeof(*r));
	r->nlh.nlmsg_len = sizeof(*r);
	r->nlh.nlmsg_type = del ? RTM_DELROUTE : RTM_NEWROUTE;
	r->nlh.nlmsg_flags = NLM_F_REQUEST | (del ? 0 : NLM_F_CREATE |
					      NLM_F_REPLACE);
	r->rtm.rtm_family = AF_INET;
	r->rtm.rtm_dst_len = 24;
	r->rtm.rtm_table = RT_TABLE_MAIN;
	r->rtm.rtm_protocol = RTPROT_BGP;
	r->rtm.rtm_type = RTN_UNICAST;
	r->dst.a = r->oif.a = r->via.a = (struct rtattr){ .rta_len = 8 };
	r->dst.a.rta_type = RTA_DST;
	r->dst.v = htonl(0x0b000000 + (number << 8));
	r->oif.a.rta_type = RTA_OIF;
	r->oif.v = oif;
	r->via.a.rta_type = RTA_GATEWAY;
	r->via.v = via;
}

int main(int argc, char **argv)
{
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), n = 0, size = 256;
	uint32_t i, first, count, rate = 0, oif, via;
	struct timespec pause = { .tv_nsec = 10000000 };
	static struct request batch[256];

	if (argc < 6 || fd < 0)
		return 2;
	oif = if_nametoindex(argv[2]);
	via = inet_addr(argv[3]);
	first = atoi(argv[4]);
	count = atoi(argv[5]);
	if (argc > 6)
		rate = atoi(argv[6]);
	/* In hundredths of a second. */
	if (rate)
		size = rate / 100 ? rate / 100 : 1;
	for (i = 0; i < count; i++) {
		fill(&batch[n++], !strcmp(argv[1], "del"), first + i, oif, via);
		if (n < size && i + 1 < count)
			continue;
		if (send(fd, batch, n * sizeof(*batch), 0) < 0) {
			perror("send");
			return 1;
		}
		n = 0;
		if (rate)
			nanosleep(&pause, NULL);
	}
	return 0;
}
