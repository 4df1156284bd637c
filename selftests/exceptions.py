# SPDX-License-Identifier: GPL-2.0
"""What the kernel does otherwise for single destinations, and routes that
expire: none of it against the kernel. Run by exceptions.sh."""
import struct
import time

import kit
from kit import check, ip, prefix, sh, sysctl

tap = kit.Tap()
kit.static_neighbours()
kit.quiet()
world = kit.World()
kit.setns("edge")
c = kit.load()
DEV = {n: kit.ifindex(n) for n in ("eth0.1234", "gre1", "lan0")}
ROUTES = {"104.16.0.0/13": ("gre1", None), "2606:4700::/32": ("gre1", None),
          "172.64.0.0/13": ("eth0.1234", "192.0.2.10"),
          "2400:cb00::/32": ("eth0.1234", "2001:db8:12:3::a"),
          "10.9.0.0/24": ("lan0", None), "fd09::/64": ("lan0", None)}
FAR = [ip(t) for t in ("104.16.9.9", "172.64.9.9", "2606:4700::9:9",
                       "2400:cb00::9:9")]
NEXT = [ip(t) for t in ("104.16.9.10", "172.64.9.10", "2606:4700::9:a",
                        "2400:cb00::9:a")]
WAYS = ["tunnel", "plain", "tunnel", "plain"]
# Looked for once a second; a debug kernel's seconds hold less.
SLOW = 6 if kit.DEBUG else 1
LIMIT = 2.5 * SLOW
back = kit.Tx("cf", "eth0", kit.mac("edge", "eth0"))
sh("sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0")
for dst, (dev, gw) in ROUTES.items():
    c.set_routes([(prefix(dst), (DEV[dev], ip(gw) if gw else None))], nhid=0)


def too_big(dst, mtu):
    """A router tells the edge so, of an echo reply: the kernel takes its word."""
    if len(dst) == 4:
        me = ip("192.0.2.11")
        inside = kit.ipv4(me, dst, 1, struct.pack("!BBHHH", 0, 0, 0, 1, 1))
        body = struct.pack("!BBHHH", 3, 4, 0, 0, mtu) + inside
        body = body[:2] + struct.pack("!H", kit.csum(body)) + body[4:]
        return kit.ipv4(ip("192.0.2.10"), me, 1, body)
    me, far = ip("2001:db8:12:3::b"), ip("2001:db8:12:3::a")
    echo = struct.pack("!BBHHH", 128, 0, 0, 1, 1) + bytes(8)
    inside = struct.pack("!IHBB", 6 << 28, len(echo), 58, 64) + me + dst + echo
    body = struct.pack("!BBHI", 2, 0, 0, mtu) + inside
    total = kit.csum(far + me + struct.pack("!II", len(body), 58) + body)
    body = body[:2] + struct.pack("!H", total) + body[4:]
    return struct.pack("!IHBB", 6 << 28, len(body), 58, 64) + far + me + body


def sent(dsts, size):
    """Ways of packets without DF bit off, and the reasons that grew."""
    before = c.stats("PORT", "lan0")
    ways = world.sent(dsts, size=size)
    return ways, kit.growth(before, c.stats("PORT", "lan0"))


def fast(dsts):
    ways, grown = sent(dsts, 500)
    return None not in ways and grown.get("RX_PACKETS") == len(dsts)


def learnt(i, mtu, size):
    """Both paths refuse what is larger than what the kernel learnt."""
    dst, other = FAR[i], NEXT[i]
    back.tagged(too_big(dst, mtu))
    world.fence()
    # Within a second, whatever went there before.
    check(kit.wait_for(lambda: not fast([dst]), LIMIT), "still fast")
    ways, grown = sent([dst], size)
    check(ways == [None] and grown.get("PUNT_ROUTE") == 1, ways, grown)
    ways, grown = sent([dst, other], 450)
    check(ways == [WAYS[i]] * 2 and grown.get("PUNT_ROUTE") == 1 and
          grown.get("RX_PACKETS") == 1, ways, grown)
    got = c.lookup(text(dst))
    check(kit.REASON[got["REASON"]] == "PUNT_ROUTE", got)


def text(addr):
    return kit.show((addr, 0))[:-2]


def flush():
    sh("ip route flush cache; ip -6 route flush cache")


def known():
    for i in (1, 0):
        with tap.case(f"IPv4, {WAYS[i]}: an MTU below the least is locked"):
            learnt(i, 300, 700)
    flush()
    with tap.case("IPv4: forgotten, and fast again"):
        check(kit.wait_for(lambda: fast(FAR[:2]), 5))
    for i in (3, 2):
        with tap.case(f"IPv6, {WAYS[i]}: a path MTU of 1280"):
            learnt(i, 1280, 1320)
    flush()
    with tap.case("IPv6: forgotten, and fast again"):
        check(kit.wait_for(lambda: fast(FAR[2:]), 5))
    with tap.case("IPv4: an MTU that isn't locked is for its own packets"):
        back.tagged(too_big(FAR[1], 1000))
        world.fence()
        time.sleep(LIMIT)
        ways, grown = sent([FAR[1]], 1200)
        check(ways == ["plain"] and grown.get("RX_PACKETS") == 1, grown)
    with tap.case("ip_forward_use_pmtu: for all"):
        sysctl("net/ipv4/ip_forward_use_pmtu", 1)
        check(kit.wait_for(lambda: not fast([FAR[1]]), LIMIT))
        ways, grown = sent([FAR[1]], 1200)
        check(ways == [None] and grown.get("PUNT_ROUTE") == 1, ways, grown)
        check(fast([NEXT[1], FAR[0]]))
    sysctl("net/ipv4/ip_forward_use_pmtu", 0)
    with tap.case("and no longer"):
        check(kit.wait_for(lambda: fast([FAR[1]]), LIMIT))
    flush()


def redirected():
    """An accepted redirect leads to another gateway."""
    sh("ip neigh replace 10.9.0.66 dev lan0 lladdr 02:00:00:00:00:66 "
       "nud permanent; ip route add 198.18.0.0/16 via 10.9.0.2 dev lan0")
    for dev in ("all", "lan0"):
        sysctl(f"net/ipv4/conf/{dev}/accept_redirects", 1)
        sysctl(f"net/ipv4/conf/{dev}/secure_redirects", 0)
        sysctl(f"net/ipv4/conf/{dev}/forwarding", 0)
    dst, me = ip("198.18.9.9"), ip("10.9.0.1")
    c.set_routes([(prefix("198.18.0.0/16"), (DEV["lan0"], ip("10.9.0.2")))],
                 nhid=0)
    inside = kit.ipv4(me, dst, 1, struct.pack("!BBHHH", 0, 0, 0, 1, 1))
    body = struct.pack("!BBH", 5, 1, 0) + ip("10.9.0.66") + inside
    body = body[:2] + struct.pack("!H", kit.csum(body)) + body[4:]
    with tap.case("IPv4: a redirect is followed"):
        sh("ip route get 198.18.9.9")
        world.tx.ip(kit.ipv4(ip("10.9.0.2"), me, 1, body))
        world.fence()
        check("10.9.0.66" in sh("ip route get 198.18.9.9"),
              sh("ip route get 198.18.9.9"))
        check(kit.wait_for(lambda: kit.REASON[c.lookup("198.18.9.9")[
            "REASON"]] == "PUNT_ROUTE", LIMIT), c.lookup("198.18.9.9"))
        got = c.lookup("198.18.9.10")
        # No exception: but a host that takes redirects isn't a router.
        check(kit.REASON[got["REASON"]] == "FORWARDING_OFF", got)
    for dev in ("all", "lan0"):
        sysctl(f"net/ipv4/conf/{dev}/forwarding", 1)
        sysctl(f"net/ipv4/conf/{dev}/accept_redirects", 0)
    sh("ip route del 198.18.0.0/16")
    flush()


def ending():
    key, way = prefix("2606:4700:9::/48"), (DEV["gre1"], None)
    plain = (DEV["eth0.1234"], ip("2001:db8:12:3::a"))
    dst = ip("2606:4700:9::1")
    with tap.case("a route that expires is the kernel's, whatever it's said"):
        sh("ip -6 route add 2606:4700:9::/48 via 2001:db8:12:3::a metric 200")
        sh("ip -6 route add 2606:4700:9::/48 dev gre1 metric 100 "
           f"expires {4 * SLOW}")
        c.set_routes([(key, way)], nhid=0)
        check(kit.wait_for(lambda: c.routes()[key] is None, LIMIT),
              c.routes()[key])
        check(world.sent([dst]) == ["tunnel"])
    with tap.case("so what comes after it is taken at once"):
        check(kit.wait_for(lambda: world.sent([dst]) == ["plain"], 10 * SLOW))
        check(c.routes()[key] is None, c.routes()[key])
    with tap.case("and fast, once it has none"):
        sh("ip -6 route del 2606:4700:9::/48 metric 100", fail=False)
        c.set_routes([(key, plain)], nhid=0)
        time.sleep(LIMIT)
        check(fast([dst]) and c.routes()[key] == plain, c.routes()[key])
    with tap.case("a lifetime that a route gets later"):
        sh("ip -6 route replace 2606:4700:9::/48 via 2001:db8:12:3::a "
           "metric 200 expires 100")
        c.set_routes([(key, plain)], nhid=0)
        check(kit.wait_for(lambda: c.routes()[key] is None, LIMIT))
    with tap.case("and loses"):
        sh("ip -6 route replace 2606:4700:9::/48 via 2001:db8:12:3::a "
           "metric 200")
        c.set_routes([(key, plain)], nhid=0)
        time.sleep(LIMIT)
        check(fast([dst]), c.routes()[key])
    lan = prefix("fd09::/64")
    with tap.case("an address gets a lifetime, and so its prefix"):
        check(c.routes()[lan] == (DEV["lan0"], None))
        sh("ip addr change fd09::1/64 dev lan0 valid_lft 200 "
           "preferred_lft 100")
        check(kit.wait_for(lambda: c.routes()[lan] is None, LIMIT))
    sh("ip addr change fd09::1/64 dev lan0 valid_lft forever "
       "preferred_lft forever")
    sh("ip -6 route del 2606:4700:9::/48", fail=False)


def walks():
    with open("/sys/kernel/tracing/kprobe_profile", encoding="ascii") as f:
        return int(f.read().split()[1])


def rest():
    """Without any of it, IPv6's routes aren't walked each second."""
    flush()
    sh("[ -e /sys/kernel/tracing/kprobe_events ] || "
       "mount -t tracefs tracefs /sys/kernel/tracing")
    sh("echo p:walk fib6_tables_dump >/sys/kernel/tracing/kprobe_events && "
       "echo 1 >/sys/kernel/tracing/events/kprobes/walk/enable")
    with tap.case("one that may expire: looked for every second"):
        sh("ip -6 route add 2001:db8:99::/48 dev gre1 expires 100")
        check(kit.wait_for(lambda: walks() > 2, 10), walks())
    with tap.case("none any more: not looked for"):
        sh("ip -6 route del 2001:db8:99::/48")

        def rests():
            before = walks()
            time.sleep(3)
            return walks() == before
        check(kit.wait_for(rests, 30), walks())
    sh("echo 0 >/sys/kernel/tracing/events/kprobes/walk/enable && "
       "echo >/sys/kernel/tracing/kprobe_events")


def gone():
    """Next hops that are looked at keep no device from going."""
    with tap.case("a device goes at once"):
        sh("ip link add d9 type dummy && ip link set d9 up && "
           "ip addr add 198.19.0.1/24 dev d9 && "
           "ip route add 198.19.9.0/24 via 198.19.0.2")
        sh("ip link del d9")
        # After ten seconds the kernel says that it waits.
        check("waiting for" not in sh("dmesg | tail -20"))


tap.run((known, redirected, ending, rest, gone))
kit.unload(c)
tap.ok(True, "the module unloads")
tap.end()
