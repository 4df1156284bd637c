/* SPDX-License-Identifier: GPL-2.0 */
/* All of the prefix table, for tests that look inside. */
#include "lpm/pfx.c"
#include "lpm/set.c"
#include "lpm/lpm.c"
