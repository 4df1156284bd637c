#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: tcp.sh DIR: one TCP connection through the tunnel, both ways, in a VM
# whose clock counts instructions. Writes DIR/tcp.json.
#
# All of the VM is counted: both ends, the veth devices between them, and
# iperf3. Idle time isn't.
set -u

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/../lib.sh"

bytes=$((64 << 20))
rows=

# Nanoseconds that the processor was not idle.
busy()
{
	local up idle

	read -r up idle </proc/uptime
	up=${up/./} idle=${idle/./}
	echo $(((10#$up - 10#$idle) * 10000000))
}

# Bytes that the port and the tunnel took.
taken()
{
	edge /usr/bin/python3 - "${here:?}" <<-'PY'
	import struct, sys
	sys.path.insert(0, sys.argv[1])
	import genl
	nl, total = genl.Genl(), 0
	for kind in "PORT", "TUNNEL":
	    for body in nl.do(kind + "_GET", dump=True):
	        stats = dict(genl.attrs(dict(genl.attrs(body))[
	            genl.number(kind + "_STATS")]))
	        total += struct.unpack("=Q", stats[
	            genl.number("STATS_RX_BYTES")])[0]
	print(total)
	PY
}

# measure IMPL CASE [iperf3 option]
measure()
{
	local start end got=0

	if [ "$1" = cnilink ]; then got=$(taken); fi
	start=$(busy)
	# shellcheck disable=SC2086
	lan iperf3 -c 104.16.0.1 -n $bytes ${3-} >"$dir/tcp.log" 2>&1 || {
		cat "$dir/tcp.log" >&2
		exit 1
	}
	end=$(busy)
	if [ "$1" = cnilink ] && [ $(($(taken) - got)) -lt $bytes ]; then
		echo "tcp.sh: $2: not all of it was offloaded" >&2
		exit 1
	fi
	rows+=${rows:+,$'\n'}$(printf \
		' {"bench": "tcp", "case": "%s", "impl": "%s", "value": %s, "unit": "insn/byte"}' \
		"$2" "$1" "$(awk "BEGIN { printf \"%.2f\", ($end - $start) / $bytes }")")
}

both()
{
	measure "$1" lan-gre-vlan
	measure "$1" gre-vlan-lan -R
}

need_root_in_vm
dir=$1
topology_up || exit 1
cf iperf3 -s >/dev/null 2>&1 &
server=$!
until_ok 10 lan ping -c 1 -W 1 104.16.0.1 || exit 1
lan iperf3 -c 104.16.0.1 -n 1M >/dev/null || exit 1
both stock
offload_on || exit 1
lan ping -c 3 -i 0.2 104.16.0.1 >/dev/null
both cnilink
printf '[\n%s\n]\n' "$rows" >"$dir/tcp.json"
kill $server
