#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What scripts/vm makes of a VM that hangs, ends or is ended: with a program in
# the emulator's place that only says what a guest would, so that it takes no VM.
# Run on the host.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/qemu-system-x86_64" <<'END'
#!/bin/bash
# How each start of it goes is a line of $work/plan.
work=$(dirname "$0")
echo start >>"$work/starts"
how=$(sed -n "$(wc -l <"$work/starts")p" "$work/plan")
while [ $# -gt 0 ]; do
	case $1 in
	-pidfile) echo $$ >"$2" ;;
	-serial) echo "console: $how" >"${2#file:}" ;;
	-chardev)
		id=${2#file,id=}
		[ "${id%%,*}" != status ] || { status=${2##*path=}; : >"$status"; }
		[ "${id%%,*}" != out ] || out=${2##*path=}
		[ "${id%%,*}" != err ] || err=${2##*path=}
		;;
	esac
	shift
done
exec 3>"$out" 4>"$err"
case $how in
spin) while :; do :; done ;;
idle) exec sleep 100 ;;
die) exit 1 ;;
esac
echo up >>"$status"
echo "of CMD" >&3
echo "its errors" >&4
case $how in
run-spin) while :; do :; done ;;
run-idle) exec sleep 100 ;;
run-die) exit 1 ;;
esac
echo "exit ${how#exit }" >>"$status"
END
chmod +x "$work/qemu-system-x86_64"

# What was kept of starts that were to fail
drop_logs()
{
	[ ! -e "$work/err" ] ||
		sed -n 's|.* log: \(.*\)/[^/]*$|\1|p' "$work/err" | xargs -r rm -rf
}

# vm STATUS STARTS PLAN...: starts of the emulator that go so; vm's exit status,
# and how often it was started.
vm()
{
	local status=$1 starts=$2 rc=0
	shift 2

	drop_logs
	printf '%s\n' "$@" >"$work/plan"
	: >"$work/starts"
	PATH=$work:$PATH VM_TMP=$work/tmp VM_BOOT_LIMIT=1 \
		timeout 60 "$top/scripts/vm" --timeout "${limit:-20}" -- \
		/bin/true >"$work/out" 2>"$work/err" || rc=$?
	[ $rc = "$status" ] && [ "$(wc -l <"$work/starts")" = "$starts" ] && return
	echo "status $rc, not $status; $(wc -l <"$work/starts") starts, not $starts"
	cat "$work/err"
	return 1
}
said() { [ "$(grep -c "$2" "$work/err")" = "$1" ]; }
# CMD's output is all of it, once.
output() { [ "$(cat "$work/out")" = "of CMD" ] && said 1 "^its errors"; }
kept() { xargs -r grep -l "$1" <<<"$(sed -n 's/.*its log: //p' "$work/err")"; }
interrupted()
{
	local pid rc=0

	drop_logs
	printf '%s\n' "$1" >"$work/plan"
	: >"$work/starts"
	PATH=$work:$PATH VM_TMP=$work/tmp VM_BOOT_LIMIT=20 \
		"$top/scripts/vm" -- /bin/true >"$work/out" 2>"$work/err" &
	pid=$!
	until_ok 20 test -s "$work/starts" || return 1
	sleep 0.5
	kill -TERM $pid
	wait $pid || rc=$?
	[ $rc = 130 ] && [ "$(wc -l <"$work/starts")" = 1 ]
}

ok "a guest that comes up: CMD's status" vm 7 1 "exit 7"
ok "its output" output
ok "nothing is said" said 0 "^vm:"
ok "it hangs while it boots, busy: started again" vm 0 2 spin "exit 0"
ok "CMD's output, once" output
ok "that is said, once" said 1 "^vm: hung while booting.*started again"
ok "the log of the one that hung is kept" kept "console: spin"
ok "it hangs while it boots, idle: started again" vm 3 2 idle "exit 3"
ok "twice" vm 0 3 spin spin "exit 0"
ok "CMD's output then, once" output
ok "no more than twice" vm 125 3 spin spin spin "exit 0"
ok "all three are said" said 3 "^vm: hung while booting"
ok "CMD wasn't run" test ! -s "$work/out"
limit=3
ok "CMD is busy for longer: not started again" vm 124 1 run-spin "exit 0"
ok "CMD waits for longer: not started again" vm 124 1 run-idle "exit 0"
ok "the output of a CMD that was stopped" output
ok "the time is up before a boot is too long" vm 124 1 idle "exit 0"
limit=
ok "it ends while it boots: not started again" vm 125 1 die "exit 0"
ok "it ends under CMD: not started again" vm 125 1 run-die "exit 0"
ok "interrupted while it boots" interrupted idle
ok "interrupted under CMD" interrupted run-idle
drop_logs
tap_end
