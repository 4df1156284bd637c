#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What cnictl bgp-config prints for BIRD, in that of Debian 13.
here=$(cd "$(dirname "$0")/.." && pwd)
export CNI_ROOT=${CNI_KERNELS:-$here/../build/kernels}/trixie CNI_BGP=bird
[ -e "$CNI_ROOT" ] || {
	echo "1..0 # SKIP needs Debian 13's daemons: scripts/deps trixie"
	exit 4
}
exec "$here/cnictl/bgp.sh"
