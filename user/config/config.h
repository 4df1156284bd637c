/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_CONFIG_H
#define CNICTL_CONFIG_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/addr.h"
#include "module/portopts.h"
#include "module/tunopts.h"

#define CONFIG_MAX_TABLES 8
/* Links and tunnels that static prefixes go by: as many as a route can have. */
#define CONFIG_MAX_STATIC 64

/* Cloudflare's; the first two differ in what they carry without GRE. */
enum dataplane { DATAPLANE_V1, DATAPLANE_V1_1, DATAPLANE_V2 };

/* The module's part: where it can be, or nothing at all without it, or none. */
enum offload { OFFLOAD_AUTO, OFFLOAD_REQUIRED, OFFLOAD_OFF };

/* Prefixes that a link or tunnel is the way to, whoever announces them. */
struct config_static {
	bool published;		/* those that Cloudflare publishes */
	struct addr *given;	/* those that are in the file itself */
	unsigned int n_given;
	char *file;		/* a file of more; NULL: none */
	/* All of them, each once, sorted by addr_cmp(): config_load_static() */
	struct addr *list;
	unsigned int n;
};

struct config_link {
	char title[64];
	char device[IFNAMSIZ];	/* the Ethernet device */
	enum dataplane dataplane;
	unsigned int vlan;	/* 0: untagged */
	char ifname[IFNAMSIZ];	/* the layer 3 device: device, or its VLAN */
	struct addr local4, peer4;
	struct addr local6, peer6;
	unsigned int mtu;	/* 0: leave as it is */
	uint32_t local_as;	/* 0: not given */
	bool xdp_auto;		/* XDP where it can be; else nowhere */
	enum offload offload;
	struct config_static statics;
};

enum bgp_profile { PROFILE_UNSAID, PROFILE_PEERING, PROFILE_MAGIC };

struct config_tunnel {
	char ifname[IFNAMSIZ];
	struct addr local, remote;	/* of one family */
	int encap_limit;		/* over IPv6: 0..255, -1 for none */
	unsigned int overhead;		/* bytes of IP and GRE */
	unsigned int ttl;		/* 1..255 */
	unsigned int tos;		/* 0..255; 1 is "inherit" */
	bool has_key;
	uint32_t key;			/* host byte order */
	unsigned int mtu;
	bool mtu_given;		/* else it's the most that fits into 1500 */
	struct addr address4, address6;	/* with lengths; family 0: none */
	struct addr link_local;	/* for BGP over IPv6; family 0: none */
	bool host_route;	/* route to remote over the link */
	bool mss_auto;		/* what fits the MTU that it gets */
	struct tunopts opts;
	struct config_static statics;
	bool no_bgp;		/* no session over it */
	enum bgp_profile profile;	/* of its session; else as that of bgp */
	char *password;		/* of its session; NULL: that of bgp, or */
	char *password_file;	/* in a file */
};

struct config_port {
	char ifname[IFNAMSIZ];
	bool mss_auto;		/* what fits the smallest of the tunnels */
	struct portopts opts;
};

/*
 * What cnictl bgp-config makes a session of; "bgp {}" when it isn't there. For
 * config_write() numbers can be 0, too, for what isn't given.
 */
struct config_bgp {
	bool magic;		/* else peering */
	bool no_link;		/* no session over the link */
	bool over_tunnels;	/* those over the tunnels; neither: no BGP */
	bool bfd;
	uint32_t peer_as;
	struct addr router_id;	/* family 0: not given */
	struct addr *announce, *extra;	/* networks, of either family */
	unsigned int n_announce, n_extra;
	unsigned int priority;	/* Magic's; 100 is its default */
	uint32_t max4, max6;	/* prefixes, more of which are warned of */
	char *password;		/* NULL: none, or in a file */
	char *password_file;
};

struct config {
	char *file;
	char *text;		/* of the file */
	struct config_link link;
	struct config_tunnel *tunnels;
	unsigned int n_tunnels;
	struct config_port *ports;
	unsigned int n_ports;
	struct config_bgp bgp;
	uint32_t tables[CONFIG_MAX_TABLES];	/* first one wins */
	unsigned int n_tables;
};

/* Where the services' are. */
#define CONFIG_DIR "/etc/cnilink"

/*
 * Reads @file; "acme", if it's no file, is CONFIG_DIR/acme.conf. Returns NULL
 * with every problem found printed to standard error as "FILE:LINE: ..." when it
 * isn't right. Free with config_free().
 */
struct config *config_read(const char *file);
/* 0, or the negative errno with which that can't be read. */
int config_look(const char *file);
/* The path of "acme" in CONFIG_DIR, for free(); NULL for what is a path. */
char *config_named(const char *file);
/* The same of a file's text that is in memory already. */
struct config *config_parse(const char *file, const char *text);
void config_free(struct config *c);

/*
 * Puts together the lists of static prefixes of @c, their files included.
 * Returns false with every problem found printed as "FILE:LINE: ...".
 */
bool config_load_static(struct config *c);

/*
 * Writes a file that reads as @c; only what isn't so anyway. @who: our name, as
 * a comment, or NULL. What can't be said in such a file is printed to standard
 * error; returns false then.
 */
bool config_write(FILE *f, const struct config *c, const char *who);

/*
 * Puts the text of a configuration into @file, which must not exist, for nobody
 * else to read; NULL: the standard output. Returns RC_*; errors are printed.
 */
int config_save(const char *file, const char *text);

/* "v1", "v1.1" or "v2"; false for another. */
bool config_dataplane_parse(const char *s, enum dataplane *d);
const char *config_dataplane_str(enum dataplane d);

/* "auto", "required" or "off". */
const char *config_offload_str(enum offload o);

/* What @t answers of Cloudflare's health checks, beside what it does so far. */
void config_add_health(struct config_tunnel *t, bool request,
		       bool unidirectional, const struct addr *local,
		       const struct addr *peer);
/*
 * Whether @a is of those that Cloudflare has for targets of bidirectional checks,
 * which its published addresses send then.
 */
bool config_is_target(const struct addr *a);
/* The unidirectional ones of all addresses that Cloudflare publishes. */
void config_add_published(struct config_tunnel *t, bool request,
			  const struct addr *local);

/* Whether the link or a tunnel has addresses of @family, AF_INET or AF_INET6. */
bool config_carries(const struct config *c, int family);
/*
 * Whether static prefixes of @family go by the link, @t NULL, or by a tunnel: one
 * without an address inside carries what the link does.
 */
bool config_routes(const struct config *c, const struct config_tunnel *t,
		   int family);
/* The one of that name, or NULL; also without a @c. */
const struct config_tunnel *config_tunnel_of(const struct config *c,
					     const char *ifname);
const struct config_port *config_port_of(const struct config *c,
					 const char *ifname);
/* Whether there are to be BGP sessions at all. */
bool config_has_bgp(const struct config *c);
/* The other end of an address inside a tunnel; family 0: not known. */
struct addr config_far_end(const struct addr *a);

/* Bytes of IP and GRE that a tunnel puts before each packet. */
unsigned int config_overhead(const struct config_tunnel *t);

/* Whether the kernel takes @name for a device; the reason why not, or NULL. */
const char *config_ifname_problem(const char *name);

/* Whether it's that of a device, or of settings, that the kernel makes. */
bool config_ifname_reserved(const char *name);

/*
 * Adds the prefix @s to the @n of @list. Returns why it can't be announced or
 * accepted over BGP, to end a sentence that begins with it, or NULL.
 */
const char *config_add_prefix(const char *s, struct addr **list,
			      unsigned int *n);

/* What the session over @t takes, as that of bgp is unless it says otherwise. */
bool config_is_magic(const struct config_bgp *b, const struct config_tunnel *t);

/* Whether Magic has a community for this priority. */
bool config_is_priority(long n);

/* "main", "default" or a number; returns 0 when it is none of these. */
uint32_t config_table_parse(const char *s);

#endif
