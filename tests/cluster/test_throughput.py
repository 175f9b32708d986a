"""Throughput mode with HAProxy in front of the replicas, started by seedcore-haproxy as the manifests have it."""

import socket
import subprocess
import sys
import tempfile
import urllib.error
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cluster import Head, request, wait_until
from ray_head import free_ports

from seedcore.haproxy import close_statistics

STATISTICS, METRICS = free_ports(2)
PROGRAM = Path(sys.executable).with_name("seedcore-haproxy")


def _configuration(head: Head, *names: str) -> dict[str, Any]:
    """The shipped one with these applications; the ML service narrow: it takes one request and lets two wait."""
    config = head.config()
    config["applications"] = [each for each in config["applications"] if each["name"] in names]
    for application in config["applications"]:
        (deployment,) = application["deployments"]
        if application["name"] == "ml_service":
            del deployment["autoscaling_config"]
            deployment.update(num_replicas=1, max_ongoing_requests=1, max_queued_requests=2)
    return config


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    if not PROGRAM.exists():
        pytest.skip(f"{PROGRAM} is not there: `make wheel` installs it")
    short = tempfile.TemporaryDirectory(prefix="sc-ha-", dir="/tmp")  # HAProxy's socket lives below it
    proxy = Path(short.name)
    more = {
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_HAPROXY_BINARY_PATH": str(PROGRAM),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(STATISTICS),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(METRICS),
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(proxy / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(proxy / "admin.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(proxy),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(proxy / "server-state"),
    }
    with short, Head(tmp_path_factory.mktemp("data"), more, num_cpus=2) as started:
        started.deploy(_configuration(started, "energy", "ml_service"))
        yield started


def _bound_to(port: int) -> set[str]:
    """Addresses on which a TCP port of this host is listened at."""
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        local, state = line.split()[1], line.split()[3]
        address, number = local.split(":")
        if state == "0A" and int(number, 16) == port:
            found.add(socket.inet_ntoa(int(address, 16).to_bytes(4, "little")))
    return found


def _status(head: Head, path: str, body: Any = None) -> int:
    try:
        return request(head.gateway_url + path, body).status
    except urllib.error.URLError as error:
        # A proxy may refuse before it has read the body, and close while it is still being sent.
        assert isinstance(error.reason, ConnectionError), error
        return 503


def _serves(head: Head, path: str) -> bool:
    """Whether the proxy knows the application; without the others it may say that they are missing."""
    try:
        return request(head.gateway_url + path).status in (200, 503)
    except OSError:
        return False


def test_statistics_are_on_loopback_alone_and_stay_there_when_the_proxy_is_reloaded(head: Head) -> None:
    wait_until(lambda: _serves(head, "/energy/health"), 60, "HAProxy serves the application")
    assert _bound_to(STATISTICS) == {"127.0.0.1"}
    assert b"Statistics Report" in request(f"http://127.0.0.1:{STATISTICS}/stats").body
    # Another backend: Ray writes a new configuration and starts a new HAProxy.
    head.deploy(_configuration(head, "energy", "ml_service", "state"))
    wait_until(lambda: _serves(head, "/state/health"), 60, "the second application is served")
    assert _bound_to(STATISTICS) == {"127.0.0.1"}
    assert _serves(head, "/energy/health")


def test_beyond_the_bounded_queue_requests_are_answered_with_503(head: Head) -> None:
    few = {"data": [1.0, 2.0, 3.0]}
    wait_until(lambda: _status(head, "/ml/detect/anomaly", few) == 200, 60, "HAProxy serves the ML service")
    body = {"data": [float(i % 50) for i in range(100_000)]}
    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(lambda _: _status(head, "/ml/detect/anomaly", body), range(12)))
    assert set(statuses) == {200, 503}, statuses
    assert _status(head, "/ml/detect/anomaly", few) == 200


def test_only_the_page_of_statistics_is_moved() -> None:
    written = "\n".join([
        "defaults", "    mode http", "frontend prometheus", "    bind :9101", "frontend http_frontend",
        "    bind 0.0.0.0:8000", "listen stats", "  bind *:8404", "  stats enable", "  stats uri /stats", "",
    ])  # fmt: skip
    assert close_statistics(written) == written.replace("*:8404", "127.0.0.1:8404")
    assert close_statistics(close_statistics(written)) == close_statistics(written)


def test_what_is_no_configuration_of_rays_is_left_to_haproxy_to_judge(tmp_path: Path) -> None:
    if not PROGRAM.exists():
        pytest.skip(f"{PROGRAM} is not there: `make wheel` installs it")
    broken = tmp_path / "haproxy.cfg"
    broken.write_text("nonsense\n")
    ended = subprocess.run([PROGRAM, "-c", "-f", broken], capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode != 0
    assert "nonsense" in ended.stderr
