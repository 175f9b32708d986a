"""python main.py WORD...: how often each word came."""

import json
import sys

import ray
from counter import counter

from seedcore.utils.ray_utils import ensure_ray_initialized


def main() -> int:
    """Prints the counts as JSON."""
    if not ensure_ray_initialized():
        return 1
    print(json.dumps(ray.get(counter().add.remote(sys.argv[1:]))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
