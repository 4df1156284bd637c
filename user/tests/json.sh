#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The JSON of every verb that answers without the module, byte for byte as in
# tests/json, so that what reads it needn't change: json.sh DIRECTORY-OF-CNICTL.
# With RENEW=1 these files are made anew: do that only on purpose.
# shellcheck source=user/tests/tap.sh
. "$(dirname "$0")/tap.sh"
golden=$(cd "$(dirname "$0")" && pwd)/json
umask 077

# like NAME STATUS ARGUMENT...: the standard output is golden, and nothing else
# is said
like()
{
	local name=$1 status=$2 rc
	shift 2

	: >"$work/diff"
	cnictl -j "$@" >"$work/raw" 2>"$work/err" </dev/null
	rc=$?
	sed 's/"cnictl": "[0-9][^"]*"/"cnictl": "VERSION"/' "$work/raw" >"$work/out"
	[ -z "$RENEW" ] || cp "$work/out" "$golden/$name.json"
	[ "$rc" = "$status" ] && [ ! -s "$work/err" ] &&
		diff -u "$golden/$name.json" "$work/out" >"$work/diff" || {
		{
			echo "status $rc, and not $status"
			cat "$work/err" "$work/diff"
		} >"$work/why"
		result 1 "$name" "$work/why"
		return
	}
	result 0 "$name"
}

cd "$work" || exit 1
cat >mail <<'END'
Cloudflare v4: 192.0.2.10/31
Acme v4: 192.0.2.11/31
Cloudflare v6: 2001:db8:12:3::7ac2:d64a/127
Acme: 2001:db8:12:3::7ac2:d64b/127
VLAN ID: 1234
You announce: 203.0.113.0/24
END
cat >gre <<'END'
{"result":{"gre_tunnels":[{"name":"cf1","customer_gre_endpoint":"203.0.113.1",
"cloudflare_gre_endpoint":"198.51.100.1","interface_address":"10.99.0.0/31",
"health_check":{"enabled":true,"direction":"bidirectional"}}]}}
END
printf 'Cloudflare v4: 192.0.2.10/31\n' >half
printf 'link cf {\ndevice = eth0;\nvlan = 012\n}\n' >wrong.conf

like init 0 init mail gre --dev eth0 --lan eth1 --local-as 65010 --announce 203.0.113.0/24
like init-file 0 init mail --dev eth0 --local-as 65010 --announce 203.0.113.0/24 -o acme.conf
like init-again 1 init mail --dev eth0 -o acme.conf
like init-half 2 init half --dev eth0
like bgp-config 0 bgp-config bird acme.conf
like usage 2 init --dev
like no-verb 2
like another-verb 2 frob
like no-file 2 up nowhere.conf
like wrong-file 2 check wrong.conf
like version 0 version
if ! [ -e /sys/module/cnilink ]; then
	like metrics 0 metrics
	like no-module 1 show
	like monitor 1 monitor
fi
end
