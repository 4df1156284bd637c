#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The prefix table in the kernel: readers on every processor, and a writer.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/../lib.sh"
need_root_in_vm

ko=${CNILINK_KO%/*}/selftests/lpm/kmod/lpm_kmod.ko
if [ ! -e "$ko" ]; then
	echo "1..0 # SKIP no ${ko#"$top/"}: make vm-test-modules"
	exit $ksft_skip
fi

dmesg -C
insmod "$ko" seconds="${CNI_SECONDS:-8}" || exit $ksft_fail
rmmod lpm_kmod
# The kernel's complaints are for scripts/vm to find.
dmesg -t | grep -E '^(KTAP version|not ok|ok|#|1\.\.)'
! dmesg -t | grep -q '^not ok'
