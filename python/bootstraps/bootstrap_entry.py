"""`python -m bootstraps.bootstrap_entry`: starts what SeedCore needs on a Ray cluster besides its services."""

import logging
import os
import signal
import sys
import threading

from bootstraps.bootstrap_dispatchers import Plan, bootstrap_dispatchers
from bootstraps.bootstrap_organism import bootstrap_organism
from bootstraps.cluster_lock import bootstrap_lock
from bootstraps.steps import StepFailedError, flag, say, step
from seedcore.utils.ray_utils import ensure_ray_initialized, get_ray_namespace

MODES = ("all", "organism", "dispatchers")


def main() -> int:
    """Runs the steps of BOOTSTRAP_MODE. Each may be repeated; what is there already stays.

    Returns:
        0 when all is up, 1 when a step failed, 2 when a variable is wrong. With EXIT_AFTER_BOOTSTRAP=false it returns
        only once it is told to stop.
    """
    mode = os.getenv("BOOTSTRAP_MODE", "all").lower().strip() or "all"
    try:
        if mode not in MODES:
            raise StepFailedError(
                "settings", f"BOOTSTRAP_MODE={mode}: expected {', '.join(MODES)}", "seedcore bootstrap --help"
            )
        leave = flag("EXIT_AFTER_BOOTSTRAP", True)
        plan = Plan()
    except StepFailedError as error:
        print(f"bootstrap: failed: {error}", file=sys.stderr, flush=True)
        return 2
    try:
        _connect()
        with bootstrap_lock(get_ray_namespace()):
            if mode in ("all", "organism"):
                bootstrap_organism()
            if mode in ("all", "dispatchers"):
                bootstrap_dispatchers(plan)
    except StepFailedError as error:
        print(f"bootstrap: failed: {error}", file=sys.stderr, flush=True)
        return 1
    say("done", f"mode {mode}, namespace {get_ray_namespace()}")
    if not leave:
        _await_stop()
    return 0


class _Reasons(logging.Handler):
    """Keeps the last error, so that it is part of the one line that says what failed."""

    last = "not connected"

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR:
            self.last = record.getMessage()
        else:
            print(f"bootstrap: ray: {record.getMessage()}", file=sys.stderr, flush=True)


def _connect() -> None:
    reasons = _Reasons()
    logger = logging.getLogger("seedcore.utils.ray_utils")
    logger.addHandler(reasons)
    try:
        with step("ray", "seedcore ray plan"):
            if not ensure_ray_initialized():
                raise StepFailedError("ray", reasons.last, "seedcore ray plan")
    finally:
        logger.removeHandler(reasons)
    say("ray", "connected")


def _await_stop() -> None:
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    stopped.wait()


if __name__ == "__main__":
    sys.exit(main())
