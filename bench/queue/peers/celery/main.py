"""Celery's part in the queue benchmark; the commands are those of bench/queue/seedcore_drain.cc. --batch: how many
messages each process of the worker prefetches; --processes: of the worker's pool. The executed tasks of a worker are not
counted here: the broker knows how many messages are left.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SAMPLE = {"series": "nyc_taxi", "window": 48}


def report(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


def by_clients(count: int, clients: int, each: Callable[[int], None]) -> None:
    numbers = iter(range(count))
    lock = threading.Lock()

    def client() -> None:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            each(number)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def enqueue(options: argparse.Namespace) -> None:
    from bench_tasks import app, bench  # noqa: PLC0415  (it reads BENCH_REDIS when it is imported)

    start = time.monotonic()

    def paced(number: int) -> None:
        time.sleep(max(0.0, start + number / options.rate - time.monotonic()))
        sent_us = time.time_ns() // 1000 if number >= options.uncounted else 0
        bench.apply_async(kwargs={**SAMPLE, "sent_us": sent_us})

    if options.command == "enqueue":
        by_clients(options.count, options.clients, lambda _: bench.apply_async(kwargs=SAMPLE))
    elif options.command == "pace":
        by_clients(options.count, options.clients, paced)
    else:  # Celery has no bulk call; one connection is as near as it comes
        with app.producer_pool.acquire(block=True) as producer:
            for _ in range(options.count):
                bench.apply_async(kwargs=SAMPLE, producer=producer)
    report({"count": options.count, "seconds": time.monotonic() - start})


def read_reports(folder: Path) -> list[int]:
    return [int(line) for path in folder.iterdir() for line in path.read_text().split()]


def work(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as reports:
        folder = Path(reports)
        env = {**os.environ, "BENCH_REPORTS": reports, "BENCH_PREFETCH": str(options.batch)}
        if options.lease:
            env["BENCH_LEASE_S"] = str(max(1, options.lease // 1000))
        if options.hang:
            env["BENCH_HANG"] = "1"
        name = f"bench{os.getpid()}@localhost"
        command = [
            sys.executable,
            "-m",
            "celery",
            "-A",
            "bench_tasks",
            "worker",
            "-n",
            name,
            "-c",
            str(options.processes),
        ]
        command += ["--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "WARNING"]
        report({"ready": True})
        sys.stdin.readline()  # go
        # In this process' group, so that whoever kills the group kills the worker.
        worker = subprocess.Popen(command, cwd=HERE, env=env, stdout=sys.stderr)
        if options.hang:
            while not read_reports(folder):
                time.sleep(0.02)
            report({"started": True})
        sys.stdin.read()
        worker.send_signal(signal.SIGTERM)
        try:
            worker.wait(10)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
        report({"latency_us": read_reports(folder)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["setup", "enqueue", "fill", "pace", "work"])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--uncounted", type=int, default=0)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--lease", type=int, default=0)
    parser.add_argument("--hang", action="store_true")
    options = parser.parse_args()
    if options.command == "work":
        work(options)
    elif options.command != "setup":
        enqueue(options)


if __name__ == "__main__":
    main()
