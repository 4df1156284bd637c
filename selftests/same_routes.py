#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Is the module's table what the kernel's main table says? Run in the
namespace. Every kernel route has to be there, forwarding where the kernel
forwards and to the same next hop, and nothing else. Prints the differences."""
import ipaddress
import json
import socket
import struct
import subprocess
import sys

import genl

MAIN = 254


def kernel():
    routes = {}
    for family in ("-4", "-6"):
        out = subprocess.run(["ip", family, "-j", "-d", "route", "show",
                              "table", "main"], check=True,
                             capture_output=True, text=True).stdout
        for r in json.loads(out or "[]"):
            dst = r["dst"]
            if dst == "default":
                dst = "0.0.0.0/0" if family == "-4" else "::/0"
            net = ipaddress.ip_network(dst)
            plain = r.get("type", "unicast") == "unicast"
            hop = [(h["dev"], h.get("gateway"), h.get("weight", 1))
                   for h in r.get("nexthops", [r])] if plain else None
            metric = r.get("metric", 0)
            if net not in routes or metric < routes[net][0]:
                routes[net] = (metric, hop)
            elif metric == routes[net][0]:
                routes[net] = (metric, None)  # several routes
    return {net: hop for net, (_, hop) in routes.items()}


def hop_of(nest):
    names, hop = genl.NAMES, dict(genl.attrs(nest))
    oif = struct.unpack("=I", hop[names["CNILINK_A_NEXTHOP_OIF"]])[0]
    via = hop.get(names["CNILINK_A_NEXTHOP_VIA4"]) or \
        hop.get(names["CNILINK_A_NEXTHOP_VIA6"])
    weight = hop.get(names["CNILINK_A_NEXTHOP_WEIGHT"])
    return (socket.if_indextoname(oif),
            str(ipaddress.ip_address(via)) if via else None,
            struct.unpack("=I", weight)[0] if weight else 1)


def module():
    names, routes = genl.NAMES, {}
    for body in genl.Genl().do("ROUTE_GET", dump=True):
        table = dict(genl.attrs(body)).get(names["CNILINK_A_TABLE_ID"])
        if table and struct.unpack("=I", table)[0] != MAIN:
            continue
        for kind, value in genl.attrs(body):
            if kind != names["CNILINK_A_TABLE_ROUTE"]:
                continue
            r = dict(genl.attrs(value))
            dst = r.get(names["CNILINK_A_ROUTE_DST4"]) or \
                r[names["CNILINK_A_ROUTE_DST6"]]
            net = ipaddress.ip_network(
                (dst, r[names["CNILINK_A_ROUTE_PREFIX_LEN"]][0]))
            hops = [hop_of(v) for t, v in genl.attrs(value)
                    if t == names["CNILINK_A_ROUTE_NEXTHOP"]]
            routes[net] = hops or None
    return routes


def main():
    enrolled = set(sys.argv[1:])
    want, have, bad = kernel(), module(), 0
    for net in sorted(want.keys() | have.keys(), key=str):
        hop = want.get(net)
        if hop and any(h[0] not in enrolled for h in hop):
            hop = None
        # Left to the kernel in any case.
        if net not in have and (net.is_multicast or net.is_link_local):
            continue
        if net not in want or net not in have or have[net] != hop:
            print(f"{net}: kernel {want.get(net, 'has none')}, "
                  f"module {have.get(net, 'has none')}")
            bad += 1
    print(f"{len(want)} in the kernel, {len(have)} in the module, {bad} differ")
    sys.exit(bad != 0)


if __name__ == "__main__":
    main()
