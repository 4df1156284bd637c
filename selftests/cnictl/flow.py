#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A flow that counts its losses.

flow.py echo PORT ADDR...        sends back what comes
flow.py send FROM ADDR PORT FILE a packet each 5 ms until FILE is gone, of 16
                                 source ports in turn; then says "SENT LOST"
"""
import os
import select
import socket
import sys
import time

SOCKETS = 16


def sockets(n):
    return [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(n)]


def echo(port, addrs):
    socks = sockets(len(addrs))
    for s, addr in zip(socks, addrs):
        s.bind((addr, port))
    while True:
        for s in select.select(socks, [], [])[0]:
            data, who = s.recvfrom(2048)
            s.sendto(data, who)


def send(source, addr, port, file):
    socks = sockets(SOCKETS)
    for s in socks:
        s.bind((source, 0))
        s.connect((addr, port))
        s.setblocking(False)
    missing = set()
    n = 0

    def receive(timeout):
        for s in select.select(socks, [], [], timeout)[0]:
            try:
                missing.discard(int(s.recv(2048)))
            except BlockingIOError:
                pass

    while os.path.exists(file):
        socks[n % SOCKETS].send(b"%d" % n)
        missing.add(n)
        n += 1
        due = time.monotonic() + 0.005
        while (left := due - time.monotonic()) > 0:
            receive(left)
    end = time.monotonic() + 10
    while missing and time.monotonic() < end:
        receive(0.1)
    print(n, len(missing))


if sys.argv[1] == "echo":
    echo(int(sys.argv[2]), sys.argv[3:])
else:
    send(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
