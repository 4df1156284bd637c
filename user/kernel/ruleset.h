/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_RULESET_H
#define CNICTL_RULESET_H

#include <stdbool.h>
#include <jansson.h>

/* The firewall as it is configured: what a packet's walk through it needs. */

/* In the order in which a packet meets those of them that it does. */
enum hook {
	HOOK_PREROUTING,
	HOOK_INPUT,
	HOOK_FORWARD,
	HOOK_OUTPUT,
	HOOK_POSTROUTING,
	HOOK_NONE,		/* a chain that is jumped to; one of a device */
};

enum ruleset_by { BY_NFT, BY_IPTABLES, BY_IPTABLES_LEGACY };

struct rule {
	long long handle;	/* the line's number, if by iptables */
	const json_t *expr;	/* its matches and statements */
	char *text;		/* as the program lists it; NULL: unknown */
};

struct chain {
	enum ruleset_by by;
	const char *family, *table, *name;
	enum hook hook;
	bool device;		/* sees frames of devices, not packets */
	const json_t *devs;	/* those; NULL: nft doesn't tell */
	int prio;
	bool nat;		/* sees what begins a connection, only */
	bool drop;		/* by its policy */
	struct rule *rules;
	unsigned int n;
};

/* A named set or map. */
struct named {
	enum ruleset_by by;
	const char *family, *table, *name;
	const json_t *elem;	/* NULL: none */
	bool changes;		/* packets and time add and remove members */
};

struct flowtable {
	const char *family, *table, *name;
	const json_t *devs;
};

struct ruleset {
	json_t *docs;		/* all strings here are of these */
	struct chain *chains;	/* those of a hook in the order they're met */
	unsigned int n_chains;
	struct named *named;
	unsigned int n_named;
	struct flowtable *flowtables;
	unsigned int n_flowtables;
	char *untold;		/* what is missing, for want of what; or NULL */
};

/*
 * Adds what @doc says in nft's JSON, and takes the reference over. With BY_NFT,
 * tables that were added by another already aren't added again. False where
 * that's no such document.
 */
bool ruleset_add(struct ruleset *rs, json_t *doc, enum ruleset_by by);

/* The rules' texts from what "nft -a list ruleset" prints. */
void ruleset_add_text(struct ruleset *rs, const char *text);

/*
 * Asks nft, and iptables where that has tables of its own. What can't be found
 * out is in @untold then.
 */
void ruleset_ask(struct ruleset *rs);

void ruleset_free(struct ruleset *rs);

/* Of the same table as @from; NULL: there's none. */
const struct chain *ruleset_chain(const struct ruleset *rs,
				  const struct chain *from, const char *name);
const struct named *ruleset_named(const struct ruleset *rs,
				  const struct chain *from, const char *name);

/* Whether packets of @family, AF_INET or AF_INET6, meet @c at @hook. */
bool ruleset_meets(const struct chain *c, int family, enum hook hook);

/* Whether a chain's or flowtable's devices are, or have, @ifname. */
bool ruleset_names(const json_t *devs, const char *ifname);

/* What the rules of a chain can do, those that they jump to included. */
struct nature {
	bool judges;		/* drop, translate, or hand on to others */
	bool stateful;		/* they ask for the connection's state */
	bool offloads;		/* they add to a flowtable */
};

struct nature ruleset_nature(const struct ruleset *rs, const struct chain *c);

/* "prerouting" and so on. */
const char *hook_str(enum hook hook);

#endif
