#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# cnictl reload: only what differs is touched. Two flows run all the while, one
# through a tunnel that stays as it is and one over the plain link, and lose
# nothing. Then save: what it writes is what is up.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common"

need_root_in_vm
modprobe ip6_gre
bare_up || exit 1
until_ok 10 settled
make_conf || exit 1
ip link add eth2 netns edge type veth peer name eth1 netns lan
ip -n edge link set eth2 up
ip -n cf addr add 198.51.100.2/32 dev lo
ip -n cf addr add 2001:db8:ffff::1/128 dev lo nodad
ip -n cf addr add 172.64.0.1/32 dev lo
ip -n cf route add 10.10.0.0/24 via 192.0.2.11
ip -n lan addr add 10.10.0.2/24 dev eth0
ip -n edge addr add 10.10.0.1/24 dev eth1

flow=$here/cnictl/flow.py
new=$work/new.conf
reload() { cnictl reload "$new" "$@"; }
# with SED [MORE]: the file, changed, with more at its end
with()
{
	sed "$1" "$conf" >"$new"
	printf '%s\n' "${2-}" >>"$new"
}
gre2='tunnel gre2 { local = 192.0.2.11 remote = 198.51.100.2
	address4 = 10.98.0.1/31 mss = auto'

ok "up" cnictl up "$conf"
ok "the tunnel is in the module" says cni-gre1 cnictl show tunnel
ok "a route" cnictl route add 104.16.0.0/13 dev cni-gre1
ok "another one" cnictl route add 172.64.0.0/13 via 192.0.2.10 dev eth0.1234
nsenter --net=/run/netns/edge "$CNICTL" sync "$conf" >"$work/sync" 2>&1 &
sync=$!
ok "all routes in the module" until_ok 10 grep -q READY "$work/sync"

# The flows
touch "$work/on"
cf "$flow" echo 7777 104.16.0.1 172.64.0.1 &
echo=$!
trap 'kill $echo $sync 2>/dev/null; rm -rf "$work"' EXIT
until_ok 10 says 7777 cf ss -uln
lan "$flow" send 10.9.0.2 104.16.0.1 7777 "$work/on" >"$work/tunnel" &
tunnel_flow=$!
lan "$flow" send 10.10.0.2 172.64.0.1 7777 "$work/on" >"$work/link" &
link_flow=$!

before=$(ip -n edge -d link show cni-gre1)

with ''
ok "the same file: nothing to do" says "nothing to do" reload

with '' "$gre2 }"
ok "a tunnel more: only that" says "ip link add gre2" reload --dry-run
not_ok "a dry run changes nothing" ip -n edge link show gre2
ok "a tunnel more" reload
ok "it's there" says "10.98.0.1/31" ip -n edge addr show gre2
ok "the module has it" says gre2 cnictl show tunnel
ok "its remote end is reached over the link" says "via 192.0.2.10" \
	ip -n edge route get 198.51.100.2
ok "again: nothing to do" says "nothing to do" reload

with '' "$gre2 ttl = 9 mtu = 1400 health-check = reply }"
ok "it's changed" reload
ok "its TTL is" says "ttl 9" ip -n edge -d link show gre2
ok "its MTU is" says "mtu 1400" ip -n edge -d link show gre2
ok "its health check is" says "for 10.98.0.1" cnictl tunnel show gre2
ok "again: nothing to do" says "nothing to do" reload

ok "up doesn't leave things behind: status" status 1 cnictl up "$conf"
ok "up doesn't leave things behind: says so" says "the tunnel gre2" \
	cnictl up "$conf"

with '' "${gre2/gre2/gre3} }"
ok "it's renamed" reload
not_ok "the old name is gone" ip -n edge link show gre2
ok "the new one is there" says "10.98.0.1/31" ip -n edge addr show gre3

with '' "tunnel gre3 { local = 2001:db8:12:3::7ac2:d64b
	remote = 2001:db8:ffff::1 }"
ok "to one over IPv6" reload
ok "it is" says ip6gre ip -n edge -d link show gre3
not_ok "the old address is gone" says "10.98.0.1" ip -n edge addr
not_ok "the old remote's route is gone" says "198.51.100.2 " \
	ip -n edge route show proto 198

with '' "${gre2/gre2/gre4} }"
ok "to another one" reload
ok "a route over two tunnels" ip -n edge route add 104.20.0.0/16 \
	nexthop dev cni-gre1 nexthop dev gre4

with '' "port eth2 { strict-source = true }"
ok "a tunnel less, a port more" reload
not_ok "the tunnel is gone" ip -n edge link show gre4
ok "the route is left with one" says "dev cni-gre1" \
	ip -n edge route show 104.20.0.0/16
ok "the port is there" says eth2 cnictl show port
ok "again: nothing to do" says "nothing to do" reload

with ''
ok "a port less" reload
not_ok "it's gone" says eth2 cnictl show port

ok "the first tunnel is as it was" [ "$before" = \
	"$(ip -n edge -d link show cni-gre1)" ]
rm "$work/on"
wait $tunnel_flow $link_flow
none_lost()
{
	read -r sent lost <"$work/$1"
	echo "$sent sent, $lost lost"
	[ "$sent" -gt 100 ] && [ "$lost" = 0 ]
}
ok "nothing was lost in the tunnel" none_lost tunnel
ok "nothing was lost on the link" none_lost link
offloaded()
{
	[ "$(cnictl -j tunnel show cni-gre1 |
		jq '.[0].stats."tx-packets"')" -gt 100 ]
}
ok "it was the fast path" offloaded
kill $sync
wait $sync

# Another address, another VLAN: what they had is gone.
with 's/d64b/d64d/; s/d64a/d64c/'
ok "another IPv6 pair" reload
ok "the new address is there" says d64d/127 ip -n edge addr show eth0.1234
not_ok "the old one is gone" says d64b/127 ip -n edge addr show eth0.1234
with 's/vlan = 1234/vlan = 1235/'
ok "another VLAN" reload
ok "it's there" says "192.0.2.11/31" ip -n edge addr show eth0.1235
ok "routes go over it" says "dev eth0.1235" \
	ip -n edge route get 198.51.100.1
not_ok "the old one is gone" ip -n edge link show eth0.1234
ok "the module has it" says eth0.1235 cnictl show link
with ''
ok "back to the first" reload
ok "down" cnictl down "$conf"
not_ok "nothing is left" ip -n edge link show eth0.1234
no_note_of() { [ -z "$(find /run/cnilink -name "$1.conf")" ]; }
ok "no note of it" no_note_of cloudflare

# What is up, written as a file, is what is up.
cat >"$work/full.conf" <<END
link 'a title' {
	device = eth0 vlan = 1234 name = cni0 mtu = 1480 dataplane = v1.1
	local4 = 192.0.2.11/31 peer4 = 192.0.2.10 local-as = 65001
	local6 = 2001:db8:12:3::7ac2:d64b/127 peer6 = 2001:db8:12:3::7ac2:d64a
}
tunnel t1 { remote = 198.51.100.1 tos = 0x20 ttl = 9 key = 7
	mss = auto address4 = 10.99.0.1/31 address6 = fd99::1/127
	health-check = reply health-rate = 99 }
tunnel t2 { local = 10.9.0.1 remote = 198.51.100.2 tos = inherit
	host-route = false mtu = 1400 mss = 1300
	health-check = request health-direction = unidirectional }
tunnel t3 { remote = 2001:db8:ffff::1 encap-limit = 4
	bypass-netfilter = true }
port eth1 { bypass-netfilter = true mss = 1350 }
port eth2 { strict-source = true mss = auto }
bgp { password = 'it''s' announce = { 203.0.113.0/24 } }
sync { table = { 100, main } }
END
sed -i "s/''/\\\\'/" "$work/full.conf"
saved() { rm -f "$new"; cnictl save "$@" -o "$new"; }
back() { says "nothing to do" cnictl up "$new"; }
ok "a full set-up" cnictl up "$work/full.conf"
ok "save" saved
ok "for nobody else to read" [ "$(stat -c %a "$new")" = 600 ]
ok "up finds nothing to do" back
ok "reload finds nothing to do" says "nothing to do" reload
kept()
{
	grep -q "^link 'a title'" "$new" && grep -q 'local-as = 65001' "$new" &&
		grep -q "password = 'it\\\\'s'" "$new" &&
		grep -q 'dataplane = v1.1' "$new" &&
		grep -q 'table = {100, main}' "$new"
}
ok "what only the file told is in it" kept
ok "save keeps what is there" status 1 cnictl save -o "$new"
ok "save, by title" saved "a title"
ok "save, by device" saved cni0
ok "up finds nothing to do" back
ok "no such link" status 1 saved eth7
rm -r /run/cnilink
ok "save without a note of it" saved
ok "up finds nothing to do" back
cnictl tunnel set t1 health reply bidirectional 10.99.0.1 10.99.0.0 \
	health request unidirectional 10.99.0.1 172.64.0.0/13
ok "what can't be said: status" status 1 saved
ok "what can't be said: says so" says "t1: its health checks" cnictl save
ok "down" cnictl down "$work/full.conf"
not_ok "nothing is left" ip -n edge link show cni0
ok "without the module" cnictl up "$work/full.conf" --no-offload
ok "the kernel can answer" says 1 edge cat /proc/sys/net/ipv4/conf/t1/accept_local
ok "as it has to only" says 0 edge cat /proc/sys/net/ipv4/conf/t2/accept_local
rmmod cnilink
ok "save" saved
ok "up finds nothing to do" says "nothing to do" cnictl up "$new" --no-offload
ok "down" cnictl down "$new"

# XDP, on the devices that can do it.
for n in lan cf; do
	ip netns exec $n ethtool -K eth0 tx off txvlan off \
		tx-vlan-stag-hw-insert off gro on >/dev/null
done
in_edge() { nsenter --net=/run/netns/edge "$CNICTL" "$@"; }
# DEVICE...: those with a native program
with_xdp()
{
	[ "$(ip -n edge -j link show |
		jq -c 'map(select(.xdp.mode == 1).ifname) | sort')" = "$1" ]
}
sed 's/device = eth0/&\nxdp = auto/' "$conf" >"$work/xdp.conf"
ok "xdp = auto: up" in_edge up "$work/xdp.conf"
ok "xdp = auto: on the link and the port" with_xdp '["eth0","eth1"]'
ok "xdp = auto: nothing to do" says "nothing to do" in_edge up "$work/xdp.conf"
ok "xdp = off: reload" in_edge reload "$conf"
ok "xdp = off: nowhere" with_xdp '[]'
ip netns exec cf ethtool -K eth0 txvlan on >/dev/null
ok "xdp = auto: why not there" says "eth0: no XDP: XDP doesn't see whole frames" \
	in_edge reload "$work/xdp.conf"
ok "xdp = auto: but here" with_xdp '["eth1"]'
ok "xdp = auto: down" in_edge down "$work/xdp.conf"
ok "xdp = auto: nowhere" with_xdp '[]'

# Under a running sync a device that is made anew has XDP again, once it can.
ip netns exec cf ethtool -K eth0 txvlan off >/dev/null
sed '$a port eth5 {}' "$work/xdp.conf" >"$work/five.conf"
# five ON|OFF: whether the other end hands over VLAN tags beside the frames. It's
# all so when sync meets the device.
five()
{
	ip link add five netns lan type veth peer name eth5 netns lan
	ip netns exec lan ethtool -K five tx off txvlan "$1" \
		tx-vlan-stag-hw-insert off gro on >/dev/null
	ip -n lan link set five up
	ip -n lan link set eth5 netns edge
	ip -n edge link set eth5 up
}
said() { [ "$(grep -c "eth5: no XDP: XDP doesn't see whole frames" "$work/sync")" = "$1" ]; }
five off
ok "made anew: up" in_edge up "$work/five.conf"
ok "made anew: XDP is on all three" with_xdp '["eth0","eth1","eth5"]'
nsenter --net=/run/netns/edge "$CNICTL" sync "$work/five.conf" >"$work/sync" 2>&1 &
sync=$!
ok "made anew: sync" until_ok 10 grep -q READY "$work/sync"
ip -n edge link del eth5
five off
ok "made anew: a port" until_ok 10 with_xdp '["eth0","eth1","eth5"]'
ok "made anew: the old one's program is gone" \
	[ "$(find /sys/fs/bpf/cnilink -type f | wc -l)" = 3 ]
ok "taken off by hand" in_edge xdp detach eth1 eth0
ip -n edge link del eth0.1234
ip -n edge link add link eth0 name eth0.1234 type vlan id 1234
ip -n edge link set eth0.1234 up
ok "made anew: the link" until_ok 10 with_xdp '["eth0","eth5"]'
ip -n edge link del eth5
five on
ok "made anew, but with something in the way: it says so" until_ok 10 said 1
ok "check shows it" says "it doesn't take the packets of eth1, eth5" \
	in_edge check "$work/five.conf" --interval 0.1
ip -n edge link set eth5 mtu 1400
ip netns exec lan ethtool -K five txvlan off >/dev/null
ip -n edge link set eth5 mtu 1500
ok "once nothing is: it has it" until_ok 10 with_xdp '["eth0","eth5"]'
ok "it says so once" said 1
kill $sync
wait $sync
ok "down" in_edge down "$work/five.conf"
# The VLAN that up didn't make stays.
ip -n edge link del eth0.1234
ip -n edge link del eth5
ok "nowhere" with_xdp '[]'

# A device that goes takes its program with it, in a namespace that goes, too.
x1()
{
	ip link add x1 netns "$1" type veth peer name x1 netns lan &&
	ip -n "$1" link set x1 up && ip -n lan link set x1 up &&
	ip netns exec lan ethtool -K x1 tx off txvlan off \
		tx-vlan-stag-hw-insert off gro on >/dev/null &&
	nsenter --net="/run/netns/$1" "$CNICTL" port add x1 &&
	nsenter --net="/run/netns/$1" "$CNICTL" xdp attach x1
}
unused() { lsmod | grep -qE '^cnilink +[0-9]+ +0'; }
ok "XDP on one more device" x1 edge
not_ok "it holds the module" unused
ip -n edge link del x1
ok "it's gone: detach" in_edge xdp detach x1
ok "it's gone: nothing holds the module" until_ok 5 unused
ip netns add gone
ok "XDP in another namespace" x1 gone
ip netns del gone
until_ok 10 fails ip -n lan link show x1
ok "it's gone: status" in_edge xdp status
ok "it's gone: nothing holds the module" until_ok 5 unused
ok "XDP on a port" x1 edge
ok "it's a port no more" cnictl port del x1
ok "it's a port no more: detach" in_edge xdp detach x1
ok "it's a port no more: nothing holds the module" until_ok 5 unused
ip -n edge link del x1

# Another title: whose is it?
cnictl up "$conf" >/dev/null
with 's/link cloudflare/link acme/'
whole() { snapshot; cnictl -j show | jq -c '[.links, .tunnels | map(.dev)]'; }
whole >"$work/whole"
ok "another title: down says whose it is" \
	says "eth0.1234 stays: it's of the link 'cloudflare'" cnictl down "$new"
ok "another title: down leaves all of it" diff "$work/whole" <(whole)
ok "another title: up doesn't take it" status 1 cnictl up "$new"
ok "another title: a dry run" says "is called 'acme' now" reload --dry-run
ok "another title: reload" reload
ok "another title: its devices have it" says "cnictl acme" \
	ip -n edge link show cni-gre1
ok "another title: no note of the old one" no_note_of cloudflare
ok "another title: again, nothing to do" says "nothing to do" reload
ok "another title: down" cnictl down "$new"
not_ok "another title: nothing is left" ip -n edge link show eth0.1234

# A port of two links stays for the second.
sed 's/link cloudflare/link two/; s/1234/1236/; s/cni-gre1/cni-gre9/
	s/198.51.100.1/198.51.100.9/; s/192.0.2.1\([01]\)/192.0.2.2\1/
	/local6/d; /peer6/d' "$conf" >"$work/two.conf"
ok "up, again" cnictl up "$conf"
ok "a second link" cnictl up "$work/two.conf"
sed 's/link two/link three/; s/1236/1237/; s/cni-gre9/cni-gre1/' \
	"$work/two.conf" >"$work/three.conf"
ok "a third, with the first one's tunnel" says \
	"cni-gre1 is a tunnel of the link 'cloudflare'" cnictl up "$work/three.conf"
ok "the second down" says "eth1 stays" cnictl down "$work/two.conf"
ok "the port is there" says eth1 cnictl show port
ok "the first down" cnictl down "$conf"
not_ok "the port is gone" says eth1 cnictl show port

# Two links to one endpoint of Cloudflare's, over IPv4 and IPv6.
ip -n cf link add link eth0 name eth0.1236 type vlan id 1236
ip -n cf link set eth0.1236 up
ip -n cf addr add 192.0.2.20/31 dev eth0.1236
ip -n cf addr add 2001:db8:12:4::a/127 dev eth0.1236 nodad
with '' 'tunnel six1 { remote = 2001:db8:ffff::1 }'
sed 's/link cloudflare/link two/; s/1234/1236/; s/cni-gre1/cni-gre9/; s/six1/six9/
	s/192.0.2.1\([01]\)/192.0.2.2\1/; s/12:3::7ac2:d64/12:4::/' \
	"$new" >"$work/two.conf"
two() { cnictl "$1" "$work/two.conf"; }
# by SOURCE DEVICE: the way to the endpoint
by()
{
	local f=198.51.100.1

	case $1 in *:*) f=2001:db8:ffff::1 ;; esac
	says "dev $2 " ip -n edge route get "$f" from "$1"
}
first() { by 192.0.2.11 eth0.1234 && by 2001:db8:12:3::7ac2:d64b eth0.1234; }
second() { by 192.0.2.21 eth0.1236 && by 2001:db8:12:4::b eth0.1236; }
all_fast()
{
	cnictl -j show | jq -e '[.links, .tunnels, .ports | .[].offloaded] |
		length == 7 and all'
}
ok "one endpoint: the first link" cnictl up "$new"
ok "one endpoint: the second" two up
ok "one endpoint: the first one's way is its own" first
ok "one endpoint: so is the second one's" second
ok "one endpoint: all offloaded" until_ok 15 all_fast
ok "one endpoint: up finds nothing to do" says "nothing to do" two up
ok "one endpoint: nor for the first" says "nothing to do" cnictl up "$new"
ways()
{
	local f

	for f in -4 -6; do
		ip -n edge $f rule show
		ip -n edge $f route show table all proto 198
	done
}
ways >"$work/whole"
ok "one endpoint: Ctrl-C" status 1 ip netns exec edge \
	strace -qqo /dev/null -e trace=sendto \
	-e inject=sendto:signal=INT:when=35 "$CNICTL" down "$work/two.conf"
ok "one endpoint: all is as it was" diff "$work/whole" <(ways)
table=$(ip -n edge rule show from 192.0.2.21 | awk '{ print $NF }' FS='lookup ' |
	awk '{ print $1 }')
ip -n edge rule del from 192.0.2.21 lookup "$table"
elsewhere() { cnictl check "$work/two.conf" --interval 0.1; }
ok "one endpoint: check sees packets leave by the other link" says \
	"its packets to 198.51.100.1 leave by eth0.1234, not by eth0.1236" elsewhere
ok "one endpoint: reload mends it" two reload
ok "one endpoint: it's mended" second
ok "one endpoint: the first goes down" cnictl down "$new"
ok "one endpoint: the second one's way stays" second
ok "one endpoint: the first is up again" cnictl up "$new"
ok "one endpoint: its way, too" first
ok "one endpoint: the second goes down" two down
ok "one endpoint: the first one's way stays" first
no_rules() { ! { ip -n edge rule; ip -n edge -6 rule; } | grep -q ^198:; }
ok "one endpoint: no rule is left" no_rules
sed -i 's/local = 192.0.2.21/local = 192.0.2.11/' "$work/two.conf"
ok "the same ends twice: status" status 1 two up
ok "the same ends twice: says what it takes" says "customer endpoint" two up
ok "the same ends twice: says whose the other is" says \
	"cni-gre1 of the link 'cloudflare'" two up
ok "down" cnictl down "$new"

cnictl route flush >/dev/null
rmmod cnilink
bare_down
tap_end
