#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What of the oracle goes by XDP, for kernels on which all of it takes too long.

exec "$(dirname "$0")/oracle.sh" xdp
