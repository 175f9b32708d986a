"""Runs the `seedcore` command."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SECONDS = 120.0


@dataclass(frozen=True)
class Outcome:
    """What a run of the command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


def seedcore(*arguments: str, environment: Mapping[str, str], stdin: str = "") -> Outcome:
    """Runs `seedcore ARGUMENTS` with exactly this environment."""
    done = subprocess.run(
        [os.environ["SEEDCORE"], *arguments],
        env=dict(environment),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)
