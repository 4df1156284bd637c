/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_RUN_H
#define CNICTL_RUN_H

#include <stddef.h>

/*
 * Runs a program found by $PATH, without a shell, and keeps what it prints on
 * its standard output, and on the standard error too with @both. It is killed
 * after @timeout_ms. Returns its exit status, 127 when there is no such program,
 * 128 + N after a signal; or a negative errno. *out is for free(), ends with a
 * NUL, and is NULL after a negative errno only.
 */
int run_program(char *const argv[], int timeout_ms, int both, char **out);

#endif
