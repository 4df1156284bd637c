#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Policy routing by source: every packet goes where the kernel's rules lead.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
need_root_in_vm

topology_up && extra_up && module_load || exit 1
exec /usr/bin/python3 "$here/rules.py"
