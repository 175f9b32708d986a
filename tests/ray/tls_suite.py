"""A cluster that speaks TLS, and programs that do not, or trust somebody else."""

from __future__ import annotations

import shutil
import tempfile
import unittest
from pathlib import Path

from connecting import HAS_PACKAGE, ensure
from ray_head import RayHead
from tls_certificate import certificate

WAIT_S = 5


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
        cls.own, cls.foreign = ({"RAY_USE_TLS": "1"} | certificate(folder, name) for name in ("own", "foreign"))
        cls.head = RayHead(cls.own).__enter__()
        cls.addClassCleanup(cls.head.stop)

    def test_a_program_that_speaks_tls_is_connected(self) -> None:
        self.assertEqual(ensure(self.head, WAIT_S, **self.own), ("True True", []))

    def refused(self, expected: str, **variables: str) -> None:
        out, lines = ensure(self.head, WAIT_S, **variables)
        self.assertEqual(out, "False False")
        self.assertEqual(len(lines), 2, lines)
        for line in lines:
            self.assertIn(expected, line)

    def test_one_line_for_a_program_that_does_not(self) -> None:
        self.refused("it closes the connection: it speaks TLS (RAY_USE_TLS=1)")

    def test_one_line_for_a_program_that_trusts_somebody_else(self) -> None:
        self.refused("the server's certificate is not trusted (RAY_TLS_CA_CERT)", **self.foreign)


if __name__ == "__main__":
    unittest.main()
