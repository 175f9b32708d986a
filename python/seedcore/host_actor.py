"""What actors have in common that hold one C++ host, whose threads do the work."""

import json
import logging
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import ray

from seedcore._core import EngineError
from seedcore.utils.ray_utils import hosts_in_cluster

_log = logging.getLogger(__name__)

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 5.0

HostT = TypeVar("HostT", bound=Any)


def place(pinned: bool) -> dict[str, Any]:
    """Where this actor runs, as the hosts take it."""
    return {
        "node_id": ray.get_runtime_context().get_node_id(),
        "ip_address": ray.util.get_node_ip_address(),  # type: ignore[no-untyped-call]
        "hosts": 1 if pinned else hosts_in_cluster(),
    }


# Of actors that are made with concurrency_groups={"control": ...}: status and ping have threads of their own, so that they
# never wait behind a drain or other work.
class HostActor(Generic[HostT]):
    """Starts its host, and waits for a store that cannot be reached: what a retry cannot mend is raised."""

    def _begin(self, identity: dict[str, str], make: Callable[[], HostT]) -> None:
        """Makes the host, now or once its store can be reached; `identity` is what a status says until then."""
        self._identity = identity
        self._make = make
        self._problem = ""
        self._host: HostT | None = None
        self._drained = threading.Event()
        try:
            self._host = make()
        except EngineError as error:
            if not str(error).startswith("unavailable:"):
                raise
            self._problem = str(error)
            threading.Thread(target=self._keep_trying, name="start-host", daemon=True).start()

    @ray.method(concurrency_group="control", max_task_retries=3)
    def ping(self) -> str:
        """ "pong"."""
        return "pong"

    @ray.method(concurrency_group="control", max_task_retries=3)
    def status(self) -> dict[str, Any]:
        """As the host says it; without one, the `state` ("starting" while the store cannot be reached) and `problem`."""
        if self._host is None:
            state, problem = self._without_host()
            return {**self._identity, "state": state, "problem": problem}
        status: dict[str, Any] = json.loads(self._host.status())
        return status

    def drain(self, timeout_s: float) -> dict[str, Any]:
        """Takes nothing more, lets what runs finish within `timeout_s` seconds, hands back the rest.

        Returns:
            The status after that. Not retried: an actor that Ray has restarted meanwhile is another one.
        """
        self._drained.set()
        if self._host is not None:
            self._host.drain(timeout_s)
        return {"state": "stopped"} if self._host is None else json.loads(self._host.status())

    def _without_host(self) -> tuple[str, str]:
        """State and problem while there is no host."""
        return "starting", self._problem

    def _keep_trying(self) -> None:
        wait = _FIRST_WAIT_S
        while not self._drained.wait(wait):
            wait = min(2 * wait, _LONGEST_WAIT_S)
            try:
                host = self._make()
            except EngineError as error:
                self._problem = str(error)
                _log.warning("not started yet: %s", error)
                continue
            self._host, self._problem = host, ""
            if self._drained.is_set():
                host.drain(0)
            return
