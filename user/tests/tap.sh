# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# For tests of the program itself, sourced with its directory:
# . tap.sh DIRECTORY-OF-CNICTL

PATH=$(cd "$1" && pwd):$PATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
n=0
failed=0
suite=$(basename "$0" .sh)

# result STATUS NAME [FILE]: FILE, or $work/out, says more of a failure
result()
{
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $suite: $2"
		return
	fi
	failed=1
	echo "not ok $n - $suite: $2"
	sed 's/^/# /' "${3:-$work/out}"
}

end()
{
	echo "1..$n"
	exit $failed
}
