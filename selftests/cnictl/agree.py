#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Compare the module's routes with the kernel's main table, prefix by prefix.

Prints the differences and exits with 1 when there are any. Runs in the network
namespace to look at; $CNICTL is the program.
"""
import ipaddress
import json
import os
import subprocess
import sys

CNICTL = os.environ.get("CNICTL", "cnictl")


def ask(*command):
    return json.loads(subprocess.run(command, capture_output=True, text=True,
                                     check=True).stdout)


def prefix(text, version):
    if text == "default":
        text = "0.0.0.0/0" if version == 4 else "::/0"
    return str(ipaddress.ip_network(text))


def kernel_says(devices):
    """What the module should have, worked out from what ip prints."""
    says = {}
    for version in 4, 6:
        routes = {}
        for route in ask("ip", "-d", "-j", f"-{version}", "route", "show",
                         "table", "main"):
            routes.setdefault(prefix(route["dst"], version), []).append(route)
        for dst, same in routes.items():
            metric = min(r.get("metric", 0) for r in same)
            best = [r for r in same if r.get("metric", 0) == metric]
            first = best[0]
            # Of several, each with its share; an object's are printed too.
            hops = first.get("nexthops", [first])
            fast = (len(best) == 1 and first.get("type") == "unicast" and
                    all(h.get("dev") in devices and
                        not {"via", "encap"} & h.keys() for h in hops) and
                    not any(r.get("tos") for r in same) and
                    not any("expires" in r for r in best))
            says[dst] = [(h["dev"], h.get("gateway"), h.get("weight", 1))
                         for h in hops] if fast else None
    return says


def module_says():
    return {prefix(r["dst"], 0):
            [(h["dev"], h.get("via"), h["weight"]) for h in r["nexthops"]]
            if r["action"] == "forward" else None
            for r in ask(CNICTL, "-j", "route", "show")}


def main():
    show = ask(CNICTL, "-j", "show")
    devices = {o["dev"] for kind in ("links", "tunnels", "ports")
               for o in show[kind]}
    kernel, module = kernel_says(devices), module_says()
    different = [dst for dst in sorted(kernel.keys() | module.keys())
                 if kernel.get(dst, "absent") != module.get(dst, "absent")]
    for dst in different[:20]:
        print(f"{dst}: kernel {kernel.get(dst, 'absent')}, "
              f"module {module.get(dst, 'absent')}")
    print(f"{len(kernel)} prefixes, {len(different)} differences")
    return 1 if different else 0


sys.exit(main())
