"""Writes the seeds of pickle_fuzz, pickles by CPython, into the folder that it is given: tests/corpus/pickle_fuzz.

The same output for the same Python; needs nothing installed.
"""

import datetime
import io
import pickle
import sys
from pathlib import Path


class Framer(pickle._Framer):
    """Python's own, with frames that are full after a few bytes instead of 64 KiB."""

    _FRAME_SIZE_MIN = 4
    _FRAME_SIZE_TARGET = 24


def in_small_frames(value):
    file = io.BytesIO()
    pickler = pickle._Pickler(file, 5)
    pickler.framer = Framer(file.write)
    pickler.write = pickler.framer.write
    pickler._write_large_bytes = pickler.framer.write_large_bytes
    pickler.dump(value)
    return file.getvalue()


def main():
    status = {
        "state": "running",
        "pid": 4711,
        "dispatcher": {"claimed": 12, "handed_back": 0, "error": None, "idle": 0.75},
    }
    shared = ["once", ("twice", 2.5), {"ä": [True, None]}]
    seeds = {
        "actor_call_arguments": pickle.dumps(((5, "x"), {"times": 2}), 2),
        "actor_call_result": pickle.dumps(status, 5),
        "bytes": pickle.dumps([b"", b"\x00\xff", b"x" * 260, bytearray(b"\x80\x05.")], 5),
        "error_in_result": pickle.dumps(ValueError("no actor named 'probe'", 3), 5),
        "floats": pickle.dumps([0.1, -0.0, 1e308, float("nan"), float("-inf")], 4),
        "frames": in_small_frames([{"step": number, "text": "λ" * number} for number in range(6)]),
        "long_integers": pickle.dumps([255, 65535, 2**31, -(2**31) - 1, 2**63 - 1, 2**64 - 1, -(2**63)], 5),
        "nested": pickle.dumps({"a": [shared, shared, (shared,), [[[[()]]]]]}, 5),
        "protocol_0": pickle.dumps({"a": [1, -2.5, "\n", None, True, (2**40,)]}, 0),
        "refused_class": pickle.dumps({"when": datetime.date(2025, 1, 31)}, 5),
        "refused_integer": pickle.dumps(2**2100, 5),
        "refused_set": pickle.dumps({1, "two"}, 5),
    }
    for name, seed in seeds.items():
        (Path(sys.argv[1]) / name).write_bytes(seed)


if __name__ == "__main__":
    main()
