# SPDX-License-Identifier: GPL-2.0
"""What is sent: groups of packets, each with what the fast path is to make of
it: FAST, the reason to leave it to the kernel, or None where it sees nothing.
"""
import struct
from collections import namedtuple

import oracle_packets as p
from oracle_packets import (DESTOPTS, DF, ENCAP_LIMIT, ETH_IP, ETH_IP6,
                            ETH_QINQ, ETH_VLAN, GRE, ICMP, ICMP6, MF, TCP, UDP,
                            eth, gre, icmp, icmp6, ip4, ip6, payload, tcp, udp)

# way: the socket it is sent by: lan, cf (both whole frames) or gre (cf's gre1)
Packet = namedtuple("Packet", "text way vnet frame want")
Group = namedtuple("Group", "name packets")

FAST = "FAST"
VLAN = 1234
LOCAL, REMOTE = "192.0.2.11", "192.0.2.10"
LOCAL6, REMOTE6 = "2001:db8:12:3::b", "2001:db8:12:3::a"
FAR = {"gre4": "104.16.9.9", "gre6": "2606:4700::9",
       "vlan4": "172.64.9.9", "vlan6": "2400:cb00::9"}
PATHS = tuple(FAR)
EDGE4 = ("10.9.0.1", LOCAL, "10.99.0.1")
FEW_TOS = (0, 1, 2, 3, 4, 0x10, 0x48, 0xb8, 0xb9, 0xba, 0xbb, 0xe0, 0xff)

OPTIONS = {
    "NOPs": b"\1\1\1\1", "end of list": b"\1\0\0\0",
    "record route": b"\7\x07\4\0\0\0\0\0",
    "full record route": b"\7\x07\x08\1\2\3\4\0",
    "timestamp of another": b"\x44\x0c\5\3\xc6\x12\0\1\0\0\0\0",
    "full timestamp": b"\x44\x08\x09\0\0\0\0\1",
    "router alert": b"\x94\4\0\0", "unknown": b"\x9e\4\0\0",
    "loose source route": b"\x83\7\4\x68\x10\1\1\0",
    "bad length": b"\7\x27\4\0", "bad pointer": b"\7\7\2\0\0\0\0\0",
}


class Maker:
    """Numbers packets and knows the MAC addresses and the tunnel's state."""

    def __init__(self, macs, config):
        self.macs, self.config = macs, config
        self.number = 0
        self.groups = []
        self.deep = config.deep
        self.lan4, self.lan6 = config.lan
        self.outer = config.outer

    def mtu(self, path):
        mtu = self.config.mtu if path[:3] == "gre" else 1500
        return min(mtu, self.config.lan_mtu)

    def group(self, name):
        self.groups.append(Group(name, []))

    def add(self, text, way, frame, want, vnet=p.NO_VNET):
        self.groups[-1].packets.append(Packet(text, way, vnet, frame, want))

    def next(self):
        self.number += 1
        return self.number

    def want(self, way, path, want):
        """What becomes of a packet when its tunnel isn't offloaded, or what
        it receives is another's, or its destination is an exception."""
        if want == FAST and (way, path) in self.config.learnt:
            return "PUNT_ROUTE"
        if path[:3] == "gre" and way == "cf" and self.config.twin:
            return want if want in (None, "GRE_HEADER") else "GRE_UNKNOWN"
        if path[:3] != "gre" or self.config.offloaded:
            return want
        if way == "cf":
            return want and "GRE_UNKNOWN"
        return "NOT_OFFLOADED" if want in (FAST, "MTU") else want

    def looked_into(self, way, path, kind, head=b""):
        """The stock device may find an encapsulation limit there."""
        return (way, path, self.outer) == ("lan", "gre6", 6) and (
            kind in (43, 51, DESTOPTS) or
            kind == 44 and head[2:4] == b"\0\0")

    def ip(self, v, src, dst, size=100, proto="udp", **kw):
        """An IP packet of a total size, numbered."""
        number = self.next()
        room = size - (20 if v == 4 else 40) - len(kw.get("options", b""))
        bad = kw.pop("bad", None)
        if proto == "udp":
            body = udp(src, dst, payload(room - 8, number), check=bad)
            kind = UDP
        elif proto == "tcp":
            body = tcp(src, dst, payload(room - 20, number), check=bad,
                       flags=kw.pop("flags", 0x18))
            kind = TCP
        elif proto == "icmp" and v == 4:
            body = icmp(8, 0, payload(room - 8, number))
            kind = ICMP
        elif proto == "icmp":
            body = icmp6(src, dst, 128, 0, payload(room - 8, number))
            kind = ICMP6
        else:
            body, kind = payload(room, number), proto
        return (ip4 if v == 4 else ip6)(src, dst, kind, body, **kw)

    # LAN side

    def lan(self, text, v, packet, want, path="", **kw):
        frame = eth(kw.get("dst", self.macs["lan0"]), self.macs["lan"],
                    kw.get("proto", ETH_IP if v == 4 else ETH_IP6), packet,
                    kw.get("tags", self.config.lan_tags))
        frame += kw.get("tail", b"")
        self.add(f"{path} {text}".strip(), "lan", frame,
                 self.want("lan", path, want), kw.get("vnet", p.NO_VNET))

    def to_far(self, path, text, want=FAST, frame=None, **kw):
        v = int(path[-1])
        src = self.lan4 if v == 4 else self.lan6
        self.lan(text, v, self.ip(v, kw.pop("src", src),
                                  kw.pop("to", FAR[path]), **kw),
                 want, path, **(frame or {}))

    # CNI side

    def cf(self, text, v, packet, want, path="", **kw):
        frame = eth(kw.get("dst", self.macs["eth0"]), self.macs["cf"],
                    kw.get("proto", ETH_IP if v == 4 else ETH_IP6), packet,
                    kw.get("tags", self.config.tags))
        frame += kw.get("tail", b"")
        self.add(f"{path} {text}".strip(), "cf", frame,
                 self.want("cf", path, want), kw.get("vnet", p.NO_VNET))

    def around(self, body, **outer):
        """The tunnel's outer header, as the peer makes it."""
        outer.setdefault("ttl", 60)
        if self.outer == 4:
            outer.setdefault("frag", DF)
            return ip4(outer.pop("src", REMOTE), outer.pop("dst", LOCAL), GRE,
                       body, **outer)
        option = outer.pop("option", ENCAP_LIMIT if self.config.limit else b"")
        kind = outer.pop("kind", DESTOPTS if option else GRE)
        return ip6(outer.pop("src", REMOTE6), outer.pop("dst", LOCAL6), kind,
                   option + body, **outer)

    def wrap(self, v, inner, outer=None, head=None):
        head = dict(head or {})
        flags, rest = head.get("flags", 0), head.get("rest", b"")
        summed = head.get("summed", False)
        if "flags" not in head:
            summed = self.config.csum
            if self.config.key is not None:
                flags, rest = 0x2000, struct.pack(">I", self.config.key)
        return self.around(gre(head.get("proto", ETH_IP if v == 4 else ETH_IP6),
                               inner, flags, rest, summed), **(outer or {}))

    def to_lan(self, path, text, want=FAST, outer=None, head=None, frame=None,
               **kw):
        v = int(path[-1])
        to = self.lan4 if v == 4 else self.lan6
        inner = self.ip(v, kw.pop("src", FAR[path]), kw.pop("to", to), **kw)
        if path[:3] == "gre":
            inner, v = self.wrap(v, inner, outer, head), self.outer
        self.cf(text, v, inner, want, path, **(frame or {}))

    def send(self, way, path, text, want=FAST, **kw):
        (self.to_far if way == "lan" else self.to_lan)(path, text, want, **kw)

    def sentinel(self, way):
        """The last packet, taken in every configuration. The stock gre device
        queues what it received; the plain link's packets overtake those."""
        self.group("")
        if way == "lan":
            self.to_far("vlan4", "sentinel")
        else:
            self.to_lan("gre4" if self.config.offloaded and
                        not self.config.twin else "vlan4", "sentinel")
        return self.groups.pop().packets[0], self.number


def sizes(m, way):
    m.group(f"{way}: sizes")
    for path in PATHS:
        low = 28 if path[-1] == "4" else 48
        top = m.mtu(path)
        some = range(low, top + 1) if m.deep else sorted(
            {*range(low, low + 44), *range(low + 44, top - 8, 61),
             *range(top - 8, top + 1)})
        for size in some:
            m.send(way, path, f"{size} bytes", size=size)


def too_big(m, way):
    m.group(f"{way}: too big")
    for path in PATHS:
        mtu = m.config.mtu if path[:3] == "gre" else 1500
        most = m.config.lan_mtu
        if way == "cf":
            mtu, most = most, mtu
        for size in (mtu + 1, mtu + 2, mtu + 8, mtu + 70):
            if size > most:
                continue
            m.send(way, path, f"{size} bytes", "MTU", size=size,
                   **({"frag": DF} if path[-1] == "4" else {}))
            if path[-1] == "4":
                m.send(way, path, f"{size} bytes, no DF", "MTU", size=size)
                m.send(way, path, f"{size} bytes, MF", "MTU", size=size,
                       frag=MF)
    if not m.groups[-1].packets:
        m.groups.pop()


def tos(m, way):
    m.group(f"{way}: TOS and ECN")
    for path in PATHS:
        whole = m.deep or path[:3] == "gre" and m.config.main
        for value in range(256) if whole else FEW_TOS:
            m.send(way, path, f"TOS {value:#x}", tos=value)


def ttl(m, way):
    m.group(f"{way}: TTL and DF")
    for path in PATHS:
        for value in range(256) if m.deep else (0, 1, 2, 3, 63, 64, 65, 255):
            want = FAST if value > 1 else "TTL"
            m.send(way, path, f"TTL {value}", want, ttl=value)
            if path[-1] == "4":
                m.send(way, path, f"TTL {value}, DF", want, ttl=value,
                       frag=DF, ident=value)
        if path[-1] == "4":
            for frag in (0x8000, 0xc000):
                m.send(way, path, f"frag field {frag:#x}", frag=frag)
            for ident in (0, 0xffff):
                m.send(way, path, f"ID {ident:#x}", ident=ident, frag=DF)


def options(m, way):
    m.group(f"{way}: IPv4 options")
    for path in ("gre4", "vlan4"):
        for name, data in OPTIONS.items():
            m.send(way, path, name, "OPTIONS", options=data)
            m.send(way, path, name + ", DF, TTL 1", "OPTIONS", options=data,
                   frag=DF, ttl=1)
        m.send(way, path, "40 bytes of NOPs", "OPTIONS", options=b"\1" * 40)


def fragments(m, way):
    m.group(f"{way}: inner fragments")
    for path in PATHS:
        v = int(path[-1])
        if v == 4:
            for proto in ("udp", "tcp", "icmp"):
                m.send(way, path, f"first, {proto}", proto=proto, frag=MF)
            m.send(way, path, "middle", proto=UDP, frag=MF | 100)
            m.send(way, path, "last", proto=UDP, frag=200, size=61)
            m.send(way, path, "last, at the end", proto=UDP, frag=0x1fff,
                   size=28)
            m.send(way, path, "middle, DF", proto=UDP, frag=DF | MF | 1)
            m.send(way, path, "odd length, MF", proto=UDP, frag=MF, size=55)
            m.send(way, path, "middle, biggest", proto=UDP, frag=MF | 1,
                   size=m.mtu(path))
            continue
        for name, off in (("first", 1), ("middle", 0x191), ("last", 0x190),
                          ("atomic", 0)):
            head = struct.pack(">BBHI", UDP, 0, off, 7)
            extension(m, way, path, name, 44, head)


def extension(m, way, path, text, kind, head, want=FAST):
    """IPv6 with an extension header in front of a UDP-like body."""
    src, dst = (m.lan6, FAR[path]) if way == "lan" else (FAR[path], m.lan6)
    if m.looked_into(way, path, kind, head) and want == FAST:
        want = "OPTIONS"
    packet = ip6(src, dst, kind, head + payload(64, m.next()))
    if way == "lan":
        m.lan(text, 6, packet, want, path)
    elif path == "gre6":
        m.cf(text, m.outer, m.wrap(6, packet), want, path)
    else:
        m.cf(text, 6, packet, want, path)


def extensions(m, way):
    m.group(f"{way}: IPv6 extension headers")
    pad = b"\1\4\0\0\0\0"
    for path in ("gre6", "vlan6"):
        head = bytes((UDP, 0)) + pad
        extension(m, way, path, "hop by hop", 0, head, "OPTIONS")
        extension(m, way, path, "router alert", 0,
                  bytes((UDP, 0)) + b"\5\2\0\0\1\0", "OPTIONS")
        extension(m, way, path, "unknown option, discard", 0,
                  bytes((UDP, 0)) + b"\x41\4\0\0\0\0", "OPTIONS")
        extension(m, way, path, "unknown option, complain", 0,
                  bytes((UDP, 0)) + b"\x81\4\0\0\0\0", "OPTIONS")
        extension(m, way, path, "destination options", 60, head)
        extension(m, way, path, "unknown destination option", 60,
                  bytes((UDP, 0)) + b"\x81\4\0\0\0\0")
        for kind in (0, 2, 3, 4):
            extension(m, way, path, f"routing header {kind}", 43,
                      bytes((UDP, 2, kind, 1)) + b"\0" * 4 + p.addr("fd09::7"))
        extension(m, way, path, "hop by hop, then fragment", 0,
                  bytes((44, 0)) + pad + struct.pack(">BBHI", UDP, 0, 1, 9),
                  "OPTIONS")
        extension(m, way, path, "destination, routing, fragment", 60,
                  bytes((43, 0)) + pad + bytes((44, 0, 0, 0)) + b"\0" * 4 +
                  struct.pack(">BBHI", UDP, 0, 1, 9))
        extension(m, way, path, "hop by hop, not first", 60,
                  bytes((0, 0)) + pad + bytes((UDP, 0)) + pad)
        extension(m, way, path, "no next header", 59, b"")
        extension(m, way, path, "AH", 51, bytes((UDP, 4)) + b"\0" * 22)
        extension(m, way, path, "ESP", 50, b"\0\0\0\1\0\0\0\1")
        extension(m, way, path, "reaches past the end", 60,
                  bytes((UDP, 200)) + pad)


def protocols(m, way):
    m.group(f"{way}: protocols")
    for path in PATHS:
        v = int(path[-1])
        ends = (m.lan4, m.lan6) if v == 4 else (m.lan6, m.lan4)
        src, dst = (ends[0], FAR[path]) if way == "lan" else (FAR[path],
                                                              ends[0])
        for proto in ("udp", "tcp", "icmp"):
            m.send(way, path, proto, proto=proto)
            m.send(way, path, f"{proto}, 1200 bytes", proto=proto, size=1200)
        for flags in (2, 0x12, 0x11, 4, 0, 0xff):
            m.send(way, path, f"TCP flags {flags:#x}", proto="tcp",
                   flags=flags)
        m.send(way, path, "UDP, wrong checksum", bad=0x1234)
        m.send(way, path, "UDP, no checksum", bad=0)
        m.send(way, path, "TCP, wrong checksum", proto="tcp", bad=0x1234)
        for proto in (2, 4, 41, 50, 51, 89, 103, 132, 255):
            m.send(way, path, f"protocol {proto}",
                   "OPTIONS" if m.looked_into(way, path, proto) else FAST,
                   proto=proto)
        if way == "lan" or path[:3] == "gre":
            m.send(way, path, "GRE inside", proto=GRE)
        # Errors about somebody else's packets
        quote = m.ip(v, dst, src, size=60)
        for kind, code, rest in (((3, 1, 0), (3, 4, 1400), (5, 1, 7), (11, 0, 0))
                                 if v == 4 else
                                 ((1, 0, 0), (2, 0, 1400), (3, 0, 0))):
            body = quote + payload(16, m.next())
            if v == 4:
                packet = ip4(src, dst, ICMP, icmp(kind, code, body, rest))
            else:
                packet = ip6(src, dst, ICMP6,
                             icmp6(src, dst, kind, code, body, rest))
            text = f"ICMP error {kind}/{code}"
            if way == "lan":
                m.lan(text, v, packet, FAST, path)
            elif path[:3] == "gre":
                m.cf(text, m.outer, m.wrap(v, packet), FAST, path)
            else:
                m.cf(text, v, packet, FAST, path)


def lengths(m, way):
    m.group(f"{way}: lengths, versions, checksums")
    for path in PATHS:
        v = int(path[-1])
        gre_in = way == "cf" and path[:3] == "gre"
        for tail in (1, 2, 7, 18, 40):
            m.send(way, path, f"{tail} bytes after the end",
                   size=90, frame={"tail": b"\xa5" * tail})
        src, dst = (m.lan4 if v == 4 else m.lan6), FAR[path]
        if way == "cf":
            src, dst = dst, src

        def bad(text, packet, want="MALFORMED", **kw):
            if gre_in:
                packet = m.wrap(v, packet, kw.get("outer"), kw.get("head"))
            if way == "lan":
                m.lan(text, v, packet, want, path)
            else:
                m.cf(text, m.outer if gre_in else v, packet, want, path)

        body = payload(40, m.next())
        if v == 4:
            bad("bad checksum", ip4(src, dst, UDP, body, check=0x1111))
            bad("checksum ffff", ip4(src, dst, UDP, body, check=0xffff))
            bad("checksum 0", ip4(src, dst, UDP, body, check=0))
            bad("length over the end", ip4(src, dst, UDP, body, total=61))
            bad("length 20", ip4(src, dst, UDP, body, total=20), FAST)
            bad("length 19", ip4(src, dst, UDP, body, total=19))
            bad("length 0", ip4(src, dst, UDP, body, total=0))
            bad("length 65535", ip4(src, dst, UDP, body, total=65535))
            bad("IHL 4", ip4(src, dst, UDP, body, head=0x44))
            bad("IHL 0", ip4(src, dst, UDP, body, head=0x40))
            bad("IHL 15, beyond the end",
                ip4(src, dst, UDP, b"", head=0x4f), "OPTIONS")
            bad("version 6", ip4(src, dst, UDP, body, head=0x65))
            bad("version 5", ip4(src, dst, UDP, body, head=0x55))
            bad("header only", ip4(src, dst, UDP, b""), FAST)
            whole = ip4(src, dst, UDP, body)
        else:
            bad("length over the end", ip6(src, dst, UDP, body, length=41))
            bad("length 0", ip6(src, dst, UDP, body, length=0))
            bad("length 0, no body", ip6(src, dst, 59, b""))
            bad("length 1", ip6(src, dst, UDP, body, length=1), FAST)
            bad("length 65535", ip6(src, dst, UDP, body, length=65535))
            for version in (0, 4, 5, 15):
                bad(f"version {version}",
                    ip6(src, dst, UDP, body, version=version))
            whole = ip6(src, dst, UDP, body)
        for size in (0, 1, 8, 19, 20, 24, 39, 40, 41, 59):
            # Too short for the tag to be taken off
            short = way == "cf" and not gre_in and size < 2
            bad(f"cut off after {size}", whole[:size],
                None if short else "MALFORMED")


def addresses(m, way):
    m.group(f"{way}: odd addresses")
    special = "SPECIAL_ADDRESS"
    src4 = {"127.0.0.1": special, "224.0.0.1": special, "239.1.1.1": special,
            "240.0.0.1": special, "255.255.255.255": special,
            "0.0.0.0": special, "0.1.2.3": special, "10.9.0.1": "SOURCE",
            LOCAL: "SOURCE", "10.99.0.1": "SOURCE", "10.9.0.255": "SOURCE",
            "169.254.1.1": FAST, "198.18.0.1": FAST, "104.16.1.1": FAST,
            "172.64.1.1": FAST, "10.9.0.7": FAST, "192.0.2.10": FAST,
            "10.99.0.0": FAST}
    src6 = {"::": special, "::1": special, "ff02::1": special,
            "ff0e::1": special, "fe80::1": special, "febf::1": special,
            "::ffff:10.9.0.2": special, "::10.9.0.2": special,
            "fd09::1": "SOURCE", "2001:db8:12:3::b": "SOURCE",
            "fec0::1": FAST, "3fff::1": FAST, "2606:4700::1": FAST,
            "fd09::7": FAST, "2001:db8:12:3::a": FAST, "fd99::": FAST}
    # Where sources are, as far as the table can tell
    home = {False: "10.9.0.", "gre4": "104.16.", "vlan4": "172.64."}
    dst4 = {"127.0.0.1": special, "224.0.0.1": special, "239.1.1.1": special,
            "240.0.0.1": special, "255.255.255.255": special,
            "0.0.0.0": special, "10.9.0.1": "LOCAL", LOCAL: "LOCAL",
            "10.99.0.1": "LOCAL", "10.9.0.255": "LOCAL",
            "169.254.1.1": "NO_ROUTE", "198.18.0.1": "NO_ROUTE"}
    # Not fe80::1: redirects can't be switched off and come at some rate.
    dst6 = {"::": special, "::1": special, "ff01::1": special,
            "ff02::1": special, "ff02::5": special, "ff05::1:3": special,
            "ff0e::1": special, "fe80:1::1": special, "febf::1": special,
            "::ffff:10.9.0.2": special, "fd09::1": "LOCAL",
            "2001:db8:12:3::b": "LOCAL", "fd99::1": "LOCAL",
            "fd09::": "LOCAL", "3fff::1": "NO_ROUTE", "fec0::1": "NO_ROUTE"}
    for path in PATHS:
        v = int(path[-1])
        for src, want in (src4 if v == 4 else src6).items():
            if m.config.rp_filter and v == 4 and want == FAST and \
                    not src.startswith(home[way == "cf" and path]):
                want = "SOURCE"
            # Its own tunnel's remote end
            if (way, path, m.outer, src) == ("lan", "gre6", 6, REMOTE6):
                want = "SOURCE"
            m.send(way, path, f"from {src}", want, src=src)
            m.send(way, path, f"TCP from {src}", want, src=src, proto="tcp",
                   flags=2)
    for path in PATHS if way == "cf" else ("gre4", "gre6"):
        v = int(path[-1])
        if not m.config.offloaded and path[:3] == "gre":
            continue
        for dst, want in (dst4 if v == 4 else dst6).items():
            for proto in ("udp", "tcp", "icmp"):
                m.send(way, path, f"{proto} to {dst}", want, to=dst,
                       proto=proto)
    # Back where it came from
    if way == "lan":
        m.lan("to the LAN itself", 4, m.ip(4, m.lan4, "10.9.0.2"), "SAME_PORT")
        m.lan("to the LAN itself", 6, m.ip(6, m.lan6, "fd09::2"), "SAME_PORT")
    elif m.config.offloaded:
        for path in PATHS:
            m.to_lan(path, "back", "SAME_PORT", to=FAR[path][:-1] + "7")
        # From one part of the link to the other
        m.to_lan("vlan4", "into the tunnel", to=FAR["gre4"])
        m.to_lan("vlan6", "into the tunnel", to=FAR["gre6"])
        m.to_lan("gre4", "to the plain link", to=FAR["vlan4"])
        m.to_lan("gre6", "to the plain link", to=FAR["vlan6"])


def lan_frames(m):
    m.group("lan: MAC addresses, tags, other protocols")
    other, all_ones = b"\2\0\0\0\0\x77", b"\xff" * 6
    for path in PATHS:
        v = int(path[-1])
        group = b"\1\0\x5e\0\0\5" if v == 4 else b"\x33\x33\0\0\0\5"
        for name, mac in (("another's MAC", other), ("broadcast", all_ones),
                          ("multicast", group)):
            m.to_far(path, name, "NOT_FOR_US", frame={"dst": mac})
        for tci in (5, VLAN, 4095, 0, 0xa000, 0x1000, 0xe000 | VLAN):
            m.to_far(path, f"tag {tci:#x}", "VLAN" if tci & 0xfff else FAST,
                     frame={"tags": ((ETH_VLAN, tci),)})
        m.to_far(path, "service tag", "VLAN",
                 frame={"tags": ((ETH_QINQ, 5),)})
        m.to_far(path, "priority tag, then a tag", "VLAN",
                 frame={"tags": ((ETH_VLAN, 0), (ETH_VLAN, 5))})
    for proto in (0x88cc, 0x8847, 0x8864, 0x0806, 0x6558, 0x0026, 0x9000):
        m.lan(f"ethertype {proto:#x}", 4, payload(80, m.next()), "NOT_IP",
              proto=proto)
    m.lan("IPv4 by name, IPv6 in fact", 4, m.ip(6, m.lan6, FAR["gre6"]),
          "MALFORMED")
    m.lan("IPv6 by name, IPv4 in fact", 6, m.ip(4, m.lan4, FAR["gre4"]),
          "MALFORMED")


def cf_frames(m):
    m.group("cf: MAC addresses and tags")
    other, all_ones = b"\2\0\0\0\0\x77", b"\xff" * 6
    for path in PATHS:
        for name, mac in (("another's MAC", other), ("broadcast", all_ones),
                          ("multicast", b"\1\0\x5e\0\0\5")):
            m.to_lan(path, name, "NOT_FOR_US", frame={"dst": mac})
        for tci in (0, 0x6000, 5, 1233, 4095):
            m.to_lan(path, f"tag {tci:#x}", None,
                     frame={"tags": ((ETH_VLAN, tci),)})
        for tci in (0x2000, 0xe000, 0x1000, 0xf000):
            m.to_lan(path, f"tag {tci:#x} of the link",
                     frame={"tags": ((ETH_VLAN, tci | VLAN),)})
        m.to_lan(path, "no tag", None, frame={"tags": ()})
        m.to_lan(path, "service tag", None,
                 frame={"tags": ((ETH_QINQ, VLAN),)})
        m.to_lan(path, "a tag in the tag", "NOT_IP",
                 frame={"tags": ((ETH_VLAN, VLAN), (ETH_VLAN, VLAN))})
        m.to_lan(path, "priority tag first", None,
                 frame={"tags": ((ETH_VLAN, 0), (ETH_VLAN, VLAN))})
    for proto in (0x88cc, 0x8847, 0x6558, 0x0026):
        m.cf(f"ethertype {proto:#x}", 4, payload(80, m.next()), "NOT_IP",
             proto=proto)


def priority_tags(m):
    """VLAN 0: a frame of no VLAN, with a priority."""
    m.group("cf: priority tags")
    want = None if m.config.tags else FAST
    for path in PATHS:
        for tci in (0, 0x2000, 0xe000, 0x1000):
            m.to_lan(path, f"tag {tci:#x}", want,
                     frame={"tags": ((ETH_VLAN, tci),)})
        m.to_lan(path, "two of them", None,
                 frame={"tags": ((ETH_VLAN, 0), (ETH_VLAN, 0x2000))})
        m.to_lan(path, "tag 5", None, frame={"tags": ((ETH_VLAN, 5),)})


def outer(m):
    m.group("cf: outer header")
    for path in ("gre4", "gre6"):
        for value in (0, 1, 2, 64, 255):
            m.to_lan(path, f"outer TTL {value}", outer={"ttl": value})
        for frag in (0, DF, 0x8000):
            m.to_lan(path, f"outer frag field {frag:#x}",
                     outer={"frag": frag, "ident": 77})
        for name, data in OPTIONS.items():
            m.to_lan(path, "outer " + name, "OPTIONS",
                     outer={"options": data})
        m.to_lan(path, "outer bad checksum", "MALFORMED",
                 outer={"check": 0x1111})
        m.to_lan(path, "outer length 20", "MALFORMED", outer={"total": 20})
        m.to_lan(path, "outer length cuts the inner packet", "MALFORMED",
                 outer={"total": 99})
        m.to_lan(path, "outer length over the end", "MALFORMED",
                 outer={"total": 200})
        m.to_lan(path, "outer length 0", "MALFORMED", outer={"total": 0})
        for src in ("172.64.9.9", "104.16.9.9", "10.9.0.50", LOCAL,
                    "127.0.0.1", "0.0.0.0", "192.0.2.9"):
            m.to_lan(path, f"outer from {src}",
                     {"127.0.0.1": "SPECIAL_ADDRESS",
                      "0.0.0.0": "SPECIAL_ADDRESS"}.get(src, "GRE_UNKNOWN"),
                     outer={"src": src})
        for dst in ("10.9.0.1", "10.99.0.1"):
            m.to_lan(path, f"outer to {dst}", "GRE_UNKNOWN",
                     outer={"dst": dst})
        # In transit: a GRE packet like any other
        m.to_lan(path, "outer to the LAN", outer={"dst": m.lan4})
        m.to_lan(path, "outer to nowhere", "NO_ROUTE",
                 outer={"dst": "198.18.0.1"})
        whole = m.wrap(int(path[-1]), m.ip(
            int(path[-1]), FAR[path], m.lan4 if path == "gre4" else m.lan6,
            size=700), {"frag": 0, "ident": m.number})
        pieces(m, path, whole)


def pieces(m, path, whole):
    """A tunnel's packet in outer fragments, in and out of order."""
    ident = struct.unpack_from(">H", whole, 4)[0]
    for turn, order in enumerate(((0, 1, 2), (2, 0, 1), (0, 2))):
        cut = [whole[20:][i * 256:(i + 1) * 256] for i in range(3)]
        for i in order:
            m.cf(f"outer fragment {i} of {len(order)}", 4, ip4(
                REMOTE, LOCAL, GRE, cut[i], ident=ident + 40 * turn,
                frag=(MF if i < 2 else 0) | i * 32), "FRAGMENT", path)


def gre_headers(m):
    m.group("cf: GRE header")
    key = struct.pack(">I", 0x55555555)
    for path in ("gre4", "gre6"):
        proto = ETH_IP if path == "gre4" else ETH_IP6

        def head(text, want, flags, rest=b"", proto=proto, summed=False):
            m.to_lan(path, text, want, head={"flags": flags, "rest": rest,
                                             "proto": proto,
                                             "summed": summed})
        # What only a tunnel that is known can object to
        unlike = "GRE_UNKNOWN" if m.config.twin else "GRE_HEADER"
        mine = None
        if m.config.key is not None:
            mine = struct.pack(">I", m.config.key)
            head("no key", "GRE_UNKNOWN", 0)
        head("unknown key", "GRE_UNKNOWN", 0x2000, key)
        if mine is None:
            head("key 0", "GRE_UNKNOWN", 0x2000, b"\0" * 4)
            head("checksum, wrong", unlike, 0x8000, b"\x12\x34\0\0")
            head("sequence", "GRE_HEADER", 0x1000, b"\0\0\0\1")
            head("sequence bit only", "GRE_HEADER", 0x1000)
        else:
            head("key and sequence", "GRE_HEADER", 0x3000, mine + key)
        head("routing", "GRE_HEADER", 0x4000, b"\0" * 4)
        head("strict source route", "GRE_HEADER", 0x0800)
        head("recursion", "GRE_HEADER", 0x0100)
        head("reserved bits", "GRE_HEADER", 0x00f8)
        head("version 1", "GRE_HEADER", 0x0001)
        head("version 7", "GRE_HEADER", 0x0007)
        head("PPTP", "GRE_HEADER", 0x2001, key, 0x880b)
        flags, rest = (0x2000, mine) if mine else (0, b"")
        if m.config.csum:
            head("no checksum", "GRE_HEADER", flags, rest)
            head("checksum, wrong", "GRE_HEADER", 0x8000 | flags,
                 b"\x12\x34\0\0" + rest)
        else:
            head("checksum, right", unlike, flags, rest, summed=True)
        for other in (0, 0x6558, 0x883e, 0x88be, 0x22eb, 0x8847, 0x0806,
                      0x8864, 0xffff):
            head(f"protocol {other:#x}", "NOT_IP", flags, rest, other,
                 m.config.csum)
        head("protocol of the other family", "MALFORMED", flags, rest,
             ETH_IP6 if path == "gre4" else ETH_IP, m.config.csum)
    for size in range(9):
        m.cf(f"{size} bytes of GRE", m.outer, m.around(
            (b"\0\0\x08\0" + b"\x45\0\0\x30")[:size]), "MALFORMED")


def outer6(m):
    m.group("cf: outer IPv6 header")
    limit = bytes((GRE, 0, 4, 1))
    for path in ("gre4", "gre6"):
        for value in (0, 1, 2, 64, 255):
            m.to_lan(path, f"outer hop limit {value}", outer={"ttl": value})
        for flow in (0, 1, 0xfffff):
            m.to_lan(path, f"outer flow label {flow:#x}", outer={"flow": flow})
        m.to_lan(path, "no options", outer={"option": b""})
        for value in (0, 1, 4, 255):
            m.to_lan(path, f"encapsulation limit {value}", outer={
                "option": limit + bytes((value, 1, 1, 0))})
        pad = b"\0\0\0\0\0\0"
        for name, option in (
                ("padding only", bytes((GRE, 0, 1, 4)) + b"\0" * 4),
                ("six times Pad1", bytes((GRE, 0)) + pad),
                ("limit, three times Pad1", limit + b"\4\0\0\0"),
                ("padding not zero", limit + b"\4\1\1\7"),
                ("limit of two bytes", bytes((GRE, 0, 4, 2, 4, 4, 0, 0))),
                ("unknown option, skip", bytes((GRE, 0, 0x1e, 4)) + b"\0" * 4),
                ("unknown option, discard",
                 bytes((GRE, 0, 0x5e, 4)) + b"\0" * 4),
                ("16 bytes", bytes((GRE, 1, 4, 1, 4, 1, 9)) + b"\0" * 9),
                ("two headers", bytes((DESTOPTS, 0, 4, 1, 4, 1, 1, 0)) +
                 ENCAP_LIMIT)):
            m.to_lan(path, "destination options: " + name, "OPTIONS",
                     outer={"option": option})
        m.to_lan(path, "hop by hop", "OPTIONS",
                 outer={"kind": 0, "option": bytes((GRE, 0)) + pad})
        m.to_lan(path, "routing header", "LOCAL",
                 outer={"kind": 43, "option": bytes((GRE, 0)) + pad})
        for length in (0, 47, 200):
            m.to_lan(path, f"outer length {length}", "MALFORMED",
                     outer={"length": length})
        m.to_lan(path, "outer version 4", "MALFORMED", outer={"version": 4})
        special = "SPECIAL_ADDRESS"
        for src in ("2400:cb00::9", "2606:4700::9", "fd09::50", LOCAL6, "::1",
                    "::", "fe80::1", "ff02::1"):
            m.to_lan(path, f"outer from {src}", special if src in (
                "::1", "::", "fe80::1", "ff02::1") else "GRE_UNKNOWN",
                     outer={"src": src})
        for dst in ("fd09::1", "fd99::1"):
            m.to_lan(path, f"outer to {dst}", "GRE_UNKNOWN",
                     outer={"dst": dst})
        # In transit: a GRE packet like any other
        m.to_lan(path, "outer to the LAN", outer={"dst": m.lan6})
        m.to_lan(path, "outer to nowhere", "NO_ROUTE",
                 outer={"dst": "3fff::1"})
        v = int(path[-1])
        whole = m.wrap(v, m.ip(v, FAR[path], m.lan4 if v == 4 else m.lan6,
                               size=700))[40:]
        for turn, order in enumerate(((0, 1, 2), (2, 0, 1), (0, 2))):
            for i in order:
                head = struct.pack(">BBHI", DESTOPTS if m.config.limit else GRE,
                                   0, i * 256 | (i < 2), m.number + turn)
                m.cf(f"outer fragment {i} of {len(order)}", 6, ip6(
                    REMOTE6, LOCAL6, 44, head + whole[i * 256:(i + 1) * 256]),
                    "FRAGMENT", path)


def labels(m, way):
    m.group(f"{way}: flow labels")
    for path in ("gre6", "vlan6"):
        for flow in (0, 1, 0x80000, 0x12345, 0xfffff):
            m.send(way, path, f"flow label {flow:#x}", flow=flow)


def outer_tos(m):
    m.group("cf: ECN of both headers")
    for path in ("gre4", "gre6"):
        for out in FEW_TOS if not m.deep else range(256):
            for inner in FEW_TOS:
                want = "ECN" if inner & 3 == 0 and out & 3 else FAST
                if m.config.dscp_copy and (out ^ inner) & ~3:
                    want = "DSCP"
                m.to_lan(path, f"outer TOS {out:#x}, inner {inner:#x}", want,
                         tos=inner, outer={"tos": out})


def partial(m, way):
    """Packets whose checksum is left to the device, and such that are to be
    cut by it."""
    m.group(f"{way}: checksums and segments left to the device")
    for path in PATHS:
        v = int(path[-1])
        if way == "cf" and path[:3] == "gre":
            way_out = "gre"
        else:
            way_out = way
        src, dst = (m.lan4 if v == 4 else m.lan6), FAR[path]
        if way == "cf":
            src, dst = dst, src
        l2 = {"lan": 14 + 4 * len(m.config.lan_tags),
              "cf": 14 + 4 * len(m.config.tags), "gre": 0}[way_out]
        ip_len = 20 if v == 4 else 40

        def go(text, kind, body, at, want, gso=(0, 0), **kw):
            # Only the pseudo header is in the sum so far
            start = struct.pack(">H", 0xffff ^ p.csum(
                p.pseudo(src, dst, kind, len(body))))
            body = body[:at] + start + body[at + 2:]
            packet = (ip4 if v == 4 else ip6)(src, dst, kind, body, **kw)
            head = 20 if kind == TCP else 8
            vnet = p.VNET.pack(p.NEEDS_CSUM, gso[0], l2 + ip_len + head
                               if gso[0] else 0, gso[1], l2 + ip_len, at)
            if way_out == "gre":
                m.add(f"{path} {text}", "gre", packet,
                      m.want("cf", path, want), vnet)
            elif way_out == "cf":
                m.cf(text, v, packet, want, path, vnet=vnet)
            else:
                m.lan(text, v, packet, want, path, vnet=vnet)

        for size in (0, 8, 9, 1000, m.mtu(path) - ip_len - 8):
            go(f"UDP, {size}", UDP, udp(src, dst, payload(size, m.next())), 6,
               FAST)
        for size in (0, 8, 9, 1000, m.mtu(path) - ip_len - 20):
            go(f"TCP, {size}", TCP, tcp(src, dst, payload(size, m.next())), 16,
               FAST)
        kind = p.GSO_TCP4 if v == 4 else p.GSO_TCP6
        most = m.mtu(path) - ip_len - 20
        out = m.config.lan_mtu
        if way == "lan":
            out = m.config.mtu if path[:3] == "gre" else 1500
        for size, segment in ((2 * most, most), (2 * most + 1, most),
                              (3001, 1000), (30000, 1360), (60000, most),
                              (1001, 1000), (8000, 500)):
            for flags, extra in ((0x18, 0), (0x19, 0), (0x98, p.GSO_ECN)):
                for frag in (0, DF) if v == 4 else (None,):
                    kw = {} if v == 6 else {"frag": frag, "ident": 0xfff0}
                    go(f"TCP {size} by {segment}, flags {flags:#x}, {kw}", TCP,
                       tcp(src, dst, payload(size, m.next()), flags), 16,
                       FAST if segment + ip_len + 20 <= out else "MTU",
                       (kind | extra, segment), tos=2 if extra else 0, **kw)
        if way == "lan" and most < m.config.lan_mtu - ip_len - 20:
            # Segments of one byte too much
            for frag in (0, DF) if v == 4 else (None,):
                kw = {} if frag is None else {"frag": frag}
                go(f"TCP, segments too big, {kw}", TCP,
                   tcp(src, dst, payload(5000, m.next())), 16,
                   "MTU", (kind, most + 1), **kw)


def udp_segments(m, way):
    """UDP segmentation can't be asked for by raw sockets, nor be seen by
    them: sent by sockets of the ends' own, and cut by the edge."""
    m.group(f"{way}: UDP segments")
    ends = {"lan": {"4": "10.9.0.2", "6": "fd09::2"},
            "cf": {"gre4": "104.16.0.1", "gre6": "2606:4700::1"}}
    for path in PATHS if way == "lan" else ("gre4", "gre6"):
        for size, count in ((1200, 2), (1200, 10), (1000, 40), (64, 60)):
            for rest in (0, 1, 63):
                body = payload(size, m.next()) * count + \
                    payload(rest, m.number)
                if way == "lan":
                    where = ends["lan"][path[-1]], FAR[path], size
                else:
                    where = ends["cf"][path], \
                        (m.lan4, m.lan6)[path[-1] == "6"], size
                m.add(f"{path} {count} of {size} and {rest}", way, body,
                      FAST, where)


def smaller_mtus(macs, config):
    """Frames that tell the edge of smaller path MTUs, as (way, frame), as if
    it had sent an echo reply there."""
    for way, path in config.learnt:
        v = int(path[-1])
        me, router, dst = {
            ("lan", 4): (LOCAL, REMOTE, FAR[path]),
            ("lan", 6): (LOCAL6, REMOTE6, FAR[path]),
            ("cf", 4): ("10.9.0.1", "10.9.0.2", config.lan[0]),
            ("cf", 6): ("fd09::1", "fd09::2", config.lan[1])}[way, v]
        if v == 4:
            packet = ip4(router, me, ICMP, icmp(
                3, 4, ip4(me, dst, ICMP, icmp(0, 0, b"")), rest=300))
        else:
            packet = ip6(router, me, ICMP6, icmp6(
                router, me, 2, 0, ip6(me, dst, ICMP6, icmp6(
                    me, dst, 129, 0, bytes(8))), rest=1280))
        # Of the side that the packets are sent to
        near, far, tags = ("eth0", "cf", config.tags) if way == "lan" else \
            ("lan0", "lan", config.lan_tags)
        yield far, eth(macs[near], macs[far], ETH_IP if v == 4 else ETH_IP6,
                       packet, tags)


def build(macs, config):
    m = Maker(macs, config)
    wanted = config.groups
    for way in ("lan", "cf"):
        for make in (sizes, too_big, tos, ttl, options, fragments, extensions,
                     protocols, lengths, addresses, labels, partial,
                     udp_segments):
            if make == udp_segments and not config.cuts:
                continue
            if not wanted or make.__name__ in wanted:
                make(m, way)
    for make in (lan_frames, cf_frames, priority_tags, outer, outer6, gre_headers,
                 outer_tos):
        if make == (outer6 if config.outer == 4 else outer):
            continue
        if not wanted or make.__name__ in wanted:
            make(m)
    return m
