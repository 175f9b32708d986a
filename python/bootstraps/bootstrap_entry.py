"""`python -m bootstraps.bootstrap_entry`: starts what SeedCore needs on a Ray cluster besides its services."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bootstraps.bootstrap_dispatchers import Plan, bootstrap_dispatchers
from bootstraps.bootstrap_organism import OrganWatch, bootstrap_organism
from bootstraps.bootstrap_organs import OrganPlan
from bootstraps.cluster_lock import bootstrap_lock
from bootstraps.connection import connect
from bootstraps.steps import StepFailedError, complain, flag, say
from seedcore.utils.ray_utils import get_ray_namespace

MODES = ("all", "organism", "dispatchers")


def main() -> int:
    """Runs the steps of BOOTSTRAP_MODE. Each may be repeated; what is there already stays.

    Returns:
        0 when all is up, 1 when a step failed, 2 when a variable is wrong. With EXIT_AFTER_BOOTSTRAP=false it returns
        only once it is told to stop, and until then has an actor for each organ that evolution makes.
    """
    try:
        mode = _mode()
        leave = flag("EXIT_AFTER_BOOTSTRAP", True)
        plan = Plan()
        organs = OrganPlan()
    except StepFailedError as error:
        complain(error)
        return 2
    try:
        with _session(mode):
            ok = mode == "dispatchers" or bootstrap_organism(organs)
            ok = ok and (mode == "organism" or bootstrap_dispatchers(plan))
    except StepFailedError as error:
        complain(error)
        return 1
    if not ok:
        return 1
    say("done", f"mode {mode}, namespace {get_ray_namespace()}")
    if not leave:
        _stay(organs, mode != "dispatchers")
    return 0


def _mode() -> str:
    mode = os.getenv("BOOTSTRAP_MODE", "all").lower().strip() or "all"
    if mode not in MODES:
        expected = ", ".join(MODES)
        raise StepFailedError("settings", f"BOOTSTRAP_MODE={mode}: expected {expected}", "seedcore bootstrap --help")
    return mode


@contextmanager
def _session(mode: str) -> Iterator[None]:
    """Connected, with other bootstraps kept out. The organism alone can do without Ray: it is asked over HTTP then."""
    try:
        connect()
    except StepFailedError as error:
        if mode != "organism":
            raise
        say("ray", f"{error.reason}; going on over HTTP")
        yield
        return
    with bootstrap_lock(get_ray_namespace()):
        yield


def _stay(organs: OrganPlan, follow: bool) -> None:
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    watch = OrganWatch(organs)
    while not stopped.wait(organs.watch_s):
        if follow:
            watch.look()


if __name__ == "__main__":
    sys.exit(main())
