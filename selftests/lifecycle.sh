#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Devices, namespaces and the module itself come and go under load.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
need_root_in_vm

topology_up && module_load || exit 1
/usr/bin/python3 "$here/lifecycle.py" "$tap_n" || tap_failed=1
tap_n=$(cat /tmp/lifecycle.n) || exit 1
topology_down

# What still holds a device would keep its namespace from going.
no_edge()
{
	! ip netns list | grep -q edge
}

cycle()
{
	topology_up && offload_on || return 1
	lan ping -q -f -c 2000 104.16.0.1 >/dev/null &
	edge "$here/genl.py" TABLE_BEGIN >/dev/null || return 1
	case $1 in
	edge-first) ip netns del edge; topology_down ;;
	far-ends-first) ip netns del cf; ip netns del lan; topology_down ;;
	module-first) module_unload || return 1; topology_down ;;
	at-once) ip netns del edge & module_unload; wait %2; topology_down ;;
	esac
	wait
	until_ok 30 no_edge
}

for how in edge-first far-ends-first module-first at-once; do
	for i in 1 ${CNI_DEEP:+2 3 4 5}; do
		ok "everything enrolled, and it goes: $how, $i" cycle $how
	done
done
grep -q ^cnilink /proc/modules || module_load
ok "the module unloads" module_unload
tap_end
