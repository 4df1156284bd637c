/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CNI_NF_H
#define _CNI_NF_H

#include <linux/bits.h>
#include <linux/netfilter.h>
#include <net/net_namespace.h>

/*
 * What a hook may do to packets that are forwarded here, or to outer ones that
 * are sent from here: keep track of connections; judge them, if SELinux labels
 * packets; or anything.
 */
enum {
	CNI_NF_TRACKS	= BIT(0),
	CNI_NF_LABELS	= BIT(1),
	CNI_NF_JUDGES	= BIT(2),
};

/* Of hooks of one kind, as many are known. */
#define CNI_NF_KNOWN	5

extern nf_hookfn *cni_nf_known[NF_INET_NUMHOOKS][CNI_NF_KNOWN];

/**
 * cni_nf_any - is there a hook, AppArmor's alone aside?
 * @hooks: of a family and @hooknum
 * @hooknum: NF_INET_*
 *
 * AppArmor, which Debian switches on, has a hook in every namespace. It judges
 * packets of local sockets, and has done so for the inner packet's.
 *
 * Under rcu_read_lock(), as are all of these.
 *
 * Return: the hooks, or NULL.
 */
static inline const struct nf_hook_entries *
cni_nf_any(const struct nf_hook_entries __rcu *hooks, unsigned int hooknum)
{
	const struct nf_hook_entries *e = rcu_dereference(hooks);

	if (e && hooknum == NF_INET_POST_ROUTING && e->num_hook_entries == 1 &&
	    e->hooks[0].hook == READ_ONCE(cni_nf_known[hooknum][0]))
		return NULL;
	return e;
}

u8 cni_nf_what(const struct nf_hook_entries *e, unsigned int hooknum);

/**
 * cni_nf_judge - may a hook do something to packets that are forwarded?
 * @hooks: of a family and @hooknum
 * @hooknum: NF_INET_*
 *
 * Return: whether it may.
 */
static inline bool cni_nf_judge(const struct nf_hook_entries __rcu *hooks,
				unsigned int hooknum)
{
	const struct nf_hook_entries *e = cni_nf_any(hooks, hooknum);

	return unlikely(e) && cni_nf_what(e, hooknum);
}

void cni_nf_learn(const struct net *net);
void cni_nf_owners(const struct net *net, char *buf, size_t size);
int cni_nf_init(void);
void cni_nf_exit(void);

#endif
