"""The energy service for Ray Serve: `import_path: entrypoints.energy_entrypoint:build_energy_service`."""

from ray.serve import Application

from seedcore.serve_app import ServiceArgs, build


def build_energy_service(args: ServiceArgs) -> Application:
    """Builds the application with its one deployment, `EnergyService`."""
    return build("energy", "EnergyService", args)
