# SPDX-License-Identifier: GPL-2.0
"""Random changes of the kernel's routes: every packet goes where ip route get
says, whether somebody confirms routes to the module or not. Run by churn.sh."""
import os
import random
import signal
import time

import genl
import kit
from kit import check, ip, ns, prefix, show

DEEP = bool(os.environ.get("CNI_DEEP"))
tap = kit.Tap()
kit.static_neighbours()
world = kit.World()
world.extra["x0"] = kit.Rx("cf", "x0")
kit.setns("edge")
c = kit.Client()
rtnl = kit.Rtnl()
DEV = {n: kit.ifindex(n) for n in ("eth0.1234", "gre1", "lan0", "x0", "lo")}
WAY = {DEV["eth0.1234"]: "plain", DEV["gre1"]: "tunnel", DEV["lan0"]: "lan",
       DEV["x0"]: "x0"}
HOPS = {4: [(DEV["gre1"], None), (DEV["eth0.1234"], ip("192.0.2.10")),
            (DEV["lan0"], ip("10.9.0.2")), (DEV["x0"], ip("10.77.0.2"))],
        16: [(DEV["gre1"], None), (DEV["eth0.1234"], ip("2001:db8:12:3::a")),
             (DEV["lan0"], ip("fd09::2")), (DEV["x0"], ip("fd77::2"))]}
BASE = {prefix("104.16.0.0/13"): HOPS[4][0],
        prefix("172.64.0.0/13"): HOPS[4][1],
        prefix("2606:4700::/32"): HOPS[16][0],
        prefix("2400:cb00::/32"): HOPS[16][1]}
LAN = {prefix("10.9.0.0/24"): (DEV["lan0"], None),
       prefix("fd09::/64"): (DEV["lan0"], None)}


def offload():
    c.do("LINK_SET", "LINK_IFINDEX:dev=eth0.1234",
         "LINK_LOCAL4:ip=192.0.2.11", "LINK_PEER4:ip=192.0.2.10",
         "LINK_LOCAL6:ip=2001:db8:12:3::b", "LINK_PEER6:ip=2001:db8:12:3::a")
    c.do("PORT_SET", "PORT_IFINDEX:dev=lan0")
    c.do("TUNNEL_SET", "TUNNEL_IFINDEX:dev=gre1")
    c.set_routes(list(BASE.items()) + list(LAN.items()))


def expected(dst):
    kind, oif = rtnl.get(dst, world.src[len(dst)], DEV["lan0"])
    return WAY.get(oif) if kind == rtnl.UNICAST else None


def compare(dsts, what):
    want = [expected(d) for d in dsts]
    got = world.sent(dsts)
    for d, g, w in zip(dsts, got, want):
        check(g == w, f"{what}: {show((d, 8 * len(d)))} went {g}, the kernel "
              f"says {w}; the module: {c.lookup(str_of(d))}")
    return len(dsts)


def str_of(addr):
    return show((addr, 0))[:-2]


def around(rnd, key):
    """Addresses in a prefix, at its borders, and just outside."""
    addr, length = key
    size = 8 * len(addr)
    first = int.from_bytes(addr, "big")
    span = 1 << (size - length)
    for n in (first, first + span - 1, first - 1, first + span,
              first + rnd.randrange(span), first + rnd.randrange(span)):
        if 0 < n < 1 << size:
            one = n.to_bytes(len(addr), "big")
            if usable(one):
                yield one


def usable(dst):
    """Neither special, nor where packets of the test itself belong, nor on a
    subnet whose hosts would have to be asked for."""
    if len(dst) == 4:
        return 0 < dst[0] < 224 and dst[0] not in (10, 127) and \
            dst[:3] not in (ip("192.0.2.0")[:3],) and \
            dst[:2] != bytes((169, 254))
    return dst[0] not in (0, 0xfd, 0xfe, 0xff) and \
        dst[:4] != ip("2001:db8::")[:4]


def random_prefix(rnd, known):
    """Near the offloaded ones, covering them, or one that is there."""
    pick = rnd.random()
    if known and pick < .35:
        return rnd.choice(sorted(known))
    base = rnd.choice(list(BASE))
    size = 8 * len(base[0])
    if pick < .45:
        length = rnd.randrange(0 if pick < .38 else 3, base[1])
        return kit.mask(base[0], length), length
    length = min(size, base[1] + int(abs(rnd.gauss(0, size / 5))))
    start = int.from_bytes(base[0], "big")
    # Few different places, so that changes hit each other.
    near = start + (rnd.randrange(16) << (size - base[1] - 4))
    if rnd.random() < .4:
        near += rnd.randrange(1 << (size - base[1] - 4))
    return kit.mask(near.to_bytes(len(base[0]), "big"), length), length


def inside(key, other):
    return len(key[0]) == len(other[0]) and key[1] >= other[1] and \
        kit.mask(key[0], other[1]) == other[0]


class Churn:
    """Makes changes and remembers the kernel's routes as a helper would."""

    def __init__(self, seed):
        self.rnd = random.Random(seed)
        self.routes = dict(BASE)
        self.addresses = set()
        self.dirty = set()

    def step(self):
        rnd = self.rnd
        if rnd.random() < .15:
            return self.address()
        key = random_prefix(rnd, self.routes)
        if key in self.routes and rnd.random() < .5:
            err = rtnl.route(rtnl.DELROUTE, key)
            check(not err, "delete", show(key), err)
            del self.routes[key]
            self.dirty.add(key)
            return key, f"deleted {show(key)}"
        hop = rnd.choice(HOPS[len(key[0])] + [None])
        kind = rtnl.UNICAST if hop else rnd.choice((rtnl.BLACKHOLE,
                                                    rtnl.UNREACHABLE))
        err = rtnl.route(rtnl.NEWROUTE, key, *(hop or (0, None)), kind=kind,
                         flags=rtnl.CREATE | rtnl.REPLACE)
        check(not err, "replace", show(key), hop, err)
        self.routes[key] = hop
        self.dirty.add(key)
        return key, f"{show(key)} by {WAY.get(hop and hop[0])}"

    def address(self):
        rnd = self.rnd
        if self.addresses and rnd.random() < .5:
            key = rnd.choice(sorted(self.addresses))
            self.addresses.discard(key)
            check(not rtnl.address(rtnl.DELADDR, *key))
            return (key[0], 8 * len(key[0])), f"no address {show(key[:2])}"
        base = rnd.choice(list(BASE))
        size = 8 * len(base[0])
        n = int.from_bytes(base[0], "big") + rnd.randrange(
            1 << (size - base[1]))
        key = n.to_bytes(len(base[0]), "big"), size, DEV["lo"]
        if key not in self.addresses:
            check(not rtnl.address(rtnl.NEWADDR, *key))
            self.addresses.add(key)
        return (key[0], size), f"address {show(key[:2])}"

    def confirm(self, keys):
        """What user space does: it read the generation, then the routes. With
        a prefix goes all that changed inside."""
        generation = c.status()["GENERATION"]
        keys = set(keys) | {k for k in self.dirty
                            if any(inside(k, o) for o in keys)}
        keep = [(k, offloaded(self.routes[k])) for k in keys
                if k in self.routes]
        gone = [(k, None) for k in keys if k not in self.routes]
        if keep:
            c.set_routes(keep, generation=generation)
        if gone:
            c.set_routes(gone, "ROUTE_DEL", generation=generation)
        self.dirty -= set(keys)

    def restore(self):
        for key in self.addresses:
            rtnl.address(rtnl.DELADDR, *key)
        for key in set(self.routes) - set(BASE):
            check(not rtnl.route(rtnl.DELROUTE, key), show(key))
        for key, hop in BASE.items():
            rtnl.route(rtnl.NEWROUTE, key, *hop,
                       flags=rtnl.CREATE | rtnl.REPLACE)
        keys = set(c.routes()) - set(LAN)
        self.routes = dict(BASE)
        self.confirm(keys | set(BASE))


def offloaded(hop):
    return hop if hop and hop[0] != DEV["x0"] else None


def churn(name, seed, steps, helper):
    """helper: how often a part of what changed is confirmed."""
    one = Churn(seed)
    one.restore()
    before, sent = c.stats("PORT", "lan0"), 0
    print(f"# {name}: seed {seed}")
    with tap.case(f"{name}: every packet goes where the kernel says"):
        for i in range(steps):
            key, what = one.step()
            dsts = list(around(one.rnd, key))
            if one.routes:
                other = one.rnd.choice(sorted(one.routes))
                dsts += list(around(one.rnd, other))[:2]
            sent += compare(dsts, f"step {i}, {what}")
            if one.rnd.random() < helper and one.dirty:
                some = sorted(one.dirty)
                one.rnd.shuffle(some)
                one.confirm(some[:one.rnd.randrange(len(some)) + 1])
                sent += compare(dsts, f"step {i}, {what}, confirmed")
    after = kit.growth(before, c.stats("PORT", "lan0"))
    print(f"# {sent} packets, {after}")
    tap.ok(after.get("RX_PACKETS", 0) > sent / (10 if helper else 50) and
           after.get("PUNT", 0) > sent / 10,
           f"{name}: fast and slow both had work", after)
    one.restore()


def at_once():
    """A change, and a packet right behind it."""
    rnd = random.Random(7)
    for key, hop in BASE.items():
        size = len(key[0])
        start = int.from_bytes(key[0], "big")
        other = [h for h in HOPS[size] if h != hop]
        with tap.case(f"{show(key)}: a packet after a change follows it"):
            for _ in range(25):
                length = rnd.choice((key[1], rnd.randrange(key[1] + 1,
                                                           8 * size)))
                dst = (start + rnd.randrange(1 << (8 * size - key[1]))
                       ).to_bytes(size, "big")
                part = kit.mask(dst, length), length
                check(world.sent([dst]) == [WAY[hop[0]]])
                new = rnd.choice(other)
                fast = c.stats("PORT", "lan0")["RX_PACKETS"]
                check(not rtnl.route(rtnl.NEWROUTE, part, *new,
                                     flags=rtnl.CREATE | rtnl.REPLACE))
                ways = world.sent([dst, dst])
                check(ways == [WAY[new[0]]] * 2, show(part), "replaced:", ways)
                check(not rtnl.route(rtnl.DELROUTE, part))
                want = [WAY[hop[0]] if part != key else None]
                ways = world.sent([dst])
                check(ways == want, show(part), "deleted:", ways)
                check(c.stats("PORT", "lan0")["RX_PACKETS"] == fast)
                if part == key:
                    check(not rtnl.route(rtnl.NEWROUTE, key, *hop,
                                         flags=rtnl.CREATE))
                # Unconfirmed: the kernel's way, though it is the same again.
                check(world.sent([dst]) == [WAY[hop[0]]])
                c.set_routes([(part, None)], "ROUTE_DEL")
                c.set_routes([(key, hop)])
                check(world.sent([dst]) == [WAY[hop[0]]])
                check(c.stats("PORT", "lan0")["RX_PACKETS"] == fast + 1,
                      "fast again", fast, c.stats("PORT", "lan0"))


def addresses():
    dst, dst6 = ip("104.17.3.4"), ip("2606:4700:7::9")
    for addr, bits in ((dst, 32), (dst6, 128)):
        with tap.case(f"{show((addr, bits))}: this host's own, at once"):
            for _ in range(20):
                check(world.sent([addr]) == ["tunnel"])
                check(not rtnl.address(rtnl.NEWADDR, addr, bits, DEV["lo"]))
                check(world.sent([addr]) == [None])
                check(not rtnl.address(rtnl.DELADDR, addr, bits, DEV["lo"]))
                check(world.sent([addr]) == ["tunnel"])


def nexthop_objects():
    """A route's next hop can be replaced without the route being touched."""
    for text, base, old, new, way in (
            ("104.20.0.0/16", "104.20.1.1", "dev gre1", "via 10.77.0.2 dev x0",
             "x0"),
            ("2606:4700:20::/48", "2606:4700:20::1", "dev gre1",
             "via fd77::2 dev x0", "x0")):
        key, dst = prefix(text), ip(base)
        v = "-6 " if ":" in base else ""
        with tap.case(f"{text}: its next hop object is replaced"):
            kit.sh(f"ip {v}nexthop add id 9 {old}")
            kit.sh(f"ip {v}route add {text} nhid 9")
            c.set_routes([(key, HOPS[len(key[0])][0])],
                         generation=c.status()["GENERATION"])
            fast = c.stats("PORT", "lan0")["RX_PACKETS"]
            check(world.sent([dst]) == ["tunnel"])
            check(c.stats("PORT", "lan0")["RX_PACKETS"] == fast + 1)
            kit.sh(f"ip {v}nexthop replace id 9 {new}")
            ways = world.sent([dst])
            check(ways == [way] == [expected(dst)], ways, expected(dst))
        kit.sh(f"ip {v}route del {text}; ip nexthop del id 9", fail=False)
        kit.wait_for(lambda: c.status().get("ROUTES4") is not None)
        c.set_routes([(key, None)], "ROUTE_DEL")
        again()


def again():
    """The module may have forgotten all, or still be about to."""
    def set_all():
        try:
            c.replace(list(BASE.items()) + list(LAN.items()), 254)
            fast = c.stats("PORT", "lan0")["RX_PACKETS"]
            world.sent([ip("104.16.0.77")])
            return c.stats("PORT", "lan0")["RX_PACKETS"] > fast
        except genl.Error:
            return False
    check(kit.wait_for(set_all), "the fast path isn't taken again")


def rules():
    dsts = [ip(t) for t in ("104.16.9.9", "172.64.9.9", "2606:4700::9:9",
                            "2400:cb00::9:9")]

    def fast(outer=True):
        before = c.stats("PORT", "lan0")
        want = [expected(d) for d in dsts]
        if not outer:
            # There's no way for the outer packet either.
            want = [w if w != "tunnel" else None for w in want]
        ways = world.sent(dsts)
        check(ways == want, ways, want)
        return kit.growth(before, c.stats("PORT", "lan0"))

    def all_fast():
        return fast().get("RX_PACKETS") == 4
    # What was changed a moment ago may still be pending.
    for family, add, undo in (
            ("-4", "rule add from 10.9.0.2 lookup 77",
             "rule del from 10.9.0.2 lookup 77"),
            ("-6", "rule add iif lan0 lookup 77", "rule del iif lan0 lookup 77"),
            ("-4", "rule add to 104.16.0.0/13 blackhole",
             "rule del to 104.16.0.0/13 blackhole"),
            ("-4", "rule del lookup main", "rule add lookup main pref 32766"),
            ("-6", "rule del lookup main", "rule add lookup main pref 32766"),
            ("-4", "rule add pref 5 unreachable",
             "rule del pref 5 unreachable")):
        with tap.case(f"ip {family} {add}: the kernel decides, by the rule"):
            check(kit.wait_for(all_fast), fast())
            kit.sh(f"ip {family} route add unreachable 104.16.0.0/13 table 77 "
                   if family == "-4" else
                   f"ip {family} route add unreachable 2606:4700::/32 table 77")
            kit.sh(f"ip {family} {add}")
            grown = fast(family == "-6" or "main" not in add and
                         "pref" not in add)
            # Those that the module follows leave the rest to the fast path.
            taken = len(dsts) - 2 if "from" in add else \
                2 if "main" in add else 0
            check(grown.get("RX_PACKETS", 0) <= taken, grown)
        kit.sh(f"ip {family} {undo}")
        kit.sh(f"ip {family} route flush table 77")
        with tap.case(f"ip {family} {undo}: fast again"):
            check(kit.wait_for(all_fast), fast())


def overrun():
    """More changes than are remembered: all is forgotten, nothing is wrong."""
    with tap.case("changes that come too fast for the helper"):
        one = prefix("104.19.0.0/24")
        for i in range(3000):
            rtnl.route(rtnl.NEWROUTE, one, *HOPS[4][1 + i % 2],
                       flags=rtnl.CREATE | rtnl.REPLACE)
            if not i % 100:
                compare([ip("104.19.0.5"), ip("104.19.1.5")], i)
        check(not rtnl.route(rtnl.DELROUTE, one))
        compare([ip("104.19.0.5"), ip("104.19.1.5")], "deleted")


def flood():
    """Traffic from another processor, while all of the above goes on."""
    pid = os.fork()
    if pid:
        return pid
    os.sched_setaffinity(0, {os.cpu_count() - 1})
    rnd = random.Random(99)
    packets = []
    for base, length in BASE:
        size = len(base)
        for _ in range(500):
            n = int.from_bytes(base, "big") + rnd.randrange(
                1 << (8 * size - length))
            packets.append(kit.udp(world.src[size], n.to_bytes(size, "big"), 0,
                                   size=16))
    end = time.monotonic() + 1200
    while time.monotonic() < end:
        try:
            world.tx.ip(rnd.choice(packets))
        except OSError:
            pass
        # The processors are shared with others, and the test's turn counts.
        time.sleep(.002)
    os._exit(0)


offload()
again()
at_once()
addresses()
rules()
nexthop_objects()
overrun()
pid = flood()
steps = 2500 if DEEP else 250
churn("a helper that confirms", 1, steps, .7)
churn("a helper that is slow", 2, steps, .1)
churn("a helper that is dead", 3, steps, 0)
os.kill(pid, signal.SIGKILL)
os.waitpid(pid, 0)
c.close()
with ns("edge"):
    tap.ok(not kit.sh("rmmod cnilink 2>&1", fail=False), "the module unloads")
tap.end()
