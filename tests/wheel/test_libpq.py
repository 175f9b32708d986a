"""The module's own libpq speaks to PostgreSQL as the program's does: TLS, SCRAM and several hosts."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from seedcore import EngineError
from seedcore._core import Engine

sys.path.append(str(Path(__file__).parents[1] / "serve"))
sys.path.append(str(Path(__file__).parents[1] / "cluster"))
from postgres import USER, Postgres
from ray_head import free_ports

PASSWORD = "s3cret"


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with Postgres(PASSWORD, tls=True) as started:
        yield started


def open_engine(hosts: str, options: str, password: str = PASSWORD) -> Engine:
    dsn = f"postgresql://{USER}:{password}@{hosts}/postgres?{options}"
    config = {"store.pg_dsn": dsn, "log.level": "error"}
    return Engine("state", gateway_url="http://127.0.0.1:9", user_config=json.dumps(config).encode())


def test_with_a_password_over_verified_tls_past_a_host_that_is_down(server: Postgres) -> None:
    (nobody,) = free_ports(1)
    verified = f"sslmode=verify-full&sslrootcert={server.certificate}&channel_binding=require"
    engine = open_engine(f"localhost:{nobody},localhost:{server.port}", verified)
    engine.check_health()
    engine.drain(10)


def test_a_wrong_password_is_refused_and_not_shown(server: Postgres) -> None:
    with pytest.raises(EngineError) as refused:
        open_engine(f"localhost:{server.port}", "sslmode=require", "wr0ng")
    assert "password authentication failed" in str(refused.value)
    assert "wr0ng" not in str(refused.value)


def test_a_server_that_cannot_prove_its_name_is_refused(server: Postgres) -> None:
    with pytest.raises(EngineError, match="does not match host name"):
        open_engine(f"127.0.0.1:{server.port}", f"sslmode=verify-full&sslrootcert={server.certificate}")


def test_kerberos_is_refused_where_a_dsn_insists_on_it(server: Postgres) -> None:
    with pytest.raises(EngineError, match="GSSAPI"):
        open_engine(f"localhost:{server.port}", "gssencmode=require")
