// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/netlink.h>
#include <netlink/netlink.h>

#include "base/out.h"
#include "kernel/nl.h"

#define RECV_SIZE (256 << 10)
#define DUMP_TRIES 20

int nlc_open(struct nlconn *c, int protocol)
{
	int on = 1, rc;

	memset(c, 0, sizeof(*c));
	c->sk = nl_socket_alloc();
	if (!c->sk) {
		err("out of memory");
		return -ENOMEM;
	}
	rc = nl_connect(c->sk, protocol);
	if (rc < 0) {
		err("can't open a netlink socket: %s", nl_geterror(rc));
		nl_socket_free(c->sk);
		c->sk = NULL;
		return -EPROTO;
	}
	c->fd = nl_socket_get_fd(c->sk);
	c->buf_size = RECV_SIZE;
	c->buf = xalloc(c->buf_size);
	/* Without these a refusal comes without its reason, or echoed whole. */
	setsockopt(c->fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(c->fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	/* So that dumps of routes and addresses heed what they are asked. */
	setsockopt(c->fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on,
		   sizeof(on));
	return 0;
}

void nlc_close(struct nlconn *c)
{
	if (!c->sk)
		return;
	nl_socket_free(c->sk);
	free(c->buf);
	memset(c, 0, sizeof(*c));
}

void nlc_set_buffers(struct nlconn *c, int rcv, int snd)
{
	if (rcv && setsockopt(c->fd, SOL_SOCKET, SO_RCVBUFFORCE, &rcv,
			      sizeof(rcv)))
		setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &rcv, sizeof(rcv));
	if (snd && setsockopt(c->fd, SOL_SOCKET, SO_SNDBUFFORCE, &snd,
			      sizeof(snd)))
		setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &snd, sizeof(snd));
}

/* @attrs: what follows the error number, or the ack's copy of the header. */
static void take_extack(struct nlconn *c, const struct nlmsghdr *nlh,
			size_t offset)
{
	struct nlattr *attr, *msg = NULL, *miss = NULL;
	int left = (int)nlh->nlmsg_len - (int)(NLMSG_HDRLEN + offset);

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS) || left <= 0)
		return;
	attr = (struct nlattr *)((char *)nlh + NLMSG_HDRLEN + offset);
	nla_for_each_attr(attr, attr, left, left) {
		if (nla_type(attr) == NLMSGERR_ATTR_MSG)
			msg = attr;
		else if (nla_type(attr) == 5 /* NLMSGERR_ATTR_MISS_TYPE */)
			miss = attr;
	}
	if (msg)
		snprintf(c->extack, sizeof(c->extack), "%.*s", nla_len(msg),
			 (char *)nla_data(msg));
	else if (miss)
		snprintf(c->extack, sizeof(c->extack),
			 "attribute %u is missing", nla_get_u32(miss));
}

/* Returns 1 while more is to come. */
static int take_message(struct nlconn *c, const struct nlmsghdr *nlh,
			nlc_fn fn, void *arg, bool *disturbed, int *rc)
{
	const struct nlmsgerr *e;
	size_t offset;
	int error;

	if (nlh->nlmsg_seq != c->seq)
		return 1;
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		*disturbed = true;
	switch (nlh->nlmsg_type) {
	case NLMSG_ERROR:
		e = nlmsg_data(nlh);
		offset = sizeof(*e);
		if (!(nlh->nlmsg_flags & NLM_F_CAPPED) && e->error)
			offset += NLMSG_ALIGN(e->msg.nlmsg_len) -
				  sizeof(e->msg);
		take_extack(c, nlh, offset);
		if (e->error)
			*rc = e->error;
		return 0;
	case NLMSG_DONE:
		error = 0;
		if (nlmsg_datalen(nlh) >= (int)sizeof(error))
			memcpy(&error, nlmsg_data(nlh), sizeof(error));
		take_extack(c, nlh, sizeof(error));
		if (error < 0)
			*rc = error;
		return 0;
	case NLMSG_NOOP:
	case NLMSG_OVERRUN:
		return 1;
	}
	/* After fn failed the rest is read and thrown away. */
	if (fn && !*rc)
		*rc = fn(nlh, arg);
	return 1;
}

static int receive(struct nlconn *c, nlc_fn fn, void *arg, bool *disturbed)
{
	struct nlmsghdr *nlh;
	int more = 1, rc = 0;
	ssize_t n;
	int left;

	while (more) {
		n = recv(c->fd, c->buf, c->buf_size, MSG_PEEK | MSG_TRUNC);
		if (n > (ssize_t)c->buf_size) {
			c->buf_size = n;
			c->buf = xrealloc(c->buf, c->buf_size);
		}
		if (n >= 0)
			n = recv(c->fd, c->buf, c->buf_size, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		left = n;
		nlh = (struct nlmsghdr *)c->buf;
		for (; more && nlmsg_ok(nlh, left);
		     nlh = nlmsg_next(nlh, &left))
			more = take_message(c, nlh, fn, arg, disturbed, &rc);
	}
	return rc;
}

static int send_message(struct nlconn *c, struct nlmsghdr *nlh)
{
	struct sockaddr_nl to = { .nl_family = AF_NETLINK };
	ssize_t n;

	c->extack[0] = '\0';
	nlh->nlmsg_seq = ++c->seq;
	nlh->nlmsg_pid = nl_socket_get_local_port(c->sk);
	do {
		n = sendto(c->fd, nlh, nlh->nlmsg_len, 0,
			   (struct sockaddr *)&to, sizeof(to));
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int nlc_talk_raw(struct nlconn *c, struct nlmsghdr *nlh, nlc_fn fn, void *arg)
{
	bool disturbed = false;
	int rc;

	nlh->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	rc = send_message(c, nlh);
	return rc ? rc : receive(c, fn, arg, &disturbed);
}

int nlc_talk(struct nlconn *c, struct nl_msg *msg, nlc_fn fn, void *arg)
{
	int rc = nlc_talk_raw(c, nlmsg_hdr(msg), fn, arg);

	nlmsg_free(msg);
	return rc;
}

int nlc_dump(struct nlconn *c, struct nl_msg *msg, nlc_fn fn, void *arg)
{
	struct nlmsghdr *nlh = nlmsg_hdr(msg);
	bool disturbed;
	int tries, rc;

	nlh->nlmsg_flags |= NLM_F_REQUEST | NLM_F_DUMP;
	for (tries = 0; tries < DUMP_TRIES; tries++) {
		disturbed = false;
		rc = send_message(c, nlh);
		if (!rc)
			rc = receive(c, fn, arg, &disturbed);
		if (rc == -EINTR)
			disturbed = true;
		if (!disturbed)
			break;
		if (fn)
			fn(NULL, arg);
		rc = -EAGAIN;
	}
	nlmsg_free(msg);
	return rc;
}

const char *nlc_strerror(struct nlconn *c, int error)
{
	static char buf[400];

	if (c->extack[0])
		snprintf(buf, sizeof(buf), "%s (the kernel says: %s)",
			 strerror(-error), c->extack);
	else
		snprintf(buf, sizeof(buf), "%s", strerror(-error));
	return buf;
}

static void need(int failed)
{
	if (failed) {
		err("out of memory");
		exit(RC_FAILED);
	}
}

struct nl_msg *nlx_msg(int type, int flags, const void *head, size_t size)
{
	struct nl_msg *msg = nlmsg_alloc_size(8192);

	need(!msg || !nlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, type, 0,
				flags | NLM_F_REQUEST));
	if (size)
		need(nlmsg_append(msg, (void *)head, size, NLMSG_ALIGNTO));
	return msg;
}

void nlx_put(struct nl_msg *msg, int attr, const void *data, size_t size)
{
	need(nla_put(msg, attr, size, data));
}

void nlx_u8(struct nl_msg *msg, int attr, uint8_t v)
{
	nlx_put(msg, attr, &v, sizeof(v));
}

void nlx_u16(struct nl_msg *msg, int attr, uint16_t v)
{
	nlx_put(msg, attr, &v, sizeof(v));
}

void nlx_u32(struct nl_msg *msg, int attr, uint32_t v)
{
	nlx_put(msg, attr, &v, sizeof(v));
}

void nlx_u64(struct nl_msg *msg, int attr, uint64_t v)
{
	nlx_put(msg, attr, &v, sizeof(v));
}

void nlx_str(struct nl_msg *msg, int attr, const char *s)
{
	nlx_put(msg, attr, s, strlen(s) + 1);
}

void nlx_addr(struct nl_msg *msg, int attr, const struct addr *a)
{
	nlx_put(msg, attr, a->b, addr_bytes(a));
}

struct nlattr *nlx_nest(struct nl_msg *msg, int attr)
{
	struct nlattr *nest = nla_nest_start(msg, attr | NLA_F_NESTED);

	need(!nest);
	return nest;
}

void nlx_parse(const struct nlmsghdr *nlh, size_t head, struct nlattr **tb,
	       int max)
{
	memset(tb, 0, sizeof(*tb) * (max + 1));
	if (nlh->nlmsg_len < NLMSG_HDRLEN + head)
		return;
	nla_parse(tb, max, nlmsg_attrdata(nlh, head),
		  nlmsg_attrlen(nlh, head), NULL);
}
