"""The organism service for Ray Serve: `import_path: entrypoints.organism_entrypoint:build_organism_app`."""

from ray.serve import Application

from seedcore.serve_app import ServiceArgs, build


def build_organism_app(args: ServiceArgs) -> Application:
    """Builds the application with its one deployment, `OrganismManager`."""
    return build("organism", "OrganismManager", args)
