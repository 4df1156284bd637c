/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_HEALTH_H
#define _CNI_HEALTH_H

#include <linux/in6.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <uapi/linux/cnilink.h>

#include "state/net.h"

struct cni_forward;
struct cni_packet;
struct cni_tunnel;
struct net_device;
struct sk_buff;

#define CNI_HEALTH_MAX		32
#define CNI_HEALTH_RATE		1000
/* What an answer to a request changes: IPv6's header, and the ICMP checksum */
#define CNI_HEALTH_HEAD		44

/**
 * struct cni_health_check - one kind of probe that a tunnel's far end sends
 * @family: CNI_V4 or CNI_V6
 * @flags: CNILINK_HEALTH_FLAG_*
 * @peer_len: leading bits of @peer that count
 * @local: this end's address in the probe
 * @peer: the far end's
 *
 * An IPv4 address is in the first word; the rest is zero.
 */
struct cni_health_check {
	u8			family;
	u8			flags;
	u8			peer_len;
	struct in6_addr		local;
	struct in6_addr		peer;
};

/**
 * struct cni_health - the responder of one tunnel
 * @cn: namespace
 * @n: number of checks
 * @rate: answers a second at most
 * @lock: of what follows
 * @tokens: answers that may be given at once, counted in 1/HZ
 * @stamp: jiffies when @tokens was up to date
 * @answered: probes answered
 * @limited: probes punted because they exceeded the rate
 * @rcu: for freeing
 * @check: what is answered, constant
 */
struct cni_health {
	struct cni_net		*cn;
	unsigned int		n;
	u32			rate;
	spinlock_t		lock; /* of what follows */
	u64			tokens;
	unsigned long		stamp;
	u64			answered;
	u64			limited;
	struct rcu_head		rcu;
	struct cni_health_check	check[];
};

/**
 * struct cni_health_probe - a health check that is to be answered
 * @health: by whom
 * @check: what it is
 */
struct cni_health_probe {
	struct cni_health		*health;
	const struct cni_health_check	*check;
};

static inline bool
cni_health_is_request(const struct cni_health_probe *probe)
{
	return probe->check->flags & CNILINK_HEALTH_FLAG_REQUEST;
}

bool cni_health_take(struct cni_health *health, bool count);
bool cni_health_find(struct cni_forward *fwd, struct cni_packet pkt,
		     struct cni_health_probe *probe);
bool cni_health_turn(const struct cni_health_probe *probe, struct sk_buff *skb,
		     unsigned int len);
unsigned int cni_health_reply(const struct cni_health *health,
			      const void *request, __be16 proto, void *to);
bool cni_health_answer(struct cni_health *health, struct sk_buff *skb,
		       struct net_device *dev);
int cni_health_set(struct cni_tunnel *tunnel,
		   const struct cni_health_check *check, unsigned int n,
		   u32 rate);

#endif
