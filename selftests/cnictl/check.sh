#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# cnictl check: breaks one thing after the other, and each time exactly the line
# about it may fail, and has to name the cause. BIRD on both ends.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common"
# shellcheck source=selftests/cnictl/bird
. "$(dirname "$0")/bird"

# "ip netns exec" would hide where XDP's program is kept.
cnictl() { nsenter --net=/run/netns/edge "$CNICTL" "$@"; }

need_root_in_vm
trap 'kill $(jobs -p) $(cat "$work"/*.pid) 2>/dev/null; rm -rf "$work"' EXIT

check() { cnictl check "${CONF:-$conf}" --interval 1 --bird "$work/edge.ctl" "$@"; }
# verdict WANTED [LINE WORDS]: the lines that fail are WANTED ("" for none), and
# the one says these words.
verdict()
{
	check -j >"$work/check.json"
	local rc=$? failing

	failing=$(jq -r '[.checks[] | select(.state == "fail").check] | join(" ")' \
		"$work/check.json")
	[ "$failing" = "$1" ] || {
		echo "fails: '$failing', not '$1'"
		jq -r '.checks[] | "\(.state) \(.check): \(.text) \(.hints)"' \
			"$work/check.json"
		return 1
	}
	[ $rc = $((0${1:+ + 1})) ] || {
		echo "exit status $rc"
		return 1
	}
	[ $# = 1 ] || jq -e --arg l "$2" --arg w "$3" '.checks[] |
		select(.check == $l) | [.text] + .hints |
		any(contains($w))' "$work/check.json" >/dev/null || {
		echo "'$3' isn't in: $(jq -c '.checks[]' "$work/check.json")"
		return 1
	}
}
# until it is that, or says what it is
soon() { until_ok "$1" verdict "${@:2}" || verdict "${@:2}"; }
passes() { jq -e --arg l "$1" '.checks[] | select(.check == $l).state == "pass"' "$work/check.json"; }
says_of() { jq -e --arg l "$1" --arg w "$2" '.checks[] | select(.check == $l).text | contains($w)' "$work/check.json"; }

live_up || exit 1
ok "no module: green" verdict "" module "isn't loaded"
for l in module ping4 "tunnel cni-gre1" forwarding4 forwarding6 bypass \
	firewall "firewall eth0.1234" "firewall cni-gre1"; do
	ok "no module: passes: $l" passes "$l"
done
edge sysctl -qw net.ipv4.ip_forward=0
ok "no module, no forwarding" verdict forwarding4 forwarding4 \
	"sysctl -w net.ipv4.ip_forward=1"
edge sysctl -qw net.ipv4.ip_forward=1
edge nft -f - <<'END'
table inet wall {
	chain f { type filter hook forward priority 0; policy drop; }
}
END
ok "no module: the firewall is named" verdict firewall firewall \
	"table inet wall, chain f: its policy, drop"
ok "no module: and what to do" verdict firewall firewall \
	'nft insert rule inet wall f iifname "eth1" oifname "cni-gre1" accept'
edge nft insert rule inet wall f iifname eth1 oifname cni-gre1 accept
edge nft insert rule inet wall f iifname cni-gre1 oifname eth1 accept
ok "no module: its rules are followed" verdict "" firewall "get through"
edge nft delete table inet wall
sed 's/device = eth0/&\noffload = required/' "$conf" >"$work/required.conf"
CNILINK_KO=/nonexistent cnictl up "$conf" >/dev/null
ok "no module, not as told: green" verdict "" module "isn't loaded"
CONF=$work/required.conf ok "no module, but required" verdict module module \
	"isn't loaded"
ok "bad use" status 2 cnictl check
ok "bad use: no such option" status 2 cnictl check "$conf" --nonsense
ok "bad file" status 2 cnictl check /nonexistent

cnictl up "$conf" >/dev/null
start_sync "$work/sync.log" 30 "$conf"
# Not by way of functions: kill is to hit ping itself. What Cloudflare's side
# sends it sends by itself, however little it gets back.
ip netns exec lan ping -i 0.1 104.16.0.1 >/dev/null 2>&1 &
lan_ping=$!
ip netns exec cf ping -i 0.3 192.0.2.11 >/dev/null 2>&1 &
ok "all is well" verdict ""
for l in module device addresses vlan arp nd ping4 ping6 mtu4 mtu6 bgp4 bgp6 \
	prefixes4 prefixes6 sync routes "tunnel cni-gre1" "ping4 cni-gre1" \
	"ping6 cni-gre1" "mtu4 cni-gre1" "mtu6 cni-gre1" bypass return traffic; do
	ok "passes: $l" passes "$l"
done
ok "prefixes are counted" says_of prefixes4 "3 accepted, none filtered, 1 announced"
ok "packets' size" says_of mtu4 "1500 bytes"
ok "packets' size in the tunnel" says_of "mtu4 cni-gre1" "1476 bytes"
ok "a veth has no light to measure" says_of light "doesn't report"
not_ok "nobody wants XDP: no line" says_of xdp ""
ok "for a person" says "pass  bgp4             BIRD: the session with 192.0.2.10, AS 13335, is established" check
no_colours() { ! check | grep -q $'\033'; }
ok "no colours but on a terminal" no_colours

# As some network managers do
edge ip rule del pref 32766
ok "no rule leads to main: named before all else" verdict addresses addresses \
	"ip rule add pref 32766 lookup main"
ok "the module says so, too" says "no policy routing rule leads to a table" \
	cnictl show status
edge ip rule add pref 32766 lookup main
ok "the rule is back" soon 30 ""
edge sysctl -qw net.ipv4.ip_forward=0
ok "no forwarding of IPv4" verdict forwarding4 forwarding4 \
	"sysctl -w net.ipv4.ip_forward=1"
ok "the module names the version" says "! IPv4: forwarding is off" \
	cnictl show status
ok "a look-up does, too" says "forwarding" cnictl route get 104.16.0.1
edge sysctl -qw net.ipv4.ip_forward=1
ok "forwarding is back" soon 30 ""

ip -n cf link set eth0 down
ok "no carrier" verdict device device "eth0 has no carrier"
check --wait 300 >"$work/wait.log" 2>&1 &
waiting=$!
ok "--wait: says what isn't there" until_ok 60 grep -qF \
	"not yet: device (eth0 has no carrier)" "$work/wait.log"
ip -n cf link set eth0 up
wait $waiting
waited=$?
ok "--wait: until it's there" test $waited = 0
ok "--wait: green then" verdict ""
ip -n cf link set eth0 down
ok "--wait: a deadline" status 1 check --wait 2
ip -n cf link set eth0 up

cnictl down "$conf" >/dev/null
sed 's/vlan = 1234/vlan = 100/' "$conf" >"$work/vlan.conf"
cnictl up "$work/vlan.conf" >/dev/null
CONF=$work/vlan.conf ok "wrong VLAN" verdict vlan vlan \
	"frames arrive with VLAN 1234"
ok "wrong VLAN: the configured one" says_of vlan "you configured 100"
cnictl down "$work/vlan.conf" >/dev/null
# The other side's frames have no tag.
sed 's/vlan = 1234/vlan = 100/' "$conf" >"$work/vlan.conf"
ip -n cf link set eth0.1234 down
ip -n cf addr add 192.0.2.10/31 dev eth0
cnictl up "$work/vlan.conf" >/dev/null
CONF=$work/vlan.conf ok "no VLAN" verdict vlan vlan \
	"frames arrive without a VLAN tag, you configured 100"
cnictl down "$work/vlan.conf" >/dev/null
ip -n cf addr del 192.0.2.10/31 dev eth0
ip -n cf link set eth0.1234 up

sed 's/192.0.2.11/192.0.2.21/; s/192.0.2.10/192.0.2.20/' "$conf" >"$work/peer.conf"
cnictl up "$work/peer.conf" >/dev/null
CONF=$work/peer.conf ok "wrong addresses" soon 30 arp arp \
	"nobody answers for 192.0.2.20 on eth0.1234, but 192.0.2.10 asks for 192.0.2.11 there"
cnictl down "$work/peer.conf" >/dev/null

cnictl up "$conf" >/dev/null
until_ok 60 established
ok "all is well again" soon 30 ""

ip -n cf link set eth0 mtu 1400
ok "MTU hole" verdict mtu4 mtu4 "packets of up to 1404 bytes get through"
ip -n cf link set eth0 mtu 1500
ip -n cf link set eth0.1234 mtu 1500

ip -n edge link set cni-gre1 mtu 9000
ok "the tunnel's MTU" verdict "tunnel cni-gre1" "tunnel cni-gre1" \
	"MTU 9000 doesn't fit"
ip -n edge link set cni-gre1 mtu 1476

# In the tunnel only, and nobody says so.
cf nft -f - <<'END'
table ip hole {
	chain c {
		type filter hook prerouting priority 0
		ip protocol gre ip length > 1400 drop
	}
}
END
ok "MTU hole under the tunnel" verdict "mtu4 cni-gre1" "mtu4 cni-gre1" \
	"the way to 198.51.100.1 takes no more than 1400 bytes"
ok "MTU hole under the tunnel: inside it" says_of "mtu4 cni-gre1" \
	"packets of up to 1376 bytes get through"
cf nft -f - <<'END'
table ip hole {
	chain out {
		type filter hook output priority 0
		ip protocol gre drop
	}
}
END
ok "the tunnel's other end is silent" verdict \
	"ping4 cni-gre1 ping6 cni-gre1" "ping4 cni-gre1" \
	"a tunnel from its 198.51.100.1 to your 192.0.2.11"
cf nft delete table ip hole

set_bird cf PEER_AS=65999
ok "wrong AS of ours: the session is down" until_ok 30 is_down
ok "wrong AS of ours" soon 10 bgp4 bgp4 \
	"Cloudflare expects another AS than your 65010"
set_bird cf
until_ok 60 established
set_bird edge PEER_AS=65999
ok "wrong AS of theirs" soon 10 bgp4 bgp4 "the other side's AS isn't 65999"
set_bird edge
until_ok 60 established

set_bird cf 'MORE=password "one"; hold time 3;'
set_bird edge 'MORE=password "other"; hold time 3;'
until_ok 30 is_down
ok "wrong MD5 password" soon 20 bgp4 bgp4 \
	"the MD5 password isn't Cloudflare's"
set_bird edge
set_bird cf
until_ok 60 established
ok "the same MD5 password again" soon 30 ""

# Sessions over the tunnel, as bgp-config has them but for the time that a
# daemon waits after errors.
sed '0,/^}/s//\tlocal-as = 65010\n}/' "$conf" >"$work/inside.conf"
echo 'bgp { over = tunnels announce = { 10.9.0.0/24 } password = "right" }' \
	>>"$work/inside.conf"
chmod 600 "$work/inside.conf"
set_inside()
{
	set_bird cf INSIDE=1 "MORE=password \"${1:-right}\";" \
		'MORE6=password "right";' "${@:2}"
}
up_inside() { [ "$(ask_bird edge show protocols | grep -c Established)" = 2 ]; }
set_inside
cnictl bgp-config bird "$work/inside.conf" |
	sed 's/error wait time .*;/error wait time 1, 2;/
		s/connect retry time .*;/connect retry time 1;/' >"$work/edge.conf"
ok "over the tunnel: configured" says Reconfigur ask_bird edge configure
ok "over the tunnel: the sessions are up" until_ok 60 up_inside
CONF=$work/inside.conf
ok "over the tunnel: all is well" soon 30 ""
ok "over the tunnel: which session" says_of "bgp4 cni-gre1" \
	"BIRD: the session with 10.99.0.0, AS 13335, is established"
ok "over the tunnel: IPv6" passes "bgp6 cni-gre1"
ok "over the tunnel: prefixes" says_of prefixes4 "3 accepted, none filtered, 1 announced"
ok "over the tunnel: that is the routes' way" says "104.16.0.0/13 via 10.99.0.0 dev cni-gre1" \
	ip -n edge route show proto bird
ok "over the tunnel: the module has it" says '"fast": true' cnictl -j route get 104.16.0.1
set_inside right PEER_AS=65999
until_ok 30 fails up_inside
ok "over the tunnel: wrong AS of ours" soon 20 "bgp4 cni-gre1" "bgp4 cni-gre1" \
	"Cloudflare expects another AS than your 65010"
set_inside
until_ok 60 up_inside
set_inside other
until_ok 30 fails up_inside
ok "over the tunnel: wrong MD5 password" soon 20 "bgp4 cni-gre1" \
	"bgp4 cni-gre1" "the MD5 password isn't Cloudflare's"
unset CONF
set_bird cf
set_bird edge
until_ok 60 established

set_bird edge "IMPORT=import filter cloudflare_in"
ask_bird edge reload in s4 >/dev/null
ok "filtered prefixes" soon 10 prefixes4 prefixes4 \
	"updates of Cloudflare's by its filter cloudflare_in so far"
set_bird edge "IMPORT=import keep filtered; import filter cloudflare_in"
until_ok 60 established
ask_bird edge reload in s4 >/dev/null
ok "filtered prefixes, kept" soon 20 prefixes4 prefixes4 \
	"drops 1 of Cloudflare's prefixes by its filter cloudflare_in: 172.64.0.0/13"
set_bird edge
until_ok 60 established

ip -n edge route del 10.9.0.0/24
ok "no way back" verdict return return "you announce 10.9.0.0/24, but no route"
ip -n edge route add 10.9.0.0/24 dev eth1 src 10.9.0.1 proto kernel scope link
ip -n cf route replace blackhole 10.9.0.0/24
ok "Cloudflare has no way back" verdict traffic traffic "but none in"
ip -n cf route del blackhole 10.9.0.0/24
ip -n cf route replace 10.9.0.0/24 dev gre1
# In a maintenance window there is nothing yet but check's own pings.
kill -STOP $lan_ping
sleep 0.5
ok "an idle link isn't wrong" verdict "" traffic "no forwarded packet"
kill -CONT $lan_ping

kill -9 $sync_pid
wait $sync_pid 2>/dev/null
ok "no helper" soon 10 sync sync "cnictl sync isn't running"
start_sync "$work/sync.log" 30 "$conf"

edge nft -f - <<'END'
table ip t {
	chain c {
		type filter hook forward priority 0
		counter
	}
}
END
ok "a firewall rule" verdict bypass bypass "set bypass-netfilter on the port"
edge nft delete table ip t
edge nft -f - <<'END'
table inet wall {
	chain f { type filter hook forward priority 0; policy drop; accept; }
}
END
ok "chains are named, before they are bypassed" verdict bypass bypass \
	"table inet wall, chain f (forward): 1 rule, policy drop; it judges packets"
edge nft flush chain inet wall f
ok "what is dropped, too" verdict "firewall bypass" bypass \
	"first have it accept what it drops"
edge nft "chain inet wall f { policy accept; }"
ok "one that does nothing is in the way, too" verdict bypass bypass \
	"table inet wall, chain f (forward): empty and accepting"
edge nft delete table inet wall
edge sysctl -qw net.ipv4.conf.cni-gre1.rp_filter=1
ok "a strict rp_filter" verdict bypass bypass "rp_filter is 1 for cni-gre1"
edge sysctl -qw net.ipv4.conf.cni-gre1.rp_filter=0

for n in lan cf; do
	ip netns exec $n ethtool -K eth0 tx off txvlan off \
		tx-vlan-stag-hw-insert off gro on >/dev/null
done
sed 's/device = eth0/&\nxdp = auto/' "$conf" >"$work/xdp.conf"
on_both() { jq -ce '.checks[] | select(.check == "xdp").data.devices |
	map(select(.mode == "native").dev) == ["eth0", "eth1"]' "$work/check.json"; }
CONF=$work/xdp.conf
ok "XDP isn't there yet" soon 10 xdp xdp "cnictl xdp attach eth1"
cnictl up "$CONF" >/dev/null
ok "XDP" soon 10 ""
ok "XDP: where" says_of xdp "native on eth0, eth1"
ok "XDP: for programs" on_both
tc -n edge qdisc add dev eth1 clsact
tc -n edge filter add dev eth1 ingress matchall action ok
ok "XDP steps aside" verdict xdp xdp "a tc filter on eth1"
tc -n edge qdisc del dev eth1 clsact
cf ethtool -K eth0 txvlan on >/dev/null
ok "XDP doesn't see tags" verdict xdp xdp "XDP doesn't see whole frames on eth0"
cf ethtool -K eth0 txvlan off >/dev/null
cnictl xdp detach eth0 >/dev/null
ok "XDP is off one of two" verdict xdp xdp "cnictl xdp attach eth0"
unset CONF
ok "XDP that isn't configured: that there is" verdict "" xdp "native on eth1"
cnictl xdp detach >/dev/null
ok "and is no more" verdict ""
not_ok "no line then" says_of xdp ""

ok "no health check so far" says_of "health cni-gre1" "no probe"
ip netns exec cf ping -q -i 0.1 -I 10.99.0.0 10.99.0.1 >/dev/null &
probes=$!
health() { jq -r '.checks[] | select(.check == "health cni-gre1").text' "$1" | tail -n 1 | grep "^$2 by"; }
ip netns exec edge "$CNICTL" check "$conf" --interval 1 --watch -j \
	>"$work/watch.json" &
watch=$!
ok "health checks are answered" until_ok 60 health "$work/watch.json" healthy
kill $probes
ok "and then there are none any more" until_ok 20 health "$work/watch.json" down
kill $watch

kill "$(cat "$work/edge.pid")"
until_ok 10 fails test -e "$work/edge.ctl"
ok "no BGP daemon: that's for no line to judge" says \
	"neither BIRD nor FRR answers here" check
kill $sync_pid
tap_end
