"""The organism: initialized and healthy, through its Serve handle or over HTTP; then the actors of its organs."""

import asyncio
import functools
import json
import os
import threading
import urllib.error
import urllib.request
from typing import Any

import ray
from ray import serve
from ray.util.client import ray as ray_client

from bootstraps import connection
from bootstraps.bootstrap_organs import OrganPlan, bootstrap_organs, organs_of
from bootstraps.cluster_lock import bootstrap_lock
from bootstraps.steps import StepFailedError, complain, number, say, step, wait_until
from seedcore import _core

STEP = "organism"
LOOK_AT = "seedcore serve status"
_APPLICATION = "organism"
_CALL_S = 15.0
_INITIALIZE_S = 120.0
_PLACED_S = 30.0  # for a worker of the cluster to start


def _headers() -> dict[str, str]:
    token = os.getenv("SEEDCORE_API_TOKEN")
    headers = {"content-type": "application/json"}
    return headers | ({"authorization": f"Bearer {token}"} if token else {})


def organism_url() -> str:
    """ORGANISM_URL, or /organism behind the gateway that the connection plan finds.

    Raises:
        StepFailedError: There is no plan, because a variable is wrong; waiting would not mend it.
    """
    given = os.getenv("ORGANISM_URL")
    if given:
        return given.rstrip("/")
    with step(STEP, connection.LOOK_AT):
        plan = json.loads(_core.plan_ray_connection("", ""))
    return str(plan["serve_url"]["value"]).rstrip("/") + "/organism"


@functools.cache
def _handle_loop() -> asyncio.AbstractEventLoop:
    """The one event loop of this process for handles: Serve ties what it keeps for them to the first that it sees."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="serve-handles", daemon=True).start()
    return loop


def _through_handle(
    method: str, path: str, headers: list[tuple[bytes, bytes]], timeout_s: float, body: bytes
) -> tuple[int, Any]:
    # In an event loop: with RAY_SERVE_THROUGHPUT_OPTIMIZED a handle works nowhere else.
    async def ask() -> tuple[int, bytes]:
        handle = serve.get_app_handle(_APPLICATION)
        status, answer = await asyncio.wait_for(handle.ask.remote(method, path, headers, body), timeout_s)
        return status, answer

    status, answer = asyncio.run_coroutine_threadsafe(ask(), _handle_loop()).result()
    return status, json.loads(answer)


# A program behind ray:// is no part of the cluster, and Serve's handles work inside of it only.
_through_handle_there = ray.remote(num_cpus=0, max_retries=0)(_through_handle)


def _by_handle(method: str, path: str, timeout_s: float, body: bytes) -> tuple[int, Any]:
    headers = [(name.encode(), value.encode()) for name, value in _headers().items()]
    if not ray_client.is_connected():  # type: ignore[no-untyped-call]
        return _through_handle(method, path, headers, timeout_s, body)
    asked = _through_handle_there.remote(method, path, headers, timeout_s, body)
    answer: tuple[int, Any] = ray.get(asked, timeout=timeout_s + _PLACED_S)
    return answer


def _over_http(method: str, path: str, timeout_s: float, body: bytes) -> tuple[int, Any]:
    request = urllib.request.Request(organism_url() + path, method=method, headers=_headers())
    request.data = body or None
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


class _Organism:
    """Asked by handle; over HTTP when the handle fails, for example because this cluster runs no Serve of its own."""

    def __init__(self) -> None:
        self._said = ""

    def ask(self, method: str, path: str, timeout_s: float, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """Status and body of the answer. Says by which way it came, once per way and reason."""
        content = json.dumps(body or {}).encode() if method == "POST" else b""
        why = "Ray is not connected"
        if ray.is_initialized():
            try:
                answer = _by_handle(method, path, timeout_s, content)
                self._say("asked through its Serve handle")
                return answer
            except Exception as error:
                why = _line(error)
        self._say(f"not through its Serve handle ({why}); over HTTP at {organism_url()}")
        return _over_http(method, path, timeout_s, content)

    def _say(self, text: str) -> None:
        if text != self._said:
            say(STEP, text)
        self._said = text


def _line(error: Exception) -> str:
    lines = str(getattr(error, "reason", error)).strip().splitlines()  # what urllib wraps says more
    return lines[-1] if lines else repr(error)


def bootstrap_organism(plan: OrganPlan | None = None) -> bool:
    """Initializes the organism unless it is, waits until it is healthy, and has its organs' actors at work.

    Returns:
        Whether all of that is done. If not (it is not deployed, says no, takes longer than ORGANISM_HEALTH_TIMEOUT_S,
        180 s, or an actor does not come), one line on standard error says why.
    """
    organism = _Organism()
    try:
        _await_health(organism)
        say(STEP, "healthy")
        if ray.is_initialized():
            bootstrap_organs(plan or OrganPlan(), organism.ask)
    except StepFailedError as error:
        complain(error)
        return False
    return True


def _await_health(organism: _Organism) -> None:
    timeout = number(("ORGANISM_HEALTH_TIMEOUT_S",), 180.0, 1, 3600)
    interval = number(("ORGANISM_HEALTH_INTERVAL_S",), 2.0, 0.05, 60)
    last = "no answer"

    def healthy() -> bool:
        nonlocal last
        try:
            status, health = organism.ask("GET", "/health", _CALL_S)
        except (OSError, ValueError) as error:
            last = f"{organism_url()}: {_line(error)}"
            return False
        last = f"status {status}: {json.dumps(health)[:300]}"
        if status == 200:
            return True
        if not health.get("organism_initialized", True):
            _initialize(organism)
        return False

    with step(STEP, LOOK_AT):
        if not wait_until(healthy, timeout, interval):
            look_at = LOOK_AT if ray.is_initialized() else connection.LOOK_AT
            raise StepFailedError(STEP, f"not healthy within {timeout:g} s: {last}", look_at)


def _initialize(organism: _Organism) -> None:
    status, answer = organism.ask("POST", "/initialize-organism", _INITIALIZE_S)
    if status != 200 or not answer.get("success", False):
        raise StepFailedError(STEP, f"not initialized, status {status}: {json.dumps(answer)[:300]}", LOOK_AT)
    say(STEP, str(answer.get("message", "initialized")))


class OrganWatch:
    """Follows the organs of the organism after a bootstrap: those that evolution makes, merges or retires."""

    def __init__(self, plan: OrganPlan) -> None:
        self._plan = plan
        self._plan.replace = False  # that is done
        self._organism = _Organism()
        self._known: list[str] | None = None
        self._complained = ""

    def look(self) -> None:
        """Where the organs are others than at the last look, has an actor for each and none for others.

        A failure is one line on standard error, and is tried again at the next look.
        """
        if not (self._plan.enabled and ray.is_initialized()):
            return
        try:
            organs = organs_of(self._organism.ask)
            if organs == self._known:
                return
            with bootstrap_lock(self._plan.namespace):
                bootstrap_organs(self._plan, self._organism.ask)
            self._known, self._complained = organs, ""
        except StepFailedError as error:
            if str(error) != self._complained:
                complain(error)
            self._complained = str(error)
