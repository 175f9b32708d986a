"""Serve applications for the suites: one that works, and two that do not."""

from typing import Any

from ray import serve
from starlette.requests import Request


@serve.deployment(name="Tiny", ray_actor_options={"num_cpus": 0})
class Tiny:
    """Answers with the path it was asked for."""

    async def __call__(self, request: Request) -> dict[str, str]:
        return {"path": request.url.path}


def build(args: dict[str, Any]) -> Any:
    """The application that works."""
    return Tiny.bind()  # type: ignore[attr-defined]


def broken(args: dict[str, Any]) -> Any:
    """Fails while it is built, as an application does whose model is not there."""
    raise RuntimeError("the model file is missing")


@serve.deployment(name="NeverUp", ray_actor_options={"num_cpus": 0})
class NeverUp:
    """Fails in its constructor."""

    def __init__(self) -> None:
        raise RuntimeError("no such table: tasks")

    async def __call__(self, request: Request) -> str:
        return ""


def never_up(args: dict[str, Any]) -> Any:
    """The application whose replicas never start."""
    return NeverUp.bind()  # type: ignore[attr-defined]
