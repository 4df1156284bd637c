#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Several gre devices that a packet could be for: the kernel's choice counts.
# Over IPv4, and over IPv6.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
need_root_in_vm

for GRE in gre ip6gre; do
	export GRE
	topology_up && module_load || exit 1
	/usr/bin/python3 "$here/twins.py" || failed=1
	topology_down
done
exit "${failed:-0}"
