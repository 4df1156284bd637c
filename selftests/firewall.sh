#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Behind a firewall: what stands in the way is found once a softirq run, hooks
# that are of no use rest, and of a tunnel the outer packets alone can be given
# away.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
need_root_in_vm

modprobe -a nft_ct nf_conntrack 2>/dev/null
topology_up || exit 1
exec /usr/bin/python3 -S "$here/firewall.py"
