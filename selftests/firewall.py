# SPDX-License-Identifier: GPL-2.0
"""What a firewall leaves to the fast path and to the stages. Run by
firewall.sh."""
import json
import time

import kit
from kit import check, ip, sh

UP = [ip(t) for t in ("104.16.9.9", "172.64.9.9", "2606:4700::9:9",
                      "2400:cb00::9:9")]
WAYS = ["tunnel", "plain", "tunnel", "plain"]
HERE = ip("10.9.0.1")
GIVEN = kit.NAMES["CNILINK_TUNNEL_FLAG_BYPASS_NETFILTER"]

tap = kit.Tap()
kit.static_neighbours()
kit.quiet()
world = kit.World()
kit.setns("edge")
far = kit.Tx("cf", "eth0", kit.mac("edge", "eth0"))
c = kit.load_routed()


def give(flags):
    c.do("TUNNEL_SET", "TUNNEL_IFINDEX:dev=gre1", f"TUNNEL_FLAGS:u32={flags}")


def chains(*hooks, family="inet", rule="counter"):
    """An empty one would do; these count what they see but for GRE."""
    sh(f"nft add table {family} t")
    for hook in hooks:
        sh(f"nft 'add chain {family} t {hook} {{ type filter hook {hook} "
           f"priority 0; }}; add rule {family} t {hook} meta l4proto gre "
           f"accept; add rule {family} t {hook} {rule}'")


def no_chains(family="inet"):
    sh(f"nft delete table {family} t")


def up(dsts=UP):
    """Where packets went, and what the port counted."""
    before = c.stats("PORT", "lan0")
    ways = world.sent(dsts)
    return ways, kit.growth(before, c.stats("PORT", "lan0"))


def fast_again(seconds=20):
    last = None

    def try_it():
        nonlocal last
        last = up()
        return last[0] == WAYS and last[1].get("RX_PACKETS") == 4
    check(kit.wait_for(try_it, seconds), "not fast again:", last)


def received():
    """A packet out of the tunnel, for this host: what its stages counted."""
    before = c.get("TUNNEL", "gre1")["INPUT"]
    far.tagged(kit.gre(kit.udp(UP[0], HERE, world.n)))
    world.n += 1
    world.fence()
    return kit.growth(before, c.get("TUNNEL", "gre1")["INPUT"])


def seen(hook):
    """What the chain's last rule counted."""
    text = json.loads(sh(f"nft -j list chain inet t {hook}"))
    return [e["counter"]["packets"] for r in text["nftables"] if "rule" in r
            for e in r["rule"]["expr"] if "counter" in e][-1]


def noticed():
    """Of two packets into the tunnel, how many each hook counted at once: those
    that no hook sees are counted a second later."""
    before = c.stats("PORT", "lan0"), c.get("TUNNEL", "gre1")["OUTPUT"]
    world.sent([UP[0], UP[2]])
    return (kit.growth(before[0], c.stats("PORT", "lan0")).get("NETFILTER", 0),
            kit.growth(before[1], c.get("TUNNEL", "gre1")["OUTPUT"])
            .get("NETFILTER", 0))


with tap.case("without a firewall: fast"):
    fast_again()

for hook in "input", "output", "prerouting", "forward", "postrouting":
    inner = hook not in ("input", "output")
    with tap.case(f"a tunnel's outer packets given away: {hook}"):
        chains(hook)
        got = up()[1]
        check(got.get("NETFILTER") == (4 if inner else 2), got)
        give(GIVEN)
        ways, got = up()
        check(ways == WAYS, ways)
        check(got.get("NETFILTER", 0) == (4 if inner else 0), got)
    give(0)
    no_chains()
    with tap.case(f"without {hook}: fast again"):
        fast_again()

with tap.case("the input stage takes what is for this host"):
    got = received()
    check(got.get("RX_PACKETS") == 1, got)
with tap.case("not past an input chain"):
    chains("input", "prerouting")
    got = received()
    check(not got.get("RX_PACKETS"), got)
    check(seen("input") >= 1, "the packet inside wasn't seen")
with tap.case("unless the outer packets are given away; those inside are seen"):
    give(GIVEN)
    before = seen("input"), seen("prerouting")
    got = received()
    check(got.get("RX_PACKETS") == 1, got)
    check(seen("input") > before[0] and seen("prerouting") > before[1],
          before, seen("input"), seen("prerouting"))
give(0)
no_chains()

with tap.case("many in a row: each is punted and counted"):
    fast_again()
    chains("forward")
    ways, got = up(UP * 16)
    check(ways == WAYS * 16, ways)
    check(got.get("NETFILTER") == 64 and not got.get("RX_PACKETS"), got)
    check(seen("forward") >= 64, seen("forward"))
no_chains()
with tap.case("many in a row: fast again"):
    fast_again()
with tap.case("one family is in the way: the other is fast"):
    chains("forward", family="ip")
    ways, got = up(UP * 16)
    check(ways == WAYS * 16, ways)
    check(got.get("NETFILTER") == 32 and got.get("RX_PACKETS") == 32, got)
no_chains("ip")

with tap.case("hooks that are of no use rest"):
    fast_again()
    chains("input", "forward", "output")
    check(noticed() == (2, 2), "not from the first packet on")
    check(kit.wait_for(lambda: noticed() == (0, 0), 30), "they don't")
with tap.case("resting: packets go the kernel's way, and are counted"):
    before = c.stats("PORT", "lan0")
    ways = world.sent(UP * 8)
    check(ways == WAYS * 8, ways)
    check(kit.wait_for(lambda: kit.growth(before, c.stats(
        "PORT", "lan0")).get("NETFILTER", 0) >= 32, 5),
        kit.growth(before, c.stats("PORT", "lan0")))
    check(seen("forward") >= 32, seen("forward"))
with tap.case("resting: a port that is set anew is seen again"):
    c.do("PORT_SET", "PORT_IFINDEX:dev=lan0")
    check(kit.wait_for(lambda: noticed() == (2, 2), 3), noticed())
with tap.case("the firewall goes: they are back, and fast"):
    no_chains()
    fast_again()
tap.end()
