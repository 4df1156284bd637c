#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The MSS clamp of a tunnel and of a port: the same bytes as nft's, on both paths and ways.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
need_root_in_vm

topology_up && module_load || exit 1
CNICTL=$CNICTL exec /usr/bin/python3 "$here/mss.py"
