#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Whether JSON has the keys and types that scripts rely on.

shape.py NAME: each JSON text on the standard input has the shape NAME of
shapes.json. There a string names types ("integer|null") or, after @, another
shape; a list has the shape of all elements; a key that ends with ? may be
missing; "*" is any other key, "*?" perhaps none. A list of objects has to have
one, so that they are looked at. More keys than these are no fault.
"""
import json
import os
import sys

with open(os.path.join(os.path.dirname(__file__), "shapes.json")) as f:
    SHAPES = json.load(f)

TYPES = {str: "string", int: "integer", float: "real", bool: "boolean",
         list: "array", dict: "object", type(None): "null"}


def check_object(shape, value, path):
    named = {k.rstrip("?") for k in shape if not k.startswith("*")}
    for key, inner in shape.items():
        name = key.rstrip("?")
        if name == "*":
            others = [k for k in value if k not in named]
            if not others and not key.endswith("?"):
                yield f"{path}: no other key"
            for other in others:
                yield from check(inner, value[other], f"{path}.{other}")
        elif name in value:
            yield from check(inner, value[name], f"{path}.{name}")
        elif not key.endswith("?"):
            yield f"{path}.{name}: missing"


def check(shape, value, path):
    """The faults, in words."""
    if isinstance(shape, str) and shape.startswith("@"):
        yield from check(SHAPES[shape[1:]], value, path)
        return
    types = shape.split("|") if isinstance(shape, str) else \
        [TYPES[type(shape)]]
    if TYPES[type(value)] not in types:
        yield f"{path}: {TYPES[type(value)]}, not {' or '.join(types)}"
    elif isinstance(shape, dict):
        yield from check_object(shape, value, path)
    elif isinstance(shape, list):
        if not value and shape[0] != "string":
            yield f"{path}: nothing in it"
        for i, one in enumerate(value):
            yield from check(shape[0], one, f"{path}[{i}]")


def texts(text):
    decoder = json.JSONDecoder()
    while text := text.lstrip():
        value, end = decoder.raw_decode(text)
        yield value
        text = text[end:]


def main():
    values = list(texts(sys.stdin.read()))
    faults = [f for v in values for f in check("@" + sys.argv[1], v, "")]
    print("\n".join(faults) if values else "nothing at all")
    sys.exit(bool(faults) or not values)


main()
