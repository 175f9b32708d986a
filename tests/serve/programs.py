"""Programs that the tests start: commands of SeedCore, and Python programs that users would write."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cluster import Head, request
from task_api import SEEDCORE

NAMESPACE = "seedcore-dev"


class Ended:
    """How a program ended."""

    def __init__(self, done: "subprocess.CompletedProcess[str]") -> None:
        self.code = done.returncode
        self.out = done.stdout
        self.err = done.stderr

    def json(self) -> Any:
        """The last line of standard output."""
        assert self.code == 0, self.err
        return json.loads(self.out.strip().splitlines()[-1])

    def actors(self) -> dict[str, tuple[str, int]]:
        """Of a bootstrap, by name: whether an actor was started or is there, and its process id."""
        found = re.findall(r"bootstrap: (\w+): (started|is there) \(pid (\d+)", self.out)
        return {name: (how, int(pid)) for name, how, pid in found}


def run(head: Head, command: list[str], /, **variables: str) -> Ended:
    environment = head.environment() | {"PATH": os.environ["PATH"]} | variables
    return Ended(subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False))


def seedcore(head: Head, *arguments: str, **variables: str) -> Ended:
    return run(head, [SEEDCORE, *arguments], **{"LOG_LEVEL": "error", **variables})


def bootstrap(head: Head, **variables: str) -> Ended:
    variables = {"RAY_ADDRESS": f"127.0.0.1:{head.ports.gcs}", "SEEDCORE_RAY_CONNECT_TIMEOUT_S": "30", **variables}
    return run(head, [sys.executable, "-m", "bootstraps.bootstrap_entry"], **variables)


def living(head: Head, namespace: str = NAMESPACE) -> dict[str, dict[str, Any]]:
    """Named actors of the namespace that are alive."""
    answer = request(head.dashboard_url + "/api/v0/actors?detail=1&limit=1000").json()["data"]["result"]["result"]
    return {a["name"]: a for a in answer if a["ray_namespace"] == namespace and a["state"] == "ALIVE" and a["name"]}


def is_dispatcher(name: str) -> bool:
    return re.fullmatch(r"seedcore_dispatcher_\d+", name) is not None


def dispatchers(head: Head) -> list[str]:
    """Names of the living dispatchers."""
    return sorted(name for name in living(head) if is_dispatcher(name))


def living_nodes(head: Head) -> list[dict[str, Any]]:
    nodes = request(head.dashboard_url + "/api/v0/nodes").json()["data"]["result"]["result"]
    return [node for node in nodes if node["state"] == "ALIVE"]


@contextmanager
def started(head: Head, *arguments: str, **variables: str) -> Iterator[dict[str, Any]]:
    """`seedcore ARGUMENTS --json` while the block runs; its ready line."""
    environment = head.environment() | {"LOG_LEVEL": "error"} | variables
    with subprocess.Popen([SEEDCORE, *arguments, "--json"], env=environment, stdout=subprocess.PIPE, text=True) as one:
        try:
            assert one.stdout is not None
            yield json.loads(one.stdout.readline())
        finally:
            one.terminate()


class Gateway:
    """`seedcore gateway` on the store of the cluster, as a context manager."""

    def __init__(self, head: Head, **variables: str) -> None:
        command = [SEEDCORE, "gateway", "--gateway-listen", "127.0.0.1:0", "--gateway-refresh", "300ms", "--json"]
        environment = head.environment() | {"SEEDCORE_DATA_DIR": head.data_dir, "LOG_LEVEL": "error"} | variables
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = str(json.loads(self._process.stdout.readline())["gateway_url"])

    def __enter__(self) -> "Gateway":
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.terminate()
        self._process.wait(30)

    def routes(self) -> dict[str, Any]:
        found: dict[str, Any] = request(self.url + "/-/routes").json()
        return found

    def replicas(self, service: str) -> list[dict[str, Any]]:
        (replicas,) = [entry["replicas"] for entry in self.routes()["services"] if entry["service"] == service]
        return list(replicas)
