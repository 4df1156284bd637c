// SPDX-License-Identifier: GPL-2.0
/*
 * Whose netfilter hooks there are. The kernel has some of its own that do
 * nothing to the packets that are taken here; they are known by the symbols of
 * their functions, which are looked up in process context: the data path
 * compares addresses. What isn't known may do anything.
 */

#include "path/nf.h"

#include <linux/ip.h>
#include <linux/jiffies.h>
#include <linux/kallsyms.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>

/**
 * struct symbol - a hook of the kernel's own
 * @name: of its function
 * @owner: the module that it is of, unless it is built in
 * @what: it does, CNI_NF_*
 */
struct symbol {
	const char	*name;
	const char	*owner;
	u8		what;
};

enum {
	SELINUX_FORWARD	= 0,
	SELINUX_OUTPUT	= 2,
};

/* In the order of their priorities; cni_nf_any() has the place of AppArmor's */
static const struct symbol symbols[NF_INET_NUMHOOKS][CNI_NF_KNOWN] = {
	/* Packets that a bridge's netfilter has seen aren't seen twice. */
	[NF_INET_PRE_ROUTING] = {
		{ "ip_sabotage_in", "br_netfilter" },
	},
	[NF_INET_FORWARD] = {
		[SELINUX_FORWARD] = { "selinux_ip_forward", NULL,
				      CNI_NF_LABELS },
	},
	[NF_INET_LOCAL_OUT] = {
		{ "ipv4_conntrack_defrag", "nf_defrag_ipv4", CNI_NF_TRACKS },
		{ "ipv6_defrag", "nf_defrag_ipv6", CNI_NF_TRACKS },
		[SELINUX_OUTPUT] = { "selinux_ip_output", NULL,
				     CNI_NF_LABELS },
		{ "ipv4_conntrack_local", "nf_conntrack", CNI_NF_TRACKS },
		{ "ipv6_conntrack_local", "nf_conntrack", CNI_NF_TRACKS },
	},
	[NF_INET_POST_ROUTING] = {
		{ "apparmor_ip_postroute" },
		{ "selinux_ip_postroute", NULL, CNI_NF_LABELS },
		{ "nf_confirm", "nf_conntrack", CNI_NF_TRACKS },
		{ "ipv4_confirm", "nf_conntrack", CNI_NF_TRACKS },
		{ "ipv6_confirm", "nf_conntrack", CNI_NF_TRACKS },
	},
};

/*
 * Where those functions are, or NULL. Written under @lock; before a module's
 * code goes, its functions have gone from here.
 */
nf_hookfn *cni_nf_known[NF_INET_NUMHOOKS][CNI_NF_KNOWN] __read_mostly;
static DEFINE_MUTEX(lock);

/* A packet that ends before its header does */
static struct sk_buff *cut __read_mostly;

/* How long SELinux isn't asked again after it was seen to judge packets */
#define JUDGED_FOR	(60 * HZ)
static unsigned long judged_since;
static bool judged;

/*
 * SELinux passes all packets unless labels or its policy make it look at them,
 * which nobody but its hooks can tell. The one that forwarded packets meet, and
 * it decides for the last one alike, can't read this packet and refuses it, if
 * it looks; the kernel's log has a line of that then. The one that sent packets
 * meet can't label it, since it has no family.
 */
static bool selinux_judges(void)
{
	struct nf_hook_state state = {
		.hook	= NF_INET_FORWARD,
		.pf	= NFPROTO_IPV4,
		.in	= init_net.loopback_dev,
		.net	= &init_net,
	};
	nf_hookfn *forward, *output;

	forward = READ_ONCE(cni_nf_known[NF_INET_FORWARD][SELINUX_FORWARD]);
	output = READ_ONCE(cni_nf_known[NF_INET_LOCAL_OUT][SELINUX_OUTPUT]);
	if (!forward || !output)
		return true;
	if (unlikely(READ_ONCE(judged)) &&
	    time_before(jiffies, READ_ONCE(judged_since) + JUDGED_FOR))
		return true;
	if (forward(NULL, cut, &state) == NF_ACCEPT) {
		state.hook = NF_INET_LOCAL_OUT;
		state.pf = NFPROTO_UNSPEC;
		state.out = state.in;
		state.in = NULL;
		if (output(NULL, cut, &state) == NF_ACCEPT) {
			if (unlikely(READ_ONCE(judged)))
				WRITE_ONCE(judged, false);
			return false;
		}
	}
	WRITE_ONCE(judged_since, jiffies);
	WRITE_ONCE(judged, true);
	return true;
}

/**
 * cni_nf_what - what hooks may do to packets
 * @e: hooks of a family and @hooknum
 * @hooknum: NF_INET_*
 *
 * Return: a set of CNI_NF_*, without CNI_NF_LABELS.
 */
u8 cni_nf_what(const struct nf_hook_entries *e, unsigned int hooknum)
{
	unsigned int i, k = 0;
	u8 what = 0;

	for (i = 0; i < e->num_hook_entries; i++) {
		nf_hookfn *hook = READ_ONCE(e->hooks[i].hook);

		while (k < CNI_NF_KNOWN &&
		       READ_ONCE(cni_nf_known[hooknum][k]) != hook)
			k++;
		if (k == CNI_NF_KNOWN)
			return CNI_NF_JUDGES;
		what |= symbols[hooknum][k++].what;
	}
	if (what & CNI_NF_LABELS)
		return selinux_judges() ? CNI_NF_JUDGES :
					  what & ~CNI_NF_LABELS;
	return what;
}

/* Is it "name+0x0/0x40" of the kernel's, or "name+0x0/0x40 [owner]"? */
static bool is_symbol(const char *text, const struct symbol *symbol)
{
	size_t len;

	len = str_has_prefix(text, symbol->name);
	if (!len || strncmp(text + len, "+0x0/", 5))
		return false;
	text = strchr(text, '[');
	if (!text)
		return true;
	len = symbol->owner ? str_has_prefix(text + 1, symbol->owner) : 0;
	return len && text[len + 1] == ']';
}

static void learn_hook(nf_hookfn *hook, unsigned int hooknum)
{
	const struct symbol *symbol = symbols[hooknum];
	char text[KSYM_SYMBOL_LEN];
	unsigned int k;

	snprintf(text, sizeof(text), "%pS", hook);
	for (k = 0; k < CNI_NF_KNOWN; k++)
		if (symbol[k].name && is_symbol(text, &symbol[k]))
			WRITE_ONCE(cni_nf_known[hooknum][k], hook);
}

static void learn_hooks(const struct nf_hook_entries __rcu *hooks,
			unsigned int hooknum)
{
	const struct nf_hook_entries *e = rcu_dereference(hooks);
	unsigned int i, k;

	for (i = 0; e && i < e->num_hook_entries; i++) {
		if (nf_hook_entries_get_hook_ops(e)[i]->hook_ops_type !=
		    NF_HOOK_OP_UNDEFINED)
			continue;
		for (k = 0; k < CNI_NF_KNOWN; k++)
			if (cni_nf_known[hooknum][k] == e->hooks[i].hook)
				break;
		if (k == CNI_NF_KNOWN)
			learn_hook(e->hooks[i].hook, hooknum);
	}
}

/**
 * cni_nf_learn - get to know a namespace's hooks
 * @net: namespace
 *
 * In process context.
 */
void cni_nf_learn(const struct net *net)
{
	unsigned int h;

	/* A hook that is seen here hasn't been unregistered by its module. */
	mutex_lock(&lock);
	rcu_read_lock();
	for (h = 0; h < NF_INET_NUMHOOKS; h++) {
		learn_hooks(net->nf.hooks_ipv4[h], h);
		learn_hooks(net->nf.hooks_ipv6[h], h);
	}
	rcu_read_unlock();
	mutex_unlock(&lock);
}

/* Put a name behind those that are there, unless it's one of them. */
static void put_owner(char *buf, size_t size, const char *name)
{
	size_t used = strlen(buf);

	if (!strstr(buf, name))
		snprintf(buf + used, size - used, "%s%s", used ? ", " : "",
			 name);
}

static bool judges(u8 what)
{
	return what == CNI_NF_LABELS ? selinux_judges() : what;
}

static void put_owners(const struct nf_hook_entries __rcu *hooks,
		       unsigned int hooknum, char *buf, size_t size)
{
	const struct nf_hook_entries *e = cni_nf_any(hooks, hooknum);
	char name[KSYM_SYMBOL_LEN];
	unsigned int i, k;

	if (!e || !cni_nf_what(e, hooknum))
		return;
	for (i = 0; i < e->num_hook_entries; i++) {
		if (nf_hook_entries_get_hook_ops(e)[i]->hook_ops_type ==
		    NF_HOOK_OP_NF_TABLES) {
			put_owner(buf, size, "nft");
			continue;
		}
		for (k = 0; k < CNI_NF_KNOWN; k++)
			if (cni_nf_known[hooknum][k] == e->hooks[i].hook)
				break;
		if (k < CNI_NF_KNOWN && !judges(symbols[hooknum][k].what))
			continue;
		snprintf(name, sizeof(name), "%ps", e->hooks[i].hook);
		put_owner(buf, size, name);
	}
}

/**
 * cni_nf_owners - whose hooks may do something to packets
 * @net: namespace
 * @buf: set to their names: nft, or functions and their modules
 * @size: of @buf; what doesn't fit is left off
 */
void cni_nf_owners(const struct net *net, char *buf, size_t size)
{
	unsigned int h;

	*buf = '\0';
	rcu_read_lock();
	for (h = 0; h < NF_INET_NUMHOOKS; h++) {
		put_owners(net->nf.hooks_ipv4[h], h, buf, size);
		put_owners(net->nf.hooks_ipv6[h], h, buf, size);
	}
	rcu_read_unlock();
}

/* Where a module's code was there may be another's soon. */
static int module_event(struct notifier_block *nb, unsigned long event,
			void *ptr)
{
	nf_hookfn **known = &cni_nf_known[0][0];
	unsigned int i;

	if (event != MODULE_STATE_GOING)
		return NOTIFY_DONE;
	mutex_lock(&lock);
	for (i = 0; i < NF_INET_NUMHOOKS * CNI_NF_KNOWN; i++)
		if (known[i] && within_module((unsigned long)known[i], ptr))
			WRITE_ONCE(known[i], NULL);
	mutex_unlock(&lock);
	return NOTIFY_DONE;
}

static struct notifier_block module_nb = {
	.notifier_call = module_event,
};

/**
 * cni_nf_init - get ready to know hooks
 *
 * Return: 0 or an error.
 */
int cni_nf_init(void)
{
	int err;

	cut = alloc_skb(sizeof(struct iphdr), GFP_KERNEL);
	if (!cut)
		return -ENOMEM;
	skb_reset_network_header(cut);
	memset(cut->data, 0, sizeof(struct iphdr));
	ip_hdr(cut)->ihl = 5;
	err = register_module_notifier(&module_nb);
	if (err)
		consume_skb(cut);
	return err;
}

/**
 * cni_nf_exit - know no hooks any more
 */
void cni_nf_exit(void)
{
	unregister_module_notifier(&module_nb);
	consume_skb(cut);
}
