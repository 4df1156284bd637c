/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_API_H
#define CNICTL_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

#define API_NAME 64

/* The two ends of a link, by whose they are, with lengths. */
struct api_pair {
	struct addr ours, cloudflare;	/* family 0: not told */
};

/* The BGP session that goes with a link or a tunnel. */
struct api_bgp {
	uint32_t customer_as;		/* 0: not told */
	char *md5_key;			/* NULL: none */
	struct addr *extra;		/* networks that Cloudflare sends, too */
	unsigned int n_extra;
};

struct api_link {
	char id[API_NAME];		/* as the API names it */
	char name[API_NAME];		/* what it's called there, or "" */
	bool plain;			/* told to be without GRE */
	struct api_pair v4, v6;
	struct api_bgp bgp;
};

struct api_tunnel {
	char name[API_NAME];
	bool interconnect;		/* one that goes with a link */
	struct addr ours, cloudflare;	/* endpoints; ours may be family 0 */
	struct api_pair v4, v6;		/* inside */
	unsigned int mtu, ttl;		/* 0: the default */
	bool health;
	bool request;			/* else of type reply */
	bool unidirectional;
	bool direction_told;
	struct addr target;		/* family 0: the default */
	struct api_bgp bgp;
};

struct api {
	/* Which end "interface_address" is; Cloudflare's, says its API. */
	bool interface_is_ours;
	struct api_link *links;
	unsigned int n_links;
	struct api_tunnel *tunnels;
	unsigned int n_tunnels;
	bool partial;			/* there are more than were listed */
};

/* Whether @text is JSON, rather than a mail. */
bool api_looks_like(const char *text);

/*
 * Adds what Cloudflare's API answered for cni/cnis, magic/gre_tunnels or
 * magic/cf_interconnects to @a: lists or single ones, in their envelope or
 * without. @name stands for the file in messages. Returns 0, or -1 with the
 * reason, beginning "NAME: ", in @why; @a is to be freed in either case.
 */
int api_parse(const char *text, size_t len, const char *name, struct api *a,
	      char *why, size_t why_size);
void api_free(struct api *a);

#endif
