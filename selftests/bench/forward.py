#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Instructions per forwarded packet: the stock path, nft's flowtable, cnilink.

usage: forward.py prepare DIR    on the host: frames and addresses
       forward.py run DIR [CASE ...]
                                 in a VM with one processor whose clock counts
                                 instructions: writes DIR/forward.json

Frames come up as from a driver (livegen), and go out by a dummy device. The
floor is what it costs to make the same frames and drop them at the receiving
device's tc ingress; all other rows are over it. Each row fails unless the
counters show that every packet took the path it stands for.

          lan-gre-vlan, lan-vlan          gre-vlan-lan
  rx      lan0 (veth)                     cni0 (veth), tag 1234, GRE
  tx      cni0 (dummy), tag 1234          lan0 (dummy)

lan-nft-gre-vlan: through the stack for nft's rules' sake. local-gre-vlan: the
whole of a sendto(), nothing subtracted. health-reply: back by cni0 (veth),
less what a veth costs more than a dummy.
lan-gre-vlan-qdisc: out by a device with fq_codel, as a network card would have.
fw-NAME-out, fw-NAME-in: lan-gre-vlan and gre-vlan-lan behind a firewall.
lan-gre-vlan-1m: a million prefixes. *-scale: as one tunnel of 64, on one link
of 8, with 32 ports.
"""
import contextlib
import ctypes
import ipaddress
import json
import os
import random
import re
import socket
import statistics
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(HERE))
import genl  # noqa: E402

DESTINATIONS = 20000
PACKETS = {"1": 6400, "20k": DESTINATIONS}
RUNS = 2
LOCAL4, PEER4 = "192.0.2.11", "192.0.2.10"
LOCAL6, PEER6 = "2001:db8:12:3::b", "2001:db8:12:3::a"
LAN = {4: "198.18.0.0/15", 6: "2001:db8:1000::/36"}
LAN_VIA = {4: "10.9.0.2", 6: "fd09::2"}
RX_MAC, TX_MAC, PEER_MAC = (f"02:00:00:00:00:0{i}" for i in (1, 2, 3))
UDP_PAYLOAD = 18    # 60 bytes of frame over IPv4, 64 with the FCS

MILLION = 1000000
OIF = struct.pack("=I", 0x7ee7be57)     # in its place
HEALTH = "10.99.0.1", "10.99.0.0"     # this end's address, the other's
NFT = '''
table inet bench { chain forward {
    type filter hook forward priority 0; policy drop
    ct state invalid drop
    ct state established,related accept
    iifname "lan0" oifname "gre1" accept
}
}'''

# Rulesets of fw-NAME: Debian's /etc/nftables.conf; a stateful one; that with a
# flowtable, without a chain for what is sent.
SKELETON = '''
table inet filter {
    chain input { type filter hook input priority filter; }
    chain forward { type filter hook forward priority filter; }
    chain output { type filter hook output priority filter; }
}'''
STATEFUL = f'''
table inet filter {{
    FLOWTABLE
    chain input {{
        type filter hook input priority filter; policy drop
        ct state established,related accept
        ct state invalid drop
        iifname "lo" accept
        meta l4proto {{ icmp, ipv6-icmp }} accept
        ip saddr {PEER4} meta l4proto gre accept
        ip saddr {PEER4} tcp dport 179 accept
    }}
    chain forward {{
        type filter hook forward priority filter; policy drop
        FLOW
        ct state established,related accept
        ct state invalid drop
        iifname "lan0" oifname "gre1" accept
        iifname "gre1" oifname "lan0" accept
    }}
    OUTPUT
}}'''


def ruleset(name):
    if name == "skeleton":
        return SKELETON
    parts = {"FLOWTABLE": "", "FLOW\n": "\n", "OUTPUT": """chain output {
        type filter hook output priority filter; policy accept
    }"""}
    if name == "flowtable":
        parts = {"FLOWTABLE": """flowtable ft {
        hook ingress priority filter
        devices = { lan0, gre1 }
    }""", "FLOW\n": "meta l4proto { tcp, udp } flow add @ft\n", "OUTPUT": ""}
    text = STATEFUL
    for old, new in parts.items():
        text = text.replace(old, new)
    return text


RULESETS = "skeleton", "stateful", "flowtable"

# name: family, direction, has a tunnel, and what else is special
CASES = {
    "lan-gre-vlan": (4, "out", True, ""),
    "gre-vlan-lan": (4, "in", True, ""),
    "lan-vlan": (4, "out", False, ""),
    "lan-gre-vlan6": (6, "out", True, ""),
    "gre-vlan-lan6": (6, "in", True, ""),
    "lan-gre-vlan-qdisc": (4, "out", True, "qdisc"),
    "local-gre-vlan": (4, "out", True, "local"),
    "lan-nft-gre-vlan": (4, "out", True, "nft"),
    "health-reply": (4, "in", True, "health"),
    "lan-gre-vlan-1m": (4, "out", True, "1m"),
    "lan-gre-vlan-scale": (4, "out", True, "scale"),
    "gre-vlan-lan-scale": (4, "in", True, "scale"),
    **{f"fw-{name}-{way}": (4, way, True, name)
       for name in RULESETS for way in ("out", "in")},
}


def prefixes(family):
    """What the AS announces, or at least what it publishes."""
    data = os.environ.get("CNI_PREFIX_DATA") or \
        os.path.join(TOP, "../shared/data")
    path = os.path.join(data, f"as13335-ipv{family}.txt")
    if not os.path.exists(path):
        path = os.path.join(HERE, "../cloudflare-ips.txt")
    with open(path, encoding="utf-8") as f:
        words = [line.split("#")[0].strip() for line in f]
    nets = [ipaddress.ip_network(w) for w in words if w]
    return [n for n in nets if n.version == family]


# Made on the host: Python is slow where every instruction is emulated.

def fold(total):
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def words(data):
    return sum(struct.unpack(f"!{len(data) // 2}H", data))


def ip_header(family, length, proto, src, dst):
    src, dst = (ipaddress.ip_address(a).packed for a in (src, dst))
    if family == 6:
        return struct.pack("!IHBB", 6 << 28, length, proto, 64) + src + dst
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0x4000, 64,
                       proto, 0) + src + dst
    return head[:10] + struct.pack("!H", fold(words(head))) + head[12:]


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def frame(family, direction):
    """A frame, and where its inner IP header is."""
    udp = struct.pack("!HHHH", 5000, 9, 8 + UDP_PAYLOAD, 0) + \
        bytes(UDP_PAYLOAD)
    zero = "::" if family == 6 else "0.0.0.0"
    packet = ip_header(family, len(udp), 17, zero, zero) + udp
    proto = 0x86dd if family == 6 else 0x800
    outer = b""
    if direction == "in":
        gre = struct.pack("!HH", 0, proto)
        outer = struct.pack("!HH", 1234, 0x800) + \
            ip_header(4, 4 + len(packet), 47, PEER4, LOCAL4) + gre
        proto = 0x8100
    outer = mac(RX_MAC) + mac(PEER_MAC) + struct.pack("!H", proto) + outer
    return outer + packet, len(outer)


def key(family, src, dst):
    """struct livegen_key"""
    both = src.packed + dst.packed
    if family == 6:
        length = 8 + UDP_PAYLOAD
        check = fold(words(both) + length + 17 + 5000 + 9 + length) or 0xffff
    else:
        check = fold(words(ip_header(4, 8 + UDP_PAYLOAD, 17, "0.0.0.0",
                                     "0.0.0.0")[:10]) + words(both))
    return src.packed.ljust(16, b"\0") + dst.packed.ljust(16, b"\0") + \
        struct.pack("!H", check) + b"\0\0"


def million(rng):
    """Prefixes as long as those of the Internet's table are, and the routes
    to them as the module takes them, by a device whose index is OIF."""
    found = set()
    while len(found) < MILLION:
        size = rng.choices((24, 23, 22, 21, 20, 19, 18, 17, 16),
                           (62, 9, 11, 5, 4, 3, 2, 1, 3))[0]
        addr = rng.randrange(1 << 24, 224 << 24) >> (32 - size) << (32 - size)
        if addr >> 24 not in (10, 127, 192, 198):
            found.add((addr, size))
    found = sorted(found)
    nexthop = genl.attr(genl.number("NEXTHOP_OIF"), OIF)
    kind = genl.number("TABLE_ROUTE") | genl.NLA_F_NESTED
    tail = genl.attr(genl.number("ROUTE_NEXTHOP") | genl.NLA_F_NESTED, nexthop)
    routes = [genl.attr(kind, genl.attr(genl.number("ROUTE_DST4"),
                                        struct.pack("!I", addr)) +
                        genl.attr(genl.number("ROUTE_PREFIX_LEN"),
                                  bytes([size])) + tail)
              for addr, size in found]
    return [ipaddress.ip_network(one) for one in rng.sample(found, 20000)], \
        b"".join(routes)


def prepare_million(out, rng, address):
    nets, routes = million(rng)
    lan = ipaddress.ip_network(LAN[4])
    data, at = frame(4, "out")
    keys = [key(4, address(lan), address(rng.choice(nets)))
            for _ in range(DESTINATIONS)]
    save(f"{out}/out4-1m", data, at, keys)
    with open(f"{out}/1m.routes", "wb") as f:
        f.write(routes)


def prepare_health(out):
    """The tunnel's far end sends this end's echo reply."""
    icmp = struct.pack("!BBHHH", 0, 0, 0, 7, 7) + bytes(UDP_PAYLOAD)
    icmp = icmp[:2] + struct.pack("!H", fold(words(icmp))) + icmp[4:]
    packet = ip_header(4, len(icmp), 1, HEALTH[0], HEALTH[1]) + icmp
    outer = struct.pack("!HH", 1234, 0x800) + \
        ip_header(4, 4 + len(packet), 47, PEER4, LOCAL4) + \
        struct.pack("!HH", 0, 0x800)
    data = mac(RX_MAC) + mac(PEER_MAC) + b"\x81\0" + outer + packet
    one = b"".join(ipaddress.ip_address(a).packed.ljust(16, b"\0")
                   for a in HEALTH) + packet[10:12] + b"\0\0"
    save(f"{out}/in4-health", data, 14 + len(outer), [one])


def save(stem, data, at, keys):
    for name, blob in ("frame", data), ("1.keys", keys[0]), \
            ("20k.keys", b"".join(keys)):
        with open(f"{stem}.{name}", "wb") as f:
            f.write(blob)
    with open(f"{stem}.at", "w", encoding="ascii") as f:
        f.write(str(at))


def prepare(out):
    os.makedirs(out, exist_ok=True)
    rng = random.Random(13335)

    def address(net):
        return net[rng.randrange(1, net.num_addresses - 1)]

    for family in 4, 6:
        nets, lan = prefixes(family), ipaddress.ip_network(LAN[family])
        pairs = [(address(lan), address(rng.choice(nets)))
                 for _ in range(DESTINATIONS)]
        for direction in "out", "in":
            data, at = frame(family, direction)
            keys = [key(family, *(p if direction == "out" else p[::-1]))
                    for p in pairs]
            save(f"{out}/{direction}{family}", data, at, keys)
    prepare_health(out)
    prepare_million(out, rng, address)


# In the VM.

def sh(command, text=None):
    return subprocess.run(command, shell=True, check=True, input=text,
                          stdout=subprocess.PIPE, text=True).stdout


def write(path, value):
    with open(path, "w", encoding="ascii") as f:
        f.write(str(value))


def fresh_netns():
    """A namespace of our own, with nothing of the last case's in it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x40000000):
        raise OSError(ctypes.get_errno(), "unshare")
    # sysfs shows the namespace that it was mounted in.
    sh("mount -t sysfs sysfs /sys")


def stat(dev, name):
    with open(f"/sys/class/net/{dev}/statistics/{name}",
              encoding="ascii") as f:
        return int(f.read())


# link: VLAN, this end's address, the other's; tunnel: link, remote
LINKS = [(1235 + i, f"203.0.113.{2 * i + 1}", f"203.0.113.{2 * i}")
         for i in range(7)]
TUNNELS = [(LINKS[i % 7], f"203.0.113.{100 + i}") for i in range(63)]
PORTS = 31


def more_devices():
    batch = "".join(f"""
        link add link cni0 name cni0.{vid} type vlan id {vid}
        link set cni0.{vid} up addrgenmode none
        addr add {local}/31 dev cni0.{vid}
        neigh add {peer} lladdr {PEER_MAC} dev cni0.{vid} nud permanent
        """ for vid, local, peer in LINKS)
    batch += "".join(f"""
        route add {remote} via {link[2]}
        link add gre{i + 2} type gre local {link[1]} remote {remote} ttl 64
        link set gre{i + 2} up addrgenmode none
        """ for i, (link, remote) in enumerate(TUNNELS))
    return batch + "".join(f"""
        link add lan{i} type dummy
        link set lan{i} up addrgenmode none
        """ for i in range(1, PORTS + 1))


def enrol_more(nl):
    for vid, local, peer in LINKS:
        nl.do("LINK_SET", f"LINK_IFINDEX:dev=cni0.{vid}",
              f"LINK_LOCAL4:ip={local}", f"LINK_PEER4:ip={peer}")
    for i in range(len(TUNNELS)):
        nl.do("TUNNEL_SET", f"TUNNEL_IFINDEX:dev=gre{i + 2}")
    for i in range(1, PORTS + 1):
        nl.do("PORT_SET", f"PORT_IFINDEX:dev=lan{i}")


class Bench:
    def __init__(self, out, case):
        self.out, self.case = out, case
        self.family, self.direction, self.gre, self.special = CASES[case]
        self.rx, self.tx = ("lan0", "cni0") if self.direction == "out" else \
            ("cni0", "lan0")
        self.table = self.special if self.special in ("1m", "scale", "qdisc") \
            else "as13335"
        self.stem = f"{out}/{self.direction}{self.family}"
        if self.special in ("1m", "health"):
            self.stem += "-" + self.special
        self.nets = prefixes(self.family)
        self.rows, self.floor, self.sent = [], {}, 0

    def setup(self):
        """The box as its user would set it up, with the kernel's parts."""
        fresh_netns()
        for key_, value in ("conf/all/rp_filter", 0), \
                ("conf/default/rp_filter", 0), ("ip_forward", 1):
            write(f"/proc/sys/net/ipv4/{key_}", value)
        write("/proc/sys/net/ipv6/conf/all/forwarding", 1)
        batch = f"""
            link set lo up
            link add {self.rx} address {RX_MAC} type veth peer name far
            link add {self.tx} address {TX_MAC} type dummy
            link set far up addrgenmode none
            link set lan0 up addrgenmode none
            link set cni0 up addrgenmode none
            link add link cni0 name cni0.1234 type vlan id 1234
            link set cni0.1234 up addrgenmode none
            addr add {LOCAL4}/31 dev cni0.1234
            addr add {LOCAL6}/127 dev cni0.1234 nodad
            neigh add {PEER4} lladdr {PEER_MAC} dev cni0.1234 nud permanent
            neigh add {PEER6} lladdr {PEER_MAC} dev cni0.1234 nud permanent
            link add gre1 type gre local {LOCAL4} remote {PEER4} ttl 64
            link set gre1 up addrgenmode none
            addr add 10.99.0.1/31 dev gre1
            addr add fd99::1/127 dev gre1 nodad
            addr add 10.9.0.1/24 dev lan0
            addr add fd09::1/64 dev lan0 nodad
            neigh add {LAN_VIA[4]} lladdr {PEER_MAC} dev lan0 nud permanent
            neigh add {LAN_VIA[6]} lladdr {PEER_MAC} dev lan0 nud permanent
            route add {LAN[4]} via {LAN_VIA[4]} dev lan0
            route add {LAN[6]} via {LAN_VIA[6]} dev lan0
            """
        dev, via = self.way_out()
        batch += "\n".join(f"route add {n} {'via ' + via if via else ''} "
                           f"dev {dev}" for n in self.nets)
        if self.special == "scale":
            batch += more_devices()
        sh("ip -batch -", batch)
        if self.special == "qdisc":
            sh("tc qdisc add dev cni0 root fq_codel")
        # Multicast reports count as packets; waiting costs no instructions.
        time.sleep(5)

    def way_out(self):
        if self.gre:
            return "gre1", None
        return "cni0.1234", PEER4 if self.family == 4 else PEER6

    def send(self, keys, packets, warmup=0, runs=1, when_warm=None):
        """Nanoseconds, so instructions, per packet, of each run."""
        stem = self.stem
        with open(stem + ".at", encoding="ascii") as f:
            at = f.read()
        command = f"{TOP}/build/bench/livegen -d {self.rx} " \
            f"-f {stem}.frame -k {stem}.{keys}.keys -a {at} " \
            f"{'-6' if self.family == 6 else ''} " \
            f"{'-l' if self.special == 'local' else ''} " \
            f"-n {packets} -w {warmup} -r {runs}"
        with subprocess.Popen(command.split(), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as gen:
            gen.stdout.readline()
            if when_warm:
                when_warm()
            text = gen.communicate("\n")[0]
        if gen.returncode:
            raise SystemExit("forward.py: livegen failed")
        self.sent += warmup + packets * runs
        return [float(line) for line in text.split()]

    @contextlib.contextmanager
    def all_counted(self, what, *counters):
        """Each counter must rise by the number of packets sent meanwhile."""
        before, self.sent = [c() for c in counters], 0
        yield
        rise = [c() - b for c, b in zip(counters, before)]
        if all(r == self.sent for r in rise):
            return
        text = f"{self.case} {what}: of {self.sent} packets {rise} were counted"
        # The stock path loses one now and then, and conntrack all but one of
        # a new flow's first batch, so 63; a flow may be taken up twice.
        # Others use the health check's device, too; conntrack is left one
        # packet a second.
        if what in ("floor", "cnilink") and \
                self.special not in ("nft", "health", *RULESETS) or \
                any(abs(r - self.sent) > 128 for r in rise):
            raise SystemExit("forward.py: " + text)
        print(text, file=sys.stderr)

    def device(self, dev, name):
        return lambda: stat(dev, name)

    def row(self, impl, keys, values):
        value = statistics.median(values)
        unit = "insn/packet"
        if impl == "floor":
            self.floor[keys] = value
        elif self.special == "local":
            unit = "insn/sendto"
        else:
            value -= self.floor[keys]
            unit += " over floor"
        case = self.case.removesuffix("-" + self.special)
        self.rows.append({"bench": "forward",
                          "case": f"{case} {self.table} {keys}",
                          "impl": impl, "value": round(value), "unit": unit,
                          "kernel": os.uname().release})
        print(f"{self.case} {keys} {impl}: {round(value)} "
              f"(runs {' '.join(f'{v:.1f}' for v in values)})",
              file=sys.stderr, flush=True)

    def profile(self):
        """Enough packets for profile.py, on the host, to see some."""
        sh(f"cat /proc/kallsyms >{self.out}/kallsyms")
        self.send("20k", 3 * DESTINATIONS, DESTINATIONS,
                  when_warm=lambda: write(f"{self.out}/profile.go", ""))

    def measure(self, impl, *counters, mixes=PACKETS):
        if os.environ.get("CNI_PROFILE"):
            if os.environ["CNI_PROFILE"] == impl:
                self.profile()
            return
        # What the kernel's allocators keep ready depends on what was before.
        self.send("1", PACKETS["1"])
        for keys in mixes:
            with self.all_counted(impl, *counters):
                values = self.send(keys, PACKETS[keys], PACKETS[keys], RUNS)
            self.row(impl, keys, values)

    def veth_send(self):
        """What a frame costs that goes out by a veth and not by a dummy: there
        and gone at the far end, for the health checks go back by one."""
        sh(f"""
            ip link add lan1 address {TX_MAC} type veth peer name far1
            ip link set far1 up; ip link set lan1 up
            ip addr add 10.8.0.1/24 dev lan1
            ip neigh add 10.8.0.2 lladdr {PEER_MAC} dev lan1 nud permanent
            tc qdisc add dev far1 clsact
            tc filter add dev far1 ingress matchall action drop
            tc qdisc add dev far clsact
            tc filter add dev far ingress matchall action drop""")
        self.offload()
        stem, self.stem = self.stem, f"{self.out}/in4"
        nl, values = genl.Genl(), []
        nl.do("PORT_SET", "PORT_IFINDEX:dev=lan1")
        lan = ipaddress.ip_network(LAN[4])
        for dev, via in ("lan0", LAN_VIA[4]), ("lan1", "10.8.0.2"):
            nl.request(genl.NAMES["CNILINK_CMD_ROUTE_SET"],
                       self.route(lan, dev, via))
            with self.all_counted("cnilink", self.device(dev, "tx_packets")):
                values += self.send("1", PACKETS["1"], PACKETS["1"])
        self.stem = stem
        sh("rmmod cnilink")
        print(f"{self.case}: {values[1] - values[0]} for a veth", flush=True,
              file=sys.stderr)
        self.floor["1"] = self.floor.get("1", 0) + values[1] - values[0]

    def run_health(self):
        """The stock path, told to take its own address for a source; then the
        module's answer."""
        self.veth_send()
        counters = [self.device("cni0", "tx_packets"),
                    self.device("gre1", "tx_packets")]
        for dev in "all", "gre1":
            write(f"/proc/sys/net/ipv4/conf/{dev}/accept_local", 1)
        self.measure("stock", *counters, mixes=["1"])
        for dev in "all", "gre1":
            write(f"/proc/sys/net/ipv4/conf/{dev}/accept_local", 0)
        taken = self.offload()
        genl.Genl().do("TUNNEL_SET", "TUNNEL_IFINDEX:dev=gre1",
                       f"TUNNEL_HEALTH_RATE:u32={MILLION}",
                       f"TUNNEL_HEALTH:nest={{HEALTH_LOCAL4:ip={HEALTH[0]} "
                       f"HEALTH_PEER4:ip={HEALTH[1]}}}")
        self.measure("cnilink", taken, *counters, mixes=["1"])
        sh("rmmod cnilink")

    def run_floor(self):
        sh(f"tc qdisc add dev {self.rx} clsact; "
           f"tc filter add dev {self.rx} ingress matchall action drop")

        def dropped():
            out = sh(f"tc -s filter show dev {self.rx} ingress")
            return int(re.search(r"dropped (\d+)", out)[1])

        self.measure("floor", dropped)
        sh(f"tc qdisc del dev {self.rx} clsact")

    def stock_counters(self):
        """Those of the devices that a packet passes."""
        out = [self.device(self.tx, "tx_packets")]
        way = "tx_packets" if self.direction == "out" else "rx_packets"
        out.append(self.device("cni0.1234", way))
        if self.gre:
            out.append(self.device("gre1", way))
        return out

    def run_stock(self):
        self.measure("stock", *self.stock_counters())

    def offload(self):
        """The same devices and routes, told to the module."""
        sh(f"insmod {os.environ['CNILINK_KO']}")
        nl = genl.Genl()
        # Those that come first are looked at first.
        if self.special == "scale":
            enrol_more(nl)
        nl.do("LINK_SET", "LINK_IFINDEX:dev=cni0.1234",
              f"LINK_LOCAL4:ip={LOCAL4}", f"LINK_PEER4:ip={PEER4}",
              f"LINK_LOCAL6:ip={LOCAL6}", f"LINK_PEER6:ip={PEER6}")
        nl.do("TUNNEL_SET", "TUNNEL_IFINDEX:dev=gre1")
        nl.do("PORT_SET", "PORT_IFINDEX:dev=lan0")
        dev, via = self.way_out()
        routes = [self.route(n, dev, via) for n in self.nets]
        if self.special == "1m":
            routes = self.many_routes(dev)
        routes.append(self.route(ipaddress.ip_network(LAN[self.family]),
                                 "lan0", LAN_VIA[self.family]))
        for i in range(0, len(routes), 250):
            nl.request(genl.NAMES["CNILINK_CMD_ROUTE_SET"],
                       b"".join(routes[i:i + 250]))

        # What was just configured may take a moment to settle.
        if self.special in RULESETS:
            time.sleep(5)
            return None
        taken = self.taken(nl)
        for _ in range(50):
            before = taken()
            self.send("1", 64)
            if taken() == before + 64:
                break
            time.sleep(0.1)
        return taken

    def run_firewall(self):
        """The packets go the kernel's way but for what the user gave away."""
        sh("nft -f -", ruleset(self.special))
        self.run_stock()
        self.offload()
        for impl, flags in ("cnilink", 0), ("cnilink-given", 1):
            genl.Genl().do("TUNNEL_SET", "TUNNEL_IFINDEX:dev=gre1",
                           f"TUNNEL_FLAGS:u32={flags}")
            # Hooks that are of no use rest after some seconds.
            for _ in range(12):
                self.send("1", PACKETS["1"] // 8)
                time.sleep(1)
            self.measure(impl, *self.stock_counters())
        sh("rmmod cnilink")

    def many_routes(self, dev):
        oif = struct.pack("=I", socket.if_nametoindex(dev))
        with open(f"{self.out}/1m.routes", "rb") as f:
            data = f.read().replace(OIF, oif)
        size = len(data) // MILLION
        return [data[i:i + size] for i in range(0, len(data), size)]

    def run_cnilink(self):
        taken = self.offload()
        self.measure("cnilink", taken, *self.stock_counters())
        sh("rmmod cnilink")

    def route(self, net, dev, via):
        f = self.family
        nexthop = genl.encode(f"NEXTHOP_OIF:dev={dev}")
        if via:
            nexthop += genl.encode(f"NEXTHOP_VIA{f}:ip={via}")
        number = genl.number
        return genl.attr(
            number("TABLE_ROUTE") | genl.NLA_F_NESTED,
            genl.encode(f"ROUTE_DST{f}:ip={net.network_address}") +
            genl.encode(f"ROUTE_PREFIX_LEN:u8={net.prefixlen}") +
            genl.attr(number("ROUTE_NEXTHOP") | genl.NLA_F_NESTED, nexthop))

    def taken(self, nl):
        """What the port, or the tunnel, says it took."""
        kind = "PORT" if self.direction == "out" else "TUNNEL"
        name, way = kind + "_STATS", "STATS_RX_PACKETS"
        if self.special in ("local", "nft"):
            kind, name, way = "TUNNEL", "TUNNEL_OUTPUT", "STATS_TX_PACKETS"

        def count():
            dev = "lan0" if kind == "PORT" else "gre1"
            body = nl.do(kind + "_GET", f"{kind}_IFINDEX:dev={dev}")[0]
            stats = dict(genl.attrs(dict(genl.attrs(body))[
                genl.number(name)]))
            return struct.unpack("=Q", stats[genl.number(way)])[0]

        return count

    def run_flowtable(self):
        devices = [self.rx, self.tx]
        if self.gre:
            devices = ["lan0", "gre1"]
        ip = "ip6" if self.family == 6 else "ip"
        sh("nft -f -", f"""
            table {ip} bench {{
                flowtable ft {{
                    hook ingress priority 0
                    devices = {{ {', '.join(devices)} }}
                }}
                chain forward {{
                    type filter hook forward priority 0
                    meta l4proto udp flow add @ft
                    counter
                }}
            }}""")

        def slow():
            out = sh(f"nft list chain {ip} bench forward")
            return int(re.search(r"packets (\d+)", out)[1])

        for keys, packets in PACKETS.items():
            # A flow is taken up by its packets on the slow path, and dropped
            # when routes are refreshed, as attaching the generator does.
            warm = []
            with self.all_counted("flowtable",
                                  self.device(self.tx, "tx_packets")):
                values = self.send(keys, packets, 4 * packets, RUNS,
                                   lambda: warm.append(slow()))
            missed = slow() - warm[0]
            if missed:
                print(f"{self.case} {keys} flowtable: {missed} of "
                      f"{packets * RUNS} packets were not taken, no row",
                      file=sys.stderr)
            else:
                self.row("flowtable", keys, values)

    def run(self):
        self.setup()
        if self.special != "local":
            self.run_floor()
        if self.special == "nft":
            sh("nft -f -", NFT)
        if self.special == "health":
            self.run_health()
            return self.rows
        if self.special in RULESETS:
            self.run_firewall()
            return self.rows
        if self.special != "1m":
            self.run_stock()
        if os.path.exists(os.environ["CNILINK_KO"]):
            self.run_cnilink()
        if self.family == 4 and not self.special and \
                not os.environ.get("CNI_PROFILE"):
            self.run_flowtable()
        return self.rows


def run(out, cases):
    sh("modprobe -a veth dummy 8021q ip_gre ipv6 cls_matchall act_gact "
       "nf_conntrack nf_flow_table nf_flow_table_inet nft_flow_offload nf_tables")
    with open("/proc/cmdline", encoding="ascii") as f:
        cmdline = f.read()
    if "mitigations=off" not in cmdline:
        raise SystemExit("forward.py: the kernel's mitigations are on")
    sh("sysctl -qw net.netfilter.nf_conntrack_max=262144")
    jit = "/proc/sys/net/core/bpf_jit_enable"
    write(jit, 1)
    print(f"# kernel {os.uname().release}, JIT {open(jit).read().strip()}, "
          "mitigations off", file=sys.stderr)
    rows = []
    for case in cases or CASES:
        rows += Bench(out, case).run()
        with open(f"{out}/forward.json", "w", encoding="ascii") as f:
            json.dump(rows, f, indent=1)


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "prepare":
        prepare(sys.argv[2])
    elif len(sys.argv) >= 3 and sys.argv[1] == "run":
        run(sys.argv[2], sys.argv[3:])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
