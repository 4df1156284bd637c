# SPDX-License-Identifier: GPL-2.0
"""Requests of the netlink family: refusals and their texts, batches,
transactions, dumps, notifications, namespaces, garbage. Run by genl.sh."""
import errno
import os
import random
import struct
import threading
import time

import genl
import kit
from genl import NAMES, NLA_F_NESTED, attr, encode
from kit import A, Client, check, ip, ns, prefix, sh

tap = kit.Tap()
kit.setns("edge")
c = Client()
LINK, GRE, LAN = (kit.ifindex(d) for d in ("eth0.1234", "gre1", "lan0"))
LINK_ADDR = ("LINK_LOCAL4:ip=192.0.2.11", "LINK_PEER4:ip=192.0.2.10",
             "LINK_LOCAL6:ip=2001:db8:12:3::b",
             "LINK_PEER6:ip=2001:db8:12:3::a")
VIA = (GRE, None)


def cmd(name):
    return NAMES["CNILINK_CMD_" + name]


def refused(name, payload, codes, offset=None, client=None, dump=False,
            text=True):
    """What is wrong with the way that a request is refused, or None."""
    try:
        (client or c).request(name if isinstance(name, int) else cmd(name),
                              payload, dump)
    except genl.Error as e:
        if e.code not in codes:
            return f"{name} {payload.hex()}: {e}"
        if text and not e.text:
            return f"{name} {payload.hex()}: no text with {e}"
        if offset is not None and e.offset != offset:
            return f"{name} {payload.hex()}: {e}: offset {e.offset}, " \
                f"not {offset}"
        return None
    return f"{name} {payload.hex()}: accepted"


def refusals(what, cases):
    wrong = [w for w in cases if w]
    tap.ok(not wrong, what, *wrong)


def everything():
    """All that can be seen, counters and what moves by itself aside."""
    out = []
    for kind in ("LINK", "TUNNEL", "PORT"):
        for body in c.do(kind + "_GET", dump=True):
            one = kit.read(body, kind)
            for moving in ("STATS", "BLOCKERS", "LLADDR", "LLADDR4",
                           "LLADDR6", "SEEN", "OVERHEAD"):
                one.pop(moving, None)
            out.append((kind, sorted(one.items(), key=str)))
    return out, c.routes()


def specs(*items):
    return b"".join(encode(s) for s in items)


# Each operation's attributes, all good; the first is the one it needs.
DEV = {"LINK": LINK, "TUNNEL": GRE, "PORT": LAN}
GOOD = {}
for kind, index in DEV.items():
    one = (f"{kind}_IFINDEX:u32={index}",)
    for verb in ("GET", "SET", "DEL"):
        GOOD[f"{kind}_{verb}"] = one
GOOD["LINK_SET"] += LINK_ADDR
GOOD["PORT_SET"] += ("PORT_FLAGS:u32=1",)
GOOD["TUNNEL_SET"] += ("TUNNEL_FLAGS:u32=1",)
ROUTE = "TABLE_ROUTE:nest={ROUTE_DST4:ip=104.16.0.0 ROUTE_PREFIX_LEN:u8=13 " \
    f"ROUTE_ACTION:u32=0 ROUTE_NEXTHOP:nest={{NEXTHOP_OIF:u32={GRE}}}}}"
TABLE = (ROUTE, "TABLE_TRANSACTION:u32=77", "TABLE_GENERATION:u64=0")
GOOD["ROUTE_SET"] = GOOD["ROUTE_DEL"] = TABLE
GOOD["ROUTE_LOOKUP"] = ("LOOKUP_DST4:ip=104.16.0.1",)
GOOD["TABLE_BEGIN"] = ()
GOOD["TABLE_COMMIT"] = ("TABLE_TRANSACTION:u32=77", "TABLE_GENERATION:u64=0")
GOOD["TABLE_ABORT"] = ("TABLE_TRANSACTION:u32=77",)
GOOD["STATUS_GET"] = ()
ADMIN = [op for op in GOOD if op.split("_")[1] in ("SET", "DEL") or
         op.startswith("TABLE")]
RANGE = {"IFINDEX": [b"\0" * 4], "TRANSACTION": [b"\0" * 4],
         "FLAGS": [struct.pack("=I", 1 << i) for i in range(2, 32)],
         "PREFIX_LEN": [b"\x81", b"\xff"],
         "ACTION": [struct.pack("=I", n) for n in (2, 1 << 31)],
         "OIF": [b"\0" * 4]}
BAD = (errno.EINVAL, errno.ERANGE)
HEAD = 20  # netlink and generic netlink header


def malformed(number, name, data):
    """Bad payloads of an attribute, and bad attributes."""
    for size in {0, 1, len(data) - 1, len(data) + 1, len(data) + 100}:
        if size != len(data) and size >= 0:
            yield attr(number, (data + bytes(100))[:size])
    for value in RANGE.get(name, ()):
        yield attr(number, value)
    yield attr(number | NLA_F_NESTED, data)


def policy(op):
    good = GOOD[op]
    top = [encode(s) for s in good]
    for i, spec in enumerate(good):
        name = spec.split(":")[0]
        number = genl.number(name)
        before = b"".join(top[:i])
        after = b"".join(top[i + 1:])
        if spec is ROUTE:
            yield refused(op, before + attr(number, top[i][4:]) + after, BAD,
                          HEAD + len(before))
            for size in (3, 4):
                yield refused(op, before + attr(number | NLA_F_NESTED,
                                                top[i][4:4 + size]) + after,
                              BAD)
            continue
        for bad in malformed(number, name.split("_", 1)[1],
                             top[i][4:4 + len(top[i])][:struct.unpack_from(
                                 "=H", top[i])[0] - 4]):
            yield refused(op, before + bad + after, BAD, HEAD + len(before))
    all_good = b"".join(top)
    for number in (0x50, 0x3fff, max([0] + [struct.unpack_from("=HH", t)[1] &
                                            0x3fff for t in top]) + 1):
        yield refused(op, all_good + attr(number, b"\0" * 4), BAD,
                      HEAD + len(all_good))
    # A header that says more than there is.
    yield refused(op, all_good + struct.pack("=HH", 12, 1), BAD, text=False)


def route(*items):
    return specs("TABLE_ROUTE:nest={" + " ".join(items) + "}")


def route_policy():
    base = ["ROUTE_DST4:ip=104.16.0.0", "ROUTE_PREFIX_LEN:u8=13"]
    hop = f"ROUTE_NEXTHOP:nest={{NEXTHOP_OIF:u32={GRE}}}"

    def nest(pieces):
        return attr(kit.NEST, b"".join(pieces))
    good = [encode(s) for s in base + ["ROUTE_ACTION:u32=0"]]
    for i, spec in enumerate(base + ["ROUTE_ACTION:u32=0"]):
        name = spec.split(":")[0]
        data = good[i][4:struct.unpack_from("=H", good[i])[0]]
        for bad in malformed(genl.number(name), name.split("_", 1)[1], data):
            offset = HEAD + 4 + sum(len(g) for g in good[:i])
            yield refused("ROUTE_SET", nest(good[:i] + [bad] + good[i + 1:] +
                                            [encode(hop)]), BAD, offset)
    six = attr(A["CNILINK_A_ROUTE_DST6"], bytes(15))
    yield refused("ROUTE_SET", nest([six] + good[1:] + [encode(hop)]), BAD)
    oif = A["CNILINK_A_NEXTHOP_OIF"]
    for bad in malformed(oif, "OIF", struct.pack("=I", GRE)):
        yield refused("ROUTE_SET", nest(good + [attr(
            A["CNILINK_A_ROUTE_NEXTHOP"] | NLA_F_NESTED, bad)]), BAD)
    for name, size in (("VIA4", 4), ("VIA6", 16), ("WEIGHT", 4)):
        for bad in malformed(A["CNILINK_A_NEXTHOP_" + name], name,
                             bytes(size)):
            yield refused("ROUTE_SET", nest(good + [attr(
                A["CNILINK_A_ROUTE_NEXTHOP"] | NLA_F_NESTED,
                attr(oif, struct.pack("=I", GRE)) + bad)]), BAD)
    for pieces in ((), (0x40,), (0x40, 1)):
        yield refused("ROUTE_SET", nest(good + [encode(hop)] + [
            attr(n, b"1234") for n in pieces] or [b""]), BAD) \
            if pieces else None
    inval, unsupported = (errno.EINVAL,), (errno.EOPNOTSUPP,)

    def weighed(n):
        return f"ROUTE_NEXTHOP:nest={{NEXTHOP_OIF:u32={GRE} " \
               f"NEXTHOP_WEIGHT:u32={n}}}"
    for items, codes in (
            ((), inval), (base, inval), (base[:1] + [hop], inval),
            (base[1:] + [hop], inval),
            (base + ["ROUTE_DST6:ip=::", hop], inval),
            (["ROUTE_DST4:ip=104.16.0.0", "ROUTE_PREFIX_LEN:u8=33", hop],
             inval),
            (["ROUTE_DST4:ip=104.16.0.1", "ROUTE_PREFIX_LEN:u8=13", hop],
             inval),
            (["ROUTE_DST6:ip=2606:4700::1", "ROUTE_PREFIX_LEN:u8=32", hop],
             inval),
            (base + [hop] * 65, (errno.E2BIG,)),
            (base + [hop, "ROUTE_NEXTHOP:nest={NEXTHOP_WEIGHT:u32=2}"], inval),
            (base + [hop, weighed(0)], (errno.ERANGE,)),
            (base + [hop, weighed(65537)], (errno.ERANGE,)),
            (base + ["ROUTE_ACTION:u32=1", hop], inval),
            (base + ["ROUTE_NEXTHOP:nest={NEXTHOP_VIA4:ip=1.2.3.4}"], inval),
            (base + [f"ROUTE_NEXTHOP:nest={{NEXTHOP_OIF:u32={GRE} "
                     "NEXTHOP_VIA6:ip=::1}"], unsupported)):
        yield refused("ROUTE_SET", route(*items), codes)
    yield refused("ROUTE_DEL", route("ROUTE_DST4:ip=104.16.0.0"), inval)


# What each operation takes; an operation without doit has GET for its dump.
TAKES = {
    "LINK_GET": "IFINDEX", "LINK_DEL": "IFINDEX",
    "LINK_SET": "IFINDEX LOCAL4 PEER4 LOCAL6 PEER6",
    "TUNNEL_GET": "IFINDEX", "TUNNEL_DEL": "IFINDEX",
    "TUNNEL_SET": "IFINDEX MSS4 MSS6 HEALTH HEALTH_RATE FLAGS",
    "PORT_GET": "IFINDEX", "PORT_DEL": "IFINDEX",
    "PORT_SET": "IFINDEX FLAGS MSS4 MSS6",
    "ROUTE_SET": "ROUTE TRANSACTION GENERATION ID",
    "ROUTE_DEL": "ROUTE TRANSACTION GENERATION ID",
    "ROUTE_LOOKUP": "DST4 DST6 SRC4 SRC6",
    "TABLE_BEGIN": "ID", "TABLE_COMMIT": "TRANSACTION GENERATION",
    "TABLE_ABORT": "TRANSACTION", "STATUS_GET": ""}
DUMPS = ("LINK_GET", "TUNNEL_GET", "PORT_GET", "ROUTE_GET")
SETS = {"LINK": "LINK", "TUNNEL": "TUNNEL", "PORT": "PORT", "TABLE": "TABLE",
        "ROUTE": "TABLE", "STATUS": "STATUS"}


def attributes(op):
    """The numbers of all attributes of an operation's set, by their names."""
    which = "LOOKUP" if op == "ROUTE_LOOKUP" else SETS[op.split("_")[0]]
    return {name: number for number, name in kit.names_of(which).items()}


def not_taken(op, takes, dump=False):
    """Every other attribute of the set, of every size, beside good ones."""
    good = b"" if dump else specs(*GOOD[op])
    for name, number in attributes(op).items():
        if name in takes.split():
            continue
        for data in (b"", b"\1", b"\1\0", b"\1\0\0\0", bytes(8), bytes(16)):
            for flag in (0, NLA_F_NESTED):
                yield refused(op, good + attr(number | flag, data),
                              (errno.EINVAL,), None if dump else
                              HEAD + len(good), dump=dump)


def test_not_taken():
    for op, takes in TAKES.items():
        refusals(f"{op}: no other attribute is taken", not_taken(op, takes))
    for op in DUMPS:
        refusals(f"a dump of {op}: no attribute is taken",
                 not_taken(op, "", True))
    inval = (errno.EINVAL,)
    base = ["ROUTE_DST4:ip=104.16.0.0", "ROUTE_PREFIX_LEN:u8=13"]
    hop = f"ROUTE_NEXTHOP:nest={{NEXTHOP_OIF:u32={GRE}}}"
    both = f"ROUTE_NEXTHOP:nest={{NEXTHOP_OIF:u32={LINK} " \
        "NEXTHOP_VIA4:ip=192.0.2.10 NEXTHOP_VIA6:ip=2001:db8:12:3::a}"
    txn = begin()
    number = specs(f"TABLE_TRANSACTION:u32={txn}")
    generation = specs(f"TABLE_GENERATION:u64={c.status()['GENERATION']}")
    live = specs("TABLE_ID:u32=254")
    good = route(*base, hop)
    gone = route(*base)
    health = [f"HEALTH_{side}{f}:ip={a}" for side, f, a in (
        ("LOCAL", 4, "10.99.0.1"), ("PEER", 4, "10.99.0.0"),
        ("LOCAL", 6, "fd99::1"), ("PEER", 6, "fd99::"))]

    def tunnel(*which, rate=()):
        nest = " ".join(health[i] for i in which)
        return specs(f"TUNNEL_IFINDEX:u32={GRE}", *rate,
                     *([f"TUNNEL_HEALTH:nest={{{nest}}}"] if which else []))
    refusals("nor where the rest of the request leaves it without use", [
        refused(op, number + extra + body, inval, HEAD + len(number))
        for op, body in (("ROUTE_SET", good), ("ROUTE_DEL", gone))
        for extra in (live, generation)] + [
        refused("ROUTE_SET", route(*base, hop, "ROUTE_BLOCKERS:u64=0"), inval),
        refused("ROUTE_SET", route(*base, "ROUTE_ACTION:u32=1",
                                   "ROUTE_BLOCKERS:u64=1"), inval),
        refused("ROUTE_SET", route(*base, both), (errno.EOPNOTSUPP,))] + [
        refused("ROUTE_DEL", route(*base, extra), inval)
        for extra in (hop, "ROUTE_ACTION:u32=0", "ROUTE_BLOCKERS:u64=0")] + [
        refused("TUNNEL_SET", tunnel(*which), inval)
        for which in ((0, 1, 2), (0, 1, 3), (0, 2, 3), (1, 2, 3), (0,), (0, 2),
                      (0, 1, 2, 3))] + [
        refused("TUNNEL_SET", tunnel(rate=("TUNNEL_HEALTH_RATE:u32=5",)),
                inval)])
    finish("TABLE_ABORT", txn)


def test_refusals():
    for op in GOOD:
        refusals(f"{op}: malformed requests refused", policy(op))
    refusals("ROUTE_SET: malformed routes refused", route_policy())
    refusals("a missing attribute is named", [
        refused(op, b"".join(encode(s) for s in GOOD[op][1:]),
                (errno.EINVAL,)) for op in GOOD
        if GOOD[op] and not op.startswith("LINK_GET")])
    no = (errno.EOPNOTSUPP,)
    refusals("no such operation", [
        refused(200, b"", no, text=False), refused("ROUTE_GET", b"", no,
                                                   text=False)] +
        [refused(op, specs(*GOOD[op]), no, dump=True, text=False)
         for op in ADMIN])

    enoent, inval, busy = (errno.ENOENT,), (errno.EINVAL,), (errno.EBUSY,)

    def link(*addr, dev=LINK):
        return specs(f"LINK_IFINDEX:u32={dev}", *addr)
    refusals("requests that make no sense refused", [
        refused("LINK_SET", link(*LINK_ADDR, dev=99999), (errno.ENODEV,),
                HEAD),
        refused("TUNNEL_SET", specs("TUNNEL_IFINDEX:u32=99999"),
                (errno.ENODEV,), HEAD),
        refused("PORT_SET", specs("PORT_IFINDEX:u32=99999"),
                (errno.ENODEV,), HEAD),
        refused("LINK_SET", link(*LINK_ADDR, dev=kit.ifindex("lo")), no),
        refused("LINK_SET", link(*LINK_ADDR, dev=GRE), no),
        refused("PORT_SET", specs("PORT_IFINDEX:dev=lo"), no),
        refused("PORT_SET", specs("PORT_IFINDEX:dev=gre1"), no),
        refused("TUNNEL_SET", specs("TUNNEL_IFINDEX:dev=lan0"), no),
        refused("LINK_SET", link(), inval),
        refused("LINK_SET", link(LINK_ADDR[0]), inval),
        refused("LINK_SET", link(LINK_ADDR[1]), inval),
        refused("LINK_SET", link(LINK_ADDR[2]), inval),
        refused("LINK_SET", link(*LINK_ADDR[:3]), inval),
    ] + [refused("LINK_SET", link(f"LINK_LOCAL{f}:ip={a}",
                                  f"LINK_PEER{f}:ip={b}"), inval)
         for f, a, b in ((4, "1.2.3.4", "1.2.3.4"), (4, "0.0.0.0", "1.2.3.4"),
                         (4, "1.2.3.4", "224.0.0.1"),
                         (4, "127.0.0.1", "1.2.3.4"),
                         (6, "2001::1", "2001::1"), (6, "::", "2001::1"),
                         (6, "2001::1", "ff02::1"), (6, "::1", "2001::1"))] +
        [refused(f"{kind}_{verb}", specs(f"{kind}_IFINDEX:dev=lo"), enoent)
         for kind in DEV for verb in ("GET", "DEL")] + [
        refused("ROUTE_LOOKUP", b"", inval),
        refused("ROUTE_LOOKUP", specs("LOOKUP_DST4:ip=1.2.3.4",
                                      "LOOKUP_DST6:ip=::1"), inval),
        refused("TABLE_COMMIT", specs("TABLE_TRANSACTION:u32=5"), enoent),
        refused("TABLE_ABORT", specs("TABLE_TRANSACTION:u32=5"), enoent),
        refused("ROUTE_SET", specs(ROUTE, "TABLE_TRANSACTION:u32=5"),
                enoent)])

    tap.equal(everything(), ([], {}), "refused requests have left nothing")
    c.do("LINK_SET", *GOOD["LINK_SET"])
    c.do("PORT_SET", f"PORT_IFINDEX:u32={LAN}")
    c.do("TUNNEL_SET", f"TUNNEL_IFINDEX:u32={GRE}")
    refusals("a link is no port, and the other way round", [
        refused("PORT_SET", specs("PORT_IFINDEX:dev=eth0.1234"), busy),
        refused("LINK_SET", link(*LINK_ADDR, dev=LAN), busy)])


def as_other(fn):
    """Call in a child process; whether it returned true."""
    pid = os.fork()
    if pid == 0:
        good = False
        try:
            good = fn()
        finally:
            os._exit(0 if good else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def unprivileged():
    """The admin operations fail with EPERM, the others don't."""
    mine, good = Client(), True
    for op in GOOD:
        wrong = refused(op, specs(*GOOD[op]), (errno.EPERM,), client=mine,
                        text=False)
        if bool(wrong) == (op in ADMIN):
            print(f"# {op}: {wrong or 'EPERM'}", flush=True)
            good = False
    for kind in ("LINK", "TUNNEL", "PORT", "ROUTE"):
        mine.do(kind + "_GET", dump=True)
    return good


def test_privilege():
    def nobody():
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        return unprivileged()

    def other_user_ns():
        check(not kit.LIBC.unshare(kit.CLONE_NEWUSER | kit.CLONE_NEWNET))
        return unprivileged_somewhere()

    def unprivileged_somewhere():
        mine = Client()
        return not refused("TABLE_BEGIN", b"", (errno.EPERM,), client=mine,
                           text=False)

    def borrowed():
        """A socket that root opened doesn't help."""
        mine = Client()
        os.setresuid(65534, 65534, 65534)
        return not refused("TABLE_BEGIN", b"", (errno.EPERM,), client=mine,
                           text=False)
    before = everything()
    tap.ok(as_other(nobody), "any user may look, none may change")
    tap.ok(as_other(borrowed), "root's socket is no privilege")
    tap.ok(as_other(other_user_ns), "nor is a user namespace's root")
    tap.ok(everything() == before, "and nothing has changed")


def many(n, seed):
    """Different random prefixes of both families with their next hops."""
    rnd = random.Random(seed)
    hops = {4: [VIA, (LINK, ip("192.0.2.10")), (LAN, None), None],
            16: [VIA, (LINK, ip("2001:db8:12:3::a")), (LAN, None), None]}
    out = {}
    while len(out) < n:
        size = rnd.choice((4, 16))
        length = min(8 * size, max(1, int(rnd.gauss(4 * size + 8, 2 * size))))
        addr = kit.mask(rnd.randbytes(size), length)
        # Where this host's own addresses are, a route wouldn't be shown.
        if length < 8 * size and addr[0] not in (10, 192, 127, 0xfd, 0x20,
                                                 0xfe, 0xff, 0):
            out[addr, length] = rnd.choice(hops[size])
    return out


def put_all(routes, **how):
    routes = list(routes)
    for i in range(0, len(routes), 1500):
        c.set_routes(routes[i:i + 1500], **how)


def clear():
    put_all([(key, None) for key in c.routes()], cmd="ROUTE_DEL")


def test_batches():
    routes = many(3000, 1)
    put_all(routes.items())
    tap.ok(c.routes() == routes, "3000 routes read as written")
    before = everything()
    status = c.status()
    v4 = sum(len(a) == 4 for a, _ in routes)
    tap.equal((status["ROUTES4"], status["ROUTES6"],
               status["PUNTED4"] + status["PUNTED6"]),
              (v4, 3000 - v4, sum(h is None for h in routes.values())),
              "status counts them")

    new = b"".join(kit.route_attr(k, VIA) for k in many(2000, 2))
    over = b"".join(kit.route_attr(k, VIA) for k in list(routes)[:500])
    off = HEAD + len(new + over)
    refusals("one bad route among thousands spoils the batch", [
        refused("ROUTE_SET", new + over + bad + new, (errno.EINVAL,), offset)
        for bad, offset in (
            (route("ROUTE_DST4:ip=104.16.0.1", "ROUTE_PREFIX_LEN:u8=13",
                   "ROUTE_ACTION:u32=1"), off + 4),
            (route("ROUTE_DST4:ip=104.16.0.0", "ROUTE_PREFIX_LEN:u8=33",
                   "ROUTE_ACTION:u32=1"), off + 12),
            (route("ROUTE_DST4:ip=104.16.0.0", "ROUTE_PREFIX_LEN:u8=13"),
             off))] + [
        refused("ROUTE_DEL", over + route("ROUTE_DST4:ip=104.16.0.0"),
                (errno.EINVAL,))])
    tap.ok(everything() == before, "and nothing of it is applied")

    key, other = prefix("104.16.0.0/13"), prefix("104.0.0.0/8")
    c.set_routes([(key, VIA), (key, None), (other, VIA), (key, VIA)])
    tap.equal(c.routes()[key], VIA, "the last of a prefix in a batch counts")
    c.set_routes([(key, None), (other, None), (key, None)], "ROUTE_DEL")
    tap.ok(everything() == before, "deletion, of one that isn't there too")
    for _ in range(3):
        put_all(routes.items())
    tap.ok(everything() == before, "setting again changes nothing")
    edge = {prefix(t): VIA for t in ("0.0.0.0/0", "::/0", "128.0.0.0/1",
                                     "8000::/1", "104.16.0.9/32",
                                     "2606:4700::9/128", "203.0.113.0/31")}
    clear()
    c.set_routes(edge.items())
    tap.equal(c.routes(), edge, "shortest and longest prefixes")
    clear()
    status = c.status()
    tap.equal((c.routes(), status["ROUTES4"], status["ROUTES6"]), ({}, 0, 0),
              "all deleted")


def begin(client=None):
    return kit.read((client or c).do("TABLE_BEGIN")[0], "TABLE")["TRANSACTION"]


def finish(what, txn, client=None, generation=None):
    body = specs(f"TABLE_TRANSACTION:u32={txn}")
    if generation is not None:
        body += specs(f"TABLE_GENERATION:u64={generation}")
    (client or c).request(cmd(what), body)


def test_transactions():
    old, new = many(500, 3), many(700, 4)
    put_all(old.items())
    txn = begin()
    other = Client()
    refusals("a second transaction has to wait", [
        refused("TABLE_BEGIN", b"", (errno.EBUSY,)),
        refused("TABLE_BEGIN", b"", (errno.EBUSY,), client=other)])
    put_all(new.items(), txn=txn)
    tap.ok(c.routes() == old, "an open transaction changes nothing")
    number = specs(f"TABLE_TRANSACTION:u32={txn}")
    refusals("another socket can't touch it", [
        refused(op, number + extra, (errno.ENOENT,), client=other)
        for op, extra in (("TABLE_COMMIT", b""), ("TABLE_ABORT", b""),
                          ("ROUTE_SET", specs(ROUTE)),
                          ("ROUTE_DEL", specs(ROUTE)))] + [
        refused("TABLE_COMMIT", specs(f"TABLE_TRANSACTION:u32={txn + 1}"),
                (errno.ENOENT,))])
    drop = list(new)[:100]
    put_all([(k, None) for k in drop], cmd="ROUTE_DEL", txn=txn)
    finish("TABLE_COMMIT", txn)
    want = {k: v for k, v in new.items() if k not in set(drop)}
    tap.ok(c.routes() == want, "a commit puts all of it in place")
    status = c.status()
    tap.equal(status["ROUTES4"] + status["ROUTES6"], len(want),
              "status counts the new table")
    refusals("a transaction ends once", [
        refused(op, number, (errno.ENOENT,))
        for op in ("TABLE_COMMIT", "TABLE_ABORT")])
    txn2 = begin()
    tap.ok(txn2 != txn, "numbers aren't used again at once")
    put_all(old.items(), txn=txn2)
    finish("TABLE_ABORT", txn2)
    tap.ok(c.routes() == want, "an abort leaves no trace")
    txn = begin(other)
    other.set_routes(list(old.items())[:300], txn=txn)
    other.close()

    def free():
        try:
            return begin()
        except genl.Error as e:
            check(e.code == errno.EBUSY, e)
            return None
    txn = kit.wait_for(free)
    tap.ok(bool(txn), "a closed socket's transaction is over")
    finish("TABLE_COMMIT", txn)
    tap.equal(c.routes(), {}, "an empty transaction empties the table")


def test_generations():
    rtnl = kit.Rtnl()
    key = prefix("104.16.0.0/13")
    now = c.status()["GENERATION"]
    stale = (errno.ESTALE,)

    def set_at(generation):
        return kit.route_attr(key, VIA) + \
            specs(f"TABLE_GENERATION:u64={generation}")
    refusals("a generation to come is refused", [
        refused("ROUTE_SET", set_at(n), stale)
        for n in (now + 1, now + 1000, 2 ** 64 - 1)])
    refusals("one of before the watch began too", [
        refused("ROUTE_SET", set_at(0), stale),
        refused("ROUTE_DEL", set_at(0), stale)])
    txn = begin()
    c.set_routes([(key, VIA)], txn=txn)
    number = f"TABLE_TRANSACTION:u32={txn}"
    refusals("at the commit as well", [
        refused("TABLE_COMMIT", specs(number, f"TABLE_GENERATION:u64={n}"),
                stale) for n in (0, now + 1)])
    finish("TABLE_COMMIT", txn, generation=now)
    tap.equal(c.routes(), {key: VIA}, "which then may be tried again")

    def kernel_change(text):
        """Add and delete a route; the kernel's routes are as before."""
        one = prefix(text)
        check(not rtnl.route(rtnl.NEWROUTE, one, GRE, flags=rtnl.CREATE))
        check(not rtnl.route(rtnl.DELROUTE, one, GRE))
        return one
    inside = kernel_change("104.17.1.0/24")
    tap.equal(c.status()["GENERATION"], now + 2, "two changes are counted")
    c.set_routes([(key, VIA)], generation=now)
    tap.equal(c.routes(), {key: VIA, inside: None},
              "what changed since a view stays punted")
    c.set_routes([(inside, VIA)], generation=now + 1)
    tap.equal(c.routes()[inside], None, "also by a view of in between")
    c.set_routes([(inside, VIA)], generation=now + 2)
    tap.equal(c.routes()[inside], VIA, "the newest view is believed")
    c.set_routes([(inside, None)], "ROUTE_DEL", generation=now)
    tap.equal(c.routes()[inside], None,
              "deleting by an old view doesn't lift it")
    txn = begin()
    c.set_routes([(key, VIA), (inside, VIA)], txn=txn)
    split = kernel_change("104.18.0.0/16")
    finish("TABLE_COMMIT", txn, generation=now + 2)
    tap.equal(c.routes(), {key: VIA, inside: VIA, split: None},
              "a commit is held against what changed meanwhile")
    clear()

    first = c.status()["GENERATION"]
    n, one = 0, prefix("198.18.0.0/24")
    while n <= 8200:
        check(not rtnl.route(rtnl.NEWROUTE, one, GRE, flags=rtnl.CREATE))
        check(not rtnl.route(rtnl.DELROUTE, one, GRE))
        n += 1
    c.set_routes([(key, VIA)])
    refusals("a view too old to be corrected is refused",
             [refused("ROUTE_SET", set_at(first), stale)])
    c.set_routes([(key, VIA)], generation=c.status()["GENERATION"])
    clear()


def test_dumps():
    routes = many(20000, 5)
    txn = begin()
    put_all(routes.items(), txn=txn)
    finish("TABLE_COMMIT", txn)
    got = c.routes()
    tap.ok(got == routes, "20000 routes round trip", f"{len(got)} routes")
    tap.ok(not c.interrupted, "an undisturbed dump isn't marked")
    order = list(got)
    tap.ok([len(a) for a, _ in order] == sorted(len(a) for a, _ in order) and
           all(order[i] < order[i + 1] for i in range(len(order) - 1)
               if len(order[i][0]) == len(order[i + 1][0])),
           "in order, IPv4 first")
    tap.ok(len(c.do("ROUTE_GET", dump=True)) > 3, "in several messages")

    def disturbed(op, change):
        mine = kit.SmallClient()
        mine.send(cmd(op), b"", dump=True)
        mine.interrupted = False
        mine.receive_one()
        change()
        while not mine.receive_one()[0]:
            pass
        mine.close()
        return mine.interrupted
    key = prefix("104.16.0.0/13")
    tap.ok(disturbed("ROUTE_GET", lambda: c.set_routes([(key, VIA)])),
           "a dump that a route crossed is marked")
    rtnl = kit.Rtnl()

    def kernel():
        rtnl.route(rtnl.NEWROUTE, prefix("104.16.7.0/24"), GRE,
                   flags=rtnl.CREATE)
        rtnl.route(rtnl.DELROUTE, prefix("104.16.7.0/24"), GRE)
        kit.wait_for(lambda: prefix("104.16.7.0/24") in c.routes())
    tap.ok(disturbed("ROUTE_GET", kernel), "or that the kernel crossed")

    def swap():
        number = begin()
        finish("TABLE_COMMIT", number)
    tap.ok(disturbed("ROUTE_GET", swap), "or a commit")
    clear()

    sh("for i in $(seq 150); do echo link add d$i type dummy; done | "
       "ip -batch -")
    for i in range(1, 151):
        c.do("PORT_SET", f"PORT_IFINDEX:dev=d{i}")
    ports = [kit.read(b, "PORT")["IFINDEX"]
             for b in c.do("PORT_GET", dump=True)]
    tap.equal(sorted(ports), sorted([LAN] + [kit.ifindex(f"d{i}")
                                            for i in range(1, 151)]),
              "151 ports in a dump, once each")
    tap.ok(disturbed("PORT_GET", lambda: c.do("PORT_DEL",
                                              "PORT_IFINDEX:dev=d1")),
           "a dump of ports that a deletion crossed is marked")
    sh("for i in $(seq 150); do echo link del d$i; done | ip -batch -")
    tap.equal(len(c.do("PORT_GET", dump=True)), 1,
              "ports go with their devices")


def test_notifications():
    listener = Client()
    listener.join("config")
    listener.join("state")

    def heard(seconds=5.0):
        return [(NTF.get(k, k), body) for k, body in listener.events(seconds)]
    NTF = {NAMES["CNILINK_CMD_" + n]: n for n in
           ("LINK_NTF", "LINK_DEL_NTF", "TUNNEL_NTF", "TUNNEL_DEL_NTF",
            "PORT_NTF", "PORT_DEL_NTF", "STATE_NTF")}

    def expect(name, fn, *want):
        listener.events()
        fn()
        got, end = [], time.monotonic() + 20
        while not all(w in got for w in want) and time.monotonic() < end:
            got += [n for n, _ in heard(0.5)]
        tap.ok(all(w in got for w in want) and
               not any(g not in want and g != "STATE_NTF" for g in got),
               name, f"heard {got}, not {want}")
    for kind, index in DEV.items():
        good = specs(*GOOD[kind + "_SET"])
        expect(f"{kind}: deletion and addition are told",
               lambda k=kind, g=good, i=index: (
                   c.do(f"{k}_DEL", f"{k}_IFINDEX:u32={i}"),
                   c.request(cmd(k + "_SET"), g)),
               kind + "_DEL_NTF", kind + "_NTF")
    c.do("PORT_SET", f"PORT_IFINDEX:u32={LAN}", "PORT_FLAGS:u32=0")

    def device():
        sh("ip link add d0 type dummy")
        c.do("PORT_SET", "PORT_IFINDEX:dev=d0")
        sh("ip link del d0")
    expect("a device that goes is told of", device, "PORT_NTF",
           "PORT_DEL_NTF")
    expect("what stands in the way is told of",
           lambda: sh("ip rule add fwmark 0x77 lookup 100"),
           "STATE_NTF")
    expect("and when it's gone",
           lambda: sh("ip rule del fwmark 0x77 lookup 100"),
           "STATE_NTF")
    expect("nothing is told of nothing",
           lambda: refused("LINK_DEL", specs("LINK_IFINDEX:dev=lo"), ()))
    listener.close()


def test_namespaces():
    before = everything()
    with ns("lan"):
        other = Client()
    with ns("cf"):
        third = Client()
    tap.ok(not any(other.do(k + "_GET", dump=True)
                   for k in ("LINK", "TUNNEL", "PORT", "ROUTE")),
           "another namespace sees nothing of it")
    refusals("and can't reach it", [
        refused(f"{k}_{v}", specs(f"{k}_IFINDEX:u32={i}"),
                (errno.ENOENT,), client=other)
        for k, i in (("LINK", LINK), ("TUNNEL", GRE), ("PORT", LAN))
        for v in ("GET", "DEL")
        if i not in lan_indices()])
    with ns("cf"):
        names = {n: kit.ifindex(n) for n in ("eth0.1234", "gre1", "eth0")}
    third.do("LINK_SET", f"LINK_IFINDEX:u32={names['eth0.1234']}",
             "LINK_LOCAL4:ip=192.0.2.10", "LINK_PEER4:ip=192.0.2.11")
    third.do("TUNNEL_SET", f"TUNNEL_IFINDEX:u32={names['gre1']}")
    third.set_routes([(prefix("10.9.0.0/24"), (names["gre1"], None))])
    mine, theirs = begin(), begin(third)
    c.set_routes([(prefix("104.24.0.0/14"), VIA)], txn=mine)
    third.set_routes([(prefix("10.8.0.0/16"), (names["gre1"], None))],
                     txn=theirs)
    finish("TABLE_ABORT", mine)
    finish("TABLE_COMMIT", theirs, third)
    tap.ok(everything() == before, "work in two at once doesn't mix")
    tap.equal(third.routes(), {prefix("10.8.0.0/16"): (names["gre1"], None)},
              "each has its own table")
    third.do("TUNNEL_DEL", f"TUNNEL_IFINDEX:u32={names['gre1']}")
    third.do("LINK_DEL", f"LINK_IFINDEX:u32={names['eth0.1234']}")
    third.set_routes([(prefix("10.8.0.0/16"), None)], "ROUTE_DEL")
    for one in (other, third):
        one.close()
    with tap.case("a fresh namespace can be asked at once"):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                kit.LIBC.unshare(kit.CLONE_NEWNET)
                new = Client()
                new.status()
                new.lookup("1.2.3.4")
                new.lookup("::2")
                check(not new.routes())
                begin(new)
                code = 0
            finally:
                os._exit(code)
        check(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0)


def lan_indices():
    with ns("lan"):
        return [i for i, _ in kit.socket.if_nameindex()]


def garbage(rnd, depth=0):
    """Attributes that are mostly nearly right."""
    out = b""
    for _ in range(rnd.choice((0, 1, 1, 2, 3, 5))):
        number = rnd.choice((rnd.randrange(1, 16), rnd.randrange(0x4000)))
        size = rnd.choice((0, 1, 2, 4, 4, 4, 4, 8, 16, 16, 3, 5,
                           rnd.randrange(64)))
        value = rnd.choice((
            rnd.randbytes(size), bytes(size),
            struct.pack("=I", rnd.choice((GRE, LAN, LINK, 1, 0, 2 ** 31))),
            struct.pack("=I", rnd.choice((GRE, LAN, LINK))),
            bytes([rnd.randrange(140)]), ip("104.16.0.0"),
            ip("2606:4700::")))
        if depth < 4 and rnd.random() < .5:
            number, value = number | NLA_F_NESTED, garbage(rnd, depth + 1)
        item = attr(number, value)
        if rnd.random() < .02:
            item = struct.pack("=H", rnd.randrange(65536)) + item[2:]
        out += item
    return out


def test_garbage(seconds=20, seed=4242):
    print(f"# garbage from seed {seed}")
    rnd = random.Random(seed)
    end, n, accepted = time.monotonic() + seconds, 0, 0
    mine = Client()
    mine.sock.settimeout(5)
    while time.monotonic() < end:
        n += 1
        number = rnd.choice(sorted(cmd(op) for op in GOOD))
        body = garbage(rnd)
        if rnd.random() < .3:
            base = bytearray(specs(*GOOD[rnd.choice(sorted(GOOD))]))
            for _ in range(rnd.randrange(4) if base else 0):
                base[rnd.randrange(len(base))] = rnd.randrange(256)
            body = bytes(base) + body
        try:
            mine.request(number, body, dump=rnd.random() < .1)
            accepted += 1
        except genl.Error:
            pass
        if not n % 500:
            mine.close()
            mine = Client()
            mine.sock.settimeout(5)
    mine.close()
    print(f"# {n} requests, {accepted} of them accepted")
    with tap.case("garbage does no harm"):
        check(n > 100 and accepted, n, accepted)
        c.status()
        kit.wait_for(lambda: not refused("TABLE_BEGIN", b"", (errno.EBUSY,))
                     or True)


def test_race():
    """Objects, routes and transactions from many threads at once."""
    stop, errors = time.monotonic() + 5, []

    def work(seed):
        rnd, mine = random.Random(seed), Client()
        routes = list(many(200, seed).items())
        while time.monotonic() < stop:
            try:
                what = rnd.randrange(7)
                if what == 0:
                    mine.do("TUNNEL_DEL", f"TUNNEL_IFINDEX:u32={GRE}")
                elif what == 1:
                    mine.do("TUNNEL_SET", f"TUNNEL_IFINDEX:u32={GRE}")
                elif what == 2:
                    mine.do("LINK_DEL", f"LINK_IFINDEX:u32={LINK}")
                elif what == 3:
                    mine.do("LINK_SET", *GOOD["LINK_SET"])
                elif what == 4:
                    mine.set_routes(routes)
                elif what == 5:
                    mine.set_routes(routes, "ROUTE_DEL")
                else:
                    txn = begin(mine)
                    mine.set_routes(routes, txn=txn)
                    finish(rnd.choice(("TABLE_COMMIT", "TABLE_ABORT")), txn,
                           mine)
            except genl.Error as e:
                if e.code not in (errno.ENOENT, errno.EBUSY):
                    errors.append(e)
        mine.close()
    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    tap.ok(not errors, "many at once don't get in each other's way",
           *errors[:5])


tap.run((test_not_taken, test_refusals, test_privilege, test_batches,
         test_transactions, test_generations, test_dumps, test_notifications,
         test_namespaces, test_race, test_garbage))
c.close()
tap.ok(not sh("rmmod cnilink 2>&1", fail=False), "the module unloads")
tap.end()
