"""python main.py WORD...: how often each word came."""

import json
import os
import sys

import ray
from counter import counter


def main() -> int:
    """Prints the counts as JSON."""
    address = f"{os.environ['RAY_HOST']}:6379" if "RAY_HOST" in os.environ else os.getenv("RAY_ADDRESS")
    if not ray.is_initialized():
        ray.init(address=address, namespace=os.getenv("SEEDCORE_NS", "seedcore-dev"), log_to_driver=False)
    print(json.dumps(ray.get(counter().add.remote(sys.argv[1:]))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
