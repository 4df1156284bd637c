#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Where the instructions of a forwarded packet go, by function.

usage: profile.py DIR [CASE ...]    on the host, after forward.py prepare:
                                    writes DIR/profile.json

The VM runs a case of forward.py, of the fast path or of what $CNI_PROFILE
names, or of xdp.py as xdp/CASE; once that is warm, the emulator goes on one instruction at a time and
logs each, for some hundred packets.
"""
import bisect
import collections
import json
import os
import re
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
TRACE = re.compile(rb"^Trace \d+: 0x[0-9a-f]+ \[[0-9a-f]+/([0-9a-f]+)/")
LOG_BYTES = 300 << 20
# Entered once for each packet: of those sent from here, by XDP, and received
ENTERED = ("udp_sendmsg", "bpf_cnilink_forward",
           "__netif_receive_skb_core.constprop.0")


class Monitor:
    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
        self.reply()

    def reply(self):
        data = b""
        while not data.endswith(b"(qemu) "):
            data += self.sock.recv(4096)

    def do(self, command):
        self.sock.sendall(command.encode() + b"\n")
        self.reply()


def symbols(path):
    """Sorted addresses, and the names that they stand for."""
    found = {}
    with open(path, encoding="ascii") as f:
        for line in f:
            addr, kind, name = line.split()[:3]
            if kind in "tTwW":
                found.setdefault(int(addr, 16), name)
    return sorted(found), found


def count(log, kallsyms):
    addrs, names = symbols(kallsyms)
    insns, calls = collections.Counter(), collections.Counter()
    with open(log, "rb") as f:
        for line in f:
            m = TRACE.match(line)
            if not m:
                continue
            pc = int(m[1], 16)
            i = bisect.bisect(addrs, pc) - 1
            name = names[addrs[i]] if i >= 0 and pc >> 63 else "(user)"
            insns[name] += 1
            calls[name] += i >= 0 and addrs[i] == pc
    return insns, calls


def trace(out, case, impl):
    monitor, log = f"{out}/monitor", f"{out}/trace.log"
    script, _, case = ("forward/" + case).rpartition("/")
    script = script.rpartition("/")[2]
    for name in "monitor", "trace.log", "profile.go":
        if os.path.exists(f"{out}/{name}"):
            os.unlink(f"{out}/{name}")
    env = dict(os.environ, VM_TMP=out, CNI_PROFILE=impl,
               VM_MONITOR=f"unix:{monitor},server=on,wait=off")
    with subprocess.Popen(
            [f"{TOP}/scripts/vm", "--icount", "--timeout", "1200", "--",
             "/usr/bin/python3", f"{HERE}/{script}.py", "run", out, case],
            env=env) as vm:
        while not os.path.exists(f"{out}/profile.go"):
            if vm.poll() is not None:
                sys.exit("profile.py: the VM ended early")
            time.sleep(0.1)
        m = Monitor(monitor)
        m.do(f"logfile {log}")
        m.do("singlestep on")
        m.do("log exec,nochain")
        while os.path.getsize(log) < LOG_BYTES:
            time.sleep(0.1)
        m.do("log none")
        m.do("singlestep off")
    insns, calls = count(log, f"{out}/kallsyms")
    os.unlink(log)
    return insns, calls


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    out, *cases = sys.argv[1:]
    impl = os.environ.get("CNI_PROFILE") or "cnilink"
    rows = []
    for case in cases or ("lan-gre-vlan", "gre-vlan-lan", "lan-vlan"):
        insns, calls = trace(out, case, impl)
        packets = next((calls[e] for e in ENTERED if calls[e]), 0)
        if not packets:
            sys.exit("profile.py: no packet was seen")
        print(f"{case}, {impl}: {packets} packets, "
              f"{sum(insns.values()) / packets:.0f} instructions each\n"
              "    insn   calls")
        for name, n in insns.most_common():
            if n / packets < 2:
                break
            print(f"{n / packets:8.1f} {calls[name] / packets:7.2f}  {name}")
            rows.append({"bench": "profile", "case": f"{case} {name}",
                         "impl": impl, "value": round(n / packets, 1),
                         "unit": "insn/packet"})
    with open(f"{out}/profile.json", "w", encoding="ascii") as f:
        json.dump(rows, f, indent=1)


if __name__ == "__main__":
    main()
