"""The task API beside the cluster: `seedcore up` on the same store, executing nothing itself."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from cluster import Head, request, wait_until

SEEDCORE = os.environ.get("SEEDCORE") or str(Path(__file__).parents[2] / "build/release/bin/seedcore")


class TaskApi:
    """As a context manager."""

    def __init__(self, head: Head, more: dict[str, str] | None = None) -> None:
        command = [SEEDCORE, "up", "--json", "--dispatch-elsewhere", "--store-shared"]
        command += ["--listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0"]
        environment = head.environment() | {"SEEDCORE_DATA_DIR": head.data_dir} | (more or {})
        self._log = (head.folder / "up.log").open("wb")
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=self._log)
        assert self._process.stdout is not None
        self.url = json.loads(self._process.stdout.readline())["api_url"] + "/api/v1"

    def __enter__(self) -> "TaskApi":
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._log.close()

    def submit(self, task: dict[str, Any]) -> str:
        """The id of the stored task."""
        answer = request(self.url + "/tasks", task)
        assert answer.status < 300, answer.body
        return str(answer.json()["id"])

    def task(self, task_id: str) -> dict[str, Any]:
        task: dict[str, Any] = request(f"{self.url}/tasks/{task_id}").json()
        return task

    def events(self, task_id: str) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = request(f"{self.url}/tasks/{task_id}/events").json()["events"]
        return events

    def await_end(self, task_id: str, seconds: float) -> dict[str, Any]:
        """The task once it is completed, failed or cancelled."""
        wait_until(lambda: self.task(task_id)["status"] in ("completed", "failed", "cancelled"), seconds, task_id)
        return self.task(task_id)
