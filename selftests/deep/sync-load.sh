#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# cnictl sync under load: a million routes, changes that it has no time to read,
# a steady stream of them. Figures are comments: with "scripts/vm --icount" a
# second is 10^9 instructions.

# shellcheck source=selftests/cnictl/common
. "$(dirname "$0")/../cnictl/common"
need_root_in_vm
here=$top/selftests
export CNICTL

cc -O2 -Wall -o "$work/flood" "$here/deep/flood.c" || exit 1
bare_up || exit 1
make_conf || exit 1
cnictl up "$conf" >"$work/up.log" 2>&1 || { cat "$work/up.log"; exit 1; }

flood() { edge "$work/flood" "$1" eth0.1234 192.0.2.10 "${@:2}"; }
stop_sync()
{
	kill $sync_pid
	wait $sync_pid
}
now() { date +%s%N; }
since() { echo $((($(now) - $1) / 1000000)) ms; }
# user and system time, in hundredths of a second
cpu() { awk '{ print $14 + $15 }' "/proc/$sync_pid/stat"; }
peak() { awk '/VmHWM/ { print $2 }' "/proc/$sync_pid/status"; }
in_module() { cnictl -j show status | jq '[.. | .routes4? // empty][0]'; }
has() { [ "$(in_module)" = "$1" ]; }
full_syncs() { grep -c "full sync: done" "$work/log"; }
same()
{
	ip -n edge route show proto bgp | awk '{ print $1, $3, $5 }' \
		>"$work/kernel"
	cnictl route show | awk '$3 == "192.0.2.10" && /^[0-9.]*[.]0[/]24 / {
		print $1, $3, $5 }' >"$work/module"
	LC_ALL=C sort -o "$work/kernel" "$work/kernel"
	LC_ALL=C sort -o "$work/module" "$work/module"
	cmp "$work/kernel" "$work/module" || {
		diff "$work/kernel" "$work/module" | head -n 5
		return 1
	}
}

others=$(cnictl sync "$conf" --once >/dev/null; in_module)
start_sync "$work/log" 200 "$conf"
ok "sync starts" has "$others"

# The steady stream that BGP is: a thousand changes a second.
before=$(cpu)
start=$(now)
flood add 0 10000 1000
took=$(since "$start")
until_ok 60 has $((others + 10000))
echo "# 10000 changes in $took: $((($(cpu) - before) * 10)) ms of CPU time"
ok "a steady stream is followed" has $((others + 10000))

# As a daemon loads its table.
start=$(now)
flood add 0 100000
echo "# 100000 routes put into the kernel in $(since "$start")"
start=$(now)
ok "100000 at once arrive" until_ok 200 has $((others + 100000))
echo "# in the module $(since "$start") after that, $(full_syncs) full syncs"

# Nobody reads, until the kernel can't keep the changes for it.
kill -STOP $sync_pid
flood del 0 50000
flood add 100000 300000
kill -CONT $sync_pid
ok "more than is kept: arrives" until_ok 300 has $((others + 350000))
ok "more than is kept: by a full sync" grep -q "came too fast" "$work/log"
ok "more than is kept: the tables are the same" same

# Next hop objects that come and go, in number, while they are listed.
for i in $(seq 1000 1999); do
	echo "nexthop add id $i via 192.0.2.10 dev eth0.1234"
done >"$work/objects"
edge ip -batch "$work/objects"
while :; do
	ip -n edge nexthop add id 7 via 192.0.2.10 dev eth0.1234
	ip -n edge nexthop del id 7
done 2>/dev/null &
stirrer=$!
stirred()
{
	local i

	for i in 1 2 3; do
		cnictl sync "$conf" --once || return 1
	done
}
ok "dumps that are disturbed begin again" stirred
kill $stirrer
wait $stirrer 2>/dev/null

stop_sync
start=$(now)
flood add 400000 650000
echo "# 650000 routes put into the kernel in $(since "$start")"
start_sync "$work/log" 200 "$conf"
ok "a million routes" has $((others + 1000000))
grep "full sync: done" "$work/log" | sed 's/^/# /'
kib=$(peak)
echo "# $kib KiB at most"
# Some 60 bytes a route.
ok "a million routes: in less than 128 MiB" test "$kib" -lt 131072
flood add 200000 20000 1000
flood del 300000 1000
ok "a million routes: changes arrive" until_ok 100 has $((others + 999000))
ok "a million routes: still less than 128 MiB" test "$(peak)" -lt 131072
stop_sync
tap_end
