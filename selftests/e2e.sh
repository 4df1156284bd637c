#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# End to end: BIRD as AS13335 announces every prefix, BIRD on the edge takes
# them, cnictl sync mirrors them, and traffic takes the fast path; then all of
# that is interrupted in the ways that happen.
set -u
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=selftests/prefixes.sh
. "$here/prefixes.sh"
need_root_in_vm

dir=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null' EXIT
topology_up
for f in 4 6; do
	prefixes $f | sort -u >"$dir/all$f"
	sed 's|.*|route add local & dev lo|' "$dir/all$f" >"$dir/local$f"
	ip -n cf -$f -batch "$dir/local$f"
done
first() { grep -m1 "$1" "$dir/all$2" | sed 's|0/.*|1|; s|::/.*|::1|'; }
plain4=$(first . 4)
plain6=$(first ::/ 6)
# What BGP brings is to come from BGP only.
for r in 104.16.0.0/13 172.64.0.0/13; do ip -n edge route del $r; done
for r in 2606:4700::/32 2400:cb00::/32; do ip -n edge -6 route del $r; done
ip -n cf route del 10.9.0.0/24
ip -n cf -6 route del fd09::/64

statics() { sed 's|.*|route & blackhole;|' "$1"; }
cat >"$dir/cf.conf" <<END
router id 192.0.2.10;
protocol device {}
protocol static all4 { ipv4; $(statics "$dir/all4") }
protocol static all6 { ipv6; $(statics "$dir/all6") }
protocol static extra { ipv4; route 198.51.100.0/24 blackhole; }
protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; }
protocol kernel { ipv6 { import none; export where source = RTS_BGP; }; }
protocol bgp edge4 {
	local 192.0.2.10 as 13335;
	neighbor 192.0.2.11 as 65010;
	ipv4 { import all; export where source = RTS_STATIC; next hop self; };
}
protocol bgp edge6 {
	local 2001:db8:12:3::a as 13335;
	neighbor 2001:db8:12:3::b as 65010;
	ipv6 { import all; export where source = RTS_STATIC; next hop self; };
}
END
cat >"$dir/edge.conf" <<END
router id 192.0.2.11;
protocol device {}
protocol static own4 { ipv4; route 10.9.0.0/24 blackhole; }
protocol static own6 { ipv6; route fd09::/64 blackhole; }
protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; }
protocol kernel { ipv6 { import none; export where source = RTS_BGP; }; }
protocol bgp cf4 {
	local 192.0.2.11 as 65010;
	neighbor 192.0.2.10 as 13335;
	connect delay time 1;
	connect retry time 1;
	error wait time 1, 2;
	ipv4 { import all; export where source = RTS_STATIC; next hop self; };
}
protocol bgp cf6 {
	local 2001:db8:12:3::b as 65010;
	neighbor 2001:db8:12:3::a as 13335;
	connect delay time 1;
	connect retry time 1;
	error wait time 1, 2;
	ipv6 { import all; export where source = RTS_STATIC; next hop self; };
}
END

start_bird() { "$1" bird -c "$dir/$1.conf" -s "$dir/$1.ctl" -P "$dir/$1.pid"; }
ask_bird() { birdc -s "$dir/$1.ctl" "${@:2}"; }
bgp_routes() { ip -n edge "-$1" route show proto bird | grep -c .; }
all_in_kernel()
{
	[ "$(bgp_routes 4)" -ge "$(wc -l <"$dir/all4")" ] &&
	[ "$(bgp_routes 6)" -ge "$(wc -l <"$dir/all6")" ]
}
same() { edge "$here/same_routes.py" lan0 eth0.1234 gre1; }
soon_same() { until_ok 20 same || same; }
# port_rx: packets that the fast path took from the LAN
port_rx() { edge "$CNICTL" -j show port | jq '[.. | objects | ."rx-packets"? // empty] | add'; }
takes_fast_path()
{
	local before

	before=$(port_rx)
	lan ping -c 5 -i 0.05 -W 2 "$1" >/dev/null || return 1
	[ "$(port_rx)" -ge $((before + 5)) ]
}
takes_kernel_path()
{
	local before

	before=$(port_rx)
	lan ping -c 5 -i 0.05 -W 2 "$1" >/dev/null
	[ "$(port_rx)" = "$before" ]
}

module_load
genl LINK_SET LINK_IFINDEX:dev=eth0.1234 LINK_LOCAL4:ip=192.0.2.11 \
	LINK_PEER4:ip=192.0.2.10 LINK_LOCAL6:ip=2001:db8:12:3::b \
	LINK_PEER6:ip=2001:db8:12:3::a
genl TUNNEL_SET TUNNEL_IFINDEX:dev=gre1
genl PORT_SET PORT_IFINDEX:dev=lan0

start_sync "$dir/sync.log" 30
ok "sync starts" grep READY "$dir/sync.log"
start_bird cf
start_bird edge
ok "every prefix arrives over BGP" until_ok 60 all_in_kernel
ok "the module has what the kernel has" soon_same
ok "v4 takes the fast path" takes_fast_path "$plain4"
ok "v6 takes the fast path" takes_fast_path "$plain6"

no_route() { ! ip -n edge route show 198.51.100.0/24 | grep -q .; }
ip -n cf route add local 198.51.100.0/24 dev lo
ok "an announced prefix is forwarded" takes_fast_path 198.51.100.7
ask_bird cf disable extra >/dev/null
ok "a prefix is withdrawn" until_ok 20 no_route
ok "withdrawn: the module follows" soon_same
ok "withdrawn: no longer forwarded" takes_kernel_path 198.51.100.7
ask_bird cf enable extra >/dev/null
ok "announced again" until_ok 20 fails no_route
ok "announced again: the module follows" soon_same
ok "announced again: forwarded" takes_fast_path 198.51.100.7

kill -9 $sync_pid
wait $sync_pid 2>/dev/null
ok "helper killed: traffic stays on the fast path" takes_fast_path 198.51.100.7
ip -n edge route replace 198.51.100.0/24 dev gre1
ip -n edge route add 10.200.0.0/16 dev lan0
ok "helper killed: what the kernel changed is left to it" takes_kernel_path 198.51.100.7
lan ping -q -i 0.02 -c 300 "$plain4" >"$dir/ping" 2>&1 &
ping_pid=$!
start_sync "$dir/sync.log" 30
ok "helper starts again" grep READY "$dir/sync.log"
ok "helper back: the module has what the kernel has" soon_same
ok "helper back: the changed route takes the fast path" takes_fast_path 198.51.100.7
wait $ping_pid
ok "no packet was lost on the way" grep -q ' 0% packet loss' "$dir/ping"
ip -n edge route del 10.200.0.0/16

# Traffic from anywhere, though the way back there isn't offloaded.
ip -n edge link add dum0 type dummy
ip -n edge link set dum0 up
ip -n edge route add default dev dum0
ip -n cf addr add 198.18.0.1/32 dev lo
link_rx() { edge "$CNICTL" -j show link | jq '[.. | objects | ."rx-packets"? // empty] | add'; }
comes_in_fast()
{
	local before

	before=$(link_rx)
	cf ping -c 5 -i 0.05 -W 1 -I 198.18.0.1 10.9.0.2 >/dev/null
	[ "$(link_rx)" -ge $((before + 5)) ]
}
ok "a default route elsewhere: the module follows" soon_same
ok "a source that is routed elsewhere comes in by the fast path" comes_in_fast
ip -n edge link del dum0

kill "$(cat "$dir/edge.pid")"
gone() { [ "$(bgp_routes 4)" = 0 ] && [ "$(bgp_routes 6)" = 0 ]; }
ok "BIRD ends and takes its routes along" until_ok 20 gone
ok "BIRD gone: the module follows" soon_same
start_bird edge
ok "BIRD is back with every prefix" until_ok 60 all_in_kernel
ok "BIRD back: the module follows" soon_same
ok "BIRD back: the fast path, too" takes_fast_path "$plain4"

kill $sync_pid
ok "rmmod under all of this" module_unload
ok "traffic goes on without the module" lan ping -c 3 -i 0.1 -W 2 "$plain4"
tap_end
