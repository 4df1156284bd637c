/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_GENL_H
#define CNICTL_GENL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/cnilink.h>

#include "base/addr.h"
#include "kernel/nl.h"
#include "module/entry.h"
#include "module/portopts.h"
#include "module/tunopts.h"

/* Room for the reasons of a newer module. */
#define CNI_REASONS 64

struct cni_stats {
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
	uint64_t punt[CNI_REASONS], drop[CNI_REASONS];
	uint64_t xdp_packets;		/* of rx_packets */
	uint64_t xdp_pass[CNI_REASONS];	/* counted again by the skb path */
};

struct cni_mac {
	bool known;
	uint8_t b[6];
};

/* Those that were last seen longer ago tell nothing of now. */
#define SEEN_RECENT_MS 60000

/* Frames on the link's lower device that are no link's. */
struct cni_seen {
	uint16_t vlan_id, vlan_proto;	/* proto 0: without a tag */
	uint64_t packets;
	uint64_t first, last;		/* milliseconds ago */
	uint32_t ifindex;		/* who receives them; 0: nobody */
};

#define CNI_SEEN_MAX 8			/* the module's limit */

struct cni_link {
	uint32_t ifindex;
	struct addr local4, peer4, local6, peer6;
	uint32_t lower;
	uint16_t vlan_id, vlan_proto;	/* 0: untagged; host byte order */
	uint32_t mtu;
	struct cni_mac lladdr4, lladdr6;
	struct cni_seen seen[CNI_SEEN_MAX];
	unsigned int n_seen;
	bool vlan_filter;	/* the lower device hides other VLANs */
	uint64_t blockers, xdp_blockers;
	struct cni_stats stats;
};

struct cni_tunnel {
	uint32_t ifindex, link;
	struct addr local, remote;
	bool has_ikey, has_okey;
	uint32_t ikey, okey;	/* host byte order */
	uint8_t ttl, tos;
	uint32_t mtu;
	uint32_t outer_mtu, overhead;	/* 0 while it can't send */
	struct cni_mac lladdr;
	struct tunopts opts;
	uint64_t answered, limited;	/* health checks */
	uint64_t blockers;
	struct cni_stats stats;
	struct cni_stats output;	/* what the stack sends */
	struct cni_stats input;		/* what is left to the stack, out of GRE */
};

struct cni_port {
	uint32_t ifindex, mtu;
	struct portopts opts;
	uint64_t blockers, xdp_blockers;
	struct cni_stats stats;
};

/* The hops are oif, via and weight, in the kernel's order. */
struct cni_route {
	uint32_t table;
	struct addr dst;
	bool punt;
	const struct khop *hops;	/* until the next route */
	unsigned int n_hops;
	uint64_t blockers;
};

struct cni_lookup {
	struct addr dst;
	int prefix_len;		/* -1: no prefix matched */
	uint32_t table;
	uint32_t reason;
	uint64_t blockers;
	struct khop hops[KHOPS_MAX];	/* as a route's */
	unsigned int n_hops;
	uint32_t lower, mtu;
	struct cni_mac lladdr;
};

struct cni_status {
	char version[64];
	uint64_t generation;
	uint32_t routes4, routes6, punted4, punted6;
	uint64_t bytes;
	uint64_t blockers4, blockers6;
	int xdp;		/* CNILINK_XDP_; -1 in events */
	char hooks[256];	/* whose netfilter hooks are in the way */
};

/* The family of the module, over a socket of its own. */
struct cni {
	struct nlconn nl;
	uint16_t family;
	uint32_t version;
	uint32_t group_config, group_state;
};

/*
 * Returns 0, -ENOENT when the module isn't loaded (nothing is printed then),
 * -EPROTONOSUPPORT when it's of a version that this cnictl can't talk to, or
 * another negative errno, which is printed already.
 */
int cni_open(struct cni *c);
void cni_close(struct cni *c);

/* Says that the module isn't loaded and what to do. */
void cni_say_missing(void);

/* All of a kind: *list is for free(). 0 or a negative errno, not printed. */
int cni_links(struct cni *c, struct cni_link **list, unsigned int *n);
int cni_tunnels(struct cni *c, struct cni_tunnel **list, unsigned int *n);
int cni_ports(struct cni *c, struct cni_port **list, unsigned int *n);
int cni_routes(struct cni *c, int (*fn)(const struct cni_route *r, void *arg),
	       void (*restart)(void *arg), void *arg);

/* The devices of all three: those that the module sends to. */
int cni_oifs(struct cni *c, uint32_t **oifs, unsigned int *n);

/* One by its ifindex; -ENOENT or -ENODEV when there is none. */
int cni_link_get(struct cni *c, uint32_t ifindex, struct cni_link *l);
int cni_tunnel_get(struct cni *c, uint32_t ifindex, struct cni_tunnel *t);
int cni_port_get(struct cni *c, uint32_t ifindex, struct cni_port *p);

/* 0 or a negative errno; nlc_strerror(&c->nl, ...) tells more. */
int cni_link_set(struct cni *c, uint32_t ifindex, const struct addr *local4,
		 const struct addr *peer4, const struct addr *local6,
		 const struct addr *peer6);
int cni_link_del(struct cni *c, uint32_t ifindex);
int cni_tunnel_set(struct cni *c, uint32_t ifindex, const struct tunopts *o);
int cni_tunnel_del(struct cni *c, uint32_t ifindex);
int cni_port_set(struct cni *c, uint32_t ifindex, const struct portopts *o);
int cni_port_del(struct cni *c, uint32_t ifindex);
/* @src: family 0 for none */
int cni_lookup(struct cni *c, const struct addr *dst, const struct addr *src,
	       struct cni_lookup *l);
int cni_status(struct cni *c, struct cni_status *s);

/* Transactions: see table-begin in the YAML. */
int cni_begin(struct cni *c, uint32_t table, uint32_t *transaction);
int cni_commit(struct cni *c, uint32_t transaction, uint64_t generation);
int cni_abort(struct cni *c, uint32_t transaction);

/* Reading the payload of answers and notifications. */
void cni_parse_link(const struct nlmsghdr *nlh, struct cni_link *l);
void cni_parse_tunnel(const struct nlmsghdr *nlh, struct cni_tunnel *t);
void cni_parse_port(const struct nlmsghdr *nlh, struct cni_port *p);
void cni_parse_status(const struct nlmsghdr *nlh, struct cni_status *s);
/* @nest: a table's route attribute. */
void cni_parse_route(struct nlattr *nest, struct cni_route *r);
void cni_parse_lookup(const struct nlmsghdr *nlh, struct cni_lookup *l);
uint8_t cni_cmd(const struct nlmsghdr *nlh);

/*
 * Sends routes in as few messages as fit. One that the module refuses to
 * forward goes again as punt, so that the rest get in.
 */
struct cni_batch {
	struct cni *c;
	uint32_t transaction;		/* 0: the live table */
	uint32_t table;			/* its number */
	bool has_generation;
	uint64_t generation;
	struct cni_batch_buf {
		uint8_t cmd;
		char *buf;
		size_t len, head;
		unsigned int n;
	} set, del;
	size_t sent_set, sent_del, sent_punt, refused;
	char refusal[320];		/* the words on the first refused one */
};

/* @generation NULL: without one, for a transaction's batches. */
void cni_batch_init(struct cni_batch *b, struct cni *c, uint32_t transaction,
		    const uint64_t *generation);
/*
 * Writes a prefix as a table's route attribute: CNI_ROUTE_MAX bytes at most.
 * @at is aligned by 4; returns where the next one goes.
 */
#define CNI_ROUTE_MAX (128 + KHOPS_MAX * 40)
char *cni_put_route(char *at, const struct cni_entry *out);
/* A cni_entry_fn: @arg is the batch. Returns 0 or a negative errno. */
int cni_batch_add(const struct cni_entry *out, void *arg);
int cni_batch_end(struct cni_batch *b);
void cni_batch_free(struct cni_batch *b);

#endif
