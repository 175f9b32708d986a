"""Writes pickle_table.jsonl: pickles by CPython and what the reader has to make of them.

python3 make_pickle_table.py >pickle_table.jsonl. The same output for the same Python; needs nothing installed.
Each line: {"protocol", "pickle": base64, "value": JSON as PyToJson gives it} or {.., "error": a word of the message}.
"""

import base64
import collections
import datetime
import decimal
import json
import math
import pickle
import random
import uuid


def to_json(value):
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, tuple):
        return {"$tuple": [to_json(item) for item in value]}
    if isinstance(value, list):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return {key_text(key): to_json(item) for key, item in value.items()}
    if isinstance(value, float) and (math.isnan(value) or math.isinf(value)):
        return {"$float": "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"}
    return value


def key_text(key):
    return key if isinstance(key, str) else json.loads(json.dumps({key: 0}).replace(": 0", ": null")).popitem()[0]


def emit(value, protocol, error=None, data=None, pure=False):
    dumps = pickle._dumps if pure else pickle.dumps
    data = dumps(value, protocol) if data is None else data
    line = {"protocol": protocol, "pickle": base64.b64encode(data).decode()}
    line.update({"value": to_json(value)} if error is None else {"error": error})
    print(json.dumps(line))


def random_value(rng, depth=0):
    kinds = ["none", "bool", "int", "big", "float", "str", "bytes"] + ["list", "tuple", "dict"] * (depth < 4)
    kind = rng.choice(kinds)
    if kind == "none":
        return None
    if kind == "bool":
        return rng.random() < 0.5
    if kind == "int":
        return rng.choice([0, 1, -1, 255, 256, 65535, 65536, -128, -129, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1])
    if kind == "big":
        return rng.randrange(-(2**63), 2**64)
    if kind == "float":
        return rng.choice(
            [0.0, -0.0, 0.1, 1e22, -1e-5, 3.0, float("nan"), float("inf"), float("-inf"), round(rng.gauss(0, 1e6), 3)]
        )
    if kind == "str":
        return "".join(rng.choice("ab\\\n\r\0'\"\x1aäλ€𝄞\x7f\x80") for _ in range(rng.randrange(12)))
    if kind == "bytes":
        return rng.randbytes(rng.randrange(12))
    items = [random_value(rng, depth + 1) for _ in range(rng.randrange(5))]
    if kind == "dict":
        return {"".join(rng.choice("abcλ") for _ in range(1 + rng.randrange(4))): item for item in items}
    return items if kind == "list" else tuple(items)


def without_bytes(value):
    """Protocols below 3 write bytes as a call of a codec, which is no plain data."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (list, tuple)):
        return type(value)(without_bytes(item) for item in value)
    if isinstance(value, dict):
        return {key: without_bytes(item) for key, item in value.items()}
    return value


def main():
    rng = random.Random(7)
    for index in range(150):
        value = random_value(rng)
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            emit(value if protocol >= 3 else without_bytes(value), protocol, pure=index % 10 == 0)

    shared = ["once"]
    long_text = "é" * 300
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        emit([shared, shared, {"again": shared}], protocol)
        emit([long_text, long_text], protocol)
        emit(list(range(1100)), protocol)
        emit({str(number): number for number in range(1100)}, protocol)
        emit([2**63 - 1, 2**63, 2**64 - 1, -(2**63)], protocol)
        emit({1: "bool is 1", None: "none", 2.5: "float"}, protocol)
        emit(2**64, protocol, error="64 bits")
        emit(-(2**63) - 1, protocol, error="64 bits")
        loop = []
        loop.append(loop)
        emit(loop, protocol, error="contains itself")
        deep = []
        for _ in range(80):
            deep = [deep]
        emit(deep, protocol, error="deeper than 64")
        emit(datetime.date(2025, 1, 31), protocol, error="datetime.date")
        emit(decimal.Decimal("1.5"), protocol, error="decimal.Decimal")
        emit(uuid.UUID(int=7), protocol, error="uuid.UUID" if protocol >= 2 else "copy_reg._reconstructor")
        emit(collections.OrderedDict(a=1), protocol, error="collections.OrderedDict")
        emit({1, 2}, protocol, error="EMPTY_SET" if protocol >= 4 else "GLOBAL")
        emit(print, protocol, error="print")
        emit(1 + 2j, protocol, error="complex")
        emit({(1, 2): 3}, protocol, error="dict key")
    emit(bytearray(b"\x00\xff"), 5)
    emit(b"x" * 300, 3)
    emit(b"\x80", 2, error="GLOBAL")
    emit(None, 4, error="BINPERSID", data=b"\x80\x04\x8c\x01xQ.")
    emit(None, 0, error="PERSID", data=b"Pref\n.")
    emit(None, 2, error="EXT1", data=b"\x80\x02\x82\x01.")
    emit(None, 5, error="NEXT_BUFFER", data=b"\x80\x05\x97.")
    emit(None, 2, error="not UTF-8", data=b"\x80\x02X\x02\x00\x00\x00\xff\xfe.")
    emit(None, 4, error="not UTF-8", data=pickle.dumps("\ud800", 4))
    emit(None, 2, error="after the end", data=b"\x80\x02N.N.")
    emit(None, 6, error="newer than 5", data=b"\x80\x06N.")


if __name__ == "__main__":
    main()
