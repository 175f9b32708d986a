"""Whether a Ray server answers at an address, and if not, why: in one line and in bounded time.

Ray's own ways of finding out take minutes, end the process, or log much and say little.
"""

import time
from typing import Any
from urllib.parse import urlsplit

import grpc  # type: ignore[import-untyped]
from ray._private.grpc_utils import init_grpc_channel
from ray.core.generated import gcs_service_pb2, gcs_service_pb2_grpc, ray_client_pb2, ray_client_pb2_grpc

_CALL_S = 5.0
_PAUSE_S = 0.25

_OPTIONS = [
    ("grpc.enable_http_proxy", 0),
    # A server that is just starting is not kept waiting by the backoff of gRPC, which grows to minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 1000),
]
_TOKEN = "set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN unless ~/.ray/auth_token has it"


def await_ray(target: str, deadline: float, sends_token: bool) -> None:
    """Returns when the server at `target`, ray://HOST:PORT or HOST:PORT, answers this client.

    Args:
        target: Where Ray is.
        deadline: On the monotonic clock. A server that is not there yet is waited for.
        sends_token: Whether this process sends a token, for the advice when the server wants one.

    Raises:
        ConnectionError: Nothing answers by then, or what answers is no such server or lets nobody in.
    """
    is_client_server = target.startswith("ray://")
    address = urlsplit(target).netloc if is_client_server else target
    with init_grpc_channel(address, _OPTIONS) as channel:
        while True:
            try:
                _ping(channel, is_client_server, max(0.1, min(_CALL_S, deadline - time.monotonic())))
                return
            except grpc.RpcError as error:
                final = _final(error, is_client_server, sends_token)
                if final:
                    raise ConnectionError(f"{target}: {final}") from None
                if time.monotonic() + _PAUSE_S >= deadline:
                    raise ConnectionError(f"nothing answers at {target}: {_details(error)}") from None
            time.sleep(_PAUSE_S)


# What protoc generates has no types.
_client: Any = ray_client_pb2
_gcs: Any = gcs_service_pb2
_client_stub: Any = ray_client_pb2_grpc.RayletDriverStub
_gcs_stub: Any = gcs_service_pb2_grpc.NodeInfoGcsServiceStub


def _ping(channel: Any, is_client_server: bool, seconds: float) -> None:
    if is_client_server:
        request = _client.ClusterInfoRequest(type=_client.ClusterInfoType.PING)
        _client_stub(channel).ClusterInfo(request, timeout=seconds)
    else:
        _gcs_stub(channel).CheckAlive(_gcs.CheckAliveRequest(), timeout=seconds)


def _details(error: Any) -> str:
    lines = str(error.details() or error.code().name).strip().splitlines()
    if "Socket closed" in lines[0]:
        return "it closes the connection: it speaks TLS (RAY_USE_TLS=1), or is none of Ray's servers"
    return lines[0][:200]


def _final(error: Any, is_client_server: bool, sends_token: bool) -> str:
    """What waiting does not mend; empty when it may."""
    code = error.code()
    if code == grpc.StatusCode.UNAUTHENTICATED:
        return "the cluster refuses the token" if sends_token else f"the cluster wants a token: {_TOKEN}"
    if code == grpc.StatusCode.UNIMPLEMENTED:
        expected = (
            "Ray Client server (its port is 10001)" if is_client_server else "head of a cluster (its port is 6379)"
        )
        return f"that is no {expected}"
    details = str(error.details())
    if "WRONG_VERSION_NUMBER" in details:
        return "the server does not speak TLS, and this program was told to (RAY_USE_TLS)"
    if "CERTIFICATE_VERIFY_FAILED" in details:
        return "the server's certificate is not trusted (RAY_TLS_CA_CERT)"
    return ""
