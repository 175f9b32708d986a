"""Organs as Ray actors.

An actor holds one C++ host (`seedcore._core.OrganHost`), which does the work of one organ's agents at a listener of its
own; the organism calls it there. Ray places the actor, names it and starts it again when its process dies. Python
carries status and commands, and nothing of a task.
"""

import json
from typing import Any

import ray

from seedcore._core import EngineError, OrganHost
from seedcore.host_actor import HostActor, place


# Status and ping have threads of their own, so that they never wait behind a drain.
@ray.remote(concurrency_groups={"control": 4}, max_restarts=-1, max_task_retries=0)  # type: ignore[call-overload]
class OrganActor(HostActor[OrganHost]):
    """The host of an organ, from its construction on, also after Ray has restarted it.

    A store that cannot be reached is waited for: `status` says so meanwhile. Where by the settings the organism could
    not reach it, its state is "in_place": the organism goes on doing the work itself.
    """

    def __init__(self, organ_id: str, name: str, settings: dict[str, Any], pinned: bool) -> None:
        self._organ_id, self._name = organ_id, name
        self._in_place = ""
        user_config = json.dumps(settings).encode()
        where = place(pinned)
        try:
            self._begin(lambda: OrganHost(organ_id, name=name, user_config=user_config, **where))
        except EngineError as error:
            if not str(error).startswith("conflict:"):
                raise
            self._in_place = str(error)

    @ray.method(concurrency_group="control", max_task_retries=3)
    def ping(self) -> str:
        """ "pong"."""
        return "pong"

    @ray.method(concurrency_group="control", max_task_retries=3)
    def status(self) -> dict[str, Any]:
        """As OrganHostStatus; `state` is "starting" or "in_place", with the `problem`, while there is no host."""
        if self._host is None:
            state, problem = ("in_place", self._in_place) if self._in_place else ("starting", self._problem)
            return {"organ_id": self._organ_id, "name": self._name, "state": state, "problem": problem}
        status: dict[str, Any] = json.loads(self._host.status())
        return status

    def drain(self, timeout_s: float) -> dict[str, Any]:
        """Lets work under way finish within `timeout_s` seconds and takes no more.

        Returns:
            The status after that. Not retried: an actor that Ray has restarted meanwhile is another one.
        """
        self._drained.set()
        if self._host is not None:
            self._host.drain(timeout_s)
        return {"state": "stopped"} if self._host is None else json.loads(self._host.status())
