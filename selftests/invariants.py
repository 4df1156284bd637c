# SPDX-License-Identifier: GPL-2.0
"""What makes the fast path step aside, and that the sums add up. Run by
invariants.sh."""
import contextlib
import ctypes
import json
import os
import re
import socket
import struct
import time

import genl
import kit
from kit import check, ip, sh

tap = kit.Tap()
kit.static_neighbours()
kit.quiet()
world = kit.World()
kit.setns("edge")
c = kit.Client()
UP = [ip(t) for t in ("104.16.9.9", "172.64.9.9", "2606:4700::9:9",
                      "2400:cb00::9:9")]
TUNNEL, PLAIN = (0, 2), (1, 3)
down_tx = kit.Tx("cf", "eth0", kit.mac("edge", "eth0"))
sh("sysctl -qw net.ipv4.icmp_ratelimit=0")


def offload(flags=0):
    c.do("LINK_SET", "LINK_IFINDEX:dev=eth0.1234",
         "LINK_LOCAL4:ip=192.0.2.11", "LINK_PEER4:ip=192.0.2.10",
         "LINK_LOCAL6:ip=2001:db8:12:3::b", "LINK_PEER6:ip=2001:db8:12:3::a")
    c.do("PORT_SET", "PORT_IFINDEX:dev=lan0", f"PORT_FLAGS:u32={flags}")
    c.do("TUNNEL_SET", "TUNNEL_IFINDEX:dev=gre1")
    kit.set_routes(c)


def counters():
    return {"port": c.stats("PORT", "lan0"),
            "link": c.stats("LINK", "eth0.1234"),
            "tunnel": c.stats("TUNNEL", "gre1")}


def probe(src=None):
    """Four packets each way: how they went, and what was counted."""
    before = counters()
    ways = world.sent(UP, src)
    first = world.n
    for i, far in enumerate(UP):
        to = world.src[len(far)]
        packet = kit.udp(far, to, first + i)
        down_tx.tagged(kit.gre(packet) if i in TUNNEL else packet)
    world.n += len(UP)
    world.fence()
    got = [n for way, n in world.seen() if way == "lan"]
    ways += [got.count(first + i) for i in range(len(UP))]
    after = counters()
    return ways, {k: kit.growth(before[k], after[k]) for k in after}


ALL = ["tunnel", "plain", "tunnel", "plain", 1, 1, 1, 1]


def is_fast(grown):
    return grown["port"].get("RX_PACKETS") == 4 and \
        grown["link"].get("RX_PACKETS") == 4


def fast_again(seconds=20):
    last = None

    def try_it():
        nonlocal last
        last = probe()
        return last[0] == ALL and is_fast(last[1])
    check(kit.wait_for(try_it, seconds), "not fast again:", last)


def aside(name, reason, do, undo, up=(), down=(), arrive=True):
    """Packets that must take the kernel's path, by their number in UP."""
    with tap.case(f"{name}: punted, because of {reason}"):
        fast_again()
        do() if callable(do) else sh(do)
        ways, grown = probe()
        if arrive:
            check(ways == ALL, ways, grown)
        check(grown["port"].get(reason, 0) == len(up), "up", ways, grown)
        check(grown["link"].get(reason, 0) == len(down), "down", ways, grown)
        check(grown["port"].get("RX_PACKETS", 0) == 4 - len(up), grown)
        check(grown["link"].get("RX_PACKETS", 0) == 4 - len(down), grown)
    undo() if callable(undo) else sh(undo, fail=False)
    with tap.case(f"{name}: gone, and fast again"):
        fast_again()


EVERY = range(4)


def attached():
    for dev, hit in (("eth0.1234", EVERY), ("gre1", TUNNEL)):
        for qdisc in ("pfifo", "tbf rate 1gbit burst 200kb latency 1s",
                      "htb"):
            aside(f"qdisc {qdisc.split()[0]} on {dev}", "QDISC",
                  f"tc qdisc add dev {dev} root {qdisc}",
                  f"tc qdisc del dev {dev} root", up=hit)
        for way, hits in (("egress", {"up": hit}), ("ingress",
                                                    {"down": hit})):
            aside(f"tc {way} on {dev}", "TC",
                  f"tc qdisc add dev {dev} clsact && "
                  f"tc filter add dev {dev} {way} matchall action pass",
                  f"tc qdisc del dev {dev} clsact", **hits)
            aside(f"nft {way} on {dev}", "NFT_DEVICE",
                  "nft add table netdev t && nft add chain netdev t c "
                  f"'{{ type filter hook {way} device \"{dev}\" "
                  "priority 0; }'", "nft delete table netdev t", **hits)
        aside(f"generic XDP on {dev}", "XDP", lambda d=dev: xdp(d, True),
              lambda d=dev: xdp(d, False), down=hit)


def xdp(dev, on):
    """A program that passes everything."""
    fd = -1
    if on:
        insns = ctypes.create_string_buffer(
            struct.pack("=BBhi", 0xb7, 0, 0, 2) +
            struct.pack("=BBhi", 0x95, 0, 0, 0))
        gpl = ctypes.create_string_buffer(b"GPL")
        attrs = struct.pack("=IIQQ", 6, 2, ctypes.addressof(insns),
                            ctypes.addressof(gpl)).ljust(128, b"\0")
        fd = kit.LIBC.syscall(321, 5, ctypes.create_string_buffer(attrs), 128)
        check(fd >= 0, "bpf", ctypes.get_errno())
    rtnl = kit.Rtnl()
    body = struct.pack("=BxHiII", 0, 0, kit.ifindex(dev), 0, 0) + genl.attr(
        43 | genl.NLA_F_NESTED, genl.attr(1, struct.pack("=i", fd)) +
        genl.attr(3, struct.pack("=I", 2)))
    err = rtnl.request(19, 0, body)
    if fd >= 0:
        os.close(fd)
    check(not err, "xdp", err)


def policies():
    aside("xfrm policy", "XFRM",
          "ip xfrm policy add src 198.18.0.0/15 dst 198.18.0.0/15 dir fwd",
          "ip xfrm policy flush", up=EVERY, down=EVERY)
    aside("xfrm default of block", "XFRM",
          "ip xfrm policy setdefault fwd block",
          "ip xfrm policy setdefault fwd accept", up=EVERY, down=EVERY,
          arrive=False)


def chain(hook, family="ip"):
    return (f"nft add table {family} t && nft add chain {family} t c "
            f"'{{ type filter hook {hook} priority 0; }}'",
            f"nft delete table {family} t")


def netfilter():
    families = {"ip": (0, 1), "ip6": (2, 3)}
    for hook, plain in (("prerouting", True), ("forward", True),
                        ("postrouting", True), ("input", False),
                        ("output", False)):
        for family, own in families.items():
            hit = set(own if plain else ())
            # The outer packet is received here, or sent from here.
            if hook != "forward" and kit.OVER6 == (family == "ip6"):
                hit |= set(TUNNEL)
            aside(f"nft {family} {hook}", "NETFILTER", *chain(hook, family),
                  up=hit, down=hit)
    for hook in ("prerouting", "forward", "postrouting", "input", "output"):
        both = EVERY if hook not in ("input", "output") else TUNNEL
        do, undo = chain(hook, "inet")
        with tap.case(f"bypass-netfilter lifts nft inet {hook}"):
            fast_again()
            sh(do)
            grown = probe()[1]
            check(grown["port"].get("NETFILTER") == len(both), grown)
            offload(1)
            ways, grown = probe()
            check(ways == ALL and is_fast(grown), ways, grown)
        offload(0)
        sh(undo)
    with tap.case("bypass-netfilter lifts nothing else"):
        offload(1)
        sh("tc qdisc add dev eth0.1234 root pfifo")
        grown = probe()[1]
        check(grown["port"].get("QDISC") == 4, grown)
    sh("tc qdisc del dev eth0.1234 root", fail=False)
    offload(0)
    fast_again()


def below():
    """What is attached to the devices that frames leave by sees each one, and
    they're fast all the same."""
    for dev in "eth0", "lan0":
        for name, do, show, undo in (
                ("a qdisc", f"tc qdisc add dev {dev} root pfifo",
                 f"tc -s qdisc show dev {dev} root",
                 f"tc qdisc del dev {dev} root"),
                ("tc egress", f"tc qdisc add dev {dev} clsact && tc filter add "
                 f"dev {dev} egress prio 1 matchall action pass",
                 f"tc -s filter show dev {dev} egress",
                 f"tc qdisc del dev {dev} clsact"),
                ("nft egress", "nft add table netdev t && "
                 f"nft add chain netdev t c '{{ type filter hook egress "
                 f"device \"{dev}\" priority 0; }}' && "
                 "nft add rule netdev t c counter",
                 "nft list table netdev t", "nft delete table netdev t")):
            with tap.case(f"{name} of {dev} sees what leaves"):
                fast_again()
                sh(do)
                ways, grown = probe()
                seen = re.search(r"(?:Sent \d+ bytes|packets) (\d+)", sh(show))
                check(ways == ALL and is_fast(grown), ways, grown)
                check(int(seen[1]) >= 4, seen[0])
            sh(undo, fail=False)
        with tap.case(f"a capture on {dev} sees what leaves"):
            with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM,
                               socket.htons(kit.ETH_P_ALL)) as s:
                s.bind((dev, kit.ETH_P_ALL))
                s.setblocking(False)
                ways, grown = probe()
                seen = 0
                with contextlib.suppress(BlockingIOError):
                    while True:
                        seen += s.recvfrom(4096)[1][2] == 4
            check(ways == ALL and is_fast(grown), ways, grown)
            check(seen >= 4, seen)
    fast_again()


def captures():
    """A capture is complete, and has both directions."""
    for dev, hit in (("gre1", TUNNEL), ("eth0.1234", EVERY), ("", EVERY)):
        with tap.case(f"a capture on {dev or 'any device'} sees all"):
            fast_again()
            s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM,
                              socket.htons(kit.ETH_P_ALL))
            if dev:
                s.bind((dev, kit.ETH_P_ALL))
            s.setblocking(False)
            ways, grown = probe()
            seen = {0: 0, 4: 0}
            while True:
                try:
                    _, addr = s.recvfrom(4096)
                except BlockingIOError:
                    break
                if addr[0] == (dev or "gre1") and addr[1] in (0x800, 0x86dd):
                    seen[4 if addr[2] == 4 else 0] += 1
            s.close()
            want = len(hit if dev else TUNNEL)
            check(ways == ALL, ways)
            check(seen[0] >= want and seen[4] >= want, seen, grown)
            check(grown["port"].get("TAP") == len(hit) and
                  grown["link"].get("TAP") == len(hit), grown)
        with tap.case(f"the capture on {dev or 'any device'} is over"):
            fast_again()


def packet_socket(dev, proto):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    s.bind((dev, proto))
    return s


def raw_socket(family, proto):
    return socket.socket(family, socket.SOCK_RAW, proto)


# name: what opens it; the packets of ours that it keeps from going fast, by
# their number in UP, on their way up and down
OUTER = 0x86dd if kit.OVER6 else 0x800
BY_LINK = {p: [i for i in EVERY if (OUTER if i in TUNNEL else
                                    (0x800, 0x86dd)[i > 1]) == p]
           for p in (0x800, 0x86dd)}
SOCKETS = {f"{dev} {proto:#06x}": (
    lambda d=dev, p=proto: packet_socket(d, p), up, down)
    for dev, proto, up, down in (
        ("lan0", 0x800, (0, 1), ()), ("lan0", 0x86dd, (2, 3), ()),
        ("gre1", 0x800, (), (0,)), ("gre1", 0x86dd, (), (2,)),
        ("eth0.1234", 0x800, (), BY_LINK[0x800]),
        ("eth0.1234", 0x86dd, (), BY_LINK[0x86dd]),
        ("eth0", 0x800, (), BY_LINK[0x800]),
        ("eth0", 0x86dd, (), BY_LINK[0x86dd]),
        ("lan0", 0x88cc, (), ()), ("eth0", 0x8100, (), ()),
        ("eth0.1234", 0x806, (), ()), ("eth0", 0x8864, (), ()))}
SOCKETS.update({
    "raw GRE": (lambda: raw_socket(socket.AF_INET, 47), (),
                () if kit.OVER6 else TUNNEL),
    "raw GRE, IPv6": (lambda: raw_socket(socket.AF_INET6, 47), (),
                      TUNNEL if kit.OVER6 else ()),
    "raw options, IPv6": (lambda: raw_socket(socket.AF_INET6, 60), (),
                          TUNNEL if kit.OVER6 else ()),
    "raw ICMP": (lambda: raw_socket(socket.AF_INET, 1), (), ()),
    "raw UDP": (lambda: raw_socket(socket.AF_INET, 17), (), ())})


def seen_by(s):
    """How many packets of ours, of all that a socket got."""
    n = 0
    s.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            n += len(s.recv(4096)) > kit.LONG
    return n


def sockets():
    """Sockets for one protocol get what they would get from the kernel."""
    got = {}
    for name, (make, up, down) in SOCKETS.items():
        with tap.case(f"socket {name}: {len(up)} and {len(down)} are left to "
                      "the kernel"):
            fast_again()
            with make() as s:
                ways, grown = probe()
                got[name] = seen_by(s)
                said = {k for k in ("port", "link", "tunnel") if "TAP" in
                        c.get(k.upper(), {"port": "lan0", "link": "eth0.1234",
                                          "tunnel": "gre1"}[k])["BLOCKERS"]}
            check(ways == ALL, ways, grown)
            for kind, hit in (("port", up), ("link", down)):
                check(grown[kind].get("TAP", 0) == len(hit) and
                      grown[kind].get("RX_PACKETS", 0) == 4 - len(hit), grown)
                check(not hit or said, "not shown")
            check(bool(up or down) == bool(said), said)
    sh("rmmod cnilink")
    for name, (make, up, down) in SOCKETS.items():
        with make() as s:
            world.sent(UP)
            for i, far in enumerate(UP):
                packet = kit.udp(far, world.src[len(far)], 0)
                down_tx.tagged(kit.gre(packet) if i in TUNNEL else packet)
            world.fence()
            want = seen_by(s)
        tap.equal(got.get(name), want, f"socket {name}: gets what it gets "
                  "without the module")
    sh(f"insmod {os.environ['CNILINK_KO']}")
    fresh()


def forwarding():
    for name, value, up, where in (
            ("net.ipv4.conf.lan0.forwarding", 0, (0, 1), "port"),
            ("net.ipv4.conf.gre1.forwarding", 0, (0,), "link"),
            ("net.ipv4.conf.eth0/1234.forwarding", 0, (1,), "link")):
        args = {"up" if where == "port" else "down": up}
        aside(f"{name}=0", "FORWARDING_OFF", f"sysctl -qw {name}={value}",
              f"sysctl -qw {name}=1", arrive=False, **args)
    with tap.case("ip_forward=0: nothing is forwarded"):
        fast_again()
        sh("sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0")
        ways, grown = probe()
        check(ways == [None] * 4 + [0] * 4, ways, grown)
    sh("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
    fast_again()


def rp_filter():
    """The same as the kernel would: by source and strictness."""
    sources = {"of the LAN": "10.9.0.77", "of nowhere": "10.88.0.5",
               "of the tunnel": "104.16.3.3", "of this host": "10.9.0.1"}
    dsts = [ip("104.16.9.9"), ip("172.64.9.9")]

    def ask():
        return {(strict, name): way(strict, s)
                for strict in (0, 1, 2) for name, s in sources.items()}

    def way(strict, source):
        sh(f"sysctl -qw net.ipv4.conf.lan0.rp_filter={strict}")
        return world.sent(dsts, {4: ip(source)})
    got = ask()
    grown = c.stats("PORT", "lan0")
    sh("rmmod cnilink")
    want = ask()
    tap.ok(got == want, "rp_filter: as the kernel does", got, want)
    check(want[0, "of nowhere"] == ["tunnel", "plain"] and
          want[1, "of nowhere"] == [None, None], want)
    sh("sysctl -qw net.ipv4.conf.lan0.rp_filter=0")
    sh(f"insmod {os.environ['CNILINK_KO']}")
    check(grown)
    fresh()


def fresh():
    global c
    c.close()
    c = kit.Client()
    offload()
    fast_again()


def devices():
    out = {}
    for one in json.loads(sh("ip -s -j link")):
        stats = one["stats64"]
        for way in ("rx", "tx"):
            for what in ("packets", "bytes"):
                out[one["ifname"], way, what] = stats[way][what]
    return {k: v for k, v in out.items() if k[0] not in ("lo",)}


def snapshot():
    """The module's counters and the devices', of one moment: neighbours ask
    for each other now and then, and a frame waits between the two."""
    last = None
    while True:
        now = counters(), devices()
        if now == last:
            return now
        last = now
        time.sleep(0.1)


def least(runs):
    """What all runs have: neighbours' questions only ever add to it."""
    return {k: min(r.get(k, 0) for r in runs) for k in set().union(*runs)}


def sums():
    def traffic():
        before = devices()
        for size in (32, 500, 1300):
            world.sent(UP * 10, size=max(size, kit.LONG))
            for i in range(40):
                far = UP[i % 4]
                packet = kit.udp(far, world.src[len(far)], 0, size=size)
                down_tx.tagged(kit.gre(packet) if i % 4 in TUNNEL else
                               packet)
            world.fence()
        world.sent([ip("104.16.0.5")] * 5, ttl=1)
        world.sent([ip("203.0.113.9"), ip("10.9.0.1")])
        return kit.growth(before, devices())
    fast_again()
    before, dev = snapshot()
    got = traffic()
    own, now = snapshot()
    grown = kit.growth(dev, now)
    after = {k: kit.growth(before[k], v) for k, v in own.items()}
    for kind, name in (("port", "lan0"), ("link", "eth0")):
        one = after[kind]
        total = sum(one.get(k, 0) for k in ("RX_PACKETS", "PUNT", "DROP"))
        tap.equal(total, grown[name, "rx", "packets"],
                  f"{kind}: taken, left and dropped are all that came")
        tap.ok(one.get("RX_PACKETS", 0) > 100 and
               one["RX_PACKETS"] <= total, f"{kind}: most was taken", one)
    tunnel = after["tunnel"]
    tap.equal(tunnel.get("TX_PACKETS"), grown["gre1", "tx", "packets"],
              "tunnel: all that was sent went fast")
    tap.equal(tunnel.get("TX_BYTES"), grown["gre1", "tx", "bytes"],
              "in bytes too")
    tap.equal(tunnel.get("RX_PACKETS"), grown["gre1", "rx", "packets"],
              "and all that was received")
    got = least([got, traffic(), traffic()])
    sh("rmmod cnilink")
    traffic()
    stock = least([traffic(), traffic(), traffic()])
    sh(f"insmod {os.environ['CNILINK_KO']}")
    different = {k: (got.get(k), stock.get(k)) for k in set(got) | set(stock)
                 if got.get(k) != stock.get(k)}
    tap.ok(not different, "the stock devices count the same without the "
           "module", different)
    fresh()


def neighbours():
    """The next hop's MAC address goes, fails, comes back, changes."""
    peers = [("192.0.2.10", "eth0.1234"), ("2001:db8:12:3::a", "eth0.1234")]
    real = kit.mac("cf", "eth0").hex(":")

    def neigh(mac, extra="nud permanent"):
        for addr, dev in peers:
            sh(f"ip neigh replace {addr} dev {dev} lladdr {mac} {extra}")
    with tap.case("next hop failed: the kernel asks for it again"):
        for addr, dev in peers:
            sh(f"ip neigh replace {addr} dev {dev} nud failed")
        ways, grown = probe()
        # The answer may be here before the next packet is.
        # Where the once-a-second look asked first, there was no wait for it.
        check(ways == ALL and grown["port"].get("NEIGHBOUR", 0) +
              grown["port"].get("RX_PACKETS", 0) == len(UP), ways, grown)
        fast_again()
    with tap.case("next hop deleted: found again by itself"):
        for addr, dev in peers:
            sh(f"ip neigh del {addr} dev {dev}")
        fast_again()
    with tap.case("the peer's MAC address changes: so do the frames"):
        other = "02:00:00:00:12:34"
        neigh(other)
        sniff = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                              socket.htons(kit.ETH_P_ALL))
        sniff.bind(("eth0", kit.ETH_P_ALL))
        grown = probe()[1]
        check(grown["port"].get("RX_PACKETS") == 4, grown)
        sniff.setblocking(False)
        macs = set()
        while True:
            try:
                data, addr = sniff.recvfrom(2048)
            except BlockingIOError:
                break
            if addr[2] == 4 and len(data) > kit.LONG:
                macs.add(data[:6].hex(":"))
        sniff.close()
        check(macs == {other}, macs)
    neigh(real)
    fast_again()


def underlay():
    """The kernel's routes of the outer packet are watched, too."""
    local, remote = ("2001:db8:12:3::b", "2001:db8:12:3::a") \
        if kit.OVER6 else ("192.0.2.11", "192.0.2.10")
    with tap.case("the remote end is routed elsewhere: no fast way there"):
        fast_again()
        sh(f"ip route add {remote} dev lan0")
        ways, grown = probe()
        check("tunnel" not in ways, ways, grown)
        check(grown["port"].get("NOT_OFFLOADED") == len(TUNNEL), grown)
    sh(f"ip route del {remote} dev lan0", fail=False)
    with tap.case("and back: fast again"):
        fast_again()
    with tap.case("the local address goes: nothing is received"):
        sh(f"ip addr add {local} dev lo; ip addr del {local} dev lo")
        fast_again()
        length = 127 if kit.OVER6 else 31
        sh(f"ip addr del {local}/{length} dev eth0.1234")
        ways, grown = probe()
        check([ways[4 + i] for i in TUNNEL] == [0, 0], ways, grown)
        check("LOCAL_MISSING" in c.get("TUNNEL", "gre1")["BLOCKERS"] or
              kit.wait_for(lambda: "LOCAL_MISSING" in
                           c.get("TUNNEL", "gre1")["BLOCKERS"]))
    sh(f"ip addr add {local}/{length} dev eth0.1234 " +
       "nodad" * kit.OVER6)
    sh("ip route replace 172.64.0.0/13 via 192.0.2.10 && "
       "ip route replace 2400:cb00::/32 via 2001:db8:12:3::a")
    offload()
    with tap.case("it's back: fast again"):
        fast_again()


def complain(kind, code, word=0):
    """The way says something of the tunnel's packets, by ICMP."""
    far = UP[2 if kit.OVER6 else 0]
    down_tx.tagged(kit.complaint(kit.udp(world.src[len(far)], far, 0), kind,
                                 code, word))
    world.fence()
    world.fence()


def failed():
    """One packet for the tunnel: is it left to the stock device to fail? Of
    two that come together, both may be before the first is dealt with."""
    before = c.stats("PORT", "lan0")
    world.sent([UP[TUNNEL[0]]])
    return kit.growth(before, c.stats("PORT", "lan0")).get("TUNNEL_ERROR", 0)


def errors():
    """What the way says of the tunnel's packets, the stock device passes on
    to the next senders."""
    host = (1, 0) if kit.OVER6 else (3, 1)
    with tap.case("an ICMP error of the tunnel's way"):
        fast_again()
        complain(*host)
        check(failed() == 1)
    with tap.case("is passed on once"):
        fast_again()
    with tap.case("three of them, to the next three senders"):
        for _ in range(3):
            complain(*host)
        grown = [failed() for _ in range(4)]
        check(grown == [1, 1, 1, 0], grown)
        fast_again()


def path_mtu():
    """What the outer packets' way lets pass gets less, and more."""
    v6 = kit.OVER6
    dsts = [UP[i] for i in TUNNEL]
    with tap.case("a smaller path MTU of the tunnel's: kept to at once"):
        fast_again()
        check(world.sent(dsts, size=1350) == ["tunnel"] * 2)
        complain(*((2, 0) if v6 else (3, 4)), 1300)
        ways = world.sent(dsts, size=1350)
        check(ways == [None] * 2, ways, c.stats("PORT", "lan0"))
    with tap.case("and what fits goes fast again"):
        fast_again()
        ways = world.sent(dsts, size=1350)
        check(ways == [None] * 2, ways)
    with tap.case("forgotten: large ones go fast again"):
        sh("ip route flush cache; ip -6 route flush cache")

        def large():
            before = c.stats("PORT", "lan0")
            ways = world.sent(dsts, size=1350)
            return ways == ["tunnel"] * 2 and kit.growth(
                before, c.stats("PORT", "lan0")).get("RX_PACKETS") == 2
        check(kit.wait_for(large))


def tunnel_blockers6():
    base = "local 2001:db8:12:3::b remote 2001:db8:12:3::a hoplimit 64"
    sh("modprobe fou6", fail=False)
    for opts, want, up in (
            (base, set(), True),
            (base + " oseq", {"GRE_SEQ"}, True),
            (base + " icsum", set(), True),
            (base + " ocsum", set(), True),
            ("external", {"GRE_EXTERNAL"}, True),
            ("remote 2001:db8:12:3::a", {"GRE_ENDPOINT"}, True),
            ("local 2001:db8:12:3::b", {"GRE_ENDPOINT"}, True),
            ("local fe80::1 remote fe80::2 dev eth0.1234", {"GRE_ENDPOINT"},
             True),
            ("local 2001:db8:12:3::b remote ff0e::1", {"GRE_ENDPOINT"}, True),
            ("local fd09::1 remote fd09::2", {"ROUTE_ELSEWHERE"}, True),
            ("local 3fff::1 remote 2001:db8:12:3::a", {"LOCAL_MISSING"}, True),
            ("local 2001:db8:12:3::b remote 3fff::2", {"NO_ROUTE"}, True),
            (base, {"DEVICE_DOWN"}, False),
            (base + " key 7", set(), True),
            (base + " encap fou encap-sport auto encap-dport 5555",
             {"GRE_ENCAP"}, True)):
        with tap.case(f"ip6gre {opts}{'' if up else ', down'}: "
                      f"{', '.join(want) or 'offloaded'}"):
            sh("ip link del gre1", fail=False)
            sh(f"ip link add gre1 type ip6gre {opts}")
            if up:
                sh("ip link set gre1 addrgenmode none up")
            c.do("TUNNEL_SET", "TUNNEL_IFINDEX:dev=gre1")
            tunnel = c.get("TUNNEL", "gre1")
            got = tunnel["BLOCKERS"]
            check(want <= got if want else not got, got)
            if not want:
                check(tunnel["LOCAL6"] == ip("2001:db8:12:3::b") and
                      tunnel["REMOTE6"] == ip("2001:db8:12:3::a"), tunnel)


def tunnel_blockers():
    base = "local 192.0.2.11 remote 192.0.2.10 ttl 64"
    sh("modprobe fou", fail=False)
    for opts, want, up in (
            (base, set(), True),
            (base + " oseq", {"GRE_SEQ"}, True),
            (base + " iseq", {"GRE_SEQ"}, True),
            (base + " icsum", set(), True),
            (base + " ocsum", set(), True),
            ("external", {"GRE_EXTERNAL"}, True),
            ("remote 192.0.2.10", {"GRE_ENDPOINT"}, True),
            ("local 192.0.2.11", {"GRE_ENDPOINT"}, True),
            ("local 10.9.0.1 remote 10.9.0.2", {"ROUTE_ELSEWHERE"}, True),
            ("local 198.18.0.1 remote 192.0.2.10", {"LOCAL_MISSING"}, True),
            ("local 192.0.2.11 remote 203.0.113.1", {"NO_ROUTE"}, True),
            (base, {"DEVICE_DOWN"}, False),
            (base + " key 7", set(), True),
            (base + " encap fou encap-sport auto encap-dport 5555",
             {"GRE_ENCAP"}, True)):
        with tap.case(f"gre {opts}{'' if up else ', down'}: "
                      f"{', '.join(want) or 'offloaded'}"):
            sh("ip link del gre1", fail=False)
            sh(f"ip link add gre1 type gre {opts}")
            if up:
                sh("ip link set gre1 addrgenmode none up")
            c.do("TUNNEL_SET", "TUNNEL_IFINDEX:dev=gre1")
            got = c.get("TUNNEL", "gre1")["BLOCKERS"]
            check(want <= got if want else not got, got)


def outer_varies():
    """The outer packet's route hangs on the inner one."""
    base = "local 192.0.2.11 remote 192.0.2.10 ttl 64"
    by_tos = "192.0.2.10/32 tos 0x10 dev lan0"
    several = "192.0.2.10/32 nexthop dev eth0.1234 nexthop dev lan0"
    for opts, route, want in (
            (base + " tos inherit", "", set()),
            (base + " tos inherit", by_tos, {"MULTIPATH"}),
            (base, by_tos, set()),
            (base + " tos 0x10", by_tos, {"ROUTE_ELSEWHERE"}),
            (base, several, {"MULTIPATH"}),
            (base + " tos inherit", several, {"MULTIPATH"}),
            (base + " dev eth0.1234", several, set())):
        with tap.case(f"gre {opts}, route {route or 'as ever'}: "
                      f"{', '.join(want) or 'offloaded'}"):
            sh("ip link del gre1", fail=False)
            sh(f"ip link add gre1 type gre {opts}")
            sh("ip link set gre1 addrgenmode none up")
            sh("ip route add 104.16.0.0/13 dev gre1")
            offload()
            check(not c.get("TUNNEL", "gre1")["BLOCKERS"])
            world.sent([UP[0]], tos=0x10)
            if route:
                sh(f"ip route add {route}")
            got = c.get("TUNNEL", "gre1")["BLOCKERS"] if not route else \
                kit.wait_for(lambda: c.get("TUNNEL", "gre1")["BLOCKERS"] or
                             (set() if want else {0}), 2 if want else .2)
            check(got - {0} == want, got)
            numbers = world.sent([UP[0]] * 4, tos=0x10)
            stray = want or opts.endswith("0x10") or route == by_tos and \
                opts.endswith("inherit")
            check(numbers == ["tunnel"] * 4 or stray, numbers)
            if route == by_tos and opts != base:
                check(numbers == [None] * 4, numbers)
        if route:
            sh(f"ip route del {route}", fail=False)


offload()
fast_again()
tap.run((sums, netfilter, captures, sockets, neighbours, underlay, errors,
         path_mtu, tunnel_blockers6) if kit.OVER6 else (
    sums, attached, policies, netfilter, below, captures, sockets, forwarding,
    rp_filter, neighbours, underlay, errors, path_mtu, tunnel_blockers,
    outer_varies))
c.close()
tap.ok(not sh("rmmod cnilink 2>&1", fail=False), "the module unloads")
tap.end()
