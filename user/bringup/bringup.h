/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_BRINGUP_H
#define CNICTL_BRINGUP_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>

#include "base/addr.h"
#include "config/config.h"
#include "config/record.h"
#include "kernel/rtnl.h"
#include "module/genl.h"
#include "module/portopts.h"
#include "module/tunopts.h"

/*
 * The inside of up, reload and down. What is right already is said by
 * step_right(); each change is announced by step_do(), made unless the run is a
 * dry one, and noted by step_on_failure(), so that all can be taken back.
 *
 * Where it isn't said otherwise, a function returns 0, or a negative errno that
 * it printed.
 */

struct saved;
struct up;

/* Devices that the module was told of, or need not be. */
struct known {
	struct known_dev {
		uint32_t ifindex;
		/* To get XDP, once nothing is in its way; and that was said. */
		bool xdp_due, xdp_said;
	} *devs;
	unsigned int n;
};

/* How to take back one step. */
struct undo {
	struct undo *next;
	/* Says by step_undoing() what it does, and goes on whatever happens. */
	void (*fn)(struct up *u, const struct undo *undo);
	uint32_t ifindex;
	uint32_t number;	/* an mtu, a mode, or a setting, as it was */
	struct addr addr;
	struct netdev dev;
	struct cni_link link;
	struct rtnl_route route;
	struct tunopts opts;
	struct portopts port;
	struct saved *saved;	/* owned, like the table and the routes */
	char sysctl[96];
	char *table;		/* of nftables', as it was */
	/* As they were; without a way out: there was none. */
	struct rtnl_route *routes;
	unsigned int n_routes;
};

struct up {
	struct nlconn rt;
	struct cni cni;
	bool have_cni;
	const struct config *c;
	/* What up or reload last made of it; NULL when it isn't known. */
	struct config *old;
	struct record record;
	bool dry, reload;
	/* The module is left out, as told or since it can't be used. */
	bool no_offload;
	bool told_off, require;	/* told to leave it out, or not to go without */
	/*
	 * What the module lost, or never had, is given to it, and nothing else:
	 * of devices that aren't among these. NULL: all that differs.
	 */
	struct known *known;
	char (*gone)[IFNAMSIZ];		/* what a dry run would have removed */
	unsigned int n_gone;
	struct undo *undo;		/* the last step first */
	json_t *steps;
	unsigned int done;
	/* Static prefixes that are, or were: sorted by addr_cmp(). */
	struct addr *told;
	unsigned int n_told;
	struct netdev parent, link;	/* ifindex 0: not made (dry run) */
	char alias[80];			/* the mark of this link's devices */
	char old_alias[80];		/* the same under its old title; or "" */
	int lock;			/* -1: none */
};

/* step.c */

/*
 * Announces a step, in words of the command that would do it; true when it's
 * really to be done.
 */
bool step_do(struct up *u, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* What needs no step. */
void step_right(struct up *u, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* What the user should know, besides. */
void step_remark(struct up *u, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/*
 * The title of another link whose device it is, by what is noted of it or by
 * its mark; NULL when it isn't another's. A static buffer.
 */
const char *step_owner(struct up *u, const char *dev);
/*
 * Whether another link that is up uses the device, which then stays as it is
 * when this one's steps are taken back; says so.
 */
bool step_others_keep(struct up *u, const char *dev);
/* What out_hold() held back, as a remark a line; @before the first. */
void step_remark_held(struct up *u, const char *before);
/* A step that is taken back. */
void step_undoing(struct up *u, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * How to take back the step that was just done. What else @fn needs is for the
 * caller to fill in; it's all zeroes.
 */
struct undo *step_on_failure(struct up *u, uint32_t ifindex,
			     void (*fn)(struct up *, const struct undo *));
/* @back: undo it all; else only forget how. */
void step_end(struct up *u, bool back);
/* Undoes what came after @last. */
void step_undo_to(struct up *u, const struct undo *last);

/* Prints why the kernel didn't do @what to @name. Returns @rc. */
int step_failed(struct up *u, int rc, const char *what, const char *name);
/* -EINTR after a signal. */
int step_interrupted(void);

/* dev.c */

/*
 * rtnl_dev(), but what a dry run removed isn't there any more. The error isn't
 * printed.
 */
int dev_look(struct up *u, const char *name, struct netdev *dev);
/* Made by us for this link: it has our mark. */
bool dev_is_ours(const struct up *u, const struct netdev *dev);

int dev_bring_up(struct up *u, const struct netdev *dev);
int dev_set_mtu(struct up *u, const struct netdev *dev, uint32_t mtu);
/* A device was added: it gets the mark by which down knows it. */
int dev_made(struct up *u, const char *name, struct netdev *dev);
/* An address of family 0 is none. */
int dev_add_addr(struct up *u, const struct netdev *dev, const struct addr *a);

/* @a, if up added it and no other link has it. */
int dev_remove_addr(struct up *u, const struct netdev *dev,
		    const struct addr *a);
/* The mark of a link that has got another title. */
int dev_mark_anew(struct up *u, const char *name);
/* What isn't ours stays. */
int dev_remove(struct up *u, const char *name);

/* link.c */

/* Whether @dev is the file's VLAN of u->parent. */
bool link_is_vlan(const struct up *u, const struct netdev *dev);
/* What the link's device is to have, from the file and u->parent. */
uint32_t link_mtu(const struct up *u);
/* Says where packets to the other end go, if not by the device. */
void link_look_at_pair(struct up *u, const struct netdev *dev,
		       const struct addr *local, const struct addr *peer);
/* From u->parent to u->link. */
int link_make(struct up *u);
/* Until the kernel found that nobody else has the link's IPv6 address. */
int link_wait_dad(struct up *u);

/* tunnel.c */

/* What the kernel calls a device that is one. */
const char *tunnel_kind(bool v6);
/* In bytes: what fits through the link, unless the file says it. */
uint32_t tunnel_mtu(struct up *u, const struct config_tunnel *t);
/* What TCP's segments have to fit into: somebody else's device keeps its own. */
uint32_t tunnel_mss_mtu(struct up *u, const struct config_tunnel *t);
/* A tunnel can't change its kind, nor have what another has at that time. */
bool tunnel_in_the_way(struct up *u, const struct netdev *dev);
/* What needs nothing changed to see that it can't be. */
int tunnel_look(struct up *u, const struct config_tunnel *t);
/* The device, its addresses, and the way to the other end. */
int tunnel_make(struct up *u, const struct config_tunnel *t);
/*
 * Those of the device @link only: the route to the tunnel's other end, and the
 * rule for its own.
 */
int tunnel_remove_host_route(struct up *u, const struct config_tunnel *t,
			     const char *link, bool route, bool rule);

/* "", or " table N": a static buffer. */
const char *tunnel_in_table(const struct rtnl_route *r);

/* static.c */

/* What needs nothing changed to see that they can't be. */
int static_look(struct up *u);
/* The routes to the file's static prefixes, and none of ours besides. */
int static_make(struct up *u);
int static_remove(struct up *u);
/* Where no cnictl sync runs, the module learns of them, or that they went. */
int static_tell(struct up *u, const struct config *c, bool down);

/* gone.c */

/*
 * Of a file that can't be read (@error: its negative errno), or can't be
 * understood (0): what is noted of the link that came from it, with a remark and
 * for config_free(). NULL where nothing is, or for another verb than down: what
 * to do about it is printed instead.
 */
struct config *gone_config(struct up *u, const char *file, int error,
			   bool down);

/* adopt.c */

/*
 * For one that runs all the time: gives the module what it hasn't got of the
 * links that are up, but for those told to go without. False when it's another
 * cnictl's turn.
 */
bool adopt_links(struct known *known);
/* Whether one of them waits for XDP. */
bool adopt_waits(const struct known *known);
/* A device is gone: another one may get its number. */
void adopt_forget_dev(struct known *known, uint32_t ifindex);
/* The module has lost all of it. */
void adopt_forget(struct known *known);

/* host.c */

/*
 * What the kernel itself needs to answer the health checks, where the module is
 * left out: a reply comes with our own source and has to be forwarded, and what
 * doesn't come back the way it went passes no strict source check.
 */
int host_let_answer(struct up *u, const struct config_tunnel *t);
/*
 * By addresses alone, two hosts use one of several tunnels only. A policy
 * other than the kernel's first one was somebody's choice.
 */
int host_spread_flows(struct up *u);
/* Says that what host_spread_flows() set for @old stays. */
void host_remark_spread(struct up *u, const struct config *old);
/* Says if the kernel doesn't forward what is to come from the ports. */
void host_warn_forwarding(struct up *u);

/* offload.c */

/* With an MSS that fits. */
struct tunopts offload_tunnel_opts(struct up *u, const struct config_tunnel *t);
/*
 * Loads the module, gives it the link, the tunnels and the ports, and puts XDP
 * on the devices that frames come from. Where that can't be and isn't required,
 * it says so, and the module is left out.
 */
int offload_all(struct up *u);
/* The first half of that, without taking anything back. */
int offload_enrol(struct up *u);
/* The second half, for the devices that offload_enrol() gave to the module. */
void offload_xdp(struct up *u);
/* Says of a port that its device isn't there: the rest goes on without it. */
void offload_miss_port(struct up *u, const char *name);
/* Takes back from the module what the file has. */
int offload_withdraw_all(struct up *u);

/* By the device's name; what the module hasn't got is no error. */
int offload_withdraw_port(struct up *u, const char *name);
int offload_withdraw_tunnel(struct up *u, const char *name);
int offload_withdraw_link(struct up *u, const char *name);

/* port.c */

/*
 * With what fits the smallest of the tunnels that the answers come back by, of
 * all links that have the port.
 */
struct portopts port_opts(struct up *u, const struct config_port *p);
/*
 * A port of another link that is up, which has other options there: the module
 * has one set of them for a port.
 */
int port_refuse(struct up *u);

/* mss.c */

/* What the module would do for TCP, where it is left out. */
int mss_clamp(struct up *u);
/* @link: name of its device */
int mss_unclamp(struct up *u, const char *link);

#endif
