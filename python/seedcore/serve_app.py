"""SeedCore's services as Ray Serve applications.

Each replica holds one C++ engine (`seedcore._core.Engine`) behind a raw ASGI application. The module is imported where
applications are built and where replicas run; the engine is made in the replica only.
"""

import asyncio
import json
from typing import Any

import ray
import ray.util
from pydantic import BaseModel, ConfigDict, Field
from ray import serve
from ray.serve import Application

from seedcore._core import Engine
from seedcore.asgi import EngineASGI, StreamLimits
from seedcore.utils.ray_utils import hosts_in_cluster

SINGLETONS = frozenset({"organism"})
"""Services whose state is in the memory of their one replica."""


class ServiceArgs(BaseModel):
    """The `args` of a SeedCore application in a Serve config file. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gateway_url: str = Field(default="", description="Where the other services are; empty: from the environment")
    settings_file: str = Field(default="", description="YAML file with settings, below the environment")
    drain_timeout_s: float = Field(default=10.0, ge=0.0, le=3600.0, description="Time for requests at the end")
    longest_stream_s: float = Field(
        default=StreamLimits.longest_s, gt=0.0, le=86_400.0, description="Then a client of a stream comes back for more"
    )


def _hosts_of_replicas() -> int:
    """On how many hosts replicas may run: one where they are kept on the head by its resource."""
    assigned = ray.get_runtime_context().get_assigned_resources()  # type: ignore[no-untyped-call]
    pinned = "head_node" in assigned
    return 1 if pinned else hosts_in_cluster()


class ServiceReplica:
    """What Serve constructs in each replica. `service` is set by the six deployments below."""

    service: str = ""

    def __init__(self, args: ServiceArgs) -> None:
        context = serve.get_replica_context()
        if self.service in SINGLETONS and context.world_size != 1:
            raise ValueError(
                f"{context.deployment}: set num_replicas to 1, it is {context.world_size}: "
                f"the state of the {self.service} service is in the memory of its one replica"
            )
        self._args = args
        self._engine = Engine(
            self.service,
            gateway_url=args.gateway_url,
            settings_file=args.settings_file,
            node_id=ray.get_runtime_context().get_node_id(),
            node_ip=str(ray.util.get_node_ip_address()),  # type: ignore[no-untyped-call]
            hosts=_hosts_of_replicas(),
        )

    def __serve_build_asgi_app__(self) -> EngineASGI:
        return EngineASGI(self._engine, streams=StreamLimits(longest_s=self._args.longest_stream_s))

    async def check_health(self) -> None:
        """Fails when a new replica could do better: see ServiceEngine::CheckHealth."""
        await asyncio.to_thread(self._engine.check_health)

    def record_autoscaling_stats(self) -> dict[str, float]:
        """What Serve's autoscaler is told about this replica.

        Serve does not see what comes in through the engine's own listener. A replica that reports `running_requests`
        is taken at its word by the default policy (Ray 2.60), so the engine counts both ways.
        """
        return {
            "running_requests": float(self._engine.in_flight),
            "seedcore_direct_requests": float(self._engine.direct_in_flight),
        }

    async def reconfigure(self, user_config: dict[str, Any] | None) -> None:
        """Puts `user_config`, settings by section and name, in force without a restart."""
        await asyncio.to_thread(self._engine.reconfigure, json.dumps(user_config or {}).encode())

    async def ask(self, method: str, path: str, headers: list[tuple[bytes, bytes]], body: bytes) -> tuple[int, bytes]:
        """One request through the application's handle instead of the proxy; `path` is below the prefix."""
        target = (self._engine.prefix + path).encode()
        answer, _ = self._engine.handle(asyncio.get_running_loop(), method, target, "", b"", headers, body, "handle")
        status, _, content, stream = await answer
        if stream is not None:
            stream.close()
            raise ValueError(f"{path} answers with a stream; ask over HTTP")
        return status, content

    async def __del__(self) -> None:
        engine = getattr(self, "_engine", None)
        if engine is not None:
            await asyncio.to_thread(engine.drain, self._args.drain_timeout_s)


# How many requests one replica works on at a time, and how many more the caller's side holds before it answers 503.
_MAX_ONGOING_REQUESTS = 32
_MAX_QUEUED_REQUESTS = 128


def _replica(service_name: str, class_name: str) -> type[ServiceReplica]:
    members = {"service": service_name, "__module__": __name__}
    replica: type[ServiceReplica] = serve.ingress()(type(class_name, (ServiceReplica,), members))
    return replica


def build(service_name: str, deployment_name: str, args: ServiceArgs | dict[str, Any]) -> Application:
    """One service as an application.

    Args:
        service_name: ml, cognitive, coordinator, state, energy or organism.
        deployment_name: Name of its one deployment, as config files refer to it.
        args: `args` of the application; a dict is validated here.
    """
    checked = args if isinstance(args, ServiceArgs) else ServiceArgs.model_validate(args)
    deployment = serve.deployment(
        name=deployment_name,
        max_ongoing_requests=_MAX_ONGOING_REQUESTS,
        max_queued_requests=_MAX_QUEUED_REQUESTS,
        health_check_period_s=10,
        health_check_timeout_s=10,
        graceful_shutdown_wait_loop_s=0.5,
        graceful_shutdown_timeout_s=checked.drain_timeout_s + 5,
    )(_replica(service_name, deployment_name))
    return deployment.bind(checked)
