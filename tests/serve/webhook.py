"""Tasks that take as long as a test wants: a server for the webhook tool of `execute` tasks."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Webhook:
    """Holds the first call of each name until it is released, 25 seconds at most; later ones pass at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards the three below
        self._calls: dict[str, int] = {}
        self._entered: dict[str, threading.Event] = {}
        self._released: dict[str, threading.Event] = {}
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                webhook._call(body["name"])
                answer = b'{"ok": true}'
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # callers are killed in the middle
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    def __enter__(self) -> "Webhook":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            for released in self._released.values():
                released.set()
        self._server.shutdown()
        self._server.server_close()

    def task(self, name: str) -> dict[str, Any]:
        """A task that makes the call."""
        arguments = {"url": self.url, "body": {"name": name}}
        return {"type": "execute", "params": {"tool": "webhook", "arguments": arguments}}

    def entered(self, name: str) -> threading.Event:
        """Set once the first call of that name is held."""
        with self._lock:
            return self._entered.setdefault(name, threading.Event())

    def release(self, name: str) -> None:
        """Lets the first call go."""
        with self._lock:
            self._released.setdefault(name, threading.Event()).set()

    def calls(self, name: str) -> int:
        with self._lock:
            return self._calls.get(name, 0)

    def _call(self, name: str) -> None:
        with self._lock:
            first = name not in self._calls
            self._calls[name] = self._calls.get(name, 0) + 1
            released = self._released.setdefault(name, threading.Event())
        self.entered(name).set()
        if first:
            released.wait(25)
