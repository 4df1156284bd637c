# SPDX-License-Identifier: GPL-2.0
"""Policy routing: every packet goes where ip route get says for its source,
whether somebody sends the tables or not. Run by rules.sh."""
import errno
import os
import random
import subprocess

import genl
import kit
from kit import check, ip, ns, prefix, sh, show

DEEP = bool(os.environ.get("CNI_DEEP"))
MAIN, T1, T2, T3, ABSENT = 254, 101, 102, 103, 104
tap = kit.Tap()
kit.static_neighbours()
kit.quiet()
world = kit.World()
world.extra["x0"] = kit.Rx("cf", "x0")
kit.setns("edge")
c = kit.Client()
rtnl = kit.Rtnl()
DEV = {n: kit.ifindex(n) for n in ("eth0.1234", "gre1", "lan0", "x0")}
WAY = {DEV["eth0.1234"]: "plain", DEV["gre1"]: "tunnel", DEV["lan0"]: "lan",
       DEV["x0"]: "x0"}
TUNNEL = {4: (DEV["gre1"], None), 16: (DEV["gre1"], None)}
PLAIN = {4: (DEV["eth0.1234"], ip("192.0.2.10")),
         16: (DEV["eth0.1234"], ip("2001:db8:12:3::a"))}
X0 = {4: (DEV["x0"], ip("10.77.0.2")), 16: (DEV["x0"], ip("fd77::2"))}
HOPS = {size: [TUNNEL[size], PLAIN[size], X0[size]] for size in (4, 16)}
BASE = {prefix("104.16.0.0/13"): TUNNEL[4], prefix("172.64.0.0/13"): PLAIN[4],
        prefix("2606:4700::/32"): TUNNEL[16],
        prefix("2400:cb00::/32"): PLAIN[16]}
LAN = {prefix("10.9.0.0/24"): (DEV["lan0"], None),
       prefix("fd09::/64"): (DEV["lan0"], None)}
SOURCES = {4: [ip(t) for t in ("203.0.113.5", "203.0.113.70", "203.0.113.200",
                               "203.0.200.1", "198.51.100.9", "10.9.0.2")],
           16: [ip(t) for t in ("2a00:db9::5", "2a00:db9::1:7",
                                "2a00:db9:1::9", "2a00:dba::1", "fd09::2")]}
FROM = {4: [prefix(t) for t in ("203.0.113.0/24", "203.0.113.0/26",
                                "203.0.113.5/32", "203.0.0.0/16",
                                "198.51.100.0/24", "0.0.0.0/0")],
        16: [prefix(t) for t in ("2a00:db9::/48", "2a00:db9::/64",
                                 "2a00:db9::5/128", "2a00:db8::/30",
                                 "2a00:dba::/32", "::/0")]}
DST = {4: ip("104.16.9.9"), 16: ip("2606:4700::9:9")}
SRC = {4: ip("203.0.113.5"), 16: ip("2a00:db9::5")}
FLAG = {4: "-4", 16: "-6"}


def offload():
    c.do("LINK_SET", "LINK_IFINDEX:dev=eth0.1234",
         "LINK_LOCAL4:ip=192.0.2.11", "LINK_PEER4:ip=192.0.2.10",
         "LINK_LOCAL6:ip=2001:db8:12:3::b", "LINK_PEER6:ip=2001:db8:12:3::a")
    c.do("PORT_SET", "PORT_IFINDEX:dev=lan0")
    c.do("TUNNEL_SET", "TUNNEL_IFINDEX:dev=gre1")
    for key, hop in BASE.items():
        route(key, hop, MAIN)
    c.set_routes(list(BASE.items()) + list(LAN.items()))


def text(addr):
    return show((addr, 0))[:-2]


def expected(dst, src):
    kind, oif = rtnl.get(dst, src, DEV["lan0"])
    return WAY.get(oif) if kind == rtnl.UNICAST else None


def compare(dsts, src, what):
    """The way that each took is the kernel's; the reasons that grew."""
    before = c.stats("PORT", "lan0")
    want = [expected(d, src) for d in dsts]
    got = world.sent(dsts, {len(src): src})
    for d, g, w in zip(dsts, got, want):
        check(g == w, f"{what}: {text(d)} from {text(src)} went {g}, the "
              f"kernel says {w}; the module: {c.lookup(text(d), text(src))}")
    return kit.growth(before, c.stats("PORT", "lan0"))


def takes(dst, src, way, reason="RX_PACKETS"):
    """A packet goes this way, by the fast path or for a reason; what was
    changed a moment ago may still be pending."""
    def look():
        seen.append(compare([dst], src, reason))
        return reason in seen[-1]
    seen = []
    check(expected(dst, src) == way, expected(dst, src), way)
    check(kit.wait_for(look), f"{text(dst)} from {text(src)}", way, reason,
          seen[-1], c.lookup(text(dst), text(src)))


def route(key, hop, table, cmd=None, kind=1):
    err = rtnl.route(rtnl.NEWROUTE if cmd is None else cmd, key,
                     *(hop or (0, None)), kind=kind, table=table,
                     flags=0 if cmd else rtnl.CREATE | rtnl.REPLACE)
    # By the rules there's no way to the gateway at the moment.
    if err in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return False
    check(not err, show(key), table, err)
    return True


def rule(src, table, pref, add=True):
    return rtnl.rule(rtnl.NEWRULE if add else rtnl.DELRULE, src, table, pref,
                     rtnl.CREATE | rtnl.EXCL if add else 0)


def flush():
    batch = "".join(
        "rule flush\nrule add pref 0 lookup local\n"
        "rule add pref 32766 lookup main\n" +
        "".join(f"route flush table {t}\n" for t in (T1, T2, T3, ABSENT)) +
        ("rule add pref 32767 lookup default\n" if f == 4 else "") + "|"
        for f in (4, 6)).split("|")
    for f, commands in zip((4, 6), batch):
        sh(f"ip -{f} -force -batch - <<EOF\n{commands}EOF", fail=False)
    # So that ARP passes rp_filter whatever the rules are.
    for table in (T1, T2, T3):
        for key, hop in LAN.items():
            route(key, hop, table)
        c.replace(list(LAN.items()), table)


def unknown():
    for size, dst in DST.items():
        src = SRC[size]
        with tap.case(f"ip {FLAG[size]} rule to a table that nobody sent"):
            takes(dst, src, "tunnel")
            check(not rule(FROM[size][0], ABSENT, 100))
            takes(dst, src, "tunnel", "TABLE")
            got = c.lookup(text(dst), text(src))
            check(got["TABLE"] == ABSENT and
                  kit.REASON[got["REASON"]] == "TABLE", got)
            takes(dst, world.src[size], "tunnel")
            check(not rule(FROM[size][0], ABSENT, 100, False))
            takes(dst, src, "tunnel")


def by_source():
    for size, dst in DST.items():
        src, other = SRC[size], world.src[size]
        key = (kit.mask(dst, 20), 20)
        with tap.case(f"IPv{4 if size == 4 else 6}: a table for some sources"):
            route(key, PLAIN[size], T1)
            c.replace([(key, PLAIN[size])], T1)
            check(not rule(FROM[size][0], T1, 100))
            takes(dst, src, "plain")
            takes(dst, other, "tunnel")
            got = c.lookup(text(dst), text(src))
            check(got["TABLE"] == T1 and got["PREFIX_LEN"] == 20, got)
            check(c.lookup(text(dst))["TABLE"] == MAIN)
            check(c.routes(T1)[key] == PLAIN[size], c.routes(T1))
            check(key not in c.routes())
        with tap.case("its table has no match: the next rule"):
            far = next(k for k in BASE if len(k[0]) == size and
                       BASE[k] == PLAIN[size])[0][:-1] + b"\x09"
            takes(far, src, "plain")
            check(c.lookup(text(far), text(src))["TABLE"] == MAIN)
        with tap.case("a longer prefix appears in it: at once"):
            part = (kit.mask(dst, 24 + size), 24 + size)
            route(part, X0[size], T1)
            check("RX_PACKETS" not in compare([dst], src, "longer"))
            takes(dst, src, "x0", "PUNT_ROUTE")
            takes(dst, other, "tunnel")
            route(part, None, T1, rtnl.DELROUTE)
            check("RX_PACKETS" not in compare([dst], src, "gone"))
            c.set_routes([(part, None)], "ROUTE_DEL", table=T1)
            takes(dst, src, "plain")
        with tap.case("a prefix appears where it had none: at once"):
            part = (kit.mask(far, 64 if size == 16 else 24),
                    64 if size == 16 else 24)
            route(part, X0[size], T1)
            check("RX_PACKETS" not in compare([far], src, "new"))
            takes(far, other, "plain")
            route(part, None, T1, rtnl.DELROUTE)
            check("RX_PACKETS" not in compare([far], src, "gone"))
            c.set_routes([(part, None)], "ROUTE_DEL", table=T1)
            takes(far, src, "plain")
        with tap.case("the order of rules is that of their priorities"):
            route(key, TUNNEL[size], T2)
            c.replace([(key, TUNNEL[size])], T2)
            check(not rule(FROM[size][2], T2, 99))
            takes(dst, src, "tunnel")
            check(not rule(FROM[size][2], T2, 99, False))
            check(not rule(FROM[size][2], T2, 101))
            takes(dst, src, "plain")
            check(not rule(FROM[size][2], T2, 101, False))
            check(not rule(FROM[size][5], T2, 50))
            takes(dst, src, "tunnel")
            takes(dst, other, "tunnel")
            check(c.lookup(text(dst), text(other))["TABLE"] == T2)
        with tap.case("a packet after a change of rules follows it"):
            for i in range(20):
                check(not rule(FROM[size][5], T2, 50, bool(i % 2)))
                compare([dst, dst], src, f"change {i}")
        flush()


def other_shapes():
    """Each beside a rule that is followed."""
    for size, dst in DST.items():
        src, flag = SRC[size], FLAG[size]
        key = (kit.mask(dst, 20), 20)
        frm = show(FROM[size][0])
        route(key, PLAIN[size], T1)
        c.replace([(key, PLAIN[size])], T1)
        check(not rule(FROM[size][0], T1, 100))
        shapes = ("fwmark 7", "iif lan0", "tos 0x10",
                  f"to {show((dst, 8 * size))}", "dport 9", "fwmark 0/1",
                  "oif eth0.1234", "iif nowhere", "uidrange 0-5", "sport 9",
                  "ipproto tcp", f"not from {frm}", "tun_id 5")
        for shape in shapes[:13 if size == 4 or DEEP else 4]:
            with tap.case(f"ip {flag} rule {shape}: the kernel decides"):
                takes(dst, src, "plain")
                sh(f"ip {flag} rule add pref 60 {shape} lookup {T2}")
                takes(dst, src, "plain", "RULES")
                sh(f"ip {flag} rule del pref 60")
        for what in (f"lookup {T2} suppress_prefixlength 0",
                     f"lookup {T2} suppress_ifgroup 1", "goto 100",
                     "blackhole", "nop"):
            with tap.case(f"ip {flag} rule {what}: the kernel decides"):
                takes(dst, src, "plain")
                sh(f"ip {flag} rule add pref 60 from {frm} {what}")
                takes(dst, src, None if what == "blackhole" else "plain",
                      "RULES")
                sh(f"ip {flag} rule del pref 60")
        with tap.case(f"ip {flag}: fast again"):
            takes(dst, src, "plain")
        flush()
    with tap.case("a VRF's rule: the kernel decides"):
        takes(DST[4], SRC[4], "tunnel")
        sh("ip link add v0 type vrf table 300 && ip link set v0 up")
        takes(DST[4], SRC[4], "tunnel", "RULES")
        sh("ip link del v0; ip rule del l3mdev; ip -6 rule del l3mdev",
           fail=False)
        takes(DST[4], SRC[4], "tunnel")


def defaults():
    for size, dst in DST.items():
        src, flag = SRC[size], FLAG[size]
        key = (kit.mask(dst, 20), 20)
        with tap.case(f"ip {flag} rule del lookup main: a table is enough"):
            route(key, PLAIN[size], T1)
            c.replace([(key, PLAIN[size])], T1)
            check(not rule(FROM[size][0], T1, 100))
            check(not rule(FROM[size][5], MAIN, 32766, False))
            if size == 4:
                # The way back is in no table either.
                takes(dst, src, "plain", "SOURCE")
                takes(dst, world.src[size], None, "TABLE")
            else:
                takes(dst, src, "plain")
                takes(dst, world.src[size], None, "NO_ROUTE")
            check(not rule(FROM[size][5], MAIN, 32766))
            takes(dst, world.src[size], "tunnel")
        with tap.case(f"ip {flag}: the local table asked later"):
            sh(f"ip {flag} rule add pref 300 lookup local")
            sh(f"ip {flag} rule del pref 0")
            mine = ip("10.9.0.1") if size == 4 else ip("fd09::1")
            far = mine, 8 * size
            route(far, X0[size], T1)
            c.set_routes([(far, PLAIN[size])], table=T1)
            takes(dst, src, "plain")
            takes(mine, src, expected(mine, src), "LOCAL")
        flush()


def local_first():
    """With rules the kernel asks its local table first; without, the longest
    prefix of both wins."""
    dst, src = ip("104.17.1.9"), SRC[4]
    with tap.case("a local prefix over a longer one of main's"):
        part = prefix("104.17.1.0/24")
        route(part, PLAIN[4], MAIN)
        c.set_routes([(part, PLAIN[4])])
        takes(dst, src, "plain")
        sh("ip route add local 104.17.0.0/16 dev lo")
        check(not rule(FROM[4][0], T1, 100))
        compare([dst], src, "rule")
        compare([ip("104.18.1.1")], src, "rule")
        check(not rule(FROM[4][0], T1, 100, False))
        compare([dst], src, "no rule")
        route(part, None, MAIN, rtnl.DELROUTE)
        sh("ip route del local 104.17.0.0/16 dev lo")
        c.set_routes([(part, None)], "ROUTE_DEL")


def local_tables():
    """Without rules: what is local in one table stays so when another has it no
    more, and what a local route replaced is gone."""
    for size, dst in DST.items():
        src, flag, one = world.src[size], FLAG[size], (dst, 8 * size)
        add, gone = (f"ip {flag} route {{}} local {text(dst)} dev lo table main"
                     .format(v) for v in ("replace", "del"))
        addr = f"ip {flag} addr {{}} {text(dst)}/{8 * size} dev lo"
        with tap.case(f"ip {flag}: an address in the tables local and main"):
            takes(dst, src, "tunnel")
            sh(addr.format("add") + (" nodad" if size == 16 else ""))
            takes(dst, src, expected(dst, src), "LOCAL")
            sh(add)
            takes(dst, src, expected(dst, src), "LOCAL")
            sh(gone)
            compare([dst] * 3, src, "still local")
            takes(dst, src, expected(dst, src), "LOCAL")
            sh(add)
            sh(addr.format("del"))
            compare([dst] * 3, src, "local in main")
            # With IPv6, routes out of lo go with the address.
            if size == 4:
                takes(dst, src, expected(dst, src), "LOCAL")
            sh(gone, fail=size == 4)
            takes(dst, src, "tunnel", "PUNT_ROUTE")
            c.set_routes([(one, None)], "ROUTE_DEL")
            takes(dst, src, "tunnel")
        with tap.case(f"ip {flag}: a local route in the place of another"):
            route(one, PLAIN[size], MAIN)
            c.set_routes([(one, PLAIN[size])])
            takes(dst, src, "plain")
            generation = c.status()["GENERATION"]
            if size == 16:
                route(one, None, MAIN, rtnl.DELROUTE)
            sh(add)
            takes(dst, src, expected(dst, src), "LOCAL")
            sh(gone)
            compare([dst] * 3, src, "gone with it")
            takes(dst, src, "tunnel", "PUNT_ROUTE")
            c.set_routes([(one, PLAIN[size])], generation=generation)
            compare([dst] * 3, src, "said of the time before")
            takes(dst, src, "tunnel", "PUNT_ROUTE")
            c.set_routes([(one, None)], "ROUTE_DEL")
            takes(dst, src, "tunnel")
        with tap.case(f"ip {flag}: another route in a local one's place"):
            sh(add)
            takes(dst, src, expected(dst, src), "LOCAL")
            if size == 16:
                sh(gone)
            route(one, PLAIN[size], MAIN)
            compare([dst] * 3, src, "not local")
            takes(dst, src, "plain", "PUNT_ROUTE")
            c.set_routes([(one, PLAIN[size])])
            takes(dst, src, "plain")
            route(one, None, MAIN, rtnl.DELROUTE)
            c.set_routes([(one, None)], "ROUTE_DEL")
            takes(dst, src, "tunnel")


def local_hides():
    """What appears below a local prefix is news once that is gone."""
    dst, src, part = ip("104.17.5.9"), SRC[4], prefix("104.17.5.0/24")
    with tap.case("a route below a local prefix, and then without that"):
        sh("ip route add local 104.17.0.0/16 dev lo")
        route(part, X0[4], MAIN)
        compare([dst] * 3, src, "both")
        sh("ip route del local 104.17.0.0/16 dev lo")
        compare([dst] * 3, src, "the route alone")
        takes(dst, src, "x0", "PUNT_ROUTE")
        route(part, None, MAIN, rtnl.DELROUTE)
        c.set_routes([(part, None)], "ROUTE_DEL")
        takes(dst, src, "tunnel")


def local_first6(when):
    """IPv6 asks its table local first, rules or not."""
    dst, src, far = ip("2606:4700:50::9"), world.src[16], ip("2400:cb00::9")
    inside, wide = prefix("2606:4700:50::/48"), "2606:4700::/36"
    sh(f"ip -6 neigh replace {text(dst)} dev x0 lladdr 02:00:00:00:00:77")
    route(inside, PLAIN[16], MAIN)
    c.set_routes([(inside, PLAIN[16])])
    for name, what in (
            ("AnyIP", f"local {wide} dev lo"),
            ("a blackhole", f"blackhole {wide} table local"),
            ("a route", f"{wide} dev x0 table local"),
            ("a host route", f"{text(dst)} dev x0 table local")):
        with tap.case(f"{name} in the table local, {when}"):
            takes(dst, src, "plain")
            sh(f"ip -6 route add {what}")
            compare([dst] * 3, src, "at once")
            for _ in range(3):
                grown = compare([dst] * 3, src, "and later")
                check("RX_PACKETS" not in grown, grown)
                kit.time.sleep(.2)
            takes(far, src, "plain")
            takes(DST[4], world.src[4], "tunnel")
            if "host" not in name:
                got = c.lookup(text(dst))
                check(got["PREFIX_LEN"] == 36, got)
            # A source of ours is the kernel's matter, too.
            compare([far] * 3, dst, "source")
            sh(f"ip -6 route del {what}")
            compare([dst] * 3, src, "gone")
            if "host" in name:
                c.set_routes([((dst, 128), None)], "ROUTE_DEL")
            elif name != "AnyIP":
                c.set_routes([(prefix(wide), None)], "ROUTE_DEL")
            takes(dst, src, "plain")
    route(inside, None, MAIN, rtnl.DELROUTE)
    c.set_routes([(inside, None)], "ROUTE_DEL")


def outer():
    """Rules are for the outer packets, too."""
    with tap.case("the tunnel's own packets are led elsewhere"):
        takes(DST[4], SRC[4], "tunnel")
        takes(DST[16], SRC[16], "tunnel")
        route(prefix("192.0.2.10/32"), X0[4], T2)
        check(not rule(prefix("192.0.2.11/32"), T2, 90))
        for size in (4, 16):
            ways = world.sent([DST[size]] * 3, {size: SRC[size]})
            check(ways == [None] * 3, ways)
        check(not rule(prefix("192.0.2.11/32"), T2, 90, False))
        takes(DST[4], SRC[4], "tunnel")
    flush()


def many_tables():
    """Tables that nothing leads to make room for others."""
    one, src, dst = (kit.mask(DST[4], 20), 20), SRC[4], DST[4]
    route(one, PLAIN[4], T1)
    c.replace([(one, PLAIN[4])], T1)
    with tap.case("a transaction for each of many tables, given up"):
        check(not rule(FROM[4][0], T1, 100))
        takes(dst, src, "plain")
        for table in range(211, 235):
            txn = kit.read(c.do("TABLE_BEGIN", f"TABLE_ID:u32={table}")[0],
                           "TABLE")["TRANSACTION"]
            c.do("TABLE_ABORT", f"TABLE_TRANSACTION:u32={txn}")
        takes(dst, src, "plain")
    with tap.case("many tables one after another"):
        for table in range(211, 235):
            c.replace([(one, TUNNEL[4])], table)
            check(c.routes(table) == {one: TUNNEL[4]})
        takes(dst, src, "plain")
        check(c.routes(T1) == {one: PLAIN[4]}, c.routes(T1))
        check(not c.routes(211))
    with tap.case("what rules lead to stays, and then there's no room"):
        for i in range(7):
            route(one, X0[4], 211 + i)
            check(not rule(FROM[4][2], 211 + i, 101 + i))
            c.replace([(one, X0[4])], 211 + i)
        takes(dst, src, "plain")
        try:
            c.replace([], 240)
            check(False, "taken")
        except genl.Error as e:
            check(e.code == errno.ENOSPC and "too many" in e.text, e)
        for i in range(7):
            check(not rule(FROM[4][2], 211 + i, 101 + i, False))
            route(one, None, 211 + i, rtnl.DELROUTE)

        def again():
            try:
                c.replace([(one, X0[4])], 240)
            except genl.Error:
                return False
            return True
        check(kit.wait_for(again), "no room")
        takes(dst, src, "plain")


def refusals():
    for table, why in ((0, None), (255, "No table"), (ABSENT + 99, None)):
        with tap.case(f"table {table}: what is refused"):
            try:
                if table == ABSENT + 99:
                    c.set_routes([(prefix("104.16.0.0/16"), None)],
                                 table=table)
                else:
                    c.replace([], table)
                check(False, "taken")
            except genl.Error as e:
                check(e.text and (why or "") in e.text or table == 0, e)
    with tap.case("a table that wasn't watched when it was read"):
        generation = c.status()["GENERATION"]
        txn = kit.read(c.do("TABLE_BEGIN", "TABLE_ID:u32=190")[0],
                       "TABLE")["TRANSACTION"]
        try:
            c.do("TABLE_COMMIT", f"TABLE_TRANSACTION:u32={txn}",
                 f"TABLE_GENERATION:u64={generation}")
            check(False, "taken")
        except genl.Error as e:
            check("watched" in e.text, e)
        c.do("TABLE_ABORT", f"TABLE_TRANSACTION:u32={txn}")


def followed(cnictl, sync, dst, src, far, key):
    while sync.stdout.readline() not in (b"READY\n", b""):
        pass
    takes(dst, src, "x0", "PUNT_ROUTE")
    takes(far, src, "plain")
    takes(far, world.src[len(dst)], "tunnel")
    said = sh(f"{cnictl} route get {text(far)} from {text(src)}")
    check("fast path" in said and said.count(f"table {T1}") == 2, said)
    route(key, TUNNEL[len(dst)], T1)
    takes(far, src, "tunnel")


def synced():
    """cnictl sends the tables that it's told of, and follows them."""
    cnictl = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          "../build/user/cnictl")
    for size, dst in DST.items():
        key, src = (kit.mask(dst, 20), 20), SRC[size]
        far = dst[:-1] + b"\x77"
        route(key, PLAIN[size], T1)
        route((dst, 8 * size), X0[size], T1)
        check(not rule(FROM[size][0], T1, 100))
        with tap.case(f"cnictl sync: IPv{4 if size == 4 else 6}"):
            with subprocess.Popen([cnictl, "sync", "--table", "main",
                                   "--table", str(T1)],
                                  stdout=subprocess.PIPE) as p:
                try:
                    followed(cnictl, p, dst, src, far, key)
                finally:
                    p.terminate()
    flush()


class Random:
    """Makes changes and remembers the kernel's tables as a helper would."""

    def __init__(self, seed):
        self.rnd = random.Random(seed)
        self.tables = {MAIN: dict(BASE), T1: dict(LAN), T2: dict(LAN),
                       T3: dict(LAN)}
        self.rules = {4: [], 16: []}
        self.dirty = set()

    def key(self, size):
        """Few different ones, so that tables have them in common."""
        rnd = self.rnd
        base = rnd.choice([k for k in BASE if len(k[0]) == size])
        length = rnd.choice((0, 4, base[1], base[1] + 4, base[1] + 9,
                             base[1] + 16))
        n = int.from_bytes(base[0], "big")
        n += rnd.randrange(4) << (8 * size - base[1] - 3)
        n += rnd.randrange(2) << (8 * size - base[1] - 12)
        return kit.mask(n.to_bytes(size, "big"), length), length

    def step(self):
        pick = self.rnd.random()
        if pick < .3:
            return self.rule()
        if pick < .37:
            value = self.rnd.randrange(3)
            kit.sysctl("net.ipv4.conf.lan0.rp_filter", value)
            return f"rp_filter {value}"
        return self.route()

    def rule(self):
        rnd = self.rnd
        size = rnd.choice((4, 16))
        mine = self.rules[size]
        if len(mine) > 5 or mine and rnd.random() < .4:
            one = mine.pop(rnd.randrange(len(mine)))
            check(not rule(*one, False), one)
            return f"no rule {show(one[0])} {one[1:]}"
        one = (rnd.choice(FROM[size]), rnd.choice((T1, T2, T3, MAIN) if
               rnd.random() < .95 else (ABSENT,)),
               rnd.choice((100, 200, 300, 32766, 32800)))
        if not one[0][1]:
            # Deleted by table and priority alone.
            one = one[0], one[1], one[2] + 7
        if one not in mine:
            check(not rule(*one), one)
            mine.append(one)
        return f"rule {show(one[0])} {one[1:]}"

    def route(self):
        rnd = self.rnd
        size = rnd.choice((4, 16))
        table = rnd.choice((MAIN, T1, T1, T2, T2, T3))
        key = self.key(size)
        have = self.tables[table]
        if key in have and rnd.random() < .6:
            route(key, None, table, rtnl.DELROUTE)
            del have[key]
            what = "deleted"
        else:
            hop = rnd.choice(HOPS[size] + [None])
            kind = rtnl.UNICAST if hop else rnd.choice(
                (rtnl.BLACKHOLE, rtnl.UNREACHABLE, rtnl.THROW))
            if route(key, hop, table, kind=kind):
                have[key] = hop
            what = hop and WAY[hop[0]]
        self.dirty.add((table, key))
        return f"{show(key)} in {table} {what}"

    def confirm(self):
        """What user space does: it read the generation, then the routes. All
        that changed in a table."""
        if self.rnd.random() < .2:
            table = self.rnd.choice((T1, T2, T3))
            c.replace([(k, offloaded(h)) for k, h in
                       self.tables[table].items()], table)
            self.dirty = {d for d in self.dirty if d[0] != table}
            return
        generation = c.status()["GENERATION"]
        for table, have in self.tables.items():
            if self.rnd.random() < .3:
                continue
            keys = {k for t, k in self.dirty if t == table}
            keep = [(k, offloaded(have[k])) for k in keys if k in have]
            gone = [(k, None) for k in keys if k not in have]
            if keep:
                c.set_routes(keep, generation=generation, table=table)
            if gone:
                c.set_routes(gone, "ROUTE_DEL", generation=generation,
                             table=table)
            self.dirty = {d for d in self.dirty if d[0] != table}

    def packets(self):
        """(source, destinations)"""
        rnd = self.rnd
        for size in (4, 16):
            keys = [self.key(size) for _ in range(3)]
            dsts = {k[0][:-1] + bytes([rnd.randrange(1, 255)]) for k in keys
                    if k[0][0]}
            for src in rnd.sample(SOURCES[size], 2):
                yield src, [d for d in sorted(dsts) if usable(d)]

    def restore(self):
        kit.sysctl("net.ipv4.conf.lan0.rp_filter", 0)
        for size, mine in self.rules.items():
            for one in mine:
                rule(*one, False)
        for key in set(self.tables[MAIN]) - set(BASE):
            route(key, None, MAIN, rtnl.DELROUTE)
        for key, hop in BASE.items():
            route(key, hop, MAIN)
        flush()
        c.set_routes([(k, None) for k in c.routes() if k not in LAN],
                     "ROUTE_DEL")
        c.set_routes(list(BASE.items()))


def usable(dst):
    return len(dst) == 16 and dst[0] in (0x24, 0x26) or \
        len(dst) == 4 and dst[0] in (96, 104, 160, 172)


def offloaded(hop):
    return hop if hop and hop[0] != DEV["x0"] else None


def churn(name, seed, steps, helper):
    one = Random(seed)
    # Or a default route by the tunnel would be the way of the outer packets.
    outer_rule = kit.prefix("192.0.2.11/32"), MAIN, 50
    rule(*outer_rule)
    before, sent = c.stats("PORT", "lan0"), 0
    print(f"# {name}: seed {seed}")
    with tap.case(f"{name}: every packet goes where the rules lead"):
        for i in range(steps):
            what = one.step()
            again = list(one.packets())
            for src, dsts in again:
                compare(dsts, src, f"step {i}, {what}")
                sent += len(dsts)
            if one.rnd.random() < helper:
                one.confirm()
                for src, dsts in again:
                    compare(dsts, src, f"step {i}, {what}, confirmed")
                    sent += len(dsts)
    after = kit.growth(before, c.stats("PORT", "lan0"))
    print(f"# {sent} packets, {after}")
    tap.ok(after.get("RX_PACKETS", 0) > sent / (10 if helper else 100) and
           after.get("PUNT", 0) > sent / 10,
           f"{name}: fast and slow both had work", after)
    one.restore()
    rule(*outer_rule, False)


def attempt(test, *args):
    if test.__name__ not in os.environ.get("CNI_RULES", test.__name__):
        return
    try:
        test(*args)
    except Exception:
        tap.ok(False, f"{test.__name__} came to its end",
               kit.traceback.format_exc().rstrip())


offload()
attempt(local_tables)
attempt(local_hides)
attempt(local_first6, "no rule was ever there")
flush()
attempt(local_first6, "with rules")
steps = 1500 if DEEP else 200
for test in (unknown, by_source, other_shapes, defaults, local_first, outer,
             many_tables, refusals, synced):
    attempt(test)
    flush()
if "CNI_RULES" in os.environ:
    tap.end()
churn("a helper that confirms", 1, steps, .7)
churn("a helper that is slow", 2, steps, .15)
churn("a helper that is dead", 3, steps, 0)
c.close()
with ns("edge"):
    tap.ok(not kit.sh("rmmod cnilink 2>&1", fail=False), "the module unloads")
tap.end()
