"""Dispatchers and the reaper as Ray actors.

An actor holds one C++ host (`seedcore._core.DispatchHost`), whose threads do the work; Ray places it, names it and
starts it again when its process dies. Python carries status and commands, and nothing of a task.
"""

import json
from typing import Any

import ray

from seedcore._core import DispatchHost
from seedcore.host_actor import HostActor, place


@ray.remote(concurrency_groups={"control": 4}, max_restarts=-1, max_task_retries=0)  # type: ignore[call-overload]
class DispatchActor(HostActor[DispatchHost]):
    """A dispatcher or a reaper that runs from its construction on, also after Ray has restarted it.

    A store that cannot be reached is waited for: `status` says so meanwhile. What a retry cannot mend (a wrong setting,
    SQLite on several hosts) fails the construction.
    """

    def __init__(self, role: str, name: str, settings: dict[str, Any], pinned: bool) -> None:
        user_config = json.dumps(settings).encode()
        where = place(pinned)
        self._begin(
            {"role": role, "name": name}, lambda: DispatchHost(role, name=name, user_config=user_config, **where)
        )

    @ray.method(max_task_retries=3)
    def prove(self, count: int, timeout_s: float) -> list[dict[str, str]]:
        """Submits `count` health_check tasks and says who completed each, within `timeout_s` seconds."""
        if self._host is None:
            raise RuntimeError(self._problem)
        proven: list[dict[str, str]] = json.loads(self._host.prove(count, timeout_s))
        return proven
