#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# up, reload and down are done whole or not at all: each of their changes to the
# system is made to fail in turn, and each is followed by a Ctrl-C in turn, by
# strace's fault injection. After a failure all is as it was, byte for byte.
# Each sixth change is tested so, by the one and the other in turn; with CNI_DEEP=1
# each one is.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common"

need_root_in_vm
bare_up || exit 1
# The kernel is to load these for what cnictl makes, and lose them again.
ip -n cf link del gre1
ip -n cf link del eth0.1234
kinds="ip6_gre ip6_tunnel tunnel6 ip_gre ip_tunnel gre 8021q"
no_kinds() { rmmod $kinds 2>/dev/null; ! grep -qE '^(ip_gre|8021q) ' /proc/modules; }
until_ok 10 no_kinds
edge sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
until_ok 10 settled
make_conf || exit 1
sed -i 's|mss = auto|mss = auto\naddress4 = 10.99.0.1/31\naddress6 = fd99::1/127|' \
	"$conf"
cat >>"$conf" <<END
tunnel gre2 { local = 192.0.2.11 remote = 198.51.100.2 mtu = 1400
	mss = 1300 address4 = 10.98.0.1/31 health-check = reply }
END
# Everything a reload can do: add, change, replace, rename, remove.
sed 's/vlan = 1234/vlan = 1235/; s/d64b/d64d/; s/d64a/d64c/
	s/10.99.0.1/10.99.0.3/; s/ttl = 64/ttl = 63/; s/gre2/gre3/
	s/bypass-netfilter = false/strict-source = true/' "$conf" >"$work/new.conf"
cat >>"$work/new.conf" <<END
tunnel gre6 { remote = 2001:db8:ffff::1 }
END

all()
{
	printf '%s\n' 'link show' 'addr show' 'route show table all' 'rule show' |
		ip -n edge -d -batch - |
		sed 's/valid_lft .*//; s/ qdisc [a-z]*//; s/ state UNKNOWN/ state UP/'
	printf '%s\n' 'route show table all' 'rule show' |
		ip -n edge -d -6 -batch - | sort
	edge nft list ruleset
	edge grep -r . /proc/sys/net/ipv4/fib_multipath_hash_policy \
		/proc/sys/net/ipv6/fib_multipath_hash_policy
	sed -n 's/^\(cnilink\|ip6*_gre\|8021q\) .*/\1/p' /proc/modules
	cnictl -j show 2>/dev/null | jq -S '[.links, .tunnels, .ports] |
		map(map(del(.stats, .output, .input, .lladdr4, .lladdr6, .lladdr, .seen)))'
	find /run/cnilink -name '*.conf' -exec cat {} +
}

every=12
[ -z "${CNI_DEEP:-}" ] || every=2

# strace OPTIONS -- VERB FILE: without the end of nft, which is no message.
traced()
{
	nsenter --net=/run/netns/edge strace -qq -e signal=none \
		-o "$work/trace" "$@" \
		>"$work/log" 2>&1
}

# What only asks; strace doesn't know the flags of generic netlink's dumps.
reads='nlmsg_type=RTM_GET|NLM_F_DUMP|NLM_F_REQUEST[|]0x300'

# The sendto() calls that change something, by their number.
changes()
{
	traced -e trace=sendto -- "$CNICTL" "$@" || return 1
	awk "{ n++ } !/$reads/ { print n }" "$work/trace"
}

same() { all >"$work/after" && diff "$work/before" "$work/after"; }

# broken HOW NUMBER VERB FILE: one run that isn't left to do all.
broken()
{
	local how=$1 n=$2 rc=0
	shift 2

	traced -e trace=sendto -e "inject=sendto:$how:when=$n" -- \
		"$CNICTL" "$@" || rc=$?
	if [ $rc = 0 ]; then
		# Too late to stop it; or another message this time, as there
		# are more or fewer while it waits for addresses.
		[ "$how" = signal=INT ] ||
			sed -n "${n}p" "$work/trace" | grep -qE "$reads" || {
			echo "it failed, and $1 didn't:"
		sed -n "${n}p" "$work/trace"
			return 1
		}
		put_back
		until_ok 10 settled
		all >"$work/before"
		return 0
	fi
	# The kernel tells a new device's state a second later.
	[ $rc = 1 ] && until_ok 10 settled && { until_ok 3 same || same; } &&
		return 0
	echo "exit status $rc"
	cat "$work/log"
	put_back
	until_ok 10 settled
	all >"$work/before"
	return 1
}

# each NAME VERB FILE
each()
{
	local name=$1 list n i=0
	shift

	list=$(changes "$@")
	put_back
	until_ok 10 settled
	all >"$work/before"
	for n in $list; do
		i=$((i + 1))
		if [ $((i % every)) = 0 ]; then
			ok "$name: message $n fails" broken error=EIO "$n" "$@"
		elif [ $((i % every)) = $((every / 2)) ]; then
			ok "$name: Ctrl-C after message $n" broken signal=INT \
				"$n" "$@"
		fi
	done
	ok "$name: there were many" [ $i -ge 10 ]
}

put_back()
{
	cnictl down "$conf"
	rmmod cnilink
	until_ok 10 no_kinds
	ip -n edge link set eth0 down
	edge sysctl -qw net.ipv4.fib_multipath_hash_policy=0 \
		net.ipv6.fib_multipath_hash_policy=0
} >/dev/null 2>&1
each up up "$conf" --require-offload

ok "a module that can't be loaded: status" status 1 \
	traced -e trace=finit_module -e inject=finit_module:error=ENOMEM -- \
	"$CNICTL" up "$conf" --require-offload
ok "a module that can't be loaded: all is as it was" same
# Its last change is the module's.
last=$(changes up "$conf" | tail -n 1)
again() { put_back; until_ok 10 settled; }
again
refused()
{
	traced -e trace=sendto -e "inject=sendto:error=EINVAL:when=$last" -- \
		"$CNICTL" up "$conf" &&
	grep -qF "[!] no fast path: the module refuses" "$work/log" || {
		cat "$work/log"
		return 1
	}
}
ok "the module refuses something: up all the same" refused
ok "the module refuses something: the link is there" \
	ip -n edge link show gre2
ok "the module refuses something: it has nothing" \
	fails grep -q ^cnilink /proc/modules
again
ok "a setting that can't be made: status" status 1 \
	traced -P /proc/sys/net/ipv4/fib_multipath_hash_policy \
	-e inject=write:error=EIO -- "$CNICTL" up "$conf"
ok "a setting that can't be made: all is as it was" same

routes()
{
	ip -n edge route replace 104.16.0.0/13 dev cni-gre1
	ip -n edge route replace 104.24.0.0/14 nexthop dev cni-gre1 nexthop dev gre2
	ip -n edge route replace 10.50.0.0/16 via 192.0.2.10 table 50 metric 7
	ip -n edge -6 route replace 2606:4700::/32 dev cni-gre1
}
put_back() { cnictl reload "$conf" >/dev/null; routes; }
cnictl up "$conf" >/dev/null
routes
each reload reload "$work/new.conf" --require-offload

put_back() { cnictl up "$conf" >/dev/null; routes; }
each down down "$conf"

# Over what somebody else made, a tunnel just as the file says.
cnictl down "$conf" >/dev/null
rmmod cnilink
theirs()
{
	ip -n edge link set eth0 down
	ip -n edge addr add 2001:db8:77::1/64 dev eth0 nodad
	ip -n edge link add link eth0 name eth0.1234 mtu 1480 type vlan id 1234
	ip -n edge link add gre2 mtu 1400 type gre local 192.0.2.11 \
		remote 198.51.100.2 ttl 64
	ip -n edge link set gre2 up
	ip -n edge route add 10.60.0.0/16 dev gre2 table 60
}
put_back()
{
	cnictl down "$conf"
	rmmod cnilink
	ip -n edge link del eth0.1234
	ip -n edge link del gre2
	theirs
} >/dev/null 2>&1
theirs
each "up over theirs" up "$conf" --require-offload

bare_down
tap_end
