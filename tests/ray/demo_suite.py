"""scripts/ray-demo, as a new user runs it, and what its report makes of answers."""

from __future__ import annotations

import contextlib
import importlib.machinery
import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest
import urllib.request
from pathlib import Path
from typing import Any

from connecting import HAS_PACKAGE

SCRIPT = Path(__file__).parents[2] / "scripts" / "ray-demo"
SECONDS = 280


def load() -> Any:
    """The script as a module."""
    loader = importlib.machinery.SourceFileLoader("ray_demo", str(SCRIPT))
    spec = importlib.util.spec_from_loader("ray_demo", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["ray_demo"] = module
    loader.exec_module(module)
    return module


def marked(mark: str) -> list[int]:
    """Processes with this in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and mark.encode() in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


class Report(unittest.TestCase):
    """Without a cluster."""

    EVENT: dict[str, str] = {"name": "Marathon", "start": "2014-10-30T00:00:00Z", "end": "2014-11-03T00:00:00Z"}  # noqa: RUF012

    def setUp(self) -> None:
        self.demo = load()

    def answer(self, day: str, anomalous: bool = True, success: bool = True) -> Any:
        point = {
            "timestamp": self.demo.unix(day + "T01:00:00Z"),
            "score": 0.8,
            "severity": "high",
            "reason": "too many",
        }
        triage = {"anomalies": [point] if anomalous else [], "decision": {"action": "hold"}}
        return self.demo.Answer(f"taxi-{day}", {"success": success, "path": "fast", "result": {"output": triage}}, 0.1)

    def test_a_known_event_that_was_found_is_good(self) -> None:
        text, good = self.demo.report([self.EVENT], [self.answer("2014-11-01"), self.answer("2014-12-01")])
        self.assertTrue(good, text)
        self.assertIn("yes, 2014-11-01T01:00, high (score 0.80)", text)
        self.assertIn("1 of 1 events found; also flagged: 2014-12-01", text)

    def test_no_known_event_is_a_failure(self) -> None:
        answers = [self.answer("2014-11-01", anomalous=False), self.answer("2014-12-01")]
        text, good = self.demo.report([self.EVENT], answers)
        self.assertFalse(good)
        self.assertIn("0 of 1 events found", text)

    def test_a_task_that_failed_or_was_not_answered_is_one_too(self) -> None:
        good, failed = self.answer("2014-11-01"), self.answer("2014-11-02", success=False)
        self.assertFalse(self.demo.report([self.EVENT], [good, failed])[1])
        self.assertFalse(self.demo.report([self.EVENT], [good, self.demo.Answer("taxi-1", None, 60.0)])[1])


@unittest.skipUnless(HAS_PACKAGE, "the wheel is not installed")
class Demo(unittest.TestCase):
    """A head of its own."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="sc-d-", dir="/tmp"))  # short: sockets live below it
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.mark = f"SEEDCORE_RAY_DEMO={self.folder}"

    def run_demo(self, command: str, *options: str) -> subprocess.CompletedProcess[str]:
        outside = ("RAY_", "SEEDCORE_", "SERVE_")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(outside)}
        return subprocess.run(
            [sys.executable, str(SCRIPT), command, "--folder", str(self.folder), *options],
            env=clean | {"HOME": str(self.folder), "TMPDIR": str(self.folder), "SEEDCORE": os.environ["SEEDCORE"]},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def test_it_finds_the_known_events_stays_to_be_looked_at_and_leaves_nothing_when_it_is_stopped(self) -> None:
        self.addCleanup(self.run_demo, "stop")
        ports = [f"--{use}-port=0" for use in ("serve", "dashboard", "gcs", "client")]
        done = self.run_demo("start", *ports)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"[1-5] of 5 events found")
        self.assertRegex(done.stdout, r"201 tasks of nyc_taxi in .*, 0 failed")
        for name in ("dashboard", "services are"):
            (url,) = re.findall(rf"{name} at (http://\S+?)[;\s]", done.stdout)
            with urllib.request.urlopen(url + ("/pipeline/health" if "services" in name else ""), timeout=20) as answer:
                self.assertEqual(answer.status, 200)
        again = self.run_demo("start", *ports)
        self.assertEqual(again.returncode, 1)
        self.assertIn("runs already", again.stderr)
        stopped = self.run_demo("stop")
        self.assertEqual(stopped.returncode, 0, stopped.stderr)
        self.assertEqual(marked(self.mark), [])

    def test_a_port_that_is_taken_is_named(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            refused = self.run_demo(
                "start", f"--serve-port={port}", "--dashboard-port=0", "--gcs-port=0", "--client-port=0"
            )
        self.assertEqual(refused.returncode, 1)
        self.assertIn(f"port {port} (Ray Serve) is taken", refused.stderr)


if __name__ == "__main__":
    unittest.main()
