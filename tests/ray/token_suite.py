"""A cluster that wants a token."""

from __future__ import annotations

import subprocess
import sys
import time
import unittest

from command import Outcome, seedcore
from connecting import HAS_PACKAGE, ensure
from ray_head import RayHead

REFUSED = 6
TOKEN = "a-token-for-this-suite-alone-0123456789"


class Token(unittest.TestCase):
    """One head with RAY_AUTH_MODE=token."""

    head: RayHead

    @classmethod
    def setUpClass(cls) -> None:
        cls.head = RayHead({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}).__enter__()
        cls.addClassCleanup(cls.head.stop)

    def info(self, **variables: str) -> Outcome:
        environment = self.head.environment() | {"RAY_DASHBOARD_URL": self.head.dashboard_url} | variables
        return seedcore("ray", "info", "--json", environment=environment)

    def test_the_right_token_is_let_in(self) -> None:
        outcome = self.info(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=TOKEN)
        self.assertEqual(outcome.code, 0, outcome.err)
        self.assertEqual(outcome.json["plan"]["token_source"], "environment RAY_AUTH_TOKEN")
        self.assertNotIn(TOKEN, outcome.out)

    def test_a_token_file_is_read(self) -> None:
        path = self.head.folder / "token"
        path.write_text(TOKEN + "\n")
        outcome = self.info(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(path))
        self.assertEqual(outcome.code, 0, outcome.err)

    def test_one_line_without_a_token(self) -> None:
        outcome = self.info()
        self.assertEqual(outcome.code, REFUSED)
        advice = "set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN unless ~/.ray/auth_token has it"
        self.assertEqual(outcome.err, f"seedcore: {self.head.dashboard_url} wants a token and got none: {advice}\n")

    def test_one_line_with_the_wrong_token(self) -> None:
        outcome = self.info(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN="wrong" + TOKEN)
        self.assertEqual(outcome.code, REFUSED)
        self.assertEqual(
            outcome.err, f"seedcore: {self.head.dashboard_url} refuses the token: it is not the one of this cluster\n"
        )

    def test_token_mode_without_a_token_names_what_to_set(self) -> None:
        outcome = self.info(RAY_AUTH_MODE="token")
        self.assertEqual(outcome.code, 2)
        self.assertIn("set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH", outcome.err)

    @unittest.skipUnless(HAS_PACKAGE, "the wheel is not installed")
    def test_a_program_without_the_token_is_told_in_one_line(self) -> None:
        out, lines = ensure(self.head, 10)
        self.assertEqual(out, "False False")
        self.assertEqual(len(lines), 2, lines)
        for line in lines:
            self.assertIn("the cluster wants a token: set RAY_AUTH_MODE=token", line)

    @unittest.skipUnless(HAS_PACKAGE, "the wheel is not installed")
    def test_a_program_with_the_wrong_token_is_told_in_one_line(self) -> None:
        out, lines = ensure(self.head, 10, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN="wrong" + TOKEN)
        self.assertEqual(out, "False False")
        self.assertEqual(len(lines), 2, lines)
        for line in lines:
            self.assertIn("the cluster refuses the token", line)

    @unittest.skipUnless(HAS_PACKAGE, "the wheel is not installed")
    def test_a_program_with_the_token_is_connected(self) -> None:
        out, lines = ensure(self.head, 10, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=TOKEN)
        self.assertEqual(out, "True True", lines)


class ByItself(unittest.TestCase):
    """RAY_AUTH_MODE is set nowhere, and there is a token in the home directory: Ray turns token mode on."""

    head: RayHead

    @classmethod
    def setUpClass(cls) -> None:
        cls.head = RayHead()
        cls.addClassCleanup(cls.head.stop)
        (cls.head.folder / ".ray").mkdir()
        (cls.head.folder / ".ray" / "auth_token").write_text(TOKEN + "\n")
        # Where programs of this host look for the cluster that runs here; the head's own folder is called t.
        (cls.head.folder / "ray").symlink_to("t")
        cls.head.start_again({"HOME": str(cls.head.folder), "RAY_TMPDIR": str(cls.head.folder)})
        # Written once everything else is up.
        deadline = time.monotonic() + 30
        while not (cls.head.folder / "t" / "ray_current_cluster").exists() and time.monotonic() < deadline:
            time.sleep(0.05)

    def environment(self, **variables: str) -> dict[str, str]:
        where = {"RAY_TMPDIR": str(self.head.folder), "RAY_DASHBOARD_URL": self.head.dashboard_url}
        return self.head.environment() | where | variables

    def test_the_plan_says_where_the_token_is_and_why_it_is_sent(self) -> None:
        outcome = seedcore("ray", "info", "--json", environment=self.environment())
        self.assertEqual(outcome.code, 0, outcome.err)
        plan = outcome.json["plan"]
        self.assertEqual((plan["auth"], plan["token_source"]), ("token", "file ~/.ray/auth_token"))
        self.assertIn("RAY_AUTH_MODE is not set", plan["token_reason"])
        self.assertNotIn(TOKEN, outcome.out)

    def test_who_turns_it_off_is_refused_by_such_a_cluster(self) -> None:
        outcome = seedcore("ray", "info", environment=self.environment(RAY_AUTH_MODE="disabled"))
        self.assertEqual(outcome.code, REFUSED)
        self.assertIn("wants a token and got none", outcome.err)

    def test_an_address_that_was_named_gets_no_token_unasked(self) -> None:
        named = {"RAY_ADDRESS": f"ray://127.0.0.1:{self.head.ports.client}"}
        outcome = seedcore("ray", "info", environment=self.environment(**named))
        self.assertEqual(outcome.code, REFUSED)
        self.assertIn("set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN unless ~/.ray/auth_token has it", outcome.err)
        outcome = seedcore("ray", "info", environment=self.environment(RAY_AUTH_MODE="token", **named))
        self.assertEqual(outcome.code, 0, outcome.err)

    @unittest.skipUnless(HAS_PACKAGE, "the wheel is not installed")
    def test_a_program_on_this_host_is_connected(self) -> None:
        program = (
            "import logging; logging.basicConfig(level=logging.INFO)\n"
            "import ray\n"
            "from seedcore.utils.ray_utils import ensure_ray_initialized\n"
            "print(ensure_ray_initialized(), ray.get_runtime_context().gcs_address.rpartition(':')[2])"
        )
        environment = self.environment()
        del environment["RAY_DASHBOARD_URL"]
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90, check=False)
        self.assertEqual(done.stdout.strip(), f"True {self.head.ports.gcs}", done.stderr)


if __name__ == "__main__":
    unittest.main()
