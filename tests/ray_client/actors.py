"""Starts the actors that the Ray Client's tests call: python actors.py GCS_ADDRESS NAMESPACE."""

import collections
import sys
import threading
from typing import Any

import ray


class Broken(Exception):
    """An exception whose class no client can import."""

    def __init__(self, code: int) -> None:
        super().__init__(f"broken with code {code}")
        self.code = code


class Probe:
    """Answers with what it was given, fails as it is told, or waits."""

    def __init__(self) -> None:
        self.total = 0
        self.lock = threading.Lock()
        self.events: dict[int, threading.Event] = collections.defaultdict(threading.Event)

    def add(self, amount: int, *, times: int = 1) -> int:
        with self.lock:
            self.total += amount * times
            return self.total

    def echo(self, *args: object, **kwargs: object) -> object:
        return {"args": list(args), "kwargs": kwargs}

    def types(self, *args: object) -> list[str]:
        return [type(arg).__name__ for arg in args]

    def nothing(self) -> None:
        return None

    def fail(self, text: str) -> None:
        raise ValueError(text)

    def fail_own(self, code: int) -> None:
        raise Broken(code)

    def opaque(self) -> object:
        return object()

    def wait(self) -> str:
        """Blocks for longer than any caller waits."""
        return self.wait_for(0)

    def wait_for(self, number: int) -> str:
        """Blocks until release(number) is called."""
        self.events[number].wait(60)
        return "open"

    def is_waiting(self, number: int) -> bool:
        return number in self.events

    def release(self, number: int) -> None:
        self.events[number].set()


def main() -> None:
    address, namespace = sys.argv[1:3]
    ray.init(address=address, namespace=namespace, log_to_driver=False)
    remote: Any = ray.remote  # its types know no class with options
    probe = remote(num_cpus=0, max_concurrency=32)(Probe).options(name="probe", lifetime="detached").remote()
    ray.get(probe.nothing.remote())


if __name__ == "__main__":
    main()
