#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The kernel's own netfilter hooks are known for what they are, and nobody
# else's is taken for one of them. yama/hooks and selinux/hooks are the same on
# kernels with other security modules than AppArmor.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
need_root_in_vm

modprobe -a bridge nft_ct nf_conntrack 2>/dev/null
topology_up || exit 1
export CNICTL
exec /usr/bin/python3 -S "$here/hooks.py"
