"""A Ray head with SeedCore's energy service and the reference on Serve, for the rows of bench/ray."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import yaml

from suite.process import CLOCK_TICKS, BenchError, Process, run_bounded
from suite.servers import HERE, answers, call

ROOT = HERE.parent
sys.path.insert(0, str(ROOT / "tests" / "ray"))
from ray_head import MARK, RayHead, free_ports  # noqa: E402

CLUSTER_TOKEN = "bench"
READY_LIMIT_S = 120.0
PATH = "/energy/compute-energy"


class Cluster(RayHead):
    """Both applications, one replica each, behind Serve's default proxy or, in throughput mode, behind HAProxy."""

    def __init__(self, throughput: bool) -> None:
        variables = {
            "PYTHONPATH": str(HERE / "reference"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "RAY_AUTH_MODE": "disabled",
            "SEEDCORE_CLUSTER_TOKEN": CLUSTER_TOKEN,
            "LOG_LEVEL": "warning",
        }
        if throughput:
            stats, metrics = free_ports(2)
            variables |= {
                "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
                "RAY_SERVE_ENABLE_HA_PROXY": "1",
                "RAY_SERVE_HAPROXY_STATS_PORT": str(stats),
                "RAY_SERVE_HAPROXY_METRICS_PORT": str(metrics),
            }
        super().__init__(variables, options={"num-cpus": 4, "memory": 16_000_000_000})
        if throughput:
            proxy = self.folder / "haproxy"
            self._extra |= {
                "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(proxy / "haproxy.cfg"),
                "RAY_SERVE_HAPROXY_SOCKET_PATH": str(proxy / "admin.sock"),
                "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(proxy),
                "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(proxy / "server-state"),
            }
        self._throughput = throughput
        self.data_dir = self.folder / "data"
        self.serve_url = f"http://127.0.0.1:{self.ports.serve}"
        self._extra |= {"SEEDCORE_DATA_DIR": str(self.data_dir), "SERVE_GATEWAY": self.serve_url}
        self.gcs_address = f"127.0.0.1:{self.ports.gcs}"

    def deploy(self, seedcore: Path) -> None:
        """Both applications; returns when they answer."""
        shipped: dict[str, Any] = yaml.safe_load((ROOT / "deploy/serve/config.yaml").read_text())
        (energy,) = [each for each in shipped["applications"] if each["name"] == "energy"]
        (deployment,) = energy["deployments"]
        # The same limits and the same share of the machine for both.
        limits = {key: deployment[key] for key in ("num_replicas", "max_ongoing_requests", "max_queued_requests")}
        reference = {
            "name": "reference",
            "import_path": "serve_app:build",
            "route_prefix": "/reference",
            "args": {},
            "deployments": [
                {"name": "Reference", **limits, "ray_actor_options": deployment["ray_actor_options"]},
            ],
        }
        config = shipped | {"applications": [energy, reference]}
        config["http_options"]["port"] = self.ports.serve
        # Neither writes a line per request.
        config["logging_config"] = {"enable_access_log": False}
        file = self.folder / "config.yaml"
        file.write_text(yaml.safe_dump(config))
        run_bounded([str(seedcore), "serve", "deploy", str(file), "--dashboard-url", self.dashboard_url], READY_LIMIT_S)
        if self._throughput != self._runs("haproxy"):
            raise BenchError(f"HAProxy {'does not run' if self._throughput else 'runs in default mode'}")

    def _runs(self, program: str) -> bool:
        for pid in self._marked(f"{MARK}={self._mark}"):
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text().strip() == program:
                    return True
        return False

    def cpu_seconds(self) -> float:
        """Of all processes of the head: Ray's own and what it runs."""
        ticks = 0
        for pid in self._marked(f"{MARK}={self._mark}"):
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / CLOCK_TICKS


class NativeGateway:
    """`seedcore gateway` in front of the replicas of a cluster; its CPU time counts with the cluster's."""

    def __init__(self, seedcore: Path, cluster: Cluster, log: Path) -> None:
        self._cluster = cluster
        environment = {"SEEDCORE_DATA_DIR": str(cluster.data_dir), "SEEDCORE_CLUSTER_TOKEN": CLUSTER_TOKEN}
        self._process = Process(
            [str(seedcore), "gateway", "--gateway-listen", "127.0.0.1:0", "--json"],
            log,
            environment | {"LOG_LEVEL": "error"},
        )
        self.url = ""

    def __enter__(self) -> NativeGateway:
        def is_ready() -> bool:
            for line in self._process.log.read_text(errors="replace").splitlines():
                if line.startswith('{"ready":'):
                    self.url = str(json.loads(line)["gateway_url"])
            return bool(self.url) and answers(self.url + "/energy/health")

        self._process.wait_for(is_ready, READY_LIMIT_S, "seedcore gateway")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()

    def replica_url(self) -> str:
        """Where the replica of the energy service listens itself."""
        services = json.loads(call(self.url + "/-/routes"))["services"]
        (replicas,) = [each["replicas"] for each in services if each["service"] == "energy"]
        if len(replicas) != 1:
            raise BenchError(f"one replica was deployed, {len(replicas)} are registered")
        url = "http://" + str(replicas[0]["address"])
        if b'"services"' not in call(url + "/-/routes", token=CLUSTER_TOKEN):
            raise BenchError("the replica's own listener is no gateway: direct.gateway is off")
        return url

    def cpu_seconds(self) -> float:
        return self._cluster.cpu_seconds() + self._process.cpu_seconds()
