#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# cnictl check with FRR on the edge: what only that daemon can tell.
set -u
# shellcheck source=selftests/cnictl/common
. "$(dirname "$0")/../cnictl/common"
# shellcheck source=selftests/frr
. "$(dirname "$0")/../frr"
need_root_in_vm
need_frr

trap 'kill $(cat "$work"/*.pid) 2>/dev/null; rm -rf "$work"' EXIT
bare_up || exit 1
edge sysctl -qw net.ipv6.conf.default.accept_dad=0 \
	net.ipv6.conf.all.accept_dad=0
until_ok 10 settled
make_conf || exit 1
cnictl up "$conf" >/dev/null || exit 1

# set_bird [PASSWORD]: Cloudflare's side
set_bird()
{
	local password=

	[ $# = 0 ] || password="password \"$1\";"
	cat >"$work/cf.conf" <<-END
	router id 192.0.2.10;
	protocol device {}
	protocol static s4 { ipv4; route 104.16.0.0/13 blackhole; route 172.64.0.0/13 blackhole; }
	protocol static s6 { ipv6; route 2606:4700::/32 blackhole; }
	protocol bgp b4 {
		local 192.0.2.10 as 13335; neighbor 192.0.2.11 as ${AS:-65010};
		connect delay time 1; connect retry time 1; error wait time 1, 2;
		$password
		ipv4 { import all; export where source = RTS_STATIC; next hop self; };
	}
	protocol bgp b6 {
		local 2001:db8:12:3::7ac2:d64a as 13335;
		neighbor 2001:db8:12:3::7ac2:d64b as 65010;
		connect delay time 1; connect retry time 1; error wait time 1, 2;
		ipv6 { import all; export where source = RTS_STATIC; next hop self; };
	}
	END
	if [ -e "$work/cf.ctl" ]; then
		birdc -s "$work/cf.ctl" configure "\"$work/cf.conf\"" >/dev/null
	else
		cf bird -c "$work/cf.conf" -s "$work/cf.ctl" -P "$work/cf.pid"
	fi
}
cat >"$work/frr.conf" <<'END'
hostname edge
ip prefix-list in4 seq 5 deny 172.64.0.0/13 le 32
ip prefix-list in4 seq 10 permit 0.0.0.0/0 le 24
ip prefix-list own4 seq 5 permit 10.9.0.0/24
router bgp 65010
 bgp router-id 192.0.2.11
 no bgp default ipv4-unicast
 neighbor 192.0.2.10 remote-as 13335
 neighbor 192.0.2.10 timers connect 1
 neighbor 2001:db8:12:3::7ac2:d64a remote-as 13335
 neighbor 2001:db8:12:3::7ac2:d64a timers connect 1
 address-family ipv4 unicast
  network 10.9.0.0/24
  neighbor 192.0.2.10 activate
 exit-address-family
 address-family ipv6 unicast
  neighbor 2001:db8:12:3::7ac2:d64a activate
 exit-address-family
END
bgp() { ask_frr -c "conf t" -c "router bgp ${AS:-65010}" "${@/#/-c}"; }
family() { ask_frr -c "conf t" -c "router bgp 65010" -c "address-family ipv4 unicast" -c "$1"; }

# says_fail LINE WORDS
says_fail()
{
	cnictl check "$conf" --interval 1 --frr edge -j >"$work/check.json"
	jq -e --arg l "$1" --arg w "$2" '.checks[] | select(.check == $l and
		.state == "fail") | [.text] + .hints | any(contains($w))' \
		"$work/check.json" >/dev/null || {
		jq -c '.checks[]' "$work/check.json"
		return 1
	}
}
says_pass()
{
	cnictl check "$conf" --interval 1 --frr edge -j >"$work/check.json"
	jq -e --arg l "$1" --arg w "$2" '.checks[] | select(.check == $l and
		.state == "pass").text | contains($w)' "$work/check.json" \
		>/dev/null || {
		jq -c '.checks[]' "$work/check.json"
		return 1
	}
}
soon() { until_ok "$1" "${@:2}" || "${@:2}"; }

set_bird
ok "FRR starts" start_frr "$work"
ok "the session is established" soon 60 says_pass bgp4 "FRR: the session with 192.0.2.10, AS 13335, is established"
ok "no policy" soon 20 says_fail prefixes4 "there's no policy for those that come in"
bgp "no bgp ebgp-requires-policy"
ask_frr -c "clear bgp *" >/dev/null
ok "Cloudflare's own prefixes are announced to it" soon 60 says_fail return \
	"back to Cloudflare, from where it came"
family "neighbor 192.0.2.10 prefix-list own4 out"
ask_frr -c "conf t" -c "ip prefix-list none6 seq 5 deny any" -c "router bgp 65010" \
	-c "address-family ipv6 unicast" \
	-c "neighbor 2001:db8:12:3::7ac2:d64a prefix-list none6 out"
ask_frr -c "clear bgp *" >/dev/null
ok "prefixes" soon 60 says_pass prefixes4 "2 accepted"
ok "prefixes of IPv6" soon 60 says_pass prefixes6 "1 accepted"
ok "the way back" soon 20 says_pass return "routes lead to all 1"
family "neighbor 192.0.2.10 prefix-list in4 in"
family "neighbor 192.0.2.10 soft-reconfiguration inbound"
ask_frr -c "clear bgp *" >/dev/null
ok "filtered prefixes" soon 60 says_fail prefixes4 \
	"1 accepted, but FRR drops 1 of Cloudflare's prefixes by its filter in4: 172.64.0.0/13"
family "no neighbor 192.0.2.10 prefix-list in4 in"
ask_frr -c "clear bgp *" >/dev/null
ok "filtered no more" soon 60 says_pass prefixes4 "2 accepted, none filtered"

AS=65999 set_bird
ok "wrong AS of ours" soon 90 says_fail bgp4 "Cloudflare expects another AS than your 65010"
set_bird
bgp "neighbor 192.0.2.10 remote-as 64999"
ok "wrong AS of theirs" soon 90 says_fail bgp4 "the other side's AS isn't 64999"
bgp "neighbor 192.0.2.10 remote-as 13335"
ok "right again" soon 60 says_pass bgp4 "is established"
bgp "neighbor 192.0.2.10 password one"
set_bird other
ok "wrong MD5 password" soon 90 says_fail bgp4 "the MD5 password isn't Cloudflare's"
bundle() { cnictl support-bundle -o "$work/b.tar.gz" "$conf" --frr edge; }
ok "support-bundle" bundle
tar -C "$work" -xzf "$work/b.tar.gz"
ok "support-bundle: no password" fails grep -r "password other\|password one" \
	"$work"/cnictl-support-*
ok "support-bundle: but that there is one" grep -q \
	"neighbor 192.0.2.10 password \[removed\]" \
	"$work"/cnictl-support-*/frr.conf
ok "support-bundle: the class" grep -q "Problem class: BGP down" \
	"$work"/cnictl-support-*/README.txt
bgp "no neighbor 192.0.2.10 password" "neighbor 192.0.2.10 shutdown"
set_bird
ok "switched off" soon 90 says_fail bgp4 "is switched off"
bgp "no neighbor 192.0.2.10 shutdown"
ok "right once more" soon 60 says_pass bgp4 "is established"
bgp "no neighbor 192.0.2.10"
ok "no session" soon 10 says_fail bgp4 "FRR has no session with 192.0.2.10"
tap_end
