#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""XDP on the devices of a link: put there and taken off, with everything in its
way that can be, and beside the other paths. Run by xdp.sh; what the frames look
like is the oracle's."""
import json
import os
import socket
import struct
import subprocess
import sys

import kit
from kit import check, ip, ns, prefix, sh

CNICTL = os.environ["CNICTL"]
DST = [ip("104.16.0.1"), ip("2606:4700::1")]
KERNEL = tuple(map(int, os.uname().release.split(".")[:2]))
WHOLE = "tx off txvlan off tx-vlan-stag-hw-insert off gro on"

tap = kit.Tap()
sh("modprobe -a act_gact cls_matchall sch_ingress sch_htb || true")
# What a virtio card is sent is whole.
for space in () if kit.NICS else ("lan", "cf"):
    with ns(space):
        sh(f"ethtool -K eth0 {WHOLE}")
kit.static_neighbours()
kit.quiet()
kit.setns("edge")
sh("mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf")
c = kit.load()
c.set_routes([(prefix(p), (kit.ifindex("gre1"), None)) for p in
              ("104.16.0.0/13", "2606:4700::/32")] +
             [(prefix(p), (kit.ifindex("lan0"), None)) for p in
              ("10.9.0.0/24", "fd09::/64")])
world = kit.World()


def cnictl(args, rc=0):
    done = subprocess.run(f"{CNICTL} {args}", shell=True, text=True,
                          capture_output=True, check=False)
    check(done.returncode == rc, args, done.returncode, done.stdout,
          done.stderr)
    return done.stdout + done.stderr


def xdp(dev):
    """What cnictl tells of a device."""
    return next(d for d in json.loads(cnictl("-j xdp status"))
                if d["dev"] == dev)


def sends(n=4):
    """Packets each way, all of which arrive; how many of them by XDP."""
    before = c.stats("PORT", "lan0"), c.stats("LINK", "eth0.1234")
    check(world.sent(DST * n) == ["tunnel"] * (2 * n), "not all left")
    got = set()
    for i in range(n):
        for src, dst in (("104.16.0.1", "10.9.0.2"), ("2606:4700::1",
                                                      "fd09::2")):
            far.tagged(kit.gre(kit.udp(ip(src), ip(dst), 90000 + i)))

    def back():
        got.update(number for way, number in world.seen() if way == "lan")
        return got >= {90000 + i for i in range(n)}
    check(kit.wait_for(back), "not all came", got)
    return [kit.growth(b, c.stats(*what)) for b, what in
            zip(before, (("PORT", "lan0"), ("LINK", "eth0.1234")))]


def by_xdp(both=True):
    """All of them, unless something is in the way; and then none."""
    def look():
        seen.append([g.get("XDP_PACKETS", 0) for g in sends()])
        return seen[-1] == [8 * both] * 2
    seen = []
    check(kit.wait_for(look, 10), "packets by XDP:", seen[-1])


far = kit.Tx("cf", "eth0", kit.mac("edge", "eth0"))

with tap.case("before there is a program, none goes by XDP"):
    by_xdp(False)
with tap.case("where it couldn't stay it isn't put"):
    check("nsenter" in sh(f"ip netns exec edge {CNICTL} xdp attach 2>&1",
                          fail=False))
    check(not xdp("lan0")["attached"])
with tap.case("attach: on both devices, natively, with what the service has"):
    sh("setpriv --bounding-set -all,+net_admin,+bpf,+sys_admin "
       f"--inh-caps -all {CNICTL} xdp attach")
    for dev in "eth0", "lan0":
        one = xdp(dev)
        check(one["attached"] and one["mode"] == "native", one)
        check("prog/xdp id " in sh(f"ip link show {dev}"))
with tap.case("all packets go by XDP, both ways, IPv4 and IPv6"):
    by_xdp()
with tap.case("an ICMP error of the tunnel's way, the next sender is told of"):
    far.tagged(kit.complaint(kit.udp(world.src[4], DST[0], 0), 3, 1))
    world.fence()
    world.fence()
    # Those in one burst with it are decided on before the stock device knows.
    out, back = (g.get("XDP_PASS:TUNNEL_ERROR", 0) for g in sends())
    check(1 <= out <= 8 and not back, out, back)
    by_xdp()
with tap.case("another cnictl finds it"):
    cnictl("xdp attach")
    by_xdp()
with tap.case("show tells"):
    check("of these by XDP" in cnictl("show port"), cnictl("show port"))
with tap.case("the module isn't unloaded beneath it, and goes on"):
    check("in use" in sh("rmmod cnilink 2>&1", fail=False))
    by_xdp()
with tap.case("detach: the packets take the other path"):
    cnictl("xdp detach")
    check(not xdp("eth0")["attached"] and not xdp("lan0")["attached"])
    by_xdp(False)
with tap.case("on one device only"):
    cnictl("xdp attach lan0")
    # Since 6.3 a veth is sent to without a program of its own.
    if kit.NICS or KERNEL < (6, 3):
        by_xdp(False)
        check(xdp("lan0")["pass"].get("xdp-target"), xdp("lan0"))
    else:
        check(kit.wait_for(lambda: [g.get("XDP_PACKETS", 0) for g in
                                    sends()] == [8, 0], 10))
    cnictl("xdp attach eth0")
    by_xdp()
with tap.case("no such device"):
    check("takes no frames" in cnictl("xdp attach lo", 2))
with tap.case("no such word"):
    cnictl("xdp on", 2)

cnictl("xdp detach")
with tap.case("another's program stays"):
    sh("echo '__attribute__((section(\"xdp\"))) int other(void *c) "
       "{ return 2; }' | clang -O2 -target bpf -x c -c - -o /run/other.o && "
       "bpftool prog load /run/other.o /sys/fs/bpf/other type xdp")
    sh("ip link set lan0 xdpdrv pinned /sys/fs/bpf/other")
    check("another XDP program" in cnictl("xdp attach", 1))
    check(xdp("lan0")["foreign"] and not xdp("lan0")["attached"], xdp("lan0"))
    cnictl("xdp detach")
    check("prog/xdp" in sh("ip link show lan0"))
    sh("ip link set lan0 xdpdrv off")
cnictl("xdp attach")

def listener(dev):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    s.bind((dev, 0x800))
    return s


# name: what puts it there, what takes it away, the reason, on which device
IN_THE_WAY = {
    "a capture on the port": (
        lambda: kit.Rx("edge", "lan0").sock, None, "tap", "lan0"),
    "a socket for IPv4 on the port": (
        lambda: listener("lan0"), None, "tap", "lan0"),
    "a socket for IPv4 below the link": (
        lambda: listener("eth0"), None, "tap", "eth0"),
    "a socket for IPv4 on the link": (
        lambda: listener("eth0.1234"), None, "tap", "eth0"),
    "a socket for IPv4 on the tunnel": (
        lambda: listener("gre1"), None, "tap", "eth0"),
    "a raw socket for GRE": (
        lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 47), None,
        "tap", "eth0"),
    "tc on the port": (
        "tc qdisc add dev lan0 clsact; "
        "tc filter add dev lan0 ingress matchall action ok",
        "tc qdisc del dev lan0 clsact", "tc", "lan0"),
    "a qdisc on the way out": (
        "tc qdisc add dev eth0 root handle 1: htb default 1; "
        "tc class add dev eth0 parent 1: classid 1:1 htb rate 10gbit",
        "tc qdisc del dev eth0 root", "qdisc", "lan0"),
    "tc on the way out": (
        "tc qdisc add dev eth0 clsact; "
        "tc filter add dev eth0 egress matchall action ok",
        "tc qdisc del dev eth0 clsact", "tc", "lan0"),
    "nft on the port": (
        "nft 'table netdev t { chain c { type filter hook ingress device "
        "lan0 priority 0; }; }'",
        "nft delete table netdev t", "nft-device", "lan0"),
    "a qdisc on the tunnel's device": (
        "tc qdisc add dev gre1 root handle 1: htb",
        "tc qdisc del dev gre1 root", "qdisc", "lan0"),
    "forwarding switched off": (
        "sysctl -qw net.ipv4.conf.lan0.forwarding=0",
        "sysctl -qw net.ipv4.conf.lan0.forwarding=1", "forwarding-off", "lan0"),
}
# A virtio card has nothing of the kind.
IN_THE_WAY_OF_VETH = {
    "tags kept apart": (
        "ip netns exec cf ethtool -K eth0 txvlan on",
        "ip netns exec cf ethtool -K eth0 txvlan off", "xdp-offloads", "eth0"),
    "checksums left out": (
        "ip netns exec lan ethtool -K eth0 tx on",
        "ip netns exec lan ethtool -K eth0 tx off", "xdp-offloads", "lan0"),
    "SCTP's checksums left out": (
        "ip netns exec lan ethtool -K eth0 tx-checksum-sctp on",
        "ip netns exec lan ethtool -K eth0 tx-checksum-sctp off",
        "xdp-offloads", "lan0"),
    "a veth whose peer has no GRO": (
        "ip netns exec cf ethtool -K eth0 gro off",
        "ip netns exec cf ethtool -K eth0 gro on", "xdp-target", "lan0"),
}


def steps_aside(name, put, take, reason, dev):
    with tap.case(f"{name}: XDP steps aside, and says so"):
        watch = None
        if callable(put):
            watch = put()
            watch.setblocking(False)
        else:
            sh(put)
        src = world.src[4] if dev == "lan0" else ip("104.16.0.1")

        def passed():
            before = xdp(dev)
            if dev == "lan0":
                world.tx.ip(kit.udp(src, DST[0], 5))
            else:
                far.tagged(kit.gre(kit.udp(src, ip("10.9.0.2"), 5)))
            world.fence()
            after = xdp(dev)
            return after["xdp-packets"] == before["xdp-packets"] and \
                after["pass"].get(reason, 0) > before["pass"].get(reason, 0)
        try:
            check(kit.wait_for(passed, 5), xdp(dev))
            if watch:
                check(watch.recv(2048), "nothing captured")
        finally:
            if take:
                sh(take)
            if watch:
                watch.close()
        by_xdp()


if not kit.NICS:
    IN_THE_WAY.update(IN_THE_WAY_OF_VETH)
for name, how in IN_THE_WAY.items():
    steps_aside(name, *how)

with tap.case("a flow by XDP, the skb path and the stack: each in order"):
    # An MSS to be clamped is the skb path's, an option the stack's.
    cnictl("tunnel set gre1 mss 1200")

    def tcp(number, flags):
        head = struct.pack("!HHIIBBHHH", 4000, 4000, number, 0,
                           0x60 if flags & 2 else 0x50, flags, 4000, 0, 0)
        head += b"\2\4" + struct.pack("!H", 1400) if flags & 2 else b""
        body = head + bytes(kit.LONG)
        pseudo = world.src[4] + DST[0] + struct.pack("!HH", 6, len(body))
        summed = kit.csum(pseudo + body)
        return body[:16] + struct.pack("!H", summed) + body[18:]

    def packet(number):
        kind = number % 3
        one = kit.ipv4(world.src[4], DST[0], 6, tcp(number, 2 if kind == 1
                                                   else 16))
        if kind == 2:
            # No-operations, as options
            head = b"\x46" + one[1:2] + struct.pack("!H", len(one) + 4) + \
                one[4:10] + b"\0\0" + one[12:20] + b"\1\1\1\0"
            one = head[:10] + struct.pack("!H", kit.csum(head)) + head[12:] + \
                one[20:]
        return one

    before, n = c.stats("PORT", "lan0"), 90
    world.cf.frames()
    for number in range(n):
        world.tx.ip(packet(number))
        os.sched_yield()
    world.fence()
    seen = {0: [], 1: [], 2: []}
    for _, _, frame in world.cf.frames():
        inside = kit.inner(frame)
        if inside and inside[9] == 6:
            at = (inside[0] & 15) * 4
            number = struct.unpack_from("!I", inside, at + 4)[0]
            seen[number % 3].append(number)
            if number % 3 == 1:
                check(inside[at + 20:at + 24] == b"\2\4\4\xb0", "not clamped")
            check(kit.csum(inside[12:20] + struct.pack(
                "!HH", 6, len(inside) - at) + inside[at:]) == 0,
                "checksum of", number)
    for kind, numbers in seen.items():
        check(numbers == list(range(kind, n, 3)), kind, numbers)
    grown = kit.growth(before, c.stats("PORT", "lan0"))
    check(grown["XDP_PACKETS"] == n // 3 and
          grown["RX_PACKETS"] == 2 * n // 3 and
          grown["OPTIONS"] == n // 3 and
          grown["XDP_PASS:CHANGE"] == n // 3, grown)
    cnictl("tunnel set gre1 mss off")

HEALTH = ("10.99.0.1", "10.99.0.0"), ("fd99::1", "fd99::")


KINDS = {"reply": (0, 129), "request": (8, 128)}


def probe(kind, here, there):
    """The far end sends a request, or this end's reply."""
    here, there = ip(here), ip(there)
    v4 = len(here) == 4
    src, dst = (here, there) if kind == "reply" else (there, here)
    body = struct.pack("!BBHHH", KINDS[kind][not v4], 0, 0, 7, 7) + \
        bytes(kit.LONG)
    pseudo = b"" if v4 else src + dst + struct.pack("!II", len(body), 58)
    body = body[:2] + struct.pack("!H", kit.csum(pseudo + body)) + body[4:]
    if v4:
        return kit.ipv4(src, dst, 1, body)
    return struct.pack("!IHBB16s16s", 6 << 28, len(body), 58, 64, src,
                       dst) + body


def without_id(frame):
    """The ID is the kernel's choice, and IPv4's checksum is over it."""
    tag, proto, outer = frame
    inner = outer[24:]
    if inner[0] >> 4 == 4:
        inner = inner[:4] + inner[6:10] + inner[12:]
    return tag, proto, outer[:24], inner


def answers(kind):
    """The frames that come back, and how many of the probes XDP took."""
    before, out = c.stats("LINK", "eth0.1234"), []
    world.cf.frames()
    for pair in HEALTH:
        far.tagged(kit.gre(probe(kind, *pair)))

    def back():
        out.extend(world.cf.frames())
        return len(out) >= len(HEALTH)
    check(kit.wait_for(back), out)
    grown = kit.growth(before, c.stats("LINK", "eth0.1234"))
    return out, grown.get("XDP_PACKETS", 0)


with tap.case("health checks that are replies go back by XDP, as without it"):
    cnictl("tunnel set gre1 " + " ".join(
        f"health reply bidirectional {a} {b}" for a, b in HEALTH))
    by_xdp()
    with_xdp, taken = answers("reply")
    check(taken == len(HEALTH), taken)
    cnictl("xdp detach")
    without, taken = answers("reply")
    check(not taken and with_xdp == without, with_xdp, without)
    cnictl("xdp attach")
with tap.case("and those that are requests are answered, as without it"):
    cnictl("tunnel set gre1 " + " ".join(
        f"health request bidirectional {a} {b}" for a, b in HEALTH))
    with_xdp, taken = answers("request")
    check(taken == len(HEALTH), taken)
    for *_, outer in with_xdp:
        inner = outer[24:]
        check(inner[0] >> 4 == 6 or not kit.csum(inner[:20]), inner.hex())
    cnictl("xdp detach")
    without, taken = answers("request")
    check(not taken and list(map(without_id, with_xdp)) ==
          list(map(without_id, without)), with_xdp, without)
    cnictl("xdp attach")
    cnictl("tunnel set gre1 health off")

with tap.case("a source that isn't the port's is dropped before it's an skb"):
    cnictl("port set lan0 strict-source on")
    before = c.stats("PORT", "lan0")
    check(world.sent(DST[:1] * 4, {4: ip("198.51.100.7")}) == [None] * 4)
    grown = kit.growth(before, c.stats("PORT", "lan0"))
    check(grown.get("STRICT_SOURCE") == 4 and grown.get("DROP") == 4, grown)
    by_xdp()
with tap.case("where rules go by ports, one that is isn't"):
    # The kernel reads ports from an skb only.
    sh("ip route add 198.51.100.0/24 dev lan0 table 100; "
       "ip rule add ipproto udp dport 4000 lookup 100")
    before = c.stats("PORT", "lan0")
    check(world.sent(DST[:1] * 4, {4: ip("198.51.100.7")}) == ["tunnel"] * 4)
    grown = kit.growth(before, c.stats("PORT", "lan0"))
    check(not grown.get("DROP") and grown["XDP_PASS:RULES"] == 4, grown)
    sh("ip rule del ipproto udp dport 4000 lookup 100; "
       "ip route flush table 100")
    by_xdp()
    cnictl("port set lan0 strict-source off")

def syn(src, dst, mss):
    body = struct.pack("!HHIIBBHHHBBH", 4000, 4000, 1, 0, 0x60, 2, 4000, 0, 0,
                       2, 4, mss) + bytes(kit.LONG)
    pseudo = src + dst + struct.pack("!II", len(body), 6)
    body = body[:16] + struct.pack("!H", kit.csum(pseudo + body)) + body[18:]
    if len(dst) == 4:
        return kit.ipv4(src, dst, 6, body)
    return struct.pack("!IHBB16s16s", 6 << 28, len(body), 6, 64, src,
                       dst) + body


with tap.case("the MSS of a port without a tag is kept to"):
    cnictl("port set lan0 mss 1300")
    for here, there in ("10.9.0.2", "104.16.0.1"), ("fd09::2", "2606:4700::1"):
        before = c.stats("LINK", "eth0.1234")
        world.lan.frames()
        got = []
        far.tagged(kit.gre(syn(ip(there), ip(here), 1460)))
        check(kit.wait_for(lambda: got.extend(
            f for _, _, f in world.lan.frames()) or got))
        at = 40 if ":" in here else 20
        # IPv6 has the longer header.
        check(got[0][at + 20:at + 24] == b"\2\4" + struct.pack(
            "!H", 1320 - at), got[0].hex())
        check(kit.csum(got[0][12 if at == 20 else 8:at] + struct.pack(
            "!II", len(got[0]) - at, 6) + got[0][at:]) == 0, "checksum")
        grown = kit.growth(before, c.stats("LINK", "eth0.1234"))
        check(grown.get("XDP_PASS:CHANGE") == 1, grown)
    by_xdp()
    cnictl("port set lan0 mss off")


def priority(src=None):
    """Frames with a priority and no VLAN; where they go, and what is counted"""
    before = c.stats("PORT", "lan0")
    list(world.seen())
    for dst in DST:
        one = kit.udp((src or world.src)[len(dst)], dst, 1)
        world.tx.sock.send(world.tx.to + world.tx.mac + b"\x81\0\xa0\0" +
                           kit.ethertype(one) + one)
    world.fence()
    return [way for way, _ in world.seen()], \
        kit.growth(before, c.stats("PORT", "lan0"))


def priorities(taken):
    way, grown = priority()
    check(way == ["tunnel"] * 2 and grown.get(taken) == 2 and
          not grown.get("VLAN"), way, grown)


with tap.case("frames with a priority and no VLAN are like those without a "
              "tag"):
    priorities("XDP_PACKETS")
    cnictl("xdp detach")
    priorities("RX_PACKETS")
with tap.case("unless there's a VLAN device that gets them"):
    sh("ip link add link lan0 name lan0.0 type vlan id 0; "
       "ip link set lan0.0 up")
    _, grown = priority()
    check(grown.get("VLAN") == 2 and not grown.get("RX_PACKETS"), grown)
    cnictl("xdp attach")
    _, grown = priority()
    check(grown.get("VLAN") == 2 and grown.get("XDP_PASS:VLAN") == 2 and
          not grown.get("XDP_PACKETS"), grown)
    sh("ip link del lan0.0")
with tap.case("their sources are checked, too"):
    cnictl("port set lan0 strict-source on")
    for way in "attach", "detach":
        cnictl(f"xdp {way}")
        ways, grown = priority({4: ip("198.51.100.7"), 16: ip("fd98::1")})
        check(not ways and grown.get("STRICT_SOURCE") == 2, ways, grown)
    cnictl("port set lan0 strict-source off")
    cnictl("xdp attach")
    by_xdp()

with tap.case("a task's own run of the program takes nothing"):
    frame = world.tx.to + world.tx.mac + b"\x08\0" + \
        kit.udp(world.src[4], DST[0], 1)
    for name, data in ("frame", frame), ("ctx", struct.pack(
            "=6I", 0, len(frame), 0, kit.ifindex("lan0"), 0, 0)):
        with open(f"/run/test.{name}", "wb") as f:
            f.write(data)
    before = c.stats("PORT", "lan0")
    said = json.loads(sh(f"bpftool -j prog run id {xdp('lan0')['program']} "
                         "data_in /run/test.frame ctx_in /run/test.ctx "
                         "repeat 100"))
    grown = kit.growth(before, c.stats("PORT", "lan0"))
    # From 6.11 on the kernel keeps other frames out of one. The first of its
    # hundred runs puts headers on that the others see.
    check((said["retval"], grown.get("XDP_PACKETS", 0)) ==
          (2, KERNEL >= (6, 11)), said, grown)

with tap.case("a bond gets none, and its frames are counted"):
    sh("modprobe bonding; "
       f"bpftool prog load {os.path.dirname(CNICTL)}/cnilink.bpf.o "
       "/sys/fs/bpf/own type xdp; "
       "ip link add bond7 type bond mode active-backup; "
       "ip link add b0 type veth peer name b1; ip link set b1 up; "
       f"ethtool -K b1 {WHOLE}; ip link set b0 master bond7; "
       "ip link set bond7 up")
    cnictl("port set bond7")
    check("its members" in cnictl("xdp attach bond7", 1))
    check("xdp-driver" in xdp("bond7")["blockers"], xdp("bond7"))
    sh("ip link set bond7 xdpdrv pinned /sys/fs/bpf/own")
    check(kit.wait_for(lambda: "state UP" in sh("ip link show bond7")))
    kit.Tx("edge", "b1", kit.mac("edge", "bond7")).ip(
        kit.udp(world.src[4], DST[0], 1))
    check(kit.wait_for(lambda: xdp("bond7")["pass"].get("xdp-driver")),
          xdp("bond7"))
    sh(f"{CNICTL} port del bond7; ip link del bond7; ip link del b0")
with tap.case("generic XDP sees unfinished frames, and takes none"):
    cnictl("xdp detach")
    sh("ip link set lan0 xdpgeneric pinned /sys/fs/bpf/own")
    before = c.stats("PORT", "lan0")
    check(world.sent(DST) == ["tunnel"] * 2)
    grown = kit.growth(before, c.stats("PORT", "lan0"))
    check(grown.get("XDP_PASS:XDP") == 2 and grown.get("RX_PACKETS") == 2,
          grown)
    sh("ip link set lan0 xdpgeneric off; rm /sys/fs/bpf/own")
    cnictl("xdp attach")
    by_xdp()

with tap.case("a program outlives its device"):
    sh("ip link add x1 type veth peer name x2; ip link set x1 up; "
       f"ip link set x2 up; ethtool -K x2 {WHOLE}; {CNICTL} port set x1; "
       f"{CNICTL} xdp attach x1; ip link del x1; {CNICTL} xdp status")
    by_xdp()

GATEWAYS = {text: f"02:00:00:00:01:{i:02x}" for i, text in enumerate(
    ("10.9.0.71", "10.9.0.72", "fd09::71", "fd09::72"))}


def by_gateways():
    """A packet to each of them; the MAC addresses by XDP's frames."""
    before = c.stats("LINK", "eth0.1234")
    world.lan.frames()
    for i, text in enumerate(GATEWAYS):
        dst = f"2001:db8:{70 + i}::1" if ":" in text else f"203.0.{70 + i}.1"
        src = DST[1] if ":" in text else DST[0]
        far.tagged(kit.gre(kit.udp(src, ip(dst), 95000 + i)))
    world.fence()
    macs = {}
    for _, _, packet, to in world.lan.frames(macs=True):
        if (kit.number(packet) or 0) >= 95000:
            macs[kit.number(packet) - 95000] = to.hex(":")
    return macs, kit.growth(before, c.stats("LINK", "eth0.1234")).get(
        "XDP_PACKETS", 0)


with tap.case("gateways, which are held while in use, and others"):
    want = dict(enumerate(GATEWAYS.values()))
    for i, (text, lladdr) in enumerate(GATEWAYS.items()):
        sh(f"ip neigh replace {text} lladdr {lladdr} nud stale dev lan0")
        dst = f"2001:db8:{70 + i}::/48" if ":" in text else f"203.0.{70 + i}.0/24"
        sh(f"ip route add {dst} via {text}")
        c.set_routes([(prefix(dst), (kit.ifindex("lan0"), ip(text)))])
    for _ in range(3):
        got = by_gateways()
        check(got == (want, 4), got)
    for text, lladdr in GATEWAYS.items():
        sh(f"ip neigh replace {text} lladdr {lladdr} nud permanent dev lan0")
    check(kit.wait_for(lambda: by_gateways() == (want, 4)))
    for text, lladdr in GATEWAYS.items():
        sh(f"ip neigh replace {text} lladdr {lladdr[:-2]}77 nud permanent "
           "dev lan0")
    got = by_gateways()
    check(got == (dict.fromkeys(range(4), "02:00:00:00:01:77"), 4), got)

cnictl("xdp detach")


def mtu(size):
    for space, devs in ("lan", "eth0"), ("edge", "lan0 eth0"), ("cf", "eth0"):
        for dev in devs.split():
            sh(f"ip -n {space} link set {dev} mtu {size}")
    for space in "edge", "cf":
        sh(f"ip -n {space} link set eth0.1234 mtu {size}")
        sh(f"ip -n {space} link set gre1 mtu {size - 24}")


def whole(size):
    """Packets of that size arrive as they were, both ways; by XDP, or as its
    frames don't fit."""
    before = c.stats("PORT", "lan0"), c.stats("LINK", "eth0.1234")
    out = kit.udp(world.src[4], DST[0], 5, size - 28)
    back = kit.udp(DST[0], world.src[4], 6, size - 28)
    world.lan.frames()
    world.cf.frames()
    world.tx.ip(out)
    world.fence()
    far.tagged(kit.gre(back))
    check(any(kit.inner(f)[20:] == out[20:] for _, _, f in world.cf.frames()))
    check(kit.wait_for(lambda: any(f[20:] == back[20:] for _, _, f in
                                   world.lan.frames())))
    return [[kit.growth(b, c.stats(*what)).get(key, 0) for b, what in
             zip(before, (("PORT", "lan0"), ("LINK", "eth0.1234")))]
            for key in ("XDP_PACKETS", "XDP_PASS:XDP_FRAME")]


LOSES = "the virtio driver of kernels before 6.3 loses frames"
if kit.NICS and KERNEL < (6, 3):
    with tap.case("long frames: not where the driver would lose them"):
        mtu(3491)
        check(LOSES in cnictl("xdp attach", 1))
        check(not xdp("eth0")["attached"] and xdp("eth0")["mtu-too-long"])
    with tap.case("long frames: where they just fit"):
        mtu(3490)
        cnictl("xdp attach")
        check(whole(3490 - 24) == [[1, 1], [0, 0]])
    with tap.case("long frames: told of when the MTU is raised afterwards"):
        mtu(9000)
        check(LOSES in cnictl("xdp status"), cnictl("xdp status"))
        check(LOSES in cnictl("xdp detach", 1) and xdp("lan0")["attached"])
elif kit.NICS:
    with tap.case("long frames, in several buffers, are the other path's"):
        mtu(9000)
        cnictl("xdp attach")
        check(whole(9000 - 24) == [[0, 0], [1, 1]])
if kit.NICS:
    with tap.case("long frames: and off at the usual MTU"):
        mtu(1500)
        by_xdp()
        cnictl("xdp detach")
        by_xdp(False)

CONFIG = """link cards {
    device = eth0 vlan = 1234 xdp = auto
    local4 = 192.0.2.11/31 peer4 = 192.0.2.10
    local6 = 2001:db8:12:3::b/127 peer6 = 2001:db8:12:3::a
}
port lan0 { }
"""
with tap.case("xdp = auto"):
    with open("/run/auto.conf", "w", encoding="ascii") as f:
        f.write(CONFIG)
    cnictl("up /run/auto.conf")
    by_xdp()
    cnictl("xdp detach")

with tap.case("where native XDP can't be, it isn't"):
    sh(f"ip link add d1 type dummy; ip link set d1 up; {CNICTL} port set d1")
    check("can't send to d1" in cnictl("xdp attach d1", 1))
    check("prog" not in sh("ip link show d1"))
    sh("ip link del d1")
with tap.case("and the module unloads"):
    c.close()
    # The kernel is done with a program a moment later.
    check(kit.wait_for(lambda: "rror" not in sh("rmmod cnilink 2>&1",
                                                 fail=False)))
tap.end()
