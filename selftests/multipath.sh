#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Routes of several next hops: the fast path chooses as the kernel does.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
need_root_in_vm

# Two more tunnels between the same ends, told apart by their keys.
tunnels_up()
{
	local n

	for n in 2 3; do
		ip -n edge link add gre$n type gre local 192.0.2.11 \
			remote 192.0.2.10 key $n ttl 64 &&
		ip -n edge link set gre$n addrgenmode none &&
		ip -n edge link set gre$n up &&
		ip -n edge addr add fd99:$n::1/127 dev gre$n nodad || return 1
	done
}

topology_up && tunnels_up && module_load || exit 1
exec /usr/bin/python3 "$here/multipath.py"
