"""The bootstrap where there is no Ray: one line that names the step and what to look at, and no cluster made up."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bootstraps import bootstrap_organs
from bootstraps.bootstrap_organism import _Organism
from bootstraps.bootstrap_organs import OrganPlan
from bootstraps.steps import StepFailedError

SEEDCORE = os.environ.get("SEEDCORE", str(Path(__file__).parents[2] / "build" / "release" / "bin" / "seedcore"))
NOWHERE = "127.0.0.1:9"  # discard: nobody listens there

Ended = subprocess.CompletedProcess[str]
Bootstrap = Callable[..., Ended]


@pytest.fixture
def bootstrap(tmp_path: Path) -> Bootstrap:
    """The bootstrap with these variables and no others that it or Ray would read; it gives up after a second."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG") if name in os.environ}
    impatient = {
        "SEEDCORE_RAY_CONNECT_TIMEOUT_S": "1",
        "ORGANISM_HEALTH_TIMEOUT_S": "1",
        "ORGANISM_HEALTH_INTERVAL_S": "0.2",
    }
    nowhere = {"HOME": str(tmp_path), "RAY_TMPDIR": str(tmp_path), "SERVE_GATEWAY": f"http://{NOWHERE}"}

    def run(**variables: str) -> Ended:
        return subprocess.run(
            [sys.executable, "-m", "bootstraps.bootstrap_entry"],
            env=kept | impatient | nowhere | variables,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def organism(tmp_path: Path) -> Iterator[str]:
    """The URL of one that needs no Ray: the embedded platform's."""
    command = [SEEDCORE, "up", "--data-dir", str(tmp_path / "data"), "--listen", "127.0.0.1:0", "--json"]
    command += ["--api-listen", "127.0.0.1:0"]
    with subprocess.Popen(command, env={"HOME": str(tmp_path)}, stdout=subprocess.PIPE, text=True) as platform:
        assert platform.stdout is not None
        yield json.loads(platform.stdout.readline())["services_url"] + "/organism"
        platform.terminate()


def no_ray_here() -> bool:
    """Whether this host has none, for `auto`, which looks at the processes of all."""
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and b"raylet/raylet" in (entry / "cmdline").read_bytes():
                return False
        except OSError:
            continue
    return True


def the_line(ended: Ended) -> str:
    assert ended.returncode == 1, ended.stdout + ended.stderr
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("bootstrap: failed: ")]
    assert "Traceback" not in ended.stderr
    return line.removeprefix("bootstrap: failed: ")


def test_the_organism_is_asked_over_http_when_nothing_listens(bootstrap: Bootstrap) -> None:
    ended = bootstrap(BOOTSTRAP_MODE="organism", RAY_ADDRESS=NOWHERE)
    line = the_line(ended)
    assert line.startswith(f"organism: not healthy within 1 s: http://{NOWHERE}/organism: ")
    assert "Connection refused" in line
    assert line.endswith("; look at: seedcore ray plan")
    assert f"nothing answers at {NOWHERE}" in ended.stdout
    assert "going on over HTTP" in ended.stdout


def test_auto_with_nothing_is_the_same(bootstrap: Bootstrap) -> None:
    assert no_ray_here(), "`auto` would find the Ray that runs on this host"
    ended = bootstrap(BOOTSTRAP_MODE="organism", RAY_ADDRESS="auto")
    assert the_line(ended).startswith(f"organism: not healthy within 1 s: http://{NOWHERE}/organism: ")
    assert "going on over HTTP" in ended.stdout
    line = the_line(bootstrap(RAY_ADDRESS="auto"))
    assert line.startswith("ray: not connected to Ray: ")
    assert line.endswith("; look at: seedcore ray plan")
    assert no_ray_here(), "a cluster was started"


def test_actors_need_a_cluster(bootstrap: Bootstrap) -> None:
    line = the_line(bootstrap(RAY_ADDRESS=f"ray://{NOWHERE}"))
    assert line.startswith(f"ray: not connected to Ray: nothing answers at ray://{NOWHERE}")
    assert line.endswith("; look at: seedcore ray plan")


def test_a_cluster_that_nothing_names_is_not_made_up(bootstrap: Bootstrap) -> None:
    line = the_line(bootstrap(RAY_ADDRESS="local"))
    assert line.startswith("ray: nothing names a cluster (environment RAY_ADDRESS): set RAY_ADDRESS")
    assert line.endswith("; look at: seedcore ray plan")


def test_a_variable_that_is_wrong_is_not_waited_for(bootstrap: Bootstrap) -> None:
    ended = bootstrap(BOOTSTRAP_MODE="organism", RAY_ADDRESS="ray://head:6379", ORGANISM_HEALTH_TIMEOUT_S="3600")
    line = the_line(ended)
    assert line.startswith("organism: ")
    assert "6379 is the port of Ray's control store" in line


def test_an_organism_without_ray_is_brought_up_over_http(bootstrap: Bootstrap, organism: str) -> None:
    ended = bootstrap(
        BOOTSTRAP_MODE="organism", RAY_ADDRESS=NOWHERE, ORGANISM_URL=organism, ORGANISM_HEALTH_TIMEOUT_S="30"
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"not through its Serve handle (Ray is not connected); over HTTP at {organism}" in ended.stdout
    assert "bootstrap: organism: healthy" in ended.stdout


@pytest.fixture
def asked_there(organism: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], bool]:
    """Whether what answers at a path of the embedded platform knows the organ `nobody` still."""
    monkeypatch.setenv("ORGAN_READY_TIMEOUT_S", "1")

    def prove(path: str) -> bool:
        monkeypatch.setenv("ORGANISM_URL", organism.removesuffix("/organism") + path)
        return bootstrap_organs._prove(OrganPlan(), "seedcore_organ_nobody", "nobody", _Organism().ask)

    return prove


def test_an_organ_has_ended_only_when_the_organism_says_so(asked_there: Callable[[str], bool]) -> None:
    assert asked_there("/organism") is False
    with pytest.raises(StepFailedError, match=r"no health task executed.*status 404.*no route"):
        asked_there("/organisms")
