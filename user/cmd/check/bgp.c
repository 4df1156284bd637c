// SPDX-License-Identifier: GPL-2.0
/* The sessions with Cloudflare, and what comes by them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/out.h"
#include "cmd/check/check.h"

static const struct bgpd_session *session_of(const struct check *k,
					    const struct addr *peer)
{
	unsigned int i;

	for (i = 0; i < k->bgpd.n; i++)
		if (addr_same(&k->bgpd.sessions[i].peer, peer))
			return &k->bgpd.sessions[i];
	return NULL;
}

/* One in the place of @p's that carries its family of prefixes. */
static const struct bgpd_session *carrier_of(const struct check *k,
					     const struct bgpd_peer *p)
{
	const struct bgpd_session *s;
	unsigned int i;

	for (i = 0; i < k->n_bgp_peers; i++) {
		if (k->bgpd_peers[i].tunnel != p->tunnel)
			continue;
		s = session_of(k, &k->bgpd_peers[i].addr);
		if (s && s->established && s->fam[p->v].on)
			return s;
	}
	return NULL;
}

/*
 * Segments with a bad MD5 signature are dropped without a word, so that the
 * session only looks silent; but they are counted.
 */
static const char *md5_words(const struct md5 *m)
{
	if (m->wrong)
		return "the MD5 password isn't Cloudflare's";
	if (m->missing)
		return "you set an MD5 password, Cloudflare didn't";
	if (m->unexpected)
		return "Cloudflare set an MD5 password, you didn't";
	return NULL;
}

static bool explain_md5(struct check *k, struct line *l,
			const struct bgpd_session *s)
{
	struct md5 late = {
		k->md5_now.missing - k->md5_then.missing,
		k->md5_now.unexpected - k->md5_then.unexpected,
		k->md5_now.wrong - k->md5_then.wrong,
	};
	const char *now = md5_words(&late), *ever = md5_words(&k->md5_now);

	/* What was dropped at any time tells where nothing else does. */
	if (!now && (!ever || (*s->error && !strcasestr(s->error, "socket") &&
			       !strcasestr(s->error, "timer"))))
		return false;
	line_fail(l, "%s: the session with %s is %s: %s (segments were dropped for that%s)",
		  k->bgpd.daemon->name, addr_str(&s->peer), s->state,
		  now ? now : ever, now ? " just now" : "");
	line_hint(l, "compare the password in %s's configuration with the one that you agreed on with Cloudflare",
		  k->bgpd.daemon->name);
	return true;
}

static bool explain_as(struct check *k, struct line *l,
		       const struct bgpd_session *s)
{
	bool theirs;

	if (!strcasestr(s->error, "bad peer as"))
		return false;
	/* Who sent the notification? */
	theirs = strcasestr(s->error, "received");
	if (theirs) {
		line_fail(l, "%s: the session with %s is %s: Cloudflare expects another AS than your %u",
			  k->bgpd.daemon->name, addr_str(&s->peer), s->state,
			  s->local_as);
		line_hint(l, "compare your AS number in %s's configuration with the one that Cloudflare has for you",
			  k->bgpd.daemon->name);
	} else {
		line_fail(l, "%s: the session with %s is %s: the other side's AS isn't %u, which you configured for it",
			  k->bgpd.daemon->name, addr_str(&s->peer), s->state,
			  s->peer_as);
		line_hint(l, "Cloudflare is AS 13335, unless your account has a private number");
	}
	return true;
}

static void explain(struct check *k, struct line *l,
		    const struct bgpd_session *s)
{
	const char *daemon = k->bgpd.daemon->name;

	if (s->disabled) {
		line_fail(l, "%s: the session with %s is switched off",
			  daemon, addr_str(&s->peer));
		line_hint(l, !strcmp(daemon, "BIRD") ?
			  "birdc enable %s" :
			  "no neighbor %s shutdown", s->name);
		return;
	}
	if (explain_as(k, l, s) || explain_md5(k, l, s))
		return;
	if (*s->error) {
		line_fail(l, "%s: the session with %s is %s; last error: %s",
			  daemon, addr_str(&s->peer), s->state, s->error);
		if (md5_words(&k->md5_now))
			line_hint(l, "since the system started TCP has dropped segments for their MD5 signature: if that was of late, %s",
				  md5_words(&k->md5_now));
		if (strcasestr(s->error, "refused"))
			line_hint(l, "nobody listens on TCP port 179 there: has Cloudflare enabled the session yet?");
		return;
	}
	line_fail(l, "%s: the session with %s is %s: no answer so far", daemon,
		  addr_str(&s->peer), s->state);
	line_hint(l, "has Cloudflare enabled it, with an MD5 password that you don't have? does a firewall here drop TCP port 179?");
}

static bool all_established(const struct check *k)
{
	unsigned int i;

	for (i = 0; i < k->bgpd.n; i++)
		if (!k->bgpd.sessions[i].established)
			return false;
	return true;
}

static void one_session(struct check *k, struct line *l,
			const struct bgpd_peer *p)
{
	const struct bgpd_session *s = session_of(k, &p->addr);
	const struct bgpd_session *other = carrier_of(k, p);

	if (s && s->established) {
		line_pass(l, "%s: the session with %s, AS %u, is established",
			  k->bgpd.daemon->name, addr_str(&s->peer), s->peer_as);
	} else if (!s && other) {
		line_pass(l, "%s: IPv%c comes by the session with %s",
			  k->bgpd.daemon->name, p->v == V4 ? '4' : '6',
			  addr_str(&other->peer));
	} else if (!s) {
		line_fail(l, "%s has no session with %s", k->bgpd.daemon->name,
			  addr_str(&p->addr));
		line_hint(l, "cnictl bgp-config %s %s writes one",
			  k->bgpd.daemon == &bgpd_bird ? "bird" : "frr",
			  k->c->file);
	} else if (!p->tunnel ||
		   !line_waits(k, l, check_inside_name("ping", p->v,
						       p->tunnel))) {
		explain(k, l, s);
	}
}

static void add_peer(struct check *k, int v, const struct config_tunnel *t,
		     struct addr a)
{
	struct bgpd_peer *p = &k->bgpd_peers[k->n_bgp_peers];

	if (!a.family || k->n_bgp_peers == BGPD_SESSIONS)
		return;
	k->n_bgp_peers++;
	snprintf(p->line, sizeof(p->line), "%s",
		 t ? check_inside_name("bgp", v, t) : check_name("bgp", v));
	p->v = v;
	p->tunnel = t;
	p->addr = a;
}

/* Where the sessions are: on the link, and inside the tunnels. */
static void find_peers(struct check *k)
{
	const struct config *c = k->c;
	const struct config_tunnel *t;

	k->n_bgp_peers = 0;
	if (!c->bgp.no_link) {
		add_peer(k, V4, NULL, c->link.peer4);
		add_peer(k, V6, NULL, c->link.peer6);
	}
	if (!c->bgp.over_tunnels)
		return;
	for (t = c->tunnels; t < c->tunnels + c->n_tunnels; t++) {
		if (t->no_bgp)
			continue;
		add_peer(k, V4, t, check_far_end(t, V4));
		add_peer(k, V6, t, check_far_end(t, V6));
	}
}

void check_bgp(struct check *k)
{
	struct addr peers[BGPD_SESSIONS];
	const struct bgpd_peer *p;
	struct line *l;
	unsigned int i;

	find_peers(k);
	if (!config_has_bgp(k->c)) {
		k->bgpd_rc = -ENOENT;
		line_pass(line_add(k, "bgp"), "there is none, as configured");
		return;
	}
	for (i = 0; i < k->n_bgp_peers; i++)
		peers[i] = k->bgpd_peers[i].addr;
	k->bgpd_rc = bgpd_ask(k->bird, k->frr, peers, i, &k->bgpd);
	if (!k->bgpd_rc && !all_established(k)) {
		/* To see whether TCP drops segments for their MD5 */
		check_pause(k, k->interval);
		check_sample(k, &k->now);
	}
	for (i = 0; i < k->n_bgp_peers; i++) {
		p = &k->bgpd_peers[i];
		l = line_add(k, "%s", p->line);
		/* It lives for minutes after the cable is out. */
		if (p->tunnel ? check_waits_for_underlay(k, l, p->tunnel) :
		    line_waits(k, l, "device") ||
		    line_waits(k, l, "addresses") ||
		    line_waits(k, l, p->v == V4 ? "arp" : "nd"))
			continue;
		if (!k->bgpd_rc) {
			one_session(k, l, p);
			continue;
		}
		if (k->bgpd_rc == -ENOENT)
			line_unknown(l, "neither BIRD nor FRR answers here");
		else
			line_unknown(l, "%s doesn't answer: %s",
				     k->bgpd.daemon->name,
				     strerror(-k->bgpd_rc));
		line_hint(l, "is it running? --bird SOCKET or --frr INSTANCE say where to ask; other daemons' routes are checked all the same");
	}
}

/* Those of ours are rightly dropped when they come back. */
static bool is_ours(const struct check *k, const struct addr *a)
{
	unsigned int i;

	for (i = 0; i < k->c->bgp.n_announce; i++)
		if (addr_covers(&k->c->bgp.announce[i], a))
			return true;
	return false;
}

#define NAMED 3
#define LOOKED_AT 4096

/* False when nothing is dropped that should come in. */
static bool explain_filter(struct check *k, struct line *l, int v,
			   const struct bgpd_session *s)
{
	const char *where = k->bgpd.daemon == &bgpd_bird ? k->bird : k->frr;
	const struct bgpd_family *f = &s->fam[v];
	const char *name = *f->filter ? f->filter : "for the session";
	struct addr *list;
	char names[200] = "";
	int i, n, theirs = 0;

	if (!f->filtered)
		return false;
	if (f->filtered_is != BGPD_KEPT) {
		line_fail(l, "%s accepted, but %s dropped %s updates of Cloudflare's by its filter %s so far",
			  out_count(f->accepted), k->bgpd.daemon->name,
			  out_count(f->filtered), name);
		line_hint(l, "let all of Cloudflare's prefixes in, up to /24 and /48; with \"%s\" it is known which are dropped now",
			  k->bgpd.daemon->keep);
		return true;
	}
	list = xalloc(LOOKED_AT * sizeof(*list));
	n = k->bgpd.daemon->filtered(where, s, v == V4 ? AF_INET : AF_INET6,
				    list, LOOKED_AT);
	for (i = 0; i < n && i < LOOKED_AT; i++) {
		if (is_ours(k, &list[i]))
			continue;
		if (theirs++ < NAMED)
			snprintf(names + strlen(names),
				 sizeof(names) - strlen(names), "%s%s",
				 *names ? ", " : "", addr_prefix_str(&list[i]));
	}
	free(list);
	if (n >= 0 && !theirs)
		return false;
	line_fail(l, "%s accepted, but %s drops %s of Cloudflare's prefixes by its filter %s%s%s%s",
		  out_count(f->accepted), k->bgpd.daemon->name,
		  out_count(n < 0 || n > LOOKED_AT ? f->filtered :
			    (uint64_t)theirs), name, *names ? ": " : "",
		  names, theirs > NAMED ? ", ..." : "");
	line_hint(l, "let all of Cloudflare's prefixes in, up to /24 and /48");
	return true;
}

static void one_family(struct check *k, struct line *l, int v,
		       const struct bgpd_session *s)
{
	const struct bgpd_family *f = &s->fam[v];
	const char *daemon = k->bgpd.daemon->name;

	line_data(l, "accepted", json_integer(f->accepted));
	line_data(l, "announced", json_integer(f->announced));
	if (f->filtered_is != BGPD_UNTOLD)
		line_data(l, "filtered", json_integer(f->filtered));
	if (!f->on) {
		line_fail(l, "the session with %s carries no IPv%c",
			  addr_str(&s->peer), v == V4 ? '4' : '6');
		line_hint(l, "add the address family to it in %s's configuration; Cloudflare has to have it, too",
			  daemon);
		return;
	}
	if (f->policy_missing) {
		line_fail(l, "%s drops every prefix: there's no policy for those that come in",
			  daemon);
		line_hint(l, "give the neighbor a route-map in, or set \"no bgp ebgp-requires-policy\"");
		return;
	}
	if (f->limit_hit) {
		line_fail(l, "%s stopped at its limit of %s prefixes", daemon,
			  out_count(f->limit));
		line_hint(l, "Cloudflare publishes no number: raise the limit, and have it warn only");
		return;
	}
	if (explain_filter(k, l, v, s))
		return;
	if (!f->accepted) {
		line_fail(l, "no prefix came so far");
		if (*f->filter && f->filtered_is == BGPD_UNTOLD)
			line_hint(l, "does the filter %s let them in? with \"%s\" %s can tell",
				  f->filter, k->bgpd.daemon->keep, daemon);
		else
			line_hint(l, "does Cloudflare announce any on this session? ask your engineer there");
		return;
	}
	line_pass(l, "%s accepted, %s, %s announced", out_count(f->accepted),
		  f->filtered_is == BGPD_UNTOLD ?
		  "how many are filtered isn't told" : "none filtered",
		  out_count(f->announced));
}

static bool waits_for_session(struct check *k, struct line *l, int v)
{
	unsigned int i;

	for (i = 0; i < k->n_bgp_peers; i++)
		if (k->bgpd_peers[i].v == v &&
		    line_waits(k, l, k->bgpd_peers[i].line))
			return true;
	return false;
}

/* The session that is to bring a family's prefixes, or NULL. */
static const struct bgpd_session *session_for(const struct check *k, int v)
{
	const struct bgpd_session *s = NULL;
	const struct bgpd_peer *p;
	unsigned int i;

	for (i = 0; !s && i < k->n_bgp_peers; i++) {
		p = &k->bgpd_peers[i];
		if (p->v == v)
			s = carrier_of(k, p) ?: session_of(k, &p->addr);
	}
	return s;
}

void check_prefixes(struct check *k)
{
	const struct bgpd_session *s;
	unsigned int v, i;
	struct line *l;

	for (v = 0; v < 2; v++) {
		for (i = 0; i < k->n_bgp_peers; i++)
			if (k->bgpd_peers[i].v == (int)v)
				break;
		if (i == k->n_bgp_peers)
			continue;
		l = line_add(k, "%s", check_name("prefixes", v));
		s = k->bgpd_rc ? NULL : session_for(k, v);
		if (!s)
			line_unknown(l, "no BGP daemon answers here");
		if (!waits_for_session(k, l, v) && s)
			one_family(k, l, v, s);
	}
}

bool check_waits_for_bgp(struct check *k, struct line *l)
{
	return waits_for_session(k, l, V4) || waits_for_session(k, l, V6);
}

unsigned int check_announced(struct check *k, struct addr *list,
			     unsigned int max, unsigned int *n_sessions)
{
	const char *where = k->bgpd.daemon == &bgpd_bird ? k->bird : k->frr;
	unsigned int i, v, n = 0;
	const struct bgpd_session *s;
	int rc;

	*n_sessions = 0;
	for (i = 0; !k->bgpd_rc && i < k->bgpd.n; i++) {
		s = &k->bgpd.sessions[i];
		if (!s->established)
			continue;
		(*n_sessions)++;
		for (v = 0; v < 2; v++) {
			if (!s->fam[v].on)
				continue;
			rc = k->bgpd.daemon->announced(where, s, v == V4 ?
						      AF_INET : AF_INET6,
						      list + n, max - n);
			if (rc > 0)
				n += (unsigned int)rc < max - n ?
				     (unsigned int)rc : max - n;
		}
	}
	return n;
}
