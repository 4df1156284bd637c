#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# All tests, as one TAP stream: those that need no kernel here, the others each
# in a VM of its own. CNI_DEEP=1 adds the long ones, and debug/NAME, which is
# NAME under the debug kernel. virtio/NAME is NAME over virtio network cards,
# yama/NAME and selinux/NAME with that in place of AppArmor; noipv6 is on a
# kernel without IPv6.
# CNI_JOBS says how many VMs run at once: one more than there are processors,
# as each waits for something a third of the time.
#
# Where nobody's names say what to run, up to three VMs' tests that fail beside
# others run once more, alone: what hangs on a busy machine passes then, and is
# counted and shown as that. What made the kernel complain gets no second run.
#
# usage: run.sh [NAME...]		run.sh -l lists the names
set -uo pipefail
shopt -s extglob

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(dirname "$here")
cd "$top" || exit 1

host_tests="ynl names layers lint man units install build checkpatch lpm user vm dkms"
smp=$(nproc)
[ "$smp" -le 4 ] || smp=4
jobs=${CNI_JOBS:-$((smp + 1))}

# NAME CMD...: one test out of a command; its output is shown if it fails.
one()
{
	local name=$1 out
	shift

	if out=$("$@" 2>&1); then
		echo "ok 1 $name"
	else
		echo "not ok 1 $name"
		printf '%s\n' "$out" | tail -n 60 | sed 's/^/# /'
	fi
	echo 1..1
}

host_ynl()
{
	if [ ! -e /usr/src/linux-source-6.12.tar.xz ] &&
		! scripts/deps gen >&2; then
		echo "1..0 # SKIP needs linux-source-6.12: scripts/deps gen"
		return
	fi
	one "generated files are up to date" scripts/ynl-regen --check
}

host_names()
{
	one "names of the spec" make --no-print-directory -s -C user check-names
}

# One include against each kind of rule, a folder too many, and a verb that
# calls another.
layers_finds()
{
	local dir rc=0

	dir=$(mktemp -d)
	mkdir -p "$dir"/{kmod/{base,lpm,state},user/{base,kernel,cmd,new}}
	touch "$dir"/kmod/state/net.h "$dir"/user/{kernel/rtnl,cmd/up}.h
	echo '#include "state/net.h"' >"$dir/kmod/lpm/set.c"
	echo '#include "../state/net.h"' >"$dir/kmod/base/mss.c"
	echo '#include "kernel/rtnl.h"' | tee "$dir"/user/{base/addr,new/x}.c \
		>"$dir/user/kernel/nl.c"
	echo '#include "up.h"' >"$dir/user/cmd/sync.c"
	printf '\treturn verb_up(argc, argv);\n' >"$dir/user/cmd/reload.c"
	selftests/layers.sh "$dir" >"$dir/out" && rc=1
	cat "$dir/out"
	cut -d: -f1 "$dir/out" | sort | diff - <(printf '%s\n' \
		kmod/{base/mss,lpm/set}.c \
		user/{base/addr,cmd/reload,cmd/sync,new/x}.c) || rc=1
	rm -rf "$dir"
	return $rc
}
host_layers()
{
	one "no include against the layers" selftests/layers.sh
	one "what is against them is found" layers_finds
}

host_lint()
{
	mapfile -t files < <(git ls-files -- '*.sh' scripts selftests .ci |
		xargs -r grep -lE -m1 '^#!.*(ba)?sh$' | sort -u)
	one shellcheck shellcheck -x -P SCRIPTDIR -S warning "${files[@]}"
}

# References to other pages depend on what is installed.
lint_man()
{
	! mandoc -Tlint user/man/* 2>/dev/null |
		grep -v 'referenced manual not found'
}
host_man() { one "man pages" lint_man; }

# As they are installed, but for where the program is.
verify_units()
{
	local dir rc=0

	dir=$(mktemp -d)
	make --no-print-directory -s -C user install DESTDIR="$dir" &&
	sed -i "s|/usr/sbin/cnictl|$dir&|" "$dir"/usr/lib/systemd/system/* &&
	for u in "$dir"/usr/lib/systemd/system/*@.service; do
		ln -s "$u" "${u%.service}acme.service"
	done &&
	systemd-analyze verify --man=no "$dir"/usr/lib/systemd/system/*acme* || rc=1
	rm -rf "$dir"
	return $rc
}
host_units()
{
	command -v systemd-analyze >/dev/null || {
		echo "1..0 # SKIP needs systemd: scripts/deps check"
		return
	}
	one "systemd units" verify_units
}

# The module is in two of the places where it may be; a configuration stays.
install_uninstall()
{
	local dir rc=0 f

	dir=$(mktemp -d)
	make --no-print-directory -s -C user install DESTDIR="$dir" || rc=1
	touch "$dir/etc/cnilink/acme.conf"
	for f in 6.1/extra/cnilink.ko 6.12/updates/dkms/cnilink.ko.xz; do
		mkdir -p "$dir/lib/modules/${f%/*}"
		touch "$dir/lib/modules/$f"
	done
	make --no-print-directory -s uninstall DESTDIR="$dir" \
		INSTALL_MOD_PATH="$dir" || rc=1
	[ "$(find "$dir" ! -type d ! -name 'modules.*')" = \
	  "$dir/etc/cnilink/acme.conf" ] || { find "$dir"; rc=1; }
	rm -rf "$dir"
	return $rc
}
host_install() { one "uninstall takes all away" install_uninstall; }

# A build of its own, so that the module under test stays as it is.
quiet_build()
{
	local out

	out=$(make --no-print-directory modules out="$top/build/lint" "$@" 2>&1) || {
		printf '%s\n' "$out"
		return 1
	}
	! grep -E '(kmod/.*|^)(warning|error):' <<<"$out"
}

headers()
{
	(cd "${CNI_KERNELS:-build/kernels}/$(scripts/deps cached-kernel "${CNI_KERNEL:-}")/build" 2>/dev/null &&
	 pwd) || {
		echo "1..0 # SKIP no kernel headers: scripts/deps kernel"
		return 1
	}
}

host_build()
{
	local kdir

	if kdir=$(headers); then
		one "no warning with W=1 and sparse" \
			quiet_build KDIR="$kdir" W=1 C=2
	else
		echo "$kdir"
	fi
}

host_dkms()
{
	local kdir

	if ! command -v dkms >/dev/null; then
		echo "1..0 # SKIP needs dkms: scripts/deps check-deep"
	elif kdir=$(headers); then
		selftests/dkms.sh "$kdir"
	else
		echo "$kdir"
	fi
}

host_checkpatch()
{
	one checkpatch make --no-print-directory checkpatch \
		CHECKPATCH=--max-line-length=80
}

host_lpm() { make --no-print-directory -s -C selftests/lpm check; }
host_user() { make --no-print-directory -s -C user check; }
host_vm() { selftests/vm.sh; }

# The longest first, so that none is left to run alone at the end.
vm_tests()
{
	local f

	if [ -n "${CNI_DEEP:-}" ]; then
		# Over ten minutes; e2e has the main ways of it.
		echo cnictl/sync.sh
		for f in oracle-xdp xdp deep/lpm genl invariants ip6gre twins \
			wayout multipath stage firewall gso checksum health mss rules \
			witness mtu source netns churn lifecycle tap \
			exceptions cnictl/up; do
			echo "debug/$f.sh"
		done
		for f in selftests/deep/*.sh; do
			echo "deep/${f##*/}"
		done
		echo selinux/hooks.sh
	fi
	printf '%s.sh\n' oracle cnictl/{check,up} rules lifecycle stage \
		cnictl/atomic virtio/xdp invariants yama/hooks cnictl/man \
		xdp cnictl/{see,reload,bgp,static,record,theirs} \
		cnictl/{bring-up,systemd} virtio/oracle \
		genl hooks firewall ip6gre twins wayout multipath exceptions gso \
		checksum health mss witness mtu source netns churn tap e2e noipv6
}

# Tests in whose VM the processors take turns, which costs a quarter less: what
# they are about isn't what several do at once, and the deep runs have a thread
# for each processor all the same. But in lifecycle each hook that comes or goes
# has the kernel change its code.
in_turns='^lifecycle\.sh$'
[ -n "${CNI_DEEP:-}" ] ||
	in_turns='^(lifecycle|oracle|cnictl/.*)\.sh$'

# NAME DIR: output and exit status go to files, for tests run side by side.
run_one()
{
	local start=$SECONDS opts=()

	if [[ " $host_tests " == *" $1 "* ]]; then
		"host_$1" >"$2/out" 2>&1
	elif [[ $1 == debug/* ]]; then
		# Slow enough with what everyone runs.
		CNI_DEEP='' scripts/vm --debug --smp 4 --mem 3072 \
			--timeout "${CNI_TIMEOUT:-3600}" -- \
			"selftests/${1#debug/}" >"$2/out" 2>&1
	else
		[[ $1 != virtio/* ]] || opts=(--nics 2)
		[[ $1 != yama/* ]] || opts=(--append lsm=yama)
		[[ $1 != selinux/* ]] || opts=(--append security=selinux)
		[[ $1 != noipv6.sh ]] || opts=(--append ipv6.disable=1)
		[[ ! $1 =~ $in_turns ]] || opts+=(--turns)
		scripts/vm --smp "$smp" "${opts[@]}" \
			--timeout "${CNI_TIMEOUT:-1200}" -- \
			"selftests/${1#@(virtio|yama|selinux)/}" >"$2/out" 2>&1
	fi
	echo "$? $((SECONDS - start))" >"$2/rc.new"
	mv "$2/rc.new" "$2/rc"
}

# INDEX: put a failure aside, to be run once more.
may_run_again()
{
	local rc

	read -r rc _ <"$dir/$1/rc"
	[ $again_left -gt 0 ] && [ "$rc" != 0 ] && [ "$rc" != 4 ] &&
		[ "$rc" != 120 ] && [[ " $host_tests " != *" ${names[$1]} "* ]] ||
		return 1
	again_left=$((again_left - 1))
	again+=("$1")
	mv "$dir/$1/out" "$dir/$1/out.first"
	mv "$dir/$1/rc" "$dir/$1/rc.first"
}

# Renumber a test's TAP, and turn a death without a plan into a failure. The
# last line of what it prints is for add_up().
# shellcheck disable=SC2016
normalise='
function result(good, text, skipped) {
	n++
	printf "%s %d %s: %s\n", good ? "ok" : "not ok", n, name, text
	skipped ? skip++ : good ? pass++ : fail++
}
/^(not )?ok( |$)/ {
	good = $1 == "ok"
	text = $0
	sub(/^(not )?ok *[0-9]* *(- )?/, "", text)
	results++
	result(good, text, text ~ /# *[Ss][Kk][Ii][Pp]/)
	next
}
/^1\.\.0/ {
	planned++
	results++
	sub(/^1\.\.0 *(# *)?(SKIP *)?/, "")
	result(1, "all # SKIP " $0, 1)
	next
}
/^1\.\.[0-9]+/ { planned += substr($1, 4); plans++; next }
/^(TAP version|KTAP version)/ { next }
{ sub(/^# ?/, ""); print "# " $0 }
END {
	if (rc == 120)
		result(0, "the kernel complained")
	else if (rc >= 124)
		result(0, "ended by force, status " rc)
	else if (planned != results || !results)
		result(0, results + 0 " results, " planned + 0 " planned, status " rc)
	else if (rc && rc != 4 && !fail)
		result(0, "status " rc)
	printf "%d %d %d %d\n", n, pass, fail, skip
}'

# NAME: the command for that test only, with what has to be built before
how_alone()
{
	local rel=${CNI_KERNEL:-} build="make vm-modules cnictl" env=

	if [[ " $host_tests " == *" $1 "* ]]; then
		echo "${rel:+CNI_KERNEL=$rel }selftests/run.sh $1"
		return
	fi
	case $1 in
	debug/*) rel='' build="make cnictl && make vm-test-modules KERNEL=debug" ;;
	deep/lpm.sh) build="make vm-test-modules cnictl" ;;
	esac
	[[ $1 == debug/* || -z "${CNI_DEEP:-}" ]] || env="CNI_DEEP=1 "
	[ -z "$rel" ] || build+=" KERNEL=$rel" env+="CNI_KERNEL=$rel "
	echo "$build && ${env}selftests/run.sh $1"
}

n=0 passed=0 failed=0 skipped=0
times=()
report()
{
	local rc seconds out counts

	read -r rc seconds <"$dir/$1/rc"
	out=$(awk -v name="$2" -v rc="$rc" -v n="$n" "$normalise" "$dir/$1/out")
	counts=${out##*$'\n'}
	printf '# %s: %s s\n' "$2" "$seconds"
	[ "$out" = "$counts" ] || printf '%s\n' "${out%$'\n'*}"
	times+=("$seconds $2")
	read -r n p f s <<<"$counts"
	[ "$f" = 0 ] || echo "# run it alone: $(how_alone "$2")"
	passed=$((passed + p))
	failed=$((failed + f))
	skipped=$((skipped + s))
	[ -e "$dir/$1/rc.first" ] || return 0
	read -r rc seconds <"$dir/$1/rc.first"
	echo "# $2: this was its second run; the first, beside others, ended with $rc:"
	sed -n '/^not ok/,/^ok/s/^/# /p' "$dir/$1/out.first"
	[ "$f" != 0 ] || flaky+=("$2")
}

case ${1-} in
-l)
	tr ' ' '\n' <<<"$host_tests" | grep -vx "${CNI_DEEP:-dkms}"
	vm_tests
	exit
	;;
-*)
	sed -n '/^# usage/s/^# //p' "$0"
	exit 2
	;;
esac

again_left=0
if [ $# -gt 0 ]; then
	names=("$@")
	for i in "${!names[@]}"; do
		name=${names[i]#selftests/}
		script=selftests/${name#@(debug|virtio|yama|selinux)/}
		[[ " $host_tests " == *" $name "* ]] || [ ! -e "$script.sh" ] ||
			name=$name.sh script=$script.sh
		[[ " $host_tests " == *" $name "* || -x $script ]] || {
			echo "run.sh: no test $name; run.sh -l lists them" >&2
			exit 2
		}
		names[i]=$name
	done
else
	mapfile -t names < <("$0" -l)
	again_left=3
fi

dir=$(mktemp -d) || exit 1
pids=()
# shellcheck disable=SC2317
clean()
{
	[ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null
	wait
	rm -rf "$dir"
}
trap clean EXIT
trap 'exit 130' INT TERM HUP

shown=0
running=0
again=()
flaky=()
show_ended()
{
	while [ -e "$dir/$shown/rc" ]; do
		may_run_again $shown || report $shown "${names[shown]}"
		shown=$((shown + 1))
	done
}

one_ended()
{
	wait -n
	running=$((running - 1))
	show_ended
}

# Not by each VM for itself
/usr/bin/python3 -m compileall -q selftests >/dev/null 2>&1

echo "TAP version 13"
for i in "${!names[@]}"; do
	[ $running -lt "$jobs" ] || one_ended
	mkdir "$dir/$i"
	run_one "${names[i]}" "$dir/$i" &
	pids+=($!)
	running=$((running + 1))
done
while [ $running -gt 0 ]; do
	one_ended
done
# What was killed itself left no status.
for i in "${!names[@]}"; do
	[ -e "$dir/$i/rc" ] || echo "137 0" >"$dir/$i/rc"
done
show_ended
for i in "${again[@]}"; do
	run_one "${names[i]}" "$dir/$i"
	report "$i" "${names[i]}"
done

echo "1..$n"
[ ${#times[@]} -lt 2 ] || {
	echo "# the slowest, in seconds:"
	printf '%s\n' "${times[@]}" | sort -rn | head -n 10 | sed 's/^/#	/'
}
[ ${#flaky[@]} = 0 ] || echo "# passed only when run alone: ${flaky[*]}"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
