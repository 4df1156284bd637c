#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The services as they are installed, under systemd.

# shellcheck source=selftests/cnictl/booted
. "$(dirname "$0")/booted"
need_root_in_vm
need_systemd
bare_up || exit 1
make_conf || exit 1

prepare
list=$root/etc/cnilink/prefixes.txt
sed 's|device = eth0|&\n\tstatic-file = /etc/cnilink/prefixes.txt\n\txdp = auto|
	$a port eth5 {}' "$conf" >$root/etc/cnilink/acme.conf
echo 203.0.113.0/24 >$list
cat >$units/test.target <<'END'
[Unit]
Wants=cnilink-link@acme.service cnilink-sync@acme.service
END

# The card takes its time to appear.
ip -n edge link set eth0 name later

boot
ctl() { inside systemctl "$@"; }
value() { ctl show -p "$2" --value "$1"; }
active() { [ "$(ctl is-active "$1")" = active ]; }
link=cnilink-link@acme
sync=cnilink-sync@acme

late() { [ "$(value $link NRestarts)" -ge 1 ]; }
ok "no card at boot: the link is tried again" until_ok 120 late
ip -n edge link set later name eth0
ok "the link comes up" until_ok 120 active $link
ok "sync comes after it" until_ok 60 active $sync
[ "$tap_failed" = 0 ] || {
	ctl status --no-pager $link $sync | sed 's/^/# /'
	tail -n 30 "$work/systemd.log" | sed 's/^/# /'
	echo "Bail out! no services to work with"
	exit $ksft_fail
}
ok "the module is loaded by the service" grep -q ^cnilink /proc/modules
ok "Cloudflare's side answers" until_ok 10 edge ping -c 1 -W 1 192.0.2.10
has_status() { value $sync StatusText | grep -q "IPv4 and .* IPv6 prefixes"; }
ok "sync tells systemd what it has" has_status
before() { value $link Before | grep -q "$1"; }
ok "BIRD starts after the link" before bird.service
ok "FRR starts after the link" before frr.service
ok "what waits for the network waits for it" before network-online.target

fast() { cnictl -j route get "$1" | grep -q '"fast": true'; }
ok "a file's prefixes are routed, and fast" until_ok 10 fast 203.0.113.1
ip -n edge route add 104.16.0.0/13 dev cni-gre1
ok "a route becomes fast" until_ok 10 fast 104.16.0.1
ctl kill -s KILL $sync
again() { [ "$(value $sync NRestarts)" -ge "$1" ] && active $sync; }
ok "sync is killed: fast all the same" fast 104.16.0.1
ok "sync is killed: started again" until_ok 30 again 1
ctl kill -s STOP $sync
ok "sync hangs: the watchdog starts it again" until_ok 90 again 2
ip -n edge route add 104.24.0.0/14 dev cni-gre1
ok "sync follows again" until_ok 10 fast 104.24.0.1

# A port that comes later: sync gives it XDP, in its sandbox.
ip link add five netns lan type veth peer name eth5 netns lan
ip netns exec lan ethtool -K five tx off txvlan off tx-vlan-stag-hw-insert off \
	gro on >/dev/null
ip -n lan link set five up
ip -n lan link set eth5 netns edge
ip -n edge link set eth5 up
native() { ip -n edge -j link show eth5 | jq -e '.[0].xdp.mode == 1'; }
ok "a port comes: sync gives it XDP" until_ok 20 native

if "$CNICTL" reload --help >/dev/null 2>&1; then
	sed -i '/^tunnel/,/^}/s/mss = auto/mss = 1300/' \
		$root/etc/cnilink/acme.conf
	ok "reload" ctl reload $link
	ok "reload: done" says 1300 cnictl tunnel show
	echo 198.18.0.0/15 >$list
	ok "reload: another file" ctl reload $link
	ok "reload: its prefixes" until_ok 10 fast 198.18.0.1
	not_ok "reload: and no others" says "203.0.113.0/24" \
		ip -n edge route show
fi
ctl stop $link
ok "the link stops: sync too" fails active $sync
gone() { ! ip -n edge link show eth0.1234; }
ok "the link stops: its devices are gone" gone
ok "the link starts, and sync" ctl start $link $sync
ok "both are there" active $sync
ctl stop $sync $link
tap_end
