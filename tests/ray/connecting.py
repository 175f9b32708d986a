"""Programs that connect to a head by ensure_ray_initialized."""

import importlib.util
import subprocess
import sys

from ray_head import RayHead

HAS_PACKAGE = importlib.util.find_spec("seedcore") is not None


def ensure(head: RayHead, wait_s: int, **variables: str) -> tuple[str, list[str]]:
    """What ensure_ray_initialized comes to behind ray:// and as a member, and the lines that say why."""
    program = (
        "import logging; logging.basicConfig(level=logging.WARNING)\n"
        "from seedcore.utils.ray_utils import ensure_ray_initialized as ensure\n"
        f"print(ensure('ray://127.0.0.1:{head.ports.client}'), ensure('127.0.0.1:{head.ports.gcs}'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=head.environment() | {"SEEDCORE_RAY_CONNECT_TIMEOUT_S": str(wait_s)} | variables,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), [line for line in done.stderr.splitlines() if "not connected to Ray" in line]
