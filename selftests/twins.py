# SPDX-License-Identifier: GPL-2.0
"""Other gre devices whose ends and keys fit a tunnel's packets, too: whose
they are is what the kernel says without the module. Run by twins.sh."""
import kit
from kit import check, ip, ns, sh

tap = kit.Tap()
kit.static_neighbours()
kit.quiet()
world = kit.World()
kit.setns("edge")
c = kit.Client()
down_tx = kit.Tx("cf", "eth0", kit.mac("edge", "eth0"))
LAN = kit.ifindex("lan0")
KIND = "ip6gre" if kit.OVER6 else "gre"
LOCAL, REMOTE = ("2001:db8:12:3::b", "2001:db8:12:3::a") if kit.OVER6 else \
    ("192.0.2.11", "192.0.2.10")
BOTH = f"local {LOCAL} remote {REMOTE}"
BOUND = "dev eth0.1234"


def offload():
    c.do("LINK_SET", "LINK_IFINDEX:dev=eth0.1234",
         "LINK_LOCAL4:ip=192.0.2.11", "LINK_PEER4:ip=192.0.2.10",
         "LINK_LOCAL6:ip=2001:db8:12:3::b", "LINK_PEER6:ip=2001:db8:12:3::a")
    c.set_routes([(kit.prefix("10.9.0.0/24"), (LAN, None))])
    c.do("PORT_SET", "PORT_IFINDEX:dev=lan0")
    enrol("gre1")


def enrol(dev):
    c.do("TUNNEL_SET", f"TUNNEL_IFINDEX:dev={dev}")


def received(dev, space):
    with ns(space), open("/proc/thread-self/net/dev", encoding="ascii") as f:
        for line in f:
            name, _, counters = line.partition(":")
            if name.strip() == dev:
                return int(counters.split()[1])
    raise RuntimeError(f"no {dev} in {space}")


def probe(others, n=5):
    """Packets of gre1's far end: who got them, and how many went fast."""
    devs = [("gre1", "edge")] + others
    before = [received(*d) for d in devs]
    fast = c.stats("LINK", "eth0.1234").get("RX_PACKETS", 0)
    for i in range(n):
        down_tx.tagged(kit.gre(kit.udp(ip("104.16.9.9"), ip("10.9.0.2"), i)))
    world.fence()
    got = [received(*d) - b for d, b in zip(devs, before)]
    whose = [d[0] for d, g in zip(devs, got) if g]
    return whose, c.stats("LINK", "eth0.1234").get("RX_PACKETS", 0) - fast


def twin_shown():
    return "GRE_TWIN" in c.get("TUNNEL", "gre1")["BLOCKERS"]


def same(others):
    """The module lets the kernel's choice be, and is fast where it may."""
    enrol("gre1")
    c.do("TUNNEL_DEL", "TUNNEL_IFINDEX:dev=gre1")
    want, _ = probe(others)
    enrol("gre1")
    check(len(want) == 1, want)
    got, fast = probe(others)
    shown = twin_shown()
    check(got == want, f"got by {got}, not {want}; fast {fast}, {shown}")
    check((fast == 5) == (want == ["gre1"]), fast, want)
    check(shown == (want != ["gre1"]), shown, want)
    return want


def make(opts, space="edge"):
    sh(f"ip link add gre9 type {KIND} {opts} && "
       "ip link set gre9 addrgenmode none up")
    if space != "edge":
        sh(f"ip link set gre9 netns {space} && ip -n {space} link set gre9 up")


def gone(space="edge"):
    sh(f"ip -n {space} link del gre9", fail=False)


def twins():
    seen = set()
    for opts in (f"{BOTH} {BOUND}", f"{BOTH} dev lan0", f"remote {REMOTE}",
                 f"remote {REMOTE} {BOUND}", f"local {LOCAL}",
                 f"local {LOCAL} {BOUND}", BOUND, "dev lan0",
                 f"external {BOUND}", "external",
                 f"{BOTH} key 5 {BOUND}", f"{BOTH} ikey 5 okey 6",
                 f"key 5 {BOUND}", f"{BOTH} ttl 9 {BOUND}",
                 f"local {LOCAL} remote {REMOTE}1 {BOUND}"):
        with tap.case(f"beside a device with {opts}"):
            try:
                make(opts)
            except RuntimeError as e:
                # Not every kernel has an external one bound to a device.
                check("external" in opts, e)
                continue
            seen.add(same([("gre9", "edge")])[0])
        gone()
        tap.equal(probe([]), (["gre1"], 5), "alone again")
    tap.equal(seen, {"gre1", "gre9"}, "both have been preferred")


def comings_and_goings():
    """No look-again by user space in between."""
    other = [("gre9", "edge")]

    def goes_to(dev, what):
        want = dev == "gre1"
        got = probe(other)
        tap.ok(got == ([dev], 5 * want) and twin_shown() == (not want), what,
               got)
    make(f"{BOTH} {BOUND}")
    goes_to("gre9", "a preferred device comes up")
    sh("ip link set gre9 down")
    goes_to("gre1", "and goes down")
    sh("ip link set gre9 up")
    goes_to("gre9", "and up")
    sh(f"ip link change gre9 type {KIND} {BOTH} {BOUND} key 5")
    goes_to("gre1", "is given a key")
    if not kit.OVER6:
        sh(f"ip tunnel change gre9 mode gre {BOTH} {BOUND}")
    else:
        sh(f"ip link change gre9 type {KIND} {BOTH} {BOUND}")
    gone()
    make(f"{BOTH} {BOUND}")
    goes_to("gre9", "is made anew")
    enrol("gre9")
    whose, fast = probe(other)
    tap.ok((whose, fast) == (["gre9"], 5), "is offloaded, too", whose, fast)
    tap.ok(twin_shown() and
           "GRE_TWIN" not in c.get("TUNNEL", "gre9")["BLOCKERS"],
           "one of them is said to be left aside")
    c.do("TUNNEL_DEL", "TUNNEL_IFINDEX:dev=gre9")
    goes_to("gre9", "is offloaded no longer")
    gone()
    tap.equal(probe([]), (["gre1"], 5), "and is gone")


def remake(opts):
    sh("ip link del gre1")
    sh(f"ip link add gre1 type {KIND} {opts} && "
       "ip link set gre1 addrgenmode none up")


def bound():
    """Whoever is bound to the link has nothing to fear."""
    remake(f"{BOTH} {BOUND}")
    with tap.case("a device without the binding beside a bound tunnel"):
        make(BOTH)
        check(same([("gre9", "edge")]) == ["gre1"])
    gone()
    remake(BOTH)
    enrol("gre1")


def elsewhere():
    """A device that lives in another namespace receives in this one."""
    make(f"{BOTH} {BOUND}", "lan")
    other = [("gre9", "lan")]
    with tap.case("a twin in another namespace"):
        check(same(other) == ["gre9"])
    with ns("lan"):
        sh("ip link set gre9 down")
    tap.equal(probe(other), (["gre1"], 5), "which goes down")
    with ns("lan"):
        sh("ip link set gre9 up")
    tap.equal(probe(other), (["gre9"], 0), "and up again")
    gone("lan")
    tap.equal(probe([]), (["gre1"], 5), "and is deleted")
    with tap.case("one of another namespace's own, with the same ends"):
        with ns("lan"):
            make(BOTH)
        check(same([]) == ["gre1"])
    gone("lan")


offload()
for test in (twins, comings_and_goings, bound, elsewhere):
    try:
        test()
    except Exception:
        tap.ok(False, f"{test.__name__} came to its end",
               kit.traceback.format_exc().rstrip())
        gone()
        gone("lan")
c.close()
tap.ok(not sh("rmmod cnilink 2>&1", fail=False), "the module unloads")
tap.end()
