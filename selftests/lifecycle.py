# SPDX-License-Identifier: GPL-2.0
"""Devices go down, up, away and elsewhere while packets flow; the module goes
and comes back. Run by lifecycle.sh."""
import contextlib
import os
import signal
import sys

import kit
from kit import check, ip, ns, sh

DEEP = bool(os.environ.get("CNI_DEEP"))
KO = os.environ["CNILINK_KO"]
tap = kit.Tap()
world = kit.World()
kit.setns("edge")
UP = [ip(t) for t in ("104.16.9.9", "172.64.9.9", "2606:4700::9:9",
                      "2400:cb00::9:9")]
ALL = ["tunnel", "plain", "tunnel", "plain"]
SETUP = """
link set lan0 up
link set eth0 up
link add link eth0 name eth0.1234 type vlan id 1234
link set eth0.1234 up
link add gre1 type gre local 192.0.2.11 remote 192.0.2.10 ttl 64
link set gre1 addrgenmode none
link set gre1 up
addr replace 10.9.0.1/24 dev lan0
addr replace fd09::1/64 dev lan0 nodad
addr replace 192.0.2.11/31 dev eth0.1234
addr replace 2001:db8:12:3::b/127 dev eth0.1234 nodad
addr replace 10.99.0.1/31 dev gre1
addr replace fd99::1/127 dev gre1 nodad
route replace 104.16.0.0/13 dev gre1
route replace 2606:4700::/32 dev gre1
route replace 172.64.0.0/13 via 192.0.2.10
route replace 2400:cb00::/32 via 2001:db8:12:3::a
"""


def restore():
    """Put back whatever a test took away, as an administrator would."""
    sh(f"ip -force -batch - <<'END'\n{SETUP}END", fail=False)
    sh("sysctl -qw net.ipv4.conf.all.forwarding=1 "
       "net.ipv6.conf.all.forwarding=1")
    kit.static_neighbours()


def offload():
    c = kit.Client()
    try:
        c.do("LINK_SET", "LINK_IFINDEX:dev=eth0.1234",
             "LINK_LOCAL4:ip=192.0.2.11", "LINK_PEER4:ip=192.0.2.10",
             "LINK_LOCAL6:ip=2001:db8:12:3::b",
             "LINK_PEER6:ip=2001:db8:12:3::a")
        c.do("PORT_SET", "PORT_IFINDEX:dev=lan0")
        c.do("TUNNEL_SET", "TUNNEL_IFINDEX:dev=gre1")
        gre, link, lan = (kit.ifindex(d) for d in ("gre1", "eth0.1234",
                                                   "lan0"))
        c.set_routes([(kit.prefix(p), hop) for p, hop in (
            ("104.16.0.0/13", (gre, None)), ("2606:4700::/32", (gre, None)),
            ("172.64.0.0/13", (link, ip("192.0.2.10"))),
            ("2400:cb00::/32", (link, ip("2001:db8:12:3::a"))),
            ("10.9.0.0/24", (lan, None)), ("fd09::/64", (lan, None)))])
    finally:
        c.close()


def fast(fence=True):
    """Without one, what arrives isn't looked at."""
    c = kit.Client()
    try:
        before = c.stats("PORT", "lan0")["RX_PACKETS"]
        if fence:
            ways = world.sent(UP)
        else:
            ways = ALL
            for dst in UP:
                world.tx.ip(kit.udp(world.src[len(dst)], dst, 0))
            kit.time.sleep(.05)
        return ways == ALL and \
            c.stats("PORT", "lan0")["RX_PACKETS"] >= before + 4
    finally:
        c.close()


def recover(name):
    with tap.case(f"{name}: fast again"):
        restore()
        offload()
        check(kit.wait_for(fast), world.sent(UP))


def flood(pause=.001):
    """Packets without a number, from another processor."""
    pid = os.fork()
    if pid:
        return pid
    os.sched_setaffinity(0, {os.cpu_count() - 1})
    packets = [kit.udp(world.src[len(d)], d, 0, size=16) for d in UP]
    while os.getppid() != 1:
        for packet in packets:
            try:
                world.tx.ip(packet)
            except OSError:
                pass
        kit.time.sleep(pause)
    os._exit(0)


def module_goes():
    """Numbered packets all along; each has to arrive once."""
    with tap.case("the module goes and comes back: no packet is lost"):
        pid = flood()
        try:
            for i in range(12 if DEEP else 4):
                ways = world.sent(UP * 5)
                check(ways == ALL * 5, "before", i, ways)
                child = os.fork()
                if child == 0:
                    os.sched_setaffinity(0, {os.cpu_count() - 1})
                    os.execvp("rmmod", ["rmmod", "cnilink"])
                done = (0, 0)
                while not done[0]:
                    ways = world.sent(UP * 5)
                    check(ways == ALL * 5, "while it goes", i, ways)
                    done = os.waitpid(child, os.WNOHANG)
                check(done[1] == 0, "rmmod", done)
                sh(f"insmod {KO}")
                ways = world.sent(UP)
                check(ways == ALL, "with nothing set up", ways)
                offload()
                check(kit.wait_for(fast), "not fast again")
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def unload_busy():
    with tap.case("the module goes with routes and a transaction open"):
        c = kit.Client()
        c.do("TABLE_BEGIN")
        sh("rmmod cnilink")
        c.close()
        sh(f"insmod {KO}")
    recover("module")


def device_goes():
    aux = "ip netns add aux; "
    cases = [(f"{dev} down", f"ip link set {dev} down")
             for dev in ("gre1", "eth0.1234", "eth0", "lan0")]
    cases += [(f"{dev} deleted", f"ip link del {dev}")
              for dev in ("gre1", "eth0.1234")]
    cases += [
        ("both deleted at once", "ip link del eth0.1234; ip link del gre1"),
        ("gre1 to another namespace", aux + "ip link set gre1 netns aux; "
         "ip netns del aux"),
        ("eth0.1234 to another namespace and back", aux +
         "ip link set eth0.1234 netns aux; "
         "ip -n aux link set eth0.1234 netns $(ip netns id >/dev/null; "
         "echo /run/netns/edge)"),
        ("lan0 to another namespace and back", aux +
         "ip link set lan0 netns aux; "
         "ip -n aux link set lan0 netns /run/netns/edge"),
        ("lan0 renamed", "ip link set lan0 down; ip link set lan0 name lan9;"
         " ip link set lan9 up; ip link set lan9 down; "
         "ip link set lan9 name lan0"),
        ("lan0 in a bridge", "ip link add br0 type bridge; "
         "ip link set lan0 master br0; ip link set lan0 nomaster; "
         "ip link del br0"),
        ("addresses flushed", "ip addr flush dev eth0.1234; "
         "ip addr flush dev gre1"),
        ("MTU of eth0 changed", "ip link set eth0 mtu 1400; "
         "ip link set eth0 mtu 1500; ip link set eth0.1234 mtu 1500"),
        ("far end down", "ip -n cf link set eth0 down; sleep .3; "
         "ip -n cf link set eth0 up"),
    ]
    for name, what in cases * (5 if DEEP else 1):
        pid = flood()
        with tap.case(f"{name}: nothing breaks"):
            sh(what + " || :")
            for dst in UP:
                with contextlib.suppress(OSError):
                    world.tx.ip(kit.udp(world.src[len(dst)], dst, 0))
        sh("ip netns del aux", fail=False)
        if name == "far end down":
            with ns("cf"):
                sh("ip link set eth0.1234 up; ip link set gre1 up; "
                   "ip addr replace 2001:db8:12:3::a/127 dev eth0.1234 nodad",
                   fail=False)
        try:
            recover(name)
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def no_ip():
    """A device with too small an MTU for IP loses it at once, and keeps its
    routes if it had no address: packets come in many at a time meanwhile."""
    with ns("lan"):
        sh("tc qdisc add dev eth0 root netem slot 2ms 2ms packets 64")
    sh("sysctl -qw net.ipv4.conf.all.rp_filter=2; ip addr flush dev lan0; "
       "ip route replace 10.9.0.0/24 dev lan0; "
       "ip -6 route replace fd09::/64 dev lan0")
    with tap.case("a port without addresses: fast"):
        kit.static_neighbours()
        offload()
        check(kit.wait_for(lambda: fast(fence=False)))
    pid = flood(.0001)
    with tap.case("too small for IP, and back, under traffic: nothing breaks"):
        for _ in range(100 if DEEP else 20):
            sh("ip link set lan0 mtu 60; ip link set lan0 mtu 1500; "
               "ip -6 route replace fd09::/64 dev lan0")
            kit.static_neighbours()
            offload()
            check(kit.wait_for(lambda: fast(fence=False)))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with ns("lan"):
        sh("tc qdisc del dev eth0 root")
    sh("sysctl -qw net.ipv4.conf.all.rp_filter=0")
    recover("too small for IP")


restore()
offload()
with tap.case("fast to begin with"):
    check(kit.wait_for(fast), world.sent(UP))
for test in (module_goes, unload_busy, device_goes, no_ip):
    try:
        test()
    except Exception:
        tap.ok(False, f"{test.__name__} came to its end",
               kit.traceback.format_exc().rstrip())
with open("/tmp/lifecycle.n", "w", encoding="ascii") as f:
    f.write(str(tap.n))
sys.exit(1 if tap.failed else 0)
