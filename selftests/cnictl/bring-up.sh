#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# scripts/bring-up as a person's own script would be run: its exit status is
# right, and so is what it leaves behind.

# shellcheck source=selftests/cnictl/common
. "$(dirname "$0")/common"
need_root_in_vm
bare_up || exit 1
export CNICTL CNILINK_DIR=$work/etc
bring_up() { edge "$top/scripts/bring-up" -w "${wait:-30}" "$@"; }
# shellcheck disable=SC2054
options=(--dev eth0 --vlan 1234 --lan eth1 --local-as 65010
	--tunnel cni-gre1,192.0.2.11,198.51.100.1)
printf '%s\n' "Cloudflare v4: 192.0.2.10/31" "Acme v4: 192.0.2.12/31" \
	>"$work/bad"
printf '%s\n' "Cloudflare v4: 192.0.2.10/31" "Acme v4: 192.0.2.11/31" \
	"Cloudflare v6: 2001:db8:12:3::7ac2:d64a/127" \
	"Acme: 2001:db8:12:3::7ac2:d64b/127" >"$work/mail"
# down leaves the port itself up.
ip -n edge link set eth0 up
before=$(snapshot)

ok "no arguments" status 2 bring_up
ok "a bad mail" status 2 bring_up "$work/bad" "${options[@]}"
ok "a bad mail: no configuration" test ! -e "$CNILINK_DIR/cloudflare.conf"
ok "no mail" status 1 bring_up "$work/none" "${options[@]}"
same() { diff <(echo "$before") <(snapshot); }
ok "nothing was changed" same

ip -n cf link set eth0.1234 down
wait=2
ok "nobody answers" status 1 bring_up "$work/mail" "${options[@]}"
ok "nobody answers: the link is down again" same
wait=
ip -n cf link set eth0.1234 up
ip -n cf addr add 2001:db8:12:3::7ac2:d64a/127 dev eth0.1234 nodad
ok "live" status 0 bring_up "$work/mail" "${options[@]}"
ok "live: traffic" until_ok 10 lan ping -c 1 -W 1 192.0.2.10
ip -n edge route add 104.16.0.0/13 dev cni-gre1
ok "again" status 0 bring_up "$work/mail" "${options[@]}"
fast() { cnictl -j route get 104.16.0.1 | grep -q '"fast": true'; }
ok "again: new routes are fast" until_ok 10 fast
edge sysctl -qw net.ipv4.ip_forward=0
ok "no forwarding: that isn't live" says "FAIL  forwarding4" \
	bring_up "$work/mail" "${options[@]}"
ok "no forwarding: what to do" says "sysctl -w net.ipv4.ip_forward=1" \
	bring_up "$work/mail" "${options[@]}"
edge sysctl -qw net.ipv4.ip_forward=1
sed -i 's/vlan = 1234/vlan = 5000/' "$CNILINK_DIR/cloudflare.conf"
ok "a bad configuration" status 2 bring_up "$work/mail" "${options[@]}"
tap_end
