# SPDX-License-Identifier: GPL-2.0
"""SYNs through a tunnel, and out by a port, with and without the module's clamp,
and with nft's in its place. Run by mss.sh."""
import itertools
import json
import os
import socket
import struct
import threading

import genl
import kit
from kit import check, ip, sh

MSS = {4: 1400, 6: 1380}
MARK = b"clamp-me" + bytes(kit.LONG)
tap = kit.Tap()
kit.static_neighbours()
kit.quiet()
world = kit.World()
kit.setns("edge")
c = kit.Client()
TX = kit.Tx("cf", "eth0", kit.mac("edge", "eth0"))
FAR = {4: ip("104.16.9.9"), 6: ip("2606:4700::9:9")}
NEAR = {4: ip("10.9.0.2"), 6: ip("fd09::2")}
NEAR7 = {4: ip("10.8.0.2"), 6: ip("fd08::2")}
SYN, SYNACK, ACK, RST = 2, 0x12, 0x10, 4
NOP, EOL, SACK = b"\1", b"\0", b"\4\2"
STAMP = b"\x08\x0a" + bytes(8)


def mss(value):
    return struct.pack("!BBH", 2, 4, value)


GOOD = [opts for value in (1460, 1401, 1400, 1399, 1381, 1380, 536, 0, 65535,
                           0x5a5)
        for opts in (mss(value), NOP + mss(value) + NOP * 3,
                     SACK + mss(value) + NOP * 2,
                     NOP * 3 + mss(value) + NOP,
                     STAMP + NOP * 2 + mss(value),
                     b"\x05\x0a" + bytes(8) + NOP + mss(value) + NOP,
                     mss(value) + EOL * 4)]
GOOD += [b"", NOP * 4, SACK + NOP * 2, STAMP + NOP * 2]
# Lengths that lie; there's no MSS in these.
BAD = [b"\2\4\5", b"\2\1\5\xb4", b"\2\0\5\xb4", b"\x08\0" + mss(1460),
       b"\x08\x28" + mss(1460), EOL + mss(1460), b"\2\6\5\xb4\5\xb4",
       b"\2\3\5" + mss(1460)[:1]]


def packet(src, dst, flags, opts, proto=6, frag=0, head=b""):
    opts += bytes(-len(opts) % 4)
    tcp = struct.pack("!HHIIBBHHH", 4000, 80, 7, 0, 80 + len(opts) * 4 & 0xf0,
                      flags, 1000, 0, 0)
    tcp = tcp[:12] + bytes([(20 + len(opts)) // 4 << 4]) + tcp[13:] + opts + \
        MARK
    pseudo = src + dst + struct.pack("!II", len(tcp), 6)
    tcp += b"\0" * (len(tcp) & 1)
    tcp = tcp[:16] + struct.pack("!H", kit.csum(pseudo + tcp)) + tcp[18:]
    if len(src) == 4:
        return kit.ipv4(src, dst, proto, tcp, frag)
    return struct.pack("!IHBB16s16s", 6 << 28, len(head) + len(tcp),
                       60 if head else proto, 64, src, dst) + head + tcp


def corpus(version, src, dst, options):
    for flags, opts in itertools.product((SYN, SYNACK), options):
        yield packet(src, dst, flags, opts)
    for flags in (ACK, RST | ACK):
        yield packet(src, dst, flags, mss(1460))
    yield packet(src, dst, SYN, mss(1460), proto=17)
    if version == 4:
        yield packet(src, dst, SYN, mss(1460), frag=0x2000)
        yield packet(src, dst, SYN, mss(1460), frag=100)
    else:
        yield packet(src, dst, SYN, mss(1460),
                     head=bytes((6, 0, 1, 4, 0, 0, 0, 0)))


def up(packets):
    for one in packets:
        world.tx.ip(one)
    world.fence()
    return [inside for _, _, data in world.cf.frames()
            if (inside := kit.inner(data)) and MARK in inside]


def down(packets):
    for one in packets:
        TX.tagged(kit.gre(one))
    world.fence()
    world.fence()
    return [data for _, _, data in world.lan.frames() if MARK in data]


def sent(way, packets):
    out = []
    for i in range(0, len(packets), 40):
        out += way(packets[i:i + 40])
    check(len(out) == len(packets), len(out), "of", len(packets))
    return out


def at_tcp(one):
    return 20 if one[0] >> 4 == 4 else 40 + 8 * (one[6] == 60)


def no_csum(one):
    """nft spoils the checksum of options that begin at an odd place."""
    at = at_tcp(one) + 16
    return one[:at] + one[at + 2:]


def good_csum(one):
    ends = one[12:20] if one[0] >> 4 == 4 else one[8:40]
    tcp = one[at_tcp(one):]
    return not kit.csum(ends + struct.pack("!II", len(tcp), 6) + tcp)


def clamp(values):
    c.do("TUNNEL_SET", "TUNNEL_IFINDEX:dev=gre1",
         *(f"TUNNEL_MSS{v}:u16={n}" for v, n in values.items()))


def routes(fast):
    gre, lan = kit.ifindex("gre1"), kit.ifindex("lan0")
    c.set_routes([(kit.prefix(p), (dev, None) if fast else None)
                  for p, dev in (("104.16.0.0/13", gre),
                                 ("2606:4700::/32", gre),
                                 ("10.9.0.0/24", lan), ("fd09::/64", lan))])
    if os.path.exists("/proc/sys/net/ipv4/conf/lan0.7"):
        lan7 = kit.ifindex("lan0.7")
        c.set_routes([(kit.prefix(p), (lan7, None) if fast else None)
                      for p in ("10.8.0.0/24", "fd08::/64")])


def fast_packets(way=up):
    """Those that came in where the test sends; ends may answer each other."""
    kind = ("PORT", "lan0") if way is up else ("LINK", "eth0.1234")
    return c.stats(*kind)["RX_PACKETS"]


c.do("LINK_SET", "LINK_IFINDEX:dev=eth0.1234",
     "LINK_LOCAL4:ip=192.0.2.11", "LINK_PEER4:ip=192.0.2.10",
     "LINK_LOCAL6:ip=2001:db8:12:3::b", "LINK_PEER6:ip=2001:db8:12:3::a")
c.do("PORT_SET", "PORT_IFINDEX:dev=lan0")
clamp({})
for version, way in itertools.product((4, 6), (up, down)):
    name = f"IPv{version} {way.__name__}"
    ends = NEAR[version], FAR[version]
    src, dst = ends if way is up else ends[::-1]
    good = list(corpus(version, src, dst, GOOD))
    bad = [packet(src, dst, SYN, opts) for opts in BAD]
    routes(False)
    plain = sent(way, good + bad)
    sh("nft 'table inet m { chain c { type filter hook forward priority 0; "
       f"meta nfproto ipv4 tcp flags syn tcp option maxseg size set {MSS[4]}; "
       f"meta nfproto ipv6 tcp flags syn tcp option maxseg size set {MSS[6]}; "
       "}; }'")
    want = sent(way, good)
    sh("nft flush ruleset")
    with tap.case(f"{name}: nft clamps some of these"):
        changed = sum(a != b for a, b in zip(want, plain))
        check(0 < changed < len(good), changed)
    for fast in (False, True):
        path = "fast path" if fast else "kernel's path"
        routes(fast)
        with tap.case(f"{name}, {path}: as nft does it"):
            clamp(MSS)
            before = fast_packets(way)
            got = sent(way, good)
            for i, (g, w) in enumerate(zip(got, want)):
                check(no_csum(g) == no_csum(w), i, g.hex(), w.hex())
                check(good_csum(g) == good_csum(plain[i]), i, g.hex())
            check(fast_packets(way) - before == (len(good) if fast else 0))
        with tap.case(f"{name}, {path}: broken options are let be"):
            check(sent(way, bad) == plain[len(good):])
        with tap.case(f"{name}, {path}: the other family's is another's"):
            clamp({10 - version: 88})
            check(sent(way, good + bad) == plain)
        with tap.case(f"{name}, {path}: none, and nothing is changed"):
            clamp({})
            check(sent(way, good + bad) == plain)

def clamp_port(dev, values):
    c.do("PORT_SET", f"PORT_IFINDEX:dev={dev}",
         *(f"PORT_MSS{v}:u16={n}" for v, n in values.items()))


def port(dev, near, version):
    """In by the tunnel, out by a port: the case of direct server return."""
    name = f"out by {dev}, IPv{version}"
    good = list(corpus(version, FAR[version], near[version], GOOD))
    bad = [packet(FAR[version], near[version], SYN, opts) for opts in BAD]
    routes(False)
    plain = sent(down, good + bad)
    sh("nft 'table inet m { chain c { type filter hook forward priority 0; "
       f"oif \"{dev}\" meta nfproto ipv4 tcp flags syn tcp option maxseg size set "
       f"{MSS[4]}; oif \"{dev}\" meta nfproto ipv6 tcp flags syn "
       f"tcp option maxseg size set {MSS[6]}; }}; }}'")
    want = sent(down, good)
    sh("nft flush ruleset")
    for fast in (False, True):
        path = "fast path" if fast else "kernel's path"
        routes(fast)
        with tap.case(f"{name}, {path}: as nft does it"):
            clamp_port(dev, MSS)
            before = fast_packets(down)
            got = sent(down, good)
            check(sum(a != b for a, b in zip(got, plain)) > 9)
            for i, (g, w) in enumerate(zip(got, want)):
                check(no_csum(g) == no_csum(w), i, g.hex(), w.hex())
                check(good_csum(g) == good_csum(plain[i]), i, g.hex())
            check(fast_packets(down) - before == (len(good) if fast else 0))
        with tap.case(f"{name}, {path}: broken options are let be"):
            check(sent(down, bad) == plain[len(good):])
        with tap.case(f"{name}, {path}: the smaller of the tunnel's and its"):
            clamp({version: 1000})
            smaller = sent(down, good)
            clamp({})
            check(smaller != got and smaller != plain[:len(good)])
            clamp_port(dev, {version: 1000})
            check(sent(down, good) == smaller)
        with tap.case(f"{name}, {path}: the other family's is another's"):
            clamp_port(dev, {10 - version: 88})
            check(sent(down, good) == plain[:len(good)])
        with tap.case(f"{name}, {path}: none, and nothing is changed"):
            clamp_port(dev, {})
            check(sent(down, good + bad) == plain)


for version in (4, 6):
    port("lan0", NEAR, version)
with tap.case("what comes in by the port is let be"):
    good = list(corpus(4, NEAR[4], FAR[4], GOOD))
    plain = sent(up, good)
    clamp_port("lan0", {4: 88, 6: 88})
    check(sent(up, good) == plain)
# The frames of a VLAN are no port's but its own, though they pass lan0.
sh("ip link add link lan0 name lan0.7 type vlan id 7 && "
   "ip link set lan0.7 up && ip addr add 10.8.0.1/24 dev lan0.7 && "
   "ip addr add fd08::1/64 dev lan0.7 nodad")
for addr in ("10.8.0.2", "fd08::2"):
    sh(f"ip neigh replace {addr} dev lan0.7 nud permanent lladdr "
       + kit.mac("lan", "eth0").hex(":"))
c.do("PORT_SET", "PORT_IFINDEX:dev=lan0.7")
for version in (4, 6):
    port("lan0.7", NEAR7, version)
with tap.case("cnictl sets a port's, shows it and takes it away"):
    cnictl = os.environ["CNICTL"]
    sh(f"{cnictl} port set lan0 mss auto")
    data = json.loads(sh(f"{cnictl} -j port show lan0"))[0]
    check((data["mss4"], data["mss6"]) == (1436, 1416), data)
    sh(f"{cnictl} port set lan0 mss 1400")
    text = sh(f"{cnictl} port show lan0")
    check("at most 1400 bytes, 1380 over IPv6" in text, text)
    sh(f"{cnictl} port set lan0 mss off")
    check("mss4" not in json.loads(sh(f"{cnictl} -j port show lan0"))[0])
with tap.case("what was set is what is shown"):
    clamp(MSS)
    t = c.get("TUNNEL", "gre1")
    check((t["MSS4"], t["MSS6"]) == (MSS[4], MSS[6]), t)
    check(not t["BLOCKERS"], t["BLOCKERS"])


def connect(version):
    """A connection of the kernels' own, checksums left to the device."""
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    where = "104.16.0.1" if version == 4 else "2606:4700::1"
    with kit.ns("cf"):
        server = socket.create_server((where, 80), family=family)
    got = []

    def serve():
        peer, _ = server.accept()
        got.append(peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG))
        peer.sendall(b"x" * 100000)
        peer.close()
    thread = threading.Thread(target=serve)
    thread.start()
    with kit.ns("lan"):
        client = socket.socket(family)
    client.settimeout(20)
    client.connect((where, 80))
    size = 0
    while chunk := client.recv(65536):
        size += len(chunk)
    thread.join()
    got.append(client.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG))
    client.close()
    server.close()
    return got, size


for version, fast in itertools.product((4, 6), (False, True)):
    with tap.case(f"IPv{version}: a connection, "
                  f"{'fast' if fast else 'kernel'}: both ends clamped"):
        routes(fast)
        before = fast_packets()
        got, size = connect(version)
        # Time stamps take 12 bytes of each segment.
        check(got == [MSS[version] - 12] * 2 and size == 100000, got, size)
        check(bool(fast_packets() - before) == fast)


def refused(spec):
    try:
        c.do("TUNNEL_SET", "TUNNEL_IFINDEX:dev=gre1", spec)
    except genl.Error as e:
        return bool(str(e))
    return False


tap.ok(refused("TUNNEL_MSS4:u16=87"), "refused: 87 bytes")
tap.ok(refused("TUNNEL_MSS6:u16=0"), "refused: none at all")
with tap.case("the gre device goes, and the hooks with it"):
    sh("ip link del gre1")
    check(not c.do("TUNNEL_GET", dump=True))
with tap.case("the module unloads"):
    c.close()
    sh("rmmod cnilink")
tap.end()
