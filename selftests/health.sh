#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Cloudflare's tunnel health checks of all kinds are answered, whatever the
# kernel's routing and firewall think of them, and nothing else is.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
need_root_in_vm

topology_up && module_load || exit 1
exec /usr/bin/python3 "$here/health.py"
