"""A Ray head for one suite: ports, folder and processes of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

WORKER_PORTS = 40
START_SECONDS = 90.0
STOP_SECONDS = 15.0
MEMORY_LIMIT = 8_000_000_000
MEMORY_PERIOD_SECONDS = 2.0
MARK = "SEEDCORE_TEST_HEAD"
NODE_MARK = "SEEDCORE_TEST_NODE"


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago. All are held at once, so that none comes twice."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def proportional_memory(pid: int) -> int:
    """Bytes of a process, pages that it shares with others counted in part; 0 once it has ended."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


@dataclass(frozen=True)
class Ports:
    """Where the parts of the head listen."""

    gcs: int
    client: int
    dashboard: int
    serve: int


class RayHead:
    """`ray start --head` with 2 CPUs and a 100 MB object store, as a context manager.

    Every process of the head inherits a mark in its environment; those that are left at the end are killed one by one
    by that mark, and no other process is touched. A cluster that takes more than MEMORY_LIMIT bytes is ended, and `stop`
    says so.
    """

    def __init__(
        self, environment: Mapping[str, str] | None = None, options: Mapping[str, object] | None = None
    ) -> None:
        self._mark = uuid.uuid4().hex
        self._folder = Path(tempfile.mkdtemp(prefix="sc-ray-", dir="/tmp"))  # short: sockets live below it
        self._extra = dict(environment or {})
        self._options = dict(options or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._nodes: dict[int, tuple[subprocess.Popen[bytes], str]] = {}
        numbers = free_ports(10 + WORKER_PORTS)
        self.ports = Ports(gcs=numbers[0], client=numbers[1], dashboard=numbers[2], serve=numbers[3])
        self._agents = numbers[4:10]
        self._workers = numbers[10:]
        self.peak_memory = 0  # bytes of all processes together, as far as it was seen
        self._ended = threading.Event()
        self._watch: threading.Thread | None = None

    @property
    def dashboard_url(self) -> str:
        """URL of the dashboard."""
        return f"http://127.0.0.1:{self.ports.dashboard}"

    @property
    def folder(self) -> Path:
        """A folder that goes away with the head."""
        return self._folder

    def environment(self) -> dict[str, str]:
        """The environment of this process without anything that says where Ray is."""
        clean = {
            k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "SEEDCORE_", "SERVE_", "KUBE", "FQ_RAY"))
        }
        clean["HOME"] = str(self._folder)
        return clean

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _start(self) -> None:
        node, objects, agent_http, agent_grpc, metrics, runtime_env = self._agents
        options = {
            "port": self.ports.gcs,
            "ray-client-server-port": self.ports.client,
            "dashboard-host": "127.0.0.1",
            "dashboard-port": self.ports.dashboard,
            "node-manager-port": node,
            "object-manager-port": objects,
            "dashboard-agent-listen-port": agent_http,
            "dashboard-agent-grpc-port": agent_grpc,
            "metrics-export-port": metrics,
            "runtime-env-agent-port": runtime_env,
            "worker-port-list": ",".join(map(str, self._workers)),
            "num-cpus": 2,
            "object-store-memory": 100_000_000,
            "resources": '{"head_node": 1}',
            "temp-dir": self._folder / "t",
            **self._options,
        }
        command = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", "--disable-usage-stats"]
        command += [f"--{name}={value}" for name, value in options.items()]
        environment = self.environment() | {
            MARK: self._mark,
            "GRPC_ENABLE_FORK_SUPPORT": "0",
            "PYTHONPATH": str(Path(__file__).parent / "apps"),
            **self._extra,
        }
        with (self._folder / "head.log").open("wb") as log:
            self._process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        if self._watch is None:
            self._watch = threading.Thread(target=self._watch_memory, daemon=True)
            self._watch.start()
        self._wait_for_dashboard()

    def _watch_memory(self) -> None:
        while not self._ended.wait(MEMORY_PERIOD_SECONDS):
            used = sum(map(proportional_memory, self._left()))
            self.peak_memory = max(self.peak_memory, used)
            if used > MEMORY_LIMIT:
                self._kill_marked()
                return

    def kill(self) -> None:
        """Ends the head and everything on it, as a loss of power would. `start_again` brings back an empty one."""
        self._end_all()

    def start_again(self, environment: Mapping[str, str] | None = None) -> None:
        """A new cluster at the same ports: without storage for its GCS, Ray remembers nothing of the old one."""
        self._extra |= environment or {}
        self._start()

    def add_node(self, address: str, options: Mapping[str, object] | None = None) -> int:
        """A second raylet, with an address of its own and no CPUs. Returns its process id; `stop` ends it, too."""
        numbers = free_ports(15)
        options = {
            "address": f"127.0.0.1:{self.ports.gcs}",
            "num-cpus": 0,
            **(options or {}),
            "node-ip-address": address,
            "node-manager-port": numbers[0],
            "object-manager-port": numbers[1],
            "dashboard-agent-listen-port": numbers[2],
            "dashboard-agent-grpc-port": numbers[3],
            "metrics-export-port": numbers[4],
            "runtime-env-agent-port": numbers[5],
            "worker-port-list": ",".join(map(str, numbers[6:])),
            "object-store-memory": 100_000_000,
        }
        command = [str(Path(sys.executable).with_name("ray")), "start", "--block", "--disable-usage-stats"]
        command += [f"--{name}={value}" for name, value in options.items()]
        environment = self.environment() | {MARK: self._mark, "GRPC_ENABLE_FORK_SUPPORT": "0", **self._extra}
        environment[NODE_MARK] = address
        with (self._folder / "node.log").open("wb") as log:
            node = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._nodes[node.pid] = (node, address)
        return node.pid

    def end(self, node: int) -> None:
        """Ends a node that `add_node` started, as a loss of power would."""
        process, address = self._nodes.pop(node)
        for pid in self._marked(f"{NODE_MARK}={address}") & self._marked(f"{MARK}={self._mark}"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(STOP_SECONDS)

    def _wait_for_dashboard(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        url = f"{self.dashboard_url}/api/authentication_mode"  # open with and without a token
        while True:
            try:
                with urllib.request.urlopen(url, timeout=2):
                    return
            except OSError:
                pass
            ended = self._process is not None and self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                log = (self._folder / "head.log").read_text(errors="replace")
                raise RuntimeError(f"the head did not start:\n{log[-4000:]}")
            time.sleep(0.1)

    def _left(self) -> list[int]:
        return list(self._marked(f"{MARK}={self._mark}"))

    @staticmethod
    def _marked(mark: str) -> set[int]:
        """Processes that carry the mark."""
        found = set()
        needle = mark.encode()
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and needle in (entry / "environ").read_bytes().split(b"\0"):
                    found.add(int(entry.name))
            except OSError:
                continue  # it has ended, or is not ours
        return found

    def _kill_marked(self) -> bool:
        """Whether there was anything left to kill."""
        left = self._left()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(left)

    def stop(self) -> None:
        """Ends the head and everything it started, and removes its folder. RuntimeError when it took too much memory."""
        self._ended.set()
        if self._watch is not None:
            self._watch.join()
        self._end_all()
        shutil.rmtree(self._folder, ignore_errors=True)
        if self.peak_memory > MEMORY_LIMIT:
            raise RuntimeError(
                f"the cluster took {self.peak_memory >> 20} MiB of memory, {MEMORY_LIMIT >> 20} are allowed"
            )

    def _end_all(self) -> None:
        """Not by SIGTERM, which `ray start --block` answers by draining its node for half a minute."""
        deadline = time.monotonic() + STOP_SECONDS
        while self._kill_marked() and time.monotonic() < deadline:
            for process in [self._process, *(node for node, _ in self._nodes.values())]:
                if process is not None:
                    process.poll()
            time.sleep(0.05)
        if self._process is not None:
            self._process.wait(STOP_SECONDS)
            self._process = None
        self._nodes.clear()
