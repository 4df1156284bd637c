#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the completion offers: completion.sh DIRECTORY-OF-CNICTL
here=$(cd "$(dirname "$0")" && pwd)
PATH=$(cd "$1" && pwd):$PATH
# shellcheck source=user/completion/cnictl
. "$here/../completion/cnictl"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
mkdir sub
touch acme.conf 
n=0
failed=0

# offers NAME WANTED WORD...: what completes the last word begins with WANTED
offers()
{
	local name=$1 wanted=$2 w
	shift 2

	COMP_WORDS=(cnictl "$@")
	COMP_CWORD=$#
	COMPREPLY=()
	_cnictl
	n=$((n + 1))
	for w in $wanted; do
		[[ " ${COMPREPLY[*]} " == *" $w "* ]] || {
			echo "not ok $n - completion: $name"
			echo "# wanted '$wanted', offered '${COMPREPLY[*]}'"
			failed=1
			return
		}
	done
	[ -n "$wanted" ] || [ ${#COMPREPLY[@]} = 0 ] || {
		echo "not ok $n - completion: $name"
		echo "# offered '${COMPREPLY[*]}'"
		failed=1
		return
	}
	echo "ok $n - completion: $name"
}

offers "verbs" "init up down show sync bgp-config --help" ""
offers "a verb begun" "sync" sy
offers "a verb after an option" "show" -j sh
offers "options of a verb" "--table --once --foreground --json" sync --
offers "short options" "-c -i -s --df" ping -
offers "options of bgp-config" "--profile --password-file" bgp-config bird --p
offers "configurations" "acme.conf sub/" up ""
offers "a configuration begun" "acme.conf" down ac
offers "a device" "lo" port add l
offers "a device of init" "lo" init --dev l
offers "dataplanes" "v1 v1.1 v2" init x --dataplane ""
offers "a configuration to reload" "acme.conf" reload ac
offers "a link to save" "lo" save ""
offers "what an object can do" "add set del show" tunnel ""
offers "words of a tunnel" "mss health" tunnel set lo ""
offers "flags of a tunnel" "bypass-netfilter" tunnel set lo by
offers "values of them" "on off" tunnel set lo bypass-netfilter ""
offers "values" "on off" port set lo strict-source ""
offers "daemons" "bird frr" bgp-config ""
offers "profiles" "peering magic" bgp-config bird x --profile ""
offers "routes" "add replace del load flush get show" route ""
offers "a route's device" "lo" route add 10.0.0.0/8 dev l
offers "nothing that isn't" "" up zzz
offers "nothing of an unknown verb's" "" version ""
echo "1..$n"
exit $failed
