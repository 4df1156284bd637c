# SPDX-License-Identifier: GPL-2.0
"""Packets by hand. scapy would take longer to import in an emulated machine
than everything else here takes to run, and it mends what shall be broken."""
import re
import socket
import struct

ETH_IP, ETH_IP6, ETH_VLAN, ETH_QINQ = 0x800, 0x86dd, 0x8100, 0x88a8
ICMP, IPIP, TCP, UDP, GRE, ICMP6, DESTOPTS = 1, 4, 6, 17, 47, 58, 60
DF, MF = 0x4000, 0x2000
MARK = re.compile(rb"cni!(....)", re.S)

# struct virtio_net_hdr: flags, gso_type, hdr_len, gso_size, csum start, offset
VNET = struct.Struct("<BBHHHH")
NO_VNET = VNET.pack(0, 0, 0, 0, 0, 0)
NEEDS_CSUM = 1
GSO_TCP4, GSO_TCP6, GSO_ECN = 1, 4, 0x80

_filler = bytes(i * 167 & 0xff for i in range(1 << 16))


def addr(text):
    return socket.inet_pton(socket.AF_INET6 if ":" in text
                            else socket.AF_INET, text)


def csum(data):
    """The Internet checksum: a sum modulo 65535 in any order of adding."""
    if len(data) & 1:
        data += b"\0"
    value = int.from_bytes(data, "big")
    return 0xffff ^ (value % 0xffff or (0xffff if value else 0))


def payload(size, number):
    """A body of a size, which says whose it is as far as there's room."""
    body = b"cni!" + struct.pack(">I", number)
    return (body + _filler[number & 0xff:])[:size] if size >= 8 else \
        _filler[number & 0xff:][:size]


def ip4(src, dst, proto, body, tos=0, ident=0x1234, frag=0, ttl=64,
        options=b"", head=None, total=None, check=None):
    ihl = 5 + len(options) // 4
    head = 0x40 | ihl if head is None else head
    total = 20 + len(options) + len(body) if total is None else total
    hdr = struct.pack(">BBHHHBBH", head, tos, total & 0xffff, ident & 0xffff,
                      frag, ttl, proto, 0) + addr(src) + addr(dst) + options
    if check is None:
        check = csum(hdr)
    return hdr[:10] + struct.pack(">H", check) + hdr[12:] + body


def ip6(src, dst, proto, body, tos=0, flow=0x54321, ttl=64, version=6,
        length=None):
    length = len(body) if length is None else length
    return struct.pack(">IHBB", version << 28 | tos << 20 | flow, length,
                       proto, ttl) + addr(src) + addr(dst) + body


def pseudo(src, dst, proto, size):
    return addr(src) + addr(dst) + struct.pack(">II", size, proto)


def udp(src, dst, body, sport=4000, dport=5000, length=None, check=None):
    length = 8 + len(body) if length is None else length
    hdr = struct.pack(">HHHH", sport, dport, length, 0)
    if check is None:
        check = csum(pseudo(src, dst, UDP, length) + hdr + body) or 0xffff
    return hdr[:6] + struct.pack(">H", check) + body


def tcp(src, dst, body, flags=0x10, seq=1, ack=1, options=b"", check=None):
    hdr = struct.pack(">HHIIBBHHH", 4000, 5000, seq, ack,
                      (5 + len(options) // 4) << 4, flags, 0xff00, 0, 0) + \
        options
    if check is None:
        check = csum(pseudo(src, dst, TCP, len(hdr) + len(body)) + hdr + body)
    return hdr[:16] + struct.pack(">H", check) + hdr[18:] + body


def icmp(kind, code, body, rest=0x00070001):
    hdr = struct.pack(">BBHI", kind, code, 0, rest)
    return hdr[:2] + struct.pack(">H", csum(hdr + body)) + hdr[4:] + body


def icmp6(src, dst, kind, code, body, rest=0x00070001):
    hdr = struct.pack(">BBHI", kind, code, 0, rest)
    check = csum(pseudo(src, dst, ICMP6, 8 + len(body)) + hdr + body)
    return hdr[:2] + struct.pack(">H", check) + hdr[4:] + body


def gre(proto, body, flags=0, rest=b"", summed=False):
    """@summed: with a checksum, in front of what else there is."""
    if not summed:
        return struct.pack(">HH", flags, proto) + rest + body
    head = struct.pack(">HH", flags | 0x8000, proto)
    rest = bytes(4) + rest
    total = csum(head + rest + body)
    return head + struct.pack(">H", total) + rest[2:] + body


# What the kernel's tunnels put behind the outer header by default
ENCAP_LIMIT = bytes((GRE, 0, 4, 1, 4, 1, 1, 0))


def eth(dst, src, proto, body, tags=()):
    """Tags are (tpid, tci), the outermost first."""
    out = dst + src
    for tpid, tci in tags:
        out += struct.pack(">HH", tpid, tci)
    return out + struct.pack(">H", proto) + body


def finish_csum(frame, start, offset):
    """What the device that was left to do the checksum would have done."""
    at = start + offset
    value = csum(frame[start:]) or 0xffff
    return frame[:at] + struct.pack(">H", value) + frame[at + 2:]


def number_of(frame):
    found = MARK.search(frame)
    return struct.unpack(">I", found[1])[0] if found else None


def _clear4(frame, at, own, ids):
    """Drop an IP ID that is the edge's to choose, once the checksum is seen
    to be right. With DF it has no meaning; without, it goes to @ids."""
    ihl = (frame[at] & 15) * 4
    good = csum(bytes(frame[at:at + ihl])) == 0
    if not good or bytes(frame[at + 12:at + 16]) not in own:
        return
    ident, frag = struct.unpack_from(">HH", frame, at + 4)
    if not frag & DF:
        ids.append(ident)
    frame[at + 4:at + 6] = frame[at + 10:at + 12] = b"\0\0"


def outer6(frame, at):
    """Whether GRE follows an IPv6 header, and where."""
    if frame[at + 6] == DESTOPTS:
        return frame[at + 40] == GRE, at + 48
    return frame[at + 6] == GRE, at + 40


def normal(frame, own, ids, todo=()):
    """A frame with what may differ taken out: see _clear4(). @own: IPv4
    addresses of the edge. @todo: the frame is to be cut, and GRE checksums
    are put into the pieces."""
    frame = bytearray(frame)
    at = 12
    while frame[at:at + 2] in (b"\x81\x00", b"\x88\xa8"):
        at += 4
    proto = frame[at:at + 2]
    at += 2
    if proto == b"\x86\xdd" and len(frame) >= at + 48:
        is_gre, inner = outer6(frame, at)
    elif proto == b"\x08\x00" and len(frame) >= at + 20 and \
            frame[at] >> 4 == 4:
        _clear4(frame, at, own, ids)
        inner = at + (frame[at] & 15) * 4
        first = not struct.unpack_from(">H", frame, at + 6)[0] & 0x1fff
        is_gre = first and frame[at + 9] == GRE
    else:
        return bytes(frame)
    if is_gre and len(frame) >= inner + 24:
        flags = frame[inner]
        if todo and flags & 0x80:
            frame[inner + 4:inner + 8] = bytes(4)
        proto = frame[inner + 2:inner + 4]
        inner += 4 + 4 * sum(bool(flags & f) for f in (0x80, 0x20, 0x10))
        if proto == b"\x08\x00" and len(frame) >= inner + 20 and \
                frame[inner] >> 4 == 4:
            _clear4(frame, inner, own, ids)
    return bytes(frame)
