#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Ports and links whose devices lie in several namespaces.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
need_root_in_vm

topology_up || exit 1
CNICTL=$CNICTL exec /usr/bin/python3 "$here/netns.py"
