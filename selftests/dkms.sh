#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# scripts/dkms-install: the module for each kernel with headers, and none taken from
# one for which it can't be built. In trees of its own, on this machine.
#
# shellcheck disable=SC2317
set -u -o pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
headers=$1
n=0 failed=0

check()
{
	local text=$1
	shift
	n=$((n + 1))
	if "$@" >"$dir/out" 2>&1; then
		echo "ok $n $text"
	else
		failed=1
		echo "not ok $n $text"
		tail -n 40 "$dir/out" | sed 's/^/# /'
	fi
}

not() { ! "$@"; }

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export DKMS_TREE=$dir/dkms SOURCE_TREE=$dir/src INSTALL_TREE=$dir/modules
mkdir "$dir"/{dkms,src,modules}

# kernel NAME: as good as installed, with these headers
kernel()
{
	mkdir -p "$dir/modules/$1"
	ln -s "$headers" "$dir/modules/$1/build"
}
installed() { find "$dir/modules/$1" -name 'cnilink.ko*' | grep -q .; }
age() { stat -c %Y.%i "$(find "$dir/modules/$1" -name 'cnilink.ko*')"; }
install() { "$top/scripts/dkms-install" 2>&1 | tee "$dir/said"; }
said() { grep -q "$1" "$dir/said"; }

check "no kernel: says so" not install
check "  and what to do" said 'apt install linux-headers'
kernel 6.1-one
kernel 6.1-two
mkdir -p "$dir/modules/6.1-bare"
check "two kernels with headers" install
check "  the first has the module" installed 6.1-one
check "  the second, too" installed 6.1-two
was=$(age 6.1-two)

# What is there is for another version of the kernel's functions.
rm "$dir/modules/6.1-two/build"
mkdir -p "$dir/modules/6.1-two/build/include"
echo 'modules: ; @echo no such function; false' >"$dir/modules/6.1-two/build/Makefile"
check "one can't be built for any more: says so" not install
check "  which" said "can't be built for 6.1-two"
check "  and why" said 'no such function'
check "  it keeps its module" installed 6.1-two
check "  as it was" test "$(age 6.1-two)" = "$was"
check "  the other has one, too" installed 6.1-one
kernel 6.1-three
check "a kernel that is new" not install
check "  gets it" installed 6.1-three
echo "1..$n"
exit $failed
