#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Ways out: the neighbours of many next hops, and devices without a carrier.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
need_root_in_vm

topology_up || exit 1
CNICTL=$CNICTL exec /usr/bin/python3 "$here/wayout.py"
