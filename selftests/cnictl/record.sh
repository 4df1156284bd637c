#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What is noted of links that are up: down when their file is gone.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common"

need_root_in_vm
bare_up || exit 1
make_conf || exit 1
# That stays as up leaves it.
ip -n edge link set eth0 up
until_ok 10 settled
snapshot >"$work/bare"
as_before() { until_ok 5 settled; diff "$work/bare" <(snapshot); }

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

bare_down
tap_end
