// SPDX-License-Identifier: GPL-2.0
/*
 * Any sequence of the kernel's messages into a mirror, with flushes between.
 * In the end the mirror says of each prefix what it said when it was flushed.
 */
#include <stdlib.h>
#include <string.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>

#include "routes/mirror.h"

static int check_said(const struct cni_entry *out, void *arg)
{
	struct cni_entry now;

	mirror_look(arg, &out->dst, &now);
	if (now.del != out->del || now.forward != out->forward ||
	    now.n_hops != out->n_hops)
		abort();
	return 0;
}

static void flush(struct mirror *m, bool all)
{
	if (all)
		mirror_flush_all(m, check_said, m);
	else
		mirror_flush(m, check_said, m);
	mirror_done(m, true);
}

static void take(struct mirror *m, struct nlmsghdr *nlh, uint8_t what)
{
	struct knexthop n;
	struct kroute r;

	if (nlh->nlmsg_type == RTM_NEWROUTE ||
	    nlh->nlmsg_type == RTM_DELROUTE) {
		if (kroute_parse(nlh, &r))
			mirror_apply(m, &r);
	} else if (nlh->nlmsg_type == RTM_NEWNEXTHOP ||
		   nlh->nlmsg_type == RTM_DELNEXTHOP) {
		if (kroute_parse_nexthop(nlh, &n))
			mirror_object(m, &n);
	} else if (nlh->nlmsg_type == RTM_NEWLINK) {
		mirror_dev(m, what & 3, what >> 2 & 3);
	} else if (nlh->nlmsg_type == RTM_DELADDR) {
		mirror_addr_gone(m, what & 3);
	} else {
		mirror_late(m);
		flush(m, what & 1);
		mirror_doubt(m);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t tables[] = { RT_TABLE_MAIN, 100 };
	static const uint32_t oifs[] = { 1, 2, 3 };
	struct mirror *m = mirror_new(tables, 2);
	struct nlmsghdr *nlh;
	size_t n;

	mirror_set_oifs(m, oifs, 3);
	/* A byte of length, one of type, one of flags, then the payload. */
	for (; size > 3; data += n, size -= n) {
		n = data[0] + 3u;
		if (n > size)
			n = size;
		nlh = calloc(1, NLMSG_HDRLEN + n - 3);
		nlh->nlmsg_len = NLMSG_HDRLEN + n - 3;
		nlh->nlmsg_type = data[1];
		nlh->nlmsg_flags = data[2] << 8;
		memcpy(nlmsg_data(nlh), data + 3, n - 3);
		take(m, nlh, n > 3 ? data[3] : 0);
		free(nlh);
	}
	flush(m, false);
	if (mirror_pending(m))
		flush(m, false);
	mirror_free(m);
	return 0;
}
