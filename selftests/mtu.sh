#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tunnels whose MTU doesn't fit the link: said so, and the same packets.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
need_root_in_vm

topology_up && module_load || exit 1
CNICTL=$CNICTL exec /usr/bin/python3 "$here/mtu.py"
