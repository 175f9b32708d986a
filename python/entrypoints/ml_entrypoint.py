"""The ml service for Ray Serve: `import_path: entrypoints.ml_entrypoint:build_ml_service`."""

from ray.serve import Application

from seedcore.serve_app import ServiceArgs, build


def build_ml_service(args: ServiceArgs) -> Application:
    """Builds the application with its one deployment, `MLService`."""
    return build("ml", "MLService", args)
