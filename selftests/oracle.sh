#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The fast path against the stock path: the same packets through both, and the
# frames that arrive compared byte by byte. CNI_DEEP=1 sends all sizes, TOS and
# TTL values in every configuration; arguments name configurations to run, or xdp
# for those of XDP. Over virtio cards (scripts/vm --nics 2) these are run.

# shellcheck source=selftests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_root_in_vm

# Nothing but the corpus shall be on the wire: no router solicitations, no
# redirects; and no limit on ICMP errors.
quiet()
{
	local n

	modprobe -a act_gact cls_matchall cls_fw sch_ingress tun 2>/dev/null
	for n in lan edge cf; do
		ip netns exec $n sysctl -qw \
			net.ipv6.conf.eth0.router_solicitations=0 \
			net.ipv4.icmp_ratelimit=0 net.ipv4.icmp_ratemask=0 \
			net.ipv4.icmp_msgs_per_sec=1000000 \
			net.ipv4.icmp_msgs_burst=1000000 \
			net.ipv6.icmp.ratelimit=0 net.ipv6.icmp.ratemask=
	done
	sysctl -qw net.ipv4.route.error_cost=0
	edge sysctl -qw net.ipv4.ipfrag_time=3000 net.ipv6.ip6frag_time=3000
	for n in all default lan0 eth0 "eth0.$CNI_VLAN"; do
		edge sysctl -qw "net/ipv4/conf/$n/send_redirects=0"
	done
	cf sysctl -qw "net/ipv6/conf/eth0.$CNI_VLAN/router_solicitations=0"

	# What comes in one batch is a matter of time, and the kernel asks
	# fewer questions about its second packet.
	if [ -n "${CNI_NICS-}" ]; then
		sysctl -qw net.core.gro_normal_batch=1
		lan ethtool -K eth0 gro off
		edge ethtool -K lan0 gro off
		edge ethtool -K eth0 gro off
		cf ethtool -K eth0 gro off
	fi

	# Room for packets one byte too long for the link
	ip -n lan link set eth0 mtu 1600
	ip -n edge link set lan0 mtu 1600
	ip -n edge link set eth0 mtu 1600
	ip -n cf link set eth0 mtu 1600
}

if ! { topology_up && quiet; }; then
	echo "Bail out! no topology"
	exit $ksft_fail
fi
exec /usr/bin/python3 -S "$here/oracle.py" "$@"
