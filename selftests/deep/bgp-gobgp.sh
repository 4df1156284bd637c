#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What cnictl bgp-config prints for BIRD, with GoBGP as Cloudflare.
command -v gobgpd >/dev/null || {
	echo "1..0 # SKIP needs gobgpd: scripts/deps check-deep"
	exit 4
}
CNI_CF=gobgp exec "$(dirname "$0")/../cnictl/bgp.sh"
