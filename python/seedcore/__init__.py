"""SeedCore on Ray: the C++ engine as Ray Serve applications, and the one way to connect to a cluster."""

from seedcore._core import EngineError, __version__

__all__ = ["EngineError", "__version__"]
