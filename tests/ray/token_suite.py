"""A cluster that wants a token."""

from __future__ import annotations

import unittest

from command import Outcome, seedcore
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


if __name__ == "__main__":
    unittest.main()
