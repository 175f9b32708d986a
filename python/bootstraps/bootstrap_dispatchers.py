"""Dispatchers and the reaper as detached actors, proven by tasks that each dispatcher has executed."""

import datetime
import json
import os
import time
from typing import Any

import ray
from ray.util import list_named_actors

from bootstraps.connection import connect
from bootstraps.steps import StepFailedError, complain, flag, number, say, step, wait_until
from seedcore.dispatch_actor import DispatchActor
from seedcore.utils.ray_utils import get_ray_namespace

DISPATCHER = "seedcore_dispatcher_"
GRAPH_DISPATCHER = "seedcore_graph_dispatcher_"
REAPER = "seedcore_reaper"
LOOK_AT = "seedcore ray actors --namespace {} --name {}"
_GONE_S = 30.0
_PING_S = 10.0
_MOST_PROVEN = 256  # health checks per round
_ROUND_S = 15.0


class Plan:
    """What there is to be, out of the environment."""

    def __init__(self) -> None:
        self.namespace = get_ray_namespace()
        self.dispatchers = int(number(("DISPATCHER_COUNT", "SEEDCORE_DISPATCHERS"), 2, 0, 1000))
        self.reaper = flag("ENABLE_REAPER", True)
        graph = int(number(("SEEDCORE_GRAPH_DISPATCHERS",), 0, 0, 1000))
        self.graph = graph if flag("ENABLE_GRAPH_DISPATCHERS", True) else 0
        self.replace = flag("FORCE_REPLACE_DISPATCHERS", False)
        self.pinned = flag("PIN_TO_HEAD_NODE", False)
        self.drain_s = number(("DISPATCHER_DRAIN_TIMEOUT_S",), 30.0, 0, 3600)
        self.ready_s = number(("DISPATCHER_READY_TIMEOUT_S",), 90.0, 1, 3600)
        self.settings = _settings()
        self.began = time.time()


def _settings() -> dict[str, Any]:
    """DISPATCHER_SETTINGS: settings of the actors as JSON; they win over the environment of their node."""
    text = os.getenv("DISPATCHER_SETTINGS", "").strip() or "{}"
    try:
        settings = json.loads(text)
    except ValueError:
        settings = None
    if not isinstance(settings, dict):
        raise StepFailedError("settings", f"DISPATCHER_SETTINGS={text}: expected a JSON object", "docs/settings.md")
    return settings


def bootstrap_dispatchers(plan: Plan | None = None) -> bool:
    """Creates what is missing, replaces what does not answer, and waits until every dispatcher has executed a task.

    Returns:
        Whether all of that is done. If not, one line on standard error names the actor that is in the way, the reason,
        and a command that shows more.
    """
    try:
        connect()
        _ensure_all(plan or Plan())
    except StepFailedError as error:
        complain(error)
        return False
    return True


def _ensure_all(plan: Plan) -> None:
    if plan.reaper:
        _ensure(plan, REAPER, "reaper", 0.05)
    for role, prefix, count in (("queue", DISPATCHER, plan.dispatchers), ("graph", GRAPH_DISPATCHER, plan.graph)):
        names = [f"{prefix}{i}" for i in range(count)]
        for name in names:  # one after the other: while one drains, the others work
            _ensure(plan, name, role, 0.1)
        with step(prefix + "*", f"seedcore ray actors --namespace {plan.namespace}"):
            surplus = _surplus(plan, prefix, count)
        for name in surplus:
            with step(name, LOOK_AT.format(plan.namespace, name)):
                _remove(plan, name, _find(plan, name))
            say(name, f"removed: there are to be {count}")
        if names:
            _prove(plan, role, names)


def _find(plan: Plan, name: str) -> Any | None:
    try:
        return ray.get_actor(name, namespace=plan.namespace)
    except ValueError:
        return None


def _surplus(plan: Plan, prefix: str, count: int) -> list[str]:
    found = [actor["name"] for actor in list_named_actors(all_namespaces=True) if actor["namespace"] == plan.namespace]
    numbers = [name.removeprefix(prefix) for name in found if name.startswith(prefix)]
    return [f"{prefix}{i}" for i in numbers if i.isdecimal() and int(i) >= count]


def _status(actor: Any) -> dict[str, Any]:
    status: dict[str, Any] = ray.get(actor.status.remote(), timeout=_PING_S)
    return status


def _ensure(plan: Plan, name: str, role: str, cpus: float) -> None:
    look_at = LOOK_AT.format(plan.namespace, name)
    with step(name, look_at):
        actor = _find(plan, name)
        if actor is not None and not _is_to_stay(plan, name, actor):
            _remove(plan, name, actor)
            actor = None
        created = actor is None
        if actor is None:
            resources = {"head_node": 0.001} if plan.pinned else {}
            # Whoever comes second at the same moment gets the actor of the first.
            actor = DispatchActor.options(  # type: ignore[attr-defined]
                name=name,
                namespace=plan.namespace,
                lifetime="detached",
                get_if_exists=True,
                num_cpus=cpus,
                resources=resources,
                # Over the hosts, so that the death of one leaves others at work.
                scheduling_strategy="SPREAD",
            ).remote(role, name, plan.settings, plan.pinned)
        status = _await_running(plan, name, actor, look_at)
        where = f"pid {status['pid']}, {status['store_backend']}"
        say(name, f"{'started' if created else 'is there'} ({where})")


def _is_to_stay(plan: Plan, name: str, actor: Any) -> bool:
    """Whether an actor that was found goes on: it answers, works, and is not to be replaced."""
    try:
        status = _status(actor)
    except Exception as error:
        say(name, f"does not answer ({type(error).__name__}); replaced")
        return False
    if status["state"] in ("draining", "stopped"):
        say(name, f"is {status['state']}; replaced")
        return False
    if not plan.replace:
        return True
    # A bootstrap that ran at the same time, or was cut off, may have replaced it already.
    return status["state"] == "running" and _unix(status["started_at"]) > plan.began


def _unix(text: str) -> float:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def _remove(plan: Plan, name: str, actor: Any | None) -> None:
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
    if not wait_until(lambda: _find(plan, name) is None, _GONE_S):
        raise TimeoutError(f"still there {_GONE_S:.0f} s after it was ended")


def _await_running(plan: Plan, name: str, actor: Any, look_at: str) -> dict[str, Any]:
    last: dict[str, Any] = {}

    def running() -> bool:
        last.update(ray.get(actor.status.remote(), timeout=plan.ready_s))
        return bool(last["state"] == "running")

    try:
        came = wait_until(running, plan.ready_s)
    except ray.exceptions.GetTimeoutError:
        raise StepFailedError(name, f"not placed within {plan.ready_s:g} s: is there a CPU free?", look_at) from None
    if not came:
        problem = last.get("problem") or last.get("state")
        raise StepFailedError(name, f"not running within {plan.ready_s:g} s: {problem}", look_at)
    return last


def _prove(plan: Plan, role: str, names: list[str]) -> None:
    """Tasks until each dispatcher has completed one: health checks, or the graph's own for graph dispatchers.

    A round is as many as all of them can execute at a time, submitted at once: nobody can take it all. A dispatcher
    whose workers are all busy with tasks proves itself by these.
    """
    look_at = f"seedcore ray call {names[0]} status"
    kind = "graph tasks" if role == "graph" else "health checks"
    deadline = time.monotonic() + plan.ready_s
    unproven = set(names)
    failures: set[str] = set()
    rounds = 0
    with step("readiness", look_at):
        while unproven:
            actors = {name: _find(plan, name) for name in names}
            states = {name: _status(actor)["dispatcher"] for name, actor in actors.items() if actor is not None}
            left = deadline - time.monotonic()
            if left <= 0:
                why = "; ".join(sorted(failures)) or "others were faster each time"
                missing = ", ".join(sorted(unproven))
                reason = f"no {kind} executed within {plan.ready_s:g} s by {missing}: {why}"
                raise StepFailedError("readiness", reason, "seedcore serve status")
            count = min(_MOST_PROVEN, sum(state["capacity"] for state in states.values()))
            prover = actors[names[0]]
            assert prover is not None, f"{names[0]} has vanished"
            wait = min(left, _ROUND_S)
            proven = ray.get(prover.prove.remote(count, wait), timeout=wait + plan.ready_s)
            rounds += 1
            owners = {task["owner_id"] for task in proven if task["status"] == "completed"}
            failures = {task["error"] for task in proven if task["error"]}
            for name, state in states.items():
                busy = state["inflight"] >= state["capacity"] and state["completed"] > 0
                if state["owner_id"] in owners or busy:
                    unproven.discard(name)
    say("readiness", f"{len(names)} dispatchers have executed {kind} ({rounds} rounds)")
