#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# cnictl up and down: what they make, that a second time changes nothing, and
# that a failure leaves the system as it was. With and without the module.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common"

need_root_in_vm
bare_up || exit 1
until_ok 10 settled
make_conf || exit 1

up() { cnictl up "$conf" "$@"; }
down() { cnictl down "$conf"; }

unchanged()
{
	local rc

	snapshot >"$work/before"
	"$@"
	rc=$?
	snapshot >"$work/after"
	diff "$work/before" "$work/after" || return 99
	return $rc
}

made()
{
	ip -n edge -d link show eth0.1234 | grep -q "vlan protocol 802.1Q id 1234" &&
	ip -n edge addr show eth0.1234 | grep -q "inet 192.0.2.11/31" &&
	ip -n edge addr show eth0.1234 |
		grep -q "inet6 2001:db8:12:3::7ac2:d64b/127" &&
	ip -n edge -d link show cni-gre1 |
		grep -q "gre remote 198.51.100.1 local 192.0.2.11 ttl 64" &&
	ip -n edge link show cni-gre1 | grep -q "UP.* mtu 1476" &&
	ip -n edge route get 198.51.100.1 | grep -q "via 192.0.2.10 dev eth0.1234"
}

# Tunnels need not be lost for a wrong word in the file.
wrong() { sed "$1" "$conf" >"$work/wrong.conf"; }
sed 's/device = eth0/&\noffload = required/' "$conf" >"$work/required.conf"

says_which() { grep -q "ours (Acme): *192.0.2.11/31 *2001" "$work/init.log"; }
ok "init says whose address is whose" says_which
ok "init keeps what is there" status 1 make_conf

ok "dry run changes nothing" unchanged up --dry-run
ok "without offload" up --no-offload
ok "everything is there" made
ok "again: nothing to do" says "nothing to do" up --no-offload
ok "again: nothing changes" unchanged up --no-offload
ok "pings" cnictl ping "$conf" -c 3 -i 0.1
ok "pings, whole packets" cnictl ping "$conf" -c 2 -i 0.1 --df --size 1500
ok "pings, too big" status 1 cnictl ping "$conf" -c 1 --df --size 1501
ip -n edge link set cni-gre1 mtu 1400
ip -n edge link set cni-gre1 type gre local 192.0.2.11 remote 198.51.100.1 ttl 3
ip -n edge addr del 192.0.2.11/31 dev eth0.1234
ok "puts right what differs" up --no-offload
ok "everything is there again" made

# Without the module, nftables clamps TCP's MSS.
table="nft list table inet cnictl_eth0_1234"
ok "the MSS, by nft" says 'oifname "cni-gre1" meta nfproto ipv6 tcp flags syn tcp option maxseg size set 1416' \
	edge $table
cat >"$work/mss.py" <<'END'
import socket, sys
if sys.argv[1] == "serve":
    s = socket.create_server(("", 8000))
    while True:
        s.accept()[0].close()
c = socket.create_connection((sys.argv[2], 8000), 10, (sys.argv[1], 0))
print(c.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG))
END
for n in lan cf; do
	ip netns exec $n /usr/bin/python3 "$work/mss.py" serve &
	servers="${servers-} $!"
done
ip -n edge route add 104.16.0.0/13 dev cni-gre1
# is_mss NAMESPACE FROM TO BYTES: as that end has it of a connection, without the
# 12 bytes of time stamps
is_mss()
{
	[ "$(ip netns exec "$1" /usr/bin/python3 "$work/mss.py" "$2" "$3")" \
		= $(($4 - 12)) ]
}
sed 's/mss = auto/mss = 1000/' "$conf" >"$work/mss.conf"
ok "another MSS" says "nft table inet cnictl_eth0_1234: cni-gre1 mss 1000" \
	cnictl reload "$work/mss.conf" --no-offload
ok "another MSS: of what comes in" until_ok 20 is_mss lan 10.9.0.2 104.16.0.1 1000
ok "another MSS: of what goes out" is_mss cf 104.16.0.1 10.9.0.2 1000
edge nft add rule inet cnictl_eth0_1234 out accept comment '"not ours"'
with_module() { CNILINK_KO=/nonexistent cnictl up "$work/mss.conf" --require-offload; }
ok "a failure: the rules are as they were" status 1 unchanged with_module
sed 's/mss = auto/mss = off/' "$conf" >"$work/mss.conf"
ok "no MSS" cnictl reload "$work/mss.conf" --no-offload
not_ok "no MSS: no rules" edge $table
ok "an MSS again" up --no-offload
ok "an MSS again: it's there" edge $table
# shellcheck disable=SC2086
kill $servers
ip -n edge route del 104.16.0.0/13
ok "down" down
not_ok "no rules are left" edge $table
ok "down again: nothing to do" says "nothing to do" down

# What is there already on the machines that people have.
ip -n edge link add link eth0 name cfvlan type vlan id 1234
ok "the VLAN has another name: status" status 1 unchanged up --no-offload
ok "the VLAN has another name: which" says "name = cfvlan" up --dry-run
ok "the VLAN has another name: check" says "name = cfvlan" \
	cnictl check "$conf" --interval 0.1
ip -n edge link del cfvlan
edge sysctl -qw net.ipv6.conf.default.disable_ipv6=1
ok "IPv6 is disabled: status" status 1 unchanged up --no-offload
ok "IPv6 is disabled: what to do" says \
	"sysctl -w net.ipv6.conf.default.disable_ipv6=0" up --dry-run
edge sysctl -qw net.ipv6.conf.default.disable_ipv6=0
ip -n edge link set eth0 mtu 9000
ok "a port with an MTU of 9000: says so" says "not the 9000 of eth0" \
	up --no-offload
ok "a port with an MTU of 9000: the link has 1500" says " mtu 1500 " \
	ip -n edge link show eth0.1234
ok "a port with an MTU of 9000: again" says "nothing to do" up --no-offload
ok "a port with an MTU of 9000: save" says "vlan = 1234" cnictl save
not_ok "a port with an MTU of 9000: it's what is so anyway" says mtu \
	cnictl save
wrong 's/vlan = 1234/&\nmtu = 9000/'
ok "as the file says" cnictl reload "$work/wrong.conf" --no-offload
ok "as the file says: it has" says " mtu 9000 " ip -n edge link show eth0.1234
ok "no more" cnictl reload "$conf" --no-offload
ok "no more: it's 1500 again" says " mtu 1500 " ip -n edge link show eth0.1234
ip -n edge link set eth0 mtu 1500
# pair WORDS: up and check say why packets don't go to the other end
pair()
{
	says "$1" up --no-offload && says "$1" cnictl check "$conf" --interval 0.1
}
ip -n edge link add dum0 type dummy
ip -n edge addr add 192.0.2.11/24 dev dum0
ok "the address is on another device, too" pair \
	"192.0.2.11 is on dum0, too, as 192.0.2.11/24"
ip -n edge addr del 192.0.2.11/24 dev dum0
ip -n edge link set dum0 up
ip -n edge route add 192.0.2.10 dev dum0
ok "the other end is routed elsewhere" pair \
	"packets to 192.0.2.10 leave by dum0, not by eth0.1234"
ip -n edge link del dum0
for how in "broadcast 192.0.2.10" noprefixroute; do
	ip -n edge addr del 192.0.2.11/31 dev eth0.1234
	# shellcheck disable=SC2086
	ip -n edge addr add 192.0.2.11/31 $how dev eth0.1234
	case $how in
	noprefixroute) words="no route leads to 192.0.2.10" ;;
	*) words="192.0.2.10 is a broadcast address" ;;
	esac
	ok "the address has $how" pair "$words"
done
ip -n edge addr del 192.0.2.11/31 dev eth0.1234
ok "the pair is put right" up --no-offload
not_ok "the pair is right" says "[!]" up --no-offload
ok "down" down

ip -n edge link set eth0 down

# The failures. Each must leave all as it was.
ip -n edge link add cni-gre1 type gre local 192.0.2.11 remote 198.51.100.77
ok "its name is another tunnel's" status 1 unchanged up --no-offload
ok "its name is another tunnel's: a dry run says so" says \
	"a tunnel cni-gre1 already, from 192.0.2.11 to 198.51.100.77" \
	up --no-offload --dry-run
ip -n edge link del cni-gre1
wrong 's/tunnel cni-gre1/tunnel gre0/'
ok "its name is the kernel's" status 2 unchanged \
	cnictl up "$work/wrong.conf" --dry-run
ip -n edge link add other type gre local 192.0.2.11 remote 198.51.100.1 ttl 9
ok "a tunnel in the way: status" status 1 unchanged up --no-offload
ok "a tunnel in the way: says so" says "another tunnel" up --no-offload
ip -n edge link del other
ip -n edge link add link eth0 name eth0.1234 type vlan id 1234
for opts in "local 192.0.2.11 remote 198.51.100.1" "remote 198.51.100.1" ""; do
	# shellcheck disable=SC2086
	ip -n edge link add other type gre $opts dev eth0.1234
	ok "a tunnel bound to the link (${opts:-no ends}): status" \
		status 1 unchanged up --no-offload
	ok "a tunnel bound to the link: says so" says "another tunnel, other" \
		up --no-offload
	ip -n edge link del other
done
ip -n edge link add other type gre local 192.0.2.11 remote 198.51.100.1 \
	key 5 dev eth0.1234
ok "one with a key isn't in the way" up --no-offload
ip -n edge link del other
ok "down again" down
ip -n edge link del eth0.1234
ip -n edge link add eth0.1234 type dummy
ok "a device in the way" status 1 unchanged up --no-offload
ip -n edge link del eth0.1234
wrong 's/device = eth0/device = eth9/'
ok "no such device" status 1 unchanged cnictl up "$work/wrong.conf"
wrong 's/port eth1/port eth9/'
ok "no such port" status 1 unchanged cnictl up "$work/wrong.conf" \
	--require-offload
wrong 's/vlan = 1234/vlan = 5000/'
ok "a wrong file: status" status 2 unchanged cnictl up "$work/wrong.conf"
ok "a wrong file: the line" says "wrong.conf:5: vlan 5000" \
	cnictl up "$work/wrong.conf"
ok "no file" status 2 unchanged cnictl up /nonexistent
no_module() { CNILINK_KO=/nonexistent cnictl "$@"; }
gone() { ! ip -n edge link show eth0.1234 2>/dev/null; }
ok "the module is required and can't be loaded: all is undone" \
	status 1 unchanged no_module up "$conf" --require-offload
ok "so it is as a setting" status 1 unchanged no_module up "$work/required.conf"
ok "required, and left out" status 2 up --require-offload --no-offload
ok "without the module the link comes up, and says why" \
	says "[!] no fast path: can't open /nonexistent" no_module up "$conf"
ok "without the module: status" no_module up "$conf"
ok "without the module: everything is there" made
ok "without the module: nftables keeps to the MSS" edge $table
ok "without the module: down" down
ok "without the module: nothing is left" gone

# One at a time.
mkdir -p /run/cnilink
(flock 9 && exec sleep 600) 9>/run/cnilink/lock &
holder=$!
until_ok 10 fails flock -n /run/cnilink/lock true
up --no-offload >"$work/waits" 2>&1 &
waits=$!
ok "another one is at work: waits" until_ok 20 grep "waiting for it" "$work/waits"
kill $holder
wait $waits
ok "until it's done" test $? = 0
ok "it's up then" made
edge sysctl -qw net.ipv6.conf.all.forwarding=0
ok "one version isn't forwarded: says which, and what to do" \
	says "[!] the kernel forwards no IPv6 packets: sysctl -w" up --no-offload
edge sysctl -qw net.ipv6.conf.all.forwarding=1
mkdir -p /etc/cnilink
cp "$conf" /etc/cnilink/acme.conf
ok "by the name of its service" says "[=]" cnictl up acme --no-offload
ok "no such name" status 2 cnictl up nothing
rm /etc/cnilink/acme.conf
ok "nobody but root can hold it up" fails setpriv --reuid 65534 --clear-groups \
	flock -n /run/cnilink/lock true
ok "down" down
two_at_once()
{
	local first rc

	nsenter --net=/run/netns/edge strace -qqo /dev/null -e trace=sendto \
		-e inject=sendto:delay_enter=30000 "$CNICTL" up "$conf" \
		--no-offload &
	first=$!
	sleep 0.3
	up --no-offload
	rc=$?
	wait $first && [ $rc = 0 ]
}
ok "two at once: both are content" two_at_once
ok "two at once: everything is there" made
# What another link counts on stays, whatever this one takes back.
sed 's/link cloudflare/link two/; s/1234/1236/; s/cni-gre1/cni-gre9/
	s/198.51.100.1/198.51.100.9/; s/192.0.2.1\([01]\)/192.0.2.2\1/
	/local6/d; /peer6/d' "$conf" >"$work/two.conf"
sed 's/device = eth0/&.1234/; s/1236/7/' "$work/two.conf" >"$work/on.conf"
ok "a link on this one's VLAN" cnictl up "$work/on.conf" --no-offload
ok "the VLAN stays for it" says "eth0.1234 stays as it is: the link 'two' uses it" \
	down
ok "it's there" ip -n edge link show eth0.1234.7
ok "it goes" cnictl down "$work/on.conf"
ok "up again" up --no-offload
ip -n edge link set eth0 down
ok "a second link fails" status 1 no_module up "$work/two.conf" \
	--require-offload
ok "the port of both stays up" says "state UP" ip -n edge link show eth0
ok "down" down
ip -n edge link set eth0 down

# Ctrl-C, while the kernel looks for a duplicate of the IPv6 address.
interrupted()
{
	# Not by way of "ip netns exec": kill is to hit cnictl itself.
	nsenter --net=/run/netns/edge "$CNICTL" up "$conf" --no-offload \
		>"$work/log" 2>&1 &
	local pid=$!

	until_ok 5 grep -q "proto 198" "$work/log"
	kill -INT $pid
	wait $pid
}
ok "interrupted" status 1 unchanged interrupted

# Cloudflare's side has our address: found by duplicate address detection.
ip -n cf addr add 2001:db8:12:3::7ac2:d64b/127 dev eth0.1234 nodad
ok "address in use" says "in use at the other end" up --no-offload
ok "address in use: all is undone" gone
ip -n cf addr del 2001:db8:12:3::7ac2:d64b/127 dev eth0.1234

# What somebody else made stays.
ip -n edge link set eth0 up
ip -n edge link add link eth0 name eth0.1234 type vlan id 1234
ip -n edge link set eth0.1234 up
ip -n edge addr add 192.0.2.11/31 dev eth0.1234
snapshot >"$work/theirs"
up --no-offload >"$work/log" 2>&1
ok "over what is there already" made
down >"$work/log" 2>&1
snapshot >"$work/after"
ok "what was there stays" diff "$work/theirs" "$work/after"
ip -n edge link del eth0.1234

# With the module.
has() { cnictl -j show | grep -q "$1"; }
ok "no module: show says so" says "isn't loaded" cnictl show
ok "no module: status" status 1 cnictl show
ok "without it once more" up --no-offload
ok "with the module" up
ok "everything is there" made
not_ok "the module clamps now" edge $table
ok "the module has the link" has '"dev": "eth0.1234"'
ok "the module has the tunnel" has '"dev": "cni-gre1"'
ok "the module has the port" has '"dev": "eth1"'
offloaded()
{
	cnictl -j show | python3 -c '
import json, sys
s = json.load(sys.stdin)
for kind in "links", "tunnels", "ports":
    for o in s[kind]:
        if not o["offloaded"]:
            sys.exit("%s: %s" % (o["dev"], o["blockers"]))
'
}
ok "all of it offloaded" until_ok 10 offloaded
ok "again: nothing to do" says "nothing to do" up
ok "down" down
ok "nothing is left" gone
nothing() { ! cnictl show | grep -qE '^(link|tunnel|port)'; }
ok "nothing is left in the module" nothing
ok "down again: nothing to do" says "nothing to do" down

# It, or a port, comes later: reload or sync enrols it.
rmmod cnilink
ok "no module yet" no_module up "$conf"
ok "reload gives it what is up" cnictl reload "$conf"
ok "it has it" has '"dev": "cni-gre1"'
not_ok "nftables is done with it" edge $table
ok "down" down
rmmod cnilink
wrong '$a port eth9 {}'
ok "a port that isn't there: says so" says "[!] no fast path from eth9" \
	no_module up "$work/wrong.conf"
# Anybody can have a name that isn't a file's.
cat >"$work/fake.py" <<'END'
import os, socket, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("\0cnictl-sync")
os.setresuid(65534, 65534, 65534)
time.sleep(100)
END
# Not by way of "ip netns exec": kill is to hit these themselves.
nsenter --net=/run/netns/edge python3 "$work/fake.py" &
fake=$!
until_ok 5 says cnictl-sync edge cat /proc/net/unix
syncs() { cnictl metrics | grep "^cnilink_sync_running $1"; }
nsenter --net=/run/netns/edge "$CNICTL" sync "$work/wrong.conf" \
	>"$work/sync.log" 2>&1 &
sync=$!
insmod "$CNILINK_KO"
ok "the module comes: sync gives it what is up" until_ok 10 has '"dev": "cni-gre1"'
ok "the module comes: and the ports" until_ok 10 has '"dev": "eth1"'
ok "the module comes: nftables is done" until_ok 10 fails edge $table
ok "whoever fakes it: sync runs" until_ok 20 grep -q READY "$work/sync.log"
ok "sync runs: metrics say so" syncs 1
ip link add eth9 netns edge type veth peer name eth9 netns lan
ok "the port comes: sync gives it, too" until_ok 10 has '"dev": "eth9"'
ip -n edge link del eth9
ip -n edge link del cni-gre1
until_ok 5 fails has '"dev": "cni-gre1"'
ip -n edge link add cni-gre1 type gre local 192.0.2.11 remote 198.51.100.1 ttl 64
ok "a tunnel is made anew: sync gives it again" until_ok 10 has '"dev": "cni-gre1"'
ip -n edge link del cni-gre1
kill $sync
wait $sync
ok "no sync: nobody pretends" syncs 0
kill $fake
ok "down" cnictl down "$work/wrong.conf"
ok "up once more" up
ok "port set" cnictl port set eth1 bypass-netfilter on
ok "port set: shown" says "steps over netfilter" cnictl show port
ok "up puts it back" up
not_ok "up put it back" says "steps over netfilter" cnictl show port

has_addr() { ip -n edge addr show | grep -q "inet6* $1 "; }

# What isn't said stays.
pairs()
{
	[ "$(cnictl -j show link | jq -c '.[0] | [.local4, .peer4, .local6, .peer6]')" = "$1" ]
}
v6='"2001:db8:12:3::7ac2:d64b","2001:db8:12:3::7ac2:d64a"'
ok "link set: one family" cnictl link set eth0.1234 \
	local4 192.0.2.13/31 peer4 192.0.2.12
ok "link set: the other stays" pairs "[\"192.0.2.13\",\"192.0.2.12\",$v6]"
ok "link set: the peer alone" cnictl link set eth0.1234 peer4 192.0.2.14
ok "link set: our address stays" pairs "[\"192.0.2.13\",\"192.0.2.14\",$v6]"
ok "link set: as it was" cnictl link set eth0.1234 local4 192.0.2.11 \
	peer4 192.0.2.10
ok "link set: it is" pairs "[\"192.0.2.11\",\"192.0.2.10\",$v6]"
ok "link add: it's there" status 1 cnictl link add eth0.1234 peer4 192.0.2.10
ok "port set: an MSS" cnictl port set eth1 mss 1400
ok "port set: a flag" cnictl port set eth1 strict-source on
ok "port set: the MSS stays" says "1400" cnictl -j show port
ok "port set: off" cnictl port set eth1 mss off strict-source off
ok "a rate without a health check" status 2 \
	cnictl tunnel set cni-gre1 health-rate 7

# Options of the tunnel, from the file and by hand.
ok "the MSS of the file" has '"mss4": 1436'
sed 's|mss = auto|mss = 1400\nhealth-check = reply\naddress4 = 10.99.0.1/31\naddress6 = fd99::1/127|' \
	"$conf" >"$work/opts.conf"
echo 'bgp { over = tunnels }' >>"$work/opts.conf"
ok "up with other options" says \
	"tunnel set cni-gre1 mss 1400 health reply bidirectional 10.99.0.1 10.99.0.0" \
	cnictl up "$work/opts.conf"
ok "IPv6 sessions over it have a link-local address" has_addr fe80::1/64
ok "up with them again: nothing to do" says "nothing to do" \
	cnictl up "$work/opts.conf"
ok "the health check is shown" says "echo reply, bidirectional, of 10.99.0.0/32 for 10.99.0.1" \
	cnictl show tunnel
ok "tunnel set" cnictl tunnel set cni-gre1 health request unidirectional \
	192.0.2.11 172.64.0.0/13 health-rate 7
ok "it's set" has '"peer": "172.64.0.0/13"'
ok "the rest stays" has '"mss4": 1400'
ok "tunnel set: a flag" cnictl tunnel set cni-gre1 bypass-netfilter on
ok "the flag is shown" says "bypassed for its outer packets" cnictl show tunnel
ok "tunnel set: off" cnictl tunnel set cni-gre1 mss off health off
off() { ! cnictl -j show | grep -qE '"(mss4|health)"'; }
ok "they're off" off
ok "no such MSS" status 2 cnictl tunnel set cni-gre1 mss 5
ok "no such health check" status 2 cnictl tunnel set cni-gre1 health maybe
ok "what the module refuses" status 1 cnictl tunnel set cni-gre1 \
	health reply bidirectional 10.99.0.1 10.99.0.0/31
ok "up says what isn't in the file any more" says \
	"the address 10.99.0.1/31 of cni-gre1" up
ok "reload puts the options back" says "mss 1436 bypass-netfilter off" \
	cnictl reload "$conf"
not_ok "and takes the address away" has_addr 10.99.0.1/31
not_ok "and the link-local one" has_addr fe80::1/64

ok "a port can't be added twice" status 1 cnictl port add eth1
ok "no such device" status 1 cnictl port add eth9
ok "no such setting" status 2 cnictl port set eth1 speed 9
ok "tunnel del" cnictl tunnel del cni-gre1
ok "tunnel del again" status 1 cnictl tunnel del cni-gre1
ok "down without the tunnel" down

# A tunnel over IPv6
modprobe ip6_gre
ip -n cf addr add 2001:db8:ffff::1/128 dev lo nodad
conf6=$work/six.conf
sed 's/local = .*/local = 2001:db8:12:3::7ac2:d64b/
	s/remote = .*/remote = 2001:db8:ffff::1/' "$conf" >"$conf6"
up6() { cnictl up "$conf6" "$@"; }
made6()
{
	ip -n edge -d link show cni-gre1 | grep -q "ip6gre remote 2001:db8:ffff::1 local 2001:db8:12:3::7ac2:d64b hoplimit 64 encaplimit $1 " &&
	ip -n edge link show cni-gre1 | grep -q "UP.* mtu $2" &&
	ip -n edge route get 2001:db8:ffff::1 |
		grep -q "via 2001:db8:12:3::7ac2:d64a dev eth0.1234"
}
ok "over IPv6" up6
ok "over IPv6: it's there" made6 none 1456
ok "over IPv6: all of it offloaded" until_ok 10 offloaded
ok "over IPv6: the endpoints" has '"remote6": "2001:db8:ffff::1"'
ok "over IPv6: again: nothing to do" says "nothing to do" up6
ip -n edge link set cni-gre1 type ip6gre local 2001:db8:12:3::7ac2:d64b \
	remote 2001:db8:ffff::1 hoplimit 9 tclass 0x20 flowlabel 0x7
ok "over IPv6: puts right what differs" up6
ok "over IPv6: it's there again" made6 none 1456
sed -i 's/ttl = 64/ttl = 64 encap-limit = 4/' "$conf6"
ok "over IPv6: with an encapsulation limit" up6
ok "over IPv6: the limit is there" made6 4 1448
ok "over IPv6: to IPv4 and back" cnictl reload "$conf"
ok "over IPv6: it's a gre device" made
ok "over IPv6: reload" cnictl reload "$conf6"
ok "over IPv6: with the limit again" made6 4 1448
ok "over IPv6: down" cnictl down "$conf6"
ok "over IPv6: the route is gone" \
	fails ip -n edge -6 route get 2001:db8:ffff::1
rmmod cnilink
bare_down
tap_end
