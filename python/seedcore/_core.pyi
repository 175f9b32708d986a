"""The C++ engine of one Ray Serve replica. Blocking calls release the GIL."""

import asyncio
from collections.abc import Sequence

__version__: str

class EngineError(RuntimeError):
    """What the engine refused, as "code: message (path)"."""

class Stream:
    """Server-sent events of one answer. Close it when the client has gone; it also closes when it is dropped."""

    def take(self) -> bytes | None:
        """All that has arrived and was not taken yet, which may be nothing; None once the stream has ended."""

    def wait(self, loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]:
        """Done as soon as there is something to take."""

    def heartbeat(self) -> None:
        """Puts a comment line into an idle stream, so that proxies keep the connection."""

    def close(self) -> None: ...

class Pending:
    """A request under way."""

    def cancel(self) -> None:
        """The client has gone: stop working on it."""

class Engine:
    """One service on the shared store, with its peers behind the Serve gateway. Thread-safe."""

    def __init__(
        self,
        service: str,
        *,
        gateway_url: str = "",
        user_config: bytes = b"{}",
        settings_file: str = "",
        node_id: str = "",
        node_ip: str = "",
        hosts: int = 1,
    ) -> None:
        """Opens the store and starts the service.

        Args:
            service: ml, cognitive, coordinator, state, energy or organism.
            gateway_url: Where the other services are, "http://HOST:PORT"; empty: from the environment.
            user_config: Settings as a JSON object; they win over the environment.
            settings_file: YAML file below the environment; empty: none.
            node_id: Ray's id of the node, for the runtime registry.
            node_ip: The node's IP address, which others reach the engine's own listener at when it is bound to all.
            hosts: Hosts on which parties of the store may run. Beyond one SQLite is refused, and a listener that would
                be bound to loopback is not opened.

        Raises:
            EngineError: An unknown service, a wrong setting, or a store that cannot be used.
        """

    def handle(
        self,
        loop: asyncio.AbstractEventLoop,
        method: str,
        raw_path: bytes,
        root_path: str,
        query: bytes,
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes,
        peer: str,
    ) -> tuple[asyncio.Future[tuple[int, list[tuple[bytes, bytes]], bytes, Stream | None]], Pending]:
        """Handles one request on the engine's threads. On the loop's thread only.

        Returns:
            A future of `loop`, with status, header fields, body, and the stream that follows instead of a body; and
            the request while it is under way.
        """

    def check_health(self) -> None:
        """Raises EngineError when this replica cannot do its work, and says why. Blocks.

        It was stopped, its workers or its own listener do not work, or the store cannot be read and written. Too much
        load is no reason, nor is a drain under way.
        """

    def reconfigure(self, user_config: bytes) -> None:
        """Puts other settings in force. Raises EngineError, and everything stays, when one is wrong. Blocks."""

    def drain(self, timeout_s: float) -> bool:
        """Refuses new requests and lets those under way finish within `timeout_s` seconds. Blocks. Idempotent."""

    def metrics(self) -> str:
        """All metrics in the Prometheus text format."""

    @property
    def in_flight(self) -> int:
        """Requests under way, through Serve and through the engine's own listener."""

    @property
    def direct_in_flight(self) -> int:
        """Those of the engine's own listener."""

    @property
    def direct_address(self) -> str:
        """HOST:PORT of that listener; empty when it is switched off."""

    @property
    def service(self) -> str: ...
    @property
    def prefix(self) -> str: ...

class DispatchHost:
    """A dispatcher or a reaper over the shared store; the services behind the gateway execute. Thread-safe."""

    def __init__(
        self,
        role: str,
        *,
        name: str = "",
        gateway_url: str = "",
        user_config: bytes = b"{}",
        settings_file: str = "",
        node_id: str = "",
        ip_address: str = "",
        hosts: int = 1,
    ) -> None:
        """Opens the store, registers in the runtime registry and runs.

        Args:
            role: queue, graph or reaper.
            name: In the registry, metrics and logs; empty: made from role, host and process id.
            gateway_url: Where the services are, "http://HOST:PORT"; empty: from the environment.
            user_config: Settings as a JSON object; they win over the environment.
            settings_file: YAML file below the environment; empty: none.
            node_id: Where this runs, for the registry; empty: the host name.
            ip_address: Likewise.
            hosts: Hosts on which parties of the store run; SQLite is refused beyond one.

        Raises:
            EngineError: "invalid_argument: ..." for what a retry cannot mend, "unavailable: ..." for what it can.
        """

    def status(self) -> bytes:
        """What it is doing, as a JSON object; see DispatchHostStatus. Reads no store."""

    def prove(self, count: int, timeout_s: float) -> bytes:
        """Submits `count` health_check tasks and waits until somebody has executed them, `timeout_s` seconds at most.

        Returns:
            A JSON array of `id`, `status`, `owner_id` and `error`. Blocks. Raises EngineError when the store fails.
        """

    def drain(self, timeout_s: float) -> None:
        """Claims nothing more, lets running tasks finish within `timeout_s`, hands back the rest. Idempotent."""

class OrganHost:
    """Does the work of one organ's agents for the organism, at a listener of its own. Thread-safe."""

    def __init__(
        self,
        organ_id: str,
        *,
        name: str = "",
        gateway_url: str = "",
        user_config: bytes = b"{}",
        settings_file: str = "",
        node_id: str = "",
        ip_address: str = "",
        hosts: int = 1,
    ) -> None:
        """Opens the store, listens, and registers in the runtime registry.

        Args:
            organ_id: Whose agents' work is done here.
            name: In the registry and in answers; empty: "seedcore_organ_" and the organ's id.
            gateway_url: Where the services are, "http://HOST:PORT"; empty: from the environment.
            user_config: Settings as a JSON object; they win over the environment.
            settings_file: YAML file below the environment; empty: none.
            node_id: Where this runs, for the registry; empty: not known.
            ip_address: Likewise.
            hosts: Hosts on which parties of the store run; SQLite is refused beyond one.

        Raises:
            EngineError: "invalid_argument: ..." for what a retry cannot mend, "conflict: ..." when by the settings the
                organism could not reach a listener here, "unavailable: ..." for what a retry can mend.
        """

    def status(self) -> bytes:
        """What it is doing, as a JSON object; see OrganHostStatus. Reads no store."""

    def drain(self, timeout_s: float) -> None:
        """Lets work under way finish within `timeout_s`, takes no more. Idempotent. Blocks."""

def plan_ray_connection(address: str, ray_namespace: str) -> str:
    """Where to connect and why, as JSON (see docs/ray-connection.md). Empty arguments leave it to the environment.

    Raises EngineError, in one line that names the variable and its value, when the environment makes no sense.
    """

def ray_version_warning(version: str) -> str:
    """A line that names both versions when this Ray is older or newer than the tested ones; empty when it is not."""
