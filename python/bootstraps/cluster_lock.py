"""One bootstrap at a time per namespace.

The lock is a named actor that belongs to whoever holds it: a bootstrap that dies takes it along, so that nothing stays
locked.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray

from bootstraps.steps import StepFailedError, say, step, wait_until

LOCK_NAME = "seedcore_bootstrap_lock"
_WAIT_S = 600.0


@ray.remote(num_cpus=0, max_restarts=0)
class _Lock:
    def holder(self) -> str:
        """The job that holds it."""
        return str(ray.get_runtime_context().get_job_id())


@contextmanager
def bootstrap_lock(namespace: str) -> Iterator[None]:
    """Waits for other bootstraps of the namespace to end, 10 minutes at most, and keeps them out meanwhile."""
    held: list[Any] = []
    waited = False

    def take() -> bool:
        nonlocal waited
        try:
            lock = _Lock.options(name=LOCK_NAME, namespace=namespace).remote()  # type: ignore[attr-defined]
            ray.get(lock.holder.remote(), timeout=60)
        except ValueError:  # the name is taken
            if not waited:
                say("lock", "another bootstrap is at work; waiting for it")
            waited = True
            return False
        held.append(lock)
        return True

    look_at = f"seedcore ray actors --name {LOCK_NAME}"
    with step("lock", look_at):
        if not wait_until(take, _WAIT_S):
            raise StepFailedError("lock", f"another bootstrap has been at work for {_WAIT_S:.0f} s", look_at)
    try:
        yield
    finally:
        try:
            ray.kill(held[0], no_restart=True)
        except Exception as error:  # the end of this process lets go of it as well; what went wrong before is said
            say("lock", f"not let go of in order ({type(error).__name__})")
