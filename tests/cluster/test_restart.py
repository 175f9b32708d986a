"""One cluster from before its start until after its restart, and the programs that use it from outside."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster import Head, request, wait_until
from programs import Gateway, bootstrap, dispatchers, living, run, seedcore, started
from task_api import TaskApi
from tls_certificate import certificate
from webhook import Webhook

MIGRATION = Path(__file__).parents[2] / "examples" / "ray_migration"
LEASE_S = 3
TOKEN = "the-cluster-token-of-this-suite-0123456789"

# Connects when it is told a line, and says how it went.
DRIVER = """
import json, logging, sys
logging.basicConfig(level=logging.WARNING)
import ray
from seedcore.utils.ray_utils import ensure_ray_initialized
for _ in sys.stdin:
    connected = ensure_ray_initialized()
    alive = sum(node["Alive"] for node in ray.nodes()) if connected else 0
    print(json.dumps({"connected": connected, "nodes": alive}), flush=True)
"""


class Driver:
    """A program with a connection to Ray, as a context manager."""

    def __init__(self, head: Head, address: str, wait_s: float, **more: str) -> None:
        variables = {"RAY_ADDRESS": address, "SEEDCORE_RAY_CONNECT_TIMEOUT_S": str(wait_s)} | more
        self._log = (head.folder / f"driver-{address.partition(':')[0]}.log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRIVER],
            env=head.environment() | variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def __enter__(self) -> "Driver":
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.kill()
        self.process.wait(10)
        self._log.close()

    def ask(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("connect\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        """None when the program has ended instead. Ray prints what its workers say between the answers."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        return None

    def log(self) -> str:
        self._log.flush()
        return Path(self._log.name).read_text()


@pytest.fixture(scope="module")
def cold(tmp_path_factory: pytest.TempPathFactory, webhook: Webhook) -> Iterator[Head]:
    """A head that does not run yet; its ports are known."""
    more = {
        "TASK_LEASE_S": str(LEASE_S),
        "SEEDCORE_WEBHOOK_ALLOW": webhook.url,
        "SEEDCORE_ORGANISM_WEBHOOK_TIMEOUT": "60",
        "SEEDCORE_CLUSTER_TOKEN": TOKEN,
    }
    head = Head(tmp_path_factory.mktemp("data"), more)
    try:
        yield head
    finally:
        head.stop()


def in_cluster(head: Head) -> str:
    return f"127.0.0.1:{head.ports.gcs}"


def behind_client(head: Head) -> str:
    return f"ray://127.0.0.1:{head.ports.client}"


@pytest.fixture(scope="module")
def early(cold: Head) -> Iterator[dict[str, Driver]]:
    """Drivers that began to connect before there was anything to connect to."""
    # Where Ray leaves the address of this host's cluster is below RAY_TMPDIR/ray.
    (cold.folder / "ray").symlink_to("t")
    with (
        Driver(cold, behind_client(cold), 90) as client,
        Driver(cold, in_cluster(cold), 90) as member,
        Driver(cold, "auto", 90, RAY_TMPDIR=str(cold.folder)) as local,
    ):
        drivers = {"client": client, "member": member, "auto": local}
        for driver in drivers.values():
            driver.ask()
        yield drivers


@pytest.fixture(scope="module")
def head(cold: Head, early: dict[str, Driver]) -> Head:
    """The head, once the early ones have tried for a while."""
    for driver in early.values():
        assert driver.process.poll() is None
    ended = bootstrap(cold, SEEDCORE_RAY_CONNECT_TIMEOUT_S="1")
    assert ended.code == 1
    assert f"nothing answers at {in_cluster(cold)}" in ended.err
    cold.start_again()
    return cold


@pytest.fixture(scope="module")
def services(head: Head) -> None:
    head.deploy(head.config())


@pytest.fixture(scope="module")
def outside() -> dict[str, str]:
    return {"SEEDCORE_CLUSTER_TOKEN": TOKEN, "TASK_LEASE_S": str(LEASE_S)}


@pytest.fixture(scope="module")
def task_api(cold: Head, outside: dict[str, str]) -> Iterator[TaskApi]:
    with TaskApi(cold, outside) as started:
        yield started


@pytest.fixture(scope="module")
def own_certificate(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return certificate(tmp_path_factory.mktemp("tls"), "own")


def test_programs_that_start_before_the_cluster_wait_for_it_and_connect(head: Head, early: dict[str, Driver]) -> None:
    for name, driver in early.items():
        assert driver.answer() == {"connected": True, "nodes": 1}, (name, driver.log())


def test_a_program_with_scattered_inits_runs_on_the_one_connection(head: Head) -> None:
    def counted(version: str, address: str, *words: str) -> Any:
        command = [sys.executable, str(MIGRATION / version / "main.py"), *words]
        ended = run(head, command, RAY_ADDRESS=address, SEEDCORE_RAY_CONNECT_TIMEOUT_S="20")
        return ended.json()

    expected = {"the": 2, "cat": 1, "dog": 1}
    words = ["the", "cat", "the", "dog"]
    assert counted("before", in_cluster(head), *words) == expected
    for address in (in_cluster(head), behind_client(head)):
        assert counted("after", address, *words) == expected
    sources = [file.read_text() for file in (MIGRATION / "after").glob("*.py")]
    assert not [text for text in sources if "ray.init(" in text]


@pytest.mark.parametrize(
    ("address", "variables", "expected"),
    [
        (
            lambda head: f"127.0.0.1:{head.ports.client}",
            {},
            "{where}: that is no head of a cluster (its port is 6379)",
        ),
        (
            lambda head: f"ray://127.0.0.1:{head.ports.gcs}",
            {},
            "{where}: that is no Ray Client server (its port is 10001)",
        ),
        (lambda head: f"ray://127.0.0.1:{head.ports.dashboard}", {}, "nothing answers at {where}: "),
        (behind_client, {"RAY_USE_TLS": "1"}, "{where}: the server does not speak TLS, and this program was told to"),
        (in_cluster, {"RAY_USE_TLS": "1"}, "{where}: the server does not speak TLS, and this program was told to"),
    ],
    ids=["client port as a head", "head as a client server", "dashboard as a client server", "TLS", "TLS to the head"],
)
def test_what_cannot_be_connected_is_one_line_in_bounded_time(
    head: Head,
    own_certificate: dict[str, str],
    *,
    address: Callable[[Head], str],
    variables: dict[str, str],
    expected: str,
) -> None:
    program = """
import json, logging
logging.basicConfig(level=logging.WARNING)
from seedcore.utils.ray_utils import ensure_ray_initialized
print(json.dumps(ensure_ray_initialized()))
"""
    where = address(head)
    ended = run(
        head,
        [sys.executable, "-c", program],
        RAY_ADDRESS=where,
        SEEDCORE_RAY_CONNECT_TIMEOUT_S="5",
        **variables,
        **own_certificate,
    )
    assert ended.json() is False
    lines = [line for line in ended.err.splitlines() if "not connected to Ray" in line]
    assert len(lines) == 1, ended.err
    assert "not connected to Ray: " + expected.format(where=where) in lines[0]


def test_an_actor_in_another_namespace_is_not_found_and_the_line_says_where_it_looked(head: Head) -> None:
    command = ["ray", "call", "word_counter", "add", "[[]]", "--namespace", "other"]
    ended = seedcore(head, *command, RAY_ADDRESS=behind_client(head))
    assert ended.code == 3, ended.err
    assert ended.err == "seedcore: no actor 'word_counter' in namespace 'other'\n"


def test_an_organism_without_a_serve_handle_is_asked_over_http_and_the_reason_is_told(
    head: Head, tmp_path_factory: pytest.TempPathFactory
) -> None:
    command = ["up", "--listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0"]
    with started(head, *command, "--data-dir", str(tmp_path_factory.mktemp("embedded"))) as embedded:
        url = embedded["services_url"] + "/organism"
        for address in (in_cluster(head), behind_client(head)):
            ended = bootstrap(head, RAY_ADDRESS=address, BOOTSTRAP_MODE="organism", ORGANISM_URL=url)
            assert ended.code == 0, ended.out + ended.err
            said = [line for line in ended.out.splitlines() if line.startswith("bootstrap: organism: ")]
            assert said[-1] == "bootstrap: organism: healthy"
            assert "bootstrap: organs: stay with the organism: it asks no actors" in ended.out
            assert said[0].startswith("bootstrap: organism: not through its Serve handle ("), said
            assert "organism" in said[0]
            assert said[0].endswith(f"; over HTTP at {url}")


def test_a_head_that_restarts_loses_no_task_and_everybody_connects_again(
    head: Head,
    *,
    early: dict[str, Driver],
    services: None,
    task_api: TaskApi,
    webhook: Webhook,
    outside: dict[str, str],
) -> None:
    ended = bootstrap(head)
    assert ended.code == 0, ended.out + ended.err
    store = {**outside, "SEEDCORE_DATA_DIR": head.data_dir}
    command = ["dispatch", "--name", "outsider"]
    with (
        Gateway(head, **outside) as gateway,
        started(head, *command, **store, SERVE_GATEWAY=head.gateway_url) as outsider,
    ):
        assert outsider["ready"] is True
        wait_until(lambda: request(gateway.url + "/health").json()["status"] == "healthy", 30, "the gateway is healthy")
        running = task_api.submit(webhook.task("running"))
        assert webhook.entered("running").wait(20), task_api.task(running)

        head.kill()
        waiting = [
            task_api.submit({"type": "general_query", "description": f"{number} + 1", "params": {}})
            for number in range(20)
        ]
        wait_until(lambda: request(gateway.url + "/health").status == 503, 40, "the gateway has no replica left")
        head.start_again()
        webhook.release("running")

        # The cluster is a new one: whoever asks again is connected to it.
        driver = early["client"]
        driver.ask()
        assert driver.answer() == {"connected": True, "nodes": 1}, driver.log()
        # Ray may end a program that had joined the old cluster; one that it leaves alive is connected again.
        member = early["member"]
        member.ask()
        assert member.answer() in (None, {"connected": True, "nodes": 1}), member.log()
        assert dispatchers(head) == [], "without storage for the GCS, detached actors do not survive it"
        info = seedcore(head, "ray", "info", "--json", RAY_DASHBOARD_URL=head.dashboard_url)
        assert info.code == 0, info.err

        head.deploy(head.config())
        again = bootstrap(head, RAY_ADDRESS=behind_client(head))
        assert again.code == 0, again.out + again.err
        assert "bootstrap: organism: asked through its Serve handle" in again.out
        assert dispatchers(head) == ["seedcore_dispatcher_0", "seedcore_dispatcher_1"]
        assert "seedcore_reaper" in living(head)
        wait_until(lambda: request(gateway.url + "/health").json()["status"] == "healthy", 60, "the gateway recovers")
        status = seedcore(head, "ray", "call", "seedcore_dispatcher_0", "status", RAY_ADDRESS=behind_client(head))
        assert json.loads(status.out)["state"] == "running", status.err
        for task in [running, *waiting]:
            done = task_api.await_end(task, 60)
            assert done["status"] == "completed", done
            assert Counter(event["kind"] for event in task_api.events(task))["completed"] == 1
        found = json.loads(seedcore(head, "dispatchers", "--json", **store).out)
        assert "outsider" in [row["name"] for row in found], "it went on all the time"
