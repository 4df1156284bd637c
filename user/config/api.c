// SPDX-License-Identifier: GPL-2.0
/* What Cloudflare's API tells of links and tunnels, out of its JSON. */
#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>

#include "base/out.h"
#include "config/api.h"

struct parser {
	const char *name;
	char *why;
	size_t why_size;
	struct api *api;
	char what[160];			/* that is being read */
};

static int __attribute__((format(printf, 2, 3)))
refuse(struct parser *p, const char *fmt, ...)
{
	char where[PATH_MAX + sizeof(p->what)];
	va_list ap;

	snprintf(where, sizeof(where), "%s%s%s", p->name,
		 *p->what ? ": " : "", p->what);
	va_start(ap, fmt);
	out_refuse(p->why, p->why_size, where, fmt, ap);
	va_end(ap);
	return -1;
}

/* A member; null, which the API writes for "none", is like one that's missing. */
static json_t *member(json_t *o, const char *key)
{
	json_t *v = json_object_get(o, key);

	return json_is_null(v) ? NULL : v;
}

/* @s: NULL where there is none. An empty string counts as none. */
static int get_string(struct parser *p, json_t *o, const char *key,
		      const char **s)
{
	json_t *v = member(o, key);

	*s = NULL;
	if (!v)
		return 0;
	if (!json_is_string(v))
		return refuse(p, "%s isn't a string", key);
	*s = json_string_value(v);
	if (!**s)
		*s = NULL;
	return 0;
}

static int get_name(struct parser *p, json_t *o, const char *key, char *name)
{
	const char *s;

	if (get_string(p, o, key, &s))
		return -1;
	if (s && strlen(s) >= API_NAME)
		return refuse(p, "%s '%.80s...' is longer than %d characters",
			      key, s, API_NAME - 1);
	strcpy(name, s ? s : "");
	return 0;
}

static int get_number(struct parser *p, json_t *o, const char *key,
		      json_int_t max, json_int_t *n)
{
	json_t *v = member(o, key);

	*n = 0;
	if (!v)
		return 0;
	if (!json_is_integer(v))
		return refuse(p, "%s isn't a whole number", key);
	*n = json_integer_value(v);
	if (*n < 0 || *n > max)
		return refuse(p, "%s %" JSON_INTEGER_FORMAT " is out of range: 0 to %" JSON_INTEGER_FORMAT,
			      key, *n, max);
	return 0;
}

static int take_addr(struct parser *p, const char *key, const char *s,
		     bool prefix, struct addr *a)
{
	enum addr_error e = prefix ? addr_parse_prefix(s, a) :
				     addr_parse(s, a);
	const char *bad = e ? addr_strerror(e) : addr_host_problem(a);

	return bad ? refuse(p, "%s '%.80s' %s", key, s, bad) : 0;
}

/* @family: 0 for either. */
static int get_addr(struct parser *p, json_t *o, const char *key, bool prefix,
		    int family, struct addr *a)
{
	const char *s;

	memset(a, 0, sizeof(*a));
	if (get_string(p, o, key, &s))
		return -1;
	if (!s)
		return 0;
	if (take_addr(p, key, s, prefix, a))
		return -1;
	if (family && a->family != family)
		return refuse(p, "%s '%s' isn't an IPv%d address", key, s,
			      family == AF_INET ? 4 : 6);
	return 0;
}

static int other_end(struct parser *p, const char *key, const struct addr *a,
		     struct addr *other)
{
	const char *bad;

	*other = addr_other(a);
	bad = addr_pair_problem(a, other);
	if (bad)
		return refuse(p, "%s %s isn't one end of a link: the two ends %s",
			      key, addr_prefix_str(a), bad);
	return 0;
}

static int get_interface(struct parser *p, json_t *o, const char *key,
			 int family, struct api_pair *pair)
{
	struct addr *told = &pair->cloudflare, *other = &pair->ours;

	if (p->api->interface_is_ours) {
		told = &pair->ours;
		other = &pair->cloudflare;
	}
	if (get_addr(p, o, key, true, family, told))
		return -1;
	return told->family ? other_end(p, key, told, other) : 0;
}

static int take_extra(struct parser *p, json_t *list, struct api_bgp *b)
{
	struct addr a, net;
	const char *s;
	size_t i;

	if (!json_is_array(list))
		return refuse(p, "bgp.extra_prefixes isn't a list");
	for (i = 0; i < json_array_size(list); i++) {
		s = json_string_value(json_array_get(list, i));
		if (!s)
			return refuse(p, "bgp.extra_prefixes[%zu] isn't a string",
				      i);
		if (addr_parse_prefix(s, &a))
			return refuse(p, "bgp.extra_prefixes '%.80s' isn't a prefix",
				      s);
		net = addr_network(&a);
		if (!addr_same(&net, &a))
			return refuse(p, "bgp.extra_prefixes '%s' has bits set beyond its length",
				      s);
		b->extra = xrealloc(b->extra, (b->n_extra + 1) * sizeof(a));
		b->extra[b->n_extra++] = a;
	}
	return 0;
}

static int get_bgp(struct parser *p, json_t *o, struct api_bgp *b)
{
	json_t *bgp = member(o, "bgp"), *extra;
	const char *key;
	json_int_t n;
	size_t i;

	if (!bgp)
		return 0;
	if (!json_is_object(bgp))
		return refuse(p, "bgp isn't an object");
	if (get_number(p, bgp, "customer_asn", UINT32_MAX, &n) ||
	    get_string(p, bgp, "md5_key", &key))
		return -1;
	for (i = 0; key && key[i]; i++)
		if ((unsigned char)key[i] < ' ' || key[i] == 0x7f)
			return refuse(p, "bgp.md5_key has a control character in it");
	b->customer_as = n;
	b->md5_key = key ? xstrdup(key) : NULL;
	extra = member(bgp, "extra_prefixes");
	return extra ? take_extra(p, extra, b) : 0;
}

static int get_word(struct parser *p, json_t *o, const char *key,
		    const char *first, const char *second, bool *is_second,
		    bool *told)
{
	const char *s;

	if (get_string(p, o, key, &s))
		return -1;
	*told = s;
	*is_second = s && !strcmp(s, second);
	if (s && strcmp(s, first) && !*is_second)
		return refuse(p, "health_check.%s '%.40s' isn't %s or %s", key,
			      s, first, second);
	return 0;
}

/* A string, or with a header that asks for it what was set and what counts. */
static int get_target(struct parser *p, json_t *h, struct addr *a)
{
	json_t *v = member(h, "target");
	const char *s;

	if (!v)
		return 0;
	if (json_is_string(v))
		return get_addr(p, h, "target", false, 0, a);
	if (!json_is_object(v))
		return refuse(p, "health_check.target is neither a string nor an object");
	if (get_string(p, v, "effective", &s) ||
	    (!s && get_string(p, v, "saved", &s)))
		return -1;
	return s ? take_addr(p, "health_check.target", s, false, a) : 0;
}

static int get_health(struct parser *p, json_t *o, struct api_tunnel *t)
{
	json_t *h = member(o, "health_check"), *enabled;
	bool told;

	if (!h)
		return 0;
	if (!json_is_object(h))
		return refuse(p, "health_check isn't an object");
	enabled = member(h, "enabled");
	if (enabled && !json_is_boolean(enabled))
		return refuse(p, "health_check.enabled is neither true nor false");
	t->health = !enabled || json_is_true(enabled);
	if (get_word(p, h, "type", "reply", "request", &t->request, &told) ||
	    get_word(p, h, "direction", "bidirectional", "unidirectional",
		     &t->unidirectional, &t->direction_told))
		return -1;
	/* The API's own default. */
	if (!t->direction_told)
		t->unidirectional = true;
	return get_target(p, h, &t->target);
}

static struct api_link *add_link(struct parser *p)
{
	struct api *a = p->api;

	a->links = xrealloc(a->links, (a->n_links + 1) * sizeof(*a->links));
	memset(&a->links[a->n_links], 0, sizeof(*a->links));
	return &a->links[a->n_links++];
}

static int take_cni(struct parser *p, json_t *o)
{
	struct api_link *l = add_link(p);
	const char *bad;

	if (get_name(p, o, "id", l->id))
		return -1;
	snprintf(p->what, sizeof(p->what), "CNI %s",
		 *l->id ? l->id : "without an id");
	if (json_is_object(member(o, "magic")) &&
	    get_name(p, member(o, "magic"), "conduit_name", l->name))
		return -1;
	if (get_addr(p, o, "cust_ip", true, 0, &l->v4.ours) ||
	    get_addr(p, o, "p2p_ip", true, 0, &l->v4.cloudflare))
		return -1;
	if (!l->v4.ours.family || !l->v4.cloudflare.family)
		return refuse(p, "%s is missing: both cust_ip (yours) and p2p_ip (Cloudflare's) are needed",
			      l->v4.ours.family ? "p2p_ip" : "cust_ip");
	bad = addr_pair_problem(&l->v4.ours, &l->v4.cloudflare);
	if (bad)
		return refuse(p, "cust_ip %s and p2p_ip %s %s",
			      addr_prefix_str(&l->v4.ours),
			      addr_prefix_str(&l->v4.cloudflare), bad);
	if (l->v4.ours.family == AF_INET6) {
		l->v6 = l->v4;
		memset(&l->v4, 0, sizeof(l->v4));
	}
	return get_bgp(p, o, &l->bgp);
}

/* One without a GRE endpoint is the link itself, of dataplane v2. */
static int take_plain(struct parser *p, json_t *o, const char *name)
{
	struct api_link *l = add_link(p);

	strcpy(l->name, name);
	l->plain = true;
	if (get_name(p, o, "id", l->id) ||
	    get_interface(p, o, "interface_address", AF_INET, &l->v4) ||
	    get_interface(p, o, "interface_address6", AF_INET6, &l->v6))
		return -1;
	return get_bgp(p, o, &l->bgp);
}

static int take_tunnel(struct parser *p, json_t *o, bool interconnect)
{
	struct api *a = p->api;
	json_t *ends = interconnect ? member(o, "gre") : o;
	struct api_tunnel *t;
	const char *endpoint;
	json_int_t mtu, ttl;
	char name[API_NAME];

	if (get_name(p, o, "name", name))
		return -1;
	snprintf(p->what, sizeof(p->what), "%s '%s'",
		 interconnect ? "interconnect" : "GRE tunnel", name);
	if (ends && !json_is_object(ends))
		return refuse(p, "gre isn't an object");
	if (interconnect &&
	    get_string(p, ends, "cloudflare_endpoint", &endpoint))
		return -1;
	if (interconnect && !endpoint)
		return take_plain(p, o, name);
	a->tunnels = xrealloc(a->tunnels,
			      (a->n_tunnels + 1) * sizeof(*a->tunnels));
	t = &a->tunnels[a->n_tunnels++];
	memset(t, 0, sizeof(*t));
	strcpy(t->name, name);
	t->interconnect = interconnect;
	if (get_addr(p, ends, interconnect ? "cloudflare_endpoint" :
					     "cloudflare_gre_endpoint",
		     false, 0, &t->cloudflare) ||
	    (!interconnect && get_addr(p, o, "customer_gre_endpoint", false, 0,
				       &t->ours)))
		return -1;
	if (!t->cloudflare.family || (!interconnect && !t->ours.family))
		return refuse(p, "%s is missing", t->cloudflare.family ?
			      "customer_gre_endpoint" :
			      "cloudflare_gre_endpoint");
	if (t->ours.family && t->ours.family != t->cloudflare.family)
		return refuse(p, "its endpoints %s and %s are of different IP versions",
			      addr_str(&t->ours), addr_str(&t->cloudflare));
	if (addr_same(&t->ours, &t->cloudflare))
		return refuse(p, "both endpoints are %s", addr_str(&t->ours));
	if (get_interface(p, o, "interface_address", AF_INET, &t->v4) ||
	    get_interface(p, o, "interface_address6", AF_INET6, &t->v6) ||
	    get_number(p, o, "mtu", 65535, &mtu) ||
	    get_number(p, o, "ttl", 255, &ttl))
		return -1;
	t->mtu = mtu;
	t->ttl = ttl;
	return get_health(p, o, t) ? -1 : get_bgp(p, o, &t->bgp);
}

/* What the API says went wrong: "CODE: MESSAGE; ...". */
static int refuse_errors(struct parser *p, json_t *o)
{
	json_t *list = member(o, "errors"), *e;
	char text[400] = "";
	const char *s;
	size_t i, n = 0;

	for (i = 0; i < json_array_size(list); i++) {
		e = json_array_get(list, i);
		s = json_string_value(member(e, "message"));
		if (n < sizeof(text))
			n += snprintf(text + n, sizeof(text) - n,
				      "%s%.200s (code %" JSON_INTEGER_FORMAT ")",
				      n ? "; " : "", s ? s : "no message",
				      json_integer_value(member(e, "code")));
	}
	p->what[0] = '\0';
	return refuse(p, "that is no set-up, the API answered with an error: %s",
		      *text ? text : "it doesn't say which");
}

/* The lists and the single ones, by the names they have in answers. */
static const char *const holders[] = {
	"items", "cnis", "gre_tunnels", "gre_tunnel", "modified_gre_tunnel",
	"modified_gre_tunnels", "interconnects", "interconnect",
	"modified_interconnect", "modified_interconnects",
};

static void look_for_more(struct parser *p, json_t *o)
{
	json_t *info = member(o, "result_info");

	if (member(o, "next") ||
	    json_integer_value(member(info, "total_pages")) > 1)
		p->api->partial = true;
}

/* @result: the answer itself, or else what is around it. */
static int walk(struct parser *p, json_t *v, bool result)
{
	json_t *inner;
	size_t i;

	if (json_is_array(v)) {
		for (i = 0; i < json_array_size(v); i++)
			if (walk(p, json_array_get(v, i), true))
				return -1;
		return 0;
	}
	p->what[0] = '\0';
	if (!json_is_object(v))
		return refuse(p, "that isn't what Cloudflare's API returns: an object or a list of objects is");
	if (json_is_false(json_object_get(v, "success")))
		return refuse_errors(p, v);
	look_for_more(p, v);
	if (!result && json_object_get(v, "result")) {
		inner = member(v, "result");
		return inner ? walk(p, inner, true) : refuse_errors(p, v);
	}
	for (i = 0; i < sizeof(holders) / sizeof(holders[0]); i++) {
		inner = member(v, holders[i]);
		/* A CNI names its interconnect. */
		if (json_is_array(inner) || json_is_object(inner))
			return walk(p, inner, true);
	}
	if (member(v, "p2p_ip") || member(v, "cust_ip"))
		return take_cni(p, v);
	if (member(v, "cloudflare_gre_endpoint") ||
	    member(v, "customer_gre_endpoint"))
		return take_tunnel(p, v, false);
	if (member(v, "cloudflare_endpoint") || member(v, "psk_metadata"))
		return refuse(p, "'%.60s' is an IPsec tunnel: only GRE tunnels can be taken",
			      json_string_value(member(v, "name")) ?: "?");
	if (member(v, "interface_address"))
		return take_tunnel(p, v, true);
	return refuse(p, "that is no CNI, GRE tunnel or interconnect: what the API returns for cni/cnis, magic/gre_tunnels or magic/cf_interconnects is wanted");
}

bool api_looks_like(const char *text)
{
	static const char blanks[] = " \t\r\n\v\f";

	/* Some editors begin a file with a byte order mark. */
	if (!strncmp(text, "\xef\xbb\xbf", 3))
		text += 3;
	text += strspn(text, blanks);
	if (*text != '{' && *text != '[')
		return false;
	/* Not "[External] ..." or "{panel}": mails begin so, too. */
	text++;
	text += strspn(text, blanks);
	return !*text || strchr("{[\"]}", *text);
}

int api_parse(const char *text, size_t len, const char *name, struct api *a,
	      char *why, size_t why_size)
{
	struct parser p = {
		.name = name, .why = why, .why_size = why_size, .api = a,
	};
	unsigned int had = a->n_links + a->n_tunnels;
	json_error_t e;
	json_t *root;
	int rc;

	if (len >= 3 && !strncmp(text, "\xef\xbb\xbf", 3)) {
		text += 3;
		len -= 3;
	}
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
	if (!root) {
		snprintf(why, why_size, "%s:%d: that isn't right JSON: %s",
			 name, e.line, e.text);
		return -1;
	}
	rc = walk(&p, root, false);
	json_decref(root);
	if (rc || a->n_links + a->n_tunnels > had)
		return rc;
	p.what[0] = '\0';
	return refuse(&p, "the list in it is empty");
}

static void free_bgp(struct api_bgp *b)
{
	free(b->md5_key);
	free(b->extra);
}

void api_free(struct api *a)
{
	unsigned int i;

	for (i = 0; i < a->n_links; i++)
		free_bgp(&a->links[i].bgp);
	for (i = 0; i < a->n_tunnels; i++)
		free_bgp(&a->tunnels[i].bgp);
	free(a->links);
	free(a->tunnels);
}
