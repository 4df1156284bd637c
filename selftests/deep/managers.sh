#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Other network managers beside two links that are up, with the lines of
# README.md that keep them off, and without: then what it says they take is
# gone, and nothing else, check names it, and up puts the links' back.

# shellcheck source=selftests/cnictl/common
. "$(dirname "$0")/../cnictl/common"
need_root_in_vm
networkd=/lib/systemd/systemd-networkd
for f in $networkd /usr/sbin/NetworkManager /usr/sbin/ifup \
	/usr/bin/dbus-daemon; do
	[ -x $f ] || {
		echo "1..0 # SKIP needs ${f##*/}: scripts/deps check-deep"
		exit $ksft_skip
	}
done

conf2=$work/two.conf
bare_up || exit 1
make_conf || exit 1
# By README.md's names; the second link has a tunnel to the first one's end.
sed -i 's/cni-gre1/gre1/
	s/^\tdevice = .*/&\n\tstatic = { 198.18.0.0\/15 }/
	s/^\tremote = .*/&\n\taddress4 = 10.99.0.1\/31\n\taddress6 = fd99::1\/127/' \
	"$conf"
sed '/local6\|peer6\|static\|address/d; /^port/,$d; s/cloudflare/two/; s/gre1/gre2/
	s/1234/1235/; s/192\.0\.2\.1\([01]\)/192.0.2.2\1/' "$conf" >"$conf2"

up_both() { cnictl up "$conf" && cnictl up "$conf2"; }
# As FRR has its routes.
objects=1
objects_up()
{
	ip -n edge nexthop replace id 7 via 10.9.0.2 dev eth1 proto zebra &&
	ip -n edge nexthop replace id 8 via 192.0.2.10 dev eth0.1234 \
		proto zebra &&
	ip -n edge nexthop replace id 9 group 8 proto zebra &&
	ip -n edge route replace 203.0.114.0/24 nhid 7 proto bgp &&
	ip -n edge route replace 203.0.115.0/24 nhid 8 proto bgp &&
	ip -n edge route replace 203.0.116.0/24 nhid 9 proto bgp
}
bgp() { ip -n edge route replace "$@" proto bird; }
others_up()
{
	ip -n edge link set eth1 up &&
	ip -n edge addr replace 10.9.0.1/24 brd + dev eth1 &&
	bgp 104.16.0.0/13 via 192.0.2.10 &&
	bgp 2606:4700::/32 via 2001:db8:12:3::7ac2:d64a dev eth0.1234 &&
	bgp 172.64.0.0/13 dev gre1 &&
	bgp 203.0.113.0/24 via 10.9.0.2 &&
	bgp blackhole 203.0.112.0/24 && { [ -z "$objects" ] || objects_up; }
}
# As somebody made it anew, not the kernel.
main_anew()
{
	ip -n edge rule del pref 32766 2>/dev/null
	ip -n edge rule add pref 32766 lookup main
}
# What there is of both links and of others' routes, a line each, without what
# changes when a device below goes down.
there()
{
	{
		for d in eth0.1234 eth0.1235 gre1 gre2; do
			ip -n edge -d -o link show $d | sed 's/<[^>]*>//
				s/qdisc .* link\//link\//; s/ addrgenmode [^ ]*//'
		done
		ip -n edge -o addr show scope global
		ip -n edge -4 route show table all
		ip -n edge -6 route show table all
		ip -n edge rule show | sed 's/^/rule4 /'
		ip -n edge -6 rule show | sed 's/^/rule6 /'
		ip -n edge nexthop show
	} | grep -v 'table local \|fe80::\|^multicast ' |
		sed 's/ *valid_lft .*//; s/ linkdown//; s/ *$//'
}
same() { there | diff "$work/before" -; }
# lost PATTERN: what has it is gone, and nothing else
lost()
{
	grep -v "$1" "$work/before" >"$work/left"
	there | diff "$work/left" -
}
# Addresses and routes of the links and their tunnels.
of_links=': \(eth0\|gre\)[^ ]*  *inet\|dev \(eth0\|gre\)'
put_back() { main_anew && up_both && others_up && same; }
# fails_with WORDS: check has a line that fails with them
fails_with()
{
	cnictl check "$conf" >"$work/check"
	grep -q "^FAIL .*$1" "$work/check" || {
		cat "$work/check"
		return 1
	}
}
# lines PROGRAM: README.md's commands that keep it off but for the restart, with
# the second link's devices beside the first one's
lines()
{
	sed -n "/^\*\*$1\*\*/,/^\*\*/p" "$top/README.md" |
		sed -n '/^```/,/^```/{/^```/d; /^systemctl/d; p}' |
		sed 's/^Name=.*/& eth0.1235 gre2/
			s/^unmanaged-devices=.*/&;interface-name:eth0.1235;interface-name:gre2/'
}

ip -n edge -4 addr flush dev eth1
main_anew
ok "both links come up" up_both
ok "others' routes" others_up
there >"$work/before"
grep -q "^rule4 198:.*from 192.0.2.21 lookup" "$work/before" || {
	sed 's/^/# /' "$work/before"
	echo "Bail out! nothing to take away"
	exit $ksft_fail
}

# They wait until udev has seen a device, and here it doesn't run.
mkdir -p /run/udev/data /run/dbus /run/network
touch /run/udev/control
for i in $(edge sh -c 'cat /sys/class/net/*/ifindex'); do
	echo I:1 >"/run/udev/data/n$i"
done
dbus-daemon --system --nofork --nopidfile >"$work/dbus.log" 2>&1 &
bus=$!
until_ok 20 test -S /run/dbus/system_bus_socket

pid=$work/pid
trap 'stop; kill $bus; rm -rf "$work"' EXIT
# start CMD...: in place of the one that runs
start()
{
	stop
	# Not edge(): kill is to hit the daemon itself.
	ip netns exec edge "$@" >"$work/log" 2>&1 &
	echo $! >"$pid"
}
stop()
{
	[ -e "$pid" ] || return 0
	kill "$(cat "$pid")"
	until_ok 60 fails kill -0 "$(cat "$pid")"
	rm "$pid"
}
# waits CMD...: until it succeeds, or the daemon's log
waits()
{
	until_ok 120 "$@" && return
	tail -n 20 "$work/log"
	return 1
}

etc=/etc/systemd
states=/run/systemd/netif/links
# configured DEVICE: it is, and none is to be any more
configured()
{
	grep -q '^ADMIN_STATE=configured' \
		"$states/$(edge cat "/sys/class/net/$1/ifindex")" &&
		! grep -q '^ADMIN_STATE=\(pending\|initialized\|configuring\)' \
			$states/*
}
start_networkd()
{
	stop
	rm -rf /run/systemd/netif
	mkdir -p $states
	chown -R systemd-network: /run/systemd/netif
	start $networkd
	waits configured eth1
}
# networkctl_does DEVICE CMD...: and waits until DEVICE is configured anew
networkctl_does()
{
	local dev=$1
	shift

	rm $states/*
	edge networkctl "$@" && waits configured "$dev"
}
# usual [MORE]: as a host has it for its LAN port, with more in [Network]
usual()
{
	rm -rf $etc/network $etc/networkd.conf.d
	mkdir -p $etc/network
	printf '[Match]\nName=eth1\n[Network]\nAddress=10.9.0.1/24\n%s\n' \
		"${1-}" >$etc/network/50-lan.network
}
# And for all the others.
all_devices()
{
	printf '[Match]\nName=*\n[Network]\nLinkLocalAddressing=no\n%s\n' \
		"${1-}" >$etc/network/60-all.network
}

who="networkd, the lines"
usual KeepConfiguration=yes
all_devices KeepConfiguration=yes
ok "$who: they are README's" sh -ec "$(lines systemd-networkd)"
ok "$who: it starts" start_networkd
ok "$who: nothing is lost" same
ok "$who: it starts again" start_networkd
ok "$who: nothing is lost then" same
touch $etc/network/60-all.network
ok "$who: reload" networkctl_does eth0 reload
ok "$who: nothing is lost by that" same
ok "$who: reconfigure" networkctl_does eth1 reconfigure eth1
ok "$who: what is lost by that" lost "^203.0.113.0/24 via"
stop
ok "$who: put back" put_back

who="networkd, the lines but KeepConfiguration"
by_lan="via 10\.9\.0\.2\|^203.0.116.0.*nhid\|^id 9 "
usual
all_devices
ok "$who: they are README's" sh -ec "$(lines systemd-networkd)"
ok "$who: it starts" start_networkd
ok "$who: what is lost" lost "$by_lan"
stop
ok "$who: put back" put_back

rules="^rule4 198:\|^rule4 32766:"
who="networkd, the LAN port alone"
usual
ok "$who: it starts" start_networkd
ok "$who: what is lost" lost \
	"$by_lan\|^blackhole\|$rules"
ok "$who: check names it" fails_with \
	"no policy routing rule leads to the table main"
stop
ok "$who: put back" put_back

who="networkd, all devices"
all_devices
ok "$who: it starts" start_networkd
ok "$who: what is lost" lost \
	"$of_links\|$by_lan\|^blackhole\|$rules"
ok "$who: check names it" fails_with "isn't on eth0.1234"
stop
ok "$who: put back" put_back

# Those are gone with each device that goes down.
objects=
ip -n edge nexthop flush >/dev/null
there >"$work/before"

NM=/etc/NetworkManager
start_nm()
{
	rm -rf /run/NetworkManager
	start /usr/sbin/NetworkManager --no-daemon
	waits nm_has eth1 "connected (externally)"
}
nm_has() { nmcli -g DEVICE,STATE device | grep -q "^$1:$2"; }
# On a busy machine it doesn't wait until that's done.
networking() { nmcli networking "$1" >/dev/null 2>&1; }
lan_bare() { [ -z "$(ip -n edge -4 -o addr show eth1)" ]; }
by_dhcp()
{
	nmcli -g ipv4.method connection show \
		"$(nmcli -g GENERAL.CONNECTION device show "$1")" | grep -qx auto
}

who="NetworkManager, the lines"
rm -rf $NM/conf.d/*
ok "$who: they are README's" sh -ec "$(lines NetworkManager)"
ok "$who: it starts" start_nm
ok "$who: nothing is lost" same
ok "$who: it starts again" start_nm
ok "$who: nothing is lost then" same
for d in eth0 eth0.1234 gre1; do
	ok "$who: it leaves $d alone" nm_has $d unmanaged
done
networking off
ok "$who: networking off takes the LAN port's" waits lan_bare
ok "$who: and nothing of the links'" lost "10\.9\.0\."
networking on
ok "$who: networking on takes the LAN port" waits nm_has eth1 connecting
ok "$who: and nothing of the links' then" lost "10\.9\.0\."
stop
ok "$who: others' put back" others_up
ok "$who: all is as it was" same

who=NetworkManager
rm $NM/conf.d/*
ok "$who: it starts" start_nm
ok "$who: the port gets a connection" waits nm_has eth0 connecting
ok "$who: with DHCP" by_dhcp eth0
for d in eth0.1234 gre1; do
	ok "$who: it calls $d external" nm_has $d "connected (externally)"
done
ok "$who: nothing is lost" same
networking off
ok "$who: networking off takes the LAN port's" waits lan_bare
ok "$who: and the links'" waits lost "$of_links\|10\.9\.0\."
ok "$who: check names it" fails_with "eth0 is down"
networking on
stop
ok "$who: put back" put_back

who=ifupdown
printf 'auto eth1\niface eth1 inet static\n\taddress 10.9.0.1/24\n' \
	>/etc/network/interfaces
ok "$who: ifdown" edge ifdown --force eth1
ok "$who: it takes the LAN port's, and nothing of the links'" \
	lost "10\.9\.0\."
ok "$who: ifup" edge ifup -a
ok "$who: it doesn't bring others' back" lost "via 10\.9\.0\.2"
tap_end
