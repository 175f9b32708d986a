"""A PostgreSQL server for one suite: a folder, a port and processes of its own."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from cluster import wait_until

sys.path.append(str(Path(__file__).parents[1] / "ray"))
from ray_head import free_ports

USER = "seedcore"


def binaries() -> Path | None:
    """Folder of the newest server that is installed."""
    found = [folder for folder in Path("/usr/lib/postgresql").glob("*/bin") if (folder / "initdb").exists()]
    return max(found, key=lambda folder: float(folder.parent.name), default=None)


class Postgres:
    """As a context manager. Ends with the test, also with one that is killed."""

    def __init__(self, password: str = "", tls: bool = False) -> None:
        """With a password it asks for it (SCRAM); with TLS its certificate is `certificate`, for localhost."""
        where = binaries()
        assert where is not None, "no PostgreSQL in /usr/lib/postgresql: the package postgresql brings it"
        self._binaries = where
        self._folder = Path(tempfile.mkdtemp(prefix="sc-pg-", dir="/tmp"))
        self._process: subprocess.Popen[bytes] | None = None
        (self.port,) = free_ports(1)
        self._password = password
        self._tls = tls
        self.certificate = self._folder / "server.crt"
        self.dsn = f"postgresql://{USER}@127.0.0.1:{self.port}/postgres"

    def _as_server_user(self) -> list[str]:
        """PostgreSQL refuses to run as root."""
        command = ["setpriv", "--pdeathsig", "QUIT"]
        if os.geteuid() == 0:
            command += ["--reuid=postgres", "--regid=postgres", "--clear-groups"]
        return command

    def _run(self, command: list[str]) -> None:
        subprocess.run([*self._as_server_user(), *command], check=True, capture_output=True, timeout=60)

    def __enter__(self) -> "Postgres":
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self._folder, user.pw_uid, user.pw_gid)
        data = str(self._folder / "data")
        init = [str(self._binaries / "initdb"), f"--pgdata={data}", "--encoding=UTF8", "--locale=C"]
        init += [f"--username={USER}", f"--auth={'scram-sha-256' if self._password else 'trust'}", "--no-sync"]
        if self._password:
            file = self._folder / "password"
            file.write_text(self._password)
            init += [f"--pwfile={file}"]
        self._run(init)
        command = [str(self._binaries / "postgres"), "-D", data, "-k", str(self._folder)]
        options = {"port": self.port, "listen_addresses": "127.0.0.1", "fsync": "off", "max_connections": 300}
        if self._tls:
            key = self._folder / "server.key"
            make = ["openssl", "req", "-new", "-x509", "-days", "2", "-nodes", "-subj", "/CN=localhost"]
            make += ["-addext", "subjectAltName=DNS:localhost", "-out", str(self.certificate), "-keyout", str(key)]
            self._run(make)
            self.certificate.chmod(0o644)
            self._folder.chmod(0o755)
            options |= {"ssl": "on", "ssl_cert_file": str(self.certificate), "ssl_key_file": str(key)}
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        self._log = (self._folder / "log").open("wb")
        self._process = subprocess.Popen(
            [*self._as_server_user(), *command], stdout=self._log, stderr=self._log, start_new_session=True
        )
        ready = [str(self._binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        wait_until(lambda: subprocess.run(ready, check=False, timeout=10).returncode == 0, 60, "PostgreSQL answers")
        return self

    def __exit__(self, *exception: object) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)
            self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)
