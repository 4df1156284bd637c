#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What is said when a verb is called wrongly: usage.sh DIRECTORY-OF-CNICTL
# shellcheck source=user/tests/tap.sh
. "$(dirname "$0")/tap.sh"

# wrong WORDS ARGUMENT...: one line with WORDS that names the help, status 2
wrong()
{
	local words=$1 rc
	shift

	cnictl "$@" >"$work/out" 2>&1 </dev/null
	rc=$?
	[ "$rc" = 2 ] && [ "$(wc -l <"$work/out")" = 1 ] &&
		grep -qF -- "$words" "$work/out" &&
		grep -q -- "see cnictl.* --help$" "$work/out"
	result $? "cnictl $*"
}

cnictl --help | awk '/^  [a-z]/ { print $1 }' >"$work/verbs"
for verb in init up down reload save sync bgp-config ping check top \
	support-bundle; do
	wrong "no option '--no-such'" "$verb" --no-such
	wrong "no option '-Z'" "$verb" -Z
done
wrong "no verb 'frob'" frob
wrong "--dev is missing" init
wrong "'--dev' lacks its value" init --dev
wrong "'--dry-run' takes no value" up --dry-run=3 x
wrong "one configuration file" up
wrong "one configuration file" down a b
wrong "without a leading zero" init --dev eth0 --vlan 012
wrong "nothing called" show frob
wrong "needs a prefix" route add
wrong "no arguments" version x
wrong "which daemon" bgp-config
printf 'a\033[2Jb' >"$work/escape"
wrong "?[2J" show "$(cat "$work/escape")"

# What the help says is on the standard output, and all of it.
while read -r verb; do
	cnictl "$verb" --help >"$work/out" 2>"$work/err" &&
		grep -q "^usage: cnictl $verb" "$work/out" &&
		[ ! -s "$work/err" ]
	result $? "cnictl $verb --help"
done <"$work/verbs"
end
