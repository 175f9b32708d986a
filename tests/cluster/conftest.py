"""What the suites of this folder share. Each file has a cluster of its own, and only one of them runs at a time."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "serve"))

from webhook import Webhook


@pytest.fixture(scope="module")
def webhook() -> Iterator[Webhook]:
    with Webhook() as started:
        yield started


@pytest.fixture(scope="module", autouse=True)
def bounded_memory() -> None:
    """On a machine without room for a cluster, nothing of this could be judged."""
    meminfo = Path("/proc/meminfo").read_text().splitlines()
    (available,) = [line.split()[1] for line in meminfo if line.startswith("MemAvailable:")]
    if int(available) * 1024 < 1_500_000_000:
        pytest.skip("less than 1.5 GB of memory are free")
