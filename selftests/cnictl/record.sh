#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What is noted of links that are up: down when their file is gone, and the
# options of a port that two of them have.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common"

need_root_in_vm
bare_up || exit 1
make_conf || exit 1
# That stays as up leaves it.
ip -n edge link set eth0 up
snapshot >"$work/bare"
as_before() { diff "$work/bare" <(snapshot); }

# The file of a service's name, and what happened to it.
mkdir -p /etc/cnilink
acme=/etc/cnilink/acme.conf
sed 's/link cloudflare/link "a title"/' "$conf" >$acme
steps() { cnictl -j down "$1" --dry-run | jq '[.steps[] | select(.action != "note")]'; }
cd "$work" || exit 1
at_home() { (cd /etc/cnilink && cnictl "$@"); }
mkdir acme
ok "a folder of that name isn't the file" cnictl up acme
rmdir acme
ok "by its path from where it is" says "nothing to do" \
	at_home up acme.conf
steps acme >"$work/with"
ok "it's the whole link" jq -e 'map(.step) | any(contains("delete eth0.1234"))' "$work/with"
mv $acme "$work/kept"
for how in acme $acme /etc/../etc/cnilink/acme.conf; do
	steps "$how" >"$work/without"
	ok "the file is gone: $how does the same" diff "$work/with" "$work/without"
done
ok "the file is gone: says what is used" says \
	"[!] $acme is gone: what goes is what /run/cnilink" cnictl down acme --dry-run
ok "the file is gone: up says so" status 2 cnictl up acme
ok "the file is gone: reload: status" status 2 cnictl reload acme
ok "the file is gone: reload: how to have it again" says \
	"cnictl save 'a title' -o $acme" cnictl reload acme
ok "the file is gone: reload: how to do without" says "cnictl down acme" \
	cnictl reload acme
ok "another name: status" status 2 cnictl down other
ok "another name: says what is up" says \
	"the link 'a title', which is up, came from $acme" cnictl down other
ok "another name: nothing goes" ip -n edge link show cni-gre1
mkdir $acme
steps acme >"$work/without"
ok "it can't be read: the same" diff "$work/with" "$work/without"
ok "it can't be read: why" says "$acme can't be read: Is a directory" \
	cnictl down acme --dry-run
ok "it can't be read: reload" says "ls -ld $acme" cnictl reload acme
rmdir $acme
sed 's/vlan = 1234/vlan = 5000/' "$work/kept" >$acme
ok "it's wrong: status" status 2 cnictl down acme
ok "it's wrong: what there is" says "as it was when it came up: cnictl down /run/cnilink" \
	cnictl down acme
rm $acme
ok "it can be had again" cnictl save 'a title' -o $acme
ok "it's the same" says "nothing to do" cnictl reload acme
rm $acme
ok "the file is gone: down" cnictl down acme
rmmod cnilink
ok "nothing is left" as_before
ok "no note is left" test -z "$(find /run/cnilink -name '*title*')"
ok "down again: nothing of it" status 2 cnictl down acme
sed 's/vlan = 1234/vlan = 1235/; s/"a title"/other/; s/cni-gre1/gre9/
	s/198.51.100.1/198.51.100.9/; s/192.0.2.1\([01]\)/192.0.2.2\1/
	/local6/d; /peer6/d' "$work/kept" >"$work/other"
for f in kept other; do
	cp "$work/$f" $acme
	cnictl up acme --no-offload >/dev/null
done
rm $acme
ok "two links from one file: status" status 2 cnictl down acme
ok "two links from one file: how each goes" says \
	"the link 'other' came from it: cnictl down /run/cnilink" cnictl down acme
for f in /run/cnilink/*/*.conf; do
	ok "by the note itself" cnictl down "$f"
done
ok "nothing is left of them" as_before

# A port of two links has its options once.
two=$work/two.conf
# second SED: the second link's file, changed
second()
{
	sed 's/link cloudflare/link two/; s/1234/1236/; s/cni-gre1/gre9/
		s/198.51.100.1/198.51.100.9/; s/192.0.2.1\([01]\)/192.0.2.2\1/
		/local6/d; /peer6/d' "$conf" | sed "$1" >"$two"
}
port() { cnictl -j show port | jq -e --arg v "$1" '.[0] | (.mss4 // 0 | tostring) == $v'; }
sed -i 's/bypass-netfilter = false/&\nmss = auto/' "$conf"
ok "a link with a port" cnictl up "$conf"
ok "its MSS" port 1436
for change in 's/mss = auto/mss = 1300/:mss = 1300:mss = auto' \
	'/bypass/,$s/mss = auto/mss = off/:mss = off:mss = auto' \
	's/bypass-netfilter = false/bypass-netfilter = true/:bypass-netfilter = true:bypass-netfilter = false' \
	's/bypass-netfilter = false/&\nstrict-source = true/:strict-source = true:strict-source = false' \
	's/device = eth0/&\nxdp = auto/:xdp = auto:xdp = off'; do
	IFS=: read -r edit is there <<<"$change"
	second "$edit"
	{ snapshot; cnictl -j show port | jq 'map(del(.stats))'; } >"$work/before"
	for how in "up" "up --dry-run" "reload" "up --require-offload"; do
		# shellcheck disable=SC2086
		cnictl $how "$two" >"$work/log" 2>&1
		ok "$how with $is: status" test $? = 1
		ok "$how with $is: whose, and what" grep -qE \
			"the port eth1 (has|is that of a link with) \"$is\", but \"$there\" in the link 'cloudflare'" "$work/log"
		ok "$how with $is: nothing was begun" fails grep '^\[[-#]\]' "$work/log"
	done
	{ snapshot; cnictl -j show port | jq 'map(del(.stats))'; } >"$work/after"
	ok "$is: all is as it was" diff "$work/before" "$work/after"
done
ok "what goes without the module has none" cnictl up "$two" --no-offload
ok "nor what is there without it" cnictl reload "$conf"
ok "it goes" cnictl down "$two"
second 's/device = eth0/&\nmtu = 1400/'
ok "the same options, over smaller tunnels" cnictl up "$two"
ok "the MSS fits both links' tunnels" port 1336
ok "the first link has nothing to do about it" says "nothing to do" cnictl up "$conf"
saved() { cnictl save cloudflare -o "$work/saved" && cnictl reload "$work/saved"; }
ok "what is saved of it fits the other" saved
ok "it is again the file's" cnictl reload "$conf"
ok "read from a pipe" says "nothing to do" cnictl reload <(cat "$conf")
ok "it is again the file's own" cnictl reload "$conf"
sed -i 's/mss = auto/mss = 1200/' "$conf"
ok "one is changed: refused" status 1 cnictl reload "$conf"
ok "it says how to change it" says "take the port out of $two, and: cnictl reload $two" \
	cnictl reload "$conf"
second 's/device = eth0/&\nmtu = 1400/; /^port/,$d'
ok "the port leaves the other's file" cnictl reload "$two"
ok "the port stays" port 1336
ok "it's changed" cnictl reload "$conf"
ok "it is" port 1200
second 's/device = eth0/&\nmtu = 1400/; s/mss = auto/mss = 1200/'
ok "it's both links' again" cnictl reload "$two"
ok "the first goes down" says "the port eth1 stays: the link 'two' has it, too" \
	cnictl down "$conf"
ok "the port is there, as it was" port 1200
ok "the second goes down" cnictl down "$two"
ok "the port is gone" fails port 1200
rmmod cnilink
ok "nothing is left of both" as_before

bare_down
tap_end
