#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""usage: readme.py DIR README: what DIR/forward.json and DIR/xdp.json have
becomes the tables between README's two marks"""
import json
import os
import re
import sys

ROWS = {
    "lan-gre-vlan": "LAN to GRE in a VLAN, IPv4",
    "gre-vlan-lan": "GRE in a VLAN to LAN, IPv4",
    "lan-gre-vlan6": "LAN to GRE in a VLAN, IPv6",
    "gre-vlan-lan6": "GRE in a VLAN to LAN, IPv6",
    "lan-vlan": "LAN to the plain VLAN, IPv4",
    "lan-nft-gre-vlan": "LAN to GRE, stateful firewall, IPv4",
}
FIREWALLS = {
    f"fw-{name}-{way}": f"{text}, {direction}"
    for name, text in (("skeleton", "three empty chains"),
                       ("stateful", "stateful"),
                       ("flowtable", "stateful, with a flowtable"))
    for way, direction in (("out", "LAN to GRE"), ("in", "GRE to LAN"))
}
TABLES = (
    (ROWS, "forward", "", "beyond those for receiving it into an skb",
     {"stock": "kernel", "flowtable": "flowtable", "cnilink": "cnilink"}),
    (FIREWALLS, "forward", "fw-", "behind a firewall, IPv4",
     {"stock": "kernel", "cnilink": "cnilink",
      "cnilink-given": "outer packets given away"}),
    (ROWS, "xdp", "path ", "from the driver's frame on, the skb included",
     {"stock": "kernel", "fib": "XDP by hand", "cnilink skb": "cnilink",
      "cnilink xdp": "cnilink, XDP"}),
)
MARKS = "<!-- made by: make bench BENCH=readme -->", "<!-- end -->"


def cell(cases, case):
    """For one destination, and for many."""
    values = []
    for keys in "1", "20k":
        found = [v for c, v in cases.items()
                 if re.fullmatch(rf"{case} (\S+ )*{keys}", c)]
        values.append(f"{found[0]:,}" if found else "–")
    return " / ".join(values) if values != ["–"] * 2 else "–"


def table(texts, rows, bench, kind, over, columns):
    measured = {}
    for r in rows:
        if r["unit"] == "insn/packet over floor" and \
                (not kind or f" {kind}" in " " + r["case"]):
            measured.setdefault(r["impl"], {})[r["case"]] = r["value"]
    columns = {i: c for i, c in columns.items() if i in measured}
    kernels = sorted({r.get("kernel", "") for r in rows})
    if kernels[0] == "" or len(kernels) > 1:
        sys.exit(f"readme.py: {bench}.json is not of one known kernel: "
                 f"make bench BENCH={bench}")
    yield f"Instructions per packet, {over}, Linux {kernels[0]}:"
    yield ""
    yield "| one destination / 20,000 | " + " | ".join(columns.values()) + " |"
    yield "|---|" + "--:|" * len(columns)
    for case, text in texts.items():
        cells = [cell(measured[i], case) for i in columns]
        if set(cells) != {"–"}:
            yield f"| {text} | " + " | ".join(cells) + " |"
    yield ""


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    out, lines = sys.argv[1], [MARKS[0], ""]
    for texts, bench, kind, over, columns in TABLES:
        path = f"{out}/{bench}.json"
        if not os.path.exists(path):
            print(f"readme.py: no {path}: its table is left out",
                  file=sys.stderr)
            continue
        with open(path, encoding="ascii") as f:
            lines += table(texts, json.load(f), bench, kind, over, columns)
    if len(lines) == 2:
        sys.exit("readme.py: nothing measured: make bench first")
    lines.append(MARKS[1])
    with open(sys.argv[2], encoding="utf-8") as f:
        text = f.read()
    new, n = re.subn(re.escape(MARKS[0]) + ".*?" + re.escape(MARKS[1]),
                     lambda _: "\n".join(lines), text, flags=re.S)
    if n != 1:
        sys.exit(f"readme.py: {sys.argv[2]} has no place for the tables")
    with open(sys.argv[2], "w", encoding="utf-8") as f:
        f.write(new)


if __name__ == "__main__":
    main()
