#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A tunnel that somebody else made between the file's ends: up takes it as it is
# when it has the file's options, and else says what differs and changes nothing.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common"

need_root_in_vm
modprobe ip6_gre
bare_up || exit 1
make_conf || exit 1
ends="local 192.0.2.11 remote 198.51.100.1"
ends6="local 2001:db8:12:3::7ac2:d64b remote 2001:db8:ffff::1"
conf6=$work/six.conf
sed 's/local = .*/local = 2001:db8:12:3::7ac2:d64b/
	s/remote = .*/remote = 2001:db8:ffff::1/' "$conf" >"$conf6"
other=$work/other.conf

# refused FILE KIND OPTIONS WORDS
refused()
{
	local file=$1 kind=$2 opts=$3 words=$4 its=$ends

	[ "$kind" = gre ] || its=$ends6
	# shellcheck disable=SC2086
	ip -n edge link add cni-gre1 type "$kind" $its $opts
	snapshot >"$work/before"
	cnictl up "$file" --no-offload >"$work/log" 2>&1
	ok "$kind ${opts:-as ip makes it}: status" test $? = 1
	ok "$kind ${opts:-as ip makes it}: says what differs" grep -qF \
		"which isn't as $file says: it has $words" "$work/log"
	ok "$kind ${opts:-as ip makes it}: nothing is begun" \
		diff "$work/before" <(snapshot)
	ok "$kind ${opts:-as ip makes it}: a dry run says so, too" says \
		"it has $words" cnictl up "$file" --no-offload --dry-run
	ip -n edge link del cni-gre1
}
gre_is()
{
	ip -n edge -d -j link show cni-gre1 |
		jq -c '.[0] | [.mtu, .ifalias, .inet6_addr_gen_mode, .linkinfo]'
}
# taken FILE KIND OPTIONS
taken()
{
	local file=$1 kind=$2 opts=$3 its=$ends

	[ "$kind" = gre ] || its=$ends6
	# shellcheck disable=SC2086
	ip -n edge link add cni-gre1 type "$kind" $its $opts
	ip -n edge link set cni-gre1 up mtu 1300
	gre_is >"$work/gre"
	ok "$kind $opts: taken" cnictl up "$file" --no-offload
	ok "$kind $opts: as it is" diff "$work/gre" <(gre_is)
	ok "$kind $opts: nothing more to do" says "nothing to do" \
		cnictl up "$file" --no-offload
	ok "$kind $opts: down" cnictl down "$file"
	ok "$kind $opts: it stays" diff "$work/gre" <(gre_is)
	ip -n edge link del cni-gre1
}

refused "$conf" gre "" "ttl inherit"
refused "$conf" gre "ttl 9" "ttl = 9"
refused "$conf" gre "ttl 64 key 5" "key = 5"
refused "$conf" gre "ttl 64 ikey 5" "a key of one direction only"
refused "$conf" gre "ttl 64 csum seq" "csum, seq"
refused "$conf" gre "ttl 64 tos 0x20" "tos = 32"
refused "$conf" gre "ttl 64 nopmtudisc" nopmtudisc
refused "$conf" gre "ttl 64 fwmark 7" "fwmark 0x7"
sed 's/ttl = 64/ttl = 64 mtu = 1400/' "$conf" >"$other"
refused "$other" gre "ttl 64" "mtu = 1476"
sed 's/ttl = 64/ttl = 64 key = 7/' "$conf" >"$other"
refused "$other" gre "ttl 64" "no key"
refused "$conf6" ip6gre "" "encap-limit = 4"
refused "$conf6" ip6gre "encaplimit none hoplimit 9" "ttl = 9"
refused "$conf6" ip6gre "encaplimit none tclass 0x20" "tos = 32"
refused "$conf6" ip6gre "encaplimit none flowlabel 0x7" "flowlabel 0x00007"
refused "$conf6" ip6gre "encaplimit none key 5 csum" "key = 5, csum"

# shellcheck disable=SC2086
ip -n edge link add cni-gre1 type gre $ends ttl 9 key 5 tos inherit
ok "what the file would have to say" says \
	"say so in the tunnel's section: key = 5 ttl = 9 tos = inherit" \
	cnictl up "$conf" --dry-run
ok "what else can be done" says "remove it: ip link delete cni-gre1" \
	cnictl up "$conf" --dry-run
ip -n edge link del cni-gre1
sed 's/ttl = 64/key = 5 ttl = 9 tos = inherit/' "$conf" >"$other"
taken "$other" gre "ttl 9 key 5 tos inherit"
taken "$conf" gre "ttl 64"
taken "$conf6" ip6gre "encaplimit none"
sed 's/ttl = 64/encap-limit = 4 tos = 32/' "$conf6" >"$other"
taken "$other" ip6gre "tclass 0x20"

# shellcheck disable=SC2086
ip -n edge link add cni-gre1 type gre $ends ttl 64
ip -n edge link set cni-gre1 up mtu 1300
ok "mss = auto: taken" cnictl up "$conf"
mss_is() { cnictl -j show tunnel | jq -e --argjson v "$1" '.[0].mss4 == $v'; }
ok "mss = auto: it fits into its MTU" mss_is 1260
ok "mss = auto: down" cnictl down "$conf"
ip -n edge link del cni-gre1

bare_down
tap_end
