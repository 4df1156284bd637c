/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_MIRROR_H
#define CNICTL_MIRROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "kernel/kroute.h"
#include "module/entry.h"

/*
 * What the kernel's routing tables hold, kept up to date from rtnetlink
 * messages, and what the module is to be told of it. Pure data: no sockets.
 */
struct mirror;

/* @tables: those to mirror, the one that the kernel asks first at first. */
struct mirror *mirror_new(const uint32_t *tables, unsigned int n);
void mirror_free(struct mirror *m);

/*
 * Takes in a route of a dump or an event. In the tables main and default,
 * where they aren't mirrored, prefixes are only noted as touched: the module
 * waits for a word on those too.
 */
void mirror_apply(struct mirror *m, const struct kroute *r);

/*
 * While a dump is being read and the events queued meanwhile are applied,
 * deletions of routes that the dump hasn't got are no sign of trouble.
 */
void mirror_loading(struct mirror *m, bool loading);

/*
 * Whether something didn't fit what was known, so that only a fresh dump
 * helps. Asking clears it.
 */
bool mirror_doubt(struct mirror *m);

/* Devices that the module can send to. Routes by the others are left alone. */
void mirror_set_oifs(struct mirror *m, const uint32_t *oifs, unsigned int n);

/*
 * Takes in a next hop object of a dump or an event: routes that name it are
 * as it is now, whatever their own messages said. With an event the module
 * gave them up, and has to be told again, even if nothing changed.
 */
void mirror_object(struct mirror *m, const struct knexthop *n);

/* A dump of the objects begins again. */
void mirror_forget_objects(struct mirror *m);

enum mirror_dev {
	MIRROR_DEV_GONE,
	MIRROR_DEV_DOWN,
	MIRROR_DEV_NO_CARRIER,
	MIRROR_DEV_UP,
};

/*
 * A device's state, from a dump or an event. The kernel drops IPv4 routes and
 * next hop objects without a word when their device goes down.
 */
void mirror_dev(struct mirror *m, uint32_t ifindex, enum mirror_dev state);

/* With its last IPv4 address a device takes routes away without a word. */
void mirror_addr_gone(struct mirror *m, uint32_t ifindex);

/* And with a first one, what of them was left is alive again. */
void mirror_addr_came(struct mirror *m, uint32_t ifindex);

/* Whether an IPv4 route prefers this source (network byte order). */
bool mirror_prefsrc_used(const struct mirror *m, uint32_t be);

/* Whether a route goes by this next hop object. */
bool mirror_nexthop_used(const struct mirror *m, uint32_t id);

/* Makes a prefix pending, whether there's a route for it or not. */
void mirror_touch(struct mirror *m, const struct addr *dst);

/* Prefixes whose word is to be sent again. */
size_t mirror_pending(struct mirror *m);

/*
 * From here to mirror_done(), what is touched is flushed by the flush between
 * and by the one after it too: the generation that goes with the batch was
 * read before.
 */
void mirror_late(struct mirror *m);

/* Says what is pending. It stays so until mirror_done(). */
int mirror_flush(struct mirror *m, cni_entry_fn fn, void *arg);

/* Says everything, deletions aside. */
int mirror_flush_all(struct mirror *m, cni_entry_fn fn, void *arg);

/*
 * What was flushed has arrived (@ok) and isn't pending any more; or it hasn't
 * and still is.
 */
void mirror_done(struct mirror *m, bool ok);

/* What the module should hold of one prefix; its hops are until @m changes. */
void mirror_look(struct mirror *m, const struct addr *dst,
		 struct cni_entry *out);

/* How many prefixes of a family the module has been told to hold. */
size_t mirror_shown(const struct mirror *m, int family);
/* How many of those to leave to the kernel. */
size_t mirror_punted(const struct mirror *m, int family);
size_t mirror_bytes(const struct mirror *m);

#endif
