"""SeedCore and what it is measured against, started on free ports with files in a folder of their own."""

from __future__ import annotations

import http.client
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from suite.process import BenchError, Process, free_port, run_bounded

HERE = Path(__file__).resolve().parent.parent
READY_LIMIT_S = 30.0
WORKERS = 2


def call(url: str, body: bytes | None = None, limit_s: float = 10.0, token: str = "") -> bytes:
    """The body of a 2xx answer."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=limit_s)
    try:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request("GET" if body is None else "POST", target, body, headers)
        response = connection.getresponse()
        content = response.read()
    except OSError as error:
        raise BenchError(f"{url}: {error}") from error
    finally:
        connection.close()
    if not 200 <= response.status < 300:
        raise BenchError(f"{url} answered {response.status}: {content[:300]!r}")
    return content


def answers(url: str) -> bool:
    try:
        call(url, limit_s=2.0)
    except BenchError:
        return False
    return True


class SeedCore:
    """`seedcore up` on an empty data directory."""

    def __init__(self, binary: Path, folder: Path) -> None:
        folder.mkdir(parents=True)
        command = [str(binary), "up", "--json", "--data-dir", str(folder / "data")]
        command += ["--listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0"]
        self.process = Process(command, folder / "log", {"LOG_LEVEL": "warning"})
        ready: dict[str, Any] = {}

        def is_ready() -> bool:
            for line in self.process.log.read_text(errors="replace").splitlines():
                if line.startswith('{"ready":'):
                    ready.update(json.loads(line))
            return bool(ready)

        try:
            self.process.wait_for(is_ready, READY_LIMIT_S, "seedcore up")
        except BenchError:
            self.process.stop()
            raise
        self.ready_ms = (time.monotonic() - self.process.started) * 1e3
        self.own_start_ms = float(ready["start_ms"])
        self.services: str = ready["services_url"]
        self.api: str = ready["api_url"]

    def __enter__(self) -> SeedCore:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop()


NGINX_CONF = """daemon off;
worker_processes {workers};
pid {folder}/pid;
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server_tokens off;
  default_type application/json;
  add_header X-Request-ID 01234567-89ab-7cde-8f01-23456789abcd;
  server {{
    listen 127.0.0.1:{port} backlog=1024;
{locations}
  }}
}}
"""


class Nginx:
    """Serves `bodies` (path to response body) with as many workers as SeedCore has event loops."""

    def __init__(self, folder: Path, bodies: dict[str, bytes]) -> None:
        folder.mkdir(parents=True)
        program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin")
        if program is None:
            raise BenchError("nginx is not installed")
        port = free_port()
        locations = ""
        for path, body in bodies.items():
            text = body.decode().replace("\\", "\\\\").replace("'", "\\'")
            if "$" in text:
                raise BenchError(f"the response of {path} holds a $, which nginx would take for a variable")
            locations += f"    location = {path} {{ return 200 '{text}'; }}\n"
        conf = folder / "nginx.conf"
        conf.write_text(NGINX_CONF.format(workers=WORKERS, folder=folder, port=port, locations=locations.rstrip()))
        self.url = f"http://127.0.0.1:{port}"
        self.process = Process([program, "-p", str(folder), "-c", str(conf)], folder / "log")
        first = self.url + next(iter(bodies))
        try:
            self.process.wait_for(lambda: answers(first), READY_LIMIT_S, "nginx")
        except BenchError:
            self.process.stop()
            raise

    def __enter__(self) -> Nginx:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop()


class FastApi:
    """bench/reference/app.py under uvicorn, one worker process per core of the comparison."""

    def __init__(self, folder: Path, venv: Path) -> None:
        folder.mkdir(parents=True)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [str(venv / "bin" / "uvicorn"), "app:app", "--app-dir", str(HERE / "reference")]
        command += ["--host", "127.0.0.1", "--port", str(port), "--workers", str(WORKERS)]
        command += ["--no-access-log", "--log-level", "warning"]
        self.process = Process(command, folder / "log", {"PYTHONDONTWRITEBYTECODE": "1"})
        try:
            self.process.wait_for(lambda: answers(self.url + "/ml/health"), READY_LIMIT_S, "uvicorn")
        except BenchError:
            self.process.stop()
            raise

    def __enter__(self) -> FastApi:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop()


def prepare_venv(venv: Path, limit_s: float = 300.0) -> None:
    """Creates `venv` with the pinned packages, once."""
    requirements = HERE / "reference" / "requirements.txt"
    stamp = venv / "requirements.txt"
    if stamp.exists() and stamp.read_text() == requirements.read_text():
        return
    run_bounded([sys.executable, "-m", "venv", "--clear", str(venv)], limit_s)
    pip = [str(venv / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    run_bounded([*pip, "-r", str(requirements)], limit_s)
    stamp.write_text(requirements.read_text())
