"""Counts words in an actor."""

import ray

from seedcore.utils.ray_utils import ensure_ray_initialized, get_ray_namespace


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
    if not ensure_ray_initialized():
        raise ConnectionError("no Ray: the log says why")
    return Counter.options(name="word_counter", namespace=get_ray_namespace(), get_if_exists=True).remote()
