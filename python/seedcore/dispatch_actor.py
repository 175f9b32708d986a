"""Dispatchers and the reaper as Ray actors.

An actor holds one C++ host (`seedcore._core.DispatchHost`), whose threads do the work; Ray places it, names it and
starts it again when its process dies. Python carries status and commands, and nothing of a task.
"""

import json
from typing import Any

import ray

from seedcore._core import DispatchHost
from seedcore.host_actor import HostActor, place


# Status and ping have threads of their own, so that they never wait behind a drain or a proof.
@ray.remote(concurrency_groups={"control": 4}, max_restarts=-1, max_task_retries=0)  # type: ignore[call-overload]
class DispatchActor(HostActor[DispatchHost]):
    """A dispatcher or a reaper that runs from its construction on, also after Ray has restarted it.

    A store that cannot be reached is waited for: `status` says so meanwhile. What a retry cannot mend (a wrong setting,
    SQLite on several hosts) fails the construction.
    """

    def __init__(self, role: str, name: str, settings: dict[str, Any], pinned: bool) -> None:
        self._role, self._name = role, name
        user_config = json.dumps(settings).encode()
        where = place(pinned)
        self._begin(lambda: DispatchHost(role, name=name, user_config=user_config, **where))

    @ray.method(concurrency_group="control", max_task_retries=3)
    def ping(self) -> str:
        """ "pong"."""
        return "pong"

    @ray.method(concurrency_group="control", max_task_retries=3)
    def status(self) -> dict[str, Any]:
        """As DispatchHostStatus; `state` is "starting", with the `problem`, while the store cannot be reached."""
        if self._host is None:
            return {"role": self._role, "name": self._name, "state": "starting", "problem": self._problem}
        status: dict[str, Any] = json.loads(self._host.status())
        return status

    @ray.method(max_task_retries=3)
    def prove(self, count: int, timeout_s: float) -> list[dict[str, str]]:
        """Submits `count` health_check tasks and says who completed each, within `timeout_s` seconds."""
        if self._host is None:
            raise RuntimeError(self._problem)
        proven: list[dict[str, str]] = json.loads(self._host.prove(count, timeout_s))
        return proven

    def drain(self, timeout_s: float) -> dict[str, Any]:
        """Claims nothing more, lets running tasks finish within `timeout_s` seconds, hands back the rest.

        Returns:
            The status after that. Not retried: an actor that Ray has restarted meanwhile is another one.
        """
        self._drained.set()
        if self._host is not None:
            self._host.drain(timeout_s)
        return {"state": "stopped"} if self._host is None else json.loads(self._host.status())
