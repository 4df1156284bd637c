/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_TEST_H
#define CNICTL_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#endif
