// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>

#include "base/out.h"
#include "base/usage.h"
#include "cmd/verbs.h"
#include "module/genl.h"
#include "module/names.h"

int verb_version(int argc, char **argv)
{
	struct cni_status status = { .xdp = -1 };
	json_t *root;
	struct cni c;
	int rc;

	(void)argv;
	if (argc > 1)
		return usage("version", "no arguments are taken");
	rc = cni_open(&c);
	if (!rc) {
		cni_status(&c, &status);
		cni_close(&c);
	}
	if (out_json) {
		root = json_object();
		json_object_set_new(root, "cnictl",
				    json_string(CNICTL_VERSION));
		json_object_set_new(root, "module", rc ? json_null() :
				    json_string(status.version));
		json_object_set_new(root, "xdp", rc ? json_null() :
				    json_string(names_xdp(status.xdp)));
		out_print(root);
		return RC_OK;
	}
	printf("cnictl %s\n", CNICTL_VERSION);
	if (rc)
		printf("module not loaded\n");
	else
		printf("module %s\nXDP %s\n", status.version,
		       names_xdp_advice(status.xdp));
	return RC_OK;
}
