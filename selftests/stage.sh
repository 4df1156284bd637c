#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the stack itself sends into the tunnel, of this host or forwarded behind
# a firewall: the same bytes, counters and connections with the output stage as
# without, and everything on its way is seen to step aside for.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
need_root_in_vm

modprobe -a act_gact cls_matchall sch_ingress nf_conntrack_netlink nft_ct \
	nft_masq 2>/dev/null
topology_up || exit 1
exec /usr/bin/python3 -S "$here/stage.py"
