// SPDX-License-Identifier: GPL-2.0
/* What is said of a module that can't be loaded. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/test.h"

#include "kernel/module.h"

#define RUNNING "6.1.0-50-amd64"
#define NEWER "6.12.90+deb13-amd64"

#define FAULT(err, there, built, ...) \
	{ .error = err, .found = there, .built_for = built, \
	  .release = RUNNING, ##__VA_ARGS__ }

static const struct {
	struct module_fault f;
	const char *want;
} cases[] = {
	{ FAULT(-EKEYREJECTED, true, RUNNING),
	  "sign it with a key that mokutil has enrolled" },
	{ FAULT(-ENOKEY, true, RUNNING),
	  "sign it with a key that mokutil has enrolled" },
	{ FAULT(-EBADMSG, true, RUNNING),
	  "sign it with a key that mokutil has enrolled" },
	/* An unsigned one under lockdown. */
	{ FAULT(-EPERM, true, RUNNING, .locked_down = true),
	  "sign it with a key that mokutil has enrolled" },
	{ FAULT(-EPERM, true, RUNNING),
	  "that takes root, outside of a container" },
	{ FAULT(-EPERM, true, RUNNING, .disabled = true),
	  "sysctl kernel.modules_disabled is 1" },
	{ FAULT(-EPERM, true, RUNNING, .disabled = true, .locked_down = true),
	  "sysctl kernel.modules_disabled is 1" },
	{ FAULT(-ENOENT, false, ""),
	  "it isn't installed for this kernel, " RUNNING ": make install" },
	{ FAULT(-ENOENT, false, "", .gone = true),
	  "/lib/modules/" RUNNING ", are gone, as after an upgrade: restart" },
	/* A symbol that the kernel hasn't got. */
	{ FAULT(-ENOENT, true, NEWER),
	  "built for " NEWER ", and this kernel is " RUNNING ": build it" },
	{ FAULT(-ENOEXEC, true, NEWER),
	  "built for " NEWER ", and this kernel is " RUNNING ": build it" },
	{ FAULT(-EINVAL, true, RUNNING),
	  "other headers than this kernel's, " RUNNING },
	{ FAULT(-ENOEXEC, true, ""),
	  "other headers than this kernel's, " RUNNING },
	{ FAULT(-ECANCELED, true, RUNNING),
	  "\"install cnilink\" line in /etc/modprobe.d" },
	{ FAULT(-ENOSYS, true, RUNNING), "without loadable modules" },
	{ FAULT(-ENOMEM, true, RUNNING),
	  "dmesg tells more" },
};

static void test_remedy(void **state)
{
	const char *said;
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		said = module_remedy(&cases[i].f);
		if (!strstr(said, cases[i].want))
			fail_msg("error %d: \"%s\", not \"%s\"",
				 cases[i].f.error, said, cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_remedy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
