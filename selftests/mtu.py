# SPDX-License-Identifier: GPL-2.0
"""Packets of sizes around a tunnel's MTU and what the link carries inside it,
by the fast path and by the kernel's. Run by mtu.sh."""
import itertools
import json
import os

import kit
from kit import check, ip, sh

CNICTL = os.environ["CNICTL"]
tap = kit.Tap()
for space, dev in (("lan", "eth0"), ("edge", "lan0"), ("cf", "eth0"),
                   ("cf", "eth0.1234"), ("edge", "eth0")):
    with kit.ns(space):
        sh(f"ip link set {dev} mtu 9500")
kit.static_neighbours()
kit.quiet()
world = kit.World()
kit.setns("edge")
for name in ("ipv4.icmp_ratelimit", "ipv6.icmp.ratelimit"):
    kit.sysctl("net." + name, 0)
c = kit.Client()


def packets(sizes):
    """IPv4 with and without DF, and IPv6; each to an address of its own."""
    n = 0
    for size, kind in itertools.product(sizes, (0x4000, 0, 6)):
        n += 1
        if kind == 6:
            yield kit.udp(ip("fd09::2"), ip(f"2606:4700::9:{n}"), n,
                          size - 48)
        else:
            one = kit.udp(ip("10.9.0.2"), ip(f"104.16.9.{n}"), n, size - 28)
            yield kit.ipv4(one[12:16], one[16:20], 17, one[20:], kind)


def routes(fast):
    gre, lan = kit.ifindex("gre1"), kit.ifindex("lan0")
    c.set_routes([(kit.prefix(p), (dev, None) if fast else None)
                  for p, dev in (("104.16.0.0/13", gre),
                                 ("2606:4700::/32", gre),
                                 ("10.9.0.0/24", lan), ("fd09::/64", lan))])


def no_id(packet):
    """Each of the kernel's own IPv4 headers has another ID."""
    if packet[0] >> 4 != 4:
        return packet
    return packet[:4] + packet[6:10] + packet[12:]


def sent(sizes, fast):
    # What the kernel learned of these destinations is of the run before. Of
    # IPv6 it forgets that with the route only.
    sh("ip route flush cache; ip -6 route del 2606:4700::/32; "
       "ip -6 route add 2606:4700::/32 dev gre1")
    routes(fast)
    before = c.stats("PORT", "lan0")["RX_PACKETS"]
    for one in packets(sizes):
        world.tx.ip(one)
        world.fence()
    out = [(tag, proto, no_id(data))
           for rx in (world.cf, world.lan) for tag, proto, data in rx.frames()]
    return out, c.stats("PORT", "lan0")["RX_PACKETS"] - before


def state(link, mtu, how="pmtudisc"):
    """As the user may leave them, whatever the order."""
    sh(f"ip link set eth0.1234 mtu {link}; ip link set gre1 type gre "
       f"local 192.0.2.11 remote 192.0.2.10 ttl 64 {how}; "
       f"ip link set gre1 mtu {mtu}")


def shown():
    return (sh(f"{CNICTL} show tunnel"),
            json.loads(sh(f"{CNICTL} -j show tunnel"))[0])


def same(name, fits, sizes):
    """All that fits goes fast, and all is as the kernel does it."""
    with tap.case(f"{name}: as the kernel sends, refuses or cuts them"):
        want, none = sent(sizes, False)
        got, fast = sent(sizes, True)
        check(none == 0 and fast == 3 * sum(s <= fits for s in sizes), fast)
        check(len(want) >= fast, len(want))
        for i, (g, w) in enumerate(zip(got, want)):
            check(g == w, i, *([(*one[:2], one[2][:1], len(one[2]))
                                for one in many[i:]] for many in (got, want)))
        check(len(got) == len(want), len(got), len(want))


c.do("LINK_SET", "LINK_IFINDEX:dev=eth0.1234",
     "LINK_LOCAL4:ip=192.0.2.11", "LINK_PEER4:ip=192.0.2.10",
     "LINK_LOCAL6:ip=2001:db8:12:3::b", "LINK_PEER6:ip=2001:db8:12:3::a")
c.do("PORT_SET", "PORT_IFINDEX:dev=lan0")
c.do("TUNNEL_SET", "TUNNEL_IFINDEX:dev=gre1")
LARGE = [1299, 1475, 1476, 1477, 1500, 1501, 1524, 8975, 8976, 8977, 8999,
         9000, 9001]

with tap.case("an MTU that fits is nothing to warn of"):
    state(1500, 1476)
    text, data = shown()
    check(data["warnings"] == [] and data["outer-mtu"] == 1500 and
          data["overhead"] == 24, data)
    check("! MTU" not in text, text)
same("MTU 1476 on 1500", 1476, LARGE)
with tap.case("one that the kernel left too small is said so"):
    state(1400, 1376)
    check(shown()[1]["warnings"] == [], shown())
    state(1500, 1376)
    text, data = shown()
    check(data["warnings"] == ["mtu-too-small"] and not data["blockers"], data)
    check("! MTU 1376 is smaller than the 1476 that fit" in text, text)
same("MTU 1376 on 1500", 1376, [1375, 1376, 1377, 1400, 1475, 1476, 1477])
with tap.case("one that was set too large is said so"):
    state(1500, 9000)
    text, data = shown()
    check(data["warnings"] == ["mtu-too-large"] and not data["blockers"], data)
    check("! MTU 9000 doesn't fit: the link carries 1476 inside this tunnel"
          in text, text)
same("MTU 9000 on 1500", 1476, LARGE)
with tap.case("a larger link doesn't ask for larger tunnels"):
    state(9000, 1476)
    check(shown()[1]["warnings"] == [], shown())
    state(9000, 1400)
    check("smaller than the 1476 that fit" in shown()[0], shown())
state(9000, 1476)
same("MTU 1476 on 9000", 1476, LARGE)
state(9000, 9000)
same("MTU 9000 on 9000", 8976, LARGE)
state(1500, 9000, "nopmtudisc")
same("MTU 9000 on 1500, nopmtudisc", 1476, LARGE)
with tap.case("the outer route's own MTU counts"):
    state(1500, 1476)
    sh("ip route add 192.0.2.10 dev eth0.1234 mtu 1450")
    check("MTU 1476 doesn't fit: the link carries 1426" in shown()[0], shown())
same("a route of MTU 1450", 1426, [1425, 1426, 1427, 1450, 1476, 1477])
sh("ip route del 192.0.2.10")
with tap.case("with a key it's four bytes less"):
    sh("ip link set gre1 type gre local 192.0.2.11 remote 192.0.2.10 ttl 64 "
       "key 5; ip link set gre1 mtu 1476")
    check(kit.wait_for(lambda: shown()[1].get("overhead") == 28), shown())
    check("the link carries 1472 inside" in shown()[0], shown())
with tap.case("a tunnel that rides no link has none"):
    c.do("LINK_DEL", "LINK_IFINDEX:dev=eth0.1234")
    data = shown()[1]
    check("outer-mtu" not in data and data["warnings"] == [], data)
tap.end()
