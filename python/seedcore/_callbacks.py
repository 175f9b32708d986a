"""What the engine's threads schedule on the event loop."""

import asyncio


def _set_result(future: asyncio.Future[object], value: object) -> None:
    """Resolves `future`, unless its client has gone and it was cancelled."""
    if not future.done():
        future.set_result(value)
