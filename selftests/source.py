# SPDX-License-Identifier: GPL-2.0
"""Packets with all sorts of sources from a port with strict-source, by either
path, beside the kernel's rp_filter=1 and nft's fib. Run by source.sh."""
import json
import os
import socket

import kit
from genl import NAMES
from kit import check, ip, sh

CNICTL = os.environ["CNICTL"]
tap = kit.Tap()
kit.static_neighbours()
kit.quiet()
world = kit.World()
kit.setns("edge")
c = kit.Client()
GRE, LAN, LINK = (kit.ifindex(d) for d in ("gre1", "lan0", "eth0.1234"))

# Source: by way of which devices it is routed, if at all.
ROUTES = {"10.50.0.0/16": ["lan0"], "10.50.7.0/24": ["gre1"],
          "10.52.0.0/16": ["gre1", "lan0"], "10.53.0.0/16": ["gre1", "link"],
          "10.55.0.0/16": ["lan0"], "10.55.3.0/24": ["lan0", "link"],
          "fd50::/16": ["lan0"], "fd50:7::/32": ["gre1"],
          "fd52::/16": ["gre1", "lan0"], "fd53::/16": ["gre1", "link"],
          "fd55::/16": ["lan0"], "fd55:3::/32": ["lan0", "link"]}
SOURCES = ["10.9.0.2", "10.9.0.77", "10.9.0.1", "192.0.2.11", "192.0.2.10",
           "104.16.9.9", "172.64.0.9", "203.0.113.5", "0.0.0.0", "127.0.0.1",
           "224.0.0.5", "255.255.255.255", "10.9.0.255", "10.50.1.1",
           "10.50.7.1", "10.51.0.1", "10.52.0.1", "10.53.0.1", "10.54.0.1",
           "10.55.3.1",
           "fd09::2", "fd09::77", "fd09::1", "2001:db8:12:3::b",
           "2001:db8:12:3::a", "2606:4700::9", "2400:cb00::9",
           "2001:db8:ffff::5", "::", "::1", "ff02::5", "fe80::77",
           "fd50:1::1", "fd50:7::1", "fd51::1", "fd52::1", "fd53::1",
           "fd54::1", "fd55:3::1"]
DSTS = {4: ["104.16.9.9", "172.64.0.9", "10.9.0.1", "10.99.0.1"],
        16: ["2606:4700::9", "2400:cb00::9", "fd09::1", "fd99::1"]}
VIA = {4: {"lan0": "10.9.0.2", "link": "192.0.2.10"},
       16: {"lan0": "fd09::2", "link": "2001:db8:12:3::a"}}
DEV = {"gre1": GRE, "lan0": LAN, "link": LINK}
SERVERS = {}
for version, family in ((4, socket.AF_INET), (16, socket.AF_INET6)):
    SERVERS[version] = socket.socket(family, socket.SOCK_DGRAM)
    if version == 16:
        SERVERS[version].setsockopt(socket.IPPROTO_IPV6,
                                    socket.IPV6_V6ONLY, 1)
    SERVERS[version].bind(("", 4000))
    SERVERS[version].setblocking(False)


def kernel_routes():
    for key, devs in ROUTES.items():
        size = 16 if ":" in key else 4
        # IPv6 has several next hops only where each is a gateway.
        gre = "via fd99:: " if size == 16 and len(devs) > 1 else ""
        hops = ["nexthop " + (f"via {VIA[size][d]} " if d != "gre1" else gre) +
                "dev " + ("eth0.1234" if d == "link" else d) for d in devs]
        if len(hops) == 1:
            hops = [hops[0][8:]]
        sh(f"ip {'-6 ' * (size == 16)}route add {key} {' '.join(hops)}")
    sh("ip route add blackhole 10.51.0.0/16; "
       "ip -6 route add blackhole fd51::/16; "
       "ip route add prohibit 10.54.0.0/16; "
       "ip -6 route add unreachable fd54::/16")


def hop(size, dev):
    via = VIA[size].get(dev)
    return DEV[dev], ip(via) if via else None


def table(fast):
    """The table as sync would fill it, or one that knows of nothing."""
    routes = [(kit.prefix(p), (GRE, None)) for p in
              ("104.16.0.0/13", "2606:4700::/32")]
    routes += [(kit.prefix("172.64.0.0/13"), hop(4, "link")),
               (kit.prefix("2400:cb00::/32"), hop(16, "link"))]
    routes += [(kit.prefix(p), (LAN, None))
               for p in ("10.9.0.0/24", "fd09::/64")]
    for key, devs in ROUTES.items():
        size = 16 if ":" in key else 4
        hops = [hop(size, d) for d in devs]
        routes.append((kit.prefix(key), hops[0] if len(hops) == 1 else
                       [(*h, 1) for h in hops]))
    c.set_routes(routes if fast else [(p, None) for p, _ in routes])


def plain(src, dst, n):
    return kit.udp(src, dst, n)


def exotic(src, dst, n):
    """What the fast path leaves to the kernel, whatever its addresses."""
    one = kit.udp(src, dst, n)
    if len(dst) == 4:
        head = b"\x46" + one[1:2] + (len(one) + 4).to_bytes(2, "big") + \
            one[4:10] + b"\0\0" + one[12:20] + b"\1\1\1\0"
        return head[:10] + kit.csum(head).to_bytes(2, "big") + head[12:] + \
            one[20:]
    return one[:4] + (len(one) - 32).to_bytes(2, "big") + b"\0" + one[7:40] + \
        bytes((17, 0, 1, 4, 0, 0, 0, 0)) + one[40:]


def number(packet):
    at = packet.find(b"\x0f\xa0\x0f\xa0")
    return int.from_bytes(packet[at + 8:at + 12], "big") if at >= 0 else None


def received(make):
    """(source, destination) of all packets that got anywhere."""
    sent, out = {}, set()
    for src in SOURCES:
        for dst in DSTS[len(ip(src))]:
            world.n += 1
            sent[world.n] = src, dst
            world.tx.ip(make(ip(src), ip(dst), world.n))
    world.fence()
    for _, _, data in world.cf.frames():
        out.add(sent.get(number(kit.inner(data) or data)))
    for server in SERVERS.values():
        while True:
            try:
                out.add(sent.get(int.from_bytes(server.recv(2048)[:4], "big")))
            except BlockingIOError:
                break
    world.lan.frames()
    return out - {None}, len(sent)


def strict(on, dev="lan0"):
    flag = NAMES["CNILINK_PORT_FLAG_STRICT_SOURCE"]
    c.do("PORT_SET", f"PORT_IFINDEX:dev={dev}",
         f"PORT_FLAGS:u32={flag if on else 0}")


def drops():
    return c.stats("PORT", "lan0").get("STRICT_SOURCE", 0)


def as_kernel(make):
    """What gets through by the kernel's own checks."""
    strict(False)
    table(False)
    kit.sysctl("net.ipv4.conf.lan0.rp_filter", 1)
    sh("nft 'table ip6 r { chain c { type filter hook prerouting priority "
       "-300; iif lan0 fib saddr . iif oif missing drop; }; }'")
    out, _ = received(make)
    sh("nft delete table ip6 r")
    kit.sysctl("net.ipv4.conf.lan0.rp_filter", 0)
    return out


def compare(name, make, fast_ones=True):
    want = as_kernel(make)
    loose, n = received(make)
    # Of several IPv6 next hops nft looks at one, by the hash; rpfilter at all.
    want |= {one for one in loose if one[0] in ("fd52::1", "fd55:3::1")}
    with tap.case(f"{name}: the kernel's checks let some of it through"):
        check(want and want < loose, len(want), len(loose), n)
    for fast in (False, True):
        with tap.case(f"{name}: the same on "
                      f"{'the fast path' if fast else 'the kernel path'}"):
            strict(True)
            table(fast)
            before = c.stats("PORT", "lan0")
            got, _ = received(make)
            grown = kit.growth(before, c.stats("PORT", "lan0"))
            check(got == want, "more:", sorted(got - want),
                  "less:", sorted(want - got))
            check(grown["DROP"] == grown["STRICT_SOURCE"] >= len(loose - want),
                  grown)
            check((grown.get("RX_PACKETS", 0) > 0) == (fast and fast_ones),
                  grown)


kernel_routes()
c.do("LINK_SET", "LINK_IFINDEX:dev=eth0.1234",
     "LINK_LOCAL4:ip=192.0.2.11", "LINK_PEER4:ip=192.0.2.10",
     "LINK_LOCAL6:ip=2001:db8:12:3::b", "LINK_PEER6:ip=2001:db8:12:3::a")
c.do("TUNNEL_SET", "TUNNEL_IFINDEX:dev=gre1")
strict(False)
compare("plain", plain)
compare("options", exotic, False)
sh("ip route add default via 192.0.2.10; "
   "ip -6 route add default via 2001:db8:12:3::a")
compare("default by the link", plain)
sh("ip route replace default via 10.9.0.2; ip -6 route replace default "
   "via fd09::2; ip -6 route del default via 2001:db8:12:3::a", fail=False)
compare("default by the port", plain)
sh("ip route del default; ip -6 route del default")

with tap.case("a route that the kernel just got counts at once"):
    strict(True)
    table(True)
    check(world.sent([ip("104.16.9.9")], {4: ip("10.50.1.1")}) == ["tunnel"])
    sh("ip route add 10.50.1.0/24 dev gre1")
    check(world.sent([ip("104.16.9.9")], {4: ip("10.50.1.1")}) == [None])
    sh("ip route del 10.50.1.0/24")
    check(world.sent([ip("104.16.9.9")], {4: ip("10.50.1.1")}) == ["tunnel"])
with tap.case("a port in a bridge has no sources to check"):
    sh("ip link add br0 type bridge && ip link set br0 up && "
       "ip link set lan0 master br0")
    before = drops()
    world.tx.ip(kit.udp(ip("203.0.113.5"), ip("104.16.9.9"), 1))
    check(kit.wait_for(lambda: "RX_HANDLER" in c.stats("PORT", "lan0")))
    check(drops() == before, drops())
    sh("ip link del br0")
with tap.case("cnictl sets it, shows it and takes it back"):
    sh(f"{CNICTL} port set lan0 strict-source off")
    data = json.loads(sh(f"{CNICTL} -j show port"))[0]
    check(data["flags"] == [], data)
    sh(f"{CNICTL} port set lan0 strict-source on")
    sh(f"{CNICTL} port set lan0 bypass-netfilter on")
    data = json.loads(sh(f"{CNICTL} -j show port"))[0]
    check(sorted(data["flags"]) == ["bypass-netfilter", "strict-source"], data)
    check(0 < data["stats"]["drop"]["strict-source"] <= drops(), data)
    text = sh(f"{CNICTL} show port")
    check("sources must be routed back to it (strict-source)" in text and
          "dropped" in text, text)
with tap.case("the module unloads"):
    c.close()
    sh("rmmod cnilink")
tap.end()
