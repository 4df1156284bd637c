#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""A raw client of the cnilink family, for tests: it sends what it is told,
right or wrong, and shares no code with cnictl.

usage: genl.py COMMAND [--dump] [ATTR:TYPE=VALUE ...]

ATTR is a name of the uapi header without its prefix (LINK_IFINDEX), or a
number. TYPE: u8 u16 u32 u64 ip (IPv4 or IPv6) hex dev (name to ifindex), or
nest, whose VALUE is a list in braces: TABLE_ROUTE:nest={ROUTE_DST4:ip=... ...}
"""
import os
import re
import socket
import struct
import sys

NETLINK_GENERIC = 16
SOL_NETLINK = 270
NETLINK_CAP_ACK = 10
NETLINK_EXT_ACK = 11
NLM_F_REQUEST, NLM_F_MULTI, NLM_F_ACK, NLM_F_DUMP = 1, 2, 4, 0x300
NLM_F_CAPPED, NLM_F_ACK_TLVS = 0x100, 0x200
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLA_F_NESTED = 0x8000

HEADER = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                      "../kmod/uapi/linux/cnilink.h")


def load_names():
    """All enumerators of the header, by name."""
    names = {}
    with open(HEADER, encoding="utf-8") as f:
        text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
    for body in re.findall(r"enum\s*\w*\s*{(.*?)}", text, flags=re.S):
        value = 0
        for item in body.split(","):
            item = item.strip()
            if not item:
                continue
            name, _, expr = (s.strip() for s in item.partition("="))
            if expr:
                value = eval(expr, {}, names)  # the header's own arithmetic
            names[name] = value
            value += 1
    return names


NAMES = load_names()


class Error(Exception):
    """What the kernel said to a request."""

    def __init__(self, code, text, offset):
        super().__init__(f"{os.strerror(code)}: {text}")
        self.code, self.text, self.offset = code, text, offset


def attr(kind, payload):
    data = struct.pack("=HH", 4 + len(payload), kind) + payload
    return data + b"\0" * (-len(data) % 4)


def attrs(data):
    """The attributes in a message, as (type, payload)."""
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        yield kind & 0x3fff, data[4:size]
        data = data[(size + 3) & ~3:]


def number(name):
    return int(name, 0) if name[0].isdigit() else NAMES["CNILINK_A_" + name]


def addr(text):
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    return socket.inet_pton(family, text)


def encode(spec):
    """One ATTR:TYPE=VALUE."""
    name, rest = spec.split(":", 1)
    kind, value = rest.split("=", 1)
    kind_number = number(name)
    if kind == "nest":
        return attr(kind_number | NLA_F_NESTED,
                    b"".join(encode(s) for s in split(value[1:-1])))
    if kind == "ip":
        return attr(kind_number, addr(value))
    if kind == "hex":
        return attr(kind_number, bytes.fromhex(value))
    if kind == "dev":
        return attr(kind_number, struct.pack("=I", socket.if_nametoindex(value)))
    formats = {"u8": "=B", "u16": "=H", "u32": "=I", "u64": "=Q"}
    return attr(kind_number, struct.pack(formats[kind], int(value, 0)))


def split(text):
    """Split at blanks that are in no braces."""
    depth, word, words = 0, "", []
    for c in text:
        if c.isspace() and not depth:
            if word:
                words.append(word)
            word = ""
            continue
        depth += (c == "{") - (c == "}")
        word += c
    return words + [word] if word else words


class Genl:
    def __init__(self):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW,
                                  NETLINK_GENERIC)
        self.sock.bind((0, 0))
        self.sock.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
        self.sock.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        self.seq = 0
        self.groups = {}
        self.family = 16
        for payload in self.request(3, attr(2, b"cnilink\0"), version=2):
            for kind, value in attrs(payload):
                if kind == 1:
                    family = struct.unpack("=H", value)[0]
                elif kind == 7:
                    for _, group in attrs(value):
                        one = dict(attrs(group))
                        self.groups[one[1].rstrip(b"\0").decode()] = \
                            struct.unpack("=I", one[2])[0]
        self.family = family

    def join(self, group):
        self.sock.setsockopt(SOL_NETLINK, 1, self.groups[group])

    def send(self, cmd, payload, dump=False, version=1):
        self.seq += 1
        flags = NLM_F_REQUEST | (NLM_F_DUMP if dump else NLM_F_ACK)
        data = struct.pack("=BBH", cmd, version, 0) + payload
        self.sock.send(struct.pack("=IHHII", 16 + len(data), self.family,
                                   flags, self.seq, 0) + data)

    def receive(self):
        """Until the end of the answer: the payloads, or an Error."""
        out = []
        while True:
            data = self.sock.recv(1 << 20)
            while data:
                size, kind, flags, seq, _ = struct.unpack_from("=IHHII", data)
                body, data = data[16:size], data[(size + 3) & ~3:]
                if kind in (NLMSG_ERROR, NLMSG_DONE):
                    code = -struct.unpack_from("=i", body)[0]
                    if code > 0:
                        raise self.error(code, kind, flags, body)
                    return out
                if seq == self.seq:
                    out.append(body[4:])

    @staticmethod
    def error(code, kind, flags, body):
        text, offset = "", None
        if flags & NLM_F_ACK_TLVS:
            skip = 20 if kind == NLMSG_ERROR else 4
            for t, value in attrs(body[skip:]):
                if t == 1:
                    text = value.rstrip(b"\0").decode()
                elif t == 2:
                    offset = struct.unpack("=I", value)[0]
        return Error(code, text, offset)

    def request(self, cmd, payload=b"", dump=False, version=1):
        self.send(cmd, payload, dump, version)
        return self.receive()

    def do(self, cmd, *specs, dump=False):
        return self.request(NAMES["CNILINK_CMD_" + cmd],
                            b"".join(encode(s) for s in specs), dump)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    args = sys.argv[2:]
    dump = "--dump" in args
    try:
        for body in Genl().do(sys.argv[1], *[a for a in args if a != "--dump"],
                              dump=dump):
            print(" ".join(f"{k}={v.hex()}" for k, v in attrs(body)))
    except Error as e:
        sys.exit(f"genl.py: {e}")


if __name__ == "__main__":
    main()
