"""The state service for Ray Serve: `import_path: entrypoints.state_entrypoint:build_state_service`."""

from ray.serve import Application

from seedcore.serve_app import ServiceArgs, build


def build_state_service(args: ServiceArgs) -> Application:
    """Builds the application with its one deployment, `StateService`."""
    return build("state", "StateService", args)
