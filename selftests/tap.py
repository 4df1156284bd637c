# SPDX-License-Identifier: GPL-2.0
"""What a guest of a tap leaves to its host: checksums, and cutting up. Run by
tap.sh."""
import fcntl
import json
import os
import struct
import subprocess

import kit
from kit import check, ip, prefix, sh

CNICTL = os.environ["CNICTL"]
TUNSETIFF, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x400454ca, 2, 0x1000, 0x4000
NEEDS_CSUM, GSO_NONE, GSO_UDP = 1, 0, 3
tap = kit.Tap()
kit.static_neighbours()
kit.quiet()
kit.setns("edge")
fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"tap0", IFF_TAP |
                                       IFF_NO_PI | IFF_VNET_HDR))
sh("ip addr add 10.6.0.1/24 dev tap0; ip addr add fd06::1/64 dev tap0 nodad; "
   "ip link set tap0 up addrgenmode none")
# What a veth leaves to be made is never made.
sh("ethtool -K eth0 tx off")
world = kit.World()
MAC = kit.mac("edge", "tap0")
SRC = {4: ip("10.6.0.2"), 16: ip("fd06::2")}
DST = {4: ip("104.16.0.1"), 16: ip("2606:4700::1")}


def pseudo_sum(src, dst, proto, length):
    return 0xffff ^ kit.csum(src + dst + struct.pack("!II", length, proto))


def send(family, size, segment=0):
    """A UDP packet whose checksum is left to be made"""
    src, dst = SRC[family], DST[family]
    head = 20 if family == 4 else 40
    body = struct.pack("!HHHH", 4000, 4000, 8 + size, pseudo_sum(
        src, dst, 17, 8 + size)) + bytes(range(256)) * 16
    body = body[:8 + size]
    if family == 4:
        packet = kit.ipv4(src, dst, 17, body, frag=0, tos=0x48)
    else:
        packet = struct.pack("!IHBB16s16s", 6 << 28, len(body), 17, 64, src,
                             dst) + body
    hdr = struct.pack("=BBHHHH", NEEDS_CSUM, GSO_UDP if segment else GSO_NONE,
                      14 + head + 8 if segment else 0, segment, 14 + head, 6)
    os.write(fd, hdr + MAC + b"\2\0\0\0\6\2" + kit.ethertype(packet) + packet)


def arrived(n):
    """The packets in the tunnel, without what is the kernel's choice."""
    got = []

    def here():
        for _, _, frame in world.cf.frames():
            if frame[0] >> 4 == 4 and kit.inner(frame):
                inside = kit.inner(frame)
                if inside[0] >> 4 == 6 and inside[6] == 44:
                    # A fragment's number
                    inside = inside[:44] + inside[48:]
                got.append((len(frame), frame[1], frame[6] & 0x40, inside))
        return len(got) >= n
    kit.wait_for(here, 5)
    return got


def whole(packet):
    """Is the UDP checksum right?"""
    v4 = packet[0] >> 4 == 4
    addrs, body = (packet[12:20], packet[20:]) if v4 else \
        (packet[8:40], packet[40:])
    return kit.csum(addrs + struct.pack("!II", len(body), 17) + body) == 0


def small():
    for family in 4, 16:
        send(family, 600)
    got = arrived(2)
    check(len(got) == 2 and all(whole(one[3]) for one in got), got)


def large():
    send(4, 3400, 1400)
    got = arrived(3)
    send(16, 3400, 1400)
    return got, arrived(3)


sh("sysctl -qw net.ipv6.conf.tap0.forwarding=1")
with tap.case("the kernel's path: checksums are made"):
    small()
stock = large()
with tap.case("and packets are cut"):
    check([len(one) for one in stock] == [3, 3], stock)

c = kit.load()
c.do("PORT_SET", "PORT_IFINDEX:dev=tap0")
c.set_routes([(prefix(p), (kit.ifindex("gre1"), None)) for p in
              ("104.16.0.0/13", "2606:4700::/32")] +
             [(prefix(p), (kit.ifindex("tap0"), None)) for p in
              ("10.6.0.0/24", "fd06::/64")])
with tap.case("the fast path: checksums are made"):
    before = c.stats("PORT", "tap0")
    small()
    grown = kit.growth(before, c.stats("PORT", "tap0"))
    check(grown.get("RX_PACKETS") == 2, grown)
with tap.case("packets to be cut into fragments are punted"):
    before = c.stats("PORT", "tap0")
    check(large() == stock, "not as the kernel's")
    grown = kit.growth(before, c.stats("PORT", "tap0"))
    check(grown.get("OFFLOAD") and not grown.get("RX_PACKETS"), grown)
with tap.case("XDP isn't put on it, and why is said"):
    sh("mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf")
    done = subprocess.run(f"{CNICTL} xdp attach tap0", shell=True, text=True,
                          capture_output=True, check=False)
    check(done.returncode == 1 and "tap's" in done.stderr, done)
    one = next(d for d in json.loads(sh(f"{CNICTL} -j xdp status"))
               if d["dev"] == "tap0")
    check(not one["attached"] and "xdp-driver" in one["blockers"], one)
with tap.case("one that somebody puts there takes none of its frames"):
    sh(f"bpftool prog load {os.path.dirname(CNICTL)}/cnilink.bpf.o "
       "/sys/fs/bpf/own type xdp && "
       "ip link set tap0 xdpdrv pinned /sys/fs/bpf/own")
    before = c.stats("PORT", "tap0")
    small()
    grown = kit.growth(before, c.stats("PORT", "tap0"))
    check(grown.get("XDP_PASS:XDP_DRIVER") == 2 and
          not grown.get("XDP_PACKETS"), grown)
    check(large() == stock, "not as the kernel's")
    sh("ip link set tap0 xdpdrv off; rm /sys/fs/bpf/own")
with tap.case("xdp = auto leaves it out"):
    with open("/run/auto.conf", "w", encoding="ascii") as f:
        f.write("""link cards {
    device = eth0 vlan = 1234 xdp = auto
    local4 = 192.0.2.11/31 peer4 = 192.0.2.10
}
port tap0 { }
""")
    said = sh(f"{CNICTL} up /run/auto.conf")
    check("tap's" in said, said)
    check("prog" not in sh("ip link show tap0"))
    sh(f"{CNICTL} xdp detach")
with tap.case("the module unloads"):
    c.close()
    check(kit.wait_for(lambda: "rror" not in sh("rmmod cnilink 2>&1",
                                                 fail=False)))
tap.end()
