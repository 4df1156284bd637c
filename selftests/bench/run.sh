#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: run.sh [NAME]...    forward, xdp, tcp, lpm; all of them if none is named;
#                            profile: forward's instructions by function
#                            readme: what forward and xdp left, as the README's tables
#
# Prints a table and leaves build/bench/NAME.json for each.
#
# shellcheck disable=SC2317
set -eu -o pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$(dirname "$here")")
out=$top/build/bench
mkdir -p "$out"

# One processor, whose clock counts instructions. A directory of the checkout is the same inside the VM.
in_vm()
{
	VM_TMP=$out "$top/scripts/vm" --icount --timeout 3000 -- "$@"
}

table()
{
	[ "$1" = profile ] || [ ! -e "$out/$1.json" ] || /usr/bin/python3 "$here/table.py" "$out/$1.json"
}

bench_forward()
{
	make -s -C "$here"
	/usr/bin/python3 "$here/forward.py" prepare "$out"
	# shellcheck disable=SC2086
	in_vm /usr/bin/python3 "$here/forward.py" run "$out" ${CNI_BENCH_CASES-}
}

bench_xdp()
{
	make -s -C "$here"
	/usr/bin/python3 "$here/forward.py" prepare "$out"
	# shellcheck disable=SC2086
	in_vm /usr/bin/python3 "$here/xdp.py" run "$out" ${CNI_BENCH_CASES-}
}

bench_profile()
{
	make -s -C "$here"
	/usr/bin/python3 "$here/forward.py" prepare "$out"
	# shellcheck disable=SC2086
	/usr/bin/python3 "$here/profile.py" "$out" ${CNI_BENCH_CASES-}
}

bench_tcp()
{
	in_vm "$here/tcp.sh" "$out"
}

bench_lpm()
{
	local lpm=$top/selftests/lpm

	# Where they are, as everywhere else; the bench has some of its own.
	if [ -z "${CNI_PREFIX_DATA-}" ] && [ -d "$top/../shared/data" ]; then
		export CNI_PREFIX_DATA=$top/../shared/data
	fi
	rm -f "$out/lpm-vm.json"
	make -s -C "$lpm" export kbench &&
		make -C "$lpm" bench &&
		in_vm /usr/bin/python3 "$here/lpm.py" run "$out" &&
		/usr/bin/python3 "$here/lpm.py" merge "$out"
}

[ $# -gt 0 ] || set -- forward xdp tcp lpm
status=0
for name; do
	case $name in
	forward|xdp|tcp|lpm|profile) ;;
	readme)
		/usr/bin/python3 "$here/readme.py" "$out" "$top/README.md" || status=1
		continue
		;;
	*) sed -n '4,6s/^# //p' "$0" >&2; exit 2 ;;
	esac
	rm -f "$out/$name.json"
	if "bench_$name"; then
		table "$name"
	else
		echo "$name: failed" >&2
		status=1
	fi
done
exit $status
