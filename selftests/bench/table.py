#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""usage: table.py FILE.json: a bench's rows as a table, one column per impl"""
import json
import sys


def main():
    with open(sys.argv[1], encoding="ascii") as f:
        rows = json.load(f)
    impls = list(dict.fromkeys(r["impl"] for r in rows))
    units = {}
    for r in rows:
        units.setdefault(r["unit"], set()).add(r["impl"])
    cells = {}
    for r in rows:
        cells.setdefault(r["case"], {})[r["impl"]] = r["value"]
    width = max(map(len, cells))
    print()
    for unit, names in units.items():
        names = ", ".join(i for i in impls if i in names)
        print(f"{rows[0]['bench']}: {unit}: {names}")
    print(" " * width + "".join(f"{i:>11}" for i in impls))
    for case, values in cells.items():
        print(f"{case:{width}}" +
              "".join(f"{values.get(i, '-'):>11}" for i in impls))
    print()


if __name__ == "__main__":
    main()
