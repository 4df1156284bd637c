#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What cnictl bgp-config prints, as it is printed, in the daemon that it is for:
# CNI_BGP says which, bird or frr. The far side is BIRD, or with CNI_CF=gobgp
# GoBGP. With CNI_ROOT the edge's daemon is that of another Debian, unpacked
# there.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common"
# shellcheck source=selftests/prefixes.sh
. "$top/selftests/prefixes.sh"

need_root_in_vm
daemon=${CNI_BGP:-bird}
far=${CNI_CF:-bird}
root=${CNI_ROOT:-}
chmod 755 "$work"
trap 'kill $(cat "$work"/*.pid 2>/dev/null) 2>/dev/null' EXIT
[ -z "$root" ] || {
	mount -t proc proc "$root/proc"
	mount --bind /dev "$root/dev"
	mount --bind /tmp "$root/tmp"
	for d in run var/lib/frr var/tmp; do
		mount -t tmpfs tmpfs "$root/$d"
	done
	for f in passwd group; do
		mount --bind "/etc/$f" "$root/etc/$f"
	done
}
bare_up || exit 1
make_conf || exit 1
# Inside the tunnel, for sessions over it.
ip -n cf addr add 10.99.0.0/31 dev gre1
ip -n cf addr add fd99::/127 dev gre1 nodad
sed -i '/^tunnel/,/^}/s|^}|\taddress4 = 10.99.0.1/31\n\taddress6 = fd99::1/127\n}|' "$conf"
# Everything that Cloudflare allows and that means something somewhere.
password="a'b\\c\`d|e#f!g\$h&i;j{k}l[m]n~o%p*q"
[ "$daemon" = frr ] || password=" x  $password \\"
printf '%s\n' "$password" >"$work/password"
chmod 600 "$work/password"
cat >>"$conf" <<END
bgp {
	over = both
	announce = { 203.0.113.0/24, 2001:db8:cafe::/48 }
	password-file = $work/password
}
sync { table = 100 }
END
sed -i '0,/^}/s//\tlocal-as = 65010\n}/' "$conf"
cnictl up "$conf" --no-offload >"$work/up.log" 2>&1 || {
	cat "$work/up.log"
	exit 1
}
sed -i '/over = both/d' "$conf"

for f in 4 6; do
	prefixes $f | sort -u >"$work/all$f"
done
# A customer's, at the limit of what is accepted.
echo 5.5.5.0/24 >>"$work/all4"
echo 2a00:1234:5678::/48 >>"$work/all6"
cat >"$work/bad4" <<'END'
0.0.0.0/0
10.1.0.0/16
100.64.0.0/24
127.1.0.0/16
169.254.9.0/24
172.20.0.0/16
192.0.2.0/24
192.168.1.0/24
198.18.0.0/16
203.0.113.0/24
203.0.113.128/25
224.1.0.0/16
250.0.0.0/8
5.5.6.0/25
5.5.7.7/32
6.0.0.0/7
END
cat >"$work/bad6" <<'END'
::/0
::1/128
64:ff9b::/96
2001::/32
2001:db8:1::/48
2001:db8:cafe::/48
2001:db8:cafe:1::/64
2002:505::/32
2000::/3
2a00:1234:5679::/49
2a00:1234:5680::1/128
3fff::/24
fc00::/8
fe80::/64
ff00::/8
END
cat >"$work/magic4" <<'END'
0.0.0.0/0
10.1.0.0/16
100.96.0.0/12
172.20.1.1/32
198.51.100.64/29
END

statics() { sed 's|.*|route & blackhole;|' "$@"; }
# A path that doesn't begin with AS13335, as a route server's could: of 7.7.7.0/24.
cf_session()
{
	cat <<-END
	protocol bgp edge$1 {
		local $2 as 13335;
		neighbor $3 as 65010;
		password "${4-$password}";
		rs client on;
		$bfd
		connect delay time 1;
		connect retry time 1;
		error wait time 1, 2;
		ipv$1 {
			import all;
			export filter {
				if source != RTS_STATIC then reject;
				if proto = "wrong$1" then bgp_path.prepend(64500);
				else bgp_path.prepend(13335);
				accept;
			};
		};
	}
	END
}
# Whose addresses they are: Cloudflare's, and ours.
ends4=(192.0.2.10 192.0.2.11)
ends6=(2001:db8:12:3::7ac2:d64a 2001:db8:12:3::7ac2:d64b)
# cf_conf SUFFIX-OF-PREFIX-FILES [PASSWORD]
cf_conf()
{
	local pw=${2-$password}

	cat <<-END
	router id 192.0.2.10;
	protocol device {}
	protocol bfd {}
	protocol static all4 { ipv4; $(statics "$work/all4") }
	protocol static all6 { ipv6; $(statics "$work/all6") }
	protocol static more4 { ipv4; $(statics "$work/$1"4) }
	protocol static more6 { ipv6; $(statics "$work/$1"6) }
	protocol static wrong4 { ipv4; route 7.7.7.0/24 blackhole; }
	protocol static wrong6 { ipv6; route 2a00:7777::/32 blackhole; }
	$(cf_session 4 "${ends4[@]}" "$pw")
	$(cf_session 6 "${ends6[@]}" "$pw")
	END
}
: >"$work/magic6"
bfd=
ask_cf() { birdc -s "$work/cf.ctl" "$@"; }
cf_start()
{
	cf_conf "$1" "${2-$password}" >"$work/cf.conf"
	if [ -S "$work/cf.ctl" ]; then
		ask_cf configure
	else
		cf bird -c "$work/cf.conf" -s "$work/cf.ctl" -P "$work/cf.pid"
	fi
}
# What this side told Cloudflare of, with communities.
cf_has()
{
	ask_cf show route all where source = RTS_BGP |
		awk '/^[0-9a-f].*\// { p = $1 } /BGP.community/ { p = p " " $2 }
			/^[0-9a-f].*\// && n++ { print last } { last = p }
			END { print last }' | sort | xargs
}

# shellcheck disable=SC1090
[ "$far" = bird ] || . "$here/cnictl/far-$far" || exit 1

in_root() { if [ -n "$root" ]; then edge chroot "$root" "$@"; else edge "$@"; fi; }
edge_conf() { "$CNICTL" bgp-config "$daemon" "$conf" "$@"; }
run_bird()
{
	in_root bird -c "$work/edge.conf" -s "$work/edge.ctl" \
		-P "$work/edge.pid" "$@"
}
reload_bird() { in_root birdc -s "$work/edge.ctl" configure | grep -q Reconf; }
state_bird() { in_root birdc -s "$work/edge.ctl" "$@"; }
up_bird()
{
	[ "$(state_bird show protocols | grep -c Established)" = "${1:-2}" ]
}
run_frr()
{
	local d frr=/usr/lib/frr

	# They run as frr.
	mkdir -p "$root/run/frr" "$root/var/tmp/frr"
	chmod 777 "$work" "$root/run/frr" "$root/var/tmp/frr"
	[ -z "$root" ] || chmod 777 "$root/var/lib/frr"
	for d in mgmtd zebra bfdd bgpd; do
		# A newer part: it takes the lists and maps.
		[ -e "$root$frr/$d" ] || continue
		case $d in
		mgmtd) set -- ;;
		zebra) set -- -f /dev/null -s 33554432 ;;
		*) set -- -f /dev/null ;;
		esac
		in_root "$frr/$d" -d "$@" \
			-i "$work/$d.pid" --log "file:$work/$d.log" \
			>>"$work/frr.log" 2>&1 || {
			cat "$work/frr.log"
			return 1
		}
	done
	reload_frr
}
# vtysh is what FRR's own start reads frr.conf with.
reload_frr() { in_root vtysh -f "$work/edge.conf"; }
state_frr() { in_root vtysh -c "$*"; }
up_frr()
{
	[ "$(state_frr show bgp summary json |
		jq '[.. | .state? // empty | select(. == "Established")] | length')" \
		= "${1:-2}" ]
}
up() { "up_$daemon" "$@"; }

in_kernel()
{
	local f

	for f in 4 6; do
		ip -n edge -$f -j route show table 100 2>/dev/null | jq -r '.[].dst' |
			sed 's|^default$|'"$([ $f = 4 ] && echo 0.0.0.0/0 || echo ::/0)"'|
			/\//!s|$|'"$([ $f = 4 ] && echo /32 || echo /128)"'|' |
			sort >"$work/have$f"
	done
}
accepted()
{
	in_kernel
	sort -u "$work/all4" | diff - "$work/have4" &&
	sort -u "$work/all6" | diff - "$work/have6"
}
told() { [ "$(cf_has)" = "$*" ] || { cf_has; return 1; }; }

# Whatever a daemon says of its file is a complaint.
quiet()
{
	local out

	out=$("$@" 2>&1) || { echo "$out"; return 1; }
	# FRR says that of each file that has it, and newer ones how far they
	# are; of MD5 new versions of BIRD have a word that old ones don't know.
	out=$(grep -v -e "^Graceful restart configuration changed" \
		-e '^\[[0-9]*|' -e "^Waiting for children" \
		-e "^MGMTD: No changes found to be committed" \
		-e "assuming MD5" <<<"$out")
	[ -z "$out" ] || { echo "$out"; return 1; }
}

ok "a configuration is printed" edge_conf
install -m 600 /dev/null "$work/edge.conf"
edge_conf >"$work/edge.conf"
ok "the password is in it as it is" grep -qF -- "$password" "$work/edge.conf"
cf_start bad other >/dev/null
ok "$daemon takes it as printed" quiet "run_$daemon"
knocked() { [ "$(edge nstat -asz TcpExtTCPMD5Failure | awk '/MD5/ { print $2 }')" -gt 0 ]; }
ok "another password: its connections are refused" until_ok 20 knocked
not_ok "another password: no session" up 1
cf_start bad >/dev/null
ok "the password: both sessions are up" until_ok 60 up
[ "$tap_failed" = 0 ] || {
	tail -n 5 "$work"/*.log | sed 's/^/# /'
	echo "Bail out! no session to work with"
	exit $ksft_fail
}
ok "what is to be accepted is in the kernel" until_ok 60 accepted
ok "and nothing else" accepted
ok "only what is ours is announced" told 2001:db8:cafe::/48 203.0.113.0/24

# The daemon dies and comes back: Cloudflare keeps what it was told, and the
# kernel what came from there.
if [ "$daemon$far" = birdbird ]; then
	edge ip monitor route >"$work/monitor" &
	monitor=$!
	kill -9 "$(cat "$work/edge.pid")"
	until_ok 10 fails up
	ok "killed: Cloudflare's side waits for it" until_ok 10 told \
		2001:db8:cafe::/48 203.0.113.0/24
	ok "killed: the kernel keeps the routes" accepted
	rm -f "$work/edge.ctl"
	ok "it comes back" quiet run_bird -R
	ok "both sessions are up again" until_ok 60 up
	settled_again() { state_bird show status | grep -q "Daemon is up and running" &&
		! state_bird show status | grep -qi "recovery"; }
	ok "its recovery ends" until_ok 60 settled_again
	ok "the routes are the same" accepted
	# One that goes, to know that it would have been seen.
	ip -n edge route add 9.9.9.0/24 dev lo table 100
	ip -n edge route del 9.9.9.0/24 dev lo table 100
	deleted() { awk '/^Deleted.*table 100/ { print $2 }' "$work/monitor" | xargs; }
	never_gone() { [ "$(deleted)" = 9.9.9.0/24 ] || { deleted; return 1; }; }
	ok "and were never gone" until_ok 10 never_gone
	kill $monitor
	ok "Cloudflare's side has what is ours" told \
		2001:db8:cafe::/48 203.0.113.0/24
fi

# A part of the user's own, which goes on with what it has.
if [ "$daemon$far" = birdbird ]; then
	edge_conf --snippet >"$work/part.conf"
	{
		echo 'log syslog all; router id 192.0.2.99; protocol device {}'
		printf 'protocol kernel own%s { ipv%s { export where source = RTS_BGP; }; kernel table 100; merge paths on; }\n' 4 4 6 6
		echo 'protocol static mine { ipv4; route 198.18.5.0/24 unreachable; }'
		echo "include \"$work/part.conf\";"
	} >"$work/edge.conf"
	ok "snippet: $daemon takes a file that includes it" quiet reload_bird
	ok "snippet: both sessions are up" until_ok 60 up
	ok "snippet: what is to be accepted is in the kernel" until_ok 60 accepted
	ok "snippet: only what is ours is announced" told \
		2001:db8:cafe::/48 203.0.113.0/24
fi

if [ "$far" = bird ]; then
	edge_conf --bfd >"$work/edge.conf"
	bfd="bfd on;"
	cf_start bad >/dev/null
	ok "BFD: $daemon takes it as printed" quiet "reload_$daemon"
	bfd_up() { [ "$(ask_cf show bfd sessions | grep -c " Up ")" = 2 ]; }
	ok "BFD: both of its sessions are up" until_ok 60 bfd_up
	ok "BFD: both of BGP's, too" until_ok 60 up
	bfd=
	# What isn't in its file FRR keeps.
	[ "$daemon" = bird ] || in_root vtysh -c "conf t" \
		-c "router bgp 65010" \
		-c "no neighbor ${ends4[0]} bfd" \
		-c "no neighbor ${ends6[0]} bfd"
fi

# Magic's table: what is refused above is accepted, ours is not.
edge_conf --profile magic --extra 0.0.0.0/0 --extra 100.96.0.0/12 \
	--priority 50 >"$work/edge.conf"
for f in 4 6; do mv "$work/all$f" "$work/net$f"; done
{ cat "$work/net4"; echo 203.0.113.64/26; echo 127.1.0.0/16; } >"$work/all4"
cp "$work/net6" "$work/all6"
ok "Magic: $daemon takes it as printed" quiet "reload_$daemon"
cf_start magic >/dev/null
for f in 4 6; do cat "$work/net$f" "$work/magic$f" >"$work/all$f"; done
ok "Magic: what is to be accepted is in the kernel" until_ok 60 accepted
ok "Magic: and nothing else" accepted
ok "Magic: with its priority" told "2001:db8:cafe::/48 (13335,60050)" \
	"203.0.113.0/24 (13335,60050)"
[ "$far" = bird ] || tap_end

# The same over the tunnel, by addresses of its own.
edge_conf --over tunnels --profile magic --extra 0.0.0.0/0 \
	--extra 100.96.0.0/12 --priority 50 >"$work/edge.conf"
ok "tunnels: $daemon takes it as printed" quiet "reload_$daemon"
ends4=(10.99.0.0 10.99.0.1)
ends6=(fd99:: fd99::1)
cf_start magic >/dev/null
ok "tunnels: both sessions are up" until_ok 60 up
# Every route, and the way that it has.
by_tunnel()
{
	accepted || return 1
	[ "$(for f in 4 6; do ip -n edge -$f -j route show table 100; done |
		jq -r '.[] | "\(.gateway) \(.dev)"' | sort -u | xargs)" = \
		"10.99.0.0 cni-gre1 fd99:: cni-gre1" ]
}
ok "tunnels: what is to be accepted leads there" until_ok 60 by_tunnel
ok "tunnels: and nothing else" accepted
ok "tunnels: only what is ours is announced" \
	told "2001:db8:cafe::/48 (13335,60050)" "203.0.113.0/24 (13335,60050)"
tap_end
