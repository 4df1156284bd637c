#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What shows a live link: metrics, top, show, monitor, route get, and the archive
# for support.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common"
# shellcheck source=selftests/cnictl/bird
. "$(dirname "$0")/bird"

need_root_in_vm
trap 'kill $(jobs -p) $(cat "$work"/*.pid) 2>/dev/null; rm -rf "$work"' EXIT
live_up || exit 1
cnictl up "$conf" >/dev/null
start_sync "$work/sync.log" 30 "$conf" || exit 1
# Not by way of a function: signals are to hit ping itself.
ip netns exec lan ping -i 0.1 104.16.0.1 >/dev/null 2>&1 &
lan_ping=$!

# Two readers: the strict one of OpenMetrics, and the one of the older format,
# whose rules node_exporter has.
metrics()
{
	cnictl metrics >"$work/metrics" &&
		/usr/bin/python3 - "$work/metrics" <<-'END'
	import sys
	from prometheus_client import parser
	from prometheus_client.openmetrics import parser as strict
	text = open(sys.argv[1]).read()
	new = {s.name: s for f in strict.text_string_to_metric_families(text)
	       for s in f.samples}
	old = {s.name for f in parser.text_string_to_metric_families(text)
	       for s in f.samples}
	assert new.keys() == old, new.keys() ^ old
	assert len(new) > 10 and new["cnilink_loaded"].value == 1
	END
}
ok "metrics are OpenMetrics" metrics
# Taken between two looks at what show says that say the same, but for how long
# ago something was.
shown() { cnictl -j show | jq 'del(.links[].seen)'; }
same_as_show()
{
	shown >"$work/before.json" && cnictl metrics >"$work/metrics" &&
		shown >"$work/show.json" &&
		cmp -s "$work/before.json" "$work/show.json" &&
		/usr/bin/python3 - "$work/show.json" "$work/metrics" <<-'END'
	import json
	import sys
	from prometheus_client import parser
	show = json.load(open(sys.argv[1]))
	have = {(s.name, tuple(sorted(s.labels.items()))): s.value
	        for f in parser.text_string_to_metric_families(
	            open(sys.argv[2]).read()) for s in f.samples}
	n = 0
	def check(name, value, **labels):
	    global n
	    n += 1
	    got = have["cnilink_" + name, tuple(sorted(labels.items()))]
	    assert got == value, (name, labels, got, value)
	for kind in "link", "tunnel", "port":
	    for o in show[kind + "s"]:
	        who = {"kind": kind, "dev": o["dev"]}
	        check("offloaded", o["offloaded"], **who)
	        check("mtu_bytes", o["mtu"], **who)
	        for what in "packets", "bytes":
	            check(what + "_total", o["stats"]["rx-" + what],
	                  direction="in", **who)
	            check(what + "_total", o["stats"]["tx-" + what],
	                  direction="out", **who)
	        check("xdp_packets_total", o["stats"]["xdp-packets"], **who)
	        for reason, packets in o["stats"]["punt"].items():
	            check("punted_packets_total", packets, reason=reason, **who)
	assert n > 18 and show["ports"][0]["stats"]["rx-packets"], show
	END
}
kill -STOP $lan_ping
sleep 0.5
ok "metrics are what show says" until_ok 60 same_as_show
kill -CONT $lan_ping

# The LAN's ping goes on meanwhile.
rates() { cnictl top -n 2 -d 1 -j | jq -se 'length == 2 and (.[1].rates |
	map(select(.kind == "port" and .dev == "eth1"))[0]."rx-packets" > 0)'; }
ok "top: rates" rates
ok "top: for a person" says "port    eth1" cnictl top -n 1 -d 0.5
no_escapes() { ! cnictl top -n 2 -d 0.5 | grep -q $'\033'; }
ok "top: no painting but on a terminal" no_escapes
ok "top: no such interval" status 2 cnictl top -d 0
ok "top: no such count" status 2 cnictl top -n -1
brief() { [ "$(cnictl show -br | awk '{ print $1, $2 }' | paste -sd,)" = "module $(cat "$top/VERSION"),link eth0.1234,tunnel cni-gre1,port eth1" ]; }
ok "show: a line each" brief
fields() { [ "$(cnictl show --dump | awk -F'\t' '{ print $1 NF }' | paste -sd,)" = "module11,link19,tunnel26,port15" ]; }
ok "show: fields" fields
route_fields() { cnictl show --dump route | grep -qx "route	254	104.16.0.0/13	forward	eth0.1234,192.0.2.10,1	-"; }
ok "show: fields of routes" route_fields
# The port gets untagged frames, too, as a carrier's does.
ip -n cf -6 addr add fe80::77/64 dev eth0 nodad
ip netns exec cf ping -6 -c 1 -W 1 ff02::1%eth0 >/dev/null 2>&1
untagged() { cnictl -j show | jq -e 'any(.links[].seen[]; ."vlan-proto" == 0)'; }
ok "show: untagged frames beside those of the link" until_ok 5 untagged
ok "show: aren't told of when all is well" fails says "frames arrive with" cnictl show link
ip -n cf -6 addr del fe80::77/64 dev eth0
ok "show: no such option" status 2 cnictl show --nonsense

# What changes is told as it happens.
ip netns exec edge "$CNICTL" monitor >>"$work/monitor" &
ip netns exec edge "$CNICTL" monitor -j >"$work/monitor.json" &
sleep 2
edge nft add table inet t
edge nft "add chain inet t c { type filter hook forward priority 0; }"
edge nft "add rule inet t c counter"
told() { until_ok 20 grep -qE "^20[0-9-]+T[0-9:.]+ $1" "$work/monitor"; }
ok "monitor: a port is off the fast path" told "port eth1 NOT offloaded: netfilter"
ok "monitor: and so is all else" told "state, IPv4 kept off the fast path: netfilter, IPv6 "
edge nft delete table inet t
ok "monitor: and on it again" told "port eth1 offloaded"
cnictl port set eth1 mss 1400
ok "monitor: a setting" told "port eth1 set"
in_json() { jq -se 'any(.[]; .event == "change" and .kind == "port" and
	.object.blockers == ["netfilter"] and (.time | startswith("20")))' \
	"$work/monitor.json"; }
ok "monitor: in JSON" until_ok 10 in_json
cnictl port set eth1 mss off

# The keys and types of all JSON that only the module has, for scripts.
# has_shape NAME CMD...: what it prints is of that shape
has_shape() { "${@:2}" | "$here/cnictl/shape.py" "$1"; }
for what in link tunnel port route; do
	ok "JSON: show $what" has_shape show-$what cnictl -j show $what
done
for what in link tunnel port; do
	ok "JSON: $what show" has_shape show-$what cnictl -j $what show
done
ok "JSON: route show" has_shape show-route cnictl -j route show
forward() { cnictl -j route show | jq '.[] | select(.dst == "104.16.0.0/13")'; }
ok "JSON: route show: one that is forwarded" has_shape route-forward forward
ok "JSON: show" has_shape show cnictl -j show
ok "JSON: show status" has_shape status cnictl -j show status
ok "JSON: top" has_shape top cnictl -j top -n 2 -d 0.2
ok "JSON: metrics" has_shape metrics cnictl -j metrics
ok "JSON: xdp status" has_shape xdp-status cnictl -j xdp status
ip netns exec lan ethtool -K eth0 tx off txvlan off tx-vlan-stag-hw-insert off \
	gro on >/dev/null
# "ip netns exec" hides the BPF file system.
xdp() { nsenter --net=/run/netns/edge "$CNICTL" -j xdp "$@"; }
xdp attach eth1 >/dev/null
attached() { xdp status | jq '.[] | select(.attached)'; }
ok "JSON: xdp status, with a program" has_shape xdp-attached attached
xdp detach eth1 >/dev/null
ok "JSON: route get" has_shape route-get cnictl -j route get 104.16.0.1
ok "JSON: route get, of none" has_shape route-get-none cnictl -j route get 203.0.113.9
ok "JSON: route add" has_shape route-change cnictl -j route add 100.64.0.0/16 dev cni-gre1
ok "JSON: route del" has_shape route-change cnictl -j route del 100.64.0.0/16
ok "JSON: port set" has_shape ok cnictl -j port set eth1 mss off
ok "JSON: sync --once" has_shape sync-once cnictl -j sync --once "$conf"
ok "JSON: up" has_shape up cnictl -j up "$conf"
check() { cnictl -j check "$conf" --interval 1 --bird "$work/edge.ctl"; }
check >"$work/check.json"
ok "JSON: check" has_shape check cat "$work/check.json"
data() { jq '.checks | map({ (.check): .data }) | add' "$work/check.json"; }
ok "JSON: check: the figures" has_shape check-data data
events() { jq "select($1)" "$work/monitor.json"; }
ok "JSON: monitor" has_shape monitor cat "$work/monitor.json"
ok "JSON: monitor: a change" has_shape monitor-change events \
	'.event == "change" and .kind == "port"'
ok "JSON: monitor: a setting" has_shape monitor-port events '.event == "port-ntf"'
ok "JSON: monitor: the module's state" has_shape monitor-status events \
	'.event == "state-ntf"'
bent() { cnictl -j show | jq "$1"; }
ok "JSON: a key less is seen" fails has_shape show bent 'del(.ports[0].stats.punt)'
ok "JSON: another type is seen" fails has_shape show bent '.links[0].mtu |= tostring'
ok "JSON: no object is seen" fails has_shape show bent '.tunnels = []'

get() { cnictl route get "$1" | grep -qE "$2"; }
ok "route get: the module's way" get 104.16.0.1 "module: 104.16.0.0/13 via 192.0.2.10 dev eth0.1234"
ok "route get: the kernel's, too" get 104.16.0.1 "kernel: 104.16.0.0/13 via 192.0.2.10 dev eth0.1234"
agrees() { cnictl -j route get 104.16.0.1 | jq -e .agrees; }
ok "route get: they agree" agrees

# The archive for support. The secrets are in all places that it looks at.
hush=Hush-4711
{ cat "$conf"; echo "bgp { announce = { 10.9.0.0/24 } password = \"$hush-1\" }"; } \
	>"$work/secret.conf"
chmod 600 "$work/secret.conf"
mkdir -p /etc/bird
printf 'protocol bgp x {\n\tpassword "%s-2";\n}\n' "$hush" >/etc/bird/bird.conf
echo "cnilink: not by us: $hush-1 $hush-2" >/dev/kmsg
bundle() { cnictl support-bundle -o "$work/b.tar.gz" "$work/secret.conf" --bird "$work/edge.ctl"; }
ok "support-bundle" bundle
ok "support-bundle: not in the place of another" status 1 bundle
mkdir "$work/b"
tar -C "$work/b" --strip-components=1 -xzf "$work/b.tar.gz"
holds() { grep -q "$2" "$work/b/$1" || { cat "$work/b/$1"; return 1; }; }
ok "support-bundle: no secrets" fails grep -r "$hush" "$work/b"
ok "support-bundle: that they were there" holds dmesg.txt \
	"not by us: \[removed\] \[removed\]"
ok "support-bundle: the configuration" holds cnictl.conf "password \[removed\]"
ok "support-bundle: BIRD's, too" holds bird.conf "password \[removed\]"
ok "support-bundle: the rest of it" holds cnictl.conf "vlan = 1234"
ok "support-bundle: sessions" holds bird.txt "BGP state: *Established"
ok "support-bundle: what is there" holds show.json '"dev": "cni-gre1"'
ok "support-bundle: what was found" holds check.json '"check": "bgp4"'
ok "support-bundle: addresses" holds README.txt "Ours: 192.0.2.11/31, Cloudflare's: 192.0.2.10"
ok "support-bundle: the class" holds README.txt "Problem class: none of"
ok "support-bundle: routes" holds route-counts.txt "table 254 IPv4 protocol 12: 3 routes"
ok "support-bundle: devices" holds ip-link.txt "vlan protocol 802.1Q id 1234"
ok "support-bundle: metrics" holds metrics.txt "^cnilink_loaded 1"
private() { [ "$(stat -c %a "$work/b.tar.gz")" = 600 ]; }
ok "support-bundle: nobody else's to read" private
none_left() { ! ls -d /tmp/cnictl-support-*; }
ok "support-bundle: nothing is left behind" none_left

# Another module is another netlink family: who listens to the one before is deaf.
cnictl top -n 100 -d 0.5 >>"$work/top" 2>&1 &
kill $sync_pid $lan_ping
cnictl down "$conf" >/dev/null
rmmod cnilink
gone() { until_ok 10 grep -q "$1" "$2"; }
ok "monitor: the module is unloaded" gone "module is unloaded" "$work/monitor"
ok "top: the module is gone" gone "the module is gone: waiting for it" "$work/top"
cnictl up "$conf" >/dev/null
ok "monitor: the module is loaded anew" gone "module is loaded" "$work/monitor"
: >"$work/monitor"
: >"$work/top"
cnictl port set eth1 mss 1300
ok "monitor: and heard" told "port eth1 set"
ok "top: and asked" gone "port    eth1" "$work/top"
cnictl down "$conf" >/dev/null
rmmod cnilink
no_module() { metrics_text=$(cnictl metrics) && grep -qx "cnilink_loaded 0" <<<"$metrics_text"; }
ok "metrics without the module say so" no_module
tap_end
