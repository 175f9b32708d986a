"""One head for all tests of this folder, with the six services as deploy/serve/config.yaml ships them."""

from collections.abc import Iterator

import pytest
from cluster import Head


@pytest.fixture(scope="session")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    with Head(tmp_path_factory.mktemp("data")) as started:
        started.deploy(started.config())
        yield started
