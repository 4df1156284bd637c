#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Print random route changes for ip -batch: churn.py SEED NUMBER."""
import random
import sys

random.seed(int(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    n = random.randrange(200)
    six = random.random() < 0.4
    if six:
        dst = f"2001:db8:{n:x}::/{48 if n % 16 else random.choice((44, 48))}"
        via = "2001:db8:12:3::7ac2:d64a"
    else:
        dst = f"100.{n >> 4}.{(n & 15) << 4}.0/{random.choice((20, 21, 24))}"
        via = "192.0.2.10"
    hop = random.choice((f"via {via} dev eth0.1234", "dev cni-gre1",
                         "dev dum0", "dev eth1"))
    kind = random.choice(("", "", "", "", "blackhole", "unreachable"))
    metric = random.choice(("", "", "metric 10", "metric 32"))
    verbs = ["add", "replace", "append", "del", "del", "replace"]
    verb = random.choice(verbs + ([] if six else ["prepend"]))
    print(f"route {verb} {kind} {dst} {'' if kind else hop} {metric}")
