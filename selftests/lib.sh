# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the tests share: the topology, the module, and TAP.
#
#    lan             edge                              cf
#    eth0 ---------- lan0   eth0 --------------------- eth0
#    10.9.0.2/24     .1     eth0.1234 192.0.2.11/31    eth0.1234 192.0.2.10/31
#    fd09::2/64      ::1              2001:db8:12:3::b           2001:db8:12:3::a
#                           gre1 10.99.0.1/31          gre1 10.99.0.0/31
#                                fd99::1/127                fd99::/127
#
# cf is made of the kernel's own parts only. It holds 104.16.0.1 and
# 2606:4700::1, reached through the tunnel, and 172.64.0.1 and 2400:cb00::1,
# reached over the plain VLAN.

ksft_pass=0
ksft_fail=1
ksft_skip=4

here=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
top=${here%/*}
CNICTL=${CNICTL:-$top/build/user/cnictl}
CNI_VLAN=${CNI_VLAN:-1234}

tap_n=0
tap_failed=0

# ok NAME CMD...: one test, passed when CMD succeeds; its output only if not.
ok()
{
	local name=$1 out
	shift

	tap_n=$((tap_n + 1))
	if out=$("$@" 2>&1); then
		echo "ok $tap_n $name"
	else
		tap_failed=$((tap_failed + 1))
		echo "not ok $tap_n $name"
		printf '%s\n' "$*" "$out" | sed 's/^/# /'
	fi
}

# not_ok NAME CMD...: the same, passed when CMD fails.
not_ok()
{
	local name=$1
	shift

	ok "$name" fails "$@"
}

fails()
{
	! "$@"
}

skip()
{
	tap_n=$((tap_n + 1))
	echo "ok $tap_n $1 # SKIP ${2:-}"
}

tap_end()
{
	echo "1..$tap_n"
	[ "$tap_failed" = 0 ] && exit $ksft_pass
	exit $ksft_fail
}

lan() { ip netns exec lan "$@"; }
edge() { ip netns exec edge "$@"; }
cf() { ip netns exec cf "$@"; }

# batch NAMESPACE: ip's commands from standard input, all of them whatever fails.
# In the VM a process costs more than what ip does in it.
batch() { ip -n "$1" -force -batch -; }

# Nothing ever comes of it: to wait without a process
exec {never}<> <(:)

# until SECONDS CMD...: poll, never sleep blindly.
until_ok()
{
	local end=$((SECONDS + $1))
	shift

	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		read -r -t 0.2 -u "$never" || :
	done
}

# start_sync LOG SECONDS [ARG...]: cnictl sync on the edge, as sync_pid, until it
# says that it's ready
start_sync()
{
	local log=$1 within=$2
	shift 2

	: >"$log"
	# Not edge(): kill is to hit cnictl itself.
	nsenter --net=/run/netns/edge "$CNICTL" sync "$@" >"$log" 2>&1 &
	sync_pid=$!
	until_ok "$within" grep -q READY "$log"
}

need_root_in_vm()
{
	if [ -z "${CNILINK_KO:-}" ]; then
		echo "1..0 # SKIP needs a VM: scripts/vm -- $0"
		exit $ksft_skip
	fi
}

# The name of a card of scripts/vm --nics, by its address
nic()
{
	grep -lx "$1" /sys/class/net/*/address | cut -d/ -f5 | grep .
}

# cable PAIR NS DEV NS DEV: joined by a veth, or by a pair of network cards
cable()
{
	local pair=$1 end dev
	shift

	if [ -z "${CNI_NICS-}" ]; then
		ip link add "$2" netns "$1" type veth peer name "$4" netns "$3"
		return
	fi
	for end in 1 2; do
		# They come back from a namespace a moment after its end.
		until_ok 10 nic "02:00:00:00:0$pair:0$end"
		dev=$(nic "02:00:00:00:0$pair:0$end") &&
		ip link set "$dev" netns "$1" name "$2" &&
		# Their filters would hide what shall be seen.
		ip -n "$1" link set "$2" promisc on || return 1
		shift 2
	done
}

# Sets up both ends with the kernel's own tools. Options for the gre device of
# either end can be given: GRE_OPTS (default ttl 64), GRE=ip6gre for tunnels over
# IPv6, and GRE=no leaves it out.
topology_up()
{
	local n

	modprobe -a veth virtio_net 8021q ip_gre ipv6 2>/dev/null
	for n in lan edge cf; do
		ip netns add $n || return 1
		nsenter --net=/run/netns/$n sysctl -qw \
			net.ipv4.conf.all.rp_filter=0 \
			net.ipv4.conf.default.rp_filter=0 \
			net.ipv6.conf.default.accept_dad=0 \
			net.ipv6.conf.all.accept_dad=0
	done
	cable 1 edge lan0 lan eth0
	cable 2 edge eth0 cf eth0

	# Without questions for routers of eth0's own, outside of the VLAN. Who
	# comes up second has a carrier at once.
	batch cf <<-END
	link set lo up
	link set eth0 addrgenmode none up
	link add link eth0 name eth0.$CNI_VLAN type vlan id $CNI_VLAN
	link set eth0.$CNI_VLAN up
	END
	batch edge <<-END
	link set lo up
	addr add 10.9.0.1/24 dev lan0
	addr add fd09::1/64 dev lan0 nodad
	link set lan0 up
	link set eth0 addrgenmode none up
	link add link eth0 name eth0.$CNI_VLAN type vlan id $CNI_VLAN
	link set eth0.$CNI_VLAN up
	addr add 192.0.2.11/31 dev eth0.$CNI_VLAN
	addr add 2001:db8:12:3::b/127 dev eth0.$CNI_VLAN nodad
	route add 172.64.0.0/13 via 192.0.2.10
	route add 2400:cb00::/32 via 2001:db8:12:3::a
	END
	batch lan <<-END
	link set lo up
	addr add 10.9.0.2/24 dev eth0
	addr add fd09::2/64 dev eth0 nodad
	link set eth0 up
	route add default via 10.9.0.1
	route add default via fd09::1
	END
	batch cf <<-END
	addr add 192.0.2.10/31 dev eth0.$CNI_VLAN
	addr add 2001:db8:12:3::a/127 dev eth0.$CNI_VLAN nodad
	addr add 104.16.0.1/32 dev lo
	addr add 2606:4700::1/128 dev lo nodad
	addr add 172.64.0.1/32 dev lo
	addr add 2400:cb00::1/128 dev lo nodad
	END
	[ "${GRE:-yes}" = no ] || gre_up

	nsenter --net=/run/netns/edge sysctl -qw net.ipv4.ip_forward=1 \
		net.ipv6.conf.all.forwarding=1
}

gre_up()
{
	local kind=gre here=192.0.2.11 there=192.0.2.10

	if [ "${GRE-}" = ip6gre ]; then
		modprobe ip6_gre 2>/dev/null
		kind=ip6gre here=2001:db8:12:3::b there=2001:db8:12:3::a
	fi
	batch edge <<-END
	link add gre1 type $kind local $here remote $there ${GRE_OPTS:-ttl 64}
	link set gre1 addrgenmode none
	link set gre1 up
	addr add 10.99.0.1/31 dev gre1
	addr add fd99::1/127 dev gre1 nodad
	route add 104.16.0.0/13 dev gre1
	route add 2606:4700::/32 dev gre1
	END
	batch cf <<-END
	link add gre1 type $kind local $there remote $here ${GRE_OPTS:-ttl 64}
	link set gre1 addrgenmode none
	link set gre1 up
	addr add 10.99.0.0/31 dev gre1
	addr add fd99::/127 dev gre1 nodad
	route add 10.9.0.0/24 dev gre1
	route add fd09::/64 dev gre1
	END
}

# A fourth way out, which isn't offloaded.
extra_up()
{
	ip link add x0 netns edge type veth peer name x0 netns cf &&
	ip -n cf link set x0 up &&
	batch edge <<-END
	addr add 10.77.0.1/24 dev x0
	addr add fd77::1/64 dev x0 nodad
	link set x0 up
	neigh add 10.77.0.2 dev x0 lladdr 02:00:00:00:00:77
	neigh add fd77::2 dev x0 lladdr 02:00:00:00:00:77
	END
}

topology_down()
{
	local n

	for n in lan edge cf; do
		ip netns del $n 2>/dev/null
	done
	# The devices go in the background; a name must be free before its reuse.
	until_ok 10 fails ip netns list
	return 0
}

genl() { edge "$here/genl.py" "$@"; }

module_load() { insmod "${CNILINK_KO:?}"; }
module_unload() { rmmod cnilink; }

# Enrol everything of the topology and put its routes into the module.
offload_on()
{
	local link=eth0.$CNI_VLAN

	grep -q ^cnilink /proc/modules || module_load || return 1
	genl LINK_SET LINK_IFINDEX:dev="$link" \
		LINK_LOCAL4:ip=192.0.2.11 LINK_PEER4:ip=192.0.2.10 \
		LINK_LOCAL6:ip=2001:db8:12:3::b \
		LINK_PEER6:ip=2001:db8:12:3::a || return 1
	genl PORT_SET PORT_IFINDEX:dev=lan0 || return 1
	if [ -e "/sys/class/net/gre1" ] || ip -n edge link show gre1 \
		>/dev/null 2>&1; then
		genl TUNNEL_SET TUNNEL_IFINDEX:dev=gre1 || return 1
		route_set 104.16.0.0/13 gre1 || return 1
		route_set 2606:4700::/32 gre1 || return 1
	fi
	route_set 172.64.0.0/13 "$link" 192.0.2.10 &&
	route_set 2400:cb00::/32 "$link" 2001:db8:12:3::a &&
	route_set 10.9.0.0/24 lan0 &&
	route_set fd09::/64 lan0
}

# route_set PREFIX DEV [VIA]
route_set()
{
	local dst=${1%/*} len=${1#*/} f=4 via=

	case $dst in *:*) f=6 ;; esac
	[ -z "${3-}" ] || via=" NEXTHOP_VIA$f:ip=$3"
	genl ROUTE_SET "TABLE_ROUTE:nest={ROUTE_DST$f:ip=$dst ROUTE_PREFIX_LEN:u8=$len ROUTE_NEXTHOP:nest={NEXTHOP_OIF:dev=$2$via}}"
}

offload_off()
{
	module_unload
}
