#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Static prefixes, without BGP: from the configuration and a file into the
# kernel's table and the module, changed by reload, judged by check, and gone
# after down.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common"

need_root_in_vm
bare_up || exit 1
until_ok 10 settled
make_conf || exit 1
list=$work/prefixes.txt
new=$work/new.conf

reload() { cnictl reload "$new" "$@"; }
# with STATIC TUNNEL [MORE]: the file with these settings in the link and the
# tunnel, and more at its end
with()
{
	sed "s|device = eth0|&\n\t$1|; s|mss = auto|&\n\t$2|" "$conf" >"$new"
	printf '%s\n' "${3-}" >>"$new"
}
statics() { ip -n edge "-$1" route show proto 200 table "${2:-main}"; }
count() { [ "$(statics 4 | wc -l) $(statics 6 | wc -l)" = "$*" ]; }
way() { says "$2" ip -n edge route get "$1"; }
fast() { cnictl -j route get "$1" | grep -q '"fast": true'; }
in_module() { cnictl -j route show | grep -q "\"$1\""; }
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

# What Cloudflare publishes, by the link. No sync runs.
with 'static = published' ''
dry() { cnictl up "$new" --dry-run >"$work/dry"; }
ok "published: a dry run" unchanged dry
ok "published: it counts" grep -qx '\[#\] ip route add PREFIX via 192.0.2.10 dev eth0.1234 proto 200: 15 IPv4 prefixes' \
	"$work/dry"
ok "published: it lists none" fails grep 104.16.0.0 "$work/dry"
ok "published: up" cnictl up "$new"
ok "published: the kernel has them" count 15 7
ok "published: the way of IPv4" way 104.16.0.1 "via 192.0.2.10 dev eth0.1234"
ok "published: the way of IPv6" way 2606:4700::1 "via 2001:db8:12:3::7ac2:d64a dev eth0.1234"
ok "published: IPv4 by the fast path" until_ok 10 fast 104.16.0.1
ok "published: IPv6 by the fast path" until_ok 10 fast 2606:4700::1
ok "published: again, nothing to do" says "nothing to do" cnictl up "$new"
ip -n edge route del 104.16.0.0/13
ok "published: one is put back" says "ip route add 104.16.0.0/13 via" cnictl up "$new"
ok "published: it's fast again" until_ok 10 fast 104.16.0.1

# From a file, by the tunnel.
cat >"$list" <<'END'
# Ours to reach
203.0.113.0/24	# one
10.20.0.0/16

2001:db8:aaaa::/48
END
with 'static = published' "static-file = $list"
ok "a file: reload, without sync" reload
ok "a file: the kernel has them" count 17 8
ok "a file: their way" way 203.0.113.1 "dev cni-gre1"
ok "a file: by the fast path" until_ok 10 fast 203.0.113.1
start_sync "$work/sync" 20 "$new"
ok "a file: sync has the same" until_ok 10 in_module 2001:db8:aaaa::/48
nsenter --net=/run/netns/edge ip monitor route >>"$work/monitor" 2>&1 &
monitor=$!
sed -i 's|10.20.0.0/16|10.21.0.0/16|' "$list"
# What is seen of the last change has been told of the others.
marked()
{
	ip -n edge route del "$1" proto 77 2>/dev/null
	ip -n edge route add "$1" dev eth1 proto 77
	grep -q "$1" "$work/monitor"
}
ok "the file changes: the kernel's messages are seen" until_ok 10 marked 10.90.0.0/24
: >"$work/monitor"
ok "the file changes: reload" reload
ok "the file changes: all of them" until_ok 10 marked 10.91.0.0/24
ok "the file changes: what is new is among them" grep -q 10.21.0.0/16 "$work/monitor"
kill $monitor
not_stray() { ! grep -v 'proto 77' "$work/monitor" | grep -vE '10\.2[01]\.0\.0/16'; }
ok "the file changes: nothing else is touched" not_stray
ok "the file changes: what is new is there" way 10.21.0.1 "dev cni-gre1"
ok "the file changes: it's fast" until_ok 10 fast 10.21.0.1
ok "the file changes: what is old is gone" fails grep 10.20.0.0 <(statics 4)
ok "the file changes: from the module, too" until_ok 10 fails in_module 10.20.0.0/16
ok "again: nothing to do" says "nothing to do" reload

echo "10.22.0.1/16" >>"$list"
ok "a wrong line: status" status 2 unchanged reload
ok "a wrong line: which" says "prefixes.txt:6: '10.22.0.1/16' has bits set" reload
ok "a wrong line: check, too" status 2 cnictl check "$new"
ip -n edge route add 10.22.0.0/16 via 10.9.0.2
sed -i 's|10.22.0.1/16|10.22.0.0/16|' "$list"
ok "somebody's route: status" status 1 unchanged reload
ok "somebody's route: whose" says \
	"a route to the static prefix 10.22.0.0/16 already, by eth1" reload
ip -n edge route del 10.22.0.0/16
sed -i /10.22/d "$list"
sed -i '/10.21/s/^/#/' "$list"
ok "up doesn't remove: status" status 1 unchanged cnictl up "$new"
ok "up doesn't remove: what" says "the static prefix 10.21.0.0/16 by cni-gre1 is up" \
	cnictl up "$new"
ok "reload does" reload
not_ok "it's gone" grep 10.21.0.0 <(statics 4)
mv "$list" "$list.old"
ok "no file: status" status 2 unchanged reload
mv "$list.old" "$list"

sed '/local6/d; /peer6/d' "$new" >"$work/four.conf"
ok "no IPv6: it's said, and counted" says \
	"eth0.1234 has no IPv6: 7 static prefixes are left out" \
	cnictl reload "$work/four.conf" --dry-run
sed 's/link cloudflare/link two/; s/1234/1236/; s/cni-gre1/cni-gre9/
	s/198.51.100.1/198.51.100.9/; s/192.0.2.1\([01]\)/192.0.2.2\1/
	/local6/d; /peer6/d; /static-file/d' "$new" >"$work/two.conf"
ok "another link's: refused" says \
	"the static prefix 103.21.244.0/22 goes by eth0.1234 of the link 'cloudflare' already" \
	cnictl up "$work/two.conf"

# Without a BGP session everything can be well.
with 'static = published' "static-file = $list" 'bgp { over = none }'
ok "no BGP: reload" reload
check() { cnictl check "$new" --interval 1 "$@"; }
green()
{
	check -j >"$work/check.json" && jq -e '.checks | map(.check) as $all |
		all(.state != "fail") and ($all | index("bgp")) and
		([$all[] | select(test("^(bgp[46]|prefixes|return)"))] == [])' \
		"$work/check.json" || { cat "$work/check.json"; return 1; }
}
of() { jq -r --arg l "$1" '.checks[] | select(.check == $l) | "\(.state): \(.text) \(.hints)"' "$work/check.json"; }
ok "no BGP: check is green" until_ok 60 green
ok "no BGP: the static prefixes" says "pass: the kernel routes all 24" of static
ok "no BGP: sync" says "pass: " of sync
ok "no BGP: the module's routes" says "pass: " of routes
ok "no BGP: --wait ends" check --wait 60
ok "no BGP: bgp-config refuses" status 2 cnictl bgp-config bird "$new" \
	--local-as 65010 --announce 203.0.113.0/24
ok "no BGP: bgp-config says why" says "there is no BGP (over = none)" \
	cnictl bgp-config bird "$new"
ok "no BGP: unless it's told to" says "protocol bgp" cnictl bgp-config bird \
	"$new" --over link --local-as 65010 --announce 203.0.113.0/24
ip -n edge route del 172.64.0.0/13 proto 200
wrong() { fails check -j >"$work/check.json" && says "$1" of static; }
ok "check: one is missing" wrong '1 of 24'
ok "check: which" says 172.64.0.0/13 of static
ok "check: reload mends it" reload
ip -n edge route add 10.50.0.0/16 dev cni-gre1 proto 200
ok "check: one too many" wrong "aren't in the file any more"
ok "check: reload mends that, too" reload
ok "check: green again" until_ok 60 green

# Save: from the file that was, and from the routes alone.
saved() { rm -f "$work/saved"; cnictl save -o "$work/saved"; }
ok "save" saved
ok "save: the words" grep -q 'static = {published}' "$work/saved"
ok "save: nothing to do" says "nothing to do" cnictl up "$work/saved"
find /run/cnilink -name '*.conf' -delete
ok "save, without a note" saved
ok "save, without a note: nothing to do" says "nothing to do" cnictl up "$work/saved"

# Another table, and one of their own for each of two tunnels.
ip -n cf addr add 198.51.100.2/32 dev lo
two='{104.16.0.0/13, 2606:4700::/32}'
with 'static = 172.64.0.0/13' "address4 = 10.99.0.1/31 address6 = fd99::1/127 static = $two" \
	"tunnel gre2 { remote = 198.51.100.2 address4 = 10.98.0.1/31
	address6 = fd98::1/127 static = $two }"
ok "two tunnels: reload" reload
ok "two tunnels: IPv4 over both" says "nexthop dev cni-gre1 weight 1" statics 4
ok "two tunnels: IPv6 over both" says "nexthop via fd98:: dev gre2 weight 1" statics 6
ok "two tunnels: again, nothing to do" says "nothing to do" reload
ok "two tunnels: by the fast path" until_ok 10 fast 104.16.0.1
with 'static = 172.64.0.0/13' "address4 = 10.99.0.1/31 address6 = fd99::1/127 static = $two"
ok "one of them goes" reload
ok "one of them goes: IPv4 by the other" says "104.16.0.0/13 dev cni-gre1" statics 4
ok "one of them goes: IPv6 by the other" says "2606:4700::/32 dev cni-gre1" statics 6
ok "one of them goes: no more than these" count 2 1
echo 'sync { table = { 100, main } }' >>"$new"
ok "another table" reload
ok "another table: they are there" says 172.64.0.0/13 statics 4 100
ok "another table: and nowhere else" count 0 0

# Ctrl-C: all is as it was, whichever prefix it was at.
with 'static = published' "static-file = $list"
ok "back to the first" reload
ok "back to the first: the kernel has them" count 16 8
sed 's/device = eth0/&\n\tname = cf0/' "$new" >"$work/named.conf"
ok "by another device: a dry run" says "ip link delete eth0.1234" \
	cnictl reload "$work/named.conf" --dry-run
routes() { statics 4; statics 6; }
for n in 40 50; do
	routes >"$work/whole"
	ok "Ctrl-C, $n: status" status 1 ip netns exec edge strace -qqo /dev/null \
		-e trace=sendto -e inject=sendto:signal=INT:when=$n \
		"$CNICTL" down "$new"
	ok "Ctrl-C, $n: all is as it was" diff "$work/whole" <(routes)
done

# Down, with sync and without, and of a device that stays.
rm "$list"
ok "down, without the file" cnictl down "$new"
ok "down: the kernel has none" count 0 0
ok "down: nor has the module" until_ok 10 fails in_module 104.16.0.0/13
kill $sync_pid
wait $sync_pid
ip -n edge link add link eth0 name eth0.1234 type vlan id 1234
with 'static = published' ''
ok "a device that was there" cnictl up "$new"
ok "a device that was there: the kernel has them" count 15 7
ok "a device that was there: fast" until_ok 10 fast 104.16.0.1
find /run/cnilink -name '*.conf' -delete
with '' ''
ok "no note of it: reload" reload
ok "no note of it: the kernel has none" count 0 0
not_ok "no note of it: nor has the module" in_module 104.16.0.0/13
with 'static = published' ''
ok "once more" reload
ok "down, and the device stays" cnictl down "$new"
ok "the kernel has none" count 0 0
not_ok "nor has the module" in_module 104.16.0.0/13
ok "without the module" cnictl up "$new" --no-offload
ok "without the module: the kernel has them" count 15 7
ok "the module comes later" reload
ok "the module comes later: fast" until_ok 10 fast 104.16.0.1
ok "down" cnictl down "$new"
rmmod cnilink
bare_down
tap_end
