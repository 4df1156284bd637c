#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The prefix table in the kernel, beside what the kernel has: instructions per
lookup; and loading a table by netlink.

usage: lpm.py run DIR    in a VM with one processor whose clock counts
                         instructions: reads DIR/lpm, which bench -x wrote,
                         writes DIR/lpm-vm.json
       lpm.py merge DIR  adds the rows of DIR/lpm-vm.json to DIR/lpm.json

cnilink's table is the module's source in a module that loops over the keys;
the others are looked up by a BPF program, less the same program without the
lookup. bpf_lpm_trie is the map. bpf_fib_lookup is the helper of that name with
BPF_FIB_LOOKUP_DIRECT: past the policy rules, but with the neighbour of what it
finds. All of them find the same next hops, or there is no row.
"""
import ctypes
import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(HERE))
import genl  # noqa: E402

VALUES = 16
INSN_PER_NS = 3


def sh(command, text=None):
    return subprocess.run(command, shell=True, check=True, input=text,
                          stdout=subprocess.PIPE, text=True).stdout


def write(path, value):
    with open(path, "w", encoding="ascii") as f:
        f.write(str(value))


def fresh_netns():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x40000000):
        raise OSError(ctypes.get_errno(), "unshare")


class Bench:
    def __init__(self, out):
        self.out, self.dir = out, f"{out}/lpm"
        with open(f"{self.dir}/index.json", encoding="ascii") as f:
            self.tables = json.load(f)
        self.rows, self.left = [], []

    def row(self, bench, case, impl, value, unit):
        self.rows.append({"bench": bench, "case": case, "impl": impl,
                          "value": value, "unit": unit})
        print(f"{case} {impl}: {value} {unit}", file=sys.stderr, flush=True)

    def lookup_row(self, table, mix, impl, value, total):
        if total != table["sums"][mix]:
            raise SystemExit(f"lpm.py: {table['name']}, {mix}: {impl} found "
                             f"{total}, not {table['sums'][mix]}")
        self.row("lpm", f"{table['name']}, {mix}, kernel", impl,
                 round(value, 1), "insn/lookup")

    def files(self, table):
        stem = f"{self.dir}/{table['stem']}"
        return f"{stem}.routes", {mix: f"{stem}.{mix}.keys"
                                  for mix in table["sums"]}

    def run_cnilink(self, table):
        routes, keys = self.files(table)
        ko = os.path.join(os.path.dirname(os.environ["CNILINK_KO"]),
                          "kbench/kbench.ko")
        sh(f"insmod {ko} bits={table['bits']} routes={routes} "
           f"keys={','.join(keys.values())}")
        with open("/sys/module/kbench/parameters/result",
                  encoding="ascii") as f:
            lines = [[int(w) for w in line.split()] for line in f
                     if line.strip()]
        sh("rmmod kbench")
        for mix, (n, value, empty, total) in zip(keys, lines):
            self.lookup_row(table, mix, "cnilink", (value - empty) / n, total)

    def run_peers(self, table):
        """In a namespace of the table's own, which stays."""
        fresh_netns()
        for path in "ipv4/ip_forward", "ipv6/conf/all/forwarding", \
                "ipv6/conf/default/forwarding":
            write(f"/proc/sys/net/{path}", 1)
        # Without a local address there's no table that gateways are sought in.
        sh("ip link set lo up")
        sh("ip -batch -", "".join(f"""
            link add d{i} type dummy
            link set d{i} up addrgenmode none
            neigh add 10.255.0.{i} lladdr 02:00:00:00:01:{i:02x} dev d{i} \
nud permanent
            neigh add fe80::{i:x} lladdr 02:00:00:00:01:{i:02x} dev d{i} \
nud permanent
            """ for i in range(1, VALUES + 1)))
        routes, keys = self.files(table)
        # What it filled takes the kernel long to free: so it stays, too.
        peers = subprocess.Popen(
            [f"{TOP}/build/lpm/peers", str(table["bits"]), routes,
             *keys.values()], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True)
        self.left.append(peers)
        mixes = {path: mix for mix, path in keys.items()}
        for line in peers.stdout:
            words = line.split()
            if words == ["done"]:
                return
            self.lookup_row(table, mixes[words[0]], words[1], float(words[2]),
                            int(words[3]))
        raise SystemExit("lpm.py: peers failed")

    def run_load(self):
        """The largest table of IPv4, over netlink into the module."""
        table = max((t for t in self.tables if t["bits"] == 32),
                    key=lambda t: t["nr"])
        fresh_netns()
        sh("ip -batch -", """
            link set lo up
            link add lan0 type dummy
            link set lan0 up addrgenmode none
            addr add 10.9.0.1/24 dev lan0
            """ + "".join(f"""
            neigh add 10.9.0.{1 + i} lladdr 02:00:00:00:01:{i:02x} dev lan0 \
nud permanent
            """ for i in range(1, VALUES + 1)))
        sh(f"insmod {os.environ['CNILINK_KO']}")
        genl.Genl().do("PORT_SET", "PORT_IFINDEX:dev=lan0")
        time.sleep(1)
        out = sh(f"{TOP}/build/lpm/load {self.files(table)[0]} lan0")
        print(out, file=sys.stderr)
        for line in out.splitlines():
            what, first, second = line.split()
            if what == "update":
                for case, insn in ("median", int(first)), ("p99", int(second)):
                    self.row("update", f"one route at 1M netlink, {case}",
                             "cnilink", round(insn / INSN_PER_NS / 1000, 2),
                             "us at 3 insn/ns")
                    self.row("update", f"one route at 1M netlink, {case}",
                             "cnilink", insn, "insn")
                continue
            case = "load 1M netlink" + (", shuffled" if what != "load" else "")
            self.row("update", case, "cnilink",
                     round(int(first) / INSN_PER_NS / 1e9, 3),
                     "s at 3 insn/ns")
            self.row("update", case, "cnilink",
                     round(int(first) / table["nr"]), "insn/route")
            self.row("update", case + ", commit", "cnilink",
                     round(int(second) / table["nr"]), "insn/route")

    def run(self):
        with open("/proc/cmdline", encoding="ascii") as f:
            if "mitigations=off" not in f.read():
                raise SystemExit("lpm.py: the kernel's mitigations are on")
        sh("modprobe -a dummy ipv6")
        write("/proc/sys/net/core/bpf_jit_enable", 1)
        for table in self.tables:
            self.run_cnilink(table)
        self.run_load()
        for table in sorted(self.tables, key=lambda t: t["nr"]):
            self.run_peers(table)
        with open(f"{self.out}/lpm-vm.json", "w", encoding="ascii") as f:
            json.dump(self.rows, f, indent=1)


def merge(out):
    with open(f"{out}/lpm.json", encoding="ascii") as f:
        rows = json.load(f)
    with open(f"{out}/lpm-vm.json", encoding="ascii") as f:
        rows += json.load(f)
    with open(f"{out}/lpm.json", "w", encoding="ascii") as f:
        json.dump(rows, f, indent=1)


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("run", "merge"):
        sys.exit(__doc__)
    if sys.argv[1] == "run":
        Bench(sys.argv[2]).run()
    else:
        merge(sys.argv[2])


if __name__ == "__main__":
    main()
