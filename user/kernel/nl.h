/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_NL_H
#define CNICTL_NL_H

#include <stdint.h>
#include <netlink/msg.h>
#include <netlink/attr.h>
#include <netlink/socket.h>

#include "base/addr.h"

/* A netlink socket for requests, one at a time. */
struct nlconn {
	struct nl_sock *sk;
	int fd;
	uint32_t seq;
	char *buf;		/* of what is received */
	size_t buf_size;
	char extack[256];	/* the kernel's words on the last refusal */
};

/* 0, or a negative errno that is printed already. */
int nlc_open(struct nlconn *c, int protocol);
void nlc_close(struct nlconn *c);

/* Socket buffers in bytes, beyond the system's limit when root. */
void nlc_set_buffers(struct nlconn *c, int rcv, int snd);

/*
 * Sees each message of an answer; returns 0 or a negative errno. NULL for the
 * message means that a dump starts over: forget what was seen.
 */
typedef int (*nlc_fn)(const struct nlmsghdr *nlh, void *arg);

/*
 * Sends a request and waits until it is acknowledged. Returns 0, a negative
 * errno of the kernel's (its extack is then in c->extack), or of @fn's.
 * Takes the message over.
 */
int nlc_talk(struct nlconn *c, struct nl_msg *msg, nlc_fn fn, void *arg);

/* The same for a message of raw bytes, that stays the caller's. */
int nlc_talk_raw(struct nlconn *c, struct nlmsghdr *nlh, nlc_fn fn, void *arg);

/* A dump, begun again when the kernel says that it was disturbed. */
int nlc_dump(struct nlconn *c, struct nl_msg *msg, nlc_fn fn, void *arg);

/*
 * What went wrong with the last request: "STRERROR", or "STRERROR (the
 * kernel says: EXTACK)"; a static buffer.
 */
const char *nlc_strerror(struct nlconn *c, int error);

/* Building messages: these end the program when there is no memory. */
struct nl_msg *nlx_msg(int type, int flags, const void *head, size_t size);
void nlx_put(struct nl_msg *msg, int attr, const void *data, size_t size);
void nlx_u8(struct nl_msg *msg, int attr, uint8_t v);
void nlx_u16(struct nl_msg *msg, int attr, uint16_t v);
void nlx_u32(struct nl_msg *msg, int attr, uint32_t v);
void nlx_u64(struct nl_msg *msg, int attr, uint64_t v);
void nlx_str(struct nl_msg *msg, int attr, const char *s);
void nlx_addr(struct nl_msg *msg, int attr, const struct addr *a);
struct nlattr *nlx_nest(struct nl_msg *msg, int attr);

/* Parses the attributes after a header of @head bytes into tb[0..max]. */
void nlx_parse(const struct nlmsghdr *nlh, size_t head, struct nlattr **tb,
	       int max);

#endif
