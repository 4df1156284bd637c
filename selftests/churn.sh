#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The kernel's routes change all the time, and no packet goes against them.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
need_root_in_vm

# A fourth way out, which isn't offloaded.
extra_up()
{
	ip link add x0 netns edge type veth peer name x0 netns cf &&
	ip -n edge addr add 10.77.0.1/24 dev x0 &&
	ip -n edge addr add fd77::1/64 dev x0 nodad &&
	ip -n cf link set x0 up &&
	ip -n edge link set x0 up &&
	ip -n edge neigh add 10.77.0.2 dev x0 lladdr 02:00:00:00:00:77 &&
	ip -n edge neigh add fd77::2 dev x0 lladdr 02:00:00:00:00:77
}

topology_up && extra_up && module_load || exit 1
exec /usr/bin/python3 "$here/churn.py"
