#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The invariants that a tunnel over IPv6 has a part in.

export GRE=ip6gre
exec "$(dirname "$0")/invariants.sh"
