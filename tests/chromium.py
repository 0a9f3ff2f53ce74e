"""A headless Chromium for tests and benches: the one in `CHROMIUM`, or one that is installed."""

from __future__ import annotations

import importlib.util
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def program() -> str | None:
    """Answer the program, None where there is none."""
    given = os.environ.get("CHROMIUM")
    return given or next((path for name in PROGRAMS if (path := shutil.which(name))), None)


def lacking() -> str | None:
    """Say what is missing and how to get it; None where nothing is."""
    if importlib.util.find_spec("playwright") is None:
        return "playwright is not installed: pip install playwright (no browser of its own)"
    if program() is None:
        return "no Chromium: install Debian's package chromium, or name a program in CHROMIUM"
    return None


@contextmanager
def browser() -> Iterator[Any]:
    """Start it; the block gets playwright's browser."""
    from playwright.sync_api import sync_playwright

    # Chromium refuses root otherwise; and nothing here needs a graphics processor.
    arguments = ["--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as started:
        found = started.chromium.launch(executable_path=program(), args=arguments)
        try:
            yield found
        finally:
            found.close()
