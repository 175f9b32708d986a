"""A cluster that speaks TLS, and programs that do not, or trust somebody else."""

from __future__ import annotations

import importlib.util
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from ray_head import RayHead

HAS_PACKAGE = importlib.util.find_spec("seedcore") is not None
PROGRAM = """
import logging, sys
logging.basicConfig(level=logging.WARNING)
from seedcore.utils.ray_utils import ensure_ray_initialized
print(ensure_ray_initialized(sys.argv[1]))
"""


def certificate(folder: Path, name: str) -> dict[str, str]:
    """Self-signed, for every address that Ray may use for this machine: of the server, the client and the authority."""
    key, cert = folder / f"{name}-key.pem", folder / f"{name}.pem"
    addresses = {
        "127.0.0.1",
        *(found[4][0] for found in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)),
    }
    addresses |= set(subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True).stdout.split())
    names = ",".join(["DNS:localhost", *(f"IP:{address}" for address in sorted(addresses))])
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=seedcore", "-days", "2"]
    command += ["-keyout", str(key), "-out", str(cert), "-addext", f"subjectAltName={names}"]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return {
        "RAY_USE_TLS": "1",
        "RAY_TLS_SERVER_CERT": str(cert),
        "RAY_TLS_SERVER_KEY": str(key),
        "RAY_TLS_CA_CERT": str(cert),
    }


@unittest.skipUnless(HAS_PACKAGE, "the wheel is not installed")
class Tls(unittest.TestCase):
    """One head with RAY_USE_TLS=1."""

    head: RayHead
    own: dict[str, str]
    foreign: dict[str, str]

    @classmethod
    def setUpClass(cls) -> None:
        folder = Path(tempfile.mkdtemp(prefix="sc-tls-", dir="/tmp"))
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.own, cls.foreign = certificate(folder, "own"), certificate(folder, "foreign")
        cls.head = RayHead(cls.own).__enter__()
        cls.addClassCleanup(cls.head.stop)

    def ensure(self, address: str, **variables: str) -> tuple[str, str]:
        """What ensure_ray_initialized returns, and the one line that says why it is False."""
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, address],
            env=self.head.environment() | {"SEEDCORE_RAY_CONNECT_TIMEOUT_S": "5"} | variables,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = [line for line in done.stderr.splitlines() if "not connected to Ray" in line]
        self.assertEqual(len(lines), 0 if "True" in done.stdout else 1, done.stderr)
        return done.stdout.strip().splitlines()[-1], "".join(lines)

    def addresses(self) -> tuple[str, str]:
        return f"ray://127.0.0.1:{self.head.ports.client}", f"127.0.0.1:{self.head.ports.gcs}"

    def test_a_program_that_speaks_tls_is_connected(self) -> None:
        for address in self.addresses():
            with self.subTest(address):
                self.assertEqual(self.ensure(address, **self.own), ("True", ""))

    def test_one_line_for_a_program_that_does_not(self) -> None:
        for address in self.addresses():
            with self.subTest(address):
                connected, line = self.ensure(address)
                self.assertEqual(connected, "False")
                self.assertIn("it closes the connection: it speaks TLS (RAY_USE_TLS=1)", line)

    def test_one_line_for_a_program_that_trusts_somebody_else(self) -> None:
        for address in self.addresses():
            with self.subTest(address):
                connected, line = self.ensure(address, **self.foreign)
                self.assertEqual(connected, "False")
                self.assertIn("the server's certificate is not trusted (RAY_TLS_CA_CERT)", line)


if __name__ == "__main__":
    unittest.main()
