/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_METRICS_H
#define CNICTL_METRICS_H

#include <stdio.h>

/*
 * Writes every counter and state of the module as OpenMetrics text. RC_OK also
 * without the module, which the text then says; RC_FAILED with the reason
 * printed.
 */
int metrics_write(FILE *f);

#endif
