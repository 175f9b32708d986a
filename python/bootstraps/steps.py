"""Steps of a bootstrap: each says what it did, and a failed one what to look at."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off"})


class StepFailedError(Exception):
    """A step that did not come to its end: which, why, and a command that shows more."""

    def __init__(self, step: str, reason: str, look_at: str) -> None:
        super().__init__(f"{step}: {reason}; look at: {look_at}")
        self.reason = reason


def say(step: str, text: str) -> None:
    """One line of progress."""
    print(f"bootstrap: {step}: {text}", flush=True)


def complain(error: StepFailedError) -> None:
    """The one line about a failure."""
    print(f"bootstrap: failed: {error}", file=sys.stderr, flush=True)


@contextmanager
def step(name: str, look_at: str) -> Iterator[None]:
    """Turns whatever goes wrong inside into the failure of the step `name`."""
    try:
        yield
    except StepFailedError:
        raise
    except Exception as error:
        lines = str(error).strip().splitlines()
        raise StepFailedError(name, lines[-1] if lines else repr(error), look_at) from error


def wait_until(condition: Callable[[], bool], seconds: float, interval_s: float = 0.3) -> bool:
    """Whether `condition()` came true within `seconds`. It is asked at least once."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() + interval_s > deadline:
            return False
        time.sleep(interval_s)
    return True


def _refuse(name: str, value: str, expected: str) -> NoReturn:
    raise StepFailedError("settings", f"{name}={value}: expected {expected}", f"echo ${name}")


def flag(name: str, default: bool) -> bool:
    """The variable as a yes or no."""
    value = os.getenv(name, "").strip().lower()
    if not value:
        return default
    if value in TRUE | FALSE:
        return value in TRUE
    _refuse(name, value, "true or false")


def number(names: tuple[str, ...], default: float, low: float, high: float) -> float:
    """The first of the variables that is set, as a number in [low, high]."""
    for name in names:
        value = os.getenv(name, "").strip()
        if not value:
            continue
        try:
            parsed = float(value)
        except ValueError:
            parsed = float("nan")
        if low <= parsed <= high:
            return parsed
        _refuse(name, value, f"a number from {low:g} to {high:g}")
    return default
