#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A virtual machine as a port: a tap, whose frames come with work left undone.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
need_root_in_vm

modprobe tun
GRE_OPTS="ttl 64 nopmtudisc ignore-df tos inherit" topology_up || exit 1
CNICTL=$CNICTL exec /usr/bin/python3 "$here/tap.py"
