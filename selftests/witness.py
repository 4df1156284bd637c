# SPDX-License-Identifier: GPL-2.0
"""Frames of VLANs that no link is configured to. Run by witness.sh."""
import json
import os
import struct

import kit
from kit import attrs, check, ip, sh

CNICTL = os.environ["CNICTL"]
C, S = 0x8100, 0x88a8
tap = kit.Tap()
kit.static_neighbours()
kit.quiet()
for space in ("cf", "edge"):
    # So that nothing is sent but what is sent here.
    with kit.ns(space):
        kit.sysctl("net.ipv6.conf.eth0.disable_ipv6", 1)
world = kit.World()
kit.setns("edge")
c = kit.Client()
TX = kit.Tx("cf", "eth0", kit.mac("edge", "eth0"))
PACKET = kit.udp(ip("172.64.0.1"), ip("10.9.0.2"), 1)


def send(tags, n=1, kind=b"\x08\0", to=None):
    """Frames with these (protocol, ID), from the outermost."""
    head = b"".join(struct.pack("!HH", *tag) for tag in tags)
    for _ in range(n):
        TX.sock.send((to or TX.to) + TX.mac + head + kind + PACKET)
    world.fence()


def seen(dev="eth0.1234"):
    """(protocol, ID) to its attributes."""
    out = {}
    payload, = c.do("LINK_GET", f"LINK_IFINDEX:dev={dev}")
    for kind, value in attrs(payload):
        if kind & 0x3fff == kit.A["CNILINK_A_LINK_SEEN"]:
            one = kit.read(value, "SEEN")
            key = one["VLAN_PROTO"], one["VLAN_ID"]
            check(key not in out, "twice", key)
            check(one["FIRST"] >= one["LAST"] >= 0, one)
            out[key] = one
    return out


def counts(dev="eth0.1234"):
    return {k: v["PACKETS"] for k, v in seen(dev).items()}


def link_set(dev):
    c.do("LINK_SET", f"LINK_IFINDEX:dev={dev}",
         "LINK_LOCAL4:ip=192.0.2.11", "LINK_PEER4:ip=192.0.2.10")


def shown():
    return (sh(f"{CNICTL} show link"),
            json.loads(sh(f"{CNICTL} -j show link"))[0])


link_set("eth0.1234")
with tap.case("the link's own frames are nothing to note"):
    send([(C, 1234)], 5)
    send([(C, 1234), (C, 7)])
    check(counts() == {}, counts())
    check(shown()[1]["seen"] == [])
with tap.case("another ID, another protocol, and none at all"):
    send([(C, 101)], 3)
    send([], 2)
    send([(S, 1234)])
    send([(C, 101)])
    send([(C, 101), (C, 1234)])
    check(counts() == {(C, 101): 5, (0, 0): 2, (S, 1234): 1}, counts())
with tap.case("broadcast, and what is for others' MAC addresses"):
    send([(C, 102)], to=b"\xff" * 6)
    send([(C, 102)], to=b"\2\0\0\0\0\x99")
    check(counts()[C, 102] == 2, counts())
with tap.case("untagged control frames are never tagged, and don't count"):
    for kind in (b"\x88\xcc", b"\x88\x09", b"\0\x40"):
        send([], kind=kind, to=b"\1\x80\xc2\0\0\x0e")
    check(counts()[0, 0] == 2, counts())
    send([(C, 103)], kind=b"\x88\xcc")
    check(counts()[C, 103] == 1, counts())
with tap.case("a VLAN device of the kernel's takes them"):
    check(not any("IFINDEX" in one for one in seen().values()), seen())
    sh("ip link add link eth0 name eth0.101 type vlan id 101")
    one = seen()[C, 101]
    check(one["IFINDEX"] == kit.ifindex("eth0.101"), one)
with tap.case("the device itself takes them, once it has an address"):
    sh("ip addr add 10.77.0.1/24 dev eth0")
    check(seen()[0, 0].get("IFINDEX") == kit.ifindex("eth0"), seen())
    sh("ip addr del 10.77.0.1/24 dev eth0")
    check("IFINDEX" not in seen()[0, 0], seen())
with tap.case("cnictl says so"):
    text, data = shown()
    check("! frames arrive with VLAN 102 (2, first " in text, text)
    # The other end is known: these are others' beside it.
    check("frames arrive with no VLAN" not in text, text)
    check(any(s["vlan-proto"] == 0 and s["packets"] == 2
              for s in data["seen"]), data)
    check("; this link has VLAN 1234\n" in text, text)
    check("! frames arrive with VLAN 1234 (802.1ad) (1, first " in text, text)
    check("  frames arrive with VLAN 101 (5, first " in text and
          "; eth0.101 takes them\n" in text, text)
    one = [s for s in data["seen"] if s["vlan-id"] == 101]
    check(len(one) == 1 and one[0]["packets"] == 5 and
          one[0]["dev"] == "eth0.101" and one[0]["vlan-proto"] == C, data)
    check(data["vlan-filter"] is False and "rx-vlan-filter" not in text, data)
with tap.case("what becomes a link's is no stranger's"):
    link_set("eth0.101")
    for dev in ("eth0.1234", "eth0.101"):
        check((C, 101) not in counts(dev) and (0, 0) in counts(dev), dev)
    link_set("eth0")
    check((0, 0) not in counts(), counts())
    before = c.stats("LINK", "eth0")
    send([])
    send([(C, 101)])
    check(kit.growth(before, c.stats("LINK", "eth0")), "not the link's")
    c.do("LINK_DEL", "LINK_IFINDEX:dev=eth0.101")
    c.do("LINK_DEL", "LINK_IFINDEX:dev=eth0")
    check(counts()[0, 0] == 2 and counts()[C, 101] == 5, counts())
with tap.case("untagged ones of a port are the port's"):
    c.do("PORT_SET", "PORT_IFINDEX:dev=eth0")
    send([], 4)
    send([(C, 102)])
    check(counts()[0, 0] == 2 and counts()[C, 102] == 3, counts())
    check(c.stats("PORT", "eth0")["VLAN"] == 1)
    c.do("PORT_DEL", "PORT_IFINDEX:dev=eth0")
with tap.case("each CPU's are added up"):
    for cpu in sorted(os.sched_getaffinity(1)):
        os.sched_setaffinity(0, {cpu})
        send([(C, 104)])
    os.sched_setaffinity(0, {0})
    check(counts()[C, 104] == len(os.sched_getaffinity(1)), counts())
with tap.case("a flood of IDs: the latest is there, the table stays small"):
    for vid in range(200, 1200):
        TX.sock.send(TX.to + TX.mac + struct.pack("!HH", C, vid) + b"\x08\0" +
                     PACKET)
    world.fence()
    check(len(counts()) <= 8 and counts().get((C, 1199)) == 1, counts())
with tap.case("a link that is made anew starts with none"):
    c.do("LINK_DEL", "LINK_IFINDEX:dev=eth0.1234")
    link_set("eth0.1234")
    check(counts() == {}, counts())
with tap.case("a lower device that filters VLANs hides them"):
    c.do("LINK_DEL", "LINK_IFINDEX:dev=eth0.1234")
    sh("ip link add bond9 type bond && ip link set bond9 up && "
       "ip link add link bond9 name bond9.7 type vlan id 7")
    link_set("bond9.7")
    text, data = shown()
    check(data["vlan-filter"] is True and
          "ethtool -K bond9 rx-vlan-filter off" in text, text)
with tap.case("the module unloads"):
    c.close()
    sh("rmmod cnilink")
tap.end()
