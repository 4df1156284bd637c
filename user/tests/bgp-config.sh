#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What bgp-config refuses, and whether BIRD parses what it prints with every
# option, and BIRD and FRR what a user's own configuration includes of it:
# bgp-config.sh DIRECTORY-OF-CNICTL
# shellcheck source=user/tests/tap.sh
. "$(dirname "$0")/tap.sh"
PATH=$PATH:/usr/sbin
umask 077

# refuses NAME WORDS ARGUMENT...: status 2, and WORDS in what it says
refuses()
{
	local name=$1 words=$2 rc
	shift 2

	cnictl bgp-config "$@" >"$work/out" 2>&1
	rc=$?
	[ "$rc" = 2 ] && grep -qF -- "$words" "$work/out"
	result $? "refuses $name"
}

# parses NAME ARGUMENT...
parses()
{
	local name=$1
	shift

	cnictl bgp-config bird "$work/good" "$@" >"$work/bird" 2>"$work/out" &&
		[ ! -s "$work/out" ] && bird -p -c "$work/bird" >"$work/out" 2>&1
	result $? "BIRD parses $name"
}

link()
{
	printf 'link cf {\ndevice = eth0\nlocal4 = 192.0.2.11/31\npeer4 = 192.0.2.10\n'
	printf 'local6 = 2001:db8:12:3::b/127\npeer6 = 2001:db8:12:3::a\n%s\n}\n' "$1"
}
link "" >"$work/bare"
{
	link "local-as = 65010"
	printf 'tunnel t1 {\nremote = 198.51.100.1\naddress4 = 10.99.0.1/31\naddress6 = fd99::1/127\n}\n'
	printf 'tunnel t2 {\nremote = 198.51.100.2\naddress4 = 10.99.0.3/31\nbgp-password = own\n}\n'
	printf 'tunnel t3 {\nremote = 198.51.100.3\naddress4 = 10.99.0.5/31\nbgp = false\n}\n'
	printf 'bgp {\nannounce = { 203.0.113.0/24, 2001:db8:cafe::/48 }\n}\n'
} >"$work/good"
{ link "local-as = 65010"; echo 'bgp { announce = { 203.0.113.0/24 } password = "a b" }'; } >"$work/space"
{ link "local-as = 65010"; echo 'tunnel t1 { remote = 198.51.100.1 address4 = 10.99.0.1/30 }'; } >"$work/wide"
{
	printf 'link cf {\ndevice = eth0\nlocal6 = 2001:db8::1/127\npeer6 = 2001:db8::\n'
	printf 'local-as = 65010\ndataplane = v2\n}\nbgp { announce = { 2001:db8:1::/48 } }\n'
} >"$work/six"
sed 's|^bgp-password = own|&\nbgp-profile = magic|; s|^bgp {|&\nover = both\nextra-prefixes = { 0.0.0.0/0 }\npriority = 50|' \
	"$work/good" >"$work/mixed"
printf 'a"b\n' >"$work/quote"
: >"$work/empty"
sed 's|^bgp {|&\nover = none\nbfd = true|' "$work/good" >"$work/none"

refuses "no daemon" "for which daemon" "$work/good"
refuses "another daemon" "for which daemon" openbgpd "$work/good"
refuses "no configuration" "one configuration file" bird
refuses "two" "one configuration file" bird "$work/good" "$work/bare"
refuses "no AS" "your AS number" bird "$work/bare"
refuses "Cloudflare's AS as ours" "at both ends" bird "$work/good" --local-as 13335
refuses "AS 0" "isn't a number" bird "$work/good" --local-as 0
refuses "nothing to announce" "which prefixes are yours" bird "$work/bare" --local-as 65010
refuses "a default route to announce" "default route" bird "$work/good" --announce 0.0.0.0/0
refuses "a prefix with bits beyond it" "has bits set" bird "$work/good" --announce 203.0.113.1/24
refuses "an unknown profile" "isn't \"peering\"" bird "$work/good" --profile transit
refuses "a priority without Magic" "priorities are Magic's" bird "$work/good" --priority 50
refuses "an unknown priority" "isn't one that Magic has" bird "$work/good" --profile magic --priority 60
refuses "BFD over tunnels" "no BFD over tunnels" bird "$work/good" --over tunnels --bfd
refuses "BFD with dataplane v2" "v2 has no BFD" bird "$work/six" --bfd --router-id 192.0.2.1
refuses "another AS over tunnels" "is 13335" bird "$work/good" --over tunnels --peer-as 64512
refuses "a /30 in a tunnel" "/31 or /127 only" bird "$work/wide" --over tunnels --announce 203.0.113.0/24
refuses "no BGP" "there is no BGP (over = none)" bird "$work/none" --announce 203.0.113.0/24
refuses "no tunnels" "no tunnel with an address4" bird "$work/bare" --local-as 65010 --over tunnels --announce 203.0.113.0/24
refuses "no router ID" "router ID" bird "$work/six"
refuses "a quote in the password" "doesn't allow" bird "$work/good" --password-file "$work/quote"
refuses "an empty password" "is empty" bird "$work/good" --password-file "$work/empty"
refuses "a router ID of a snippet" "what includes a snippet" bird "$work/good" --snippet --router-id 192.0.2.1
refuses "a kernel table of BIRD's snippet" "your own kernel protocol" bird "$work/good" --snippet --table 100
refuses "a space in FRR's password" "has a space" frr "$work/space"

if command -v bird >/dev/null; then
	parses "a session"
	parses "Magic" --profile magic --extra 0.0.0.0/0 --priority 1001000
	parses "BFD" --bfd
	parses "tunnels" --over tunnels --profile magic
	parses "link and tunnels" --over both --profile magic --bfd
	has()
	{
		[ "$(grep -c "^protocol bgp " "$work/bird")" = 5 ] &&
		[ "$(grep -c "bfd on" "$work/bird")" = 2 ] &&
		[ "$(grep -c "graceful restart time" "$work/bird")" = 2 ] &&
		[ "$(grep -c "hold time 90" "$work/bird")" = 3 ] &&
		[ "$(grep -c "password \"own\"" "$work/bird")" = 1 ]
	} >"$work/out"
	has
	result $? "each session has what Cloudflare has there"
	cp "$work/good" "$work/keep"
	cp "$work/mixed" "$work/good"
	parses "a profile for each session"
	[ "$(grep -c "import filter cni_magic_import4" "$work/bird")" = 1 ] &&
		[ "$(grep -c "import filter cni_import4" "$work/bird")" = 2 ]
	result $? "a tunnel has its own profile's filters"
	cp "$work/keep" "$work/good"
	parses "another table" --table 100
	parses "one IP version" --announce 203.0.113.0/24
fi

# Two links, whose snippets a user's own configuration includes.
sed 's/^device = eth0/&\nvlan = 1236\nname = cf-2.b/; s/192.0.2.1/192.0.2.2/; s/12:3::/12:4::/
	s/fd99::/fd98::/; s/10.99/10.98/' "$work/mixed" >"$work/two"
sed 's/^bgp {/&\nbfd = true/' "$work/mixed" >"$work/one"
# snippets DAEMON: one and two, of which nothing more is said
snippets()
{
	local n

	for n in one two six; do
		cnictl bgp-config "$1" "$work/$n" --snippet >"$work/$n.part" \
			2>"$work/out" && [ ! -s "$work/out" ] || return 1
	done
}
# bird_own NAME PART...: whether BIRD parses the user's own with these parts in it
bird_own()
{
	{
		printf 'log stderr all;\nrouter id 192.0.2.99;\n'
		printf 'protocol device {\n}\nprotocol bfd {\n}\n'
		printf 'protocol kernel kernel%s {\n\tipv%s { export all; };\n}\n' 4 4 6 6
		printf 'protocol static own {\n\tipv4;\n\troute 198.18.0.0/15 unreachable;\n}\n'
		printf 'include "%s";\n' "$@"
	} >"$work/bird"
	bird -p -c "$work/bird" >"$work/out" 2>&1
}
if command -v bird >/dev/null; then
	snippets bird
	result $? "BIRD's snippets"
	! grep -nE '^(log|router id|protocol (device|kernel|bfd))' \
		"$work"/{one,two,six}.part >"$work/out"
	result $? "they have nothing that the user's own has"
	bird_own "$work/one.part"
	result $? "BIRD parses a user's own that includes one"
	bird_own "$work/one.part" "$work/two.part"
	result $? "BIRD parses a user's own that includes two links'"
	bird_own "$work/six.part"
	result $? "BIRD parses one of a link without IPv4, and so without a router ID"
	! bird_own "$work/one.part" "$work/one.part" &&
		grep -q "already defined" "$work/out"
	result $? "the same one twice is what it would refuse"
	grep -A4 "^protocol pipe" "$work/one.part" |
		grep -oE "(import|export) .*" | sort | uniq -c | tr -s ' \n' '  ' \
		>"$work/out"
	[ "$(cat "$work/out")" = " 2 export where source = RTS_BGP; 2 import none; " ]
	result $? "nothing of the user's own goes in, nor what is announced out"
fi
# frr_own PART...: the same of FRR, to which all is one file
frr_own()
{
	{
		printf 'frr defaults traditional\nhostname edge\n!\n'
		printf 'ip prefix-list mine seq 5 permit 203.0.113.0/24\n'
		printf 'router bgp 65010\n bgp router-id 192.0.2.99\n'
		printf ' neighbor 198.18.0.1 remote-as 65011\n'
		printf ' address-family ipv4 unicast\n  network 203.0.113.0/24\n'
		printf ' exit-address-family\nexit\n!\n'
		cat "$@"
	} >"$work/frr"
	vtysh -C -f "$work/frr" >"$work/out" 2>&1
}
if command -v vtysh >/dev/null; then
	snippets frr
	result $? "FRR's snippets"
	! grep -nE '^ *(no )?(log|network|bgp (router-id|default|network|bestpath|graceful-restart))' \
		"$work"/{one,two,six}.part >"$work/out"
	result $? "they have nothing that the user's own has"
	frr_own "$work/one.part"
	result $? "FRR parses a user's own with one"
	frr_own "$work/one.part" "$work/two.part"
	result $? "FRR parses a user's own with two links'"
	grep -ohE '^(route-map|ip(v6)? prefix-list|bgp as-path access-list) [^ ]+' \
		"$work/one.part" | sort -u >"$work/names"
	! grep -xFf "$work/names" <(grep -ohE \
		'^(route-map|ip(v6)? prefix-list|bgp as-path access-list) [^ ]+' \
		"$work/two.part") >"$work/out" && [ -s "$work/names" ]
	result $? "no two of their names are the same"
	cnictl bgp-config frr "$work/two" --snippet --table 100 2>&1 |
		grep -q "^ set table 100$"
	result $? "FRR's snippet sets the kernel's table"
	sed '1a no such line' "$work/one.part" >"$work/bad.part"
	! frr_own "$work/bad.part"
	result $? "vtysh tells what is wrong"
fi
end
