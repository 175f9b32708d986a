"""The coordinator service for Ray Serve: `import_path: entrypoints.coordinator_entrypoint:build_coordinator`."""

from ray.serve import Application

from seedcore.serve_app import ServiceArgs, build


def build_coordinator(args: ServiceArgs) -> Application:
    """Builds the application with its one deployment, `Coordinator`."""
    return build("coordinator", "Coordinator", args)
