#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# XDP programs can call the module, if it was built for that; else it works all the same and says why they can't. And
# what cnictl's own program does then.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
need_root_in_vm

tmp=$(mktemp -d /dev/shm/xdp.XXXXXX)
pin=/sys/fs/bpf/cni_call

state() { "$CNICTL" -j version | jq -r .xdp; }
state_is() { [ "$(state)" = "$1" ]; }
told() { "$CNICTL" version | grep -q "^XDP not available: $1"; }
users() { lsmod | awk '$1 == "cnilink" { print $3 }'; }

# The program's return value, for a frame of zeroes.
run_prog() { bpftool -j prog run pinned $pin data_in "$tmp/frame" | jq .retval; }
load_prog() { bpftool prog load "$top/build/user/cnilink.bpf.o" $pin type xdp; }

dmesg_has() { dmesg | grep -q "$1"; }

# SECTION FILE: the module with that in the section's place.
module_with() { objcopy --update-section "$1=$2" "$CNILINK_KO" "$tmp/cnilink.ko"; }

# STATE TEXT: the module of $tmp loads, says that, and goes.
says()
{
	ok "$1: the module loads" insmod "$tmp/cnilink.ko"
	ok "$1: cnictl says so" state_is "$1"
	ok "$1: and what to do" told "$2"
	not_ok "$1: a program that calls it is refused" load_prog
	ok "$1: the module unloads" rmmod cnilink
}

if [ ! -e /sys/kernel/btf/vmlinux ]; then
	ok "the module loads" module_load
	ok "no-kernel-support: cnictl says so" state_is no-kernel-support
	ok "no-kernel-support: and what to do" told "the kernel takes no type information"
	tap_end
fi

mount -t bpf bpf /sys/fs/bpf 2>/dev/null
head -c 64 /dev/zero >"$tmp/frame"
ok "the module loads" module_load
ok "the kernel has the module's type information" test -s /sys/kernel/btf/cnilink
ok "cnictl says that XDP is available" state_is available
ok "the program loads" load_prog
ok "it calls the module, which leaves such a frame to the kernel" test "$(run_prog)" = 2
ok "it keeps the module" test "$(users)" = 1
not_ok "so that the module can't be unloaded" rmmod cnilink
rm -f $pin
ok "until it is gone" until_ok 10 rmmod cnilink

objcopy --remove-section .BTF "$CNILINK_KO" "$tmp/cnilink.ko"
says no-btf "the module was built without its type information"

objcopy -O binary --only-section .BTF_ids --set-section-flags .BTF_ids=alloc "$CNILINK_KO" "$tmp/ids"
head -c "$(stat -c %s "$tmp/ids")" /dev/zero >"$tmp/none"
module_with .BTF_ids "$tmp/none"
says no-ids "the module was built without the IDs"

# Its names and types are elsewhere in another kernel's.
objcopy -O binary --only-section .BTF --set-section-flags .BTF=alloc "$CNILINK_KO" "$tmp/btf"
head -c 1000 "$tmp/btf" >"$tmp/foreign"
module_with .BTF "$tmp/foreign"
# CONFIG_MODULE_ALLOW_BTF_MISMATCH, Debian has it: such a module does without.
if insmod "$tmp/cnilink.ko" 2>/dev/null; then
	rmmod cnilink
	says foreign-btf "the module's type information (BTF) was made for another kernel"
else
	ok "foreign-btf: the kernel says why it doesn't take the module" \
		dmesg_has 'failed to validate module \[cnilink\] BTF'
fi

rm -rf "$tmp"
topology_up || not_ok "there are devices" true
export CNICTL
/usr/bin/python3 -S "$here/xdp.py" || tap_failed=1
tap_end
