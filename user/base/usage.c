// SPDX-License-Identifier: GPL-2.0
#include <stdarg.h>
#include <stdio.h>

#include "base/out.h"
#include "base/usage.h"

int usage(const char *verb, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	out_say("cnictl %s: %s; see cnictl %s --help", verb, text, verb);
	return RC_USAGE;
}
