#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# cnictl route and sync: the module's routes agree with the kernel's whatever
# happens to either, or to cnictl.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common"

need_root_in_vm
export CNICTL
bare_up || exit 1
make_conf || exit 1
ip -n edge link add dum0 type dummy
ip -n edge link set dum0 up
ip -n edge addr add 10.99.0.1/24 dev dum0
cnictl up "$conf" >"$work/up.log" 2>&1 || { cat "$work/up.log"; exit 1; }

agree() { edge "$top/selftests/cnictl/agree.py"; }
# The coalescing takes a moment; a resync on suspicion some seconds.
agrees() { until_ok "${1:-10}" agree || agree; }
fast() { cnictl -j route get "$1" | grep -q '"fast": true'; }

# By hand.
ok "route add" cnictl route add 104.16.0.0/13 dev cni-gre1
ok "route add: fast" until_ok 5 fast 104.16.1.1
kernel_has() { ip -n edge route show proto 199 | grep -q "^$1"; }
ok "route add: the kernel has it" kernel_has 104.16.0.0/13
ok "route add again" status 1 cnictl route add 104.16.0.0/13 dev cni-gre1
ok "route replace" cnictl route replace 104.16.0.0/13 via 192.0.2.10 \
	dev eth0.1234
ok "route get" says "via 192.0.2.10 dev eth0.1234" cnictl route get 104.16.1.1
ok "route del" cnictl route del 104.16.0.0/13
not_ok "route del: not fast" fast 104.16.1.1
not_ok "route del: the kernel hasn't it" kernel_has 104.16.0.0/13
ok "route del again" status 1 cnictl route del 104.16.0.0/13
ok "route add to a device of no use" says "punted" \
	cnictl route add 100.64.0.0/16 dev dum0
for i in $(seq 0 999); do
	echo "101.$((i / 256)).$((i % 256)).0/24 via 192.0.2.10 dev eth0.1234"
done >"$work/routes"
ok "route load" cnictl route load "$work/routes"
count() { [ "$(ip -n edge route show proto 199 | wc -l)" = "$1" ]; }
ok "route load: the kernel has them" count 1001
ok "route load: fast" until_ok 5 fast 101.3.1.1
{ head -5 "$work/routes"; echo "1.2.3.4/8 dev eth1"; } >"$work/wrong"
ok "route load, wrong: status" status 2 cnictl route load "$work/wrong"
ok "route load, wrong: the line" says "wrong:6: '1.2.3.4/8' has bits set" \
	cnictl route load "$work/wrong"
{ echo "102.0.0.0/8 dev eth1"; echo "103.0.0.0/8 via 9.9.9.9 dev eth1"; } \
	>"$work/wrong"
ok "route load, refused: status" status 1 cnictl route load "$work/wrong"
ok "route load, refused: all undone" count 1001
ok "route flush" cnictl route flush
ok "route flush: the kernel" count 0
not_ok "route flush: not fast" fast 101.3.1.1

# Once.
ok "sync --once" cnictl sync --once
ok "sync --once: agrees" agrees

# All the time.
start_sync "$work/log" 20 "$conf"
ok "sync starts" grep READY "$work/log"
ok "a second one is refused" status 1 timeout 5 ip netns exec edge \
	"$CNICTL" sync
ok "agrees" agrees
churn()
{
	"$top/selftests/cnictl/churn.py" "$1" "$2" >"$work/churn"
	edge ip -force -batch "$work/churn" >/dev/null 2>&1
	agrees
}
for i in 1 2 3; do
	ok "churn $i" churn $i 400
done
dev() { ip -n edge link set "$@" && agrees; }
ok "a device goes down: routes vanish silently" dev dum0 down
ok "a tunnel goes down" dev cni-gre1 down
ok "a tunnel comes up" dev cni-gre1 up
ok "a device comes up" dev dum0 up
ok "churn after that" churn 4 300
port() { cnictl port "$1" eth1 && agrees; }
ok "a port is removed" port del
ok "a port is added" port add
prefsrc()
{
	ip -n edge addr add 10.98.0.1/32 dev dum0 &&
	ip -n edge route add 105.0.0.0/8 dev eth1 src 10.98.0.1 && agrees &&
	ip -n edge addr del 10.98.0.1/32 dev dum0 && agrees 20
}
ok "an address goes that routes prefer" prefsrc
fulls() { grep -c "full sync: done" "$work/log"; }
nexthop()
{
	local n

	ip -n edge nexthop add id 5 via 192.0.2.10 dev eth0.1234 &&
	ip -n edge nexthop add id 6 dev cni-gre1 &&
	ip -n edge nexthop add id 7 group 6,3/5 &&
	ip -n edge route add 106.0.0.0/8 nhid 5 &&
	ip -n edge route add 106.1.0.0/16 nhid 7 && agrees &&
	n=$(fulls) &&
	ip -n edge nexthop replace id 7 group 5/6,2 && agrees &&
	until_ok 5 fast 106.1.1.1 &&
	ip -n edge nexthop replace id 5 dev cni-gre1 && agrees &&
	until_ok 5 fast 106.1.1.1 &&
	ip -n edge nexthop replace id 5 dev cni-gre1 && agrees &&
	until_ok 5 fast 106.0.0.1 && [ "$(fulls)" = "$n" ] &&
	ip -n edge nexthop del id 5 && agrees 20 &&
	ip -n edge nexthop del id 7 && ip -n edge nexthop del id 6 &&
	agrees 20
}
ok "next hop objects" nexthop
resilient()
{
	ip -n edge nexthop add id 5 via 192.0.2.10 dev eth0.1234 &&
	ip -n edge nexthop add id 8 group 5 type resilient buckets 4 &&
	ip -n edge route add 106.2.0.0/16 nhid 8 &&
	until_ok 5 says "punted" cnictl route get 106.2.1.1 &&
	ip -n edge route del 106.2.0.0/16 && ip -n edge nexthop del id 8 &&
	ip -n edge nexthop del id 5 && agrees 20
}
ok "a resilient group" resilient
# The kernel tells nobody when it is over.
e6=2001:db8:e000::/48
expiring()
{
	local via="via 2001:db8:12:3::7ac2:d64a dev eth0.1234"

	# shellcheck disable=SC2086
	ip -n edge -6 route add $e6 $via && agrees &&
	until_ok 5 fast 2001:db8:e000::1 &&
	ip -n edge -6 route replace $e6 $via expires 600 && agrees &&
	says "punted" cnictl route get 2001:db8:e000::1 &&
	ip -n edge -6 route replace $e6 $via && agrees &&
	until_ok 5 fast 2001:db8:e000::1 && ip -n edge -6 route del $e6 &&
	agrees
}
ok "a route of IPv6 that expires" expiring
addresses()
{
	ip -n edge addr add 10.97.0.1/24 dev eth1 &&
	ip -n edge route add 109.0.0.0/8 nexthop via 192.0.2.10 dev eth0.1234 \
		nexthop via 10.97.0.2 dev eth1 && agrees &&
	ip -n edge addr del 10.97.0.1/24 dev eth1 && agrees 20 &&
	ip -n edge route del 109.0.0.0/8
}
ok "a device loses an address, and next hops" addresses
multipath()
{
	ip -n edge route add 107.0.0.0/8 \
		nexthop via 192.0.2.10 dev eth0.1234 weight 3 \
		nexthop dev cni-gre1 && agrees && fast 107.1.1.1 &&
	ip -n edge route replace 107.0.0.0/8 \
		nexthop dev cni-gre1 nexthop dev dum0 && agrees &&
	not_fast 107.1.1.1 &&
	ip -n edge route replace 107.0.0.0/8 dev cni-gre1 && agrees
}
not_fast() { ! fast "$1"; }
ok "multipath" multipath
p6=2001:db8:f000::/48
append6()
{
	ip -n edge -6 route add $p6 \
		via 2001:db8:12:3::7ac2:d64a dev eth0.1234 && agrees &&
	ip -n edge -6 route append $p6 via fe80::1 dev eth1 && agrees &&
	ip -n edge -6 route append $p6 nexthop via fe80::2 dev eth1 weight 4 \
		nexthop via fe80::3 dev eth1 && agrees &&
	ip -n edge -6 route prepend $p6 via fe80::4 dev eth1 && agrees &&
	ip -n edge -6 route del $p6 \
		via 2001:db8:12:3::7ac2:d64a dev eth0.1234 && agrees &&
	ip -n edge -6 route prepend $p6 nexthop via fe80::5 dev eth1 \
		nexthop via fe80::6 dev eth1 weight 2 && agrees &&
	ip -n edge -6 route replace $p6 nexthop via fe80::2 dev eth1 \
		nexthop via fe80::1 dev eth1 && agrees &&
	ip -n edge -6 route del $p6 && agrees
}
ok "multipath, IPv6: one after the other" append6
ok "route add: several" cnictl route add 108.0.0.0/8 \
	nexthop via 192.0.2.10 dev eth0.1234 weight 200 nexthop dev cni-gre1
several="nexthop via 192.0.2.10 dev eth0.1234 weight 200 nexthop dev cni-gre1 weight 1"
ok "route show: several" says "$several" cnictl route show
ok "route get: several" says "$several" cnictl route get 108.1.1.1
ok "route add: several agree" agrees
ok "route del: several" cnictl route del 108.0.0.0/8
ok "route add: a weight of 0" status 2 cnictl route add 108.0.0.0/8 \
	nexthop dev cni-gre1 weight 0

# A daemon's table, faster than it can be followed one by one.
for i in $(seq 0 3999); do
	echo "route add $((11 + i / 65536)).$((i / 256 % 256)).$((i % 256)).0/24 via 192.0.2.10 dev eth0.1234 proto bird metric 32"
done >"$work/many"
many() { edge ip -batch "$work/many" && agrees 30; }
ok "4,000 routes at once" many
withdraw() { ip -n edge route flush proto bird; agrees 30; }
ok "4,000 routes withdrawn" withdraw
idle() { [ "$(fulls)" -le 12 ]; }
ok "few full syncs in all that" idle

# Without the helper it's slow, never wrong; the next one takes over.
kill -9 $sync_pid
wait $sync_pid 2>/dev/null
ip -n edge route add 108.0.0.0/8 dev cni-gre1
ip -n edge route del 107.0.0.0/8
not_ok "nobody follows: punted" fast 107.1.1.1
not_ok "nobody follows: not yet fast" fast 108.1.1.1
start_sync "$work/log" 20 "$conf"
ok "restart after kill -9" grep READY "$work/log"
ok "restart: agrees" agrees
ok "restart: fast" until_ok 5 fast 108.1.1.1

# The module goes and comes.
reload()
{
	rmmod cnilink && until_ok 10 grep -q "module is gone" "$work/log" &&
	insmod "$CNILINK_KO" && cnictl up "$conf" >/dev/null && agrees 20
}
ok "the module is loaded anew" reload

# Waiting is for the shell that started it, so not within ok.
kill -TERM $sync_pid
wait $sync_pid
ended=$?
ok "ends when told to" test $ended = 0
ok "the routes stay" until_ok 5 fast 108.1.1.1
ip netns pids edge | xargs -r kill 2>/dev/null
rmmod cnilink
bare_down
tap_end
