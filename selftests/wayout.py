# SPDX-License-Identifier: GPL-2.0
"""Neighbours of next hops are the kernel's: none is made or kept for a route
that nobody uses. And what is said of a device without carrier. Run by
wayout.sh."""
import json
import os
import time

import kit
from kit import check, ip, ns, sh

tap = kit.Tap()
kit.quiet()
world = kit.World()
kit.setns("edge")
c = kit.load()
LAN = kit.ifindex("lan0")
LADDR = kit.mac("lan", "eth0").hex(":")
MANY = 2000


def neighbours(dev="lan0"):
    return {n["dst"]: n for n in json.loads(sh(f"ip -s -j neigh show dev {dev}"))}


def overflows():
    """Of both families: how often the kernel found no room."""
    total = 0
    for name in "arp_cache", "ndisc_cache":
        with open(f"/proc/1/net/stat/{name}", encoding="ascii") as f:
            head, *rows = f.read().splitlines()
        where = head.split().index("table_fulls")
        total += sum(int(r.split()[where], 16) for r in rows)
    return total


def gateways(v6, n):
    for i in range(n):
        text = f"fd09::7:{i:x}" if v6 else f"10.9.{64 + i // 250}.{i % 250}"
        yield ip(text)


def unused():
    routes = []
    for v6 in False, True:
        for i, via in enumerate(gateways(v6, MANY)):
            dst = f"2a00:{i:x}::/32" if v6 else f"45.{i // 256}.{i % 256}.0/24"
            routes.append((kit.prefix(dst), (LAN, via)))
    before, vias = overflows(), {via for _, (_, via) in routes}
    for i in range(0, len(routes), 1000):
        c.set_routes(routes[i:i + 1000])
    time.sleep(4)
    tap.equal([n for n in neighbours() if ip(n) in vias], [],
              "4,000 next hops: no neighbour is made")
    tap.equal(overflows() - before, 0, "and no table is full")
    c.set_routes([(k, None) for k, _ in routes], "ROUTE_DEL")
    with tap.case("a route by an unknown neighbour says so"):
        c.set_routes([routes[0]])
        kit.wait_for(lambda: c.lookup("45.0.0.1").get("REASON"))
        got = c.lookup("45.0.0.1")
        check(kit.REASON[got["REASON"]] == "NEIGHBOUR", got)
    c.set_routes([(routes[0][0], None)], "ROUTE_DEL")


USED = {4: ("203.0.113.0/24", "203.0.113.9", "10.9.0.77", "10.9.0.2"),
        16: ("2001:db8:77::/48", "2001:db8:77::9", "fd09::77", "fd09::2")}


def grown_of(dst):
    before = c.stats("LINK", "eth0.1234")
    world.n += 1
    mine = world.n
    tx.tagged(kit.udp(ip("172.64.9.9" if len(dst) == 4 else "2400:cb00::9"),
                      dst, mine))
    world.fence()
    arrived = [n for way, n in world.seen() if way == "lan"]
    return kit.growth(before, c.stats("LINK", "eth0.1234")), \
        arrived.count(mine)


def used():
    for size, (dst, target, via, _) in USED.items():
        v = "-6 " if size == 16 else ""
        with ns("lan"):
            sh(f"ip addr add {via}/{64 if v else 24} dev eth0" +
               " nodad" * bool(v))
        sh(f"ip {v}route add {dst} via {via}")
        c.set_routes([(kit.prefix(dst), (LAN, ip(via)))])
        time.sleep(2)
        name = "IPv6" if v else "IPv4"
        tap.ok(via not in neighbours(), f"{name}: not asked for before its use",
               neighbours())
        with tap.case(f"{name}: the first packet has the kernel ask for it"):
            grown, _ = grown_of(ip(target))
            check(grown.get("NEIGHBOUR") == 1, grown)
            check(kit.wait_for(lambda v=via: neighbours().get(v, {}).get(
                "state") == ["REACHABLE"]), neighbours())
        with tap.case(f"{name}: the next goes fast, at once"):
            grown, arrived = grown_of(ip(target))
            check(grown.get("RX_PACKETS") == 1 and arrived == 1, grown)
        time.sleep(1.5)
        with tap.case(f"{name}: and later"):
            grown, arrived = grown_of(ip(target))
            check(grown.get("RX_PACKETS") == 1 and arrived == 1, grown)
        sh(f"ip neigh replace {via} lladdr {LADDR} nud stale dev lan0")
        time.sleep(2.5)
        one = neighbours()[via]
        tap.ok(one["state"] == ["STALE"], f"{name}: what nobody uses isn't "
               "probed", one)
        tap.equal(one.get("refcnt", 0), 0, f"{name}: nor kept")
        with tap.case(f"{name}: a stale one is used, and probed as the kernel "
                      "does"):
            grown, arrived = grown_of(ip(target))
            check(grown.get("RX_PACKETS") == 1 and arrived == 1, grown)
            state = neighbours()[via]["state"]
            check(state in (["DELAY"], ["PROBE"], ["REACHABLE"]), state)
        with tap.case(f"{name}: the table is flushed, the first packet has the "
                      "kernel ask again"):
            sh("ip neigh flush dev lan0", fail=False)
            sh(f"ip neigh del {via} dev lan0", fail=False)
            check(kit.wait_for(lambda t=target: grown_of(ip(t))[0].get(
                "RX_PACKETS") == 1))


def warm():
    """What the link and its tunnels need is there before the first packet."""
    for peer in "192.0.2.10", "2001:db8:12:3::a":
        sh(f"ip neigh del {peer} dev eth0.1234", fail=False)
        tap.ok(kit.wait_for(lambda p=peer: neighbours("eth0.1234").get(
            p, {}).get("state") == ["REACHABLE"], 10),
            f"{peer}: asked for before it's needed", neighbours("eth0.1234"))


def blockers():
    return {"link": c.get("LINK", "eth0.1234")["BLOCKERS"],
            "port": c.get("PORT", "lan0")["BLOCKERS"],
            "vlan port": c.get("PORT", "lan0.7")["BLOCKERS"],
            "tunnel": c.get("TUNNEL", "gre1")["BLOCKERS"]}


def carrier():
    sh("ip link add link lan0 name lan0.7 type vlan id 7 && "
       "ip link set lan0.7 addrgenmode none up")
    c.do("PORT_SET", "PORT_IFINDEX:dev=lan0.7")
    for space, objects in ("cf", ("link", "tunnel")), \
            ("lan", ("port", "vlan port")):
        with ns(space):
            sh("ip link set eth0 down")
        kit.wait_for(lambda o=objects: all(blockers()[k] for k in o))
        # The kernel takes the queues away a moment later.
        time.sleep(1.5)
        got = blockers()
        for kind in objects:
            # The kernel has forgotten who was at the other end.
            tap.equal(got[kind] - {"NEIGHBOUR"}, {"DEVICE_DOWN"},
                      f"no carrier: what is said of the {kind}")
        out = sh(f"{os.environ['CNICTL']} show", fail=False)
        tap.ok("qdisc" not in out and "smaller" not in out,
               "cnictl show blames no qdisc and no MTU", out)
        with ns(space):
            sh("ip link set eth0 up")
        tap.ok(kit.wait_for(lambda o=objects: not any(
            "DEVICE_DOWN" in blockers()[k] for k in o)), "and it's back",
            blockers())
    with tap.case("a qdisc is named beside it"):
        sh("tc qdisc add dev eth0.1234 root pfifo")
        check("QDISC" in blockers()["link"], blockers())
    sh("tc qdisc del dev eth0.1234 root")


tx = kit.Tx("cf", "eth0", kit.mac("edge", "eth0"))
tap.run((unused, used, warm, carrier))
c.close()
tap.ok(not sh("rmmod cnilink 2>&1", fail=False), "the module unloads")
tap.end()
