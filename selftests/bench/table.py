#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""usage: table.py FILE.json: a bench's rows as tables, one column per impl"""
import json
import sys


def print_table(rows):
    impls = list(dict.fromkeys(r["impl"] for r in rows))
    units = {}
    for r in rows:
        units.setdefault(r["unit"], set()).add(r["impl"])
    cells = {}
    for r in rows:
        cells.setdefault(r["case"], {})[r["impl"]] = f"{r['value']:.9g}"
    width = max(map(len, cells))
    columns = {i: max(11, len(i) + 2) for i in impls}
    print()
    for unit, names in units.items():
        names = ", ".join(i for i in impls if i in names)
        print(f"{rows[0]['bench']}: {unit}: {names}")
    print(" " * width + "".join(f"{i:>{columns[i]}}" for i in impls))
    for case, values in cells.items():
        print(f"{case:{width}}" +
              "".join(f"{values.get(i, '-'):>{columns[i]}}" for i in impls))
    print()


def main():
    with open(sys.argv[1], encoding="ascii") as f:
        rows = json.load(f)
    # What is measured alike: packets' instructions over the floor, too.
    tables = {}
    for r in rows:
        key = r["bench"], r["unit"].split(" over ")[0]
        tables.setdefault(key, []).append(r)
    for table in tables.values():
        print_table(table)


if __name__ == "__main__":
    main()
