#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The VLAN IDs that frames arrive with and no link is configured to.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
need_root_in_vm

topology_up && module_load || exit 1
modprobe bonding
CNICTL=$CNICTL exec /usr/bin/python3 "$here/witness.py"
