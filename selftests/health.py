# SPDX-License-Identifier: GPL-2.0
"""Probes as Cloudflare sends them, and what comes back. Run by health.sh."""
import itertools
import struct
import subprocess
import time

import genl
import kit
from kit import check, ip, sh, sysctl

tap = kit.Tap()
kit.static_neighbours()
kit.quiet()
world = kit.World()
kit.setns("edge")
c = kit.Client()
TX = kit.Tx("cf", "eth0", kit.mac("edge", "eth0"))
# kind: this end's address and the other's, inside the tunnel
PAIR = {(4, "bidirectional"): ("10.99.0.1", "10.99.0.0"),
        (6, "bidirectional"): ("fd99::1", "fd99::"),
        (4, "unidirectional"): ("192.0.2.11", "172.64.0.1"),
        (6, "unidirectional"): ("2001:db8:12:3::b", "2400:cb00::1")}
KINDS = list(itertools.product((4, 6), ("reply", "request"),
                               ("bidirectional", "unidirectional")))
TYPE = {(4, "reply"): 0, (4, "request"): 8,
        (6, "reply"): 129, (6, "request"): 128}
PAD = bytes(range(256)) * 2


def icmp(version, kind, src, dst, seq, ttl=60, tos=0, frag=0x4000, spoil=0):
    body = struct.pack("!BBHHH", TYPE[version, kind], 0, 0, 0x4242, seq) + PAD
    if version == 4:
        body = body[:2] + struct.pack("!H", kit.csum(body) ^ spoil) + body[4:]
        return kit.ipv4(src, dst, 1, body, frag, ttl, tos, seq)
    pseudo = src + dst + struct.pack("!II", len(body), 58)
    body = body[:2] + struct.pack("!H", kit.csum(pseudo + body) ^ spoil) + \
        body[4:]
    return struct.pack("!IHBB16s16s", 6 << 28 | tos << 20, len(body), 58, ttl,
                       src, dst) + body


def probe(version, kind, way, seq, **how):
    local, peer = map(ip, PAIR[version, way])
    src, dst = (local, peer) if kind == "reply" else (peer, local)
    return icmp(version, kind, src, dst, seq, **how)


def summed(packet, spoil):
    """In the tunnel's headers, with a GRE checksum."""
    gre = b"\x80\0\x08\0" + bytes(4) + packet
    gre = gre[:4] + struct.pack("!H", kit.csum(gre) ^ spoil) + gre[6:]
    return kit.ipv4(ip("192.0.2.10"), ip("192.0.2.11"), 47, gre)


def sent(packets, plain=False):
    """What comes back for packets out of the tunnel: (tunnel?, packet)."""
    world.cf.frames()
    for packet in packets:
        TX.tagged(packet if plain else kit.gre(packet))
    # The gre device's own queue is served between the two.
    world.fence()
    world.fence()
    out = []
    for tag, _, packet in world.cf.frames():
        inside = kit.inner(packet)
        if tag == 1234 and (inside or packet)[-len(PAD):] == PAD:
            out.append((inside is not None, inside or packet))
    return out


def health(*kinds, rate=None):
    """Set what gre1 answers."""
    specs = ["TUNNEL_IFINDEX:dev=gre1"]
    if rate:
        specs.append(f"TUNNEL_HEALTH_RATE:u32={rate}")
    for version, kind, way in kinds:
        local, peer = PAIR[version, way]
        flags = (kind == "request") + 2 * (way == "unidirectional")
        length = f" HEALTH_PEER_LEN:u8={13 if version == 4 else 32}" \
            if way == "unidirectional" else ""
        specs.append(f"TUNNEL_HEALTH:nest={{HEALTH_LOCAL{version}:ip={local} "
                     f"HEALTH_PEER{version}:ip={peer} "
                     f"HEALTH_FLAGS:u32={flags}{length}}}")
    c.do("TUNNEL_SET", *specs)


def answered():
    t = c.get("TUNNEL", "gre1")
    return t.get("HEALTH_ANSWERED", 0), t.get("HEALTH_LIMITED", 0)


def rp_filter(value):
    for name in ("all", "gre1", "eth0.1234"):
        with open(f"/proc/sys/net/ipv4/conf/{name}/rp_filter", "w",
                  encoding="ascii") as f:
            f.write(str(value))


def hostile():
    """What keeps stock Linux from answering."""
    sysctl("net/ipv4/ip_forward", 0)
    sysctl("net/ipv6/conf/all/forwarding", 0)
    rp_filter(1)
    sh("nft 'table inet f { chain f { type filter hook forward priority 0; "
       "ct state invalid drop; }; chain i { type filter hook input priority "
       "0; ct state invalid drop; }; }'")


def friendly():
    sh("nft flush ruleset")
    rp_filter(0)
    sysctl("net/ipv4/ip_forward", 1)
    sysctl("net/ipv6/conf/all/forwarding", 1)


def without_id(packet):
    """The ID, and with it the checksum, and the flow label are the sender's
    to choose."""
    if packet[0] >> 4 == 4:
        return packet[:4] + b"\0\0" + packet[6:10] + b"\0\0" + packet[12:]
    return packet[:1] + b"\0\0\0" + packet[4:]


c.do("LINK_SET", "LINK_IFINDEX:dev=eth0.1234",
     "LINK_LOCAL4:ip=192.0.2.11", "LINK_PEER4:ip=192.0.2.10",
     "LINK_LOCAL6:ip=2001:db8:12:3::b", "LINK_PEER6:ip=2001:db8:12:3::a")
c.do("PORT_SET", "PORT_IFINDEX:dev=lan0")
health()
seq = itertools.count(1)

# What stock Linux sends where it does answer is what the module must send.
stock = {}
sysctl("net/ipv4/conf/gre1/accept_local", 1)
for one in KINDS:
    stock[one] = sent([probe(*one, seq=7)])
sysctl("net/ipv4/conf/gre1/accept_local", 0)
with tap.case("stock Linux answers when it's told to accept its own address"):
    check(all(len(stock[k]) == 1 for k in KINDS if k[0] == 4), stock)

def at_once(one, packets):
    """What comes back, and how many of them the fast path answered."""
    before = c.stats("LINK", "eth0.1234"), c.stats("TUNNEL", "gre1")
    back = sent(packets)
    after = c.stats("LINK", "eth0.1234"), c.stats("TUNNEL", "gre1")
    grown = [kit.growth(*x) for x in zip(before, after)]
    fast = [g.get("RX_PACKETS", 0) for g in grown]
    # The kernel may have something to say to all on the link meanwhile.
    check(fast[0] == fast[1] and
          all(g.get("RX_PACKETS", 0) + g.get("PUNT", 0) -
              g.get("NOT_FOR_US", 0) == len(packets) for g in grown), one,
          grown)
    return back, fast[0]


def counters():
    with open("/proc/self/net/dev", encoding="ascii") as f:
        return {dev: (n[:4], n[8:12]) for dev, *n in (
            line.replace(":", " ").split() for line in f.readlines()[2:])}


def device_growth(packets):
    """What the devices count, received and sent, and what comes back."""
    before = counters()
    back = sent(packets)
    after = counters()
    return back, {dev: [[int(y) - int(x) for x, y in zip(*two)]
                        for two in zip(before[dev], after[dev])]
                  for dev in ("gre1", "eth0.1234", "eth0")}


# With nothing in the way they are answered before the stack sees them.
for one in KINDS:
    version, kind, way = one
    name = f"IPv{version} {kind}, {way}"
    with tap.case(f"{name}: at once where it goes back by the tunnel"):
        health(one)
        before = answered()[0]
        back, fast = at_once(one, [probe(*one, seq=7) for _ in range(3)])
        check(len(back) == 3 == answered()[0] - before, len(back))
        check(fast == 3 * (way == "bidirectional"), fast)
        sh("nft 'table ip t { chain c { type filter hook input priority 0; "
           "}; }'")
        slow, fast = at_once(one, [probe(*one, seq=7)])
        check(not fast and len(slow) == 1, fast, slow)
        sh("nft delete table ip t")
        check([without_id(p) for _, p in back[:1]] ==
              [without_id(p) for _, p in slow], back, slow)
        if stock[one]:
            check(without_id(back[0][1]) == without_id(stock[one][0][1]))
for what, do, undo in (
        ("a hook before the tunnel", "nft 'table ip t { chain c { type filter "
         "hook prerouting priority -300; }; }'", "nft delete table ip t"),
        ("tc on the tunnel's way in", "tc qdisc add dev gre1 clsact && tc "
         "filter add dev gre1 ingress matchall action pass",
         "tc qdisc del dev gre1 clsact"),
        ("a qdisc on the answer's way", "tc qdisc add dev gre1 root pfifo",
         "tc qdisc del dev gre1 root"),
        ("a hook on the answer's way", "nft 'table ip t { chain c { type "
         "filter hook output priority 0; }; }'", "nft delete table ip t"),
        ("a rule", "ip rule add from 198.18.0.0/15 lookup 100",
         "ip rule del from 198.18.0.0/15 lookup 100")):
    with tap.case(f"{what}: answered on the stock gre device"):
        health((4, "reply", "bidirectional"))
        sh(do)
        back, fast = at_once(what, [probe(4, "reply", "bidirectional", 1)])
        check(len(back) == 1 and not fast, back, fast)
        sh(undo)
with tap.case("the devices count what the stock path counts"):
    both = [probe(v, "reply", "bidirectional", 1) for v in (4, 6)]
    health(*KINDS)
    fast = device_growth(both)
    sh("nft 'table ip t { chain c { type filter hook input priority 0; }; }'")
    slow = device_growth(both)
    sh("nft delete table ip t")
    check(fast[1] == slow[1] and len(fast[0]) == len(slow[0]) == 2, fast[1],
          slow[1])

health()
hostile()
with tap.case("stock Linux, rp_filter, no forwarding: 0 of 3 replies"):
    for version, way in PAIR:
        back = sent([probe(version, "reply", way, next(seq))
                     for _ in range(3)])
        check(not back, version, way, len(back))

for one in KINDS:
    version, kind, way = one
    name = f"IPv{version} {kind}, {way}"
    with tap.case(f"{name}: 3 of 3"):
        health(one)
        before = answered()[0]
        back = sent([probe(*one, seq=next(seq)) for _ in range(3)])
        check(len(back) == 3, len(back))
        check(all(tunnel == (way == "bidirectional") for tunnel, _ in back))
        check(answered()[0] - before == 3, answered())
    with tap.case(f"{name}: as this host would have answered"):
        back = sent([probe(*one, seq=7)])
        if stock[one]:
            check(without_id(back[0][1]) == without_id(stock[one][0][1]),
                  back[0][1].hex(), stock[one][0][1].hex())
        want = bytearray(probe(*one, seq=7))
        got = back[0][1]
        local, peer = map(ip, PAIR[version, way])
        size = len(local)
        at = 12 if version == 4 else 8
        check(got[at:at + 2 * size] == local + peer, got.hex())
        check(got[-len(PAD) - 4:] == want[-len(PAD) - 4:])
        check(got[8 if version == 4 else 7] == (59 if kind == "reply" else 64),
              got.hex())
        check(version == 6 or not kit.csum(got[:20]))
        check(kit.csum(got[20:]) == 0 if version == 4 else
              kit.csum(local + peer + struct.pack("!II", len(got) - 40, 58) +
                       got[40:]) == 0, "checksum")
    with tap.case(f"{name}: nothing else is"):
        before = answered()
        local, peer = map(ip, PAIR[version, way])
        src, dst = (local, peer) if kind == "reply" else (peer, local)
        other = ip("10.99.0.9" if version == 4 else "fd99::9")
        wrong = "request" if kind == "reply" else "reply"
        bad = [icmp(version, kind, other, dst, 1),
               icmp(version, kind, src, other, 1),
               icmp(version, kind, dst, src, 1),
               icmp(version, wrong, src, dst, 1),
               icmp(version, kind, src, dst, 1, ttl=1),
               icmp(version, kind, src, dst, 1, spoil=0x101)]
        if version == 4:
            bad += [icmp(version, kind, src, dst, 1, frag=0x2000),
                    icmp(version, kind, src, dst, 1, frag=1)]
        sent(bad)
        check(not sent([probe(*one, seq=1)], plain=True) or kind == "request")
        check(answered() == before, answered(), before)

with tap.case("all of them at once"):
    health(*KINDS)
    before = answered()[0]
    back = sent([probe(*one, seq=next(seq)) for one in KINDS])
    check(len(back) == len(KINDS) == answered()[0] - before, len(back))
with tap.case("what was set is what is shown"):
    shown = [v for k, v in genl.attrs(c.do(
        "TUNNEL_GET", "TUNNEL_IFINDEX:dev=gre1")[0])
        if k == kit.A["CNILINK_A_TUNNEL_HEALTH"]]
    check(len(shown) == len(KINDS), len(shown))
with tap.case("set again, the counters go on"):
    before = answered()[0]
    health(*KINDS)
    check(answered()[0] == before)
with tap.case("a capture sees probe and answer"):
    with subprocess.Popen(
            ["tcpdump", "-nUi", "gre1", "-c", "2", "icmp"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as dump:
        while "listening" not in dump.stderr.readline():
            pass
        check(len(sent([probe(4, "reply", "bidirectional", 9)])) == 1)
        text = dump.communicate(timeout=20)[0]
    check(text.count("echo reply") == 2, text)
friendly()
with tap.case("the tunnel is offloaded all the same"):
    c.set_routes([(kit.prefix("104.16.0.0/13"), (kit.ifindex("gre1"), None)),
                  (kit.prefix("10.9.0.0/24"), (kit.ifindex("lan0"), None))])
    before = c.stats("TUNNEL", "gre1")
    check(world.sent([ip("104.16.9.9")]) == ["tunnel"])
    sent([kit.udp(ip("104.16.9.9"), ip("10.9.0.2"), 1)])
    grown = kit.growth(before, c.stats("TUNNEL", "gre1"))
    check(grown.get("RX_PACKETS") == grown.get("TX_PACKETS") == 1, grown)
ENDS = ("edge", "192.0.2.11", "192.0.2.10"), ("cf", "192.0.2.10", "192.0.2.11")
GRE = "ip -n {} link set gre1 type gre local {} remote {} ttl 64"
for end in ENDS:
    sh(GRE.format(*end) + " csum")
health((4, "reply", "bidirectional"))
for spoil in (0, 1):
    with tap.case("a tunnel with checksums: " + ("a bad one", "a good one")[
            not spoil]):
        before = c.stats("TUNNEL", "gre1")
        back = sent([summed(probe(4, "reply", "bidirectional", 1), spoil)],
                    plain=True)
        grown = kit.growth(before, c.stats("TUNNEL", "gre1"))
        check(len(back) == grown.get("RX_PACKETS", 0) == 1 - spoil, back, grown)
        check(grown.get("PUNT", 0) == spoil, grown)
for end in ENDS:
    sh(GRE.format(*end) + " nocsum")
with tap.case("no more a second than agreed on"):
    health((4, "reply", "bidirectional"), rate=20)
    start = time.monotonic()
    back = sent([probe(4, "reply", "bidirectional", next(seq))
                 for _ in range(200)])
    most = 20 + 20 * (time.monotonic() - start) + 1
    check(20 <= len(back) <= most and answered()[0] == len(back) and
          answered()[1] == 200 - len(back), len(back), answered(), most)
    check(kit.wait_for(lambda: sent([probe(4, "reply", "bidirectional", 1)])))
with tap.case("set to none: the kernel's again"):
    health()
    check("HEALTH_ANSWERED" not in c.get("TUNNEL", "gre1"))
    check(not sent([probe(4, "reply", "bidirectional", 1)]))


def refused(*specs):
    try:
        c.do("TUNNEL_SET", "TUNNEL_IFINDEX:dev=gre1",
             *(f"TUNNEL_HEALTH:nest={{{s}}}" for s in specs))
    except genl.Error as e:
        return bool(str(e))
    return False


GOOD = "HEALTH_LOCAL4:ip=10.99.0.1 HEALTH_PEER4:ip=10.99.0.0"
for what, specs in {
        "no addresses": ["HEALTH_FLAGS:u32=1"],
        "one address": ["HEALTH_LOCAL4:ip=10.99.0.1"],
        "two families": [GOOD + " HEALTH_LOCAL6:ip=fd99::1 "
                         "HEALTH_PEER6:ip=fd99::2"],
        "mixed families": ["HEALTH_LOCAL4:ip=10.99.0.1 HEALTH_PEER6:ip=fd99::"],
        "the same twice": ["HEALTH_LOCAL4:ip=10.99.0.1 "
                           "HEALTH_PEER4:ip=10.99.0.1"],
        "multicast": ["HEALTH_LOCAL4:ip=10.99.0.1 HEALTH_PEER4:ip=224.0.0.1"],
        "an unknown flag": [GOOD + " HEALTH_FLAGS:u32=4"],
        "many peers by the tunnel": [GOOD + " HEALTH_PEER_LEN:u8=31"],
        "all peers": [GOOD + " HEALTH_PEER_LEN:u8=0 HEALTH_FLAGS:u32=2"],
        "a length of IPv6": [GOOD + " HEALTH_PEER_LEN:u8=33 "
                             "HEALTH_FLAGS:u32=2"],
        "33 of them": [GOOD] * 33}.items():
    tap.ok(refused(*specs), f"refused: {what}")
health(*KINDS)
with tap.case("the gre device goes, and the responder with it"):
    sh("ip link del gre1")
    check(not c.do("TUNNEL_GET", dump=True))
with tap.case("the module unloads"):
    c.close()
    sh("rmmod cnilink")
tap.end()
