"""The connection to Ray as a step."""

import json
import logging
import sys

import ray

from bootstraps.steps import StepFailedError, say, step
from seedcore import _core
from seedcore.utils import ray_utils

LOOK_AT = "seedcore ray plan"


class _Reasons(logging.Handler):
    """Keeps the last error, so that it is part of the one line that says what failed."""

    last = "not connected"

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR:
            self.last = record.getMessage()
        else:
            print(f"bootstrap: ray: {record.getMessage()}", file=sys.stderr, flush=True)


def _refuse_local() -> None:
    with step("ray", LOOK_AT):
        plan = json.loads(_core.plan_ray_connection("", ""))
    if plan["mode"] == "local":
        source = plan["address"]["source"]
        raise StepFailedError("ray", f"nothing names a cluster ({source}): set RAY_ADDRESS", LOOK_AT)


def connect() -> None:
    """Connects this process to Ray, unless it is connected already.

    Raises:
        StepFailedError: With the reason. A cluster of this process's own does not count: it would end with it.
    """
    was_connected = ray.is_initialized()
    if not was_connected:
        _refuse_local()
    reasons = _Reasons()
    logger = logging.getLogger(ray_utils.__name__)
    logger.addHandler(reasons)
    try:
        with step("ray", LOOK_AT):
            if not ray_utils.ensure_ray_initialized():
                raise StepFailedError("ray", reasons.last, LOOK_AT)
    finally:
        logger.removeHandler(reasons)
    if not was_connected:
        say("ray", "connected")
