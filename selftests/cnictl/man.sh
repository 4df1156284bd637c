#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The manual's examples, run as printed and in order; and each verb is in it.

# shellcheck source=selftests/cnictl/common
. "$(dirname "$0")/common"
need_root_in_vm
bare_up || exit 1
page=$top/user/man/cnictl.8
export CNILINK_KO

# What the examples read, as Cloudflare gives it.
cd "$work" || exit 1
printf '%s\n' "Cloudflare v4: 192.0.2.10/31" "Acme v4: 192.0.2.11/31" \
	"Cloudflare v6: 2001:db8:12:3::7ac2:d64a/127" \
	"Acme: 2001:db8:12:3::7ac2:d64b/127" >mail.txt
cat >cnis.json <<'END'
{ "items": [ { "id": "9f3c2f6e-0000-4000-8000-000000000001",
	"account": "a", "interconnect": "acme-1",
	"cust_ip": "192.0.2.11/31", "p2p_ip": "192.0.2.10/31",
	"magic": { "conduit_name": "acme", "description": "", "mtu": 1500 }
} ], "next": null }
END
cat >gre_tunnels.json <<'END'
{ "success": true, "errors": [], "messages": [], "result": { "gre_tunnels": [
	{ "id": "c4a7362d577a6c3019a474fd6f485821", "name": "cni-gre1",
	"cloudflare_gre_endpoint": "198.51.100.1",
	"customer_gre_endpoint": "192.0.2.11",
	"interface_address": "10.99.0.0/31", "ttl": 64, "mtu": 1476,
	"health_check": { "enabled": true, "direction": "bidirectional",
		"rate": "mid", "type": "reply", "target": "10.99.0.1" } } ] } }
END

# The literal blocks of the examples, without roff, one command a line.
examples()
{
	sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/p' "$1" |
		sed -n '/^\.Bd -literal/,/^\.Ed/{/^\./d;p}' |
		sed 's/\\&//g; s/\\(dq/"/g; s/\\e/\\/g' |
		sed ':a;/\\$/{N;s/\\\n[[:space:]]*//;ba}'
}

# Where the shell would find it.
mkdir bin
ln -s "$CNICTL" bin/cnictl
run() { edge env PATH="$work/bin:$PATH" timeout 60 bash -c "$1"; }
# What goes on until it's told to end has to be there after a while.
run_on()
{
	local pid rc=0

	nsenter --net=/run/netns/edge env PATH="$work/bin:$PATH" \
		bash -c "exec ${1%&}" >"$work/on" 2>&1 &
	pid=$!
	sleep 3
	kill -TERM $pid || rc=1
	wait $pid
	cat "$work/on"
	return $rc
}

while read -r line; do
	case $line in
	cnictl*'&') ok "$line" run_on "$line" ;;
	cnictl*) ok "$line" run "$line" ;;
	esac
done < <(examples "$page")

documented()
{
	local verb
	local -i bad=0

	for verb in $("$CNICTL" --help | awk '/^  [a-z]/ { print $1 }'); do
		grep -qE "^\.Ss (.*, )?$verb(,|$)" "$page" || {
			echo "$verb has no section"
			bad=1
		}
		examples "$page" | grep -qE "^cnictl (-j )?$verb\b" || {
			echo "$verb has no example"
			bad=1
		}
		"$CNICTL" "$verb" --help | head -n 1 |
			grep -q "^usage: cnictl $verb" || {
			echo "$verb has no help"
			bad=1
		}
	done
	return $bad
}
ok "each verb has a section, an example and help" documented
options()
{
	local verb option
	local -i bad=0

	mandoc -T utf8 "$page" 2>/dev/null | col -b >page
	for verb in $("$CNICTL" --help | awk '/^  [a-z]/ { print $1 }'); do
		for option in $("$CNICTL" "$verb" --help |
			grep -oE -- '--[a-z][-a-z0-9]+' | sort -u); do
			grep -q -- "$option" page || {
				echo "$verb: $option isn't in the manual"
				bad=1
			}
		done
	done
	return $bad
}
ok "each option of their help is in the manual" options
tap_end
