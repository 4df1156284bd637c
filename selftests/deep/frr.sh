#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# FRR on the edge, which puts its routes in by next hop objects: one session,
# then a second one over another VLAN for several next hops, which comes and
# goes. The far side is BIRD.
set -u
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=selftests/lib.sh
. "$here/lib.sh"
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=selftests/prefixes.sh
. "$here/prefixes.sh"
# shellcheck source=selftests/frr
. "$here/frr"
need_root_in_vm
need_frr

dir=$(mktemp -d)
trap 'kill $(jobs -p) $(cat $dir/*.pid 2>/dev/null) 2>/dev/null' EXIT
topology_up
# The second way to the same prefixes.
for n in edge cf; do
	ip -n $n link add link eth0 name eth0.1235 type vlan id 1235
done
# A link-local address of its own, or BGP takes both ways for one.
ip -n cf link set eth0.1235 address 02:00:00:00:12:35
ip -n edge link set eth0.1235 up
ip -n cf link set eth0.1235 up
ip -n edge addr add 192.0.2.21/31 dev eth0.1235
ip -n cf addr add 192.0.2.20/31 dev eth0.1235
ip -n edge addr add 2001:db8:12:4::b/127 dev eth0.1235 nodad
ip -n cf addr add 2001:db8:12:4::a/127 dev eth0.1235 nodad
for f in 4 6; do
	prefixes $f | sort -u >"$dir/all$f"
	sed 's|.*|route add local & dev lo|' "$dir/all$f" >"$dir/local$f"
	ip -n cf -$f -batch "$dir/local$f"
done
plain4=$(grep -m1 . "$dir/all4" | sed 's|0/.*|1|')
plain6=$(grep -m1 ::/ "$dir/all6" | sed 's|::/.*|::1|')
for r in 104.16.0.0/13 172.64.0.0/13; do ip -n edge route del $r; done
for r in 2606:4700::/32 2400:cb00::/32; do ip -n edge -6 route del $r; done
ip -n cf route replace 10.9.0.0/24 via 192.0.2.11
ip -n cf -6 route replace fd09::/64 via 2001:db8:12:3::b

statics() { sed 's|.*|route & blackhole;|' "$1"; }
session()
{
	cat <<-END
	protocol bgp $1 {
		local $2 as 13335;
		neighbor $3 as 65010;
		$4 { import all; export where source = RTS_STATIC; next hop self; };
	}
	END
}
{
	echo "router id 192.0.2.10;"
	echo "protocol device {}"
	echo "protocol static all4 { ipv4; $(statics "$dir/all4") }"
	echo "protocol static all6 { ipv6; $(statics "$dir/all6") }"
	session a4 192.0.2.10 192.0.2.11 ipv4
	session a6 2001:db8:12:3::a 2001:db8:12:3::b ipv6
	session b4 192.0.2.20 192.0.2.21 ipv4
	session b6 2001:db8:12:4::a 2001:db8:12:4::b ipv6
} >"$dir/cf.conf"
cat >"$dir/frr.conf" <<'END'
hostname edge
router bgp 65010
 bgp router-id 192.0.2.11
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 bgp bestpath as-path multipath-relax
 neighbor 192.0.2.10 remote-as 13335
 neighbor 192.0.2.10 timers connect 1
 neighbor 192.0.2.20 remote-as 13335
 neighbor 192.0.2.20 timers connect 1
 neighbor 192.0.2.20 shutdown
 neighbor 2001:db8:12:3::a remote-as 13335
 neighbor 2001:db8:12:3::a timers connect 1
 neighbor 2001:db8:12:4::a remote-as 13335
 neighbor 2001:db8:12:4::a timers connect 1
 neighbor 2001:db8:12:4::a shutdown
 address-family ipv4 unicast
  neighbor 192.0.2.10 activate
  neighbor 192.0.2.20 activate
 exit-address-family
 address-family ipv6 unicast
  neighbor 2001:db8:12:3::a activate
  neighbor 2001:db8:12:4::a activate
 exit-address-family
END

bgp_routes() { ip -n edge "-$1" route show proto bgp | grep -c "^[0-9a-f]"; }
all_in_kernel()
{
	[ "$(bgp_routes 4)" -ge "$(wc -l <"$dir/all4")" ] &&
	[ "$(bgp_routes 6)" -ge "$(wc -l <"$dir/all6")" ]
}
by_objects() { ip -n edge route show proto bgp | grep -q nhid; }
hops() { ip -n edge "-$1" route show "$(head -n 1 "$dir/all$1")" | grep -c " via "; }
soon_hops()
{
	until_ok 60 has_hops "$1" && return
	for f in 4 6; do
		ip -n edge -$f route show "$(head -n 1 "$dir/all$f")"
	done
	ask_frr -c "show bgp summary"
	return 1
}
has_hops() { [ "$(hops 4)" = "$1" ] && [ "$(hops 6)" = "$1" ]; }
same() { edge "$here/same_routes.py" lan0 eth0.1234 eth0.1235 gre1; }
soon_same() { until_ok 60 same || same; }
port_rx() { edge "$CNICTL" -j show port | jq '[.. | objects | ."rx-packets"? // empty] | add'; }
takes_fast_path()
{
	local before

	before=$(port_rx)
	lan ping -c 5 -i 0.05 -W 2 "$1" >/dev/null || return 1
	[ "$(port_rx)" -ge $((before + 5)) ]
}
# A flow may have to wait until the neighbour at the end of its way is known.
soon_fast() { until_ok 20 takes_fast_path "$1"; }
second() { ask_frr -c "conf t" -c "router bgp 65010" -c "$1 neighbor 192.0.2.20 shutdown" -c "$1 neighbor 2001:db8:12:4::a shutdown"; }

module_load
genl LINK_SET LINK_IFINDEX:dev=eth0.1234 LINK_LOCAL4:ip=192.0.2.11 \
	LINK_PEER4:ip=192.0.2.10 LINK_LOCAL6:ip=2001:db8:12:3::b \
	LINK_PEER6:ip=2001:db8:12:3::a
genl LINK_SET LINK_IFINDEX:dev=eth0.1235 LINK_LOCAL4:ip=192.0.2.21 \
	LINK_PEER4:ip=192.0.2.20 LINK_LOCAL6:ip=2001:db8:12:4::b \
	LINK_PEER6:ip=2001:db8:12:4::a
genl TUNNEL_SET TUNNEL_IFINDEX:dev=gre1
genl PORT_SET PORT_IFINDEX:dev=lan0
edge sysctl -qw net.ipv4.fib_multipath_hash_policy=1 \
	net.ipv6.fib_multipath_hash_policy=1

start_sync "$dir/sync.log" 30
ok "sync starts" grep READY "$dir/sync.log"
cf bird -c "$dir/cf.conf" -s "$dir/cf.ctl" -P "$dir/cf.pid"
ok "FRR starts" start_frr "$dir"
ok "every prefix arrives over BGP" until_ok 60 all_in_kernel
[ "$tap_failed" = 0 ] || {
	tail -n 5 "$dir"/*.log | sed 's/^/# /'
	echo "Bail out! no routes to work with"
	exit $ksft_fail
}
ok "by next hop objects" by_objects
ok "the module has what the kernel has" soon_same
ok "v4 takes the fast path" soon_fast "$plain4"
ok "v6 takes the fast path" soon_fast "$plain6"

ok "a second session" second no
ok "two next hops" soon_hops 2
ok "two next hops: the module has what the kernel has" soon_same
ok "two next hops: v4 takes the fast path" soon_fast "$plain4"
ok "two next hops: v6 takes the fast path" soon_fast "$plain6"
ok "the second session ends" second ""
ok "one next hop" soon_hops 1
ok "one next hop: the module has what the kernel has" soon_same
ok "one next hop: v4 takes the fast path" soon_fast "$plain4"

ask_frr -c "clear bgp *" >/dev/null
ok "sessions cleared: every prefix again" until_ok 60 all_in_kernel
ok "sessions cleared: the module has what the kernel has" soon_same
ok "sessions cleared: v4 takes the fast path" soon_fast "$plain4"
kill $sync_pid
ok "rmmod under all of this" module_unload
tap_end
