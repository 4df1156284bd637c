#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Instructions per frame with XDP: the module's tables, the kernel's, no XDP.

usage: xdp.py run DIR [CASE ...]    in forward.py's VM, with its frames in DIR:
                                    writes DIR/xdp.json

one: a program that makes a frame, and whose verdict isn't carried out, over one
that does nothing but make it. path: live frames from the receiving device until
they are gone, over making the frame and dropping it at once. With an skb they go
out by a dummy, as in forward.py; with XDP by a veth, whose far end drops them,
for a dummy can't be sent to by XDP. uncached: as one, by a tunnel that takes the
TTL from each packet, so that each frame is decided anew. fib: a program with
bpf_fib_lookup() and a map of headers, as one writes it today.
"""
import json
import os
import subprocess
import sys
import time

import forward
from forward import (LAN_VIA, LOCAL4, PACKETS, PEER4, PEER_MAC, RUNS, RX_MAC,
                     TOP, TX_MAC, genl, mac, sh, struct)

CNICTL = f"{TOP}/build/user/cnictl"
CASES = {"lan-gre-vlan": (4, "out"), "gre-vlan-lan": (4, "in"),
         "lan-gre-vlan6": (6, "out"), "gre-vlan-lan6": (6, "in")}


class Bench(forward.Bench):
    def __init__(self, out, case):
        super().__init__(out, case)
        self.base = {}

    def by_veth(self):
        """Where it sends to is a veth, too, and XDP sees whole frames."""
        sh(f"""
            ip link del {self.tx}
            ip link add {self.tx} address {TX_MAC} type veth peer name far2
            ip link set far2 up addrgenmode none
            ip link set {self.tx} up addrgenmode none
            for dev in far far2; do
                ethtool -K $dev tx off txvlan off tx-vlan-stag-hw-insert off \
                    gro on
            done
            {TOP}/build/bench/xdpgen -s far2""")
        batch = f"""
            addr add 10.9.0.1/24 dev lan0
            addr add fd09::1/64 dev lan0 nodad
            """
        if self.direction == "out":
            batch = f"""
            link add link cni0 name cni0.1234 type vlan id 1234
            link set cni0.1234 up addrgenmode none
            addr add {LOCAL4}/31 dev cni0.1234
            neigh add {PEER4} lladdr {PEER_MAC} dev cni0.1234 nud permanent
            """
        else:
            batch += "".join(
                f"neigh add {LAN_VIA[f]} lladdr {PEER_MAC} dev lan0 "
                f"nud permanent\nroute add {forward.LAN[f]} via {LAN_VIA[f]} "
                "dev lan0\n" for f in (4, 6))
        sh("ip -batch -", batch)

    def xdpgen(self, program, keys, packets, *more):
        with open(self.stem + ".at", encoding="ascii") as f:
            at = f.read()
        command = [f"{TOP}/build/bench/xdpgen", "-p", program, "-d", self.rx,
                   "-f", f"{self.stem}.frame", "-a", at,
                   "-k", f"{self.stem}.{keys}.keys",
                   "-n", str(packets), "-w", str(packets), "-r", str(RUNS),
                   *["-6"] * (self.family == 6), *more]
        if os.environ.get("CNI_PROFILE"):
            self.profile_of(command)
        out = subprocess.run(command, input="\n", text=True, check=True,
                             stdout=subprocess.PIPE).stdout
        self.sent += packets * (1 + RUNS)
        return [float(line) for line in out.split()[1:]]

    def profile_of(self, command):
        """Enough frames for profile.py, on the host, to see some."""
        command[command.index("-n") + 1] = "100000"
        with subprocess.Popen(command, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as gen:
            gen.stdout.readline()
            sh(f"cat /proc/kallsyms >{self.out}/kallsyms; "
               f"touch {self.out}/profile.go")
            gen.communicate("\n")
        sys.exit()

    def rows_of(self, impl, kind, program, *counters, more=()):
        for keys, packets in PACKETS.items():
            with self.all_counted(f"{impl} {kind}", *counters):
                values = self.xdpgen(program, keys, packets, *more)
            value = sorted(values)[len(values) // 2]
            print(f"{self.case} {kind} {keys} {impl}: {value:.0f} "
                  f"(runs {values})", file=sys.stderr, flush=True)
            if impl == "floor":
                self.base[kind, keys] = value
                unit = "insn/packet"
            else:
                value -= self.base[kind, keys]
                unit = "insn/packet over floor"
            self.rows.append({"bench": "xdp", "impl": impl, "unit": unit,
                              "case": f"{self.case} {kind} {keys}",
                              "value": round(value),
                              "kernel": os.uname().release})

    def tunnel(self):
        """The headers that the program of today has in its map"""
        outer = forward.ip_header(4, 0, 47, LOCAL4, PEER4)
        # Without the length and the checksum, which each packet has of its own
        outer = outer[:2] + b"\0\0" + outer[4:10] + b"\0\0" + outer[12:]
        hdr = mac(PEER_MAC) + mac(TX_MAC) + \
            struct.pack("!HHH", 0x8100, 1234, 0x800) + outer + \
            struct.pack("!HH", 0, 0x800)
        return ["-t", f"gre1,cni0,{hdr.hex()}"]

    def xdp_taken(self, nl):
        kind, dev = ("PORT", "lan0") if self.direction == "out" else \
            ("TUNNEL", "gre1")

        def count():
            body = nl.do(kind + "_GET", f"{kind}_IFINDEX:dev={dev}")[0]
            stats = dict(genl.attrs(dict(genl.attrs(body))[
                genl.number(kind + "_STATS")]))
            value = stats.get(genl.number("STATS_XDP_PACKETS"), bytes(8))
            return struct.unpack("=Q", value)[0]

        return count

    def run(self):
        self.setup()
        grows = ["-g", "28" if self.direction == "out" else "-28"]
        if not os.environ.get("CNI_PROFILE"):
            self.run_skb()
        self.by_veth()
        if self.family == 4 and self.direction == "out" and \
                not os.environ.get("CNI_PROFILE"):
            more = self.tunnel()
            self.rows_of("fib", "one", "one_by_fib", more=more + grows)
            self.rows_of("fib", "path", "by_fib",
                         self.device("cni0", "tx_packets"), more=more)
        self.offload()
        sh("mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf; "
           f"{CNICTL} xdp attach")
        taken = self.xdp_taken(genl.Genl())
        self.rows_of("cnilink xdp", "one", "one_cnilink", taken, more=grows)
        self.rows_of("cnilink xdp", "path", "cnilink", taken,
                     *self.stock_counters())
        if self.family == 4 and self.direction == "out":
            sh(f"ip link change gre1 type gre local {LOCAL4} remote {PEER4} "
               "ttl inherit")
            time.sleep(2)
            self.rows_of("cnilink xdp uncached", "one", "one_cnilink", taken,
                         more=grows)
        # The program holds the module until an RCU grace period is over.
        sh(f"{CNICTL} xdp detach; for i in $(seq 50); do "
           "rmmod cnilink 2>/dev/null && exit; sleep 0.1; done; rmmod cnilink")
        return self.rows

    def run_skb(self):
        self.rows_of("floor", "one", "one_floor")
        self.rows_of("floor", "path", "drop")
        self.rows_of("stock", "path", "up", *self.stock_counters())
        taken = self.offload()
        self.rows_of("cnilink skb", "path", "up", taken,
                     *self.stock_counters())
        sh("rmmod cnilink")


def main():
    if len(sys.argv) < 3 or sys.argv[1] != "run":
        sys.exit(__doc__)
    sh("modprobe -a veth dummy 8021q ip_gre ipv6 cls_matchall act_gact")
    for name in "enable", "kallsyms":
        forward.write(f"/proc/sys/net/core/bpf_jit_{name}", 1)
    rows = []
    for case in sys.argv[3:] or CASES:
        rows += Bench(sys.argv[2], case).run()
        with open(f"{sys.argv[2]}/xdp.json", "w", encoding="ascii") as f:
            json.dump(rows, f, indent=1)


if __name__ == "__main__":
    main()
