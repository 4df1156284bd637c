# SPDX-License-Identifier: GPL-2.0
"""What the Python tests share: TAP, namespaces, rtnetlink, and frames sent and
seen. One process does a lot, since starting programs is slow in the VM."""
import contextlib
import ctypes
import errno
import os
import select
import socket
import struct
import subprocess
import sys
import time
import traceback

import genl
from genl import NAMES, attr, attrs

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
CLONE_NEWUSER = 0x10000000
ETH_P_ALL = 3
NLM_F_DUMP_INTR = 0x10
# Payload that only the packets under test have, by their length.
LONG = 400
# lib.sh has joined the namespaces by network cards, not by veth devices.
DEBUG = os.uname().release.endswith("-debug")
NICS = "CNI_NICS" in os.environ
# lib.sh made the tunnel over IPv6.
OVER6 = os.environ.get("GRE") == "ip6gre"


class Tap:
    def __init__(self):
        self.n = self.failed = 0

    def ok(self, good, name, *why):
        self.n += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.n} {name}")
        if not good:
            for line in why:
                print("# " + str(line).replace("\n", "\n# "))
        sys.stdout.flush()
        return good

    def equal(self, got, want, name):
        return self.ok(got == want, name, f"got {got!r}", f"want {want!r}")

    @contextlib.contextmanager
    def case(self, name):
        """Passes when the block raises nothing."""
        try:
            yield
        except Exception:
            self.ok(False, name, traceback.format_exc().rstrip())
        else:
            self.ok(True, name)

    def run(self, tests):
        """Each of them; one that ends early doesn't keep others from it."""
        for test in tests:
            try:
                test()
            except Exception:
                self.ok(False, f"{test.__name__} came to its end",
                        traceback.format_exc().rstrip())

    def end(self):
        print(f"1..{self.n}")
        sys.exit(1 if self.failed else 0)


def check(good, *why):
    """assert that isn't compiled away."""
    if not good:
        raise AssertionError(" ".join(map(str, why)))


def wait_for(what, seconds=20):
    """Poll until it is true; its value."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.02)


def setns(name):
    fd = os.open("/proc/1/ns/net" if name is None else
                 "/run/netns/" + name, os.O_RDONLY)
    try:
        if LIBC.setns(fd, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns " + str(name))
    finally:
        os.close(fd)


@contextlib.contextmanager
def ns(name):
    fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        setns(name)
        yield
    finally:
        LIBC.setns(fd, CLONE_NEWNET)
        os.close(fd)


def sh(command, fail=True):
    """A shell command's output, in the current namespace."""
    done = subprocess.run(command, shell=True, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)
    if fail and done.returncode:
        raise RuntimeError(f"{command}: {done.stdout}")
    return done.stdout


def batch(space, commands):
    """Commands of ip's in a namespace, by one process."""
    done = subprocess.run(["ip", "-n", space, "-batch", "-"], text=True,
                          input="\n".join(commands), capture_output=True,
                          check=False)
    if done.returncode:
        raise RuntimeError(f"{commands}: {done.stderr}")


def sysctl(name, value):
    with open("/proc/sys/" + name.replace(".", "/"), "w",
              encoding="ascii") as f:
        f.write(str(value))


def ifindex(name):
    return socket.if_nametoindex(name)


class Client(genl.Genl):
    """The raw client, and what tests ask it again and again."""
    SIZE = 1 << 20

    def __init__(self):
        super().__init__()
        self.interrupted = False
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)

    def close(self):
        self.sock.close()

    def receive(self):
        out = []
        self.interrupted = False
        while True:
            done, part = self.receive_one()
            out += part
            if done:
                return out

    def receive_one(self):
        """One datagram: whether it ends the answer, and its payloads."""
        data = self.sock.recv(self.SIZE)
        out, done = [], False
        while data:
            length, kind, flags, seq, _ = struct.unpack_from("=IHHII", data)
            body, data = data[16:length], data[(length + 3) & ~3:]
            if seq != self.seq:
                continue
            self.interrupted |= bool(flags & NLM_F_DUMP_INTR)
            if kind in (genl.NLMSG_ERROR, genl.NLMSG_DONE):
                code = -struct.unpack_from("=i", body)[0]
                if code > 0:
                    raise self.error(code, kind, flags, body)
                done = True
            else:
                out.append(body[4:])
        return done, out

    def events(self, seconds=0.0):
        """(command, payload) of the notifications that are here."""
        out = []
        while select.select([self.sock], [], [], seconds)[0]:
            data = self.sock.recv(1 << 20)
            while data:
                length = struct.unpack_from("=I", data)[0]
                out.append((data[16], data[20:length]))
                data = data[(length + 3) & ~3:]
        return out

    def status(self):
        return read(self.do("STATUS_GET")[0], "STATUS")

    def get(self, kind, dev):
        return read(self.do(kind + "_GET", f"{kind}_IFINDEX:dev={dev}")[0],
                    kind)

    def stats(self, kind, dev):
        return self.get(kind, dev)["STATS"]

    def set_routes(self, routes, cmd="ROUTE_SET", generation=None, txn=None,
                   table=None, nhid=None):
        """routes: (prefix, nexthop) with nexthop None to punt,
        (ifindex, gateway or None), or a list of such with their weights.
        nhid: what the kernel's next hop object of them all is said to be."""
        out = [route_attr(prefix, hop, cmd == "ROUTE_SET", nhid)
               for prefix, hop in routes]
        if generation is not None:
            out.append(attr(NAMES["CNILINK_A_TABLE_GENERATION"],
                            struct.pack("=Q", generation)))
        if txn is not None:
            out.append(attr(NAMES["CNILINK_A_TABLE_TRANSACTION"],
                            struct.pack("=I", txn)))
        if table is not None:
            out.append(attr(NAMES["CNILINK_A_TABLE_ID"],
                            struct.pack("=I", table)))
        return self.request(NAMES["CNILINK_CMD_" + cmd], b"".join(out))

    def replace(self, routes, table):
        """All routes of a table, in a transaction."""
        txn = read(self.do("TABLE_BEGIN", f"TABLE_ID:u32={table}")[0],
                   "TABLE")["TRANSACTION"]
        generation = self.status()["GENERATION"]
        if routes:
            self.set_routes(routes, txn=txn)
        self.do("TABLE_COMMIT", f"TABLE_TRANSACTION:u32={txn}",
                f"TABLE_GENERATION:u64={generation}")

    def routes(self, table=254):
        """The table: prefix to next hop, as set_routes() takes them."""
        return parse_routes(self.do("ROUTE_GET", dump=True), table)

    def lookup(self, dst, src=None):
        family = 6 if ":" in dst else 4
        src = [f"LOOKUP_SRC{family}:ip={src}"] if src else []
        return read(self.do("ROUTE_LOOKUP", f"LOOKUP_DST{family}:ip={dst}",
                            *src)[0], "LOOKUP")


def load():
    """The module, told of lib.sh's link, port and tunnel."""
    sh(f"insmod {os.environ['CNILINK_KO']}")
    c = Client()
    c.do("LINK_SET", "LINK_IFINDEX:dev=eth0.1234",
         "LINK_LOCAL4:ip=192.0.2.11", "LINK_PEER4:ip=192.0.2.10",
         "LINK_LOCAL6:ip=2001:db8:12:3::b", "LINK_PEER6:ip=2001:db8:12:3::a")
    c.do("PORT_SET", "PORT_IFINDEX:dev=lan0")
    c.do("TUNNEL_SET", "TUNNEL_IFINDEX:dev=gre1")
    return c


def set_routes(client):
    """Those of lib.sh: by the tunnel, the link and the port."""
    client.set_routes([
        (prefix(p), (ifindex(dev), ip(via) if via else None))
        for p, dev, via in (
            ("104.16.0.0/13", "gre1", None), ("2606:4700::/32", "gre1", None),
            ("172.64.0.0/13", "eth0.1234", "192.0.2.10"),
            ("2400:cb00::/32", "eth0.1234", "2001:db8:12:3::a"),
            ("10.9.0.0/24", "lan0", None), ("fd09::/64", "lan0", None))])


def load_routed():
    """The module, told of lib.sh's devices and routes."""
    c = load()
    set_routes(c)
    return c


def unload(client):
    client.close()
    sh("rmmod cnilink")


class SmallClient(Client):
    """The kernel makes messages as large as the reader's buffer was once."""
    SIZE = 4096


A = {n: v for n, v in NAMES.items() if n.startswith("CNILINK_A_")}
REASON = {v: n[len("CNILINK_REASON_"):] for n, v in NAMES.items()
          if n.startswith("CNILINK_REASON_") and n != "CNILINK_REASON_MAX"}
BLOCKER = {v: n[len("CNILINK_BLOCKER_"):] for n, v in NAMES.items()
           if n.startswith("CNILINK_BLOCKER_")}
NEST = A["CNILINK_A_TABLE_ROUTE"] | genl.NLA_F_NESTED
DST = {4: A["CNILINK_A_ROUTE_DST4"], 16: A["CNILINK_A_ROUTE_DST6"]}
VIA = {4: A["CNILINK_A_NEXTHOP_VIA4"], 16: A["CNILINK_A_NEXTHOP_VIA6"]}


def names_of(prefix):
    return {v: n[len("CNILINK_A_" + prefix + "_"):] for n, v in A.items()
            if n.startswith("CNILINK_A_" + prefix + "_") and
            not n.endswith("_MAX")}


def read(payload, prefix):
    """A message's attributes by name, counters as a flat dictionary."""
    names, out = names_of(prefix), {}
    for kind, value in attrs(payload):
        name = names.get(kind, kind)
        if name in ("STATS", "OUTPUT", "INPUT"):
            out[name] = read_stats(value)
        elif name in ("BLOCKERS", "XDP_BLOCKERS"):
            out[name] = blockers(struct.unpack("=Q", value)[0])
        elif len(value) in (1, 2, 4, 8):
            out[name] = int.from_bytes(value, sys.byteorder)
        else:
            out[name] = value
    return out


def blockers(bits):
    return {BLOCKER.get(1 << i, i) for i in range(64) if bits >> i & 1}


def read_stats(payload):
    """RX_PACKETS and the like, and each reason; PUNT and DROP are sums. XDP's
    reasons have XDP_PASS: in front, and no sum."""
    names, out = names_of("STATS"), {"PUNT": 0, "DROP": 0}
    for kind, value in attrs(payload):
        name = names.get(kind)
        if name in ("PUNT", "DROP", "XDP_PASS"):
            one = dict(attrs(value))
            count = struct.unpack("=Q", one[A["CNILINK_A_COUNT_PACKETS"]])[0]
            reason = REASON[struct.unpack(
                "=I", one[A["CNILINK_A_COUNT_REASON"]])[0]]
            if name == "XDP_PASS":
                out["XDP_PASS:" + reason] = count
            else:
                out[name] += count
                out[reason] = out.get(reason, 0) + count
        elif name and name != "PAD":
            out[name] = struct.unpack("=Q", value)[0]
    return out


def growth(before, after):
    return {k: v - before.get(k, 0) for k, v in after.items()
            if v != before.get(k, 0)}


def route_attr(prefix, hop, action=True, nhid=None):
    addr, length = prefix
    body = attr(DST[len(addr)], addr) + \
        attr(A["CNILINK_A_ROUTE_PREFIX_LEN"], bytes([length]))
    if action and hop is None:
        body += attr(A["CNILINK_A_ROUTE_ACTION"],
                     struct.pack("=I", NAMES["CNILINK_ACTION_PUNT"]))
    elif action:
        for one in hop if isinstance(hop, list) else [hop]:
            body += attr(A["CNILINK_A_ROUTE_NEXTHOP"] | genl.NLA_F_NESTED,
                         hop_attrs(*one))
        if nhid is not None:
            body += attr(A["CNILINK_A_ROUTE_NEXTHOP_ID"],
                         struct.pack("=I", nhid))
    return attr(NEST, body)


def hop_attrs(oif, via, weight=None):
    out = attr(A["CNILINK_A_NEXTHOP_OIF"], struct.pack("=I", oif))
    if via:
        out += attr(VIA[len(via)], via)
    if weight is not None:
        out += attr(A["CNILINK_A_NEXTHOP_WEIGHT"], struct.pack("=I", weight))
    return out


def parse_hop(payload):
    one = dict(attrs(payload))
    weight = one.get(A["CNILINK_A_NEXTHOP_WEIGHT"])
    hop = (struct.unpack("=I", one[A["CNILINK_A_NEXTHOP_OIF"]])[0],
           one.get(VIA[4]) or one.get(VIA[16]))
    return hop if weight is None else hop + struct.unpack("=I", weight)


def parse_routes(payloads, table=254):
    out = {}
    for payload in payloads:
        names = dict(attrs(payload))
        if struct.unpack("=I", names[A["CNILINK_A_TABLE_ID"]])[0] != table:
            continue
        for kind, route in attrs(payload):
            if kind != A["CNILINK_A_TABLE_ROUTE"]:
                continue
            one = dict(attrs(route))
            addr = one.get(DST[4]) or one[DST[16]]
            hop = [parse_hop(value) for kind, value in attrs(route)
                   if kind == A["CNILINK_A_ROUTE_NEXTHOP"]]
            if not hop or len(hop) == 1 and len(hop[0]) == 2:
                hop = hop[0] if hop else None
            key = (addr, one[A["CNILINK_A_ROUTE_PREFIX_LEN"]][0])
            if key in out:
                raise AssertionError(f"{show(key)} twice in a dump")
            out[key] = hop
    return out


def ip(text):
    return genl.addr(text)


def prefix(text):
    addr, _, length = text.partition("/")
    addr = ip(addr)
    return addr, int(length) if length else 8 * len(addr)


def show(key):
    addr, length = key
    family = socket.AF_INET if len(addr) == 4 else socket.AF_INET6
    return f"{socket.inet_ntop(family, addr)}/{length}"


def mask(addr, length):
    bits = 8 * len(addr)
    n = int.from_bytes(addr, "big") >> (bits - length) << (bits - length)
    return n.to_bytes(len(addr), "big")


class Rtnl:
    """Routes and addresses, without a process for each change."""
    NEWADDR, DELADDR, NEWROUTE, DELROUTE, GETROUTE = 20, 21, 24, 25, 26
    NEWRULE, DELRULE = 32, 33
    UNICAST, LOCAL, BLACKHOLE, UNREACHABLE, THROW = 1, 2, 6, 7, 9
    REPLACE, EXCL, CREATE = 0x100, 0x200, 0x400

    def __init__(self):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        self.sock.bind((0, 0))
        self.seq = 0

    def request(self, kind, flags, body):
        """The answer's payload, or the error's number."""
        self.seq += 1
        self.sock.send(struct.pack("=IHHII", 16 + len(body), kind,
                                   flags | 5, self.seq, 0) + body)
        answer = None
        while True:
            data = self.sock.recv(1 << 16)
            while data:
                length, kind, _, _, _ = struct.unpack_from("=IHHII", data)
                if kind == 2:
                    code = -struct.unpack_from("=i", data, 16)[0]
                    return code if code else answer
                answer = data[16:length]
                data = data[(length + 3) & ~3:]

    def route(self, cmd, key, oif=0, via=None, kind=1, metric=0, flags=0,
              nhid=0, table=254):
        addr, length = key
        family = socket.AF_INET if len(addr) == 4 else socket.AF_INET6
        kind = 0 if cmd == self.DELROUTE else kind
        scope = 253 if family == socket.AF_INET and kind == 1 and \
            not via and not nhid else 0
        if cmd == self.DELROUTE:
            scope = 255
        body = struct.pack("=BBBBBBBBI", family, length, 0, 0, table,
                           4, scope, kind, 0) + attr(1, addr)
        if oif:
            body += attr(4, struct.pack("=I", oif))
        if via:
            body += attr(5, via)
        if metric:
            body += attr(6, struct.pack("=I", metric))
        if nhid:
            body += attr(30, struct.pack("=I", nhid))
        return self.request(cmd, flags, body)

    def rule(self, cmd, src, table, pref, flags=0):
        """from src lookup table"""
        addr, length = src
        family = socket.AF_INET if len(addr) == 4 else socket.AF_INET6
        body = struct.pack("=BBBBBBBBI", family, 0, length, 0, table, 0, 0,
                           1, 0) + attr(6, struct.pack("=I", pref))
        if length:
            body += attr(2, addr)
        return self.request(cmd, flags, body)

    def address(self, cmd, addr, length, dev):
        family = socket.AF_INET if len(addr) == 4 else socket.AF_INET6
        body = struct.pack("=BBBBI", family, length, 2, 0, dev)
        body += attr(2, addr) + attr(1, addr)
        return self.request(cmd, self.CREATE if cmd == self.NEWADDR else 0,
                            body)

    def get(self, dst, src, iif):
        """What ip route get says: (type, oif), or (error, None)."""
        family = socket.AF_INET if len(dst) == 4 else socket.AF_INET6
        bits = 8 * len(dst)
        body = struct.pack("=BBBBBBBBI", family, bits, bits, 0, 0, 0, 0, 0, 0)
        body += attr(1, dst) + attr(2, src) + attr(3, struct.pack("=I", iif))
        answer = self.request(self.GETROUTE, 0, body)
        if isinstance(answer, int):
            return answer, None
        kind = answer[7]
        one = dict(attrs(answer[12:]))
        oif = one.get(4)
        # IPv6 reports an unreachable route's error in the cache info.
        if kind in (self.BLACKHOLE, self.UNREACHABLE, 8, self.THROW):
            return kind, None
        return kind, struct.unpack("=I", oif)[0] if oif else None


def csum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ipv4(src, dst, proto, body, frag=0x4000, ttl=64, tos=0, ident=1):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, tos, 20 + len(body), ident, frag,
                       ttl, proto, 0, src, dst)
    return head[:10] + struct.pack("!H", csum(head)) + head[12:] + body


def ethertype(packet):
    return b"\x08\0" if packet[0] >> 4 == 4 else b"\x86\xdd"


def gre(packet):
    """As the far end of gre1 sends it."""
    if OVER6:
        option = bytes((47, 0, 4, 1, 4, 1, 1, 0))
        body = option + b"\0\0" + ethertype(packet) + packet
        return struct.pack("!IHBB16s16s", 6 << 28, len(body), 60, 64,
                           ip("2001:db8:12:3::a"),
                           ip("2001:db8:12:3::b")) + body
    return ipv4(ip("192.0.2.10"), ip("192.0.2.11"), 47,
                b"\0\0" + ethertype(packet) + packet)


def udp(src, dst, number, size=LONG, ttl=32, tos=0):
    """An IP packet with a number in it."""
    body = struct.pack("!HHHHI", 4000, 4000, 8 + size, 0, number)
    body += bytes(size - 4)
    if len(dst) == 4:
        return ipv4(src, dst, 17, body, ttl=ttl, tos=tos)
    return struct.pack("!IHBB16s16s", 6 << 28 | tos << 20, len(body), 17, ttl,
                       src, dst) + body


def complaint(packet, kind, code, word=0):
    """What the far end says by ICMP of a packet that we sent into gre1."""
    if OVER6:
        ends = ip("2001:db8:12:3::a"), ip("2001:db8:12:3::b")
        outer = struct.pack("!IHBB", 6 << 28, len(packet) + 4, 47, 64) + \
            ends[1] + ends[0]
    else:
        ends = ip("192.0.2.10"), ip("192.0.2.11")
        outer = ipv4(*ends[::-1], 47, bytes(4) + packet)[:20]
    body = struct.pack("!BBHI", kind, code, 0, word) + outer + b"\0\0" + \
        ethertype(packet) + packet[:80]
    pseudo = b"".join(ends) + struct.pack("!II", len(body), 58)
    total = csum(pseudo * OVER6 + body)
    body = body[:2] + struct.pack("!H", total) + body[4:]
    if OVER6:
        return struct.pack("!IHBB", 6 << 28, len(body), 58, 64) + \
            b"".join(ends) + body
    return ipv4(*ends, 1, body)


class Tx:
    """Sends frames by a device, past the namespace's own stack."""

    def __init__(self, space, dev, to=None):
        with ns(space):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self.sock.bind((dev, 0))
            self.mac = self.sock.getsockname()[4]
        self.to = to

    def ip(self, packet, to=None):
        self.sock.send((to or self.to) + self.mac + ethertype(packet) + packet)

    def tagged(self, packet):
        """The same in the link's VLAN, 1234."""
        self.sock.send(self.to + self.mac + b"\x81\0\x04\xd2" +
                       ethertype(packet) + packet)


class Rx:
    """Sees the long frames that arrive at a device."""

    def __init__(self, space, dev):
        with ns(space):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                      socket.htons(ETH_P_ALL))
            program = struct.pack("HBBI" * 4, 0x80, 0, 0, 0,
                                  0x35, 0, 1, LONG, 0x6, 0, 0, 0x40000,
                                  0x6, 0, 0, 0)
            self.program = ctypes.create_string_buffer(program)
            self.sock.setsockopt(socket.SOL_SOCKET, 26, struct.pack(
                "HL", 4, ctypes.addressof(self.program)))
            self.sock.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)
            self.sock.setsockopt(263, 8, 1)  # PACKET_AUXDATA
            self.sock.bind((dev, ETH_P_ALL))
        self.sock.setblocking(False)

    def frames(self, macs=False):
        """(tag or None, ethertype, payload) of all frames that are here; with
        the destination's MAC address behind it if asked for."""
        out = []
        while True:
            try:
                data, anc, _, addr = self.sock.recvmsg(1 << 17, 256)
            except BlockingIOError:
                return out
            except OSError as e:
                # The device went down: said once, and then again at its end.
                if e.errno != errno.ENETDOWN:
                    raise
                continue
            if addr[2] == 4:  # outgoing
                continue
            tag = None
            for _, kind, value in anc:
                if kind == 8:
                    status = struct.unpack_from("=I", value)[0]
                    if status & 0x10:
                        tag = struct.unpack_from("=H", value, 16)[0] & 0xfff
            proto = struct.unpack_from("!H", data, 12)[0]
            to, data = data[:6], data[14:]
            if proto in (0x8100, 0x88a8):
                tag, proto = struct.unpack_from("!HH", data)
                tag, data = tag & 0xfff, data[4:]
            out.append((tag, proto, data) + ((to,) if macs else ()))


def number(packet):
    """The number in a UDP packet of ours, or None."""
    off = 20 if packet[0] >> 4 == 4 else 40
    if len(packet) < off + 12 or packet[9 if off == 20 else 6] != 17 or \
            packet[off:off + 4] != b"\x0f\xa0\x0f\xa0":
        return None
    return struct.unpack_from("!I", packet, off + 8)[0]


def inner(packet):
    """What a GRE packet holds, or None."""
    v6 = packet[0] >> 4 == 6
    off, proto = (40, packet[6]) if v6 else (20, packet[9])
    if v6 and proto == 60:
        off, proto = 48, packet[40]
    if proto != 47:
        return None
    flags = struct.unpack_from("!H", packet, off)[0]
    return packet[off + 4 + 4 * bool(flags & 0x2000) +
                  4 * bool(flags & 0x1000) + 4 * bool(flags & 0x8000):]


def mac(space, dev):
    with ns(space):
        with open(f"/proc/self/net/dev", encoding="ascii"):
            pass
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        s.bind((dev, 0))
        out = s.getsockname()[4]
        s.close()
    return out


class World:
    """The topology of lib.sh: packets sent from the LAN, and where they go."""

    def __init__(self):
        self.tx = Tx("lan", "eth0", mac("edge", "lan0"))
        self.cf = Rx("cf", "eth0")
        self.lan = Rx("lan", "eth0")
        self.extra = {}
        self.n = 1
        with ns("lan"):
            self.arp = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                     socket.htons(0x806))
            self.arp.bind(("eth0", 0x806))
        if NICS:
            self.edge = Tx("edge", "eth0")
            with ns("cf"):
                self.far = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                         socket.htons(0x88b5))
                self.far.bind(("eth0", 0x88b5))
        self.src = {4: ip("10.9.0.2"), 16: ip("fd09::2")}
        # Softirqs of one CPU keep the order, so the fence comes last.
        os.sched_setaffinity(0, {0})

    def fence(self, seconds=20):
        """Wait until the kernel is done with all that was sent so far. What the
        stock gre device received waits in a queue of its own: before the second
        fence is dealt with, that is, too."""
        self.fence_once(seconds)
        self.fence_once(seconds)
        if DEBUG:
            time.sleep(0.3)

    def fence_once(self, seconds):
        """An ARP request waits in the same line, and needs no route."""
        self.n += 1
        me = b"\x02\0" + struct.pack("!I", self.n)
        self.tx.sock.send(self.tx.to + self.tx.mac + struct.pack(
            "!HHHBBH6s4s6s4s", 0x806, 1, 0x800, 6, 4, 1, me,
            ip("10.9.0.199"), bytes(6), ip("10.9.0.1")))
        self.arp.settimeout(seconds)
        try:
            while self.arp.recv(2048)[:6] != me:
                pass
            if NICS:
                self.push(me, seconds)
        except TimeoutError:
            raise AssertionError("the packet after the ones under test got "
                                 "lost") from None
    def push(self, me, seconds):
        """A card has a queue: the edge's own frame comes behind the others."""
        self.far.settimeout(seconds)
        self.edge.sock.send(me + self.edge.mac + b"\x88\xb5" + bytes(46))
        while self.far.recv(2048)[:6] != me:
            pass

    def sent(self, dsts, src=None, **how):
        """Send a packet to each address; the way that each took: tunnel,
        plain, lan, another device's name, or None."""
        numbers = {}
        for i, dst in enumerate(dsts):
            numbers[self.n] = i
            self.tx.ip(udp((src or self.src)[len(dst)], dst, self.n, **how))
            self.n += 1
        self.fence()
        ways = [None] * len(dsts)
        for way, num in self.seen():
            if num in numbers:
                i = numbers[num]
                ways[i] = way if ways[i] is None else f"{ways[i]}+{way}"
        return ways

    def seen(self):
        for tag, _, packet in self.cf.frames():
            inside = inner(packet)
            if inside is not None:
                yield ("tunnel" if tag else "tunnel untagged"), number(inside)
            else:
                yield ("plain" if tag else "plain untagged"), number(packet)
        for _, _, packet in self.lan.frames():
            yield "lan", number(packet)
        for name, rx in self.extra.items():
            for _, _, packet in rx.frames():
                yield name, number(packet)


def quiet():
    """No far end complains of packets for nobody: they'd be counted too."""
    for space in ("lan", "cf"):
        with ns(space):
            sh("nft 'table inet quiet { chain c { type filter hook output "
               "priority 0; meta l4proto icmp drop; icmpv6 type "
               "{ destination-unreachable, parameter-problem } drop; }; }'")


def static_neighbours():
    """So that no packet waits for an answer."""
    lan, cf, link = mac("lan", "eth0"), mac("cf", "eth0"), "eth0.1234"
    batch("edge", (f"neigh replace {addr} dev {dev} lladdr {m.hex(':')} "
                   "nud permanent" for addr, dev, m in (
                       ("10.9.0.2", "lan0", lan), ("fd09::2", "lan0", lan),
                       ("192.0.2.10", link, cf),
                       ("2001:db8:12:3::a", link, cf))))
