"""The organs of the organism as detached actors, each proven by a health task that it has executed."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from bootstraps.actors import LOOK_AT, ActorPlan, ensure, find, names_with, remove
from bootstraps.steps import StepFailedError, flag, number, say, step, wait_until
from seedcore.organ_actor import OrganActor

ORGAN = "seedcore_organ_"
STEP = "organs"
_LOOK_AT = "seedcore health"
_CALL_S = 15.0
_CPUS = 0.1

Ask = Callable[[str, str, float, dict[str, Any] | None], tuple[int, Any]]


class OrganPlan(ActorPlan):
    """Whether there are to be actors of organs, and how, out of the environment."""

    def __init__(self) -> None:
        super().__init__("ORGAN", "FORCE_REPLACE_ORGANS")
        self.enabled = flag("ENABLE_ORGAN_ACTORS", True)
        self.watch_s = number(("ORGAN_WATCH_S",), 10.0, 0.1, 3600)


def bootstrap_organs(plan: OrganPlan, ask: Ask) -> None:
    """An actor for every organ that the organism has, and none for others.

    Args:
        plan: How.
        ask: Asks the organism: method, path, seconds, body.

    Raises:
        StepFailedError: With the actor that is in the way.
    """
    organs = organs_of(ask) if plan.enabled else []
    if plan.enabled and not organs:
        say(STEP, "stay with the organism: it asks no actors")
    names = {ORGAN + organ: organ for organ in organs}
    for name, organ in names.items():  # one after the other: meanwhile the organism does the work itself
        status = _ensure(plan, name, organ)
        if status["state"] == "in_place":
            say(STEP, f"stay with the organism: {status['problem']}")
            names = {}
            break
    with step(STEP, f"seedcore ray actors --namespace {plan.namespace}"):
        surplus = [name for name in names_with(plan, ORGAN) if name not in names]
    for name in surplus:
        _remove(plan, name, "there is to be none")
    gone = [name for name, organ in names.items() if not _prove(plan, name, organ, ask)]
    for name in gone:
        _remove(plan, name, "its organ has ended meanwhile")
    if len(names) > len(gone):
        say(STEP, f"{len(names) - len(gone)} actors have executed a health task")


def organs_of(ask: Ask) -> list[str]:
    """Those whose work actors are asked for.

    None when the organism would not ask an actor: one outside of the cluster, or without direct lanes.
    """
    with step(STEP, _LOOK_AT):
        status, answer = ask("GET", "/organism-status", _CALL_S, None)
        if status != HTTPStatus.OK:
            raise StepFailedError(STEP, f"the organism does not say which there are: status {status}", _LOOK_AT)
        return [str(organ["organ_id"]) for organ in answer["status"] if answer["asks_hosts"]]


def _ensure(plan: OrganPlan, name: str, organ: str) -> dict[str, Any]:
    def create(options: dict[str, Any]) -> Any:
        return OrganActor.options(**options).remote(  # type: ignore[attr-defined]
            organ, name, plan.settings, plan.pinned
        )

    return ensure(plan, name, create, _CPUS, settled=("running", "in_place"))


def _remove(plan: OrganPlan, name: str, why: str) -> None:
    with step(name, LOOK_AT.format(plan.namespace, name)):
        remove(plan, name, find(plan, name))
    say(name, f"removed: {why}")


def _is_of_no_organ(status: int, reply: Any) -> bool:
    """Whether the organism says that it has no such organ. A 404 of others, a proxy or a wrong prefix, is none of it."""
    error = reply.get("error") if isinstance(reply, dict) else None
    said = (error.get("code"), error.get("path")) if isinstance(error, dict) else None
    return status == HTTPStatus.NOT_FOUND and said == ("not_found", "organ_id")


def _prove(plan: OrganPlan, name: str, organ: str, ask: Ask) -> bool:
    """A health task on the organ, until the actor is the one that has executed it.

    Returns:
        False when there is no such organ any more: evolution has retired or merged it since it was listed.
    """
    body = {"organ_id": organ, "task": {"type": "health_check", "description": "Proof that work is done"}}
    last = "no answer"
    gone = False

    def decided() -> bool:
        nonlocal last, gone
        try:
            status, reply = ask("POST", "/execute-on-organ", _CALL_S, body)
        except (OSError, ValueError) as error:
            last = str(error)
            return False
        gone = _is_of_no_organ(status, reply)
        if gone:
            return True
        if status != HTTPStatus.OK or not reply.get("success"):
            last = f"status {status}: {str(reply.get('error') if isinstance(reply, dict) else reply)[:300]}"
            return False
        host = reply["result"].get("host")
        last = f"it was executed by {host or 'the organism itself'}"
        return bool(host == name)

    look_at = LOOK_AT.format(plan.namespace, name)
    with step(name, look_at):
        if not wait_until(decided, plan.ready_s):
            raise StepFailedError(name, f"no health task executed within {plan.ready_s:g} s: {last}", look_at)
    return not gone
