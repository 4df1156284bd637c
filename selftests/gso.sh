#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Datagrams that come in many to a packet: of one sender's UDP_SEGMENT, of GRO,
# and as lists of fragments. What arrives is as it is without the module.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
need_root_in_vm

topology_up || exit 1
exec /usr/bin/python3 -S "$here/gso.py"
