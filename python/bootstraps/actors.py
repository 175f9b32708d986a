"""Detached actors of a bootstrap: created, kept, replaced, removed."""

import datetime
import json
import os
import time
from collections.abc import Callable
from typing import Any

import ray
from ray.util import list_named_actors

from bootstraps.steps import StepFailedError, flag, number, say, step, wait_until
from seedcore.utils.ray_utils import get_ray_namespace

LOOK_AT = "seedcore ray actors --namespace {} --name {}"
_GONE_S = 30.0
_PING_S = 10.0


class ActorPlan:
    """How the actors of one kind are to be, out of variables that begin with `kind`."""

    def __init__(self, kind: str, replace: str) -> None:
        self.namespace = get_ray_namespace()
        self.replace = flag(replace, False)
        self.pinned = flag("PIN_TO_HEAD_NODE", False)
        self.drain_s = number((f"{kind}_DRAIN_TIMEOUT_S",), 30.0, 0, 3600)
        self.ready_s = number((f"{kind}_READY_TIMEOUT_S",), 90.0, 1, 3600)
        self.settings = _settings(f"{kind}_SETTINGS")
        self.began = time.time()


def _settings(variable: str) -> dict[str, Any]:
    """Settings of the actors as JSON; they win over the environment of their node."""
    text = os.getenv(variable, "").strip() or "{}"
    try:
        settings = json.loads(text)
    except ValueError:
        settings = None
    if not isinstance(settings, dict):
        raise StepFailedError("settings", f"{variable}={text}: expected a JSON object", "docs/settings.md")
    return settings


def find(plan: ActorPlan, name: str) -> Any | None:
    """The actor of that name, if there is one."""
    try:
        return ray.get_actor(name, namespace=plan.namespace)
    except ValueError:
        return None


def names_with(plan: ActorPlan, prefix: str) -> list[str]:
    """Names of actors that begin so."""
    found = [actor["name"] for actor in list_named_actors(all_namespaces=True) if actor["namespace"] == plan.namespace]
    return [name for name in found if name.startswith(prefix)]


def status_of(actor: Any) -> dict[str, Any]:
    """What the actor says of itself, soon."""
    status: dict[str, Any] = ray.get(actor.status.remote(), timeout=_PING_S)
    return status


def ensure(
    plan: ActorPlan,
    name: str,
    create: Callable[[dict[str, Any]], Any],
    cpus: float,
    settled: tuple[str, ...] = ("running",),
) -> dict[str, Any]:
    """Has an actor of that name at work: the one that is there, or one that `create(options)` makes.

    Returns:
        Its status, once the state is one of `settled`.
    """
    look_at = LOOK_AT.format(plan.namespace, name)
    with step(name, look_at):
        actor = find(plan, name)
        if actor is not None and not _is_to_stay(plan, name, actor):
            remove(plan, name, actor)
            actor = None
        created = actor is None
        if actor is None:
            actor = create(
                {
                    "name": name,
                    "namespace": plan.namespace,
                    "lifetime": "detached",
                    # Whoever comes second at the same moment gets the actor of the first.
                    "get_if_exists": True,
                    "num_cpus": cpus,
                    "resources": {"head_node": 0.001} if plan.pinned else {},
                    # Over the hosts, so that the death of one leaves others at work.
                    "scheduling_strategy": "SPREAD",
                }
            )
        status = _await_settled(plan, name, actor, look_at, settled)
        if status["state"] == "running":
            where = f"pid {status['pid']}, {status['store_backend']}"
            say(name, f"{'started' if created else 'is there'} ({where})")
    return status


def _is_to_stay(plan: ActorPlan, name: str, actor: Any) -> bool:
    """Whether an actor that was found goes on: it answers, works, and is not to be replaced."""
    try:
        status = status_of(actor)
    except Exception as error:
        say(name, f"does not answer ({type(error).__name__}); replaced")
        return False
    if status["state"] in ("draining", "stopped", "in_place"):
        say(name, f"is {status['state']}; replaced")
        return False
    if not plan.replace:
        return True
    # A bootstrap that ran at the same time, or was cut off, may have replaced it already.
    return status["state"] == "running" and _unix(status["started_at"]) > plan.began


def _unix(text: str) -> float:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def remove(plan: ActorPlan, name: str, actor: Any | None) -> None:
    """Lets it finish or hand back what it has, ends it, and waits until its name is free."""
    if actor is None:
        return
    try:
        left = ray.get(actor.drain.remote(plan.drain_s), timeout=plan.drain_s + _PING_S)
        dispatcher = left.get("dispatcher")
        if dispatcher:
            say(name, f"drained: {dispatcher['completed']} completed, {dispatcher['handed_back']} handed back")
    except Exception as error:  # its tasks come back by their leases
        say(name, f"did not drain ({type(error).__name__}); its tasks run again once their leases have run out")
    ray.kill(actor, no_restart=True)
    if not wait_until(lambda: find(plan, name) is None, _GONE_S):
        raise TimeoutError(f"still there {_GONE_S:.0f} s after it was ended")


def _await_settled(plan: ActorPlan, name: str, actor: Any, look_at: str, settled: tuple[str, ...]) -> dict[str, Any]:
    last: dict[str, Any] = {}

    def running() -> bool:
        last.update(ray.get(actor.status.remote(), timeout=plan.ready_s))
        return last["state"] in settled

    try:
        came = wait_until(running, plan.ready_s)
    except ray.exceptions.GetTimeoutError:
        raise StepFailedError(name, f"not placed within {plan.ready_s:g} s: is there a CPU free?", look_at) from None
    if not came:
        problem = last.get("problem") or last.get("state")
        raise StepFailedError(name, f"not running within {plan.ready_s:g} s: {problem}", look_at)
    return last
