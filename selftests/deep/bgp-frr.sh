#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What cnictl bgp-config prints for FRR, in FRR.
CNI_BGP=frr exec "$(dirname "$0")/../cnictl/bgp.sh"
