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


@ray.remote(concurrency_groups={"control": 4}, max_restarts=-1, max_task_retries=0)  # type: ignore[call-overload]
class OrganActor(HostActor[OrganHost]):
    """The host of an organ, from its construction on, also after Ray has restarted it.

    A store that cannot be reached is waited for: `status` says so meanwhile. Where by the settings the organism could
    not reach it, its state is "in_place": the organism goes on doing the work itself.
    """

    def __init__(self, organ_id: str, name: str, settings: dict[str, Any], pinned: bool) -> None:
        self._in_place = ""
        user_config = json.dumps(settings).encode()
        where = place(pinned)
        try:
            self._begin(
                {"organ_id": organ_id, "name": name},
                lambda: OrganHost(organ_id, name=name, user_config=user_config, **where),
            )
        except EngineError as error:
            if not str(error).startswith("conflict:"):
                raise
            self._in_place = str(error)

    def _without_host(self) -> tuple[str, str]:
        return ("in_place", self._in_place) if self._in_place else super()._without_host()
