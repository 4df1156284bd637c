#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Sends the corpus over the stock path and over the fast path, and compares.

Run by oracle.sh, in its topology. All sockets are this process's, opened in
the namespaces they belong to; it stays on one CPU, so that packets are dealt
with in the order in which they are sent.
"""
import collections
import ctypes
import errno
import fcntl
import itertools
import json
import os
import select
import shlex
import socket
import struct
import subprocess
import sys
import time

import genl
import oracle_corpus as corpus
import oracle_packets as p

HERE = os.path.dirname(os.path.abspath(__file__))
VLAN_DEV = f"eth0.{corpus.VLAN}"
CNICTL = os.path.join(HERE, "../build/user/cnictl")
# Network cards instead of veth devices, with queues between them
NICS = "CNI_NICS" in os.environ
REASONS = {v: k[len("CNILINK_REASON_"):] for k, v in genl.NAMES.items()
           if k.startswith("CNILINK_REASON_") and not k.endswith("_MAX")}
STATS64 = ("rx_packets tx_packets rx_bytes tx_bytes rx_errors tx_errors "
           "rx_dropped tx_dropped multicast collisions rx_length_errors "
           "rx_over_errors rx_crc_errors rx_frame_errors rx_fifo_errors "
           "rx_missed_errors tx_aborted_errors tx_carrier_errors "
           "tx_fifo_errors tx_heartbeat_errors tx_window_errors "
           "rx_compressed tx_compressed rx_nohandler").split()

SOL_PACKET, PACKET_AUXDATA, PACKET_VNET_HDR = 263, 8, 15
PACKET_IGNORE_OUTGOING, SO_MARK, SO_RCVBUFFORCE = 23, 36, 33
PACKET_STATISTICS = 6
ETH_P_ALL, UDP_SEGMENT, IP_MTU_DISCOVER, IP_PMTUDISC_DO = 3, 103, 10, 2
CLONE_NEWNET = 0x40000000
TUNSETIFF, TUNSETOFFLOAD = 0x400454ca, 0x400454d0
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x2, 0x1000, 0x4000
TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6, TUN_F_TSO_ECN = 1, 2, 4, 8


class Config:
    """One way to set the edge up."""

    def __init__(self, name, gre="ttl 64", groups=(), **kw):
        self.name, self.gre, self.groups = name, gre, groups
        self.main = name == "default"
        self.mtu, self.lan_mtu, self.key = 1476, 1600, None
        self.csum = False    # what is received has checksums
        self.outer, self.limit, self.dscp_copy = 4, False, False
        self.lan = "10.9.0.50", "fd09::50"
        self.offloaded, self.rp_filter, self.cuts = True, False, False
        self.deep = bool(os.environ.get("CNI_DEEP"))
        self.xdp = self.only_deep = False
        self.before, self.after = [], []
        self.routes = ()
        # Others that get to see packets, so that those are punted:
        # sockets of the edge, (device, protocol), and nftables' counters
        self.sockets, self.nft = (), ()
        # The reason for what would be taken otherwise; None for not all of it
        self.left = corpus.FAST
        # Where the kernel learns of a smaller path MTU for one destination,
        # (way, path); it is left what goes there
        self.learnt = ()
        # Another gre device, which gets what comes out of the tunnel
        self.twin = False
        # The LAN is a virtual machine's tap
        self.tap = False
        # Why XDP leaves packets to others, beside what changes them
        self.not_xdp = ()
        # The outer packets are given away, and those that are the gre
        # device's come by the input stage.
        self.given = False
        # The link's device, and the tags that it stands for
        self.link, self.tags = VLAN_DEV, ((p.ETH_VLAN, corpus.VLAN),)
        self.port, self.lan_tags = "lan0", ()
        self.__dict__.update(kw)


def over6(name, gre, groups=(), **kw):
    """A tunnel over IPv6."""
    limit = "encaplimit none" not in gre
    return Config(name, gre, groups, outer=6, limit=limit,
                  mtu=1456 - 8 * limit - 4 * ("key" in kw) -
                  4 * ("csum" in gre), **kw)


LINK_GROUPS = "sizes", "too_big", "ttl", "fragments", "partial"
LINK_ADDRS = (("edge", ("192.0.2.11/31", "2001:db8:12:3::b/127")),
              ("cf", ("192.0.2.10/31", "2001:db8:12:3::a/127")))
LINK_ROUTES = (("172.64.0.0/13", "192.0.2.10"),
               ("2400:cb00::/32", "2001:db8:12:3::a"))


def move_link(old, new):
    """Commands that give the link's addresses and routes to another device."""
    for n, addrs in LINK_ADDRS:
        for a in addrs:
            yield f"ip -n {n} addr del {a} dev {old}"
            yield f"ip -n {n} addr add {a} dev {new} " + \
                "nodad" * (":" in a)
    for dst, via in LINK_ROUTES:
        yield f"ip -n edge route replace {dst} via {via} dev {new}"


def link_on(name, link, tags, devices=(), groups=LINK_GROUPS, gre="ttl 64"):
    """A link on another device. @devices: what to make, (name, on, how)."""
    make = [c for n in ("edge", "cf") for dev, on, how in devices for c in
            (f"ip -n {n} link add link {on} name {dev} type vlan {how}",
             f"ip netns exec {n} sysctl -qw "
             f"net/ipv6/conf/{dev}/router_solicitations=0",
             f"ip -n {n} link set {dev} mtu 1500 up")]
    away = [f"ip -n {n} link del {dev}" for n in ("edge", "cf")
            for dev, _, _ in reversed(devices)]
    if not devices:
        # Made to have room for tags and more; the link is to be an ordinary one
        make = ["ip -n edge link set eth0 mtu 1500"]
        away = ["ip -n edge link set eth0 mtu 1600"]
    return Config(name, gre, groups, link=link, tags=tags,
                  before=[*make, *move_link(VLAN_DEV, link)],
                  after=[*move_link(link, VLAN_DEV), *away])


def link_over(name, make, away, groups=LINK_GROUPS, on="eth0"):
    """The link's VLAN device where it always is, or on a device above."""
    def vlan(parent):
        yield f"ip -n edge link add link {parent} name {VLAN_DEV} type vlan " \
            f"id {corpus.VLAN}"
        yield f"ip netns exec edge sysctl -qw " \
            f"net/ipv4/conf/{VLAN_DEV}/send_redirects=0 " \
            f"net/ipv6/conf/{VLAN_DEV}/router_solicitations=0"
        yield f"ip -n edge link set {VLAN_DEV} addrgenmode none mtu 1500 up"
        for a in LINK_ADDRS[0][1]:
            yield f"ip -n edge addr add {a} dev {VLAN_DEV} " + \
                "nodad" * (":" in a)
        for dst, via in LINK_ROUTES:
            yield f"ip -n edge route replace {dst} via {via} dev {VLAN_DEV}"

    gone = f"ip -n edge link del {VLAN_DEV}"
    return Config(name, "ttl 64", groups,
                  before=[gone, *make, *vlan(on)],
                  after=[gone, *away, *vlan("eth0")])


def master(dev, kind):
    """Put eth0 below another device, and take it away again."""
    return ([f"ip -n edge link add {dev} type {kind}",
             f"ip -n edge link set {dev} addrgenmode none",
             "ip -n edge link set eth0 down",
             f"ip -n edge link set eth0 master {dev}",
             "ip -n edge link set eth0 up",
             f"ip -n edge link set {dev} up"],
            [f"ip -n edge link del {dev}", "ip -n edge link set eth0 down",
             "ip -n edge link set eth0 mtu 1600 up"])


def ethtool(off, dev="eth0"):
    return {"before": [f"ip netns exec edge ethtool -K {dev} {f} off"
                       for f in off],
            "after": [f"ip netns exec edge ethtool -K {dev} {f} on"
                      for f in off]}


LAN_ADDRS = ("10.9.0.1/24", "fd09::1/64")


def move_lan(old, new):
    """Commands that give the LAN's addresses to another device."""
    for a in LAN_ADDRS:
        yield f"ip -n edge addr del {a} dev {old}"
        yield f"ip -n edge addr add {a} dev {new} " + "nodad" * (":" in a)


def lan_on(name, dev, tags, how, groups=LINK_GROUPS, make=Config,
           space="edge", **kw):
    """The LAN port on a VLAN. @space: where the device below is moved to."""
    away, back = [], []
    if space != "edge":
        # What a device leaves behind with a namespace, but for its addresses
        away = [f"ip netns add {space}",
                f"ip -n edge link set lan0 netns {space}",
                f"ip -n {space} link set lan0 addrgenmode none up"]
        back = [f"ip -n {space} link set lan0 netns edge",
                f"ip netns del {space}",
                "ip netns exec edge sysctl -qw "
                "net/ipv4/conf/lan0/send_redirects=0",
                "ip -n edge link set lan0 addrgenmode none up"] + \
            [f"ip -n edge addr add {a} dev lan0 " + "nodad" * (":" in a)
             for a in LAN_ADDRS]
    else:
        back = move_lan(dev, "lan0")
    return make(
        name, "ttl 64", groups, port=dev, lan_tags=tags,
        before=[f"ip -n edge link add link lan0 name {dev} type vlan {how}",
                f"ip netns exec edge sysctl -qw "
                f"net/ipv4/conf/{dev}/send_redirects=0",
                f"ip -n edge link set {dev} addrgenmode none up",
                *move_lan("lan0", dev), *away],
        after=[*back, f"ip -n edge link del {dev}"], **kw)


NO_OFFLOAD = {
    "cuts": True,
    "before": [f"ip netns exec edge ethtool -K {dev} tso off gso off "
               "tx off sg off txvlan off rxvlan off"
               for dev in ("eth0", "lan0")],
    "after": [f"ip netns exec edge ethtool -K {dev} tx on sg on tso on "
              "gso on txvlan on rxvlan on" for dev in ("eth0", "lan0")]}

# A firewall where only security modules have theirs, and right beside: what has
# not far to go is dropped.
ODD_CHAINS = {
    "nft": tuple((f, c) for f in ("ip", "ip6") for c in ("c225", "c226")),
    "before": [f"ip netns exec edge nft '{c}'" for f, left in (
        ("ip", "ip ttl"), ("ip6", "ip6 hoplimit")) for c in (
        f"add table {f} odd",
        f"add counter {f} odd c225", f"add counter {f} odd c226",
        f"add chain {f} odd p225 {{ type filter hook postrouting "
        "priority -225; }",
        f"add chain {f} odd p226 {{ type filter hook postrouting "
        "priority -226; }",
        f"add rule {f} odd p225 {left} < 20 counter name c225 drop",
        f"add rule {f} odd p226 counter name c226")],
    "after": [f"ip netns exec edge nft delete table {f} odd"
              for f in ("ip", "ip6")]}
# Every hook sees the packets inside, and drops some; the outer ones are given
# away, so that they are counted on the stock path only, and not here.
HOOKS = "prerouting", "input", "forward", "output", "postrouting"
GIVEN = {
    "given": True,
    "nft": tuple(("inet", h) for h in HOOKS),
    "before": [f"ip netns exec edge nft '{c}'" for c in (
        "add table inet odd",
        *(line for h in HOOKS for line in (
            f"add counter inet odd {h}",
            f"add chain inet odd {h} {{ type filter hook {h} "
            "priority filter; }",
            f"add rule inet odd {h} meta l4proto gre accept",
            f"add rule inet odd {h} counter name {h}")),
        "add rule inet odd forward ip ttl 5 drop",
        "add rule inet odd forward ip6 hoplimit 5 drop")],
    "after": ["ip netns exec edge nft delete table inet odd"]}
SOME_SOCKETS = {
    "sockets": ((VLAN_DEV, p.ETH_IP6), ("gre1", p.ETH_IP), ("lan0", p.ETH_IP6)),
    "left": None}
EXPIRING = {
    "left": None,
    "before": [f"ip -n edge -6 route add {dst} {how} metric 10 expires 3000"
               for dst, how in (
                   ("2606:4700::/32", f"via 2001:db8:12:3::a dev {VLAN_DEV}"),
                   ("fd09::/64", "dev lan0"))],
    "after": ["ip -n edge -6 route del 2606:4700::/32 metric 10",
              "ip -n edge -6 route del fd09::/64 dev lan0 metric 10"]}

# Bound to the link, so that the kernel gives it what comes out of the tunnel
TWIN = "ip -n edge link add gre9 type {} local {} remote {} dev " + VLAN_DEV
TWINS = {outer: {
    "twin": True,
    "before": [TWIN.format(*how), "ip -n edge link set gre9 addrgenmode none",
               "ip -n edge link set gre9 up"],
    "after": ["ip -n edge link del gre9"]} for outer, how in (
        (4, ("gre", corpus.LOCAL, corpus.REMOTE)),
        (6, ("ip6gre", corpus.LOCAL6, corpus.REMOTE6 +
             " encaplimit none")))}
LEARNT = {"learnt": (("lan", "gre4"), ("lan", "vlan6"), ("cf", "gre6"),
                     ("cf", "vlan6"))}
ELSEWHERE = "lan0.5", ((p.ETH_VLAN, 5),), "id 5 loose_binding on"
TAP = Config("tap", "ttl 64", LINK_GROUPS + ("lan_frames",), port="tap0",
             tap=True,
             before=["ip netns exec edge sysctl -qw "
                     "net/ipv4/conf/tap0/send_redirects=0",
                     *move_lan("lan0", "tap0")],
             after=[*move_lan("tap0", "lan0")])

CONFIGS = (
    Config("default"),
    Config("inherit", "ttl inherit tos inherit nopmtudisc",
           ("tos", "ttl", "too_big", "fragments", "partial", "outer_tos")),
    Config("fixed", "ttl 3 tos 0x48", ("tos", "ttl", "too_big")),
    Config("ignore-df", "ttl inherit nopmtudisc ignore-df",
           ("ttl", "too_big", "fragments", "partial")),
    Config("key", "ttl 64 key 0x12345678",
           ("sizes", "too_big", "ttl", "gre_headers", "partial"), mtu=1472,
           key=0x12345678),
    Config("qos", "ttl 64", ("tos", "ttl", "cf_frames", "partial"),
           before=[f"ip -n edge link set {VLAN_DEV} type vlan "
                   "egress-qos-map 0:1 2:3 4:5 6:7 "
                   "ingress-qos-map 1:2 5:4 7:6"],
           after=[f"ip -n edge link set {VLAN_DEV} type vlan "
                  "egress-qos-map 0:0 2:0 4:0 6:0 "
                  "ingress-qos-map 1:0 5:0 7:0"]),
    Config("gateway", "ttl 64",
           ("sizes", "too_big", "ttl", "fragments", "partial"),
           lan=("10.20.0.50", "fd20::50"), lan_mtu=1400,
           before=["ip -n edge link set lan0 mtu 1400",
                   "ip -n edge route add 10.20.0.0/16 via 10.9.0.2",
                   "ip -n edge route add fd20::/32 via fd09::2"],
           after=["ip -n edge route del 10.20.0.0/16",
                  "ip -n edge route del fd20::/32",
                  "ip -n edge link set lan0 mtu 1600"],
           routes=(("10.20.0.0", 16, "lan0", "10.9.0.2"),
                   ("fd20::", 32, "lan0", "fd09::2"))),
    Config("rp_filter", "ttl 64", ("addresses",), rp_filter=True,
           before=["ip netns exec edge sysctl -qw "
                   "net.ipv4.conf.all.rp_filter=1"],
           after=["ip netns exec edge sysctl -qw "
                  "net.ipv4.conf.all.rp_filter=0"]),
    Config("no hardware offload", "ttl 64",
           ("sizes", "too_big", "ttl", "fragments", "partial",
            "udp_segments"), **NO_OFFLOAD),
    Config("checksums", "ttl 64 csum",
           ("sizes", "too_big", "ttl", "fragments", "partial", "gre_headers",
            "udp_segments"), mtu=1472, csum=True),
    Config("checksums and key", "ttl 64 csum key 0x12345678",
           ("sizes", "too_big", "ttl", "partial", "gre_headers"), mtu=1468,
           key=0x12345678, csum=True),
    Config("checksums out only", "ttl inherit ocsum",
           ("sizes", "too_big", "ttl"), mtu=1472),
    Config("checksums, no hardware offload", "ttl 64 csum",
           ("sizes", "partial", "udp_segments"), mtu=1472, csum=True,
           **NO_OFFLOAD),
    link_on("802.1ad", "ad100", ((p.ETH_QINQ, 100),),
            (("ad100", "eth0", "proto 802.1ad id 100"),)),
    link_on("QinQ", "inner7", ((p.ETH_QINQ, 100), (p.ETH_VLAN, 7)),
            (("ad100", "eth0", "proto 802.1ad id 100"),
             ("inner7", "ad100", "id 7"))),
    link_on("untagged", "eth0", (), (), LINK_GROUPS + ("priority_tags",)),
    link_on("untagged, inherit", "eth0", (), (), ("tos", "ttl", "too_big"),
            "ttl inherit tos inherit nopmtudisc"),
    Config("no tag offload, out", "ttl 64", ("sizes", "partial", "cf_frames"),
           **ethtool(["tx-vlan-hw-insert"])),
    Config("no tag offload, in", "ttl 64", ("sizes", "partial", "cf_frames"),
           **ethtool(["rx-vlan-hw-parse"])),
    Config("no GRE segmentation", "ttl 64", ("partial",),
           **ethtool(["tx-gre-segmentation"])),
    link_over("bond", *master("bond0", "bond mode active-backup"), on="bond0"),
    link_over("bridge", *master("br0", "bridge mcast_snooping 0"), on="br0"),
    link_over("bridge port", *master("br0", "bridge mcast_snooping 0")),
    lan_on("LAN port on a VLAN", "lan0.5", ((p.ETH_VLAN, 5),), "id 5"),
    lan_on("LAN port on QinQ's outer VLAN", "lan0.ad", ((p.ETH_QINQ, 7),),
           "proto 802.1ad id 7"),
    Config("sockets for all protocols", "ttl 64", ("sizes", "protocols"),
           sockets=((VLAN_DEV, ETH_P_ALL), ("gre1", ETH_P_ALL)), left="TAP",
           only_deep=True),
    Config("sockets for a protocol", "ttl 64", ("protocols",),
           **SOME_SOCKETS),
    Config("odd hook priorities", "ttl 64", ("ttl",), left="NETFILTER",
           **ODD_CHAINS),
    Config("behind a firewall", "ttl 64",
           ("sizes", "too_big", "tos", "ttl", "options", "fragments",
            "protocols", "lengths", "addresses", "cf_frames", "outer",
            "gre_headers", "outer_tos", "partial"), **GIVEN),
    Config("behind a firewall, key", "ttl inherit tos inherit key 7",
           ("sizes", "ttl", "gre_headers", "outer_tos", "partial"), mtu=1472,
           key=7, **GIVEN),
    over6("behind a firewall, ip6gre", "hoplimit 64",
          ("sizes", "ttl", "outer6", "partial"), **GIVEN),
    Config("expiring routes", "ttl 64", ("ttl",), **EXPIRING),
    Config("learnt path MTUs", "ttl 64", ("sizes", "fragments"),
           only_deep=True, **LEARNT),
    Config("twin", "ttl 64", ("sizes", "gre_headers", "partial"),
           only_deep=True, **TWINS[4]),
    lan_on("LAN port of another namespace", *ELSEWHERE, space="below",
           only_deep=True),
    *([] if NICS else [TAP]),
    over6("ip6gre, twin", "hoplimit 64 encaplimit none",
          ("sizes", "gre_headers"), only_deep=True, **TWINS[6]),
    over6("ip6gre", "hoplimit 64"),
    over6("ip6gre, no limit", "hoplimit 64 encaplimit none",
          ("sizes", "too_big", "ttl", "fragments", "labels", "partial",
           "outer6", "gre_headers")),
    over6("ip6gre, inherit", "hoplimit 0 tclass inherit flowlabel inherit",
          ("tos", "ttl", "too_big", "fragments", "labels", "partial",
           "outer_tos")),
    over6("ip6gre, fixed", "hoplimit 3 tclass 0x4b flowlabel 0x12345",
          ("tos", "ttl", "too_big", "labels")),
    over6("ip6gre, key", "hoplimit 64 key 0x12345678",
          ("sizes", "too_big", "ttl", "gre_headers", "partial"),
          key=0x12345678),
    over6("ip6gre, checksums and key", "hoplimit 64 csum key 0x12345678",
          ("sizes", "too_big", "ttl", "gre_headers", "partial"),
          key=0x12345678, csum=True),
    over6("ip6gre, DSCP", "hoplimit 64 dscp inherit", ("outer_tos",),
          dscp_copy=True),
    # What steers packets to processors leaves a hash in them, which the outer
    # flow label is made of.
    over6("ip6gre, hashed", "hoplimit 64",
          ("tos", "labels", "protocols", "partial"),
          before=["ip netns exec edge sh -c "
                  f"'echo 1 > /sys/class/net/{dev}/queues/rx-0/rps_cpus'"
                  for dev in ("eth0", "lan0")],
          after=["ip netns exec edge sh -c "
                 f"'echo 0 > /sys/class/net/{dev}/queues/rx-0/rps_cpus'"
                 for dev in ("eth0", "lan0")]),
    over6("ip6gre, no labels", "hoplimit 64", ("labels",),
          before=["ip netns exec edge sysctl -qw net.ipv6.auto_flowlabels=0"],
          after=["ip netns exec edge sysctl -qw net.ipv6.auto_flowlabels=1"]),
    over6("ip6gre, no hardware offload", "hoplimit 64",
          ("sizes", "too_big", "ttl", "fragments", "partial",
           "udp_segments"), **NO_OFFLOAD),
    over6("ip6gre, checksums, no hardware offload", "hoplimit 64 csum",
          ("sizes", "partial", "udp_segments"), csum=True, **NO_OFFLOAD),
)


def by_xdp(name, gre="ttl 64", groups=(), make=Config, burst=64, **kw):
    """With XDP before the fast path. It is to see whole frames, and to find
    somebody at the other end of a veth. Those come in bursts, as from a card:
    what XDP knows, it knows for one. What is left of a burst the kernel gets
    one by one: of a packet behind another to the same address it wouldn't
    judge the source. @burst: more ICMPv6 errors than some hundred at once don't
    fit into what the kernel's socket for them may have in flight."""
    whole = "tx {0} txvlan {0} tx-vlan-stag-hw-insert {0} gro {1}"
    before, after = ([f"ip netns exec {n} {command}" for n in ("lan", "cf")
                      for command in how if not NICS] for how in (
        ("ethtool -K eth0 " + whole.format("off", "on"),
         f"tc qdisc add dev eth0 root netem slot 4ms 4ms packets {burst}"),
        ("ethtool -K eth0 " + whole.format("on", "off"),
         "tc qdisc del dev eth0 root")))
    before, after = (how + [f"nsenter -t 1 -n sysctl -qw "
                            f"net.core.gro_normal_batch={n}"]
                     for how, n in ((before, 1), (after, 8)))
    return make(f"XDP: {name}", gre, groups, xdp=True,
                before=before + kw.pop("before", []),
                after=kw.pop("after", []) + after, **kw)


# All of one frame each, its checksum complete
XDP_GROUPS = ("sizes", "too_big", "tos", "ttl", "options", "fragments",
              "extensions", "protocols", "lengths", "addresses", "labels",
              "lan_frames", "cf_frames", "priority_tags", "outer", "outer6",
              "gre_headers", "outer_tos")
CONFIGS += (
    by_xdp("default", groups=XDP_GROUPS),
    by_xdp("inherit", "ttl inherit tos inherit nopmtudisc",
           ("tos", "ttl", "too_big", "fragments", "outer_tos"),
           only_deep=True),
    by_xdp("key", "ttl 64 key 0x12345678",
           ("sizes", "too_big", "ttl", "gre_headers"), mtu=1472,
           key=0x12345678, only_deep=True),
    by_xdp("qos", groups=("tos", "ttl", "cf_frames"),
           before=CONFIGS[5].before, after=CONFIGS[5].after),
    by_xdp("checksums", "ttl 64 csum", ("sizes", "ttl", "gre_headers"),
           mtu=1472, csum=True),
    *([] if NICS else [
        by_xdp("no tag offload", groups=("sizes", "cf_frames"),
               only_deep=True, **ethtool(["tx-vlan-hw-insert"]))]),
    by_xdp("ip6gre", "hoplimit 64",
           ("sizes", "too_big", "ttl", "cf_frames", "outer6", "gre_headers"),
           make=over6),
    by_xdp("sockets for a protocol", groups=("sizes",),
           **SOME_SOCKETS),
    by_xdp("behind a firewall", groups=("sizes", "ttl", "gre_headers"),
           **GIVEN),
    by_xdp("expiring routes", groups=("sizes",), only_deep=True, **EXPIRING),
    by_xdp("learnt path MTUs", groups=("sizes",), only_deep=True,
           not_xdp=("punt-route",), burst=8, **LEARNT),
    by_xdp("twin", groups=("sizes", "gre_headers"), only_deep=True,
           not_xdp=("gre-unknown", "gre-header"), **TWINS[4]),
    by_xdp("ip6gre, inherit",
           "hoplimit 0 tclass inherit flowlabel inherit encaplimit none",
           ("tos", "ttl", "too_big", "labels", "outer_tos"), make=over6,
           only_deep=True),
)


def run(command):
    done = subprocess.run(shlex.split(command), capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"Bail out! {command}: {done.stderr.strip()}")
    return done.stdout


def run_all(commands):
    """The same of many; those of ip's that follow each other in a namespace
    are one process's, since starting programs is slow in the VM."""
    def space(command):
        words = command.split()
        return words[2] if words[:2] == ["ip", "-n"] and \
            not words[3].startswith("-") else None

    for n, these in itertools.groupby(commands, space):
        these = list(these)
        if n is None:
            for command in these:
                run(command)
            continue
        lines = [c.split(None, 3)[3] for c in these]
        done = subprocess.run(["ip", "-n", n, "-batch", "-"], text=True,
                              input="\n".join(lines), capture_output=True)
        if done.returncode:
            sys.exit(f"Bail out! in {n}, of {lines}: {done.stderr.strip()}")


class Namespace:
    """Be in a network namespace for a while."""
    libc = ctypes.CDLL(None, use_errno=True)

    def __init__(self, name):
        self.name = name

    @classmethod
    def enter(cls, name):
        fd = os.open(f"/run/netns/{name}", os.O_RDONLY)
        if cls.libc.setns(fd, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {name}")
        os.close(fd)

    def __enter__(self):
        self.enter(self.name)

    def __exit__(self, *_):
        self.enter("edge")


def raw_socket(netns, dev, proto=0):
    with Namespace(netns):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        s.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        if proto:
            s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
            s.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
            s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 256 << 20)
            s.setblocking(False)
        else:
            s.setsockopt(socket.SOL_SOCKET, SO_MARK, 1)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        s.bind((dev, proto))
        return s


def mac(netns, dev):
    text = run(f"ip -n {netns} -br link show dev {dev}").split()[2]
    return bytes.fromhex(text.replace(":", ""))


class Decisions:
    """How many frames were decided on as a whole."""
    AT = "/sys/kernel/tracing"

    def __init__(self):
        if not os.path.exists(f"{self.AT}/kprobe_events"):
            run(f"mount -t tracefs tracefs {self.AT}")
        self.write("kprobe_events", "p:decide cni_frame_decide")
        self.write("events/kprobes/decide/enable", "1")

    def write(self, name, text):
        with open(f"{self.AT}/{name}", "w", encoding="ascii") as f:
            f.write(text)

    def end(self):
        with open(f"{self.AT}/kprobe_profile", encoding="ascii") as f:
            hits = int(f.read().split()[1])
        self.write("events/kprobes/decide/enable", "0")
        self.write("kprobe_events", "")
        return hits


class Others:
    """What sockets and nftables of the edge get to see, by each."""

    def __init__(self, config):
        self.nft = config.nft
        self.sockets = {}
        for dev, proto in config.sockets:
            with Namespace("edge"):
                s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
                s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
                s.bind((dev, proto))
            self.sockets[dev, proto] = s

        self.heard = collections.Counter()

    def get(self):
        seen = {}
        for key, s in self.sockets.items():
            # struct tpacket_stats: packets since last asked, of which drops
            stats = s.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
            self.heard[key] += struct.unpack("=II", stats)[0]
            seen[key] = (self.heard[key],)
        for family in sorted({f for f, _ in self.nft}):
            text = json.loads(run("ip netns exec edge nft -j list counters "
                                  f"table {family} odd"))
            seen.update({(family, c["name"]): (c["packets"], c["bytes"])
                         for (c,) in (x.values() for x in text["nftables"])
                         if "packets" in c})
        return seen

    def since(self, before):
        return {key: tuple(b - a for a, b in zip(before[key], now))
                for key, now in self.get().items()}

    def close(self):
        for s in self.sockets.values():
            s.close()


class Devices:
    """The counters of the edge's devices."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        self.sock.bind((0, 0))

    def get(self):
        found = {}
        self.sock.send(struct.pack("=IHHIIBBHiII", 32, 18, 0x301, 1, 0,
                                   0, 0, 0, 0, 0, 0))
        while True:
            data = self.sock.recv(1 << 18)
            while data:
                size, kind = struct.unpack_from("=IH", data)
                body, data = data[16:size], data[(size + 3) & ~3:]
                if kind == 3:
                    return found
                a = dict(genl.attrs(body[16:]))
                name = a[3].rstrip(b"\0").decode()
                if name != "lo":
                    found[name] = collections.Counter(dict(zip(
                        STATS64, struct.unpack("=24Q", a[23][:192]))))


def minus(after, before):
    """What changed of counters of counters."""
    out = {}
    for key, counts in after.items():
        counts = collections.Counter(counts)
        counts.subtract(before.get(key, {}))
        out[key] = {k: v for k, v in counts.items() if v}
    return out


class Module:
    """The module, loaded and enrolled for a configuration."""

    def __init__(self, config):
        run(f"insmod {os.environ['CNILINK_KO']}")
        self.genl = genl.Genl()
        do = self.genl.do
        do("LINK_SET", f"LINK_IFINDEX:dev={config.link}",
           "LINK_LOCAL4:ip=192.0.2.11", "LINK_PEER4:ip=192.0.2.10",
           "LINK_LOCAL6:ip=2001:db8:12:3::b", "LINK_PEER6:ip=2001:db8:12:3::a")
        do("PORT_SET", f"PORT_IFINDEX:dev={config.port}")
        do("TUNNEL_SET", "TUNNEL_IFINDEX:dev=gre1",
           f"TUNNEL_FLAGS:u32={int(config.given)}")
        for dst, size, dev, *via in (
                ("104.16.0.0", 13, "gre1"), ("2606:4700::", 32, "gre1"),
                ("172.64.0.0", 13, config.link, "192.0.2.10"),
                ("2400:cb00::", 32, config.link, "2001:db8:12:3::a"),
                ("10.9.0.0", 24, config.port), ("fd09::", 64, config.port),
                *config.routes):
            f = 6 if ":" in dst else 4
            hop = f"NEXTHOP_OIF:dev={dev}"
            if via:
                hop += f" NEXTHOP_VIA{f}:ip={via[0]}"
            do("ROUTE_SET", f"TABLE_ROUTE:nest={{ROUTE_DST{f}:ip={dst} "
               f"ROUTE_PREFIX_LEN:u8={size} ROUTE_NEXTHOP:nest={{{hop}}}}}")
        if config.left != corpus.FAST or config.learnt or config.twin or \
                config.given:
            # Found within a second, whatever it is
            time.sleep(2.5)
            return
        # Whatever is pending of before is dealt with when nothing blocks
        end = time.monotonic() + 10
        while any(self.blockers(config)):
            if time.monotonic() > end:
                sys.exit("Bail out! not offloaded: %s" %
                         list(self.blockers(config)))
            time.sleep(0.05)

    def blockers(self, config):
        for kind in ("LINK", "PORT") + ("TUNNEL",) * (
                config.offloaded and not config.twin):
            for body in self.genl.do(kind + "_GET", dump=True):
                a = dict(genl.attrs(body))
                yield int.from_bytes(
                    a[genl.NAMES[f"CNILINK_A_{kind}_BLOCKERS"]], "little")

    def get(self):
        """Packets by object and by what became of them."""
        names, out = genl.NAMES, {}
        for kind in ("LINK", "PORT", "TUNNEL"):
            counts = out[kind] = collections.Counter()
            for body in self.genl.do(kind + "_GET", dump=True):
                a = dict(genl.attrs(body))
                for t, value in genl.attrs(
                        a[names[f"CNILINK_A_{kind}_STATS"]]):
                    if t == names["CNILINK_A_STATS_RX_PACKETS"]:
                        counts[corpus.FAST] += struct.unpack("=Q", value)[0]
                    elif t == names["CNILINK_A_STATS_RX_BYTES"]:
                        counts["RX_BYTES"] += struct.unpack("=Q", value)[0]
                    elif t in (names["CNILINK_A_STATS_PUNT"],
                               names["CNILINK_A_STATS_DROP"]):
                        c = dict(genl.attrs(value))
                        reason = struct.unpack("=I", c[1])[0]
                        counts[REASONS[reason]] += struct.unpack(
                            "=Q", c[2])[0]
                for stage, way in ("INPUT", "RX"), ("OUTPUT", "TX"):
                    stats = a.get(names.get(f"CNILINK_A_{kind}_{stage}"))
                    if stats:
                        counts[stage] += struct.unpack("=Q", dict(genl.attrs(
                            stats))[names[f"CNILINK_A_STATS_{way}_PACKETS"]])[0]
        return out


class Tap:
    """The guest's end of a tap that the edge has, as if it were a socket."""

    def __init__(self, dev, address):
        self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(self.fd, TUNSETIFF, struct.pack(
            "16sH22x", dev.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
        fcntl.ioctl(self.fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 |
                    TUN_F_TSO6 | TUN_F_TSO_ECN)
        # A group waits there until all of it has been sent.
        run(f"ip link set {dev} address {address.hex(':')} mtu 1600 "
            "txqueuelen 10000 addrgenmode none up")

    def fileno(self):
        return self.fd

    def send(self, data):
        os.write(self.fd, data)

    def recvmsg_into(self, buffers, _):
        """With no tag out of the packet."""
        return os.readv(self.fd, buffers), [(0, 0, bytes(20))], 0, None

    def close(self):
        os.close(self.fd)


class Wire:
    """The far ends: what is sent there, and what arrives."""

    def __init__(self):
        self.rx = {n: raw_socket(n, "eth0", ETH_P_ALL) for n in ("lan", "cf")}
        self.tx = {n: raw_socket(n, "eth0") for n in ("lan", "cf")}
        self.edge = {"lan": raw_socket("edge", "lan0"),
                     "cf": raw_socket("edge", "eth0")}
        self.buffer = bytearray(1 << 17)
        self.poll = select.poll()
        for s in self.rx.values():
            self.poll.register(s, select.POLLIN)

    def lan_by(self, rx, tx):
        """Other ends for the LAN; those so far."""
        before = self.rx["lan"], self.tx["lan"]
        self.poll.unregister(before[0])
        self.rx["lan"], self.tx["lan"] = rx, tx
        self.poll.register(rx, select.POLLIN)
        return before

    def send_udp(self, packet):
        src, dst, size = packet.vnet
        family = socket.AF_INET6 if ":" in dst else socket.AF_INET
        with Namespace(packet.way), \
                socket.socket(family, socket.SOCK_DGRAM) as s:
            s.setsockopt(socket.SOL_SOCKET, SO_MARK, 1)
            s.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, size)
            # With DF the ID is the same every time.
            if family == socket.AF_INET:
                s.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
            s.bind((src, 4000))
            s.sendto(packet.frame, (dst, 5000))

    @staticmethod
    def send_frame(s, data):
        """With XDP a veth has a short queue, which its CPU has to get to."""
        while True:
            try:
                s.send(data)
            except OSError as e:
                if e.errno != errno.ENOBUFS:
                    raise
                time.sleep(0.01)
            else:
                os.sched_yield()
                return

    def send(self, packet):
        if isinstance(packet.vnet, tuple):
            self.send_udp(packet)
            return
        if packet.way != "gre":
            self.send_frame(self.tx[packet.way], packet.vnet + packet.frame)
            return
        proto = p.ETH_IP if packet.frame[0] >> 4 == 4 else p.ETH_IP6
        self.tx["gre"].sendto(packet.vnet + packet.frame, ("gre1", proto))

    def receive(self, where):
        """All frames that are there, as (what the device has to do, frame)."""
        out = []
        s, buffer = self.rx[where], self.buffer
        while True:
            try:
                size, control, _, _ = s.recvmsg_into([buffer], 64)
            except BlockingIOError:
                return out
            flags, gso, _, gso_size, start, offset = p.VNET.unpack_from(buffer)
            frame = bytes(buffer[10:size])
            todo = ()
            if gso:
                todo = gso, gso_size, start, offset
            elif flags & p.NEEDS_CSUM:
                frame = p.finish_csum(frame, start, offset)
            status, _, _, _, _, tci, tpid = struct.unpack(
                "=IIIHHHH", control[0][2][:20])
            if status & 0x10:
                frame = frame[:12] + struct.pack(
                    ">HH", tpid if status & 0x40 else 0x8100, tci) + frame[12:]
            out.append((todo, frame))

    def collect(self, got, where, is_last):
        """Until the last one has arrived there: the frames of both ends, added
        to @got. Whether it has."""
        end, start = time.monotonic() + 20, len(got[where])
        while time.monotonic() < end:
            for n, frames in got.items():
                frames += self.receive(n)
            if any(is_last(f) for _, f in got[where][start:]):
                for n, frames in got.items():
                    frames += self.receive(n)
                return True
            self.poll.poll(100)
        return False

    def collect_late(self, got, least):
        """What the last one overtook: as many as @least, for a while."""
        end = time.monotonic() + 3
        while time.monotonic() < end and any(
                sum(not is_noise(f) for _, f in frames) < least[n]
                for n, frames in got.items()):
            self.poll.poll(50)
            for n, frames in got.items():
                frames += self.receive(n)


OWN4 = {p.addr(a) for a in corpus.EDGE4}


class Result:
    """What came of a group on one of the paths."""

    def __init__(self, got, devices, counts, fences, others):
        self.devices, self.counts, self.fences = devices, counts, fences
        self.others = others
        self.ids, self.frames = [], {}
        for n, frames in got.items():
            self.frames[n] = [
                (p.number_of(f), todo, p.normal(f, OWN4, self.ids, todo))
                for todo, f in frames if not is_noise(f)]


def is_noise(frame):
    """Neighbour and multicast listener discovery of the kernel's own."""
    at = 12
    while frame[at:at + 2] in (b"\x81\x00", b"\x88\xa8"):
        at += 4
    at += 2
    if frame[at - 2:at] == b"\x08\x00" and len(frame) > at + 48 and \
            frame[at + 9] == p.GRE and frame[at + 22:at + 24] == b"\x86\xdd":
        at += 24
    elif frame[at - 2:at] != b"\x86\xdd":
        return False
    elif len(frame) > at + 52 and p.outer6(frame, at)[0]:
        at = p.outer6(frame, at)[1] + 4
        if frame[at - 2:at] != b"\x86\xdd":
            return False
    if frame[at + 6:at + 7] == b"\0":
        at += 8
    return p.MARK.search(frame) is None and \
        frame[at + 40:at + 41] in (b"\x83", b"\x85", b"\x87", b"\x8f")


def show(frames):
    if not frames:
        return ["    nothing"]
    out = []
    for _, todo, frame in frames:
        text = f"    {len(frame)} bytes" + (f", GSO {todo}" if todo else "")
        shown = frame[:160].hex(" ", -4)
        out.append(f"{text}: {shown}{' ...' if len(frame) > 160 else ''}")
    return out


def in_order(group, frames):
    """The stock gre device queues what it received: what comes over the plain
    link overtakes it, and so does what the fast path takes. Each of these
    streams is in order, and is compared as one."""
    if group.name[:2] != "cf":
        return frames
    stream = {p.number_of(x.frame): (x.text[:3] == "gre", x.want == corpus.FAST)
              for x in group.packets}
    return sorted(frames, key=lambda f: (
        stream.get(f[0], (False, False)), b"" if f[0] in stream else f[2]))


def compare(group, texts, off, on, xdp):
    """The differences, in words and hex. What XDP takes goes out in bulk, past
    what it left to others."""
    out = []
    for n in ("lan", "cf"):
        a, b = (sorted(r.frames[n], key=lambda f: (f[0] is None, f)) if xdp
                else in_order(group, r.frames[n]) for r in (off, on))
        if a == b:
            continue
        by_number = [collections.defaultdict(list) for _ in range(2)]
        for frames, d in ((a, by_number[0]), (b, by_number[1])):
            for f in frames:
                d[f[0]].append(f)
        bad = [k for k in {**by_number[0], **by_number[1]}
               if by_number[0][k] != by_number[1][k]]
        if not bad:
            out.append(f"{n}: order differs")
        else:
            out.append(f"{n}: {len(bad)} of {len(group.packets)} differ")
        for k in bad[:4]:
            out.append(f"  {texts.get(k, 'no number')}; stock:")
            out += show(by_number[0][k])
            out.append("   fast path:")
            out += show(by_number[1][k])
    return out


def expected(group, sentinel, fences, left):
    counts = collections.Counter(left if x.want == corpus.FAST else x.want
                                 for x in group.packets + [sentinel])
    counts["NOT_IP"] += fences
    del counts[None]
    return {k: v for k, v in counts.items() if v}


def check_counts(group, sentinel, on, left):
    kind = "PORT" if sentinel.way == "lan" else "LINK"
    got = dict(on.counts[kind])
    got.pop("RX_BYTES", None)
    want = expected(group, sentinel, on.fences, left or corpus.FAST)
    if not left:
        # Some are taken, some not.
        return [] if 0 < got.get(corpus.FAST, 0) < want[corpus.FAST] else \
            [f"{kind} counters: {got}"]
    if got == want:
        return []
    keys = sorted({*got, *want})
    return [f"{kind} counters: " + ", ".join(
        f"{k} {got.get(k, 0)}, expected {want.get(k, 0)}"
        for k in keys if got.get(k) != want.get(k))]


def check_stages(group, on, config):
    """Behind a firewall none is forwarded from here, but the stages take
    those that are the gre device's."""
    out = [f"{kind} counters: {counts}" for kind, counts in on.counts.items()
           if counts.get(corpus.FAST)]
    sent = on.devices.get("gre1", {}).get(
        "rx_packets" if group.name[:2] == "cf" else "tx_packets", 0)
    stage = "INPUT" if group.name[:2] == "cf" else "OUTPUT"
    taken = on.counts["TUNNEL"].get(stage, 0)
    if stage == "INPUT" and config.outer == 6:
        return out
    if taken > sent or sent and not taken:
        out.append(f"{stage}: {taken} of {sent} packets")
    return out


def check(group, sentinel, off, on, config):
    xdp = config.xdp
    if off is None or on is None:
        return [f"sentinel lost on the {'stock' if off is None else 'fast'} "
                "path"]
    texts = {}
    for x in group.packets:
        texts.setdefault(p.number_of(x.frame), x.text)
    out = compare(group, texts, off, on, xdp) + \
        (check_stages(group, on, config) if config.given else
         check_counts(group, sentinel, on, config.left))
    if off.others != on.others:
        out.append(f"seen: stock {off.others}, fast path {on.others}")
    for dev in off.devices:
        a, b = ({k: v for k, v in (r.devices.get(dev) or {}).items()
                 # A veth counts XDP's frames without their Ethernet headers,
                 # a virtio card only the first buffer of what the driver puts
                 # into one page; and what it sent when it next looks.
                 if not (xdp and dev in ("eth0", "lan0") and
                         ("bytes" in k or NICS and k[:2] == "tx"))}
                for r in (off, on))
        if a != b:
            out.append(f"counters of {dev}: stock {a}, fast path {b}")
    if not off.frames["lan"] + off.frames["cf"]:
        out.append("nothing arrived at all")
    # Without DF, IDs are for telling datagrams apart.
    if len(on.ids) > 8 and len(set(on.ids)) < len(set(off.ids)) / 2:
        out.append(f"IP IDs repeat: {len(set(on.ids))} of {len(on.ids)}")
    return out


STREAM = 4 << 20


def transfer(far):
    """Both ends send at once, from one process, without blocking."""
    family = socket.AF_INET6 if ":" in far else socket.AF_INET
    with Namespace("cf"):
        listener = socket.create_server((far, 5001), family=family)
    with Namespace("lan"):
        a = socket.create_connection((far, 5001), 10)
    b = listener.accept()[0]
    listener.close()
    data = {a: os.urandom(STREAM), b: os.urandom(STREAM)}
    sent, got = {a: 0, b: 0}, {a: bytearray(), b: bytearray()}
    poll, end = select.poll(), time.monotonic() + 60
    sockets = {s.fileno(): s for s in (a, b)}
    for s in (a, b):
        s.setblocking(False)
        poll.register(s, select.POLLIN | select.POLLOUT)
    while min(map(len, got.values())) < STREAM and time.monotonic() < end:
        for fd, event in poll.poll(1000):
            s = sockets[fd]
            if event & select.POLLIN:
                got[s] += s.recv(1 << 20)
            if event & select.POLLOUT:
                sent[s] += s.send(memoryview(data[s])[sent[s]:sent[s] +
                                                      (1 << 17)])
            if sent[s] == STREAM:
                poll.modify(s, select.POLLIN)
    out = [f"{len(got[y])} of {STREAM} bytes arrived, or wrong ones"
           for x, y in ((a, b), (b, a)) if got[y] != data[x]]
    a.close()
    b.close()
    return out


class Oracle:
    def __init__(self):
        Namespace.enter("edge")
        self.wire, self.devices = Wire(), Devices()
        self.macs = {"lan": mac("lan", "eth0"), "cf": mac("cf", "eth0"),
                     "lan0": mac("edge", "lan0"), "eth0": mac("edge", "eth0")}
        self.tests = self.failed = self.packets = self.fences = 0
        for addr in "10.9.0.1", "fd09::1":
            run(f"ip -n lan neigh replace {addr} dev eth0 lladdr "
                f"{self.macs['lan0'].hex(':')} nud permanent")
        for n in ("lan", "cf"):
            run(f"tc -n {n} qdisc add dev eth0 clsact")
            # The far ends say nothing of their own.
            run(f"tc -n {n} filter add dev eth0 ingress matchall action drop")
            run(f"tc -n {n} filter add dev eth0 egress protocol all prio 1 "
                "handle 1 fw action ok")
            run(f"tc -n {n} filter add dev eth0 egress protocol all prio 2 "
                "matchall action drop")

    def peers(self, dev):
        """Both ends of the link know each other."""
        for n, far, *addrs in (
                ("edge", "cf", "192.0.2.10", "2001:db8:12:3::a", "fe80::1",
                 "febf::1"),
                ("cf", "eth0", "192.0.2.11", "2001:db8:12:3::b")):
            run_all(f"ip -n {n} neigh replace {addr} dev {dev} lladdr "
                    f"{self.macs[far].hex(':')} nud permanent"
                    for addr in addrs)

    def set_up(self, config):
        for n in ("edge", "cf"):
            subprocess.run(["ip", "-n", n, "link", "del", "gre1"],
                           stderr=subprocess.DEVNULL, check=False)
        if config.tap:
            tap = Tap(config.port, self.macs["lan0"])
            self.cable = self.wire.lan_by(tap, tap)
        run_all(config.before)
        self.peers(config.link)
        run_all(f"ip -n edge neigh replace {addr} dev {config.port} lladdr "
                f"{self.macs['lan'].hex(':')} nud permanent"
                for addr in ("10.9.0.2", "10.9.0.7", "10.9.0.50", "fd09::2",
                             "fd09::7", "fd09::50", "fe80::1", "febf::1"))
        subprocess.run(["bash", "-c", f". {HERE}/lib.sh; gre_up"], check=True,
                       env={**os.environ, "GRE_OPTS": config.gre,
                            "GRE": "ip6gre" if config.outer == 6 else "gre"})
        self.wire.tx["gre"] = raw_socket("cf", "gre1")
        self.settle()

    def settle(self):
        """Until the kernel has announced what it has to announce."""
        quiet, last = time.monotonic(), None
        while time.monotonic() < quiet + 1.5:
            now = self.devices.get()
            if now != last:
                quiet, last = time.monotonic(), now
            time.sleep(0.1)

    def fence(self, way, config, got):
        """Cards have queues. An answer to ARP comes when the edge is done with
        what was sent before. A frame of the edge's own follows, the other way,
        behind what it has sent there. Whether both arrived."""
        self.fences += 1
        token = struct.pack(">HI", 0x6fe, self.fences)
        other = "cf" if way == "lan" else "lan"
        dev, far, near, tags = ("lan0", "10.9.0.199", "10.9.0.1",
                                config.lan_tags)
        if way == "cf":
            dev, far, near, tags = ("eth0", corpus.REMOTE, corpus.LOCAL,
                                    config.tags)
        arp = struct.pack(">HHBBH6s4s6s4s", 1, p.ETH_IP, 6, 4, 1, token,
                          p.addr(far), bytes(6), p.addr(near))
        for s, where, frame in (
                (self.wire.tx[way], way,
                 p.eth(self.macs[dev], token, 0x806, arp, tags)),
                (self.wire.edge[other], other,
                 p.eth(token, self.macs[dev], 0x88b5, bytes(46), ()))):
            self.wire.send_frame(s, p.NO_VNET + frame)
            if not self.wire.collect(got, where, lambda f: f[:6] == token):
                return False
        for n in got:
            got[n] = [x for x in got[n] if x[1][:6] != token]
        return True

    def send(self, group, sentinel, number, config, module, stock):
        self.wire.receive("lan")
        self.wire.receive("cf")
        devices = self.devices.get()
        counts = module.get() if module else {}
        others = self.others.get()
        got, way, fences = {"lan": [], "cf": []}, sentinel.way, self.fences
        arrived = True
        for i, packet in enumerate(group.packets):
            # XDP has no queue beyond the card's own.
            if NICS and i % 32 == 31:
                arrived &= self.fence(way, config, got)
            self.wire.send(packet)
        self.wire.send(sentinel)
        arrived &= self.wire.collect(got, "cf" if way == "lan" else "lan",
                                     lambda f: p.number_of(f) == number)
        if NICS:
            arrived &= self.fence(way, config, got)
        if not arrived:
            return None
        if stock:
            self.wire.collect_late(got, {n: len(frames) for n, frames in
                                         stock.frames.items()})
        return Result(got, minus(self.devices.get(), devices),
                      minus(module.get(), counts) if module else {},
                      self.fences - fences, self.others.since(others))

    def run(self, config):
        started = time.monotonic()
        self.set_up(config)
        maker = corpus.build(self.macs, config)
        sentinels = [maker.sentinel(g.name[:3].strip(":"))
                     for g in maker.groups]
        rounds = []
        self.others = Others(config)
        for module in (False, True):
            # What stock learnt about paths isn't known to the second run.
            run("ip -n edge route flush cache")
            run("ip -n edge -6 route flush cache")
            for way, frame in corpus.smaller_mtus(self.macs, config):
                self.wire.send_frame(self.wire.tx[way], p.NO_VNET + frame)
            if config.learnt:
                self.settle()
            if module:
                module = Module(config)
                if config.xdp:
                    run(f"{CNICTL} xdp attach")
                    decisions = Decisions()
            rounds.append([
                self.send(group, *sentinel, config, module,
                          rounds[0][i] if module else None)
                for i, (group, sentinel) in
                enumerate(zip(maker.groups, sentinels))])
        if config.xdp:
            self.report_xdp(config, json.loads(run(f"{CNICTL} -j xdp status")),
                            decisions.end(),
                            sum(len(g.packets) for g in maker.groups))
            run(f"{CNICTL} xdp detach")
        del module
        run("rmmod cnilink")
        self.others.close()
        run_all(config.after)
        if config.tap:
            self.wire.lan_by(*self.cable)[0].close()
        for i, group in enumerate(maker.groups):
            (off, on), sentinel = (r[i] for r in rounds), sentinels[i][0]
            self.report(f"{config.name}: {group.name} "
                        f"({len(group.packets)} packets)",
                        check(group, sentinel, off, on, config))
            self.packets += len(group.packets)
        print(f"# {config.name}: {time.monotonic() - started:.1f} s",
              flush=True)

    def report_xdp(self, config, status, decided, frames):
        problems = [] if len(status) == 2 else ["not two devices"]
        print(f"# {decided} of {frames} frames were decided on as a whole",
              flush=True)
        if config.name == "XDP: default" and not NICS and \
                decided > frames * 2 // 3:
            problems.append("hardly any by what is known")
        for dev in status:
            taken, all_of = dev["xdp-packets"], dev["rx-packets"]
            print(f"# {dev['dev']}: {taken} of {all_of} packets by XDP, "
                  f"passed on: {dev['pass']}", flush=True)
            # Nothing but what would change a packet is the skb path's.
            if config.given:
                if taken:
                    problems.append(f"past netfilter: {dev}")
            elif not taken or all_of - taken > sum(
                    dev["pass"].get(r, 0) for r in ("change",
                                                    *config.not_xdp)):
                problems.append(f"{dev}")
        self.report(f"{config.name}: XDP took them", problems)

    def streams(self):
        """TCP over the fast path: the bytes arrive, and in large packets."""
        for n in ("lan", "cf"):
            run(f"tc -n {n} qdisc del dev eth0 clsact")
        config = Config("streams")
        self.set_up(config)
        module = Module(config)
        for far in ("104.16.0.1", "2606:4700::1", "172.64.0.1"):
            before = module.get()
            problems = transfer(far)
            counts = minus(module.get(), before)
            for kind in ("PORT", "LINK"):
                c = counts[kind]
                fast, size = c.get(corpus.FAST, 0), c.get("RX_BYTES", 0)
                other = sum(v for k, v in c.items() if
                            k not in (corpus.FAST, "RX_BYTES"))
                if fast < 10 * other or size < STREAM:
                    problems.append(f"{kind} counters: {c}")
                elif size < 3000 * fast / 2:
                    problems.append(f"{kind}: {size} bytes in {fast} packets")
            self.report(f"streams: TCP with {far}, both ways", problems)
        run("rmmod cnilink")

    def report(self, name, problems):
        self.tests += 1
        self.failed += bool(problems)
        print(f"{'not ok' if problems else 'ok'} {self.tests} {name}")
        for line in problems:
            print("#", line)


def main():
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    oracle = Oracle()
    for config in CONFIGS:
        if config.name in sys.argv[1:] or \
                config.xdp and "xdp" in sys.argv[1:] or \
                len(sys.argv) < 2 and \
                (config.deep or not config.only_deep) and \
                (config.xdp or not NICS):
            oracle.run(config)
    if len(sys.argv) < 2 and not NICS or "streams" in sys.argv[1:]:
        oracle.streams()
    print(f"# {oracle.packets} packets each way")
    print(f"1..{oracle.tests}")
    sys.exit(bool(oracle.failed))


if __name__ == "__main__":
    main()
