#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Requests of the netlink family: refusals, batches, transactions, dumps.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
need_root_in_vm

topology_up && module_load || exit 1
exec /usr/bin/python3 "$here/genl_test.py"
