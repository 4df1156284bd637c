# SPDX-License-Identifier: GPL-2.0
"""Hooks of the kernel's own, and users' chains that look like them. Run by
hooks.sh."""
import json
import os
import shutil
import socket

import kit
from kit import check, ip, sh

CNICTL = os.environ["CNICTL"]
UP = [ip(t) for t in ("104.16.9.9", "172.64.9.9", "2606:4700::9:9",
                      "2400:cb00::9:9")]
FAST = ["tunnel", "plain", "tunnel", "plain"]
FAMILIES = {"ip": (0, 1), "ip6": (2, 3)}
LAST = 2147483647
# Where hooks of the kernel's own stand, and beside it: defragmentation,
# SELinux's and AppArmor's, conntrack's, the bridge's
PLACES = {"prerouting": (-2147483648, -400, -225, -200),
          "forward": (-225,),
          "postrouting": (-226, -225, -224, 225, LAST)}

tap = kit.Tap()
kit.static_neighbours()
kit.quiet()
world = kit.World()
kit.setns("edge")
lsms = open("/sys/kernel/security/lsm", encoding="ascii").read() \
    if os.path.exists("/sys/kernel/security/lsm") else \
    sh("mount -t securityfs s /sys/kernel/security; "
       "cat /sys/kernel/security/lsm")
lsms = lsms.strip()
print("# security modules:", lsms)


c = kit.load_routed()


def probe():
    """Where four packets went, and what was counted."""
    before = c.stats("PORT", "lan0")
    ways = world.sent(UP)
    return ways, kit.growth(before, c.stats("PORT", "lan0"))


def local():
    """A packet of this host's own: what the output stage counted."""
    before = c.get("TUNNEL", "gre1")["OUTPUT"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(bytes(kit.LONG), ("104.17.0.9", 9))
    return kit.growth(before, c.get("TUNNEL", "gre1")["OUTPUT"])


def fast_again(name):
    last = None

    def try_it():
        nonlocal last
        last = probe(), local()
        (ways, grown), out = last
        return ways == FAST and grown.get("RX_PACKETS") == 4 and \
            "TX_PACKETS" in out
    with tap.case(name):
        check(kit.wait_for(try_it, 10), last, c.status())


def hooks():
    """Whose hooks are in the way, as cnictl tells."""
    return json.loads(sh(f"{CNICTL} -j show status")).get("hooks")


def obeyed(family, hook, priority, hit):
    """A chain that drops does so, and is said to be in the way."""
    with tap.case(f"nft {family} {hook}, priority {priority}: obeyed"):
        sh(f"nft 'table {family} t {{ chain c {{ type filter hook {hook} "
           f"priority {priority}; {family} daddr "
           f"{'104.0.0.0/5' if family == 'ip' else '2606::/16'} "
           "counter drop; }; }'")
        ways, grown = probe()
        named = hooks()
        text = sh(f"nft list table {family} t; nft delete table {family} t")
        check(named == "nft", named)
        check(ways == [None if i in hit[:1] else way
                       for i, way in enumerate(FAST)], ways, text)
        check("packets 1 " in text, text)
        check(grown.get("NETFILTER", 0) == len(hit) or
              family == "ip" and grown.get("NETFILTER", 0) == 3, grown)


fast_again("with the hooks that this kernel has by itself, all go fast")
for hook, priorities in PLACES.items():
    for family, hit in FAMILIES.items():
        for priority in priorities:
            obeyed(family, hook, priority, hit)
for hook, priority in (("output", -225), ("output", -400), ("output", -200),
                       ("postrouting", -225), ("postrouting", LAST)):
    with tap.case(f"nft {hook}, priority {priority}: outer packets obey"):
        sh(f"nft 'table ip t {{ chain c {{ type filter hook {hook} "
           f"priority {priority}; ip protocol gre counter drop; }}; }}'")
        out = local()
        text = sh("nft list table ip t; nft delete table ip t")
        check(out.get("NETFILTER") == 1 and "packets 1 " in text, out, text)
with tap.case("connection tracking is named, with its functions and modules"):
    sh("nft 'table ip t { chain c { type filter hook input priority 0; "
       "ct state invalid drop; }; }'")
    names = hooks()
    sh("nft delete table ip t")
    check("nft" in names and "ipv4_conntrack_in [nf_conntrack]" in names,
          names)
fast_again("without them, all go fast again")
with tap.case("and nothing is named"):
    check(hooks() is None, hooks())

with tap.case("br_netfilter and a bridge without rules are in nobody's way"):
    sh("modprobe br_netfilter && ip link add br0 type bridge")
    check("ip_sabotage_in" in sh("nft list hooks 2>&1", fail=False) or
          os.path.exists("/proc/sys/net/bridge"))
fast_again("with the bridge's hook, all go fast")
for family, hit in FAMILIES.items():
    obeyed(family, "prerouting", -2147483648, hit)
    obeyed(family, "prerouting", 0, hit)
with tap.case("br_netfilter goes, and comes back to another place"):
    sh("ip link del br0; rmmod br_netfilter")
    fast_again("without the bridge's hook, all go fast")
    sh("modprobe br_netfilter && ip link add br0 type bridge")
fast_again("with the bridge's hook again, all go fast")
sh("ip link del br0; rmmod br_netfilter")

SIDS = "kernel security unlabeled fs file file_labels init any_socket port " \
    "netif netmsg node igmp_packet icmp_socket tcp_socket sysctl_modprobe " \
    "sysctl sysctl_fs sysctl_kernel sysctl_net sysctl_net_unix sysctl_vm " \
    "sysctl_dev kmod policy scmp_packet devnull"


def policy(*caps):
    """Have SELinux go by a policy with these capabilities, and little else."""
    sids = SIDS.split()
    with open("/run/policy.conf", "w", encoding="ascii") as f:
        f.write("class process\nclass packet\n" +
                "".join(f"sid {s}\n" for s in sids) +
                "class process { transition dyntransition }\n"
                "class packet { send recv relabelto forward_in forward_out }\n" +
                "".join(f"policycap {c};\n" for c in caps) +
                "type base_t;\nrole base_r;\nrole base_r types base_t;\n"
                "allow base_t base_t:process *;\n"
                "allow base_t base_t:packet *;\nuser user_u roles base_r;\n" +
                "".join(f"sid {s} user_u:base_r:base_t\n" for s in sids))
    sh("mountpoint -q /sys/fs/selinux || "
       "mount -t selinuxfs s /sys/fs/selinux")
    sh("checkpolicy -c 31 -U allow -o /run/policy /run/policy.conf")
    with open("/run/policy", "rb") as f, \
            open("/sys/fs/selinux/load", "wb", buffering=0) as to:
        to.write(f.read())


def labelled(name, undo, seconds):
    """SELinux judges packets now, and then no longer."""
    with tap.case(f"{name}: in force, and named"):
        ways, grown = probe()
        out = local()
        check(ways == FAST and grown.get("NETFILTER") == 4 and
              out.get("NETFILTER") == 1, ways, grown, out)
        check("selinux_ip_forward" in hooks(), hooks())
    undo()
    with tap.case(f"{name}: no longer, and fast again"):
        check(kit.wait_for(lambda: hooks() is None, seconds), hooks())
    fast_again(f"{name}: all go fast again")


def selinux():
    policy("network_peer_controls")
    fast_again("with a policy that knows peers, all go fast")
    sh("ip netns exec lan nft 'table ip s { secmark s "
       "{ \"user_u:base_r:base_t\" }; }'")
    labelled("labels for packets, in another namespace",
             lambda: sh("ip netns exec lan nft delete table ip s"), 90)
    policy("network_peer_controls", "always_check_network")
    labelled("a policy that checks all packets",
             lambda: policy("network_peer_controls"), 90)


if "selinux" in lsms.split(","):
    if shutil.which("checkpolicy"):
        selinux()
    else:
        tap.ok(True, "SELinux with a policy # SKIP no checkpolicy")

DEVICE = "nft 'table netdev t {{ chain c {{ type filter hook {} device {} " \
    "priority {}; ip daddr 104.16.9.9 counter drop; }}; }}'"
for hook, dev, inside in (("ingress", "lan0", True),
                          ("egress", "gre1", False)):
    with tap.case(f"nft {hook} on {dev}, the last of all and there before the "
                  "module: obeyed"):
        kit.unload(c)
        sh(DEVICE.format(hook, dev, LAST))
        c = kit.load_routed()
        ways, grown = probe()
        check(ways[0] is None, ways, grown)
        out = {}
        if not inside:
            before = c.get("TUNNEL", "gre1")["OUTPUT"]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.sendto(bytes(kit.LONG), ("104.16.9.9", 9))
            out = kit.growth(before, c.get("TUNNEL", "gre1")["OUTPUT"])
        text = sh("nft list table netdev t")
        check(f"packets {1 + (not inside)} " in text, text, ways, grown, out)
    sh("nft delete table netdev t")
    fast_again(f"without the chain on {dev}, all go fast")

kit.unload(c)
tap.end()
