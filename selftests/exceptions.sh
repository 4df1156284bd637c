#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Exceptions of single destinations, and routes that expire.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
need_root_in_vm

topology_up || exit 1
exec /usr/bin/python3 "$here/exceptions.py"
