/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_CONFIG_TEXT_H
#define CNICTL_CONFIG_TEXT_H

#include <stdbool.h>

/*
 * A configuration's text for libconfuse, for free(): without comments, and
 * with every string so that it means what is written there. What libconfuse
 * would take for something else, or what has no meaning, is printed as
 * "FILE:LINE: ..." instead; returns NULL then, or sets *@doubtful when the rest
 * can be looked at for more such things.
 */
char *config_text(const char *file, const char *text, bool *doubtful);

#endif
