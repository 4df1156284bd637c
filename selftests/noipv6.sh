#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A kernel started with ipv6.disable=1: IPv4 is as ever, and what is of IPv6 is
# refused.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
need_root_in_vm

if [ -e /proc/net/if_inet6 ]; then
	echo "1..0 # SKIP needs a kernel without IPv6: selftests/run.sh noipv6"
	exit $ksft_skip
fi
modprobe -a veth 8021q ip_gre 2>/dev/null
ip netns add edge
ip link add eth0 netns edge type veth peer name peer netns edge
ip -n edge link add link eth0 name "eth0.$CNI_VLAN" type vlan id "$CNI_VLAN"
ip -n edge addr add 192.0.2.11/31 dev "eth0.$CNI_VLAN"
ip -n edge link add gre1 type gre local 192.0.2.11 remote 192.0.2.10 ttl 64
for dev in eth0 peer "eth0.$CNI_VLAN" gre1; do
	ip -n edge link set "$dev" up
done

# refused CMD...: with a reason
refused() { ! "$@" && "$@" 2>&1 | grep -q "IPv6 is switched off"; }

link=(LINK_SET LINK_IFINDEX:dev="eth0.$CNI_VLAN")
v4=(LINK_LOCAL4:ip=192.0.2.11 LINK_PEER4:ip=192.0.2.10)
v6=(LINK_LOCAL6:ip=2001:db8:12:3::b LINK_PEER6:ip=2001:db8:12:3::a)
via=2001:db8:12:3::a
check="TUNNEL_HEALTH:nest={HEALTH_LOCAL6:ip=fd99::1 HEALTH_PEER6:ip=fd99::}"
ok "the module loads" module_load
ok "a link of IPv4" genl "${link[@]}" "${v4[@]}"
ok "an IPv4 route" route_set 172.64.0.0/13 "eth0.$CNI_VLAN" 192.0.2.10
ok "a port" genl PORT_SET PORT_IFINDEX:dev=peer
ok "it is shown, while nothing is forwarded" genl PORT_GET PORT_IFINDEX:dev=peer
ok "a tunnel" genl TUNNEL_SET TUNNEL_IFINDEX:dev=gre1
ok "no health check of IPv6" refused genl TUNNEL_SET TUNNEL_IFINDEX:dev=gre1 "$check"
ok "no link of IPv6" refused genl "${link[@]}" "${v6[@]}"
ok "nor one of both" refused genl "${link[@]}" "${v4[@]}" "${v6[@]}"
ok "no IPv6 route" refused route_set 2400:cb00::/32 "eth0.$CNI_VLAN" $via
ok "nor a look-up" refused genl ROUTE_LOOKUP LOOKUP_DST6:ip=2400:cb00::1
ok "the link is still there" genl LINK_GET LINK_IFINDEX:dev="eth0.$CNI_VLAN"
sleep 2
ok "the module unloads" module_unload
tap_end
