# SPDX-License-Identifier: GPL-2.0
"""Packets whose checksum isn't computed yet, in and out of tunnels that have
one, and those that are cut short of it. Run by checksum.sh."""
import socket
import struct

import kit
from kit import check, ip, sh

FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
LAN = {4: "10.9.0.2", 6: "fd09::2"}
FAR = {4: "104.16.0.1", 6: "2606:4700::1"}
ENDS = {"gre": ("192.0.2.11", "192.0.2.10"),
        "ip6gre": ("2001:db8:12:3::b", "2001:db8:12:3::a")}
PACKET_VNET_HDR, NO_CHECK = 15, 11
# Of struct virtio_net_hdr: the checksum is to be filled in.
NEEDS_CSUM = 1

tap = kit.Tap()
kit.static_neighbours()
kit.quiet()
lan = kit.Rx("lan", "eth0")
cf = kit.Rx("cf", "eth0")
world = kit.World()
kit.setns("edge")


def tunnel(kind, options):
    """gre1 at both ends, and the routes by it."""
    for space, (here, there) in (("edge", ENDS[kind]),
                                 ("cf", ENDS[kind][::-1])):
        with kit.ns(space):
            sh("ip link del gre1", fail=False)
            sh(f"ip link add gre1 type {kind} local {here} remote {there} "
               f"{options}; ip link set gre1 addrgenmode none up")
            for dst in (("104.16.0.0/13", "2606:4700::/32")
                        if space == "edge" else ("10.9.0.0/24", "fd09::/64")):
                sh(f"ip route replace {dst} dev gre1")


def whole(rx):
    """The frames that arrived, with both MAC addresses."""
    out = []
    while True:
        try:
            data, addr = rx.sock.recvfrom(1 << 17)
        except BlockingIOError:
            return sorted(out)
        if addr[2] != 4:
            out.append(without_ids(data))


def without_ids(frame):
    """A GRE packet's outer IPv4 header has no ID that would tell anything."""
    if frame[12:14] == b"\x08\0" and frame[14 + 9] == 47:
        return frame[:18] + frame[20:24] + frame[26:]
    return frame


def sockets():
    """Each way, by sockets: their checksums are left to the device."""
    for space, src, dst in (("cf", FAR, LAN), ("lan", LAN, FAR)):
        for version in (4, 6):
            for option in (), (NO_CHECK,):
                with kit.ns(space), socket.socket(
                        FAMILY[version], socket.SOCK_DGRAM) as s:
                    for one in option:
                        s.setsockopt(socket.SOL_SOCKET, one, 1)
                    # Path MTU discovery: no IDs
                    s.setsockopt(*((0, 10) if version == 4 else (41, 23)), 2)
                    s.bind((src[version], 4000))
                    for size in (kit.LONG, kit.LONG + 1, 1200):
                        s.sendto(bytes([size & 0xff]) * size,
                                 (dst[version], 9))


def finished():
    """Out of the tunnel, with all but GRE's own checksum computed."""
    with kit.ns("cf"), socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                     0) as s:
        for version in (4, 6):
            for size in (kit.LONG, 1000):
                packet = kit.udp(ip(FAR[version]), ip(LAN[version]), 1, size)
                s.sendto(packet, ("gre1", 0x800 if version == 4 else 0x86dd))


def play():
    for rx in (lan, cf):
        whole(rx)
    sockets()
    finished()
    world.fence()
    world.fence()
    return {"lan": whole(lan), "cf": whole(cf)}


def diff(got, want):
    return [(side, n, g[:64].hex(), w[:64].hex())
            for side in got for n, (g, w) in
            enumerate(zip(got[side], want[side])) if g != w][:3] + \
        [{side: (len(got[side]), len(want[side])) for side in got}]


def tunnels():
    for kind in ENDS:
        for options in ("", "csum", "csum key 7"):
            tunnel(kind, options)
            for dev in (), ("lan0",), ("lan0", "eth0"):
                for one in ("lan0", "eth0"):
                    sh(f"ethtool -K {one} tx {'off' if one in dev else 'on'}")
                want = play()
                c = kit.load_routed()
                before = c.stats("TUNNEL", "gre1")
                with tap.case(f"{kind} {options}, no checksums by "
                              f"{' and '.join(dev) or 'none'}"):
                    got = play()
                    grown = kit.growth(before, c.stats("TUNNEL", "gre1"))
                    check(len(want["lan"]) == 16 and len(want["cf"]) == 12,
                          len(want["lan"]), len(want["cf"]))
                    check(got == want, *diff(got, want))
                    check(grown.get("RX_PACKETS") == 16 and
                          grown.get("TX_PACKETS") == 12, grown)
                kit.unload(c)
    for one in ("lan0", "eth0"):
        sh(f"ethtool -K {one} tx on")


def cut(space, dev, wrap, tags=b""):
    """Frames that end behind their packet, and their checksum with them."""
    tx = kit.Tx(space, dev, kit.mac("edge", "lan0" if space == "lan" else
                                    "eth0"))
    tx.sock.setsockopt(263, PACKET_VNET_HDR, 1)
    src, dst = (LAN, FAR) if space == "lan" else (FAR, LAN)
    for version in (4, 6):
        packet = kit.udp(ip(src[version]), ip(dst[version]), 1, kit.LONG)
        body = wrap(packet)
        at = len(tags) + 14 + len(body) - len(packet)
        head = 20 if version == 4 else 40
        # The field is the packet's last, ends behind it, or begins there.
        for field in (len(packet) - 2, len(packet) - 1, len(packet)):
            tx.sock.send(struct.pack("<BBHHHH", NEEDS_CSUM, 0, 0, 0,
                                     at + head, field - head) +
                         tx.to + tx.mac + tags + kit.ethertype(body) + body +
                         bytes(64))


def play_cut():
    for rx in (lan, cf):
        whole(rx)
    cut("lan", "eth0", lambda packet: packet)
    cut("cf", "eth0", kit.gre, b"\x81\0\x04\xd2")
    world.fence()
    world.fence()
    return {"lan": whole(lan), "cf": whole(cf)}


def shortened():
    tunnel("gre", "ttl 64")
    for dev in (), ("lan0", "eth0"):
        for one in dev:
            sh(f"ethtool -K {one} tx off")
        sh("dmesg -C")
        want = play_cut()
        c = kit.load_routed()
        with tap.case("a checksum that isn't in the packet, no checksums by "
                      f"{' and '.join(dev) or 'none'}"):
            got = play_cut()
            check(len(want["cf"]) == 2 and len(want["lan"]) == 2, want)
            check(got == want, *diff(got, want))
            check("WARNING" not in sh("dmesg"), sh("dmesg"))
        kit.unload(c)


tunnels()
shortened()
tap.end()
