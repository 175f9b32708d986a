"""The head of tests/ray with what the six services need, and ways to deploy to it and to ask it."""

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from pathlib import Path
from typing import Any

import yaml

sys.path.append(str(Path(__file__).parents[1] / "ray"))
from ray_head import RayHead

CONFIG = Path(__file__).parents[2] / "deploy" / "serve" / "config.yaml"


class Head(RayHead):
    """A head on which the replicas keep their data in `data_dir` and find each other."""

    def __init__(
        self,
        data_dir: Path,
        more: dict[str, str] | None = None,
        num_cpus: int = 4,
        throughput_mode: bool = True,
    ) -> None:
        mode = {"RAY_SERVE_THROUGHPUT_OPTIMIZED": "1"} if throughput_mode else {}
        super().__init__(
            {
                **(more or {}),
                **mode,
                # Serve keeps a replica that it takes away for 30 s, so that load balancers outside of the cluster notice. Here
                # is none, and its own proxy is told at once.
                "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "5",
                "SEEDCORE_DATA_DIR": str(data_dir),
                # Coverage of replicas is not measured, and their paths come from the virtual environment alone.
                "PYTHONPATH": "",
            },
            options={"node-ip-address": "127.0.0.1", "num-cpus": num_cpus, "memory": 16_000_000_000},
        )
        self.data_dir = str(data_dir)
        self.gateway_url = f"http://127.0.0.1:{self.ports.serve}"
        self._extra["SERVE_GATEWAY"] = self.gateway_url

    def config(self) -> dict[str, Any]:
        """deploy/serve/config.yaml as it is shipped, on this head's port."""
        config: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
        config["http_options"]["port"] = self.ports.serve
        return config

    def submit(self, config: dict[str, Any]) -> None:
        """What `serve deploy` asks of the dashboard, without starting a Python for it."""
        asked = urllib.request.Request(
            self.dashboard_url + "/api/serve/applications/",
            json.dumps(config).encode(),
            {"content-type": "application/json"},
            method="PUT",
        )
        with urllib.request.urlopen(asked, timeout=180):
            pass

    def deploy(self, config: dict[str, Any]) -> None:
        """The same, and then until every application runs."""
        self.submit(config)
        self.wait_until_running(config)

    def wait_until_running(self, config: dict[str, Any]) -> None:
        """Until every application runs; an AssertionError when one fails to."""
        expected = {application["name"] for application in config["applications"]}

        def all_run() -> bool:
            applications = self.applications()
            for name, application in applications.items():
                assert application["status"] != "DEPLOY_FAILED", f"{name}: {application['message']}"
            running = {name for name, application in applications.items() if application["status"] == "RUNNING"}
            return expected <= running

        wait_until(all_run, 300, "all applications run")

    def serve_deploy(self, config: dict[str, Any]) -> None:
        """`serve deploy`, as a user gives it."""
        file = self.folder / "config.yaml"
        file.write_text(yaml.safe_dump(config))
        serve = str(Path(sys.executable).with_name("serve"))
        done = subprocess.run(
            [serve, "deploy", "-a", self.dashboard_url, str(file)],
            env=self.environment() | {"PATH": os.environ["PATH"]},
            capture_output=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()

    def serve_status(self) -> dict[str, Any]:
        """What the dashboard says about Serve."""
        status: dict[str, Any] = request(self.dashboard_url + "/api/serve/applications/").json()
        return status

    def applications(self) -> dict[str, Any]:
        """The same, application by application."""
        applications: dict[str, Any] = self.serve_status()["applications"]
        return applications

    def replicas(self, application: str) -> list[int]:
        """Process ids of the running replicas of an application's one deployment."""
        (deployment,) = self.applications()[application]["deployments"].values()
        return [replica["pid"] for replica in deployment["replicas"] if replica["state"] == "RUNNING"]

    def wait_until_replicas(self, application: str, count: int) -> None:
        """Until so many of an application's replicas run."""
        wait_until(lambda: len(self.replicas(application)) == count, 60, f"{count} replicas of {application}")


class Response:
    """Status, header fields (in lower case) and body of an answer, whatever its status."""

    def __init__(self, status: int, headers: Message, body: bytes) -> None:
        self.status = status
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def request(
    url: str,
    body: object = None,
    headers: dict[str, str] | None = None,
    timeout: float = 30,
    method: str | None = None,
) -> Response:
    """GET, or POST when there is a body, unless a method is named."""
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, data, {"content-type": "application/json", **(headers or {})}, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=timeout) as answer:
            return Response(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        return Response(error.code, error.headers, error.read())


def request_until_answered(
    url: str, body: object = None, headers: dict[str, str] | None = None, timeout: float = 10
) -> Response:
    """The first answer with status 200. What is lost or answered with 5xx is asked again, for a minute."""
    answers: list[Response] = []

    def answered() -> bool:
        with contextlib.suppress(OSError):
            answer = request(url, body, headers, timeout)
            assert answer.status == 200 or answer.status >= 500, answer.body
            answers.append(answer)
        return bool(answers) and answers[-1].status == 200

    wait_until(answered, 60, f"{url} answers with 200")
    return answers[-1]


def detect_at_once(gateway_url: str, count: int) -> list[int]:
    """Statuses of so many requests to ML at the same time, each with much to do."""
    body = {"data": [float(i % 50) for i in range(100_000)]}

    def detect(_: int) -> int:
        try:
            return request(gateway_url + "/ml/detect/anomaly", body).status
        except urllib.error.URLError as error:
            # The proxy refuses before it has read the body, and may close while it is still being sent.
            assert isinstance(error.reason, ConnectionError), error
            return 503

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(detect, range(count)))


def wait_until_healthy(url: str, seconds: float = 30) -> None:
    """Waits until the service below `url` says that it is healthy."""
    wait_until(lambda: request(url + "/health").status == 200, seconds, f"{url}/health is 200")


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Waits for `condition()`; an AssertionError says what did not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)
