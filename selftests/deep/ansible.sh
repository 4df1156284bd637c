#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The example of an Ansible role makes a host of it, and changes nothing when
# it's run again.

# shellcheck source=selftests/cnictl/booted
. "$(dirname "$0")/../cnictl/booted"
need_root_in_vm
need_systemd
command -v ansible-playbook >/dev/null || {
	echo "1..0 # SKIP needs ansible-core: scripts/deps check-deep"
	exit $ksft_skip
}
bare_up || exit 1
make_conf || exit 1
prepare
printf '[Unit]\nDescription=Nothing\n' >$units/test.target
sed -i '0,/^}/s//\tlocal-as = 65010\n}/' "$conf"
echo 'bgp { announce = { 203.0.113.0/24 } }' >>"$conf"
mkdir $root/root/play
cp -r "$top/scripts/ansible/cnilink" $root/root/play/
# In the words of the user's own playbook.
{
	printf -- '- hosts: all\n  gather_facts: false\n  roles: [cnilink]\n'
	printf '  vars:\n    cnilink_name: acme\n    cnilink_config: |\n'
	sed 's/^/      /' "$conf"
} >$root/root/play/site.yml
boot
ctl() { inside systemctl "$@"; }
until_ok 60 ctl is-active test.target
play()
{
	inside env HOME=/root ANSIBLE_ROLES_PATH=/root/play ANSIBLE_NOCOLOR=1 \
		ANSIBLE_PIPELINING=1 \
		PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
		ansible-playbook -c local -i localhost, /root/play/site.yml
}
ok "the role is applied" play
active() { [ "$(ctl is-active "$1")" = active ]; }
ok "the link is up" active cnilink-link@acme
ok "sync runs" active cnilink-sync@acme
ok "BIRD runs" active bird
enabled() { [ "$(ctl is-enabled "$1")" = enabled ]; }
ok "so they do at every boot" enabled cnilink-sync@acme
ok "Cloudflare's side answers" until_ok 10 edge ping -c 1 -W 1 192.0.2.10
speaks() { inside birdc show protocols cloudflare4 | grep -q BGP; }
ok "BIRD has the session" speaks
ok "again: nothing changes" says "changed=0 " play
tap_end
