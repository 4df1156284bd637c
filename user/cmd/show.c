// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>

#include "base/out.h"
#include "base/usage.h"
#include "cmd/verbs.h"
#include "module/show.h"

int verb_show(int argc, char **argv)
{
	enum show_style style = SHOW_DETAILED;
	const char *what = "";
	struct cni c;
	int i, rc;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-br") || !strcmp(argv[i], "--brief"))
			style = SHOW_BRIEF;
		else if (!strcmp(argv[i], "--dump"))
			style = SHOW_DUMP;
		else if (*argv[i] == '-')
			return usage("show", "there is no option '%s'",
				     argv[i]);
		else if (*what)
			return usage("show", "one kind at most");
		else
			what = argv[i];
	}
	if (*what && strcmp(what, "link") && strcmp(what, "tunnel") &&
	    strcmp(what, "port") && strcmp(what, "route") &&
	    strcmp(what, "status"))
		return usage("show", "there is nothing called '%s'", what);
	rc = cni_open(&c);
	if (rc == -ENOENT)
		cni_say_missing();
	if (rc)
		return RC_FAILED;
	if (!strcmp(what, "link"))
		rc = show_links(&c, 0, style);
	else if (!strcmp(what, "tunnel"))
		rc = show_tunnels(&c, 0, style);
	else if (!strcmp(what, "port"))
		rc = show_ports(&c, 0, style);
	else if (!strcmp(what, "route"))
		rc = show_routes(&c, style);
	else if (!strcmp(what, "status"))
		rc = show_module(&c, style);
	else
		rc = show_all(&c, style);
	cni_close(&c);
	return rc;
}
