#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Nothing of the user's is bypassed, and every packet is accounted for.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
need_root_in_vm

topology_up && module_load || exit 1
exec /usr/bin/python3 "$here/invariants.py"
