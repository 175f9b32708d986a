"""Writes exception_table.jsonl: exceptions as Ray's client server pickles them, and what is to be read from them.

Starts a Ray of its own: python make_exception_table.py exception_table.jsonl, with Ray installed. Run again for a new
version of Ray; ids and process numbers inside the pickles differ from run to run.
"""

import base64
import json
import os
import sys
import threading
from pathlib import Path

import ray
from ray import cloudpickle

LINES = []


class Own(Exception):
    def __init__(self, code):
        super().__init__(f"broken with code {code}")
        self.code = code


class Final(Exception):
    """Cannot be subclassed, so that Ray does not make a class of both."""

    def __init_subclass__(cls, **kwargs):
        raise TypeError("final")


@ray.remote(num_cpus=0)
class Actor:
    def value(self):
        raise ValueError("negative: -3")

    def key(self):
        raise KeyError(3)

    def nothing(self):
        raise RuntimeError

    def own(self):
        raise Own(3)

    def final(self):
        raise Final("no subclasses")

    def two(self):
        raise OSError(2, "No such file")

    def chained(self):
        try:
            {}["x"]
        except KeyError as error:
            raise ValueError("outer") from error

    def wait(self):
        threading.Event().wait(30)

    def die(self):
        os._exit(1)


def emit(what, raising, type_name, text, code):
    try:
        raising()
    except BaseException as error:
        line = {"what": what, "type": type_name, "text": text, "code": code}
        line["pickle"] = base64.b64encode(cloudpickle.dumps(error)).decode()
        LINES.append(json.dumps(line))
        return
    sys.exit(f"{what} did not raise")


def main():
    ray.init(num_cpus=1, log_to_driver=False, include_dashboard=False, object_store_memory=80_000_000)
    actor = Actor.remote()

    def get(name):
        return lambda: ray.get(getattr(actor, name).remote())

    emit("an exception", get("value"), "ValueError", "negative: -3", "non_retryable")
    emit("no text", get("nothing"), "RuntimeError", "", "non_retryable")
    emit("an argument that is no text", get("key"), "KeyError", "3", "non_retryable")
    emit("a class carried by value", get("own"), "Own", "broken with code", "non_retryable")
    emit("a final class", get("final"), "Final", "no subclasses", "non_retryable")
    emit("two arguments", get("two"), "FileNotFoundError", "2, No such file", "non_retryable")
    emit("a cause", get("chained"), "ValueError", "outer", "non_retryable")
    emit(
        "arguments that do not fit",
        lambda: actor.value.remote(1),
        "TypeError",
        "too many positional arguments",
        "invalid_argument",
    )
    emit(
        "no such method",
        lambda: actor.nobody,
        "AttributeError",
        "'ActorHandle' object has no attribute 'nobody'",
        "invalid_argument",
    )
    emit(
        "a timeout",
        lambda: ray.get(actor.wait.remote(), timeout=0.01),
        "GetTimeoutError",
        "Get timed out: some object(s) not ready.",
        "deadline_exceeded",
    )
    mortal = Actor.remote()
    emit("a dead actor", lambda: ray.get(mortal.die.remote()), "ActorDiedError", "The actor died", "unavailable")


if __name__ == "__main__":
    main()
    Path(sys.argv[1]).write_text("\n".join(LINES) + "\n")
