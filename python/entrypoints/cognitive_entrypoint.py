"""The cognitive service for Ray Serve: `import_path: entrypoints.cognitive_entrypoint:build_cognitive_app`."""

from ray.serve import Application

from seedcore.serve_app import ServiceArgs, build


def build_cognitive_app(args: ServiceArgs) -> Application:
    """Builds the application with its one deployment, `CognitiveService`."""
    return build("cognitive", "CognitiveService", args)
