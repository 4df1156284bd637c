#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The services as they are installed, under a systemd that has a copy of this
# system and the namespace edge for itself.

# shellcheck source=selftests/cnictl/common
. "$(dirname "$0")/common"
need_root_in_vm
[ -x /lib/systemd/systemd ] || {
	echo "1..0 # SKIP needs systemd: scripts/deps check"
	exit $ksft_skip
}
bare_up || exit 1
make_conf || exit 1

base=/mnt
root=$base/root
mount -t tmpfs tmpfs $base
mkdir $base/{up,work,root}
modprobe overlay 2>/dev/null
mount -t overlay overlay -o lowerdir=/,upperdir=$base/up,workdir=$base/work \
	$root || {
	echo "1..0 # SKIP the kernel can't lay one file system over another"
	exit $ksft_skip
}
make -s -C "$top/user" install DESTDIR=$root || exit 1
cp "$conf" $root/etc/cnilink/acme.conf
units=$root/etc/systemd/system
rm -rf $units
mkdir -p $units/cnilink-{link,sync}@.service.d
# The module isn't installed, and the service doesn't see /tmp or anyone's
# home; and nobody wants to wait a minute.
cp "$CNILINK_KO" $root/usr/lib/cnilink.ko
printf '[Service]\nEnvironment=CNILINK_KO=/usr/lib/cnilink.ko\n' \
	>$units/cnilink-link@.service.d/test.conf
printf '[Service]\nWatchdogSec=15\n' >$units/cnilink-sync@.service.d/test.conf
cat >$units/test.target <<'END'
[Unit]
Wants=cnilink-link@acme.service cnilink-sync@acme.service
END

# The card takes its time to appear.
ip -n edge link set eth0 name later

cat >"$work/boot" <<END
mount --make-rprivate /
cd $root
mount --rbind /dev dev
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
pivot_root . mnt
umount -l /mnt
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
	/lib/systemd/systemd --system --unit=test.target \
	--log-target=console --show-status=no </dev/null
END
nsenter --net=/run/netns/edge unshare --mount --pid --ipc --uts --cgroup \
	--fork sh "$work/boot" >"$work/systemd.log" 2>&1 &
# unshare's child
until_ok 10 pgrep -P $! >/dev/null
init=$(pgrep -P $!)
inside() { nsenter -t "$init" -m -p -n -- "$@"; }
ctl() { inside systemctl "$@"; }
value() { ctl show -p "$2" --value "$1"; }
active() { [ "$(ctl is-active "$1")" = active ]; }
link=cnilink-link@acme
sync=cnilink-sync@acme

late() { [ "$(value $link NRestarts)" -ge 1 ]; }
ok "no card at boot: the link is tried again" until_ok 120 late
ip -n edge link set later name eth0
ok "the link comes up" until_ok 120 active $link
ok "sync comes after it" until_ok 60 active $sync
[ "$tap_failed" = 0 ] || {
	ctl status --no-pager $link $sync | sed 's/^/# /'
	tail -n 30 "$work/systemd.log" | sed 's/^/# /'
	echo "Bail out! no services to work with"
	exit $ksft_fail
}
ok "the module is loaded by the service" grep -q ^cnilink /proc/modules
ok "Cloudflare's side answers" until_ok 10 edge ping -c 1 -W 1 192.0.2.10
has_status() { value $sync StatusText | grep -q "IPv4 and .* IPv6 prefixes"; }
ok "sync tells systemd what it has" has_status
before() { value $link Before | grep -q "$1"; }
ok "BIRD starts after the link" before bird.service
ok "FRR starts after the link" before frr.service
ok "what waits for the network waits for it" before network-online.target

fast() { cnictl -j route get "$1" | grep -q '"fast": true'; }
ip -n edge route add 104.16.0.0/13 dev cni-gre1
ok "a route becomes fast" until_ok 10 fast 104.16.0.1
ctl kill -s KILL $sync
again() { [ "$(value $sync NRestarts)" -ge "$1" ] && active $sync; }
ok "sync is killed: fast all the same" fast 104.16.0.1
ok "sync is killed: started again" until_ok 30 again 1
ctl kill -s STOP $sync
ok "sync hangs: the watchdog starts it again" until_ok 90 again 2
ip -n edge route add 104.24.0.0/14 dev cni-gre1
ok "sync follows again" until_ok 10 fast 104.24.0.1

if "$CNICTL" reload --help >/dev/null 2>&1; then
	sed -i '/^tunnel/,/^}/s/mss = auto/mss = 1300/' \
		$root/etc/cnilink/acme.conf
	ok "reload" ctl reload $link
	ok "reload: done" says 1300 cnictl tunnel show
fi
ctl stop $link
ok "the link stops: sync too" fails active $sync
gone() { ! ip -n edge link show eth0.1234; }
ok "the link stops: its devices are gone" gone
ok "the link starts, and sync" ctl start $link $sync
ok "both are there" active $sync
ctl stop $sync $link
tap_end
