# SPDX-License-Identifier: GPL-2.0
"""A port that is a VLAN device, whose device below lies in another namespace:
there another device has its number here. Run by netns.sh."""
import json
import os
import subprocess

import kit
from kit import check, ip, ns, prefix, sh

CNICTL = os.environ["CNICTL"]
WHOLE = "tx off txvlan off tx-vlan-stag-hw-insert off gro on"
tap = kit.Tap()
kit.static_neighbours()
kit.quiet()
for space in ("lan", "cf"):
    with ns(space):
        sh(f"ethtool -K eth0 {WHOLE}")
kit.setns("edge")
c = kit.load()
# Numbers are a namespace's own: q0 has r0's here.
sh(f"""
    ip link add q0 index 777 type veth peer name q1
    ip link set q1 up addrgenmode none
    ip link set q0 up addrgenmode none
    ip netns add below
    ip -n below link set lo up
    ip -n below link add r0 index 777 type veth peer name r1
    ip -n below link set r1 up addrgenmode none
    ip -n below link set r0 up addrgenmode none
    ip netns exec below ethtool -K r1 {WHOLE}
    ip -n below link add link r0 name v7 type vlan id 7 loose_binding on
    ip -n below link set v7 netns edge
    ip addr add 10.7.0.1/24 dev v7
    ip addr add fd07::1/64 dev v7 nodad
    ip link set v7 up""")
HOME = {"10.7.0.2": "104.16.0.1", "fd07::2": "2606:4700::1"}


def neighbours():
    for addr in HOME:
        sh(f"ip neigh replace {addr} lladdr 02:00:00:00:07:02 dev v7 "
           "nud permanent")


neighbours()
for dev in ("v7", "q0"):
    c.do("PORT_SET", f"PORT_IFINDEX:dev={dev}")
c.set_routes([(prefix(p), (kit.ifindex("v7"), None))
              for p in ("10.7.0.0/24", "fd07::/64")] +
             [(prefix("10.9.0.0/24"), (kit.ifindex("lan0"), None))])
far = kit.Tx("cf", "eth0", kit.mac("edge", "eth0"))
world = kit.World()
world.extra["v7"] = kit.Rx("below", "r1")
number = 0


def sent(n=4):
    """Where packets out of the tunnel arrive, and what the link counted."""
    global number
    before = c.stats("LINK", "eth0.1234")
    first = number
    for dst, src in HOME.items():
        for _ in range(n):
            number += 1
            far.tagged(kit.gre(kit.udp(ip(src), ip(dst), number)))
    got = {}

    def here():
        got.update((num, way) for way, num in world.seen()
                   if num is not None and num > first)
        return len(got) == number - first
    kit.wait_for(here, 3)
    ways = [got.get(i) for i in range(first + 1, number + 1)]
    return ways, kit.growth(before, c.stats("LINK", "eth0.1234"))


def blockers(dst="10.7.0.2"):
    return c.lookup(dst)["BLOCKERS"]


with tap.case("the fast path sends by a device of another namespace"):
    ways, grown = sent()
    check(ways == ["v7"] * 8, ways)
    check(grown["RX_PACKETS"] == 8 and "PUNT" not in grown, grown)
with tap.case("its number isn't told for one of here"):
    check("LOWER_IFINDEX" not in c.lookup("10.7.0.2"), c.lookup("10.7.0.2"))
    check(c.lookup("10.9.0.2")["LOWER_IFINDEX"] == kit.ifindex("lan0"))
with tap.case("XDP leaves it to that, and says so"):
    sh("mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf; "
       f"{CNICTL} xdp attach eth0 lan0")
    # In the namespace below XDP can be sent to.
    sh("echo '__attribute__((section(\"xdp\"))) int pass(void *c) "
       "{ return 2; }' | clang -O2 -target bpf -x c -c - -o /run/pass.o && "
       "bpftool prog load /run/pass.o /sys/fs/bpf/pass type xdp && "
       "nsenter --net=/run/netns/below ip link set r0 xdpdrv pinned "
       "/sys/fs/bpf/pass")
    ways, grown = sent()
    check(ways == ["v7"] * 8, ways)
    check(grown["XDP_PASS:XDP_TARGET"] == grown["RX_PACKETS"] == 8 and
          not grown.get("XDP_PACKETS"), grown)
    sh(f"{CNICTL} xdp detach; ip -n below link set r0 xdpdrv off")
# VLAN devices needn't follow: they are told of it by the one below only.
with tap.case("the device below goes down: known at once"):
    sh("ip -n below link set r0 down")
    check("DEVICE_DOWN" in blockers(), blockers())
    ways, grown = sent()
    check(ways == [None] * 8 and not grown.get("RX_PACKETS"), ways, grown)
with tap.case("and up"):
    sh("ip -n below link set r0 up")
    check("DEVICE_DOWN" not in blockers(), blockers())
    ways, grown = sent()
    check(ways == ["v7"] * 8 and grown["RX_PACKETS"] == 8, ways, grown)
with tap.case("its new MAC address is sent from"):
    sh("ip -n below link set r0 address 02:00:00:00:07:09")
    neighbours()
    ways, grown = sent(1)
    check(ways == ["v7"] * 2 and grown["RX_PACKETS"] == 2, ways, grown)
with tap.case("it moves to yet another namespace"):
    sh("ip netns add other; ip -n below link set r0 netns other; "
       "ip -n other link set r0 up; ip -n other link set r0 address "
       "02:00:00:00:07:0a")
    neighbours()
    world.extra["v7"] = kit.Rx("below", "r1")
    check(kit.wait_for(lambda: not blockers()), blockers())
    ways, grown = sent()
    check(ways == ["v7"] * 8 and grown["RX_PACKETS"] == 8, ways, grown)
    check(c.get("PORT", "q0") and c.get("PORT", "v7"))
with tap.case("a link's frames aren't taken in another namespace"):
    c.do("PORT_DEL", "PORT_IFINDEX:dev=v7")
    done = subprocess.run(f"{CNICTL} link set v7 local4 10.7.0.1 "
                          "peer4 10.7.0.2", shell=True, text=True,
                          capture_output=True, check=False)
    check(done.returncode and "another network namespace" in done.stderr,
          done)
with tap.case("a link whose device below moves away is none any more"):
    sh("""ip link add s0 type veth peer name s1
          ip link add link s0 name s0.9 type vlan id 9
          ip link set s0 up; ip link set s0.9 up""")
    sh(f"{CNICTL} link set s0.9 local4 10.8.0.1 peer4 10.8.0.2")
    sh("ip link set s0 netns other; ip -n other link set s0 up")
    links = json.loads(sh(f"{CNICTL} -j show link"))
    check([one["dev"] for one in links] == ["eth0.1234"], links)
    sh("ip link set s0.9 up; ip link del s0.9; ip link del s1")
with tap.case("the device below is deleted: nothing holds it"):
    c.do("PORT_SET", "PORT_IFINDEX:dev=v7")
    check(kit.wait_for(lambda: not blockers()), blockers())
    sh("ip -n other link del r0")
    check("v7" not in sh("ip link"))
    # After ten seconds the kernel says that it waits.
    check("waiting for" not in sh("dmesg | tail -20"))
with tap.case("the module unloads"):
    kit.unload(c)
tap.end()
