#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The strict check of a port's sources: as rp_filter=1 and nft's fib do it.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
need_root_in_vm

topology_up && module_load || exit 1
CNICTL=$CNICTL exec /usr/bin/python3 "$here/source.py"
