"""What holds for all tests: in CI a skip without a good reason is a failure."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

# A shell starts what it puts into the background with Ctrl-C ignored, and children inherit that;
# the tests of interrupts need the ordinary way.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Reasons that a skip may have in CI, as the beginning of its reason.
ALLOWED_SKIPS: Final = ("n/a",)


def refuse_skip(report: Any) -> None:
    """Turn a skipped report into a failed one, unless its reason is allowed or it is an xfail.

    A test that is skipped where nobody looks is a test that nobody has.
    """
    if report.outcome != "skipped" or hasattr(report, "wasxfail"):
        return
    longrepr = report.longrepr
    reason = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
    reason = reason.removeprefix("Skipped: ")
    if not reason.startswith(ALLOWED_SKIPS):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {reason or 'no reason given'}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """Hold the reports of set-up, call and tear-down against the allowed skips."""
    report = yield
    if os.environ.get("CI") == "true":
        refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    """Hold modules that skip themselves against the allowed skips."""
    report = yield
    if os.environ.get("CI") == "true":
        refuse_skip(report)
    return report
