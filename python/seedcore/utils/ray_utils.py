"""The one way to connect to Ray.

Where to connect, and why, is decided in C++ (`src/ray`), for the command line and Python alike: `seedcore ray plan`
shows the decision and its reasons, docs/ray-connection.md has the table of cases.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import ray
from ray._private.authentication.authentication_token_setup import maybe_enable_token_auth_if_token_available
from ray.util.client import ray as ray_client
from ray.util.state import list_actors

from seedcore import _core
from seedcore.utils._ray_probe import await_ray

__all__ = ["ensure_ray_initialized", "get_ray_cluster_info", "get_ray_namespace"]

_log = logging.getLogger(__name__)
_lock = threading.Lock()

_DEFAULT_NAMESPACE = "seedcore-dev"
_WAIT_VARIABLE = "SEEDCORE_RAY_CONNECT_TIMEOUT_S"
_DEFAULT_WAIT_S = 30.0
_LONGEST_WAIT_S = 3600.0
_BETWEEN_LOOKS_S = 0.25
_ALIVE_TIMEOUT_S = 5.0
_INSIDE_TIMEOUT_S = 30.0
_MAX_LISTED_ACTORS = 1000


def get_ray_namespace() -> str:
    """SEEDCORE_NS, else RAY_NAMESPACE, else "seedcore-dev"."""
    return os.getenv("SEEDCORE_NS") or os.getenv("RAY_NAMESPACE") or _DEFAULT_NAMESPACE


def ensure_ray_initialized(ray_address: str | None = None, ray_namespace: str | None = _DEFAULT_NAMESPACE) -> bool:
    """Connects this process to Ray, unless it is connected already. Idempotent and thread-safe.

    A connection that has died is noticed and made anew. A local cluster is started only when nothing names one. A
    cluster that is not there yet is waited for, SEEDCORE_RAY_CONNECT_TIMEOUT_S seconds (30) at most.

    Args:
        ray_address: ray://HOST:PORT, HOST:PORT, auto or local; None: decided from the environment.
        ray_namespace: Namespace of the actors. None and the default leave it to `get_ray_namespace`.

    Returns:
        Whether this process is connected. When it is not, one line in the log says why.
    """
    with _lock:
        try:
            if _is_connected():
                if _is_alive():
                    return True
                _log.warning("the connection to Ray has died; connecting again")
                _disconnect()
            _connect(ray_address, ray_namespace)
        except Exception as error:  # whatever it is, the caller gets False and the log the reason
            _log.error("not connected to Ray: %s", str(error).strip().splitlines()[0] if str(error) else repr(error))
            return False
        return True


def _connect(address: str | None, namespace: str | None) -> None:
    deadline = time.monotonic() + _wait_s()
    if namespace in (None, _DEFAULT_NAMESPACE):
        namespace = get_ray_namespace()
    plan = json.loads(_core.plan_ray_connection(address or "", namespace))
    for warning in plan["warnings"]:
        _log.warning("%s", warning)
    target: str = plan["address"]["value"]
    _log.info("connecting to Ray at %s (%s), namespace %s", target, plan["address"]["source"], namespace)
    if plan["auth"] == "token" and not os.getenv("RAY_AUTH_MODE"):
        # Ray does this by itself only where it looks for the cluster; here the plan has found it.
        _log.info("sending the token of %s: %s", plan["token_source"], plan["token_reason"])
        maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
    if target not in ("auto", "local"):
        await_ray(target, deadline, plan["auth"] == "token")
    _init(target, namespace, deadline)
    # Ray itself refuses a cluster of another version than this process has.
    untested = _core.ray_version_warning(ray.__version__)
    if untested:
        _log.warning("%s", untested)


def _init(target: str, namespace: str, deadline: float) -> None:
    while True:
        try:
            ray.init(address=target, namespace=namespace, ignore_reinit_error=True, log_to_driver=False)
            return
        except ConnectionError:
            # That this host is in no cluster, yet; of any other address await_ray knows more.
            if target != "auto" or time.monotonic() >= deadline:
                raise
            time.sleep(_BETWEEN_LOOKS_S)


def _wait_s() -> float:
    text = os.getenv(_WAIT_VARIABLE, "").strip()
    if not text:
        return _DEFAULT_WAIT_S
    try:
        wait = float(text)
    except ValueError:
        wait = -1.0
    if not 0.0 <= wait <= _LONGEST_WAIT_S:
        raise ValueError(f"{_WAIT_VARIABLE}={text}: expected seconds, 0 to {_LONGEST_WAIT_S:g}")
    return wait


def _is_connected() -> bool:
    """What Ray believes; a client whose channel has been closed under it raises instead of answering."""
    try:
        return ray.is_initialized()
    except Exception as error:
        _log.debug("Ray does not know whether it is connected: %s", error)
        return True


def _disconnect() -> None:
    try:
        ray.shutdown()
    except Exception as error:
        # Ray Client gives up half way when its channel is closed, and would call the next connection a second one.
        _log.debug("not disconnected in order: %s", error)
        ray_client.get_context().client_worker = None  # type: ignore[no-untyped-call]
        ray_client.disconnect()  # type: ignore[no-untyped-call]


def _is_alive() -> bool:
    """Whether the cluster answers. In a thread, because a call on a dead connection may block for a minute."""
    answered = threading.Event()

    def ask() -> None:
        try:
            ray.nodes()  # type: ignore[no-untyped-call]
            answered.set()
        except Exception as error:
            _log.debug("Ray does not answer: %s", error)

    threading.Thread(target=ask, name="ray-alive", daemon=True).start()
    return answered.wait(_ALIVE_TIMEOUT_S)


def get_ray_cluster_info() -> dict[str, Any]:
    """What the cluster consists of, for people and diagnostics.

    Returns:
        connected: whether this process is, and the cluster answers. When it does: `nodes`, `resources` and `available`
        (amounts by name),
        `namespace`, `namespaces` and `actors` of those that are alive, `serve` (status by application), `versions`.
        What could not be found out is in `errors` by key.
    """
    info: dict[str, Any] = {"connected": _is_connected() and _is_alive(), "namespace": get_ray_namespace()}
    info["versions"] = {"ray": ray.__version__, "seedcore": _core.__version__}
    if not info["connected"]:
        return info
    errors: dict[str, str] = {}

    def put(key: str, read: Any) -> None:
        try:
            info[key] = read()
        except Exception as error:
            errors[key] = str(error)

    put("nodes", ray.nodes)
    put("resources", ray.cluster_resources)
    put("available", ray.available_resources)
    put("actors", lambda: _inside(_alive_actors))
    info["namespaces"] = sorted({actor["namespace"] for actor in info.get("actors", [])})
    put("serve", lambda: _inside(_serve_status))
    if errors:
        info["errors"] = errors
    return info


def hosts_in_cluster() -> int:
    """How many different addresses the living nodes have. For a process that is connected."""
    nodes = ray.nodes()  # type: ignore[no-untyped-call]
    return len({node["NodeManagerAddress"] for node in nodes if node["Alive"]})


def _inside(read: Callable[[], Any]) -> Any:
    """What `read` returns; behind ray:// by a task: the state API and Serve answer inside of the cluster only."""
    if not ray_client.is_connected():  # type: ignore[no-untyped-call]
        return read()
    return ray.get(ray.remote(num_cpus=0, max_retries=0)(read).remote(), timeout=_INSIDE_TIMEOUT_S)


def _alive_actors() -> list[dict[str, Any]]:
    found = list_actors(filters=[("state", "=", "ALIVE")], limit=_MAX_LISTED_ACTORS, detail=False)
    return [
        {"name": actor.name, "class": actor.class_name, "namespace": actor.ray_namespace, "pid": actor.pid}
        for actor in found
    ]


def _serve_status() -> dict[str, str]:
    from ray import serve  # noqa: PLC0415  heavy, and not everybody who connects serves

    return {name: str(status.status.value) for name, status in serve.status().applications.items()}
