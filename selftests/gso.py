# SPDX-License-Identifier: GPL-2.0
"""UDP packets of many datagrams, through the tunnel either way. Run by gso.sh."""
import json
import socket
import struct

import kit
from kit import check, ip, sh

FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
LAN = {4: "10.9.0.2", 6: "fd09::2"}
FAR = {4: "104.16.0.1", 6: "2606:4700::1"}
SEGMENT = 103
SIZE, EACH, LAST, PACKETS = 1000, 9, 300, 3
# Where the datagrams are put together: by the sender, or by GRO, which keeps
# the headers of the first or of all.
HOW = {
    "whole": ("tx-udp-segmentation on", "gro off"),
    "one by one": ("tx-udp-segmentation off", "gro off"),
    "GRO": ("tx-udp-segmentation off",
            "gro on rx-gro-list off rx-udp-gro-forwarding on"),
    "GRO's list": ("tx-udp-segmentation off",
                   "gro on rx-gro-list on rx-udp-gro-forwarding off"),
}

tap = kit.Tap()
kit.static_neighbours()
kit.quiet()
kit.setns("edge")


def send(space, version, far):
    """Packets of EACH full datagrams and a shorter one."""
    far = far or FAR[version]
    src, dst = (LAN[version], far) if space == "lan" else (far, LAN[version])
    with kit.ns(space), socket.socket(FAMILY[version],
                                      socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.IPPROTO_UDP, SEGMENT, SIZE)
        s.setsockopt(*((0, 10) if version == 4 else (41, 23)), 2)
        s.bind((src, 4000))
        for i in range(PACKETS):
            s.sendto(bytes([i]) * (SIZE * EACH + LAST), (dst, 9))


def play(space, version, far=None, client=None):
    """What arrives, and how the module's counters grow."""
    wire = wires[space]
    wire.frames()
    before = client.stats(*IN[space]) if client else {}
    send(space, version, far)
    got = []

    def arrived():
        # A neighbour may ask for another one, in less.
        part = [x for x in wire.frames() if len(x[2]) > LAST]
        got.extend(part)
        return got and not part
    kit.wait_for(arrived)
    # The sender may go on on another processor before all of one packet's
    # datagrams are there: each packet's are in order, packets need not be.
    got.sort(key=lambda x: x[2][-1])
    return [(tag, proto, without_ids(data)) for tag, proto, data in got], \
        kit.growth(before, client.stats(*IN[space])) if client else {}


def without_ids(packet):
    """IPv4's, which a sender picks as it likes; and so not the checksum."""
    packet = bytearray(packet)
    if packet[0] >> 4 == 4:
        packet[4:6] = packet[10:12] = b"\0\0"
    return bytes(packet)


IN = {"lan": ("PORT", "lan0"), "cf": ("TUNNEL", "gre1")}
# Where they arrive. kit.Rx sees what is long, so no ARP.
wires = {"lan": kit.Rx("cf", "eth0"), "cf": kit.Rx("lan", "eth0")}
for w in wires.values():
    w.sock.setsockopt(socket.SOL_SOCKET, 27, struct.pack("I", 0))


TUNNEL = [("lan", 4, None), ("lan", 6, None), ("cf", 4, None), ("cf", 6, None)]
PLAIN = [("lan", 4, "172.64.0.1"), ("lan", 6, "2400:cb00::1")]
# What a device is set to, bypassed ones among them
LIMITS = {
    "no datagrams cut": ("ethtool -K {} tx-udp-segmentation off",
                         "ethtool -K {} tx-udp-segmentation on"),
    "no segments at all": ("ethtool -K {} tso off gso off "
                           "tx-udp-segmentation off",
                           "ethtool -K {} tso on gso on "
                           "tx-udp-segmentation on"),
    "gso_max_size": ("ip link set {} gso_max_size 4000",
                     "ip link set {} gso_max_size 65536"),
    "gso_max_segs": ("ip link set {} gso_max_segs 4",
                     "ip link set {} gso_max_segs 65535"),
}
WAY_OUT = (("gre1", TUNNEL[:2]), ("eth0.1234", PLAIN), ("eth0", PLAIN),
           ("lan0", TUNNEL[2:]))


def sent_by(dev):
    return json.loads(sh(f"ip -s -j link show {dev}"))[0][
        "stats64"]["tx"]["packets"]


def limits():
    for space, dev in ("lan", "lan0"), ("cf", "eth0"):
        sh(f"ip netns exec {space} ethtool -K eth0 {HOW['whole'][0]}; "
           f"ethtool -K {dev} {HOW['whole'][1]}")
    for name, (do, undo) in LIMITS.items():
        for dev, todo in WAY_OUT:
            sh(do.format(dev))
            stock = [play(*one)[0] for one in todo]
            before = sent_by(dev)
            play(*todo[0])
            each = sent_by(dev) - before
            c = kit.load_routed()
            for one, want in zip(todo, stock):
                with tap.case(f"{name} by {dev}: IPv{one[1]}"):
                    before = sent_by(dev)
                    got, grown = play(*one, c)
                    # What stock cuts is the kernel's, where it's cut first.
                    check(got == want, [len(x[2]) for x in got],
                          [len(x[2]) for x in want])
                    check(dev != "gre1" or
                          (grown.get("OFFLOAD") == PACKETS and
                           sent_by(dev) - before == each), grown,
                          sent_by(dev) - before, each)
            kit.unload(c)
            sh(undo.format(dev))


limits()

ALL = PACKETS * (EACH + 1)
for how, (tx, rx) in HOW.items():
    for space, dev in ("lan", "lan0"), ("cf", "eth0"):
        sh(f"ip netns exec {space} ethtool -K eth0 {tx}; "
           f"ethtool -K {dev} {rx}")
    # Stock ip_gre dies of lists: a write to a page that is read-only.
    todo = PLAIN if how == "GRO's list" else TUNNEL + PLAIN
    stock = [play(*one)[0] for one in todo]
    c = kit.load_routed()
    for one, want in zip(todo, stock):
        space, version, far = one
        with tap.case(f"{how}: IPv{version} from {space}"
                      f"{', no tunnel' if far else ''}"):
            got, grown = play(*one, c)
            check(want and got == want, [len(x[2]) for x in got],
                  [len(x[2]) for x in want])
            grown.pop("RX_BYTES")
            # GRO doesn't look for datagrams in tunnels.
            few = how == "whole" or how != "one by one" and space == "lan"
            # Multicast of the kernel's own may come between them.
            own = grown.pop("NOT_FOR_US", 0) + grown.pop("SPECIAL_ADDRESS", 0)
            check(grown == {"RX_PACKETS": PACKETS if few else ALL,
                            **({"PUNT": own} if own else {})}, grown)
    kit.unload(c)
sh("nft 'table inet t { chain c { type filter hook forward priority 0; "
   "policy drop; }; }'")
c = kit.load_routed()
c.do("PORT_SET", "PORT_IFINDEX:dev=lan0",
     f"PORT_FLAGS:u32={kit.NAMES['CNILINK_PORT_FLAG_BYPASS_NETFILTER']}")
for version in (4, 6):
    with tap.case(f"GRO's list: IPv{version} through the tunnel is "
                  "punted"):
        before = c.stats("PORT", "lan0")
        send("lan", version, None)
        check(kit.wait_for(lambda: kit.growth(before, c.stats(
            "PORT", "lan0")) == {"OFFLOAD": PACKETS, "PUNT": PACKETS}),
            kit.growth(before, c.stats("PORT", "lan0")))
kit.unload(c)
tap.end()
