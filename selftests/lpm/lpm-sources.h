/* SPDX-License-Identifier: GPL-2.0 */
/* All of the prefix table, for tests that look inside. */
#include "lpm/pfx.c"
#include "lpm/set.c"
#include "lpm/mem.c"
#include "lpm/build.c"
#include "lpm/flat.c"
#include "lpm/deep4.c"
#include "lpm/deep6.c"
#include "lpm/api.c"
