"""The task of the queue benchmark on Celery. BENCH_REDIS is the broker; nothing keeps results, as for the other queues.

The settings are those that Celery's documentation gives for tasks that must not be lost (late acknowledgement) and for
short ones (prefetching). BENCH_LEASE_S is Redis' visibility timeout.
"""

from __future__ import annotations

import os
import time

from celery import Celery

app = Celery("bench", broker=os.environ["BENCH_REDIS"])
app.conf.update(
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=int(os.environ.get("BENCH_PREFETCH", "4")),
    broker_transport_options={"visibility_timeout": int(os.environ.get("BENCH_LEASE_S", "3600"))},
    broker_connection_retry_on_startup=True,
    broker_pool_limit=32,
    worker_hijack_root_logger=False,
)
REPORTS = os.environ.get("BENCH_REPORTS", "")
HANG = os.environ.get("BENCH_HANG") == "1"


@app.task(name="bench")
def bench(series: str, window: int, sent_us: int = 0) -> None:
    """Does nothing. A paced task, or one that hangs, leaves a line with its lateness in the file of its process."""
    if not sent_us and not HANG:
        return
    late_us = time.time_ns() // 1000 - sent_us if sent_us else 0
    with open(f"{REPORTS}/{os.getpid()}", "a", encoding="ascii") as out:
        print(late_us, file=out)
    if HANG:
        time.sleep(3600)
