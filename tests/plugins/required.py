"""For pytest (-p required): with REQUIRE_RAY=1 a test that is skipped is a failure, as a whole suite that is skipped is.

But for those that need a program that this repository does not install.
"""

import os

import pytest

_NOT_INSTALLED = ("kubectl is not here",)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turns a run with skipped tests into a failed one."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not os.getenv("REQUIRE_RAY") or reporter is None:
        return
    skipped = [str(report.longrepr) for report in reporter.stats.get("skipped", [])]
    missing = [reason for reason in skipped if not any(text in reason for text in _NOT_INSTALLED)]
    if missing and session.exitstatus == 0:
        reporter.write_line(f"REQUIRE_RAY is set, and {len(missing)} tests were skipped, the first by {missing[0]}")
        session.exitstatus = 1
