# SPDX-License-Identifier: GPL-2.0
"""The stack's own packets into the tunnel, with and without the module's output
stage. Run by stage.sh."""
import collections
import os
import re
import socket
import struct
import subprocess
import threading
import time

import kit
import oracle_packets as p
from kit import check, ip, sh

HERE = os.path.dirname(os.path.abspath(__file__))
MARK = b"cni-stage!"
OWN = {ip(a) for a in ("192.0.2.11", "10.99.0.1", "10.9.0.1")}
FAR = {4: "104.16.0.1", 6: "2606:4700::1"}
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
# socket options: level, name
TOS = {4: (0, socket.IP_TOS), 6: (41, 67)}
TTL = {4: (0, socket.IP_TTL), 6: (41, 16)}
PMTU = {4: (0, 10), 6: (41, 23)}
PMTU_DONT, PMTU_DO = 0, 2
DEVICES = "gre1", "eth0.1234", "eth0"
PRIORITY = (socket.SOL_SOCKET, socket.SO_PRIORITY)
SEGMENT = (socket.IPPROTO_UDP, 103)

tap = kit.Tap()
kit.static_neighbours()
kit.quiet()
world = kit.World()
for addr in "192.0.2.11", "2001:db8:12:3::b":
    sh(f"ip -n cf neigh replace {addr} dev eth0.1234 lladdr "
       f"{kit.mac('edge', 'eth0').hex(':')} nud permanent")
kit.setns("edge")


def normal(frame):
    """Without the IDs that a sender picks at random."""
    frame = p.normal(frame, OWN, [])
    found = re.search(rb"\x86\xdd(.{4}){,2}(?=\x60.{5}\x2c)", frame, re.S)
    if found:
        at = found.end() + 44
        return frame[:at] + bytes(4) + frame[at + 4:]
    return frame


class Wire(kit.Rx):
    """Whole frames at the far end that hold a packet of ours."""

    def __init__(self):
        super().__init__("cf", "eth0")
        self.sock.setsockopt(socket.SOL_SOCKET, 27, struct.pack("I", 0))

    def frames(self, *_):
        out = []
        while True:
            try:
                data, anc, _, addr = self.sock.recvmsg(1 << 17, 256)
            except BlockingIOError:
                return out
            if addr[2] == 4 or MARK not in data:
                continue
            for _, kind, value in anc:
                status, tci, tpid = struct.unpack_from("=I12xHH", value)
                if kind == 8 and status & 0x10:
                    data = data[:12] + struct.pack("!HH", tpid, tci) + \
                        data[12:]
            out.append(normal(data))


wire = Wire()


def body(size):
    return (MARK * (size // len(MARK) + 1))[:size]


def local(version, size, *options):
    """A datagram of this host's own."""
    with socket.socket(FAMILY[version], socket.SOCK_DGRAM) as s:
        for (level, name), value in options:
            s.setsockopt(level, name, value)
        s.bind(("", 4000))
        try:
            s.sendto(body(size), (FAR[version], 9))
        except OSError as e:
            return e.errno
    return None


def ping(version, size):
    """An echo request; the kernel sums it up over IPv6."""
    proto = socket.IPPROTO_ICMP if version == 4 else 58
    with socket.socket(FAMILY[version], socket.SOCK_RAW, proto) as s:
        data = struct.pack("!HH", 7, 7) + body(size)
        kind = b"\x08\0" if version == 4 else b"\x80\0"
        total = kit.csum(kind + b"\0\0" + data) if version == 4 else 0
        s.sendto(kind + struct.pack("!H", total) + data, (FAR[version], 0))


def forwarded(version, size, tos=0, ttl=32, frag=0x4000, sport=4000):
    """A datagram from the LAN."""
    src, dst = ("10.9.0.2", "fd09::2")[version == 6], FAR[version]
    datagram = p.udp(src, dst, body(size), sport=sport)
    if version == 4:
        packet = p.ip4(src, dst, p.UDP, datagram, tos, frag=frag, ttl=ttl)
    else:
        packet = p.ip6(src, dst, p.UDP, datagram, tos, ttl=ttl)
    world.tx.ip(packet)


def odd():
    """What isn't IP can be sent by a tunnel, too."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as s:
        s.sendto(body(100), ("gre1", 0x8847))


def local_cases():
    yield "udp", [lambda v=v, n=n: local(v, n) for v in (4, 6)
                  for n in (10, 100, 1000)]
    # The largest with each family's headers, and one more
    yield "udp to the MTU", [
        lambda v=v, n=n, f=f: local(v, n, (PMTU[v], f))
        for v, most in ((4, MTU - 28), (6, MTU - 48))
        for n in (most - 1, most, most + 1) for f in (PMTU_DO, PMTU_DONT)]
    yield "udp tos", [lambda v=v, n=n: local(v, 60, (TOS[v], n))
                      for v in (4, 6) for n in (1, 2, 3, 0x10, 0xb8, 0xff)]
    yield "udp ttl", [lambda v=v, n=n: local(v, 60, (TTL[v], n))
                      for v in (4, 6) for n in (1, 2, 255)]
    yield "udp df", [lambda n=n: local(4, 60, (PMTU[4], n))
                     for n in (PMTU_DO, PMTU_DONT)]
    yield "udp priority", [lambda v=v, n=n: local(v, 60, (PRIORITY, n))
                           for v in (4, 6) for n in range(7)]
    yield "udp segments", [
        lambda v=v, n=n: local(v, n, (SEGMENT, 1000), (PMTU[v], PMTU_DO))
        for v in (4, 6) for n in (2000, 4500, 9000)]
    yield "ping", [lambda v=v, n=n: ping(v, n) for v in (4, 6)
                   for n in (56, 1200)]


def forwarded_cases():
    yield "forwarded", [
        lambda v=v, n=n, t=t: forwarded(v, n, tos=t) for v in (4, 6)
        for n in (10, 700, 1400) for t in (0, 2, 3, 0x48)]
    yield "forwarded ttl", [lambda v=v, n=n: forwarded(v, 60, ttl=n)
                            for v in (4, 6) for n in (2, 3, 200)]
    yield "forwarded without df", [lambda n=n: forwarded(4, n, frag=0)
                                   for n in (60, 1500 - 60, 1472)]


def counters():
    """Packets, bytes, errors and drops that the devices count as sent."""
    out = {}
    with open("/proc/self/net/dev", encoding="ascii") as f:
        for line in f.readlines()[2:]:
            dev, *n = line.replace(":", " ").split()
            if dev in DEVICES:
                out.update({(dev, i): int(n[8 + i]) for i in range(4)})
    return out


def flows():
    """Connections as they're known, without their ages."""
    with open("/proc/net/nf_conntrack", encoding="ascii") as f:
        return sorted(re.sub(r"^(\S+ +\d+ \S+ +\d+) \d+", r"\1", line.strip())
                      for line in f if re.search(
                          "104.16.0.1|192.0.2.1|2606:4700:|2001:0?db8:", line))


def flush():
    """Forget all connections."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as s:
        s.bind((0, 0))
        s.send(struct.pack("=IHHIIBBH", 20, 1 << 8 | 2, 5, 1, 0, 2, 0, 0))
        code = struct.unpack_from("=i", s.recv(4096), 16)[0]
        check(not code, "can't forget connections:", code)


Round = collections.namedtuple("Round", "frames errors counters output")


def play(actions, client=None):
    """Do it, and see what becomes of it."""
    wire.frames()
    before = counters()
    known = output(client)
    errors = [a() for a in actions]
    world.fence()
    return Round(wire.frames(), errors, kit.growth(before, counters()),
                 kit.growth(known, output(client)))


FORWARDED = [lambda v=v: forwarded(v, 100) for v in (4, 6)]


def play_refused(client=None):
    """The same, and the lower device takes nothing."""
    sh("tc qdisc add dev eth0 clsact; "
       "tc filter add dev eth0 egress matchall action drop")
    got = play(FORWARDED, client)
    sh("tc qdisc del dev eth0 clsact")
    check(not got.frames, got)
    return got


def output(client):
    if not client:
        return {}
    out = client.get("TUNNEL", "gre1")["OUTPUT"]
    out.pop("TX_BYTES")
    return out


def load(wait=True):
    """@wait: until it sends past the device, unless that is never so."""
    c = kit.load()
    check(not c.get("TUNNEL", "gre1")["BLOCKERS"], c.get("TUNNEL", "gre1"))
    # What it has just learnt of the tunnel is looked at once more.
    check(not wait or kit.wait_for(lambda: one_passes(c)), output(c))
    return c


def one_passes(client):
    before = output(client)
    with socket.socket(FAMILY[4], socket.SOCK_DGRAM) as s:
        s.sendto(b"first", ("104.17.0.9", 9))
    return "TX_PACKETS" in kit.growth(before, output(client))


def settled(frame):
    """Where a frame is yet to be cut, its GRE checksum isn't written: what
    stands there is of no meaning."""
    at = 38 if frame[16:18] == b"\x08\x00" else 66
    if len(frame) > 1518 and frame[at] & 0x80:
        return frame[:at + 4] + bytes(4) + frame[at + 8:]
    return frame


def compare(stock, fast, tracked=False):
    """@tracked: some may have gone the kernel's way, for conntrack's sake."""
    check(stock.frames, "nothing arrived")
    check(len(fast.frames) == len(stock.frames), "frames:", len(fast.frames),
          "instead of", len(stock.frames))
    for i, (a, b) in enumerate(zip(stock.frames, fast.frames)):
        check(settled(a) == settled(b), i, "\nstock", a[:90].hex(), len(a), "\nfast ",
              b[:90].hex(), len(b))
    check(fast.errors == stock.errors, fast.errors, stock.errors)
    check(fast.counters == stock.counters, fast.counters, stock.counters)
    sent = dict(fast.output)
    if tracked:
        check(sent.pop("NETFILTER", 0) == sent.pop("PUNT", 0) <= 3,
              fast.output)
    # One of several segments is one packet until it's cut.
    check(set(sent) == {"TX_PACKETS"}, fast.output)


def gre(kind, options):
    """A tunnel of these, and what fits through it."""
    global MTU
    sh("ip -n edge link del gre1; ip -n cf link del gre1", fail=False)
    subprocess.run(["bash", "-c", f". {HERE}/lib.sh; gre_up"], check=True,
                   env={**os.environ, "GRE": kind, "GRE_OPTS": options})
    MTU = 1476 - 4 * ("key" in options) - 4 * ("csum" in options)
    if kind == "ip6gre":
        MTU -= 20 + 8 * ("encaplimit none" not in options)
    time.sleep(2)


MTU = 0
sh("ip link set eth0.1234 type vlan egress-qos-map 1:2 2:3 4:5 6:7")

for kind, options in (
        ("gre", "ttl 64"), ("gre", "ttl inherit tos inherit nopmtudisc"),
        ("gre", "ttl 9 tos 0x48 key 7"),
        ("gre", "ttl inherit nopmtudisc ignore-df"), ("gre", "ttl 64 csum"),
        ("ip6gre", "hoplimit 64"),
        ("ip6gre", "hoplimit 0 tclass inherit flowlabel inherit "
                   "encaplimit none"),
        ("ip6gre", "hoplimit 9 tclass 0x48 flowlabel 0x12345 key 7 csum")):
    gre(kind, options)
    cases = [*local_cases(), *forwarded_cases()]
    stock = {name: play(todo) for name, todo in cases}
    refused = play_refused()
    c = load()
    for name, todo in cases:
        with tap.case(f"{kind} {options}: {name}"):
            compare(stock[name], play(todo, c))
    with tap.case(f"{kind} {options}: what the lower device refuses"):
        got = play_refused(c)
        check(got.counters == refused.counters and got.counters, got.counters,
              refused.counters)
        check(got.output["TRANSMIT"] == len(FORWARDED), got.output)
    if kind == "gre":
        with tap.case(f"{kind} {options}: what isn't IP is the kernel's"):
            check(play([odd], c).output == {"NOT_IP": 1, "PUNT": 1})
    kit.unload(c)

gre("gre", "ttl 64")
FORWARD = "ip daddr 104.16.0.0/13 accept; ip6 daddr 2606:4700::/32 accept;"
RULES = {
    "forward rules": (
        "table inet f { chain c { type filter hook forward priority 0; "
        "policy drop; %s ip saddr 104.16.0.0/13 accept; "
        "ip6 saddr 2606:4700::/32 accept; }; }" % FORWARD, False),
    "stateful rules": (
        "table inet f { chain c { type filter hook forward priority 0; "
        "policy drop; ct state established,related accept; "
        "ct state invalid drop; %s }; chain i { type filter hook input "
        "priority 0; ct state established,related accept; "
        "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept; "
        "counter drop; }; }" % FORWARD, True),
}
EVERY = [*local_cases(), *forwarded_cases()]


def new_rules(client, text):
    """Connection tracking's hooks come with them, and are known in a second.
    One outer packet a second is tracked: the next one, once that is over."""
    sh(f"nft '{text}'")
    check(kit.wait_for(lambda: one_passes(client)), output(client))
    flush()
    time.sleep(1.1)


for name, (rules, tracked) in RULES.items():
    sh(f"nft '{rules}'")
    flush()
    stock = {n: play(todo) for n, todo in EVERY}
    known = flows()
    with tap.case(f"{name}: connections are tracked, or not"):
        check(bool(known) == tracked, known)
        check(not tracked or any("192.0.2.10" in one for one in known), known)
    for order in ("rules first", "module first"):
        sh("nft flush ruleset")
        flush()
        if order == "rules first":
            sh(f"nft '{rules}'")
        c = load()
        if order == "module first":
            new_rules(c, rules)
        for n, todo in EVERY:
            with tap.case(f"{name}, {order}: {n}"):
                compare(stock[n], play(todo, c), tracked)
        with tap.case(f"{name}, {order}: the same connections are known"):
            check(flows() == known, flows(), known)
        kit.unload(c)
    sh("nft flush ruleset")


def transfer(version):
    """A connection of this host's own, a stream each way."""
    with kit.ns("cf"):
        server = socket.create_server((FAR[version], 80),
                                      family=FAMILY[version])
    data = body(1 << 20)
    got = {}

    def receive(who, s):
        part = bytearray()
        while chunk := s.recv(1 << 16):
            part += chunk
        got[who] = bytes(part)

    def serve():
        peer, _ = server.accept()
        with peer:
            back = threading.Thread(target=receive, args=("far", peer))
            back.start()
            peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)
            back.join()

    # Where all is slow, the pace would have it that they are small.
    kit.sysctl("net/ipv4/tcp_min_tso_segs", 8)
    thread = threading.Thread(target=serve)
    thread.start()
    with socket.create_connection((FAR[version], 80), 20) as s:
        reader = threading.Thread(target=receive, args=("near", s))
        reader.start()
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        reader.join()
    thread.join()
    server.close()
    check(got == {"near": data, "far": data}, {k: len(v)
                                               for k, v in got.items()})


def outer(frame):
    """Tag, TOS, DF and TTL."""
    return frame[14:16], frame[19], frame[24:26], frame[26]


c = load()
for version in (4, 6):
    with tap.case(f"IPv{version}: a connection of this host's own"):
        before, wire_before = output(c), wire.frames()
        transfer(version)
        grown = kit.growth(before, output(c))
        check(set(grown) == {"TX_PACKETS"}, grown)
        frames = wire.frames()
        check(len(set(map(outer, frames))) == 1, set(map(outer, frames)))
        check(max(map(len, frames)) > 2 * MTU, "no large packets")

PROBE = [lambda v=v: local(v, 60) for v in (4, 6)]


def fast_again():
    last = None

    def try_it():
        nonlocal last
        last = play(PROBE, c)
        return last.output == {"TX_PACKETS": 2}
    check(kit.wait_for(try_it), "not sent past the device again:", last)


def aside(name, reason, do, undo, want=True):
    """What is in the way is passed, and then it's gone."""
    with tap.case(f"{name}: left to the device, because of {reason}"):
        fast_again()
        sh(do)
        got = play(PROBE, c)
        check(got.output == {reason: 2, "PUNT": 2}, got)
        check(len(got.frames) == 2 * want, got)
    sh(undo)
    with tap.case(f"{name}: gone, and sent past it again"):
        fast_again()


for dev in ("gre1", "eth0.1234"):
    aside(f"qdisc on {dev}", "QDISC", f"tc qdisc add dev {dev} root pfifo",
          f"tc qdisc del dev {dev} root")
    aside(f"tc egress on {dev}", "TC", f"tc qdisc add dev {dev} clsact && "
          f"tc filter add dev {dev} egress matchall action pass",
          f"tc qdisc del dev {dev} clsact")
for name, hook in (("output", "filter hook output priority 0"),
                   ("output, conntrack's priority",
                    "filter hook output priority -200"),
                   ("postrouting", "filter hook postrouting priority 0"),
                   ("postrouting, the last",
                    "filter hook postrouting priority 2147483647"),
                   ("NAT", "nat hook postrouting priority 100")):
    aside(f"nft {name}", "NETFILTER",
          f"nft 'table ip t {{ chain c {{ type {hook}; }}; }}'",
          "nft delete table ip t")
aside("nft that drops the outer packets", "NETFILTER",
      "nft 'table ip t { chain c { type filter hook output priority 0; "
      "ip protocol gre drop; }; }'", "nft delete table ip t", want=False)
NETDEV = "nft 'table netdev t {{ chain c {{ type filter hook egress device " \
    "\"{}\" priority 0; counter; }}; }}'"
aside("nft egress on eth0.1234", "NFT_DEVICE", NETDEV.format("eth0.1234"),
      "nft delete table netdev t")
with tap.case("nft egress on gre1 is passed before, and kept in force"):
    sh(NETDEV.format("gre1"))
    fast_again()
    check("packets 2 " in sh("nft list table netdev t"),
          sh("nft list table netdev t"))
    sh("nft delete table netdev t")
aside("xfrm policy", "XFRM",
      "ip xfrm policy add src 198.18.0.0/15 dst 198.18.0.0/15 dir out",
      "ip xfrm policy flush")
with tap.case("rules leave the outer packets where they are"):
    sh("ip rule add from 198.18.0.0/15 lookup 100")
    fast_again()
    sh("ip rule del from 198.18.0.0/15 lookup 100")
with tap.case("a rule that moves them: left to the device at once"):
    fast_again()
    sh("ip rule add to 192.0.2.10 prohibit")
    got = play(PROBE, c)
    check(not got.frames and "TX_PACKETS" not in got.output, got)
    sh("ip rule del to 192.0.2.10 prohibit")
    fast_again()
with tap.case("so does a route"):
    sh("ip route add prohibit 192.0.2.10")
    got = play(PROBE, c)
    check(not got.frames and "TX_PACKETS" not in got.output, got)
    sh("ip route del prohibit 192.0.2.10")
    fast_again()
for dev in ("gre1", "eth0.1234"):
    with tap.case(f"a capture on {dev} is complete"):
        fast_again()
        with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM,
                           socket.htons(kit.ETH_P_ALL)) as s:
            s.bind((dev, kit.ETH_P_ALL))
            s.setblocking(False)
            got = play(PROBE, c)
            seen = 0
            while True:
                try:
                    seen += MARK in s.recv(2048)
                except BlockingIOError:
                    break
        check(got.output == {"TAP": 2, "PUNT": 2} and seen == 2, got, seen)
        fast_again()
with tap.case("a link with less room than the tunnel: routes learn of it"):
    sh("ip link set eth0.1234 mtu 1400")
    check(kit.wait_for(lambda: play(PROBE, c).output == {"MTU": 2, "PUNT": 2}),
          output(c))
    sh("ip link set eth0.1234 mtu 1500")
    sh("ip route flush cache; ip -6 route flush cache")
    fast_again()
kit.unload(c)

gre("ip6gre", "hoplimit 64")
rules = RULES["stateful rules"][0]
sh(f"nft '{rules}'")
flush()
stock = {n: play(todo) for n, todo in EVERY}
known = flows()
sh("nft flush ruleset")
flush()
c = load()
new_rules(c, rules)
for n, todo in EVERY:
    with tap.case(f"ip6gre, stateful rules: {n}"):
        compare(stock[n], play(todo, c), True)
with tap.case("ip6gre, stateful rules: the same connections are known"):
    check(flows() == known and any("2001:0db8" in f for f in known), flows(),
          known)
sh("nft flush ruleset")
for version in (4, 6):
    with tap.case(f"ip6gre, IPv{version}: a connection of this host's own"):
        before = output(c)
        transfer(version)
        grown = kit.growth(before, output(c))
        check(set(grown) == {"TX_PACKETS"}, grown)
aside("ip6gre, nft output", "NETFILTER",
      "nft 'table ip6 t { chain c { type filter hook output priority 0; "
      "ip6 nexthdr 60 drop; }; }'", "nft delete table ip6 t", want=False)
aside("ip6gre, a rule by mark", "RULES", "ip -6 rule add fwmark 7 lookup main",
      "ip -6 rule del fwmark 7 lookup main")
kit.unload(c)

gre("gre", "ttl 64")
MASQUERADE = "table inet f { chain c { type filter hook forward priority 0; " \
    "ct state invalid drop; }; chain n { type nat hook postrouting " \
    "priority 100; oifname gre1 masquerade; }; }"
sh(f"nft '{MASQUERADE}'")
flush()
stock = {n: play(todo) for n, todo in forwarded_cases()}
known = flows()
flush()
c = load(wait=False)
for n, todo in forwarded_cases():
    with tap.case(f"masquerade: {n}"):
        got = play(todo, c)
        check(got.frames == stock[n].frames and got.frames, got, stock[n])
        check(set(got.output) == {"NETFILTER", "PUNT"}, got.output)
with tap.case("masquerade: the same connections are known"):
    check(flows() == known and any("10.99.0.1" in f for f in known), flows(),
          known)
kit.unload(c)
tap.end()
