// SPDX-License-Identifier: GPL-2.0
/* Options of a port: its flags, and the MSS clamp of what it sends. */
#include <stdio.h>
#include <string.h>
#include <linux/cnilink.h>

#include "module/names.h"
#include "module/portopts.h"
#include "module/tunopts.h"

bool portopts_same(const struct portopts *a, const struct portopts *b)
{
	return a->flags == b->flags && a->mss4 == b->mss4 &&
	       a->mss6 == b->mss6;
}

static const char *parse_mss(struct portopts *o, unsigned int mtu, char *value)
{
	char *words[] = { (char *)"mss", value };
	struct tunopts t = {};
	const char *bad;

	if (!mtu && !strcmp(value, "auto"))
		return "mss auto is what fits the tunnels, and there is none";
	bad = tunopts_parse(&t, mtu, 2, words);
	o->mss4 = t.mss4;
	o->mss6 = t.mss6;
	return bad;
}

const char *portopts_parse(struct portopts *o, unsigned int mtu, int argc,
			   char **argv)
{
	const char *bad = NULL;
	int i;

	for (i = 0; i < argc && !bad; i += 2) {
		char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (value && !strcmp(argv[i], "mss"))
			bad = parse_mss(o, mtu, value);
		else if (!strcmp(argv[i], "mss"))
			bad = "mss is auto, off or a number";
		else
			bad = names_flag_parse(port_flag_names,
					       n_port_flag_names, &o->flags,
					       argv[i], value);
	}
	return bad;
}

const char *portopts_str(const struct portopts *o)
{
	static char buf[256];
	unsigned int i;
	size_t n = 0;

	for (i = 0; i < n_port_flag_names; i++)
		n += snprintf(buf + n, sizeof(buf) - n, " %s %s",
			      port_flag_names[i].name,
			      o->flags & port_flag_names[i].value ?
			      "on" : "off");
	if (o->mss4)
		snprintf(buf + n, sizeof(buf) - n, " mss %u", o->mss4);
	else
		snprintf(buf + n, sizeof(buf) - n, " mss off");
	return buf;
}
