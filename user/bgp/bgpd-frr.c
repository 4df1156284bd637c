// SPDX-License-Identifier: GPL-2.0
/* FRR, by vtysh, which speaks JSON. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>

#include "base/out.h"
#include "base/run.h"
#include "bgp/bgpd.h"

#define TIMEOUT_MS 10000

static const char *family_words(int family)
{
	return family == AF_INET ? "ipv4 unicast" : "ipv6 unicast";
}

/* @where: the instance, for vtysh -N. */
static json_t *show(const char *where, const char *command)
{
	char *argv[] = {
		"vtysh", "-c", (char *)command, NULL, NULL, NULL
	};
	char *text;
	json_t *root;
	int rc;

	if (where && *where) {
		argv[3] = "-N";
		argv[4] = (char *)where;
	}
	rc = run_program(argv, TIMEOUT_MS, 0, &text);
	if (rc) {
		free(text);
		errno = rc < 0 ? -rc : ENOENT;
		return NULL;
	}
	root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	if (!root)
		root = json_loads(text, 0, NULL);
	free(text);
	errno = EPROTO;
	return root;
}

static const char *str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static uint64_t num(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void take_family(struct bgpd_family *f, const json_t *o)
{
	static const char *const filters[] = {
		"routeMapForIncomingAdvertisements",
		"incomingUpdatePrefixFilterList", "incomingUpdateFilterList",
		"incomingUpdateNetworkFilterList",
	};
	unsigned int i;

	if (!o)
		return;
	f->on = true;
	f->accepted = num(o, "acceptedPrefixCounter");
	f->announced = num(o, "sentPrefixCounter");
	f->policy_missing = *str(o, "inboundEbgpRequiresPolicy");
	f->limit = num(o, "prefixAllowedMax");
	for (i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
		if (!*f->filter)
			snprintf(f->filter, sizeof(f->filter), "%s",
				 str(o, filters[i]));
}

/* It keeps what it filters only when told to ("soft-reconfiguration"). */
static void count_filtered(const char *where, struct bgpd_session *s,
			   int family, const json_t *o)
{
	struct bgpd_family *f = &s->fam[family == AF_INET6];
	char command[160];
	json_t *root;

	if (!o || !json_is_true(json_object_get(o, "inboundSoftConfigPermit")))
		return;
	snprintf(command, sizeof(command),
		 "show bgp %s neighbors %s received-routes json",
		 family_words(family), addr_str(&s->peer));
	root = show(where, command);
	if (!root)
		return;
	if (json_object_get(root, "totalPrefixCounter")) {
		f->filtered_is = BGPD_KEPT;
		f->filtered = num(root, "filteredPrefixCounter");
		if (!f->filtered && num(root, "totalPrefixCounter") >
		    f->accepted)
			f->filtered = num(root, "totalPrefixCounter") -
				      f->accepted;
	}
	json_decref(root);
}

static void take_session(const char *where, struct bgpd_session *s,
			 const char *name, const json_t *o)
{
	json_t *families = json_object_get(o, "addressFamilyInfo");
	json_t *v4 = json_object_get(families, "ipv4Unicast");
	json_t *v6 = json_object_get(families, "ipv6Unicast");
	const char *why;

	snprintf(s->name, sizeof(s->name), "%s", name);
	snprintf(s->state, sizeof(s->state), "%s", str(o, "bgpState"));
	s->established = !strcmp(s->state, "Established");
	s->disabled = json_is_true(json_object_get(o, "adminShutDown"));
	s->peer_as = num(o, "remoteAs");
	s->local_as = num(o, "localAs");
	why = str(o, "lastNotificationReason");
	if (*why)
		snprintf(s->error, sizeof(s->error), "%s: %s",
			 str(o, "lastResetDueTo"), why);
	else
		snprintf(s->error, sizeof(s->error), "%s",
			 str(o, "lastResetDueTo"));
	take_family(&s->fam[0], v4);
	take_family(&s->fam[1], v6);
	if (!s->established)
		return;
	count_filtered(where, s, AF_INET, v4);
	count_filtered(where, s, AF_INET6, v6);
}

static int ask(const char *where, const struct addr *peers,
	       unsigned int n_peers, struct bgpd *b)
{
	json_t *root = show(where, "show bgp neighbors json"), *o;
	struct bgpd_session *s;
	const char *name;
	struct addr a;

	if (!root)
		return -errno;
	json_object_foreach(root, name, o) {
		if (addr_parse(name, &a) || !bgpd_wanted(&a, peers, n_peers))
			continue;
		s = bgpd_add(b);
		if (!s)
			break;
		s->peer = a;
		take_session(where, s, name, o);
	}
	json_decref(root);
	return 0;
}

static int list_routes(const char *where, const struct bgpd_session *s,
		       int family, const char *which, const char *key,
		       struct addr *list, unsigned int max)
{
	char command[160];
	json_t *root, *o;
	const char *name;
	struct addr a;
	int n = 0;

	snprintf(command, sizeof(command),
		 "show bgp %s neighbors %s %s json", family_words(family),
		 addr_str(&s->peer), which);
	root = show(where, command);
	if (!root)
		return -errno;
	json_object_foreach(json_object_get(root, key), name, o) {
		if (addr_parse_prefix(name, &a) || a.family != family)
			continue;
		if ((unsigned int)n < max)
			list[n] = a;
		n++;
	}
	json_decref(root);
	return n;
}

static int announced(const char *where, const struct bgpd_session *s,
		     int family, struct addr *list, unsigned int max)
{
	return list_routes(where, s, family, "advertised-routes",
			   "advertisedRoutes", list, max);
}

static int filtered(const char *where, const struct bgpd_session *s,
		    int family, struct addr *list, unsigned int max)
{
	return list_routes(where, s, family, "filtered-routes",
			   "receivedRoutes", list, max);
}

const struct bgpd_daemon bgpd_frr = {
	"FRR", ask, announced, filtered, "soft-reconfiguration inbound"
};
