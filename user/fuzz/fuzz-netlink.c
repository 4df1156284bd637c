// SPDX-License-Identifier: GPL-2.0
/*
 * The payload of messages of the module and of the kernel. The first byte says
 * which kind the rest is.
 */
#include <stdlib.h>
#include <string.h>
#include <linux/rtnetlink.h>

#include "kernel/kroute.h"
#include "module/genl.h"

static void parse(unsigned int kind, const struct nlmsghdr *nlh)
{
	union {
		struct cni_link link;
		struct cni_tunnel tunnel;
		struct cni_port port;
		struct cni_status status;
		struct cni_lookup lookup;
		struct kroute route;
		struct knexthop nexthop;
	} u;

	memset(&u, 0, sizeof(u));
	switch (kind) {
	case 0:
		cni_parse_link(nlh, &u.link);
		break;
	case 1:
		cni_parse_tunnel(nlh, &u.tunnel);
		break;
	case 2:
		cni_parse_port(nlh, &u.port);
		break;
	case 3:
		cni_parse_status(nlh, &u.status);
		break;
	case 4:
		cni_parse_lookup(nlh, &u.lookup);
		break;
	case 5:
		kroute_parse(nlh, &u.route);
		break;
	case 6:
		kroute_parse_nexthop(nlh, &u.nexthop);
		break;
	}
}

static void parse_route(const struct nlmsghdr *nlh)
{
	struct nlattr *nest = nlmsg_data(nlh);
	int left = nlmsg_datalen(nlh);
	struct cni_route r;

	/* As its caller finds it: whole. */
	for (; nla_ok(nest, left); nest = nla_next(nest, &left))
		cni_parse_route(nest, &r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nlmsghdr *nlh;

	if (size < 1)
		return 0;
	/* Its own memory, of its own size: what is read beyond is seen. */
	nlh = calloc(1, NLMSG_HDRLEN + size - 1);
	nlh->nlmsg_len = NLMSG_HDRLEN + size - 1;
	nlh->nlmsg_type = RTM_NEWROUTE;
	memcpy(nlmsg_data(nlh), data + 1, size - 1);
	if (data[0] % 8 == 7)
		parse_route(nlh);
	else
		parse(data[0] % 8, nlh);
	free(nlh);
	return 0;
}
