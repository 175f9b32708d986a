"""Dispatchers and the reaper as Ray actors.

An actor holds one C++ host (`seedcore._core.DispatchHost`), whose threads do the work; Ray places it, names it and
starts it again when its process dies. Python carries status and commands, and nothing of a task.
"""

import json
import logging
import threading
from typing import Any

import ray

from seedcore._core import DispatchHost, EngineError
from seedcore.utils.ray_utils import hosts_in_cluster

_log = logging.getLogger(__name__)

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 5.0


# Status and ping have threads of their own, so that they never wait behind a drain or a proof.
@ray.remote(concurrency_groups={"control": 4}, max_restarts=-1, max_task_retries=0)  # type: ignore[call-overload]
class DispatchActor:
    """A dispatcher or a reaper that runs from its construction on, also after Ray has restarted it.

    A store that cannot be reached is waited for: `status` says so meanwhile. What a retry cannot mend (a wrong setting,
    SQLite on several hosts) fails the construction.
    """

    def __init__(self, role: str, name: str, settings: dict[str, Any], pinned: bool) -> None:
        context = ray.get_runtime_context()
        self._arguments = {
            "name": name,
            "user_config": json.dumps(settings).encode(),
            "node_id": context.get_node_id(),
            "ip_address": ray.util.get_node_ip_address(),  # type: ignore[no-untyped-call]
            "hosts": 1 if pinned else hosts_in_cluster(),
        }
        self._role = role
        self._problem = ""
        self._host: DispatchHost | None = None
        self._drained = threading.Event()
        try:
            self._host = DispatchHost(role, **self._arguments)
        except EngineError as error:
            if not str(error).startswith("unavailable:"):
                raise
            self._problem = str(error)
            threading.Thread(target=self._keep_trying, name="start-host", daemon=True).start()

    def _keep_trying(self) -> None:
        wait = _FIRST_WAIT_S
        while not self._drained.wait(wait):
            wait = min(2 * wait, _LONGEST_WAIT_S)
            try:
                host = DispatchHost(self._role, **self._arguments)
            except EngineError as error:
                self._problem = str(error)
                _log.warning("not started yet: %s", error)
                continue
            self._host, self._problem = host, ""
            if self._drained.is_set():
                host.drain(0)
            return

    @ray.method(concurrency_group="control", max_task_retries=3)
    def ping(self) -> str:
        """ "pong"."""
        return "pong"

    @ray.method(concurrency_group="control", max_task_retries=3)
    def status(self) -> dict[str, Any]:
        """As DispatchHostStatus; `state` is "starting", with the `problem`, while the store cannot be reached."""
        if self._host is None:
            return {"role": self._role, "name": self._arguments["name"], "state": "starting", "problem": self._problem}
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
