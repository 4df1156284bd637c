#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: tcp.sh DIR: one TCP connection through the tunnel, both ways, in a VM
# whose clock counts instructions. Writes DIR/tcp.json.
#
# All of the VM is counted: both ends, the veth devices between them, and
# iperf3. Idle time isn't. In "frames" the ends send frames as a wire has them,
# and whoever receives them puts them together (GRO); else they come whole.
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

# Bytes that the port and the tunnel took, and packets of the port's and the
# link's by XDP.
taken()
{
	edge /usr/bin/python3 - "${here:?}" <<-'PY'
	import struct, sys
	sys.path.insert(0, sys.argv[1])
	import genl
	nl, total = genl.Genl(), [0, 0]
	for kind, what in (("PORT", "RX_BYTES"), ("TUNNEL", "RX_BYTES"),
	                   ("PORT", "XDP_PACKETS"), ("LINK", "XDP_PACKETS")):
	    for body in nl.do(kind + "_GET", dump=True):
	        stats = dict(genl.attrs(dict(genl.attrs(body))[
	            genl.number(kind + "_STATS")]))
	        total[what[0] == "X"] += struct.unpack("=Q", stats.get(
	            genl.number("STATS_" + what), bytes(8)))[0]
	print(*total)
	PY
}

# Whether the module took what IMPL was to take, between two answers of taken().
took()
{
	case $1 in
	cnilink) [ $(($4 - $2)) -ge $bytes ] && [ "$5" = "$3" ] ;;
	cnilink-xdp) [ $(($5 - $3)) -ge $((bytes / 1500)) ] ;;
	esac
}

# measure IMPL CASE [iperf3 option]
measure()
{
	local start end before=

	[ "$1" = stock ] || before=$(taken)
	start=$(busy)
	# shellcheck disable=SC2086
	lan iperf3 -c 104.16.0.1 -n $bytes ${3-} >"$dir/tcp.log" 2>&1 || {
		cat "$dir/tcp.log" >&2
		exit 1
	}
	end=$(busy)
	# shellcheck disable=SC2046,SC2086
	[ "$1" = stock ] || took "$1" $before $(taken) || {
		echo "tcp.sh: $2: $1 didn't take all of it" >&2
		exit 1
	}
	rows+=${rows:+,$'\n'}$(printf \
		' {"bench": "tcp", "case": "%s", "impl": "%s", "value": %s, "unit": "insn/byte"}' \
		"$2" "$1" "$(awk "BEGIN { printf \"%.2f\", ($end - $start) / $bytes }")")
}

# both IMPL [CASE]
both()
{
	measure "$1" "lan-gre-vlan${2-}"
	measure "$1" "gre-vlan-lan${2-}" -R
}

# From here on the ends send such, and all put them together.
frames()
{
	local n

	for n in lan cf; do
		ip netns exec $n ethtool -K eth0 tx off txvlan off \
			tx-vlan-stag-hw-insert off gro on
	done >/dev/null
	edge ethtool -K lan0 gro on
	edge ethtool -K eth0 gro on
}
xdp() { nsenter --net=/run/netns/edge "$CNICTL" xdp "$1" >/dev/null || exit 1; }

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
frames
both cnilink ", frames"
xdp attach
both cnilink-xdp ", frames"
xdp detach
until_ok 10 offload_off || exit 1
both stock ", frames"
printf '[\n%s\n]\n' "$rows" >"$dir/tcp.json"
kill $server
