"""Dispatchers and the reaper as detached actors, proven by tasks that each dispatcher has executed."""

import time
from typing import Any

import ray

from bootstraps.actors import LOOK_AT, ActorPlan, ensure, find, names_with, remove, status_of
from bootstraps.connection import connect
from bootstraps.steps import StepFailedError, complain, flag, number, say, step
from seedcore.dispatch_actor import DispatchActor

DISPATCHER = "seedcore_dispatcher_"
GRAPH_DISPATCHER = "seedcore_graph_dispatcher_"
REAPER = "seedcore_reaper"
_MOST_PROVEN = 256  # health checks per round
_ROUND_S = 15.0


class Plan(ActorPlan):
    """What there is to be, out of the environment."""

    def __init__(self) -> None:
        super().__init__("DISPATCHER", "FORCE_REPLACE_DISPATCHERS")
        self.dispatchers = int(number(("DISPATCHER_COUNT", "SEEDCORE_DISPATCHERS"), 2, 0, 1000))
        self.reaper = flag("ENABLE_REAPER", True)
        graph = int(number(("SEEDCORE_GRAPH_DISPATCHERS",), 0, 0, 1000))
        self.graph = graph if flag("ENABLE_GRAPH_DISPATCHERS", True) else 0


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
                remove(plan, name, find(plan, name))
            say(name, f"removed: there are to be {count}")
        if names:
            _prove(plan, role, names)


def _surplus(plan: Plan, prefix: str, count: int) -> list[str]:
    numbers = [name.removeprefix(prefix) for name in names_with(plan, prefix)]
    return [f"{prefix}{i}" for i in numbers if i.isdecimal() and int(i) >= count]


def _ensure(plan: Plan, name: str, role: str, cpus: float) -> None:
    def create(options: dict[str, Any]) -> Any:
        return DispatchActor.options(**options).remote(  # type: ignore[attr-defined]
            role, name, plan.settings, plan.pinned
        )

    ensure(plan, name, create, cpus)


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
            actors = {name: find(plan, name) for name in names}
            states = {name: status_of(actor)["dispatcher"] for name, actor in actors.items() if actor is not None}
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
