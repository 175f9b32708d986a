"""Throughput mode with HAProxy in front of the replicas, started by seedcore-haproxy as the manifests have it."""

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import Head, request, wait_until
from ray_head import free_ports

from seedcore.haproxy import close_statistics

STATISTICS, METRICS = free_ports(2)
PROGRAM = Path(sys.executable).with_name("seedcore-haproxy")


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
        config = started.config()
        config["applications"] = [each for each in config["applications"] if each["name"] == "energy"]
        started.deploy(config)
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


def _healthy(head: Head) -> bool:
    try:
        return request(head.gateway_url + "/energy/health").status in (200, 503)
    except OSError:
        return False


def test_statistics_are_on_loopback_alone_and_stay_there_when_the_proxy_is_reloaded(head: Head) -> None:
    wait_until(lambda: _healthy(head), 60, "HAProxy serves the application")
    assert _bound_to(STATISTICS) == {"127.0.0.1"}
    assert b"Statistics Report" in request(f"http://127.0.0.1:{STATISTICS}/stats").body
    config = head.config()
    config["applications"] = [each for each in config["applications"] if each["name"] in ("energy", "state")]
    head.deploy(config)  # another backend: Ray writes a new configuration and starts a new HAProxy

    def reloaded() -> bool:
        try:
            return request(head.gateway_url + "/state/health").status in (200, 503)
        except OSError:
            return False

    wait_until(reloaded, 60, "the second application is served")
    assert _bound_to(STATISTICS) == {"127.0.0.1"}
    assert _healthy(head)


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
