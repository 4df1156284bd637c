#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Checksums that were left to a device which the packet never gets to: a GRE
# header's, and a packet's own. What leaves is what the kernel sends.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
need_root_in_vm

modprobe ip6_gre 2>/dev/null
GRE=no topology_up || exit 1
exec /usr/bin/python3 "$here/checksum.py"
