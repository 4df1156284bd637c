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

# name: family, direction, has a tunnel
CASES = {
    "lan-gre-vlan": (4, "out", True),
    "gre-vlan-lan": (4, "in", True),
    "lan-vlan": (4, "out", False),
    "lan-gre-vlan6": (6, "out", True),
    "gre-vlan-lan6": (6, "in", True),
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
            stem = f"{out}/{direction}{family}"
            for name, blob in ("frame", data), ("1.keys", keys[0]), \
                    ("20k.keys", b"".join(keys)):
                with open(f"{stem}.{name}", "wb") as f:
                    f.write(blob)
            with open(f"{stem}.at", "w", encoding="ascii") as f:
                f.write(str(at))


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


class Bench:
    def __init__(self, out, case):
        self.out, self.case = out, case
        self.family, self.direction, self.gre = CASES[case]
        self.rx, self.tx = ("lan0", "cni0") if self.direction == "out" else \
            ("cni0", "lan0")
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
        sh("ip -batch -", batch)
        # Multicast reports count as packets; waiting costs no instructions.
        time.sleep(5)

    def way_out(self):
        if self.gre:
            return "gre1", None
        return "cni0.1234", PEER4 if self.family == 4 else PEER6

    def send(self, keys, packets, warmup=0, runs=1, when_warm=None):
        """Nanoseconds, so instructions, per packet, of each run."""
        stem = f"{self.out}/{self.direction}{self.family}"
        with open(stem + ".at", encoding="ascii") as f:
            at = f.read()
        command = f"{TOP}/build/bench/livegen -d {self.rx} " \
            f"-f {stem}.frame -k {stem}.{keys}.keys -a {at} " \
            f"{'-6' if self.family == 6 else ''} " \
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
        # a new flow's first batch, so 63.
        if what in ("floor", "cnilink") or \
                any(abs(r - self.sent) > 64 for r in rise):
            raise SystemExit("forward.py: " + text)
        print(text, file=sys.stderr)

    def device(self, dev, name):
        return lambda: stat(dev, name)

    def row(self, impl, keys, values):
        value = statistics.median(values)
        unit = "insn/packet"
        if impl == "floor":
            self.floor[keys] = value
        else:
            value -= self.floor[keys]
            unit += " over floor"
        table = "as13335"
        self.rows.append({"bench": "forward",
                          "case": f"{self.case} {table} {keys}",
                          "impl": impl, "value": round(value), "unit": unit})
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
        for keys in mixes:
            with self.all_counted(impl, *counters):
                values = self.send(keys, PACKETS[keys], PACKETS[keys], RUNS)
            self.row(impl, keys, values)

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
        nl.do("LINK_SET", "LINK_IFINDEX:dev=cni0.1234",
              f"LINK_LOCAL4:ip={LOCAL4}", f"LINK_PEER4:ip={PEER4}",
              f"LINK_LOCAL6:ip={LOCAL6}", f"LINK_PEER6:ip={PEER6}")
        nl.do("TUNNEL_SET", "TUNNEL_IFINDEX:dev=gre1")
        nl.do("PORT_SET", "PORT_IFINDEX:dev=lan0")
        dev, via = self.way_out()
        routes = [self.route(n, dev, via) for n in self.nets]
        routes.append(self.route(ipaddress.ip_network(LAN[self.family]),
                                 "lan0", LAN_VIA[self.family]))
        for i in range(0, len(routes), 250):
            nl.request(genl.NAMES["CNILINK_CMD_ROUTE_SET"],
                       b"".join(routes[i:i + 250]))

        # What was just configured may take a moment to settle.
        taken = self.taken(nl)
        for _ in range(50):
            before = taken()
            self.send("1", 64)
            if taken() == before + 64:
                break
            time.sleep(0.1)
        return taken

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

        def count():
            for body in nl.do(kind + "_GET", dump=True):
                stats = dict(genl.attrs(dict(genl.attrs(body))[
                    genl.number(kind + "_STATS")]))
                return struct.unpack("=Q", stats[
                    genl.number("STATS_RX_PACKETS")])[0]
            return 0

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
        self.run_floor()
        self.run_stock()
        if os.path.exists(os.environ["CNILINK_KO"]):
            self.run_cnilink()
        if self.family == 4 and not os.environ.get("CNI_PROFILE"):
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
