# SPDX-License-Identifier: GPL-2.0
"""Flows over several next hops: each packet goes by the one that the kernel
itself sends it by. Run by multipath.sh."""
import os
import struct
import time

import kit
from kit import check, ip, prefix, sh, sysctl

DEEP = bool(os.environ.get("CNI_DEEP"))
tap = kit.Tap()
kit.static_neighbours()
kit.quiet()
world = kit.World()
kit.setns("edge")
c = kit.Client()
DEV = {n: kit.ifindex(n) for n in ("eth0.1234", "gre1", "gre2", "gre3",
                                   "lan0")}
LAN_MACS = {kit.mac("lan", "eth0"): "a", bytes.fromhex("020000000003"): "b"}
NET = {4: "104.16.0.0/13", 6: "2606:4700::/32"}
LAN_NET = {4: "10.50.0.0/16", 6: "fd50::/32"}
# IPv6 has no routes of several devices without gateways.
VIA = {4: {"eth0.1234": "192.0.2.10"},
       6: {"eth0.1234": "2001:db8:12:3::a", "gre1": "fd99::",
           "gre2": "fd99:2::", "gre3": "fd99:3::"}}
LAN_HOPS = {4: ("10.9.0.2", "10.9.0.3"), 6: ("fd09::2", "fd09::3")}
down_tx = kit.Tx("cf", "eth0", kit.mac("edge", "eth0"))
next_number = [1]


def offload():
    c.do("LINK_SET", "LINK_IFINDEX:dev=eth0.1234",
         "LINK_LOCAL4:ip=192.0.2.11", "LINK_PEER4:ip=192.0.2.10",
         "LINK_LOCAL6:ip=2001:db8:12:3::b", "LINK_PEER6:ip=2001:db8:12:3::a")
    c.do("PORT_SET", "PORT_IFINDEX:dev=lan0")
    for gre in ("gre1", "gre2", "gre3"):
        c.do("TUNNEL_SET", f"TUNNEL_IFINDEX:dev={gre}")
    for addr in (LAN_HOPS[4][1], LAN_HOPS[6][1]):
        sh(f"ip neigh replace {addr} dev lan0 lladdr 02:00:00:00:00:03 "
           "nud permanent")


def tail():
    """What tells a packet from all others, and makes it long enough."""
    next_number[0] += 1
    return bytes(kit.LONG) + struct.pack("!Q", next_number[0])


def ipv4(src, dst, proto, body, frag=0):
    return kit.ipv4(src, dst, proto, body, frag, 32)


def ipv6(src, dst, proto, body, label=0):
    return struct.pack("!IHBB16s16s", 6 << 28 | label, len(body), proto, 32,
                       src, dst) + body


def ports(i):
    return struct.pack("!HH", 1024 + i * 7, 443 if i % 2 else 53)


def tcp(i):
    return ports(i) + struct.pack("!IIHHHH", 1, 1, 0x5010, 1000, 0, 0)


def udp(i):
    return ports(i) + struct.pack("!HH", 16 + kit.LONG, 0)


def packets4(src, dst, i):
    """One of each kind that the kernel hashes in its own way."""
    inner = ipv4(dst, src, 6, tcp(i))
    yield "udp", ipv4(src, dst, 17, udp(i) + tail())
    yield "tcp", ipv4(src, dst, 6, tcp(i) + tail())
    yield "first fragment", ipv4(src, dst, 17, udp(i) + tail(), 0x2000)
    yield "fragment", ipv4(src, dst, 17, tail(), 0x0010)
    yield "esp", ipv4(src, dst, 50, struct.pack("!II", i, 1) + tail())
    yield "gre", ipv4(src, dst, 47, b"\0\0\x08\0" + inner + tail())
    yield "ipip", ipv4(src, dst, 4, inner + tail())
    yield "sctp", ipv4(src, dst, 132, ports(i) + bytes(8) + tail())
    yield "icmp echo", ipv4(src, dst, 1, struct.pack(
        "!BBHHH", 8, 0, 0, i, 1) + tail())
    yield "icmp error", ipv4(src, dst, 1, bytes((3, 1, 0, 0, 0, 0, 0, 0)) +
                             inner + tail())
    yield "unknown", ipv4(src, dst, 200, struct.pack("!I", i) + tail())


def packets6(src, dst, i):
    inner = ipv6(dst, src, 6, tcp(i))
    yield "udp", ipv6(src, dst, 17, udp(i) + tail())
    yield "udp, labelled", ipv6(src, dst, 17, udp(i) + tail(), i * 77)
    yield "tcp", ipv6(src, dst, 6, tcp(i) + tail())
    yield "first fragment", ipv6(src, dst, 44, struct.pack(
        "!BBHI", 17, 0, 1, i) + udp(i) + tail())
    yield "fragment", ipv6(src, dst, 44, struct.pack(
        "!BBHI", 17, 0, 0x101, i) + tail())
    yield "destination options", ipv6(src, dst, 60, bytes(
        (17, 0, 1, 4, 0, 0, 0, 0)) + udp(i) + tail())
    yield "esp", ipv6(src, dst, 50, struct.pack("!II", i, 1) + tail())
    yield "gre", ipv6(src, dst, 47, b"\0\0\x86\xdd" + inner + tail())
    yield "icmp echo", ipv6(src, dst, 58, struct.pack(
        "!BBHHH", 128, 0, 0, i, 1) + tail())
    yield "icmp error", ipv6(src, dst, 58, bytes((1, 0, 0, 0, 0, 0, 0, 0)) +
                             inner + tail())


def corpus(version, flows):
    """(kind, packet) for the LAN to send."""
    make = packets4 if version == 4 else packets6
    src = world.src[4 if version == 4 else 16]
    first = prefix(NET[version])[0]
    for i in range(flows):
        dst = first[:-2] + struct.pack("!H", 257 * (i % 200) + 3)
        yield from make(src, dst, i)


def send_up(packets):
    for packet in packets:
        world.tx.ip(packet)
    world.fence()


def send_down(packets):
    """Out of the first tunnel, as the far end sends."""
    for packet in packets:
        down_tx.tagged(kit.gre(packet))
    world.fence()


def way_up(tag, packet):
    if tag is None:
        return None, packet
    inside = kit.inner(packet)
    if inside is None or kit.ip("192.0.2.10") != packet[16:20]:
        return "plain", packet
    keyed = packet[20] & 0x20
    return f"gre{packet[27] if keyed else 1}", inside


def ways(packets, send, group=40):
    """By which way each packet came out, in order."""
    names, index = [None] * len(packets), {}
    for i, packet in enumerate(packets):
        index[packet[-8:]] = i
    for at in range(0, len(packets), group):
        send(packets[at:at + group])
        for tag, _, data in world.cf.frames():
            way, packet = way_up(tag, data)
            if packet[-8:] in index:
                names[index[packet[-8:]]] = way
        for _, _, packet, to in world.lan.frames(macs=True):
            if packet[-8:] in index and to in LAN_MACS:
                names[index[packet[-8:]]] = LAN_MACS[to]
    return names


def kernel_route(version, net, hops):
    """hops: (device, gateway, weight)"""
    text = " ".join(f"nexthop {'via ' + gw if gw else ''} dev {dev} "
                    f"weight {weight}" for dev, gw, weight in hops)
    sh(f"ip -{version} route replace {net} {text}")


def kernel_object(version, net, hops):
    """The same with a next hop object, as FRR does it."""
    group = []
    for i, (dev, gw, weight) in enumerate(hops):
        sh(f"ip -{version} nexthop replace id {i + 1} "
           f"{'via ' + gw if gw else ''} dev {dev}")
        group.append(f"{i + 1},{weight}")
    sh(f"ip nexthop replace id 9 group {'/'.join(group)}")
    sh(f"ip -{version} route replace {net} nhid 9")


def via(version, hops):
    return [(dev, VIA[version].get(dev), weight) for dev, weight in hops]


def module_route(net, hops, nhid=None):
    c.set_routes([(prefix(net), [(DEV[dev], ip(gw) if gw else None, weight)
                                 for dev, gw, weight in hops])], nhid=nhid)


def counters():
    return c.stats("PORT", "lan0"), c.stats("LINK", "eth0.1234")


def compare(what, version, net, hops, send, kinds, punted=(),
            route=kernel_route):
    """The same packets by the kernel and by the module."""
    names, packets = zip(*kinds)
    route(version, net, hops)
    c.set_routes([(prefix(net), None)])
    before = counters()
    want = ways(packets, send)
    grown = [kit.growth(b, a) for b, a in zip(before, counters())]
    check(not any(g.get("RX_PACKETS") for g in grown), grown)
    check(None not in want, what, "lost", names[want.index(None)]
          if None in want else "")
    module_route(net, hops)
    before = counters()
    got = ways(packets, send)
    grown = [kit.growth(b, a) for b, a in zip(before, counters())]
    for name, g, w in zip(names, got, want):
        check(g == w, f"{what}: {name} went {g}, the kernel's way is {w}")
    slow = sum(name in punted for name in names)
    check(sum(g.get("RX_PACKETS", 0) for g in grown) == len(packets) - slow and
          sum(g.get("MULTIPATH", 0) for g in grown) == slow, grown)
    return got


def policy(value):
    sysctl("net/ipv4/fib_multipath_hash_policy", value)
    sysctl("net/ipv6/fib_multipath_hash_policy", value)


def spread(names, hops):
    """How far shares are from the weights, at most."""
    total = sum(w for _, _, w in hops)
    return max(abs(names.count(dev) / len(names) - w / total)
               for dev, _, w in hops)


# A tunnel that goes down and up again has its address still.
sysctl("net/ipv6/conf/all/keep_addr_on_down", 1)
offload()
for version in (4, 6):
    v = f"IPv{version}"
    for value in (0, 1):
        policy(value)
        errors = ("icmp error",) if not value else ()
        for hops in ([("gre1", 1), ("gre2", 1)],
                     [("gre3", 5), ("gre1", 1), ("gre2", 2)],
                     [("gre1", 3), ("eth0.1234", 256)]):
            hops = via(version, hops)
            told = " ".join(f"{d}*{w}" for d, _, w in hops)
            with tap.case(f"{v} policy {value}: {told}"):
                got = compare(told, version, NET[version], hops, send_up,
                              list(corpus(version, 40)), errors)
                check(len(set(got)) == len(hops) or hops[1][2] > 9, set(got))
        with tap.case(f"{v} policy {value}: next hop objects"):
            hops = via(version, [("gre2", 1), ("gre1", 3), ("gre3", 2)])
            compare("objects", version, NET[version], hops, send_up,
                    list(corpus(version, 40)), errors, kernel_object)
            sh(f"ip -{version} route replace {NET[version]} dev gre1")
            sh("ip nexthop flush")
        with tap.case(f"{v} policy {value}: out of a tunnel, to two routers"):
            make = packets4 if version == 4 else packets6
            far = ip("104.16.0.1" if version == 4 else "2606:4700::1")
            near = prefix(LAN_NET[version])[0]
            hops = [("lan0", gw, w) for gw, w in zip(LAN_HOPS[version],
                                                     (2, 3))]
            kinds = [kind for i in range(30) for kind in make(
                far, near[:-1] + bytes((i + 1,)), i)]
            got = compare("down", version, LAN_NET[version], hops, send_down,
                          kinds, errors)
            check(set(got) == {"a", "b"}, set(got))
    policy(1)

    three = via(version, [("gre1", 1), ("gre2", 1), ("gre3", 2)])
    with tap.case(f"{v}: a tunnel that is down gets nothing"):
        kinds = list(corpus(version, 30))
        names, packets = zip(*kinds)
        kernel_route(version, NET[version], three)
        module_route(NET[version], three)
        first = ways(packets, send_up)
        sh("ip link set gre2 down")
        before = counters()[0]
        got = ways(packets, send_up)
        grown = kit.growth(before, counters()[0])
        c.set_routes([(prefix(NET[version]), None)])
        want = ways(packets, send_up)
        check(got == want and "gre2" not in got, set(got), set(want))
        check("gre2" in first, set(first))
        check(grown.get("RX_PACKETS", 0) == len(packets), grown)
    with tap.case(f"{v}: it's used again when it's up"):
        sh("ip link set gre2 up")
        module_route(NET[version], three)
        kit.wait_for(lambda: "DEVICE_DOWN" not in
                     c.get("TUNNEL", "gre2")["BLOCKERS"])
        got = ways(packets, send_up)
        check(got == first, set(got), set(first))
    with tap.case(f"{v}: a tunnel that is taken away from the module"):
        c.do("TUNNEL_DEL", "TUNNEL_IFINDEX:dev=gre3")
        before = counters()[0]
        got = ways(packets, send_up)
        grown = kit.growth(before, counters()[0])
        check(got == first, set(got), set(first))
        check(grown.get("MULTIPATH") == len(packets), grown)
        c.do("TUNNEL_SET", "TUNNEL_IFINDEX:dev=gre3")
        check(ways(packets, send_up) == first)
    with tap.case(f"{v}: the other policies are the kernel's"):
        policy(2)
        before = counters()[0]
        want = ways(packets, send_up)
        grown = kit.growth(before, counters()[0])
        check(grown.get("MULTIPATH") == len(packets) and None not in want,
              grown)
        policy(1)
    with tap.case(f"{v}: the table says what it was told"):
        key = prefix(NET[version])
        check(c.routes()[key] == [
            (DEV[dev], ip(gw) if gw else None, w) for dev, gw, w in three],
            c.routes()[key])

    n = 100000 if DEEP else 20000
    with tap.case(f"{v}: {n} flows are within 3 % of the weights"):
        src, out = world.src[4 if version == 4 else 16], []
        dst = prefix(NET[version])[0][:-1] + b"\x09"
        for i in range(n):
            body = struct.pack("!HHHH", i % 60000 + 1024, 443 + i // 60000,
                               16 + kit.LONG, 0) + tail()
            out.append(ipv4(src, dst, 17, body) if version == 4 else
                       ipv6(src, dst, 17, body))
        got = ways(out, send_up, 200)
        check(spread(got, three) < .03, {d: got.count(d) for d in set(got)})
    c.set_routes([(prefix(NET[version]), None)])
    sh(f"ip -{version} route replace {NET[version]} dev gre1")

def compared(what, version, packets, slow=False):
    """What the module does now is what the kernel does."""
    before = counters()[0]
    got = ways(packets, send_up)
    grown = kit.growth(before, counters()[0])
    key = prefix(NET[version])
    told = c.routes()[key]
    c.set_routes([(key, None)])
    want = ways(packets, send_up)
    c.set_routes([(key, told)], nhid=0)
    check(got == want, what, {d: got.count(d) for d in set(got)},
          {d: want.count(d) for d in set(want)}, grown)
    check(slow or grown.get("RX_PACKETS", 0) == len(packets), what, grown)
    return got


def disabled():
    """A next hop dies while its device is up."""
    three = via(6, [("gre1", 1), ("gre2", 1), ("gre3", 2)])
    packets = [p for _, p in corpus(6, 30)]
    kernel_route(6, NET[6], three)
    module_route(NET[6], three, 0)
    with tap.case("IPv6: switched off on one of the devices"):
        check("gre2" in compared("before", 6, packets))
        sysctl("net/ipv6/conf/gre2/disable_ipv6", 1)
        # At once, by whichever path, and by the fast one within a moment.
        got = compared("at once", 6, packets, True)
        check("gre2" not in got, set(got))
        time.sleep(1.2)
        check("gre2" not in compared("later", 6, packets))
    with tap.case("IPv6: on one that may be an object's, the kernel knows"):
        module_route(NET[6], three)
        before = counters()[0]
        check("gre2" not in ways(packets, send_up))
        grown = kit.growth(before, counters()[0])
        check(grown.get("MULTIPATH") == len(packets), grown)
        module_route(NET[6], three, 0)
    with tap.case("IPv6: and on again"):
        sysctl("net/ipv6/conf/gre2/disable_ipv6", 0)
        check("gre2" in compared("at once", 6, packets, True))
        time.sleep(1.2)
        compared("later", 6, packets)
    sh("ip addr add fd99:2::1/127 dev gre2 nodad")


def unaddressed():
    """The last address goes, and with it the next hops by the device."""
    three = via(4, [("gre1", 1), ("gre2", 1), ("gre3", 2)])
    packets = [p for _, p in corpus(4, 30)]
    sh("ip addr add 10.99.2.1/31 dev gre2")
    kernel_route(4, NET[4], three)
    module_route(NET[4], three)
    with tap.case("IPv4: the last address of one of the devices goes"):
        check("gre2" in compared("before", 4, packets))
        key = prefix("104.24.0.0/16")
        c.set_routes([(key, (DEV["gre1"], None))])
        sh("ip addr del 10.99.2.1/31 dev gre2")
        before = counters()[0]
        got = ways(packets, send_up)
        grown = kit.growth(before, counters()[0])
        check("gre2" not in got, {d: got.count(d) for d in set(got)}, grown)
        check(not grown.get("RX_PACKETS"), grown)
        time.sleep(1.2)
        got = ways(packets, send_up)
        check("gre2" not in got, {d: got.count(d) for d in set(got)})
        table = c.routes()
        check(table[key] == (DEV["gre1"], None), table)
        check(table[prefix(NET[4])] is None, table)
        check(c.status()["PUNTED4"] == 1, c.status())
    with tap.case("IPv4: a view of before that comes late changes nothing"):
        generation = c.status()["GENERATION"]
        c.set_routes([(prefix(NET[4]), [(DEV[d], None, w)
                                        for d, _, w in three])],
                     generation=generation - 1)
        got = ways(packets, send_up)
        check("gre2" not in got, {d: got.count(d) for d in set(got)})
    with tap.case("IPv4: it's back, and so is the next hop"):
        sh("ip addr add 10.99.2.1/31 dev gre2")
        module_route(NET[4], three)
        check("gre2" in compared("back", 4, packets))
    c.set_routes([(key, None)], "ROUTE_DEL")
    sh("ip addr del 10.99.2.1/31 dev gre2")


def replaced(version):
    """An object changes: the routes that go by it are punt, and no others."""
    v = f"IPv{version}"
    net, other = prefix(NET[version]), prefix(
        "172.64.0.0/13" if version == 4 else "2400:cb00::/32")
    hop = (DEV["eth0.1234"], ip(VIA[version]["eth0.1234"]))
    packets = [p for _, p in corpus(version, 30)]
    two = via(version, [("gre1", 1), ("gre2", 1)])
    told = [(DEV[dev], ip(gw) if gw else None, w) for dev, gw, w in two]
    # Of nobody who doesn't say, as it'd be punt with any object's change.
    c.set_routes([(prefix(LAN_NET[version]), None)])
    for said in (9, None):
        who = "" if said else ", from one who doesn't say"
        with tap.case(f"{v}: a group's object is replaced{who}"):
            kernel_object(version, NET[version], two)
            c.set_routes([(net, told)], nhid=said)
            c.set_routes([(other, hop)], nhid=0)
            generation = c.status()["GENERATION"]
            before = counters()[0]
            check(set(ways(packets, send_up)) == {"gre1", "gre2"})
            grown = kit.growth(before, counters()[0])
            check(grown["RX_PACKETS"] == len(packets), grown)
            punted = c.status()[f"PUNTED{version}"]
            sh("ip nexthop replace id 9 group 1,200/2")
            before = counters()[0]
            got = ways(packets, send_up)
            grown = kit.growth(before, counters()[0])
            check(got.count("gre2") < len(got) / 10, got.count("gre2"))
            check(not grown.get("RX_PACKETS"), grown)
            table = c.routes()
            check(table[net] is None and table[other] == hop, table)
            check(c.status()[f"PUNTED{version}"] == punted + 1, c.status())
        with tap.case(f"{v}: its view of before changes nothing{who}"):
            c.set_routes([(net, told)], generation=generation, nhid=said)
            got = ways(packets, send_up)
            check(got.count("gre2") < len(got) / 10, got.count("gre2"))
        with tap.case(f"{v}: told anew, it's fast again{who}"):
            told[0] = told[0][:2] + (200,)
            c.set_routes([(net, told)], nhid=said)
            before = counters()[0]
            got = ways(packets, send_up)
            grown = kit.growth(before, counters()[0])
            check(got.count("gre2") < len(got) / 10, got.count("gre2"))
            check(grown.get("RX_PACKETS") == len(packets), grown)
        with tap.case(f"{v}: a member of the group is replaced{who}"):
            sh(f"ip -{version} nexthop replace id 2 "
               f"{'via ' + VIA[version]['gre3'] if version == 6 else ''} "
               "dev gre3")
            got = ways(packets, send_up)
            check("gre2" not in got, set(got))
            check(c.routes()[other] == hop, c.routes())
        with tap.case(f"{v}: an object that no route goes by{who}"):
            told = [told[0], (DEV["gre3"], ip(VIA[6]["gre3"])
                              if version == 6 else None, 1)]
            c.set_routes([(net, told)], nhid=said)
            sh(f"ip -{version} nexthop add id 70 dev lo && "
               f"ip -{version} nexthop replace id 70 dev lo", fail=False)
            check(c.routes()[net] == told, c.routes())
        told = [(DEV[dev], ip(gw) if gw else None, w) for dev, gw, w in two]
        sh(f"ip -{version} route replace {NET[version]} dev gre1")
        sh("ip nexthop flush")
    with tap.case(f"{v}: a resilient group costs nothing"):
        c.set_routes([(net, (DEV["gre1"], None))], nhid=0)
        for i, dev in enumerate(("gre1", "gre2")):
            sh(f"ip -{version} nexthop add id {i + 1} dev {dev}")
        sh("ip nexthop add id 8 group 1/2 type resilient buckets 8 "
           "idle_timer 1")
        far = "198.18.0.0/16" if version == 4 else "2001:db8:77::/48"
        sh(f"ip -{version} route replace {far} nhid 8")
        had, generation = c.routes(), c.status()["GENERATION"]
        for group in ("1,5/2", "2,5/1", "1/2"):
            sh(f"ip nexthop replace id 8 group {group} type resilient")
            time.sleep(.3)
        check(c.routes() == had and c.status()["GENERATION"] == generation,
              c.status())
        sh("ip nexthop flush")
    c.set_routes([(net, None)])
    c.set_routes([(other, None)], "ROUTE_DEL")


policy(1)
disabled()
unaddressed()
for version in (4, 6):
    replaced(version)

with tap.case("routes share a group, and it goes with the last of them"):
    three = [(DEV[d], None, w) for d, w in (("gre1", 1), ("gre2", 7))]
    keys = [prefix(f"104.{n}.0.0/16") for n in range(16, 24)]
    for _ in range(3):
        c.set_routes([(key, three) for key in keys])
        c.set_routes([(key, None) for key in keys], "ROUTE_DEL")
with tap.case("the module unloads"):
    c.close()
    sh("rmmod cnilink")
tap.end()
