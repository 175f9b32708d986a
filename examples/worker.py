#!/usr/bin/env python3
"""A SeedCore worker of one page; needs nothing but Python.

    SEEDCORE_EXTERNAL_TYPES=word_count seedcore up
    python3 examples/worker.py --url http://127.0.0.1:8002
    seedcore submit word_count --params '{"text": "to be or not to be"}'

A claim is a lease: while a handler works, a thread renews it. Whoever loses the lease (a long pause, a cut network, a
cancellation) is told at the next renewal and must throw the result away; the server would refuse it with 409.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import socket
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from typing import Any

Handler = Callable[[dict[str, Any], str, "Steps"], object]
LEASE_S = float(os.environ.get("WORKER_LEASE_S", "30"))
WAIT_S = 20.0


class Parked(Exception):
    """The task waits for a person; its handler is called again when there is an answer."""


class Lost(Exception):
    """The task is another's by now, or was cancelled: its handler should stop."""


class NotNow(Exception):
    """Raised by a handler: the task comes back after `delay_s` (1 or more), and the attempt does not count."""

    def __init__(self, delay_s: float, reason: str = "") -> None:
        super().__init__(reason)
        self.delay_s = delay_s


class Steps:
    """The steps of one task: each runs once, whatever happens, and its result is kept under the task's lease."""

    def __init__(self, worker: Worker, lease: dict[str, Any], kept: list[dict[str, Any]]) -> None:
        self.worker = worker
        self.lease = lease
        self.kept = {step["name"]: step for step in kept}

    def run(self, name: str, work: Callable[[str], Any]) -> Any:
        """The result of the step `name`: the one that is kept, or that of `work(key)`, which is then kept.

        A process that dies between the work and its checkpoint does the step again: `key` is the same then.
        """
        step = self.kept.get(name, {})
        if step.get("status") == "completed":
            return step["result"]
        self.worker.call("checkpoint", **self.lease, step=name, begin=True)
        result = work(step.get("idempotency_key", f"{self.lease['id']}:{name}"))
        self.worker.call("checkpoint", **self.lease, step=name, result=result)
        return result

    def progress(self, fraction: float, note: str = "", data: object = None) -> None:
        """Says how far the task is, as often as the work likes. Raises Lost when nobody wants its result any more."""
        if not self.worker.call("progress", **self.lease, fraction=fraction, note=note, data=data)["accepted"]:
            raise Lost(self.lease["id"])

    def ask(self, name: str, reason: str, timeout_s: float | None = None) -> Any:
        """What a person answered to the step `name`. Until then the task is parked: no worker waits."""
        step = self.kept.get(name, {})
        if step.get("status") == "completed":
            return step["result"]
        if step.get("status") == "failed":
            raise ValueError(f"step '{name}': {step['error']}")
        self.worker.call("hold", **self.lease, step=name, reason=reason, timeout_s=timeout_s)
        raise Parked(name)


class Worker:
    """Claims tasks of the given types and runs their handlers, one at a time.

    `handlers` maps a type to a function of (params, key, steps): the task's params; an idempotency key to pass on to
    whatever the work calls, because a task may be executed more than once; and its Steps, for work that should go on
    where it stopped and say how far it is. The function returns the result (any JSON), raises NotNow to put the task
    off, ValueError for a task that can never succeed, or any other exception for one worth another try.
    """

    def __init__(self, url: str, handlers: dict[str, Handler], token: str | None = None) -> None:
        self.url = url.rstrip("/") + "/api/v1/workers/"
        self.handlers = handlers
        self.token = token
        self.worker_id = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"

    def call(self, operation: str, **request: object) -> Any:
        """Calls one operation and returns its answer; urllib.error.HTTPError carries a refusal."""
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        body = json.dumps({"worker_id": self.worker_id, **request}).encode()
        http = urllib.request.Request(self.url + operation, body, headers)
        with urllib.request.urlopen(http, timeout=WAIT_S + 10) as answer:
            return json.load(answer)

    def run(self, stop: threading.Event) -> None:
        """Works until `stop` (a threading.Event) is set. Bears a server that is away."""
        while not stop.is_set():
            try:
                wanted = {"types": list(self.handlers), "lease_s": LEASE_S, "wait_s": WAIT_S, "with_steps": True}
                claims = self.call("claim", **wanted)["items"]
                for claim in claims:
                    self.execute(claim)
                if not claims:
                    stop.wait(0.2)  # a server with too many waiting workers answers at once
            except urllib.error.HTTPError as refusal:
                print(f"refused: {refusal.code} {refusal.read().decode()}", flush=True)
                stop.wait(1.0)
            except OSError as trouble:
                print(f"no server: {trouble}", flush=True)
                stop.wait(1.0)

    def execute(self, claim: dict[str, Any]) -> None:
        task = claim["task"]
        lease = {"id": task["id"], "fencing_token": claim["fencing_token"]}
        done = threading.Event()
        keeper = threading.Thread(target=self.keep, args=(lease, done), daemon=True)
        keeper.start()
        steps = Steps(self, lease, claim.get("steps", []))
        report: tuple[str, dict[str, object]] | None = None
        try:
            result = self.handlers[task["type"]](task["params"], claim["idempotency_key"], steps)
            report = ("complete", {"result": result})
        except Parked as step:
            print(f"{task['id']} waits for an answer to {step}", flush=True)
        except Lost:
            print(f"{task['id']} is not wanted any more", flush=True)
        except NotNow as later:
            report = ("snooze", {"delay_s": later.delay_s, "reason": str(later)})
        except ValueError as error:
            report = ("fail", {"error": str(error), "retry": False})
        except Exception as error:  # pylint: disable=broad-except
            report = ("fail", {"error": f"{type(error).__name__}: {error}"})
        finally:
            done.set()
        keeper.join()
        if report is None:
            return
        operation, what = report
        print(f"{task['id']} {self.call(operation, **lease, **what)['status']}", flush=True)

    def keep(self, lease: dict[str, Any], done: threading.Event) -> None:
        while not done.wait(LEASE_S / 3):
            try:
                if not self.call("renew", tasks=[lease], lease_s=LEASE_S)["items"][0]["renewed"]:
                    print(f"{lease['id']} lease lost; its result will be refused", flush=True)
                    return
            except OSError as trouble:
                print(f"not renewed: {trouble}", flush=True)


def word_count(params: dict[str, Any], key: str, steps: Steps) -> object:
    """Counts the words of params.text."""
    if not isinstance(params.get("text"), str):
        raise ValueError("params.text: expected a string")
    words = params["text"].split()
    return {"words": len(words), "distinct": len(set(words))}


def publish(params: dict[str, Any], key: str, steps: Steps) -> object:
    """Drafts a text, asks a person and publishes it: three steps, of which none runs twice."""
    draft = steps.run("draft", lambda key: {"text": f"{params['topic']}, in short", "by": os.getpid()})
    answer = steps.ask("approve", f"Publish '{draft['text']}'?")
    return steps.run("publish", lambda key: {"text": draft["text"], "drafted_by": draft["by"], "approved": answer})


def checksum(params: dict[str, Any], key: str, steps: Steps) -> object:
    """Hashes the file params.path, once it is there: says how far it is, and puts itself off until then."""
    try:
        size = os.path.getsize(params["path"])
    except FileNotFoundError:
        raise NotNow(1.0, f"there is no {params['path']} yet") from None
    digest, done = hashlib.sha256(), 0
    with open(params["path"], "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
            done += len(chunk)
            steps.progress(min(1.0, done / max(size, 1)), f"{done} of {size} bytes", {"bytes": done})
    return {"sha256": digest.hexdigest(), "bytes": done}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8002", help="the task API")
    options = parser.parse_args()
    try:
        handlers: dict[str, Handler] = {"word_count": word_count, "publish": publish, "checksum": checksum}
        Worker(options.url, handlers, os.environ.get("SEEDCORE_API_TOKEN")).run(threading.Event())
    except KeyboardInterrupt:
        pass
