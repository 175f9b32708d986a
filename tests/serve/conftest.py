"""One head for all tests of this folder, with the six services as deploy/serve/config.yaml ships them."""

from collections.abc import Iterator

import pytest
from cluster import Head
from task_api import TaskApi
from webhook import Webhook

LEASE_S = 3


@pytest.fixture(scope="session")
def webhook() -> Iterator[Webhook]:
    with Webhook() as started:
        yield started


@pytest.fixture(scope="session")
def head(tmp_path_factory: pytest.TempPathFactory, webhook: Webhook) -> Iterator[Head]:
    more = {
        "TASK_LEASE_S": str(LEASE_S),
        "SEEDCORE_WEBHOOK_ALLOW": webhook.url,
        "SEEDCORE_ORGANISM_WEBHOOK_TIMEOUT": "60",
    }
    with Head(tmp_path_factory.mktemp("data"), more) as started:
        started.serve_deploy(started.config())
        started.wait_until_running(started.config())
        yield started


@pytest.fixture(scope="session")
def task_api(head: Head) -> Iterator[TaskApi]:
    with TaskApi(head) as started:
        yield started
