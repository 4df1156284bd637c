// SPDX-License-Identifier: GPL-2.0
/*
 * Walks a packet through the chains of hooks. Where a match can't be told, what
 * follows if it fits and what follows if not are both gone through; what they
 * have in common is sure all the same.
 */
#include <string.h>

#include "kernel/walk.h"

#define DEPTH 16	/* of jumps, as in the kernel */
#define STEPS 50000	/* rules; jumps may meet the same ones again */
/* Where connection tracking looks at a packet: before, it has no state. */
#define CONNTRACK -200

/* What a rule or chain can lead to */
#define TO_NEXT 1u	/* to the rule after it */
#define TO_RETURN 2u
#define TO_ACCEPT 4u
#define TO_DROP 8u
#define TO_END (TO_ACCEPT | TO_DROP)

/* What rules change of the packet for those after them */
struct state {
	uint8_t ct;
	uint32_t mark;
	bool any_mark, any_src, any_dst;
};

struct run {
	const struct ruleset *rs;
	const struct packet *p;
	struct packet now;	/* as it is at this hook */
	struct state st;
	struct state out;	/* where it was accepted so far */
	bool any_out;
	const struct chain *base;
	unsigned int depth, steps;
	bool sure;		/* that it gets here */
	bool ends_in_drop;	/* the last verdict that was sure */
	/* The first rules that can't be told, and what they may do */
	struct place may_accept, may_drop, may_return;
	struct place dropper;	/* the last one */
	struct walk *w;
};

static unsigned int walk_chain(struct run *r, const struct chain *c);

static struct place place(const struct run *r, const struct chain *c,
			  const struct rule *rule)
{
	return (struct place){ r->base, c, rule };
}

static void join(struct state *a, const struct state *b)
{
	a->ct |= b->ct;
	a->any_mark |= b->any_mark || a->mark != b->mark;
	a->any_src |= b->any_src;
	a->any_dst |= b->any_dst;
}

static void join_out(struct run *r)
{
	if (r->any_out)
		join(&r->out, &r->st);
	else
		r->out = r->st;
	r->any_out = true;
}

static void first(struct place *p, struct place here)
{
	if (!p->chain)
		*p = here;
}

/* What a statement makes of the packet, if the rule gets to it. */
static void change(struct run *r, struct state to, bool sure)
{
	if (sure)
		r->st = to;
	else
		join(&r->st, &to);
}

/* The packet with what has become of it, for a match to look at. */
static const struct packet *as_it_is(struct run *r)
{
	r->now.ct = r->st.ct;
	/* Before that there is no connection, which nft calls invalid. */
	if ((r->base->hook == HOOK_PREROUTING ||
	     r->base->hook == HOOK_OUTPUT) && r->base->prio < CONNTRACK)
		r->now.ct = r->st.ct == CT_UNTRACKED ? CT_UNTRACKED :
			    CT_INVALID | (r->st.ct & CT_UNTRACKED);
	r->now.mark = r->st.mark;
	r->now.any_mark = r->st.any_mark;
	r->now.translated = r->st.any_dst;
	if (r->st.any_src) {
		r->now.src.family = 0;
		r->now.sport = -1;
	}
	if (r->st.any_dst) {
		r->now.dst.family = 0;
		r->now.dport = -1;
	}
	return &r->now;
}

static void notrack(struct run *r, bool sure)
{
	struct state to = r->st;

	/* Later on it has an entry already. */
	if (r->base->prio >= CONNTRACK)
		return;
	to.ct = CT_UNTRACKED;
	change(r, to, sure);
}

static void mangle(struct run *r, const json_t *o, bool sure)
{
	const json_t *key = json_object_get(o, "key"), *m, *p;
	struct state to = r->st;
	const char *s;

	m = json_object_get(json_object_get(key, "meta"), "key");
	if (json_is_string(m) && !strcmp(json_string_value(m), "mark"))
		to.any_mark = !packet_number(json_object_get(o, "value"),
					     &to.mark);
	p = json_object_get(json_object_get(key, "payload"), "field");
	s = json_string_value(p) ?: "";
	to.any_src |= !strcmp(s, "saddr") || !strcmp(s, "sport");
	to.any_dst |= !strcmp(s, "daddr") || !strcmp(s, "dport");
	change(r, to, sure);
}

static unsigned int translate(struct run *r, const struct chain *c,
			      const struct rule *rule, bool sure)
{
	struct walk *w = r->w;
	struct state to = r->st;

	if (!w->nat.chain || (sure && !w->nat_sure)) {
		w->nat = place(r, c, rule);
		w->nat_sure = sure;
	}
	if (r->base->hook == HOOK_POSTROUTING || r->base->hook == HOOK_INPUT)
		to.any_src = true;
	else
		to.any_dst = true;
	r->st = to;
	join_out(r);
	return TO_ACCEPT;
}

static unsigned int drop(struct run *r, const struct chain *c,
			 const struct rule *rule)
{
	r->dropper = place(r, c, rule);
	return TO_DROP;
}

static unsigned int jump(struct run *r, const struct chain *to, bool back,
			 bool sure)
{
	struct state before = r->st;
	bool was_sure = r->sure;
	unsigned int can;

	if (++r->depth > DEPTH) {
		r->w->why = "chains jump too deep";
		r->depth--;
		return TO_END | TO_NEXT;
	}
	r->sure = was_sure && sure;
	can = walk_chain(r, to);
	r->depth--;
	if (!sure)
		join(&r->st, &before);
	r->sure = was_sure;
	if (back && can & TO_RETURN)
		can = (can & ~TO_RETURN) | TO_NEXT;
	return can;
}

static bool is_one_of(const char *s, const char *const *list)
{
	while (*list && strcmp(*list, s))
		list++;
	return *list;
}

/* It may go on, be dropped, or be handed to who knows whom. */
static unsigned int unknowable(struct run *r, const struct chain *c,
			       const struct rule *rule)
{
	first(&r->may_drop, place(r, c, rule));
	first(&r->may_accept, place(r, c, rule));
	drop(r, c, rule);
	join_out(r);
	return TO_END | TO_NEXT;
}

/* A target of iptables', of which nft only has the name. */
static unsigned int target(struct run *r, const struct chain *c,
			   const struct rule *rule, const char *name, bool sure)
{
	static const char *const harmless[] = {
		"LOG", "NFLOG", "CONNMARK", "TCPMSS", "CLASSIFY", "CHECKSUM",
		"TRACE", "DSCP", "TOS", "SECMARK", "CONNSECMARK", "AUDIT", NULL
	};
	static const char *const nats[] = {
		"MASQUERADE", "SNAT", "DNAT", "REDIRECT", "NETMAP", NULL
	};
	struct state to = r->st;

	if (is_one_of(name, harmless))
		return TO_NEXT;
	if (is_one_of(name, nats))
		return translate(r, c, rule, sure);
	if (!strcmp(name, "REJECT"))
		return drop(r, c, rule);
	if (!strcmp(name, "MARK")) {
		to.any_mark = true;
		change(r, to, sure);
		return TO_NEXT;
	}
	if (!strcmp(name, "CT") || !strcmp(name, "NOTRACK")) {
		/* "CT --notrack", or to give it a zone or helper */
		notrack(r, sure && !strcmp(name, "NOTRACK"));
		return TO_NEXT;
	}
	return unknowable(r, c, rule);
}

/* What a verdict leads to; 0 if @o is none. */
static unsigned int verdict(struct run *r, const struct chain *c,
			    const struct rule *rule, const char *key,
			    const json_t *o, bool sure)
{
	static const char *const nats[] = {
		"masquerade", "snat", "dnat", "redirect", NULL
	};
	const char *name = json_string_value(json_object_get(o, "target"));
	const struct chain *to;

	if (!strcmp(key, "accept")) {
		join_out(r);
		return TO_ACCEPT;
	}
	if (!strcmp(key, "drop") || !strcmp(key, "reject"))
		return drop(r, c, rule);
	if (!strcmp(key, "return"))
		return TO_RETURN;
	if (is_one_of(key, nats))
		return translate(r, c, rule, sure);
	if (strcmp(key, "jump") && strcmp(key, "goto"))
		return 0;
	to = name ? ruleset_chain(r->rs, c, name) : NULL;
	if (!to)
		return target(r, c, rule, name ?: "", sure);
	return jump(r, to, !strcmp(key, "jump"), sure);
}

/* What @can happen by a rule, if it's so; else the packet goes on. */
static unsigned int settle(struct run *r, const struct chain *c,
			   const struct rule *rule, unsigned int can, bool fits)
{
	struct place here = place(r, c, rule);

	if (!fits) {
		if (can & TO_ACCEPT)
			first(&r->may_accept, here);
		if (can & TO_DROP)
			first(&r->may_drop, here);
		if (can & TO_RETURN)
			first(&r->may_return, here);
		can |= TO_NEXT;
	} else if (!(can & TO_NEXT)) {
		if (can == TO_DROP)
			r->ends_in_drop = true;
		else if (can == TO_ACCEPT)
			r->ends_in_drop = false;
	}
	return can;
}

/* {"drop": null}, of a verdict map */
static unsigned int verdict_of(struct run *r, const struct chain *c,
			       const struct rule *rule, const json_t *o,
			       bool sure)
{
	const json_t *v;
	const char *key;

	json_object_foreach((json_t *)o, key, v)
		return verdict(r, c, rule, key, v, sure) ?: TO_NEXT;
	return TO_NEXT;
}

static bool is_rest(const json_t *o)
{
	return json_is_string(o) && !strcmp(json_string_value(o), "*");
}

/* The value in {"elem": {"val": ..., "comment": ...}} */
static const json_t *member(const json_t *o)
{
	return json_object_get(json_object_get(o, "elem"), "val") ?: o;
}

/* The verdicts of a map that the packet may get */
struct picks {
	unsigned int can;	/* with TO_NEXT: one of them may go on */
	bool some;		/* one or another may be it, for all that's known */
};

static void pick(struct run *r, const struct chain *c, const struct rule *rule,
		 const json_t *o, bool sure, struct picks *p)
{
	unsigned int can = verdict_of(r, c, rule, o, sure && r->sure);

	p->can |= can;
	p->some |= !sure;
	settle(r, c, rule, can, sure);
}

static unsigned int verdict_map(struct run *r, const struct chain *c,
				const struct rule *rule, const json_t *map,
				bool fits)
{
	const json_t *key = json_object_get(map, "key"), *pair, *other = NULL;
	const json_t *data = json_object_get(map, "data"), *val, *list;
	const char *name = json_string_value(data);
	const struct named *named = NULL;
	struct picks p = {};
	enum tri t;
	size_t i;

	if (packet_lacks(as_it_is(r), key))
		return TO_NEXT;
	if (name && *name == '@')
		named = ruleset_named(r->rs, c, name + 1);
	list = named ? named->elem : json_object_get(data, "set");
	if (!list || (named && named->changes))
		fits = false;
	json_array_foreach(list, i, pair) {
		val = member(json_array_get(pair, 0));
		if (is_rest(val)) {
			other = json_array_get(pair, 1);
			continue;
		}
		t = packet_is(as_it_is(r), r->rs, c, key, val);
		if (t == TRI_NO)
			continue;
		pick(r, c, rule, json_array_get(pair, 1),
		     fits && !p.some && t == TRI_YES, &p);
		if (t == TRI_YES)
			return p.can | (fits ? 0 : TO_NEXT);
	}
	/* What no other member is, is that for sure only if none may be. */
	if (other)
		pick(r, c, rule, other, fits && !p.some, &p);
	return p.can | (other && fits ? 0 : TO_NEXT);
}

/* Statements after which the packet is what it was. */
static bool is_idle(const char *key)
{
	static const char *const idle[] = {
		"counter", "log", "ct helper", "ct timeout", "ct expectation",
		"flow", "last", "map", "continue", "secmark", NULL
	};

	return is_one_of(key, idle);
}

/* Those by which a rule may end, depending on what was before. */
static bool is_limit(const char *key)
{
	static const char *const limits[] = {
		"limit", "quota", "ct count", "meter", NULL
	};

	return is_one_of(key, limits);
}

static unsigned int statement(struct run *r, const struct chain *c,
			      const struct rule *rule, const char *key,
			      const json_t *o, enum tri *fits)
{
	bool yes = *fits == TRI_YES, sure = yes && r->sure;
	const char *name = json_string_value(json_object_get(o, "name"));
	const char *type = json_string_value(json_object_get(o, "type"));
	unsigned int can;

	if (is_idle(key))
		return TO_NEXT;
	if (!strcmp(key, "set") && !json_object_get(o, "stmt"))
		return TO_NEXT;
	if (is_limit(key) || !strcmp(key, "set")) {
		*fits = TRI_MAYBE;
		return TO_NEXT;
	}
	if (!strcmp(key, "notrack")) {
		notrack(r, yes);
		return TO_NEXT;
	}
	if (!strcmp(key, "mangle")) {
		mangle(r, o, yes);
		return TO_NEXT;
	}
	if (!strcmp(key, "xt") && type && !strcmp(type, "match")) {
		if (!name || strcmp(name, "comment"))
			*fits = TRI_MAYBE;
		return TO_NEXT;
	}
	if (!strcmp(key, "vmap"))
		return verdict_map(r, c, rule, o, yes);
	can = !strcmp(key, "xt") ? target(r, c, rule, name ?: "", sure) :
	      verdict(r, c, rule, key, o, sure);
	if (can)
		return settle(r, c, rule, can, yes);
	/* A queue, a proxy, or a word that is newer than this program */
	*fits = TRI_MAYBE;
	return unknowable(r, c, rule);
}

static unsigned int walk_rule(struct run *r, const struct chain *c,
			      const struct rule *rule)
{
	enum tri fits = TRI_YES, t;
	unsigned int can = TO_NEXT, one;
	const json_t *e, *o;
	const char *key;
	size_t i;

	json_array_foreach(rule->expr, i, e) {
		json_object_foreach((json_t *)e, key, o) {
			if (!strcmp(key, "match")) {
				t = packet_fits(as_it_is(r), r->rs, c, o);
				fits = t < fits ? t : fits;
				one = TO_NEXT;
			} else {
				one = statement(r, c, rule, key, o, &fits);
			}
			if (fits == TRI_NO)
				return can;
			if (one & TO_RETURN || one & TO_END)
				can |= one;
			/* After a verdict nothing of the rule is run. */
			if (!(one & TO_NEXT))
				return one | (can & ~TO_NEXT);
		}
	}
	return can;
}

static unsigned int walk_chain(struct run *r, const struct chain *c)
{
	unsigned int i, one, can = 0;
	struct state back;
	bool returns = false;

	for (i = 0; i < c->n; i++) {
		if (++r->steps > STEPS) {
			r->w->why = "there are too many rules to go through";
			return can | TO_END | TO_RETURN;
		}
		one = walk_rule(r, c, &c->rules[i]);
		if (one & TO_RETURN) {
			if (returns)
				join(&back, &r->st);
			else
				back = r->st;
			returns = true;
		}
		can |= one & ~TO_NEXT;
		if (!(one & TO_NEXT))
			break;
		if (one & ~TO_NEXT)
			r->sure = false;
	}
	if (i == c->n) {
		can |= TO_RETURN;
		if (returns)
			join(&r->st, &back);
	} else if (returns) {
		r->st = back;
	}
	return can;
}

/* Of a chain after which a packet may or may not be there. */
static struct place what_matters(const struct run *r)
{
	const struct place *order[3];
	unsigned int i;

	order[0] = r->ends_in_drop ? &r->may_accept : &r->may_drop;
	order[1] = &r->may_return;
	order[2] = r->ends_in_drop ? &r->may_drop : &r->may_accept;
	for (i = 0; i < 3; i++)
		if (order[i]->chain)
			return *order[i];
	return place(r, r->base, NULL);
}

/* Chains of translation get what begins a connection, and only that. */
static enum tri gets(const struct run *r, const struct chain *c)
{
	uint8_t begins = r->st.ct & (CT_NEW | CT_RELATED);

	return !c->nat || begins == r->st.ct ? TRI_YES :
	       begins ? TRI_MAYBE : TRI_NO;
}

/* False: it's dropped. */
static bool walk_base(struct run *r, const struct chain *c)
{
	struct walk *w = r->w;
	bool all = gets(r, c) == TRI_YES;
	unsigned int can;

	if (gets(r, c) == TRI_NO)
		return true;
	r->base = c;
	r->any_out = false;
	r->sure = all;
	memset(&r->may_accept, 0, sizeof(r->may_accept));
	memset(&r->may_drop, 0, sizeof(r->may_drop));
	memset(&r->may_return, 0, sizeof(r->may_return));
	if (!all)
		join_out(r);
	can = walk_chain(r, c) | (all ? 0 : TO_ACCEPT);
	if (can & TO_RETURN) {
		can |= c->drop ? TO_DROP : TO_ACCEPT;
		r->ends_in_drop = c->drop;
		if (c->drop)
			r->dropper = place(r, c, NULL);
		else
			join_out(r);
	}
	if (!(can & TO_ACCEPT)) {
		w->fate = FATE_DROPPED;
		w->at = r->dropper;
		w->hook = c->hook;
		return false;
	}
	if (can & TO_DROP && w->fate == FATE_PASSES) {
		w->fate = FATE_UNTOLD;
		w->at = what_matters(r);
		w->hook = c->hook;
	}
	r->st = r->out;
	return true;
}

/* Which devices a hook knows. */
static void enter(struct run *r, enum hook hook)
{
	r->now.iif = hook == HOOK_OUTPUT ? "" : r->p->iif;
	r->now.oif = hook == HOOK_PREROUTING || hook == HOOK_INPUT ? "" :
		     r->p->oif;
}

void walk(const struct ruleset *rs, const struct packet *p,
	  unsigned int hooks, struct walk *w)
{
	struct run r = {
		.rs = rs, .p = p, .now = *p, .w = w,
		.st = { .ct = p->ct, .mark = p->mark, .any_mark = p->any_mark },
	};
	const struct chain *c;
	enum hook h;

	*w = (struct walk){ .fate = FATE_PASSES };
	r.now.to_us = hooks & 1 << HOOK_INPUT;
	for (h = 0; h < HOOK_NONE; h++) {
		if (!(hooks & 1u << h))
			continue;
		enter(&r, h);
		for (c = rs->chains; c < rs->chains + rs->n_chains; c++)
			if (ruleset_meets(c, p->family, h) &&
			    !walk_base(&r, c))
				goto out;
	}
out:
	/* What was cut off could be anything. */
	if (w->why)
		w->fate = FATE_UNTOLD;
}
