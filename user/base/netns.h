/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CNICTL_NETNS_H
#define CNICTL_NETNS_H

#include <stdint.h>

/* Of the namespace of the socket @fd; no later one gets the same number. */
uint64_t netns_cookie(int fd);

#endif
